//! `json` (text into a JSON string) and `json_query` (a value out of a document).

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

/// The value at `path`; nothing for null, arrays, objects and what is not there.
pub(super) fn query(path: &[JsonStep], as_int: bool, text: &[u8]) -> Option<Sample<'static>> {
    let document: serde_json::Value = serde_json::from_slice(text).ok()?;
    let mut at = &document;
    for step in path {
        at = match step {
            JsonStep::Member(name) => at.get(&**name)?,
            JsonStep::Index(index) => at.get(*index)?,
        };
    }
    match at {
        serde_json::Value::Bool(b) => Some(Sample::Bool(*b)),
        serde_json::Value::String(s) => Some(Sample::Str(Bytes::copy(s.as_bytes()))),
        serde_json::Value::Number(n) if as_int => {
            // Beyond 2^53 a JSON number is not exact everywhere.
            const EXACT: i64 = (1 << 53) - 1;
            n.as_i64().filter(|i| (-EXACT..=EXACT).contains(i)).map(Sample::Int)
        }
        serde_json::Value::Number(n) => {
            let mut out = SmallVec::new();
            push_display(&mut out, n);
            Some(Sample::Str(Bytes::Own(out)))
        }
        _ => None,
    }
}
