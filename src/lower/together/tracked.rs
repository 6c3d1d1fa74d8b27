//! What `track_proxy` names, looked for in `haproxy.cfg`.

use tandem_parser::suggest::nearest;

use super::{Node, Remark};
use crate::ir::vrrp::TrackProxy;
use crate::ir::{Config, Proxy};

pub(super) fn remarks(nodes: &[Node<'_>], proxies: &[&Config]) -> Vec<Remark> {
    let tracked = nodes.iter().flat_map(|node| &node.config.track_proxies);
    tracked.flat_map(|one| one_block(one, proxies)).collect()
}

fn one_block(tracked: &TrackProxy, proxies: &[&Config]) -> Vec<Remark> {
    let named = |has: fn(&Proxy) -> bool| {
        let all = proxies.iter().flat_map(|config| &config.proxies);
        all.map(|proxy| &**proxy).filter(move |proxy| has(proxy)).collect::<Vec<&Proxy>>()
    };
    let remark = |message: String, help: String| Remark {
        wrong: true,
        place: tracked.place.clone(),
        message: format!("track_proxy {}: {message}", tracked.name),
        help,
    };
    let missing = |kind: &str, name: &str, known: &[&Proxy]| {
        let near = nearest(name, known.iter().map(|proxy| proxy.name.as_str()));
        let help = near.map_or_else(
            || "what is not there counts as failed".to_owned(),
            |near| format!("did you mean '{near}'? what is not there counts as failed"),
        );
        remark(format!("no {kind} '{name}' in the haproxy.cfg given here"), help)
    };
    let mut said = Vec::new();
    let frontends = named(|proxy| proxy.frontend.is_some());
    for name in &tracked.frontends {
        if !frontends.iter().any(|proxy| proxy.name == *name) {
            said.push(missing("frontend", name, &frontends));
        }
    }
    let backends = named(|proxy| proxy.backend.is_some());
    for backend in &tracked.backends {
        let name = &backend.name;
        let Some(proxy) = backends.iter().find(|proxy| proxy.name == *name) else {
            said.push(missing("backend", name, &backends));
            continue;
        };
        let servers = proxy.backend.iter().flat_map(|half| &half.servers);
        let (all, checked) = servers.fold((0u32, 0u32), |(all, checked), server| {
            (all + 1, checked + u32::from(server.check.is_some() || server.track.is_some()))
        });
        if all > 0 && all < backend.min_servers {
            said.push(remark(
                format!("backend '{name}' has {all} servers and never {}", backend.min_servers),
                "min_servers must not exceed the number of servers".into(),
            ));
        } else if checked == 0 {
            said.push(remark(
                format!("no server of backend '{name}' is checked: it never fails"),
                "add 'check' to its servers".into(),
            ));
        }
    }
    said
}
