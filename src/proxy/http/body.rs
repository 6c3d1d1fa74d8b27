//! Waiting for bodies before anything is done with them: `option http-buffer-request`, `wait-for-body`.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::answer;
use crate::buf::Buf;
use crate::http::request::Facts;
use crate::http::{Body, ChunkDecoder};
use crate::proxy::deadline::{Deadline, earlier};
use crate::proxy::failure::{Failure, Phase, Who};
use crate::proxy::stream::Stream;
use crate::proxy::txn::{BufferedBody, Txn};
use crate::proxy::worker::{Conn, fill, pack, unpack, with};
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
    /// It is all here. Chunks end behind their trailers, not behind their data.
    Whole,
    /// So many bytes of it are here, more are to come.
    Part(u64),
    Malformed,
}

/// Looks through a body that arrives in pieces; no byte is looked at twice.
struct Survey {
    body: Body,
    decoder: ChunkDecoder,
    /// Bytes the decoder has had.
    at: usize,
    /// What it took out of the chunks.
    data: Vec<u8>,
}

impl Survey {
    fn new(body: Body) -> Self {
        Self { body, decoder: ChunkDecoder::new(), at: 0, data: Vec::new() }
    }

    /// `received`: everything that has come since the head.
    fn look(&mut self, received: &[u8]) -> Look {
        let len = received.len() as u64;
        match self.body {
            Body::None | Body::Tunnel => Look::Whole,
            Body::Length(n) if len >= n => Look::Whole,
            Body::Length(_) | Body::UntilClose => Look::Part(len),
            Body::Chunked => {
                let fresh = received.get(self.at..).unwrap_or_default();
                match self.decoder.extract(fresh, &mut self.data) {
                    Err(_) => return Look::Malformed,
                    Ok(n) => self.at += n,
                }
                if self.decoder.is_done() { Look::Whole } else { Look::Part(self.data.len() as u64) }
            }
        }
    }

    /// Whoever waits for so many bytes of it (0: all of it): need he wait no longer?
    fn judge(&mut self, received: &[u8], at_least: u64) -> Option<Waited> {
        match self.look(received) {
            Look::Whole => Some(Waited::Enough),
            Look::Malformed => Some(Waited::Malformed),
            Look::Part(n) => (at_least > 0 && n >= at_least).then_some(Waited::Enough),
        }
    }

    /// What rules may see of it.
    fn seen(self) -> BufferedBody {
        match self.body {
            Body::None | Body::Tunnel => BufferedBody::Length(0),
            Body::Length(n) => BufferedBody::Length(n),
            Body::Chunked => BufferedBody::Decoded(self.data, self.decoder.chunk_left()),
            Body::UntilClose => BufferedBody::Unknown,
        }
    }
}

/// Looks through what came with the head of a request and keeps what it finds. False: the chunks make no sense.
pub(super) fn open(conn: &Conn, txn: &mut Txn, facts: &Facts) -> bool {
    let received = conn.input.as_ref().map_or(&[][..], Buf::filled);
    let mut survey = Survey::new(facts.body);
    let look = survey.look(received);
    txn.payload_complete |= matches!(look, Look::Whole);
    txn.body = survey.seen();
    !matches!(look, Look::Malformed)
}

/// Throws away the body of a request that nobody took any of. False: not all of it is here.
pub(super) fn skip(conn: &mut Conn, facts: &Facts) -> bool {
    let Some(length) = whole(conn, facts.body).map(<[u8]>::len) else { return false };
    if let Some(buf) = &mut conn.input {
        buf.consume(length);
    }
    conn.rest();
    true
}

/// All of a body, as it was received, if it is here.
pub(super) fn whole(conn: &Conn, body: Body) -> Option<&[u8]> {
    if body.is_empty() {
        return Some(&[]);
    }
    let received = conn.input.as_ref().map_or(&[][..], Buf::filled);
    let mut survey = Survey::new(body);
    let Look::Whole = survey.look(received) else { return None };
    let length = match body {
        Body::Length(n) => usize::try_from(n).ok()?,
        _ => survey.at,
    };
    received.get(..length)
}

/// Bytes of a body as it is received; as many as there are where its end is not here and nobody has said where it is.
pub(super) fn ahead(conn: &Conn, body: Body) -> u64 {
    match body {
        Body::Length(n) => n,
        body => whole(conn, body).map_or(u64::MAX, |body| body.len() as u64),
    }
}

/// Is `received` a whole body and nothing else?
pub(super) fn is_just(body: Body, received: Option<&Buf>) -> bool {
    let received = received.map_or(&[][..], Buf::filled);
    let mut survey = Survey::new(body);
    let whole = matches!(survey.look(received), Look::Whole);
    let length = match body {
        Body::Length(n) => n,
        _ => survey.at as u64,
    };
    whole && length == received.len() as u64
}

/// Is all of the body's data in the input?
pub(super) fn is_complete(conn: &Conn, txn: &Txn, facts: &Facts) -> bool {
    match facts.body {
        Body::Length(n) => conn.input.as_ref().map_or(0, Buf::len) as u64 >= n,
        body => body.is_empty() || txn.payload_complete,
    }
}

/// Lend what has come of the request's body to `look`: rules see that and nothing of the request behind it.
pub(super) fn shown<R>(conn: &mut Conn, txn: &mut Txn, facts: &Facts, look: impl FnOnce(&mut Txn) -> R) -> R {
    if matches!(txn.body, BufferedBody::Unknown) {
        open(conn, txn, facts);
    }
    txn.lend(conn, look)
}

/// What of `received` is the body.
pub(super) fn known(body: Body, received: &[u8]) -> BufferedBody {
    let mut survey = Survey::new(body);
    survey.look(received);
    survey.seen()
}

