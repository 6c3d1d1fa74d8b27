//! Rules from their text to what they do.

use crate::expr::ctx::{Captures, Ctx, EditHead};
use crate::expr::rules::{http_request, http_response, tcp_content};
use crate::expr::{Answer, AnswerBody, Effect, Session, Vars, Verdict};
use crate::http::Head;
use crate::ir::expr::Dir;
use crate::ir::rules::{HttpRule, TcpRule};
use crate::lower::expr::tests::{Fixture, Machine, language, messages, words};

use super::RuleSet;

/// The first header of this name that an answer carries.
fn field<'a>(answer: &'a Answer, name: &str) -> &'a [u8] {
    answer.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or(&[], |(_, value)| value)
}

/// A session of the fixture's facts that keeps what it was told.
struct Recorded {
    fixture: Fixture,
    effects: Vec<String>,
}

impl Session for Recorded {
    fn ctx(&self) -> Ctx<'_> {
        self.fixture.ctx()
    }

    fn request(&mut self) -> Option<&mut dyn EditHead> {
        Some(&mut self.fixture.request)
    }

    fn response(&mut self) -> Option<&mut dyn EditHead> {
        self.fixture.response.as_mut().map(|head| head as _)
    }

    fn vars(&mut self) -> &mut Vars {
        &mut self.fixture.vars
    }

    fn captures(&mut self) -> &mut Captures {
        &mut self.fixture.captures
    }

    fn effect(&mut self, effect: Effect<'_>) {
        self.effects.push(match effect {
            Effect::ProcVar(name, value) => format!("ProcVar({}, {value:?})", name.name),
            other => format!("{other:?}"),
        });
    }
}

fn session(uri: &str, headers: &[(&str, &str)]) -> Recorded {
    Recorded { fixture: Fixture::request("GET", uri, headers), effects: Vec::new() }
}

fn rules(set: RuleSet, lines: &[&str]) -> Vec<HttpRule> {
    let machine = Machine {
        files: [("page.http", "HTTP/1.0 403 No\r\n\r\n"), ("b.txt", "hi %[src]")].into(),
        ..Machine::default()
    };
    let mut language = language(&machine);
    language.owner.backend = true;
    let read: Vec<_> = lines
        .iter()
        .filter_map(|line| {
            let words = words(line);
            language.http_rule(set, &words, words[0].span)
        })
        .collect();
    // Effects that nobody performs yet are announced; anything else said is a failure.
    let mut said = messages(&language.finish());
    said.retain(|message| !message.contains("is accepted but has no effect in Tandem yet."));
    assert!(said.is_empty(), "{lines:?}: {said:?}");
    read
}

fn head(head: &Head) -> String {
    let text = String::from_utf8(head.to_bytes()).expect("text");
    text.trim_end().replace("\r\n", "|")
}

