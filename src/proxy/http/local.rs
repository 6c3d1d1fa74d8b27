//! Answers that need no server: monitor, statistics page, services, denials, tarpits, early hints.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::exchange::{Flow, keep};
use super::{answer, body, persist, room};
use crate::expr::{Answer, Session as _};
use crate::http::request::Facts;
use crate::http::{Body, Head};
use crate::ir::rules::HttpService;
use crate::live::Proxy;
use crate::proxy::failure::{Failure, Phase, Who};
use crate::proxy::txn::Txn;
use crate::proxy::worker::{Conn, with};
use crate::proxy::{board, outbound, refused, rules, service};
use crate::sys::clock;

/// `monitor-uri`.
pub(super) async fn monitor(conn: &mut Conn, txn: &mut Txn, facts: &Facts) -> Option<Flow> {
    let uri = txn.door.fe.ir.frontend.as_ref()?.monitor_uri.as_ref()?;
    // A path means any form of the target that has it.
    let by_path = uri.starts_with('/') && txn.req.path_and_query() == Some(uri.as_bytes());
    if txn.req.uri() != uri.as_bytes() && !by_path {
        return None;
    }
    let status = if rules::monitor_fails(txn) { 503 } else { 200 };
    txn.failure = Failure { who: Who::Local, phase: Phase::Request, ..Failure::default() };
    txn.log_level = None;
    let (head, body) = answer::error(txn, status);
    Some(send(conn, txn, facts, head, body).await)
}

/// The statistics page, if the request is for it.
pub(super) async fn page(conn: &mut Conn, txn: &mut Txn, facts: &Facts, proxy: &Arc<Proxy>) -> Option<Flow> {
    let service = with(|w| w.shared.service.clone());
    if !service.wants(proxy, &txn.req) {
        return None;
    }
    let limit = txn.limits.client;
    body::wait(conn, txn, facts, 0, limit).await;
    txn.no_server = "<STATS>";
    txn.failure = Failure { who: Who::Local, phase: Phase::Request, ..Failure::default() };
    let place = room::place().await;
    let (mut head, body) = {
        let body = match (facts.body, &conn.input) {
            (Body::Length(n), Some(buf)) => {
                &buf.filled()[..buf.len().min(usize::try_from(n).unwrap_or(usize::MAX))]
            }
            _ => &[],
        };
        service.handle(&service::Request { proxy, head: &txn.req, body, ctx: txn.ctx() })
    };
    let _room = room::hold(body.len()).await;
    drop(place);
    head.set(b"content-length", body.len().to_string().as_bytes());
    Some(send(conn, txn, facts, head, body).await)
}

/// The answer of a service. It is made on a thread of its own: thousands of lines must not keep other sessions waiting.
pub(super) async fn serve(conn: &mut Conn, txn: &mut Txn, facts: &Facts, which: HttpService) -> Flow {
    txn.no_server = "<PROMEX>";
    txn.failure = Failure { who: Who::Local, phase: Phase::Request, ..Failure::default() };
    let place = room::place().await;
    let job = with(|w| w.shared.service.clone()).serve(which, &txn.req);
    let Ok((mut head, body)) = tokio::task::spawn_blocking(job).await else {
        return Flow::Failed(Failure::new(Who::Resource, Phase::Request).status(500));
    };
    let _room = room::hold(body.len()).await;
    drop(place);
    head.set(b"content-length", body.len().to_string().as_bytes());
    send(conn, txn, facts, head, body).await
}

/// Sends what is no failure.
async fn send(conn: &mut Conn, txn: &mut Txn, facts: &Facts, head: Head, body: Vec<u8>) -> Flow {
    let keep = intercepts(conn, txn, facts);
    Flow::Done(answer::send(conn, txn, head, &body, keep).await)
}

/// Counts a request that is answered here. Can another one follow?
fn intercepts(conn: &mut Conn, txn: &Txn, facts: &Facts) -> bool {
    if let Some(fe) = &txn.door.fe.frontend {
        fe.counters.intercepted.inc();
    }
    keep(conn, txn, facts)
}

/// What a rule answers by itself.
pub(super) async fn returned(conn: &mut Conn, txn: &mut Txn, facts: &Facts, answer: &Answer) -> Flow {
    txn.failure = Failure { who: Who::Local, phase: Phase::Request, ..Failure::default() };
    let keep = intercepts(conn, txn, facts);
    Flow::Done(answer::send_by_rule(conn, txn, answer, keep).await)
}

/// A request that a rule found to be none.
pub(super) async fn malformed(conn: &mut Conn, txn: &mut Txn) -> Flow {
    body::count_unfinished(conn, txn);
    txn.failure = Failure { who: Who::Proxy, phase: Phase::Request, ..Failure::default() };
    let (head, body) = answer::error(txn, 400);
    Flow::Done(answer::send(conn, txn, head, &body, false).await)
}

/// A request that a rule denies: its answer, `phase` for the log.
pub(super) async fn deny(
    conn: &mut Conn,
    txn: &mut Txn,
    facts: &Facts,
    answer: &Answer,
    phase: Phase,
) -> Flow {
    refused::request(conn, txn);
    // For the log.
    txn.awaited = persist::read(txn, false);
    txn.failure = Failure { who: board::blame(Who::Proxy), phase, ..Failure::default() };
    let keep = !matches!(answer.status, 400 | 408) && keep(conn, txn, facts);
    Flow::Done(answer::send_by_rule(conn, txn, answer, keep).await)
}

/// The same after `timeout tarpit`, or once the client has left.
pub(super) async fn tarpit(conn: &mut Conn, txn: &mut Txn, facts: &Facts, answer: &Answer) -> Flow {
    conn.deadline.set(txn.limits.tarpit.map(|d| clock::now() + d));
    poll_fn(|cx| {
        if outbound::client_left(conn, cx) {
            return Poll::Ready(());
        }
        conn.deadline.poll(cx)
    })
    .await;
    // All the time it took counts as waiting.
    txn.times.request = None;
    txn.times.queue = Some(clock::now());
    deny(conn, txn, facts, answer, Phase::Tarpit).await
}

/// What rules want to be sent ahead of the answer.
pub(super) async fn early_hints(conn: &mut Conn, txn: &mut Txn) {
    let hints = std::mem::take(&mut txn.early_hints);
    answer::write(conn, txn, &hints).await;
}
