//! What the engine lends for an evaluation: a borrowed view of the session, and traits for what it owns.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::ir::ProxyIdx;
use crate::ir::expr::{
    CostNumber, Dir, ProcessNumber, ProxyNumber, ServerNumber, TcpNumber, TimeoutName, Timer, Value, VarName,
};

use super::vars::Vars;

pub use super::connect_error::{ConnectError, Prologue};

/// A parsed message head. Header indexes run from 0 in the order of the message; a removed header is not counted.
pub trait Head {
    /// Method of a request; empty for a response.
    fn method(&self) -> &[u8];
    /// Request target as received; empty for a response.
    fn uri(&self) -> &[u8];
    /// `1.0`, `1.1`, `2.0`: (major, minor); zeroes where the protocol has another name.
    fn version(&self) -> (u8, u8);
    /// Status of a response; 0 for a request.
    fn status(&self) -> u16;
    /// Reason of a response; empty for a request.
    fn reason(&self) -> &[u8] {
        &[]
    }
    /// Number of header lines.
    fn header_count(&self) -> usize;
    /// Name (any case) and value (outer blanks removed) of a header line.
    fn header(&self, index: usize) -> (&[u8], &[u8]);
    /// First header line at or after `from` whose name is `name` (in lower case). An implementation that keeps
    /// an index of names answers faster than this.
    fn find(&self, name: &[u8], from: usize) -> Option<usize> {
        (from..self.header_count()).find(|i| self.header(*i).0.eq_ignore_ascii_case(name))
    }
    /// Value of the first header called `name` (in lower case).
    fn first(&self, name: &[u8]) -> Option<&[u8]> {
        self.find(name, 0).map(|i| self.header(i).1)
    }
}

/// A head that rules may change.
pub trait EditHead: Head {
    /// Appends a header line.
    fn push_header(&mut self, name: &[u8], value: &[u8]);
    /// Replaces the value of a header line.
    fn set_header_value(&mut self, index: usize, value: &[u8]);
    /// Removes a header line; the following ones move up.
    fn remove_header(&mut self, index: usize);
    /// Replaces the method.
    fn set_method(&mut self, method: &[u8]);
    /// Replaces the request target.
    fn set_uri(&mut self, uri: &[u8]);
    /// Replaces status and reason of a response. `None`: the standard reason of the status.
    fn set_status(&mut self, status: u16, reason: Option<&str>);
}

/// Numbers that change while sessions run. Every method may be called in the middle of an evaluation, so
/// none may block.
pub trait Live {
    /// A number of a proxy. -1 where it has no limit.
    fn proxy(&self, proxy: ProxyIdx, number: ProxyNumber) -> i64;
    /// A number of the server at `index` of a backend.
    fn server(&self, backend: ProxyIdx, index: u32, number: ServerNumber) -> i64;
    /// A number of the process.
    fn process(&self, number: ProcessNumber) -> i64;
    /// Connections on the session's listener.
    fn listener_connections(&self) -> i64;
    /// A proxy by name, for `nbsrv` as a converter and names computed per request.
    fn proxy_by_name(&self, name: &[u8]) -> Option<ProxyIdx>;
    /// A server by its name and that of its backend (`None`: the session's), for names computed per request.
    fn server_by_name(&self, backend: Option<&[u8]>, name: &[u8]) -> Option<(ProxyIdx, u32)> {
        let _ = (backend, name);
        None
    }
    /// Is there a frontend of that name?
    fn has_frontend(&self, name: &[u8]) -> bool {
        let _ = name;
        false
    }
    /// What the kernel counts for the client's (`Req`) or the server's connection; times in microseconds.
    fn tcp(&self, side: Dir, number: TcpNumber) -> Option<i64> {
        let _ = (side, number);
        None
    }
    /// The headers of the packet that opened the client's connection, if its listener keeps them; once.
    fn saved_syn(&self) -> Option<Vec<u8>> {
        None
    }
    /// A variable of scope `proc`.
    fn proc_var(&self, name: &VarName) -> Option<Value>;
    /// All variables of scope `proc`, with their names.
    fn proc_vars(&self) -> Vec<(Arc<str>, Value)> {
        Vec::new()
    }
    /// What the stream has cost so far.
    fn cost(&self, number: CostNumber) -> i64 {
        let _ = number;
        0
    }
    /// Sets or, with `None`, forgets one in the middle of an evaluation.
    fn set_proc_var(&self, name: &VarName, value: Option<Value>) {
        let _ = (name, value);
    }
    /// Is this one of the machine's own addresses?
    fn is_local(&self, addr: IpAddr) -> bool;
    /// 64 random bits.
    fn random(&self) -> u64;
    /// `tune.bufsize`.
    fn buffer_size(&self) -> usize {
        16384
    }
    /// A timeout in effect, milliseconds; `None`: none is set.
    fn timeout(&self, name: TimeoutName) -> Option<i64>;
}

