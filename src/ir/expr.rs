//! Sample expressions, conditions and log-format strings, resolved and typed.
//!
//! A sample expression is one fetch and any number of converters (manual, chapter 7). Every name is an
//! enum variant and every argument has its type, so evaluation never looks at text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use regex::bytes::Regex;

use super::pattern::PatternSet;
use super::{ProxyIdx, Userlist};

/// Type of a sample (manual, 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SampleType {
    /// Known only when it is evaluated (`var`).
    Any,
    /// Boolean.
    Bool,
    /// 64-bit signed integer.
    Int,
    /// IPv4 or IPv6.
    Addr,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// Text.
    Str,
    /// Bytes.
    Bin,
    /// HTTP method.
    Meth,
}

/// An owned sample: constants and variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Boolean.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// IPv4.
    Ipv4(Ipv4Addr),
    /// IPv6.
    Ipv6(Ipv6Addr),
    /// Text.
    Str(Box<[u8]>),
    /// Bytes.
    Bin(Box<[u8]>),
    /// HTTP method.
    Meth(Box<[u8]>),
}

/// Scope of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The process.
    Proc,
    /// The client connection.
    Sess,
    /// The HTTP transaction.
    Txn,
    /// Request processing.
    Req,
    /// Response processing.
    Res,
    /// A health check.
    Check,
}

/// A variable. Two with the same scope and name have the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VarName {
    /// Scope.
    pub scope: Scope,
    /// Hash of the name; see `expr::vars::id`.
    pub id: u64,
    /// Name without scope.
    pub name: Box<str>,
}

/// Which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dir {
    /// The request.
    Req,
    /// The response.
    Res,
}

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
}

/// Unit of `date` and the time converters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// `s`.
    #[default]
    Seconds,
    /// `ms`.
    Milliseconds,
    /// `us`.
    Microseconds,
}

/// A sample fetch with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub enum Fetch {
    /// `int`, `str`, `bool`, `always_true`, `env`, `hostname`... whatever is known at load.
    Const(Value),
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
    /// `url32`.
    Url32,
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
    },
    /// `urlp_val`.
    UrlParamInt {
        /// Name; `None`: the first.
        name: Option<Box<[u8]>>,
        /// What starts the query, `?` by default.
        delim: u8,
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
    BodyParam(Option<Box<[u8]>>),
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
    /// `txn.conn_retries`.
    Retries,
    /// `txn.redispatched`.
    Redispatched,
    /// `bytes_in`, `bytes_out`.
    Bytes(Dir),
    /// `txn.sess_term_state`.
    TermState,
    /// Timers of the log line, milliseconds (`req.timer.hdr`, `bc.timer.connect`...).
    Timer(Timer),
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

/// An integer argument that may be a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A number.
    Int(i64),
    /// A variable, read when evaluated.
    Var(VarName),
}

/// A string argument that may be a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// As written.
    Literal(Box<[u8]>),
    /// A variable, read when evaluated.
    Var(VarName),
}

/// Arithmetic and bit operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arith {
    /// `add`.
    Add,
    /// `sub`.
    Sub,
    /// `mul`.
    Mul,
    /// `div`.
    Div,
    /// `mod`.
    Mod,
    /// `and`.
    And,
    /// `or`.
    Or,
    /// `xor`.
    Xor,
}

/// Non-cryptographic hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashKind {
    /// `crc32`.
    Crc32,
    /// `crc32c`.
    Crc32c,
    /// `djb2`.
    Djb2,
    /// `sdbm`.
    Sdbm,
    /// `wt6`.
    Wt6,
}

/// Cryptographic digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DigestKind {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-2, 224 bits.
    Sha224,
    /// SHA-2, 256 bits.
    Sha256,
    /// SHA-2, 384 bits.
    Sha384,
    /// SHA-2, 512 bits.
    Sha512,
}

