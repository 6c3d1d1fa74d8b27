//! Rings: lines kept in memory, and passed on over TCP to the servers of the `ring` section.
//!
//! A line that no server has taken yet is never pushed out by a newer one: when the ring is full of them the newer
//! one is lost and counted, as HAProxy does. Connections are made on threads of their own, which start with the first
//! line: the process may change its identity before.

use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::Once;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::ir::log::{RingAddr, RingConf, RingServer};

/// Longest pause between two attempts to reach a server.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A ring that lines are written to.
#[derive(Debug)]
pub struct Ring {
    conf: RingConf,
    store: Mutex<Store>,
    /// Something was written.
    news: Condvar,
    /// Nobody calls it: a clock for the next attempt to connect.
    retry: Condvar,
    started: Once,
}

#[derive(Debug, Default)]
struct Store {
    /// Lines without their ends, oldest first.
    lines: VecDeque<Box<[u8]>>,
    /// Sum of their lengths.
    bytes: usize,
    /// Number of the oldest line.
    first: u64,
    /// By server: number of the next line it gets.
    next: Vec<u64>,
}

impl Store {
    /// Makes room for `len` bytes out of what every server has. False: there is none.
    fn make_room(&mut self, len: usize, size: usize) -> bool {
        let needed = self.next.iter().min().copied().unwrap_or(u64::MAX);
        while self.bytes + len > size && self.first < needed {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.len();
            self.first += 1;
        }
        self.bytes + len <= size
    }
}

impl Ring {
    /// An empty ring.
    #[must_use]
    pub fn new(conf: RingConf) -> Arc<Self> {
        let store = Store { next: vec![0; conf.servers.len()], ..Store::default() };
        Arc::new(Self {
            conf,
            store: Mutex::new(store),
            news: Condvar::new(),
            retry: Condvar::new(),
            started: Once::new(),
        })
    }

    /// What it was made from.
    #[must_use]
    pub fn conf(&self) -> &RingConf {
        &self.conf
    }

