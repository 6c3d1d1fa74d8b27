//! How many connections are let in at once and how fast, at every level: ours and a real HAProxy with the same file
//! must stop at the same number, and serve everybody in the end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::lab::{Config, Host, Lab, Part, Program, Stats, beside, eventually, holds_for, proxy};

const DEFAULTS: &str = "
defaults
    mode http
    timeout connect 20s
    timeout client 20s
    timeout server 20s
    timeout queue 20s
    http-reuse never
";

/// One limit for each.
const LEVELS: &str = "
listen of-frontend
    bind 127.0.0.1:8401
    maxconn 2
    server one 127.0.0.1:9100

listen of-bind
    bind 127.0.0.1:8402 maxconn 2
    bind 127.0.0.1:8403
    server one 127.0.0.1:9100

listen of-server
    bind 127.0.0.1:8404
    server one 127.0.0.1:9100 maxconn 2
";

/// So many clients come at once.
const CLIENTS: u64 = 6;

/// A port, and the cells of `show stat` once [`CLIENTS`] clients of it are held by the server.
struct Level {
    port: u16,
    cells: &'static [(&'static str, &'static str, &'static str, u64)],
}

const EXPECTED: &[Level] = &[
    Level {
        port: 8401,
        cells: &[
            ("of-frontend", "FRONTEND", "scur", 2),
            ("of-frontend", "one", "scur", 2),
            ("of-frontend", "FRONTEND", "stot", 2),
        ],
    },
    Level { port: 8402, cells: &[("of-bind", "FRONTEND", "scur", 2), ("of-bind", "one", "scur", 2)] },
    Level {
        port: 8404,
        cells: &[
            ("of-server", "FRONTEND", "scur", 6),
            ("of-server", "one", "scur", 2),
            ("of-server", "one", "qcur", 0),
            ("of-server", "BACKEND", "qcur", 4),
        ],
    },
];

/// A server that holds every request until it is told to let go.
pub(super) fn hold(host: &Host) -> Arc<AtomicBool> {
    let go = Arc::new(AtomicBool::new(false));
    let listener = host.run(|| TcpListener::bind("127.0.0.1:9100")).unwrap();
    let told = Arc::clone(&go);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let told = Arc::clone(&told);
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                while !told.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
            });
        }
    });
    go
}

pub(super) fn visit(port: u16) -> String {
    visit_with(port, "")
}

fn visit_with(port: u16, header: &str) -> String {
    let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}\r\n").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

pub(super) struct Bench {
    pub(super) host: Host,
    socket: String,
    _proxy: crate::lab::Process,
}

impl Bench {
    pub(super) fn start(
        lab: &Lab,
        name: &str,
        program: &Program,
        global: &str,
        sections: &str,
        port: u16,
    ) -> Self {
        let host = lab.host(name);
        let socket = host.dir().join("stats.sock").to_string_lossy().into_owned();
        let text = format!("global\n    stats socket {socket} level admin\n{global}{DEFAULTS}{sections}");
        let proxy = host.haproxy(program, &Config::written(&host, "haproxy.cfg", &text));
        eventually("the proxy to listen", Duration::from_secs(10), || {
            host.reaches(&format!("127.0.0.1:{port}"))
        });
        // It is bound after the ports.
        eventually("its socket", Duration::from_secs(10), || UnixStream::connect(&socket).is_ok());
        Self { host, socket, _proxy: proxy }
    }

