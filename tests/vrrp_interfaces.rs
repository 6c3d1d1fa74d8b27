//! Interfaces and packet filters of the daemon's own: `use_vmac`, `vmac_xmit_base`, `no_accept`, beside keepalived's.

use crate::lab::{Config, Host, Lab, Part, Program, eventually, holds_for, keepalived};
use crate::vrrp_process::{Pair, SECOND};

const VIP: &str = "10.78.0.100";
const VIP6: &str = "fd00:78::100";

/// An instance of each family with more lines.
fn written(host: &Host, priority: u8, lines: &str) -> Config {
    host.sh("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0");
    let instance = |name: &str, vrid: u8, addresses: &str| {
        format!(
            "vrrp_instance {name} {{\n    interface eth0\n    virtual_router_id {vrid}\n    priority {priority}\n    \
             version 3\n    advert_int 0.2\n    {lines}\n    virtual_ipaddress {{\n        {addresses}\n    }}\n}}\n"
        )
    };
    let text =
        instance("V4", 51, "10.78.0.100/24") + &instance("V6", 56, "fe80::5600/64\n        fd00:78::100/64");
    Config::written(host, "keepalived.conf", &text)
}

fn owns(host: &Host) -> bool {
    host.has_address(VIP) && host.has_address(VIP6)
}

fn owns_none(host: &Host) -> bool {
    !host.has_address(VIP) && !host.has_address(VIP6)
}

fn reaches(client: &Host) -> [bool; 2] {
    [VIP, VIP6].map(|vip| client.try_sh(&format!("ping -c 1 -W 1 {vip}")).status.success())
}

fn neighbour(client: &Host, address: &str) -> String {
    client.sh(&format!("ip neigh show {address}"))
}

#[test]
fn packets_to_the_addresses_are_dropped_where_they_are_not_accepted() {
    let Some(lab) = Lab::open(&[Part::Program("nft")]) else { return };
    let pair = Pair::new(&lab);
    pair.two.sh("ip addr add fd00:78::2/64 dev eth0 nodad");
    pair.one.sh("ip addr add fd00:78::1/64 dev eth0 nodad");
    for (name, program) in [("real", Program::reference("keepalived")), ("ours", keepalived())] {
        let mut daemon = pair.one.keepalived(&program, &written(&pair.one, 100, "no_accept"));
        eventually("the addresses", 5 * SECOND, || owns(&pair.one));
        let rules = pair.one.sh("nft list ruleset");
        assert!(rules.contains(VIP) && rules.contains(VIP6) && rules.contains("drop"), "{name}: {rules}");
        assert_eq!(reaches(&pair.two), [false; 2], "{name}");
        // It does answer for them: whoever routes through it finds the hardware address.
        for address in [VIP, VIP6] {
            assert!(neighbour(&pair.two, address).contains("lladdr"), "{name}: {address}");
        }
        assert!(pair.two.try_sh("ping -c 1 -W 2 10.78.0.11").status.success(), "{name}: its own address");
        assert!(daemon.stop().success());
        assert!(!pair.one.sh("nft list ruleset").contains(VIP), "{name}");
        let mut daemon = pair.one.keepalived(&program, &written(&pair.one, 100, "accept"));
        eventually("the addresses", 5 * SECOND, || owns(&pair.one));
        assert_eq!(reaches(&pair.two), [true; 2], "{name}");
        assert!(daemon.stop().success());
    }
}

#[test]
fn a_saved_list_of_rules_can_be_loaded_again() {
    let Some(lab) = Lab::open(&[Part::Program("nft")]) else { return };
    let pair = Pair::new(&lab);
    // Dropped packets, and leases of milliseconds.
    let mut daemon = pair.one.keepalived(&keepalived(), &written(&pair.one, 100, "no_accept"));
    eventually("the addresses", 5 * SECOND, || owns(&pair.one));
    let file = pair.one.dir().join("rules").display().to_string();
    let saved = pair.one.sh(&format!("nft list ruleset > {file}; cat {file}"));
    for word in ["leased4", "leased6", "vips"] {
        assert!(saved.contains(word), "{saved}");
    }
    // What was leased at that moment is left out: adverts put it in again, by the rules that were loaded.
    pair.one.sh(&format!("sed -i '/expires/d' {file} && nft flush ruleset && nft -f {file}"));
    for (set, address) in [("leased4", VIP), ("leased6", VIP6)] {
        eventually("the lease", 5 * SECOND, || {
            pair.one.sh(&format!("nft list set netdev keepalived {set}")).contains(address)
        });
    }
    assert!(daemon.stop().success());
    assert_eq!(pair.one.sh("nft list ruleset").trim(), "");
    pair.one.sh(&format!("nft -f {file}"));
}

