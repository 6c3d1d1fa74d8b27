//! Received packets: what is wrong with them, or what they say.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::checksum::{be32, fold, pseudo_v4, pseudo_v6, sum};
use super::encode::icv;
use super::{
    AH_HEADER, AUTH_DATA, Advert, Arrival, Auth, ChecksumRule, GROUP_V4, ICV, IP_HEADER, PROTO_AH,
    PROTO_VRRP, Profile, TTL, TYPE_ADVERT, VRRP_HEADER, Version, payload_len, trailer,
};
use crate::ir::vrrp::HmacMode;
use crate::vrrp::reject::Reject;

/// The virtual router id of a received packet, to find whose it is before the full check.
///
/// # Errors
/// [`Reject::TooShort`] if the fixed headers are not complete.
pub fn peek_vrid(bytes: &[u8], v6: bool) -> Result<u8, Reject> {
    let at = if v6 {
        0
    } else {
        let header = ip_header_len(bytes)?;
        if bytes[9] == PROTO_AH { header + AH_HEADER } else { header }
    };
    match bytes.get(at..at + VRRP_HEADER) {
        Some(vrrp) => Ok(vrrp[1]),
        None => Err(Reject::TooShort(bytes.len())),
    }
}

fn ip_header_len(bytes: &[u8]) -> Result<usize, Reject> {
    if bytes.len() < IP_HEADER {
        return Err(Reject::TooShort(bytes.len()));
    }
    let len = usize::from(bytes[0] & 0x0f) * 4;
    if len < IP_HEADER || bytes.len() < len { Err(Reject::TooShort(bytes.len())) } else { Ok(len) }
}

/// Checks and decodes an IPv4 packet. The order of the checks is keepalived's, so that a packet with
/// several faults is counted as the same one. `check_addresses` is false only for a known master under
/// `skip_check_adv_addr`. The sequence number is returned, not checked: the machine remembers the last.
///
/// # Errors
/// The first fault found.
pub fn decode_v4(
    profile: &Profile,
    own: IpAddr,
    check_addresses: bool,
    packet: &[u8],
) -> Result<Advert, Reject> {
    let header = ip_header_len(packet)?;
    let carries_ah = packet[9] == PROTO_AH;
    let wants_ah = matches!(profile.auth, Auth::Ah(_));
    if carries_ah != wants_ah {
        return Err(if carries_ah { Reject::AhUnexpected } else { Reject::AhMissing });
    }
    let at = header + if carries_ah { AH_HEADER } else { 0 };
    if packet.len() < at + VRRP_HEADER {
        return Err(Reject::TooShort(packet.len()));
    }
    let source = Ipv4Addr::new(packet[12], packet[13], packet[14], packet[15]);
    let destination = Ipv4Addr::new(packet[16], packet[17], packet[18], packet[19]);
    let (vrrp, trailer) = check_shape(profile, packet, at, false)?;
    check_ttl(profile, packet[8])?;
    check_version(profile, vrrp)?;
    let stamp = check_trailer(profile, source.into(), vrrp, trailer)?;
    let mut sequence = None;
    if profile.version == Version::V2 {
        sequence = check_auth(profile, packet, header, vrrp)?;
        let mine = profile.interval.as_secs();
        if mine != u64::from(vrrp[5]) {
            return Err(Reject::Interval { mine, got: vrrp[5] });
        }
    }
    check_type_and_count(profile, vrrp, check_addresses)?;
    let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    if total != packet.len() {
        return Err(Reject::TotalLength { header: total, got: packet.len() });
    }
    let old_checksum = check_sum_v4(profile, source, destination, vrrp)?;
    if destination.is_multicast() == profile.unicast() {
        return Err(Reject::Cast { expect_unicast: profile.unicast() });
    }
    check_origin(profile, own, source.into(), Some(packet[8]), vrrp, check_addresses)?;
    Ok(Advert {
        source: source.into(),
        priority: vrrp[2],
        interval: interval_of(profile.version, vrrp),
        sequence,
        old_checksum,
        stamp,
    })
}

