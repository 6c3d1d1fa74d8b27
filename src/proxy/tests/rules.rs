//! Rules that take time, need room, or ask others.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use hickory_proto::op::{Message, ResponseCode};

use super::harness::*;
use crate::dns::tests::reply;
use crate::sys::home::Home;

const DEFAULTS: &str =
    "defaults\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 10s\n";

/// A name server for one name; every other one does not exist.
fn nameserver(name: &'static str, addr: IpAddr) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((n, from)) = socket.recv_from(&mut buffer) {
            let question = &buffer[..n];
            let asked = Message::from_vec(question).unwrap().queries[0].name().to_string();
            let answer = if asked.trim_end_matches('.') == name {
                reply(question, &[addr], ResponseCode::NoError)
            } else {
                reply(question, &[], ResponseCode::NXDomain)
            };
            let _ = socket.send_to(&answer, from);
        }
    });
    at
}

#[test]
fn a_rule_looks_a_host_up_and_the_request_goes_there() {
    let origin = Origin::named("found");
    let dns = nameserver("app.test", origin.addr.ip());
    for (mode, rule, send) in [
        ("http", "http-request do-resolve(txn.ip,dns,ipv4) hdr(host)\n http-request", "app.test"),
        ("tcp", "tcp-request content do-resolve(sess.ip,dns) str(app.test)\n tcp-request content", "any"),
    ] {
        let scope = if mode == "http" { "txn" } else { "sess" };
        let p = written(
            &[dns, origin.addr],
            &format!(
                "resolvers dns\n nameserver n @0\n hold valid 10s\n{DEFAULTS}listen l\n mode {mode}\n bind 127.0.0.1:1\n \
                 {rule} set-dst var({scope}.ip)\n {} set-dst-port int({})\n server s 0.0.0.0:0\n",
                if mode == "http" { "http-request" } else { "tcp-request content" },
                origin.addr.port()
            ),
        );
        crate::dns::runner::spawn(&p.live, Home::Apart).unwrap();
        for _ in 0..2 {
            let mut c = p.connect();
            c.send(format!("GET / HTTP/1.1\r\nHost: {send}\r\nConnection: close\r\n\r\n"));
            assert_eq!(c.response().1, "found", "{mode}");
        }
        let asked = p.live.resolvers[0].nameservers[0].counters.sent.get();
        // IPv6 first, which there is not, then IPv4; the second request finds it remembered.
        assert_eq!(asked, if mode == "http" { 1 } else { 2 }, "{mode}");
    }
}

#[test]
fn without_an_answer_the_variable_stays_as_it_was() {
    let origin = Origin::named("default");
    let dns = nameserver("app.test", [127, 0, 0, 9].into());
    let p = written(
        &[dns, origin.addr],
        &format!(
            "resolvers dns\n nameserver n @0\n resolve_retries 1\n timeout retry 50ms\n{DEFAULTS}listen l\n \
             bind 127.0.0.1:1\n http-request do-resolve(txn.ip,dns) str(other.test)\n \
             http-request return status 404 if !{{ var(txn.ip) -m found }}\n server s @1\n"
        ),
    );
    crate::dns::runner::spawn(&p.live, Home::Apart).unwrap();
    let mut c = p.connect();
    c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(c.response().0.starts_with("HTTP/1.1 404"));
}

#[test]
fn a_pause_comes_between_two_rules() {
    let origin = Origin::named("later");
    let p = written(
        &[origin.addr],
        &format!(
            "{DEFAULTS}listen l\n bind 127.0.0.1:1\n http-request pause 60\n http-request pause hdr(x-wait) \
             if {{ hdr(x-wait) -m found }}\n http-response pause 50ms\n server s @0\n"
        ),
    );
    let mut c = p.connect();
    let start = Instant::now();
    c.send("GET / HTTP/1.1\r\nHost: a\r\nX-Wait: 40\r\n\r\n");
    assert_eq!(c.response().1, "later");
    assert!(start.elapsed() >= Duration::from_millis(150), "{:?}", start.elapsed());
    // Who leaves meanwhile is not served.
    let mut gone = p.connect();
    gone.send("GET / HTTP/1.1\r\nHost: a\r\nX-Wait: 60000\r\n\r\n");
    eventually("received", || p.frontend().counters.req_tot.get() == 2);
    drop(gone);
    eventually("ended", || p.frontend().counters.sessions.get() == 1);
    origin.saw();
    assert!(origin.saw_nothing());
}

