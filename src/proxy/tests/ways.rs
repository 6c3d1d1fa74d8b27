//! Ways: which backend a request goes to, what of it goes through a pipe, what goes in front of it.

use std::io::{Read, Write};

use super::harness::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

const DEFAULTS: &str =
    "defaults\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 10s\n retries 0\n";

fn status(p: &Running, request: &str) -> (String, String) {
    let (head, body) = p.connect().send(request).response();
    (head.split(' ').nth(1).unwrap_or_default().to_owned(), body)
}

#[test]
fn rules_pass_over_backends_that_are_not_published() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let text = format!(
        "{DEFAULTS}frontend f\n bind 127.0.0.1:1\n force-be-switch if {{ hdr(x-force) 1 }}\n use_backend off\n \
         use_backend new\n use_backend %[req.hdr(x-to)] if {{ hdr(x-to) -m found }}\n default_backend last\n\
         backend off\n disabled\n server s @0\nbackend new\n be-unpublished\n server s @0\n\
         backend other\n server s @0\nbackend last\n server s @1\n"
    );
    let p = written(&[a.addr, b.addr], &text);
    let to = |p: &Running, header: &str| status(p, &format!("GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n"));
    let said = |code: &str, body: &str| (code.to_owned(), body.to_owned());
    assert_eq!(to(&p, ""), said("200", "b"));
    assert_eq!(to(&p, "x-to: other\r\n"), said("200", "a"));
    assert_eq!(to(&p, "x-to: nobody\r\n"), said("200", "b"));
    let new = p.live.backend_named("new").unwrap();
    let new = new.backend.as_ref().unwrap();
    new.publish(true);
    assert_eq!(to(&p, ""), said("200", "a"));
    new.publish(false);
    assert_eq!(to(&p, ""), said("200", "b"));
    p.live.backend_named("last").unwrap().backend.as_ref().unwrap().publish(false);
    assert_eq!(to(&p, "").0, "503", "nowhere to go");
}

#[test]
fn a_monitor_path_is_found_in_any_form_of_the_target() {
    let p = written(&[], &format!("{DEFAULTS}frontend f\n bind 127.0.0.1:1\n monitor-uri /health\n"));
    for (target, code) in [
        ("/health", "200"),
        ("http://a/health", "200"),
        ("/heAlth", "503"),
        ("/health?", "503"),
        ("http://a/health/x", "503"),
    ] {
        assert_eq!(status(&p, &format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).0, code, "{target}");
    }
}

/// Bytes in which a piece that is lost, doubled or moved is seen.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

#[test]
fn long_bodies_of_every_kind_come_through_pipes_whole() {
    const LEN: usize = 3_000_000;
    let origin = Origin::new(|mut c| {
        let Some(head) = c.request() else { return };
        let body = pattern(LEN);
        if head.contains("/chunked") {
            c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            // Large and small ones in turn.
            for (at, piece) in body.chunks(500_000).enumerate() {
                let (large, small) = piece.split_at(piece.len() - 10 - at);
                for chunk in [large, small] {
                    c.reply(format!("{:x}\r\n", chunk.len()));
                    c.reply(chunk);
                    c.reply("\r\n");
                }
            }
            c.reply("0\r\n\r\n");
        } else if head.contains("/length") {
            c.reply(format!("HTTP/1.1 200 OK\r\nContent-Length: {LEN}\r\n\r\n"));
            c.reply(body);
        } else {
            c.reply("HTTP/1.1 200 OK\r\n\r\n");
            c.reply(body);
        }
    });
    let p = http(&[origin.addr], |_| {});
    // Copied is what came with the head or the size of a chunk, and at most what a pipe is not worth at the end.
    let copied = crate::proxy::turn::PIECE as u64 + crate::proxy::splice::WORTH_IT;
    for (path, least) in
        [("/length", LEN as u64 - copied), ("/chunked", 6 * (499_000 - copied)), ("/close", 1)]
    {
        let before = p.frontend().counters.spliced_out.get();
        let mut c = p.connect();
        c.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        let head = c.head();
        let mut raw = Vec::new();
        c.stream.read_to_end(&mut raw).unwrap();
        let body = if head.contains("chunked") {
            let mut body = Vec::new();
            crate::http::ChunkDecoder::new().extract(&raw, &mut body).unwrap();
            body
        } else {
            raw
        };
        assert!(body == pattern(LEN), "{path}: {} bytes", body.len());
        eventually(path, || p.frontend().counters.spliced_out.get() - before >= least);
    }
    let (fe, be) = (&p.frontend().counters, &p.backend().counters);
    assert_eq!(fe.spliced_out.get(), be.spliced_in.get());
    assert_eq!((fe.spliced_in.get(), be.spliced_out.get()), (0, 0));
}

