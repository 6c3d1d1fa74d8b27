//! Scripts and mails about state changes.

use crate::ir::vrrp::{Notify, NotifyScript};
use crate::sys::clock;
use crate::vrrp::fsm::{Notice, State};

use super::Core;

impl Core {
    pub(super) fn notice(&mut self, at: usize, notice: Notice) {
        let instance = self.instance(at).clone();
        let priority = self.engine.router(at).priority();
        let word = match notice {
            Notice::State(state) => {
                self.sides[at].last_transition = Some(clock::wall());
                self.mail(at, state);
                self.run_script(for_state(&instance.notify, state), &[]);
                state.to_string()
            }
            Notice::MasterRxLowerPri => {
                self.run_script(instance.notify.master_rx_lower_pri.as_ref(), &[]);
                return;
            }
            // Priority changes go to FIFOs only.
            Notice::PriorityChange => return,
        };
        let priority = priority.to_string();
        self.run_script(instance.notify.generic.as_ref(), &["INSTANCE", &instance.name, &word, &priority]);
    }

    pub(super) fn group_notice(&mut self, at: usize, state: State) {
        let group = self.engine.config().sync_groups[at].clone();
        self.run_script(for_state(&group.notify, state), &[]);
        self.run_script(group.notify.generic.as_ref(), &["GROUP", &group.name, &state.to_string(), "0"]);
        if group.smtp_alert {
            self.mailer.group(&group.name, state, &self.journal);
        }
    }

    pub(super) fn run_script(&mut self, script: Option<&NotifyScript>, extra: &[&str]) {
        let Some(script) = script else { return };
        if let Err(e) = self.running.start(script, extra) {
            self.journal.warn(format!("cannot run {}: {e}", script.line));
        }
    }

    pub(super) fn mail(&mut self, at: usize, state: State) {
        let instance = self.instance(at);
        let silent = state == State::Fault && self.engine.config().global.no_email_faults;
        if !instance.smtp_alert || silent || self.sides[at].last_mail == Some(state) {
            return;
        }
        let name = instance.name.clone();
        self.sides[at].last_mail = Some(state);
        self.mailer.instance(&name, state, &self.journal);
    }
}

/// The script of one state.
fn for_state(notify: &Notify, state: State) -> Option<&NotifyScript> {
    match state {
        State::Master => notify.master.as_ref(),
        State::Backup => notify.backup.as_ref(),
        State::Fault => notify.fault.as_ref(),
        State::Stop => notify.stop.as_ref(),
        State::Init => None,
    }
}
