//! What is told of a connection to a server, of rules, and of patterns that were added while running.

use crate::lab::{Config, Connection, Host, Lab, Part, Process, proxy};

const SOCKET: &str = "/run/told.sock";

const CONFIG: &str = "\
global
    stats socket /run/told.sock level admin
defaults
    mode http
    retries 0
    timeout connect 2s
    timeout client 5s
    timeout server 5s
frontend told
    bind 127.0.0.1:8001
    http-after-response set-header x-told \"%[bc_err] %[bc_err_name] %[bc_err_str],%[server_status],%[waiting_entity],%[last_entity]\"
    http-request wait-for-body time 50ms if { path /wait }
    http-response set-status 299
    use_backend %[path,field(2,/)]
frontend origin
    bind 127.0.0.1:9000
    http-request return status 200
backend there
    server s 127.0.0.1:9000
backend gone
    server s 127.0.0.1:9
backend elsewhere
    source 192.0.2.77
    server s 127.0.0.1:9000
backend empty
";

/// Kind of match, a pattern of the line, one that is added, a sample that only it finds, one that nothing does.
const KINDS: &[(&str, &str, &str, &str, &str)] = &[
    ("str", "seed", "new", "new", "newer"),
    ("beg", "seed", "new", "newer", "anew"),
    ("end", "seed", "new", "anew", "newer"),
    ("sub", "seed", "new", "a-new-one", "nw"),
    ("dir", "seed", "new", "/a/new/b", "/a/newer/b"),
    ("dom", "seed", "new", "a.new.b", "a.newer.b"),
    ("reg", "^seed$", "^n[aeiou]w$", "new", "nw"),
    ("int", "1", "7:9", "8", "10"),
    ("len", "1", "7:9", "12345678", "1234567890"),
    ("ip", "192.0.2.1", "10.0.0.0/8", "10.1.2.3", "11.1.2.3"),
    ("bin", "00", "6e6577", "new", "newer"),
];

struct Side {
    _proxy: Process,
    host: Host,
}

impl Side {
    fn start(lab: &Lab) -> Self {
        let host = lab.host("ours");
        let lines: String = KINDS
            .iter()
            .map(|(kind, seed, ..)| {
                let cast = if *kind == "ip" { "_ip" } else { "" };
                format!(
                    "    acl {kind} req.hdr{cast}(x-{kind}) -m {kind} {seed}\n    \
                     http-request return status 200 if {kind}\n"
                )
            })
            .collect();
        let text = format!("{CONFIG}frontend kinds\n    bind 127.0.0.1:8002\n{lines}    http-request deny\n");
        let proxy = host.haproxy(&proxy(), &Config::written(&host, "told.cfg", &text));
        let side = Self { _proxy: proxy, host };
        side.host.wait_told(SOCKET);
        side
    }

    fn ask(&self, commands: &str) -> String {
        self.host.tell(SOCKET, commands)
    }

    fn get(&self, port: u16, path: &str, more: &str) -> (u16, String) {
        let request = format!("GET /{path} HTTP/1.1\r\nHost: a\r\n{more}Connection: close\r\n\r\n");
        let mut connection = Connection::open(&self.host, &format!("127.0.0.1:{port}")).unwrap();
        let answer = connection.exchange(request).unwrap();
        (answer.status, answer.header("x-told").unwrap_or_default().to_owned())
    }
}

/// What HAProxy 3.5 has in its place.
#[test]
fn what_became_of_the_connection_and_the_rules_is_told() {
    let Some(lab) = Lab::open(&[Part::Program("socat")]) else { return };
    let side = Side::start(&lab);
    for (path, more, status, told) in [
        ("there", "", 299, "0  Success,200,,"),
        ("gone", "", 503, "47 EREFUSED ECONNREFUSED returned by OS,0,,"),
        ("elsewhere", "", 503, "8 CANT_BIND Can't bind to source address,0,,"),
        ("empty", "", 503, ",0,,"),
    ] {
        let (got, header) = side.get(8001, path, more);
        assert_eq!((got, header.trim()), (status, told), "{path}");
    }
    let (status, header) = side.get(8001, "wait", "Content-Length: 9\r\n");
    assert_eq!(status, 408, "{header}");
    // The rule that waited ended the rules; its line is told.
    assert!(header.trim().starts_with(",0,,") && header.ends_with("told.cfg:12"), "{header}");
}

/// Every kind of match: what is added to a list is found at once, and nothing else; what is deleted no longer.
#[test]
fn patterns_that_are_added_are_found_at_once() {
    let Some(lab) = Lab::open(&[Part::Program("socat")]) else { return };
    let side = Side::start(&lab);
    let found = |kind: &str, sample: &str| side.get(8002, "", &format!("x-{kind}: {sample}\r\n")).0 == 200;
    let lists = side.ask("show acl");
    // In the order of the file.
    let lists: Vec<&str> = lists.lines().filter(|line| line.contains("'req.hdr")).collect();
    assert_eq!(lists.len(), KINDS.len());
    for ((kind, _, added, hit, miss), list) in KINDS.iter().zip(lists) {
        let number = list.split(' ').next().unwrap();
        assert!(!found(kind, hit), "{kind}: before");
        side.ask(&format!("add acl #{number} {added}"));
        assert!(found(kind, hit), "{kind}: what was added");
        assert!(!found(kind, miss), "{kind}: nothing else");
        side.ask(&format!("del acl #{number} {added}"));
        assert!(!found(kind, hit), "{kind}: taken out again");
        if *kind == "str" {
            // More than are kept beside the index: it is made anew on the way.
            for hundred in 0..6 {
                let many: Vec<String> =
                    (0..100).map(|nth| format!("add acl #{number} n{}", hundred * 100 + nth)).collect();
                side.ask(&many.join(";"));
            }
            assert!(found(kind, "n0") && found(kind, "n599") && !found(kind, "n600"), "{kind}: many");
        }
    }
}
