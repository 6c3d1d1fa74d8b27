//! One transaction: what is known of it for rules, counters and its log line.

mod course;
mod view;

use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::door::Door;
use super::failure::Failure;
use super::shape::Shape;
use super::worker::{Conn, Worker, with};
use crate::buf::Buf;
use crate::expr::ctx::{Buffered, Captures, ConnectError, Links, Peer};
use crate::expr::{Session as _, Vars};
use crate::handshake::proxy_protocol::{self, Tlv};
use crate::http::{Head, Parser, Progress};
use crate::ir;
use crate::ir::log::{LogStep, Severity};
use crate::ir::proxy::{CookieMode, Mode, PersistRule};
use crate::live::{Proxy, Server};

/// Timeouts that hold for this transaction: those of the proxies unless a rule set others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub(super) client: Option<Duration>,
    pub(super) server: Option<Duration>,
    pub(super) tunnel: Option<Duration>,
    pub(super) connect: Option<Duration>,
    pub(super) queue: Option<Duration>,
    pub(super) tarpit: Option<Duration>,
}

/// When things happened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    pub(super) request: Option<Instant>,
    pub(super) queue: Option<Instant>,
    pub(super) connect: Option<Instant>,
    pub(super) data: Option<Instant>,
}

/// What may be known without reading the configuration again.
pub(super) struct Txn {
    pub(super) door: Arc<Door>,
    /// `None`: where it came in.
    chosen: Option<Arc<Proxy>>,
    /// Client and where it connected to, as rules may have set them.
    pub(super) src: Option<SocketAddr>,
    pub(super) dst: Option<SocketAddr>,
    fc_src: Option<SocketAddr>,
    fc_dst: Option<SocketAddr>,
    received_proxy: bool,
    /// Timers count from here.
    pub(super) started: Instant,
    /// End of the idle time before the request, HTTP only.
    pub(super) first_byte: Option<Instant>,
    pub(super) times: Times,
    pub(super) ended: Option<Instant>,
    pub(super) status: u16,
    /// Length of the request head as received.
    pub(super) head_len: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) failure: Failure,
    /// Dates of the persistence cookie.
    pub(super) cookie_dates: super::http::CookieDates,
    /// What a rule said of the client's bond to a server.
    pub(super) persistence: Option<PersistRule>,
    /// Third and fourth character of the termination code.
    pub(super) cookies: [u8; 2],
    pub(super) retries: u32,
    pub(super) redispatched: bool,
    pub(super) server_queue: u32,
    pub(super) backend_queue: u32,
    pub(super) server: Option<Arc<Server>>,
    /// The server in whose line this waits, or waited last for nothing.
    pub(super) awaited: Option<Arc<Server>>,
    pub(super) server_addr: Option<Peer>,
    pub(super) server_src: Option<Peer>,
    pub(super) no_server: &'static str,
    /// Bytes of this request that are behind its head, with `abortonclose`.
    pub(super) body_ahead: u64,
    pub(super) first_request: bool,
    pub(super) request_number: u64,
    pub(super) request_line: Option<Vec<u8>>,
    pub(super) req: Head,
    pub(super) resp: Option<Head>,
    /// Bytes behind the request head, or the first bytes of a TCP session, while rules look at them.
    pub(super) payload: Option<Buf>,
    /// No more will come.
    pub(super) payload_complete: bool,
    /// The client left while its body was waited for.
    pub(super) is_cut: bool,
    pub(super) is_final: bool,
    pub(super) captures: Captures,
    pub(super) vars: Vars,
    pub(super) log_level: Option<Severity>,
    pub(super) limits: Limits,
    pub(super) retry_allowed: bool,
    /// The server's connection can carry another request.
    pub(super) server_reusable: bool,
    /// It is no session of its server's any more.
    left_server: bool,
    /// A backend was chosen and counts this session.
    pub(super) entered: bool,
    pub(super) early_hints: Vec<u8>,
    pub(super) body_sent: BodySent,
    /// The final rule that was evaluated last.
    last_rule: Option<Box<ir::Place>>,
    /// The rule that waits.
    pub(super) waiting: Option<Box<ir::Place>>,
    /// Status of the response as the server sent it, which may be 0.
    pub(super) server_status: Option<u16>,
    /// What became of the connection to the server.
    pub(super) server_connection: Option<ConnectError>,
    /// What became of the handshake of a client that got no session.
    pub(super) client_connection: Option<ConnectError>,
    /// See [`crate::expr::ctx::Progress::as_proxy`].
    pub(super) as_proxy: bool,
    /// Class and offset in queues.
    pub(super) priority: (i32, i32),
    /// `nice` of the listener, or `set-nice`.
    pub(super) nice: i32,
    /// How its connections stand.
    pub(super) links: Links,
    pub(super) request_cookie: Option<Vec<u8>>,
    pub(super) response_cookie: Option<Vec<u8>>,
    /// Decoded body, where the payload is chunked; length of the body in the payload otherwise.
    pub(super) body: BufferedBody,
    /// A rule said that this is HTTP (`switch-mode http`).
    pub(super) becomes_http: bool,
    /// There is a request for conditions to look at.
    pub(super) is_http: bool,
    /// What came to a TCP proxy is not the beginning of a request.
    pub(super) not_http: bool,
    /// Bytes behind the response head, or the first bytes of a server, while rules look at them.
    pub(super) resp_payload: Option<Buf>,
    /// No more will come.
    pub(super) resp_complete: bool,
    /// What is known of these bytes.
    pub(super) resp_body: BufferedBody,
    /// `unique-id-format`, evaluated.
    pub(super) unique_id: Option<Vec<u8>>,
    /// Retries that a rule allowed.
    pub(super) max_retries: Option<u32>,
    tlvs: Option<Arc<[Tlv]>>,
    /// Types of service and marks that rules asked for.
    pub(super) tags: Tags,
    /// The server's connection carried requests before.
    pub(super) server_reused: bool,
    /// Headers that come before anything else.
    pub(super) expects: Expects,
    /// Do edits without room end the rules: of the request, of the response.
    strict: (bool, bool),
    /// Which rules are evaluated.
    pub(super) rules_step: LogStep,
    /// What the line at the end is about.
    pub(super) end_step: LogStep,
    /// Bandwidth limits that rules set.
    pub(super) shape: Option<Box<Shape>>,
    /// Sockets, for what the kernel knows of them: the client's, the server's.
    pub(super) sockets: (RawFd, Option<RawFd>),
    /// Bytes that the counters have already: in, out.
    counted: (u64, u64),
    /// Bytes of the client and of the server that went through pipes.
    pub(super) spliced: (u64, u64),
}