/// How `json` reads its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsonInput {
    /// Bytes are ISO 8859-1.
    Ascii,
    /// UTF-8, errors stop.
    Utf8,
    /// UTF-8, errors are dropped silently.
    Utf8s,
    /// UTF-8, errors and what they cut become nothing.
    Utf8p,
    /// UTF-8, errors are replaced.
    Utf8ps,
}

/// Key, result and search of a map converter.
#[derive(Clone, Debug)]
pub struct Map {
    /// File name as written (its identity on the stats socket).
    pub file: Box<str>,
    /// Keys in file order, as a set per entry is not needed: position in `values` of the first that matches.
    pub keys: MapKeys,
    /// Results in file order.
    pub values: Arc<[Value]>,
    /// Result when nothing matches.
    pub default: Option<Value>,
    /// `map_regm`: the result has references to groups (`\1`).
    pub substitute: bool,
}

/// Index of a map's keys.
#[derive(Clone, Debug)]
pub enum MapKeys {
    /// Exact keys.
    Exact(Arc<std::collections::HashMap<Box<[u8]>, u32>>),
    /// Every other match kind: entries tried in order.
    Ordered(Arc<[PatternSet]>),
}

/// A converter with its arguments.
#[derive(Clone, Debug)]
pub enum Conv {
    /// `lower`.
    Lower,
    /// `upper`.
    Upper,
    /// `length`.
    Length,
    /// `hex`.
    Hex,
    /// `hex2i`.
    HexToInt,
    /// `base64`.
    Base64,
    /// `b64dec`.
    Base64Dec,
    /// `ub64enc`.
    UrlBase64,
    /// `ub64dec`.
    UrlBase64Dec,
    /// `url_dec([IN_FORM])`.
    UrlDec {
        /// `+` is a space from the start, not only after `?`.
        in_form: bool,
    },
    /// `url_enc`.
    UrlEnc,
    /// `bytes(OFFSET[,LENGTH])`.
    Bytes(usize, Option<usize>),
    /// `field(INDEX,DELIMS[,COUNT])`.
    Field {
        /// From 1; negative from the end.
        index: i64,
        /// Delimiters.
        delims: Box<[u8]>,
        /// Fields to take; 0: all that follow.
        count: i64,
    },
    /// `word(INDEX,DELIMS[,COUNT])`: like `field`, empty ones do not count.
    Word {
        /// From 1; negative from the end.
        index: i64,
        /// Delimiters.
        delims: Box<[u8]>,
        /// Words to take; 0: all that follow.
        count: i64,
    },
    /// `regsub(REGEX,REPLACEMENT[,FLAGS])`.
    RegSub {
        /// Expression.
        regex: Regex,
        /// With `\1` references.
        replacement: Box<[u8]>,
        /// `g`.
        global: bool,
    },
    /// `concat([START][,VAR][,END])`.
    Concat {
        /// Before the variable.
        start: Box<[u8]>,
        /// Variable.
        var: Option<VarName>,
        /// After it.
        end: Box<[u8]>,
    },
    /// `add_item(DELIM,[VAR],[SUFFIX])`.
    AddItem {
        /// Between items.
        delim: Box<[u8]>,
        /// Variable.
        var: Option<VarName>,
        /// After it.
        suffix: Box<[u8]>,
    },
    /// `strcmp(VAR)`.
    Strcmp(VarName),
    /// `secure_memcmp(VAR)`.
    SecureCompare(VarName),
    /// `ipmask(V4[,V6])`.
    IpMask {
        /// IPv4 mask.
        v4: u32,
        /// IPv6 mask; `None`: IPv6 samples fail.
        v6: Option<u128>,
    },
    /// `and`, `add`, ...
    Arith(Arith, Operand),
    /// `cpl`.
    Complement,
    /// `neg`.
    Negate,
    /// `not`.
    Not,
    /// `bool`.
    Bool,
    /// `odd`.
    Odd,
    /// `even`.
    Even,
    /// `iif(TRUE,FALSE)`.
    Iif(Box<[u8]>, Box<[u8]>),
    /// `host_only`.
    HostOnly,
    /// `port_only`.
    PortOnly,
    /// `ltrim(CHARS)`.
    LTrim(Box<[u8]>),
    /// `rtrim(CHARS)`.
    RTrim(Box<[u8]>),
    /// `cut_crlf`.
    CutCrlf,
    /// `param(NAME[,DELIM])`.
    Param(Box<[u8]>, u8),
    /// `reverse`.
    Reverse,
    /// `reverse_dom`.
    ReverseDom,
    /// `language(LIST[,DEFAULT])`.
    Language(Vec<Box<[u8]>>, Option<Box<[u8]>>),
    /// `json([INPUT])`.
    Json(JsonInput),
    /// `json_query(PATH[,TYPE])`.
    JsonQuery {
        /// Steps of the path.
        path: Vec<JsonStep>,
        /// `int`: the result is an integer.
        as_int: bool,
    },
    /// `crc32([AVALANCHE])` and relatives.
    Hash(HashKind, bool),
    /// `sha1`, `sha2`, `digest`.
    Digest(DigestKind),
    /// `hmac(ALGORITHM,KEY)`; the key is base64 or a variable that holds base64.
    Hmac(DigestKind, Text),
    /// `ltime(FORMAT[,OFFSET])`, with the unit of the input.
    LocalTime(Box<str>, i64, TimeUnit),
    /// `utime(FORMAT[,OFFSET])`.
    UtcTime(Box<str>, i64, TimeUnit),
    /// `http_date([OFFSET[,UNIT]])`.
    HttpDate(i64, TimeUnit),
    /// `be2dec(SEPARATOR,CHUNK[,TRUNCATE])`.
    Be2Dec(Box<[u8]>, usize, bool),
    /// `be2hex([SEPARATOR[,CHUNK[,TRUNCATE]]])`.
    Be2Hex(Box<[u8]>, usize, bool),
    /// `htonl`.
    Htonl,
    /// `nbsrv`: of the backend that the sample names.
    NbSrv,
    /// `map*`.
    Map(Map),
}

