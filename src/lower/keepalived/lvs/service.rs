//! `virtual_server` and the `real_server` blocks in it.

use std::net::IpAddr;

use tandem_parser::keepalived::Statement;
use tandem_parser::{Reason, Span};

use super::super::context::Cx;
use super::checks::{Checked, Known};
use super::values::{Whose, loose_ipv4, lvs_address};
use super::{Group, NEEDY};
use crate::ir::vrrp::NotifyScript;

/// What a service is known by.
#[derive(Clone, Debug)]
pub(super) enum Head {
    Address(IpAddr, u16),
    Mark(u32),
    Group(String),
}

/// How packets reach a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forwarding {
    Nat,
    Direct,
    Tunnel,
}

#[derive(Debug)]
pub(super) struct RealServer {
    pub(super) address: IpAddr,
    /// 0: that of the service.
    pub(super) port: u16,
    pub(super) weight: Option<u32>,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) inhibit: bool,
}

#[derive(Debug)]
pub(super) struct Service {
    pub(super) head: Head,
    pub(super) span: Span,
    /// As keepalived writes it; none yet: `none`.
    pub(super) protocol: &'static str,
    pub(super) scheduler: Option<String>,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) persistent: bool,
    pub(super) one_packet: bool,
    pub(super) suspends: bool,
    pub(super) quorum: u32,
    pub(super) hysteresis: u32,
    pub(super) weight: u32,
    pub(super) sorry: Option<RealServer>,
    pub(super) servers: Vec<RealServer>,
    v6: Option<bool>,
    inhibit: bool,
    quorum_scripts: [bool; 2],
}

const SCHEDULERS: [&str; 14] =
    ["rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos"];

impl Service {
    pub(super) fn grouped(&self) -> bool {
        matches!(self.head, Head::Group(_))
    }

    pub(super) fn group<'g>(&self, groups: &'g [Group]) -> Option<&'g Group> {
        let Head::Group(name) = &self.head else { return None };
        groups.iter().find(|group| group.name == *name)
    }

    /// What keepalived calls it.
    pub(super) fn name(&self) -> String {
        match &self.head {
            Head::Address(address, port) => format!("[{address}]:{}:{port}", self.protocol),
            Head::Mark(mark) => format!("FWM {mark}"),
            Head::Group(name) => format!("[{name}]:0"),
        }
    }
}

