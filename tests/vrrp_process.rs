//! The VRRP process: what is left when it dies, does not load, reloads, or meets garbage.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::lab::{
    Config, Host, Lab, Network, Part, Process, Signal, eventually, holds_for, keepalived, wait_for,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const VIP: &str = "10.78.0.100";

pub(crate) const CONFIG: &str = "\
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority PRIORITY
    version 3
    advert_int 0.2
    virtual_ipaddress {
        10.78.0.100/24
    }
}
";

pub(crate) struct Pair {
    pub(crate) net: Network,
    pub(crate) one: Host,
    pub(crate) two: Host,
}

impl Pair {
    pub(crate) fn new(lab: &Lab) -> Self {
        let net = lab.network("net", "10.78.0.1/24");
        let (one, two) = (lab.host("one"), lab.host("two"));
        net.plug(&one, "eth0", "10.78.0.11/24");
        net.plug(&two, "eth0", "10.78.0.12/24");
        Self { net, one, two }
    }
}

pub(crate) fn written(host: &Host, priority: u8) -> Config {
    Config::written(host, "keepalived.conf", &CONFIG.replace("PRIORITY", &priority.to_string()))
}

pub(crate) fn start(host: &Host, priority: u8) -> Process {
    let daemon = host.keepalived(&keepalived(), &written(host, priority));
    eventually("the address", 5 * SECOND, || host.has_address(VIP));
    daemon
}

/// A process id on the host, from a file there.
pub(crate) fn pid(host: &Host, file: &str) -> String {
    wait_for(file, 5 * SECOND, || {
        let text = host.try_sh(&format!("cat {file}"));
        let text = String::from_utf8_lossy(&text.stdout).trim().to_owned();
        (!text.is_empty()).then_some(text)
    })
}

#[test]
fn a_killed_engine_hands_over_at_once_and_comes_back() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let one = start(&pair.one, 100);
    let _two = pair.two.keepalived(&keepalived(), &written(&pair.two, 90));
    let first = pid(&pair.one, "/run/vrrp.pid");
    assert_ne!(first, pid(&pair.one, "/run/keepalived.pid"));
    pair.one.sh(&format!("kill -KILL {first}"));
    let took = eventually("the handover", SECOND, || pair.two.has_address(VIP));
    println!("engine killed: taken over after {took:?}");
    one.wait_log("VRRP child process died: SIGKILL", SECOND);
    one.wait_log("removing VIPs left behind", SECOND);
    eventually("a new engine", 5 * SECOND, || {
        let now = pid(&pair.one, "/run/vrrp.pid");
        now != first && pair.one.has_address(VIP)
    });
    eventually("one owner", SECOND, || !pair.two.has_address(VIP));
}

#[test]
fn a_killed_parent_takes_the_engine_with_it() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let _one = start(&pair.one, 100);
    let parent = pid(&pair.one, "/run/keepalived.pid");
    pair.one.sh(&format!("kill -KILL {parent}"));
    eventually("the address to go", 3 * SECOND, || !pair.one.has_address(VIP));
}

#[test]
fn it_is_called_keepalived_and_cleans_up() {
    let Some(lab) = Lab::open(&[Part::Program("killall")]) else { return };
    let pair = Pair::new(&lab);
    let mut one = start(&pair.one, 100);
    let engine = pid(&pair.one, "/run/vrrp.pid");
    assert_eq!(pair.one.sh(&format!("cat /proc/{engine}/comm")).trim(), "keepalived");
    pair.one.sh("killall -0 keepalived");
    assert!(one.stop().success());
    assert!(!pair.one.has_address(VIP));
    let left = pair.one.try_sh("ls /run/*.pid").stdout;
    assert!(left.is_empty(), "{}", String::from_utf8_lossy(&left));
}

