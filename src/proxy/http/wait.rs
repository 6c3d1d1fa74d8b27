//! The request goes out, and the head of its response is waited for.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::forward::count_bad_response;
use crate::buf::Buf;
use crate::http::{Body, ChunkDecoder, Head, Parser, Progress, response};
use crate::live::Server;
use crate::proxy::board;
use crate::proxy::failure::{Failure, Phase, Who};
use crate::proxy::outbound;
use crate::proxy::pump::{Pump, PumpError};
use crate::proxy::shape::{Shape, Step};
use crate::proxy::stream::Stream;
use crate::proxy::turn::PIECE;
use crate::proxy::txn::{BodySent, Txn};
use crate::proxy::worker::{Conn, fill_large, with};
use crate::sys::clock;

/// Why there was no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The connection ended or broke before the first byte.
    Empty,
    /// The response made no sense.
    Junk,
    /// `timeout server`.
    Timeout,
    /// A status of `retry-on`.
    Status,
}

/// Where the response is in its life.
pub(super) struct Exchange {
    pub(super) upload: Pump,
    /// The server stopped taking the request; its response may still come.
    pub(super) refused: bool,
    pub(super) server_in: Option<Buf>,
    pub(super) parser: Parser,
    /// Bytes of a response were seen.
    pub(super) seen: bool,
    /// [`Server::kills`] when it began.
    pub(super) kills: u64,
    /// The server's connection goes to those that wait for anybody's request as soon as the response has been received.
    pub(super) pooled: bool,
}

impl Exchange {
    /// Can what the server has sent behind the head of this response be what has to follow it? Chunks are looked at only if
    /// the request could go to another server.
    pub(super) fn is_sound(&self, txn: &Txn, response: &response::Facts) -> bool {
        let Some(buf) = &self.server_in else { return true };
        if response.interim {
            let (maxhdr, relaxed) = (txn.most_headers(), txn.be().ir.accept_unsafe_response);
            return Parser::relaxed(relaxed).response(buf.filled(), &mut Head::new(), maxhdr).is_ok();
        }
        let backend = txn.be().ir.backend.as_ref();
        let looks_at_chunks = backend.is_some_and(|half| half.retry_on.junk_response);
        response.body != Body::Chunked
            || !looks_at_chunks
            || ChunkDecoder::new().extract(buf.filled(), &mut Vec::new()).is_ok()
    }
}

