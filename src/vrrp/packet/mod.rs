//! VRRP on the wire: versions 2 (RFC 3768) and 3 (RFC 5798, RFC 9568), the authentication header
//! (RFC 2402 with HMAC-MD5-96, RFC 2403) and the IPv4 header around them.
//!
//! Pure: bytes in, typed values or a typed [`Reject`] out. The IPv4 side works on whole IP packets, as raw
//! sockets deliver and accept them; the IPv6 side works on the payload, because there the kernel keeps the
//! header and hands over addresses and hop limit beside it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

use super::reject::Reject;
use crate::ir::vrrp::{AuthHmac, HmacMode};
use checksum::{be32, fold, pseudo_v4, pseudo_v6, sum};
pub use trailer::Memory;

mod checksum;
mod trailer;

/// IP protocol number of VRRP.
pub const PROTO_VRRP: u8 = 112;
/// IP protocol number of the authentication header.
pub const PROTO_AH: u8 = 51;
/// The only TTL or hop limit a multicast advertisement may arrive with (RFC 5798 5.1.1.3): a router on
/// the way would have lowered it, so the sender is on this link.
pub const TTL: u8 = 255;
/// Priority of a master that stops (RFC 5798 5.2.4).
pub const PRIORITY_STOP: u8 = 0;
/// Priority of the router that owns the address (RFC 5798 5.2.4).
pub const PRIORITY_OWNER: u8 = 255;
/// 224.0.0.18, the VRRP group.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// `ff02::12`, the VRRP group.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

const IP_HEADER: usize = 20;
/// Bytes of an advertisement before its addresses.
pub const VRRP_HEADER: usize = 8;
/// Bytes of a password, at the end of every version 2 packet.
pub const AUTH_DATA: usize = 8;
/// Bytes of an authentication header.
pub const AH_HEADER: usize = 24;
const ICV: usize = 12;
/// Length of the authentication header in 32-bit words, minus 2 (RFC 2402 2.2).
const AH_PAYLOAD_LEN: u8 = 4;
pub(super) const TYPE_ADVERT: u8 = 1;
/// Internetwork control, as routing protocols mark their packets.
const TOS: u8 = 0xc0;

/// Protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 3768: IPv4, whole seconds, authentication.
    V2,
    /// RFC 5798 and 9568: both families, centiseconds, no authentication.
    V3,
}

impl Version {
    /// The number in the packet.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// Authentication of version 2. The key is what the file says, cut or zero-filled to eight bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Type 0.
    #[default]
    None,
    /// Type 1: the password in clear at the end of the packet.
    Pass([u8; AUTH_DATA]),
    /// Type 2: an IPsec authentication header in front of the packet.
    Ah([u8; AUTH_DATA]),
}

impl Auth {
    /// Its number in the packet.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Pass(_) => 1,
            Self::Ah(_) => 2,
        }
    }
}

/// What the version 3 checksum over IPv4 covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChecksumRule {
    /// Packet and pseudo header (RFC 5798 5.2.8); a unicast peer that still uses the old form is followed.
    #[default]
    Standard,
    /// As `Standard`, but never follow a peer to the old form (`old_unicast_checksum never`).
    StandardOnly,
    /// Pseudo header with the multicast group in place of a unicast destination (`old_unicast_checksum`).
    OldUnicast,
    /// No pseudo header (RFC 9568 5.2.8, `v3_checksum_as_v2`).
    AsV2,
}

/// What one virtual router's packets look like: the sender fills them in from it, the receiver holds
/// arriving ones against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Protocol version.
    pub version: Version,
    /// Virtual router id, 1..255.
    pub vrid: u8,
    /// Own advertisement interval; whole seconds in version 2, centiseconds in version 3.
    pub interval: Duration,
    /// Version 2 authentication.
    pub auth: Auth,
    /// Addresses of the virtual router, in the order they are sent; all of one family.
    pub addresses: Vec<IpAddr>,
    /// Version 3 checksum over IPv4.
    pub checksum: ChecksumRule,
    /// The multicast group adverts go to when there are no peers.
    pub group: IpAddr,
    /// Unicast peers with the TTL range accepted from each; empty: multicast.
    pub peers: Vec<Peer>,
    /// Only peers may send (`check_unicast_src`).
    pub check_source: bool,
    /// TTL or hop limit of what is sent.
    pub ttl: u8,
    /// Signatures behind the packets (`auth_hmac`).
    pub hmac: Option<AuthHmac>,
}