    pub(super) fn tell(&self, command: &str) -> String {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// The probe that found it listening is gone and forgotten.
    fn settle(&self) {
        eventually("nobody to be there", Duration::from_secs(10), || {
            let stats = Stats::parse(&self.tell("show stat"));
            EXPECTED.iter().all(|level| stats.number(level.cells[0].0, "FRONTEND", "scur") == 0)
        });
        self.tell("clear counters all");
    }
}

/// Whether each limit holds with this program.
fn levels_hold(lab: &Lab, name: &str, program: &Program) {
    let bench = Bench::start(lab, name, program, "", LEVELS, 8404);
    let go = hold(&bench.host);
    bench.settle();
    let bench = &bench;
    bench.host.run(|| {
        std::thread::scope(|scope| {
            let clients: Vec<_> = EXPECTED
                .iter()
                .flat_map(|level| (0..CLIENTS).map(move |_| level.port))
                .map(|port| (port, scope.spawn(move || visit(port))))
                .collect();
            let held = || {
                let stats = Stats::parse(&bench.tell("show stat"));
                let cells = EXPECTED.iter().flat_map(|level| level.cells);
                let wrong: Vec<String> = cells
                    .map(|(proxy, row, column, wanted)| {
                        (proxy, row, column, wanted, stats.number(proxy, row, column))
                    })
                    .filter(|(.., wanted, number)| *wanted != number)
                    .map(|(proxy, row, column, wanted, number)| {
                        format!("{name}: {proxy}/{row} {column} {number} instead of {wanted}")
                    })
                    .collect();
                wrong
            };
            let start = Instant::now();
            while !held().is_empty() && start.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let wrong = held();
            if wrong.is_empty() {
                holds_for("the limits", Duration::from_millis(300), || held().is_empty());
            }
            go.store(true, Ordering::Relaxed);
            for (port, client) in clients {
                let answer = client.join().unwrap();
                assert!(answer.starts_with("HTTP/1.1 200 "), "{name}: {port}: {answer:?}");
            }
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        });
    });
}

#[test]
fn each_level_stops_where_haproxys_does() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    beside(&proxy(), "haproxy", |name, program| levels_hold(&lab, name, program));
}

/// `maxconn` of the global section.
#[test]
fn the_process_as_a_whole_stops_where_haproxys_does() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let one = "
listen all
    bind 127.0.0.1:8401
    server one 127.0.0.1:9100
";
    let stops = |name: &str, program: &Program| {
        let bench = Bench::start(&lab, name, program, "    maxconn 3\n", one, 8401);
        let go = hold(&bench.host);
        let number = |column| Stats::parse(&bench.tell("show stat")).number("all", "FRONTEND", column);
        eventually("nobody to be there", Duration::from_secs(10), || number("scur") == 0);
        let bench = &bench;
        bench.host.run(|| {
            std::thread::scope(|scope| {
                let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| visit(8401))).collect();
                eventually("three to be let in", Duration::from_secs(10), || number("scur") == 3);
                holds_for("the limit", Duration::from_millis(300), || number("scur") == 3);
                assert!(bench.tell("show info").contains("CurrConns: 3\n"), "{name}");
                go.store(true, Ordering::Relaxed);
                for client in clients {
                    assert!(client.join().unwrap().starts_with("HTTP/1.1 200 "), "{name}");
                }
            });
        });
    };
    beside(&proxy(), "haproxy", stops);
}

/// Sessions per second: of a frontend, of the process, and its connections. On one thread: several of HAProxy's let in more.
#[test]
fn each_rate_is_kept_as_haproxy_keeps_it() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let one = "
listen all
    bind 127.0.0.1:8401
    LIMIT
    server one 127.0.0.1:9100
";
    let rates = [
        ("frontend", "    nbthread 1\n", "rate-limit sessions 4"),
        ("sessions", "    nbthread 1\n    maxsessrate 4\n", ""),
        ("connections", "    nbthread 1\n    maxconnrate 4\n", ""),
    ];
    let took = |which: &str, program: &Program| -> Vec<Duration> {
        let run = |(name, global, limit): &(&str, &str, &str)| {
            let section = one.replace("LIMIT", limit);
            let bench = Bench::start(&lab, &format!("{which}-{name}"), program, global, &section, 8401);
            hold(&bench.host).store(true, Ordering::Relaxed);
            bench.host.run(|| {
                // What the probe used is past: the first of these begins a second.
                std::thread::sleep(Duration::from_millis(2100));
                let start = Instant::now();
                std::thread::scope(|scope| {
                    let clients: Vec<_> = (0..12).map(|_| scope.spawn(|| visit(8401))).collect();
                    for client in clients {
                        assert!(client.join().unwrap().starts_with("HTTP/1.1 200 "), "{which} {name}");
                    }
                });
                start.elapsed()
            })
        };
        std::thread::scope(|scope| {
            let running: Vec<_> = rates.iter().map(|rate| scope.spawn(move || run(rate))).collect();
            running.into_iter().map(|run| run.join().unwrap()).collect()
        })
    };
    let (ours, theirs) = beside(&proxy(), "haproxy", took);
    for ((name, ..), (ours, theirs)) in rates.iter().zip(ours.iter().zip(&theirs)) {
        println!("{name}: 12 sessions at 4 a second took {ours:?}, with HAProxy {theirs:?}");
        // Four at once, none for the rest of a second, then four a second.
        for took in [ours, theirs] {
            assert!(*took >= Duration::from_millis(2700), "{name}: {took:?}");
        }
    }
}

