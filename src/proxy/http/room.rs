//! Room for long answers of the process's own: the page and the metrics of thousands of servers are megabytes, and a
//! client that asks for them without reading must neither pin more than a few of them nor keep others waiting.
//!
//! A few answers are made at once, and so many bytes of them are held for clients that take them slowly. Only when there is no
//! room for another one somebody has to go: of those that take nothing, the one that has not for the longest time.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Bytes from which on an answer is long.
pub(super) const LONG: usize = 256 * 1024;

/// How long a client may take nothing of a long answer whatever others wait for.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// How often it is looked at after that.
pub(super) const GLANCE: Duration = Duration::from_millis(100);

/// Answers that are made at once.
const AT_ONCE: usize = 4;

/// Kilobytes of long answers that are held.
const SHELF: usize = 32 * 1024;

static MAKING: Semaphore = Semaphore::const_new(AT_ONCE);
static HELD: Semaphore = Semaphore::const_new(SHELF);
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Clients that take nothing, and since when.
static STALLED: Mutex<BTreeSet<(Instant, u64)>> = Mutex::new(BTreeSet::new());
static STALLS: AtomicU64 = AtomicU64::new(0);

/// Leave to make an answer, in the order in which it is asked for. `None` only if there could never be one.
pub(super) async fn place() -> Option<SemaphorePermit<'static>> {
    MAKING.acquire().await.ok()
}

/// One of those that wait for room.
struct Waits;

impl Waits {
    fn new() -> Self {
        WAITING.fetch_add(1, Relaxed);
        Self
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Relaxed);
    }
}

/// Room for an answer of so many bytes, given back when dropped; none is needed for one that is not long. One that is longer
/// than all the room there is takes all of it.
pub(super) async fn hold(bytes: usize) -> Option<SemaphorePermit<'static>> {
    if bytes < LONG {
        return None;
    }
    let kilobytes = (bytes / 1024).min(SHELF) as u32;
    if let Ok(room) = HELD.try_acquire_many(kilobytes) {
        return Some(room);
    }
    let _waits = Waits::new();
    HELD.acquire_many(kilobytes).await.ok()
}

/// A client that takes nothing of its long answer.
pub(super) struct Stalled((Instant, u64));

impl Stalled {
    /// It took something at this time for the last time.
    pub(super) fn since(last: Instant) -> Self {
        let key = (last, STALLS.fetch_add(1, Relaxed));
        STALLED.lock().insert(key);
        Self(key)
    }

    /// Whether it is the one that has to go.
    pub(super) fn gives_way(&self) -> bool {
        WAITING.load(Relaxed) > 0 && STALLED.lock().first() == Some(&self.0)
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        STALLED.lock().remove(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock;

    #[tokio::test]
    async fn who_took_nothing_for_longest_goes_when_there_is_no_room() {
        let now = clock::now();
        let late = Stalled::since(now + Duration::from_secs(1));
        let early = Stalled::since(now);
        assert!(hold(LONG - 1).await.is_none());
        let first = hold(SHELF * 1024 * 2).await;
        assert!(!early.gives_way() && !late.gives_way(), "nobody waits");
        let second = tokio::spawn(hold(LONG));
        while WAITING.load(Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(early.gives_way() && !late.gives_way());
        drop(early);
        assert!(late.gives_way(), "the next one");
        drop(first);
        assert!(second.await.unwrap().is_some());
        assert!(!late.gives_way(), "there is room again");
    }
}
