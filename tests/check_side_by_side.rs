//! Checks beside HAProxy's: the same rules against servers that behave alike come to the same status, code, detail and
//! log line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::lab::{Config, Host, Lab, Part, Program, Stats, before_3_1, beside, proxy, wait_for};

/// What a server does with a connection.
#[derive(Clone, Copy)]
enum Peer {
    /// Nobody listens.
    Absent,
    /// Accepts and says nothing.
    Silent,
    /// Answers each thing it is told with the next of these, and closes after the last.
    Answers(&'static [&'static [u8]]),
    /// The same, but speaks first.
    Greets(&'static [&'static [u8]]),
}

use Peer::{Absent, Answers, Greets, Silent};

const OK: &[u8] =
    b"HTTP/1.0 200 All well\r\nX-Role: primary, cache\r\nX-Load: 17\r\nContent-Length: 11\r\n\r\nhello world";
const GONE: &[u8] = b"HTTP/1.1 404 Not Here\r\nContent-Length: 0\r\n\r\n";
const BROKEN: &[u8] = b"HTTP/1.1 503 Too Bad\r\nContent-Length: 4\r\n\r\noops";
const MYSQL: &[u8] = b"\x0c\0\0\0\x0a8.0.33-x\0zz";
const MYSQL_IN: &[u8] = b"\x03\0\0\x02\0\0\0";
const MYSQL_OUT: &[u8] = b"\x10\0\0\x02\xff\x15\x04Access denied";
const LDAP: &[u8] = b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00";
const LDAP_BUSY: &[u8] = b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x33\x04\x00\x04\x00";
const PGSQL: &[u8] = b"R\0\0\0\x0c\0\0\0\x05abcd";
const PGSQL_OUT: &[u8] = b"E\0\0\0\x20SFATAL\0VFATAL\0C28000\0Mno entry\0\0";
const SPOP: &[u8] = b"\0\0\0\x32\x65\0\0\0\x01\0\0\x07version\x08\x032.0\x0emax-frame-size\x03\xfc\xf0\x06\x0ccapabilities\x08\0";

