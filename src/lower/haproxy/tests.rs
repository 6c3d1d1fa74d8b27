//! The tables against lowering.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use tandem_parser::diagnostic::Reason;
use tandem_parser::haproxy::{Arg, Effect, keywords, section};

use super::{Loaded, Source, load, server_line};
use crate::ir::Mode;
use crate::ir::check::{Rule, Step};
use crate::ir::proxy::Balance;
use crate::lower::Env;

/// A machine that has whatever is asked for.
struct Anything;

impl Env for Anything {
    fn var(&self, _: &str) -> Option<String> {
        None
    }

    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn user(&self, _: &str) -> Option<u32> {
        Some(1)
    }

    fn group(&self, _: &str) -> Option<u32> {
        Some(1)
    }

    fn resolve(&self, _: &str) -> Option<IpAddr> {
        Some(IpAddr::from([127, 0, 0, 1]))
    }
}

fn load_text(text: &str) -> Loaded {
    load(vec![Source { name: "t.cfg".into(), text: text.into() }], &Anything)
}

/// The shortest text that satisfies an argument.
fn sample(arg: &Arg) -> String {
    match arg {
        Arg::Word(_) | Arg::Some(_) => "x".into(),
        Arg::Int(_, low, _) => (*low).max(1).to_string(),
        Arg::Time(_) => "1s".into(),
        Arg::Or(_, arg) => sample(arg),
        Arg::Size | Arg::SizeIn(..) => "16k".into(),
        Arg::Addr | Arg::AddrBefore(_) | Arg::Addrs => "127.0.0.1:80".into(),
        Arg::Choice(words) | Arg::List(words) => words[0].into(),
        Arg::MustCond => "if TRUE".into(),
        Arg::Maybe(_) | Arg::OrEnd(_) | Arg::Rest | Arg::Cond | Arg::Settings(_) => String::new(),
    }
}

#[test]
fn every_keyword_that_promises_an_effect_is_taken() {
    let places =
        [(section::GLOBAL, "global"), (section::LISTEN, "listen l"), (section::RESOLVERS, "resolvers r")];
    for (bit, head) in places {
        for row in keywords::all().filter(|row| row.effect == Effect::Full && row.sections & bit != 0) {
            let arguments: Vec<String> = row.args.iter().map(sample).collect();
            let text = format!("{head}\n {} {}\n", row.name, arguments.join(" "));
            let untaken = format!("'{}' is accepted but has no effect in Tandem yet.", row.name);
            let loaded = load_text(&text);
            let mut said = loaded.diagnostics.iter().filter(|d| d.reason == Reason::NoEffect);
            assert!(said.all(|d| d.message != untaken), "{text}");
        }
    }
}

#[test]
fn settings_of_later_lines_win_and_defaults_reach_the_proxies() {
    let loaded = load_text(
        "global\n log 127.0.0.1 local0\n\
         defaults\n mode http\n log global\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n \
         option httplog\n default-server inter 5s fall 9\n balance leastconn\n\
         backend b\n timeout server 7s\n no log\n log stdout format raw daemon\n \
         server one 127.0.0.1:1 check fall 4\n default-server inter 6s\n server two 127.0.0.1:2 check\n",
    );
    let config = loaded.config.expect("valid");
    let proxy = &config.proxies[0];
    assert_eq!(proxy.timeouts.server.map(|time| time.as_secs()), Some(7));
    assert_eq!(proxy.timeouts.connect.map(|time| time.as_secs()), Some(1));
    assert_eq!(proxy.logs.len(), 1);
    let backend = proxy.backend.as_ref().expect("a backend");
    assert_eq!(backend.balance, crate::ir::proxy::Balance::LeastConn);
    let check = |nth: usize| backend.servers[nth].check.clone().expect("checked");
    assert_eq!((check(0).inter.as_secs(), check(0).fall), (5, 4));
    assert_eq!((check(1).inter.as_secs(), check(1).fall), (6, 9));
}

