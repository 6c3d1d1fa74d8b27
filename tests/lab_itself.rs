//! The lab is what it says: hosts are apart, networks connect them, and nothing is left of them.

use std::process::Command;
use std::time::Duration;

use crate::lab::{Behaviour, Dns, Lab, Part, eventually};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn hosts_are_apart() {
    let Some(lab) = Lab::open(&[Part::Program("killall")]) else { return };
    let (one, two) = (lab.host("one"), lab.host("two"));
    let mut sleeper = Command::new("sleep");
    sleeper.arg("600");
    let mut sleeper = one.spawn(sleeper);
    let sees = |host: &crate::lab::Host| host.try_sh("killall -0 sleep").status.success();
    // Between the fork and the program it becomes, a process has another name.
    eventually("the sleeper to be seen", 5 * SECOND, || sees(&one));
    assert!(!sees(&two), "processes are seen across hosts");
    // An orphan must not stay behind as a zombie: `killall -0` would still find it.
    one.sh("setsid sleep 700 >/dev/null 2>&1 &");
    sleeper.kill();
    eventually("the orphan to be seen", 5 * SECOND, || sees(&one));
    one.sh("killall sleep");
    eventually("orphans to be reaped", 5 * SECOND, || !sees(&one));
    one.sh("touch /var/run/mark");
    assert!(!two.try_sh("test -e /var/run/mark").status.success(), "/var/run is shared");
    assert_eq!(two.sh("hostname").trim(), "two");
}

#[test]
fn networks_connect_and_cables_can_be_cut() {
    let Some(lab) = Lab::open(&[]) else { return };
    let net = lab.network("net", "172.20.0.1/16");
    let (one, two) = (lab.host("one"), lab.host("two"));
    net.plug(&one, "eth0", "172.20.0.11/16");
    let cable = net.plug(&two, "eth0", "172.20.0.12/16");
    let listener = two.run(|| std::net::TcpListener::bind("0.0.0.0:80")).unwrap();
    assert!(one.reaches("172.20.0.12:80"));
    assert!(net.gateway().reaches("172.20.0.12:80"));
    net.cut(&cable);
    assert!(!one.reaches("172.20.0.12:80"), "a cut cable carries frames");
    net.mend(&cable);
    eventually("the mended cable to work", 5 * SECOND, || one.reaches("172.20.0.12:80"));
    drop(listener);
    assert!(one.has_address("172.20.0.11") && !one.has_address("172.20.0.12"));
}

#[test]
fn names_change_and_servers_fall_silent() {
    let Some(lab) = Lab::open(&[Part::Program("getent")]) else { return };
    let net = lab.network("net", "10.1.0.1/24");
    let host = lab.host("one");
    // Without an address of its own a host does not even ask.
    net.plug(&host, "eth0", "10.1.0.2/24");
    let dns = Dns::start(&host, "127.0.0.1:53", Behaviour::Answers);
    let ask = |name: &str| host.try_sh(&format!("getent ahostsv4 {name} | cut -d' ' -f1 | head -1")).stdout;
    dns.set("web.test", "10.0.0.7");
    assert_eq!(ask("web.test"), b"10.0.0.7\n");
    dns.set("web.test", "10.0.0.8");
    assert_eq!(ask("web.test"), b"10.0.0.8\n");
    assert_eq!(ask("other.test"), b"");
    let before = dns.questions();
    dns.behave(Behaviour::Silent);
    assert_eq!(ask("web.test"), b"");
    assert!(dns.questions() > before);
}

#[test]
fn a_host_switched_off_is_gone() {
    let Some(lab) = Lab::open(&[]) else { return };
    let net = lab.network("net", "10.1.0.1/24");
    let mut host = lab.host("one");
    net.plug(&host, "eth0", "10.1.0.2/24");
    let mut sleeper = Command::new("sleep");
    sleeper.arg("600");
    let mut process = host.spawn(sleeper);
    assert!(process.running());
    host.power_off();
    eventually("its processes to be gone", 5 * SECOND, || !process.running());
    eventually("its link to be gone", 5 * SECOND, || !net.gateway().sh("ip -o link").contains("one-0"));
}
