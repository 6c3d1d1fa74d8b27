//! How many labs run at once: more would disturb each other's timing on a small machine.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Labs at once. They mostly wait, so there may be more of them than cores.
const PLACES: usize = 4;

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// The right to run a lab, given back when dropped.
pub(crate) struct Permit {
    places: usize,
}

impl Permit {
    /// Whether this permit stands for anything at all.
    pub(crate) fn held(&self) -> bool {
        self.places > 0
    }
}

/// Waits for one place.
pub(crate) fn one() -> Permit {
    take(1)
}

/// Waits until no other lab runs.
pub(crate) fn whole() -> Permit {
    take(PLACES)
}

fn take(places: usize) -> Permit {
    let taken = FREED.wait_while(lock(), |taken| *taken + places > PLACES);
    *taken.unwrap_or_else(PoisonError::into_inner) += places;
    Permit { places }
}

fn lock() -> MutexGuard<'static, usize> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Permit {
    fn drop(&mut self) {
        *lock() -= self.places;
        FREED.notify_all();
    }
}
