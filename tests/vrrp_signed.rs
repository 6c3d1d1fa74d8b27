//! Adverts signed with a shared secret (`auth_hmac`): nobody without it takes the addresses, and nobody with a recording.

use std::time::Instant;

use tandem::sys::raw::{RawKey, RawSocket};
use tandem::vrrp::packet::GROUP_V4;

use crate::lab::{Config, Host, Lab, Process, eventually, holds_for, keepalived, wait_for};
use crate::vrrp_process::{CONFIG, Pair, SECOND, VIP};

/// Bytes of a signature.
const TRAILER: usize = 28;

fn signed(host: &Host, priority: u8, lines: &str) -> Process {
    let block = format!(
        "    auth_hmac {{\n        key 1 hex:{}\n        key 2 file:{}/secret\n{lines}    }}\n    virtual_ipaddress {{",
        "5a".repeat(32),
        host.dir().display()
    );
    host.file("secret", "a secret of at least thirty-two bytes\n");
    host.sh(&format!("chmod 600 {}/secret", host.dir().display()));
    let text = CONFIG.replace("PRIORITY", &priority.to_string()).replace("    virtual_ipaddress {", &block);
    host.keepalived(&keepalived(), &Config::written(host, "keepalived.conf", &text))
}

fn counters(host: &Host) -> serde_json::Value {
    host.sh("rm -f /tmp/keepalived.json");
    let mut ask = keepalived().command();
    ask.arg("--signum=JSON");
    let number = String::from_utf8(host.output(ask).stdout).unwrap();
    host.sh(&format!("kill -{} $(cat /run/keepalived.pid)", number.trim()));
    wait_for("the counters", 5 * SECOND, || {
        let text = host.try_sh("cat /tmp/keepalived.json").stdout;
        let all: serde_json::Value = serde_json::from_slice(&text).ok()?;
        Some(all[0]["stats"].clone())
    })
}

#[test]
fn a_recording_of_signed_adverts_and_adverts_without_a_signature_are_refused() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let attacker = lab.host("attacker");
    pair.net.plug(&attacker, "eth0", "10.78.0.66/24");
    let key = RawKey {
        protocol: 112,
        interface: Some(("eth0".into(), 0)),
        bound: None,
        group: Some(GROUP_V4.into()),
        v6: false,
    };
    let mut one = signed(&pair.one, 100, "        active_key 1\n");
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    // It signs with another key, and knows both.
    let two = signed(&pair.two, 90, "        active_key 2\n");
    two.wait_log("Entering BACKUP STATE", 5 * SECOND);
    let recorded = attacker.run(|| {
        let socket = RawSocket::open(&key).unwrap();
        let (mut recorded, began) = (Vec::new(), Instant::now());
        while recorded.len() < 3 && began.elapsed() < 5 * SECOND {
            let mut buffer = vec![0; 256];
            match socket.receive(&mut buffer) {
                Ok(received) if buffer[15] == 11 => recorded.push(buffer[..received.len].to_vec()),
                _ => std::thread::sleep(SECOND / 50),
            }
        }
        recorded
    });
    assert_eq!(recorded.len(), 3);
    holds_for("one owner", SECOND, || pair.one.has_address(VIP) && !pair.two.has_address(VIP));
    assert!(one.stop().success());
    eventually("the takeover", 2 * SECOND, || pair.two.has_address(VIP));
    let bare = |packet: &Vec<u8>| {
        let mut bare = packet[..packet.len() - TRAILER].to_vec();
        bare[3] -= u8::try_from(TRAILER).unwrap();
        bare
    };
    attacker.run(|| {
        let socket = RawSocket::open(&key).unwrap();
        for packet in &recorded {
            socket.send_v4(packet, GROUP_V4).unwrap();
            socket.send_v4(&bare(packet), GROUP_V4).unwrap();
        }
    });
    holds_for("the owner", SECOND, || pair.two.has_address(VIP));
    assert_eq!(two.count("Entering BACKUP STATE"), 1, "only at the start: {:#?}", two.log());
    let stats = counters(&pair.two);
    assert_eq!(stats["auth_ext_replay"], 3, "{stats}");
    assert_eq!(stats["auth_ext_missing"], 3, "{stats}");
    // The one who has the secret takes it back, with a key that rotated.
    let _one = signed(&pair.one, 100, "        active_key 2\n");
    eventually("the return", 5 * SECOND, || pair.one.has_address(VIP) && !pair.two.has_address(VIP));
}

#[test]
fn signatures_come_in_without_a_moment_of_two_owners() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    // One signs already and takes both, the other has not heard of it.
    let _one = signed(&pair.one, 100, "        active_key 1\n        mode permissive\n");
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    let two = signed(&pair.two, 90, "        active_key 1\n        mode receive-only\n");
    two.wait_log("Entering BACKUP STATE", 5 * SECOND);
    holds_for("one owner", 2 * SECOND, || pair.one.has_address(VIP) && !pair.two.has_address(VIP));
    let stats = counters(&pair.two);
    assert!(stats["advert_rcvd"].as_u64() > Some(3), "{stats}");
}
