//! Whole nodes on a network in virtual time: the machine that runs on the wire, fed by a simulated one.
//!
//! A [`World`] takes the configurations of two or more nodes. Adverts are encoded by the sender and decoded by the
//! receiver, so what keeps real routers from hearing each other (another password, other addresses, another version)
//! keeps these. Everything random comes from one seed: a run is repeated by its number.
//!
//! Instances of different nodes are on one segment when VRID and family agree; where interface names agree too, those
//! only. A node without an address of its own gets one, or the one its peers know it by.

mod event;
mod network;
mod power;
mod scenario;
mod topology;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::ir::vrrp::Config;

use super::engine::{Delay, Engine, Output};
use super::fsm::{Effect, Timer};
use super::lifetime::{FOREVER, lifetime};
use super::track::Outcome;

use topology::{addresses, links};

pub use event::{Event, Planned, parse};
pub use scenario::{Answer, Question, ask};

/// A node as it is given.
#[derive(Clone, Debug)]
pub struct Given {
    /// What it is called.
    pub name: String,
    /// Its configuration.
    pub config: Config,
}

/// How the network treats packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// Of a hundred packets, so many are lost.
    pub loss_percent: u32,
    /// A packet takes up to this long, each its own time: they overtake each other.
    pub delay: Duration,
}

impl Default for Weather {
    fn default() -> Self {
        Self { loss_percent: 0, delay: Duration::from_millis(1) }
    }
}

/// Something worth a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since the start.
    pub at: Duration,
    /// Where; `None`: on the network.
    pub node: Option<usize>,
    /// What.
    pub what: What,
}

/// See [`Moment`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A planned event.
    Happens(String),
    /// A log line of the node.
    Says(String),
    /// The node has these addresses now.
    Takes(Vec<IpAddr>),
    /// The node lost or gave up these addresses.
    Leaves(Vec<IpAddr>),
}

/// A timer of a node.
#[derive(Clone, Debug, PartialEq)]
enum Due {
    Timer(usize, Timer),
    Delay(Delay),
    Script(usize),
    /// The kernel removes the addresses of this instance.
    Expiry(usize),
    /// It has, and now the node hears of that.
    Lost(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Running,
    /// Processes do not run; timers that were due are late when they do.
    Frozen,
    /// Nothing runs.
    Off,
}

#[derive(Debug)]
struct Node {
    name: String,
    config: Config,
    engine: Engine,
    condition: Condition,
    timers: Vec<(Instant, Due)>,
    /// Positions of instances whose addresses are installed.
    owns: BTreeSet<usize>,
    /// Positions of instances whose addresses the kernel removed while nothing ran.
    lost: BTreeSet<usize>,
    /// Interfaces without a carrier.
    down: BTreeSet<String>,
    /// Hears and is heard by nobody, without knowing.
    cut: bool,
    scripts: Vec<bool>,
    proxy: bool,
    /// Positions of each `track_proxy` that fails though the proxy runs.
    failing: BTreeSet<usize>,
}

/// A packet under way.
#[derive(Debug)]
struct Packet {
    at: Instant,
    to: (usize, usize),
    from: IpAddr,
    v6: bool,
    destination: IpAddr,
    hop_limit: u8,
    bytes: Vec<u8>,
}

/// See the module's description.
#[derive(Debug)]
pub struct World {
    nodes: Vec<Node>,
    wire: Vec<Packet>,
    origin: Instant,
    now: Instant,
    rng: StdRng,
    /// How the network is.
    pub weather: Weather,
    /// What happened.
    pub moments: Vec<Moment>,
}

impl World {
    /// Nodes that have not started. `origin`: any instant, virtual time counts from there.
    #[must_use]
    pub fn new(given: &[Given], seed: u64, origin: Instant) -> Self {
        let nodes = (0..given.len()).map(|at| Node {
            name: given[at].name.clone(),
            config: given[at].config.clone(),
            engine: Engine::new(given[at].config.clone(), links(given, at)),
            condition: Condition::Off,
            timers: Vec::new(),
            owns: BTreeSet::new(),
            lost: BTreeSet::new(),
            down: BTreeSet::new(),
            cut: false,
            scripts: vec![true; given[at].config.scripts.len()],
            proxy: true,
            failing: BTreeSet::new(),
        });
        Self {
            nodes: nodes.collect(),
            wire: Vec::new(),
            origin,
            now: origin,
            rng: StdRng::seed_from_u64(seed),
            weather: Weather::default(),
            moments: Vec::new(),
        }
    }

