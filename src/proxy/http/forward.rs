//! The request to the server, the response back.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::body;
use super::exchange::{Flow, mode};
use super::instead::{capture, denied, redirected};
use super::{Next, answer, judged, persist};
use crate::buf::Buf;
use crate::expr::{Answer, AnswerBody};
use crate::http::case;
use crate::http::request::{self, Facts};
use crate::http::{Body, Parser, Progress, Version, response};
use crate::ir::log::LogStep;
use crate::ir::proxy::{HttpConnMode, HttpReuse};
use crate::live::{Seen, Server};
use crate::proxy::deadline::earlier;
use crate::proxy::failure::{Failure, Phase, Who};
use crate::proxy::lines;
use crate::proxy::outbound::{self, Plan, Upstream};
use crate::proxy::pool::Kept;
use crate::proxy::pump::{Pump, PumpError};
use crate::proxy::rules;
use crate::proxy::shape::Step;
use crate::proxy::tunnel::{self, TunnelLimits};
use crate::proxy::txn::Txn;
use crate::proxy::worker::{Conn, Own, fill_large, with};
use crate::sys::clock;

/// What came of one attempt.
enum Attempt {
    /// The exchange is over.
    Over(Flow),
    /// Nothing of a response was seen; why.
    Lost(Failure, Loss),
}

/// Why there was no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
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
struct Exchange {
    upload: Pump,
    /// The server stopped taking the request; its response may still come.
    refused: bool,
    server_in: Option<Buf>,
    parser: Parser,
    /// Bytes of a response were seen.
    seen: bool,
    /// [`Server::kills`] when it began.
    kills: u64,
}

/// Send the request to a server and its response to the client, trying again where that is safe or asked for.
pub(super) async fn run(
    conn: &mut Conn,
    txn: &mut Txn,
    facts: &Facts,
    plan: &mut Plan,
    direct: Option<&Arc<Server>>,
) -> Flow {
    let retry_on = txn.be.ir.backend.as_ref().map(|b| b.retry_on.clone()).unwrap_or_default();
    let keep_server = mode(txn) == HttpConnMode::KeepAlive;
    let announce_keep = keep_server || txn.be.ir.http_pretend_keepalive || txn.fe.ir.http_pretend_keepalive;
    if !facts.upgrade {
        // HTTP/1.0 has no chunks: whoever sends them is not asked to go on.
        let odd = facts.body == Body::Chunked && txn.req.version() != Version::Http11;
        if !(odd && announce_keep) {
            request::finish(&mut txn.req, announce_keep);
        }
    }
    let l7 = retry_on.empty_response
        || retry_on.junk_response
        || retry_on.response_timeout
        || !retry_on.statuses.is_empty();
    let replay = replay_of(conn, facts, l7 || plan.reuse);
    loop {
        let Upstream { mut io, slot, requests, key, private } =
            match outbound::establish(conn, txn, plan).await {
                Ok(upstream) => upstream,
                Err(failure) if failure.status == 302 => return redirected(conn, txn, failure).await,
                Err(failure) => return Flow::Failed(failure),
            };
        let server = slot.server().clone();
        if let Some(name) = txn.be.ir.backend.as_ref().and_then(|b| b.send_name_header.as_ref()) {
            txn.req.set(name.to_ascii_lowercase().as_bytes(), server.name().as_bytes());
        }
        if outbound::needs_addresses(txn) {
            // A connection that was kept has not passed through `connect`.
            (txn.server_src, txn.server_addr) = (io.local_addr(), io.peer_addr());
        }
        server.need.note(server.counters.used.inc());
        txn.sockets.1 = Some(io.raw_fd());
        lines::at(txn, LogStep::Connect);
        let kills = server.kills();
        let attempt =
            attempt(conn, txn, facts, &mut io, &server, kills, &retry_on.statuses, plan, direct).await;
        server.counters.used.dec();
        txn.sockets.1 = None;
        let (failure, loss) = match attempt {
            Attempt::Over(flow) => {
                let authenticates = authenticates_connection(txn);
                if authenticates {
                    conn.extra().bound = true;
                }
                let private = private || authenticates;
                finish_server(conn, txn, facts, slot, Kept { io, requests, key }, keep_server, private);
                return flow;
            }
            Attempt::Lost(failure, loss) => (failure, loss),
        };
        drop(io);
        drop(slot);
        if failure.who == Who::Killed || failure.who == Who::Down || failure.who == Who::Up {
            return Flow::Failed(failure);
        }
        let replayable = replay.is_some();
        // A kept connection that the server had closed meanwhile says nothing about the server.
        let stale = requests > 0 && loss == Loss::Empty;
        if stale && replayable && Facts::is_idempotent(txn.req.method()) {
            restore(conn, replay.as_deref());
            plan.reuse = false;
            plan.wanted = Some(server.clone());
            txn.server = None;
            server.counters.sessions.dec();
            continue;
        }
        let asked = txn.retry_allowed
            && plan.left > 0
            && replayable
            && match loss {
                Loss::Empty => retry_on.empty_response,
                Loss::Junk => retry_on.junk_response,
                Loss::Timeout => retry_on.response_timeout,
                Loss::Status => true,
            };
        if asked {
            restore(conn, replay.as_deref());
            outbound::retry(conn, txn, plan, &server, false).await;
            continue;
        }
        if let Some(be) = &txn.be.backend {
            be.counters.eresp.inc();
        }
        server.counters.eresp.inc();
        if failure.who != Who::Client && failure.who != Who::ClientTimeout {
            txn.be.observe(
                &server,
                match loss {
                    Loss::Empty => Seen::Closed,
                    Loss::Junk => Seen::Junk,
                    Loss::Timeout => Seen::Timeout,
                    // One of the statuses of `retry-on`.
                    Loss::Status => Seen::Status(500),
                },
            );
        }
        if stale && conn.requests > 0 {
            // The client sent this on a connection it knows to be reused, and tries again when that is closed.
            return Flow::Failed(failure.status(0));
        }
        return Flow::Failed(failure);
    }
}

