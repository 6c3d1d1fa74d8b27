//! Room for long answers of the process's own: the page and the metrics of thousands of servers are megabytes, and a
//! client that asks for them without reading must neither pin more than a few of them nor keep others waiting.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Bytes from which on an answer is long.
pub(super) const LONG: usize = 256 * 1024;

/// How long a client may take nothing of a long answer while somebody waits for its place.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// Answers that are made or sent at once, and may be long.
const AT_ONCE: usize = 4;

static ROOM: Semaphore = Semaphore::const_new(AT_ONCE);
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// One of those that wait for a place.
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

/// A place for an answer, in the order in which they are asked for; it is given back when dropped. `None` only if there
/// could never be one.
pub(super) async fn place() -> Option<SemaphorePermit<'static>> {
    if let Ok(place) = ROOM.try_acquire() {
        return Some(place);
    }
    let _waits = Waits::new();
    ROOM.acquire().await.ok()
}

/// Does anybody wait for a place?
pub(super) fn is_wanted() -> bool {
    WAITING.load(Relaxed) > 0
}
