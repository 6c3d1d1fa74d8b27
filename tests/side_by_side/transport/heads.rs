//! Headers that connections begin with: good, odd and hostile ones.

/// How a case goes on behind its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// With a request.
    Asks,
    /// With nothing: whoever wants more has to wait.
    Waits,
    /// With the end of the client's side.
    Halves,
    /// With a reset.
    Resets,
}

/// One connection.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) then: Then,
}

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// 1.2.3.4:1111 to 5.6.7.8:2222.
const FOUR: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 8, 4, 87, 8, 174];

fn six(first: [u8; 12]) -> Vec<u8> {
    let end = |last: [u8; 4]| [&first[..], &last].concat();
    [&end([1, 2, 3, 4])[..], &end([5, 6, 7, 8]), &FOUR[8..]].concat()
}

pub(super) fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &len, body].concat()
}

pub(super) fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind][..], &len, value].concat()
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0x82f6_3b78 } else { c >> 1 })
    })
}

/// With a checksum between these extensions, and so many of its bits wrong.
fn summed(command: u8, addresses: &[u8], before: &[u8], after: &[u8], wrong: u32) -> Vec<u8> {
    let family = if addresses.len() == 12 { 0x11 } else { 0 };
    let mut out = v2(command, family, &[addresses, before, &tlv(3, &[0; 4]), after].concat());
    let at = 16 + addresses.len() + before.len() + 3;
    let sum = crc32c(&out) ^ wrong;
    out[at..at + 4].copy_from_slice(&sum.to_be_bytes());
    out
}

/// NetScaler's: the number, a length, perhaps a type, and the packet of a client.
fn netscaler(magic: u32, old: bool, packet: &[u8], length: usize) -> Vec<u8> {
    let mut out = magic.to_be_bytes().to_vec();
    if old {
        out.extend(u32::try_from(length).unwrap().to_be_bytes());
    } else {
        out.extend([0; 6]);
        out.extend(u16::try_from(length).unwrap().to_be_bytes());
    }
    [out, packet.to_vec()].concat()
}

fn packet(version: u8, protocol: u8) -> Vec<u8> {
    let mut out = vec![0; if version == 4 { 40 } else { 60 }];
    let (next, at) = if version == 4 { (9, 12) } else { (6, 8) };
    out[0] = if version == 4 { 0x45 } else { version << 4 };
    out[next] = protocol;
    let addresses = if version == 4 { FOUR[..8].to_vec() } else { six([32; 12])[..32].to_vec() };
    out[at..at + addresses.len()].copy_from_slice(&addresses);
    let ports = out.len() - 20;
    out[ports..ports + 4].copy_from_slice(&FOUR[8..]);
    out
}

