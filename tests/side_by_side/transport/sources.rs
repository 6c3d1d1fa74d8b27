//! Where connections to servers come from and go to, and what listeners are, beside HAProxy.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::super::PATIENCE;
use crate::lab::{Config, Host, Lab, Part, Program, beside_this, eventually, proxy};

/// A line of the backend, and the server.
const WAYS: &[(&str, &str)] = &[
    ("", "127.0.0.1:9100"),
    ("", "127.0.0.1:9100 source 127.0.0.9"),
    ("source 127.0.0.9", "127.0.0.1:9100"),
    ("source 127.0.0.9", "127.0.0.1:9100 source 127.0.0.8"),
    ("", "127.0.0.1:9100 source 127.0.0.9:2000"),
    ("source 127.0.0.9:2010", "127.0.0.1:9100"),
    ("", "127.0.0.1:9100 source 127.0.0.9:2020-2020"),
    ("", "127.0.0.1:9100 source 0.0.0.0 usesrc client"),
    ("", "127.0.0.1:9100 source 0.0.0.0 usesrc clientip"),
    ("source 0.0.0.0 usesrc clientip", "127.0.0.1:9100"),
    ("source 0.0.0.0 usesrc client", "127.0.0.1:9100"),
    ("source 127.0.0.9 usesrc clientip", "127.0.0.1:9100 source 127.0.0.8"),
    ("", "127.0.0.1:9100 source 0.0.0.0 usesrc hdr_ip(x-from)"),
    ("", "127.0.0.1:9100 source 0.0.0.0 usesrc hdr_ip(x-from,1)"),
    ("", "127.0.0.1:9100 source 0.0.0.0 usesrc hdr_ip(x-from,-1)"),
    ("", "127.0.0.1:9100 source 0.0.0.0 usesrc hdr_ip(x-from,-2)"),
    ("", "127.0.0.1:9100 source 0.0.0.0 usesrc hdr_ip(x-from,9)"),
    ("", "127.0.0.1:9100 source 127.0.0.5 usesrc hdr_ip(x-none)"),
    ("", "127.0.0.1:9100 source 0.0.0.0 usesrc hdr_ip(x-bad)"),
    ("", "127.0.0.1:9100 source 0.0.0.0 usesrc hdr_ip(x-six)"),
    ("", "127.0.0.1:9100 source 0.0.0.0 usesrc 198.51.100.7"),
    ("", "127.0.0.1:9100 source 0.0.0.0 usesrc 198.51.100.7:3000"),
    ("", "127.0.0.1:9100 source 127.0.0.5 usesrc 198.51.100.8"),
    ("", "127.0.0.1:9100 source 127.0.0.9 interface lo"),
    ("source 127.0.0.9 interface lo", "127.0.0.1:9100"),
    ("", "127.0.0.1:9100 source 127.0.0.9 interface nosuch"),
    ("", "127.0.0.1:9100 source 0.0.0.0 interface lo"),
    ("", "127.0.0.1:9100 source 203.0.113.1"),
    ("", "127.0.0.1:9100 source *"),
    ("", "127.0.0.1:9100 source *:2030"),
    ("", "127.0.0.1:9100 source localhost"),
    ("", "[::1]:9101 source 127.0.0.1"),
    ("", "[::1]:9101 source 2001:db8::1:2050"),
    ("", "ipv6@::1:9101"),
    ("", "ipv4@localhost:9100"),
    ("", "*:9100"),
    ("", "0.0.0.0:9100"),
    ("", ":9100"),
    // Port 8718 and so on: the listener's own, and an offset to it.
    ("", "127.0.0.1:+1000"),
    ("", "127.0.0.1:-1000"),
    ("", "127.0.0.1:9100 namespace inner"),
    ("", "unix@/run/served"),
    ("", "abns@served"),
];

