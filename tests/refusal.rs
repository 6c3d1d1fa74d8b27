//! A configuration that cannot be used leaves nothing behind: no socket, no pid file, no address.

use std::time::Duration;

use crate::lab::{Config, Lab, Part, eventually, keepalived, proxy};

const PROXY: &str = "\
global
    stats socket /run/left.sock mode 660 level admin
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend one
    bind 127.0.0.1:8000
    default_backend two
backend two
    server web 127.0.0.1:9000
";

#[test]
fn a_proxy_that_cannot_start_leaves_nothing() {
    let Some(lab) = Lab::open(&[Part::Program("ss")]) else { return };
    let net = lab.network("net", "10.1.0.1/24");
    let host = lab.host("lb");
    net.plug(&host, "eth0", "10.1.0.2/24");
    let unusable = [
        ("an unknown word", PROXY.replace("mode http", "mode http\n    balanse roundrobin")),
        ("a missing backend", PROXY.replace("default_backend two", "default_backend three")),
        ("an address of somebody else", PROXY.replace("127.0.0.1:8000", "10.1.0.77:8000")),
        ("a port that is taken", PROXY.replace("127.0.0.1:8000", "10.1.0.2:8001")),
        ("a name that is not known", PROXY.replace("127.0.0.1:9000", "nobody:9000")),
    ];
    let taken = host.run(|| std::net::TcpListener::bind("10.1.0.2:8001")).unwrap();
    for (what, text) in unusable {
        let config = Config::written(&host, "haproxy.cfg", &text);
        let mut command = proxy().command();
        command.args(["-D", "-p", "/run/left.pid", "-f"]).arg(config.path());
        let output = host.output(command);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{what}: {said}");
        assert!(said.contains("[ALERT]"), "{what}: {said}");
        // HAProxy leaves its statistics socket when it is a later bind that fails.
        if proxy().is_ours() {
            assert_eq!(host.sh("ls /run | grep left || true"), "", "{what}");
        }
        let listening = host.sh("ss -Hltn");
        assert!(!listening.contains(":8000"), "{what}: {listening}");
        assert!(!host.try_sh("killall -0 haproxy").status.success(), "{what}: a process stayed");
    }
    drop(taken);
    // The same without a fault starts, and leaves its pid file and its socket.
    let config = Config::written(&host, "haproxy.cfg", PROXY);
    let mut command = proxy().command();
    command.args(["-D", "-p", "/run/left.pid", "-f"]).arg(config.path());
    assert!(host.output(command).status.success());
    eventually("the proxy to listen", Duration::from_secs(5), || host.reaches("127.0.0.1:8000"));
    assert_eq!(host.sh("ls /run | grep left"), "left.pid\nleft.sock\n");
    host.sh("kill -0 $(cat /run/left.pid)");
}

#[test]
fn a_vrrp_daemon_that_cannot_start_leaves_nothing() {
    let Some(lab) = Lab::open(&[]) else { return };
    let net = lab.network("net", "172.20.0.1/16");
    let host = lab.host("lb");
    net.plug(&host, "eth0", "172.20.0.11/16");
    let before = host.sh("ip -o address show | grep -v fe80");
    let mut command = keepalived().command();
    command.args(["-n", "-l", "-p", "/run/left.pid", "-f", "/nowhere/keepalived.conf"]);
    let output = host.output(command);
    assert!(!output.status.success());
    assert_eq!(host.sh("ls /run | grep left || true"), "");
    assert_eq!(host.sh("ip -o address show | grep -v fe80"), before);
}
