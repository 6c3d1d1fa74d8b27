//! What an instance watches besides its peers: files, processes, links and source addresses.

use std::process::Command;

use crate::lab::{Config, Host, Lab, Process, eventually, holds_for, keepalived};
use crate::vrrp_process::{CONFIG, Pair, SECOND, VIP, start};

/// A single node; `blocks` stand before the instance, `lines` in it.
fn node(host: &Host, priority: u8, blocks: &str, lines: &str) -> Process {
    let security = "global_defs {\n    enable_script_security\n    script_user root\n}\n";
    let instance = CONFIG
        .replace("PRIORITY", &priority.to_string())
        .replace("    virtual_ipaddress {", &format!("{lines}    virtual_ipaddress {{"));
    let config = Config::written(host, "keepalived.conf", &format!("{security}{blocks}{instance}"));
    host.keepalived(&keepalived(), &config)
}

#[test]
fn the_number_in_a_file_moves_the_priority_and_decides_over_fault() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    pair.one.file("load", "0\n");
    let blocks = format!(
        "track_file load {{\n    file {dir}/load\n    weight -2\n}}\n\
         track_file off {{\n    file {dir}/off\n    weight 0\n    init_file 0\n}}\n"
    );
    let one = node(&pair.one, 100, &blocks, "    track_file {\n        load\n        off\n    }\n");
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    assert_eq!(std::fs::read_to_string(pair.one.dir().join("off")).unwrap(), "0\n", "init_file");
    pair.one.file("load", "10\n");
    one.wait_log("Changing effective priority from 100 to 80", 5 * SECOND);
    // Editors and deployment tools replace a file rather than write it.
    pair.one.sh(&format!("echo 5 > {dir}/new && mv {dir}/new {dir}/load"));
    one.wait_log("Changing effective priority from 80 to 90", 5 * SECOND);
    pair.one.sh(&format!("rm {dir}/load"));
    one.wait_log("Changing effective priority from 90 to 100", 5 * SECOND);
    pair.one.file("off", "1");
    one.wait_log("Entering FAULT STATE", 5 * SECOND);
    eventually("the address to go", SECOND, || !pair.one.has_address(VIP));
    pair.one.file("off", "0");
    eventually("the address again", 5 * SECOND, || pair.one.has_address(VIP));
}

#[test]
fn processes_count_for_the_quorum_as_they_come_and_go() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    pair.one.sh(&format!("cp /bin/sleep {dir}/worker"));
    let worker = || {
        let mut command = Command::new(format!("{dir}/worker"));
        command.arg("600");
        pair.one.spawn(command)
    };
    let mut workers = [worker(), worker()];
    let blocks = "vrrp_track_process pool {\n    process worker\n    quorum 2\n    weight 20\n}\n\
                  vrrp_track_process any {\n    process worker\n}\n";
    let one = node(&pair.one, 100, blocks, "    track_process {\n        pool\n        any\n    }\n");
    one.wait_log("Changing effective priority from 100 to 120", 5 * SECOND);
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    workers[0].kill();
    one.wait_log("Changing effective priority from 120 to 100", 2 * SECOND);
    assert!(pair.one.has_address(VIP), "one is left");
    workers[1].kill();
    one.wait_log("Entering FAULT STATE", 2 * SECOND);
    eventually("the address to go", SECOND, || !pair.one.has_address(VIP));
    let _again = (worker(), worker());
    one.wait_log_times("Changing effective priority from 100 to 120", 2, 5 * SECOND);
    eventually("the address again", 5 * SECOND, || pair.one.has_address(VIP));
}

#[test]
fn a_link_that_goes_down_and_up_counts_after_its_delays() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    pair.one.sh(
        "ip link add spare0 type veth peer name spare1 && ip link set spare0 up && ip link set spare1 up",
    );
    let blocks = "interface_up_down_delays {\n    spare0 2 1\n}\n";
    let one = node(&pair.one, 100, blocks, "    track_interface {\n        spare0 weight -20\n    }\n");
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    // Down and up again within the delay is nothing.
    pair.one.sh("ip link set spare0 down && ip link set spare0 up");
    pair.one.sh("ip link set spare0 down");
    let down = one.wait_log("Changing effective priority from 100 to 80", 5 * SECOND);
    println!("{down}");
    pair.one.sh("ip link set spare0 up");
    // Half of the delay, which the kernel's word has begun before `ip` came back.
    holds_for("the low priority", SECOND / 2, || {
        one.count("Changing effective priority from 80 to 100") == 0
    });
    one.wait_log("Changing effective priority from 80 to 100", 5 * SECOND);
    assert_eq!(one.count("Changing effective priority"), 2, "{:#?}", one.log());
}

