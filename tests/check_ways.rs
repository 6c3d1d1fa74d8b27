//! Where checks go and how they begin, beside HAProxy: `connect` with its address, port and PROXY header, the server's own
//! settings, and what of them `connect` takes over.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::lab::{Config, Host, Lab, Part, Program, beside, proxy, wait_for};

/// Rules, and settings of the server. `P2` is another port than the server's.
const CASES: &[(&str, &str)] = &[
    ("tcp-check connect;SAY", "check"),
    ("tcp-check connect port P2;SAY", "check"),
    ("tcp-check connect port int(P2);SAY", "check"),
    ("tcp-check connect addr 127.0.0.2;SAY", "check"),
    ("tcp-check connect addr 127.0.0.2:P2;SAY", "check"),
    ("tcp-check connect addr localhost:P2;SAY", "check"),
    ("tcp-check connect addr 127.0.0.2 port P2;SAY", "check"),
    ("tcp-check connect send-proxy;SAY", "check"),
    ("tcp-check connect linger;SAY", "check"),
    ("tcp-check connect;SAY", "check check-send-proxy"),
    ("tcp-check connect default;SAY", "check check-send-proxy"),
    ("tcp-check connect default;SAY", "check port P2 addr 127.0.0.2"),
    ("tcp-check connect;SAY", "check port P2 addr 127.0.0.2"),
    ("tcp-check connect;SAY", "check addr abns@P2"),
    ("tcp-check connect;SAY", "check addr abns@P2 send-proxy"),
    ("http-check connect;ASK", "check addr abns@P2 port P2"),
    ("tcp-check connect addr 127.0.0.2;SAY", "check port P2"),
    ("tcp-check connect;SAY;tcp-check connect port P2 linger;SAY", "check"),
    ("tcp-check connect default;SAY", "check send-proxy-v2"),
    ("tcp-check connect default;SAY", "check send-proxy-v2 port P2"),
    ("tcp-check connect linger send-proxy default;SAY", "check send-proxy-v2"),
    ("http-check connect port P2 send-proxy linger;ASK", "check"),
    ("http-check connect addr 127.0.0.2;ASK", "check"),
    ("http-check connect;ASK", "check send-proxy"),
    ("http-check connect default;ASK", "check send-proxy"),
    ("tcp-check connect via-socks4;SAY", "check socks4 127.0.0.3:P2"),
    ("tcp-check connect via-socks4;SAY", "check"),
    ("tcp-check connect;SAY", "check socks4 127.0.0.3:P2"),
    ("tcp-check connect;SAY", "check socks4 127.0.0.3:P2 check-via-socks4"),
    ("tcp-check connect default;SAY", "check socks4 127.0.0.3:P2 check-via-socks4"),
    ("tcp-check connect port P2 via-socks4 send-proxy;SAY", "check socks4 127.0.0.3:P2"),
    ("http-check connect via-socks4 addr 127.0.0.2;ASK", "check socks4 127.0.0.3:P2"),
    (
        "http-check send meth GET uri /;http-check expect status 200",
        "check socks4 127.0.0.3:P2 check-via-socks4",
    ),
];

/// First of the ports, two for each case.
const FIRST_PORT: usize = 9400;

/// How long a check may say nothing more.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often each must have been checked.
const TIMES: usize = 3;

fn config() -> String {
    let mut out =
        "global\n    stats socket /run/ways.sock\ndefaults\n    mode tcp\n    timeout connect 10s\n"
            .to_owned();
    out += "    timeout client 10s\n    timeout server 10s\n    timeout check 10s\n";
    for (at, (rules, server)) in CASES.iter().enumerate() {
        let port = FIRST_PORT + 2 * at;
        let of_port = |text: &str| text.replace("P2", &(port + 1).to_string());
        let option = if rules.starts_with("http") { "option httpchk" } else { "option tcp-check" };
        out += &format!("backend b{at}\n    {option}\n");
        let rules = rules
            .replace("SAY", "tcp-check send PING;tcp-check expect string PONG")
            .replace("ASK", "http-check send meth GET uri /;http-check expect status 200");
        rules.split(';').for_each(|rule| out += &format!("    {}\n", of_port(rule)));
        out += &format!("    server s 127.0.0.1:{port} inter 200ms {}\n", of_port(server));
    }
    out
}

/// What came to `address`, ports of clients left out, and whether it ended without a reset.
type Came = BTreeMap<String, (usize, BTreeSet<String>, bool)>;