/// `maxqueue`, where the algorithm or a cookie names the server: who finds its queue full is told so, or sent elsewhere.
#[test]
fn full_queues_turn_away_whom_haproxys_do() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let sections = "
listen hashed
    bind 127.0.0.1:8401
    balance source
    server one 127.0.0.1:9100 maxconn 1 maxqueue 2

listen bound
    bind 127.0.0.1:8402
    balance first
    cookie WHO
    server one 127.0.0.1:9100 maxconn 1 maxqueue 2 cookie a
    server two 127.0.0.1:9100 cookie b

listen moved
    bind 127.0.0.1:8403
    balance first
    option redispatch
    cookie WHO
    server one 127.0.0.1:9100 maxconn 1 maxqueue 2 cookie a
    server two 127.0.0.1:9100 cookie b

listen lined-up
    bind 127.0.0.1:8404
    balance first
    option redispatch
    cookie WHO
    server one 127.0.0.1:9100 maxconn 1 maxqueue 2 cookie a
    server two 127.0.0.1:9100 maxconn 1 maxqueue 2 cookie b
";
    // Sessions of each server and of each queue, failed connections, redispatches, and what is answered.
    let expected = [
        ("hashed", 8401, [1, 2, 0, 0, 2, 2, 0], (3, 2)),
        ("bound", 8402, [1, 2, 0, 0, 2, 2, 0], (3, 2)),
        ("moved", 8403, [1, 2, 2, 0, 0, 0, 2], (5, 0)),
        // Who has to wait elsewhere as well was sent there already.
        ("lined-up", 8404, [1, 2, 1, 1, 0, 0, 2], (5, 0)),
    ];
    let turned_away = |name: &str, program: &Program| {
        let bench = Bench::start(&lab, name, program, "", sections, 8404);
        let go = hold(&bench.host);
        let bench = &bench;
        let seen = |section: &str| {
            let stats = Stats::parse(&bench.tell("show stat"));
            let of = |row: &str, column: &str| {
                if section == "hashed" && row == "two" { 0 } else { stats.number(section, row, column) }
            };
            [
                of("one", "scur"),
                of("one", "qcur"),
                of("two", "scur"),
                of("BACKEND", "qcur"),
                of("one", "econ"),
                of("BACKEND", "econ"),
                of("BACKEND", "wredis"),
            ]
        };
        eventually("nobody to be there", Duration::from_secs(10), || {
            let stats = Stats::parse(&bench.tell("show stat"));
            stats.number("lined-up", "FRONTEND", "scur") == 0
        });
        bench.host.run(|| {
            std::thread::scope(|scope| {
                let clients = expected.map(|(section, port, cells, _)| {
                    // One after the other: who comes at the same time finds the same room.
                    let clients = [1, 2, 3, 4, 5].map(|nth| {
                        let client = scope.spawn(move || visit_with(port, "Cookie: WHO=a\r\n"));
                        eventually("the next to be somewhere", Duration::from_secs(10), || {
                            let [working, waiting, other, lined_up, failed, ..] = seen(section);
                            working + waiting + other + lined_up + failed == nth
                        });
                        client
                    });
                    assert_eq!(seen(section), cells, "{name}: {section}");
                    clients
                });
                go.store(true, Ordering::Relaxed);
                for ((section, _, _, (served, refused)), clients) in expected.iter().zip(clients) {
                    let answers: Vec<String> = clients.into_iter().map(|c| c.join().unwrap()).collect();
                    let count = |status| answers.iter().filter(|a| a.starts_with(status)).count();
                    let got = (count("HTTP/1.1 200 "), count("HTTP/1.1 503 "));
                    assert_eq!(got, (*served, *refused), "{name}: {section}: {answers:?}");
                }
            });
        });
    };
    beside(&proxy(), "haproxy", turned_away);
}