#[test]
fn what_cannot_load_leaves_nothing() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let cases = [
        (
            "vrrp_instance VI_1 {\n    interface eth0\n    virtual_ipaddress {\n        10.78.0.100/24\n    }\n}\n",
            2,
        ),
        (
            "vrrp_instance VI_1 {\n    interface nope0\n    virtual_router_id 51\n    virtual_ipaddress {\n        10.78.0.100/24\n    }\n}\n",
            2,
        ),
    ];
    for (text, code) in cases {
        let config = Config::written(&pair.one, "bad.conf", text);
        let mut daemon = pair.one.keepalived(&keepalived(), &config);
        let status = daemon.ended(5 * SECOND);
        assert_eq!(status.code(), Some(code), "{:#?}", daemon.log());
        assert!(!pair.one.has_address(VIP));
        let left = pair.one.try_sh("ls /run/*.pid").stdout;
        assert!(left.is_empty(), "{}", String::from_utf8_lossy(&left));
    }
    let mut missing = keepalived().command();
    missing.args(["-n", "-l", "-f", "/nonexistent.conf"]);
    assert_eq!(pair.one.output(missing).status.code(), Some(6));
}

/// Adverts of one host seen by another, with the time they came.
struct Ear {
    capture: Process,
}

impl Ear {
    fn open(host: &Host) -> Self {
        let mut command = Command::new("tcpdump");
        command.args(["-i", "eth0", "-nn", "-l", "-tt", "ip proto 112"]);
        let capture = host.spawn(command);
        capture.wait_log("listening on", 5 * SECOND);
        Self { capture }
    }

    /// Seconds of each packet with this priority.
    fn heard(&self, from: &str, priority: u8) -> Vec<f64> {
        let log = self.capture.log();
        let of = |line: &&String| line.contains(from) && line.contains(&format!("prio {priority},"));
        log.iter().filter(of).filter_map(|l| l.split(' ').next()?.parse().ok()).collect()
    }
}

#[test]
fn a_reload_of_an_unchanged_file_sends_nothing_and_drops_nothing() {
    let Some(lab) = Lab::open(&[Part::Program("tcpdump")]) else { return };
    let pair = Pair::new(&lab);
    let one = start(&pair.one, 100);
    let ear = Ear::open(&pair.two);
    eventually("adverts", 5 * SECOND, || ear.heard("10.78.0.11", 100).len() >= 5);
    let begun = Instant::now();
    for round in 1..=20 {
        one.signal(Signal::SIGHUP);
        one.wait_log_times("Reload complete", round, 5 * SECOND);
        assert!(pair.one.has_address(VIP), "lost in round {round}");
    }
    let reloading = begun.elapsed();
    eventually("more adverts", 5 * SECOND, || ear.heard("10.78.0.11", 100).len() >= 10);
    assert!(ear.heard("10.78.0.11", 0).is_empty(), "a reload announced a stop");
    let times = ear.heard("10.78.0.11", 100);
    let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let longest = gaps.iter().copied().fold(0.0, f64::max);
    let shortest = gaps.iter().copied().fold(f64::MAX, f64::min);
    println!("20 reloads in {reloading:?}: gaps between adverts {shortest:.3} s to {longest:.3} s");
    assert!(shortest > 0.1, "an extra advert: {gaps:?}");
    assert_eq!(one.count("Entering MASTER STATE"), 1);
    assert_eq!(one.count("removing VIPs"), 1, "only at the start");
}

#[test]
fn a_reload_applies_what_changed_and_refuses_what_does_not_load() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let one = start(&pair.one, 100);
    let text = CONFIG.replace("PRIORITY", "100");
    Config::written(&pair.one, "keepalived.conf", "vrrp_instance VI_1 {\n    interface eth0\n}\n");
    one.signal(Signal::SIGHUP);
    one.wait_log("Reload refused", 5 * SECOND);
    assert!(pair.one.has_address(VIP));
    let more = text.replace("        10.78.0.100/24\n", "        10.78.0.100/24\n        10.78.0.101/24\n");
    Config::written(&pair.one, "keepalived.conf", &more);
    one.signal(Signal::SIGHUP);
    eventually("the new address", 5 * SECOND, || pair.one.has_address("10.78.0.101"));
    assert!(pair.one.has_address(VIP));
    Config::written(&pair.one, "keepalived.conf", &text);
    one.signal(Signal::SIGHUP);
    eventually("the removed address to go", 5 * SECOND, || !pair.one.has_address("10.78.0.101"));
    assert!(pair.one.has_address(VIP));
    assert_eq!(one.count("Entering BACKUP STATE"), 1, "only at the start: {:#?}", one.log());
}

