//! `vrrp_script`: every option beside the real keepalived, and the lines that merely look for a process.

use std::time::Duration;

use crate::lab::{Config, Host, Lab, Part, Process, Program, eventually, holds_for, keepalived};
use crate::vrrp_process::{CONFIG, Pair, SECOND, VIP};

const PATIENCE: Duration = Duration::from_secs(15);

fn both() -> [(&'static str, Program); 2] {
    [("real", Program::reference("keepalived")), ("ours", keepalived())]
}

/// The usual instance that tracks `script chk { BODY }` with `how` behind its name.
fn written(host: &Host, body: &str, how: &str) -> Config {
    let instance = CONFIG.replace("PRIORITY", "100").replace(
        "    virtual_ipaddress {",
        &format!("    track_script {{\n        chk {how}\n    }}\n    virtual_ipaddress {{"),
    );
    let text = format!(
        "global_defs {{\n    enable_script_security\n    script_user root\n}}\nvrrp_script chk {{\n{body}}}\n{instance}"
    );
    Config::written(host, "keepalived.conf", &text)
}

/// Lines about the script and the priority, without the time before them.
fn about(daemon: &Process) -> Vec<String> {
    let of = |line: &String| line.contains("VRRP_Script(") || line.contains("effective priority");
    daemon
        .log()
        .iter()
        .filter(|line| of(line))
        .map(|line| line[line.find(": ").map_or(0, |at| at + 2)..].to_owned())
        .collect()
}

#[test]
fn rise_and_fall_weights_and_their_opposite_are_as_the_real_one_takes_them() {
    let Some(lab) = Lab::open(&[Part::Program("keepalived")]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    // Each run leaves a dot, so that the runs can be counted.
    let body =
        |more: &str| format!("    script \"{dir}/chk\"\n    interval 1\n    rise 2\n    fall 2\n{more}");
    pair.one.file("chk", format!("#!/bin/sh\nprintf . >> {dir}/runs\ntest -e {dir}/good\n"));
    pair.one.sh(&format!("chmod 755 {dir}/chk"));
    let runs = || std::fs::read_to_string(format!("{dir}/runs")).map_or(0, |text| text.len());
    for (more, how, good, bad) in [
        ("    weight 10\n", "", "100 to 110", "110 to 100"),
        ("    weight -30\n    init_fail\n", "", "70 to 100", "100 to 70"),
        ("", "weight 10 reverse", "100 to 90", "90 to 100"),
    ] {
        let mut said = Vec::new();
        for (name, program) in both() {
            pair.one.sh(&format!("rm -f {dir}/runs {dir}/good"));
            let start_good = !more.contains("init_fail");
            if start_good {
                pair.one.file("good", "");
            }
            let mut daemon = pair.one.keepalived(&program, &written(&pair.one, &body(more), how));
            eventually(&format!("{name}: the address"), PATIENCE, || pair.one.has_address(VIP));
            if !start_good {
                pair.one.file("good", "");
                daemon.wait_log(good, PATIENCE);
            }
            // Two bad ones in a row, and no less.
            pair.one.sh(&format!("rm {dir}/good"));
            let (before, said_before) = (runs(), daemon.count(bad));
            eventually(&format!("{name}: {bad}"), PATIENCE, || daemon.count(bad) > said_before);
            assert!(runs() >= before + 2, "{name}: {} runs", runs() - before);
            // Whether the first failure of one that is taken for failed is worth a line is a matter of taste.
            let decided = |line: &String| line.contains("succeeded");
            said.push(about(&daemon).into_iter().skip_while(|line| !decided(line)).collect::<Vec<_>>());
            assert!(daemon.stop().success());
        }
        assert_eq!(said[0], said[1], "{more}{how}: the real one, and ours");
    }
}

#[test]
fn scripts_run_as_who_they_are_to_run_as() {
    let Some(lab) = Lab::open(&[Part::Program("keepalived")]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    pair.one.file("chk", format!("#!/bin/sh\nid -u > {dir}/out/$$.new && id -g >> {dir}/out/$$.new && mv {dir}/out/$$.new {dir}/out/who\n"));
    pair.one.sh(&format!("chmod 755 {dir}/chk && mkdir -m 777 {dir}/out"));
    for (name, program) in both() {
        pair.one.sh(&format!("rm -f {dir}/out/*"));
        let body = format!("    script \"{dir}/chk\"\n    interval 1\n    user nobody daemon\n");
        let mut daemon = pair.one.keepalived(&program, &written(&pair.one, &body, ""));
        let who = format!("{dir}/out/who");
        let expected = pair.one.sh("id -u nobody; id -g daemon");
        eventually(&format!("{name}: user and group"), PATIENCE, || {
            std::fs::read_to_string(&who).is_ok_and(|text| text == expected)
        });
        assert!(daemon.stop().success());
    }
}

#[test]
fn a_script_that_others_could_change_is_not_run() {
    let Some(lab) = Lab::open(&[Part::Program("keepalived")]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    pair.one.file("chk", format!("#!/bin/sh\ntouch {dir}/ran\n"));
    pair.one.sh(&format!("chmod 777 {dir}/chk"));
    for (name, program) in both() {
        let body = format!("    script \"{dir}/chk\"\n    interval 1\n");
        let mut daemon = pair.one.keepalived(&program, &written(&pair.one, &body, ""));
        // Nobody tracks it then.
        eventually(&format!("{name}: the address"), PATIENCE, || pair.one.has_address(VIP));
        holds_for(&format!("{name}: not run"), 2 * SECOND, || !pair.one.dir().join("ran").exists());
        assert!(daemon.stop().success());
    }
}

#[test]
fn every_way_to_look_for_a_process_is_answered_when_it_ends() {
    let Some(lab) = Lab::open(&[Part::Program("killall"), Part::Program("pgrep"), Part::Program("pidof")])
    else {
        return;
    };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    pair.one.sh(&format!("cp $(command -v sleep) {dir}/lbworker"));
    for line in ["killall -0 lbworker", "pidof lbworker", "pgrep lbworker", "pgrep -x lbworker"] {
        let mut command = std::process::Command::new(format!("{dir}/lbworker"));
        command.arg("3600");
        let mut worker = pair.one.spawn(command);
        eventually(line, PATIENCE, || pair.one.try_sh(line).status.success());
        let path = pair.one.sh(&format!("command -v {}", line.split(' ').next().unwrap()));
        let arguments = line.split_once(' ').unwrap().1;
        // Nobody waits for the interval: it is longer than the test is patient.
        let body = format!("    script \"{} {arguments}\"\n    interval 100\n", path.trim());
        let mut daemon = pair.one.keepalived(&keepalived(), &written(&pair.one, &body, ""));
        eventually(&format!("{line}: the address"), PATIENCE, || pair.one.has_address(VIP));
        worker.stop();
        let took = eventually(&format!("{line}: the address to go"), PATIENCE, || !pair.one.has_address(VIP));
        println!("{line}: gone after {took:?}");
        assert!(daemon.stop().success());
    }
}
