//! Where servers see connections come from.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::{Config, Lab, eventually, proxy};

const CONFIG: &str = "\
defaults
    mode http
    http-reuse always
    timeout connect 5s
    timeout client 5s
    timeout server 5s

listen client
    bind 127.0.0.1:8201
    source 0.0.0.0 usesrc clientip
    server one 127.0.0.1:9100

listen header
    bind 127.0.0.1:8202
    server one 127.0.0.1:9100 source 0.0.0.0 usesrc hdr_ip(x-from,-1)

listen fixed
    bind 127.0.0.1:8203
    server one 127.0.0.1:9100 source 127.0.0.9 interface lo

# Nobody's address, when the proxy starts.
listen far
    bind 203.0.113.5:8204 transparent
    server one 127.0.0.1:9100
";

/// Answers with the address it was reached from.
fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let peer = stream.peer_addr()?.ip().to_string();
    let mut pending = Vec::new();
    let mut piece = [0; 4096];
    loop {
        while let Some(end) = pending.windows(4).position(|four| four == b"\r\n\r\n") {
            pending.drain(..end + 4);
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{peer}", peer.len())?;
        }
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        pending.extend_from_slice(&piece[..read]);
    }
}

fn ask(from: Ipv4Addr, port: u16, header: &str) -> String {
    ask_at(from, SocketAddr::from(([127, 0, 0, 1], port)), header)
}

fn ask_at(from: Ipv4Addr, to: SocketAddr, header: &str) -> String {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect_timeout(&to.into(), Duration::from_secs(5)).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.rsplit("\r\n\r\n").next().unwrap().to_owned()
}

#[test]
fn servers_see_the_address_that_was_asked_for() {
    let Some(lab) = Lab::open(&[]) else { return };
    let host = lab.host("sources");
    let listener = host.run(|| TcpListener::bind("127.0.0.1:9100")).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    let config = Config::written(&host, "haproxy.cfg", CONFIG);
    let _proxy = host.haproxy(&proxy(), &config);
    eventually("the proxy to listen", Duration::from_secs(10), || host.reaches("127.0.0.1:8203"));
    host.run(|| {
        let (one, other) = (Ipv4Addr::new(127, 0, 3, 7), Ipv4Addr::new(127, 0, 3, 8));
        // No client gets a connection that was made in another's name.
        for from in [one, other, one, other] {
            assert_eq!(ask(from, 8201, ""), from.to_string());
        }
        assert_eq!(ask(one, 8202, "X-From: 127.0.4.1, 127.0.4.2\r\n"), "127.0.4.2");
        assert_eq!(ask(one, 8203, ""), "127.0.0.9");
    });
    host.sh("ip route add local 203.0.113.0/24 dev lo");
    let far = SocketAddr::from(([203, 0, 113, 5], 8204));
    assert_eq!(host.run(|| ask_at(Ipv4Addr::new(127, 0, 3, 7), far, "")), "127.0.0.1");
}
