//! Which server of a backend in `mode log` a line goes to, beside a HAProxy that has such backends (2.9 and later).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::lab::{Collector, Config, Host, Lab, Part, Process, Program, Syslog, get, proxy, wait_for};

const SOCKET: &str = "/run/lines.sock";

/// Where servers listen: datagrams, and the last two connections.
const PORTS: [u16; 6] = [9001, 9002, 9003, 9004, 9005, 9006];

/// Lines of backends: name, and what it is made of. `U` is a server by datagrams.
const BACKENDS: &[(&str, &str)] = &[
    (
        "turns",
        "balance roundrobin;server one U9001 weight 1;server two U9002 weight 3;server three U9003;server four U9004 backup",
    ),
    (
        "hashed",
        "balance log-hash 'field(2,/)';server one U9001 weight 1;server two U9002 weight 3;server three U9003",
    ),
    (
        "mixed",
        "balance log-hash 'field(2,/),upper';hash-type map-based djb2 avalanche;server one U9001;server two U9002;server three U9003",
    ),
    (
        "same",
        "balance log-hash 'field(3,/)';hash-balance-factor 150;server one U9001;server two U9002;server three U9003",
    ),
    (
        "sticky",
        "balance sticky;server one U9001;server two U9002;server three U9003;server four U9004 backup",
    ),
    (
        "random",
        "balance random;server one U9001 weight 10;server two U9002 weight 90;server three U9003 weight 0",
    ),
    ("streams", "balance roundrobin;server one 127.0.0.1:9005;server two 127.0.0.1:9006 weight 2"),
];

fn config() -> String {
    let mut out =
        format!("global\n    nbthread 1\n    stats socket {SOCKET} level admin\ndefaults\n    mode http\n");
    out += "    timeout connect 5s\n    timeout client 10s\n    timeout server 10s\n";
    for (at, (name, _)) in BACKENDS.iter().enumerate() {
        out += &format!("frontend to-{name}\n    bind 127.0.0.1:{}\n    log-format %HU\n", 8001 + at);
        out += &format!("    log backend@{name} format raw local0\n    http-request return status 200\n");
    }
    for (name, lines) in BACKENDS {
        out += &format!("backend {name}\n    mode log\n");
        lines.split(';').for_each(|line| out += &format!("    {}\n", line.replace(" U", " udp@127.0.0.1:")));
    }
    out
}

/// Which servers HAProxy 3.5 hashes the first lines to.
const PICKS: [(&str, [u16; 20]); 2] = [
    ("hashed", [2, 2, 2, 3, 1, 2, 2, 2, 3, 1, 3, 1, 2, 2, 2, 3, 1, 2, 2, 2]),
    ("mixed", [2, 1, 3, 2, 1, 1, 2, 3, 2, 1, 3, 2, 2, 2, 3, 2, 3, 1, 1, 3]),
];

/// A program, and what came to its servers.
struct Side {
    host: Host,
    datagrams: Vec<(u16, Syslog)>,
    streams: Vec<(u16, Collector)>,
    _proxy: Process,
}

impl Side {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        let (by_datagrams, by_streams) = PORTS.split_at(4);
        let datagrams = by_datagrams
            .iter()
            .map(|port| (*port, Syslog::start(&host, &format!("127.0.0.1:{port}"))))
            .collect();
        let streams = by_streams
            .iter()
            .map(|port| (*port, Collector::start(&host, &format!("127.0.0.1:{port}"))))
            .collect();
        let proxy = host.haproxy(program, &Config::written(&host, "lines.cfg", &config()));
        host.wait_told(SOCKET);
        Self { host, datagrams, streams, _proxy: proxy }
    }

    /// All lines so far, and the port of the server that each came to.
    fn came(&self) -> BTreeMap<String, u16> {
        let by_stream = self.streams.iter().map(|(port, came)| {
            let text = came.text();
            (*port, text.lines().map(str::to_owned).collect())
        });
        let by_datagram = self.datagrams.iter().map(|(port, syslog)| (*port, syslog.messages()));
        by_stream
            .chain(by_datagram)
            .flat_map(|(port, lines): (u16, Vec<String>)| {
                lines.into_iter().map(move |line| (line.trim().to_owned(), port))
            })
            .collect()
    }

    /// Has `times` lines sent to each backend, and says to which ports they went in that order.
    fn send(&self, round: &str, times: usize) -> BTreeMap<&'static str, Vec<u16>> {
        for (at, (name, _)) in BACKENDS.iter().enumerate() {
            for n in 0..times {
                let path = format!("/p{n}/{round}-{name}");
                get(&self.host, &format!("127.0.0.1:{}", 8001 + at), &path).unwrap();
            }
        }
        let last = BACKENDS.len() * times;
        let lines = wait_for("the lines", Duration::from_secs(20), || {
            let lines: BTreeMap<String, u16> =
                self.came().into_iter().filter(|(line, _)| line.contains(&format!("/{round}-"))).collect();
            (lines.len() == last).then_some(lines)
        });
        let of = |name: &str| (0..times).map(|n| lines[&format!("/p{n}/{round}-{name}")]).collect();
        BACKENDS.iter().map(|(name, _)| (*name, of(name))).collect()
    }

    fn tell(&self, commands: &str) -> String {
        self.host.tell(SOCKET, commands)
    }
}

