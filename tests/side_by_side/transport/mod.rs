//! What connections begin with before their own protocol, read from clients and sent to servers, beside a real HAProxy:
//! the bytes, the ends of connections, the lines of the log and the counters.

mod heads;
mod sent;
mod sources;

use std::collections::HashMap;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use regex::Regex;
use socket2::{Domain, Protocol, Socket, Type};

use super::PATIENCE;
use super::watch::{Earlier, settle};
use super::wire::version;
use crate::lab::{Config, Host, Lab, Part, Process, Program, Stats, beside_this, proxy};
use heads::{Case, FEW, Then};

/// The number that NetScaler headers begin with here.
const MAGIC: u32 = 0x4e53_0001;

const CONFIG: &str = "\
global
    log stdout format raw local0
    nbthread 1
    stats socket /run/stats.sock level admin

defaults all
    mode http
    log global
    option httplog
    timeout client 700ms
    timeout server 2s
    timeout connect 2s
    timeout http-request 700ms
    http-request return status 200 content-type text/plain lf-string \"SAID\"

frontend plain
    bind 127.0.0.1:8300 accept-proxy

frontend by-rule
    bind 127.0.0.1:8301
    tcp-request connection expect-proxy layer4
    option dontlognull

frontend named
    bind 127.0.0.1:8302 accept-proxy name entry

frontend errors
    bind 127.0.0.1:8303 accept-proxy
    error-log-format \"ELF %ci:%cp %[fc_err] %[fc_err_str] %ts %ST %ft %b %s %U %B\"

frontend judged
    mode tcp
    option tcplog
    bind 127.0.0.1:8304 accept-proxy
    bind unix@/run/judged.sock accept-proxy
    tcp-request session reject if { src 1.2.3.4 }
    tcp-request content reject

frontend cip
    bind 127.0.0.1:8305 accept-netscaler-cip MAGIC
    bind unix@/run/cip.sock accept-netscaler-cip MAGIC

frontend cip-and-proxy
    bind 127.0.0.1:8306 accept-netscaler-cip MAGIC accept-proxy

frontend cip-by-rule
    bind 127.0.0.1:8307
    tcp-request connection expect-netscaler-cip layer4
    option dontlognull

frontend turned-away
    bind 127.0.0.1:8308
    tcp-request connection reject

frontend last
    bind unix@/run/last.sock accept-proxy
";

const SAID: &str = "src=%[src]:%[src_port] dst=%[dst]:%[dst_port] fc=%[fc_src],%[fc_dst]:%[fc_dst_port] \
     received=%[fc_rcvd_proxy] name=%[fc_pp_authority] id=%[fc_pp_unique_id,hex]";

/// What only newer versions tell.
const SAID_NEWER: &str = " sum=%[fc_pp_tlv(0x03),hex] noop=%[fc_pp_tlv(0x04),hex] alpn=%[fc_pp_tlv(0x01)] \
     namespace=%[fc_pp_tlv(0x30)] own=%[fc_pp_tlv(0xea),hex]";

/// Where ours differs: from which version (nothing: from all), in which case, and why.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("", "plain: v1 six nul", "an address has no NUL in it"),
    (
        "2",
        "plain: v2 local extension",
        "as 3.5: extensions of LOCAL headers are known where they are in order",
    ),
    (
        "3",
        "plain: v2 local addresses",
        "as 2.6 and the specification: what a LOCAL header says is not looked at",
    ),
    ("3", "plain: v2 local rest", "as above"),
    ("3", "plain: v2 local sum wrong", "as above"),
    ("3", "plain: v2 extension 1025", "as 2.6: a header may have what fits a buffer"),
    ("2", "plain: v2 authority twice", "as 3.5: the first one counts"),
    ("2", "plain: v2 id twice", "as 3.5: the first one counts"),
    ("", "plain: v2 authority nul", "a NUL ends no name: 2.6 shows it as %00, 3.5 cuts the name there"),
    ("", "cip: cip cut", "where there is less than was said nothing is taken, and nobody believed"),
    ("", "cip on unix: cip cut", "as above"),
];

/// What came of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    answer: String,
    end: &'static str,
    log: Vec<String>,
}

struct Bench {
    host: Host,
    proxy: Process,
}

impl Bench {
    fn start(lab: &Lab, name: &str, program: &Program, said: &str) -> Self {
        let host = lab.host(name);
        let text = CONFIG.replace("SAID", said).replace("MAGIC", &MAGIC.to_string());
        let config = Config::written(&host, "haproxy.cfg", &text);
        let proxy = host.haproxy_bound(program, &config);
        host.wait_told("/run/stats.sock");
        Self { host, proxy }
    }

