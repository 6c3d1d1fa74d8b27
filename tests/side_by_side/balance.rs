//! Which server gets a request: the recordings that `src/balance` replays without a network, played over real sockets to
//! our proxy and to HAProxy at once.
//!
//! With `TANDEM_BLESS=1` HAProxy's picks are written into the files instead. A new case needs no picks to be recorded: what
//! stands behind `=` and in the place of a number is replaced. [`LATER`] has what 2.6 does not know: it is compared, and
//! recorded, where `TANDEM_REFERENCE_HAPROXY` names a release that does.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::lab::{Config, Host, Lab, Part, Program, beside_this, eventually, proxy};

use super::PATIENCE;

const RECORDED: &str = "compat-fixtures/balance/picks.txt";
const LATER: &str = "compat-fixtures/balance/picks-later.txt";

/// The servers are on the ports from here on.
const FIRST_SERVER: u16 = 9100;
/// The cases are on the ports from here on.
const FIRST_CASE: u16 = 11000;

/// A block of a recording.
struct Block<'t> {
    name: &'t str,
    /// The lines of the backend.
    settings: Vec<&'t str>,
    steps: Vec<&'t str>,
}

impl<'t> Block<'t> {
    fn all(text: &'t str) -> Vec<Self> {
        let is_setting = |line: &str| {
            ["balance ", "hash-", "option ", "server "].iter().any(|word| line.starts_with(word))
        };
        let blocks = text.split("\n\n").map(|block| {
            let mut lines = block.trim().lines();
            let name = lines.next().and_then(|line| line.strip_prefix("case ")).expect("a block is a case");
            let (settings, steps) = lines.partition(|line| is_setting(line));
            Self { name, settings, steps }
        });
        blocks.collect()
    }

    fn is_tcp(&self) -> bool {
        self.settings.iter().any(|line| line.starts_with("balance rdp-cookie"))
    }

    fn config(&self, at: u16) -> String {
        let mut text = format!("\nlisten c{at}\n    bind 127.0.0.1:{} accept-proxy\n", FIRST_CASE + at);
        if self.is_tcp() {
            text += "    mode tcp\n    tcp-request inspect-delay 5s\n    tcp-request content accept if RDP_COOKIE\n";
        }
        let mut servers = 0;
        for line in &self.settings {
            text += &match line.strip_prefix("server ") {
                Some(words) => {
                    let port = FIRST_SERVER + servers;
                    servers += 1;
                    format!("    server s{} 127.0.0.1:{port} weight {words}\n", servers - 1)
                }
                None => format!("    {line}\n"),
            };
        }
        text
    }
}

/// Which server got which request.
type Taken = Arc<Mutex<HashMap<String, u16>>>;

/// Servers that note the number of each request and answer with their own.
fn serve(host: &Host, number: u16, taken: &Taken) {
    let taken = taken.clone();
    let listener = host.run(|| TcpListener::bind(("127.0.0.1", FIRST_SERVER + number)).unwrap());
    host.thread(move || {
        for stream in listener.incoming() {
            let (Ok(stream), taken) = (stream, taken.clone()) else { return };
            std::thread::spawn(move || answer(stream, number, &taken));
        }
    });
}

fn answer(mut stream: TcpStream, number: u16, taken: &Taken) -> std::io::Result<()> {
    let mut message = Vec::new();
    let mut piece = [0; 4096];
    let mut noted = false;
    loop {
        let read = stream.read(&mut piece)?;
        message.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&message);
        let id = text.lines().find_map(|line| line.strip_prefix("x-id: "));
        if let Some(id) = id.filter(|_| !noted && text.contains("\r\n\r\n")) {
            taken.lock().unwrap().insert(id.to_owned(), number);
            noted = true;
        }
        let rdp = text.contains("Cookie: ") && text.ends_with("\r\n") && message.first() == Some(&3);
        let whole = if text.contains("transfer-encoding: chunked") {
            text.ends_with("0\r\n\r\n")
        } else {
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse::<usize>().unwrap());
            text.find("\r\n\r\n").is_some_and(|end| message.len() >= end + 4 + length)
        };
        if rdp || whole {
            break write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n{number}"
            );
        }
        if read == 0 {
            return Ok(());
        }
    }
}

