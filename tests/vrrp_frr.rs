//! Pairs of ours and FRR's vrrpd, a third implementation: both versions, both families, both roles.

use std::process::Command;
use std::time::Duration;

use crate::lab::{Config, Host, Lab, Part, Process, eventually, holds_for, keepalived};
use crate::vrrp_process::SECOND;

const ZEBRA: &str = "/usr/lib/frr/zebra";
const VRRPD: &str = "/usr/lib/frr/vrrpd";
const VIP4: &str = "10.77.0.100";
const VIP6: &str = "2001:db8:77::100";

/// One way of speaking.
#[derive(Clone, Copy)]
struct Way {
    version: u8,
    /// Milliseconds between adverts.
    interval: u32,
    /// IPv6, too.
    six: bool,
    /// Three intervals and the skew, rounded up.
    master_down: Duration,
}

/// A host on which FRR runs, with the interfaces it wants: one with the virtual router's hardware address for each
/// family, on which the addresses stand. It says who is master by turning their carrier off.
struct Frr {
    host: Host,
    daemons: Vec<Process>,
}

impl Frr {
    fn new(lab: &Lab, name: &str, way: Way, priority: u8) -> Self {
        let host = lab.host(name);
        host.sh("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0");
        let six = if way.six { format!(" vrrp 51 ipv6 {VIP6}\n") } else { String::new() };
        host.file("zebra.conf", "");
        host.file(
            "vrrpd.conf",
            format!(
                "interface eth0\n vrrp 51 version {}\n vrrp 51 priority {priority}\n vrrp 51 advertisement-interval {}\n \
                 vrrp 51 ip {VIP4}\n{six}",
                way.version, way.interval
            ),
        );
        Self { host, daemons: Vec::new() }
    }

    fn add_interfaces(&self, way: Way) {
        let mut families = vec![("v4", "00:00:5e:00:01:33", format!("{VIP4}/24"))];
        if way.six {
            families.push(("v6", "00:00:5e:00:02:33", format!("{VIP6}/64")));
        }
        for (name, mac, address) in families {
            self.host.sh(&format!(
                "ip link add {name} link eth0 type macvlan mode bridge && ip link set {name} address {mac} && \
                 ip addr add {address} dev {name} && ip link set {name} up"
            ));
        }
    }

    fn start(&mut self) {
        let dir = self.host.dir().display().to_string();
        // The daemons give up their rights at once, and nothing of them is in this namespace yet.
        self.host.sh(&format!("mkdir -p /run/frr && chown frr:frr /run/frr && chmod 755 {dir}"));
        for program in [ZEBRA, VRRPD] {
            let name = program.rsplit('/').next().unwrap_or_default();
            let mut command = Command::new(program);
            command.args(["-z", "/run/frr/zserv.api", "-P", "0", "--log", "stdout"]);
            command.args(["-i", &format!("/run/frr/{name}.pid"), "-f", &format!("{dir}/{name}.conf")]);
            self.daemons.push(self.host.spawn(command));
            eventually(name, 10 * SECOND, || {
                self.host
                    .try_sh(&format!("test -s /run/frr/{name}.pid -a -S /run/frr/{name}.vty"))
                    .status
                    .success()
            });
        }
    }

    fn stop(&mut self) {
        for mut daemon in self.daemons.drain(..).rev() {
            daemon.stop();
        }
    }

    /// Which families it owns.
    fn owns(&self) -> Vec<&str> {
        let link = |name: &str| {
            let shown = self.host.try_sh(&format!("ip -d link show {name}"));
            let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
            shown.contains(name) && !shown.contains("protodown on")
        };
        ["v4", "v6"].into_iter().filter(|name| !self.daemons.is_empty() && link(name)).collect()
    }
}

fn ours(host: &Host, way: Way, priority: u8) -> Config {
    let interval = f64::from(way.interval) / 1000.0;
    let instance = |name: &str, vip: &str| {
        format!(
            "vrrp_instance {name} {{\n    interface eth0\n    virtual_router_id 51\n    priority {priority}\n    \
             version {}\n    advert_int {interval}\n    virtual_ipaddress {{\n        {vip}\n    }}\n}}\n",
            way.version
        )
    };
    let six = if way.six { instance("V6", &format!("{VIP6}/64")) } else { String::new() };
    Config::written(host, "keepalived.conf", &(instance("V4", &format!("{VIP4}/24")) + &six))
}

/// Which families ours owns.
fn owned(host: &Host) -> Vec<&'static str> {
    [("v4", VIP4), ("v6", VIP6)].into_iter().filter(|(_, vip)| host.has_address(vip)).map(|f| f.0).collect()
}

fn exercise(lab: &Lab, name: &str, way: Way, our_priority: u8, frr_priority: u8) {
    let net = lab.network(&format!("{name}-net"), "10.77.0.1/24");
    let me = lab.host(&format!("{name}-ours"));
    me.sh("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0");
    let mut frr = Frr::new(lab, &format!("{name}-frr"), way, frr_priority);
    net.plug(&me, "eth0", "10.77.0.11/24");
    net.plug(&frr.host, "eth0", "10.77.0.12/24");
    frr.add_interfaces(way);
    let all = if way.six { vec!["v4", "v6"] } else { vec!["v4"] };
    let late = way.master_down + 5 * SECOND;

    let config = ours(&me, way, our_priority);
    let mut daemon = me.keepalived(&keepalived(), &config);
    eventually(&format!("{name}: ours alone"), late, || owned(&me) == all);
    frr.start();
    if frr_priority > our_priority {
        eventually(&format!("{name}: FRR to preempt"), late, || owned(&me).is_empty() && frr.owns() == all);
        holds_for(&format!("{name}: one owner"), way.master_down + SECOND, || {
            owned(&me).is_empty() && frr.owns() == all
        });
        frr.stop();
        eventually(&format!("{name}: ours after FRR stopped"), late, || owned(&me) == all);
    } else {
        eventually(&format!("{name}: FRR to wait"), late, || frr.owns().is_empty());
        holds_for(&format!("{name}: one owner"), way.master_down + SECOND, || {
            owned(&me) == all && frr.owns().is_empty()
        });
        assert!(daemon.stop().success());
        // Priority 0 was understood: the skew time, not three intervals more.
        eventually(&format!("{name}: FRR after ours stopped"), late, || frr.owns() == all);
        daemon = me.keepalived(&keepalived(), &config);
        eventually(&format!("{name}: ours to preempt"), late, || owned(&me) == all && frr.owns().is_empty());
    }
    for word in ["nvalid", "mismatch", "too short", "too long", "unexpected", "does not match"] {
        assert_eq!(daemon.count(word), 0, "{name}: {:#?}", daemon.log());
    }
}

fn both_roles(way: Way) {
    let Some(lab) = Lab::open(&[Part::Program(ZEBRA), Part::Program(VRRPD)]) else { return };
    std::thread::scope(|scope| {
        let lab = &lab;
        scope.spawn(move || exercise(lab, "above", way, 150, 100));
        scope.spawn(move || exercise(lab, "below", way, 100, 150));
    });
}

#[test]
fn version_2_with_frr() {
    both_roles(Way { version: 2, interval: 1000, six: false, master_down: Duration::from_millis(3700) });
}

#[test]
fn version_3_of_both_families_with_frr() {
    both_roles(Way { version: 3, interval: 200, six: true, master_down: Duration::from_millis(750) });
}