#[test]
fn requests_are_edited_in_order() {
    let table: &[(&[&str], &str)] = &[
        (
            &["add-header X-A 1", "add-header X-A 2"],
            "GET /p/q?x=1 HTTP/1.1|host: h|x-b: one, two|x-a: 1|x-a: 2",
        ),
        (
            &["set-header Host other", "set-header X-S %[src]"],
            "GET /p/q?x=1 HTTP/1.1|x-b: one, two|host: other|x-s: 192.0.2.33",
        ),
        (&["set-header X-B %[req.hdr(x-b,1)]-%[req.hdr(host)]"], "GET /p/q?x=1 HTTP/1.1|host: h|x-b: one-h"),
        (
            &[
                "set-var(txn.h) req.hdrs_bin",
                "set-header X-B changed",
                "del-header host",
                "set-headers-bin var(txn.h)",
            ],
            "GET /p/q?x=1 HTTP/1.1|host: h|x-b: one, two",
        ),
        (
            &["set-var(txn.h) req.hdrs_bin", "add-headers-bin var(txn.h) prefix x-"],
            "GET /p/q?x=1 HTTP/1.1|host: h|x-b: one, two|x-b: one, two",
        ),
        // Names alone; what says where a message ends stays.
        (
            &[
                "add-header Content-Length 0",
                "del-headers-bin bin(03782d6204686f73740e636f6e74656e742d6c656e67746800)",
            ],
            "GET /p/q?x=1 HTTP/1.1|content-length: 0",
        ),
        (&["del-headers-bin bin(02782d026f7300) -m beg"], "GET /p/q?x=1 HTTP/1.1|host: h"),
        (&["del-headers-bin bin(026f737400) -m sub if FALSE"], "GET /p/q?x=1 HTTP/1.1|host: h|x-b: one, two"),
        (&["del-header x-b"], "GET /p/q?x=1 HTTP/1.1|host: h"),
        (&["del-header x- -m beg"], "GET /p/q?x=1 HTTP/1.1|host: h"),
        (&["del-header ^(host|x-b)$ -m reg"], "GET /p/q?x=1 HTTP/1.1"),
        (&["replace-header X-B ^(.*),(.*)$ \\2;\\1"], "GET /p/q?x=1 HTTP/1.1|host: h|x-b:  two;one"),
        (&["replace-header X-B nothing x"], "GET /p/q?x=1 HTTP/1.1|host: h|x-b: one, two"),
        (&["replace-value X-B ^t(.*)$ T\\1"], "GET /p/q?x=1 HTTP/1.1|host: h|x-b: one,Two"),
        (&["set-method POST", "set-path /new"], "POST /new?x=1 HTTP/1.1|host: h|x-b: one, two"),
        (&["set-query a=%[path]"], "GET /p/q?a=/p/q HTTP/1.1|host: h|x-b: one, two"),
        (&["set-pathq /only"], "GET /only HTTP/1.1|host: h|x-b: one, two"),
        (&["set-uri http://x/y"], "GET http://x/y HTTP/1.1|host: x|x-b: one, two"),
        (&["replace-path ^/p/(.*) /\\1/p"], "GET /q/p?x=1 HTTP/1.1|host: h|x-b: one, two"),
        (&["replace-pathq ^/p/q\\?(.*)$ /z?y&\\1"], "GET /z?y&x=1 HTTP/1.1|host: h|x-b: one, two"),
        (
            &["replace-uri ^(.*)$ http://%[req.hdr(host)]\\1"],
            "GET http://h/p/q?x=1 HTTP/1.1|host: h|x-b: one, two",
        ),
        (
            &["set-header X-C v if { path /no }", "set-header X-D v unless { path /no }"],
            "GET /p/q?x=1 HTTP/1.1|host: h|x-b: one, two|x-d: v",
        ),
        (
            &["set-path /changed", "set-header X-P %[path]", "allow", "del-header host"],
            "GET /changed?x=1 HTTP/1.1|host: h|x-b: one, two|x-p: /changed",
        ),
        (
            &["set-var(txn.a) path,field(2,/)", "set-header X-V %[var(txn.a)]"],
            "GET /p/q?x=1 HTTP/1.1|host: h|x-b: one, two|x-v: p",
        ),
        (
            &["set-var(req.a) str(x)", "unset-var(req.a)", "set-header X-V [%[var(req.a)]]"],
            "GET /p/q?x=1 HTTP/1.1|host: h|x-b: one, two|x-v: []",
        ),
        (
            &["set-var-fmt(txn.a) %[method]-%HU", "set-header X-V %[var(txn.a)]"],
            "GET /p/q?x=1 HTTP/1.1|host: h|x-b: one, two|x-v: GET-/p/q?x=1",
        ),
    ];
    for (lines, want) in table {
        let mut session = session("/p/q?x=1", &[("Host", "h"), ("X-B", "one, two")]);
        let rules = rules(RuleSet::HttpRequest, lines);
        assert_eq!(http_request(&rules, 0, &mut session), Verdict::Continue, "{lines:?}");
        assert_eq!(head(&session.fixture.request), *want, "{lines:?}");
    }
}

#[test]
fn targets_are_normalised() {
    let table = [
        ("path-merge-slashes", "//a///b/?//", "/a/b/?//"),
        ("path-strip-dot", "/./a/./b/.", "/a/b/"),
        ("path-strip-dotdot", "/a/../b/c/..", "/b/"),
        ("path-strip-dotdot", "/../a/../b", "/../b"),
        ("path-strip-dotdot", "/..", "/../"),
        ("path-strip-dotdot full", "/../a/../b", "/b"),
        ("percent-to-uppercase", "/%2f%zz?%3d", "/%2F%zz?%3D"),
        ("percent-decode-unreserved", "/%41%2f%7e", "/A%2f~"),
        ("query-sort-by-name", "/?b=1&a=2&b=0&c", "/?a=2&b=1&b=0&c"),
        ("query-sort-by-name", "/?b&a&", "/?a&b"),
        ("fragment-strip", "/a#b", "/a"),
        ("fragment-encode", "/a#b", "/a%23b"),
    ];
    for (kind, uri, want) in table {
        let mut session = session(uri, &[]);
        let rules = rules(RuleSet::HttpRequest, &[&format!("normalize-uri {kind}")]);
        assert_eq!(http_request(&rules, 0, &mut session), Verdict::Continue);
        assert_eq!(String::from_utf8_lossy(session.fixture.request.uri()), want, "{kind} {uri}");
    }
    let mut session = session("/%zz", &[]);
    let rules = rules(RuleSet::HttpRequest, &["normalize-uri percent-to-uppercase strict"]);
    assert!(matches!(http_request(&rules, 0, &mut session), Verdict::Malformed));
}

