//! Rings: lines kept in memory, and passed on over streams to the servers of the `ring` section ([`runner`]).
//!
//! A line that no server has taken yet is never pushed out by a newer one: when the ring is full of them the newer
//! one is lost, and the next that finds room tells how many were, as HAProxy does.

mod runner;

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::ir::log::RingConf;
use crate::sys::home::Home;

/// Bytes that are passed on with one system call.
const AT_ONCE: usize = 16 * 1024;

/// A ring that lines are written to.
#[derive(Debug)]
pub struct Ring {
    conf: RingConf,
    store: Mutex<Store>,
    /// Something was written.
    news: Notify,
}

#[derive(Debug, Default)]
struct Store {
    /// Lines without their ends, oldest first.
    lines: VecDeque<Box<[u8]>>,
    /// Bytes that they take.
    bytes: usize,
    /// Number of the oldest line.
    first: u64,
    /// By server: number of the next line it gets.
    next: Vec<u64>,
    /// Lines that found no room since the last one that did.
    lost: u64,
}

/// Bytes that a line takes: it stands behind its length (7 bits in a byte, of which the first has 240 values to itself)
/// and the number of its readers.
fn room_for(len: usize) -> usize {
    let mut room = len + 2;
    let mut rest = len;
    if rest >= 240 {
        rest = (rest - 240) >> 4;
        room += 1;
        while rest >= 128 {
            rest = (rest - 128) >> 7;
            room += 1;
        }
    }
    room
}

impl Store {
    /// Keeps a line for which room can be made out of what every server has. `false`: it cannot.
    fn keep(&mut self, line: &[u8], size: usize) -> bool {
        let room = room_for(line.len());
        let needed = self.next.iter().min().copied().unwrap_or(u64::MAX);
        // One byte is where the next line begins.
        while self.bytes + room + 1 > size && self.first < needed {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= room_for(oldest.len());
            self.first += 1;
        }
        let fits = self.bytes + room < size;
        if fits {
            self.bytes += room;
            self.lines.push_back(line.into());
        }
        fits
    }

    /// Number of the line that comes next.
    fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// The lines from that number on.
    fn from(&self, number: u64) -> impl Iterator<Item = &[u8]> {
        let skipped = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.lines.iter().skip(skipped).map(|line| &line[..])
    }
}

/// Lines on their way to a server.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Number of the first line.
    first: u64,
    /// Where each line ends in `bytes`.
    ends: Vec<usize>,
}

impl Ring {
    /// An empty ring.
    #[must_use]
    pub fn new(conf: RingConf) -> Arc<Self> {
        let store = Store { next: vec![0; conf.servers.len()], ..Store::default() };
        Arc::new(Self { conf, store: Mutex::new(store), news: Notify::new() })
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
        (store.from(number).map(Box::from).collect(), store.end())
    }

    /// Number of the line that comes next.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.store.lock().end()
    }

    /// Lines that were lost and not told of yet.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.store.lock().lost
    }

    /// Writes one line, and in front of it, where lines were lost, the one that `tell` makes of their number. `false`: this
    /// one was lost, too.
    pub(super) fn push(&self, line: &[u8], tell: impl FnOnce(u64) -> Vec<u8>) -> bool {
        let mut store = self.store.lock();
        let lost = store.lost;
        let kept = (lost == 0 || store.keep(self.cut(&tell(lost)), self.conf.size)) && {
            store.lost = 0;
            store.keep(self.cut(line), self.conf.size)
        };
        store.lost += u64::from(!kept);
        drop(store);
        self.news.notify_waiters();
        kept
    }

    /// A line without its end, and what is too long.
    fn cut<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        &line[..line.len().min(self.conf.max_len)]
    }

    /// Connects to the servers from now on. Not before the process is who it will be: it may start a thread.
    pub(super) fn start(self: &Arc<Self>, home: Home) -> std::io::Result<()> {
        if self.conf.servers.is_empty() { Ok(()) } else { runner::start(self, home) }
    }

    /// Waits until there is something for a server, and takes so much of it as goes at once.
    async fn fill(&self, index: usize, batch: &mut Batch) {
        let server = &self.conf.servers[index];
        loop {
            let news = self.news.notified();
            batch.bytes.clear();
            batch.ends.clear();
            {
                let store = self.store.lock();
                batch.first = store.next[index].max(store.first);
                for line in store.from(batch.first) {
                    frame(line, server.octet_count, &mut batch.bytes);
                    batch.ends.push(batch.bytes.len());
                    if batch.bytes.len() >= AT_ONCE {
                        break;
                    }
                }
            }
            if !batch.ends.is_empty() {
                return;
            }
            news.await;
        }
    }

    /// A server has so many bytes of a batch.
    fn took(&self, index: usize, batch: &Batch, written: usize) {
        let whole = batch.ends.partition_point(|end| *end <= written);
        self.store.lock().next[index] = batch.first + whole as u64;
    }
}

