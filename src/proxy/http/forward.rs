//! The request to a server and to another one where that is safe or asked for; what becomes of its connection.

use std::sync::Arc;

use super::exchange::{Flow, mode};
use super::instead::redirected;
use super::respond::respond;
use super::wait::{Exchange, Loss, wait_head};
use super::{answer, body};
use crate::http::case;
use crate::http::mend::{self, Mended};
use crate::http::request::{self, Facts};
use crate::http::response::BadResponse;
use crate::http::{Body, Head, Parser, Version, response};
use crate::ir::log::LogStep;
use crate::ir::proxy::{HttpConnMode, HttpReuse, RetryOn};
use crate::live::{Seen, Server};
use crate::proxy::failure::{Failure, Phase, Who};
use crate::proxy::hold;
use crate::proxy::lines;
use crate::proxy::outbound::{self, Plan, Upstream};
use crate::proxy::pool::{Counted, Kept};
use crate::proxy::pump::Pump;
use crate::proxy::rules;
use crate::proxy::txn::{BodySent, Txn};
use crate::proxy::worker::{Conn, Own, with};
use crate::sys::clock;

/// What came of one attempt.
enum Attempt {
    /// The exchange is over.
    Over(Flow),
    /// Nothing of a response was seen; why.
    Lost(Failure, Loss),
}

/// What `retry-on` names of what can happen to a request that was sent.
#[derive(Clone, Copy, Debug, Default)]
struct Causes {
    empty: bool,
    junk: bool,
    timeout: bool,
    /// These, or a status.
    any: bool,
}

impl Causes {
    fn of(retry_on: &RetryOn) -> Self {
        let (empty, junk) = (retry_on.empty_response, retry_on.junk_response);
        let timeout = retry_on.response_timeout;
        Self { empty, junk, timeout, any: empty || junk || timeout || !retry_on.statuses.is_empty() }
    }

    /// Is this loss one of them? A status was only lost because it is.
    fn names(self, loss: Loss) -> bool {
        match loss {
            Loss::Empty => self.empty,
            Loss::Junk => self.junk,
            Loss::Timeout => self.timeout,
            Loss::Status => true,
        }
    }
}

