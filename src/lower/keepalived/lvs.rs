//! Virtual servers: read, named, not served.

use tandem_parser::Reason;
use tandem_parser::keepalived::Statement;

use super::context::Cx;
use crate::ir::vrrp::VirtualServer;

/// Longest `persistence_timeout`, seconds: 31 days.
const LONGEST_PERSISTENCE: u32 = 31 * 86_400;

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

    /// Notes every `virtual_server` and says once that none is served.
    pub(super) fn virtual_servers(&mut self, statements: &[Statement]) {
        let mut first = None;
        for statement in statements {
            if statement.keyword.name == "bfd_instance" {
                self.needy(statement);
            }
            if !matches!(statement.keyword.name, "virtual_server" | "virtual_server_group" | "SSL") {
                continue;
            }
            self.here = statement.span;
            if statement.keyword.name != "SSL" && self.parameter(&statement.words, 1).is_none() {
                continue;
            }
            if statement.keyword.name != "virtual_server" {
                continue;
            }
            first = first.or(Some(statement.words[0].span));
            let join = |statement: &Statement| {
                statement.words[1..].iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
            };
            let servers = statement
                .children()
                .iter()
                .filter(|child| child.keyword.name == "real_server")
                .map(join)
                .collect();
            self.needy(statement);
            self.virtual_server(statement);
            let place = self.place(statement.span);
            self.config.virtual_servers.push(VirtualServer {
                name: join(statement),
                real_servers: servers,
                place,
            });
        }
        self.retired_checks(statements);
        if let Some(span) = first {
            let count = self.config.virtual_servers.len();
            let text = format!(
                "virtual servers (LVS) are not done yet: {count} virtual_server block(s) have no effect"
            );
            self.warn(Reason::NoEffect, span, text)
                .help("VRRP runs as configured; keep keepalived for the virtual servers, or balance with a haproxy configuration");
        }
    }

    /// The few things keepalived says most often about a virtual server.
    fn virtual_server(&mut self, statement: &Statement) {
        let mut forwarding = false;
        for child in statement.children() {
            self.here = child.span;
            let keyword = child.keyword.name;
            let (least, most) = match keyword {
                "persistence_timeout" => (1, LONGEST_PERSISTENCE),
                "quorum" => (1, u32::MAX),
                "lb_kind" | "lvs_method" => {
                    forwarding |= self.forwarding_method(child);
                    continue;
                }
                _ => continue,
            };
            // Both have a default, or keep the one before.
            let Some(word) = child.words.get(1).cloned() else { continue };
            if self.unsigned(&word, least, most, true).is_none() {
                let text = match keyword {
                    "quorum" => format!("Quorum {} must be in [1, {}]. Setting to 1.", word.text, u32::MAX),
                    _ => "persistence_timeout invalid".to_owned(),
                };
                self.error(Reason::OutOfRange, word.span, text);
            }
        }
        let words: Vec<&str> = statement.words[1..].iter().map(|word| word.text.as_str()).collect();
        let protocol = statement.children().iter().rev().find(|child| child.keyword.name == "protocol");
        let protocol =
            protocol.and_then(|child| child.words.get(1)).map_or("TCP", |word| &word.text).to_lowercase();
        if let (false, [address, port]) = (forwarding, words.as_slice())
            && !matches!(*address, "fwmark" | "group")
        {
            let text = format!(
                "Virtual server [{address}]:{protocol}:{port}: no forwarding method set, setting default NAT"
            );
            self.late(Reason::Incomplete, statement.span, text);
        }
    }

    fn forwarding_method(&mut self, child: &Statement) -> bool {
        match child.words.get(1) {
            Some(word) if matches!(word.text.as_str(), "NAT" | "DR" | "TUN") => true,
            Some(word) => {
                let text = format!("PARSER : unknown [{}] routing method for virtual server.", word.text);
                self.error(Reason::InvalidValue, word.span, text);
                false
            }
            None => false,
        }
    }

    /// Retired words of checks, however deep they stand.
    fn retired_checks(&mut self, statements: &[Statement]) {
        for statement in statements {
            if statement.keyword.name == "nb_get_retry" {
                let span = statement.words[0].span;
                self.error(Reason::Retired, span, "nb_get_retry is deprecated - please use 'retry'")
                    .edit(span, "retry");
            }
            self.retired_checks(statement.children());
        }
    }
}