#[test]
fn rules_of_a_check_take_nothing_from_the_request_of_defaults() {
    let loaded = load_text(
        "defaults\n mode http\n timeout server 1s\n timeout connect 1s\n option httpchk GET /x\n \
         http-check send hdr a b\n http-check expect status 201\n\
         backend expects\n http-check expect status 200\n server s 127.0.0.1:1 check\n\
         backend sends\n http-check send hdr c d\n server s 127.0.0.1:1 check\n\
         backend connects\n http-check connect\n server s 127.0.0.1:1 check\n\
         backend none\n http-check disable-on-404\n server s 127.0.0.1:1 check\n",
    );
    let config = loaded.config.expect("valid");
    let steps = |name: &str| {
        let proxy = config.proxies.iter().find(|proxy| proxy.name == name).expect("the proxy");
        let rules = &proxy.backend.as_ref().expect("a backend").check.rules;
        let word = |rule: &Rule| match &rule.step {
            Step::Connect(_) => "connect".to_owned(),
            Step::SendHttp(request) => format!("{} {:?}", request.method, request.uri),
            Step::Expect(_) => "expect".to_owned(),
            other => format!("{other:?}"),
        };
        rules.iter().map(word).collect::<Vec<_>>()
    };
    // HAProxy 2.6 sends nothing then, and waits for an answer.
    assert_eq!(steps("expects"), ["expect"]);
    assert_eq!(steps("connects"), ["connect"]);
    assert!(steps("sends").concat().starts_with("OPTIONS"), "{:?}", steps("sends"));
    assert!(steps("none").concat().starts_with("GET"), "{:?}", steps("none"));
    assert_eq!(steps("none").len(), 2);
}

#[test]
fn extensions_of_the_proxy_header_pass_on_to_servers_that_start_from_others() {
    let loaded = load_text(
        "defaults\n mode http\n\
         backend far\n default-server weight 3 send-proxy-v2 set-proxy-v2-tlv-fmt(0xE1) one\n\
         default-server name special set-proxy-v2-tlv-fmt(0xE2) two\n\
         server standing 127.0.0.1:1 set-proxy-v2-tlv-fmt(0xE3) three\n\
         backend near\n server a 127.0.0.1:1 from be:far\n server b 127.0.0.1:1 from srv:far/special\n\
         server c 127.0.0.1:1 from srv:far/standing set-proxy-v2-tlv-fmt(0xE4) four\n server d 127.0.0.1:1\n",
    );
    let config = loaded.config.expect("valid");
    let half = |at: usize| config.proxies[at].backend.as_deref().unwrap();
    let kinds =
        |server: &crate::ir::Server| server.link.proxy_tlvs.iter().map(|tlv| tlv.kind).collect::<Vec<_>>();
    let of_near: Vec<_> = half(1).servers.iter().map(kinds).collect();
    assert_eq!(of_near, [vec![0xe1], vec![0xe2], vec![0xe1, 0xe3, 0xe4], vec![]]);
    let words = ["x", "127.0.0.1:1", "set-proxy-v2-tlv-fmt(0xE5)", "five"].map(str::to_owned);
    let origin = half(0).default_server.clone();
    let added = server_line("near", Mode::Http, &words, origin, &Anything).unwrap();
    assert_eq!(kinds(&added), [0xe1, 0xe5]);
    assert_eq!(added.weight, 3);
}

#[test]
fn nothing_is_left_of_a_configuration_with_an_alert() {
    let loaded = load_text("frontend f\n bind :80\n no-such-word\n");
    assert!(loaded.config.is_none());
    assert_eq!(loaded.counts().0, 1);
}

#[test]
fn conditions_of_the_command_line_are_judged_like_those_of_files() {
    use crate::lower::condition;
    assert_eq!(condition("version_atleast(2.5-dev0) && feature(THREAD)"), Ok(true));
    assert_eq!(condition("feature(QUIC)"), Ok(false));
    assert_eq!(condition("streq(\"$NO_SUCH_VARIABLE\",'')"), Ok(true));
    assert!(condition("feature(").is_err());
}

/// What the rules of a `listen` section do, without where they stand.
fn rules_of(lines: &str) -> String {
    let text = format!(
        "listen l\n mode http\n bind :80\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n \
         acl a path_beg /a\n acl b path_beg /b\n{lines}\n"
    );
    let loaded = load_text(&text);
    let said: Vec<_> = loaded.diagnostics.iter().map(|d| &d.message).collect();
    let config = loaded.config.unwrap_or_else(|| panic!("{lines}: {said:#?}"));
    let proxy = &config.proxies[0];
    let actions = proxy.http_request.iter().chain(&proxy.http_response);
    let text = |cond: &crate::ir::expr::Cond| format!("{} {:?}", cond.text, cond.any);
    actions.map(|rule| format!("{:?} {:?}\n", rule.action, rule.cond.as_ref().map(text))).collect()
}

