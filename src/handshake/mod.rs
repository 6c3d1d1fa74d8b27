//! What a connection may begin with before its own protocol: the PROXY protocol, NetScaler's header, and SOCKS4 through
//! a relay. Bytes only.

pub mod netscaler;
pub mod proxy_protocol;
pub mod socks4;

/// Why what a client sent is not the header that was expected of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ends too soon. HAProxy looks at what is there once and does not wait for the rest: a header comes in one piece.
    Truncated,
    /// It does not begin as one does.
    Foreign,
    /// It makes no sense.
    Invalid,
    /// It is about a protocol that nobody knows.
    Protocol,
    /// What it says is there is not.
    Aborted,
}