/// A copy of the request's body, if it may have to be sent again and is all here.
fn replay_of(conn: &Conn, facts: &Facts, wanted: bool) -> Option<Vec<u8>> {
    match facts.body {
        _ if !wanted => None,
        body if body.is_empty() => Some(Vec::new()),
        Body::Length(n) => {
            let buf = conn.input.as_ref()?;
            let n = usize::try_from(n).ok()?;
            buf.filled().get(..n).map(<[u8]>::to_vec)
        }
        _ => None,
    }
}

/// Put the body back in front of what the client sent behind it.
fn restore(conn: &mut Conn, body: Option<&[u8]>) {
    let Some(body) = body.filter(|b| !b.is_empty()) else { return };
    conn.input.get_or_insert_with(|| with(|w| w.bufs.take())).unshift(body);
}

/// Keep the server's connection or let it go.
fn finish_server(
    conn: &mut Conn,
    txn: &Txn,
    facts: &Facts,
    slot: crate::live::Slot,
    kept: Kept,
    keep: bool,
    private: bool,
) {
    let server = slot.server().clone();
    let Some(half) = &txn.be.ir.backend else { return };
    if half.prefer_last_server || private {
        conn.extra().last_server = Some((txn.be.idx, server.clone()));
    }
    let kept = Kept { requests: kept.requests + 1, ..kept };
    let pooled = !private && half.http_reuse != HttpReuse::Never && server.ir.pool_max_conn != Some(0);
    let good = keep && txn.server_reusable && !facts.upgrade;
    if good && !pooled && !txn.live.is_stopping() {
        let (backend, generation) = (txn.be.idx, server.generation());
        let Kept { io, requests, key } = kept;
        conn.keep_own(Own { backend, server, io, requests, generation, bond: key });
    } else if good {
        with(|w| w.shared.idle.put(w.index, txn.be.idx, &server, kept, clock::now()));
    } else if txn.be.ir.nolinger {
        kept.io.reset_on_close();
    }
    drop(slot);
}

