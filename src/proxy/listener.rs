//! Listening sockets: opened once before privileges are dropped, one per thread where the kernel can share a port.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use crate::ir::BindAddr;
use crate::live::{Listener, Live, Proxy};
use crate::sys;
use crate::sys::rights::Handed;

/// A socket that listens, not yet attached to a runtime.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// Unix stream.
    Unix(std::os::unix::net::UnixListener),
    /// A connected unix socket that connections come through.
    Pair(OwnedFd),
}

impl Socket {
    /// Another handle of the same socket.
    fn share(&self) -> io::Result<Self> {
        Ok(match self {
            Socket::Tcp(s) => Socket::Tcp(s.try_clone()?),
            Socket::Unix(s) => Socket::Unix(s.try_clone()?),
            Socket::Pair(s) => Socket::Pair(s.try_clone()?),
        })
    }

    /// What its connections inherit: whoever opened it did not know our settings.
    fn settle(&self, listener: &Listener, backlog: i32) -> io::Result<()> {
        match self {
            Socket::Tcp(s) => {
                sys::tcp::settle(&socket2::Socket::from(s.try_clone()?), backlog, &listener.ir.tcp)
            }
            Socket::Unix(_) | Socket::Pair(_) => Ok(()),
        }
    }

    /// Where it listens, for port 0.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Socket::Tcp(s) => s.local_addr().ok(),
            Socket::Unix(_) | Socket::Pair(_) => None,
        }
    }
}

/// A listener with one socket per thread.
#[derive(Debug)]
pub struct Bound {
    /// Its proxy.
    pub proxy: Arc<Proxy>,
    /// The listener.
    pub listener: Arc<Listener>,
    /// At least one for each thread; what another process handed over may be more.
    pub sockets: Vec<Socket>,
}

impl Bound {
    /// Handles of the sockets for the process that takes over. What was inherited itself is inherited again.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn export(&self) -> io::Result<Vec<Handed>> {
        let distinct = match &self.listener.ir.addr {
            BindAddr::Tcp(_) => self.sockets.len(),
            // These share one socket.
            BindAddr::Unix(_) | BindAddr::Abstract(_) => 1,
            BindAddr::Fd(_) | BindAddr::SockPair(_) => 0,
        };
        let handle = |socket: &Socket| {
            let fd = match socket.share()? {
                Socket::Tcp(s) => s.into(),
                Socket::Unix(s) => s.into(),
                Socket::Pair(s) => s,
            };
            let interface = self.listener.ir.interface.clone().unwrap_or_default();
            let namespace = self.listener.ir.namespace.clone().unwrap_or_default();
            Ok(Handed { fd, interface, namespace })
        };
        self.sockets.iter().take(distinct).map(handle).collect()
    }
}

/// A `bind` line that could not be honoured.
#[derive(Debug)]
pub struct BindError {
    /// The proxy.
    pub proxy: Arc<Proxy>,
    /// The listener.
    pub listener: Arc<Listener>,
    /// Why, in the kernel's words.
    pub error: io::Error,
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = sys::words(&self.error);
        match &self.listener.ir.addr {
            BindAddr::Tcp(a) => write!(f, "cannot bind socket ({words}) for [{}:{}]", a.ip(), a.port()),
            BindAddr::Unix(p) => write!(f, "cannot bind UNIX socket ({words}) [{}]", p.display()),
            BindAddr::Abstract(n) => {
                write!(f, "cannot bind UNIX socket ({words}) [abns@{}]", n.trim_end_matches('\0'))
            }
            BindAddr::Fd(n) => write!(f, "cannot use inherited socket ({words}) [fd@{n}]"),
            BindAddr::SockPair(n) => write!(f, "cannot use inherited socket ({words}) [fd {n}]"),
        }
    }
}

impl std::error::Error for BindError {}

