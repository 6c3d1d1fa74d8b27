//! Thousands of connections, valid, odd and hostile, to our proxy and to a real HAProxy with the same file: each whole,
//! byte by byte, and in two pieces. What the client gets, what reaches the server, what the log says and what is counted must be the
//! same, or stand in `differences.tsv` with the reason.

mod crossed;
mod requests;
pub(super) mod responses;

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use regex::Regex;
use socket2::{Domain, Protocol, Socket, Type};

use super::origin::{self, Received};
use super::watch::{Earlier, Seen, read_all, settle, steady};
use crate::lab::{
    Config, Host, Lab, Part, Process, Program, beside_this, eventually, proxy, show_stat, wait_for,
};

use requests::Case;

const CONFIG: &str = "\
global
    log stdout format raw local0
    stats socket SOCKET level admin
    maxconn 400

defaults
    mode http
    log global
    option httplog
    http-reuse never
    retries 1
    timeout connect 2s
    timeout client 1200ms
    timeout server 900ms
    timeout http-request 2s
    timeout http-keep-alive 300ms

frontend plain
    bind 127.0.0.1:8001
    default_backend origin

frontend relaxed
    bind 127.0.0.1:8002
    UNSAFE-REQUEST
    default_backend lax

frontend close
    bind 127.0.0.1:8003
    option httpclose
    default_backend closing

frontend buffered
    bind 127.0.0.1:8004
    option http-buffer-request
    default_backend origin

frontend ending
    bind 127.0.0.1:8005
    option http-server-close
    default_backend origin

frontend rules
    bind 127.0.0.1:8006
    http-request deny if { req.body -m sub evil }
    http-request set-header x-host %[req.hdr(host)]
    http-request set-header x-url %[url]
    http-request set-header x-path %[path]
    http-request set-header x-base %[base]
    http-request set-header x-len %[req.body_len],%[req.body_size],%[req.hdr_cnt(host)],%[req.hdr(content-length)]
    http-request set-header x-values %[req.fhdr(x-a)],%[req.hdr(x-a,-1)]
    default_backend origin

backend origin
    server one 127.0.0.1:9000

backend closing
    option httpclose
    server one 127.0.0.1:9000

backend lax
    UNSAFE-RESPONSE
    server one 127.0.0.1:9000
";

/// Connections one after the other, before what came of them is compared.
const MOST: usize = 9000;
/// Connections at once.
const HANDS: usize = 32;
/// Longer than all timeouts of [`CONFIG`] one after the other.
const PATIENCE: Duration = Duration::from_secs(8);
/// Time between the head of a dribbled request and what is behind it.
const HEAD_START: Duration = Duration::from_millis(30);
/// One of so many cases is tried unless all are asked for.
const SAMPLE: u64 = 6;
/// The same of those that are crossed.
const SAMPLE_CROSSED: u64 = 40;
/// A difference must show so often, the later times on a quieter proxy, before it is one and no accident of timing.
const TIMES: usize = 3;

/// How the bytes go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum How {
    Whole,
    Dribbled,
    /// In two pieces, the first of so many bytes; where there are fewer, counted from the first again.
    Cut(usize),
}

impl How {
    fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Dribbled => "dribbled",
            Self::Cut(_) => "cut",
        }
    }
}

/// A proxy with its server, on a host of its own.
struct Bench {
    host: Host,
    proxy: Process,
    received: Received,
    socket: String,
}

impl Bench {
    fn start(lab: &Lab, name: &str, program: &Program, version: &str) -> Self {
        let host = lab.host(name);
        let received = origin::start(&host);
        let socket = host.dir().join("stats.sock").to_string_lossy().into_owned();
        // The options got new names with 3.0.
        let (request, response) = if version.starts_with('2') {
            ("option accept-invalid-http-request", "option accept-invalid-http-response")
        } else {
            (
                "option accept-unsafe-violations-in-http-request",
                "option accept-unsafe-violations-in-http-response",
            )
        };
        let text = CONFIG.replace("SOCKET", &socket);
        let text = text.replace("UNSAFE-REQUEST", request).replace("UNSAFE-RESPONSE", response);
        let proxy = host.haproxy(program, &Config::written(&host, "haproxy.cfg", &text));
        eventually("the proxy to listen", Duration::from_secs(10), || host.reaches("127.0.0.1:8006"));
        Self { host, proxy, received, socket }
    }