/// What a step's words ask for.
fn request(kind: &str, key: &str, id: usize, open: bool) -> Vec<u8> {
    let source = if kind == "source" { key } else { "10.0.0.1" };
    let (family, to) = if source.contains(':') { ("TCP6", "::1") } else { ("TCP4", "127.0.0.1") };
    let mut out = format!("PROXY {family} {source} {to} 1000 80\r\n").into_bytes();
    if kind == "rdp" {
        let cookie = format!("Cookie: mstshash={key}\r\n");
        let length = u8::try_from(cookie.len() + 7).unwrap();
        // TPKT, then a connection request of X.224 (RFC 1006, [MS-RDPBCGR] 2.2.1.1).
        out.extend([3, 0, 0, length + 4, length - 1, 0xe0, 0, 0, 0, 0, 0]);
        out.extend(cookie.bytes());
        return out;
    }
    let target = match kind {
        "uri" => key.to_owned(),
        "param" => format!("/p?a=b&id={key}&c=d"),
        _ => "/".to_owned(),
    };
    let host = target.split_once("://").map_or("lab", |(_, rest)| rest.split(['/', '?']).next().unwrap());
    let form = format!("a=b&id={key}&c=d");
    let (method, body) = match kind {
        "post" => ("POST", Some(form)),
        _ if open => ("POST", None),
        _ => ("GET", None),
    };
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    if kind == "hdr" {
        head += &format!("X-Key: {key}\r\n");
    }
    // Behind the key, for `use_domain_only` looks at the character after it.
    head += &format!("X-Id: {id}\r\n");
    match body {
        Some(form) => head += &format!("Content-Length: {}\r\n\r\n{form}", form.len()),
        None if open => head += "Transfer-Encoding: chunked\r\n\r\n",
        None => head += "\r\n",
    }
    out.extend(head.bytes());
    out
}

/// A proxy with all cases of a recording.
struct Bench {
    host: Host,
    socket: String,
    taken: Taken,
    _proxy: crate::lab::Process,
}

impl Bench {
    fn start(lab: &Lab, name: &str, program: &Program, blocks: &[Block<'_>]) -> Self {
        let host = lab.host(name);
        let taken = Taken::default();
        let most = blocks.iter().map(|block| block.settings.len()).max().unwrap_or(0);
        (0..u16::try_from(most).unwrap()).for_each(|number| serve(&host, number, &taken));
        let socket = host.dir().join("stats.sock").to_string_lossy().into_owned();
        // One thread: what several pick at the same time has no order.
        let mut text = format!(
            "global\n    nbthread 1\n    stats socket {socket} level admin\n\ndefaults\n    mode http\n    retries 0\n    \
             timeout connect 5s\n    timeout client 20s\n    timeout server 20s\n    timeout queue 150ms\n"
        );
        for (at, block) in blocks.iter().enumerate() {
            text += &block.config(u16::try_from(at).unwrap());
        }
        let config = Config::written(&host, "haproxy.cfg", &text);
        let proxy = host.haproxy(program, &config);
        let last = format!("127.0.0.1:{}", usize::from(FIRST_CASE) + blocks.len() - 1);
        eventually("the proxy to listen", Duration::from_secs(20), || host.reaches(&last));
        host.wait_told(&socket);
        Self { host, socket, taken, _proxy: proxy }
    }

    fn tell(&self, command: &str) {
        let mut stream = self.host.run(|| std::os::unix::net::UnixStream::connect(&self.socket).unwrap());
        stream.write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.trim().is_empty(), "{command}: {answer}");
    }

    /// Every block with the picks of this proxy.
    fn play(&self, blocks: &[Block<'_>]) -> Vec<Vec<String>> {
        let plays = blocks.iter().enumerate().map(|(at, block)| {
            let mut game =
                Game { bench: self, at: u16::try_from(at).unwrap(), block, open: Vec::new(), next: 0 };
            block.steps.iter().map(|step| game.step(step)).collect()
        });
        plays.collect()
    }
}

/// A case that is being played.
struct Game<'b> {
    bench: &'b Bench,
    at: u16,
    block: &'b Block<'b>,
    open: Vec<Option<TcpStream>>,
    next: usize,
}

