//! Rule lines: virtual and static.

use tandem_parser::Reason;
use tandem_parser::keepalived::Word;

use super::context::Cx;
use super::env::RouteName;
use super::route::{PROTOCOL, Unusable, Words, kind, network, number};
use crate::ir::vrrp::Rule;

/// Preference of the first rule without one; the next ones count down.
const FIRST_RULE: u32 = 16_384;

impl Cx<'_> {
    pub(super) fn rule(&mut self, line: &[Word], fixed: bool) -> Result<(Rule, Option<String>), Unusable> {
        self.here = line[0].span;
        let mut rule = Rule { protocol: Some(PROTOCOL), ..Rule::default() };
        let mut words = Words { line, at: 0 };
        let (mut family, mut group) = (None, None);
        while let Some(word) = words.next() {
            let text = word.text.as_str();
            match text {
                "inet" | "inet6" => {
                    let ipv6 = text == "inet6";
                    if *family.get_or_insert(ipv6) != ipv6 {
                        let other = if ipv6 { "IPv4" } else { "IPv6" };
                        return self.bad(word.span, format!("{text} specified for {other} rule"));
                    }
                }
                "from" | "to" => {
                    let word = self.after(&mut words)?;
                    let net = match word.text.as_str() {
                        "all" | "any" | "default" => None,
                        other => match network(other) {
                            Some(net) => Some(net),
                            None => {
                                return self.bad(word.span, format!("Invalid rule {text} address {other}"));
                            }
                        },
                    };
                    if let Some(net) = net {
                        let ipv6 = net.addr().is_ipv6();
                        if *family.get_or_insert(ipv6) != ipv6 {
                            return self.bad(word.span, "rule specification has mixed IPv4 and IPv6");
                        }
                    }
                    *(if text == "from" { &mut rule.from } else { &mut rule.to }) = net;
                }
                "table" | "lookup" => {
                    let word = self.after(&mut words)?;
                    rule.table = self.route_number(RouteName::Table, &word.text, u32::MAX);
                    match rule.table {
                        Some(0) => return self.bad(word.span, "Table 0 is not valid"),
                        Some(_) => {}
                        None => {
                            return self
                                .bad(word.span, format!("Routing table {} not found for rule", word.text));
                        }
                    }
                }
                "not" => rule.invert = true,
                "preference" | "order" | "priority" => {
                    rule.priority =
                        Some(self.count(&mut words, u32::MAX, "Invalid rule preference %s specified")?);
                }
                "tos" | "dsfield" => {
                    let word = self.after(&mut words)?;
                    match self.route_number(RouteName::DsField, &word.text, 255) {
                        Some(tos) => rule.tos = u8::try_from(tos).ok(),
                        None => return self.bad(word.span, format!("TOS value {} is invalid", word.text)),
                    }
                }
                "fwmark" => {
                    let word = self.after(&mut words)?;
                    let (mark, mask) =
                        word.text.split_once('/').map_or((word.text.as_str(), None), |(a, b)| (a, Some(b)));
                    rule.fwmark = match (number(mark), mask.map(number)) {
                        (Some(mark), None) => Some((mark, None)),
                        (Some(mark), Some(Some(mask))) => Some((mark, Some(mask))),
                        _ => {
                            return self
                                .bad(word.span, format!("Invalid rule fwmark {} specified", word.text));
                        }
                    };
                }
                "realms" => {
                    let word = self.after(&mut words)?;
                    rule.realms = self.realms(&word.text);
                    if rule.realms.is_none() {
                        return self.bad(word.span, format!("invalid realms {} for rule", word.text));
                    }
                }
                "suppress_prefixlength" | "sup_pl" => {
                    rule.suppress_prefix_len =
                        Some(self.count(&mut words, 128, "Invalid suppress_prefixlength %s specified")?);
                }
                "suppress_ifgroup" | "sup_group" => {
                    rule.suppress_ifgroup =
                        Some(self.count(&mut words, u32::MAX, "suppress_group %s is invalid")?);
                }
                "dev" | "iif" | "oif" => {
                    let name = self.after(&mut words)?;
                    self.here = name.span;
                    if self.interface(&name.text).is_none() {
                        return self.bad(
                            name.span,
                            format!("WARNING - interface {} for rule doesn't exist", name.text),
                        );
                    }
                    *(if text == "oif" { &mut rule.oif } else { &mut rule.iif }) = Some(name.text.clone());
                }
                "tunnel-id" => {
                    rule.tunnel_id = Some(u64::from(self.count(
                        &mut words,
                        u32::MAX,
                        "Invalid tunnel-id %s specified",
                    )?));
                }
                "uidrange" => {
                    let word = self.after(&mut words)?;
                    let range =
                        word.text.split_once('-').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
                    if range.is_none_or(|(a, b): (u32, u32)| a > b) {
                        return self.bad(word.span, format!("Invalid uidrange {} specified", word.text));
                    }
                    rule.uid_range = range;
                }
                "l3mdev" => rule.l3mdev = true,
                "protocol" => {
                    let word = self.after(&mut words)?;
                    rule.protocol = self
                        .route_number(RouteName::Protocol, &word.text, 255)
                        .and_then(|value| u8::try_from(value).ok());
                    if rule.protocol.is_none() {
                        return self.bad(word.span, format!("Invalid protocol {}", word.text));
                    }
                }
                "ipproto" => {
                    let word = self.after(&mut words)?;
                    rule.ip_proto = match word.text.as_str() {
                        "tcp" => Some(6),
                        "udp" => Some(17),
                        "icmp" => Some(1),
                        "sctp" => Some(132),
                        other => other.parse().ok(),
                    };
                    if rule.ip_proto.is_none() {
                        return self.bad(word.span, format!("Invalid ipproto {}", word.text));
                    }
                }
                "sport" | "dport" => {
                    let word = self.after(&mut words)?;
                    let (low, high) = word.text.split_once('-').unwrap_or((&word.text, &word.text));
                    let range = low
                        .parse::<u16>()
                        .ok()
                        .zip(high.parse::<u16>().ok())
                        .filter(|(low, high)| low <= high);
                    if range.is_none() {
                        return self.bad(word.span, format!("invalid {text} range {}", word.text));
                    }
                    *(if text == "sport" { &mut rule.sport } else { &mut rule.dport }) = range;
                }
                "no_track" => rule.no_track = true,
                "track_group" if fixed => {
                    let word = self.after(&mut words)?;
                    group = self.track_group(word).or(group);
                }
                "goto" => {
                    rule.goto = Some(self.count(&mut words, u32::MAX, "Invalid target %s specified")?)
                }
                "nop" => rule.nop = true,
                _ => {
                    let word = if text == "type" { self.after(&mut words)? } else { word };
                    match kind(&word.text) {
                        Some(found) => rule.kind = Some(found),
                        None if text == "type" => {
                            return self.bad(word.span, format!("Invalid rule action {}", word.text));
                        }
                        None => return self.bad(word.span, format!("Unknown rule option {text}")),
                    }
                }
            }
        }
        self.here = line[0].span;
        let actions = [rule.table.is_some(), rule.goto.is_some(), rule.nop, rule.kind.is_some(), rule.l3mdev];
        match actions.iter().filter(|set| **set).count() {
            0 => return self.bad(line[0].span, "No action specified for rule - ignoring"),
            1 => {}
            _ => {
                let text = "Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable/l3mdev for rule";
                return self.bad(line[0].span, text);
            }
        }
        match (rule.goto, rule.priority) {
            (Some(target), None) => {
                let text = format!("Invalid rule - goto target {target} specified without preference");
                return self.bad(line[0].span, text);
            }
            (Some(target), Some(priority)) if priority >= target => {
                let text = format!("Invalid rule - preference {priority} >= goto target {target}");
                return self.bad(line[0].span, text);
            }
            _ => {}
        }
        if rule.priority.is_none() {
            let priority = FIRST_RULE.saturating_sub(self.rules_without_preference);
            self.rules_without_preference += 1;
            let text = format!(
                "Rule has no preference specified - setting to {priority}. This is probably not what you want."
            );
            self.complain(Reason::Incomplete, text);
            rule.priority = Some(priority);
        }
        rule.ipv6 = family == Some(true);
        Ok((rule, group))
    }
}
