//! Patterns: their spelling, by match method.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tandem_parser::lex::bytes_of;

use crate::expr::pattern::Pattern;
use crate::ir::pattern::MatchMethod;

use super::World;

/// `-m NAME`.
pub(super) fn method(name: &str) -> Option<MatchMethod> {
    Some(match name {
        "found" => MatchMethod::Found,
        "bool" => MatchMethod::Bool,
        "int" => MatchMethod::Int,
        "ip" => MatchMethod::Ip,
        "bin" => MatchMethod::Bin,
        "len" => MatchMethod::Len,
        "str" => MatchMethod::Str,
        "sub" => MatchMethod::Sub,
        "reg" => MatchMethod::Reg,
        "beg" => MatchMethod::Beg,
        "end" => MatchMethod::End,
        "dir" => MatchMethod::Dir,
        "dom" => MatchMethod::Dom,
        _ => return None,
    })
}

/// The name of a method.
pub(super) fn name(of: MatchMethod) -> &'static str {
    METHODS.into_iter().find(|name| method(name) == Some(of)).unwrap_or_default()
}

/// Names of all methods.
pub(super) const METHODS: [&str; 13] =
    ["found", "bool", "int", "ip", "bin", "len", "str", "sub", "reg", "beg", "end", "dir", "dom"];

/// Comparison in front of integer patterns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Operator {
    #[default]
    Eq,
    Ge,
    Gt,
    Le,
    Lt,
}

impl Operator {
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Self::Eq,
            "ge" => Self::Ge,
            "gt" => Self::Gt,
            "le" => Self::Le,
            "lt" => Self::Lt,
            _ => return None,
        })
    }
}

/// How a pattern of a method is read.
pub(super) struct Spelling<'w> {
    pub(super) method: MatchMethod,
    /// Integers are versions: `3.1`, major in the high 16 bits.
    pub(super) dotted: bool,
    pub(super) no_dns: bool,
    pub(super) world: &'w dyn World,
}

impl Spelling<'_> {
    /// Does it take `eq`, `gt`...?
    pub(super) fn takes_operators(&self) -> bool {
        matches!(self.method, MatchMethod::Int | MatchMethod::Len)
    }

    /// Does it look at no pattern?
    pub(super) fn takes_none(&self) -> bool {
        matches!(self.method, MatchMethod::Bool | MatchMethod::Found)
    }

    /// Reads one pattern.
    pub(super) fn read(&self, text: &str, operator: Operator) -> Result<Pattern, String> {
        match self.method {
            MatchMethod::Int | MatchMethod::Len => self.range(text, operator),
            MatchMethod::Ip => self.network(text),
            MatchMethod::Bin => hex(text).map(Pattern::Text),
            _ => Ok(Pattern::Text(bytes_of(text).into())),
        }
    }

    fn number(&self, text: &str) -> Option<i64> {
        if !self.dotted {
            return text.parse().ok();
        }
        let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
        let (major, minor) = (major.parse::<u16>().ok()?, minor.parse::<u16>().ok()?);
        Some((i64::from(major) << 16) + i64::from(minor))
    }

    fn range(&self, text: &str, operator: Operator) -> Result<Pattern, String> {
        let invalid = || format!("'{text}' is not a valid number range");
        if let Some(value) = self.number(text).filter(|_| !text.starts_with('-')) {
            return Ok(match operator {
                Operator::Eq => Pattern::Range(value, value),
                Operator::Ge => Pattern::Range(value, i64::MAX),
                Operator::Gt => Pattern::Range(value.saturating_add(1), i64::MAX),
                Operator::Le => Pattern::Range(i64::MIN, value),
                Operator::Lt => Pattern::Range(i64::MIN, value.saturating_sub(1)),
            });
        }
        let Some((low, high)) = text.split_once([':', '-']) else {
            let what = if operator == Operator::Eq {
                "not a number"
            } else {
                "neither a number nor a supported operator"
            };
            return Err(format!("'{text}' is {what}"));
        };
        let low = if low.is_empty() { Some(i64::MIN) } else { self.number(low) };
        let high = if high.is_empty() { Some(i64::MAX) } else { self.number(high) };
        match (low, high) {
            (Some(low), Some(high)) if low <= high && text.len() > 1 => Ok(Pattern::Range(low, high)),
            _ => Err(invalid()),
        }
    }

    fn network(&self, text: &str) -> Result<Pattern, String> {
        let invalid = || format!("'{text}' is not a valid IPv4 or IPv6 address");
        let (host, len) = match text.split_once('/') {
            Some((host, len)) => (host, Some(len)),
            None => (text, None),
        };
        let v4 = |ip: Ipv4Addr| {
            let mask = len.map_or(Some(u32::MAX), mask4)?;
            Some(Pattern::Net4(u32::from(ip), mask))
        };
        let v6 = |ip: Ipv6Addr| {
            let len = len.map_or(Some(128), |len| len.parse::<u8>().ok().filter(|len| *len <= 128))?;
            Some(Pattern::Net6(u128::from(ip), len))
        };
        let read = match host.parse() {
            Ok(IpAddr::V4(ip)) => v4(ip),
            Ok(IpAddr::V6(ip)) => v6(ip),
            Err(_) if self.no_dns => None,
            Err(_) => match self.world.resolve(host) {
                Some(IpAddr::V4(ip)) => v4(ip),
                Some(IpAddr::V6(ip)) => v6(ip),
                // A name that some machine may know: the text is not to blame.
                None if self.world.offline() && is_host_name(host) => Some(Pattern::Net4(0, u32::MAX)),
                None => None,
            },
        };
        read.ok_or_else(invalid)
    }
}