/// Send the request and read until the head of a response is complete.
pub(super) async fn wait_head(
    conn: &mut Conn,
    txn: &mut Txn,
    io: &mut Stream,
    server: &Arc<Server>,
    x: &mut Exchange,
    resp: &mut Head,
) -> Result<(), (Failure, Loss)> {
    let (limit, max_fields) = (txn.head_room(), txn.most_headers());
    let abort = outbound::watches_client(txn);
    let (client_limit, server_limit) = (txn.limits.client, txn.limits.server);
    let mut since: Option<Instant> = None;
    let mut shape = txn.shape.take();
    let mut breaks = false;
    let result = poll_fn(|cx| {
        let (uploaded, opens) = poll_shaped(conn, io, x, shape.as_deref_mut(), cx);
        if let Err(e) = uploaded {
            return Poll::Ready(Err(e));
        }
        loop {
            if let Some(buf) = &mut x.server_in
                && !buf.is_empty()
            {
                x.seen = true;
                match x.parser.response(buf.filled(), resp, max_fields) {
                    Ok(Progress::Complete(n)) if n < limit => {
                        buf.consume(n);
                        if buf.is_empty()
                            && let Some(buf) = x.server_in.take()
                        {
                            with(|w| w.bufs.give(buf));
                        }
                        return Poll::Ready(Ok(()));
                    }
                    Ok(Progress::Incomplete) if buf.len() < limit => {}
                    _ => return Poll::Ready(Err((Failure::new(Who::Proxy, Phase::Headers), Loss::Junk))),
                }
            }
            match fill_large(io, &mut x.server_in, cx, PIECE) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(ended) => {
                    breaks = ended.is_err();
                    let loss = if x.seen { Loss::Junk } else { Loss::Empty };
                    return Poll::Ready(Err((Failure::new(Who::Server, Phase::Headers), loss)));
                }
                Poll::Pending => break,
            }
        }
        if abort && x.upload.is_done() && outbound::client_left(conn, cx) {
            return Poll::Ready(Err((Failure::new(Who::Client, Phase::Headers), Loss::Empty)));
        }
        if server.kills() != x.kills {
            let who = Who::by(server.kill_cause());
            return Poll::Ready(Err((Failure::new(who, Phase::Headers), Loss::Empty)));
        }
        if x.upload.progress || since.is_none() {
            x.upload.progress = false;
            since = Some(clock::now());
        }
        // While the client still sends its body, it is the client we wait for.
        let for_client = !x.upload.is_done() && !x.refused && !x.upload.is_blocked(conn.input.as_ref());
        // The server's patience counts from the same moment, whoever is at fault.
        let for_client = for_client && client_limit.is_some_and(|c| server_limit.is_none_or(|s| c <= s));
        let allowed = if for_client { client_limit } else { server_limit };
        let ends = since.zip(allowed).map(|(at, d)| at + d);
        if conn.deadline.set_or_open(ends, opens) {
            return conn.deadline.poll_again(cx);
        }
        conn.deadline.poll(cx).map(|()| {
            Err(if board::is_ending() {
                (Failure::new(Who::Killed, Phase::Headers), Loss::Timeout)
            } else if for_client {
                (Failure::new(Who::ClientTimeout, Phase::Headers).status(400), Loss::Empty)
            } else {
                (Failure::new(Who::ServerTimeout, Phase::Headers), Loss::Timeout)
            })
        })
    })
    .await;
    if breaks {
        // As in HAProxy a connection that breaks counts, and so does the response that is missing.
        count_bad_response(txn, server);
    }
    txn.shape = shape;
    txn.body_sent = if x.upload.is_read() { BodySent::All } else { BodySent::Part };
    txn.bytes_in = txn.head_len + x.upload.data;
    txn.spliced.0 += std::mem::take(&mut x.upload.spliced);
    result
}

/// One step of sending the request within a limit of bandwidth, if there is one; and when that opens again.
pub(super) fn poll_shaped(
    conn: &mut Conn,
    io: &mut Stream,
    x: &mut Exchange,
    shape: Option<&mut Shape>,
    cx: &mut Context<'_>,
) -> (Result<(), (Failure, Loss)>, Option<Instant>) {
    let step = shape.as_deref().map(|shape| Step::begin(shape, clock::now(), &mut x.upload, None));
    let uploaded = poll_upload(conn, io, x, cx);
    let opens = step.zip(shape).and_then(|(step, shape)| step.end(shape, &x.upload, None));
    (uploaded, opens)
}

pub(super) fn poll_upload(
    conn: &mut Conn,
    io: &mut Stream,
    x: &mut Exchange,
    cx: &mut Context<'_>,
) -> Result<(), (Failure, Loss)> {
    if x.upload.is_done() || x.refused {
        return Ok(());
    }
    match x.upload.poll(cx, &mut conn.io, &mut conn.input, io) {
        Poll::Pending | Poll::Ready(Ok(())) => Ok(()),
        // The server may have answered before it closed: read on.
        Poll::Ready(Err(PumpError::Write)) => {
            x.refused = true;
            Ok(())
        }
        Poll::Ready(Err(PumpError::Truncated | PumpError::Read)) => {
            Err((Failure::new(Who::Client, Phase::Headers), Loss::Empty))
        }
        Poll::Ready(Err(PumpError::Malformed)) => {
            Err((Failure::new(Who::Proxy, Phase::Headers).status(400), Loss::Empty))
        }
    }
}
