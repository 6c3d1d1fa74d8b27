//! Every normalizer of `normalize-uri` with every short text of what it is about: what the server is asked for, beside
//! HAProxy.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::lab::{Config, Lab, Part, Program, beside, proxy};

use super::PATIENCE;

/// A normalizer, the pieces its targets are made of and how many of them at most.
const NORMALIZERS: [(&str, &[&str], u32); 12] = [
    ("path-merge-slashes", PATHS, 4),
    ("path-strip-dot", PATHS, 4),
    ("path-strip-dotdot", PATHS, 5),
    ("path-strip-dotdot full", PATHS, 5),
    ("query-sort-by-name", &["?", "&", "=", "a", "B", "ab"], 4),
    ("percent-to-uppercase", PERCENT, 4),
    ("percent-to-uppercase strict", PERCENT, 4),
    ("percent-decode-unreserved", PERCENT, 4),
    ("percent-decode-unreserved strict", PERCENT, 4),
    ("fragment-strip", FRAGMENTS, 4),
    ("fragment-encode", FRAGMENTS, 4),
    // All of them after one another, in the order of the documentation.
    ("path-merge-slashes", &["/", "../", "./", "%2e", "?", "b", "&a=1", "%7E"], 4),
];
const PATHS: &[&str] = &["/", ".", "..", "a", "?"];
const PERCENT: &[&str] = &["%", "%7", "e", "%2f", "/", "?"];
const FRAGMENTS: &[&str] = &["#", "/", "?", "a", "%23"];

/// What follows the normalizer of the last line.
const AND_ALL: &str = "\
    http-request normalize-uri path-strip-dot
    http-request normalize-uri path-strip-dotdot full
    http-request normalize-uri percent-decode-unreserved
    http-request normalize-uri percent-to-uppercase
    http-request normalize-uri query-sort-by-name
";

const BEGIN: &str = "\
global
    log stdout format raw local0
    expose-experimental-directives
    nbthread 1

defaults
    mode http
    option accept-invalid-http-request
    timeout client 10s
    timeout server 10s
    timeout connect 10s

backend o
    server one 127.0.0.1:9000
";

/// Forms of a target that have more than a path, and what is longer than every list of parameters may be.
fn odd_targets() -> Vec<String> {
    let texts = [
        "*",
        "http://h",
        "http://h/",
        "http://h?b&a",
        "http://h//.//x/../%7e%2f?b=2&a=1#f",
        "http://h:80/..#?",
    ];
    let mut odd: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    odd.extend([1, 1023, 1024, 1025].map(|count| format!("/?{}", vec!["b"; count].join("&"))));
    odd
}

/// `/` and every text of at most so many of the pieces; some can be made in several ways.
fn targets(pieces: &[&str], most: u32) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut from = 0;
    for _ in 0..most {
        let longer =
            all[from..].iter().flat_map(|text| pieces.iter().map(move |piece| format!("{text}{piece}")));
        let longer: Vec<String> = longer.collect();
        from = all.len();
        all.extend(longer);
    }
    let mut all: Vec<String> = all.iter().map(|text| format!("/{text}")).chain(odd_targets()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Answers each request with the target it came with.
fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let (mut pending, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        pending.extend_from_slice(&piece[..read]);
        if !pending.ends_with(b"\r\n\r\n") {
            continue;
        }
        let target = pending.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", target.len());
        stream.write_all(&[head.as_bytes(), target].concat())?;
        pending.clear();
    }
}

/// Asks for one target on a connection that is kept where the proxy keeps it: the status, and what the server was asked.
fn ask(connection: &mut Option<TcpStream>, port: usize, target: &str) -> String {
    let mut stream = connection.take().unwrap_or_else(|| {
        let stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    });
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).unwrap();
    let (mut answer, mut piece) = (Vec::new(), [0; 32768]);
    loop {
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if length.is_none_or(|length: usize| body.len() >= length) {
                let status = head.get(9..12).unwrap_or_default().to_owned();
                let body = if status == "200" { body.to_owned() } else { String::new() };
                *connection = (status == "200").then_some(stream);
                return format!("{status} {body}");
            }
        }
        match stream.read(&mut piece) {
            Ok(read) if read > 0 => answer.extend_from_slice(&piece[..read]),
            end => return format!("{end:?} after {answer:?}"),
        }
    }
}

/// Normalizer and target to what came of it.
fn observe(lab: &Lab, name: &str, program: &Program) -> BTreeMap<(usize, String), String> {
    let host = lab.host(name);
    let listener = host.run(|| TcpListener::bind("127.0.0.1:9000").unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || echo(stream));
        }
    });
    let sections = NORMALIZERS.iter().enumerate().map(|(at, (normalizer, ..))| {
        let all = if at + 1 == NORMALIZERS.len() { AND_ALL } else { "" };
        let port = 12000 + at;
        format!(
            "\nfrontend f{at}\n    bind 127.0.0.1:{port}\n    http-request normalize-uri {normalizer}\n{all}    \
             default_backend o\n"
        )
    });
    let text = format!("{BEGIN}{}", sections.collect::<String>());
    let _proxy = host.haproxy_bound(program, &Config::written(&host, "haproxy.cfg", &text));
    let walk = |at: usize, pieces: &[&str], most: u32| {
        let mut connection = None;
        let seen = targets(pieces, most).into_iter().map(|target| {
            let seen = ask(&mut connection, 12000 + at, &target);
            ((at, target), seen)
        });
        seen.collect::<Vec<_>>()
    };
    host.run(|| {
        std::thread::scope(|scope| {
            let hands: Vec<_> = NORMALIZERS
                .iter()
                .enumerate()
                .map(|(at, (_, pieces, most))| scope.spawn(move || walk(at, pieces, *most)))
                .collect();
            hands.into_iter().flat_map(|hand| hand.join().unwrap()).collect()
        })
    })
}

/// Whether a target is treated otherwise than by HAProxy 2.6, and why.
fn is_different(target: &str) -> bool {
    // As 3.5: an asterisk is for OPTIONS, and an empty path is written as `/` or, before a query, left alone.
    ["*", "http://h", "http://h?b&a"].contains(&target)
        // There are no more parameters than can be sorted.
        || target.matches('&').count() >= 1024
}

#[test]
fn the_same_targets_as_haproxy() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| observe(&lab, name, program));
    let changed = theirs.iter().filter(|((_, target), seen)| **seen != format!("200 {target}")).count();
    println!("{} targets, {changed} of them changed or refused", theirs.len());
    assert!(
        changed > theirs.len() / 3,
        "the normalizers have something to do: {changed} of {}",
        theirs.len()
    );
    let wrong: Vec<String> = theirs
        .iter()
        .filter(|(case, seen)| ours[case] != **seen && !is_different(&case.1))
        .map(|((at, target), seen)| {
            let (short, ours) = (target.get(..60).unwrap_or(target), &ours[&(*at, target.clone())]);
            format!("{} {short}: {ours:.60?} instead of {seen:.60?}", NORMALIZERS[*at].0)
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), theirs.len(), wrong.join("\n"));
}
