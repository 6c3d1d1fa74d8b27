//! Bandwidth limits of a stream (`set-bandwidth-limit`).
//!
//! A limit lets so many bytes through in a period. They may come at once; after that as many pass as time allows.

use std::time::{Duration, Instant};

use super::deadline::earlier;
use super::pump::Pump;
use crate::ir::bandwidth::BandwidthLimit;
use crate::ir::expr::Dir;

/// One limit at work.
#[derive(Clone, Debug)]
struct Limit {
    name: String,
    dir: Dir,
    /// Bytes in a period.
    bytes: u64,
    period: Duration,
    min_size: u64,
    /// When everything that went through so far will have been within the limit.
    settled: Instant,
}

impl Limit {
    /// How long so many bytes take.
    fn time_for(&self, bytes: u64) -> Duration {
        let nanos = self.period.as_nanos() * u128::from(bytes) / u128::from(self.bytes);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Bytes that may pass now.
    fn allowed(&self, now: Instant) -> u64 {
        let debt = self.settled.saturating_duration_since(now).as_nanos();
        let used = (debt * u128::from(self.bytes)).div_ceil(self.period.as_nanos());
        let left = self.bytes.saturating_sub(u64::try_from(used).unwrap_or(u64::MAX));
        if left < self.least() { 0 } else { left }
    }

    /// Fewer than these are not worth waking up for.
    fn least(&self) -> u64 {
        self.min_size.clamp(1, self.bytes)
    }

    /// When bytes may pass again.
    fn opens(&self) -> Instant {
        // A little later than exactly, so that what is then allowed is not rounded away.
        let early = self.period.saturating_sub(self.time_for(self.least()) + Duration::from_micros(1));
        self.settled.checked_sub(early).unwrap_or(self.settled)
    }

    fn spend(&mut self, bytes: u64, now: Instant) {
        self.settled = self.settled.max(now) + self.time_for(bytes);
    }
}

/// The limits of a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape(Vec<Limit>);

impl Shape {
    /// A rule puts a limit on the stream, or changes the one of that name.
    pub(super) fn set(&mut self, filter: &BandwidthLimit, bytes: u64, period: Duration, now: Instant) {
        let (bytes, period) = (bytes.max(1), period.max(Duration::from_millis(1)));
        match self.0.iter_mut().find(|limit| limit.name == filter.name) {
            Some(limit) => (limit.bytes, limit.period) = (bytes, period),
            None => self.0.push(Limit {
                name: filter.name.clone(),
                dir: filter.dir,
                bytes,
                period,
                min_size: filter.min_size,
                settled: now,
            }),
        }
    }

    /// Bytes that may pass now; `None`: any number.
    pub(super) fn allowance(&self, dir: Dir, now: Instant) -> Option<u64> {
        self.0.iter().filter(|limit| limit.dir == dir).map(|limit| limit.allowed(now)).min()
    }

    /// So many bytes passed.
    pub(super) fn spend(&mut self, dir: Dir, bytes: u64, now: Instant) {
        if bytes > 0 {
            self.0.iter_mut().filter(|limit| limit.dir == dir).for_each(|limit| limit.spend(bytes, now));
        }
    }

    /// When bytes may pass again.
    pub(super) fn opens(&self, dir: Dir) -> Option<Instant> {
        self.0.iter().filter(|limit| limit.dir == dir).map(Limit::opens).max()
    }
}

/// What a step of a stream may move in each direction, and what it has moved.
pub(super) struct Step {
    now: Instant,
    up: Option<u64>,
    down: Option<u64>,
}

impl Step {
    /// Tells the pumps what they may move now.
    pub(super) fn begin(shape: &Shape, now: Instant, up: &mut Pump, down: Option<&mut Pump>) -> Self {
        let step = Self { now, up: shape.allowance(Dir::Req, now), down: shape.allowance(Dir::Res, now) };
        up.budget = step.up;
        if let Some(down) = down {
            down.budget = step.down;
        }
        step
    }

    /// Counts what they moved. When one had to stop: when it may go on.
    pub(super) fn end(self, shape: &mut Shape, up: &Pump, down: Option<&Pump>) -> Option<Instant> {
        let mut opens = None;
        for (dir, allowed, pump) in [(Dir::Req, self.up, Some(up)), (Dir::Res, self.down, down)] {
            let (Some(allowed), Some(left)) = (allowed, pump.and_then(|pump| pump.budget)) else { continue };
            shape.spend(dir, allowed - left.min(allowed), self.now);
            if pump.is_some_and(Pump::is_starved) {
                opens = earlier(opens, shape.opens(dir));
            }
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock;

    fn filter(limit: u64, min_size: u64) -> BandwidthLimit {
        BandwidthLimit { name: "f".into(), dir: Dir::Res, limit, period: Duration::from_secs(1), min_size }
    }

    /// Seconds, in tenths, until so many bytes have passed.
    fn passes(filter: &BandwidthLimit, bytes: u64) -> u128 {
        let start = clock::now();
        let (mut now, mut left, mut shape) = (start, bytes, Shape::default());
        shape.set(filter, filter.limit, filter.period, now);
        while left > 0 {
            let n = shape.allowance(Dir::Res, now).unwrap().min(left);
            shape.spend(Dir::Res, n, now);
            left -= n;
            if left > 0 {
                let opens = shape.opens(Dir::Res).unwrap();
                assert!(opens > now, "{left} left");
                now = opens;
                assert!(shape.allowance(Dir::Res, now).unwrap() > 0, "{left} left");
            }
        }
        (now - start).as_millis().div_ceil(100)
    }

    #[test]
    fn a_period_is_free_and_the_rest_takes_its_time() {
        assert_eq!(passes(&filter(1000, 0), 1000), 0);
        assert_eq!(passes(&filter(1000, 0), 3000), 20);
        assert_eq!(passes(&filter(1000, 500), 2500), 15);
        // More than a period at a time is never asked for.
        assert_eq!(passes(&filter(1000, 5000), 3000), 20);
        assert_eq!(passes(&filter(3, 0), 9), 20);
    }

    #[test]
    fn only_its_direction_is_limited_and_of_two_the_stricter_counts() {
        let now = clock::now();
        let mut shape = Shape::default();
        shape.set(&filter(1000, 0), 1000, Duration::from_secs(1), now);
        assert_eq!(shape.allowance(Dir::Req, now), None);
        shape.set(&BandwidthLimit { name: "g".into(), ..filter(10, 0) }, 10, Duration::from_secs(1), now);
        assert_eq!(shape.allowance(Dir::Res, now), Some(10));
        shape.set(&BandwidthLimit { name: "g".into(), ..filter(10, 0) }, 50, Duration::from_secs(1), now);
        assert_eq!(shape.allowance(Dir::Res, now), Some(50));
    }
}
