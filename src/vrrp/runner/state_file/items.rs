//! Routes and rules as keepalived prints them.

use std::fmt::{Arguments, Write as _};
use std::time::Duration;

use ipnet::IpNet;

use crate::ir::vrrp::{Route, RouteKind, RouteOrder, Rule};

/// Appends to a text, which cannot fail.
fn adder(text: &mut String) -> impl FnMut(Arguments<'_>) {
    |value| {
        let _ = text.write_fmt(value);
    }
}

/// Adds what is there.
macro_rules! each {
    ($add:ident: $($value:expr => $format:literal),* $(,)?) => {
        $(if let Some(value) = &$value {
            $add(format_args!($format, value));
        })*
    };
}

/// A time of a route: seconds from one second on, else milliseconds.
fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds}s"),
        seconds => format!("{}ms", seconds * 1000.0),
    }
}

/// A network; a single address without its length.
fn net(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

fn realms(realms: u32) -> String {
    match (realms >> 16, realms & 0xffff) {
        (0, to) => format!(" realm {to}"),
        (from, to) => format!(" realms {from}/{to}"),
    }
}

fn kind(kind: RouteKind) -> &'static str {
    match kind {
        RouteKind::Unicast => "unicast",
        RouteKind::Local => "local",
        RouteKind::Broadcast => "broadcast",
        RouteKind::Anycast => "anycast",
        RouteKind::Multicast => "multicast",
        RouteKind::Blackhole => "blackhole",
        RouteKind::Unreachable => "unreachable",
        RouteKind::Prohibit => "prohibit",
        RouteKind::Throw => "throw",
        RouteKind::Nat => "nat",
    }
}

/// Numbers of route metrics in the kernel (`RTAX_*`), for their locks.
const RTAX_RTT: u32 = 4;
const RTAX_RTTVAR: u32 = 5;
const RTAX_SSTHRESH: u32 = 6;
const RTAX_REORDERING: u32 = 9;
const RTAX_RTO_MIN: u32 = 13;
const RTAX_CC_ALGO: u32 = 16;

/// A route, without its tunnels. `group`: the `track_group` of a static one.
pub(in crate::vrrp::runner) fn route(route: &Route, group: Option<&str>) -> String {
    let mut text = String::from(match route.order {
        RouteOrder::Exclusive => "add ",
        RouteOrder::Append => "append ",
        RouteOrder::Prepend => "prepend ",
    });
    let mut add = adder(&mut text);
    if route.kind != RouteKind::Unicast {
        add(format_args!("{} ", kind(route.kind)));
    }
    match route.dst {
        Some(to) => add(format_args!("{}", net(to))),
        None => add(format_args!("{}", if route.ipv6 { "::/0" } else { "0.0.0.0/0" })),
    }
    let family = |v6: bool| if v6 { "6" } else { "" };
    let bit = |metric: u32| route.locks & (1 << metric) != 0;
    let lock = |on: bool| if on { "lock " } else { "" };
    each!(add: route.from.map(net) => " from {}", route.src => " src {}", route.tos => " tos {}");
    if let Some(via) = route.via {
        add(format_args!(" via inet{} {via}", family(via.is_ipv6())));
    }
    each!(add: route.dev => " dev {}", route.table => " table {}");
    add(format_args!(" proto {}", route.protocol.unwrap_or(18)));
    each!(add: route.scope => " scope {}", route.metric => " metric {}");
    if route.onlink && !route.ipv6 {
        add(format_args!(" onlink"));
    }
    each!(add: route.realms.map(realms) => "{}", route.expires => " expires {}sec");
    if let Some(name) = &route.congctl {
        add(format_args!(" congctl {name}{}", lock(bit(RTAX_CC_ALGO))));
    }
    for (name, value, metric) in [
        ("rtt", route.rtt, RTAX_RTT),
        ("rttvar", route.rttvar, RTAX_RTTVAR),
        ("rto_min", route.rto_min, RTAX_RTO_MIN),
    ] {
        if let Some(value) = value {
            add(format_args!(" {name} {}{}", lock(bit(metric)), time(value)));
        }
    }
    if route.ecn {
        add(format_args!(" features ecn"));
    }
    let metrics = [
        ("mtu", route.mtu),
        ("window", route.window.map(|value| (value, false))),
        ("ssthresh", route.ssthresh.map(|value| (value, bit(RTAX_SSTHRESH)))),
        ("cwnd", route.cwnd),
        ("advmss", route.advmss),
        ("reordering", route.reordering.map(|value| (value, bit(RTAX_REORDERING)))),
        ("hoplimit", route.hoplimit.map(|value| (value.into(), false))),
        ("initcwnd", route.initcwnd.map(|value| (value, false))),
        ("initrwnd", route.initrwnd.map(|value| (value, false))),
        ("quickack", route.quickack.map(|on| (on.into(), false))),
    ];
    for (name, value) in metrics {
        if let Some((value, locked)) = value {
            add(format_args!(" {name} {}{value}", lock(locked)));
        }
    }
    if let Some(pref) = route.pref {
        let word = match pref {
            1 => "high",
            3 => "low",
            _ => "medium",
        };
        add(format_args!(" pref {word}"));
    }
    each!(add: route.fastopen_no_cookie.map(u8::from) => " fastopen_no_cookie {}");
    if let Some(on) = route.ttl_propagate {
        add(format_args!(" ttl-propagate {}abled", if on { "en" } else { "dis" }));
    }
    for hop in &route.nexthops {
        add(format_args!(" nexthop"));
        if let Some(via) = hop.via {
            add(format_args!(" via inet{} {via}", family(via.is_ipv6())));
        }
        each!(add: hop.dev => " dev {}", hop.weight => " weight {}");
        if hop.onlink {
            add(format_args!(" onlink"));
        }
        each!(add: hop.realms.map(realms) => "{}");
    }
    // Without an interface nobody can say whether it is there.
    if route.no_track || route.dev.is_none() {
        add(format_args!(" no_track"));
    }
    each!(add: group => " track_group {}");
    drop(add);
    text
}

