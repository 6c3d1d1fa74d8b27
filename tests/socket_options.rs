//! What the kernel is asked to do with connections, as `ss` and the kernel's own counters show it: beside HAProxy.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use socket2::SockRef;

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
    http-request return status 200
listen plain
    bind 127.0.0.1:8000
    server s 127.0.0.1:9000
listen set
    bind 127.0.0.1:8001 mss 1000 tfo CONTROL
    server s 127.0.0.1:9000 CONTROL
";

const FAST: &str = "\
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend fast_origin
    bind 127.0.0.1:9001 tfo
    http-request return status 200
listen fast
    bind 127.0.0.1:8002
    option http-server-close
    server s 127.0.0.1:9001 tfo
listen not_fast
    bind 127.0.0.1:8003
    option http-server-close
    server s 127.0.0.1:9001 tfo no-tfo
";

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Congestion control and largest segment of the only connection that `filter` finds.
fn seen(host: &Host, filter: &str) -> (String, u64) {
    let line = host.tcp_facts(&format!("state established '{filter}'"));
    let words: Vec<&str> = line.split_whitespace().collect();
    let control = words.iter().find(|w| matches!(**w, "reno" | "cubic" | "bbr")).unwrap_or(&"");
    let bytes = words.iter().find_map(|w| w.strip_prefix("mss:")).and_then(|n| n.parse().ok());
    ((*control).to_owned(), bytes.unwrap_or_else(|| panic!("no mss in {line}")))
}

/// Connections that came with data in their first packet.
fn opened_fast(host: &Host) -> u64 {
    let counter = host.sh("nstat -asz TcpExtTCPFastOpenPassive | tail -1");
    counter.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap()
}

#[test]
fn the_kernel_is_told_what_haproxy_tells_it() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let mut found = Vec::new();
    // Debian's HAProxy has no `cc` yet.
    for (name, program, control) in
        [("theirs", Program::reference("haproxy"), ""), ("ours", proxy(), "cc reno")]
    {
        let host = lab.host(name);
        host.sh("sysctl -qw net.ipv4.tcp_fastopen=3");
        let config = Config::written(&host, "options.cfg", &CONFIG.replace("CONTROL", control));
        let _proxy = host.haproxy(&program, &config);
        let mut facts = Vec::new();
        for port in [8000, 8001] {
            let mut client = wait_for("the proxy", PATIENCE, || {
                let mut client = Connection::open(&host, &format!("127.0.0.1:{port}")).ok()?;
                client.exchange(GET).ok().map(|_| client)
            });
            let (of_client, bytes) = seen(&host, &format!("sport = :{port}"));
            facts.push(bytes);
            if !control.is_empty() && port == 8001 {
                // The idle connection of the first client is there too.
                let controls = host.sh("ss -Htin state established 'dport = :9000'");
                assert!(of_client == "reno" && controls.contains("reno"), "{of_client} {controls}");
            }
            client.exchange(GET).unwrap();
        }
        // The first visit gets a cookie, the second one uses it.
        for port in [8000, 8001] {
            let before = opened_fast(&host);
            for _ in 0..2 {
                host.sh(&format!("curl -s --tcp-fastopen http://127.0.0.1:{port}/"));
            }
            facts.push(opened_fast(&host) - before);
        }
        found.push(facts);
    }
    assert_eq!(found[0], found[1], "largest segments and fast openings of HAProxy, and ours");
    assert!(found[0][1] < 1000 && found[0][2..] == [0, 1], "{found:?}");
}

/// A pair of connected sockets that programs started from here inherit, until they are closed.
fn inherited_pair() -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::empty()).unwrap()
}

