//! Everything that instances and groups track, and what it adds up to.

use std::time::{Duration, Instant};

use crate::ir::vrrp::Config;

use super::super::fsm::Input;
use super::super::quorum::{Quorum, Step};
use super::super::track::{Health, Influence, TrackEvent, file_influence, influence};
use super::settings::own_address;
use super::{Delay, Engine, Link, Output};

/// How the tracked things of a configuration are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seed {
    /// Matching processes, for every `vrrp_track_process`.
    pub counts: Vec<u32>,
    /// Numbers in the files, for every `track_file`.
    pub values: Vec<i64>,
    /// Nothing changed.
    pub(super) keep: bool,
}

impl Seed {
    /// What was found.
    #[must_use]
    pub fn new(counts: Vec<u32>, values: Vec<i64>) -> Self {
        Self { counts, values, keep: false }
    }
}

/// How a tracked proxy is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Tracked {
    /// Nothing was heard yet.
    #[default]
    Unknown,
    /// As it should be.
    Well,
    /// This is wrong.
    Failing(String),
}

impl Engine {
    /// How things are before the start, or before [`Engine::adopt`] for the configuration to come.
    pub fn note_tracked(&mut self, seed: Seed) {
        self.seed = seed;
    }

    /// The configuration to come tracks the same processes and files: what is known, and waited for, stays.
    pub fn keep_tracked(&mut self) {
        self.seed.keep = true;
    }

    /// Takes over what [`Engine::note_tracked`] or [`Engine::keep_tracked`] said.
    pub(super) fn adopt_tracked(&mut self, config: &Config) {
        if std::mem::take(&mut self.seed.keep) {
            return;
        }
        let seed = std::mem::take(&mut self.seed);
        self.files =
            (0..config.track_files.len()).map(|at| seed.values.get(at).copied().unwrap_or(0)).collect();
        let quorum = |(at, new)| Quorum::new(new, seed.counts.get(at).copied().unwrap_or(0));
        self.processes = config.track_processes.iter().enumerate().map(quorum).collect();
    }

    /// Tracked process `at`, for dumps.
    #[must_use]
    pub fn process(&self, at: usize) -> &Quorum {
        &self.processes[at]
    }

    /// Number in tracked file `at`, for dumps.
    #[must_use]
    pub fn file(&self, at: usize) -> i64 {
        self.files[at]
    }

    /// So many processes match the `vrrp_track_process` at `at` now.
    pub fn process_count(&mut self, at: usize, count: u32, now: Instant, out: &mut Vec<Output>) {
        match self.processes[at].counted(count) {
            Step::Nothing => {}
            Step::Changed => self.quorum_changed(at, now, out),
            Step::Wait(delay) => out.push(Output::Delay(Delay::Process(at), Some(delay))),
            Step::Forget => out.push(Output::Delay(Delay::Process(at), None)),
        }
    }

    fn quorum_changed(&mut self, at: usize, now: Instant, out: &mut Vec<Output>) {
        let process = self.config.track_processes[at].name.clone();
        out.push(Output::Log(TrackEvent::Quorum { process, gained: self.processes[at].held() }));
        self.retrack(now, out);
    }

    /// The `track_file` at `at` says this now.
    pub fn file_value(&mut self, at: usize, value: i64, now: Instant, out: &mut Vec<Output>) {
        let before = std::mem::replace(&mut self.files[at], value);
        if before == value {
            return;
        }
        for instance in &self.config.instances {
            let Some(tracked) = instance.track_files.iter().find(|t| t.file.0 as usize == at) else {
                continue;
            };
            let fault = |value| file_influence(tracked.weight, tracked.reverse, value).fault;
            if fault(before) != fault(value) {
                out.push(Output::Log(TrackEvent::FileFault {
                    instance: instance.name.clone(),
                    file: self.config.track_files[at].name.clone(),
                    fault: fault(value),
                }));
            }
        }
        self.retrack(now, out);
    }

    /// The `track_proxy` at `at` fails for this reason now, or (`None`) does not.
    pub fn proxy_is(&mut self, at: usize, failing: Option<String>, now: Instant, out: &mut Vec<Output>) {
        let state = failing.clone().map_or(Tracked::Well, Tracked::Failing);
        if self.proxies[at] == state {
            return;
        }
        self.proxies[at] = state;
        let proxy = self.config.track_proxies[at].name.clone();
        out.push(Output::Log(TrackEvent::Proxy { proxy, failing }));
        self.retrack(now, out);
    }