#[test]
fn redirections_lead_where_haproxy_leads() {
    let table = [
        ("redirect location http://x/%[path]", "http://x//p/q", 302),
        ("redirect prefix https://x code 301", "https://x/p/q?x=1", 301),
        ("redirect prefix https://x drop-query append-slash", "https://x/p/q/", 302),
        ("redirect scheme https code 308", "https://h/p/q?x=1", 308),
        ("redirect scheme https drop-query", "https://h/p/q", 302),
        ("redirect location /z?a keep-query", "/z?a&x=1", 302),
    ];
    for (line, location, status) in table {
        let mut session = session("/p/q?x=1", &[("Host", "h")]);
        let Verdict::Answer(answer) = http_request(&rules(RuleSet::HttpRequest, &[line]), 0, &mut session)
        else {
            panic!("{line}: an answer");
        };
        assert_eq!((answer.status, field(&answer, "location")), (status, location.as_bytes()), "{line}");
        let cacheable = !matches!(status, 302 | 303 | 307);
        assert_eq!(answer.headers.len(), if cacheable { 2 } else { 3 }, "{line}");
    }
    let mut session = session("/", &[]);
    let rules = rules(
        RuleSet::HttpRequest,
        &[
            "redirect location %[req.hdr(x-to)] ignore-empty",
            "redirect location /b set-cookie seen=1 code 303",
        ],
    );
    let Verdict::Answer(answer) = http_request(&rules, 0, &mut session) else { panic!("an answer") };
    assert_eq!(field(&answer, "set-cookie"), b"seen=1; path=/;");
}

#[test]
fn answers_carry_what_was_asked_for() {
    let answer = |line: &str| {
        let mut session = session("/", &[("Host", "h")]);
        match http_request(&rules(RuleSet::HttpRequest, &[line]), 0, &mut session) {
            Verdict::Deny(answer) | Verdict::Tarpit(answer) | Verdict::Answer(answer) => answer,
            other => panic!("{line}: {other:?}"),
        }
    };
    assert_eq!((answer("deny").status, answer("deny").body), (403, AnswerBody::ErrorPage));
    assert_eq!(answer("deny deny_status 429").status, 429);
    // Words other than a leading `deny_status` make it a `return`.
    let bare = answer("deny status 418");
    assert_eq!((bare.status, bare.body), (418, AnswerBody::Empty));
    assert_eq!(answer("deny deny_status 429 hdr a b").body, AnswerBody::Empty);
    assert_eq!(answer("tarpit").status, 500);
    assert_eq!(answer("return").body, AnswerBody::Empty);
    assert_eq!(answer("return status 503").status, 503);
    let page = answer("deny errorfile page.http");
    assert!(matches!(page.body, AnswerBody::Raw(text) if text.starts_with(b"HTTP/1.0 403")));
    let built = answer("return status 200 content-type text/plain lf-string %[method]-%ci hdr X-A %[src]");
    assert_eq!(built.body, AnswerBody::Built(b"GET-192.0.2.33".to_vec()));
    assert_eq!(built.headers[0], ("X-A".into(), (*b"192.0.2.33").into()));
    assert_eq!(built.headers[1], ("content-type".into(), (*b"text/plain").into()));
    assert_eq!(
        answer("return content-type text/plain lf-file b.txt").body,
        AnswerBody::Built(b"hi 192.0.2.33".to_vec())
    );
    let auth = answer("auth realm Staff");
    assert_eq!((auth.status, &*auth.headers[0].1), (401, &b"Basic realm=\"Staff\""[..]));
    assert_eq!(&*answer("auth").headers[0].1, b"Basic realm=\"web\"");
}

