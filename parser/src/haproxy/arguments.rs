//! Words of a line into typed values, as a keyword's grammar says.

use std::borrow::Cow;

use super::grammar::{Arg, Keyword};
use super::lenient;
use super::messages::Fault;
use super::subject::{Subject, Title, one_of};
use super::tree::{Condition, Modifier, Statement, Value};
use crate::diagnostic::{Diagnostic, Reason};
use crate::lex::{Word, span_of};
use crate::suggest::nearest;
use crate::value::{self, ValueError};

/// Reads the arguments of `keyword`. A list that has no settings at its end must be used up.
///
/// On an error nothing is returned: a line is right as a whole or left out.
pub(super) fn read(
    subject: &Subject<'_>,
    keyword: &'static Keyword,
    words: &[Word],
) -> Result<Vec<Value>, Box<Diagnostic>> {
    let mut reader = Reader::new(subject, words);
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

/// Whether a condition may end the line.
fn conditional(keyword: &Keyword) -> bool {
    keyword.args.iter().any(|arg| matches!(arg, Arg::Cond | Arg::MustCond))
}

struct Reader<'a, 'w> {
    subject: &'a Subject<'a>,
    rest: &'w [Word],
    /// The word before the one that is read, the keyword apart.
    before: Option<&'w Word>,
    /// How many words stand before it.
    place: usize,
}

impl<'a, 'w> Reader<'a, 'w> {
    fn new(subject: &'a Subject<'a>, words: &'w [Word]) -> Self {
        Self { subject, rest: words, before: None, place: 0 }
    }

    fn all(&mut self, keyword: &'static Keyword) -> Result<Vec<Value>, Box<Diagnostic>> {
        // Most lines of a large file are kept until all are read: no room is left over.
        if lenient::counts_first(keyword)
            && let Some(arg) = keyword.args.get(self.rest.len())
        {
            return Err(self.subject.missing(keyword, arg).into());
        }
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
            Arg::OrEnd(_) if self.rest.is_empty() => return Ok(Value::Absent),
            Arg::OrEnd(inner) => return self.one(keyword, inner),
            _ => {}
        }
        let Some(word) = self.take() else { return self.missing(keyword, arg) };
        let value = self.scalar(keyword, arg, word);
        self.before = Some(word);
        self.place += 1;
        value
    }

    /// An optional argument is absent if the line ends, or if the next word is none of its choices.
    fn maybe(&mut self, keyword: &'static Keyword, arg: &'static Arg) -> Result<Value, Box<Diagnostic>> {
        match (self.rest.first(), arg) {
            (None, _) => Ok(Value::Absent),
            (Some(word), Arg::Choice(words)) if !words.contains(&word.text()) => Ok(Value::Absent),
            (Some(word), Arg::Word(_)) if matches!(word.text(), "if" | "unless") && conditional(keyword) => {
                Ok(Value::Absent)
            }
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
            Err(error) => self.subject.invalid(keyword, arg, word, "", &error),
        };
        let loose = lenient::loosely(keyword, self.subject.name.line());
        let Some(number) = loose.and_then(|loose| loose.read(word, low, high)) else {
            return Err(strict.into());
        };
        let cause = format!("expects a number from {low} on, and '{word}' is read as {number}.");
        self.subject.doubt(strict.reason, word.span, &cause);
        Ok(number)
    }

    fn size(
        &self,
        keyword: &Keyword,
        arg: &Arg,
        word: &Word,
        low: u64,
        high: u64,
    ) -> Result<Value, Box<Diagnostic>> {
        let size = match value::size(word) {
            Ok(size) => size,
            Err(_) if lenient::takes_any_size(keyword) && !word.starts_with('-') => {
                let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
                let size = word[..digits].parse().unwrap_or_default();
                self.subject.doubt(Reason::InvalidValue, word.span, &format!("reads '{word}' as {size}."));
                size
            }
            Err(error) => return Err(self.subject.invalid(keyword, arg, word, "", &error).into()),
        };
        if (low..=high).contains(&size) {
            return Ok(Value::Size(size, word.span));
        }
        let reason = Reason::OutOfRange;
        let own = self.subject.own(keyword, Fault::Range, reason, Some(word), "");
        let general = || {
            let cause = match high {
                _ if size == 0 => "expects a positive integer argument.".to_owned(),
                u64::MAX => format!("value must be at least {low} (was {size})."),
                _ => format!("value must be between {low} and {high} (was {size})."),
            };
            self.subject.alert(reason, word.span, &cause)
        };
        Err(own.unwrap_or_else(general).into())
    }

    fn scalar(&self, keyword: &Keyword, arg: &Arg, word: &Word) -> Result<Value, Box<Diagnostic>> {
        let before = self.before.map(Word::text).unwrap_or_default();
        let invalid = |error: ValueError| Box::new(self.subject.invalid(keyword, arg, word, before, &error));
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
            Arg::Or(other, _) if word.text() == *other => Ok(Value::Word(word.clone())),
            Arg::Or(_, arg) => self.scalar(keyword, arg, word),
            Arg::Size => self.size(keyword, arg, word, 0, u64::from(u32::MAX)),
            Arg::SizeIn(low, high) => self.size(keyword, arg, word, *low, *high),
            Arg::List(words) => match word.split(',').find(|item| !words.contains(item)) {
                Some(item) => Err(self.wrong_choice(keyword, word, item, words).into()),
                None => Ok(Value::Word(word.clone())),
            },
            Arg::AddrBefore(settings) if settings.iter().any(|row| row.name == word.text()) => {
                Err(invalid(ValueError::Other(format!("invalid address: '{word}' in '{word}'"))))
            }
            Arg::Addr | Arg::AddrBefore(_) => {
                let text = self.expand(word);
                let text = self.port_ends(word, &text).map_or(text, Cow::Owned);
                let addresses = [value::address(&text).map_err(invalid)?];
                Ok(Value::Addrs(Box::new((Box::new(addresses), word.clone()))))
            }
            Arg::Addrs => {
                let text = self.expand(word);
                let text = self.port_ends(word, &text).map_or(text, Cow::Owned);
                // A comma at the end says nothing.
                let list = text.strip_suffix(',').filter(|list| !list.is_empty()).unwrap_or(&text);
                let addresses: Result<Box<[_]>, _> = list.split(',').map(value::address).collect();
                Ok(Value::Addrs(Box::new((addresses.map_err(invalid)?, word.clone()))))
            }
            Arg::Choice(words) => match words.iter().find(|choice| **choice == word.text()) {
                Some(choice) => Ok(Value::Choice(choice, word.span)),
                None => Err(self.wrong_choice(keyword, word, word, words).into()),
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

    /// `item`: the word, or the part of it that is none of the possible ones.
    fn wrong_choice(&self, keyword: &Keyword, word: &Word, item: &str, words: &[&'static str]) -> Diagnostic {
        let near = nearest(item, words.iter().copied());
        let cause = near.map_or_else(String::new, |near| format!("; did you mean '{near}' maybe ?"));
        let reason = Reason::InvalidValue;
        let own = |fault| self.subject.own(keyword, fault, reason, Some(word), "");
        let own = own(Fault::WrongAt(self.place)).or_else(|| own(Fault::Wrong));
        let diagnostic = own.unwrap_or_else(|| {
            self.subject.alert(reason, word.span, &format!("does not support '{item}'{cause}"))
        });
        match near {
            Some(near) if item != word.text() => diagnostic.help(format!("did you mean '{near}'?")),
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
                let mut reader = Reader::new(&subject, self.rest);
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
            _ => return Err(self.subject.unconditional(keyword, arg, self.before.is_some()).into()),
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
