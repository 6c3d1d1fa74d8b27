//! `log` lines.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::expr::{LfItem, LogFormat};

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogDest {
    /// `stdout`.
    Stdout,
    /// `stderr`.
    Stderr,
    /// `fd@N`.
    Fd(i32),
    /// Datagrams to an address (default port 514).
    Udp(SocketAddr),
    /// A unix datagram socket such as `/dev/log`.
    Unix(PathBuf),
    /// `backend@NAME`: a server of a backend for log lines.
    Backend(String),
    /// `ring@NAME`; a stream address has a ring of its own, whose name is the address.
    Ring(String),
}

/// A `ring` section, or the ring behind a log target that is a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingConf {
    /// Name.
    pub name: String,
    /// `description`; the name if there is none.
    pub description: Option<String>,
    /// `format` of its lines; default `raw`.
    pub framing: LogFraming,
    /// `maxlen`, bytes; without it no more than what the `log` line says.
    pub max_len: usize,
    /// `size`, bytes, default 16384.
    pub size: usize,
    /// `timeout connect`, default 1 s.
    pub timeout_connect: Duration,
    /// `timeout server`: how long a server may refuse to take bytes; default 5 s.
    pub timeout_server: Option<Duration>,
    /// `server` lines.
    pub servers: Vec<RingServer>,
}

impl RingConf {
    /// A ring with HAProxy's defaults.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: None,
            framing: LogFraming::Raw,
            max_len: usize::MAX,
            size: 16_384,
            timeout_connect: Duration::from_secs(1),
            timeout_server: Some(Duration::from_secs(5)),
            servers: Vec::new(),
        }
    }
}

/// A server that a ring's lines are passed on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingServer {
    /// Name.
    pub name: String,
    /// Where.
    pub addr: RingAddr,
    /// `log-proto octet-count` (RFC 6587 section 3.4.1); otherwise lines end with a line feed.
    pub octet_count: bool,
}

/// Where a ring's server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RingAddr {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix stream socket.
    Unix(PathBuf),
}

/// `sample RANGES:SIZE`: of every `size` lines those whose numbers, from 1, are in the ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// First and last number of each range.
    pub ranges: Vec<(u32, u32)>,
    /// Lines until it begins anew.
    pub size: u32,
}

/// `format` of a log line on the transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFraming {
    /// None was given: `local`, or with `log-send-hostname` `rfc3164`.
    #[default]
    Unsaid,
    /// `local`: `<PRI>Mmm dd hh:mm:ss tag[pid]: `.
    Local,
    /// `rfc3164`: `local` with the host name.
    Rfc3164,
    /// `rfc5424`.
    Rfc5424,
    /// `priority`: `<PRI>` only.
    Priority,
    /// `short`: `<LEVEL>` only, for systemd.
    Short,
    /// `timed`: `<LEVEL>` and time.
    Timed,
    /// `iso`: ISO date in front.
    Iso,
    /// `raw`: the message alone.
    Raw,
    /// None was given for lines that come from elsewhere: as they came.
    AsReceived,
}

/// `option host` of `log-forward`: the host field of lines that go out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostField {
    /// The sender's address, whatever came in.
    Replace,
    /// The sender's address where none came in.
    #[default]
    Fill,
    /// What came in.
    Keep,
    /// What came in, and the sender's address.
    Append,
}

/// A `log-forward` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogForward {
    /// Name.
    pub name: String,
    /// `bind`: where it listens for TCP.
    pub streams: Vec<SocketAddr>,
    /// `dgram-bind`: where it listens for UDP.
    pub datagrams: Vec<SocketAddr>,
    /// `log`.
    pub targets: Vec<LogTarget>,
    /// `maxconn`; `None`: 10.
    pub maxconn: Option<u32>,
    /// `backlog`.
    pub backlog: Option<u32>,
    /// `timeout client`.
    pub timeout_client: Option<Duration>,
    /// Not `option dont-parse-log`.
    pub parse: bool,
    /// `option assume-rfc6587-ntf`.
    pub line_feeds: bool,
    /// `option host`.
    pub host: HostField,
}

/// Syslog facility code, 0 (`kern`) to 23 (`local7`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(pub u8);

/// Syslog severity, 0 (`emerg`) to 7 (`debug`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Severity(pub u8);

/// One `log` line, resolved (`log global` is expanded into the global section's targets).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogTarget {
    /// Where to.
    pub dest: LogDest,
    /// `format`.
    pub framing: LogFraming,
    /// `len`, default 1024.
    pub max_len: usize,
    /// Facility.
    pub facility: Facility,
    /// Lines less severe than this are not sent (default debug).
    pub max_level: Severity,
    /// Lines are never announced as more severe than this (default emerg).
    pub min_level: Severity,
    /// `sample`; `None`: every line.
    pub sample: Option<Sampling>,
    /// `profile`: name of the log profile that says what lines contain here.
    pub profile: Option<String>,
}

