//! Commands that change servers, and agents that do: both programs are told the same and come to the same answers and states.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use crate::lab::{Config, Host, Lab, Part, Process, Program, Stats, beside, eventually, proxy, wait_for};

const SOCKET: &str = "/run/commands.sock";

const CONFIG: &str = "\
global
    stats socket /run/commands.sock level admin
defaults
    mode http
    timeout connect 500ms
    timeout client 5s
    timeout server 5s
    timeout check 500ms
resolvers r
    nameserver nobody 127.0.0.1:54
frontend fe
    bind 127.0.0.1:8001
    default_backend be
frontend origin
    bind 127.0.0.1:8002
    http-request return status 200
backend be
    server full 127.0.0.1:8002 weight 100 check inter 300ms agent-check agent-port 9 agent-inter 300ms
    server plain 127.0.0.1:8002
    server named localhost:8002 resolvers r init-addr libc check inter 300ms
    server follows 127.0.0.1:8002 track be/full
    server port 127.0.0.1:8002 check port 8002 inter 300ms
    server off 127.0.0.1:8002 disabled
    server moved 127.0.0.1:+5
";

/// One after the other; what one leaves is what the next one finds.
const COMMANDS: &[&str] = &[
    "set server be/full weight 50",
    "set server be/full weight 50%",
    "set server be/full weight",
    "set server be/full weight 257",
    "set server be/full weight x",
    "set server be/full weight 150%",
    "set server be/full weight 101%",
    "set server be/full weight -1",
    "set server be/full state drain",
    "set server be/full state ready",
    "set server be/full state maint",
    "set server be/full state ready",
    "set server be/full state",
    "set server be/full state up",
    "set server be/follows state maint",
    "set server be/follows state ready",
    "set server be/full health down",
    "set server be/full health stopping",
    "set server be/full health up",
    "set server be/full health",
    "set server be/full health x",
    "set server be/plain health down",
    "set server be/follows health down",
    "set server be/follows health x",
    "set server be/full agent down",
    "set server be/full agent up",
    "set server be/full agent",
    "set server be/full agent x",
    "set server be/plain agent up",
    "set server be/plain agent x",
    "set server be/full agent-addr 127.0.0.2",
    "set server be/full agent-addr 127.0.0.1 port 21997",
    "set server be/full agent-addr",
    "set server be/full agent-addr nowhere.invalid",
    "set server be/plain agent-addr 127.0.0.2",
    "set server be/full agent-addr 127.0.0.1 port",
    "set server be/full agent-addr 127.0.0.1 port 0",
    "set server be/full agent-port 21998",
    "set server be/full agent-port",
    "set server be/full agent-port x",
    "set server be/full agent-port 70000",
    "set server be/plain agent-port 7",
    "set server be/full agent-send hello",
    "set server be/full agent-send",
    "set server be/plain agent-send hello",
    "set server be/full check-addr 127.0.0.1",
    "set server be/full check-addr 127.0.0.1 port 8002",
    "set server be/full check-addr",
    "set server be/full check-addr nowhere.invalid",
    "set server be/plain check-addr 127.0.0.1",
    "set server be/full check-port 8002",
    "set server be/full check-port",
    "set server be/full check-port 0",
    "set server be/full check-port 70000",
    "set server be/full check-port x",
    "set server be/plain check-port 7",
    "set server be/plain addr 127.0.0.2",
    "set server be/plain addr 127.0.0.2",
    "set server be/plain addr 127.0.0.2 port 77",
    "set server be/plain addr",
    "set server be/plain addr ::1 port 8",
    "set server be/plain addr 127.0.0.1 port 8002",
    "set server be/moved addr 127.0.0.2 port +6",
    "set server be/moved addr 127.0.0.2",
    "set server be/moved addr 127.0.0.2 port 9",
    "set server be/moved health down",
    "set server be/moved health stopping",
    "set server be/moved state maint",
    "set server be/moved state ready",
    "enable server be/off",
    "disable server be/off",
    "set server be/port addr 127.0.0.1 port 9",
    "set server be/port addr 127.0.0.1 port 8002",
    "set server be/named fqdn other.lab",
    "set server be/named fqdn other.lab",
    "set server be/named fqdn",
    "set server be/plain fqdn other.lab",
    "set server be/named fqdn bad..name",
    "set server be/named fqdn localhost",
    "set server",
    "set server be",
    "set server be/",
    "set server nope/plain state ready",
    "set server be/nope state ready",
    "set server be/plain state maint;set server be/plain state ready",
    "set weight be/full",
    "get weight be/full",
    "get weight be",
    "enable agent be/plain",
    "enable agent be/full",
    "disable agent be/full",
    "disable agent be/plain",
    "enable health be/plain",
    "disable health be/full",
    "enable health be/full",
    "disable server be/full",
    "enable server be/full",
    "disable server be/nope",
    "enable server",
    "disable health",
    "set maxconn server be/full",
    "set maxconn server be/full x",
    "set maxconn server be/full 5",
    "shutdown sessions server be/full",
    "shutdown sessions server",
    "shutdown session",
    "shutdown session 0x1",
    "shutdown frontend nope",
    "disable frontend",
    "enable frontend fe",
    "disable frontend fe",
    "enable frontend fe",
    "set maxconn frontend fe 7",
    "set maxconn frontend",
    "set maxconn global",
    "set maxconn global 0",
    "clear counters all",
    "clear counters nope",
    "add server",
    "add server be",
    "add server be/new",
    "add server be/plain 127.0.0.1:80",
    "add server nope/x 127.0.0.1:80",
    "add server be/new 127.0.0.1:9 weight 3",
    "add server be/new 127.0.0.1:9 weight 3",
    "enable server be/new",
    "del server be/new",
    "disable server be/new;del server be/new",
    "del server be/new",
    "del server be/plain",
    "del server",
    "del server be",
    "enable dynamic-cookie backend be",
    "disable dynamic-cookie backend be",
    "enable dynamic-cookie backend nope",
    "enable dynamic-cookie backend",
    "set dynamic-cookie-key backend be k",
    "set dynamic-cookie-key backend be",
    "set dynamic-cookie-key backend",
    // By numbers: of proxies, and of servers.
    "get weight #4/plain",
    "get weight be/#2",
    "set weight #4/#2 7",
    "get weight be/plain",
    "get weight #04/plain",
    "get weight #99/plain",
    "get weight be/#99",
    "get weight #/plain",
    "show servers conn #99",
    "disable frontend #2",
    "disable frontend fe",
    "enable frontend #2",
    "enable frontend #4",
    "add server #4/new 127.0.0.1:9 weight 3",
    "add server #4/ 127.0.0.1:9",
    "add server /new 127.0.0.1:9",
    "set server #4/new state maint;del server #4/new",
    "shutdown sessions server #4/#1",
    "show stat #99 4 -1",
];

