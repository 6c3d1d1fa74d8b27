//! Which connections to servers are used again, by whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::harness::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn with(origin: &Origin, global: &str, lines: &str) -> Running {
    let text = format!(
        "global\n{global}\ndefaults\n mode http\n timeout client 10s\n timeout server 10s\n timeout connect 10s\n\
         listen l\n bind 127.0.0.1:1\n{lines}\n"
    );
    written(&[origin.addr], &text)
}

/// One client's only request, until its server connection waits for the next.
fn visit(p: &Running) {
    let mut c = p.connect();
    assert!(c.send(GET).response().0.starts_with("HTTP/1.1 200"));
    let server = p.backend().servers()[0].clone();
    eventually("kept", || server.counters.idle.get() == 1);
}

/// Connections made and connections used again.
fn connections(p: &Running) -> (u64, u64) {
    let counters = &p.backend().counters;
    (counters.connect.get(), counters.reuse.get())
}

#[test]
fn threads_take_each_others_idle_connections() {
    let origin = Origin::named("x");
    let p = with(&origin, " nbthread 3", " http-reuse always\n server s @0");
    (0..24).for_each(|_| visit(&p));
    assert_eq!(connections(&p), (1, 23), "which thread a client comes to does not matter");
}

#[test]
fn who_has_an_answer_finds_its_connection_idle() {
    const LONG: usize = 3 << 20;
    let long = "x".repeat(LONG);
    for answer in [
        ok("x"),
        ok(&long),
        "HTTP/1.1 204 No\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n".to_owned(),
    ] {
        let reply = answer.clone();
        let origin = Origin::new(move |mut c| {
            while c.request().is_some() {
                c.reply(&reply);
            }
        });
        let p = with(&origin, " nbthread 3", " http-reuse always\n server s @0");
        for _ in 0..100 {
            // Whichever thread it comes to: the one before it may have had no turn since its answer.
            let got = p.connect().send(GET).bytes(answer.len());
            assert_eq!(got.first_chunk(), Some(b"HTTP/1.1"));
        }
        let what = &answer[9..answer.len().min(60)];
        assert_eq!(connections(&p), (1, 99), "{what}");
    }
}

#[test]
fn a_connection_is_kept_after_a_long_body() {
    const LONG: usize = 3 << 20;
    let origin = Origin::new(|mut c| {
        while c.request().is_some() {
            c.reply(ok(&"x".repeat(LONG)));
        }
    });
    let p = with(&origin, " nbthread 1", " server s @0");
    let mut c = p.connect();
    for _ in 0..5 {
        assert_eq!(c.send(GET).response().1.len(), LONG);
    }
    assert_eq!(connections(&p), (1, 4));
}

#[test]
fn a_dead_connection_is_not_taken_over() {
    let closed = Arc::<AtomicUsize>::default();
    let closing = closed.clone();
    let origin = Origin::new(move |mut c| {
        c.request();
        c.reply(ok("x"));
        drop(c);
        closing.fetch_add(1, Ordering::Relaxed);
    });
    let p = with(&origin, " nbthread 3", " http-reuse always\n server s @0");
    for nth in 1..=12 {
        let mut c = p.connect();
        assert!(c.send(GET).response().0.starts_with("HTTP/1.1 200"));
        // One that closes later than it is taken is known for dead by nobody.
        eventually("its server's end", || closed.load(Ordering::Relaxed) == nth);
    }
}

#[test]
fn few_idle_connections_are_left_to_their_threads() {
    let origin = Origin::named("x");
    let p = with(&origin, " nbthread 2", " http-reuse always\n server s @0 pool-low-conn 100");
    for _ in 0..24 {
        let mut c = p.connect();
        assert!(c.send(GET).response().0.starts_with("HTTP/1.1 200"));
        eventually("kept", || {
            let counters = &p.backend().servers()[0].clone().counters;
            u64::from(counters.idle.get()) == connections(&p).0
        });
    }
    assert_eq!(connections(&p).0 + connections(&p).1, 24);
    assert!(connections(&p).0 <= 2, "one for each thread that got a client");
}

#[test]
fn a_first_request_goes_over_a_proven_connection_or_a_new_one() {
    let origin = Origin::named("x");
    let p = with(&origin, " nbthread 1", " http-reuse aggressive\n server s @0");
    visit(&p);
    let mut c = p.connect();
    for _ in 0..2 {
        c.send(GET).response();
    }
    // Its second one takes what is there: more than one was not needed at a time.
    assert_eq!(connections(&p), (2, 1), "the second client's first request takes no chances");
    let kept = || p.backend().servers()[0].counters.idle.get() == 1;
    eventually("kept", kept);
    let mut c = p.connect();
    c.send(GET).response();
    assert_eq!(connections(&p), (2, 2), "that connection has served two");
}

