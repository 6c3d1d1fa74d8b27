//! When checks run, and what a server is taken for before its first ones and when it comes back, beside HAProxy:
//! `spread-checks`, `max-spread-checks`, `slowstart`, `init-state`.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::lab::{Config, Host, Lab, Part, Process, Program, beside, eventually, proxy, show_stat, wait_for};

const SOCKET: &str = "/run/times.sock";

/// Servers of a backend.
const COUNT: usize = 10;

/// Port of the first one.
const FIRST_PORT: u16 = 9600;

fn config(global: &str, server: &str) -> String {
    let mut out = format!("global\n    stats socket {SOCKET} level admin\n    {global}\ndefaults\n");
    out += "    timeout connect 10s\n    timeout client 10s\n    timeout server 10s\nbackend be\n";
    // Nobody hears of a connection on which nothing is said: it is reset before it is complete.
    out += "    option tcp-check\n    tcp-check connect\n    tcp-check send x\n";
    for at in 0..COUNT {
        out += &format!("    server s{at} 127.0.0.1:{} check {server}\n", usize::from(FIRST_PORT) + at);
    }
    out
}

/// A program that checks servers, and when each of them was.
struct Checked {
    _proxy: Process,
    _host: Host,
    came: [Arc<Mutex<Vec<Instant>>>; COUNT],
}

impl Checked {
    fn start(lab: &Lab, name: &str, program: &Program, config: &str) -> Self {
        let host = lab.host(name);
        let came = std::array::from_fn(|at| {
            let port = FIRST_PORT + at as u16;
            let listener = host.run(|| TcpListener::bind(("127.0.0.1", port)).unwrap());
            let came: Arc<Mutex<Vec<Instant>>> = Arc::default();
            let told = Arc::clone(&came);
            // It ends with the test program.
            std::thread::spawn(move || {
                listener.incoming().for_each(|_| told.lock().unwrap().push(Instant::now()))
            });
            came
        });
        let proxy = host.haproxy(program, &Config::written(&host, "times.cfg", config));
        Self { _proxy: proxy, _host: host, came }
    }

    /// Waits until each server was checked so often.
    fn wait(&self, times: usize) -> Vec<Vec<Instant>> {
        wait_for("the checks", Duration::from_secs(90), || {
            self.came.iter().all(|came| came.lock().unwrap().len() >= times).then_some(())
        });
        self.came.iter().map(|came| came.lock().unwrap().clone()).collect()
    }
}

/// Of the times between checks, how many are shorter than nine tenths of `inter`, and how many than four tenths, in percent.
fn shorter(seen: &[Vec<Instant>], inter: Duration) -> [usize; 2] {
    let between: Vec<Duration> =
        seen.iter().flat_map(|came| came.windows(2).map(|pair| pair[1] - pair[0])).collect();
    [9, 4].map(|tenths| {
        100 * between.iter().filter(|time| **time < inter * tenths / 10).count() / between.len()
    })
}

#[test]
fn intervals_are_spread_as_by_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let inter = Duration::from_millis(700);
    for (global, name, spread) in [("spread-checks 50", "spread", true), ("maxconn 100", "plain", false)] {
        let (ours, theirs) = beside(&proxy(), "haproxy", |side, program| {
            let config = config(global, "inter 700ms");
            let checked = Checked::start(&lab, &format!("{side}-{name}"), program, &config);
            shorter(&checked.wait(11), inter)
        });
        for (who, [early, much_earlier]) in [("theirs", theirs), ("ours", ours)] {
            // From a half to one and a half, all alike often: two of five are shorter than nine tenths. A machine that is
            // busy makes some of the others shorter, whose check before came late.
            assert_eq!(early >= 20, spread, "{who}, {global}: {early} %");
            assert!(much_earlier <= 10, "{who}, {global}: {much_earlier} %");
        }
    }
}

#[test]
fn first_checks_come_within_the_time_that_haproxy_takes() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    // From the first to the last of ten servers, nine tenths of the time that they are spread over.
    for (global, name, long) in [("maxconn 100", "plain", true), ("max-spread-checks 500ms", "soon", false)] {
        let (ours, theirs) = beside(&proxy(), "haproxy", |side, program| {
            let config = config(global, "inter 10s");
            let checked = Checked::start(&lab, &format!("{side}-{name}"), program, &config);
            let first: Vec<Instant> = checked.wait(1).into_iter().map(|came| came[0]).collect();
            first.iter().max().unwrap().saturating_duration_since(*first.iter().min().unwrap())
        });
        for (who, span) in [("theirs", theirs), ("ours", ours)] {
            assert_eq!(span > Duration::from_secs(6), long, "{who}, {global}: {span:?}");
        }
    }
}

