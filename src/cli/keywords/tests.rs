//! The book against the registries of two HAProxy releases, and against the README.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tandem_parser::haproxy::keywords;
use tandem_parser::haproxy::section::{ACME, CRT_STORE, GLOBAL, PEERS, PROXIES, TRACES, USERLIST};

use super::book::{self, Class, State};
use super::forms;

/// Names that the lists hold and this program does not know, with the reason for each.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("listen: tcp-request content ot-group", "belongs to that library"),
    ("listen: tcp-response content ot-group", "belongs to that library"),
    ("listen: http-request ot-group", "belongs to that library"),
    ("listen: http-response ot-group", "belongs to that library"),
    ("listen: http-after-response ot-group", "belongs to that library"),
];

/// Commands of the stats socket that are not known; the families and why.
const COMMANDS_LATER: &[(&str, &str)] = &[
    ("@", "addresses workers on the master's socket; not a command of its own"),
    ("_", "between HAProxy's own processes"),
    ("debug ", "development of HAProxy itself"),
    ("abort ssl", "certificates are not changed while running"),
    ("add ssl", "certificates are not changed while running"),
    ("commit ssl", "certificates are not changed while running"),
    ("del ssl", "certificates are not changed while running"),
    ("dump ssl", "certificates are not changed while running"),
    ("new ssl", "certificates are not changed while running"),
    ("set ssl", "certificates are not changed while running"),
    ("show ssl", "certificates are not changed while running"),
    ("update ssl", "certificates are not changed while running"),
    ("acme ", "certificates are not ordered"),
    ("dump stats-file", "counters start at zero"),
    ("hard-reload", "a command of the master"),
    ("reload", "a command of the master"),
    ("mcli-debug-mode", "a command of the master"),
    ("show proc", "a command of the master"),
    ("set anon", "dumps are not anonymised"),
    ("show anon", "dumps are not anonymised"),
    ("expert-mode", "modes are words of the session"),
    ("experimental-mode", "modes are words of the session"),
    ("prompt", "a word of the session"),
    ("help", "a word of the session"),
    ("show ", "listed by 'help' where it is done"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn registries() -> Vec<(String, String)> {
    let folder = root().join("../shared/keywords");
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    let paths: BTreeSet<PathBuf> = files.flatten().map(|file| file.path()).collect();
    paths
        .into_iter()
        .filter_map(|path| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            Some((name, fs::read_to_string(&path).ok()?))
        })
        .collect()
}

/// What the book knows, as sets to look names up in.
struct Known {
    entries: Vec<book::Entry>,
}

impl Known {
    fn has(&self, class: Class, place: &str, name: &str) -> bool {
        let mut of = self.entries.iter().filter(|entry| entry.class == class);
        of.any(|entry| entry.name == name && (place.is_empty() || entry.place.contains(place)))
    }

    /// A line of the list of configuration keywords: `option X [ FE ]`, `bind <addr> ssl X +1`, `http-request X*`.
    fn configuration(&self, section: &str, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.starts_with(['+', '[', '<'])).collect();
        let sections = match section {
            "global" => GLOBAL,
            "userlist" => USERLIST,
            "peers" => PEERS,
            "crt-store" => CRT_STORE,
            "traces" => TRACES,
            "acme" => ACME,
            // Lines of such a file are settings of `bind`.
            "crt-list" => return self.has(Class::Setting, "bind", words[0]),
            _ => PROXIES,
        };
        let setting = words.last().copied().unwrap_or_default();
        match words.as_slice() {
            ["bind", ..] => self.has(Class::Setting, "bind", setting),
            ["server", _, ..] => self.has(Class::Setting, "server", setting),
            ["option", name, ..] => self.has(Class::Keyword, "", &format!("option {name}")),
            ["tcp-request", list, name] | ["tcp-response", list, name] => {
                self.action(&format!("{} {list}", words[0]), name)
            }
            ["http-request" | "http-response" | "http-after-response", name] => self.action(words[0], name),
            [word, ..] => keywords::first_words(sections).contains(word),
            [] => true,
        }
    }

    fn action(&self, list: &str, name: &str) -> bool {
        let name = match name.strip_suffix('*') {
            Some("track-sc") => "track-sc0",
            Some(stem) => stem,
            None => name,
        };
        self.has(Class::Action, list, name)
    }
}