/// One step of a JSON path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonStep {
    /// `.name`.
    Member(Box<str>),
    /// `[n]`.
    Index(usize),
}

/// A sample expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// Where the sample comes from.
    pub fetch: Fetch,
    /// What is done to it, in order.
    pub convs: Vec<Conv>,
    /// Type of the result.
    pub out: SampleType,
    /// As written.
    pub text: Box<str>,
}

/// One `acl` line, or the inside of `{ }`.
#[derive(Clone, Debug)]
pub struct AclTest {
    /// What is looked at.
    pub expr: Expr,
    /// What it must match.
    pub patterns: PatternSet,
}

/// A named ACL: any of its lines makes it true.
#[derive(Clone, Debug)]
pub struct Acl {
    /// Name; empty for `{ }`.
    pub name: Box<str>,
    /// Its lines, in order.
    pub tests: Vec<AclTest>,
    /// The result, where no line depends on the request.
    pub constant: Option<bool>,
}

/// One term of a condition.
#[derive(Clone, Debug)]
pub struct Term {
    /// `!`.
    pub negated: bool,
    /// The ACL.
    pub acl: Arc<Acl>,
}

/// `if`/`unless` over ACLs: terms of a group are joined by "and", groups by `or`.
#[derive(Clone, Debug, Default)]
pub struct Cond {
    /// `unless`.
    pub unless: bool,
    /// Groups; constants have been folded away.
    pub any: Vec<Vec<Term>>,
    /// The result (before `unless`... already applied), where it is known at load.
    pub constant: Option<bool>,
    /// As written, without `if`/`unless`.
    pub text: Box<str>,
}

/// How a log-format item is written (`%{+Q,+X,+E}`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LfOptions {
    /// `+M`: `-` in place of nothing (on for log formats).
    pub mandatory: bool,
    /// `+Q`: in quotes.
    pub quote: bool,
    /// `+X`: hexadecimal.
    pub hex: bool,
    /// `+E`: escape `"`, `\` and `]`.
    pub escape: bool,
    /// The string becomes part of an HTTP message: control characters are encoded (`%0A`).
    pub http: bool,
}

