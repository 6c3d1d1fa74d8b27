//! The state of one server and its transitions: what checks say here, what the administrator wants in `admin`, and
//! the weight that follows in `weight`.

mod admin;
mod weight;

use std::time::{Duration, Instant};

use super::report::{Label, Level, Report};
use super::{Admin, Cause, CheckSaid, Effect, Follow, Op, Standing};
use crate::ir;
use crate::ir::server::{InitState, OnMark};

pub use weight::{dynamic_limit, parse_maxconn};

/// Time between two steps of a slow start.
const WARM_UP_STEP: Duration = Duration::from_secs(1);

/// What does not change while running.
#[derive(Clone, Debug)]
pub struct Settings {
    label: Label,
    slowstart: Option<Duration>,
    init: InitState,
    /// The algorithm can follow changes of weight.
    dynamic: bool,
    on_marked_down: OnMark,
    on_marked_up: OnMark,
    /// Whether the server has a check or an agent.
    checked: bool,
}

/// State of one server.
#[derive(Clone, Debug)]
pub struct ServerState {
    settings: Settings,
    op: Op,
    admin: Admin,
    /// Weight as configured.
    initial_weight: u16,
    /// Weight as last set.
    user_weight: u16,
    weight: u32,
    last_change: Instant,
    down_since: Option<Instant>,
    down_time: Duration,
    /// The agent's last word on it was that it is down.
    agent_down: bool,
}

impl ServerState {
    /// A server at start: up until a check says otherwise, in maintenance if `disabled` or as long as its name has no
    /// address ([`Self::resolved_at_start`]). `dynamic` tells whether the
    /// balancing algorithm can follow weights.
    #[must_use]
    pub fn new(backend: &str, server: &ir::Server, dynamic: bool, now: Instant) -> Self {
        let hostname = match &server.addr {
            ir::ServerAddr::Name { host, .. } => Some(host.clone()),
            ir::ServerAddr::Ip(_) | ir::ServerAddr::Unix(_) | ir::ServerAddr::SockPair(_) => None,
        };
        let label = Label {
            backend: backend.to_owned(),
            server: server.name.clone(),
            backup: server.backup,
            hostname,
            track: server.track.clone(),
        };
        let mut admin = Admin::default();
        if server.disabled {
            admin = admin.with(Admin::FORCED_MAINT).with(Admin::CONFIG_MAINT);
        }
        if matches!(server.addr, ir::ServerAddr::Name { .. }) {
            admin = admin.with(Admin::RESOLUTION_MAINT);
        }
        let begins_down = server.init_state.is_up() == Some(false);
        let op = if admin.any(Admin::MAINT) || begins_down { Op::Stopped } else { Op::Running };
        let mut state = Self {
            settings: Settings {
                label,
                // Counted in whole seconds, rounded up.
                slowstart: server
                    .slowstart
                    .map(|d| Duration::from_secs(d.as_millis().div_ceil(1000) as u64))
                    .filter(|d| !d.is_zero()),
                init: server.init_state,
                dynamic,
                on_marked_down: server.on_marked_down,
                on_marked_up: server.on_marked_up,
                checked: server.check.is_some() || server.agent.is_some(),
            },
            op,
            admin,
            initial_weight: server.weight,
            user_weight: server.weight,
            weight: 0,
            last_change: now,
            down_since: (op == Op::Stopped).then_some(now),
            down_time: Duration::ZERO,
            agent_down: false,
        };
        state.recompute_weight(now);
        state
    }

    /// Operational state.
    #[must_use]
    pub fn op(&self) -> Op {
        self.op
    }

    /// Administrative flags.
    #[must_use]
    pub fn admin(&self) -> Admin {
        self.admin
    }

