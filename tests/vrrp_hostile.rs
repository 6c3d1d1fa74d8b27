//! Somebody on the segment who sends nothing but bad advertisements, as fast as it can.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tandem::sys::raw::{RawKey, RawSocket};
use tandem::vrrp::packet::{Auth, ChecksumRule, GROUP_V4, Outgoing, Profile, Version, encode};

use crate::lab::{Lab, Signal, eventually, holds_for, keepalived, wait_for};
use crate::vrrp_process::{Pair, SECOND, VIP, start, written};

/// Packets a second. A machine that cannot send as many sends what it can.
const RATE: u32 = 50_000;
/// How long.
const TIME: Duration = Duration::from_secs(5);
/// Lines that all of it may write, on top of what a quiet run writes.
const LINES: usize = 30;

/// What would win the election if it were believed, each with one thing wrong.
fn forged() -> Vec<Vec<u8>> {
    let sound = Profile {
        version: Version::V3,
        vrid: 51,
        interval: Duration::from_millis(200),
        auth: Auth::None,
        addresses: vec![VIP.parse().unwrap()],
        checksum: ChecksumRule::Standard,
        group: GROUP_V4.into(),
        peers: Vec::new(),
        check_source: false,
        ttl: 255,
        hmac: None,
    };
    let packet = |profile: &Profile, last: u8| {
        let mut bytes = Vec::new();
        let outgoing = Outgoing {
            source: Ipv4Addr::new(10, 78, 0, last).into(),
            destination: GROUP_V4.into(),
            priority: 255,
            ip_id: 1,
            sequence: 1,
            old_checksum: false,
            stamp: 0,
        };
        encode(profile, &outgoing, &mut bytes);
        bytes
    };
    let changed = |at: usize, to: u8| {
        let mut bytes = packet(&sound, 66);
        bytes[at] = to;
        bytes
    };
    vec![
        packet(&Profile { ttl: 254, ..sound.clone() }, 66),
        packet(&Profile { addresses: vec![[10, 78, 0, 7].into()], ..sound.clone() }, 66),
        packet(&Profile { vrid: 52, ..sound.clone() }, 66),
        packet(&Profile { version: Version::V2, interval: SECOND, ..sound.clone() }, 66),
        packet(&sound, 66)[..26].to_vec(),
        // From the victim's own address.
        packet(&sound, 11),
        changed(20, 0x32),
        changed(23, 9),
        changed(26, packet(&sound, 66)[26] ^ 0x55),
    ]
}

#[test]
fn fifty_thousand_bad_packets_a_second_change_nothing() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let attacker = lab.host("attacker");
    pair.net.plug(&attacker, "eth0", "10.78.0.66/24");
    let one = start(&pair.one, 100);
    let two = pair.two.keepalived(&keepalived(), &written(&pair.two, 90));
    two.wait_log("Entering BACKUP STATE", 5 * SECOND);
    let memory = |name: &str| -> u64 {
        let status = pair.one.sh(&format!("cat /proc/$(cat {name})/status"));
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().split(' ').next().unwrap().parse().unwrap()
    };
    let before = (one.log().len() + two.log().len(), memory("/run/vrrp.pid"));

    let over = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&over);
    let flood = attacker.thread(move || {
        let key = RawKey {
            protocol: 112,
            interface: Some(("eth0".into(), 0)),
            bound: None,
            group: None,
            v6: false,
        };
        let socket = RawSocket::open(&key).unwrap();
        // On a busy machine the rate is what this thread gets.
        let _ = tandem::sys::sched::set_nice(-15);
        let (packets, began) = (forged(), Instant::now());
        let mut sent = 0;
        while began.elapsed() < TIME {
            for packet in &packets {
                // A full queue on the way is a rate of its own.
                let _ = socket.send_v4(packet, GROUP_V4);
                sent += 1;
            }
            let due = Duration::from_secs(1) * sent / RATE;
            if let Some(early) = due.checked_sub(began.elapsed()) {
                std::thread::sleep(early);
            }
        }
        ended.store(true, Ordering::SeqCst);
        f64::from(sent) / began.elapsed().as_secs_f64()
    });
    while !over.load(Ordering::SeqCst) {
        holds_for("one owner", SECOND / 2, || pair.one.has_address(VIP) && !pair.two.has_address(VIP));
    }
    let rate = flood.join().unwrap();
    for daemon in [&one, &two] {
        assert!(daemon.count("Entering") <= 2, "{:#?}", daemon.log());
    }
    let lines = one.log().len() + two.log().len() - before.0;
    let grown = memory("/run/vrrp.pid").saturating_sub(before.1);
    one.signal(Signal::SIGUSR2);
    let counters = wait_for("the counters", 5 * SECOND, || {
        let text = pair.one.try_sh("cat /tmp/keepalived.stats").stdout;
        let text = String::from_utf8_lossy(&text).into_owned();
        text.contains("Priority Zero:").then_some(text)
    });
    let counter = |name: &str| -> u64 {
        let line = counters.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    println!(
        "{rate:.0} packets a second for {TIME:?}: {lines} log lines, {grown} KB more memory, TTL errors {}",
        counter("TTL:")
    );
    assert!(lines <= LINES, "{lines} lines: {:#?}", one.log());
    assert!(grown < 10_000, "{grown} KB");
    for name in ["Length:", "TTL:", "Invalid Type:", "Address List:"] {
        assert!(counter(name) > 1000, "{name} {counters}");
    }
    // And the others are still heard.
    drop(one);
    eventually("the takeover", 5 * SECOND, || pair.two.has_address(VIP));
}