/// The longest head that is taken, to the byte, of requests and responses: with two headers and with fifty.
#[test]
fn heads_are_too_long_at_the_same_byte() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let section = "
listen all
    bind 127.0.0.1:8401
    server one 127.0.0.1:9101
";
    // So many bytes beyond `bufsize` less `maxrewrite`.
    const LIMIT: usize = 15360;
    let head = |first: &str, fields: usize, length: usize| {
        let mut head = (1..fields).fold(format!("{first}\r\n"), |head, nth| head + &format!("a{nth}: b\r\n"));
        let left = length - head.len() - "long: \r\n\r\n".len();
        head += &format!("long: {}\r\n\r\n", "y".repeat(left));
        head
    };
    let statuses = |name: &str, program: &Program| {
        let bench = Bench::start(&lab, name, program, "", section, 8401);
        let listener = bench.host.run(|| TcpListener::bind("127.0.0.1:9101")).unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut asked = Vec::new();
                    let mut piece = [0; 4096];
                    while !asked.ends_with(b"\r\n\r\n") {
                        match stream.read(&mut piece) {
                            Ok(n @ 1..) => asked.extend_from_slice(&piece[..n]),
                            _ => return,
                        }
                    }
                    let asked = String::from_utf8_lossy(&asked).into_owned();
                    let wish = |at| asked.split(['/', ' ']).nth(at).and_then(|n| n.parse().ok());
                    let first = "HTTP/1.1 200 OK\r\nContent-Length: 0";
                    let (fields, length) = (wish(2).unwrap_or(2), wish(3).unwrap_or(200));
                    let _ = stream.write_all(head(first, fields, length).as_bytes());
                });
            }
        });
        let ask = |request: String| {
            let mut stream = TcpStream::connect("127.0.0.1:8401").unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let _ = stream.write_all(request.as_bytes());
            let mut status = [0; 12];
            let _ = stream.read_exact(&mut status);
            String::from_utf8_lossy(&status[9..]).into_owned()
        };
        bench.host.run(|| {
            let mut seen = Vec::new();
            for fields in [2, 50] {
                let edge = LIMIT - 79 - 4 * fields;
                for length in (edge - 20..edge + 20).chain([LIMIT - 1, LIMIT, LIMIT + 1]) {
                    let request = ask(head("GET / HTTP/1.1\r\nHost: a", fields - 1, length));
                    let response = ask(format!("GET /{fields}/{length} HTTP/1.1\r\nHost: a\r\n\r\n"));
                    seen.push((fields, length, request, response));
                }
            }
            seen
        })
    };
    let (ours, theirs) = beside(&proxy(), "haproxy", statuses);
    assert_eq!(ours, theirs);
    for status in ["200", "400"] {
        assert!(theirs.iter().any(|seen| seen.2 == status), "requests: no {status}");
    }
    for status in ["200", "502"] {
        assert!(theirs.iter().any(|seen| seen.3 == status), "responses: no {status}");
    }
}

/// Without `maxconn` the number of connections follows from the open files the process may have.
#[test]
fn fewer_open_files_mean_fewer_connections() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let one = "
listen all
    bind 127.0.0.1:8401
    server one 127.0.0.1:9100
";
    let most = |name: &str, program: &Program| -> u64 {
        let bench = Bench::start(&lab, name, program, "    fd-hard-limit 500\n", one, 8401);
        let info = bench.tell("show info");
        let line = info.lines().find_map(|line| line.strip_prefix("Maxconn: ")).unwrap().to_owned();
        line.parse().unwrap()
    };
    let (ours, theirs) = (most("ours", &proxy()), most("theirs", &Program::reference("haproxy")));
    println!("500 files: {ours} connections, with HAProxy {theirs}");
    // A connection to the client and one to the server, and some for the process itself.
    assert!((150..=250).contains(&theirs), "{theirs}");
    assert!((150..=250).contains(&ours), "{ours}");
}
