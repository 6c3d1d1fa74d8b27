//! Bandwidth limits of a stream (`set-bandwidth-limit`).
//!
//! Bytes pass as evenly as the limit says: a piece as large as a buffer, and the next one when that has had its time.
//! Whoever was slower than the limit may make up for a period of it, but nobody begins with one.

use std::time::{Duration, Instant};

use super::deadline::earlier;
use super::pump::Pump;
use crate::ir::bandwidth::BandwidthLimit;
use crate::ir::expr::Dir;

/// So many bytes may pass at a time, or as many as pass in [`MOMENT`] where those are more.
const PIECE: u64 = 15 * 1024;

/// What is not worth a timer of its own.
const MOMENT: Duration = Duration::from_millis(10);

/// One limit at work.
#[derive(Clone, Debug)]
struct Limit {
    name: String,
    dir: Dir,
    /// Bytes in a period.
    bytes: u64,
    period: Duration,
    min_size: u64,
    /// When everything that went through so far will have been within the limit; `None`: nothing went through.
    settled: Option<Instant>,
}

impl Limit {
    /// How long so many bytes take.
    fn time_for(&self, bytes: u64) -> Duration {
        let nanos = self.period.as_nanos() * u128::from(bytes) / u128::from(self.bytes);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Bytes that may pass now.
    fn allowed(&self, now: Instant) -> u64 {
        if self.settled.is_some_and(|settled| settled > now) {
            return 0;
        }
        let in_a_moment = u128::from(self.bytes) * MOMENT.as_nanos() / self.period.as_nanos();
        u64::try_from(in_a_moment).unwrap_or(u64::MAX).max(PIECE).min(self.bytes)
    }

    /// When bytes may pass again: not before `min-size` of them may.
    fn opens(&self, now: Instant) -> Instant {
        self.settled.unwrap_or(now) + self.time_for(self.min_size.min(self.bytes))
    }

    fn spend(&mut self, bytes: u64, now: Instant) {
        let made_up_for = now.checked_sub(self.period).unwrap_or(now);
        let from = self.settled.map_or(now, |settled| settled.max(made_up_for));
        self.settled = Some(from + self.time_for(bytes));
    }
}

/// The limits of a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape(Vec<Limit>);

impl Shape {
    /// A rule puts a limit on the stream, or changes the one of that name.
    pub(super) fn set(&mut self, filter: &BandwidthLimit, bytes: u64, period: Duration) {
        let (bytes, period) = (bytes.max(1), period.max(Duration::from_millis(1)));
        match self.0.iter_mut().find(|limit| limit.name == filter.name) {
            Some(limit) => (limit.bytes, limit.period) = (bytes, period),
            None => self.0.push(Limit {
                name: filter.name.clone(),
                dir: filter.dir,
                bytes,
                period,
                min_size: filter.min_size,
                settled: None,
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
    pub(super) fn opens(&self, dir: Dir, now: Instant) -> Option<Instant> {
        self.0.iter().filter(|limit| limit.dir == dir).map(|limit| limit.opens(now)).max()
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
                opens = earlier(opens, shape.opens(dir, self.now));
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

    /// Seconds, in hundredths, until so many bytes have passed.
    fn passes(filter: &BandwidthLimit, bytes: u64) -> u128 {
        let start = clock::now();
        let (mut now, mut left, mut shape) = (start, bytes, Shape::default());
        shape.set(filter, filter.limit, filter.period);
        while left > 0 {
            let n = shape.allowance(Dir::Res, now).unwrap().min(left);
            assert!(n > 0, "{left} left");
            shape.spend(Dir::Res, n, now);
            left -= n;
            if left > 0 {
                now = shape.opens(Dir::Res, now).unwrap();
            }
        }
        (now - start).as_millis().div_ceil(10)
    }

    #[test]
    fn bytes_pass_evenly_after_the_first_piece() {
        assert_eq!(passes(&filter(60_000, 0), PIECE), 0);
        assert_eq!(passes(&filter(60_000, 0), PIECE + 1), 26);
        assert_eq!(passes(&filter(60_000, 0), 2 * 60_000 + PIECE), 205);
        // What is left over of a piece's time counts for the next.
        assert_eq!(passes(&filter(60_000, 6000), 2 * 60_000 + PIECE), 215);
        // No more than a period's at a time.
        assert_eq!(passes(&filter(1000, 0), 1000), 0);
        assert_eq!(passes(&filter(1000, 0), 3000), 200);
        assert_eq!(passes(&filter(1000, 5000), 2000), 200);
        assert_eq!(passes(&filter(3, 0), 9), 200);
        // A great deal needs no more than a hundred steps a second.
        assert_eq!(passes(&filter(1_000_000_000, 0), 100_000_000), 9);
    }

    #[test]
    fn only_its_direction_is_limited_and_of_two_the_stricter_counts() {
        let now = clock::now();
        let mut shape = Shape::default();
        shape.set(&filter(1000, 0), 1000, Duration::from_secs(1));
        assert_eq!(shape.allowance(Dir::Req, now), None);
        shape.set(&BandwidthLimit { name: "g".into(), ..filter(10, 0) }, 10, Duration::from_secs(1));
        assert_eq!(shape.allowance(Dir::Res, now), Some(10));
        shape.set(&BandwidthLimit { name: "g".into(), ..filter(10, 0) }, 50, Duration::from_secs(1));
        assert_eq!(shape.allowance(Dir::Res, now), Some(50));
    }
}
