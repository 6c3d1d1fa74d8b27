//! Two questions about one configuration: is it valid in the language, and can this build run it?
//!
//! What is wrong in the language is an alert for both. What this build knows and does not do is an alert only for who
//! wants to run it (`haproxy -c`, a start), because ignoring it could let someone in or lose data; for the language it
//! is a warning that says what would happen. The reason of a diagnostic decides, here and nowhere else.

use std::collections::HashMap;

use tandem_parser::diagnostic::{Diagnostic, Reason, Severity};

/// The same messages as a judgement of the text alone. What is refused many times is said once.
pub(super) fn language(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut said: HashMap<String, (usize, usize)> = HashMap::new();
    let mut out: Vec<Diagnostic> = Vec::with_capacity(diagnostics.len());
    for mut diagnostic in diagnostics {
        if diagnostic.reason != Reason::Refused {
            out.push(diagnostic);
            continue;
        }
        if let Some((_, times)) = said.get_mut(&diagnostic.message) {
            *times += 1;
            continue;
        }
        said.insert(diagnostic.message.clone(), (out.len(), 0));
        diagnostic.severity = Severity::Warning;
        out.push(diagnostic.help("the file is valid, but this version refuses to start with it"));
    }
    for (at, times) in said.into_values().filter(|(_, times)| *times > 0) {
        let lines = if times == 1 { "line" } else { "lines" };
        out[at].help.push(format!("the same on {times} more {lines}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use tandem_parser::Span;

    use super::*;

    #[test]
    fn what_is_not_done_is_no_error_of_the_language() {
        let refused = || Diagnostic::alert(Reason::Refused, Span::default(), "'ssl' is known");
        let wrong = Diagnostic::alert(Reason::UnknownKeyword, Span::default(), "unknown keyword");
        let judged = language(vec![refused(), wrong.clone(), refused(), refused()]);
        assert_eq!(judged.len(), 2);
        assert_eq!(judged[0].severity, Severity::Warning);
        assert_eq!(judged[0].help.last().map(String::as_str), Some("the same on 2 more lines"));
        assert_eq!(judged[1], wrong);
    }
}
