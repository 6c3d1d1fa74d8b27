//! What a master puts into the kernel: the same as keepalived, and back again when somebody takes it away.

use crate::lab::{Config, Host, Lab, Network, Program, eventually, keepalived};
use crate::vrrp_process::SECOND;

/// Every option of addresses, routes and rules that both programs and this kernel know.
const RICH: &str = "\
static_ipaddress {
    10.99.1.1/24 dev eth1
    10.99.1.2/24 brd + dev eth1 label eth1:st
    fd00:99::1/64 dev eth1
}
static_routes {
    10.98.0.0/16 via 10.99.1.254 dev eth1
    blackhole 10.97.0.0/16
    fd00:97::/64 via fd00:99::fe dev eth1 metric 512
    192.0.2.0/24 dev eth1 table 77 scope link
}
static_rules {
    from 10.99.1.0/24 table 77 priority 1000
    to 192.0.2.0/24 table 77 priority 1001
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    version 3
    advert_int 0.1
    promote_secondaries
    virtual_ipaddress {
        10.88.0.100/24 dev eth0 label eth0:vip
        10.88.0.101
        10.88.0.103/24 brd + dev eth1
        10.88.0.104 peer 10.88.0.204
        10.88.0.105/24 noprefixroute
        10.88.0.106/24 brd -
    }
    virtual_ipaddress_excluded {
        10.89.0.1/24 dev eth1
        fd00:88::100/64
        fd00:88::101/128 preferred_lft forever
        fd00:88::102
        fd00:88::103/64 -nodad
        fd00:88::104/64 home
        fd00:88::105/64 noprefixroute
        fd00:88::106/64 mngtmpaddr
        fd00:88::107/64 autojoin
    }
    virtual_routes {
        172.31.0.0/16 via 10.88.0.1 dev eth0 src 10.88.0.100
        172.30.0.0/16 dev eth0 scope link metric 50 mtu 1400 advmss 1300
        172.29.0.0/16 via 10.88.0.1 mtu lock 1300 hoplimit 20 window 5000 initcwnd 10 initrwnd 20 rtt 300ms rttvar lock 400ms rto_min 1s quickack 1 reordering 5 ssthresh 100 cwnd lock 10 congctl reno fastopen_no_cookie 1 features ecn
        172.28.0.0/16 nexthop via 10.88.0.1 dev eth0 weight 3 nexthop via 10.88.0.2 dev eth0 weight 5 onlink
        172.27.0.0/16 via 10.200.0.1 dev eth0 onlink
        unreachable 172.26.0.0/16 metric 7
        prohibit 172.25.0.0/16
        blackhole 172.24.0.0/16
        throw 172.23.0.0/16 table 100
        172.22.0.0/16 dev eth0 table 100 realms 3/4 protocol static no_track
        172.21.0.0/16 dev eth0 tos 0x10
        172.20.0.0/16 encap ip id 55 dst 10.88.0.9 src 10.88.0.10 tos 4 ttl 9 dev eth1
        172.19.0.0/16 dev eth0 table 1000 append
        172.18.0.0/16 dev eth0 ttl-propagate enabled
        unreachable default metric 9999
        fd00:21::/64 via fd00:88::1 dev eth0 pref high
        fd00:22::/64 dev eth0 metric 77 expires 600
        fd00:23::/64 from fd00:24::/64 via fd00:88::1 dev eth0
        fd00:25::/64 nexthop via fd00:88::1 dev eth0 nexthop via fd00:88::2 dev eth0
    }
    virtual_rules {
        from 10.88.0.0/24 table 100 priority 100
        not from 10.89.0.0/24 iif eth0 table 100 priority 102
        oif eth0 tos 0x10 table 100 priority 103
        fwmark 0x10/0xff table 100 priority 104
        from 10.88.0.7 blackhole priority 105
        from 10.88.0.8 prohibit priority 106
        from 10.88.0.9 unreachable priority 107
        from 10.88.0.10 goto 32000 priority 108
        from 10.88.0.11 nop priority 109
        from 10.88.0.12 realms 3/4 table 100 priority 113
        table 100 suppress_prefixlength 8 priority 114 inet
        table 100 suppress_ifgroup 3 priority 115 inet
        tunnel-id 77 table 100 priority 116 inet
        from fd00:88::/64 table 100 priority 117
        fwmark 7 table 300 priority 118 inet6
    }
}
";

/// A host with two cables, and the networks they lead to.
fn host(lab: &Lab, name: &str) -> (Host, [Network; 2]) {
    let (net, other) =
        (lab.network(&format!("{name}a"), "10.88.0.1/24"), lab.network(&format!("{name}b"), "10.90.0.1/24"));
    let host = lab.host(name);
    host.sh("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0");
    net.plug(&host, "eth0", "10.88.0.11/24");
    other.plug(&host, "eth1", "10.90.0.11/24");
    (host, [net, other])
}

