//! Tests of this room: tables, recordings and properties.

use std::time::Duration;

use proptest::prelude::*;

use super::dialogue::{Action, Dialogue, Subject};
use super::fsm::{Effect, Input, Machine, Surroundings, start_offsets};
use super::scene::Scene;
use super::script::Script;
use super::*;
use crate::expr::ctx::{Captures, Client, Clock, Ctx, Process, Progress, ProxyView};
use crate::ir::check::{
    Check, CheckKind, Connect, Expect, HttpRequest, Matcher, MysqlLogin, Payload, Port, Step, Text,
};
use crate::ir::expr::{ProcessNumber, ProxyNumber, ServerNumber, TimeoutName, Value, VarName};
use crate::ir::server::{OnError, ServerCheck};

/// What the other side does once it was sent something (or at once, if the script reads first).
#[derive(Clone)]
enum Peer {
    Refuses,
    Silent,
    Resets,
    /// Answers, in pieces of this size, and closes.
    Says(Vec<Vec<u8>>, usize),
}

fn says(answers: &[&[u8]]) -> Peer {
    Peer::Says(answers.iter().map(|a| a.to_vec()).collect(), usize::MAX)
}

/// Runs a script against a peer: the verdict and everything that was sent.
fn run(script: &Script, peer: &Peer, subject: Subject) -> (Verdict, Vec<u8>) {
    let mut dialogue = Dialogue::new(script.clone().into(), subject, Bare);
    let mut sent = Vec::new();
    let mut pending: Vec<Vec<u8>> = Vec::new();
    if let Peer::Says(answers, size) = peer {
        pending =
            answers.iter().flat_map(|a| a.chunks((*size).min(a.len().max(1)))).map(<[u8]>::to_vec).collect();
        pending.reverse();
    }
    for _ in 0..20_000 {
        match dialogue.action() {
            Action::Finish(verdict) => return (verdict, sent),
            Action::Connect { .. } if matches!(peer, Peer::Refuses) => {
                return (dialogue.failed("Connection refused"), sent);
            }
            Action::Connect { .. } => dialogue.connected(),
            Action::Send(bytes) => {
                sent.extend(bytes);
                dialogue.sent();
            }
            Action::Receive => match peer {
                Peer::Silent | Peer::Refuses => return (dialogue.timed_out(), sent),
                Peer::Resets => return (dialogue.failed("Connection reset by peer"), sent),
                Peer::Says(..) => match pending.pop() {
                    Some(bytes) => dialogue.received(&bytes),
                    None => dialogue.closed(),
                },
            },
        }
    }
    panic!("the dialogue does not end");
}

/// Surroundings in which nothing is known.
struct Bare;

impl Scene for Bare {
    fn show(&self, look: &mut dyn FnMut(&Ctx<'_>)) {
        look(&Ctx {
            clock: Clock { now_us: 0, zone: &jiff::tz::TimeZone::UTC },
            process: Process::default(),
            client: Client::default(),
            frontend: ProxyView::default(),
            backend: ProxyView::default(),
            server: None,
            no_server: "<NOSRV>",
            request: None,
            response: None,
            request_data: Default::default(),
            response_data: Default::default(),
            vars: &crate::expr::Vars::default(),
            captures: &Captures::default(),
            progress: Progress::default(),
            live: self,
            is_final: true,
            not_http: false,
        });
    }
}

impl crate::expr::Live for Bare {
    fn proxy(&self, _: crate::ir::ProxyIdx, _: ProxyNumber) -> i64 {
        0
    }

    fn server(&self, _: crate::ir::ProxyIdx, _: u32, _: ServerNumber) -> i64 {
        0
    }

    fn process(&self, _: ProcessNumber) -> i64 {
        0
    }

    fn listener_connections(&self) -> i64 {
        0
    }

    fn proxy_by_name(&self, _: &[u8]) -> Option<crate::ir::ProxyIdx> {
        None
    }

    fn proc_var(&self, _: &VarName) -> Option<Value> {
        None
    }

    fn is_local(&self, _: std::net::IpAddr) -> bool {
        false
    }

    fn random(&self) -> u64 {
        0
    }

