//! What a reload takes over: one daemon is led through every kind of change, beside the real one on a network just like it.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use crate::lab::{Config, Lab, Part, Process, Program, Signal, keepalived, wait_for};
use crate::vrrp_process::{Pair, SECOND};

/// A daemon, and somebody who hears its adverts.
struct Subject {
    pair: Pair,
    daemon: Process,
    ear: Process,
    /// Lines heard before the last reload.
    old: usize,
}

impl Subject {
    fn start(lab: &Lab, name: &str, program: &Program, text: &str) -> Self {
        let net = lab.network(&format!("{name}-net"), "10.78.0.1/24");
        let (one, two) = (lab.host(&format!("{name}-one")), lab.host(&format!("{name}-two")));
        net.plug(&one, "eth0", "10.78.0.11/24");
        net.plug(&two, "eth0", "10.78.0.12/24");
        one.sh("ip link add eth1 type veth peer name far && ip link set far up && ip link set eth1 up && \
             ip addr add 10.79.0.1/24 dev eth1");
        let mut command = Command::new("tcpdump");
        command.args(["-i", "eth0", "-nn", "-l", "-t", "ip proto 112"]);
        let ear = two.spawn(command);
        ear.wait_log("listening on", 10 * SECOND);
        let config = Config::written(&one, "keepalived.conf", text);
        let daemon = one.keepalived(program, &config);
        Self { pair: Pair { net, one, two }, daemon, ear, old: 0 }
    }

    fn change(&mut self, text: &str) {
        self.old = self.ear.log().len();
        Config::written(&self.pair.one, "keepalived.conf", text);
        self.daemon.signal(Signal::SIGHUP);
    }

    /// Addresses with their interfaces, whether the usual one is answered for, and the last advert of each virtual router since the change.
    fn state(&self) -> String {
        let host = &self.pair.one;
        let addresses =
            host.sh("ip -o addr show | grep -E '10.7[89].0.[0-9]{3}|2001:' | awk '{print $2, $4}' | sort");
        let mut adverts = BTreeMap::new();
        for line in self.ear.log().into_iter().skip(self.old) {
            if let Some(vrid) = line.split("vrid ").nth(1).and_then(|rest| rest.split(',').next()) {
                adverts.insert(vrid.to_owned(), line.clone());
            }
        }
        let adverts: Vec<String> = adverts.into_values().collect();
        // Each has sets and chains of its own: what counts is whether packets come through.
        let silent = !self.pair.two.try_sh("ping -c 1 -W 1 10.78.0.100").status.success();
        format!("{addresses}silent: {silent}\n{}", adverts.join("\n"))
    }
}

const BASE: &str = "\
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    version 3
    advert_int 0.2
    virtual_ipaddress {
        10.78.0.100/24
    }
}
";

const SECOND_ONE: &str = "\
vrrp_instance VI_2 {
    interface eth0
    virtual_router_id 52
    priority 90
    version 3
    advert_int 0.2
    virtual_ipaddress {
        10.78.0.120/24
    }
}
";

#[test]
fn every_kind_of_change_is_taken_over() {
    let Some(lab) = Lab::open(&[Part::Program("keepalived"), Part::Program("tcpdump")]) else {
        return;
    };
    let own = |line: &str| {
        BASE.replace("    virtual_ipaddress {", &format!("    {line}\n    virtual_ipaddress {{"))
    };
    let steps: Vec<(&str, String, &str)> = vec![
        ("the start", BASE.to_owned(), "vrid 51, prio 100"),
        ("another priority", BASE.replace("priority 100", "priority 120"), "prio 120"),
        ("another interval", BASE.replace("0.2", "0.3"), "intvl 30cs"),
        ("another address", BASE.replace("0.100/24", "0.101/24"), "eth0 10.78.0.101/24"),
        (
            "two addresses",
            BASE.replace("0.100/24", "0.100/24\n        10.78.0.101/24 dev eth1"),
            "eth1 10.78.0.101/24",
        ),
        ("a further router", format!("{BASE}{SECOND_ONE}"), "eth0 10.78.0.120/24"),
        ("in another order", format!("{SECOND_ONE}{BASE}"), "vrid 52, prio 90"),
        ("without the first", SECOND_ONE.to_owned(), "vrid 51, prio 0"),
        ("the first alone", BASE.to_owned(), "vrid 51, prio 100"),
        ("another number", BASE.replace("router_id 51", "router_id 53"), "vrid 53, prio 100"),
        ("version 2", BASE.replace("version 3", "version 2").replace("0.2", "1"), "VRRPv2"),
        (
            "with a password",
            own("authentication {\n        auth_type PASS\n        auth_pass 1234\n    }")
                .replace("version 3", "version 2")
                .replace("0.2", "1"),
            "authtype simple",
        ),
        (
            "to certain others",
            own("unicast_src_ip 10.78.0.11\n    unicast_peer {\n        10.78.0.12\n    }"),
            "10.78.0.11 > 10.78.0.12",
        ),
        ("addresses that take nothing", own("no_accept"), "silent: true"),
        ("with a virtual interface", own("use_vmac"), "vrrp.51 10.78.0.100/24"),
        ("as before", BASE.to_owned(), "eth0 10.78.0.100/24"),
    ];
    let mut subjects = [
        Subject::start(&lab, "real", &Program::reference("keepalived"), &steps[0].1),
        Subject::start(&lab, "ours", &keepalived(), &steps[0].1),
    ];
    for (at, (what, text, sign)) in steps.iter().enumerate() {
        if at > 0 {
            subjects.iter_mut().for_each(|subject| subject.change(text));
        }
        let begin = Instant::now();
        let [real, ours] = wait_for(what, 60 * SECOND, || {
            let states = [subjects[0].state(), subjects[1].state()];
            let settled = states[0] == states[1] && states[0].contains(sign);
            (settled || begin.elapsed() > 30 * SECOND).then_some(states)
        });
        println!("{what}:\n{ours}\n");
        assert!(real == ours, "{what}: the real one\n{real}\n\nand ours\n{ours}");
        assert!(real.contains(sign), "{what}: no {sign:?} in\n{real}");
    }
    for subject in &mut subjects {
        assert!(subject.daemon.stop().success());
    }
}
