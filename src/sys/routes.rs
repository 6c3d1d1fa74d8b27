//! Routes and policy rules through rtnetlink.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{DefaultNla, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::link::{InfoData, InfoVrf};
use netlink_packet_route::route::{
    MplsLabel, RouteAddress, RouteAttribute, RouteHeader, RouteIp6Tunnel, RouteIp6TunnelFlags, RouteIpTunnel,
    RouteIpTunnelFlags, RouteLwEnCapType, RouteLwTunnelEncap, RouteMessage, RouteMetric, RouteMplsIpTunnel,
    RouteNextHop, RouteNextHopFlags, RouteProtocol, RouteRealm, RouteScope, RouteType,
};
use netlink_packet_route::rule::{
    RuleAction, RuleAttribute, RuleFlags, RuleMessage, RulePortRange, RuleUidRange,
};
use netlink_packet_route::{AddressFamily, IpProtocol, RouteNetlinkMessage};

use super::netlink::{RTPROT_KEEPALIVED, Rtnl};
use crate::ir::vrrp::{Encap, Route, RouteKind, RouteOrder, Rule, TunnelEnds};

/// Attribute of an identifier-locator tunnel: where to.
const ILA_ATTR_LOCATOR: u16 = 1;

/// Index of an interface by name.
pub type IndexOf<'a> = &'a dyn Fn(&str) -> Option<u32>;

impl Rtnl {
    /// Installs a route (`add`) or removes it; removing one that is not there is no error.
    ///
    /// # Errors
    /// `NotFound` for an interface that does not exist, else whatever the kernel says.
    pub fn set_route(&mut self, route: &Route, index_of: IndexOf<'_>, add: bool) -> io::Result<()> {
        let message = route_message(route, index_of, add)?;
        if !add {
            return gone(self.send(RouteNetlinkMessage::DelRoute(message), NLM_F_ACK));
        }
        let order = match route.order {
            RouteOrder::Prepend => 0,
            RouteOrder::Append => NLM_F_APPEND,
            RouteOrder::Exclusive => NLM_F_EXCL,
        };
        there(self.send(RouteNetlinkMessage::NewRoute(message), NLM_F_ACK | NLM_F_CREATE | order)).map(drop)
    }

    /// Installs a route unless one with its key is there. True: it was missing.
    ///
    /// # Errors
    /// As [`Rtnl::set_route`].
    pub fn restore_route(&mut self, route: &Route, index_of: IndexOf<'_>) -> io::Result<bool> {
        let message = RouteNetlinkMessage::NewRoute(route_message(route, index_of, true)?);
        there(self.send(message, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL))
    }

    /// Installs a rule (`add`) or removes it; removing one that is not there is no error. False: it was there already.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn set_rule(&mut self, rule: &Rule, add: bool) -> io::Result<bool> {
        let message = rule_message(rule);
        if add {
            let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
            return there(self.send(RouteNetlinkMessage::NewRule(message), flags));
        }
        gone(self.send(RouteNetlinkMessage::DelRule(message), NLM_F_ACK)).map(|()| true)
    }
}

/// False: it was there already.
fn there(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Err(e) if e.raw_os_error() == Some(libc::EEXIST) => Ok(false),
        other => other.map(|()| true),
    }
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if matches!(e.raw_os_error(), Some(libc::ESRCH | libc::ENOENT | libc::ENODEV)) => Ok(()),
        other => other,
    }
}

fn family(v6: bool) -> AddressFamily {
    if v6 { AddressFamily::Inet6 } else { AddressFamily::Inet }
}

fn address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(a) => RouteAddress::Inet(a),
        IpAddr::V6(a) => RouteAddress::Inet6(a),
    }
}

fn kind(kind: RouteKind) -> RouteType {
    match kind {
        RouteKind::Unicast => RouteType::Unicast,
        RouteKind::Local => RouteType::Local,
        RouteKind::Broadcast => RouteType::Broadcast,
        RouteKind::Anycast => RouteType::Anycast,
        RouteKind::Multicast => RouteType::Multicast,
        RouteKind::Blackhole => RouteType::BlackHole,
        RouteKind::Unreachable => RouteType::Unreachable,
        RouteKind::Prohibit => RouteType::Prohibit,
        RouteKind::Throw => RouteType::Throw,
        RouteKind::Nat => RouteType::Nat,
    }
}

