//! Settings of the process and of the machine around it: memory, priorities, membership reports, polled links,
//! repeated reloads, VRFs; options of the command line.

use std::process::Command;

use crate::lab::{Config, Host, Lab, Part, Process, Program, Signal, eventually, keepalived};
use crate::vrrp_process::{CONFIG, Pair, SECOND, VIP, pid};

/// The usual instance behind `global`, with `own` lines in it.
fn written(host: &Host, global: &str, own: &str) -> Config {
    let text = CONFIG.replace("PRIORITY", "100").replace("    version 3\n", &format!("    version 3\n{own}"));
    Config::written(host, "keepalived.conf", &format!("{global}\n{text}"))
}

/// The daemon with pid files of its own; the process that speaks VRRP.
fn started(host: &Host, program: &Program, config: &Config) -> (Process, String) {
    host.sh(&format!("rm -f {}/*.pid", host.dir().display()));
    let mut command = program.command();
    let file = |name: &str| host.dir().join(name);
    command.args(["-n", "-l", "-D", "-f"]).arg(config.path());
    command.arg("-p").arg(file("k.pid")).arg("-r").arg(file("v.pid")).arg("-c").arg(file("c.pid"));
    let daemon = host.spawn(command);
    eventually("the address", 5 * SECOND, || host.has_address(VIP));
    let engine = pid(host, &file("v.pid").display().to_string());
    (daemon, engine)
}

/// Nice value, real-time priority and policy, as `/proc/PID/stat` has them.
fn scheduling(stat: &str) -> [i32; 3] {
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // The first field behind the name is number 3.
    [19, 40, 41].map(|field: usize| fields[field - 3].parse().unwrap())
}

const ROUND_ROBIN: i32 = 2;

#[test]
fn the_engine_is_in_memory_and_before_others_and_its_scripts_are_not() {
    let Some(lab) = Lab::open(&[Part::Program("keepalived"), Part::Program("chrt")]) else { return };
    let pair = Pair::new(&lab);
    if !pair.one.try_sh("chrt -r 1 true").status.success() {
        println!("skipped: nobody may have real-time priority here");
        return;
    }
    let dir = pair.one.dir().display().to_string();
    pair.one.file(
        "say",
        format!("#!/bin/sh\ncat /proc/self/stat > {dir}/said.new && mv {dir}/said.new {dir}/said\n"),
    );
    pair.one.sh(&format!("chmod 755 {dir}/say"));
    let globals = |lines: &str| {
        format!(
            "global_defs {{\n    enable_script_security\n    script_user root\n{lines}}}\n\
             vrrp_script say {{\n    script {dir}/say\n    interval 1\n}}\n"
        )
    };
    let script = "    track_script {\n        say\n    }\n";
    let locked = |engine: &str| {
        let status = pair.one.sh(&format!("cat /proc/{engine}/status"));
        let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    let of = |engine: &str| scheduling(&pair.one.sh(&format!("cat /proc/{engine}/stat")));
    // Without a word about it.
    let (mut one, engine) = started(&pair.one, &keepalived(), &written(&pair.one, &globals(""), script));
    assert!(locked(&engine) > 0);
    assert_eq!(of(&engine), [0, 1, ROUND_ROBIN]);
    eventually("the script", 5 * SECOND, || pair.one.dir().join("said").exists());
    let said = std::fs::read_to_string(pair.one.dir().join("said")).unwrap();
    assert_eq!(scheduling(&said), [0, 0, 0], "a script is an ordinary process");
    assert!(one.stop().success());
    // As the file says, and as the real one takes it.
    // On a busy machine the real one is killed within its limit of 10 ms without a pause.
    let lines =
        "    vrrp_rt_priority 7\n    vrrp_rlimit_rttime 2000000\n    vrrp_no_swap\n    vrrp_cpu_affinity 0\n";
    for program in [Program::reference("keepalived"), keepalived()] {
        let (mut one, engine) = started(&pair.one, &program, &written(&pair.one, &globals(lines), script));
        assert!(locked(&engine) > 0, "{program:?}");
        assert_eq!(of(&engine)[1..], [7, ROUND_ROBIN], "{program:?}");
        let status = pair.one.sh(&format!("cat /proc/{engine}/status"));
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
        assert_eq!(allowed, "0", "{program:?}");
        assert!(one.stop().success());
    }
    let lines = "    vrrp_priority -5\n";
    let (mut one, engine) = started(&pair.one, &keepalived(), &written(&pair.one, &globals(lines), script));
    assert_eq!(of(&engine)[0], -5);
    assert!(one.stop().success());
}

#[test]
fn membership_reports_stop_while_it_runs() {
    let Some(lab) = Lab::open(&[Part::Program("keepalived")]) else { return };
    let pair = Pair::new(&lab);
    let switch = || pair.one.sh("cat /proc/sys/net/ipv4/igmp_link_local_mcast_reports").trim().to_owned();
    assert_eq!(switch(), "1");
    let config = written(&pair.one, "global_defs {\n    disable_local_igmp\n}", "");
    for program in [Program::reference("keepalived"), keepalived()] {
        let (mut one, _) = started(&pair.one, &program, &config);
        assert_eq!(switch(), "0", "{program:?}");
        assert!(one.stop().success());
        eventually("the switch to be as before", SECOND, || switch() == "1");
    }
    // A reload sets it, too, and takes it back.
    let (mut one, _) = started(&pair.one, &keepalived(), &written(&pair.one, "", ""));
    assert_eq!(switch(), "1");
    written(&pair.one, "global_defs {\n    disable_local_igmp\n}", "");
    one.signal(Signal::SIGHUP);
    eventually("the switch", 5 * SECOND, || switch() == "0");
    written(&pair.one, "", "");
    one.signal(Signal::SIGHUP);
    eventually("the switch to be as before", 5 * SECOND, || switch() == "1");
    assert!(one.stop().success());
}

#[test]
fn every_link_is_polled_where_the_file_says_so() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    pair.one.sh("ip link add eth1 type veth peer name far && ip link set far up && ip link set eth1 up && \
         ip addr add 10.79.0.1/24 dev eth1");
    for (name, global, own) in
        [("all", "linkbeat_use_polling", ""), ("its own", "", "    linkbeat_use_polling\n")]
    {
        let config = written(&pair.one, global, own);
        let text = config.text().replace("interface eth0", "interface eth1");
        let (mut one, _) =
            started(&pair.one, &keepalived(), &Config::written(&pair.one, "keepalived.conf", &text));
        pair.one.sh("ip link set far down");
        one.wait_log("Polled interface eth1 has no link", 5 * SECOND);
        eventually(&format!("{name}: the address to go"), 5 * SECOND, || !pair.one.has_address(VIP));
        pair.one.sh("ip link set far up");
        one.wait_log("Polled interface eth1 has a link", 5 * SECOND);
        eventually(&format!("{name}: the address again"), 10 * SECOND, || pair.one.has_address(VIP));
        assert!(one.stop().success());
    }
}

