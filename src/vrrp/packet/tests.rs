//! Packets recorded from keepalived 2.2.7, faults one by one, and properties.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use proptest::prelude::*;

use super::checksum::{fold, pseudo_v4, sum};
use super::*;
use crate::ir::vrrp::HmacKey;
use crate::ir::vrrp::HmacMode;
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
        hmac: None,
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
        stamp: 0,
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
            old_checksum: false,
            stamp: None
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
    assert_eq!(read(&new, &packet(&as_v2)), Ok(false), "as RFC 9568 has it");
    assert_eq!(read(&as_v2, &packet(&new)), Ok(false));
    assert_eq!(read(&old, &packet(&as_v2)), wrong);
}

/// A version 3 packet with one change, its checksum right.
fn version_3(change: &dyn Fn(&mut Vec<u8>)) -> Result<Advert, Reject> {
    let profile = profile(Version::V3, Auth::None);
    let mut out = Vec::new();
    encode(&profile, &outgoing("10.0.0.2", 100, 1, 0), &mut out);
    change(&mut out);
    out[26..28].fill(0);
    let sum = fold(sum(&out[20..], 0));
    out[26..28].copy_from_slice(&sum.to_be_bytes());
    decode_v4(&profile, v4("10.0.0.1"), true, &out)
}

#[test]
fn version_3_reserved_bits_count_for_nothing_and_are_sent_as_zero() {
    let plain = version_3(&|p| assert_eq!(p[24] >> 4, 0)).unwrap();
    assert_eq!(version_3(&|p| p[24] |= 0xf0), Ok(plain));
}

#[test]
fn version_3_without_interval_or_addresses_is_ignored() {
    assert_eq!(version_3(&|p| p[24..26].fill(0)), Err(Reject::NoInterval));
    let none = |p: &mut Vec<u8>| {
        p[23] = 0;
        p.truncate(28);
        p[3] = 28;
    };
    assert_eq!(version_3(&none), Err(Reject::AddressCount { got: 0, expected: 1 }));
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
        stamp: 0,
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

/// Packets of keepalived 2.4.3: version 2, 3, 3 over IPv6, 3 to a peer.
const SIGNED: [&str; 4] = [
    "45c000440001 0000ff70d01e0a4d000be0000012 21336401000170190a4d00640000000000000000 \
     010100006b01bab38bba0000d927507a1c79f969a8d7268ea185b484",
    "45c0003c00010000ff70d0260a4d000be0000012 31336401006474cf0a4d0064 \
     010100006b01babb979300009687 5642c01393a2af6eb9af8c672499",
    "6c017f09003470fffe80000000000000c0fd75fffeb04e6eff020000000000000000000000000012 \
     3133640100640e3bfe800000000000000000000000770100 \
     010100006b01bac3a8bc000093c81424634ffebd5e8b3bce33c9323e",
    "45c0003c00010000ff70a5e00a4d000b0a4d000c 3133640100644a890a4d0064 \
     010100006b01bacbc4a1000096648653 52ab4440ad4fd26077ace11a",
];

fn signing(version: Version, vip: &str, peer: Option<&str>) -> Profile {
    let addresses: Vec<IpAddr> = vec![vip.parse().unwrap()];
    let v6 = addresses[0].is_ipv6();
    Profile {
        addresses,
        group: if v6 { GROUP_V6.into() } else { GROUP_V4.into() },
        peers: peer.iter().map(|peer| Peer { address: peer.parse().unwrap(), ttl: (0, 255) }).collect(),
        hmac: Some(AuthHmac {
            keys: vec![HmacKey { id: 1, secret: (0..32).collect() }],
            active: 1,
            mode: HmacMode::Enforce,
            window: Some(Duration::from_secs(5)),
        }),
        ..profile(version, Auth::None)
    }
}

fn signed_cases() -> Vec<(Profile, Vec<u8>)> {
    let six = "fe80::77:100";
    let profiles = [
        signing(Version::V2, "10.77.0.100", None),
        signing(Version::V3, "10.77.0.100", None),
        signing(Version::V3, six, None),
        signing(Version::V3, "10.77.0.100", Some("10.77.0.12")),
    ];
    profiles.into_iter().zip(SIGNED.map(|text| bytes(&text.replace(' ', "")))).collect()
}

/// Reads a whole packet as whoever is spoken to by it.
fn read_signed(profile: &Profile, packet: &[u8]) -> Result<Advert, Reject> {
    if packet[0] >> 4 == 4 {
        return decode_v4(profile, v4("10.77.0.12"), true, packet);
    }
    let address = |at: usize| Ipv6Addr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).unwrap());
    let arrival = Arrival { source: address(8), destination: Some(address(24)), hop_limit: Some(packet[7]) };
    decode_v6(profile, v4("10.77.0.12"), true, arrival, &packet[40..])
}

