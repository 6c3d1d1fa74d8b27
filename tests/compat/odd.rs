//! Files of every dialect written to be unusual, with HAProxy's own verdicts recorded beside them.
//!
//! `compat-fixtures/haproxy/odd/verdicts.tsv` says what HAProxy 2.6 and 3.5 make of each, and which lines they find wrong. What
//! either takes is taken here; what both refuse is refused, naming one of those lines, unless a reason stands behind it.

use tandem_parser::diagnostic::Severity;
use tandem_parser::render;

use super::{load_file, root};

#[test]
fn unusual_files_get_the_recorded_verdicts_and_name_the_same_lines() {
    let folder = root().join("compat-fixtures/haproxy/odd");
    let table = std::fs::read_to_string(folder.join("verdicts.tsv")).expect("readable");
    let (mut count, mut wrong) = (0, Vec::new());
    for row in table.lines().filter(|row| !row.starts_with('#')) {
        let columns: Vec<&str> = row.split('\t').collect();
        let [file, verdicts, lines, why @ ..] = &columns[..] else { panic!("{row}") };
        count += 1;
        let loaded = load_file(&folder.join(file));
        let alerts: Vec<_> = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Alert).collect();
        let line = |span| loaded.sources.line(span).to_string();
        let same = |found: &str| lines.split(',').any(|line| line == found);
        let named = lines.is_empty() || alerts.iter().filter_map(|d| d.span).any(|span| same(&line(span)));
        let expected = verdicts.contains('+') || why.iter().any(|why| why.starts_with("taken: "));
        if alerts.is_empty() != expected || !expected && !named {
            let said: Vec<_> = alerts.iter().map(|d| render::headline(d, &loaded.sources, 0)).collect();
            wrong.push(format!("{row}\n    {}", said.join("\n    ")));
        }
    }
    assert!(count >= 40 && wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}
