//! Reading a header, as HAProxy does to the last digit: who sends one that is a little off is served by both or by neither.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::super::Fault;
use super::{Header, Refused, TLV_AUTHORITY, TLV_CRC32C, TLV_UNIQUE_ID, Tlv, V2_SIGNATURE, crc32c};

/// Shortest line of version 1.
const V1_MIN: usize = 9;
/// What comes before the addresses in version 2.
const V2_FIXED: usize = 16;

/// Parse the header at the start of `input`, which is all that has come.
///
/// # Errors
/// It is none, or not the whole of one.
pub fn parse(input: &[u8]) -> Result<Header, Refused> {
    if input.len() < 6 {
        return Err(Fault::Truncated.into());
    }
    if input.starts_with(b"PROXY ") {
        return if input.len() < V1_MIN { Err(Fault::Truncated.into()) } else { Ok(v1(input)?) };
    }
    let Some(fixed) = input.get(..V2_FIXED) else { return Err(Fault::Truncated.into()) };
    if !fixed.starts_with(&V2_SIGNATURE) || fixed[12] >> 4 != 2 {
        return Err(Fault::Foreign.into());
    }
    v2(input)
}

fn v1(input: &[u8]) -> Result<Header, Fault> {
    let mut rest = Cursor { input, at: 6 };
    let addresses = if rest.eat(b"TCP4 ") {
        Some(rest.tcp4()?)
    } else if rest.eat(b"TCP6 ") {
        Some(rest.tcp6()?)
    } else if rest.eat(b"UNKNOWN\r\n") {
        None
    } else {
        return Err(Fault::Protocol);
    };
    Ok(Header { addresses, len: rest.at, tlvs: Vec::new() })
}

/// A line of version 1 from here on.
struct Cursor<'i> {
    input: &'i [u8],
    at: usize,
}

impl Cursor<'_> {
    fn eat(&mut self, expected: &[u8]) -> bool {
        let found = self.input[self.at..].starts_with(expected);
        self.at += if found { expected.len() } else { 0 };
        found
    }

    fn tcp4(&mut self) -> Result<(SocketAddr, SocketAddr), Fault> {
        let (src, dst) = (self.dotted()?, self.dotted()?);
        let src_port = self.number();
        self.blank()?;
        let dst_port = self.number();
        if self.input.len() - self.at < 2 {
            return Err(Fault::Truncated);
        }
        if !self.eat(b"\r\n") {
            return Err(Fault::Invalid);
        }
        Ok((SocketAddr::from((src, src_port)), SocketAddr::from((dst, dst_port))))
    }

    fn blank(&mut self) -> Result<(), Fault> {
        match self.input.get(self.at) {
            None => Err(Fault::Truncated),
            Some(b' ') => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(Fault::Invalid),
        }
    }

    /// An IPv4 address and the blank behind it. Numbers that are missing are zero, of those that are there the last three
    /// digits count, and what is above 255 goes to the number before.
    fn dotted(&mut self) -> Result<Ipv4Addr, Fault> {
        let mut address = 0u32;
        for shift in [24, 16, 8, 0] {
            let digits = self.digits();
            let last = &digits[digits.len().saturating_sub(3)..];
            address = address.wrapping_add(decimal(last) << shift);
            if shift == 0 || !self.eat(b".") {
                break;
            }
        }
        self.blank()?;
        Ok(Ipv4Addr::from(address))
    }

    /// A port: the low 16 bits of any number.
    fn number(&mut self) -> u16 {
        decimal(self.digits()) as u16
    }

    fn digits(&mut self) -> &[u8] {
        let rest = &self.input[self.at..];
        let digits = &rest[..rest.iter().take_while(|c| c.is_ascii_digit()).count()];
        self.at += digits.len();
        digits
    }

    /// Four words; what stands behind them is not looked at.
    fn tcp6(&mut self) -> Result<(SocketAddr, SocketAddr), Fault> {
        let rest = &self.input[self.at..];
        // The last byte can be no CR: what follows it is still missing.
        let end = memchr::memchr(b'\r', &rest[..rest.len().saturating_sub(1)]).ok_or(Fault::Truncated)?;
        if rest[end + 1] != b'\n' {
            return Err(Fault::Invalid);
        }
        self.at += end + 2;
        let mut words = rest[..end].split(|c| *c == b' ');
        let mut word = || words.next().ok_or(Fault::Invalid);
        let address = |word: &[u8]| -> Option<Ipv6Addr> { std::str::from_utf8(word).ok()?.parse().ok() };
        let port = |word: &[u8]| word.iter().all(u8::is_ascii_digit).then(|| decimal(word) as u16);
        let (src, dst, src_port, dst_port) = (word()?, word()?, word()?, word()?);
        let end = |ip: &[u8], number: &[u8]| Some(SocketAddr::from((address(ip)?, port(number)?)));
        end(src, src_port).zip(end(dst, dst_port)).ok_or(Fault::Invalid)
    }
}

