//! The response is here: rules, then its head and body to the client, or a tunnel.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use super::exchange::{Flow, ends_client};
use super::forward::{authenticates_connection, count_bad_response, share};
use super::instead::{capture, denied};
use super::wait::{Exchange, poll_shaped, poll_upload};
use super::{Next, answer, body, judged, persist};
use crate::expr::{Answer, AnswerBody};
use crate::http::mend::{self, Mended};
use crate::http::request::Facts;
use crate::http::{Body, response};
use crate::ir::log::LogStep;
use crate::live::Server;
use crate::log::level;
use crate::proxy::deadline::earlier;
use crate::proxy::failure::{Failure, Phase, Who};
use crate::proxy::lines;
use crate::proxy::pool::Kept;
use crate::proxy::pump::{Pump, PumpError};
use crate::proxy::rules;
use crate::proxy::shape::Step;
use crate::proxy::stream::Stream;
use crate::proxy::tunnel::{self, TunnelLimits};
use crate::proxy::turn::Turn;
use crate::proxy::txn::Txn;
use crate::proxy::worker::{Conn, with};
use crate::proxy::{board, outbound};
use crate::sys::clock;

/// The response's head is here: rules, then head and body to the client.
#[expect(
    clippy::too_many_arguments,
    reason = "the ends of one exchange; a struct of them would be named once"
)]
pub(super) async fn respond(
    conn: &mut Conn,
    txn: &mut Txn,
    facts: &Facts,
    kept: &mut Kept,
    server: &Arc<Server>,
    mut x: Exchange,
    mut rf: response::Facts,
    direct: Option<&Arc<Server>>,
) -> Flow {
    if !txn.be().ir.tcp_response_content.is_empty()
        && let Some(flow) = judged::content(conn, txn, &mut kept.io, (&mut rf, &mut x.server_in)).await
    {
        // Nobody has seen it: it was no response.
        txn.times.data = None;
        if let Flow::Failed(_) = &flow {
            count_bad_response(txn, server);
        }
        txn.resp = None;
        return flow;
    }
    capture(txn);
    txn.server_status = txn.resp.as_ref().map(|resp| resp.status());
    let received = (rf.body, &mut x.server_in);
    if let Some(flow) = judged::response(conn, txn, facts, &mut kept.io, server, received).await {
        return flow;
    }
    if !persist::write(txn, direct) {
        let (backend, server) = (&txn.be().ir.name, server.name());
        let text = format!("Blocking cacheable cookie in response from instance {backend}, server {server}.");
        txn.be().log(level::ALERT, text.as_bytes());
        let refusal = Answer { status: 502, body: AnswerBody::ErrorPage, headers: Vec::new() };
        return denied(conn, txn, facts, &refusal).await;
    }
    rules::after_response(txn);
    lines::at(txn, LogStep::Response);
    let tunnel = rf.body == Body::Tunnel;
    txn.links.server_ended = !rf.keep_alive;
    let keep = facts.keep_alive
        && !matches!(rf.body, Body::UntilClose | Body::Tunnel)
        && !ends_client(txn)
        && !txn.door.live().stop.ends_client()
        && !rf.odd_framing
        && !x.refused;
    let edited = !tunnel && rules::see_responses(txn);
    let mut unwanted = facts.is_head && !tunnel && !rf.body.is_empty();
    let Some(resp) = &mut txn.resp else { return Flow::Done(Next::Close) };
    txn.status = resp.status();
    let mended = if edited { mend::response(resp, &rf) } else { Mended::default() };
    let keep = keep && !mended.close;
    unwanted |= mended.broken;
    if !tunnel {
        unwanted |= response::reframe(resp, &rf, facts.is_head);
        response::finish(resp, txn.req.version(), keep);
    }
    let mut head = with(crate::proxy::worker::Worker::take_scratch);
    resp.write_to(&mut head);
    answer::respell(txn, &mut head);
    let body = if tunnel || unwanted { Body::None } else { rf.body };
    let mut download = Pump::new(body, head, &mut x.server_in);
    if txn.door.fe.ir.drop_response_trailers {
        download.drop_trailers();
    } else if txn.door.fe.ir.frontend.as_ref().is_some_and(|f| f.adjust_case) {
        download.respell_trailers(&txn.door.live().config.global.header_spellings);
    }
    x.pooled &= rf.keep_alive && !unwanted && !tunnel && !authenticates_connection(txn);
    download.pauses = x.pooled;
    download.closes = !keep && !tunnel && !unwanted && !conn.door.fe.ir.nolinger;
    let result = relay(conn, txn, kept, server, &mut x, &mut download, tunnel).await;
    if let Err(failure) = result {
        if failure.status != 0 {
            txn.times.data = None;
            count_bad_response(txn, server);
            return Flow::Failed(failure);
        }
        txn.failure = failure;
        return Flow::Done(Next::Close);
    }
    if tunnel {
        return run_tunnel(conn, txn, &mut kept.io, server, x).await;
    }
    if mended.broken {
        txn.failure = Failure { who: Who::Internal, phase: Phase::Data, ..Failure::default() };
        return Flow::Done(Next::Close);
    }
    let taken = !unwanted
        || (rf.keep_alive
            && body::discard(rf.body, &mut kept.io, &mut x.server_in, &mut conn.deadline, txn.limits.server)
                .await);
    if let Err(failure) = rest_of_request(conn, txn, &mut kept.io, server, &mut x).await {
        txn.failure = failure;
        return Flow::Done(Next::Close);
    }
    let clean = x.server_in.is_none() && x.upload.is_done() && !x.refused;
    txn.server_reusable = taken && rf.keep_alive && clean && rf.body != Body::UntilClose;
    if let Some(buf) = x.server_in.take() {
        with(|w| w.bufs.give(buf));
    }
    let next = if keep && !x.refused { Next::KeepAlive } else { Next::Close };
    Flow::Done(next)
}

