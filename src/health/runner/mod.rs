//! All checks of all servers on one thread.
//!
//! A server between two checks costs one entry in a heap of timers; a task exists only while its check is on the wire.
//! Slow starts tick here too.

mod probe;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::dialogue::Subject;
use super::fsm::{Effect, Input, Machine, Surroundings, start_offsets};
use super::script::{Script, Step};
use super::{Outcome, Verdict};
use crate::ir::ProxyIdx;
use crate::ir::server::{SendProxy, ServerCheck};
use crate::live::{Address, AddressedOrder, CheckOrder, CheckReport, Live, Proxy, Server};
use crate::server::{Admin, Cause, CheckSaid, Counts, Level, Op, Standing};
use crate::sys;
use probe::{Plan, Target};

/// A server that is checked.
struct Entry {
    proxy: Arc<Proxy>,
    server: Arc<Server>,
    check: ServerCheck,
    script: Arc<Script>,
    machine: Machine,
    /// Timers with another number are void.
    armed: u64,
    /// When the timer fires.
    due: Instant,
    /// The run on the wire.
    running: Option<(u64, AbortHandle, Instant)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Check this entry, if its timer still has this number.
    Check(usize, u64),
    /// One step of a slow start.
    WarmUp(ProxyIdx, usize),
}

/// How a run ended: entry, number of the run, verdict.
type Ended = (usize, u64, Verdict);

/// The checks of a configuration.
pub struct Runner {
    live: Arc<Live>,
    entries: Vec<Entry>,
    by_server: HashMap<(ProxyIdx, usize), usize>,
    /// Entries of servers that were deleted.
    vacant: Vec<usize>,
    timers: BinaryHeap<Reverse<(Instant, Timer)>>,
    orders: mpsc::UnboundedReceiver<AddressedOrder>,
    ended: mpsc::UnboundedReceiver<Ended>,
    ends: mpsc::UnboundedSender<Ended>,
    numbers: u64,
    node: String,
}

