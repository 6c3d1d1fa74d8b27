//! Sync groups and their members.

use tandem_parser::{Reason, Span};

use super::super::context::Cx;
use super::super::instance::Draft;
use super::OWNER;
use crate::ir::vrrp::{InitialState, InstanceIdx, SyncGroupIdx};

impl Cx<'_> {
    #[allow(clippy::type_complexity, reason = "the four parts of a group draft, used once")]
    pub(super) fn sync_groups(
        &mut self,
        drafts: &[Draft],
        metas: Vec<(Span, Option<Vec<tandem_parser::keepalived::Word>>, Option<bool>, Option<bool>)>,
    ) {
        let mut kept = Vec::new();
        let groups = std::mem::take(&mut self.config.sync_groups);
        for (mut group, (span, members, smtp_alert, priority_changes)) in groups.into_iter().zip(metas) {
            let name = group.name.clone();
            let Some(members) = members else {
                self.late(
                    Reason::Incomplete,
                    span,
                    format!("Sync group {name} has no virtual router(s). removing"),
                );
                continue;
            };
            let number = SyncGroupIdx(u32::try_from(kept.len()).unwrap_or(u32::MAX));
            let mut owners: Option<bool> = None;
            for member in &members {
                let Some(index) =
                    self.config.instances.iter().position(|instance| instance.name == member.text)
                else {
                    let text = format!(
                        "Virtual router {} specified in sync group {name} doesn't exist - ignoring",
                        member.text
                    );
                    self.late(Reason::UnknownReference, member.span, text);
                    continue;
                };
                if self.config.instances[index].sync_group.is_some() {
                    let text = format!(
                        "Virtual router {} cannot exist in more than one sync group; ignoring {name}",
                        member.text
                    );
                    self.late(Reason::Conflict, member.span, text);
                    continue;
                }
                self.config.instances[index].sync_group = Some(number);
                group.instances.push(InstanceIdx(u32::try_from(index).unwrap_or(u32::MAX)));
                let draft = &drafts[index];
                if owners == Some(true) && draft.state == Some(InitialState::Backup) {
                    let text = format!(
                        "Sync group {name} has some member(s) as address owner and some not as address owner. This won't work."
                    );
                    self.late(Reason::Conflict, member.span, text);
                }
                if owners != Some(false) {
                    let owner = draft.state == Some(InitialState::Master) && draft.priority == Some(OWNER);
                    owners = Some(owner);
                }
            }
            if group.instances.is_empty() {
                let text = format!(
                    "Sync group {name}, no matching virtual router found in group declaration - removing"
                );
                self.late(Reason::Incomplete, span, text);
                continue;
            }
            if group.instances.len() == 1 {
                let text = format!(
                    "Sync group {name} has only 1 virtual router(s) - this probably isn't what you want"
                );
                self.late(Reason::Incomplete, span, text);
            }
            let global = &self.config.global;
            group.smtp_alert = smtp_alert.or(global.smtp_alert_vrrp).or(global.smtp_alert).unwrap_or(false);
            let changes = priority_changes.or(global.notify_priority_changes);
            group.notify.priority_changes = changes.unwrap_or(false);
            kept.push((group, priority_changes));
        }
        self.group_priority_changes = kept.iter().map(|(_, changes)| *changes).collect();
        self.config.sync_groups = kept.into_iter().map(|(group, _)| group).collect();
    }
}
