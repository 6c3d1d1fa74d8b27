//! Words of `global_defs` whose effect shows from outside: names of interfaces and processes, places of files, groups,
//! delays. Where keepalived 2.2.7 knows the word, it is asked beside.

use std::process::Command;

use crate::lab::{
    Config, Host, Lab, Part, Process, Program, Signal, eventually, holds_for, keepalived, wait_for,
};
use crate::vrrp_process::{CONFIG, Pair, SECOND, VIP, pid};

fn both() -> [(&'static str, Program); 2] {
    [("real", Program::reference("keepalived")), ("ours", keepalived())]
}

/// The usual instance, with `global` in `global_defs` and `own` lines in it.
fn written(host: &Host, global: &str, own: &str) -> Config {
    let instance = CONFIG
        .replace("PRIORITY", "100")
        .replace("    virtual_ipaddress {", &format!("{own}    virtual_ipaddress {{"));
    let text = format!("global_defs {{\n{global}}}\n{instance}");
    Config::written(host, "keepalived.conf", &text)
}

/// The daemon with pid files of its own, when it has the address; the ids of the parent and of the VRRP process.
fn started(host: &Host, program: &Program, config: &Config) -> (Process, [String; 2]) {
    host.sh(&format!("rm -f {}/*.pid", host.dir().display()));
    let mut command = program.command();
    let file = |name: &str| host.dir().join(name);
    command.args(["-n", "-l", "-D", "-f"]).arg(config.path());
    command.arg("-p").arg(file("k.pid")).arg("-r").arg(file("v.pid")).arg("-c").arg(file("c.pid"));
    let daemon = host.spawn(command);
    eventually("the address", 10 * SECOND, || host.has_address(VIP));
    let pids = ["k.pid", "v.pid"].map(|name| pid(host, &file(name).display().to_string()));
    (daemon, pids)
}

#[test]
fn virtual_interfaces_are_called_as_the_file_says() {
    let Some(lab) = Lab::open(&[Part::Program("keepalived")]) else { return };
    let pair = Pair::new(&lab);
    pair.one.sh("ip link add eth1 type veth peer name far && ip link set far up && ip link set eth1 up && \
         ip addr add 10.79.0.1/24 dev eth1");
    let own = "    use_vmac\n    use_vmac_addr\n    virtual_ipaddress_excluded {\n        10.79.0.101/24 dev eth1\n    }\n";
    for (global, expected) in [
        ("", ["vrrp.51", "vrrp1.51"]),
        ("    vmac_prefix mac\n", ["mac.51", "mac1.51"]),
        ("    vmac_addr_prefix addr\n", ["addr.51", "vrrp.51"]),
        ("    vmac_prefix mac\n    vmac_addr_prefix addr\n", ["addr.51", "mac.51"]),
    ] {
        for (name, program) in both() {
            let (mut daemon, _) = started(&pair.one, &program, &written(&pair.one, global, own));
            let found = wait_for(&format!("{name}: both interfaces"), 10 * SECOND, || {
                let list = pair.one.sh("ip -br link show type macvlan");
                let mut names: Vec<String> =
                    list.lines().filter_map(|line| Some(line.split('@').next()?.to_owned())).collect();
                names.sort();
                (names.len() == 2).then_some(names)
            });
            assert_eq!(found, expected, "{name}, {global}");
            assert!(daemon.stop().success());
        }
    }
}

#[test]
fn processes_are_called_as_the_file_says_also_after_a_reload() {
    let Some(lab) = Lab::open(&[Part::Program("keepalived")]) else { return };
    let pair = Pair::new(&lab);
    let names = |pids: &[String; 2]| {
        pids.each_ref().map(|pid| pair.one.sh(&format!("cat /proc/{pid}/comm")).trim().to_owned())
    };
    for (global, expected) in [
        ("", ["keepalived", "keepalived"]),
        ("    process_names\n", ["keepalived", "keepalived_vrrp"]),
        ("    process_name boss\n", ["boss", "boss"]),
        ("    process_name boss\n    vrrp_process_name worker\n", ["boss", "worker"]),
    ] {
        for (name, program) in both() {
            let config = written(&pair.one, global, "");
            let (mut daemon, pids) = started(&pair.one, &program, &config);
            assert_eq!(names(&pids), expected, "{name}, {global}");
            if global.contains("worker") {
                written(&pair.one, "    process_name chief\n", "");
                daemon.signal(Signal::SIGHUP);
                eventually(&format!("{name}: the new names"), 10 * SECOND, || {
                    names(&pids) == ["chief", "keepalived"]
                });
            }
            assert!(daemon.stop().success());
        }
    }
}

#[test]
fn dumps_go_where_the_file_says_also_after_a_reload() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    let places = |name: &str| {
        format!(
            "    state_dump_file {dir}/{name}.state\n    stats_dump_file {dir}/{name}.counts\n    json_dump_file {dir}/{name}.j\n"
        )
    };
    let (mut daemon, [parent, _]) =
        started(&pair.one, &keepalived(), &written(&pair.one, &places("first"), ""));
    let json = tandem::sys::fork::json_signal();
    let dumped = |name: &str| {
        pair.one.sh(&format!("kill -USR1 {parent} && kill -USR2 {parent} && kill -{json} {parent}"));
        let parts = [
            ("state", "VRRP Instance = VI_1"),
            ("counts", "VRRP Instance: VI_1"),
            ("j", "\"iname\":\"VI_1\""),
        ];
        for (ending, part) in parts {
            let path = format!("{dir}/{name}.{ending}");
            eventually(&path, 5 * SECOND, || {
                std::fs::read_to_string(&path).is_ok_and(|text| text.contains(part))
            });
        }
    };
    dumped("first");
    written(&pair.one, &places("second"), "");
    daemon.signal(Signal::SIGHUP);
    daemon.wait_log("Reload complete", 5 * SECOND);
    dumped("second");
    let usual = pair.one.try_sh("ls /tmp/keepalived.data /tmp/keepalived.stats /tmp/keepalived.json");
    assert!(usual.stdout.is_empty(), "{}", String::from_utf8_lossy(&usual.stdout));
    assert!(daemon.stop().success());
}

