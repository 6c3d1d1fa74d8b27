//! Why a received packet was not acted on, in words and as the counter it adds to.

use std::fmt;
use std::net::IpAddr;

use super::packet::{TTL, TYPE_ADVERT, Version};

/// Why a packet was not acted on. `Display` is the log line after the instance name, in keepalived's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Not even the fixed headers are there.
    TooShort(usize),
    /// Length of the packet is not what its own headers say.
    Length {
        /// Bytes that arrived.
        got: usize,
        /// Bytes that belong to such a packet.
        expected: usize,
    },
    /// Total length of the IP header disagrees with what arrived.
    TotalLength {
        /// Says the header.
        header: usize,
        /// Arrived.
        got: usize,
    },
    /// TTL or hop limit.
    Ttl(u8),
    /// TTL outside the range of a unicast peer.
    PeerTtl {
        /// Arrived with.
        got: u8,
        /// Accepted range.
        range: (u8, u8),
    },
    /// Protocol version.
    Version {
        /// Arrived.
        got: u8,
        /// Configured.
        expected: u8,
    },
    /// Packet type other than advertisement.
    Type(u8),
    /// Virtual router id (only when the caller did not sort by it before).
    Vrid(u8),
    /// Authentication header where none is configured.
    AhUnexpected,
    /// No authentication header although one is configured.
    AhMissing,
    /// What follows the authentication header is not VRRP.
    AhNextHeader(u8),
    /// The keyed digest does not match: wrong password or changed on the way.
    AhDigest,
    /// The security parameter index is not the source address.
    AhSpi {
        /// Source address as a number.
        source: u32,
        /// Index in the header.
        spi: u32,
    },
    /// Sequence number already seen.
    Replay {
        /// In the packet.
        got: u32,
        /// Highest so far.
        last: u32,
    },
    /// Unknown authentication type.
    AuthType(u8),
    /// Another authentication type than configured.
    AuthMismatch {
        /// Arrived.
        got: u8,
        /// Configured.
        expected: u8,
    },
    /// Wrong password.
    Password,
    /// Version 2 intervals differ.
    Interval {
        /// Own, seconds.
        mine: u64,
        /// In the packet, seconds.
        got: u8,
    },
    /// Version 3 with an interval of 0.
    NoInterval,
    /// Number of addresses.
    AddressCount {
        /// In the packet.
        got: usize,
        /// Configured.
        expected: usize,
    },
    /// An address of ours is not in the packet.
    AddressMissing {
        /// Virtual router.
        vrid: u8,
        /// The missing one.
        address: IpAddr,
    },
    /// Checksum.
    Checksum(Version),
    /// Multicast where unicast is configured, or the other way round.
    Cast {
        /// Is unicast configured here?
        expect_unicast: bool,
    },
    /// Unicast from somebody who is not a peer.
    Source(IpAddr),
    /// From our own address.
    OwnAddress(IpAddr),
    /// No signature although one is required.
    TrailerMissing,
    /// A signature of an unknown kind.
    TrailerMalformed,
    /// Signed with a key we do not have.
    TrailerKey(u8),
    /// The signature is wrong.
    TrailerDigest,
    /// Signed too long ago, or with a clock too far from ours.
    TrailerStale {
        /// Seconds from then to now.
        skew: i64,
        /// Seconds that are allowed.
        window: u64,
    },
    /// Signed, and heard before.
    TrailerReplay,
}

/// The counter a rejected packet adds to, by keepalived's names for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectCounter {
    /// `packet_len_err`.
    Length,
    /// `ip_ttl_err`.
    Ttl,
    /// Version errors.
    Version,
    /// `invalid_type_rcvd`.
    Type,
    /// `advert_interval_err`.
    Interval,
    /// `addr_list_err`.
    AddressList,
    /// `invalid_authtype`.
    AuthType,
    /// `authtype_mismatch`.
    AuthMismatch,
    /// `auth_failure`.
    AuthFailure,
    /// Checksum errors.
    Checksum,
    /// Adverts with our own address.
    Own,
    /// `auth_ext_missing`.
    TrailerMissing,
    /// `auth_ext_malformed`.
    TrailerMalformed,
    /// `auth_ext_unknown_key`.
    TrailerKey,
    /// `auth_ext_invalid_hmac`.
    TrailerDigest,
    /// `auth_ext_stale`.
    TrailerStale,
    /// `auth_ext_replay`.
    TrailerReplay,
}