#[test]
fn headers_of_the_proxy_protocol_carry_what_a_format_says() {
    let origin = Origin::new(|mut c| {
        let head = c.client.some();
        let header = crate::handshake::proxy_protocol::parse(&head).unwrap();
        let tlvs: Vec<_> = header
            .tlvs
            .iter()
            .map(|(kind, value)| format!("{kind:x}={}", String::from_utf8_lossy(value)))
            .collect();
        c.reply(ok(&tlvs.join(",")));
    });
    let text = format!(
        "{DEFAULTS}listen l\n bind 127.0.0.1:1\n default-server send-proxy-v2 set-proxy-v2-tlv-fmt(0xE1) %[req.hdr(x)]\n \
         server s @0 set-proxy-v2-tlv-fmt(0xE2)\n"
    );
    let p = written(&[origin.addr], &text);
    let (_, body) = status(&p, "GET / HTTP/1.1\r\nHost: a\r\nX: foo\r\n\r\n");
    assert_eq!(body, "e1=foo,e2=");
    // What was made for one client's words is not for another's.
    let (_, body) = status(&p, "GET / HTTP/1.1\r\nHost: a\r\nX: bar\r\n\r\n");
    assert_eq!(body, "e1=bar,e2=");
}

#[test]
fn no_more_connections_are_kept_than_were_needed_at_a_time() {
    let origin = Origin::named("x");
    let text = format!(
        "{DEFAULTS}listen l\n bind 127.0.0.1:1\n http-reuse always\n http-request set-dst-port hdr(port),add(0)\n \
         server s 127.0.0.1:0\n"
    );
    let other = Origin::named("y");
    let p = written(&[], &text);
    // To one port and to the other, one after the other: only the first connection stays.
    for (port, connects, reuses) in [
        (origin.addr.port(), 1, 0),
        (other.addr.port(), 2, 0),
        (origin.addr.port(), 2, 1),
        (other.addr.port(), 3, 1),
    ] {
        assert_eq!(status(&p, &format!("GET / HTTP/1.1\r\nHost: a\r\nport: {port}\r\n\r\n")).0, "200");
        let c = &p.backend().counters;
        let server = p.backend().servers()[0].clone();
        eventually("put back", || server.counters.used.get() == 0);
        assert_eq!((c.connect.get(), c.reuse.get()), (connects, reuses), "{port}");
    }
}

#[test]
fn rules_see_the_body_of_their_own_request_only() {
    let origin = Origin::new(|mut c| {
        while let Some(head) = c.request() {
            let of =
                |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("-").to_owned();
            let body = match of("transfer-encoding: ").as_str() {
                "chunked" => "5\r\nhello\r\n0\r\n\r\n".len(),
                _ => of("content-length: ").parse().unwrap_or(0),
            };
            c.client.bytes(body);
            c.reply(ok(&of("x-seen: ")));
        }
    });
    let text = format!(
        "{DEFAULTS}frontend f\n bind 127.0.0.1:1\n http-request set-header x-seen %[req.body_len],%[req.body]\n \
         use_backend other if {{ req.body -m sub evil }}\n default_backend b\n\
         backend b\n server s @0\nbackend other\n http-request return status 418\n"
    );
    let p = written(&[origin.addr], &text);
    let next = "GET /evil HTTP/1.1\r\nHost: a\r\n\r\n";
    for (framing, body) in
        [("Content-Length: 5", "hello"), ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n")]
    {
        let mut c = p.connect();
        c.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{body}{next}"));
        assert_eq!(c.response().1, "5,hello", "{framing}");
        assert_eq!(c.response().1, "0,", "what came behind it");
    }
    let (code, _) = status(&p, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nevil");
    assert_eq!(code, "418");
}

#[test]
fn rules_see_the_body_of_a_response_without_its_framing() {
    let origin = Origin::once(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3\r\n th\r\n0\r\n\r\n",
    );
    let text = format!(
        "{DEFAULTS}listen l\n bind 127.0.0.1:1\n http-response wait-for-body time 5s\n \
         http-response set-header x-seen %[res.body]\n server s @0\n"
    );
    let p = written(&[origin.addr], &text);
    let head = p.connect().send(GET).head();
    assert!(head.contains("x-seen: hi th\r\n"), "{head}");
}

#[test]
fn connections_are_made_from_the_ports_that_are_given() {
    let origin = Origin::new(|mut c| {
        let port = c.client.stream.peer_addr().unwrap().port();
        while c.request().is_some() {
            c.reply(ok(&port.to_string()));
        }
    });
    // Six in a row that are free, or nearly so.
    let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().min(65000);
    let text = format!(
        "{DEFAULTS}listen l\n bind 127.0.0.1:1\n http-reuse never\n \
         server s @0 source 127.0.0.1:{first}-{}\n",
        first + 5
    );
    let p = written(&[origin.addr], &text);
    let mut clients: Vec<Client> = (0..3).map(|_| p.connect()).collect();
    let mut seen = Vec::new();
    for client in &mut clients {
        let port: u16 = client.send(GET).response().1.parse().unwrap();
        assert!((first..=first + 5).contains(&port), "{port} of {first}");
        assert!(!seen.contains(&port));
        seen.push(port);
    }
}

#[test]
fn whoever_stays_with_a_server_waits_behind_no_more_than_allowed() {
    let text = |limit: &str| {
        format!(
            "{DEFAULTS}listen l\n bind 127.0.0.1:1\n timeout queue 10s\n option prefer-last-server\n{limit} \
             http-reuse never\n balance roundrobin\n server a @0 maxconn 1\n server b @1 maxconn 1\n"
        )
    };
    for (limit, stays) in [(" max-keep-alive-queue 0\n", false), ("", true)] {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
        let slow = move |name: &'static str| {
            let wait = wait.clone();
            Origin::new(move |mut c| {
                while let Some(head) = c.request() {
                    if head.contains("/slow") {
                        let _ = wait.lock().unwrap().recv();
                    }
                    c.reply(ok(name));
                }
            })
        };
        let (a, b) = (slow("a"), slow("b"));
        let p = written(&[a.addr, b.addr], &text(limit));
        // The first goes to a, the second to b; then somebody keeps a busy.
        let (mut one, mut two) = (p.connect(), p.connect());
        assert_eq!(one.send(GET).response().1, "a");
        assert_eq!(two.send(GET).response().1, "b");
        let mut busy = p.connect();
        busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
        let server = p.backend().servers()[0].clone();
        eventually("busy", || server.served.get() == 1);
        one.send(GET);
        if stays {
            eventually("waiting", || server.counters.queued.get() == 1);
            go.send(()).unwrap();
            assert_eq!(one.response().1, "a");
        } else {
            assert_eq!(one.response().1, "b");
            go.send(()).unwrap();
        }
        busy.response();
    }
}

#[test]
fn no_more_sessions_are_counted_than_a_server_has_places() {
    let origin = Origin::named("x");
    for mode in ["http", "tcp"] {
        let text = format!(
            "global\n nbthread 2\n{DEFAULTS}listen l\n mode {mode}\n bind 127.0.0.1:1\n timeout queue 10s\n \
             server s @0 maxconn 1\n"
        );
        let p = written(&[origin.addr], &text);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    for _ in 0..40 {
                        p.connect().send(GET).response();
                    }
                });
            }
        });
        assert_eq!(p.backend().servers()[0].counters.sessions.peak(), 1, "{mode}");
    }
}

