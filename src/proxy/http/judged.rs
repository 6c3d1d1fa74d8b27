//! Rules on a response, and what they make the session wait for.

use super::Next;
use super::body::{self, Waited};
use super::exchange::Flow;
use super::instead::{denied, replaced, without_answer};
use crate::buf::Buf;
use crate::expr::Verdict;
use crate::http::Body;
use crate::http::request::Facts;
use crate::live::Server;
use crate::proxy::failure::{Failure, Phase, Who};
use crate::proxy::hold;
use crate::proxy::rules;
use crate::proxy::stream::Stream;
use crate::proxy::txn::Txn;
use crate::proxy::worker::Conn;

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
                txn.times.data = None;
                server.counters.eint.inc();
                hold::count_internal(txn);
                return Some(Flow::Failed(Failure::new(Who::Proxy, Phase::Headers).status(500)));
            }
            Verdict::Deny(a) | Verdict::Tarpit(a) => return Some(denied(conn, txn, facts, &a).await),
            Verdict::Answer(a) => return Some(replaced(conn, txn, facts, &a).await),
            // Nothing else can be said in a response rule. The response stays the one that was not passed on.
            Verdict::Reject | Verdict::Close | Verdict::SilentDrop(_) | Verdict::Service(_) => {
                txn.times.data = None;
                txn.status = txn.server_status;
                txn.failure = Failure { who: Who::Proxy, phase: Phase::Request, ..Failure::default() };
                return Some(without_answer(conn, &outcome));
            }
        }
    }
}

/// `tcp-response content` rules, which see the response too. A flow is how the exchange ends in its place.
pub(super) async fn content(
    conn: &mut Conn,
    txn: &mut Txn,
    io: &mut Stream,
    (body, server_in): (Body, &mut Option<Buf>),
) -> Option<Flow> {
    let limit = txn.be.ir.tcp_response_inspect_delay;
    txn.is_final = limit.is_none() || body.is_empty();
    let mut from = 0;
    loop {
        txn.resp_payload = server_in.take();
        let outcome = rules::tcp_response(txn, from);
        *server_in = txn.resp_payload.take();
        match outcome {
            Verdict::Wait { rule } if !txn.is_final => {
                from = rule;
                let patience = body::Patience { whole: limit, idle: None };
                body::gather(body, io, server_in, &mut conn.deadline, 0, patience).await;
                txn.is_final = true;
            }
            Verdict::Continue | Verdict::Wait { .. } => {
                txn.is_final = false;
                return None;
            }
            Verdict::Close => return Some(Flow::Failed(Failure::new(Who::Server, Phase::Headers))),
            Verdict::SilentDrop(_) => {
                txn.failure = Failure { who: Who::Proxy, phase: Phase::Request, ..Failure::default() };
                return Some(without_answer(conn, &outcome));
            }
            _ => {
                if let Some(fe) = &txn.fe.frontend {
                    fe.counters.dresp.inc();
                }
                if let Some(be) = &txn.be.backend {
                    be.counters.dresp.inc();
                }
                if let Some(server) = &txn.server {
                    server.counters.dresp.inc();
                }
                txn.failure = Failure { who: Who::Proxy, phase: Phase::Data, ..Failure::default() };
                return Some(Flow::Done(Next::Close));
            }
        }
    }
}
