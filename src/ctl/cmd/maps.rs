//! Maps and files of ACLs: look, find, change, and replace as a whole by versions.

use std::fmt::Write as _;
use std::sync::Arc;

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::expr::sample::text_ip;
use crate::ir::entries::{Entry, Meant};
use crate::ir::global::Level;
use crate::ir::reference::{Contents, Origin, Reference, User};

pub(super) const COMMANDS: &[Command] = &[
    command(&["add", "acl"], Level::Admin, "add acl [@<ver>] <acl> <pattern>", "add an acl entry", add),
    command(&["clear", "acl"], Level::Admin, "clear acl [@<ver>] <acl>", "empty an acl file", clear),
    command(
        &["commit", "acl"],
        Level::Admin,
        "commit acl @<ver> <acl>",
        "use this version of an acl file",
        commit,
    ),
    command(&["del", "acl"], Level::Admin, "del acl <acl> [<key>|#<ref>]", "delete acl entries", del),
    command(&["get", "acl"], Level::User, "get acl <acl> <value>", "patterns that match a value", get),
    command(&["prepare", "acl"], Level::Admin, "prepare acl <acl>", "begin a new version", prepare),
    command(&["show", "acl"], Level::Operator, "show acl [@<ver>] <acl>", "acl files or one's entries", show),
    command(
        &["add", "map"],
        Level::Admin,
        "add map [@<ver>] <map> <key> <val>",
        "add a map entry (payload supported instead of key/val)",
        add,
    ),
    command(&["clear", "map"], Level::Admin, "clear map [@<ver>] <map>", "empty a map", clear),
    command(&["commit", "map"], Level::Admin, "commit map @<ver> <map>", "use this version of a map", commit),
    command(&["del", "map"], Level::Admin, "del map <map> [<key>|#<ref>]", "delete map entries", del),
    command(&["get", "map"], Level::User, "get map <map> <value>", "entries that a value finds", get),
    command(&["prepare", "map"], Level::Admin, "prepare map <map>", "begin a new version", prepare),
    command(&["set", "map"], Level::Admin, "set map <map> [<key>|#<ref>] <value>", "change map entries", set),
    command(&["show", "map"], Level::Operator, "show map [@<ver>] [map]", "maps or one's entries", show),
];

/// Whether the command is that of maps: they have values, files of ACLs have patterns alone.
fn is_about_maps(call: &Call<'_>) -> bool {
    call.words.get(1) == Some(&"map")
}

const UNKNOWN_MAP: &str = "Unknown map identifier. Please use #<id> or <file>.\n";
const UNKNOWN_ACL: &str = "Unknown ACL identifier. Please use #<id> or <file>.\n";
const SHARED: &str = "This ACL is shared with a map containing samples. You must use the command 'add map' to add \
                      values.\n";

fn unknown(maps: bool) -> Reply {
    Reply::error(if maps { UNKNOWN_MAP } else { UNKNOWN_ACL })
}

fn all(call: &Call<'_>, maps: bool) -> Vec<(u32, Arc<Reference>)> {
    let mut all = call.control.live.config.references.all();
    all.retain(|(_, one)| one.serves(maps));
    all
}

/// The list of this name or number among those of maps or ACLs.
fn named(call: &Call<'_>, name: &str, maps: bool) -> Option<Arc<Reference>> {
    any(call, name).filter(|one| one.serves(maps))
}

/// The list of this name or number. What looks at a key or adds one, as HAProxy, does not ask who uses the list.
fn any(call: &Call<'_>, name: &str) -> Option<Arc<Reference>> {
    // No digits are a zero.
    let number = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u32>().ok() };
    let wanted = name.strip_prefix('#').and_then(number);
    let is_meant = |(number, one): &(u32, Arc<Reference>)| match wanted {
        Some(wanted) => *number == wanted,
        None => !name.is_empty() && one.file() == name,
    };
    call.control.live.config.references.all().into_iter().find(is_meant).map(|(_, one)| one)
}

