//! All checks of all servers, by one task.
//!
//! A server between two checks costs one entry in a queue of timers; a check on the wire is a socket in a poller and what is
//! known of its dialogue. Only programs (`external-check`) are tasks.
//! Slow starts tick here too.

mod entry;
mod external;
mod probe;
mod spare;
mod stage;
mod talk;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::fsm::{Effect, Input, Surroundings, start_offsets};
use super::proto::agent::Reply;
use super::script::Script;
use super::{Outcome, Status, Verdict};
use crate::ir::ProxyIdx;
use crate::live::{AddressedOrder, CheckOrder, Live, Server};
use crate::log::trace::CHECK;
use crate::server::Op;
use crate::sys::poller::{Edge, Poller, Watch};
use crate::sys::profile::{Work, measured};
use crate::sys::{self, home::Home};
use entry::{Entry, Job, Kind, Run};
use spare::Wire;
use talk::Talk;

#[derive(Clone, Copy, Debug)]
enum Timer {
    /// Check this entry, if its timer still has this number.
    Check(usize, u64),
    /// The deadline of a run of this entry, if it is still this run.
    Late(usize, u64),
    /// One step of a slow start.
    WarmUp(ProxyIdx, usize),
}

/// How a program ended: entry, number of the run, and what it came to.
type Ended = (usize, u64, Verdict);

/// The checks of a configuration.
pub struct Runner {
    live: Arc<Live>,
    entries: Vec<Entry>,
    by_server: HashMap<(ProxyIdx, usize, Kind), usize>,
    /// Entries of servers that were deleted.
    vacant: Vec<usize>,
    /// By moment; most share theirs, see [`Self::together`].
    timers: BTreeMap<Instant, Vec<Timer>>,
    orders: mpsc::UnboundedReceiver<AddressedOrder>,
    ended: mpsc::UnboundedReceiver<Ended>,
    ends: mpsc::UnboundedSender<Ended>,
    numbers: u64,
    wire: Wire,
    /// Tells when the poller has something to tell.
    watch: Watch,
    /// What it has told last; empty in between.
    told: Vec<Edge>,
    node: Arc<str>,
    started: Instant,
}

/// Distance of the moments at which checks start.
const GRID: Duration = Duration::from_millis(10);

/// Runs all checks until the process ends.
///
/// # Errors
/// No thread, no runtime, or a runner exists already.
pub fn spawn(live: &Arc<Live>, home: Home) -> io::Result<()> {
    home.run("checks", || Ok(Runner::new(live)?.run()))
}

/// The script of the `healthcheck` section that a server names, made once.
fn of_section(live: &Live, server: &Server, made: &mut HashMap<String, Arc<Script>>) -> Option<Arc<Script>> {
    let name = server.ir.check.as_ref()?.section.as_ref()?;
    let check = live.config.healthchecks.get(name)?;
    Some(made.entry(name.clone()).or_insert_with(|| Arc::new(Script::new(check))).clone())
}

impl Runner {
    /// Prepares all checks, inside the runtime that will run them.
    ///
    /// # Errors
    /// No descriptors or memory are left, or another runner took the orders.
    pub fn new(live: &Arc<Live>) -> io::Result<Self> {
        let poller = Poller::new()?;
        let orders = live.check_orders().ok_or_else(|| io::Error::other("the checks run already"))?;
        let (ends, ended) = mpsc::unbounded_channel();
        let node = live.config.global.node.clone().unwrap_or_else(|| {
            nix::unistd::gethostname().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
        });
        let mut runner = Self {
            live: live.clone(),
            entries: Vec::new(),
            by_server: HashMap::new(),
            vacant: Vec::new(),
            timers: BTreeMap::new(),
            orders,
            ended,
            ends,
            numbers: 0,
            watch: poller.watch()?,
            wire: Wire::new(poller),
            told: Vec::new(),
            node: node.into(),
            started: sys::clock::now(),
        };
        let spread = live.config.global.spread_checks_percent;
        let mut sections = HashMap::new();
        for proxy in live.proxies().iter().filter(|p| !p.ir.disabled) {
            let (Some(half), Some(backend)) = (&proxy.ir.backend, &proxy.backend) else { continue };
            let script = Arc::new(Script::new(&half.check));
            for server in backend.servers() {
                let script = of_section(live, &server, &mut sections).unwrap_or_else(|| script.clone());
                for entry in Entry::of_server(proxy, &server, &script, spread) {
                    runner.add(entry);
                }
            }
        }
        Ok(runner)
    }

