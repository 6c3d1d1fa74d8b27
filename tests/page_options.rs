//! What `stats` lines and the address make of the page, beside HAProxy's: the same is told and hidden.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::lab::{Config, Connection, Host, Lab, Part, Program, beside, get, proxy, wait_for};

/// `stats` lines, one proxy each.
const PAGES: &[&str] = &[
    "hide-version",
    "hide-version;uri /st;refresh 7s",
    "hide-version;uri /st?x;refresh 90",
    "hide-version;uri /st;scope .;scope be",
    "hide-version;uri /st;show-node;show-desc what people see;show-legends;show-modules",
    "hide-version;uri /st;show-node mine;show-desc",
    "hide-version;uri /st;realm My\\ Realm;auth u:p;auth v:q;admin if TRUE",
    "hide-version;uri /st;http-request deny if { hdr(x-a) deny };http-request auth realm Other if { hdr(x-a) auth };http-request allow;\
     admin if { hdr(x-a) admin }",
    "hide-version;uri /",
    "hide-version;enable;uri /st;refresh 0",
];

/// What stands behind the page's own address.
const TAILS: &[&str] = &[
    "",
    ";norefresh",
    ";up",
    ";no-maint",
    ";csv",
    ";csv;norefresh",
    ";up;csv",
    ";json",
    ";json-schema",
    ";typed",
    ";up;norefresh",
    "?scope=be",
    ";scope=be;up",
    "&scope=be",
    ";csv?scope=be",
    ";st=DONE",
    "x",
];

/// Headers that some pages look at: the right and the wrong password, and what their rules are about.
const WHO: &[&str] = &[
    "",
    "Authorization: Basic dTpw",
    "Authorization: Basic djpx",
    "Authorization: Basic dTpx",
    "X-A: deny",
    "X-A: auth",
    "X-A: admin",
];

fn config() -> String {
    let mut out = "global\n    node n1\n    description the whole machine\ndefaults\n    mode http\n    timeout connect 1s\n".to_owned();
    out += "    timeout client 10s\n    timeout server 10s\n";
    for (at, lines) in PAGES.iter().enumerate() {
        out += &format!("listen p{at}\n    bind 127.0.0.1:{}\n", 8001 + at);
        lines.split(';').for_each(|line| out += &format!("    stats {line}\n"));
    }
    out += "backend be\n    server off 127.0.0.1:9 disabled\n    server on 127.0.0.1:9\nbackend gone\n    server off 127.0.0.1:9 disabled\n";
    out
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Vec<&'t str> {
    text.split(before).skip(1).filter_map(|rest| Some(rest.split_once(after)?.0)).collect()
}

/// Text without its tags, and without numbers.
fn plain(html: &str) -> String {
    let mut inside = false;
    let text = html.chars().filter(|c| {
        inside = *c == '<' || inside && *c != '>';
        !inside && *c != '>' && !c.is_ascii_digit()
    });
    text.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What can be said of an answer whatever the page looks like.
fn facts(host: &Host, address: &str, path: &str, header: &str) -> Vec<String> {
    let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    let request = format!("GET {path} HTTP/1.1\r\nHost: lab\r\n{header}\r\n");
    let answer = Connection::open(host, address).unwrap().exchange(request).unwrap();
    let mut out = vec![answer.status.to_string()];
    for name in ["content-type", "refresh", "www-authenticate", "cache-control", "location"] {
        out.push(format!("{name}: {}", answer.header(name).unwrap_or_default()));
    }
    let text = answer.text();
    if text.trim_start().starts_with("<!DOCTYPE") {
        for part in ["title", "h1", "h2"] {
            out.extend(between(&text, &format!("<{part}>"), &format!("</{part}>")).into_iter().map(plain));
        }
        let rows: BTreeSet<&str> =
            between(&text, "name=\"", "\"").into_iter().filter(|n| n.contains('/')).collect();
        out.push(format!("{rows:?}"));
        out.push(format!("form {}", text.contains("name=\"action\"") || text.contains("name=action")));
    } else {
        // Which rows there are: their values differ, and newer programs have more columns.
        let names = |line: &&str| !line.starts_with(|c: char| "FLBS".contains(c)) || line.contains("name.1:");
        let beginning = |line: &str| match line.rsplit_once(':').filter(|_| line.contains("name.1:")) {
            Some((_, name)) => name.to_owned(),
            None => line.chars().take(12).filter(|c| !c.is_ascii_digit()).collect(),
        };
        out.extend(text.lines().filter(names).map(beginning));
    }
    out
}

fn all(lab: &Lab, name: &str, program: &Program) -> BTreeMap<String, Vec<String>> {
    let host = lab.host(name);
    let _proxy = host.haproxy(program, &Config::written(&host, "pages.cfg", &config()));
    wait_for("the pages", Duration::from_secs(20), || get(&host, "127.0.0.1:8001", "/").ok());
    let mut out = BTreeMap::new();
    for (at, lines) in PAGES.iter().enumerate() {
        let address = format!("127.0.0.1:{}", 8001 + at);
        let uri = lines.split(';').find_map(|line| line.strip_prefix("uri ")).unwrap_or("/haproxy?stats");
        let mut look = |path: &str, header: &str| {
            out.insert(format!("p{at} {path} {header}"), facts(&host, &address, path, header));
        };
        TAILS.iter().for_each(|tail| look(&format!("{uri}{tail}"), ""));
        WHO.iter().for_each(|header| look(uri, header));
        look("/elsewhere", "");
    }
    out
}

#[test]
fn every_option_of_the_page_does_what_haproxys_does() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| all(&lab, name, program));
    assert_eq!(ours.len(), theirs.len());
    let differing: Vec<_> = ours.iter().filter(|(what, seen)| theirs[*what] != **seen).collect();
    for (what, seen) in &differing {
        println!("{what}:\nours   {seen:?}\ntheirs {:?}", theirs[*what]);
    }
    assert!(differing.is_empty());
}

/// Told where it is asked for; 2.6 tells everybody unless told not to.
#[test]
fn the_version_is_shown_where_it_is_asked_for() {
    let Some(lab) = Lab::open(&[]) else { return };
    let host = lab.host("ours");
    let page = |name: &str, port: u16, line: &str| {
        format!("listen {name}\n    bind 127.0.0.1:{port}\n    stats {line}\n")
    };
    let config =
        "defaults\n    mode http\n    timeout connect 1s\n    timeout client 10s\n    timeout server 10s\n"
            .to_owned()
            + &page("shown", 8001, "show-version")
            + &page("hidden", 8002, "hide-version")
            + &page("default", 8003, "enable");
    let _proxy = host.haproxy(&proxy(), &Config::written(&host, "pages.cfg", &config));
    wait_for("the pages", Duration::from_secs(20), || get(&host, "127.0.0.1:8001", "/").ok());
    for (port, shown) in [(8001, true), (8002, false), (8003, false)] {
        let page = get(&host, &format!("127.0.0.1:{port}"), "/haproxy?stats").unwrap().text();
        assert_eq!(page.contains(tandem::HAPROXY_VERSION), shown, "{port}");
    }
}
