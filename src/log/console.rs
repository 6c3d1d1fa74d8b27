//! What the process says on standard error, in HAProxy's form: `[WARNING]  (1234) : text`.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use parking_lot::Mutex;

static QUIET: AtomicBool = AtomicBool::new(false);

/// What was said so far, while it is kept.
static KEPT: Mutex<Option<String>> = Mutex::new(None);

/// Most that is kept, bytes.
const MOST_KEPT: usize = 256 * 1024;

/// From now on keeps what is said, even when quiet.
pub fn keep() {
    KEPT.lock().get_or_insert_default();
}

/// What was said since [`keep`]; no more is kept.
pub fn kept() -> String {
    KEPT.lock().take().unwrap_or_default()
}

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
    raw(&format!("{}{text}\n", prefix(kind)));
}

/// Writes lines that are finished already.
pub fn raw(text: &str) {
    if let Some(kept) = KEPT.lock().as_mut().filter(|kept| kept.len() + text.len() <= MOST_KEPT) {
        kept.push_str(text);
    }
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
