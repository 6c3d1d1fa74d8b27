//! Events per second.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Events per second over a sliding second: the running second's events plus the share of the previous
/// second's that still lies within the last 1,000 ms. `now_ms` is any monotonic millisecond count.
#[derive(Debug, Default)]
pub struct RateCounter {
    /// Of the thread that counts without locks, see [`Claim`](super::Claim).
    own: Part,
    /// Of all others.
    others: Part,
    /// Highest rate seen.
    max: AtomicU32,
}

/// Events of some threads.
#[derive(Debug, Default)]
struct Part {
    /// Second number (high half) and events in it (low half).
    current: AtomicU64,
    /// Events of the second before.
    previous: AtomicU32,
}

impl Part {
    /// Counts `n` events in `second`, where nobody else does.
    fn add_alone(&self, n: u32, second: u64) {
        let seen = self.current.load(Relaxed);
        if seen >> 32 == second {
            self.current.store(seen + u64::from(n), Relaxed);
        } else {
            self.current.store(second << 32 | u64::from(n), Relaxed);
            self.turned(seen, second);
        }
    }

    /// Counts `n` events in `second`.
    fn add(&self, n: u32, second: u64) {
        loop {
            let seen = self.current.load(Relaxed);
            if seen >> 32 == second {
                self.current.fetch_add(u64::from(n), Relaxed);
                return;
            }
            let fresh = second << 32 | u64::from(n);
            if self.current.compare_exchange(seen, fresh, Relaxed, Relaxed).is_ok() {
                self.turned(seen, second);
                return;
            }
        }
    }

    /// What was `seen` is the past since `second` began.
    fn turned(&self, seen: u64, second: u64) {
        let adjacent = (seen >> 32) + 1 == second;
        self.previous.store(if adjacent { seen as u32 } else { 0 }, Relaxed);
    }

    /// Events in `second` and in the one before.
    fn counts(&self, second: u64) -> (u32, u32) {
        let current = self.current.load(Relaxed);
        let (at, count) = (current >> 32, current as u32);
        if at == second {
            (count, self.previous.load(Relaxed))
        } else if at + 1 == second {
            (0, count)
        } else {
            (0, 0)
        }
    }
}

impl RateCounter {
    /// Counts `n` events.
    pub fn add(&self, n: u32, now_ms: u64) {
        let second = second(now_ms);
        if super::counter::is_claimed() {
            self.own.add_alone(n, second);
        } else {
            self.others.add(n, second);
        }
        let (count, previous) = self.counts(second);
        // Mostly it is no new one, and asking is cheaper than a locked instruction.
        let rate = rate(count, previous, now_ms);
        if rate > self.max.load(Relaxed) {
            self.max.fetch_max(rate, Relaxed);
        }
    }

    /// Events per second at `now_ms`.
    #[must_use]
    pub fn rate(&self, now_ms: u64) -> u32 {
        let (count, previous) = self.counts(second(now_ms));
        rate(count, previous, now_ms)
    }

    fn counts(&self, second: u64) -> (u32, u32) {
        let (own, others) = (self.own.counts(second), self.others.counts(second));
        (own.0.saturating_add(others.0), own.1.saturating_add(others.1))
    }

    /// Starts from a rate of an earlier process: as if so many events had come in the second before.
    pub fn preload(&self, rate: u32, now_ms: u64) {
        self.others.previous.store(rate, Relaxed);
        self.others.current.store(second(now_ms) << 32, Relaxed);
        self.max.fetch_max(rate, Relaxed);
    }

    /// Highest rate seen.
    #[must_use]
    pub fn max(&self) -> u32 {
        self.max.load(Relaxed)
    }

    /// `clear counters`: forgets the maximum.
    pub fn reset_max(&self) {
        self.max.store(0, Relaxed);
    }
}

/// The number of the second, of 32 bits.
fn second(now_ms: u64) -> u64 {
    (now_ms / 1000) & 0xffff_ffff
}

/// So many events in this second, and what counts of those in the one before.
fn rate(count: u32, previous: u32, now_ms: u64) -> u32 {
    let left_of_second = 1000 - now_ms % 1000;
    count.saturating_add((u64::from(previous) * left_of_second / 1000) as u32)
}

#[cfg(test)]
mod tests {
    use super::super::Claim;
    use super::*;

    #[test]
    fn ten_a_second_reads_as_ten_and_fades_when_it_stops() {
        let r = RateCounter::default();
        for ms in (0..3000).step_by(100) {
            r.add(1, 5_000 + ms);
        }
        assert_eq!(r.rate(7_999), 10);
        assert_eq!(r.rate(8_500), 5);
        assert_eq!(r.rate(9_000), 0);
        assert!((10..=11).contains(&r.max()), "{}", r.max());
    }

    #[test]
    fn threads_count_as_one_whoever_counts_without_locks() {
        let r = RateCounter::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                Claim::Counters.make();
                (0..2_000).step_by(10).for_each(|ms| r.add(1, 5_000 + ms));
            });
            scope.spawn(|| (0..2_000).step_by(20).for_each(|ms| r.add(1, 5_000 + ms)));
        });
        assert_eq!(r.rate(6_999), 150);
        assert_eq!(r.rate(7_500), 75);
        assert_eq!(r.rate(9_000), 0);
        r.preload(40, 20_000);
        assert_eq!((r.rate(20_000), r.rate(20_500)), (40, 20));
    }
}