/// Whether a resolver might find an address for it.
fn is_host_name(text: &str) -> bool {
    text.contains('.')
        && text.contains(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// A mask as a length or as an address.
pub(super) fn mask4(text: &str) -> Option<u32> {
    match text.parse::<u32>() {
        Ok(0) => Some(0),
        Ok(len @ 1..=32) => Some(u32::MAX << (32 - len)),
        Ok(_) => None,
        Err(_) => text.parse::<Ipv4Addr>().ok().map(u32::from),
    }
}

/// Bytes from hexadecimal digits.
pub(super) fn hex(text: &str) -> Result<Box<[u8]>, String> {
    let digit = |c: char| {
        let digit = c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        digit.ok_or_else(|| format!("an hex digit is expected (found '{c}')"))
    };
    let digits: Vec<u8> = text.chars().map(digit).collect::<Result<_, _>>()?;
    match digits.len() % 2 {
        0 => Ok(digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()),
        _ => Err("an even number of hex digit is expected".to_owned()),
    }
}

/// Lines of a pattern file: comments start in the first column, blanks in front are dropped, empty lines skipped. A line
/// ends with its first carriage return, too.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    numbered(text).map(|(_, line)| line)
}

/// The same with their numbers.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.starts_with('#'))
        .map(|(number, line)| {
            let line = line.trim_start_matches([' ', '\t']);
            (number, &line[..memchr::memchr(b'\r', line.as_bytes()).unwrap_or(line.len())])
        })
        .filter(|(_, line)| !line.is_empty())
}

/// Where the line at `position` among [`lines`] stands, for messages.
pub(super) fn place(text: &str, position: usize, file: &str) -> String {
    let number = numbered(text).nth(position).map_or(0, |(number, _)| number);
    format!("at line {number} of file '{file}'")
}

/// Lines of a map file: a key, blanks, the value to the end of the line.
pub(super) fn entries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    lines(text).map(|line| match memchr::memchr2(b' ', b'\t', line.as_bytes()) {
        Some(end) => (&line[..end], line[end..].trim_matches([' ', '\t'])),
        None => (line, ""),
    })
}