    /// Adds a check, in the place of one that is gone if there is any; its number.
    fn add(&mut self, entry: Entry) -> usize {
        let key = (entry.proxy.idx, entry.server.index, entry.kind);
        let other = (key.0, key.1, entry.kind.other());
        let index = self.vacant.pop().unwrap_or(self.entries.len());
        if index == self.entries.len() {
            self.entries.push(entry);
        } else {
            self.entries[index] = entry;
        }
        self.by_server.insert(key, index);
        if let Some(&partner) = self.by_server.get(&other) {
            self.entries[partner].partner = Some(index);
            self.entries[index].partner = Some(partner);
        }
        index
    }

    /// Runs until the sender of orders is gone, which is with the configuration itself.
    pub async fn run(mut self) {
        let now = sys::clock::now();
        let intervals: Vec<Duration> = self.entries.iter().map(Entry::inter).collect();
        let offsets = start_offsets(&intervals, self.live.config.global.max_spread_checks);
        for (index, offset) in offsets.into_iter().enumerate() {
            let at = self.together(now + offset, intervals[index]);
            self.arm(index, at);
        }
        loop {
            let next = self.timers.first_key_value().map(|(at, _)| *at);
            let timer = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                Some((index, number, verdict)) = self.ended.recv() => self.finish(index, number, verdict, None),
                // It fails only when the runtime ends.
                Ok(()) = self.watch.changed() => measured(Work::CheckAnswers, || self.hear()),
                () = timer => measured(Work::CheckTimers, || self.fire()),
            }
        }
    }

    fn arm(&mut self, index: usize, at: Instant) {
        self.numbers += 1;
        (self.entries[index].armed, self.entries[index].due) = (self.numbers, at);
        self.set_timer(at, Timer::Check(index, self.numbers));
    }

    fn set_timer(&mut self, at: Instant, timer: Timer) {
        self.timers.entry(at).or_default().push(timer);
    }

    /// The moment on a grid after `at`: checks of thousands of servers then start a few at once, and wake the thread once.
    /// They are late by a hundredth of their interval at most, and by no more than ten milliseconds.
    fn together(&self, at: Instant, after: Duration) -> Instant {
        let step = (after / 100).min(GRID);
        if step.is_zero() {
            return at;
        }
        let since = at.saturating_duration_since(self.started).as_nanos();
        let late = (step.as_nanos() - since % step.as_nanos()) % step.as_nanos();
        at + Duration::from_nanos(u64::try_from(late).unwrap_or(0))
    }

    fn fire(&mut self) {
        let now = sys::clock::now();
        while let Some(due) = self.timers.first_entry().filter(|first| *first.key() <= now) {
            for timer in due.remove() {
                match timer {
                    // A process that only finishes its sessions leaves the checks to the next one.
                    Timer::Check(..) if self.live.is_stopping() => {}
                    Timer::Check(index, number) if self.entries[index].armed == number => {
                        self.step(index, Input::Due);
                    }
                    Timer::Check(..) => {}
                    Timer::Late(index, number) => self.give_up(index, number, now),
                    Timer::WarmUp(proxy, server) => self.warm_up(proxy, server),
                }
            }
        }
    }

    fn obey(&mut self, (proxy, server, order): AddressedOrder) {
        if let CheckOrder::WarmUpIn(after) = order {
            return self.set_timer(sys::clock::now() + after, Timer::WarmUp(proxy, server));
        }
        if order == CheckOrder::Join {
            return self.join(proxy, server);
        }
        if order == CheckOrder::Leave {
            for kind in [Kind::Check, Kind::Agent] {
                self.leave(proxy, server, kind);
            }
            return;
        }
        let kind = match order {
            CheckOrder::ForceAgent(_) | CheckOrder::EnableAgent(_) => Kind::Agent,
            _ => Kind::Check,
        };
        let Some(&index) = self.by_server.get(&(proxy, server, kind)) else { return };
        let input = match order {
            CheckOrder::Pause => Input::Pause,
            CheckOrder::Resume => Input::Resume,
            CheckOrder::Force(up) | CheckOrder::ForceAgent(up) => Input::Force(up),
            CheckOrder::Enable(on) | CheckOrder::EnableAgent(on) => Input::Enable(on),
            CheckOrder::Observed { action, errors, last } => {
                Input::Observed { action, errors, last: last.to_owned() }
            }
            CheckOrder::WarmUpIn(_) | CheckOrder::Join | CheckOrder::Leave => return,
        };
        self.step(index, input);
    }

    /// Takes up a server that was added by command: not checked until its check is enabled.
    fn join(&mut self, idx: ProxyIdx, server: usize) {
        let Some(proxy) = self.live.proxy(idx) else { return };
        let (Some(half), Some(backend)) = (&proxy.ir.backend, &proxy.backend) else { return };
        let Some(server) = backend.server(server) else { return };
        let script = of_section(&self.live, &server, &mut HashMap::new())
            .unwrap_or_else(|| Arc::new(Script::new(&half.check)));
        let spread = self.live.config.global.spread_checks_percent;
        for entry in Entry::of_server(&proxy, &server, &script, spread) {
            let index = self.add(entry);
            self.step(index, Input::Enable(false));
            self.arm(index, sys::clock::now());
        }
    }

    fn leave(&mut self, proxy: ProxyIdx, server: usize, kind: Kind) {
        let Some(index) = self.by_server.remove(&(proxy, server, kind)) else { return };
        // Timers of the entry are void; its place is kept for the next server that joins.
        self.entries[index].armed = 0;
        self.entries[index].running = None;
        if let Some(partner) = self.entries[index].partner.take() {
            self.entries[partner].partner = None;
        }
        self.vacant.push(index);
    }

    fn warm_up(&self, proxy: ProxyIdx, server: usize) {
        let Some(proxy) = self.live.proxy(proxy) else { return };
        if let Some(server) = proxy.backend.as_ref().and_then(|b| b.server(server)) {
            proxy.change_server(&server, crate::server::ServerState::warm_up);
        }
    }

    fn finish(&mut self, index: usize, number: u64, mut verdict: Verdict, reply: Option<Reply>) {
        let entry = &mut self.entries[index];
        // A run that was given up may have ended at the same moment. Whoever sees its connection end may look what has come
        // of it: it lives as long as `run`.
        if let Some(mut run) = entry.running.take_if(|run| run.number == number) {
            let duration = sys::clock::now().saturating_duration_since(run.started);
            if verdict.status.outcome() != Outcome::Failed {
                entry.server.forgive();
            }
            if matches!(verdict.status, Status::L4Con | Status::L4Tout) {
                self.live.doubt_address(&entry.proxy, &entry.server);
            }
            if let Some(reply) = reply.filter(|_| entry.machine.is_enabled()) {
                if let Some(up) = reply.says_up() {
                    self.step(index, Input::Force(up));
                }
                verdict = self.entries[index].obey_agent(&reply);
            }
            CHECK.tell(
                1,
                || self.entries[index].about(index),
                |_| {
                    let whose = self.entries[index].whose();
                    format!(
                        "{whose} status={} code={} after={}us {}",
                        verdict.status.name(),
                        verdict.code,
                        duration.as_micros(),
                        verdict.info
                    )
                },
            );
            self.step(index, Input::Ended(verdict, duration));
            if let Job::Talk(talk) = &mut run.job {
                talk.hang_up(&mut self.wire);
            }
        }
    }

    /// Whether nothing but this check keeps its server down.
    fn others_up(&self, index: usize) -> bool {
        let entry = &self.entries[index];
        let other = entry.partner.map(|at| &self.entries[at].machine);
        let agreed = other.is_none_or(|machine| !machine.is_enabled() || machine.is_up());
        let stopping = entry.server.with_state(|s| s.op() == Op::Stopping);
        agreed && !(entry.kind == Kind::Agent && stopping)
    }

    fn step(&mut self, index: usize, input: Input) {
        let others_up = self.others_up(index);
        let entry = &mut self.entries[index];
        let is_stopped = entry.server.with_state(|s| s.op() == Op::Stopped);
        let around = Surroundings { is_stopped, others_up, random: rand::random() };
        let effects = entry.machine.step(input, around);
        entry.report();
        for effect in effects {
            match effect {
                Effect::Start => self.start(index),
                Effect::Abort => self.entries[index].running = None,
                Effect::Arm(after) => {
                    let at = self.together(sys::clock::now() + after, after);
                    self.arm(index, at);
                }
                Effect::Hurry(after) => {
                    let at = sys::clock::now() + after;
                    if at < self.entries[index].due {
                        self.arm(index, at);
                    }
                }
                Effect::LogCheck => self.entries[index].log_check(),
                Effect::Down => self.entries[index].change(Op::Stopped),
                Effect::Up => self.entries[index].change(Op::Running),
                Effect::Stopping => self.entries[index].change(Op::Stopping),
                Effect::CountFailure => self.entries[index].server.counters.chkfail.inc(),
            }
        }
    }

    fn start(&mut self, index: usize) {
        self.numbers += 1;
        let number = self.numbers;
        let entry = &mut self.entries[index];
        let (mut plan, stage) = entry.plan(&self.live, &self.node);
        let started = sys::clock::now();
        let job = match plan.call.take() {
            Some(call) => {
                let (ends, limit) = (self.ends.clone(), plan.connect_time());
                let task = tokio::spawn(async move {
                    let verdict = external::run(&call, limit).await;
                    // A runner that is gone needs no verdict.
                    let _ = ends.send((index, number, verdict));
                });
                Job::Task(task.abort_handle())
            }
            None => Job::Talk(Box::new(Talk::new(plan, stage, entry.subject(&self.node), started))),
        };
        let talks = matches!(job, Job::Talk(_));
        entry.running = Some(Run { number, started, late: None, job });
        CHECK.tell(0, || self.entries[index].about(index), |_| self.entries[index].whose());
        if talks {
            self.go_on(index, |talk, wire| talk.go_on(wire, index));
        }
    }

    /// Goes on with the run of an entry, to its end or until it has to wait.
    fn go_on(&mut self, index: usize, go: impl FnOnce(&mut Talk, &mut Wire) -> Option<Verdict>) {
        let Some(Run { number, late, job: Job::Talk(talk), .. }) = &mut self.entries[index].running else {
            return;
        };
        let number = *number;
        if let Some(verdict) = go(talk, &mut self.wire) {
            let reply = talk.take_agent_reply();
            return self.finish(index, number, verdict, reply);
        }
        let deadline = talk.deadline;
        if late.is_none_or(|late| deadline < late) {
            *late = Some(deadline);
            self.expect_end(index, number, deadline);
        }
    }

    fn expect_end(&mut self, index: usize, number: u64, deadline: Instant) {
        let left = deadline.saturating_duration_since(sys::clock::now());
        let at = self.together(deadline, left);
        self.set_timer(at, Timer::Late(index, number));
    }

    /// Takes what has come to the sockets.
    fn hear(&mut self) {
        let mut told = std::mem::take(&mut self.told);
        // One look at a time: what a check does may close a socket that a second look would still tell of.
        loop {
            let more = self.wire.poller.edges(&mut told);
            for edge in told.drain(..) {
                self.go_on(edge.key, |talk, wire| talk.wake(edge, wire));
            }
            if !more {
                break;
            }
        }
        self.told = told;
    }

    fn give_up(&mut self, index: usize, number: u64, now: Instant) {
        let run = self.entries[index].running.as_mut().filter(|run| run.number == number);
        let Some(Run { late, job: Job::Talk(talk), .. }) = run else { return };
        let deadline = talk.deadline;
        if deadline <= now {
            let verdict = talk.timed_out();
            self.finish(index, number, verdict, None);
        } else if late.is_none_or(|late| late <= now) {
            // It was put off meanwhile.
            *late = Some(deadline);
            self.expect_end(index, number, deadline);
        }
    }
}
