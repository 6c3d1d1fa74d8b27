//! Events per second.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Events per second, as HAProxy counts them: periods of a second follow each other from the first event on, and what
/// counts is the events of the period that runs and the share of those of the one before that still lies within the last
/// 1,000 ms. After two seconds without an event the next one begins the periods anew, so that who comes after a rest has a
/// whole second before any of his events fades. `now_ms` is any monotonic millisecond count.
#[derive(Debug, Default)]
pub struct RateCounter {
    /// When the period began that the last event fell into, plus one; 0: there was none.
    began: AtomicU64,
    /// Of the thread that counts without locks, see [`Claim`](super::Claim).
    own: Part,
    /// Of all others.
    others: Part,
    /// Most events of a period.
    max: AtomicU32,
}

/// Length of a period, milliseconds.
const PERIOD: u64 = 1000;

/// Events of some threads.
#[derive(Debug, Default)]
struct Part {
    /// [`RateCounter::began`] of a period, of 32 bits (high half), and events in it (low half).
    current: AtomicU64,
    /// Events of the period before.
    previous: AtomicU32,
}

/// A period as parts know it.
fn name(began: u64) -> u64 {
    began & 0xffff_ffff
}

impl Part {
    /// Counts `n` events in `period`, where nobody else does.
    fn add_alone(&self, n: u32, period: u64) {
        let seen = self.current.load(Relaxed);
        if seen >> 32 == period {
            self.current.store(seen + u64::from(n), Relaxed);
        } else {
            self.current.store(period << 32 | u64::from(n), Relaxed);
            self.turned(seen, period);
        }
    }

    /// Counts `n` events in `period`.
    fn add(&self, n: u32, period: u64) {
        loop {
            let seen = self.current.load(Relaxed);
            if seen >> 32 == period {
                self.current.fetch_add(u64::from(n), Relaxed);
                return;
            }
            let fresh = period << 32 | u64::from(n);
            if self.current.compare_exchange(seen, fresh, Relaxed, Relaxed).is_ok() {
                self.turned(seen, period);
                return;
            }
        }
    }

    /// What was `seen` is the past since `period` began.
    fn turned(&self, seen: u64, period: u64) {
        let adjacent = name((seen >> 32) + PERIOD) == period;
        self.previous.store(if adjacent { seen as u32 } else { 0 }, Relaxed);
    }

    /// Events in `period` and in the one before.
    fn counts(&self, period: u64) -> (u32, u32) {
        let current = self.current.load(Relaxed);
        let (at, count) = (current >> 32, current as u32);
        if at == period {
            (count, self.previous.load(Relaxed))
        } else if name(at + PERIOD) == period {
            (0, count)
        } else {
            (0, 0)
        }
    }
}

/// What counts at some moment.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Events of the period that runs.
    current: u32,
    /// Events of the one before.
    previous: u32,
    /// What is left of the period, milliseconds.
    left: u64,
}

impl Seen {
    /// Events that count, in thousandths.
    fn total(self) -> u64 {
        u64::from(self.previous) * self.left + u64::from(self.current) * PERIOD
    }
}

impl RateCounter {
    /// Counts `n` events.
    pub fn add(&self, n: u32, now_ms: u64) {
        let period = name(self.period(now_ms));
        if super::counter::is_claimed() {
            self.own.add_alone(n, period);
        } else {
            self.others.add(n, period);
        }
        let (count, _) = self.counts(period);
        // Mostly it is no new one, and asking is cheaper than a locked instruction.
        if count > self.max.load(Relaxed) {
            self.max.fetch_max(count, Relaxed);
        }
    }

    /// The period of an event at `now_ms`.
    fn period(&self, now_ms: u64) -> u64 {
        let now = now_ms + 1;
        let mut seen = self.began.load(Relaxed);
        loop {
            let next = match now.saturating_sub(seen) {
                _ if seen == 0 => now,
                // Clocks of threads differ a little: one may be behind.
                0..PERIOD => return seen,
                since if since < 2 * PERIOD => seen + PERIOD,
                _ => now,
            };
            match self.began.compare_exchange(seen, next, Relaxed, Relaxed) {
                Ok(_) => return next,
                Err(other) => seen = other,
            }
        }
    }

    fn seen(&self, now_ms: u64) -> Seen {
        let began = self.began.load(Relaxed);
        if began == 0 {
            return Seen::default();
        }
        let (current, previous) = self.counts(name(began));
        match (now_ms + 1).saturating_sub(began) {
            since @ 0..=PERIOD => Seen { current, previous, left: PERIOD - since },
            since if since <= 2 * PERIOD => Seen { current: 0, previous: current, left: 2 * PERIOD - since },
            _ => Seen::default(),
        }
    }

    /// Events per second at `now_ms`. A single one counts until the second after its own is over, instead of being none and
    /// one by turns.
    #[must_use]
    pub fn rate(&self, now_ms: u64) -> u32 {
        let seen = self.seen(now_ms);
        if seen.current == 0 && seen.previous <= 1 {
            return seen.previous;
        }
        (seen.total() / PERIOD) as u32
    }

