//! `resolvers`.

use std::path::Path;
use std::time::Duration;

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::haproxy::{Section, Statement};
use tandem_parser::value::{Address, Transport};

use super::context::{Context, span_at};
use crate::ir::Resolvers;
use crate::ir::resolvers::{Families, Nameserver};

/// Where the system keeps its nameservers.
const RESOLV_CONF: &str = "/etc/resolv.conf";
const DNS_PORT: u16 = 53;

/// The section that is there without being written (manual section 5.3.2).
const DEFAULT: &str = "default";

pub(super) fn lower(context: &mut Context<'_>, section: &Section, all: &mut Vec<Resolvers>) {
    let Some(name) = &section.name else { return };
    if all.iter().any(|other| other.name == name.text()) {
        let message = format!("resolvers '{name}' has same name as another resolvers.");
        return context.alert(Reason::Duplicate, name.span, message);
    }
    let mut out = Resolvers::new(name.text().to_owned());
    for line in &section.statements {
        let time = line.time(0);
        match line.name() {
            "nameserver" => nameserver(context, line, &mut out),
            "parse-resolv-conf" => system(context, line, &mut out),
            "resolve_retries" => out.resolve_retries = line.number(0).unwrap_or(out.resolve_retries),
            "timeout resolve" => out.timeout_resolve = time.unwrap_or(out.timeout_resolve),
            "timeout retry" => out.timeout_retry = time.unwrap_or(out.timeout_retry),
            "accepted_payload_size" => {
                out.accepted_payload_size = line.number(0).unwrap_or(out.accepted_payload_size);
            }
            "hold" => {
                if let (Some(event), Some(time)) = (line.text(0), line.time(1)) {
                    *hold(&mut out, event) = time;
                }
            }
            _ => context.untaken(line),
        }
    }
    if out.nameservers.is_empty() {
        let message = format!("resolvers '{name}' has no nameservers; names will not be resolved by it.");
        context.say(Diagnostic::warning(Reason::Incomplete, section.span, message));
    }
    all.push(out);
}

fn hold<'r>(resolvers: &'r mut Resolvers, event: &str) -> &'r mut Duration {
    match event {
        "nx" => &mut resolvers.hold_nx,
        "refused" => &mut resolvers.hold_refused,
        "timeout" => &mut resolvers.hold_timeout,
        "valid" => &mut resolvers.hold_valid,
        "obsolete" => &mut resolvers.hold_obsolete,
        _ => &mut resolvers.hold_other,
    }
}

fn nameserver(context: &mut Context<'_>, line: &Statement, out: &mut Resolvers) {
    let (Some(name), [address]) = (line.text(0), line.addresses(1)) else { return };
    let span = span_at(line, 1);
    if out.nameservers.iter().any(|other| other.name == name) {
        let message = format!("nameserver '{name}' has same name as another nameserver.");
        return context.alert(Reason::Duplicate, span_at(line, 0), message);
    }
    let Some(address) = context.resolved(address, span) else { return };
    let tcp = matches!(address, Address::Inet { transport: Some(Transport::Stream | Transport::Mptcp), .. });
    match address.socket(0).filter(|addr| addr.port() != 0) {
        Some(addr) => out.nameservers.push(Nameserver { name: name.to_owned(), addr, tcp }),
        None => {
            let written = line.text(1).unwrap_or_default();
            let message = format!("'nameserver {name}' : missing port specification in '{written}'");
            context.alert(Reason::InvalidValue, span, message);
        }
    }
}

/// `dns-accept-family`: of several words `auto` counts.
pub(super) fn families(line: &Statement) -> Families {
    let words = || line.text(0).unwrap_or_default().split(',');
    let has = |family| words().any(|word| word == family);
    match (has("auto"), has("ipv4"), has("ipv6")) {
        (true, ..) => Families::Reachable,
        (_, true, false) => Families::V4,
        (_, false, true) => Families::V6,
        _ => Families::Both,
    }
}

/// The section `default` of the system's nameservers, unless one is written. Nobody is told that it cannot be had.
pub(super) fn complete(context: &Context<'_>, all: &mut Vec<Resolvers>) {
    if all.iter().any(|section| section.name == DEFAULT) {
        return;
    }
    let mut out = Resolvers { implied: true, ..Resolvers::new(DEFAULT.to_owned()) };
    take(&context.env.read(Path::new(RESOLV_CONF)).unwrap_or_default(), &mut out);
    // What another machine has is not known here.
    if !out.nameservers.is_empty() || context.env.offline() {
        all.push(out);
    }
}

/// `parse-resolv-conf`.
fn system(context: &mut Context<'_>, line: &Statement, out: &mut Resolvers) {
    if let Some(text) = context.read("parse-resolv-conf", RESOLV_CONF, line.span) {
        take(&text, out);
    }
}

/// Takes the nameservers of a `resolv.conf`: each is named by its address.
fn take(text: &[u8], out: &mut Resolvers) {
    for line in String::from_utf8_lossy(text).lines() {
        let mut words = line.split_whitespace();
        let (Some("nameserver"), Some(address)) = (words.next(), words.next()) else { continue };
        let Ok(ip) = address.parse() else { continue };
        if out.nameservers.iter().all(|other| other.name != address) {
            let addr = std::net::SocketAddr::new(ip, DNS_PORT);
            out.nameservers.push(Nameserver { name: address.to_owned(), addr, tcp: false });
        }
    }
}
