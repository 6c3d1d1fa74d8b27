//! Where samples come from (manual, 7.3.2 and on).

use std::sync::Arc;

use super::super::{ProxyIdx, Userlist};
use super::{Dir, Scope, Term, TimeUnit, Value, VarName};

/// A proxy that a fetch speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyRef {
    /// The frontend of the session.
    CurrentFrontend,
    /// The backend of the session (the frontend until one is chosen).
    CurrentBackend,
    /// A named one.
    Named(ProxyIdx),
}

/// A server that a fetch speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerRef {
    /// Its backend.
    pub proxy: ProxyRef,
    /// Position in [`crate::ir::proxy::Backend::servers`].
    pub index: u32,
    /// Name.
    pub name: Box<str>,
}

/// Live numbers of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyNumber {
    /// `nbsrv`: usable servers.
    UsableServers,
    /// `be_conn`: connections on the backend, queued ones included.
    BackendConnections,
    /// `be_conn_free`: free slots of all servers, -1 without limit.
    BackendConnectionsFree,
    /// `be_sess_rate`: sessions per second.
    BackendSessionRate,
    /// `fe_conn`.
    FrontendConnections,
    /// `fe_sess_rate`.
    FrontendSessionRate,
    /// `fe_req_rate`.
    FrontendRequestRate,
    /// `queue`: connections waiting in the backend's queues.
    Queue,
    /// `avg_queue`: that, divided by the number of usable servers.
    AverageQueue,
    /// `connslots`.
    ConnectionSlots,
}

/// Live numbers of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerNumber {
    /// `srv_is_up`: 0 or 1.
    IsUp,
    /// `srv_conn`.
    Connections,
    /// `srv_conn_free`, -1 without limit.
    ConnectionsFree,
    /// `srv_queue`.
    Queue,
    /// `srv_sess_rate`.
    SessionRate,
    /// `srv_weight`: effective.
    Weight,
    /// `srv_iweight`: as configured.
    InitialWeight,
    /// `srv_uweight`: as set by the administrator.
    UserWeight,
}

/// Live numbers of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcessNumber {
    /// Connections (`%ac`, `act_conn`).
    Connections,
    /// `stopping`: 0 or 1.
    Stopping,
    /// Seconds since the start.
    Uptime,
    /// `cpu_usage_proc`, `cpu_usage_grp`: percent of their time that the threads worked of late.
    Usage,
    /// `cpu_usage_thr`: the same of the thread that asks.
    ThreadUsage,
}

/// What a stream costs. Times are measured while tasks are profiled, and 0 otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CostNumber {
    /// `cpu_calls`: steps it took.
    Calls,
    /// `cpu_ns_tot`: processor time of all of them, nanoseconds.
    Cpu,
    /// `cpu_ns_avg`: of one.
    CpuPerCall,
    /// `lat_ns_tot`: time from being woken to the step, nanoseconds.
    Latency,
    /// `lat_ns_avg`: of one.
    LatencyPerCall,
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `src`: the client as rules may have set it.
    Src,
    /// `dst`: the address the client connected to, as rules may have set it.
    Dst,
    /// `fc_src`: the client as the connection (or PROXY protocol) says.
    FcSrc,
    /// `fc_dst`.
    FcDst,
    /// `bc_src`: our end of the connection to the server.
    BcSrc,
    /// `bc_dst`: the server.
    BcDst,
}

/// Configured timeouts that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeoutName {
    /// `be_server_timeout`.
    BeServer,
    /// `fe_tarpit_timeout`.
    FeTarpit,
    /// `be_tunnel_timeout`.
    BeTunnel,
    /// `fe_client_timeout`.
    FeClient,
    /// `cur_server_timeout`.
    CurServer,
    /// `cur_tunnel_timeout`.
    CurTunnel,
    /// `be_connect_timeout`.
    BeConnect,
    /// `be_queue_timeout`.
    BeQueue,
    /// `be_tarpit_timeout`.
    BeTarpit,
    /// `cur_client_timeout`.
    CurClient,
    /// `cur_connect_timeout`.
    CurConnect,
    /// `cur_queue_timeout`.
    CurQueue,
    /// `cur_tarpit_timeout`.
    CurTarpit,
}

