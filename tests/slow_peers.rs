//! Clients that send or read as slowly as they can: each costs one idle session, and all together little memory.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::{Config, Host, Lab, Process, eventually, get, proxy, show_stat};

/// So many of each kind.
const SLOW: usize = 500;

/// What one may cost the proxy, bytes: a buffer for what it sent (`tune.bufsize`, 16,384), another for what it does not
/// take, and its session. Without a bound each of the endless responses would cost megabytes.
const EACH: u64 = 40 * 1024;

/// What one may cost that stopped in what it had to say, once it has been silent for a moment, bytes: what it said, and no
/// more of a buffer than that.
const SILENT: u64 = 16 * 1024;

/// What the large buffers may cost that the responses of each of the two threads share, bytes.
const SHARED: u64 = 2 * 64 * 256 * 1024;

const CONFIG: &str = "\
global
    nbthread 2
    maxconn 4000
    stats socket SOCKET level admin

defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-request 60s

listen web
    bind 127.0.0.1:8501
    server one 127.0.0.1:9200

listen buffered
    bind 127.0.0.1:8502
    option http-buffer-request
    server one 127.0.0.1:9200

listen strict
    bind 127.0.0.1:8504
    timeout client 1s
    timeout http-request 1s
    server one 127.0.0.1:9200

listen raw
    mode tcp
    bind 127.0.0.1:8503
    server one 127.0.0.1:9200
";

/// A server whose every response but that of `/quick` never ends.
fn endless(host: &Host) {
    let listener = host.run(|| TcpListener::bind("127.0.0.1:9200")).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Threads of the test, not of the proxy: small ones.
            let _ = std::thread::Builder::new().stack_size(64 * 1024).spawn(move || serve(stream));
        }
    });
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut piece = [0; 2048];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        head.extend_from_slice(&piece[..read]);
    }
    if head.starts_with(b"GET /quick") {
        return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nquick");
    }
    let block = [b'x'; 4096];
    if head.starts_with(b"GET /chunks") {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            stream.write_all(b"1000\r\n")?;
            stream.write_all(&block)?;
            stream.write_all(b"\r\n")?;
        }
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")?;
    loop {
        stream.write_all(&block)?;
    }
}

/// Memory of a process that is really there, bytes.
fn resident(proxy: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// A connection whose receive buffer is as small as can be.
fn connect(port: u16) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into()).unwrap();
    socket.into()
}

/// The kinds: what each sends before it stops.
fn kinds() -> Vec<(&'static str, &'static str, u16, Vec<u8>)> {
    let head = |rest: &str| format!("{rest} HTTP/1.1\r\nHost: a\r\n").into_bytes();
    let mut long = head("GET /");
    long.extend(format!("X-Long: {}\r\n", "y".repeat(9_000)).into_bytes());
    let mut upload = head("POST /");
    upload.extend(b"Content-Length: 1000000\r\n\r\n");
    upload.extend([b'z'; 4_000]);
    let whole = |line: &str| [head(line), b"\r\n".to_vec()].concat();
    vec![
        ("heads that do not end", "web", 8501, long),
        ("bodies that are waited for", "buffered", 8502, upload),
        ("responses nobody reads", "web", 8501, whole("GET /endless")),
        ("chunks nobody reads", "web", 8501, whole("GET /chunks")),
        ("bytes nobody reads", "raw", 8503, whole("GET /endless")),
    ]
}

