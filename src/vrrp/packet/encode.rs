//! Advertisements as they leave.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

use super::checksum::{fold, pseudo_v4, pseudo_v6, sum};
use super::{
    AH_HEADER, AH_PAYLOAD_LEN, AUTH_DATA, Auth, ChecksumRule, ICV, IP_HEADER, Outgoing, PROTO_VRRP, Profile,
    TOS, TYPE_ADVERT, Version, trailer,
};

/// Writes one advertisement into `out` (cleared first): a whole IP packet for IPv4, the payload for IPv6.
pub fn encode(profile: &Profile, packet: &Outgoing, out: &mut Vec<u8>) {
    out.clear();
    let ah = matches!(profile.auth, Auth::Ah(_));
    let mut at = 0;
    if let (IpAddr::V4(source), IpAddr::V4(destination)) = (packet.source, packet.destination) {
        let total = profile.advert_len();
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
pub(super) fn icv(packet: &[u8], header: usize, key: &[u8; AUTH_DATA], unicast: bool) -> [u8; ICV] {
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
