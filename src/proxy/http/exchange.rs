//! One request and its response, from the first byte to the log line.

use std::sync::Arc;

use super::body::{self, Waited};
use super::request::Reading;
use super::{Next, answer, forward, forwarded, instead, local, persist, request};
use crate::expr::{Answer, AnswerBody, Verdict};
use crate::http::error_page;
use crate::http::request::{Facts, Refusal, prepare_as};
use crate::ir::log::LogStep;
use crate::ir::proxy::{Balance, HttpConnMode, HttpReuse, Mode, RestrictNames};
use crate::ir::rules::HttpAction;
use crate::live::{Proxy, Seen, Server};
use crate::proxy::failure::{Failure, Phase, Who};
use crate::proxy::rules;
use crate::proxy::tcp::{Spent, enter_backend};
use crate::proxy::txn::{BodySent, BufferedBody, Txn};
use crate::proxy::worker::Conn;
use crate::proxy::{board, hold, lines, outbound, refused, tcp};
use crate::sys::clock;

/// Why no request ever came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// The client closed.
    Closed,
    /// The connection broke.
    Broken,
    /// `timeout http-request`.
    TimedOut,
}

/// A connection that never sent anything: answered and logged unless it was a probe.
pub(super) async fn never_came(conn: &mut Conn, why: Absent) {
    let mut txn = Txn::new(conn, conn.accepted);
    txn.is_http = true;
    let failure = match why {
        Absent::TimedOut => Failure::new(Who::ClientTimeout, Phase::Request),
        Absent::Closed | Absent::Broken => Failure::new(Who::Client, Phase::Request),
    };
    if conn.door.fe.ir.http_ignore_probes {
        return;
    }
    txn.first_byte = None;
    refuse(conn, &mut txn, failure).await;
    finish(&mut txn, !conn.door.fe.ir.dontlognull);
}

/// How an exchange went on after the request was read.
pub(super) enum Flow {
    /// The response was sent; the connection may live on.
    Done(Next),
    /// Answer with the failure's error page, if it has one.
    Failed(Failure),
}

/// Serve the request whose first bytes are in the connection's input.
pub(super) async fn run(conn: &mut Conn) -> Next {
    let base = if conn.requests == 0 { conn.accepted } else { conn.last_end };
    let mut txn = Txn::new(conn, base);
    txn.is_http = true;
    txn.first_byte = Some(clock::now());
    match request::read_head(conn, &mut txn).await {
        Ok(Reading::Done) => {}
        Ok(Reading::Halfway) => return Next::Halfway,
        Err(failure) => {
            refuse(conn, &mut txn, failure).await;
            finish(&mut txn, true);
            super::linger(conn, false).await;
            return Next::Close;
        }
    }
    txn.times.request = Some(clock::now());
    txn.as_proxy =
        conn.door.fe.ir.use_proxy_header && !matches!(txn.req.uri().first(), None | Some(b'/' | b'*'));
    let facts = match prepare_as(&mut txn.req, conn.door.fe.ir.accept_unsafe_request) {
        Ok(_) if txn.req.is_beyond(txn.head_room()) || txn.req.len() >= txn.most_headers() => {
            Err(Refusal::BadRequest)
        }
        Ok(facts) if !body::open(conn, &mut txn, &facts) => Err(Refusal::BadRequest),
        other => other,
    };
    let facts = match facts {
        Ok(facts) => facts,
        Err(refusal) => {
            // What cannot be trusted is no request for anybody who reads the log.
            txn.times.request = None;
            refuse(conn, &mut txn, Failure::new(Who::Proxy, Phase::Request).status(refusal.status())).await;
            finish(&mut txn, true);
            super::linger(conn, true).await;
            return Next::Close;
        }
    };
    if !txn.payload_complete && conn.door.listener.ir.tcp.delays_acks {
        // Nothing is said before there is more.
        conn.io.acknowledge_at_once();
    }
    txn.req.settle();
    request::note_line(&mut txn);
    txn.request_number = txn.door.live().next_unique();
    if txn.door.live().config.reads_unique_id || !txn.door.fe.ir.log_steps.is_empty() {
        txn.make_unique_id();
    }
    // A line about the beginning knows of no request yet.
    let (at, line) = (txn.times.request.take(), txn.request_line.take());
    lines::at(&mut txn, LogStep::Accept);
    (txn.times.request, txn.request_line) = (at, line);
    request::capture(&mut txn);
    lines::at(&mut txn, LogStep::Request);
    let mut facts = facts;
    let next = match serve(conn, &mut txn, &mut facts).await {
        Flow::Done(next) => next,
        Flow::Failed(failure) => {
            txn.failure = failure;
            if failure.status == 0 {
                Next::Close
            } else if failure.who == Who::Client && txn.body_sent != BodySent::All && !facts.body.is_empty() {
                // Who left in its request is not told what it is worth.
                txn.status = failure.status;
                Next::Close
            } else if failure.who == Who::Proxy && failure.phase == Phase::Request && failure.status == 400 {
                // A body that broke the grammar: the message never became a whole request.
                txn.status = 400;
                answer::write(conn, &mut txn, &error_page::raw(400)).await;
                Next::Close
            } else {
                let (head, body) = answer::error(&txn, failure.status);
                let keep = !matches!(failure.status, 400 | 408) && keep(conn, &txn, &facts);
                answer::send_as(failure.status, conn, &mut txn, head, &body, keep).await
            }
        }
    };
    txn.links.client_stays = next == Next::KeepAlive;
    finish(&mut txn, true);
    txn.give_back(conn);
    super::ended(conn);
    if next == Next::Close {
        super::linger(conn, !facts.body.is_empty()).await;
    }
    next
}

