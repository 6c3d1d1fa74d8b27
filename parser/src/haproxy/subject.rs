//! What is being read, and what is said when a word of it is wrong.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use super::grammar::{Arg, Keyword};
use super::messages::{Fault, Parts, message};
use super::tree::Section;
use crate::diagnostic::{Diagnostic, Head, Reason};
use crate::lex::{Variables, Word, span_of};
use crate::span::Span;
use crate::suggest::{alike, nearest};
use crate::value::ValueError;

/// What a size looks like.
const SIZES: &str = "a size is a number and one of the units k, m, g";

const CONDITION: &str = "requires either 'if' or 'unless' followed by a condition.";

/// What a time looks like.
const TIMES: &str = "a time is a number and one of the units us, ms, s, m, h, d";

/// What messages start with. It is put into words only where there is something to say: a large file has a setting for
/// every few bytes.
pub(super) enum Title<'a> {
    /// `maxconn`
    Keyword(&'a str),
    /// `server app/s1`
    Server { line: &'a str, proxy: &'a str, name: &'a str },
    /// `default-server`: what is wrong with it is said without a name.
    Default,
    /// `bind :80' in section 'frontend`
    Bind { addresses: &'a str, kind: &'a str },
    /// `server app/s1' : 'inter`
    Setting { line: &'a Title<'a>, name: &'a str },
}

impl Title<'_> {
    /// `server app/s1`, if it is one.
    pub(super) fn server(&self) -> Option<String> {
        match self {
            Self::Server { .. } => Some(self.to_string()),
            Self::Setting { line, .. } => line.server(),
            Self::Keyword(_) | Self::Bind { .. } | Self::Default => None,
        }
    }

    /// The first word of the line.
    pub(super) fn line(&self) -> &str {
        match self {
            Self::Keyword(name) => name,
            Self::Server { line, .. } => line,
            Self::Default => "default-server",
            Self::Bind { .. } => "bind",
            Self::Setting { line, .. } => line.line(),
        }
    }
}

impl fmt::Display for Title<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyword(name) => f.write_str(name),
            Self::Server { line, proxy, name } => write!(f, "{line} {proxy}/{name}"),
            Self::Default => f.write_str("default-server"),
            Self::Setting { line: Self::Default, name } => f.write_str(name),
            Self::Bind { addresses, kind } => write!(f, "bind {addresses}' in section '{kind}"),
            Self::Setting { line, name } => write!(f, "{line}' : '{name}"),
        }
    }
}

