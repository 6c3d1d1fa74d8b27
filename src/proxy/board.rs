//! The sessions of a thread that have a task, for `show sess` and `shutdown session`, and to wake them all.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Waker};
use std::time::Instant;

use super::worker::Conn;
use crate::ir::ProxyIdx;
use crate::live::board::{Ask, Look};
use crate::live::{Live, Server};
use crate::sys::clock;

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
    ending: bool,
    exchange: Option<Exchange>,
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
            frontend: conn.proxy.idx,
            accepted: conn.accepted,
            fd: conn.io.raw_fd(),
            waker: None,
            calls: 0,
            ending: false,
            exchange: None,
        };
        Self(ENTRIES.with_borrow_mut(|entries| entries.insert(entry)))
    }

    /// The task takes a step.
    pub(super) fn step<T>(&self, cx: &mut Context<'_>, step: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let ending = ENTRIES.with_borrow_mut(|entries| {
            let Some(entry) = entries.get_mut(self.0) else { return false };
            entry.calls += 1;
            match &mut entry.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                None => entry.waker = Some(cx.waker().clone()),
            }
            entry.ending
        });
        let _here = Here { before: (CURRENT.replace(self.0), ENDING.replace(ending)) };
        step(cx)
    }
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

fn current(change: impl FnOnce(&mut Option<Exchange>)) {
    // A transaction may be dropped with its thread.
    let _ = ENTRIES.try_with(|entries| {
        if let Some(entry) = entries.borrow_mut().get_mut(CURRENT.get()) {
            change(&mut entry.exchange);
        }
    });
}

/// An exchange begins.
pub(super) fn begin(started: Instant) {
    current(|exchange| *exchange = Some(Exchange { started, backend: None, server: None }));
}

/// Its backend.
pub(super) fn backend(backend: ProxyIdx) {
    current(|exchange| {
        if let Some(exchange) = exchange {
            exchange.backend = Some(backend);
        }
    });
}

/// Its server.
pub(super) fn server(server: &Arc<Server>) {
    current(|exchange| {
        if let Some(exchange) = exchange {
            exchange.server = Some(server.ir.id);
        }
    });
}

/// It is over.
pub(super) fn end() {
    current(|exchange| *exchange = None);
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
    let wakers: Vec<Waker> =
        ENTRIES.with_borrow(|entries| entries.iter().filter_map(|(_, e)| e.waker.clone()).collect());
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