#[test]
fn slow_peers_cost_one_idle_session_each() {
    let Some(lab) = Lab::open(&[]) else { return };
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let host = lab.host("slow");
    endless(&host);
    let socket = host.dir().join("stats.sock").to_string_lossy().into_owned();
    let config = Config::written(&host, "haproxy.cfg", &CONFIG.replace("SOCKET", &socket));
    let proxy = host.haproxy(&proxy(), &config);
    eventually("the proxy to listen", Duration::from_secs(10), || host.reaches("127.0.0.1:8503"));
    let sessions = |name: &str| show_stat(&host, &socket).number(name, "FRONTEND", "scur");
    for (what, name, port, bytes) in kinds() {
        let come = |count: usize| {
            let slow = || {
                let mut stream = connect(port);
                stream.write_all(&bytes).unwrap();
                stream
            };
            host.run(|| (0..count).map(|_| slow()).collect::<Vec<_>>())
        };
        // What each thread keeps for the next ones is there from now on.
        let first = come(SLOW / 2);
        eventually("the first ones", Duration::from_secs(20), || sessions(name) == SLOW as u64 / 2);
        drop(first);
        eventually("nobody to be there", Duration::from_secs(20), || sessions(name) == 0);
        let before = resident(&proxy);
        let peers = come(SLOW);
        eventually(what, Duration::from_secs(20), || sessions(name) == SLOW as u64);
        let mut most = 0;
        for _ in 0..20 {
            most = most.max(resident(&proxy).saturating_sub(before));
            std::thread::sleep(Duration::from_millis(20));
        }
        println!("{SLOW} {what}: {} bytes each", most / SLOW as u64);
        assert!(most < SLOW as u64 * EACH + SHARED, "{SLOW} {what} cost {most} bytes");
        if matches!(name, "web" | "buffered") && !bytes.ends_with(b"\r\n\r\n") {
            eventually("its memory to be given back", Duration::from_secs(20), || {
                resident(&proxy).saturating_sub(before) < SLOW as u64 * SILENT
            });
            println!("then {} bytes each", resident(&proxy).saturating_sub(before) / SLOW as u64);
        }
        // Whoever is not slow does not notice.
        assert_eq!(get(&host, "127.0.0.1:8501", "/quick").unwrap().text(), "quick");
        drop(peers);
        eventually("all of them to be gone", Duration::from_secs(20), || sessions(name) == 0);
    }
    // Nor do they stay longer than the timeouts allow.
    let (_, _, _, bytes) = kinds().swap_remove(0);
    let (name, port) = ("strict", 8504);
    let peers = host.run(|| {
        let slow = || {
            let mut stream = connect(port);
            stream.write_all(&bytes).unwrap();
            stream
        };
        (0..20).map(|_| slow()).collect::<Vec<_>>()
    });
    eventually("they come", Duration::from_secs(10), || {
        show_stat(&host, &socket).number(name, "FRONTEND", "stot") == 20
    });
    eventually("the timeout", Duration::from_secs(20), || sessions(name) == 0);
    drop(peers);
}

/// How long either side of the tunnel may say nothing.
const SILENCE: Duration = Duration::from_millis(500);

const TICKING: &str = "\
defaults
    mode tcp
    timeout connect 5s
    timeout client 500ms
    timeout server 500ms
listen ticking
    bind 127.0.0.1:8505
    server one 127.0.0.1:9201
";

/// A byte goes through every now and then, for much longer than the timeout; then none. `None`: this test itself was
/// silent for too long, on a machine with other things to do.
fn tick(host: &Host, listener: &TcpListener, up: bool) -> Option<()> {
    let client = host.run(|| TcpStream::connect("127.0.0.1:8505").unwrap());
    let (server, _) = listener.accept().unwrap();
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    }
    let (mut from, mut to) = if up { (&client, &server) } else { (&server, &client) };
    let start = Instant::now();
    let mut last = start;
    while start.elapsed() < 4 * SILENCE {
        let sent = from.write_all(b"x");
        let came = sent.and_then(|()| to.read_exact(&mut [0]));
        if last.elapsed() >= SILENCE {
            return None;
        }
        came.expect("the tunnel lasts");
        last = Instant::now();
        std::thread::sleep(SILENCE / 10);
    }
    for mut end in [&client, &server] {
        assert_eq!(end.read(&mut [0; 8]).unwrap(), 0, "silence ends it");
    }
    // It came through a little before it was read here.
    assert!(last.elapsed() >= SILENCE * 9 / 10, "not before its time: {:?}", last.elapsed());
    Some(())
}

#[test]
fn a_tunnel_lasts_as_long_as_one_side_speaks() {
    let Some(lab) = Lab::open(&[]) else { return };
    let host = lab.host("ticking");
    let listener = host.run(|| TcpListener::bind("127.0.0.1:9201").unwrap());
    let _proxy = host.haproxy_bound(&proxy(), &Config::written(&host, "ticking.cfg", TICKING));
    for up in [true, false] {
        assert!(
            (0..20).any(|_| tick(&host, &listener, up).is_some()),
            "the machine has no time for this test"
        );
    }
}