/// A policy rule. `group`: the `track_group` of a static one.
pub(in crate::vrrp::runner) fn rule(rule: &Rule, group: Option<&str>) -> String {
    let mut text = String::new();
    let mut add = adder(&mut text);
    if rule.from.is_none() && rule.to.is_none() && rule.ipv6 {
        add(format_args!("inet6 "));
    }
    if rule.invert {
        add(format_args!("not "));
    }
    match rule.from {
        Some(from) => add(format_args!("from {}", net(from))),
        None => add(format_args!("from all")),
    }
    each!(add: rule.to.map(net) => " to {}", rule.priority => " priority {}");
    add(format_args!(" tos 0x{:x}", rule.tos.unwrap_or(0)));
    if let Some((mark, mask)) = rule.fwmark {
        add(format_args!(" fwmark 0x{mark:x}"));
        each!(add: mask.filter(|mask| *mask != u32::MAX) => "/0x{:x}");
    }
    each!(add:
        rule.iif => " iif {}",
        rule.oif => " oif {}",
        rule.suppress_prefix_len => " suppress_prefixlen {}",
        rule.suppress_ifgroup => " suppress_ifgroup {}",
        rule.tunnel_id => " tunnel-id {}",
    );
    if let Some((first, last)) = rule.uid_range {
        add(format_args!(" uidrange {first}-{last}"));
    }
    if rule.l3mdev {
        add(format_args!(" l3mdev"));
    }
    add(format_args!(" protocol {}", rule.protocol.unwrap_or(18)));
    each!(add: rule.ip_proto => " ipproto {}");
    for (name, range) in [("sport", rule.sport), ("dport", rule.dport)] {
        if let Some((first, last)) = range {
            add(format_args!(" {name} {first}-{last}"));
        }
    }
    if let Some(realms) = rule.realms {
        add(format_args!(" realms {}/{}", realms >> 16, realms & 0xffff));
    }
    match (rule.goto, rule.kind, rule.table) {
        (Some(target), ..) => add(format_args!(" goto {target}")),
        _ if rule.nop => add(format_args!(" nop")),
        (_, Some(action), _) => add(format_args!(" type {}", kind(action))),
        (_, _, table) => add(format_args!(" lookup {}", table.unwrap_or(0))),
    }
    if rule.no_track {
        add(format_args!(" no_track"));
    }
    each!(add: group => " track_group {}");
    drop(add);
    text
}
