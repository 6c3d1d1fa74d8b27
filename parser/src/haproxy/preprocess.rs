//! `.if`, `.elif`, `.else`, `.endif` and the messages a configuration gives itself.

use super::condition::{Facts, evaluate};
use crate::diagnostic::{Diagnostic, Head, Reason, Severity};
use crate::lex::{Variables, Word, span_of};
use crate::span::{SourceFile, Span};

/// State of one open `.if`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Branch {
    /// The lines that follow count.
    Taken,
    /// They do not, a later branch may.
    Waiting,
    /// They do not, and no later branch will.
    Done,
}

struct Open {
    branch: Branch,
    after_else: bool,
    span: Span,
}

/// Which lines count.
#[derive(Default)]
pub(super) struct Preprocessor {
    open: Vec<Open>,
    /// That `.if` nests too deep was said.
    full: bool,
}

/// How deep `.if` may nest.
const DEEPEST: usize = 1024;

impl Preprocessor {
    /// Whether lines count at this point.
    pub(super) fn active(&self) -> bool {
        self.open.iter().all(|open| open.branch == Branch::Taken)
    }

    /// Handles a line whose first word begins with a dot.
    pub(super) fn directive(
        &mut self,
        words: &[Word],
        vars: &dyn Variables,
        facts: &Facts<'_>,
        out: &mut Vec<Diagnostic>,
    ) {
        let Some((directive, rest)) = words.split_first() else { return };
        match directive.text() {
            ".if" | ".elif" => self.branch(directive, rest, vars, facts, out),
            ".else" | ".endif" => self.end(directive, rest, out),
            _ if !self.active() => {}
            ".alert" => message(Severity::Alert, directive, rest, out),
            ".warning" => message(Severity::Warning, directive, rest, out),
            ".notice" => message(Severity::Notice, directive, rest, out),
            ".diag" => {}
            _ => out.push(Diagnostic::alert(
                Reason::Conditional,
                directive.span,
                format!("unknown directive '{directive}'."),
            )),
        }
    }

    fn branch(
        &mut self,
        directive: &Word,
        rest: &[Word],
        vars: &dyn Variables,
        facts: &Facts<'_>,
        out: &mut Vec<Diagnostic>,
    ) {
        let nested = directive == ".elif";
        let span = span_of(rest, directive.span);
        let mut alert = |cause: String| {
            out.push(Diagnostic::alert(Reason::Conditional, span, cause).head(Head::Close));
        };
        if nested {
            match self.open.last_mut() {
                None => return alert("lone '.elif' with no matching '.if'.".into()),
                Some(open) if open.after_else => {
                    return alert("'.elif' after '.else' is not permitted.".into());
                }
                Some(open) if open.branch != Branch::Waiting => {
                    open.branch = Branch::Done;
                    return;
                }
                Some(_) => {}
            }
        } else {
            if self.open.len() >= DEEPEST {
                if std::mem::replace(&mut self.full, true) {
                    return;
                }
                return alert(format!("too many nested '.if', max is {DEEPEST}."));
            }
            let branch = if self.active() { Branch::Waiting } else { Branch::Done };
            self.open.push(Open { branch, after_else: false, span: directive.span });
            if branch == Branch::Done {
                return;
            }
        }
        let text = rest.iter().map(Word::text).collect::<Vec<_>>().join(" ");
        if text.trim().is_empty() {
            let message = format!("missing condition in '{directive}', so it is false.");
            out.push(Diagnostic::warning(Reason::Conditional, directive.span, message));
            return;
        }
        let truth = match evaluate(&text, vars, facts) {
            Ok(truth) => truth,
            Err((cause, at)) => {
                alert(format!("{cause} in '{directive}' at position {}:", at + 1));
                false
            }
        };
        if let Some(open) = self.open.last_mut() {
            open.branch = if truth { Branch::Taken } else { Branch::Waiting };
        }
    }

    fn end(&mut self, directive: &Word, rest: &[Word], out: &mut Vec<Diagnostic>) {
        let mut alert = |span: Span, cause: String| {
            out.push(Diagnostic::alert(Reason::Conditional, span, cause).head(Head::Close));
        };
        if let Some(extra) = rest.first() {
            alert(extra.span, format!("Unexpected argument '{extra}' for '{directive}'."));
        }
        let Some(open) = self.open.last_mut() else {
            return alert(directive.span, format!("lone '{directive}' with no matching '.if'."));
        };
        if directive == ".endif" {
            self.open.pop();
        } else if open.after_else {
            alert(directive.span, "'.else' after '.else' is not permitted.".into());
        } else {
            open.after_else = true;
            open.branch = if open.branch == Branch::Waiting { Branch::Taken } else { Branch::Done };
        }
    }

    /// At the end of a file every `.if` must be closed; the last line is at fault, and the outermost is told.
    pub(super) fn finish(&mut self, file: &SourceFile, last: Span, out: &mut Vec<Diagnostic>) {
        for open in self.open.drain(..).take(1) {
            let message = "non-terminated '.if' block.";
            // Behind all that the line itself says.
            let end = Span { start: last.end, ..last };
            let diagnostic = Diagnostic::alert(Reason::Conditional, end, message).head(Head::Close);
            let (line, _) = file.line_column(open.span.start);
            out.push(diagnostic.help(format!("close the one of line {line} with '.endif'")));
        }
    }
}

fn message(severity: Severity, directive: &Word, rest: &[Word], out: &mut Vec<Diagnostic>) {
    let text = rest.first().map(Word::text).unwrap_or_default();
    if let Some(extra) = rest.get(1) {
        let cause = format!(
            "Unexpected argument '{extra}' for '{directive}'. Use quotes if the message should contain spaces."
        );
        out.push(Diagnostic::alert(Reason::Conditional, extra.span, cause).head(Head::Close));
        return;
    }
    out.push(Diagnostic::new(severity, Reason::UserMessage, directive.span, format!("'{text}'.")));
}