/// Could the client's connection carry another request after an answer of the proxy's own? Then what is here of this
/// one's body is thrown away.
pub(super) fn keep(conn: &mut Conn, txn: &Txn, facts: &Facts) -> bool {
    if !facts.keep_alive || ends_client(txn) || txn.door.live().stop.ends_client() {
        return false;
    }
    match txn.body_sent {
        BodySent::All => true,
        BodySent::Part => false,
        BodySent::Nothing => body::skip(conn, facts),
    }
}

/// Is the client's connection to end with this exchange? That is the frontend's alone to say.
pub(super) fn ends_client(txn: &Txn) -> bool {
    txn.door.fe.ir.http_conn_mode == HttpConnMode::Close
}

/// The stricter of both proxies' ways to end exchanges with servers.
pub(super) fn mode(txn: &Txn) -> HttpConnMode {
    let rank = |m: HttpConnMode| match m {
        HttpConnMode::KeepAlive => 0,
        HttpConnMode::ServerClose => 1,
        HttpConnMode::Close => 2,
    };
    let (a, b) = (txn.door.fe.ir.http_conn_mode, txn.be().ir.http_conn_mode);
    if rank(a) >= rank(b) { a } else { b }
}

fn count_request(conn: &Conn, txn: &Txn) {
    let now = clock::now_ms();
    let c = &conn.frontend().counters;
    c.req_rate.add(1, now);
    c.req_tot.inc();
    c.h1_total_streams.inc();
    txn.door.live().process.cum_req.inc();
}

