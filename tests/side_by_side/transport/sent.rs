//! Headers that servers and checks of servers are sent.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::super::PATIENCE;
use super::super::wire::version;
use super::heads::{tlv, v2};
use crate::lab::{Config, Host, Lab, Part, Program, beside_this, proxy, wait_for};

/// Settings of servers; those behind the first group are newer than 2.6.
const WAYS: [&[&str]; 2] = [
    &[
        "",
        "send-proxy",
        "send-proxy-v2",
        "send-proxy-v2-ssl",
        "send-proxy-v2-ssl-cn",
        "send-proxy send-proxy-v2",
        "send-proxy send-proxy-v2 no-send-proxy-v2",
        "send-proxy send-proxy-v2 no-send-proxy",
        "send-proxy-v2-ssl no-send-proxy-v2-ssl send-proxy-v2",
        "send-proxy-v2-ssl-cn no-send-proxy-v2-ssl-cn send-proxy-v2",
        "send-proxy-v2 proxy-v2-options crc32c",
        "send-proxy-v2 proxy-v2-options unique-id",
        "send-proxy-v2 proxy-v2-options authority",
        "send-proxy-v2 proxy-v2-options ssl",
        "send-proxy-v2 proxy-v2-options cert-cn",
        "send-proxy-v2 proxy-v2-options ssl-cipher",
        "send-proxy-v2 proxy-v2-options cert-sig",
        "send-proxy-v2 proxy-v2-options cert-key",
        "send-proxy-v2 proxy-v2-options crc32c proxy-v2-options unique-id",
        "send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id",
    ],
    &[
        "proxy-v2-options crc32c",
        "send-proxy-v2-ssl no-send-proxy-v2",
        "send-proxy-v2 proxy-v2-options crc32c,unique-id set-proxy-v2-tlv-fmt(0xE1) %[src]-x set-proxy-v2-tlv-fmt(0xE2)",
        "send-proxy-v2 proxy-v2-options crc32c set-proxy-v2-tlv-fmt(0x02) %[fc_pp_authority]",
    ],
];

/// Settings of servers that are checked at a port of their own, and whether the port is said to be another.
const CHECKS: [&[&str]; 2] = [
    &[
        "send-proxy",
        "send-proxy-v2",
        "send-proxy-v2-ssl",
        "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority,ssl",
        "check-send-proxy",
        "check-send-proxy send-proxy-v2",
        "check-send-proxy send-proxy-v2 port PORT",
    ],
    &["send-proxy-v2 set-proxy-v2-tlv-fmt(0xE1) abc"],
];

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// What clients say of themselves.
fn clients() -> Vec<(&'static str, Vec<u8>)> {
    let four = [1, 2, 3, 4, 5, 6, 7, 8, 4, 87, 8, 174];
    let with = |more: &[u8]| v2(0x21, 0x11, &[&four[..], more].concat());
    vec![
        ("four", b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 2222\r\n".to_vec()),
        ("six", b"PROXY TCP6 2001:db8::1 2001:db8::2 1111 2222\r\n".to_vec()),
        ("mapped", b"PROXY TCP6 ::ffff:1.2.3.4 ::ffff:5.6.7.8 1111 2222\r\n".to_vec()),
        ("local", v2(0x20, 0, b"")),
        ("named", with(&[tlv(2, b"a.example"), tlv(5, b"id"), tlv(1, b"h2"), tlv(0xea, b"z")].concat())),
        ("elsewhere", with(&tlv(0x30, b"nosuch"))),
    ]
}

type Received = Arc<Mutex<HashMap<u16, Vec<Vec<u8>>>>>;

/// Keeps what comes before a request, or all of it, and answers.
fn serve(host: &Host, port: u16, received: &Received) {
    let listener = host.run(|| TcpListener::bind(("127.0.0.1", port))).unwrap();
    let received = Arc::clone(received);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let received = Arc::clone(&received);
            std::thread::spawn(move || -> std::io::Result<()> {
                stream.set_read_timeout(Some(Duration::from_secs(20)))?;
                let peer = stream.peer_addr()?.port();
                let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
                while !bytes.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut piece).unwrap_or(0) {
                        0 => break,
                        n => bytes.extend_from_slice(&piece[..n]),
                    }
                }
                let request = bytes.windows(5).position(|five| five == b"GET /");
                bytes.truncate(request.unwrap_or(bytes.len()));
                let text = String::from_utf8_lossy(&bytes).replace(&format!(" {peer} "), " PORT ");
                let kept = if bytes.starts_with(b"PROXY") { text.into_bytes() } else { bytes };
                received.lock().unwrap().entry(port).or_default().push(kept);
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            });
        }
    });
}