/// NTLM and Negotiate: the server takes everything on the connection as the one user's, so it stays the client's own.
fn authenticates_connection(txn: &Txn) -> bool {
    let Some(resp) = &txn.resp else { return false };
    let name: &[u8] = match resp.status() {
        401 => b"www-authenticate",
        407 => b"proxy-authenticate",
        _ => return false,
    };
    let scheme = |value: &[u8], scheme: &[u8]| {
        value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    resp.values(name).any(|value| scheme(value, b"Negotiate") || scheme(value, b"NTLM"))
}

#[expect(
    clippy::too_many_arguments,
    reason = "the ends of one exchange; a struct of them would be named once"
)]
async fn attempt(
    conn: &mut Conn,
    txn: &mut Txn,
    facts: &Facts,
    io: &mut crate::proxy::stream::Stream,
    server: &Arc<Server>,
    kills: u64,
    retry_statuses: &[u16],
    plan: &Plan,
    direct: Option<&Arc<Server>>,
) -> Attempt {
    txn.server_reusable = false;
    let mut head = with(crate::proxy::worker::Worker::take_scratch);
    txn.req.write_to(&mut head);
    if txn.be.ir.backend.as_ref().is_some_and(|b| b.adjust_case) {
        case::respell(&mut head, &txn.live.config.global.header_spellings);
    }
    let body = if facts.is_connect { Body::None } else { facts.body };
    let mut x = Exchange {
        upload: Pump::new(body, &head, &mut conn.input),
        refused: false,
        server_in: None,
        parser: Parser::relaxed(txn.be.ir.accept_unsafe_response),
        seen: false,
        kills,
    };
    with(|w| w.give_scratch(head));
    let mut resp = txn.resp.take().unwrap_or_else(|| with(crate::proxy::worker::Worker::take_head));
    loop {
        let waited = wait_head(conn, txn, io, server, &mut x, &mut resp).await;
        let outcome = match waited {
            // A rule may have changed the method: the response is framed by what was sent.
            Ok(()) => response::prepare(&mut resp, &Facts { is_head: txn.req.method() == b"HEAD", ..*facts })
                .map_err(|_| (Failure::new(Who::Proxy, Phase::Headers), Loss::Junk)),
            Err(lost) => Err(lost),
        };
        let rf = match outcome {
            Ok(rf) => rf,
            Err((failure, loss)) => {
                txn.resp = Some(resp);
                let lost_request = failure.who == Who::Client || failure.phase == Phase::Request;
                x.upload.abandon(&mut conn.input);
                return if lost_request {
                    Attempt::Over(Flow::Failed(failure))
                } else {
                    Attempt::Lost(failure, loss)
                };
            }
        };
        if rf.interim {
            let mut bytes = resp.to_bytes();
            answer::respell(txn, &mut bytes);
            if !answer::write(conn, txn, &bytes).await {
                txn.resp = Some(resp);
                return Attempt::Over(Flow::Failed(Failure {
                    who: Who::Client,
                    phase: Phase::Headers,
                    ..Failure::default()
                }));
            }
            x.parser = Parser::relaxed(txn.be.ir.accept_unsafe_response);
            continue;
        }
        if retry_statuses.contains(&resp.status()) && plan.left > 0 && txn.retry_allowed {
            txn.resp = Some(resp);
            x.upload.abandon(&mut conn.input);
            return Attempt::Lost(Failure::new(Who::Server, Phase::Headers), Loss::Status);
        }
        txn.times.data = Some(clock::now());
        resp.settle();
        txn.resp = Some(resp);
        return respond(conn, txn, facts, io, server, x, rf, direct).await;
    }
}

/// Send the request and read until the head of a response is complete.
async fn wait_head(
    conn: &mut Conn,
    txn: &mut Txn,
    io: &mut crate::proxy::stream::Stream,
    server: &Arc<Server>,
    x: &mut Exchange,
    resp: &mut crate::http::Head,
) -> Result<(), (Failure, Loss)> {
    let (limit, max_fields) = with(|w| {
        let g = &w.live().config.global;
        (g.bufsize.saturating_sub(g.maxrewrite), g.maxhdr)
    });
    let abort = outbound::watches_client(txn);
    let (client_limit, server_limit) = (txn.limits.client, txn.limits.server);
    let mut since: Option<Instant> = None;
    let mut shape = txn.shape.take();
    let result = poll_fn(|cx| {
        let step = shape.as_deref().map(|shape| Step::begin(shape, clock::now(), &mut x.upload, None));
        let uploaded = poll_upload(conn, io, x, cx);
        let opens = step.zip(shape.as_deref_mut()).and_then(|(step, shape)| step.end(shape, &x.upload, None));
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
            match fill_large(io, &mut x.server_in, cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(_) | Err(_)) => {
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
            return Poll::Ready(Err((Failure::new(who, Phase::Headers).status(503), Loss::Empty)));
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
            Err(if for_client {
                (Failure::new(Who::ClientTimeout, Phase::Data).status(408), Loss::Empty)
            } else {
                (Failure::new(Who::ServerTimeout, Phase::Headers), Loss::Timeout)
            })
        })
    })
    .await;
    txn.shape = shape;
    txn.bytes_in = txn.head_len + x.upload.data;
    txn.spliced.0 += std::mem::take(&mut x.upload.spliced);
    result
}