/// Starts a thread that runs all checks until the process ends.
///
/// # Errors
/// No thread, no runtime, or a runner exists already.
pub fn spawn(live: &Arc<Live>) -> io::Result<std::thread::JoinHandle<()>> {
    let runner = Runner::new(live).ok_or_else(|| io::Error::other("the checks run already"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("checks".into()).spawn(move || runtime.block_on(runner.run()))
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
            node,
        };
        let spread = live.config.global.spread_checks_percent;
        for proxy in live.proxies.iter().filter(|p| !p.ir.disabled) {
            let (Some(half), Some(backend)) = (&proxy.ir.backend, &proxy.backend) else { continue };
            let script = Arc::new(Script::new(&half.check));
            for server in backend.servers() {
                let Some(entry) = Entry::new(proxy, &server, &script, spread, half.check.log_all) else {
                    continue;
                };
                runner.by_server.insert((proxy.idx, server.index), runner.entries.len());
                runner.entries.push(entry);
            }
        }
        Some(runner)
    }

    /// Runs until the sender of orders is gone, which is with the configuration itself.
    pub async fn run(mut self) {
        let now = sys::clock::now();
        let intervals: Vec<Duration> = self.entries.iter().map(|e| e.check.inter).collect();
        let offsets = start_offsets(&intervals, self.live.config.global.max_spread_checks);
        for (index, offset) in offsets.into_iter().enumerate() {
            self.arm(index, now + offset);
        }
        loop {
            let next = self.timers.peek().map(|Reverse((at, _))| *at);
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
                Some(ended) = self.ended.recv() => self.finish(ended),
                () = timer => self.fire(),
            }
        }
    }

    fn arm(&mut self, index: usize, at: Instant) {
        self.numbers += 1;
        (self.entries[index].armed, self.entries[index].due) = (self.numbers, at);
        self.timers.push(Reverse((at, Timer::Check(index, self.numbers))));
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
        let Some(&index) = self.by_server.get(&(proxy, server)) else { return };
        if order == CheckOrder::Leave {
            self.by_server.remove(&(proxy, server));
            // Timers of the entry are void; its place is kept for the next server that joins.
            self.entries[index].armed = 0;
            if let Some((_, task, _)) = self.entries[index].running.take() {
                task.abort();
            }
            return self.vacant.push(index);
        }
        let input = match order {
            CheckOrder::Pause => Input::Pause,
            CheckOrder::Resume => Input::Resume,
            CheckOrder::Force(up) => Input::Force(up),
            CheckOrder::Enable(on) => Input::Enable(on),
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
        let script = Arc::new(Script::new(&half.check));
        let spread = self.live.config.global.spread_checks_percent;
        let Some(entry) = Entry::new(&proxy, &server, &script, spread, half.check.log_all) else { return };
        let index = self.vacant.pop().unwrap_or(self.entries.len());
        if index == self.entries.len() {
            self.entries.push(entry);
        } else {
            self.entries[index] = entry;
        }
        self.by_server.insert((idx, server.index), index);
        self.step(index, Input::Enable(false));
        self.arm(index, sys::clock::now());
    }

    fn warm_up(&self, proxy: ProxyIdx, server: usize) {
        let proxy = self.live.proxy(proxy);
        if let Some(server) = proxy.backend.as_ref().and_then(|b| b.server(server)) {
            proxy.change_server(&server, crate::server::ServerState::warm_up);
        }
    }

    fn finish(&mut self, (index, number, verdict): Ended) {
        let entry = &mut self.entries[index];
        // A run that was given up may have ended at the same moment.
        if let Some((_, _, started)) = entry.running.take_if(|(n, _, _)| *n == number) {
            let duration = sys::clock::now().saturating_duration_since(started);
            if verdict.status.outcome() != Outcome::Failed {
                entry.server.forgive();
            }
            self.step(index, Input::Ended(verdict, duration));
        }
    }

    fn step(&mut self, index: usize, input: Input) {
        let entry = &mut self.entries[index];
        let is_stopped = entry.server.with_state(|s| s.op() == Op::Stopped);
        let around = Surroundings { is_stopped, others_up: true, random: rand::random() };
        let effects = entry.machine.step(input, around);
        entry.report();
        for effect in effects {
            match effect {
                Effect::Start => self.start(index),
                Effect::Abort => {
                    if let Some((_, task, _)) = self.entries[index].running.take() {
                        task.abort();
                    }
                }
                Effect::Arm(after) => self.arm(index, sys::clock::now() + after),
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
        let (plan, subject) = (entry.plan(), entry.subject(&self.node));
        let ends = self.ends.clone();
        let task = tokio::spawn(async move {
            let verdict = probe::run(plan, subject).await;
            // A runner that is gone needs no verdict.
            let _ = ends.send((index, number, verdict));
        });
        self.entries[index].running = Some((number, task.abort_handle(), sys::clock::now()));
    }
}

impl Entry {
    /// `None`: the server is not checked.
    fn new(
        proxy: &Arc<Proxy>,
        server: &Arc<Server>,
        script: &Arc<Script>,
        spread: u8,
        log_all: bool,
    ) -> Option<Self> {
        let check = server.ir.check.clone()?;
        let paused = server.with_state(|s| s.admin().any(Admin::MAINT));
        Some(Self {
            proxy: proxy.clone(),
            server: server.clone(),
            machine: Machine::new(&check, spread, log_all, paused),
            check,
            script: script.clone(),
            armed: 0,
            due: sys::clock::now(),
            running: None,
        })
    }

    fn standing(&self) -> Standing {
        let machine = &self.machine;
        Standing { health: machine.health(), rise: machine.rise(), fall: machine.fall() }
    }

    /// Publishes what `show stat` shows.
    fn report(&self) {
        let verdict = self.machine.verdict();
        let ended = verdict.status.outcome() != Outcome::None;
        *self.server.check.write() = CheckReport {
            status: if ended { verdict.status.name() } else { "" },
            description: if ended { verdict.status.text() } else { "" },
            code: verdict.shown_code(),
            duration: self.machine.duration(),
            info: verdict.info.clone(),
            health: self.machine.health(),
            in_progress: self.machine.is_running(),
        };
    }

    fn cause(&self) -> Cause {
        let verdict = self.machine.verdict();
        Cause::Check {
            reason: verdict.status.text(),
            code: verdict.shown_code(),
            info: verdict.info.clone(),
            duration: self.machine.duration(),
        }
    }

    fn change(&self, op: Op) {
        // With `option log-health-checks` the check's own line has said why.
        let cause = if self.machine.logs_all() { Cause::Tracking } else { self.cause() };
        self.proxy.change_server(&self.server, |state, now| state.set_op(op, &cause, now));
    }

    fn log_check(&self) {
        let said = match self.machine.verdict().status.outcome() {
            Outcome::Passed => CheckSaid::Passed,
            Outcome::Conditional => CheckSaid::Conditional,
            Outcome::Failed | Outcome::None => CheckSaid::Failed,
        };
        let line = self
            .server
            .with_state(|s| s.check_line(false, said, &self.cause(), self.standing()))
            .render(&Counts::default());
        self.proxy.announce(Level::Notice, &line, &line);
    }

    fn plan(&self) -> Plan {
        let half = self.proxy.ir.backend.as_ref();
        let target = match self.server.address() {
            Address::Unknown => self
                .check
                .addr
                .zip(self.check.port)
                .map_or(Target::Nowhere, |(addr, port)| Target::Ip((addr, port).into())),
            Address::Unix(path) => Target::Unix(path),
            Address::Ip(addr) => {
                let ip = self.check.addr.unwrap_or_else(|| addr.ip());
                Target::Ip((ip, self.check.port.unwrap_or_else(|| addr.port())).into())
            }
        };
        // A check that goes where the traffic goes speaks as the traffic does.
        let same_place = self.check.addr.is_none() && self.check.port.is_none();
        let version = self.server.ir.send_proxy;
        let send_proxy = if self.check.send_proxy {
            Some(version.unwrap_or(SendProxy::V1))
        } else {
            version.filter(|_| same_place)
        };
        Plan {
            script: self.script.clone(),
            target,
            source: self.server.ir.source.or_else(|| half.and_then(|h| h.source)),
            send_proxy,
            inter: self.check.inter,
            timeout_connect: self.proxy.ir.timeouts.connect,
            timeout_check: self.proxy.ir.timeouts.check,
        }
    }

    fn subject(&self, node: &str) -> Subject {
        let (mut state_header, mut wall_clock) = (None, None);
        for step in &self.script.steps {
            match step {
                Step::SendHttp(http) if http.send_state => state_header = Some(self.state_header(node)),
                Step::SendHello => wall_clock = Some(sys::clock::wall()),
                _ => {}
            }
        }
        Subject { is_up: self.server.with_state(|s| s.op() != Op::Stopped), state_header, wall_clock }
    }

    /// Value of `X-Haproxy-Server-State` (manual, `http-check send-state`).
    fn state_header(&self, node: &str) -> String {
        let Standing { health, rise, fall } = self.standing();
        let (op, weight, throttle) =
            self.server.with_state(|s| (s.op(), s.shown_weight(), s.throttle(sys::clock::now())));
        let full = health + 1 >= rise + fall;
        let word = match op {
            Op::Stopped if health > 0 => format!("DOWN {health}/{rise}"),
            Op::Stopped => "DOWN".to_owned(),
            Op::Stopping if full => "NOLB".to_owned(),
            Op::Stopping => format!("NOLB {}/{fall}", (health + 1).saturating_sub(rise)),
            Op::Starting | Op::Running if full => "UP".to_owned(),
            Op::Starting | Op::Running => format!("UP {}/{fall}", (health + 1).saturating_sub(rise)),
        };
        let (address, port) = match self.server.address() {
            Address::Ip(addr) => (addr.ip().to_string(), addr.port().to_string()),
            Address::Unix(_) => ("unix".to_owned(), String::new()),
            Address::Unknown => (String::new(), String::new()),
        };
        let (total, sessions, waiting) = self
            .proxy
            .backend
            .as_ref()
            .map_or((0, 0, 0), |b| (b.total_weight(), b.counters.sessions.get(), b.queue.len() as u32));
        let throttle = throttle.map_or_else(String::new, |t| format!("; throttle={t}%"));
        format!(
            "{word}; address={address}; port={port}; name={}/{}; node={node}; weight={weight}/{total}; \
             scur={}/{}; qcur={}{throttle}",
            self.proxy.ir.name,
            self.server.ir.name,
            self.server.counters.sessions.get(),
            sessions.saturating_sub(waiting),
            self.server.queue.len(),
        )
    }
}
