//! Sending a case and seeing everything that follows from it.

use std::collections::HashMap;
use std::hash::Hash;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use regex::Regex;
use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::{Config, Host, Process, Program, eventually};

use super::PATIENCE;
use super::cases::Case;
use super::origin::{self, Received};

/// Cases under way at once.
const HANDS: usize = 8;

/// What came of one case.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Every byte the client got.
    pub(super) answer: String,
    /// Whether the proxy ended the connection.
    pub(super) closed: bool,
    /// Every byte the server got.
    pub(super) request: String,
    /// The log lines, without what differs from run to run.
    pub(super) log: Vec<String>,
}

impl Seen {
    /// The status of the first answer, if there was one.
    pub(super) fn status(&self) -> Option<u16> {
        self.answer.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse().ok())
    }

    /// How this differs from what the reference did, if it does.
    pub(super) fn differs(&self, reference: &Self, name: &str) -> Option<String> {
        let mut out = String::new();
        if self.answer != reference.answer || self.closed != reference.closed {
            out += &pair("client got", &self.answer, &reference.answer);
            if self.closed != reference.closed {
                out += &format!("  closed: {} instead of {}\n", self.closed, reference.closed);
            }
        }
        if self.request != reference.request {
            out += &pair("server got", &self.request, &reference.request);
        }
        // On a busy machine HAProxy drops a line rather than wait for whoever reads its output.
        if self.log != reference.log && !reference.log.is_empty() {
            out += &pair("log", &self.log.join("\n"), &reference.log.join("\n"));
        }
        (!out.is_empty()).then(|| format!("== {name}\n{out}"))
    }
}

/// What ours and the reference did, of cases that differed: where it is an accident who is faster, what the other did once
/// is as good as what it does now.
#[derive(Debug)]
pub(super) struct Earlier<K, T> {
    seen: HashMap<K, [Vec<T>; 2]>,
}

impl<K: Eq + Hash, T> Earlier<K, T> {
    /// Nothing has been seen.
    pub(super) fn new() -> Self {
        Self { seen: HashMap::new() }
    }

    /// The cases that ever differed.
    pub(super) fn cases(&self) -> impl Iterator<Item = &K> {
        self.seen.keys()
    }

    /// Did one of them do what the other has done, now or before? If not it is remembered.
    pub(super) fn agrees(&mut self, case: K, ours: T, theirs: T, alike: impl Fn(&T, &T) -> bool) -> bool {
        let [own, other] = self.seen.entry(case).or_default();
        own.push(ours);
        other.push(theirs);
        own.iter().any(|ours| other.iter().any(|theirs| alike(ours, theirs)))
    }
}

fn pair(what: &str, ours: &str, theirs: &str) -> String {
    if ours == theirs {
        return String::new();
    }
    let short = |text: &str| text.escape_debug().to_string().chars().take(600).collect::<String>();
    format!("  {what}\n    ours   {}\n    theirs {}\n", short(ours), short(theirs))
}

/// A proxy with its server, on a host of its own.
pub(super) struct Bench {
    proxy: Process,
    received: Received,
    host: Host,
}

impl Bench {
    pub(super) fn start(host: Host, program: &Program, config: &Config, ports: &[&str]) -> Self {
        let received = origin::start(&host);
        let proxy = host.haproxy(program, config);
        eventually("the proxy to listen", Duration::from_secs(10), || {
            ports.iter().all(|port| host.reaches(&format!("127.0.0.1:{port}")))
        });
        Self { proxy, received, host }
    }

