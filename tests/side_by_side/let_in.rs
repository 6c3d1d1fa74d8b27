//! Who is let in first where limits let in few, and how the process counts them: ours and a real HAProxy with the same file.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::limits::{Bench, hold, visit};
use crate::lab::{Lab, Part, Program, Stats, beside, eventually, proxy};

/// Where each second only one may come in, who comes to either of two listeners is served.
#[test]
fn no_listener_of_a_limited_frontend_starves() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let one = "
listen all
    bind 127.0.0.1:8401
    bind 127.0.0.1:8402
    rate-limit sessions 2
    server one 127.0.0.1:9100
";
    let served = |name: &str, program: &Program| {
        let bench = Bench::start(&lab, name, program, "    nbthread 1\n", one, 8401);
        hold(&bench.host).store(true, Ordering::Relaxed);
        bench.host.run(|| {
            let order = Mutex::new(Vec::new());
            std::thread::scope(|scope| {
                for port in [8401, 8401, 8401, 8401, 8402, 8402, 8402, 8402] {
                    let order = &order;
                    scope.spawn(move || {
                        assert!(visit(port).starts_with("HTTP/1.1 200 "), "{port}");
                        order.lock().unwrap().push(port);
                    });
                }
            });
            order.into_inner().unwrap()
        })
    };
    let (ours, theirs) = beside(&proxy(), "haproxy", served);
    println!("served {ours:?}, with HAProxy {theirs:?}");
    for order in [ours, theirs] {
        // Whoever is first at the start: the last ones are of both.
        assert!(order[2..].windows(4).all(|four| four.contains(&8401) && four.contains(&8402)), "{order:?}");
    }
}

/// `CumConns` and `CumReq`: sessions of TCP and those of the stats socket are in both, what is no request is not in the second.
#[test]
fn the_process_counts_whom_haproxy_counts() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let two = "
listen tcp
    mode tcp
    bind 127.0.0.1:8401
    server one 127.0.0.1:9100

listen http
    bind 127.0.0.1:8402
    server one 127.0.0.1:9100
";
    let counted = |name: &str, program: &Program| {
        let bench = Bench::start(&lab, name, program, "", two, 8402);
        hold(&bench.host).store(true, Ordering::Relaxed);
        let read = || {
            let text = bench.tell("show info");
            ["CumConns: ", "CumReq: "].map(|what| {
                let line = text.lines().find_map(|line| line.strip_prefix(what));
                line.and_then(|number| number.parse::<i64>().ok()).unwrap_or_else(|| panic!("{name}: {text}"))
            })
        };
        eventually("the probe to have come and gone", Duration::from_secs(10), || {
            let stats = Stats::parse(&bench.tell("show stat"));
            let number = |column| stats.number("http", "FRONTEND", column);
            number("stot") > 0 && number("scur") == 0
        });
        let (first, second) = (read(), read());
        bench.host.run(|| {
            for port in [8401, 8401, 8402] {
                assert!(visit(port).starts_with("HTTP/1.1 200 "), "{name}: {port}");
            }
            let mut client = TcpStream::connect("127.0.0.1:8402").unwrap();
            client.write_all(b"no request\r\n\r\n").unwrap();
            let mut answer = String::new();
            let _ = client.read_to_string(&mut answer);
            assert!(answer.starts_with("HTTP/1.1 400 "), "{name}: {answer:?}");
        });
        let last = read();
        [0, 1].map(|i| (second[i] - first[i], last[i] - second[i]))
    };
    let (ours, theirs) = beside(&proxy(), "haproxy", counted);
    assert_eq!(ours, theirs);
    assert_eq!(ours, [(1, 5), (1, 4)]);
}
