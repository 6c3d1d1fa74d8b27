//! What can be said of a service once all of it is known.

use tandem_parser::{Reason, Span};

use super::super::context::Cx;
use super::Group;
use super::service::{Forwarding, Head, RealServer, Service};

impl Cx<'_> {
    fn of_service(&mut self, span: Span, text: String) {
        self.late(Reason::Conflict, span, text);
    }

    /// Judges it; `groups` has the one it names, if it names one.
    pub(super) fn complete_service(&mut self, mut service: Service, groups: &[Group]) {
        let group = service.group(groups);
        let span = service.span;
        let marks = matches!(service.head, Head::Mark(_)) || group.is_some_and(|group| group.marks);
        let addresses = match &service.head {
            Head::Address(..) => true,
            Head::Mark(_) => false,
            Head::Group(_) => group.is_some_and(|group| !group.addresses.is_empty()),
        };
        let any_port = match &service.head {
            Head::Address(_, port) => *port == 0,
            Head::Mark(_) => false,
            Head::Group(_) => group.is_some_and(|g| g.addresses.iter().any(|(_, port)| *port == 0)),
        };
        if service.suspends && marks {
            let name = service.name();
            let text =
                format!("Virtual server {name}: cannot use ha_suspend with fwmarks - clearing ha_suspend");
            self.of_service(span, text);
        }
        if addresses && service.protocol == "none" {
            let text = format!("Virtual server {}: no protocol set - defaulting to UDP", service.name());
            self.late(Reason::Incomplete, span, text).help("say 'protocol TCP', 'UDP' or 'SCTP'");
            service.protocol = "udp";
        }
        let name = service.name();
        if addresses && service.one_packet && service.protocol != "udp" {
            let text = format!("Virtual server {name}: one packet scheduling requires UDP - resetting");
            self.of_service(span, text);
        }
        if any_port && !service.persistent {
            let text =
                format!("Virtual server {name}: zero port only valid for persistent services - setting");
            self.of_service(span, text);
        }
        if marks && !addresses && service.protocol != "none" {
            let text = format!(
                "Warning: Virtual server {name}: protocol specified for fwmark - protocol will be ignored"
            );
            self.of_service(span, text);
            service.protocol = "none";
        }
        if service.scheduler.is_none() {
            let text = format!("Virtual server {name}: no scheduler set, setting default 'wlc'");
            self.late(Reason::Incomplete, span, text);
        }
        self.without_duplicates(&mut service, &name);
        self.forwarding_methods(&mut service, &name);
        self.quorum(&service, &name);
        self.ports(&service, &name, group, marks);
    }

    fn without_duplicates(&mut self, service: &mut Service, name: &str) {
        let mut kept: Vec<RealServer> = Vec::new();
        for server in std::mem::take(&mut service.servers) {
            if kept.iter().any(|known| (known.address, known.port) == (server.address, server.port)) {
                let server = written(&server, service.protocol);
                let text = format!("VS {name}: real server {server} is duplicated - removing second rs");
                self.late(Reason::Duplicate, service.span, text);
            } else {
                kept.push(server);
            }
        }
        service.servers = kept;
    }

    fn forwarding_methods(&mut self, service: &mut Service, name: &str) {
        let span = service.span;
        for server in service.servers.iter_mut().chain(&mut service.sorry) {
            if server.forwarding.is_none() && service.forwarding.is_none() {
                let text = format!("Virtual server {name}: no forwarding method set, setting default NAT");
                self.late(Reason::Incomplete, span, text);
                service.forwarding = Some(Forwarding::Nat);
            }
            server.forwarding = server.forwarding.or(service.forwarding);
        }
        let Some(sorry) = &service.sorry else { return };
        for server in &service.servers {
            let same = (server.address, server.port) == (sorry.address, sorry.port);
            if same && server.inhibit != sorry.inhibit {
                let how = if server.inhibit { "sett" } else { "clear" };
                let server = written(server, service.protocol);
                let text = format!(
                    "Virtual server {name}: real server {server} matches sorry server, but inhibit setting differs, {how}ing on sorry server"
                );
                self.of_service(span, text);
            }
        }
    }

    fn quorum(&mut self, service: &Service, name: &str) {
        let weights = service.servers.iter().map(|server| server.weight.unwrap_or(service.weight));
        let sum = weights.fold(0_u32, u32::wrapping_add);
        let quorum = service.quorum.min(sum);
        if service.quorum > sum {
            let text = format!(
                "Warning - quorum {} for {name} exceeds total weight of real servers {sum}, reducing quorum to {sum}",
                service.quorum
            );
            self.of_service(service.span, text);
        }
        if service.hysteresis >= quorum {
            let text = format!(
                "Virtual server {name}: hysteresis {} >= quorum {quorum}; setting hysteresis to {}",
                service.hysteresis,
                quorum.wrapping_sub(1)
            );
            self.of_service(service.span, text);
        }
    }

    /// Without address translation a server is reached by the port of its service.
    fn ports(&mut self, service: &Service, name: &str, group: Option<&Group>, marks: bool) {
        let span = service.span;
        let translated = |server: &&RealServer| server.forwarding != Some(Forwarding::Nat);
        let servers: Vec<&RealServer> =
            service.servers.iter().filter(translated).filter(|server| server.port != 0).collect();
        let sorry = service.sorry.as_ref().filter(translated).filter(|sorry| sorry.port != 0);
        let shown = |server: &RealServer| written(server, service.protocol);
        let mut lines = Vec::new();
        match (&service.head, group) {
            (_, Some(group)) => {
                if marks {
                    lines.extend(servers.iter().map(|server| {
                        let server = shown(server);
                        format!("WARNING - fwmark virtual server {name}, real server {server} has port specified - port will be ignored")
                    }));
                    lines.extend(sorry.map(|_| {
                        format!("WARNING - fwmark virtual server {name}, sorry server has port specified - port will be ignored")
                    }));
                }
                for (address, port) in &group.addresses {
                    lines.extend(servers.iter().filter(|server| server.port != *port).map(|server| {
                        let server = shown(server);
                        format!("virtual server {name}:[{address},{port}] and real server {server} ports don't match")
                    }));
                    lines.extend(sorry.filter(|sorry| sorry.port != *port).map(|_| {
                        format!("WARNING - virtual server {name}, sorry server has port specified - port will be ignored")
                    }));
                }
            }
            (Head::Address(_, port), _) => {
                lines.extend(servers.iter().filter(|server| server.port != *port).map(|server| {
                    let server = shown(server);
                    format!("WARNING - virtual server {name} and real server {server} ports don't match - resetting")
                }));
                lines.extend(sorry.filter(|sorry| sorry.port != *port).map(|_| {
                    format!("WARNING - virtual server {name} and sorry server ports don't match - resetting")
                }));
            }
            _ => {
                lines.extend(servers.iter().map(|server| {
                    let server = shown(server);
                    format!("WARNING - fwmark virtual server {name}, real server {server} has port specified - clearing")
                }));
                lines.extend(sorry.map(|_| {
                    format!("WARNING - virtual server {name}, sorry server has port specified - clearing")
                }));
            }
        }
        for line in lines {
            self.of_service(span, line);
        }
    }
}

fn written(server: &RealServer, protocol: &str) -> String {
    format!("[{}]:{protocol}:{}", server.address, server.port)
}
