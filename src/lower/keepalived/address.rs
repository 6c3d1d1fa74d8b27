//! Address lines: virtual, excluded and static addresses.

use std::net::{IpAddr, Ipv4Addr};

use tandem_parser::keepalived::keywords::{self, Section};
use tandem_parser::keepalived::{Class, Word};
use tandem_parser::suggest::nearest;
use tandem_parser::{Reason, Span};

use super::context::Cx;
use super::env::RouteName;
use crate::ir::vrrp::{StaticAddress, Vip};

/// Longest interface name or address label, bytes.
pub(super) const IFNAME: usize = 15;

/// `brd` before the prefix length is final.
enum Brd {
    Addr(Ipv4Addr),
    Ones,
    Zeroes,
}

impl Cx<'_> {
    /// `A[/LEN]`.
    pub(super) fn address(&mut self, word: &Word, with_prefix: bool) -> Option<(IpAddr, u8)> {
        let text = &word.text;
        let longest = if text.contains(':') { 128 } else { 32 };
        let (plain, prefix) = match text.split_once('/').filter(|_| with_prefix) {
            Some((plain, prefix)) => (plain, Some(prefix)),
            None => (text.as_str(), None),
        };
        let mut len = longest;
        if let Some(prefix) = prefix {
            let part = Word { text: prefix.to_owned(), span: word.span };
            match self.unsigned(&part, 0, u32::from(longest), true) {
                Some(value) => len = u8::try_from(value).unwrap_or(longest),
                None => {
                    let text =
                        format!("Invalid address prefix len {prefix} for address {text} - using {longest}");
                    self.error(Reason::OutOfRange, word.span, text);
                }
            }
        }
        let Ok(addr) = plain.parse::<IpAddr>() else {
            self.error(
                Reason::InvalidValue,
                word.span,
                format!("VRRP parsed invalid IP {text}. skipping IP..."),
            )
            .label("not an IP address");
            return None;
        };
        Some((addr, len))
    }

    /// One line of a block of addresses. `None`: it was unusable, and why was said.
    fn address_line(&mut self, line: &[Word], fixed: bool) -> Option<StaticAddress> {
        let first = line.first()?;
        self.here = first.span;
        let (addr, len) = self.address(first, true)?;
        let mut vip = Vip::plain(addr, len);
        vip.preferred_lft = None;
        let (mut lifetime_set, mut brd, mut track_group) = (false, None, None);
        let mut words = line[1..].iter();
        while let Some(word) = words.next() {
            let needs = matches!(
                word.text.as_str(),
                "dev" | "scope" | "brd" | "broadcast" | "label" | "peer" | "preferred_lft" | "track_group"
            );
            let parameter = if needs && (fixed || word.text != "track_group") {
                let Some(next) = words.next() else {
                    let text = format!("No {} parameter specified for {}", word.text, first.text);
                    self.error(Reason::MissingArgument, word.span, text);
                    return None;
                };
                next
            } else {
                word
            };
            match word.text.as_str() {
                "dev" => {
                    if vip.dev.is_some() {
                        let text =
                            format!("Cannot specify ipaddress device more than once for {}", first.text);
                        self.error(Reason::Duplicate, word.span, text);
                        return None;
                    }
                    self.here = parameter.span;
                    if self.interface(&parameter.text).is_none() {
                        let text = format!(
                            "WARNING - interface {} for ip address {} doesn't exist",
                            parameter.text, first.text
                        );
                        self.error(Reason::Environment, parameter.span, text);
                        return None;
                    }
                    vip.dev = Some(parameter.text.clone());
                }
                "scope" => match self.route_number(RouteName::Scope, &parameter.text, 255) {
                    Some(scope) => vip.scope = u8::try_from(scope).unwrap_or(0),
                    None => {
                        let text = format!(
                            "Invalid scope '{}' specified for {} - ignoring",
                            parameter.text, first.text
                        );
                        self.error(Reason::InvalidValue, parameter.span, text);
                    }
                },
                "brd" | "broadcast" => brd = Some(self.broadcast(&vip, first, parameter)?),
                "label" => {
                    if parameter.text.len() > IFNAME {
                        let text = format!(
                            "Address label {} is longer than maximum length {IFNAME} - removing address",
                            parameter.text
                        );
                        self.error(Reason::OutOfRange, parameter.span, text);
                        return None;
                    }
                    vip.label = Some(parameter.text.clone());
                }
                "peer" => self.peer(&mut vip, parameter),
                "home" => vip.home = true,
                "-nodad" => vip.dad = true,
                "mngtmpaddr" => vip.manage_temp_addr = true,
                "noprefixroute" => vip.no_prefix_route = true,
                "autojoin" => vip.autojoin = true,
                "no_track" => vip.no_track = true,
                "preferred_lft" if parameter.text == "forever" => lifetime_set = true,
                "preferred_lft" => match self.unsigned(parameter, 0, u32::MAX, true) {
                    Some(seconds) => {
                        lifetime_set = true;
                        vip.preferred_lft = (seconds != u32::MAX).then_some(seconds);
                    }
                    None => {
                        let text = format!("preferred_lft {} is invalid", parameter.text);
                        self.error(Reason::OutOfRange, parameter.span, text);
                    }
                },
                "track_group" if fixed => {
                    if !self.config.static_track_groups.iter().any(|group| group.name == parameter.text) {
                        let text = format!("track_group {} not found", parameter.text);
                        self.error(Reason::UnknownReference, parameter.span, text);
                    } else if track_group.is_some() {
                        let text = format!("track_group {} is a duplicate", parameter.text);
                        self.error(Reason::Duplicate, parameter.span, text);
                    } else {
                        track_group = Some(parameter.text.clone());
                    }
                }
                "use_vmac" if !fixed => vip.use_vmac = true,
                other => {
                    let near = nearest(other, keywords::names(Section::AddressOption));
                    let text = format!("Unknown configuration entry '{other}' for ip address - ignoring");
                    let said = self.error(Reason::UnknownKeyword, word.span, text);
                    if let Some(near) = near {
                        said.help(format!("did you mean '{near}'?"));
                    }
                }
            }
        }
        self.here = first.span;
        self.finish_broadcast(&mut vip, brd);
        if fixed && vip.dev.is_none() {
            let default = self.config.global.default_interface.clone().unwrap_or_else(|| "eth0".into());
            if self.interface(&default).is_none() {
                let text = format!(
                    "Static address {} requires either an interface or default interface must exist",
                    first.text
                );
                self.fatal(Reason::Environment, text);
                return None;
            }
            vip.dev = Some(default);
        }
        if addr.is_ipv6() {
            self.finish_ipv6(&mut vip, &first.text);
            if !lifetime_set && vip.prefix_len == 128 {
                vip.preferred_lft = Some(0);
            }
        }
        Some(StaticAddress { address: vip, track_group })
    }

    fn broadcast(&mut self, vip: &Vip, first: &Word, parameter: &Word) -> Option<Brd> {
        let text = match (parameter.text.as_str(), vip.addr) {
            (brd, IpAddr::V6(_)) => format!(
                "VRRP is trying to assign a broadcast {brd} to the IPv6 address {} !!?? WTF... skipping VIP...",
                first.text
            ),
            ("-", _) => return Some(Brd::Zeroes),
            ("+", _) => return Some(Brd::Ones),
            (brd, _) => match brd.parse() {
                Ok(addr) => return Some(Brd::Addr(addr)),
                Err(_) => format!("VRRP is trying to assign invalid broadcast {brd}. skipping VIP..."),
            },
        };
        self.error(Reason::InvalidValue, parameter.span, text);
        None
    }

    fn finish_broadcast(&mut self, vip: &mut Vip, brd: Option<Brd>) {
        let Some(brd) = brd else { return };
        if vip.peer.is_some() {
            self.complain(
                Reason::Conflict,
                "Cannot specify broadcast and peer addresses - ignoring broadcast address",
            );
            return;
        }
        let (IpAddr::V4(addr), len) = (vip.addr, vip.prefix_len) else { return };
        let host_bits = u32::MAX.checked_shr(u32::from(len)).unwrap_or(0);
        vip.broadcast = match brd {
            Brd::Addr(addr) => Some(addr),
            Brd::Ones | Brd::Zeroes if len > 30 => {
                self.complain(
                    Reason::Conflict,
                    format!("Address prefix length {len} too long for broadcast"),
                );
                None
            }
            Brd::Ones => Some(Ipv4Addr::from_bits(addr.to_bits() | host_bits)),
            Brd::Zeroes => Some(Ipv4Addr::from_bits(addr.to_bits() & !host_bits)),
        };
    }

    fn peer(&mut self, vip: &mut Vip, parameter: &Word) {
        let text = &parameter.text;
        if vip.peer.is_some() {
            self.error(
                Reason::Duplicate,
                parameter.span,
                format!("Peer {text} - another peer has already been specified"),
            );
            return;
        }
        match self.address(parameter, false) {
            None => self
                .error(Reason::InvalidValue, parameter.span, format!("Invalid peer address {text}"))
                .done(),
            Some((peer, _)) if peer.is_ipv6() != vip.addr.is_ipv6() => {
                self.error(
                    Reason::Conflict,
                    parameter.span,
                    format!("Peer address {text} does not match address family"),
                );
            }
            Some((peer, len)) => {
                if vip.prefix_len != len {
                    let text = "Cannot specify address prefix when specifying peer address - ignoring";
                    self.error(Reason::Conflict, parameter.span, text);
                }
                vip.peer = Some(peer);
                vip.prefix_len = len;
            }
        }
    }

    fn finish_ipv6(&mut self, vip: &mut Vip, text: &str) {
        if vip.scope != 0 {
            self.complain(
                Reason::Conflict,
                format!("Cannot specify scope for IPv6 addresses ({text}) - ignoring scope"),
            );
            vip.scope = 0;
        }
        if vip.label.take().is_some() {
            self.complain(
                Reason::Conflict,
                format!("Cannot specify label for IPv6 addresses ({text}) - ignoring label"),
            );
        }
    }

    /// A virtual address.
    pub(super) fn vip(&mut self, line: &[Word]) -> Option<(Vip, Span)> {
        let span = line.first()?.span;
        self.address_line(line, false).map(|address| (address.address, span))
    }

    /// `static_ipaddress { ... }`.
    pub(super) fn static_addresses(&mut self, lines: &[Vec<Word>]) {
        for line in lines {
            if let Some(address) = self.address_line(line, true) {
                self.config.static_addresses.push(address);
            }
        }
    }

    /// A number, or a name iproute2 knows.
    pub(super) fn route_number(&self, kind: RouteName, text: &str, most: u32) -> Option<u32> {
        let number = text
            .strip_prefix("0x")
            .map_or_else(|| text.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok());
        number
            .filter(|number| *number <= most)
            .or_else(|| kind.builtin(text))
            .or_else(|| self.env.route_name(kind, text))
    }

    /// A word where a block of interface names expects one.
    pub(super) fn unknown_interface(&mut self, text: impl AsRef<str>) {
        self.classed(self.voice, Class::Fatal, Reason::Environment, self.here, text);
    }
}
