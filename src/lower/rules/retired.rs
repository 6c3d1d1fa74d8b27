//! `reqadd`, `rspadd`, `reqidel` and relatives (until 2.0): what they meant, where a rule of today means the same.

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::lex::{Word, span_of};
use tandem_parser::span::Span;

use super::super::expr::{Language, Read, Site};
use crate::ir::expr::Cond;
use crate::ir::rules::{HttpAction, HttpRule, NameMatch};

impl Language<'_> {
    /// A `reqadd`, `rspadd`, `reqdel`, `reqidel`, `rspdel` or `rspidel` line: the words after the keyword. The
    /// second value: the rule stands in the response's list. Others of the family have no equal today.
    pub fn retired_rule(&mut self, keyword: &str, words: &[Word], line: Span) -> Read<(HttpRule, bool)> {
        let response = keyword.starts_with("rsp");
        let modern = if response { "http-response" } else { "http-request" };
        let Some((first, rest)) = words.split_first() else {
            return self.alert(Reason::MissingArgument, line, format!("'{keyword}' expects a value."));
        };
        let site = if response { Site::HttpResponse } else { Site::HttpRequest };
        let action = match keyword {
            "reqadd" | "rspadd" => added(first).map(|(name, value)| {
                let help = format!("write: {modern} add-header {name} \"{value}\"");
                (HttpAction::AddHeader(name.into(), Language::literal(value)), help)
            }),
            "reqdel" | "reqidel" | "rspdel" | "rspidel" => deleted(first).map(|name| {
                let help = format!("write: {modern} del-header {name}");
                (HttpAction::DelHeader(NameMatch::Exact(name.to_ascii_lowercase().into_bytes().into())), help)
            }),
            _ => None,
        };
        let Some((action, help)) = action else {
            let message = format!("the '{keyword}' keyword is not supported any more since HAProxy 2.1.");
            let d = Diagnostic::alert(Reason::Retired, line, message);
            self.say(d.help(format!("use '{modern} replace-header', 'deny', 'set-path' or another rule")));
            return None;
        };
        let message = format!("the '{keyword}' keyword is retired; it is read as the rule it stood for.");
        self.say(Diagnostic::warning(Reason::Retired, line, message).help(help));
        let cond: Option<Cond> = self.cond(rest, site)?;
        let place = self.world.place(span_of(words, line));
        Some((HttpRule { cond, action, place }, response))
    }
}

/// `Name: value`, blanks escaped by the lexer already.
fn added(word: &Word) -> Option<(&str, &str)> {
    let (name, value) = word.text().split_once(':')?;
    let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    valid.then(|| (name, value.trim()))
}

/// The header that `^Name:` (and anything after it) deletes.
fn deleted(word: &Word) -> Option<&str> {
    let (name, rest) = word.text().strip_prefix('^')?.split_once(':')?;
    let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let all = matches!(rest, "" | ".*" | "[ ].*" | " .*" | "\\ .*");
    (valid && all).then_some(name)
}