/// Lines of version 1 without their end.
const LINES: &[(&str, &str)] = &[
    ("tcp4", "TCP4 1.2.3.4 5.6.7.8 1111 2222"),
    ("tcp6", "TCP6 2001:db8::1 2001:db8::2 1111 2222"),
    ("unknown", "UNKNOWN"),
    ("unknown text", "UNKNOWN ffff::1 ffff::2 1 2"),
    ("unknown space", "UNKNOWN "),
    ("lower family", "tcp4 1.2.3.4 5.6.7.8 1111 2222"),
    ("tcp5", "TCP5 1.2.3.4 5.6.7.8 1111 2222"),
    ("udp4", "UDP4 1.2.3.4 5.6.7.8 1111 2222"),
    ("port 99999", "TCP4 1.2.3.4 5.6.7.8 99999 99999"),
    ("port 65536", "TCP4 1.2.3.4 5.6.7.8 65536 65537"),
    ("port huge", "TCP4 1.2.3.4 5.6.7.8 99999999999999999999 4294967297"),
    ("port zero", "TCP4 1.2.3.4 5.6.7.8 0 0"),
    ("port zeros before", "TCP4 1.2.3.4 5.6.7.8 00001 080"),
    ("port negative", "TCP4 1.2.3.4 5.6.7.8 -1 80"),
    ("port plus", "TCP4 1.2.3.4 5.6.7.8 1 +80"),
    ("port empty", "TCP4 1.2.3.4 5.6.7.8  80"),
    ("second port empty", "TCP4 1.2.3.4 5.6.7.8 80 "),
    ("one port", "TCP4 1.2.3.4 5.6.7.8 80"),
    ("no ports", "TCP4 1.2.3.4 5.6.7.8"),
    ("port letters", "TCP4 1.2.3.4 5.6.7.8 8a 80"),
    ("second port letters", "TCP4 1.2.3.4 5.6.7.8 80 8a"),
    ("more words", "TCP4 1.2.3.4 5.6.7.8 80 81 82"),
    ("space at the end", "TCP4 1.2.3.4 5.6.7.8 80 81 "),
    ("two spaces", "TCP4  1.2.3.4 5.6.7.8 80 81"),
    ("two spaces between", "TCP4 1.2.3.4  5.6.7.8 80 81"),
    ("two spaces first", " TCP4 1.2.3.4 5.6.7.8 80 81"),
    ("tab", "TCP4\t1.2.3.4 5.6.7.8 80 81"),
    ("two returns", "TCP4 1.2.3.4 5.6.7.8 80 81\r"),
    ("address zeros", "TCP4 001.002.003.004 005.6.7.08 80 81"),
    ("address 256", "TCP4 1.2.3.256 5.6.7.8 80 81"),
    ("address 999", "TCP4 1.2.3.999 5.6.7.1999 80 81"),
    ("address overflows", "TCP4 256.999.999.999 0.0.0.0 80 81"),
    ("address short", "TCP4 1.2.3 5 80 81"),
    ("address long", "TCP4 1.2.3.4.5 5.6.7.8 80 81"),
    ("address dot", "TCP4 1.2.3.4. 5.6.7.8 80 81"),
    ("address dots", "TCP4 1..3.4 .6.7.8 80 81"),
    ("address hex", "TCP4 0x1.2.3.4 5.6.7.8 80 81"),
    ("address name", "TCP4 localhost 5.6.7.8 80 81"),
    ("six in four", "TCP4 ::1 ::1 80 81"),
    ("four in six", "TCP6 1.2.3.4 5.6.7.8 80 81"),
    ("mixed", "TCP6 ::1 5.6.7.8 80 81"),
    ("mapped", "TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 80 81"),
    (
        "longest",
        "TCP6 2001:0db8:0000:0000:0000:0000:0000:0001 2001:0DB8:0000:0000:0000:0000:0000:0002 65535 65535",
    ),
    ("six zone", "TCP6 fe80::1%lo fe80::2 80 81"),
    ("six brackets", "TCP6 [::1] [::2] 80 81"),
    ("six bad", "TCP6 ::g ::1 80 81"),
    ("six port 99999", "TCP6 ::1 ::2 99999 81"),
    ("six port letters", "TCP6 ::1 ::2 8a 81"),
    ("six second port letters", "TCP6 ::1 ::2 80 8a"),
    ("six port empty", "TCP6 ::1 ::2  81"),
    ("six second port empty", "TCP6 ::1 ::2 80 "),
    ("six one port", "TCP6 ::1 ::2 80"),
    ("six no ports", "TCP6 ::1 ::2"),
    ("six more words", "TCP6 ::1 ::2 80 81 82"),
    ("six space at the end", "TCP6 ::1 ::2 80 81 "),
    ("six two spaces", "TCP6  ::1 ::2 80 81"),
    ("six nul", "TCP6 ::1\0 ::2 80 81"),
    ("nul", "TCP4 1.2.3.4\0 5.6.7.8 80 81"),
    ("broadcast", "TCP4 255.255.255.255 0.0.0.0 80 81"),
];

