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
    let strict = matches!(input, JsonInput::Utf8 | JsonInput::Utf8p);
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            // A JSON escape of four digits ends here; HAProxy does not write surrogates.
            if u32::from(c) > 0xffff {
                if strict {
                    return None;
                }
                continue;
            }
            push(c, &mut out);
        }
        if !chunk.invalid().is_empty() && strict {
            return None;
        }
    }
    Some(Bytes::Own(out))
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
