//! Ways: which backend a request goes to, what of it goes through a pipe, what goes in front of it.

use std::io::Read;

use super::harness::*;

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
    let new = p.live.backend_named("new").unwrap().backend.as_ref().unwrap();
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
    for (path, least) in [("/length", 1), ("/chunked", 1), ("/close", 1)] {
        let before = p.frontend().counters.spliced_out.get();
        let mut c = p.connect();
        c.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        let head = c.head();
        let mut raw = Vec::new();
        c.stream.read_to_end(&mut raw).unwrap();
        let body = if head.contains("chunked") {
            let mut body = Vec::new();
            crate::http::ChunkDecoder::new().extract(&raw, &mut body);
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
        let header = crate::proxy::proxy_protocol::parse(&head).unwrap().unwrap();
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