/// Takes `@VERSION` off the front.
fn versioned(args: &[String]) -> (Option<u32>, &[String]) {
    let Some((version, rest)) = args.split_first().and_then(|(f, rest)| Some((f.strip_prefix('@')?, rest)))
    else {
        return (None, args);
    };
    // As the C library reads it: what begins with no number is version 0, and of a long one the low bits count.
    let (sign, digits) = match version.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, version.strip_prefix('+').unwrap_or(version)),
    };
    let end = digits.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(digits.len());
    let number = if end == 0 { 0 } else { digits[..end].parse::<u64>().unwrap_or(u64::MAX) };
    let number = if sign < 0 && number < u64::MAX { number.wrapping_neg() } else { number };
    // Minus one is how HAProxy says "the version in use".
    (Some(number as u32).filter(|version| *version != u32::MAX), rest)
}

fn arg(args: &[String], n: usize) -> &str {
    args.get(n).map_or("", String::as_str)
}

fn show(call: &mut Call<'_>) -> Reply {
    let maps = is_about_maps(call);
    let (version, args) = versioned(call.args);
    let mut out = String::new();
    if arg(args, 0).is_empty() && version.is_none() {
        out.push_str("# id (file) description\n");
        for (number, one) in all(call, maps) {
            let (users, contents) = (one.users.lock(), one.contents());
            let used = match &one.origin {
                Origin::Line { keyword, place } => {
                    format!("acl '{keyword}' file '{}' line {}", place.file, place.line)
                }
                Origin::File(name) => format!("pattern loaded from file '{name}' used {}", uses(&users)),
            };
            // Writing into a String cannot fail.
            let _ = writeln!(
                out,
                "{number} ({}) {used}. curr_ver={} next_ver={} entry_cnt={}",
                one.file(),
                contents.current,
                contents.next,
                (contents.entries.len() + contents.prepared.len()) * users.len(),
            );
        }
        return Reply::list(out);
    }
    let Some(one) = named(call, arg(args, 0), maps) else { return unknown(maps) };
    let contents = one.contents();
    let mut line = |entry: &Entry| {
        // A list of ACLs has values, too, where `add map` put them there.
        let _ = match maps || !entry.value.is_empty() {
            true => writeln!(out, "{:#x} {} {}", entry.id, entry.key, entry.value),
            false => writeln!(out, "{:#x} {}", entry.id, entry.key),
        };
    };
    match version.filter(|version| *version != contents.current) {
        None => contents.entries.iter().for_each(&mut line),
        Some(version) => {
            contents.prepared.iter().filter(|(v, _)| *v == version).for_each(|(_, entry)| line(entry));
        }
    }
    Reply::list(out)
}

fn uses(users: &[User]) -> String {
    let line = |user: &User| {
        let kind = if user.has_values { "map" } else { "acl" };
        format!("by {kind} at file '{}' line {}", user.place.file, user.place.line)
    };
    users.iter().map(line).collect::<Vec<_>>().join(", ")
}

fn get(call: &mut Call<'_>) -> Reply {
    let maps = is_about_maps(call);
    if call.arg(0).is_empty() || call.arg(1).is_empty() {
        return Reply::error(if maps {
            "Missing map identifier and/or key.\n"
        } else {
            "Missing ACL identifier and/or key.\n"
        });
    }
    let Some(one) = any(call, call.arg(0)) else { return unknown(maps) };
    let mut out = String::new();
    for user in one.users.lock().iter() {
        let mut contents = one.contents();
        let case = if user.ignore_case { "insensitive" } else { "sensitive" };
        let _ = write!(out, "type={}, case={case}, ", user.method);
        let what = if maps { "found" } else { "match" };
        let found = user.index.find(&mut contents.entries, call.arg(1)).map(|at| &contents.entries[at]);
        let Some(entry) = found else {
            let _ = writeln!(out, "{what}=no");
            continue;
        };
        let tree = user.method == "ip" || !user.ignore_case && matches!(user.method, "str" | "beg");
        let index = if tree { "tree" } else { "list" };
        let _ = write!(out, "{what}=yes, idx={index}, ");
        let _ = match (maps, user.output) {
            (false, _) => writeln!(out, "pattern=\"{}\"", entry.key),
            (true, "") => writeln!(out, "key=\"{}\", value=none", entry.key),
            (true, kind) => {
                let kind = match kind {
                    "ip" if text_ip(entry.value.as_bytes()).is_some_and(|ip| ip.is_ipv6()) => "ipv6",
                    "ip" => "ipv4",
                    kind => kind,
                };
                writeln!(out, "key=\"{}\", value=\"{}\", type=\"{kind}\"", entry.key, entry.value)
            }
        };
    }
    Reply::list(out)
}