impl Cx<'_> {
    /// Reads a block; `None`: keepalived passes over it.
    pub(super) fn service(
        &mut self,
        statement: &Statement,
        known: &Known,
        scripts: &mut Vec<NotifyScript>,
    ) -> Option<Service> {
        let head = self.service_head(statement)?;
        let v6 = match head {
            Head::Address(address, _) => Some(address.is_ipv6()),
            _ => None,
        };
        let mut service = Service {
            head,
            span: statement.span,
            protocol: "none",
            scheduler: None,
            forwarding: None,
            persistent: false,
            one_packet: false,
            suspends: false,
            quorum: 1,
            hysteresis: 0,
            weight: 1,
            sorry: None,
            servers: Vec::new(),
            v6,
            inhibit: false,
            quorum_scripts: [false; 2],
        };
        for child in statement.children() {
            self.here = child.span;
            let lacks = NEEDY.contains(&child.keyword.name) && self.parameter(&child.words, 1).is_none();
            if !lacks {
                self.service_line(child, &mut service, known, scripts);
            }
        }
        if service.servers.is_empty() {
            let text = format!("Virtual server {} has no real servers - ignoring", service.name());
            self.late(Reason::Incomplete, service.span, text);
            return None;
        }
        if let (Some(sorry), Some(v6)) = (&service.sorry, service.v6)
            && sorry.address.is_ipv6() != v6
            && sorry.forwarding != Some(Forwarding::Tunnel)
        {
            let text = format!(
                "Address family of virtual server and sorry server {} don't match - skipping sorry server.",
                sorry.address
            );
            self.error(Reason::Conflict, statement.end(), text);
            service.sorry = None;
        }
        Some(service)
    }

    fn service_head(&mut self, statement: &Statement) -> Option<Head> {
        let words = &statement.words;
        let first = self.parameter(words, 1)?.clone();
        match first.text.as_str() {
            "group" => Some(Head::Group(self.parameter(words, 2)?.text.clone())),
            "fwmark" => {
                let word = self.parameter(words, 2)?.clone();
                let mark = self.unsigned(&word, 0, u32::MAX, true);
                if mark.is_none() {
                    let text = format!(
                        "virtual server fwmark '{}' must be in [0, {}] - ignoring",
                        word.text,
                        u32::MAX
                    );
                    self.error(Reason::OutOfRange, word.span, text);
                }
                mark.map(Head::Mark)
            }
            text => {
                let address = lvs_address(text);
                let port = self.lvs_port(words.get(2));
                if let (Some(address), Some(port)) = (address, port) {
                    return Some(Head::Address(address, port));
                }
                let (kind, port) = match words.get(2) {
                    Some(port) => ("/port", format!("/{}", port.text)),
                    None => ("", String::new()),
                };
                let text = format!("Invalid virtual server IP address{kind} {text}{port} - skipping");
                self.error(Reason::InvalidValue, first.span, text);
                None
            }
        }
    }

    fn service_line(
        &mut self,
        line: &Statement,
        service: &mut Service,
        known: &Known,
        scripts: &mut Vec<NotifyScript>,
    ) {
        let value = self.lvs_value(Whose::Service, line);
        let word = line.words.get(1).cloned();
        match line.keyword.name {
            "quorum" => service.quorum = value.unwrap_or(1),
            "hysteresis" => service.hysteresis = value.unwrap_or(service.hysteresis),
            "weight" => service.weight = value.unwrap_or(service.weight),
            "persistence_timeout" => service.persistent |= word.is_none() || value.is_some(),
            "ip_family" => self.service_family(line, service),
            "lb_algo" | "lvs_sched" => {
                let Some(word) = word else { return };
                if SCHEDULERS.contains(&word.text.as_str()) {
                    service.scheduler = Some(word.text);
                } else {
                    let text = format!("Invalid lvs_scheduler '{}' - ignoring", word.text);
                    self.error(Reason::InvalidValue, word.span, text);
                }
            }
            "ops" => service.one_packet = true,
            "hashed" | "sh-port" | "sh-fallback" | "mh-port" | "mh-fallback"
                if !matches!(service.scheduler.as_deref(), Some("sh" | "mh")) =>
            {
                let text = format!("{} only applies to sh scheduler - ignoring", line.keyword.name);
                self.complain(Reason::Conflict, text);
            }
            "lb_kind" | "lvs_method" => {
                service.forwarding = self.forwarding(line, "virtual").or(service.forwarding);
            }
            "persistence_engine" => {
                // The name of a kernel module of 15 bytes at most.
                let long = word.filter(|word| word.text.len() > 15);
                if let Some(word) = long {
                    let text = format!("persistence_name too long, truncating - {}", word.text);
                    self.error(Reason::InvalidValue, word.span, text);
                }
            }
            "persistence_granularity" => self.granularity(line, service),
            "protocol" => {
                let Some(word) = word else { return };
                let known = ["tcp", "udp", "sctp"].into_iter().find(|p| word.text.eq_ignore_ascii_case(p));
                match known {
                    Some(protocol) => service.protocol = protocol,
                    None => {
                        let text = format!("Unknown protocol {} - ignoring", word.text);
                        self.error(Reason::InvalidValue, word.span, text);
                    }
                }
            }
            "ha_suspend" => service.suspends = true,
            "inhibit_on_failure" => service.inhibit = true,
            "virtualhost" => _ = self.required(line, "virtual server virtualhost missing"),
            "snmp_name" => self.one_name(line, "virtual"),
            "sorry_server" => service.sorry = self.sorry_server(line).or(service.sorry.take()),
            "sorry_server_inhibit" => match &mut service.sorry {
                Some(sorry) => sorry.inhibit = true,
                None => {
                    let text = "Ignoring sorry_server inhibit used before or without sorry_server";
                    self.complain(Reason::Incomplete, text);
                }
            },
            "sorry_server_lvs_method" => {
                if service.sorry.is_none() {
                    self.complain(Reason::Incomplete, "sorry_server forwarding used without sorry_server");
                    return;
                }
                let forwarding = self.forwarding(line, "sorry");
                if let Some(sorry) = &mut service.sorry {
                    sorry.forwarding = forwarding.or(sorry.forwarding);
                }
            }
            "quorum_up" => self.service_script(line, "quorum", &mut service.quorum_scripts[0], scripts),
            "quorum_down" => self.service_script(line, "quorum", &mut service.quorum_scripts[1], scripts),
            "real_server" => {
                let server = self.real_server(line, service, known, scripts);
                service.servers.extend(server);
            }
            _ => {}
        }
    }

    fn service_family(&mut self, line: &Statement, service: &mut Service) {
        let Some(word) = line.words.get(1).cloned() else { return };
        let v6 = match word.text.as_str() {
            "inet" => false,
            "inet6" => true,
            other => {
                self.error(Reason::InvalidValue, word.span, format!("unknown address family {other}"));
                return;
            }
        };
        if service.v6.is_some_and(|known| known != v6) {
            let text = format!("Virtual server specified family {} conflicts with server family", word.text);
            self.error(Reason::Conflict, word.span, text);
            return;
        }
        service.v6 = Some(v6);
    }

    fn granularity(&mut self, line: &Statement, service: &Service) {
        let Some(word) = line.words.get(1).cloned() else { return };
        let (family, good) = if service.v6 == Some(true) {
            (6, self.unsigned(&word, 1, 128, true).is_some())
        } else {
            (4, loose_ipv4(&word.text))
        };
        if !good {
            let text = format!("Invalid IPv{family} persistence_granularity specified - {}", word.text);
            self.error(Reason::InvalidValue, word.span, text);
        }
    }

    /// `NAT`, `DR` or `TUN` with the options of tunnels.
    fn forwarding(&mut self, line: &Statement, whose: &str) -> Option<Forwarding> {
        let word = line.words.get(1)?.clone();
        let method = match word.text.as_str() {
            "NAT" => Forwarding::Nat,
            "DR" => Forwarding::Direct,
            "TUN" => Forwarding::Tunnel,
            other => {
                let text = format!("PARSER : unknown [{other}] routing method for {whose} server.");
                self.error(Reason::InvalidValue, word.span, text);
                return None;
            }
        };
        let (mut kind, mut port, mut sums) = ("ipip".to_owned(), None, "nocsum".to_owned());
        let mut options = line.words[2..].iter().cloned();
        while let Some(option) = options.next() {
            let problem = match option.text.as_str() {
                "type" => match options.next() {
                    Some(word) if matches!(word.text.as_str(), "ipip" | "gue" | "gre") => {
                        kind = word.text;
                        continue;
                    }
                    Some(word) => format!("Unknown tunnel type {} for {whose} server.", word.text),
                    None => format!("Missing tunnel type for {whose} server."),
                },
                "port" => match options.next() {
                    Some(word) => {
                        port = self.unsigned(&word, 1, 65_535, true);
                        if port.is_some() {
                            continue;
                        }
                        format!("Invalid gue tunnel port {} for {whose} server.", word.text)
                    }
                    None => format!("Missing port for {whose} server gue tunnel."),
                },
                "csum" | "nocsum" | "remcsum" => {
                    sums = option.text;
                    continue;
                }
                other => format!("Invalid tunnel option {other} for {whose} server."),
            };
            self.error(Reason::InvalidValue, option.span, problem);
            return Some(method);
        }
        let problem = match (kind.as_str(), port, sums.as_str()) {
            ("gue", None, _) | ("ipip" | "gre", Some(_), _) => {
                "gue tunnels require port, otherwise cannot have port."
            }
            ("ipip", _, "csum" | "remcsum") => "ipip tunnels do not support checksum option.",
            ("gre", _, "remcsum") => "gre tunnels do not support remote checksum option.",
            _ => return Some(method),
        };
        self.complain(Reason::Conflict, problem);
        Some(method)
    }

    fn sorry_server(&mut self, line: &Statement) -> Option<RealServer> {
        let word = line.words.get(1)?.clone();
        let address = lvs_address(&word.text);
        let port = self.lvs_port(line.words.get(2));
        let (Some(address), Some(port)) = (address, port) else {
            let text = format!("Invalid sorry server IP address {} - skipping", word.text);
            self.error(Reason::InvalidValue, word.span, text);
            return None;
        };
        Some(RealServer { address, port, weight: None, forwarding: None, inhibit: false })
    }

    /// A script about a service or a server; a second one is passed over.
    fn service_script(
        &mut self,
        line: &Statement,
        kind: &str,
        had: &mut bool,
        scripts: &mut Vec<NotifyScript>,
    ) {
        if std::mem::replace(had, true) {
            // keepalived says `(null)`, as services have had no name for long.
            let text = format!(
                "((null)) {} script already specified - ignoring {}",
                line.keyword.name,
                line.words.get(1).map_or("", |word| word.text.as_str())
            );
            self.complain(Reason::Duplicate, text);
            return;
        }
        scripts.extend(self.notify(line, kind));
    }

    fn real_server(
        &mut self,
        statement: &Statement,
        service: &mut Service,
        known: &Known,
        scripts: &mut Vec<NotifyScript>,
    ) -> Option<RealServer> {
        let word = self.parameter(&statement.words, 1)?.clone();
        let address = lvs_address(&word.text);
        let port = self.lvs_port(statement.words.get(2));
        let (Some(address), Some(port)) = (address, port) else {
            let port = statement.words.get(2).map_or("(null)", |port| port.text.as_str());
            let text = format!("Invalid real server ip address/port {}/{port} - skipping", word.text);
            self.error(Reason::InvalidValue, word.span, text);
            return None;
        };
        let mut server = RealServer { address, port, weight: None, forwarding: None, inhibit: false };
        let mut notify = [false; 2];
        for child in statement.children() {
            self.here = child.span;
            if NEEDY.contains(&child.keyword.name) && self.parameter(&child.words, 1).is_none() {
                continue;
            }
            let value = self.lvs_value(Whose::Server, child);
            match child.keyword.name {
                "weight" => server.weight = value.or(server.weight),
                "lvs_method" => server.forwarding = self.forwarding(child, "real").or(server.forwarding),
                "inhibit_on_failure" => server.inhibit = self.switch(&child.words).unwrap_or(false),
                "virtualhost" => _ = self.required(child, "real server virtualhost missing"),
                "snmp_name" => self.one_name(child, "real"),
                "notify_up" => self.service_script(child, "notify", &mut notify[0], scripts),
                "notify_down" => self.service_script(child, "notify", &mut notify[1], scripts),
                name if name.ends_with("_CHECK") || name.ends_with("_GET") => {
                    let checked = Checked { address, port, protocol: service.protocol };
                    self.lvs_check(child, &checked, known, scripts);
                }
                _ => {}
            }
        }
        if server.forwarding != Some(Forwarding::Tunnel) {
            if service.v6.is_some_and(|v6| v6 != address.is_ipv6()) {
                let text = format!(
                    "Address family of virtual server and real server {address} don't match - skipping real server."
                );
                self.error(Reason::Conflict, statement.end(), text);
                return None;
            }
            service.v6 = Some(address.is_ipv6());
        }
        Some(server)
    }
}
