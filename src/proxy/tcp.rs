//! A session in TCP mode.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::deadline::earlier;
use super::failure::{Failure, Phase, Who};
use super::outbound::{self, Plan, Upstream};
use super::rules;
use super::stream::Unread;
use super::tunnel::{self, TunnelLimits};
use super::txn::Txn;
use super::worker::Conn;
use super::{hold, lines, refused};
use crate::expr::Verdict;
use crate::ir::log::LogStep;
use crate::ir::proxy::Mode;
use crate::ir::rules::TcpAction;
use crate::live::Proxy;
use crate::metrics::{Span, TimeAverages};
use crate::sys::clock;

/// How a session went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is over.
    Closed,
    /// What came is HTTP and is to be treated so.
    Http,
}

/// From accept to close, or until it turns out to be HTTP.
pub(super) async fn session(conn: &mut Conn) -> Ended {
    let mut txn = Txn::new(conn, conn.accepted);
    txn.make_unique_id();
    lines::at(&mut txn, LogStep::Accept);
    let failure = match serve(conn, &mut txn).await {
        Ok(None) => {
            txn.give_back(conn);
            conn.extra().is_http = true;
            return Ended::Http;
        }
        Ok(Some(failure)) | Err(failure) => failure,
    };
    let unserved = matches!(failure.phase, Phase::Queue | Phase::Connect);
    if unserved || failure.phase == Phase::Request && conn.input.is_none() {
        // It was for nobody.
        conn.take_in();
    }
    if unserved {
        // Who still speaks sees an end before the reset that closing makes of what nobody read.
        conn.io.shutdown();
    }
    txn.failure = failure;
    txn.ended = Some(clock::now());
    finish(conn, &mut txn);
    Ended::Closed
}

/// `None`: it is a session of HTTP.
async fn serve(conn: &mut Conn, txn: &mut Txn) -> Result<Option<Failure>, Failure> {
    let found = destination(conn, txn).await;
    if !matches!(found, Ok(None)) {
        // It is known to be one of TCP: of HTTP, each request counts.
        txn.door.live().process.cum_req.inc();
    }
    let Some((be, mut gone)) = found? else { return Ok(None) };
    // What follows of the session is bytes.
    (txn.is_http, txn.not_http) = (false, false);
    enter_backend(txn, be);
    let be = txn.be().clone();
    if !Arc::ptr_eq(&be, &txn.door.fe) {
        gone |= inspect(conn, txn, &be, gone).await?;
    }
    if gone {
        // There is nobody to connect for.
        count_left(&txn.door.fe, &be);
        return Err(Failure::new(Who::Client, Phase::Request));
    }
    let retries = be.ir.backend.as_ref().map_or(0, |b| b.retries);
    txn.payload = conn.input.take();
    let wanted = rules::use_server(txn).or_else(|| outbound::rdp_server(txn));
    let direct = wanted.is_some();
    let mut plan = Plan { wanted, direct, left: txn.max_retries.unwrap_or(retries), ..Plan::default() };
    let up = outbound::establish(conn, txn, &mut plan).await;
    conn.input = txn.payload.take();
    let Upstream { mut io, slot, .. } = up?;
    outbound::note_addresses(txn, slot.server(), &io);
    txn.sockets.1 = Some(io.raw_fd());
    lines::at(txn, LogStep::Connect);
    let server = slot.server().clone();
    server.need.note(server.counters.used.inc());
    let t = &be.ir.timeouts;
    let limits = TunnelLimits {
        client: txn.limits.tunnel.or(txn.limits.client),
        server: txn.limits.tunnel.or(txn.limits.server),
        client_fin: txn.door.fe.ir.timeouts.client_fin,
        server_fin: t.server_fin,
    };
    let mut early = None;
    let failure = tunnel::run(conn, txn, &mut io, &mut early, limits, &server).await;
    server.counters.used.dec();
    txn.sockets.1 = None;
    txn.leave_server();
    Ok(Some(failure))
}

