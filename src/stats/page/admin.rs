//! Forms sent to the page: `s=SERVER&s=SERVER&action=ACTION&b=BACKEND`.

use std::sync::Arc;

use super::options::{Outcome, decode};
use crate::live::{Live, Proxy, Server, Shutdown};
use crate::server::{AdminRequest, Op};
use crate::stats::steer::{self, force_health};

/// Who the log says that did it.
const WHO: &str = "Web interface";

/// What can be done to the servers that are marked, with the words of the page.
pub(super) const ACTIONS: [(&str, &str, Action); 13] = [
    ("ready", "State: ready", Action::Request(AdminRequest::Ready)),
    ("drain", "State: drain", Action::Request(AdminRequest::Drain)),
    ("maint", "State: maintenance", Action::Request(AdminRequest::Maint)),
    ("dhlth", "Checks: suspend", Action::Check(false)),
    ("ehlth", "Checks: take up again", Action::Check(true)),
    ("hrunn", "Health: up", Action::Health(Op::Running)),
    ("hnolb", "Health: no new sessions", Action::Health(Op::Stopping)),
    ("hdown", "Health: down", Action::Health(Op::Stopped)),
    ("dagent", "Agent: suspend", Action::Agent(false)),
    ("eagent", "Agent: take up again", Action::Agent(true)),
    ("arunn", "Agent: up", Action::AgentSays(true)),
    ("adown", "Agent: down", Action::AgentSays(false)),
    ("shutdown", "End all sessions", Action::Shutdown),
];

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Administrative state.
    Request(AdminRequest),
    /// Suspend the check or take it up again.
    Check(bool),
    /// Speak for the check.
    Health(Op),
    /// End all sessions.
    Shutdown,
    /// Suspend the agent or take it up again.
    Agent(bool),
    /// Speak for the agent.
    AgentSays(bool),
}

/// Does what a form asks for.
pub(super) fn apply(live: &Live, body: &str) -> Outcome {
    let (mut names, mut action, mut backend) = (Vec::new(), None, None);
    for pair in body.trim_end_matches(['\r', '\n']).split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "s" => names.push(decode(value)),
            "action" => action = Some(decode(value)),
            "b" => backend = Some(decode(value)),
            // Buttons and fields of somebody's own page mean nothing here.
            _ => {}
        }
    }
    let action = ACTIONS.iter().find(|(name, ..)| Some(*name) == action.as_deref()).map(|(.., a)| *a);
    let (Some(action), Some(backend)) = (action, backend) else {
        return Outcome::Invalid;
    };
    let Some(proxy) = find_backend(live, &backend) else { return Outcome::Invalid };
    if names.is_empty() {
        return Outcome::None;
    }
    let servers = || proxy.backend.iter().flat_map(|b| b.servers());
    let found =
        names.iter().filter_map(|name| servers().find(|s| s.name() == name.as_str())).collect::<Vec<_>>();
    for server in &found {
        act(&proxy, server, action);
    }
    match found.len() {
        0 => Outcome::Invalid,
        n if n < names.len() => Outcome::Partial,
        _ => Outcome::Done,
    }
}

/// By name, or by number as `#3`.
fn find_backend(live: &Live, name: &str) -> Option<Arc<Proxy>> {
    match name.strip_prefix('#').and_then(|id| id.parse::<u32>().ok()) {
        Some(id) => live.proxies().into_iter().find(|p| p.backend.is_some() && p.ir.id == id),
        None => live.backend_named(name),
    }
}

fn act(proxy: &Arc<Proxy>, server: &Arc<Server>, action: Action) {
    match action {
        Action::Request(request) => proxy.change_server(server, |state, now| state.request(request, now)),
        // The state of a tracking server is that of another one.
        Action::Health(op) => {
            let _ = force_health(proxy, server, op, WHO);
        }
        Action::Check(on) => {
            if server.ir.check.is_some() {
                proxy.enable_check(server, on);
            }
        }
        Action::Shutdown => server.shutdown_sessions(Shutdown::Command),
        Action::Agent(on) => {
            if server.ir.agent.is_some() {
                proxy.enable_agent(server, on);
            }
        }
        // One without an agent has nobody to speak for.
        Action::AgentSays(up) => _ = steer::force_agent(proxy, server, up, WHO),
    }
}
