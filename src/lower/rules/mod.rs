//! Rule lines: `http-request`, `http-response`, `http-after-response`, `tcp-request`, `tcp-response`,
//! `redirect`. They are read by the [`Language`] of their proxy.

mod cursor;
mod forwarded;
mod http;
mod later;
mod names;
mod redirect;
mod reply;
mod shared;
mod tcp;

use tandem_parser::diagnostic::{Diagnostic, Head, Reason};
use tandem_parser::suggest;

use super::expr::{Language, Read};
use cursor::Cursor;

pub use names::{ActionRow, actions};

/// Which list a rule stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleSet {
    /// `http-request`.
    HttpRequest,
    /// `http-response`.
    HttpResponse,
    /// `http-after-response`.
    HttpAfterResponse,
    /// `tcp-request connection`.
    TcpConnection,
    /// `tcp-request session`.
    TcpSession,
    /// `tcp-request content`.
    TcpContent,
    /// `tcp-response content`.
    TcpResponse,
}

impl RuleSet {
    /// The keyword.
    #[must_use]
    pub fn keyword(self) -> &'static str {
        match self {
            RuleSet::HttpRequest => "http-request",
            RuleSet::HttpResponse => "http-response",
            RuleSet::HttpAfterResponse => "http-after-response",
            RuleSet::TcpConnection => "tcp-request connection",
            RuleSet::TcpSession => "tcp-request session",
            RuleSet::TcpContent => "tcp-request content",
            RuleSet::TcpResponse => "tcp-response content",
        }
    }
}

/// An action that no row is made for: known and missing, or unknown.
fn no_such_action<T>(language: &mut Language<'_>, cursor: &mut Cursor<'_>, set: RuleSet) -> Read<T> {
    let word = cursor.action();
    let name = word.split('(').next().unwrap_or_default();
    let missing = names::missing(name, set).filter(|_| !name.starts_with("lua.") || language.world.lua());
    if missing.is_some() {
        later::arguments(language, cursor)?;
    }
    match missing {
        Some(names::Missing::Idle(why)) => {
            let message = format!("'{} {name}' has no effect : {why}.", set.keyword());
            language.say(Diagnostic::warning(Reason::NoEffect, word.span, message));
        }
        Some(names::Missing::Unsafe(why)) => {
            let message = format!("'{} {name}' cannot be used : {why}.", set.keyword());
            language.say(Diagnostic::alert(Reason::Refused, word.span, message));
        }
        None => {
            let known: Vec<&str> =
                actions().filter(|row| row.sets.contains(&set)).map(|row| row.name).collect();
            let d = Diagnostic::alert(
                Reason::UnknownKeyword,
                word.span,
                format!("'{}' expects an action, but got '{word}'.", set.keyword()),
            );
            let d = match suggest::nearest(name, known.iter().copied()) {
                Some(near) => d.help(format!("did you mean '{near}'?")),
                None => d.help(format!("there are: {}", known.join(", "))),
            };
            let http = set.keyword().starts_with("http-");
            language.say_whole(d.head(if http { Head::Close } else { Head::Parsing }));
        }
    }
    None
}

#[cfg(test)]
mod tests;
