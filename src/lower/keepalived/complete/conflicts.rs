//! Two instances that would be one virtual router.

use std::collections::HashMap;

use tandem_parser::Reason;

use super::super::context::Cx;
use super::super::instance::Draft;
use super::Refused;
use crate::ir::vrrp::Instance;

/// Conflicts that are told.
const MOST_CONFLICTS: usize = 1_000;

impl Cx<'_> {
    pub(super) fn vrid_conflicts(&mut self, drafts: &[Draft]) -> Result<(), Refused> {
        let mut conflicts = Vec::new();
        let instances = &self.config.instances;
        // Those that could conflict, in order.
        let key = |one: &Instance| (one.ipv6, one.vrid, one.unicast.is_some(), one.interface.clone());
        let mut alike: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, one) in instances.iter().enumerate() {
            alike.entry(key(one)).or_default().push(index);
        }
        for (index, one) in instances.iter().enumerate() {
            let others = alike.get(&key(one)).map(Vec::as_slice).unwrap_or_default();
            let later = &others[others.partition_point(|other| *other <= index)..];
            if conflicts.len() > MOST_CONFLICTS {
                break;
            }
            for two in later.iter().map(|other| &instances[*other]) {
                let text = match (&one.unicast, &two.unicast) {
                    (Some(a), Some(b)) => {
                        let (Some(from_a), Some(from_b)) = (one.src_ip, two.src_ip) else { continue };
                        if from_a != from_b || !a.peers.iter().any(|peer| b.peers.contains(peer)) {
                            continue;
                        }
                        format!("({}) duplicate VRID conflict with {} VRID {}", one.name, two.name, one.vrid)
                    }
                    _ if one.mcast_group != two.mcast_group => continue,
                    _ => format!(
                        "{} and {} both use VRID {} with IPv{} on interface {}",
                        one.name,
                        two.name,
                        one.vrid,
                        if one.ipv6 { 6 } else { 4 },
                        one.interface.as_deref().unwrap_or("?")
                    ),
                };
                conflicts.push((drafts[index].span, text));
            }
        }
        for (span, text) in &conflicts {
            self.refuse(Reason::Conflict, *span, text);
        }
        if conflicts.is_empty() { Ok(()) } else { Err(Refused) }
    }
}
