//! One thread: its accept loops, its sessions, and what they share without locks.

use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;
use std::time::{Duration, Instant, UNIX_EPOCH};

use tokio::net::UnixListener;
use tokio::sync::Notify;

pub(super) use super::conn::{
    Conn, Extra, Own, fill, fill_large, fill_little, fill_watched, pack, poll_watched, unpack,
};
use super::deadline::Deadline;
use super::door::Door;
use super::engine::{Order, Shared};
use super::guard::Guard;
use super::listener::Socket;
use super::lot::{self, Lot};
use super::stream::Stream;
use super::waiting::{Full, Limit};
use super::{board, http, tcp};
use crate::buf::Pool;
use crate::http::Head;
use crate::ir;
use crate::live::steps::{Running, Step};
use crate::live::{FrontendState, Live, any_killed};
use crate::metrics::Claim;
use crate::sys::executor::{self, Driver};
use crate::sys::profile::{Meter, Work, measured};
use crate::sys::{self, clock};

/// What the sessions of one thread share.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) index: usize,
    pub(super) bufs: Pool,
    heads: RefCell<Vec<Head>>,
    scratch: RefCell<Vec<Vec<u8>>>,
    /// Tells the accept loops that some frontend was paused, resumed or stopped.
    states: Arc<Notify>,
    seen_states: RefCell<Vec<Option<FrontendState>>>,
    /// Connections that wait without a task.
    pub(super) lot: Lot,
    /// Rounds of house-keeping so far.
    rounds: Cell<u32>,
    meter: Cell<Meter>,
    /// A pair of clocks read at the same time, renewed every second.
    clocks: Cell<(Instant, i64)>,
    step: Arc<Step>,
}

thread_local! {
    static WORKER: OnceCell<Worker> = const { OnceCell::new() };
}

/// The worker of this thread. Sessions run on worker threads only.
pub(super) fn with<R>(f: impl FnOnce(&Worker) -> R) -> R {
    WORKER.with(|w| f(w.get().expect("sessions run on worker threads")))
}

impl Worker {
    fn new(shared: Arc<Shared>, index: usize) -> Self {
        let bufsize = shared.live.config.global.bufsize;
        Self {
            bufs: Pool::new(bufsize, 64),
            heads: RefCell::default(),
            scratch: RefCell::default(),
            states: Arc::default(),
            seen_states: RefCell::default(),
            lot: Lot::new(),
            rounds: Cell::new(0),
            meter: Cell::new(Meter::new(clock::now())),
            clocks: Cell::new(read_clocks()),
            step: shared.live.steps.join(),
            shared,
            index,
        }
    }

    /// A step of a session begins.
    pub(super) fn step(&self) -> Running<'_> {
        self.step.begin()
    }

    /// Everything that runs.
    pub(super) fn live(&self) -> &Arc<Live> {
        &self.shared.live
    }

    /// Wall clock at `at`, microseconds since 1970.
    pub(super) fn wall_us(&self, at: Instant) -> i64 {
        let (instant, wall) = self.clocks.get();
        match at.checked_duration_since(instant) {
            Some(after) => wall + after.as_micros() as i64,
            None => wall - instant.duration_since(at).as_micros() as i64,
        }
    }

    /// An empty head.
    pub(super) fn take_head(&self) -> Head {
        self.heads.borrow_mut().pop().unwrap_or_default()
    }

    /// Keep the memory of a head. A request and its response take one each: with as many as one round of the poller
    /// brings, none is made anew.
    pub(super) fn give_head(&self, mut head: Head) {
        let mut heads = self.heads.borrow_mut();
        if heads.len() < KEPT || (heads.len() < SMALL_KEPT && head.capacity() <= SMALL) {
            head.clear();
            heads.push(head);
        }
    }

    /// An empty vector.
    pub(super) fn take_scratch(&self) -> Vec<u8> {
        self.scratch.borrow_mut().pop().unwrap_or_default()
    }

    /// Keep the memory of a vector.
    pub(super) fn give_scratch(&self, mut vec: Vec<u8>) {
        let mut scratch = self.scratch.borrow_mut();
        if scratch.len() < KEPT && (1..=32 * 1024).contains(&vec.capacity()) {
            vec.clear();
            scratch.push(vec);
        }
    }

    /// The number of the house-keeping round, by which idle connections know how long they are.
    pub(super) fn round(&self) -> u32 {
        self.rounds.get()
    }

    /// Has a connection that is idle since this round been so for long?
    pub(super) fn is_idle_long(&self, since: u32) -> bool {
        self.lot.is_open() && self.rounds.get().wrapping_sub(since) >= IDLE_ROUNDS
    }

    /// Percent of its time that this thread worked of late.
    pub(super) fn usage(&self) -> i64 {
        self.meter.get().percent
    }

    fn keep_house(&self) {
        self.meter.set(self.meter.get().read(clock::now()));
        self.rounds.set(self.rounds.get().wrapping_add(1));
        // A thread that never rests does not come to this by itself.
        crate::log::release();
        self.clocks.set(read_clocks());
        self.lot.sweep();
        if self.lot.is_open() {
            let now = self.rounds.get();
            board::wake_idle(|since| now.wrapping_sub(since) == IDLE_ROUNDS);
        }
        self.shared.idle.expire(self.index, clock::now());
        let states = self.live().proxies().iter().map(|p| p.frontend.as_ref().map(|f| f.state())).collect();
        if *self.seen_states.borrow() != states {
            *self.seen_states.borrow_mut() = states;
            self.states.notify_waiters();
        }
    }
}