#[test]
fn rules_of_old_do_what_their_modern_lines_do() {
    for (old, modern) in [
        (" reqidel ^X-Forwarded-For:.*", " http-request del-header X-Forwarded-For"),
        (" rspidel ^Server:", " http-response del-header Server"),
        (
            " reqrep ^([^\\ :]*)\\ /static/(.*) \\1\\ /\\2 if a",
            " http-request replace-pathq '^/static/(.*)' '/\\1' if a",
        ),
        (" reqirep ^Host:\\ www.(.*) Host:\\ \\1", " http-request replace-header Host '(?i)^www.(.*)' '\\1'"),
        (
            " rsprep ^(Set-Cookie:.*) \\1;\\ Secure",
            " http-response replace-header Set-Cookie '^(.*)' '\\1; Secure'",
        ),
        (
            " reqideny ^Host:\\ .*evil unless a",
            " http-request deny if { req.fhdr(Host) -m reg -i -- ^.*evil } !a",
        ),
        (" block if a", " http-request deny if a"),
        (" reqadd X-A:\\ 1", " http-request add-header X-A 1"),
        // Their turns: block, today's rules, those that search, those that add, redirections.
        (
            " redirect prefix /x if b\n reqadd X-A:\\ 1\n reqidel ^X-B:\n http-request set-header X-B 2\n block if a",
            " http-request deny if a\n http-request set-header X-B 2\n http-request del-header X-B\n http-request add-header X-A 1\n redirect prefix /x if b",
        ),
    ] {
        assert_eq!(rules_of(old), rules_of(modern), "{old}");
    }
}

#[test]
fn every_retired_name_keeps_its_meaning_or_says_why_it_cannot() {
    for (line, modern) in [
        ("appsession JSESSIONID len 52 timeout 3h", "use 'cookie'"),
        ("bind-process 1", "remove it"),
        ("block if a", "write: http-request deny if a"),
        ("cliexp ^Host:(.*) Host:x", "write: http-request replace-header Host ^(.*) x"),
        ("clitimeout 5000", "write: timeout client 5000"),
        ("contimeout 5000", "write: timeout connect 5000"),
        ("dispatch 127.0.0.1:80", ""),
        ("grace 1", "remove it"),
        ("redisp", "write: option redispatch"),
        ("redispatch", "write: option redispatch"),
        ("srvexp ^Server:(.*) Server:x", "write: http-response replace-header Server ^(.*) x"),
        ("srvtimeout 5000", "write: timeout server 5000"),
        ("transparent", "write: option transparent"),
        ("reqadd X-A:\\ b", "write: http-request add-header X-A b"),
        ("reqallow ^Host:a", "write: http-request allow if { req.fhdr(Host) -m reg -- ^a }"),
        ("reqdel ^X-A:", "write: http-request del-header X-A"),
        ("reqdeny ^X-A:", "write: http-request deny if { req.fhdr(X-A) -m found }"),
        ("reqiallow ^Host:a", "write: http-request allow if { req.fhdr(Host) -m reg -i -- ^a }"),
        ("reqidel ^X-A:", "write: http-request del-header X-A"),
        ("reqideny ^X-A:", "write: http-request deny if { req.fhdr(X-A) -m found }"),
        ("reqirep ^Host:(.*) Host:x", "write: http-request replace-header Host (?i)^(.*) x"),
        ("reqitarpit ^X-A:", "write: http-request tarpit if { req.fhdr(X-A) -m found }"),
        ("reqrep ^Host:(.*) Host:x", "write: http-request replace-header Host ^(.*) x"),
        ("reqtarpit ^X-A:", "write: http-request tarpit if { req.fhdr(X-A) -m found }"),
        ("rspadd X-A:\\ b", "write: http-response add-header X-A b"),
        ("rspdel ^X-A:", "write: http-response del-header X-A"),
        ("rspdeny ^X-A:", "write: http-response deny if { res.fhdr(X-A) -m found }"),
        ("rspidel ^X-A:", "write: http-response del-header X-A"),
        ("rspideny ^X-A:", "write: http-response deny if { res.fhdr(X-A) -m found }"),
        ("rspirep ^Server:(.*) Server:x", "write: http-response replace-header Server (?i)^(.*) x"),
        ("rsprep ^Server:(.*) Server:x", "write: http-response replace-header Server ^(.*) x"),
    ] {
        let text = format!("listen l\n mode http\n bind :80\n acl a path_beg /a\n {line}\n");
        let loaded = load_text(&text);
        let said: Vec<_> = loaded.diagnostics.iter().map(|d| (d.reason, d.help.clone())).collect();
        assert!(loaded.config.is_some(), "{line}: {said:#?}");
        let retired = said.iter().find(|(reason, _)| *reason == Reason::Retired);
        let help = retired.and_then(|(_, help)| help.first()).map(String::as_str).unwrap_or_default();
        assert!(help.starts_with(modern), "{line}: {help}");
    }
    // Lines that later rules are not to look at: each later rule would need a condition.
    for line in ["reqpass ^Host:", "reqipass ^Host:"] {
        let loaded = load_text(&format!("listen l\n mode http\n bind :80\n {line}\n"));
        assert!(loaded.config.is_none(), "{line}");
    }
}

