//! What a node keeps when everything on it is killed or frozen: nothing, for the kernel takes the addresses away.

use std::process::Command;
use std::time::SystemTime;

use crate::lab::{Config, Host, Lab, Part, Process, Signal, eventually, holds_for, keepalived};
use crate::vrrp_process::{CONFIG, Pair, SECOND, VIP, pid};

const VIP6: &str = "fd00:78::100";

/// With an address of each family; more lines for `global_defs`.
fn written(host: &Host, priority: u8, global: &str) -> Config {
    let text = CONFIG.replace("PRIORITY", &priority.to_string()).replace(
        "    virtual_ipaddress {",
        "    virtual_ipaddress_excluded {\n        fd00:78::100/64\n    }\n    virtual_ipaddress {",
    );
    Config::written(host, "keepalived.conf", &format!("global_defs {{\n    {global}\n}}\n{text}"))
}

fn has_both(host: &Host) -> bool {
    host.has_address(VIP) && host.has_address(VIP6)
}

fn has_any(host: &Host) -> bool {
    host.has_address(VIP) || host.has_address(VIP6)
}

/// Both processes of the daemon, so that neither can clean up after the other.
fn kill_all(host: &Host) {
    let (parent, engine) = (pid(host, "/run/keepalived.pid"), pid(host, "/run/vrrp.pid"));
    host.sh(&format!("kill -STOP {parent}; kill -KILL {engine}; kill -KILL {parent}"));
}

#[test]
fn a_killed_node_loses_its_addresses() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let _one = pair.one.keepalived(&keepalived(), &written(&pair.one, 100, "router_id one"));
    eventually("the addresses", 5 * SECOND, || has_both(&pair.one));
    let _two = pair.two.keepalived(&keepalived(), &written(&pair.two, 90, "router_id two"));
    holds_for("the addresses, renewed again and again", 5 * SECOND, || {
        has_both(&pair.one) && !has_any(&pair.two)
    });
    kill_all(&pair.one);
    let took = eventually("the takeover", 3 * SECOND, || has_both(&pair.two));
    let gone = eventually("the addresses to go from the dead node", 5 * SECOND, || !has_any(&pair.one));
    println!("everything killed: taken over after {took:?}, gone from the dead node {gone:?} later");
}

#[test]
fn a_frozen_node_loses_its_addresses_and_gives_way_when_it_thaws() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let one = pair.one.keepalived(&keepalived(), &written(&pair.one, 100, "router_id one"));
    eventually("the addresses", 5 * SECOND, || has_both(&pair.one));
    let two = pair.two.keepalived(&keepalived(), &written(&pair.two, 90, "router_id two"));
    two.wait_log("Entering BACKUP STATE", 5 * SECOND);
    let all = format!("{} {}", pid(&pair.one, "/run/keepalived.pid"), pid(&pair.one, "/run/vrrp.pid"));
    pair.one.sh(&format!("kill -STOP {all}"));
    eventually("the takeover", 3 * SECOND, || has_both(&pair.two));
    eventually("the addresses to go from the frozen node", 5 * SECOND, || !has_any(&pair.one));
    let heard = two.count("advert from 10.78.0.11");
    pair.one.sh(&format!("kill -CONT {all}"));
    one.wait_log("late with an advert", 2 * SECOND);
    eventually("the return", 5 * SECOND, || has_both(&pair.one) && !has_any(&pair.two));
    // As a backup it waited its time, and only then spoke: with the word that ended the other's turn.
    assert_eq!(two.count("advert from 10.78.0.11"), heard + 1, "{:#?}", two.log());
}