/// A sample fetch with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub enum Fetch {
    /// `int`, `str`, `bool`, `always_true`, `env`, `hostname`... whatever is known at load.
    Const(Value),
    /// `env(NAME)` of what is not set: known at load not to be there.
    Absent,
    /// `var(NAME[,DEFAULT])`.
    Var(VarName, Option<Value>),
    /// `date([OFFSET[,UNIT]])`.
    Date(i64, TimeUnit),
    /// `date_us`: microseconds within the second.
    DateMicros,
    /// `accept_date([UNIT])`.
    AcceptDate(TimeUnit),
    /// `request_date([UNIT])`.
    RequestDate(TimeUnit),
    /// `rand([RANGE])`.
    Rand(Option<u32>),
    /// `uuid`, version 4.
    Uuid,
    /// `thread`.
    Thread,
    /// `pid`.
    Pid,
    /// Numbers of the process.
    Process(ProcessNumber),
    /// Numbers of a proxy.
    Proxy(ProxyRef, ProxyNumber),
    /// Numbers of a server.
    Server(ServerRef, ServerNumber),
    /// `src`, `dst` and relatives: the address.
    Addr(Endpoint),
    /// `src_port`, `dst_port` and relatives.
    Port(Endpoint),
    /// `src_is_local`, `dst_is_local`.
    IsLocal(Endpoint),
    /// `dst_conn`: connections on the same listener.
    ListenerConnections,
    /// `fe_name`.
    FrontendName,
    /// `fe_id`.
    FrontendId,
    /// `fe_defbe`.
    FrontendDefaultBackend,
    /// `be_name`.
    BackendName,
    /// `be_id`.
    BackendId,
    /// `srv_name`.
    ServerName,
    /// `srv_id`.
    ServerId,
    /// `so_name`.
    ListenerName,
    /// `so_id`.
    ListenerId,
    /// `fc_rcvd_proxy`.
    ReceivedProxy,
    /// `bc_reused`: the server's connection carried requests before.
    ServerReused,
    /// `be_max_retries`, and with `true` `cur_max_retries`.
    MaxRetries(bool),
    /// `fc_pp_authority`, `fc_pp_unique_id`, `fc_pp_tlv(TYPE)`: an extension of the client's PROXY header.
    ProxyTlv(u8),
    /// `fc_rtt`, `bc_rttvar`, `fc_lost`...: what the kernel knows of the client's or the server's connection.
    Tcp {
        /// `Req`: the client's.
        side: Dir,
        /// What.
        number: TcpNumber,
        /// Times in microseconds, not in milliseconds.
        micros: bool,
    },
    /// `fc_saved_syn`: the headers of the packet that opened the client's connection (`tcp-ss`).
    SavedSyn,
    /// `bc_srv_queue`, and with `false` `bc_be_queue`: requests before this one in the queue.
    QueuedBefore(bool),
    /// `fc_http_major`.
    FrontHttpMajor,
    /// `bc_http_major`.
    BackHttpMajor,
    /// Timeouts, milliseconds.
    Timeout(TimeoutName),
    /// `ssl_fc`, `ssl_bc`... as long as no connection is encrypted: a constant false on this side.
    IsTls(Dir),
    /// `wait_end`: true once no more data will come.
    WaitEnd,
    /// `req.len`, `res.len`: bytes in the buffer.
    BufferLen(Dir),
    /// `req.payload`, `res.payload` (offset, length; 0: what is there).
    Payload(Dir, usize, usize),
    /// `req.payload_lv(OFFSET,SIZE[,DATA])`.
    PayloadLv {
        /// Message.
        dir: Dir,
        /// Where the length stands.
        offset: usize,
        /// Bytes of the length, big-endian.
        size: usize,
        /// Where the data starts: `Ok` absolute, `Err` relative to the end of the length.
        data: Result<usize, i64>,
    },
    /// `distcc_param(TOKEN[,OCCURRENCE])`, `distcc_body`.
    Distcc {
        /// Message.
        dir: Dir,
        /// Four characters.
        token: [u8; 4],
        /// Which of those tokens, from 1; 0: the first.
        occurrence: u32,
        /// The bytes after it, not its number.
        body: bool,
    },
    /// `req.ssl_hello_type`.
    TlsHelloType(Dir),
    /// `req.ssl_sni`.
    TlsHelloSni,
    /// `req.ssl_ver`: major in the high 16 bits.
    TlsHelloVersion,
    /// `req.ssl_alpn`: protocols of the hello, comma separated.
    TlsHelloAlpn,
    /// `req.ssl_ec_ext`.
    TlsHelloEcExt,
    /// `req.ssl_cipherlist`, `req.ssl_sigalgs`...: a list of the hello, as it stands there.
    TlsHelloList(HelloList),
    /// `req.ssl_st_ext`: 0: no session ticket extension, 1: an empty one, 2: one with a ticket.
    TlsHelloTicket,
    /// `req.proto_http`.
    ProtoHttp,
    /// `rdp_cookie([NAME])`.
    RdpCookie(Option<Box<[u8]>>),
    /// `rdp_cookie_cnt([NAME])`.
    RdpCookieCount(Option<Box<[u8]>>),
    /// `method`.
    Method,
    /// `req.ver`, `res.ver`: `1.1`.
    Version(Dir),
    /// `status`: status of the response.
    Status,
    /// `url`.
    Url,
    /// `path`.
    Path,
    /// `pathq`: path and query string.
    PathQ,
    /// `query`.
    Query,
    /// `base`: Host and path.
    Base,
    /// `baseq`: Host, path and query.
    BaseQ,
    /// `base32`.
    Base32,
    /// `base32+src`: the hash in network order, and the address.
    Base32Src,
    /// `url32`.
    Url32,
    /// `url32+src`, likewise.
    Url32Src,
    /// `url_ip`.
    UrlIp,
    /// `url_port`.
    UrlPort,
    /// `url_param([NAME[,DELIM]])`.
    UrlParam {
        /// Name; `None`: the first.
        name: Option<Box<[u8]>>,
        /// What starts the query, `?` by default.
        delim: u8,
        /// `i`: names are compared without case.
        ignore_case: bool,
    },
    /// `urlp_val`.
    UrlParamInt {
        /// Name; `None`: the first.
        name: Option<Box<[u8]>>,
        /// What starts the query, `?` by default.
        delim: u8,
        /// `i`: names are compared without case.
        ignore_case: bool,
    },
    /// `req.hdr(NAME[,OCC])`: comma-separated values.
    Hdr(Dir, HdrArg),
    /// `req.fhdr(NAME[,OCC])`: whole lines.
    FullHdr(Dir, HdrArg),
    /// `req.hdr_cnt`.
    HdrCount(Dir, Option<Box<[u8]>>),
    /// `req.fhdr_cnt`.
    FullHdrCount(Dir, Option<Box<[u8]>>),
    /// `req.hdr_ip`.
    HdrIp(Dir, HdrArg),
    /// `req.hdr_val`.
    HdrInt(Dir, HdrArg),
    /// `req.hdr_names([DELIM])`.
    HdrNames(Dir, u8),
    /// `req.hdrs`: the whole head without the first line.
    Hdrs(Dir),
    /// `req.cook([NAME])`, `res.cook`.
    Cook(Dir, Option<Box<[u8]>>),
    /// `req.cook_cnt`.
    CookCount(Dir, Option<Box<[u8]>>),
    /// `req.cook_val`.
    CookInt(Dir, Option<Box<[u8]>>),
    /// `req.cook_names([DELIM])`, `res.cook_names`.
    CookNames(Dir, u8),
    /// `req.hdrs_bin`, `res.hdrs_bin`.
    HdrsBin(Dir),
    /// `http_auth(USERLIST)`.
    HttpAuth(Arc<Userlist>),
    /// `http_auth_group(USERLIST)`.
    HttpAuthGroup(Arc<Userlist>),
    /// `http_auth_user`.
    HttpAuthUser,
    /// `http_auth_pass`.
    HttpAuthPass,
    /// `http_auth_type`.
    HttpAuthType,
    /// `http_auth_bearer([HEADER])`.
    HttpAuthBearer(Option<Box<[u8]>>),
    /// `http_first_req`.
    FirstRequest,
    /// `req.body`, `res.body`: what is buffered of it.
    Body(Dir),
    /// `req.body_len`.
    BodyLen(Dir),
    /// `req.body_size`: as announced.
    BodySize(Dir),
    /// `req.body_param([NAME])`.
    BodyParam(Option<Box<[u8]>>, bool),
    /// `capture.req.hdr(I)`, `capture.res.hdr(I)`.
    Capture(Dir, usize),
    /// `capture.req.method`.
    CaptureMethod,
    /// `capture.req.uri`.
    CaptureUri,
    /// `capture.req.ver`, `capture.res.ver`: `HTTP/1.1`.
    CaptureVersion(Dir),
    /// `unique-id`.
    UniqueId,
    /// What the stream costs.
    Cost(CostNumber),
    /// `dump_all_vars`.
    DumpVars {
        /// `None`: of every scope.
        scope: Option<Scope>,
        /// How their names begin.
        prefix: Box<str>,
        /// What stands between them.
        delimiter: Box<str>,
    },
    /// What HTTP/1 never has.
    Never,
    /// `fs.id`, `bs.id`: the number of the stream on its connection.
    StreamId(Dir),
    /// `fs.debug_str`, `bs.debug_str`: of which layers, 0: all.
    DebugStr(Dir, i64),
    /// `term_events`.
    TermEvents,
    /// `internal.strm.is_htx`: it is HTTP.
    IsHtx,
    /// `internal.htx.*`.
    Htx(Dir, HtxNumber),
    /// `internal.htx.has_eom`.
    HtxEom(Dir),
    /// `internal.htx_blk.*`.
    HtxBlock(Dir, HtxPart, HtxBlock),
    /// `txn.conn_retries`.
    Retries,
    /// `txn.redispatched`.
    Redispatched,
    /// `bytes_in`, `bytes_out`.
    Bytes(Dir),
    /// `txn.sess_term_state`.
    TermState,
    /// `acl([!]NAME,...)`: do all of them hold?
    Acls(Vec<Term>),
    /// `last_rule_file`, `last_entity`...: which final rule ended an evaluation.
    LastRule(LastRule),
    /// `server_status`: as it came.
    ServerStatus,
    /// `txn.status`: what the client gets.
    TransactionStatus,
    /// `fc_err` and relatives.
    ClientError(ErrorForm),
    /// `bc_err` and relatives.
    ServerError(ErrorForm),
    /// `txn.id32`: number of the transaction.
    TransactionId,
    /// `uuid(7)`.
    Uuid7,
    /// `prio_class`.
    PriorityClass,
    /// `prio_offset`.
    PriorityOffset,
    /// Timers of the log line, milliseconds (`req.timer.hdr`, `bc.timer.connect`...).
    Timer(Timer),
}

