//! What the advert of another router does.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::super::event::Event;
use super::super::packet::{Advert, PRIORITY_OWNER, PRIORITY_STOP, Version};
use super::super::reject::Reject;
use super::{Effect, Heard, Notice, Phase, Router, Timer};

impl Router {
    pub(super) fn on_advert(&mut self, advert: &Advert, now: Instant, out: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Init | Phase::Fault { .. }) {
            return;
        }
        if let Some(got) = advert.sequence {
            if got <= self.sequence {
                let reason = Reject::Replay { got, last: self.sequence };
                self.reject(reason, Some(advert.source), now, out);
                return;
            }
            self.sequence = got;
        }
        self.stats.advert_rcvd += 1;
        if advert.priority == PRIORITY_STOP {
            self.stats.pri_zero_rcvd += 1;
        }
        if advert.old_checksum && !self.old_checksum {
            self.old_checksum = true;
            out.push(Effect::Log(Event::OldChecksum));
        }
        match self.phase {
            Phase::Backup(_) => self.advert_as_backup(advert, now, out),
            Phase::Master => self.advert_as_master(advert, now, out),
            Phase::Init | Phase::Fault { .. } | Phase::Stop => {}
        }
    }

    fn advert_as_backup(&mut self, advert: &Advert, now: Instant, out: &mut Vec<Effect>) {
        let (priority, delay) = (self.priority, self.settings.preempt_delay);
        let skew = self.skew();
        let Phase::Backup(backup) = &mut self.phase else { return };
        let heard = Heard { address: advert.source, priority: advert.priority };
        if advert.priority == PRIORITY_STOP {
            out.push(Effect::Log(Event::ZeroWhileBackup));
            self.last_master = Some(heard);
            self.wait_for_master(skew, now, out);
            return;
        }
        let delayed = !delay.is_zero() && backup.preempt_at.is_none_or(|at| at > now);
        if self.settings.preempt && advert.priority < priority && !delayed {
            out.push(Effect::Log(Event::LowerDiscarded { priority: advert.priority, from: advert.source }));
            let before = backup.master.filter(|m| m.address == advert.source && m.priority >= priority);
            let fell = before.filter(|_| backup.deadline > now + skew);
            backup.master = Some(heard);
            self.last_master = Some(heard);
            if let Some(before) = fell {
                out.push(Effect::Log(Event::MasterFell {
                    master: advert.source,
                    from: before.priority,
                    to: advert.priority,
                    wait: skew,
                }));
                self.wait_for_master(skew, now, out);
            }
            return;
        }
        if !delay.is_zero() {
            if advert.priority >= priority {
                if backup.preempt_at.take().is_some() {
                    out.push(Effect::Log(Event::PreemptDelayStop));
                }
            } else if backup.preempt_at.is_none() {
                backup.preempt_at = Some(now + delay);
                out.push(Effect::Log(Event::PreemptDelayStart(delay)));
            }
        }
        backup.master = Some(heard);
        self.last_master = Some(heard);
        self.learn_interval(advert.interval, out);
        let wait = self.master_down();
        self.wait_for_master(wait, now, out);
    }

    /// Runs the master-down timer anew.
    pub(super) fn wait_for_master(&mut self, wait: Duration, now: Instant, out: &mut Vec<Effect>) {
        if let Phase::Backup(backup) = &mut self.phase {
            backup.deadline = now + wait;
            out.push(Effect::Arm(Timer::MasterDown, wait));
        }
    }

    /// Version 3: the backups live by the interval of their master.
    fn learn_interval(&mut self, interval: Duration, out: &mut Vec<Effect>) {
        if self.settings.version == Version::V3 && interval != self.master_interval && !interval.is_zero() {
            let from = std::mem::replace(&mut self.master_interval, interval);
            out.push(Effect::Log(Event::IntervalLearned { from, to: interval }));
        }
    }

    fn advert_as_master(&mut self, advert: &Advert, now: Instant, out: &mut Vec<Effect>) {
        let owner = self.settings.priority == PRIORITY_OWNER;
        if owner && self.settings.owner_ignore_adverts {
            return;
        }
        if advert.priority == PRIORITY_STOP {
            self.advertise(out);
            out.push(Effect::Log(Event::ZeroWhileMaster));
            return;
        }
        if advert.priority == self.priority && owner {
            out.push(Effect::Log(Event::OwnerConflict));
            self.settings.priority = PRIORITY_OWNER - 1;
            self.priority = PRIORITY_OWNER - 1;
        }
        self.last_master = Some(Heard { address: advert.source, priority: advert.priority });
        let ours = (self.priority, self.settings.address);
        let wins = (advert.priority, advert.source) > ours;
        if !wins {
            self.hold_against_lower(advert, out);
            return;
        }
        if self.settings.higher_prio_send_advert {
            self.send(self.priority, out);
        } else if self.silent == Some(advert.source) {
            self.speak_to_returned(advert.source, out);
        }
        out.push(Effect::Log(if advert.priority > self.priority {
            Event::HigherWhileMaster { from: advert.source, priority: advert.priority, ours: self.priority }
        } else {
            Event::EqualWhileMaster { from: advert.source, priority: advert.priority }
        }));
        self.learn_interval(advert.interval, out);
        let heard = Heard { address: advert.source, priority: advert.priority };
        self.become_backup(Some(heard), now, out);
    }

    /// Remembers whose silence ends with the master-down timer. Who said goodbye or fell below us comes back through an
    /// election of its own and announces its addresses then.
    pub(super) fn note_silence(&mut self) {
        let Phase::Backup(backup) = &self.phase else { return };
        let silent = backup.master.filter(|m| Some(*m) == self.last_master && m.priority >= self.priority);
        self.silent = silent.map(|m| m.address);
    }

    /// The master that fell silent is back and never knew that it was gone: to it nothing has changed, but the
    /// segment's caches say that its addresses are here, for up to a minute. Hearing of a lower master makes it announce
    /// them (RFC 9568 6.4.3, and `garp_lower_prio_repeat`). keepalived does so where `higher_prio_send_advert` is set.
    pub(super) fn speak_to_returned(&mut self, master: IpAddr, out: &mut Vec<Effect>) {
        if !self.settings.speaks_to_returned {
            return;
        }
        self.send(self.priority, out);
        out.push(Effect::Log(Event::SpokeToReturned(master)));
    }

    /// A master that is not the best one speaks: answer, so that it gives way, and correct the caches it
    /// may have spoilt.
    fn hold_against_lower(&mut self, advert: &Advert, out: &mut Vec<Effect>) {
        let answered = !self.settings.lower_prio_no_advert;
        out.push(Effect::Log(Event::LowerWhileMaster {
            from: advert.source,
            priority: advert.priority,
            ours: self.priority,
            answered,
        }));
        if let Some(sequence) = advert.sequence {
            out.push(Effect::Log(Event::SequenceSync));
            self.sequence = sequence.saturating_add(1);
        }
        if answered {
            self.advertise(out);
        }
        let garp = self.settings.garp;
        if garp.lower_prio_repeat > 0 {
            out.push(Effect::Announce { repeat: garp.lower_prio_repeat });
            if !garp.lower_prio_delay.is_zero() {
                out.push(Effect::Arm(Timer::GarpLowerPrio, garp.lower_prio_delay));
            }
        }
        out.push(Effect::Notify(Notice::MasterRxLowerPri));
    }
}
