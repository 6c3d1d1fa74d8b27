//! What is sent in place of a server's response, and what is remembered of it.

use super::exchange::{Flow, keep};
use super::{Next, answer};
use crate::expr::Answer;
use crate::expr::Verdict;
use crate::http::request::Facts;
use crate::proxy::failure::{Failure, Phase, Who};
use crate::proxy::refused;
use crate::proxy::txn::Txn;
use crate::proxy::worker::Conn;

/// `redir` of a server: the client goes there itself.
pub(super) async fn redirected(conn: &mut Conn, txn: &mut Txn, failure: Failure) -> Flow {
    txn.failure = failure;
    let prefix = txn.server.as_ref().and_then(|s| s.ir.redir.clone()).unwrap_or_default();
    let mut location = prefix.into_bytes();
    location.extend_from_slice(txn.req.path_and_query().unwrap_or(b"/"));
    let mut head = crate::http::Head::response(302, b"Found");
    head.add(b"cache-control", b"no-cache");
    head.add(b"content-length", b"0");
    head.add(b"location", &location);
    Flow::Done(answer::send(conn, txn, head, &[], false).await)
}

/// `reject` and `silent-drop`.
pub(super) fn without_answer(conn: &mut Conn, txn: &Txn, outcome: &Verdict) -> Flow {
    if let Verdict::SilentDrop(hops) = outcome {
        refused::request(conn, txn);
        conn.vanish(*hops);
    }
    Flow::Done(Next::Close)
}

/// A response that rules denied.
pub(super) async fn denied(conn: &mut Conn, txn: &mut Txn, facts: &Facts, a: &Answer) -> Flow {
    refused::response(conn, txn);
    send(conn, txn, facts, a, Who::Proxy).await
}

/// A response that rules replaced by one of their own.
pub(super) async fn replaced(conn: &mut Conn, txn: &mut Txn, facts: &Facts, a: &Answer) -> Flow {
    send(conn, txn, facts, a, Who::Local).await
}

async fn send(conn: &mut Conn, txn: &mut Txn, facts: &Facts, a: &Answer, who: Who) -> Flow {
    kept_back(txn);
    txn.failure = Failure { who, phase: Phase::Headers, ..Failure::default() };
    let keep = keep(conn, txn, facts);
    Flow::Done(answer::send_by_rule(conn, txn, a, keep).await)
}

/// What is not passed on was no response to the client, but one of the server's.
pub(super) fn kept_back(txn: &mut Txn) {
    txn.times.data = None;
    if let (Some(server), Some(resp)) = (&txn.server, &txn.resp) {
        server.counters.req_tot.inc();
        server.counters.hrsp.count(resp.status());
    }
}

/// `capture response header`.
pub(super) fn capture(txn: &mut Txn) {
    let Some(half) = &txn.door.fe.ir.frontend else { return };
    let Some(resp) = &txn.resp else { return };
    if !half.capture_response.is_empty() {
        txn.captures.response = half
            .capture_response
            .iter()
            .map(|(name, len)| {
                let value = resp.values(name.to_ascii_lowercase().as_bytes()).next_back()?.to_vec();
                Some(value[..value.len().min(*len)].into())
            })
            .collect();
    }
}
