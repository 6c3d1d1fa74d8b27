//! Keywords whose effect shows from outside only: each beside the real keepalived, which is what is expected.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use crate::lab::{
    Config, Host, Lab, Part, Process, Program, Signal, eventually, holds_for, keepalived, wait_for,
};
use crate::vrrp_process::{CONFIG, Pair, SECOND, VIP};

const PATIENCE: Duration = Duration::from_secs(10);

/// The usual instance with priority 100, `global` before it and `own` lines in it.
fn text(global: &str, own: &str) -> String {
    let instance = CONFIG
        .replace("PRIORITY", "100")
        .replace("    virtual_ipaddress {", &format!("{own}    virtual_ipaddress {{"));
    format!("{global}\n{instance}")
}

fn written(host: &Host, global: &str, own: &str) -> Config {
    Config::written(host, "keepalived.conf", &text(global, own))
}

fn both() -> [(&'static str, Program); 2] {
    [("real", Program::reference("keepalived")), ("ours", keepalived())]
}

/// With further options on its command line.
fn called(host: &Host, program: &Program, config: &Config, options: &[&str]) -> Process {
    let mut command = program.command();
    command.args(["-n", "-l", "-D", "-f"]).arg(config.path()).args(options);
    host.spawn(command)
}

/// A second interface with a network of its own.
fn second_interface(host: &Host) {
    host.sh("ip link add eth1 type veth peer name far && ip link set far up && ip link set eth1 up && \
         ip addr add 10.79.0.1/24 dev eth1");
}

/// Gratuitous ARP of a host as it leaves: seconds and interface of each, in order.
struct Announcements {
    capture: Process,
}

impl Announcements {
    fn open(host: &Host) -> Self {
        let mut command = Command::new("tcpdump");
        command.args(["-i", "any", "-Q", "out", "-nn", "-l", "-tt", "arp"]);
        let capture = host.spawn(command);
        capture.wait_log("listening on", PATIENCE);
        Self { capture }
    }

    fn times(&self, addresses: &[&str]) -> Vec<f64> {
        let ours = |line: &&String| {
            addresses
                .iter()
                .any(|a| line.contains(&format!("Request who-has {a} (ff:ff:ff:ff:ff:ff) tell {a}")))
                || addresses.iter().any(|a| line.contains(&format!("Request who-has {a} tell {a}")))
        };
        self.capture.log().iter().filter(ours).filter_map(|l| l.split(' ').next()?.parse().ok()).collect()
    }
}

#[test]
fn announcements_keep_the_pace_of_their_group() {
    let Some(lab) = Lab::open(&[Part::Program("tcpdump")]) else { return };
    let pair = Pair::new(&lab);
    second_interface(&pair.one);
    let own = "    garp_master_delay 0\n    garp_master_repeat 3\n";
    let two_addresses = |global: &str| {
        let text = text(global, own)
            .replace("10.78.0.100/24\n", "10.78.0.100/24\n        10.79.0.101/24 dev eth1\n");
        Config::written(&pair.one, "keepalived.conf", &text)
    };
    let shared =
        "garp_group {\n    garp_interval 0.2\n    interfaces {\n        eth0\n        eth1\n    }\n}";
    let alone = "garp_group {\n    garp_interval 0.2\n    interface eth0\n}\n\
                 garp_group {\n    garp_interval 0.2\n    interface eth1\n}";
    for (kind, global) in [("one pace", shared), ("a pace each", alone)] {
        for (name, program) in both() {
            let config = two_addresses(global);
            let ear = Announcements::open(&pair.one);
            let mut daemon = pair.one.keepalived(&program, &config);
            let all = [VIP, "10.79.0.101"];
            // The real one forgets, of several that wait, all but one for each address.
            let count = if name == "real" { 3 } else { 6 };
            eventually(&format!("{name}, {kind}: the announcements"), PATIENCE, || {
                ear.times(&all).len() >= count
            });
            let gaps = |addresses: &[&str]| -> Vec<f64> {
                ear.times(addresses).windows(2).map(|pair| pair[1] - pair[0]).collect()
            };
            let apart = |gaps: Vec<f64>| gaps.iter().all(|gap| *gap > 0.15);
            for address in all {
                assert!(apart(gaps(&[address])), "{name}, {kind}: {:?}", gaps(&[address]));
            }
            assert_eq!(apart(gaps(&all)), kind == "one pace", "{name}, {kind}: {:?}", gaps(&all));
            assert!(daemon.stop().success());
        }
    }
}

#[test]
fn bursts_of_announcements_come_when_and_as_often_as_configured() {
    let Some(lab) = Lab::open(&[Part::Program("tcpdump")]) else { return };
    let pair = Pair::new(&lab);
    // Five packets, after a second five more, then two every second; or one and no more.
    let own = "    garp_master_delay 1\n    garp_master_repeat 4\n    garp_master_refresh 2\n    garp_master_refresh_repeat 2\n";
    for (global, own, expected) in
        [("", own, &[4, 4, 2, 2][..]), ("global_defs {\n    vrrp_min_garp\n}", "", &[1][..])]
    {
        for (name, program) in both() {
            let ear = Announcements::open(&pair.one);
            let mut daemon = pair.one.keepalived(&program, &written(&pair.one, global, own));
            let bursts = || {
                let mut bursts: Vec<usize> = Vec::new();
                let mut last = f64::MIN;
                for at in ear.times(&[VIP]) {
                    if at - last > 0.4 {
                        bursts.push(0);
                    }
                    last = at;
                    *bursts.last_mut().unwrap() += 1;
                }
                bursts
            };
            eventually(&format!("{name}: the bursts"), PATIENCE, || bursts().starts_with(expected));
            if expected.len() == 1 {
                holds_for("no more", 2 * SECOND, || bursts() == expected);
            }
            assert!(daemon.stop().success());
        }
    }
}

#[test]
fn an_ipvlan_carries_adverts_and_addresses_where_the_kernel_has_it() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let has = pair.one.try_sh("ip link add link eth0 name probe type ipvlan mode l2 && ip link del probe");
    let has = has.status.success();
    for (name, program) in both() {
        let own = "    use_ipvlan ipvl51 10.78.0.61/24\n";
        let mut daemon = pair.one.keepalived(&program, &written(&pair.one, "", own));
        if has {
            eventually(&format!("{name}: the address"), PATIENCE, || {
                pair.one.sh("ip -d addr show dev ipvl51").contains(VIP)
            });
        } else {
            // Neither speaks by another interface than it was told to.
            daemon.wait_log("nable to create ipvlan interface ipvl51", PATIENCE);
            holds_for(&format!("{name}: no address"), 2 * SECOND, || !pair.one.has_address(VIP));
        }
        let _ = daemon.stop();
        assert!(!pair.one.sh("ip link").contains("ipvl51"), "{name}");
    }
}

