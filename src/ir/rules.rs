//! Rules as data: what `http-request`, `http-response`, `http-after-response`, `tcp-request`,
//! `tcp-response` and `redirect` lines ask for. [`crate::expr::rules`] evaluates them.

use std::sync::Arc;
use std::time::Duration;

use super::Place;
use super::bandwidth::BandwidthLimit;
use super::expr::{Cond, Expr, LogFormat, VarCond, VarName};
use super::log::Severity;
use super::reference::Named;
use super::regex::Regex;

/// One `http-request`, `http-response` or `http-after-response` rule.
#[derive(Clone, Debug)]
pub struct HttpRule {
    /// Condition.
    pub cond: Option<Cond>,
    /// What to do.
    pub action: HttpAction,
    /// Where it was written.
    pub place: Place,
}

/// One `tcp-request` or `tcp-response` rule.
#[derive(Clone, Debug)]
pub struct TcpRule {
    /// Condition.
    pub cond: Option<Cond>,
    /// What to do.
    pub action: TcpAction,
    /// Where it was written.
    pub place: Place,
}

/// Makes a pattern of a name in lower case.
pub type MakeMatch = fn(Box<[u8]>) -> NameMatch;

/// Names of headers that `del-header` takes.
#[derive(Clone, Debug)]
pub enum NameMatch {
    /// This one, lower case.
    Exact(Box<[u8]>),
    /// `-m beg`, lower case.
    Prefix(Box<[u8]>),
    /// `-m end`, lower case.
    Suffix(Box<[u8]>),
    /// `-m sub`, lower case.
    Contains(Box<[u8]>),
    /// `-m reg`.
    Regex(Regex),
}

/// Actions on HTTP messages.
#[derive(Clone, Debug)]
pub enum HttpAction {
    /// `allow`: no further rule.
    Allow,
    /// `deny`.
    Deny(Reply),
    /// `tarpit`: like deny, after `timeout tarpit`.
    Tarpit(Reply),
    /// `reject`: close without an answer.
    Reject,
    /// `silent-drop [rst-ttl N]`: forget the connection.
    SilentDrop(Option<u8>),
    /// `auth [realm REALM]`: ask for a user and password.
    Auth {
        /// Realm; `None`: the proxy's name.
        realm: Option<Box<str>>,
    },
    /// `redirect`.
    Redirect(Redirect),
    /// `return`.
    Return(Reply),
    /// `use-service NAME`: the answer is made by a part of the process itself.
    UseService(HttpService),
    /// `add-header NAME FMT`.
    AddHeader(Box<str>, LogFormat),
    /// `set-header NAME FMT`.
    SetHeader(Box<str>, LogFormat),
    /// `del-header NAME [-m METHOD]`.
    DelHeader(NameMatch),
    /// `add-headers-bin EXPR [prefix TEXT]`, `set-headers-bin`: headers in the form of `req.hdrs_bin`.
    PushHeaders {
        /// What yields them.
        list: Expr,
        /// Only those whose names begin with it.
        prefix: Box<[u8]>,
        /// They take the place of those there are.
        replace: bool,
    },
    /// `del-headers-bin EXPR [-m METHOD]`: names in that form, and what makes a pattern of one in lower case.
    DelHeaders(Expr, MakeMatch),
    /// `replace-header NAME REGEX FMT`: whole lines.
    ReplaceHeader(Box<[u8]>, Regex, LogFormat),
    /// `replace-value NAME REGEX FMT`: comma-separated values.
    ReplaceValue(Box<[u8]>, Regex, LogFormat),
    /// `set-method FMT`.
    SetMethod(LogFormat),
    /// `set-path FMT`.
    SetPath(LogFormat),
    /// `set-pathq FMT`.
    SetPathQ(LogFormat),
    /// `set-query FMT`.
    SetQuery(LogFormat),
    /// `set-uri FMT`.
    SetUri(LogFormat),
    /// `replace-path REGEX FMT`.
    ReplacePath(Regex, LogFormat),
    /// `replace-pathq REGEX FMT`.
    ReplacePathQ(Regex, LogFormat),
    /// `replace-uri REGEX FMT`.
    ReplaceUri(Regex, LogFormat),
    /// `normalize-uri KIND`.
    NormalizeUri(NormalizeUri),
    /// `set-status CODE [reason TEXT]`.
    SetStatus(u16, Option<Box<str>>),
    /// `capture EXPR len N` / `capture EXPR id I`: slot among the frontend's captures and greatest length.
    Capture {
        /// What.
        expr: Expr,
        /// Slot.
        slot: usize,
        /// Bytes kept.
        len: usize,
    },
    /// What other rule sets share.
    Common(CommonAction),
    /// `set-timeout KIND VALUE`.
    SetTimeout(TimeoutKind, IntSource),
    /// `disable-l7-retry`.
    DisableL7Retry,
    /// `early-hint NAME FMT`.
    EarlyHint(Box<str>, LogFormat),
    /// `strict-mode on|off`.
    StrictMode(bool),
    /// `pause TIME`: milliseconds that go by before the next rule.
    Pause(IntSource),
    /// `do-resolve(VAR,RESOLVERS[,FAMILY]) EXPR`.
    Resolve(Resolve),
    /// `wait-for-body time T [at-least N]`.
    WaitForBody {
        /// How long at most.
        time: Duration,
        /// Bytes that are enough; 0: all that fits.
        at_least: u64,
    },
}

