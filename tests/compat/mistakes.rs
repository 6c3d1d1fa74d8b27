//! What people get wrong, and the first line that HAProxy answers with: ours is the same.
//!
//! `compat-fixtures/haproxy/mistakes.txt` holds a line of a configuration each, as `lines.txt` does, and below it the first
//! alert of the real program, 2.6 or, after `3.5`, that; none: it takes the line. A line that begins with `=` is what is said
//! here where it is something else on purpose, or `= -` where nothing is; the comment above says why. With
//! `TANDEM_DIFFERENTIAL` the installed program is asked again.

use std::path::Path;

use tandem::lower::{Source, System, load};
use tandem_parser::diagnostic::Severity;
use tandem_parser::render;

use super::differential::{reference, theirs};
use super::lines::file;
use super::root;

/// The file's name in what is recorded.
const NAME: &str = "FILE";

/// The first alert here.
fn ours(text: &str) -> Option<String> {
    let source = Source { name: NAME.into(), text: text.into() };
    let loaded = load(vec![source], &System { offline: false });
    let first = loaded.diagnostics.iter().find(|d| d.severity == Severity::Alert)?;
    Some(bare(&render::headline(first, &loaded.sources, 0)))
}

/// A line without what differs from one run to the next, and without `config`, which 3.5 says less often.
fn bare(line: &str) -> String {
    let line = line.lines().next().unwrap_or_default();
    let line = line.split_once(") : ").map_or(line, |(_, rest)| rest);
    line.strip_prefix("config : ").unwrap_or(line).trim_end().to_owned()
}

/// One mistake.
struct Row<'t> {
    line: &'t str,
    recorded: Vec<&'t str>,
    otherwise: Option<&'t str>,
    why: &'t str,
}

fn rows(table: &str) -> Vec<Row<'_>> {
    let (mut rows, mut why) = (Vec::new(), "");
    for line in table.lines().filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix('#') {
            why = comment.trim();
        } else if let Some(said) = line.strip_prefix("  ") {
            let row: &mut Row<'_> = rows.last_mut().expect("a mistake before what is said of it");
            match said.strip_prefix("= ") {
                Some(own) => row.otherwise = Some(own),
                None => row.recorded.push(said),
            }
        } else {
            rows.push(Row { line, recorded: Vec::new(), otherwise: None, why: std::mem::take(&mut why) });
        }
    }
    rows
}

#[test]
fn first_lines_about_common_mistakes_are_haproxys() {
    let table = std::fs::read_to_string(root().join("compat-fixtures/haproxy/mistakes.txt")).unwrap();
    let again = std::env::var_os("TANDEM_DIFFERENTIAL").is_some();
    let program = if again { reference() } else { None };
    let folder = tempfile::tempdir().unwrap();
    let (rows, mut wrong, mut otherwise) = (rows(&table), Vec::new(), 0);
    for row in &rows {
        let (part, line) = row.line.split_once("| ").unwrap();
        let (text, _) = file(part, line);
        let said = ours(&text);
        let said = said.as_deref();
        let good = match row.otherwise {
            Some(own) => {
                otherwise += 1;
                assert!(!row.why.is_empty(), "no reason for: {}", row.line);
                said.unwrap_or("-") == own
            }
            None if row.recorded.is_empty() => said.is_none(),
            None => row.recorded.iter().any(|line| said == Some(line.strip_prefix("3.5 ").unwrap_or(line))),
        };
        if !good {
            wrong.push(format!("{}\n    recorded {:?}\n    said     {said:?}", row.line, row.recorded));
        }
        let newer = row.recorded.iter().any(|line| line.starts_with("3.5 "));
        if let Some(program) = program.as_ref().filter(|_| !newer) {
            let (_, alerts) = theirs(program, Path::new(folder.path()), &text);
            let first = alerts.lines().next().map(bare);
            let first = first.map(|line| line.replace(&named(&line), NAME));
            if first.as_deref() != row.recorded.first().copied() {
                wrong.push(format!("{}\n    the real program says {first:?}", row.line));
            }
        }
    }
    println!("{} mistakes, {otherwise} of them answered otherwise on purpose", rows.len());
    assert!(rows.len() > 200 && wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// The path of the file in a message of the real program.
fn named(line: &str) -> String {
    let at = line.find(".cfg").map_or(0, |at| at + ".cfg".len());
    let start = line[..at].rfind(['[', ' ']).map_or(0, |start| start + 1);
    if at == 0 { "\0".into() } else { line[start..at].to_owned() }
}