/// What the kernel has, as iproute2 writes it, without what is the machine's own and with lives left out.
fn installed(host: &Host) -> Vec<String> {
    let mut lines: Vec<String> = host
        .sh("ip -o addr show; for f in 4 6; do ip -$f -d route show table all; ip -$f rule show; done")
        .lines()
        .filter(|line| !line.contains("fe80:") && !line.contains("ff00::/8"))
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let life =
                |at: usize| at > 0 && ["valid_lft", "preferred_lft", "expires"].contains(&words[at - 1]);
            let word = |at: usize| if life(at) && words[at] != "forever" { "S" } else { words[at] };
            (0..words.len()).map(word).collect::<Vec<_>>().join(" ")
        })
        .collect();
    lines.sort();
    lines
}

fn run(lab: &Lab, name: &str, program: &Program, global: &str) -> [Vec<String>; 2] {
    let (host, _networks) = host(lab, name);
    let config = Config::written(&host, "keepalived.conf", &format!("global_defs {{\n{global}\n}}\n{RICH}"));
    let mut daemon = host.keepalived(program, &config);
    eventually("the last rule", 10 * SECOND, || host.sh("ip -6 rule show").contains("fwmark 0x7"));
    let up = installed(&host);
    assert!(daemon.stop().success());
    [up, installed(&host)]
}

#[test]
fn the_kernel_is_told_what_keepalived_tells_it() {
    let Some(lab) = Lab::open(&[]) else { return };
    let real = run(&lab, "real", &Program::reference("keepalived"), "router_id real");
    let ours = run(&lab, "ours", &keepalived(), "vip_lifetime off");
    for (when, real, ours) in [("as master", &real[0], &ours[0]), ("after the end", &real[1], &ours[1])] {
        // keepalived forgets an address with a peer.
        let forgotten = |l: &str| when == "after the end" && l.contains("10.88.0.104");
        let missing: Vec<_> = real.iter().filter(|l| !ours.contains(l) && !forgotten(l)).collect();
        let more: Vec<_> = ours.iter().filter(|l| !real.contains(l)).collect();
        assert!(missing.is_empty() && more.is_empty(), "{when}: missing {missing:#?}, more {more:#?}");
    }
    assert!(real[0].iter().any(|l| l.contains("encap ip")) && real[0].len() > real[1].len() + 40);
}

#[test]
fn what_somebody_removes_comes_back() {
    let Some(lab) = Lab::open(&[]) else { return };
    let (host, _networks) = host(&lab, "one");
    let config = Config::written(&host, "keepalived.conf", RICH);
    let daemon = host.keepalived(&keepalived(), &config);
    eventually("the last rule", 10 * SECOND, || host.sh("ip -6 rule show").contains("fwmark 0x7"));
    // Which address of a network is the first may change with the order, and what the kernel makes of that.
    let installed = |host: &Host| {
        let kernels = |line: &String| line.contains("proto kernel");
        let plain = |line: String| line.replace(" secondary", "");
        let mut lines: Vec<_> = installed(host).into_iter().filter(|l| !kernels(l)).map(plain).collect();
        lines.sort();
        lines
    };
    let before = installed(&host);
    for (what, line) in [
        ("ip addr del 10.88.0.100/24 dev eth0", "10.88.0.100 was removed by somebody else"),
        ("ip addr del fd00:88::102/128 dev eth0", "fd00:88::102 was removed by somebody else"),
        (
            "ip addr del 10.99.1.1/24 dev eth1",
            "static address 10.99.1.1 on eth1 was removed by somebody else",
        ),
        ("ip route del 172.30.0.0/16 metric 50", "route 172.30.0.0/16 was removed by somebody else"),
        ("ip route del blackhole 10.97.0.0/16", "static route 10.97.0.0/16 was removed by somebody else"),
        ("ip -6 route del fd00:21::/64", "route fd00:21::/64 was removed by somebody else"),
        ("ip rule del priority 104", "rule 104 was removed by somebody else"),
        ("ip -6 rule del priority 118", "rule 118 was removed by somebody else"),
    ] {
        host.sh(what);
        daemon.wait_log(line, 2 * SECOND);
        eventually("everything to be as before", 3 * SECOND, || installed(&host) == before);
    }
    // An untracked one stays away.
    host.sh("ip route del 172.22.0.0/16 table 100; ip rule del priority 105");
    daemon.wait_log("rule 105 was removed", 2 * SECOND);
    assert!(!host.sh("ip route show table 100").contains("172.22.0.0/16"));
    // What goes with the interface comes back with it.
    host.sh("ip link set eth1 down; ip addr del fd00:99::1/64 dev eth1 || true; ip link set eth1 up");
    eventually("what goes with an interface", 3 * SECOND, || {
        host.sh("ip addr show dev eth1").contains("10.99.1.1/24")
            && host.sh("ip route show table 77").contains("192.0.2.0/24")
    });
}
