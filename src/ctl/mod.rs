//! The stats socket: commands that look at what runs and steer it.
//!
//! [`session`] turns bytes into commands and answers into bytes, without sockets; [`registry`] is the table of commands,
//! with one file per family under `cmd`; [`runner`] listens.

mod cmd;
mod help;
mod json;
pub mod registry;
mod reply;
mod rewrite;
pub mod runner;
pub mod session;
pub mod words;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::ir::ProxyIdx;
use crate::live::Live;
use crate::stats::info::{Program, Usage};
use crate::stats::meter::Meter;
use crate::stats::watch::Watch;
use crate::sys::rights::Handed;

pub use reply::Reply;

/// A listening socket that another process may take over.
#[derive(Debug)]
pub struct Exported {
    /// Whose it is.
    pub proxy: ProxyIdx,
    /// A handle of it.
    pub handed: Handed,
}

/// What commands work on.
#[derive(Debug)]
pub struct Control {
    /// What runs.
    pub live: Arc<Live>,
    /// What `show info` says of the program.
    pub program: Program,
    /// What was said while the configuration was read (`show startup-logs`).
    pub startup_logs: String,
    /// The listening sockets, for the process that takes over.
    handed: Mutex<Vec<Exported>>,
    /// Changes when the process stops taking connections.
    stopping: watch::Sender<bool>,
    /// Changes when the master is gone.
    orphaned: watch::Sender<bool>,
    /// When the configuration files were read, or written by `commit config`.
    written: Mutex<SystemTime>,
    /// What commands had added when the configuration was written last: backends, and servers with their backends.
    committed: Mutex<HashSet<(String, Option<String>)>>,
    /// Held while the list of servers or a file of patterns changes: such commands take turns.
    turn: Mutex<()>,
    /// What is known of the last minutes.
    pub watch: Arc<Watch>,
    meter: Meter,
}

impl Control {
    /// Commands for what runs.
    #[must_use]
    pub fn new(live: Arc<Live>, program: Program, startup_logs: String) -> Arc<Self> {
        Arc::new(Self {
            live,
            program,
            startup_logs,
            handed: Mutex::default(),
            stopping: watch::Sender::new(false),
            orphaned: watch::Sender::new(false),
            written: Mutex::new(crate::sys::clock::wall()),
            committed: Mutex::default(),
            turn: Mutex::new(()),
            watch: Arc::default(),
            meter: Meter::default(),
        })
    }

    /// Keeps handles of listening sockets for whoever takes over (`_getsocks`).
    pub fn offer(&self, sockets: Vec<Exported>) {
        *self.handed.lock() = sockets;
    }

    /// A soft stop began: the sockets are let go, here too, and no more sessions are taken.
    pub fn stop(&self) {
        self.handed.lock().clear();
        self.stopping.send_replace(true);
    }

    /// A frontend was stopped for good.
    pub(crate) fn withdraw(&self, proxy: ProxyIdx) {
        self.handed.lock().retain(|exported| exported.proxy != proxy);
    }

    /// Ends when the master is gone; never without a master.
    pub async fn orphaned(&self) {
        // The sender lives as long as `self`.
        let _ = self.orphaned.subscribe().wait_for(|gone| *gone).await;
    }

    pub(crate) fn usage(&self) -> Usage {
        self.meter.read(&self.live, &self.program)
    }
}
