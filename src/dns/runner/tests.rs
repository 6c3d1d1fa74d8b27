//! A tiny DNS server and servers that follow names, over loopback sockets.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;
use crate::dns::tests::reply;
use crate::ir::log::{Facility, LogDest, LogFraming, LogTarget};
use crate::ir::resolvers::Nameserver;
use crate::ir::server::{InitAddr, Lookup};
use crate::log::{Identity, Logger};

type Zone = Arc<Mutex<HashMap<String, Vec<IpAddr>>>>;

/// Answers from the zone; names that are not in it do not exist.
fn respond(zone: &Zone, question: &[u8]) -> Vec<u8> {
    let name = Message::from_vec(question).unwrap().queries[0].name().to_string();
    match zone.lock().get(name.trim_end_matches('.')) {
        Some(addrs) => reply(question, addrs, ResponseCode::NoError),
        None => reply(question, &[], ResponseCode::NXDomain),
    }
}

async fn nameserver(zone: Zone) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((n, from)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&respond(&zone, &buffer[..n]), from).await;
        }
    });
    addr
}

async fn tcp_nameserver(zone: Zone) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // One answer per connection: the client has to come back.
            let Ok(length) = stream.read_u16().await else { continue };
            let mut question = vec![0; usize::from(length)];
            if stream.read_exact(&mut question).await.is_ok() {
                let answer = respond(&zone, &question);
                let mut framed = (answer.len() as u16).to_be_bytes().to_vec();
                framed.extend(answer);
                let _ = stream.write_all(&framed).await;
            }
        }
    });
    addr
}

struct Bench {
    live: Arc<Live>,
    lines: UdpSocket,
    zone: Zone,
}

impl Bench {
    /// Servers `s1`... of a backend `b` that follow these names, which are asked for every 50 ms.
    async fn new(names: &[&str], more: &[Nameserver]) -> Self {
        let zone = Zone::default();
        let first = nameserver(zone.clone()).await;
        Self::with(
            names,
            zone,
            &[&[Nameserver { name: "dns1".into(), addr: first, tcp: false }], more].concat(),
        )
        .await
    }

    async fn with(names: &[&str], zone: Zone, nameservers: &[Nameserver]) -> Self {
        let lines = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut proxy = ir::Proxy::new("b", ir::Caps::Backend);
        proxy.logs =
            vec![LogTarget::new(LogDest::Udp(lines.local_addr().unwrap()), LogFraming::Raw, Facility(16))];
        proxy.backend.as_mut().unwrap().servers = names
            .iter()
            .enumerate()
            .map(|(i, name)| ir::Server {
                lookup: Arc::new(Lookup {
                    resolvers: Some("docker".into()),
                    init_addr: vec![InitAddr::None],
                    ..Lookup::default()
                }),
                ..ir::Server::new(
                    &format!("s{}", i + 1),
                    ir::ServerAddr::Name { host: (*name).into(), port: 80 },
                )
            })
            .collect();
        let mut section = ir::Resolvers::new("docker".into());
        section.nameservers = nameservers.to_vec();
        let soon = Duration::from_millis(50);
        (section.timeout_resolve, section.timeout_retry) = (soon, 2 * soon);
        (section.hold_nx, section.hold_timeout, section.hold_other) = (4 * soon, 4 * soon, 4 * soon);
        let config =
            ir::Config { proxies: vec![Arc::new(proxy)], resolvers: vec![section], ..ir::Config::default() };
        let logger = Logger::new(Identity { hostname: None, tag: "haproxy".into(), pid: 1 });
        let live = Live::new(Arc::new(config), Arc::new(logger), 100);
        assert_eq!(init_addresses(&live, &|_, _| Default::default()), Outcome::default());
        spawn(&live, Home::Together).unwrap();
        Self { live, lines, zone }
    }

    fn set(&self, name: &str, addrs: &[&str]) {
        self.zone.lock().insert(name.into(), addrs.iter().map(|a| a.parse().unwrap()).collect());
    }

    fn address(&self, index: usize) -> Address {
        self.live.proxies()[0].backend.as_ref().unwrap().servers()[index].address()
    }

    async fn line(&self) -> String {
        let mut buffer = [0; 2048];
        let got = tokio::time::timeout(Duration::from_secs(10), self.lines.recv(&mut buffer)).await;
        let n = got.expect("a line within ten seconds").unwrap();
        String::from_utf8_lossy(&buffer[..n]).trim_end().to_owned()
    }
}

fn at(text: &str) -> Address {
    Address::Ip(text.parse().unwrap())
}

const UP_AGAIN: &str = "Server b/s1 ('nginx1') is UP/READY (resolves again).";
const READY: &str = "Server b/s1 administratively READY thanks to valid DNS answer.";

#[tokio::test]
async fn a_server_follows_its_name_with_haproxys_lines() {
    let bench = Bench::new(&["nginx1"], &[]).await;
    assert_eq!(bench.address(0), Address::Unknown);
    bench.set("nginx1", &["10.0.0.1"]);
    assert_eq!(bench.line().await, "b/s1 changed its IP from (none) to 10.0.0.1 by docker/dns1.");
    assert_eq!(bench.line().await, UP_AGAIN);
    assert_eq!(bench.line().await, READY);
    assert_eq!(bench.address(0), at("10.0.0.1:80"));
    bench.set("nginx1", &["10.0.0.2"]);
    assert_eq!(bench.line().await, "b/s1 changed its IP from 10.0.0.1 to 10.0.0.2 by docker/dns1.");
    assert_eq!(bench.address(0), at("10.0.0.2:80"));
    bench.zone.lock().clear();
    assert_eq!(
        bench.line().await,
        "Server b/s1 is going DOWN for maintenance (DNS NX status). 0 active and 0 backup servers left. 0 sessions \
         active, 0 requeued, 0 remaining in queue."
    );
    assert_eq!(bench.line().await, "backend b has no server available!");
    bench.set("nginx1", &["10.0.0.3", "fd00::3"]);
    assert_eq!(bench.line().await, "b/s1 changed its IP from (none) to fd00::3 by docker/dns1.");
}