fn poll_upload(
    conn: &mut Conn,
    io: &mut crate::proxy::stream::Stream,
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
            Err((Failure { who: Who::Client, phase: Phase::Data, ..Failure::default() }, Loss::Empty))
        }
        Poll::Ready(Err(PumpError::Malformed)) => {
            Err((Failure::new(Who::Proxy, Phase::Request), Loss::Empty))
        }
    }
}

/// The response's head is here: rules, then head and body to the client.
#[expect(
    clippy::too_many_arguments,
    reason = "the ends of one exchange; a struct of them would be named once"
)]
async fn respond(
    conn: &mut Conn,
    txn: &mut Txn,
    facts: &Facts,
    io: &mut crate::proxy::stream::Stream,
    server: &Arc<Server>,
    mut x: Exchange,
    rf: response::Facts,
    direct: Option<&Arc<Server>>,
) -> Attempt {
    if !txn.be.ir.tcp_response_content.is_empty()
        && let Err(failure) = judged::content(conn, txn, io, (rf.body, &mut x.server_in)).await
    {
        txn.failure = failure;
        return Attempt::Over(Flow::Done(Next::Close));
    }
    capture(txn);
    let received = (rf.body, &mut x.server_in);
    if let Some(flow) = judged::response(conn, txn, facts, io, server, received).await {
        return Attempt::Over(flow);
    }
    if !persist::write(txn, direct) {
        tracing::error!(backend = txn.be.ir.name, server = server.name(), "a cacheable cookie was blocked");
        let refusal = Answer { status: 502, body: AnswerBody::ErrorPage, headers: Vec::new() };
        return Attempt::Over(denied(conn, txn, facts, &refusal).await);
    }
    rules::after_response(txn);
    lines::at(txn, LogStep::Response);
    let tunnel = rf.body == Body::Tunnel;
    let uploaded = x.upload.is_read() || facts.body.is_empty();
    let keep = facts.keep_alive
        && !matches!(rf.body, Body::UntilClose | Body::Tunnel)
        && mode(txn) != HttpConnMode::Close
        && !txn.live.is_stopping()
        && !x.refused;
    let Some(resp) = &mut txn.resp else { return Attempt::Over(Flow::Done(Next::Close)) };
    let keep = keep && !(rf.body == Body::Chunked && resp.version() != Version::Http11);
    txn.status = resp.status();
    if !tunnel && !rf.interim {
        response::finish(resp, txn.req.version(), keep);
    }
    let mut head = with(crate::proxy::worker::Worker::take_scratch);
    resp.write_to(&mut head);
    answer::respell(txn, &mut head);
    let unwanted = facts.is_head && !tunnel && !rf.body.is_empty();
    let body = if tunnel || unwanted { Body::None } else { rf.body };
    let mut download = Pump::new(body, &head, &mut x.server_in);
    with(|w| w.give_scratch(head));
    let result = relay(conn, txn, io, server, &mut x, &mut download, tunnel).await;
    if let Err(failure) = result {
        if failure.status != 0 {
            txn.times.data = None;
            server.counters.eresp.inc();
            if let Some(be) = &txn.be.backend {
                be.counters.eresp.inc();
            }
            return Attempt::Over(Flow::Failed(failure));
        }
        txn.failure = failure;
        return Attempt::Over(Flow::Done(Next::Close));
    }
    if tunnel {
        return Attempt::Over(run_tunnel(conn, txn, io, server, x).await);
    }
    let taken = !unwanted
        || (rf.keep_alive
            && body::discard(rf.body, io, &mut x.server_in, &mut conn.deadline, txn.limits.server).await);
    let clean = x.server_in.is_none() && x.upload.is_done() && !x.refused;
    txn.server_reusable = taken && rf.keep_alive && clean && rf.body != Body::UntilClose;
    if let Some(buf) = x.server_in.take() {
        with(|w| w.bufs.give(buf));
    }
    let next = if keep && (uploaded || x.upload.is_done()) { Next::KeepAlive } else { Next::Close };
    Attempt::Over(Flow::Done(next))
}