fn serve(address: &str, mut stream: impl Read + Write, client: &str, came: &Mutex<Came>) {
    let (mut said, mut piece) = (Vec::new(), [0; 1024]);
    let mut relayed = false;
    let clean = loop {
        match stream.read(&mut piece) {
            Ok(0) => break true,
            Ok(n) => said.extend_from_slice(&piece[..n]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(_) => break false,
        }
        let answer: &[u8] = match &said {
            // A relay's request: version, command, port, address, and the end of the user's name.
            s if !relayed && s.first() == Some(&4) && s.len() > 8 && s.ends_with(b"\0") => {
                relayed = true;
                b"\0\x5a\0\0\0\0\0\0"
            }
            s if s.ends_with(b"PING") => b"PONG",
            s if s.ends_with(b"\r\n\r\n") && s.windows(4).any(|w| w == b"GET ") => b"HTTP/1.0 200 OK\r\n\r\n",
            _ => b"",
        };
        // Whoever does not want it has gone.
        let _ = stream.write_all(answer);
    };
    let text = String::from_utf8_lossy(&said).replace(client, " PORT ");
    let mut came = came.lock().unwrap();
    let (times, texts, ends) = came.entry(address.to_owned()).or_default();
    *times += 1;
    texts.insert(text);
    *ends |= clean;
}

/// What each place heard of the program's checks.
fn observe(lab: &Lab, name: &str, program: &Program) -> Came {
    let host = lab.host(name);
    let came: Arc<Mutex<Came>> = Arc::default();
    for port in FIRST_PORT..FIRST_PORT + 2 * CASES.len() {
        for ip in ["127.0.0.1", "127.0.0.2", "127.0.0.3"] {
            let address = format!("{ip}:{port}");
            let listener = host.run(|| TcpListener::bind(&address)).unwrap();
            let came = came.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let (address, came) = (address.clone(), came.clone());
                    // A client that has gone already is none that said something.
                    let (Ok(()), Ok(peer)) = (stream.set_read_timeout(Some(PATIENCE)), stream.peer_addr())
                    else {
                        continue;
                    };
                    let client = format!(" {} ", peer.port());
                    std::thread::spawn(move || serve(&address, stream, &client, &came));
                }
            });
        }
        // The name fills what there is room for.
        let name = SocketAddr::from_abstract_name(format!("{port:\0<107}")).unwrap();
        let listener = host.run(|| UnixListener::bind_addr(&name)).unwrap();
        let came = came.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let came = came.clone();
                if stream.set_read_timeout(Some(PATIENCE)).is_ok() {
                    std::thread::spawn(move || serve(&format!("abns:{port}"), stream, " 0 ", &came));
                }
            }
        });
    }
    let _proxy = host.haproxy(program, &Config::written(&host, "ways.cfg", &config()));
    wait_for("all checks", Duration::from_secs(40), || {
        let came = came.lock().unwrap();
        let seen = |at: usize| {
            let of_case = |address: &str| {
                let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0);
                (port - FIRST_PORT) / 2 == at
            };
            came.iter().any(|(address, (times, ..))| of_case(address) && *times >= TIMES)
        };
        (0..CASES.len()).all(seen).then_some(())
    });
    up(&host);
    came.lock().unwrap().clone()
}

/// Nobody is down: each check came to its end.
fn up(host: &Host) {
    let stat = host.tell("/run/ways.sock", "show stat -1 4 -1");
    let down: Vec<&str> = stat.lines().filter(|line| line.contains(",DOWN,")).collect();
    assert!(down.is_empty(), "{down:#?}");
}

#[test]
fn checks_go_where_haproxys_go() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| observe(&lab, name, program));
    let texts = |came: &Came| -> BTreeMap<String, BTreeSet<String>> {
        came.iter().map(|(address, (_, texts, _))| (address.clone(), texts.clone())).collect()
    };
    assert_eq!(texts(&ours), texts(&theirs));
    // With `linger` connections end, all others are reset; a unix socket knows no reset.
    for (at, (rules, _)) in CASES.iter().enumerate() {
        let lingers = rules.contains("linger");
        let port = FIRST_PORT + 2 * at;
        let ended = |came: &Came| {
            let of_case = |address: &&String| {
                let ends = |port: usize| address.ends_with(&format!(":{port}"));
                !address.starts_with("abns:") && (ends(port) || ends(port + 1))
            };
            came.keys().filter(of_case).any(|address| came[address].2)
        };
        assert_eq!(ended(&ours), lingers, "{rules}");
        assert!(ended(&theirs) || !lingers, "{rules}");
    }
}
