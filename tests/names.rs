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
backend apart
    default-server resolvers lab init-addr none
    server-template d 2 one.lab:8004 resolve-opts prevent-dup-ip
backend apart-again
    default-server resolvers lab init-addr none resolve-opts allow-dup-ip
    server-template d 2 one.lab:8005 resolve-opts prevent-dup-ip
    server-template e 2 one.lab:8006
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
        let asked = self.host.try_sh(&format!("echo '{command}' | socat stdio unix-connect:/run/names.sock"));
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
    (0..400).any(|_| {
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
        ("apart", &["10.1.0.1", "no address"]),
        ("apart-again", &["10.1.0.1", "10.1.0.1", "10.1.0.1", "no address"]),
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

/// What each `hold` is for: the name server's behaviour, and its port.
const HOLDS: [(&str, Behaviour, u16); 5] = [
    ("nx", Behaviour::Denies, 61),
    ("refused", Behaviour::Refuses, 62),
    ("timeout", Behaviour::Silent, 63),
    ("other", Behaviour::Truncates, 64),
    ("obsolete", Behaviour::Answers, 65),
];

/// For each a section in which it alone is short, and one in which it alone is long.
fn held() -> String {
    let mut out =
        "global\n    stats socket /run/names.sock level admin\ndefaults\n    timeout connect 1s\n".to_owned();
    out += "    timeout client 10s\n    timeout server 10s\n";
    for (kind, _, port) in HOLDS {
        for (section, this, others) in [("short", "1s", "1h"), ("long", "1h", "1s")] {
            let name = format!("{section}-{kind}");
            out += &format!("resolvers {name}\n    nameserver ns 127.0.0.1:{port}\n    resolve_retries 1\n");
            out += "    timeout resolve 200ms\n    timeout retry 200ms\n";
            for (other, ..) in HOLDS {
                out += &format!("    hold {other} {}\n", if other == kind { this } else { others });
            }
            out += &format!(
                "backend {name}\n    server-template s 2 held.lab:80 resolvers {name} init-addr none"
            );
            out += " resolve-prefer ipv4\n";
        }
    }
    out
}

/// A server keeps its address for as long as the `hold` of just this trouble says.
#[test]
fn addresses_are_held_as_long_as_by_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let sides = [("theirs", Program::reference("haproxy")), ("ours", proxy())].map(|(name, program)| {
        let host = lab.host(name);
        let servers = HOLDS.map(|(_, _, port)| {
            let dns = Dns::start(&host, &format!("127.0.0.1:{port}"), Behaviour::Answers);
            dns.set_all("held.lab", &["10.1.0.1", "10.1.0.2"]);
            dns
        });
        let running = host.haproxy(&program, &Config::written(&host, "names.cfg", &held()));
        (host, servers, running)
    });
    let addresses = |host: &Host| -> Servers {
        let asked =
            host.try_sh("echo 'show servers state' | socat stdio unix-connect:/run/names.sock").stdout;
        let mut out = Servers::new();
        for row in String::from_utf8_lossy(&asked).lines().filter(|row| row.contains(" s")) {
            let cells: Vec<&str> = row.split(' ').collect();
            if let [_, backend, _, _, address, ..] = cells[..] {
                out.entry(backend.to_owned()).or_default().push(address.to_owned());
            }
        }
        out.values_mut().for_each(|all| all.sort_unstable());
        out
    };
    let come_to = |what: &str, expected: &dyn Fn(&str, &str) -> [&'static str; 2]| {
        let mut wrong = Vec::new();
        let done = wait_for_some(|| {
            wrong.clear();
            for (host, ..) in &sides {
                let seen = addresses(host);
                for (kind, ..) in HOLDS {
                    for section in ["short", "long"] {
                        let name = format!("{section}-{kind}");
                        let (want, has) =
                            (expected(section, kind), seen.get(&name).cloned().unwrap_or_default());
                        if has != want {
                            wrong.push(format!("{}: {name}: {has:?} instead of {want:?}", host.name()));
                        }
                    }
                }
            }
            wrong.is_empty()
        });
        assert!(done, "{what}: {wrong:#?}");
    };
    come_to("resolved", &|_, _| ["10.1.0.1", "10.1.0.2"]);
    for (_, servers, _) in &sides {
        for (dns, (_, behaviour, _)) in servers.iter().zip(HOLDS) {
            dns.behave(behaviour);
        }
        servers[4].set("held.lab", "10.1.0.1");
    }
    let after = |section: &str, kind: &str| match (section, kind) {
        ("long", _) => ["10.1.0.1", "10.1.0.2"],
        (_, "obsolete") => ["-", "10.1.0.1"],
        _ => ["-", "-"],
    };
    come_to("held", &after);
    // And however often they ask.
    for (_, servers, _) in &sides {
        let asked: Vec<usize> = servers.iter().map(Dns::questions).collect();
        wait_for("more questions", Duration::from_secs(20), || {
            servers.iter().zip(&asked).all(|(dns, before)| dns.questions() > before + 10).then_some(())
        });
    }
    come_to("held on", &after);
}

/// `parse-resolv-conf`, and the section that is there without being written.
#[test]
fn the_name_servers_of_the_system_are_haproxys() {
    let system = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    if !system.lines().any(|line| line.starts_with("nameserver")) {
        println!("skipped: this machine knows no name servers");
        return;
    }
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let config = "global\n    stats socket /run/names.sock level admin\ndefaults\n    timeout connect 1s\n    timeout client 1s\n    \
                  timeout server 1s\nresolvers mine\n    parse-resolv-conf\nbackend b\n    \
                  server s x.lab:80 resolvers default init-addr none\n";
    let known = [("theirs", Program::reference("haproxy")), ("ours", proxy())].map(|(name, program)| {
        let host = lab.host(name);
        let running = host.haproxy(&program, &Config::written(&host, "names.cfg", config));
        let asked = wait_for("an answer", Duration::from_secs(10), || {
            let asked =
                host.try_sh("echo 'show resolvers' | socat stdio unix-connect:/run/names.sock").stdout;
            (!asked.is_empty()).then_some(asked)
        });
        drop(running);
        let text = String::from_utf8_lossy(&asked).into_owned();
        text.lines()
            .filter(|line| line.contains("section") || line.contains("nameserver"))
            .map(str::to_owned)
            .collect()
    });
    let [theirs, ours]: [Vec<String>; 2] = known;
    assert_eq!(theirs, ours);
    assert!(ours.contains(&"Resolvers section default".to_owned()), "{ours:?}");
}

/// `dns-accept-family` and `-4`, which Debian's HAProxy does not have yet: what HAProxy 3.5 was seen to do.
#[test]
fn one_family_can_be_enough() {
    let Some(lab) = Lab::open(&[]) else { return };
    let config = |accepted: &str| {
        format!(
            "global\n{accepted}defaults\n    mode http\n    timeout connect 1s\n    timeout client 10s\n    timeout server \
             10s\nresolvers lab\n    nameserver good 127.0.0.1:53\n    hold valid 100ms\nfrontend fe\n    bind \
             127.0.0.1:8001\n    http-request do-resolve(txn.four,lab,ipv4) str(both.lab)\n    http-request \
             do-resolve(txn.six,lab,ipv6) str(both.lab)\n    http-request return status 200 hdr x-four %[var(txn.four)] hdr \
             x-six %[var(txn.six)]\n"
        )
    };
    let cases = [
        ("    dns-accept-family ipv4,ipv6\n", false, ["10.1.2.1", "fd00::1"]),
        ("    dns-accept-family ipv4\n", false, ["10.1.2.1", "10.1.2.1"]),
        ("    dns-accept-family ipv6\n", false, ["fd00::1", "fd00::1"]),
        // There is no way out of the host's network.
        ("    dns-accept-family auto\n", false, ["10.1.2.1", "10.1.2.1"]),
        ("    dns-accept-family ipv6\n", true, ["10.1.2.1", "10.1.2.1"]),
    ];
    for (at, (accepted, only_ipv4, wanted)) in cases.into_iter().enumerate() {
        let host = lab.host(&format!("family{at}"));
        let dns = Dns::start(&host, "127.0.0.1:53", Behaviour::Answers);
        dns.set_all("both.lab", &["10.1.2.1", "fd00::1"]);
        let file = Config::written(&host, "family.cfg", &config(accepted));
        let mut command = proxy().command();
        command.arg("-f").arg(file.path());
        if only_ipv4 {
            command.arg("-4");
        }
        let _proxy = host.spawn(command);
        let answer =
            wait_for("an answer", Duration::from_secs(20), || get(&host, "127.0.0.1:8001", "/").ok());
        let found = ["x-four", "x-six"].map(|name| answer.header(name).unwrap_or_default().to_owned());
        assert_eq!(found, wanted, "{accepted:?} {only_ipv4}");
    }
}
