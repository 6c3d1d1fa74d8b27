//! The server behind both proxies: what it answers depends on the path, and it keeps what it was sent.

use std::collections::HashMap;
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::wire::responses;
use crate::lab::Host;

/// What reached the server, by the number in the path (`/17/anything`).
pub(super) type Received = Arc<Mutex<HashMap<usize, String>>>;

/// Serves on port 9000 of `host`.
pub(super) fn start(host: &Host) -> Received {
    let listener = host.run(|| TcpListener::bind("127.0.0.1:9000")).unwrap();
    let received = Received::default();
    let keeping = Arc::clone(&received);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let keeping = Arc::clone(&keeping);
            std::thread::spawn(move || serve(stream, &keeping));
        }
    });
    received
}

fn serve(mut stream: TcpStream, received: &Received) -> Result<()> {
    // Longer than any proxy waits: who gives up first decides what the client is told.
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_nodelay(true)?;
    let (mut number, mut pending) = (None, Vec::new());
    let result = requests(&mut stream, received, &mut number, &mut pending);
    // What is no request, or the beginning of one, has come too.
    if let Some(number) = number.filter(|_| !pending.is_empty()) {
        let rest = String::from_utf8_lossy(&pending);
        *received.lock().unwrap().entry(number).or_default() += &format!("[and]{rest}");
    }
    result
}

fn requests(
    stream: &mut TcpStream,
    received: &Received,
    number: &mut Option<usize>,
    pending: &mut Vec<u8>,
) -> Result<()> {
    loop {
        let end = loop {
            if let Some(at) = pending.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if more(stream, pending)? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&pending[..end]).into_owned();
        pending.drain(..end);
        let (told, wish) = asked(&head);
        *number = told.or(*number);
        let keep = |text: &str| {
            if let Some(number) = *number {
                *received.lock().unwrap().entry(number).or_default() += text;
            }
        };
        keep(&head);
        // Who answers first has the request read afterwards; who answers early does not care for its body.
        let first = wish.starts_with("first");
        let mut goes_on = !first || answer(stream, &wish, head.starts_with("HEAD "))?;
        if wish != "early" && goes_on {
            keep(&read_body(stream, &head, pending)?);
        }
        if !first {
            goes_on = answer(stream, &wish, head.starts_with("HEAD "))?;
        }
        if wish == "tunnel" {
            while pending.len() < TUNNELLED && more(stream, pending)? > 0 {}
            keep(&format!("[tunnel]{}", String::from_utf8_lossy(pending)));
            pending.clear();
            stream.write_all(b"bye")?;
        }
        if !goes_on {
            return Ok(());
        }
    }
}

/// Bytes a tunnel to `tunnel` waits for before it answers.
const TUNNELLED: usize = "TUNNEL".len();

/// The number and the wish in the path, or in the header for requests that have no path.
fn asked(head: &str) -> (Option<usize>, String) {
    let target = head.split(' ').nth(1).unwrap_or_default();
    let path = target.find("://").map_or(target, |at| &target[at + 3..]);
    let of = |path: &str| {
        // The names of backends may stand in front.
        let mut parts = path.split('/').skip_while(|word| word.parse::<usize>().is_err());
        let number = parts.next().and_then(|word| word.parse().ok());
        (number, parts.next().unwrap_or_default().split('?').next().unwrap_or_default().to_owned())
    };
    let told = of(path);
    if told.0.is_some() {
        return told;
    }
    head.lines().find_map(|line| line.strip_prefix("x-n: ")).map_or(told, of)
}

