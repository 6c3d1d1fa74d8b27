//! Nodes of one virtual router, compared.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Node, Remark};
use crate::ir::vrrp::{Config, Instance, Version};

/// An instance with the node it is on.
#[derive(Clone, Copy)]
struct Seat<'a> {
    node: Node<'a>,
    instance: &'a Instance,
}

/// Something whose failure takes a weight off (or keeps one from being added).
struct Watched<'a> {
    kind: &'static str,
    name: &'a str,
    weight: i32,
}

impl<'a> Seat<'a> {
    fn remark(&self, message: impl std::fmt::Display, help: impl Into<String>) -> Remark {
        Remark {
            wrong: true,
            place: self.instance.place.clone(),
            message: format!("({}) {message}", self.instance.name),
            help: help.into(),
        }
    }

    /// What counts with a weight; scripts and processes that count the other way round are left out.
    fn watched(&self) -> Vec<Watched<'a>> {
        let Config { scripts, track_processes, track_proxies, .. } = self.node.config;
        let scripts = self.instance.track_scripts.iter().filter(|one| !one.reverse).map(|one| Watched {
            kind: "script",
            name: &scripts[one.script.0 as usize].name,
            weight: one.weight,
        });
        let processes = self.instance.track_processes.iter().filter(|one| !one.reverse).map(|one| Watched {
            kind: "process",
            name: &track_processes[one.process.0 as usize].name,
            weight: one.weight,
        });
        let proxies = self.instance.track_proxies.iter().filter(|one| !one.reverse).map(|one| Watched {
            kind: "proxy",
            name: &track_proxies[one.proxy.0 as usize].name,
            weight: one.weight,
        });
        let interfaces = self
            .instance
            .track_interfaces
            .iter()
            .filter(|one| !one.reverse)
            .map(|one| Watched { kind: "interface", name: &one.name, weight: one.weight });
        scripts.chain(processes).chain(proxies).chain(interfaces).filter(|one| one.weight != 0).collect()
    }

    /// Priority while everything is well.
    fn best(&self) -> i32 {
        let added: i32 = self.watched().iter().map(|one| one.weight.max(0)).sum();
        effective(i32::from(self.instance.priority), added)
    }
}

/// A priority with what is added or taken off: an owner's stays, the others' stay within 1 to 254.
fn effective(base: i32, change: i32) -> i32 {
    if base == 255 { 255 } else { (base + change).clamp(1, 254) }
}

