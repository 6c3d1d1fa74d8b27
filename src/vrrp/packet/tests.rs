//! Packets recorded from keepalived 2.2.7, faults one by one, and properties.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::vrrp::reject::{Reject, RejectCounter};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len() / 2).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn key(text: &str) -> [u8; 8] {
    let mut key = [0; 8];
    key[..text.len()].copy_from_slice(text.as_bytes());
    key
}

fn v4(text: &str) -> IpAddr {
    text.parse::<Ipv4Addr>().unwrap().into()
}

fn profile(version: Version, auth: Auth) -> Profile {
    Profile {
        version,
        vrid: 51,
        interval: Duration::from_secs(1),
        auth,
        addresses: vec![v4("172.20.0.100")],
        checksum: ChecksumRule::Standard,
        group: GROUP_V4.into(),
        peers: Vec::new(),
        check_source: false,
        ttl: 255,
    }
}

fn outgoing(source: &str, priority: u8, ip_id: u16, sequence: u32) -> Outgoing {
    Outgoing {
        source: v4(source),
        destination: GROUP_V4.into(),
        priority,
        ip_id,
        sequence,
        old_checksum: false,
    }
}

/// As captured, but with the IP header checksum (bytes 10 and 11) that the kernel writes taken out.
fn captured(hex: &str) -> Vec<u8> {
    let mut packet = bytes(hex);
    packet[10..12].fill(0);
    packet
}

const PASS: &str = "45c0 0028 0001 0000 ff70 2e72 ac14 000c e000 0012 2133 5c01 0101 70eb ac14 0064 \
                    3132 3334 0000 0000";
const AH: &str = "45c0 0040 0001 0000 ff33 2e98 ac14 000b e000 0012 7004 0000 ac14 000b 0000 0006 \
                  25df 42d3 5346 f156 fd36 9491 2133 6601 0201 ca51 ac14 0064 0000 0000 0000 0000";
const AH_STOP: &str = "45c0 0040 0010 0000 ff33 2e88 ac14 000c e000 0012 7004 0000 ac14 000c 0000 0022 \
                       5e66 87e2 37e3 ce18 0177 c35c 2133 0001 0201 3052 ac14 0064 0000 0000 0000 0000";

#[test]
fn writes_the_bytes_keepalived_writes() {
    let mut out = Vec::new();
    encode(&profile(Version::V2, Auth::Pass(key("1234"))), &outgoing("172.20.0.12", 92, 1, 0), &mut out);
    assert_eq!(out, captured(PASS), "password");
    let ah = profile(Version::V2, Auth::Ah(key("supersec")));
    encode(&ah, &outgoing("172.20.0.11", 102, 1, 6), &mut out);
    assert_eq!(out, captured(AH), "authentication header");
    encode(&ah, &outgoing("172.20.0.12", 0, 16, 0x22), &mut out);
    assert_eq!(out, captured(AH_STOP), "priority 0");
}

#[test]
fn reads_the_packets_keepalived_writes() {
    let advert =
        decode_v4(&profile(Version::V2, Auth::Pass(key("1234"))), v4("172.20.0.11"), true, &bytes(PASS));
    assert_eq!(
        advert,
        Ok(Advert {
            source: v4("172.20.0.12"),
            priority: 92,
            interval: Duration::from_secs(1),
            sequence: None,
            old_checksum: false
        })
    );
    let ah = decode_v4(&profile(Version::V2, Auth::Ah(key("supersec"))), v4("172.20.0.12"), true, &bytes(AH))
        .unwrap();
    assert_eq!((ah.priority, ah.sequence), (102, Some(6)));
}

