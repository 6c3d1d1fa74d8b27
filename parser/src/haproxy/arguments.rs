//! Words of a line into typed values, as a keyword's grammar says.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use super::grammar::{Arg, Keyword};
use super::lenient;
use super::messages::{Fault, Parts, message};
use super::tree::{Condition, Modifier, Section, Statement, Value};
use crate::diagnostic::{Diagnostic, Head, Reason};
use crate::lex::{Variables, Word, span_of};
use crate::span::Span;
use crate::suggest::nearest;
use crate::value::{self, ValueError};

/// What a time looks like.
const TIMES: &str = "a time is a number and one of the units us, ms, s, m, h, d";

/// What messages start with. It is put into words only where there is something to say: a large file has a setting for
/// every few bytes.
pub(super) enum Title<'a> {
    /// `maxconn`
    Keyword(&'a str),
    /// `server app/s1`
    Server { proxy: &'a str, name: &'a str },
    /// `bind :80' in section 'frontend`
    Bind { addresses: &'a str, kind: &'a str },
    /// `server app/s1' : 'inter`
    Setting { line: &'a Title<'a>, name: &'a str },
}

impl Title<'_> {
    /// `server app/s1`, if it is one.
    fn server(&self) -> Option<String> {
        match self {
            Self::Server { .. } => Some(self.to_string()),
            Self::Setting { line, .. } => line.server(),
            Self::Keyword(_) | Self::Bind { .. } => None,
        }
    }

    /// The first word of the line.
    pub(super) fn line(&self) -> &str {
        match self {
            Self::Keyword(name) => name,
            Self::Server { .. } => "server",
            Self::Bind { .. } => "bind",
            Self::Setting { line, .. } => line.line(),
        }
    }
}

