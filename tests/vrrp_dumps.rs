//! The state file, the counters, the JSON, the mails, the signals and the exit codes, beside the real keepalived's.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use crate::lab::{Config, Host, Lab, Part, Program, Signal, beside, eventually, keepalived, wait_for};
use crate::vrrp_process::SECOND;

const CONFIG: &str = r#"global_defs {
    router_id lb1
    notification_email {
        ops@example.com
    }
    notification_email_from keepalived@example.com
    smtp_server 127.0.0.1
    smtp_helo_name lb1.example.com
    enable_script_security
    script_user root
    vrrp_garp_interval 0.01
    vrrp_skip_check_adv_addr
    vrrp_garp_master_refresh 60
}
vrrp_script chk {
    script "/usr/bin/test -e /"
    interval 2
    timeout 1
    weight -20
    rise 2
    fall 3
}
track_file maint {
    file DIR/maint
    weight -10
    init_file 0
}
vrrp_track_process any {
    process no-such-program
    weight 5
    quorum 1
    quorum_max 3
    delay 1
}
interface_up_down_delays {
    eth1 1 1
}
vrrp_sync_group G {
    group {
        VI_3
    }
    notify "/usr/bin/true g"
}
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass 1234
    }
    virtual_ipaddress {
        10.77.0.100/24 dev eth0 label eth0:1
        10.77.0.101
    }
    virtual_ipaddress_excluded {
        10.77.0.102/32 dev eth1
        2001:db8::102/64 dev eth1
    }
    virtual_routes {
        10.90.0.0/16 via 10.77.0.1 dev eth0
    }
    track_interface {
        eth1 weight -10
    }
    track_script {
        chk
    }
    track_file {
        maint weight 3
    }
    track_process {
        any
    }
    lower_prio_no_advert true
    notify_master "/usr/bin/true a b"
    notify_deleted "/usr/bin/true del"
    notify_priority_changes true
    smtp_alert
}
vrrp_instance VI_2 {
    interface eth0
    virtual_router_id 52
    priority 90
    version 3
    advert_int 0.5
    nopreempt
    virtual_ipaddress {
        10.77.0.110/24
    }
    unicast_src_ip 10.77.0.11
    unicast_peer {
        10.77.0.12 min_ttl 10 max_ttl 20
    }
}
vrrp_instance VI_3 {
    interface eth1
    virtual_router_id 53
    priority 90
    advert_int 1
    preempt_delay 10
    dont_track_primary
    virtual_ipaddress {
        10.78.0.100/24
    }
}
static_ipaddress {
    10.79.0.1/24 dev eth0
}
static_routes {
    10.93.0.0/16 via 10.77.0.1 dev eth0
}
"#;

/// Everything one program said.
struct Said {
    data: String,
    stats: String,
    json: serde_json::Value,
    mails: Vec<String>,
}

/// A mail server that takes everything, as a thread on the host; the mails come as they are complete.
fn mail_server(host: &Host) -> Arc<Mutex<Vec<String>>> {
    let mails = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&mails);
    let listener = host.run(|| TcpListener::bind("127.0.0.1:25").unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let mut text = String::new();
            let mut reply = |line: &str| stream.write_all(format!("{line}\r\n").as_bytes());
            let _ = reply("220 mail.example.com ESMTP");
            while let Some(Ok(line)) = lines.next() {
                text += &format!("{line}\n");
                if line == "DATA" {
                    let _ = reply("354 go on");
                    for line in lines.by_ref().map_while(Result::ok) {
                        text += &format!("{line}\n");
                        if line == "." {
                            break;
                        }
                    }
                }
                let _ = reply(if line == "QUIT" { "221 bye" } else { "250 fine" });
            }
            kept.lock().unwrap().push(text);
        }
    });
    mails
}

