//! Part 2: two nodes with the proxy and a VRRP daemon each share one address.

use std::time::{Duration, Instant};

use crate::lab::{
    Behaviour, Cable, Config, Dns, Host, Lab, Load, Network, Nginx, Part, Process, Program, eventually,
    holds_for, keepalived, proxy,
};

use super::{NEEDS, SECOND, webs_up};

const VIP: &str = "172.20.0.100";
const FRONT: &str = "172.20.0.100:80";
/// How the guide asks: `while true; do curl -m 2 ...; sleep 0.3; done`.
const PAUSE: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(2);
/// Requests that may be lost while the address moves.
const LOST: usize = 2;

/// One of the two load balancers.
struct Node {
    keepalived: Process,
    haproxy: Process,
    host: Host,
    cable: Cable,
    number: usize,
    setup: Setup,
}

/// What a node runs.
#[derive(Clone)]
struct Setup {
    program: Program,
    config: Config,
}

impl Node {
    fn boot(lab: &Lab, net: &Network, number: usize, setup: Setup) -> Self {
        let host = lab.host(&format!("lb{number}"));
        let cable = net.plug(&host, "eth0", &format!("172.20.0.1{number}/16"));
        let haproxy = host.haproxy(&proxy(), &Config::system("stateless-ha", "haproxy.cfg"));
        eventually("the proxy to serve", 15 * SECOND, || webs_up(&host) == 3);
        let keepalived = host.keepalived(&setup.program, &setup.config);
        Self { keepalived, haproxy, host, cable, number, setup }
    }

    fn owns(&self) -> bool {
        self.host.has_address(VIP)
    }

    fn start_haproxy(&mut self) {
        self.haproxy = self.host.haproxy(&proxy(), &Config::system("stateless-ha", "haproxy.cfg"));
    }

    fn start_keepalived(&mut self) {
        self.keepalived = self.host.keepalived(&self.setup.program, &self.setup.config);
    }
}

/// The pair, what lies behind it, and its client.
struct Pair {
    nodes: [Node; 2],
    client: Host,
    net: Network,
    _origins: Vec<(Host, Nginx)>,
    _dns: [Dns; 2],
    lab: Lab,
}

impl Pair {
    fn start(lab: Lab, setups: [Setup; 2]) -> Self {
        let net = lab.network("net", "172.20.0.1/16");
        net.gateway().sh("ip address add 10.89.4.1/24 dev br0");
        let dns = Dns::start(net.gateway(), "172.20.0.1:53", Behaviour::Answers);
        let silent = Dns::start(net.gateway(), "10.89.4.1:53", Behaviour::Silent);
        let origins = (1..=3)
            .map(|number| {
                let host = lab.host(&format!("nginx{number}"));
                net.plug(&host, "eth0", &format!("172.20.0.2{number}/16"));
                dns.set(host.name(), &format!("172.20.0.2{number}"));
                let nginx = Nginx::start(&host, 80);
                (host, nginx)
            })
            .collect();
        let client = lab.host("client");
        net.plug(&client, "eth0", "172.20.0.50/16");
        let [first, second] = setups;
        let nodes = [Node::boot(&lab, &net, 1, first), Node::boot(&lab, &net, 2, second)];
        Self { nodes, client, net, _origins: origins, _dns: [dns, silent], lab }
    }

    fn load(&self) -> Load {
        Load::one_by_one(PAUSE, &self.client, FRONT, PATIENCE)
    }

    /// Waits until the node of this number alone owns the address, and gives the time that took.
    fn owned_by(&self, number: usize, within: Duration) -> Duration {
        eventually(&format!("node {number} alone to own the address"), within, || {
            self.nodes.iter().all(|node| node.owns() == (node.number == number))
        })
    }