fn outcome(result: Result<(), String>) -> Reply {
    match result {
        Ok(()) => Reply::done(),
        Err(why) => Reply::error(format!("{why}.\n")),
    }
}

fn add(call: &mut Call<'_>) -> Reply {
    let maps = is_about_maps(call);
    let (version, args) = versioned(call.args);
    let (name, key) = (arg(args, 0), arg(args, 1));
    let value = arg(args, 2);
    let lines = call.payload.filter(|_| maps && key.is_empty());
    let complete = !name.is_empty() && (lines.is_some() || !key.is_empty() && (!maps || !value.is_empty()));
    if !complete {
        return Reply::error(if maps {
            "'add map' expects three parameters (map identifier, key and value) or one parameter (map \
             identifier) and a payload\n"
        } else {
            "'add acl' expects two parameters: ACL identifier and pattern.\n"
        });
    }
    let _turn = call.control.turn.lock();
    let Some(one) = any(call, name) else { return unknown(maps) };
    let (current, next) = {
        let contents = one.contents();
        (contents.current, contents.next)
    };
    // A version of the past is taken, as HAProxy does, and goes with the next commit.
    let version = match version.filter(|version| *version != current) {
        Some(version) if version > next => {
            let what = if maps { "map" } else { "acl" };
            return Reply::error(format!(
                "Version number in the future, please use 'prepare {what}' before.\n"
            ));
        }
        version => version,
    };
    if !maps && one.has_values() {
        return Reply::error(SHARED);
    }
    // What stands before the first line that is wrong is taken.
    let (mut entries, mut refusal) = (Vec::new(), None);
    let mut push = |key: &str, value: &str| {
        let outcome = one.check(key, value).map_err(|why| format!("{why}.\n"));
        if outcome.is_ok() {
            entries.push(Entry::new(key, value));
        }
        outcome
    };
    match lines {
        None => refusal = push(key, if maps { value } else { "" }).err(),
        Some(lines) => {
            // A key ends at the first blank, and all behind the blanks there is its value.
            for line in lines.lines().filter(|line| !line.is_empty()) {
                let outcome = match line.split_once([' ', '\t']) {
                    Some((key, value)) => push(key, value.trim_start_matches([' ', '\t'])),
                    None => Err(format!("Missing value for key '{line}'.\n")),
                };
                if let Err(why) = outcome {
                    refusal = Some(why);
                    break;
                }
            }
        }
    }
    let done = match version {
        None => {
            let key = if let [one] = &*entries { Some(one.key.clone()) } else { None };
            let append = |contents: &mut Contents| {
                entries.into_iter().for_each(|entry| contents.entries.push(entry));
            };
            outcome(match key {
                Some(key) => one.change_key(&key, append),
                None => one.change(append),
            })
        }
        Some(version) => {
            let entries = entries.into_iter().map(|entry| (version, entry));
            one.change_prepared(|contents| contents.prepared.extend(entries));
            Reply::done()
        }
    };
    refusal.map_or(done, Reply::error)
}

const MALFORMED: &str = "Malformed identifier. Please use #<id> or <file>.\n";

/// The entries that a key or `#<ref>` means, such as `#0x55d2c8a0`. Any other key may begin with that sign.
/// `None`: the reference is malformed.
fn meant(text: &str) -> Option<Meant<'_>> {
    let Some(digits) = text.strip_prefix("#0x") else { return Some(Meant::Key(text)) };
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    // What is too long is nobody's.
    is_number.then(|| Meant::Id(u64::from_str_radix(digits, 16).unwrap_or(u64::MAX)))
}

