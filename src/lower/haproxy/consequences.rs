//! Errors that only follow from others.
//!
//! A section or a server whose own line could not be read is missing everywhere its name stands. That is no second
//! fault, and HAProxy, which looks for names when all lines are good, never says it.

use std::collections::HashSet;

use tandem_parser::diagnostic::{Diagnostic, Reason, Severity};
use tandem_parser::span::{Sources, Span};

/// Drops alerts about names that stand on lines which are alerted about themselves.
pub(super) fn drop_from(diagnostics: &mut Vec<Diagnostic>, sources: &Sources) {
    let alerts = diagnostics.iter().filter(|said| said.severity == Severity::Alert);
    let (mut missing, mut lines) = (false, HashSet::new());
    for alert in alerts {
        match (alert.reason, alert.span) {
            (Reason::UnknownReference, _) => missing = true,
            (Reason::Refused, _) | (_, None) => {}
            (_, Some(span)) => {
                lines.insert((span.file, sources.line(span)));
            }
        }
    }
    if !missing || lines.is_empty() {
        return;
    }
    let mut words: HashSet<&[u8]> = HashSet::new();
    for (file, line) in lines {
        let (_, text) = sources.file(file).line_text(line);
        words.extend(text.split(|b| is_delimiter(*b)).filter(|word| !word.is_empty()));
    }
    let follows = |span: Span| {
        let written = sources.file(span.file).text.get(span.start as usize..span.end as usize);
        written.is_some_and(|name| name.split(|b| *b == b'/').any(|part| words.contains(part)))
    };
    diagnostics.retain(|said| {
        said.severity != Severity::Alert
            || said.reason != Reason::UnknownReference
            || !said.span.is_some_and(follows)
    });
}

fn is_delimiter(b: u8) -> bool {
    b.is_ascii_whitespace() || matches!(b, b'"' | b'\'')
}

#[cfg(test)]
mod tests {
    use crate::lower::{Source, System, load};

    fn lines(text: &str) -> Vec<u32> {
        let loaded = load(vec![Source { name: "a".into(), text: text.into() }], &System { offline: true });
        let alerts = loaded.diagnostics.iter().filter(|d| d.severity == super::Severity::Alert);
        alerts.filter_map(|d| Some(loaded.sources.line(d.span?))).collect()
    }

    #[test]
    fn what_follows_from_a_line_that_is_wrong_is_not_said() {
        let text = "frontend f\n bind 127.0.0.1:1\n use_backend b\n use_backend c\nbackendx b\n";
        assert_eq!(lines(text), [4, 5]);
        let text = "backend b\n use-server s if TRUE\n use-server t if TRUE\n server s 127.0.0.1:1 foo\n";
        assert_eq!(lines(text), [3, 4]);
        assert_eq!(lines("frontend f\n bind 127.0.0.1:1\n use_backend b\n"), [3]);
    }
}
