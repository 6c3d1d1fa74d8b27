//! A soft stop: told, begun, and how clients' connections end meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::ir::global::CloseSpread;
use crate::sys::clock;

/// Whether a soft stop is to come or under way.
#[derive(Debug)]
pub struct Stop {
    announced: AtomicBool,
    begun: AtomicBool,
    spread: CloseSpread,
    /// When all connections are to be closed, by [`clock::now_ms`].
    closed_at_ms: AtomicU64,
}

impl Stop {
    /// None yet.
    #[must_use]
    pub fn new(spread: CloseSpread) -> Self {
        Self {
            announced: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            spread,
            closed_at_ms: AtomicU64::new(0),
        }
    }

    /// From now on the process says that it stops, and serves on (`grace`).
    pub fn announce(&self) {
        self.announced.store(true, Relaxed);
    }

    /// Begins.
    pub fn begin(&self) {
        self.announce();
        if let CloseSpread::Over(window) = self.spread {
            self.closed_at_ms.store(clock::now_ms() + window.as_millis() as u64, Relaxed);
        }
        self.begun.store(true, Relaxed);
    }

    /// Does the process say that it stops (`stopping`, `Stopping` of `show info`)?
    #[must_use]
    pub fn is_announced(&self) -> bool {
        self.announced.load(Relaxed)
    }

    /// Is it under way?
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun.load(Relaxed)
    }

    /// Is a client's connection closed behind its exchange? The more likely, the less time is left.
    #[must_use]
    pub fn ends_client(&self) -> bool {
        self.has_begun()
            && match self.spread {
                CloseSpread::AtOnce => true,
                CloseSpread::Never => false,
                CloseSpread::Over(window) => {
                    let left = self.left_ms();
                    left == 0 || left <= below(window.as_millis() as u64)
                }
            }
    }

    /// How long a client may go on waiting for its next request: different for each who asks. `None`: for as long as its
    /// timeouts say.
    #[must_use]
    pub fn idle_limit(&self) -> Option<Duration> {
        match self.spread {
            CloseSpread::AtOnce => Some(Duration::ZERO),
            CloseSpread::Never => None,
            CloseSpread::Over(_) => Some(Duration::from_millis(below(self.left_ms()))),
        }
    }

    fn left_ms(&self) -> u64 {
        self.closed_at_ms.load(Relaxed).saturating_sub(clock::now_ms())
    }
}

/// Some number below `end`, or 0.
fn below(end: u64) -> u64 {
    if end == 0 { 0 } else { rand::random_range(0..end) }
}
