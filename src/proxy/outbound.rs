//! Getting a connection to a server: pick, queue, reuse, connect, retry, redispatch.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::board;
use super::connect::{self, Missed};
use super::failure::{Failure, Phase, Who};
use super::pool::{Kept, Want};
use super::route::bond;
use super::stream::Stream;
use super::txn::Txn;
use super::worker::{Conn, with};
use crate::balance::{KeySource, key};
use crate::expr::ctx::{ConnectError, Peer};
use crate::expr::{Ctx, Session as _, eval};
use crate::ir::expr::{Fetch, SampleType, Value};
use crate::ir::proxy::{HashFunction, PersistRule};
use crate::live::{Address, Backend, Pick, Proxy, Seen, Server, Slot};
use crate::sys::clock;

/// A connection to a server and the place it takes there.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) io: Stream,
    pub(super) slot: Slot,
    /// It carried requests before.
    pub(super) requests: u32,
    /// What it was made for, see [`Kept::key`](super::pool::Kept::key).
    pub(super) key: u64,
    /// No other client may use it.
    pub(super) private: bool,
}

/// What decides where to go.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The server of the persistence cookie or `use-server`, or the one that is tried once more.
    pub(super) wanted: Option<Arc<Server>>,
    /// The cookie or a rule named it, and nothing led away from it.
    pub(super) direct: bool,
    /// It was waited for before.
    pub(super) again: bool,
    /// The server of a connection that is the client's own (`option prefer-last-server`).
    pub(super) preferred: Option<Arc<Server>>,
    /// An idle connection will do.
    pub(super) reuse: bool,
    /// Only one that has carried a request after its first: its server keeps connections (`http-reuse aggressive`).
    pub(super) proven: bool,
    /// One that only this client has used will do.
    pub(super) own: bool,
    /// Tries left, `retries`.
    pub(super) left: u32,
    /// The server that failed last.
    pub(super) avoid: Option<usize>,
}

/// `persist rdp-cookie`: the server whose address and port the client's cookie names, as a terminal server writes
/// them: two decimal numbers in the byte order of the wire, `ADDRESS.PORT.`.
pub(super) fn rdp_server(txn: &Txn) -> Option<Arc<Server>> {
    let name = txn.be().ir.backend.as_ref()?.persist_rdp_cookie.as_ref()?;
    let fetch = Fetch::RdpCookie(Some(name.as_bytes().into()));
    let Value::Str(cookie) = crate::expr::fetch::one(&fetch, &txn.ctx()).ok()?.to_value() else {
        return None;
    };
    let text = std::str::from_utf8(&cookie).ok()?;
    let (address, rest) = text.split_once('.')?;
    let port = rest.split_once('.').map_or(rest, |(port, _)| port);
    let wanted = SocketAddr::from((
        address.parse::<u32>().ok()?.to_le_bytes(),
        u16::from_be_bytes(port.parse::<u16>().ok()?.to_le_bytes()),
    ));
    let backend = txn.be().backend.as_ref()?;
    let persist = txn.be().ir.backend.as_ref()?.persist;
    let found =
        backend.servers().iter().find(|s| matches!(s.address(), Address::Ip(a) if a == wanted)).cloned();
    found.filter(|s| s.takes_persistent() || persist || txn.persistence == Some(PersistRule::Force))
}

/// Key of the balancing algorithm for this transaction.
fn balance_key(txn: &Txn) -> Option<u32> {
    let ir = txn.be().ir.backend.as_ref()?;
    let kind = ir.hash_type;
    match key::key_source(&ir.balance) {
        KeySource::None => None,
        KeySource::Source => txn.src.map(|a| key::source(kind, a.ip())),
        KeySource::Uri { path_only } => {
            let target =
                if path_only { txn.req.path_and_query() } else { None }.unwrap_or_else(|| txn.req.uri());
            key::uri(kind, &ir.balance, target)
        }
        KeySource::UrlParam(name) => key::url_param(kind, name, txn.req.uri()).or_else(|| {
            (txn.req.method() == b"POST").then(|| key::body_param(kind, name, txn.body_data()))?
        }),
        KeySource::Header(name) => {
            let lower = name.to_ascii_lowercase();
            txn.req.get(lower.as_bytes()).and_then(|v| key::header(kind, &ir.balance, v))
        }
        KeySource::Expr => {
            let wanted = if kind.function == HashFunction::None { SampleType::Str } else { SampleType::Bin };
            let ctx = Ctx { is_final: true, ..txn.ctx() };
            let value = eval(ir.hash_expr.as_ref()?, &ctx).ok()?.cast(wanted)?;
            key::bytes(kind, &value.into_text())
        }
        KeySource::RdpCookie(name) => {
            let fetch = Fetch::RdpCookie(Some(name.as_bytes().into()));
            match crate::expr::fetch::one(&fetch, &txn.ctx()).ok()?.to_value() {
                Value::Str(cookie) => key::bytes(kind, &cookie),
                _ => None,
            }
        }
    }
}

