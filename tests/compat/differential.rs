//! The same text, judged here and by the installed haproxy's `-c`.
//!
//! Three rounds. Every row of the registry alone in a small file; files of rows that both take, put together at random; and
//! those files with one word changed. Where the two disagree, the disagreement is listed below with its reason.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tandem::lower::{Source, System, load};
use tandem_parser::diagnostic::{Diagnostic, Reason, Severity};
use tandem_parser::haproxy::section::{BACKEND, DEFAULTS, FRONTEND, GLOBAL, LISTEN};
use tandem_parser::haproxy::{Arg, Effect, Keyword, keywords};

/// Words whose lines are judged otherwise than by HAProxy 2.6, and why.
pub(super) const REASONS: &[(&str, &str)] = &[
    ("ca-file", TLS),
    ("ca-verify-file", TLS),
    ("ca-ignore-err", TLS),
    ("crt-ignore-err", TLS),
    ("crl-file", TLS),
    ("crt one", TLS),
    ("crt-list", TLS),
    ("tls-ticket-keys", TLS),
    ("ssl-dh-param-file", TLS),
    ("ssl-load-extra-files", TLS),
    ("ssl-propquery", TLS),
    ("ssl-provider", TLS),
    ("issuers-chain-path", TLS),
    ("tune.ssl.force-private-cache", TLS),
    (" sni one", TLS),
    ("namespace one", "it is refused here, whether it exists or not"),
    ("httpclient.", "the command 'httpclient' asks once, its section and files are not looked for"),
    ("thread-group", "threads need no groups"),
    ("tune.fd.edge-triggered", "an experiment of the poller, which is another one here"),
    ("tune.http.maxhdr 1", "the reference cannot read its own pages with so few headers"),
    ("external-check command one", "a command without its option is not looked at"),
    ("filter cache", "the cache is not done yet"),
    ("lua-load", "scripts are not run, nor looked for"),
    ("declare capture", "2.6 takes the low bits of a length that has more than 31 of them"),
    ("option httpslog", "a message without an alert, about a frontend without TLS"),
];

const TLS: &str = "TLS is not spoken: what belongs to it is not looked for";

/// What the other program says when it is older, newer or built otherwise than the text.
const OTHER_AGES: &[&str] = &[
    "unknown keyword",
    "unknown option",
    "not supported",
    "no longer supported",
    "unknown stats parameter",
    "not compiled in",
    "expects an action",
    "not enabled in this build",
    "deprecated",
    "'compression' expects 'algo', 'type' or 'offload'",
    "'timeout' supports",
    "'stats' only supports",
    // Names of servers are asked for at the start, when all else is right.
    "Failed to initialize server(s) addr.",
];

/// Files beside each other, so that several can be judged at a time.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

pub(super) fn reference() -> Option<PathBuf> {
    let found = Some(PathBuf::from("/usr/sbin/haproxy")).filter(|path| path.exists());
    let required = std::env::var_os("TANDEM_REQUIRE_LAB").is_some_and(|value| value == "1");
    assert!(found.is_some() || !required, "haproxy is not installed");
    if found.is_none() {
        println!("skipped: haproxy is not installed");
    }
    found
}

/// What the real program says of a text: whether it takes it, and its alerts.
pub(super) fn theirs(program: &Path, folder: &Path, text: &str) -> (bool, String) {
    let path = folder.join(format!("{}.cfg", NUMBER.fetch_add(1, Ordering::Relaxed)));
    std::fs::write(&path, text).unwrap();
    // Some keywords make files where the program runs.
    let mut command = Command::new(program);
    command.arg("-c").arg("-f").arg(&path).current_dir(folder).stdin(Stdio::null());
    let output = command.output().unwrap();
    std::fs::remove_file(&path).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let alerts: Vec<&str> = said.lines().filter(|line| line.starts_with("[ALERT]")).collect();
    // 2: valid, and nothing listens.
    (matches!(output.status.code(), Some(0 | 2)), alerts.join("\n"))
}

