//! Transitions, their effects and their log lines.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::ir;
use crate::ir::log::{Facility, LogDest, LogFraming, LogTarget};
use crate::live::{CheckOrder, Live, Proxy, Server};
use crate::log::{Identity, Logger};

/// The servers of the recording.
struct Bench {
    live: Arc<Live>,
    lines: UdpSocket,
    orders: tokio::sync::mpsc::UnboundedReceiver<crate::live::AddressedOrder>,
    /// Health of the only check.
    health: u32,
    known: HashMap<String, String>,
}

fn server(name: &str, change: impl FnOnce(&mut ir::Server)) -> ir::Server {
    let mut server = ir::Server::new(name, ir::ServerAddr::Ip(([127, 0, 0, 1], 9).into()));
    change(&mut server);
    server
}

fn track(name: &str, of: &str) -> ir::Server {
    server(name, |s| s.track = Some(("c".into(), of.into())))
}

impl Bench {
    fn new() -> Self {
        let lines = UdpSocket::bind("127.0.0.1:0").unwrap();
        lines.set_nonblocking(true).unwrap();
        let target =
            LogTarget::new(LogDest::Udp(lines.local_addr().unwrap()), LogFraming::Short, Facility(16));
        let proxy = |name: &str, caps, servers| {
            let mut proxy = ir::Proxy::new(name, caps);
            proxy.logs = vec![target.clone()];
            proxy.backend.as_mut().unwrap().servers = servers;
            proxy
        };
        let b = vec![
            server("s1", |_| {}),
            server("s2", |s| s.weight = 10),
            server("s3", |s| s.backup = true),
            server("s4", |s| s.disabled = true),
        ];
        let c = vec![
            server("t1", |s| s.check = Some(ir::server::ServerCheck::default())),
            track("t2", "t1"),
            ir::Server { backup: true, ..track("t3", "t2") },
        ];
        let mut d = proxy("d", ir::Caps::Backend, vec![server("u1", |s| s.weight = 20)]);
        d.backend.as_mut().unwrap().balance = ir::proxy::Balance::StaticRr;
        let proxies = vec![
            proxy("b", ir::Caps::Backend, b),
            proxy("c", ir::Caps::Backend, c),
            d,
            proxy("l", ir::Caps::Listen, vec![track("v1", "t1")]),
        ];
        let proxies = proxies.into_iter().map(Arc::new).collect();
        let config = ir::Config { proxies, ..ir::Config::default() };
        let logger = Logger::new(Identity { hostname: None, tag: "haproxy".into(), pid: 1 });
        let live = Live::new(Arc::new(config), Arc::new(logger), 100);
        let orders = live.check_orders().unwrap();
        Self { live, lines, orders, health: 4, known: HashMap::new() }
    }

    fn find(&self, path: &str) -> (Arc<Proxy>, Arc<Server>) {
        let (backend, name) = path.split_once('/').unwrap();
        let proxy = self.live.backend_named(backend).unwrap().clone();
        let server = proxy.backend.as_ref().unwrap().server_named(name).unwrap().clone();
        (proxy, server)
    }

    /// Does what `set server PATH WHAT VALUE` does; what the socket answers.
    fn command(&mut self, words: &[&str]) -> Option<String> {
        let [_, _, path, what, value] = words else { panic!("{words:?}") };
        let (proxy, server) = self.find(path);
        match *what {
            "state" => {
                let request = match *value {
                    "ready" => AdminRequest::Ready,
                    "drain" => AdminRequest::Drain,
                    _ => AdminRequest::Maint,
                };
                proxy.change_server(&server, |s, now| s.request(request, now));
            }
            "health" => {
                let (op, health) = match *value {
                    "up" => (Op::Running, 4),
                    "stopping" => (Op::Stopping, 4),
                    _ => (Op::Stopped, 0),
                };
                self.health = health;
                let cause = Cause::Words("changed from CLI".into());
                proxy.change_server(&server, |s, now| s.set_op(op, &cause, now));
            }
            _ => match server.with_state(|s| s.parse_weight(value)) {
                Ok(weight) => proxy.change_server(&server, |s, now| s.set_weight(weight, now)),
                Err(answer) => return Some(answer.trim_end().to_owned()),
            },
        }
        while let Ok((_, _, order)) = self.orders.try_recv() {
            match order {
                CheckOrder::Pause => self.health = 0,
                CheckOrder::Resume => self.health = 2,
                _ => {}
            }
        }
        None
    }

    fn logged(&self) -> Vec<String> {
        let mut buffer = [0; 2048];
        let mut lines = Vec::new();
        while let Ok(n) = self.lines.recv(&mut buffer) {
            lines.push(format!("log {}", String::from_utf8_lossy(&buffer[..n]).trim_end()));
        }
        lines
    }