/// Wall-clock time and the zone it is shown in.
#[derive(Clone, Copy)]
pub struct Clock<'a> {
    /// Microseconds since 1970.
    pub now_us: i64,
    /// Zone of dates in log lines and of `ltime`.
    pub zone: &'a jiff::tz::TimeZone,
}

/// What does not change while the process runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process<'a> {
    /// Host name.
    pub hostname: &'a str,
    /// Process id.
    pub pid: u32,
    /// Number of this thread, from 0.
    pub thread: u32,
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// TCP.
    Ip(SocketAddr),
    /// A unix socket, which has no address.
    Unix,
    /// A pair of sockets: it has not even a name.
    Pair,
}

impl Peer {
    /// The socket address.
    #[must_use]
    pub fn ip(self) -> Option<SocketAddr> {
        match self {
            Peer::Ip(addr) => Some(addr),
            Peer::Unix | Peer::Pair => None,
        }
    }
}

/// The client's side.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client<'a> {
    /// The client, as rules may have set it.
    pub src: Option<Peer>,
    /// The address it connected to, as rules may have set it.
    pub dst: Option<Peer>,
    /// The client as the connection or its PROXY line says.
    pub fc_src: Option<Peer>,
    /// The address it connected to as the connection or its PROXY line says.
    pub fc_dst: Option<Peer>,
    /// Name of the listener; `None` if it was not given.
    pub listener_name: Option<&'a str>,
    /// Id of the listener.
    pub listener_id: u32,
    /// When the connection was accepted, microseconds since 1970.
    pub accept_us: i64,
    /// It came with a PROXY line; `None` while one is waited for, and where the wait was in vain.
    pub received_proxy: Option<bool>,
    /// Extensions of its PROXY header: type and value.
    pub tlvs: &'a [(u8, Box<[u8]>)],
    /// The listener is encrypted.
    pub tls: bool,
    /// First request of the connection.
    pub first_request: bool,
}

/// A proxy's names.
#[derive(Clone, Copy, Debug)]
pub struct ProxyView<'a> {
    /// Position in the configuration.
    pub idx: ProxyIdx,
    /// `id`.
    pub id: u32,
    /// Name.
    pub name: &'a str,
    /// Is it in HTTP mode?
    pub http: bool,
    /// Default backend's name (frontends).
    pub default_backend: Option<&'a str>,
    /// Captures declared, request and response (frontends).
    pub captures: (usize, usize),
}

impl Default for ProxyView<'_> {
    fn default() -> Self {
        Self { idx: ProxyIdx(0), id: 0, name: "", http: false, default_backend: None, captures: (0, 0) }
    }
}

/// The server's side.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerView<'a> {
    /// Name; `<NOSRV>` and `<STATS>` are said through [`Ctx::no_server`].
    pub name: &'a str,
    /// `id`.
    pub id: u32,
    /// Position in its backend.
    pub index: u32,
    /// Our end of the connection.
    pub bc_src: Option<Peer>,
    /// Its end.
    pub bc_dst: Option<Peer>,
}

/// When things happened, in milliseconds after the connection was accepted; -1 where they have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Length of the PROXY and TLS handshakes.
    pub handshake: i64,
    /// Length of the idle time before the first byte of the request, -1 in TCP mode.
    pub idle: i64,
    /// End of the request head.
    pub request: i64,
    /// A server slot was found.
    pub queue: i64,
    /// The server accepted.
    pub connect: i64,
    /// End of the response head.
    pub data: i64,
    /// End of the session (now, while it runs).
    pub close: i64,
}

impl Default for Timers {
    fn default() -> Self {
        Self { handshake: 0, idle: -1, request: -1, queue: -1, connect: -1, data: -1, close: 0 }
    }
}

