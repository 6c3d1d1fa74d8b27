//! The stats socket for those who look inside: answers beside HAProxy's, traces of one session, descriptors by kind, what work
//! costs, a request of one's own.

use std::time::Duration;

use crate::lab::{Config, Connection, Host, Lab, Part, Process, Program, get, proxy, wait_for};

const SOCKET: &str = "/run/experts.sock";

const CONFIG: &str = "\
global
    stats socket /run/experts.sock level admin
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
frontend fe
    bind 127.0.0.1:8001
    http-request return status 200 hdr x-v seen if { path /direct }
    default_backend be
backend be
    server one 127.0.0.1:8002
frontend origin
    bind 127.0.0.1:8002
    http-request return status 200 hdr x-v origin
";

/// A program with a machine of its own.
struct Side {
    _proxy: Process,
    host: Host,
}

impl Side {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        let proxy = host.haproxy(program, &Config::written(&host, "experts.cfg", CONFIG));
        let side = Self { _proxy: proxy, host };
        side.host.wait_told(SOCKET);
        side
    }

    fn ask(&self, command: &str) -> String {
        self.host.tell(SOCKET, command)
    }
}

/// Answered as by 3.5; 2.6 says less, or knows none of it.
const NEWER: &[(&str, &str)] = &[
    ("trace nosuch", "No such trace source 'nosuch'"),
    ("trace h1 sink nowhere", "No such trace sink 'nowhere'"),
    ("trace h1 event nope", "No such trace event 'nope'"),
    ("trace h1 dance now", "Unknown trace keyword 'dance'"),
    ("trace h1 lock nowhere", "Unsupported lock-on criterion 'nowhere'"),
    ("trace all lock session", "'lock' not applicable to meta-source 'all'"),
    ("trace h1 follow nobody", "No such trace source 'nobody'"),
    ("trace 0", "All traces now stopped"),
    ("show anon", "Anonymized mode disabled"),
    ("set anon on 0", "Value out of range (1 to 4294967295 expected)."),
    ("set anon off 7", "Key can't be added while disabling anonymized mode"),
    ("echo one two", "one two"),
    ("debug dev hash x", "x"),
];

/// Answered alike: what is refused and how, and states that both have.
const ALIKE: &[&str] = &[
    "set profiling",
    "set profiling what",
    "set profiling tasks",
    "set profiling memory on",
    "set profiling tasks on;show profiling status",
    "set profiling tasks off;show profiling status",
    "show profiling status memory tasks status",
    "trace h1 level",
    "trace check lock",
    "show env NOBODY_SET_THIS",
    "show cli level",
    "show cli sockets",
    "set timeout",
    "set timeout cli",
    "set timeout cli x",
    "set severity-output",
    "expert-mode",
    "experimental-mode",
    "expert-mode on;expert-mode",
    "httpclient GET http://127.0.0.1:8001/",
    "debug dev write 8",
    "expert-mode on;debug dev delay 1",
    "set rate-limit connections global",
    "get var",
    "get var proc.nobody",
];

#[test]
fn experts_are_answered_as_by_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let reference = Side::start(&lab, "theirs", &Program::reference("haproxy"));
    let ours = Side::start(&lab, "ours", &proxy());
    for command in ALIKE {
        assert_eq!(reference.ask(command), ours.ask(command), "{command}");
    }
    for (command, answer) in NEWER {
        assert_eq!(ours.ask(command), format!("{answer}\n\n"), "{command}");
    }
    // What damages the process is refused, and the process lives.
    for what in ["panic", "exit", "loop 1000", "hex 0x0", "tkill", "bug", "close 0"] {
        let answer = ours.ask(&format!("expert-mode on;debug dev {what}"));
        assert!(
            answer.contains("'debug dev' is refused: this program has no command that damages itself"),
            "{answer}"
        );
    }
    assert_eq!(ours.ask("expert-mode on;debug dev write 8"), "\n........\n\n");
}

