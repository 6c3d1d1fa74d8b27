//! `vrrp_sync_group`, root `track_group`, `garp_group` and the per-interface blocks.

use std::time::Duration;

use tandem_parser::keepalived::{Body, Statement, Word};
use tandem_parser::{Reason, Span};

use super::context::Cx;
use super::track::Tracked;
use crate::ir::vrrp::{GarpGroup, InstanceIdx, InterfaceDelay, StaticTrackGroup, SyncGroup};

/// A group and the names of its members.
pub(super) struct GroupDraft {
    pub(super) span: Span,
    pub(super) group: SyncGroup,
    pub(super) members: Option<Vec<Word>>,
    pub(super) smtp_alert: Option<bool>,
    pub(super) priority_changes: Option<bool>,
}

impl Cx<'_> {
    /// `vrrp_sync_group NAME { ... }`.
    pub(super) fn sync_group(&mut self, statement: &Statement, known: &[GroupDraft]) -> Option<GroupDraft> {
        self.here = statement.span;
        let [_, name] = statement.words.as_slice() else {
            self.complain(Reason::MissingArgument, "vrrp_sync_group must have a name - skipping");
            return None;
        };
        let name = name.text.clone();
        if known.iter().any(|draft| draft.group.name == name) {
            self.complain(Reason::Duplicate, format!("vrrp sync group {name} already defined"));
            return None;
        }
        let group =
            SyncGroup { name: name.clone(), place: self.place(statement.span), ..SyncGroup::default() };
        let mut draft = GroupDraft {
            span: statement.span,
            group,
            members: None,
            smtp_alert: None,
            priority_changes: None,
        };
        let mut tracked = Tracked::default();
        for child in statement.children() {
            self.here = child.span;
            self.effect(child);
            if !self.track(child, &name, &mut tracked) {
                self.group_line(child, &name, &mut draft);
            }
        }
        draft.group.track_interfaces = tracked.interfaces;
        draft.group.track_scripts = tracked.scripts;
        draft.group.track_files = tracked.files;
        draft.group.track_processes = tracked.processes;
        draft.group.track_proxies = tracked.proxies;
        draft.group.track_bfd = tracked.bfd;
        Some(draft)
    }

    fn group_line(&mut self, child: &Statement, name: &str, draft: &mut GroupDraft) {
        let keyword = child.keyword.name;
        match keyword {
            "group" => {
                if draft.members.is_some() {
                    self.complain(
                        Reason::Duplicate,
                        format!("Group list already specified for sync group {name}"),
                    );
                    return;
                }
                let members: Vec<Word> = child.values().iter().flatten().cloned().collect();
                if members.is_empty() {
                    let text = format!("Warning - sync group {name} has empty group block");
                    self.error(Reason::Incomplete, child.end(), text);
                    return;
                }
                draft.members = Some(members);
            }
            "sync_group_tracking_weight" => draft.group.tracking_weight = true,
            "global_tracking" => {
                let text = format!(
                    "({name}) global_tracking is deprecated. Use track_interface/script/file on the sync group"
                );
                self.complain(Reason::Retired, text);
                draft.group.tracking_weight = true;
            }
            "smtp_alert" | "notify_priority_changes" => match self.switch(&child.words) {
                Ok(on) if keyword == "smtp_alert" => draft.smtp_alert = Some(on),
                Ok(on) => draft.priority_changes = Some(on),
                Err(word) => {
                    let text = if keyword == "smtp_alert" {
                        format!("Invalid vrrp_group smtp_alert parameter {}", word.text)
                    } else {
                        let value = &word.text;
                        format!(
                            "({name}) Invalid value '{value}' for sync group notify_priority_changes specified"
                        )
                    };
                    let span = word.span;
                    self.error(Reason::InvalidValue, span, text);
                }
            },
            _ => {
                let notify = &draft.group.notify;
                let again = match keyword {
                    "notify_master" => notify.master.is_some(),
                    "notify_backup" => notify.backup.is_some(),
                    "notify_fault" => notify.fault.is_some(),
                    "notify_stop" => notify.stop.is_some(),
                    _ => notify.generic.is_some(),
                };
                if again {
                    let script = child.words.get(1).map_or("", |word| word.text.as_str());
                    let text =
                        format!("vrrp group {name}: {keyword} script already specified - ignoring {script}");
                    self.complain(Reason::Duplicate, text);
                    return;
                }
                let script = self.notify(child, "notify");
                let notify = &mut draft.group.notify;
                *match keyword {
                    "notify_master" => &mut notify.master,
                    "notify_backup" => &mut notify.backup,
                    "notify_fault" => &mut notify.fault,
                    "notify_stop" => &mut notify.stop,
                    _ => &mut notify.generic,
                } = script;
            }
        }
    }

    /// Root `track_group NAME { group { ... } }`. Members are resolved once all instances are known.
    pub(super) fn static_track_group(&mut self, statement: &Statement) -> Option<(String, Vec<Word>)> {
        self.here = statement.span;
        let [_, name] = statement.words.as_slice() else {
            self.complain(Reason::MissingArgument, "track_group must have a name - skipping");
            return None;
        };
        if self.config.static_track_groups.iter().any(|group| group.name == name.text) {
            self.complain(Reason::Duplicate, format!("track_group {} already defined", name.text));
            return None;
        }
        let members: Vec<Word> =
            statement.children().iter().flat_map(|child| child.values().iter().flatten().cloned()).collect();
        if members.is_empty() {
            let text = format!("Warning - track group {} has empty group block", name.text);
            self.error(Reason::Incomplete, statement.end(), text);
        }
        self.config
            .static_track_groups
            .push(StaticTrackGroup { name: name.text.clone(), instances: Vec::new() });
        Some((name.text.clone(), members))
    }

    /// Fills the groups made above.
    pub(super) fn resolve_static_track_groups(&mut self, groups: &[(String, Vec<Word>)]) {
        for (name, members) in groups {
            let mut found = Vec::new();
            for member in members {
                match self.config.instances.iter().position(|instance| instance.name == member.text) {
                    Some(index) => found.push(InstanceIdx(u32::try_from(index).unwrap_or(u32::MAX))),
                    None => {
                        let text = format!(
                            "vrrp instance {} specified in track group {name} doesn't exist - ignoring",
                            member.text
                        );
                        self.late(Reason::UnknownReference, member.span, text);
                    }
                }
            }
            if found.is_empty() {
                self.log(self.here, format!("Static track group {name} init fails - removing"));
            }
            if let Some(group) = self.config.static_track_groups.iter_mut().find(|group| group.name == *name)
            {
                group.instances = found;
            }
        }
        self.config.static_track_groups.retain(|group| !group.instances.is_empty());
        self.track_static_items();
    }

    /// Members of a group need the interfaces of the static items that name it.
    fn track_static_items(&mut self) {
        let config = &mut self.config;
        let addresses = config
            .static_addresses
            .iter()
            .map(|item| (&item.track_group, item.address.no_track, item.address.dev.as_ref(), "address"));
        let routes = config
            .static_routes
            .iter()
            .map(|item| (&item.track_group, item.route.no_track, item.route.dev.as_ref(), "route"));
        let rules = config
            .static_rules
            .iter()
            .map(|item| (&item.track_group, item.rule.no_track, item.rule.iif.as_ref(), "rule"));
        let mut contradictions = Vec::new();
        for (group, no_track, interface, what) in addresses.chain(routes).chain(rules) {
            let named = |known: &&StaticTrackGroup| group.as_ref() == Some(&known.name);
            let Some(group) = config.static_track_groups.iter().find(named) else { continue };
            if no_track {
                contradictions.push(what);
                continue;
            }
            let Some(interface) = interface else { continue };
            for index in &group.instances {
                if let Some(instance) = config.instances.get_mut(index.0 as usize)
                    && !instance.static_interfaces.contains(interface)
                {
                    instance.static_interfaces.push(interface.clone());
                }
            }
        }
        for what in contradictions {
            let text = format!("Static {what} has both track_group and no_track set - not tracking");
            self.log(self.here, text);
        }
    }

    /// `garp_group { ... }`.
    pub(super) fn garp_group(&mut self, statement: &Statement) {
        let mut group = GarpGroup::default();
        for child in statement.children() {
            self.here = child.span;
            let keyword = child.keyword.name;
            match keyword {
                "interfaces" => {
                    group.aggregated = true;
                    let names: Vec<Word> = child.values().iter().flatten().cloned().collect();
                    if names.is_empty() {
                        self.error(
                            Reason::Incomplete,
                            child.end(),
                            "Warning - empty garp_group interfaces block",
                        );
                    }
                    names.iter().for_each(|name| self.garp_interface(name, &mut group));
                }
                "interface" => {
                    let Some(name) = self.parameter(&child.words, 1) else { continue };
                    self.garp_interface(name, &mut group);
                }
                _ => {
                    let Some(word) = self.parameter(&child.words, 1).cloned() else { continue };
                    let longest = Duration::from_micros(i32::MAX as u64);
                    let Some(time) = self.seconds(&word, Duration::ZERO, longest) else {
                        self.error(
                            Reason::OutOfRange,
                            word.span,
                            format!("garp_group {keyword} '{}' invalid", word.text),
                        );
                        continue;
                    };
                    if time >= Duration::from_secs(1) {
                        self.log(word.span, format!("The {keyword} is very large - {} seconds", word.text));
                    }
                    *(if keyword == "garp_interval" {
                        &mut group.garp_interval
                    } else {
                        &mut group.gna_interval
                    }) = Some(time);
                }
            }
        }
        self.here = statement.end();
        if group.garp_interval.is_none() && group.gna_interval.is_none() {
            let number = self.config.garp_groups.iter().filter(|group| group.aggregated).count()
                + usize::from(group.aggregated);
            self.complain(
                Reason::Incomplete,
                format!("garp group {number} does not have any delay set - removing"),
            );
            return;
        }
        self.config.garp_groups.push(group);
    }

    fn garp_interface(&mut self, word: &Word, group: &mut GarpGroup) {
        self.here = word.span;
        let name = &word.text;
        if self.interface(name).is_none() {
            let text = format!("WARNING - interface {name} specified for garp_group doesn't exist");
            self.error(Reason::Environment, word.span, text);
            return;
        }
        let taken = self.config.garp_groups.iter().any(|other| other.interfaces.contains(name));
        if taken || group.interfaces.contains(name) {
            self.error(
                Reason::Duplicate,
                word.span,
                format!("garp_group already specified for {name} - ignoring"),
            );
            return;
        }
        group.interfaces.push(name.clone());
    }

    /// `interface_up_down_delays { NAME DOWN [UP] }`.
    pub(super) fn interface_delays(&mut self, statement: &Statement) {
        let Body::Values { lines, .. } = &statement.body else { return };
        for line in lines {
            self.here = line[0].span;
            let name = line[0].text.clone();
            if self.env.interface(&name).is_none()
                && !self.env.offline()
                && !self.config.global.dynamic_interfaces
            {
                self.unknown_interface(format!("unknown interface {name} specified for up/down delay"));
                continue;
            }
            let mut delay =
                InterfaceDelay { interface: name.clone(), down: Duration::ZERO, up: Duration::ZERO };
            if line.len() < 2 {
                self.log(line[0].span, format!("No timeouts specified for {name} up/down delays"));
                continue;
            }
            let longest = Duration::from_secs(255);
            match self.seconds(&line[1], Duration::ZERO, longest) {
                Some(time) => delay.down = time,
                None => {
                    self.log(line[1].span, format!("Invalid down delay {} for {name}", line[1].text));
                    continue;
                }
            }
            if let Some(word) = line.get(2) {
                match self.seconds(word, Duration::ZERO, longest) {
                    Some(time) => delay.up = time,
                    None => {
                        self.log(word.span, format!("Invalid up delay {} for {name}", word.text));
                        continue;
                    }
                }
            }
            self.config.interface_delays.push(delay);
        }
    }

    /// `linkbeat_interfaces { NAME [MII|ETHTOOL|IOCTL] }`.
    pub(super) fn linkbeat_interfaces(&mut self, statement: &Statement) {
        for line in statement.values() {
            self.here = line[0].span;
            let name = line[0].text.clone();
            if self.env.interface(&name).is_none()
                && !self.env.offline()
                && !self.config.global.dynamic_interfaces
            {
                self.unknown_interface(format!("unknown interface {name} specified for linkbeat interface"));
                continue;
            }
            if let Some(word) = line.get(1)
                && (!matches!(word.text.as_str(), "MII" | "ETHTOOL" | "IOCTL") || line.len() > 2)
            {
                let text = format!("extra characters {} in linkbeat interface", word.text);
                self.error(Reason::TooManyArguments, word.span, text);
            }
            self.config.linkbeat_interfaces.push(name);
        }
    }
}
