//! The same bytes sent to our proxy and to a real HAProxy, with the same file: what the client gets, what the
//! server gets and what the log says must be the same. The table is in [`cases`].

mod actions;
mod answers;
mod balance;
mod cases;
mod chunks;
mod counted;
mod eager;
mod endings;
mod files;
mod kept;
mod kernel;
mod let_in;
mod limited;
mod limits;
mod lines;
mod lingering;
mod named;
mod normalizers;
mod origin;
mod persistence;
mod processors;
mod queued;
mod retries;
mod rings;
mod rules;
mod samples;
mod silent;
mod sources;
mod taken;
mod transport;
mod upgrade;
mod watch;
mod wire;

use std::collections::HashMap;
use std::time::Duration;

use crate::lab::{Config, Lab, Part, Program, beside, proxy};

use cases::{CASES, Case};
use watch::{Bench, Seen};

/// Timeouts end the cases in which nothing happens; the others are over long before, on a slow machine too. The shortest is
/// that of a client that asks no more.
const CONFIG: &str = "\
global
    log stdout format raw local0
    nbthread 1
    maxconn 200

defaults
    mode http
    log global
    option httplog
    http-reuse never
    retries 1
    timeout connect 3s
    timeout client 4s
    timeout server 3s
    timeout http-request 4s
    timeout http-keep-alive 900ms

frontend plain
    bind 127.0.0.1:8000
    default_backend origin

frontend dressed
    bind 127.0.0.1:8001
    option forwardfor except 10.0.0.0/8
    option http-server-close
    option dontlognull
    http-response set-header X-Frame-Options DENY
    http-response set-header Server lab
    acl is_static path_end .css .js
    acl is_api path_beg /api/
    use_backend nobody if is_static
    use_backend sticky if is_api
    default_backend origin

backend origin
    server one 127.0.0.1:9000

backend sticky
    balance roundrobin
    cookie WHO insert indirect nocache
    server one 127.0.0.1:9000 cookie a
    server two 127.0.0.1:9000 cookie b backup

backend nobody
    server gone 127.0.0.1:9

listen counters
    bind 127.0.0.1:8002
    stats enable
    stats uri /stats
    stats realm Lab
    stats auth admin:secret
";

fn observe(lab: &Lab, name: &str, program: &Program) -> HashMap<&'static str, Seen> {
    let host = lab.host(name);
    let config = Config::written(&host, "haproxy.cfg", CONFIG);
    let bench = Bench::start(host, program, &config, &["8000", "8001", "8002"]);
    let seen = bench.run(CASES);
    // Whatever came in, the proxy still serves.
    let again = bench.run(&[Case::SOUND]);
    assert_eq!(again[Case::SOUND.name].status(), Some(200), "{name} no longer serves");
    seen
}

/// Where ours differs, and in what. Whatever is not named here is the same to the byte.
const DIFFERENT: &[(&str, &str)] = &[
    ("version 9", "the log has the version that was understood"),
    ("truncated body", "the server's connection is closed, HAProxy resets it, and the server keeps nothing"),
    ("nul in value", "as 3.5: no NUL in a value"),
    ("page without password", "the order of headers; the log has 401 and no server was waited for"),
    ("page with a wrong password", "as above"),
];

fn is_different(case: &Case) -> bool {
    DIFFERENT.iter().any(|(name, _)| *name == case.name)
}

/// What each case must be answered with, whoever the proxy is.
#[test]
fn bad_input_gets_the_right_answer() {
    let Some(lab) = Lab::open(&[]) else { return };
    let seen = observe(&lab, "subject", &proxy());
    let wrong: Vec<String> = CASES
        .iter()
        .filter(|case| seen[case.name].status() != case.status && !(proxy().is_ours() && is_different(case)))
        .map(|case| format!("{}: {:?} instead of {:?}", case.name, seen[case.name].status(), case.status))
        .collect();
    assert!(wrong.is_empty(), "{} of {} wrong\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
    let open: Vec<&str> = CASES.iter().filter(|case| !seen[case.name].closed).map(|case| case.name).collect();
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn the_same_bytes_as_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| observe(&lab, name, program));
    let (known, unknown): (Vec<_>, Vec<_>) = CASES
        .iter()
        .filter_map(|case| ours[case.name].differs(&theirs[case.name], case.name).map(|text| (case, text)))
        .partition(|(case, _)| is_different(case));
    let text = |differences: &[(&Case, String)]| -> String {
        differences.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n")
    };
    println!("{} of {} differ as is known\n{}", known.len(), CASES.len(), text(&known));
    assert!(unknown.is_empty(), "{} of {} differ\n{}", unknown.len(), CASES.len(), text(&unknown));
}

/// What rules make of the same requests: answers, messages to the server and log lines.
#[test]
fn the_same_rules_as_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let observe = |name: &str, program: &Program| {
        let host = lab.host(name);
        let config = Config::written(&host, "haproxy.cfg", rules::CONFIG);
        Bench::start(host, program, &config, &["8003", "8004"]).run(rules::CASES)
    };
    let (ours, theirs) = beside(&proxy(), "haproxy", observe);
    let wrong = rules::CASES.iter().filter(|case| theirs[case.name].status() != case.status);
    let wrong: Vec<_> = wrong.map(|case| (case.name, theirs[case.name].status())).collect();
    assert!(wrong.is_empty(), "the reference does not answer as the table says: {wrong:?}");
    let text: Vec<String> = rules::CASES
        .iter()
        .filter_map(|case| ours[case.name].differs(&theirs[case.name], case.name))
        .collect();
    assert!(text.is_empty(), "{} of {} differ\n{}", text.len(), rules::CASES.len(), text.join("\n"));
}

/// Long enough for every timeout of [`CONFIG`] one after the other.
const PATIENCE: Duration = Duration::from_secs(10);
