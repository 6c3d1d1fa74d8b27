//! Workers: start, stop.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::Duration;
#[cfg(test)]
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::door::Door;
use super::listener::{Bound, Socket};
use super::pool::Pools;
use super::service::Service;
use super::waiting::Room;
use super::worker;
use crate::live::Live;
use crate::metrics::Claim;
use crate::sys::{clock, home::Home, sched};

/// What the threads are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Accept and serve.
    Run,
    /// Accept no more; idle connections close, sessions end by themselves.
    Finish,
    /// End everything now.
    Quit,
}

/// What the threads share.
pub(super) struct Shared {
    pub(super) live: Arc<Live>,
    pub(super) service: Arc<dyn Service>,
    pub(super) orders: watch::Receiver<Order>,
    pub(super) room: Room,
    /// One thread after the other lets connections in: of several that wait only as many as there is room for.
    turn: Mutex<()>,
    /// Sessions of all threads.
    pub(super) sessions: AtomicU32,
    /// Those of them that wait without a task.
    pub(super) parked: AtomicU32,
    /// Idle connections to servers.
    pub(super) idle: Pools,
    /// Steps that a thread takes between two looks at the network, if there is so much to do.
    pub(super) in_a_row: u32,
}

impl Shared {
    /// Do this while no other thread does the like.
    pub(super) fn in_turn<R>(&self, work: impl FnOnce() -> R) -> R {
        let _turn = self.turn.lock();
        work()
    }
}

/// The running threads.
pub struct Engine {
    shared: Arc<Shared>,
    orders: watch::Sender<Order>,
    workers: Vec<Running>,
}

/// How a worker runs.
enum Running {
    /// With a thread.
    Thread(thread::JoinHandle<()>),
    /// On the thread of everything else.
    Task(tokio::task::JoinHandle<()>),
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("workers", &self.workers.len()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Serve `bound` (see [`super::bind_all`], called with the same number) on `threads` threads: on the one of the caller
    /// alone if it is to be home of all. Its runtime is one of [`runtime`] then, which the caller has entered, and its
    /// log lines are [held](crate::log::hold).
    ///
    /// # Errors
    /// A thread or its runtime could not be made.
    pub fn start(
        live: Arc<Live>,
        bound: Vec<Bound>,
        service: Arc<dyn Service>,
        threads: usize,
        home: Home,
    ) -> io::Result<Self> {
        super::splice::limit(&live.config.global);
        let (orders, receiver) = watch::channel(Order::Run);
        let shared = Arc::new(Shared {
            idle: Pools::new(threads),
            in_a_row: live.config.global.runqueue_depth.unwrap_or_else(|| steps_in_a_row(threads)),
            live,
            service,
            orders: receiver,
            room: Room::default(),
            turn: Mutex::new(()),
            sessions: AtomicU32::new(0),
            parked: AtomicU32::new(0),
        });
        let mut shares: Vec<Vec<(Door, Socket)>> = (0..threads).map(|_| Vec::new()).collect();
        for one in bound {
            for (i, socket) in one.sockets.into_iter().enumerate() {
                let (fe, listener) = (one.proxy.clone(), one.listener.clone());
                shares[i % threads].push((Door { shared: shared.clone(), fe, listener }, socket));
            }
        }
        let mut workers = Vec::with_capacity(threads);
        let cpus = shared.live.config.global.cpu_map.of(threads);
        for (index, (doors, cpus)) in shares.into_iter().zip(cpus).enumerate() {
            let shared = shared.clone();
            let stay = move |shared: &Shared| {
                if let Err(message) = stay_on(index, &cpus) {
                    shared.live.warn(&message);
                }
            };
            workers.push(match home {
                Home::Together => {
                    stay(&shared);
                    Running::Task(tokio::spawn(worker::run(shared, index, doors, Some(Claim::All))))
                }
                Home::Apart => {
                    let claim = (index == 0).then_some(Claim::Counters);
                    let runtime = runtime()?;
                    let work = move || {
                        stay(&shared);
                        let _held = crate::log::hold();
                        runtime.block_on(worker::run(shared, index, doors, claim));
                        // What is left of the sessions goes before their last lines do.
                        drop(runtime);
                    };
                    Running::Thread(thread::Builder::new().name(format!("worker-{index}")).spawn(work)?)
                }
            });
        }
        Ok(Self { shared, orders, workers })
    }

    /// Soft stop: no new connections, sessions may end.
    pub fn finish(&self) {
        self.shared.live.stop();
        self.orders.send_replace(Order::Finish);
    }

    /// Hard stop.
    pub fn quit(&self) {
        self.shared.live.stop();
        self.orders.send_replace(Order::Quit);
    }

    /// Sessions alive in all threads.
    #[must_use]
    pub fn sessions(&self) -> u32 {
        self.shared.sessions.load(Relaxed)
    }

    /// Sessions that wait for their next request without a task.
    #[must_use]
    pub fn parked(&self) -> u32 {
        self.shared.parked.load(Relaxed)
    }

    /// All threads have ended (after [`Self::finish`] or [`Self::quit`]).
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.workers.iter().all(Running::is_over)
    }

    /// Wait for the threads to end, hard after `deadline` (`hard-stop-after`). Blocks.
    #[cfg(test)]
    pub fn join(self, deadline: Option<Instant>) {
        while !self.is_over() {
            if deadline.is_some_and(|d| clock::now() >= d) {
                self.quit();
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        for worker in self.workers {
            if let Running::Thread(thread) = worker {
                let _ = thread.join();
            }
        }
    }
}

impl Running {
    fn is_over(&self) -> bool {
        match self {
            Self::Thread(thread) => thread.is_finished(),
            Self::Task(task) => task.is_finished(),
        }
    }
}

/// A runtime for the sessions of one thread.
///
/// # Errors
/// No descriptors are left.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // The task that steps through the sessions does much at a time.
        .event_interval(TASKS_IN_A_ROW)
        .on_thread_park(before_rest)
        // A thread that helped out goes soon: see `Home`.
        .thread_keep_alive(Duration::from_millis(100))
        .build()
}

/// Tasks of the runtime between two of its looks at the network and at its timers. With one it would look each time before it
/// rests, and once more then.
const TASKS_IN_A_ROW: u32 = 4;

/// Keeps this thread, number `index`, on these processors, if it has any. As with HAProxy it is enough that one of them is
/// there; if none is, the thread runs where it could before.
fn stay_on(index: usize, cpus: &BTreeSet<u32>) -> Result<(), String> {
    if cpus.is_empty() {
        return Ok(());
    }
    sched::set_cpus(cpus).map_err(|error| {
        let (thread, cpus) = (index + 1, cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(","));
        format!("Thread {thread} cannot be kept on CPUs {cpus}: {error}.")
    })
}

/// What a thread does when it has nothing to do.
fn before_rest() {
    crate::log::release();
    clock::rest();
}

/// Steps that a thread takes between two looks at the network, if there is so much to do. Many cost fewer looks, and
/// more comes of each; few let what has just come wait less. HAProxy's default for as many threads.
fn steps_in_a_row(threads: usize) -> u32 {
    let bits = threads.max(1).ilog2() + 1;
    let around_twice_the_root = bits + u32::try_from(threads).unwrap_or(u32::MAX) / bits;
    (560 / around_twice_the_root).max(35)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_threads_look_at_the_network_more_often() {
        assert_eq!([1, 2, 4, 8, 64].map(steps_in_a_row), [280, 186, 140, 93, 35]);
    }
}
