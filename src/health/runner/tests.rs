//! Checks over loopback sockets, and the lines they write.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;
use crate::ir;
use crate::ir::check::{Check, CheckKind, HttpRequest, Step, Text};
use crate::ir::log::{Facility, LogDest, LogFraming, LogTarget};
use crate::ir::server::{Agent, ServerCheck};
use crate::live::Server;
use crate::log::{Identity, Logger};
use crate::server::{AdminRequest, Cause};

struct Bench {
    live: Arc<Live>,
    lines: UdpSocket,
}

impl Bench {
    /// A backend `b` with servers `s1`... at these addresses, checked every 50 ms.
    async fn new(addrs: &[SocketAddr], check: Check, change: impl FnOnce(&mut ir::Proxy)) -> Self {
        let lines = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut proxy = ir::Proxy::new("b", ir::Caps::Backend);
        proxy.logs =
            vec![LogTarget::new(LogDest::Udp(lines.local_addr().unwrap()), LogFraming::Raw, Facility(16))];
        Arc::make_mut(&mut proxy.timeouts).check = Some(Duration::from_secs(5));
        let half = proxy.backend.as_mut().unwrap();
        half.check = check;
        let inter = Duration::from_millis(50);
        half.servers = addrs
            .iter()
            .enumerate()
            .map(|(i, addr)| ir::Server {
                id: i as u32 + 1,
                check: Some(ServerCheck { inter, ..ServerCheck::default() }),
                ..ir::Server::new(&format!("s{}", i + 1), ir::ServerAddr::Ip(*addr))
            })
            .collect();
        change(&mut proxy);
        let config = ir::Config { proxies: vec![Arc::new(proxy)], ..ir::Config::default() };
        let logger = Logger::new(Identity { hostname: None, tag: "haproxy".into(), pid: 1 });
        let live = Live::new(Arc::new(config), Arc::new(logger), 100);
        tokio::spawn(Runner::new(&live).unwrap().run());
        Self { live, lines }
    }

    fn server(&self, index: usize) -> Arc<Server> {
        self.live.proxies()[0].backend.as_ref().unwrap().servers()[index].clone()
    }

    /// The next log line, durations taken out.
    async fn line(&self) -> String {
        let mut buffer = [0; 2048];
        let got = tokio::time::timeout(Duration::from_secs(10), self.lines.recv(&mut buffer)).await;
        let n = got.expect("a line within ten seconds").unwrap();
        let line = String::from_utf8_lossy(&buffer[..n]).trim_end().to_owned();
        let Some(at) = line.find("check duration: ") else { return line };
        let rest = &line[at + 16..];
        format!("{}check duration: N{}", &line[..at], rest.trim_start_matches(|c: char| c.is_ascii_digit()))
    }
}

/// Answers every connection with `answer` until it is dropped.
async fn origin(addr: &str, answer: &'static [u8]) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind(addr).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 1024];
            // A plain check closes without a word.
            if stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                let _ = stream.write_all(answer).await;
            }
        }
    });
    (addr, task)
}

/// Waits until something holds.
async fn until(holds: impl Fn() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(5));
    let wait = async {
        while !holds() {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("within ten seconds");
}

/// An address nobody listens on.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_server_goes_down_and_comes_back_with_haproxys_lines() {
    let (one, task) = origin("127.0.0.1:0", b"").await;
    let (two, _task) = origin("127.0.0.1:0", b"").await;
    let bench = Bench::new(&[one, two], Check::default(), |_| {}).await;
    task.abort();
    assert!(task.await.is_err());
    assert_eq!(
        bench.line().await,
        "Server b/s1 is DOWN, reason: Layer4 connection problem, info: \"ECONNREFUSED returned by OS \
         (Connection refused)\", check duration: \
         Nms. 1 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue."
    );
    assert!(!bench.server(0).is_usable());
    let _back = origin(&one.to_string(), b"").await;
    assert_eq!(
        bench.line().await,
        "Server b/s1 is UP, reason: Layer4 check passed, check duration: Nms. 2 active and 0 backup servers \
         online. 0 sessions requeued, 0 total in queue."
    );
    assert!(bench.server(0).is_usable());
}

#[tokio::test]
async fn the_last_server_takes_the_backend_along() {
    let bench = Bench::new(&[nobody().await], Check::default(), |_| {}).await;
    assert!(bench.line().await.starts_with("Server b/s1 is DOWN, reason: Layer4 connection problem"));
    assert_eq!(bench.line().await, "backend b has no server available!");
    let report = bench.server(0).check.read().clone();
    assert_eq!(
        (report.status, report.info.as_str(), report.health),
        ("L4CON", "ECONNREFUSED returned by OS (Connection refused)", 0)
    );
    assert_eq!(bench.server(0).counters.chkfail.get(), 1);
}

