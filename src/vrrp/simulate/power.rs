//! Nodes that start, stop, die and thaw, links that come and go, proxies that run or not.

use std::collections::BTreeMap;

use super::topology::interfaces;
use super::{Condition, Due, World};
use crate::vrrp::engine::{Engine, Link, Seed};
use crate::vrrp::packet::PRIORITY_STOP;

impl World {
    /// What changed meanwhile becomes known.
    pub(super) fn thaw(&mut self, at: usize) {
        if self.nodes[at].condition != Condition::Frozen {
            return;
        }
        self.nodes[at].condition = Condition::Running;
        self.nodes[at].timers.retain(|t| !matches!(t.1, Due::Expiry(_)));
        // After the timers that are overdue.
        let lost: Vec<usize> = std::mem::take(&mut self.nodes[at].lost).into_iter().collect();
        self.nodes[at].timers.extend(lost.into_iter().map(|instance| (self.now, Due::Lost(instance))));
        for name in interfaces(&self.nodes[at].config) {
            let up = !self.nodes[at].down.contains(&name);
            self.link(at, Some(&name), up);
        }
        self.tell_of_proxy(at);
    }

    pub(super) fn start(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let links: BTreeMap<String, Link> = interfaces(&node.config)
            .into_iter()
            .map(|name| {
                let up = !node.down.contains(&name);
                let known = node.engine.link(&name).copied().unwrap_or_default();
                (name, Link { up, ..known })
            })
            .collect();
        node.engine = Engine::new(node.config.clone(), links);
        node.condition = Condition::Running;
        node.timers.clear();
        node.lost.clear();
        let counts = node.config.track_processes.iter();
        let counts = counts.map(|p| if node.proxy { p.quorum.max(1) } else { 0 }).collect();
        let files = vec![0; node.config.track_files.len()];
        node.engine.note_tracked(Seed::new(counts, files));
        // A daemon takes down what one before it left.
        for instance in std::mem::take(&mut node.owns) {
            self.nodes[at].owns.insert(instance);
            self.own(at, instance, false);
        }
        for proxy in 0..self.nodes[at].config.track_proxies.len() {
            self.tell_of_tracked(at, proxy);
        }
        self.act(at, Engine::start);
        for script in 0..self.nodes[at].config.scripts.len() {
            let interval = self.nodes[at].config.scripts[script].interval;
            self.nodes[at].timers.push((self.now + interval, Due::Script(script)));
            self.script_ends(at, script);
        }
    }

    /// Nothing runs any more. Addresses stay until the kernel removes them.
    pub(super) fn turn_off(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.condition = Condition::Off;
        node.timers.clear();
        self.let_expire(at);
    }

    /// The parent takes the addresses down, says so, and starts another one.
    pub(super) fn engine_dies(&mut self, at: usize) {
        if !self.runs(at) {
            return;
        }
        let owned: Vec<usize> = self.nodes[at].owns.iter().copied().collect();
        for instance in owned {
            self.own(at, instance, false);
            self.send(at, instance, PRIORITY_STOP);
        }
        self.turn_off(at);
    }

    pub(super) fn link(&mut self, at: usize, only: Option<&str>, up: bool) {
        let names = interfaces(&self.nodes[at].config);
        for name in names.into_iter().filter(|name| only.is_none_or(|only| only == name)) {
            let node = &mut self.nodes[at];
            if up {
                node.down.remove(&name);
            } else {
                node.down.insert(name.clone());
            }
            if node.condition == Condition::Running {
                let link = Link { up, ..node.engine.link(&name).copied().unwrap_or_default() };
                self.act(at, |engine, now, out| engine.link_changed(&name, link, now, out));
            }
        }
    }

    pub(super) fn proxy(&mut self, at: usize, runs: bool) {
        self.nodes[at].proxy = runs;
        let scripts = &self.nodes[at].config.scripts;
        // A script of another kind finds out at its next run.
        if scripts.iter().all(|s| s.watches_process.is_none()) {
            self.nodes[at].scripts.fill(runs);
        }
        if self.runs(at) {
            self.tell_of_proxy(at);
        }
    }

    /// What is seen at once of a proxy that came or went.
    pub(super) fn tell_of_proxy(&mut self, at: usize) {
        let runs = self.nodes[at].proxy;
        if !runs {
            let scripts = self.nodes[at].config.scripts.iter().enumerate();
            let watched = scripts.filter(|(_, s)| s.watches_process.is_some()).map(|(at, _)| at);
            for script in watched.collect::<Vec<_>>() {
                self.script_ends(at, script);
            }
        }
        for process in 0..self.nodes[at].config.track_processes.len() {
            let quorum = self.nodes[at].config.track_processes[process].quorum.max(1);
            let count = if runs { quorum } else { 0 };
            self.act(at, |engine, now, out| engine.process_count(process, count, now, out));
        }
        for proxy in 0..self.nodes[at].config.track_proxies.len() {
            self.tell_of_tracked(at, proxy);
        }
    }

    /// How a `track_proxy` is.
    pub(super) fn tell_of_tracked(&mut self, at: usize, proxy: usize) {
        let node = &self.nodes[at];
        let failing = match (node.proxy, node.failing.contains(&proxy)) {
            (false, _) => Some("the proxy is dead".to_owned()),
            (true, true) => Some("it was told to fail".to_owned()),
            (true, false) => None,
        };
        self.act(at, |engine, now, out| engine.proxy_is(proxy, failing, now, out));
    }
}
