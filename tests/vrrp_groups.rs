//! Groups: what their members may track, and the static items that members need; beside the real keepalived.

use std::time::Duration;

use crate::lab::{Config, Host, Lab, Program, eventually, holds_for, keepalived};
use crate::vrrp_process::{Pair, SECOND, VIP};

const PATIENCE: Duration = Duration::from_secs(10);

fn both() -> [(&'static str, Program); 2] {
    [("real", Program::reference("keepalived")), ("ours", keepalived())]
}

fn instance(name: &str, vrid: u8, own: &str) -> String {
    format!(
        "vrrp_instance {name} {{\n    interface eth0\n    virtual_router_id {vrid}\n    version 3\n    advert_int 0.2\n{own}    \
         virtual_ipaddress {{\n        10.78.0.{vrid}/24\n    }}\n}}\n"
    )
}

#[test]
fn members_may_track_with_weights_where_their_group_says_so() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    pair.one.sh("ip link add spare type veth peer name far && ip link set far up");
    let own = "    track_script {\n        up weight -20\n    }\n    track_file {\n        level weight 1\n    }\n    \
               track_interface {\n        spare weight 7\n    }\n";
    for (allowed, line) in [
        (false, ""),
        (true, "    sync_group_tracking_weight\n"),
        // Its old name.
        (true, "    global_tracking\n"),
    ] {
        let text = format!(
            "global_defs {{\n    enable_script_security\n    script_user root\n}}\n\
             vrrp_script up {{\n    script \"/bin/test -e {dir}/up\"\n    interval 1\n}}\n\
             track_file level {{\n    file {dir}/level\n}}\n\
             vrrp_sync_group G {{\n    group {{\n        A\n        B\n    }}\n{line}}}\n{}{}",
            instance("A", 51, own),
            instance("B", 52, "")
        );
        let mut said = Vec::new();
        for (name, program) in both() {
            pair.one.file("up", "");
            pair.one.file("level", "0");
            pair.one.sh("ip link set spare down");
            let config = Config::written(&pair.one, "keepalived.conf", &text);
            let mut daemon = pair.one.keepalived(&program, &config);
            let owns = || pair.one.has_address("10.78.0.51") && pair.one.has_address("10.78.0.52");
            eventually(&format!("{name}, {line}: the addresses"), PATIENCE, owns);
            if allowed {
                daemon.wait_log("VRRP_Script(up) succeeded", PATIENCE);
            }
            // Without weights there is nothing between well and FAULT.
            let moves = |from: u8, to: u8| {
                if allowed {
                    daemon
                        .wait_log(&format!("(A) Changing effective priority from {from} to {to}"), PATIENCE);
                }
            };
            pair.one.sh("ip link set spare up");
            moves(100, 107);
            pair.one.file("level", "-30");
            moves(107, 77);
            if !allowed {
                daemon.wait_log("(A) Entering FAULT STATE", PATIENCE);
                daemon.wait_log("(B) Entering FAULT STATE", PATIENCE);
            }
            pair.one.sh(&format!("rm {dir}/up"));
            moves(77, 57);
            assert_eq!(owns(), allowed, "{name}, {line}");
            assert!(daemon.stop().success());
            let lines = daemon.log();
            let about = |line: &&String| ["effective priority", "ignoring"].iter().any(|w| line.contains(w));
            let mut lines: Vec<String> =
                lines.iter().filter(about).map(|l| l[l.find('(').unwrap_or(0)..].to_owned()).collect();
            lines.sort();
            said.push(lines);
        }
        assert_eq!(said[0], said[1], "{line}: the real one, and ours");
    }
}

/// A second interface with a network of its own.
fn second_interface(host: &Host) {
    host.sh("ip link add eth1 type veth peer name far && ip link set far up && ip link set eth1 up && \
         ip addr add 10.79.0.1/24 dev eth1");
}

#[test]
fn members_need_the_interfaces_of_the_static_items_of_their_group() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    second_interface(&pair.one);
    let group = "track_group T {\n    group {\n        VI_1\n        nobody\n    }\n}\n";
    let instance = instance("VI_1", 51, "").replace("10.78.0.51", VIP);
    for (items, needed) in [
        ("static_ipaddress {\n    10.79.0.50/24 dev eth1 track_group T\n}\n", true),
        ("static_routes {\n    10.90.0.0/16 via 10.79.0.9 dev eth1 track_group T\n}\n", true),
        ("static_rules {\n    from 10.91.0.0/16 iif eth1 table 100 priority 1000 track_group T\n}\n", true),
        ("static_ipaddress {\n    10.79.0.50/24 dev eth1\n}\n", false),
        ("static_ipaddress {\n    10.79.0.50/24 dev eth1 no_track track_group T\n}\n", false),
    ] {
        let config = Config::written(&pair.one, "keepalived.conf", &format!("{group}{items}{instance}"));
        for (name, program) in both() {
            let mut daemon = pair.one.keepalived(&program, &config);
            eventually(&format!("{name}, {items}: the address"), PATIENCE, || pair.one.has_address(VIP));
            pair.one.sh("ip link set far down");
            if needed {
                daemon.wait_log("(VI_1) Entering FAULT STATE", PATIENCE);
                eventually(&format!("{name}, {items}: the address to go"), PATIENCE, || {
                    !pair.one.has_address(VIP)
                });
                pair.one.sh("ip link set far up");
                eventually(&format!("{name}, {items}: the address again"), PATIENCE, || {
                    pair.one.has_address(VIP)
                });
            } else {
                holds_for(&format!("{name}, {items}: master"), SECOND, || {
                    daemon.count("Entering FAULT STATE") == 0
                });
                pair.one.sh("ip link set far up");
            }
            assert!(daemon.stop().success());
            let log = daemon.log().join("\n");
            assert!(log.contains("vrrp instance nobody specified in track group T doesn't exist"), "{name}");
            assert_eq!(log.contains("has both track_group and no_track set"), items.contains("no_track"));
        }
    }
}