#[test]
fn bandwidth_is_limited_in_the_direction_that_is_asked_for() {
    let body = "x".repeat(30_000);
    let answer = ok(&body);
    let origin = Origin::new(move |mut c| {
        while let Some(head) = c.request() {
            if head.starts_with("POST") {
                c.client.bytes(30_000);
            }
            let chunked =
                format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7530\r\n{body}\r\n0\r\n\r\n");
            c.reply(if head.contains("/short") {
                ok("x")
            } else if head.contains("/chunked") {
                chunked
            } else {
                answer.clone()
            });
        }
    });
    let lines = "filter bwlim-out down default-limit 10k default-period 200ms\n \
                 filter bwlim-in up default-limit 1m default-period 1s\n";
    let p = written(
        &[origin.addr],
        &format!(
            "{DEFAULTS}listen l\n bind 127.0.0.1:1\n {lines} http-request set-bandwidth-limit down if {{ path_beg /slow }}\n \
             http-request set-bandwidth-limit up limit 10000 period hdr(x-period) if METH_POST\n server s @0\n"
        ),
    );
    let took = |request: &str, body: &str| {
        let mut c = p.connect();
        let start = Instant::now();
        c.send(format!("{request}\r\nHost: a\r\nConnection: close\r\nX-Period: 200\r\n"));
        c.send(if body.is_empty() {
            "\r\n".to_owned()
        } else {
            format!("Content-Length: {}\r\n\r\n{body}", body.len())
        });
        let rest = c.rest();
        assert!(rest.starts_with("HTTP/1.1 200"), "{request}: {}", &rest[..rest.len().min(100)]);
        (start.elapsed(), rest.len())
    };
    // The first period is free; what is left takes at least its share of the others.
    let least = Duration::from_millis(380);
    for path in ["/slow", "/slow/chunked"] {
        let (time, len) = took(&format!("GET {path} HTTP/1.1"), "");
        assert!(time >= least && len > 30_000, "{path}: {time:?}, {len} bytes");
    }
    let (time, _) = took("POST /short HTTP/1.1", &"y".repeat(30_000));
    assert!(time >= least, "upload: {time:?}");
    // Sessions of bytes are limited alike.
    let p = written(
        &[origin.addr],
        &format!(
            "{DEFAULTS}listen l\n mode tcp\n bind 127.0.0.1:1\n {lines} tcp-request content set-bandwidth-limit down\n server s @0\n"
        ),
    );
    let mut c = p.connect();
    let start = Instant::now();
    c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(c.response().1.len(), 30_000);
    assert!(start.elapsed() >= least, "{:?}", start.elapsed());
}

#[test]
fn an_edit_without_room_is_an_error_unless_rules_say_otherwise() {
    let long = "y".repeat(450);
    let origin = Origin::named("x");
    let p = written(
        &[origin.addr],
        &format!(
            "global\n tune.bufsize 1024\n tune.maxrewrite 256\n{DEFAULTS}listen l\n bind 127.0.0.1:1\n \
             http-request strict-mode off if {{ path /soft }}\n http-request set-header x-a {long} if {{ path_beg /soft }} || {{ path /strict }}\n \
             http-response set-header x-b {long}{long}{long}{long} if {{ res.hdr(content-length) -m found }} {{ var(txn.r) -m found }}\n \
             http-request set-var(txn.r) int(1) if {{ path /response }}\n server s @0\n"
        ),
    );
    let pad = "p".repeat(600);
    for (path, status) in [("/soft", "200"), ("/strict", "500"), ("/none", "200"), ("/response", "500")] {
        let mut c = p.connect();
        c.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Pad: {pad}\r\n\r\n"));
        assert_eq!(c.response().0.split(' ').nth(1), Some(status), "{path}");
    }
    assert_eq!(p.frontend().counters.wrew.get(), 3);
    assert_eq!(p.frontend().counters.eint.get(), 2);
    assert!(!origin.saw().contains("x-a"));
}