/// Where 2.6 does or says something else than 3.4 and later, which ours follows.
const NEWER: &[(&str, &str)] = &[
    ("set server be/plain addr 127.0.0.1 port x", "problem converting port 'x' to an int"),
    ("set server be/plain addr 127.0.0.1 port", "problem converting port '' to an int"),
    ("set server be/plain addr x", "Invalid addr 'x'"),
    ("set server be/plain ssl on", "server ssl setting not supported."),
    (
        "set server be/plain name other",
        "Server must be in maintenance mode to be renamed (set server <b>/<s> state maint).",
    ),
    (
        "set server be/plain state maint;set server be/plain name other;set server be/other state ready;\
         set server be/other state maint;set server be/other name plain;set server be/plain state ready",
        "Server name updated.\n\n\n\nServer name updated.",
    ),
    ("clear counters server be/full", "Server counters cleared."),
    // HAProxy wraps around: 70000 is 4464 there.
    ("set server be/plain addr 127.0.0.1 port 70000", "Invalid port '70000' by 'stats socket command'"),
    // 2.6 wants a port for checks of servers that are not checked, too.
    (
        "set server be/plain addr 127.0.0.1 port +7",
        "no need to change the addr, port changed from '8002' to '+7' by 'stats socket command'",
    ),
    (
        "set server be/plain addr 127.0.0.1 port 8002",
        "no need to change the addr, port changed from '+7' to '8002' by 'stats socket command'",
    ),
    (
        "set server be/named addr 127.0.0.1 port +7",
        "no need to change the addr, can't change <port> to port map because it is incompatible with current health \
         check port configuration (use 'port' statement from the 'server' directive). by 'stats socket command'",
    ),
];