/// Headers that a connection is to begin with, in this order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expects {
    /// NetScaler's.
    pub(super) netscaler: bool,
    /// That of the PROXY protocol.
    pub(super) proxy: bool,
}

/// Type of service and mark of packets, where rules set them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Tags {
    /// Of packets to the client.
    pub(super) client: (Option<u8>, Option<u32>),
    /// Of packets to the server.
    pub(super) server: (Option<u8>, Option<u32>),
}

/// How much of a request's body was taken out of the client's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodySent {
    /// None of it.
    Nothing,
    /// Not all of it.
    Part,
    /// All.
    All,
}

/// What is known of the body of a request whose beginning is in the payload.
#[derive(Clone, Debug, Default)]
pub(super) enum BufferedBody {
    /// Nothing: everything that was received counts.
    #[default]
    Unknown,
    /// So many bytes.
    Length(u64),
    /// Chunked; decoded so far, and what is left of a chunk that has begun.
    Decoded(Vec<u8>, u64),
}

impl Txn {
    /// The network namespace that the client came from: what a PROXY header says, if the configuration knows it, else
    /// that of the listener.
    pub(super) fn client_namespace(&self) -> Option<Box<str>> {
        let said = self.tlvs().iter().find(|(kind, _)| *kind == proxy_protocol::TLV_NAMESPACE);
        let said = said.and_then(|(_, name)| std::str::from_utf8(name).ok());
        let known = said.filter(|name| crate::sys::netns::is_open(name));
        known.or(self.door.listener.ir.namespace.as_deref()).map(Into::into)
    }

    /// The time of a rule that waited is over: it ended the rules.
    pub(super) fn waiting_ends(&mut self) {
        self.last_rule = self.waiting.take().or_else(|| self.last_rule.take());
    }

    /// The backend, which is the frontend until there is one.
    pub(super) fn be(&self) -> &Arc<Proxy> {
        self.chosen.as_ref().unwrap_or(&self.door.fe)
    }

    /// Extensions of the client's PROXY header.
    pub(super) fn tlvs(&self) -> &[Tlv] {
        self.tlvs.as_deref().unwrap_or_default()
    }

