//! Somebody on the segment who sends nothing but bad advertisements, as fast as it can.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tandem::sys::raw::FrameSocket;
use tandem::vrrp::packet::{Auth, ChecksumRule, GROUP_V4, Outgoing, Profile, Version, encode};

use crate::lab::{Host, Lab, Process, Signal, eventually, keepalived, wait_for};
use crate::vrrp_process::{Pair, SECOND, VIP, start, written};

/// Packets in all, sent as fast as the machine can.
const PACKETS: u32 = 50_000;
/// Senders at once: more than one receiver can follow.
const SENDERS: u32 = 3;
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
        changed(20, 0x32),
        changed(23, 9),
        changed(26, packet(&sound, 66)[26] ^ 0x55),
    ]
}

/// The packets as the frames a network card would send.
fn frames() -> Vec<Vec<u8>> {
    let group = [0x01, 0x00, 0x5e, 0x00, 0x00, 0x12];
    let head = [&group[..], &[0x02, 0, 0, 0, 0, 0x66], &[0x08, 0x00]].concat();
    let framed = |packet: Vec<u8>| {
        let mut frame = [&head[..], &packet].concat();
        // Where there is a whole IP header the kernel wants its checksum right before anybody sees the packet.
        frame[24..26].fill(0);
        let words = frame[14..34].chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]])));
        let sum: u32 = words.sum();
        let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
        frame
    };
    forged().into_iter().map(framed).collect()
}

/// The counters of a node, in keepalived's words.
fn counters(host: &Host, daemon: &Process) -> impl Fn(&str) -> u64 + use<> {
    host.try_sh("rm /tmp/keepalived.stats");
    daemon.signal(Signal::SIGUSR2);
    let text = wait_for("the counters", 5 * SECOND, || {
        let text = host.try_sh("cat /tmp/keepalived.stats").stdout;
        let text = String::from_utf8_lossy(&text).into_owned();
        text.contains("Priority Zero:").then_some(text)
    });
    move |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        line.unwrap_or_else(|| panic!("{name} {text}")).rsplit(' ').next().unwrap().parse().unwrap()
    }
}

#[test]
fn fifty_thousand_bad_packets_at_full_speed_change_nothing() {
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
    let (sent_before, heard_before) = (counters(&pair.one, &one), counters(&pair.two, &two));

    let link = attacker.sh("ip -o link show dev eth0");
    let index: u32 = link.split(':').next().unwrap().parse().unwrap();
    let left = Arc::new(AtomicU32::new(PACKETS));
    let began = Instant::now();
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let left = Arc::clone(&left);
            attacker.thread(move || {
                let socket = FrameSocket::open().unwrap();
                let frames = frames();
                let mut sent = 0;
                while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
                    // A full queue on the way is a rate of its own.
                    while socket.send(&frames[sent % frames.len()], index).is_err() {
                        std::thread::yield_now();
                    }
                    sent += 1;
                }
            })
        })
        .collect();
    while senders.iter().any(|sender| !sender.is_finished()) {
        assert!(pair.one.has_address(VIP) && !pair.two.has_address(VIP), "{:#?}", two.log());
        std::thread::sleep(SECOND / 10);
    }
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    let rate = f64::from(PACKETS) / began.elapsed().as_secs_f64();
    let (sent, heard) = (counters(&pair.one, &one), counters(&pair.two, &two));
    let adverts = sent("Sent:") - sent_before("Sent:");
    let received = heard("Received:") - heard_before("Received:");
    for daemon in [&one, &two] {
        assert_eq!(
            daemon.count("Entering"),
            if std::ptr::eq(daemon, &one) { 2 } else { 1 },
            "{:#?}",
            daemon.log()
        );
    }
    let lines = one.log().len() + two.log().len() - before.0;
    let grown = memory("/run/vrrp.pid").saturating_sub(before.1);
    println!(
        "{PACKETS} packets, {rate:.0} a second: {received} of {adverts} adverts heard, {lines} log lines, {grown} KB \
         more memory, TTL errors {}",
        sent("TTL:")
    );
    assert!(lines <= LINES, "{lines} lines: {:#?}", one.log());
    assert!(grown < 10_000, "{grown} KB");
    for name in ["Length:", "TTL:", "Invalid Type:", "Address List:"] {
        assert!(sent(name) > 1000, "{name} {}", sent(name));
    }
    // The buffer of a slow machine may overflow before the flood is recognised.
    assert!(received + 5 > adverts, "{received} of {adverts} adverts heard");
    // And the others are still heard.
    drop(one);
    eventually("the takeover", 5 * SECOND, || pair.two.has_address(VIP));
}
