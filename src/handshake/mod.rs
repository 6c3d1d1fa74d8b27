//! What a connection may begin with before its own protocol: the PROXY protocol, and SOCKS4 through a relay. Bytes only.

pub mod proxy_protocol;
pub mod socks4;