#[test]
fn every_fault_has_its_own_reason_and_counter() {
    use RejectCounter as C;
    let pass = profile(Version::V2, Auth::Pass(key("1234")));
    let ah = profile(Version::V2, Auth::Ah(key("supersec")));
    let v3 = profile(Version::V3, Auth::None);
    // Changes bytes of the password packet and, unless the fault is the checksum itself, repairs the sum.
    let spoilt = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut packet = bytes(PASS);
        change(&mut packet);
        if packet.len() >= 28 {
            packet[26..28].fill(0);
            let sum = fold(sum(&packet[20..], 0)).to_be_bytes();
            packet[26..28].copy_from_slice(&sum);
        }
        packet
    };
    let mut broken_sum = bytes(PASS);
    broken_sum[26] ^= 1;
    let mut changed_ah = bytes(AH);
    changed_ah[46] = 200;
    let mut next_header = bytes(AH);
    next_header[20] = 6;
    let own = v4("172.20.0.11");
    let table: Vec<(&str, &Profile, Vec<u8>, C)> = vec![
        ("empty", &pass, Vec::new(), C::Length),
        ("half a header", &pass, bytes(PASS)[..24].to_vec(), C::Length),
        ("header length beyond the packet", &pass, spoilt(&|p| p[0] = 0x4f), C::Length),
        ("one byte short", &pass, spoilt(&|p| p.truncate(39)), C::Length),
        ("one byte long", &pass, spoilt(&|p| p.push(0)), C::Length),
        ("more addresses than bytes", &pass, spoilt(&|p| p[23] = 2), C::Length),
        ("total length", &pass, spoilt(&|p| p[3] = 39), C::Length),
        ("ttl", &pass, spoilt(&|p| p[8] = 254), C::Ttl),
        (
            "version 3",
            &pass,
            spoilt(&|p| {
                p[20] = 0x31;
                p.truncate(32);
                p[3] = 32;
            }),
            C::Version,
        ),
        ("version 2 when 3 is configured", &v3, bytes(PASS), C::Version),
        ("type", &pass, spoilt(&|p| p[20] = 0x22), C::Type),
        ("vrid", &pass, spoilt(&|p| p[21] = 52), C::Type),
        ("unknown authentication", &pass, spoilt(&|p| p[24] = 7), C::AuthType),
        ("no authentication", &pass, spoilt(&|p| p[24] = 0), C::AuthMismatch),
        ("password", &pass, spoilt(&|p| p[35] = b'5'), C::AuthFailure),
        ("password is not a prefix match", &pass, spoilt(&|p| p[36] = b'5'), C::AuthFailure),
        ("interval", &pass, spoilt(&|p| p[25] = 2), C::Interval),
        ("address", &pass, spoilt(&|p| p[31] = 101), C::AddressList),
        ("checksum", &pass, broken_sum, C::Checksum),
        ("unicast", &pass, spoilt(&|p| p[16..20].copy_from_slice(&[172, 20, 0, 11])), C::AddressList),
        ("own address", &pass, spoilt(&|p| p[15] = 11), C::Own),
        ("authentication header unasked", &pass, bytes(AH), C::AuthMismatch),
        ("authentication header missing", &ah, bytes(PASS), C::AuthMismatch),
        ("changed under the digest", &ah, changed_ah, C::AuthFailure),
        ("not VRRP behind the header", &ah, next_header, C::Type),
    ];
    for (what, profile, packet, counter) in table {
        let reject = decode_v4(profile, own, true, &packet).expect_err(what);
        assert_eq!(reject.counter(), counter, "{what}: {reject}");
    }
}

#[test]
fn address_list_is_not_compared_for_a_known_master_when_told_so() {
    let mut other = profile(Version::V2, Auth::Pass(key("1234")));
    other.addresses.push(v4("172.20.0.101"));
    let check = |full| decode_v4(&other, v4("172.20.0.11"), full, &bytes(PASS));
    assert_eq!(check(true), Err(Reject::AddressCount { got: 1, expected: 2 }));
    assert!(check(false).is_ok());
}

#[test]
fn version_3_checksum_variants() {
    let mut new = profile(Version::V3, Auth::None);
    new.peers = vec![Peer { address: v4("10.0.0.2"), ttl: (0, 255) }];
    let mut old = new.clone();
    old.checksum = ChecksumRule::OldUnicast;
    let mut never = new.clone();
    never.checksum = ChecksumRule::StandardOnly;
    let mut as_v2 = new.clone();
    as_v2.checksum = ChecksumRule::AsV2;
    let packet = |p: &Profile| {
        let mut out = Vec::new();
        let to = Outgoing { destination: v4("10.0.0.1"), ..outgoing("10.0.0.2", 100, 1, 0) };
        encode(p, &to, &mut out);
        out
    };
    let read = |p: &Profile, bytes: &[u8]| decode_v4(p, v4("10.0.0.1"), true, bytes).map(|a| a.old_checksum);
    let wrong = Err(Reject::Checksum(Version::V3));
    assert_eq!(read(&new, &packet(&new)), Ok(false));
    assert_eq!(read(&new, &packet(&old)), Ok(true), "an old peer is followed");
    assert_eq!(read(&never, &packet(&old)), wrong, "unless forbidden");
    assert_eq!(read(&old, &packet(&old)), Ok(true));
    assert_eq!(read(&old, &packet(&new)), wrong);
    assert_eq!(read(&as_v2, &packet(&as_v2)), Ok(false));
    assert_eq!(read(&new, &packet(&as_v2)), wrong);
}

#[test]
fn unicast_takes_any_ttl_unless_the_source_is_checked() {
    let mut unicast = profile(Version::V2, Auth::Pass(key("1234")));
    unicast.peers = vec![Peer { address: v4("172.20.0.12"), ttl: (64, 255) }];
    let mut packet = bytes(PASS);
    packet[16..20].copy_from_slice(&[172, 20, 0, 11]);
    packet[8] = 63;
    let read = |p: &Profile| decode_v4(p, v4("172.20.0.11"), true, &packet).map(|a| a.priority);
    assert_eq!(read(&unicast), Ok(92));
    unicast.check_source = true;
    assert_eq!(read(&unicast), Err(Reject::PeerTtl { got: 63, range: (64, 255) }));
    unicast.peers[0].address = v4("172.20.0.13");
    assert_eq!(read(&unicast), Err(Reject::Source(v4("172.20.0.12"))));
}