impl Timers {
    /// A timer of the manual's 8.4. `http`: the backend is in HTTP mode, where data starts after the head.
    #[must_use]
    pub fn get(&self, timer: Timer, http: bool) -> i64 {
        let before = if self.idle >= 0 { self.idle + self.handshake } else { 0 };
        let since = |end: i64, start: i64| if end >= 0 { end - start } else { -1 };
        match timer {
            Timer::Handshake => self.handshake,
            Timer::Idle => self.idle,
            Timer::Request => since(self.request, self.idle + self.handshake),
            Timer::Query => self.request,
            Timer::Wait => since(self.queue, self.request),
            Timer::Connect => since(self.connect, self.queue),
            Timer::Response => since(self.data, self.connect),
            Timer::Data => {
                let start = if http { self.data } else { self.connect };
                if start >= 0 { self.close - start } else { -1 }
            }
            Timer::Active => self.close - before,
            Timer::Total => self.close,
            Timer::User => self.close - self.idle.max(0),
        }
    }
}

/// How the connections of a transaction stand, for those who look into the engine (`term_events`, `fs.id`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// There is a stream: a request came, or in TCP mode a connection.
    pub stream: bool,
    /// Where there is none: something came.
    pub began: bool,
    /// It is over.
    pub over: bool,
    /// The client's connection goes on.
    pub client_stays: bool,
    /// The server's connection goes on.
    pub server_stays: bool,
    /// The server ended its connection.
    pub server_ended: bool,
    /// The request is no longer there to be looked at: it went to a server, or was answered here.
    pub request_gone: bool,
    /// The server answered.
    pub answered: bool,
    /// Requests that the client's connection carried before.
    pub client_requests: u32,
    /// Requests that the server's connection carried before.
    pub server_requests: u32,
}

/// What is known of the transaction so far; complete when its log line is written.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Timers.
    pub timers: Timers,
    /// Status sent to the client, -1 before.
    pub status: i32,
    /// Bytes from the client to the server.
    pub bytes_in: u64,
    /// Bytes from the server to the client.
    pub bytes_out: u64,
    /// The four characters of `%tsc` (manual, 8.5); the first two are `%ts`.
    pub term: [u8; 4],
    /// Connection attempts beyond the first.
    pub retries: u32,
    /// It went to another server than first chosen.
    pub redispatched: bool,
    /// Requests before it in the server's queue.
    pub server_queue: u32,
    /// Requests before it in the backend's queue.
    pub backend_queue: u32,
    /// First line of the request as received (method, target, version); `None`: it could not be read.
    pub request_line: Option<&'a [u8]>,
    /// `%CC`: captured request cookie (`NAME=VALUE`).
    pub request_cookie: Option<&'a [u8]>,
    /// `%CS`: captured response cookie.
    pub response_cookie: Option<&'a [u8]>,
    /// `%ID`, `unique-id`.
    pub unique_id: Option<&'a [u8]>,
    /// `%rt`.
    pub request_counter: u64,
    /// `%lc`.
    pub log_counter: u64,
    /// The server's connection carried requests before.
    pub reused: bool,
    /// `retries` of the backend, and those that count for this session.
    pub max_retries: (u32, u32),
    /// The final rule that was evaluated last.
    pub last_rule: Option<&'a crate::ir::Place>,
    /// The rule that waited when the end came.
    pub waiting: Option<&'a crate::ir::Place>,
    /// Status of the response as the server sent it; 0: there was none.
    pub server_status: u16,
    /// What became of the connection to the server; `None`: there is none.
    pub server_connection: Option<ConnectError>,
    /// What became of the handshake of a client that got no session.
    pub client_connection: Option<ConnectError>,
    /// The request was made as to a proxy, and is to be authenticated as one does (`option http-use-proxy-header`).
    pub as_proxy: bool,
    /// Class and offset in queues.
    pub priority: (i32, i32),
    /// Its connections.
    pub links: Links,
    /// `%OG`: when in the session's life this is evaluated.
    pub origin: &'static str,
    /// Lines are written before the end (`option logasap`): `+` before `%B`, `%Tt`, `%Ta`.
    pub early: bool,
}

impl Progress<'_> {
    /// Whether there is a stream, or may be one yet.
    #[must_use]
    pub fn has_stream(&self) -> bool {
        self.links.stream || !self.links.over
    }
}