/// So many heads and vectors are kept for the next taker, however large.
const KEPT: usize = 64;

/// So many heads in all, if they are small.
const SMALL_KEPT: usize = 512;

/// What a small head holds at most, bytes: a thread keeps a megabyte of them.
const SMALL: usize = 2048;

/// Time between two rounds of house-keeping.
const ROUND: Duration = Duration::from_millis(250);

/// A connection that was idle for so many rounds gives up its task.
const IDLE_ROUNDS: u32 = 3;

fn read_clocks() -> (Instant, i64) {
    let wall = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    (clock::now(), wall.as_micros() as i64)
}

/// The life of a worker thread.
pub(super) async fn run(shared: Arc<Shared>, index: usize, doors: Vec<(Door, Socket)>, claim: Option<Claim>) {
    let driver = match Driver::new(shared.in_a_row) {
        Ok(driver) => driver,
        Err(e) => return shared.live.warn(&format!("Thread {} cannot serve: {e}.", index + 1)),
    };
    let mut orders = shared.orders.clone();
    WORKER.with(|w| w.set(Worker::new(shared.clone(), index)).ok());
    claim.into_iter().for_each(Claim::make);
    // It lets others have a turn by itself.
    tokio::spawn(tokio::task::unconstrained(driver));
    for (door, socket) in doors {
        let shared = shared.clone();
        tokio::spawn(async move {
            let mut orders = shared.orders.clone();
            tokio::select! {
                () = accept_loop(Arc::new(door), socket) => {}
                _ = orders.wait_for(|o| *o != Order::Run) => {}
            }
        });
    }
    tokio::spawn(lot::watch());
    tokio::spawn(board::answer(shared.live.clone(), index));
    let mut killed = any_killed();
    let mut tick = tokio::time::interval(ROUND);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => with(Worker::keep_house),
            Ok(()) = killed.changed() => board::wake_all(),
            order = orders.wait_for(|o| *o != Order::Run) => {
                if order.is_err() {
                    return;
                }
                break;
            }
        }
    }
    with(|w| {
        w.shared.idle.clear(w.index);
        board::wake_idle(|_| true);
    });
    while with(|w| w.lot.resume_some()) {
        tokio::task::yield_now().await;
    }
    // Sessions of other threads count too: the process ends as one.
    while shared.sessions.load(Relaxed) > 0 {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(20)) => with(|w| w.shared.idle.clear(w.index)),
            Ok(()) = killed.changed() => board::wake_all(),
            _ = orders.wait_for(|o| *o == Order::Quit) => return,
        }
    }
}

/// Connections that are still taken from a socket's queue when its listener stops.
const LAST_ONES: u32 = 4096;

enum Acceptor {
    Tcp(sys::tcp::Listener),
    Unix(UnixListener),
    Pair(sys::sockpair::Arrivals),
}

