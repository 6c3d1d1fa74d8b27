//! TLS that nobody opens on its way: sessions go to the backend that the name in their hello chooses, whole or in pieces,
//! beside HAProxy.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};

use crate::lab::{Config, Lab, Part, Program, beside, proxy};

use super::PATIENCE;

const CONFIG: &str = "\
defaults
    mode tcp
    timeout client 10s
    timeout server 10s
    timeout connect 10s

frontend listed
    bind 127.0.0.1:8443
    tcp-request inspect-delay 5s
    tcp-request content accept if { req.ssl_hello_type 1 }
    use_backend one if { req.ssl_sni -i one.example }
    use_backend two if { req.ssl_sni -m end .two.example }
    default_backend other

frontend computed
    bind 127.0.0.1:8444
    tcp-request inspect-delay 5s
    tcp-request content set-var(sess.name) req.ssl_sni,lower if { req.ssl_hello_type 1 }
    tcp-request content accept if { req.ssl_hello_type 1 }
    use_backend %[var(sess.name),word(-2,.)]
    default_backend other

backend one
    server s 127.0.0.1:9001
backend two
    server s 127.0.0.1:9002
backend other
    server s 127.0.0.1:9003
";

/// Backends and the ports of their servers.
const SERVERS: [(&str, u16); 3] = [("one", 9001), ("two", 9002), ("other", 9003)];

const FRONTENDS: [u16; 2] = [8443, 8444];

/// What the client names; `None`: nothing.
const NAMES: [Option<&str>; 6] = [
    Some("one.example"),
    Some("ONE.Example"),
    Some("a.two.example"),
    Some("two.example"),
    Some("else"),
    None,
];

/// A hello of TLS 1.2 with one suite.
fn hello(name: Option<&str>) -> Vec<u8> {
    let sized = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
    let extensions = name.map_or_else(Vec::new, |name| {
        let entry = [&[0][..], &sized(name.as_bytes())].concat();
        [&[0, 0][..], &sized(&sized(&entry))].concat()
    });
    // Version, random, no session, one suite, no compression.
    let body = [&[3, 3][..], &[7; 32], &[0], &sized(&[0xc0, 0x2f]), &[1, 0], &sized(&extensions)].concat();
    let length = &(body.len() as u32).to_be_bytes()[1..];
    let handshake = [&[1][..], length, &body].concat();
    [&[22, 3, 1][..], &sized(&handshake)].concat()
}

/// The pieces that each hello is sent in: cut behind so many bytes.
const CUTS: [usize; 4] = [0, 1, 5, 50];

/// The name of the backend that each session came to.
fn observe(lab: &Lab, name: &str, program: &Program) -> Vec<String> {
    let host = lab.host(name);
    for (name, port) in SERVERS {
        let listener = host.run(|| TcpListener::bind(("127.0.0.1", port)).unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    let mut piece = [0; 4096];
                    if matches!(stream.read(&mut piece), Ok(1..)) {
                        stream.write_all(name.as_bytes()).unwrap();
                        stream.shutdown(Shutdown::Write).unwrap();
                        while matches!(stream.read(&mut piece), Ok(1..)) {}
                    }
                });
            }
        });
    }
    let _proxy = host.haproxy_bound(program, &Config::written(&host, "named.cfg", CONFIG));
    host.run(|| {
        let session = |port: u16, name, cut: usize| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let hello = hello(name);
            stream.write_all(&hello[..cut]).unwrap();
            stream.write_all(&hello[cut..]).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        let all = FRONTENDS.iter().flat_map(|port| {
            NAMES.iter().flat_map(move |name| CUTS.iter().map(move |cut| (*port, *name, *cut)))
        });
        all.map(|(port, name, cut)| format!("{port} {name:?} {cut}: {}", session(port, name, cut))).collect()
    })
}

#[test]
fn the_name_in_the_hello_chooses_the_backend() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let (ours, theirs) = beside(&proxy(), "haproxy", |name, program| observe(&lab, name, program));
    assert_eq!(ours, theirs);
    let went = |to: &str| ours.iter().filter(|session| session.ends_with(&format!(": {to}"))).count();
    assert_eq!((went("one"), went("two"), went("other")), (16, 12, 20), "{ours:#?}");
}