    /// Waits until the client is served again, then says how many requests were lost since `start`.
    fn lost_since(&self, load: &Load, start: Instant) -> usize {
        let from = Instant::now();
        eventually("three good answers in a row", 15 * SECOND, || {
            let samples = load.so_far().since(from).samples;
            samples.len() >= 3 && samples.iter().rev().take(3).all(crate::lab::Sample::good)
        });
        load.so_far().since(start).lost().len()
    }
}

fn configs() -> [Config; 2] {
    ["keepalived-master.conf", "keepalived-backup.conf"].map(|file| Config::system("stateless-ha", file))
}

/// The recommended change: a failing check costs 20 points, where the original adds 2 while it succeeds.
fn recommended(lab: &Lab, name: &str, config: &Config) -> Config {
    config.with_in(lab.dir(), name, "weight 2", "weight -20")
}

fn open(needs: &[Part]) -> Option<Lab> {
    Lab::open(&[NEEDS, &[Part::Program("killall")], needs].concat())
}

/// Takes the active node down in every way the guide does, and back, under its request loop.
fn every_way_to_lose_the_active_node(programs: [Program; 2], needs: &[Part]) {
    let Some(lab) = open(needs) else { return };
    let [master, backup] = configs();
    let first = recommended(&lab, "master.conf", &master);
    let second = recommended(&lab, "backup.conf", &backup);
    let [one, two] = programs;
    // Ours sees the end of what `killall -0` looks for, and falls at once; at worst a check of every 2 s and an
    // election of 3.6 s add up, during which connections are refused one after the other.
    let abrupt = 20;
    let setups = [Setup { program: one, config: first }, Setup { program: two, config: second }];
    let mut pair = Pair::start(lab, setups);
    pair.owned_by(1, 10 * SECOND);
    let load = pair.load();
    pair.lost_since(&load, Instant::now());

    let start = Instant::now();
    pair.nodes[0].haproxy.kill();
    let took = pair.owned_by(2, 10 * SECOND);
    let lost = pair.lost_since(&load, start);
    println!("proxy killed: moved in {took:?}, {lost} lost");
    assert!(lost <= abrupt, "proxy killed: {}", load.so_far().since(start).summary());

    let start = Instant::now();
    pair.nodes[0].start_haproxy();
    let took = pair.owned_by(1, 15 * SECOND);
    let lost = pair.lost_since(&load, start);
    println!("proxy back: returned in {took:?}, {lost} lost");
    assert!(lost <= LOST, "proxy back: {}", load.so_far().since(start).summary());

    let start = Instant::now();
    pair.nodes[0].keepalived.stop();
    let took = pair.owned_by(2, 5 * SECOND);
    let lost = pair.lost_since(&load, start);
    println!("daemon stopped: moved in {took:?}, {lost} lost");
    assert!(lost <= LOST, "daemon stopped: {}", load.so_far().since(start).summary());

    let start = Instant::now();
    pair.nodes[0].start_keepalived();
    let took = pair.owned_by(1, 15 * SECOND);
    let lost = pair.lost_since(&load, start);
    println!("daemon back: returned in {took:?}, {lost} lost");
    assert!(lost <= LOST, "daemon back: {}", load.so_far().since(start).summary());

    let start = Instant::now();
    pair.net.cut(&pair.nodes[0].cable);
    eventually("node 2 to take over", 8 * SECOND, || pair.nodes[1].owns());
    let lost = pair.lost_since(&load, start);
    println!("network cut: moved in {:?}, {lost} lost", start.elapsed());
    assert!(lost <= LOST, "network cut: {}", load.so_far().since(start).summary());

    let start = Instant::now();
    pair.net.mend(&pair.nodes[0].cable);
    let took = pair.owned_by(1, 15 * SECOND);
    let lost = pair.lost_since(&load, start);
    println!("network back: returned in {took:?}, {lost} lost");
    assert!(lost <= LOST, "network back: {}", load.so_far().since(start).summary());

    let start = Instant::now();
    let setup = pair.nodes[0].setup.clone();
    pair.nodes[0].host.power_off();
    eventually("node 2 to take over", 8 * SECOND, || pair.nodes[1].owns());
    let lost = pair.lost_since(&load, start);
    println!("power cut: {lost} lost");
    assert!(lost <= LOST, "power cut: {}", load.so_far().since(start).summary());

    let start = Instant::now();
    pair.nodes[0] = Node::boot(&pair.lab, &pair.net, 1, setup);
    let took = pair.owned_by(1, 15 * SECOND);
    let lost = pair.lost_since(&load, start);
    println!("power back: returned in {took:?}, {lost} lost");
    assert!(lost <= LOST, "power back: {}", load.so_far().since(start).summary());

    let log = &pair.nodes[1].keepalived;
    for state in ["(VI_1) Entering BACKUP STATE", "(VI_1) Entering MASTER STATE"] {
        assert!(log.count(state) >= 4, "node 2 says {state:?} {} times", log.count(state));
    }
}

