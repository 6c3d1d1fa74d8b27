//! `redirect` as a keyword of its own and as an action.

use tandem_parser::diagnostic::Reason;
use tandem_parser::lex::Word;
use tandem_parser::span::Span;

use super::super::expr::{Language, LfUse, Read, Site};
use super::cursor::Cursor;
use crate::ir::expr::LogFormat;
use crate::ir::rules::{HttpAction, HttpRule, Redirect, RedirectTarget};

impl Language<'_> {
    /// A `redirect` line: the words after the keyword. Its target is a plain string.
    pub fn redirect(&mut self, words: &[Word], line: Span) -> Read<HttpRule> {
        let keyword = Word::verbatim("redirect", line);
        let all: Vec<Word> = std::iter::once(keyword).chain(words.iter().cloned()).collect();
        let mut cursor = Cursor::new(self, "redirect", &all, line, Site::HttpRequest)?;
        let redirect = read(self, &mut cursor, false);
        let cond = cursor.cond_after(redirect.is_some(), self);
        Some(HttpRule { action: HttpAction::Redirect(redirect?), cond: cond?, place: self.world.place(line) })
    }
}

/// `format`: the target is a log-format string.
pub(super) fn read(language: &mut Language<'_>, cursor: &mut Cursor<'_>, format: bool) -> Read<Redirect> {
    let mut target = None;
    let mut redirect = Redirect {
        target: RedirectTarget::Location(LogFormat::default()),
        code: 302,
        drop_query: false,
        append_slash: false,
        ignore_empty: false,
        keep_query: false,
        set_cookie: None,
        own_line: !format,
    };
    while let Some(word) = cursor.take() {
        match word.text() {
            kind @ ("location" | "prefix" | "scheme") => {
                if cursor.peek().is_none() {
                    let message = format!("missing argument for '{kind}'.");
                    return language.alert(Reason::MissingArgument, word.span, message);
                }
                let value = cursor.next(language, "a target")?;
                let text = if kind == "prefix" && value.text() == "/" {
                    // The old way to write a redirection to oneself.
                    LogFormat::default()
                } else if format {
                    language.log_format(value, LfUse::Http, cursor.site)?
                } else {
                    Language::literal(value)
                };
                target = Some(match kind {
                    "location" => RedirectTarget::Location(text),
                    "prefix" => RedirectTarget::Prefix(text),
                    _ => RedirectTarget::Scheme(text),
                });
            }
            "code" => {
                let code = cursor.next(language, "a status code")?;
                match code.parse() {
                    Ok(status @ (301 | 302 | 303 | 307 | 308)) => redirect.code = status,
                    _ => {
                        let message = format!(
                            "'code': unsupported HTTP code '{code}' (must be one of 301, 302, 303, 307 or 308)."
                        );
                        return language.alert(Reason::InvalidValue, code.span, message);
                    }
                }
            }
            "drop-query" => redirect.drop_query = true,
            "keep-query" => redirect.keep_query = true,
            "append-slash" => redirect.append_slash = true,
            "ignore-empty" => redirect.ignore_empty = true,
            "set-cookie" => {
                let cookie = cursor.next(language, "a cookie")?;
                redirect.set_cookie = Some(format!("{cookie}; path=/;").into());
            }
            "clear-cookie" => {
                let cookie = cursor.next(language, "a cookie")?;
                redirect.set_cookie = Some(format!("{cookie}; path=/; Max-Age=0;").into());
            }
            other => {
                let message = format!(
                    "expects 'code', 'prefix', 'location', 'scheme', 'set-cookie', 'clear-cookie', 'drop-query', \
                     'ignore-empty' or 'append-slash' (was '{other}')."
                );
                return language.alert(Reason::UnknownKeyword, word.span, message);
            }
        }
    }
    match target {
        Some(RedirectTarget::Prefix(_) | RedirectTarget::Scheme(_)) if cursor.site == Site::HttpResponse => {
            let message = "response only supports redirect type 'location'.";
            language.alert(Reason::InvalidValue, cursor.action().span, message)
        }
        Some(target) => Some(Redirect { target, ..redirect }),
        None => {
            let message = "redirection type expected ('prefix', 'location', or 'scheme').";
            language.alert(Reason::MissingArgument, cursor.action().span, message)
        }
    }
}