    /// Why the `track_proxy` at `at` fails; `None`: it does not, or that is not known yet.
    #[must_use]
    pub fn proxy(&self, at: usize) -> Option<&str> {
        match &self.proxies[at] {
            Tracked::Failing(why) => Some(why),
            Tracked::Unknown | Tracked::Well => None,
        }
    }

    /// A change has lasted as long as [`Output::Delay`] asked for.
    pub fn delay_ended(&mut self, delay: &Delay, now: Instant, out: &mut Vec<Output>) {
        match delay {
            Delay::Process(at) => {
                if self.processes.get_mut(*at).is_some_and(Quorum::delay_ended) {
                    self.quorum_changed(*at, now, out);
                }
            }
            Delay::Link(name) => {
                if let Some(link) = self.pending_links.remove(name) {
                    self.link_is(name, link, now, out);
                }
            }
        }
    }

    /// Why the instance at `at` cannot take part at present (no socket, no source address); `None`: it can.
    pub fn block(&mut self, at: usize, why: Option<String>, now: Instant, out: &mut Vec<Output>) {
        if self.members[at].blocked != why {
            if let (Some(reason), true) = (&why, self.members[at].started) {
                let instance = self.config.instances[at].name.clone();
                out.push(Output::Log(TrackEvent::StartFault { instance, reason: reason.clone() }));
            }
            self.members[at].blocked = why;
            self.retrack(now, out);
        }
    }

    /// The kernel reports an interface, new, changed or (`Link::default()`) gone.
    pub fn link_changed(&mut self, name: &str, link: Link, now: Instant, out: &mut Vec<Output>) {
        let known = self.links.get(name).copied().unwrap_or_default();
        let was_pending = self.pending_links.remove(name).is_some();
        let delay = self.link_delay(name, link.up);
        if known.up == link.up || delay.is_zero() {
            if was_pending {
                out.push(Output::Delay(Delay::Link(name.to_owned()), None));
            }
            self.link_is(name, link, now, out);
            return;
        }
        // Everything but the state counts at once.
        self.link_is(name, Link { up: known.up, ..link }, now, out);
        self.pending_links.insert(name.to_owned(), link);
        if !was_pending {
            out.push(Output::Delay(Delay::Link(name.to_owned()), Some(delay)));
        }
    }

    /// `interface_up_down_delays`.
    fn link_delay(&self, name: &str, up: bool) -> Duration {
        let found = self.config.interface_delays.iter().find(|d| d.interface == name);
        found.map_or(Duration::ZERO, |delay| if up { delay.up } else { delay.down })
    }

    fn link_is(&mut self, name: &str, link: Link, now: Instant, out: &mut Vec<Output>) {
        let before = self.links.insert(name.to_owned(), link).unwrap_or_default();
        if before.up != link.up && self.watched(name) {
            out.push(Output::Log(TrackEvent::Link { interface: name.to_owned(), up: link.up }));
        }
        for (member, instance) in self.members.iter_mut().zip(&self.config.instances) {
            if instance.interface.as_deref() == Some(name) && instance.src_ip.is_none() {
                member.router.set_address(own_address(instance, &self.links));
            }
        }
        if before != link {
            self.retrack(now, out);
        }
    }

    /// Computes priorities and faults anew and steps whoever changed.
    pub(super) fn retrack(&mut self, now: Instant, out: &mut Vec<Output>) {
        let tracked: Vec<Influence> = (0..self.members.len()).map(|at| self.tracked(at).0).collect();
        for (member, influence) in self.members.iter_mut().zip(&tracked) {
            member.fault = influence.fault;
        }
        for (at, influence) in tracked.iter().enumerate() {
            if !self.members[at].started {
                continue;
            }
            let total = i32::from(self.members[at].router.settings().priority) + influence.weight;
            self.drive(at, Input::Priority(total), now, out);
            if self.group_fault(at) {
                self.drive(at, Input::Fault, now, out);
            } else if !self.group_members(at).iter().any(|m| tracked[*m].unknown) {
                self.drive(at, Input::Clear, now, out);
            }
        }
    }

    /// Sum of everything the instance at `at` and its group track, and the first reason for FAULT.
    pub(super) fn tracked(&self, at: usize) -> (Influence, Option<String>) {
        let mut sum = Influence::default();
        let mut reason = None;
        self.each_tracked(at, &mut |influence, why| {
            sum.weight += influence.weight;
            sum.unknown |= influence.unknown;
            if influence.fault {
                sum.fault = true;
                reason.get_or_insert_with(why);
            }
        });
        (sum, reason)
    }