impl fmt::Display for Title<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyword(name) => f.write_str(name),
            Self::Server { proxy, name } => write!(f, "server {proxy}/{name}"),
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
    fn trailing(&self, word: &Word, c: char) {
        let message = format!(
            "unexpected character '{c}' after the timer value '{word}', only (us=microseconds,ms=milliseconds,\
             s=seconds,m=minutes,h=hours,d=days) are supported."
        );
        let diagnostic = Diagnostic::warning(Reason::Retired, word.span, message).head(self.head);
        self.warnings.borrow_mut().push(diagnostic.help("newer versions of HAProxy refuse it"));
    }

    /// Something that HAProxy takes and that cannot be meant.
    fn doubt(&self, reason: Reason, span: Span, cause: &str) {
        let diagnostic =
            Diagnostic::warning(reason, span, format!("'{}' {cause}", self.name)).head(self.head);
        self.warnings.borrow_mut().push(diagnostic);
    }

    fn alert(&self, reason: Reason, span: Span, cause: &str) -> Diagnostic {
        Diagnostic::alert(reason, span, format!("'{}' {cause}", self.name)).head(self.head)
    }

    /// An alert in HAProxy's own words, if it has them for this keyword: about a word, and what stands before it in the
    /// line, or about a word that is not there.
    fn own(
        &self,
        keyword: &Keyword,
        fault: Fault,
        reason: Reason,
        word: Option<&Word>,
        before: &str,
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
            key: keyword.name,
            line: line.trim_end(),
            section: section.as_deref().unwrap_or_default(),
        };
        let span = word.map_or(self.span, |word| word.span);
        let path = match &self.name {
            Title::Setting { line, name } => {
                let line = if line.line() == "default-server" { "server" } else { line.line() };
                Cow::Owned(format!("{line}/{name}"))
            }
            _ => Cow::Borrowed(keyword.name),
        };
        let (message, spaced) = message(&path, fault, &parts)?;
        let head = if spaced { self.head } else { Head::Close };
        Some(Diagnostic::alert(reason, span, message).head(head))
    }

    /// Times of most lines of proxies are spoken of in another way than those of others.
    fn is_timeout_of_proxy(&self, keyword: &Keyword) -> bool {
        keyword.name.starts_with("timeout ") && self.section.is_some_and(|section| section.kind.is_proxy())
    }

    fn missing(&self, keyword: &Keyword, arg: &Arg) -> Diagnostic {
        if let Some(own) = self.own(keyword, Fault::Missing, Reason::MissingArgument, None, "") {
            return own.help(format!("usage: {} {}", keyword.name, keyword.usage()));
        }
        let cause = match arg {
            Arg::Int(..) => "expects an integer argument.".to_owned(),
            Arg::Time(_) if self.is_timeout_of_proxy(keyword) => {
                "expects an integer value (in milliseconds)".to_owned()
            }
            Arg::Time(_) => "expects <time> as argument.".to_owned(),
            Arg::Word("value") | Arg::Size if keyword.name.starts_with("tune.") => {
                "expects an integer argument.".to_owned()
            }
            Arg::Choice(words) => format!("expects {}.", one_of(words)),
            Arg::MustCond => "requires either 'if' or 'unless' followed by a condition.".to_owned(),
            _ if keyword.args.len() == 1 => format!("expects {} as argument.", keyword.usage()),
            _ => format!("expects {} as arguments.", keyword.usage()),
        };
        self.alert(Reason::MissingArgument, self.span, &cause)
    }

    fn plain(&self, reason: Reason, span: Span, message: String) -> Diagnostic {
        Diagnostic::alert(reason, span, message).head(self.head)
    }

    fn invalid(&self, keyword: &Keyword, arg: &Arg, word: &Word, error: &ValueError) -> Diagnostic {
        let reason = match error {
            ValueError::Overflow | ValueError::Underflow => Reason::OutOfRange,
            _ => Reason::InvalidValue,
        };
        let fault = match (arg, error) {
            (Arg::Int(..), ValueError::Overflow) => Some(Fault::Range),
            (Arg::Int(..), _) => Some(Fault::Wrong),
            (Arg::Time(_), ValueError::Overflow) => Some(Fault::Overflow),
            (Arg::Time(_) | Arg::Size, ValueError::Unexpected(_)) => Some(Fault::Character),
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
            (Arg::Time(unit), ValueError::Underflow) => {
                let unit = format!("{unit:?}").to_lowercase();
                self.plain(
                    reason,
                    word.span,
                    format!(
                        "timer underflow in argument '{word}' to '{}' (minimum non-null value is 1 {unit})",
                        self.name
                    ),
                )
            }
            (Arg::Time(_), ValueError::Unexpected(c)) => self
                .plain(reason, word.span, format!("unexpected character '{c}' in '{}'", self.name))
                .help(TIMES),
            (Arg::Size, ValueError::Unexpected(c)) => self
                .alert(reason, word.span, &format!(": unexpected character '{c}' in '{word}'."))
                .help("a size is a number and one of the units k, m, g"),
            (Arg::Int(..), _) => {
                self.alert(reason, word.span, &format!("expects an integer argument (got '{word}')."))
            }
            (_, error) => self.alert(reason, word.span, &format!(": {}", error.cause())),
        };
        diagnostic.label(error.cause())
    }

    fn unknown_setting(&self, keyword: &Keyword, word: &Word, table: &[Keyword]) -> Diagnostic {
        let (cause, near) = did_you_mean(word, table.iter().map(|row| row.name));
        let own = self.own(keyword, Fault::Wrong, Reason::UnknownKeyword, Some(word), "");
        let is_own = own.is_some();
        let diagnostic = own.unwrap_or_else(|| {
            let colon = if keyword.name == "bind" { ":" } else { " :" };
            let message = format!("'{}'{colon} unknown keyword '{word}'{cause}", self.name);
            self.plain(Reason::UnknownKeyword, word.span, message)
        });
        match near {
            Some(near) if is_own => diagnostic.help(format!("did you mean '{near}'?")).edit(word.span, near),
            Some(near) => diagnostic.edit(word.span, near),
            None => diagnostic,
        }
    }

    /// Words where nothing may follow.
    fn extra(&self, keyword: &Keyword, before: &[Word], rest: &[Word], word: &Word) -> Diagnostic {
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
        let candidates: &[&str] = match keyword.args.last() {
            Some(Arg::Cond) => &["if", "unless"],
            Some(Arg::Maybe(Arg::Choice(_))) => {
                keyword.args.iter().find_map(Arg::choices).unwrap_or_default()
            }
            _ => &[],
        };
        if let Some(near) = nearest(word, candidates.iter().copied()) {
            return diagnostic.help(format!("did you mean '{near}'?")).edit(word.span, near);
        }
        match keyword.usage() {
            usage if usage.is_empty() => diagnostic,
            usage => diagnostic.help(format!("usage: {} {usage}", keyword.name)),
        }
    }
}

