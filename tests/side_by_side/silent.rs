//! `option dontlognull` in TCP mode: of a client that says nothing there is no line, whatever its server told it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use crate::lab::{Config, Lab, Part, Program, beside, proxy};

/// The last server does not listen, and is not tried twice.
const CONFIG: &str = "\
global
    log stdout format raw local0
    nbthread 1
defaults
    mode tcp
    log global
    option tcplog
    option dontlognull
    retries 0
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen mute
    bind 127.0.0.1:8501
    server s 127.0.0.1:9001
listen greets
    bind 127.0.0.1:8502
    server s 127.0.0.1:9002
listen gone
    bind 127.0.0.1:8503
    server s 127.0.0.1:9
";

/// A server that greets, or not, and waits for the end.
fn serve(port: u16, greeting: &'static str) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let _ = stream.write_all(greeting.as_bytes());
                let _ = stream.read_to_end(&mut Vec::new());
            });
        }
    });
}

/// The listeners that lines are of, each with the bytes its server sent.
fn lines(lab: &Lab, name: &str, program: &Program) -> Vec<String> {
    let host = lab.host(name);
    host.run(|| {
        serve(9001, "");
        serve(9002, "hello\n");
    });
    let config = Config::written(&host, "haproxy.cfg", CONFIG);
    let process = host.haproxy_bound(program, &config);
    let visit = |port: u16, says: &str, waits: bool| {
        host.run(|| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            // Whoever is turned away at once cannot say anything.
            let _ = stream.write_all(says.as_bytes());
            if waits {
                BufReader::new(&stream).read_line(&mut String::new()).unwrap();
            }
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        });
    };
    for says in ["", "x"] {
        visit(8501, says, false);
        visit(8502, says, true);
    }
    visit(8503, "", false);
    visit(8501, "the last one", false);
    process.wait_log_times(" mute mute/s ", 2, Duration::from_secs(20));
    let mut lines: Vec<String> = process
        .log()
        .iter()
        .filter(|line| line.contains("127.0.0.1:"))
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let at = words.iter().position(|word| word.ends_with("/s")).unwrap_or_default();
            format!("{} {} {}", words[at], words[at + 2], words[at + 3])
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn who_says_nothing_has_no_line() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| lines(&lab, name, program));
    assert_eq!(theirs, ["greets/s 6 --", "mute/s 0 --", "mute/s 0 --"]);
    assert_eq!(ours, theirs);
}
