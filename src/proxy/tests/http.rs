//! HTTP mode.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use super::harness::*;
use crate::ir::proxy::{Cookie, CookieMode, HttpConnMode, RetryOn};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn both_sides_are_kept_alive_and_names_are_in_lower_case() {
    let origin = Origin::new(|mut c| {
        let mut n = 0;
        while c.request().is_some() {
            n += 1;
            c.reply(ok(&format!("{}/{n}", c.number)));
        }
    });
    let p = http(&[origin.addr], |_| {});
    let mut c = p.connect();
    for n in 1..=5 {
        c.send("GET /x HTTP/1.1\r\nHOST: a\r\nX-Foo: Bar\r\n\r\n");
        let (head, body) = c.response();
        assert_eq!(head, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
        assert_eq!(body, format!("0/{n}"), "the same server connection");
        assert_eq!(origin.saw(), "GET /x HTTP/1.1\r\nhost: a\r\nx-foo: Bar\r\n\r\n");
    }
    // The first request of a connection does not go over one that may be dying (`http-reuse safe`).
    let mut other = p.connect();
    other.send(GET);
    assert_eq!(other.response().1, "1/1");
    let b = &p.backend().counters;
    assert_eq!((b.connect.get(), b.reuse.get()), (2, 4));
    eventually("counted", || b.hrsp.get()[1] == 6);
    assert_eq!(p.frontend().counters.req_tot.get(), 6);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::new(|mut c| {
        while let Some(head) = c.request() {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            c.reply(ok(&path));
        }
    });
    let p = http(&[origin.addr], |_| {});
    let mut c = p.connect();
    c.send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nPOST /3 HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET /4 HTTP/1.1\r\n\r\n");
    for path in ["/1", "/2", "/3", "/4"] {
        assert_eq!(c.response().1, path);
    }
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let origin = Origin::new(|mut c| {
        while c.request().is_some() {
            let body = c.client.bytes(5);
            c.reply(ok(std::str::from_utf8(&body).unwrap()));
        }
    });
    let p = http(&[origin.addr], |_| {});
    let mut c = p.connect();
    c.stream.set_nodelay(true).unwrap();
    for b in b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" {
        c.send([*b]);
    }
    assert_eq!(c.response().1, "hello");
}