#[test]
fn adverts_of_strangers_count_only_where_their_source_is_not_checked() {
    use tandem::sys::raw::{RawKey, RawSocket};
    use tandem::vrrp::packet::{Auth, ChecksumRule, GROUP_V4, Outgoing, Profile, Version, encode};

    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let stranger = lab.host("stranger");
    pair.net.plug(&stranger, "eth0", "10.78.0.13/24");
    let (from, to) = (Ipv4Addr::new(10, 78, 0, 13), Ipv4Addr::new(10, 78, 0, 11));
    let profile = Profile {
        version: Version::V3,
        vrid: 51,
        interval: Duration::from_millis(200),
        auth: Auth::None,
        addresses: vec![VIP.parse().unwrap()],
        checksum: ChecksumRule::Standard,
        group: GROUP_V4.into(),
        peers: vec![tandem::vrrp::packet::Peer { address: to.into(), ttl: (0, 255) }],
        check_source: false,
        ttl: 255,
        hmac: None,
    };
    let mut advert = Vec::new();
    let out = Outgoing {
        source: from.into(),
        destination: to.into(),
        priority: 200,
        ip_id: 1,
        sequence: 1,
        old_checksum: false,
        stamp: 0,
    };
    encode(&profile, &out, &mut advert);
    let key =
        RawKey { protocol: 112, interface: Some(("eth0".into(), 0)), bound: None, group: None, v6: false };
    let unicast = "    unicast_src_ip 10.78.0.11\n    unicast_peer {\n        10.78.0.12\n    }\n";
    let global = "global_defs {\n    vrrp_check_unicast_src\n}";
    for (global, own, checked) in [
        ("", unicast.to_owned(), false),
        (global, unicast.to_owned(), true),
        ("", format!("{unicast}    check_unicast_src\n"), true),
    ] {
        for (name, program) in both() {
            let mut daemon = pair.one.keepalived(&program, &written(&pair.one, global, &own));
            eventually(&format!("{name}: the address"), PATIENCE, || pair.one.has_address(VIP));
            let send = || {
                stranger.run(|| RawSocket::open(&key).unwrap().send_v4(&advert, to).unwrap());
            };
            if checked {
                holds_for(&format!("{name}: the address"), SECOND, || {
                    send();
                    pair.one.has_address(VIP)
                });
            } else {
                eventually(&format!("{name}: the stranger to be believed"), PATIENCE, || {
                    send();
                    !pair.one.has_address(VIP)
                });
            }
            assert!(daemon.stop().success());
        }
    }
}

