//! Names beside HAProxy's: both programs follow the same name servers through the same changes and come to the same servers.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::lab::{Behaviour, Config, Dns, Host, Lab, Part, Process, Program, get, proxy, wait_for};

const CONFIG: &str = "\
global
    stats socket /run/names.sock level admin
defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s
resolvers lab
    nameserver good 127.0.0.1:53
    nameserver stream tcp@127.0.0.1:53
    nameserver dead 127.0.0.1:54
    accepted_payload_size 1400
    resolve_retries 2
    timeout resolve 200ms
    timeout retry 200ms
    hold valid 100ms
    hold nx 1s
    hold refused 30s
    hold timeout 30s
    hold other 30s
    hold obsolete 500ms
resolvers mute
    nameserver dead 127.0.0.1:54
    timeout resolve 200ms
    timeout retry 200ms
    hold timeout 10m
frontend fe
    bind 127.0.0.1:8001
    http-request do-resolve(txn.four,lab,ipv4) str(both.lab)
    http-request do-resolve(txn.six,lab,ipv6) str(both.lab)
    http-request do-resolve(txn.none,lab) str(nobody.lab)
    http-request return status 200 hdr x-four %[var(txn.four)] hdr x-six %[var(txn.six)] hdr x-none <%[var(txn.none)]>
backend one
    server s one.lab:8001 resolvers lab init-addr none
backend group
    server-template g 4 group.lab:8002 resolvers lab init-addr none resolve-prefer ipv4
backend same
    server-template d 2 one.lab:8003 resolvers lab init-addr none resolve-opts allow-dup-ip
backend service
    server-template v 4 _web._tcp.lab resolvers lab init-addr none resolve-prefer ipv4
backend plain
    server-template w 3 _web._tcp.lab resolvers lab init-addr none resolve-opts ignore-weight
backend six
    server s both.lab:80 resolvers lab init-addr none resolve-prefer ipv6
backend four
    server s both.lab:80 resolvers lab init-addr none resolve-prefer ipv4
backend net
    server s nets.lab:80 resolvers lab init-addr none resolve-prefer ipv4 resolve-net 10.2.0.0/16
backend last
    server s nobody.lab:80 resolvers mute init-addr last,libc,192.0.2.7
backend fixed
    default-server resolvers mute init-addr 192.0.2.8
    server s nobody.lab:81
";

/// A program with a machine and name servers of its own.
struct Side {
    dns: Dns,
    _dead: Dns,
    _proxy: Process,
    host: Host,
}

/// Backend to its servers: address, port, weight, and the reason for maintenance, in order of addresses.
type Servers = BTreeMap<String, Vec<String>>;

impl Side {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        let dns = Dns::start(&host, "127.0.0.1:53", Behaviour::Answers);
        let dead = Dns::start(&host, "127.0.0.1:54", Behaviour::Silent);
        dns.set("one.lab", "10.1.0.1");
        dns.set_all("group.lab", &["10.1.1.1", "10.1.1.2", "10.1.1.3"]);
        dns.set_all("both.lab", &["10.1.2.1", "fd00::1"]);
        dns.set_all("nets.lab", &["10.1.3.1", "10.2.3.1", "10.3.3.1"]);
        for (target, address, port, weight) in [
            ("a.lab", "10.1.4.1", 81, 256),
            ("b.lab", "10.1.4.2", 82, 51_200),
            ("c.lab", "10.1.4.3", 83, 65_535),
        ] {
            dns.set(target, address);
            dns.offer_weighed("_web._tcp.lab", target, port, weight);
        }
        let proxy = host.haproxy(program, &Config::written(&host, "names.cfg", CONFIG));
        Self { dns, _dead: dead, _proxy: proxy, host }
    }

    fn ask(&self, command: &str) -> String {
        let asked = self.host.try_sh(&format!("echo '{command}' | socat stdio /run/names.sock"));
        String::from_utf8_lossy(&asked.stdout).into_owned()
    }

    /// Which server is where.
    fn places(&self) -> BTreeMap<(String, String), String> {
        let text = self.ask("show servers state");
        let rows =
            text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()) && line.len() > 2);
        rows.map(|row| {
            let cells: Vec<&str> = row.split(' ').collect();
            // Administrative state 32: no address. Which server has none is up to the program.
            let place = format!("{}:{} weight={} admin={}", cells[4], cells[18], cells[8], cells[6]);
            ((cells[1].to_owned(), cells[3].to_owned()), place)
        })
        .collect()
    }

    fn servers(&self) -> Servers {
        let mut out = Servers::new();
        for ((backend, _), place) in self.places() {
            // One without an address keeps the port and the weight it had.
            let place = if place.ends_with("admin=32") || place.ends_with("admin=96") {
                "no address".to_owned()
            } else {
                place
            };
            out.entry(backend).or_default().push(place);
        }
        out.values_mut().for_each(|places| places.sort_unstable());
        out
    }
}

/// Waits until a backend of both is at these addresses, then compares all of both.
fn settle(sides: &[Side; 2], when: &str, backend: &str, addresses: &[&str]) {
    let is_there = |servers: &Servers| {
        let found: Vec<&str> =
            servers[backend].iter().map(|s| s.split(':').next().unwrap_or_default()).collect();
        found == addresses
    };
    let mut seen = None;
    let alike = wait_for_some(|| {
        let [theirs, ours] = sides.each_ref().map(Side::servers);
        let done = !theirs.is_empty() && is_there(&theirs) && theirs == ours;
        seen = Some((theirs, ours));
        done
    });
    let (theirs, ours) = seen.unwrap();
    assert!(alike, "{when}:\ntheirs {theirs:#?}\nours {ours:#?}");
}

