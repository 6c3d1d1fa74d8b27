//! What is counted of responses that break off, stall or are denied, and of what rules refuse.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use socket2::Socket;

use super::origin;
use crate::lab::{Config, Host, Lab, Part, Process, Program, Stats, eventually, proxy};

const SOCKET: &str = "/run/counted.sock";

const CONFIG: &str = "\
global
    stats socket /run/counted.sock level admin
defaults
    mode http
    http-reuse never
    timeout connect 5s
    timeout client 20s
    timeout server 20s
frontend fe
    bind 127.0.0.1:8401
    use_backend impatient if { path_end /stalls }
    use_backend narrow if { path_beg /narrow }
    use_backend resetting if { path /resets }
    use_backend whole if { path_beg /whole }
    use_backend overfull if { path_beg /overfull }
    default_backend be
backend be
    http-response deny if { status 299 }
    server s 127.0.0.1:9000
backend impatient
    timeout server 500ms
    server s 127.0.0.1:9000
backend narrow
    server s 127.0.0.1:9000 maxconn 1
backend whole
    option http-buffer-request
    timeout http-request 500ms
    server s 127.0.0.1:9000
backend resetting
    server s 127.0.0.1:9001
listen raw
    mode tcp
    bind 127.0.0.1:8402
    server s 127.0.0.1:9001
backend overfull
    server s 127.0.0.1:9000
    http-response set-var(txn.x) str(0123456789abcdef)
";

/// A response for which the buffer is too small with what these rules add.
fn overfull() -> String {
    let twice = "    http-response set-var-fmt(txn.x) %[var(txn.x)]%[var(txn.x)]\n".repeat(9);
    twice + &"    http-response add-header x %[var(txn.x)]\n".repeat(2)
}

/// Every way to refuse, in a proxy that is both, in a frontend and in a backend. What a request is to be refused by is
/// in its header.
const REFUSING: &str = "\
global
    stats socket /run/counted.sock level admin
defaults
    mode http
    http-reuse never
    option socket-stats
    timeout connect 5s
    timeout client 20s
    timeout server 20s
    timeout tarpit 10ms
frontend door
    bind 127.0.0.1:8401 name way
    http-response deny if { status 200 } { var(txn.x) -m str door }
    default_backend house
backend house
    RULES
    server s 127.0.0.1:9000
listen both
    bind 127.0.0.1:8402 name way
    RULES
    server s 127.0.0.1:9000
listen connection
    bind 127.0.0.1:8403 name way
    tcp-request connection silent-drop
    server s 127.0.0.1:9000
listen session
    bind 127.0.0.1:8404 name way
    tcp-request session silent-drop
    server s 127.0.0.1:9000
listen raw
    mode tcp
    bind 127.0.0.1:8405 name way
    tcp-request inspect-delay 10s
    tcp-request content reject if { req.payload(0,1) -m str r }
    tcp-request content silent-drop if { req.payload(0,1) -m str d }
    tcp-response inspect-delay 10s
    tcp-response content reject if { res.payload(0,1) -m str H }
    server s 127.0.0.1:9000
";

const RULES: &str = "\
    tcp-request content reject if { hdr(x) content }
    tcp-request content silent-drop if { hdr(x) content-drop }
    tcp-response inspect-delay 10s
    tcp-response content reject if { var(txn.x) -m str content-answer } { res.hdrs -m found }
    http-request set-var(txn.x) hdr(x)
    http-request deny if { hdr(x) deny }
    http-request reject if { hdr(x) reject }
    http-request silent-drop if { hdr(x) drop }
    http-request tarpit if { hdr(x) tarpit }
    http-response deny if { var(txn.x) -m str answer }
    http-response silent-drop if { var(txn.x) -m str answer-drop }
";

/// What is refused, and what counts it.
const REFUSED: [(&str, &str); 10] = [
    ("deny", "dreq"),
    ("reject", "dreq"),
    ("drop", "dreq"),
    ("tarpit", "dreq"),
    ("content", "dreq"),
    ("content-drop", "dreq"),
    ("answer", "dresp"),
    ("answer-drop", "dreq"),
    ("content-answer", "dresp"),
    ("door", "dresp"),
];

const COUNTED: [&str; 16] = [
    "dreq", "dcon", "dses", "stot", "ereq", "dresp", "econ", "eresp", "cli_abrt", "srv_abrt", "req_tot",
    "hrsp_2xx", "hrsp_4xx", "hrsp_5xx", "lbtot", "connect",
];

/// What the origin does, by its own words.
const WISHES: [&str; 6] = ["plain", "half-body", "cut-chunk", "stalls", "error", "reason"];

struct Side {
    host: Host,
    _proxy: Process,
}

