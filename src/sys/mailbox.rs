//! What other threads leave for one that looks often and finds something rarely.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// Looking at an empty one takes no locked instruction.
#[derive(Debug)]
pub(super) struct Mailbox<T> {
    contents: Mutex<Vec<T>>,
    has_some: AtomicBool,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self { contents: Mutex::default(), has_some: AtomicBool::new(false) }
    }
}

impl<T> Mailbox<T> {
    /// Leaves something.
    pub(super) fn put(&self, one: T) {
        self.contents.lock().push(one);
        self.has_some.store(true, Ordering::Release);
    }

    /// All that was left.
    pub(super) fn take(&self) -> Vec<T> {
        if self.has_some.load(Ordering::Relaxed) && self.has_some.swap(false, Ordering::AcqRel) {
            std::mem::take(&mut *self.contents.lock())
        } else {
            Vec::new()
        }
    }
}