/// Open the sockets of every frontend that is not disabled. Either all are open or none. What fits is taken out of
/// `handed`, the sockets of the process before this one, so that no connection in their queues is lost.
///
/// # Errors
/// Everything that failed.
pub fn bind_all(live: &Live, threads: usize, handed: &mut Vec<Handed>) -> Result<Vec<Bound>, Vec<BindError>> {
    let (mut bound, mut errors) = (Vec::new(), Vec::new());
    for proxy in live.proxies() {
        let Some(frontend) = proxy.frontend.as_ref().filter(|_| !proxy.ir.disabled) else { continue };
        let backlog = proxy.ir.frontend.as_ref().and_then(|f| f.backlog);
        for listener in &frontend.listeners {
            let backlog = listener.ir.backlog.or(backlog).or(listener.ir.maxconn);
            let backlog = backlog.unwrap_or_else(|| frontend.maxconn().max(1024));
            let namespace = listener.ir.namespace.as_deref();
            let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
            let opened = sys::netns::within(namespace, || open(live, listener, backlog, threads, handed));
            match opened {
                Ok(sockets) => {
                    bound.push(Bound { proxy: proxy.clone(), listener: listener.clone(), sockets });
                }
                Err(error) => {
                    errors.push(BindError { proxy: proxy.clone(), listener: listener.clone(), error });
                }
            }
        }
    }
    if errors.is_empty() { Ok(bound) } else { Err(errors) }
}

/// Opens the namespaces of servers, and those that clients may be in, while the process can still reach them. What is
/// missing is said.
#[must_use]
pub fn missing_namespaces(live: &Live) -> Vec<String> {
    let mut missing = Vec::new();
    for name in &live.config.namespaces {
        if sys::netns::open(name).is_err() {
            missing.push(format!("config : Cannot open namespace '{name}'."));
        }
    }
    for proxy in &live.config.proxies {
        let servers = proxy.backend.iter().flat_map(|half| &half.servers);
        let named = servers.filter_map(|server| Some((server, server.link.namespace.as_ref()?)));
        for (server, name) in named.filter(|(_, name)| *name != "*") {
            if sys::netns::open(name).is_err() {
                let (at, whose) = (&server.place, format!("{}/{}", proxy.name, server.name));
                missing.push(format!(
                    "config : [{}:{}] : 'server {whose}' : Cannot open namespace '{name}'.",
                    at.file, at.line
                ));
            }
        }
    }
    missing
}

/// Takes the sockets of a listener out of what was handed over.
fn take(listener: &Listener, handed: &mut Vec<Handed>) -> io::Result<Vec<Socket>> {
    let mut taken = Vec::new();
    // A socket that the new file wants otherwise than it was bound is not taken: another is bound beside it.
    let is_alike = |one: &Handed| match &listener.ir.addr {
        BindAddr::Tcp(_) => sys::tcp::is_alike(&one.fd, listener.ir.v6only, listener.ir.transparent),
        _ => true,
    };
    let fits = |one: &Handed| {
        let wanted = listener.ir.interface.as_deref().unwrap_or_default();
        let namespace = listener.ir.namespace.as_deref().unwrap_or_default();
        one.interface == wanted
            && one.namespace == namespace
            && is_at(one, &listener.ir.addr)
            && is_alike(one)
    };
    for one in handed.extract_if(.., |one| fits(one)) {
        let socket = socket2::Socket::from(one.fd);
        socket.set_nonblocking(true)?;
        taken.push(match &listener.ir.addr {
            BindAddr::Tcp(_) => Socket::Tcp(socket.into()),
            _ => Socket::Unix(socket.into()),
        });
    }
    Ok(taken)
}

/// Whether a socket listens at this address.
fn is_at(handed: &Handed, addr: &BindAddr) -> bool {
    let Ok(local) = socket2::SockRef::from(&handed.fd).local_addr() else { return false };
    match addr {
        BindAddr::Tcp(addr) => local.as_socket() == Some(*addr),
        // Bound under a temporary name, `PATH.NUMBER.tmp`, and moved into place.
        BindAddr::Unix(path) => local.as_pathname().is_some_and(|bound| {
            let (bound, path) = (bound.to_string_lossy(), path.to_string_lossy());
            bound.strip_prefix(&*path).is_some_and(|rest| rest.is_empty() || rest.ends_with(".tmp"))
        }),
        BindAddr::Abstract(name) => {
            // HAProxy fills the name up with zeros.
            local.as_abstract_namespace().is_some_and(|bound| {
                bound.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.iter().all(|b| *b == 0))
            })
        }
        BindAddr::Fd(_) | BindAddr::SockPair(_) => false,
    }
}