impl LogTarget {
    /// Default of [`LogTarget::max_len`], bytes.
    pub const DEFAULT_LENGTH: usize = 1024;

    /// With the defaults of everything that a `log` line may leave out.
    #[must_use]
    pub fn new(dest: LogDest, framing: LogFraming, facility: Facility) -> Self {
        Self {
            dest,
            framing,
            max_len: Self::DEFAULT_LENGTH,
            facility,
            max_level: Severity(7),
            min_level: Severity(0),
            sample: None,
            profile: None,
        }
    }
}

/// When in the life of a session a line is written, or in which list the rule stands that asks for it (`do-log`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LogStep {
    /// The client's connection was accepted.
    Accept,
    /// The request was received.
    Request,
    /// There is a connection to the server.
    Connect,
    /// The head of the response was received.
    Response,
    /// The end.
    #[default]
    Close,
    /// It ended before there was a session.
    Error,
    /// `tcp-request connection`.
    TcpConnection,
    /// `tcp-request session`.
    TcpSession,
    /// `tcp-request content`.
    TcpContent,
    /// `tcp-response content`.
    TcpResponse,
    /// `http-request`.
    HttpRequest,
    /// `http-response`.
    HttpResponse,
    /// `http-after-response`.
    HttpAfterResponse,
}

impl LogStep {
    /// Every step by the name that `on` of a profile has for it.
    pub const NAMES: [(&str, Self); 13] = [
        ("accept", Self::Accept),
        ("request", Self::Request),
        ("connect", Self::Connect),
        ("response", Self::Response),
        ("close", Self::Close),
        ("error", Self::Error),
        ("tcp-req-conn", Self::TcpConnection),
        ("tcp-req-sess", Self::TcpSession),
        ("tcp-req-cont", Self::TcpContent),
        ("tcp-res-cont", Self::TcpResponse),
        ("http-req", Self::HttpRequest),
        ("http-res", Self::HttpResponse),
        ("http-after-res", Self::HttpAfterResponse),
    ];

    /// As `%OG` says it.
    #[must_use]
    pub fn origin(self) -> &'static str {
        match self {
            Self::Accept => "txn_accept",
            Self::Request => "txn_request",
            Self::Connect => "txn_connect",
            Self::Response => "txn_response",
            Self::Close => "txn_close",
            Self::Error => "sess_error",
            other => Self::NAMES.iter().find(|(_, step)| *step == other).map_or("unspec", |(name, _)| name),
        }
    }
}

/// A `log-profile` section.
#[derive(Clone, Debug, Default)]
pub struct LogProfile {
    /// Name.
    pub name: String,
    /// `log-tag`.
    pub tag: Option<String>,
    /// `on STEP`; `None`: `any`.
    pub steps: Vec<(Option<LogStep>, StepLine)>,
}

impl LogProfile {
    /// What is said about a step; the last line of several counts.
    #[must_use]
    pub fn line(&self, step: LogStep) -> Option<&StepLine> {
        let of = |wanted: Option<LogStep>| self.steps.iter().rev().find(|(s, _)| *s == wanted);
        of(Some(step)).or_else(|| of(None)).map(|(_, line)| line)
    }
}

/// What `on` of a profile says about a step.
#[derive(Clone, Debug, Default)]
pub struct StepLine {
    /// `drop`: nothing is written.
    pub drop: bool,
    /// `format`; `None`: as the proxy says.
    pub format: Option<LogFormat>,
    /// `sd`; `None`: as the proxy says.
    pub data: Option<LogFormat>,
}

/// Which line a proxy writes per session.
#[derive(Clone, Debug, Default)]
pub enum LogFormatKind {
    /// No `option httplog`/`tcplog`: the short connect line.
    #[default]
    Default,
    /// `option tcplog`.
    Tcp,
    /// `option tcplog clf`.
    TcpClf,
    /// `option httplog`.
    Http,
    /// `option httplog clf`.
    Clf,
    /// `option httpslog`.
    Https,
    /// `log-format`.
    Custom(LogFormat),
}

impl LogFormatKind {
    /// When all that the line says is known, and it is written: a line that needs neither what the session came to nor how
    /// long it took does not wait for its end. [`LogStep::Response`] is the server's connection in TCP mode.
    #[must_use]
    pub fn complete_at(&self) -> LogStep {
        let Self::Custom(format) = self else { return LogStep::Close };
        let steps = format.nodes.iter().map(|node| match &node.item {
            LfItem::Text(_) | LfItem::Separator => LogStep::Accept,
            LfItem::Expr(_) => LogStep::Response,
            LfItem::Alias(alias) => alias.known_at(),
        });
        let order = [LogStep::Accept, LogStep::Request, LogStep::Response, LogStep::Close];
        let place = |step: LogStep| order.iter().position(|known| *known == step).unwrap_or(order.len() - 1);
        match order[steps.map(place).max().unwrap_or(0)] {
            // Nobody looks whether a line is complete before there is a request to tell of.
            LogStep::Accept => LogStep::Response,
            step => step,
        }
    }
}