/// Find a server and a connection to it.
///
/// On failure the counters of failed connections are bumped and the failure says how the session ends.
pub(super) async fn establish(conn: &mut Conn, txn: &mut Txn, plan: &mut Plan) -> Result<Upstream, Failure> {
    // What chooses a server finds none of the request's any more.
    txn.vars.answer();
    loop {
        let (slot, waited) = take_slot(conn, txn, plan).await?;
        // Borrowed from the slot: copies of what every request of a proxy shares are dear.
        let (be, server) = (slot.proxy(), slot.server());
        let Some(backend) = &be.backend else { return Err(Failure::new(Who::Server, Phase::Connect)) };
        let balanced = plan.wanted.is_none() && plan.preferred.is_none() && !waited;
        note_server(txn, backend, server, balanced);
        if server.ir.redir.is_some() && matches!(txn.req.method(), b"GET" | b"HEAD") {
            count_session(server);
            return Err(Failure { who: Who::Local, phase: Phase::Connect, status: 302 });
        }
        let key = bond(txn, server);
        if plan.own
            && let Some((io, requests)) = conn.take_own(be.idx, server, key)
        {
            txn.server_reused = true;
            count_connection(txn, backend, server);
            count_session(server);
            txn.server_connection = Some(ConnectError::None);
            txn.times.connect = Some(clock::now());
            return Ok(Upstream { io, slot, requests, key, private: true });
        }
        let want = Want { proven: plan.proven, key };
        if plan.reuse
            && let Some(kept) = with(|w| w.shared.idle.take(w.index, be.idx, server, want))
        {
            txn.server_reused = true;
            count_connection(txn, backend, server);
            count_session(server);
            txn.server_connection = Some(ConnectError::None);
            txn.times.connect = Some(clock::now());
            let Kept { io, requests, key } = kept;
            return Ok(Upstream { io, slot, requests, key, private: false });
        }
        loop {
            // Attempts count, not successes.
            count_connection(txn, backend, server);
            let has_room =
                !server.ir.strict_maxconn || with(|w| w.shared.idle.make_room(w.index, be.idx, server));
            let made = match has_room {
                true => connect::connect(conn, txn, server).await,
                false => Err(Missed { failure: Failure::new(Who::Server, Phase::Connect), at_once: true }),
            };
            if !matches!(made, Err(Missed { at_once: true, .. })) {
                count_session(server);
            }
            match made {
                Ok(io) => {
                    be.observe(server, Seen::Connected);
                    txn.times.connect = Some(clock::now());
                    return Ok(Upstream { io, slot, requests: 0, key, private: false });
                }
                Err(Missed { failure, at_once }) => {
                    if matches!(failure.who, Who::Client | Who::Killed | Who::Down | Who::Up) {
                        // It says nothing of the server.
                        return Err(failure.status(0));
                    }
                    be.observe(server, Seen::NotConnected);
                    if !can_retry(be, plan) || failure.who == Who::Internal {
                        backend.counters.econ.inc();
                        server.counters.econ.inc();
                        return Err(failure);
                    }
                    // Who has been waited for is not waited for again, and what fails here may be had the next moment.
                    let pause = !at_once && failure.who == Who::Server;
                    if retry(conn, txn, plan, server, pause).await {
                        break;
                    }
                    if Watch::of(txn).left(conn, &mut Context::from_waker(Waker::noop())) {
                        return Err(Failure::new(Who::Client, Phase::Connect));
                    }
                    backend.counters.wretr.inc();
                    server.counters.wretr.inc();
                }
            }
        }
    }
}

fn can_retry(be: &Proxy, plan: &Plan) -> bool {
    plan.left > 0 && be.ir.backend.as_ref().is_some_and(|b| b.retry_on.conn_failure)
}

