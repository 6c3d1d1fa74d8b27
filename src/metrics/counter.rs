//! Single numbers.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};

/// What a thread may count without locks: a locked addition takes as long as ten plain ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// [`Counter`] and rates. At most one of the threads that count in the same [`Live`](crate::live::Live) may say so: its
    /// first worker.
    Counters,
    /// [`Gauge`] as well: no other thread takes places, or waits for one.
    All,
}

impl Claim {
    /// This thread counts so from now on.
    pub fn make(self) {
        CLAIM.set(Some(self));
    }
}

thread_local! {
    static CLAIM: Cell<Option<Claim>> = const { Cell::new(None) };
}

/// Does this thread count without locks?
#[inline]
pub(super) fn is_claimed() -> bool {
    CLAIM.get().is_some()
}

/// Is no other thread there to take places?
#[inline]
fn is_alone() -> bool {
    CLAIM.get() == Some(Claim::All)
}

/// A number that only grows, until `clear counters`.
///
/// A request counts in thirty places. So one thread, most often the only one that serves, has a part of its own: see
/// [`Claim`].
#[derive(Debug, Default)]
pub struct Counter {
    /// Written by the thread that claimed it and by nobody else.
    own: AtomicU64,
    /// Of all others, and what makes up for `own` where the whole was set.
    others: AtomicU64,
}

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        if is_claimed() {
            self.own.store(self.own.load(Relaxed).wrapping_add(n), Relaxed);
        } else if n != 0 {
            self.others.fetch_add(n, Relaxed);
        }
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.own.load(Relaxed).wrapping_add(self.others.load(Relaxed))
    }

    /// Sets it (state carried over, `clear counters`).
    pub fn set(&self, value: u64) {
        self.others.store(value.wrapping_sub(self.own.load(Relaxed)), Relaxed);
    }
}

/// The highest of many values, until `clear counters`.
#[derive(Debug, Default)]
pub struct Maximum(AtomicU64);

impl Maximum {
    /// Takes a value in.
    pub fn note(&self, value: u64) {
        if value > self.get() {
            self.0.fetch_max(value, Relaxed);
        }
    }

    /// The highest so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Forgets everything.
    pub fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

/// A number that goes up and down. Places are taken and given back by it: changes are sequentially consistent, so that
/// who gives a place back and then looks for somebody who waits does not miss who looked for a place at that moment.
/// A thread that is [alone](Claim::All) misses nobody.
#[derive(Debug, Default)]
pub struct Gauge {
    /// Of the thread that is alone. It may give back what another one took: only the sum means something.
    own: AtomicU32,
    /// Of all others.
    others: AtomicU32,
}

impl Gauge {
    /// Adds one and returns the new value.
    pub fn inc(&self) -> u32 {
        self.step(1)
    }

    /// Takes one away and returns the new value.
    pub fn dec(&self) -> u32 {
        self.step(1_u32.wrapping_neg())
    }

    #[inline]
    fn step(&self, by: u32) -> u32 {
        if is_alone() {
            let own = self.own.load(Relaxed).wrapping_add(by);
            self.own.store(own, Relaxed);
            own.wrapping_add(self.others.load(Relaxed))
        } else {
            self.others.fetch_add(by, SeqCst).wrapping_add(by).wrapping_add(self.own.load(Relaxed))
        }
    }

    /// Adds one unless the value has reached `limit` (0: no limit). `false`: it had.
    #[must_use]
    pub fn try_inc(&self, limit: u32) -> bool {
        if limit == 0 {
            self.inc();
            return true;
        }
        if is_alone() {
            let fits = self.get() < limit;
            if fits {
                self.inc();
            }
            return fits;
        }
        let own = self.own.load(Relaxed);
        let next = |others: u32| (own.wrapping_add(others) < limit).then(|| others.wrapping_add(1));
        self.others.fetch_update(SeqCst, SeqCst, next).is_ok()
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> u32 {
        self.own.load(Relaxed).wrapping_add(self.others.load(Relaxed))
    }
}

/// A gauge that remembers its highest value.
#[derive(Debug, Default)]
pub struct PeakGauge {
    current: Gauge,
    peak: AtomicU32,
}

impl PeakGauge {
    /// Adds one and returns the new value.
    pub fn inc(&self) -> u32 {
        let now = self.current.inc();
        self.note(now);
        now
    }

    /// Adds one unless the value has reached `limit` (0: no limit). `false`: it had.
    #[must_use]
    pub fn try_inc(&self, limit: u32) -> bool {
        let fits = self.current.try_inc(limit);
        if fits {
            self.note(self.current.get());
        }
        fits
    }

