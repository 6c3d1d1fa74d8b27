//! Arguments of a fetch or converter, typed on demand.

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::expr::Call;
use tandem_parser::lex::{Word, bytes_of};
use tandem_parser::span::Span;

use super::{Language, Read, variable};
use crate::ir::expr::{Operand, Text, TimeUnit, VarName};

/// Beyond every buffer, and sums of two of it are numbers.
const NOWHERE: usize = usize::MAX >> 2;

/// An integer as HAProxy reads it: beyond its limits it is the limit.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let limit = if negative { i64::MIN } else { i64::MAX };
    Some(text.parse().unwrap_or(limit))
}

/// A call and the word it stands in.
pub(super) struct Args<'c> {
    pub(super) call: &'c Call,
    pub(super) word: &'c Word,
    /// It is a converter's, not a fetch's.
    converter: bool,
}

impl<'c> Args<'c> {
    pub(super) fn of_fetch(call: &'c Call, word: &'c Word) -> Self {
        Self { call, word, converter: false }
    }

    pub(super) fn of_converter(call: &'c Call, word: &'c Word) -> Self {
        Self { call, word, converter: true }
    }

    /// HAProxy's words before what is wrong with what the arguments mean.
    pub(super) fn invalid_args(&self) -> String {
        let kind = if self.converter { "converter" } else { "fetch method" };
        format!("invalid args in {kind} '{}' : ", self.call.name)
    }

    /// Span of an argument, or of the name.
    pub(super) fn span(&self, nth: usize) -> Span {
        let at = self.call.args.get(nth).map_or(&self.call.at, |arg| &arg.at);
        self.word.part(at.clone())
    }

    pub(super) fn name_span(&self) -> Span {
        self.word.part(self.call.at.clone())
    }