fn open(
    live: &Live,
    listener: &Listener,
    backlog: i32,
    threads: usize,
    handed: &mut Vec<Handed>,
) -> io::Result<Vec<Socket>> {
    let mut taken = take(listener, handed)?;
    for socket in &taken {
        socket.settle(listener, backlog)?;
    }
    // The one that began to listen first was handed over last, and takes what comes until somebody says otherwise.
    taken.reverse();
    if let Some(first) = taken.first() {
        if let (Socket::Tcp(first), true) = (first, taken.len() > 1) {
            let _ = sys::steer::to_all(first);
        }
        let more = (taken.len()..threads).map(|_| first.share()).collect::<io::Result<Vec<_>>>()?;
        taken.extend(more);
        return Ok(taken);
    }
    let first = match &listener.ir.addr {
        BindAddr::Tcp(addr) => {
            let options = sys::tcp::ListenOptions {
                addr: *addr,
                backlog,
                reuse_port: true,
                v6only: listener.ir.v6only,
                transparent: listener.ir.transparent,
                interface: listener.ir.interface.clone(),
                tcp: listener.ir.tcp.clone(),
            };
            if live.config.global.noreuseport {
                let options = sys::tcp::ListenOptions { reuse_port: false, ..options };
                return shared(Socket::Tcp(sys::tcp::listen(&options)?.into()), threads);
            }
            // Without SO_REUSEPORT first: with it another process' listener on the port would go unnoticed.
            let probe = sys::tcp::bound(&sys::tcp::ListenOptions { reuse_port: false, ..options.clone() });
            let addr = match probe {
                Ok(probe) => probe.local_addr()?.as_socket().unwrap_or(*addr),
                // An earlier process of ours may hold it while we take over.
                Err(e) if e.kind() == io::ErrorKind::AddrInUse => *addr,
                Err(e) => return Err(e),
            };
            return (0..threads)
                .map(|_| {
                    let options = sys::tcp::ListenOptions { addr, ..options.clone() };
                    Ok(Socket::Tcp(sys::tcp::listen(&options)?.into()))
                })
                .collect();
        }
        BindAddr::Unix(path) => Socket::Unix(unix(path, listener)?),
        BindAddr::Abstract(name) => {
            use std::os::linux::net::SocketAddrExt as _;
            let addr = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            let socket = std::os::unix::net::UnixListener::bind_addr(&addr)?;
            socket.set_nonblocking(true)?;
            Socket::Unix(socket)
        }
        BindAddr::Fd(fd) => {
            let socket = inherited(*fd)?;
            socket.settle(listener, backlog)?;
            socket
        }
        BindAddr::SockPair(fd) => {
            let socket = sys::fd::duplicate(*fd)?;
            socket2::SockRef::from(&socket).set_nonblocking(true)?;
            Socket::Pair(socket)
        }
    };
    shared(first, threads)
}

/// One socket for all threads.
fn shared(first: Socket, threads: usize) -> io::Result<Vec<Socket>> {
    let mut sockets = Vec::with_capacity(threads);
    for _ in 1..threads {
        sockets.push(first.share()?);
    }
    sockets.push(first);
    Ok(sockets)
}

/// Binds under a temporary name and moves it into place, so that the path always leads to a live socket.
fn unix(path: &Path, listener: &Listener) -> io::Result<std::os::unix::net::UnixListener> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = std::path::PathBuf::from(temporary);
    let _ = std::fs::remove_file(&temporary);
    let socket = std::os::unix::net::UnixListener::bind(&temporary)?;
    let finish = || -> io::Result<()> {
        socket.set_nonblocking(true)?;
        if let Some(mode) = listener.ir.mode {
            std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(mode))?;
        }
        if listener.ir.uid.is_some() || listener.ir.gid.is_some() {
            std::os::unix::fs::chown(&temporary, listener.ir.uid, listener.ir.gid)?;
        }
        std::fs::rename(&temporary, path)
    };
    if let Err(e) = finish() {
        let _ = std::fs::remove_file(&temporary);
        return Err(e);
    }
    Ok(socket)
}

fn inherited(fd: i32) -> io::Result<Socket> {
    let socket = sys::tcp::inherited(fd)?;
    socket.set_nonblocking(true)?;
    Ok(if socket.local_addr()?.is_unix() { Socket::Unix(socket.into()) } else { Socket::Tcp(socket.into()) })
}