    fn note(&self, value: u32) {
        if value > self.peak.load(Relaxed) {
            self.peak.fetch_max(value, Relaxed);
        }
    }

    /// Takes one away and returns the new value.
    pub fn dec(&self) -> u32 {
        self.current.dec()
    }

    /// The value.
    #[must_use]
    pub fn get(&self) -> u32 {
        self.current.get()
    }

    /// The highest value since the start or the last reset.
    #[must_use]
    pub fn peak(&self) -> u32 {
        self.peak.load(Relaxed)
    }

    /// `clear counters`: the peak starts again at the present value.
    pub fn reset_peak(&self) {
        self.peak.store(self.current.get(), Relaxed);
    }
}

/// Average over the last events, as HAProxy's `qtime`, `ctime`, `rtime`, `ttime` columns count:
/// a sliding sum over a window of 512 events.
#[derive(Debug, Default)]
pub struct SlidingAverage(AtomicU64);

impl SlidingAverage {
    /// Events in the window.
    const WINDOW: u64 = 512;

    /// Takes one value in; `events` is how many there were in all, this one included: until the window is
    /// full nothing leaves it.
    pub fn add(&self, value: u64, events: u64) {
        // A lost race loses one sample of a statistic; the loop of a compare-exchange is not worth it.
        let sum = self.0.load(Relaxed);
        let leaving = if events > Self::WINDOW { sum.div_ceil(Self::WINDOW) } else { 0 };
        self.0.store(sum - leaving + value, Relaxed);
    }

    /// The average, given how many events there were in all: before the window is full it divides by their number.
    #[must_use]
    pub fn get(&self, events: u64) -> u64 {
        self.0.load(Relaxed).div_ceil(events.clamp(1, Self::WINDOW))
    }

    /// Forgets everything.
    pub fn reset(&self) {
        self.0.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_one_thread_and_the_others_count_adds_up_and_can_be_set() {
        let c = Counter::default();
        let hundred = |claims: bool| {
            if claims {
                Claim::Counters.make();
            }
            (0..100).for_each(|_| c.inc());
            c.add(900);
        };
        std::thread::scope(|scope| {
            scope.spawn(|| hundred(true));
            scope.spawn(|| hundred(false));
            scope.spawn(|| hundred(false));
        });
        assert_eq!(c.get(), 3000);
        c.set(5);
        assert_eq!(c.get(), 5);
        std::thread::scope(|scope| _ = scope.spawn(|| hundred(true)));
        assert_eq!(c.get(), 1005);
        c.set(0);
        c.inc();
        assert_eq!(c.get(), 1);
    }

    #[test]
    fn a_limited_gauge_stops_at_its_limit() {
        let fills = || {
            let g = PeakGauge::default();
            assert!(g.try_inc(2) && g.try_inc(2));
            assert!(!g.try_inc(2));
            g.dec();
            assert!(g.try_inc(2));
            assert_eq!((g.get(), g.peak()), (2, 2));
        };
        fills();
        let alone = || {
            Claim::All.make();
            fills();
        };
        std::thread::scope(|scope| scope.spawn(alone).join().unwrap());
    }

    #[test]
    fn places_of_the_thread_that_is_alone_and_of_others_are_the_same_places() {
        let g = Gauge::default();
        let elsewhere = |claim: Option<Claim>, work: &(dyn Fn() + Sync)| {
            std::thread::scope(|scope| {
                let work = || {
                    claim.into_iter().for_each(Claim::make);
                    work();
                };
                scope.spawn(work).join().unwrap();
            });
        };
        elsewhere(Some(Claim::All), &|| assert!(g.try_inc(2) && g.inc() == 2 && !g.try_inc(2)));
        elsewhere(None, &|| assert!(!g.try_inc(2) && g.dec() == 1 && g.try_inc(2) && !g.try_inc(2)));
        elsewhere(Some(Claim::All), &|| assert!(!g.try_inc(2) && g.dec() == 1 && g.dec() == 0));
        elsewhere(Some(Claim::Counters), &|| assert!(g.inc() == 1 && g.dec() == 0));
    }

    #[test]
    fn a_constant_stream_averages_to_itself() {
        let a = SlidingAverage::default();
        for n in 1..=5000 {
            a.add(40, n);
            let got = a.get(n);
            assert!((36..=40).contains(&got), "{got} after {n}");
        }
    }
}