#[tokio::test]
async fn an_http_status_decides_and_every_check_is_logged_if_asked() {
    let (addr, _task) = origin("127.0.0.1:0", b"HTTP/1.1 503 Not Now\r\n\r\n").await;
    let request =
        HttpRequest { method: "GET".into(), uri: Text::Plain(b"/health".to_vec()), ..HttpRequest::default() };
    let check = Check::by_steps(CheckKind::Http, [Step::SendHttp(Box::new(request))]);
    let check = Check { log_all: true, ..check };
    let bench = Bench::new(&[addr], check, |_| {}).await;
    assert_eq!(
        bench.line().await,
        "Health check for server b/s1 failed, reason: Layer7 wrong status, code: 503, info: \"Not Now\", check \
         duration: Nms, status: 0/2 DOWN."
    );
    assert_eq!(
        bench.line().await,
        "Server b/s1 is DOWN. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in \
         queue."
    );
}

#[tokio::test]
async fn a_silent_server_times_out_and_delays_nobody() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (good, _task) = origin("127.0.0.1:0", b"+PONG\r\n").await;
    let check = Check { kind: CheckKind::Redis, ..Check::default() };
    let addrs = [silent.local_addr().unwrap(), good];
    let bench = Bench::new(&addrs, check, |p| {
        Arc::make_mut(&mut p.timeouts).check = Some(Duration::from_millis(200))
    })
    .await;
    let line = bench.line().await;
    assert!(line.starts_with("Server b/s1 is DOWN, reason: Layer7 timeout, check duration: Nms."), "{line}");
    until(|| bench.server(1).check.read().info == "Redis server is ok").await;
    assert_eq!(bench.server(1).check.read().status, "L7OK");
}

#[tokio::test]
async fn maintenance_stops_the_checks() {
    let (addr, task) = origin("127.0.0.1:0", b"").await;
    let bench = Bench::new(&[addr, addr], Check::default(), |_| {}).await;
    let proxy = bench.live.proxies()[0].clone();
    let server = bench.server(0).clone();
    proxy.change_server(&server, |s, now| s.request(AdminRequest::Maint, now));
    assert!(bench.line().await.starts_with("Server b/s1 is going DOWN for maintenance. 1 active"));
    task.abort();
    assert!(task.await.is_err());
    // The other server's check notices; the one in maintenance is not asked.
    assert!(bench.line().await.starts_with("Server b/s2 is DOWN"));
    assert_eq!(bench.line().await, "backend b has no server available!");
    proxy.change_server(&server, |s, now| s.request(AdminRequest::Ready, now));
    assert_eq!(bench.line().await, "Server b/s1 is UP/READY (leaving forced maintenance).");
    assert!(bench.line().await.starts_with("Server b/s1 is DOWN, reason: Layer4 connection problem"));
}

#[tokio::test]
async fn a_process_that_ends_checks_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bench = Bench::new(&[listener.local_addr().unwrap()], Check::default(), |_| {}).await;
    until(|| bench.server(0).check.read().status == "L4OK").await;
    bench.live.stop();
    // Whatever was on its way arrives; then nothing comes for many intervals.
    let quiet = async {
        loop {
            let next = tokio::time::timeout(Duration::from_millis(500), listener.accept()).await;
            if next.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), quiet).await.expect("checks end");
}

#[tokio::test]
async fn a_warming_server_gets_its_weight_step_by_step() {
    let (addr, _task) = origin("127.0.0.1:0", b"").await;
    let bench = Bench::new(&[addr], Check::default(), |p| {
        let server = &mut p.backend.as_mut().unwrap().servers[0];
        (server.slowstart, server.weight) = (Some(Duration::from_secs(2)), 100);
    })
    .await;
    let proxy = bench.live.proxies()[0].clone();
    let server = bench.server(0).clone();
    proxy.change_server(&server, |s, now| s.set_op(Op::Stopped, &Cause::Tracking, now));
    proxy.change_server(&server, |s, now| s.set_op(Op::Running, &Cause::Tracking, now));
    assert_eq!(server.with_state(|s| (s.op(), s.shown_weight())), (Op::Starting, 7));
    until(|| server.with_state(|s| s.op()) == Op::Running).await;
    assert_eq!(server.with_state(|s| s.shown_weight()), 100);
}