    /// Sends every case and sees what follows. `round` is not told twice.
    fn run(&self, cases: &[(&Case, How)], round: usize, hands: usize) -> Vec<Seen> {
        let number = |at: usize| round * 10_000 + at;
        let next = AtomicUsize::new(0);
        let answers = Mutex::new(HashMap::new());
        self.host.run(|| {
            std::thread::scope(|scope| {
                for _ in 0..hands {
                    scope.spawn(|| {
                        while let Some((at, (case, how))) = {
                            let at = next.fetch_add(1, Ordering::Relaxed);
                            cases.get(at).map(|case| (at, case))
                        } {
                            let answer = send(case, *how, number(at));
                            answers.lock().unwrap().insert(at, answer);
                        }
                    });
                }
            });
        });
        let mut log = self.settled_log();
        let received = self.received.lock().unwrap();
        let mut answers = answers.into_inner().unwrap();
        let seen = |at: usize| {
            let (answer, closed) = answers.remove(&at).unwrap();
            let nameless = |text: &str| text.replace(&format!("/{}/", number(at)), "/@/");
            let lines = log.remove(&source(number(at)).to_string()).unwrap_or_default();
            // Clients have their own addresses, and so do their requests.
            let from = source(number(at)).to_string();
            Seen {
                answer: nameless(&steady(&answer)),
                closed,
                request: received.get(&number(at)).map(|text| nameless(text)).unwrap_or_default(),
                log: lines.iter().map(|line| nameless(&settle(line)).replace(&from, "client")).collect(),
            }
        };
        (0..cases.len()).map(seen).collect()
    }

    /// The log by client, when nothing more comes.
    fn settled_log(&self) -> HashMap<String, Vec<String>> {
        let start = Instant::now();
        let mut lines = self.proxy.log();
        loop {
            std::thread::sleep(Duration::from_millis(400));
            let now = self.proxy.log();
            if now.len() == lines.len() || start.elapsed() > PATIENCE {
                break;
            }
            lines = now;
        }
        let mut by_client: HashMap<String, Vec<String>> = HashMap::new();
        for line in lines {
            if let Some((client, _)) = line.split_once(':') {
                by_client.entry(client.to_owned()).or_default().push(line);
            }
        }
        by_client
    }

    /// What frontends count of sessions, requests and responses, by `proxy column`; once the last session is over, which may
    /// outlive its client by a timeout.
    fn counters(&self) -> BTreeMap<String, u64> {
        wait_for("the sessions to end", Duration::from_secs(20), || {
            let stats = show_stat(&self.host, &self.socket);
            let nobody = stats.frontends().all(|name| stats.number(name, "FRONTEND", "scur") == 0);
            let cells = stats.frontends().flat_map(|name| COUNTED.iter().map(move |column| (name, *column)));
            nobody.then(|| {
                cells
                    .map(|(name, column)| {
                        (format!("{name} {column}"), stats.number(name, "FRONTEND", column))
                    })
                    .collect()
            })
        })
    }
}

/// Columns of `show stat` that count what happened. Bytes are not among them: HAProxy counts its internal form.
const COUNTED: &[&str] = &[
    "stot",
    "dreq",
    "dresp",
    "ereq",
    "econ",
    "eresp",
    "wretr",
    "wredis",
    "hrsp_1xx",
    "hrsp_2xx",
    "hrsp_3xx",
    "hrsp_4xx",
    "hrsp_5xx",
    "hrsp_other",
    "req_tot",
    "cli_abrt",
    "srv_abrt",
    "lbtot",
    "dcon",
    "dses",
    "connect",
];

/// The client address of a connection.
fn source(number: usize) -> Ipv4Addr {
    let part = |n: usize| u8::try_from(n % 250).unwrap();
    Ipv4Addr::new(127, 10 + part(number / 62_500), 1 + part(number / 250), 1 + part(number))
}

/// Sends the bytes and reads until the proxy is done with the connection.
fn send(case: &Case, how: How, number: usize) -> (String, bool) {
    let bytes = case.bytes(number);
    let connect = || -> std::io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.bind(&SocketAddr::from((source(number), 0)).into())?;
        socket.connect_timeout(&SocketAddr::from(([127, 0, 0, 1], case.port)).into(), PATIENCE)?;
        socket.set_tcp_nodelay(true)?;
        Ok(socket.into())
    };
    let mut stream = connect().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Very long messages in as many pieces as short ones.
    let step = match how {
        How::Whole => bytes.len(),
        How::Dribbled => bytes.len().div_ceil(1000),
        How::Cut(at) => return send_cut(stream, &bytes, at),
    };
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    for (at, piece) in bytes.chunks(step).enumerate() {
        // The proxy may answer and close before it has read everything.
        if stream.write_all(piece).is_err() {
            break;
        }
        // What follows the head is to find a request that is under way already.
        if how == How::Dribbled && (at * step..(at + 1) * step).contains(&(head - 1)) {
            std::thread::sleep(HEAD_START);
        }
    }
    read_all(&mut stream)
}

