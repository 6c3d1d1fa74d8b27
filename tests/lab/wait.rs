//! Waiting for conditions, never for time to pass.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// From here on a time given is patience with the machine and no property of what is tested.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until `probe` yields a value. Ten seconds and more mean "it must come": the machine that runs the whole
/// suite at once has three times as long.
///
/// # Panics
/// When it has not within `within`; the message says what was awaited.
pub(crate) fn wait_for<T>(what: &str, within: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    let within = if within >= PATIENCE { within * 3 } else { within };
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(start.elapsed() < within, "waited {within:?} for this in vain: {what}");
        std::thread::sleep(GLANCE);
    }
}

/// Waits until `condition` holds and says how long that took.
pub(crate) fn eventually(what: &str, within: Duration, mut condition: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    wait_for(what, within, || condition().then_some(()));
    start.elapsed()
}

/// Watches that `condition` goes on holding: for what must *not* happen.
///
/// # Panics
/// As soon as it does not hold.
pub(crate) fn holds_for(what: &str, time: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while start.elapsed() < time {
        assert!(condition(), "held only {:?} of {time:?}: {what}", start.elapsed());
        std::thread::sleep(GLANCE);
    }
}
