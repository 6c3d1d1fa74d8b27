//! All virtual routers of a configuration together: tracking, sync groups and the elections, still pure.
//!
//! The [`Engine`] turns what the runner hears (packets, timers, links, script results) into steps of the
//! routers and hands their effects back with the instance they belong to.

mod settings;
mod tracking;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::ir::vrrp::Config;

use super::fsm::{Effect, Input, Notice, Router, State, Timer};
use super::packet::{Advert, Profile};
use super::quorum::Quorum;
use super::reject::Reject;
use super::track::{Outcome, ScriptState, TrackEvent};
use settings::{compatible, member};
pub use tracking::Seed;
use tracking::Tracked;

/// What the kernel says about an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Up and running.
    pub up: bool,
    /// First IPv4 address.
    pub v4: Option<Ipv4Addr>,
    /// Link-local IPv6 address.
    pub v6: Option<Ipv6Addr>,
}

/// What the runner is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// For the instance at this position of the configuration.
    Instance(usize, Effect),
    /// The sync group at this position entered a state: scripts, FIFOs and mails of the group.
    Group(usize, State),
    /// Log.
    Log(TrackEvent),
    /// Call [`Engine::delay_ended`] after this time, or (`None`) no longer.
    Delay(Delay, Option<Duration>),
}

/// A change that must last before it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delay {
    /// Of the tracked process at this position.
    Process(usize),
    /// Of this interface.
    Link(String),
}

#[derive(Debug)]
struct Member {
    router: Router,
    profile: Profile,
    /// Its master-down timer ran out while its group could not follow.
    wants_master: bool,
    /// Kept out by this instance's own tracking.
    fault: bool,
    started: bool,
    /// Why it cannot take part at all, as the runner found: no socket, no source address.
    blocked: Option<String>,
}

/// The pure half of the VRRP process.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    members: Vec<Member>,
    scripts: Vec<ScriptState>,
    processes: Vec<Quorum>,
    /// What the tracked files say.
    files: Vec<i64>,
    /// How the tracked proxies are, and why.
    proxies: Vec<Tracked>,
    links: BTreeMap<String, Link>,
    /// Links that changed to this, but not for long enough yet.
    pending_links: BTreeMap<String, Link>,
    groups: Vec<State>,
    /// What is known of the things the next configuration tracks.
    seed: Seed,
}

impl Engine {
    /// An engine that has not started.
    #[must_use]
    pub fn new(config: Config, links: BTreeMap<String, Link>) -> Self {
        let members = config.instances.iter().map(|i| member(&config, i, &links)).collect();
        let scripts = config.scripts.iter().map(ScriptState::new).collect();
        let processes = config.track_processes.iter().map(|p| Quorum::new(p, 0)).collect();
        let files = vec![0; config.track_files.len()];
        let proxies = vec![Tracked::default(); config.track_proxies.len()];
        let groups = vec![State::Init; config.sync_groups.len()];
        Self {
            config,
            members,
            scripts,
            processes,
            files,
            proxies,
            links,
            pending_links: BTreeMap::new(),
            groups,
            seed: Seed::default(),
        }
    }

    /// The configuration it runs.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The router at `at`.
    #[must_use]
    pub fn router(&self, at: usize) -> &Router {
        &self.members[at].router
    }

    /// What packets of the instance at `at` look like.
    #[must_use]
    pub fn profile(&self, at: usize) -> &Profile {
        &self.members[at].profile
    }

    /// Health of the script at `at`.
    #[must_use]
    pub fn script(&self, at: usize) -> &ScriptState {
        &self.scripts[at]
    }

