//! Who is let in first where limits let in few: ours and a real HAProxy with the same file.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::limits::{Bench, hold, visit};
use crate::lab::{Lab, Part, Program, beside, proxy};

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
