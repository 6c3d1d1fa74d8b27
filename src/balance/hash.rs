//! The hash functions of `hash-type` (manual section 4.2), 32 bits each.

use crate::ir::proxy::{HashFunction, HashType};

/// Hashes `bytes` as `kind` says, avalanche included.
#[must_use]
pub fn hash(kind: HashType, bytes: &[u8]) -> u32 {
    let value = match kind.function {
        HashFunction::Sdbm => sdbm(bytes),
        HashFunction::Djb2 => djb2(bytes),
        HashFunction::Wt6 => wt6(bytes),
        HashFunction::Crc32 => crc32(bytes),
        HashFunction::None => number(bytes),
    };
    if kind.avalanche { avalanche(value) } else { value }
}

/// The integer that a text begins with, or 0.
fn number(bytes: &[u8]) -> u32 {
    let (negative, digits) = match bytes.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, bytes),
    };
    let digits = digits.iter().take_while(|c| c.is_ascii_digit());
    let value = digits.fold(0_i64, |n, c| n.saturating_mul(10).saturating_add(i64::from(c - b'0')));
    // A hash has 32 bits.
    (if negative { -value } else { value }) as u32
}

/// The sdbm database's string hash: `h * 65599 + c`.
#[must_use]
pub fn sdbm(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |h: u32, c| h.wrapping_mul(65599).wrapping_add(u32::from(*c)))
}

/// Bernstein's string hash: `h * 33 + c` from 5381.
#[must_use]
pub fn djb2(bytes: &[u8]) -> u32 {
    bytes.iter().fold(5381, |h: u32, c| h.wrapping_mul(33).wrapping_add(u32::from(*c)))
}

/// Two words turned by data-dependent amounts.
#[must_use]
pub fn wt6(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (0xa53c_965a_u32, 0x5ca6_953a_u32);
    let (mut turn_a, mut turn_b) = (6, 18);
    for c in bytes {
        a = !(a ^ u32::from(*c));
        b = !b.wrapping_add(u32::from(*c));
        (a, b) = (b.rotate_left(turn_a), a.rotate_left(turn_b));
        let mix = ((a >> 16) ^ b) & 0xffff;
        (turn_a, turn_b) = (mix & 0x1f, mix >> 11);
    }
    a ^ b
}

/// CRC-32 of ISO 3309, as gzip and Ethernet use it.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for c in bytes {
        crc ^= u32::from(*c);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// Bob Jenkins' integer hash with full avalanche (<https://burtleburtle.net/bob/hash/integer.html>), then a
/// multiplication by 3 * 2^30 + 1 that spreads neighbours around the ring.
#[must_use]
pub fn avalanche(value: u32) -> u32 {
    let mut a = value;
    a = a.wrapping_add(0x7ed5_5d16).wrapping_add(a << 12);
    a = (a ^ 0xc761_c23c) ^ (a >> 19);
    a = a.wrapping_add(0x1656_67b1).wrapping_add(a << 5);
    a = a.wrapping_add(0xd3a2_646c) ^ (a << 9);
    a = a.wrapping_add(0xfd70_46c5).wrapping_add(a << 3);
    a = (a ^ 0xb55a_4f09) ^ (a >> 16);
    a.wrapping_mul(3_221_225_473)
}