/// A program with a machine of its own.
struct Side {
    _proxy: Process,
    host: Host,
}

impl Side {
    fn start(host: Host, program: &Program, config: &str) -> Self {
        let proxy = host.haproxy(program, &Config::written(&host, "commands.cfg", config));
        let side = Self { _proxy: proxy, host };
        side.host.wait_told(SOCKET);
        side
    }

    fn ask(&self, command: &str) -> String {
        self.host.tell(SOCKET, command).trim().to_owned()
    }

    /// Name, address, administrative state, weights and port of each server; health and check state where only
    /// commands change them.
    fn states(&self) -> Vec<String> {
        let text = self.ask("show servers state be");
        let rows = text.lines().skip(2).map(|row| row.split(' ').collect::<Vec<_>>());
        rows.map(|row| {
            let unchecked = row.get(3).is_some_and(|name| ["plain", "moved", "off"].contains(name));
            let columns: &[usize] =
                if unchecked { &[3, 4, 5, 6, 7, 8, 12, 13, 18] } else { &[3, 4, 6, 7, 8, 18] };
            columns.iter().map(|at| row.get(*at).copied().unwrap_or_default()).collect::<Vec<_>>().join(" ")
        })
        .collect()
    }
}

#[test]
fn servers_are_changed_by_commands_as_haproxys() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let theirs = Side::start(lab.host("theirs"), &Program::reference("haproxy"), CONFIG);
    let ours = Side::start(lab.host("ours"), &proxy(), CONFIG);
    let is_checked =
        |side: &Side| side.ask("show stat").lines().filter(|line| line.contains(",L4OK,")).count() >= 3;
    wait_for("the first checks", Duration::from_secs(20), || {
        (is_checked(&theirs) && is_checked(&ours)).then_some(())
    });
    assert_eq!(theirs.states(), ours.states(), "at first");
    for command in COMMANDS {
        assert_eq!(theirs.ask(command), ours.ask(command), "{command}");
        // That a name was set by command shows there when something else about the server changes.
        let unnamed =
            |side: &Side| side.states().into_iter().filter(|s| !s.starts_with("named")).collect::<Vec<_>>();
        assert_eq!(unnamed(&theirs), unnamed(&ours), "after {command}");
    }
    let before = ours.states();
    for (command, answer) in NEWER {
        assert_eq!(ours.ask(command), *answer, "{command}");
    }
    assert_eq!(before, ours.states());
    // In maintenance, too, a new weight is shown at once; by 2.6 on the return.
    ours.ask("set server be/moved state maint;set server be/moved weight 3");
    assert_eq!(Stats::parse(&ours.ask("show stat")).cell("be", "moved", "weight"), "3");
}

