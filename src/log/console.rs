//! What the process says on standard error, in HAProxy's form: `[WARNING]  (1234) : text`.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static QUIET: AtomicBool = AtomicBool::new(false);

/// Importance of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `[NOTICE]`.
    Notice,
    /// `[WARNING]`.
    Warning,
    /// `[ALERT]`: shown even when quiet during start-up.
    Alert,
}

/// Silences everything from now on (`-q`, and a daemon once it has left the terminal).
pub fn set_quiet(quiet: bool) {
    QUIET.store(quiet, Relaxed);
}

/// Writes one line.
pub fn say(kind: Kind, text: &str) {
    if QUIET.load(Relaxed) {
        return;
    }
    raw(&format!("{}{text}\n", prefix(kind)));
}

/// Writes lines that are finished already.
pub fn raw(text: &str) {
    if !QUIET.load(Relaxed) {
        // Nobody is left to be told that standard error is closed.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// `[ALERT]    (1234) : `.
#[must_use]
pub fn prefix(kind: Kind) -> String {
    let tag = match kind {
        Kind::Notice => "[NOTICE]  ",
        Kind::Warning => "[WARNING] ",
        Kind::Alert => "[ALERT]   ",
    };
    format!("{tag} ({}) : ", std::process::id())
}
