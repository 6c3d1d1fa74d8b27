//! The one place that reads the clocks.

use std::cell::Cell;
use std::time::{Instant, SystemTime};

thread_local! {
    static STOPPED: Cell<Option<Instant>> = const { Cell::new(None) };
    /// What [`now_ms`] says of that moment, once it was asked.
    static STOPPED_MS: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Monotonic now; inside of [`stopped`]: when that began.
#[must_use]
pub fn now() -> Instant {
    STOPPED.get().unwrap_or_else(read)
}

#[expect(clippy::disallowed_methods, reason = "this is the replacement the ban names")]
fn read() -> Instant {
    Instant::now()
}

/// Read the monotonic clock once for all of `f`. For steps of a few microseconds that look at it a dozen times.
pub fn stopped<R>(f: impl FnOnce() -> R) -> R {
    /// Lets it go on, also when `f` panics.
    struct Resume;
    impl Drop for Resume {
        fn drop(&mut self) {
            STOPPED.set(None);
        }
    }
    STOPPED.set(Some(read()));
    STOPPED_MS.set(None);
    let _resume = Resume;
    f()
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
