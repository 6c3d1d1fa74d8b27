//! `bind` lines.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Place, global::Level};

/// Address of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindAddr {
    /// One TCP address and port.
    Tcp(SocketAddr),
    /// A unix stream socket.
    Unix(PathBuf),
    /// An abstract unix stream socket.
    Abstract(String),
    /// An inherited listening descriptor.
    Fd(i32),
}

/// One listener. A `bind` line with several addresses or a port range makes several.
#[derive(Clone, Debug, PartialEq)]
pub struct Bind {
    /// Where.
    pub addr: BindAddr,
    /// `name`; `None`: `sock-N` in statistics.
    pub name: Option<String>,
    /// `id`.
    pub id: u32,
    /// `guid-prefix` with the number of the listener of the line, from 0.
    pub guid: Option<String>,
    /// `maxconn` of the listener.
    pub maxconn: Option<u32>,
    /// `backlog`.
    pub backlog: Option<u32>,
    /// `transparent`.
    pub transparent: bool,
    /// `interface`.
    pub interface: Option<String>,
    /// `namespace`.
    pub namespace: Option<String>,
    /// `accept-proxy`.
    pub accept_proxy: bool,
    /// `v4v6` / `v6only` on an IPv6 address; `None`: kernel default.
    pub v6only: Option<bool>,
    /// `defer-accept`.
    pub defer_accept: bool,
    /// `tcp-ut`: how long sent data may stay unacknowledged.
    pub user_timeout: Option<std::time::Duration>,
    /// `mode` bits of a unix socket.
    pub mode: Option<u32>,
    /// Owner of a unix socket.
    pub uid: Option<u32>,
    /// Group of a unix socket.
    pub gid: Option<u32>,
    /// `level` (stats frontends).
    pub level: Level,
    /// Where it was written.
    pub place: Place,
}