/// Send the request to a server and its response to the client, trying again where that is safe or asked for.
pub(super) async fn run(
    conn: &mut Conn,
    txn: &mut Txn,
    facts: &Facts,
    plan: &mut Plan,
    direct: Option<&Arc<Server>>,
) -> Flow {
    let retry_on =
        txn.be().ir.backend.as_ref().map_or_else(Causes::default, |half| Causes::of(&half.retry_on));
    let mended =
        if rules::edit_requests(txn) { mend::request(&mut txn.req, facts) } else { Mended::default() };
    // HTTP/1.0 has no chunks: whoever sends them is not asked to go on.
    let odd = facts.odd_framing || facts.body == Body::Chunked && txn.req.version() != Version::Http11;
    let keep_server = mode(txn) == HttpConnMode::KeepAlive && !mended.close && !odd;
    let pretends =
        (txn.be().ir.http_pretend_keepalive || txn.door.fe.ir.http_pretend_keepalive) && !mended.close;
    request::te(&mut txn.req);
    if !facts.upgrade {
        request::finish(&mut txn.req, keep_server || pretends);
    }
    if outbound::watches_client(txn) {
        txn.body_ahead = body::ahead(conn, facts.body);
    }
    let ways = (plan.own, plan.reuse);
    // What follows CONNECT is no message: it has no end.
    let replay = if facts.is_connect || !retry_on.any { None } else { replay_of(conn, facts) };
    loop {
        let Upstream { io, slot, requests, key, private } = match outbound::establish(conn, txn, plan).await {
            Ok(upstream) => upstream,
            Err(failure) if failure.status == 302 => return redirected(conn, txn, failure).await,
            Err(failure) => return Flow::Failed(failure),
        };
        txn.links.server_requests = requests;
        let server = slot.server();
        if let Some(name) = txn.be().ir.backend.as_ref().and_then(|b| b.send_name_header.as_ref()) {
            txn.req.set(name.to_ascii_lowercase().as_bytes(), server.name().as_bytes());
        }
        outbound::note_addresses(txn, server, &io);
        server.need.note(server.counters.used.inc());
        txn.sockets.1 = Some(io.raw_fd());
        lines::at(txn, LogStep::Connect);
        let mut kept = Kept { io, requests, key };
        let keeps = keep_server && !mended.short;
        let pooled = keeps && !private && !facts.upgrade && is_shared(txn);
        // The response is the client's where the request cannot be sent again.
        let half = slot.proxy().ir.backend.as_ref().filter(|_| replay.is_some());
        let statuses = half.map_or(&[][..], |half| &half.retry_on.statuses);
        let attempt = if mended.broken {
            Attempt::Over(unsendable(txn, server))
        } else {
            attempt(conn, txn, facts, &mut kept, server, pooled, statuses, plan, direct).await
        };
        if !kept.io.is_gone() {
            server.counters.used.dec();
        }
        txn.sockets.1 = None;
        let (failure, loss) = match attempt {
            Attempt::Over(flow) => {
                let authenticates = authenticates_connection(txn);
                if authenticates {
                    conn.extra().bound = true;
                }
                let private = private || authenticates;
                txn.leave_server();
                finish_server(conn, txn, slot, kept, keeps, private);
                return flow;
            }
            Attempt::Lost(failure, loss) => (failure, loss),
        };
        let server = server.clone();
        if txn.server_reusable {
            finish_server(conn, txn, slot, kept, keeps, private);
        } else {
            drop(kept);
            drop(slot);
        }
        if failure.who == Who::Killed || failure.who == Who::Down || failure.who == Who::Up {
            return Flow::Failed(failure);
        }
        // A kept connection that the server had closed meanwhile says nothing about the server.
        let stale = requests > 0 && loss == Loss::Empty;
        let asked = txn.retry_allowed && plan.left > 0 && replay.is_some() && retry_on.names(loss);
        if asked {
            restore(conn, txn, replay.as_deref());
            server.counters.wretr.inc();
            if let Some(be) = &txn.be().backend {
                be.counters.wretr.inc();
            }
            if loss == Loss::Junk {
                count_bad_response(txn, &server);
            }
            plan.again = !outbound::retry(conn, txn, plan, &server, false).await;
            if plan.again {
                plan.wanted = Some(server);
            }
            if loss == Loss::Status {
                // Nothing is wrong with connections there.
                (plan.own, plan.reuse) = ways;
            }
            continue;
        }
        if stale && conn.requests > 0 {
            // The client sent this on a connection it knows to be reused, and tries again when that is closed. Whether it
            // may be sent twice is the client's to know: nobody but `retry-on` does so in its place.
            return Flow::Failed(Failure::STALE);
        }
        count_bad_response(txn, &server);
        if failure.who != Who::Client && failure.who != Who::ClientTimeout {
            txn.be().observe(
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
        return Flow::Failed(failure);
    }
}

/// A request that rules left in no state to be sent. As in HAProxy it fails where it would have been written.
fn unsendable(txn: &mut Txn, server: &Server) -> Flow {
    txn.server_reusable = false;
    count_bad_response(txn, server);
    hold::count_internal(txn);
    server.counters.eint.inc();
    server.counters.srv_abrt.inc();
    if let Some(be) = &txn.be().backend {
        be.counters.srv_abrt.inc();
    }
    Flow::Failed(Failure::new(Who::Internal, Phase::Headers).status(500))
}

pub(super) fn count_bad_response(txn: &Txn, server: &Server) {
    server.counters.eresp.inc();
    if let Some(be) = &txn.be().backend {
        be.counters.eresp.inc();
    }
}

/// An answer of the server's, as HAProxy counts, though it is not the response.
fn count_told(server: &Server, resp: &Head) {
    server.counters.req_tot.inc();
    server.counters.hrsp.count(resp.status());
}

/// A copy of the request's body, which may have to be sent again, if it is all here.
fn replay_of(conn: &Conn, facts: &Facts) -> Option<Vec<u8>> {
    body::whole(conn, facts.body).map(<[u8]>::to_vec)
}

/// Put the body back in front of what the client sent behind it.
fn restore(conn: &mut Conn, txn: &mut Txn, body: Option<&[u8]>) {
    txn.body_sent = BodySent::Nothing;
    let Some(body) = body.filter(|b| !b.is_empty()) else { return };
    conn.input.get_or_insert_with(|| with(|w| w.bufs.take())).unshift(body);
}

/// Keep the server's connection or let it go.
fn finish_server(conn: &mut Conn, txn: &Txn, slot: crate::live::Slot, kept: Kept, keep: bool, private: bool) {
    let server = slot.server();
    let pooled = !private && is_shared(txn);
    let good = keep && txn.server_reusable && !kept.io.is_gone();
    if good && !pooled && !txn.door.live().is_stopping() {
        let (backend, generation) = (txn.be().idx, server.generation());
        let server = Counted::private(server.clone());
        let Kept { io, requests, key } = kept;
        conn.keep_own(Own { backend, server, io, requests: requests + 1, generation, bond: key });
    } else if good {
        share(txn, server, kept);
    } else if txn.be().ir.nolinger {
        kept.io.reset_on_close();
    }
    drop(slot);
}

/// May connections to servers serve one client after the other?
fn is_shared(txn: &Txn) -> bool {
    txn.be().ir.backend.as_ref().is_some_and(|half| half.http_reuse != HttpReuse::Never)
}

/// Leave a connection to whoever has the next request.
pub(super) fn share(txn: &Txn, server: &Arc<Server>, mut kept: Kept) {
    kept.requests += 1;
    with(|w| w.shared.idle.put(w.index, txn.be().idx, server, kept, clock::now()));
}

/// NTLM and Negotiate: the server takes everything on the connection as the one user's, so it stays the client's own.
pub(super) fn authenticates_connection(txn: &Txn) -> bool {
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
    kept: &mut Kept,
    server: &Arc<Server>,
    pooled: bool,
    retry_statuses: &[u16],
    plan: &Plan,
    direct: Option<&Arc<Server>>,
) -> Attempt {
    txn.server_reusable = false;
    let mut head = with(crate::proxy::worker::Worker::take_scratch);
    txn.req.write_to(&mut head);
    if txn.be().ir.backend.as_ref().is_some_and(|b| b.adjust_case) {
        case::respell(&mut head, &txn.door.live().config.global.header_spellings);
    }
    let body = if facts.is_connect { Body::None } else { facts.body };
    let mut x = Exchange {
        upload: Pump::new(body, head, &mut conn.input),
        refused: false,
        server_in: None,
        parser: Parser::relaxed(txn.be().ir.accept_unsafe_response),
        seen: false,
        kills: server.kills(),
        pooled,
    };
    if txn.be().ir.drop_request_trailers {
        x.upload.drop_trailers();
    } else if txn.be().ir.backend.as_ref().is_some_and(|b| b.adjust_case) {
        x.upload.respell_trailers(&txn.door.live().config.global.header_spellings);
    }
    let mut resp = txn.resp.take().unwrap_or_else(|| with(crate::proxy::worker::Worker::take_head));
    // What interim responses say of the connection holds too.
    let mut lives_on = true;
    loop {
        let waited = wait_head(conn, txn, &mut kept.io, server, &mut x, &mut resp).await;
        let outcome = match waited {
            // A rule may have changed the method: the response is framed by what was sent.
            Ok(()) => response::prepare(&mut resp, &Facts { is_head: txn.req.method() == b"HEAD", ..*facts })
                .map_err(|bad| {
                    if bad == BadResponse::Unasked {
                        count_told(server, &resp);
                    }
                    (Failure::new(Who::Proxy, Phase::Headers), Loss::Junk)
                }),
            Err(lost) => Err(lost),
        };
        // What came with it may say that it is none.
        let outcome = match outcome {
            Ok(rf)
                if !x.is_sound(txn, &rf)
                    || resp.is_beyond(txn.head_room())
                    || resp.len() >= txn.most_headers() =>
            {
                Err((Failure::new(Who::Proxy, Phase::Headers), Loss::Junk))
            }
            other => other,
        };
        let mut rf = match outcome {
            Ok(rf) => rf,
            Err((failure, loss)) => {
                txn.resp = Some(resp);
                let lost_request = failure.who == Who::Client || failure.status == 400;
                x.upload.abandon(&mut conn.input);
                return if lost_request {
                    Attempt::Over(Flow::Failed(failure))
                } else {
                    Attempt::Lost(failure, loss)
                };
            }
        };
        lives_on &= rf.keep_alive;
        rf.keep_alive = lives_on;
        if rf.interim {
            count_told(server, &resp);
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
            x.parser = Parser::relaxed(txn.be().ir.accept_unsafe_response);
            continue;
        }
        if retry_statuses.contains(&resp.status()) && plan.left > 0 && txn.retry_allowed {
            txn.resp = Some(resp);
            // Its body is not waited for.
            let over = body::is_just(rf.body, x.server_in.as_ref()) && x.upload.is_done();
            txn.server_reusable = rf.keep_alive && over && !x.refused;
            if let Some(buf) = x.server_in.take() {
                with(|w| w.bufs.give(buf));
            }
            x.upload.abandon(&mut conn.input);
            return Attempt::Lost(Failure::new(Who::Server, Phase::Headers), Loss::Status);
        }
        txn.times.data = Some(clock::now());
        resp.settle();
        txn.resp = Some(resp);
        let direct = direct.filter(|_| plan.direct);
        return Attempt::Over(respond(conn, txn, facts, kept, server, x, rf, direct).await);
    }
}
