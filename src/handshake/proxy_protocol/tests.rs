//! Headers written and read, good and bad.

use super::*;
use crate::ir::server::SendProxy;

fn refused(why: Fault) -> Result<Header, Refused> {
    Err(why.into())
}

#[test]
fn what_is_written_is_read_back_and_a_part_of_it_is_too_short() {
    let pairs = [("10.0.0.1:5", "10.0.0.2:80"), ("[2001:db8::1]:5", "[2001:db8::2]:80")];
    for (s, d) in pairs {
        let addresses = Some((s.parse().unwrap(), d.parse().unwrap()));
        for bytes in [v1(addresses), v2(addresses)] {
            assert_eq!(parse(&bytes), Ok(Header { addresses, len: bytes.len(), tlvs: Vec::new() }));
            for n in 0..bytes.len() {
                // What the name of the family is is not known of a part of it.
                let named = bytes.starts_with(b"PROXY") && (9..11).contains(&n);
                let why = if named { Fault::Protocol } else { Fault::Truncated };
                assert_eq!(parse(&bytes[..n]), refused(why), "{n} of {bytes:?}");
            }
        }
    }
    assert_eq!(parse(&v2(None)).unwrap().addresses, None);
    assert_eq!(parse(b"PROXY UNKNOWN\r\nGET").unwrap().len, 15);
}

#[test]
fn extensions_come_back_and_must_fill_the_header() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    let addresses = Some(("10.0.0.1:5".parse().unwrap(), "10.0.0.2:80".parse().unwrap()));
    let tlvs = vec![(0xe1, b"foo"[..].into()), (0xe2, b""[..].into()), (TLV_UNIQUE_ID, b"id"[..].into())];
    for checksum in [false, true] {
        let how = SendProxy { v2: true, crc32c: checksum, unique_id: true, ..SendProxy::default() };
        let says = Says { addresses, own: tlvs[..2].to_vec(), unique_id: Some(b"id"), ..Says::default() };
        let bytes = super::header(how, &says);
        let header = parse(&bytes).unwrap();
        let others: Vec<Tlv> = header.tlvs.into_iter().filter(|(kind, _)| *kind != TLV_CRC32C).collect();
        assert_eq!((&others, header.len, header.addresses), (&tlvs, bytes.len(), addresses));
        for at in 0..bytes.len() {
            assert_eq!(parse(&bytes[..at]), refused(Fault::Truncated));
        }
        let mut other = bytes.clone();
        other[17] ^= 1;
        assert_eq!(parse(&other).is_err(), checksum);
    }
    // One byte too many, one too few: the log shows whom it was about.
    for len in [2u8, 4] {
        let mut bytes = v2(addresses);
        bytes.extend_from_slice(&[0xe0, 0, len, 1, 2, 3]);
        bytes[15] = 18;
        assert_eq!(parse(&bytes), Err(Refused { why: Fault::Invalid, addresses }), "{len}");
    }
}

#[test]
fn numbers_are_read_as_by_haproxy() {
    for (line, src, dst) in [
        ("TCP4 001.002.003.004 005.6.7.08 080 00081", "1.2.3.4:80", "5.6.7.8:81"),
        ("TCP4 1.2.3.256 5.6.7.8 99999 65537", "1.2.4.0:34463", "5.6.7.8:1"),
        ("TCP4 1 .5..6  ", "1.0.0.0:0", "0.5.0.6:0"),
        ("TCP6 ::1 ::2 00080  and more", "[::1]:80", "[::2]:0"),
    ] {
        let header = parse(format!("PROXY {line}\r\n").as_bytes());
        assert_eq!(header.unwrap().addresses, Some((src.parse().unwrap(), dst.parse().unwrap())), "{line}");
    }
}

#[test]
fn anything_else_is_refused() {
    for (why, bad) in [
        (Fault::Foreign, &b"GET / HTTP/1.1\r\n"[..]),
        (Fault::Truncated, b"GET / HTTP/1.1"),
        (Fault::Foreign, b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0"),
        (Fault::Protocol, b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"),
        (Fault::Protocol, b"PROXY UNKNOWN whatever\r\n"),
        (Fault::Invalid, b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"),
        (Fault::Invalid, b"PROXY TCP4 ::1 ::1 1 2\r\n"),
        (Fault::Invalid, b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n"),
        (Fault::Invalid, b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\nGET"),
        (Fault::Truncated, b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"),
        (Fault::Invalid, b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"),
        (Fault::Truncated, b"PROXY TCP6 ::1 ::2 1 2\r"),
        (Fault::Invalid, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04aaaa"),
        (Fault::Invalid, b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0"),
        (Fault::Invalid, b"\r\n\r\n\0\r\nQUIT\n\x22\x11\0\0"),
    ] {
        assert_eq!(parse(bad), refused(why), "{bad:?}");
    }
}

#[test]
fn extensions_stand_in_their_order() {
    let how = SendProxy { v1: true, v2: true, crc32c: true, unique_id: true, authority: true, ssl: true };
    let says = Says {
        own: vec![(0xe1, b"own"[..].into())],
        authority: Some(b"a.example"),
        unique_id: Some(b""),
        namespace: Some("blue"),
        ..Says::default()
    };
    let kinds = |how| parse(&super::header(how, &says)).unwrap().tlvs.into_iter().map(|(kind, _)| kind);
    assert_eq!(kinds(how).collect::<Vec<_>>(), [0xe1, 3, 2, 5, 0x20, 0x30]);
    let few = SendProxy { v2: true, ..SendProxy::default() };
    assert_eq!(kinds(few).collect::<Vec<_>>(), [0xe1, 0x30]);
    let ssl = parse(&super::header(how, &says)).unwrap().tlvs.into_iter().find(|(kind, _)| *kind == TLV_SSL);
    assert_eq!(ssl.unwrap().1[..], [0; 5]);
    assert_eq!(super::header(SendProxy { v1: true, ..SendProxy::default() }, &says), b"PROXY UNKNOWN\r\n");
}