    /// Whether the state lets the server take new requests (its weight may still be 0).
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.op.is_up() && !self.admin.any(Admin::MAINT.with(Admin::DRAIN))
    }

    /// Time of the last transition (`lastchg` counts from it).
    #[must_use]
    pub fn last_change(&self) -> Instant {
        self.last_change
    }

    /// Time spent down so far (`downtime`).
    #[must_use]
    pub fn down_time(&self, now: Instant) -> Duration {
        self.down_time + self.down_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// The tracked server as (backend, server).
    #[must_use]
    pub fn track(&self) -> Option<(&str, &str)> {
        self.settings.label.track.as_ref().map(|(b, s)| (b.as_str(), s.as_str()))
    }

    /// Whether [`Self::set_op`] with this state would change nothing.
    #[must_use]
    pub fn ignores(&self, op: Op) -> bool {
        op == self.op || (op.is_up() && self.op.is_up()) || self.admin.any(Admin::MAINT)
    }

    /// A check came to a verdict (or a command spoke for it): the operational state changes unless it is that
    /// already, or the server is in maintenance. [`Op::Starting`] and [`Op::Running`] both mean up.
    pub fn set_op(&mut self, op: Op, cause: &Cause, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.ignores(op) {
            return effects;
        }
        let was_stopping = self.was_stopping();
        let subject = self.settings.label.subject();
        let via = self.settings.label.via();
        self.last_change = now;
        match op {
            Op::Stopped => {
                self.go_down(now);
                effects.push(Effect::CountDown);
                effects.push(Effect::Rebalance);
                self.push_marked_down(&mut effects);
                effects.push(Effect::RedistributeQueue);
                // A server that was taken out of rotation before is no surprise.
                let level = if was_stopping { Level::Notice } else { Level::Alert };
                let text = format!("{subject} is DOWN");
                effects.push(Effect::Log(Report::counted(level, text, cause, &via, self.op)));
            }
            Op::Stopping => {
                self.note_up(now);
                self.op = Op::Stopping;
                effects.push(Effect::Rebalance);
                effects.push(Effect::RedistributeQueue);
                let text = format!("{subject} is stopping");
                effects.push(Effect::Log(Report::counted(Level::Notice, text, cause, &via, self.op)));
            }
            Op::Starting | Op::Running => {
                self.come_up(&mut effects, now);
                effects.push(Effect::Rebalance);
                self.push_marked_up(&mut effects);
                effects.push(Effect::GrabQueue);
                let text = format!("{subject} is UP");
                effects.push(Effect::Log(Report::counted(Level::Notice, text, cause, &via, self.op)));
            }
        }
        self.recall_drain(&mut effects);
        effects.push(Effect::Propagate(Follow::Op(op)));
        effects
    }

    /// The line of `option log-health-checks`: what the check said and where it leaves the server. `agent`: it was
    /// the agent's.
    #[must_use]
    pub fn check_line(&self, agent: bool, said: CheckSaid, cause: &Cause, standing: Standing) -> Report {
        let label = &self.settings.label;
        let kind = if agent { "Agent" } else { "Health" };
        let backup = if label.backup { "backup " } else { "" };
        let said = match said {
            CheckSaid::Failed => "failed",
            CheckSaid::Passed => "succeeded",
            CheckSaid::Conditional => "conditionally succeeded",
        };
        let text = format!("{kind} check for {backup}server {}/{} {said}", label.backend, label.server);
        let up = standing.health >= standing.rise;
        let word = match (up, self.user_weight) {
            (false, _) => "DOWN",
            (true, 0) => "DRAIN",
            (true, _) => "UP",
        };
        Report::with_status(text, cause, &label.via(), &format!("{} {word}", standing.fraction(up)))
    }

    /// Its name got an address before the process went to work: no slow start, nothing to log.
    pub fn resolved_at_start(&mut self, now: Instant) -> Vec<Effect> {
        self.admin = self.admin.without(Admin::RESOLUTION_MAINT);
        if !self.admin.any(Admin::MAINT) {
            self.last_change = now;
            if self.settings.init.is_up() != Some(false) {
                self.op = Op::Running;
                self.down_since = None;
            }
            self.recompute_weight(now);
        }
        vec![Effect::Rebalance]
    }

    /// It is called otherwise from now on.
    pub fn call(&mut self, name: &str) {
        name.clone_into(&mut self.settings.label.server);
    }

    /// A command named its host.
    pub fn named_by_command(&mut self) -> Vec<Effect> {
        self.admin = self.admin.with(Admin::NAME_BY_COMMAND);
        Vec::new()
    }

    /// Does as the tracked server did; `tracked` is that one's state now.
    pub fn follow(&mut self, follow: Follow, tracked: Op, now: Instant) -> Vec<Effect> {
        match follow {
            Follow::Op(op) => self.set_op(op, &Cause::Tracking, now),
            Follow::Set(flag) => self.set_flag(flag, "", now),
            Follow::Clear(flag) => self.clear_flag(flag, Some(tracked), now),
        }
    }

    /// The last transition was at this time, before the process began.
    pub fn restore_last_change(&mut self, at: Instant) -> Vec<Effect> {
        self.last_change = at;
        if self.op == Op::Stopped {
            self.down_since = Some(self.down_since.map_or(at, |since| since.max(at)));
        }
        Vec::new()
    }

    /// What the agent last said about the server, which counts when it leaves maintenance.
    pub fn note_agent(&mut self, up: bool) -> Vec<Effect> {
        self.agent_down = !up;
        Vec::new()
    }

    fn was_stopping(&self) -> bool {
        self.op == Op::Stopping || self.admin.any(Admin::DRAIN)
    }

    fn go_down(&mut self, now: Instant) {
        self.op = Op::Stopped;
        self.down_since = Some(now);
    }

    fn note_up(&mut self, now: Instant) {
        if let Some(since) = self.down_since.take() {
            self.down_time += now.saturating_duration_since(since);
        }
    }

    fn come_up(&mut self, effects: &mut Vec<Effect>, now: Instant) {
        self.note_up(now);
        self.last_change = now;
        self.op = Op::Running;
        if self.settings.slowstart.is_some() {
            self.op = Op::Starting;
            effects.push(Effect::WarmUpIn(WARM_UP_STEP));
        }
        self.recompute_weight(now);
    }

    fn push_marked_down(&self, effects: &mut Vec<Effect>) {
        if self.settings.on_marked_down == OnMark::ShutdownSessions {
            effects.push(Effect::ShutdownSessions);
        }
    }

    fn push_marked_up(&self, effects: &mut Vec<Effect>) {
        if self.settings.on_marked_up == OnMark::ShutdownSessions
            && !self.settings.label.backup
            && self.weight > 0
        {
            effects.push(Effect::ShutdownBackupSessions);
        }
    }
}
