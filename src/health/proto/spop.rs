//! `option spop-check`: the hello of the Stream Processing Offload Protocol (HAProxy's doc/SPOE.txt, section 3.2).

use super::Found;
use crate::health::Status;
use crate::health::script::{Custom, Step, Test, Want};

/// Frame types of an agent.
const AGENT_HELLO: u8 = 101;
const AGENT_DISCONNECT: u8 = 102;

/// The last fragment of a frame, and nothing else.
const FIN: [u8; 4] = [0, 0, 0, 1];

/// Sizes of frames that are agreed to.
const FRAME_SIZES: std::ops::RangeInclusive<u64> = 256..=16380;

/// Status codes of the protocol that a check can come to.
const NO_VERSION: u16 = 5;
const NO_FRAME_SIZE: u16 = 6;
const NO_CAPABILITIES: u16 = 7;
const BAD_VERSION: u16 = 8;
const BAD_FRAME_SIZE: u16 = 9;
const INVALID: u16 = 4;

/// Say hello, as a check only, and expect a hello.
#[must_use]
pub fn steps() -> Vec<Step> {
    let mut frame = vec![1];
    frame.extend_from_slice(&FIN);
    // No stream, no frame number.
    frame.extend_from_slice(&[0, 0]);
    let mut text = |key: &str, value: &[u8]| {
        frame.push(key.len() as u8);
        frame.extend_from_slice(key.as_bytes());
        frame.extend_from_slice(value);
    };
    text("supported-versions", b"\x08\x032.0");
    // 16380 as a variable length integer of type UINT32.
    text("max-frame-size", b"\x03\xfc\xf0\x06");
    text("capabilities", b"\x08\0");
    text("healthcheck", b"\x11");
    let mut message = (frame.len() as u32).to_be_bytes().to_vec();
    message.append(&mut frame);
    let want = Want { test: Test::Custom(Custom::SpopHello), ..Want::default() };
    vec![Step::lingering_connect(), Step::send(message), Step::expect(want)]
}

/// A variable length integer: the first byte holds 4 bits more than those that follow, which hold 7.
fn varint(input: &mut &[u8]) -> Option<u64> {
    let mut next = || {
        let (&first, rest) = input.split_first()?;
        *input = rest;
        Some(u64::from(first))
    };
    let mut value = next()?;
    if value < 240 {
        return Some(value);
    }
    let mut shift = 4;
    loop {
        let byte = next()?;
        value = value.checked_add(byte.checked_shl(shift)?)?;
        if byte < 128 {
            return Some(value);
        }
        shift += 7;
    }
}

fn text<'i>(input: &mut &'i [u8]) -> Option<&'i [u8]> {
    let length = usize::try_from(varint(input)?).ok()?;
    let (text, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(text)
}

enum Value<'i> {
    Number(u64),
    Text(&'i [u8]),
    Other,
}

fn value<'i>(input: &mut &'i [u8]) -> Option<Value<'i>> {
    let (&kind, rest) = input.split_first()?;
    *input = rest;
    Some(match kind & 0x0f {
        0 | 1 => Value::Other,
        2..=5 => Value::Number(varint(input)?),
        6 => {
            *input = input.get(4..)?;
            Value::Other
        }
        7 => {
            *input = input.get(16..)?;
            Value::Other
        }
        8 | 9 => Value::Text(text(input)?),
        _ => return None,
    })
}

fn failure(code: u16, words: &str) -> Found {
    Found::Error(Status::L7Rsp, code, words.as_bytes().to_vec())
}

/// The agent's answer.
pub(super) fn hello(input: &[u8], complete: bool) -> Found {
    let short = || if complete { failure(INVALID, "invalid frame received") } else { Found::NeedMore };
    let Some((length, _)) = input.split_first_chunk::<4>() else { return short() };
    let Some(frame) = input.get(4..4 + u32::from_be_bytes(*length) as usize) else { return short() };
    read(frame).unwrap_or_else(|| failure(INVALID, "invalid frame received"))
}

fn read(frame: &[u8]) -> Option<Found> {
    let (head, mut rest) = frame.split_first_chunk::<7>()?;
    if head[1..5] != FIN || head[5..] != [0, 0] {
        return None;
    }
    let (mut version, mut size, mut capabilities, mut status, mut message) =
        (false, false, false, 0, &b""[..]);
    while !rest.is_empty() {
        let key = text(&mut rest)?;
        let value = value(&mut rest)?;
        match (key, value) {
            (b"version", Value::Text(text)) => {
                if text.trim_ascii() != b"2.0" {
                    return Some(failure(BAD_VERSION, "unsupported version"));
                }
                version = true;
            }
            (b"max-frame-size", Value::Number(n)) => {
                if !FRAME_SIZES.contains(&n) {
                    return Some(failure(BAD_FRAME_SIZE, "max-frame-size too big or too small"));
                }
                size = true;
            }
            (b"capabilities", Value::Text(_)) => capabilities = true,
            (b"status-code", Value::Number(n)) => status = u16::try_from(n).unwrap_or(u16::MAX),
            (b"message", Value::Text(text)) => message = text,
            (b"version" | b"max-frame-size" | b"capabilities", _) => return None,
            _ => {}
        }
    }
    Some(match head[0] {
        AGENT_DISCONNECT => Found::Error(Status::L7Rsp, status, message.to_vec()),
        AGENT_HELLO if !version => failure(NO_VERSION, "version value not found"),
        AGENT_HELLO if !size => failure(NO_FRAME_SIZE, "max-frame-size value not found"),
        AGENT_HELLO if !capabilities => failure(NO_CAPABILITIES, "capabilities value not found"),
        AGENT_HELLO => Found::Ok(0, b"SPOA server is ok".to_vec()),
        _ => return None,
    })
}