/// Both bodies at once until the response is through.
async fn relay(
    conn: &mut Conn,
    txn: &mut Txn,
    kept: &mut Kept,
    server: &Arc<Server>,
    x: &mut Exchange,
    download: &mut Pump,
    tunnel: bool,
) -> Result<(), Failure> {
    let (client_limit, server_limit) = (txn.limits.client, txn.limits.server);
    let abort = !tunnel && outbound::watches_client(txn);
    let mut since: Option<Instant> = None;
    let mut counted: Option<Instant> = None;
    let before = txn.bytes_out;
    let failed = |who, phase| Failure { who, phase, ..Failure::default() };
    let closes = download.closes;
    let mut shape = txn.shape.take();
    let mut turn = Turn::of(txn.nice);
    let result = poll_fn(|cx| {
        if turn.steps_back(cx) {
            return Poll::Pending;
        }
        let step =
            shape.as_deref().map(|shape| Step::begin(shape, clock::now(), &mut x.upload, Some(download)));
        if !tunnel && poll_upload(conn, &mut kept.io, x, cx).is_err() {
            // The client's request ended badly while its response was on the way.
            return Poll::Ready(Err(failed(Who::Client, Phase::Data)));
        }
        // Whoever is not through with the request waits for its rest before it closes.
        download.closes = closes && x.upload.is_done() && !x.refused;
        let mut downloaded = download.poll(cx, &mut kept.io, &mut x.server_in, &mut conn.io);
        if matches!(downloaded, Poll::Ready(Ok(()))) && !download.is_done() {
            if x.upload.is_done() && !x.refused {
                // Before the client has the end of its response: its next request may come to another thread.
                txn.sockets.1 = None;
                let io = std::mem::replace(&mut kept.io, Stream::gone());
                server.counters.used.dec();
                share(txn, server, Kept { io, ..*kept });
            }
            downloaded = download.poll(cx, &mut kept.io, &mut x.server_in, &mut conn.io);
        }
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
        if abort && x.upload.is_done() && outbound::client_left(conn, cx) {
            return Poll::Ready(Err(failed(Who::Client, Phase::Data)));
        }
        let blocked = download.is_blocked(x.server_in.as_ref());
        let client = if blocked { client_limit } else { None };
        let server = if blocked { None } else { server_limit };
        let ends = since.and_then(|at| earlier(client.map(|d| at + d), server.map(|d| at + d)));
        if conn.deadline.set_or_open(ends, opens) {
            return conn.deadline.poll_again(cx);
        }
        let who = if blocked { Who::ClientTimeout } else { Who::ServerTimeout };
        conn.deadline.poll(cx).map(|()| Err(failed(board::blame(who), Phase::Data)))
    })
    .await;
    txn.shape = shape;
    txn.bytes_out = before + download.written;
    txn.bytes_in = txn.head_len + x.upload.data;
    txn.spliced.0 += std::mem::take(&mut x.upload.spliced);
    txn.spliced.1 += download.spliced;
    result
}

/// The rest of a request whose response was there before it: the server gets it all the same, and the client's next
/// request follows it.
async fn rest_of_request(
    conn: &mut Conn,
    txn: &mut Txn,
    io: &mut Stream,
    server: &Arc<Server>,
    x: &mut Exchange,
) -> Result<(), Failure> {
    if x.upload.is_done() || x.refused {
        return Ok(());
    }
    let failed = |who| Failure { who, phase: Phase::Data, ..Failure::default() };
    let mut since: Option<Instant> = None;
    let mut shape = txn.shape.take();
    let result = poll_fn(|cx| {
        let (uploaded, opens) = poll_shaped(conn, io, x, shape.as_deref_mut(), cx);
        if let Err((failure, _)) = uploaded {
            return Poll::Ready(Err(failed(failure.who)));
        }
        if x.upload.is_done() || x.refused {
            return Poll::Ready(Ok(()));
        }
        if server.kills() != x.kills {
            return Poll::Ready(Err(failed(Who::by(server.kill_cause()))));
        }
        if x.upload.progress || since.is_none() {
            x.upload.progress = false;
            since = Some(clock::now());
        }
        let blocked = x.upload.is_blocked(conn.input.as_ref());
        let (limit, who) = match blocked {
            true => (txn.limits.server, Who::ServerTimeout),
            false => (txn.limits.client, Who::ClientTimeout),
        };
        let ends = since.zip(limit).map(|(at, limit)| at + limit);
        if conn.deadline.set_or_open(ends, opens) {
            return conn.deadline.poll_again(cx);
        }
        conn.deadline.poll(cx).map(|()| Err(failed(who)))
    })
    .await;
    txn.shape = shape;
    txn.bytes_in = txn.head_len + x.upload.data;
    txn.spliced.0 += std::mem::take(&mut x.upload.spliced);
    result
}

async fn run_tunnel(
    conn: &mut Conn,
    txn: &mut Txn,
    io: &mut Stream,
    server: &Arc<Server>,
    mut x: Exchange,
) -> Flow {
    let limits = TunnelLimits {
        client: txn.limits.tunnel.or(txn.limits.client),
        server: txn.limits.tunnel.or(txn.limits.server),
        client_fin: txn.door.fe.ir.timeouts.client_fin,
        server_fin: txn.be().ir.timeouts.server_fin,
    };
    io.end_on_close();
    txn.failure = tunnel::run(conn, txn, io, &mut x.server_in, limits, server).await;
    Flow::Done(Next::Close)
}
