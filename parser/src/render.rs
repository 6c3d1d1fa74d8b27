//! Diagnostics as text: the first line as HAProxy writes it, then the source line, a caret, and what to do.

use std::fmt::Write;

use crate::diagnostic::{Diagnostic, Head, Severity};
use crate::span::{Sources, Span};

/// Columns a source line may take before it is cut.
const WIDEST: usize = 160;

/// The first line (and the message's own further lines), as HAProxy writes it.
#[must_use]
pub fn headline(diagnostic: &Diagnostic, sources: &Sources, pid: u32) -> String {
    let label = match diagnostic.severity {
        Severity::Alert => "[ALERT]   ",
        Severity::Warning => "[WARNING] ",
        Severity::Notice => "[NOTICE]  ",
    };
    let place = diagnostic.span.map(|span| format!("[{}:{}]", sources.name(span.file), sources.line(span)));
    let message = &diagnostic.message;
    match (diagnostic.head, place) {
        (Head::Parsing, Some(place)) => format!("{label} ({pid}) : config : parsing {place} : {message}"),
        (Head::Close, Some(place)) => format!("{label} ({pid}) : config : parsing {place}: {message}"),
        (Head::Format, Some(place)) => format!("{label} ({pid}) : config : Parsing {place}: {message}"),
        (Head::At, Some(place)) => format!("{label} ({pid}) : config : {place} : {message}"),
        _ => format!("{label} ({pid}) : config : {message}"),
    }
}

/// Everything about one diagnostic, ending in a newline.
#[must_use]
pub fn render(diagnostic: &Diagnostic, sources: &Sources, pid: u32) -> String {
    let mut out = headline(diagnostic, sources, pid);
    out.push('\n');
    if let Some(span) = diagnostic.span {
        excerpt(&mut out, diagnostic, sources, span);
    }
    for help in &diagnostic.help {
        let _ = writeln!(out, "        = {help}");
    }
    out
}

/// The line with a caret under the span.
fn excerpt(out: &mut String, diagnostic: &Diagnostic, sources: &Sources, span: Span) {
    let (number, column) = sources.line_column(span);
    let (_, bytes) = sources.file(span.file).line_text(number);
    let line = String::from_utf8_lossy(bytes);
    if line.trim().is_empty() {
        return;
    }
    let before = String::from_utf8_lossy(&bytes[..(column as usize - 1).min(bytes.len())]).into_owned();
    let under = (span.end - span.start) as usize;
    let from = (column as usize - 1).min(bytes.len());
    let marked = String::from_utf8_lossy(&bytes[from..(from + under).min(bytes.len())]).into_owned();
    let indent = line.len() - line.trim_start().len();
    let shown: String = plain(line.trim()).chars().take(WIDEST).collect();
    let offset = plain(before.get(indent..).unwrap_or_default()).chars().count();
    let _ = writeln!(out, "  {number:>5} | {shown}");
    if offset < WIDEST {
        let carets = "^".repeat(plain(&marked).chars().count().clamp(1, WIDEST - offset));
        let label = diagnostic.label.as_ref().map(|label| format!(" {label}")).unwrap_or_default();
        let _ = writeln!(out, "        | {}{carets}{label}", " ".repeat(offset));
    }
}

/// Tabs as one space and control characters as `.`, so that columns are columns.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '.',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Reason;
    use crate::lex::Word;

    #[test]
    fn a_diagnostic_shows_line_caret_cause_and_fix() {
        let mut sources = Sources::new();
        let file = sources.add("t.cfg", "frontend a\n\tbnd  :3\n");
        let word = Word::verbatim("bnd", Span { file, start: 12, end: 15 });
        let mut diagnostic = Diagnostic::alert(Reason::UnknownKeyword, word.span, "unknown keyword 'bnd'")
            .label("not known")
            .help("did you mean 'bind'?");
        let expected = "[ALERT]    (7) : config : parsing [t.cfg:2] : unknown keyword 'bnd'\n      \
                        2 | bnd  :3\n        | ^^^ not known\n        = did you mean 'bind'?\n";
        assert_eq!(render(&diagnostic, &sources, 7), expected);
        diagnostic.head = Head::At;
        diagnostic.severity = Severity::Warning;
        assert_eq!(
            headline(&diagnostic, &sources, 7),
            "[WARNING]  (7) : config : [t.cfg:2] : unknown keyword 'bnd'"
        );
        diagnostic.span = None;
        diagnostic.severity = Severity::Notice;
        assert_eq!(
            render(&diagnostic, &sources, 7).lines().next(),
            Some("[NOTICE]   (7) : config : unknown keyword 'bnd'")
        );
    }
}