    /// A transaction of `conn` that began at `started`.
    #[inline]
    pub(super) fn new(conn: &Conn, started: Instant) -> Self {
        super::board::begin(started);
        let req = with(Worker::take_head);
        let t = &conn.door.fe.ir.timeouts;
        let extra = conn.extra.as_deref();
        let (fc_src, fc_dst) = extra.and_then(|e| e.fc).unwrap_or((conn.src, conn.dst));
        Self {
            door: conn.door.clone(),
            chosen: None,
            src: conn.src,
            dst: conn.dst,
            fc_src,
            fc_dst,
            received_proxy: conn.received_proxy,
            started,
            first_byte: None,
            times: Times::default(),
            ended: None,
            status: 0,
            head_len: 0,
            bytes_in: 0,
            bytes_out: 0,
            failure: Failure::default(),
            cookie_dates: Default::default(),
            persistence: None,
            cookies: *b"NN",
            retries: 0,
            redispatched: false,
            server_queue: 0,
            backend_queue: 0,
            server: None,
            awaited: None,
            server_addr: None,
            server_src: None,
            body_ahead: 0,
            no_server: "<NOSRV>",
            first_request: conn.requests == 0,
            request_number: 0,
            request_line: None,
            req,
            resp: None,
            payload: None,
            payload_complete: false,
            is_cut: false,
            is_final: false,
            captures: Captures::default(),
            vars: extra.map_or_else(Vars::default, |e| e.vars.clone()),
            log_level: Some(Severity(6)),
            limits: Limits { client: t.client, tarpit: t.tarpit.or(t.connect), ..Limits::default() },
            retry_allowed: true,
            server_reusable: false,
            left_server: false,
            entered: false,
            early_hints: Vec::new(),
            body_sent: BodySent::Nothing,
            last_rule: None,
            waiting: None,
            server_status: None,
            server_connection: None,
            client_connection: None,
            as_proxy: false,
            priority: (0, 0),
            nice: conn.door.listener.ir.nice,
            links: Links { stream: true, client_requests: conn.requests, ..Links::default() },
            request_cookie: None,
            response_cookie: None,
            body: BufferedBody::Unknown,
            becomes_http: false,
            is_http: conn.door.fe.ir.mode == Mode::Http,
            not_http: false,
            resp_payload: None,
            resp_complete: false,
            resp_body: BufferedBody::Unknown,
            unique_id: None,
            max_retries: None,
            counted: (0, 0),
            spliced: (0, 0),
            strict: (true, true),
            shape: None,
            rules_step: LogStep::Close,
            end_step: LogStep::Close,
            sockets: (conn.io.raw_fd(), None),
            tags: Tags::default(),
            server_reused: false,
            expects: Expects::default(),
            tlvs: extra.map(|e| e.tlvs.clone()).filter(|t| !t.is_empty()),
        }
    }

    /// Lends what has come of the client to `look`.
    pub(super) fn lend<R>(&mut self, conn: &mut Conn, look: impl FnOnce(&mut Self) -> R) -> R {
        self.payload = conn.input.take();
        let result = look(self);
        conn.input = self.payload.take();
        result
    }

    /// The addresses are from now on those of the connection (`fc_src`, `fc_dst`).
    pub(super) fn settle_connection(&mut self) {
        (self.fc_src, self.fc_dst) = (self.src, self.dst);
    }

