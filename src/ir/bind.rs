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
    /// `sockpair@N`: an inherited unix socket through which connections come one by one.
    SockPair(i32),
}

/// What the kernel is asked to do with the connections of a TCP listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpSettings {
    /// `defer-accept`.
    pub defer_accept: bool,
    /// `option tcp-smart-accept`, and HTTP without it: what a client sends is acknowledged by the answer to it.
    pub delays_acks: bool,
    /// `tcp-ut`: how long sent data may stay unacknowledged.
    pub user_timeout: Option<std::time::Duration>,
    /// `tfo`: data in the first packet of clients that were here before (RFC 7413).
    pub fast_open: bool,
    /// `mss`: largest segment, in bytes; below zero: so much smaller than it would be.
    pub max_segment: Option<i32>,
    /// `cc`: name of the congestion control.
    pub congestion: Option<String>,
    /// `tcp-ss`: 1 keeps the headers of a connection's first packet, 2 with that of Ethernet; 0 does not.
    pub save_syn: u8,
    /// `tcp-md5sig`: only segments signed with this password count.
    pub password: Option<String>,
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
    /// `nice`: what sessions begin with; above zero they let others go first.
    pub nice: i32,
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
    /// `accept-netscaler-cip`: the number that such a header begins with.
    pub netscaler: Option<u32>,
    /// `v4v6` / `v6only` on an IPv6 address; `None`: kernel default.
    pub v6only: Option<bool>,
    /// What the kernel does with its connections.
    pub tcp: TcpSettings,
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