/// A SOCKS4 relay that answers with `code`, and connects if that says so. Tells what it was asked.
fn relay(code: u8) -> (std::net::SocketAddr, std::sync::mpsc::Receiver<[u8; 16]>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (told, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 16];
            if stream.read_exact(&mut request).is_err() || told.send(request).is_err() {
                return;
            }
            // In pieces, the last of them together with what the server says first.
            stream.write_all(&[0, code, 0]).unwrap();
            if code != 90 {
                let _ = stream.write_all(&[0; 5]);
                continue;
            }
            let ip = std::net::Ipv4Addr::from(<[u8; 4]>::try_from(&request[4..8]).unwrap());
            let port = u16::from_be_bytes([request[2], request[3]]);
            let onward = std::net::TcpStream::connect((ip, port)).unwrap();
            stream.write_all(&[0; 5]).unwrap();
            let (mut back, mut client) = (onward.try_clone().unwrap(), stream.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut client));
            std::thread::spawn(move || std::io::copy(&mut stream, &mut &onward));
        }
    });
    (addr, asked)
}

#[test]
fn servers_are_reached_through_a_relay_or_not_at_all() {
    let origin = Origin::named("a");
    let (yes, asked) = relay(90);
    let (no, refused) = relay(91);
    let text = format!(
        "{DEFAULTS}frontend f\n bind 127.0.0.1:1\n use_backend %[req.hdr(x-to)]\n\
         backend yes\n server s @0 socks4 @1\nbackend no\n server s @0 socks4 @2\n\
         backend six\n server s [::1]:1 socks4 @1\nbackend unix\n server s /nowhere socks4 @1\n"
    );
    let p = written(&[origin.addr, yes, no], &text);
    let to = |name: &str| status(&p, &format!("GET / HTTP/1.1\r\nHost: a\r\nx-to: {name}\r\n\r\n"));
    assert_eq!(to("yes"), ("200".to_owned(), "a".to_owned()));
    let mut request = [4, 1, 0, 0, 127, 0, 0, 1, b'H', b'A', b'P', b'r', b'o', b'x', b'y', 0];
    request[2..4].copy_from_slice(&origin.addr.port().to_be_bytes());
    assert_eq!(asked.recv().unwrap(), request);
    assert_eq!(to("no").0, "503");
    assert_eq!(refused.recv().unwrap(), request);
    // What the protocol has no words for is not asked, and not reached around the relay.
    assert_eq!(to("six").0, "503");
    assert_eq!(to("unix").0, "503");
    assert!(asked.try_recv().is_err());
}
