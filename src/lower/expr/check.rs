//! Where fetches have a value, and which types fit.

use crate::ir::expr::SampleType;

/// Places where expressions are evaluated, in the order of a session's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Site {
    /// `tcp-request connection`.
    TcpConnection,
    /// `tcp-request session`.
    TcpSession,
    /// `tcp-request content`.
    TcpContent,
    /// `http-request`, `redirect`, `monitor fail`, `stats admin`...
    HttpRequest,
    /// `use_backend`, and `log-format`-like strings evaluated there.
    UseBackend,
    /// `use-server`, `force-persist`, `balance`.
    UseServer,
    /// `tcp-response content`.
    TcpResponse,
    /// `http-response`, `http-after-response`.
    HttpResponse,
    /// `http-error`: answers to a request at any time.
    HttpError,
    /// Log lines, written when everything is over (or with `logasap`).
    Log,
    /// `stick store-response`.
    StickStore,
    /// The connection to a server: `sni`, `source`.
    ServerConnection,
    /// `http-check`, `tcp-check`.
    Check,
    /// The configuration itself: `set-var` of `global`.
    Parser,
}

/// Phases of a session, one bit each, in the order of the session's life; `_FE` and `_BE` are the client side's and
/// the server side's.
pub(in crate::lower) mod phase {
    pub(in crate::lower) const CONNECTION: u32 = 1;
    pub(in crate::lower) const SESSION: u32 = 1 << 1;
    pub(in crate::lower) const CONTENT_FE: u32 = 1 << 2;
    pub(in crate::lower) const REQUEST_FE: u32 = 1 << 3;
    pub(in crate::lower) const USE_BACKEND: u32 = 1 << 5;
    pub(in crate::lower) const CONTENT_BE: u32 = 1 << 6;
    pub(in crate::lower) const REQUEST_BE: u32 = 1 << 7;
    pub(in crate::lower) const USE_SERVER: u32 = 1 << 9;
    pub(in crate::lower) const SERVER_CONNECTION: u32 = 1 << 10;
    pub(in crate::lower) const ANSWER_BE: u32 = 1 << 11;
    pub(in crate::lower) const RESPONSE_BE: u32 = 1 << 12;
    pub(in crate::lower) const STICK_STORE: u32 = 1 << 14;
    pub(in crate::lower) const ANSWER_FE: u32 = 1 << 15;
    pub(in crate::lower) const RESPONSE_FE: u32 = 1 << 16;
    pub(in crate::lower) const LOG: u32 = 1 << 18;
    pub(in crate::lower) const CHECK: u32 = 1 << 19;
    pub(in crate::lower) const PARSER: u32 = 1 << 20;
    /// All of them.
    pub(in crate::lower) const ALL: u32 = (1 << 22) - 1;
}

impl Site {
    /// How messages call it.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Site::TcpConnection => "frontend tcp-request connection rule",
            Site::TcpSession => "frontend tcp-request session rule",
            Site::TcpContent => "tcp-request content rule",
            Site::HttpRequest => "http-request header rule",
            Site::UseBackend => "frontend use-backend rule",
            Site::UseServer => "backend use-server, balance or stick-match rule",
            Site::TcpResponse => "backend tcp-response content rule",
            Site::HttpResponse => "http-response header rule",
            Site::HttpError => "http-error rule",
            Site::Log => "logs",
            Site::StickStore => "backend stick-store rule",
            Site::ServerConnection => "server source selection",
            Site::Check => "backend tcp-check rule",
            Site::Parser => "configuration parser",
        }
    }

    /// The phases of a line that stands here, in a section with these sides.
    #[must_use]
    pub(in crate::lower) fn phases(self, frontend: bool, backend: bool) -> u32 {
        let sides = |fe, be| (if frontend { fe } else { 0 }) | (if backend { be } else { 0 });
        match self {
            Site::TcpConnection => phase::CONNECTION,
            Site::TcpSession => phase::SESSION,
            Site::TcpContent => sides(phase::CONTENT_FE, phase::CONTENT_BE),
            Site::HttpRequest => sides(phase::REQUEST_FE, phase::REQUEST_BE),
            Site::UseBackend => phase::USE_BACKEND,
            Site::UseServer => phase::USE_SERVER,
            Site::TcpResponse => sides(phase::ANSWER_FE, phase::ANSWER_BE),
            Site::HttpResponse => sides(phase::RESPONSE_FE, phase::RESPONSE_BE),
            Site::HttpError => {
                phase::REQUEST_FE | phase::REQUEST_BE | phase::RESPONSE_FE | phase::RESPONSE_BE | phase::LOG
            }
            Site::Log => phase::LOG,
            Site::StickStore => phase::STICK_STORE,
            Site::ServerConnection => phase::SERVER_CONNECTION,
            Site::Check => phase::CHECK,
            Site::Parser => phase::PARSER,
        }
    }
}

