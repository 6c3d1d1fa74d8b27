//! Sessions that let others go first: those that `nice` and `set-nice` tell to, and long transfers.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::sys::clock;

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
/// are (45 of 1,448 bytes, one of the loopback's). Who sends more lets other sessions have their turns in between. A
/// congestion control that paces (bbr) holds the second segment back, on a timer that costs more than sending; once
/// the others had their turns it is due.
pub(super) const PIECE: usize = 65_000;

/// What a network of 10 Gbit/s takes for a piece: so long others have their turns.
const PIECE_TAKES: Duration = Duration::from_micros(50);

/// Where nobody else has anything to do, so many turns do: who is alone does not wait.
const TURNS: u8 = 4;

/// Lets other sessions have their turns after each piece of a long transfer.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// A piece was sent then; so many times this transfer may yet step back.
    since: Option<(Instant, u8)>,
}

impl Turns {
    /// Is it this transfer's turn?
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some((sent, left)) = self.since.take() {
            let is_first = left == TURNS;
            if is_first || left > 0 && clock::now().saturating_duration_since(sent) < PIECE_TAKES {
                self.since = Some((sent, left - 1));
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// Do others have a turn first?
    pub(super) fn are_due(&self) -> bool {
        self.since.is_some()
    }

    /// So many bytes were sent.
    pub(super) fn sent(&mut self, n: usize) {
        self.since = (n >= PIECE).then(|| (clock::now(), TURNS));
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

    #[test]
    fn a_long_transfer_goes_on_once_the_others_had_their_turns() {
        let steps_back = |turns: &mut Turns| {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            std::iter::from_fn(|| turns.poll(&mut cx).is_pending().then_some(())).count()
        };
        clock::stopped(|| {
            let mut turns = Turns::default();
            assert_eq!(steps_back(&mut turns), 0);
            turns.sent(PIECE - 1);
            assert!(!turns.are_due() && steps_back(&mut turns) == 0);
            // No time passes: it is alone.
            turns.sent(PIECE);
            assert!(turns.are_due());
            assert_eq!(steps_back(&mut turns), usize::from(TURNS));
            assert!(!turns.are_due());
            // The others' turns took long.
            turns.sent(PIECE);
            turns.since = turns.since.map(|(sent, left)| (sent - PIECE_TAKES, left));
            assert_eq!(steps_back(&mut turns), 1);
        });
    }
}