/// The header of every way, mode and client, and of every check.
fn observe(lab: &Lab, name: &str, program: &Program, newer: bool) -> HashMap<String, Vec<u8>> {
    let host = lab.host(name);
    let received = Received::default();
    let groups = if newer { 2 } else { 1 };
    let ways: Vec<&str> = WAYS[..groups].concat();
    let checks: Vec<&str> = CHECKS[..groups].concat();
    let mut text = "defaults\n timeout client 5s\n timeout server 5s\n timeout connect 5s\n".to_owned();
    let mut entries = Vec::new();
    for mode in ["tcp", "http"] {
        for id in ["", " unique-id-format id-%[src]\n"] {
            for way in &ways {
                let nth = entries.len() as u16;
                text += &format!(
                    "listen l{nth}\n mode {mode}\n bind 127.0.0.1:{} accept-proxy\n bind unix@/run/u{nth}\n{id} \
                     server s 127.0.0.1:{} {way}\n",
                    8400 + nth,
                    9100 + nth
                );
                serve(&host, 9100 + nth, &received);
                entries.push(format!("{mode}{id} {way}"));
            }
        }
    }
    for (nth, check) in checks.iter().enumerate() {
        let port = 9500 + nth as u16;
        let server = if check.contains("PORT") { 9 } else { port };
        let check = check.replace("PORT", &port.to_string());
        text += &format!(
            "backend c{nth}\n mode tcp\n option httpchk GET /\n server s 127.0.0.1:{server} {check} check inter 2s\n"
        );
        serve(&host, port, &received);
    }
    let config = Config::written(&host, "haproxy.cfg", &text);
    let _proxy = host.haproxy(program, &config);
    let last = format!("127.0.0.1:{}", 8400 + entries.len() - 1);
    crate::lab::eventually("the proxy to listen", Duration::from_secs(10), || host.reaches(&last));
    let taken = |what: &str, port: u16| {
        wait_for(what, Duration::from_secs(10), || received.lock().unwrap().get_mut(&port)?.pop())
    };
    let mut seen = HashMap::new();
    for (nth, entry) in entries.iter().enumerate() {
        let nth = nth as u16;
        let unix = format!("/proc/{}/root/run/u{nth}", host.pid());
        let mut stream = UnixStream::connect(unix).unwrap();
        stream.write_all(REQUEST).unwrap();
        let what = format!("{entry}: unix");
        let header = taken(&what, 9100 + nth);
        seen.insert(what, header);
        for (at, (client, header)) in clients().into_iter().enumerate() {
            // The same port on both sides: checksums cover it.
            let from = SocketAddr::from(([127, 0, 5, 1 + at as u8], 20_000 + nth));
            let to = SocketAddr::from(([127, 0, 0, 1], 8400 + nth));
            let mut stream = host.run(|| {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
                socket.bind(&from.into()).unwrap();
                socket.connect_timeout(&to.into(), PATIENCE).unwrap();
                TcpStream::from(socket)
            });
            stream.write_all(&[&header, REQUEST].concat()).unwrap();
            let what = format!("{entry}: {client}");
            let header = taken(&what, 9100 + nth);
            seen.insert(what, header);
        }
    }
    for (nth, check) in checks.iter().enumerate() {
        let what = format!("check {check}");
        let header = taken(&what, 9500 + nth as u16);
        seen.insert(what, header);
    }
    seen
}

#[test]
fn headers_are_sent_as_by_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let reference = Program::reference_haproxy();
    let newer = !version(&reference).starts_with('2');
    let observe = |name: &str, program: &Program| observe(&lab, name, program, newer);
    let (ours, theirs) = beside_this(&proxy(), &reference, observe);
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let mut wrong: Vec<String> = theirs
        .iter()
        .filter(|(name, bytes)| ours[*name] != **bytes)
        .map(|(name, bytes)| format!("{name}\n  ours   {}\n  theirs {}", text(&ours[name]), text(bytes)))
        .collect();
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), theirs.len(), wrong.join("\n"));
    assert_eq!(text(&ours["tcp send-proxy: four"]), r"PROXY TCP4 1.2.3.4 5.6.7.8 1111 2222\r\n");
}
