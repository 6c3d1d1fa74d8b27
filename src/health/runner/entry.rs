//! One check of one server: what it needs to know and what it does to the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use super::external::Call;
use super::probe::{Plan, Target};
use super::stage::Stage;
use super::talk::Talk;
use crate::health::dialogue::Subject;
use crate::health::fsm::Machine;
use crate::health::proto::agent;
use crate::health::script::{Script, Step};
use crate::health::{Outcome, Status, Verdict};
use crate::live::{Address, CheckReport, Live, Proxy, Server};
use crate::log::trace::About;
use crate::server::{Admin, Cause, CheckSaid, Counts, Level, Op, Standing, parse_maxconn};
use crate::sys;

/// Which of the two checks a server may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// `check`.
    Check,
    /// `agent-check`.
    Agent,
}

impl Kind {
    /// The other of the two.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Check => Self::Agent,
            Self::Agent => Self::Check,
        }
    }
}

/// A check.
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) proxy: Arc<Proxy>,
    pub(super) server: Arc<Server>,
    script: Arc<Script>,
    pub(super) machine: Machine,
    /// Number of the entry of the server's other check.
    pub(super) partner: Option<usize>,
    /// Timers with another number are void.
    pub(super) armed: u64,
    /// When the timer fires.
    pub(super) due: Instant,
    /// The run on the wire.
    pub(super) running: Option<Run>,
}

/// A check on the wire. It is given up by dropping it.
pub(super) struct Run {
    pub(super) number: u64,
    pub(super) started: Instant,
    /// When its deadline is looked at next.
    pub(super) late: Option<Instant>,
    pub(super) job: Job,
}

/// What carries it.
pub(super) enum Job {
    /// A program.
    Task(AbortHandle),
    /// A dialogue.
    Talk(Box<Talk>),
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Self::Task(task) = self {
            task.abort();
        }
    }
}

impl Entry {
    /// The checks of a server.
    pub(super) fn of_server(
        proxy: &Arc<Proxy>,
        server: &Arc<Server>,
        script: &Arc<Script>,
        spread: u8,
    ) -> Vec<Self> {
        let log_all = proxy.ir.backend.as_ref().is_some_and(|half| half.check.log_all);
        let check = server.ir.check.as_ref().map(|check| {
            let paused = server.with_state(|s| s.admin().any(Admin::MAINT));
            let machine = Machine::new(check, spread, log_all, paused)
                .returning(server.ir.init_state)
                .starting_at(server.check.read().health, server.is_checked());
            Self::new(Kind::Check, proxy, server, script.clone(), machine)
        });
        let agent = server.ir.agent.as_ref().map(|agent| {
            let machine = Machine::agent(agent.inter, spread, log_all)
                .starting_at(server.agent.read().health, server.has_agent());
            Self::new(Kind::Agent, proxy, server, Arc::new(agent::script(&agent.send)), machine)
        });
        check.into_iter().chain(agent).collect()
    }

    fn new(
        kind: Kind,
        proxy: &Arc<Proxy>,
        server: &Arc<Server>,
        script: Arc<Script>,
        machine: Machine,
    ) -> Self {
        Self {
            kind,
            proxy: proxy.clone(),
            server: server.clone(),
            script,
            machine,
            partner: None,
            armed: 0,
            due: sys::clock::now(),
            running: None,
        }
    }

    /// Time between two checks.
    pub(super) fn inter(&self) -> Duration {
        let ir = &self.server.ir;
        match self.kind {
            Kind::Check => ir.check.as_ref().map(|c| c.inter),
            Kind::Agent => ir.agent.as_ref().map(|a| a.inter),
        }
        .unwrap_or_default()
    }

    /// Does what the agent said, all but the health, which the verdict is about.
    pub(super) fn obey_agent(&self, reply: &agent::Reply) -> Verdict {
        let mut refused = String::new();
        if let Some(up) = reply.says_up() {
            self.proxy.change_server(&self.server, |state, _| state.note_agent(up));
        }
        if let Some(request) = reply.admin {
            self.proxy.change_server(&self.server, |state, now| state.request(request, now));
        }
        if let Some(weight) = &reply.weight {
            match self.server.with_state(|state| state.parse_weight(weight)) {
                Ok(weight) => {
                    self.proxy.change_server(&self.server, |state, now| state.set_weight(weight, now));
                }
                Err(why) => why.clone_into(&mut refused),
            }
        }
        if let Some(maxconn) = &reply.maxconn {
            match parse_maxconn(maxconn) {
                Ok(maxconn) => {
                    self.server.set_maxconn(maxconn);
                    self.proxy.serve_queue();
                }
                Err(why) if refused.is_empty() => why.clone_into(&mut refused),
                Err(_) => {}
            }
        }
        reply.verdict(&refused)
    }

    /// Whose check it is, and which.
    pub(super) fn whose(&self) -> String {
        let kind = match self.kind {
            Kind::Check => "check",
            Kind::Agent => "agent",
        };
        format!("{kind} of {}/{}", self.proxy.ir.name, self.server.name())
    }

    /// What a trace of it can be locked on.
    pub(super) fn about(&self, index: usize) -> About {
        About {
            backend: About::proxy(self.proxy.idx),
            check: index as u64 + 1,
            server: About::server_of(self.proxy.idx, self.server.index),
            ..About::default()
        }
    }

