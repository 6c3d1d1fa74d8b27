//! Servers continue where another process left them: our state files in HAProxy's hands and HAProxy's in ours.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::lab::{Behaviour, Config, Dns, Host, Lab, Nginx, Part, Program, proxy, wait_for};

const CONFIG: &str = "\
global
    stats socket /run/state.sock level admin
    server-state-base BASE
    server-state-file FILE
defaults
    mode http
    timeout connect 500ms
    timeout client 5s
    timeout server 5s
    load-server-state-from-file global
backend be
    balance roundrobin
    option httpchk GET /
    server weighty 127.0.0.1:8091 check inter 60s weight 10
    server drained 127.0.0.1:8091 check inter 60s weight 20
    server dead 127.0.0.1:8099 check inter 200ms fall 2
    server reborn 127.0.0.1:8091 disabled
    server zero 127.0.0.1:8091 weight 0
    server maint 127.0.0.1:8091
    server follows 127.0.0.1:8091 track be/dead
    server nameless no-such-host.invalid:8091 init-addr last,none
    server unchecked 127.0.0.1:8091 check agent-check agent-port 8095 inter 60s
    server-template t 2 127.0.0.1:8091
backend own
    load-server-state-from-file local
    server-state-file-name FILE
    server x 127.0.0.1:8091 weight 5
backend forgetful
    load-server-state-from-file none
    server y 127.0.0.1:8091 weight 5
listen fe
    bind 127.0.0.1:8001
    default_backend be
";

/// What an operator did before the restart.
const COMMANDS: &str = "\
set server be/weighty weight 5;set server be/drained check-port 8092;set server be/drained state drain;\
set server be/maint state maint;set server be/reborn state ready;set server be/zero weight 7;\
disable health be/unchecked;disable agent be/unchecked;set server be/t1 addr 127.0.0.2 port 99;\
set server own/x weight 3;set server own/x state drain;set server forgetful/y weight 3;\
set server forgetful/y state maint";

/// Columns that say when, or what is being done this moment.
const FLEETING: [usize; 4] = [9, 10, 11, 13];

fn ask(host: &Host, commands: &str) -> String {
    host.tell("/run/state.sock", commands)
}

/// The lines by server, the fleeting columns taken out.
fn states(text: &str) -> BTreeMap<String, Vec<String>> {
    let lines = text.lines().filter(|line| line.split(' ').count() == 25 && !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let lasting = words.iter().enumerate().filter(|(i, _)| !FLEETING.contains(i));
            let mut lasting: Vec<String> = lasting.map(|(_, word)| (*word).to_owned()).collect();
            // Health says nothing where there is no check: a number that was never used.
            if words[13] == "0" || words[13] == "8" {
                lasting[9] = "unused".into();
            }
            (format!("{}/{}", words[1], words[3]), lasting)
        })
        .collect()
}

/// A program that starts with the file of this text, is told `commands`, and what it then says of its servers.
fn run(lab: &Lab, name: &str, program: &Program, file: &str, commands: Option<&str>) -> String {
    let host = lab.host(name);
    host.file("saved", file);
    let text = CONFIG.replace("BASE", &host.dir().display().to_string()).replace("FILE", "saved");
    let _nginx = Nginx::with(&host, 8091, "location / { return 200 'hello\\n'; }");
    let _proxy = host.haproxy(program, &Config::written(&host, "state.cfg", &text));
    wait_for("the checks of the first second", Duration::from_secs(20), || {
        let asked = host.try_sh("echo 'show stat' | socat stdio unix-connect:/run/state.sock");
        let text = String::from_utf8_lossy(&asked.stdout).into_owned();
        let of = |server: &str| text.lines().find(|line| line.starts_with(server)).map(str::to_owned);
        let down = |server: &str| of(server).is_some_and(|line| line.contains("DOWN"));
        (down("be,dead,") && down("be,follows,") && of("be,dead,")?.contains("L4CON")).then_some(())
    });
    if let Some(commands) = commands {
        ask(&host, commands);
    }
    ask(&host, "show servers state")
}

#[test]
fn state_files_of_either_program_are_read_by_the_other() {
    let needs = [Part::Program("nginx"), Part::Program("haproxy"), Part::Program("socat")];
    let Some(lab) = Lab::open(&needs) else { return };
    let (theirs, ours) = (Program::reference("haproxy"), proxy());
    let files = [("theirs", &theirs), ("ours", &ours)]
        .map(|(whose, program)| (whose, run(&lab, &format!("{whose}1"), program, "", Some(COMMANDS))));
    assert_eq!(states(&files[0].1), states(&files[1].1), "after the same commands");
    for (whose, file) in &files {
        let again = [("theirs", &theirs), ("ours", &ours)]
            .map(|(reader, program)| run(&lab, &format!("{whose}-{reader}"), program, file, None));
        let (reference, own) = (states(&again[0]), states(&again[1]));
        assert_eq!(reference, own, "HAProxy and we after reading {whose}");
        let field = |server: &str, at: usize| own[server][at].clone();
        assert_eq!(field("be/weighty", 7), "5", "weight");
        assert_eq!(field("be/drained", 6), "8", "drain");
        assert_eq!(field("be/maint", 6), "1", "maintenance");
        assert_eq!(field("be/dead", 5), "0", "down");
        assert_eq!((field("own/x", 6), field("own/x", 7)), ("8".into(), "3".into()), "its own file");
        assert_eq!((field("forgetful/y", 6), field("forgetful/y", 7)), ("0".into(), "5".into()), "none");
    }
}