impl Side {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        Self::start_with(&(CONFIG.to_owned() + &overfull()), lab, name, program)
    }

    fn start_with(config: &str, lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        origin::start(&host);
        start_resetting(&host);
        let proxy = host.haproxy_bound(program, &Config::written(&host, "counted.cfg", config));
        host.wait_told(SOCKET);
        Self { host, _proxy: proxy }
    }

    fn number(&self, backend: &str, column: &str) -> u64 {
        self.row_number(backend, "BACKEND", column)
    }

    fn row_number(&self, proxy: &str, row: &str, column: &str) -> u64 {
        Stats::parse(&self.host.tell(SOCKET, "show stat")).number(proxy, row, column)
    }

    /// Sends this, and stays until `proxy` has counted it. What is dropped in silence has no other end.
    fn stay(&self, port: u16, sends: &str, (proxy, column): (&str, &str)) {
        self.host.run(|| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            // The proxy may have dropped it already.
            let _ = stream.write_all(sends.as_bytes());
            eventually("it to be counted", Duration::from_secs(20), || {
                self.row_number(proxy, "FRONTEND", column) == 1
            });
        });
    }

    fn ask(&self, wish: &str) {
        self.ask_at(&format!("1/{wish}"));
    }

    fn ask_at(&self, path: &str) {
        self.host.run(|| {
            let mut stream = TcpStream::connect("127.0.0.1:8401").unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            write!(stream, "GET /{path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n").unwrap();
            // However it ends.
            let _ = stream.read_to_end(&mut Vec::new());
        });
    }

    /// Sends this, and leaves once the proxy has done with it what can be done: that many sessions are there, and
    /// the server has been reached.
    fn leave(&self, case: &Leaving) {
        self.host.run(|| {
            let mut stream = TcpStream::connect(("127.0.0.1", case.port)).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.write_all(case.sends.as_bytes()).unwrap();
            match case.then {
                Then::Stays => {
                    let _ = stream.read_to_end(&mut Vec::new());
                }
                Then::Leaves(backend) | Then::Resets(backend) => {
                    eventually("the session to be there", Duration::from_secs(20), || {
                        self.number(backend, "scur") == 1
                    });
                    if case.sends.contains("/endless") {
                        stream.read_exact(&mut [0; 100]).unwrap();
                    }
                    if matches!(case.then, Then::Resets(_)) {
                        Socket::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
                    }
                }
            }
        });
    }

    fn counters(&self) -> BTreeMap<String, String> {
        let text = self.host.tell(SOCKET, "show stat");
        let mut lines = text.lines();
        let columns: Vec<&str> =
            lines.next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
        let mut out = BTreeMap::new();
        for line in lines.filter(|line| !line.starts_with("fe,")) {
            let cells: Vec<&str> = line.split(',').collect();
            for (column, cell) in columns.iter().zip(&cells).filter(|(column, _)| COUNTED.contains(column)) {
                out.insert(format!("{}/{} {column}", cells[0], cells[1]), (*cell).to_owned());
            }
        }
        out
    }
}

/// What a client does once it has asked.
#[derive(Clone, Copy)]
enum Then {
    /// Reads to the end.
    Stays,
    /// Closes once its session is in this backend.
    Leaves(&'static str),
    /// The same, with a reset.
    Resets(&'static str),
}

struct Leaving {
    name: &'static str,
    port: u16,
    sends: &'static str,
    then: Then,
    /// Columns in which 2.6 differs from 3.5, which counts as we do.
    newer: &'static [&'static str],
}

const fn leaving(name: &'static str, port: u16, sends: &'static str, then: Then) -> Leaving {
    Leaving { name, port, sends, then, newer: &[] }
}

const HALF: &str = "POST /1/plain HTTP/1.1\r\nHost: lab\r\nContent-Length: 9\r\n\r\nhalf";
const CHUNKS: &str = "POST /1/plain HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
const WHOLE: &str = "POST /whole/1/plain HTTP/1.1\r\nHost: lab\r\nContent-Length: 9\r\n\r\nhalf";
const ENDLESS: &str = "GET /1/endless HTTP/1.1\r\nHost: lab\r\n\r\n";

/// Clients that leave, servers of connections that break off, and an answer that counts for the server alone.
const LEAVING: [Leaving; 11] = [
    // 2.6 says -1 and counts it in no class.
    Leaving { newer: &["hrsp_4xx"], ..leaving("in its body", 8401, HALF, Then::Leaves("be")) },
    Leaving { newer: &["hrsp_4xx"], ..leaving("in its body, reset", 8401, HALF, Then::Resets("be")) },
    Leaving { newer: &["hrsp_4xx"], ..leaving("between chunks", 8401, CHUNKS, Then::Leaves("be")) },
    leaving("in the response", 8401, ENDLESS, Then::Leaves("be")),
    leaving("in the response, reset", 8401, ENDLESS, Then::Resets("be")),
    Leaving {
        newer: &["hrsp_4xx", "ereq"],
        ..leaving("before its body is whole", 8401, WHOLE, Then::Leaves("whole"))
    },
    leaving("body not whole in time", 8401, WHOLE, Then::Stays),
    leaving(
        "server resets in place of a response",
        8401,
        "GET /resets HTTP/1.1\r\nHost: lab\r\n\r\n",
        Then::Stays,
    ),
    leaving(
        "status 0",
        8401,
        "GET /1/status-000 HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n",
        Then::Stays,
    ),
    leaving("server resets at once", 8402, "at once", Then::Stays),
    leaving("server resets behind some bytes", 8402, "later", Then::Stays),
];

/// Resets each connection on port 9001, at once or behind some bytes.
fn start_resetting(host: &Host) {
    let listener = host.run(|| TcpListener::bind("127.0.0.1:9001")).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = [0; 64];
            let n = stream.read(&mut asked).unwrap_or(0);
            if asked[..n].starts_with(b"later") {
                let _ = stream.write_all(b"some bytes");
                // The proxy has them: it has passed them on.
                let _ = stream.read(&mut asked);
            }
            let _ = Socket::from(stream).set_linger(Some(Duration::ZERO));
        }
    });
}

