//! The house rules that a compiler does not check: layers, headers, lengths, reasons.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms and their layers. The shells of pure rooms (`runner.rs` or a folder `runner`) count as layer 4.
const LAYERS: &[(&str, u8)] = &[
    ("ir", 0),
    ("buf", 0),
    ("sys", 1),
    ("metrics", 1),
    ("handshake", 2),
    ("http", 2),
    ("expr", 2),
    ("balance", 2),
    ("server", 2),
    ("health", 2),
    ("dns", 2),
    ("vrrp", 2),
    ("lower", 3),
    ("log", 3),
    ("live", 3),
    ("proxy", 4),
    ("stats", 5),
    ("ctl", 5),
    ("app", 6),
    ("process", 6),
    ("cli", 6),
];

/// Edges between rooms of one layer that are meant.
const SIBLINGS: &[(&str, &str)] = &[
    ("expr", "http"),
    // Hash converters are the hashes that balancing uses.
    ("expr", "balance"),
    // What an agent says is said of a server's state.
    ("health", "server"),
    // Rules of checks hold expressions.
    ("health", "expr"),
    ("live", "log"),
    ("ctl", "stats"),
    ("app", "process"),
    ("cli", "app"),
    ("cli", "process"),
];

/// Lines of code a file may have, tests not counted.
const MAX_LINES: usize = 650;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|n| n != "target" && !n.to_string_lossy().starts_with('.')) {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Every Rust file as (path relative to the repository, text).
fn files() -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    for dir in ["src", "parser", "tests", "benches"] {
        rust_files(&root.join(dir), &mut found);
    }
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).expect("below the root").to_string_lossy().replace('\\', "/");
            let text = fs::read_to_string(&path).expect("readable");
            (name, text)
        })
        .collect()
}

fn is_test_file(name: &str) -> bool {
    name.starts_with("tests/") || name.starts_with("benches/") || name.contains("/tests/") || {
        let stem = name.rsplit('/').next().unwrap_or_default();
        stem == "tests.rs" || stem.ends_with("_tests.rs") || stem == "simulation.rs" || stem == "testing.rs"
    }
}

/// The part of a file before its inline test module.
fn code(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod tests {").map_or(text, |at| &text[..at])
}

fn layer(room: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == room).map(|(_, layer)| *layer)
}

fn is_shell(parts: &[&str]) -> bool {
    parts.iter().any(|p| *p == "runner.rs" || *p == "runner")
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn imports_go_down() {
    let mut problems = Vec::new();
    for (name, text) in files() {
        let Some(inside) = name.strip_prefix("src/") else { continue };
        let parts: Vec<&str> = inside.split('/').collect();
        if parts.len() < 2 || is_test_file(&name) {
            continue;
        }
        let room = parts[0];
        let Some(own) = layer(room) else {
            problems.push(format!("{name}: the room `{room}` has no layer"));
            continue;
        };
        let shell = own == 2 && is_shell(&parts);
        let own = if shell { 4 } else { own };
        for (number, line) in code(&text).lines().enumerate() {
            let line = line.trim_start();
            if line.starts_with("//") {
                continue;
            }
            let mut rest = line;
            while let Some(at) = rest.find("crate::") {
                rest = &rest[at + "crate::".len()..];
                let target: String =
                    rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                let Some(theirs) = layer(&target) else { continue };
                let sibling = SIBLINGS.contains(&(room, target.as_str()));
                if target != room && theirs >= own && !sibling {
                    problems
                        .push(format!("{name}:{}: {room} (L{own}) imports {target} (L{theirs})", number + 1));
                }
            }
            if own == 2 && line.contains("tokio") {
                problems.push(format!("{name}:{}: a pure core mentions tokio", number + 1));
            }
            let is_door = name == "src/ir/text.rs";
            if room != "lower" && !is_door && own < 6 && line.contains("tandem_parser") {
                problems.push(format!("{name}:{}: only `lower` imports the parser", number + 1));
            }
        }
    }
    report(&problems);
}

#[test]
fn every_file_says_what_it_is() {
    let missing: Vec<String> =
        files().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(name, _)| name).collect();
    report(&missing);
}

#[test]
fn files_are_short() {
    let mut problems = Vec::new();
    for (name, text) in files() {
        let lines = if is_test_file(&name) { 0 } else { code(&text).lines().count() };
        if lines > MAX_LINES {
            problems.push(format!("{name}: {lines} lines, at most {MAX_LINES}"));
        }
    }
    report(&problems);
}

#[test]
fn nothing_is_left_undone_or_ignored_without_a_reason() {
    let mut problems = Vec::new();
    // Spelled in halves so that this file does not find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
    for (name, text) in files() {
        for (number, line) in text.lines().enumerate() {
            let bare_ignore = line.trim() == concat!("#[ig", "nore]");
            if bare_ignore || marks.iter().any(|m| line.contains(m)) {
                problems.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    report(&problems);
}

#[test]
fn unsafe_code_lives_in_sys() {
    let mut problems = Vec::new();
    for (name, text) in files() {
        if name.starts_with("src/sys/") {
            continue;
        }
        for (number, line) in code(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if code.contains(concat!("uns", "afe {")) || code.contains(concat!("allow(uns", "afe_code")) {
                problems.push(format!("{name}:{}", number + 1));
            }
        }
    }
    report(&problems);
}
