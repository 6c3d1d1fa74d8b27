//! The filter at work in the kernel, on datagrams that look like what a raw socket gets.

use std::os::unix::net::UnixDatagram;

use super::*;

/// An IPv4 header and what follows.
fn v4(ttl: u8, advert: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 0, 0, 1, 0, 0, ttl, 112, 0, 0, 10, 0, 0, 1, 224, 0, 0, 18];
    bytes.extend(advert);
    bytes
}

/// How many of a thousand pass.
fn passed(sieve: &Sieve, packet: &[u8]) -> usize {
    let (from, to) = UnixDatagram::pair().unwrap();
    to.set_nonblocking(true).unwrap();
    attach(&to, sieve).unwrap();
    let mut count = 0;
    for _ in 0..1000 {
        // A packet that is filtered is refused to its sender.
        let _ = from.send(packet);
        count += usize::from(to.recv(&mut [0; 64]).is_ok());
    }
    count
}

fn advert(first: u8, vrid: u8) -> Vec<u8> {
    vec![first, vrid, 100, 1, 1, 1, 0, 0, 10, 0, 0, 9, b's', b'e', b'c', b'r', b'e', b't', 0, 0]
}

#[test]
fn what_is_for_nobody_is_dropped_and_nothing_else() {
    let router = |vrid| Sound { vrid, first: 0x21, len: 20, ..Sound::default() };
    let sieve = Sieve { routers: vec![router(51), router(7), router(51)], ..Sieve::default() };
    for (vrid, count) in [(51, 1000), (7, 1000), (8, 0), (0, 0)] {
        assert_eq!(passed(&sieve, &v4(255, &advert(0x21, vrid))), count, "{vrid}");
        assert_eq!(passed(&sieve, &v4(3, &advert(0x31, vrid))), count, "{vrid}, not sound");
    }
    assert_eq!(passed(&sieve, &v4(255, &advert(0x21, 8)[..5])), 1000, "too short to say for whom");
    let behind = Sieve { at: 24, ..sieve.clone() };
    let ah = [vec![112; 24], advert(0x21, 7)].concat();
    assert_eq!(passed(&behind, &v4(255, &ah)), 1000);
    let six = Sieve { v6: true, ..sieve };
    assert_eq!((passed(&six, &advert(0x31, 7)), passed(&six, &advert(0x31, 8))), (1000, 0));
}

#[test]
fn a_flood_of_what_is_not_sound_is_sampled() {
    let password = Some((12, *b"secret\0\0"));
    let sound = Sound { vrid: 51, first: 0x21, ttl: None, len: 20, auth: Some(1), password };
    let sieve = Sieve { routers: vec![sound.clone()], strict: true, ..Sieve::default() };
    let good = advert(0x21, 51);
    assert_eq!(passed(&sieve, &v4(255, &good)), 1000);
    let with = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        v4(255, &bytes)
    };
    for (what, packet) in [
        ("version", with(0, 0x31)),
        ("type", with(0, 0x22)),
        ("kind of authentication", with(4, 0)),
        ("password, first half", with(13, b'x')),
        ("password, second half", with(19, b'x')),
        ("length", v4(255, &good[..19])),
        ("fixed part", v4(255, &good[..7])),
    ] {
        let count = passed(&sieve, &packet);
        assert!((1..100).contains(&count), "{what}: {count} of 1000 passed");
    }
    assert_eq!(passed(&sieve, &with(1, 52)), 0, "another router's");
    let twice = Sieve { routers: vec![sound.clone(), Sound { first: 0x31, ..sound }], ..sieve };
    assert_eq!(passed(&twice, &with(0, 0x31)), 1000, "two routers of one number");
}