/// One unicast peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Lowest and highest TTL accepted from it.
    pub ttl: (u8, u8),
}

impl Profile {
    /// Do packets go to peers instead of the group?
    #[must_use]
    pub fn unicast(&self) -> bool {
        !self.peers.is_empty()
    }

    /// The IP protocol the packets travel in.
    #[must_use]
    pub fn protocol(&self) -> u8 {
        if matches!(self.auth, Auth::Ah(_)) { PROTO_AH } else { PROTO_VRRP }
    }

    fn trailer_len(&self) -> usize {
        if self.hmac.as_ref().is_some_and(AuthHmac::signs) { trailer::TRAILER } else { 0 }
    }

    /// Bytes of an advertisement without headers before it and a signature behind.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        payload_len(self.version, self.group.is_ipv6(), self.addresses.len())
    }
}

fn payload_len(version: Version, v6: bool, count: usize) -> usize {
    let trailer = if version == Version::V2 && !v6 { AUTH_DATA } else { 0 };
    VRRP_HEADER + trailer + count * if v6 { 16 } else { 4 }
}

/// An advertisement that passed every check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Who sent it.
    pub source: IpAddr,
    /// Priority, 0 to 255.
    pub priority: u8,
    /// The sender's interval.
    pub interval: Duration,
    /// Sequence number of the authentication header.
    pub sequence: Option<u32>,
    /// The checksum was right only in the old unicast form.
    pub old_checksum: bool,
    /// Sequence of the trailer, whose digest was right; [`Memory`] knows whether it is new.
    pub stamp: Option<u64>,
}

/// Per-packet values of an outgoing advertisement.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing {
    /// Source address.
    pub source: IpAddr,
    /// Group or peer.
    pub destination: IpAddr,
    /// Priority.
    pub priority: u8,
    /// IPv4 identification; never 0, which the kernel would replace after the header was authenticated.
    pub ip_id: u16,
    /// Sequence number for the authentication header.
    pub sequence: u32,
    /// Use the old unicast checksum although the profile says standard (a peer was seen to need it).
    pub old_checksum: bool,
    /// Sequence for the trailer, the same for every peer; see [`Memory::next`].
    pub stamp: u64,
}

/// Where a received IPv6 packet came from; for IPv4 the packet itself says.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Source address.
    pub source: Ipv6Addr,
    /// Destination address, if the kernel told.
    pub destination: Option<Ipv6Addr>,
    /// Hop limit, if the kernel told.
    pub hop_limit: Option<u8>,
}

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