    /// The lines it holds now, oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<Box<[u8]>> {
        self.store.lock().lines.iter().cloned().collect()
    }

    /// The lines it holds now from that number on, and the number of the next one.
    #[must_use]
    pub fn lines_from(&self, number: u64) -> (Vec<Box<[u8]>>, u64) {
        let store = self.store.lock();
        let skipped = usize::try_from(number.saturating_sub(store.first)).unwrap_or(usize::MAX);
        let lines = store.lines.iter().skip(skipped).cloned().collect();
        (lines, store.first + store.lines.len() as u64)
    }

    /// Number of the line that comes next.
    #[must_use]
    pub fn end(&self) -> u64 {
        let store = self.store.lock();
        store.first + store.lines.len() as u64
    }

    /// Writes one line. `false`: it was lost.
    pub(super) fn push(self: &Arc<Self>, line: &[u8]) -> bool {
        self.started.call_once(|| self.start());
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = &line[..line.len().min(self.conf.max_len).min(self.conf.size)];
        let mut store = self.store.lock();
        if !store.make_room(line.len(), self.conf.size) {
            return false;
        }
        store.bytes += line.len();
        store.lines.push_back(line.into());
        drop(store);
        self.news.notify_all();
        true
    }

    fn start(self: &Arc<Self>) {
        for index in 0..self.conf.servers.len() {
            let ring = self.clone();
            // Without a thread the ring still keeps its lines; the next process may have more luck.
            let _ = std::thread::Builder::new().name("ring".into()).spawn(move || ring.forward(index));
        }
    }

    /// Passes lines on to one server, for ever.
    fn forward(&self, index: usize) {
        let server = &self.conf.servers[index];
        let mut pause = Duration::from_millis(100);
        loop {
            if let Some(mut stream) = self.connect(server) {
                pause = Duration::from_millis(100);
                self.serve(index, server, stream.as_mut());
            }
            self.retry.wait_for(&mut self.store.lock(), pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn connect(&self, server: &RingServer) -> Option<Box<dyn Stream>> {
        match &server.addr {
            RingAddr::Tcp(addr) => {
                let stream = TcpStream::connect_timeout(addr, self.conf.timeout_connect).ok()?;
                stream.set_write_timeout(self.conf.timeout_server).ok()?;
                Some(Box::new(stream))
            }
            RingAddr::Unix(path) => {
                let stream = UnixStream::connect(path).ok()?;
                stream.set_write_timeout(self.conf.timeout_server).ok()?;
                Some(Box::new(stream))
            }
        }
    }

    /// Passes lines on until the connection breaks.
    fn serve(&self, index: usize, server: &RingServer, stream: &mut dyn Stream) {
        let mut batch = Vec::new();
        loop {
            batch.clear();
            let upto = {
                let mut store = self.store.lock();
                let mut next = store.next[index].max(store.first);
                while next == store.first + store.lines.len() as u64 {
                    self.news.wait(&mut store);
                    next = store.next[index].max(store.first);
                }
                let skipped = usize::try_from(next - store.first).unwrap_or(usize::MAX);
                let mut upto = next;
                for line in store.lines.iter().skip(skipped) {
                    frame(line, server.octet_count, &mut batch);
                    upto += 1;
                    if batch.len() >= 16 * 1024 {
                        break;
                    }
                }
                upto
            };
            // A server that has gone would swallow one write before it is noticed.
            if stream.is_gone() || stream.write_all(&batch).is_err() {
                return;
            }
            self.store.lock().next[index] = upto;
        }
    }
}

/// A line as it goes over a stream (RFC 6587 sections 3.4.1 and 3.4.2).
fn frame(line: &[u8], octet_count: bool, out: &mut Vec<u8>) {
    if octet_count {
        // Writing to memory cannot fail.
        let _ = write!(out, "{} ", line.len());
        out.extend_from_slice(line);
    } else {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
}

trait Stream: Write {
    /// Has the other side closed?
    fn is_gone(&mut self) -> bool;
}

impl Stream for TcpStream {
    fn is_gone(&mut self) -> bool {
        gone(self, |s, on| s.set_nonblocking(on))
    }
}

impl Stream for UnixStream {
    fn is_gone(&mut self) -> bool {
        gone(self, |s, on| s.set_nonblocking(on))
    }
}

/// Reads away what the server says; its end is the end.
fn gone<S: std::io::Read>(stream: &mut S, nonblocking: impl Fn(&S, bool) -> std::io::Result<()>) -> bool {
    let mut scrap = [0; 512];
    if nonblocking(stream, true).is_err() {
        return true;
    }
    let gone = loop {
        match stream.read(&mut scrap) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) => break error.kind() != std::io::ErrorKind::WouldBlock,
        }
    };
    nonblocking(stream, false).is_err() || gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock;
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;

    fn conf(size: usize, servers: Vec<RingServer>) -> RingConf {
        RingConf { size, max_len: 20, servers, ..RingConf::new("r") }
    }

    fn server(addr: std::net::SocketAddr, octet_count: bool) -> RingServer {
        RingServer { name: "s".into(), addr: RingAddr::Tcp(addr), octet_count }
    }

    #[test]
    fn without_servers_the_newest_lines_stay() {
        let ring = Ring::new(conf(10, Vec::new()));
        for line in ["one\n", "two\n", "three\n"] {
            assert!(ring.push(line.as_bytes()));
        }
        assert_eq!(ring.lines(), [Box::from(&b"two"[..]), Box::from(&b"three"[..])]);
        assert!(ring.push(b"a line that is far longer than the ring"));
        assert_eq!(ring.lines(), [Box::from(&b"a line tha"[..])]);
    }

    #[test]
    fn lines_reach_a_server_that_comes_back() {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = first.local_addr().unwrap();
        let ring = Ring::new(conf(1000, vec![server(addr, false)]));
        assert!(ring.push(b"one\n"));
        let (stream, _) = first.accept().unwrap();
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "one");
        drop((lines, first));
        assert!(ring.push(b"two\n"));
        // Another test may have its port for a moment.
        let until = clock::now() + Duration::from_secs(30);
        let again = std::iter::repeat_with(|| TcpListener::bind(addr))
            .take_while(|bound| bound.is_ok() || clock::now() < until)
            .find_map(Result::ok)
            .expect("the port is free again");
        let (stream, _) = again.accept().unwrap();
        assert_eq!(BufReader::new(stream).lines().next().unwrap().unwrap(), "two");
    }

    #[test]
    fn what_no_server_has_taken_is_not_pushed_out() {
        let deaf = "127.0.0.1:1".parse().unwrap();
        let ring = Ring::new(conf(10, vec![server(deaf, false)]));
        assert!(ring.push(b"12345678"));
        assert!(!ring.push(b"456"));
        assert!(ring.push(b"45"));
        assert_eq!(ring.lines().len(), 2);
    }

    #[test]
    fn octets_are_counted_where_asked() {
        let mut out = Vec::new();
        frame(b"<6>hello", true, &mut out);
        frame(b"<6>hello", false, &mut out);
        assert_eq!(out, b"8 <6>hello<6>hello\n");
    }
}
