//! The words of a rule, one after the other.

use std::time::Duration;

use tandem_parser::diagnostic::{Diagnostic, Head, Reason};
use tandem_parser::lex::{Word, span_of};
use tandem_parser::span::Span;

use super::super::expr::{Language, LfUse, Read, Site};
use crate::ir::expr::{Cond, Expr, LogFormat};
use crate::ir::regex::Regex;

/// Words from the action on, and where reading stands.
pub(super) struct Cursor<'w> {
    words: &'w [Word],
    at: usize,
    /// `http-request` and the like.
    keyword: &'w str,
    /// The whole line.
    pub(super) line: Span,
    pub(super) site: Site,
}

impl<'w> Cursor<'w> {
    /// After the action's word. `None`: there is none, which has been said.
    pub(super) fn new(
        language: &mut Language<'_>,
        keyword: &'w str,
        words: &'w [Word],
        line: Span,
        site: Site,
    ) -> Read<Self> {
        if words.is_empty() {
            return language.alert(Reason::MissingArgument, line, format!("'{keyword}' expects an action."));
        }
        Some(Self { words, at: 1, keyword, line, site })
    }

    /// The action's word.
    pub(super) fn action(&self) -> &'w Word {
        &self.words[0]
    }

    /// The name before a parenthesis, and what is inside: `set-var(txn.a)`.
    pub(super) fn action_parts(&self) -> (&'w str, Option<&'w str>) {
        let text = self.words[0].text();
        match text.split_once('(') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(')').unwrap_or(rest))),
            None => (text, None),
        }
    }

    /// The next word, unless a condition starts there or the line ends.
    pub(super) fn peek(&self) -> Option<&'w Word> {
        self.words.get(self.at).filter(|w| !matches!(w.text(), "if" | "unless"))
    }

    /// Does the rule end after the next word?
    pub(super) fn is_last(&self) -> bool {
        self.words.get(self.at + 1).is_none_or(|w| matches!(w.text(), "if" | "unless"))
    }

    /// The next word, if it is `text`.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let eaten = self.peek().is_some_and(|w| w.text() == text);
        self.at += usize::from(eaten);
        eaten
    }

    /// The next word, called `what` if it is missing. A value may be spelled `if` when it has to be there.
    pub(super) fn next(&mut self, language: &mut Language<'_>, what: &str) -> Read<&'w Word> {
        match self.words.get(self.at) {
            Some(word) => {
                self.at += 1;
                Some(word)
            }
            None => {
                let message = match missing(self.action()) {
                    Some(words) => words.to_owned(),
                    None => format!("'{}' expects {what}.", self.action()),
                };
                language.say(
                    Diagnostic::alert(Reason::MissingArgument, self.action().span, message)
                        .label(format!("{what} is missing")),
                );
                None
            }
        }
    }

    /// The next word as an optional one.
    pub(super) fn take(&mut self) -> Option<&'w Word> {
        let word = self.peek()?;
        self.at += 1;
        Some(word)
    }

    pub(super) fn format(&mut self, language: &mut Language<'_>, used: LfUse) -> Read<LogFormat> {
        let word = self.next(language, "a value")?;
        language.log_format(word, used, self.site)
    }

    pub(super) fn expr(&mut self, language: &mut Language<'_>) -> Read<Expr> {
        let rest = &self.words[self.at..];
        let end = rest.iter().position(|w| matches!(w.text(), "if" | "unless")).unwrap_or(rest.len());
        if end == 0 {
            let message = missing(self.action()).unwrap_or("missing fetch method.");
            return language.alert(Reason::MissingArgument, self.action().span, message);
        }
        let (expr, used) = language.expr(&rest[..end], self.site)?;
        self.at += used;
        Some(expr)
    }

    pub(super) fn int(&mut self, language: &mut Language<'_>, what: &str) -> Read<i64> {
        let word = self.next(language, what)?;
        let text = word.text();
        let parsed = match text.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        };
        match parsed {
            Some(value) => Some(value),
            None => {
                let message = format!("'{}' expects {what}, got '{text}'.", self.action());
                language.alert(Reason::InvalidValue, word.span, message)
            }
        }
    }

    pub(super) fn regex(&mut self, language: &mut Language<'_>) -> Read<Regex> {
        let word = self.next(language, "a regular expression")?;
        match crate::expr::pattern::regex(word, false) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let pre =
                    if self.action().starts_with("replace-") { "failed to parse the regex : " } else { "" };
                let message = format!("{pre}{error}.");
                language.alert(super::super::expr::regex_reason(&error), word.span, message)
            }
        }
    }

    pub(super) fn time(&mut self, language: &mut Language<'_>) -> Read<Duration> {
        let word = self.next(language, "a time")?;
        match time(word) {
            Some(time) => Some(time),
            None => {
                let message = format!("'{}' expects a time, got '{word}'.", self.action());
                language.alert(Reason::InvalidValue, word.span, message)
            }
        }
    }

    /// The condition, and nothing after it.
    pub(super) fn cond(&self, language: &mut Language<'_>) -> Read<Option<Cond>> {
        let rest = &self.words[self.at..];
        match rest.first().filter(|word| !matches!(word.text(), "if" | "unless")) {
            Some(word) => self.left_over(language, word, span_of(rest, self.line), ""),
            None => language.cond(rest, self.site),
        }
    }

    /// Words that nothing asks for.
    pub(super) fn left_over<T>(
        &self,
        language: &mut Language<'_>,
        word: &Word,
        span: Span,
        help: &str,
    ) -> Read<T> {
        let (keyword, action, owner) = (self.keyword, self.action(), &language.owner);
        let message = if keyword.starts_with("tcp-") {
            let side = owner.side();
            let name = &owner.name;
            format!("'{keyword} {action}' only accepts 'if' or 'unless', in {side} '{name}' (got '{word}')")
        } else if keyword.starts_with("http-") {
            format!(
                "'{keyword} {action}' expects either 'if' or 'unless' followed by a condition but found '{word}'."
            )
        } else {
            let message = format!(
                "'{action}' expects 'if' or 'unless' followed by a condition, or the end of the line, got '{word}'."
            );
            return language.alert(Reason::TooManyArguments, span, message);
        };
        let head = if keyword.starts_with("http-") { Head::Close } else { Head::Parsing };
        let diagnostic = Diagnostic::alert(Reason::TooManyArguments, span, message).head(head);
        // The value of a header ends at the first blank.
        let valued =
            matches!(action.text(), "set-header" | "add-header" | "replace-header" | "replace-value");
        let help = if help.is_empty() && valued { "a value with blanks stands in quotes" } else { help };
        language.say_whole(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
        None
    }
}