/// One more try after a failure on `server`. True: with any server. `pause`: the same server gets a moment.
pub(super) async fn retry(
    conn: &mut Conn,
    txn: &mut Txn,
    plan: &mut Plan,
    server: &Arc<Server>,
    pause: bool,
) -> bool {
    let be = txn.be().clone();
    let (Some(ir), Some(backend)) = (&be.ir.backend, &be.backend) else { return true };
    plan.left = plan.left.saturating_sub(1);
    txn.retries += 1;
    plan.reuse = false;
    plan.own = false;
    plan.preferred = None;
    let tries = txn.retries as i32;
    let (active, _) = backend.usable();
    let forced = txn.persistence == Some(PersistRule::Force);
    let elsewhere = ir.redispatch.filter(|_| !forced).is_some_and(|every| {
        let last = txn.max_retries.unwrap_or(ir.retries) as i32 + 1 + every;
        !server.takes_persistent()
            || (every > 0 && tries % every == 0)
            || (every < 0 && last > 0 && tries % last == 0)
            || (!plan.direct && active > 1 && !ir.balance.is_hash())
    });
    if elsewhere {
        (plan.wanted, plan.direct, plan.again) = (None, false, false);
        plan.avoid = Some(server.index);
    }
    // Where there is no other one, the choice falls on the same again.
    if pause && (!elsewhere || active <= 1) {
        let delay = txn.limits.connect.unwrap_or(Duration::MAX).min(Duration::from_secs(1));
        conn.deadline.set(Some(clock::now() + delay));
        let watch = Watch::of(txn);
        poll_fn(|cx| {
            if watch.left(conn, cx) {
                return Poll::Ready(());
            }
            conn.deadline.poll(cx)
        })
        .await;
    }
    elsewhere
}

/// A connection that is used, or made. Whoever has had one that was used before counts, as in HAProxy, as having one ever
/// after: those of its further attempts are no others.
fn count_connection(txn: &Txn, backend: &Backend, server: &Server) {
    if txn.server_reused {
        backend.counters.reuse.inc();
        server.counters.reuse.inc();
    } else {
        backend.counters.connect.inc();
        server.counters.connect.inc();
    }
}

/// A session has a connection to `server`, or has begun to make one.
fn count_session(server: &Server) {
    let now = clock::now_ms();
    server.counters.stot.inc();
    server.counters.rate.add(1, now);
    server.counters.last_session.set(now / 1000 + 1);
}

/// A new server for the transaction: counted, and as redispatch if it had another one. `balanced`: it is the
/// algorithm's choice, not that of a cookie, and not the server that took it out of the queue.
fn note_server(txn: &mut Txn, backend: &Backend, server: &Arc<Server>, balanced: bool) {
    if let Some(old) = &txn.server {
        if Arc::ptr_eq(old, server) {
            backend.counters.wretr.inc();
            server.counters.wretr.inc();
            return;
        }
        old.counters.sessions.dec();
    }
    let awaited = txn.awaited.take().filter(|old| !Arc::ptr_eq(old, server));
    if let Some(old) = txn.server.clone().or(awaited) {
        note_redispatch(txn, &old);
    }
    server.counters.sessions.inc();
    if balanced {
        server.counters.lbtot.inc();
        backend.counters.lbtot.inc();
    }
    super::board::server(server);
    txn.server = Some(server.clone());
}

/// The session goes elsewhere than to this server.
fn note_redispatch(txn: &mut Txn, old: &Server) {
    txn.redispatched = true;
    old.counters.wredis.inc();
    if let Some(backend) = &txn.be().backend {
        backend.counters.wredis.inc();
    }
    if txn.cookies[0] == b'V' {
        // The server it named was of no use.
        txn.cookies[0] = b'D';
    }
}

/// `%sq` or `%bq`.
fn note_position(txn: &mut Txn, for_server: bool, position: u32) {
    *if for_server { &mut txn.server_queue } else { &mut txn.backend_queue } = position;
}

/// The algorithm's choice counts though it has no place.
fn note_choice(txn: &Txn, server: &Server, chosen: bool) {
    if let Some(backend) = txn.be().backend.as_ref().filter(|_| chosen) {
        server.counters.lbtot.inc();
        backend.counters.lbtot.inc();
    }
}

/// No place came free in time, or there was none in line.
fn count_unserved(txn: &Txn) {
    if let Some(backend) = &txn.be().backend {
        backend.counters.econ.inc();
    }
    if let Some(server) = &txn.awaited {
        server.counters.econ.inc();
    }
}

/// May a client stay with its last server? Not behind more than `max-keep-alive-queue` in line.
fn may_stay(be: &Proxy, server: &Server) -> bool {
    let most = be.ir.backend.as_ref().and_then(|half| half.max_keep_alive_queue);
    most.is_none_or(|most| be.has_room(server) || server.counters.queued.get() < most)
}

