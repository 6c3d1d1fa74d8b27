//! What scripts and pipes hear, from ours and from the real keepalived in the same events.

use std::process::Command;

use crate::lab::{Config, Host, Lab, Part, Program, Signal, beside, eventually, keepalived, wait_for};
use crate::vrrp_process::{Pair, SECOND, VIP};

const INSTANCES: &str = "\
vrrp_sync_group G {
    group {
        A
        B
    }
    notify_master \"DIR/say group-master\"
    notify_backup \"DIR/say group-backup\"
    notify \"DIR/say group\"
}
vrrp_instance A {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 100
    version 3
    advert_int 0.2
    notify_priority_changes true
    notify_backup \"DIR/say a-backup\"
    notify_master \"DIR/say a-master\"
    notify_fault \"DIR/say a-fault\"
    notify_stop \"DIR/say a-stop\"
    notify \"DIR/say a\"
    track_interface {
        eth1
    }
    virtual_ipaddress {
        10.78.0.100/24
    }
}
vrrp_instance B {
    interface eth0
    virtual_router_id 52
    version 3
    advert_int 0.2
    virtual_ipaddress {
        10.78.0.101/24
    }
}
vrrp_instance C {
    interface eth0
    virtual_router_id 53
    priority 150
    version 3
    advert_int 0.2
    notify_priority_changes true
    notify \"DIR/say c\"
    notify_master_rx_lower_pri \"DIR/say c-lower\"
    track_file {
        load
    }
    virtual_ipaddress {
        10.78.0.102/24
    }
}
";

const DELETED: &str = "\
vrrp_instance D {
    interface eth0
    virtual_router_id 54
    priority 120
    version 3
    advert_int 0.2
    notify_deleted
    notify \"DIR/say d\"
    virtual_ipaddress {
        10.78.0.103/24
    }
}
";

fn text(dir: &str, instances: &str) -> String {
    let globals = "global_defs {\n    enable_script_security\n    script_user root\n    vrrp_notify_fifo DIR/pipe\n}\n\
                   track_file load {\n    file DIR/load\n    weight 1\n}\n";
    format!("{globals}{instances}").replace("DIR", dir)
}

/// Everything that was heard: the pipe's lines in order, and the scripts' sorted, as they run side by side.
fn heard(lab: &Lab, name: &str, program: &Program) -> (Vec<String>, Vec<String>) {
    let net = lab.network(&format!("{name}-net"), "10.78.0.1/24");
    let host = lab.host(&format!("{name}-one"));
    net.plug(&host, "eth0", "10.78.0.11/24");
    host.sh("ip link add eth1 type veth peer name eth2 && ip link set eth1 up && ip link set eth2 up");
    let dir = host.dir().display().to_string();
    host.file("say", format!("#!/bin/sh\necho \"$*\" >> {dir}/said\n"));
    host.file("load", "0\n");
    host.sh(&format!("chmod 755 {dir}/say && mkfifo {dir}/pipe && touch {dir}/said"));
    // Open for writing, too: a reload closes the pipe, and a reader that is alone would see its end.
    let mut reader = Command::new("sh");
    reader.args(["-c", &format!("exec cat <> {dir}/pipe")]);
    let pipe = host.spawn(reader);
    let config = Config::written(&host, "k.conf", &text(&dir, &format!("{INSTANCES}{DELETED}")));
    let mut daemon = host.keepalived(program, &config);
    let owns = |last: u8| host.has_address(&format!("10.78.0.{last}"));
    eventually(&format!("{name}: the addresses"), 10 * SECOND, || {
        [100, 101, 102, 103].iter().all(|l| owns(*l))
    });
    let waits = |line: &str, nth: usize| {
        pipe.wait_log_times(line, nth, 5 * SECOND);
    };
    waits("GROUP \"G\" MASTER", 1);
    waits("INSTANCE \"D\" MASTER", 1);
    host.sh("ip link set eth2 down");
    waits("GROUP \"G\" FAULT", 1);
    eventually("the addresses to go", 5 * SECOND, || !owns(100) && !owns(101));
    host.sh("ip link set eth2 up");
    waits("GROUP \"G\" MASTER", 2);
    eventually("the addresses again", 5 * SECOND, || owns(100) && owns(101));
    host.file("load", "20\n");
    waits("INSTANCE \"C\" MASTER_PRIORITY", 1);
    Config::written(&host, "k.conf", &text(&dir, INSTANCES));
    daemon.signal(Signal::SIGHUP);
    waits("INSTANCE \"D\" ", 3);
    eventually("the removed address to go", 5 * SECOND, || !owns(103));
    wait_for("the last word about it", 5 * SECOND, || {
        said(&host).iter().any(|l| l.contains(" D ") && l.contains("DELETED")).then_some(())
    });
    assert!(daemon.stop().success());
    waits("STOP", 4);
    wait_for("the last scripts", 5 * SECOND, || {
        said(&host).iter().any(|l| l.starts_with("a-stop")).then_some(())
    });
    (pipe.log(), said(&host))
}

