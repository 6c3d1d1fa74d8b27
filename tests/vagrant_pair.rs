//! Files of 2011: retired keywords, authentication headers, mails on a change of state.

use std::time::{Duration, Instant};

use crate::lab::{
    Cable, Config, Host, Lab, Load, Mailbox, Network, Nginx, Part, Process, Program, Stats, Syslog,
    eventually, get, keepalived, proxy, wait_for,
};

const SECOND: Duration = Duration::from_secs(1);
const VIP: &str = "192.168.33.84";
const FRONT: &str = "192.168.33.84:80";
const SOCKET: &str = "/var/lib/haproxy/stats.sock";
/// Requests that may be lost while the address moves.
const LOST: usize = 2;

/// What today's HAProxy wants instead.
const MODERN: &[(&str, &str)] = &[
    ("clitimeout ", "timeout client "),
    ("srvtimeout ", "timeout server "),
    ("contimeout ", "timeout connect "),
    ("listen stats ", "listen stats\n bind "),
    ("listen http ", "listen http\n bind "),
    ("listen https ", "listen https\n bind "),
    ("maxconn 20000", "maxconn 2000"),
    ("stats realm HAProxy Statistics", "stats realm HAProxy\\ Statistics"),
];

struct Node {
    keepalived: Process,
    /// What the proxy said before it went to the background.
    haproxy: Process,
    syslog: Syslog,
    mailbox: Mailbox,
    host: Host,
    _cable: Cable,
}

impl Node {
    fn boot(lab: &Lab, net: &Network, number: usize, program: &Program) -> Self {
        let host = lab.host(&format!("lb{number}"));
        let cable = net.plug(&host, "eth1", &format!("192.168.33.{}/24", 79 + number));
        // The proxy binds the shared address on the node that does not have it yet.
        host.sh("echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind");
        let syslog = Syslog::start(&host, "127.0.0.1:514");
        let mailbox = Mailbox::start(&host, "127.0.0.1:25");
        let config = Config::system("vagrant-pair", &format!("lb{number}-haproxy.cfg"));
        let mut haproxy = host.haproxy_lenient(&config, MODERN);
        assert!(haproxy.ended(10 * SECOND).success(), "it did not go to the background: {:?}", haproxy.log());
        eventually("the proxy to listen", 10 * SECOND, || {
            host.try_sh(&format!("test -S {SOCKET}")).status.success()
        });
        let config = Config::system("vagrant-pair", &format!("lb{number}-keepalived.conf"));
        let keepalived = host.keepalived(program, &config);
        Self { keepalived, haproxy, syslog, mailbox, host, _cable: cable }
    }

    fn owns(&self) -> bool {
        self.host.has_address(VIP)
    }

    fn bytes_out(&self) -> u64 {
        let stats = Stats::parse(&self.host.sh(&format!("echo 'show stat' | socat stdio {SOCKET}")));
        stats.number("http", "FRONTEND", "bout")
    }
}

struct System {
    nodes: [Node; 2],
    client: Host,
    _webs: Vec<(Host, Nginx)>,
    net: Network,
    lab: Lab,
}

impl System {
    fn start(lab: Lab, programs: &[Program; 2]) -> Self {
        let net = lab.network("net", "192.168.33.1/24");
        let webs = [("web01", 68), ("web02", 69)]
            .map(|(name, last)| {
                let host = lab.host(name);
                net.plug(&host, "eth0", &format!("192.168.33.{last}/24"));
                let nginx = Nginx::start(&host, 80);
                (host, nginx)
            })
            .into();
        let client = lab.host("client");
        net.plug(&client, "eth0", "192.168.33.50/24");
        let nodes = [Node::boot(&lab, &net, 1, &programs[0]), Node::boot(&lab, &net, 2, &programs[1])];
        let system = Self { nodes, client, _webs: webs, net, lab };
        system.owned_by(0, 15 * SECOND);
        system
    }

    fn owned_by(&self, index: usize, within: Duration) {
        eventually(&format!("node {} alone to own the address", index + 1), within, || {
            self.nodes.iter().enumerate().all(|(at, node)| node.owns() == (at == index))
        });
    }
}

fn open(needs: &[Part]) -> Option<Lab> {
    let parts = ["nginx", "socat", "killall", "curl", "haproxy"].map(Part::Program);
    Lab::open(&[&parts, needs].concat())
}

fn settled(load: &Load) {
    let from = Instant::now();
    eventually("three good answers in a row", 15 * SECOND, || {
        let samples = load.so_far().since(from).samples;
        samples.len() >= 3 && samples.iter().rev().take(3).all(crate::lab::Sample::good)
    });
}

