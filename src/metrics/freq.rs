//! Events per second.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Events per second over a sliding second: the running second's events plus the share of the previous
/// second's that still lies within the last 1,000 ms. `now_ms` is any monotonic millisecond count.
#[derive(Debug, Default)]
pub struct RateCounter {
    /// Second number (high half) and events in it (low half).
    current: AtomicU64,
    /// Events of the second before.
    previous: AtomicU32,
    /// Highest rate seen.
    max: AtomicU32,
}

impl RateCounter {
    /// Counts `n` events and returns the rate.
    pub fn add(&self, n: u32, now_ms: u64) -> u32 {
        let second = (now_ms / 1000) & 0xffff_ffff;
        loop {
            let seen = self.current.load(Relaxed);
            if seen >> 32 == second {
                self.current.fetch_add(u64::from(n), Relaxed);
                break;
            }
            let fresh = second << 32 | u64::from(n);
            if self.current.compare_exchange(seen, fresh, Relaxed, Relaxed).is_ok() {
                let adjacent = (seen >> 32) + 1 == second;
                self.previous.store(if adjacent { seen as u32 } else { 0 }, Relaxed);
                break;
            }
        }
        let rate = self.rate(now_ms);
        if rate > self.max.load(Relaxed) {
            self.max.fetch_max(rate, Relaxed);
        }
        rate
    }

    /// Events per second at `now_ms`.
    #[must_use]
    pub fn rate(&self, now_ms: u64) -> u32 {
        let second = (now_ms / 1000) & 0xffff_ffff;
        let current = self.current.load(Relaxed);
        let (at, count) = (current >> 32, current as u32);
        let left_of_second = 1000 - now_ms % 1000;
        let share = |n: u32| (u64::from(n) * left_of_second / 1000) as u32;
        if at == second {
            count + share(self.previous.load(Relaxed))
        } else if at + 1 == second {
            share(count)
        } else {
            0
        }
    }

    /// Starts from a rate of an earlier process: as if so many events had come in the second before.
    pub fn preload(&self, rate: u32, now_ms: u64) {
        let second = (now_ms / 1000) & 0xffff_ffff;
        self.previous.store(rate, Relaxed);
        self.current.store(second << 32, Relaxed);
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

#[cfg(test)]
mod tests {
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
}
