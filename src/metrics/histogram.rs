//! How long things took, in buckets.

use super::Counter;

/// Times counted in buckets: one addition per event, any share of events from [`Histogram::quantile_us`].
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [Counter; Self::BOUNDS_US.len() + 1],
    sum_us: Counter,
}

/// A time and its bucket: found once, for all histograms that count it.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    bucket: usize,
    us: u64,
}

impl Span {
    /// A time in microseconds.
    #[must_use]
    pub fn of_us(us: u64) -> Self {
        Self { bucket: Histogram::BOUNDS_US.partition_point(|bound| *bound < us), us }
    }
}

impl Histogram {
    /// Upper ends of the buckets, microseconds, each belonging to its bucket; above the last is one more.
    pub const BOUNDS_US: [u64; 17] = [
        100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
        2_500_000, 5_000_000, 10_000_000, 30_000_000,
    ];

    /// The same in seconds, as Prometheus writes them.
    pub const LABELS: [&'static str; 17] = [
        "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
        "0.5", "1", "2.5", "5", "10", "30",
    ];

    /// Counts an event that took so long.
    pub fn add(&self, span: Span) {
        self.buckets[span.bucket].inc();
        self.sum_us.add(span.us);
    }

    /// Events in each bucket; the last is everything above the greatest bound.
    #[must_use]
    pub fn counts(&self) -> [u64; Self::BOUNDS_US.len() + 1] {
        std::array::from_fn(|at| self.buckets[at].get())
    }

    /// All times together, microseconds.
    #[must_use]
    pub fn sum_us(&self) -> u64 {
        self.sum_us.get()
    }

    /// The time, microseconds, that the share `q` (0 to 1) of the events did not exceed, read between the bounds of its
    /// bucket. `None`: there was no event.
    #[must_use]
    pub fn quantile_us(&self, q: f64) -> Option<u64> {
        Self::quantile_of(&self.counts(), q)
    }

    /// The same for counts per bucket, such as the difference of two readings.
    #[must_use]
    pub fn quantile_of(counts: &[u64], q: f64) -> Option<u64> {
        let all = counts.iter().sum::<u64>();
        if all == 0 {
            return None;
        }
        let rank = q.clamp(0.0, 1.0) * all as f64;
        let mut below = 0;
        for (at, count) in counts.iter().enumerate() {
            if *count > 0 && (below + count) as f64 >= rank {
                let low =
                    at.checked_sub(1).and_then(|before| Self::BOUNDS_US.get(before)).copied().unwrap_or(0);
                let Some(high) = Self::BOUNDS_US.get(at) else { return Some(low) };
                let share = ((rank - below as f64) / *count as f64).clamp(0.0, 1.0);
                return Some(low + (share * (high - low) as f64) as u64);
            }
            below += count;
        }
        None
    }

    /// Forgets everything.
    pub fn reset(&self) {
        self.buckets.iter().for_each(|bucket| bucket.set(0));
        self.sum_us.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_belong_to_their_bucket() {
        let h = Histogram::default();
        for us in [0, 100, 101, 250, 30_000_000, 30_000_001] {
            h.add(Span::of_us(us));
        }
        let counts = h.counts();
        assert_eq!((counts[0], counts[1], counts[16], counts[17]), (2, 2, 1, 1));
        assert_eq!(h.sum_us(), 60_000_452);
        for (bound, label) in Histogram::BOUNDS_US.iter().zip(Histogram::LABELS) {
            let seconds: f64 = label.parse().expect("a number");
            assert_eq!((seconds * 1e6).round() as u64, *bound);
        }
    }

    #[test]
    fn quantiles_lie_in_the_bucket_of_their_rank() {
        let h = Histogram::default();
        assert_eq!(h.quantile_us(0.5), None);
        for us in 1..=1000 {
            h.add(Span::of_us(us * 10));
        }
        for (q, exact) in [(0.5, 5_000), (0.9, 9_000), (0.99, 9_900)] {
            let got = h.quantile_us(q).expect("events");
            assert!(got.abs_diff(exact) <= exact / 10, "{q}: {got}");
        }
        h.reset();
        h.add(Span::of_us(60_000_000));
        assert_eq!(h.quantile_us(0.99), Some(30_000_000), "beyond the last bound only that is known");
    }
}