fn said(lab: &Lab, name: &str, program: &Program) -> Said {
    let net = lab.network(&format!("{name}-net"), "10.77.0.1/24");
    let host = lab.host(&format!("{name}-one"));
    net.plug(&host, "eth0", "10.77.0.11/24");
    net.plug(&host, "eth1", "10.78.0.11/24");
    for (at, name) in ["eth0", "eth1"].iter().enumerate() {
        // Link-local addresses are made from the hardware address: the same for both programs.
        host.sh(&format!(
            "ip link set {name} down && ip link set {name} address 02:00:00:00:00:0{at} && \
             sysctl -qw net.ipv6.conf.{name}.accept_dad=0 && ip link set {name} up"
        ));
    }
    host.sh("ip address show dev eth0 | grep -q 'inet 10.77' || ip address add 10.77.0.11/24 dev eth0");
    let mails = mail_server(&host);
    let dir = host.dir().display().to_string();
    let config = Config::written(&host, "k.conf", &CONFIG.replace("DIR", &dir));
    let mut daemon = host.keepalived(program, &config);
    for last in ["77.0.100", "77.0.110", "78.0.100"] {
        eventually(&format!("{name}: 10.{last}"), 10 * SECOND, || host.has_address(&format!("10.{last}")));
    }
    daemon.wait_log("VRRP_Script(chk) succeeded", 5 * SECOND);
    wait_for("two mails", 10 * SECOND, || (mails.lock().unwrap().len() >= 2).then_some(()));
    let read = |file: &str, end: &str| {
        wait_for(file, 5 * SECOND, || {
            let text = host.try_sh(&format!("cat /tmp/{file}")).stdout;
            let text = String::from_utf8_lossy(&text).into_owned();
            text.contains(end).then_some(text)
        })
    };
    daemon.signal(Signal::SIGUSR1);
    let data = read("keepalived.data", "Name = eth1");
    let data = if data.contains("VI_3") { data } else { read("keepalived.data", "VI_3") };
    daemon.signal(Signal::SIGUSR2);
    let stats = read("keepalived.stats", "VRRP Instance: VI_3");
    host.sh("kill -36 $(cat /run/keepalived.pid)");
    let json = wait_for("the JSON", 5 * SECOND, || {
        serde_json::from_slice(&host.try_sh("cat /tmp/keepalived.json").stdout).ok()
    });
    assert!(daemon.stop().success());
    let mails = mails.lock().unwrap().clone();
    Said { data, stats, json, mails }
}

fn both<T: Send>(what: fn(&Lab, &str, &Program) -> T) -> Option<(T, T)> {
    let lab = Lab::open(&[Part::Program("keepalived")])?;
    Some(beside(&keepalived(), "keepalived", |name, program| what(&lab, name, program)))
}

/// Lines whose value is a moment, a descriptor, a secret, a path of the lab, or the build's.
const OWN: &[&str] = &[
    "Last transition",
    "Read timeout",
    "GARP next time",
    "GNA next time",
    "fd_in",
    "Password",
    "libnftnl version",
    "index =",
    "Original ",
    "File =",
    "Unicast checksum compatibility",
    "Smtp HELO",
    "Current processes",
    "Not IPv6 forwarding",
    // Of the other process, in between.
    "Startup complete",
    // Of a script, which may run just then.
    "State = idle",
    "State = running",
];

fn comparable(text: &str) -> Vec<&str> {
    let keep = |line: &&str| !OWN.iter().any(|own| line.trim_start().starts_with(own));
    text.lines().filter(keep).map(str::trim_end).collect()
}