    fn changed(&mut self) -> Vec<String> {
        let check = Standing { health: self.health, rise: 2, fall: 3 };
        let end_of_chain = self.find("c/t1").1.with_state(ServerState::op);
        let mut lines = Vec::new();
        for proxy in self.live.proxies() {
            for server in proxy.backend.as_ref().unwrap().servers() {
                let path = format!("{}/{}", proxy.ir.name, server.ir.name);
                let linked = server.ir.check.is_some() || server.ir.track.is_some();
                let check = linked.then_some(check);
                let now = server.with_state(|s| {
                    let word = status_word(s, check, None, linked.then_some(end_of_chain));
                    format!("state {path} {} {} {} {word}", s.op() as u8, s.admin().0, s.user_weight())
                });
                if self.known.insert(path, now.clone()).as_ref() != Some(&now) {
                    lines.push(now);
                }
            }
        }
        lines
    }
}

#[test]
fn states_and_lines_are_those_recorded_from_haproxy() {
    let mut bench = Bench::new();
    let recording = include_str!("../../compat-fixtures/server/states.txt");
    let mut blocks = recording.split("> ");
    let block = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(bench.changed(), block(blocks.next().unwrap()), "at start");
    let mut commands = 0;
    for text in blocks {
        commands += 1;
        let (command, expected) = text.split_once('\n').unwrap();
        let answer = bench.command(&command.split(' ').collect::<Vec<_>>());
        let mut ours: Vec<String> = answer.map(|a| format!("answer {a}")).into_iter().collect();
        ours.extend(bench.logged());
        ours.extend(bench.changed());
        assert_eq!(ours, block(expected), "{command}");
    }
    assert!(commands > 50);
}

fn lone(change: impl FnOnce(&mut ir::Server)) -> (ServerState, Instant) {
    #[allow(clippy::disallowed_methods, reason = "a test has to begin somewhere")]
    let now = Instant::now();
    (ServerState::new("b", &server("s1", change), true, now), now)
}

#[test]
fn a_slow_start_takes_whole_seconds_and_sixteenths() {
    let (mut state, now) = lone(|s| (s.slowstart, s.weight) = (Some(Duration::from_millis(3_500)), 10));
    assert_eq!(state.weight(), 160, "not at the start of the process");
    state.set_op(Op::Stopped, &Cause::Tracking, now);
    let effects = state.set_op(Op::Running, &Cause::Tracking, now);
    assert!(effects.contains(&Effect::WarmUpIn(Duration::from_secs(1))));
    let mut seen = vec![(state.weight(), state.throttle(now))];
    for second in 1..=4 {
        let now = now + Duration::from_secs(second);
        state.warm_up(now);
        seen.push((state.weight(), state.throttle(now)));
    }
    // (16 * s + 4) / 4 sixteenths of 10.
    let expected = [(10, Some(1)), (50, Some(25)), (90, Some(50)), (130, Some(75)), (160, None)];
    assert_eq!(seen, expected);
    assert_eq!(state.op(), Op::Running);
}

#[test]
fn time_down_is_counted_until_it_comes_up() {
    let (mut state, now) = lone(|_| {});
    let at = |s| now + Duration::from_secs(s);
    assert!(state.set_op(Op::Stopped, &Cause::Tracking, at(1)).contains(&Effect::CountDown));
    assert_eq!(state.down_time(at(4)), Duration::from_secs(3));
    state.set_op(Op::Running, &Cause::Tracking, at(5));
    assert_eq!(state.down_time(at(9)), Duration::from_secs(4));
}

#[test]
fn sessions_are_ended_as_configured() {
    let (mut state, now) = lone(|s| {
        (s.on_marked_down, s.on_marked_up) =
            (ir::server::OnMark::ShutdownSessions, ir::server::OnMark::ShutdownSessions);
    });
    assert!(state.set_op(Op::Stopped, &Cause::Tracking, now).contains(&Effect::ShutdownSessions));
    assert!(state.set_op(Op::Running, &Cause::Tracking, now).contains(&Effect::ShutdownBackupSessions));
    let maint = state.request(AdminRequest::Maint, now);
    assert!(maint.contains(&Effect::ShutdownSessions) && maint.contains(&Effect::DropIdle));
}

#[test]
fn details_are_quoted_so_that_a_line_stays_a_line() {
    assert_eq!(escape_info("a \"b\"\r\nc"), "a <22>b<22><0D><0A>c");
}

#[test]
fn limits_follow_the_load_and_the_slow_start() {
    assert_eq!(dynamic_limit(0, 0, 100, 0, None), 0, "no limit");
    assert_eq!(dynamic_limit(100, 10, 1000, 0, None), 10);
    assert_eq!(dynamic_limit(100, 10, 1000, 500, None), 50);
    assert_eq!(dynamic_limit(100, 10, 1000, 2000, None), 100);
    assert_eq!(dynamic_limit(100, 0, 1000, 5, Some(10)), 10);
    assert_eq!(dynamic_limit(5, 0, 1000, 5, Some(1)), 1);
}
