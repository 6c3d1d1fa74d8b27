//! Sessions that let others go first: those that `nice` and `set-nice` tell to, and long transfers.

use std::task::{Context, Poll};

/// Whose turn it is before each step of a session: a nice one goes behind everybody who is ready, every time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    nice: bool,
    stepped_back: bool,
}

impl Turn {
    /// For a session of this niceness. Below zero it is the same as zero: nobody goes before others.
    pub(super) fn of(nice: i32) -> Self {
        Self { nice: nice > 0, stepped_back: false }
    }

    /// Does the session step back now? Then it is woken again, behind the others.
    pub(super) fn steps_back(&mut self, cx: &Context<'_>) -> bool {
        self.stepped_back = self.nice && !self.stepped_back;
        if self.stepped_back {
            cx.waker().wake_by_ref();
        }
        self.stepped_back
    }
}

/// Bytes that are sent at once: one segment as the stack gives it to the interface, whatever the network's own segments
/// are (45 of 1,448 bytes, one of the loopback's). Who sends more lets other sessions have a turn in between. A
/// congestion control that paces (bbr) holds the second segment back, on a timer that costs more than sending; once
/// the others had their turn it is due.
pub(super) const PIECE: usize = 65_000;

/// Lets other sessions have a turn after each piece of a long transfer.
#[derive(Debug, Default)]
pub(super) struct Turns {
    is_over: bool,
}

impl Turns {
    /// Is it this transfer's turn?
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.is_over) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Do others have a turn first?
    pub(super) fn are_due(&self) -> bool {
        self.is_over
    }

    /// So many bytes were sent.
    pub(super) fn sent(&mut self, n: usize) {
        self.is_over = n >= PIECE;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::poll_fn;
    use std::rc::Rc;

    use super::*;

    /// Three steps of a session, which notes them.
    async fn steps(name: char, nice: i32, notes: Rc<RefCell<String>>) {
        let mut turn = Turn::of(nice);
        let mut left = 3;
        poll_fn(|cx| {
            if turn.steps_back(cx) {
                return Poll::Pending;
            }
            notes.borrow_mut().push(name);
            left -= 1;
            if left == 0 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    fn order(nice: [i32; 2]) -> String {
        let notes = Rc::new(RefCell::new(String::new()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async {
            let a = tokio::task::spawn_local(steps('a', nice[0], notes.clone()));
            let b = tokio::task::spawn_local(steps('b', nice[1], notes.clone()));
            a.await.unwrap();
            b.await.unwrap();
        });
        notes.take()
    }

    #[test]
    fn a_nice_session_goes_behind_the_others() {
        assert_eq!(order([0, 0]), "ababab");
        assert_eq!(order([5, 0]), "babbaa");
        assert_eq!(order([-5, 0]), "ababab");
        // Those who are equally nice take turns.
        assert_eq!(order([5, 5]), "ababab");
    }
}