fn said(host: &Host) -> Vec<String> {
    let text = std::fs::read_to_string(host.dir().join("said")).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Lines about one instance or group, in their order.
fn about(lines: &[String], name: &str) -> Vec<String> {
    lines.iter().filter(|line| line.contains(&format!("\"{name}\""))).cloned().collect()
}

#[test]
fn scripts_and_pipes_hear_what_the_real_one_tells_them() {
    let Some(lab) = Lab::open(&[Part::Program("keepalived")]) else { return };
    let (ours, mut theirs) = beside(&keepalived(), "keepalived", |name, program| heard(&lab, name, program));
    println!("pipe: {:#?}\nscripts: {:#?}", theirs.0, theirs.1);
    // When it reloads the real one computes every priority anew, as if it were a backup; for ours nothing changed.
    theirs.0.retain(|line| !line.contains("BACKUP_PRIORITY"));
    for name in ["G", "A", "B", "C", "D"] {
        assert_eq!(about(&ours.0, name), about(&theirs.0, name), "what the pipe heard of {name}");
    }
    assert_eq!(ours.1, theirs.1, "what the scripts were told");
}

#[test]
fn start_and_stop_scripts_run_around_everything_else() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    pair.one.file(
        "say",
        format!("#!/bin/sh\necho \"$*\" $(ip -o addr show dev eth0 | grep -c {VIP}) >> {dir}/said\n"),
    );
    pair.one.sh(&format!("chmod 755 {dir}/say"));
    let globals = format!(
        "global_defs {{\n    enable_script_security\n    script_user root\n    startup_script \"{dir}/say begin\"\n    \
         startup_script_timeout 5\n    shutdown_script \"{dir}/say end\"\n    shutdown_script_timeout 5\n}}\n"
    );
    let text = globals + &crate::vrrp_process::CONFIG.replace("PRIORITY", "100").replace(
        "    virtual_ipaddress {",
        &format!("    notify_backup \"{dir}/say backup\"\n    notify_master \"{dir}/say master\"\n    virtual_ipaddress {{"),
    );
    let config = Config::written(&pair.one, "k.conf", &text);
    let mut one = pair.one.keepalived(&keepalived(), &config);
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    eventually("the notification", 5 * SECOND, || {
        std::fs::read_to_string(format!("{dir}/said")).unwrap_or_default().contains("master")
    });
    assert!(one.stop().success(), "{:#?}", one.log());
    let said = std::fs::read_to_string(format!("{dir}/said")).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines, ["begin 0", "backup 0", "master 1", "end 0"]);
}

#[test]
fn a_start_script_that_hangs_is_ended_and_start_goes_on() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let dir = pair.one.dir().display().to_string();
    pair.one.file("hang", "#!/bin/sh\nsleep 600\n");
    pair.one.sh(&format!("chmod 755 {dir}/hang"));
    let globals = format!(
        "global_defs {{\n    enable_script_security\n    script_user root\n    startup_script \"{dir}/hang\"\n    \
         startup_script_timeout 1\n}}\n"
    );
    let text = globals + &crate::vrrp_process::CONFIG.replace("PRIORITY", "100");
    let mut one = pair.one.keepalived(&keepalived(), &Config::written(&pair.one, "k.conf", &text));
    eventually("the address", 5 * SECOND, || pair.one.has_address(VIP));
    assert!(!pair.one.try_sh("pgrep -x sleep").status.success(), "it still runs");
    assert!(one.stop().success());
    // Told to stop while it runs, nothing else is begun.
    let mut one = pair.one.keepalived(&keepalived(), &Config::written(&pair.one, "k.conf", &text));
    one.wait_log("Running startup script", 5 * SECOND);
    assert!(one.stop().success());
    assert_eq!(one.count("Starting VRRP child process"), 0, "{:#?}", one.log());
}