/// The same in two pieces.
fn send_cut(mut stream: TcpStream, bytes: &[u8], at: usize) -> (String, bool) {
    let (first, second) = bytes.split_at(1 + at % bytes.len().max(2).saturating_sub(1));
    // The proxy may answer and close before it has read everything.
    if stream.write_all(first).is_ok() {
        std::thread::sleep(HEAD_START);
        let _ = stream.write_all(second);
    }
    read_all(&mut stream)
}

/// Where messages are cut: so many places of each, spread over it. All: more than it has bytes.
fn cuts<'c>(cases: &[&'c Case], places: usize) -> Vec<(&'c Case, How)> {
    let of = |case: &'c Case| {
        let (len, mut hasher) = (case.bytes(0).len().saturating_sub(1).max(1), DefaultHasher::new());
        case.name.hash(&mut hasher);
        let first = usize::try_from(hasher.finish() % len as u64).unwrap();
        let count = places.min(len);
        (0..count).map(move |nth| (case, How::Cut(first + nth * len / count)))
    };
    cases.iter().flat_map(|case| of(case)).collect()
}

/// One line of the list of differences.
#[derive(Debug)]
struct Known {
    how: Option<How>,
    pattern: Regex,
    line: usize,
}

/// The differences from this version of HAProxy that have a reason.
fn known(version: &str) -> Vec<Known> {
    let lines = include_str!("differences.tsv").lines().enumerate();
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|(at, line)| {
            let mut columns = line.split('\t');
            let mut column = || columns.next().unwrap_or_else(|| panic!("line {}: too short", at + 1));
            let (of, how, pattern, reason) = (column(), column(), column(), column());
            assert!(!reason.trim().is_empty(), "line {}: no reason", at + 1);
            let how = [How::Whole, How::Dribbled].into_iter().find(|known| known.name() == how);
            // `*` stands for anything.
            let pattern = Regex::new(&format!("^{}$", regex::escape(pattern).replace(r"\*", ".*"))).unwrap();
            (of == version || of == "*").then_some(Known { how, pattern, line: at + 1 })
        })
        .collect()
}

/// `2.6` of `HAProxy version 2.6.12-1+deb12u3 2025/10/03 - ...`.
pub(super) fn version(program: &Program) -> String {
    let output = program.command().arg("-v").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words = text.split_whitespace().nth(2).unwrap_or_default();
    words.split(['.', '-']).take(2).collect::<Vec<_>>().join(".")
}

/// The pages of errors got other headers with 3.0; what matters is which it is.
fn same_pages(seen: &mut Seen) {
    static PAGE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?is)HTTP/1\.[01] ([45]\d\d)[^\r]*\r\n.*?</html>\r?\n?").unwrap());
    seen.answer = PAGE.replace_all(&seen.answer, "[error $1]").into_owned();
}

/// Cases on both proxies at once.
struct Pair {
    ours: Bench,
    theirs: Bench,
    pages_differ: bool,
    round: usize,
    earlier: Earlier<(String, How), Seen>,
}

impl Pair {
    /// How ours differs, by case. Where the pieces of an answer meet decides some of them.
    fn compare<'c>(&mut self, cases: &[(&'c Case, How)], hands: usize) -> Vec<(&'c Case, How, String)> {
        self.round += 1;
        let (ours, theirs, round) = (&self.ours, &self.theirs, self.round);
        let (mut ours, mut theirs) = std::thread::scope(|scope| {
            let ours = scope.spawn(|| ours.run(cases, round, hands));
            let theirs = theirs.run(cases, round, hands);
            (ours.join().unwrap(), theirs)
        });
        if self.pages_differ {
            ours.iter_mut().chain(&mut theirs).for_each(same_pages);
        }
        let pairs = cases.iter().zip(ours.into_iter().zip(theirs));
        pairs
            .filter_map(|((case, how), (ours, theirs))| {
                let name = format!("{} ({how:?})", case.name);
                let text = ours.differs(&theirs, &name)?;
                let alike = |ours: &Seen, theirs: &Seen| ours.differs(theirs, &name).is_none();
                let agrees = self.earlier.agrees((case.name.clone(), *how), ours, theirs, alike);
                (!agrees).then_some((*case, *how, text))
            })
            .collect()
    }
}

