//! Lines that leave together: what the sessions of a thread log before it waits for the kernel again goes out with one
//! system call per destination, and wakes the receiver once.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::sink::Sink;
use crate::sys::datagrams::AT_ONCE;

/// Lines of so many bytes leave without waiting for others.
const ENOUGH: usize = 32 * 1024;

/// Memory of so many destinations is kept.
const KEPT: usize = 16;

/// Lines for one destination.
struct Queue {
    sink: Arc<Sink>,
    bytes: Vec<u8>,
    /// Where each line ends in `bytes`.
    ends: Vec<usize>,
    dropped: Arc<AtomicU64>,
}

impl Queue {
    fn release(&mut self) {
        let mut begin = 0;
        let lines: smallvec::SmallVec<[&[u8]; AT_ONCE]> =
            self.ends.iter().map(|end| &self.bytes[std::mem::replace(&mut begin, *end)..*end]).collect();
        self.dropped.fetch_add(self.sink.send_all(&lines), Relaxed);
        drop(lines);
        self.bytes.clear();
        self.ends.clear();
    }
}

thread_local! {
    /// `None`: this thread's lines leave at once.
    static HELD: RefCell<Option<Vec<Queue>>> = const { RefCell::new(None) };
}

/// While it lives, datagrams of the thread that called [`hold`] wait for [`release`].
#[derive(Debug)]
pub struct Holding(());

impl Drop for Holding {
    fn drop(&mut self) {
        release();
        HELD.set(None);
    }
}

/// From now on this thread's lines wait until it calls [`release`], or until there are enough of them.
#[must_use]
pub fn hold() -> Holding {
    HELD.set(Some(Vec::new()));
    Holding(())
}

/// Send what waits.
pub fn release() {
    HELD.with_borrow_mut(|held| {
        let Some(queues) = held else { return };
        queues.iter_mut().filter(|queue| !queue.ends.is_empty()).for_each(Queue::release);
        queues.truncate(KEPT);
    });
}

/// Keep a line for later. `false`: it is to be sent at once.
pub(super) fn keep(sink: &Arc<Sink>, line: &[u8], dropped: &Arc<AtomicU64>) -> bool {
    if !sink.takes_several() {
        return false;
    }
    HELD.with_borrow_mut(|held| {
        let Some(queues) = held else { return false };
        let at = queues.iter().position(|queue| Arc::ptr_eq(&queue.sink, sink)).unwrap_or_else(|| {
            let (sink, dropped) = (sink.clone(), dropped.clone());
            queues.push(Queue { sink, bytes: Vec::new(), ends: Vec::new(), dropped });
            queues.len() - 1
        });
        let queue = &mut queues[at];
        queue.bytes.extend_from_slice(line);
        queue.ends.push(queue.bytes.len());
        if queue.ends.len() >= AT_ONCE || queue.bytes.len() >= ENOUGH {
            queue.release();
        }
        true
    })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use super::super::{Identity, Logger, level};
    use crate::ir::log::{Facility, LogDest, LogFraming, LogTarget};

    fn target(dest: LogDest) -> LogTarget {
        LogTarget::new(dest, LogFraming::Raw, Facility(16))
    }

    #[test]
    fn lines_wait_for_the_end_of_a_round_and_keep_their_order() {
        let receivers = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let identity = Identity { hostname: None, tag: "t".into(), pid: 1 };
        let logger = Logger::new(identity);
        let to = |r: &UdpSocket| target(LogDest::Udp(r.local_addr().unwrap()));
        let targets = logger.open(&receivers.iter().map(to).collect::<Vec<_>>());
        let got = |r: &UdpSocket| {
            r.set_nonblocking(true).unwrap();
            let mut buf = [0; 64];
            r.recv(&mut buf).ok().map(|n| String::from_utf8_lossy(&buf[..n]).into_owned())
        };
        let holding = super::hold();
        logger.send(&targets, level::INFO, None, b"0");
        logger.send(&targets, level::INFO, None, b"1");
        assert_eq!(got(&receivers[0]), None);
        super::release();
        for r in &receivers {
            assert_eq!((got(r).as_deref(), got(r).as_deref(), got(r)), (Some("0\n"), Some("1\n"), None));
        }
        for i in 0..super::AT_ONCE {
            logger.send(&targets, level::INFO, None, i.to_string().as_bytes());
        }
        assert_eq!(got(&receivers[1]).as_deref(), Some("0\n"), "there is a limit");
        logger.send(&targets, level::INFO, None, b"last");
        drop(holding);
        let mut last = None;
        while let Some(line) = got(&receivers[0]) {
            last = Some(line);
        }
        assert_eq!(last.as_deref(), Some("last\n"));
        logger.send(&targets, level::INFO, None, b"alone");
        receivers[0].set_nonblocking(false).unwrap();
        receivers[0].set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut buf = [0; 64];
        let n = receivers[0].recv(&mut buf).unwrap();
        assert_eq!(&buf[..n], b"alone\n", "nobody holds it");
    }

    #[test]
    fn lines_that_nobody_takes_are_counted_one_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let logger = Logger::new(Identity { hostname: None, tag: "t".into(), pid: 1 });
        let targets = logger.open(&[target(LogDest::Unix(dir.path().join("nobody")))]);
        let holding = super::hold();
        for _ in 0..5 {
            logger.send(&targets, level::INFO, None, b"x");
        }
        assert_eq!(logger.dropped(), 0);
        drop(holding);
        assert_eq!(logger.dropped(), 5);
    }
}