/// HAProxy's own words where an action lacks something.
fn missing(action: &str) -> Option<&'static str> {
    Some(match action {
        "set-header" | "add-header" | "early-hint" | "set-timeout" => "expects exactly 2 arguments.",
        "replace-header" | "replace-value" => "expects exactly 3 arguments.",
        "del-header" => "expects at least 1 argument.",
        "replace-path" | "replace-pathq" | "replace-uri" => {
            "expects exactly 2 arguments <match-regex> and <replace-format>."
        }
        "set-method" | "set-path" | "set-pathq" | "set-query" | "set-uri" => {
            "expects exactly 1 argument <format>."
        }
        "capture" => "expects <expression> [ 'len' <length> | id <idx> ].",
        "set-log-level" => "expects exactly 1 argument (log level name or 'silent').",
        "set-nice" => "expects exactly 1 argument (integer value).",
        "set-mark" | "set-tos" => "expects exactly 1 argument (integer/hex value).",
        "cache-use" | "cache-store" => "expects a cache name.",
        "auth" => "missing realm value.",
        _ => return None,
    })
}

/// A time in milliseconds unless a unit is given.
pub(super) fn time(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let value: u64 = text[..digits].parse().ok()?;
    let micros = match &text[digits..] {
        "us" => 1,
        "" | "ms" => 1000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return None,
    };
    Some(Duration::from_micros(value.checked_mul(micros)?))
}
