//! Waiting for bodies before anything is done with them: `option http-buffer-request`, `wait-for-body`.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::answer;
use crate::buf::Buf;
use crate::http::request::Facts;
use crate::http::{Body, ChunkDecoder};
use crate::proxy::failure::{Failure, Phase, Who};
use crate::proxy::stream::Stream;
use crate::proxy::txn::{BufferedBody, Txn};
use crate::proxy::worker::{Conn, fill, with};
use crate::sys::clock;

/// How waiting for a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// All of it, so much as was asked for, or a full buffer is here.
    Enough,
    /// Time is up.
    TimedOut,
    /// The sender closed before the end.
    Left,
    /// The chunks make no sense.
    Malformed,
}

/// What a look at the beginning of a body says.
enum Look {
    /// It is all here.
    Whole,
    /// Only the line behind the last chunk is missing.
    AllData,
    /// So many bytes of it are here, more are to come.
    Part(u64),
    Malformed,
}

fn look(body: Body, received: &[u8]) -> Look {
    let len = received.len() as u64;
    match body {
        Body::None | Body::Tunnel => Look::Whole,
        Body::Length(n) if len >= n => Look::Whole,
        Body::Length(_) | Body::UntilClose => Look::Part(len),
        Body::Chunked => {
            let (mut out, mut data) = (with(crate::proxy::worker::Worker::take_scratch), 0);
            let mut decoder = ChunkDecoder::new();
            let result = decoder.decode(received, &mut out, &mut data);
            with(|w| w.give_scratch(out));
            match result {
                Err(_) => Look::Malformed,
                Ok(_) if decoder.is_done() => Look::Whole,
                Ok(_) if decoder.is_past_data() => Look::AllData,
                Ok(_) => Look::Part(data),
            }
        }
    }
}

/// The data of a chunked body without its framing.
fn decoded(received: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    ChunkDecoder::new().extract(received, &mut data);
    data
}

/// Is the whole body in the input?
pub(super) fn is_complete(conn: &Conn, facts: &Facts) -> bool {
    facts.body.is_empty()
        || matches!(look(facts.body, conn.input.as_ref().map_or(&[], Buf::filled)), Look::Whole)
}

/// Do the chunks that came with the head make no sense?
pub(super) fn is_malformed(conn: &Conn, facts: &Facts) -> bool {
    let received = conn.input.as_ref().map_or(&[][..], Buf::filled);
    facts.body == Body::Chunked && matches!(look(facts.body, received), Look::Malformed)
}

/// Lend what has come of the request's body to `look`: rules see that and nothing of the request behind it.
pub(super) fn shown<R>(conn: &mut Conn, txn: &mut Txn, facts: &Facts, look: impl FnOnce(&mut Txn) -> R) -> R {
    txn.payload = conn.input.take();
    if matches!(txn.body, BufferedBody::Unknown) {
        let received = txn.payload.as_ref().map_or(&[][..], Buf::filled);
        let complete = matches!(self::look(facts.body, received), Look::Whole | Look::AllData);
        txn.body = known(facts.body, received);
        txn.payload_complete |= complete;
    }
    let result = look(txn);
    conn.input = txn.payload.take();
    result
}

/// What of `received` is the body.
pub(super) fn known(body: Body, received: &[u8]) -> BufferedBody {
    match body {
        Body::None | Body::Tunnel => BufferedBody::Length(0),
        Body::Length(n) => BufferedBody::Length(n),
        Body::Chunked => BufferedBody::Decoded(decoded(received)),
        Body::UntilClose => BufferedBody::Unknown,
    }
}

/// Keep a copy of what has come of the body, for a choice of server that depends on it.
pub(super) fn keep(conn: &mut Conn, txn: &mut Txn, facts: &Facts) {
    if !facts.body.is_empty() {
        shown(conn, txn, facts, |txn| txn.keep_body());
    }
}

