//! The PROXY protocol, versions 1 and 2 (the specification is `doc/proxy-protocol.txt` of HAProxy), without I/O.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::net::SocketAddr;

pub use read::parse;
pub use write::{Says, header, v1, v2};

use super::Fault;

/// What a header said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Source and destination; `None`: `UNKNOWN` or `LOCAL`, the connection's own addresses count.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// Length in bytes.
    pub len: usize,
    /// What version 2 says beside them, by type.
    pub tlvs: Vec<Tlv>,
}

/// What is no header, or none that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub why: Fault,
    /// The addresses that it gave before it went wrong: the line in the log shows them.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
}

impl From<Fault> for Refused {
    fn from(why: Fault) -> Self {
        Self { why, addresses: None }
    }
}

/// Type and value of an extension of version 2.
pub type Tlv = (u8, Box<[u8]>);

/// Checksum of the header, with zeroes in its own place.
const TLV_CRC32C: u8 = 0x03;
/// Name of the host that the client wanted, at most 255 bytes.
pub const TLV_AUTHORITY: u8 = 0x02;
/// Id of the request or session, at most 128 bytes.
pub const TLV_UNIQUE_ID: u8 = 0x05;
/// What is known of an encrypted connection.
pub const TLV_SSL: u8 = 0x20;
/// Type of the extension with the name of the network namespace (2.2.8).
pub const TLV_NAMESPACE: u8 = 0x30;

/// How version 2 begins.
pub const V2_SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// CRC-32C (Castagnoli), as RFC 3720 appendix B.4 has it.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0x82f6_3b78 } else { c >> 1 })
    })
}
