//! Internet checksums (RFC 1071), and those over a pseudo header (RFC 5798 5.2.8).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::PROTO_VRRP;

pub(super) fn be32(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |acc, b| acc << 8 | u32::from(*b))
}

/// Sum of 16-bit words, without the final folding (RFC 1071).
pub(super) fn sum(bytes: &[u8], start: u32) -> u32 {
    let mut words = bytes.chunks_exact(2);
    let total = words.by_ref().fold(start, |acc, w| acc + u32::from(u16::from_be_bytes([w[0], w[1]])));
    total + words.remainder().first().map_or(0, |last| u32::from(*last) << 8)
}

pub(super) fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !u16::try_from(sum).unwrap_or(0)
}

pub(super) fn pseudo_v4(source: Ipv4Addr, destination: Ipv4Addr, vrrp: &[u8]) -> u16 {
    let len = u32::try_from(vrrp.len()).unwrap_or(0);
    let start = sum(&source.octets(), sum(&destination.octets(), u32::from(PROTO_VRRP) + len));
    fold(sum(vrrp, start))
}

pub(super) fn pseudo_v6(source: Ipv6Addr, destination: Ipv6Addr, vrrp: &[u8]) -> u16 {
    let len = u32::try_from(vrrp.len()).unwrap_or(0);
    let start = sum(&source.octets(), sum(&destination.octets(), u32::from(PROTO_VRRP) + len));
    fold(sum(vrrp, start))
}