#[test]
fn the_address_moves_and_returns() {
    every_way_to_lose_the_active_node([keepalived(), keepalived()], &[]);
}

#[test]
fn the_address_moves_to_a_real_keepalived() {
    const NEEDS: Part = Part::Program("keepalived");
    if let Some(reference) = Program::installed("keepalived") {
        every_way_to_lose_the_active_node([keepalived(), reference], &[NEEDS]);
    } else {
        let _ = open(&[NEEDS]);
    }
}

#[test]
fn the_address_moves_from_a_real_keepalived() {
    const NEEDS: Part = Part::Program("keepalived");
    if let Some(reference) = Program::installed("keepalived") {
        every_way_to_lose_the_active_node([reference, keepalived()], &[NEEDS]);
    } else {
        let _ = open(&[NEEDS]);
    }
}

/// The files as they are add 2 points while the proxy runs: 100 stays above 90 + 2, so the address stays too.
#[test]
fn the_original_weight_keeps_the_address_where_no_proxy_is() {
    let Some(lab) = open(&[]) else { return };
    let mut pair = Pair::start(lab, configs().map(|config| Setup { program: keepalived(), config }));
    pair.owned_by(1, 10 * SECOND);
    eventually("the checks to add their points", 10 * SECOND, || {
        pair.nodes.iter().all(|node| node.keepalived.count("Changing effective priority from") > 0)
    });
    pair.nodes[0].haproxy.kill();
    pair.nodes[0].keepalived.wait_log("Changing effective priority from 102 to 100", 5 * SECOND);
    holds_for("node 1 keeps the address", 5 * SECOND, || pair.nodes[0].owns() && !pair.nodes[1].owns());
}

/// Both files say MASTER: the state is only where a node begins, the priority decides.
#[test]
fn two_masters_settle_by_priority() {
    let Some(lab) = open(&[]) else { return };
    let [master, backup] = configs();
    let second = backup.with_in(lab.dir(), "second.conf", "state BACKUP", "state MASTER");
    let setups = [master, second].map(|config| Setup { program: keepalived(), config });
    let pair = Pair::start(lab, setups);
    pair.owned_by(1, 10 * SECOND);
    holds_for("node 1 alone owns the address", 4 * SECOND, || pair.nodes[0].owns() && !pair.nodes[1].owns());
}

#[test]
fn swapped_priorities_swap_the_nodes() {
    let Some(lab) = open(&[]) else { return };
    let [master, backup] = configs();
    let first = master.with_in(lab.dir(), "first.conf", "priority 100", "priority 90");
    let second = backup.with_in(lab.dir(), "second.conf", "priority 90", "priority 100");
    let setups = [first, second].map(|config| Setup { program: keepalived(), config });
    let mut pair = Pair::start(lab, setups);
    pair.owned_by(2, 15 * SECOND);
    let load = pair.load();
    let start = Instant::now();
    pair.nodes[1].keepalived.stop();
    pair.owned_by(1, 5 * SECOND);
    let lost = pair.lost_since(&load, start);
    assert!(lost <= LOST, "{}", load.finish().summary());
}