impl Acceptor {
    /// The next connection and where it comes from.
    async fn accept(&self) -> std::io::Result<(Stream, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(s, peer)| (Stream::fresh(s), Some(peer))),
            Self::Unix(listener) => arrived(listener.accept().await?.0.into_std()?),
            Self::Pair(arrivals) => arrived(arrivals.accept().await?),
        }
    }

    /// Who has come already; `None`: nobody. Closing the socket resets those in its queue, so the kernel is asked
    /// and not the poller, which may tell of them too late.
    async fn accept_waiting(&self) -> Option<std::io::Result<(Stream, Option<SocketAddr>)>> {
        match self {
            Self::Tcp(listener) => match listener.accept_waiting() {
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => None,
                accepted => Some(accepted.map(|(s, peer)| (Stream::fresh(s), Some(peer)))),
            },
            Self::Pair(arrivals) => match arrivals.accept_waiting() {
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => None,
                accepted => Some(accepted.and_then(arrived)),
            },
            Self::Unix(_) => tokio::select! {
                biased;
                accepted = self.accept() => Some(accepted),
                () = std::future::ready(()) => None,
            },
        }
    }
}

fn arrived(stream: std::os::unix::net::UnixStream) -> std::io::Result<(Stream, Option<SocketAddr>)> {
    Ok((Stream::unix(stream)?, None))
}

