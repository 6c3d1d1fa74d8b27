//! Virtual servers: read, judged as keepalived judges them, named, not served.
//!
//! | file | what it judges |
//! |---|---|
//! | [`values`] | single lines: numbers, times, switches, addresses |
//! | [`service`] | `virtual_server` and its `real_server` blocks |
//! | [`checks`] | the ten checkers |
//! | [`complete`] | what can be said once all of a service is known |

mod checks;
mod complete;
mod service;
mod values;

use std::net::IpAddr;

use tandem_parser::Reason;
use tandem_parser::keepalived::{Statement, Word};

use super::context::Cx;
use crate::ir::vrrp::VirtualServer;
use service::Service;

/// Keywords of virtual servers, their checks and BFD sessions whose line ends keepalived without a parameter.
const NEEDY: &[&str] = &[
    "bind_if",
    "bind_port",
    "bindto",
    "connect_ip",
    "connect_port",
    "connect_timeout",
    "delay_before_retry",
    "delay_loop",
    "digest",
    "fwmark",
    "hoplimit",
    "hysteresis",
    "idle_tx",
    "ip_family",
    "lb_algo",
    "lb_kind",
    "lthreshold",
    "lvs_method",
    "lvs_sched",
    "max_hops",
    "max_reply_length",
    "min_reply_length",
    "min_rx",
    "min_tx",
    "misc_timeout",
    "multiplier",
    "nb_get_retry",
    "neighbor_ip",
    "neighbour_ip",
    "notify_down",
    "notify_up",
    "path",
    "persistence_engine",
    "persistence_granularity",
    "protocol",
    "quorum",
    "quorum_down",
    "quorum_up",
    "retry",
    "sorry_server",
    "source_ip",
    "track_file",
    "ttl",
    "type",
    "uthreshold",
    "warmup",
    "weight",
];

/// A `virtual_server_group`.
#[derive(Debug, Default)]
struct Group {
    name: String,
    /// It has firewall marks.
    marks: bool,
    /// Its addresses: as written, and the port (0: any).
    addresses: Vec<(String, u16)>,
}

impl Cx<'_> {
    /// Lines without the parameter they need, however deep they stand.
    fn needy(&mut self, statement: &Statement) {
        self.here = statement.span;
        if NEEDY.contains(&statement.keyword.name) {
            self.parameter(&statement.words, 1);
        }
        for child in statement.children() {
            self.needy(child);
        }
    }

    /// Judges every `virtual_server` and says once that none is served.
    pub(super) fn virtual_servers(&mut self, statements: &[Statement]) {
        let (mut first, mut ssl) = (None, false);
        let (mut groups, mut services) = (Vec::new(), Vec::new());
        let mut scripts = Vec::new();
        let known = |name: &str| -> Vec<String> {
            let named = statements.iter().filter(|s| s.keyword.name.ends_with(name));
            named.filter_map(|s| s.words.get(1)).map(|word| word.text.clone()).collect()
        };
        let known = checks::Known { files: known("track_file"), sessions: known("bfd_instance") };
        for statement in statements {
            self.here = statement.span;
            match statement.keyword.name {
                "bfd_instance" => self.needy(statement),
                "SSL" => {
                    if std::mem::replace(&mut ssl, true) {
                        self.complain(Reason::Duplicate, "SSL context already specified - replacing");
                    }
                    self.ssl(statement);
                }
                "virtual_server_group" => {
                    let Some(name) = self.parameter(&statement.words, 1) else { continue };
                    let name = name.text.clone();
                    if statement.words.len() > 2 {
                        // keepalived takes further words for an entry without anything in it.
                        self.parameter(&[], 0);
                    }
                    groups.extend(self.server_group(name, statement));
                }
                "virtual_server" if self.parameter(&statement.words, 1).is_some() => {
                    first = first.or(Some(statement.words[0].span));
                    self.note_virtual_server(statement);
                    services.extend(self.service(statement, &known, &mut scripts));
                }
                _ => {}
            }
        }
        // One that names a group that is not there is left out without a word.
        services.retain(|service: &Service| service.group(&groups).is_some() || !service.grouped());
        for service in services {
            self.complete_service(service, &groups);
        }
        if first.is_some() {
            self.check_service_scripts(scripts);
        }
        if let Some(span) = first {
            let count = self.config.virtual_servers.len();
            let text = format!(
                "virtual servers (LVS) are not done yet: {count} virtual_server block(s) have no effect"
            );
            self.warn(Reason::NoEffect, span, text)
                .help("VRRP runs as configured; keep keepalived for the virtual servers, or balance with a haproxy configuration");
        }
    }

    fn note_virtual_server(&mut self, statement: &Statement) {
        let join = |statement: &Statement| {
            statement.words[1..].iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
        };
        let servers = statement.children().iter().filter(|child| child.keyword.name == "real_server");
        let real_servers = servers.map(join).collect();
        let place = self.place(statement.span);
        self.config.virtual_servers.push(VirtualServer { name: join(statement), real_servers, place });
    }

    fn ssl(&mut self, statement: &Statement) {
        for child in statement.children() {
            let what = match child.keyword.name {
                "ca" => "cafile",
                "certificate" => "certfile",
                "key" => "keyfile",
                name => name,
            };
            if child.words.len() < 2 {
                self.error(Reason::MissingArgument, child.span, format!("SSL {what} missing"));
            }
        }
    }

    fn server_group(&mut self, name: String, statement: &Statement) -> Option<Group> {
        let mut group = Group { name, ..Group::default() };
        for line in statement.values() {
            let Some(first) = line.first() else { continue };
            self.here = first.span;
            if first.text == "fwmark" {
                group.marks |= self.group_mark(line, &group.name);
            } else if let Some(port) = self.group_address(line) {
                group.addresses.push((first.text.clone(), port));
            }
        }
        if group.marks || !group.addresses.is_empty() {
            return Some(group);
        }
        let text = format!("virtual server group {} has no entries - removing", group.name);
        self.error(Reason::Incomplete, statement.end(), text);
        None
    }

    fn group_mark(&mut self, line: &[Word], group: &str) -> bool {
        let Some(mark) = self.parameter(line, 1).cloned() else { return false };
        if self.unsigned(&mark, 0, u32::MAX, true).is_none() {
            let text = format!("({group}): fwmark '{}' must be in [0, {}] - ignoring", mark.text, u32::MAX);
            self.error(Reason::OutOfRange, mark.span, text);
            return false;
        }
        match line.get(2) {
            Some(family) if !matches!(family.text.as_str(), "inet" | "inet6") => {
                let text =
                    format!("({group}): fwmark '{}' family {} unknown - ignoring", mark.text, family.text);
                self.error(Reason::InvalidValue, family.span, text);
                false
            }
            _ => true,
        }
    }

    /// `ADDRESS[/BITS|-END] [PORT]`: its port, if it is right.
    fn group_address(&mut self, line: &[Word]) -> Option<u16> {
        let text = line[0].text.clone();
        let span = line[0].span;
        let (address, bits) = text.split_once('/').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
        let (address, end) = address.split_once('-').map_or((address, None), |(a, e)| (a, Some(e)));
        let parsed = address.parse::<IpAddr>().ok();
        let port = self.lvs_port(line.get(1));
        let (Some(parsed), Some(port)) = (parsed, port) else {
            let port = line.get(1).map_or_else(String::new, |word| format!("/port/{}", word.text));
            let text = format!("Invalid virtual server group IP address {text} {port} - skipping");
            self.error(Reason::InvalidValue, span, text);
            return None;
        };
        let problem = match (bits, end) {
            (Some(bits), _) => mask_problem(&text, parsed, bits),
            (None, Some(end)) => range_problem(&text, parsed, end),
            (None, None) => None,
        };
        match problem {
            Some(problem) => {
                self.error(Reason::OutOfRange, span, problem);
                None
            }
            None => Some(port),
        }
    }
}

