//! One timer per session, re-armed only when it fires.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::Sleep;

use crate::sys::clock;

/// A deadline that moves with every byte. Moving it later costs a store; the runtime's timer is touched when it
/// fires early or when the deadline moves before it.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// No deadline.
    #[must_use]
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Set the deadline; `None`: never.
    pub(super) fn set(&mut self, at: Option<Instant>) {
        self.at = at;
    }

    /// Set the deadline to `ends`, or to when a bandwidth limit opens, if that is sooner: then true, and nobody is late.
    #[must_use]
    pub(super) fn set_or_open(&mut self, ends: Option<Instant>, opens: Option<Instant>) -> bool {
        self.at = earlier(ends, opens);
        opens.is_some_and(|at| ends.is_none_or(|ends| at < ends))
    }

    /// When it is.
    #[must_use]
    pub(super) fn at(&self) -> Option<Instant> {
        self.at
    }

    /// Was the task polled with a deadline that has since become later at most? Then the timer wakes it in time.
    #[must_use]
    pub(super) fn stands(&self) -> bool {
        let is_armed = || self.sleep.as_ref().is_some_and(|sleep| !sleep.is_elapsed());
        !super::board::is_ending() && (self.at.is_none() || is_armed())
    }

    /// Wakes the task when the deadline has passed, to look anew at what there is to do.
    pub(super) fn poll_again<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        if self.poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Ready when the deadline has passed. To be polled when nothing else is ready, always from the same task.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if super::board::is_ending() {
            return Poll::Ready(());
        }
        let Some(at) = self.at else { return Poll::Pending };
        match &mut self.sleep {
            None => {
                let mut sleep = Box::pin(tokio::time::sleep_until(at.into()));
                let first = arm(sleep.as_mut(), cx);
                self.sleep = Some(sleep);
                first
            }
            Some(sleep) => {
                let armed = sleep.deadline().into_std();
                if armed <= at && !sleep.is_elapsed() {
                    return Poll::Pending;
                }
                if armed <= at && clock::now() >= at {
                    return Poll::Ready(());
                }
                sleep.as_mut().reset(at.into());
                arm(sleep.as_mut(), cx)
            }
        }
    }
}

/// Have the runtime's timer wake the task. It is not asked again before it fires, so it may not put the task off because
/// that has done much in this step.
fn arm(mut sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    Pin::new(&mut tokio::task::coop::unconstrained(sleep.as_mut())).poll(cx)
}

/// The earlier of two deadlines.
#[must_use]
pub(super) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::task::coop;

    use super::*;

    /// Does as much as a task may do in one step.
    fn exhaust(cx: &mut Context<'_>) {
        while coop::has_budget_remaining() {
            let Poll::Ready(done) = coop::poll_proceed(cx) else { return };
            done.made_progress();
        }
    }

    #[test]
    fn whoever_has_done_much_is_woken_all_the_same() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let session = tokio::spawn(async {
                let mut deadline = Deadline::new();
                // Armed for the first time, and once more.
                for _ in 0..2 {
                    deadline.set(Some(clock::now() + Duration::from_millis(20)));
                    poll_fn(|cx| {
                        exhaust(cx);
                        deadline.poll(cx)
                    })
                    .await;
                }
            });
            tokio::time::timeout(Duration::from_secs(20), session)
                .await
                .expect("the deadline comes")
                .unwrap();
        });
    }

    #[test]
    fn a_deadline_stands_until_its_timer_has_fired() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut deadline = Deadline::new();
            assert!(deadline.stands(), "never");
            let first = clock::now() + Duration::from_millis(20);
            deadline.set(Some(first));
            assert!(!deadline.stands(), "no timer yet");
            assert!(poll_fn(|cx| Poll::Ready(deadline.poll(cx))).await.is_pending());
            assert!(deadline.stands());
            let later = first + Duration::from_millis(40);
            deadline.set(Some(later));
            assert!(deadline.stands(), "the timer fires before");
            tokio::time::sleep_until((first + Duration::from_millis(10)).into()).await;
            assert!(!deadline.stands(), "it has");
            poll_fn(|cx| deadline.poll(cx)).await;
            assert!(clock::now() >= later);
        });
    }
}