/// Listeners, and what they say besides.
const LISTENERS: &[&str] = &[
    "127.0.0.1:8800 maxconn 7",
    "127.0.0.1:8801 backlog 5 maxconn 7",
    "127.0.0.1:8802 interface lo",
    "127.0.0.1:8803 interface nosuch",
    "203.0.113.9:8804 transparent",
    "2001:db8:9::1:8805 transparent",
    "127.0.0.1:8806-8808",
    "127.0.0.1:8809,[::1]:8810",
    "ipv4@:8811",
    "ipv6@:8812",
    ":::8813 v4v6",
    ":::8814 v6only",
    "*:8815 defer-accept",
    "127.0.0.1:8816 nice 7 mss 1000 tcp-ut 4s",
    "abns@listening",
    "unix@/run/mode mode 640",
    "unix@/run/owner uid 12 gid 34",
    "unix@/run/named user nobody group daemon mode 666",
];

/// Whoever comes over IPv4 to a socket of both families can be passed on in his own name to an IPv4 server; HAProxy would
/// have to bind an IPv6 address for that, and answers 503.
const DIFFERENT: &[&str] = &["8691 127.0.3.7", "8691 127.0.6.1", "8691 127.0.7.1"];

const FRONT: u16 = 8700;

/// Answers with the address it was reached from and what it was told of the client.
fn serve(host: &Host, at: &str) {
    let listener = host.run(|| TcpListener::bind(at)).unwrap();
    let at = at.to_owned();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let at = at.clone();
            std::thread::spawn(move || -> std::io::Result<()> {
                let peer = stream.peer_addr()?;
                let (mut head, mut piece) = (Vec::new(), [0; 4096]);
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut piece)? {
                        0 => return Ok(()),
                        n => head.extend_from_slice(&piece[..n]),
                    }
                }
                let text = String::from_utf8_lossy(&head);
                let told = text.lines().find(|line| line.to_lowercase().starts_with("x-forwarded-for"));
                // Ports that the kernel chose say nothing.
                let port = if peer.port() < 20_000 { peer.port() } else { 0 };
                let said = format!("{at} from {}:{port} {}", peer.ip(), told.unwrap_or_default());
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{said}", said.len())
            });
        }
    });
}

fn ask(host: &Host, from: SocketAddr, to: SocketAddr) -> String {
    let answer = host.run(|| -> std::io::Result<String> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&from.into())?;
        socket.connect_timeout(&to.into(), PATIENCE)?;
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(
            b"GET / HTTP/1.1\r\nHost: a\r\nX-From: 127.0.4.1, 127.0.4.2\r\nX-From: 127.0.4.3\r\nX-Bad: foo\r\n\
              X-Six: 2001:db8::1\r\nConnection: close\r\n\r\n",
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    });
    let answer = answer.unwrap_or_else(|error| error.to_string());
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => body.to_owned(),
        _ => answer.split_whitespace().nth(1).unwrap_or_default().to_owned(),
    }
}

fn config() -> String {
    let mut text = "\
global
    log stdout format raw local0
    nbthread 1
defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
    retries 0
"
    .to_owned();
    for (nth, (line, server)) in WAYS.iter().enumerate() {
        let port = FRONT + nth as u16;
        text += &format!("listen l{nth}\n bind 127.0.0.1:{port}\n {line}\n server s {server}\n");
    }
    // The other ends of the sockets that have no port.
    text += "frontend served\n bind unix@/run/served\n bind abns@served\n http-request return status 200 content-type text/plain string socket\n";
    text += "frontend inner\n bind 127.0.0.1:9100 namespace inner\n http-request return status 200 content-type text/plain string inner\n";
    // Both families on one socket.
    text += "listen both\n bind :::8690 v4v6\n log global\n option httplog\n option forwardfor except 127.0.6.0/24\n acl four src 127.0.7.0/24\n \
             http-request return status 200 content-type text/plain lf-string %[src]/%[dst]/%ci/%fi/%[src,ipmask(24,64)] if four\n \
             server s 127.0.0.1:9100\n";
    text += "listen both-through\n bind :::8691 v4v6\n source 0.0.0.0 usesrc clientip\n server s 127.0.0.1:9100\n";
    text += "listen both-to\n bind :::8692 v4v6\n server s *:9100\n";
    text += "listen both-said\n bind :::8693 v4v6\n server s 127.0.0.1:8694 send-proxy\n";
    text += "frontend said\n bind 127.0.0.1:8694 accept-proxy\n http-request return status 200 content-type text/plain lf-string %[src]/%[dst]\n";
    for (nth, line) in LISTENERS.iter().enumerate() {
        text += &format!("frontend f{nth}\n bind {line}\n http-request deny\n");
    }
    text
}