    /// Sends every case; each has an address of its own, by which its log lines are found.
    pub(super) fn run(&self, cases: &'static [Case]) -> HashMap<&'static str, Seen> {
        let next = AtomicUsize::new(0);
        let seen = Mutex::new(HashMap::new());
        self.host.run(|| {
            std::thread::scope(|scope| {
                for _ in 0..HANDS {
                    scope.spawn(|| {
                        while let Some((at, case)) = {
                            let at = next.fetch_add(1, Ordering::Relaxed);
                            cases.get(at).map(|case| (at, case))
                        } {
                            let outcome = send(case, at);
                            seen.lock().unwrap().insert(case.name, (at, outcome));
                        }
                    });
                }
            });
        });
        // The last line is written after the client has gone; a line that never comes shows in the comparison.
        let line = |at: usize| format!("{}:", source(at));
        let start = Instant::now();
        let all_logged = || {
            let log = self.proxy.log();
            let logged = |at: usize| log.iter().any(|text| text.starts_with(&line(at)));
            cases.iter().enumerate().all(|(at, case)| !case.logged || logged(at))
        };
        while !all_logged() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
        }
        let log = self.proxy.log();
        let received = self.received.lock().unwrap();
        let complete = |(name, (at, (answer, closed))): (&'static str, (usize, (String, bool)))| {
            let lines =
                log.iter().filter(|text| text.starts_with(&line(at))).map(|text| settle(text)).collect();
            let request = received.get(&at).map(|text| steady(text)).unwrap_or_default();
            (name, Seen { answer: steady(&answer), closed, request, log: lines })
        };
        seen.into_inner().unwrap().into_iter().map(complete).collect()
    }
}

/// The client address of a case.
fn source(at: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, u8::try_from(at + 1).unwrap())
}

/// Sends the case's bytes and reads until the proxy is done with the connection.
fn send(case: &Case, at: usize) -> (String, bool) {
    let bytes = case.bytes(at);
    let connect = || -> std::io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.bind(&SocketAddr::from((source(at), 0)).into())?;
        socket.connect_timeout(&SocketAddr::from(([127, 0, 0, 1], case.port)).into(), PATIENCE)?;
        Ok(socket.into())
    };
    let mut stream = connect().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The proxy may answer and close before it has read everything.
    let _ = stream.write_all(&bytes);
    if case.half_close {
        let _ = stream.shutdown(Shutdown::Write);
    }
    read_all(&mut stream)
}

/// Everything that comes, and whether the other side ended it (rather than the patience of the socket).
pub(super) fn read_all(stream: &mut TcpStream) -> (String, bool) {
    let mut answer = Vec::new();
    let mut piece = [0; 16384];
    let closed = loop {
        match stream.read(&mut piece) {
            Ok(0) => break true,
            Ok(read) => answer.extend_from_slice(&piece[..read]),
            Err(error) => break error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    };
    (String::from_utf8_lossy(&answer).into_owned(), closed)
}

/// A message without what differs from run to run.
pub(super) fn steady(text: &str) -> String {
    static DATE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?im)^(date|expires): [^\r\n]*").unwrap());
    DATE.replace_all(text, "$1: D").into_owned()
}

/// A log line without the count of bytes (HAProxy counts its internal form of a message, not what is on the wire), port, time of day, durations and the counters of connections that other cases have open.
pub(super) fn settle(line: &str) -> String {
    static PORT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^([\d.]+):\d+ \[[^\]]+\]").unwrap());
    static TIMERS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r" ((?:-?\d+/){4}\+?-?\d+) ").unwrap());
    // Queue, connection and whole time of a TCP session, its bytes and how it ended.
    static TCP: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r" (-?\d+)/(-?\d+)/\+?(-?\d+) \d+ (\S\S) ").unwrap());
    static BYTES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r" (-1|\d{1,3}) \+?\d+ (\S+) - ").unwrap());
    static COUNTERS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r" \d+/\d+/\d+/\d+/(\+?\d+) (\d+/\d+)").unwrap());
    let line = PORT.replace(line, "$1 [T]");
    // A phase that was not reached is -1: that must agree, the milliseconds need not.
    let line = TIMERS.replace(&line, |found: &regex::Captures<'_>| {
        let phases: Vec<&str> =
            found[1].split('/').map(|phase| if phase.starts_with('-') { "-1" } else { "n" }).collect();
        format!(" {} ", phases.join("/"))
    });
    let line = TCP.replace(&line, |found: &regex::Captures<'_>| {
        let phase = |at: usize| if found[at].starts_with('-') { "-1" } else { "n" };
        format!(" {}/{}/{} n {} ", phase(1), phase(2), phase(3), &found[4])
    });
    let line = BYTES.replace(&line, " $1 n $2 - ");
    let line = COUNTERS.replace(&line, " n/n/n/n/$1 $2");
    // HAProxy cuts lines at 1024 bytes: where that is in the text depends on how long the durations were.
    line.chars().take(850).collect()
}
