//! The state of one server and its transitions.

use std::time::{Duration, Instant};

use super::report::{Label, Level, Report};
use super::{Admin, AdminRequest, Cause, CheckSaid, Effect, Follow, Op, Standing};
use crate::ir;
use crate::ir::server::OnMark;

/// Steps of effective weight per unit of user weight.
const WEIGHT_SCALE: u64 = 16;

/// Time between two steps of a slow start.
const WARM_UP_STEP: Duration = Duration::from_secs(1);

/// What does not change while running.
#[derive(Clone, Debug)]
pub struct Settings {
    label: Label,
    slowstart: Option<Duration>,
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
            ir::ServerAddr::Ip(_) | ir::ServerAddr::Unix(_) => None,
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
        let begins_down = server.check.as_ref().is_some_and(|check| check.first_health() < check.rise);
        let op = if admin.any(Admin::MAINT) || begins_down { Op::Stopped } else { Op::Running };
        let mut state = Self {
            settings: Settings {
                label,
                // Counted in whole seconds, rounded up.
                slowstart: server
                    .slowstart
                    .map(|d| Duration::from_secs(d.as_millis().div_ceil(1000) as u64))
                    .filter(|d| !d.is_zero()),
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

    /// Configured weight (`iweight`).
    #[must_use]
    pub fn initial_weight(&self) -> u16 {
        self.initial_weight
    }

    /// Weight as last set (`uweight`).
    #[must_use]
    pub fn user_weight(&self) -> u16 {
        self.user_weight
    }

    /// Effective weight for the balancer: sixteenths of the user's weight, less during a slow start.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Effective weight in units of the user's weight, as `show stat` has it.
    #[must_use]
    pub fn shown_weight(&self) -> u32 {
        self.weight.div_ceil(WEIGHT_SCALE as u32)
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

    /// How full the slow start is, in percent (`throttle`); `None` outside of one.
    #[must_use]
    pub fn throttle(&self, now: Instant) -> Option<u32> {
        let slowstart = self.settings.slowstart.filter(|_| self.op == Op::Starting)?;
        let percent = 100 * now.saturating_duration_since(self.last_change).as_secs() / slowstart.as_secs();
        Some(percent.clamp(1, 100) as u32)
    }

    /// A check came to a verdict (or a command spoke for it): the operational state changes unless it is that
    /// already, or the server is in maintenance. [`Op::Starting`] and [`Op::Running`] both mean up.
    pub fn set_op(&mut self, op: Op, cause: &Cause, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        let same = op == self.op || (op.is_up() && self.op.is_up());
        if same || self.admin.any(Admin::MAINT) {
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

    /// `set server ... state`, `disable server`, `enable server`.
    pub fn request(&mut self, request: AdminRequest, now: Instant) -> Vec<Effect> {
        match request {
            AdminRequest::Maint => {
                let mut effects = self.set_flag(Admin::FORCED_MAINT, "", now);
                effects.extend(self.clear_flag(Admin::FORCED_DRAIN, None, now));
                effects
            }
            AdminRequest::Drain => {
                let mut effects = self.set_flag(Admin::FORCED_DRAIN, "", now);
                effects.extend(self.clear_flag(Admin::FORCED_MAINT, None, now));
                effects
            }
            AdminRequest::Ready => {
                let mut effects = self.clear_flag(Admin::FORCED_DRAIN, None, now);
                effects.extend(self.clear_flag(Admin::FORCED_MAINT, None, now));
                effects
            }
        }
    }

    /// Added by command rather than written `disabled`: only the command's maintenance holds it.
    pub fn added_by_command(&mut self) {
        self.admin = self.admin.without(Admin::CONFIG_MAINT);
    }

    /// Its name got an address before the process went to work: no slow start, nothing to log.
    pub fn resolved_at_start(&mut self, now: Instant) -> Vec<Effect> {
        self.admin = self.admin.without(Admin::RESOLUTION_MAINT);
        if !self.admin.any(Admin::MAINT) {
            self.op = Op::Running;
            (self.down_since, self.last_change) = (None, now);
            self.recompute_weight(now);
        }
        vec![Effect::Rebalance]
    }

    /// A command named it.
    pub fn named_by_command(&mut self) -> Vec<Effect> {
        self.admin = self.admin.with(Admin::NAME_BY_COMMAND);
        Vec::new()
    }

    /// Sets one administrative flag. `why` stands in parentheses in the log line; empty: nothing stands there.
    pub fn set_flag(&mut self, flag: Admin, why: &str, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.admin.any(flag) {
            return effects;
        }
        let before = self.admin;
        self.admin = self.admin.with(flag);
        let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
        if !before.any(Admin::MAINT) && self.admin.any(Admin::MAINT) {
            self.enter_maintenance(&mut effects, &why, before, now);
        } else if !self.admin.any(Admin::MAINT) && !before.any(Admin::DRAIN) && self.admin.any(Admin::DRAIN) {
            self.enter_drain(&mut effects, &why, now);
        } else {
            self.recall_drain(&mut effects);
        }
        let kind = if flag.any(Admin::MAINT) { Admin::MAINT } else { Admin::DRAIN };
        if flag.any(Admin::MAINT.with(Admin::DRAIN)) && !before.any(kind) {
            effects.push(Effect::Propagate(Follow::Set(inherited(flag))));
        }
        effects
    }

    /// Clears one administrative flag. A server that leaves maintenance comes up at once unless the server it tracks,
    /// whose state is `tracked`, is down.
    pub fn clear_flag(&mut self, flag: Admin, tracked: Option<Op>, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        if !self.admin.any(flag) {
            return effects;
        }
        let before = self.admin;
        self.admin = self.admin.without(flag);
        if before.any(Admin::MAINT) && !self.admin.any(Admin::MAINT) {
            self.leave_maintenance(&mut effects, flag, tracked, now);
            self.recall_drain(&mut effects);
        } else if self.admin.any(Admin::MAINT) {
            self.remain_in_maintenance(&mut effects, flag);
        } else if before.any(Admin::DRAIN) && !self.admin.any(Admin::DRAIN) {
            self.leave_drain(&mut effects, now);
        } else {
            self.recall_drain(&mut effects);
        }
        let kind = if flag.any(Admin::MAINT) { Admin::MAINT } else { Admin::DRAIN };
        if flag.any(Admin::MAINT.with(Admin::DRAIN)) && !self.admin.any(kind) {
            effects.push(Effect::Propagate(Follow::Clear(inherited(flag))));
        }
        effects
    }

    /// Does as the tracked server did; `tracked` is that one's state now.
    pub fn follow(&mut self, follow: Follow, tracked: Op, now: Instant) -> Vec<Effect> {
        match follow {
            Follow::Op(op) => self.set_op(op, &Cause::Tracking, now),
            Follow::Set(flag) => self.set_flag(flag, "", now),
            Follow::Clear(flag) => self.clear_flag(flag, Some(tracked), now),
        }
    }

    /// Sets the user's weight, 0..=256.
    pub fn set_weight(&mut self, weight: u16, now: Instant) -> Vec<Effect> {
        self.user_weight = weight;
        let mut effects = self.reweigh(now);
        self.recall_drain(&mut effects);
        effects
    }

    /// Reads a weight as commands and agents give it: `0`..`256`, or a percentage of the configured weight.
    ///
    /// # Errors
    /// What HAProxy answers to a weight it does not take.
    pub fn parse_weight(&self, text: &str) -> Result<u16, &'static str> {
        if text.is_empty() {
            return Err("Require <weight> or <weight%>.\n");
        }
        let digits = text.trim_start_matches(['+', '-']).bytes().take_while(u8::is_ascii_digit).count();
        let sign = usize::from(text.starts_with(['+', '-']));
        if digits == 0 {
            return Err("Empty weight string empty or preceded by garbage");
        }
        let (number, rest) = text.split_at(sign + digits);
        let number: i64 = number.parse().unwrap_or(i64::MAX);
        let weight = match rest {
            "%" if number < 0 => return Err("Relative weight must be positive.\n"),
            "%" => (i64::from(self.initial_weight) * number.min(25_600) / 100).min(256),
            _ if !(0..=256).contains(&number) => {
                return Err("Absolute weight can only be between 0 and 256 inclusive.\n");
            }
            "" => number,
            _ => return Err("Trailing garbage in weight string"),
        };
        if weight != 0 && weight != i64::from(self.initial_weight) && !self.settings.dynamic {
            return Err("Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.\n");
        }
        Ok(weight as u16)
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

    /// One step of a slow start.
    pub fn warm_up(&mut self, now: Instant) -> Vec<Effect> {
        if self.op != Op::Starting || self.admin.any(Admin::MAINT) {
            return Vec::new();
        }
        let mut effects = self.reweigh(now);
        effects.push(Effect::GrabQueue);
        if self.op == Op::Starting {
            effects.push(Effect::WarmUpIn(WARM_UP_STEP));
        }
        effects
    }

    fn reweigh(&mut self, now: Instant) -> Vec<Effect> {
        if self.admin.any(Admin::MAINT) {
            // It counts from the return on.
            return Vec::new();
        }
        let before = (self.weight, self.op);
        self.recompute_weight(now);
        if (self.weight, self.op) == before { Vec::new() } else { vec![Effect::Rebalance] }
    }

    fn recompute_weight(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.last_change).as_secs();
        let slowstart = self.settings.slowstart.map_or(0, |d| d.as_secs());
        if self.op == Op::Starting && elapsed >= slowstart {
            self.op = Op::Running;
        }
        let scale = if self.op == Op::Starting && self.settings.dynamic {
            // At least one step at once, so that it gets a first request.
            (WEIGHT_SCALE * elapsed + slowstart) / slowstart
        } else {
            WEIGHT_SCALE
        };
        self.weight = (u64::from(self.user_weight) * scale) as u32;
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

    fn enter_maintenance(&mut self, effects: &mut Vec<Effect>, why: &str, before: Admin, now: Instant) {
        let subject = self.settings.label.subject();
        // A command speaks for itself; an inherited state names whom it came from.
        let via = if self.admin.any(Admin::FORCED_MAINT) { String::new() } else { self.settings.label.via() };
        if self.settings.checked {
            effects.push(Effect::PauseChecks);
        }
        if self.op == Op::Stopped {
            let text = format!("{subject} was DOWN and now enters maintenance{why}");
            effects.push(Effect::Log(Report::uncounted(Level::Notice, text, &Cause::Tracking, &via)));
            return;
        }
        let was_stopping = self.op == Op::Stopping || before.any(Admin::DRAIN);
        self.last_change = now;
        self.go_down(now);
        effects.push(Effect::CountDown);
        effects.push(Effect::Rebalance);
        self.push_marked_down(effects);
        effects.push(Effect::DropIdle);
        effects.push(Effect::RedistributeQueue);
        let level = if was_stopping { Level::Notice } else { Level::Alert };
        let text = format!("{subject} is going DOWN for maintenance{why}");
        effects.push(Effect::Log(Report::counted(level, text, &Cause::Tracking, &via, self.op)));
    }

    fn leave_maintenance(
        &mut self,
        effects: &mut Vec<Effect>,
        flag: Admin,
        tracked: Option<Op>,
        now: Instant,
    ) {
        if self.settings.checked {
            effects.push(Effect::ResumeChecks);
        }
        match tracked {
            _ if self.agent_down => {}
            Some(Op::Stopped) => {}
            Some(Op::Stopping) => {
                self.note_up(now);
                self.op = Op::Stopping;
            }
            Some(Op::Starting | Op::Running) | None => self.come_up(effects, now),
        }
        let label = &self.settings.label;
        let op = if self.op == Op::Stopped { "DOWN" } else { "UP" };
        let admin = if self.admin.any(Admin::DRAIN) { "DRAIN" } else { "READY" };
        let (name, how) = if flag.any(Admin::RESOLUTION_MAINT) {
            (format!(" ('{}')", label.hostname.as_deref().unwrap_or_default()), "resolves again")
        } else if flag.any(Admin::INHERITED_MAINT) {
            (String::new(), "leaving maintenance")
        } else {
            (String::new(), "leaving forced maintenance")
        };
        let text = format!("{}{name} is {op}/{admin} ({how})", label.subject());
        effects.push(Effect::Log(Report::plain(Level::Notice, text)));
        effects.push(Effect::Rebalance);
        self.push_marked_up(effects);
        effects.push(Effect::GrabQueue);
    }

    fn remain_in_maintenance(&self, effects: &mut Vec<Effect>, flag: Admin) {
        let label = &self.settings.label;
        let (subject, via) = (label.subject(), label.via());
        let text = if flag.any(Admin::FORCED_MAINT) {
            format!("{subject} is leaving forced maintenance but remains in maintenance{via}")
        } else if flag.any(Admin::RESOLUTION_MAINT) {
            let name = label.hostname.as_deref().unwrap_or_default();
            format!("{subject} ('{name}') resolves again but remains in maintenance{via}")
        } else if flag.any(Admin::INHERITED_MAINT) {
            format!("{subject} remains in forced maintenance")
        } else {
            return;
        };
        effects.push(Effect::Log(Report::plain(Level::Notice, text)));
    }

    fn enter_drain(&mut self, effects: &mut Vec<Effect>, why: &str, now: Instant) {
        self.last_change = now;
        effects.push(Effect::Rebalance);
        effects.push(Effect::RedistributeQueue);
        let via = if self.admin.any(Admin::FORCED_DRAIN) { String::new() } else { self.settings.label.via() };
        let text = format!("{} enters drain state{why}", self.settings.label.subject());
        effects.push(Effect::Log(Report::counted(Level::Notice, text, &Cause::Tracking, &via, self.op)));
    }

    fn leave_drain(&mut self, effects: &mut Vec<Effect>, now: Instant) {
        self.last_change = now;
        self.recompute_weight(now);
        let op = if self.op == Op::Stopped { "DOWN" } else { "UP" };
        let text = format!("{} is {op} (leaving forced drain)", self.settings.label.subject());
        effects.push(Effect::Log(Report::plain(Level::Notice, text)));
        effects.push(Effect::Rebalance);
    }

    /// Whatever happens to a drained server, the log recalls that it is drained.
    fn recall_drain(&self, effects: &mut Vec<Effect>) {
        if !self.admin.any(Admin::DRAIN) || self.admin.any(Admin::MAINT) {
            return;
        }
        let label = &self.settings.label;
        let subject = label.subject();
        let text = if self.admin.any(Admin::FORCED_DRAIN) {
            format!("{subject} remains in forced drain mode")
        } else {
            format!("{subject} is leaving forced drain but remains in drain mode{}", label.via())
        };
        effects.push(Effect::Log(Report::plain(Level::Notice, text)));
    }
}

/// Reads a `maxconn` as commands and agents give it.
///
/// # Errors
/// What HAProxy answers to what is none.
pub fn parse_maxconn(text: &str) -> Result<u32, &'static str> {
    if text.is_empty() {
        return Err("Require <maxconn>.\n");
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = digits.bytes().take_while(u8::is_ascii_digit).count();
    if end == 0 {
        return Err("maxconn string empty or preceded by garbage\n");
    }
    if end < digits.len() {
        return Err("Trailing garbage in maxconn string\n");
    }
    Ok(text.parse::<i64>().unwrap_or(i64::MAX).clamp(0, i64::from(u32::MAX)) as u32)
}

fn inherited(flag: Admin) -> Admin {
    if flag.any(Admin::MAINT) { Admin::INHERITED_MAINT } else { Admin::INHERITED_DRAIN }
}

/// How many requests a server may work on at once: `maxconn`, scaled down to `minconn` while the backend's load
/// `backend_conns` is below `fullconn`, and by the slow start's `throttle` (percent). 0: any number.
#[must_use]
pub fn dynamic_limit(
    maxconn: u32,
    minconn: u32,
    fullconn: u32,
    backend_conns: u32,
    throttle: Option<u32>,
) -> u32 {
    let limit = if minconn == 0 || minconn == maxconn || backend_conns >= fullconn {
        maxconn
    } else {
        let scaled = u64::from(backend_conns) * u64::from(maxconn) / u64::from(fullconn.max(1));
        minconn.max(scaled as u32)
    };
    match throttle {
        Some(percent) if limit > 0 => (u64::from(limit) * u64::from(percent) / 100).max(1) as u32,
        _ => limit,
    }
}