async fn serve(conn: &mut Conn, txn: &mut Txn, facts: &mut Facts) -> Flow {
    if !txn.door.fe.ir.tcp_request_content.is_empty() {
        // These rules have their turn before there is a request.
        let line = txn.request_line.take();
        if let Err(failure) = inspect(conn, txn, facts, |txn| &txn.door.fe).await {
            request::forget_captures(txn);
            return Flow::Failed(failure);
        }
        txn.request_line = line;
    }
    count_request(conn, txn);
    if let Some(flow) = local::monitor(conn, txn, facts).await {
        return flow;
    }
    if txn.door.fe.ir.http_buffer_request
        && let Err(flow) = buffer(conn, txn, facts).await
    {
        return flow;
    }
    if has_request_phase(&txn.door.fe) {
        let fe = txn.door.fe.clone();
        if let Some(flow) = request_phase(conn, txn, facts, &fe).await {
            return flow;
        }
    }
    let Some(be) = body::shown(conn, txn, facts, |txn| rules::choose_backend(txn)) else {
        if txn.is_cut {
            body::count_unfinished(conn, txn);
            return Flow::Failed(Failure::new(Who::Client, Phase::Request).status(0));
        }
        return Flow::Failed(Failure::new(Who::Server, Phase::Connect));
    };
    enter_backend(txn, be);
    if txn.be().ir.mode == Mode::Tcp {
        // Its servers do not speak HTTP.
        return Flow::Failed(Failure::new(Who::Internal, Phase::Request));
    }
    if !Arc::ptr_eq(&txn.door.fe, txn.be()) {
        if let Err(failure) = inspect(conn, txn, facts, |txn| txn.be()).await {
            return Flow::Failed(failure);
        }
        if txn.be().ir.http_buffer_request
            && !txn.door.fe.ir.http_buffer_request
            && let Err(flow) = buffer(conn, txn, facts).await
        {
            return flow;
        }
        if has_request_phase(txn.be()) {
            let be = txn.be().clone();
            if let Some(flow) = request_phase(conn, txn, facts, &be).await {
                return flow;
            }
        }
    }
    if txn.is_cut {
        // The client is gone, and what it left is no whole request. What rules had to say of it they have said.
        return Flow::Failed(Failure::new(Who::Client, Phase::Request));
    }
    // What a server says to HEAD has no body, even if the client asked for one.
    facts.is_head |= txn.req.method() == b"HEAD";
    // A rule that names the server leaves nothing to the cookie.
    let assigned = body::shown(conn, txn, facts, |txn| rules::use_server(txn));
    let by_cookie = persist::read(txn, assigned.is_some());
    txn.make_unique_id();
    forwarded::add(txn);
    let direct: Option<Arc<Server>> = assigned.or(by_cookie);
    match txn.be().ir.backend.as_ref().map(|half| &half.balance) {
        // What names the server may be in the body.
        Some(Balance::UrlParam(_)) if direct.is_none() && txn.req.method() == b"POST" => {
            if let Err(flow) = buffer(conn, txn, facts).await {
                return flow;
            }
            body::keep(conn, txn, facts);
        }
        Some(Balance::Hash) => body::keep(conn, txn, facts),
        _ => {}
    }
    let Some(ir) = &txn.be().ir.backend else {
        return Flow::Failed(Failure::new(Who::Server, Phase::Connect));
    };
    // The client of a connection's first request may not try again by itself when a kept connection proves closed.
    let is_safe = conn.requests > 0 || ir.retry_on.makes_up_for_stale();
    let reuse = match ir.http_reuse {
        _ if mode(txn) != HttpConnMode::KeepAlive => false,
        HttpReuse::Never => false,
        HttpReuse::Safe => is_safe,
        HttpReuse::Aggressive | HttpReuse::Always => true,
    };
    let mut plan = outbound::Plan {
        wanted: direct.clone(),
        direct: direct.is_some(),
        reuse,
        ..outbound::Plan::default()
    };
    plan.proven = ir.http_reuse == HttpReuse::Aggressive && !is_safe;
    plan.left = txn.max_retries.unwrap_or(ir.retries);
    plan.own = mode(txn) == HttpConnMode::KeepAlive;
    let bound = conn.extra.as_ref().is_some_and(|extra| extra.bound);
    if plan.wanted.is_none() && (ir.prefer_last_server || bound) && !ir.balance.is_hash() {
        plan.preferred = conn.owned_server(txn.be().idx);
    }
    forward::run(conn, txn, facts, &mut plan, direct.as_ref()).await
}

/// Waits for the body of a request, or says how the exchange ends without it.
async fn buffer(conn: &mut Conn, txn: &mut Txn, facts: &mut Facts) -> Result<(), Flow> {
    match body::buffer(conn, txn, facts).await {
        Ok(()) => Ok(()),
        Err(failure) if failure.who == Who::Proxy => Err(local::malformed(conn, txn).await),
        Err(failure) => Err(Flow::Failed(failure)),
    }
}

