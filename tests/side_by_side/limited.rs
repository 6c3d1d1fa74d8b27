//! `set-bandwidth-limit` in every list of rules: how far a limited stream has come when another one of a known limit has come to
//! a mark. Both are slow by the same machine, so it is only their relation that counts. Beside a HAProxy that has such
//! filters (2.7 and later), where `TANDEM_REFERENCE_HAPROXY` names one.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::lab::{Config, Host, Lab, Part, Program, eventually, proxy, read_head};

/// Bytes that the stream with a limit of [`MARKED`] a second has to come to.
const MARK: u64 = 4 * MARKED;
const MARKED: u64 = 200_000;

/// A stream that has come so far has no limit.
const FAR: u64 = 4 * MARK;

/// Where the bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Down,
    Up,
}
use Way::{Down, Up};

/// Lines of a proxy, and the bytes a second that they let through; nothing: as many as there are.
const CASES: &[(Way, &str, Option<u64>)] = &[
    (
        Down,
        "filter bwlim-out d default-limit 200000 default-period 1s;http-response set-bandwidth-limit d",
        Some(MARKED),
    ),
    (Down, "", None),
    (Down, "filter bwlim-out d default-limit 50000 default-period 1s", None),
    (
        Down,
        "filter bwlim-out d default-limit 50000 default-period 1s;http-response set-bandwidth-limit d",
        Some(50_000),
    ),
    (
        Down,
        "filter bwlim-out d default-limit 50000 default-period 1s;http-request set-bandwidth-limit d",
        Some(50_000),
    ),
    (
        Down,
        "filter bwlim-out d default-limit 50000 default-period 1s;http-request set-bandwidth-limit d if { path /no }",
        None,
    ),
    (
        Down,
        "filter bwlim-out d default-limit 5k default-period 1s;http-response set-bandwidth-limit d limit 100000",
        Some(100_000),
    ),
    (
        Down,
        "filter bwlim-out d default-limit 50000 default-period 1s;http-response set-bandwidth-limit d period 500ms",
        Some(100_000),
    ),
    (
        Down,
        "filter bwlim-out d default-limit 5k default-period 10s;http-response set-bandwidth-limit d limit int(40000),mul(2) period int(500)",
        Some(160_000),
    ),
    (
        Down,
        "filter bwlim-out d default-limit 50000 default-period 1s;http-response set-bandwidth-limit d limit int(-5) period int(0)",
        Some(50_000),
    ),
    (
        Down,
        "filter bwlim-out d default-limit 50000 default-period 1s;http-response set-bandwidth-limit d limit res.hdr(none),length",
        Some(50_000),
    ),
    (
        Down,
        "filter bwlim-out d default-limit 5k default-period 1s;http-response set-bandwidth-limit d limit 150000;\
         http-response set-bandwidth-limit d limit 40000",
        Some(40_000),
    ),
    (
        Down,
        "filter bwlim-out d default-limit 150000 default-period 1s;filter bwlim-out e default-limit 60000 default-period 1s;\
         http-response set-bandwidth-limit d;http-response set-bandwidth-limit e",
        Some(60_000),
    ),
    (
        Down,
        "filter bwlim-out d default-limit 60000 default-period 1s min-size 20k;http-response set-bandwidth-limit d",
        Some(60_000),
    ),
    (Down, "filter bwlim-in d default-limit 5000 default-period 1s;http-request set-bandwidth-limit d", None),
    (
        Up,
        "filter bwlim-in d default-limit 50000 default-period 1s;http-request set-bandwidth-limit d",
        Some(50_000),
    ),
    (
        Up,
        "filter bwlim-in d default-limit 5k default-period 1s;http-request set-bandwidth-limit d limit 80k",
        Some(81_920),
    ),
    (Up, "filter bwlim-out d default-limit 5000 default-period 1s;http-request set-bandwidth-limit d", None),
    (
        Down,
        "mode tcp;filter bwlim-out d default-limit 50000 default-period 1s;tcp-response content set-bandwidth-limit d",
        Some(50_000),
    ),
    (
        Down,
        "mode tcp;filter bwlim-out d default-limit 50000 default-period 1s;tcp-request content set-bandwidth-limit d",
        Some(50_000),
    ),
    (
        Up,
        "mode tcp;filter bwlim-in d default-limit 50000 default-period 1s;tcp-request content set-bandwidth-limit d",
        Some(50_000),
    ),
    (Up, "mode tcp;filter bwlim-in d default-limit 50000 default-period 1s", None),
];