/// The same for this program. What it has not built is valid text all the same. Last, whether all that is wrong is a word too
/// many: where only newer releases mind those is in `registry.txt`.
fn ours(text: &str) -> (bool, String, bool) {
    let source = Source { name: "ours.cfg".into(), text: text.as_bytes().to_vec() };
    let loaded = load(vec![source], &System { offline: false });
    let alerts = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Alert);
    let wrong: Vec<&Diagnostic> = alerts.filter(|d| d.reason != Reason::Refused).collect();
    let said: Vec<&str> = wrong.iter().map(|d| d.message.as_str()).collect();
    (wrong.is_empty(), said.join("\n"), wrong.iter().all(|d| d.reason == Reason::TooManyArguments))
}

/// Lines that every file begins and ends with.
fn file(global: &str, defaults: &str, front: &str, back: &str) -> String {
    format!(
        "global\n    maxconn 100\n{global}defaults\n    mode http\n    timeout client 5s\n    timeout server 5s\n    \
         timeout connect 5s\n{defaults}userlist people\n    user joe insecure-password secret\nfrontend front\n    \
         bind 127.0.0.1:8000\n    acl local src 127.0.0.1\n    default_backend back\n{front}backend back\n    \
         acl local src 127.0.0.1\n    server one 127.0.0.1:8001\n    server two 127.0.0.1:8002\n{back}"
    )
}

/// A word for an argument, of the kind that its name asks for.
pub(super) fn word(arg: &Arg) -> String {
    match arg {
        Arg::Word(what) | Arg::Some(what) => match *what {
            "file" | "certificate" => "/dev/null",
            "directory" => "/tmp",
            "action" => "allow",
            "expression" => "src",
            "uri" | "prefix" => "/x",
            "user:password" => "joe:secret",
            "rule" => "allow",
            "matcher" => "string ok",
            "octal mode" => "600",
            "hex" => "6f6b",
            "ip" => "127.0.0.1",
            "network" => "10.0.0.0/8",
            "format" => "%ci",
            _ => "one",
        }
        .into(),
        Arg::Int(_, low, high) => (*low).max(1).min(*high).to_string(),
        Arg::Time(_) => "10s".into(),
        Arg::Or(_, arg) => word(arg),
        Arg::Size | Arg::SizeIn(..) => "65536".into(),
        Arg::Addr | Arg::AddrBefore(_) | Arg::Addrs => "127.0.0.1:8003".into(),
        Arg::Choice(words) | Arg::List(words) => words[0].into(),
        Arg::MustCond => "if local".into(),
        Arg::Maybe(_) | Arg::OrEnd(_) | Arg::Rest | Arg::Cond | Arg::Settings(_) => String::new(),
    }
}

fn line(row: &Keyword) -> String {
    let words: Vec<String> = row.args.iter().map(word).filter(|word| !word.is_empty()).collect();
    format!("    {} {}", row.name, words.join(" ")).trim_end().to_owned() + "\n"
}

/// A line and the part of a file where it stands: global, defaults, frontend, backend.
type Placed = (usize, String);

fn placed(lines: &[Placed]) -> String {
    let part = |nth| lines.iter().filter(|(part, _)| *part == nth).map(|(_, line)| line.as_str()).collect();
    let parts: [String; 4] = [part(0), part(1), part(2), part(3)];
    file(&parts[0], &parts[1], &parts[2], &parts[3])
}

/// Every row, wherever it may stand, and every setting of `bind` and `server`.
fn rows() -> Vec<Placed> {
    let mut lines = Vec::new();
    // What would change the machine, or end the other program.
    let unfit = [
        "chroot",
        "user",
        "group",
        "uid",
        "gid",
        "setcap",
        "insecure-setuid-wanted",
        "daemon",
        "master-worker",
    ];
    for row in keywords::all().filter(|row| !unfit.contains(&row.name)) {
        let retired = matches!(
            row.effect,
            Effect::Renamed { .. } | Effect::Obsolete { .. } | Effect::Translated { .. }
        );
        if retired {
            continue;
        }
        for (part, bit) in [GLOBAL, DEFAULTS, FRONTEND | LISTEN, BACKEND | LISTEN].into_iter().enumerate() {
            if row.sections & bit == bit {
                lines.push((part, line(row)));
            }
        }
    }
    for (part, head, table) in
        [(2, "bind 127.0.0.1:8004", keywords::BIND), (3, "server more 127.0.0.1:8005", keywords::SERVER)]
    {
        for row in table {
            lines.push((part, format!("    {head} {}", line(row).trim_start())));
        }
    }
    lines
}

