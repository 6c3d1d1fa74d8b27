//! Writing headers.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::{TLV_AUTHORITY, TLV_CRC32C, TLV_NAMESPACE, TLV_SSL, TLV_UNIQUE_ID, Tlv, V2_SIGNATURE, crc32c};
use crate::ir::server::SendProxy;

/// What a header says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Says<'a> {
    /// Source and destination; `None`: there are none, or they are nobody's business.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// Extensions of the configuration's own.
    pub own: Vec<Tlv>,
    /// The name that the client wanted.
    pub authority: Option<&'a [u8]>,
    /// The id of the session; empty where it has none.
    pub unique_id: Option<&'a [u8]>,
    /// The network namespace of the client.
    pub namespace: Option<&'a str>,
}

/// No TLS: flags of the client, and what became of its certificate.
const PLAIN: [u8; 5] = [0; 5];

/// The header that a server is sent; the extensions in HAProxy's order.
#[must_use]
pub fn header(how: SendProxy, says: &Says<'_>) -> Vec<u8> {
    if !how.v2 {
        return v1(says.addresses);
    }
    let mut out = v2(says.addresses);
    says.own.iter().for_each(|(kind, value)| push(&mut out, *kind, value));
    // Behind its type and length.
    let sum = how.crc32c.then_some(out.len() + 3);
    if how.crc32c {
        push(&mut out, TLV_CRC32C, &[0; 4]);
    }
    let wanted = [
        (TLV_AUTHORITY, says.authority.filter(|_| how.authority)),
        (TLV_UNIQUE_ID, says.unique_id.filter(|_| how.unique_id)),
        (TLV_SSL, how.ssl.then_some(&PLAIN[..])),
        (TLV_NAMESPACE, says.namespace.map(str::as_bytes)),
    ];
    for (kind, value) in wanted {
        if let Some(value) = value {
            push(&mut out, kind, value);
        }
    }
    let len = (out.len() - 16) as u16;
    out[14..16].copy_from_slice(&len.to_be_bytes());
    if let Some(at) = sum {
        let sum = crc32c(&out).to_be_bytes();
        out[at..at + 4].copy_from_slice(&sum);
    }
    out
}

/// An extension; one that does not fit into the header's 16 bits of length is left out.
fn push(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let Ok(len) = u16::try_from(value.len()) else { return };
    if out.len() - 16 + 3 + value.len() <= usize::from(u16::MAX) {
        out.push(kind);
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(value);
    }
}

/// A version 1 line for `send-proxy`.
#[must_use]
pub fn v1(addresses: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
    match addresses {
        Some((SocketAddr::V4(s), SocketAddr::V4(d))) => {
            format!("PROXY TCP4 {} {} {} {}\r\n", s.ip(), d.ip(), s.port(), d.port()).into_bytes()
        }
        Some((s, d)) => {
            format!("PROXY TCP6 {} {} {} {}\r\n", v6(s.ip()), v6(d.ip()), s.port(), d.port()).into_bytes()
        }
        None => b"PROXY UNKNOWN\r\n".to_vec(),
    }
}

/// A version 2 header for `send-proxy-v2`; `None`: a connection of the proxy's own (checks).
#[must_use]
pub fn v2(addresses: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
    let mut out = V2_SIGNATURE.to_vec();
    match addresses {
        None => out.extend_from_slice(&[0x20, 0, 0, 0]),
        Some((SocketAddr::V4(s), SocketAddr::V4(d))) => {
            out.extend_from_slice(&[0x21, 0x11, 0, 12]);
            out.extend_from_slice(&s.ip().octets());
            out.extend_from_slice(&d.ip().octets());
            out.extend_from_slice(&s.port().to_be_bytes());
            out.extend_from_slice(&d.port().to_be_bytes());
        }
        Some((s, d)) => {
            out.extend_from_slice(&[0x21, 0x21, 0, 36]);
            out.extend_from_slice(&v6(s.ip()).octets());
            out.extend_from_slice(&v6(d.ip()).octets());
            out.extend_from_slice(&s.port().to_be_bytes());
            out.extend_from_slice(&d.port().to_be_bytes());
        }
    }
    out
}

fn v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(a) => a.to_ipv6_mapped(),
        IpAddr::V6(a) => a,
    }
}