#[test]
fn a_changed_list_of_addresses_is_overlooked_where_it_is_not_checked() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let low = |host: &Host, own: &str| {
        Config::written(host, "keepalived.conf", &text("", own).replace("priority 100", "priority 90"))
    };
    for (own, overlooked) in [("    skip_check_adv_addr\n", true), ("", false)] {
        for (name, program) in both() {
            let mut master = pair.one.keepalived(&keepalived(), &written(&pair.one, "", ""));
            eventually(&format!("{name}: the address"), PATIENCE, || pair.one.has_address(VIP));
            let mut backup = pair.two.keepalived(&program, &low(&pair.two, own));
            holds_for(&format!("{name}: a backup"), SECOND, || !pair.two.has_address(VIP));
            let more = text("", own).replace("10.78.0.100/24\n", "10.78.0.100/24\n        10.78.0.109/24\n");
            Config::written(&pair.one, "keepalived.conf", &more);
            master.signal(Signal::SIGHUP);
            eventually("the further address", PATIENCE, || pair.one.has_address("10.78.0.109"));
            if overlooked {
                holds_for(&format!("{name}: still a backup"), 2 * SECOND, || !pair.two.has_address(VIP));
            } else {
                eventually(&format!("{name}: two masters"), PATIENCE, || pair.two.has_address(VIP));
            }
            assert!(backup.stop().success() && master.stop().success());
        }
    }
}

#[test]
fn lines_for_other_nodes_are_left_out() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let own = "        @left 10.78.0.150/24\n        @right 10.78.0.151/24\n        @^left 10.78.0.152/24\n";
    let text = text("", "").replace("        10.78.0.100/24\n", &format!("        10.78.0.100/24\n{own}"));
    let config = Config::written(&pair.one, "keepalived.conf", &text);
    for (name, program) in both() {
        for (id, expected) in [("left", [true, false, false]), ("right", [false, true, true])] {
            let mut daemon = called(&pair.one, &program, &config, &["--config-id", id]);
            eventually(&format!("{name}: the address"), PATIENCE, || pair.one.has_address(VIP));
            let has = || ["10.78.0.150", "10.78.0.151", "10.78.0.152"].map(|a| pair.one.has_address(a));
            eventually(&format!("{name} {id}: {:?}", has()), PATIENCE, || has() == expected);
            assert!(daemon.stop().success());
        }
    }
}