#[test]
fn an_address_removed_by_others_comes_back() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let one = start(&pair.one, 100);
    pair.one.sh("ip addr del 10.78.0.100/24 dev eth0");
    let took = eventually("the address to be back", SECOND, || pair.one.has_address(VIP));
    println!("restored after {took:?}");
    one.wait_log("10.78.0.100 was removed by somebody else - restoring it", SECOND);
    assert_eq!(one.count("Entering MASTER STATE"), 1);
}

#[test]
fn signals_write_the_files_exporters_read() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let config = written(&pair.one, 100);
    let mut command = keepalived().command();
    command.args(["-n", "-l", "-D", "-f"]).arg(config.path()).env("TMPDIR", pair.one.dir());
    let one = pair.one.spawn(command);
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    let read = |name: &str| {
        wait_for(name, 5 * SECOND, || {
            std::fs::read_to_string(pair.one.dir().join(name)).ok().filter(|text| !text.is_empty())
        })
    };
    one.signal(Signal::SIGUSR1);
    let data = read("keepalived.data");
    for line in [
        "------< VRRP Topology >------",
        " VRRP Instance = VI_1",
        "   State = MASTER",
        "   Virtual Router ID = 51",
        "   Effective priority = 100",
        "     10.78.0.100/24 dev eth0 scope global set",
    ] {
        assert!(data.lines().any(|l| l == line), "{line:?} is not in\n{data}");
    }
    one.signal(Signal::SIGUSR2);
    let stats = read("keepalived.stats");
    assert!(
        stats.starts_with("VRRP Instance: VI_1\n  Advertisements:\n    Received: 0\n    Sent: "),
        "{stats}"
    );
    assert!(stats.contains("\n  Became master: 1\n  Released master: 0\n"), "{stats}");
    // Exporters ask for the number and send it to the parent.
    let mut ask = keepalived().command();
    ask.arg("--signum=JSON");
    let number = String::from_utf8(pair.one.output(ask).stdout).unwrap();
    pair.one.sh(&format!("kill -{} $(cat /run/keepalived.pid)", number.trim()));
    let json = read("keepalived.json");
    for part in
        ["\"iname\":\"VI_1\"", "\"state\":2", "\"vips\":[\"10.78.0.100/24 dev eth0 scope global set\"]"]
    {
        assert!(json.contains(part), "{part} is not in {json}");
    }
}

#[test]
fn garbage_on_the_segment_changes_nothing() {
    use tandem::sys::raw::{RawKey, RawSocket};
    use tandem::vrrp::packet::{Auth, ChecksumRule, GROUP_V4, Outgoing, Profile, Version, encode};

    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let one = start(&pair.one, 100);
    let profile = Profile {
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
    let packet = |source: [u8; 4], profile: &Profile| {
        let mut bytes = Vec::new();
        let source = Ipv4Addr::from(source).into();
        let out = Outgoing {
            source,
            destination: GROUP_V4.into(),
            priority: 255,
            ip_id: 1,
            sequence: 1,
            old_checksum: false,
            stamp: 0,
        };
        encode(profile, &out, &mut bytes);
        bytes
    };
    let other = [10, 78, 0, 12];
    let good = packet(other, &profile);
    let changed = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        bytes
    };
    // Each would win the election if it were believed: priority 255.
    let forged: Vec<(&str, Vec<u8>)> = vec![
        ("a router on the way", packet(other, &Profile { ttl: 254, ..profile.clone() })),
        ("checksum", changed(26, good[26] ^ 0x55)),
        ("truncated", good[..26].to_vec()),
        ("more addresses than bytes", changed(23, 9)),
        ("version 2", packet(other, &Profile { version: Version::V2, interval: SECOND, ..profile.clone() })),
        ("type", changed(20, 0x32)),
        (
            "another address",
            packet(other, &Profile { addresses: vec![[10, 78, 0, 7].into()], ..profile.clone() }),
        ),
        ("another virtual router", packet(other, &Profile { vrid: 52, ..profile.clone() })),
    ];
    let key =
        RawKey { protocol: 112, interface: Some(("eth0".into(), 0)), bound: None, group: None, v6: false };
    let count = 200;
    pair.two.run(|| {
        let socket = RawSocket::open(&key).unwrap();
        for _ in 0..count {
            for (what, bytes) in &forged {
                socket.send_v4(bytes, GROUP_V4).unwrap_or_else(|e| panic!("{what}: {e}"));
            }
        }
    });
    holds_for("the address", SECOND, || pair.one.has_address(VIP));
    assert_eq!(one.count("Entering BACKUP STATE"), 1, "only at the start: {:#?}", one.log());
    // One line per kind, not one per packet.
    for word in ["invalid TTL", "Invalid VRRPv3 checksum", "wrong version", "Invalid packet type"] {
        assert_eq!(one.count(word), 1, "{word}: {:#?}", one.log());
    }
    // And a good one still counts.
    pair.two.run(|| RawSocket::open(&key).unwrap().send_v4(&good, GROUP_V4).unwrap());
    one.wait_log("Master received advert from 10.78.0.12 with higher priority 255, ours 100", 2 * SECOND);
    eventually("the address again", 5 * SECOND, || pair.one.has_address(VIP));
    drop(pair.net);
}

