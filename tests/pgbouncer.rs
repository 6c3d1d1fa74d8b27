//! A pair in front of three PgBouncers: least connections, PostgreSQL's own check, no idle timeout.

use std::time::{Duration, Instant};

use crate::lab::{
    Config, Host, Lab, Network, Part, PgBouncer, Postgres, Process, Stats, eventually, get, holds_for,
    keepalived, proxy, psql, sql, wait_for,
};

const SECOND: Duration = Duration::from_secs(1);
const VIP: &str = "192.168.1.100";
const FRONT: u16 = 5432;
/// The machine that runs the poolers and the database.
const MACHINE: &str = "192.168.1.5";
const POOLS: [&str; 3] = ["pgb1", "pgb2", "pgb3"];

struct Node {
    haproxy: Process,
    keepalived: Process,
    host: Host,
}

struct System {
    nodes: Vec<Node>,
    pools: Vec<PgBouncer>,
    _database: Postgres,
    machine: Host,
    client: Host,
    _net: Network,
    _lab: Lab,
}

impl System {
    fn start() -> Option<Self> {
        let lab = Lab::open(&[Part::Postgres, Part::Program("psql"), Part::Program("pgbouncer")])?;
        let net = lab.network("net", "192.168.1.1/24");
        let machine = lab.host("machine");
        net.plug(&machine, "eth0", &format!("{MACHINE}/24"));
        let database = Postgres::primary(&machine);
        let pools = (6432..6435).map(|port| PgBouncer::start(&machine, port, "127.0.0.1")).collect();
        let client = lab.host("client");
        net.plug(&client, "eth0", "192.168.1.50/24");
        let nodes = [
            ("lb1", "192.168.1.11", "keepalived-master.conf"),
            ("lb2", "192.168.1.12", "keepalived-backup.conf"),
        ]
        .map(|(name, address, file)| {
            let host = lab.host(name);
            net.plug(&host, "enp0s8", &format!("{address}/24"));
            // HAProxy will not start where the system allows fewer open files than its `maxconn` would need.
            let config = Config::system("pgbouncer-ha", "haproxy.cfg");
            let haproxy = host.haproxy_lenient(&config, &[("maxconn 12000", "maxconn 2000")]);
            let keepalived = host.keepalived(&keepalived(), &Config::system("pgbouncer-ha", file));
            Node { haproxy, keepalived, host }
        })
        .into();
        let system = Self { nodes, pools, _database: database, machine, client, _net: net, _lab: lab };
        eventually("the address on node 1", 10 * SECOND, || system.nodes[0].host.has_address(VIP));
        eventually("three good checks", 15 * SECOND, || {
            POOLS.iter().all(|pool| system.cell(pool, "check_status") == "L7OK")
        });
        Some(system)
    }

    fn cell(&self, pool: &str, column: &str) -> String {
        let answer = get(&self.client, &format!("{VIP}:8404"), "/stats;csv").unwrap();
        Stats::parse(&answer.text()).cell("pgbouncer_backend", pool, column).to_owned()
    }

    fn query(&self) -> Result<String, String> {
        sql(&self.client, VIP, FRONT, "select 40 + 2")
    }

    /// A client that stays connected for a while.
    fn sitting(&self) -> Process {
        self.client.spawn(psql(VIP, FRONT, "select pg_sleep(60)"))
    }
}

#[test]
fn connections_go_where_the_fewest_are() {
    let Some(system) = System::start() else { return };
    assert_eq!(system.query().as_deref(), Ok("42"));
    let sessions = || POOLS.map(|pool| system.cell(pool, "scur").parse::<usize>().unwrap());
    let mut clients: Vec<(usize, Process)> = Vec::new();
    for round in 1..=3 {
        for _ in POOLS {
            let before = sessions();
            let client = system.sitting();
            let pool = wait_for("the session to be counted", 10 * SECOND, || {
                before.iter().zip(sessions()).position(|(before, now)| *before < now)
            });
            clients.push((pool, client));
        }
        assert_eq!(sessions(), [round; 3]);
    }
    // The first pool's clients go home: the next three all go there.
    clients.retain(|(pool, _)| *pool != 0);
    eventually("the first pool to be empty", 10 * SECOND, || sessions()[0] == 0);
    for count in 1..=3 {
        clients.push((0, system.sitting()));
        eventually("the first pool to fill", 10 * SECOND, || sessions() == [count, 3, 3]);
    }
}

#[test]
fn checks_see_dead_and_frozen_poolers() {
    let Some(mut system) = System::start() else { return };
    system.pools[1].kill();
    let took = eventually("pgb2 DOWN", 9 * SECOND, || system.cell("pgb2", "status") == "DOWN");
    println!("killed: DOWN after {took:?}");
    assert_eq!(system.cell("pgb2", "check_status"), "L4CON");
    // A frozen one accepts connections, so only a check that speaks its protocol notices.
    system.pools[2].freeze();
    let took = eventually("pgb3 DOWN", 20 * SECOND, || system.cell("pgb3", "status") == "DOWN");
    println!("frozen: DOWN after {took:?}");
    assert_eq!(system.cell("pgb3", "check_status"), "L7TOUT");
    (0..6).for_each(|_| assert_eq!(system.query().as_deref(), Ok("42")));
    system.pools[2].thaw();
    system.pools[1] = PgBouncer::start(&system.machine, 6433, "127.0.0.1");
    eventually("both UP", 10 * SECOND, || {
        ["pgb2", "pgb3"].iter().all(|pool| system.cell(pool, "status") == "UP")
    });
    let node = &system.nodes[0].haproxy;
    assert!(node.count("Server pgbouncer_backend/pgb3 is DOWN, reason: Layer7 timeout") > 0);
}

#[test]
fn zero_means_no_timeout_and_clients_come_back_when_the_node_is_lost() {
    let Some(mut system) = System::start() else { return };
    let mut idle = system.client.spawn(psql(VIP, FRONT, "select pg_sleep(12)"));
    holds_for("the quiet session is open", 10 * SECOND, || idle.running());
    assert!(idle.ended(10 * SECOND).success(), "{:?}", idle.log());
    let start = Instant::now();
    system.nodes[0].keepalived.kill();
    system.nodes[0].host.power_off();
    eventually("a query through node 2", 15 * SECOND, || system.query().is_ok());
    println!("queries work again after {:?}", start.elapsed());
    assert!(system.nodes[1].host.has_address(VIP));
}

#[test]
fn the_files_pass_their_own_checks() {
    let Some(lab) = Lab::open(&[]) else { return };
    let host = lab.host("lb1");
    let net = lab.network("net", "192.168.1.1/24");
    net.plug(&host, "enp0s8", "192.168.1.11/24");
    let mut command = proxy().command();
    command.arg("-c").arg("-f").arg(Config::system("pgbouncer-ha", "haproxy.cfg").path());
    let output = host.output(command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Configuration file is valid"));
    let test = |system: &str, file: &str| {
        let mut command = keepalived().command();
        command.arg("--config-test").arg("-f").arg(Config::system(system, file).path());
        host.output(command)
    };
    net.plug(&host, "eth0", "172.20.0.11/16");
    for file in ["keepalived-master.conf", "keepalived-backup.conf"] {
        let clean = test("stateless-ha", file);
        assert!(clean.status.success(), "{file}: {}", String::from_utf8_lossy(&clean.stderr));
        let complaint = String::from_utf8_lossy(&test("pgbouncer-ha", file).stderr).into_owned();
        assert!(complaint.contains("Truncating auth_pass to 8 characters"), "{file}: {complaint}");
    }
}