#[tokio::test]
async fn servers_of_one_name_get_different_addresses() {
    let bench = Bench::new(&["nginx1", "nginx1"], &[]).await;
    bench.set("nginx1", &["10.0.0.1", "10.0.0.2"]);
    assert_eq!(bench.line().await, "b/s1 changed its IP from (none) to 10.0.0.1 by docker/dns1.");
    assert_eq!(bench.line().await, UP_AGAIN);
    assert_eq!(bench.line().await, READY);
    assert_eq!(bench.line().await, "b/s2 changed its IP from (none) to 10.0.0.2 by DNS cache.");
    assert_eq!(bench.line().await, "Server b/s2 ('nginx1') is UP/READY (resolves again).");
    assert_eq!(bench.line().await, "Server b/s2 administratively READY thanks to valid DNS answer.");
    bench.set("nginx1", &["10.0.0.2"]);
    assert!(
        bench
            .line()
            .await
            .starts_with("Server b/s1 is going DOWN for maintenance (No IP for server ). 1 active")
    );
    assert_eq!((bench.address(0), bench.address(1)), (Address::Unknown, at("10.0.0.2:80")));
}

#[tokio::test]
async fn a_nameserver_that_never_answers_delays_nothing() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let ns = |name: &str, addr| Nameserver { name: name.into(), addr, tcp: false };
    let more = [ns("dns2", silent.local_addr().unwrap()), ns("dns3", nobody)];
    let bench = Bench::new(&["nginx1"], &more).await;
    bench.set("nginx1", &["10.0.0.1"]);
    assert!(bench.line().await.ends_with("10.0.0.1 by docker/dns1."));
    bench.set("nginx1", &["10.0.0.2"]);
    assert_eq!(bench.line().await, UP_AGAIN);
    assert_eq!(bench.line().await, READY);
    assert!(bench.line().await.ends_with("from 10.0.0.1 to 10.0.0.2 by docker/dns1."));
    let counters = &bench.live.resolvers[0].nameservers;
    assert!(counters[1].counters.sent.get() > 0);
    assert_eq!(counters[1].counters.valid.get(), 0);
}

#[tokio::test]
async fn a_nameserver_over_tcp_is_asked_as_well() {
    let zone = Zone::default();
    let addr = tcp_nameserver(zone.clone()).await;
    let bench = Bench::with(&["nginx1"], zone, &[Nameserver { name: "tcp1".into(), addr, tcp: true }]).await;
    bench.set("nginx1", &["10.0.0.1"]);
    assert_eq!(bench.line().await, "b/s1 changed its IP from (none) to 10.0.0.1 by docker/tcp1.");
    bench.set("nginx1", &["10.0.0.2"]);
    assert_eq!(bench.line().await, UP_AGAIN);
    assert_eq!(bench.line().await, READY);
    assert_eq!(bench.line().await, "b/s1 changed its IP from 10.0.0.1 to 10.0.0.2 by docker/tcp1.");
}

#[test]
fn addresses_at_start_come_from_the_methods_in_turn() {
    let ip: IpAddr = "10.9.9.9".parse().unwrap();
    let cases: [(&str, &[InitAddr], Option<&str>, &str); 6] = [
        ("127.0.0.7", &[], Some("127.0.0.7"), ""),
        ("nowhere.invalid", &[InitAddr::None], None, ""),
        ("nowhere.invalid", &[InitAddr::Ip(ip)], Some("10.9.9.9"), ""),
        ("nowhere.invalid", &[InitAddr::Libc, InitAddr::None], None, "', disabling server."),
        (
            "nowhere.invalid",
            &[InitAddr::Last, InitAddr::Libc, InitAddr::Ip(ip)],
            Some("10.9.9.9"),
            "', falling back to configured address.",
        ),
        ("nowhere.invalid", &[], None, "'."),
    ];
    for (host, methods, expected, message) in cases {
        let mut proxy = ir::Proxy::new("a", ir::Caps::Backend);
        let addr = ir::ServerAddr::Name { host: host.into(), port: 80 };
        let place = ir::Place { file: "x.cfg".into(), line: 7 };
        let lookup = Lookup { init_addr: methods.to_vec(), ..Lookup::default() };
        proxy.backend.as_mut().unwrap().servers =
            vec![ir::Server { lookup: lookup.into(), place, ..ir::Server::new("s1", addr) }];
        let config = ir::Config { proxies: vec![Arc::new(proxy)], ..ir::Config::default() };
        let logger = Logger::new(Identity { hostname: None, tag: "haproxy".into(), pid: 1 });
        let live = Live::new(Arc::new(config), Arc::new(logger), 100);
        let outcome = init_addresses(&live, &|_, _| Default::default());
        let server = live.proxies()[0].backend.as_ref().unwrap().servers()[0].clone();
        let expected =
            expected.map_or(Address::Unknown, |e| Address::Ip((e.parse::<IpAddr>().unwrap(), 80).into()));
        assert_eq!((server.address(), server.is_usable()), (expected.clone(), expected != Address::Unknown));
        let first = outcome.messages.first().map_or("", |m| m.text.as_str());
        let text = "config : [x.cfg:7] : 'server a/s1' : could not resolve address 'nowhere.invalid";
        let wanted = if message.is_empty() { String::new() } else { format!("{text}{message}") };
        assert_eq!(first, wanted);
        assert_eq!(outcome.failed, message == "'.");
    }
}
