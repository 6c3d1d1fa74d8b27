//! Times (`us ms s m h d`) and sizes (`k m g`).

use std::time::Duration;

use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::character::complete::{digit1, one_of};
use nom::combinator::{opt, value};
use nom::{IResult, Parser};

use super::ValueError;

/// Unit of a time, and the one that a bare number has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
    /// Minutes.
    M,
    /// Hours.
    H,
    /// Days.
    D,
}

impl Unit {
    const fn micros(self) -> u64 {
        match self {
            Self::Us => 1,
            Self::Ms => 1_000,
            Self::S => 1_000_000,
            Self::M => 60_000_000,
            Self::H => 3_600_000_000,
            Self::D => 86_400_000_000,
        }
    }
}

fn unit(input: &str) -> IResult<&str, Unit> {
    alt((
        value(Unit::Us, tag("us")),
        value(Unit::Ms, tag("ms")),
        value(Unit::S, tag("s")),
        value(Unit::M, tag("m")),
        value(Unit::H, tag("h")),
        value(Unit::D, tag("d")),
    ))
    .parse(input)
}

fn digits(text: &str) -> Result<(&str, u64), ValueError> {
    let parsed: IResult<&str, &str> = digit1(text);
    let (rest, digits) =
        parsed.map_err(|_| text.chars().next().map_or(ValueError::Empty, ValueError::Unexpected))?;
    Ok((rest, digits.parse().map_err(|_| ValueError::Overflow)?))
}

fn end(rest: &str) -> Result<(), ValueError> {
    rest.chars().next().map_or(Ok(()), |c| Err(ValueError::Unexpected(c)))
}

/// A time. `default` is the unit of a bare number, and also the step: HAProxy keeps its timers in it, so what lies
/// between two steps is the longer one, and one beyond 2^31-1 steps an overflow.
///
/// # Errors
/// If the text is no time or does not fit.
pub fn time(text: &str, default: Unit) -> Result<Duration, ValueError> {
    let (time, rest) = time_prefix(text, default)?;
    end(rest)?;
    Ok(time)
}

/// A time and what follows its unit. Versions of HAProxy before 2.7 ignore that, with a warning.
///
/// # Errors
/// If the text does not begin with a time or it does not fit. Text after a bare number is an error too.
pub fn time_prefix(text: &str, default: Unit) -> Result<(Duration, &str), ValueError> {
    let (rest, number) = digits(text)?;
    let given: IResult<&str, Option<Unit>> = opt(unit).parse(rest);
    let (rest, given) = given.unwrap_or((rest, None));
    if given.is_none() {
        end(rest)?;
    }
    let micros = number.checked_mul(given.unwrap_or(default).micros()).ok_or(ValueError::Overflow)?;
    match micros.div_ceil(default.micros()) {
        steps if steps > 0x7fff_ffff => Err(ValueError::Overflow),
        steps => Ok((Duration::from_micros(steps * default.micros()), rest)),
    }
}

/// A size in bytes: `k`, `m` and `g` are powers of 1024, in either case.
///
/// # Errors
/// If the text is no size or does not fit.
pub fn size(text: &str) -> Result<u64, ValueError> {
    let (rest, number) = digits(text)?;
    let letter: IResult<&str, Option<char>> = opt(one_of("kKmMgG")).parse(rest);
    let (rest, letter) = letter.unwrap_or((rest, None));
    end(rest)?;
    let shift = match letter.map(|c| c.to_ascii_lowercase()) {
        Some('k') => 10,
        Some('m') => 20,
        Some('g') => 30,
        _ => 0,
    };
    number.checked_mul(1 << shift).ok_or(ValueError::Overflow)
}
