//! `tandem check` as people, editors and review tools use it.

use std::path::Path;
use std::process::Command;

use crate::cli::{Desk, err, out};
use crate::lab::{Lab, Part};

/// What versions from 1.4 to 2.4 took and today's do not; no newline at its end.
const OLD: &str = "# an old friend\nglobal\n    nbproc 1   # one\n    maxconn 100\ndefaults\n    mode http\n    clitimeout 60000\n    \
    srvtimeout  60000\n    contimeout 5000 # quick\n\nlisten web 127.0.0.1:8099\n    reqadd X-Old:\\ yes\n    server a 127.0.0.1:8098";

fn keepalived(priority: u8, weight: i32) -> String {
    format!(
        "vrrp_script chk {{\n    script \"/usr/bin/killall -0 haproxy\"\n    weight {weight}\n}}\nvrrp_instance VI_1 {{\n    \
         interface eth0\n    virtual_router_id 51\n    priority {priority}\n    virtual_ipaddress {{\n        192.0.2.1\n    }}\n    \
         track_script {{\n        chk\n    }}\n}}\n"
    )
}

#[test]
fn a_fixed_file_is_what_the_reference_takes_and_keeps_its_comments() {
    let Some(_lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let desk = Desk::new();
    let old = desk.file("old.cfg", OLD);
    let reference = |path: &Path| {
        let program = crate::lab::Program::reference("haproxy");
        program.command().args(["-c", "-f"]).arg(path).output().unwrap()
    };
    assert_eq!(reference(&old).status.code(), Some(1), "the reference takes the old file");
    let fixed = desk.run("tandem", &["check", "--offline", "--fix", "old.cfg"]);
    assert_eq!(fixed.status.code(), Some(0), "{}", err(&fixed));
    let text = out(&fixed);
    for kept in
        ["# an old friend\n", "timeout connect 5000 # quick\n", "\n\nlisten web\n    bind 127.0.0.1:8099\n"]
    {
        assert!(text.contains(kept), "{kept:?} is not in:\n{text}");
    }
    assert!(text.ends_with("server a 127.0.0.1:8098\n"));
    let verdict = reference(&desk.file("new.cfg", &text));
    assert_eq!(verdict.status.code(), Some(0), "{}\n{text}", err(&verdict));
    // What is fixed has nothing left to fix.
    let again = desk.run("tandem", &["check", "--offline", "--fix", "new.cfg"]);
    assert_eq!(out(&again), text);
}

#[test]
fn tools_read_json_and_sarif() {
    let desk = Desk::new();
    desk.file("old.cfg", OLD);
    desk.file("bad.cfg", "frontend f\n    bnd :80\n");
    let read = |args: &[&str]| {
        let answer = desk.run("tandem", args);
        let value: serde_json::Value =
            serde_json::from_str(&out(&answer)).unwrap_or_else(|error| panic!("{error}: {}", out(&answer)));
        (answer.status.code(), value)
    };
    let (code, value) = read(&["check", "--offline", "--format", "json", "old.cfg"]);
    assert_eq!((code, &value["valid"]), (Some(0), &true.into()));
    let said = value["diagnostics"].as_array().unwrap();
    let old = said.iter().find(|one| one["message"].as_str().unwrap().contains("clitimeout")).unwrap();
    assert_eq!(old["place"]["line"], 7);
    assert_eq!(old["fix"]["text"], "timeout client 60000");
    let (code, value) = read(&["check", "--offline", "--format", "sarif", "bad.cfg", "old.cfg"]);
    assert_eq!(code, Some(1));
    let results = value["runs"][0]["results"].as_array().unwrap();
    let bad = results.iter().find(|one| one["level"] == "error").unwrap();
    assert_eq!(bad["ruleId"], "unknown-keyword");
    assert_eq!(bad["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "bad.cfg");
    assert_eq!(bad["locations"][0]["physicalLocation"]["region"]["startLine"], 2);
    assert_eq!(bad["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"], "bind");
}

#[test]
fn a_pair_that_cannot_fail_over_is_told() {
    let desk = Desk::new();
    desk.file("haproxy.cfg", "defaults\n    timeout client 1s\n    timeout server 1s\n    timeout connect 1s\nfrontend f\n    bind 127.0.0.1:80\n");
    desk.file("master.conf", &keepalived(100, 2));
    desk.file("backup.conf", &keepalived(90, 2));
    let answer = desk.run("tandem", &["check", "--offline", "haproxy.cfg", "master.conf", "backup.conf"]);
    assert_eq!(answer.status.code(), Some(0), "advice changes no verdict: {}", err(&answer));
    let said = err(&answer);
    assert!(
        said.contains(
            "(master.conf: Line 5) (VI_1) if the script chk fails here, the priority falls from 102 to 100"
        ),
        "{said}"
    );
    assert!(said.contains("11 or more on both nodes"), "{said}");
    assert!(said.contains("no frontend binds 192.0.2.1"), "{said}");
    desk.file("master.conf", &keepalived(100, 20));
    desk.file("backup.conf", &keepalived(90, 20));
    desk.file("haproxy.cfg", "defaults\n    timeout client 1s\n    timeout server 1s\n    timeout connect 1s\nfrontend f\n    bind :80\n");
    let answer = desk.run("tandem", &["check", "--offline", "haproxy.cfg", "master.conf", "backup.conf"]);
    assert!(
        out(&answer).lines().all(|line| line.ends_with(" 0 warnings, 0 notes)")),
        "{}{}",
        out(&answer),
        err(&answer)
    );
}

#[test]
fn the_message_that_decides_is_marked() {
    let desk = Desk::new();
    let text = "vrrp_instance VI_1 {\n    interface eth0\n    state MASTR\n    virtual_router_id 300\n}\n";
    desk.file("keepalived.conf", text);
    let answer = desk.run("tandem", &["check", "--offline", "keepalived.conf"]);
    assert_eq!(answer.status.code(), Some(1));
    let said = err(&answer);
    let (before, after) =
        said.split_once("the virtual router id must be set").unwrap_or_else(|| panic!("{said}"));
    assert!(!before.contains("does not start"), "{said}");
    let own = after.split("unknown state").next().unwrap();
    assert!(own.contains("= help: VRRP does not start with this"), "{said}");
    assert!(out(&answer).contains("invalid (1 error, "), "{}", out(&answer));
}

#[test]
fn a_definition_of_itself_ends_with_an_error() {
    let desk = Desk::new();
    desk.file("loop.conf", "$A=$B\n$B=$A x\nvrrp_instance VI_1 {\n    interface $A\n}\n");
    let mut child = Command::new(desk.path("tandem"))
        .args(["check", "--offline"])
        .arg(desk.path("loop.conf"))
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut status = None;
    crate::lab::eventually("its end", std::time::Duration::from_secs(20), || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().code(), Some(1));
}