/// What a fetch with a value in these phases needs.
#[must_use]
pub(in crate::lower) fn needs(phases: u32) -> &'static str {
    match phases {
        phases if phases & phase::LOG == phases => "session completed",
        phases if phases & phase::ANSWER_BE == 0 => "HTTP request headers",
        phases if phases & phase::REQUEST_BE == 0 => "HTTP response headers",
        phases if phases & phase::CONTENT_FE == 0 => "backend",
        phases if phases & phase::SESSION == 0 => "stream",
        _ => "internal state",
    }
}

/// From when to when a fetch has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Valid {
    /// Always.
    Any,
    /// Once bytes of the client are looked at, until the response starts.
    Request,
    /// Of the request or of the response, whichever is being looked at.
    Message,
    /// Once bytes of the client are looked at, to the end.
    Transaction,
    /// Once a backend was chosen.
    Backend,
    /// Once a server was chosen.
    Server,
    /// While the response is looked at.
    Response,
    /// Once the response is there, to the end.
    Status,
    /// When everything is over.
    End,
}

impl Valid {
    /// The phases in which it has a value, for names that the tables do not hold.
    #[must_use]
    pub(in crate::lower) fn phases(self) -> u32 {
        match self {
            Valid::Any => phase::ALL,
            Valid::Request => 0x7fc,
            Valid::Message => 0xb_fffc,
            Valid::Transaction => 0x7_fffc,
            Valid::Backend => 0xf_ffc0,
            Valid::Response => 0xb_f800,
            Valid::Server | Valid::Status => 0xf_f800,
            Valid::End => phase::LOG,
        }
    }
}

/// Can a sample of one type become another?
#[must_use]
pub(super) fn castable(from: SampleType, to: SampleType) -> bool {
    use SampleType as T;
    if from == T::Any || to == T::Any || from == to {
        return true;
    }
    match from {
        T::Bool => matches!(to, T::Int | T::Str | T::Bin),
        T::Int => matches!(to, T::Bool | T::Addr | T::Ipv4 | T::Ipv6 | T::Str | T::Bin),
        // An address is IPv4 or IPv6 when it comes.
        T::Addr => matches!(to, T::Ipv4 | T::Ipv6 | T::Str | T::Bin),
        T::Ipv4 => matches!(to, T::Int | T::Addr | T::Ipv6 | T::Str | T::Bin),
        T::Ipv6 => matches!(to, T::Addr | T::Ipv4 | T::Str | T::Bin),
        T::Str => true,
        T::Bin => matches!(to, T::Str | T::Meth),
        T::Meth => matches!(to, T::Str | T::Bin),
        T::Any => true,
    }
}

/// How messages call a type.
#[must_use]
pub(super) fn noun(kind: SampleType) -> &'static str {
    match kind {
        SampleType::Any => "anything",
        SampleType::Bool => "a boolean",
        SampleType::Int => "an integer",
        SampleType::Addr => "an address",
        SampleType::Ipv4 => "an IPv4 address",
        SampleType::Ipv6 => "an IPv6 address",
        SampleType::Str => "a string",
        SampleType::Bin => "bytes",
        SampleType::Meth => "a method",
    }
}
