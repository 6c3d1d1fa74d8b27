//! `json` (text into a JSON string) and `json_query` (a value out of a document).

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;
use smallvec::SmallVec;

use crate::ir::expr::{JsonInput, JsonStep};

use super::super::sample::{Bytes, Sample, push_display};

/// Escapes text for the inside of a JSON string.
pub(super) fn encode(input: JsonInput, text: &[u8]) -> Option<Bytes<'static>> {
    let mut out = SmallVec::with_capacity(text.len());
    if input == JsonInput::Ascii {
        text.iter().for_each(|b| push(char::from(*b), &mut out));
        return Some(Bytes::Own(out));
    }
    // `utf8` and `utf8p` refuse what is wrong, the others leave it out; the `p` forms take overlong sequences.
    let strict = matches!(input, JsonInput::Utf8 | JsonInput::Utf8p);
    let overlong = matches!(input, JsonInput::Utf8p | JsonInput::Utf8ps);
    let mut rest = text;
    while !rest.is_empty() {
        let (code, len, sound) = next(rest, overlong);
        rest = &rest[len..];
        // A JSON escape has four digits; HAProxy does not write surrogates.
        match char::from_u32(code).filter(|_| sound && code <= 0xffff) {
            Some(c) => push(c, &mut out),
            None if strict => return None,
            None => {}
        }
    }
    Some(Bytes::Own(out))
}

/// One sequence: its code, the bytes it takes, and whether it is well formed.
fn next(text: &[u8], overlong: bool) -> (u32, usize, bool) {
    let first = text[0];
    let (len, bits) = match first {
        0..=0x7f => return (first.into(), 1, true),
        0xc0..=0xdf => (2, first & 0x1f),
        0xe0..=0xef => (3, first & 0x0f),
        0xf0..=0xf7 => (4, first & 0x07),
        0xf8..=0xfb => (5, first & 0x03),
        0xfc | 0xfd => (6, first & 0x01),
        _ => return (first.into(), 1, false),
    };
    if text.len() < len {
        return (first.into(), 1, false);
    }
    let mut code = u32::from(bits);
    for (i, b) in text[1..len].iter().enumerate() {
        if b & 0xc0 != 0x80 {
            return (code, i + 1, false);
        }
        code = code << 6 | u32::from(b & 0x3f);
    }
    let shortest = match code {
        0..=0x7f => 1,
        0x80..=0x7ff => 2,
        0x800..=0xffff => 3,
        _ => 4,
    };
    let sound = (overlong || len <= shortest) && !matches!(code, 0xd800..=0xdfff | 0xfffe | 0xffff);
    (code, len, sound)
}

fn push(c: char, out: &mut SmallVec<[u8; 64]>) {
    let short = match c {
        '"' | '\\' | '/' => c,
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\n' => 'n',
        '\t' => 't',
        ' '..='~' => return push_display(out, c),
        _ => return push_display(out, format_args!("\\u{:04x}", u32::from(c))),
    };
    push_display(out, format_args!("\\{short}"));
}

/// The value at `path`, an array as its text; nothing for null, objects and what is not there.
pub(super) fn query(path: &[JsonStep], as_int: bool, text: &[u8]) -> Option<Sample<'static>> {
    let mut at: &RawValue = serde_json::from_slice(text).ok()?;
    for step in path {
        at = match step {
            JsonStep::Member(name) => {
                serde_json::from_str::<HashMap<Cow<'_, str>, &RawValue>>(at.get()).ok()?.remove(&**name)?
            }
            JsonStep::Index(index) => *serde_json::from_str::<Vec<&RawValue>>(at.get()).ok()?.get(*index)?,
        };
    }
    let token = at.get();
    match token.as_bytes().first()? {
        b't' => Some(Sample::Bool(true)),
        b'f' => Some(Sample::Bool(false)),
        b'"' => Some(Sample::Str(Bytes::copy(serde_json::from_str::<String>(token).ok()?.as_bytes()))),
        b'[' => Some(Sample::Str(Bytes::copy(token.as_bytes()))),
        b'n' | b'{' => None,
        _ if as_int => {
            // Beyond 2^53 a JSON number is not exact everywhere. Of a fraction the whole part counts.
            const EXACT: i64 = (1 << 53) - 1;
            let whole = token.find(['.', 'e', 'E']).map_or(token, |end| &token[..end]);
            whole.parse().ok().filter(|i| (-EXACT..=EXACT).contains(i)).map(Sample::Int)
        }
        _ => {
            let mut out = SmallVec::new();
            write_general(token.parse().ok()?, &mut out);
            Some(Sample::Str(Bytes::Own(out)))
        }
    }
}

/// A number as `%g` of C writes it: six digits, without zeroes at the end, and with an exponent where that is shorter.
fn write_general(number: f64, out: &mut SmallVec<[u8; 64]>) {
    if number == 0.0 {
        return push_display(out, if number.is_sign_negative() { "-0" } else { "0" });
    }
    let rounded = format!("{number:.5e}");
    let Some((digits, exponent)) = rounded.split_once('e') else { return };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    match usize::try_from(5 - exponent) {
        Ok(decimals) if exponent >= -4 => push_display(out, trimmed(&format!("{number:.decimals$}"))),
        _ => {
            let sign = if exponent < 0 { '-' } else { '+' };
            push_display(out, format_args!("{}e{sign}{:02}", trimmed(digits), exponent.unsigned_abs()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_in_c() {
        let text = |number| {
            let mut out = SmallVec::new();
            write_general(number, &mut out);
            String::from_utf8(out.to_vec()).unwrap()
        };
        for (number, expected) in [
            (0.0, "0"),
            (7.0, "7"),
            (-2.5, "-2.5"),
            (0.1, "0.1"),
            (123_456.0, "123456"),
            (1_234_567.0, "1.23457e+06"),
            (999_999.5, "1e+06"),
            (0.0001, "0.0001"),
            (0.000_012_345_678, "1.23457e-05"),
            (1e300, "1e+300"),
        ] {
            assert_eq!(text(number), expected);
        }
    }
}
