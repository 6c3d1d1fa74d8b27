//! Clients of TCP proxies whose first words, or whose end, are there before they are accepted: what rules see, where the
//! session goes and how it ends, beside HAProxy. Both programs stand still while the clients come.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;
use socket2::SockRef;

use crate::lab::{Config, Lab, Part, Program, beside, eventually, proxy, show_stat};

use super::PATIENCE;

/// Lines of frontends.
const RULES: &[&str] = &[
    "",
    "tcp-request content reject if { req.len gt 0 }",
    "tcp-request content accept if { req.len gt 0 } | tcp-request content reject",
    "tcp-request inspect-delay 1s | tcp-request content accept if { req.len gt 100 } | tcp-request content reject",
    "tcp-request inspect-delay 1s | tcp-request content reject if { req.len gt 100 }",
    "tcp-request content capture req.payload(0,4) len 9",
    "use_backend other if { req.payload(0,1) -m str h }",
    "use_backend other if { path /x }",
    "tcp-request inspect-delay 1s | tcp-request content accept if { req.len gt 0 } | use_backend other if { req.len 6 }",
];

const WORDS: &[&str] = &["", "hello\n", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"];

/// What the client does then.
const ENDS: &[&str] = &["waits", "shuts", "resets"];

/// A frontend each, because the log names it.
fn cases() -> Vec<(usize, &'static str, &'static str, &'static str)> {
    let all = RULES.iter().flat_map(|rules| {
        WORDS.iter().flat_map(move |words| ENDS.iter().map(move |end| (*rules, *words, *end)))
    });
    all.enumerate().map(|(number, (rules, words, end))| (number, rules, words, end)).collect()
}

fn config() -> String {
    let mut out = "global\n    log stdout format raw local0\n    nbthread 1\n    stats socket /run/stats.sock level admin\n\
                   defaults\n    mode tcp\n    log global\n    timeout client 2s\n    timeout server 4s\n    \
                   timeout connect 4s\n    log-format \"%f %b/%s %ts %[capture.req.hdr(0)]\"\n\
                   backend plain\n    server s 127.0.0.1:9000\nbackend other\n    server s 127.0.0.1:9000\n"
        .to_owned();
    for (number, rules, ..) in cases() {
        let rules = rules.replace(" | ", "\n    ");
        out += &format!("frontend f{number}\n    bind 127.0.0.1:{}\n    {rules}\n", 12000 + number);
        out += "    default_backend plain\n";
    }
    out
}

/// The line of each case, and the end that the client saw.
fn observe(lab: &Lab, name: &str, program: &Program) -> (BTreeMap<usize, (String, String)>, String) {
    let host = lab.host(name);
    let listener = host.run(|| TcpListener::bind("127.0.0.1:9000").unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
            });
        }
    });
    let proxy = host.haproxy_bound(program, &Config::written(&host, "eager.cfg", &config()));
    host.wait_told("/run/stats.sock");
    proxy.signal(Signal::SIGSTOP);
    let clients: Vec<(usize, Option<TcpStream>)> = host.run(|| {
        let begin = |(number, _, words, end): (usize, _, &str, &str)| {
            let mut stream = TcpStream::connect(("127.0.0.1", 12000 + number as u16)).unwrap();
            stream.write_all(words.as_bytes()).unwrap();
            match end {
                "resets" => {
                    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                    return (number, None);
                }
                "shuts" => stream.shutdown(Shutdown::Write).unwrap(),
                _ => {}
            }
            (number, Some(stream))
        };
        cases().into_iter().map(begin).collect()
    });
    proxy.signal(Signal::SIGCONT);
    let mut ends: BTreeMap<usize, String> = BTreeMap::new();
    for (number, stream) in clients {
        let Some(mut stream) = stream else { continue };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        ends.insert(number, format!("{:?}", stream.read(&mut [0; 16]).map_err(|error| error.kind())));
    }
    let all = cases().len();
    let lines = || {
        let log = proxy.log();
        let of = |line: &String| {
            let number: usize = line.strip_prefix('f')?.split(' ').next()?.parse().ok()?;
            Some((number, line.clone()))
        };
        log.iter().filter_map(of).collect::<BTreeMap<_, _>>()
    };
    // On a busy machine HAProxy drops a line rather than wait for whoever reads its output.
    let is_over = || {
        let stats = show_stat(&host, "/run/stats.sock");
        let of = |number: usize, column: &str| stats.number(&format!("f{number}"), "FRONTEND", column);
        cases().iter().all(|(number, ..)| of(*number, "stot") == 1 && of(*number, "scur") == 0)
    };
    eventually("a line of each session", PATIENCE, || {
        lines().len() == all || !program.is_ours() && is_over()
    });
    let stats = show_stat(&host, "/run/stats.sock");
    let cell = |proxy: &str, of: &str, column: &str| stats.cell(proxy, of, column).to_owned();
    let mut counted = String::new();
    for (number, ..) in cases() {
        let name = format!("f{number}");
        counted +=
            &format!("{name} {:?}\n", ["stot", "dreq", "ereq"].map(|column| cell(&name, "FRONTEND", column)));
    }
    for name in ["plain", "other"] {
        let columns = ["stot", "cli_abrt", "lbtot", "connect", "econ"];
        counted += &format!("{name} {:?}\n", columns.map(|column| cell(name, "BACKEND", column)));
    }
    let lines = lines().into_iter();
    (
        lines.map(|(number, line)| (number, (line, ends.remove(&number).unwrap_or_default()))).collect(),
        counted,
    )
}

#[test]
fn what_comes_with_a_connection_is_there_for_the_first_rule() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| observe(&lab, name, program));
    for (number, rules, words, end) in cases() {
        let (ours, mut theirs) = (&ours.0[&number], theirs.0[&number].clone());
        if theirs.0.is_empty() {
            theirs.0.clone_from(&ours.0);
        }
        assert_eq!(*ours, theirs, "'{rules}', {words:?}, client {end}");
    }
    assert_eq!(ours.1, theirs.1, "what is counted");
    let went = |to: &str| ours.0.values().filter(|(line, _)| line.contains(to)).count();
    assert!(went(" other/s ") > 4 && went(" plain/<NOSRV> CR") > 2 && went(" PR ") > 8, "{:?}", ours.0);
}
