//! Three gateways in strict rotation, a websocket service that sticks by source, an administrator's page.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::lab::{
    Chat, Config, Connection, Host, Lab, Network, Nginx, Part, Process, Stats, WebSocket, eventually, get,
    holds_for, proxy,
};

const SECOND: Duration = Duration::from_secs(1);
const GATEWAY: &str = "10.20.0.10:8080";
const CHAT: &str = "10.20.0.10:8085";
const CHAT_API: &str = "10.20.0.10:8086";
const STATS: &str = "10.20.0.10:8404";

struct System {
    proxy: Process,
    gateways: Vec<(Host, Nginx)>,
    _chats: Vec<(Host, Chat)>,
    client: Host,
    _lb: Host,
    _net: Network,
    _lab: Lab,
}

impl System {
    fn start(needs: &[Part]) -> Option<Self> {
        let lab = Lab::open(&[&[Part::Program("nginx")], needs].concat())?;
        let net = lab.network("net", "10.20.0.1/24");
        let lb = lab.host("lb");
        net.plug(&lb, "eth0", "10.20.0.10/24");
        let gateways = (1..=3)
            .map(|number| {
                let host = lab.host(&format!("gateway-{number}"));
                net.plug(&host, "eth0", &format!("10.20.0.2{number}/24"));
                lb.knows(host.name(), &format!("10.20.0.2{number}"));
                let nginx = Nginx::start(&host, 8083);
                (host, nginx)
            })
            .collect();
        let chats = (1..=3)
            .map(|number| {
                let host = lab.host(&format!("chat-service-{number}"));
                net.plug(&host, "eth0", &format!("10.20.0.3{number}/24"));
                lb.knows(host.name(), &format!("10.20.0.3{number}"));
                let chat = Chat::start(&host, 8084);
                (host, chat)
            })
            .collect();
        let client = lab.host("client");
        net.plug(&client, "eth0", "10.20.0.50/24");
        let proxy = lb.haproxy(&proxy(), &Config::system("payment-gateway", "haproxy.cfg"));
        eventually("the proxy to serve", 10 * SECOND, || lb.reaches("127.0.0.1:8080"));
        let system = Self { proxy, gateways, _chats: chats, client, _lb: lb, _net: net, _lab: lab };
        eventually("every check to have succeeded", 10 * SECOND, || {
            let stats = system.stats();
            let checked = |proxy: &str, server: String| stats.cell(proxy, &server, "check_status") == "L7OK";
            (1..=3).all(|number| {
                checked("gateway_backend", format!("gateway-{number}"))
                    && checked("chat_websocket_backend", format!("chat-{number}"))
            })
        });
        Some(system)
    }

    fn stats(&self) -> Stats {
        Stats::parse(&get(&self.client, STATS, "/;csv").unwrap().text())
    }

    fn status(&self, gateway: &str) -> String {
        self.stats().status("gateway_backend", gateway).to_owned()
    }

    /// Who answers the next `count` requests.
    fn answers(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| get(&self.client, GATEWAY, "/").unwrap().text()).collect()
    }
}

/// Whether these servers take strict turns, in whatever order.
fn rotates(answers: &[String], servers: &[&str]) -> bool {
    let turn = servers.len();
    let first: BTreeSet<&str> = answers.iter().take(turn).map(String::as_str).collect();
    first == servers.iter().copied().collect()
        && answers.iter().zip(&answers[turn..]).all(|(one, next)| one == next)
}

const ALL: &[&str] = &["gateway-1", "gateway-2", "gateway-3"];

#[test]
fn requests_rotate_strictly() {
    let Some(mut system) = System::start(&[]) else { return };
    let answers = system.answers(30);
    assert!(rotates(&answers, ALL), "new connections: {answers:?}");
    let mut connection = Connection::open(&system.client, GATEWAY).unwrap();
    let answers: Vec<String> = (0..30).map(|_| connection.get("/").unwrap().text()).collect();
    assert!(rotates(&answers, ALL), "one connection: {answers:?}");

    system.gateways[1].1.stop();
    eventually("gateway-2 DOWN", 12 * SECOND, || system.status("gateway-2") == "DOWN");
    let answers = system.answers(12);
    assert!(rotates(&answers, &["gateway-1", "gateway-3"]), "{answers:?}");
    let (host, nginx) = &mut system.gateways[1];
    *nginx = Nginx::start(host, 8083);
    eventually("gateway-2 UP", 9 * SECOND, || system.status("gateway-2") == "UP");
    assert!(rotates(&system.answers(12), ALL));
    assert!(
        system.proxy.count("Server gateway_backend/gateway-2 is DOWN, reason: Layer4 connection problem") > 0
    );
}