#[test]
fn a_named_instance_lives_in_the_namespace_it_names() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    pair.one.sh("ip netns add blue && ip link set eth0 netns blue && ip -n blue link set lo up && \
         ip -n blue link set eth0 up && ip -n blue addr add 10.78.0.11/24 dev eth0");
    let has = |host: &Host| host.sh("ip -n blue -o addr show").contains("10.78.0.100/24");
    let left = |host: &Host| {
        let found = host.sh("find /run -name '*.pid' | sort");
        let mut lines: Vec<String> = found.lines().map(str::to_owned).collect();
        // The checkers of the real one.
        lines.retain(|line| !line.contains("checkers"));
        lines
    };
    let mut files: Vec<Vec<String>> = Vec::new();
    for (from_file, global, options) in
        [(true, "net_namespace blue\ninstance left", &[][..]), (false, "", &["--namespace", "blue"][..])]
    {
        for (name, program) in both() {
            let config = written(&pair.one, global, "");
            let mut daemon = called(&pair.one, &program, &config, options);
            eventually(&format!("{name}: the address there"), PATIENCE, || has(&pair.one));
            assert!(!pair.one.has_address(VIP), "{name}: and not here");
            if from_file {
                files.push(left(&pair.one));
            }
            assert!(daemon.stop().success());
            eventually(&format!("{name}: the address to go"), PATIENCE, || !has(&pair.one));
        }
    }
    assert_eq!(files[0], files[1], "pid files of the real one, and ours");
}

#[test]
fn addresses_stay_where_the_end_is_not_to_release_them() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    for (name, program) in both() {
        let mut daemon = called(&pair.one, &program, &written(&pair.one, "", ""), &["--dont-release-vrrp"]);
        eventually(&format!("{name}: the address"), PATIENCE, || pair.one.has_address(VIP));
        assert!(daemon.stop().success());
        // Longer than a life in the kernel.
        holds_for(&format!("{name}: the address after the end"), 4 * SECOND, || pair.one.has_address(VIP));
        // The next one takes it down before it knows whether it will be master.
        let mut daemon = pair.one.keepalived(&program, &written(&pair.one, "", ""));
        daemon.wait_log("Entering BACKUP STATE", PATIENCE);
        eventually(&format!("{name}: the address"), PATIENCE, || pair.one.has_address(VIP));
        assert!(daemon.stop().success());
        eventually(&format!("{name}: the address to go"), PATIENCE, || !pair.one.has_address(VIP));
    }
}

#[test]
fn strict_follows_the_letter() {
    let Some(lab) = Lab::open(&[Part::Program("nft")]) else { return };
    let pair = Pair::new(&lab);
    for (name, program) in both() {
        for (global, own) in [("global_defs {\n    vrrp_strict\n}", ""), ("", "    strict_mode\n")] {
            let mut daemon = pair.one.keepalived(&program, &written(&pair.one, global, own));
            eventually(&format!("{name}: the address"), PATIENCE, || pair.one.has_address(VIP));
            // Accept_Mode is off: the address is there and does not answer.
            assert!(!pair.two.try_sh("ping -c 1 -W 1 10.78.0.100").status.success(), "{name}");
            assert!(pair.two.try_sh("ping -c 1 -W 2 10.78.0.11").status.success(), "{name}");
            assert!(daemon.stop().success());
        }
    }
}

#[test]
fn a_link_that_is_not_tracked_may_fail() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    second_interface(&pair.one);
    let text = |own: &str| text("", own).replace("interface eth0", "interface eth1");
    for (name, program) in both() {
        for (own, stays) in [("    dont_track_primary\n", true), ("", false)] {
            let config = Config::written(&pair.one, "keepalived.conf", &text(own));
            let mut daemon = pair.one.keepalived(&program, &config);
            eventually(&format!("{name}: the address"), PATIENCE, || pair.one.has_address(VIP));
            pair.one.sh("ip link set far down");
            if stays {
                holds_for(&format!("{name}: master"), SECOND, || daemon.count("Entering FAULT STATE") == 0);
                assert!(pair.one.has_address(VIP), "{name}");
            } else {
                daemon.wait_log("Entering FAULT STATE", PATIENCE);
            }
            pair.one.sh("ip link set far up");
            assert!(daemon.stop().success());
        }
    }
}

