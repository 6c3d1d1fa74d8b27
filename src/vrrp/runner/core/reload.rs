//! A new configuration for a running engine.

use std::rc::Rc;
use std::time::Instant;

use crate::ir::vrrp::{Config, Instance};

use super::super::exec::tracked_scripts;
use super::super::mail::Mailer;
use super::{Core, Side, interfaces};

impl Core {
    /// Takes a new configuration; what did not change is not touched.
    pub(in crate::vrrp::runner) fn reload(&mut self, mut config: Config, now: Instant) {
        // What is left of the delay: a new instance of a daemon that has run for long has nothing to wait for.
        let ran = now.saturating_duration_since(self.began);
        config.global.startup_delay = config.global.startup_delay.saturating_sub(ran);
        self.journal.info("Reloading");
        self.reloads += 1;
        self.save_state(&config, self.reloads, "pre");
        let mut moved = Vec::new();
        self.apply(now, |engine, now, out| moved = engine.retire(&config, now, out));
        let old_config = self.engine.config().clone();
        let name = &config.global.process_names.vrrp;
        if *name != old_config.global.process_names.vrrp {
            self.journal.name_process(name.as_deref());
        }
        let mut old: Vec<Option<Side>> = std::mem::take(&mut self.sides).into_iter().map(Some).collect();
        self.sides = moved.iter().map(|m| m.and_then(|from| old[from].take()).unwrap_or_default()).collect();
        let timers = std::mem::take(&mut self.timers);
        self.timers = timers
            .into_iter()
            .filter_map(|(at, from, timer)| {
                let to = moved.iter().position(|m| *m == Some(from))?;
                Some((at, to, timer))
            })
            .collect();
        self.set_statics(&old_config, &config);
        self.fifos.update(&config.global, &mut self.running, &self.journal);
        self.mailer = Mailer::new(&config.global, Rc::clone(&self.journal));
        let followed_scripts = |config: &Config| {
            tracked_scripts(config).map(|(at, script)| (at, script.clone())).collect::<Vec<_>>()
        };
        let scripts_changed = followed_scripts(&old_config) != followed_scripts(&config);
        self.update_addresses(&old_config, &config, &moved, now);
        let adopted = config.clone();
        let kernel_links: Vec<_> = interfaces(&config, &self.kernel)
            .into_iter()
            .map(|name| {
                let link = self.kernel.engine_link(&name, &config);
                (name, link)
            })
            .collect();
        for (name, link) in kernel_links {
            self.engine.note_link(&name, link);
        }
        let followed = |config: &Config| {
            (config.track_processes.clone(), config.track_files.clone(), config.global.process_monitor)
        };
        if followed(&old_config) != followed(&config) {
            self.follow(&config, false);
        } else {
            self.engine.keep_tracked();
        }
        let mut fresh = Vec::new();
        self.apply(now, |engine, now, out| fresh = engine.adopt(adopted, &moved, now, out));
        self.size_netlink_buffers();
        if old_config.track_proxies != config.track_proxies {
            self.ask_proxies(&config.track_proxies, now);
        }
        self.unmake_links(&old_config, &config);
        self.make_links();
        self.update_filter(None);
        self.update_lease(None);
        // A new instance must be able to send when it starts.
        self.open_sockets(now);
        self.promote_secondaries(&config);
        self.set_reports(self.engine.config().global.disable_local_igmp);
        self.poll_at = None;
        self.poll_links(now);
        for at in 0..self.sides.len() {
            // Those that go on with what they had keep their time.
            if self.sides[at].extra_at.is_none() {
                self.plan_extra(at, now);
            }
        }
        self.apply(now, |engine, now, out| engine.start_fresh(&fresh, now, out));
        if scripts_changed {
            self.checks.start(&self.me, &config, &self.running.spawner());
        }
        self.renew_all(old_config.global.vip_lifetime);
        if self.engine.config().global.fifo_write_vrrp_states_on_reload {
            self.say_states(&moved);
        }
        self.save_state(self.engine.config(), self.reloads, "post");
        self.journal.info("Reload complete");
        self.wake.notify_one();
    }

    /// Addresses that a kept master gained or lost by the new configuration.
    pub(super) fn update_addresses(
        &mut self,
        old: &Config,
        new: &Config,
        moved: &[Option<usize>],
        now: Instant,
    ) {
        for (at, from) in moved.iter().enumerate() {
            let Some(from) = from.filter(|_| self.sides[at].installed) else { continue };
            let (before, after) = (&old.instances[from], &new.instances[at]);
            let all = |i: &Instance| i.vips.iter().chain(&i.excluded_vips).cloned().collect::<Vec<_>>();
            let (had, has) = (all(before), all(after));
            for vip in had.iter().filter(|v| !has.contains(v)) {
                self.set_address(before, vip, false);
            }
            for vip in has.iter().filter(|v| !had.contains(v)) {
                self.set_address(after, vip, true);
                self.announce_one(after, vip, now);
            }
            if (&before.routes, &before.rules) != (&after.routes, &after.rules) {
                let (before, after) = (before.clone(), after.clone());
                self.set_routes(&before, false);
                self.set_routes(&after, true);
            }
        }
    }
}
