//! What every part of the lowering shares: messages in keepalived's words, numbers in its grammar.

use std::time::Duration;

use tandem_parser::keepalived::report::Said;
use tandem_parser::keepalived::{Class, Effect, Report, Statement, Voice, Word};
use tandem_parser::{Diagnostic, Head, Reason, Sources, Span};

use super::env::{Env, Interface};
use crate::ir::Place;
use crate::ir::vrrp::{Config, RunAs};

/// State of one load.
pub(super) struct Cx<'a> {
    pub(super) env: &'a dyn Env,
    pub(super) sources: &'a Sources,
    pub(super) report: Report,
    pub(super) config: Config,
    /// Who speaks: the parent for `global_defs`, the children for the rest.
    pub(super) voice: Voice,
    /// Place of the statement in hand, for messages without a better one.
    pub(super) here: Span,
    /// An interface that had to exist does not.
    pub(super) missing_interface: bool,
    /// Places of `config.scripts`, `config.instances` and `config.sync_groups`.
    pub(super) script_spans: Vec<Span>,
    pub(super) proxy_spans: Vec<Span>,
    pub(super) instance_spans: Vec<Span>,
    pub(super) group_spans: Vec<Span>,
    /// `notify_priority_changes` of the groups, by index.
    pub(super) group_priority_changes: Vec<Option<bool>>,
    /// Rules that got a preference of ours.
    pub(super) rules_without_preference: u32,
    /// Default user of scripts, once asked: `Err` if it could not be set.
    pub(super) default_user: Option<Result<RunAs, ()>>,
}

impl<'a> Cx<'a> {
    pub(super) fn new(env: &'a dyn Env, sources: &'a Sources, report: Report) -> Self {
        Self {
            env,
            sources,
            report,
            config: Config::default(),
            voice: Voice::Child,
            here: Span::default(),
            missing_interface: false,
            script_spans: Vec::new(),
            proxy_spans: Vec::new(),
            instance_spans: Vec::new(),
            group_spans: Vec::new(),
            group_priority_changes: Vec::new(),
            rules_without_preference: 0,
            default_user: None,
        }
    }

