//! Where log lines go, when, and what they say.

use std::io::Write as _;
use std::net::UdpSocket;
use std::time::Duration;

use super::harness::*;
use crate::server::Admin;
use crate::sys::home::Home;

const DEFAULTS: &str =
    "defaults\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 10s\n";

/// Takes lines.
struct Syslog(UdpSocket);

impl Syslog {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn line(&self) -> String {
        let mut buffer = [0; 4096];
        let n = self.0.recv(&mut buffer).expect("a line");
        String::from_utf8_lossy(&buffer[..n]).trim_end().to_owned()
    }

    /// Nothing came, although what would have sent it is over.
    fn is_silent(&self) -> bool {
        self.0.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let silent = self.0.recv(&mut [0; 16]).is_err();
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        silent
    }

    fn at(&self) -> std::net::SocketAddr {
        self.0.local_addr().unwrap()
    }
}

fn visit(p: &Running, path: &str) {
    let mut c = p.connect();
    c.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    assert!(c.rest().contains(" 200 "));
}

#[test]
fn profiles_say_what_lines_contain_at_each_step() {
    let origin = Origin::named("x");
    let (plain, shaped) = (Syslog::new(), Syslog::new());
    let p = written(
        &[origin.addr, plain.at(), shaped.at()],
        &format!(
            "log-profile p\n log-tag mine\n on connect drop\n on close format \"closed %ST\" sd \"[x a=b]\"\n \
             on http-req format \"rule %HP\"\n on any format \"any %OG\"\n log-profile q\n on any format \"q %OG\"\n{DEFAULTS}\
             listen l\n bind 127.0.0.1:1\n log-format \"usual %OG\"\n log-steps all\n log udp@@1 format raw local0\n \
             log udp@@2 format rfc5424 profile p local0\n http-request do-log if {{ path /rule }}\n \
             http-response do-log profile q if {{ path /other }}\n error-log-format \"bad %ci\"\n path /rule\n server s @0\n"
        )
        .replace(" path /rule\n", ""),
    );
    visit(&p, "/none");
    let usual: Vec<String> = (0..5).map(|_| plain.line()).collect();
    let steps = ["accept", "request", "connect", "response", "close"];
    assert_eq!(usual, steps.map(|step| format!("usual txn_{step}")));
    let said = |line: String| {
        let (head, message) = line.split_once(" mine ").unwrap_or_else(|| panic!("{line}"));
        assert!(head.starts_with("<134>1 "), "{line}");
        message.split_once(' ').unwrap().1.to_owned()
    };
    for expected in
        ["- - any txn_accept", "- - any txn_request", "- - any txn_response", "- [x a=b] closed 200"]
    {
        assert_eq!(said(shaped.line()), expected);
    }
    // What never becomes a request is an error.
    let mut c = p.connect();
    c.send("nonsense\r\n\r\n");
    c.rest();
    assert_eq!(plain.line(), "bad 127.0.0.1");
    assert_eq!(said(shaped.line()), "- - any sess_error");
}

#[test]
fn connections_without_a_proxy_header_are_told_of() {
    let lines = Syslog::new();
    let waiting = |patience| {
        written(
            &[nobody(), lines.at()],
            &format!(
                "{DEFAULTS}frontend f\n bind 127.0.0.1:1 accept-proxy\n timeout client {patience}\n \
                 log udp@@1 format raw local0\n default_backend b\nbackend b\n server s @0\n"
            ),
        )
    };
    let p = waiting("1m");
    for (sent, why) in [
        ("", "Connection closed while waiting for PROXY protocol header"),
        ("PROX", "Truncated PROXY protocol header received"),
        ("GET / HTTP/1.1\r\n\r\n", "Received something which does not look like a PROXY protocol header"),
        ("PROXY TCP4 x y\r\n", "Received an invalid PROXY protocol header"),
    ] {
        let mut c = p.connect();
        c.send(sent);
        // Who is turned away may be so before.
        let _ = c.stream.shutdown(std::net::Shutdown::Write);
        let line = lines.line();
        assert!(line.starts_with("127.0.0.1:") && line.ends_with(&format!("] f/1: {why}")), "{line}");
    }
    let p = waiting("50ms");
    let _silent = p.connect();
    assert!(lines.line().ends_with("] f/1: Timeout while waiting for PROXY protocol header"));
}

