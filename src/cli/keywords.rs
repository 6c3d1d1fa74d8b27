//! `tandem keywords`: every keyword of `haproxy.cfg`, where it may stand, and what it does here.

use std::fmt::Write as _;
use std::process::ExitCode;

use tandem_parser::haproxy::section::{KINDS, PROXIES};
use tandem_parser::haproxy::{Effect, Keyword, Sections, keywords};

use super::print;

/// Prints the rows that contain `word`, with a count at the end.
pub(super) fn main(word: Option<&str>) -> ExitCode {
    let (text, found) = table(word.unwrap_or_default());
    print(&text);
    if found == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn table(word: &str) -> (String, usize) {
    let settings = [("bind", keywords::BIND), ("server", keywords::SERVER)];
    let settings = settings.iter().flat_map(|(line, rows)| rows.iter().map(move |row| (row, *line)));
    let lines = keywords::all().map(|row| (row, ""));
    let mut rows: Vec<_> =
        lines.chain(settings).filter(|(row, line)| row.name.contains(word) || *line == word).collect();
    rows.sort_by_key(|(row, line)| (*line, row.name));
    let mut out = String::new();
    let mut full = 0;
    for (row, line) in &rows {
        let place = if line.is_empty() { sections(row.sections) } else { format!("setting of {line}") };
        let usage = row.usage();
        let usage = if usage.is_empty() { usage } else { format!(" {usage}") };
        let _ = writeln!(out, "{}{usage}\n    {place}; {}; {}", row.name, row.doc, effect(row));
        full += usize::from(row.effect == Effect::Full);
    }
    let _ = writeln!(out, "{} keywords, {full} with their whole effect.", rows.len());
    (out, rows.len())
}

fn sections(bits: Sections) -> String {
    if bits & PROXIES == PROXIES {
        return "proxies".into();
    }
    let names = KINDS.iter().filter(|kind| kind.bit & bits != 0).map(|kind| kind.name);
    names.collect::<Vec<_>>().join(" ")
}

fn effect(row: &Keyword) -> String {
    match row.effect {
        Effect::Full => "has effect".into(),
        Effect::Inert(missed) => format!("no effect yet: {missed}"),
        Effect::Moot(why) => format!("nothing to do: {why}"),
        Effect::Refused(danger) => format!("refused: without it {danger}"),
        Effect::Renamed { to, since } => format!("read as '{to}', its name since {since}"),
        Effect::Obsolete { since, instead } => format!("gone since {since}: {instead}"),
    }
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn a_keyword_tells_place_form_and_effect() {
        let (text, found) = table("timeout client");
        assert!(found >= 2);
        assert!(text.starts_with("timeout client <time>\n    defaults frontend listen;"), "{text}");
        assert!(text.contains("has effect"));
        assert_eq!(table("no such keyword").1, 0);
    }
}
