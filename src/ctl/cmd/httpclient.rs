//! `httpclient`: one HTTP request of an expert, its answer as it comes.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::global::Level;
use crate::sys::clock;

pub(super) const COMMANDS: &[Command] =
    &[command(&["httpclient"], Level::Admin, "httpclient <method> <URI>", "launch an HTTP request", run)];

/// Longest wait for a connection and for each piece of the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest wait for the whole answer.
const LIMIT: Duration = Duration::from_secs(30);

/// Most bytes of an answer.
const MOST: usize = 1024 * 1024;

/// One request at a time.
static BUSY: AtomicBool = AtomicBool::new(false);

/// Where a request goes, and what it asks for.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    /// Host and port as in the URI.
    authority: String,
    /// With a port.
    address: String,
    /// Path and query.
    path: String,
}

fn target(uri: &str) -> Result<Target, &'static str> {
    if uri.bytes().any(|c| c <= b' ' || c == 0x7f) {
        return Err("The URI holds characters that cannot be sent.\n");
    }
    if uri.starts_with("https://") {
        return Err("This program is built without TLS: only 'http://' can be asked.\n");
    }
    let rest = uri.strip_prefix("http://").ok_or("Expects an URI that begins with 'http://'.\n")?;
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = (&rest[..at], &rest[at..]);
    let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.contains(']'));
    if authority.is_empty() || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("Expects an URI with a host.\n");
    }
    let address = if port.is_some() { authority.to_owned() } else { format!("{authority}:80") };
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(Target { authority: authority.to_owned(), address, path: format!("{slash}{path}") })
}

fn exchange(method: &str, target: &Target, body: &str) -> std::io::Result<Vec<u8>> {
    let nobody = || std::io::Error::other("the name has no address");
    let addr = target.address.to_socket_addrs()?.next().ok_or_else(nobody)?;
    let mut stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let Target { authority, path, .. } = target;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: HAProxy/{}\r\naccept: */*\r\n{length}\
         connection: close\r\n\r\n{body}",
        crate::HAPROXY_VERSION,
    )?;
    let (mut answer, began) = (Vec::new(), clock::now());
    let mut piece = [0; 16384];
    while answer.len() < MOST && clock::now().saturating_duration_since(began) < LIMIT {
        match stream.read(&mut piece)? {
            0 => break,
            n => answer.extend_from_slice(&piece[..n]),
        }
    }
    Ok(answer)
}

fn run(call: &mut Call<'_>) -> Reply {
    if !call.session.expert {
        return Reply::error("This command is restricted to expert mode only.\n");
    }
    let (method, uri) = (call.arg(0).to_owned(), call.arg(1));
    if method.is_empty() || uri.is_empty() {
        return Reply::error(": not enough parameters\n");
    }
    if !method.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_')) {
        return Reply::error("The method is none.\n");
    }
    let target = match target(uri) {
        Ok(target) => target,
        Err(why) => return Reply::error(why),
    };
    if BUSY.swap(true, Relaxed) {
        return Reply::error("Another request is under way.\n");
    }
    let body = call.payload.unwrap_or_default().to_owned();
    let answer: Arc<Mutex<Option<Reply>>> = Arc::default();
    let kept = answer.clone();
    let work = move || {
        let reply = match exchange(&method, &target, &body) {
            Ok(answer) => Reply::list(String::from_utf8_lossy(&answer)),
            Err(error) => Reply::error(format!("The request failed: {error}\n")),
        };
        *kept.lock() = Some(reply);
        BUSY.store(false, Relaxed);
    };
    if std::thread::Builder::new().name("httpclient".into()).spawn(work).is_err() {
        BUSY.store(false, Relaxed);
        return Reply::error("There is no thread for it.\n");
    }
    Reply::wait(clock::now() + LIMIT + PATIENCE + PATIENCE, Some(Box::new(move |_| answer.lock().take())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uri_says_where_to_and_what() {
        let target = |uri| target(uri).map(|t| (t.authority, t.address, t.path));
        let is = |a: &str, b: &str, c: &str| Ok((a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(target("http://h/a?b"), is("h", "h:80", "/a?b"));
        assert_eq!(target("http://h:81"), is("h:81", "h:81", "/"));
        assert_eq!(target("http://[::1]?q"), is("[::1]", "[::1]:80", "/?q"));
        assert_eq!(target("http://[::1]:8/"), is("[::1]:8", "[::1]:8", "/"));
        for bad in ["h/a", "http:///a", "http://h:x/", "https://h/", "http://h/a b", "http://h/\r\nx: y"] {
            assert!(target(bad).is_err(), "{bad}");
        }
    }
}
