//! Getting a connection to a server: pick, queue, reuse, connect, retry, redispatch.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::UnixStream;

use super::board;
use super::failure::{Failure, Phase, Who};
use super::pool::{Kept, Want};
use super::route::{Target, bond, on_some_port, proxy_header, source, source_from, target};
use super::stream::Stream;
use super::txn::Txn;
use super::worker::{Conn, with};
use crate::balance::{KeySource, key};
use crate::expr::ctx::ConnectError;
use crate::expr::{Ctx, Session as _, eval};
use crate::handshake::socks4;
use crate::ir::expr::{Fetch, SampleType, Value};
use crate::ir::proxy::{HashFunction, Mode, PersistRule};
use crate::live::{Address, Backend, Pick, Proxy, Seen, Server, Slot};
use crate::sys::{self, clock};

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
    /// The server of the client's last request (`option prefer-last-server`).
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
    let name = txn.be.ir.backend.as_ref()?.persist_rdp_cookie.as_ref()?;
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
    let backend = txn.be.backend.as_ref()?;
    let persist = txn.be.ir.backend.as_ref()?.persist;
    let found =
        backend.servers().iter().find(|s| matches!(s.address(), Address::Ip(a) if a == wanted)).cloned();
    found.filter(|s| s.takes_persistent() || persist || txn.persistence == Some(PersistRule::Force))
}