/// `do-resolve`: the address of the host that an expression names goes into a variable. Without an answer the variable
/// stays as it is.
#[derive(Clone, Debug)]
pub struct Resolve {
    /// The variable.
    pub var: VarName,
    /// Name of the `resolvers` section.
    pub resolvers: Box<str>,
    /// Ask for IPv6 addresses first (the default), or for IPv4.
    pub ipv6: bool,
    /// The host's name.
    pub host: Expr,
}

/// What `use-service` can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpService {
    /// `prometheus-exporter`.
    Prometheus,
}

/// Actions that every kind of rule knows.
#[derive(Clone, Debug)]
pub enum CommonAction {
    /// `set-var(NAME[,CONDITION...]) EXPR`.
    SetVar(VarName, Expr, Vec<VarCond>),
    /// `set-var-fmt(NAME[,CONDITION...]) FMT`.
    SetVarFmt(VarName, LogFormat, Vec<VarCond>),
    /// `unset-var(NAME)`.
    UnsetVar(VarName),
    /// `set-log-level LEVEL`; `None`: `silent`, no log line at all.
    SetLogLevel(Option<Severity>),
    /// `set-nice N`.
    SetNice(i32),
    /// `set-fc-tos`, `set-tos`: type of service towards the client.
    SetTos(IntSource),
    /// `set-fc-mark`, `set-mark`: mark of packets towards the client.
    SetMark(IntSource),
    /// `set-bc-tos`: the same towards the server.
    SetServerTos(IntSource),
    /// `set-bc-mark`.
    SetServerMark(IntSource),
    /// `set-retries`.
    SetRetries(IntSource),
    /// `set-src EXPR`.
    SetSrc(Expr),
    /// `set-src-port EXPR`.
    SetSrcPort(Expr),
    /// `set-dst EXPR`.
    SetDst(Expr),
    /// `set-dst-port EXPR`.
    SetDstPort(Expr),
    /// `set-priority-class EXPR`.
    SetPriorityClass(Expr),
    /// `set-bandwidth-limit FILTER [limit BYTES] [period TIME]`.
    BandwidthLimit {
        /// The filter.
        filter: BandwidthLimit,
        /// Bytes in a period; `None`: as the filter says.
        limit: Option<IntSource>,
        /// The period in milliseconds; `None`: as the filter says.
        period: Option<IntSource>,
    },
    /// `do-log [profile NAME]`: a log line now.
    DoLog(Option<Box<str>>),
    /// `set-priority-offset EXPR`.
    SetPriorityOffset(Expr),
    /// `add-acl(FILE) KEY`.
    AddPattern(Named, LogFormat),
    /// `del-acl(FILE) KEY`, `del-map(FILE) KEY`.
    DeletePattern(Named, LogFormat),
    /// `set-map(FILE) KEY VALUE`.
    SetPattern(Named, LogFormat, LogFormat),
}

