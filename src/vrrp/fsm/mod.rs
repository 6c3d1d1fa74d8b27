//! The election: one virtual router as a pure machine.
//!
//! [`Router::step`] takes an input and the time and returns effects. It reads no clock, opens no socket
//! and sets no timer; timers are effects with a [`Duration`], so that tests assert them like packets and the
//! same machine runs on the wire, under a simulator and in replay.
//!
//! Sources: RFC 3768 6.4, RFC 5798 6.4, and what keepalived 2.2.7 was seen to do where they leave room.
//! Deliberate differences: a backup that sees the priority of its master fall below its own waits the skew time instead
//! of the whole master-down time; a priority change is advertised at once; and a master that was only cut off and comes
//! back hears once of the one that stood in for it, because it announces its addresses anew when it does.

mod adverts;
mod stats;
mod types;

use std::net::IpAddr;
use std::time::{Duration, Instant};

pub use stats::Stats;
pub use types::{Effect, Garp, Heard, Input, Notice, Settings, State, Timer};

use super::event::Event;
use super::packet::{PRIORITY_OWNER, PRIORITY_STOP, Version};
use super::reject::Reject;
use stats::RejectLog;

#[derive(Debug)]
struct Backup {
    /// When the master-down timer ends.
    deadline: Instant,
    /// Who was heard as master since this state began.
    master: Option<Heard>,
    /// End of `preempt_delay`, once it runs.
    preempt_at: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    Init,
    Backup(Backup),
    Master,
    /// `announced`: the log and the scripts know; not so while a first script run is awaited.
    Fault {
        announced: bool,
    },
    Stop,
}

/// One virtual router.
#[derive(Debug)]
pub struct Router {
    settings: Settings,
    phase: Phase,
    /// Effective priority, 1..255.
    priority: u8,
    /// What the next election uses in place of our own interval (version 3 learns it).
    master_interval: Duration,
    /// Highest sequence number of the authentication header seen or sent.
    sequence: u32,
    /// A peer needs the old unicast checksum.
    old_checksum: bool,
    last_master: Option<Heard>,
    /// Whose silence made this one master.
    silent: Option<IpAddr>,
    since: Option<Instant>,
    rejects: RejectLog,
    /// Counters.
    pub stats: Stats,
}

