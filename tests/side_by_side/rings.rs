//! Lines that go to log servers over connections: every byte beside HAProxy's, before the servers die, of what was written
//! while they were away, and after.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use crate::lab::{Collector, Config, Host, Lab, Part, Process, Program, beside_this, eventually, proxy};

use super::PATIENCE;

const SOCKET: &str = "/run/rings.sock";

/// Lines of the section, words of its `server` line, words of the `log` line.
type Entry = (&'static str, &'static str, &'static str);

/// No section: the address stands in the `log` line.
const UNDECLARED: &str = "undeclared";

const ENTRIES: &[Entry] = &[
    ("", "", "local0"),
    ("format raw", "log-proto octet-count", "local0"),
    ("format local", "", "local1 info"),
    ("format local", "log-proto legacy", "local1 debug"),
    ("format rfc3164", "log-proto octet-count", "daemon"),
    ("format rfc5424", "", "user"),
    ("format rfc5424", "log-proto octet-count", "user"),
    ("format priority", "", "user"),
    ("format short", "log-proto octet-count", "user"),
    ("format timed", "", "user"),
    ("format iso", "", "user"),
    ("", "", "format rfc3164 local0"),
    ("format rfc5424", "", "format short local0"),
    ("timeout connect 2s|timeout server 4s|description words", "", "local0 emerg"),
    ("", "", "local0 debug alert"),
    ("format short", "", "local0 debug err"),
    ("", "", "sample 2,4:4 local0"),
    (UNDECLARED, "", "local0"),
    (UNDECLARED, "", "format rfc5424 local0"),
    (UNDECLARED, "", "format raw local0"),
    ("size 20005", "", "local0"),
    ("size 20039|format short", "log-proto octet-count", "local0"),
];

/// 2.6 does not cut what is longer than `maxlen`, and with it headers do not count as part of `len`.
const LATER: &[Entry] = &[
    ("maxlen 100", "", "local0"),
    ("maxlen 100|format rfc5424", "log-proto octet-count", "local0"),
    ("maxlen 200", "", "len 100 local0"),
    ("format short", "", "len 80 local0"),
    ("maxlen 2000|size 40000", "", "len 1500 local0"),
    ("", "", "len 5000 local0"),
    ("", "log-proto octet-count", "local0"),
];

/// Lines for a ring whose server is away.
const BACKLOG: usize = 600;

/// How many of them the last two rings have no room for: a line of 48 bytes takes 50, with a header of 3 bytes 53. What is
/// left is too little for the words that lines were lost, too.
const LOST: [usize; 2] = [200, 222];

struct Side {
    host: Host,
    servers: Vec<Collector>,
    _proxy: Process,
}

impl Side {
    fn start(lab: &Lab, name: &str, program: &Program, entries: &[Entry]) -> Self {
        let host = lab.host(name);
        let mut text = format!(
            "global\n    stats socket {SOCKET} level admin\n    nbthread 1\ndefaults\n    mode http\n    log-format %HU\n    \
             timeout client 10s\n    timeout server 10s\n    timeout connect 10s\n"
        );
        for (at, (section, server, log)) in entries.iter().enumerate() {
            let address = format!("127.0.0.1:{}", 14000 + at);
            let target = if *section == UNDECLARED {
                format!("tcp@{address}")
            } else {
                let lines = section.replace('|', "\n    ");
                text += &format!("ring r{at}\n    {lines}\n    server s {address} {server}\n");
                format!("ring@r{at}")
            };
            let port = 12000 + at;
            text += &format!("frontend f{at}\n    bind 127.0.0.1:{port}\n    log {target} {log}\n");
            text += "    http-request return status 200\n";
        }
        let servers = (0..entries.len()).map(|at| format!("127.0.0.1:{}", 14000 + at));
        let servers: Vec<Collector> = servers.map(|address| Collector::start(&host, &address)).collect();
        let proxy = host.haproxy(program, &Config::written(&host, "rings.cfg", &text));
        // Nobody waits for a line to connect.
        eventually("a connection to each server", Duration::from_secs(20), || {
            servers.iter().all(|server| server.connections() == 1)
        });
        Self { host, servers, _proxy: proxy }
    }

    /// Has a line written for each path.
    fn ask(&self, at: usize, paths: &[String]) {
        let mut stream = self.host.run(|| TcpStream::connect(format!("127.0.0.1:{}", 12000 + at)).unwrap());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let requests: String =
            paths.iter().map(|path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
        let last = "GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(format!("{requests}{last}").as_bytes()).unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        assert_eq!(answers.matches("HTTP/1.1 200").count(), paths.len() + 1, "{answers}");
    }

    /// All that came to a server, when `ends` is among it so often.
    fn came(&self, at: usize, ends: usize) -> String {
        eventually(&format!("the last line of ring {at}"), PATIENCE, || {
            self.servers[at].text().matches("/end").count() >= ends
        });
        settled(&self.servers[at].text())
    }

    /// How many lines each of these rings has lost.
    fn lost(&self, rings: &[usize]) -> Vec<String> {
        let text = self.host.tell(SOCKET, "show events");
        let of = |at: &usize| {
            let name = format!(" r{at} ");
            let line = text.lines().find(|line| line.contains(&name)).unwrap_or_default();
            line.split(", ").nth(1).unwrap_or_default().to_owned()
        };
        rings.iter().map(of).collect()
    }
}

/// Lines without times and process ids.
fn settled(text: &str) -> String {
    static TIMES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d").unwrap()
    });
    static PID: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"haproxy(\[| )\d+").unwrap());
    PID.replace_all(&TIMES.replace_all(text, "T"), "haproxy${1}P").into_owned()
}