#[test]
fn what_reaches_beyond_the_message_is_an_effect() {
    let lines = [
        "set-log-level silent",
        "set-nice 5",
        "set-tos 0x10",
        "set-mark 7",
        "set-tos 300",
        "set-tos -1",
        "set-tos 010",
        "set-tos 99999999999999999999",
        "set-tos int(300)",
        "set-mark -1",
        "set-mark 4294967297",
        "set-src req.hdr(x-real)",
        "set-src-port int(99)",
        "set-priority-class int(-3)",
        "set-timeout server 5s",
        "set-timeout tunnel int(250)",
        "disable-l7-retry",
        "set-var(proc.x) int(1)",
        "early-hint Link <x>",
        "capture req.hdr(x-real) len 4",
        "capture path id 1",
    ];
    let mut session = session("/a/long/path", &[("X-Real", "198.51.100.1")]);
    assert_eq!(http_request(&rules(RuleSet::HttpRequest, &lines), 0, &mut session), Verdict::Continue);
    assert_eq!(
        session.effects,
        [
            "LogLevel(None)",
            "Nice(5)",
            "Tos(16)",
            "Mark(7)",
            "Tos(44)",
            "Tos(255)",
            "Tos(8)",
            "Tos(255)",
            "Tos(44)",
            "Mark(4294967295)",
            "Mark(1)",
            "Src(198.51.100.1)",
            "SrcPort(99)",
            "PriorityClass(-3)",
            "Timeout(Server, Some(5s))",
            "Timeout(Tunnel, Some(250ms))",
            "DisableL7Retry",
            "ProcVar(x, Some(Int(1)))",
            "EarlyHint { name: \"Link\", value: [60, 120, 62], last: true }",
        ]
    );
    let captured = &session.fixture.captures.request;
    assert_eq!(captured.len(), 3);
    assert_eq!(captured[2].as_deref(), Some(&b"198."[..]));
    assert_eq!(captured[1].as_deref(), Some(&b"/a/long/path"[..]));
}

#[test]
fn responses_have_their_own_rules() {
    let mut session = session("/", &[]);
    let mut response = Head::response(200, b"OK");
    response.add(b"Server", b"x");
    session.fixture.response = Some(response);
    let lines = [
        "set-status 503 reason Busy",
        "del-header server",
        "set-header X-S %[status]",
        "deny if { status 404 }",
    ];
    assert_eq!(http_response(&rules(RuleSet::HttpResponse, &lines), 0, &mut session), Verdict::Continue);
    let response = session.fixture.response.as_ref().expect("a response");
    assert_eq!(head(response), "HTTP/1.1 503 Busy|x-s: 503");
    let denied = http_response(&rules(RuleSet::HttpResponse, &["deny if { status 503 }"]), 0, &mut session);
    assert!(matches!(denied, Verdict::Deny(answer) if answer.status == 502));
}

#[test]
fn a_body_is_waited_for_and_the_rules_resume() {
    let mut session = session("/", &[]);
    let rules = rules(
        RuleSet::HttpRequest,
        &["wait-for-body time 2s at-least 4", "deny if { req.body_len 5 }", "set-header X-After 1"],
    );
    let Verdict::WaitForBody { rule, time, at_least } = http_request(&rules, 0, &mut session) else {
        panic!("waits");
    };
    assert_eq!((rule, time.as_secs(), at_least), (1, 2, 4));
    session.fixture.data = b"12345".to_vec();
    assert!(matches!(http_request(&rules, rule, &mut session), Verdict::Deny(_)));
    assert!(matches!(http_request(&rules, 0, &mut session), Verdict::Deny(_)));
}

fn tcp(set: RuleSet, lines: &[&str]) -> Vec<TcpRule> {
    let machine = Machine::default();
    let mut language = language(&machine);
    let read: Vec<_> = lines
        .iter()
        .filter_map(|line| {
            let words = words(line);
            language.tcp_rule(set, &words, words[0].span)
        })
        .collect();
    let said = messages(&language.finish());
    assert!(said.is_empty(), "{lines:?}: {said:?}");
    read
}

#[test]
fn first_bytes_are_waited_for_rule_by_rule() {
    let rules = tcp(
        RuleSet::TcpContent,
        &["reject if { src 10.0.0.0/8 }", "accept if { req.len gt 3 }", "reject if WAIT_END", "accept"],
    );
    let mut session = session("/", &[]);
    session.fixture.http = false;
    session.fixture.is_final = false;
    session.fixture.data = b"ab".to_vec();
    assert_eq!(tcp_content(&rules, 0, Dir::Req, &mut session), Verdict::Wait { rule: 1 });
    session.fixture.data = b"abcd".to_vec();
    assert_eq!(tcp_content(&rules, 1, Dir::Req, &mut session), Verdict::Continue);
    session.fixture.data = b"ab".to_vec();
    session.fixture.is_final = true;
    assert_eq!(tcp_content(&rules, 1, Dir::Req, &mut session), Verdict::Reject);
}

