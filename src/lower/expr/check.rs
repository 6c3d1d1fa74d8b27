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
    /// Log lines, written when everything is over (or with `logasap`).
    Log,
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
            Site::Log => "logs",
        }
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
    /// Does it have a value at `site`?
    #[must_use]
    pub fn at(self, site: Site) -> bool {
        use Site as S;
        match self {
            Valid::Any => true,
            Valid::Request => matches!(site, S::TcpContent | S::HttpRequest | S::UseBackend | S::UseServer),
            Valid::Message => !matches!(site, S::TcpConnection | S::TcpSession | S::Log),
            Valid::Transaction => !matches!(site, S::TcpConnection | S::TcpSession),
            // A backend's own request rules run after it was chosen.
            Valid::Backend => !matches!(site, S::TcpConnection | S::TcpSession | S::UseBackend),
            Valid::Response => matches!(site, S::TcpResponse | S::HttpResponse),
            Valid::Server | Valid::Status => matches!(site, S::TcpResponse | S::HttpResponse | S::Log),
            Valid::End => site == S::Log,
        }
    }

    /// What it needs, in HAProxy's words.
    #[must_use]
    pub fn needs(self) -> &'static str {
        match self {
            Valid::Any => "internal state",
            Valid::Request | Valid::Message => "HTTP request headers",
            Valid::Transaction => "stream",
            Valid::Backend => "backend",
            Valid::Server => "server",
            Valid::Response | Valid::Status => "HTTP response headers",
            Valid::End => "session completed",
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
        T::Addr | T::Ipv4 => matches!(to, T::Int | T::Addr | T::Ipv4 | T::Ipv6 | T::Str | T::Bin),
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
