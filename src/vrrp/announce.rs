//! Frames that tell the segment where an address lives now: gratuitous ARP and unsolicited neighbour
//! advertisements.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Ethernet hardware address.
pub type Mac = [u8; 6];

const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];

/// A gratuitous ARP request for `address` at `mac` (RFC 5227 3, RFC 5798 6.4.1): sender and target are the
/// same, target hardware address and destination are broadcast, as keepalived sends it.
#[must_use]
pub fn gratuitous_arp(mac: Mac, address: Ipv4Addr) -> Vec<u8> {
    let mut frame = Vec::with_capacity(42);
    frame.extend_from_slice(&[0xff; 6]);
    frame.extend_from_slice(&mac);
    frame.extend_from_slice(&ETHERTYPE_ARP);
    // Ethernet, IPv4, lengths 6 and 4, request.
    frame.extend_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend_from_slice(&mac);
    frame.extend_from_slice(&address.octets());
    frame.extend_from_slice(&[0xff; 6]);
    frame.extend_from_slice(&address.octets());
    frame
}

/// An unsolicited neighbour advertisement with the override flag to all nodes (RFC 4861 4.4, 7.2.6).
#[must_use]
pub fn neighbour_advertisement(mac: Mac, address: Ipv6Addr, router: bool) -> Vec<u8> {
    const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let mut icmp = Vec::with_capacity(32);
    icmp.extend_from_slice(&[136, 0, 0, 0]);
    // Router 0x80, override 0x20.
    icmp.extend_from_slice(&[if router { 0xa0 } else { 0x20 }, 0, 0, 0]);
    icmp.extend_from_slice(&address.octets());
    // Target link-layer address option, one unit of eight bytes.
    icmp.extend_from_slice(&[2, 1]);
    icmp.extend_from_slice(&mac);
    let mut sum = 58 + 32;
    for bytes in [&address.octets()[..], &ALL_NODES.octets()[..], &icmp[..]] {
        for word in bytes.chunks_exact(2) {
            sum += u32::from(u16::from_be_bytes([word[0], word[1]]));
        }
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    let checksum = !u16::try_from(sum).unwrap_or(0);
    icmp[2..4].copy_from_slice(&checksum.to_be_bytes());

    let mut frame = Vec::with_capacity(86);
    frame.extend_from_slice(&[0x33, 0x33, 0, 0, 0, 1]);
    frame.extend_from_slice(&mac);
    frame.extend_from_slice(&ETHERTYPE_IPV6);
    frame.extend_from_slice(&[0x60, 0, 0, 0, 0, 32, 58, 255]);
    frame.extend_from_slice(&address.octets());
    frame.extend_from_slice(&ALL_NODES.octets());
    frame.extend_from_slice(&icmp);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arp_is_what_keepalived_sends() {
        let frame = gratuitous_arp([0x16, 0xbc, 0x9e, 0x96, 0xb1, 0x51], Ipv4Addr::new(172, 20, 0, 100));
        let captured = "ffffffffffff16bc9e96b1510806\
                        000108000604000116bc9e96b151ac140064ffffffffffffac140064";
        let hex: String = frame.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, captured);
    }

    #[test]
    fn neighbour_advertisement_checksum_adds_up() {
        let address: Ipv6Addr = "2001:db8::64".parse().unwrap();
        let frame = neighbour_advertisement([2, 0, 0, 0, 0, 1], address, false);
        assert_eq!(frame.len(), 86);
        // Over pseudo header and message, the checksum included, the sum is all ones.
        let mut sum: u32 = 58 + 32;
        for word in frame[22..].chunks_exact(2) {
            sum += u32::from(u16::from_be_bytes([word[0], word[1]]));
        }
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        assert_eq!(sum, 0xffff);
    }
}