    /// Virtual time since the start.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.now - self.origin
    }

    /// Name of a node.
    #[must_use]
    pub fn name(&self, node: usize) -> &str {
        &self.nodes[node].name
    }

    /// Position of the node with this name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|n| n.name == name)
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// No nodes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Every virtual address with the nodes that have it.
    #[must_use]
    pub fn owners(&self) -> BTreeMap<IpAddr, Vec<usize>> {
        let mut owners: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            for (position, instance) in node.config.instances.iter().enumerate() {
                for vip in addresses(instance) {
                    let list = owners.entry(vip).or_default();
                    if node.owns.contains(&position) && !list.contains(&at) {
                        list.push(at);
                    }
                }
            }
        }
        owners
    }

    /// Makes an event happen now.
    pub fn happen(&mut self, event: &Event) {
        let what = What::Happens(self.describe(event));
        self.moments.push(Moment { at: self.time(), node: None, what });
        match event {
            Event::Start(at) => self.start(*at),
            Event::Stop(at) => {
                if self.runs(*at) {
                    self.act(*at, Engine::stop);
                    self.turn_off(*at);
                }
            }
            Event::EngineDies(at) => self.engine_dies(*at),
            Event::AllDies(at) => {
                if self.nodes[*at].condition != Condition::Off {
                    self.turn_off(*at);
                }
            }
            Event::Freezes(at) => {
                if self.runs(*at) {
                    self.nodes[*at].condition = Condition::Frozen;
                    self.let_expire(*at);
                }
            }
            Event::Thaws(at) => self.thaw(*at),
            Event::Link { node, interface, up } => self.link(*node, interface.as_deref(), *up),
            Event::Cut(at) => self.nodes[*at].cut = true,
            Event::Mend(at) => self.nodes[*at].cut = false,
            Event::Proxy { node, runs } => self.proxy(*node, *runs),
            Event::Script { node, name, good } => {
                let named = |s: &crate::ir::vrrp::Script| s.name == *name;
                if let Some(script) = self.nodes[*node].config.scripts.iter().position(named) {
                    self.nodes[*node].scripts[script] = *good;
                }
            }
            Event::Tracked { node, name, good } => {
                let named = |p: &crate::ir::vrrp::TrackProxy| p.name == *name;
                if let Some(proxy) = self.nodes[*node].config.track_proxies.iter().position(named) {
                    let failing = &mut self.nodes[*node].failing;
                    let _ = if *good { failing.remove(&proxy) } else { failing.insert(proxy) };
                    if self.runs(*node) {
                        self.tell_of_tracked(*node, proxy);
                    }
                }
            }
            Event::File { node, name, value } => {
                let named = |f: &crate::ir::vrrp::TrackFile| f.name == *name;
                let file = self.nodes[*node].config.track_files.iter().position(named);
                if let Some(file) = file.filter(|_| self.runs(*node)) {
                    let value = *value;
                    self.act(*node, |engine, now, out| engine.file_value(file, value, now, out));
                }
            }
            Event::Loss(percent) => self.weather.loss_percent = *percent,
            Event::Delay(delay) => self.weather.delay = *delay,
        }
    }

    fn runs(&self, at: usize) -> bool {
        self.nodes[at].condition == Condition::Running
    }

    /// Runs until virtual time `until` has come, calling `watch` after every event.
    pub fn run(&mut self, until: Duration, mut watch: impl FnMut(&Self)) {
        let end = self.origin + until;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.one(next);
            watch(self);
        }
        self.now = self.now.max(end);
    }

    fn next(&self) -> Option<Instant> {
        let awake = |node: &&Node| node.condition == Condition::Running;
        let timers = self.nodes.iter().filter(awake).flat_map(|n| n.timers.iter().map(|t| t.0));
        // Expiry is the kernel's: it needs no process.
        let expiry = self.nodes.iter().flat_map(|n| n.timers.iter());
        let expiry = expiry.filter(|t| matches!(t.1, Due::Expiry(_))).map(|t| t.0);
        self.wire.iter().map(|p| p.at).chain(timers).chain(expiry).min()
    }

    /// The packet or timer that is due at `next`.
    fn one(&mut self, next: Instant) {
        if let Some(i) = self.wire.iter().position(|p| p.at == next) {
            let packet = self.wire.swap_remove(i);
            self.deliver(&packet);
            return;
        }
        for at in 0..self.nodes.len() {
            let node = &mut self.nodes[at];
            let ready = |t: &(Instant, Due)| {
                t.0 == next && (node.condition == Condition::Running || matches!(t.1, Due::Expiry(_)))
            };
            if let Some(i) = node.timers.iter().position(ready) {
                let (due, what) = node.timers.swap_remove(i);
                self.fire(at, due, what);
                return;
            }
        }
    }

    fn fire(&mut self, at: usize, due: Instant, what: Due) {
        let late = self.now.saturating_duration_since(due);
        match what {
            Due::Timer(instance, timer) => {
                self.act(at, |engine, now, out| engine.timer(instance, timer, late, now, out));
            }
            Due::Delay(delay) => self.act(at, |engine, now, out| engine.delay_ended(&delay, now, out)),
            Due::Script(script) => {
                let interval = self.nodes[at].config.scripts[script].interval;
                self.nodes[at].timers.push((self.now + interval, Due::Script(script)));
                self.script_ends(at, script);
            }
            Due::Expiry(instance) => {
                self.own(at, instance, false);
                self.nodes[at].lost.insert(instance);
            }
            Due::Lost(instance) => {
                let list: Vec<IpAddr> = addresses(&self.nodes[at].config.instances[instance]).collect();
                for vip in list {
                    self.act(at, |engine, now, out| engine.address_lost(instance, vip, now, out));
                }
            }
        }
    }

    fn script_ends(&mut self, at: usize, script: usize) {
        let watched = self.nodes[at].config.scripts[script].watches_process.is_some();
        let good = self.nodes[at].scripts[script] && (self.nodes[at].proxy || !watched);
        let outcome = Outcome::Exited(i32::from(!good));
        self.act(at, |engine, now, out| engine.script_finished(script, outcome, now, out));
    }

    /// Steps the engine of a node and does what it asks.
    fn act(&mut self, at: usize, act: impl FnOnce(&mut Engine, Instant, &mut Vec<Output>)) {
        let (mut out, now) = (Vec::new(), self.now);
        act(&mut self.nodes[at].engine, now, &mut out);
        for output in out {
            match output {
                Output::Instance(instance, effect) => self.effect(at, instance, effect),
                Output::Log(event) => self.says(at, event.to_string()),
                Output::Group(..) => {}
                Output::Delay(delay, after) => {
                    let timers = &mut self.nodes[at].timers;
                    timers.retain(|t| t.1 != Due::Delay(delay.clone()));
                    timers.extend(after.map(|after| (now + after, Due::Delay(delay))));
                }
            }
        }
    }

    fn effect(&mut self, at: usize, instance: usize, effect: Effect) {
        match effect {
            Effect::Arm(timer, after) => {
                let timers = &mut self.nodes[at].timers;
                timers.retain(|t| t.1 != Due::Timer(instance, timer));
                timers.push((self.now + after, Due::Timer(instance, timer)));
            }
            Effect::Disarm(timer) => self.nodes[at].timers.retain(|t| t.1 != Due::Timer(instance, timer)),
            Effect::SendAdvert { priority } => self.send(at, instance, priority),
            Effect::AddAddresses => self.own(at, instance, true),
            Effect::RemoveAddresses => self.own(at, instance, false),
            Effect::Log(event) => {
                let line = format!("({}) {event}", self.nodes[at].config.instances[instance].name);
                self.says(at, line);
            }
            Effect::RestoreAddress(_) => self.own(at, instance, true),
            Effect::Announce { .. } | Effect::Notify(_) => {}
        }
    }

    fn says(&mut self, at: usize, line: String) {
        self.moments.push(Moment { at: self.time(), node: Some(at), what: What::Says(line) });
    }

    fn own(&mut self, at: usize, instance: usize, add: bool) {
        let node = &mut self.nodes[at];
        node.timers.retain(|t| t.1 != Due::Expiry(instance));
        let changed = if add { node.owns.insert(instance) } else { node.owns.remove(&instance) };
        let list = addresses(&node.config.instances[instance]).collect();
        if changed {
            let what = if add { What::Takes(list) } else { What::Leaves(list) };
            self.moments.push(Moment { at: self.time(), node: Some(at), what });
        }
    }

    /// Nobody renews the lives of the addresses any more.
    fn let_expire(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        for instance in &node.owns {
            let life = lifetime(node.config.global.vip_lifetime, &node.config.instances[*instance]);
            if life != FOREVER {
                let end = self.now + Duration::from_secs(life.into());
                node.timers.push((end, Due::Expiry(*instance)));
            }
        }
    }
}

#[cfg(test)]
mod tests;