#[test]
fn connections_come_through_an_inherited_socket_as_haproxy_sends_and_takes_them() {
    use std::os::fd::AsRawFd as _;

    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let programs = [("theirs", Program::reference("haproxy")), ("ours", proxy())];
    // Each with itself, and both with each other.
    let mut seen = Vec::new();
    for (outer_name, inner_name) in
        [("theirs", "theirs"), ("ours", "ours"), ("ours", "theirs"), ("theirs", "ours")]
    {
        let host = lab.host(&format!("{outer_name}-{inner_name}"));
        let (here, there) = inherited_pair();
        let inner = "\
defaults
    mode http
    option socket-stats
    timeout client 5s
global
    stats socket SOCKET level admin
frontend inner
    bind sockpair@FD
    http-request return status 200 content-type text/plain lf-string \"%ci %cp [%[src]] %[so_id]\"
";
        let outer = "\
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
global
    stats socket SOCKET level admin
listen outer
    bind 127.0.0.1:8000
    server s sockpair@FD check inter 100ms
listen again
    bind 127.0.0.1:8001
    http-reuse never
    server s sockpair@FD
";
        let start = |name: &str, text: &str, file: &str, fd: i32| {
            let program = &programs.iter().find(|(known, _)| *known == name).unwrap().1;
            let socket = host.dir().join(format!("{file}.sock"));
            let text = text.replace("FD", &fd.to_string()).replace("SOCKET", &socket.to_string_lossy());
            host.haproxy(program, &Config::written(&host, &format!("{file}.cfg"), &text))
        };
        let _inner = start(inner_name, inner, "inner", here.as_raw_fd());
        let outer = start(outer_name, outer, "outer", there.as_raw_fd());
        drop((here, there));
        let mut answers = Vec::new();
        for port in [8000, 8001, 8001] {
            answers.push(wait_for("an answer", PATIENCE, || {
                let answer = host.sh(&format!("curl -s http://127.0.0.1:{port}/ || true"));
                (!answer.contains("503") && !answer.is_empty()).then_some(answer)
            }));
        }
        // The columns of address and state, by listener and server.
        let stat = |file: &str| {
            let socket = host.dir().join(format!("{file}.sock"));
            let text = host.sh(&format!("echo show stat | socat - UNIX-CONNECT:{}", socket.display()));
            let row = |line: &str| {
                let cells: Vec<&str> = line.split(',').collect();
                let wanted = line.contains(",s,") || line.contains(",sock-1,");
                wanted.then(|| format!("{} {} {:?}", cells[0], cells[17], cells[73]))
            };
            text.lines().filter_map(row).collect::<Vec<_>>()
        };
        let up = wait_for("the check", PATIENCE, || {
            let rows = stat("outer");
            rows.iter().any(|row| row.starts_with("outer UP")).then_some(rows)
        });
        seen.push((answers, up, stat("inner")));
        drop(outer);
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
    assert_eq!(seen[0].0, ["unix 1 [] 1"; 3]);
}

#[test]
fn who_does_not_sign_segments_is_not_heard() {
    let Some(lab) = Lab::open(&[]) else { return };
    let host = lab.host("signed");
    if !host.sh("cat /proc/net/netstat").contains("TCPMD5NotFound") {
        return;
    }
    host.sh("ip addr add 10.9.9.1/24 dev lo");
    let text = "\
defaults
    mode http
    retries 0
    timeout connect 300ms
    timeout client 5s
    timeout server 5s
frontend signed
    bind :9000 tcp-md5sig secret
    bind [::]:9001 tcp-md5sig secret
    http-request return status 200
listen by_password
    bind 127.0.0.1:8000
    server right 10.9.9.1:9000 tcp-md5sig secret check inter 100ms
    server mapped 10.9.9.1:9001 tcp-md5sig secret
    server six [::1]:9001 tcp-md5sig secret
    server wrong 10.9.9.1:9000 tcp-md5sig guess
    server none 10.9.9.1:9001
";
    let text = text.to_owned()
        + &["right", "mapped", "six", "wrong", "none"]
            .map(|name| format!("    use-server {name} if {{ path /{name} }}\n"))
            .concat();
    let _proxy = host.haproxy(&proxy(), &Config::written(&host, "signed.cfg", &text));
    let status = |name: &str| {
        host.sh(&format!("curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1:8000/{name} || true"))
    };
    wait_for("the proxy", PATIENCE, || (status("right") == "200").then_some(()));
    assert_eq!(["right", "mapped", "six", "wrong", "none"].map(status), ["200", "200", "200", "503", "503"]);
}

#[test]
fn the_packet_that_opened_a_connection_is_kept() {
    let Some(lab) = Lab::open(&[]) else { return };
    let host = lab.host("kept");
    let text = "\
defaults
    mode http
    timeout client 5s
frontend f
    bind 127.0.0.1:8001 tcp-ss 1
    bind 127.0.0.1:8002 tcp-ss 2
    bind 127.0.0.1:8003
    tcp-request connection set-var(sess.syn) fc_saved_syn
    http-request set-var(sess.ip) var(sess.syn),eth.data if { dst_port 8002 }
    http-request set-var(sess.ip) var(sess.syn) if { dst_port 8001 }
    http-request return status 200 hdr x-src %[var(sess.ip),ip.src] hdr x-port %[var(sess.ip),ip.data,tcp.dst] \
hdr x-fp %[var(sess.ip),ip.fp(5),hex] hdr x-options %[var(sess.ip),ip.fp(2),bytes(8),hex] \
hdr x-again %[fc_saved_syn,length]
";
    let _proxy = host.haproxy(&proxy(), &Config::written(&host, "syn.cfg", text));
    for (port, source) in [(8001, Some("127.0.0.1")), (8002, Some("127.0.0.1")), (8003, None)] {
        let answer = wait_for("the proxy", PATIENCE, || {
            Connection::open(&host, &format!("127.0.0.1:{port}")).ok()?.exchange(GET).ok()
        });
        let header = |name: &str| answer.header(name).filter(|value| !value.is_empty());
        assert_eq!(header("x-src"), source, "{port}");
        assert_eq!(header("x-again"), None, "the kernel gives it away once");
        let Some(print) = header("x-fp") else {
            assert_eq!(source, None);
            continue;
        };
        assert_eq!(header("x-port"), Some(&*port.to_string()));
        // TOS 0; not to be fragmented and a TTL up to 64; 40 bytes of header; at the end TTL and address.
        assert!(print.starts_with("0050A") && print.ends_with("407F000001"), "{print}");
        // Linux offers MSS, selective acknowledgement, timestamps, one filler and window scaling.
        assert_eq!(header("x-options"), Some("0204080103"));
        // The same kinds as bits, in byte 7.
        assert_eq!(&print[14..16], "47");
    }
}

/// The origin keeps connections for longer than anybody here: who closes them is the proxy.
const CLOSING: &str = "\
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend origin
    bind 127.0.0.1:9000
    http-request return status 200 content-type text/plain string hello
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 1s
listen safe
    bind 127.0.0.1:8001
    server s 127.0.0.1:9000
listen never
    bind 127.0.0.1:8002
    http-reuse never
    server s 127.0.0.1:9000
listen purged
    bind 127.0.0.1:8003
    server s 127.0.0.1:9000 pool-purge-delay 100ms
listen small
    bind 127.0.0.1:8004
    server s 127.0.0.1:9000 pool-max-conn 1
listen bytes
    bind 127.0.0.1:8005
    mode tcp
    server s 127.0.0.1:9000
";

#[test]
fn no_port_is_kept_from_use_by_connections_that_the_proxy_closes() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let mut waiting = Vec::new();
    for (name, program) in [("theirs", Program::reference("haproxy")), ("ours", proxy())] {
        let host = lab.host(name);
        let _proxy = host.haproxy(&program, &Config::written(&host, "closing.cfg", CLOSING));
        let open = |port: u16| {
            wait_for("the proxy", PATIENCE, || Connection::open(&host, &format!("127.0.0.1:{port}")).ok())
        };
        let left = |state: &str| host.sh(&format!("ss -Htn state {state} '( dport = :9000 )'"));
        for port in [8001, 8002, 8003, 8004] {
            let mut clients: Vec<Connection> = (0..8).map(|_| open(port)).collect();
            for client in &mut clients {
                assert_eq!(client.exchange(GET).unwrap().status, 200, "{name}: {port}");
            }
        }
        // `timeout server` ends one, a client's reset another.
        let silent = open(8005);
        let mut gone = host.run(|| TcpStream::connect("127.0.0.1:8005")).unwrap();
        gone.write_all(GET).unwrap();
        assert_ne!(gone.read(&mut [0; 64]).unwrap(), 0);
        SockRef::from(&gone).set_linger(Some(Duration::ZERO)).unwrap();
        drop(gone);
        wait_for("connections to be closed", PATIENCE, || {
            let with_bytes = host.sh("ss -Htn state established '( sport = :8005 )'");
            (with_bytes.is_empty() && left("established").lines().count() < 10).then_some(())
        });
        waiting.push(left("time-wait"));
        drop(silent);
    }
    assert_eq!(waiting, ["", ""], "HAProxy's, and ours");
}