/// Wait for `at_least` bytes of a body (0: all of it) in `input`, for `limit` at most.
pub(super) async fn gather(
    body: Body,
    io: &mut Stream,
    input: &mut Option<Buf>,
    deadline: &mut crate::proxy::deadline::Deadline,
    at_least: u64,
    limit: Option<Duration>,
) -> Waited {
    deadline.set(limit.map(|d| clock::now() + d));
    poll_fn(|cx| {
        loop {
            match look(body, input.as_ref().map_or(&[], Buf::filled)) {
                Look::Whole | Look::AllData => return Poll::Ready(Waited::Enough),
                Look::Malformed => return Poll::Ready(Waited::Malformed),
                Look::Part(n) if at_least > 0 && n >= at_least => return Poll::Ready(Waited::Enough),
                Look::Part(_) => {}
            }
            if input.as_ref().is_some_and(Buf::is_full) {
                return Poll::Ready(Waited::Enough);
            }
            match fill(io, input, cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(_)) if body == Body::UntilClose => return Poll::Ready(Waited::Enough),
                Poll::Ready(_) => return Poll::Ready(Waited::Left),
                Poll::Pending => return deadline.poll(cx).map(|()| Waited::TimedOut),
            }
        }
    })
    .await
}

/// Wait for the body of a request.
pub(super) async fn wait(
    conn: &mut Conn,
    txn: &mut Txn,
    facts: &Facts,
    at_least: u64,
    limit: Option<Duration>,
) -> Waited {
    if facts.body.is_empty() || facts.is_connect {
        txn.payload_complete = true;
        return Waited::Enough;
    }
    let waited = gather(facts.body, &mut conn.io, &mut conn.input, &mut conn.deadline, at_least, limit).await;
    let received = conn.input.as_ref().map_or(&[][..], Buf::filled);
    txn.payload_complete = matches!(look(facts.body, received), Look::Whole | Look::AllData);
    txn.body = known(facts.body, received);
    waited
}

/// Who waits for a body that the sender holds back until it is asked for must ask.
pub(super) async fn continue_if_expected(conn: &mut Conn, txn: &mut Txn, facts: &mut Facts) {
    if !std::mem::take(&mut facts.expect_continue) {
        return;
    }
    // HTTP/1.0 has no such answers: the server is left to make sense of the header.
    if txn.req.version() == crate::http::Version::Http11 {
        txn.req.remove(b"expect");
        answer::write(conn, txn, b"HTTP/1.1 100 Continue\r\n\r\n").await;
    }
}

/// `option http-buffer-request`. `false`: the client closed before the end of its request.
pub(super) async fn buffer(conn: &mut Conn, txn: &mut Txn, facts: &mut Facts) -> Result<bool, Failure> {
    continue_if_expected(conn, txn, facts).await;
    let limit = txn.be.ir.timeouts.http_request.or(txn.limits.client);
    match wait(conn, txn, facts, 0, limit).await {
        // The end of the chunks may be on its way; the next read tells.
        Waited::Enough => Ok(!matches!(facts.body, Body::Chunked) || !was_cut(conn, facts)),
        Waited::Left => Ok(false),
        Waited::TimedOut => Err(Failure::new(Who::ClientTimeout, Phase::Request)),
        Waited::Malformed => Err(Failure::new(Who::Proxy, Phase::Request)),
    }
}

/// Did the client close before the last line of its chunks?
fn was_cut(conn: &mut Conn, facts: &Facts) -> bool {
    let received = conn.input.as_ref().map_or(&[][..], Buf::filled);
    if !matches!(look(facts.body, received), Look::AllData) {
        return false;
    }
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    matches!(conn.poll_fill(&mut cx), Poll::Ready(Ok(0) | Err(_)))
}

/// Take a body that nobody wants off a connection. `false`: it did not end, nothing else can follow on there.
pub(super) async fn discard(
    body: Body,
    io: &mut Stream,
    input: &mut Option<Buf>,
    deadline: &mut crate::proxy::deadline::Deadline,
    limit: Option<Duration>,
) -> bool {
    let mut decoder = ChunkDecoder::new();
    let mut left = match body {
        Body::Length(n) => n,
        _ => u64::MAX,
    };
    deadline.set(limit.map(|d| clock::now() + d));
    poll_fn(|cx| {
        loop {
            if let Some(buf) = input {
                let n = if body == Body::Chunked {
                    let (mut out, mut data) = (Vec::new(), 0);
                    let Ok(n) = decoder.decode(buf.filled(), &mut out, &mut data) else {
                        return Poll::Ready(false);
                    };
                    n
                } else {
                    buf.len().min(usize::try_from(left).unwrap_or(usize::MAX))
                };
                buf.consume(n);
                left -= n as u64;
                if buf.is_empty()
                    && let Some(buf) = input.take()
                {
                    with(|w| w.bufs.give(buf));
                }
            }
            if left == 0 || decoder.is_done() {
                return Poll::Ready(true);
            }
            match fill(io, input, cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(false),
                Poll::Pending => return deadline.poll(cx).map(|()| false),
            }
        }
    })
    .await
}
