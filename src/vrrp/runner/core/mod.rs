//! The state of a running engine and everything that happens in answer to an event, without waiting.

mod announce;
mod buffers;
mod changes;
pub(super) mod firewall;
mod flood;
mod holding;
mod lease;
mod lifetime;
mod notices;
pub(super) mod observed;
mod receive;
mod reload;
mod speaking;
mod statics;
mod tracking;
mod upkeep;
mod vmac;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::time::{Instant, SystemTime};

use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use crate::ir::vrrp::{Config, Instance};
use crate::sys::clock;
use crate::sys::lease::Lease;
use crate::sys::netlink::{Monitor, Rtnl};
use crate::sys::nft::{Channel, Filter};
use crate::sys::raw::{FrameSocket, Membership, RawKey, RawSocket};
use crate::vrrp::engine::{Delay, Engine, Output};
use crate::vrrp::event::Event;
use crate::vrrp::fsm::{Effect, State, Timer};
use crate::vrrp::packet::{self};
use crate::vrrp::track::Outcome;

use self::observed::Observed;
use super::addresses::Kernel;
use super::exec::{Checks, Running};
use super::fifo::Fifos;
use super::files::Files;
use super::journal::Journal;
use super::mail::Mailer;
use super::processes::Processes;
use super::proxies::Proxies;
use super::sockets::Pool;
use super::{Options, exec, places};

/// What the runner keeps per instance beside the engine.
#[derive(Debug, Default)]
pub(super) struct Side {
    key: Option<RawKey>,
    socket: Option<Rc<AsyncFd<RawSocket>>>,
    ip_id: u16,
    /// The addresses are meant to be installed.
    pub(super) installed: bool,
    pub(super) last_transition: Option<SystemTime>,
    /// What is seen of it.
    pub(super) observed: Observed,
    last_mail: Option<State>,
    /// Why there is no socket, while there should be one.
    socket_error: Option<String>,
    /// Why packets cannot be sent; logged when it changes.
    send_error: Option<io::ErrorKind>,
    /// Sequences of signed packets.
    hmac: packet::Memory,
    /// When announcements on further interfaces are repeated next.
    extra_at: Option<Instant>,
}

/// An announcement that has to wait for the configured pause.
#[derive(Debug)]
struct Queued {
    at: Instant,
    index: u32,
    frame: Vec<u8>,
}

/// See the module's description.
#[derive(Debug)]
pub struct Core {
    pub(super) engine: Engine,
    options: Options,
    journal: Rc<Journal>,
    me: Weak<RefCell<Core>>,
    wake: Rc<Notify>,
    rtnl: Rtnl,
    monitor: Rc<AsyncFd<Monitor>>,
    pub(super) kernel: Kernel,
    frames: Option<FrameSocket>,
    pool: Pool,
    pub(super) sides: Vec<Side>,
    timers: Vec<(Instant, usize, Timer)>,
    queue: Vec<Queued>,
    /// When the next announcement may leave, where a pause is configured.
    next_announcement: BTreeMap<announce::Lane, Instant>,
    /// When the kernel's lifetimes of the addresses are renewed next.
    renew_at: Option<Instant>,
    /// Changes that have to last.
    delays: Vec<(Instant, Delay)>,
    processes: Processes,
    pub(super) proxies: Proxies,
    files: Files,
    /// Addresses by interface whose lives could not be renewed.
    unrenewed: BTreeSet<(u32, IpAddr)>,
    nft: Channel,
    /// What is filtered; `None`: nothing was set yet.
    filter: Option<Filter>,
    /// What is leased; `None`: nothing was set yet.
    lease: Option<Lease>,
    /// When links are polled next.
    poll_at: Option<Instant>,
    /// What the kernel's switch for membership reports was.
    reports: Option<String>,
    /// Reloads so far.
    reloads: u32,
    /// What comes in by each socket.
    flows: Vec<flood::Flow>,
    /// Memberships of interfaces below virtual ones, which must not report their own.
    memberships: BTreeMap<(u32, IpAddr), Membership>,
    /// Switches of the kernel that were changed, with what they were.
    switches: Vec<(PathBuf, String)>,
    /// Interfaces with `promote_secondaries` set by us, with what it was.
    promoted: BTreeMap<String, String>,
    /// The last line of the step under way.
    because: Option<String>,
    /// Routes or rules may be missing.
    routes_gone: bool,
    checks: Checks,
    /// When this began, for instances that have to wait after it.
    began: Instant,
    running: Running,
    fifos: Fifos,
    mailer: Mailer,
    packet: Vec<u8>,
}

