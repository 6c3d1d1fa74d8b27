//! Connections to servers: which request goes over which of them, whose they are, and what becomes of one that carried a
//! tunnel, a response that was asked for again, or a request without an end, on our proxy and on a real HAProxy.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{Read as _, Result, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::watch::settle;
use super::{PATIENCE, origin::read_body};
use crate::lab::{Config, Host, Lab, Part, Program, Stats, beside, eventually, proxy, read_head};

const GLOBAL: &str = "\
global
    log stdout format raw local0
    stats socket SOCKET level admin
    nbthread 1
defaults
    mode http
    log global
    option httplog
    retries 1
    timeout connect 5s
    timeout client 20s
    timeout server 20s
frontend front
    bind 127.0.0.1:8300
    use_backend b%[req.hdr(case)]
";

/// Lines of a backend, and what clients do one after the other: the number of the client, its method and what the server is
/// to answer, the first time and the second. `PUT` has a body that is not whole when the server has its head, `OLD` is a
/// request of HTTP/1.0 with chunks.
const CASES: &[(&str, &[&str])] = &[
    // What carried a tunnel serves nobody else.
    ("http-reuse always", &["0 CONNECT tunnel", "1 GET plain", "2 GET plain"]),
    ("http-reuse safe", &["0 GET plain", "0 CONNECT tunnel", "1 GET plain"]),
    ("http-reuse never", &["0 CONNECT tunnel", "0 GET plain"]),
    ("http-reuse always", &["0 CONNECT refused", "1 GET plain"]),
    // No change of protocols without a request for it, which counts all the same.
    ("http-reuse always", &["0 CONNECT switch", "1 GET switch", "1 GET plain"]),
    // `pool-max-conn 0`: none is kept, unless it is the client's own.
    ("http-reuse always;pool-max-conn 0", &["0 GET plain", "0 GET plain", "1 GET plain"]),
    ("http-reuse safe;pool-max-conn 0", &["0 GET plain", "0 GET plain", "1 GET plain"]),
    ("http-reuse never;pool-max-conn 0", &["0 GET plain", "0 GET plain", "1 GET plain"]),
    ("http-reuse safe;pool-max-conn 0", &["0 GET ntlm", "0 GET plain", "1 GET plain"]),
    // A first request goes over a kept connection where it would be tried again in any case.
    ("http-reuse safe;retry-on all-retryable-errors", &["0 GET plain", "1 GET plain", "0 GET plain"]),
    (
        "http-reuse safe;retry-on conn-failure empty-response response-timeout",
        &["0 GET plain", "1 GET plain", "2 GET plain"],
    ),
    ("http-reuse safe;retry-on conn-failure empty-response", &["0 GET plain", "1 GET plain"]),
    ("http-reuse aggressive;retry-on all-retryable-errors", &["0 GET plain", "1 GET plain"]),
    ("http-reuse aggressive", &["0 GET plain", "1 GET plain", "0 GET plain", "1 GET plain", "2 GET plain"]),
    ("http-reuse never;retry-on all-retryable-errors", &["0 GET plain", "1 GET plain", "0 GET plain"]),
    // A response that is asked for again leaves a connection of use where it has come whole.
    ("http-reuse always;retry-on 503", &["0 GET busy,plain", "0 GET plain"]),
    ("http-reuse always;retry-on 503", &["0 GET busy-chunks,plain", "1 GET plain"]),
    ("http-reuse always;retry-on 503", &["0 GET busy-closing,plain", "1 GET plain"]),
    ("http-reuse never;retry-on 503", &["0 GET busy,plain", "0 GET plain"]),
    ("http-reuse safe;retry-on 503", &["0 GET busy,plain", "0 POST busy,busy"]),
    ("http-reuse safe;retry-on 503", &["0 POST busy,plain", "0 GET plain"]),
    // Nobody asks again for what could not be sent again: the response is the client's.
    ("http-reuse safe;retry-on 503", &["0 PUT busy,plain", "0 GET plain"]),
    ("http-reuse safe;retry-on 503", &["0 PUT busy-chunks,plain", "0 GET plain"]),
    ("http-reuse safe;retry-on 404", &["0 CONNECT refused,tunnel", "0 GET plain"]),
    // Chunks of HTTP/1.0 have no end that all agree on.
    ("http-reuse always", &["0 OLD plain", "1 GET plain"]),
    // One that proves closed ends the client's too, without a word, if that has carried requests before and this one is not
    // to be tried again.
    ("http-reuse safe", &["0 GET plain", "0 POST closes", "1 GET plain"]),
    ("http-reuse never", &["0 GET plain", "0 POST closes", "0 GET plain"]),
    ("http-reuse always", &["0 GET plain", "1 POST closes", "1 GET plain"]),
    ("http-reuse always", &["0 GET plain", "1 PUT closes", "1 GET plain"]),
    // Nor is one sent twice that could be, unless the configuration says so.
    ("http-reuse safe", &["0 GET plain", "0 GET closes", "1 GET plain"]),
    ("http-reuse never", &["0 GET plain", "0 GET closes", "0 GET plain"]),
    ("http-reuse always", &["0 GET plain", "1 GET closes", "1 GET plain"]),
    ("http-reuse always;option redispatch", &["0 GET plain", "1 GET plain", "1 GET closes", "0 GET plain"]),
    ("http-reuse safe;retry-on empty-response", &["0 GET plain", "0 GET closes,plain", "1 GET plain"]),
    ("http-reuse safe;retry-on empty-response", &["0 GET plain", "0 POST closes,plain"]),
    ("http-reuse safe;retry-on empty-response", &["0 GET plain", "0 PUT closes,plain"]),
    // A server that a client has a connection to of its own is the one it stays with.
    ("two;http-reuse never;option prefer-last-server", LAST),
    ("two;http-reuse safe;option prefer-last-server", LAST),
    ("two;http-reuse always;option prefer-last-server", LAST),
    ("two;http-reuse never;option prefer-last-server;balance url_param a", LAST),
    ("two;http-reuse never", LAST),
    ("two;http-reuse safe", &["0 GET ntlm", "1 GET plain", "0 GET plain", "1 GET plain", "0 GET plain"]),
];