    /// Text of an argument; `None`: not given.
    pub(super) fn opt(&self, nth: usize) -> Option<&'c str> {
        self.call.args.get(nth).map(|arg| arg.text.as_str())
    }

    /// Text of an argument that is not empty.
    pub(super) fn filled(&self, nth: usize) -> Option<&'c str> {
        self.opt(nth).filter(|text| !text.is_empty())
    }

    pub(super) fn bytes(&self, nth: usize) -> Box<[u8]> {
        bytes_of(self.opt(nth).unwrap_or_default()).into()
    }

    fn refuse<T>(&self, language: &mut Language<'_>, nth: usize, message: &str) -> Read<T> {
        let message = format!("{}{message}.", self.invalid_args());
        let diagnostic = Diagnostic::alert(Reason::InvalidValue, self.span(nth), message);
        language.say(diagnostic.help(super::names::usage(&self.call.name)));
        None
    }

    /// An argument that is not even of its type, or too few of them, or too many.
    pub(super) fn mistyped<T>(&self, language: &mut Language<'_>, nth: usize, cause: &str) -> Read<T> {
        let name = &self.call.name;
        let message = match self.converter {
            true => format!("invalid arg {} in converter '{name}' : {cause}.", nth + 1),
            false => format!("fetch method '{name}' : {cause}."),
        };
        let diagnostic = Diagnostic::alert(Reason::InvalidValue, self.span(nth), message);
        language.say(diagnostic.help(super::names::usage(name)));
        None
    }

    /// The same of an argument that is no such thing.
    pub(super) fn unread<T>(&self, language: &mut Language<'_>, nth: usize, kind: &str) -> Read<T> {
        let cause = match self.opt(nth).unwrap_or_default() {
            "" => format!("expected type '{kind}' at position {}, but got nothing", nth + 1),
            text => format!("failed to parse '{text}' as type '{kind}' at position {}", nth + 1),
        };
        self.mistyped(language, nth, &cause)
    }

    /// What stands at `from` belongs to no argument any more. The place shown is the last argument's that was read.
    fn stopped<T>(&self, language: &mut Language<'_>, read: usize, from: usize) -> Read<T> {
        let nth = if read > 1 { read - 1 } else { read };
        self.mistyped(language, nth, &format!("expected ')' before '{}'", &self.word.text()[from..]))
    }

    /// Checks the number of arguments.
    pub(super) fn count(&self, language: &mut Language<'_>, min: usize, max: usize) -> Read<()> {
        // Nothing is one empty argument where one is needed.
        let got = match self.call.args.len() {
            0 if min > 0 => 1,
            got => got,
        };
        if got < min {
            let kind = super::known::type_at(&self.call.name, self.converter, got);
            let cause = format!("missing arguments (got {got}/{min}), type '{kind}' expected");
            return self.mistyped(language, got, &cause);
        }
        // Nothing where a number may stand ends the arguments.
        let ends = |nth: &usize| {
            let kind = super::known::type_at(&self.call.name, self.converter, *nth);
            kind == "integer" && self.call.args[*nth].text.is_empty()
        };
        if let Some(nth) = (min..max.min(got.saturating_sub(1))).find(ends) {
            return self.stopped(language, nth, self.call.args[nth].at.end);
        }
        if got > max {
            // Where there are none, they are not even told apart.
            let from = match max {
                0 => self.call.args[0].at.start,
                max => self.call.args[max - 1].at.end,
            };
            return self.stopped(language, max, from);
        }
        Some(())
    }

    pub(super) fn int(&self, language: &mut Language<'_>, nth: usize) -> Read<i64> {
        let text = self.opt(nth).unwrap_or_default();
        match integer(text) {
            Some(value) => Some(value),
            None => self.unread(language, nth, "integer"),
        }
    }

    pub(super) fn opt_int(&self, language: &mut Language<'_>, nth: usize) -> Read<Option<i64>> {
        match self.filled(nth) {
            None => Some(None),
            Some(_) => self.int(language, nth).map(Some),
        }
    }

    pub(super) fn size(&self, language: &mut Language<'_>, nth: usize) -> Read<usize> {
        let value = self.int(language, nth)?;
        match usize::try_from(value) {
            Ok(value) => Some(value),
            Err(_) => self.refuse(language, nth, &format!("'{value}' must not be negative")),
        }
    }

    /// A position or a length. HAProxy takes negative ones; what they name is never there.
    pub(super) fn position(&self, language: &mut Language<'_>, nth: usize) -> Read<usize> {
        let value = self.int(language, nth)?;
        if value < 0 {
            self.odd(language, nth, format!("'{value}' is negative, so there will never be a value"));
        }
        Some(usize::try_from(value).unwrap_or(NOWHERE))
    }

    /// What HAProxy takes although it cannot have been meant.
    pub(super) fn odd(&self, language: &mut Language<'_>, nth: usize, message: String) {
        let name = &self.call.name;
        let message = format!("in '{name}': {message}.");
        language.say(
            Diagnostic::warning(Reason::InvalidValue, self.span(nth), message)
                .help(super::names::usage(name)),
        );
    }

    /// `0` or `1`.
    pub(super) fn flag(&self, language: &mut Language<'_>, nth: usize) -> Read<bool> {
        Some(self.opt_int(language, nth)?.is_some_and(|n| n != 0))
    }

    pub(super) fn var(&self, language: &mut Language<'_>, nth: usize) -> Read<VarName> {
        let (text, before) = (self.opt(nth).unwrap_or_default(), language.said.len());
        let name = language.var_name(text, self.span(nth));
        language.precede(before, &self.invalid_args());
        name
    }

    /// A variable whose value goes into the result; HAProxy does not say what is wrong with its name.
    pub(super) fn other(&self, language: &mut Language<'_>, nth: usize) -> Read<VarName> {
        let text = self.opt(nth).unwrap_or_default();
        match variable(text) {
            Ok(name) => Some(name),
            Err(_) if text.is_empty() => self.refuse(language, nth, "missing variable name"),
            Err(_) => self.refuse(language, nth, &format!("failed to register variable name '{text}'")),
        }
    }

    pub(super) fn opt_other(&self, language: &mut Language<'_>, nth: usize) -> Read<Option<VarName>> {
        match self.filled(nth) {
            None => Some(None),
            Some(_) => self.other(language, nth).map(Some),
        }
    }

    /// A number, or a variable.
    pub(super) fn operand(&self, language: &mut Language<'_>, nth: usize) -> Read<Operand> {
        let text = self.opt(nth).unwrap_or_default();
        match integer(text) {
            Some(value) => Some(Operand::Int(value)),
            None if text.is_empty() => {
                self.odd(language, nth, "no value is given, so it is 0".to_owned());
                Some(Operand::Int(0))
            }
            None => match variable(text) {
                Ok(name) => Some(Operand::Var(name)),
                Err(_) => self.refuse(language, nth, "expects an integer or a variable name"),
            },
        }
    }

    /// A variable if it is named like one, else a literal.
    pub(super) fn text(&self, nth: usize) -> Text {
        let text = self.opt(nth).unwrap_or_default();
        variable(text).map_or_else(|_| Text::Literal(bytes_of(text).into()), Text::Var)
    }

    pub(super) fn unit(&self, language: &mut Language<'_>, nth: usize) -> Read<TimeUnit> {
        match self.filled(nth) {
            None | Some("s") => Some(TimeUnit::Seconds),
            Some("ms") => Some(TimeUnit::Milliseconds),
            Some("us") => Some(TimeUnit::Microseconds),
            Some(other) => self.refuse(language, nth, &format!("expects 's', 'ms' or 'us', got '{other}'")),
        }
    }

    /// The first byte, or the default.
    pub(super) fn first(&self, language: &mut Language<'_>, nth: usize, default: u8) -> u8 {
        let text = self.filled(nth).unwrap_or_default();
        if text.len() > 1 {
            self.odd(language, nth, format!("only the first character of '{text}' counts"));
        }
        text.bytes().next().unwrap_or(default)
    }

    /// One byte or its code, or the default.
    pub(super) fn delimiter(&self, language: &mut Language<'_>, nth: usize, default: u8) -> Read<u8> {
        match self.opt(nth).map(str::as_bytes) {
            None => Some(default),
            Some([byte]) => Some(*byte),
            Some([b'0', b'x', digits @ ..])
                if digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit) =>
            {
                Some(u8::from_str_radix(&String::from_utf8_lossy(digits), 16).unwrap_or(default))
            }
            Some(_) => self.refuse(
                language,
                nth,
                "Delimiter must be either exactly 1 character, or 0xHH for an hexadecimal representation",
            ),
        }
    }

    pub(super) fn invalid<T>(
        &self,
        language: &mut Language<'_>,
        nth: usize,
        message: impl Into<String>,
    ) -> Read<T> {
        self.refuse(language, nth, &message.into())
    }
}