/// What is asked about the blocks of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HtxNumber {
    /// `nbblks`.
    Blocks,
    /// `size`: of the room for it.
    Size,
    /// `data`: of their contents.
    Data,
    /// `used`: of contents and blocks.
    Used,
    /// `free`.
    Free,
    /// `free_data`: what one more block could hold.
    FreeData,
}

/// What is asked about one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HtxPart {
    /// `type`.
    Type,
    /// `size`.
    Size,
    /// `start_line`.
    StartLine,
    /// `hdrname`.
    HeaderName,
    /// `hdrval`.
    HeaderValue,
    /// `data`.
    Data,
}

/// Which block is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HtxBlock {
    /// `head`: the oldest.
    Head,
    /// `tail`: the newest.
    Tail,
    /// `first`: the first to look at.
    First,
    /// The one at this place.
    At(usize),
}

/// What is asked about the last rule that was final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LastRule {
    /// `last_rule_file`.
    File,
    /// `last_rule_line`.
    Line,
    /// `last_entity`: file and line.
    Both,
    /// `waiting_entity`: file and line of a rule that waited when the end came.
    Waiting,
}

/// What is asked about the error of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorForm {
    /// `fc_err`, `bc_err`
    Number,
    /// `fc_err_name`, `bc_err_name`
    Name,
    /// `fc_err_str`, `bc_err_str`
    Text,
}