/// Name, rules (lines separated by `;`), server.
const CASES: &[(&str, &str, Peer)] = &[
    ("tcp", "", Silent),
    ("tcp_absent", "", Absent),
    ("http", "option httpchk", Answers(&[OK])),
    ("http_absent", "option httpchk", Absent),
    ("http_silent", "option httpchk", Silent),
    ("http_503", "option httpchk GET /", Answers(&[BROKEN])),
    ("http_404", "option httpchk GET /;http-check disable-on-404", Answers(&[GONE])),
    ("http_empty", "option httpchk GET /", Answers(&[])),
    ("http_noise", "option httpchk GET /", Answers(&[b"hello\r\n\r\n"])),
    ("http_status", "option httpchk;http-check expect status 200,300-302", Answers(&[BROKEN])),
    ("http_not_status", "option httpchk;http-check expect ! status 200", Answers(&[OK])),
    ("http_rstatus", "option httpchk;http-check expect rstatus ^5", Answers(&[OK])),
    ("http_string", "option httpchk;http-check expect string world", Answers(&[OK])),
    ("http_no_string", "option httpchk;http-check expect string moon", Answers(&[OK])),
    ("http_not_string", "option httpchk;http-check expect !string hello", Answers(&[OK])),
    ("http_rstring", "option httpchk;http-check expect rstring ^h.*d$", Answers(&[OK])),
    ("http_no_body", "option httpchk;http-check expect string x", Answers(&[GONE])),
    (
        "http_lf",
        "option httpchk;http-check set-var(check.w) str(world);http-check expect string-lf hello\\ %[var(check.w)]",
        Answers(&[OK]),
    ),
    ("http_lf_empty", "option httpchk;http-check expect string-lf %[var(check.none)]", Answers(&[OK])),
    ("http_hdr", "option httpchk;http-check expect hdr name x-role value cache", Answers(&[OK])),
    ("http_fhdr", "option httpchk;http-check expect fhdr name x-role value cache", Answers(&[OK])),
    (
        "http_fhdr_sub",
        "option httpchk;http-check expect fhdr name -m beg x-r value -m sub cache",
        Answers(&[OK]),
    ),
    (
        "http_hdr_reg",
        "option httpchk;http-check expect hdr name -m reg ^x-l value -m reg ^[0-9]+$",
        Answers(&[OK]),
    ),
    ("http_not_hdr", "option httpchk;http-check expect !hdr name x-load", Answers(&[OK])),
    (
        "http_words",
        "option httpchk;http-check expect status 200 on-success \"load %[res.hdr(x-load)]\"",
        Answers(&[OK]),
    ),
    (
        "http_error_words",
        "option httpchk;http-check expect status 200 comment strange on-error \"got %[status]\" error-status L7RSP",
        Answers(&[BROKEN]),
    ),
    (
        "http_comment",
        "option httpchk;http-check comment careful;http-check expect string x",
        Answers(&[BROKEN]),
    ),
    (
        "http_code",
        "option httpchk;http-check expect status 200 status-code res.hdr(x-load) ok-status L7OKC",
        Answers(&[OK]),
    ),
    ("http_timeout", "option httpchk;http-check expect status 200 tout-status L6TOUT", Silent),
    (
        "http_twice",
        "option httpchk;http-check connect;http-check send meth GET uri /a;http-check expect status 200;http-check connect linger;http-check send meth GET uri /b ver HTTP/1.1 hdr host x;http-check expect string hello",
        Answers(&[OK]),
    ),
    ("tcp_check", "option tcp-check", Silent),
    ("tcp_connect", "option tcp-check;tcp-check connect", Silent),
    ("tcp_connect_absent", "option tcp-check;tcp-check connect comment first", Absent),
    (
        "tcp_send",
        "option tcp-check;tcp-check send PING\\r\\n;tcp-check expect string +PONG",
        Answers(&[b"+PONG\r\n"]),
    ),
    (
        "tcp_mismatch",
        "option tcp-check;tcp-check send PING\\r\\n;tcp-check expect string +PONG",
        Answers(&[b"-ERR no\r\n"]),
    ),
    (
        "tcp_unwanted",
        "option tcp-check;tcp-check send PING\\r\\n;tcp-check expect !string ERR",
        Answers(&[b"-ERR no\r\n"]),
    ),
    ("tcp_rstring", "option tcp-check;tcp-check expect rstring ^220", Greets(&[b"421 no\r\n"])),
    (
        "tcp_binary",
        "option tcp-check;tcp-check send-binary 50494e47;tcp-check expect binary 2b504f4e47",
        Answers(&[b"+PONG\r\n"]),
    ),
    (
        "tcp_not_binary",
        "option tcp-check;tcp-check send-binary 50494e47;tcp-check expect binary 2b00",
        Answers(&[b"+PONG\r\n"]),
    ),
    (
        "tcp_rbinary",
        "option tcp-check;tcp-check send x;tcp-check expect rbinary ^2B50",
        Answers(&[b"+PONG\r\n"]),
    ),
    (
        "tcp_not_rbinary",
        "option tcp-check;tcp-check send x;tcp-check expect !rbinary ^2B50",
        Answers(&[b"+PONG\r\n"]),
    ),
    (
        "tcp_lf",
        "option tcp-check;tcp-check set-var(check.a) str(PONG);tcp-check send-lf %[var(check.a)];tcp-check expect string-lf +%[var(check.a)]",
        Answers(&[b"+PONG\r\n"]),
    ),
    (
        "tcp_not_lf",
        "option tcp-check;tcp-check set-var-fmt(check.a) x%[str(y)];tcp-check send x;tcp-check expect string-lf %[var(check.a)]",
        Answers(&[b"+PONG\r\n"]),
    ),
    (
        "tcp_binary_lf",
        "option tcp-check;tcp-check send x;tcp-check expect binary-lf %[str(PONG),hex]",
        Answers(&[b"+PONG\r\n"]),
    ),
    (
        "tcp_unset",
        "option tcp-check;tcp-check set-var(check.a) str(PONG);tcp-check unset-var(check.a);tcp-check send x;tcp-check expect string-lf %[var(check.a)]",
        Answers(&[b"+PONG\r\n"]),
    ),
    (
        "tcp_words",
        "option tcp-check;tcp-check send x;tcp-check expect string +OK comment sad on-error \"said %[res.payload(0,5)]\"",
        Answers(&[b"+PONG\r\n"]),
    ),
    (
        "tcp_ok_words",
        "option tcp-check;tcp-check send x;tcp-check expect string PONG on-success \"said %[res.payload(1,4)]\" ok-status L6OK",
        Answers(&[b"+PONG\r\n"]),
    ),
    (
        "tcp_code",
        "option tcp-check;tcp-check send x;tcp-check expect string 7 error-status L7STS status-code int(77)",
        Answers(&[b"+PONG\r\n"]),
    ),
    (
        "tcp_min",
        "option tcp-check;tcp-check send x;tcp-check expect string zz min-recv 5",
        Answers(&[b"+PONG\r\n"]),
    ),
    (
        "tcp_silent",
        "option tcp-check;tcp-check send x comment asked;tcp-check expect string zz comment waited",
        Silent,
    ),
    ("tcp_empty", "option tcp-check;tcp-check send x;tcp-check expect string zz", Answers(&[])),
    (
        "tcp_comment",
        "option tcp-check;tcp-check comment one;tcp-check send x;tcp-check comment two;tcp-check expect string zz",
        Answers(&[b"+PONG\r\n"]),
    ),
    ("tcp_last_send", "option tcp-check;tcp-check send x", Silent),
    ("redis", "option redis-check", Answers(&[b"+PONG\r\n"])),
    ("redis_auth", "option redis-check", Answers(&[b"-NOAUTH Authentication required.\r\n"])),
    ("mysql", "option mysql-check", Greets(&[MYSQL])),
    ("mysql_user", "option mysql-check user hap", Greets(&[MYSQL, MYSQL_IN])),
    ("mysql_denied", "option mysql-check user hap", Greets(&[MYSQL, MYSQL_OUT])),
    ("mysql_noise", "option mysql-check user hap", Greets(&[b"hello there\r\n"])),
    ("mysql_pre41", "option mysql-check user hap pre-41", Greets(&[MYSQL, MYSQL_IN])),
    ("pgsql", "option pgsql-check user hap", Answers(&[PGSQL])),
    ("pgsql_denied", "option pgsql-check user hap", Answers(&[PGSQL_OUT])),
    ("ldap", "option ldap-check", Answers(&[LDAP])),
    ("ldap_busy", "option ldap-check", Answers(&[LDAP_BUSY])),
    ("ldap_noise", "option ldap-check", Answers(&[b"what do you want from me?"])),
    (
        "smtp",
        "option smtpchk EHLO lab",
        Greets(&[b"220 hi there\r\n", b"250-lab\r\n250 pleased\r\n", b"221 bye\r\n"]),
    ),
    ("smtp_busy", "option smtpchk", Greets(&[b"421 go away\r\n"])),
    ("smtp_refuses", "option smtpchk", Greets(&[b"220 hi\r\n", b"550 not you\r\n"])),
    ("ssl", "option ssl-hello-chk", Answers(&[b"\x15\x03\0\0\x02\x02\x28"])),
    ("ssl_noise", "option ssl-hello-chk", Answers(&[b"what?!\r\n"])),
    ("spop", "option spop-check", Answers(&[SPOP])),
    ("spop_noise", "option spop-check", Answers(&[b"\0\0\0\x0eHTTP/1.0 400 Bad"])),
    ("program", "option external-check;external-check command DIR/passes", Absent),
    ("program_no", "option external-check;external-check command DIR/fails", Absent),
    ("program_killed", "option external-check;external-check command DIR/dies", Absent),
    ("program_slow", "option external-check;external-check command DIR/sleeps", Absent),
    ("program_absent", "option external-check;external-check command DIR/none", Absent),
];

