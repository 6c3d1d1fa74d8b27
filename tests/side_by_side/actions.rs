//! Every action of every list of rules with good, empty and odd arguments (`actions.txt`): what the client gets, what the
//! server gets and what the log says, beside HAProxy.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::lab::{Behaviour, Config, Dns, Host, Lab, Part, Process, Program, beside, proxy};

use super::PATIENCE;
use super::watch::{Seen, read_all, settle, steady};

const RULES: &str = include_str!("actions.txt");

const BEGIN: &str = "\
global
    log stdout format raw local0
    expose-experimental-directives
    nbthread 1

defaults
    mode http
    log global
    option httplog
    timeout client 1s
    timeout server 2s
    timeout connect 2s
    timeout http-keep-alive 150ms
    timeout tarpit 100ms
    retries 0

http-errors mine
    errorfile 404 FOLDER/e404.http
    errorfile 403 FOLDER/e403.http
    errorfile 200 FOLDER/e200.http

frontend last
    bind 127.0.0.1:11999
    http-request return status 200

backend o
    server one 127.0.0.1:9000

backend any
    server any 0.0.0.0:9000

resolvers lab
    nameserver one 127.0.0.1:53

resolvers mute
    nameserver one 127.0.0.1:54
    resolve_retries 1
    timeout retry 100ms

resolvers refusing
    nameserver one 127.0.0.1:55
    resolve_retries 1
    timeout retry 100ms
";

const FILES: [(&str, &str); 6] = [
    (
        "e404.http",
        "HTTP/1.1 404 Nope\r\nContent-Type: text/plain\r\nX-E: 1\r\nContent-Length: 5\r\n\r\nnope\n",
    ),
    ("e403.http", "HTTP/1.0 403 Nope\nContent-Type: text/plain\n\nforbid\n"),
    ("e200.http", "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n"),
    ("lf.txt", "path=%[path] src=%[src] st=%[status]\n"),
    ("raw.txt", "raw %[path]\n"),
    ("empty.txt", ""),
];

/// The requests: each with the number of its rule and its own behind `lab: `.
const REQUESTS: [(&str, &str); 5] = [
    (
        "rich",
        "GET /p//./a/../b?x=1&y=2 HTTP/1.1\r\nHost: lab.example\r\nX-A: abc, b\r\nX-A: bd\r\nX-L: v1, v2,v3\r\n\
         X-Ip: 192.0.2.9\r\nX-N: 300\r\nCookie: A=1; B=2\r\nAccept: a, b\r\nConnection: close\r\nlab: @\r\n\r\n",
    ),
    (
        "absolute",
        "POST http://abs.example:81/%7euser/%2f/../x?b=2&a=1 HTTP/1.1\r\nHost: abs.example:81\r\nX-A: q\r\n\
         Content-Length: 5\r\nConnection: close\r\nlab: @\r\n\r\nhello",
    ),
    ("old", "HEAD /h HTTP/1.0\r\nX-A: 1\r\nlab: @\r\n\r\n"),
    ("asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\nlab: @\r\n\r\n"),
    ("kept", "GET / HTTP/1.1\r\nHost: a\r\nlab: @\r\n\r\n"),
];

fn rules() -> impl Iterator<Item = &'static str> {
    RULES.lines().filter(|line| !line.starts_with('#'))
}

fn section(at: usize, rule: &str) -> String {
    let port = 12000 + at;
    let begin = format!("\nfrontend a{at}\n    bind 127.0.0.1:{port}\n");
    if rule.starts_with("tcp-response") {
        return format!(
            "{begin}    default_backend b{at}\n\nbackend b{at}\n    {rule}\n    server one 127.0.0.1:9000\n"
        );
    }
    // What the rule needs to be one.
    let with = match rule {
        _ if rule.contains("capture") && rule.contains("id 0") => "    declare capture response len 10\n",
        _ if rule.starts_with("unique-id-header") => "    unique-id-format %ci\n",
        _ if rule.starts_with("tcp-request content") => "    tcp-request inspect-delay 100ms\n",
        _ if rule.starts_with("error") || rule.starts_with("http-error") => {
            let status =
                ["503", "404"].into_iter().find(|s| rule.contains(&format!(" {s}"))).unwrap_or("403");
            &format!("    http-request deny status {status}\n")
        }
        _ => "",
    };
    let seen = "    http-request add-header X-Seen \"%[src] %[var(txn.a)] %[unique-id]\"\n";
    let rule = rule.replace(" | ", "\n    ");
    format!("{begin}{with}    {rule}\n{seen}    default_backend o\n")
}

/// The name servers of the resolvers: one that knows names, one that never answers, one that refuses to.
fn name_servers(host: &Host) -> [Dns; 3] {
    let servers = [
        Dns::start(host, "127.0.0.1:53", Behaviour::Answers),
        Dns::start(host, "127.0.0.1:54", Behaviour::Silent),
        Dns::start(host, "127.0.0.1:55", Behaviour::Refuses),
    ];
    let names: [(&str, &[&str]); 5] = [
        ("one.lab", &["127.0.0.1"]),
        ("six.lab", &["fd00::6"]),
        ("both.lab", &["10.1.2.1", "fd00::1"]),
        ("lab.example", &["10.1.2.2"]),
        ("none.lab", &[]),
    ];
    for (name, addresses) in names {
        servers[0].set_all(name, addresses);
    }
    servers
}

/// What reached the server, by what stands behind `lab: `.
type Received = Arc<Mutex<HashMap<String, String>>>;

