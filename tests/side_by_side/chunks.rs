//! Bodies in chunks: of what has come together one chunk is made, as by a real HAProxy, in requests and in responses.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::wire::version;
use crate::lab::{Config, Lab, Part, Program, beside_this, proxy};

const CONFIG: &str = "\
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen all
    bind 127.0.0.1:8000
    server s 127.0.0.1:9000
";

const PATIENCE: Duration = Duration::from_secs(20);

/// A body, and whether all chunks of it are whole where they come: 3.5 begins a chunk whose rest has not come as long as
/// it will be.
struct Case {
    name: &'static str,
    pieces: Vec<String>,
    is_whole: bool,
}

fn cases() -> Vec<Case> {
    let whole = |name, pieces: &[&str]| Case {
        name,
        pieces: pieces.iter().map(|&piece| piece.to_owned()).collect(),
        is_whole: true,
    };
    let cut = |name, pieces: &[&str]| Case { is_whole: false, ..whole(name, pieces) };
    let many =
        |length: usize, count: usize| format!("{length:x}\r\n{}\r\n", "x".repeat(length)).repeat(count);
    vec![
        whole("one", &["5\r\nhello\r\n0\r\n\r\n"]),
        whole("two", &["5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"]),
        whole("many", &[&(many(100, 100) + "0\r\n\r\n")]),
        // One digit less than what surrounds the data would take.
        whole("fifteen", &[&(many(1, 15) + "0\r\n\r\n")]),
        whole("sixteen", &[&(many(1, 16) + "0\r\n\r\n")]),
        whole("none", &["0\r\n\r\n"]),
        whole("extensions", &["5;a=b\r\nhello\r\n6;c=\"d\"\r\n world\r\n0;e\r\n\r\n"]),
        whole("trailers", &["5\r\nhello\r\n6\r\n world\r\n0\r\nX-One: 1\r\nX-Two: 2\r\n\r\n"]),
        whole("one by one", &["5\r\nhello\r\n", "6\r\n world\r\n", "0\r\n\r\n"]),
        whole("two by two", &[&many(7, 2), &many(8, 2), &(many(9, 2) + "0\r\n\r\n")]),
        cut("cut", &["5\r\nhello\r\n5\r\nhe", "llo\r\n5\r\nhello\r\n0\r\n\r\n"]),
        cut("cut twice", &["5\r\nhe", "llo\r\n5\r\nhe", "llo\r\n0\r\n\r\n"]),
    ]
}

/// The data of a body in chunks, as far as it is there, and whether that is all of it.
fn data(body: &[u8]) -> (usize, bool) {
    let (mut rest, mut length) = (body, 0);
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let line = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(line.split(';').next().unwrap(), 16).unwrap();
        if size == 0 {
            return (length, body.ends_with(b"\r\n\r\n"));
        }
        rest = &rest[end + 2..];
        length += size.min(rest.len());
        rest = rest.get(size + 2..).unwrap_or_default();
    }
    (length, false)
}

/// Everything up to the end of a head.
fn take_head(from: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        from.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
}

/// Sends a body piece by piece, the first with the head if one is left to send, each when the one before has arrived; and
/// tells what arrived.
fn pass(case: &Case, head: &str, to: &mut TcpStream, from: &mut TcpStream) -> String {
    let (mut sent, mut body) = (Vec::new(), Vec::new());
    for (nth, text) in case.pieces.iter().enumerate() {
        sent.extend_from_slice(text.as_bytes());
        let text = if nth == 0 { format!("{head}{text}") } else { text.clone() };
        to.write_all(text.as_bytes()).unwrap();
        if nth == 0 && !head.is_empty() {
            take_head(from);
        }
        while data(&body) != data(&sent) {
            let mut piece = [0; 16384];
            let n = from.read(&mut piece).unwrap();
            assert!(n > 0, "{}: the end behind {:?}", case.name, String::from_utf8_lossy(&body));
            body.extend_from_slice(&piece[..n]);
        }
    }
    String::from_utf8(body).unwrap()
}

#[test]
fn chunks_that_come_together_go_on_as_one() {
    let Some(lab) = Lab::open(&[Part::Program("haproxy")]) else { return };
    let cases = cases();
    let observe = |name: &str, program: &Program| {
        let host = lab.host(name);
        let listener = host.run(|| TcpListener::bind("127.0.0.1:9000").unwrap());
        let _proxy = host.haproxy_bound(program, &Config::written(&host, "chunks.cfg", CONFIG));
        let mut client = host.run(|| TcpStream::connect("127.0.0.1:8000").unwrap());
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.set_nodelay(true).unwrap();
        let mut server = None;
        let mut both = |case: &Case| {
            let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
            client.write_all(head.as_bytes()).unwrap();
            let server = server.get_or_insert_with(|| {
                let (server, _) = listener.accept().unwrap();
                server.set_read_timeout(Some(PATIENCE)).unwrap();
                server.set_nodelay(true).unwrap();
                server
            });
            take_head(server);
            let request = pass(case, "", &mut client, server);
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            [request, pass(case, head, server, &mut client)]
        };
        cases.iter().map(&mut both).collect::<Vec<_>>()
    };
    let reference = Program::reference_haproxy();
    let (ours, theirs) = beside_this(&proxy(), &reference, observe);
    let begins_more = !version(&reference).starts_with('2');
    for (case, (ours, theirs)) in cases.iter().zip(ours.into_iter().zip(theirs)) {
        if case.is_whole || !begins_more {
            assert_eq!(ours, theirs, "{}, request and response", case.name);
        }
    }
}