    /// Addresses of the connection.
    pub(super) fn connection_addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        (self.fc_src, self.fc_dst)
    }

    /// Types of service and marks towards the client take effect.
    pub(super) fn apply_tags(&mut self, conn: &Conn) {
        let tags = std::mem::take(&mut self.tags.client);
        if tags != (None, None) {
            conn.io.tag(tags);
        }
    }

    /// What converters captured goes into the frontend's slots.
    pub(super) fn settle_captures(&mut self) {
        if self.captures.is_settled() {
            return;
        }
        let (request, response) = match &self.door.fe.ir.frontend {
            Some(half) => (&half.request_slots[..], &half.response_slots[..]),
            None => (&[][..], &[][..]),
        };
        self.captures.settle(request, response);
    }

    /// Bytes that a head may have.
    pub(super) fn head_room(&self) -> usize {
        let global = &self.door.live().config.global;
        global.bufsize.saturating_sub(global.maxrewrite)
    }

    /// `tune.http.maxhdr`: one more than the headers that a head may have.
    pub(super) fn most_headers(&self) -> usize {
        self.door.live().config.global.maxhdr
    }

    /// Conditions of a TCP proxy may ask for parts of a request: is what has come the beginning of one?
    pub(super) fn look_for_request(&mut self) {
        let received = self.payload.as_ref().map_or(&[][..], Buf::filled);
        let most = self.most_headers();
        match Parser::relaxed(self.door.fe.ir.accept_unsafe_request).request(received, &mut self.req, most) {
            Ok(Progress::Complete(_)) => self.is_http = true,
            Ok(Progress::Incomplete) => {}
            Err(_) => self.not_http = true,
        }
    }

    /// What outlives the transaction goes back to its connection.
    pub(super) fn give_back(&mut self, conn: &mut Conn) {
        if self.vars.is_empty() && conn.extra.is_none() {
            return;
        }
        let mut vars = std::mem::take(&mut self.vars);
        vars.start_over();
        if conn.extra.is_some() || !vars.is_empty() {
            conn.extra().vars = vars;
        }
    }

    /// `retries` of the backend, and those that count now.
    fn max_retries(&self) -> (u32, u32) {
        let of_backend = self.be().ir.backend.as_ref().map_or(0, |b| b.retries);
        (of_backend, self.max_retries.unwrap_or(of_backend))
    }

    /// Evaluate `unique-id-format`, once.
    pub(super) fn make_unique_id(&mut self) {
        let format = self.door.fe.ir.frontend.as_ref().and_then(|f| f.unique_id_format.as_ref());
        let Some(format) = format.filter(|_| self.unique_id.is_none()) else { return };
        self.unique_id = Some(crate::expr::logformat::to_vec(format, &self.ctx()));
    }

    /// Choose a backend: its timeouts hold from now on.
    pub(super) fn set_backend(&mut self, be: Arc<Proxy>) {
        let t = &be.ir.timeouts;
        let limits = &mut self.limits;
        // What rules of another section set held until here, but for the tarpit's.
        if !Arc::ptr_eq(&be, &self.door.fe) {
            (limits.server, limits.connect, limits.tunnel, limits.queue) = (None, None, None, None);
        }
        limits.server = limits.server.or(t.server);
        limits.connect = limits.connect.or(t.connect);
        limits.tunnel = limits.tunnel.or(t.tunnel);
        limits.queue = limits.queue.or(t.queue).or(t.connect);
        limits.tarpit = limits.tarpit.or(t.tarpit).or(t.connect);
        if !Arc::ptr_eq(self.be(), &be) {
            // A frontend's `set-retries` ends where another section takes over.
            self.max_retries = None;
        }
        super::board::backend(be.idx);
        self.chosen = Some(be);
        self.entered = true;
    }

    /// Termination code.
    pub(super) fn term(&self) -> [u8; 4] {
        let [who, phase] = self.failure.code();
        // Who has no cookie, or only reads one, says nothing of it.
        let cookie = self.be().ir.backend.as_ref().and_then(|half| half.cookie.as_ref());
        let silent = cookie.is_none_or(|cookie| cookie.mode == CookieMode::Passive && !cookie.indirect);
        let [request, response] = if silent { *b"--" } else { self.cookies };
        [who, phase, request, response]
    }

    /// Keep a copy of what is seen of the body now.
    pub(super) fn keep_body(&mut self) {
        if !matches!(self.body, BufferedBody::Decoded(..)) {
            self.body = BufferedBody::Decoded(self.buffered().data.to_vec(), 0);
        }
    }

    /// What is seen of the body.
    pub(super) fn body_data(&self) -> &[u8] {
        self.buffered().data
    }

    /// The response as rules and log lines see it. One of this program's own is there until it is sent.
    fn response_shown(&self) -> Option<&Head> {
        let is_gone = self.ended.is_some() && self.server_status.is_none();
        self.resp.as_ref().filter(|_| !is_gone)
    }

    /// Bytes received behind the head.
    fn buffered(&self) -> Buffered<'_> {
        seen(self.payload.as_ref(), &self.body, self.payload_complete)
    }
}

/// Bytes behind a head, of which so much is known.
fn seen<'t>(payload: Option<&'t Buf>, body: &'t BufferedBody, complete: bool) -> Buffered<'t> {
    let received = payload.map_or(&[][..], Buf::filled);
    let (data, announced, coming) = match body {
        BufferedBody::Unknown => (received, None, 0),
        BufferedBody::Length(n) => {
            (&received[..received.len().min(usize::try_from(*n).unwrap_or(usize::MAX))], Some(*n), 0)
        }
        BufferedBody::Decoded(data, coming) => (data.as_slice(), None, *coming),
    };
    Buffered { data, complete, announced, coming }
}

impl Drop for Txn {
    fn drop(&mut self) {
        super::board::end();
        let req = std::mem::take(&mut self.req);
        let resp = self.resp.take();
        with(|w| {
            w.give_head(req);
            if let Some(resp) = resp {
                w.give_head(resp);
            }
        });
    }
}