const UNICAST: &str = "    unicast_src_ip 10.78.0.33\n    unicast_peer {\n        10.78.0.12\n    }\n";

/// A router that can neither hear nor speak must not think that it is alone.
#[test]
fn without_a_socket_nobody_becomes_master() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let _two = start(&pair.two, 90);
    let one = node(&pair.one, 100, "", UNICAST);
    one.wait_log("cannot open raw socket", 5 * SECOND);
    one.wait_log("Entering FAULT STATE", 5 * SECOND);
    holds_for("one owner", 2 * SECOND, || pair.two.has_address(VIP) && !pair.one.has_address(VIP));
}

#[test]
fn a_tracked_source_address_that_is_missing_is_waited_for() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let one = node(&pair.one, 100, "", &format!("    track_src_ip\n{UNICAST}"));
    one.wait_log("Entering FAULT STATE", 5 * SECOND);
    pair.one.sh("ip addr add 10.78.0.33/24 dev eth0");
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    pair.one.sh("ip addr del 10.78.0.33/24 dev eth0");
    eventually("the address to go", 5 * SECOND, || !pair.one.has_address(VIP));
    pair.one.sh("ip addr add 10.78.0.33/24 dev eth0");
    eventually("the address again", 5 * SECOND, || pair.one.has_address(VIP));
    // Its words pass a pipe, and may come after its deeds.
    one.wait_log_times("Entering MASTER STATE", 2, SECOND);
    assert_eq!(one.count("Entering MASTER STATE"), 2, "{:#?}", one.log());
}

#[test]
fn an_interface_may_come_late_go_and_come_back() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let text = CONFIG.replace("PRIORITY", "100").replace("interface eth0", "interface late0");
    let text = format!("global_defs {{\n    dynamic_interfaces allow_if_changes\n}}\n{text}");
    let one = pair.one.keepalived(&keepalived(), &Config::written(&pair.one, "keepalived.conf", &text));
    one.wait_log("Entering FAULT STATE", 5 * SECOND);
    let add = "ip link add late0 type veth peer name late1 && ip link set late1 up && ip link set late0 up && \
               ip address add 10.78.0.50/24 dev late0";
    for round in 1..=2 {
        pair.one.sh(add);
        eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
        pair.one.sh("ip link del late0");
        one.wait_log_times("Entering FAULT STATE", round + 1, 5 * SECOND);
    }
    assert_eq!(one.count("Entering MASTER STATE"), 2, "{:#?}", one.log());
}

#[test]
fn what_waits_after_the_start_waits_that_long_and_reloads_say_how_things_are() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    pair.one.sh(&format!("mkfifo {dir}/pipe"));
    let globals = format!(
        "global_defs {{\n    vrrp_startup_delay 1.5\n    vrrp_notify_fifo {dir}/pipe\n    fifo_write_vrrp_states_on_reload\n}}\n"
    );
    let mut reader = Command::new("sh");
    reader.args(["-c", &format!("exec cat <> {dir}/pipe")]);
    let pipe = pair.one.spawn(reader);
    let one = node(&pair.one, 100, &globals, "");
    one.wait_log("Delaying startup for 1.5 seconds", 5 * SECOND);
    one.wait_log("Entering BACKUP STATE", 5 * SECOND);
    holds_for("the wait", SECOND, || !pair.one.has_address(VIP));
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    pipe.wait_log("INSTANCE \"VI_1\" MASTER 100", 5 * SECOND);
    one.signal(crate::lab::Signal::SIGHUP);
    pipe.wait_log_times("INSTANCE \"VI_1\" MASTER 100", 2, 5 * SECOND);
    assert_eq!(one.count("Entering MASTER STATE"), 1);
}

/// The router of two networks gives up both when one of them fails, as the real one does.
#[test]
fn an_interface_that_an_address_is_on_is_watched() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    pair.one
        .sh("ip link add side0 type veth peer name side1 && ip link set side0 up && ip link set side1 up");
    let lines = "    virtual_ipaddress_excluded {\n        10.79.0.100/24 dev side0\n    }\n";
    let one = node(&pair.one, 100, "", lines);
    eventually("the address", 5 * SECOND, || {
        pair.one.has_address(VIP) && pair.one.has_address("10.79.0.100")
    });
    pair.one.sh("ip link set side1 down");
    one.wait_log("Entering FAULT STATE", 5 * SECOND);
    eventually("the addresses to go", SECOND, || {
        !pair.one.has_address(VIP) && !pair.one.has_address("10.79.0.100")
    });
    pair.one.sh("ip link set side1 up");
    eventually("the address again", 5 * SECOND, || pair.one.has_address(VIP));
}