    /// What the priority of the instance at `at` is made of beside the configured one: who adds or takes what; `None`:
    /// it means FAULT.
    #[must_use]
    pub fn explain(&self, at: usize) -> Vec<(String, Option<i32>)> {
        let mut parts = Vec::new();
        self.each_tracked(at, &mut |influence, why| {
            if influence.fault {
                parts.push((why(), None));
            } else if influence.weight != 0 {
                parts.push((why(), Some(influence.weight)));
            }
        });
        parts
    }

    fn each_tracked(&self, at: usize, add: &mut dyn FnMut(Influence, &dyn Fn() -> String)) {
        let instance = &self.config.instances[at];
        let group = instance.sync_group.map(|g| &self.config.sync_groups[g.0 as usize]);
        for fault in instance.config_faults.iter().chain(&self.members[at].blocked) {
            add(Influence { fault: true, ..Influence::default() }, &|| fault.clone());
        }
        let health = |name: &str| {
            if self.links.get(name).is_some_and(|l| l.up) { Health::Good } else { Health::Bad }
        };
        if let Some(name) = instance.interface.as_deref().filter(|_| !instance.dont_track_primary) {
            add(influence(0, false, health(name)), &|| format!("interface {name} down"));
        }
        if instance.src_ip.is_none() && own_address(instance, &self.links).is_unspecified() {
            let name = instance.interface.as_deref().unwrap_or("(none)");
            add(Influence { fault: true, ..Influence::default() }, &|| {
                format!("no address on interface {name}")
            });
        }
        let in_use = instance.interfaces_in_use();
        for name in &in_use {
            add(influence(0, false, health(name)), &|| format!("interface {name} down"));
        }
        // A weight says nothing where the interface decides.
        let interfaces = instance.track_interfaces.iter().filter(|t| !in_use.contains(&t.name.as_str()));
        for tracked in interfaces.chain(group.iter().flat_map(|g| &g.track_interfaces)) {
            add(influence(tracked.weight, tracked.reverse, health(&tracked.name)), &|| {
                format!("interface {} down", tracked.name)
            });
        }
        let scripts = instance.track_scripts.iter();
        for tracked in scripts.chain(group.iter().flat_map(|g| &g.track_scripts)) {
            let script = tracked.script.0 as usize;
            add(influence(tracked.weight, tracked.reverse, self.scripts[script].health()), &|| {
                format!("script {}", self.config.scripts[script].name)
            });
        }
        let processes = instance.track_processes.iter();
        for tracked in processes.chain(group.iter().flat_map(|g| &g.track_processes)) {
            let process = tracked.process.0 as usize;
            let health = if self.processes[process].held() { Health::Good } else { Health::Bad };
            add(influence(tracked.weight, tracked.reverse, health), &|| {
                format!("tracked process {} quorum not achieved", self.config.track_processes[process].name)
            });
        }
        let proxies = instance.track_proxies.iter();
        for tracked in proxies.chain(group.iter().flat_map(|g| &g.track_proxies)) {
            let proxy = tracked.proxy.0 as usize;
            let (health, failing) = match &self.proxies[proxy] {
                Tracked::Unknown => (Health::Unknown, None),
                Tracked::Well => (Health::Good, None),
                Tracked::Failing(why) => (Health::Bad, Some(why)),
            };
            add(influence(tracked.weight, tracked.reverse, health), &|| {
                let name = &self.config.track_proxies[proxy].name;
                failing.map_or_else(|| format!("proxy {name}"), |why| format!("proxy {name}: {why}"))
            });
        }
        let files = instance.track_files.iter();
        for tracked in files.chain(group.iter().flat_map(|g| &g.track_files)) {
            let file = tracked.file.0 as usize;
            add(file_influence(tracked.weight, tracked.reverse, self.files[file]), &|| {
                format!("tracked file {}", self.config.track_files[file].name)
            });
        }
    }

    /// Does anything depend on this interface?
    fn watched(&self, name: &str) -> bool {
        self.config.instances.iter().any(|i| {
            i.interface.as_deref() == Some(name)
                || i.track_interfaces.iter().any(|t| t.name == name)
                || i.interfaces_in_use().contains(&name)
        }) || self.config.sync_groups.iter().any(|g| g.track_interfaces.iter().any(|t| t.name == name))
    }
}
