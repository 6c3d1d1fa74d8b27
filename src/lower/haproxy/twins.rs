//! Two things with one name or number, in HAProxy's words.

use std::collections::HashMap;

use tandem_parser::diagnostic::Reason;

use super::context::Context;
use super::verify::{Facts, kind, spot};
use crate::ir::{Config, Proxy};

/// One `guid` of two things.
pub(super) fn guids(context: &mut Context<'_>, config: &Config, facts: &[Facts<'_>]) {
    let mut seen: HashMap<&str, String> = HashMap::new();
    for (proxy, fact) in config.proxies.iter().zip(facts) {
        let name = &proxy.name;
        let own = proxy.guid.iter().map(|guid| (guid, format!("{} '{name}'", kind(proxy))));
        let binds = proxy.frontend.iter().flat_map(|half| &half.binds);
        let binds = binds.filter_map(|bind| {
            Some((bind.guid.as_ref()?, format!("listener of '{name}' at line {}", bind.place.line)))
        });
        let servers = proxy.backend.iter().flat_map(|half| &half.servers);
        let servers = servers
            .filter_map(|server| Some((server.guid.as_ref()?, format!("server '{name}/{}'", server.name))));
        for (guid, what) in own.chain(binds).chain(servers) {
            if let Some(other) = seen.insert(guid, what.clone()) {
                let message = format!("'guid' '{guid}' of {what}: duplicate entry with {other}.");
                context.alert(Reason::Duplicate, fact.section.span, message);
            }
        }
    }
}

/// Two proxies of one custom number.
pub(super) fn ids(context: &mut Context<'_>, config: &Config, facts: &[Facts<'_>]) {
    let mut seen: HashMap<u32, &Proxy> = HashMap::new();
    for (proxy, fact) in config.proxies.iter().zip(facts) {
        let Some(first) = seen.insert(proxy.id, proxy) else { continue };
        let message = format!(
            "{} {} reuses same custom id as {} {} (declared at {}).",
            kind(proxy),
            proxy.name,
            kind(first),
            first.name,
            spot(first)
        );
        let line = fact.section.statements.iter().find(|line| line.name() == "id");
        context.alert(Reason::Duplicate, line.map_or(fact.section.span, |line| line.span), message);
    }
}
