//! What rules make a session wait for: `pause`, `do-resolve`.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::outbound;
use super::txn::Txn;
use super::worker::Conn;
use crate::expr::{Effect, Session as _};
use crate::ir::expr::{Scope, Value};
use crate::ir::rules::Resolve;
use crate::sys::clock;

/// Nothing happens for a while. `false`: the client left meanwhile.
pub(super) async fn pause(conn: &mut Conn, time: Duration) -> bool {
    conn.deadline.set(Some(clock::now() + time));
    poll_fn(|cx| {
        if outbound::client_left(conn, cx) {
            return Poll::Ready(false);
        }
        conn.deadline.poll(cx).map(|()| true)
    })
    .await
}

/// The address of a host goes into the variable that a rule names. `false`: the client left meanwhile.
pub(super) async fn resolve(conn: &mut Conn, txn: &mut Txn, rule: &Resolve, host: String) -> bool {
    let section = txn.door.live().resolvers.iter().find(|section| *section.name == *rule.resolvers);
    let Some(answer) = section.and_then(|section| section.ask(host, rule.ipv6)) else { return true };
    let mut answer = pin!(answer);
    let found = poll_fn(|cx| {
        if let Poll::Ready(found) = answer.as_mut().poll(cx) {
            return Poll::Ready(Ok(found.ok().flatten()));
        }
        if outbound::client_left(conn, cx) { Poll::Ready(Err(())) } else { Poll::Pending }
    })
    .await;
    let Ok(found) = found else { return false };
    let value = match found {
        Some(std::net::IpAddr::V4(ip)) => Value::Ipv4(ip),
        Some(std::net::IpAddr::V6(ip)) => Value::Ipv6(ip),
        // Without an answer the variable stays as it is.
        None => return true,
    };
    if rule.var.scope == Scope::Proc {
        txn.effect(Effect::ProcVar(&rule.var, Some(value)));
    } else {
        txn.vars.set(&rule.var, value);
    }
    true
}

/// Count an error of the proxy's own on everything this session passes but its server.
pub(super) fn count_internal(txn: &Txn) {
    if let Some(fe) = &txn.door.fe.frontend {
        fe.counters.eint.inc();
    }
    if let Some(be) = txn.be().backend.as_ref().filter(|_| txn.entered) {
        be.counters.eint.inc();
    }
}
