//! Where processor time goes, while somebody wants to know (`set profiling tasks on`).

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Work that is measured as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Client connections and their requests.
    Sessions,
    /// Checks that begin or run out of time.
    CheckTimers,
    /// Answers to checks.
    CheckAnswers,
    /// Answers of name servers.
    Names,
    /// Commands of the stats socket.
    Commands,
    /// The page and the metrics.
    Pages,
}

/// All kinds, with their names.
pub const WORK: [(Work, &str); 6] = [
    (Work::Sessions, "session"),
    (Work::CheckTimers, "check_timer"),
    (Work::CheckAnswers, "check_answer"),
    (Work::Names, "resolver"),
    (Work::Commands, "cli_command"),
    (Work::Pages, "stats_page"),
];

static ON: AtomicBool = AtomicBool::new(false);
static SUMS: [(AtomicU64, AtomicU64); WORK.len()] =
    [const { (AtomicU64::new(0), AtomicU64::new(0)) }; WORK.len()];

/// What a kind of work has cost since it was measured last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Which.
    pub name: &'static str,
    /// How often it was done.
    pub calls: u64,
    /// Processor time of all that.
    pub cpu: Duration,
}

/// Begins to measure, from zero, or ends.
pub fn switch(on: bool) {
    if on && !ON.load(Relaxed) {
        for (calls, ns) in &SUMS {
            calls.store(0, Relaxed);
            ns.store(0, Relaxed);
        }
    }
    ON.store(on, Relaxed);
}

/// Whether work is measured.
#[must_use]
pub fn is_on() -> bool {
    ON.load(Relaxed)
}

/// What was done since measuring began.
pub fn costs() -> impl Iterator<Item = Cost> {
    WORK.iter().zip(&SUMS).map(|((_, name), (calls, ns))| Cost {
        name,
        calls: calls.load(Relaxed),
        cpu: Duration::from_nanos(ns.load(Relaxed)),
    })
}

/// Processor time of this thread.
#[must_use]
pub fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// Threads that have a [`Meter`], and the sum of what these show.
static METERS: (AtomicI64, AtomicI64) = (AtomicI64::new(0), AtomicI64::new(0));

/// How busy the thread is that reads it.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    at: Instant,
    spent: Duration,
    /// Percent of the time between the last two readings that it worked.
    pub percent: i64,
}

impl Meter {
    /// Of this thread, from now on.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        METERS.0.fetch_add(1, Relaxed);
        Self { at: now, spent: spent(), percent: 0 }
    }

    /// What it shows now.
    #[must_use]
    pub fn read(self, now: Instant) -> Self {
        let spent = spent();
        let worked = spent.saturating_sub(self.spent).as_micros();
        let passed = now.saturating_duration_since(self.at).as_micros();
        let percent =
            (worked * 100).checked_div(passed).map_or(self.percent, |percent| percent.min(100) as i64);
        METERS.1.fetch_add(percent - self.percent, Relaxed);
        Self { at: now, spent, percent }
    }
}

/// Percent of their time that threads with a [`Meter`] worked of late.
#[must_use]
pub fn usage() -> i64 {
    let (threads, sum) = (METERS.0.load(Relaxed), METERS.1.load(Relaxed));
    sum / threads.max(1)
}

/// Does the work. While nobody wants to know what it costs, that is one look at a flag.
#[inline]
pub fn measured<T>(work: Work, doing: impl FnOnce() -> T) -> T {
    if !ON.load(Relaxed) {
        return doing();
    }
    let before = spent();
    let done = doing();
    let (calls, ns) = &SUMS[work as usize];
    calls.fetch_add(1, Relaxed);
    let cost = spent().saturating_sub(before).as_nanos();
    ns.fetch_add(u64::try_from(cost).unwrap_or(u64::MAX), Relaxed);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_shows_how_busy_its_thread_is() {
        let start = super::super::clock::now();
        let meter = Meter::new(start);
        let until = spent() + Duration::from_millis(20);
        while spent() < until {}
        let busy = meter.read(start + Duration::from_millis(40));
        assert!((50..=100).contains(&busy.percent), "{busy:?}");
        assert!(usage() > 0);
        let idle = busy.read(start + Duration::from_secs(3600));
        assert_eq!(idle.percent, 0);
    }

    #[test]
    fn work_is_counted_with_the_time_it_took_while_that_is_wanted() {
        // Nothing else in these tests renders pages while it measures.
        let pages = || costs().find(|cost| cost.name == "stats_page").unwrap();
        assert!(WORK.iter().enumerate().all(|(at, (work, _))| *work as usize == at));
        assert_eq!((measured(Work::Pages, || 7), pages().calls), (7, 0));
        switch(true);
        let busy = || {
            let until = spent() + Duration::from_millis(3);
            while spent() < until {}
        };
        measured(Work::Pages, busy);
        measured(Work::Pages, || ());
        switch(false);
        measured(Work::Pages, busy);
        let cost = pages();
        assert_eq!(cost.calls, 2);
        assert!(cost.cpu >= Duration::from_millis(3), "{cost:?}");
        switch(true);
        assert_eq!(pages().calls, 0);
        switch(false);
    }
}
