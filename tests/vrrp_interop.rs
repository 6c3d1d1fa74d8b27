//! Pairs of ours and the real keepalived: every way of speaking VRRP, in both roles.

use std::time::Duration;

use crate::lab::Program;
use crate::lab::{Config, Host, Lab, Part, Process, eventually, holds_for, keepalived};

const SECOND: Duration = Duration::from_secs(1);

/// One way of speaking, and the address that moves.
struct Way {
    /// Lines of the instance; `{me}` and `{peer}` are the nodes' addresses.
    lines: &'static str,
    vip: &'static str,
    /// Three intervals and the skew, rounded up.
    master_down: Duration,
}

struct Node {
    host: Host,
    program: Program,
    config: Config,
}

impl Node {
    fn new(lab: &Lab, name: &str, program: Program, way: &Way, priority: u8, addresses: [&str; 2]) -> Self {
        let host = lab.host(name);
        // Link-local addresses are usable at once: the lab has no duplicates to detect.
        host.sh("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0");
        let six = |address: &str| address.replace("10.77.0.", "2001:db8:77::");
        let lines = way.lines.replace("{me}", addresses[0]).replace("{peer}", addresses[1]);
        let lines = lines.replace("{me6}", &six(addresses[0])).replace("{peer6}", &six(addresses[1]));
        let text = format!(
            "global_defs {{\n    router_id {name}\n}}\nvrrp_instance VI_1 {{\n    state BACKUP\n    interface eth0\n    \
             virtual_router_id 51\n    priority {priority}\n{lines}\n    virtual_ipaddress {{\n        {}\n    }}\n}}\n",
            way.vip
        );
        let config = Config::written(&host, "keepalived.conf", &text);
        Self { host, program, config }
    }

    fn start(&self) -> Process {
        self.host.keepalived(&self.program, &self.config)
    }

    fn owns(&self, way: &Way) -> bool {
        self.host.has_address(way.vip.split('/').next().unwrap())
    }
}

/// The lower router starts and takes the address, the higher one preempts it, stops (handover in the skew
/// time), comes back, and loses its cable; never do both own the address while they hear each other.
fn exercise(lab: &Lab, name: &str, way: &Way, high: Program, low: Program) {
    let net = lab.network(&format!("{name}-net"), "10.77.0.1/24");
    let low = Node::new(lab, &format!("{name}-low"), low, way, 90, ["10.77.0.12", "10.77.0.11"]);
    let high = Node::new(lab, &format!("{name}-high"), high, way, 100, ["10.77.0.11", "10.77.0.12"]);
    net.plug(&low.host, "eth0", "10.77.0.12/24");
    let cable = net.plug(&high.host, "eth0", "10.77.0.11/24");
    for (node, last) in [(&high, 11), (&low, 12)] {
        node.host.sh(&format!("ip address add 2001:db8:77::{last}/64 dev eth0 nodad"));
    }
    // A machine under load may be late by this much.
    let late = way.master_down + 4 * SECOND;

    let low_daemon = low.start();
    eventually(&format!("{name}: the lower one to take the address"), late, || low.owns(way));
    let mut high_daemon = high.start();
    eventually(&format!("{name}: the higher one to preempt"), late, || high.owns(way));
    eventually(&format!("{name}: the lower one to give way"), SECOND, || !low.owns(way));
    holds_for(&format!("{name}: one owner"), way.master_down + SECOND, || high.owns(way) && !low.owns(way));

    assert!(high_daemon.stop().success());
    assert!(!high.owns(way), "{name}: the address stayed on the stopped node");
    eventually(&format!("{name}: the handover"), way.master_down.min(3 * SECOND), || low.owns(way));

    let high_daemon = high.start();
    eventually(&format!("{name}: the higher one to come back"), late, || high.owns(way) && !low.owns(way));
    net.cut(&cable);
    eventually(&format!("{name}: the takeover without a word"), late, || low.owns(way));
    net.mend(&cable);
    eventually(&format!("{name}: the lower one to give way again"), late, || {
        !low.owns(way) && high.owns(way)
    });
    for (daemon, who) in [(&low_daemon, "low"), (&high_daemon, "high")] {
        for word in ["Invalid", "invalid", "mismatch", "too short", "too long", "unexpected ip number"] {
            assert_eq!(daemon.count(word), 0, "{name} {who}: {:#?}", daemon.log());
        }
    }
}

