//! Forms sent to the page: `s=SERVER&s=SERVER&action=ACTION&b=BACKEND`.

use std::sync::Arc;

use super::options::{Outcome, decode};
use crate::live::{Live, Proxy, Server, Shutdown};
use crate::server::{Admin, AdminRequest, Op};
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

/// What forms of old said, which scripts still send.
const OLD_ACTIONS: [(&str, Action); 4] = [
    ("disable", Action::Set(Admin::FORCED_MAINT, "'disable' on stats page")),
    ("enable", Action::Clear(Admin::FORCED_MAINT)),
    ("stop", Action::Set(Admin::FORCED_DRAIN, "'stop' on stats page")),
    ("start", Action::Clear(Admin::FORCED_DRAIN)),
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
    /// Set one flag, for this reason.
    Set(Admin, &'static str),
    /// Clear one flag.
    Clear(Admin),
}

fn action(name: &str) -> Option<Action> {
    let today = ACTIONS.iter().find(|(known, ..)| *known == name).map(|(.., action)| *action);
    today.or_else(|| OLD_ACTIONS.iter().find(|(known, _)| *known == name).map(|(_, action)| *action))
}

/// Does what a form asks for, to servers of a backend in `scope` (empty: of any).
pub(super) fn apply(live: &Live, scope: &[String], body: &str) -> Outcome {
    let (mut names, mut wanted, mut backend) = (Vec::new(), None, None);
    for pair in body.trim_end_matches(['\r', '\n']).split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "s" => names.push(decode(value)),
            "action" => wanted = Some(decode(value)),
            "b" => backend = Some(decode(value)),
            // Buttons and fields of somebody's own page mean nothing here.
            _ => {}
        }
    }
    let shown = |proxy: &Arc<Proxy>| scope.is_empty() || scope.contains(&proxy.ir.name);
    let proxy = match backend.map(|name| live.backend_named(&name).filter(shown)) {
        // Who may not see a backend is not told either that there is none.
        Some(None) if !scope.is_empty() => return Outcome::Denied,
        Some(None) => return Outcome::Invalid,
        found => found.flatten(),
    };
    let action = match wanted.map(|name| action(&name)) {
        Some(None) => return Outcome::Invalid,
        known => known.flatten(),
    };
    let (Some(action), Some(proxy)) = (action, proxy) else { return Outcome::None };
    let servers = || proxy.backend.iter().flat_map(|b| b.servers());
    let (mut done, mut unknown) = (0, 0);
    for name in &names {
        match servers().find(|server| server.name() == name.as_str()) {
            Some(server) => done += u32::from(act(&proxy, &server, action)),
            None => unknown += 1,
        }
    }
    match (done, unknown) {
        (0, 0) => Outcome::None,
        (0, _) => Outcome::Invalid,
        (_, 0) => Outcome::Done,
        _ => Outcome::Partial,
    }
}

/// Whether there was anything to do.
fn act(proxy: &Arc<Proxy>, server: &Arc<Server>, action: Action) -> bool {
    match action {
        Action::Request(request) => proxy.change_server(server, |state, now| state.request(request, now)),
        // The state of a tracking server is that of another one.
        Action::Health(op) => return force_health(proxy, server, op, WHO),
        Action::Check(_) if server.ir.check.is_none() => return false,
        Action::Check(on) => proxy.enable_check(server, on),
        Action::Shutdown => server.shutdown_sessions(Shutdown::Command),
        Action::Agent(_) if server.ir.agent.is_none() => return false,
        Action::Agent(on) => proxy.enable_agent(server, on),
        // One without an agent has nobody to speak for.
        Action::AgentSays(up) => return steer::force_agent(proxy, server, up, WHO),
        Action::Set(flag, _) if server.with_state(|state| state.admin().any(flag)) => return false,
        Action::Set(flag, why) => proxy.change_server(server, |state, now| state.set_flag(flag, why, now)),
        Action::Clear(flag) if !server.with_state(|state| state.admin().any(flag)) => return false,
        Action::Clear(flag) => proxy.change_server(server, |state, now| state.clear_flag(flag, None, now)),
    }
    true
}