#[test]
fn the_owner_answers_for_the_address() {
    let Some(lab) = Lab::open(&[Part::Program("ping")]) else { return };
    let pair = Pair::new(&lab);
    let text = CONFIG.replace("PRIORITY", "100").replace(
        "        10.78.0.100/24\n",
        "        10.78.0.100/24\n    }\n    virtual_ipaddress_excluded {\n        2001:db8:78::100/64\n",
    );
    pair.two.sh("ip addr add 2001:db8:78::12/64 dev eth0 nodad");
    let answers = |address: &str| pair.two.try_sh(&format!("ping -c 1 -W 1 {address}")).status.success();
    assert!(!answers(VIP), "nobody has it yet");
    let _one = pair.one.keepalived(&keepalived(), &Config::written(&pair.one, "keepalived.conf", &text));
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    eventually("an answer for IPv4", 5 * SECOND, || answers(VIP));
    eventually("an answer for IPv6", 5 * SECOND, || answers("2001:db8:78::100"));
    // The solicited-node group of the address.
    assert!(pair.one.sh("ip maddress show dev eth0").contains("ff02::1:ff00:100"));
    let neighbours = pair.two.sh("ip neigh");
    let link = pair.one.sh("ip -o link show dev eth0");
    let mac = link.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap();
    for address in [VIP, "2001:db8:78::100"] {
        let line = neighbours.lines().find(|line| line.starts_with(&format!("{address} ")));
        assert!(line.is_some_and(|line| line.contains(mac)), "{address} {mac}: {neighbours}");
    }
}

#[test]
fn routes_rules_and_static_items_come_and_go() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let text = CONFIG.replace("PRIORITY", "100").replace(
        "    virtual_ipaddress {",
        "    virtual_routes {\n        10.90.0.0/16 via 10.78.0.1 dev eth0 metric 50\n        10.91.0.0/16 dev eth0 table 100\n    }\n    \
         virtual_rules {\n        from 10.92.0.0/16 table 100 priority 700\n    }\n    virtual_ipaddress {",
    ) + "static_ipaddress {\n    10.78.1.1/24 dev eth0\n}\nstatic_routes {\n    10.93.0.0/16 via 10.78.0.1 dev eth0\n}\n";
    let config = Config::written(&pair.one, "keepalived.conf", &text);
    let mut one = pair.one.keepalived(&keepalived(), &config);
    let has = |command: &str, what: &str| pair.one.sh(command).contains(what);
    eventually("the static address", 5 * SECOND, || pair.one.has_address("10.78.1.1"));
    assert!(has("ip route", "10.93.0.0/16 via 10.78.0.1 dev eth0"));
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    eventually("the route", SECOND, || has("ip route", "10.90.0.0/16 via 10.78.0.1 dev eth0"));
    assert!(has("ip route", "metric 50"));
    assert!(has("ip route show table 100", "10.91.0.0/16 dev eth0"));
    assert!(has("ip rule", "700:\tfrom 10.92.0.0/16 lookup 100"), "{}", pair.one.sh("ip rule"));
    // While it runs, a reload with one route less touches the others in nothing.
    let fewer = text.replace("        10.90.0.0/16 via 10.78.0.1 dev eth0 metric 50\n", "");
    Config::written(&pair.one, "keepalived.conf", &fewer);
    one.signal(Signal::SIGHUP);
    eventually("the removed route to go", 5 * SECOND, || !has("ip route", "10.90.0.0/16"));
    assert!(has("ip route show table 100", "10.91.0.0/16 dev eth0"));
    assert!(one.stop().success(), "{:#?}", one.log());
    assert_eq!(one.count("cannot"), 0, "{:#?}", one.log());
    assert!(!has("ip route", "10.9"), "{}", pair.one.sh("ip route"));
    assert!(!has("ip rule", "10.92.0.0/16"));
    assert!(!pair.one.has_address("10.78.1.1") && !pair.one.has_address(VIP));
}

