//! How much waits in the sockets of a daemon that does not read, beside the real keepalived's.

use std::time::Duration;

use crate::lab::{Config, Host, Lab, Process, Program, Signal, eventually, keepalived, wait_for};
use crate::vrrp_process::{CONFIG, Pair, VIP};

const PATIENCE: Duration = Duration::from_secs(10);

/// Stops every process of a daemon, or lets them go on. Those of the lab itself go on.
fn all(host: &Host, signal: &str) {
    host.sh(&format!("kill -{signal} $(cat /run/keepalived.pid /run/vrrp.pid)"));
}

/// What waits, bytes, in the fullest of the sockets that lost something.
fn waiting(host: &Host, table: &str, bytes: usize, radix: u32, lost: usize) -> Option<u64> {
    let text = host.sh(&format!("cat /proc/net/{table}"));
    let rows = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let full = rows.filter(|row| row.get(lost).is_some_and(|lost| *lost != "0"));
    full.filter_map(|row| u64::from_str_radix(row[bytes].rsplit(':').next()?, radix).ok()).max()
}

/// Adverts that wait.
fn adverts(host: &Host) -> Option<u64> {
    // sl local rem st tx:rx tr:tm retrnsmt uid timeout inode ref pointer drops
    waiting(host, "raw", 4, 16, 12)
}

/// News of the kernel that wait.
fn news(host: &Host) -> Option<u64> {
    // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
    waiting(host, "netlink", 4, 10, 8)
}

fn backup(host: &Host, program: &Program, global: &str, own: &str) -> Process {
    let instance = CONFIG
        .replace("PRIORITY", "50")
        .replace("    virtual_ipaddress {", &format!("{own}    virtual_ipaddress {{"));
    let config = Config::written(host, "keepalived.conf", &format!("global_defs {{\n{global}}}\n{instance}"));
    let daemon = host.keepalived(program, &config);
    daemon.wait_log("Entering BACKUP STATE", PATIENCE);
    daemon
}

#[test]
fn sockets_hold_as_much_as_the_file_says() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let quick = CONFIG.replace("PRIORITY", "100").replace("advert_int 0.2", "advert_int 0.01");
    let _master = pair.two.keepalived(&keepalived(), &Config::written(&pair.two, "keepalived.conf", &quick));
    eventually("the master", PATIENCE, || pair.two.has_address(VIP));
    for (global, own) in [
        ("    vrrp_rx_bufs_policy 20000\n", ""),
        ("    vrrp_rx_bufs_policy ADVERT\n    vrrp_rx_bufs_multiplier 400\n", ""),
        ("    vrrp_rx_bufs_policy MTU\n    vrrp_rx_bufs_multiplier 9\n", ""),
        ("    vrrp_rx_bufs_policy MTU\n", "    kernel_rx_buf_size 30000\n"),
    ] {
        let mut found = Vec::new();
        for (name, program) in [("real", Program::reference("keepalived")), ("ours", keepalived())] {
            let mut daemon = backup(&pair.one, &program, global, own);
            all(&pair.one, "STOP");
            found.push(wait_for(&format!("{name},{global}{own}: lost adverts"), 2 * PATIENCE, || {
                adverts(&pair.one)
            }));
            all(&pair.one, "CONT");
            daemon.signal(Signal::SIGCONT);
            assert!(daemon.stop().success());
        }
        assert_eq!(found[0], found[1], "{global}{own}: what waits for the real one, and for ours");
    }
}

#[test]
fn the_kernel_s_news_wait_as_the_file_says() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    pair.one.sh("ip link add spare type veth peer name far && ip link set far up && ip link set spare up");
    let changes: String = (0..20_000)
        .map(|at| format!("address {} 10.99.1.1/32 dev spare\n", if at % 2 == 0 { "add" } else { "del" }))
        .collect();
    pair.one.file("changes", changes);
    let dir = pair.one.dir().display().to_string();
    // What the system lets everybody have, and more; where that is much, filling it would take a minute.
    let limit: u64 = std::fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap().trim().parse().unwrap();
    let size = if limit < 1 << 20 { limit + 200_000 } else { 300_000 };
    for (force, bytes) in [("on", size), ("off", size.min(limit))] {
        let global = format!(
            "    vrrp_netlink_monitor_rcv_bufs {size}\n    vrrp_netlink_monitor_rcv_bufs_force {force}\n    \
             vrrp_netlink_cmd_rcv_bufs 100000\n"
        );
        for (name, program) in [("real", Program::reference("keepalived")), ("ours", keepalived())] {
            let mut daemon = backup(&pair.one, &program, &global, "");
            all(&pair.one, "STOP");
            let held = wait_for(&format!("{name}, force {force}: lost news"), 2 * PATIENCE, || {
                pair.one.sh(&format!("ip -batch {dir}/changes"));
                news(&pair.one)
            });
            // The kernel counts twice as many, for what it keeps of each.
            assert!((2 * bytes).abs_diff(held) < 16_384, "{name}, force {force}: {held}");
            all(&pair.one, "CONT");
            assert!(daemon.stop().success());
            pair.one.sh("ip address flush dev spare");
        }
    }
}

/// Sizes of the netlink sockets for interfaces and addresses that a program on this host has open.
fn sizes(host: &Host) -> Vec<u64> {
    let list = host.sh("ss -Hf netlink -m");
    let rows = list.lines().filter(|row| row.contains("rtnl:") && !row.contains("rtnl:kernel"));
    let size = |row: &str| row.split(",rb").nth(1)?.split(',').next()?.parse().ok();
    let mut sizes: Vec<u64> = rows.filter_map(size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

#[test]
fn answers_of_the_kernel_have_the_room_the_file_says() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let global = "    vrrp_netlink_cmd_rcv_bufs 100000\n    vrrp_netlink_monitor_rcv_bufs 150000\n";
    for (name, program) in [("real", Program::reference("keepalived")), ("ours", keepalived())] {
        let mut daemon = backup(&pair.one, &program, global, "");
        // The kernel counts twice as many.
        eventually(&format!("{name}: the sizes"), PATIENCE, || sizes(&pair.one) == [200_000, 300_000]);
        assert!(daemon.stop().success());
    }
}