/// The value of digits, without what does not fit.
fn decimal(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |value: u32, digit| value.wrapping_mul(10).wrapping_add(u32::from(digit - b'0')))
}

fn v2(input: &[u8]) -> Result<Header, Refused> {
    let len = V2_FIXED + usize::from(u16::from_be_bytes([input[14], input[15]]));
    let Some(header) = input.get(..len) else { return Err(Fault::Truncated.into()) };
    match (input[12] & 15, input[13]) {
        // A connection of the sender's own. What 3.5 takes for extensions is left alone by 2.6, as the specification asks:
        // those that are in order are of use, and nobody is turned away.
        (0, _) => Ok(Header { addresses: None, len, tlvs: tlvs(header, V2_FIXED).unwrap_or_default() }),
        (1, 0x11) => addressed::<4>(header, |ip| Ipv4Addr::from(ip).into()),
        (1, 0x21) => addressed::<16>(header, |ip| Ipv6Addr::from(ip).into()),
        // Datagrams, unix sockets, and nothing at all: neither 2.6 nor 3.5 takes them.
        _ => Err(Fault::Invalid.into()),
    }
}

/// Two addresses of `N` bytes, two ports, and extensions.
fn addressed<const N: usize>(header: &[u8], ip: fn([u8; N]) -> IpAddr) -> Result<Header, Refused> {
    let body = &header[V2_FIXED..];
    let halves = || {
        let (src, rest) = body.split_first_chunk::<N>()?;
        let (dst, rest) = rest.split_first_chunk::<N>()?;
        let (ports, _) = rest.split_first_chunk::<4>()?;
        let end = |address, high, low| SocketAddr::new(ip(address), u16::from_be_bytes([high, low]));
        Some((end(*src, ports[0], ports[1]), end(*dst, ports[2], ports[3])))
    };
    let addresses = Some(halves().ok_or(Fault::Invalid)?);
    match tlvs(header, V2_FIXED + 2 * N + 4) {
        Ok(tlvs) => Ok(Header { addresses, len: header.len(), tlvs }),
        Err(why) => Err(Refused { why, addresses }),
    }
}

/// The extensions of a version 2 header from `at` on. They must fill it exactly, and the checksum must be right.
fn tlvs(header: &[u8], at: usize) -> Result<Vec<Tlv>, Fault> {
    let mut found: Vec<Tlv> = Vec::new();
    let mut at = at;
    // Each checksum is seen as zeroes by itself and by those behind it.
    let mut zeroed: Option<Vec<u8>> = None;
    while at < header.len() {
        let [kind, high, low] =
            header.get(at..at + 3).and_then(|b| b.try_into().ok()).ok_or(Fault::Invalid)?;
        let value = at + 3..at + 3 + usize::from(u16::from_be_bytes([high, low]));
        let bytes = header.get(value.clone()).ok_or(Fault::Invalid)?;
        at = value.end;
        match kind {
            TLV_CRC32C => {
                let sum = u32::from_be_bytes(bytes.try_into().map_err(|_| Fault::Invalid)?);
                let zeroed = zeroed.get_or_insert_with(|| header.to_vec());
                zeroed[value.clone()].fill(0);
                if crc32c(zeroed) != sum {
                    return Err(Fault::Invalid);
                }
                found.push((kind, zeroed[value].into()));
            }
            TLV_UNIQUE_ID if bytes.len() > 128 => return Err(Fault::Invalid),
            TLV_AUTHORITY if bytes.len() > 255 => return Err(Fault::Invalid),
            _ => found.push((kind, bytes.into())),
        }
    }
    Ok(found)
}