pub(super) fn remarks(nodes: &[Node<'_>]) -> Vec<Remark> {
    let seats: Vec<Seat<'_>> = nodes
        .iter()
        .flat_map(|node| node.config.instances.iter().map(|instance| Seat { node: *node, instance }))
        .collect();
    let mut said = Vec::new();
    for (nth, one) in seats.iter().enumerate() {
        for two in &seats[nth + 1..] {
            let same_router =
                one.instance.vrid == two.instance.vrid && one.instance.ipv6 == two.instance.ipv6;
            let same_node = std::ptr::eq(one.node.config, two.node.config);
            if same_router && !same_node {
                partners(&mut said, one, two);
            } else {
                shared_addresses(&mut said, one, two);
            }
        }
    }
    for seat in &seats {
        trap(&mut said, seat, &seats);
    }
    said
}

/// Two different virtual routers with one address.
fn shared_addresses(said: &mut Vec<Remark>, one: &Seat<'_>, two: &Seat<'_>) {
    let (ours, theirs) = (vips(one.instance), vips(two.instance));
    for vip in ours.intersection(&theirs) {
        said.push(two.remark(
            format_args!(
                "{vip} is also an address of {} ({}, virtual_router_id {})",
                one.instance.name, one.node.name, one.instance.vrid
            ),
            "two virtual routers can hold it at once; give each its own addresses, or the same virtual_router_id on both nodes",
        ));
    }
}

fn vips(instance: &Instance) -> BTreeSet<IpAddr> {
    instance.vips.iter().chain(&instance.excluded_vips).map(|vip| vip.addr).collect()
}

/// Two nodes of one virtual router.
fn partners(said: &mut Vec<Remark>, one: &Seat<'_>, two: &Seat<'_>) {
    let (a, b) = (one.instance, two.instance);
    let other = |seat: &Seat<'_>| format!("{} in {}", seat.instance.name, seat.node.name);
    if a.version != b.version {
        said.push(two.remark(
            format_args!(
                "speaks VRRP version {}, {} version {}",
                number(b.version),
                other(one),
                number(a.version)
            ),
            "neither understands the other: both become master",
        ));
    } else if a.advert_interval != b.advert_interval {
        let message = format!(
            "advert_int is {}, {} has {}",
            humantime::format_duration(b.advert_interval),
            other(one),
            humantime::format_duration(a.advert_interval)
        );
        let help = match a.version {
            Version::V2 => "version 2 drops adverts with another interval: both become master",
            Version::V3 => {
                "the backup learns the master's interval; the time to detect a failure changes with the master"
            }
        };
        said.push(two.remark(message, help));
    }
    if a.auth != b.auth {
        said.push(two.remark(
            format_args!("authentication differs from {}", other(one)),
            "adverts that fail authentication are dropped: both become master",
        ));
    }
    if a.priority == b.priority {
        said.push(two.remark(
            format_args!("has the same priority {} as {}", b.priority, other(one)),
            "which of the two is master is decided by their addresses; give the one that should be a higher priority",
        ));
    }
    for (here, there) in [(one, two), (two, one)] {
        for vip in vips(here.instance).difference(&vips(there.instance)) {
            said.push(here.remark(
                format_args!("{vip} is not an address of {}", other(there)),
                "it is gone while that node is master, and the other may refuse the adverts",
            ));
        }
        peers(said, here, there);
    }
}

fn number(version: Version) -> u8 {
    match version {
        Version::V2 => 2,
        Version::V3 => 3,
    }
}

/// `here` must be among the peers that `there` sends to.
fn peers(said: &mut Vec<Remark>, here: &Seat<'_>, there: &Seat<'_>) {
    match (&here.instance.unicast, &there.instance.unicast) {
        (None, Some(_)) => said.push(here.remark(
            format_args!("uses multicast, {} in {} unicast peers", there.instance.name, there.node.name),
            "they do not hear each other: both become master; write unicast_peer on both or on neither",
        )),
        (Some(_), Some(theirs)) => {
            let Some(source) = here.instance.src_ip else { return };
            if !theirs.peers.contains(&source) {
                said.push(here.remark(
                    format_args!(
                        "its address {source} is no unicast_peer of {} in {}",
                        there.instance.name, there.node.name
                    ),
                    format!("that node never tells this one that it is master: both become master; add {source} to its unicast_peer"),
                ));
            }
        }
        _ => {}
    }
}

/// A check whose failure on the best node leaves that node the best.
fn trap(said: &mut Vec<Remark>, seat: &Seat<'_>, seats: &[Seat<'_>]) {
    let instance = seat.instance;
    let rivals = seats.iter().filter(|other| {
        let other_node = !std::ptr::eq(other.node.config, seat.node.config);
        other_node && other.instance.vrid == instance.vrid && other.instance.ipv6 == instance.ipv6
    });
    let Some(rival) = rivals.max_by_key(|rival| rival.best()) else { return };
    let (ours, theirs) = (seat.best(), rival.best());
    if ours <= theirs {
        return;
    }
    let added: i32 = seat.watched().iter().map(|one| one.weight.max(0)).sum();
    for watched in seat.watched() {
        // A positive weight is lost, a negative one is taken off.
        let change = added - watched.weight.abs();
        let left = effective(i32::from(instance.priority), change);
        if left < theirs {
            continue;
        }
        let gap = i32::from(instance.priority) - i32::from(rival.instance.priority);
        let advice = if instance.priority == 255 {
            "an address owner (priority 255) never steps back; use a priority below 255".to_owned()
        } else if watched.weight > 0 {
            format!(
                "the weight must be more than the distance of the priorities: {} or more on both nodes",
                gap + 1
            )
        } else {
            format!(
                "the weight must be more than the distance of the priorities: {} or less",
                -(ours - theirs + 1)
            )
        };
        said.push(seat.remark(
            format_args!(
                "if the {} {} fails here, the priority falls from {ours} to {left}, and {} in {} has {theirs}: \
                 the addresses stay where it failed",
                watched.kind, watched.name, rival.instance.name, rival.node.name
            ),
            advice,
        ));
    }
}
