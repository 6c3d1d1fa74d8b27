//! The sessions of a thread that have a task, for `show sess` and `shutdown session`, and to wake them all.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::failure::Who;
use super::worker::Conn;
use crate::ir::ProxyIdx;
use crate::live::board::{Ask, Look};
use crate::live::{Live, Server};
use crate::sys::{clock, profile};

/// The exchange that goes on.
#[derive(Clone, Copy)]
struct Exchange {
    started: Instant,
    backend: Option<ProxyIdx>,
    server: Option<u32>,
}

struct Entry {
    id: u64,
    is_tcp: bool,
    src: Option<SocketAddr>,
    frontend: ProxyIdx,
    accepted: Instant,
    fd: RawFd,
    waker: Option<Waker>,
    calls: u64,
    /// What the exchange that goes on has cost.
    cost: Cost,
    /// Stamps the moment in which the task is woken, while that is wanted.
    stamp: Option<Arc<Stamp>>,
    ending: bool,
    exchange: Option<Exchange>,
    /// The round of house-keeping in which it began to wait for a request.
    idle_since: Option<u32>,
}

/// What an exchange costs.
#[derive(Clone, Copy, Default)]
pub(super) struct Cost {
    /// Steps.
    pub(super) calls: u64,
    /// Processor time of them, as far as it was measured.
    pub(super) cpu: Duration,
    /// Time from being woken to the step, likewise.
    pub(super) latency: Duration,
}

/// A waker that knows when it was used.
struct Stamp {
    inner: Waker,
    woken: Mutex<Option<Instant>>,
}

impl Wake for Stamp {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.lock().get_or_insert_with(clock::now);
        self.inner.wake_by_ref();
    }
}

thread_local! {
    static ENTRIES: RefCell<slab::Slab<Entry>> = RefCell::default();
    /// The entry of the task that runs.
    static CURRENT: Cell<usize> = const { Cell::new(usize::MAX) };
    /// That task is to end.
    static ENDING: Cell<bool> = const { Cell::new(false) };
}

/// The place of a task on the board.
pub(super) struct Place(usize);

impl Place {
    pub(super) fn take(conn: &Conn) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let entry = Entry {
            id: NEXT.fetch_add(1, Relaxed),
            is_tcp: conn.io.is_tcp(),
            src: conn.src,
            frontend: conn.door.fe.idx,
            accepted: conn.accepted,
            fd: conn.io.raw_fd(),
            waker: None,
            calls: 0,
            cost: Cost::default(),
            stamp: None,
            ending: false,
            exchange: None,
            idle_since: None,
        };
        Self(ENTRIES.with_borrow_mut(|entries| entries.insert(entry)))
    }

    /// The task takes a step.
    pub(super) fn step<T>(&self, cx: &mut Context<'_>, step: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let ending = ENTRIES.with_borrow_mut(|entries| {
            let Some(entry) = entries.get_mut(self.0) else { return false };
            entry.calls += 1;
            entry.cost.calls += 1;
            match &mut entry.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                None => entry.waker = Some(cx.waker().clone()),
            }
            entry.ending
        });
        let _here = Here { before: (CURRENT.replace(self.0), ENDING.replace(ending)) };
        if profile::is_on() { self.measured(cx, step) } else { step(cx) }
    }

    /// The same, and what it costs is noted.
    #[cold]
    fn measured<T>(&self, cx: &mut Context<'_>, step: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let stamp = self.with(|entry| {
            if let Some(woken) = entry.stamp.as_ref().and_then(|stamp| stamp.woken.lock().take()) {
                entry.cost.latency += clock::now().saturating_duration_since(woken);
            }
            match &entry.stamp {
                Some(stamp) if stamp.inner.will_wake(cx.waker()) => stamp.clone(),
                _ => {
                    let stamp = Stamp { inner: cx.waker().clone(), woken: Mutex::default() };
                    entry.stamp.insert(Arc::new(stamp)).clone()
                }
            }
        });
        let before = profile::spent();
        let done = match stamp {
            Some(stamp) => step(&mut Context::from_waker(&stamp.into())),
            None => step(cx),
        };
        self.with(|entry| entry.cost.cpu += profile::spent().saturating_sub(before));
        done
    }

    fn with<T>(&self, look: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        ENTRIES.with_borrow_mut(|entries| entries.get_mut(self.0).map(look))
    }
}

/// What the exchange that goes on has cost so far.
pub(super) fn cost() -> Cost {
    ENTRIES.with_borrow(|entries| entries.get(CURRENT.get()).map(|entry| entry.cost)).unwrap_or_default()
}

