//! Route and rule lines: virtual and static.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use tandem_parser::keepalived::Word;
use tandem_parser::{Reason, Span};

use super::context::Cx;
use super::env::RouteName;
use crate::ir::vrrp::{EncapKind, NextHop, Route, RouteKind, Rule, StaticRoute, StaticRule};

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

/// Seconds, or milliseconds with `ms`, as iproute2 writes round trip times.
fn time(text: &str) -> Option<Duration> {
    if let Some(text) = text.strip_suffix("ms") {
        return text.parse().ok().map(Duration::from_millis);
    }
    match text.strip_suffix('s') {
        Some(text) => text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        None => text.parse().ok().map(Duration::from_millis),
    }
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

    fn family(&mut self, family: &mut Option<bool>, ipv6: bool, span: Span) -> Result<(), Unusable> {
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
                    route.reordering =
                        Some(self.lockable(&mut words, "Invalid reordering value %s specified for route")?.0);
                }
                "ssthresh" => {
                    route.ssthresh =
                        Some(self.lockable(&mut words, "Invalid ssthresh value %s specified for route")?.0);
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
                "rtt" | "rttvar" | "rto_min" => {
                    words.skip("lock");
                    let word = self.after(&mut words)?;
                    let Some(value) = time(&word.text) else {
                        let text = if text == "rto_min" {
                            format!("Invalid rto_min value {} specified for route", word.text)
                        } else {
                            format!("Invalid {text} {} for route", word.text)
                        };
                        return self.bad(word.span, text);
                    };
                    match text {
                        "rtt" => route.rtt = Some(value),
                        "rttvar" => route.rttvar = Some(value),
                        _ => route.rto_min = Some(value),
                    }
                }
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
                    self.count(&mut words, 1, "fastopen_no_cookie value %s not recognised")?;
                }
                "congctl" => {
                    words.skip("lock");
                    route.congctl = Some(self.after(&mut words)?.text.clone());
                }
                "pref" | "expires" | "ttl-propagate" | "vrf" => {
                    let value = self.after(&mut words)?;
                    let text = format!("'{text} {}' has no effect on routes yet", value.text);
                    self.warn(Reason::NoEffect, word.span, text);
                }
                "encap" => {
                    let text = "'encap' has no effect yet: light-weight tunnels are not programmed";
                    self.warn(Reason::NoEffect, word.span, text);
                    let rest = words.line[words.at..].iter().take(2).map(|word| word.text.clone()).collect();
                    words.at = (words.at + 2).min(line.len());
                    route.encap = Some(EncapKind { words: rest });
                }
                "as" => {
                    words.skip("to");
                    self.after(&mut words)?;
                    self.error(Reason::NoEffect, word.span, "\"as to\" for MPLS only - ignoring");
                }
                "append" | "add" | "prepend" => {}
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
                _ if destination => {
                    return self.bad(word.span, format!("Route has trailing nonsense - {text}"));
                }
                _ => {
                    destination = true;
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
