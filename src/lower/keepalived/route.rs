//! Route and rule lines: virtual and static.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use tandem_parser::keepalived::Word;
use tandem_parser::{Reason, Span};

use super::context::Cx;
use super::env::RouteName;
use crate::ir::vrrp::{NextHop, Route, RouteKind, RouteOrder, Rule, StaticRoute, StaticRule};

/// Protocol number of everything keepalived sets.
pub(super) const PROTOCOL: u8 = 18;

/// Words of a line, one after the other.
pub(super) struct Words<'w> {
    pub(super) line: &'w [Word],
    pub(super) at: usize,
}

impl<'w> Words<'w> {
    pub(super) fn next(&mut self) -> Option<&'w Word> {
        let word = self.line.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    /// The next word if it is this one.
    fn skip(&mut self, text: &str) -> bool {
        let found = self.line.get(self.at).is_some_and(|word| word.text == text);
        self.at += usize::from(found);
        found
    }
}

/// The line is unusable; why was said.
pub(super) struct Unusable;

pub(super) fn kind(text: &str) -> Option<RouteKind> {
    Some(match text {
        "unicast" => RouteKind::Unicast,
        "local" => RouteKind::Local,
        "broadcast" => RouteKind::Broadcast,
        "anycast" => RouteKind::Anycast,
        "multicast" => RouteKind::Multicast,
        "blackhole" => RouteKind::Blackhole,
        "unreachable" => RouteKind::Unreachable,
        "prohibit" => RouteKind::Prohibit,
        "throw" => RouteKind::Throw,
        "nat" => RouteKind::Nat,
        _ => return None,
    })
}

/// `A[/LEN]` as a network; host bits are kept out.
pub(super) fn network(text: &str) -> Option<IpNet> {
    match text.split_once('/') {
        Some(_) => text.parse::<IpNet>().ok().map(|net| net.trunc()),
        None => text.parse::<IpAddr>().ok().map(IpNet::from),
    }
}

pub(super) fn number(text: &str) -> Option<u32> {
    text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())
}

/// Shortest and longest round trip time the kernel is told, milliseconds.
const ROUND_TRIP: (u128, u128) = (200, 120_000);

/// Seconds with `s`, milliseconds with `ms`; without a unit the kernel's own fractions of one, `unit` of them.
fn time(text: &str, unit: u32) -> Option<Duration> {
    let lower = text.to_ascii_lowercase();
    let seconds = ["secs", "sec", "s"].iter().find_map(|end| lower.strip_suffix(end));
    let Some(number) = seconds else {
        return text.parse().ok().map(|raw: u32| Duration::from_millis(1) * raw / unit);
    };
    let (number, scale) = number.strip_suffix('m').map_or((number, 1.0), |number| (number, 1_000.0));
    let value =
        number.bytes().all(|b| b.is_ascii_digit() || b == b'.').then(|| number.parse::<f64>().ok())??;
    Duration::try_from_secs_f64(value / scale).ok()
}

