//! Clients that ask the page, the metrics and the socket for megabytes and never read: they pin little memory, and
//! others are served beside them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::lab::{Config, Connection, Lab, Process, get, proxy, wait_for};

const CONFIG: &str = "\
global
    stats socket SOCKET level admin
    stats timeout 60s
defaults
    mode http
    timeout connect 1s
    timeout client 120s
    timeout server 60s
frontend fe
    bind 127.0.0.1:8001
    stats enable
    stats uri /stats
    http-request use-service prometheus-exporter if { path /metrics }
    http-request return status 200 if { path / }
backend many
    server-template s 500 127.0.0.1:9
";

/// What is asked for, and by how many: some 3 megabytes of metrics, 10 of JSON.
const DEAF: [(&str, usize); 2] = [("/metrics", 12), ("/stats;json", 4)];

/// How many megabytes more all of them together may take, those at the socket included, who ask for 200 each.
const MOST: u64 = 150;

/// The most that it ever held, in megabytes.
fn peak(proxy: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
}

#[test]
fn who_never_reads_pins_little_and_keeps_nobody_waiting() {
    let Some(lab) = Lab::open(&[]) else { return };
    let host = lab.host("ours");
    let socket = host.dir().join("s");
    let config = CONFIG.replace("SOCKET", &socket.display().to_string());
    let proxy = host.haproxy(&proxy(), &Config::written(&host, "deaf.cfg", &config));
    let whole = |path: &str, end: &str| {
        let mut connection =
            Connection::open_within(&host, "127.0.0.1:8001", Duration::from_secs(60)).unwrap();
        let answer = connection.get(path).unwrap();
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().trim_end().ends_with(end), "all of {path}");
    };
    wait_for("the proxy", Duration::from_secs(20), || get(&host, "127.0.0.1:8001", "/").ok());
    wait_for("the socket", Duration::from_secs(20), || UnixStream::connect(&socket).ok());
    for (path, end) in [("/metrics", ""), ("/stats;json", "]"), ("/stats", "</html>")] {
        whole(path, end);
    }
    let ask = || {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(b"show stat json;show stat;show version\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let told = ask();
    assert!(told.starts_with("[[{") && told.contains("}]]\n\n# pxname"), "one array, then the lines");
    assert_eq!(told.matches("\nmany,s").count(), 500);

    // Who takes nothing for a while gets all of it as long as there is room for others, however many ask.
    let ask_for = |path: &str| {
        let mut stream = host.run(|| TcpStream::connect("127.0.0.1:8001")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n").as_bytes())
            .unwrap();
        let mut beginning = [0; 12];
        stream.read_exact(&mut beginning).unwrap();
        assert_eq!(&beginning, b"HTTP/1.1 200");
        stream
    };
    let started = Instant::now();
    let slow: Vec<TcpStream> = (0..6).map(|_| ask_for("/metrics")).collect();
    // Longer than anybody is waited for where there is no room.
    while started.elapsed() < Duration::from_secs(2) {
        whole("/", "");
    }
    for mut stream in slow {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        assert_eq!(body.len().to_string(), length, "all of it");
    }

    let before = peak(&proxy);
    let (mut web, mut local) = (Vec::new(), Vec::new());
    for (path, clients) in DEAF {
        for _ in 0..clients {
            let mut stream = host.run(|| TcpStream::connect("127.0.0.1:8001")).unwrap();
            stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n").as_bytes()).unwrap();
            web.push(stream);
        }
    }
    // Not as many as the socket serves at once.
    for _ in 0..8 {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all("show stat json;".repeat(20).as_bytes()).unwrap();
        stream.write_all(b"show stat\n").unwrap();
        local.push(stream);
    }
    whole("/", "");
    whole("/metrics", "");
    whole("/stats;json", "]");
    assert!(ask().ends_with("\n\n"));
    // Those that ask for themselves get what there is room for, and no more than that is held.
    let grown = peak(&proxy) - before;
    assert!(grown < MOST, "{grown} MB for {} that do not read", web.len() + local.len());
}