#[test]
fn rules_write_lines_in_the_form_of_a_profile() {
    let origin = Origin::named("x");
    let lines = Syslog::new();
    let p = written(
        &[origin.addr, lines.at()],
        &format!(
            "log-profile q\n on any format \"q %OG\"\n on http-req drop\n{DEFAULTS}listen l\n bind 127.0.0.1:1\n \
             log-format \"usual %OG\"\n log udp@@1 format raw local0\n tcp-request connection do-log\n \
             http-request do-log\n http-request do-log profile q\n http-response do-log profile q\n \
             http-after-response do-log\n server s @0\n"
        ),
    );
    visit(&p, "/");
    for expected in
        ["usual tcp-req-conn", "usual http-req", "q http-res", "usual http-after-res", "usual txn_response"]
    {
        assert_eq!(lines.line(), expected);
    }
    assert!(lines.is_silent());
}

#[test]
fn a_backend_spreads_lines_over_servers_that_are_up() {
    let origin = Origin::named("x");
    let (one, two) = (Syslog::new(), Syslog::new());
    let spread = |balance: &str| {
        written(
            &[origin.addr, one.at(), two.at()],
            &format!(
                "{DEFAULTS}listen l\n bind 127.0.0.1:1\n log-format %HP\n log backend@logs format raw local0\n server s @0\n\
                 backend logs\n mode log\n balance {balance}\n server one udp@@1\n server two udp@@2\n"
            ),
        )
    };
    let p = spread("roundrobin");
    visit(&p, "/1");
    visit(&p, "/2");
    assert_eq!((one.line(), two.line()), ("/1".to_owned(), "/2".to_owned()));
    drop(p);
    let p = spread("log-hash 'field(2,/)'\n hash-type map-based none");
    for path in ["/0", "/1", "/2", "/3"] {
        visit(&p, path);
    }
    assert_eq!((one.line(), one.line()), ("/0".to_owned(), "/2".to_owned()));
    assert_eq!((two.line(), two.line()), ("/1".to_owned(), "/3".to_owned()));
    drop(p);
    // One server until it goes down; it does not take the lines back when it returns.
    let p = spread("sticky");
    let logs = p.live.proxies()[1].clone();
    let server = logs.backend.as_ref().unwrap().servers()[0].clone();
    let maintained = |on: bool| {
        logs.change_server(&server, |state, now| {
            if on {
                state.set_flag(Admin::FORCED_MAINT, "", now)
            } else {
                state.clear_flag(Admin::FORCED_MAINT, None, now)
            }
        });
    };
    visit(&p, "/a");
    assert_eq!(one.line(), "/a");
    maintained(true);
    visit(&p, "/b");
    maintained(false);
    visit(&p, "/c");
    assert_eq!((two.line(), two.line()), ("/b".to_owned(), "/c".to_owned()));
    assert!(one.is_silent());
}

#[test]
fn lines_from_elsewhere_are_passed_on() {
    let lines = Syslog::new();
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let p = written(
        &[free(), lines.at(), nobody()],
        &format!(
            "log-forward f\n bind @0\n dgram-bind @0\n log @1 local0\n{DEFAULTS}listen l\n bind 127.0.0.1:1\n server s @2\n"
        ),
    );
    let at = p.live.config.log_forwards[0].streams[0];
    let bound = crate::log::forward::bind(&p.live.config.log_forwards).unwrap();
    let watched = p.live.clone();
    crate::log::forward::spawn(bound, &p.live.logger, Home::Apart, move || watched.is_stopping()).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(b"<13>Nov  1 10:11:12 h app: one\n", at).unwrap();
    assert_eq!(lines.line(), "<13>Nov  1 10:11:12 h app: one");
    let mut stream = std::net::TcpStream::connect(at).unwrap();
    stream.write_all(b"<13>two\n12 <13>three").unwrap();
    assert_eq!(lines.line(), "<13>two");
    stream.write_all(b" 44 <13>").unwrap();
    assert_eq!(lines.line(), "<13>three 44");
    // A line that is not whole when its connection ends is none.
    drop(stream);
    let mut stream = std::net::TcpStream::connect(at).unwrap();
    stream.write_all(b"<14>last\n").unwrap();
    assert_eq!(lines.line(), "<14>last");
}
