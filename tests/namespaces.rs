//! Network namespaces of single sockets: where servers are reached for clients that came out of one, beside HAProxy.

use std::time::Duration;

use crate::lab::{Config, Connection, Lab, Part, Program, proxy, wait_for};

/// One process is everything: the same address means another place in each namespace.
const CONFIG: &str = "\
namespace_list
    namespace inner
defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
    http-reuse REUSE
frontend outside
    bind 127.0.0.1:9000
    http-request return status 200 hdr x-where outside
frontend inside
    bind 127.0.0.1:9000 namespace inner
    http-request return status 200 hdr x-where inside
listen anywhere
    bind 127.0.0.1:8001 accept-proxy
    server one 127.0.0.1:9000 namespace *
listen fixed
    bind 127.0.0.1:8002
    server one 127.0.0.1:9000 namespace inner
";

/// A request behind a PROXY header that names a namespace.
fn request(namespace: Option<&str>) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11".to_vec();
    let mut rest = vec![127, 0, 0, 1, 127, 0, 0, 1, 0x12, 0x34, 0x1f, 0x41];
    if let Some(name) = namespace {
        rest.extend([0x30, 0, u8::try_from(name.len()).unwrap()]);
        rest.extend_from_slice(name.as_bytes());
    }
    header.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
    header.extend(rest);
    header.extend_from_slice(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    header
}

#[test]
fn servers_are_reached_where_the_client_came_from() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    // HAProxy does not tell idle connections in different namespaces apart.
    let sides = [("theirs", Program::reference("haproxy"), "never"), ("ours", proxy(), "always")];
    for (name, program, reuse) in sides {
        let host = lab.host(name);
        host.sh("ip netns add inner && ip -n inner link set lo up");
        let config = Config::written(&host, "namespaces.cfg", &CONFIG.replace("REUSE", reuse));
        let _proxy = host.haproxy(&program, &config);
        let ask = |port: u16, bytes: &[u8]| {
            let mut connection = Connection::open(&host, &format!("127.0.0.1:{port}")).ok()?;
            let answer = connection.exchange(bytes).ok()?;
            Some(answer.header("x-where").unwrap_or("nowhere").to_owned())
        };
        let plain = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        wait_for("the proxy", Duration::from_secs(20), || ask(8002, plain));
        assert_eq!(ask(8002, plain).as_deref(), Some("inside"), "{name}");
        // Twice: connections to one place do not serve the other.
        for _ in 0..2 {
            for (namespace, place) in
                [(None, "outside"), (Some("inner"), "inside"), (Some("unheard-of"), "outside")]
            {
                let got = ask(8001, &request(namespace));
                assert_eq!(got.as_deref(), Some(place), "{name}: {namespace:?}");
            }
        }
    }
}