/// `tcp-request content` rules of one of the two proxies, which see the request too.
async fn inspect(
    conn: &mut Conn,
    txn: &mut Txn,
    facts: &Facts,
    whose: fn(&Txn) -> &Arc<Proxy>,
) -> Result<(), Failure> {
    if whose(txn).ir.tcp_request_content.is_empty() {
        return Ok(());
    }
    let complete = body::is_complete(conn, txn, facts);
    let proxy = whose(txn).clone();
    // The request counts as received when nothing more is asked of it.
    let received = txn.times.request.take();
    tcp::inspect(conn, txn, &proxy, complete).await?;
    txn.times.request = received;
    if !complete {
        // More of it may have come.
        txn.body = BufferedBody::Unknown;
    }
    Ok(())
}

/// Has [`request_phase`] anything to do for `proxy`? Most requests meet one that has nothing, and a copy of what all
/// requests of a proxy share is dear.
fn has_request_phase(proxy: &Proxy) -> bool {
    let ir = &proxy.ir;
    ir.restrict_names.is_some() || !ir.http_request.is_empty() || ir.stats.is_some()
}

/// Rules and statistics page of one proxy.
async fn request_phase(
    conn: &mut Conn,
    txn: &mut Txn,
    facts: &mut Facts,
    proxy: &Arc<Proxy>,
) -> Option<Flow> {
    match proxy.ir.restrict_names {
        Some(RestrictNames::Delete) => {
            txn.req.remove_if(|name, _| !request::is_plain_name(name));
        }
        Some(RestrictNames::Reject) if txn.req.headers().any(|(name, _)| !request::is_plain_name(name)) => {
            let refusal = Answer { status: 403, body: AnswerBody::ErrorPage, headers: Vec::new() };
            return Some(local::deny(conn, txn, facts, &refusal, Phase::Request).await);
        }
        _ => {}
    }
    let mut from = 0;
    while !proxy.ir.http_request.is_empty() {
        let outcome = body::shown(conn, txn, facts, |txn| rules::http_request(txn, proxy, from));
        txn.apply_tags(conn);
        if !txn.early_hints.is_empty() {
            local::early_hints(conn, txn).await;
        }
        match outcome {
            Verdict::Continue => break,
            // What undecided conditions wait for will not come before the request goes on.
            Verdict::Wait { rule } => {
                if txn.is_final {
                    break;
                }
                txn.is_final = true;
                from = rule;
            }
            Verdict::WaitForBody { rule, time, at_least } => {
                body::continue_if_expected(conn, txn, facts).await;
                match body::wait(conn, txn, facts, at_least, Some(time)).await {
                    Waited::Enough | Waited::Left => {}
                    Waited::TimedOut => {
                        txn.waiting_ends();
                        // The rules are part of what it takes to receive a request.
                        body::count_unfinished(conn, txn);
                        let who = board::blame(Who::ClientTimeout);
                        return Some(Flow::Failed(Failure::new(who, Phase::Request).status(408)));
                    }
                    Waited::Malformed => {
                        return Some(Flow::Failed(Failure::new(Who::Proxy, Phase::Request)));
                    }
                }
                from = rule;
            }
            Verdict::Pause { rule, time } => {
                if !hold::pause(conn, time).await {
                    return Some(Flow::Failed(Failure::new(Who::Client, Phase::Request).status(0)));
                }
                from = rule;
            }
            Verdict::Resolve { rule, host } => {
                if let HttpAction::Resolve(resolve) = &proxy.ir.http_request[rule].action
                    && !hold::resolve(conn, txn, resolve, host).await
                {
                    return Some(Flow::Failed(Failure::new(Who::Client, Phase::Request).status(0)));
                }
                from = rule + 1;
            }
            Verdict::NoRoom => {
                hold::count_internal(txn);
                txn.times.request = None;
                return Some(Flow::Failed(Failure::new(Who::Proxy, Phase::Request).status(500)));
            }
            Verdict::Deny(a) => return Some(local::deny(conn, txn, facts, &a, Phase::Request).await),
            Verdict::Malformed => return Some(local::malformed(conn, txn).await),
            Verdict::Tarpit(a) => return Some(local::tarpit(conn, txn, facts, &a).await),
            Verdict::Answer(a) => return Some(local::returned(conn, txn, facts, &a).await),
            Verdict::Service(which) => return Some(local::serve(conn, txn, facts, which).await),
            // Nothing but a response rule says `close`.
            Verdict::Reject | Verdict::Close | Verdict::SilentDrop(_) => {
                txn.times.request = None;
                if !matches!(outcome, Verdict::SilentDrop(_)) {
                    refused::rejected(conn, txn);
                    // It counts where the request would have gone, whether it had got there or not.
                    txn.be().backend.iter().for_each(|be| be.counters.dreq.inc());
                }
                txn.failure = Failure { who: Who::Proxy, phase: Phase::Request, ..Failure::default() };
                return Some(instead::without_answer(conn, txn, &outcome));
            }
        }
    }
    if proxy.ir.stats.is_some() {
        return local::page(conn, txn, facts, proxy).await;
    }
    None
}

