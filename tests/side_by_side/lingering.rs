//! How connections end with `option nolinger` on each side and without: with what comes last, and with FIN or RST, for
//! clients and for servers that end theirs in every way, beside HAProxy.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use crate::lab::{
    Config, Host, Lab, Part, Process, Program, beside, eventually, proxy, read_head, show_stat,
};

use super::PATIENCE;
use super::watch::Earlier;

const SOCKET: &str = "/run/lingering.sock";

const MODES: [&str; 2] = ["http", "tcp"];

/// Lines of the frontend and of the backend.
const OPTIONS: [(&str, &str); 5] = [
    ("", ""),
    ("option nolinger", ""),
    ("", "option nolinger"),
    ("option nolinger", "option nolinger"),
    ("option nolinger", "option http-server-close"),
];

/// What the server does with a request.
const SERVERS: [&str; 6] = ["keeps", "closes", "resets", "leaves", "silent", "late"];

/// What the client does with its connection.
const CLIENTS: [&str; 6] = ["waits", "closes", "resets", "shuts", "left", "denied"];

/// Address of clients that are not let in.
const DENIED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// Which mode, options, server and client a case has.
type Case = (&'static str, usize, &'static str, &'static str);

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for mode in MODES {
        for options in 0..OPTIONS.len() {
            for server in SERVERS {
                all.extend(CLIENTS.map(|client| (mode, options, server, client)));
            }
        }
    }
    all
}

fn config() -> String {
    let mut out = format!(
        "global\n    stats socket {SOCKET} level admin\ndefaults\n    timeout client 700ms\n    timeout server 1400ms\n    \
                   timeout connect 5s\n    timeout http-keep-alive 300ms\n    retries 0\n    http-reuse never\n"
    );
    for (at, mode) in MODES.iter().enumerate() {
        for (options, (front, back)) in OPTIONS.iter().enumerate() {
            let port = 12000 + at * OPTIONS.len() + options;
            let (front, back) = (format!("    {front}\n"), format!("    {back}\n"));
            let deny = match *mode {
                "http" => format!("    http-request deny if {{ src {DENIED} }}\n"),
                _ => format!(
                    "    tcp-request inspect-delay 5s\n    tcp-request content reject if {{ src {DENIED} }} {{ req.len gt 0 }}\n"
                ),
            };
            out += &format!("frontend f{port}\n    mode {mode}\n    bind 127.0.0.1:{port}\n{front}{deny}");
            out += &format!("    default_backend b{port}\n");
            out += &format!("backend b{port}\n    mode {mode}\n{back}    server s 127.0.0.1:9000\n");
        }
    }
    out
}

/// What comes until the other side ends, and how it does.
fn read_out(stream: &mut TcpStream) -> String {
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    let end = loop {
        match stream.read(&mut piece) {
            Ok(0) => break "FIN".to_owned(),
            Ok(read) => seen.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break "RST".to_owned(),
            Err(error) => break format!("{:?}", error.kind()),
        }
    };
    // A reset may take away what came before.
    let text = if end == "RST" { "".into() } else { String::from_utf8_lossy(&seen) };
    format!("{} [{end}]", text.lines().next().unwrap_or_default())
}

fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// How the connections of cases ended for the server, how many came and how many are open.
#[derive(Default)]
struct Ends {
    seen: Mutex<BTreeMap<usize, String>>,
    taken: AtomicUsize,
    open: AtomicUsize,
}

/// The server: `GET /NUMBER/WISH`.
fn serve(mut stream: TcpStream, ends: &Ends) {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let Ok(head) = read_head(&mut stream) else { return };
    let mut words = head.split(['/', ' ']).skip(2);
    let (number, wish) = (words.next().unwrap().parse().unwrap(), words.next().unwrap());
    let answers = matches!(wish, "keeps" | "closes" | "resets");
    let broken = answers && stream.write_all(ANSWER).is_err();
    match wish {
        "closes" | "leaves" => return,
        "resets" => return reset(stream),
        _ => {}
    }
    // Who finds it broken when writing is not told again.
    let end = if broken { " [RST]".to_owned() } else { read_out(&mut stream) };
    if wish == "late" {
        let _ = stream.write_all(ANSWER);
    }
    ends.seen.lock().unwrap().insert(number, end);
}

/// The client of a case: what it saw.
fn ask(number: usize, (mode, options, server, client): Case) -> String {
    let at = MODES.iter().position(|known| *known == mode).unwrap();
    let port = u16::try_from(12000 + at * OPTIONS.len() + options).unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    if client == "denied" {
        socket.bind(&SocketAddr::from((DENIED, 0)).into()).unwrap();
    }
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET /{number}/{server} HTTP/1.1\r\nHost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let answers = matches!(server, "keeps" | "closes" | "resets");
    match client {
        // Who ends the connection after the answer waits for it.
        "closes" | "resets" if answers => {
            let mut piece = [0; 4096];
            let _ = stream.read(&mut piece);
        }
        "shuts" => {
            let _ = stream.shutdown(Shutdown::Write);
        }
        _ => {}
    }
    match client {
        "closes" | "left" => return String::new(),
        "resets" => {
            reset(stream);
            return String::new();
        }
        _ => {}
    }
    read_out(&mut stream)
}

