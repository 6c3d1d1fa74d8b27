//! `vrrp_track_process`: whether enough processes run, and not too many, for long enough.

use std::time::Duration;

use crate::ir::vrrp::TrackProcess;

/// What follows from a new count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// The quorum was gained or lost.
    Changed,
    /// It will be if [`Quorum::delay_ended`] is called after this time.
    Wait(Duration),
    /// Nothing is waited for any more.
    Forget,
}

/// Processes counted against a quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    least: u32,
    most: u32,
    fork_delay: Duration,
    terminate_delay: Duration,
    count: u32,
    held: bool,
    waiting: bool,
}

impl Quorum {
    /// With so many processes at the start, which count at once.
    #[must_use]
    pub fn new(process: &TrackProcess, count: u32) -> Self {
        let mut quorum = Self {
            least: process.quorum,
            most: process.quorum_max.unwrap_or(u32::MAX),
            fork_delay: process.fork_delay,
            terminate_delay: process.terminate_delay,
            count,
            held: false,
            waiting: false,
        };
        quorum.held = quorum.reached();
        quorum
    }

    fn reached(&self) -> bool {
        (self.least..=self.most).contains(&self.count)
    }

    /// Is the quorum there, as far as instances are concerned?
    #[must_use]
    pub fn held(&self) -> bool {
        self.held
    }

    /// Processes that run.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// So many run now.
    pub fn counted(&mut self, count: u32) -> Step {
        let more = count > self.count;
        self.count = count;
        if self.reached() == self.held {
            return if std::mem::take(&mut self.waiting) { Step::Forget } else { Step::Nothing };
        }
        if self.waiting {
            return Step::Nothing;
        }
        let delay = if more { self.fork_delay } else { self.terminate_delay };
        if delay.is_zero() {
            self.held = !self.held;
            return Step::Changed;
        }
        self.waiting = true;
        Step::Wait(delay)
    }

    /// What was waited for has lasted. True: the quorum changed.
    pub fn delay_ended(&mut self) -> bool {
        let changed = std::mem::take(&mut self.waiting) && self.reached() != self.held;
        self.held ^= changed;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(quorum: u32, most: Option<u32>, fork: u64, terminate: u64) -> TrackProcess {
        TrackProcess {
            name: "p".into(),
            argv: vec!["p".into()],
            param_match: Default::default(),
            full_command: false,
            weight: 0,
            reverse: false,
            quorum,
            quorum_max: most,
            fork_delay: Duration::from_secs(fork),
            terminate_delay: Duration::from_secs(terminate),
            place: Default::default(),
        }
    }

    #[test]
    fn between_the_least_and_the_most() {
        let mut quorum = Quorum::new(&process(2, Some(3), 0, 0), 2);
        assert!(quorum.held());
        let steps: Vec<(Step, bool)> =
            [3, 4, 3, 1, 0, 2].map(|count| (quorum.counted(count), quorum.held())).into();
        use Step::{Changed, Nothing};
        assert_eq!(
            steps,
            [
                (Nothing, true),
                (Changed, false),
                (Changed, true),
                (Changed, false),
                (Nothing, false),
                (Changed, true)
            ]
        );
    }

    #[test]
    fn changes_have_to_last() {
        let mut quorum = Quorum::new(&process(1, None, 2, 5), 1);
        assert_eq!(quorum.counted(0), Step::Wait(Duration::from_secs(5)));
        assert!(quorum.held());
        assert_eq!(quorum.counted(1), Step::Forget, "back in time");
        assert!(!quorum.delay_ended());
        quorum.counted(0);
        assert!(quorum.delay_ended());
        assert!(!quorum.held());
        assert_eq!(quorum.counted(1), Step::Wait(Duration::from_secs(2)));
        assert_eq!(quorum.counted(2), Step::Nothing);
        assert!(quorum.delay_ended() && quorum.held());
    }
}