impl Router {
    /// A router in its initial state.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            priority: settings.priority,
            master_interval: settings.interval,
            settings,
            phase: Phase::Init,
            sequence: 0,
            old_checksum: false,
            last_master: None,
            silent: None,
            since: None,
            rejects: RejectLog::default(),
            stats: Stats::default(),
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Init => State::Init,
            Phase::Backup(_) => State::Backup,
            Phase::Master => State::Master,
            Phase::Fault { .. } => State::Fault,
            Phase::Stop => State::Stop,
        }
    }

    /// Effective priority.
    #[must_use]
    pub fn priority(&self) -> u8 {
        self.priority
    }

    /// Its configuration.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// When the present state began.
    #[must_use]
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// The master heard last, also one that was not accepted.
    #[must_use]
    pub fn last_master(&self) -> Option<Heard> {
        self.last_master
    }

    /// The interval the present master was heard to use.
    #[must_use]
    pub fn master_interval(&self) -> Duration {
        self.master_interval
    }

    /// Does a peer need the old unicast checksum?
    #[must_use]
    pub fn old_checksum(&self) -> bool {
        self.old_checksum
    }

    /// The interface got another address.
    pub fn set_address(&mut self, address: IpAddr) {
        self.settings.address = address;
    }

    /// Sequence number for the next authenticated packet.
    pub fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.saturating_add(1);
        self.sequence
    }

    /// (256 - priority) / 256 of the interval: the better of two backups is ready first. Version 2 always
    /// takes it from one second (RFC 3768 6.1), version 3 from the master's interval (RFC 5798 6.1).
    #[must_use]
    pub fn skew(&self) -> Duration {
        let base = match self.settings.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => self.master_interval,
        };
        base * (256 - u32::from(self.priority)) / 256
    }

    /// Silence after which a backup takes over.
    #[must_use]
    pub fn master_down(&self) -> Duration {
        self.master_interval * self.settings.down_timer_adverts + self.skew()
    }

    /// Takes new settings without leaving the present state (reload).
    pub fn reconfigure(&mut self, settings: Settings, out: &mut Vec<Effect>) {
        let interval_changed = settings.interval != self.settings.interval;
        if settings.priority == PRIORITY_OWNER || self.settings.priority == PRIORITY_OWNER {
            self.priority = settings.priority;
        }
        self.settings = settings;
        if interval_changed {
            self.master_interval = self.settings.interval;
            if matches!(self.phase, Phase::Master) {
                self.advertise(out);
            }
        }
    }

    /// One step.
    pub fn step(&mut self, input: Input, now: Instant, out: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Stop) {
            return;
        }
        match input {
            Input::Start { fault } => self.start(fault, now, out),
            Input::StartWaiting => {
                if matches!(self.phase, Phase::Init) {
                    out.push(Effect::RemoveAddresses);
                    self.enter(Phase::Fault { announced: false }, now);
                }
            }
            Input::Advert(advert) => self.on_advert(&advert, now, out),
            Input::Rejected { reason, from } => self.reject(reason, from, now, out),
            Input::Timer(timer) => self.on_timer(timer, now, out),
            Input::Overslept(late) => self.overslept(late, now, out),
            Input::Hold => {
                let wait = self.master_down();
                self.wait_for_master(wait, now, out);
            }
            Input::Promote => {
                if matches!(self.phase, Phase::Backup(_)) {
                    self.note_silence();
                    self.become_master(now, out);
                }
            }
            Input::Demote => {
                if matches!(self.phase, Phase::Master) {
                    if let Some(master) = self.silent {
                        self.speak_to_returned(master, out);
                    }
                    self.become_backup(None, now, out);
                }
            }
            Input::Priority(total) => self.set_priority(total, now, out),
            Input::Fault => self.fault(now, out),
            Input::Clear => self.clear(now, out),
            Input::AddressLost(address) => {
                if matches!(self.phase, Phase::Master) {
                    out.push(Effect::Log(Event::AddressLost(address)));
                    out.push(Effect::RestoreAddress(address));
                }
            }
            Input::Stop => self.stop(Notice::State(State::Stop), now, out),
            Input::Delete => self.stop(Notice::Deleted, now, out),
        }
    }

    fn start(&mut self, fault: bool, now: Instant, out: &mut Vec<Effect>) {
        if !matches!(self.phase, Phase::Init) {
            return;
        }
        // What an earlier run may have left behind must not answer while somebody else is master.
        out.push(Effect::RemoveAddresses);
        if fault {
            self.enter(Phase::Fault { announced: true }, now);
            out.push(Effect::Log(Event::Entering { state: State::Fault, init: true }));
            out.push(Effect::Notify(Notice::State(State::Fault)));
            return;
        }
        if self.settings.priority == PRIORITY_OWNER && self.settings.startup_delay.is_zero() {
            self.become_master(now, out);
            return;
        }
        let wait = self.first_wait() + self.settings.startup_delay;
        self.enter(Phase::Backup(Backup { deadline: now + wait, master: None, preempt_at: None }), now);
        out.push(Effect::Log(Event::Entering { state: State::Backup, init: true }));
        out.push(Effect::Notify(Notice::State(State::Backup)));
        out.push(Effect::Arm(Timer::MasterDown, wait));
    }

    /// keepalived lets one interval pass to hear of another master when its group holds back who is to be master.
    fn first_wait(&self) -> Duration {
        if !self.settings.starts_early {
            return self.master_down();
        }
        let base = match self.settings.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => self.settings.interval,
        };
        self.settings.interval + base / 256
    }

    fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.since = Some(now);
    }

    fn reject(&mut self, reason: Reject, from: Option<IpAddr>, now: Instant, out: &mut Vec<Effect>) {
        let kind = reason.counter();
        self.stats.count(kind, 1);
        if let Some(repeats) = self.rejects.due(kind, now) {
            out.push(Effect::Log(Event::Rejected { reason, from, repeats }));
        }
    }

    fn send(&mut self, priority: u8, out: &mut Vec<Effect>) {
        out.push(Effect::SendAdvert { priority });
        self.stats.advert_sent += 1;
    }

    /// Sends an advert and waits one interval for the next.
    fn advertise(&mut self, out: &mut Vec<Effect>) {
        self.send(self.priority, out);
        out.push(Effect::Arm(Timer::Advert, self.settings.interval));
    }

    fn on_timer(&mut self, timer: Timer, now: Instant, out: &mut Vec<Effect>) {
        let master = matches!(self.phase, Phase::Master);
        match timer {
            Timer::MasterDown => {
                if matches!(self.phase, Phase::Backup(_)) {
                    out.push(Effect::Log(Event::Timeout));
                    self.note_silence();
                    self.become_master(now, out);
                }
            }
            _ if !master => {}
            Timer::Advert => self.advertise(out),
            Timer::GarpDelay => out.push(Effect::Announce { repeat: self.settings.garp.repeat }),
            Timer::GarpLowerPrio => {
                out.push(Effect::Announce { repeat: self.settings.garp.lower_prio_repeat });
            }
            Timer::GarpRefresh => {
                out.push(Effect::Announce { repeat: self.settings.garp.refresh_repeat });
                out.push(Effect::Arm(Timer::GarpRefresh, self.settings.garp.refresh));
            }
        }
    }

    /// Others may have taken over while we did not run. Who speaks first as a master then makes two of them, so the
    /// addresses go first, without a word, and come back if nobody is heard for as long as a master pauses.
    fn overslept(&mut self, late: Duration, now: Instant, out: &mut Vec<Effect>) {
        let interval = self.settings.interval;
        let silence = interval + late;
        let skew_base = match self.settings.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => interval,
        };
        let skew = skew_base * (256 - u32::from(self.settings.others_highest)) / 256;
        if silence < interval * self.settings.down_timer_adverts + skew {
            self.on_timer(Timer::Advert, now, out);
            return;
        }
        if !matches!(self.phase, Phase::Master) {
            return;
        }
        out.push(Effect::Log(Event::Overslept(late)));
        self.become_backup(None, now, out);
        let wait = interval + self.skew();
        self.wait_for_master(wait, now, out);
    }

    fn become_master(&mut self, now: Instant, out: &mut Vec<Effect>) {
        out.push(Effect::Disarm(Timer::MasterDown));
        // The old master must hear of us and drop the addresses before we announce them.
        self.advertise(out);
        self.enter(Phase::Master, now);
        self.stats.become_master += 1;
        out.push(Effect::Log(Event::Entering { state: State::Master, init: false }));
        if self.settings.version == Version::V3 && self.master_interval != self.settings.interval {
            let from = std::mem::replace(&mut self.master_interval, self.settings.interval);
            out.push(Effect::Log(Event::IntervalOwn { from, to: self.settings.interval }));
        }
        let garp = self.settings.garp;
        out.push(Effect::AddAddresses);
        out.push(Effect::Announce { repeat: garp.repeat });
        if !garp.delay.is_zero() {
            out.push(Effect::Arm(Timer::GarpDelay, garp.delay));
        }
        if !garp.refresh.is_zero() {
            out.push(Effect::Arm(Timer::GarpRefresh, garp.refresh));
        }
        out.push(Effect::Notify(Notice::State(State::Master)));
    }

    /// Drops what only a master has.
    fn release(&mut self, out: &mut Vec<Effect>) {
        for timer in [Timer::Advert, Timer::GarpDelay, Timer::GarpRefresh, Timer::GarpLowerPrio] {
            out.push(Effect::Disarm(timer));
        }
        out.push(Effect::RemoveAddresses);
        self.silent = None;
        self.stats.release_master += 1;
    }

    fn become_backup(&mut self, master: Option<Heard>, now: Instant, out: &mut Vec<Effect>) {
        out.push(Effect::Log(Event::Entering { state: State::Backup, init: false }));
        self.release(out);
        let wait = self.master_down();
        self.enter(Phase::Backup(Backup { deadline: now + wait, master, preempt_at: None }), now);
        out.push(Effect::Notify(Notice::State(State::Backup)));
        out.push(Effect::Arm(Timer::MasterDown, wait));
    }

    fn send_zero(&mut self, out: &mut Vec<Effect>) {
        self.send(PRIORITY_STOP, out);
        self.stats.pri_zero_sent += 1;
        out.push(Effect::Log(Event::SentZero));
    }

    fn fault(&mut self, now: Instant, out: &mut Vec<Effect>) {
        match self.phase {
            Phase::Fault { announced: true } | Phase::Stop | Phase::Init => return,
            Phase::Fault { announced: false } => {
                out.push(Effect::Log(Event::Entering { state: State::Fault, init: false }));
            }
            Phase::Master => {
                out.push(Effect::Log(Event::Entering { state: State::Fault, init: false }));
                self.send_zero(out);
                self.release(out);
            }
            Phase::Backup(_) => {
                out.push(Effect::Log(Event::Entering { state: State::Fault, init: false }));
                out.push(Effect::Disarm(Timer::MasterDown));
            }
        }
        self.enter(Phase::Fault { announced: true }, now);
        out.push(Effect::Notify(Notice::State(State::Fault)));
    }

    fn clear(&mut self, now: Instant, out: &mut Vec<Effect>) {
        if !matches!(self.phase, Phase::Fault { .. }) {
            return;
        }
        self.master_interval = self.settings.interval;
        if self.settings.priority == PRIORITY_OWNER {
            self.become_master(now, out);
            return;
        }
        out.push(Effect::Log(Event::Entering { state: State::Backup, init: false }));
        let wait = self.master_down();
        self.enter(Phase::Backup(Backup { deadline: now + wait, master: None, preempt_at: None }), now);
        out.push(Effect::Notify(Notice::State(State::Backup)));
        out.push(Effect::Arm(Timer::MasterDown, wait));
    }

    fn set_priority(&mut self, total: i32, now: Instant, out: &mut Vec<Effect>) {
        if self.settings.priority == PRIORITY_OWNER {
            return;
        }
        let new = u8::try_from(total.clamp(1, 254)).unwrap_or(254);
        if new == self.priority {
            return;
        }
        let before = self.master_down();
        let from = std::mem::replace(&mut self.priority, new);
        out.push(Effect::Log(Event::Priority { from, to: new }));
        let after = self.master_down();
        match &mut self.phase {
            Phase::Backup(backup) => {
                // Only the skew differs: move the end of the running timer by the difference.
                backup.deadline = if after >= before {
                    backup.deadline + (after - before)
                } else {
                    backup.deadline.checked_sub(before - after).unwrap_or(now)
                };
                let left = backup.deadline.saturating_duration_since(now);
                out.push(Effect::Arm(Timer::MasterDown, left));
            }
            // The others learn at once instead of at the next interval.
            Phase::Master => self.advertise(out),
            Phase::Init | Phase::Fault { .. } | Phase::Stop => {}
        }
        out.push(Effect::Notify(Notice::PriorityChange));
    }

    fn stop(&mut self, notice: Notice, now: Instant, out: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Master) {
            self.send_zero(out);
            self.release(out);
        } else {
            out.push(Effect::Disarm(Timer::MasterDown));
        }
        self.enter(Phase::Stop, now);
        out.push(Effect::Notify(notice));
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
