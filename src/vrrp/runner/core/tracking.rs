//! Tracked processes and files, delays, and what keeps an instance from taking part.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::ir::vrrp::Config;
use crate::sys::connector::ProcessEvent;
use crate::vrrp::engine::{Delay, Seed};

use super::super::files;
use super::Core;

impl Core {
    /// Follows what `config` tracks from now on, and tells the engine how it stands.
    pub(super) fn follow(&mut self, config: &Config, at_start: bool) {
        self.delays.clear();
        if !self.processes.start(&self.me, config, &self.journal) {
            self.journal.detail("No process events here: looking for new tracked processes once a second");
        }
        files::initialise(&config.track_files, at_start, &self.journal);
        self.files.start(&self.me, &config.track_files, &self.journal);
        let values = config.track_files.iter().map(|f| files::read(&f.path, &self.journal).unwrap_or(0));
        let seed = Seed::new(self.processes.counts(), values.collect());
        self.engine.note_tracked(seed);
    }

    pub(in crate::vrrp::runner) fn file_changed(&mut self, at: usize, path: &Path, now: Instant) {
        if let Some(value) = files::read(path, &self.journal) {
            self.apply(now, |engine, now, out| engine.file_value(at, value, now, out));
        }
    }

    pub(in crate::vrrp::runner) fn process_event(&mut self, event: ProcessEvent, now: Instant) {
        self.processes.event(event);
        self.count_processes(now);
    }

    pub(in crate::vrrp::runner) fn process_ended(&mut self, pid: i32, now: Instant) {
        self.processes.ended(pid);
        self.count_processes(now);
    }

    pub(in crate::vrrp::runner) fn processes_found(
        &mut self,
        found: BTreeMap<i32, Vec<usize>>,
        now: Instant,
    ) {
        self.processes.found(found);
        self.count_processes(now);
    }

    fn count_processes(&mut self, now: Instant) {
        for (at, count) in self.processes.counts().into_iter().enumerate() {
            if self.engine.process(at).count() != count {
                self.apply(now, |engine, now, out| engine.process_count(at, count, now, out));
            }
        }
    }

    pub(super) fn set_delay(&mut self, delay: Delay, after: Option<Duration>, now: Instant) {
        self.delays.retain(|(_, other)| *other != delay);
        if let Some(after) = after {
            self.delays.push((now + after, delay));
            self.wake.notify_one();
        }
    }

    /// Changes that have lasted long enough.
    pub(super) fn end_delays(&mut self, now: Instant) {
        while let Some(i) = self.delays.iter().position(|d| d.0 <= now) {
            let (_, delay) = self.delays.swap_remove(i);
            self.apply(now, |engine, now, out| engine.delay_ended(&delay, now, out));
        }
    }

    /// Tells the engine of every instance that cannot speak or hear: it must not become master.
    pub(super) fn report_blocked(&mut self, now: Instant) {
        for at in 0..self.sides.len() {
            let instance = self.instance(at);
            let missing =
                instance.track_src_ip && instance.src_ip.is_some_and(|ip| !self.kernel.has_anywhere(ip));
            let why = if missing {
                Some("src address not configured".to_owned())
            } else {
                self.sides[at].socket_error.clone()
            };
            self.apply(now, |engine, now, out| engine.block(at, why, now, out));
        }
    }
}