#[test]
fn signatures_are_keepalived_s() {
    for (mut profile, packet) in signed_cases() {
        let start = if packet[0] >> 4 == 4 { 0 } else { 40 };
        let stamp = packet[packet.len() - 24..][..8].iter().fold(0, |acc, b| acc << 8 | u64::from(*b));
        let (source, destination): (IpAddr, IpAddr) = if start == 0 {
            let address = |at: usize| IpAddr::from(<[u8; 4]>::try_from(&packet[at..at + 4]).unwrap());
            (address(12), address(16))
        } else {
            let address = |at: usize| IpAddr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).unwrap());
            (address(8), address(24))
        };
        let mut out = Vec::new();
        let outgoing = Outgoing {
            source,
            destination,
            priority: 100,
            ip_id: 1,
            sequence: 0,
            old_checksum: false,
            stamp,
        };
        encode(&profile, &outgoing, &mut out);
        if start == 0 {
            // The kernel fills in the IP header checksum.
            out[10..12].copy_from_slice(&packet[10..12]);
        }
        assert_eq!(out, packet[start..]);
        // Whoever hears it is another: a peer of the sender has the sender as its peer.
        if profile.unicast() {
            profile.peers[0].address = source;
        }
        assert_eq!(read_signed(&profile, &packet).map(|advert| advert.stamp), Ok(Some(stamp)));
    }
}

#[test]
fn a_signature_binds_everything_that_counts() {
    let (profile, packet) = signed_cases().swap_remove(1);
    let counter = |profile: &Profile, change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = packet.clone();
        change(&mut changed);
        // A forger can make the checksum right.
        changed[26..28].fill(0);
        let (source, group) = (Ipv4Addr::new(changed[12], changed[13], changed[14], changed[15]), GROUP_V4);
        let sum = pseudo_v4(source, group, &changed[20..32]);
        changed[26..28].copy_from_slice(&sum.to_be_bytes());
        read_signed(profile, &changed).map_err(|reject| reject.counter())
    };
    use RejectCounter as C;
    assert!(counter(&profile, &|_| {}).is_ok());
    assert_eq!(counter(&profile, &|p| p[22] = 200), Err(C::TrailerDigest), "priority");
    assert_eq!(counter(&profile, &|p| p[15] = 13), Err(C::TrailerDigest), "source");
    assert_eq!(counter(&profile, &|p| p[36] ^= 1), Err(C::TrailerDigest), "sequence");
    assert_eq!(counter(&profile, &|p| p[33] = 2), Err(C::TrailerKey), "key");
    assert_eq!(counter(&profile, &|p| p[32] = 2), Err(C::TrailerMalformed), "scheme");
    assert_eq!(counter(&profile, &|p| p[35] = 1), Err(C::TrailerMalformed), "reserved");
    let bare = |p: &mut Vec<u8>| {
        p.truncate(32);
        p[3] = 32;
    };
    assert_eq!(counter(&profile, &bare), Err(C::TrailerMissing));
    let mode = |mode| {
        let mut other = profile.clone();
        other.hmac.as_mut().unwrap().mode = mode;
        other
    };
    assert!(counter(&mode(HmacMode::Permissive), &bare).is_ok(), "a migration takes both");
    assert!(counter(&mode(HmacMode::ReceiveOnly), &bare).is_ok());
    assert_eq!(counter(&mode(HmacMode::Permissive), &|p| p[22] = 200), Err(C::TrailerDigest));
    assert!(counter(&Profile { hmac: None, ..profile.clone() }, &|_| {}).is_err(), "too long");
}