#[test]
fn websockets_stick_to_one_server_by_source() {
    let Some(system) = System::start(&[]) else { return };
    let mut used = BTreeSet::new();
    for number in 60..72 {
        let source = format!("10.20.0.{number}");
        system.client.sh(&format!("ip address add {source}/24 dev eth0"));
        let servers: BTreeSet<String> = (0..4)
            .map(|_| {
                let mut socket = WebSocket::open(&system.client, &source, CHAT).unwrap();
                let first = socket.say("hello").unwrap();
                let second = socket.say("again").unwrap();
                let (server, text) = first.split_once(": ").unwrap();
                assert_eq!(text, "hello");
                assert_eq!(second, format!("{server}: again"));
                server.to_owned()
            })
            .collect();
        assert_eq!(servers.len(), 1, "{source} was sent to {servers:?}");
        used.extend(servers);
    }
    assert!(used.len() > 1, "every source went to {used:?}");
}

#[test]
fn a_silent_websocket_lives_on() {
    let Some(system) = System::start(&[]) else { return };
    let mut socket = WebSocket::open(&system.client, "10.20.0.50", CHAT).unwrap();
    let server = socket.say("before").unwrap().replace("before", "");
    // Longer than the 50 s of the defaults that do not belong to it.
    holds_for("the silent websocket is open", 60 * SECOND, || socket.alive());
    assert_eq!(socket.say("after").unwrap(), format!("{server}after"));
}

#[test]
fn the_api_port_rotates_and_forwards_the_address() {
    let Some(system) = System::start(&[]) else { return };
    let answers: Vec<String> = (0..6).map(|_| get(&system.client, CHAT_API, "/").unwrap().text()).collect();
    let servers: BTreeSet<&String> = answers.iter().collect();
    assert_eq!(servers.len(), 3, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.ends_with(" for 10.20.0.50")), "{answers:?}");
}

#[test]
fn an_administrator_takes_a_server_out_and_puts_it_back() {
    let Some(system) = System::start(&[]) else { return };
    let page = get(&system.client, STATS, "/").unwrap().text();
    // The form of the backend names it in a hidden field.
    let table = &page[page.find("gateway_backend").unwrap()..];
    let field = &table[table.find("name=\"b\" value=\"").unwrap() + 16..];
    let backend = field[..field.find('"').unwrap()].replace('#', "%23");
    let post = |action: &str| {
        let form = format!("s=gateway-1&action={action}&b={backend}");
        let answer = Connection::open(&system.client, STATS)
            .unwrap()
            .exchange(format!(
                "POST / HTTP/1.1\r\nHost: lab\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: {}\r\n\r\n{form}",
                form.len()
            ))
            .unwrap();
        assert_eq!(answer.status, 303);
        answer.header("location").unwrap().to_owned()
    };
    assert_eq!(post("maint"), "/;st=DONE");
    assert_eq!(system.status("gateway-1"), "MAINT");
    let answers = system.answers(8);
    assert!(rotates(&answers, &["gateway-2", "gateway-3"]), "{answers:?}");
    assert_eq!(post("ready"), "/;st=DONE");
    eventually("gateway-1 UP", 8 * SECOND, || system.status("gateway-1") == "UP");
    let answers = system.answers(12);
    assert!(rotates(&answers, ALL), "{answers:?}");
    assert_eq!(post("nonsense"), "/;st=ERRP");
}

#[test]
fn benchmarks_run_without_an_error() {
    let Some(system) = System::start(&[Part::Program("ab"), Part::Program("wrk")]) else { return };
    let ab = system.client.sh(&format!("ab -q -n 1000 -c 10 http://{GATEWAY}/"));
    assert!(ab.contains("Complete requests:      1000"), "{ab}");
    assert!(ab.contains("Failed requests:        0") && !ab.contains("Non-2xx"), "{ab}");
    let wrk = system.client.sh(&format!("wrk -t10 -c100 -d3s http://{GATEWAY}/"));
    println!("{wrk}");
    assert!(
        wrk.contains("requests in") && !wrk.contains("Non-2xx") && !wrk.contains("Socket errors"),
        "{wrk}"
    );
}