/// A node of a log-format string.
#[derive(Clone, Debug)]
pub enum LfItem {
    /// Literal text.
    Text(Box<str>),
    /// Blanks between two items; one space, and none after another.
    Separator,
    /// `%ci`...
    Alias(LfAlias),
    /// `%[...]`.
    Expr(Box<Expr>),
}

/// An item with its options.
#[derive(Clone, Debug)]
pub struct LfNode {
    /// What.
    pub item: LfItem,
    /// How.
    pub opts: LfOptions,
}

/// A log-format string (manual, 8.2.6).
#[derive(Clone, Debug, Default)]
pub struct LogFormat {
    /// Nodes in order.
    pub nodes: Vec<LfNode>,
    /// As written.
    pub text: Box<str>,
}

/// Log-format aliases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LfAlias {
    /// `%ci`.
    ClientIp,
    /// `%cp`.
    ClientPort,
    /// `%fi`.
    FrontendIp,
    /// `%fp`.
    FrontendPort,
    /// `%bi`.
    BackendIp,
    /// `%bp`.
    BackendPort,
    /// `%si`.
    ServerIp,
    /// `%sp`.
    ServerPort,
    /// `%t`: date of the connection, with milliseconds.
    AcceptDate,
    /// `%tr`: date of the request, with milliseconds.
    RequestDate,
    /// `%T`: date of the connection, UTC.
    AcceptDateUtc,
    /// `%trg`: date of the request, UTC.
    RequestDateUtc,
    /// `%Tl`: date of the connection, local.
    AcceptDateLocal,
    /// `%trl`: date of the request, local.
    RequestDateLocal,
    /// `%Ts`: seconds since 1970 of the connection.
    AcceptTimestamp,
    /// `%ms`: milliseconds of that.
    AcceptMillis,
    /// `%f`.
    Frontend,
    /// `%ft`: with `~` where the listener is encrypted.
    FrontendTransport,
    /// `%b`.
    Backend,
    /// `%s`.
    Server,
    /// `%Th`, `%Tq`...
    Timer(Timer),
    /// `%ST`.
    Status,
    /// `%B`: bytes to the client.
    BytesRead,
    /// `%U`: bytes to the server.
    BytesUploaded,
    /// `%CC`.
    RequestCookie,
    /// `%CS`.
    ResponseCookie,
    /// `%ts`.
    TermState,
    /// `%tsc`.
    TermStateCookie,
    /// `%ac`.
    ActiveConnections,
    /// `%fc`.
    FrontendConnections,
    /// `%bc`.
    BackendConnections,
    /// `%sc`.
    ServerConnections,
    /// `%rc`.
    Retries,
    /// `%sq`.
    ServerQueue,
    /// `%bq`.
    BackendQueue,
    /// `%hr`.
    RequestHeaders,
    /// `%hrl`.
    RequestHeaderList,
    /// `%hs`.
    ResponseHeaders,
    /// `%hsl`.
    ResponseHeaderList,
    /// `%r`: the request line.
    RequestLine,
    /// `%HM`.
    HttpMethod,
    /// `%HP`: path, with scheme and authority if the client sent them.
    HttpPath,
    /// `%HPO`: path only.
    HttpPathOnly,
    /// `%HQ`: query string.
    HttpQuery,
    /// `%HU`: URI.
    HttpUri,
    /// `%HV`: version.
    HttpVersion,
    /// `%rt`: number of the request since the start.
    RequestCounter,
    /// `%lc`: number of the log line of the frontend.
    LogCounter,
    /// `%H`.
    Hostname,
    /// `%pid`.
    Pid,
    /// `%ID`.
    UniqueId,
    /// `%sslc`: cipher; nothing on a clear connection.
    TlsCipher,
    /// `%sslv`.
    TlsVersion,
    /// `%o`: options for what follows; no output.
    Nothing,
}

impl From<IpAddr> for Value {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(a) => Self::Ipv4(a),
            IpAddr::V6(a) => Self::Ipv6(a),
        }
    }
}