/// Ours with ours, and with the real one in both roles, at the same time on networks of their own.
fn all_pairs(way: &Way) {
    let Some(lab) = Lab::open(&[Part::Program("keepalived")]) else { return };
    let real = || Program::reference("keepalived");
    std::thread::scope(|scope| {
        let lab = &lab;
        scope.spawn(move || exercise(lab, "both", way, keepalived(), keepalived()));
        scope.spawn(move || exercise(lab, "higher", way, keepalived(), real()));
        scope.spawn(move || exercise(lab, "lower", way, real(), keepalived()));
    });
}

const V2_DOWN: Duration = Duration::from_millis(3700);

#[test]
fn version_2_without_authentication() {
    all_pairs(&Way { lines: "    advert_int 1", vip: "10.77.0.100/24", master_down: V2_DOWN });
}

#[test]
fn version_2_with_password() {
    let lines = "    authentication {\n        auth_type PASS\n        auth_pass secret123\n    }";
    all_pairs(&Way { lines, vip: "10.77.0.100/24", master_down: V2_DOWN });
}

#[test]
fn version_2_with_authentication_header() {
    let lines = "    authentication {\n        auth_type AH\n        auth_pass supersecret\n    }";
    all_pairs(&Way { lines, vip: "10.77.0.100/24", master_down: V2_DOWN });
}

#[test]
fn version_2_unicast_without_authentication() {
    let lines = "    unicast_src_ip {me}\n    unicast_peer {\n        {peer}\n    }";
    all_pairs(&Way { lines, vip: "10.77.0.100/24", master_down: V2_DOWN });
}

#[test]
fn version_2_unicast() {
    let lines = "    unicast_src_ip {me}\n    unicast_peer {\n        {peer}\n    }\n    \
                 authentication {\n        auth_type PASS\n        auth_pass 1234\n    }";
    all_pairs(&Way { lines, vip: "10.77.0.100/24", master_down: V2_DOWN });
}

#[test]
fn version_2_unicast_with_authentication_header() {
    let lines = "    unicast_src_ip {me}\n    unicast_peer {\n        {peer}\n    }\n    \
                 authentication {\n        auth_type AH\n        auth_pass 1234\n    }";
    all_pairs(&Way { lines, vip: "10.77.0.100/24", master_down: V2_DOWN });
}

#[test]
fn version_3_over_ipv4() {
    let lines = "    version 3\n    advert_int 0.2";
    all_pairs(&Way { lines, vip: "10.77.0.100/24", master_down: Duration::from_millis(750) });
}

#[test]
fn version_3_unicast_with_both_checksums() {
    for old in ["", "\n    old_unicast_checksum"] {
        let lines = format!(
            "    version 3\n    advert_int 0.2{old}\n    unicast_src_ip {{me}}\n    unicast_peer {{\n        {{peer}}\n    }}"
        );
        all_pairs(&Way {
            lines: lines.leak(),
            vip: "10.77.0.100/24",
            master_down: Duration::from_millis(750),
        });
    }
}

#[test]
fn version_3_unicast_over_ipv6() {
    let lines = "    version 3\n    advert_int 0.2\n    unicast_src_ip {me6}\n    unicast_peer {\n        {peer6}\n    }";
    all_pairs(&Way { lines, vip: "2001:db8:77::100/64", master_down: Duration::from_millis(750) });
}

#[test]
fn version_3_over_ipv6() {
    let lines = "    version 3\n    advert_int 0.2";
    all_pairs(&Way { lines, vip: "fe80::77:100/64", master_down: Duration::from_millis(750) });
}
