//! Where a check goes, and how.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::external::Call;
use super::spare::Make;
use crate::health::dialogue::Way;
use crate::health::script::{Script, Step};
use crate::ir::check;
use crate::ir::server::SendProxy;
use crate::live::Server;
use crate::sys::{signed, words};

/// Where a check goes.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Ip(SocketAddr),
    Unix(PathBuf),
    /// Through an inherited unix socket.
    SockPair(i32),
    /// There is no address, or no port: a configuration that only fails when tried.
    Nowhere,
}

/// How a check goes there.
pub(super) struct Plan {
    pub(super) script: Arc<Script>,
    pub(super) server: Arc<Server>,
    /// The program to run instead.
    pub(super) call: Option<Call>,
    pub(super) target: Target,
    pub(super) source: Option<SocketAddr>,
    pub(super) send_proxy: SendProxy,
    /// Connections as those of the traffic begin with it.
    pub(super) introduces: bool,
    /// Headers of version 2 have addresses, too.
    pub(super) never_local: bool,
    /// The SOCKS4 relay of the server.
    pub(super) relay: Option<SocketAddr>,
    /// Checks go through it unless their rules say otherwise.
    pub(super) via_relay: bool,
    /// `inter`: how long all may take, unless `timeout check` says otherwise.
    pub(super) inter: Duration,
    pub(super) timeout_connect: Option<Duration>,
    pub(super) timeout_check: Option<Duration>,
}

impl Target {
    /// Where a rule's own address leads; its port is the check's unless it has one.
    fn elsewhere(&self, addr: &check::Target) -> Self {
        match addr {
            check::Target::Unix(path) => Self::Unix(path.clone()),
            check::Target::Ip(ip, port) => {
                let here = match self {
                    Self::Ip(addr) => addr.port(),
                    Self::Unix(_) | Self::SockPair(_) | Self::Nowhere => 0,
                };
                Self::Ip((*ip, port.unwrap_or(here)).into())
            }
        }
    }
}

impl Plan {
    /// The PROXY header that a connection begins with.
    pub(super) fn introduction(&self, way: &Way) -> Option<SendProxy> {
        let used = way.send_proxy || self.introduces && way.as_server;
        used.then_some(SendProxy { v1: true, ..self.send_proxy })
    }

    /// The relay that a connection is made through.
    pub(super) fn relay(&self, way: &Way) -> Option<SocketAddr> {
        self.relay.filter(|_| way.via_socks4 || way.as_server && self.via_relay)
    }

    /// Whether something is sent behind something that was sent.
    fn speaks_twice(&self, way: &Way) -> bool {
        let sends = self
            .script
            .steps
            .iter()
            .filter(|step| matches!(step, Step::Send(_) | Step::SendHttp(_) | Step::SendHello));
        sends.count() + usize::from(self.introduction(way).is_some()) > 1
    }

    /// What a socket of another check has to be to serve this one; `None`: it needs one of its own.
    pub(super) fn make(&self, addr: SocketAddr, way: &Way) -> Option<Make> {
        let link = &self.server.ir.link;
        let common =
            !way.linger && self.source.is_none() && link.namespace.is_none() && link.password.is_none();
        common.then(|| Make { ipv4: addr.is_ipv4(), nodelay: self.speaks_twice(way) })
    }

    /// A socket that does not block, with the options of the check.
    pub(super) fn socket_for(&self, addr: SocketAddr, way: &Way) -> Result<Socket, Failure> {
        let namespace = self.server.ir.link.namespace.as_deref();
        crate::sys::netns::within(namespace, || socket(self, addr, way))
            .map_err(|e| Failure::NoSocket(reason(&e)))
    }

    /// Time to connect: `inter`, or `timeout connect` if that is shorter and `timeout check` takes care of the rest.
    pub(super) fn connect_time(&self) -> Duration {
        match (self.timeout_check, self.timeout_connect) {
            (Some(_), Some(connect)) => connect.min(self.inter),
            _ => self.inter,
        }
    }
}

/// An error as HAProxy has it since 3.1: what kind of error, and the system's words.
pub(super) fn reason(error: &io::Error) -> String {
    use nix::libc::{
        EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, ECONNREFUSED, ECONNRESET, EHOSTUNREACH, EMFILE, ENFILE,
        ENOBUFS, ENOMEM, EPIPE, EPROTONOSUPPORT,
    };
    let kind = match error.raw_os_error() {
        Some(ECONNREFUSED) => "ECONNREFUSED returned by OS",
        Some(ECONNRESET) => "ECONNRESET returned by OS",
        Some(EPIPE) => "EPIPE returned by OS",
        // A router said so; that there is no route here is known before anything is sent.
        Some(EHOSTUNREACH) => "ENETUNREACH returned by OS",
        Some(EADDRINUSE) => "Local source address already in use",
        Some(EADDRNOTAVAIL) => "Out of local source ports on the system",
        Some(EMFILE) => "Too many sockets on the process",
        Some(ENFILE) => "Too many sockets on the system",
        Some(ENOBUFS | ENOMEM) => "Out of system buffers",
        Some(EAFNOSUPPORT | EPROTONOSUPPORT) => "Protocol or address family not supported",
        _ => "General socket error",
    };
    format!("{kind} ({})", words(error))
}

/// The same for a socket of this host's file system, of which HAProxy tells no kinds.
pub(super) fn local_reason(error: &io::Error) -> String {
    format!("General socket error ({})", words(error))
}

/// Why there is no connection.
pub(super) enum Failure {
    NoSocket(String),
    Connect(io::Error),
}

impl Plan {
    /// Where a connection leads, on whatever way.
    pub(super) fn destination(&self, way: &Way) -> Target {
        let target =
            way.addr.as_ref().map_or_else(|| self.target.clone(), |addr| self.target.elsewhere(addr));
        match (target, way.port) {
            (Target::Ip(addr), Some(port)) => Target::Ip((addr.ip(), port).into()),
            (target, _) => target,
        }
    }
}

fn socket(plan: &Plan, addr: SocketAddr, way: &Way) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM.nonblocking(), None)?;
    if !way.linger {
        // A reset frees the port at once; thousands of checks would leave thousands in TIME-WAIT.
        socket.set_linger(Some(Duration::ZERO))?;
    }
    if plan.speaks_twice(way) {
        socket.set_tcp_nodelay(true)?;
    }
    if let Some(password) = &plan.server.ir.link.password {
        signed::with_peer(&socket, addr, password.as_bytes())?;
    }
    if let Some(source) = plan.source.filter(|s| s.is_ipv4() == addr.is_ipv4()) {
        if source.port() != 0 {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&source.into())?;
    }
    Ok(socket)
}