fn config() -> String {
    let mut out = "global\n    nbthread 1\ndefaults\n    mode http\n    timeout connect 10s\n    timeout client 1m\n    \
                   timeout server 1m\n"
        .to_owned();
    for (at, (_, lines, _)) in CASES.iter().enumerate() {
        out += &format!("listen l{at}\n    bind 127.0.0.1:{}\n", 12000 + at);
        lines.split(';').for_each(|line| out += &format!("    {line}\n"));
        out += "    server one 127.0.0.1:9000\n";
    }
    out
}

/// Bytes of the body that each case's receiver has.
#[derive(Default)]
struct Bench {
    came: Vec<AtomicU64>,
    over: AtomicBool,
}

impl Bench {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Counts what comes until it is enough.
    fn receive(&self, at: usize, mut stream: TcpStream) {
        let mut piece = [0; 16384];
        while !self.is_over() && self.came[at].load(Ordering::Relaxed) < FAR {
            match stream.read(&mut piece) {
                Ok(read) if read > 0 => self.came[at].fetch_add(read as u64, Ordering::Relaxed),
                _ => return,
            };
        }
    }

    fn send(&self, mut stream: TcpStream) {
        while !self.is_over() && stream.write_all(&[b'x'; 16384]).is_ok() {}
    }

    /// The server: who asks for the way up sends, everybody else is sent to.
    fn serve(&self, mut stream: TcpStream) {
        let Ok(head) = read_head(&mut stream) else { return };
        let number = head.split(' ').nth(1).and_then(|path| path[1..].parse().ok());
        if head.starts_with("POST") {
            self.receive(number.unwrap(), stream);
        } else if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").is_ok() {
            self.send(stream);
        }
    }

    fn ask(&self, at: usize, way: Way) {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", 12000 + at)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let method = if way == Up { "POST" } else { "GET" };
        write!(stream, "{method} /{at} HTTP/1.1\r\nHost: h\r\n").unwrap();
        if way == Up {
            stream.write_all(b"Content-Length: 1000000000\r\n\r\n").unwrap();
            self.send(stream);
        } else {
            stream.write_all(b"\r\n").unwrap();
            self.receive(at, stream);
        }
    }
}

/// How far each case's stream has come at the mark.
fn observe(host: &Host, program: &Program) -> Vec<u64> {
    let bench =
        Arc::new(Bench { came: CASES.iter().map(|_| AtomicU64::new(0)).collect(), ..Bench::default() });
    let listener = host.run(|| TcpListener::bind("127.0.0.1:9000").unwrap());
    let serving = bench.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serving = serving.clone();
            std::thread::spawn(move || serving.serve(stream));
        }
    });
    let _proxy = host.haproxy_bound(program, &Config::written(host, "haproxy.cfg", &config()));
    let at_mark = Mutex::default();
    host.run(|| {
        std::thread::scope(|scope| {
            for (at, (way, ..)) in CASES.iter().enumerate() {
                let bench = &bench;
                scope.spawn(move || bench.ask(at, *way));
            }
            eventually("the marked stream to come far enough", Duration::from_secs(60), || {
                bench.came[0].load(Ordering::Relaxed) >= MARK
            });
            *at_mark.lock().unwrap() = bench.came.iter().map(|came| came.load(Ordering::Relaxed)).collect();
            bench.over.store(true, Ordering::Relaxed);
        });
    });
    at_mark.into_inner().unwrap()
}

/// What is wrong with how far the streams have come: a limit is one when it holds within half and twice.
fn judge(seen: &[u64]) -> Vec<String> {
    let expected = |limit: u64| limit * MARK / MARKED;
    let wrong = CASES.iter().zip(seen).filter(|((_, _, limit), seen)| match limit {
        Some(limit) => !(expected(*limit) / 2..=expected(*limit) * 2).contains(seen),
        None => **seen < 2 * MARK,
    });
    wrong
        .map(|((_, lines, limit), seen)| format!("{lines}: {seen} instead of {:?}", limit.map(expected)))
        .collect()
}

#[test]
fn bandwidth_limits_hold_as_haproxys() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let wrong = judge(&observe(&lab.host("ours"), &proxy()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let reference = Program::reference_haproxy();
    let host = lab.host("theirs");
    let file = Config::written(&host, "haproxy.cfg", &config());
    if !reference.takes(&host, &file) {
        println!("not compared: this HAProxy has no such filters (TANDEM_REFERENCE_HAPROXY names another)");
        return;
    }
    let wrong = judge(&observe(&host, &reference));
    assert!(wrong.is_empty(), "the reference: {}", wrong.join("\n"));
}