#[test]
fn files_and_mails_are_those_of_the_real_one() {
    let Some((ours, theirs)) = both(said) else { return };
    println!("{}\n{}", theirs.data, theirs.mails.join("\n"));
    let (our, their) = (comparable(&ours.data), comparable(&theirs.data));
    let missing: Vec<_> = their.iter().filter(|line| !our.contains(line)).collect();
    let added: Vec<_> = our.iter().filter(|line| !their.contains(line)).collect();
    assert!(missing.is_empty() && added.is_empty(), "only the real one: {missing:#?}\nonly ours: {added:#?}");
    assert_eq!(our, their, "the same lines in another order");

    let labels = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split_once(": ").map_or(line, |(label, _)| label).to_owned()).collect()
    };
    assert_eq!(labels(&ours.stats), labels(&theirs.stats));

    let fields = |json: &serde_json::Value, part: &str| -> Vec<String> {
        let all = json.as_array().unwrap().iter();
        all.flat_map(|instance| instance[part].as_object().unwrap().keys().cloned()).collect()
    };
    let mut our = fields(&ours.json, "data");
    let mut their = fields(&theirs.json, "data");
    // Newer than the one it is compared with.
    our.retain(|name| name != "track_process");
    our.sort();
    their.sort();
    assert_eq!(our, their);
    for (our, their) in ours.json.as_array().unwrap().iter().zip(theirs.json.as_array().unwrap()) {
        for (name, value) in their["data"].as_object().unwrap() {
            let own = ["last_transition", "auth_data"].contains(&name.as_str());
            let same = our["data"][name] == *value || our["data"][name].as_f64() == value.as_f64();
            assert!(own || (same && !our["data"][name].is_null()), "{name}: {} {value}", our["data"][name]);
        }
        for name in their["stats"].as_object().unwrap().keys() {
            assert!(our["stats"][name].is_u64(), "{name}");
        }
    }

    // Everything but the moment.
    let mails = |said: &Said| -> Vec<String> {
        let first = said.mails.iter().take(2);
        first
            .map(|mail| mail.lines().filter(|line| !line.starts_with("Date:")).collect::<Vec<_>>().join("\n"))
            .collect()
    };
    assert_eq!(mails(&ours), mails(&theirs));
}

#[test]
fn signal_numbers_and_exit_codes_are_those_of_the_real_one() {
    let Some(lab) = Lab::open(&[Part::Program("keepalived")]) else { return };
    let host = lab.host("one");
    let run = |program: &Program, args: &[&str]| {
        let mut command = program.command();
        command.args(args);
        let output = host.output(command);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let real = Program::reference("keepalived");
    for name in ["STOP", "RELOAD", "DATA", "STATS", "STATS_CLEAR", "JSON", "HUP", "bogus"] {
        let args = [format!("--signum={name}")];
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        assert_eq!(run(&keepalived(), &args), run(&real, &args), "{name}");
    }
    let file = |name: &str, text: &str| host.file(name, text).display().to_string();
    let open = file("open.conf", "vrrp_instance V {\n");
    let interface = file(
        "interface.conf",
        "vrrp_instance V {\n interface nope9\n virtual_router_id 5\n virtual_ipaddress {\n 10.9.9.9\n }\n}\n",
    );
    let word = file("word.conf", "foo bar\n");
    let good = file("good.conf", "global_defs {\n router_id x\n}\n");
    for path in [&open, &interface, &word, &good] {
        let code = |program: &Program| run(program, &["-t", "-f", path]).0;
        assert_eq!(code(&keepalived()), code(&real), "-t {path}");
    }
    // Where there is no file 2.2.7 says so and exits with 0: no script that asks before it reloads can want that.
    let missing = ["-t", "-f", "/nonexistent.conf"];
    assert_eq!((run(&keepalived(), &missing).0, run(&real, &missing).0), (Some(4), Some(0)));
    for path in ["/nonexistent.conf", &interface] {
        let code = |program: &Program| run(program, &["-n", "-G", "-f", path]).0;
        assert_eq!(code(&keepalived()), code(&real), "{path}");
    }
}

/// Settings, routes and rules of every kind, in the order in which they are printed.
const SETTINGS: &str = "global_defs {
    router_id lb1
    enable_script_security
    script_user root
    vrrp_garp_master_delay 3
    vrrp_garp_master_repeat 2
    vrrp_garp_master_refresh 30
    vrrp_garp_master_refresh_repeat 3
    vrrp_garp_lower_prio_delay 4
    vrrp_garp_lower_prio_repeat 1
    vrrp_lower_prio_no_advert true
    vrrp_higher_prio_send_advert true
    vrrp_version 3
    vrrp_mcast_group4 224.0.0.19
    vrrp_mcast_group6 ff02::13
    vrrp_check_unicast_src
    vrrp_notify_priority_changes true
    smtp_alert false
    smtp_alert_vrrp true
    vrrp_rx_bufs_policy ADVERT
    vrrp_rx_bufs_multiplier 7
    vrrp_netlink_cmd_rcv_bufs 200000
    vrrp_netlink_monitor_rcv_bufs 300000
    vrrp_netlink_monitor_rcv_bufs_force true
    process_monitor_rcv_bufs 100000
    process_monitor_rcv_bufs_force on
    nftables mine
    nftables_counters
    umask 022
}
track_group T {
    group {
        VI_1
    }
}
static_ipaddress {
    10.79.0.50/24 dev eth1 scope link track_group T
}
static_routes {
    10.91.0.0/16 via 10.79.0.9 dev eth1 metric 4 track_group T
}
static_rules {
    from 10.0.0.0/8 table 100 priority 500
    iif eth1 to 10.92.0.0/16 table 100 priority 501 track_group T
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 60
    priority 120
    advert_int 0.5
    kernel_rx_buf_size 20000
    garp_master_delay 7
    use_vmac
    vmac_xmit_base
    virtual_ipaddress {
        10.77.0.60/24
    }
    virtual_routes {
        10.95.0.0/16 via 10.77.0.1 dev eth0 table 200 mtu lock 1400 advmss 1000 rtt 300ms initcwnd 9 quickack 1
        default via 10.77.0.1 dev eth0 table 201 onlink realms 3/4
        10.96.0.0/16 table 202 nexthop via 10.77.0.2 dev eth0 weight 3 nexthop via 10.77.0.3 dev eth0
    }
    virtual_rules {
        from 10.77.0.60 table 200 priority 600
        fwmark 5/0xff table 201 priority 601 suppress_prefixlength 8
        not to 10.97.0.0/16 oif eth0 uidrange 1-5 ipproto tcp dport 80-90 goto 700 priority 602
        to 10.98.0.0/16 blackhole priority 700
    }
}
";

