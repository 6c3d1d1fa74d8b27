//! `eth.*`, `ip.*`, `tcp.*`: fields of packet headers, as `fc_saved_syn` yields them.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::ir::expr::PacketField as P;

use super::super::sample::{Bytes, Sample};

pub(super) fn apply(field: P, packet: &[u8]) -> Option<Sample<'static>> {
    match field {
        P::EthData | P::EthDst | P::EthHdr | P::EthProto | P::EthSrc | P::EthVlan => ethernet(field, packet),
        P::IpData
        | P::IpDf
        | P::IpDst
        | P::IpFingerprint(_)
        | P::IpHdr
        | P::IpProto
        | P::IpSrc
        | P::IpTos
        | P::IpTtl
        | P::IpVer => ip(field, packet),
        _ => tcp(field, packet),
    }
}

fn be(bytes: &[u8]) -> i64 {
    bytes.iter().fold(0, |n, b| (n << 8) | i64::from(*b))
}

fn int(bytes: Option<&[u8]>) -> Option<Sample<'static>> {
    bytes.map(|b| Sample::Int(be(b)))
}

fn bin(bytes: Option<&[u8]>) -> Option<Sample<'static>> {
    bytes.map(|b| Sample::Bin(Bytes::copy(b)))
}

fn ethernet(field: P, frame: &[u8]) -> Option<Sample<'static>> {
    // Tags of 802.1Q and 802.1ad stand before the type.
    let mut at = 12;
    let mut vlan = None;
    while matches!(frame.get(at..at + 2)?, [0x81, 0x00] | [0x88, 0xa8]) {
        vlan = Some(be(frame.get(at + 2..at + 4)?) & 0xfff);
        at += 4;
    }
    match field {
        P::EthData => bin(frame.get(at + 2..)),
        P::EthDst => bin(frame.get(..6)),
        P::EthHdr => bin(frame.get(..at + 2)),
        P::EthProto => int(frame.get(at..at + 2)),
        P::EthSrc => bin(frame.get(6..12)),
        _ => vlan.map(Sample::Int),
    }
}

fn ip(field: P, packet: &[u8]) -> Option<Sample<'static>> {
    let version = packet.first()? >> 4;
    let header = match version {
        4 => usize::from(packet[0] & 15) * 4,
        6 => ipv6_header(packet)?,
        _ => return None,
    };
    let v4 = version == 4;
    let one = |at: usize| int(packet.get(at..=at));
    match field {
        P::IpVer => Some(Sample::Int(version.into())),
        P::IpHdr => bin(packet.get(..header)),
        P::IpData => bin(packet.get(header..)),
        P::IpTtl => one(if v4 { 8 } else { 7 }),
        P::IpProto if v4 => one(9),
        P::IpProto => ipv6_protocol(packet).map(|n| Sample::Int(n.into())),
        P::IpTos if v4 => one(1),
        P::IpTos => int(packet.get(..2)).and_then(|s| Some(Sample::Int((s.as_int()? >> 4) & 0xff))),
        // Routers never fragment IPv6.
        P::IpDf => Some(Sample::Int(if v4 { i64::from((packet.get(6)? >> 6) & 1) } else { 1 })),
        P::IpFingerprint(mode) => fingerprint(packet, header, mode).map(|b| Sample::Bin(Bytes::Own(b))),
        P::IpSrc | P::IpDst => {
            let second = field == P::IpDst;
            if v4 {
                let at = if second { 16 } else { 12 };
                let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
                Some(Sample::Ipv4(Ipv4Addr::from(octets)))
            } else {
                let at = if second { 24 } else { 8 };
                let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
                Some(Sample::Ipv6(Ipv6Addr::from(octets)))
            }
        }
        _ => None,
    }
}

