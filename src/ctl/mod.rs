//! The stats socket: commands that look at what runs and steer it.
//!
//! [`session`] turns bytes into commands and answers into bytes, without sockets; [`registry`] is the table of commands,
//! with one file per family under `cmd`; [`runner`] listens.

mod cmd;
pub mod registry;
mod reply;
pub mod runner;
pub mod session;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::live::Live;
use crate::stats::info::{Program, Usage};
use crate::sys::clock;

pub use cmd::session::sockets_variable;
pub use reply::Reply;

/// What commands work on.
#[derive(Debug)]
pub struct Control {
    /// What runs.
    pub live: Arc<Live>,
    /// What `show info` says of the program.
    pub program: Program,
    /// What was said while the configuration was read (`show startup-logs`).
    pub startup_logs: String,
    meter: Mutex<Option<Reading>>,
}

/// Processor time used up to a moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Instant,
    busy_ms: u64,
    idle_percent: u32,
}

impl Control {
    /// Commands for what runs.
    #[must_use]
    pub fn new(live: Arc<Live>, program: Program, startup_logs: String) -> Arc<Self> {
        Arc::new(Self { live, program, startup_logs, meter: Mutex::new(None) })
    }

    /// The share of time the workers were idle since the last question that is at least a second old.
    pub(crate) fn usage(&self) -> Usage {
        let mut meter = self.meter.lock();
        let (at, busy_ms) = (clock::now(), busy_ms());
        let before = meter.unwrap_or(Reading { at: self.live.started, busy_ms: 0, idle_percent: 100 });
        let passed = at.saturating_duration_since(before.at).as_millis() as u64;
        let idle_percent = if passed < 1000 && meter.is_some() {
            before.idle_percent
        } else {
            let capacity = (passed * u64::from(self.program.threads.max(1))).max(1);
            let idle = 100 - (busy_ms.saturating_sub(before.busy_ms) * 100 / capacity).min(100) as u32;
            *meter = Some(Reading { at, busy_ms, idle_percent: idle });
            idle
        };
        let streams = self.live.proxies.iter().filter_map(|p| p.frontend.as_ref());
        let streams = streams.map(|f| u64::from(f.counters.h1_open_streams.get())).sum::<u64>();
        Usage { idle_percent, tasks: self.live.process.connections.get(), streams }
    }
}

/// Processor time of this process so far.
fn busy_ms() -> u64 {
    use nix::sys::resource::{UsageWho, getrusage};
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return 0 };
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|t| t.tv_sec() as u64 * 1000 + t.tv_usec() as u64 / 1000)
        .sum()
}