#[test]
fn settings_routes_and_rules_are_dumped_as_by_the_real_one() {
    let Some((ours, theirs)) = both(dumped) else { return };
    assert!(theirs.len() > 50, "{theirs:#?}");
    let missing: Vec<_> = theirs.iter().filter(|line| !ours.contains(line)).collect();
    let added: Vec<_> = ours.iter().filter(|line| !theirs.contains(line)).collect();
    assert!(missing.is_empty() && added.is_empty(), "only the real one: {missing:#?}\nonly ours: {added:#?}");
    assert_eq!(ours, theirs, "the same lines in another order");
}

/// What `-d` says of settings, static items, and the routes and rules of the instance.
fn dumped(lab: &Lab, name: &str, program: &Program) -> Vec<String> {
    let net = lab.network(&format!("{name}-net"), "10.77.0.1/24");
    let host = lab.host(&format!("{name}-one"));
    net.plug(&host, "eth0", "10.77.0.11/24");
    net.plug(&host, "eth1", "10.79.0.11/24");
    let config = Config::written(&host, "k.conf", SETTINGS);
    let mut command = program.command();
    command.args(["-n", "-l", "-d", "-f"]).arg(config.path());
    let mut daemon = host.spawn(command);
    daemon.wait_log("------< Interfaces >------", 10 * SECOND);
    let log = daemon.log();
    assert!(daemon.stop().success());
    let text = log.iter().map(|line| line.find(": ").map_or("", |at| &line[at + 2..]));
    let until = |end: &'static str| move |line: &&str| !line.contains(end);
    let mut lines: Vec<&str> =
        text.skip_while(until("< Global definitions >")).take_while(until("< Interfaces >")).collect();
    let instance = lines.iter().position(|line| line.contains("< VRRP Topology >")).unwrap();
    let own = |line: &str| {
        let item = [" proto 18", " protocol 18", "Kernel rx", "xmit", "Gratuitous", "Advert int"];
        item.iter().any(|word| line.contains(word))
    };
    let behind = lines.split_off(instance);
    lines.retain(|line| !OWN.iter().any(|own| line.trim_start().starts_with(own)));
    lines.extend(behind.into_iter().filter(|line| own(line)));
    // What is set already is a matter of the moment.
    let settled = |line: &str| line.replace(" [installed ifindex 0]", "").trim_end_matches(" set").to_owned();
    lines.into_iter().map(|line| settled(line.trim_end())).collect()
}

