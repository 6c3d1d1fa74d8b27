//! How a process stops that was told to serve whom it has: `grace` and `close-spread-time`, beside HAProxy.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::lab::{Config, Connection, Host, Lab, Part, Process, Program, eventually, get, proxy, wait_for};

const PATIENCE: Duration = Duration::from_secs(20);
const SITE: &str = "127.0.0.1:8000";

/// A site whose monitor fails once the process says that it stops.
fn start(host: &Host, program: &Program, setting: &str) -> Process {
    // A thread of HAProxy that took notice when the stop was announced may sleep through its beginning, and the
    // process goes on without clients.
    let threads = if program.is_ours() { 2 } else { 1 };
    let text = format!(
        "\
global
    nbthread {threads}
    {setting}
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend site
    bind {SITE}
    monitor-uri /alive
    monitor fail if {{ stopping }}
    http-request return status 200
"
    );
    let process = host.haproxy(program, &Config::written(host, "stop.cfg", &text));
    eventually("the site", PATIENCE, || host.reaches(SITE));
    process
}

/// A client that has been served and may ask again.
fn client(host: &Host) -> Connection {
    let mut client = Connection::open(host, SITE).unwrap();
    assert_eq!(client.get("/").unwrap().status, 200);
    client
}

/// Asks once more: is the connection kept?
fn is_kept(client: &mut Connection) -> bool {
    let answer = client.get("/").unwrap();
    assert_eq!(answer.status, 200);
    answer.header("connection").is_none()
}

/// Its exit code once it has ended by itself.
fn code(mut process: Process) -> Option<i32> {
    process.ended(PATIENCE).code()
}

#[test]
fn connections_end_with_the_process_as_with_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let mut seen = Vec::new();
    for (name, program) in [("theirs", Program::reference("haproxy")), ("ours", proxy())] {
        let host = lab.host(name);
        let mut facts = Vec::new();

        // It says so first, and goes on.
        let process = start(&host, &program, "grace 5s");
        let mut kept = client(&host);
        facts.push(("alive", get(&host, SITE, "/alive").unwrap().status.into()));
        process.signal(Signal::SIGUSR1);
        wait_for("the monitor to fail", PATIENCE, || {
            (get(&host, SITE, "/alive").ok()?.status == 503).then_some(())
        });
        facts.push(("kept while it waits", is_kept(&mut kept).into()));
        // It would wait for this one's timeout.
        drop(kept);
        facts.push(("ends", code(process).unwrap().into()));

        // Nobody is sent away.
        let process = start(&host, &program, "close-spread-time infinite");
        let mut kept = client(&host);
        process.signal(Signal::SIGUSR1);
        eventually("the door to close", PATIENCE, || !host.reaches(SITE));
        for _ in 0..2 {
            facts.push(("kept for good", is_kept(&mut kept).into()));
        }
        drop(kept);
        facts.push(("ends without clients", code(process).unwrap().into()));

        // Nearly nobody, yet.
        let process = start(&host, &program, "close-spread-time 20d");
        let mut clients: Vec<_> = (0..20).map(|_| client(&host)).collect();
        process.signal(Signal::SIGUSR1);
        eventually("the door to close", PATIENCE, || !host.reaches(SITE));
        let kept = clients.iter_mut().filter_map(|one| is_kept(one).then_some(())).count();
        facts.push(("most are kept", (kept >= 19).into()));
        drop(clients);
        facts.push(("ends without clients", code(process).unwrap().into()));

        // Everybody, in time.
        for setting in ["close-spread-time 500ms", ""] {
            let process = start(&host, &program, setting);
            let _clients: Vec<_> = (0..20).map(|_| client(&host)).collect();
            process.signal(Signal::SIGUSR1);
            facts.push(("ends with idle clients", code(process).unwrap().into()));
        }
        seen.push(facts);
    }
    let [theirs, ours] = <[Vec<(&str, i64)>; 2]>::try_from(seen).expect("two programs");
    assert_eq!(ours, theirs);
    assert_eq!(ours[..4], [("alive", 200), ("kept while it waits", 1), ("ends", 0), ("kept for good", 1)]);
}
