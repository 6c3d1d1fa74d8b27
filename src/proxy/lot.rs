//! Where silent client connections wait without a task.
//!
//! A task with its timer and its place in the runtime's poller takes some two kilobytes, and most connections of a
//! busy proxy are silent for minutes. One that said nothing for a moment gives all of it back: what is left is an
//! entry in a table of its thread and its descriptor in a poller of that table, and what it said if it stopped within the
//! head of a request. The next byte, the end, or the timeout coming near make a session of it again.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::deadline::Deadline;
use super::guard::Guard;
use super::stream::Stream;
use super::worker::{self, Conn, Extra, with};
use crate::sys::poller::Poller;
use crate::sys::{self, clock, executor};

/// A connection whose timeout is nearer than this keeps its task: that has an exact timer.
const WORTH_IT: Duration = Duration::from_secs(1);

/// Entries come back this long before their timeout at the latest; at least the time between two sweeps.
const EARLY: Duration = Duration::from_millis(600);

/// So many tasks must have been given back before the allocator is asked to return their memory.
const TRIM_AFTER: u32 = 128;

/// What is left of a connection.
struct Parked {
    fd: OwnedFd,
    is_tcp: bool,
    received_proxy: bool,
    requests: u32,
    src: Option<SocketAddr>,
    dst: Option<SocketAddr>,
    accepted: Instant,
    last_end: Instant,
    extra: Option<Box<Extra>>,
    /// Counts the connection, and knows its proxy and listener.
    guard: Guard,
}

/// The parked connections of one thread.
pub(super) struct Lot {
    entries: RefCell<slab::Slab<Parked>>,
    /// When to take each entry out again, milliseconds of [`clock::now_ms`]; a list of its own because all of
    /// it is read in every sweep.
    until: RefCell<Vec<u64>>,
    poller: Option<Poller>,
    /// Sessions that gave up memory since the last trim, and in this interval between two sweeps.
    untrimmed: Cell<u32>,
    lately: Cell<u32>,
}

impl Lot {
    /// An empty one. Without a poller (no descriptors left) nothing is ever parked.
    pub(super) fn new() -> Self {
        Self {
            entries: RefCell::default(),
            until: RefCell::default(),
            poller: Poller::new().ok(),
            untrimmed: Cell::new(0),
            lately: Cell::new(0),
        }
    }

    /// Can connections be parked here?
    pub(super) fn is_open(&self) -> bool {
        self.poller.is_some()
    }

    /// Keep a connection that has nothing to say. `until`: when its timeout is.
    fn park(&self, conn: Conn, guard: Guard, until: Option<Instant>) -> io::Result<()> {
        let Some(poller) = &self.poller else { return Ok(()) };
        let Conn { door, io, input, deadline, src, dst, accepted, last_end, requests, received_proxy, extra } =
            conn;
        drop((door, input, deadline));
        let is_tcp = io.is_tcp();
        let fd = io.into_fd()?;
        let mut entries = self.entries.borrow_mut();
        let entry = entries.vacant_entry();
        let key = entry.key();
        poller.add(&fd, key)?;
        guard.door.shared.parked.fetch_add(1, Relaxed);
        entry.insert(Parked {
            fd,
            is_tcp,
            received_proxy,
            requests,
            src,
            dst,
            accepted,
            last_end,
            extra,
            guard,
        });
        let mut all = self.until.borrow_mut();
        if all.len() <= key {
            all.resize(key + 1, u64::MAX);
        }
        all[key] = until.and_then(|at| at.checked_sub(EARLY)).map_or(u64::MAX, clock::since_start);
        self.gave_back();
        Ok(())
    }

    /// A session gave up memory for a while.
    pub(super) fn gave_back(&self) {
        self.untrimmed.set(self.untrimmed.get() + 1);
        self.lately.set(self.lately.get() + 1);
    }

    /// Take an entry out and make a session of it.
    fn resume(&self, key: usize) {
        let Some(parked) = self.entries.borrow_mut().try_remove(key) else { return };
        self.until.borrow_mut()[key] = u64::MAX;
        let Parked { fd, is_tcp, received_proxy, requests, src, dst, accepted, last_end, extra, guard } =
            parked;
        guard.door.shared.parked.fetch_sub(1, Relaxed);
        if let Some(poller) = &self.poller {
            poller.remove(&fd);
        }
        // Mostly something came.
        let known = sys::reactor::Known { readable: true, writable: true };
        // A descriptor that the runtime cannot take (no memory) is a connection that ends.
        let Ok(io) = Stream::from_fd(fd, is_tcp, known) else { return };
        let conn = Conn {
            door: guard.door.clone(),
            io,
            input: None,
            deadline: Deadline::new(),
            src,
            dst,
            accepted,
            last_end,
            requests,
            received_proxy,
            extra,
        };
        worker::start(conn, guard);
    }

    /// Take out what became ready, some at a time. False: that was all.
    fn resume_ready(&self) -> bool {
        let Some(poller) = &self.poller else { return false };
        let mut keys = Vec::new();
        poller.ready(&mut keys);
        for key in &keys {
            self.resume(*key);
        }
        !keys.is_empty()
    }

    /// Take out what nears its timeout, and return memory that tasks gave up. To be called a few times a second.
    pub(super) fn sweep(&self) {
        let now = clock::now_ms();
        let due: Vec<usize> = self
            .until
            .borrow()
            .iter()
            .enumerate()
            .filter(|(_, at)| **at <= now)
            .map(|(key, _)| key)
            .collect();
        for key in due {
            self.resume(key);
        }
        if self.entries.borrow().is_empty() && self.until.borrow().len() > 1024 {
            *self.entries.borrow_mut() = slab::Slab::new();
            *self.until.borrow_mut() = Vec::new();
        }
        // While connections come and go, the next task takes the memory of the last one.
        if self.lately.replace(0) == 0 && self.untrimmed.get() >= TRIM_AFTER {
            self.untrimmed.set(0);
            executor::trim();
            sys::process::trim_heap();
        }
    }

    /// Take out some. False: none are left.
    pub(super) fn resume_some(&self) -> bool {
        let keys: Vec<usize> = self.entries.borrow().iter().map(|(key, _)| key).take(128).collect();
        for key in &keys {
            self.resume(*key);
        }
        !keys.is_empty()
    }
}

/// Is it worth to park this connection? In a process that stops nobody would take it out again.
pub(super) fn takes(conn: &Conn) -> bool {
    let near = |at: Instant| at.saturating_duration_since(clock::now()) < WORTH_IT;
    !conn.deadline.at().is_some_and(near) && !with(|w| w.live().is_stopping())
}

/// Park a connection of this thread; it is closed if that fails.
pub(super) fn park(conn: Conn, guard: Guard) {
    let until = conn.deadline.at();
    if let Err(e) = with(|w| w.lot.park(conn, guard, until)) {
        tracing::debug!("an idle connection could not be parked: {e}");
    }
}

/// Wakes parked connections of this thread when bytes come.
pub(super) async fn watch() {
    let Some(Ok(watch)) = with(|w| w.lot.poller.as_ref().map(Poller::watch)) else { return };
    while watch.changed().await.is_ok() {
        while with(|w| w.lot.resume_ready()) {
            tokio::task::yield_now().await;
        }
    }
}
