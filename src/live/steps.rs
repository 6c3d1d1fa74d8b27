//! Whether worker threads are in the middle of something.
//!
//! A session counts what it sent after it has sent it, in the same step: whoever has an answer and asks for the numbers at
//! once could be earlier than they are, where the thread lost its processor in between. So who asks waits for the
//! steps under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::time::Duration;

use parking_lot::Mutex;

use crate::sys::clock;

/// A step that takes longer is not waited for: it computes, or its thread has no processor for long.
const PATIENCE: Duration = Duration::from_millis(5);

/// Those of all threads.
#[derive(Debug, Default)]
pub struct Steps(Mutex<Vec<Arc<Step>>>);

/// Steps of one thread: how many have begun and ended. Odd while one is under way.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Step(AtomicU64);

/// A step that is under way until this is dropped.
#[derive(Debug)]
pub struct Running<'a>(&'a Step);

impl Steps {
    /// For a thread that takes steps.
    #[must_use]
    pub fn join(&self) -> Arc<Step> {
        let step = Arc::new(Step::default());
        self.0.lock().push(step.clone());
        step
    }

    /// Waits until the steps that are under way have ended, a moment at most. Not for threads that take steps
    /// themselves.
    pub fn settle(&self) {
        self.settle_within(PATIENCE);
    }

    fn settle_within(&self, patience: Duration) {
        let until = clock::now() + patience;
        for step in self.0.lock().iter() {
            let seen = step.0.load(Acquire);
            while seen % 2 == 1 && step.0.load(Acquire) == seen && clock::now() < until {
                std::thread::yield_now();
            }
        }
    }
}

impl Step {
    /// A step begins. Only its own thread calls this, and one step is within no other.
    pub fn begin(&self) -> Running<'_> {
        self.turn();
        Running(self)
    }

    /// No other thread writes: nothing is lost between the two.
    fn turn(&self) {
        self.0.store(self.0.load(Relaxed).wrapping_add(1), Release);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.turn();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;

    #[test]
    fn who_looks_waits_for_the_step_under_way_and_for_none_that_is_over() {
        let steps = Steps::default();
        let step = steps.join();
        steps.settle();
        let counted = AtomicBool::new(false);
        let (began, begins) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let running = step.begin();
                began.send(()).unwrap();
                counted.store(true, Relaxed);
                drop(running);
            });
            begins.recv().unwrap();
            steps.settle_within(Duration::from_secs(60));
            assert!(counted.load(Relaxed));
        });
        drop(step.begin());
        assert_eq!(step.0.load(Relaxed), 4);
        // A step without end keeps nobody for long.
        let _endless = step.begin();
        steps.settle_within(Duration::ZERO);
    }
}
