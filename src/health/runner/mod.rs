//! All checks of all servers on one thread.
//!
//! A server between two checks costs one entry in a heap of timers; a task exists only while its check is on the wire.
//! Slow starts tick here too.

mod entry;
mod external;
mod knock;
mod probe;
mod stage;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::fsm::{Effect, Input, Surroundings, start_offsets};
use super::script::Script;
use super::{Outcome, Status, Verdict};
use crate::ir::ProxyIdx;
use crate::live::{AddressedOrder, CheckOrder, Live, Server};
use crate::log::trace::CHECK;
use crate::server::Op;
use crate::sys;
use entry::{Entry, Job, Kind, Run};
use knock::Knocks;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Check this entry, if its timer still has this number.
    Check(usize, u64),
    /// Give up a plain connection of this entry, if it is still this run.
    Late(usize, u64),
    /// One step of a slow start.
    WarmUp(ProxyIdx, usize),
}

/// How a run ended: entry, number of the run, and what it came to.
type Ended = (usize, u64, probe::Ending);

/// The checks of a configuration.
pub struct Runner {
    live: Arc<Live>,
    entries: Vec<Entry>,
    by_server: HashMap<(ProxyIdx, usize, Kind), usize>,
    /// Entries of servers that were deleted.
    vacant: Vec<usize>,
    timers: BinaryHeap<Reverse<(Instant, Timer)>>,
    orders: mpsc::UnboundedReceiver<AddressedOrder>,
    ended: mpsc::UnboundedReceiver<Ended>,
    ends: mpsc::UnboundedSender<Ended>,
    numbers: u64,
    /// Plain connections; `None`: there was no descriptor for them, each is a task like all others.
    knocks: Option<Knocks>,
    node: Arc<str>,
    started: Instant,
}

/// Distance of the moments at which checks start.
const GRID: Duration = Duration::from_millis(10);

