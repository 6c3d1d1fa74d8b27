//! What is seen of an instance beyond its counters: why it changed, how punctual adverts are, who else speaks.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::vrrp::reject::Reject;

/// Most routers remembered per instance: a forger has many names.
const OTHERS: usize = 8;
/// Share of a new measurement in the mean: one in eight, as TCP smooths round trips.
const SMOOTH: u32 = 8;

/// How far adverts are from their time.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::vrrp::runner) struct Jitter {
    /// Smoothed.
    pub(in crate::vrrp::runner) mean: Duration,
    /// The worst one since the last transition.
    pub(in crate::vrrp::runner) worst: Duration,
}

impl Jitter {
    pub(super) fn add(&mut self, off: Duration) {
        self.mean = (self.mean * (SMOOTH - 1) + off) / SMOOTH;
        self.worst = self.worst.max(off);
    }
}

/// Another router that speaks of this VRID.
#[derive(Clone, Debug)]
pub(in crate::vrrp::runner) struct Other {
    /// Its priority, if its adverts are taken.
    pub(in crate::vrrp::runner) priority: Option<u8>,
    /// Why they are not.
    pub(in crate::vrrp::runner) refused: Option<Reject>,
    /// Last heard.
    pub(in crate::vrrp::runner) heard: Instant,
}

/// See the module's description.
#[derive(Clone, Debug, Default)]
pub(in crate::vrrp::runner) struct Observed {
    /// What led to the state.
    pub(in crate::vrrp::runner) reason: Option<String>,
    /// Of adverts sent (as master) or heard (as backup).
    pub(in crate::vrrp::runner) jitter: Jitter,
    /// Who else speaks.
    pub(in crate::vrrp::runner) others: BTreeMap<IpAddr, Other>,
    last: Option<Instant>,
}

impl Observed {
    /// A state was entered because of this.
    pub(super) fn entered(&mut self, reason: Option<String>) {
        self.reason = reason;
        self.jitter = Jitter::default();
        self.last = None;
    }

    /// A packet for this instance was checked; `interval`: the time between two of a master's.
    pub(super) fn heard(
        &mut self,
        from: IpAddr,
        advert: Result<u8, &Reject>,
        interval: Duration,
        now: Instant,
    ) {
        if advert.is_ok_and(|priority| priority != 0)
            && let Some(last) = self.last.replace(now)
        {
            self.jitter.add(now.saturating_duration_since(last).abs_diff(interval));
        }
        if self.others.len() >= OTHERS && !self.others.contains_key(&from) {
            let oldest = self.others.iter().min_by_key(|(_, o)| o.heard).map(|(a, _)| *a);
            oldest.and_then(|oldest| self.others.remove(&oldest));
        }
        let refused = advert.err().cloned();
        self.others.insert(from, Other { priority: advert.ok(), refused, heard: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctual_adverts_have_no_jitter_and_forgers_do_not_fill_the_memory() {
        #[allow(clippy::disallowed_methods, reason = "any instant will do")]
        let start = Instant::now();
        let mut observed = Observed::default();
        let second = Duration::from_secs(1);
        let master = IpAddr::from([10, 0, 0, 1]);
        for n in 0..5 {
            observed.heard(master, Ok(100), second, start + second * n);
        }
        assert_eq!(observed.jitter.worst, Duration::ZERO);
        observed.heard(master, Ok(100), second, start + second * 5 + second / 2);
        assert_eq!(observed.jitter.worst, second / 2);
        for n in 0..100 {
            let forged = IpAddr::from([10, 0, 1, n]);
            observed.heard(forged, Err(&Reject::TooShort(3)), second, start + second * 9);
        }
        assert_eq!(observed.others.len(), OTHERS);
        observed.entered(Some("why".into()));
        assert_eq!((observed.jitter.worst, observed.reason.as_deref()), (Duration::ZERO, Some("why")));
    }
}
