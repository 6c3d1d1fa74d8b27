//! Connections that come to a TCP proxy and go on as HTTP, the log lines of `option httpslog`, and trailers that end at
//! the proxy.

use crate::lab::{Config, Lab, Part, Program, beside, proxy};

use super::cases::{Case, get};
use super::watch::Bench;

const CONFIG: &str = "\
global
    log stdout format raw local0
    nbthread 1

defaults
    mode tcp
    log global
    option tcplog
    retries 1
    timeout connect 500ms
    timeout client 900ms
    timeout server 600ms
    timeout http-request 900ms
    timeout http-keep-alive 900ms

frontend either
    bind 127.0.0.1:8301
    tcp-request inspect-delay 5s
    tcp-request content switch-mode http if HTTP
    use_backend web if HTTP
    default_backend raw

frontend judged
    bind 127.0.0.1:8302
    tcp-request inspect-delay 500ms
    tcp-request content switch-mode http if HTTP
    tcp-request content reject
    http-request set-header x-judged yes
    http-request deny if { path_end /denied }
    http-response set-header x-answered yes
    default_backend web

frontend implied
    bind 127.0.0.1:8303
    default_backend web

frontend lost
    bind 127.0.0.1:8304
    tcp-request inspect-delay 500ms
    tcp-request content switch-mode http if HTTP
    default_backend raw

frontend told
    mode http
    bind 127.0.0.1:8307
    option httpslog
    capture request header Host len 20
    capture response header X-Kind len 20
    http-request return status 200 if { path_end /own }
    default_backend web

backend web
    mode http
    http-request set-header x-backend web
    server one 127.0.0.1:9000

backend raw
    server one 127.0.0.1:9000
";

const CASES: &[Case] = &[
    get("switched", "GET /@/plain HTTP/1.1\r\nHost: a\r\n\r\n", 200).on(8301),
    get(
        "switched and kept",
        "GET /@/plain HTTP/1.1\r\nHost: a\r\n\r\nGET /@/none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        200,
    )
    .on(8301),
    get("something else", "HELO /@/close there\r\n\r\n", 200).on(8301),
    get("with rules", "GET /@/plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200).on(8302),
    get("denied", "GET /@/denied HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 403).on(8302),
    get("rejected", "HELO there\r\n\r\n", 0).on(8302),
    get("bad", "GET /@/plain HTTP/1.1\r\nHo st: a\r\n\r\n", 0).on(8302),
    get("by its backend", "GET /@/plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200).on(8303),
    get("bad for its backend", "this is nothing\r\n\r\n", 400).on(8303),
    get("httpslog", "GET /@/plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200).on(8307),
    get("httpslog of an answer", "GET /@/own HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200).on(8307),
    get("httpslog of no request", "GET /@/own HTTP/1.1\r\nHo st: a\r\n\r\n", 400).on(8307),
    get("servers of no HTTP", "GET /@/plain HTTP/1.1\r\nHost: a\r\n\r\n", 0).on(8304),
];

#[test]
fn connections_become_http_as_haproxys_do() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let observe = |name: &str, program: &Program| {
        let host = lab.host(name);
        let config = Config::written(&host, "haproxy.cfg", CONFIG);
        Bench::start(host, program, &config, &["8304"]).run(CASES)
    };
    let (ours, theirs) = beside(&proxy(), "haproxy", observe);
    let text: Vec<String> =
        CASES.iter().filter_map(|case| ours[case.name].differs(&theirs[case.name], case.name)).collect();
    assert!(text.is_empty(), "{} of {} differ\n{}", text.len(), CASES.len(), text.join("\n"));
    let wrong: Vec<_> = CASES
        .iter()
        .map(|case| (case.name, ours[case.name].status(), case.status))
        .filter(|(_, got, wanted)| got != wanted)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

const TRAILERS: &str = "\
defaults
    mode http
    timeout connect 500ms
    timeout client 900ms
    timeout server 600ms

listen pass
    bind 127.0.0.1:8305
    server one 127.0.0.1:9000

listen drop
    bind 127.0.0.1:8306
    option http-drop-request-trailers
    option http-drop-response-trailers
    server one 127.0.0.1:9000
";

const SUM: &str = "POST /@/trailer HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5\r\nhello\r\n0\r\nX-Secret: 1\r\n\r\n";

const WITH_TRAILERS: &[Case] = &[get("pass", SUM, 200).on(8305), get("drop", SUM, 200).on(8306)];

/// HAProxy 2.6 has no such option.
#[test]
fn trailers_end_where_that_is_said() {
    let Some(lab) = Lab::open(&[]) else { return };
    if !proxy().is_ours() {
        return;
    }
    let host = lab.host("trailers");
    let config = Config::written(&host, "haproxy.cfg", TRAILERS);
    let seen = Bench::start(host, &proxy(), &config, &["8306"]).run(WITH_TRAILERS);
    let has = |name: &str| {
        let seen = &seen[name];
        (seen.request.contains("{hello}x-secret: 1"), seen.answer.contains("x-sum: 1"))
    };
    assert_eq!(has("pass"), (true, true), "{:?}", seen["pass"]);
    assert_eq!(has("drop"), (false, false), "{:?}", seen["drop"]);
    assert!(seen["drop"].request.ends_with("{hello}") && seen["drop"].answer.ends_with("0\r\n\r\n"));
}