/// Where the session goes by the rules of its frontend, and whether the client's connection broke meanwhile. `None`: it is one
/// of HTTP.
async fn destination(conn: &mut Conn, txn: &mut Txn) -> Result<Option<(Arc<Proxy>, bool)>, Failure> {
    let fe = txn.door.fe.clone();
    // What came with the connection is there for the first rule.
    let look = conn.poll_fill(&mut Context::from_waker(Waker::noop()));
    let mut gone = matches!(look, Poll::Ready(Err(_)));
    gone |= inspect(conn, txn, &fe, gone).await?;
    if txn.becomes_http {
        return Ok(None);
    }
    let by_rules = fe.ir.frontend.as_ref().is_some_and(|half| !half.use_backends.is_empty());
    let Some(be) = on_received(conn, txn, by_rules, |txn| rules::choose_backend(txn)) else {
        return Err(Failure::new(Who::Server, Phase::Connect));
    };
    Ok((be.ir.mode != Mode::Http).then_some((be, gone)))
}

/// Count the session on its backend.
pub(super) fn enter_backend(txn: &mut Txn, be: Arc<Proxy>) {
    txn.set_backend(be);
    txn.persistence = rules::persistence(txn);
    if let Some(backend) = &txn.be().backend {
        let now = clock::now_ms();
        backend.counters.sessions.inc();
        backend.counters.stot.inc();
        backend.counters.rate.add(1, now);
        backend.counters.last_session.set(now / 1000 + 1);
    }
}

/// Decides something with what came so far in sight. `asks`: it may ask for parts of a request.
fn on_received<R>(conn: &mut Conn, txn: &mut Txn, asks: bool, decide: impl FnOnce(&mut Txn) -> R) -> R {
    txn.lend(conn, |txn| {
        if asks {
            txn.look_for_request();
        }
        decide(txn)
    })
}

/// A client left before it had said what it wants, counted on the frontend and on the backend that it had come to.
fn count_left(frontend: &Proxy, backend: &Proxy) {
    if let Some(frontend) = &frontend.frontend {
        frontend.counters.ereq.inc();
    }
    if let Some(backend) = &backend.backend {
        backend.counters.cli_abrt.inc();
    }
}

/// `tcp-request content` rules of `proxy`, waiting for data as they ask, for `inspect-delay` at most. `complete`:
/// nothing they could wait for will come. Says whether the client's connection broke meanwhile: in TCP mode rules decide
/// on what there is.
pub(super) async fn inspect(
    conn: &mut Conn,
    txn: &mut Txn,
    proxy: &Arc<Proxy>,
    complete: bool,
) -> Result<bool, Failure> {
    let mut gone = false;
    if proxy.ir.tcp_request_content.is_empty() {
        return Ok(gone);
    }
    let sniffs = txn.door.fe.ir.mode == Mode::Tcp && !conn.extra.as_ref().is_some_and(|extra| extra.is_http);
    let until: Option<Instant> = proxy.ir.tcp_request_inspect_delay.map(|d| clock::now() + d);
    // In HTTP mode other timeouts hold until the request is there.
    let patience = txn.door.fe.ir.timeouts.client.filter(|_| sniffs);
    let mut silent_at = patience.map(|patience| clock::now() + patience);
    txn.is_final = until.is_none() || complete;
    let mut from = 0;
    loop {
        let outcome = on_received(conn, txn, sniffs, |txn| rules::tcp_content(txn, proxy, from));
        txn.apply_tags(conn);
        match outcome {
            Verdict::Continue => {
                txn.is_final = false;
                return Ok(gone);
            }
            Verdict::Wait { rule } if !txn.is_final => from = rule,
            Verdict::Resolve { rule, host } => {
                from = rule + 1;
                if let TcpAction::Resolve(resolve) = &proxy.ir.tcp_request_content[rule].action
                    && !hold::resolve(conn, txn, resolve, host).await
                {
                    return Err(Failure { who: Who::Client, phase: Phase::Request, ..Failure::default() });
                }
                continue;
            }
            refusal => {
                if let Verdict::SilentDrop(hops) = refusal {
                    refused::request(conn, txn);
                    conn.vanish(hops);
                } else {
                    refused::rejected(conn, txn);
                }
                return Err(Failure { who: Who::Proxy, phase: Phase::Request, ..Failure::default() });
            }
        }
        conn.deadline.set(earlier(until, silent_at));
        let more = poll_fn(|cx| {
            if conn.input.as_ref().is_some_and(crate::buf::Buf::is_full) {
                return Poll::Ready(Ok(0));
            }
            match conn.poll_fill(cx) {
                Poll::Ready(r) => Poll::Ready(r),
                Poll::Pending => conn.deadline.poll(cx).map(|()| Ok(0)),
            }
        })
        .await;
        match more {
            // No longer than anywhere else is waited for a silent client.
            Ok(0)
                if silent_at.is_some_and(|at| clock::now() >= at && until.is_none_or(|until| at < until)) =>
            {
                return Err(Failure::new(Who::ClientTimeout, Phase::Request));
            }
            Ok(1..) => silent_at = patience.map(|patience| clock::now() + patience),
            end if end.is_ok() || sniffs => {
                gone = end.is_err();
                txn.is_final = true;
                txn.payload_complete = true;
            }
            _ => {
                count_left(&txn.door.fe, &txn.door.fe);
                return Err(Failure { who: Who::Client, phase: Phase::Request, ..Failure::default() });
            }
        }
    }
}