#[test]
fn the_group_of_version_6_is_that_of_the_file() {
    let Some(lab) = Lab::open(&[Part::Program("keepalived"), Part::Program("tcpdump")]) else { return };
    let pair = Pair::new(&lab);
    // In time for the address to be one that may be used.
    pair.one.sh("sysctl -qw net.ipv6.conf.eth0.accept_dad=0; ip addr add fe80::11/64 dev eth0 nodad");
    let text = CONFIG.replace("PRIORITY", "100").replace("10.78.0.100/24", "fe80::100/64");
    let text = format!("global_defs {{\n    vrrp_mcast_group6 ff02::99\n}}\n{text}");
    let mut heard = Vec::new();
    for (name, program) in both() {
        let mut command = Command::new("tcpdump");
        command.args(["-i", "eth0", "-nn", "-l", "ip6 proto 112"]);
        let capture = pair.two.spawn(command);
        capture.wait_log("listening on", 10 * SECOND);
        let config = Config::written(&pair.one, "keepalived.conf", &text);
        let mut daemon = pair.one.keepalived(&program, &config);
        let line = capture.wait_log("prio 100", 10 * SECOND);
        heard.push(line.split(" > ").nth(1).map(|to| to.split(':').take(3).collect::<Vec<_>>().join(":")));
        assert!(line.contains("> ff02::99: "), "{name}: {line}");
        assert!(daemon.stop().success());
    }
    assert_eq!(heard[0], heard[1], "the real one, and ours");
}

#[test]
fn a_machine_that_booted_long_ago_waits_for_nothing_and_a_young_one_does() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let delay = 8;
    let config = written(&pair.one, &format!("    vrrp_delay_after_boot {delay}\n"), "");
    let up = pair.one.sh("cut -d. -f1 /proc/uptime").trim().parse::<u64>().unwrap();
    if up > delay {
        let (mut daemon, _) = started(&pair.one, &keepalived(), &config);
        assert_eq!(daemon.count("Delaying startup for"), 0);
        assert!(daemon.stop().success());
    }
    // As if it had booted just now.
    let young = format!("unshare --time --boottime -{up} --");
    if !pair.one.try_sh(&format!("{young} true")).status.success() {
        println!("skipped: this kernel has no namespaces for time");
        return;
    }
    let ours = keepalived().command();
    let pid_file = pair.one.dir().join("young.pid").display().to_string();
    let line = format!(
        "exec {young} {} -n -l -D -f {} -p {pid_file}",
        ours.get_program().display(),
        config.path().display()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &line]);
    let mut daemon = pair.one.spawn(command);
    daemon.wait_log("Delaying startup for", 10 * SECOND);
    let age = || {
        let text = pair.one.sh("cut -d' ' -f1 /proc/uptime");
        text.trim().parse::<f64>().unwrap() - up as f64
    };
    eventually("the address", 20 * SECOND, || {
        let has = pair.one.has_address(VIP);
        assert!(!has || age() >= delay as f64, "before the delay was over");
        has
    });
    // The one in between takes no signals.
    pair.one.sh(&format!("kill $(cat {pid_file})"));
    assert!(daemon.ended(10 * SECOND).success());
}

#[test]
fn what_a_running_process_cannot_change_is_refused_and_named() {
    let Some(lab) = Lab::open(&[Part::Program("keepalived")]) else { return };
    let pair = Pair::new(&lab);
    for (line, what) in [
        ("net_namespace other", "Cannot change network namespace"),
        ("instance other", "Cannot change instance name"),
    ] {
        for (name, program) in both() {
            let (mut daemon, _) = started(&pair.one, &program, &written(&pair.one, "", ""));
            let text =
                format!("{line}\n{}", written(&pair.one, "", "").text().replace("0.100/24", "0.109/24"));
            Config::written(&pair.one, "keepalived.conf", &text);
            daemon.signal(Signal::SIGHUP);
            daemon.wait_log(what, 10 * SECOND);
            holds_for(&format!("{name}: all as before"), SECOND, || {
                pair.one.has_address(VIP) && !pair.one.has_address("10.78.0.109")
            });
            assert!(daemon.stop().success());
        }
    }
}