/// Keep a copy of what has come of the body, for a choice of server that depends on it.
pub(super) fn keep(conn: &mut Conn, txn: &mut Txn, facts: &Facts) {
    if !facts.body.is_empty() {
        shown(conn, txn, facts, |txn| txn.keep_body());
    }
}

/// How long a body is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From the beginning; zero is no limit.
    pub(super) whole: Option<Duration>,
    /// From the last byte.
    pub(super) idle: Option<Duration>,
}

/// Wait for `at_least` bytes of a body (0: all of it) in `input`.
pub(super) async fn gather(
    body: Body,
    io: &mut Stream,
    input: &mut Option<Buf>,
    deadline: &mut Deadline,
    at_least: u64,
    patience: Patience,
) -> Waited {
    gather_into(&mut Survey::new(body), io, input, deadline, at_least, patience).await
}

async fn gather_into(
    survey: &mut Survey,
    io: &mut Stream,
    input: &mut Option<Buf>,
    deadline: &mut Deadline,
    at_least: u64,
    patience: Patience,
) -> Waited {
    let whole = patience.whole.filter(|time| !time.is_zero()).map(|d| clock::now() + d);
    deadline.set(earlier(whole, patience.idle.map(|d| clock::now() + d)));
    loop {
        let waited = poll_fn(|cx| {
            loop {
                if let Some(waited) = survey.judge(input.as_ref().map_or(&[], Buf::filled), at_least) {
                    return Poll::Ready(Some(waited));
                }
                if input.as_ref().is_some_and(Buf::is_full) {
                    return Poll::Ready(Some(Waited::Enough));
                }
                match fill(io, input, cx) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(Ok(_)) if survey.body == Body::UntilClose => {
                        return Poll::Ready(Some(Waited::Enough));
                    }
                    Poll::Ready(_) => return Poll::Ready(Some(Waited::Left)),
                    Poll::Pending => return Poll::Ready(None),
                }
                deadline.set(earlier(whole, patience.idle.map(|d| clock::now() + d)));
            }
        })
        .await;
        match waited {
            Some(waited) => return waited,
            None => survey.data.shrink_to_fit(),
        }
        if !next_byte(io, input, deadline).await {
            return Waited::TimedOut;
        }
    }
}

/// Wait for the next byte, what has come taking no more memory than it needs: as many peers as like to may be slow at this.
/// False: there was none in time.
async fn next_byte(io: &mut Stream, input: &mut Option<Buf>, deadline: &mut Deadline) -> bool {
    // More than half a buffer is not worth to be copied whenever a little of the rest comes.
    let is_worth_it = input.as_ref().is_some_and(|buf| buf.len() * 2 <= buf.capacity());
    let received = if is_worth_it { pack(input) } else { Box::default() };
    let speaks = poll_fn(|cx| match io.poll_readable(cx) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending => deadline.poll(cx).map(|()| false),
    })
    .await;
    unpack(input, &received);
    speaks
}

/// Wait for the body of a request. Who leaves meanwhile has left a request that is cut.
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
    let mut survey = Survey::new(facts.body);
    let Conn { io, input, deadline, .. } = conn;
    let patience = Patience { whole: limit, idle: txn.limits.client };
    let waited = gather_into(&mut survey, io, input, deadline, at_least, patience).await;
    let look = survey.look(conn.input.as_ref().map_or(&[][..], Buf::filled));
    txn.payload_complete = matches!(look, Look::Whole);
    txn.body = survey.seen();
    if matches!(waited, Waited::Enough | Waited::Left) {
        // The body is part of what has to be received.
        txn.times.request = Some(clock::now());
    }
    txn.is_cut |= waited == Waited::Left;
    waited
}

/// Who waits for a body that the sender holds back until it is asked for must ask.
pub(super) async fn continue_if_expected(conn: &mut Conn, txn: &mut Txn, facts: &mut Facts) {
    if facts.body.is_empty() || !std::mem::take(&mut facts.expect_continue) {
        return;
    }
    // HTTP/1.0 has no such answers: the server is left to make sense of the header.
    if txn.req.version() == crate::http::Version::Http11 {
        if let Some(at) = txn.req.find(b"expect", 0) {
            txn.req.remove_at(at);
        }
        answer::write(conn, txn, b"HTTP/1.1 100 Continue\r\n\r\n").await;
    }
}

/// `option http-buffer-request`.
pub(super) async fn buffer(conn: &mut Conn, txn: &mut Txn, facts: &mut Facts) -> Result<(), Failure> {
    continue_if_expected(conn, txn, facts).await;
    match wait(conn, txn, facts, 0, txn.be().ir.timeouts.http_request).await {
        Waited::Enough | Waited::Left => Ok(()),
        Waited::TimedOut => {
            count_unfinished(conn, txn);
            Err(Failure::new(Who::ClientTimeout, Phase::Request))
        }
        Waited::Malformed => Err(Failure::new(Who::Proxy, Phase::Request)),
    }
}

/// The client's time was up before its request was whole, or a rule found it to be none.
pub(super) fn count_unfinished(conn: &Conn, txn: &mut Txn) {
    // There never was a whole request.
    txn.times.request = None;
    if let Some(fe) = &txn.door.fe.frontend {
        fe.counters.ereq.inc();
    }
    conn.door.listener.counters.ereq.inc();
}

/// Take a body that nobody wants off a connection. `false`: it did not end, nothing else can follow on there.
pub(super) async fn discard(
    body: Body,
    io: &mut Stream,
    input: &mut Option<Buf>,
    deadline: &mut Deadline,
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
                    let Ok(n) = decoder.extract(buf.filled(), &mut Vec::new()) else {
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