fn v6_profile() -> Profile {
    Profile {
        group: GROUP_V6.into(),
        addresses: vec!["fe80::64".parse::<IpAddr>().unwrap(), "2001:db8::64".parse().unwrap()],
        interval: Duration::from_millis(250),
        ..profile(Version::V3, Auth::None)
    }
}

#[test]
fn ipv6_round_trip_and_faults() {
    let profile = v6_profile();
    let source: Ipv6Addr = "fe80::1".parse().unwrap();
    let own: IpAddr = "fe80::2".parse().unwrap();
    let mut out = Vec::new();
    let packet = Outgoing {
        source: source.into(),
        destination: GROUP_V6.into(),
        priority: 150,
        ip_id: 0,
        sequence: 0,
        old_checksum: false,
    };
    encode(&profile, &packet, &mut out);
    assert_eq!(out.len(), 8 + 2 * 16);
    assert_eq!(peek_vrid(&out, true), Ok(51));
    let arrival = Arrival { source, destination: Some(GROUP_V6), hop_limit: Some(255) };
    let advert = decode_v6(&profile, own, true, arrival, &out).unwrap();
    assert_eq!((advert.priority, advert.interval), (150, Duration::from_millis(250)));
    let far = Arrival { hop_limit: Some(64), ..arrival };
    assert_eq!(decode_v6(&profile, own, true, far, &out), Err(Reject::Ttl(64)));
    out[2] = 151;
    assert_eq!(decode_v6(&profile, own, true, arrival, &out), Err(Reject::Checksum(Version::V3)));
}

fn any_profile() -> impl Strategy<Value = Profile> {
    let auth = prop_oneof![
        Just(Auth::None),
        any::<[u8; 8]>().prop_map(Auth::Pass),
        any::<[u8; 8]>().prop_map(Auth::Ah)
    ];
    (any::<bool>(), auth, 1u8.., 1u64..=40, prop::collection::vec(any::<u32>(), 0..8)).prop_map(
        |(v3, auth, vrid, units, addresses)| Profile {
            version: if v3 { Version::V3 } else { Version::V2 },
            vrid,
            interval: if v3 { Duration::from_millis(units * 10) } else { Duration::from_secs(units) },
            auth: if v3 { Auth::None } else { auth },
            addresses: addresses.into_iter().map(|a| Ipv4Addr::from(a).into()).collect(),
            ..profile(Version::V2, Auth::None)
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(profile in any_profile(), priority: u8, sequence: u32, ip_id in 1u16..) {
        let mut out = Vec::new();
        encode(&profile, &outgoing("10.1.2.3", priority, ip_id, sequence), &mut out);
        prop_assert_eq!(peek_vrid(&out, false), Ok(profile.vrid));
        let advert = decode_v4(&profile, v4("10.1.2.4"), true, &out).unwrap();
        prop_assert_eq!(advert.priority, priority);
        prop_assert_eq!(advert.interval, profile.interval);
        prop_assert_eq!(advert.sequence, matches!(profile.auth, Auth::Ah(_)).then_some(sequence));
    }

    #[test]
    fn a_changed_bit_never_passes_as_another_priority(
        profile in any_profile(), priority: u8, bit in 0usize..8 * 60,
    ) {
        let mut out = Vec::new();
        encode(&profile, &outgoing("10.1.2.3", priority, 1, 1), &mut out);
        let at = bit / 8 % out.len();
        out[at] ^= 1 << (bit % 8);
        if let Ok(advert) = decode_v4(&profile, v4("10.1.2.4"), true, &out) {
            prop_assert_eq!(advert.priority, priority);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(
        profile in any_profile(),
        packet in prop::collection::vec(any::<u8>(), 0..120),
        v6_source: u128,
    ) {
        let _ = peek_vrid(&packet, false);
        let _ = peek_vrid(&packet, true);
        let _ = decode_v4(&profile, v4("10.1.2.4"), true, &packet);
        let arrival = Arrival {
            source: v6_source.into(), destination: Some(GROUP_V6), hop_limit: Some(255),
        };
        let _ = decode_v6(&v6_profile(), v4("10.1.2.4"), true, arrival, &packet);
    }

    #[test]
    fn no_header_makes_it_panic(
        profile in any_profile(), options in 5u8..=15, proto in prop_oneof![Just(112u8), Just(51)],
        rest in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut packet = vec![0x40 | options, 0xc0, 0, 0, 0, 0, 0, 0, 255, proto];
        packet.extend(rest);
        let total = u16::try_from(packet.len()).unwrap().to_be_bytes();
        packet[2..4].copy_from_slice(&total);
        let _ = decode_v4(&profile, v4("10.1.2.4"), true, &packet);
    }
}
