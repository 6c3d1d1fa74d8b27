//! What `bind` and `server` options and rules ask of the kernel for connections, as `ss` shows it and as connections behave:
//! beside HAProxy.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::Signal;

use crate::lab::{
    Config, Connection, Host, Lab, Part, Process, Program, beside, eventually, proxy, wait_for,
};

use super::PATIENCE;
use super::watch::settle;

const SOCKET: &str = "/run/kernel.sock";

const BEGIN: &str = "\
global
    stats socket /run/kernel.sock level admin
    nbthread 1
    log stdout format raw local0
defaults
    mode http
    log global
    timeout client 1m
    timeout server 1m
    timeout connect 10s
backend o
    server s 127.0.0.1:9000
backend old
    mode tcp
    server s 127.0.0.1:9000 tcp-ut 1s
backend plain
    mode tcp
    server s 127.0.0.1:9000
";

/// Options of `bind`, and lines of the frontend.
const FRONTENDS: &[(&str, &str)] = &[
    ("", ""),
    ("mss 900", ""),
    ("mss 1400 tcp-ut 3s nice 7", "http-request set-nice -3"),
    ("defer-accept", ""),
    ("", "http-request set-tos 0x10"),
    ("", "http-request set-tos 4 | http-request set-tos 8"),
    ("", "http-request set-tos 300"),
    ("", "http-request set-tos -1 | http-request set-mark -1"),
    ("", "http-request set-tos 010 | http-request set-mark 4294967299"),
    ("", "http-request set-mark 0x42"),
    ("", "http-request set-mark 4294967295"),
    ("", "http-request set-tos 184 | http-request set-mark 7 if { path /no }"),
    ("", "http-response set-tos 24 | http-response set-mark 25"),
    ("", "http-request set-tos 8 | http-response set-tos 16"),
    ("", "tcp-request connection set-tos 8 | tcp-request connection set-mark 9"),
    ("", "tcp-request content set-tos 16 | tcp-request content set-mark 17"),
    ("", "tcp-request connection set-mark 9 | http-request set-tos 8"),
    ("mss 1000", "tcp-request content set-tos 0xb8 | http-response set-mark 0x99"),
];

/// The server of everything; it keeps its connections.
fn serve(host: &Host) {
    let listener = host.run(|| TcpListener::bind("127.0.0.1:9000").unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut piece = [0; 4096];
                while matches!(stream.read(&mut piece), Ok(1..)) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                }
            });
        }
    });
}

/// Type of service, mark and largest segment of the proxy's side of the client connection at `port`.
fn tags(host: &Host, port: usize) -> Vec<String> {
    let list = host.sh(&format!("ss -Htnie --tos state established 'sport = :{port}'"));
    let wanted = ["tos:", "fwmark:", "mss:"];
    let words = list.split_whitespace().filter(|word| wanted.iter().any(|name| word.starts_with(name)));
    words.map(str::to_owned).collect()
}

/// Sessions of each frontend.
fn sessions(host: &Host) -> BTreeMap<String, u64> {
    let table = host.tell(SOCKET, "show stat");
    let rows = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let fronts = rows.filter(|cells| cells.get(1) == Some(&"FRONTEND"));
    fronts.map(|cells| (cells[0].to_owned(), cells[4].parse().unwrap_or(0))).collect()
}

/// The tags of each frontend's connection, and whether it is a session before it has said anything.
fn observe(lab: &Lab, name: &str, program: &Program) -> Vec<(Vec<String>, bool)> {
    let host = lab.host(name);
    serve(&host);
    let mut text = BEGIN.to_owned();
    for (at, (options, lines)) in FRONTENDS.iter().enumerate() {
        let lines = lines.replace(" | ", "\n    ");
        text += &format!(
            "frontend f{at}\n    bind 127.0.0.1:{} {options}\n    {lines}\n    default_backend o\n",
            12000 + at
        );
    }
    text += "frontend last\n    bind 127.0.0.1:11999\n    default_backend o\n";
    let _proxy = host.haproxy(program, &Config::written(&host, "kernel.cfg", &text));
    host.wait_told(SOCKET);
    let open = |port: usize| Connection::open(&host, &format!("127.0.0.1:{port}")).unwrap();
    let mut clients: Vec<Connection> = (0..FRONTENDS.len()).map(|at| open(12000 + at)).collect();
    // Who is accepted after the others is accepted when they are.
    let _last = open(11999);
    let known =
        wait_for("the last client", PATIENCE, || Some(sessions(&host)).filter(|all| all["last"] == 1));
    let seen = clients.iter_mut().enumerate().map(|(at, client)| {
        client.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        (tags(&host, 12000 + at), known[&format!("f{at}")] == 1)
    });
    seen.collect()
}