async fn accept_loop(door: Arc<Door>, socket: Socket) {
    let Door { shared, fe: proxy, listener } = &*door;
    let live = door.live();
    let acceptor = match socket {
        Socket::Tcp(s) => sys::tcp::Listener::new(s).map(Acceptor::Tcp),
        Socket::Unix(s) => UnixListener::from_std(s).map(Acceptor::Unix),
        Socket::Pair(s) => sys::sockpair::Arrivals::new(s).map(Acceptor::Pair),
    };
    let Ok(acceptor) = acceptor else {
        tracing::error!(proxy = proxy.ir.name, "listening socket cannot be polled");
        return;
    };
    let Some(frontend) = &proxy.frontend else { return };
    let session_rate = proxy.ir.frontend.as_ref().and_then(|f| f.rate_limit_sessions);
    // Asked in HAProxy's order: what is found first is what is waited for.
    let full = || {
        let rate = |limit, wait| (wait > 0).then(|| Full { limit, until: Some(Duration::from_millis(wait)) });
        let place = |limit, is_taken: bool| is_taken.then_some(Full { limit, until: None });
        let own_rate = || session_rate.map_or(0, |max| frontend.counters.rate.wait(clock::now_ms(), max));
        let of_listener = || listener.ir.maxconn.is_some_and(|max| listener.counters.sessions.get() >= max);
        rate(Limit::Process, live.rate_wait())
            .or_else(|| rate(Limit::Frontend, own_rate()))
            .or_else(|| place(Limit::Listener, of_listener()))
            .or_else(|| place(Limit::Frontend, frontend.counters.sessions.get() >= frontend.maxconn()))
            .or_else(|| place(Limit::Process, live.process.connections.get() >= live.maxconn()))
    };
    let mut waiter = shared.room.waiter();
    // Known without asking the kernel unless the listener takes any address.
    let fixed_dst = match &listener.ir.addr {
        ir::BindAddr::Tcp(a) if !a.ip().is_unspecified() && !listener.ir.transparent && a.port() != 0 => {
            Some(*a)
        }
        _ => None,
    };
    let shrink = listener.ir.tcp.max_segment.filter(|bytes| *bytes < 0).map(i32::saturating_abs);
    let rejects_privileged = live.config.global.reject_privileged_ports;
    let states = with(|w| w.states.clone());
    let (mut stopped, mut last_ones) = (false, LAST_ONES);
    loop {
        match frontend.state() {
            FrontendState::Open => {}
            FrontendState::Paused => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            // Who has come before the end is served: closing the socket would reset them, even where another
            // process goes on listening, if it did not take this thread's socket over.
            FrontendState::Stopped => stopped = true,
        }
        if let Some(found) = full() {
            if stopped {
                return;
            }
            waiter.wait(found, full).await;
            continue;
        }
        waiter.step_out();
        let accepted = if stopped {
            // Where another process listens on the same socket, more may come for as long as one looks.
            let Some(left) = u32::checked_sub(last_ones, 1) else { return };
            last_ones = left;
            tokio::task::yield_now().await;
            match acceptor.accept_waiting().await {
                Some(accepted) => accepted,
                None => return,
            }
        } else {
            tokio::select! {
                biased;
                accepted = acceptor.accept() => accepted,
                () = states.notified() => continue,
            }
        };
        if let (Some(less), Ok((io, _))) = (shrink, &accepted) {
            io.shrink_segments(less);
        }
        let (io, src) = match accepted {
            Ok(pair) => pair,
            Err(e) => {
                // Out of descriptors or memory: give others time to close theirs. Anything else concerned one client.
                if matches!(
                    e.raw_os_error(),
                    Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
                ) {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                continue;
            }
        };
        if rejects_privileged && src.is_some_and(|src| (1..1024).contains(&src.port())) {
            continue;
        }
        let mut dst = None;
        if let Some(s) = io.tcp() {
            if proxy.ir.clitcpka {
                let _ = sys::tcp::set_keepalive(&*s, &proxy.ir.client_keepalive);
            }
            dst = fixed_dst.or_else(|| io.local_addr());
        }
        let now = clock::now();
        let mut conn = Conn {
            door: door.clone(),
            io,
            input: None,
            deadline: Deadline::new(),
            src,
            dst,
            accepted: now,
            last_end: now,
            requests: 0,
            received_proxy: false,
            extra: None,
        };
        let mut guard = loop {
            let found = match shared.in_turn(|| full().map_or_else(|| Ok(Guard::enter(&conn)), Err)) {
                Ok(guard) => break guard,
                Err(found) => found,
            };
            // Somebody else let the last one in while this one waited for a connection: it is held before the door.
            waiter.wait(found, full).await;
            conn.accepted = clock::now();
            conn.last_end = conn.accepted;
        };
        waiter.step_out();
        if !guard.is_session() && !at_one_time(|| guard.judge(&mut conn)) {
            continue;
        }
        start(conn, guard);
    }
}

/// Work for a session in its accept loop, as in a step of its own.
fn at_one_time<R>(work: impl FnOnce() -> R) -> R {
    with(|w| {
        let _running = w.step();
        clock::stopped(|| measured(Work::Sessions, work))
    })
}

/// A connection that came or was parked goes on.
pub(super) fn start(conn: Conn, guard: Guard) {
    let place = board::Place::take(&conn);
    let is_tcp =
        conn.door.fe.ir.mode == ir::proxy::Mode::Tcp && !conn.extra.as_ref().is_some_and(|e| e.is_http);
    // Two kinds of task, because a tunnel may last for days and has no use for the room of an HTTP request.
    if is_tcp {
        executor::spawn(in_steps(place, conn, guard, tcp_session));
    } else {
        executor::spawn(in_steps(place, conn, guard, http_session));
    }
}

/// Every step of a session sees one time. The session is made here: a future that is given to another one has its room
/// there twice, and most of what a slow client costs is that.
async fn in_steps<F: Future<Output = ()>>(
    place: board::Place,
    conn: Conn,
    guard: Guard,
    session: impl FnOnce(Conn, Guard) -> F,
) {
    let mut session = pin!(session(conn, guard));
    std::future::poll_fn(|cx| {
        let step =
            |cx: &mut Context<'_>| clock::stopped(|| measured(Work::Sessions, || session.as_mut().poll(cx)));
        with(|w| {
            let _running = w.step();
            place.step(cx, step)
        })
    })
    .await;
}

async fn tcp_session(mut conn: Conn, mut guard: Guard) {
    if !guard.admits(&mut conn).await {
        return;
    }
    if tcp::session(&mut conn).await == tcp::Ended::Http {
        // Rare, and large.
        Box::pin(http_session(conn, guard)).await;
    }
}

async fn http_session(mut conn: Conn, mut guard: Guard) {
    if !guard.admits(&mut conn).await {
        return;
    }
    if http::session(&mut conn).await == http::Ended::Idle {
        lot::park(conn, guard);
    }
}