#[test]
fn a_router_has_the_hardware_address_of_the_protocol_whoever_runs_it() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let client = lab.host("client");
    pair.net.plug(&client, "eth0", "10.78.0.13/24");
    client.sh("sysctl -qw net.ipv6.conf.all.accept_dad=0; ip addr add fd00:78::3/64 dev eth0 nodad");
    let mac = client.sh("ip -br link show eth0 | awk '{print $3}'");
    let mac = mac.trim();
    let real = Program::reference("keepalived");
    for (name, high, low) in [("ours above", keepalived(), real.clone()), ("ours below", real, keepalived())]
    {
        let mut high = pair.one.keepalived(&high, &written(&pair.one, 100, "use_vmac"));
        eventually("the addresses", 5 * SECOND, || owns(&pair.one));
        let mut low = pair.two.keepalived(&low, &written(&pair.two, 90, "use_vmac"));
        holds_for(&format!("{name}: one owner"), 2 * SECOND, || owns(&pair.one) && owns_none(&pair.two));
        for host in [&pair.one, &pair.two] {
            let link = host.sh("ip -d link show vrrp.51; ip -d link show vrrp.56");
            assert!(
                link.contains("00:00:5e:00:01:33") && link.contains("00:00:5e:00:02:38"),
                "{name}: {link}"
            );
            assert!(link.matches("macvlan mode private").count() == 2, "{name}: {link}");
        }
        // Whoever has to ask for the client's address first says, with its own, where the virtual one is.
        for host in [&pair.one, &pair.two] {
            host.sh(&format!("ip neigh replace 10.78.0.13 lladdr {mac} dev eth0"));
        }
        client.sh("ip neigh flush dev eth0");
        // An answer may be lost while hardware addresses are learned.
        eventually(&format!("{name}: answers"), 5 * SECOND, || reaches(&client) == [true; 2]);
        assert!(neighbour(&client, VIP).contains("00:00:5e:00:01:33"), "{name}: {}", neighbour(&client, VIP));
        assert!(
            neighbour(&client, VIP6).contains("00:00:5e:00:02:38"),
            "{name}: {}",
            neighbour(&client, VIP6)
        );
        assert!(high.stop().success());
        eventually(&format!("{name}: the handover"), 2 * SECOND, || owns(&pair.two));
        eventually(&format!("{name}: answers again"), 5 * SECOND, || reaches(&client) == [true; 2]);
        assert!(low.stop().success());
        for host in [&pair.one, &pair.two] {
            assert!(!host.sh("ip link").contains("vrrp."), "{name}");
        }
    }
}

#[test]
fn adverts_leave_through_the_interface_below_where_that_is_asked_for() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let lines = "use_vmac\n    vmac_xmit_base";
    let _one = pair.one.keepalived(&keepalived(), &written(&pair.one, 100, lines));
    eventually("the addresses", 5 * SECOND, || owns(&pair.one));
    let _two = pair.two.keepalived(&Program::reference("keepalived"), &written(&pair.two, 90, lines));
    holds_for("one owner", 2 * SECOND, || owns(&pair.one) && owns_none(&pair.two));
    assert!(pair.one.sh("ip addr show vrrp.51").contains(VIP));
    // The other one hears the hardware address of the cable.
    let frames = pair.two.sh("timeout 2 tcpdump -c 2 -lnei eth0 'ip proto 112' 2>/dev/null || true");
    if !frames.is_empty() {
        assert!(!frames.contains("00:00:5e"), "{frames}");
    }
}