impl Reject {
    /// The counter this adds to.
    #[must_use]
    pub fn counter(&self) -> RejectCounter {
        match self {
            Self::TooShort(_) | Self::Length { .. } | Self::TotalLength { .. } => RejectCounter::Length,
            Self::Ttl(_) | Self::PeerTtl { .. } => RejectCounter::Ttl,
            Self::Version { .. } => RejectCounter::Version,
            Self::Type(_) | Self::Vrid(_) | Self::AhNextHeader(_) => RejectCounter::Type,
            Self::AhUnexpected | Self::AhMissing | Self::AuthMismatch { .. } => RejectCounter::AuthMismatch,
            Self::AhDigest | Self::AhSpi { .. } | Self::Replay { .. } | Self::Password => {
                RejectCounter::AuthFailure
            }
            Self::TrailerMissing => RejectCounter::TrailerMissing,
            Self::TrailerMalformed => RejectCounter::TrailerMalformed,
            Self::TrailerKey(_) => RejectCounter::TrailerKey,
            Self::TrailerDigest => RejectCounter::TrailerDigest,
            Self::TrailerStale { .. } => RejectCounter::TrailerStale,
            Self::TrailerReplay => RejectCounter::TrailerReplay,
            Self::AuthType(_) => RejectCounter::AuthType,
            Self::Interval { .. } | Self::NoInterval => RejectCounter::Interval,
            Self::AddressCount { .. } | Self::AddressMissing { .. } | Self::Cast { .. } | Self::Source(_) => {
                RejectCounter::AddressList
            }
            Self::Checksum(_) => RejectCounter::Checksum,
            Self::OwnAddress(_) => RejectCounter::Own,
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort(n) => write!(f, "VRRP packet too short - {n} bytes"),
            Self::Length { got, expected } => {
                let how = if got > expected { "long" } else { "short" };
                write!(f, "vrrp packet too {how}, length {got} and expect {expected}")
            }
            Self::TotalLength { header, got } => {
                write!(f, "ip_tot_len mismatch against received length. {header} and received {got}")
            }
            Self::Ttl(got) => write!(f, "invalid TTL/HL. Received {got} and expect {TTL}"),
            Self::PeerTtl { got, range } => write!(f, "TTL/HL {got} not in range {} - {}", range.0, range.1),
            Self::Version { got, expected } => {
                write!(f, "wrong version. Received {got} and expect {expected}")
            }
            Self::Type(got) => write!(f, "Invalid packet type. {got} and expect {TYPE_ADVERT}"),
            Self::Vrid(got) => write!(f, "advert for virtual router {got}"),
            Self::AhUnexpected => f.write_str("Received AH header but auth type not AH"),
            Self::AhMissing => f.write_str("No AH header but auth type is AH"),
            Self::AhNextHeader(got) => write!(f, "AH header for protocol {got}"),
            Self::AhDigest => f.write_str(
                "IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields mutation or bad password !",
            ),
            Self::AhSpi { source, spi } => {
                write!(f, "IPSEC AH : invalid IPSEC SPI value. {source} and expect {spi}")
            }
            Self::Replay { got, last } => {
                write!(f, "IPSEC-AH : sequence number {got} already processed. Packet dropped. Local({last})")
            }
            Self::AuthType(got) => write!(f, "Invalid auth type: {got}"),
            Self::AuthMismatch { got, expected } => {
                write!(f, "received a {got} auth, expecting {expected}!")
            }
            Self::Password => f.write_str("received an invalid passwd!"),
            Self::Interval { mine, got } => {
                write!(f, "advertisement interval mismatch mine={mine} sec rcv'd={got} sec")
            }
            Self::NoInterval => f.write_str("advertisement interval of 0"),
            Self::AddressCount { got, expected } => {
                write!(f, "received an unexpected ip number count {got}, expected {expected}!")
            }
            Self::AddressMissing { vrid, address } => {
                write!(f, "ip address associated with VRID {vrid} not present in MASTER advert: {address}")
            }
            Self::Checksum(v) => write!(f, "Invalid VRRPv{} checksum", v.number()),
            Self::Cast { expect_unicast } => {
                let (want, got) = if *expect_unicast { ("un", "mult") } else { ("mult", "un") };
                write!(f, "Expected {want}icast packet but received {got}icast packet")
            }
            Self::Source(a) => write!(f, "unicast source address {a} not a unicast peer"),
            Self::OwnAddress(a) => write!(f, "advert received from our own IP address {a}"),
            Self::TrailerMissing => f.write_str("missing authentication trailer"),
            Self::TrailerMalformed => f.write_str("malformed authentication trailer"),
            Self::TrailerKey(id) => write!(f, "unknown authentication key id {id}"),
            Self::TrailerDigest => f.write_str("invalid authentication HMAC"),
            Self::TrailerStale { skew, window } => {
                write!(f, "stale authentication trailer, clock skew {skew} sec exceeds window {window} sec")
            }
            Self::TrailerReplay => f.write_str("replayed authentication trailer"),
        }
    }
}

impl std::error::Error for Reject {}