#[tokio::test]
async fn an_agent_speaks_for_its_server() {
    let (service, _service) = origin("127.0.0.1:0", b"").await;
    let (agent, task) = origin("127.0.0.1:0", b"50% maxconn:7 down # tired\n").await;
    let bench = Bench::new(&[service, service], Check::default(), |p| {
        let server = &mut p.backend.as_mut().unwrap().servers[0];
        server.weight = 100;
        server.agent = Some(Box::new(Agent {
            inter: Duration::from_millis(50),
            addr: None,
            socket: None,
            port: agent.port(),
            send: b"hello\n".to_vec(),
        }));
    })
    .await;
    assert_eq!(
        bench.line().await,
        "Server b/s1 is DOWN, reason: Layer7 wrong status, code: 0, info: \"via agent : down (tired)\", check \
         duration: Nms. 1 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue."
    );
    let server = bench.server(0).clone();
    assert_eq!((server.maxconn(), server.with_state(|s| s.user_weight())), (7, 50));
    // Its own check goes on passing and does not bring it back.
    until(|| server.check.read().status == "L4OK" && server.agent.read().status == "L7STS").await;
    assert!(!server.is_usable());
    task.abort();
    assert!(task.await.is_err());
    // An agent that cannot be reached says nothing.
    until(|| server.agent.read().status == "L4CON").await;
    assert!(!server.is_usable());
    let _back = origin(&agent.to_string(), b"up,maint\n").await;
    // The administrative state comes first.
    assert_eq!(bench.line().await, "Server b/s1 was DOWN and now enters maintenance.");
    bench.live.proxies()[0].change_server(&server, |s, now| s.request(AdminRequest::Ready, now));
    assert_eq!(bench.line().await, "Server b/s1 is UP/READY (leaving forced maintenance).");
}

/// A relay that answers every request with these bytes and closes; without any, it says nothing for good.
async fn relay(answer: Option<&'static [u8]>) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 16];
            if stream.read_exact(&mut request).await.is_err() {
                continue;
            }
            assert_eq!((request[0], request[1], &request[8..]), (4, 1, &b"HAProxy\0"[..]));
            match answer {
                Some(answer) => drop(stream.write_all(answer).await),
                None => kept.push(stream),
            }
        }
    });
    (addr, task)
}

#[tokio::test]
async fn a_relay_that_does_not_connect_fails_the_check_in_haproxys_words() {
    let (yes, _yes) = relay(Some(b"\0\x5a\0\0\0\0\0\0HTTP/1.1 204 Fine\r\n\r\n")).await;
    let (no, _no) = relay(Some(b"\0\x5b\0\0\0\0\0\0")).await;
    let (mute, _mute) = relay(Some(b"\0\x5a")).await;
    let (silent, _silent) = relay(None).await;
    let relays = [yes, no, mute, silent, nobody().await, yes];
    let request =
        HttpRequest { method: "GET".into(), uri: Text::Plain(b"/".to_vec()), ..HttpRequest::default() };
    let check = Check::by_steps(CheckKind::Http, [Step::SendHttp(Box::new(request))]);
    // Nobody but the relays could be asked at this address.
    let mut addrs = [nobody().await; 6];
    addrs[5] = "[::1]:9".parse().unwrap();
    let bench = Bench::new(&addrs, check, |p| {
        Arc::make_mut(&mut p.timeouts).check = Some(Duration::from_millis(300));
        for (server, relay) in p.backend.as_mut().unwrap().servers.iter_mut().zip(relays) {
            server.link_mut().socks4 = Some(relay);
            server.check.as_mut().unwrap().via_socks4 = true;
        }
    })
    .await;
    for (index, status, info) in [
        (0, "L7OK", "Fine"),
        (1, "SOCKERR", "SOCKS4 Proxy deny the request"),
        (2, "SOCKERR", "SOCKS4 Proxy read error during handshake"),
        (3, "L7TOUT", ""),
        (4, "L4CON", "ECONNREFUSED returned by OS (Connection refused)"),
        (5, "L4CON", "General socket error (Invalid argument)"),
    ] {
        let found = || {
            let report = bench.server(index).check.read().clone();
            report.status == status && (report.in_progress || report.info == info)
        };
        until(found).await;
    }
    assert!(bench.server(0).is_usable());
    assert!((1..6).all(|index| !bench.server(index).is_usable()));
}

#[tokio::test]
async fn a_connection_that_nobody_answers_times_out() {
    // A queue with room for one: what comes after that is not answered.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    full.listen(0).unwrap();
    let addr = full.local_addr().unwrap().as_socket().unwrap();
    let _first = tokio::net::TcpStream::connect(addr).await.unwrap();
    let bench = Bench::new(&[addr], Check::default(), |_| {}).await;
    let line = bench.line().await;
    assert!(line.starts_with("Server b/s1 is DOWN, reason: Layer4 timeout, check duration: Nms."), "{line}");
    // Its end is noticed in the middle of a check, too.
    drop((full, _first));
    let _back = origin(&addr.to_string(), b"").await;
    until(|| bench.server(0).is_usable()).await;
}