#[test]
fn scripts_and_pipes_hear_every_state_in_keepaliveds_words() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    let script = pair.one.file("notify.sh", format!("#!/bin/sh\necho \"$*\" >> {dir}/said\n"));
    pair.one.sh(&format!("chmod 755 {}", script.display()));
    let text = format!(
        "global_defs {{\n    enable_script_security\n    script_user root\n    vrrp_notify_fifo {dir}/pipe\n}}\n{}",
        CONFIG.replace("PRIORITY", "100").replace(
            "    virtual_ipaddress {",
            &format!(
                "    notify_master \"{0} master-script\"\n    notify {0}\n    virtual_ipaddress {{",
                script.display()
            )
        )
    );
    let config = Config::written(&pair.one, "keepalived.conf", &text);
    let mut one = pair.one.keepalived(&keepalived(), &config);
    let mut reader = Command::new("cat");
    eventually("the pipe", 5 * SECOND, || std::path::Path::new(&format!("{dir}/pipe")).exists());
    reader.arg(format!("{dir}/pipe"));
    let reader = pair.one.spawn(reader);
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    reader.wait_log("INSTANCE \"VI_1\" MASTER 100", 2 * SECOND);
    let said = || std::fs::read_to_string(format!("{dir}/said")).unwrap_or_default();
    // Scripts of one event run beside those of the next.
    eventually("the scripts", 5 * SECOND, || {
        said().contains("MASTER 100") && said().contains("master-script")
    });
    assert!(one.stop().success());
    let said = said();
    let mut lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.first(), Some(&"INSTANCE VI_1 BACKUP 100"), "{said}");
    assert_eq!(lines.last(), Some(&"INSTANCE VI_1 STOP 100"), "{said}");
    // Two scripts of one event run side by side.
    lines.sort_unstable();
    let expected =
        ["INSTANCE VI_1 BACKUP 100", "INSTANCE VI_1 MASTER 100", "INSTANCE VI_1 STOP 100", "master-script"];
    assert_eq!(lines, expected);
}

#[test]
fn a_script_decides_by_weight_and_by_fault() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let with_script = |host: &Host, priority: u8, weight: &str| {
        let dir = host.dir().display().to_string();
        let script = format!(
            "global_defs {{\n    enable_script_security\n    script_user root\n}}\nvrrp_script good {{\n    \
             script \"/usr/bin/test -e {dir}/good\"\n    interval 1\n    {weight}\n}}\n"
        );
        let text = CONFIG.replace("PRIORITY", &priority.to_string()).replace(
            "    virtual_ipaddress {",
            "    track_script {\n        good\n    }\n    virtual_ipaddress {",
        );
        host.file("good", "");
        Config::written(host, "keepalived.conf", &(script + &text))
    };
    for weight in ["weight -20", ""] {
        let one = pair.one.keepalived(&keepalived(), &with_script(&pair.one, 100, weight));
        eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
        let two = pair.two.keepalived(&keepalived(), &with_script(&pair.two, 90, weight));
        two.wait_log("Entering BACKUP STATE", 5 * SECOND);
        two.wait_log("VRRP_Script(good) succeeded", 5 * SECOND);
        std::fs::remove_file(pair.one.dir().join("good")).unwrap();
        one.wait_log("VRRP_Script(good) failed (exited with status 1)", 5 * SECOND);
        let took = eventually("the handover", 2 * SECOND, || pair.two.has_address(VIP));
        println!("{weight:?}: moved {took:?} after the script failed");
        eventually("the other to give way", SECOND, || !pair.one.has_address(VIP));
        pair.one.file("good", "");
        eventually("the return", 5 * SECOND, || pair.one.has_address(VIP) && !pair.two.has_address(VIP));
    }
}

