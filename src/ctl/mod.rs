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

use parking_lot::Mutex;

use crate::live::Live;
use crate::stats::info::{Program, Usage};
use crate::stats::meter::Meter;

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
    /// Held while the list of servers or a file of patterns changes: such commands take turns.
    turn: Mutex<()>,
    meter: Meter,
}

impl Control {
    /// Commands for what runs.
    #[must_use]
    pub fn new(live: Arc<Live>, program: Program, startup_logs: String) -> Arc<Self> {
        Arc::new(Self { live, program, startup_logs, turn: Mutex::new(()), meter: Meter::default() })
    }

    pub(crate) fn usage(&self) -> Usage {
        self.meter.read(&self.live, &self.program)
    }
}
