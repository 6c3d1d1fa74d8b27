//! Connections that are silent for so long that they lose their task.

use std::sync::Arc;
use std::time::Duration;

use super::harness::*;

const GET: &str = "GET / HTTP/1.1\r\n\r\n";

#[test]
fn a_silent_connection_is_parked_and_goes_on_where_it_was() {
    let origin = Origin::named("x");
    let p = http(&[origin.addr], |_| {});
    let (mut used, mut unused, mut gone) = (p.connect(), p.connect(), p.connect());
    used.send(GET).response();
    gone.send(GET).response();
    eventually("all are parked", || p.parked() == 3);
    assert_eq!(p.frontend().counters.sessions.get(), 3);
    drop(gone);
    eventually("the end is noticed", || p.frontend().counters.sessions.get() == 2 && p.parked() == 2);
    for _ in 0..3 {
        for c in [&mut used, &mut unused] {
            assert_eq!(c.send(GET).response().1, "x");
        }
    }
    p.finish();
    assert_eq!((used.rest(), unused.rest()), (String::new(), String::new()));
}

#[test]
fn half_a_head_is_parked_and_goes_on_where_it_was() {
    let origin = Origin::named("x");
    let p = http(&[origin.addr], |_| {});
    let (mut used, mut unused, mut gone, mut bad) = (p.connect(), p.connect(), p.connect(), p.connect());
    used.send(GET).response();
    gone.send("GET /gone HT");
    bad.send("GET / HTTP/1.1\r\nHost");
    let mut pieces = GET.split_at(7);
    for _ in 0..3 {
        for c in [&mut used, &mut unused] {
            c.send(pieces.0);
        }
        eventually("all are parked", || p.parked() == 4);
        pieces = (&pieces.1[..2], &pieces.1[2..]);
    }
    for c in [&mut used, &mut unused] {
        assert_eq!(c.send(pieces.0).send(pieces.1).response().1, "x");
    }
    drop(gone);
    eventually("the end is noticed", || p.frontend().counters.sessions.get() == 3);
    assert!(bad.send(" name: x\r\n\r\n").response().0.starts_with("HTTP/1.1 400 "));
    let mut stopped = p.connect();
    stopped.send("GET / HTTP/1.1\r\nX: y");
    eventually("parked before the stop", || p.parked() == 3);
    let stopping = p.live.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| p.finish());
        eventually("the stop", || stopping.is_stopping());
        assert_eq!(stopped.send("\r\n\r\n").response().1, "x", "who has begun may end");
    });
}

#[test]
fn timeouts_of_half_a_head_are_kept() {
    let origin = Origin::named("x");
    let p = http(&[origin.addr], |p| {
        Arc::make_mut(&mut p.timeouts).http_request = Some(Duration::from_secs(3));
    });
    let (mut used, mut unused) = (p.connect(), p.connect());
    used.send(GET).response();
    for c in [&mut used, &mut unused] {
        c.send("GET / HTTP/1.1\r\nX:");
    }
    eventually("parked", || p.parked() == 2);
    for c in [&mut used, &mut unused] {
        assert!(c.rest().starts_with("HTTP/1.1 408 "));
    }
    assert_eq!(p.parked(), 0);
}

#[test]
fn timeouts_of_parked_connections_are_kept() {
    let origin = Origin::named("x");
    let p = http(&[origin.addr], |p| {
        Arc::make_mut(&mut p.timeouts).http_request = Some(Duration::from_secs(4));
        Arc::make_mut(&mut p.timeouts).http_keep_alive = Some(Duration::from_secs(4));
    });
    let (mut used, mut unused) = (p.connect(), p.connect());
    used.send(GET).response();
    eventually("parked", || p.parked() == 2);
    assert_eq!(used.rest(), "");
    assert!(unused.rest().starts_with("HTTP/1.1 408 "));
    assert_eq!(p.parked(), 0);
}

#[test]
fn a_soft_stop_ends_parked_connections() {
    let origin = Origin::named("x");
    let p = http(&[origin.addr], |_| {});
    let mut clients: Vec<Client> = (0..300).map(|_| p.connect()).collect();
    for c in &mut clients {
        c.send(GET).response();
    }
    eventually("parked", || p.parked() == 300);
    p.finish();
    for mut c in clients {
        assert!(c.is_closed());
    }
}

#[test]
fn a_soft_stop_waits_for_the_next_response_where_that_is_said() {
    let origin = Origin::named("x");
    let p = http(&[origin.addr], |p| p.idle_close_on_response = true);
    let (mut parked, mut fresh) = (p.connect(), p.connect());
    parked.send(GET).response();
    eventually("parked", || p.parked() == 2);
    fresh.send(GET).response();
    let stopping = p.live.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| p.finish());
        eventually("the stop", || stopping.is_stopping());
        for c in [&mut parked, &mut fresh] {
            let (head, body) = c.send(GET).response();
            assert!(head.contains("connection: close"), "{head}");
            assert_eq!((body.as_str(), c.rest()), ("x", String::new()));
        }
    });
}