/// Answer what never became a request.
async fn refuse(conn: &mut Conn, txn: &mut Txn, failure: Failure) {
    txn.failure = failure;
    txn.status = failure.status;
    txn.end_step = LogStep::Error;
    txn.request_number = txn.door.live().next_unique();
    (txn.links.stream, txn.links.began) = (false, txn.first_byte.is_some());
    if let Some(fe) = &txn.door.fe.frontend {
        fe.counters.ereq.inc();
        fe.counters.req_tot.inc();
        fe.counters.req_rate.add(1, clock::now_ms());
    }
    conn.door.listener.counters.ereq.inc();
    let message = if answer::has_configured(txn, failure.status) {
        let (mut head, body) = answer::error(txn, failure.status);
        if answer::is_silence(&head) {
            // An empty page: not a word.
            return;
        }
        head.set(b"connection", b"close");
        [head.to_bytes(), body].concat()
    } else {
        error_page::raw(failure.status)
    };
    answer::write(conn, txn, &message).await;
    // Nobody counts an answer to what was no request.
    txn.bytes_out = 0;
}

/// Counters and the log line.
fn finish(txn: &mut Txn, logged: bool) {
    txn.ended = Some(clock::now());
    let status = txn.status;
    let who = txn.failure.who;
    let by_client = match who {
        // One that leaves before its request is whole has left this backend, if it was in one; before there is a
        // connection to a server, nothing is broken off.
        Who::Client => !matches!(txn.failure.phase, Phase::Queue | Phase::Connect),
        Who::ClientTimeout => txn.failure.phase != Phase::Request,
        _ => false,
    };
    let ended = matches!(who, Who::Server | Who::ServerTimeout | Who::Killed | Who::Down | Who::Up);
    let by_server = ended && txn.failure.phase == Phase::Data;
    // The end came before that of the response.
    let broken = by_server && who == Who::Server && txn.times.data.is_some();
    txn.count_bytes();
    txn.count_spliced();
    let is_stale = txn.failure == Failure::STALE;
    // An answer with status 0 is the server's alone.
    let is_counted = (status != 0 || txn.server_status != Some(0)) && !is_stale;
    if let Some(fe) = txn.door.fe.frontend.as_ref().filter(|_| is_counted) {
        fe.counters.hrsp.count(status);
    }
    if txn.entered {
        txn.leave_server();
        let txn: &Txn = txn;
        let spent = Spent::of(txn);
        if let Some(be) = &txn.be().backend {
            let c = &be.counters;
            c.sessions.dec();
            if is_counted {
                c.req_tot.inc();
                c.hrsp.count(status);
            }
            if by_client {
                c.cli_abrt.inc();
            } else if by_server {
                c.srv_abrt.inc();
            }
            if broken {
                c.eresp.inc();
            }
            spent.add_to(&c.times, c.req_tot.get());
        }
        if let Some(server) = &txn.server {
            let c = &server.counters;
            // What never answered is no request of this server. What rules make of its answer is not its doing.
            if let Some(status) = txn.server_status.filter(|_| txn.times.data.is_some()) {
                c.req_tot.inc();
                c.hrsp.count(status);
                txn.be().observe(server, Seen::Status(status));
            }
            if by_client {
                c.cli_abrt.inc();
            } else if by_server {
                c.srv_abrt.inc();
            }
            if broken {
                c.eresp.inc();
            }
            spent.add_to(&c.times, c.req_tot.get());
        }
    }
    if logged && !is_stale {
        if txn.links.stream {
            txn.make_unique_id();
        }
        lines::at_end(txn);
    }
}
