//! How busy the process is.

use std::time::Instant;

use parking_lot::Mutex;

use super::info::{Program, Usage};
use crate::live::Live;
use crate::sys::clock;

/// Processor time used up to a moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Instant,
    busy_ms: u64,
    idle_percent: u32,
}

/// Measures from one question to the next.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Option<Reading>>);

impl Meter {
    /// The share of time the workers were idle since the last question, or since the one before if that was less
    /// than a second ago.
    pub fn read(&self, live: &Live, program: &Program) -> Usage {
        let mut last = self.0.lock();
        let (at, busy_ms) = (clock::now(), busy_ms());
        let before = last.unwrap_or(Reading { at: live.started, busy_ms: 0, idle_percent: 100 });
        let passed = at.saturating_duration_since(before.at).as_millis() as u64;
        let idle_percent = if passed < 1000 && last.is_some() {
            before.idle_percent
        } else {
            let capacity = (passed * u64::from(program.threads.max(1))).max(1);
            let idle = 100 - (busy_ms.saturating_sub(before.busy_ms) * 100 / capacity).min(100) as u32;
            *last = Some(Reading { at, busy_ms, idle_percent: idle });
            idle
        };
        let proxies = live.proxies();
        let frontends = proxies.iter().filter_map(|p| p.frontend.as_ref());
        let streams = frontends.map(|f| u64::from(f.counters.h1_open_streams.get())).sum::<u64>();
        Usage { idle_percent, tasks: live.process.connections.get(), streams }
    }
}

/// Processor time of this process so far.
fn busy_ms() -> u64 {
    use nix::sys::resource::{UsageWho, getrusage};
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return 0 };
    let times = [usage.user_time(), usage.system_time()];
    times.iter().map(|t| t.tv_sec() as u64 * 1000 + t.tv_usec() as u64 / 1000).sum()
}