#[test]
fn the_end_of_a_watched_process_moves_the_address_without_waiting_for_the_interval() {
    let Some(lab) = Lab::open(&[Part::Program("killall")]) else { return };
    let pair = Pair::new(&lab);
    let with_check = |host: &Host, priority: u8| {
        let script = "global_defs {\n    enable_script_security\n    script_user root\n}\nvrrp_script proxy {\n    \
                      script \"/usr/bin/killall -0 sleep\"\n    interval 30\n    weight -20\n}\n";
        let text = CONFIG.replace("PRIORITY", &priority.to_string()).replace(
            "    virtual_ipaddress {",
            "    track_script {\n        proxy\n    }\n    virtual_ipaddress {",
        );
        Config::written(host, "keepalived.conf", &(script.to_owned() + &text))
    };
    let proxy = |host: &Host| {
        let mut command = Command::new("sleep");
        command.arg("600");
        host.spawn(command)
    };
    let (mut one_proxy, _two_proxy) = (proxy(&pair.one), proxy(&pair.two));
    let one = pair.one.keepalived(&keepalived(), &with_check(&pair.one, 100));
    let two = pair.two.keepalived(&keepalived(), &with_check(&pair.two, 90));
    one.wait_log("VRRP_Script(proxy) succeeded", 5 * SECOND);
    two.wait_log("VRRP_Script(proxy) succeeded", 5 * SECOND);
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    two.wait_log("Entering BACKUP STATE", 5 * SECOND);
    one_proxy.kill();
    let took = eventually("the handover", 5 * SECOND, || pair.two.has_address(VIP));
    println!("watched process killed: address moved after {took:?}, the check's interval is 30 s");
    eventually("one owner", SECOND, || !pair.one.has_address(VIP));
}

/// In a container nobody may reap what ended, and `killall -0` goes on finding it.
#[test]
fn a_watched_process_that_ended_without_being_reaped_is_gone() {
    let Some(lab) = Lab::open(&[Part::Program("killall")]) else { return };
    let pair = Pair::new(&lab);
    let with_check = |host: &Host, priority: u8| {
        let script = "global_defs {\n    enable_script_security\n    script_user root\n}\nvrrp_script proxy {\n    \
                      script \"/usr/bin/killall -0 proxyd\"\n    interval 1\n    weight -20\n}\n";
        let text = CONFIG.replace("PRIORITY", &priority.to_string()).replace(
            "    virtual_ipaddress {",
            "    track_script {\n        proxy\n    }\n    virtual_ipaddress {",
        );
        Config::written(host, "keepalived.conf", &(script.to_owned() + &text))
    };
    // The parent becomes a program that does not know of its child.
    let proxy = |host: &Host| {
        let mut command = Command::new("bash");
        let dir = host.dir().display();
        let line = format!("cp /bin/sleep {dir}/proxyd; {dir}/proxyd 600 & exec tail -f /dev/null");
        command.args(["-c", &line]);
        host.spawn(command)
    };
    let _proxies = (proxy(&pair.one), proxy(&pair.two));
    let one = pair.one.keepalived(&keepalived(), &with_check(&pair.one, 100));
    let two = pair.two.keepalived(&keepalived(), &with_check(&pair.two, 90));
    one.wait_log("VRRP_Script(proxy) succeeded", 5 * SECOND);
    two.wait_log("VRRP_Script(proxy) succeeded", 5 * SECOND);
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP) && !pair.two.has_address(VIP));
    pair.one.sh("killall -9 proxyd");
    pair.one.sh("killall -0 proxyd");
    eventually("the handover", 2 * SECOND, || pair.two.has_address(VIP) && !pair.one.has_address(VIP));
    holds_for("the new owner, over runs of the check", 3 * SECOND, || {
        pair.two.has_address(VIP) && !pair.one.has_address(VIP)
    });
    let _again = proxy(&pair.one);
    eventually("the return", 5 * SECOND, || pair.one.has_address(VIP) && !pair.two.has_address(VIP));
}
