//! A pair in front of two web applications and a PostgreSQL primary with its streaming standby.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::lab::{
    Behaviour, Config, Dns, Host, Lab, Network, Nginx, Part, Postgres, Process, Stats, eventually, get,
    keepalived, proxy, sql,
};

const SECOND: Duration = Duration::from_secs(1);
const VIP: &str = "172.30.0.100";
const WRITE: u16 = 6432;
const READ: u16 = 6433;
const PRIMARY: &str = "172.30.0.31";
const STANDBY: &str = "172.30.0.32";

/// A load balancer with the name server that a container has on its own loopback.
struct Node {
    _keepalived: Process,
    haproxy: Process,
    _dns: Dns,
    host: Host,
}

struct System {
    nodes: Vec<Node>,
    _apps: Vec<(Host, Nginx)>,
    primary: (Host, Postgres),
    standby: (Host, Postgres),
    client: Host,
    _silent: Dns,
    _net: Network,
    _lab: Lab,
}

impl System {
    fn start() -> Option<Self> {
        let needs = [
            Part::Program("nginx"),
            Part::Postgres,
            Part::Program("psql"),
            Part::Program("socat"),
            Part::Program("killall"),
        ];
        let lab = Lab::open(&needs)?;
        let net = lab.network("net", "172.30.0.1/16");
        let silent = Dns::start(net.gateway(), "172.30.0.1:53", Behaviour::Silent);
        let plugged = |name: &str, address: &str| {
            let host = lab.host(name);
            net.plug(&host, "eth0", &format!("{address}/16"));
            host
        };
        let apps = (1..=2)
            .map(|number| {
                let host = plugged(&format!("app{number}"), &format!("172.30.0.2{number}"));
                let nginx = Nginx::start(&host, 5000);
                (host, nginx)
            })
            .collect();
        let host = plugged("primary", PRIMARY);
        let database = Postgres::primary(&host);
        let primary = (host, database);
        sql(&primary.0, "127.0.0.1", 5432, "create table notes (text text)").unwrap();
        let host = plugged("replica", STANDBY);
        let database = Postgres::standby(&host, PRIMARY);
        let standby = (host, database);
        let client = plugged("client", "172.30.0.50");
        let nodes = [
            ("lb1", "172.30.0.11", "keepalived-master.conf"),
            ("lb2", "172.30.0.12", "keepalived-backup.conf"),
        ]
        .map(|(name, address, file)| {
            let host = plugged(name, address);
            let dns = Dns::start(&host, "127.0.0.11:53", Behaviour::Answers);
            dns.set("app1", "172.30.0.21");
            dns.set("app2", "172.30.0.22");
            dns.set("postgres-primary", PRIMARY);
            dns.set("postgres-replica1", STANDBY);
            let haproxy = host.haproxy(&proxy(), &Config::system("full-stack-ha", "haproxy.cfg"));
            let keepalived = host.keepalived(&keepalived(), &Config::system("full-stack-ha", file));
            Node { _keepalived: keepalived, haproxy, _dns: dns, host }
        })
        .into();
        let system =
            Self { nodes, _apps: apps, primary, standby, client, _silent: silent, _net: net, _lab: lab };
        eventually("the address on node 1", 10 * SECOND, || system.nodes[0].host.has_address(VIP));
        eventually("every server checked", 20 * SECOND, || {
            system.stats().is_some_and(|stats| {
                ["pg1", "pg2"]
                    .iter()
                    .all(|server| stats.cell("postgres_replicas", server, "check_status") == "L7OK")
                    && ["app1", "app2"]
                        .iter()
                        .all(|server| stats.cell("app_backend", server, "check_status") == "L7OK")
            })
        });
        Some(system)
    }

    fn stats(&self) -> Option<Stats> {
        get(&self.client, &format!("{VIP}:8404"), "/;csv").ok().map(|answer| Stats::parse(&answer.text()))
    }

    fn write(&self, text: &str) -> Result<String, String> {
        sql(&self.client, VIP, WRITE, &format!("insert into notes values ('{text}')"))
    }
}

#[test]
fn writes_find_the_primary_and_reads_use_both() {
    let Some(mut system) = System::start() else { return };
    for number in 0..6 {
        system.write(&format!("note {number}")).unwrap();
        let server = sql(&system.client, VIP, WRITE, "select host(inet_server_addr())").unwrap();
        assert_eq!(server, PRIMARY);
    }
    eventually("the standby to have the notes", 10 * SECOND, || {
        sql(&system.standby.0, "127.0.0.1", 5432, "select count(*) from notes").as_deref() == Ok("6")
    });
    let readers: Vec<String> =
        (0..6).map(|_| sql(&system.client, VIP, READ, "select host(inet_server_addr())").unwrap()).collect();
    assert_eq!(readers.iter().filter(|server| *server == PRIMARY).count(), 3, "{readers:?}");
    assert_eq!(readers.iter().filter(|server| *server == STANDBY).count(), 3, "{readers:?}");
    let apps: BTreeSet<String> =
        (0..4).map(|_| get(&system.client, &format!("{VIP}:80"), "/").unwrap().text()).collect();
    assert_eq!(apps, ["app1", "app2"].map(str::to_owned).into());

    let start = Instant::now();
    system.primary.1.kill();
    system.standby.1.promote(&system.standby.0);
    // Three checks of 3 s, then the backup server is used.
    eventually("writes to work again", 20 * SECOND, || system.write("after").is_ok());
    println!("writes work again after {:?}", start.elapsed());
    let server = sql(&system.client, VIP, WRITE, "select host(inet_server_addr())").unwrap();
    assert_eq!(server, STANDBY);
    assert_eq!(sql(&system.client, VIP, READ, "select count(*) from notes").as_deref(), Ok("7"));
    let stats = system.stats().unwrap();
    assert_eq!(stats.status("postgres_primary", "pg1"), "DOWN");
    assert_eq!(stats.cell("postgres_primary", "pg2", "bck"), "1");
    let log = &system.nodes[0].haproxy;
    assert!(log.count("Server postgres_primary/pg1 is DOWN") > 0);
    // Layer 4 connections are logged with the TCP format: timers, bytes and the state at the end.
    assert!(log.count("postgres_write postgres_primary/pg1 ") >= 6);
}
