//! Servers that are watched at work (`observe`), what follows from their errors (`on-error`, `error-limit`), and chains of
//! servers that track them, beside HAProxy.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use crate::lab::{Config, Connection, Host, Lab, Part, Process, Program, Stats, before_3_1, proxy, wait_for};

const SOCKET: &str = "/run/observed.sock";

/// What the server on each port answers; on port 9400 checks pass, on 9409 nobody listens.
const SERVERS: &[(u16, &[u8])] = &[
    (9400, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    (9401, b"HTTP/1.1 500 Bad\r\nContent-Length: 2\r\n\r\nno"),
    (9402, b"this is not HTTP\r\n\r\n"),
    (9403, b""),
    (9404, b"HTTP/1.1 404 Gone\r\nContent-Length: 2\r\n\r\nno"),
    (9405, b"HTTP/1.1 501 What\r\nContent-Length: 2\r\n\r\nno"),
];

/// Layer, mode, port.
fn cases() -> Vec<(u8, &'static str, u16)> {
    let mut cases = Vec::new();
    for mode in ["fastinter", "fail-check", "sudden-death", "mark-down"] {
        cases.extend([9409, 9401, 9403].map(|port| (4, mode, port)));
        cases.extend([9401, 9402].map(|port| (7, mode, port)));
    }
    cases.extend([9403, 9404, 9405, 9409].map(|port| (7, "mark-down", port)));
    cases
}

/// Each server is checked once, soon: after that, only what is seen at work counts.
fn config() -> String {
    let mut text = format!(
        "global\n    stats socket {SOCKET} level admin\n    max-spread-checks 500ms\n    log stdout format raw local0\ndefaults\n    mode http\n    \
         log global\n    option log-health-checks\n    retries 0\n    timeout connect 5s\n    timeout client 30s\n    \
         timeout server 30s\nfrontend fe\n    bind 127.0.0.1:8501\n    no log\n    use_backend %[path,field(2,/)]\n"
    );
    for (at, (layer, mode, port)) in cases().into_iter().enumerate() {
        let _ = write!(
            text,
            "backend b{at}\n    server s 127.0.0.1:{port} check port 9400 inter 1h observe layer{layer} on-error {mode} \
             error-limit 3\n    server t 127.0.0.1:9400 track b{at}/s\nbackend c{at}\n    server u 127.0.0.1:9400 track \
             b{at}/t\n"
        );
    }
    text
}

struct Side {
    host: Host,
    proxy: Process,
}

impl Side {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        for (port, answer) in SERVERS {
            let listener = host.run(|| TcpListener::bind(("127.0.0.1", *port)).unwrap());
            // It ends with the test program.
            std::thread::spawn(move || {
                for mut stream in listener.incoming().flatten() {
                    if stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {
                        let _ = stream.write_all(answer);
                    }
                }
            });
        }
        let proxy = host.haproxy(program, &Config::written(&host, "observed.cfg", &config()));
        host.wait_told(SOCKET);
        Self { host, proxy }
    }

    fn stats(&self) -> Stats {
        Stats::parse(&self.host.tell(SOCKET, "show stat"))
    }

    /// Five requests to every server.
    fn traffic(&self) {
        for at in 0..cases().len() {
            for _ in 0..5 {
                let patience = Duration::from_secs(30);
                let mut client = Connection::open_within(&self.host, "127.0.0.1:8501", patience).unwrap();
                // However it is answered.
                let _ = client
                    .exchange(format!("GET /b{at}/ HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"));
            }
        }
    }

    /// What is known of every server.
    fn known(&self) -> BTreeMap<String, String> {
        const COLUMNS: [&str; 9] = [
            "status",
            "check_status",
            "check_code",
            "last_chk",
            "check_desc",
            "hanafail",
            "chkfail",
            "chkdown",
            "check_health",
        ];
        let stats = self.stats();
        let mut known = BTreeMap::new();
        for (at, case) in cases().into_iter().enumerate() {
            for (backend, server) in [("b", "s"), ("b", "t"), ("c", "u")] {
                let backend = format!("{backend}{at}");
                let cells = COLUMNS.map(|column| stats.cell(&backend, server, column).to_owned());
                known.insert(format!("{case:?} {backend}/{server}"), before_3_1(&cells.join(" | ")));
            }
        }
        known
    }

    /// The first sentences of what was logged of servers, in any order.
    fn told(&self) -> Vec<String> {
        let lines = self.proxy.log().into_iter().filter(|line| !line.starts_with('['));
        let first = |line: String| {
            let line = before_3_1(&line);
            let end = line.find(", check duration").or_else(|| line.find(". "));
            line[..end.unwrap_or(line.len())].to_owned()
        };
        let mut told: Vec<String> = lines.filter(|line| line.contains("erver ")).map(first).collect();
        told.sort();
        told
    }
}

#[test]
fn what_is_seen_at_work_counts_as_with_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let sides =
        [Side::start(&lab, "theirs", &Program::reference("haproxy")), Side::start(&lab, "ours", &proxy())];
    for side in &sides {
        wait_for("the first check of every server", Duration::from_secs(60), || {
            let stats = side.stats();
            (0..cases().len())
                .all(|at| stats.cell(&format!("b{at}"), "s", "check_status") == "L4OK")
                .then_some(())
        });
    }
    std::thread::scope(|scope| {
        for side in &sides {
            scope.spawn(move || side.traffic());
        }
    });
    let mut apart = Vec::new();
    for _ in 0..100 {
        let [theirs, ours] = sides.each_ref().map(|side| (side.known(), side.told()));
        apart = theirs
            .0
            .iter()
            .filter(|(name, known)| ours.0.get(*name) != Some(known))
            .map(|(name, known)| format!("{name}\n  HAProxy {known}\n  ours    {:?}", ours.0.get(name)))
            .collect();
        if theirs.1 != ours.1 {
            apart.push(format!("HAProxy told {:#?}\nours {:#?}", theirs.1, ours.1));
        }
        if apart.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    panic!("{}", apart.join("\n"));
}
