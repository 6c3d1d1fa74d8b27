//! The one place that reads the clocks.

use std::time::{Instant, SystemTime};

/// Monotonic now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the replacement the ban names")]
pub fn now() -> Instant {
    Instant::now()
}

/// Wall clock now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the replacement the ban names")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Milliseconds since the first call in this process: the time base of rates and timers in logs.
#[must_use]
pub fn now_ms() -> u64 {
    since_start(now())
}

/// `at` on the scale of [`now_ms`].
#[must_use]
pub fn since_start(at: Instant) -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    at.saturating_duration_since(*START.get_or_init(|| at)).as_millis() as u64
}
