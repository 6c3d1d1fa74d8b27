//! Gratuitous ARP and neighbour advertisements, with the configured pauses.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::ir::vrrp::{Instance, Vip};
use crate::vrrp::announce;

use super::super::addresses;
use super::{Core, Queued};

/// Announcements that keep one pace: of a family on an interface, or on all interfaces of a `garp_group`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    Interface { index: u32, v6: bool },
    Group { position: usize, v6: bool },
}

impl Core {
    pub(super) fn announce(&mut self, at: usize, repeat: u32, now: Instant) {
        if !self.sides[at].installed {
            return;
        }
        let instance = self.instance(at).clone();
        for round in 0..repeat {
            for vip in instance.vips.iter().chain(&instance.excluded_vips) {
                if round == 0 {
                    let what =
                        if vip.addr.is_ipv4() { "gratuitous ARPs" } else { "Unsolicited Neighbour Adverts" };
                    let interface = addresses::interface_of(&instance, vip).unwrap_or_default();
                    self.journal.detail(format!(
                        "({}) Sending/queueing {what} on {interface} for {}",
                        instance.name, vip.addr
                    ));
                }
                self.announce_one(&instance, vip, now);
            }
        }
    }

    pub(super) fn announce_one(&mut self, instance: &Instance, vip: &Vip, now: Instant) {
        let name = addresses::interface_of(instance, vip).unwrap_or_default();
        let Some(link) = self.kernel.link(name).filter(|l| l.arp) else { return };
        let Ok(mac) = announce::Mac::try_from(&link.mac[..]) else { return };
        let index = link.index;
        let pause = self.pause(name, vip.addr.is_ipv6());
        let frame = match vip.addr {
            IpAddr::V4(address) => announce::gratuitous_arp(mac, address),
            IpAddr::V6(address) => announce::neighbour_advertisement(mac, address, forwards_v6(name)),
        };
        let what = if vip.addr.is_ipv4() { "gratuitous ARP" } else { "unsolicited Neighbour Advert" };
        self.journal.detail(format!("Sending {what} on {name} for {}", vip.addr));
        if pause.is_zero() {
            self.send_frame(&frame, index);
            return;
        }
        let lane = self.lane(name, index, vip.addr.is_ipv6());
        let slot = self.next_announcement.entry(lane).or_insert(now);
        let at = (*slot).max(now);
        *slot = at + pause;
        if at == now {
            self.send_frame(&frame, index);
        } else {
            self.queue.push(Queued { at, index, frame });
            self.wake.notify_one();
        }
    }

    /// The configured pause between announcements on an interface.
    pub(in crate::vrrp::runner) fn pause(&self, interface: &str, v6: bool) -> Duration {
        let config = self.engine.config();
        let group = config.garp_groups.iter().find(|g| g.interfaces.iter().any(|i| i == interface));
        let own = group.and_then(|g| if v6 { g.gna_interval } else { g.garp_interval });
        let global = if v6 { config.global.gna_interval } else { config.global.garp_interval };
        own.or(global).unwrap_or_default()
    }

    fn lane(&self, interface: &str, index: u32, v6: bool) -> Lane {
        let mut groups = self.engine.config().garp_groups.iter();
        let shared = groups.position(|g| g.aggregated && g.interfaces.iter().any(|name| name == interface));
        shared.map_or(Lane::Interface { index, v6 }, |position| Lane::Group { position, v6 })
    }

    pub(super) fn send_frame(&mut self, frame: &[u8], index: u32) {
        if let Some(frames) = &self.frames
            && let Err(e) = frames.send(frame, index)
        {
            let name = self.kernel.by_index(index).map_or("?", |l| l.name.as_str());
            self.journal.warn(format!("Error {e} sending gratuitous ARP on {name}"));
        }
    }
}

/// Does this interface forward IPv6? Then its advertisements say router.
fn forwards_v6(interface: &str) -> bool {
    std::fs::read_to_string(format!("/proc/sys/net/ipv6/conf/{interface}/forwarding"))
        .is_ok_and(|text| text.trim() == "1")
}