#[test]
fn a_trace_stays_with_the_session_that_started_it() {
    let Some(lab) = Lab::open(&[Part::Program("socat")]) else { return };
    let side = Side::start(&lab, "ours", &proxy());
    // The documentation's own example, and a lock on what has no server yet.
    let set = "trace session sink buf0 level user lock session start sess_new pause sess_end;\
               trace h1 sink buf0 verbosity complete follow session;show trace";
    let state = side.ask(set);
    assert!(state.contains(" [w] session ") && state.contains(" [.] h1 "), "{state}");
    let mut first = Connection::open(&side.host, "127.0.0.1:8001").unwrap();
    first.exchange("GET /first HTTP/1.1\r\nHost: h\r\nX-Told: yes\r\n\r\n").unwrap();
    let other = get(&side.host, "127.0.0.1:8001", "/other").unwrap();
    assert_eq!(other.status, 200);
    first.exchange("GET /again HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
    let told = wait_for("its end", Duration::from_secs(20), || {
        let told = side.ask("show events buf0");
        told.contains("[session|sess_end]").then_some(told)
    });
    for part in [
        "[h1|rx_headers] H1 request of client GET /first HTTP/1.1",
        " | x-told: yes",
        "[h1|tx_headers] H1 request to server GET /first HTTP/1.1",
        "[h1|tx_headers] H1 response to client HTTP/1.1 200",
        "[h1|rx_headers] H1 request of client GET /again HTTP/1.1",
    ] {
        assert!(told.to_ascii_lowercase().contains(&part.to_ascii_lowercase()), "{part}: {told}");
    }
    // Neither the other client, nor the second half of what went through here twice.
    assert!(!told.contains("/other") && !told.contains("fe=origin"), "{told}");
    assert!(side.ask("show trace").contains(" [w] session "));
    assert_eq!(side.ask("trace 0"), "All traces now stopped\n\n");
}

#[test]
fn descriptors_work_and_requests_are_looked_at_by_experts() {
    let Some(lab) = Lab::open(&[Part::Program("socat")]) else { return };
    let side = Side::start(&lab, "ours", &proxy());
    let mut held = Connection::open(&side.host, "127.0.0.1:8001").unwrap();
    held.exchange("GET /held HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let lines = |what: &str| side.ask(&format!("show fd {what}")).lines().count() - 1;
    let listeners = side.ask("show fd l");
    for part in ["local=127.0.0.1:8001 ", "local=127.0.0.1:8002 ", "local=unix:/run/experts.sock"] {
        assert!(listeners.contains(part), "{part}: {listeners}");
    }
    // The client's, the origin's half, this command; and the connection that waits for the next request.
    let (front, back) = (side.ask("show fd f"), side.ask("show fd b"));
    assert!(
        front.lines().any(|line| line.contains("type=front") && line.contains("local=127.0.0.1:8001 ")),
        "{front}"
    );
    assert!(
        back.lines().any(|line| line.contains("type=back") && line.contains("peer=127.0.0.1:8002")),
        "{back}"
    );
    assert!(!back.contains("type=front") && !side.ask("show fd c!f").contains("type=front"));
    assert!(lines("") > lines("-l") && lines("-l") > lines("c"));
    assert_eq!(side.ask("show fd x"), "Invalid FD type\n\n");
    let number = listeners.split(" : ").next().unwrap().trim();
    assert_eq!(side.ask(&format!("show fd {number}")).lines().count(), 2, "fd {number}");

    let calls = |text: &str, what: &str| -> u64 {
        let line = text.lines().find(|line| line.trim_start().starts_with(what));
        line.and_then(|line| line.split_ascii_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
    };
    assert_eq!(side.ask("set profiling tasks on"), "\n");
    for _ in 0..5 {
        get(&side.host, "127.0.0.1:8001", "/counted").unwrap();
    }
    let profile = side.ask("set profiling tasks off;show profiling");
    assert!(calls(&profile, "session ") >= 5, "{profile}");
    assert!(!profile.contains(" session                           0"), "{profile}");
    get(&side.host, "127.0.0.1:8001", "/uncounted").unwrap();
    let later = side.ask("show profiling tasks");
    assert_eq!(calls(&profile, "session "), calls(&later, "session "), "{later}");
    assert_eq!(side.ask("show profiling tasks 1").lines().count(), 4);

    let answer = side.ask("expert-mode on;httpclient GET http://127.0.0.1:8001/direct");
    assert!(answer.contains("HTTP/1.1 200") && answer.contains("x-v: seen"), "{answer}");
    let refused = side.ask("expert-mode on;httpclient GET http://127.0.0.1:9/");
    assert!(refused.contains("The request failed: Connection refused"), "{refused}");
}
