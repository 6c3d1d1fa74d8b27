//! Two instances that would be one virtual router.

use tandem_parser::Reason;

use super::super::context::Cx;
use super::super::instance::Draft;
use super::Refused;

impl Cx<'_> {
    pub(super) fn vrid_conflicts(&mut self, drafts: &[Draft]) -> Result<(), Refused> {
        let mut conflicts = Vec::new();
        let instances = &self.config.instances;
        for (index, one) in instances.iter().enumerate() {
            for two in &instances[index + 1..] {
                let same = one.ipv6 == two.ipv6 && one.vrid == two.vrid && one.interface == two.interface;
                if !same || one.unicast.is_some() != two.unicast.is_some() {
                    continue;
                }
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