impl Default for Progress<'_> {
    fn default() -> Self {
        Self {
            timers: Timers::default(),
            status: -1,
            bytes_in: 0,
            bytes_out: 0,
            term: *b"----",
            retries: 0,
            reused: false,
            max_retries: (0, 0),
            redispatched: false,
            server_queue: 0,
            backend_queue: 0,
            request_line: None,
            request_cookie: None,
            response_cookie: None,
            unique_id: None,
            request_counter: 0,
            log_counter: 0,
            last_rule: None,
            waiting: None,
            server_status: 0,
            client_connection: None,
            server_connection: None,
            as_proxy: false,
            priority: (0, 0),
            links: Links::default(),
            origin: "txn_close",
            early: false,
        }
    }
}

/// Captured headers of a transaction, by slot.
#[derive(Clone, Debug, Default)]
pub struct Captures {
    /// Request side.
    pub request: Vec<Option<Box<[u8]>>>,
    /// Response side.
    pub response: Vec<Option<Box<[u8]>>>,
    /// What converters captured while the session was only lent to them; kept at the next chance.
    deferred: std::cell::RefCell<Vec<Deferred>>,
}

/// Message, slot and text of what was captured.
type Deferred = (Dir, usize, Box<[u8]>);

impl Captures {
    /// Captures a text in the middle of an evaluation.
    pub fn defer(&self, dir: Dir, slot: usize, text: &[u8]) {
        self.deferred.borrow_mut().push((dir, slot, text.into()));
    }

    /// Keeps what converters captured, as far as the slots go: their lengths, of the request and of the response.
    pub fn settle(&mut self, request: &[usize], response: &[usize]) {
        for (dir, slot, text) in std::mem::take(self.deferred.get_mut()) {
            let (slots, lengths) = match dir {
                Dir::Req => (&mut self.request, request),
                Dir::Res => (&mut self.response, response),
            };
            let Some(length) = lengths.get(slot) else { continue };
            if slots.len() <= slot {
                slots.resize(slot + 1, None);
            }
            slots[slot] = Some(text[..text.len().min(*length)].into());
        }
    }

    /// Is there something that [`settle`](Self::settle) would keep?
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.deferred.borrow().is_empty()
    }
}

/// Bytes received but not yet sent on: the payload of a TCP session, or the body of a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Buffered<'a> {
    /// The bytes.
    pub data: &'a [u8],
    /// No more will come.
    pub complete: bool,
    /// Announced length of a body.
    pub announced: Option<u64>,
    /// Bytes of its last chunk, of those that have begun, that have not come yet.
    pub coming: u64,
}

/// The borrowed view that an evaluation works on. Cheap to build: references and small numbers.
#[derive(Clone, Copy)]
pub struct Ctx<'a> {
    /// Time.
    pub clock: Clock<'a>,
    /// Process.
    pub process: Process<'a>,
    /// Client side.
    pub client: Client<'a>,
    /// Frontend.
    pub frontend: ProxyView<'a>,
    /// Backend; the frontend itself until one is chosen.
    pub backend: ProxyView<'a>,
    /// Server, once chosen.
    pub server: Option<ServerView<'a>>,
    /// What `%s` says without a server: `<NOSRV>`, or `<STATS>`.
    pub no_server: &'a str,
    /// Request head, if there is one.
    pub request: Option<&'a dyn Head>,
    /// Response head, if there is one.
    pub response: Option<&'a dyn Head>,
    /// Bytes from the client.
    pub request_data: Buffered<'a>,
    /// Bytes from the server.
    pub response_data: Buffered<'a>,
    /// Variables.
    pub vars: &'a Vars,
    /// Captures.
    pub captures: &'a Captures,
    /// The transaction so far.
    pub progress: Progress<'a>,
    /// Numbers that change.
    pub live: &'a dyn Live,
    /// No more data will come, or the inspection delay is over: what is undecided now is false.
    pub is_final: bool,
    /// What came from the client is no beginning of a request: there will be none.
    pub not_http: bool,
}

impl fmt::Debug for Ctx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx")
            .field("client", &self.client)
            .field("frontend", &self.frontend.name)
            .field("backend", &self.backend.name)
            .field("server", &self.server)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}