fn route_message(route: &Route, index_of: IndexOf<'_>, add: bool) -> io::Result<RouteMessage> {
    let index = |name: &str| {
        index_of(name).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no interface {name}")))
    };
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = family(route.ipv6);
    header.tos = route.tos.unwrap_or(0);
    header.kind = kind(route.kind);
    header.protocol = RouteProtocol::from(route.protocol.unwrap_or(RTPROT_KEEPALIVED));
    // Global unless written otherwise, as keepalived does it; whoever removes one need not know.
    header.scope = match route.scope {
        Some(scope) => RouteScope::from(scope),
        None if add => RouteScope::Universe,
        None => RouteScope::NoWhere,
    };
    let table = match &route.vrf {
        Some(vrf) => vrf_table(vrf)?,
        None => route.table.unwrap_or(u32::from(RouteHeader::RT_TABLE_MAIN)),
    };
    header.table = u8::try_from(table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
    let mut attributes = vec![RouteAttribute::Table(table)];
    if let Some(dst) = route.dst {
        header.destination_prefix_length = dst.prefix_len();
        attributes.push(RouteAttribute::Destination(address(dst.addr())));
    }
    if let Some(from) = route.from {
        header.source_prefix_length = from.prefix_len();
        attributes.push(RouteAttribute::Source(address(from.addr())));
    }
    if route.onlink {
        header.flags |= netlink_packet_route::route::RouteFlags::Onlink;
    }
    attributes.extend(route.via.map(|via| RouteAttribute::Gateway(address(via))));
    attributes.extend(route.src.map(|src| RouteAttribute::PrefSource(address(src))));
    attributes.extend(route.metric.map(RouteAttribute::Priority));
    if let Some(dev) = &route.dev {
        attributes.push(RouteAttribute::Oif(index(dev)?));
    }
    attributes.extend(route.realms.map(|r| RouteAttribute::Realm(realm(r))));
    attributes.extend(route.expires.filter(|_| add).map(RouteAttribute::Expires));
    attributes.extend(route.pref.map(|p| RouteAttribute::Preference(p.into())));
    attributes.extend(route.ttl_propagate.map(|on| RouteAttribute::TtlPropagate(u8::from(on).into())));
    attributes.extend(route.encap.iter().flat_map(encap));
    let mut hops = Vec::new();
    for hop in &route.nexthops {
        let mut next = RouteNextHop::default();
        next.interface_index = hop.dev.as_deref().map(index).transpose()?.unwrap_or(0);
        next.hops = u8::try_from(hop.weight.unwrap_or(1).saturating_sub(1)).unwrap_or(u8::MAX);
        if hop.onlink {
            next.flags |= RouteNextHopFlags::Onlink;
        }
        next.attributes.extend(hop.via.map(|via| RouteAttribute::Gateway(address(via))));
        next.attributes.extend(hop.realms.map(|r| RouteAttribute::Realm(realm(r))));
        next.attributes.extend(hop.encap.iter().flat_map(encap));
        hops.push(next);
    }
    if !hops.is_empty() {
        attributes.push(RouteAttribute::MultiPath(hops));
    }
    let metrics = metrics(route);
    if !metrics.is_empty() {
        attributes.push(RouteAttribute::Metrics(metrics));
    }
    message.attributes = attributes;
    Ok(message)
}

/// The table of a VRF, by the name of its interface.
fn vrf_table(name: &str) -> io::Result<u32> {
    let table = Rtnl::open()?.links_of_kind(name, |data| match data {
        InfoData::Vrf(infos) => infos.iter().find_map(|i| match i {
            InfoVrf::TableId(table) => Some(*table),
            _ => None,
        }),
        _ => None,
    })?;
    table.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name} is no VRF")))
}