/// Everything that is tried on a listener that expects a PROXY header.
pub(super) fn all() -> Vec<Case> {
    let mut out = Vec::new();
    let mut add = |name: &str, bytes: Vec<u8>, then: Then| {
        out.push(Case { name: name.to_owned(), bytes, then });
    };
    let line = |text: &str| format!("PROXY {text}\r\n").into_bytes();
    for (name, text) in LINES {
        add(&format!("v1 {name}"), line(text), Then::Asks);
    }
    let zeros = "0".repeat(100);
    for (name, text) in [
        ("v1 long port", format!("TCP4 1.2.3.4 5.6.7.8 {zeros}80 81")),
        ("v1 long address", format!("TCP4 1.2.3.{zeros}4 5.6.7.8 80 81")),
        ("v1 six long port", format!("TCP6 ::1 ::2 {zeros}80 81")),
        ("v1 unknown long", format!("UNKNOWN {zeros}")),
        ("v1 without end", format!("TCP4 1{}", "1".repeat(20_000))),
    ] {
        add(name, line(&text), Then::Asks);
    }
    for (name, text) in [
        ("v1 lower", "proxy TCP4 1.2.3.4 5.6.7.8 1111 2222\r\n"),
        ("v1 space before", " PROXY TCP4 1.2.3.4 5.6.7.8 80 81\r\n"),
        ("v1 feed", "PROXY TCP4 1.2.3.4 5.6.7.8 80 81\n"),
        ("v1 return", "PROXY TCP4 1.2.3.4 5.6.7.8 80 81\r"),
        ("v1 six feed", "PROXY TCP6 ::1 ::2 80 81\n"),
        ("v1 six return", "PROXY TCP6 ::1 ::2 80 81\rx"),
        ("v1 unknown feed", "PROXY UNKNOWN\n"),
        ("no header", ""),
        ("twice", "PROXY UNKNOWN\r\nPROXY UNKNOWN\r\n"),
    ] {
        add(name, text.as_bytes().to_vec(), Then::Asks);
    }
    // HAProxy compares the name of the family with what another connection left behind it where 9 or 10 bytes came.
    for (name, whole, ends) in [
        (
            "v1",
            line("TCP4 1.2.3.4 5.6.7.8 1111 2222"),
            &[1, 5, 6, 8, 11, 14, 18, 19, 26, 27, 31, 34, 35, 36][..],
        ),
        ("v1 six", line("TCP6 2001:db8::1 2001:db8::2 1111 2222"), &[11, 20, 22, 40, 45]),
        ("v2", v2(0x21, 0x11, FOUR), &[1, 4, 6, 12, 13, 15, 16, 27]),
        ("other", b"GET / HTTP/1.1\r\n".to_vec(), &[1, 6, 15, 16]),
    ] {
        for end in ends {
            add(&format!("{name} to {end}"), whole[..*end].to_vec(), Then::Waits);
        }
    }
    add("v1 half closed", line("TCP4 1.2.3.4 5.6.7.8 1111 2222")[..20].to_vec(), Then::Halves);
    add("silent", Vec::new(), Then::Waits);
    add("closed", Vec::new(), Then::Halves);
    add("reset", Vec::new(), Then::Resets);
    let four = |more: &[u8]| v2(0x21, 0x11, &[FOUR, more].concat());
    let path = [&b"/src"[..], &[0; 104], b"/dst", &[0; 104]].concat();
    let short = |len: u8, value: &[u8]| [&[0xea, 0, len][..], value].concat();
    for (name, bytes) in [
        ("inet", four(b"")),
        ("inet6", v2(0x21, 0x21, &six([32; 12]))),
        ("mapped", v2(0x21, 0x21, &six([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]))),
        ("datagram", v2(0x21, 0x12, FOUR)),
        ("datagram six", v2(0x21, 0x22, &six([0; 12]))),
        ("unix", v2(0x21, 0x31, &path)),
        ("unix extension", v2(0x21, 0x31, &[&path[..], &tlv(0xea, b"x")].concat())),
        ("unix short", v2(0x21, 0x31, b"/a")),
        ("unspecified", v2(0x21, 0, b"")),
        ("unspecified extension", v2(0x21, 0, &tlv(0xea, b"x"))),
        ("unspecified addresses", v2(0x21, 0, FOUR)),
        ("family 01", v2(0x21, 0x01, FOUR)),
        ("family ff", v2(0x21, 0xff, FOUR)),
        ("local", v2(0x20, 0, b"")),
        ("local addresses", v2(0x20, 0x11, FOUR)),
        ("local extension", v2(0x20, 0, &[tlv(0xea, b"x"), tlv(2, b"a.example")].concat())),
        ("local rest", v2(0x20, 0, &[1, 2])),
        ("local sum", summed(0x20, b"", b"", b"", 0)),
        ("local sum wrong", summed(0x20, b"", b"", b"", 1)),
        ("command 2", v2(0x22, 0x11, FOUR)),
        ("version 1", v2(0x11, 0x11, FOUR)),
        ("version 3", v2(0x31, 0x11, FOUR)),
        ("short", v2(0x21, 0x11, &FOUR[1..])),
        ("short six", v2(0x21, 0x21, &six([0; 12])[1..])),
        ("extension", four(&tlv(0xea, b"x"))),
        ("extension empty", four(&tlv(0xea, b""))),
        ("extension of one byte", four(b"\xea")),
        ("extension of two bytes", four(b"\xea\0")),
        ("extension too long", four(&short(2, b"x"))),
        ("extension 1024", four(&tlv(0xea, &[b'x'; 1024]))),
        ("extension 1025", four(&tlv(0xea, &[b'x'; 1025]))),
        ("many extensions", four(&tlv(0xea, &[b'x'; 1000]).repeat(12))),
        ("noop", four(&[tlv(4, b"abc"), tlv(2, b"z")].concat())),
        ("sum", summed(0x21, FOUR, b"", b"", 0)),
        ("sum behind", summed(0x21, FOUR, &tlv(2, b"x"), b"", 0)),
        ("sum before", summed(0x21, FOUR, b"", &tlv(2, b"x"), 0)),
        ("sum wrong", summed(0x21, FOUR, b"", b"", 0x100)),
        ("sum short", four(&tlv(3, &[0; 3]))),
        ("sum long", four(&tlv(3, &[0; 5]))),
        ("authority", four(&tlv(2, b"a.example"))),
        ("authority 255", four(&tlv(2, &[b'a'; 255]))),
        ("authority 256", four(&tlv(2, &[b'a'; 256]))),
        ("authority empty", four(&tlv(2, b""))),
        ("authority twice", four(&[tlv(2, b"a"), tlv(2, b"b")].concat())),
        ("authority nul", four(&tlv(2, b"a\0b"))),
        ("id", four(&tlv(5, b"abc"))),
        ("id 128", four(&tlv(5, &[b'a'; 128]))),
        ("id 129", four(&tlv(5, &[b'a'; 129]))),
        ("id twice", four(&[tlv(5, b"a"), tlv(5, b"b")].concat())),
        ("namespace", four(&tlv(0x30, b"nosuch"))),
        ("tls", four(&[tlv(1, b"h2"), tlv(0x20, &[1, 0, 0, 0, 0])].concat())),
        ("fills the buffer", four(&[tlv(0xea, &[b'x'; 997]).repeat(16), tlv(0xeb, &[b'y'; 353])].concat())),
        ("beyond the buffer", four(&[tlv(0xea, &[b'x'; 997]).repeat(16), tlv(0xeb, &[b'y'; 354])].concat())),
    ] {
        add(&format!("v2 {name}"), bytes, Then::Asks);
    }
    out
}