#[test]
fn rules_are_refused_with_reasons() {
    let table = [
        (
            RuleSet::HttpRequest,
            "dney",
            "Alert: 'http-request' expects an action, but got 'dney'. | did you mean 'deny'?",
        ),
        (
            RuleSet::HttpResponse,
            "set-path /x",
            "Alert: 'http-response' expects an action, but got 'set-path'.",
        ),
        (
            RuleSet::HttpRequest,
            "track-sc0 src",
            "Warning: 'http-request track-sc0' has no effect : stick tables are not implemented yet.",
        ),
        (
            RuleSet::HttpRequest,
            "do-resolve(txn.a) src",
            "Alert: 'do-resolve' expects '(<var>,<resolvers>[,ipv4|ipv6])' and an expression.",
        ),
        (RuleSet::HttpRequest, "set-header X-A", "Alert: expects exactly 2 arguments."),
        (RuleSet::HttpRequest, "set-header X:A b", "Warning: 'set-header' : 'X:A' is no valid header name."),
        (
            RuleSet::HttpRequest,
            "set-header X-A %[status]",
            "Alert: sample fetch <status> may not be reliably used here",
        ),
        (RuleSet::HttpRequest, "deny status 99", "Alert: Unexpected status code '99'."),
        (
            RuleSet::HttpRequest,
            "deny iff { src 10.0.0.1 }",
            "Alert: 'http-request deny' expects either 'if' or 'unless' followed by a condition but found 'iff'.",
        ),
        (
            RuleSet::HttpRequest,
            "allow iff TRUE",
            "Alert: 'http-request allow' expects either 'if' or 'unless' followed by a condition but found 'iff'.",
        ),
        (
            RuleSet::HttpRequest,
            "deny if { sc0_conn_cur gt 5 }",
            "Alert: sample fetch 'sc0_conn_cur' cannot be used",
        ),
        (
            RuleSet::HttpRequest,
            "return status 200 string x",
            "Alert: a content type must be defined when non-empty payload is configured.",
        ),
        (RuleSet::HttpRequest, "deny errorfile none.http", "Alert: error opening file 'none.http'."),
        (
            RuleSet::HttpRequest,
            "set-var(txn.a",
            "Alert: incomplete argument after action 'set-var(txn.a'. Expects 'set-var(<var-name>)', 'set-var-fmt(<var-name>)' or 'unset-var(<var-name>)'.",
        ),
        (RuleSet::HttpRequest, "set-var(a) int(1)", "Alert: invalid variable name 'a'."),
        (
            RuleSet::HttpRequest,
            "replace-path ( x",
            "Alert: failed to parse the regex : regex '(' is invalid (error=missing closing parenthesis, erroffset=1)",
        ),
        (RuleSet::HttpRequest, "redirect code 301", "Alert: redirection type expected"),
        (
            RuleSet::HttpRequest,
            "redirect location / code 300",
            "Alert: 'code': unsupported HTTP code '300' (must be one of 301, 302, 303, 307 or 308).",
        ),
        (RuleSet::HttpRequest, "capture path id 9", "Alert: 'capture' : unable to find capture id '9'"),
        (
            RuleSet::HttpRequest,
            "normalize-uri path-strip-dots",
            "Alert: unknown normalizer 'path-strip-dots'. | did you mean 'path-strip-dot'?",
        ),
        (RuleSet::HttpResponse, "tarpit", "Alert: 'http-response' expects an action, but got 'tarpit'."),
    ];
    for (set, line, want) in table {
        let machine = Machine::default();
        let mut language = language(&machine);
        let all = words(line);
        language.http_rule(set, &all, all[0].span);
        let said = messages(&language.finish());
        assert!(said.iter().any(|s| s.starts_with(want)), "{line}: {said:#?}");
    }
}

#[test]
fn what_the_engine_does_not_do_is_said_or_refused() {
    let table =
        [(RuleSet::TcpContent, "set-nice -1", "Warning: 'set-nice' with a negative value has no effect")];
    for (set, line, want) in table {
        let machine = Machine::default();
        let mut language = language(&machine);
        let all = words(line);
        language.tcp_rule(set, &all, all[0].span);
        let said = messages(&language.finish());
        assert!(said.iter().any(|s| s.starts_with(want)), "{line}: {said:#?}");
    }
}

#[test]
fn an_old_redirect_is_a_plain_string() {
    let machine = Machine::default();
    let mut language = language(&machine);
    let line = words("prefix / code 301 drop-query append-slash if { path_sub q }");
    let rule = language.redirect(&line, line[0].span).expect("reads");
    assert!(language.finish().is_empty());
    let mut session = session("/p/q?x=1", &[("Host", "h")]);
    let Verdict::Answer(answer) = http_request(&[rule], 0, &mut session) else { panic!("an answer") };
    assert_eq!(field(&answer, "location"), b"/p/q/");
}
