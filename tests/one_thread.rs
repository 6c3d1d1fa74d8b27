//! A process with one thread for its sessions has no other: its checks, names, rings and commands run there, too.

use std::net::UdpSocket;
use std::time::Duration;

use nix::unistd::Pid;

use crate::lab::{Behaviour, Collector, Config, Dns, Lab, Nginx, Part, eventually, get, proxy, show_stat};

const PATIENCE: Duration = Duration::from_secs(20);

/// Lines enough for an answer that goes out in many pieces.
const LINES: usize = 20_000;

const SOCKET: &str = "/run/one.sock";

const CONFIG: &str = "\
global
    nbthread 1
    stats socket /run/one.sock level admin
    log ring@lines local0
ring lines
    size 32768
    format rfc5424
    timeout connect 5s
    timeout server 10s
    server collector 127.0.0.1:9601
log-forward passed
    dgram-bind 127.0.0.1:9602
    log ring@lines local0
resolvers lab
    nameserver good 127.0.0.1:53
    timeout resolve 200ms
    timeout retry 200ms
defaults
    mode http
    log global
    option httplog
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend f
    bind 127.0.0.1:8601
    http-request set-header x-map %[path,map_str(LINES,none)]
    default_backend b
backend b
    server checked 127.0.0.1:9001 check inter 100ms
    server named one.lab:9001 resolvers lab init-addr none backup
";

#[test]
fn all_of_it_is_done_by_one_thread() {
    let Some(lab) = Lab::open(&[Part::Program("nginx"), Part::Program("socat")]) else { return };
    let host = lab.host("ours");
    let dns = Dns::start(&host, "127.0.0.1:53", Behaviour::Answers);
    dns.set("one.lab", "127.0.0.2");
    let collector = Collector::start(&host, "127.0.0.1:9601");
    let _origin = Nginx::start(&host, 9001);
    let lines: String = (0..LINES).map(|i| format!("/{i} value-of-{i}\n")).collect();
    let file = host.file("lines.map", &lines);
    let text = CONFIG.replace("LINES", &file.display().to_string());
    for master in [false, true] {
        let config = Config::written(&host, "haproxy.cfg", &text);
        let mut command = proxy().command();
        command.args(master.then_some("-W")).arg("-f").arg(config.path());
        let mut process = host.spawn(command);
        host.wait_told(SOCKET);
        eventually("an answer", PATIENCE, || {
            get(&host, "127.0.0.1:8601", "/").is_ok_and(|r| r.status == 200)
        });
        eventually("a check and a name", PATIENCE, || {
            let stats = show_stat(&host, SOCKET);
            stats.status("b", "checked") == "UP" && stats.cell("b", "named", "addr") == "127.0.0.2:9001"
        });
        let session = format!("GET /{master} HTTP/1.1");
        eventually("a line of a session, and one from elsewhere", PATIENCE, || {
            let _ = get(&host, "127.0.0.1:8601", &format!("/{master}"));
            host.run(|| UdpSocket::bind("127.0.0.1:0")?.send_to(b"<13>elsewhere", "127.0.0.1:9602")).unwrap();
            let lines = collector.text();
            lines.contains(&session) && lines.contains("elsewhere")
        });
        let map = host.tell(SOCKET, &format!("show map {}", file.display()));
        assert_eq!(map.lines().filter(|line| line.contains("value-of-")).count(), LINES);
        let served_by = if master { child(process.pid()) } else { process.pid().as_raw() };
        eventually("one thread", PATIENCE, || threads(served_by) == 1);
        process.stop();
    }
}

/// The one process that this one has started.
fn child(of: Pid) -> i32 {
    let children = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap();
    children.trim().parse().unwrap_or_else(|_| panic!("children '{children}'"))
}

fn threads(of: i32) -> usize {
    std::fs::read_dir(format!("/proc/{of}/task")).map_or(0, Iterator::count)
}