fn set(call: &mut Call<'_>) -> Reply {
    let value = call.arg(2);
    if call.arg(1).is_empty() || value.is_empty() {
        return Reply::error("'set map' expects three parameters: map identifier, key and value.\n");
    }
    let _turn = call.control.turn.lock();
    let Some(one) = any(call, call.arg(0)) else { return unknown(true) };
    let Some(meant) = meant(call.arg(1)) else { return Reply::error(MALFORMED) };
    let key = one.contents().entries.first(meant).map(|entry| entry.key.clone());
    let Some(key) = key else {
        return Reply::error(match meant {
            Meant::Id(_) => "key or pattern not found.\n",
            Meant::Key(_) => "entry not found.\n",
        });
    };
    if let Err(why) = one.check(&key, value) {
        return Reply::error(format!("{why}.\n"));
    }
    outcome(one.change_key(&key, |contents| contents.entries.set(meant, value)))
}

fn del(call: &mut Call<'_>) -> Reply {
    let maps = is_about_maps(call);
    if call.arg(0).is_empty() || call.arg(1).is_empty() {
        return Reply::error(if maps {
            "This command expects two parameters: map identifier and key.\n"
        } else {
            "This command expects two parameters: ACL identifier and key.\n"
        });
    }
    let _turn = call.control.turn.lock();
    let Some(one) = named(call, call.arg(0), maps) else { return unknown(maps) };
    let Some(meant) = meant(call.arg(1)) else { return Reply::error(MALFORMED) };
    let key = one.contents().entries.first(meant).map(|entry| entry.key.clone());
    let Some(key) = key else { return Reply::error("Key not found.\n") };
    outcome(one.change_key(&key, |contents| contents.entries.remove(meant)))
}

fn clear(call: &mut Call<'_>) -> Reply {
    let maps = is_about_maps(call);
    let (version, args) = versioned(call.args);
    if arg(args, 0).is_empty() {
        return Reply::error(if maps { "Missing map identifier.\n" } else { "Missing ACL identifier.\n" });
    }
    let _turn = call.control.turn.lock();
    let Some(one) = named(call, arg(args, 0), maps) else { return unknown(maps) };
    let current = one.contents().current;
    match version.filter(|version| *version != current) {
        None => outcome(one.clear()),
        Some(version) => {
            one.change_prepared(|contents| contents.prepared.retain(|(v, _)| *v != version));
            Reply::done()
        }
    }
}

fn prepare(call: &mut Call<'_>) -> Reply {
    let maps = is_about_maps(call);
    let _turn = call.control.turn.lock();
    let Some(one) = named(call, call.arg(0), maps) else { return unknown(maps) };
    let next = one.change_prepared(|contents| {
        contents.next += 1;
        contents.next
    });
    Reply::info(format!("New version created: {next}\n"))
}

fn commit(call: &mut Call<'_>) -> Reply {
    let maps = is_about_maps(call);
    let (Some(version), args) = versioned(call.args) else {
        return Reply::error("Missing version number.\n");
    };
    if arg(args, 0).is_empty() {
        return Reply::error(if maps { "Missing map identifier.\n" } else { "Missing ACL identifier.\n" });
    }
    let _turn = call.control.turn.lock();
    let Some(one) = named(call, arg(args, 0), maps) else { return unknown(maps) };
    let (current, next) = {
        let contents = one.contents();
        (contents.current, contents.next)
    };
    if version <= current || version > next {
        return Reply::error("Version number out of range.\n");
    }
    outcome(one.change(|contents| {
        let prepared = std::mem::take(&mut contents.prepared);
        let (chosen, later): (Vec<_>, Vec<_>) =
            prepared.into_iter().filter(|(v, _)| *v >= version).partition(|(v, _)| *v == version);
        contents.entries = chosen.into_iter().map(|(_, entry)| entry).collect();
        contents.prepared = later;
        contents.current = version;
    }))
}