/// The attributes of a light-weight tunnel.
fn encap(encap: &Encap) -> [RouteAttribute; 2] {
    let (kind, values) = match encap {
        Encap::Ip(ends) => (RouteLwEnCapType::Ip, ip_tunnel(ends)),
        Encap::Ip6(ends) => (RouteLwEnCapType::Ip6, ip6_tunnel(ends)),
        Encap::Mpls(labels) => {
            let last = labels.len().saturating_sub(1);
            let label = |(at, label): (usize, &u32)| MplsLabel {
                label: *label,
                traffic_class: 0,
                bottom_of_stack: at == last,
                ttl: 0,
            };
            let stack = labels.iter().enumerate().map(label).collect();
            (RouteLwEnCapType::Mpls, vec![RouteLwTunnelEncap::Mpls(RouteMplsIpTunnel::Destination(stack))])
        }
        Encap::Ila(locator) => {
            let attribute = DefaultNla::new(ILA_ATTR_LOCATOR, locator.to_vec());
            (RouteLwEnCapType::Ila, vec![RouteLwTunnelEncap::Other(attribute)])
        }
    };
    [RouteAttribute::Encap(values), RouteAttribute::EncapType(kind)]
}

fn ip_tunnel(ends: &TunnelEnds<Ipv4Addr>) -> Vec<RouteLwTunnelEncap> {
    let flags = |f| RouteIpTunnel::Flags(RouteIpTunnelFlags::from_bits_retain(f));
    let values = ends.id.map(RouteIpTunnel::Id).into_iter();
    values
        .chain(ends.dst.map(RouteIpTunnel::Destination))
        .chain(ends.src.map(RouteIpTunnel::Source))
        .chain(ends.tos.map(RouteIpTunnel::Tos))
        .chain(ends.ttl.map(RouteIpTunnel::Ttl))
        .chain(ends.flags.map(flags))
        .map(RouteLwTunnelEncap::Ip)
        .collect()
}

fn ip6_tunnel(ends: &TunnelEnds<Ipv6Addr>) -> Vec<RouteLwTunnelEncap> {
    let flags = |f| RouteIp6Tunnel::Flags(RouteIp6TunnelFlags::from_bits_retain(f));
    let values = ends.id.map(RouteIp6Tunnel::Id).into_iter();
    values
        .chain(ends.dst.map(RouteIp6Tunnel::Destination))
        .chain(ends.src.map(RouteIp6Tunnel::Source))
        .chain(ends.tos.map(RouteIp6Tunnel::Tc))
        .chain(ends.ttl.map(RouteIp6Tunnel::Hoplimit))
        .chain(ends.flags.map(flags))
        .map(RouteLwTunnelEncap::Ip6)
        .collect()
}

fn realm(value: u32) -> RouteRealm {
    // The upper half is the source realm.
    let half = |v: u32| u16::try_from(v & 0xffff).unwrap_or(0);
    RouteRealm { source: half(value >> 16), destination: half(value) }
}

fn metrics(route: &Route) -> Vec<RouteMetric> {
    let millis =
        |d: std::time::Duration, unit: u32| u32::try_from(d.as_millis()).unwrap_or(u32::MAX / unit) * unit;
    let mut metrics = Vec::new();
    let lockable = [
        (route.mtu, RouteMetric::Mtu as fn(u32) -> RouteMetric, 2),
        (route.advmss, RouteMetric::Advmss, 8),
        (route.cwnd, RouteMetric::Cwnd, 7),
    ];
    // A locked metric is a bit of its number in the lock word (RTAX_*).
    let lock = lockable.iter().filter_map(|(m, _, bit)| m.filter(|m| m.1).map(|_| 1 << bit)).sum::<u32>();
    let lock = lock | route.locks;
    if lock != 0 {
        metrics.push(RouteMetric::Lock(lock));
    }
    metrics.extend(lockable.iter().filter_map(|(m, make, _)| m.map(|m| make(m.0))));
    metrics.extend(route.hoplimit.map(|v| RouteMetric::Hoplimit(u32::from(v))));
    metrics.extend(route.window.map(RouteMetric::Window));
    metrics.extend(route.initcwnd.map(RouteMetric::InitCwnd));
    metrics.extend(route.initrwnd.map(RouteMetric::InitRwnd));
    metrics.extend(route.ssthresh.map(RouteMetric::SsThresh));
    metrics.extend(route.reordering.map(RouteMetric::Reordering));
    // The kernel keeps round trips in eighths, variances in quarters of a millisecond.
    metrics.extend(route.rtt.map(|d| RouteMetric::Rtt(millis(d, 8))));
    metrics.extend(route.rttvar.map(|d| RouteMetric::RttVar(millis(d, 4))));
    metrics.extend(route.rto_min.map(|d| RouteMetric::RtoMin(millis(d, 1))));
    metrics.extend(route.quickack.map(|on| RouteMetric::QuickAck(u32::from(on))));
    metrics.extend(route.ecn.then_some(RouteMetric::Features(1)));
    metrics.extend(route.fastopen_no_cookie.map(|on| RouteMetric::FastopenNoCookie(u32::from(on))));
    metrics.extend(route.congctl.clone().map(RouteMetric::CcAlgo));
    metrics
}