/// What both programs are told between two rounds of lines.
const CHANGES: &[(&str, &str)] = &[
    (
        "weights",
        "set server turns/two weight 0;set server turns/one weight 5;set server hashed/two weight 0;set server hashed/one weight \
         7;set server sticky/one weight 0;set server mixed/two weight 0%",
    ),
    (
        "gone",
        "set server turns/three state maint;set server hashed/one state maint;set server sticky/two state maint",
    ),
    (
        "back",
        "set server turns/three state ready;set server hashed/one state ready;set server sticky/two state ready;set server \
         sticky/one weight 1",
    ),
    (
        "backups",
        "set server turns/one state maint;set server turns/two state maint;set server turns/three state maint;set server \
         sticky/one state maint;set server sticky/two state maint;set server sticky/three state maint",
    ),
];

/// Rounds of lines with changes in between; where the lines went, and what was answered.
fn watch(lab: &Lab, name: &str, program: &Program) -> Vec<(String, BTreeMap<&'static str, Vec<u16>>)> {
    let side = Side::start(lab, name, program);
    let keyless = BACKENDS.iter().position(|(name, _)| *name == "hashed").unwrap();
    get(&side.host, &format!("127.0.0.1:{}", 8001 + keyless), "/").unwrap();
    let mut seen = vec![(String::new(), side.send("first", 20))];
    for (round, commands) in CHANGES {
        let said = side.tell(commands);
        seen.push((said, side.send(round, 12)));
    }
    // An empty key is one, too.
    assert_eq!(side.came().get("/"), Some(&9001), "{name}");
    seen
}

#[test]
fn lines_go_to_the_servers_that_the_algorithm_names() {
    let Some(lab) = Lab::open(&[Part::Program("socat")]) else { return };
    let ours = watch(&lab, "ours", &proxy());
    let first = &ours[0].1;
    // By weight, evenly: of five lines in a row three go to the server of weight 3.
    for five in first["turns"].chunks(5) {
        let of = |port: u16| five.iter().filter(|p| **p == port).count();
        assert_eq!([of(9001), of(9002), of(9003)], [1, 3, 1], "{five:?}");
    }
    for (name, picks) in PICKS {
        assert_eq!(first[name].iter().map(|port| port - 9000).collect::<Vec<_>>(), picks, "{name}");
    }
    assert!(first["sticky"].iter().all(|port| *port == 9001));
    let heavy = first["random"].iter().filter(|port| **port == 9002).count();
    assert!(heavy > 10 && !first["random"].contains(&9003), "{first:?}");
    let [_, weights, gone, back, backups] = &ours[..] else { panic!("rounds") };
    assert!(
        weights.1["turns"].iter().all(|port| *port != 9002) && weights.1["hashed"].iter().all(|p| *p != 9002)
    );
    assert!(weights.1["sticky"].iter().all(|port| *port == 9002));
    assert!(
        gone.1["sticky"].iter().chain(&back.1["sticky"]).all(|port| *port == 9003),
        "who is back stands last"
    );
    assert!(backups.1["turns"].iter().chain(&backups.1["sticky"]).all(|port| *port == 9004));

    let reference = Program::reference_haproxy();
    let host = lab.host("judge");
    let file = Config::written(&host, "lines.cfg", &config());
    if !reference.takes(&host, &file) {
        println!("not compared: this HAProxy has no such backends (TANDEM_REFERENCE_HAPROXY names another)");
        return;
    }
    let theirs = watch(&lab, "theirs", &reference);
    let without_chance = |rounds: Vec<(String, BTreeMap<&'static str, Vec<u16>>)>| -> Vec<_> {
        rounds
            .into_iter()
            .map(|(said, mut went)| {
                went.remove("random");
                // Where a server that comes back enters the round is not said anywhere.
                went.get_mut("turns").unwrap().sort_unstable();
                (said, went)
            })
            .collect()
    };
    assert_eq!(without_chance(ours), without_chance(theirs));
}
