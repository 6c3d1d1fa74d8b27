//! Bodies that are waited for, rules that look at bytes, identities, and ends from afar, of written configurations.

use std::time::Duration;

use super::harness::*;
use crate::handshake::proxy_protocol::{Says, header};
use crate::ir::server::SendProxy;

const DEFAULTS: &str =
    "defaults\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 10s\n";

fn with(servers: &[std::net::SocketAddr], lines: &str) -> Running {
    written(servers, &format!("{DEFAULTS}listen l\n bind 127.0.0.1:1\n{lines}\n"))
}

#[test]
fn rules_see_a_body_that_was_waited_for() {
    let origin = Origin::new(|mut c| {
        while let Some(head) = c.request() {
            let chunked = head.contains("chunked");
            c.client.bytes(if chunked { "4\r\ngood\r\n0\r\n\r\n".len() } else { "some good".len() });
            c.reply(ok("x"));
        }
    });
    let p = with(
        &[origin.addr],
        " option http-buffer-request\n http-request deny if { req.body -m sub evil }\n server s @0",
    );
    for (framing, good, bad) in [
        ("Content-Length: 9", "some good", "some evil"),
        ("Transfer-Encoding: chunked", "4\r\ngood\r\n0\r\n\r\n", "2\r\nev\r\n2\r\nil\r\n0\r\n\r\n"),
    ] {
        for (body, status) in [(good, "200"), (bad, "403")] {
            let mut c = p.connect();
            c.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n"));
            let (first, second) = body.split_at(body.len() - 8);
            c.send(first);
            assert!(origin.saw_nothing(), "the body is not complete");
            c.send(second);
            assert_eq!(c.response().0.split(' ').nth(1), Some(status), "{body:?}");
            if status == "200" {
                origin.saw();
            }
        }
    }
    // Who waits for a body asks for it.
    let mut c = p.connect();
    c.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(c.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    c.send("evil");
    assert!(c.response().0.starts_with("HTTP/1.1 403"));
}

/// What both HAProxys say of the beginning of a body in chunks.
#[test]
fn the_size_of_a_body_contains_the_chunk_that_has_begun() {
    let p = with(
        &[nobody()],
        " http-request return status 200 hdr x \"%[req.body_len] of %[req.body_size]\"\n server s @0",
    );
    for (body, sizes) in
        [("5", "0 of 0"), ("5\r\n", "0 of 5"), ("5\r\nhe", "2 of 5"), ("2\r\nhe\r\n7\r\nl", "3 of 9")]
    {
        let mut c = p.connect();
        c.send(format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"));
        let head = c.head();
        assert!(head.contains(&format!("\r\nx: {sizes}\r\n")), "{body:?}: {head}");
    }
}

#[test]
fn a_message_of_another_status_has_an_end_all_the_same() {
    // HAProxy passes the length on, or none, and lets the client wait for what nobody sends until the connection closes.
    for (sent, told, said) in [
        ("204 No Content\r\nContent-Length: 3\r\n", 299, "content-length: 0"),
        ("204 No Content\r\n", 404, "content-length: 0"),
        ("304 Not Modified\r\nContent-Length: 3\r\n", 200, "content-length: 0"),
        ("200 OK\r\nContent-Length: 0\r\n", 204, "HTTP/1.1 204"),
    ] {
        let origin = Origin::new(move |mut c| {
            while c.request().is_some() {
                c.reply(format!("HTTP/1.1 {sent}\r\n"));
            }
        });
        let p = with(&[origin.addr], &format!(" http-response set-status {told}\n server s @0"));
        let mut c = p.connect();
        for _ in 0..2 {
            c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            let head = c.head();
            assert!(head.starts_with(&format!("HTTP/1.1 {told}")) && head.contains(said), "{sent}: {head}");
        }
    }
}

#[test]
fn a_body_that_does_not_come_is_answered_408() {
    let origin = Origin::named("x");
    let p = with(&[origin.addr], " option http-buffer-request\n timeout http-request 150ms\n server s @0");
    let mut c = p.connect();
    c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nsome");
    assert!(c.rest().starts_with("HTTP/1.1 408"));
    assert!(origin.saw_nothing());
}

#[test]
fn a_rule_waits_for_some_of_a_body() {
    let origin = Origin::named("x");
    let p = with(
        &[origin.addr],
        " http-request wait-for-body time 10s at-least 6\n http-request deny if { req.body -m beg foobar }\n server s @0",
    );
    let mut c = p.connect();
    c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nfoo");
    c.send("bar");
    assert!(c.response().0.starts_with("HTTP/1.1 403"));
}

#[test]
fn response_rules_wait_for_bodies() {
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::new(move |mut c| {
        while c.request().is_some() {
            c.reply("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome");
            gate.lock().unwrap().recv().unwrap();
            c.reply(" evil");
        }
    });
    let p = with(
        &[origin.addr],
        " http-response wait-for-body time 10s\n http-response deny if { res.body -m sub evil }\n server s @0",
    );
    let mut c = p.connect();
    c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.saw();
    go.send(()).unwrap();
    assert!(c.response().0.starts_with("HTTP/1.1 502"));
}

#[test]
fn content_rules_guard_http_too() {
    let origin = Origin::named("x");
    let p = with(
        &[origin.addr],
        " tcp-request content reject if { req.hdr(x-no) -m found }\n tcp-request content set-var(sess.seen) bool(1) if { path /first }\n http-response set-header x-seen %[var(sess.seen)]\n server s @0",
    );
    let mut c = p.connect();
    c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(c.response().0.contains("x-seen: \r\n"));
    // What a session remembers, its later requests know.
    for path in ["/first", "/second"] {
        c.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(c.response().0.contains("x-seen: 1\r\n"), "{path}");
    }
    c.send("GET / HTTP/1.1\r\nHost: a\r\nX-No: 1\r\n\r\n");
    assert!(c.is_closed());
    assert_eq!(p.frontend().counters.dreq.get(), 1);
}

#[test]
fn what_a_server_says_first_can_be_refused() {
    let origin = Origin::new(|mut c| {
        c.reply("220 hello\r\n");
        let _ = c.client.stream.set_read_timeout(None);
        c.client.is_closed();
    });
    let text = |word: &str| {
        format!(
            "{DEFAULTS}listen l\n mode tcp\n bind 127.0.0.1:1\n tcp-response inspect-delay 10s\n tcp-response content reject if {{ res.payload(0,3) -m str {word} }}\n server s @0\n"
        )
    };
    assert_eq!(written(&[origin.addr], &text("421")).connect().bytes(11), b"220 hello\r\n");
    assert!(written(&[origin.addr], &text("220")).connect().is_closed());
}

#[test]
fn requests_have_ids() {
    let origin = Origin::named("x");
    let p = with(
        &[origin.addr],
        " unique-id-format id-%[req.hdr(in)]\n unique-id-header X-Id\n http-response set-header x-back %[unique-id]\n server s @0",
    );
    let mut c = p.connect();
    for word in ["a", "b"] {
        c.send(format!("GET / HTTP/1.1\r\nHost: a\r\nIn: {word}\r\n\r\n"));
        assert!(c.response().0.contains(&format!("x-back: id-{word}\r\n")));
        assert!(origin.saw().contains(&format!("x-id: id-{word}\r\n")));
    }
}

#[test]
fn a_client_keeps_a_connection_that_is_not_shared() {
    let origin = Origin::new(|mut c| {
        while c.request().is_some() {
            c.reply(ok(&c.number.to_string()));
        }
    });
    let p = with(&[origin.addr], " http-reuse never\n server s @0");
    let (mut one, mut other) = (p.connect(), p.connect());
    for _ in 0..3 {
        for (client, connection) in [(&mut one, "0"), (&mut other, "1")] {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.response().1, connection);
        }
    }
}

#[test]
fn a_client_comes_back_to_its_server() {
    let origins = [Origin::named("0"), Origin::named("1")];
    let p = with(
        &[origins[0].addr, origins[1].addr],
        " balance roundrobin\n option prefer-last-server\n http-reuse never\n server a @0\n server b @1",
    );
    let mut c = p.connect();
    c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let first = c.response().1;
    for _ in 0..3 {
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(c.response().1, first);
    }
}

#[test]
fn exchanges_end_when_their_server_is_shut() {
    let origin = Origin::new(|mut c| {
        c.request();
        c.client.is_closed();
    });
    let p = with(&[origin.addr], " server s @0");
    let mut c = p.connect();
    c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.saw();
    p.backend().servers()[0].shutdown_sessions(crate::live::Shutdown::Command);
    assert!(c.response().0.starts_with("HTTP/1.1 502"));
}

#[test]
fn a_client_that_leaves_takes_its_request_along() {
    let origin = Origin::new(|mut c| {
        c.request();
        c.client.is_closed();
    });
    let p = with(&[origin.addr], " option abortonclose\n server s @0");
    let mut c = p.connect();
    c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.saw();
    drop(c);
    eventually("the server is left", || p.backend().counters.cli_abrt.get() == 1);
}

#[test]
fn extensions_of_the_proxy_protocol_are_known() {
    let origin = Origin::named("x");
    let text = format!(
        "{DEFAULTS}listen l\n bind 127.0.0.1:1 accept-proxy\n http-response set-header x-a %[fc_pp_authority]\n http-response set-header x-t %[fc_pp_tlv(0xE1)]\n server s @0\n"
    );
    let p = written(&[origin.addr], &text);
    let addresses = Some(("192.0.2.1:5".parse().unwrap(), "192.0.2.2:80".parse().unwrap()));
    let tlvs = vec![(2, b"here"[..].into()), (0xe1, b"there"[..].into())];
    let mut c = p.connect();
    let how = SendProxy { v2: true, crc32c: true, ..SendProxy::default() };
    c.send(header(how, &Says { addresses, own: tlvs, ..Says::default() }));
    c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = c.response().0;
    assert!(head.contains("x-a: here\r\n") && head.contains("x-t: there\r\n"), "{head}");
}

#[test]
fn long_transfers_are_counted_while_they_run() {
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::new(move |mut c| {
        c.request();
        c.reply(format!("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n{}", "x".repeat(1_000_000)));
        for _ in 0..100_000 {
            if gate.lock().unwrap().try_recv().is_ok() {
                break;
            }
            c.reply("y");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let p = with(&[origin.addr], " server s @0");
    let mut c = p.connect();
    c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    c.head();
    c.bytes(1_000_000);
    eventually("counted", || p.backend().counters.bout.get() >= 1_000_000);
    go.send(()).unwrap();
}

#[test]
fn connection_rules_see_the_socket_and_session_rules_the_proxy_header() {
    let origin = Origin::named("x");
    let text = format!(
        "{DEFAULTS}listen l\n bind 127.0.0.1:1\n tcp-request connection reject if !{{ src 127.0.0.0/8 }}\n tcp-request connection expect-proxy layer4\n tcp-request session set-var(sess.who) src\n http-response set-header x-who %[var(sess.who)]\n server s @0\n"
    );
    let p = written(&[origin.addr], &text);
    let mut c = p.connect();
    c.send("PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(c.response().0.contains("x-who: 192.0.2.1\r\n"));
}

#[test]
fn server_connections_with_a_proxy_header_are_not_shared_by_clients() {
    let origin = Origin::new(|mut c| {
        let len = "PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n".len();
        let line = String::from_utf8(c.client.bytes(len)).unwrap();
        while c.request().is_some() {
            c.reply(ok(line.trim_end()));
        }
    });
    let text = format!(
        "{DEFAULTS}listen l\n bind 127.0.0.1:1 accept-proxy\n http-reuse always\n http-response set-header x-reused %[bc_reused]\n server s @0 send-proxy\n"
    );
    let p = written(&[origin.addr], &text);
    for (who, reused) in [("1", "0"), ("2", "0"), ("1", "1")] {
        let line = format!("PROXY TCP4 192.0.2.{who} 192.0.2.2 1000 80");
        let mut c = p.connect();
        c.send(format!("{line}\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        let (head, body) = c.response();
        assert!(head.contains(&format!("x-reused: {reused}\r\n")), "{who}: {head}");
        assert_eq!(body, line);
    }
}

#[test]
fn what_a_bogus_peer_needs_is_spelled_as_it_needs_it() {
    let origin = Origin::named("x");
    let p = written(
        &[origin.addr],
        &format!(
            "global\n h1-case-adjust host HoSt\n h1-case-adjust content-length Content-Length\n{DEFAULTS}listen l\n bind 127.0.0.1:1\n option h1-case-adjust-bogus-client\n option h1-case-adjust-bogus-server\n http-send-name-header X-Me\n option http-restrict-req-hdr-names delete\n server s @0\n"
        ),
    );
    let mut c = p.connect();
    c.send("GET / HTTP/1.1\r\nhost: a\r\nx_y: 1\r\n\r\n");
    assert!(c.head().contains("\r\nContent-Length: 1\r\n"));
    let head = origin.saw();
    assert!(head.contains("\r\nHoSt: a\r\n") && head.contains("\r\nx-me: s\r\n"), "{head}");
    assert!(!head.contains("x_y"), "{head}");
}

#[test]
fn a_server_with_a_prefix_is_redirected_to() {
    let p = with(&[nobody()], " server s @0 redir http://there.example");
    let mut c = p.connect();
    c.send("GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = c.response().0;
    assert!(
        head.starts_with("HTTP/1.1 302") && head.contains("location: http://there.example/a?b\r\n"),
        "{head}"
    );
    assert!(c.is_closed());
}

#[test]
fn rules_set_the_number_of_retries() {
    let p = with(
        &[nobody()],
        " retries 5\n http-request set-retries 0\n http-after-response set-header x-retries \"%[be_max_retries] %[cur_max_retries]\"\n server s @0",
    );
    let mut c = p.connect();
    c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(c.head().contains("x-retries: 5 0\r\n"));
    assert_eq!(p.backend().counters.wretr.get(), 0);
}

#[test]
fn cookies_have_dates_and_come_from_addresses() {
    let origin = Origin::named("x");
    let p = with(
        &[origin.addr],
        " cookie WHO insert indirect maxidle 1h maxlife 2h dynamic\n dynamic-cookie-key secret\n server s @0",
    );
    let get = |cookie: &str| {
        let mut c = p.connect();
        c.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{cookie}\r\n"));
        c.head()
    };
    let head = get("");
    let value = head.split("set-cookie: WHO=").nth(1).unwrap().split(';').next().unwrap().to_owned();
    let parts: Vec<&str> = value.split('|').collect();
    assert_eq!(parts.iter().map(|p| p.len()).collect::<Vec<_>>(), [16, 5, 5], "{value}");
    // Within the first seconds nothing is to be renewed, and what is old starts anew.
    assert!(!get(&format!("Cookie: WHO={value}\r\n")).contains("set-cookie"));
    let old = format!("Cookie: WHO={}|AAAAB|AAAAB\r\n", parts[0]);
    assert!(get(&old).contains("set-cookie: WHO="));
    assert!(!origin.saw().contains("WHO") && !origin.saw().contains("WHO"));
}

#[test]
fn a_cookie_that_a_cache_would_keep_is_kept_from_caches() {
    let origin = Origin::new(|mut c| {
        while c.request().is_some() {
            c.reply("HTTP/1.1 200 OK\r\nETag: x\r\nSet-Cookie: A=1\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let p = with(&[origin.addr], " cookie WHO insert nocache\n server s @0 cookie s");
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = p.connect().send(get).head();
    assert!(head.ends_with("set-cookie: WHO=s; path=/\r\ncache-control: private\r\n\r\n"), "{head}");
    let p = with(&[origin.addr], " option checkcache\n server s @0");
    assert!(p.connect().send(get).head().starts_with("HTTP/1.1 502"));
}

#[test]
fn an_answer_that_comes_early_is_not_lost_while_the_client_sends() {
    let p = with(&[nobody()], " http-request deny deny_status 413\n server s @0");
    let mut c = p.connect();
    c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
    for _ in 0..3 {
        c.send("x".repeat(1_000_000));
    }
    assert!(c.rest().starts_with("HTTP/1.1 413"));
}

#[test]
fn a_body_that_a_rewritten_method_brings_is_not_passed_on() {
    let origin = Origin::new(|mut c| {
        while let Some(head) = c.request() {
            assert!(head.starts_with("GET "));
            c.reply(if head.contains("/chunked") {
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned()
            } else {
                ok(&"x".repeat(100_000))
            });
        }
    });
    let p = with(&[origin.addr], " http-request set-method GET\n server s @0");
    let mut c = p.connect();
    for path in ["/", "/chunked", "/"] {
        c.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(c.head().starts_with("HTTP/1.1 200"));
    }
    assert_eq!(p.backend().counters.connect.get(), 1, "one connection to the server");
}

#[test]
fn an_rdp_cookie_names_its_server() {
    let origin = |name: &'static str| {
        Origin::new(move |mut c| {
            c.client.some();
            c.reply(name);
        })
    };
    let origins = [origin("0"), origin("1"), origin("2")];
    let addrs: Vec<_> = origins.iter().map(|o| o.addr).collect();
    let text = format!(
        "{DEFAULTS}listen l\n mode tcp\n bind 127.0.0.1:1\n tcp-request inspect-delay 10s\n tcp-request content accept if {{ rdp_cookie(msts) -m found }}\n persist rdp-cookie\n balance roundrobin\n server a @0\n server b @1\n server c @2\n"
    );
    let p = written(&addrs, &text);
    for at in [1, 1, 0, 2] {
        let port = u16::from_be_bytes(addrs[at].port().to_le_bytes());
        let address = u32::from_le_bytes([127, 0, 0, 1]);
        let mut c = p.connect();
        c.send(format!("\x03\0\0\x2a\x25\0\0\0\0\0\0Cookie: msts={address}.{port}.0000\r\n"));
        assert_eq!(c.bytes(1), at.to_string().as_bytes());
    }
}