#[test]
fn groups_sources_and_hop_limits_are_those_of_the_file() {
    let Some(lab) = Lab::open(&[Part::Program("tcpdump")]) else { return };
    let pair = Pair::new(&lab);
    pair.one.sh("ip addr add 10.78.0.21/24 dev eth0");
    let mut heard = Vec::new();
    for (_, program) in both() {
        for (global, own) in [
            ("global_defs {\n    vrrp_mcast_group4 224.0.0.99\n}", "    mcast_src_ip 10.78.0.21\n"),
            ("", "    mcast_dst_ip 224.0.0.98\n"),
            (
                "",
                "    unicast_src_ip 10.78.0.21\n    unicast_ttl 7\n    unicast_peer {\n        10.78.0.12\n    }\n",
            ),
        ] {
            let mut command = Command::new("tcpdump");
            command.args(["-i", "eth0", "-nn", "-l", "-v", "ip proto 112"]);
            let capture = pair.two.spawn(command);
            capture.wait_log("listening on", PATIENCE);
            let mut daemon = pair.one.keepalived(&program, &written(&pair.one, global, own));
            let line = capture.wait_log("prio 100", PATIENCE);
            let log = capture.log();
            let ttl = log.iter().find_map(|l| l.split("ttl ").nth(1)?.split(',').next().map(str::to_owned));
            let way = line.trim().split(": ").next().unwrap_or_default().to_owned();
            heard.push((way, ttl));
            assert!(daemon.stop().success());
        }
    }
    assert_eq!(heard[..3], heard[3..], "the real one, and ours");
    assert!(heard[0].0.contains("10.78.0.21 > 224.0.0.99"), "{heard:?}");
}

#[test]
fn the_switch_for_secondary_addresses_is_turned_and_turned_back() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let switch = || pair.one.sh("cat /proc/sys/net/ipv4/conf/eth0/promote_secondaries").trim().to_owned();
    pair.one.sh("echo 0 > /proc/sys/net/ipv4/conf/eth0/promote_secondaries");
    for (name, program) in both() {
        let mut daemon = pair.one.keepalived(&program, &written(&pair.one, "", "    promote_secondaries\n"));
        eventually(&format!("{name}: the address"), PATIENCE, || pair.one.has_address(VIP));
        assert_eq!(switch(), "1", "{name}");
        assert!(daemon.stop().success());
        assert_eq!(switch(), "0", "{name}");
    }
}

#[test]
fn a_script_that_hangs_has_failed() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    pair.one.file("slow", format!("#!/bin/sh\n[ ! -e {dir}/hang ] || sleep 30\n"));
    pair.one.sh(&format!("chmod 755 {dir}/slow"));
    let global = format!(
        "global_defs {{\n    enable_script_security\n    script_user root\n}}\n\
         vrrp_script slow {{\n    script {dir}/slow\n    interval 1\n    timeout 1\n    fall 2\n    rise 2\n}}"
    );
    for (name, program) in both() {
        pair.one.sh(&format!("rm -f {dir}/hang"));
        let own = "    track_script {\n        slow\n    }\n";
        let mut daemon = pair.one.keepalived(&program, &written(&pair.one, &global, own));
        eventually(&format!("{name}: the address"), PATIENCE, || pair.one.has_address(VIP));
        pair.one.file("hang", "");
        daemon.wait_log("VRRP_Script(slow) timed_out", PATIENCE);
        eventually(&format!("{name}: the address to go"), PATIENCE, || !pair.one.has_address(VIP));
        assert!(daemon.stop().success());
    }
}