impl Core {
    pub(super) fn open(
        mut config: Config,
        options: Options,
        journal: Journal,
        wake: Rc<Notify>,
        monitor: Rc<AsyncFd<Monitor>>,
    ) -> io::Result<Self> {
        let global = &mut config.global;
        let since_boot = global.delay_after_boot.saturating_sub(clock::since_boot());
        global.startup_delay = global.startup_delay.max(since_boot);
        if !global.startup_delay.is_zero() {
            journal.info(format!("Delaying startup for {} seconds", global.startup_delay.as_secs_f64()));
        }
        let mut rtnl = Rtnl::open()?;
        journal.info("Registering Kernel netlink command channel");
        let kernel = Kernel::new(rtnl.links()?, rtnl.addresses()?);
        let links = interfaces(&config, &kernel)
            .into_iter()
            .map(|name| {
                let link = kernel.engine_link(&name, &config);
                (name, link)
            })
            .collect();
        let frames = match FrameSocket::open() {
            Ok(frames) => Some(frames),
            Err(e) => {
                journal.warn(format!("Error {e} while registering gratuitous ARP shared channel"));
                None
            }
        };
        let sides = config.instances.iter().map(|_| Side::default()).collect();
        let journal = Rc::new(journal);
        let mailer = Mailer::new(&config.global, Rc::clone(&journal));
        Ok(Self {
            engine: Engine::new(config, links),
            options,
            journal,
            me: Weak::new(),
            wake,
            rtnl,
            monitor,
            kernel,
            frames,
            pool: Pool::default(),
            sides,
            timers: Vec::new(),
            queue: Vec::new(),
            next_announcement: BTreeMap::new(),
            renew_at: None,
            delays: Vec::new(),
            processes: Processes::default(),
            proxies: Proxies::default(),
            files: Files::default(),
            unrenewed: BTreeSet::new(),
            nft: Channel::default(),
            filter: None,
            lease: None,
            flows: Vec::new(),
            poll_at: None,
            reports: None,
            reloads: 0,
            memberships: BTreeMap::new(),
            switches: Vec::new(),
            promoted: BTreeMap::new(),
            because: None,
            routes_gone: false,
            checks: Checks::default(),
            began: clock::now(),
            running: Running::default(),
            fifos: Fifos::default(),
            mailer,
            packet: Vec::with_capacity(256),
        })
    }

    /// Lets tasks find their way back; must come before [`Core::start`].
    pub(super) fn attach(&mut self, me: &exec::Shared) {
        self.me = Rc::downgrade(me);
    }

