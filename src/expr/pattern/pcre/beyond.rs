//! What only PCRE can do: whether PCRE itself would take it.

use super::Fault::{self, Missing, Wrong};
use super::{NO_GROUP, Reader};

/// Verbs that may stand anywhere; those of the second list need a name behind a colon.
const VERBS: &[&str] = &["ACCEPT", "COMMIT", "F", "FAIL", "PRUNE", "SKIP", "THEN"];
const NAMED_VERBS: &[&str] = &["MARK", "", "COMMIT", "PRUNE", "SKIP", "THEN"];

/// Verbs that may stand at the beginning only.
const FIRST: &[&str] = &[
    "UTF",
    "UCP",
    "CR",
    "LF",
    "CRLF",
    "ANY",
    "ANYCRLF",
    "NUL",
    "BSR_ANYCRLF",
    "BSR_UNICODE",
    "NOTEMPTY",
    "NOTEMPTY_ATSTART",
    "NO_AUTO_POSSESS",
    "NO_DOTSTAR_ANCHOR",
    "NO_JIT",
    "NO_START_OPT",
];

/// Assertions and groups that are spelled with letters.
const LETTERS: &[&str] = &[
    "pla",
    "positive_lookahead",
    "nla",
    "negative_lookahead",
    "plb",
    "positive_lookbehind",
    "nlb",
    "negative_lookbehind",
    "napla",
    "non_atomic_positive_lookahead",
    "naplb",
    "non_atomic_positive_lookbehind",
    "atomic",
    "sr",
    "script_run",
    "asr",
    "atomic_script_run",
];

/// Properties that only PCRE has.
const PROPERTIES: &[&str] = &["L&", "Xan", "Xps", "Xsp", "Xuc", "Xwd"];

impl Reader<'_> {
    /// `(*VERB)`: reading stands at the asterisk.
    pub(super) fn verb(&self) -> Fault {
        let inside = &self.rest()[1..];
        let end = inside.find([')', ':']).unwrap_or(inside.len());
        let (name, at) = (&inside[..end], self.at + 1 + end);
        let argument = inside[end..].starts_with(':');
        let starts = self.text[..self.at - 1].is_empty() || self.text[..self.at - 1].ends_with(')');
        let limit = name.starts_with("LIMIT_") && name.contains('=');
        let known = match argument {
            true => NAMED_VERBS.contains(&name) || LETTERS.contains(&name),
            false => VERBS.contains(&name) || starts && (limit || FIRST.contains(&name)),
        };
        match (known, name) {
            (true, _) => Missing("a verb"),
            (false, "MARK") => Wrong("(*MARK) must have an argument", at),
            _ => Wrong("(*VERB) not recognized or malformed", at),
        }
    }

    /// `(?(1)...)`: reading stands at the inner parenthesis. A name that no group has is refused like a number.
    pub(super) fn condition(&self) -> Fault {
        let inside = &self.rest()[1..];
        let name = inside.strip_prefix(['<', '\'']);
        match (number(inside), name) {
            (Some(group), _) if group > self.groups => Wrong(NO_GROUP, self.at),
            (None, Some(name)) if !self.has_name(name) => Wrong(NO_GROUP, self.at + 2),
            _ => Missing("a condition"),
        }
    }

    /// `(?&name)`, `(?P>name)`: reading stands at the mark, which is so long.
    pub(super) fn call(&self, mark: usize) -> Fault {
        match self.has_name(&self.rest()[mark..]) {
            true => Missing("recursion"),
            false => Wrong(NO_GROUP, self.at + mark),
        }
    }

    /// `(?1)`, `(?+1)`, `(?-1)`: reading stands at the sign or the first digit.
    pub(super) fn numbered_call(&self) -> Fault {
        let rest = self.rest();
        let digits = rest.trim_start_matches(['+', '-']);
        let sign = rest.len() - digits.len();
        let len = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let count = number(digits).unwrap_or(usize::MAX);
        let group = match rest.as_bytes().first() {
            Some(b'+') => self.opened.checked_add(count),
            Some(b'-') => (self.opened + 1).checked_sub(count).filter(|group| *group > 0),
            _ => Some(count),
        };
        match group.is_some_and(|group| group <= self.groups) {
            true => Missing("recursion"),
            false => Wrong(NO_GROUP, self.at + sign + len),
        }
    }

    /// `\p{Lu}`, `\pL`: reading stands behind the letter.
    pub(super) fn property(&self) -> Fault {
        let rest = self.rest();
        let (name, len) = match rest.strip_prefix('{') {
            Some(inside) => match inside.find('}') {
                Some(end) => (&inside[..end], end + 2),
                None => return Wrong("malformed \\P or \\p sequence", self.text.len()),
            },
            None => match rest.chars().next() {
                Some(letter) => (&rest[..letter.len_utf8()], letter.len_utf8()),
                None => return Wrong("malformed \\P or \\p sequence", self.at),
            },
        };
        let name = name.trim_start_matches('^');
        let known = PROPERTIES.contains(&name) || regex::Regex::new(&format!("\\p{{{name}}}")).is_ok();
        match known {
            true => Missing("a Unicode property"),
            false => Wrong("unknown property after \\P or \\p", self.at + len),
        }
    }

    /// Is there a group of the name that `rest` begins with?
    fn has_name(&self, rest: &str) -> bool {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = &rest[..end];
        [format!("(?<{name}>"), format!("(?P<{name}>"), format!("(?'{name}'")]
            .iter()
            .any(|group| self.text.contains(group))
    }
}

/// The number that a text begins with.
fn number(text: &str) -> Option<usize> {
    let len = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..len].parse().ok()
}
