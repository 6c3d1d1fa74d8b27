//! Scripts and mails about state changes.

use crate::ir::vrrp::{Instance, Notify, NotifyScript};
use crate::sys::clock;
use crate::vrrp::fsm::{Notice, State};

use super::Core;

impl Core {
    pub(super) fn notice(&mut self, at: usize, notice: Notice) {
        let instance = self.instance(at).clone();
        let priority = self.engine.router(at).priority();
        match notice {
            Notice::State(state) => self.state_notice(at, &instance, &state.to_string(), Some(state)),
            // Without `notify_deleted` a removed instance is in FAULT, as it was before that word existed.
            Notice::Deleted if instance.notify.announce_deleted => {
                self.run_script(instance.notify.deleted.as_ref(), &[]);
                self.state_notice(at, &instance, "DELETED", None);
            }
            Notice::Deleted => self.state_notice(at, &instance, "FAULT", Some(State::Fault)),
            Notice::MasterRxLowerPri => {
                self.run_script(instance.notify.master_rx_lower_pri.as_ref(), &[]);
                self.fifos.say(&format!("INSTANCE \"{}\" MASTER_RX_LOWER_PRI {priority}\n", instance.name));
            }
            // Priority changes go to pipes only.
            Notice::PriorityChange => {
                let word = match self.engine.router(at).state() {
                    State::Master => "MASTER_PRIORITY",
                    _ => "BACKUP_PRIORITY",
                };
                if instance.notify.priority_changes {
                    self.fifos.say(&format!("INSTANCE \"{}\" {word} {priority}\n", instance.name));
                }
            }
        }
    }

    /// The order is keepalived's: the state's script, the general one, the pipes, the mail.
    fn state_notice(&mut self, at: usize, instance: &Instance, word: &str, state: Option<State>) {
        self.sides[at].last_transition = Some(clock::wall());
        let priority = self.engine.router(at).priority();
        if let Some(state) = state {
            self.run_script(for_state(&instance.notify, state), &[]);
        }
        let words = ["INSTANCE", &instance.name, word, &priority.to_string()];
        self.run_script(instance.notify.generic.as_ref(), &words);
        self.fifos.say(&format!("INSTANCE \"{}\" {word} {priority}\n", instance.name));
        if let Some(state) = state {
            self.mail(at, state);
        }
    }

    pub(super) fn group_notice(&mut self, at: usize, state: State) {
        let group = self.engine.config().sync_groups[at].clone();
        self.run_script(for_state(&group.notify, state), &[]);
        self.run_script(group.notify.generic.as_ref(), &["GROUP", &group.name, &state.to_string(), "0"]);
        self.fifos.say(&format!("GROUP \"{}\" {state} 0\n", group.name));
        if group.smtp_alert {
            self.mailer.group(&group.name, state, &self.journal);
        }
    }

    /// Tells the pipes how things that a reload kept are.
    pub(super) fn say_states(&mut self, moved: &[Option<usize>]) {
        let config = self.engine.config();
        let state = |at: usize| self.engine.router(at).state();
        let groups = config.sync_groups.iter().filter_map(|group| {
            let first = group.instances.first()?;
            Some(format!("GROUP \"{}\" {} 0\n", group.name, state(first.0 as usize)))
        });
        let kept = config.instances.iter().enumerate().filter(|(at, _)| moved[*at].is_some());
        let instances = kept.map(|(at, instance)| {
            let priority = self.engine.router(at).priority();
            format!("INSTANCE \"{}\" {} {priority}\n", instance.name, state(at))
        });
        let lines: Vec<String> = groups.chain(instances).collect();
        lines.iter().for_each(|line| self.fifos.say(line));
    }

    pub(super) fn run_script(&mut self, script: Option<&NotifyScript>, extra: &[&str]) {
        if let Some(script) = script {
            self.running.start(script, extra, &self.journal);
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