/// Checks and decodes the payload of an IPv6 packet.
///
/// # Errors
/// The first fault found.
pub fn decode_v6(
    profile: &Profile,
    own: IpAddr,
    check_addresses: bool,
    arrival: Arrival,
    payload: &[u8],
) -> Result<Advert, Reject> {
    if payload.len() < VRRP_HEADER {
        return Err(Reject::TooShort(payload.len()));
    }
    let (vrrp, trailer) = check_shape(profile, payload, 0, true)?;
    if let Some(hop_limit) = arrival.hop_limit {
        check_ttl(profile, hop_limit)?;
    }
    check_version(profile, vrrp)?;
    let stamp = check_trailer(profile, arrival.source.into(), vrrp, trailer)?;
    check_type_and_count(profile, vrrp, check_addresses)?;
    if let Some(destination) = arrival.destination {
        if pseudo_v6(arrival.source, destination, payload) != 0 {
            return Err(Reject::Checksum(profile.version));
        }
        if destination.is_multicast() == profile.unicast() {
            return Err(Reject::Cast { expect_unicast: profile.unicast() });
        }
    }
    check_origin(profile, own, arrival.source.into(), arrival.hop_limit, vrrp, check_addresses)?;
    Ok(Advert {
        source: arrival.source.into(),
        priority: vrrp[2],
        interval: interval_of(profile.version, vrrp),
        sequence: None,
        old_checksum: false,
        stamp,
    })
}

/// Length against what the packet's own version and address count ask for. The advertisement, which begins at `at`, and
/// its trailer if it has one and we know of such.
fn check_shape<'p>(
    profile: &Profile,
    packet: &'p [u8],
    at: usize,
    v6: bool,
) -> Result<(&'p [u8], Option<&'p [u8]>), Reject> {
    let vrrp = &packet[at..];
    if vrrp[1] != profile.vrid {
        return Err(Reject::Vrid(vrrp[1]));
    }
    let version = if vrrp[0] >> 4 == 2 { Version::V2 } else { Version::V3 };
    let len = payload_len(version, v6, usize::from(vrrp[3]));
    if vrrp.len() == len {
        return Ok((vrrp, None));
    }
    if profile.hmac.is_some() && vrrp.len() == len + trailer::TRAILER {
        let (vrrp, trailer) = vrrp.split_at(len);
        return Ok((vrrp, Some(trailer)));
    }
    Err(Reject::Length { got: packet.len(), expected: at + len })
}

/// The signature, before any other field is believed; its sequence.
fn check_trailer(
    profile: &Profile,
    source: IpAddr,
    vrrp: &[u8],
    trailer: Option<&[u8]>,
) -> Result<Option<u64>, Reject> {
    match (&profile.hmac, trailer) {
        (Some(rule), Some(trailer)) => {
            if profile.unicast() && !profile.peers.iter().any(|peer| peer.address == source) {
                return Err(Reject::Source(source));
            }
            let binding = trailer::Binding { version: profile.version, vrid: profile.vrid, source };
            trailer::verify(rule, binding, vrrp, trailer).map(Some)
        }
        (Some(rule), None) if rule.mode == HmacMode::Enforce => Err(Reject::TrailerMissing),
        _ => Ok(None),
    }
}

fn check_ttl(profile: &Profile, ttl: u8) -> Result<(), Reject> {
    if profile.unicast() || ttl == TTL { Ok(()) } else { Err(Reject::Ttl(ttl)) }
}

fn check_version(profile: &Profile, vrrp: &[u8]) -> Result<(), Reject> {
    let (got, expected) = (vrrp[0] >> 4, profile.version.number());
    if got == expected { Ok(()) } else { Err(Reject::Version { got, expected }) }
}

fn check_type_and_count(profile: &Profile, vrrp: &[u8], check_addresses: bool) -> Result<(), Reject> {
    if vrrp[0] & 0x0f != TYPE_ADVERT {
        return Err(Reject::Type(vrrp[0] & 0x0f));
    }
    // A router that never pauses would be waited for no time at all (RFC 9568 7.1).
    if profile.version == Version::V3 && interval_of(profile.version, vrrp).is_zero() {
        return Err(Reject::NoInterval);
    }
    let (got, expected) = (usize::from(vrrp[3]), profile.addresses.len());
    if got != expected && (check_addresses || got == 0) {
        return Err(Reject::AddressCount { got, expected });
    }
    Ok(())
}

