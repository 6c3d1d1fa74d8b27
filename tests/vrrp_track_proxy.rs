//! `track_proxy`: an instance follows the listeners and servers of the proxy beside it, without a script.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::lab::{Config, Host, Lab, Part, Process, Signal, eventually, holds_for, keepalived, proxy};
use crate::vrrp_process::{CONFIG, Pair, SECOND, VIP};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tandem");
const PATIENCE: Duration = Duration::from_secs(15);

const PROXY: &str = "\
global
    stats socket /run/tracked.sock level admin
defaults
    mode tcp
    timeout connect 1s
    timeout client 10s
    timeout server 10s
frontend www
    bind 127.0.0.1:8001
    default_backend app
backend app
    server a 127.0.0.1:8091 check inter 100ms fall 2 rise 1
";

fn node(host: &Host, priority: u8) -> Process {
    let block = "track_proxy web {\n    frontend www\n    backend app\n    weight -20\n}\n";
    let instance = CONFIG
        .replace("PRIORITY", &priority.to_string())
        .replace("    virtual_ipaddress {", "    track_proxy {\n        web\n    }\n    virtual_ipaddress {");
    let config = Config::written(host, "keepalived.conf", &format!("{block}{instance}"));
    host.keepalived(&keepalived(), &config)
}

fn proxy_on(host: &Host) -> Process {
    host.haproxy(&proxy(), &Config::written(host, "tracked.cfg", PROXY))
}

fn status(host: &Host) -> String {
    String::from_utf8_lossy(&host.try_sh(&format!("{PROGRAM} vrrp status")).stdout).into_owned()
}

/// A server that takes connections until it is dropped.
struct Server {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(host: &Host) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let listener = host.run(|| TcpListener::bind("127.0.0.1:8091").unwrap());
        listener.set_nonblocking(true).unwrap();
        let asked = stop.clone();
        let thread = std::thread::spawn(move || {
            while !asked.load(Relaxed) {
                if listener.accept().is_err() {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn owned_by(what: &str, owner: &Host, other: &Host) {
    eventually(what, PATIENCE, || owner.has_address(VIP) && !other.has_address(VIP));
}

#[test]
fn the_address_goes_where_servers_and_listeners_are() {
    let Some(lab) = Lab::open(&[Part::Program("socat")]) else { return };
    let pair = Pair::new(&lab);
    let command = |command: &str| pair.one.sh(&format!("echo '{command}' | socat stdio /run/tracked.sock"));
    let _server_two = Server::start(&pair.two);
    let server = Server::start(&pair.one);
    // An engine without a proxy says that it has none.
    let one = node(&pair.one, 100);
    one.wait_log("Tracked proxy web failed: no Tandem proxy runs in this network namespace", PATIENCE);
    one.wait_log("Changing effective priority from 100 to 80", PATIENCE);
    let two = node(&pair.two, 90);
    let _proxy_two = proxy_on(&pair.two);
    two.wait_log("Tracked proxy web succeeded", PATIENCE);
    owned_by("the address where a proxy runs", &pair.two, &pair.one);
    let mut proxy_one = proxy_on(&pair.one);
    owned_by("the address where it belongs", &pair.one, &pair.two);

    drop(server);
    owned_by("the address after the last server", &pair.two, &pair.one);
    let said = status(&pair.one);
    let sum = "priority   80 = 100 configured - 20 (proxy web: backend app has 0 of 1 servers, needs 1)";
    assert!(said.contains(sum), "{said}");
    let _server = Server::start(&pair.one);
    owned_by("the address after the server's return", &pair.one, &pair.two);

    command("disable frontend www");
    owned_by("the address after the pause", &pair.two, &pair.one);
    assert!(status(&pair.one).contains("- 20 (proxy web: frontend www is paused)"), "{}", status(&pair.one));
    command("enable frontend www");
    owned_by("the address after the pause's end", &pair.one, &pair.two);

    command("set server app/a state maint");
    owned_by("the address during maintenance", &pair.two, &pair.one);
    command("set server app/a state ready");
    owned_by("the address after maintenance", &pair.one, &pair.two);

    proxy_one.kill();
    owned_by("the address after the proxy", &pair.two, &pair.one);
    let _proxy_one = proxy_on(&pair.one);
    owned_by("the address after the proxy's return", &pair.one, &pair.two);
}

#[test]
fn a_reload_of_the_proxy_is_no_failure_and_a_frozen_proxy_is_one() {
    let Some(lab) = Lab::open(&[]) else { return };
    let pair = Pair::new(&lab);
    let _server = Server::start(&pair.one);
    let mut command = proxy().command();
    command.arg("-W").arg("-f").arg(Config::written(&pair.one, "tracked.cfg", PROXY).path());
    let master = pair.one.spawn(command);
    master.wait_log("Loading success", PATIENCE);
    let one = node(&pair.one, 100);
    eventually("the address", PATIENCE, || pair.one.has_address(VIP));
    // The first check decides over a server without any.
    one.wait_log("Tracked proxy web succeeded", PATIENCE);
    let failures = one.count("Tracked proxy web failed");
    for reload in 2..=4 {
        master.signal(Signal::SIGUSR2);
        master.wait_log_times("Loading success", reload, PATIENCE);
        master.wait_log_times("Former worker", reload - 1, PATIENCE);
    }
    holds_for("the address", SECOND, || pair.one.has_address(VIP));
    assert_eq!(one.count("Tracked proxy web failed"), failures, "{:?}", one.log());

    let worker = "pgrep -P $(pgrep -o haproxy) -x haproxy";
    pair.one.sh(&format!("kill -STOP $({worker})"));
    one.wait_log("Tracked proxy web failed: the proxy does not answer", PATIENCE);
    pair.one.sh(&format!("kill -CONT $({worker})"));
    one.wait_log_times("Tracked proxy web succeeded", 2, PATIENCE);
}

#[test]
fn somebody_else_with_the_name_of_a_proxy_is_not_believed() {
    let Some(lab) = Lab::open(&[Part::Program("socat"), Part::Program("setpriv")]) else { return };
    let pair = Pair::new(&lab);
    let mut command = std::process::Command::new("setpriv");
    let lie = r#"{"leaving":false,"frontends":{"www":"open"},"backends":{"app":{"usable":9,"all":9}}}"#;
    command.args(["--reuid=65534", "--clear-groups", "socat", "ABSTRACT-LISTEN:tandem-proxy,fork"]);
    command.arg(format!("SYSTEM:echo '{}'; sleep 60", lie.replace('"', "\\\"")));
    let _liar = pair.one.spawn(command);
    eventually("the liar", PATIENCE, || {
        pair.one.try_sh("grep -q @tandem-proxy /proc/net/unix").status.success()
    });
    let one = node(&pair.one, 100);
    one.wait_log("a process of user 65534 has the name of a proxy and is not believed", PATIENCE);
    one.wait_log("no Tandem proxy runs in this network namespace", PATIENCE);
    // The real one takes the next name.
    let _server = Server::start(&pair.one);
    let _proxy = proxy_on(&pair.one);
    one.wait_log("Tracked proxy web succeeded", PATIENCE);
}
