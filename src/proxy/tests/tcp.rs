//! TCP mode.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use super::harness::*;

fn echo() -> Origin {
    Origin::new(|mut c| {
        let mut from = c.client.stream.try_clone().unwrap();
        let _ = std::io::copy(&mut from, &mut c.client.stream);
        let _ = c.client.stream.shutdown(Shutdown::Write);
    })
}

#[test]
fn bytes_pass_both_ways_and_the_end_of_each_direction_with_them() {
    let origin = echo();
    let p = tcp(&[origin.addr], |_| {});
    let mut c = p.connect();
    c.send("hello");
    assert_eq!(c.bytes(5), b"hello");
    let big = vec![7u8; 3_000_000];
    let mut half = c.stream.try_clone().unwrap();
    let sent = big.clone();
    let writer = std::thread::spawn(move || {
        half.write_all(&sent).unwrap();
        half.shutdown(Shutdown::Write).unwrap();
    });
    assert_eq!(c.bytes(big.len()), big);
    assert!(c.is_closed());
    writer.join().unwrap();
    eventually("the session ends", || p.backend().counters.sessions.get() == 0);
    assert_eq!(p.backend().counters.bin.get(), 3_000_005);
    assert_eq!(p.backend().counters.bout.get(), 3_000_005);
    assert_eq!(p.frontend().counters.stot.get(), 1);
    p.finish();
}

#[test]
fn a_dead_server_is_retried_and_redispatched() {
    let origin = echo();
    let p = tcp(&[nobody(), origin.addr], |p| {
        if let Some(b) = &mut p.backend {
            b.redispatch = Some(-1);
        }
    });
    for _ in 0..4 {
        let mut c = p.connect();
        c.send("x");
        assert_eq!(c.bytes(1), b"x");
    }
    let c = &p.backend().counters;
    assert!(c.wredis.get() > 0, "redispatched");
    assert_eq!(c.econ.get(), 0);
}

#[test]
fn silence_longer_than_the_client_timeout_ends_a_session() {
    let origin = echo();
    let p = tcp(&[origin.addr], |p| Arc::make_mut(&mut p.timeouts).client = Some(Duration::from_millis(50)));
    let mut c = p.connect();
    c.send("x");
    assert_eq!(c.bytes(1), b"x");
    assert!(c.is_closed());
    eventually("counted", || p.backend().counters.cli_abrt.get() == 1);
}

#[test]
fn who_only_listens_gets_what_comes_after_its_timeout() {
    let origin = Origin::new(|mut c| {
        let mut asked = String::new();
        // Until the proxy says that no more will come.
        let _ = c.client.stream.read_to_string(&mut asked);
        c.reply(format!("{asked}!"));
    });
    let p = tcp(&[origin.addr], |p| Arc::make_mut(&mut p.timeouts).client = Some(Duration::from_millis(50)));
    let mut c = p.connect();
    c.send("said");
    assert_eq!(c.rest(), "said!");
    eventually("counted", || p.backend().counters.cli_abrt.get() == 1);
}

#[test]
fn the_proxy_protocol_goes_in_and_out() {
    let origin = Origin::new(|mut c| {
        let line = c.client.bytes("PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n".len());
        c.reply(line);
    });
    let p = tcp(&[origin.addr], |p| {
        if let (Some(f), Some(b)) = (&mut p.frontend, &mut p.backend) {
            f.binds[0].accept_proxy = true;
            b.servers[0].link_mut().send_proxy.v1 = true;
        }
    });
    let mut c = p.connect();
    c.send("PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n");
    assert_eq!(c.rest(), "PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n");
    let mut bad = p.connect();
    bad.send("GET / HTTP/1.1\r\n\r\n");
    assert!(bad.is_closed());
}

#[test]
fn sessions_end_when_their_server_is_shut() {
    let origin = echo();
    let p = tcp(&[origin.addr], |_| {});
    let mut c = p.connect();
    c.send("x");
    assert_eq!(c.bytes(1), b"x");
    p.backend().servers()[0].shutdown_sessions(crate::live::Shutdown::Down);
    assert!(c.is_closed());
}

#[test]
fn maxconn_holds_the_next_client_back_until_one_leaves() {
    let origin = echo();
    let p = tcp(&[origin.addr], |p| {
        if let Some(f) = &mut p.frontend {
            f.maxconn = Some(1);
        }
    });
    let mut first = p.connect();
    first.send("a");
    assert_eq!(first.bytes(1), b"a");
    let mut second = p.connect();
    second.send("b");
    drop(first);
    assert_eq!(second.bytes(1), b"b");
    assert_eq!(p.frontend().counters.sessions.peak(), 1);
}