impl Game<'_> {
    fn send(&mut self, kind: &str, key: &str, open: bool) -> (TcpStream, String) {
        self.next += 1;
        let id = format!("{}{:04}", self.at, self.next);
        let bytes = request(kind, key, id.parse().unwrap(), open);
        let to = ("127.0.0.1", FIRST_CASE + self.at);
        let mut stream = self.bench.host.run(|| TcpStream::connect(to).unwrap());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&bytes).unwrap();
        (stream, id)
    }

    /// The server that answered, and then knows of the request no more.
    fn answered(mut stream: TcpStream) -> String {
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        let ok = text.starts_with("HTTP/1.1 200 ");
        text.rsplit("\r\n\r\n").next().filter(|_| ok).unwrap_or("-").to_owned()
    }

    fn request(&mut self, kind: &str, key: &str) -> String {
        let (stream, _) = self.send(kind, key, false);
        Self::answered(stream)
    }

    /// A request that stays under way.
    fn begin(&mut self, kind: &str, key: &str) -> String {
        let (stream, id) = self.send(kind, key, true);
        let picked = || self.bench.taken.lock().unwrap().get(&id).copied();
        let mut refused = false;
        eventually("the request to be somewhere", PATIENCE, || {
            let mut byte = [0];
            stream.set_nonblocking(true).unwrap();
            refused = matches!(stream.peek(&mut byte), Ok(1..));
            stream.set_nonblocking(false).unwrap();
            refused || picked().is_some()
        });
        let server = picked().map_or_else(|| "-".to_owned(), |server| server.to_string());
        self.open.push(Some(stream));
        server
    }

    fn step(&mut self, step: &str) -> String {
        let words: Vec<&str> = step.split(' ').collect();
        let (backend, kind) = (self.at, if self.block.is_tcp() { "rdp" } else { "" });
        match words[0] {
            "pick" => {
                let picks: Vec<_> = words[1..].iter().map(|_| self.request(kind, "")).collect();
                return format!("pick {}", picks.join(" "));
            }
            "keys" => {
                let mut out = format!("keys {}", words[1]);
                for pair in &words[2..] {
                    let key = pair.rsplit_once('=').map_or(*pair, |(key, _)| key);
                    out += &format!(" {key}={}", self.request(words[1], key));
                }
                return out;
            }
            "open" => {
                let (kind, key) =
                    (words.get(2).copied().unwrap_or(kind), words.get(3).copied().unwrap_or(""));
                let server = self.begin(kind, key);
                return [&["open", &server], words.get(2..).unwrap_or_default()].concat().join(" ");
            }
            "close" => {
                let mut stream = self.open[words[1].parse::<usize>().unwrap()].take().unwrap();
                stream.write_all(b"0\r\n\r\n").unwrap();
                Self::answered(stream);
            }
            "weight" => self.bench.tell(&format!("set server c{backend}/s{} weight {}", words[1], words[2])),
            "down" => self.bench.tell(&format!("set server c{backend}/s{} state maint", words[1])),
            "up" => self.bench.tell(&format!("set server c{backend}/s{} state ready", words[1])),
            other => panic!("{other}"),
        }
        step.to_owned()
    }
}

/// Plays a recording to both, or records it anew.
fn side_by_side(file: &str, theirs: &Program) {
    let Some(lab) = Lab::open(&[]) else { return };
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let blocks = Block::all(&text);
    let play = |name: &str, program: &Program| Bench::start(&lab, name, program, &blocks).play(&blocks);
    if std::env::var_os("TANDEM_BLESS").is_some() {
        let anew = blocks.iter().zip(play("theirs", theirs)).map(|(block, steps)| {
            let lines: Vec<&str> =
                block.settings.iter().copied().chain(steps.iter().map(String::as_str)).collect();
            format!("case {}\n{}\n", block.name, lines.join("\n"))
        });
        std::fs::write(&path, anew.collect::<Vec<_>>().join("\n")).unwrap();
        return;
    }
    let (ours, theirs) = beside_this(&proxy(), theirs, play);
    let mut wrong = Vec::new();
    for ((block, ours), theirs) in blocks.iter().zip(ours).zip(theirs) {
        for (ours, theirs) in ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs) {
            wrong.push(format!("{}\n  theirs {theirs}\n  ours   {ours}", block.name));
        }
    }
    assert!(wrong.is_empty(), "{} steps differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_same_servers_as_haproxy() {
    let Some(_) = Lab::open(&[Part::Program("haproxy")]) else { return };
    side_by_side(RECORDED, &Program::reference("haproxy"));
}

#[test]
fn the_same_servers_as_later_releases() {
    if std::env::var_os("TANDEM_REFERENCE_HAPROXY").is_none() {
        eprintln!("skipped: TANDEM_REFERENCE_HAPROXY names no HAProxy");
        return;
    }
    side_by_side(LATER, &Program::reference_haproxy());
}