    /// Something keepalived reports and lives with.
    pub(super) fn error(&mut self, reason: Reason, span: Span, text: impl AsRef<str>) -> Said<'_> {
        self.report.say(self.sources, self.voice, Class::General, reason, span, text)
    }

    /// The same, at the statement in hand.
    pub(super) fn complain(&mut self, reason: Reason, text: impl AsRef<str>) -> Said<'_> {
        let here = self.here;
        self.error(reason, here, text)
    }

    /// Something keepalived only logs.
    pub(super) fn log(&mut self, span: Span, text: impl AsRef<str>) -> Said<'_> {
        self.report.say(self.sources, Voice::Plain, Class::Ok, Reason::Environment, span, text)
    }

    /// Something said after the files were read, about the thing at `span`.
    pub(super) fn late(&mut self, reason: Reason, span: Span, text: impl AsRef<str>) -> Said<'_> {
        self.report.say(self.sources, Voice::Plain, Class::General, reason, span, text)
    }

    /// Any class, for the few that are special.
    pub(super) fn classed(
        &mut self,
        voice: Voice,
        class: Class,
        reason: Reason,
        span: Span,
        text: impl AsRef<str>,
    ) -> Said<'_> {
        self.report.say(self.sources, voice, class, reason, span, text)
    }

    /// Tandem's own word on something keepalived accepts silently: no weight in the verdict.
    pub(super) fn warn(&mut self, reason: Reason, span: Span, text: impl AsRef<str>) -> Said<'_> {
        let message = self.report.first_line(self.sources, self.voice, span, text.as_ref());
        self.report.push(Diagnostic::warning(reason, span, message).head(Head::Plain))
    }

    /// Says what the registry knows about a keyword that does not do all it should.
    pub(super) fn effect(&mut self, statement: &Statement) {
        let word = &statement.words[0];
        match statement.keyword.effect {
            Effect::Full => {}
            Effect::Inert(why) => {
                self.warn(Reason::NoEffect, word.span, format!("'{}' has no effect: {why}", word.text));
            }
            Effect::Refused(why) => {
                let text = format!("'{}' is refused: {why}", word.text);
                self.classed(self.voice, Class::Fatal, Reason::Refused, word.span, text);
            }
        }
    }

    pub(super) fn place(&self, span: Span) -> Place {
        Place { file: self.sources.file(span.file).name.clone(), line: self.sources.line(span) }
    }

    /// Parameter `index` of a line; reports that it is missing, which ends keepalived with exit code 2.
    pub(super) fn parameter<'w>(&mut self, words: &'w [Word], index: usize) -> Option<&'w Word> {
        if let Some(word) = words.get(index) {
            return Some(word);
        }
        let first = words.first().map_or("***MISSING ***", |word| word.text.as_str());
        let after = index.checked_sub(1).and_then(|before| words.get(before));
        let after = after.map_or_else(String::new, |word| format!(" after keyword `{}`", word.text));
        let position = index + 1;
        let text = format!(
            "*** Configuration line starting `{first}` is missing a parameter{after} at word position {position}"
        );
        self.report.missing_parameter = true;
        let span = words.last().map_or(self.here, |word| word.span);
        self.error(Reason::MissingArgument, span, text).alert().help("keepalived stops at this line");
        None
    }

    /// `on`/`true`/`yes` or `off`/`false`/`no`; a keyword alone means yes. `Err` carries the word that is neither.
    pub(super) fn switch<'w>(&self, words: &'w [Word]) -> Result<bool, &'w Word> {
        let Some(word) = words.get(1) else { return Ok(true) };
        match word.text.as_str() {
            "true" | "on" | "yes" => Ok(true),
            "false" | "off" | "no" => Ok(false),
            _ => Err(word),
        }
    }

    /// A whole number. The flag says whether keepalived takes it; a wrong one is reported.
    /// `lenient`: when running rather than checking, what stands before the wrong part counts.
    pub(super) fn integer(&mut self, word: &Word, min: i64, max: i64, lenient: bool) -> (i64, bool) {
        let (value, rest) = leading_number(&word.text);
        let warn = if lenient && !self.env.config_test() { "WARNING - " } else { "" };
        let text = &word.text;
        let outside = i32::try_from(value).is_err();
        let (reason, problem) = if !rest.is_empty() {
            (Reason::InvalidValue, format!("{warn}invalid number '{text}'"))
        } else if outside {
            (Reason::OutOfRange, format!("{warn}number '{text}' outside integer range"))
        } else if value < min || value > max {
            (Reason::OutOfRange, format!("number '{text}' outside range [{min}, {max}]"))
        } else {
            return (value, true);
        };
        self.error(reason, word.span, problem);
        (value, lenient && !self.env.config_test() && value >= min && value <= max)
    }

    /// A number without sign.
    pub(super) fn unsigned(&mut self, word: &Word, min: u32, max: u32, lenient: bool) -> Option<u32> {
        let (value, rest) = leading_number(&word.text);
        let warn = if lenient && !self.env.config_test() { "WARNING - " } else { "" };
        let text = &word.text;
        let inside = u32::try_from(value).ok().filter(|value| (min..=max).contains(value));
        let (reason, problem) = if text.trim_start().starts_with('-') {
            (Reason::OutOfRange, format!("{warn}negative number '{text}'"))
        } else if !rest.is_empty() {
            (Reason::InvalidValue, format!("{warn}invalid number '{text}'"))
        } else if u32::try_from(value).is_err() {
            (Reason::OutOfRange, format!("{warn}number '{text}' outside unsigned integer range"))
        } else if inside.is_none() {
            (Reason::OutOfRange, format!("{warn}number '{text}' outside range [{min}, {max}]"))
        } else {
            return inside;
        };
        self.error(reason, word.span, problem);
        inside.filter(|_| lenient && !self.env.config_test())
    }

    /// Seconds with up to six decimals.
    pub(super) fn seconds(&mut self, word: &Word, min: Duration, max: Duration) -> Option<Duration> {
        let text = &word.text;
        let warn = if self.env.config_test() { "" } else { "WARNING - " };
        if text.starts_with('-') {
            self.error(Reason::OutOfRange, word.span, format!("{warn}negative number '{text}'"));
            return None;
        }
        let (whole, mut fraction) = text.split_once('.').unwrap_or((text, ""));
        let mut round_up = 0;
        if fraction.len() > 6 && fraction.is_char_boundary(6) {
            self.error(
                Reason::InvalidValue,
                word.span,
                format!("{warn}number '{text}' has too many decimal places"),
            );
            round_up = u64::from(fraction.as_bytes()[6] >= b'5');
            fraction = &fraction[..6];
        }
        let digits = format!("{whole}{fraction:0<6}");
        let inside =
            |value: Option<u64>| value.map(Duration::from_micros).filter(|value| (min..=max).contains(value));
        let value = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok());
        match value {
            None => {
                self.error(Reason::InvalidValue, word.span, format!("{warn}invalid number '{text}'"));
                let (prefix, _) = leading_number(&digits);
                inside(u64::try_from(prefix).ok().map(|value| value.saturating_add(round_up)))
            }
            Some(None) => {
                self.error(
                    Reason::OutOfRange,
                    word.span,
                    format!("{warn}number '{text}' outside unsigned decimal range"),
                );
                None
            }
            Some(Some(micros)) => {
                let value = inside(micros.checked_add(round_up));
                if value.is_none() {
                    let show = |time: Duration| format!("{}.{:06}", time.as_secs(), time.subsec_micros());
                    let text = format!("{warn}number '{text}' outside range [{}, {}]", show(min), show(max));
                    self.error(Reason::OutOfRange, word.span, text);
                }
                value
            }
        }
    }

    /// An interface that should exist. `None`: keepalived ignores the line (the caller says so in its words).
    pub(super) fn interface(&mut self, name: &str) -> Option<Interface> {
        if let Some(known) = self.env.interface(name) {
            return Some(known);
        }
        if self.env.offline() {
            self.log(self.here, format!("interface {name} does not exist on this machine"));
            return Some(Interface::default());
        }
        if self.config.global.dynamic_interfaces {
            let text = format!(
                "Configuration specifies interface {name} which doesn't currently exist - will use if created"
            );
            self.log(self.here, text);
            return Some(Interface::default());
        }
        self.missing_interface = true;
        None
    }
}

/// A number as C reads it: what could be read, and what is left. Nothing at all reads as 0.
fn leading_number(text: &str) -> (i64, &str) {
    let start = text.trim_start_matches([' ', '\t', '\u{c}', '\n', '\r', '\u{b}']);
    let (negative, digits) = match start.as_bytes().first() {
        Some(b'-') => (true, &start[1..]),
        Some(b'+') => (false, &start[1..]),
        _ => (false, start),
    };
    let len = digits.bytes().take_while(u8::is_ascii_digit).count();
    if len == 0 {
        return (0, if start.is_empty() { "" } else { text });
    }
    let value = digits[..len].parse::<i64>().unwrap_or(i64::MAX);
    (if negative { -value } else { value }, &digits[len..])
}

#[cfg(test)]
mod tests {
    use super::leading_number;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        assert_eq!(leading_number("12"), (12, ""));
        assert_eq!(leading_number(" -7x"), (-7, "x"));
        assert_eq!(leading_number("x"), (0, "x"));
        assert_eq!(leading_number(""), (0, ""));
        assert_eq!(leading_number("99999999999999999999").1, "");
    }
}
