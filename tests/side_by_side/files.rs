//! `maxconn`, `ulimit-n` and `fd-hard-limit` against what the process may open at its start: how many connections and files
//! there are in the end, beside HAProxy.

use std::process::Command;
use std::time::Duration;

use crate::lab::{Config, Lab, Part, Program, beside, eventually, proxy};

const SOCKET: &str = "/run/files.sock";

/// Lines of `global`, and the soft and the hard limit of open files at the start.
const CASES: &[(&str, (u64, u64))] = &[
    ("", (2000, 2000)),
    ("", (300, 600)),
    ("ulimit-n 500", (2000, 2000)),
    ("ulimit-n 1500", (300, 1000)),
    ("fd-hard-limit 500", (2000, 2000)),
    ("fd-hard-limit 400", (300, 600)),
    ("fd-hard-limit 1000", (300, 600)),
    ("fd-hard-limit 0", (600, 600)),
    ("fd-hard-limit 800|ulimit-n 700", (900, 2000)),
    ("maxconn 100", (2000, 2000)),
    ("maxconn 100", (300, 600)),
    ("maxconn 100|ulimit-n 500", (300, 600)),
    ("maxconn 100|ulimit-n 10", (2000, 2000)),
    ("maxconn 100|fd-hard-limit 1500", (300, 2000)),
    ("maxconn 1000|fd-hard-limit 500", (2000, 2000)),
    ("ulimit-n 2000|fd-hard-limit 500", (600, 2000)),
];

/// What came of a case.
#[derive(Debug)]
struct Came {
    maxconn: i64,
    /// Soft limit of the running process.
    files: i64,
    /// What was said of limits.
    said: bool,
}

/// Starts every case; nothing where the program ended at once.
fn observe(lab: &Lab, name: &str, program: &Program) -> Vec<Option<Came>> {
    let host = lab.host(name);
    let each = CASES.iter().map(|(lines, (soft, hard))| {
        let lines = lines.replace('|', "\n    ");
        let text = format!(
            "global\n    stats socket {SOCKET} level admin\n    nbthread 1\n    {lines}\ndefaults\n    mode http\n    timeout \
             client 5s\n    timeout server 5s\n    timeout connect 5s\nlisten a\n    bind 127.0.0.1:8001\n    server s \
             127.0.0.1:9000\n"
        );
        let config = Config::written(&host, "files.cfg", &text);
        let binary = program.command().get_program().to_string_lossy().into_owned();
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={soft}:{hard}")).args([&binary, "-f"]).arg(config.path());
        let mut process = host.spawn(command);
        let (mut told, pid) = (String::new(), process.pid());
        eventually("the program to serve or to end", Duration::from_secs(20), || {
            let asked = host.try_sh(&format!("echo 'show info' | socat stdio {SOCKET}"));
            told = String::from_utf8_lossy(&asked.stdout).into_owned();
            told.contains("Pid:") || !process.running()
        });
        let fact = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
        let came = fact("Maxconn: ").map(|maxconn| {
            let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
            let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
            let files = line.split_whitespace().nth(3).unwrap().parse().unwrap();
            Came { maxconn, files, said: process.count("Cannot raise FD limit") > 0 }
        });
        process.kill();
        host.sh(&format!("rm -f {SOCKET}"));
        came
    });
    each.collect()
}

#[test]
fn as_many_files_and_connections_as_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| observe(&lab, name, program));
    for ((case, ours), theirs) in CASES.iter().zip(ours).zip(theirs) {
        let ours = ours.unwrap_or_else(|| panic!("{case:?} is not served"));
        // We keep some more files for other things than connections.
        let near = |ours: i64, theirs: i64| (ours - theirs).abs() <= 64;
        match &theirs {
            Some(theirs) => {
                assert!(near(ours.maxconn, theirs.maxconn), "{case:?}: {ours:?} beside {theirs:?}");
                assert!(near(ours.files, theirs.files), "{case:?}: {ours:?} beside {theirs:?}");
                assert!(!ours.said, "{case:?}");
            }
            // Where HAProxy refuses to start, we take what fits and say so.
            None => assert!(ours.said, "{case:?}: {ours:?}"),
        }
    }
}