/// What is said in place of lines that were lost.
pub(super) fn lost_lines(lost: u64) -> String {
    if lost == 1 { "1 event dropped".to_owned() } else { format!("{lost} events dropped") }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::log::{RingAddr, RingServer};
    use crate::sys::clock;
    use std::io::{BufRead as _, BufReader};
    use std::net::TcpListener;
    use std::time::Duration;

    fn conf(size: usize, servers: Vec<RingServer>) -> RingConf {
        RingConf { size, max_len: 20, servers, ..RingConf::new("r") }
    }

    fn server(addr: std::net::SocketAddr, octet_count: bool) -> RingServer {
        RingServer { name: "s".into(), addr: RingAddr::Tcp(addr), octet_count }
    }

    fn push(ring: &Ring, line: &str) -> bool {
        ring.push(line.as_bytes(), |lost| lost_lines(lost).into())
    }

    fn kept(ring: &Ring) -> Vec<String> {
        ring.lines().iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    #[test]
    fn without_servers_the_newest_lines_stay() {
        let ring = Ring::new(conf(15, Vec::new()));
        for line in ["one\n", "two\n", "three\n"] {
            assert!(push(&ring, line));
        }
        assert_eq!(kept(&ring), ["two", "three"]);
        assert!(!push(&ring, "a line that is longer than the ring"));
        assert_eq!(ring.lost(), 1);
    }

    #[test]
    fn lines_are_cut() {
        let ring = Ring::new(conf(100, Vec::new()));
        assert!(push(&ring, "a line that is longer than may be"));
        assert_eq!(kept(&ring), ["a line that is longe"]);
    }

    #[test]
    fn lines_reach_a_server_that_comes_back() {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = first.local_addr().unwrap();
        let ring = Ring::new(conf(1000, vec![server(addr, false)]));
        ring.start(Home::Apart).unwrap();
        let (stream, _) = first.accept().unwrap();
        assert!(push(&ring, "one\n"));
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "one");
        drop(first);
        drop(lines);
        // Another test may have its port for a moment.
        let until = clock::now() + Duration::from_secs(30);
        let again = std::iter::repeat_with(|| TcpListener::bind(addr))
            .take_while(|bound| bound.is_ok() || clock::now() < until)
            .find_map(Result::ok)
            .expect("the port is free again");
        let (stream, _) = again.accept().unwrap();
        assert!(push(&ring, "two\n"));
        assert_eq!(BufReader::new(stream).lines().next().unwrap().unwrap(), "two");
    }

    #[test]
    fn what_no_server_has_taken_is_not_pushed_out() {
        let deaf = "127.0.0.1:1".parse().unwrap();
        let ring = Ring::new(conf(30, vec![server(deaf, false)]));
        assert!(push(&ring, "123456789012345"));
        for _ in 0..3 {
            assert!(!push(&ring, "1234567890123"));
        }
        assert_eq!((kept(&ring).len(), ring.lost()), (1, 3));
        assert!(!push(&ring, "1"), "there is no room to tell what was lost");
        let all = Batch { bytes: Vec::new(), first: 0, ends: vec![5] };
        ring.took(0, &all, 4);
        assert!(!push(&ring, "1"), "it has not all of the first line");
        ring.took(0, &all, 5);
        assert!(push(&ring, "1"));
        assert_eq!((kept(&ring), ring.lost()), (vec!["5 events dropped".to_owned(), "1".to_owned()], 0));
    }

    #[test]
    fn lengths_take_room() {
        for (len, room) in [
            (0, 2),
            (239, 241),
            (240, 243),
            (2287, 2290),
            (2288, 2292),
            (264_431, 264_435),
            (264_432, 264_437),
        ] {
            assert_eq!(room_for(len), room, "{len}");
        }
    }

    #[test]
    fn octets_are_counted_where_asked() {
        let mut out = Vec::new();
        frame(b"<6>hello", true, &mut out);
        frame(b"<6>hello", false, &mut out);
        assert_eq!(out, b"8 <6>hello<6>hello\n");
    }
}
