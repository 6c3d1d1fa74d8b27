//! Changing a server's state and doing what follows from it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{Proxy, Server, Shutdown};
use crate::ir::{Caps, ProxyIdx, log::Severity, server::OnError};
use crate::log::console;
use crate::server::{Admin, Counts, Effect, Level, Op, ServerState, backend_down};
use crate::sys;

/// What the runner of checks is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckOrder {
    /// Stop checking.
    Pause,
    /// Check again at once.
    Resume,
    /// Call [`ServerState::warm_up`] after this time.
    WarmUpIn(Duration),
    /// A command set the health to its best or worst; the state has been changed already.
    Force(bool),
    /// A command suspended the check or took it up again.
    Enable(bool),
    /// The server was added by command; its check waits to be enabled.
    Join,
    /// The server was deleted by command.
    Leave,
    /// As [`Self::Force`], for the agent.
    ForceAgent(bool),
    /// As [`Self::Enable`], for the agent.
    EnableAgent(bool),
    /// Traffic saw too many errors in a row (`observe`).
    Observed {
        /// What to do about it.
        action: OnError,
        /// How many.
        errors: u32,
        /// The last one in words.
        last: &'static str,
    },
}

/// An order with its addressee: backend and number of the server.
pub type AddressedOrder = (ProxyIdx, usize, CheckOrder);

/// Way from state changes to the runner of checks, once that runs.
#[derive(Debug, Default)]
pub(super) struct CheckWire(std::sync::OnceLock<mpsc::UnboundedSender<AddressedOrder>>);

impl CheckWire {
    /// Orders from now on go to the receiver. `None`: somebody listens already.
    pub(super) fn listen(&self) -> Option<mpsc::UnboundedReceiver<AddressedOrder>> {
        let (orders, receiver) = mpsc::unbounded_channel();
        self.0.set(orders).ok().map(|()| receiver)
    }

    fn send(&self, order: AddressedOrder) {
        if let Some(orders) = self.0.get() {
            // A runner that is gone means that the process is ending.
            let _ = orders.send(order);
        }
    }
}

impl Proxy {
    /// Changes a server's state and does what follows: balancing, queues, sessions, log lines, servers that track it.
    ///
    /// `change` gets the state and the time, and returns what the state machine said.
    pub fn change_server(
        self: &Arc<Self>,
        server: &Arc<Server>,
        change: impl FnOnce(&mut ServerState, Instant) -> Vec<Effect>,
    ) {
        let (effects, op) = {
            let mut state = server.state.lock();
            let effects = change(&mut state, sys::clock::now());
            server.mirror(&state);
            (effects, state.op())
        };
        // Most checks say what is known already; nobody is to be woken for that.
        if !effects.is_empty() {
            self.perform(server, effects, op);
        }
    }

    /// Are those who wait for a server that takes no more to look for another? In maintenance it is not to have them;
    /// otherwise the configuration says so, and where it does not they wait on.
    fn sends_on(&self, server: &Server) -> bool {
        let half = self.ir.backend.as_ref();
        let redispatches = half.is_some_and(|half| half.redispatch.is_some() && !half.persist);
        redispatches || server.state.lock().admin().any(Admin::MAINT)
    }