#[test]
fn who_does_not_want_it_keeps_addresses_forever() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let one = pair.one.keepalived(&keepalived(), &written(&pair.one, 100, "vip_lifetime 4"));
    eventually("the addresses", 5 * SECOND, || has_both(&pair.one));
    let lives = |host: &Host| host.sh("ip addr show dev eth0");
    assert!(!lives(&pair.one).contains("10.78.0.100/24 scope global eth0"), "{}", lives(&pair.one));
    // A reload applies it to addresses that are there.
    written(&pair.one, 100, "vip_lifetime off");
    one.signal(Signal::SIGHUP);
    let forever = |host: &Host| {
        let text = lives(host);
        [VIP, VIP6].iter().all(|vip| {
            let mut lines = text.lines().skip_while(|line| !line.contains(vip)).skip(1);
            lines.next().is_some_and(|line| line.contains("valid_lft forever"))
        })
    };
    eventually("the addresses to stay", 5 * SECOND, || forever(&pair.one));
    kill_all(&pair.one);
    holds_for("the addresses", 5 * SECOND, || has_both(&pair.one));

    // And a daemon that is told to leave them does so for good.
    let mut command = keepalived().command();
    let config = written(&pair.two, 90, "router_id two");
    command.args(["-n", "-l", "-V", "-f"]).arg(config.path());
    let mut two = pair.two.spawn(command);
    eventually("the addresses", 5 * SECOND, || has_both(&pair.two));
    assert!(two.stop().success());
    assert!(forever(&pair.two), "{}", lives(&pair.two));
}

/// Seconds of every answer to pings that go on for ten seconds.
struct Pings(Process);

impl Pings {
    /// With `afresh` the client must ask for the hardware address each time.
    fn start(client: &Host, vip: &str, afresh: bool) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(if afresh {
            format!(
                "for i in $(seq 100); do ip neigh del {vip} dev eth0; ping -Dnc 1 -W 0.1 {vip}; sleep 0.05; done"
            )
        } else {
            format!("ping -Dn -i 0.05 -w 10 {vip}")
        });
        Self(client.spawn(command))
    }

    fn answers(&self) -> Vec<f64> {
        let log = self.0.log();
        let times = log.iter().filter(|line| line.contains("bytes from"));
        times.filter_map(|line| line.strip_prefix('[')?.split(']').next()?.parse().ok()).collect()
    }
}

#[test]
fn a_killed_node_stops_answering_before_its_addresses_end() {
    let Some(lab) = Lab::open(&[Part::Program("ping")]) else { return };
    let pair = Pair::new(&lab);
    // One goes on sending to whom it knows, the other asks each time.
    let (knows, asks) = (lab.host("knows"), lab.host("asks"));
    for (client, last) in [(&knows, 31), (&asks, 32)] {
        pair.net.plug(client, "eth0", &format!("10.78.0.{last}/24"));
        client.sh(&format!("ip addr add fd00:78::{last}/64 dev eth0 nodad"));
    }
    // Nobody else is there to take over: whoever answers is the dead one.
    let _one = pair.one.keepalived(&keepalived(), &written(&pair.one, 100, "router_id one"));
    eventually("the addresses", 5 * SECOND, || has_both(&pair.one));
    let link = pair.one.sh("ip -o link show dev eth0");
    let mac = link.split_once("link/ether ").unwrap().1.split(' ').next().unwrap();
    for vip in [VIP, VIP6] {
        knows.sh(&format!("ip neigh replace {vip} lladdr {mac} dev eth0 nud permanent"));
    }
    let cases =
        [(&knows, false), (&asks, true)].into_iter().flat_map(|(c, a)| [VIP, VIP6].map(|vip| (c, vip, a)));
    let pings: Vec<Pings> = cases.map(|(client, vip, afresh)| Pings::start(client, vip, afresh)).collect();
    for ping in &pings {
        eventually("lease after lease", 8 * SECOND, || {
            let times = ping.answers();
            times.last().zip(times.first()).is_some_and(|(last, first)| last - first > 1.5)
        });
    }
    kill_all(&pair.one);
    eventually("the end of the addresses", 6 * SECOND, || !has_any(&pair.one));
    let ended = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    for ping in &pings {
        let early = ended - ping.answers().last().unwrap();
        println!("everything killed: silent {early:.2} s before the addresses end");
        // They end after three to four seconds, the lease after 0.6 s.
        assert!(early > 1.5, "{early}");
    }
    // What is left in the kernel does not stand in the way of whoever comes next.
    pair.one.sh(&format!("ip addr add {VIP}/24 dev eth0"));
    eventually("answers again", 10 * SECOND, || {
        knows.try_sh(&format!("ping -n -c 1 -W 0.2 {VIP}")).status.success()
    });
}
