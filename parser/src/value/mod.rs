//! Scalars that both dialects share: numbers with units, addresses, ports.

mod address;
mod unit;

pub use address::{Address, Family, Host, Port, Transport, address};
pub use unit::{Unit, size, time, time_prefix};

/// Why a scalar could not be read. The text of HAProxy's messages is made where they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueError {
    /// Nothing there.
    Empty,
    /// This character may not stand there.
    Unexpected(char),
    /// Larger than can be kept.
    Overflow,
    /// Any other cause, in words.
    Other(String),
}

impl ValueError {
    /// The cause in words.
    #[must_use]
    pub fn cause(&self) -> String {
        match self {
            Self::Empty => "a value is missing".into(),
            Self::Unexpected(c) => format!("unexpected character '{c}'"),
            Self::Overflow => "the value is too large".into(),
            Self::Other(cause) => cause.clone(),
        }
    }
}

/// The integer that a text begins with, as `strtol` reads it, and what follows: hexadecimal, octal or decimal, by how it
/// begins. One that is too large is as large as can be.
#[must_use]
pub fn strtol(text: &str) -> Option<(i128, &str)> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let (radix, digits) = match hex.filter(|hex| hex.starts_with(|c: char| c.is_ascii_hexdigit())) {
        Some(hex) => (16, hex),
        None if digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    let add = |sum: i128, digit: u32| sum.saturating_mul(radix.into()).saturating_add(digit.into());
    let size = digits.chars().filter_map(|digit| digit.to_digit(radix)).fold(0, add);
    (!digits.is_empty()).then_some((sign * size, rest))
}

/// A whole word as a decimal integer, with an optional sign.
///
/// # Errors
/// If anything but digits follows, or the number does not fit.
pub fn integer(text: &str) -> Result<i64, ValueError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(c) = digits.chars().find(|c| !c.is_ascii_digit()) {
        return Err(ValueError::Unexpected(c));
    }
    if digits.is_empty() {
        return Err(ValueError::Empty);
    }
    text.parse().map_err(|_| ValueError::Overflow)
}

#[cfg(test)]
mod tests;
