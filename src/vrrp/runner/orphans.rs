//! What the parent does when the engine died with addresses in its hands: takes them down and tells the
//! others, so that a backup takes over after its skew time and there are never two owners.

use crate::ir::vrrp::Config;
use crate::sys::clock;
use crate::sys::lease::{self, Lease};
use crate::sys::netlink::Rtnl;
use crate::sys::nft::{self, Channel, Filter};
use crate::sys::raw::RawSocket;
use crate::sys::shared::Slots;
use crate::vrrp::engine::Engine;
use crate::vrrp::lifetime;
use crate::vrrp::packet::{self, Outgoing, PRIORITY_STOP};

use super::addresses::{self, Kernel};
use super::journal::Journal;
use super::sockets;

/// Removes the addresses of every instance that was master and sends priority 0 for it. Blocking and
/// without a runtime: the caller is a supervisor with nothing else to do.
pub fn release_orphans(config: &Config, shared: &Slots, journal: &Journal) {
    let kernel = Rtnl::open().and_then(|mut rtnl| {
        let kernel = Kernel::new(rtnl.links()?, rtnl.addresses()?);
        Ok((rtnl, kernel))
    });
    let (mut rtnl, kernel) = match kernel {
        Ok(opened) => opened,
        Err(e) => {
            journal.warn(format!("cannot clean up after the VRRP process: {e}"));
            return;
        }
    };
    let links = config.instances.iter().filter_map(|i| i.interface.clone()).map(|name| {
        let link = kernel.engine_link(&name, config);
        (name, link)
    });
    let engine = Engine::new(config.clone(), links.collect());
    let mut filtered = false;
    for (at, instance) in config.instances.iter().enumerate() {
        let Some((true, sequence)) = shared.get(&instance.name) else { continue };
        journal.info(format!("({}) removing VIPs left behind by the VRRP process", instance.name));
        for vip in instance.vips.iter().chain(&instance.excluded_vips) {
            let index = addresses::interface_of(instance, vip).and_then(|n| kernel.link(n)).map(|l| l.index);
            let Some(index) = index else { continue };
            if let Err(e) = rtnl.delete_address(&addresses::spec(vip, index, u32::MAX)) {
                journal.warn(format!("({}) cannot delete {}: {e}", instance.name, vip.addr));
            }
        }
        shared.set_master(&instance.name, false);
        filtered |= !instance.accept;
        let index = instance.speaks_on().and_then(|n| kernel.link(n)).map_or(0, |l| l.index);
        let profile = engine.profile(at);
        let socket = match RawSocket::open(&sockets::key(instance, profile, index)) {
            Ok(socket) => socket,
            Err(e) => {
                journal.warn(format!("({}) cannot announce the stop: {e}", instance.name));
                continue;
            }
        };
        let source = engine.router(at).settings().address;
        let group = [profile.group];
        let peers: Vec<_> = profile.peers.iter().map(|p| p.address).collect();
        let mut bytes = Vec::new();
        for &destination in if profile.unicast() { &peers[..] } else { &group[..] } {
            let outgoing = Outgoing {
                source,
                destination,
                priority: PRIORITY_STOP,
                ip_id: 1,
                sequence: sequence.saturating_add(1),
                old_checksum: false,
                stamp: profile
                    .hmac
                    .as_ref()
                    .map_or(0, |rule| packet::Memory::default().next(rule, clock::since_epoch())),
            };
            packet::encode(profile, &outgoing, &mut bytes);
            if let Err(e) = sockets::send(&socket, &bytes, source, destination, instance.ttl) {
                journal.warn(format!("({}) cannot announce the stop: {e}", instance.name));
            }
        }
        journal.detail(format!("({}) sent 0 priority", instance.name));
    }
    let table = config.global.firewall.nftables.clone().unwrap_or_else(|| "keepalived".to_owned());
    let channel = Channel::default();
    if config.instances.iter().any(|i| lifetime::lease(config.global.vip_lifetime, i).is_some()) {
        let _ = lease::apply(&channel, &Lease { table: table.clone(), ..Lease::default() });
    }
    if filtered {
        // The next engine sets what it needs.
        let _ = nft::apply(&channel, &Filter { table, ..Filter::default() });
    }
}