fn observe(lab: &Lab, name: &str, program: &Program) -> BTreeMap<String, String> {
    let host = lab.host(name);
    host.sh("ip -6 addr add 2001:db8::1/64 dev lo nodad; ip route add local 198.51.100.0/24 dev lo; \
             ip netns add inner && ip -n inner link set lo up");
    serve(&host, "127.0.0.1:9100");
    serve(&host, "[::1]:9101");
    for (nth, (_, server)) in WAYS.iter().enumerate() {
        let port = FRONT + nth as u16;
        match server.split_once(':') {
            Some((_, "+1000")) => serve(&host, &format!("127.0.0.1:{}", port + 1000)),
            Some((_, "-1000")) => serve(&host, &format!("127.0.0.1:{}", port - 1000)),
            _ => {}
        }
    }
    let config = Config::written(&host, "haproxy.cfg", &config());
    let _proxy = host.haproxy(program, &config);
    let last = LISTENERS.iter().find(|line| line.contains("8816")).unwrap().split(' ').next().unwrap();
    eventually("the proxy to listen", Duration::from_secs(10), || host.reaches(last));
    let mut seen = BTreeMap::new();
    let client = |last: u8, port: u16| SocketAddr::from(([127, 0, 3, last], port));
    for (nth, (line, server)) in WAYS.iter().enumerate() {
        let to = SocketAddr::from(([127, 0, 0, 1], FRONT + nth as u16));
        seen.insert(format!("{line} | {server}"), ask(&host, client(7, 10_000 + nth as u16), to));
    }
    let from = |ip: &str, port| SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port);
    for (nth, port) in (8690..8694).enumerate() {
        for (at, (source, to)) in [
            ("127.0.3.7", "127.0.0.1"),
            ("127.0.6.1", "127.0.0.1"),
            ("127.0.7.1", "127.0.0.1"),
            ("::1", "::1"),
        ]
        .into_iter()
        .enumerate()
        {
            let own = from(source, 11_000 + (nth * 10 + at) as u16);
            seen.insert(format!("{port} {source}"), ask(&host, own, from(to, port)));
        }
    }
    let ports = host.sh("ss -H -ltn | awk '{print $3, $4}' | grep -E ':88[01][0-9]' | sort -u");
    seen.insert("listeners".to_owned(), ports);
    seen.insert("paths".to_owned(), host.sh("stat -c '%n %F %a %u %g' /run/mode /run/owner /run/named"));
    seen.insert("names".to_owned(), host.sh("ss -H -lx | grep -o '@listening[@]*' | sort -u"));
    seen
}

#[test]
fn connections_come_and_go_as_haproxys() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let reference = Program::reference_haproxy();
    let observe = |name: &str, program: &Program| observe(&lab, name, program);
    let (ours, theirs) = beside_this(&proxy(), &reference, observe);
    let wrong: Vec<String> = theirs
        .iter()
        .filter(|(name, text)| ours[*name] != **text && !DIFFERENT.contains(&name.as_str()))
        .map(|(name, text)| format!("{name}\n  ours   {}\n  theirs {text}", ours[name]))
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), theirs.len(), wrong.join("\n"));
    assert_eq!(ours[" | 127.0.0.1:9100 source 127.0.0.9:2000"], "127.0.0.1:9100 from 127.0.0.9:2000 ");
    assert_eq!(ours[DIFFERENT[0]], "127.0.0.1:9100 from 127.0.3.7:0 ");
    assert!(ours["8690 127.0.7.1"].starts_with("::ffff:127.0.7.1/"), "{}", ours["8690 127.0.7.1"]);
}