/// The client is left waiting: neither an end nor a reset tells it that nobody is there any more.
#[test]
fn a_silent_drop_is_silent() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: taking a connection out of the protocol needs root");
        return;
    }
    let origin = Origin::named("one");
    for rule in [
        "tcp-request connection silent-drop",
        "tcp-request content silent-drop",
        "http-request silent-drop",
        "http-response silent-drop",
    ] {
        let text = format!("{DEFAULTS}listen l\n bind 127.0.0.1:1\n {rule}\n server s @0\n");
        let p = written(&[origin.addr], &text);
        // With a body on its way, a plain close would end the connection first and reset it later.
        let mut c = std::net::TcpStream::connect(p.addr).unwrap();
        // What is sent to a connection that is gone already is answered by the kernel.
        if !rule.starts_with("tcp-request connection") {
            c.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello").unwrap();
        }
        eventually("the end", || {
            p.frontend().counters.sessions.get() == 0 && p.frontend().counters.conn_tot.get() == 1
        });
        c.set_nonblocking(true).unwrap();
        let seen = c.read(&mut [0; 16]);
        assert_eq!(seen.map_err(|e| e.kind()), Err(std::io::ErrorKind::WouldBlock), "{rule}");
    }
}

#[test]
fn who_asks_as_a_proxy_is_asked_as_one() {
    let origin = Origin::named("there");
    let p = written(
        &[origin.addr],
        &format!(
            "userlist u\n user ann insecure-password pw\n{DEFAULTS}listen l\n bind :1\n \
             option http-use-proxy-header\n http-request auth unless {{ http_auth(u) }}\n server s @0\n"
        ),
    );
    let ask = |target: &str, header: &str| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{header}Connection: close\r\n\r\n");
        p.connect().send(request).head().to_ascii_lowercase()
    };
    let right = "Basic YW5uOnB3\r\n";
    assert!(ask("/", "").contains(" 401 ") && ask("/", "").contains("www-authenticate: basic"));
    assert!(
        ask("http://a/", "").contains(" 407 ")
            && ask("http://a/", "").contains("\r\nproxy-authenticate: basic")
    );
    assert!(ask("http://a/", &format!("Authorization: {right}")).contains(" 407 "));
    assert!(ask("http://a/", &format!("Proxy-Authorization: {right}")).contains(" 200 "));
    assert!(ask("/", &format!("Authorization: {right}")).contains(" 200 "));
}

#[test]
fn whom_rules_of_connections_turn_away_is_no_session() {
    let origin = Origin::named("o");
    let lines = "tcp-request session reject if { fe_sess_rate 0 }";
    let p =
        written(&[origin.addr], &format!("{DEFAULTS}listen l\n bind 127.0.0.1:1\n {lines}\n server s @0\n"));
    assert!(p.connect().is_closed());
    let counters = &p.frontend().counters;
    eventually("the refusal", || counters.dses.get() == 1);
    assert_eq!((counters.stot.get(), counters.conn_tot.get()), (0, 1));
    assert_eq!((p.live.process.conn_rate.max(), p.live.process.sess_rate.max()), (1, 0));
    assert_eq!(p.frontend().listeners[0].counters.conn_tot.get(), 1);
}

#[test]
fn a_burst_before_rules_stays_within_the_limit_of_sessions() {
    let origin = Origin::named("o");
    let lines = "rate-limit sessions 2\n tcp-request connection accept";
    let p =
        written(&[origin.addr], &format!("{DEFAULTS}listen l\n bind 127.0.0.1:1\n {lines}\n server s @0\n"));
    let start = Instant::now();
    let clients: Vec<_> = (0..5).map(|_| p.connect()).collect();
    let counters = &p.frontend().counters;
    eventually("all of them to be let in", || counters.stot.get() == clients.len() as u64);
    // Two at once, the third after a second, two per second from then on.
    assert!(start.elapsed() >= Duration::from_millis(1_800), "{:?}", start.elapsed());
    assert_eq!(counters.rate.max(), 2);
}