#[test]
fn every_keyword_of_two_haproxy_releases_is_known() {
    let registries = registries();
    if registries.is_empty() {
        println!("skipped: ../shared/keywords is not here");
        return;
    }
    let known = Known { entries: book::entries() };
    let mut unknown = Vec::new();
    let mut looked_up = 0;
    for (file, text) in registries {
        let (mut class, mut section) = ("", "");
        for line in text.lines() {
            if let Some(title) = line.strip_prefix("# List of registered ") {
                class = title.split(' ').next().unwrap_or_default();
                class = if title.contains("converter") { "converter" } else { class };
                continue;
            }
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            if class == "configuration" && !line.starts_with('\t') {
                section = line;
                continue;
            }
            let line = line.trim();
            let name =
                line.split_once(']').filter(|_| class == "sample").map_or(line, |(_, rest)| rest.trim());
            let name = name.split(['(', ':', '=', '[']).next().unwrap_or_default().trim();
            let (found, what) = match class {
                "ACL" => (known.has(Class::Acl, "", name), format!("acl {name}")),
                "configuration" => (known.configuration(section, line), format!("{section}: {line}")),
                "converter" => (known.has(Class::Converter, "", name), format!("converter {name}")),
                "sample" => (known.has(Class::Fetch, "", name), format!("fetch {name}")),
                "filter" => {
                    let name = format!("filter {name}");
                    (known.has(Class::Keyword, "", &name), name)
                }
                "service" => (known.has(Class::Service, "", name), format!("service {name}")),
                "CLI" => {
                    let later =
                        COMMANDS_LATER.iter().any(|(start, why)| line.starts_with(start) && !why.is_empty());
                    let command = line.split(" [").next().unwrap_or(line);
                    (later || known.has(Class::Command, "", command), format!("command {command}"))
                }
                other => panic!("{file}: a list of {other}"),
            };
            looked_up += 1;
            if !found && !EXCEPTIONS.iter().any(|(name, why)| *name == what && !why.is_empty()) {
                unknown.push(format!("{file}: {what}"));
            }
        }
    }
    assert!(looked_up > 2500, "{looked_up}");
    assert!(unknown.is_empty(), "{} of {looked_up}:\n{}", unknown.len(), unknown.join("\n"));
}

#[test]
fn nothing_is_without_effect_without_its_reason() {
    for entry in book::entries() {
        assert!(!entry.name.is_empty());
        match entry.state {
            State::Works => assert!(entry.reason.is_empty(), "{entry:?}"),
            _ => assert!(entry.reason.len() > 5, "{entry:?}"),
        }
        let typed = matches!(entry.class, Class::Action | Class::Fetch | Class::Converter);
        assert!(typed || entry.doc.len() > 2, "{entry:?}");
    }
}

/// The README's table stands between these lines.
const MARKS: [&str; 2] = ["<!-- keywords -->\n", "<!-- /keywords -->"];

#[test]
fn the_readme_counts_the_words_as_the_book_does() {
    let path = root().join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(MARKS[0]).expect("the mark of the table");
    let (table, after) = rest.split_once(MARKS[1]).expect("the end of the table");
    let now = forms::summary(&book::entries());
    if std::env::var_os("TANDEM_BLESS").is_some() {
        fs::write(&path, format!("{before}{}{now}{}{after}", MARKS[0], MARKS[1])).unwrap();
        return;
    }
    assert_eq!(table, now, "TANDEM_BLESS=1 writes the table anew");
}

#[test]
fn the_book_is_printed_in_three_forms() {
    let entries: Vec<_> =
        book::entries().into_iter().filter(|entry| entry.name.contains("timeout client")).collect();
    let table = forms::table(&entries);
    assert!(table.contains("timeout client <time>\n    "), "{table}");
    assert!(table.contains("; has effect\n"), "{table}");
    let markdown = forms::markdown(&entries);
    assert!(markdown.contains("## Lines\n"), "{markdown}");
    assert!(
        markdown.contains("| `timeout client <time>` | how long a client may say nothing | has effect |")
    );
    let json: serde_json::Value = serde_json::from_str(&forms::json(&entries)).unwrap();
    assert!(json.as_array().unwrap().iter().any(|row| row["name"] == "timeout client-fin"));
}

#[test]
fn what_is_dumped_is_what_works() {
    let all = super::dump("all");
    for title in ["ACL keywords", "configuration keywords", "CLI keywords", "sample fetch functions"] {
        assert!(all.contains(&format!("# List of registered {title}:\n")), "{title}");
    }
    for line in [
        "path_beg = path -m beg\n",
        "\tbind <addr> accept-proxy\n",
        "\tserver <name> <addr> weight +1\n",
        "\thttp-request set-header\n",
        "lower: str => str\n",
        "prometheus-exporter\n",
    ] {
        assert!(all.contains(line), "{line}");
    }
    let method = super::dump("smp");
    assert!(method.contains("[ . . Y Y Y Y Y Y Y Y Y . . . . . . . . . . . ] path: str\n"), "{method}");
    for entry in book::entries().iter().filter(|entry| entry.state == State::Inert) {
        if entry.class == Class::Setting && entry.place == "server" {
            assert!(!all.contains(&format!("server <name> <addr> {} ", entry.name)), "{entry:?}");
        }
    }
    assert!(super::dump("help").starts_with("# List of supported keyword classes:\nall: "));
}