const LAST: &[&str] = &[
    "0 GET plain",
    "1 GET plain",
    "0 GET plain",
    "1 GET plain",
    "1 GET plain",
    "0 GET last",
    "0 GET plain",
    "0 GET plain",
];

const COUNTED: [&str; 12] = [
    "stot", "connect", "reuse", "lbtot", "wretr", "wredis", "econ", "hrsp_1xx", "hrsp_2xx", "hrsp_4xx",
    "hrsp_5xx", "req_tot",
];

fn backend(at: usize, lines: &str) -> String {
    let mut out = format!("backend b{at}\n");
    let (mut settings, mut second) = ("", false);
    for line in lines.split(';') {
        match line {
            "two" => second = true,
            _ if line.starts_with("pool-") => settings = line,
            _ => writeln!(out, "    {line}").unwrap(),
        }
    }
    writeln!(out, "    server one 127.0.0.1:9000 {settings}").unwrap();
    if second {
        writeln!(out, "    server two 127.0.0.2:9000 {settings}").unwrap();
    }
    out
}

/// What the server knows of all its connections.
#[derive(Default)]
struct Known {
    /// Connections that have carried a request of this case.
    connections: HashMap<String, usize>,
    /// How often it was asked this, by case and step.
    asked: HashMap<String, usize>,
}

fn start_origin(host: &Host) -> Arc<Mutex<Known>> {
    let listener = host.run(|| TcpListener::bind("0.0.0.0:9000")).unwrap();
    let known = Arc::<Mutex<Known>>::default();
    let knowing = known.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let known = knowing.clone();
            std::thread::spawn(move || serve(stream, &known));
        }
    });
    known
}

