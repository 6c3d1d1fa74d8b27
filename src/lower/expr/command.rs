//! Expressions and formats that commands bring while the process runs.

use tandem_parser::diagnostic::{Diagnostic, Severity};
use tandem_parser::lex::Word;
use tandem_parser::span::{FileId, Span};

use super::reference::Nowhere;
use super::{Language, LfUse, Owner, Site};
use crate::ir::global::VarSource;

/// Reads the words of an expression, or the text of a log format.
///
/// # Errors
/// What is wrong with them.
pub fn read(words: &[String], is_format: bool) -> Result<VarSource, String> {
    let owner = Owner { frontend: true, backend: true, http: true, ..Owner::default() };
    let mut language = Language::new(&Nowhere, owner, Default::default());
    let span = Span::new(FileId::default(), 0..0);
    let source = if is_format {
        let word = Word::resolved(words.join(" ").as_bytes(), span, false);
        language.log_format(&word, LfUse::Plain, Site::Parser).map(VarSource::Format)
    } else {
        let words: Vec<Word> =
            words.iter().map(|word| Word::resolved(word.as_bytes(), span, false)).collect();
        match language.expr(&words, Site::Parser) {
            Some((_, used)) if used < words.len() => {
                return Err(format!("unexpected argument '{}'.", words[used]));
            }
            read => read.map(|(expr, _)| VarSource::Expr(expr)),
        }
    };
    let said = language.finish();
    let errors = said.iter().filter(|diagnostic| diagnostic.severity == Severity::Alert);
    let text: Vec<&str> = errors.map(|Diagnostic { message, .. }| message.as_ref()).collect();
    match source {
        Some(source) if text.is_empty() => Ok(source),
        _ => Err(text.join(" ")),
    }
}