fn wait_for_some(mut holds: impl FnMut() -> bool) -> bool {
    (0..150).any(|_| {
        holds() || {
            std::thread::sleep(Duration::from_millis(100));
            false
        }
    })
}

#[test]
fn names_are_followed_as_by_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let sides =
        [Side::start(&lab, "theirs", &Program::reference("haproxy")), Side::start(&lab, "ours", &proxy())];
    let [theirs, ours] = &sides;
    let each = |change: &dyn Fn(&Dns)| sides.iter().for_each(|side| change(&side.dns));
    let three = ["10.1.1.1", "10.1.1.2", "10.1.1.3", "no address"];
    settle(&sides, "at first", "group", &three);
    settle(&sides, "services", "service", &["10.1.4.1", "10.1.4.2", "10.1.4.3", "no address"]);
    for (backend, addresses) in [
        ("one", &["10.1.0.1"][..]),
        ("same", &["10.1.0.1", "10.1.0.1"]),
        ("four", &["10.1.2.1"]),
        ("six", &["fd00"]),
        ("net", &["10.2.3.1"]),
    ] {
        settle(&sides, backend, backend, addresses);
    }
    let servers = ours.servers();
    assert_eq!(servers["six"], ["fd00::1:80 weight=1 admin=0"]);
    assert_eq!(servers["net"], ["10.2.3.1:80 weight=1 admin=0"]);
    assert_eq!(servers["last"], ["192.0.2.7:80 weight=1 admin=0"]);
    assert_eq!(servers["same"].len(), 2);
    // What an answer may weigh was asked for.
    assert_eq!((theirs.dns.payload(), ours.dns.payload()), (1400, 1400));

    // In another order each time, and one name server dead all the time: nobody moves.
    each(&|dns| dns.behave(Behaviour::Reorders));
    let before = ours.places();
    let asked = ours.dns.questions();
    wait_for("many answers", Duration::from_secs(20), || (ours.dns.questions() > asked + 150).then_some(()));
    assert_eq!(before, ours.places(), "reordered");

    // Lies, and nothing else, for longer than answers are good for.
    each(&|dns| dns.behave(Behaviour::Lies));
    let asked = ours.dns.questions();
    wait_for("many lies", Duration::from_secs(20), || (ours.dns.questions() > asked + 60).then_some(()));
    assert_eq!(before, ours.places(), "lied to");
    for behaviour in [Behaviour::Truncates, Behaviour::Refuses] {
        each(&|dns| dns.behave(behaviour));
        let asked = ours.dns.questions();
        wait_for("refusals", Duration::from_secs(20), || (ours.dns.questions() > asked + 40).then_some(()));
        assert_eq!(before, ours.places(), "{behaviour:?}");
    }
    each(&|dns| dns.behave(Behaviour::Answers));

    // A group grows and shrinks; a server moves; a service loses two places.
    each(&|dns| dns.set_all("group.lab", &["10.1.1.1", "10.1.1.2", "10.1.1.3", "10.1.1.4"]));
    settle(&sides, "grown", "group", &["10.1.1.1", "10.1.1.2", "10.1.1.3", "10.1.1.4"]);
    each(&|dns| dns.set_all("group.lab", &["10.1.1.2"]));
    settle(&sides, "shrunk", "group", &["10.1.1.2", "no address", "no address", "no address"]);
    each(&|dns| dns.set("one.lab", "10.1.0.9"));
    settle(&sides, "moved", "same", &["10.1.0.9", "10.1.0.9"]);
    each(&|dns| {
        dns.close("_web._tcp.lab");
        dns.offer_weighed("_web._tcp.lab", "b.lab", 84, 300);
    });
    settle(&sides, "fewer places", "service", &["10.1.4.2", "no address", "no address", "no address"]);

    // Rules ask themselves.
    for side in &sides {
        let answer = get(&side.host, "127.0.0.1:8001", "/").unwrap();
        let found =
            ["x-four", "x-six", "x-none"].map(|name| answer.header(name).unwrap_or_default().to_owned());
        assert_eq!(found, ["10.1.2.1", "fd00::1", "<>"]);
    }
    // No such names, for longer than that is put up with; and again.
    each(&|dns| dns.behave(Behaviour::Denies));
    settle(&sides, "denied", "six", &["no address"]);
    each(&|dns| dns.behave(Behaviour::Answers));
    settle(&sides, "back", "six", &["fd00"]);

    // Who was asked and what came, in the same form; the dead one gave no answer at all.
    let [a, b] = [theirs, ours].map(|side| side.ask("show resolvers lab"));
    let form = |text: &str| {
        text.lines().map(|l| l.split_once(':').map_or(l, |p| p.0).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(form(&a), form(&b));
    for text in [&a, &b] {
        let of = |server: &str, counter: &str| -> u64 {
            let part = text.split_once(&format!("nameserver {server}:")).expect("the name server").1;
            let line = part.lines().find(|line| line.trim_start().starts_with(&format!("{counter}:")));
            line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
                .unwrap_or_else(|| panic!("{counter}: {text}"))
        };
        for counter in ["sent", "valid", "update", "nx", "refused"] {
            assert!(of("good", counter) > 0, "{counter}: {text}");
        }
        assert!(of("stream", "valid") + of("stream", "outdated") > 0, "{text}");
        assert!(of("dead", "sent") > 0 && of("dead", "valid") == 0, "{text}");
    }
}
