//! The PROXY protocol, versions 1 and 2 (the specification is `doc/proxy-protocol.txt` of HAProxy), without I/O.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

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

/// Type and value of an extension of version 2.
pub type Tlv = (u8, Box<[u8]>);

/// Checksum of the header, with zeroes in its own place.
const TLV_CRC32C: u8 = 0x03;
/// To be skipped.
const TLV_NOOP: u8 = 0x04;
/// Id of the request or session, at most 128 bytes.
pub const TLV_UNIQUE_ID: u8 = 0x05;
/// Type of the extension with the name of the network namespace (2.2.8).
pub const TLV_NAMESPACE: u8 = 0x30;

/// Not a PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// How version 2 begins.
pub const V2_SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Longest version 1 line, CRLF included.
const V1_MAX: usize = 107;

/// Parse the header at the start of `input`; `None`: more bytes are needed.
///
/// # Errors
/// It is no header.
pub fn parse(input: &[u8]) -> Result<Option<Header>, Malformed> {
    let n = input.len().min(12);
    if input[..n] == V2_SIGNATURE[..n] && n > 0 {
        return if n < 12 { Ok(None) } else { parse_v2(input) };
    }
    let n = input.len().min(6);
    if input[..n] == b"PROXY "[..n] {
        return parse_v1(input);
    }
    Err(Malformed)
}

fn parse_v1(input: &[u8]) -> Result<Option<Header>, Malformed> {
    let window = &input[..input.len().min(V1_MAX)];
    let Some(lf) = memchr::memchr(b'\n', window) else {
        return if window.len() == V1_MAX { Err(Malformed) } else { Ok(None) };
    };
    let line = window[..lf].strip_suffix(b"\r").ok_or(Malformed)?;
    let line = std::str::from_utf8(line).map_err(|_| Malformed)?;
    let len = lf + 1;
    let mut words = line.split(' ');
    words.next();
    let family = words.next().ok_or(Malformed)?;
    if family == "UNKNOWN" {
        return Ok(Some(Header { len, ..Header::default() }));
    }
    let rest: Vec<&str> = words.collect();
    let [src, dst, sport, dport] = rest[..] else { return Err(Malformed) };
    let ip = |s: &str| -> Result<IpAddr, Malformed> {
        match family {
            "TCP4" => s.parse().map(IpAddr::V4).map_err(|_| Malformed),
            "TCP6" => s.parse().map(IpAddr::V6).map_err(|_| Malformed),
            _ => Err(Malformed),
        }
    };
    let port = |s: &str| -> Result<u16, Malformed> {
        if s.is_empty() || !s.bytes().all(|c| c.is_ascii_digit()) {
            Err(Malformed)
        } else {
            s.parse().map_err(|_| Malformed)
        }
    };
    let src = SocketAddr::new(ip(src)?, port(sport)?);
    let dst = SocketAddr::new(ip(dst)?, port(dport)?);
    Ok(Some(Header { addresses: Some((src, dst)), len, tlvs: Vec::new() }))
}

fn parse_v2(input: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some(&[command, family, high, low]) = input.get(12..16) else { return Ok(None) };
    let len = 16 + usize::from(u16::from_be_bytes([high, low]));
    if command >> 4 != 2 || command & 15 > 1 {
        return Err(Malformed);
    }
    let Some(body) = input.get(16..len) else { return Ok(None) };
    let u16_at = |i: usize| u16::from_be_bytes([body[i], body[i + 1]]);
    let (addresses, used) = match (command & 15, family) {
        // What a proxy says of a connection of its own is of no interest.
        (0, _) => (None, body.len()),
        (_, 0x11) if body.len() >= 12 => {
            let ip = |i: usize| IpAddr::V4(Ipv4Addr::new(body[i], body[i + 1], body[i + 2], body[i + 3]));
            (Some((SocketAddr::new(ip(0), u16_at(8)), SocketAddr::new(ip(4), u16_at(10)))), 12)
        }
        (_, 0x21) if body.len() >= 36 => {
            let ip = |i: usize| {
                let mut octets = [0; 16];
                octets.copy_from_slice(&body[i..i + 16]);
                IpAddr::V6(Ipv6Addr::from(octets))
            };
            (Some((SocketAddr::new(ip(0), u16_at(32)), SocketAddr::new(ip(16), u16_at(34)))), 36)
        }
        (_, 0x11 | 0x21) => return Err(Malformed),
        // Two paths of unix sockets.
        (_, 0x31) if body.len() >= 216 => (None, 216),
        _ => (None, body.len()),
    };
    let tlvs = tlvs(&input[..len], 16 + used)?;
    Ok(Some(Header { addresses, len, tlvs }))
}