/// Writes one advertisement into `out` (cleared first): a whole IP packet for IPv4, the payload for IPv6.
pub fn encode(profile: &Profile, packet: &Outgoing, out: &mut Vec<u8>) {
    out.clear();
    let ah = matches!(profile.auth, Auth::Ah(_));
    let mut at = 0;
    if let (IpAddr::V4(source), IpAddr::V4(destination)) = (packet.source, packet.destination) {
        let total =
            IP_HEADER + if ah { AH_HEADER } else { 0 } + profile.payload_len() + profile.trailer_len();
        out.extend_from_slice(&[0x45, TOS]);
        out.extend_from_slice(&u16::try_from(total).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(&packet.ip_id.to_be_bytes());
        // No flags, no fragment offset; the kernel fills in the header checksum.
        out.extend_from_slice(&[0, 0, profile.ttl, profile.protocol(), 0, 0]);
        out.extend_from_slice(&source.octets());
        out.extend_from_slice(&destination.octets());
        at = IP_HEADER;
        if ah {
            out.extend_from_slice(&[PROTO_VRRP, AH_PAYLOAD_LEN, 0, 0]);
            // The index is the sender's address: unique on the segment without any agreement.
            out.extend_from_slice(&source.octets());
            out.extend_from_slice(&packet.sequence.to_be_bytes());
            out.extend_from_slice(&[0; ICV]);
            at += AH_HEADER;
        }
    }
    encode_payload(profile, packet, out);
    let end = out.len();
    if let Some(rule) = profile.hmac.as_ref().filter(|rule| rule.signs()) {
        let binding =
            trailer::Binding { version: profile.version, vrid: profile.vrid, source: packet.source };
        trailer::sign(rule, binding, packet.stamp, at, out);
    }
    let checksum = match (packet.source, packet.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            if profile.version == Version::V2 || profile.checksum == ChecksumRule::AsV2 {
                fold(sum(&out[at..end], 0))
            } else {
                let old = profile.checksum == ChecksumRule::OldUnicast || packet.old_checksum;
                let to = match profile.group {
                    IpAddr::V4(group) if old && profile.unicast() => group,
                    _ => destination,
                };
                pseudo_v4(source, to, &out[at..end])
            }
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => pseudo_v6(source, destination, &out[at..]),
        _ => 0,
    };
    out[at + 6..at + 8].copy_from_slice(&checksum.to_be_bytes());
    if let Auth::Ah(key) = profile.auth
        && at == IP_HEADER + AH_HEADER
    {
        let digest = icv(out, IP_HEADER, &key, profile.unicast());
        out[IP_HEADER + 12..IP_HEADER + AH_HEADER].copy_from_slice(&digest);
    }
}

fn encode_payload(profile: &Profile, packet: &Outgoing, out: &mut Vec<u8>) {
    let count = u8::try_from(profile.addresses.len()).unwrap_or(u8::MAX);
    out.extend_from_slice(&[
        profile.version.number() << 4 | TYPE_ADVERT,
        profile.vrid,
        packet.priority,
        count,
    ]);
    match profile.version {
        Version::V2 => {
            let seconds = u8::try_from(profile.interval.as_secs()).unwrap_or(u8::MAX);
            out.extend_from_slice(&[profile.auth.number(), seconds]);
        }
        Version::V3 => {
            let centis = u16::try_from(profile.interval.as_millis() / 10).unwrap_or(0x0fff) & 0x0fff;
            out.extend_from_slice(&centis.to_be_bytes());
        }
    }
    out.extend_from_slice(&[0, 0]);
    for address in profile.addresses.iter().take(usize::from(u8::MAX)) {
        match address {
            IpAddr::V4(a) => out.extend_from_slice(&a.octets()),
            IpAddr::V6(a) => out.extend_from_slice(&a.octets()),
        }
    }
    if profile.version == Version::V2 && profile.group.is_ipv4() {
        match profile.auth {
            Auth::Pass(key) => out.extend_from_slice(&key),
            Auth::None | Auth::Ah(_) => out.extend_from_slice(&[0; AUTH_DATA]),
        }
    }
}

/// HMAC-MD5-96 over the packet with the fields that change on the way set to zero (RFC 2402 3.3.3.1.1).
/// The TTL counts as immutable on multicast, as keepalived has it: nobody on the link may change it.
fn icv(packet: &[u8], header: usize, key: &[u8; AUTH_DATA], unicast: bool) -> [u8; ICV] {
    let mut front = [0; 15 * 4 + AH_HEADER];
    let front = &mut front[..header + AH_HEADER];
    front.copy_from_slice(&packet[..header + AH_HEADER]);
    front[1] = 0;
    front[6..8].fill(0);
    front[10..12].fill(0);
    if unicast {
        front[8] = 0;
    }
    front[header + 12..].fill(0);
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(key) else {
        return [0; ICV];
    };
    mac.update(front);
    mac.update(&packet[header + AH_HEADER..]);
    let mut digest = [0; ICV];
    digest.copy_from_slice(&mac.finalize().into_bytes()[..ICV]);
    digest
}

#[cfg(test)]
mod tests;