/// Actions on connections and their first bytes.
#[derive(Clone, Debug)]
pub enum TcpAction {
    /// `accept`: no further rule.
    Accept,
    /// `reject`.
    Reject,
    /// `close` (responses).
    Close,
    /// `expect-proxy layer4`.
    ExpectProxy,
    /// `expect-netscaler-cip layer4`.
    ExpectNetScaler,
    /// `silent-drop [rst-ttl N]`.
    SilentDrop(Option<u8>),
    /// `switch-mode http`.
    SwitchModeHttp,
    /// `do-resolve(VAR,RESOLVERS[,FAMILY]) EXPR`.
    Resolve(Resolve),
    /// `capture EXPR len N`.
    Capture {
        /// What.
        expr: Expr,
        /// Slot.
        slot: usize,
        /// Bytes kept.
        len: usize,
    },
    /// What other rule sets share.
    Common(CommonAction),
}

/// A number written or computed.
#[derive(Clone, Debug)]
pub enum IntSource {
    /// Written.
    Const(i64),
    /// Computed.
    Expr(Expr),
}

/// Kinds of `set-timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeoutKind {
    /// `client`.
    Client,
    /// `server`.
    Server,
    /// `tunnel`.
    Tunnel,
    /// `connect`.
    Connect,
    /// `queue`.
    Queue,
    /// `tarpit`.
    Tarpit,
}

/// Kinds of `normalize-uri`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NormalizeUri {
    /// `fragment-encode`.
    FragmentEncode,
    /// `fragment-strip`.
    FragmentStrip,
    /// `path-merge-slashes`.
    PathMergeSlashes,
    /// `path-strip-dot`.
    PathStripDot,
    /// `path-strip-dotdot [full]`.
    PathStripDotDot {
        /// Also at the very beginning.
        full: bool,
    },
    /// `percent-decode-unreserved [strict]`.
    PercentDecodeUnreserved {
        /// Refuse invalid sequences with status 400.
        strict: bool,
    },
    /// `percent-to-uppercase [strict]`.
    PercentToUppercase {
        /// Refuse invalid sequences with status 400.
        strict: bool,
    },
    /// `query-sort-by-name`.
    QuerySortByName,
}

/// Answer of `deny`, `tarpit` and `return`.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// What is sent.
    pub body: ReplyBody,
    /// `content-type`.
    pub content_type: Option<Box<str>>,
    /// `hdr NAME FMT`.
    pub headers: Vec<(Box<str>, LogFormat)>,
}

/// Payload of a [`Reply`].
#[derive(Clone, Debug)]
pub enum ReplyBody {
    /// Nothing was said, or `default-errorfiles`: the proxy's error page for the status.
    ErrorPage,
    /// `errorfile FILE`: a whole message, sent as it is.
    Raw(Arc<[u8]>),
    /// No body (`return` without a payload).
    Empty,
    /// `file FILE`, `string TEXT`.
    Fixed(Arc<[u8]>),
    /// `lf-file FILE`, `lf-string FMT`.
    Format(LogFormat),
}

/// Where a redirection leads.
#[derive(Clone, Debug)]
pub enum RedirectTarget {
    /// `location FMT`: as it is.
    Location(LogFormat),
    /// `prefix FMT`: followed by the request's path and query.
    Prefix(LogFormat),
    /// `scheme FMT`: followed by `://`, the Host and the request's path and query.
    Scheme(LogFormat),
}

/// `redirect`.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// Where to.
    pub target: RedirectTarget,
    /// 301, 302 (the default), 303, 307, 308.
    pub code: u16,
    /// `drop-query`.
    pub drop_query: bool,
    /// `append-slash`.
    pub append_slash: bool,
    /// `ignore-empty`: an empty location is no redirection.
    pub ignore_empty: bool,
    /// `keep-query`: a location gets the request's query.
    pub keep_query: bool,
    /// Set-Cookie value of `set-cookie` and `clear-cookie`.
    pub set_cookie: Option<Box<str>>,
    /// A `redirect` line: `http-request allow` does not go past it.
    pub own_line: bool,
}
