//! `retries`, `retry-on` with each of its words and `option redispatch` with each of its intervals: which server is tried how
//! often, what the client is told, what the log says and what is counted, on our proxy and on a real HAProxy.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::watch::{read_all, settle};
use super::{PATIENCE, origin};
use crate::lab::{Config, Lab, Part, Program, Stats, beside, eventually, proxy};

const GLOBAL: &str = "\
global
    log stdout format raw local0
    nbthread 1
    stats socket SOCKET level admin
    maxconn 1000
defaults
    mode http
    log global
    option httplog
    http-reuse never
    timeout connect 300ms
    timeout client 20s
    timeout server 700ms
frontend front
    bind 127.0.0.1:8300
    use_backend b%[path,field(2,/)]
";

/// Words of `retry-on`.
const WORDS: &[&str] = &[
    "none",
    "conn-failure",
    "empty-response",
    "junk-response",
    "response-timeout",
    "0rtt-rejected",
    "404",
    "408",
    "425",
    "500",
    "503",
    "504",
    "all-retryable-errors",
    "conn-failure empty-response 503",
];

/// What a server can do.
const WISHES: &[&str] = &[
    "plain",
    "closes",
    "garbage",
    "half-head",
    "silent",
    "status-401",
    "status-404",
    "status-408",
    "status-425",
    "status-500",
    "status-503",
    "status-504",
];

const LIVE: &str = "127.0.0.1:9000";
const DEAD: &str = "127.0.0.1:9";

/// Servers that the kernel refuses to begin a connection to: another attempt follows at once, and no session is counted.
const IMPOSSIBLE: &[&str] =
    &["unix@/nowhere.sock", "abns@nowhere", "127.0.0.1:9000 source 192.0.2.1", "192.0.2.1:80"];

struct Case {
    lines: String,
    method: &'static str,
    wish: &'static str,
    /// HAProxy 2.6 takes the beginning of a head for an empty response, the others (and its documentation) for junk.
    differs: bool,
}

fn servers(list: &[&str]) -> String {
    list.iter().enumerate().fold(String::new(), |mut text, (at, server)| {
        writeln!(text, "    server s{at} {server}").unwrap();
        text
    })
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let backup = format!("{LIVE} backup");
    for retries in [0, 1, 3] {
        for redispatch in [None, Some(0), Some(1), Some(2), Some(-1), Some(-2)] {
            // HAProxy 2.6 divides by zero there.
            if redispatch.is_some_and(|every| every < 0 && retries + 1 + every <= 0) {
                continue;
            }
            for list in [&[DEAD, LIVE][..], &[DEAD, DEAD], &[DEAD], &[DEAD, &backup]] {
                for balance in ["roundrobin", "source"] {
                    let redispatch =
                        redispatch.map_or(String::new(), |every| format!("    option redispatch {every}\n"));
                    let lines = format!("    retries {retries}\n    balance {balance}\n{redispatch}");
                    cases.push(Case {
                        lines: lines + &servers(list),
                        method: "GET",
                        wish: "plain",
                        differs: false,
                    });
                }
            }
        }
    }
    for retries in [0, 3] {
        for server in IMPOSSIBLE {
            for list in [&[*server][..], &[server, LIVE], &[server, server]] {
                let lines = format!("    retries {retries}\n{}", servers(list));
                cases.push(Case { lines, method: "GET", wish: "plain", differs: false });
            }
        }
    }
    for words in WORDS {
        for wish in WISHES {
            let differs =
                *wish == "half-head" && (words.contains("response") || words.starts_with("all-retryable"));
            let lines = |more: &str, list: &[&str]| {
                format!("    retries 1\n    retry-on {words}\n{more}{}", servers(list))
            };
            for (more, list, method) in [
                ("", &[LIVE, LIVE][..], "GET"),
                ("    option redispatch 1\n", &[LIVE, LIVE], "GET"),
                ("", &[LIVE], "POST"),
                ("", &[LIVE, LIVE], "PUT"),
                ("    http-request disable-l7-retry\n", &[LIVE], "GET"),
            ] {
                cases.push(Case { lines: lines(more, list), method, wish, differs });
            }
        }
        for list in [&[DEAD, LIVE][..], &[DEAD]] {
            let lines = format!("    retries 2\n    retry-on {words}\n{}", servers(list));
            cases.push(Case { lines, method: "GET", wish: "plain", differs: false });
        }
    }
    cases
}

const COUNTED: [&str; 11] = [
    "stot", "econ", "eresp", "wretr", "wredis", "lbtot", "connect", "hrsp_2xx", "hrsp_4xx", "hrsp_5xx",
    "req_tot",
];

