//! Waits that last.

use super::board;
use super::worker::{Worker, with};

/// Tells a session whose peer has said nothing for a while, so that what it holds can be given back until then. House-keeping
/// wakes the session when it is time to ask again.
#[derive(Debug, Default)]
pub(super) struct Lull {
    /// The round of house-keeping in which it began.
    since: Option<u32>,
}

impl Lull {
    /// To be asked whenever there is nothing to do: has that been so for long?
    pub(super) fn is_long(&mut self) -> bool {
        match self.since {
            None => {
                self.since = Some(with(Worker::round));
                board::set_idle(self.since);
                false
            }
            Some(since) => with(|w| w.is_idle_long(since)),
        }
    }

    /// Something happened.
    pub(super) fn ends(&mut self) {
        if self.since.take().is_some() {
            board::set_idle(None);
        }
    }
}

impl Drop for Lull {
    fn drop(&mut self) {
        self.ends();
    }
}