/// Compares, several at a time; what both take comes back, and what they disagree about is told.
fn compare(program: &Path, texts: &[(String, String)]) -> (Vec<usize>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (taken, differences) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((what, text)) = texts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let nth = texts.iter().position(|(_, other)| std::ptr::eq(other, text)).unwrap();
                    let (good, alerts) = theirs(program, folder.path(), text);
                    let (mine, wrong, only_counted) = ours(text);
                    if good && mine {
                        taken.lock().unwrap().push(nth);
                    }
                    let listed = |(word, why): &(&str, &str)| what.contains(word) && !why.is_empty();
                    let age = mine && !good && OTHER_AGES.iter().any(|age| alerts.contains(age));
                    let newer = good && !mine && only_counted;
                    if good != mine && !age && !newer && !REASONS.iter().any(listed) {
                        let verdict = if good { "theirs takes it" } else { "ours takes it" };
                        let first = alerts.lines().next().unwrap_or_default();
                        differences
                            .lock()
                            .unwrap()
                            .push(format!("{verdict}: {what}\n    {first}\n    {wrong}"));
                    }
                }
            });
        }
    });
    let mut taken = taken.into_inner().unwrap();
    taken.sort_unstable();
    (taken, differences.into_inner().unwrap())
}

/// One word of one of the lines changed.
fn mutated(lines: &[Placed], at: usize, word: usize, how: usize) -> Option<(String, Vec<Placed>)> {
    let mut lines = lines.to_vec();
    let at = at % lines.len();
    let written = lines[at].1.clone();
    let mut words: Vec<String> = written.split_whitespace().map(str::to_owned).collect();
    let word = word % words.len();
    match how % 7 {
        0 => drop(words.remove(word)),
        1 => words.insert(word, words[word].clone()),
        2 => words[word].push('x'),
        3 => drop(words[word].pop()),
        4 => words.push("foo".into()),
        5 if words[word].bytes().any(|b| b.is_ascii_digit()) => words[word] = "99999999999".into(),
        6 if words[word].bytes().any(|b| b.is_ascii_digit()) => words[word] = "-1".into(),
        _ => return None,
    }
    if words.is_empty() || words.iter().any(String::is_empty) {
        return None;
    }
    lines[at].1 = format!("    {}\n", words.join(" "));
    Some((format!("{} -> {}", written.trim(), words.join(" ")), lines))
}

#[test]
fn the_real_program_judges_the_same() {
    // Thousands of runs of the other program where somebody wants to know, and some of them everywhere.
    let thorough = std::env::var_os("TANDEM_DIFFERENTIAL").is_some();
    let (step, rounds) = if thorough { (1, 40) } else { (8, 8) };
    let Some(program) = reference() else { return };
    let rows: Vec<Placed> = rows().into_iter().step_by(step).collect();
    let alone: Vec<_> =
        rows.iter().map(|row| (row.1.trim().to_owned(), placed(std::slice::from_ref(row)))).collect();
    let (good, mut differences) = compare(&program, &alone);
    let pool: Vec<Placed> = good.iter().map(|nth| rows[*nth].clone()).collect();
    assert!(pool.len() * 2 > rows.len(), "{} of {} rows are taken by both", pool.len(), rows.len());

    let mut runner = TestRunner::deterministic();
    let some = proptest::sample::subsequence(pool, 6..14);
    let places = (some, any::<[(usize, usize, usize); 6]>());
    let (mut together, mut changed) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (lines, changes) = places.new_tree(&mut runner).unwrap().current();
        let what: Vec<_> = lines.iter().map(|(_, line)| line.trim()).collect();
        together.push((what.join(" | "), placed(&lines)));
        for (at, word, how) in changes {
            let mutation = mutated(&lines, at, word, how);
            changed.extend(mutation.map(|(what, lines)| (what, placed(&lines))));
        }
    }
    let (taken, more) = compare(&program, &together);
    differences.extend(more);
    let (_, more) = compare(&program, &changed);
    differences.extend(more);
    println!(
        "{} rows alone, {} taken by both; {} files together, {} taken by both; {} changed words",
        rows.len(),
        good.len(),
        together.len(),
        taken.len(),
        changed.len()
    );
    differences.sort();
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}