/// A place on a server, after waiting in line if need be; and whether it was the queue that gave it.
async fn take_slot(conn: &mut Conn, txn: &mut Txn, plan: &mut Plan) -> Result<(Slot, bool), Failure> {
    loop {
        let be = txn.be();
        plan.preferred = plan.preferred.take().filter(|server| may_stay(be, server));
        let named = plan.wanted.as_ref().or(plan.preferred.as_ref());
        let chosen = named.is_none();
        let pick = match named {
            Some(server) => be.pick_server(server, txn.priority),
            None => be.pick(balance_key(txn), plan.avoid, txn.priority),
        };
        if let Pick::Full(server) = &pick {
            note_choice(txn, server, chosen);
            let redispatch = be.ir.backend.as_ref().is_some_and(|half| half.redispatch.is_some());
            if plan.direct && redispatch && txn.persistence != Some(PersistRule::Force) {
                (plan.wanted, plan.direct) = (None, false);
                // Wherever it waits now, and whether it gets a place at all.
                note_redispatch(txn, server);
                continue;
            }
        }
        let mut ticket = match pick {
            Pick::Slot(slot) => {
                if !plan.again {
                    txn.times.queue = Some(clock::now());
                }
                return Ok((slot, false));
            }
            Pick::Nobody => {
                if let Some(backend) = &be.backend {
                    backend.counters.econ.inc();
                }
                return Err(Failure::new(Who::Server, Phase::Connect));
            }
            Pick::Full(server) => {
                txn.awaited = Some(server);
                count_unserved(txn);
                return Err(Failure::new(Who::Server, Phase::Queue));
            }
            Pick::Wait(ticket) => ticket,
        };
        let for_server = ticket.server().is_some();
        if let Some(server) = ticket.server() {
            note_choice(txn, server, chosen);
        }
        txn.awaited = ticket.server().cloned();
        let watch = Watch::of(txn);
        conn.deadline.set(txn.limits.queue.map(|d| clock::now() + d));
        let woken = {
            let mut wait = pin!(ticket.wait());
            poll_fn(|cx| {
                if let Poll::Ready(slot) = wait.as_mut().poll(cx) {
                    return Poll::Ready(Ok(slot));
                }
                if watch.left(conn, cx) {
                    return Poll::Ready(Err(Failure::new(Who::Client, Phase::Queue)));
                }
                let late = board::blame(Who::ServerTimeout);
                conn.deadline.poll(cx).map(|()| Err(Failure::new(late, Phase::Queue)))
            })
            .await
        };
        match woken {
            Ok(Some(slot)) => {
                note_position(txn, for_server, slot.position());
                txn.times.queue = Some(clock::now());
                return Ok((slot, true));
            }
            // It is sent on, wherever that is.
            Ok(None) if txn.persistence != Some(PersistRule::Force) => {
                (plan.wanted, plan.direct, plan.preferred) = (None, false, None);
            }
            Ok(None) => {}
            Err(failure) => {
                note_position(txn, for_server, ticket.position());
                txn.times.queue = Some(clock::now());
                if failure.who == Who::ServerTimeout {
                    count_unserved(txn);
                }
                return Err(failure);
            }
        }
    }
}

/// `abortonclose`: is a client that closes to be left alone at once?
pub(super) fn watches_client(txn: &Txn) -> bool {
    txn.be().ir.abortonclose
}

/// What is looked for in a client while its request waits for a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    on: bool,
    /// So many bytes behind the head are of this request.
    body: u64,
}

impl Watch {
    pub(super) fn of(txn: &Txn) -> Self {
        Self { on: watches_client(txn), body: txn.body_ahead }
    }

    /// Has it closed? What comes of the request meanwhile is taken in as far as there is room for it: the end is behind it.
    pub(super) fn left(self, conn: &mut Conn, cx: &mut Context<'_>) -> bool {
        if !self.on {
            return false;
        }
        loop {
            let (held, full) =
                conn.input.as_ref().map_or((0, false), |input| (input.len() as u64, input.is_full()));
            if held >= self.body || full {
                // Where it has asked for something else already, that comes first.
                return held <= self.body && has_ended(conn, cx);
            }
            match conn.poll_fill(cx) {
                Poll::Ready(Ok(1..)) => {}
                ended => {
                    conn.rest();
                    return ended.is_ready();
                }
            }
        }
    }
}

fn has_ended(conn: &mut Conn, cx: &mut Context<'_>) -> bool {
    matches!(conn.io.poll_peek(cx), Poll::Ready(Ok(0) | Err(_)))
}

/// Has the client closed while it waits for an answer? Where it has asked for something else already, that comes first.
pub(super) fn client_left(conn: &mut Conn, cx: &mut Context<'_>) -> bool {
    conn.input.is_none() && has_ended(conn, cx)
}

/// Notes both ends of the connection to the server. They are worth system calls where the configuration looks at them,
/// which few do.
pub(super) fn note_addresses(txn: &mut Txn, server: &Server, io: &Stream) {
    if !txn.door.fe.ir.reads_server_addresses && !txn.be().ir.reads_server_addresses {
        return;
    }
    (txn.server_src, txn.server_addr) = match server.address() {
        Address::Unix(_) => (Some(Peer::Unix), Some(Peer::Unix)),
        Address::SockPair(_) => (None, Some(Peer::Pair)),
        // One whose handshake failed has nobody at its other end, and is on its way to somebody all the same.
        _ => (io.local_addr().map(Peer::Ip), io.peer_addr().map(Peer::Ip).or(txn.server_addr)),
    };
}