    /// What is known of an interface.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.get(name)
    }

    /// An interface that becomes known without anything following from it yet (before a reload).
    pub fn note_link(&mut self, name: &str, link: Link) {
        self.links.insert(name.to_owned(), link);
    }

    /// Sets every counter to zero.
    pub fn clear_stats(&mut self) {
        for member in &mut self.members {
            member.router.stats = super::fsm::Stats::default();
        }
    }

    /// Counts packets that were not looked at because they are like one that was rejected.
    pub fn count_unseen(&mut self, at: usize, like: &Reject, times: u64) {
        self.members[at].router.stats.count(like.counter(), times);
    }

    /// Next sequence number for an authenticated packet.
    pub fn next_sequence(&mut self, at: usize) -> u32 {
        self.members[at].router.next_sequence()
    }

    /// Whether the address list of a packet from `source` is to be compared.
    #[must_use]
    pub fn check_addresses(&self, at: usize, source: IpAddr) -> bool {
        let router = self.router(at);
        let known = router.last_master().is_some_and(|m| m.address == source);
        !(self.config.instances[at].skip_check_adv_addr && known && router.state() == State::Backup)
    }

    /// Everything is open: begin.
    pub fn start(&mut self, now: Instant, out: &mut Vec<Output>) {
        let from = out.len();
        self.adopt_tracked(&self.config.clone());
        for at in 0..self.members.len() {
            let (influence, reason) = self.tracked(at);
            self.members[at].fault = influence.fault;
            if let Some(reason) = reason.filter(|_| influence.fault) {
                let instance = self.config.instances[at].name.clone();
                out.push(Output::Log(TrackEvent::StartFault { instance, reason }));
            }
        }
        for at in 0..self.members.len() {
            let fault = self.group_fault(at);
            let (influence, _) = self.tracked(at);
            let waiting = self.group_members(at).iter().any(|m| self.tracked(*m).0.unknown);
            let total = i32::from(self.members[at].router.settings().priority) + influence.weight;
            self.members[at].started = true;
            self.drive(at, Input::Priority(total), now, out);
            self.start_one(at, waiting, fault, now, out);
        }
        // In the beginning, and only then, keepalived tells of groups before their members.
        out[from..].sort_by_key(|output| !matches!(output, Output::Group(..)));
    }

    /// A packet for the instance at `at` was checked.
    pub fn packet(
        &mut self,
        at: usize,
        packet: Result<Advert, (Reject, Option<IpAddr>)>,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        match packet {
            Ok(advert) => {
                let from = out.len();
                self.drive(at, Input::Advert(advert), now, out);
                let waits_again = out[from..]
                    .iter()
                    .any(|o| matches!(o, Output::Instance(i, Effect::Arm(Timer::MasterDown, _)) if *i == at));
                if waits_again && advert.priority != 0 {
                    self.members[at].wants_master = false;
                }
            }
            Err((reason, from)) => self.drive(at, Input::Rejected { reason, from }, now, out),
        }
    }

    /// A timer of the instance at `at` ran out, `late` before this was noticed.
    pub fn timer(&mut self, at: usize, timer: Timer, late: Duration, now: Instant, out: &mut Vec<Output>) {
        if timer == Timer::Advert && !late.is_zero() {
            self.drive(at, Input::Overslept(late), now, out);
            return;
        }
        if timer == Timer::MasterDown && self.members[at].router.state() == State::Backup {
            self.members[at].wants_master = true;
            let ready = |m: &usize| {
                let member = &self.members[*m];
                member.wants_master || member.router.state() == State::Master
            };
            if !self.group_members(at).iter().all(ready) {
                self.drive(at, Input::Hold, now, out);
                return;
            }
        }
        self.drive(at, Input::Timer(timer), now, out);
    }

    /// A run of the script at `at` ended.
    pub fn script_finished(&mut self, at: usize, outcome: Outcome, now: Instant, out: &mut Vec<Output>) {
        let mut log = Vec::new();
        let name = &self.config.scripts[at].name;
        let changed = self.scripts[at].finished(name, outcome, &mut log);
        out.extend(log.into_iter().map(Output::Log));
        if changed {
            self.retrack(now, out);
        }
    }

    /// Somebody removed an address of the instance at `at`.
    pub fn address_lost(&mut self, at: usize, address: IpAddr, now: Instant, out: &mut Vec<Output>) {
        self.drive(at, Input::AddressLost(address), now, out);
    }

    /// The process ends.
    pub fn stop(&mut self, now: Instant, out: &mut Vec<Output>) {
        for at in 0..self.members.len() {
            self.drive_alone(at, Input::Stop, now, out);
        }
        for group in 0..self.groups.len() {
            out.push(Output::Group(group, State::Stop));
        }
    }

    /// First half of a reload: stops what the new configuration no longer has, or has so differently that
    /// it must start over. The outputs name instances by their old positions; the result says for each new
    /// instance where it was before.
    pub fn retire(&mut self, next: &Config, now: Instant, out: &mut Vec<Output>) -> Vec<Option<usize>> {
        let position = |name: &str| self.config.instances.iter().position(|i| i.name == name);
        let moved: Vec<Option<usize>> = next
            .instances
            .iter()
            .map(|new| position(&new.name).filter(|at| compatible(&self.config.instances[*at], new)))
            .collect();
        for at in (0..self.members.len()).filter(|at| !moved.contains(&Some(*at))) {
            self.drive_alone(at, Input::Delete, now, out);
        }
        moved
    }

    /// Second half: takes the new configuration. Scripts and groups are matched by name; an instance whose
    /// settings did not change is not touched at all. The outputs name instances by their new positions;
    /// the result names the ones that are to be started by [`Engine::start_fresh`].
    pub fn adopt(
        &mut self,
        config: Config,
        moved: &[Option<usize>],
        now: Instant,
        out: &mut Vec<Output>,
    ) -> Vec<usize> {
        let scripts = config.scripts.iter().map(|new| {
            let before = self.config.scripts.iter().position(|s| s.name == new.name);
            before.map_or_else(|| ScriptState::new(new), |at| self.scripts[at].carried(new))
        });
        self.scripts = scripts.collect();
        let proxies = config.track_proxies.iter().map(|new| {
            let before = self.config.track_proxies.iter().position(|proxy| proxy.name == new.name);
            before.map_or_else(Tracked::default, |at| self.proxies[at].clone())
        });
        self.proxies = proxies.collect();
        self.adopt_tracked(&config);
        let mut old: Vec<Option<Member>> = std::mem::take(&mut self.members).into_iter().map(Some).collect();
        let mut fresh = Vec::new();
        for (at, instance) in config.instances.iter().enumerate() {
            let mut new = member(&config, instance, &self.links);
            if let Some(mut kept) = moved[at].and_then(|from| old[from].take()) {
                let mut effects = Vec::new();
                kept.router.reconfigure(new.router.settings().clone(), &mut effects);
                kept.profile = new.profile;
                out.extend(effects.into_iter().map(|e| Output::Instance(at, e)));
                new = kept;
            } else {
                fresh.push(at);
            }
            self.members.push(new);
        }
        let groups = config.sync_groups.iter().map(|new| {
            let before = self.config.sync_groups.iter().position(|g| g.name == new.name);
            before.map_or(State::Init, |at| self.groups[at])
        });
        self.groups = groups.collect();
        self.config = config;
        let mut changes = Vec::new();
        self.retrack(now, &mut changes);
        // Whoever wrote another priority into the file knows it: only what tracking makes of it is told.
        changes.retain(|output| match output {
            Output::Instance(at, Effect::Notify(Notice::PriorityChange)) => {
                let router = &self.members[*at].router;
                router.priority() != router.settings().priority
            }
            _ => true,
        });
        out.append(&mut changes);
        fresh
    }

    /// Starts the instances that a new configuration added.
    pub fn start_fresh(&mut self, fresh: &[usize], now: Instant, out: &mut Vec<Output>) {
        for &at in fresh {
            let (influence, _) = self.tracked(at);
            self.members[at].fault = influence.fault;
            self.members[at].started = true;
            let total = i32::from(self.members[at].router.settings().priority) + influence.weight;
            self.drive(at, Input::Priority(total), now, out);
            let fault = self.group_fault(at);
            self.start_one(at, influence.unknown, fault, now, out);
        }
    }

    /// Starts a router. One that waits until it is known what it tracks does so without a word to its group.
    fn start_one(&mut self, at: usize, waiting: bool, fault: bool, now: Instant, out: &mut Vec<Output>) {
        if waiting && !fault {
            self.drive_alone(at, Input::StartWaiting, now, out);
        } else {
            self.drive(at, Input::Start { fault }, now, out);
        }
    }

    /// Steps a router and lets its sync group follow.
    fn drive(&mut self, at: usize, input: Input, now: Instant, out: &mut Vec<Output>) {
        let before = self.members[at].router.state();
        self.drive_alone(at, input, now, out);
        let after = self.members[at].router.state();
        if before != after {
            self.members[at].wants_master = false;
            self.sync(at, after, now, out);
        }
    }

    fn drive_alone(&mut self, at: usize, input: Input, now: Instant, out: &mut Vec<Output>) {
        let mut effects = Vec::new();
        self.members[at].router.step(input, now, &mut effects);
        out.extend(effects.into_iter().map(|e| Output::Instance(at, e)));
    }

    /// Brings the group of `at` to the state that `at` just entered.
    fn sync(&mut self, at: usize, state: State, now: Instant, out: &mut Vec<Output>) {
        let Some(group) = self.config.instances[at].sync_group.map(|g| g.0 as usize) else { return };
        if self.groups[group] == state || matches!(state, State::Init | State::Stop) {
            return;
        }
        let members = self.group_members(at);
        if members.iter().any(|m| !self.members[*m].started) {
            return;
        }
        let follow = match state {
            State::Master => Input::Promote,
            State::Backup => Input::Demote,
            _ => Input::Fault,
        };
        let apart = |m: &&usize| self.members[**m].router.state() != state;
        if members.iter().filter(apart).count() > 0 || self.groups[group] != State::Init {
            let name = self.config.sync_groups[group].name.clone();
            out.push(Output::Log(TrackEvent::Syncing { group: name, state }));
        }
        self.groups[group] = state;
        for other in members {
            if other != at {
                self.drive_alone(other, follow.clone(), now, out);
                self.members[other].wants_master = false;
            }
        }
        out.push(Output::Group(group, state));
    }

    /// Positions of the instances in the same group, `at` included.
    fn group_members(&self, at: usize) -> Vec<usize> {
        match self.config.instances[at].sync_group {
            Some(group) => self.config.sync_groups[group.0 as usize]
                .instances
                .iter()
                .map(|i| i.0 as usize)
                .filter(|i| *i < self.members.len())
                .collect(),
            None => vec![at],
        }
    }

    fn group_fault(&self, at: usize) -> bool {
        self.group_members(at).iter().any(|m| self.members[*m].fault)
    }
}

#[cfg(test)]
mod tests;
