//! Keys that are no UTF-8, in maps and lists of every kind of match, beside HAProxy.

use crate::lab::{Config, Connection, Host, Lab, Part, Process, Program, proxy};

const SOCKET: &str = "/run/bytes.sock";

const KINDS: [&str; 7] = ["str", "beg", "end", "sub", "dir", "dom", "reg"];

/// Keys for all of these kinds: Latin-1, half a letter, a whole one, bytes that nothing begins with.
const KEYS: &[&[u8]] = &[b"\xe9t\xe9", b"\xc3\xa8", b"\xc3", b"/\xff", b"x\xfe.", b"\xa9", b"plain"];

const EXPRESSIONS: &[&[u8]] = &[
    b"^\xe9.\xe9$",
    b"^[\xe0-\xe4]+$",
    br"\xfe$",
    b"^\xc3[\xa9]$",
    b"^\xc3\xa8+$",
    b"(?=\xff).$",
    b"^(.)\xb5",
];

const TEXTS: &[&[u8]] = &[
    b"\xe9t\xe9",
    b"\xc9t\xc9",
    b"a\xe9t\xe9b",
    b"/\xe9t\xe9/x",
    b"www.\xe9t\xe9:80",
    b"\xc3",
    b"\xc3\xa8",
    b"\xc3\xa8\xa8",
    b"\xc3\xa9",
    b"\xc3\xc3",
    b"\xe9",
    b"\xe3\xe1",
    b"/\xff",
    b"\xff",
    b"x.\xfe",
    b"x\xfe",
    b"\xb5\xb5",
    b"plain",
    b"\xf4\x8f\xbf\xa9t",
];

struct Side {
    _proxy: Process,
    host: Host,
}

impl Side {
    fn start(lab: &Lab, name: &str, program: &Program) -> Self {
        let host = lab.host(name);
        let mut config = format!(
            "global\n stats socket {SOCKET} level admin\ndefaults\n mode http\n timeout connect 1s\n timeout client 5s\n \
             timeout server 5s\nfrontend fe\n bind 127.0.0.1:8001\n"
        );
        let mut found = String::new();
        for kind in KINDS {
            let keys = if kind == "reg" { EXPRESSIONS } else { KEYS };
            let lines = |value: bool| {
                let line = |(at, key): (usize, &&[u8])| {
                    let after = if value { format!(" v{at}\n") } else { "\n".to_owned() };
                    [key, after.as_bytes()].concat()
                };
                keys.iter().enumerate().flat_map(line).collect::<Vec<u8>>()
            };
            let map = host.file(&format!("{kind}.map"), lines(true)).display().to_string();
            let list = host.file(&format!("{kind}.acl"), lines(false)).display().to_string();
            config += &format!(" acl is_{kind} req.hdr(x) -m {kind} -f {list}\n");
            config += &format!(" acl is_{kind}_i req.hdr(x) -i -m {kind} -f {list}\n");
            config += &format!(" http-request set-var(txn.a_{kind}) int(1) if is_{kind}\n");
            config += &format!(" http-request set-var(txn.i_{kind}) int(1) if is_{kind}_i\n");
            found +=
                &format!(",{kind}=%[req.hdr(x),map_{kind}({map},-)]%[var(txn.a_{kind})]%[var(txn.i_{kind})]");
            config += &format!(
                " http-request set-map({map}) %[req.hdr(key)] %[req.hdr(value)] if {{ req.hdr(key) -m found }}\n"
            );
        }
        let regm = host.file("regm", b"^(\xe9.)(.*)$ <\\2>\n\xa8$ second\n").display().to_string();
        found += &format!(",regm=%[req.hdr(x),map_regm({regm},-),hex]");
        config += &format!(" http-request redirect location /{found}\n");
        let proxy = host.haproxy(program, &Config::written(&host, "bytes.cfg", &config));
        host.wait_told(SOCKET);
        Self { _proxy: proxy, host }
    }

    fn ask(&self, headers: &[u8]) -> (u16, Option<String>) {
        let request =
            [b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n", headers, b"\r\n\r\n"].concat();
        let answer = Connection::open(&self.host, "127.0.0.1:8001").unwrap().exchange(request).unwrap();
        (answer.status, answer.header("location").map(str::to_owned))
    }

    fn found(&self) -> Vec<(u16, Option<String>)> {
        TEXTS.iter().map(|text| self.ask(&[b"x: ", *text].concat())).collect()
    }

    /// The answer to a command about the map of a kind, without numbers and paths.
    fn tell(&self, kind: &str, command: &[u8]) -> String {
        let file = self.host.dir().join(format!("{kind}.map")).display().to_string();
        let at = command.windows(4).position(|part| part == b"FILE").unwrap();
        let typed = [&command[..at], file.as_bytes(), &command[at + 4..], b"\n"].concat();
        let typed = self.host.file("typed", typed);
        let answer =
            self.host.sh(&format!("socat -t10 stdio {SOCKET} < {} | od -An -c -v -w4096", typed.display()));
        let answer = answer.split_whitespace().collect::<Vec<_>>().join("");
        answer
            .split("\\n")
            .map(|line| {
                let number =
                    line.starts_with("0x").then(|| line.find(|c: char| !c.is_ascii_hexdigit() && c != 'x'));
                line[number.flatten().unwrap_or(0)..].to_owned() + "\n"
            })
            .collect()
    }
}

#[test]
fn bytes_that_are_no_text_match_as_haproxys() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let theirs = Side::start(&lab, "theirs", &Program::reference("haproxy"));
    let ours = Side::start(&lab, "ours", &proxy());
    let same = |when: &str| {
        for ((text, want), found) in TEXTS.iter().zip(theirs.found()).zip(ours.found()) {
            assert_eq!(want, found, "{} {when}", text.escape_ascii());
        }
    };
    same("at first");
    for kind in KINDS {
        for command in [
            &b"get map FILE \xe9t\xe9"[..],
            b"set map FILE \xc3 \xff\xfe",
            b"add map FILE \xb5 added",
            b"get map FILE \xb5",
            b"del map FILE \xa9",
        ] {
            let [want, found] = [&theirs, &ours].map(|side| side.tell(kind, command));
            assert_eq!(want, found, "{kind}: {}", command.escape_ascii());
        }
    }
    same("after commands");
    for side in [&theirs, &ours] {
        side.ask(b"x: \xe9\r\nkey: \xe9t\xe9\r\nvalue: set");
    }
    same("after a rule");
}