/// Waits until both sides count the same; fails with what differs.
fn assert_same(what: &str, sides: &[Side; 2], newer: &[&str]) {
    let mut apart = Vec::new();
    // The last of it is counted after the client has seen the end.
    for _ in 0..150 {
        let [theirs, ours] = sides.each_ref().map(Side::counters);
        apart = theirs
            .iter()
            .filter(|(name, value)| {
                ours.get(*name) != Some(value) && !newer.iter().any(|n| name.ends_with(n))
            })
            .map(|(name, value)| format!("{name}: {:?} instead of {value}", ours.get(name)))
            .collect();
        if apart.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("after {what}: {apart:#?}");
}

fn on_both(sides: &[Side; 2], act: impl Fn(&Side) + Sync) {
    std::thread::scope(|scope| {
        for side in sides {
            let act = &act;
            scope.spawn(move || act(side));
        }
    });
}

#[test]
fn what_breaks_off_is_counted_as_by_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let sides =
        [Side::start(&lab, "theirs", &Program::reference("haproxy")), Side::start(&lab, "ours", &proxy())];
    for wish in WISHES {
        on_both(&sides, |side| side.ask(wish));
        assert_same(wish, &sides, &[]);
    }
    on_both(&sides, |side| side.ask_at("overfull/1/plain"));
    assert_same("a response that grew too large", &sides, &[]);
    for side in &sides {
        assert_eq!(side.row_number("overfull", "s", "hrsp_2xx"), 1);
    }
    for case in &LEAVING {
        for side in &sides {
            side.host.tell(SOCKET, "clear counters all");
        }
        on_both(&sides, |side| side.leave(case));
        assert_same(case.name, &sides, case.newer);
    }
}

#[test]
fn who_waited_is_not_counted_as_chosen() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let sides =
        [Side::start(&lab, "theirs", &Program::reference("haproxy")), Side::start(&lab, "ours", &proxy())];
    on_both(&sides, |side| {
        let keeper = side.host.run(|| {
            let mut stream = TcpStream::connect("127.0.0.1:8401").unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.write_all(b"GET /narrow/1/endless HTTP/1.1\r\nHost: lab\r\n\r\n").unwrap();
            stream.read_exact(&mut [0; 100]).unwrap();
            stream
        });
        std::thread::scope(|scope| {
            scope.spawn(|| side.ask_at("narrow/1/plain"));
            eventually("the second to wait", Duration::from_secs(20), || side.number("narrow", "qcur") == 1);
            Socket::from(keeper).set_linger(Some(Duration::ZERO)).unwrap();
        });
    });
    assert_same("one that waited for the server", &sides, &[]);
    for side in &sides {
        assert_eq!((side.number("narrow", "lbtot"), side.number("narrow", "connect")), (1, 2));
    }
}

#[test]
fn what_is_refused_is_counted_as_by_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let config = REFUSING.replace("    RULES\n", RULES);
    let start = |name: &str, program: &Program| Side::start_with(&config, &lab, name, program);
    let sides = [start("theirs", &Program::reference("haproxy")), start("ours", &proxy())];
    let case = |port: u16, sends: &str, counted: (&str, &str), newer: &[&str]| {
        for side in &sides {
            side.host.tell(SOCKET, "clear counters all");
        }
        on_both(&sides, |side| side.stay(port, sends, counted));
        assert_same(&format!("{sends:?} to {port}"), &sides, newer);
    };
    for (path, column) in REFUSED {
        for (port, proxy) in [(8401, "door"), (8402, "both")] {
            if port == 8402 && path == "door" {
                continue;
            }
            let sends =
                format!("GET /1/plain HTTP/1.1\r\nHost: lab\r\nX: {path}\r\nConnection: close\r\n\r\n");
            case(port, &sends, (proxy, column), &[]);
        }
    }
    // 2.6 counts sessions of such a connection with the listener, 3.5 does not.
    case(8403, "", ("connection", "dreq"), &["stot"]);
    case(8404, "", ("session", "dreq"), &["stot"]);
    case(8405, "r", ("raw", "dreq"), &[]);
    case(8405, "d", ("raw", "dreq"), &[]);
    case(8405, "GET /1/plain HTTP/1.1\r\n\r\n", ("raw", "dresp"), &[]);
}