/// Reads on; 0 at the end, whichever kind of end it is.
fn more(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Result<usize> {
    let mut piece = [0; 16384];
    let read = stream.read(&mut piece).unwrap_or(0);
    pending.extend_from_slice(&piece[..read]);
    Ok(read)
}

/// Takes the body off `pending` as the head frames it. Chunks are put together: how many there are depends on how the
/// bytes came.
pub(super) fn read_body(stream: &mut TcpStream, head: &str, pending: &mut Vec<u8>) -> Result<String> {
    let value = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned()))
    };
    if value("transfer-encoding").is_some() {
        return read_chunks(stream, pending);
    }
    let length = value("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    while pending.len() < length {
        if more(stream, pending)? == 0 {
            break;
        }
    }
    let body = pending.drain(..length.min(pending.len())).collect::<Vec<u8>>();
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn read_chunks(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Result<String> {
    let mut out = "{".to_owned();
    loop {
        let Some(size) = take_line(stream, pending)? else { return Ok(out + "[cut]") };
        let Some(length) = size.split(';').next().and_then(|n| usize::from_str_radix(n.trim(), 16).ok())
        else {
            return Ok(format!("{out}[no size: {size}]"));
        };
        if length == 0 {
            break;
        }
        while pending.len() < length + 2 {
            if more(stream, pending)? == 0 {
                return Ok(format!("{out}{}[cut]", String::from_utf8_lossy(&std::mem::take(pending))));
            }
        }
        out += &String::from_utf8_lossy(&pending[..length]);
        pending.drain(..length + 2);
    }
    out.push('}');
    loop {
        match take_line(stream, pending)? {
            None => return Ok(out + "[cut]"),
            Some(line) if line.is_empty() => return Ok(out),
            Some(trailer) => out += &format!("{trailer}\r\n"),
        }
    }
}

fn take_line(stream: &mut TcpStream, pending: &mut Vec<u8>) -> Result<Option<String>> {
    loop {
        if let Some(at) = pending.windows(2).position(|two| two == b"\r\n") {
            let line = String::from_utf8_lossy(&pending[..at]).into_owned();
            pending.drain(..at + 2);
            return Ok(Some(line));
        }
        if more(stream, pending)? == 0 {
            return Ok(None);
        }
    }
}

/// Sends what is wished for; says whether the connection goes on.
fn answer(stream: &mut TcpStream, wish: &str, head_only: bool) -> Result<bool> {
    if let Some((response, slowly)) = responses::wished(wish) {
        return respond(stream, response, head_only, slowly);
    }
    let big = "x".repeat(20_000);
    let text = match wish {
        "garbage" => "this is not HTTP at all\r\n\r\n".to_owned(),
        "closes" => return Ok(false),
        "half-head" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le")?;
            return Ok(false);
        }
        "half-body" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")?;
            return Ok(false);
        }
        "stalls" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")?;
            while more(stream, &mut Vec::new())? > 0 {}
            return Ok(false);
        }
        "endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")?;
            // Until the proxy is gone.
            loop {
                stream.write_all(big.as_bytes())?;
            }
        }
        // To a client that does not read, after which nothing else comes.
        "much" => {
            let length = 400 * big.len();
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")?;
            for _ in 0..400 {
                stream.write_all(big.as_bytes())?;
            }
            return Ok(false);
        }
        "half-closed" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nsome")?;
            stream.shutdown(std::net::Shutdown::Write)?;
            while more(stream, &mut Vec::new())? > 0 {}
            return Ok(false);
        }
        "cut-chunk" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")?;
            return Ok(false);
        }
        "silent" => {
            // Until the proxy gives up.
            while more(stream, &mut Vec::new())? > 0 {}
            return Ok(false);
        }
        "no-length" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nX-Kind: no-length\r\n\r\nuntil the end")?;
            return Ok(false);
        }
        "old" => {
            stream.write_all(b"HTTP/1.0 200 OK\r\nX-Kind: old\r\n\r\nold body")?;
            return Ok(false);
        }
        "bad-chunk" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n".to_owned(),
        "chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n".to_owned(),
        "trailer" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n".to_owned(),
        "two-lengths" => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello".to_owned(),
        "same-lengths" => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
        "bad-length" => "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello".to_owned(),
        "both" => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_owned(),
        "huge-head" => format!("HTTP/1.1 200 OK\r\nX-Big: {big}\r\nContent-Length: 0\r\n\r\n"),
        "big" => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{big}", big.len()),
        "continue" => "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "hints" => "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "first-refuses" => "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "first-closes" => "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "none" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        "same" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n".to_owned(),
        "close" => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".to_owned(),
        "reason" => "HTTP/1.1 299 Some Odd  Reason\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "bare" => "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "lf" => "HTTP/1.1 200 OK\nContent-Length: 2\n\nok".to_owned(),
        "fold" => "HTTP/1.1 200 OK\r\nX-Long: a\r\n  b\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "bad-name" => "HTTP/1.1 200 OK\r\nX Bad: a\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "space-colon" => "HTTP/1.1 200 OK\r\nX-Space : a\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "version" => "HTTP/3.7 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "upgrade" => "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello".to_owned(),
        "tunnel" => "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n".to_owned(),
        "cookie" => "HTTP/1.1 200 OK\r\nSet-Cookie: WHO=own; path=/\r\nSet-Cookie: B=2\r\nContent-Length: 2\r\n\r\nok"
            .into(),
        "headers" => "HTTP/1.1 200 OK\r\nServer: Origin/1\r\nX-UPPER: One\r\nx-upper: Two\r\nSet-Cookie: A=1\r\n\
                      Set-Cookie: B=2\r\nContent-Length: 2\r\nKeep-Alive: timeout=5\r\n\r\nok"
            .to_owned(),
        "error" => "HTTP/1.1 500 Oh No\r\nContent-Length: 3\r\n\r\nbad".to_owned(),
        _ if wish.starts_with("status-") => {
            format!("HTTP/1.1 {} Told\r\nContent-Length: 0\r\n\r\n", &wish["status-".len()..])
        }
        _ => "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Kind: plain\r\n\r\nhello\n".to_owned(),
    };
    let end = text.find("\r\n\r\n").map_or(text.len(), |at| at + 4);
    stream.write_all(if head_only { &text.as_bytes()[..end] } else { text.as_bytes() })?;
    Ok(!matches!(wish, "garbage" | "bad-chunk" | "close" | "first-closes" | "upgrade" | "tunnel"))
}

/// Sends a response of the table, `slowly` in pieces of one byte.
fn respond(stream: &mut TcpStream, response: &[u8], head_only: bool, slowly: bool) -> Result<bool> {
    let end = response.windows(4).position(|four| four == b"\r\n\r\n").map_or(response.len(), |at| at + 4);
    let bytes = if head_only { &response[..end] } else { response };
    for piece in bytes.chunks(if slowly { 1 } else { bytes.len() }) {
        stream.write_all(piece)?;
    }
    let text = String::from_utf8_lossy(response).to_ascii_lowercase();
    let kept = text.contains("connection: keep-alive");
    Ok(kept
        || !(text.contains("connection: close") || text.starts_with("http/1.0") || text.contains(" 101 ")))
}