#[test]
fn every_form_is_taken_as_haproxy_takes_it() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let reference = Program::reference_haproxy();
    let version = version(&reference);
    let known = known(&version);
    let wanted = std::env::var("TANDEM_WIRE").unwrap_or_default();
    let all = requests::cases();
    let in_sample = |case: &&Case| match wanted.as_str() {
        "" => {
            let mut hasher = DefaultHasher::new();
            case.name.hash(&mut hasher);
            let one_of = if case.name.contains(requests::CROSSED) { SAMPLE_CROSSED } else { SAMPLE };
            hasher.finish().is_multiple_of(one_of)
        }
        "all" => true,
        part => case.name.contains(part),
    };
    let cases: Vec<&Case> = all.iter().filter(in_sample).collect();
    let start = |name: &str, program: &Program| Bench::start(&lab, name, program, &version);
    let (ours, theirs) = beside_this(&proxy(), &reference, start);
    let pages_differ = !version.starts_with('2');
    let mut pair = Pair { ours, theirs, pages_differ, round: 0, earlier: Earlier::new() };
    let mut different = Vec::new();
    let places = std::env::var("TANDEM_WIRE_CUTS").ok().map_or(1, |places| places.parse().unwrap());
    let sent = [How::Whole, How::Dribbled].map(|how| cases.iter().map(|case| (*case, how)).collect());
    let sent: Vec<(&Case, How)> =
        sent.into_iter().chain([cuts(&cases, places)]).flat_map(|sent: Vec<_>| sent).collect();
    // Each of them has an address of its own.
    for sent in sent.chunks(MOST) {
        let mut found = pair.compare(sent, HANDS);
        for _ in 1..TIMES {
            let again: Vec<(&Case, How)> = found.iter().map(|(case, how, _)| (*case, *how)).collect();
            found = pair.compare(&again, HANDS / 4);
        }
        different.extend(found);
    }
    let explains = |known: &Known, case: &Case, how: How| {
        let is_so = |one| one == how || matches!(how, How::Cut(_));
        known.how.is_none_or(is_so) && known.pattern.is_match(&case.name)
    };
    let (expected, mut unknown): (Vec<_>, Vec<_>) = different
        .into_iter()
        .partition(|(case, how, _)| known.iter().any(|known| explains(known, case, *how)));
    // A machine that is busy with other tests is late by whole timeouts: what is left is asked again, one by one.
    for _ in 1..TIMES {
        let again: Vec<(&Case, How)> = unknown.iter().map(|(case, how, _)| (*case, *how)).collect();
        unknown = pair.compare(&again, again.len().div_ceil(HANDS).min(HANDS));
    }
    println!(
        "{} connections beside {version}: {} differ for a known reason, {} for none",
        sent.len(),
        expected.len(),
        unknown.len()
    );
    let text: Vec<&str> = unknown.iter().map(|(_, _, text)| text.as_str()).collect();
    assert!(text.is_empty(), "{} of {} differ\n{}", text.len(), sent.len(), text.join("\n"));
    if wanted == "all" {
        let idle =
            known.iter().filter(|known| !expected.iter().any(|(case, how, _)| explains(known, case, *how)));
        let idle: Vec<usize> = idle.map(|known| known.line).collect();
        // Some are about accidents of timing, which do not happen each time.
        println!("lines of differences.tsv that explain nothing: {idle:?}");
    }
    let alike: Vec<(&Case, How)> = cases
        .iter()
        .filter(|case| !known.iter().any(|known| explains(known, case, How::Whole)))
        .map(|case| (*case, How::Whole))
        .collect();
    same_counters(&mut pair, &alike);
}

/// Whatever is answered alike is counted alike. A machine that is busy with other tests makes some answer late, each time
/// another one: what is counted otherwise is so every time. What was seen to go either way is not counted.
fn same_counters(pair: &mut Pair, cases: &[(&Case, How)]) {
    let mut wrong: Option<Vec<String>> = None;
    let mut last = Vec::new();
    for _ in 0..TIMES {
        let decided = |case: &Case| !pair.earlier.cases().any(|(name, _)| *name == case.name);
        let cases: Vec<(&Case, How)> = cases.iter().filter(|(case, _)| decided(case)).copied().collect();
        let before = (pair.ours.counters(), pair.theirs.counters());
        pair.compare(&cases, HANDS / 4);
        let after = (pair.ours.counters(), pair.theirs.counters());
        let differ = |name: &&String| {
            wrong.as_ref().is_none_or(|wrong| wrong.contains(name))
                && after
                    .0
                    .get(*name)
                    .is_some_and(|ours| ours - before.0[*name] != after.1[*name] - before.1[*name])
        };
        let names: Vec<String> = after.1.keys().filter(differ).cloned().collect();
        last = names
            .iter()
            .map(|name| {
                let (ours, theirs) = (after.0[name] - before.0[name], after.1[name] - before.1[name]);
                format!("{name}: {ours} instead of {theirs}")
            })
            .collect();
        if names.is_empty() {
            return;
        }
        wrong = Some(names);
    }
    panic!("after {} connections\n{}", cases.len(), last.join("\n"));
}