#[test]
fn a_connection_that_announces_a_client_is_not_for_others() {
    let origin = Origin::new(|mut c| {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            line.extend(c.client.bytes(1));
        }
        let line = String::from_utf8(line).unwrap();
        while c.request().is_some() {
            c.reply(ok(line.trim_end()));
        }
    });
    let p = with(&origin, " nbthread 1", " http-reuse always\n server s @0 send-proxy");
    let mut clients: Vec<Client> = (0..3).map(|_| p.connect()).collect();
    for _ in 0..3 {
        for c in &mut clients {
            let port = c.stream.local_addr().unwrap().port();
            let line = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {port} {}", p.addr.port());
            assert_eq!(c.send(GET).response().1, line);
        }
    }
    // One that is left alone is used again.
    let reused = connections(&p).1;
    for _ in 0..3 {
        clients[0].send(GET).response();
    }
    assert!(connections(&p).1 > reused);
}

#[test]
fn a_connection_that_authenticates_stays_with_its_client() {
    let origin = Origin::new(|mut c| {
        while let Some(head) = c.request() {
            if head.to_ascii_lowercase().contains("authorization") {
                c.reply(ok(&c.number.to_string()));
            } else {
                c.reply("HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n");
            }
        }
    });
    let p = with(&origin, " nbthread 1", " http-reuse always\n server s @0");
    let mut clients: Vec<Client> = (0..3).map(|_| p.connect()).collect();
    for c in &mut clients {
        assert!(c.send(GET).response().0.starts_with("HTTP/1.1 401"));
    }
    for (number, c) in clients.iter_mut().enumerate() {
        for _ in 0..2 {
            c.send("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: NTLM x\r\n\r\n");
            assert_eq!(c.response().1, number.to_string());
        }
    }
}

#[test]
fn a_client_keeps_as_many_connections_as_it_may() {
    for (most, made) in [(0, 3), (1, 1)] {
        let origin = Origin::named("x");
        let lines = format!(" http-reuse never\n max-session-srv-conns {most}\n server s @0");
        let p = with(&origin, "", &lines);
        let mut c = p.connect();
        for _ in 0..3 {
            assert_eq!(c.send(GET).response().1, "x");
        }
        assert_eq!(connections(&p), (made, 3 - made), "max-session-srv-conns {most}");
    }
}

#[test]
fn long_bodies_arrive_whole() {
    let body: String = (0..1_500_000u32).map(|i| char::from(b'a' + (i % 23) as u8)).collect();
    let sent = body.clone();
    let origin = Origin::new(move |mut c| {
        while let Some(head) = c.request() {
            if head.starts_with("POST") {
                let got = c.client.bytes(sent.len());
                c.reply(ok(if got == sent.as_bytes() { "same" } else { "different" }));
            } else {
                c.reply(ok(&sent));
            }
        }
    });
    for lines in [" server s @0", " mode tcp\n server s @0"] {
        let p = with(&origin, "", lines);
        let mut c = p.connect();
        for _ in 0..3 {
            assert!(c.send(GET).response().1 == body, "a long answer");
            c.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()));
            assert_eq!(c.send(&body).response().1, "same");
        }
    }
}

#[test]
fn idle_connections_give_way_where_they_count() {
    for (line, left) in [("", 2), (" strict-maxconn", 1)] {
        let origin = Origin::new(|mut c| {
            let mut line = Vec::new();
            while line.last() != Some(&b'\n') {
                line.extend(c.client.bytes(1));
            }
            while c.request().is_some() {
                c.reply(ok("x"));
            }
        });
        let server = format!(" server s @0 send-proxy maxconn 1 pool-low-conn 1{line}");
        let p = with(&origin, " nbthread 1", &server);
        visit(&p);
        // What waits announced its client: it is not for this one.
        let mut c = p.connect();
        c.send(GET).response();
        let counters = &p.backend().servers()[0].clone().counters;
        eventually("kept", || {
            connections(&p).0 == 2 && counters.used.get() == 0 && counters.idle.get() == left
        });
    }
}

#[test]
fn connections_of_clients_count_for_a_strict_limit() {
    let origin = Origin::new(|mut c| {
        while c.request().is_some() {
            c.reply(ok("x"));
        }
    });
    let p = with(&origin, "", " http-reuse never\n retries 1\n server s @0 maxconn 1 strict-maxconn");
    let counters = &p.backend().servers()[0].clone().counters;
    let status = |c: &mut Client| c.send(GET).response().0[9..12].to_owned();
    let mut first = p.connect();
    assert_eq!(status(&mut first), "200");
    eventually("kept", || counters.private.get() == 1);
    // The one connection there may be is the first client's.
    assert_eq!(status(&mut p.connect()), "503");
    assert_eq!(status(&mut first), "200");
    drop(first);
    eventually("closed", || counters.private.get() == 0);
    assert_eq!(status(&mut p.connect()), "200");
}