/// `harden.reject-privileged-ports.tcp`, which Debian's HAProxy does not have yet.
#[test]
fn clients_with_low_ports_can_be_refused() {
    let Some(lab) = Lab::open(&[Part::Program("curl")]) else { return };
    for (at, (line, low)) in
        [("", true), ("harden.reject-privileged-ports.tcp on", false)].into_iter().enumerate()
    {
        let host = lab.host(&format!("low{at}"));
        let text = format!(
            "global\n    {line}\ndefaults\n    mode http\n    timeout client 5s\nfrontend f\n    bind 127.0.0.1:8000\n    \
             http-request return status 200\n"
        );
        let _proxy = host.haproxy_bound(&proxy(), &Config::written(&host, "low.cfg", &text));
        let served = |port: u16| {
            host.try_sh(&format!("curl -sf --local-port {port} http://127.0.0.1:8000/")).status.success()
        };
        assert_eq!([1, 1023, 1024].map(served), [low, low, true], "{line:?}");
    }
}

/// Debian's HAProxy does so never; 3.5 does.
#[test]
fn the_first_request_goes_with_the_first_packet_to_a_server_that_is_known() {
    let Some(lab) = Lab::open(&[]) else { return };
    let host = lab.host("fast");
    host.sh("sysctl -qw net.ipv4.tcp_fastopen=3");
    let config = Config::written(&host, "fast.cfg", FAST);
    let _proxy = host.haproxy(&proxy(), &config);
    // The first connection brings a cookie, which the others use.
    for (port, expected) in [(8002, 2), (8003, 0)] {
        wait_for("the proxy", PATIENCE, || host.reaches(&format!("127.0.0.1:{port}")).then_some(()));
        let before = opened_fast(&host);
        for _ in 0..3 {
            host.sh(&format!("curl -sf http://127.0.0.1:{port}/"));
        }
        assert_eq!(opened_fast(&host) - before, expected, "port {port}");
    }
}
