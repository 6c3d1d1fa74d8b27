//! What the socket and the page both do to servers.

use std::sync::Arc;

use crate::live::{CheckOrder, Proxy, Server};
use crate::server::{Cause, Op};

/// Speaks for a server's check. `who` says where from, for the log. A server that tracks another one has no health
/// of its own: `false`, nothing was done.
#[must_use]
pub fn force_health(proxy: &Arc<Proxy>, server: &Arc<Server>, op: Op, who: &str) -> bool {
    if server.ir.track.is_some() {
        return false;
    }
    let cause = Cause::Words(format!("changed from {who}"));
    let up = op != Op::Stopped;
    let (rise, fall) = server.rise_and_fall();
    server.check.write().health = if up { rise + fall - 1 } else { 0 };
    if server.ir.check.is_some() {
        proxy.order_check(server, CheckOrder::Force(up));
    }
    proxy.change_server(server, |state, now| state.set_op(op, &cause, now));
    true
}

/// Speaks for a server's agent. One that has none, or whose agent is suspended, has nobody to speak for: `false`.
#[must_use]
pub fn force_agent(proxy: &Arc<Proxy>, server: &Arc<Server>, up: bool, who: &str) -> bool {
    if !server.has_agent() {
        return false;
    }
    let op = if up { Op::Running } else { Op::Stopped };
    server.agent.write().health = u32::from(up);
    proxy.order_check(server, CheckOrder::ForceAgent(up));
    proxy.change_server(server, |state, now| {
        state.note_agent(up);
        state.set_op(op, &Cause::Words(format!("changed from {who}")), now)
    });
    true
}