/// What came to each server.
fn observe(lab: &Lab, name: &str, program: &Program, entries: &[Entry], long: usize) -> Vec<String> {
    let side = Side::start(lab, name, program, entries);
    let paths = ["/one".to_owned(), format!("/{}", "x".repeat(long)), "/a%20b%0a".to_owned()];
    (0..entries.len()).for_each(|at| side.ask(at, &paths));
    // Where nothing is so severe, nothing comes.
    let ends = |log: &str| usize::from(!log.contains("emerg"));
    entries.iter().enumerate().map(|(at, (_, _, log))| side.came(at, ends(log))).collect()
}

/// With lines of `long` bytes.
fn side_by_side(theirs: &Program, entries: &[Entry], long: usize) {
    let Some(lab) = Lab::open(&[]) else { return };
    let observe = |name: &str, program: &Program| observe(&lab, name, program, entries, long);
    let (ours, theirs) = beside_this(&proxy(), theirs, observe);
    let came = theirs.iter().filter(|text| text.contains("/one")).count();
    assert!(came + 2 >= entries.len(), "the table is whole: {came}");
    let different = entries.iter().zip(ours.iter().zip(&theirs)).filter(|(_, (ours, theirs))| ours != theirs);
    let wrong: Vec<String> = different
        .map(|(entry, (ours, theirs))| format!("{entry:?}\n  ours   {ours:?}\n  theirs {theirs:?}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), entries.len(), wrong.join("\n"));
}

#[test]
fn the_same_bytes_to_log_servers_as_haproxy() {
    let Some(_) = Lab::open(&[Part::Program("haproxy")]) else { return };
    side_by_side(&Program::reference("haproxy"), ENTRIES, 900);
}

#[test]
fn the_same_bytes_to_log_servers_as_later_releases() {
    if std::env::var_os("TANDEM_REFERENCE_HAPROXY").is_none() {
        eprintln!("skipped: TANDEM_REFERENCE_HAPROXY names no HAProxy");
        return;
    }
    // 3.5-dev5 closes the connections of rings that are not declared after every line, and takes a second for the next.
    let declared = ENTRIES.iter().filter(|(section, ..)| *section != UNDECLARED);
    let entries: Vec<Entry> = declared.chain(LATER).copied().collect();
    side_by_side(&Program::reference_haproxy(), &entries, 2500);
}

/// Lines written while the servers are away: what came in all, and how many were said to be lost before and after.
fn outage(lab: &Lab, name: &str, program: &Program) -> (Vec<String>, Vec<String>, Vec<String>) {
    let entries: Vec<Entry> =
        ENTRIES.iter().copied().filter(|(section, ..)| section.contains("size")).collect();
    let mut side = Side::start(lab, name, program, &entries);
    let rings: Vec<usize> = (0..entries.len()).collect();
    for at in &rings {
        side.ask(*at, &["/before".to_owned()]);
        side.came(*at, 1);
    }
    side.servers.iter_mut().for_each(Collector::go_away);
    // A line that is handed to the kernel after that is lost.
    eventually("the proxy to see it", PATIENCE, || {
        let open = side.host.sh("ss -Htn state established state close-wait '( dport >= 14000 )'");
        open.is_empty()
    });
    let backlog: Vec<String> = (0..BACKLOG - 1).map(|n| format!("/{n:03}{}", "x".repeat(44))).collect();
    rings.iter().for_each(|at| side.ask(*at, &backlog));
    let lost = side.lost(&rings);
    let (servers, host) = (&mut side.servers, &side.host);
    servers.iter_mut().for_each(|server| server.come_back(host));
    let last_kept = |at: usize| format!("/{:03}", BACKLOG - LOST[at] - 1);
    eventually("the lines that were kept", PATIENCE, || {
        rings.iter().all(|at| side.servers[*at].text().contains(&last_kept(*at)))
    });
    rings.iter().for_each(|at| side.ask(*at, &[]));
    let came = rings.iter().map(|at| side.came(*at, 2)).collect();
    (came, lost, side.lost(&rings))
}

#[test]
fn log_servers_that_come_back_get_what_was_kept() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let (ours, theirs) = crate::lab::beside(&proxy(), "haproxy", |name, program| outage(&lab, name, program));
    assert_eq!(theirs.1, LOST.map(|lost| format!("{lost} dropped")));
    assert!(theirs.0[0].ends_with(&format!("\n{} events dropped\n/end\n", LOST[0])), "{}", theirs.0[0]);
    assert!(ours == theirs, "ours {ours:#?}\ntheirs {theirs:#?}");
}
