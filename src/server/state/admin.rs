//! Maintenance and drain: what the administrator, a tracked server or a name without an address wants.

use std::time::Instant;

use super::ServerState;
use crate::server::report::{Level, Report};
use crate::server::{Admin, AdminRequest, Cause, Effect, Follow, Op};

impl ServerState {
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
        if !self.settings.checked {
            effects.push(Effect::PauseChecks);
        }
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
        let wanted = self.settings.init.is_up();
        if self.settings.checked || wanted.is_some() {
            effects.push(Effect::ResumeChecks);
        }
        match tracked {
            _ if wanted == Some(true) => {
                self.note_up(now);
                (self.op, self.last_change) = (Op::Running, now);
                self.recompute_weight(now);
            }
            _ if wanted == Some(false) || self.agent_down => {}
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
    pub(super) fn recall_drain(&self, effects: &mut Vec<Effect>) {
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

fn inherited(flag: Admin) -> Admin {
    if flag.any(Admin::MAINT) { Admin::INHERITED_MAINT } else { Admin::INHERITED_DRAIN }
}
