//! What an instance tracks, and what may not count.

use tandem_parser::{Reason, Span};

use super::super::context::Cx;
use super::OWNER;
use crate::ir::vrrp::Instance;

impl Cx<'_> {
    /// The interface of an instance is tracked without being asked.
    pub(super) fn own_interface(&mut self, instance: &mut Instance, span: Span) {
        let (name, own) = (instance.name.clone(), instance.interface.clone());
        instance.track_interfaces.retain(|tracked| {
            let same = own.as_deref() == Some(tracked.name.as_str());
            if same {
                let text = format!("({name}) Ignoring track_interface {} since own interface", tracked.name);
                self.late(Reason::Conflict, span, text).help("a link failure of it is FAULT already");
            }
            !same
        });
    }

    /// Weights cannot count in a sync group without `sync_group_tracking_weight`, nor for an address owner.
    pub(super) fn weights(&mut self, instance: &mut Instance, span: Span) {
        let grouped = instance
            .sync_group
            .is_some_and(|group| !self.config.sync_groups[group.0 as usize].tracking_weight);
        if !grouped && instance.priority != OWNER {
            return;
        }
        let name = instance.name.clone();
        let why = if grouped { "SYNC group" } else { "address_owner" };
        // keepalived says so of a group, and counts the weight of the interface nevertheless.
        instance.track_interfaces.retain(|tracked| {
            if tracked.weight != 0 {
                let (what, why) = if grouped { ("weight ", "SYNC group") } else { ("", "address owner") };
                let text = format!("({name}) ignoring {} tracked interface {what}due to {why}", tracked.name);
                self.late(Reason::Conflict, span, text);
            }
            tracked.weight == 0 || grouped
        });
        let scripts: Vec<String> = self.config.scripts.iter().map(|script| script.name.clone()).collect();
        let proxies: Vec<String> = self.config.track_proxies.iter().map(|proxy| proxy.name.clone()).collect();
        let mut weightless = |weight: i32, names: &[String], at: u32, kind: &str| {
            if weight != 0 {
                let tracked = names.get(at as usize).map_or("?", String::as_str);
                let text = format!("({name}) ignoring tracked {kind} {tracked} with weights due to {why}");
                self.late(Reason::Conflict, span, text);
            }
            weight == 0
        };
        instance
            .track_scripts
            .retain(|tracked| weightless(tracked.weight, &scripts, tracked.script.0, "script"));
        instance
            .track_proxies
            .retain(|tracked| weightless(tracked.weight, &proxies, tracked.proxy.0, "proxy"));
        let files: Vec<String> = self.config.track_files.iter().map(|file| file.name.clone()).collect();
        instance.track_files.retain_mut(|tracked| {
            let file = files.get(tracked.file.0 as usize).map_or("?", String::as_str);
            match tracked.weight {
                0 => true,
                1 => {
                    let text = format!(
                        "({name}) ignoring weight from tracked file {file} due to {why}. specify weight 0"
                    );
                    self.late(Reason::Conflict, span, text);
                    tracked.weight = 0;
                    true
                }
                weight => {
                    let text =
                        format!("({name}) ignoring tracked file {file} with weight {weight} due to {why}");
                    self.late(Reason::Conflict, span, text);
                    false
                }
            }
        });
        instance.track_bfd.retain(|tracked| {
            if tracked.weight != 0 {
                let text = format!(
                    "({name}) ignoring tracked bfd {} with weight {} due to {why}",
                    tracked.name, tracked.weight
                );
                self.late(Reason::Conflict, span, text);
            }
            tracked.weight == 0
        });
    }
}
