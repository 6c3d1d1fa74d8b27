//! Log lines byte for byte: every transport, format, alias and flag (`lines.txt`), beside HAProxy.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use crate::lab::{Config, Host, Lab, Part, Program, beside_this, eventually, proxy};

use super::watch::read_all;
use super::{PATIENCE, origin};

const TABLE: &str = include_str!("lines.txt");
const LATER: &str = "# What 2.6 does not know.";

const BEGIN: &str = "\
global
    log-send-hostname labhost
    nbthread 1
    setenv LAB_SAID said
    presetenv LAB_SAID other
    setenv LAB_GONE x
    unsetenv LAB_GONE

defaults
    mode http
    timeout client 2s
    timeout server 2s
    timeout connect 2s
    timeout http-keep-alive 100ms
    retries 0

backend o
    server one 127.0.0.1:9000

backend gone
    server one 127.0.0.1:9

frontend last
    bind 127.0.0.1:11999
    log 127.0.0.1:13999 format raw local0
    log-format \"%HU\"
    http-request return status 200
";

/// Only where the program knows them: the lines of frontends without one depend on whether there are any.
const PROFILES: &str = r#"
log-profile p1
    log-tag ptag
    on close format "close %ci %ST %OG"
    on error format "err %ci %OG"
    on any format "any %OG %ci"

log-profile p2
    on request drop
    on close sd "[s@1 x=\"%ci\"]"
    on http-req format "hr %[src] %OG"

log-profile p3
    on any drop
"#;

const REQUESTS: [&[u8]; 3] = [
    b"GET /1/p%20b?x=1&y=\"2\" HTTP/1.1\r\nHost: lab\r\nX-A: abc\\]d\"e\r\nX-Q: a\"b\\c]d\x01\xe9\r\n\
      Cookie: A=1; B=2\r\nConnection: close\r\n\r\n",
    b"GET / HT\r\n\r\n",
    b"HEAD /1/h HTTP/1.0\r\n\r\n",
];

fn table(later: bool) -> Vec<&'static str> {
    let (known, new) = TABLE.split_once(LATER).unwrap();
    let part = if later { new } else { known };
    part.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// A line without what differs from run to run: times, numbers of processes and ports, durations. What a line made of
/// chosen values says is left as it is.
fn settled(line: &str, chosen: bool) -> String {
    static TIMES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\w{3} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[\d:.]+(?:[+-]\d\d:\d\d|Z)").unwrap()
    });
    static PROCESS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(haproxy|tag-\w+|ptag)(\[| )\d+(\]:| )").unwrap());
    static DATE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[\d\d/\w{3}/\d{4}[^\]]*\]").unwrap());
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d+").unwrap());
    let line = TIMES.replace(line, "T");
    let line = PROCESS.replace(&line, "$1$2PID$3");
    if chosen {
        return line.into_owned();
    }
    // A phase that was not reached is -1: that must agree, the numbers need not. So must the priority.
    let line = DATE.replace(&line, "[D]");
    let (priority, rest) = line.split_once('>').filter(|(p, _)| p.starts_with('<')).unwrap_or(("", &line));
    // What a rule writes before the end has a whole time that may be negative.
    format!(
        "{priority}>{}",
        NUMBER.replace_all(rest, "n").replace("/-n n n ", "/n n n ").replace("/-n -n n ", "/n -n n ")
    )
}

fn send(host: &Host, port: usize, bytes: &[u8]) {
    let mut stream = host.run(|| TcpStream::connect(format!("127.0.0.1:{port}")).unwrap());
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(bytes);
    read_all(&mut stream);
}

/// The lines of each entry.
fn observe(lab: &Lab, name: &str, program: &Program, entries: &[&str], later: bool) -> Vec<Vec<String>> {
    let host = lab.host(name);
    let _received = origin::start(&host);
    let sink = |port: usize| {
        let socket = host.run(|| UdpSocket::bind(format!("127.0.0.1:{port}")).unwrap());
        socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        socket
    };
    let sinks: Vec<UdpSocket> = (0..entries.len()).map(|at| sink(14000 + at)).collect();
    let mut text = format!("{BEGIN}{}", if later { PROFILES } else { "" });
    for (at, entry) in entries.iter().enumerate() {
        text += &format!("\nfrontend f{at}\n    bind 127.0.0.1:{}\n", 12000 + at);
        for line in entry.split(" | ") {
            text += &format!("    {}\n", line.replace("SINK", &format!("127.0.0.1:{}", 14000 + at)));
        }
        if !entry.contains("use_backend") {
            text += "    default_backend o\n";
        }
    }
    let config = Config::written(&host, "haproxy.cfg", &text);
    let last = sink(13999);
    let _proxy = host.haproxy_bound(program, &config);
    for at in 0..entries.len() {
        REQUESTS.iter().for_each(|request| send(&host, 12000 + at, request));
    }
    // Behind all others there is one line more.
    let mut piece = [0; 16384];
    eventually("the last line", PATIENCE, || {
        send(&host, 11999, b"GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        last.recv(&mut piece).is_ok_and(|n| piece[..n].starts_with(b"/end"))
    });
    let lines = sinks.iter().zip(entries).map(|(sink, entry)| {
        let chosen = |line: &str| entry.contains("| log-format \"") && !line.starts_with("Connect ");
        std::iter::from_fn(|| {
            sink.recv(&mut piece).ok().map(|n| String::from_utf8_lossy(&piece[..n]).into_owned())
        })
        .map(|line| settled(&line, chosen(&line)))
        .collect()
    });
    lines.collect()
}

fn side_by_side(theirs: &Program, later: bool) {
    let Some(lab) = Lab::open(&[]) else { return };
    let entries = table(later);
    let observe = |name: &str, program: &Program| observe(&lab, name, program, &entries, later);
    let (ours, theirs) = beside_this(&proxy(), theirs, observe);
    let mut wrong = Vec::new();
    for ((entry, ours), theirs) in entries.iter().zip(&ours).zip(&theirs) {
        if ours != theirs {
            wrong.push(format!("{entry}\n  ours   {}\n  theirs {}", ours.join("  "), theirs.join("  ")));
        }
    }
    let count = theirs.iter().map(Vec::len).sum::<usize>();
    assert!(count > entries.len(), "the table is whole: {count}");
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), entries.len(), wrong.join("\n"));
}

#[test]
fn the_same_lines_as_haproxy() {
    let Some(_) = Lab::open(&[Part::Program("haproxy")]) else { return };
    side_by_side(&Program::reference("haproxy"), false);
}

#[test]
fn the_same_lines_as_later_releases() {
    if std::env::var_os("TANDEM_REFERENCE_HAPROXY").is_none() {
        eprintln!("skipped: TANDEM_REFERENCE_HAPROXY names no HAProxy");
        return;
    }
    side_by_side(&Program::reference_haproxy(), true);
}