#[test]
fn groups_follow_what_they_track() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    let instance = |name: &str, vrid: u8| {
        format!(
            "vrrp_instance {name} {{\n    interface eth0\n    virtual_router_id {vrid}\n    version 3\n    advert_int 0.2\n    \
             virtual_ipaddress {{\n        10.78.0.{vrid}/24\n    }}\n}}\n"
        )
    };
    let tracks = |what: &str| format!("    track_script {{\n        up {what}\n    }}\n");
    for (kind, of_group, change, back) in [
        (
            "a weight of the group",
            tracks("weight -20"),
            "(B) Changing effective priority from 100 to 80",
            "(B) Changing effective priority from 80 to 100",
        ),
        ("a fault of the group", tracks(""), "(B) Entering FAULT STATE", ""),
    ] {
        let text = format!(
            "global_defs {{\n    enable_script_security\n    script_user root\n}}\n\
             vrrp_script up {{\n    script \"/bin/test -e {dir}/up\"\n    interval 1\n}}\n\
             vrrp_sync_group G {{\n    group {{\n        A\n        B\n    }}\n{of_group}}}\n{}{}",
            instance("A", 51),
            instance("B", 52)
        );
        let mut said = Vec::new();
        for (name, program) in both() {
            pair.one.file("up", "");
            let config = Config::written(&pair.one, "keepalived.conf", &text);
            let mut daemon = pair.one.keepalived(&program, &config);
            let owns = || pair.one.has_address("10.78.0.51") && pair.one.has_address("10.78.0.52");
            eventually(&format!("{name}, {kind}: the addresses"), PATIENCE, owns);
            pair.one.sh(&format!("rm {dir}/up"));
            daemon.wait_log(change, PATIENCE);
            if back.is_empty() {
                eventually(&format!("{name}, {kind}: the addresses to go"), PATIENCE, || !owns());
            }
            pair.one.file("up", "");
            if !back.is_empty() {
                daemon.wait_log(back, PATIENCE);
            }
            eventually(&format!("{name}, {kind}: the addresses again"), PATIENCE, owns);
            assert!(daemon.stop().success());
            let about =
                |line: &String| line.contains("effective priority") || line.contains("Entering FAULT STATE");
            let mut lines: Vec<String> = daemon
                .log()
                .iter()
                .filter(|line| about(line))
                .map(|line| line[line.find('(').unwrap_or(0)..].to_owned())
                .collect();
            lines.sort();
            said.push(lines);
        }
        assert_eq!(said[0], said[1], "{kind}: the real one, and ours");
    }
}

#[test]
fn addresses_on_other_interfaces_get_virtual_ones_too() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    second_interface(&pair.one);
    let text = text("", "    use_vmac\n    use_vmac_addr\n")
        .replace("10.78.0.100/24\n", "10.78.0.100/24\n        10.79.0.101/24 dev eth1\n");
    let config = Config::written(&pair.one, "keepalived.conf", &text);
    let mut found = Vec::new();
    for (name, program) in both() {
        let mut daemon = pair.one.keepalived(&program, &config);
        eventually(&format!("{name}: the addresses"), PATIENCE, || {
            pair.one.has_address(VIP) && pair.one.has_address("10.79.0.101")
        });
        // The kernel says a moment later of a new link that it is up.
        let lines = wait_for(&format!("{name}: links that are up"), PATIENCE, || {
            let list = pair.one.sh(
                "ip -br -4 addr show | grep -E '10.78.0.100|10.79.0.101'; ip -br link show | grep 00:00:5e",
            );
            let mut lines: Vec<String> =
                list.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            lines.sort();
            lines.iter().all(|line| line.split(' ').nth(1) == Some("UP")).then_some(lines)
        });
        found.push(lines);
        assert!(daemon.stop().success());
    }
    assert_eq!(found[0], found[1], "the real one, and ours");
}

#[test]
fn a_higher_one_waits_or_leaves_it_where_it_is_told_to() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let low =
        Config::written(&pair.two, "keepalived.conf", &text("", "").replace("priority 100", "priority 90"));
    for (name, program) in both() {
        for own in ["    nopreempt\n", "    preempt_delay 3\n"] {
            let mut other = pair.two.keepalived(&keepalived(), &low);
            eventually(&format!("{name}: the address there"), PATIENCE, || pair.two.has_address(VIP));
            let mut daemon = pair.one.keepalived(&program, &written(&pair.one, "", own));
            daemon.wait_log("Entering BACKUP STATE", PATIENCE);
            holds_for(&format!("{name}:{own} left there"), 2 * SECOND, || !pair.one.has_address(VIP));
            if own.contains("delay") {
                eventually(&format!("{name}: the address after the delay"), PATIENCE, || {
                    pair.one.has_address(VIP)
                });
            }
            assert!(daemon.stop().success() && other.stop().success());
        }
    }
}