impl Cx<'_> {
    /// `virtual_routes { ... }`.
    pub(super) fn routes(&mut self, lines: &[Vec<Word>]) -> Vec<Route> {
        lines.iter().filter_map(|line| self.route(line, false).ok()).map(|(route, _)| route).collect()
    }

    /// `virtual_rules { ... }`.
    pub(super) fn rules(&mut self, lines: &[Vec<Word>]) -> Vec<Rule> {
        lines.iter().filter_map(|line| self.rule(line, false).ok()).map(|(rule, _)| rule).collect()
    }

    /// `static_routes { ... }`.
    pub(super) fn static_routes(&mut self, lines: &[Vec<Word>]) {
        for line in lines {
            if let Ok((route, track_group)) = self.route(line, true) {
                self.config.static_routes.push(StaticRoute { route, track_group });
            }
        }
    }

    /// `static_rules { ... }`.
    pub(super) fn static_rules(&mut self, lines: &[Vec<Word>]) {
        for line in lines {
            if let Ok((rule, track_group)) = self.rule(line, true) {
                self.config.static_rules.push(StaticRule { rule, track_group });
            }
        }
    }

    pub(super) fn bad<T>(&mut self, span: Span, text: impl AsRef<str>) -> Result<T, Unusable> {
        self.error(Reason::InvalidValue, span, text);
        Err(Unusable)
    }

    /// What keepalived says of any address before it says whose it was.
    fn invalid_ip(&mut self, word: &Word) {
        let text = format!("VRRP parsed invalid IP {}. skipping IP...", word.text);
        self.error(Reason::InvalidValue, word.span, text);
    }

    /// The word after the one just read.
    pub(super) fn after<'w>(&mut self, words: &mut Words<'w>) -> Result<&'w Word, Unusable> {
        match words.next() {
            Some(word) => Ok(word),
            None => {
                let line = words.line;
                self.parameter(line, line.len());
                Err(Unusable)
            }
        }
    }

    pub(super) fn count(&mut self, words: &mut Words<'_>, most: u32, problem: &str) -> Result<u32, Unusable> {
        let word = self.after(words)?;
        match number(&word.text).filter(|value| *value <= most) {
            Some(value) => Ok(value),
            None => self.bad(word.span, problem.replacen("%s", &word.text, 1)),
        }
    }

    /// `[lock] N`.
    fn lockable(&mut self, words: &mut Words<'_>, problem: &str) -> Result<(u32, bool), Unusable> {
        let lock = words.skip("lock");
        Ok((self.count(words, u32::MAX, problem)?, lock))
    }

    /// `[lock] TIME`, within what the kernel takes. `bit`: the metric's number.
    fn round_trip(
        &mut self,
        words: &mut Words<'_>,
        name: &str,
        locks: &mut u32,
    ) -> Result<Duration, Unusable> {
        // RTAX_RTT, RTAX_RTTVAR, RTAX_RTO_MIN with what they count in.
        let (bit, unit, label) = match name {
            "rtt" => (4, 8, "rtt"),
            "rttvar" => (5, 4, "rtt"),
            _ => (13, 1, "rto"),
        };
        if words.skip("lock") {
            *locks |= 1 << bit;
        }
        let word = self.after(words)?;
        let Some(value) = time(&word.text, unit) else {
            let value = if name == "rto_min" { " value" } else { "" };
            let specified = if name == "rto_min" { " specified" } else { "" };
            return self.bad(word.span, format!("Invalid {name}{value} {}{specified} for route", word.text));
        };
        let (least, most) = ROUND_TRIP;
        if value.as_millis() > most {
            let text = format!("{label} value {} exceeds maximum {}s, resetting", word.text, most / 1_000);
            self.warn(Reason::InvalidValue, word.span, text);
            return Ok(Duration::from_secs(120));
        }
        if value.as_millis() < least {
            let text = format!("{label} value {} below minimum {least}ms, resetting", word.text);
            self.warn(Reason::InvalidValue, word.span, text);
            return Ok(Duration::from_millis(200));
        }
        Ok(value)
    }

    pub(super) fn family(
        &mut self,
        family: &mut Option<bool>,
        ipv6: bool,
        span: Span,
    ) -> Result<(), Unusable> {
        if *family.get_or_insert(ipv6) == ipv6 {
            return Ok(());
        }
        self.bad(span, "Cannot mix IPv4 and IPv6 addresses for route")
    }

    pub(super) fn track_group(&mut self, word: &Word) -> Option<String> {
        if self.config.static_track_groups.iter().any(|group| group.name == word.text) {
            return Some(word.text.clone());
        }
        self.error(Reason::UnknownReference, word.span, format!("track_group {} not found", word.text));
        None
    }

    fn route(&mut self, line: &[Word], fixed: bool) -> Result<(Route, Option<String>), Unusable> {
        self.here = line[0].span;
        let mut route = Route { protocol: Some(PROTOCOL), ..Route::default() };
        let mut words = Words { line, at: 0 };
        let (mut family, mut group, mut destination) = (None, None, false);
        while let Some(word) = words.next() {
            let text = word.text.as_str();
            match text {
                "inet" | "inet6" => {
                    let ipv6 = text == "inet6";
                    if *family.get_or_insert(ipv6) != ipv6 {
                        let other = if ipv6 { "IPv4" } else { "IPv6" };
                        return self.bad(word.span, format!("{text} specified for {other} route"));
                    }
                }
                "src" => {
                    let word = self.after(&mut words)?;
                    let Ok(addr) = word.text.parse::<IpAddr>() else {
                        self.invalid_ip(word);
                        return self.bad(word.span, format!("invalid route src address {}", word.text));
                    };
                    self.family(&mut family, addr.is_ipv6(), word.span)?;
                    route.src = Some(addr);
                }
                "via" | "gw" => {
                    if text == "gw" {
                        self.error(
                            Reason::Retired,
                            word.span,
                            "\"gw\" for routes is deprecated. Please use \"via\"",
                        )
                        .edit(word.span, "via");
                    }
                    let _ = words.skip("inet") || words.skip("inet6");
                    let word = self.after(&mut words)?;
                    let Ok(addr) = word.text.parse::<IpAddr>() else {
                        self.invalid_ip(word);
                        return self.bad(word.span, format!("invalid route via address {}", word.text));
                    };
                    self.family(&mut family, addr.is_ipv6(), word.span)?;
                    route.via = Some(addr);
                }
                "from" => {
                    let word = self.after(&mut words)?;
                    let Some(net) = network(&word.text) else {
                        self.invalid_ip(word);
                        return self.bad(word.span, format!("invalid route from address {}", word.text));
                    };
                    if net.addr().is_ipv4() {
                        let text = format!("route from address only supported with IPv6 ({})", word.text);
                        return self.bad(word.span, text);
                    }
                    self.family(&mut family, true, word.span)?;
                    route.from = Some(net);
                }
                "tos" | "dsfield" => {
                    let word = self.after(&mut words)?;
                    match self.route_number(RouteName::DsField, &word.text, 255) {
                        Some(tos) => route.tos = u8::try_from(tos).ok(),
                        None => return self.bad(word.span, format!("TOS value {} is invalid", word.text)),
                    }
                }
                "table" => {
                    let word = self.after(&mut words)?;
                    route.table = self.route_number(RouteName::Table, &word.text, u32::MAX);
                    if route.table.is_none() {
                        return self
                            .bad(word.span, format!("Routing table {} not found for route", word.text));
                    }
                }
                "protocol" => {
                    let word = self.after(&mut words)?;
                    route.protocol = self
                        .route_number(RouteName::Protocol, &word.text, 255)
                        .and_then(|value| u8::try_from(value).ok());
                    if route.protocol.is_none() {
                        return self.bad(
                            word.span,
                            format!("Protocol {} not found or invalid for route", word.text),
                        );
                    }
                }
                "scope" => {
                    let word = self.after(&mut words)?;
                    route.scope = self
                        .route_number(RouteName::Scope, &word.text, 255)
                        .and_then(|value| u8::try_from(value).ok());
                    if route.scope.is_none() {
                        return self
                            .bad(word.span, format!("Scope {} not found or invalid for route", word.text));
                    }
                }
                "metric" | "priority" | "preference" => {
                    route.metric =
                        Some(self.count(&mut words, u32::MAX, "Invalid metric %s specified for route")?);
                }
                "dev" | "oif" => {
                    let word = self.after(&mut words)?;
                    self.here = word.span;
                    if self.interface(&word.text).is_none() {
                        let text =
                            format!("WARNING - interface {} for VROUTE nexthop doesn't exist", word.text);
                        return self.bad(word.span, text);
                    }
                    route.dev = Some(word.text.clone());
                }
                "onlink" => route.onlink = true,
                "mtu" => route.mtu = Some(self.lockable(&mut words, "Invalid MTU %s specified for route")?),
                "advmss" => {
                    route.advmss =
                        Some(self.lockable(&mut words, "Invalid advmss value %s specified for route")?)
                }
                "cwnd" => {
                    route.cwnd = Some(self.lockable(&mut words, "Invalid cwnd value %s specified for route")?)
                }
                "reordering" => {
                    let (value, lock) =
                        self.lockable(&mut words, "Invalid reordering value %s specified for route")?;
                    route.reordering = Some(value);
                    route.locks |= u32::from(lock) << 9;
                }
                "ssthresh" => {
                    let (value, lock) =
                        self.lockable(&mut words, "Invalid ssthresh value %s specified for route")?;
                    route.ssthresh = Some(value);
                    route.locks |= u32::from(lock) << 6;
                }
                "hoplimit" => {
                    let limit = self.count(&mut words, 255, "Invalid hoplimit %s specified for route")?;
                    route.hoplimit = u8::try_from(limit).ok();
                }
                "window" => {
                    route.window = Some(self.count(
                        &mut words,
                        u32::MAX,
                        "Invalid window value %s specified for route",
                    )?)
                }
                "initcwnd" => {
                    route.initcwnd = Some(self.count(
                        &mut words,
                        u32::MAX,
                        "Invalid initcwnd value %s specified for route",
                    )?);
                }
                "initrwnd" => {
                    route.initrwnd = Some(self.count(
                        &mut words,
                        u32::MAX,
                        "Invalid initrwnd value %s specified for route",
                    )?);
                }
                "rtt" => route.rtt = Some(self.round_trip(&mut words, text, &mut route.locks)?),
                "rttvar" => route.rttvar = Some(self.round_trip(&mut words, text, &mut route.locks)?),
                "rto_min" => route.rto_min = Some(self.round_trip(&mut words, text, &mut route.locks)?),
                "realms" => {
                    let word = self.after(&mut words)?;
                    route.realms = self.realms(&word.text);
                    if route.realms.is_none() {
                        return self.bad(word.span, format!("Invalid realms {} for route", word.text));
                    }
                }
                "features" => {
                    let word = self.after(&mut words)?;
                    route.ecn = word.text == "ecn";
                    if !route.ecn {
                        self.error(
                            Reason::InvalidValue,
                            word.span,
                            format!("feature {} not supported", word.text),
                        );
                    }
                }
                "quickack" => {
                    route.quickack = Some(self.count(&mut words, 1, "quickack value %s not recognised")? == 1)
                }
                "fastopen_no_cookie" => {
                    let on = self.count(&mut words, 1, "fastopen_no_cookie value %s not recognised")?;
                    route.fastopen_no_cookie = Some(on == 1);
                }
                "congctl" => {
                    route.locks |= u32::from(words.skip("lock")) << 16;
                    route.congctl = Some(self.after(&mut words)?.text.clone());
                }
                "pref" => {
                    if family == Some(false) {
                        return self.bad(word.span, "pref is only valid for IPv6");
                    }
                    family = Some(true);
                    let word = self.after(&mut words)?;
                    route.pref = match word.text.as_str() {
                        "low" => Some(3),
                        "medium" => Some(0),
                        "high" => Some(1),
                        other => number(other).and_then(|value| u8::try_from(value).ok()),
                    };
                    if route.pref.is_none() {
                        let text = format!("Invalid pref value {} specified for route", word.text);
                        return self.bad(word.span, text);
                    }
                }
                "expires" => {
                    if family == Some(false) {
                        return self.bad(word.span, "expires is only valid for IPv6");
                    }
                    family = Some(true);
                    let problem = "Invalid expires time %s specified for route";
                    route.expires = Some(self.count(&mut words, u32::MAX, problem)?);
                }
                "ttl-propagate" => {
                    let word = self.after(&mut words)?;
                    match word.text.as_str() {
                        "enabled" => route.ttl_propagate = Some(true),
                        "disabled" => route.ttl_propagate = Some(false),
                        other => {
                            let text = format!("ttl-propagate value {other} not recognised");
                            self.error(Reason::InvalidValue, word.span, text);
                        }
                    }
                }
                "vrf" => {
                    let word = self.after(&mut words)?;
                    self.here = word.span;
                    if self.interface(&word.text).is_none() {
                        return self.bad(word.span, format!("VRF {} not found for route", word.text));
                    }
                    route.vrf = Some(word.text.clone());
                }
                "encap" => route.encap = self.encap(&mut words)?,
                "as" => {
                    words.skip("to");
                    self.after(&mut words)?;
                    self.error(Reason::NoEffect, word.span, "\"as to\" for MPLS only - ignoring");
                }
                "append" => route.order = RouteOrder::Append,
                "add" => route.order = RouteOrder::Exclusive,
                "prepend" => route.order = RouteOrder::Prepend,
                "or" => {
                    self.error(
                        Reason::Retired,
                        word.span,
                        "\"or\" for routes is deprecated. Please use \"nexthop\"",
                    );
                    let word = self.after(&mut words)?;
                    let Ok(addr) = word.text.parse::<IpAddr>() else {
                        self.invalid_ip(word);
                        return self.bad(word.span, format!("Invalid \"or\" address {}", word.text));
                    };
                    let first = NextHop { via: route.via.take(), ..NextHop::default() };
                    route.nexthops = vec![first, NextHop { via: Some(addr), ..NextHop::default() }];
                }
                "nexthop" => self.nexthop(&mut words, &mut route, &mut family)?,
                "no_track" => route.no_track = true,
                "track_group" if fixed => {
                    let word = self.after(&mut words)?;
                    group = self.track_group(word).or(group);
                }
                _ => {
                    if std::mem::replace(&mut destination, true) {
                        // keepalived says nothing: the last one counts.
                        let text = format!("'{text}' takes the place of the destination before it");
                        self.warn(Reason::Duplicate, word.span, text).help("is a keyword missing?");
                    }
                    let mut word = word;
                    if let Some(found) = kind(text) {
                        route.kind = found;
                        word = self.after(&mut words)?;
                    }
                    if word.text == "to" {
                        word = self.after(&mut words)?;
                    }
                    match word.text.as_str() {
                        "default" | "default4" => {}
                        "default6" => family = Some(true),
                        text => {
                            let Some(net) = network(text) else {
                                self.invalid_ip(word);
                                return self.bad(word.span, format!("unknown route keyword {text}"));
                            };
                            let ipv6 = net.addr().is_ipv6();
                            if *family.get_or_insert(ipv6) != ipv6 {
                                let text = format!("Cannot mix IPv4 and IPv6 addresses for route ({text})");
                                return self.bad(word.span, text);
                            }
                            route.dst = Some(net);
                        }
                    }
                }
            }
        }
        self.here = line[0].span;
        if !destination {
            return self.bad(line[0].span, "Route must have a destination");
        }
        if !fixed && !route.no_track && route.protocol != Some(PROTOCOL) {
            let text = format!(
                "Route cannot be tracked if protocol is not RTPROT_KEEPALIVED({PROTOCOL}), resetting protocol"
            );
            self.complain(Reason::Conflict, text);
            route.protocol = Some(PROTOCOL);
        }
        route.ipv6 = family == Some(true);
        Ok((route, group))
    }

    fn nexthop(
        &mut self,
        words: &mut Words<'_>,
        route: &mut Route,
        family: &mut Option<bool>,
    ) -> Result<(), Unusable> {
        let mut hop = NextHop::default();
        while let Some(word) = words.next() {
            match word.text.as_str() {
                "via" => {
                    let _ = words.skip("inet") || words.skip("inet6");
                    let word = self.after(words)?;
                    let Ok(addr) = word.text.parse::<IpAddr>() else {
                        self.invalid_ip(word);
                        return self.bad(word.span, format!("invalid nexthop address {}", word.text));
                    };
                    self.family(family, addr.is_ipv6(), word.span)?;
                    hop.via = Some(addr);
                }
                "dev" => {
                    let word = self.after(words)?;
                    self.here = word.span;
                    if self.interface(&word.text).is_none() {
                        let text =
                            format!("WARNING - interface {} for VROUTE nexthop doesn't exist", word.text);
                        return self.bad(word.span, text);
                    }
                    hop.dev = Some(word.text.clone());
                }
                "weight" => {
                    hop.weight =
                        u16::try_from(self.count(words, 256, "Invalid weight %s specified for route")?).ok()
                }
                "onlink" => hop.onlink = true,
                "encap" => hop.encap = self.encap(words)?,
                "realms" => {
                    let word = self.after(words)?;
                    hop.realms = self.realms(&word.text);
                    if hop.realms.is_none() {
                        return self.bad(word.span, format!("Invalid realms {} for route", word.text));
                    }
                    if *family.get_or_insert(false) {
                        return self.bad(word.span, "realms are only supported for IPv4");
                    }
                }
                _ => {
                    words.at -= 1;
                    break;
                }
            }
        }
        route.nexthops.push(hop);
        Ok(())
    }

    /// `[FROM/]TO`.
    pub(super) fn realms(&self, text: &str) -> Option<u32> {
        let one = |text: &str| self.route_number(RouteName::Realm, text, 0xffff);
        match text.split_once('/') {
            Some((from, to)) => Some(one(from)? << 16 | one(to)?),
            None => one(text),
        }
    }
}