/// Starts a thread that runs all checks until the process ends.
///
/// # Errors
/// No thread, no runtime, or a runner exists already.
pub fn spawn(live: &Arc<Live>) -> io::Result<std::thread::JoinHandle<()>> {
    let runner = Runner::new(live).ok_or_else(|| io::Error::other("the checks run already"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("checks".into()).spawn(move || {
        runtime.block_on(async {
            // A task of its own: waking what `block_on` waits for costs two system calls, and every check wakes it.
            let task = tokio::spawn(runner.run());
            // It ends only by a panic, which has been reported already.
            let _ = task.await;
        });
    })
}

/// The script of the `healthcheck` section that a server names, made once.
fn of_section(live: &Live, server: &Server, made: &mut HashMap<String, Arc<Script>>) -> Option<Arc<Script>> {
    let name = server.ir.check.as_ref()?.section.as_ref()?;
    let check = live.config.healthchecks.get(name)?;
    Some(made.entry(name.clone()).or_insert_with(|| Arc::new(Script::new(check))).clone())
}

impl Runner {
    /// Prepares all checks. `None`: another runner took the orders.
    #[must_use]
    pub fn new(live: &Arc<Live>) -> Option<Self> {
        let (ends, ended) = mpsc::unbounded_channel();
        let node = live.config.global.node.clone().unwrap_or_else(|| {
            nix::unistd::gethostname().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
        });
        let mut runner = Self {
            live: live.clone(),
            entries: Vec::new(),
            by_server: HashMap::new(),
            vacant: Vec::new(),
            timers: BinaryHeap::new(),
            orders: live.check_orders()?,
            ended,
            ends,
            numbers: 0,
            knocks: Knocks::new().ok(),
            node: node.into(),
            started: sys::clock::now(),
        };
        let spread = live.config.global.spread_checks_percent;
        let mut sections = HashMap::new();
        for proxy in live.proxies.iter().filter(|p| !p.ir.disabled) {
            let (Some(half), Some(backend)) = (&proxy.ir.backend, &proxy.backend) else { continue };
            let script = Arc::new(Script::new(&half.check));
            for server in backend.servers() {
                let script = of_section(live, &server, &mut sections).unwrap_or_else(|| script.clone());
                for entry in Entry::of_server(proxy, &server, &script, spread) {
                    runner.add(entry);
                }
            }
        }
        Some(runner)
    }

    /// Adds a check, in the place of one that is gone if there is any; its number.
    fn add(&mut self, entry: Entry) -> usize {
        let key = (entry.proxy.idx, entry.server.index, entry.kind);
        let index = self.vacant.pop().unwrap_or(self.entries.len());
        if index == self.entries.len() {
            self.entries.push(entry);
        } else {
            self.entries[index] = entry;
        }
        self.by_server.insert(key, index);
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
        let watch = self.knocks.as_ref().and_then(|knocks| knocks.watch().ok());
        if watch.is_none() {
            self.knocks = None;
        }
        loop {
            let next = self.timers.peek().map(|Reverse((at, _))| *at);
            let timer = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            let answered = async {
                match &watch {
                    Some(watch) => watch.changed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                Some(ended) = self.ended.recv() => {
                    self.finish(ended);
                    // One look at the clock and the timers for all that have ended.
                    while let Ok(ended) = self.ended.try_recv() {
                        self.finish(ended);
                    }
                }
                // It fails only when the runtime ends.
                Ok(()) = answered => self.let_in(),
                () = timer => self.fire(),
            }
        }
    }

    fn arm(&mut self, index: usize, at: Instant) {
        self.numbers += 1;
        (self.entries[index].armed, self.entries[index].due) = (self.numbers, at);
        self.timers.push(Reverse((at, Timer::Check(index, self.numbers))));
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
        while self.timers.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((_, timer))) = self.timers.pop() else { return };
            match timer {
                // A process that only finishes its sessions leaves the checks to the next one.
                Timer::Check(..) if self.live.is_stopping() => {}
                Timer::Check(index, number) if self.entries[index].armed == number => {
                    self.step(index, Input::Due);
                }
                Timer::Check(..) => {}
                Timer::Late(index, number) => self.give_up(index, number),
                Timer::WarmUp(proxy, server) => self.warm_up(proxy, server),
            }
        }
    }

    fn obey(&mut self, (proxy, server, order): AddressedOrder) {
        if let CheckOrder::WarmUpIn(after) = order {
            self.timers.push(Reverse((sys::clock::now() + after, Timer::WarmUp(proxy, server))));
            return;
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
        let proxy = self.live.proxy(idx).clone();
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
        self.vacant.push(index);
    }

    fn warm_up(&self, proxy: ProxyIdx, server: usize) {
        let proxy = self.live.proxy(proxy);
        if let Some(server) = proxy.backend.as_ref().and_then(|b| b.server(server)) {
            proxy.change_server(&server, crate::server::ServerState::warm_up);
        }
    }

    fn finish(&mut self, (index, number, ending): Ended) {
        let probe::Ending { mut verdict, reply, stream } = ending;
        let entry = &mut self.entries[index];
        // A run that was given up may have ended at the same moment.
        if let Some(run) = entry.running.take_if(|run| run.number == number) {
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
            CHECK.tell(1, || {
                let whose = self.entries[index].whose();
                format!(
                    "{whose} status={} code={} after={}us {}",
                    verdict.status.name(),
                    verdict.code,
                    duration.as_micros(),
                    verdict.info
                )
            });
            self.step(index, Input::Ended(verdict, duration));
        }
        drop(stream);
    }

    /// Whether nothing but this check keeps its server down.
    fn others_up(&self, index: usize) -> bool {
        let entry = &self.entries[index];
        let other = match entry.kind {
            Kind::Check => Kind::Agent,
            Kind::Agent => Kind::Check,
        };
        let key = (entry.proxy.idx, entry.server.index, other);
        let other = self.by_server.get(&key).map(|&at| &self.entries[at].machine);
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
        let entry = &self.entries[index];
        let plan = entry.plan(&self.live, &self.node);
        let started = sys::clock::now();
        let ends = self.ends.clone();
        let knock = self.knocks.as_ref().and_then(|knocks| knocks.start(index, &plan));
        let job = match knock {
            Some(Ok(knock)) => {
                let time = plan.connect_time();
                let late = self.together(started + time, time);
                self.timers.push(Reverse((late, Timer::Late(index, number))));
                Job::Knock(knock)
            }
            Some(Err(verdict)) => {
                let ending = probe::Ending::of(verdict);
                Job::Task(
                    tokio::spawn(async move { drop(ends.send((index, number, ending))) }).abort_handle(),
                )
            }
            None => {
                let subject = entry.subject(&self.node);
                let task = tokio::spawn(async move {
                    let ended = probe::run(plan, subject).await;
                    // A runner that is gone needs no verdict.
                    let _ = ends.send((index, number, ended));
                });
                Job::Task(task.abort_handle())
            }
        };
        self.entries[index].running = Some(Run { number, started, job });
        CHECK.tell(0, || self.entries[index].whose());
    }

    /// Takes what plain connections came to.
    fn let_in(&mut self) {
        let mut answered = Vec::new();
        if let Some(knocks) = &self.knocks {
            knocks.answered(&mut answered);
        }
        for (index, suspect) in answered {
            // Given up in between: its socket is closed, and nothing of it is left to be told.
            let Some(Run { number, job: Job::Knock(knock), .. }) = &self.entries[index].running else {
                continue;
            };
            let (number, verdict) = (*number, knock::verdict(knock, suspect));
            self.finish((index, number, probe::Ending::of(verdict)));
        }
    }

    fn give_up(&mut self, index: usize, number: u64) {
        if self.entries[index].running.as_ref().is_some_and(|run| run.number == number) {
            let verdict = Verdict::new(Status::L4Tout, 0, b"");
            self.finish((index, number, probe::Ending::of(verdict)));
        }
    }
}