#[test]
fn connections_have_the_same_tags_as_haproxys() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| observe(&lab, name, program));
    let tagged = theirs.iter().filter(|(tags, _)| tags.iter().any(|tag| tag.starts_with("fwmark:"))).count();
    assert!(tagged > 4, "{theirs:?}");
    assert_eq!(theirs.iter().filter(|(_, known)| !known).count(), 1, "who defers to accept");
    for (frontend, (ours, theirs)) in FRONTENDS.iter().zip(ours.iter().zip(&theirs)) {
        assert_eq!(ours, theirs, "{frontend:?}: ours and theirs");
    }
}

/// The log lines of sessions of which one side vanishes while bytes are on their way to it. Without `tcp-ut` the kernel
/// would try for a quarter of an hour.
fn vanished(lab: &Lab, name: &str, program: &Program) -> Vec<String> {
    let host = lab.host(name);
    let text = format!(
        "{BEGIN}frontend client\n    mode tcp\n    option tcplog\n    bind 127.0.0.1:8001 tcp-ut 1s\n    default_backend \
         plain\nfrontend server\n    mode tcp\n    option tcplog\n    bind 127.0.0.1:8002\n    default_backend old\n"
    );
    let proxy = host.haproxy(program, &Config::written(&host, "kernel.cfg", &text));
    host.wait_told(SOCKET);
    host.sh(
        "nft add table inet lost && nft 'add chain inet lost out { type filter hook output priority 0; }'",
    );
    let listener = host.run(|| TcpListener::bind("127.0.0.1:9000").unwrap());
    // To the client nothing comes from the proxy; to the server, from which nothing is waited for, neither.
    let each = [("client", 8001, "sport 8001"), ("server", 8002, "dport 9000")].map(|(name, port, lost)| {
        let mut client = host.run(|| TcpStream::connect(("127.0.0.1", port)).unwrap());
        client.write_all(b"hello").unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.read_exact(&mut [0; 5]).unwrap();
        host.sh(&format!("nft add rule inet lost out tcp {lost} drop"));
        if name == "client" {
            server.write_all(b"welcome").unwrap()
        } else {
            client.write_all(b"more").unwrap()
        }
        let line = proxy.wait_log(&format!(" {name} "), Duration::from_secs(30));
        host.sh("nft flush chain inet lost out");
        settle(&line)
    });
    each.to_vec()
}

#[test]
fn who_vanishes_is_given_up_as_by_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("nft")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| vanished(&lab, name, program));
    assert_eq!(ours, theirs, "ours and theirs");
}

/// Returns when no thread of the process runs any more.
fn halt(process: &Process) {
    process.signal(Signal::SIGSTOP);
    let tasks = format!("/proc/{}/task", process.pid());
    eventually("the process to stop", PATIENCE, || {
        std::fs::read_dir(&tasks).unwrap().flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        })
    });
}

/// Rules that turn clients away, and options of `bind`.
const TURNED_AWAY: [(&str, &str); 9] = [
    ("tcp-request connection reject", ""),
    ("tcp-request connection silent-drop", ""),
    ("tcp-request session reject", ""),
    ("tcp-request session silent-drop", ""),
    ("tcp-request session silent-drop", "accept-proxy"),
    ("tcp-request content reject", ""),
    ("tcp-request content silent-drop", ""),
    ("http-request reject", ""),
    ("http-request silent-drop", ""),
];