#[test]
fn a_reload_that_repeats_is_due_tomorrow_again() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let file = pair.one.dir().join("when");
    let global = |more: &str| format!("global_defs {{\n    reload_time_file {}\n{more}}}", file.display());
    let (mut one, _) =
        started(&pair.one, &keepalived(), &written(&pair.one, &global("    reload_repeat\n"), ""));
    pair.one.sh(&format!("date -d '+2 seconds' +%T > {}", file.display()));
    let first = one.wait_log("Scheduling reload for", 5 * SECOND);
    one.wait_log("Reload complete", 10 * SECOND);
    one.wait_log_times("Scheduling reload for", 2, 10 * SECOND);
    let second = one.log().into_iter().rfind(|line| line.contains("Scheduling reload for")).unwrap();
    let when = |line: &str| line.split("Scheduling reload for ").nth(1).unwrap().trim().to_owned();
    let tomorrow = pair.one.sh(&format!("date -d '{} 1 day' '+%Y-%m-%d %T'", when(&first)));
    assert_eq!(when(&second), tomorrow.trim());
    assert!(file.exists(), "who wants it again must still be there");
    assert!(one.stop().success());
}

#[test]
fn an_instance_without_an_interface_speaks_on_its_vrf() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    // Any interface that others are part of: not every kernel has VRFs, and a bridge takes the same place here.
    let vrf = ["ip link add red type vrf table 10", "ip link add red type bridge"];
    assert!(vrf.iter().any(|line| pair.one.try_sh(line).status.success()));
    pair.one.sh("ip link set red up && ip link set eth0 master red");
    let kind = pair.one.sh("ip -d link show red");
    let red = if kind.contains("vrf table") { "eth0" } else { "red" };
    pair.one.sh(&format!("ip addr flush dev eth0; ip addr add 10.78.0.11/24 dev {red}"));
    let text = CONFIG
        .replace("PRIORITY", "100")
        .replace(
            "    interface eth0\n",
            "    vrf red\n    unicast_src_ip 10.78.0.11\n    unicast_peer {\n        10.78.0.12\n    }\n",
        )
        .replace("10.78.0.100/24", &format!("10.78.0.100/24 dev {red}"));
    let two = pair.two.keepalived(&keepalived(), &Config::written(&pair.two, "k.conf", &peer()));
    eventually("the other one's address", 5 * SECOND, || pair.two.has_address(VIP));
    let mut one = pair.one.keepalived(&keepalived(), &Config::written(&pair.one, "k.conf", &text));
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    eventually("the lower one to hear of it", 5 * SECOND, || !pair.two.has_address(VIP));
    assert!(one.stop().success());
    eventually("the other one's address", 5 * SECOND, || pair.two.has_address(VIP));
    drop(two);
}