    /// Milliseconds from `now_ms` until one more event stays within `limit` per second, if none comes before; 0: it does now.
    #[must_use]
    pub fn wait(&self, now_ms: u64, limit: u32) -> u64 {
        let seen = self.seen(now_ms);
        let limit = u64::from(limit);
        if seen.total() < limit * PERIOD {
            return 0;
        }
        // So much of a period may be left for `events` of the one before and `current` ones to be below the limit.
        let left = |events: u32, current: u64| {
            (((limit - current) * PERIOD).div_ceil(events.into())).saturating_sub(1)
        };
        let current = u64::from(seen.current);
        if current < limit {
            seen.left - left(seen.previous, current)
        } else if limit == 0 {
            seen.left + PERIOD
        } else {
            // All of this period, and what then has to fade.
            seen.left + PERIOD - left(seen.current, 0).min(PERIOD - 1)
        }
    }

    fn counts(&self, period: u64) -> (u32, u32) {
        let (own, others) = (self.own.counts(period), self.others.counts(period));
        (own.0.saturating_add(others.0), own.1.saturating_add(others.1))
    }

    /// Starts from a rate of an earlier process: as if so many events had come in the second before.
    pub fn preload(&self, rate: u32, now_ms: u64) {
        self.began.store(now_ms + 1, Relaxed);
        self.others.previous.store(rate, Relaxed);
        self.others.current.store(name(now_ms + 1) << 32, Relaxed);
        self.max.fetch_max(rate, Relaxed);
    }

    /// Most events of a period.
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
    use super::super::Claim;
    use super::*;

    #[test]
    fn ten_a_second_reads_as_ten_and_fades_when_it_stops() {
        let r = RateCounter::default();
        for ms in (0..3000).step_by(100) {
            r.add(1, 5_050 + ms);
        }
        assert_eq!(r.rate(8_049), 10);
        assert_eq!(r.rate(8_550), 5);
        assert_eq!(r.rate(9_050), 0);
        assert_eq!(r.max(), 10);
    }

    #[test]
    fn periods_begin_with_the_first_event_after_a_rest() {
        let r = RateCounter::default();
        // None of them fades before a second is over, wherever a clock's second ends.
        for start in [0, 5_990] {
            (0..4).for_each(|_| r.add(1, start));
            assert_eq!([0, 500, 1_000].map(|ms| r.rate(start + ms)), [4; 3]);
            assert_eq!([1_001, 1_250, 1_500, 2_000].map(|ms| r.rate(start + ms)), [3, 3, 2, 0]);
        }
        assert_eq!(r.max(), 4);
    }

    #[test]
    fn a_single_event_is_one_for_two_seconds() {
        let r = RateCounter::default();
        r.add(1, 700);
        assert_eq!([700, 1_700, 1_701, 2_700, 2_701].map(|ms| r.rate(ms)), [1, 1, 1, 1, 0]);
        // No limit counts it for as long.
        assert_eq!(r.wait(1_701, 1), 0);
    }

    #[test]
    fn the_highest_is_that_of_a_period_and_not_of_any_second() {
        let r = RateCounter::default();
        r.add(1, 1_000);
        (0..5).for_each(|_| r.add(1, 1_900));
        (0..5).for_each(|_| r.add(1, 2_100));
        assert_eq!((r.rate(2_100), r.max()), (10, 6));
    }

    #[test]
    fn who_waits_as_long_as_told_is_within_the_limit_and_a_moment_before_is_not() {
        for (events, limit) in [(4, 4), (9, 4), (3, 5), (20, 2), (1, 1), (7, 3), (0, 1)] {
            let r = RateCounter::default();
            (0..events).for_each(|_| r.add(1, 3_000));
            let mut now = 3_000;
            for _ in 0..12 {
                let wait = r.wait(now, limit);
                assert_eq!(wait > 0, r.seen(now).total() >= u64::from(limit) * PERIOD);
                if wait > 0 {
                    now += wait;
                    assert!(r.wait(now - 1, limit) > 0, "{events} {limit}: too long, {now}");
                    assert_eq!(r.wait(now, limit), 0, "{events} {limit}: too short, {now}");
                }
                r.add(1, now);
            }
        }
        let r = RateCounter::default();
        (0..4).for_each(|_| r.add(1, 10));
        assert_eq!(
            [(10, 4), (510, 4), (1_011, 4), (10, 0)].map(|(now, limit)| r.wait(now, limit)),
            [1_001, 501, 0, 2_000]
        );
    }

    #[test]
    fn threads_count_as_one_whoever_counts_without_locks() {
        let r = RateCounter::default();
        for start in [5_000, 6_000] {
            r.add(0, start);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    Claim::Counters.make();
                    (0..1_000).step_by(10).for_each(|ms| r.add(1, start + ms));
                });
                scope.spawn(|| (0..1_000).step_by(20).for_each(|ms| r.add(1, start + ms)));
            });
        }
        assert_eq!(r.rate(6_999), 150);
        assert_eq!(r.rate(7_500), 75);
        assert_eq!(r.rate(9_000), 0);
        r.preload(40, 20_000);
        assert_eq!((r.rate(20_000), r.rate(20_500)), (40, 20));
    }
}