/// How the connection of a client ends that has said so much when it is accepted. What is silent for longer than it takes to
/// send something again stays so.
fn ending(mut stream: impl Read) -> String {
    match stream.read(&mut [0; 4096]) {
        Ok(0) => "FIN".to_owned(),
        Ok(read) => format!("{read} bytes"),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => "RST".to_owned(),
        Err(error) if error.kind() == ErrorKind::WouldBlock => "silence".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// Of each rule, what clients of its TCP and its unix socket see that have said something, and a client that has not.
fn turned_away(lab: &Lab, name: &str, program: &Program) -> Vec<[String; 3]> {
    let host = lab.host(name);
    let mut text = BEGIN.to_owned();
    for (at, (rule, option)) in TURNED_AWAY.iter().enumerate() {
        let mode = if rule.contains(" content ") { "tcp" } else { "http" };
        let path = host.dir().join(format!("away-{at}"));
        text += &format!(
            "frontend f{at}\n    mode {mode}\n    bind 127.0.0.1:{} {option}\n    bind {} {option}\n    {rule}\n",
            12000 + at,
            path.display()
        );
    }
    let proxy = host.haproxy_bound(program, &Config::written(&host, "kernel.cfg", &text));
    let ends = TURNED_AWAY.iter().enumerate().map(|(at, (rule, option))| {
        let said = match *option {
            "" => "GET / HTTP/1.1\r\n\r\n",
            _ => "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n",
        };
        let patience = Some(Duration::from_millis(700));
        halt(&proxy);
        let (mut tcp, mut unix, mute) = host.run(|| {
            let path = host.dir().join(format!("away-{at}"));
            let connect = || TcpStream::connect(("127.0.0.1", u16::try_from(12000 + at).unwrap())).unwrap();
            (connect(), UnixStream::connect(path).unwrap(), connect())
        });
        tcp.write_all(said.as_bytes()).unwrap();
        unix.write_all(said.as_bytes()).unwrap();
        proxy.signal(Signal::SIGCONT);
        for stream in [&tcp, &mute] {
            stream.set_read_timeout(patience).unwrap();
        }
        unix.set_read_timeout(Some(PATIENCE)).unwrap();
        // Who has to say something first is not turned away.
        let waits = rule.starts_with("http") || !option.is_empty();
        let mute = if waits { String::new() } else { ending(mute) };
        [ending(tcp), ending(unix), mute]
    });
    ends.collect()
}

#[test]
fn clients_see_how_they_are_turned_away_as_by_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| turned_away(&lab, name, program));
    let text = |ends: &[[String; 3]]| -> Vec<String> {
        let each = TURNED_AWAY.iter().zip(ends);
        each.map(|((rule, option), ends)| format!("{rule} {option}: {}", ends.join(", "))).collect()
    };
    assert!(theirs.iter().any(|ends| ends[0] == "silence") && theirs.iter().any(|ends| ends[1] == "RST"));
    assert_eq!(text(&ours), text(&theirs), "ours and theirs");
}

/// Options of a listener, and lines of its frontend.
const NICE: [(&str, &str); 4] = [
    ("", ""),
    ("nice 7", ""),
    ("nice 7", "tcp-request content set-nice 0"),
    ("", "tcp-request content set-nice 7"),
];

#[test]
fn sessions_of_a_nice_listener_let_others_go_first() {
    let Some(lab) = Lab::open(&[Part::Program("socat")]) else { return };
    let host = lab.host("nice");
    let mut text =
        format!("{BEGIN}frontend other\n    mode tcp\n    bind 127.0.0.1:8000\n    default_backend plain\n");
    for (at, (option, line)) in NICE.iter().enumerate() {
        text += &format!(
            "frontend f{at}\n    mode tcp\n    bind 127.0.0.1:{} {option}\n    {line}\n    default_backend plain\n",
            12000 + at
        );
    }
    let listener = host.run(|| TcpListener::bind("127.0.0.1:9000").unwrap());
    let process = host.haproxy_bound(&proxy(), &Config::written(&host, "kernel.cfg", &text));
    let is_first = NICE.iter().enumerate().map(|(at, _)| {
        let pairs = [12000 + u16::try_from(at).unwrap(), 8000].map(|port| {
            let mut client = host.run(|| TcpStream::connect(("127.0.0.1", port)).unwrap());
            client.write_all(b"hello").unwrap();
            let (mut server, _) = listener.accept().unwrap();
            server.read_exact(&mut [0; 5]).unwrap();
            server.write_all(b"hello").unwrap();
            client.read_exact(&mut [0; 5]).unwrap();
            (client, server)
        });
        let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
        for (number, (client, _)) in pairs.iter().enumerate() {
            epoll.add(client, EpollEvent::new(EpollFlags::EPOLLIN, number as u64)).unwrap();
        }
        // Both servers have spoken when the proxy looks, this one's first. Who is told first is ready first.
        halt(&process);
        for (_, server) in &pairs {
            let mut server: &TcpStream = server;
            server.write_all(b"x").unwrap();
        }
        process.signal(Signal::SIGCONT);
        let mut first = [EpollEvent::empty()];
        assert_eq!(epoll.wait(&mut first, EpollTimeout::from(20_000u16)).unwrap(), 1);
        first[0].data() == 0
    });
    assert_eq!(is_first.collect::<Vec<_>>(), [true, false, true, false]);
}