/// Two backends whose servers come back slowly, one that follows another, and one whose algorithm knows no such thing.
const SLOW: &str = "\
global
    stats socket SOCKET level admin
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
    default-server check inter 100ms rise 1 fall 1 weight 100
backend slow
    balance roundrobin
    server s 127.0.0.1:9600 slowstart 4s maxconn 40 minconn 20
    server t 127.0.0.1:9601 slowstart 4s weight 10
    server u 127.0.0.1:9602
backend least
    balance leastconn
    server s 127.0.0.1:9600 slowstart 4s
backend fixed
    balance static-rr
    server s 127.0.0.1:9600 slowstart 4s
";

/// What a server weighed, one after the other, from its return until it weighs all it does.
fn weights(host: &Host, proxy: &str, server: &str) -> Vec<u64> {
    let mut seen = Vec::new();
    wait_for("the full weight", Duration::from_secs(60), || {
        let stat = show_stat(host, SOCKET);
        if !stat.status(proxy, server).starts_with("UP") {
            return None;
        }
        let (now, full) = (stat.number(proxy, server, "weight"), stat.number(proxy, server, "uweight"));
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        (now == full).then_some(())
    });
    seen
}

#[test]
fn servers_come_back_as_slowly_as_with_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| {
        let host = lab.host(name);
        let bind = |port: u16| host.run(|| TcpListener::bind(("127.0.0.1", port)).unwrap());
        let listeners: Vec<TcpListener> = (9601..9603).map(bind).collect();
        let _proxy =
            host.haproxy(program, &Config::written(&host, "slow.cfg", &SLOW.replace("SOCKET", SOCKET)));
        host.wait_told(SOCKET);
        let is = |proxy: &str, server: &str, status: &str| {
            eventually(&format!("{proxy}/{server} {status}"), Duration::from_secs(20), || {
                show_stat(&host, SOCKET).status(proxy, server).starts_with(status)
            });
        };
        // Who is up from the start has nothing to warm up.
        is("slow", "s", "DOWN");
        is("fixed", "s", "DOWN");
        is("least", "s", "DOWN");
        let at_start = show_stat(&host, SOCKET).number("slow", "t", "weight");
        let _late = bind(9600);
        let by_check = std::thread::scope(|scope| {
            let watch = |proxy: &'static str| scope.spawn(|| weights(&host, proxy, "s"));
            ["slow", "least", "fixed"].map(watch).map(|thread| thread.join().unwrap())
        });
        // By a command as well.
        host.tell(SOCKET, "set server slow/t state maint");
        is("slow", "t", "MAINT");
        host.tell(SOCKET, "set server slow/t state ready");
        let by_command = weights(&host, "slow", "t");
        drop(listeners);
        (at_start, by_check, by_command)
    });
    let expected: [&[u64]; 3] = [&[7, 32, 57, 82, 100], &[7, 32, 57, 82, 100], &[100]];
    for (who, (at_start, by_check, by_command)) in [("theirs", theirs), ("ours", ours)] {
        assert_eq!(at_start, 10, "{who}");
        println!("{who}: {by_check:?} {by_command:?}");
        for (seen, expected) in by_check.iter().zip(expected) {
            let (seen, expected) = (BTreeSet::from_iter(seen), BTreeSet::from_iter(expected));
            assert!(seen.is_subset(&expected) && seen.len() >= expected.len().min(4), "{who}: {seen:?}");
        }
        assert!(by_check.iter().chain([&by_command]).all(|seen| seen.is_sorted()), "{who}");
        assert!(by_command.len() >= 4, "{who}: {by_command:?}");
    }
}

const INIT: &str = "\
global
    stats socket SOCKET level admin
    log stdout format raw local0
defaults
    mode http
    log global
    option log-health-checks
    timeout connect 5s
    timeout client 10s
    timeout server 10s
    default-server inter 100ms rise 3 fall 2
";

/// Where checks pass, and where they fail: what health they tell of in the log.
type Told = [&'static [&'static str]; 2];

