//! What is done again and again, or around a reload, beside the protocol: polled links, announcements on further
//! interfaces, saved states, reports of group memberships.

use std::time::{Duration, Instant};

use crate::ir::vrrp::{Config, Instance};
use crate::sys::mii;

use super::super::{addresses, state_file};
use super::{Core, interfaces};

/// Pause between two looks at a polled link, as keepalived has it.
const POLL: Duration = Duration::from_secs(1);
/// Whether the kernel reports memberships in groups that never leave the link.
const REPORTS: &str = "/proc/sys/net/ipv4/igmp_link_local_mcast_reports";

impl Core {
    /// Looks at the links that are to be polled, if it is time.
    pub(super) fn poll_links(&mut self, now: Instant) {
        if self.poll_at.is_some_and(|at| at > now) {
            return;
        }
        let names = polled(self.engine.config(), &interfaces(self.engine.config(), &self.kernel));
        self.poll_at = (!names.is_empty()).then_some(now + POLL);
        for name in names {
            // Where the driver does not answer, what the kernel says counts.
            let down = mii::link(&name) == Some(false);
            if self.kernel.set_unlinked(&name, down) {
                let state = if down { "no link" } else { "a link" };
                self.journal.info(format!("Polled interface {name} has {state}"));
                self.refresh(&name, now);
            }
        }
    }

    /// Announces what is on interfaces that no advert leaves by, if it is time.
    pub(super) fn announce_extra(&mut self, now: Instant) {
        for at in 0..self.sides.len() {
            if self.sides[at].extra_at.is_none_or(|due| due > now) {
                continue;
            }
            let instance = self.instance(at).clone();
            let Some(interval) = instance.garp.extra_if.filter(|_| self.sides[at].installed) else {
                self.sides[at].extra_at = None;
                continue;
            };
            self.sides[at].extra_at = Some(now + interval);
            let mut done: Vec<&str> = Vec::new();
            for vip in instance.vips.iter().chain(&instance.excluded_vips) {
                let Some(name) = addresses::interface_of(&instance, vip) else { continue };
                if is_extra(&instance, name) && !done.contains(&name) {
                    done.push(name);
                    self.announce_one(&instance, vip, now);
                }
            }
        }
    }

    /// When an instance that has its addresses announces on further interfaces for the first time.
    pub(super) fn plan_extra(&mut self, at: usize, now: Instant) {
        let garp = &self.instance(at).garp;
        let after = garp.extra_if.filter(|t| !t.is_zero()).map(|interval| garp.master_delay + interval);
        self.sides[at].extra_at = after.filter(|_| self.sides[at].installed).map(|after| now + after);
        self.wake.notify_one();
    }

    /// When any of it is due next.
    pub(super) fn next_upkeep(&self) -> Option<Instant> {
        self.sides.iter().filter_map(|side| side.extra_at).chain(self.poll_at).min()
    }

    /// Writes the state into `config_save_dir`; `moment`: `pre` or `post` a reload.
    pub(super) fn save_state(&self, config: &Config, number: u32, moment: &str) {
        let Some(directory) = &config.global.config_save_dir else { return };
        let name = format!("keepalived_vrrp.{}.{number}.{moment}", std::process::id());
        let path = directory.join(name);
        let made = if directory.is_dir() { Ok(()) } else { std::fs::create_dir(directory) };
        if let Err(e) = made.and_then(|()| std::fs::write(&path, state_file::text(self))) {
            self.journal.info(format!("Failed to write config_save file {}: {e}", path.display()));
        }
    }

    /// `disable_local_igmp`, and back.
    pub(super) fn set_reports(&mut self, disable: bool) {
        match (disable, self.reports.take()) {
            (true, None) => {
                let before = std::fs::read_to_string(REPORTS);
                match before.and_then(|before| std::fs::write(REPORTS, "0").map(|()| before)) {
                    Ok(before) => self.reports = Some(before),
                    Err(e) => self.journal.warn(format!("cannot set {REPORTS} to 0: {e}")),
                }
            }
            (false, Some(before)) => {
                // The namespace may be going away with us.
                let _ = std::fs::write(REPORTS, before.trim());
            }
            (_, known) => self.reports = known,
        }
    }
}

/// Interfaces whose links are polled; those we make are known to be there.
fn polled(config: &Config, used: &[String]) -> Vec<String> {
    let ours = |name: &str| config.instances.iter().flat_map(|i| &i.links).any(|l| l.name == name);
    let own = |name: &str| {
        let mut instances = config.instances.iter().filter(|i| i.linkbeat_use_polling);
        instances.any(|i| i.interface.as_deref() == Some(name))
    };
    let listed = |name: &String| config.linkbeat_interfaces.contains(name);
    let wanted = |name: &&String| config.linkbeat_all || listed(name) || own(name);
    used.iter().filter(wanted).filter(|name| !ours(name)).cloned().collect()
}

/// Does no advert leave by this interface, and is it one whose announcements are repeated?
fn is_extra(instance: &Instance, name: &str) -> bool {
    let made = instance.links.iter().any(|link| link.name == name);
    let base = instance.vmac.as_ref().is_some_and(|vmac| vmac.xmit_base);
    let own = instance.links.first().map_or(instance.interface.as_deref(), |link| Some(link.name.as_str()));
    (made || instance.garp.extra_if_all) && (own != Some(name) || base)
}
