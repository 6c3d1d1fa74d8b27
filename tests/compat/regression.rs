//! The configurations inside HAProxy's own regression tests (`*.vtc`), where these are at hand: none of their text is here.
//!
//! They are looked for in `TANDEM_REG_TESTS` and in `../shared/reg-tests`. A configuration that its test expects to be
//! refused must be refused; all others must be accepted, or be valid and lack only what this build says it has not.

use std::path::{Path, PathBuf};

use tandem::lower::{Source, load};
use tandem_parser::diagnostic::{Reason, Severity};
use tandem_parser::render;

use super::{Nowhere, files, root};

/// Configurations that are judged otherwise, by test and number, and why.
const EXCEPTIONS: &[(&str, &str)] =
    &[("ssl/crt_store.vtc 2", "that a certificate was used before its store was read shows only with TLS")];

/// One configuration of a test.
struct Case {
    name: String,
    text: String,
    /// The test wants it refused.
    bad: bool,
}

/// The text between braces from `at` on, and where it ends. Braces nest; quotes mean nothing to the language of tests.
fn braced(text: &str, at: usize) -> Option<(&str, usize)> {
    let start = at + text[at..].find('{')? + 1;
    if !text[at..start - 1].trim().is_empty() {
        return None;
    }
    let mut depth = 1;
    for (offset, byte) in text.bytes().enumerate().skip(start) {
        depth = match byte {
            b'{' => depth + 1,
            b'}' => depth - 1,
            _ => depth,
        };
        if depth == 0 {
            return Some((&text[start..offset], offset + 1));
        }
    }
    None
}

/// What the test program puts into a configuration.
fn filled_in(text: &str, folder: &Path) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let Some(len) = rest[at..].find('}') else { break };
        let name = &rest[at + 2..at + len];
        out.push_str(&rest[..at]);
        let folder = folder.to_string_lossy();
        let value = match name {
            "tmpdir" => "/tmp",
            "testdir" => &folder,
            name if name.ends_with("_addr") => "127.0.0.1",
            name if name.ends_with("_port") => "8080",
            name if name.ends_with("_sock") => "127.0.0.1:8080",
            // `fd@${...}`: a descriptor.
            _ if out.ends_with("fd@") => "5",
            _ => &rest[at..=at + len],
        };
        out.push_str(value);
        rest = &rest[at + len + 1..];
    }
    out + rest
}

fn cases(path: &Path, base: &Path) -> Vec<Case> {
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let folder = path.parent().unwrap();
    let mut cases = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("-conf") {
        let start = at + found;
        let end = start + text[start..].find(|c: char| c.is_whitespace()).unwrap_or(text.len() - start);
        at = end;
        let line = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        // Comments, and other programs' `-conf`.
        let before = text[line..start].trim_start();
        let continued = text[..line].trim_end().ends_with('\\');
        if !(before.starts_with("haproxy ") || continued) || before.starts_with('#') {
            continue;
        }
        let mut bad = text[start..end].ends_with("BAD");
        let Some((mut body, mut after)) = braced(&text, end) else { continue };
        if bad {
            // The first braces hold what is to be said, the second the configuration.
            let Some(second) = braced(&text, after) else { continue };
            (body, after) = second;
        }
        at = after;
        let command = text[after..].lines().next().unwrap_or_default();
        bad |= command.contains("-expectexit 1");
        let test = path.strip_prefix(base).unwrap().display();
        let body = body.trim_end_matches(' ');
        let newline = if body.ends_with('\n') { "" } else { "\n" };
        let text = filled_in(&format!("{body}{newline}"), folder);
        cases.push(Case { name: format!("{test} {}", cases.len() + 1), text, bad });
    }
    cases
}

#[test]
fn configurations_of_the_references_own_tests_are_judged_as_they_expect() {
    let named = std::env::var_os("TANDEM_REG_TESTS").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root().join("../shared/reg-tests"));
    let paths = files(&folder, "vtc");
    if paths.is_empty() {
        println!("skipped: no regression tests in {}", folder.display());
        return;
    }
    let (mut judged, mut lacking, mut wrong) = (0, 0, Vec::new());
    for path in &paths {
        for case in cases(path, &folder) {
            if EXCEPTIONS.iter().any(|(name, why)| *name == case.name && !why.is_empty()) {
                continue;
            }
            judged += 1;
            let source = Source { name: "vtc.cfg".into(), text: case.text.into_bytes() };
            let loaded = load(vec![source], &Nowhere { folder: path.parent().unwrap().to_path_buf() });
            let alerts: Vec<_> =
                loaded.diagnostics.iter().filter(|d| d.severity == Severity::Alert).collect();
            let refused = alerts.iter().any(|alert| alert.reason != Reason::Refused);
            lacking += usize::from(!refused && loaded.config.is_none());
            if refused != case.bad {
                let said: Vec<_> = alerts.iter().map(|d| render::headline(d, &loaded.sources, 0)).collect();
                let verdict = if refused { "is refused" } else { "is accepted" };
                wrong.push(format!("{} {verdict}: {}", case.name, said.join("\n    ")));
            }
        }
    }
    println!(
        "{judged} configurations of {} tests, {lacking} of them valid but beyond this build",
        paths.len()
    );
    assert!(wrong.is_empty(), "{} of {judged}:\n{}", wrong.len(), wrong.join("\n"));
}
