//! Scalars.

use std::time::Duration;

use super::*;

fn inet(host: Host, port: Port) -> Address {
    Address::Inet { transport: None, family: None, host, port }
}

#[test]
fn times_have_units_and_limits() {
    let ms = Duration::from_millis;
    assert_eq!(time("5000", Unit::Ms), Ok(ms(5000)));
    assert_eq!(time("50s", Unit::Ms), Ok(ms(50_000)));
    assert_eq!(time("2m", Unit::Ms), Ok(ms(120_000)));
    assert_eq!(time("1h", Unit::S), Ok(ms(3_600_000)));
    assert_eq!(time("1d", Unit::Ms), Ok(ms(86_400_000)));
    assert_eq!(time("10", Unit::S), Ok(ms(10_000)));
    assert_eq!(time("0", Unit::Ms), Ok(ms(0)));
    assert_eq!(time("1us", Unit::Ms), Ok(Duration::from_millis(1)), "the next step");
    assert_eq!(time("1500ms", Unit::S), Ok(Duration::from_secs(2)));
    assert_eq!(time("25d", Unit::Ms), Err(ValueError::Overflow));
    assert_eq!(time("99999999999999999999", Unit::Ms), Err(ValueError::Overflow));
    assert_eq!(time("5x", Unit::Ms), Err(ValueError::Unexpected('x')));
    assert_eq!(time("5sx", Unit::Ms), Err(ValueError::Unexpected('x')));
    assert_eq!(time("x", Unit::Ms), Err(ValueError::Unexpected('x')));
    assert_eq!(time("", Unit::Ms), Err(ValueError::Empty));
}

#[test]
fn integers_are_read_as_by_c() {
    for (text, expected) in [
        ("10", Some((10, ""))),
        (" -7x", Some((-7, "x"))),
        ("010", Some((8, ""))),
        ("08", Some((0, "8"))),
        ("0x1Fg", Some((31, "g"))),
        ("0xg", Some((0, "xg"))),
        ("+5)", Some((5, ")"))),
        ("", None),
        ("-", None),
        ("x1", None),
    ] {
        assert_eq!(strtol(text), expected, "{text}");
    }
    assert!(strtol(&"9".repeat(60)).is_some_and(|(number, rest)| number == i128::MAX && rest.is_empty()));
}

#[test]
fn sizes_are_powers_of_1024() {
    assert_eq!(size("16384"), Ok(16384));
    assert_eq!(size("1m"), Ok(1 << 20));
    assert_eq!(size("2G"), Ok(2 << 30));
    assert_eq!(size("1kb"), Err(ValueError::Unexpected('b')));
}

#[test]
fn addresses_split_at_the_last_colon() {
    let ip = |text: &str| Host::Ip(text.parse().expect("literal"));
    let name = |text: &str| Host::Name(text.to_owned());
    for (text, expected) in [
        ("*:80", inet(Host::Any, Port::One(80))),
        (":80", inet(Host::Any, Port::One(80))),
        (":::80", inet(ip("::"), Port::One(80))),
        ("[::1]:80", inet(ip("::1"), Port::One(80))),
        ("[::1]", inet(ip("::1"), Port::None)),
        ("10.0.0.1:8000-8010", inet(ip("10.0.0.1"), Port::Range(8000, 8010))),
        ("10.0.0.1", inet(ip("10.0.0.1"), Port::None)),
        ("app_1.local:+10", inet(name("app_1.local"), Port::Offset(10))),
        ("postgres-primary:5432", inet(name("postgres-primary"), Port::One(5432))),
        ("fd@7", Address::Fd(7)),
        ("abns@ctl", Address::Abstract(format!("ctl{}", "\0".repeat(104)))),
        ("abnsz@ctl", Address::Abstract("ctl".into())),
        ("/var/run/a:b.sock", Address::Unix { transport: None, path: "/var/run/a:b.sock".into() }),
        ("uxdg@/dev/log", Address::Unix { transport: Some(Transport::Datagram), path: "/dev/log".into() }),
        (
            "ipv6@*:443",
            Address::Inet { transport: None, family: Some(Family::V6), host: ip("::"), port: Port::One(443) },
        ),
    ] {
        assert_eq!(address(text), Ok(expected), "{text}");
    }
    for text in ["", "a:8x", "a:70000", "a:9-1", "fd@x", "[::1:80"] {
        assert!(address(text).is_err(), "{text}");
    }
}