fn halt_and_return(programs: &[Program; 2], needs: &[Part]) {
    let Some(lab) = open(needs) else { return };
    let mut system = System::start(lab, programs);
    let load = Load::one_by_one(Duration::from_millis(300), &system.client, FRONT, 2 * SECOND);
    settled(&load);
    let quiet = system.nodes[1].bytes_out();
    let busy = system.nodes[0].bytes_out();
    eventually("bytes through node 1", 5 * SECOND, || system.nodes[0].bytes_out() > busy);
    assert_eq!(system.nodes[1].bytes_out(), quiet, "bytes through the node without the address");
    let headers = system.client.sh(&format!("curl -sI http://{VIP}/"));
    assert!(headers.starts_with("HTTP/1.1 200"), "{headers}");

    let start = Instant::now();
    system.nodes[0].keepalived.stop();
    system.nodes[0].host.power_off();
    eventually("node 2 to take over", 8 * SECOND, || system.nodes[1].owns());
    settled(&load);
    let report = load.so_far().since(start);
    println!("node 1 halted: {}", report.summary());
    assert!(report.lost().len() <= LOST);
    assert!(system.nodes[1].bytes_out() > quiet);

    let start = Instant::now();
    system.nodes[0] = Node::boot(&system.lab, &system.net, 1, &programs[0]);
    system.owned_by(0, 15 * SECOND);
    settled(&load);
    let report = load.so_far().since(start);
    println!("node 1 back: {}", report.summary());
    assert!(report.lost().len() <= LOST);

    // 101 points without the proxy's two are less than the other's 102.
    let start = Instant::now();
    system.nodes[0].host.sh("killall haproxy");
    system.owned_by(1, 10 * SECOND);
    settled(&load);
    println!("proxy gone: {}", load.finish().since(start).summary());

    // The balance is by source, so one client always meets the same server.
    let answers: Vec<String> = (0..6).map(|_| get(&system.client, FRONT, "/").unwrap().text()).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert!(system.nodes[1].syslog.count(" http http/web0") > 0, "{:?}", system.nodes[1].syslog.messages());
}

#[test]
fn the_loop_goes_on_across_halt_and_return() {
    halt_and_return(&[keepalived(), keepalived()], &[]);
}

#[test]
fn authentication_headers_satisfy_a_real_backup() {
    const NEEDS: Part = Part::Program("keepalived");
    if let Some(reference) = Program::installed("keepalived") {
        halt_and_return(&[keepalived(), reference], &[NEEDS]);
    } else {
        let _ = open(&[NEEDS]);
    }
}

#[test]
fn authentication_headers_of_a_real_master_are_verified() {
    const NEEDS: Part = Part::Program("keepalived");
    if let Some(reference) = Program::installed("keepalived") {
        halt_and_return(&[reference, keepalived()], &[NEEDS]);
    } else {
        let _ = open(&[NEEDS]);
    }
}

#[test]
fn mails_are_sent_and_the_page_asks_for_a_password() {
    let Some(lab) = open(&[]) else { return };
    let system = System::start(lab, &[keepalived(), keepalived()]);
    let mail = wait_for("a mail about becoming master", 10 * SECOND, || {
        system.nodes[0].mailbox.mails().into_iter().find(|mail| mail.contains("MASTER"))
    });
    println!("{mail}");
    assert!(mail.contains("MAIL FROM:<keepalived@haproxy01.example.com>"), "{mail}");
    assert!(mail.contains("RCPT TO:<sysadmin@example.com>"), "{mail}");
    assert!(mail.contains("Subject: [lb1] VRRP Instance VI_1"), "{mail}");

    let closed = get(&system.client, "192.168.33.80:80", "/stats").unwrap();
    assert_eq!(closed.status, 401);
    assert!(
        closed.header("www-authenticate").unwrap().starts_with("Basic realm=\"HAProxy"),
        "{}",
        closed.head
    );
    let code = |user: &str| {
        let address = "http://192.168.33.80/stats";
        system.client.sh(&format!("curl -s -o /dev/null -w '%{{http_code}}' -u {user} {address}"))
    };
    assert_eq!(code("admin:wrong"), "401");
    assert_eq!(code("admin:supersecret"), "200");
    assert_eq!(get(&system.client, "192.168.33.81:80", "/stats").unwrap().status, 401);
}

/// HAProxy refuses these files; that they load, and what is said about it, is a promise of ours alone.
#[test]
fn retired_words_are_answered_with_the_modern_ones() {
    if !proxy().is_ours() {
        println!("skipped: HAProxy rejects these files");
        return;
    }
    let Some(lab) = open(&[]) else { return };
    let system = System::start(lab, &[keepalived(), keepalived()]);
    for node in &system.nodes {
        for modern in ["timeout client", "timeout server", "timeout connect", "bind"] {
            assert!(
                node.haproxy.log().iter().any(|line| line.contains(modern)),
                "no warning names {modern:?}: {:?}",
                node.haproxy.log()
            );
        }
    }
}
