//! Counters and gauges that sessions write and the surfaces read.
//!
//! All are relaxed atomics: a reader sees each number whole but not all numbers of one instant, as with HAProxy.

mod counter;
mod freq;
mod histogram;
mod sets;

pub use counter::{Claim, Counter, Gauge, Maximum, PeakGauge, SlidingAverage};
pub use freq::RateCounter;
pub use histogram::{Histogram, Span};
pub use sets::{
    BackendCounters, FrontendCounters, HttpClasses, ListenerCounters, NameserverCounters, ProcessCounters,
    ServerCounters, TimeAverages,
};