/// The layout is that of `ip.fp` in HAProxy's manual, byte for byte.
fn fingerprint(packet: &[u8], header: usize, mode: u8) -> Option<smallvec::SmallVec<[u8; 64]>> {
    let segment = packet.get(header..)?;
    let number = |field| ip(field, packet)?.as_int();
    let v4 = packet[0] >> 4 == 4;
    let length = be(packet.get(if v4 { 2..4 } else { 4..6 })?) as usize + if v4 { 0 } else { 40 };
    let (offset, flags) = (*segment.get(12)? >> 4, *segment.get(13)?);
    let ttl = number(P::IpTtl)?;
    let hops = match ttl {
        ..=32 => 0,
        33..=64 => 1,
        65..=128 => 2,
        _ => 3,
    };
    let bare = if v4 { 20 } else { 40 };
    let options = segment.get(20..usize::from(offset) * 4)?;
    let (mut present, mut kinds) = (0_u8, Vec::new());
    walk(options, |kind, _| {
        kinds.push(kind);
        present |= match kind {
            2..=8 => 1 << (kind - 2),
            9.. => 0x80,
            _ => 0,
        };
        false
    });
    // One more than it says, so that none can be told from zero.
    let scale = option(options, 3).map_or(0, |data| (be(data) + 1).min(15));
    let max_segment = option(options, 2).map_or(0, be);
    let mut out = smallvec::SmallVec::new();
    out.push(number(P::IpTos)? as u8);
    out.push(
        u8::from(!v4) << 7
            | (number(P::IpDf)? as u8) << 6
            | hops << 4
            | u8::from(header > bare) << 3
            | u8::from(length > header + usize::from(offset) * 4) << 2
            | (flags >> 6) & 3,
    );
    out.push(offset << 4 | scale as u8);
    out.extend_from_slice(segment.get(14..16)?);
    out.extend_from_slice(&(max_segment as u16).to_be_bytes());
    out.push(present);
    if mode & 1 != 0 {
        out.push(ttl as u8);
    }
    if mode & 2 != 0 {
        out.extend_from_slice(&kinds);
    }
    if mode & 4 != 0 {
        out.extend_from_slice(packet.get(if v4 { 12..16 } else { 8..24 })?);
    }
    Some(out)
}

/// Length of the header with its extensions, and the protocol behind them.
fn ipv6_walk(packet: &[u8]) -> Option<(usize, u8)> {
    let (mut at, mut next) = (40, *packet.get(6)?);
    while matches!(next, 0 | 43 | 44 | 51 | 60 | 135) {
        let here = packet.get(at..at + 2)?;
        let length = match next {
            44 => 8,
            51 => (usize::from(here[1]) + 2) * 4,
            _ => (usize::from(here[1]) + 1) * 8,
        };
        next = here[0];
        at += length;
    }
    Some((at, next))
}

fn ipv6_header(packet: &[u8]) -> Option<usize> {
    ipv6_walk(packet).map(|(len, _)| len)
}

fn ipv6_protocol(packet: &[u8]) -> Option<u8> {
    ipv6_walk(packet).map(|(_, next)| next)
}

fn tcp(field: P, segment: &[u8]) -> Option<Sample<'static>> {
    let header = usize::from(segment.get(12)? >> 4) * 4;
    let options = segment.get(20..header)?;
    match field {
        P::TcpSrc => int(segment.get(..2)),
        P::TcpDst => int(segment.get(2..4)),
        P::TcpSeq => int(segment.get(4..8)),
        P::TcpFlags => int(segment.get(13..14)),
        P::TcpWin => int(segment.get(14..16)),
        P::TcpMss => int(option(options, 2)),
        P::TcpWscale => int(option(options, 3)),
        P::TcpTsVal => int(option(options, 8).and_then(|o| o.get(..4))),
        P::TcpWsOpt => Some(Sample::Int(option(options, 3).is_some().into())),
        P::TcpSack => Some(Sample::Int(option(options, 4).is_some().into())),
        P::TcpTsOpt => Some(Sample::Int(option(options, 8).is_some().into())),
        P::TcpOptions => {
            let mut kinds = smallvec::SmallVec::new();
            walk(options, |kind, _| {
                kinds.push(kind);
                false
            });
            Some(Sample::Bin(Bytes::Own(kinds)))
        }
        _ => None,
    }
}

/// The data of the first option of a kind.
fn option(options: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut found = None;
    walk(options, |kind, data| {
        if kind == wanted {
            found = Some(data);
        }
        kind == wanted
    });
    found
}

/// Gives every option to `f` until that says to stop.
fn walk<'o>(options: &'o [u8], mut f: impl FnMut(u8, &'o [u8]) -> bool) {
    let mut rest = options;
    while let Some((kind, after)) = rest.split_first() {
        match kind {
            0 => return,
            1 => {
                if f(1, &[]) {
                    return;
                }
                rest = after;
            }
            kind => {
                let Some(len) = after.first().map(|l| usize::from(*l)).filter(|l| *l >= 2) else { return };
                let Some(data) = rest.get(2..len) else { return };
                if f(*kind, data) {
                    return;
                }
                rest = &rest[len..];
            }
        }
    }
}