/// Restores what was before, whatever happens.
struct Here {
    before: (usize, bool),
}

impl Drop for Here {
    fn drop(&mut self) {
        CURRENT.set(self.before.0);
        ENDING.set(self.before.1);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // At the end of the thread there may be no board any more.
        let _ =
            ENTRIES.try_with(|entries| entries.try_borrow_mut().map(|mut e| e.try_remove(self.0).map(drop)));
    }
}

/// Whether the session that runs was told to end.
pub(super) fn is_ending() -> bool {
    ENDING.get()
}

/// Who ends a session whose time is up: somebody who told it to, or else `late`.
pub(super) fn blame(late: Who) -> Who {
    if is_ending() { Who::Killed } else { late }
}

fn current(change: impl FnOnce(&mut Entry)) {
    // A transaction may be dropped with its thread.
    let _ = ENTRIES.try_with(|entries| {
        if let Some(entry) = entries.borrow_mut().get_mut(CURRENT.get()) {
            change(entry);
        }
    });
}

/// An exchange begins.
pub(super) fn begin(started: Instant) {
    current(|entry| {
        entry.exchange = Some(Exchange { started, backend: None, server: None });
        // This step is its first.
        entry.cost = Cost { calls: 1, ..Cost::default() };
    });
}

/// The session waits for a request since this round of house-keeping; `None`: no longer.
pub(super) fn set_idle(since: Option<u32>) {
    current(|entry| entry.idle_since = since);
}

/// Its backend.
pub(super) fn backend(backend: ProxyIdx) {
    current(|entry| {
        if let Some(exchange) = &mut entry.exchange {
            exchange.backend = Some(backend);
        }
    });
}

/// Its server.
pub(super) fn server(server: &Arc<Server>) {
    current(|entry| {
        if let Some(exchange) = &mut entry.exchange {
            exchange.server = Some(server.ir.id);
        }
    });
}

/// It is over.
pub(super) fn end() {
    current(|entry| entry.exchange = None);
}

/// Answers questions about the sessions of this thread for as long as it runs.
pub(super) async fn answer(live: Arc<Live>, thread: usize) {
    let mut bell = live.board.bell();
    while bell.changed().await.is_ok() {
        live.board.answer(thread, |ask| match ask {
            Ask::List => looks(thread, |_| true),
            Ask::End(id) => {
                let found = looks(thread, |entry| entry.id == id);
                wake_to_end(id);
                found
            }
        });
    }
}

fn looks(thread: usize, which: impl Fn(&Entry) -> bool) -> Vec<Look> {
    let now = clock::now();
    let look = |entry: &Entry| Look {
        id: entry.id,
        thread,
        is_tcp: entry.is_tcp,
        src: entry.src,
        frontend: entry.frontend,
        backend: entry.exchange.and_then(|e| e.backend),
        server: entry.exchange.and_then(|e| e.server),
        age: now.saturating_duration_since(entry.accepted),
        exchange: entry.exchange.map(|e| now.saturating_duration_since(e.started)),
        calls: entry.calls,
        fd: entry.fd,
    };
    ENTRIES.with_borrow(|entries| entries.iter().map(|(_, e)| e).filter(|e| which(e)).map(look).collect())
}

/// Every session of this thread looks whether its server was taken away.
pub(super) fn wake_all() {
    wake(|_| true);
}

/// Sessions that wait for a request since such rounds look for how long, and whether the process stops.
pub(super) fn wake_idle(which: impl Fn(u32) -> bool) {
    wake(|entry| entry.idle_since.is_some_and(&which));
}

fn wake(which: impl Fn(&Entry) -> bool) {
    let wakers: Vec<Waker> = ENTRIES.with_borrow(|entries| {
        let chosen = entries.iter().map(|(_, entry)| entry).filter(|entry| which(entry));
        chosen.filter_map(|entry| entry.waker.clone()).collect()
    });
    wakers.into_iter().for_each(Waker::wake);
}

/// The client's side is shut, and every deadline of the session is now: it ends the way it would have anyway, and is
/// counted and logged.
fn wake_to_end(id: u64) {
    let waker = ENTRIES.with_borrow_mut(|entries| {
        let entry = entries.iter_mut().map(|(_, e)| e).find(|e| e.id == id)?;
        entry.ending = true;
        // The descriptor is open: the session that owns it runs in this thread and is not running now.
        let _ = nix::sys::socket::shutdown(entry.fd, nix::sys::socket::Shutdown::Both);
        entry.waker.clone()
    });
    waker.into_iter().for_each(Waker::wake);
}