/// `; did you mean 'X' maybe ?` or nothing, and X.
pub(super) fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> (String, Option<&'a str>) {
    match nearest(word, candidates) {
        Some(near) => (format!("; did you mean '{near}' maybe ?"), Some(near)),
        None => (String::new(), None),
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

/// Reads the arguments of `keyword`. A list that has no settings at its end must be used up.
///
/// On an error nothing is returned: a line is right as a whole or left out.
pub(super) fn read(
    subject: &Subject<'_>,
    keyword: &'static Keyword,
    words: &[Word],
) -> Result<Vec<Value>, Box<Diagnostic>> {
    let mut reader = Reader { subject, rest: words };
    let values = reader.all(keyword)?;
    match (reader.rest.first(), keyword.args.last()) {
        (None, _) => Ok(values),
        (Some(word), _) if lenient::heedless(keyword) => {
            let span = span_of(reader.rest, word.span);
            subject.doubt(
                Reason::TooManyArguments,
                span,
                &format!("does not look at '{word}' and what follows."),
            );
            Ok(values)
        }
        (Some(word), Some(Arg::Settings(table))) => Err(subject.unknown_setting(keyword, word, table).into()),
        (Some(word), _) => {
            let before = &words[..words.len() - reader.rest.len()];
            Err(subject.extra(keyword, before, reader.rest, word).into())
        }
    }
}

struct Reader<'a, 'w> {
    subject: &'a Subject<'a>,
    rest: &'w [Word],
}

impl<'w> Reader<'_, 'w> {
    fn all(&mut self, keyword: &'static Keyword) -> Result<Vec<Value>, Box<Diagnostic>> {
        // Most lines of a large file are kept until all are read: no room is left over.
        let mut values = Vec::with_capacity(keyword.args.len());
        for arg in keyword.args {
            values.push(self.one(keyword, arg)?);
        }
        Ok(values)
    }

    fn take(&mut self) -> Option<&'w Word> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn one(&mut self, keyword: &'static Keyword, arg: &'static Arg) -> Result<Value, Box<Diagnostic>> {
        match arg {
            Arg::Rest => return Ok(Value::Words(std::mem::take(&mut self.rest).to_vec())),
            Arg::Some(_) if !self.rest.is_empty() => {
                return Ok(Value::Words(std::mem::take(&mut self.rest).to_vec()));
            }
            Arg::Settings(table) => return self.settings(table).map(Value::Settings),
            Arg::Cond | Arg::MustCond => return self.condition(keyword, arg),
            Arg::Maybe(inner) => return self.maybe(keyword, inner),
            _ => {}
        }
        let Some(word) = self.take() else { return self.missing(keyword, arg) };
        self.scalar(keyword, arg, word)
    }

    /// An optional argument is absent if the line ends, or if the next word is none of its choices.
    fn maybe(&mut self, keyword: &'static Keyword, arg: &'static Arg) -> Result<Value, Box<Diagnostic>> {
        match (self.rest.first(), arg) {
            (None, _) => Ok(Value::Absent),
            (Some(word), Arg::Choice(words)) if !words.contains(&word.text()) => Ok(Value::Absent),
            (Some(word), Arg::Word(_)) if matches!(word.text(), "if" | "unless") => Ok(Value::Absent),
            _ => self.one(keyword, arg),
        }
    }

    fn missing(&self, keyword: &Keyword, arg: &Arg) -> Result<Value, Box<Diagnostic>> {
        if let Arg::Int(_, low, high) = arg
            && let Some(loose) = lenient::loosely(keyword, self.subject.name.line())
            && let Some(number) = loose.absent(*low, *high)
        {
            let span = self.subject.span;
            self.subject.doubt(
                Reason::MissingArgument,
                span,
                &format!("expects a number; without one it is {number}."),
            );
            return Ok(Value::Int(number, span));
        }
        Err(self.subject.missing(keyword, arg).into())
    }

    /// A number, or what HAProxy makes of a word that is none.
    fn number(
        &self,
        keyword: &Keyword,
        arg: &Arg,
        word: &Word,
        low: i64,
        high: i64,
    ) -> Result<i64, Box<Diagnostic>> {
        let strict = match value::integer(word) {
            Ok(number) if (low..=high).contains(&number) => return Ok(number),
            Ok(number) => self.out_of_range(keyword, word, number, low, high),
            Err(error) => self.subject.invalid(keyword, arg, word, &error),
        };
        let loose = lenient::loosely(keyword, self.subject.name.line());
        let Some(number) = loose.and_then(|loose| loose.read(word, low, high)) else {
            return Err(strict.into());
        };
        let cause = format!("expects a number from {low} on, and '{word}' is read as {number}.");
        self.subject.doubt(strict.reason, word.span, &cause);
        Ok(number)
    }

    fn scalar(&self, keyword: &Keyword, arg: &Arg, word: &Word) -> Result<Value, Box<Diagnostic>> {
        let invalid = |error: ValueError| Box::new(self.subject.invalid(keyword, arg, word, &error));
        match arg {
            Arg::Int(_, low, high) => {
                Ok(Value::Int(self.number(keyword, arg, word, *low, *high)?, word.span))
            }
            Arg::Time(unit) => {
                let (time, rest) = value::time_prefix(word, *unit).map_err(invalid)?;
                if let Some(c) = rest.chars().next() {
                    self.subject.trailing(word, c);
                }
                if lenient::time_is_out_of_range(keyword, self.subject.name.line(), time) {
                    let reason = Reason::OutOfRange;
                    let own = self.subject.own(keyword, Fault::Range, reason, Some(word), "");
                    let general = || self.subject.alert(reason, word.span, "is out of range.");
                    return Err(own.unwrap_or_else(general).into());
                }
                Ok(Value::Time(time, word.span))
            }
            Arg::Size => Ok(Value::Size(value::size(word).map_err(invalid)?, word.span)),
            Arg::Addr => {
                let text = self.expand(word);
                let text = self.port_ends(word, &text).map_or(text, Cow::Owned);
                let addresses = [value::address(&text).map_err(invalid)?];
                Ok(Value::Addrs(Box::new((Box::new(addresses), word.clone()))))
            }
            Arg::Addrs => {
                let text = self.expand(word);
                let text = self.port_ends(word, &text).map_or(text, Cow::Owned);
                let addresses: Result<Box<[_]>, _> = text.split(',').map(value::address).collect();
                Ok(Value::Addrs(Box::new((addresses.map_err(invalid)?, word.clone()))))
            }
            Arg::Choice(words) => match words.iter().find(|choice| **choice == word.text()) {
                Some(choice) => Ok(Value::Choice(choice, word.span)),
                None => Err(self.wrong_choice(keyword, word, words).into()),
            },
            _ => Ok(Value::Word(word.clone())),
        }
    }

    /// Addresses alone replace `$NAME` and `${NAME}` outside quotes too.
    fn expand<'t>(&self, word: &'t Word) -> Cow<'t, str> {
        if !word.contains('$') {
            return Cow::Borrowed(word.text());
        }
        let mut out = String::new();
        let mut rest = word.text();
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let braced = after.starts_with('{');
            let name = after.strip_prefix('{').unwrap_or(after);
            let len = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            out.push_str(&self.subject.vars.get(&name[..len]).unwrap_or_default());
            rest = &name[len..];
            if braced {
                rest = rest.strip_prefix('}').unwrap_or(rest);
            }
        }
        Cow::Owned(out + rest)
    }

    /// `:80;`: a port is read up to the first character that is no digit. The address without what follows.
    fn port_ends(&self, word: &Word, text: &str) -> Option<String> {
        let (before, port) = text.rsplit_once(':')?;
        let digits = port.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        if port[digits..].starts_with(['-', ',', ']']) {
            return None;
        }
        let read = format!("{before}:{}", &port[..digits]);
        let cause = format!(": port number '{port}' in '{word}' is read as '{}'.", &port[..digits]);
        self.subject.doubt(Reason::InvalidValue, word.span, &cause);
        Some(read)
    }

    fn out_of_range(&self, keyword: &Keyword, word: &Word, number: i64, low: i64, high: i64) -> Diagnostic {
        let reason = Reason::OutOfRange;
        let possible = || match high >= i64::from(i32::MAX) {
            true => format!("{low} or more"),
            false => format!("{low} to {high}"),
        };
        if let Some(own) = self.subject.own(keyword, Fault::Range, reason, Some(word), "") {
            // Less than that is no limit, but what the message says.
            return if low > i64::from(i32::MIN) {
                own.label(format!("possible: {}", possible()))
            } else {
                own
            };
        }
        let cause = if high >= i64::from(i32::MAX) {
            format!("value must be at least {low} (was {number}).")
        } else {
            format!("value must be between {low} and {high} (was {number}).")
        };
        self.subject.alert(Reason::OutOfRange, word.span, &cause)
    }

    fn wrong_choice(&self, keyword: &Keyword, word: &Word, words: &[&'static str]) -> Diagnostic {
        let (cause, near) = did_you_mean(word, words.iter().copied());
        let reason = Reason::InvalidValue;
        let own = self.subject.own(keyword, Fault::Wrong, reason, Some(word), "");
        let diagnostic = own.unwrap_or_else(|| {
            self.subject.alert(reason, word.span, &format!("does not support '{word}'{cause}"))
        });
        match near {
            Some(near) => diagnostic.help(format!("did you mean '{near}'?")).edit(word.span, near),
            None => diagnostic.help(format!("possible: {}", one_of(words))),
        }
    }

    fn settings(&mut self, table: &'static [Keyword]) -> Result<Vec<Statement>, Box<Diagnostic>> {
        let mut settings = Vec::new();
        while let Some(word) = self.rest.first() {
            // `set-proxy-v2-tlv-fmt(0xE1)`: what is in parentheses belongs to the name, which is the first argument then.
            let name_has_parentheses = word.contains('(');
            let name = word.split_once('(').map_or(word.text(), |(name, _)| name);
            let Some(row) = table.iter().find(|row| row.name == name) else { break };
            self.rest = &self.rest[1..];
            let args = {
                let name = Title::Setting { line: &self.subject.name, name: row.name };
                let subject = Subject::new(name, self.subject.head, word.span, self.subject.vars)
                    .of(self.subject.section);
                let mut reader = Reader { subject: &subject, rest: self.rest };
                let mut args = reader.all(row)?;
                self.rest = reader.rest;
                if name_has_parentheses {
                    args.insert(0, Value::Word(word.clone()));
                }
                self.subject.warnings.borrow_mut().append(&mut subject.warnings.borrow_mut());
                args
            };
            settings.push(Statement {
                keyword: row,
                modifier: Modifier::None,
                args: args.into(),
                old: None,
                span: word.span,
            });
        }
        settings.shrink_to_fit();
        Ok(settings)
    }

    fn condition(&mut self, keyword: &'static Keyword, arg: &Arg) -> Result<Value, Box<Diagnostic>> {
        let word = match self.rest.first() {
            Some(word) if matches!(word.text(), "if" | "unless") => word,
            _ if matches!(arg, Arg::Cond) => return Ok(Value::Absent),
            _ => return Err(self.subject.missing(keyword, arg).into()),
        };
        let words = self.rest[1..].to_vec();
        if words.is_empty() {
            let outcome = if word == "if" { "never" } else { "always" };
            let cause = format!(": missing condition after '{word}', so it {outcome} applies.");
            self.subject.doubt(Reason::MissingArgument, word.span, &cause);
        }
        self.rest = &[];
        let condition = Condition { unless: word == "unless", span: word.span, words };
        Ok(Value::Cond(Box::new(condition)))
    }
}