fn serve(mut stream: TcpStream, received: &Received) -> std::io::Result<()> {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-R: a, b\r\nX-R: c\r\n\
        Set-Cookie: S=1; path=/\r\nContent-Type: text/plain\r\n\r\nok\n";
    let (mut pending, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        pending.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&pending).into_owned();
        let Some(end) = text.find("\r\n\r\n") else { continue };
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let length = value("content-length: ").and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
        if text.len() < end + 4 + length {
            continue;
        }
        if let Some(whose) = value("lab: ") {
            *received.lock().unwrap().entry(whose.to_owned()).or_default() += &text[..end + 4 + length];
        }
        let body = if text.starts_with("HEAD ") { ANSWER.len() - 3 } else { ANSWER.len() };
        stream.write_all(&ANSWER[..body])?;
        pending.clear();
    }
}

fn send(host: &Host, port: usize, bytes: &[u8]) -> (String, bool) {
    let address = format!("127.0.0.1:{port}");
    let mut stream = host.run(|| TcpStream::connect(address).unwrap());
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(bytes);
    read_all(&mut stream)
}

/// What came of each request of each rule.
type Outcome = HashMap<(usize, &'static str), Seen>;

/// A proxy with all rules, each at an address of its own.
struct Bench {
    proxy: Process,
    received: Received,
    /// Log lines of earlier rounds.
    read: usize,
    round: usize,
    _names: [Dns; 3],
    host: Host,
}

impl Bench {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        for (file, text) in FILES {
            host.file(file, text);
        }
        let names = name_servers(&host);
        let received = Received::default();
        let listener = host.run(|| TcpListener::bind("127.0.0.1:9000").unwrap());
        let keeping = received.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let keeping = keeping.clone();
                std::thread::spawn(move || serve(stream, &keeping));
            }
        });
        let sections: String = rules().enumerate().map(|(at, rule)| section(at, rule)).collect();
        let text = format!("{BEGIN}{sections}").replace("FOLDER", &host.dir().to_string_lossy());
        let proxy = host.haproxy_bound(program, &Config::written(&host, "haproxy.cfg", &text));
        Self { proxy, received, read: 0, round: 0, _names: names, host }
    }

    /// Sends all requests to the rules with these numbers.
    fn ask(&mut self, which: &[usize]) -> Outcome {
        self.received.lock().unwrap().clear();
        let next = AtomicUsize::new(0);
        let answers = Mutex::new(HashMap::new());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while let Some(&at) = which.get(next.fetch_add(1, Ordering::Relaxed)) {
                        for (name, text) in REQUESTS {
                            let text = text.replace('@', &format!("{at}.{name}"));
                            let answer = send(&self.host, 12000 + at, text.as_bytes());
                            answers.lock().unwrap().insert((at, name), answer);
                        }
                    }
                });
            }
        });
        // Behind all others there is one line more.
        self.round += 1;
        let end = format!("GET /end{} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", self.round);
        send(&self.host, 11999, end.as_bytes());
        self.proxy.wait_log(&format!("\"GET /end{} ", self.round), PATIENCE);
        let log = self.proxy.log().split_off(self.read);
        self.read += log.len();
        let received = self.received.lock().unwrap();
        let seen = answers.into_inner().unwrap().into_iter().map(|((at, name), (answer, closed))| {
            let request = received.get(&format!("{at}.{name}")).map(|text| steady(text)).unwrap_or_default();
            // The lines of a frontend are in the order of its requests.
            let own = [format!(" a{at} "), format!(" a{at}/")];
            let own = log.iter().filter(|line| own.iter().any(|name| line.contains(name)));
            let log = if name == "rich" { own.map(|line| settle(line)).collect() } else { Vec::new() };
            ((at, name), Seen { answer: steady(&answer), closed, request, log })
        });
        seen.collect()
    }
}

/// What differs of a rule, request by request.
fn differences(at: usize, rule: &str, ours: &Outcome, theirs: &Outcome) -> String {
    let of = |name| ours[&(at, name)].differs(&theirs[&(at, name)], &format!("{rule} [{name}]"));
    REQUESTS.iter().filter_map(|(name, _)| of(name)).collect()
}

#[test]
fn the_same_actions_as_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let (mut ours, mut theirs) =
        beside(&proxy(), "haproxy", |name, program| Bench::start(&lab, name, program));
    let rules: Vec<&str> = rules().collect();
    assert!(rules.len() > 250, "the table is whole: {}", rules.len());
    let mut wrong: Vec<(usize, String)> = (0..rules.len()).map(|at| (at, String::new())).collect();
    // A machine that is busy with other tests is late by whole timeouts: what differs is asked again.
    for _ in 0..3 {
        let which: Vec<usize> = wrong.iter().map(|(at, _)| *at).collect();
        let (ours, theirs) = std::thread::scope(|scope| {
            let ours = scope.spawn(|| ours.ask(&which));
            let theirs = theirs.ask(&which);
            (ours.join().unwrap(), theirs)
        });
        wrong = which.iter().map(|&at| (at, differences(at, rules[at], &ours, &theirs))).collect();
        wrong.retain(|(_, text)| !text.is_empty());
        if wrong.is_empty() {
            return;
        }
        println!("{} of {} differ", wrong.len(), which.len());
    }
    let text: Vec<String> = wrong.into_iter().map(|(_, text)| text).collect();
    panic!("{} of {} differ every time\n{}", text.len(), rules.len(), text.join("\n"));
}