    /// What came of each of these, and what was counted of them together.
    fn round(&self, list: &[&Connecting]) -> (HashMap<String, Seen>, String) {
        self.host.tell("/run/stats.sock", "clear counters all");
        let one =
            |(entry, name, case, is_logged): &&Connecting| (name.clone(), self.run(*entry, case, *is_logged));
        let seen = list.iter().map(one).collect();
        (seen, self.counters())
    }

    /// One case after the other: the lines that come meanwhile are its own.
    fn run(&self, entry: Entry, case: &Case, is_logged: bool) -> Seen {
        let before = self.proxy.log().len();
        let (answer, end) = match entry {
            Entry::Port(port) => self.host.run(|| {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
                socket.bind(&SocketAddr::from((CLIENT, 0)).into()).unwrap();
                let to = SocketAddr::from(([127, 0, 0, 1], port));
                // Who is turned away at once may be so before it knows that it was let in.
                if socket.connect_timeout(&to.into(), PATIENCE).is_err() {
                    return (String::new(), "reset");
                }
                let mut stream = TcpStream::from(socket);
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                begin(&mut stream, case);
                match case.then {
                    Then::Halves => drop(stream.shutdown(Shutdown::Write)),
                    Then::Resets => {
                        Socket::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
                        return (String::new(), "reset");
                    }
                    Then::Asks | Then::Waits => {}
                }
                read_to_end(&mut stream)
            }),
            Entry::Path(name) => {
                // Its `/run` is its own.
                let path = format!("/proc/{}/root/run/{name}.sock", self.host.pid());
                let mut stream = UnixStream::connect(path).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                begin(&mut stream, case);
                if case.then == Then::Halves {
                    let _ = stream.shutdown(Shutdown::Write);
                }
                read_to_end(&mut stream)
            }
        };
        // On a busy machine HAProxy drops a line rather than wait for whoever reads its output.
        let start = Instant::now();
        while is_logged && self.proxy.log().len() == before && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        let log = self.proxy.log()[before..].iter().map(|line| steady(line)).collect();
        Seen { answer, end, log }
    }

    fn counters(&self) -> String {
        let stats = Stats::parse(&self.host.tell("/run/stats.sock", "show stat"));
        let columns = ["stot", "dreq", "ereq", "dcon", "dses", "req_tot", "hrsp_2xx", "hrsp_4xx"];
        let mut out = String::new();
        for proxy in ["plain", "by-rule", "named", "errors", "judged", "cip", "cip-by-rule", "turned-away"] {
            let of = |column| format!(" {column} {}", stats.cell(proxy, "FRONTEND", column));
            out += &format!("{proxy}{}\n", columns.map(of).concat());
        }
        out
    }
}

const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 4, 1);

#[derive(Clone, Copy, Debug)]
enum Entry {
    Port(u16),
    /// Below `/run`, without `.sock`.
    Path(&'static str),
}

fn begin(stream: &mut impl std::io::Write, case: &Case) {
    let mut bytes = case.bytes.clone();
    if case.then == Then::Asks {
        bytes.extend_from_slice(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }
    // Who is turned away may be so before everything is sent.
    let _ = stream.write_all(&bytes);
}

/// The body of an answer, or its status; and how the connection ended.
fn read_to_end(stream: &mut impl std::io::Read) -> (String, &'static str) {
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    let end = loop {
        match stream.read(&mut piece) {
            Ok(0) => break "closed",
            Ok(n) => answer.extend_from_slice(&piece[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => break "reset",
            Err(_) => break "left open",
        }
    };
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let short = match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => body.to_owned(),
        _ => answer.lines().next().unwrap_or_default().to_owned(),
    };
    static PORT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"127\.0\.4\.1:\d+").unwrap());
    (PORT.replace_all(&short, "CLIENT").into_owned(), end)
}

/// A line without the time, the client's port and durations.
fn steady(line: &str) -> String {
    static TIME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[\d\d/[^\]]*\]").unwrap());
    static PORT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"127\.0\.4\.1:\d+").unwrap());
    settle(&PORT.replace(&TIME.replace(line, "[T]"), "CLIENT"))
}

/// Where a connection goes, its name, its bytes, whether it leaves a line.
type Connecting = (Entry, String, Case, bool);

