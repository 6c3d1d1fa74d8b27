//! The one place that reads the clocks.

use std::cell::Cell;
use std::time::{Instant, SystemTime};

thread_local! {
    static STOPPED: Cell<Option<Instant>> = const { Cell::new(None) };
    /// What [`now_ms`] says of that moment, once it was asked.
    static STOPPED_MS: Cell<Option<u64>> = const { Cell::new(None) };
    /// The clock as it was read last for [`stopped`], and for how many more of its calls that will do.
    static SHARED: Cell<Option<(Instant, u32)>> = const { Cell::new(None) };
}

/// So many calls of [`stopped`] without a rest in between share one reading: a tenth of a millisecond of work.
const SHARING: u32 = 16;

/// Monotonic now; inside of [`stopped`]: when that began.
#[must_use]
pub fn now() -> Instant {
    STOPPED.get().unwrap_or_else(read)
}

#[expect(clippy::disallowed_methods, reason = "this is the replacement the ban names")]
fn read() -> Instant {
    Instant::now()
}

/// Read the monotonic clock once for all of `f`, or not at all if it was read for one of the last calls and the thread
/// did not [`rest`]. For steps of a few microseconds that look at it a dozen times.
pub fn stopped<R>(f: impl FnOnce() -> R) -> R {
    /// Lets it go on, also when `f` panics.
    struct Resume;
    impl Drop for Resume {
        fn drop(&mut self) {
            STOPPED.set(None);
        }
    }
    STOPPED.set(Some(shared()));
    let _resume = Resume;
    f()
}

/// The thread is about to rest: what follows is later.
pub fn rest() {
    SHARED.set(None);
}

fn shared() -> Instant {
    let (at, left) = match SHARED.get() {
        Some((at, left @ 1..)) => (at, left - 1),
        _ => {
            STOPPED_MS.set(None);
            (read(), SHARING - 1)
        }
    };
    SHARED.set(Some((at, left)));
    at
}

/// Wall clock now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the replacement the ban names")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Wall clock since the beginning of 1970.
#[must_use]
pub fn since_epoch() -> std::time::Duration {
    wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Time since the machine was started.
#[must_use]
pub fn since_boot() -> std::time::Duration {
    let at = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME);
    at.map_or(std::time::Duration::ZERO, Into::into)
}

/// The kernel's monotonic clock, microseconds, as systemd wants it.
#[must_use]
pub fn monotonic_us() -> u64 {
    let at = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC);
    at.map_or(0, |at| at.tv_sec() as u64 * 1_000_000 + at.tv_nsec() as u64 / 1000)
}

/// Milliseconds since the first call in this process: the time base of rates and timers in logs.
#[must_use]
pub fn now_ms() -> u64 {
    let Some(at) = STOPPED.get() else { return since_start(read()) };
    STOPPED_MS.get().unwrap_or_else(|| {
        let ms = since_start(at);
        STOPPED_MS.set(Some(ms));
        ms
    })
}

/// `at` on the scale of [`now_ms`].
#[must_use]
pub fn since_start(at: Instant) -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    at.saturating_duration_since(*START.get_or_init(|| at)).as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_in_a_row_share_a_reading_and_none_after_a_rest_or_too_many() {
        let step = || stopped(|| (now(), now_ms()));
        let later = |than: Instant| while read() <= than {};
        let first = step();
        for _ in 1..SHARING {
            later(first.0);
            assert_eq!(step(), first);
        }
        let second = step();
        assert!(second.0 > first.0);
        later(second.0);
        assert_eq!(step(), second);
        rest();
        assert!(step().0 > second.0);
        // Who does not step reads for himself.
        later(step().0);
        assert!(now() > step().0);
    }
}