/// Key of the balancing algorithm for this transaction.
fn balance_key(txn: &Txn) -> Option<u32> {
    let ir = txn.be.ir.backend.as_ref()?;
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
    loop {
        let (slot, waited) = take_slot(conn, txn, plan).await?;
        // Borrowed from the slot: copies of what every request of a proxy shares are dear.
        let (be, server) = (slot.proxy(), slot.server());
        let Some(backend) = &be.backend else { return Err(Failure::new(Who::Server, Phase::Connect)) };
        note_server(txn, backend, server, plan.wanted.is_none() && !waited);
        if server.ir.redir.is_some() && matches!(txn.req.method(), b"GET" | b"HEAD") {
            return Err(Failure {
                who: Who::Local,
                phase: Phase::Connect,
                status: 302,
                ..Failure::default()
            });
        }
        let key = bond(txn, server);
        txn.server_reused = false;
        if plan.own
            && let Some((io, requests)) = conn.take_own(be.idx, server, key)
        {
            backend.counters.reuse.inc();
            server.counters.reuse.inc();
            txn.server_reused = true;
            txn.server_connection = Some(ConnectError::None);
            txn.times.connect = Some(clock::now());
            return Ok(Upstream { io, slot, requests, key, private: true });
        }
        let want = Want { proven: plan.proven, key };
        if plan.reuse
            && let Some(kept) = with(|w| w.shared.idle.take(w.index, be.idx, server, want))
        {
            backend.counters.reuse.inc();
            server.counters.reuse.inc();
            txn.server_reused = true;
            txn.server_connection = Some(ConnectError::None);
            txn.times.connect = Some(clock::now());
            let Kept { io, requests, key } = kept;
            return Ok(Upstream { io, slot, requests, key, private: false });
        }
        loop {
            // Attempts count, not successes.
            backend.counters.connect.inc();
            server.counters.connect.inc();
            let has_room =
                !server.ir.strict_maxconn || with(|w| w.shared.idle.make_room(w.index, be.idx, server));
            let made = match has_room {
                true => connect(conn, txn, server).await,
                false => Err(Failure::new(Who::Server, Phase::Connect)),
            };
            match made {
                Ok(io) => {
                    be.observe(server, Seen::Connected);
                    txn.times.connect = Some(clock::now());
                    return Ok(Upstream { io, slot, requests: 0, key, private: false });
                }
                Err(failure) => {
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
                    // Who has been waited for is not waited for again.
                    let pause = has_room && failure.who == Who::Server;
                    if retry(conn, txn, plan, server, pause).await {
                        break;
                    }
                    if watches_client(txn) && left_now(conn) {
                        return Err(Failure::new(Who::Client, Phase::Connect));
                    }
                    backend.counters.wretr.inc();
                    server.counters.wretr.inc();
                    server.counters.stot.inc();
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
    let be = txn.be.clone();
    let (Some(ir), Some(backend)) = (&be.ir.backend, &be.backend) else { return true };
    plan.left = plan.left.saturating_sub(1);
    txn.retries += 1;
    plan.reuse = false;
    plan.own = false;
    plan.preferred = None;
    let tries = txn.retries as i32;
    let (active, _) = backend.usable();
    let turns = matches!(
        ir.balance,
        crate::ir::proxy::Balance::RoundRobin
            | crate::ir::proxy::Balance::StaticRr
            | crate::ir::proxy::Balance::LeastConn
            | crate::ir::proxy::Balance::First
            | crate::ir::proxy::Balance::Random(_)
    );
    let forced = txn.persistence == Some(PersistRule::Force);
    let elsewhere = ir.redispatch.filter(|_| !forced).is_some_and(|every| {
        let last = txn.max_retries.unwrap_or(ir.retries) as i32 + 1 + every;
        !server.takes_persistent()
            || (every > 0 && tries % every == 0)
            || (every < 0 && last > 0 && tries % last == 0)
            || (!plan.direct && active > 1 && turns)
    });
    if elsewhere {
        (plan.wanted, plan.direct, plan.again) = (None, false, false);
        plan.avoid = Some(server.index);
    }
    // Where there is no other one, the choice falls on the same again.
    if pause && (!elsewhere || active <= 1) {
        let delay = txn.limits.connect.unwrap_or(Duration::MAX).min(Duration::from_secs(1));
        conn.deadline.set(Some(clock::now() + delay));
        let watch = watches_client(txn);
        poll_fn(|cx| {
            if watch && client_left(conn, cx) {
                return Poll::Ready(());
            }
            conn.deadline.poll(cx)
        })
        .await;
    }
    elsewhere
}

/// A new server for the transaction: counted, and as redispatch if it had another one. `balanced`: it is the
/// algorithm's choice, not that of a cookie, and not the server that took it out of the queue.
fn note_server(txn: &mut Txn, backend: &Backend, server: &Arc<Server>, balanced: bool) {
    let now = clock::now_ms();
    if let Some(old) = &txn.server {
        if Arc::ptr_eq(old, server) {
            backend.counters.wretr.inc();
            server.counters.wretr.inc();
            server.counters.stot.inc();
            return;
        }
        old.counters.sessions.dec();
    }
    let awaited = txn.awaited.take().filter(|old| !Arc::ptr_eq(old, server));
    if let Some(old) = txn.server.as_ref().or(awaited.as_ref()) {
        txn.redispatched = true;
        backend.counters.wredis.inc();
        old.counters.wredis.inc();
        if txn.cookies[0] == b'V' {
            // The server it named was of no use.
            txn.cookies[0] = b'D';
        }
    }
    server.counters.sessions.inc();
    server.counters.stot.inc();
    server.counters.rate.add(1, now);
    server.counters.last_session.set(now / 1000 + 1);
    if balanced {
        server.counters.lbtot.inc();
        backend.counters.lbtot.inc();
    }
    super::board::server(server);
    txn.server = Some(server.clone());
}

/// `%sq` or `%bq`.
fn note_position(txn: &mut Txn, for_server: bool, position: u32) {
    *if for_server { &mut txn.server_queue } else { &mut txn.backend_queue } = position;
}

/// The algorithm's choice counts though it has no place.
fn note_choice(txn: &Txn, server: &Server, chosen: bool) {
    if let Some(backend) = txn.be.backend.as_ref().filter(|_| chosen) {
        server.counters.lbtot.inc();
        backend.counters.lbtot.inc();
    }
}

/// No place came free in time, or there was none in line.
fn count_unserved(txn: &Txn) {
    if let Some(backend) = &txn.be.backend {
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
        let be = &txn.be;
        let named = plan.wanted.as_ref().or(plan.preferred.as_ref().filter(|server| may_stay(be, server)));
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
                txn.awaited = Some(server.clone());
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
        let watch = watches_client(txn);
        conn.deadline.set(txn.limits.queue.map(|d| clock::now() + d));
        let woken = {
            let mut wait = pin!(ticket.wait());
            poll_fn(|cx| {
                if let Poll::Ready(slot) = wait.as_mut().poll(cx) {
                    return Poll::Ready(Ok(slot));
                }
                if watch && client_left(conn, cx) {
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
    txn.be.ir.abortonclose
}

fn left_now(conn: &mut Conn) -> bool {
    client_left(conn, &mut std::task::Context::from_waker(std::task::Waker::noop()))
}

/// Has the client closed while it waits for an answer?
pub(super) fn client_left(conn: &mut Conn, cx: &mut std::task::Context<'_>) -> bool {
    conn.input.is_none() && matches!(conn.io.poll_peek(cx), Poll::Ready(Ok(0) | Err(_)))
}

/// One attempt.
async fn connect(conn: &mut Conn, txn: &mut Txn, server: &Arc<Server>) -> Result<Stream, Failure> {
    let refused = Failure::new(Who::Server, Phase::Connect);
    txn.server_connection = None;
    let Some(target) = target(txn, server) else { return Err(refused) };
    let be_ir = &txn.be.ir;
    conn.deadline.set(txn.limits.connect.map(|d| clock::now() + d));
    let mut io = match target {
        Target::Tcp(addr) => {
            txn.server_addr = Some(addr);
            let addr = server.ir.link.socks4.unwrap_or(addr);
            let Some(source) = source(txn, server) else {
                return Err(Failure::new(Who::Internal, Phase::Connect).status(500));
            };
            let keepalive = be_ir.srvtcpka.then_some(&*be_ir.server_keepalive);
            let of_client = txn.client_namespace();
            let in_messages = be_ir.mode == Mode::Http;
            let ports =
                source_from(txn, server).and_then(|from| from.ports).filter(|_| source.addr.is_some());
            let begin = |port: Option<u16>| -> io::Result<socket2::Socket> {
                let mut source = source;
                if let (Some(addr), Some(port)) = (&mut source.addr, port) {
                    addr.set_port(port);
                }
                let namespace = match server.ir.link.namespace.as_deref() {
                    Some("*") => of_client.as_deref(),
                    other => other,
                };
                let socket = sys::netns::within(namespace, || sys::tcp::outgoing(addr, source, keepalive))?;
                if in_messages {
                    // Who closes first keeps the port from use for a minute; a reset keeps none. Tunnels end politely.
                    socket.set_linger(Some(Duration::ZERO))?;
                }
                if server.ir.link.user_timeout.is_some() {
                    socket.set_tcp_user_timeout(server.ir.link.user_timeout)?;
                }
                if let Some(name) = &server.ir.link.congestion {
                    // Without the module, the kernel's own.
                    let _ = sys::tcp::set_congestion(&socket, name);
                }
                if let Some(password) = &server.ir.link.password {
                    sys::signed::with_peer(&socket, addr, password.as_bytes())?;
                }
                let has_data = in_messages || txn.payload.is_some();
                if has_data && be_ir.backend.as_ref().is_some_and(|half| half.smart_connect) {
                    let _ = sys::tcp::quick_acks(&socket, false);
                }
                // A refusal shows when the data is sent, too late for another attempt to connect.
                if server.ir.link.fast_open && txn.retries == 0 && has_data {
                    let _ = sys::tcp::fast_open(&socket);
                }
                sys::tcp::tag(&socket, txn.tags.server.0, txn.tags.server.1);
                match socket.connect(&addr.into()) {
                    Err(e) if e.raw_os_error() != Some(libc::EINPROGRESS) => Err(e),
                    _ => Ok(socket),
                }
            };
            let socket = match ports {
                None => begin(None),
                Some(ports) => on_some_port(ports, |port| begin(Some(port))),
            };
            let socket = match socket {
                Ok(socket) => socket,
                Err(e) => {
                    txn.server_connection = Some(ConnectError::of(&e));
                    let is_refused = e.kind() == io::ErrorKind::ConnectionRefused;
                    return Err(if is_refused { refused } else { local_trouble(&e) });
                }
            };
            let mut stream = Stream::connecting(socket.into());
            // Servers on this machine have answered already.
            if stream.peer_addr().is_none() {
                let ends = Ends::new(txn, server);
                wait_connected(conn, &mut stream, &ends, &mut txn.server_connection).await?;
            }
            stream
        }
        // What a relay cannot reach is not reached around it.
        Target::Unix(_) | Target::SockPair(_) if server.ir.link.socks4.is_some() => return Err(refused),
        Target::Unix(path) => {
            txn.server_addr = None;
            Stream::Unix(UnixStream::connect(path).await.map_err(|_| {
                txn.server_connection = Some(ConnectError::Socket);
                refused
            })?)
        }
        Target::SockPair(fd) => {
            txn.server_addr = None;
            let made = sys::sockpair::connect(fd).and_then(UnixStream::from_std);
            Stream::Unix(made.map_err(|_| {
                txn.server_connection = Some(ConnectError::Socket);
                refused
            })?)
        }
    };
    txn.server_connection = Some(ConnectError::None);
    if server.ir.link.socks4.is_some() {
        through_relay(conn, txn.server_addr, &Ends::new(txn, server), &mut io).await?;
    }
    if server.ir.link.send_proxy.is_on() {
        let header = proxy_header(txn, server);
        // A fresh socket takes this few bytes at once.
        let sent = poll_fn(|cx| io.poll_write(cx, &header)).await;
        if !matches!(sent, Ok(n) if n == header.len()) {
            return Err(refused);
        }
    }
    Ok(io)
}

/// Have the relay at the other end of `stream` connect to the server.
async fn through_relay(
    conn: &mut Conn,
    server: Option<SocketAddr>,
    ends: &Ends,
    stream: &mut Stream,
) -> Result<(), Failure> {
    let refused = Failure::new(Who::Server, Phase::Connect);
    let request = server.and_then(socks4::request).ok_or(refused)?;
    // A fresh socket takes this few bytes at once.
    let sent = poll_fn(|cx| stream.poll_write(cx, &request)).await;
    if !matches!(sent, Ok(n) if n == request.len()) {
        return Err(refused);
    }
    let (mut reply, mut got) = ([0; socks4::REPLY], 0);
    while got < reply.len() {
        // Not a byte more: what follows is the server's.
        got += poll_fn(|cx| match stream.poll_read(cx, &mut reply[got..]) {
            Poll::Ready(Ok(n)) if n > 0 => Poll::Ready(Ok(n)),
            Poll::Ready(_) => Poll::Ready(Err(refused)),
            Poll::Pending => ends.poll(conn, cx).map(Err),
        })
        .await?;
    }
    socks4::judge(reply).map_err(|_| refused)
}

/// What ends the wait for a connection from outside: the client, what becomes of the server, or time.
struct Ends {
    server: Arc<Server>,
    /// [`Server::kills`] when it began.
    kills: u64,
    /// The client is looked at.
    watch: bool,
}

impl Ends {
    fn new(txn: &Txn, server: &Arc<Server>) -> Self {
        Self { server: server.clone(), kills: server.kills(), watch: watches_client(txn) }
    }

    fn poll(&self, conn: &mut Conn, cx: &mut std::task::Context<'_>) -> Poll<Failure> {
        if self.watch && client_left(conn, cx) {
            return Poll::Ready(Failure::new(Who::Client, Phase::Connect));
        }
        if self.server.kills() != self.kills {
            return Poll::Ready(Failure::new(Who::by(self.server.kill_cause()), Phase::Connect));
        }
        let late = board::blame(Who::ServerTimeout);
        conn.deadline.poll(cx).map(|()| Failure::new(late, Phase::Connect))
    }
}

/// Wait until the handshake is over; `error` is told why it was not.
async fn wait_connected(
    conn: &mut Conn,
    stream: &mut Stream,
    ends: &Ends,
    error: &mut Option<ConnectError>,
) -> Result<(), Failure> {
    let refused = Failure::new(Who::Server, Phase::Connect);
    poll_fn(|cx| match stream.poll_connected(cx) {
        Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
        Poll::Ready(Err(e)) => {
            *error = Some(ConnectError::of(&e));
            Poll::Ready(Err(refused))
        }
        Poll::Pending => ends.poll(conn, cx).map(Err),
    })
    .await
}

/// Out of descriptors or memory is our trouble; anything else counts as the server's, an address or a port that is not
/// to be had too.
fn local_trouble(e: &io::Error) -> Failure {
    let ours = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    let who =
        if e.raw_os_error().is_some_and(|code| ours.contains(&code)) { Who::Resource } else { Who::Server };
    Failure::new(who, Phase::Connect)
}

/// Are the addresses of the connection to the server worth system calls? Few configurations look at them.
pub(super) fn needs_addresses(txn: &Txn) -> bool {
    txn.fe.ir.reads_server_addresses || txn.be.ir.reads_server_addresses
}
