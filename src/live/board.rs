//! What sessions do, asked of the threads that run them; and the last messages that were none.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::ir::ProxyIdx;

/// A session as its thread sees it.
#[derive(Clone, Debug)]
pub struct Look {
    /// Its number; no other session of the process has it.
    pub id: u64,
    /// Its thread, from 0.
    pub thread: usize,
    /// It came over TCP.
    pub is_tcp: bool,
    /// The client.
    pub src: Option<SocketAddr>,
    /// Its frontend.
    pub frontend: ProxyIdx,
    /// The backend of the exchange that goes on; `None`: none was chosen, or the connection is between two.
    pub backend: Option<ProxyIdx>,
    /// The server of that exchange, by its id.
    pub server: Option<u32>,
    /// Since it was accepted.
    pub age: Duration,
    /// Since the exchange began; `None`: none goes on.
    pub exchange: Option<Duration>,
    /// How often it was woken.
    pub calls: u64,
    /// Descriptor of the client's side.
    pub fd: i32,
}

/// What threads are asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// List the sessions.
    List,
    /// End this one.
    End(u64),
}

#[derive(Debug)]
struct Question {
    number: u64,
    ask: Ask,
    asked: Instant,
    answered: Vec<usize>,
    of: usize,
    looks: Vec<Look>,
}

/// Whether a broken message was a request or a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// From a client.
    Request,
    /// From a server.
    Response,
}

/// A message that was none (`show errors`).
#[derive(Clone, Debug)]
pub struct Broken {
    /// Counts all of them.
    pub number: u64,
    /// When.
    pub at: SystemTime,
    /// The frontend, of requests.
    pub frontend: ProxyIdx,
    /// The backend, as far as one was chosen.
    pub backend: Option<ProxyIdx>,
    /// The server, by its id.
    pub server: Option<u32>,
    /// The client.
    pub src: Option<SocketAddr>,
    /// What came, as far as it was kept.
    pub bytes: Box<[u8]>,
    /// First byte that could not be.
    pub position: usize,
}

type LastBroken = HashMap<(ProxyIdx, Side), Broken>;

/// See the module.
#[derive(Debug)]
pub struct Board {
    bell: watch::Sender<u64>,
    open: Mutex<Vec<Question>>,
    /// How many there were, and the last of each proxy and side.
    broken: Mutex<(u64, LastBroken)>,
}

impl Default for Board {
    fn default() -> Self {
        Self { bell: watch::Sender::new(0), open: Mutex::default(), broken: Mutex::default() }
    }
}

/// A question that nobody fetched the answers of for so long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(10);

/// Most bytes of a broken message that are kept.
const KEPT: usize = 2048;

impl Board {
    /// Asks all threads; the answers are fetched by the number. `now` dates the question.
    pub fn ask(&self, ask: Ask, now: Instant) -> u64 {
        let mut open = self.open.lock();
        open.retain(|q| now.saturating_duration_since(q.asked) < FORGET_AFTER);
        let number = *self.bell.borrow() + 1;
        let of = self.bell.receiver_count();
        open.push(Question { number, ask, asked: now, answered: Vec::new(), of, looks: Vec::new() });
        drop(open);
        self.bell.send_replace(number);
        number
    }

    /// Changes when something is asked. For every thread once.
    #[must_use]
    pub fn bell(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// A thread answers what it has not answered yet.
    pub fn answer(&self, thread: usize, mut answer: impl FnMut(Ask) -> Vec<Look>) {
        for question in self.open.lock().iter_mut().filter(|q| !q.answered.contains(&thread)) {
            question.answered.push(thread);
            question.looks.extend(answer(question.ask));
        }
    }

    /// The answers, once all threads gave theirs.
    #[must_use]
    pub fn fetch(&self, number: u64) -> Option<Vec<Look>> {
        let mut open = self.open.lock();
        let at = open.iter().position(|q| q.number == number && q.answered.len() >= q.of)?;
        Some(open.swap_remove(at).looks)
    }

    /// Keeps a message that was none in place of the last one of its proxy and side.
    pub fn keep_broken(&self, side: Side, mut message: Broken) {
        let mut broken = self.broken.lock();
        message.number = broken.0;
        broken.0 += 1;
        message.bytes = message.bytes.iter().take(KEPT).copied().collect();
        let proxy = match side {
            Side::Request => message.frontend,
            Side::Response => message.backend.unwrap_or(message.frontend),
        };
        broken.1.insert((proxy, side), message);
    }

    /// Forgets the messages of a proxy that is gone.
    pub(super) fn forget(&self, proxy: ProxyIdx) {
        self.broken.lock().1.retain(|(owner, _), _| *owner != proxy);
    }

    /// How many there were, and the last one of a proxy and side.
    #[must_use]
    pub fn broken(&self, proxy: ProxyIdx, side: Side) -> (u64, Option<Broken>) {
        let broken = self.broken.lock();
        (broken.0, broken.1.get(&(proxy, side)).cloned())
    }
}
