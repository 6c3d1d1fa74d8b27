//! Why connections and what they were to begin with failed: `fc_err`, `bc_err` and their kin.

/// Why a connection to a server, or the handshake of a client, failed, by HAProxy's numbers and words (manual,
/// `fc_err_str`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// It did not.
    None,
    /// Anything else.
    Socket,
    /// The source address is not to be had.
    CannotBind,
    /// No source port is free.
    NoPorts,
    /// Nobody listens.
    Refused,
    /// The other end reset it.
    Reset,
    /// There is no way.
    Unreachable,
    /// The client sent no PROXY header, or not a good one.
    Proxy(Prologue),
    /// Nor a NetScaler header.
    NetScaler(Prologue),
}

/// What became of the header that a connection was to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prologue {
    /// The client closed before it sent any of it.
    Closed,
    /// Its connection broke, or there was less of the header than it said.
    Aborted,
    /// It was silent for too long.
    TimedOut,
    /// A part of it came.
    Truncated,
    /// Something else came.
    Foreign,
    /// It makes no sense.
    Invalid,
    /// It is about a protocol that nobody knows.
    Protocol,
}

impl ConnectError {
    /// What an error of the system means.
    #[must_use]
    pub fn of(error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Self::Refused,
            Kind::ConnectionReset => Self::Reset,
            Kind::NetworkUnreachable | Kind::HostUnreachable => Self::Unreachable,
            Kind::AddrNotAvailable => Self::CannotBind,
            Kind::AddrInUse => Self::NoPorts,
            _ => Self::Socket,
        }
    }

    /// The client said nothing (it may have been a probe), or nothing wrong: `dontlognull` leaves it out.
    #[must_use]
    pub fn is_silence(self) -> bool {
        use Prologue::{Aborted, Closed, TimedOut};
        matches!(
            self,
            Self::None
                | Self::Proxy(Closed | Aborted | TimedOut)
                | Self::NetScaler(Closed | Aborted | TimedOut)
        )
    }

    /// Its number, name and description.
    #[must_use]
    pub fn described(self) -> (i64, &'static str, &'static str) {
        match self {
            Self::None => (0, "", "Success"),
            Self::Socket => (6, "SOCK_ERR", "General socket error"),
            Self::CannotBind => (8, "CANT_BIND", "Can't bind to source address"),
            Self::NoPorts => (9, "FREE_PORTS", "Out of local source ports on the system"),
            Self::Refused => (47, "EREFUSED", "ECONNREFUSED returned by OS"),
            Self::Reset => (48, "ERESET", "ECONNRESET returned by OS"),
            Self::Unreachable => (49, "EUNREACH", "ENETUNREACH returned by OS"),
            Self::Proxy(what) => what.of_proxy(),
            Self::NetScaler(what) => what.of_netscaler(),
        }
    }
}

impl Prologue {
    fn of_proxy(self) -> (i64, &'static str, &'static str) {
        match self {
            Self::Closed => (11, "PRX_EMPTY", "Connection closed while waiting for PROXY protocol header"),
            Self::Aborted => (12, "PRX_ABORT", "Connection error while waiting for PROXY protocol header"),
            Self::TimedOut => (13, "PRX_TIMEOUT", "Timeout while waiting for PROXY protocol header"),
            Self::Truncated => (14, "PRX_TRUNCATED", "Truncated PROXY protocol header received"),
            Self::Foreign => {
                (15, "PRX_NOT_HDR", "Received something which does not look like a PROXY protocol header")
            }
            Self::Invalid => (16, "PRX_BAD_HDR", "Received an invalid PROXY protocol header"),
            Self::Protocol => {
                (17, "PRX_BAD_PROTO", "Received an unhandled protocol in the PROXY protocol header")
            }
        }
    }

    fn of_netscaler(self) -> (i64, &'static str, &'static str) {
        match self {
            Self::Closed => {
                (18, "CIP_EMPTY", "Connection closed while waiting for NetScaler Client IP header")
            }
            Self::Aborted => {
                (19, "CIP_ABORT", "Connection error while waiting for NetScaler Client IP header")
            }
            Self::TimedOut => (20, "CIP_TIMEOUT", "Timeout while waiting for a NetScaler Client IP header"),
            Self::Truncated => (21, "CIP_TRUNCATED", "Truncated NetScaler Client IP header received"),
            Self::Foreign => (22, "CIP_BAD_MAGIC", "Received an invalid NetScaler Client IP magic number"),
            Self::Invalid | Self::Protocol => {
                (23, "CIP_BAD_PROTO", "Received an unhandled protocol in the NetScaler Client IP header")
            }
        }
    }
}