    fn standing(&self) -> Standing {
        let machine = &self.machine;
        Standing { health: machine.health(), rise: machine.rise(), fall: machine.fall() }
    }

    /// Publishes what `show stat` shows.
    pub(super) fn report(&self) {
        let verdict = self.machine.verdict();
        let ended = !matches!(verdict.status, Status::Unknown | Status::Initial);
        let published = match self.kind {
            Kind::Check => &self.server.check,
            Kind::Agent => &self.server.agent,
        };
        *published.write() = CheckReport {
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

    pub(super) fn change(&self, op: Op) {
        if self.server.with_state(|state| state.ignores(op)) {
            return;
        }
        // With `option log-health-checks` the check's own line has said why.
        let cause = if self.machine.logs_all() { Cause::Tracking } else { self.cause() };
        self.proxy.change_server(&self.server, |state, now| state.set_op(op, &cause, now));
    }

    pub(super) fn log_check(&self) {
        let said = match self.machine.verdict().status.outcome() {
            Outcome::Passed => CheckSaid::Passed,
            Outcome::Conditional => CheckSaid::Conditional,
            Outcome::Failed | Outcome::None => CheckSaid::Failed,
        };
        let line = self
            .server
            .with_state(|s| s.check_line(self.kind == Kind::Agent, said, &self.cause(), self.standing()))
            .render(&Counts::default());
        self.proxy.announce(Level::Notice, &line, &line);
    }

    /// Where the check goes and how, and what its expressions see.
    pub(super) fn plan(&self, live: &Arc<Live>, node: &Arc<str>) -> (Plan, Stage) {
        let half = self.proxy.ir.backend.as_ref();
        let probing = self.server.probing.read();
        let (addr, port) = match self.kind {
            Kind::Check => (probing.check_addr, probing.check_port),
            Kind::Agent => (probing.agent_addr, Some(probing.agent_port)),
        };
        let socket = match self.kind {
            Kind::Check => self.server.ir.check.as_ref().and_then(|check| check.socket.as_ref()),
            Kind::Agent => self.server.ir.agent.as_ref().and_then(|agent| agent.socket.as_ref()),
        };
        // A command may have named an address since.
        let socket = socket.filter(|_| addr.is_none());
        let target = match self.server.address() {
            _ if let Some(path) = socket => Target::Unix(path.clone()),
            Address::Unknown => {
                addr.zip(port).map_or(Target::Nowhere, |(addr, port)| Target::Ip((addr, port).into()))
            }
            Address::Unix(path) if self.kind == Kind::Check || addr.is_none() => Target::Unix(path),
            Address::SockPair(fd) if self.kind == Kind::Check || addr.is_none() => Target::SockPair(fd),
            Address::Unix(_) | Address::SockPair(_) => {
                addr.zip(port).map_or(Target::Nowhere, |(addr, port)| Target::Ip((addr, port).into()))
            }
            Address::Ip(main) => {
                let ip = addr.unwrap_or_else(|| main.ip());
                Target::Ip((ip, port.unwrap_or_else(|| main.port())).into())
            }
        };
        // A check that goes where the traffic goes speaks as the traffic does, unless a command added the server.
        let same_place = addr.is_none() && socket.is_none() && port.is_none() && self.server.added.is_none();
        let mut send_proxy = self.server.ir.link.send_proxy;
        let asked = self.kind == Kind::Check && self.server.ir.check.as_ref().is_some_and(|c| c.send_proxy);
        let introduces = asked || same_place && send_proxy.is_on();
        send_proxy.v1 |= asked;
        let script = match self.kind {
            Kind::Check => self.script.clone(),
            // What it is asked may have been changed by command.
            Kind::Agent => Arc::new(agent::script(&probing.agent_send)),
        };
        let call = script.external.as_ref().map(|external| Call::new(external, &self.proxy, &self.server));
        let stage = Stage {
            live: live.clone(),
            proxy: self.proxy.clone(),
            server: self.server.clone(),
            node: node.clone(),
            unique_id: Default::default(),
        };
        let plan = Plan {
            script,
            server: self.server.clone(),
            call,
            target,
            source: self.server.ir.link.source.or_else(|| half.and_then(|h| h.source)),
            send_proxy,
            introduces,
            never_local: live.config.global.pp2_never_local,
            relay: self.server.ir.link.socks4,
            via_relay: self.kind == Kind::Check
                && self.server.ir.check.as_ref().is_some_and(|check| check.via_socks4),
            inter: self.inter(),
            timeout_connect: self.proxy.ir.timeouts.connect,
            timeout_check: self.proxy.ir.timeouts.check,
        };
        (plan, stage)
    }

    pub(super) fn subject(&self, node: &str) -> Subject {
        let (mut state_header, mut wall_clock) = (None, None);
        for step in &self.script.steps {
            match step {
                Step::SendHttp(_) if self.script.send_state => state_header = Some(self.state_header(node)),
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
            Address::Unknown | Address::SockPair(_) => (String::new(), String::new()),
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
            self.server.name(),
            self.server.counters.sessions.get(),
            sessions.saturating_sub(waiting),
            self.server.queue.len(),
        )
    }
}