fn value<'a>(head: &'a str, name: &str) -> &'a str {
    let found = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_default()
}

/// Answers as is wished for, with the number of the connection and of the request on it.
fn serve(mut stream: TcpStream, known: &Mutex<Known>) -> Result<()> {
    stream.set_nodelay(true)?;
    let second = stream.local_addr()?.ip().to_string().ends_with('2');
    let mut number = None;
    for request in 1.. {
        let head = read_head(&mut stream)?;
        let (connection, wish) = {
            let mut known = known.lock().unwrap();
            let count = known.connections.entry(value(&head, "case").to_owned()).or_default();
            let connection = *number.get_or_insert_with(|| {
                *count += 1;
                *count
            });
            let times = known.asked.entry(value(&head, "step").to_owned()).or_default();
            let wishes: Vec<&str> = value(&head, "wish").split(',').collect();
            let wish = wishes[(*times).min(wishes.len() - 1)].to_owned();
            *times += 1;
            (connection, wish)
        };
        read_body(&mut stream, &head, &mut Vec::new())?;
        let name = format!("X-Over: {}{connection}.{request}\r\n", if second { "second " } else { "" });
        let (line, rest) = match wish.as_str() {
            "tunnel" => ("200 OK", "\r\n"),
            "switch" => ("101 Switching", "Connection: upgrade\r\nUpgrade: x\r\n\r\n"),
            "refused" => ("404 No", "Content-Length: 2\r\n\r\nno"),
            "ntlm" => ("401 No", "WWW-Authenticate: NTLM\r\nContent-Length: 2\r\n\r\nno"),
            "busy" => ("503 Busy", "Content-Length: 2\r\n\r\nno"),
            "busy-chunks" => ("503 Busy", "Transfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"),
            "busy-closing" => ("503 Busy", "Connection: close\r\nContent-Length: 2\r\n\r\nno"),
            "last" => ("200 OK", "Connection: close\r\nContent-Length: 2\r\n\r\nok"),
            "closes" => return Ok(()),
            _ => ("200 OK", "Content-Length: 2\r\n\r\nok"),
        };
        stream.write_all(format!("HTTP/1.1 {line}\r\n{name}{rest}").as_bytes())?;
        if wish == "tunnel" {
            let mut said = [0; 4];
            stream.read_exact(&mut said)?;
            stream.write_all(b"pong")?;
            // The other end closes.
            while stream.read(&mut said)? > 0 {}
        }
        if matches!(wish.as_str(), "tunnel" | "last" | "busy-closing") {
            return Ok(());
        }
    }
    Ok(())
}

/// One step: what the client is told of it. It closes behind tunnels, and where the proxy does.
fn step(
    at: usize,
    number: usize,
    words: &str,
    stream: &mut Option<TcpStream>,
    known: &Mutex<Known>,
) -> String {
    let mut words = words.split(' ').skip(1);
    let (method, wish) = (words.next().unwrap(), words.next().unwrap());
    let client = stream.get_or_insert_with(|| {
        let client = TcpStream::connect("127.0.0.1:8300").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        client
    });
    let id = format!("{at}.{number}");
    let more = format!("case: {at}\r\nstep: {id}\r\nwish: {wish}\r\n");
    let request = match method {
        "CONNECT" => format!("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n{more}\r\n"),
        "POST" => format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n{more}\r\nhello"),
        "PUT" => format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n{more}\r\nhe"),
        "OLD" => format!(
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{more}\r\n5\r\nhello\r\n0\r\n\r\n"
        ),
        _ => format!("GET /?a={number} HTTP/1.1\r\nHost: a\r\n{more}\r\n"),
    };
    client.write_all(request.as_bytes()).unwrap();
    if method == "PUT" {
        eventually("the server to have its head", PATIENCE, || known.lock().unwrap().asked.contains_key(&id));
        client.write_all(b"llo").unwrap();
    }
    let head = read_head(client).unwrap_or_default();
    let mut told = format!(
        "{} over {}",
        head.lines().next().unwrap_or("nothing"),
        value(&head.to_ascii_lowercase(), "x-over")
    );
    if method == "CONNECT" && head.starts_with("HTTP/1.1 200") {
        let mut said = [0; 4];
        let through = client.write_all(b"ping").and_then(|()| client.read_exact(&mut said));
        write!(told, " tunnel {}", through.is_ok() && said == *b"pong").unwrap();
        *stream = None;
    } else if head.is_empty() {
        *stream = None;
    } else {
        write!(told, " {}", read_body(client, &head, &mut Vec::new()).unwrap().len()).unwrap();
        if value(&head.to_ascii_lowercase(), "connection") == "close" {
            *stream = None;
        }
    }
    told
}