/// Files that are none, or half of one: said, and the servers start as configured.
#[test]
fn broken_state_files_change_nothing() {
    let Some(lab) = Lab::open(&[Part::Program("nginx"), Part::Program("socat")]) else { return };
    let configured = states(&run(&lab, "none", &proxy(), "", None));
    let good = "1\n# head\n3 be 1 weighty 127.0.0.1 0 1 5 10 7 15 3 4 6 0 0 0 - 8091 - 0 0 - - 0\n";
    let broken = [
        ("version", good.replacen('1', "7", 1)),
        ("half", good[..good.len() - 9].to_owned()),
        ("bytes", "\u{1}\u{0}\u{fffd}\n\n\n".repeat(300)),
        ("numbers", good.replace("0 1 5 10 7 15", "9 9999 -5 99999999999999999999999 x 77")),
    ];
    for (name, text) in broken {
        assert_eq!(states(&run(&lab, name, &proxy(), &text, None)), configured, "{name}");
    }
    // Of a newer program.
    let told = |name: &str, text: &str| states(&run(&lab, name, &proxy(), text, None));
    let restored = told("good", good);
    assert_ne!(restored, configured);
    assert_eq!(told("long", &good.replace("- - 0\n", "- - 0 more columns\n")), restored);
}

const NAMED: &str = "\
global
    stats socket /run/state.sock level admin
    server-state-base BASE
    server-state-file saved
defaults
    mode http
    timeout connect 500ms
    timeout client 5s
    timeout server 5s
    load-server-state-from-file global
    default-server init-addr last,none resolvers lab resolve-prefer ipv4
resolvers lab
    nameserver one 127.0.0.1:53
    timeout resolve 200ms
    timeout retry 200ms
    hold timeout 60s
    hold other 60s
    hold obsolete 0s
backend names
    server kept kept.lab:8091
    server renamed first.lab:8091
backend services
    server-template s 3 _web._tcp.lab
listen fe
    bind 127.0.0.1:8001
";

/// Starts a program with the file of this text and a nameserver that is there or is not; what it says of its servers
/// when `done` of it holds, after the commands.
fn run_named(
    lab: &Lab,
    name: &str,
    program: &Program,
    (file, behaviour): (&str, Behaviour),
    commands: &str,
    done: &[&str],
) -> String {
    let host = lab.host(name);
    host.file("saved", file);
    let dns = Dns::start(&host, "127.0.0.1:53", behaviour);
    for (name, address) in
        [("kept.lab", "127.0.0.1"), ("first.lab", "127.0.0.2"), ("second.lab", "127.0.0.3")]
    {
        dns.set(name, address);
    }
    for (target, address, port) in [("a.lab", "127.0.0.4", 8001), ("b.lab", "127.0.0.5", 8002)] {
        dns.set(target, address);
        dns.offer("_web._tcp.lab", target, port);
    }
    let text = NAMED.replace("BASE", &host.dir().display().to_string());
    let _proxy = host.haproxy(program, &Config::written(&host, "named.cfg", &text));
    let shows = |parts: &[&str]| {
        wait_for("the servers", Duration::from_secs(20), || {
            let asked = host.try_sh("echo 'show servers state' | socat stdio unix-connect:/run/state.sock");
            let text = String::from_utf8_lossy(&asked.stdout).into_owned();
            let is_there = |part: &&str| text.lines().any(|line| line.contains(part));
            parts.iter().all(is_there).then_some(text)
        })
    };
    if !commands.is_empty() {
        shows(&["kept 127.0.0.1 ", "renamed 127.0.0.2 ", " s1 127.0.0.", " s2 127.0.0."]);
        ask(&host, commands);
    }
    shows(done)
}

#[test]
fn names_and_services_are_found_again_without_a_nameserver() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let (theirs, ours) = (Program::reference("haproxy"), proxy());
    let commands = "set server names/renamed fqdn second.lab";
    let done = ["kept 127.0.0.1 ", "renamed 127.0.0.3 ", " s1 127.0.0.", " s2 127.0.0."];
    let programs = [("theirs", &theirs), ("ours", &ours)];
    for (whose, program) in programs {
        let there = ("", Behaviour::Answers);
        let file = run_named(&lab, &format!("{whose}1"), program, there, commands, &done);
        let gone = (file.as_str(), Behaviour::Silent);
        let [mut reference, mut own] = programs.map(|(reader, program)| {
            let name = format!("{whose}-{reader}");
            states(&run_named(&lab, &name, program, gone, "", &["renamed 127.0.0.", " s1 127.0.0."]))
        });
        // That a name was set by command is a flag (64) that HAProxy shows, and keeps, when something else changes too.
        for states in [&mut reference, &mut own] {
            for words in states.values_mut() {
                words[6] = (words[6].parse::<u32>().unwrap() & !64).to_string();
            }
        }
        assert_eq!(reference, own, "HAProxy and we after reading {whose}");
        let field = |server: &str, at: usize| own[server][at].clone();
        let renamed = if whose == "ours" { "second.lab" } else { "first.lab" };
        assert_eq!(field("names/renamed", 13), renamed);
        let places = ["services/s1", "services/s2"].map(|server| (field(server, 13), field(server, 14)));
        let mut places = places.to_vec();
        places.sort();
        assert_eq!(places, [("a.lab", "8001"), ("b.lab", "8002")].map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(field("services/s3", 13), "-");
    }
}
