//! The timeline on the terminal.

use std::time::{Duration, Instant};

use crate::sys::clock;

/// Prints lines with the seconds since the start in front.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    start: Instant,
}

impl Printer {
    pub(super) fn new() -> Self {
        Self { start: clock::now() }
    }

    /// One line of the story.
    pub(super) fn say(&self, text: &str) {
        let at = clock::now().duration_since(self.start).as_secs_f64();
        raw(&format!("{at:6.1} s  {text}\n"));
    }

    /// A heading.
    pub(super) fn scene(&self, text: &str) {
        raw("\n");
        self.say(&format!("== {text}"));
    }
}

/// Writes to standard output as it stands.
pub(super) fn raw(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    // A closed terminal is no reason to leave processes behind.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// What one scene cost.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) scene: String,
    pub(super) sent: u64,
    pub(super) lost: u64,
    pub(super) longest_gap: Duration,
    pub(super) note: String,
}

/// The closing table.
pub(super) fn table(outcomes: &[Outcome]) -> String {
    let mut text =
        format!("\n{:<34} {:>8} {:>6} {:>14}  {}\n", "what happened", "requests", "lost", "longest gap", "");
    for o in outcomes {
        text.push_str(&format!(
            "{:<34} {:>8} {:>6} {:>12.2} s  {}\n",
            o.scene,
            o.sent,
            o.lost,
            o.longest_gap.as_secs_f64(),
            o.note
        ));
    }
    text
}
