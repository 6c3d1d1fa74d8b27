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
