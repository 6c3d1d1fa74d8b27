//! Regular expressions as PCRE2 spells them, for the `regex` crate or for `fancy-regex`.
//!
//! The configurations were written for PCRE. Where the two spell the same thing otherwise (`\<` is a character there and
//! a word's beginning here, `{` alone, `[[]`, `\Q..\E`, `\h`) the text is rewritten; what needs backtracking is passed on
//! and noted; what only PCRE can do is told apart from what is wrong everywhere, which is said in PCRE2's words and with
//! its offsets (pcre2pattern(3)).

use std::borrow::Cow;

use crate::ir::text::bytes_of;

mod beyond;
mod class;

/// Why a text cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// PCRE refuses it, too: its words, and the offset it names.
    Wrong(&'static str, usize),
    /// PCRE can do it: what it is.
    Missing(&'static str),
}

use Fault::{Missing, Wrong};

const NOTHING_TO_REPEAT: &str = "quantifier does not follow a repeatable item";
const UNCLOSED: &str = "missing closing parenthesis";
const NO_GROUP: &str = "reference to non-existent subpattern";
/// Parentheses within each other: what PCRE2 is built with.
const DEEPEST: usize = 250;
const NO_NAME: &str =
    "\\g is not followed by a braced, angle-bracketed, or quoted name/number or by a plain number";
const AT_END: &str = "\\ at end of pattern";

/// A text as the libraries read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) text: String,
    /// Only backtracking can run it.
    pub(super) backtracks: bool,
}

/// The text as the libraries read it. `captures`: whether parentheses capture, so that references may name them.
///
/// # Errors
/// Why it cannot be.
pub(super) fn translate(text: &str, captures: bool) -> Result<Translated, Fault> {
    let groups = if captures { count_groups(text) } else { 0 };
    // Without its UTF mode PCRE knows bytes only. Here each is a character with the same number.
    let text: Cow<'_, str> = match text.is_ascii() {
        true => text.into(),
        false => bytes_of(text).iter().map(|byte| char::from(*byte)).collect(),
    };
    let mut reader = Reader {
        text: &text,
        at: 0,
        out: String::with_capacity(text.len()),
        groups,
        opened: 0,
        backtracks: false,
    };
    match reader.all() {
        Ok(()) => Ok(Translated { text: reader.out, backtracks: reader.backtracks }),
        Err(Wrong(what, at)) => Err(Wrong(what, text[..at].chars().count())),
        Err(fault) => Err(fault),
    }
}