/// Interfaces of every kind: virtual ones, one that is missing, one that is down, with several addresses.
const INTERFACES: &str = "\
global_defs {
    router_id x
    dynamic_interfaces
    nftables
}
vrrp_script idle {
    script /bin/true
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    advert_int 1
    no_accept
    promote_secondaries
    skip_check_adv_addr
    track_interface {
        eth1 weight -4
    }
    virtual_ipaddress {
        10.77.0.100/24
    }
    virtual_ipaddress_excluded {
        2001:db8::100/64
    }
}
vrrp_instance VI_2 {
    interface nope0
    virtual_router_id 52
    virtual_ipaddress {
        10.78.0.100/24
    }
}
vrrp_instance VI_3 {
    interface eth2
    virtual_router_id 53
    use_vmac
    virtual_ipaddress {
        10.80.0.100/24
    }
}
vrrp_instance VI_4 {
    interface eth2
    virtual_router_id 54
    use_ipvlan ipvl54 10.80.0.54/24 private
    virtual_ipaddress {
        10.80.0.104/24
    }
}
vrrp_sync_group G {
    group {
        VI_5
        VI_6
    }
}
vrrp_instance VI_5 {
    interface eth0
    version 3
    virtual_router_id 55
    track_interface {
        eth1 weight 4
    }
    virtual_ipaddress {
        fe80::105/64
    }
}
vrrp_instance VI_6 {
    interface eth0
    virtual_router_id 56
    virtual_ipaddress {
        10.77.0.106/24
    }
}
";

#[test]
fn interfaces_are_dumped_as_by_the_real_one() {
    let Some((ours, theirs)) = both(interfaces_dumped) else { return };
    assert!(theirs.len() > 10, "{theirs:?}");
    let missing: Vec<_> = theirs.iter().filter(|part| !ours.contains(part)).collect();
    let added: Vec<_> = ours.iter().filter(|part| !theirs.contains(part)).collect();
    assert!(missing.is_empty() && added.is_empty(), "only the real one: {missing:#?}\nonly ours: {added:#?}");
}

/// What SIGUSR1 says of instances and interfaces, without what is a matter of the moment.
fn interfaces_dumped(lab: &Lab, name: &str, program: &Program) -> Vec<Vec<String>> {
    let net = lab.network(&format!("{name}-net"), "10.77.0.1/24");
    let host = lab.host(&format!("{name}-one"));
    host.sh("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0");
    net.plug(&host, "eth0", "10.77.0.11/24");
    net.plug(&host, "eth1", "10.79.0.11/24");
    net.plug(&host, "eth2", "10.80.0.11/24");
    host.sh(
        "ip addr add 10.77.0.12/24 dev eth0 && ip addr add 10.81.0.12/24 dev eth0 && ip link set eth1 down",
    );
    for (at, eth) in ["eth0", "eth2"].iter().enumerate() {
        host.sh(&format!("ip -6 addr flush dev {eth} && ip addr add fe80::{}/64 dev {eth}", at + 1));
    }
    let config = Config::written(&host, "k.conf", INTERFACES);
    let mut daemon = host.keepalived(program, &config);
    eventually("the addresses", 20 * SECOND, || {
        ["10.77.0.100", "10.80.0.100", "fe80::105", "10.77.0.106"].iter().all(|a| host.has_address(a))
    });
    let path = "/tmp/keepalived.data";
    host.sh("kill -USR1 $(cat /run/keepalived.pid)");
    let text = wait_for("the state", 5 * SECOND, || {
        let text = String::from_utf8_lossy(&host.try_sh(&format!("cat {path}")).stdout).into_owned();
        text.contains("Tracking VRRP instances").then_some(text)
    });
    assert!(daemon.stop().success());
    let own = ["Last transition", "Read timeout", "fd_in", "MAC =", "Not IPv6 forwarding", "index ="];
    let behind = text.lines().skip_while(|line| !line.contains("< VRRP Topology >"));
    let keep = |line: &&str| !own.iter().any(|own| line.trim_start().starts_with(own));
    let lines: Vec<String> = behind.filter(keep).map(|line| line.trim_end().to_owned()).collect();
    // A part for each instance, socket and interface: those that are missing have no place among those that are there.
    let begins =
        |line: &str| line.starts_with(" VRRP Instance") || line.contains("Name =") || line.contains("----<");
    lines.chunk_by(|_, next| !begins(next)).map(<[String]>::to_vec).collect()
}
