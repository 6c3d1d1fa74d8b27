//! NetScaler's client address insertion: a number that both sides know, then the client's own IP and TCP headers.

use std::net::{IpAddr, SocketAddr};

use super::Fault;

/// What a header said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Source and destination.
    pub addresses: (SocketAddr, SocketAddr),
    /// Length in bytes.
    pub len: usize,
}

/// TCP, in the field of an IP header that names the next one.
const TCP: u8 = 6;

/// Parse the header at the start of `input`, which is all that has come.
///
/// # Errors
/// It is none, or not the whole of one.
pub fn parse(input: &[u8], magic: u32) -> Result<Header, Fault> {
    let Some(fixed) = input.first_chunk::<12>() else { return Err(Fault::Truncated) };
    let number = |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    if number(0) != magic {
        return Err(Fault::Foreign);
    }
    // The old form has the length and then the packet, the other one a type and two lengths before it.
    let (start, len) = match fixed[8] {
        kind if kind & 0xd0 == 0x40 => (8, number(4) as usize),
        0 => (12, usize::from(u16::from_be_bytes([fixed[10], fixed[11]]))),
        _ => return Err(Fault::Protocol),
    };
    if input.len() < 20 {
        return Err(Fault::Truncated);
    }
    let packet = &input[start..];
    // Length of the two headers at least, where the protocol and the addresses stand and how long those are.
    let (least, next, at, size, header) = match packet[0] >> 4 {
        4 => (40, 9, 12, 4, usize::from(packet[0] & 15) * 4),
        6 => (60, 6, 8, 16, 40),
        _ => return Err(Fault::Protocol),
    };
    if input.len() < least || input.len() < len {
        return Err(Fault::Truncated);
    }
    if packet[next] != TCP {
        return Err(Fault::Protocol);
    }
    let ports = packet.get(header..header + 4).ok_or(Fault::Truncated)?;
    let end = |nth: usize| {
        let ip = &packet[at + nth * size..at + (nth + 1) * size];
        let ip =
            <[u8; 4]>::try_from(ip).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(ip).map(IpAddr::from));
        let port = u16::from_be_bytes([ports[2 * nth], ports[2 * nth + 1]]);
        ip.map(|ip| SocketAddr::new(ip, port)).map_err(|_| Fault::Truncated)
    };
    if packet.len() < len {
        return Err(Fault::Aborted);
    }
    Ok(Header { addresses: (end(0)?, end(1)?), len: start + len })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAGIC: u32 = 0x4321;

    fn packet(v6: bool) -> Vec<u8> {
        let mut out = vec![0; if v6 { 60 } else { 40 }];
        let (head, next, at, size) = if v6 { (0x60, 6, 8, 16) } else { (0x45, 9, 12, 4) };
        (out[0], out[next]) = (head, TCP);
        (out[at + size - 1], out[at + 2 * size - 1]) = (1, 2);
        let ports = out.len() - 20;
        out[ports..ports + 4].copy_from_slice(&[0, 80, 0, 81]);
        out
    }

    fn old(packet: &[u8]) -> Vec<u8> {
        [&MAGIC.to_be_bytes(), &(packet.len() as u32).to_be_bytes(), packet].concat()
    }

    fn new(packet: &[u8]) -> Vec<u8> {
        let len = (packet.len() as u16).to_be_bytes();
        [&MAGIC.to_be_bytes()[..], &[0, 0, 0, 0, 0, 0], &len, packet].concat()
    }

    #[test]
    fn both_forms_carry_both_families() {
        for (v6, ends) in [(false, ["0.0.0.1:80", "0.0.0.2:81"]), (true, ["[::1]:80", "[::2]:81"])] {
            for bytes in [old(&packet(v6)), new(&packet(v6))] {
                let addresses = (ends[0].parse().unwrap(), ends[1].parse().unwrap());
                let more = [&bytes[..], b"GET"].concat();
                assert_eq!(parse(&more, MAGIC), Ok(Header { addresses, len: bytes.len() }));
                for n in 0..bytes.len() {
                    assert!(parse(&bytes[..n], MAGIC).is_err(), "{n}");
                }
                assert_eq!(parse(&bytes, 1), Err(Fault::Foreign));
            }
        }
    }

    #[test]
    fn what_is_no_tcp_is_refused() {
        for (at, value) in [(8 + 9, 17), (8, 0x80), (8, 0x55)] {
            let mut bytes = old(&packet(false));
            bytes[at] = value;
            assert_eq!(parse(&bytes, MAGIC), Err(Fault::Protocol), "{at}");
        }
        let mut bytes = old(&packet(false));
        bytes[7] += 1;
        assert_eq!(parse(&bytes, MAGIC), Err(Fault::Aborted));
        bytes[7] += 200;
        assert_eq!(parse(&bytes, MAGIC), Err(Fault::Truncated));
        // Options that are not there.
        let mut bytes = old(&packet(false));
        bytes[8] = 0x4f;
        assert_eq!(parse(&bytes, MAGIC), Err(Fault::Truncated));
    }
}