/// What clients were told, the lines of the log and what was counted, case by case.
fn observe(lab: &Lab, name: &str, program: &Program) -> Vec<[String; 3]> {
    let host = lab.host(name);
    let known = start_origin(&host);
    let socket = host.dir().join("stats.sock").to_string_lossy().into_owned();
    let backends = CASES.iter().enumerate().map(|(at, (lines, _))| backend(at, lines));
    let text = GLOBAL.replace("SOCKET", &socket) + &backends.collect::<String>();
    let proxy = host.haproxy(program, &Config::written(&host, "haproxy.cfg", &text));
    eventually("the proxy to listen", Duration::from_secs(20), || host.reaches("127.0.0.1:8300"));
    host.wait_told(&socket);
    let stats = || Stats::parse(&host.tell(&socket, "show stat"));
    let mut seen = vec![[const { String::new() }; 3]; CASES.len()];
    for (at, (_, steps)) in CASES.iter().enumerate() {
        let mut clients = [const { None }; 3];
        for (number, words) in steps.iter().enumerate() {
            let client = &mut clients[usize::from(words.as_bytes()[0] - b'0')];
            let told = host.run(|| step(at, number, words, client, &known));
            writeln!(seen[at][0], "    {words}: {told}").unwrap();
            // The connection is free once the session is over, which the client cannot see.
            eventually("the session to be over", PATIENCE, || {
                stats().number(&format!("b{at}"), "BACKEND", "scur") == 0
            });
        }
    }
    let stats = stats();
    for (at, seen) in seen.iter_mut().enumerate() {
        for row in ["one", "two", "BACKEND"] {
            let number = |column| stats.number(&format!("b{at}"), row, column);
            if row == "two" && !CASES[at].0.starts_with("two") {
                continue;
            }
            write!(seen[2], "{row}").unwrap();
            COUNTED.iter().for_each(|column| write!(seen[2], " {column}={}", number(column)).unwrap());
            // Where a kept connection proved closed HAProxy counts the next one as kept, too.
            write!(seen[2], " connections={}; ", number("connect") + number("reuse")).unwrap();
        }
    }
    for line in proxy.log() {
        let line = settle(&line);
        let Some((number, rest)) = line.split_once(" front b").and_then(|(_, line)| line.split_once('/'))
        else {
            continue;
        };
        if let Ok(at) = number.parse::<usize>() {
            writeln!(seen[at][1], "    {rest}").unwrap();
        }
    }
    seen
}

#[test]
fn connections_to_servers_are_kept_as_by_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| observe(&lab, name, program));
    let mut wrong = String::new();
    for ((case, ours), theirs) in CASES.iter().zip(&ours).zip(&theirs) {
        for (what, (ours, theirs)) in ["told", "log", "counted"].iter().zip(ours.iter().zip(theirs)) {
            if ours != theirs {
                write!(wrong, "{}: {what}\n  ours\n{ours}\n  theirs\n{theirs}\n", case.0).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
