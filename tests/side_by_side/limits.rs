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
fn hold(host: &Host) -> Arc<AtomicBool> {
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

fn visit(port: u16) -> String {
    let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

struct Bench {
    host: Host,
    socket: String,
    _proxy: crate::lab::Process,
}

impl Bench {
    fn start(lab: &Lab, name: &str, program: &Program, global: &str, sections: &str, port: u16) -> Self {
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

    fn tell(&self, command: &str) -> String {
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

/// Sessions per second: of a frontend, of the process, and its connections.
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
        ("frontend", "", "rate-limit sessions 4"),
        ("sessions", "    maxsessrate 4\n", ""),
        ("connections", "    maxconnrate 4\n", ""),
    ];
    let took = |which: &str, program: &Program| -> Vec<Duration> {
        let run = |(name, global, limit): &(&str, &str, &str)| {
            let section = one.replace("LIMIT", limit);
            let bench = Bench::start(&lab, &format!("{which}-{name}"), program, global, &section, 8401);
            hold(&bench.host).store(true, Ordering::Relaxed);
            bench.host.run(|| {
                // What the probe used of the first second is past.
                std::thread::sleep(Duration::from_millis(1100));
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
        // Four at once, then four a second.
        for took in [ours, theirs] {
            assert!(*took >= Duration::from_millis(1500), "{name}: {took:?}");
        }
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