/// Both bodies at once until the response is through.
async fn relay(
    conn: &mut Conn,
    txn: &mut Txn,
    io: &mut crate::proxy::stream::Stream,
    server: &Arc<Server>,
    x: &mut Exchange,
    download: &mut Pump,
    tunnel: bool,
) -> Result<(), Failure> {
    let (client_limit, server_limit) = (txn.limits.client, txn.limits.server);
    let mut since: Option<Instant> = None;
    let mut counted: Option<Instant> = None;
    let before = txn.bytes_out;
    let failed = |who, phase| Failure { who, phase, ..Failure::default() };
    let mut shape = txn.shape.take();
    let result = poll_fn(|cx| {
        let step =
            shape.as_deref().map(|shape| Step::begin(shape, clock::now(), &mut x.upload, Some(download)));
        if !tunnel && poll_upload(conn, io, x, cx).is_err() {
            // The client's request ended badly while its response was on the way.
            return Poll::Ready(Err(failed(Who::Client, Phase::Data)));
        }
        let downloaded = download.poll(cx, io, &mut x.server_in, &mut conn.io);
        let opens = step
            .zip(shape.as_deref_mut())
            .and_then(|(step, shape)| step.end(shape, &x.upload, Some(download)));
        match downloaded {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
            Poll::Ready(Err(PumpError::Write)) => return Poll::Ready(Err(failed(Who::Client, Phase::Data))),
            Poll::Ready(Err(PumpError::Truncated | PumpError::Read)) => {
                return Poll::Ready(Err(failed(Who::Server, Phase::Data)));
            }
            // Nothing was sent yet: there is still an answer to give.
            Poll::Ready(Err(PumpError::Malformed)) if download.written == 0 => {
                return Poll::Ready(Err(Failure::new(Who::Proxy, Phase::Headers)));
            }
            Poll::Ready(Err(PumpError::Malformed)) => {
                return Poll::Ready(Err(failed(Who::Server, Phase::Data)));
            }
            Poll::Pending => {}
        }
        if download.progress || x.upload.progress || since.is_none() {
            download.progress = false;
            x.upload.progress = false;
            let now = clock::now();
            since = Some(now);
            // Long transfers are counted while they run.
            let at = *counted.get_or_insert(now);
            if now.duration_since(at) >= tunnel::COUNT_EVERY {
                counted = Some(now);
                txn.bytes_out = before + download.written;
                txn.bytes_in = txn.head_len + x.upload.data;
                txn.count_bytes();
            }
        }
        if server.kills() != x.kills {
            return Poll::Ready(Err(failed(Who::by(server.kill_cause()), Phase::Data)));
        }
        let blocked = download.is_blocked(x.server_in.as_ref());
        let client = if blocked { client_limit } else { None };
        let server = if blocked { None } else { server_limit };
        let ends = since.and_then(|at| earlier(client.map(|d| at + d), server.map(|d| at + d)));
        if conn.deadline.set_or_open(ends, opens) {
            return conn.deadline.poll_again(cx);
        }
        let who = if blocked { Who::ClientTimeout } else { Who::ServerTimeout };
        conn.deadline.poll(cx).map(|()| Err(failed(who, Phase::Data)))
    })
    .await;
    txn.shape = shape;
    txn.bytes_out = before + download.written;
    txn.bytes_in = txn.head_len + x.upload.data;
    txn.spliced.0 += std::mem::take(&mut x.upload.spliced);
    txn.spliced.1 += download.spliced;
    result
}

async fn run_tunnel(
    conn: &mut Conn,
    txn: &mut Txn,
    io: &mut crate::proxy::stream::Stream,
    server: &Arc<Server>,
    mut x: Exchange,
) -> Flow {
    let limits = TunnelLimits {
        client: txn.limits.tunnel.or(txn.limits.client),
        server: txn.limits.tunnel.or(txn.limits.server),
        client_fin: txn.fe.ir.timeouts.client_fin,
        server_fin: txn.be.ir.timeouts.server_fin,
    };
    txn.failure = tunnel::run(conn, txn, io, &mut x.server_in, limits, server).await;
    Flow::Done(Next::Close)
}