/// The programs of the cases above.
const PROGRAMS: &[(&str, &str)] = &[
    ("passes", "[ $# = 4 ] && [ \"$3\" = 127.0.0.1 ] && [ \"$HAPROXY_PROXY_NAME\" = program ]"),
    ("fails", "exit 3"),
    ("dies", "kill -9 $$"),
    ("sleeps", "exec /bin/sleep 30"),
];

/// Where ours differs, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("ldap", "what a built-in protocol was told stays in last_chk"),
    ("mysql", "as above"),
    ("mysql_user", "as above"),
    ("mysql_pre41", "as above"),
];

/// First port of the servers.
const FIRST_PORT: u16 = 9100;

fn serve(host: &Host, port: u16, peer: Peer) {
    let listener = host.run(|| TcpListener::bind(("127.0.0.1", port)).unwrap());
    // It ends with the test program.
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (answers, first) = match peer {
                Absent => return,
                Silent => {
                    kept.push(stream);
                    continue;
                }
                Answers(answers) => (answers, false),
                Greets(answers) => (answers, true),
            };
            let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
            let mut told = [0; 4096];
            for (i, answer) in answers.iter().enumerate() {
                if (i > 0 || !first) && !matches!(stream.read(&mut told), Ok(1..)) {
                    break;
                }
                if stream.write_all(answer).is_err() {
                    break;
                }
            }
            if answers.is_empty() {
                let _ = stream.read(&mut told);
            }
            // What was said at the end is read before the connection goes.
            let _ = stream.shutdown(std::net::Shutdown::Write);
            while matches!(stream.read(&mut told), Ok(1..)) {}
        }
    });
}

