//! `protobuf` and `ungrpc`: one value out of a protocol buffer message.

use crate::ir::expr::ProtobufKind;

use super::super::sample::{Bytes, Sample};

/// A value as it stands on the wire.
enum Wire<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for i in 0..10 {
        let (b, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(b & 0x7f).checked_shl(7 * i)?;
        if b & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Field number and value.
fn field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Wire<'a>)> {
    let key = varint(rest)?;
    let take = |rest: &mut &'a [u8], len: usize| {
        let (head, tail) = rest.split_at_checked(len)?;
        *rest = tail;
        Some(head)
    };
    let value = match key & 7 {
        0 => Wire::Varint(varint(rest)?),
        1 => Wire::Fixed64(take(rest, 8)?.try_into().ok()?),
        2 => {
            let len = usize::try_from(varint(rest)?).ok()?;
            Wire::Bytes(take(rest, len)?)
        }
        5 => Wire::Fixed32(take(rest, 4)?.try_into().ok()?),
        _ => return None,
    };
    Some((key >> 3, value))
}

/// The first value at `path`.
pub(super) fn query(message: &[u8], grpc: bool, path: &[u64], kind: ProtobufKind) -> Option<Sample<'static>> {
    let mut rest = message;
    if grpc {
        // A flag for compression, and the length.
        let length = usize::try_from(u32::from_be_bytes(message.get(1..5)?.try_into().ok()?)).ok()?;
        if message[0] != 0 {
            return None;
        }
        rest = message.get(5..5 + length)?;
    }
    let (last, parents) = path.split_last()?;
    for number in parents {
        rest = loop {
            match field(&mut rest)? {
                (n, Wire::Bytes(inside)) if n == *number => break inside,
                _ => {}
            }
        };
    }
    loop {
        let (number, value) = field(&mut rest)?;
        if number == *last {
            return sample(&value, kind);
        }
    }
}

fn sample(value: &Wire<'_>, kind: ProtobufKind) -> Option<Sample<'static>> {
    let binary = |bytes: &[u8]| Some(Sample::Bin(Bytes::copy(bytes)));
    match (value, kind) {
        (Wire::Varint(n), ProtobufKind::Varint) => Some(Sample::Int(n.cast_signed())),
        (Wire::Varint(n), ProtobufKind::Zigzag) => {
            Some(Sample::Int((n >> 1).cast_signed() ^ (n & 1).cast_signed().wrapping_neg()))
        }
        (Wire::Varint(n), ProtobufKind::Bool) => Some(Sample::Int(i64::from(*n != 0))),
        (Wire::Fixed32(b), ProtobufKind::Fixed32 { signed: true }) => {
            Some(Sample::Int(i32::from_le_bytes(*b).into()))
        }
        (Wire::Fixed32(b), ProtobufKind::Fixed32 { signed: false }) => {
            Some(Sample::Int(u32::from_le_bytes(*b).into()))
        }
        (Wire::Fixed64(b), ProtobufKind::Fixed64) => Some(Sample::Int(i64::from_le_bytes(*b))),
        (Wire::Fixed32(b), ProtobufKind::Float) => float(f32::from_le_bytes(*b).into()),
        (Wire::Fixed64(b), ProtobufKind::Double) => float(f64::from_le_bytes(*b)),
        (Wire::Bytes(b), ProtobufKind::Bytes | ProtobufKind::Raw) => binary(b),
        (Wire::Varint(n), ProtobufKind::Raw) => binary(&n.to_le_bytes()),
        (Wire::Fixed32(b), ProtobufKind::Raw) => binary(b),
        (Wire::Fixed64(b), ProtobufKind::Raw) => binary(b),
        _ => None,
    }
}

/// HAProxy has no fractions: what stands behind the point is dropped.
#[allow(clippy::cast_possible_truncation, reason = "the conversion saturates")]
fn float(value: f64) -> Option<Sample<'static>> {
    Some(Sample::Int(value as i64))
}