/// Name and what the agent says. A line that does not end is left out: what HAProxy says of it when the time is up, ours says at
/// once, and both go on with what they knew.
const AGENTS: &[(&str, &str)] = &[
    ("up", "up\n"),
    ("down", "down\n"),
    ("down_why", "down # too warm\n"),
    ("fail", "fail # disk\n"),
    ("stopped", "stopped\r\n"),
    ("maint", "maint\n"),
    ("drain", "drain\n"),
    ("ready", "ready\n"),
    ("up_ready", "up ready\n"),
    ("half", "50%\n"),
    ("zero", "0%\n"),
    ("more", "150%\n"),
    ("too_much", "300%\n"),
    ("limit", "maxconn:7\n"),
    ("no_limit", "maxconn:x\n"),
    ("all", "up,ready,30%,maxconn:9\n"),
    ("last_word", "up down\n"),
    ("maint_down", "maint,down\n"),
    ("nothing", "\n"),
    ("silent", ""),
    ("nonsense", "whatever\n"),
    ("loud", "DOWN\n"),
];

/// First port of the agents.
const FIRST_PORT: u16 = 9300;

fn agents(lab: &Lab, name: &str, program: &Program) -> Vec<String> {
    let host = lab.host(name);
    let mut config = "global\n    stats socket /run/commands.sock level admin\ndefaults\n    mode tcp\n    \
                      timeout connect 500ms\n    timeout client 5s\n    timeout server 5s\n"
        .to_owned();
    for ((agent, says), port) in AGENTS.iter().zip(FIRST_PORT..) {
        config += &format!(
            "backend {agent}\n    server s 127.0.0.1:1 weight 100 agent-check agent-port {port} agent-inter 1s\n"
        );
        let listener = host.run(|| TcpListener::bind(("127.0.0.1", port)).unwrap());
        // It ends with the test program.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream
                    .write_all(says.as_bytes())
                    .and_then(|()| stream.shutdown(std::net::Shutdown::Write));
                let _ = stream.read(&mut [0; 64]);
            }
        });
    }
    let side = Side::start(host, program, &config);
    let columns = ["status", "weight", "slim", "agent_status", "agent_code", "agent_desc", "last_agt"];
    let mut found = vec![String::new(); AGENTS.len()];
    wait_for("every agent", Duration::from_secs(30), || {
        let stats = Stats::parse(&side.ask("show stat"));
        for (found, (agent, _)) in found.iter_mut().zip(AGENTS) {
            let status = stats.cell(agent, "s", "agent_status");
            // One that is asked this moment shows less.
            if !matches!(status, "" | "INI") && !status.starts_with('*') {
                let cells = columns.map(|column| stats.cell(agent, "s", column));
                *found = format!("{agent}: {}", cells.join(" | "));
            }
        }
        found.iter().all(|found| !found.is_empty()).then_some(())
    });
    found
}

#[test]
fn agents_are_obeyed_as_by_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let theirs = agents(&lab, "theirs", &Program::reference("haproxy"));
    let ours = agents(&lab, "ours", &proxy());
    let differing: Vec<String> = theirs
        .iter()
        .zip(&ours)
        .filter(|(theirs, ours)| theirs != ours)
        .map(|(theirs, ours)| format!("HAProxy {theirs}\nours    {ours}"))
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

const ADDED: &str = "\
global
    stats socket /run/commands.sock level admin
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend origin
    bind 127.0.0.1:8003 accept-proxy
    http-request return status 200
backend be
    option httpchk
    balance roundrobin
";

/// Their checks take nothing from what requests are sent with.
#[test]
fn checks_of_added_servers_speak_as_they_are_told() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| {
        let side = Side::start(lab.host(name), program, ADDED);
        let servers = [("told", "check-send-proxy"), ("plain", "")].map(|(server, more)| {
            side.ask(&format!(
                "add server be/{server} 127.0.0.1:8003 send-proxy check inter 100ms rise 1 fall 1 {more};enable health \
                 be/{server};enable server be/{server}"
            ))
        });
        eventually("their checks", Duration::from_secs(20), || {
            let stats = Stats::parse(&side.ask("show stat"));
            let passed = stats.cell("be", "told", "check_status").ends_with("L7OK");
            passed && stats.status("be", "told") == "UP" && stats.status("be", "plain") == "DOWN"
        });
        servers
    });
    assert_eq!(ours, theirs);
}