/// What is being read, for messages.
pub(super) struct Subject<'a> {
    /// What messages start with.
    pub name: Title<'a>,
    /// Form of the first line.
    pub head: Head,
    /// Where the line stands, when no word does.
    pub span: Span,
    /// For `$NAME` inside addresses.
    pub vars: &'a dyn Variables,
    /// Where the line stands.
    pub section: Option<&'a Section>,
    /// What is worth saying although the line is good.
    pub warnings: RefCell<Vec<Diagnostic>>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(name: Title<'a>, head: Head, span: Span, vars: &'a dyn Variables) -> Self {
        Self { name, head, span, vars, section: None, warnings: RefCell::default() }
    }

    /// The same for a line of `section`.
    pub(super) fn of(self, section: Option<&'a Section>) -> Self {
        Self { section, ..self }
    }

    /// `15min`: a character after a complete time.
    pub(super) fn trailing(&self, word: &Word, c: char) {
        let message = format!(
            "unexpected character '{c}' after the timer value '{word}', only (us=microseconds,ms=milliseconds,\
             s=seconds,m=minutes,h=hours,d=days) are supported."
        );
        let diagnostic = Diagnostic::warning(Reason::Retired, word.span, message).head(self.head);
        self.warnings.borrow_mut().push(diagnostic.help("newer versions of HAProxy refuse it"));
    }

    /// Something that HAProxy takes and that cannot be meant.
    pub(super) fn doubt(&self, reason: Reason, span: Span, cause: &str) {
        let diagnostic =
            Diagnostic::warning(reason, span, format!("'{}' {cause}", self.name)).head(self.head);
        self.warnings.borrow_mut().push(diagnostic);
    }

    pub(super) fn alert(&self, reason: Reason, span: Span, cause: &str) -> Diagnostic {
        Diagnostic::alert(reason, span, format!("'{}' {cause}", self.name)).head(self.head)
    }

    /// An alert in HAProxy's own words, if it has them for this keyword: about a word, and what stands before it in the
    /// line, or about a word that is not there.
    pub(super) fn own(
        &self,
        keyword: &Keyword,
        fault: Fault,
        reason: Reason,
        word: Option<&Word>,
        before: &str,
    ) -> Option<Diagnostic> {
        self.own_because(keyword, (fault, reason), word, before, "")
    }

    /// The same with what is wrong with the word.
    pub(super) fn own_because(
        &self,
        keyword: &Keyword,
        (fault, reason): (Fault, Reason),
        word: Option<&Word>,
        before: &str,
        cause: &str,
    ) -> Option<Diagnostic> {
        let (at, server) = (self.name.to_string(), self.name.server().unwrap_or_default());
        let section = self.section.map(|section| {
            let name = section.name.as_ref().map(Word::text).unwrap_or_default();
            format!("{} '{name}'", section.kind.name)
        });
        let line = format!("{} {before}", keyword.name);
        let parts = Parts {
            word: word.map(Word::text).unwrap_or_default(),
            at: &at,
            server: &server,
            first: self.name.line(),
            key: keyword.name,
            line: line.trim_end(),
            section: section.as_deref().unwrap_or_default(),
            before,
            cause,
        };
        let span = word.map_or(self.span, |word| word.span);
        let path = match &self.name {
            Title::Setting { line, name } => {
                let line = if is_server(line.line()) { "server" } else { line.line() };
                Cow::Owned(format!("{line}/{name}"))
            }
            _ => Cow::Borrowed(keyword.name),
        };
        let (message, spaced) = message(&path, fault, &parts)?;
        let head = if spaced { self.head } else { Head::Close };
        Some(Diagnostic::alert(reason, span, message).head(head))
    }

    /// Times of most lines of proxies are spoken of in another way than those of others.
    pub(super) fn is_timeout_of_proxy(&self, keyword: &Keyword) -> bool {
        keyword.name.starts_with("timeout ") && self.section.is_some_and(|section| section.kind.is_proxy())
    }

    /// A condition is missing; behind what is there the keyword's own words are about something else.
    pub(super) fn unconditional(&self, keyword: &Keyword, arg: &Arg, behind: bool) -> Diagnostic {
        if !behind {
            return self.missing(keyword, arg);
        }
        self.alert(Reason::MissingArgument, self.span, CONDITION)
    }

    pub(super) fn missing(&self, keyword: &Keyword, arg: &Arg) -> Diagnostic {
        if let Some(own) = self.own(keyword, Fault::Missing, Reason::MissingArgument, None, "") {
            return own.help(format!("usage: {} {}", keyword.name, keyword.usage()));
        }
        let cause = match arg {
            Arg::Int(..) => "expects an integer argument.".to_owned(),
            Arg::Time(_) if self.is_timeout_of_proxy(keyword) => {
                "expects an integer value (in milliseconds)".to_owned()
            }
            Arg::Time(_) => "expects <time> as argument.".to_owned(),
            Arg::Word("value") | Arg::Size | Arg::SizeIn(..) if keyword.name.starts_with("tune.") => {
                "expects an integer argument.".to_owned()
            }
            Arg::Choice(words) => format!("expects {}.", one_of(words)),
            Arg::MustCond => CONDITION.to_owned(),
            _ if keyword.args.len() == 1 => format!("expects {} as argument.", keyword.usage()),
            _ => format!("expects {} as arguments.", keyword.usage()),
        };
        self.alert(Reason::MissingArgument, self.span, &cause)
    }

    pub(super) fn plain(&self, reason: Reason, span: Span, message: String) -> Diagnostic {
        Diagnostic::alert(reason, span, message).head(self.head)
    }

    pub(super) fn invalid(
        &self,
        keyword: &Keyword,
        arg: &Arg,
        word: &Word,
        before: &str,
        error: &ValueError,
    ) -> Diagnostic {
        let reason = match error {
            ValueError::Overflow => Reason::OutOfRange,
            _ => Reason::InvalidValue,
        };
        if matches!(arg, Arg::Addr | Arg::AddrBefore(_) | Arg::Addrs) {
            let cause = match keyword.name {
                "server" | "server-template" => unresolved(error),
                _ => error.cause(),
            };
            let own = self.own_because(keyword, (Fault::Address, reason), Some(word), before, &cause);
            let own = own.map(|own| own.label(error.cause()));
            if keyword.name == "bind" && word.chars().all(|c| c.is_ascii_digit()) {
                let all = format!(":{word}");
                let diagnostic = own.unwrap_or_else(|| self.alert(reason, word.span, &format!(": {cause}")));
                return diagnostic.help(format!("write '{all}' for every address")).edit(word.span, all);
            }
            if let Some(own) = own {
                return own;
            }
        }
        let fault = match (arg, error) {
            (Arg::Int(..), ValueError::Overflow) => Some(Fault::Range),
            (Arg::Int(..), _) => Some(Fault::Wrong),
            (Arg::Time(_), ValueError::Overflow) => Some(Fault::Overflow),
            (Arg::Time(_) | Arg::Size | Arg::SizeIn(..), ValueError::Unexpected(_)) => Some(Fault::Character),
            _ => None,
        };
        if let Some(own) = fault.and_then(|fault| self.own(keyword, fault, reason, Some(word), "")) {
            return match arg {
                Arg::Time(_) => own.label(error.cause()).help(TIMES),
                _ => own.label(error.cause()),
            };
        }
        // Settings and the lines of proxies have words of their own.
        let plain = !self.is_timeout_of_proxy(keyword) && matches!(self.name, Title::Keyword(_));
        let diagnostic = match (arg, error) {
            (Arg::Time(_), ValueError::Overflow) if plain => {
                let name = keyword.name;
                let message = format!(
                    "timer overflow in argument <{word}> to <{name}>, maximum value is 2147483647 ms (~24.8 days)."
                );
                self.plain(reason, word.span, message).head(Head::Close)
            }
            (Arg::Time(_), ValueError::Unexpected(c)) if plain => {
                let message = format!("unexpected character '{c}' in argument to <{}>.", keyword.name);
                self.plain(reason, word.span, message)
                    .head(Head::Close)
                    .help(TIMES)
            }
            (Arg::Time(_), ValueError::Overflow) => self.plain(
                reason,
                word.span,
                format!(
                    "timer overflow in argument '{word}' to '{}' (maximum value is 2147483647 ms or ~24.8 days)",
                    self.name
                ),
            ),
            (Arg::Time(_), ValueError::Unexpected(c)) => self
                .plain(reason, word.span, format!("unexpected character '{c}' in '{}'", self.name))
                .help(TIMES),
            (Arg::Size | Arg::SizeIn(..), ValueError::Unexpected(c)) if is_tuned(keyword) => {
                let rest = word.find(*c).map_or("", |at| &word[at..]);
                let message = format!("unexpected '{rest}' after size passed to '{}'", keyword.name);
                self.plain(reason, word.span, message).help(SIZES)
            }
            (Arg::Size | Arg::SizeIn(..), ValueError::Unexpected(c)) => self
                .alert(reason, word.span, &format!(": unexpected character '{c}' in '{word}'."))
                .help(SIZES),
            (Arg::Int(..), _) => {
                self.alert(reason, word.span, &format!("expects an integer argument (got '{word}')."))
            }
            (_, error) => self.alert(reason, word.span, &format!(": {}", error.cause())),
        };
        diagnostic.label(error.cause())
    }

    pub(super) fn unknown_setting(&self, keyword: &Keyword, word: &Word, table: &[Keyword]) -> Diagnostic {
        let reason = Reason::UnknownKeyword;
        let setting = Title::Setting { line: &self.name, name: word };
        let setting = Subject::new(setting, self.head, word.span, self.vars);
        if let Some(alone) = setting.own(keyword, Fault::Alone, reason, Some(word), "") {
            return alone;
        }
        let mut guess = Guess::of(word, table.iter().map(|row| row.name));
        let assigned = word.split_once('=').filter(|(name, _)| table.iter().any(|row| row.name == *name));
        if assigned.is_some() {
            guess.near = None;
        }
        let own = self.own(keyword, Fault::Wrong, reason, Some(word), "");
        if let Some(own) = own {
            return Guess { said: None, ..guess }.attach(own, word.span);
        }
        let cause = guess.cause();
        let dot = if cause.is_empty() { "." } else { "" };
        let message = match (keyword.name, &self.name) {
            ("bind", _) => format!("'{}': unknown keyword '{word}'{cause}{dot}", self.name),
            ("stats socket", _) => match guess.said {
                Some(said) => {
                    format!("'stats socket' : unknown keyword '{word}'. Did you mean '{said}' maybe ?")
                }
                None => format!("'stats socket' : unknown keyword '{word}'."),
            },
            (_, Title::Default) => {
                format!("unknown keyword '{word}'{cause}{dot} Hint: no address was expected for this server.")
            }
            _ => format!("'{}' : unknown keyword '{word}'{cause}{dot}", self.name),
        };
        let diagnostic = guess.attach(self.plain(reason, word.span, message), word.span);
        match assigned {
            Some((name, value)) => {
                let apart = format!("{name} {value}");
                diagnostic.help(format!("write '{apart}'")).edit(word.span, apart)
            }
            None if is_server(self.name.line()) && word.chars().all(|c| c.is_ascii_digit()) => {
                diagnostic.help(format!("a port stands behind its address: ':{word}'"))
            }
            None => diagnostic,
        }
    }

    /// Words where nothing may follow.
    pub(super) fn extra(&self, keyword: &Keyword, before: &[Word], rest: &[Word], word: &Word) -> Diagnostic {
        let reason = Reason::TooManyArguments;
        let span = span_of(rest, word.span);
        let said = before.iter().map(Word::text).collect::<Vec<_>>().join(" ");
        // Behind the address of a log stands the facility.
        let fault = if keyword.name == "log" && before.len() < 2 { Fault::Wrong } else { Fault::Extra };
        let own = self.own(keyword, fault, reason, Some(word), &said);
        let diagnostic = own.unwrap_or_else(|| {
            let cause = match before.last() {
                Some(value) if self.is_timeout_of_proxy(keyword) => {
                    format!(": unexpected extra argument '{word}' after value '{value}'.")
                }
                _ => format!("cannot handle unexpected argument '{word}'."),
            };
            self.alert(reason, span, &cause)
        });
        let candidates: Vec<&str> = match keyword.args.last() {
            Some(Arg::Cond) => vec!["if", "unless"],
            Some(Arg::Maybe(Arg::Choice(_))) => {
                keyword.args.iter().filter_map(Arg::choices).flatten().copied().collect()
            }
            _ => Vec::new(),
        };
        if let Some(near) = nearest(word, candidates) {
            return diagnostic.help(format!("did you mean '{near}'?")).edit(word.span, near);
        }
        if let (Some(value), Some(Arg::Time(_)), "us" | "ms" | "s" | "m" | "h" | "d") =
            (before.last(), keyword.args.last(), word.text())
        {
            let (whole, span) = (format!("{value}{word}"), Span { end: word.span.end, ..value.span });
            return diagnostic
                .help(format!("write '{whole}': a unit belongs to its number"))
                .edit(span, whole);
        }
        if keyword.name == "default_backend" && matches!(word.text(), "if" | "unless") {
            return diagnostic.help("'use_backend' takes a condition; the default is for all others");
        }
        match keyword.usage() {
            usage if usage.is_empty() => diagnostic,
            usage => diagnostic.help(format!("usage: {} {usage}", keyword.name)),
        }
    }
}

