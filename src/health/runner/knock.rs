//! Plain connections as checks: thousands of them, without a task, a timer of the runtime or a look for errors each.

use std::io;

use tokio::net::TcpSocket;

use super::probe::{self, Failure, Plan};
use crate::health::{Status, Verdict};
use crate::sys::poller::{Poller, Watch};

/// A connection that is being made; closed when dropped.
pub(super) type Knock = TcpSocket;

/// All of them, by the numbers of their entries.
pub(super) struct Knocks(Poller);

impl Knocks {
    pub(super) fn new() -> io::Result<Self> {
        Poller::new().map(Self)
    }

    /// Whoever waits for one to be answered.
    pub(super) fn watch(&self) -> io::Result<Watch> {
        self.0.watch()
    }

    /// Knocks at the server. `None`: the plan is for more than that.
    ///
    /// # Errors
    /// It came to an end at once.
    pub(super) fn start(&self, key: usize, plan: &Plan) -> Option<Result<Knock, Verdict>> {
        let addr = plan.plain_target()?;
        let begin = || {
            let socket = plan.socket(addr)?;
            match socket2::SockRef::from(&socket).connect(&addr.into()) {
                Err(e) if e.raw_os_error() != Some(nix::libc::EINPROGRESS) => Err(Failure::Connect(e)),
                _ => Ok(socket),
            }
        };
        Some(begin().map_err(Failure::into_verdict).and_then(|socket| {
            let added = self.0.add_connecting(&socket, key);
            added.map(|()| socket).map_err(|e| Failure::NoSocket(probe::reason(&e)).into_verdict())
        }))
    }

    /// Adds those that were answered: the number of the entry, and whether something else than a plain yes has come.
    pub(super) fn answered(&self, keys: &mut Vec<(usize, bool)>) {
        self.0.connected(keys);
    }
}

/// What a knock came to that was answered.
pub(super) fn verdict(knock: &Knock, suspect: bool) -> Verdict {
    let error = if suspect { socket2::SockRef::from(knock).take_error().ok().flatten() } else { None };
    error.map_or_else(|| Verdict::new(Status::L4Ok, 0, b""), |e| Failure::Connect(e).into_verdict())
}