    /// The way back for tasks.
    pub(super) fn me(&self) -> Weak<RefCell<Core>> {
        Weak::clone(&self.me)
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(super) fn start(&mut self, now: Instant) {
        self.log_addresses();
        self.report_addresses();
        self.size_netlink_buffers();
        let config = self.engine.config().clone();
        self.make_links();
        self.update_filter(None);
        self.update_lease(None);
        self.set_statics(&Config::default(), &config);
        self.promote_secondaries(&config);
        self.set_reports(config.global.disable_local_igmp);
        self.poll_links(clock::now());
        self.fifos.update(&config.global, &mut self.running, &self.journal);
        self.follow(&config, true);
        self.ask_proxies(&config.track_proxies, now);
        self.open_sockets(now);
        self.apply(now, Engine::start);
        self.journal.info("Startup complete");
        if self.options.dump_config {
            super::state_file::text(self).lines().for_each(|line| self.journal.info(line));
        }
        self.checks.start(&self.me, &config, &self.running.spawner());
    }

    /// Steps the engine and does what it asks.
    fn apply(&mut self, now: Instant, act: impl FnOnce(&mut Engine, Instant, &mut Vec<Output>)) {
        let mut out = Vec::new();
        act(&mut self.engine, now, &mut out);
        self.because = None;
        for output in out {
            match output {
                Output::Instance(at, effect) => self.effect(at, effect, now),
                Output::Group(at, state) => self.group_notice(at, state),
                Output::Log(event) => {
                    self.because = Some(event.to_string());
                    self.journal.info(event);
                }
                Output::Delay(delay, after) => self.set_delay(delay, after, now),
            }
        }
    }

    fn effect(&mut self, at: usize, effect: Effect, now: Instant) {
        match effect {
            Effect::Arm(timer, after) => {
                self.timers.retain(|t| !(t.1 == at && t.2 == timer));
                self.timers.push((now + after, at, timer));
                self.wake.notify_one();
            }
            Effect::Disarm(timer) => self.timers.retain(|t| !(t.1 == at && t.2 == timer)),
            Effect::SendAdvert { priority } => {
                self.send_advert(at, priority);
                self.renew_with_advert(at, priority);
            }
            Effect::AddAddresses => self.set_addresses(at, true),
            Effect::RemoveAddresses => self.set_addresses(at, false),
            Effect::RestoreAddress(address) => self.restore(at, address, now),
            Effect::Announce { repeat } => self.announce(at, repeat, now),
            Effect::Notify(notice) => self.notice(at, notice),
            Effect::Log(event) => {
                if let Event::Entering { .. } = event {
                    let reason = self.because.clone();
                    self.sides[at].observed.entered(reason);
                } else {
                    self.because = Some(event.to_string());
                }
                let line = format!("({}) {event}", self.name(at));
                if event.detail() { self.journal.detail(line) } else { self.journal.info(line) }
            }
        }
    }

    /// When a running timer ends, by the wall clock.
    pub(super) fn deadline(&self, at: usize, timer: Timer) -> Option<SystemTime> {
        let left = self.timers.iter().find(|t| t.1 == at && t.2 == timer)?.0;
        Some(clock::wall() + left.saturating_duration_since(clock::now()))
    }

    /// The socket the instance at `at` uses.
    pub(super) fn socket_key(&self, at: usize) -> Option<&RawKey> {
        self.sides[at].key.as_ref()
    }

    /// The descriptor of that socket; -1: none.
    pub(super) fn descriptor(&self, at: usize) -> i32 {
        self.sides[at].socket.as_ref().map_or(-1, |socket| socket.as_raw_fd())
    }

    fn instance(&self, at: usize) -> &Instance {
        &self.engine.config().instances[at]
    }

    fn name(&self, at: usize) -> &str {
        &self.instance(at).name
    }

    /// Runs everything that is due and says when to come back.
    pub(super) fn fire_due(&mut self, now: Instant) -> Option<Instant> {
        // An advertisement that lies in the socket must count before the silence that it ends.
        if self.timers.iter().any(|t| t.2 == Timer::MasterDown && t.0 <= now) {
            self.drain(now);
        }
        // In the order in which they run out, and of those at the same time in the order in which they were set.
        while let Some(first) = self.timers.iter().map(|t| t.0).min().filter(|at| *at <= now) {
            let i = self.timers.iter().position(|t| t.0 == first).unwrap_or_default();
            self.fire(i, now);
        }
        self.end_delays(now);
        self.end_floods(now);
        if self.poll_at.is_some() {
            self.poll_links(now);
        }
        self.announce_extra(now);
        self.renew_due(now);
        while let Some(i) = self.queue.iter().position(|q| q.at <= now) {
            let queued = self.queue.remove(i);
            self.send_frame(&queued.frame, queued.index);
        }
        let timers = self.timers.iter().map(|t| t.0).chain(self.queue.iter().map(|q| q.at));
        timers
            .chain(self.delays.iter().map(|d| d.0))
            .chain(self.renew_at)
            .chain(self.next_flood_end())
            .chain(self.next_upkeep())
            .min()
    }

    fn fire(&mut self, i: usize, now: Instant) {
        let (due, at, timer) = self.timers.remove(i);
        let late = now.saturating_duration_since(due);
        if timer == Timer::Advert {
            self.sides[at].observed.jitter.add(late);
        }
        self.apply(now, |engine, now, out| engine.timer(at, timer, late, now, out));
    }

    pub(super) fn script_finished(&mut self, at: usize, outcome: Outcome, now: Instant) {
        self.apply(now, |engine, now, out| engine.script_finished(at, outcome, now, out));
    }

    /// What was found of the `track_proxy` at `at`; `None`: nothing is wrong.
    pub(super) fn proxy_is(&mut self, at: usize, failing: Option<String>, now: Instant) {
        self.apply(now, |engine, now, out| engine.proxy_is(at, failing, now, out));
    }

    /// Gives everything up. The notifications that are still running come back to be waited for.
    pub(super) fn stop(&mut self, now: Instant) -> Running {
        self.checks.stop();
        self.proxies.stop();
        self.apply(now, Engine::stop);
        if !self.options.dont_release {
            let config = self.engine.config().clone();
            self.set_statics(&config, &Config::default());
            self.unmake_links(&config, &Config::default());
            self.promote_secondaries(&Config::default());
            self.drop_filter();
        }
        self.drop_lease();
        self.set_reports(false);
        std::mem::take(&mut self.running)
    }

    /// Ends the tasks that hold sockets.
    pub(super) fn close(&mut self) {
        self.pool.retain(|_| false);
        self.fifos.close();
        for side in &mut self.sides {
            side.socket = None;
        }
    }

    pub(super) fn write_data(&mut self) {
        let text = super::state_file::text(self);
        self.write_file(&places::data_file(self.engine.config()), &text, "data");
    }

    pub(super) fn write_json(&mut self) {
        let text = super::dump::json_file(self);
        self.write_file(&places::json_file(self.engine.config()), &text, "json");
    }

    pub(super) fn write_stats(&mut self, clear: bool) {
        let text = super::dump::stats(self);
        self.write_file(&places::stats_file(self.engine.config()), &text, "stats");
        if clear {
            self.engine.clear_stats();
        }
    }

    fn write_file(&self, path: &std::path::Path, text: &str, what: &str) {
        self.journal.info(format!("Printing VRRP {what} for process({}) on signal", std::process::id()));
        if let Err(e) = std::fs::write(path, text) {
            self.journal.warn(format!("Can't open dump file {} ({e})", path.display()));
        }
    }
}

/// Every interface a configuration names.
pub(super) fn interfaces(config: &Config, _: &Kernel) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let instances = config.instances.iter().flat_map(|i| {
        let watched = i.interface.iter().chain(i.track_interfaces.iter().map(|t| &t.name)).cloned();
        watched.chain(i.interfaces_in_use().into_iter().map(str::to_owned)).collect::<Vec<_>>()
    });
    let groups = config.sync_groups.iter().flat_map(|g| g.track_interfaces.iter().map(|t| t.name.clone()));
    for name in instances.chain(groups) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What a refusal is about, for the log.
fn missing(error: &io::Error, capability: &str) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(" ({capability} is needed)"),
        _ => String::new(),
    }
}
