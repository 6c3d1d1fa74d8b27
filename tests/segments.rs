//! How many segments a request and its answer take, as the kernel counts them for each socket: beside HAProxy.

use std::time::Duration;

use crate::lab::{Config, Connection, Host, Lab, Part, Program, proxy, wait_for};

const PATIENCE: Duration = Duration::from_secs(20);

const CONFIG: &str = "\
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend origin
    bind 127.0.0.1:9000
    bind 127.0.0.1:9001
    http-request return status 200
listen smart
    bind 127.0.0.1:8000
    server s 127.0.0.1:9000
listen eager
    bind 127.0.0.1:8001
    no option tcp-smart-accept
    option tcp-smart-connect
    server s 127.0.0.1:9001
listen smart_tcp
    mode tcp
    bind 127.0.0.1:8002
    option tcp-smart-accept
    server s 127.0.0.1:9000
listen eager_tcp
    mode tcp
    bind 127.0.0.1:8003
    server s 127.0.0.1:9000
";

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Segments that the only socket which `filter` finds has received.
fn received(host: &Host, filter: &str) -> u64 {
    let facts = host.tcp_facts(filter);
    let count = facts.split_whitespace().find_map(|word| word.strip_prefix("segs_in:")?.parse().ok());
    count.unwrap_or_else(|| panic!("no segs_in in {facts}"))
}

#[test]
fn a_request_is_acknowledged_by_its_answer_and_the_last_answer_closes() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let mut requests = Vec::new();
    let mut last = Vec::new();
    let mut connects = Vec::new();
    for (name, program) in [("theirs", Program::reference("haproxy")), ("ours", proxy())] {
        let host = lab.host(name);
        let config = Config::written(&host, "segments.cfg", CONFIG);
        let _proxy = host.haproxy(&program, &config);
        let open = |port: u16| {
            wait_for("the proxy", PATIENCE, || Connection::open(&host, &format!("127.0.0.1:{port}")).ok())
        };
        let counted = [8000, 8001, 8002, 8003].map(|port| {
            let mut client = open(port);
            client.exchange(GET).unwrap();
            let count = received(&host, &format!("state established dport = :{port}"));
            if port < 8002 {
                connects.push(received(&host, &format!("state established sport = :{}", port + 1000)));
            }
            count
        });
        requests.push(counted);
        let mut client = open(8000);
        client.exchange(LAST).unwrap();
        last.push(received(&host, "state close-wait dport = :8000"));
    }
    let [theirs, ours] = requests[..] else { unreachable!("two programs") };
    assert_eq!(ours, theirs, "segments a client gets with the first answer, by listener");
    assert_eq!([ours[0] + 1, ours[2] + 1], [ours[1], ours[3]], "one less where the answer acknowledges");
    assert_eq!(last[1] + 1, last[0], "the end of the connection comes with the answer");
    let [_, _, plain, smart] = connects[..] else { unreachable!("two servers of two programs") };
    // Its answer is acknowledged later, too.
    assert!(smart < plain, "the request completes the connection to the server: {smart} {plain}");
}