#[test]
fn log_backends_are_judged_as_by_the_releases_that_have_them() {
    let cases = [
        ("", "", true),
        ("roundrobin", "consistent", true),
        ("random(3)", "", true),
        ("sticky", "consistent djb2", true),
        ("log-hash field(2,/)", "map-based djb2 avalanche", true),
        ("log-hash field(2,/)", "consistent", false),
        ("log-hash field(2,/)", "consistent wt6 avalanche", false),
        ("log-hash", "", false),
        // Of these there is a warning, and the lines go round robin.
        ("uri", "consistent", true),
        ("url_param x", "", true),
        ("hdr(x)", "", true),
        ("static-rr", "", false),
        ("leastconn", "", false),
        ("first", "", false),
        ("source", "", false),
        ("rdp-cookie", "", false),
        ("hash src", "", false),
    ];
    for (balance, hash_type, taken) in cases {
        let line = |name: &str, rest: &str| {
            if rest.is_empty() { String::new() } else { format!(" {name} {rest}\n") }
        };
        let lines = line("balance", balance) + &line("hash-type", hash_type);
        let loaded = load_text(&format!("backend b\n mode log\n{lines} server s udp@127.0.0.1:514\n"));
        assert_eq!(loaded.counts().0 == 0, taken, "{lines}");
    }
}

#[test]
fn balance_of_log_backends_is_round_robin_elsewhere() {
    // In `defaults`, too, and with converters that nobody looks at.
    for line in ["balance log-hash nothing,of_the_kind", "balance sticky"] {
        for mode in ["http", "tcp"] {
            let section = format!("defaults\n {line}\nbackend b\n mode {mode}\n server s 127.0.0.1:1\n");
            let loaded = load_text(&section);
            let said: Vec<_> = loaded.diagnostics.iter().map(|d| d.message.as_str()).collect();
            let expected =
                "Unusable balance algorithm for backend 'b' (needs 'mode log'). Falling back to round robin.";
            assert!(said.contains(&expected), "{line}: {said:?}");
            let config = loaded.config.unwrap();
            let backend = config.proxies[0].backend.as_ref().unwrap();
            assert_eq!(backend.balance, Balance::RoundRobin, "{line}");
            assert!(backend.hash_expr.is_none(), "{line}");
        }
    }
    // In a log backend it is what it says, from wherever it comes.
    for text in [
        "defaults\n balance log-hash lower\nbackend b\n mode log\n server s udp@127.0.0.1:514\n",
        "backend b\n balance log-hash lower\n mode log\n server s udp@127.0.0.1:514\n",
    ] {
        let config = load_text(text).config.unwrap();
        let backend = config.proxies[0].backend.as_ref().unwrap();
        assert_eq!(backend.balance, Balance::Hash, "{text}");
        assert_eq!(backend.hash_expr.as_ref().map(|expr| expr.convs.len()), Some(1), "{text}");
    }
    let loaded = load_text("backend b\n mode http\n balance log-hash\n");
    assert!(loaded.config.is_none(), "no converters");
}

#[test]
fn words_of_balance_mean_what_they_mean_to_haproxy() {
    for (line, expected) in [
        // What a client of RDP sends its cookie as.
        ("rdp-cookie", Balance::RdpCookie("mstshash".into())),
        ("rdp-cookie(x)y", Balance::RdpCookie("x".into())),
        ("random", Balance::Random(2)),
        ("random()", Balance::Random(2)),
        ("randomly", Balance::Random(2)),
        ("random(010)", Balance::Random(8)),
        ("random(3)x", Balance::Random(3)),
        ("url_param a check_post 10 20", Balance::UrlParam("a".into())),
        ("hdr(Host) use_domain_only x", Balance::Hdr { name: "Host".into(), domain_only: true }),
    ] {
        let loaded = load_text(&format!("backend b\n mode http\n balance {line}\n"));
        let config = loaded.config.unwrap_or_else(|| panic!("{line}"));
        assert_eq!(config.proxies[0].backend.as_ref().unwrap().balance, expected, "{line}");
    }
}