fn config(host: &Host) -> String {
    for (name, text) in PROGRAMS {
        let path = host.file(name, format!("#!/bin/sh\n{text}\n"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let dir = host.dir().display().to_string();
    let mut text = "global\n    stats socket /run/checks.sock level admin\n    log stdout format raw local0\n    nbthread 1\n    \
                    external-check\n    insecure-fork-wanted\n\
                    defaults\n    mode tcp\n    log global\n    timeout connect 500ms\n    timeout client 5s\n    \
                    timeout server 5s\n    timeout check 900ms\n    option log-health-checks\n"
        .to_owned();
    for ((name, rules, _), port) in CASES.iter().zip(FIRST_PORT..) {
        let _ = writeln!(text, "backend {name}");
        for rule in rules.split(';').filter(|rule| !rule.is_empty()) {
            let _ = writeln!(text, "    {}", rule.replace("DIR", &dir));
        }
        let _ = writeln!(text, "    server s 127.0.0.1:{port} check inter 3s rise 1 fall 1");
    }
    text
}

/// A log line without its duration.
fn timeless(line: &str) -> String {
    let line = &before_3_1(line);
    let Some((before, after)) = line.split_once("check duration: ") else { return line.to_owned() };
    format!("{before}check duration: N{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// What came of each case: the columns, and the log line.
fn observe(lab: &Lab, name: &str, program: &Program) -> BTreeMap<String, String> {
    let host = lab.host(name);
    for ((_, _, peer), port) in CASES.iter().zip(FIRST_PORT..) {
        if !matches!(peer, Absent) {
            serve(&host, port, *peer);
        }
    }
    let proxy = host.haproxy(program, &Config::written(&host, "checks.cfg", &config(&host)));
    let columns = ["check_status", "check_code", "last_chk", "check_desc", "status"];
    let mut found: BTreeMap<&str, String> = BTreeMap::new();
    wait_for("all checks", Duration::from_secs(40), || {
        let asked = host.try_sh("echo 'show stat' | socat stdio unix-connect:/run/checks.sock");
        if asked.stdout.is_empty() {
            return None;
        }
        let stats = Stats::parse(&String::from_utf8_lossy(&asked.stdout));
        for (name, ..) in CASES {
            // One that is running shows less.
            let status = stats.cell(name, "s", "check_status");
            if !matches!(status, "" | "INI") && !status.starts_with('*') {
                let cells: Vec<&str> = columns.iter().map(|column| stats.cell(name, "s", column)).collect();
                found.insert(name, before_3_1(&cells.join(" | ")));
            }
        }
        (found.len() == CASES.len()).then_some(())
    });
    let log = proxy.log();
    CASES
        .iter()
        .map(|(name, ..)| {
            let sought = format!("check for server {name}/s ");
            let line = log.iter().find(|line| line.contains(&sought)).map(|line| timeless(line));
            let line =
                line.as_deref().and_then(|line| line.find("Health").map(|at| &line[at..])).unwrap_or("");
            ((*name).to_owned(), format!("{}\n  {line}", found[name]))
        })
        .collect()
}

#[test]
fn checks_come_to_what_haproxys_come_to() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("socat")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| observe(&lab, name, program));
    let known = |name: &str| DIFFERENT.iter().any(|(different, _)| *different == name);
    let differing: Vec<String> = ours
        .iter()
        .filter(|(name, own)| !known(name) && theirs[*name] != **own)
        .map(|(name, own)| format!("{name}\n HAProxy: {}\n ours:    {own}", theirs[name]))
        .collect();
    assert!(differing.is_empty(), "{} of {} differ\n{}", differing.len(), CASES.len(), differing.join("\n"));
}
