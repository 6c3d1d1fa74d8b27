//! Backends that no traffic can reach.

use std::collections::BTreeSet;

use super::Remark;
use crate::ir::log::LogDest;
use crate::ir::proxy::UseBackendTarget;
use crate::ir::{Config, ProxyIdx};

/// Backends with servers that no frontend uses, no expression names and no log is written to.
pub(super) fn remarks(config: &Config) -> Vec<Remark> {
    if config.proxies.iter().all(|proxy| proxy.frontend.is_none()) {
        // A part of something: who uses it stands in another file.
        return Vec::new();
    }
    let mut reached = BTreeSet::new();
    for frontend in config.proxies.iter().filter_map(|proxy| proxy.frontend.as_ref()) {
        reached.extend(frontend.default_backend.map(|idx| idx.0));
        for rule in &frontend.use_backends {
            match &rule.target {
                UseBackendTarget::Static(idx) => reached.extend([idx.0]),
                // A computed name may be anybody's.
                UseBackendTarget::Dynamic(_) => return Vec::new(),
            }
        }
    }
    let targets = config.proxies.iter().flat_map(|proxy| &proxy.logs).chain(&config.global.logs);
    let logged: BTreeSet<&str> = targets
        .filter_map(|target| match &target.dest {
            LogDest::Backend(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let alone = config.proxies.iter().zip(0..).filter(|(proxy, nth)| {
        proxy.frontend.is_none()
            && proxy.backend.as_ref().is_some_and(|backend| !backend.servers.is_empty())
            && !logged.contains(proxy.name.as_str())
            && !reached.contains(nth)
            && !config.named.contains_proxy(ProxyIdx(*nth))
    });
    alone
        .map(|(proxy, _)| Remark {
            wrong: false,
            place: proxy.place.clone(),
            message: format!("backend '{}' : no frontend uses it.", proxy.name),
            help: "right if something refers to it while running; otherwise a 'use_backend' or 'default_backend' is \
                   missing, or the section can go"
                .into(),
        })
        .collect()
}
