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