    /// Does what a state machine that now is in `op` said.
    fn perform(self: &Arc<Self>, server: &Arc<Server>, effects: Vec<Effect>, op: Op) {
        let mut requeued = 0;
        for effect in effects {
            match effect {
                Effect::CountDown => server.counters.chkdown.inc(),
                Effect::Rebalance => self.rebalance(server),
                Effect::ShutdownSessions => server.shutdown_sessions(Shutdown::Down),
                Effect::ShutdownBackupSessions => {
                    let servers = self.backend.iter().flat_map(|b| b.servers());
                    servers.filter(|s| s.ir.backup).for_each(|s| s.shutdown_sessions(Shutdown::Up));
                }
                Effect::DropIdle => server.drop_idle(),
                Effect::RedistributeQueue if self.sends_on(server) => requeued = server.queue.flush() as u32,
                Effect::RedistributeQueue => {}
                Effect::GrabQueue => requeued = self.serve_queue_of(server),
                Effect::PauseChecks if server.ir.check.is_none() => server.check.write().health = 0,
                Effect::PauseChecks => self.check_wire.send((self.idx, server.index, CheckOrder::Pause)),
                Effect::ResumeChecks if server.ir.check.is_none() => {
                    let (rise, fall) = server.rise_and_fall();
                    if let Some(health) = server.ir.init_state.health(rise, fall) {
                        server.check.write().health = health;
                    }
                }
                Effect::ResumeChecks => self.check_wire.send((self.idx, server.index, CheckOrder::Resume)),
                Effect::WarmUpIn(after) => {
                    self.check_wire.send((self.idx, server.index, CheckOrder::WarmUpIn(after)));
                }
                Effect::Log(report) => {
                    let text = report.render(&self.counts(server, requeued));
                    self.announce(report.level, &text, &text);
                    self.note_backend_health();
                }
                Effect::Propagate(follow) => {
                    let trackers = server.trackers.lock().clone();
                    for (proxy, index) in trackers {
                        let Some(proxy) = proxy.upgrade() else { continue };
                        let Some(tracker) = proxy.backend.as_ref().and_then(|b| b.server(index)) else {
                            continue;
                        };
                        proxy.change_server(&tracker, |state, now| state.follow(follow, op, now));
                    }
                }
            }
        }
        self.note_backend_health();
        self.changed.notify_waiters();
    }

    /// Suspends a server's check or takes it up again; its state stays as it is meanwhile.
    pub fn enable_check(&self, server: &Server, enabled: bool) {
        server.set_check_suspended(!enabled);
        self.order_check(server, CheckOrder::Enable(enabled));
    }

    /// Suspends a server's agent check or takes it up again.
    pub fn enable_agent(&self, server: &Server, enabled: bool) {
        server.set_agent_suspended(!enabled);
        self.order_check(server, CheckOrder::EnableAgent(enabled));
    }

    /// Tells the runner of checks something about a server.
    pub fn order_check(&self, server: &Server, order: CheckOrder) {
        self.check_wire.send((self.idx, server.index, order));
    }

    /// Writes to the proxy's logs and, while the process still has a terminal, to standard error.
    pub fn announce(&self, level: Level, text: &str, on_console: &str) {
        let severity = match level {
            Level::Emergency => Severity(0),
            Level::Alert => Severity(1),
            Level::Notice => Severity(5),
        };
        let kind = if level == Level::Emergency { console::Kind::Alert } else { console::Kind::Warning };
        console::say(kind, on_console);
        self.log(severity, text.as_bytes());
    }

    /// Writes to the proxy's logs.
    pub fn log(&self, severity: Severity, message: &[u8]) {
        self.logger.send(&self.logs, severity, self.ir.log_tag.as_deref(), message);
    }

    fn rebalance(&self, server: &Server) {
        let Some(backend) = &self.backend else { return };
        let (weight, usable) = server.balance_view();
        backend.balancer().update(server.index, weight, usable);
    }

    fn counts(&self, server: &Server, requeued: u32) -> Counts {
        let (active, backup) = self.backend.as_ref().map_or((0, 0), super::Backend::usable);
        Counts {
            active,
            backup,
            sessions: u64::from(server.counters.sessions.get()),
            requeued,
            queued: server.queue.len() as u32,
        }
    }

    /// Notes that the backend as a whole came up or went down.
    fn note_backend_health(&self) {
        let Some(backend) = &self.backend else { return };
        let up = backend.balancer().total_weight() > 0 || backend.servers().is_empty();
        {
            let mut health = backend.health.lock();
            if health.up == up {
                return;
            }
            let now_ms = sys::clock::now_ms();
            if up {
                health.down_ms += now_ms.saturating_sub(health.changed_ms);
            }
            health.changed_ms = now_ms;
            health.up = up;
        }
        if !up {
            backend.counters.chkdown.inc();
            let kind = if self.ir.caps == Caps::Listen { "proxy" } else { "backend" };
            let (level, text) = backend_down(kind, &self.ir.name);
            let on_console = format!("{kind} '{}' has no server available!", self.ir.name);
            self.announce(level, &text, &on_console);
        }
    }
}
