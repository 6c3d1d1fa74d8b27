//! Log-format strings (manual, 8.2.6).

use super::super::log::LogStep;
use super::{Expr, SampleType, Timer};

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
    /// `+json`, `+cbor`: the value with its type. Only where the string does not become part of an HTTP message.
    pub encoding: Option<LfEncoding>,
}

/// How values are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LfEncoding {
    /// `json`.
    Json,
    /// `cbor`.
    Cbor,
}

/// A node of a log-format string.
#[derive(Clone, Debug)]
pub enum LfItem {
    /// Literal text.
    Text(Box<[u8]>),
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
    /// `%(name)`: its key where the whole string is encoded.
    pub name: Option<Box<str>>,
    /// `%(name:type)`: the type its value gets where it is encoded.
    pub cast: Option<SampleType>,
}

/// A log-format string (manual, 8.2.6).
#[derive(Clone, Debug, Default)]
pub struct LogFormat {
    /// Nodes in order.
    pub nodes: Vec<LfNode>,
    /// As written.
    pub text: Box<str>,
    /// `%{+json}o`, `%{+cbor}o`: the whole string is a map of its named items.
    pub encoding: Option<LfEncoding>,
    /// `%{+bin}o`: binary values stay as they are, and CBOR is not written in hexadecimal.
    pub bin: bool,
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
    /// `%OG`: when in a session's life the line is written.
    Origin,
    /// `%o`: options for what follows; no output.
    Nothing,
}

impl LfAlias {
    /// The step at which HAProxy takes the value for known. The client's address is one of the transport's, which is
    /// settled only with the response.
    #[must_use]
    pub fn known_at(self) -> LogStep {
        match self {
            Self::AcceptDate
            | Self::RequestDate
            | Self::AcceptDateUtc
            | Self::RequestDateUtc
            | Self::AcceptDateLocal
            | Self::RequestDateLocal
            | Self::AcceptTimestamp
            | Self::AcceptMillis
            | Self::Frontend
            | Self::FrontendTransport
            | Self::Backend
            | Self::TermStateCookie
            | Self::LogCounter
            | Self::Hostname
            | Self::Pid
            | Self::Origin
            | Self::Nothing => LogStep::Accept,
            Self::RequestLine
            | Self::HttpMethod
            | Self::HttpPath
            | Self::HttpPathOnly
            | Self::HttpQuery
            | Self::HttpUri
            | Self::HttpVersion
            | Self::RequestCounter => LogStep::Request,
            Self::ClientIp
            | Self::ClientPort
            | Self::FrontendIp
            | Self::FrontendPort
            | Self::BackendIp
            | Self::BackendPort
            | Self::ServerIp
            | Self::ServerPort
            | Self::Server
            | Self::Status
            | Self::RequestCookie
            | Self::ResponseCookie
            | Self::RequestHeaders
            | Self::RequestHeaderList
            | Self::ResponseHeaders
            | Self::ResponseHeaderList
            | Self::TlsCipher
            | Self::TlsVersion => LogStep::Response,
            Self::Timer(_)
            | Self::BytesRead
            | Self::BytesUploaded
            | Self::TermState
            | Self::ActiveConnections
            | Self::FrontendConnections
            | Self::BackendConnections
            | Self::ServerConnections
            | Self::Retries
            | Self::ServerQueue
            | Self::BackendQueue
            | Self::UniqueId => LogStep::Close,
        }
    }
}
