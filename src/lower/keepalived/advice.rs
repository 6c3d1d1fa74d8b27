//! What keepalived accepts silently and nobody wants: said as notes.

use tandem_parser::{Diagnostic, Head, Reason};

use super::context::Cx;
use crate::ir::vrrp::{Instance, ScriptIdx};

impl Cx<'_> {
    /// All advice about a complete configuration.
    pub(super) fn advise(&mut self) {
        let mut notes = Vec::new();
        for (index, instance) in self.config.instances.iter().enumerate() {
            let span = self.instance_spans[index];
            let mut note = |text: String, help: String| {
                notes.push(Diagnostic::notice(Reason::Conflict, span, text).head(Head::Plain).help(help));
            };
            self.weight_trap(instance, &mut note);
        }
        for (index, script) in self.config.scripts.iter().enumerate() {
            if !self.config.is_tracked(ScriptIdx(u32::try_from(index).unwrap_or(u32::MAX))) {
                let text = format!("Warning - script {} is not used", script.name);
                notes.push(
                    Diagnostic::notice(Reason::NoEffect, self.script_spans[index], text)
                        .head(Head::Plain)
                        .help(format!("add it to a track_script block: track_script {{ {} }}", script.name)),
                );
            }
        }
        for (index, proxy) in self.config.track_proxies.iter().enumerate() {
            let of = |list: &[crate::ir::vrrp::TrackedProxy]| {
                list.iter()
                    .filter(|one| one.proxy.0 as usize == index)
                    .map(|one| one.weight)
                    .collect::<Vec<_>>()
            };
            let instances = self.config.instances.iter().flat_map(|instance| of(&instance.track_proxies));
            let groups = self.config.sync_groups.iter().flat_map(|group| of(&group.track_proxies));
            let weights: Vec<i32> = instances.chain(groups).collect();
            let mut note = |reason, text: String, help: String| {
                let span = self.proxy_spans[index];
                notes.push(Diagnostic::notice(reason, span, text).head(Head::Plain).help(help));
            };
            if weights.is_empty() {
                note(
                    Reason::NoEffect,
                    format!("Warning - track_proxy {} is not used", proxy.name),
                    format!("add it to an instance: track_proxy {{ {} }}", proxy.name),
                );
            } else if weights.contains(&0) && !proxy.backends.is_empty() {
                note(
                    Reason::Conflict,
                    format!("track_proxy {} has no weight: its failure is FAULT", proxy.name),
                    "servers that fail for every router leave no master at all; with 'weight -30' the address stays \
                     with one of them"
                        .into(),
                );
            }
        }
        for note in notes {
            self.report.push(note);
        }
    }

    /// A good script adds its positive weight on every router alike: if it fails here, the priority falls by the weight
    /// only, which must be enough to get below the other router. What the other router's priority is cannot be known, so
    /// weights too small for the usual steps of 10 are pointed out.
    fn weight_trap(&self, instance: &Instance, note: &mut impl FnMut(String, String)) {
        for tracked in &instance.track_scripts {
            let weight = tracked.weight.abs();
            if weight == 0 || instance.priority == 255 {
                continue;
            }
            let Some(script) = self.config.scripts.get(tracked.script.0 as usize) else { continue };
            let (best, worst) = reach(instance);
            if weight >= 10 {
                if best > 254 {
                    note(
                        format!(
                            "({}) priority {} and the weights of its scripts exceed 254, where priorities end",
                            instance.name, instance.priority
                        ),
                        "a failing script then lowers the priority by less than its weight".into(),
                    );
                    return;
                }
                continue;
            }
            note(
                format!(
                    "({}) script {} moves the priority between {worst} and {best} only: a router that differs by more is never overtaken",
                    instance.name, script.name
                ),
                format!(
                    "the address moves only if the difference between the routers' priorities is less than {weight}; \
                     'weight -20' is usual for priorities 10 apart"
                ),
            );
        }
    }
}

/// Highest and lowest priority the scripts of an instance can lead to.
fn reach(instance: &Instance) -> (i32, i32) {
    let base = i32::from(instance.priority);
    instance.track_scripts.iter().fold((base, base), |(best, worst), tracked| {
        let weight = if tracked.reverse { -tracked.weight } else { tracked.weight };
        (best + weight.max(0), worst + weight.min(0))
    })
}