/// What stood before, for quantifiers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Beginning, `|`, `(` or an assertion.
    Nothing,
    Item,
    Quantifier,
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    out: String,
    groups: usize,
    /// Groups that began so far.
    opened: usize,
    backtracks: bool,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, what: &str) -> bool {
        let found = self.rest().starts_with(what);
        self.at += if found { what.len() } else { 0 };
        found
    }

    /// A character that means itself.
    fn literal(&mut self, c: char) {
        if c.is_ascii_punctuation() && !matches!(c, '<' | '>') {
            self.out.push('\\');
        }
        if c.is_ascii_control() || !c.is_ascii() {
            self.out.push_str(&format!("\\x{:02x}", u32::from(c)));
        } else {
            self.out.push(c);
        }
    }

    fn all(&mut self) -> Result<(), Fault> {
        // For each open parenthesis whether what it holds can be repeated.
        let mut open: Vec<bool> = Vec::new();
        let mut before = Before::Nothing;
        while let Some(c) = self.peek() {
            let from = self.at;
            if matches!(c, '*' | '+' | '?') || (c == '{' && self.counted()?.is_some()) {
                self.quantifier(before, from)?;
                before = Before::Quantifier;
                continue;
            }
            self.at += c.len_utf8();
            before = match c {
                '\\' => self.escape(from)?,
                '[' => {
                    self.class()?;
                    Before::Item
                }
                '(' => match self.group()? {
                    Some(_) if open.len() >= DEEPEST => {
                        return Err(Wrong("parentheses are too deeply nested", self.at));
                    }
                    Some(repeatable) => {
                        open.push(repeatable);
                        Before::Nothing
                    }
                    None => before,
                },
                ')' => {
                    open.pop().ok_or(Wrong("unmatched closing parenthesis", from))?;
                    self.out.push(')');
                    Before::Item
                }
                '|' | '^' | '$' => {
                    self.out.push(c);
                    Before::Nothing
                }
                '.' => {
                    self.out.push('.');
                    Before::Item
                }
                c => {
                    // In the extended form blanks and `#` are no characters, which the other library knows.
                    if matches!(c, '{' | '}' | ']') || !c.is_ascii() {
                        self.literal(c)
                    } else {
                        self.out.push(c)
                    }
                    Before::Item
                }
            };
        }
        if open.is_empty() { Ok(()) } else { Err(Wrong(UNCLOSED, self.text.len())) }
    }

    /// Length of a `{n}`, `{n,}` or `{n,m}` that begins here.
    fn counted(&self) -> Result<Option<usize>, Fault> {
        let Some(end) = self.rest().find('}') else { return Ok(None) };
        let inside = &self.rest()[1..end];
        let (low, high) = inside.split_once(',').map_or((inside, None), |(low, high)| (low, Some(high)));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(low) || !high.is_none_or(|high| high.is_empty() || digits(high)) {
            return Ok(None);
        }
        let big = |text: &str| {
            text.trim_start_matches('0').len() > 5 || text.parse::<u32>().is_ok_and(|n| n > 65535)
        };
        if big(low) {
            return Err(Wrong("number too big in {} quantifier", self.at + 1 + low.len()));
        }
        if high.is_some_and(big) {
            return Err(Wrong("number too big in {} quantifier", self.at + end));
        }
        let bounds = (low.parse::<u32>(), high.unwrap_or_default().parse::<u32>());
        if let (Ok(low), Ok(high)) = bounds
            && low > high
        {
            return Err(Wrong("numbers out of order in {} quantifier", self.at + end));
        }
        Ok(Some(end + 1))
    }

    fn quantifier(&mut self, before: Before, from: usize) -> Result<(), Fault> {
        if before != Before::Item {
            return Err(Wrong(NOTHING_TO_REPEAT, from));
        }
        let len = if self.peek() == Some('{') { self.counted()?.unwrap_or(1) } else { 1 };
        self.out.push_str(&self.text[from..from + len]);
        self.at += len;
        if self.eat("+") {
            self.out.push('+');
            self.backtracks = true;
        }
        if self.eat("?") {
            self.out.push('?');
        }
        Ok(())
    }

    /// What follows `(`; `None`: it was a comment or switched flags.
    fn group(&mut self) -> Result<Option<bool>, Fault> {
        if self.rest().starts_with('*') {
            return Err(self.verb());
        }
        if !self.eat("?") {
            self.out.push('(');
            self.opened += 1;
            return Ok(Some(true));
        }
        if self.eat("#") {
            let end = self.rest().find(')').ok_or(Wrong("missing ) after (?# comment", self.text.len()))?;
            self.at += end + 1;
            return Ok(None);
        }
        for mark in ["=", "!", "<=", "<!", ">"] {
            if self.eat(mark) {
                self.out.push_str("(?");
                self.out.push_str(mark);
                self.backtracks = true;
                return Ok(Some(true));
            }
        }
        if self.rest().starts_with('(') {
            return Err(self.condition());
        }
        if let Some(mark) = ["&", "P>"].iter().find(|mark| self.rest().starts_with(**mark)) {
            return Err(self.call(mark.len()));
        }
        if self.rest().starts_with(|c: char| c.is_ascii_digit() || c == '+')
            || self
                .rest()
                .strip_prefix('-')
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        {
            return Err(self.numbered_call());
        }
        for (mark, what) in
            [("|", "a group whose branches count anew"), ("R", "recursion"), ("C", "a callout")]
        {
            if self.rest().starts_with(mark) {
                return Err(Missing(what));
            }
        }
        if self.eat("P=") {
            let end = self.rest().find(')').ok_or(Wrong(UNCLOSED, self.text.len()))?;
            let name = self.rest()[..end].to_owned();
            self.at += end + 1;
            self.out.push_str(&format!("\\k<{name}>"));
            self.backtracks = true;
            return Ok(None);
        }
        let close = match self.rest().as_bytes() {
            [b'P', b'<', ..] | [b'<', ..] => Some('>'),
            [b'\'', ..] => Some('\''),
            _ => None,
        };
        if let Some(close) = close {
            self.at += if self.rest().starts_with("P<") { 2 } else { 1 };
            let name: String =
                self.rest().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if name.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(Wrong("subpattern name must start with a non-digit", self.at));
            }
            self.at += name.len();
            if name.is_empty() {
                return Err(Wrong("subpattern name expected", self.at));
            }
            if self.next() != Some(close) {
                return Err(Wrong("syntax error in subpattern name (missing terminator?)", self.at));
            }
            self.out.push_str(&format!("(?P<{name}>"));
            self.opened += 1;
            return Ok(Some(true));
        }
        let mut flags = String::from("(?");
        loop {
            match self.next() {
                Some(c @ ('i' | 'm' | 's' | 'x' | 'U' | '-')) => flags.push(c),
                Some('^' | 'J' | 'n') => return Err(Missing("one of its flags")),
                Some(c @ (':' | ')')) => {
                    flags.push(c);
                    // `(?)` and `(?:` have no flags.
                    self.out.push_str(if flags == "(?)" { "" } else { &flags });
                    return Ok((c == ':').then_some(true));
                }
                Some(_) => return Err(Wrong("unrecognized character after (? or (?-", self.at - 1)),
                None => return Err(Wrong(UNCLOSED, self.text.len())),
            }
        }
    }

    /// What follows a backslash, outside of a class.
    fn escape(&mut self, from: usize) -> Result<Before, Fault> {
        let Some(c) = self.next() else { return Err(Wrong(AT_END, self.at)) };
        match c {
            'A' | 'z' | 'b' | 'B' => {
                self.out.push('\\');
                self.out.push(c);
                return Ok(Before::Nothing);
            }
            // Before a last newline: what is matched here has none.
            'Z' => {
                self.out.push_str("\\z");
                return Ok(Before::Nothing);
            }
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
                self.out.push('\\');
                self.out.push(c);
            }
            'h' => self.out.push_str("[\\t ]"),
            'H' => self.out.push_str("[^\\t ]"),
            'v' => self.out.push_str("[\\n\\x0b\\x0c\\r]"),
            'V' => self.out.push_str("[^\\n\\x0b\\x0c\\r]"),
            'R' => self.out.push_str("(?:\\r\\n|[\\n\\x0b\\x0c\\r])"),
            'N' => self.out.push_str("[^\\n]"),
            'C' => self.out.push_str("(?s:.)"),
            'Q' => {
                let end = self.rest().find("\\E");
                let inside = self.rest()[..end.unwrap_or(self.rest().len())].to_owned();
                self.at += inside.len() + end.map_or(0, |_| 2);
                inside.chars().for_each(|c| self.literal(c));
            }
            'E' => {}
            'K' => {
                self.out.push_str("\\K");
                self.backtracks = true;
                return Ok(Before::Nothing);
            }
            'G' => return Err(Missing("\\G")),
            'X' => return Err(Missing("\\X")),
            'p' | 'P' => return Err(self.property()),
            'g' | 'k' => self.reference(c)?,
            '1'..='9' => {
                let digits = self.digits(Some(c));
                let number: usize = digits.parse().unwrap_or(usize::MAX);
                // Two digits or more that no group has are an octal number, if they can be.
                let octal = c < '8' && number > 9 && number > self.groups;
                if !octal {
                    return self.refer(number).map(|()| Before::Item);
                }
                self.at = from + 1;
                self.octal();
            }
            c => {
                let c = self.character(c)?;
                self.literal(c);
            }
        }
        Ok(Before::Item)
    }

    /// A reference to a group that there is.
    fn refer(&mut self, number: usize) -> Result<(), Fault> {
        if number == 0 || number > self.groups {
            return Err(Wrong(NO_GROUP, self.at - 1));
        }
        self.out.push_str(&format!("\\{number}"));
        self.backtracks = true;
        Ok(())
    }

    /// What follows `\g` or `\k`: a number, perhaps counted back from here, or a name.
    fn reference(&mut self, letter: char) -> Result<(), Fault> {
        let close = match self.peek() {
            Some('{') => Some('}'),
            Some('<') if letter == 'k' => Some('>'),
            Some('\'') if letter == 'k' => Some('\''),
            Some('<' | '\'') => return Err(Missing("recursion")),
            _ => None,
        };
        let name = match close {
            Some(close) => {
                let end = self.rest()[1..].find(close).ok_or(Wrong(NO_NAME, self.at))?;
                let name = self.rest()[1..=end].to_owned();
                self.at += end + 2;
                name
            }
            None => {
                let sign = if self.eat("-") { "-" } else { "" };
                format!("{sign}{}", self.digits(None))
            }
        };
        if name.is_empty() || name == "-" {
            return Err(Wrong(NO_NAME, self.at));
        }
        if let Some(back) = name.strip_prefix('-').and_then(|back| back.parse::<usize>().ok()) {
            return self.refer((self.opened + 1).saturating_sub(back));
        }
        if let Ok(number) = name.parse() {
            return self.refer(number);
        }
        let named = ["(?<", "(?P<", "(?'"].iter().any(|begin| {
            self.text.match_indices(begin).any(|(at, _)| {
                let rest = &self.text[at + begin.len()..];
                rest.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(['>', '\'']))
            })
        });
        if !named {
            return Err(Wrong(NO_GROUP, self.at - 1));
        }
        self.out.push_str(&format!("\\k<{name}>"));
        self.backtracks = true;
        Ok(())
    }

    fn digits(&mut self, first: Option<char>) -> String {
        let mut digits: String = first.into_iter().collect();
        while let Some(c) = self.peek().filter(char::is_ascii_digit) {
            digits.push(c);
            self.at += 1;
        }
        digits
    }

    /// Up to three octal digits, written out.
    fn octal(&mut self) {
        let c = self.octal_value();
        self.literal(c);
    }

    fn octal_value(&mut self) -> char {
        let mut value = 0u8;
        for _ in 0..3 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
            value = value.wrapping_mul(8).wrapping_add(u8::try_from(digit).unwrap_or_default());
            self.at += 1;
        }
        char::from(value)
    }

    /// The character that an escape stands for.
    fn character(&mut self, c: char) -> Result<char, Fault> {
        Ok(match c {
            'a' => '\x07',
            'e' => '\x1b',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '0' => {
                self.at -= 1;
                self.octal_value()
            }
            'c' => match self.next() {
                Some(c) if c.is_ascii() => char::from(c.to_ascii_uppercase() as u8 ^ 64),
                _ => return Err(Wrong("\\c at end of pattern", self.at)),
            },
            'x' | 'o' => {
                let radix = if c == 'x' { 16 } else { 8 };
                if self.eat("{") {
                    let end =
                        self.rest().find('}').ok_or(Wrong("missing terminating } for \\x{", self.at))?;
                    let value = u32::from_str_radix(&self.rest()[..end], radix)
                        .ok()
                        .and_then(|n| u8::try_from(n).ok());
                    let value = value
                        .ok_or(Wrong("character code point value in \\x{} or \\o{} is too large", self.at))?;
                    self.at += end + 1;
                    return Ok(char::from(value));
                }
                let mut value = 0;
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(radix)) else { break };
                    value = value * 16 + digit;
                    self.at += 1;
                }
                char::from(u8::try_from(value).unwrap_or_default())
            }
            'F' | 'L' | 'l' | 'U' | 'u' => {
                return Err(Wrong("PCRE2 does not support \\F, \\L, \\l, \\N{name}, \\U, or \\u", self.at));
            }
            c if c.is_ascii_alphanumeric() => {
                return Err(Wrong("unrecognized character follows \\", self.at - 1));
            }
            c => c,
        })
    }
}

/// How many groups capture.
fn count_groups(text: &str) -> usize {
    let (mut count, mut class, mut bytes) = (0, false, text.bytes().peekable());
    while let Some(b) = bytes.next() {
        match b {
            b'\\' => drop(bytes.next()),
            b'[' if !class => class = true,
            b']' => class = false,
            b'(' if !class && bytes.peek() != Some(&b'?') && bytes.peek() != Some(&b'*') => count += 1,
            _ => {}
        }
    }
    // Named ones; look-behind looks alike and is refused elsewhere.
    count + text.matches("(?P<").count() + text.matches("(?<").count() + text.matches("(?'").count()
}

#[cfg(test)]
mod tests;