/// The other side of a VRF: plain unicast.
fn peer() -> String {
    CONFIG.replace("PRIORITY", "90").replace(
        "    version 3\n",
        "    version 3\n    unicast_src_ip 10.78.0.12\n    unicast_peer {\n        10.78.0.11\n    }\n",
    )
}

#[test]
fn options_of_the_command_line_do_what_those_of_the_real_one_do() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let mut heard = Vec::new();
    for program in [Program::reference("keepalived"), keepalived()] {
        // What somebody left behind; with `-X` nobody keeps it who is not master.
        pair.one.sh(&format!("ip address add {VIP}/24 dev eth0"));
        let text = CONFIG.replace("PRIORITY", "50").replace("advert_int 0.2", "advert_int 2");
        let config = Config::written(&pair.one, "keepalived.conf", &text);
        let mut command = program.command();
        command.args(["-n", "-l", "-d", "-a", "-X", "-f"]).arg(config.path());
        let mut daemon = pair.one.spawn(command);
        daemon.wait_log("Entering BACKUP STATE", 10 * SECOND);
        eventually("the address to go", 2 * SECOND, || !pair.one.has_address(VIP));
        pair.one.sh("ip address add 10.99.0.1/24 dev eth0 && ip address del 10.99.0.1/24 dev eth0");
        daemon.wait_log("Netlink reflector reports IP 10.99.0.1 removed from eth0", 5 * SECOND);
        let log = daemon.log();
        let about = |line: &&String| {
            let reported = line.contains("Netlink reflector reports IP 10.99.0.1");
            reported || line.contains(" = VI_1") || line.contains("Virtual Router ID =")
        };
        heard.push(
            log.iter().filter(about).map(|l| l[l.find(": ").unwrap_or(0)..].to_owned()).collect::<Vec<_>>(),
        );
        assert!(daemon.stop().success());
    }
    assert!(heard[0].len() > 2, "{heard:?}");
    assert_eq!(heard[0], heard[1], "the real one, and ours");
}

#[test]
fn a_log_file_has_every_line_and_a_missing_include_may_be_an_error() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    let config = written(&pair.one, "instance left", "");
    let mut command = keepalived().command();
    command.args(["-n", "-D", "-G", &format!("-g{dir}/k.log"), "--flush-log-file", "-f"]).arg(config.path());
    let mut daemon = pair.one.spawn(command);
    let said = |file: &str, what: &str| {
        let text = std::fs::read_to_string(format!("{dir}/{file}")).unwrap_or_default();
        text.contains(what)
    };
    eventually("the line", 10 * SECOND, || said("k_vrrp_left.log", ": (VI_1) Entering MASTER STATE\n"));
    assert!(said("k.log", ": Starting VRRP child process, pid="));
    assert!(daemon.stop().success());
    assert!(said("k_vrrp_left.log", ": (VI_1) sent 0 priority\n"));
    assert_eq!(daemon.log(), [""; 0], "nothing on the console");
    // Who wants every file there says so.
    let missing =
        Config::written(&pair.one, "more.conf", &format!("include nothing.conf\n{}", config.text()));
    for program in [Program::reference("keepalived"), keepalived()] {
        for (options, code) in [(&["-t"][..], 0), (&["-t", "-e"][..], 6)] {
            let mut check = program.command();
            check.args(options).arg("-f").arg(missing.path());
            let output = pair.one.output(check);
            assert_eq!(output.status.code(), Some(code), "{program:?} {options:?} {output:?}");
        }
    }
}

#[test]
fn a_core_is_left_where_that_is_asked_for() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let config = written(&pair.one, "", "");
    for program in [Program::reference("keepalived"), keepalived()] {
        let mut command = Command::new("sh");
        let line = format!(
            "ulimit -S -c 0; exec {} -n -l -m -f {}",
            program.command().get_program().display(),
            config.path().display()
        );
        command.args(["-c", &line]);
        let mut daemon = pair.one.spawn(command);
        let engine = pid(&pair.one, "/run/vrrp.pid");
        let limits = pair.one.sh(&format!("cat /proc/{engine}/limits"));
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert!(core.contains("unlimited"), "{program:?}: {core}");
        assert!(daemon.stop().success());
    }
}