/// What each value says of a server: up or not before its first check, what the first checks then come to, and the first ones after
/// maintenance. A state that is known already is told only when the health changed.
const STATES: [(&str, &str, Told, Told); 5] = [
    ("none", "UP", [&["2/2 UP"], &["0/3 DOWN"]], [&["2/2 UP"], &["0/3 DOWN"]]),
    ("up", "UP", [&["2/2 UP"], &["0/3 DOWN"]], [&["2/2 UP"], &["0/3 DOWN"]]),
    ("fully-up", "UP", [&["2/2 UP"], &["1/2 UP", "0/3 DOWN"]], [&[], &["1/2 UP", "0/3 DOWN"]]),
    ("down", "DOWN", [&["2/2 UP"], &["0/3 DOWN"]], [&["2/2 UP"], &["0/3 DOWN"]]),
    (
        "fully-down",
        "DOWN",
        [&["1/3 DOWN", "2/3 DOWN", "2/2 UP"], &["0/3 DOWN"]],
        [&["1/3 DOWN", "2/3 DOWN", "2/2 UP"], &[]],
    ),
];

/// The states that the log tells of a server's checks, in order.
fn checks_of<'l>(lines: &'l [String], server: &str) -> Vec<&'l str> {
    let of_server = format!("Health check for server {server} ");
    let status = |line: &'l String| Some(line.split_once("status: ")?.1.trim_end_matches('.'));
    // What was said before the process went to work is on the console as well.
    let logged = lines.iter().filter(|line| line.starts_with(&of_server));
    logged.filter_map(status).collect()
}

#[test]
fn servers_are_taken_for_what_init_state_says() {
    let Some(lab) = Lab::open(&[Part::Program("socat")]) else { return };
    let host = lab.host("ours");
    let mut config = INIT.replace("SOCKET", SOCKET);
    for (backend, server) in
        [("up", "127.0.0.1:9600 check"), ("gone", "127.0.0.1:9601 check"), ("plain", "127.0.0.1:9600")]
    {
        config += &format!("backend {backend}\n");
        for (state, ..) in STATES {
            config += &format!("    server {state} {server} init-state {state}\n");
        }
    }
    let _listener = host.run(|| TcpListener::bind(("127.0.0.1", 9600)).unwrap());
    let proxy = host.haproxy(&proxy(), &Config::written(&host, "init.cfg", &config));
    host.wait_told(SOCKET);
    let all = |command: &str| {
        let named = |backend: &str| {
            STATES.map(|(state, ..)| command.replace("SERVER", &format!("{backend}/{state}"))).join(";")
        };
        host.tell(SOCKET, &["up", "gone", "plain"].map(named).join(";"))
    };
    let mut told = 0;
    for when in ["at the start", "after maintenance", "with checks enabled again"] {
        let expected = |state: &str, first: Told, later: Told| match when {
            "at the start" => first,
            "after maintenance" => later,
            _ if state == "none" => [&[][..], &[]],
            _ => later,
        };
        let mut lines = Vec::new();
        wait_for(when, Duration::from_secs(20), || {
            lines = proxy.log().split_off(told);
            let is_told = |(state, _, first, later): &(&str, &str, Told, Told)| {
                let told =
                    ["up", "gone"].map(|backend| checks_of(&lines, &format!("{backend}/{state}")).len());
                told.iter().zip(expected(state, *first, *later)).all(|(told, all)| *told >= all.len())
            };
            STATES.iter().all(is_told).then_some(())
        });
        for (state, begins, first, later) in STATES {
            let seen = ["up", "gone"].map(|backend| checks_of(&lines, &format!("{backend}/{state}")));
            assert_eq!(seen, expected(state, first, later), "{state} {when}");
            // Nobody's checks make it better.
            let unchecked = show_stat(&host, SOCKET).status("plain", state).to_owned();
            assert_eq!(unchecked.starts_with("DOWN"), begins == "DOWN", "plain/{state} {when}: {unchecked}");
            for backend in ["up", "gone", "plain"].iter().filter(|_| when == "after maintenance") {
                let line = format!("Server {backend}/{state} is {begins}/READY (leaving forced maintenance)");
                assert!(lines.iter().any(|told| told.starts_with(&line)), "{line}: {lines:#?}");
            }
        }
        told = proxy.log().len();
        if when == "at the start" {
            all("set server SERVER state maint;set server SERVER state ready");
        } else {
            all("disable health SERVER;enable health SERVER");
        }
    }
}