/// Every connection of the tests.
fn connections() -> Vec<Connecting> {
    let all = heads::all();
    let few = || all.iter().filter(|case| FEW.contains(&case.name.as_str()));
    let mut out = Vec::new();
    let mut add = |proxy: &str, entry, case: &Case, is_logged| {
        out.push((entry, format!("{proxy}: {}", case.name), case.clone(), is_logged));
    };
    for case in &all {
        add("plain", Entry::Port(8300), case, true);
    }
    for (nth, proxy) in ["by-rule", "named", "errors", "judged"].into_iter().enumerate() {
        for case in few() {
            let is_silent = matches!(case.name.as_str(), "silent" | "closed" | "reset");
            add(proxy, Entry::Port(8301 + nth as u16), case, proxy != "by-rule" || !is_silent);
        }
    }
    for case in few().filter(|case| case.then != Then::Resets) {
        add("last", Entry::Path("last"), case, true);
        add("judged on unix", Entry::Path("judged"), case, true);
    }
    for case in heads::netscalers(MAGIC).iter().filter(|case| case.then != Then::Resets) {
        add("cip on unix", Entry::Path("cip"), case, true);
    }
    for case in heads::netscalers(MAGIC) {
        add("cip", Entry::Port(8305), &case, true);
    }
    let header = |name: &str| heads::netscalers(MAGIC).into_iter().find(|case| case.name == name).unwrap();
    for (name, more) in [
        ("both", b"PROXY TCP4 9.9.9.9 8.8.8.8 7 6\r\n".to_vec()),
        ("only the first", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ] {
        let bytes = [header("cip old").bytes, more].concat();
        let case = Case { name: name.to_owned(), bytes, then: Then::Asks };
        add("cip-and-proxy", Entry::Port(8306), &case, true);
    }
    // Without a number on its line a listener expects zero.
    let mut zero = header("cip old");
    zero.bytes[..4].fill(0);
    add("cip-by-rule", Entry::Port(8307), &zero, true);
    add("cip-by-rule", Entry::Port(8307), &Case { name: "cip one".to_owned(), ..header("cip old") }, true);
    let asks = Case { name: "asks".to_owned(), bytes: Vec::new(), then: Then::Asks };
    add("turned-away", Entry::Port(8308), &asks, false);
    out
}

#[test]
fn headers_are_read_as_by_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let reference = Program::reference_haproxy();
    let version = version(&reference);
    let said = if version.starts_with('2') { SAID.to_owned() } else { format!("{SAID}{SAID_NEWER}") };
    let connections = connections();
    let is_known =
        |name: &str| DIFFERENT.iter().any(|(of, case, _)| version.starts_with(of) && *case == name);
    let (known, same): (Vec<_>, Vec<_>) = connections.iter().partition(|(_, name, ..)| is_known(name));
    let (ours, theirs) =
        beside_this(&proxy(), &reference, |name, program| Bench::start(&lab, name, program, &said));
    let both = |list: &[&Connecting]| {
        std::thread::scope(|scope| {
            let ours = scope.spawn(|| ours.round(list));
            let theirs = theirs.round(list);
            (ours.join().unwrap(), theirs)
        })
    };
    // Who is turned away while he still speaks sees an end or a reset, whichever side is faster, and on a busy machine a
    // client may be later than the time it has. What differs is asked again; where the counters do, everything is.
    let mut earlier = Earlier::new();
    let (mut open, mut counted) = (same.clone(), false);
    let mut wrong = Vec::new();
    for _ in 0..4 {
        let asked = if counted { open.clone() } else { same.clone() };
        let (mut ours, mut theirs) = both(&asked);
        wrong.clear();
        open.retain(|(_, name, ..)| {
            let (mine, other) = (ours.0.remove(name).unwrap(), theirs.0.remove(name).unwrap());
            let text = format!("{name}\n  ours   {mine:?}\n  theirs {other:?}");
            let alike = |ours: &Seen, theirs: &Seen| {
                let same_line = ours.log == theirs.log || theirs.log.is_empty();
                ours.answer == theirs.answer && ours.end == theirs.end && same_line
            };
            let differs = !earlier.agrees(name.clone(), mine, other, alike);
            wrong.extend(differs.then_some(text));
            differs
        });
        if !counted {
            counted = ours.1 == theirs.1;
            wrong.extend((!counted).then(|| format!("counted\n{}instead of\n{}", ours.1, theirs.1)));
        }
        if wrong.is_empty() {
            break;
        }
    }
    let ((ours, _), (theirs, _)) = both(&known);
    for (_, name, ..) in known.iter().filter(|(_, name, ..)| ours[name] == theirs[name]) {
        wrong.push(format!("{name}: said to differ, and does not"));
    }
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), connections.len(), wrong.join("\n"));
    let first = same.iter().find(|(_, name, ..)| name == "plain: v1 tcp4").unwrap();
    let ((ours, _), _) = both(&[first]);
    assert!(ours["plain: v1 tcp4"].answer.starts_with("src=1.2.3.4:1111 dst=5.6.7.8:2222 fc=127.0.4.1"));
}