/// The extensions of a version 2 header from `at` on. They must fill it exactly, and the checksum must be right.
fn tlvs(header: &[u8], at: usize) -> Result<Vec<Tlv>, Malformed> {
    let mut found = Vec::new();
    let mut at = at;
    while at < header.len() {
        let [kind, high, low] = header.get(at..at + 3).and_then(|b| b.try_into().ok()).ok_or(Malformed)?;
        let value = at + 3..at + 3 + usize::from(u16::from_be_bytes([high, low]));
        let bytes = header.get(value.clone()).ok_or(Malformed)?;
        at = value.end;
        match kind {
            TLV_NOOP => {}
            TLV_CRC32C => {
                let sum = u32::from_be_bytes(bytes.try_into().map_err(|_| Malformed)?);
                let mut zeroed = header.to_vec();
                zeroed[value].fill(0);
                if crc32c(&zeroed) != sum {
                    return Err(Malformed);
                }
            }
            TLV_UNIQUE_ID if bytes.len() > 128 => return Err(Malformed),
            _ => found.push((kind, bytes.into())),
        }
    }
    Ok(found)
}

/// CRC-32C (Castagnoli), as RFC 3720 appendix B.4 has it.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0x82f6_3b78 } else { c >> 1 })
    })
}

/// Puts extensions behind a version 2 header; `checksum` adds the one that protects them all.
#[must_use]
pub fn with_tlvs(mut header: Vec<u8>, tlvs: &[Tlv], checksum: bool) -> Vec<u8> {
    // Behind its type and length.
    let at = header.len() + 3;
    let mut push = |kind: u8, value: &[u8]| {
        // What does not fit into the header's 16 bits of length is left out.
        let Ok(len) = u16::try_from(value.len()) else { return };
        if header.len() - 16 + 3 + value.len() <= usize::from(u16::MAX) {
            header.push(kind);
            header.extend_from_slice(&len.to_be_bytes());
            header.extend_from_slice(value);
        }
    };
    // In the order in which HAProxy writes them.
    if checksum {
        push(TLV_CRC32C, &[0; 4]);
    }
    tlvs.iter().for_each(|(kind, value)| push(*kind, value));
    let len = (header.len() - 16) as u16;
    header[14..16].copy_from_slice(&len.to_be_bytes());
    if checksum {
        let sum = crc32c(&header).to_be_bytes();
        header[at..at + 4].copy_from_slice(&sum);
    }
    header
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_every_prefix_asks_for_more() {
        let pairs = [("10.0.0.1:5", "10.0.0.2:80"), ("[2001:db8::1]:5", "[2001:db8::2]:80")];
        for (s, d) in pairs {
            let addresses = Some((s.parse().unwrap(), d.parse().unwrap()));
            for bytes in [v1(addresses), v2(addresses)] {
                assert_eq!(parse(&bytes), Ok(Some(Header { addresses, len: bytes.len(), tlvs: Vec::new() })));
                for n in 0..bytes.len() {
                    assert_eq!(parse(&bytes[..n]), Ok(None), "{n} of {bytes:?}");
                }
            }
        }
        assert_eq!(parse(&v2(None)).unwrap().unwrap().addresses, None);
        assert_eq!(parse(b"PROXY UNKNOWN whatever\r\nGET").unwrap().unwrap().len, 24);
    }

    #[test]
    fn extensions_come_back_and_must_fill_the_header() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        let addresses = Some(("10.0.0.1:5".parse().unwrap(), "10.0.0.2:80".parse().unwrap()));
        let tlvs = vec![(0xe1, b"foo"[..].into()), (0xe2, b""[..].into()), (TLV_UNIQUE_ID, b"id"[..].into())];
        for checksum in [false, true] {
            let bytes = with_tlvs(v2(addresses), &tlvs, checksum);
            let header = parse(&bytes).unwrap().unwrap();
            assert_eq!((&header.tlvs, header.len, header.addresses), (&tlvs, bytes.len(), addresses));
            for at in 0..bytes.len() {
                assert_eq!(parse(&bytes[..at]), Ok(None));
            }
            let mut other = bytes.clone();
            other[17] ^= 1;
            assert_eq!(parse(&other).is_err(), checksum);
        }
        // One byte too many, one too few.
        for len in [2u8, 4] {
            let mut bytes = v2(addresses);
            bytes.extend_from_slice(&[0xe0, 0, len, 1, 2, 3]);
            bytes[15] = 18;
            assert_eq!(parse(&bytes), Err(Malformed), "{len}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
            b"PROXY TCP4 ::1 ::1 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
            b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04aaaa",
        ] {
            assert_eq!(parse(bad), Err(Malformed), "{bad:?}");
        }
        assert_eq!(parse(&[b"PROXY ".as_slice(), &[b'x'; 120]].concat()), Err(Malformed));
    }
}
