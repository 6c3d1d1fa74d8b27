//! Messages as text: keepalived's line, then the place and what to do.

use std::fmt::Write as _;

use tandem_parser::{Diagnostic, Severity, Sources};

/// Characters of a source line that are shown.
const WIDEST: usize = 1_000;

/// One message. The first line is what keepalived prints; the excerpt follows indented.
#[must_use]
pub fn render(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let mut text = diagnostic.message.clone();
    text.push('\n');
    if let Some(span) = diagnostic.span
        && let Some((_, file)) = sources.iter().find(|(id, _)| *id == span.file)
    {
        let (line, column) = file.line_column(span.start);
        let (start, bytes) = file.line_text(line);
        let shown = String::from_utf8_lossy(bytes).replace('\t', " ");
        // A line of megabytes is not repeated.
        let shown: String = shown.trim_end().chars().take(WIDEST).collect();
        let until = (span.end.saturating_sub(start) as usize).min(bytes.len());
        let from = (column as usize).saturating_sub(1).min(until);
        let (from, until) = (from.min(WIDEST), until.min(from.min(WIDEST) + WIDEST));
        let lead = bytes[..from].iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        let width = bytes[from..until].iter().filter(|byte| **byte & 0xc0 != 0x80).count().max(1);
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        let _ = writeln!(text, "  {gutter} |");
        let _ = writeln!(text, "  {number} | {shown}");
        let label = diagnostic.label.as_deref().unwrap_or("");
        let carets = format!("{}{} {label}", " ".repeat(lead), "^".repeat(width));
        let _ = writeln!(text, "  {gutter} | {}", carets.trim_end());
    }
    for help in &diagnostic.help {
        let word = if diagnostic.severity == Severity::Notice { "note" } else { "help" };
        let _ = writeln!(text, "  = {word}: {help}");
    }
    text
}