/// Those that are tried on listeners that differ in something.
pub(super) const FEW: &[&str] =
    &["v1 tcp4", "v1 lower", "v1 to 8", "v2 sum wrong", "silent", "closed", "v1 half closed", "reset"];

/// What is tried on a listener that expects NetScaler's header with this number.
pub(super) fn netscalers(magic: u32) -> Vec<Case> {
    let tcp = |version| packet(version, 6);
    let mut out = Vec::new();
    let mut add = |name: &str, bytes: Vec<u8>, then: Then| {
        out.push(Case { name: format!("cip {name}"), bytes, then });
    };
    for (name, bytes) in [
        ("old", netscaler(magic, true, &tcp(4), 40)),
        ("old six", netscaler(magic, true, &tcp(6), 60)),
        ("new", netscaler(magic, false, &tcp(4), 40)),
        ("new six", netscaler(magic, false, &tcp(6), 60)),
        ("other number", netscaler(magic + 1, true, &tcp(4), 40)),
        ("udp", netscaler(magic, true, &packet(4, 17), 40)),
        ("udp six", netscaler(magic, true, &packet(6, 17), 60)),
        ("version 5", netscaler(magic, true, &packet(5, 6), 60)),
        ("new version 5", netscaler(magic, false, &packet(5, 6), 60)),
        ("longer", netscaler(magic, true, &tcp(4), 400)),
    ] {
        add(name, bytes, Then::Asks);
    }
    let whole = netscaler(magic, true, &tcp(4), 40);
    for end in [1, 11, 12, 19, 39] {
        add(&format!("to {end}"), whole[..end].to_vec(), Then::Waits);
    }
    // The packet is one byte shorter than its length, though long enough for what is looked at.
    add("cut", whole[..47].to_vec(), Then::Waits);
    add("silent", Vec::new(), Then::Waits);
    add("closed", Vec::new(), Then::Halves);
    add("reset", Vec::new(), Then::Resets);
    out
}