/// What the kernel counts for a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TcpNumber {
    /// `rtt`: mean round trip time.
    Rtt,
    /// `rttvar`: its variance.
    RttVar,
    /// `unacked`.
    Unacked,
    /// `sacked`.
    Sacked,
    /// `lost`.
    Lost,
    /// `retrans`.
    Retrans,
    /// `fackets`.
    Fackets,
    /// `reordering`.
    Reordering,
}

/// Lists of a ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HelloList {
    /// `req.ssl_cipherlist`.
    Ciphers,
    /// `req.ssl_supported_groups`.
    Groups,
    /// `req.ssl_sigalgs`.
    SignatureAlgorithms,
    /// `req.ssl_keyshare_groups`.
    KeyShares,
}

/// Timers in the order of a session's life (manual, 8.4). Milliseconds, -1 where the phase was not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// `%Th`: PROXY protocol, TLS handshake.
    Handshake,
    /// `%Ti`: idle before the request.
    Idle,
    /// `%TR`: receiving the request head.
    Request,
    /// `%Tq`: `Th + Ti + TR`.
    Query,
    /// `%Tw`: waiting in queues.
    Wait,
    /// `%Tc`: connecting to the server.
    Connect,
    /// `%Tr`: until the response head.
    Response,
    /// `%Td`: transferring data.
    Data,
    /// `%Ta`: active time of the request.
    Active,
    /// `%Tt`: all of the session.
    Total,
    /// `%Tu`: as the user sees it.
    User,
}

/// Name and occurrence of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HdrArg {
    /// Name, lower case; `None`: any header.
    pub name: Option<Box<[u8]>>,
    /// 1 is the first, -1 the last; 0: not said (last in expressions, each in ACLs).
    pub occurrence: i32,
}