    fn timeout(&self, _: TimeoutName) -> Option<i64> {
        None
    }
}

fn script(kind: CheckKind) -> Script {
    Script::new(&Check::of(kind))
}

fn httpchk(method: &str, uri: &str, version: &str) -> HttpRequest {
    HttpRequest {
        method: method.into(),
        uri: Text::Plain(uri.into()),
        version: version.into(),
        ..HttpRequest::default()
    }
}

fn asking(request: HttpRequest, expect: Vec<Expect>) -> Check {
    let steps = expect.into_iter().map(|expect| Step::Expect(Box::new(expect)));
    Check::by_steps(CheckKind::Http, std::iter::once(Step::SendHttp(Box::new(request))).chain(steps))
}

fn http(expect: Vec<Expect>) -> Script {
    Script::new(&asking(HttpRequest::default(), expect))
}

fn expect(negate: bool, matcher: Matcher) -> Expect {
    Expect { negate, matcher, ..Expect::default() }
}

fn text(negate: bool, text: &str) -> Expect {
    expect(negate, Matcher::Text(text.into()))
}

fn tcp(steps: Vec<Step>) -> Script {
    Script::new(&Check::by_steps(CheckKind::TcpScript, steps))
}

fn send_then(expects: Vec<Expect>) -> Script {
    let mut steps = vec![Step::Send(Payload::Bytes(b"hello\r\n".to_vec()))];
    steps.extend(expects.into_iter().map(|expect| Step::Expect(Box::new(expect))));
    tcp(steps)
}

const OK_200: &[u8] = b"HTTP/1.0 200 OK\r\nContent-length: 2\r\n\r\nok";
const NOT_FOUND: &[u8] = b"HTTP/1.0 404 Not Found\r\n\r\n";
const PG_AUTH: &[u8] = b"R\0\0\0\x0c\0\0\0\x05abcd";
const PG_SASL: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
const PG_ERROR: &[u8] = b"E\0\0\0\x20SFATAL\0VFATAL\0C28000\0Mno entry\0\0";
const MYSQL_HELLO: &[u8] = b"\x0c\0\0\0\x0a8.0.33-x\0zz";
const MYSQL_OK: &[u8] = b"\x03\0\0\x02\0\0\0";
const MYSQL_DENIED: &[u8] = b"\x10\0\0\x02\xff\x15\x04Access denied";
const LDAP_OK: &[u8] = b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00";
const LDAP_BUSY: &[u8] = b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x33\x04\x00\x04\x00";

/// Verdicts as HAProxy 2.6.12 reached them against peers that behaved like these: status, code, detail.
fn recorded() -> Vec<(&'static str, Script, Peer, Status, u16, &'static str)> {
    use Status as S;
    let pg = || script(CheckKind::Pgsql { user: "hap".into() });
    let redis = || script(CheckKind::Redis);
    let smtp = || script(CheckKind::Smtp { hello: "HELO localhost".into() });
    let my = |user: Option<&str>| {
        script(CheckKind::Mysql { user: user.map(Into::into), login: MysqlLogin::Post41 })
    };
    let ldap = || script(CheckKind::Ldap);
    let ssl = || script(CheckKind::SslHello);
    let plain = || script(CheckKind::Tcp);
    let to = |port: Option<u16>| {
        let port = port.map(Port::Fixed);
        tcp(vec![Step::Connect(Box::new(Connect { port, ..Connect::default() }))])
    };
    let no_body = "HTTP content check could not find a response body";
    vec![
        ("plain", plain(), Peer::Silent, S::L4Ok, 0, ""),
        ("plain refused", plain(), Peer::Refuses, S::L4Con, 0, "Connection refused"),
        ("http", http(vec![]), says(&[OK_200]), S::L7Ok, 200, ""),
        ("http 500", http(vec![]), says(&[b"HTTP/1.0 500 Oh No\r\n\r\n"]), S::L7Sts, 500, "Oh No"),
        ("http bare", http(vec![]), says(&[b"HTTP/1.1 503\r\n\r\n"]), S::L7Sts, 503, ""),
        ("http empty", http(vec![]), says(&[]), S::L7Rsp, 0, ""),
        ("http garbage", http(vec![]), says(&[b"hello world\r\n\r\n"]), S::L7Rsp, 0, ""),
        ("http cut", http(vec![]), says(&[b"HTTP/1.0 200 OK\r\nContent-le"]), S::L7Rsp, 0, ""),
        ("http reset", http(vec![]), Peer::Resets, S::SockErr, 0, "Connection reset by peer"),
        ("http silent", http(vec![]), Peer::Silent, S::L7Tout, 0, ""),
        ("http refused", http(vec![]), Peer::Refuses, S::L4Con, 0, "Connection refused"),
        ("http text", http(vec![text(false, "ok")]), says(&[OK_200]), S::L7Ok, 200, ""),
        ("http no text", http(vec![text(false, "ok")]), says(&[NOT_FOUND]), S::L7Rsp, 404, no_body),
        (
            "http not text",
            http(vec![text(true, "ok")]),
            says(&[OK_200]),
            S::L7Rsp,
            200,
            "HTTP check matched unwanted content",
        ),
        (
            "http rstatus",
            http(vec![expect(
                false,
                Matcher::StatusRegex(crate::expr::pattern::regex("^3", false).unwrap()),
            )]),
            says(&[OK_200]),
            S::L7Sts,
            200,
            "OK",
        ),
        (
            "tcp",
            send_then(vec![text(false, "200"), text(false, "OK")]),
            says(&[OK_200]),
            S::L7Ok,
            0,
            "(tcp-check)",
        ),
        (
            "tcp mismatch",
            send_then(vec![text(false, "zzz")]),
            says(&[OK_200]),
            S::L7Rsp,
            0,
            "TCPCHK did not match content 'zzz' at step 2",
        ),
        (
            "tcp unwanted",
            send_then(vec![text(false, "200"), text(true, "OK")]),
            says(&[OK_200]),
            S::L7Rsp,
            0,
            "TCPCHK matched unwanted content 'OK' at step 3",
        ),
        (
            "tcp empty",
            send_then(vec![text(false, "zzz")]),
            says(&[]),
            S::L7Rsp,
            0,
            "TCPCHK got an empty response at step 2",
        ),
        (
            "tcp reset",
            send_then(vec![text(false, "zzz")]),
            Peer::Resets,
            S::SockErr,
            0,
            "Connection reset by peer at step 2 of tcp-check (expect string 'zzz')",
        ),
        (
            "tcp silent",
            send_then(vec![text(false, "zzz")]),
            Peer::Silent,
            S::L7Tout,
            0,
            " at step 2 of tcp-check (expect string 'zzz')",
        ),
        (
            "tcp refused",
            send_then(vec![]),
            Peer::Refuses,
            S::L4Con,
            0,
            "Connection refused at initial connection step of tcp-check",
        ),
        (
            "tcp connect refused",
            to(Some(24199)),
            Peer::Refuses,
            S::L4Con,
            0,
            "Connection refused at step 1 of tcp-check (connect port 24199)",
        ),
        ("tcp connect", to(None), Peer::Silent, S::L4Ok, 0, "(tcp-check)"),
        ("pgsql", pg(), says(&[PG_AUTH]), S::L7Ok, 0, "PostgreSQL server is ok"),
        ("pgsql scram", pg(), says(&[PG_SASL]), S::L7Ok, 0, "PostgreSQL server is ok"),
        ("pgsql error", pg(), says(&[PG_ERROR]), S::L7Rsp, 0, "FATAL"),
        ("pgsql other", pg(), says(&[OK_200]), S::L7Sts, 0, "PostgreSQL unknown error"),
        ("pgsql empty", pg(), says(&[]), S::L7Rsp, 0, "TCPCHK got an empty response at step 3"),
        ("pgsql silent", pg(), Peer::Silent, S::L7Tout, 0, ""),
        ("redis", redis(), says(&[b"+PONG\r\n"]), S::L7Ok, 0, "Redis server is ok"),
        ("redis other", redis(), says(&[b"-NOAUTH no\r\n"]), S::L7Sts, 0, "-NOAUTH no"),
        ("redis empty", redis(), says(&[]), S::L7Sts, 0, "TCPCHK got an empty response at step 2"),
        (
            "smtp",
            smtp(),
            says(&[b"220 hi there\r\n", b"250 pleased\r\n", b"221 bye\r\n"]),
            S::L7Ok,
            221,
            "bye",
        ),
        ("smtp busy", smtp(), says(&[b"421 go away\r\n"]), S::L7Sts, 421, "go away"),
        ("smtp other", smtp(), says(&[OK_200]), S::L7Rsp, 0, "HTTP/1.0 200 OK"),
        ("smtp empty", smtp(), says(&[]), S::L7Rsp, 0, "TCPCHK got an empty response at step 2"),
        ("mysql greeting", my(None), says(&[MYSQL_HELLO]), S::L7Ok, 0, "8.0.33-x"),
        ("mysql login", my(Some("hap")), says(&[MYSQL_HELLO, MYSQL_OK]), S::L7Ok, 0, "8.0.33-x"),
        (
            "mysql denied",
            my(Some("hap")),
            says(&[MYSQL_HELLO, MYSQL_DENIED]),
            S::L7Sts,
            1045,
            "Access denied",
        ),
        ("mysql other", my(Some("hap")), says(&[OK_200]), S::L7Rsp, 0, ""),
        ("mysql empty", my(Some("hap")), says(&[]), S::L7Rsp, 0, "TCPCHK got an empty response at step 3"),
        ("ldap", ldap(), says(&[LDAP_OK]), S::L7Ok, 0, "Success"),
        (
            "ldap busy",
            ldap(),
            says(&[LDAP_BUSY]),
            S::L7Sts,
            0x33,
            "See RFC: http://tools.ietf.org/html/rfc4511#section-4.1.9",
        ),
        ("ldap other", ldap(), says(&[OK_200]), S::L7Rsp, 0, "Not LDAPv3 protocol"),
        ("ssl alert", ssl(), says(&[b"\x15\x03\0\0\x02\x02\x28"]), S::L6Ok, 0, ""),
        ("ssl other", ssl(), says(&[OK_200]), S::L6Rsp, 0, ""),
        ("ssl silent", ssl(), Peer::Silent, S::L6Tout, 0, ""),
        ("ssl empty", ssl(), says(&[]), S::L6Rsp, 0, "TCPCHK got an empty response at step 2"),
    ]
}

#[test]
fn verdicts_are_those_of_haproxy() {
    for (name, script, peer, status, code, info) in recorded() {
        let (verdict, _) = run(&script, &peer, Subject::default());
        assert_eq!(verdict, Verdict { status, code: code.into(), info: info.into() }, "{name}");
    }
}

#[test]
fn answers_may_arrive_in_any_pieces() {
    for (name, script, peer, status, code, info) in recorded() {
        let Peer::Says(answers, _) = peer else { continue };
        for size in [1, 2, 3, 7] {
            let (verdict, _) = run(&script, &Peer::Says(answers.clone(), size), Subject::default());
            assert_eq!((verdict.status, verdict.code), (status, code.into()), "{name} by {size}");
            // Details are taken from what is there when the verdict falls.
            assert!(info.starts_with(&verdict.info), "{name} by {size}: {}", verdict.info);
        }
    }
}

#[test]
fn requests_look_like_those_of_haproxy() {
    let sent = |script: &Script, subject| String::from_utf8(run(script, &Peer::Silent, subject).1).unwrap();
    assert_eq!(sent(&http(vec![]), Subject::default()), "OPTIONS / HTTP/1.0\r\n\r\n");
    let mut check = httpchk("POST", "/y", "HTTP/1.1");
    check.headers = vec![("Host".into(), crate::lower::expr::Language::literal("bar"))];
    check.body = Text::Plain(b"hello".to_vec());
    let post = Script::new(&asking(check, vec![]));
    assert_eq!(
        sent(&post, Subject::default()),
        "POST /y HTTP/1.1\r\nhost: bar\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"
    );
    let mut check = httpchk("GET", "/x", "HTTP/1.1");
    check.headers = vec![("Host".into(), crate::lower::expr::Language::literal("foo"))];
    let get = Script::new(&asking(check, vec![]));
    let subject = Subject { state_header: Some("UP 1/3; scur=0/0".into()), ..Subject::default() };
    assert_eq!(
        sent(&get, subject),
        "GET /x HTTP/1.1\r\nhost: foo\r\nx-haproxy-server-state: UP 1/3; scur=0/0\r\nconnection: close\r\n\r\n"
    );
    let hello = run(&script(CheckKind::SslHello), &Peer::Silent, Subject::default()).1;
    assert_eq!(hello.len(), 5 + 0x79);
    let pg = run(&script(CheckKind::Pgsql { user: "hap".into() }), &Peer::Silent, Subject::default()).1;
    assert_eq!(pg, b"\0\0\0\x12\0\x03\0\0user\0hap\0\0");
    let my = CheckKind::Mysql { user: Some("hap".into()), login: MysqlLogin::Post41 };
    let my = run(&script(my), &Peer::Silent, Subject::default()).1;
    assert_eq!(my.len(), 4 + 0x25 + 5);
    assert_eq!(my[..4], [0x25, 0, 0, 1]);
}

#[test]
fn a_404_spares_a_server_that_is_up() {
    let mut check = asking(httpchk("GET", "/", "HTTP/1.0"), vec![]);
    check.disable_on_404 = true;
    let script = Script::new(&check);
    let up = Subject { is_up: true, ..Subject::default() };
    assert_eq!(run(&script, &says(&[NOT_FOUND]), up).0.status, Status::L7Okc);
    assert_eq!(run(&script, &says(&[NOT_FOUND]), Subject::default()).0.status, Status::L7Sts);
}

#[test]
fn answers_to_head_have_no_body() {
    let script = Script::new(&asking(httpchk("HEAD", "/", "HTTP/1.0"), vec![text(true, "ok")]));
    let verdict = run(&script, &says(&[OK_200]), Subject::default()).0;
    assert_eq!(verdict.info, "HTTP content check could not find a response body");
}

#[test]
fn chunked_bodies_are_joined() {
    let script = http(vec![text(false, "hello")]);
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    assert_eq!(run(&script, &says(&[chunked]), Subject::default()).0.status, Status::L7Ok);
    let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(run(&script, &says(&[interim]), Subject::default()).0.status, Status::L7Ok);
}

proptest! {
    #[test]
    fn no_answer_upsets_a_check(answer in proptest::collection::vec(any::<u8>(), 0..200), size in 1..50_usize) {
        for (_, script, _, _, _, _) in recorded() {
            let (verdict, _) = run(&script, &Peer::Says(vec![answer.clone()], size), Subject::default());
            prop_assert!(verdict.info.len() <= 3 * 127);
        }
    }
}

const CALM: Surroundings = Surroundings { is_stopped: false, others_up: true, random: 0 };

fn failed() -> Input {
    Input::Ended(Verdict::new(Status::L4Con, 0, b"Connection refused"), Duration::ZERO)
}

fn passed() -> Input {
    Input::Ended(Verdict::new(Status::L4Ok, 0, b""), Duration::ZERO)
}

fn machine(check: &ServerCheck) -> Machine {
    Machine::new(check, 0, false, false)
}

#[test]
fn health_falls_and_rises_by_the_numbers() {
    let check = ServerCheck {
        fastinter: Some(Duration::from_millis(500)),
        downinter: Some(Duration::from_secs(5)),
        ..ServerCheck::default()
    };
    let mut m = machine(&check);
    let seconds = |s: f32| Effect::Arm(Duration::from_secs_f32(s));
    assert_eq!(m.step(passed(), CALM), [Effect::Up, seconds(2.0)]);
    assert_eq!(m.health(), 4);
    assert_eq!(m.step(failed(), CALM), [Effect::CountFailure, seconds(0.5)]);
    assert_eq!(m.step(failed(), CALM), [Effect::CountFailure, seconds(0.5)]);
    assert_eq!(m.step(failed(), CALM), [Effect::CountFailure, Effect::Down, seconds(5.0)]);
    assert_eq!(m.health(), 0);
    let down = Surroundings { is_stopped: true, ..CALM };
    assert_eq!(m.step(passed(), down), [seconds(0.5)]);
    assert_eq!(m.step(passed(), down), [Effect::Up, seconds(2.0)]);
}

#[test]
fn the_first_check_finds_a_dead_server() {
    let mut m = machine(&ServerCheck::default());
    assert!(m.step(failed(), CALM).contains(&Effect::Down));
}

#[test]
fn maintenance_stops_checks_and_a_fresh_start_follows() {
    let mut m = machine(&ServerCheck::default());
    assert_eq!(m.step(Input::Due, CALM), [Effect::Start]);
    let effects = m.step(Input::Pause, CALM);
    assert_eq!(effects, [Effect::Abort, Effect::Arm(Duration::from_secs(2))]);
    assert_eq!(m.step(Input::Due, CALM), [Effect::Arm(Duration::from_secs(2))]);
    assert_eq!(m.step(Input::Resume, CALM), [Effect::Arm(Duration::ZERO)]);
    assert_eq!((m.health(), m.is_up()), (2, true));
    assert_eq!(m.step(Input::Due, CALM), [Effect::Start]);
}

#[test]
fn errors_in_traffic_count_as_told() {
    let observed = |action| Input::Observed { action, errors: 10, last: "Connection error".into() };
    for (action, down) in [
        (OnError::FastInter, false),
        (OnError::FailCheck, false),
        (OnError::SuddenDeath, false),
        (OnError::MarkDown, true),
    ] {
        let mut m = machine(&ServerCheck::default());
        m.step(passed(), CALM);
        assert_eq!(m.step(observed(action), CALM).contains(&Effect::Down), down, "{action:?}");
        if action == OnError::SuddenDeath {
            assert!(m.step(failed(), CALM).contains(&Effect::Down));
        }
    }
    // The next check comes sooner only if `fastinter` says so.
    let fast = Duration::from_millis(300);
    let check = ServerCheck { fastinter: Some(fast), ..ServerCheck::default() };
    assert_eq!(machine(&check).step(observed(OnError::FastInter), CALM), [Effect::Hurry(fast)]);
    assert_eq!(machine(&ServerCheck::default()).step(observed(OnError::FastInter), CALM), []);
}

#[test]
fn intervals_are_spread_both_ways() {
    let mut m = Machine::new(&ServerCheck::default(), 50, false, false);
    let arm = |m: &mut Machine, random| {
        m.step(passed(), Surroundings { random, ..CALM }).into_iter().find_map(|e| match e {
            Effect::Arm(d) => Some(d.as_millis()),
            _ => None,
        })
    };
    assert_eq!(arm(&mut m, 0), Some(3000));
    assert_eq!(arm(&mut m, u32::MAX), Some(1000));
    assert_eq!(arm(&mut m, u32::MAX / 2), Some(2001));
}

#[test]
fn first_checks_are_spread_over_the_shortest_interval() {
    let s = Duration::from_secs;
    assert_eq!(start_offsets(&[s(2); 4], None), [0, 500, 1000, 1500].map(Duration::from_millis));
    assert_eq!(start_offsets(&[s(2), s(10)], None), [s(0), s(5)]);
    assert_eq!(start_offsets(&[s(2), s(10)], Some(s(1))), [0, 500].map(Duration::from_millis));
    assert_eq!(start_offsets(&[Duration::from_millis(100); 2], None), [0, 50].map(Duration::from_millis));
}

#[test]
fn a_suspended_check_rests_and_keeps_its_health() {
    let check = ServerCheck::default();
    let mut machine = Machine::new(&check, 0, false, false);
    let around = Surroundings { is_stopped: false, others_up: true, random: 0 };
    assert_eq!(machine.step(Input::Due, around), [Effect::Start]);
    let health = machine.health();
    assert_eq!(machine.step(Input::Enable(false), around), [Effect::Abort, Effect::Arm(check.inter)]);
    assert_eq!(machine.step(Input::Due, around), [Effect::Arm(check.inter)], "no check");
    assert_eq!((machine.health(), machine.is_running()), (health, false));
    assert_eq!(machine.step(Input::Enable(true), around), [Effect::Arm(Duration::ZERO)]);
    assert_eq!(machine.step(Input::Due, around), [Effect::Start]);
}

#[test]
fn an_agents_words_in_any_order() {
    use super::proto::agent::Reply;
    let say = |line: &str, refused: &str| {
        let verdict = Reply::parse(line.as_bytes()).verdict(refused);
        (verdict.status.name(), verdict.info)
    };
    assert_eq!(say("up", ""), ("L7OK", "via agent : up".to_owned()));
    assert_eq!(say("UP\t75%", ""), ("L7OK", "via agent : UP".to_owned()));
    assert_eq!(say("75%, fail # disk full", ""), ("L7STS", "via agent : fail (disk full)".to_owned()));
    assert_eq!(say("stopped", "no"), ("L7STS", "via agent : stopped (no)".to_owned()));
    assert_eq!(say("down up # fine", "no"), ("L7OK", "via agent : up (no)".to_owned()));
    assert_eq!(say("ready what ever", ""), ("CHECKED", "agent reports an error : what".to_owned()));
    assert_eq!(say("weight:900", "too much"), ("CHECKED", "agent warns : too much".to_owned()));
    assert_eq!(say("", ""), ("CHECKED", String::new()));
    let reply = Reply::parse(b"drain,maxconn:12 weight:3 7% MAINT");
    assert_eq!((reply.weight.as_deref(), reply.maxconn.as_deref()), (Some("7%"), Some("12")));
    assert_eq!(reply.admin, Some(crate::server::AdminRequest::Maint));
}
