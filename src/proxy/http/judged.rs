//! Rules on a response, and what they make the session wait for.

use super::Next;
use super::body::{self, Waited};
use super::exchange::Flow;
use super::instead::{denied, kept_back, replaced, without_answer};
use crate::buf::Buf;
use crate::expr::Verdict;
use crate::http::Body;
use crate::http::request::Facts;
use crate::ir::expr::{AclTest, Fetch};
use crate::live::Server;
use crate::proxy::failure::{Failure, Phase, Who};
use crate::proxy::hold;
use crate::proxy::refused;
use crate::proxy::rules;
use crate::proxy::stream::Stream;
use crate::proxy::txn::Txn;
use crate::proxy::worker::Conn;
use crate::sys::clock;

/// `http-response` rules of both proxies on the response whose head is here. A flow is how the exchange ends in its place.
pub(super) async fn response(
    conn: &mut Conn,
    txn: &mut Txn,
    facts: &Facts,
    io: &mut Stream,
    server: &Server,
    (body, server_in): (Body, &mut Option<Buf>),
) -> Option<Flow> {
    let mut at = (0, 0);
    let is_seen = rules::see_responses(txn);
    loop {
        // Taken out of its chunks only where somebody may ask for it.
        if is_seen {
            txn.resp_body = self::body::known(body, server_in.as_ref().map_or(&[], Buf::filled));
        }
        txn.resp_payload = server_in.take();
        let outcome = rules::http_response(txn, &mut at);
        *server_in = txn.resp_payload.take();
        txn.apply_tags(conn);
        match outcome {
            // What looks a host up, or judges targets, stands in request rules only.
            Verdict::Continue | Verdict::Wait { .. } | Verdict::Resolve { .. } | Verdict::Malformed => {
                return None;
            }
            Verdict::WaitForBody { time, at_least, .. } => {
                let patience = body::Patience { whole: Some(time), idle: txn.limits.server };
                let waited = body::gather(body, io, server_in, &mut conn.deadline, at_least, patience);
                if waited.await == Waited::TimedOut {
                    txn.waiting_ends();
                    return Some(Flow::Failed(Failure::new(Who::ServerTimeout, Phase::Headers)));
                }
            }
            Verdict::Pause { time, .. } => {
                if !hold::pause(conn, time).await {
                    return Some(Flow::Failed(Failure::new(Who::Client, Phase::Headers).status(0)));
                }
            }
            Verdict::NoRoom => {
                kept_back(txn);
                server.counters.eint.inc();
                hold::count_internal(txn);
                return Some(Flow::Failed(Failure::new(Who::Proxy, Phase::Headers).status(500)));
            }
            Verdict::Deny(a) | Verdict::Tarpit(a) => return Some(denied(conn, txn, facts, &a).await),
            Verdict::Answer(a) => return Some(replaced(conn, txn, facts, &a).await),
            // Nothing else can be said in a response rule. The response stays the one that was not passed on.
            Verdict::Reject | Verdict::Close | Verdict::SilentDrop(_) | Verdict::Service(_) => {
                kept_back(txn);
                txn.status = txn.server_status.unwrap_or(0);
                txn.failure = Failure { who: Who::Proxy, phase: Phase::Request, ..Failure::default() };
                return Some(without_answer(conn, txn, &outcome));
            }
        }
    }
}

/// `tcp-response content` rules, which see the response too and may end the server's connection. A flow is how the
/// exchange ends in its place.
pub(super) async fn content(
    conn: &mut Conn,
    txn: &mut Txn,
    io: &mut Stream,
    (rf, server_in): (&mut crate::http::response::Facts, &mut Option<Buf>),
) -> Option<Flow> {
    let body = rf.body;
    let limit = txn.be().ir.tcp_response_inspect_delay;
    txn.is_final = limit.is_none() || body.is_empty();
    let mut from = 0;
    loop {
        // Without a delay they have spoken before there is a response.
        let outcome = if limit.is_none() {
            let resp = txn.resp.take();
            let outcome = rules::tcp_response(txn, from);
            txn.resp = resp;
            outcome
        } else {
            txn.resp_payload = server_in.take();
            let outcome = rules::tcp_response(txn, from);
            *server_in = txn.resp_payload.take();
            outcome
        };
        if limit.is_some() && !matches!(outcome, Verdict::Continue | Verdict::Wait { .. } | Verdict::Close) {
            note_seen(txn);
        }
        match outcome {
            Verdict::Wait { rule } if !txn.is_final => {
                from = rule;
                let patience = body::Patience { whole: limit, idle: None };
                body::gather(body, io, server_in, &mut conn.deadline, 0, patience).await;
                txn.is_final = true;
                // It has come when it has been looked at.
                txn.times.data = Some(clock::now());
            }
            Verdict::Continue | Verdict::Wait { .. } => {
                txn.is_final = false;
                return None;
            }
            // What the server has said meanwhile is passed on, and nothing behind it.
            Verdict::Close if limit.is_some() => {
                txn.is_final = false;
                io.cut();
                rf.keep_alive = false;
                return None;
            }
            Verdict::Close => return Some(Flow::Failed(Failure::new(Who::Server, Phase::Headers))),
            Verdict::SilentDrop(_) => {
                txn.failure = Failure { who: Who::Proxy, phase: Phase::Request, ..Failure::default() };
                return Some(without_answer(conn, txn, &outcome));
            }
            _ => {
                refused::response(conn, txn);
                txn.failure = Failure { who: Who::Proxy, phase: Phase::Data, ..Failure::default() };
                return Some(Flow::Done(Next::Close));
            }
        }
    }
}

/// A condition that looks at a response makes it one, which counts and is logged, whatever is said of it then.
fn note_seen(txn: &mut Txn) {
    let looks = |test: &AclTest| !matches!(test.expr.fetch, Fetch::WaitEnd | Fetch::Var(..));
    let conds = txn.be().ir.tcp_response_content.iter().filter_map(|rule| rule.cond.as_ref());
    let mut tests = conds.flat_map(|cond| cond.any.iter().flatten()).flat_map(|term| &term.acl.tests);
    if tests.any(looks) {
        txn.status = txn.resp.as_ref().map_or(0, |resp| resp.status());
    }
}