#[test]
fn chunked_bodies_pass_both_ways() {
    let origin = Origin::new(|mut c| {
        while c.request().is_some() {
            let want = b"5\r\nabcde\r\n0\r\n\r\n";
            assert_eq!(c.client.bytes(want.len()), want);
            c.reply(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n003;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n",
            );
        }
    });
    let p = http(&[origin.addr], |_| {});
    let mut c = p.connect();
    for _ in 0..2 {
        c.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        assert_eq!(c.head(), "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let want = b"3\r\nabc\r\n0\r\nt: 1\r\n\r\n";
        assert_eq!(c.bytes(want.len()), want);
    }
}

#[test]
fn large_bodies_of_every_framing_arrive_whole() {
    let body: &'static [u8] = Vec::leak((0..2_000_000u32).map(|i| (i % 251) as u8).collect());
    let origin = Origin::new(move |mut c| {
        while let Some(head) = c.request() {
            if head.contains("/length") {
                c.reply(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()));
                c.reply(body);
            } else if head.contains("/chunked") {
                c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                for piece in body.chunks(70_000) {
                    c.reply(format!("{:x}\r\n", piece.len()));
                    c.reply(piece);
                    c.reply("\r\n");
                }
                c.reply("0\r\n\r\n");
            } else {
                c.reply("HTTP/1.1 200 OK\r\n\r\n");
                c.reply(body);
                return;
            }
        }
    });
    let p = http(&[origin.addr], |_| {});
    let mut c = p.connect();
    c.send("GET /length HTTP/1.1\r\n\r\n").head();
    assert!(c.bytes(body.len()) == body);
    c.send("GET /chunked HTTP/1.1\r\n\r\n").head();
    let (mut decoder, mut out, mut data) = (crate::http::ChunkDecoder::new(), Vec::new(), 0);
    while !decoder.is_done() {
        let piece = c.some();
        decoder.decode(&piece, &mut out, &mut data).unwrap();
    }
    assert_eq!(data, body.len() as u64);
    c.send("GET /close HTTP/1.1\r\n\r\n");
    assert_eq!(c.head(), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
    assert!(c.bytes(body.len()) == body);
    assert!(c.is_closed());
}

#[test]
fn a_large_upload_is_answered() {
    let origin = Origin::new(move |mut c| {
        while c.request().is_some() {
            let n = c.client.bytes(3_000_000).len();
            c.reply(ok(&n.to_string()));
        }
    });
    let p = http(&[origin.addr], |_| {});
    let mut c = p.connect();
    c.send("PUT / HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n").send(vec![1; 3_000_000]);
    assert_eq!(c.response().1, "3000000");
}

#[test]
fn bodiless_responses_leave_the_connection_usable() {
    let origin = Origin::new(|mut c| {
        while let Some(head) = c.request() {
            let reply = match head.split(' ').nth(1).unwrap() {
                "/head" => "HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n",
                "/204" => "HTTP/1.1 204 No Content\r\n\r\n",
                "/304" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 22\r\n\r\n",
                "/103" => {
                    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                }
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            };
            c.reply(reply);
        }
    });
    let p = http(&[origin.addr], |_| {});
    let mut c = p.connect();
    assert!(c.send("HEAD /head HTTP/1.1\r\n\r\n").head().contains("content-length: 22"));
    assert!(c.send("GET /204 HTTP/1.1\r\n\r\n").head().starts_with("HTTP/1.1 204"));
    assert!(c.send("GET /304 HTTP/1.1\r\n\r\n").head().starts_with("HTTP/1.1 304"));
    assert_eq!(c.send("GET /103 HTTP/1.1\r\n\r\n").head(), "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n");
    assert!(c.head().starts_with("HTTP/1.1 200"));
    assert!(c.send("GET / HTTP/1.1\r\n\r\n").head().starts_with("HTTP/1.1 200"));
}

#[test]
fn a_client_is_told_to_continue() {
    let origin = Origin::new(|mut c| {
        c.request();
        c.reply("HTTP/1.1 100 Continue\r\n\r\n");
        let body = c.client.bytes(2);
        c.reply(ok(std::str::from_utf8(&body).unwrap()));
    });
    let p = http(&[origin.addr], |_| {});
    let mut c = p.connect();
    c.send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(c.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(c.send("ab").response().1, "ab");
    // Interim answers count as the server's, not as the backend's.
    let server = p.backend().servers()[0].clone();
    eventually("counted", || server.counters.hrsp.get()[0] == 1 && server.counters.hrsp.get()[1] == 1);
    assert_eq!((server.counters.req_tot.get(), p.backend().counters.hrsp.get()[0]), (2, 0));
}

#[test]
fn an_upgrade_becomes_a_tunnel() {
    let origin = Origin::new(|mut c| {
        c.request();
        c.reply("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello");
        let mut from = c.client.stream.try_clone().unwrap();
        let _ = std::io::copy(&mut from, &mut c.client.stream);
    });
    let p = http(&[origin.addr], |p| {
        Arc::make_mut(&mut p.timeouts).client = Some(Duration::from_millis(500));
        Arc::make_mut(&mut p.timeouts).server = Some(Duration::from_millis(500));
        Arc::make_mut(&mut p.timeouts).tunnel = Some(PATIENCE);
    });
    let mut c = p.connect();
    c.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nearly");
    assert!(c.head().starts_with("HTTP/1.1 101"));
    assert_eq!(c.bytes(10), b"helloearly");
    assert!(origin.saw().contains("connection: Upgrade\r\nupgrade: websocket\r\n"));
    // Longer than the other timeouts: the tunnel's holds.
    std::thread::sleep(Duration::from_millis(800));
    c.send("ping");
    assert_eq!(c.bytes(4), b"ping");
}

#[test]
fn what_the_server_says_wrong_becomes_502() {
    for junk in [
        &b"garbage\r\n\r\n"[..],
        b"",
        b"HTTP/1.1 200 O",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ] {
        let origin = Origin::once(junk);
        let p = http(&[origin.addr], |_| {});
        let mut c = p.connect();
        let (head, body) = c.send(GET).response();
        assert_eq!(
            head,
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 107\r\ncache-control: no-cache\r\ncontent-type: text/html\r\n\r\n",
            "{junk:?}"
        );
        assert!(body.contains("invalid or incomplete"));
        eventually("counted", || p.backend().counters.eresp.get() == 1);
    }
}

#[test]
fn a_body_that_breaks_off_closes_the_client() {
    let origin = Origin::once(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nok");
    let p = http(&[origin.addr], |_| {});
    let mut c = p.connect();
    assert_eq!(c.send(GET).rest(), "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nok");
    eventually("counted", || p.backend().counters.srv_abrt.get() == 1);
}

#[test]
fn a_silent_server_becomes_504() {
    let origin = Origin::new(|mut c| {
        c.request();
        c.client.is_closed();
    });
    let p = http(&[origin.addr], |p| Arc::make_mut(&mut p.timeouts).server = Some(Duration::from_millis(50)));
    let mut c = p.connect();
    assert!(c.send(GET).response().0.starts_with("HTTP/1.1 504 Gateway Time-out\r\n"));
}

#[test]
fn no_server_becomes_503() {
    let p = http(&[], |_| {});
    let mut c = p.connect();
    assert!(c.send(GET).response().0.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    let refused = http(&[nobody()], |p| {
        Arc::make_mut(&mut p.timeouts).connect = Some(Duration::from_millis(20));
        if let Some(b) = &mut p.backend {
            b.retries = 2;
        }
    });
    let mut c = refused.connect();
    assert!(c.send(GET).response().0.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    let counters = &refused.backend().counters;
    assert_eq!((counters.wretr.get(), counters.econ.get()), (2, 1));
}

#[test]
fn bad_requests_are_answered_and_closed() {
    let origin = Origin::named("x");
    let p = http(&[origin.addr], |_| {});
    let status = |bytes: &[u8]| {
        let mut c = p.connect();
        c.send(bytes);
        c.rest().lines().next().unwrap_or_default().to_owned()
    };
    let bad = "HTTP/1.1 400 Bad request";
    assert_eq!(status(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), bad);
    assert_eq!(status(b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), bad);
    assert_eq!(status(b"GET / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"), bad);
    assert_eq!(status(&[b"GET /".as_slice(), &[b'a'; 20_000], b" HTTP/1.1\r\n\r\n"].concat()), bad);
    assert_eq!(status(b"GET / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab"), "HTTP/1.1 413 Payload Too Large");
    assert_eq!(
        status(b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        "HTTP/1.1 422 Unprocessable Content"
    );
    assert!(origin.saw_nothing());
    assert_eq!(p.frontend().counters.ereq.get(), 6);
}

#[test]
fn smuggled_requests_do_not_reach_a_server() {
    let origin = Origin::new(|mut c| {
        while c.request().is_some() {
            c.client.bytes("0\r\n\r\n".len());
            c.reply(ok("x"));
        }
    });
    let p = http(&[origin.addr], |_| {});
    let mut c = p.connect();
    c.send("POST / HTTP/1.1\r\nContent-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n");
    assert!(c.rest().contains("connection: close"));
    assert_eq!(origin.saw(), "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
    assert!(origin.saw_nothing());
}

#[test]
fn a_request_that_does_not_come_is_answered_408() {
    let p =
        http(&[nobody()], |p| Arc::make_mut(&mut p.timeouts).http_request = Some(Duration::from_millis(40)));
    assert!(p.connect().rest().starts_with("HTTP/1.1 408 Request Time-out\r\nContent-length: 110\r\n"));
    let mut c = p.connect();
    assert!(c.send("GET / HTT").rest().starts_with("HTTP/1.1 408"));
}

#[test]
fn an_idle_connection_closes_without_a_word() {
    let origin = Origin::named("x");
    let p = http(&[origin.addr], |p| {
        Arc::make_mut(&mut p.timeouts).http_keep_alive = Some(Duration::from_millis(40))
    });
    let mut c = p.connect();
    c.send(GET).response();
    assert_eq!(c.rest(), "");
}

#[test]
fn closing_modes_close_the_sides_they_name() {
    let origin = Origin::named("x");
    let p = http(&[origin.addr], |p| p.http_conn_mode = HttpConnMode::ServerClose);
    let mut c = p.connect();
    for _ in 0..2 {
        assert_eq!(c.send(GET).response().0, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n");
        assert_eq!(origin.saw(), "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    }
    let p = http(&[origin.addr], |p| p.http_conn_mode = HttpConnMode::Close);
    assert!(p.connect().send(GET).rest().contains("connection: close\r\n"));
    assert_eq!(origin.saw(), "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    // A backend's connections are those to its servers.
    let text = "defaults\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 10s\n\
                frontend f\n bind 127.0.0.1:1\n default_backend b\n\
                backend b\n option httpclose\n server s @0\n";
    let p = written(&[origin.addr], text);
    let mut c = p.connect();
    for _ in 0..2 {
        assert_eq!(c.send(GET).response().0, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n");
        assert_eq!(origin.saw(), "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    }
}

#[test]
fn http_1_0_clients_are_told_how_the_connection_goes_on() {
    let origin = Origin::named("x");
    let p = http(&[origin.addr], |_| {});
    let mut c = p.connect();
    let (head, _) = c.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").response();
    assert_eq!(head, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\n");
    assert_eq!(origin.saw(), "GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    assert_eq!(
        c.send("GET / HTTP/1.0\r\n\r\n").rest(),
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx"
    );
}

#[test]
fn a_kept_connection_the_server_closed_is_replaced_unseen() {
    let closed = Arc::<AtomicUsize>::default();
    let closing = closed.clone();
    let origin = Origin::new(move |mut c| {
        // Two answers, then gone.
        for _ in 0..2 {
            if c.request().is_none() {
                return;
            }
            c.reply(ok("x"));
        }
        drop(c);
        closing.fetch_add(1, SeqCst);
    });
    let p = http(&[origin.addr], |_| {});
    let mut c = p.connect();
    for n in 1..=20 {
        assert_eq!(c.send(GET).response().1, "x", "request {n}");
        // A request that meets the end on its way is the client's to send again.
        eventually("the end of every second", || closed.load(SeqCst) == n / 2);
    }
}

#[test]
fn retries_after_failures_that_were_asked_for() {
    let tries = Arc::new(AtomicUsize::new(0));
    let seen = tries.clone();
    let origin = Origin::new(move |mut c| {
        c.request();
        let body = c.client.bytes(2);
        match seen.fetch_add(1, SeqCst) {
            0 => {}
            1 => c.reply("garbage\r\n\r\n"),
            2 => c.reply("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"),
            _ => c.reply(ok(std::str::from_utf8(&body).unwrap())),
        }
    });
    let p = http(&[origin.addr], |p| {
        if let Some(b) = &mut p.backend {
            b.retry_on = RetryOn {
                empty_response: true,
                junk_response: true,
                statuses: vec![503],
                ..RetryOn::default()
            };
        }
    });
    let mut c = p.connect();
    c.send("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(c.response().1, "hi");
    assert_eq!(tries.load(SeqCst), 4);
    // Each counts twice, as with HAProxy: as a retry, and as one with the same server.
    assert_eq!(p.backend().counters.wretr.get(), 6);
}

#[test]
fn a_full_server_queues_and_the_queue_times_out() {
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::new(move |mut c| {
        while c.request().is_some() {
            gate.lock().unwrap().recv().unwrap();
            c.reply(ok("x"));
        }
    });
    let p = http(&[origin.addr], |p| {
        Arc::make_mut(&mut p.timeouts).queue = Some(Duration::from_millis(200));
        if let Some(b) = &mut p.backend {
            b.servers[0].maxconn = 1;
        }
    });
    let mut first = p.connect();
    first.send(GET);
    origin.saw();
    let mut second = p.connect();
    second.send(GET);
    eventually("one waits", || p.backend().counters.queued.get() == 1);
    assert!(second.response().0.starts_with("HTTP/1.1 503"));
    let mut third = p.connect();
    third.send(GET);
    eventually("one waits", || p.backend().counters.queued.get() == 1);
    release.send(()).unwrap();
    release.send(()).unwrap();
    assert_eq!(first.response().1, "x");
    assert_eq!(third.response().1, "x");
    assert_eq!(p.backend().servers()[0].counters.sessions.peak(), 1);
}

#[test]
fn an_inserted_cookie_sticks() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let p = http(&[a.addr, b.addr], |p| {
        if let Some(be) = &mut p.backend {
            be.cookie = Some(Cookie {
                name: "SRV".into(),
                mode: CookieMode::Insert,
                dynamic: false,
                indirect: true,
                nocache: true,
                postonly: false,
                preserve: false,
                httponly: false,
                secure: false,
                domains: Vec::new(),
                maxidle: None,
                maxlife: None,
                attrs: Vec::new(),
            });
            for s in &mut be.servers {
                s.cookie = Some(s.name.clone());
            }
        }
    });
    let mut c = p.connect();
    let (head, _) = c.send(GET).response();
    assert!(head.contains("set-cookie: SRV=s0; path=/\r\n"), "{head}");
    // Nothing in it would make a cache keep it.
    assert!(!head.contains("cache-control"), "{head}");
    for _ in 0..3 {
        let (head, body) = c.send("GET / HTTP/1.1\r\nCookie: x=1; SRV=s1\r\n\r\n").response();
        assert_eq!(body, "b");
        assert!(!head.contains("set-cookie"), "{head}");
        assert!(b.saw().contains("cookie: x=1\r\n"));
    }
    let (head, _) = c.send("GET / HTTP/1.1\r\nCookie: SRV=gone\r\n\r\n").response();
    assert!(head.contains("set-cookie: SRV=s"), "{head}");
}

#[test]
fn forwardfor_adds_the_client() {
    let origin = Origin::named("x");
    let p = http(&[origin.addr], |p| {
        p.forwardfor = Some(Arc::new(crate::ir::proxy::ForwardFor {
            header: "X-Forwarded-For".into(),
            except: vec!["10.0.0.0/8".parse().unwrap()],
            if_none: false,
        }));
    });
    p.connect().send(GET).response();
    assert_eq!(origin.saw(), "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 127.0.0.1\r\n\r\n");
}

#[test]
fn a_soft_stop_finishes_what_runs_and_closes_what_idles() {
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let origin = Origin::new(move |mut c| {
        while let Some(head) = c.request() {
            if head.contains("/slow") {
                gate.lock().unwrap().recv().unwrap();
            }
            c.reply(ok("x"));
        }
    });
    let p = http(&[origin.addr], |_| {});
    let mut idle = p.connect();
    idle.send(GET).response();
    let mut busy = p.connect();
    busy.send("GET /slow HTTP/1.1\r\n\r\n");
    origin.saw();
    origin.saw();
    let live = p.live.clone();
    let stopper = std::thread::spawn(move || p.finish());
    eventually("stopping", || live.is_stopping());
    assert_eq!(idle.rest(), "");
    release.send(()).unwrap();
    assert_eq!(busy.rest(), "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx");
    stopper.join().unwrap();
}
