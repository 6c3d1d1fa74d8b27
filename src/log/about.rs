//! What an event of a trace is about, and what a trace can be locked on.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::ir::ProxyIdx;

/// What a trace can be locked on: the first event fixes which one, and only what is about the same is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Lock {
    Backend,
    Check,
    Connection,
    Frontend,
    Listener,
    Nothing,
    Server,
    Session,
    Thread,
}

impl Lock {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 9] = [
        Self::Backend,
        Self::Check,
        Self::Connection,
        Self::Frontend,
        Self::Listener,
        Self::Nothing,
        Self::Server,
        Self::Session,
        Self::Thread,
    ];

    /// Its name in commands.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Check => "check",
            Self::Connection => "connection",
            Self::Frontend => "frontend",
            Self::Listener => "listener",
            Self::Nothing => "nothing",
            Self::Server => "server",
            Self::Session => "session",
            Self::Thread => "thread",
        }
    }
}

/// What an event is about. 0: does not apply.
#[derive(Clone, Copy, Debug, Default)]
pub struct About {
    /// A number of the backend.
    pub backend: u64,
    /// A number of the check.
    pub check: u64,
    /// A number of the frontend.
    pub frontend: u64,
    /// A number of the listener.
    pub listener: u64,
    /// A number of the server.
    pub server: u64,
    /// A number of the client's connection.
    pub session: u64,
}

impl About {
    /// The number of a proxy.
    #[must_use]
    pub fn proxy(idx: ProxyIdx) -> u64 {
        u64::from(idx.0) + 1
    }

    /// The number of a server, by its number in the backend.
    #[must_use]
    pub fn server_of(backend: ProxyIdx, index: usize) -> u64 {
        Self::proxy(backend) << 32 | (index as u64 + 1)
    }

    /// The number of a client's connection, by its address and the number of its listener.
    #[must_use]
    pub fn client(src: Option<SocketAddr>, listener: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (src, listener).hash(&mut hasher);
        hasher.finish().max(1)
    }

    pub(super) fn number(&self, lock: Lock) -> u64 {
        match lock {
            Lock::Backend => self.backend,
            Lock::Check => self.check,
            Lock::Connection | Lock::Session => self.session,
            Lock::Frontend => self.frontend,
            Lock::Listener => self.listener,
            Lock::Nothing => 0,
            Lock::Server => self.server,
            Lock::Thread => this_thread(),
        }
    }
}

/// A number of this thread, from 1.
pub(super) fn this_thread() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    thread_local!(static OWN: Cell<u64> = const { Cell::new(0) });
    OWN.with(|own| {
        if own.get() == 0 {
            own.set(LAST.fetch_add(1, Relaxed) + 1);
        }
        own.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_a_thread_is_its_own() {
        let here = this_thread();
        assert_eq!(here, this_thread());
        assert_ne!(Ok(here), std::thread::spawn(this_thread).join().map_err(drop));
    }

    #[test]
    fn what_does_not_apply_locks_nothing() {
        let about = About { session: 7, ..About::default() };
        assert_eq!((about.number(Lock::Session), about.number(Lock::Connection)), (7, 7));
        assert_eq!((about.number(Lock::Server), about.number(Lock::Nothing)), (0, 0));
    }
}