/// First line of the answer, the log line and the counters of the backend and its servers.
fn observe(lab: &Lab, name: &str, program: &Program, cases: &[Case]) -> Vec<[String; 3]> {
    let host = lab.host(name);
    origin::start(&host);
    let socket = host.dir().join("stats.sock").to_string_lossy().into_owned();
    let text = cases.iter().enumerate().fold(GLOBAL.replace("SOCKET", &socket), |mut text, (at, case)| {
        write!(text, "backend b{at}\n{}", case.lines).unwrap();
        text
    });
    let proxy = host.haproxy(program, &Config::written(&host, "haproxy.cfg", &text));
    eventually("the proxy to listen", Duration::from_secs(20), || host.reaches("127.0.0.1:8300"));
    host.wait_told(&socket);
    let answers = Mutex::new(vec![String::new(); cases.len()]);
    let next = AtomicUsize::new(0);
    host.run(|| {
        let visit = |at: usize, case: &Case| {
            let to = SocketAddr::from(([127, 0, 0, 1], 8300));
            let mut stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let (method, wish) = (case.method, case.wish);
            let (framing, body) = match method {
                "POST" => ("Content-Length: 2\r\n", "ab"),
                "PUT" => ("Transfer-Encoding: chunked\r\n", "1;a=b\r\na\r\n1\r\nb\r\n0\r\nX-T: v\r\n\r\n"),
                _ => ("", ""),
            };
            let head =
                format!("{method} /{at}/{wish} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n{framing}\r\n");
            stream.write_all((head + body).as_bytes()).unwrap();
            let (answer, _) = read_all(&mut stream);
            answer.lines().next().unwrap_or_default().to_owned()
        };
        std::thread::scope(|scope| {
            for _ in 0..24 {
                scope.spawn(|| {
                    while let at = next.fetch_add(1, Ordering::Relaxed)
                        && let Some(case) = cases.get(at)
                    {
                        let answer = visit(at, case);
                        answers.lock().unwrap()[at] = answer;
                    }
                });
            }
        });
    });
    let mut seen: Vec<[String; 3]> = answers
        .into_inner()
        .unwrap()
        .into_iter()
        .map(|answer| [answer, String::new(), String::new()])
        .collect();
    // A session is counted and logged when its client is gone already.
    let mut stats = Stats::parse(&host.tell(&socket, "show stat"));
    eventually("the sessions to be over", Duration::from_secs(20), || {
        stats = Stats::parse(&host.tell(&socket, "show stat"));
        stats.number("front", "FRONTEND", "scur") == 0
    });
    for line in proxy.log() {
        // No request's own line.
        if let Some((what, backend)) = line.split_once(" for backend b")
            && let Some(at) = backend.strip_suffix('.').and_then(|number| number.parse::<usize>().ok())
        {
            writeln!(seen[at][2], "{what}").unwrap();
        }
        let path = line.split_once('"').and_then(|(_, request)| request.split('/').nth(1));
        if let Some(at) = path.and_then(|number| number.parse::<usize>().ok()) {
            // The address and the request are the case's.
            let line = settle(&line);
            let line = line.split_once(" front ").map_or("", |(_, line)| line);
            seen[at][1] = line.split_once(" \"").map_or(line, |(line, _)| line).to_owned();
        }
    }
    for (at, (case, seen)) in cases.iter().zip(&mut seen).enumerate() {
        let rows = case.lines.matches("    server ").count();
        let rows = (0..rows).map(|row| format!("s{row}")).chain(["BACKEND".to_owned()]);
        for row in rows {
            write!(seen[2], "{row}").unwrap();
            for column in COUNTED {
                let number = stats.number(&format!("b{at}"), &row, column);
                if number > 0 {
                    write!(seen[2], " {column}={number}").unwrap();
                }
            }
            seen[2] += "; ";
        }
    }
    seen
}

#[test]
fn servers_are_tried_again_as_by_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let cases = cases();
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| observe(&lab, name, program, &cases));
    let mut wrong = Vec::new();
    for ((case, ours), theirs) in cases.iter().zip(&ours).zip(&theirs) {
        // On a busy machine HAProxy drops a line rather than wait for whoever reads its output.
        let same =
            ours[0] == theirs[0] && ours[2] == theirs[2] && (ours[1] == theirs[1] || theirs[1].is_empty());
        if !same && !case.differs {
            let Case { lines, method, wish, .. } = case;
            wrong.push(format!("{method} {wish}\n{lines}  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ\n{}",
        wrong.len(),
        cases.len(),
        wrong[..wrong.len().min(12)].join("\n")
    );
}