/// Counters and the log line.
fn finish(conn: &mut Conn, txn: &mut Txn) {
    let up = txn.bytes_in;
    // Before there is a connection to a server, nothing is broken off.
    let aborted_by_client = matches!(txn.failure.who, Who::Client | Who::ClientTimeout)
        && !matches!(txn.failure.phase, Phase::Request | Phase::Queue | Phase::Connect);
    let by_server =
        matches!(txn.failure.who, Who::Server | Who::ServerTimeout) && txn.failure.phase == Phase::Data;
    let broken = u64::from(txn.failure.who == Who::Server);
    txn.count_bytes();
    let spent = Spent::of(txn);
    if let Some(be) = txn.be().backend.as_ref().filter(|_| txn.entered) {
        let c = &be.counters;
        c.sessions.dec();
        if aborted_by_client {
            c.cli_abrt.inc();
        } else if by_server {
            c.srv_abrt.inc();
            c.eresp.add(broken);
        }
        spent.add_to(&c.times, c.stot.get());
    }
    txn.leave_server();
    if let Some(server) = &txn.server {
        let c = &server.counters;
        if aborted_by_client {
            c.cli_abrt.inc();
        } else if by_server {
            c.srv_abrt.inc();
            c.eresp.add(broken);
        }
        spent.add_to(&c.times, c.stot.get());
    }
    conn.leave();
    // Who said nothing is nobody, whatever a server told him.
    let spoke = || {
        let read = up > 0 || conn.input.as_ref().is_some_and(|input| !input.is_empty());
        read || conn.io.unread() == Unread::Bytes
    };
    if !txn.door.fe.ir.dontlognull || spoke() {
        lines::at_end(txn);
    }
}

/// Times of a finished session, as proxies and servers keep them: averages, and how they are spread.
pub(super) struct Spent {
    queue_ms: u64,
    connect_ms: u64,
    response_ms: u64,
    total_ms: u64,
    response: Option<Span>,
    total: Option<Span>,
}

impl Spent {
    pub(super) fn of(txn: &Txn) -> Self {
        let marks = txn.marks(clock::now());
        let t = marks.timers();
        let since =
            |end: i64, start: i64| if end >= 0 && start >= 0 { (end - start).max(0) as u64 } else { 0 };
        Self {
            queue_ms: since(t.queue, t.request.max(0)),
            connect_ms: since(t.connect, t.queue),
            response_ms: since(t.data, t.connect),
            total_ms: since(t.close, t.idle.max(0)),
            response: marks.response_us().map(Span::of_us),
            total: txn.ended.map(|_| Span::of_us(marks.total_us())),
        }
    }

    /// `events`: how many sessions there were in all.
    pub(super) fn add_to(&self, times: &TimeAverages, events: u64) {
        times.add(self.queue_ms, self.connect_ms, self.response_ms, self.total_ms, events.max(1));
        if let Some(response) = self.response {
            times.response.add(response);
        }
        if let Some(total) = self.total {
            times.total.add(total);
        }
    }
}
