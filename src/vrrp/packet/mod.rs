//! VRRP on the wire: versions 2 (RFC 3768) and 3 (RFC 5798, RFC 9568), the authentication header
//! (RFC 2402 with HMAC-MD5-96, RFC 2403) and the IPv4 header around them.
//!
//! Pure: bytes in, typed values or a typed [`super::reject::Reject`] out. The IPv4 side works on whole IP packets, as raw
//! sockets deliver and accept them; the IPv6 side works on the payload, because there the kernel keeps the
//! header and hands over addresses and hop limit beside it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::ir::vrrp::AuthHmac;
pub use decode::{decode_v4, decode_v6, peek_vrid};
pub use encode::encode;
pub use trailer::Memory;

mod checksum;
mod decode;
mod encode;
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

    /// Bytes of an advertisement as its socket sees it: of IPv4 with the headers before it, with its signature.
    #[must_use]
    pub fn advert_len(&self) -> usize {
        let headers = match (self.group.is_ipv4(), &self.auth) {
            (true, Auth::Ah(_)) => IP_HEADER + AH_HEADER,
            (true, _) => IP_HEADER,
            (false, _) => 0,
        };
        headers + self.payload_len() + self.trailer_len()
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

#[cfg(test)]
mod tests;
