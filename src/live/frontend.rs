//! The frontend half of a proxy.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use tokio::sync::Notify;

use crate::ir;
use crate::metrics::{FrontendCounters, ListenerCounters};

/// What a frontend does with new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontendState {
    /// Takes them (`OPEN`).
    Open,
    /// Leaves them in the kernel's queue (`disable frontend`, shown as `PAUSED`).
    Paused,
    /// Gone for good (`shutdown frontend`, `disabled`, soft stop; shown as `STOP`).
    Stopped,
}

/// A frontend that runs.
#[derive(Debug)]
pub struct Frontend {
    /// Counters.
    pub counters: FrontendCounters,
    /// Its listeners, in order of the `bind` lines.
    pub listeners: Vec<Arc<Listener>>,
    maxconn: AtomicU32,
    state: AtomicU8,
    changed: Arc<Notify>,
}

/// A listener that runs.
#[derive(Debug)]
pub struct Listener {
    /// What it was made from.
    pub ir: ir::Bind,
    /// Counters.
    pub counters: ListenerCounters,
}

impl Frontend {
    pub(super) fn new(
        proxy: &ir::Proxy,
        half: &ir::Frontend,
        process_maxconn: u32,
        changed: &Arc<Notify>,
    ) -> Self {
        let listeners = half
            .binds
            .iter()
            .map(|ir| Arc::new(Listener { ir: ir.clone(), counters: ListenerCounters::default() }))
            .collect();
        let frontend = Self {
            counters: FrontendCounters::default(),
            listeners,
            maxconn: AtomicU32::new(half.maxconn.unwrap_or(process_maxconn)),
            state: AtomicU8::new(0),
            changed: changed.clone(),
        };
        if proxy.disabled {
            frontend.set_state(FrontendState::Stopped);
        }
        frontend
    }

    /// `maxconn`.
    #[must_use]
    pub fn maxconn(&self) -> u32 {
        self.maxconn.load(Relaxed)
    }

    /// `set maxconn frontend`.
    pub fn set_maxconn(&self, maxconn: u32) {
        self.maxconn.store(maxconn, Relaxed);
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> FrontendState {
        match self.state.load(Relaxed) {
            0 => FrontendState::Open,
            1 => FrontendState::Paused,
            _ => FrontendState::Stopped,
        }
    }

    /// Changes the state; the accept loops look at it.
    pub fn set_state(&self, state: FrontendState) {
        self.state.store(state as u8, Relaxed);
        self.changed.notify_waiters();
    }

    pub(super) fn clear_counters(&self, all: bool) {
        if all {
            self.counters.clear();
            self.listeners.iter().for_each(|l| l.counters.clear());
        } else {
            self.counters.clear_maxima();
            self.listeners.iter().for_each(|l| l.counters.clear_maxima());
        }
    }
}