/// A program with its server.
struct Side {
    host: Host,
    ends: Arc<Ends>,
    /// How many connections clients made.
    asked: AtomicUsize,
    _proxy: Process,
}

impl Side {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        let ends = Arc::new(Ends::default());
        let listener = host.run(|| TcpListener::bind("127.0.0.1:9000").unwrap());
        let serving = ends.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                serving.open.fetch_add(1, Ordering::SeqCst);
                serving.taken.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    serve(stream, &serving);
                    serving.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        let proxy = host.haproxy_bound(program, &Config::written(&host, "ends.cfg", &config()));
        host.wait_told(SOCKET);
        Self { host, ends, asked: AtomicUsize::new(0), _proxy: proxy }
    }

    /// Has the proxy served everybody who asked, and has the server seen every connection it made to the end?
    fn is_quiet(&self) -> bool {
        let stats = show_stat(&self.host, SOCKET);
        let sum = |name: &str, column: &str| -> u64 {
            let ports = 12000..12000 + MODES.len() * OPTIONS.len();
            let proxy =
                |port: usize| if name == "FRONTEND" { format!("f{port}") } else { format!("b{port}") };
            ports.map(|port| stats.number(&proxy(port), name, column)).sum()
        };
        let count = |count: &AtomicUsize| count.load(Ordering::SeqCst) as u64;
        sum("FRONTEND", "stot") == count(&self.asked)
            && sum("FRONTEND", "scur") == 0
            && count(&self.ends.taken) == sum("s", "connect")
            && count(&self.ends.open) == 0
    }

    /// What client and server of these cases saw, so many of them at once.
    fn seen(&self, cases: &[(usize, Case)], at_once: usize) -> BTreeMap<usize, (String, String)> {
        let next = AtomicUsize::new(0);
        let seen = Mutex::new(BTreeMap::new());
        self.ends.seen.lock().unwrap().clear();
        self.host.run(|| {
            std::thread::scope(|scope| {
                for _ in 0..at_once {
                    scope.spawn(|| {
                        while let Some((number, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                            let came = ask(*number, *case);
                            seen.lock().unwrap().insert(*number, came);
                        }
                    });
                }
            });
        });
        self.asked.fetch_add(cases.len(), Ordering::SeqCst);
        // A client that leaves may be done before the proxy has begun, and the server may not know of a connection yet.
        eventually("the sessions to end", PATIENCE, || self.is_quiet());
        let ends = self.ends.seen.lock().unwrap();
        let seen = seen.into_inner().unwrap().into_iter();
        seen.map(|(number, came)| (number, (came, ends.get(&number).cloned().unwrap_or_default()))).collect()
    }
}

#[test]
fn connections_end_as_haproxys() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| Side::start(&lab, name, program));
    let mut cases: Vec<(usize, Case)> = cases().into_iter().enumerate().collect();
    let count = cases.len();
    let mut wrong = Vec::new();
    // Where both ends end theirs, who is faster decides. What differs is asked again, one after the other.
    let mut earlier = Earlier::new();
    for round in 0..4 {
        let at_once = if round == 0 { 24 } else { 1 };
        let (ours, theirs) = std::thread::scope(|scope| {
            let ours = scope.spawn(|| ours.seen(&cases, at_once));
            let theirs = theirs.seen(&cases, at_once);
            (ours.join().unwrap(), theirs)
        });
        if round == 0 {
            let is_reset =
                |(client, server): &(String, String)| client.contains("RST") || server.contains("RST");
            let resets = theirs.values().filter(|seen| is_reset(seen)).count();
            assert!(resets > count / 5 && resets < count / 2, "the table has both ends: {resets}");
        }
        cases.retain(|(number, _)| {
            !earlier
                .agrees(*number, ours[number].clone(), theirs[number].clone(), |ours, theirs| ours == theirs)
        });
        let text = |(number, (mode, options, server, client)): &(usize, Case)| {
            let (ours, theirs, options) = (&ours[number], &theirs[number], OPTIONS[*options]);
            format!("{mode} {options:?} server {server}, client {client}: {ours:?} instead of {theirs:?}")
        };
        wrong = cases.iter().map(text).collect();
    }
    assert!(wrong.is_empty(), "{} of {count} differ\n{}", wrong.len(), wrong.join("\n"));
}
