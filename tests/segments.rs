//! How many segments a request and its answer take, as the kernel counts them for each socket: beside HAProxy.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::lab::{Config, Connection, Host, Lab, Part, Program, beside, proxy, read_head, wait_for};

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

const TUNNEL: &str = "\
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen tunnel
    bind 127.0.0.1:8000
    server s 127.0.0.1:9000
";

/// From now on [`bare_ends`] are counted.
fn count_bare_ends(host: &Host) {
    // Both headers and time stamps are 52 bytes.
    host.sh(
        "nft 'table inet seen { counter clients {} ; counter servers {} ; chain out { type filter hook output priority 0;
         tcp flags & fin == fin meta length 52 tcp sport 8000 counter name clients
         tcp flags & fin == fin meta length 52 tcp dport 9000 counter name servers
         }; }'",
    );
}

/// Segments with the end of a connection and nothing else that went to clients, and to servers.
fn bare_ends(host: &Host) -> [u64; 2] {
    ["clients", "servers"].map(|name| {
        let counter = host.sh(&format!("nft list counter inet seen {name}"));
        let mut words = counter.split_whitespace().skip_while(|word| *word != "packets").skip(1);
        words.next().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{counter}"))
    })
}

/// How each side ends: so many bytes and the end in one segment, or the end when the bytes have come.
const ENDS: [(usize, bool); 3] = [(5, true), (20_000, true), (5, false)];

#[test]
fn the_last_bytes_of_a_tunnel_bring_the_end() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("nft")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| {
        let host = lab.host(name);
        count_bare_ends(&host);
        let listener = host.run(|| TcpListener::bind("127.0.0.1:9000").unwrap());
        let _proxy = host.haproxy_bound(program, &Config::written(&host, "tunnel.cfg", TUNNEL));
        ENDS.map(|(length, at_once)| {
            let before = bare_ends(&host);
            let mut client = host.run(|| TcpStream::connect("127.0.0.1:8000").unwrap());
            client.write_all(b"hello").unwrap();
            let (mut server, _) = listener.accept().unwrap();
            for stream in [&client, &server] {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
            }
            server.read_exact(&mut [0; 5]).unwrap();
            server.write_all(b"hello").unwrap();
            client.read_exact(&mut [0; 5]).unwrap();
            let last = vec![b'x'; length];
            let end = |mut from: &TcpStream, mut to: &TcpStream| {
                let mut came = vec![0; length];
                if at_once {
                    SockRef::from(from).send_with_flags(&last, libc::MSG_MORE).unwrap();
                    from.shutdown(Shutdown::Write).unwrap();
                    to.read_exact(&mut came).unwrap();
                } else {
                    from.write_all(&last).unwrap();
                    to.read_exact(&mut came).unwrap();
                    from.shutdown(Shutdown::Write).unwrap();
                }
                assert_eq!(to.read(&mut came).unwrap(), 0, "{name} has sent all");
                assert!(came == last, "{name} sends what it got");
            };
            // The client ends first, and is answered all the same.
            end(&client, &server);
            end(&server, &client);
            let after = bare_ends(&host);
            [after[0] - before[0], after[1] - before[1]]
        })
    });
    assert_eq!(ours, [[0, 0], [0, 0], [1, 1]], "ours");
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours[0], theirs[0], "to clients");
        // HAProxy does the same towards servers in later releases.
        assert!(ours[1] <= theirs[1], "to servers: {ours:?} {theirs:?}");
    }
}

const RESPONSES: &str = "\
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen responses
    bind 127.0.0.1:8000
    server s 127.0.0.1:9000
";

/// Responses after which the connection ends: how they are asked for, the head, the length of what follows, and whether
/// the server ends with it. The longest goes through a pipe.
const LAST_RESPONSES: [(&str, &str, usize, bool); 4] = [
    ("Connection: close", "200 OK\r\nContent-Length: 1000", 1000, false),
    ("Connection: close", "200 OK\r\nContent-Length: 2000000", 2_000_000, false),
    ("Connection: close", "200 OK", 1000, true),
    ("Connection: upgrade\r\nUpgrade: x", "101 Other\r\nConnection: upgrade\r\nUpgrade: x", 1000, true),
];

#[test]
fn the_last_bytes_of_a_response_bring_the_end() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy"), Part::Program("nft")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| {
        let host = lab.host(name);
        count_bare_ends(&host);
        let listener = host.run(|| TcpListener::bind("127.0.0.1:9000").unwrap());
        let _proxy = host.haproxy_bound(program, &Config::written(&host, "responses.cfg", RESPONSES));
        let bare = |(wish, head, length, ends): (&str, &str, usize, bool)| {
            let before = bare_ends(&host);
            let mut client = host.run(|| TcpStream::connect("127.0.0.1:8000").unwrap());
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client.write_all(format!("GET / HTTP/1.1\r\nHost: a\r\n{wish}\r\n\r\n").as_bytes()).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            server.set_read_timeout(Some(PATIENCE)).unwrap();
            read_head(&mut server).unwrap();
            server.write_all(format!("HTTP/1.1 {head}\r\n\r\n").as_bytes()).unwrap();
            read_head(&mut client).unwrap();
            let sent = std::thread::spawn(move || {
                let body = vec![b'x'; length];
                let (much, last) = body.split_at(length - 1000);
                server.write_all(much).unwrap();
                SockRef::from(&server).send_with_flags(last, libc::MSG_MORE).unwrap();
                if ends {
                    server.shutdown(Shutdown::Write).unwrap();
                } else {
                    server.set_nodelay(true).unwrap();
                }
                server
            });
            let mut came = Vec::new();
            client.read_to_end(&mut came).unwrap();
            assert_eq!(came.len(), length, "{name} sends what it got");
            drop(sent.join().unwrap());
            bare_ends(&host)[0] - before[0]
        };
        // Where much is under way, an acknowledgement may send the last of it a moment before the end.
        let tries = |length: usize| if length > 1000 { 10 } else { 1 };
        LAST_RESPONSES
            .map(|case| (0..tries(case.2)).map(|_| bare(case)).find(|count| *count == 0).unwrap_or(1))
    });
    for ((ours, theirs), (_, head, length, ends)) in ours.into_iter().zip(theirs).zip(LAST_RESPONSES) {
        assert_eq!(ours, 0, "{head}, {length} bytes");
        assert!(theirs == 0 || !ends, "{head}, {length} bytes: by HAProxy");
    }
}