/// Version 2 authentication; the sequence number if there is an authentication header.
fn check_auth(profile: &Profile, packet: &[u8], header: usize, vrrp: &[u8]) -> Result<Option<u32>, Reject> {
    let (got, expected) = (vrrp[4], profile.auth.number());
    if got > 2 {
        return Err(Reject::AuthType(got));
    }
    if got != expected {
        return Err(Reject::AuthMismatch { got, expected });
    }
    match profile.auth {
        Auth::None => Ok(None),
        Auth::Pass(key) => {
            let data = &vrrp[vrrp.len() - AUTH_DATA..];
            // Constant time: the difference is accumulated, not returned at the first byte.
            let differs = data.iter().zip(key).fold(0, |acc, (a, b)| acc | (a ^ b));
            if differs == 0 { Ok(None) } else { Err(Reject::Password) }
        }
        Auth::Ah(key) => {
            let ah = &packet[header..header + AH_HEADER];
            if ah[0] != PROTO_VRRP {
                return Err(Reject::AhNextHeader(ah[0]));
            }
            let digest = icv(packet, header, &key, profile.unicast());
            let differs = ah[12..12 + ICV].iter().zip(digest).fold(0, |acc, (a, b)| acc | (a ^ b));
            if differs != 0 {
                return Err(Reject::AhDigest);
            }
            let spi = be32(&ah[4..8]);
            let source = be32(&packet[12..16]);
            if spi != source {
                return Err(Reject::AhSpi { source, spi });
            }
            Ok(Some(be32(&ah[8..12])))
        }
    }
}

/// True if the checksum was right only with the multicast group in the pseudo header.
fn check_sum_v4(
    profile: &Profile,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    vrrp: &[u8],
) -> Result<bool, Reject> {
    let bad = Err(Reject::Checksum(profile.version));
    if profile.version == Version::V2 {
        return if fold(sum(vrrp, 0)) == 0 { Ok(false) } else { bad };
    }
    // RFC 9568 left the pseudo header out again: whoever follows it is understood whatever we send.
    if profile.checksum != ChecksumRule::OldUnicast && fold(sum(vrrp, 0)) == 0 {
        return Ok(false);
    }
    let group = match profile.group {
        IpAddr::V4(group) => group,
        IpAddr::V6(_) => GROUP_V4,
    };
    let over = |to: Ipv4Addr| pseudo_v4(source, to, vrrp) == 0;
    match profile.checksum {
        ChecksumRule::OldUnicast if profile.unicast() => {
            if over(group) {
                Ok(true)
            } else {
                bad
            }
        }
        _ if over(destination) => Ok(false),
        ChecksumRule::Standard if profile.unicast() && over(group) => Ok(true),
        _ => bad,
    }
}

/// Who sent it and which addresses it claims.
fn check_origin(
    profile: &Profile,
    own: IpAddr,
    source: IpAddr,
    ttl: Option<u8>,
    vrrp: &[u8],
    check_addresses: bool,
) -> Result<(), Reject> {
    if source == own {
        return Err(Reject::OwnAddress(source));
    }
    if check_addresses {
        let listed = &vrrp[VRRP_HEADER..];
        for &address in &profile.addresses {
            let found = match address {
                IpAddr::V4(a) => listed.chunks_exact(4).take(usize::from(vrrp[3])).any(|c| c == a.octets()),
                IpAddr::V6(a) => listed.chunks_exact(16).take(usize::from(vrrp[3])).any(|c| c == a.octets()),
            };
            if !found {
                return Err(Reject::AddressMissing { vrid: profile.vrid, address });
            }
        }
    }
    if profile.unicast() && profile.check_source {
        let Some(peer) = profile.peers.iter().find(|p| p.address == source) else {
            return Err(Reject::Source(source));
        };
        if let Some(got) = ttl.filter(|t| *t < peer.ttl.0 || *t > peer.ttl.1) {
            return Err(Reject::PeerTtl { got, range: peer.ttl });
        }
    }
    Ok(())
}

fn interval_of(version: Version, vrrp: &[u8]) -> Duration {
    match version {
        Version::V2 => Duration::from_secs(u64::from(vrrp[5])),
        Version::V3 => {
            let centis = u16::from_be_bytes([vrrp[4], vrrp[5]]) & 0x0fff;
            Duration::from_millis(u64::from(centis) * 10)
        }
    }
}