fn rule_message(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    let header = &mut message.header;
    header.family = family(rule.ipv6);
    header.tos = rule.tos.unwrap_or(0);
    let len = |net: Option<IpNet>| net.map_or(0, |n| n.prefix_len());
    (header.src_len, header.dst_len) = (len(rule.from), len(rule.to));
    header.action = match (rule.kind, rule.goto, rule.nop) {
        (_, Some(_), _) => RuleAction::Goto,
        (_, _, true) => RuleAction::Nop,
        (Some(RouteKind::Blackhole), ..) => RuleAction::Blackhole,
        (Some(RouteKind::Unreachable), ..) => RuleAction::Unreachable,
        (Some(RouteKind::Prohibit), ..) => RuleAction::Prohibit,
        _ => RuleAction::ToTable,
    };
    if rule.invert {
        header.flags |= RuleFlags::Invert;
    }
    let table = rule.table.unwrap_or(if header.action == RuleAction::ToTable { 254 } else { 0 });
    header.table = u8::try_from(table).unwrap_or(0);
    let attributes = &mut message.attributes;
    attributes.push(RuleAttribute::Table(table));
    attributes.push(RuleAttribute::Protocol(RouteProtocol::from(rule.protocol.unwrap_or(RTPROT_KEEPALIVED))));
    attributes.extend(rule.from.map(|n| RuleAttribute::Source(n.addr())));
    attributes.extend(rule.to.map(|n| RuleAttribute::Destination(n.addr())));
    attributes.extend(rule.iif.clone().map(RuleAttribute::Iifname));
    attributes.extend(rule.oif.clone().map(RuleAttribute::Oifname));
    attributes.extend(rule.priority.map(RuleAttribute::Priority));
    attributes.extend(rule.goto.map(RuleAttribute::Goto));
    if let Some((mark, mask)) = rule.fwmark {
        attributes.push(RuleAttribute::FwMark(mark));
        attributes.extend(mask.map(RuleAttribute::FwMask));
    }
    attributes.extend(rule.suppress_prefix_len.map(RuleAttribute::SuppressPrefixLen));
    attributes.extend(rule.suppress_ifgroup.map(RuleAttribute::SuppressIfGroup));
    attributes
        .extend(rule.uid_range.map(|(start, end)| RuleAttribute::UidRange(RuleUidRange { start, end })));
    attributes.extend(rule.ip_proto.map(|p| RuleAttribute::IpProtocol(IpProtocol::from(i32::from(p)))));
    let ports = |(start, end)| RulePortRange { start, end };
    attributes.extend(rule.sport.map(|p| RuleAttribute::SourcePortRange(ports(p))));
    attributes.extend(rule.dport.map(|p| RuleAttribute::DestinationPortRange(ports(p))));
    attributes.extend(rule.realms.map(|r| RuleAttribute::Realm(realm(r))));
    attributes.extend(rule.tunnel_id.map(RuleAttribute::TunId));
    if rule.l3mdev {
        attributes.push(RuleAttribute::L3MDev(true));
    }
    message
}