fn mask_problem(text: &str, address: IpAddr, bits: &str) -> Option<String> {
    let most = if address.is_ipv4() { 32 } else { 128 };
    let Some(bits) = bits.parse::<u32>().ok().filter(|bits| *bits <= most) else {
        return Some(format!("Invalid netmask - {text} - skipping"));
    };
    let host = match address {
        IpAddr::V4(a) => u128::from(a.to_bits()),
        IpAddr::V6(a) => a.to_bits(),
    };
    // Without a mask of all bits the part of the host must be empty.
    let mask = 1_u128.checked_shl(most - bits).map_or(u128::MAX, |bit| bit - 1);
    (host & mask != 0).then(|| format!("Address mask bits not empty - {text} - skipping"))
}

fn range_problem(text: &str, address: IpAddr, end: &str) -> Option<String> {
    if end.contains(['.', ':']) {
        return match end.parse::<IpAddr>() {
            Err(_) => Some(format!("Invalid range end {text} - skipping")),
            Ok(end) if end.is_ipv4() != address.is_ipv4() => {
                Some(format!("Range address families do not match {text} - skipping"))
            }
            Ok(end) => (end < address)
                .then(|| format!("Address range end is less than address range start - {text} - skipping")),
        };
    }
    let (radix, most, first) = match address {
        IpAddr::V4(a) => (10, 255, u32::from(a.octets()[3])),
        IpAddr::V6(a) => (16, 65_535, u32::from(a.segments()[7])),
    };
    let digits = end.find(|c: char| !c.is_digit(radix)).unwrap_or(end.len());
    if digits < end.len() {
        let rest = &end[digits..];
        return Some(format!("Virtual server group range '{text}' has extra characters at end '{rest}'"));
    }
    match u32::from_str_radix(end, radix) {
        Ok(last) if last > most => Some(format!("Virtual server group range '{text}' end '{end}' too large")),
        Ok(last) if last <= first => {
            Some(format!("Address range end is not greater than address range start - {text} - skipping"))
        }
        Ok(_) => None,
        Err(_) => Some(format!("Virtual server group range '{text}' end '{end}' too large")),
    }
}