/// Does the line describe servers?
fn is_server(line: &str) -> bool {
    matches!(line, "server" | "server-template" | "default-server")
}

/// What is wrong with the address of a server: what is none is taken for a name.
fn unresolved(error: &ValueError) -> String {
    let cause = error.cause();
    match cause.strip_prefix("invalid address: ").and_then(|rest| rest.split_once(" in ")) {
        Some((host, _)) if host != "''" => format!("could not resolve address {host}."),
        _ => cause,
    }
}

/// Is it a size of HAProxy's own mechanisms?
fn is_tuned(keyword: &Keyword) -> bool {
    keyword.name.starts_with("tune.")
}

/// What may have been meant by a word that is none.
pub(super) struct Guess<'a> {
    /// What HAProxy's own line says.
    pub said: Option<&'a str>,
    /// The nearest word.
    pub near: Option<&'a str>,
}

impl<'a> Guess<'a> {
    pub(super) fn of(word: &str, candidates: impl IntoIterator<Item = &'a str, IntoIter: Clone>) -> Self {
        let candidates = candidates.into_iter();
        Self { said: alike(word, candidates.clone()), near: nearest(word, candidates) }
    }

    /// `; did you mean 'X' maybe ?` or nothing: the end of HAProxy's line.
    pub(super) fn cause(&self) -> String {
        self.said.map_or_else(String::new, |said| format!("; did you mean '{said}' maybe ?"))
    }

    /// Adds the nearest word where the message does not name it, and the edit.
    pub(super) fn attach(&self, diagnostic: Diagnostic, span: Span) -> Diagnostic {
        match self.near {
            None => diagnostic,
            Some(near) if self.said == Some(near) => diagnostic.edit(span, near),
            Some(near) => diagnostic.help(format!("did you mean '{near}'?")).edit(span, near),
        }
    }
}

/// `'a', 'b' or 'c'`
pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => format!("'{only}'"),
        [first @ .., last] => {
            let first = first.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>();
            format!("{} or '{last}'", first.join(", "))
        }
    }
}
