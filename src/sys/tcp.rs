//! TCP socket options the standard library does not set.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};

/// How a listening TCP socket is made.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// Where.
    pub addr: SocketAddr,
    /// `backlog`.
    pub backlog: i32,
    /// Several sockets share the port.
    pub reuse_port: bool,
    /// `v6only`/`v4v6`.
    pub v6only: Option<bool>,
    /// `transparent`: the address need not be ours (IP_TRANSPARENT).
    pub transparent: bool,
    /// `interface`.
    pub interface: Option<String>,
    /// `defer-accept`.
    pub defer_accept: bool,
}

/// Opens a non-blocking listening socket.
///
/// # Errors
/// What the kernel says.
pub fn listen(options: &ListenOptions) -> io::Result<Socket> {
    let domain = Domain::for_address(options.addr);
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if options.reuse_port {
        socket.set_reuse_port(true)?;
    }
    if let (Some(v6only), true) = (options.v6only, options.addr.is_ipv6()) {
        socket.set_only_v6(v6only)?;
    }
    if let Some(interface) = &options.interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    if options.transparent {
        if options.addr.is_ipv4() {
            socket.set_ip_transparent_v4(true)?;
        } else {
            socket.set_freebind_v6(true)?;
        }
    }
    socket.bind(&SockAddr::from(options.addr))?;
    if options.defer_accept {
        nix::sys::socket::setsockopt(&socket, DeferAccept, &1).map_err(io::Error::from)?;
    }
    socket.listen(options.backlog)?;
    Ok(socket)
}

/// `TCP_DEFER_ACCEPT`: seconds the kernel waits for the first byte.
#[derive(Clone, Copy, Debug)]
struct DeferAccept;

impl nix::sys::socket::SetSockOpt for DeferAccept {
    type Val = i32;

    fn set<F: std::os::fd::AsFd>(&self, fd: &F, val: &i32) -> nix::Result<()> {
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor is borrowed for the call, and the option's value is one int.
        let rc = unsafe {
            libc::setsockopt(
                fd.as_fd().as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_DEFER_ACCEPT,
                std::ptr::from_ref(val).cast(),
                size_of::<i32>() as libc::socklen_t,
            )
        };
        nix::errno::Errno::result(rc).map(drop)
    }
}

/// A non-blocking socket for a connection to `to`, bound to `source` if given.
///
/// # Errors
/// What the kernel says.
pub fn outgoing(to: SocketAddr, source: Option<SocketAddr>, keepalive: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if keepalive {
        set_keepalive(&socket)?;
    }
    if let Some(source) = source {
        socket.set_reuse_address(true)?;
        if source.port() == 0 {
            // Lets the kernel choose the port at connect, when it knows the whole 4-tuple: many more ports.
            nix::sys::socket::setsockopt(&socket, BindAddressNoPort, &1).map_err(io::Error::from)?;
        }
        socket.bind(&SockAddr::from(source))?;
    }
    Ok(socket)
}

/// `IP_BIND_ADDRESS_NO_PORT`.
#[derive(Clone, Copy, Debug)]
struct BindAddressNoPort;

impl nix::sys::socket::SetSockOpt for BindAddressNoPort {
    type Val = i32;

    fn set<F: std::os::fd::AsFd>(&self, fd: &F, val: &i32) -> nix::Result<()> {
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor is borrowed for the call, and the option's value is one int.
        let rc = unsafe {
            libc::setsockopt(
                fd.as_fd().as_raw_fd(),
                libc::IPPROTO_IP,
                libc::IP_BIND_ADDRESS_NO_PORT,
                std::ptr::from_ref(val).cast(),
                size_of::<i32>() as libc::socklen_t,
            )
        };
        nix::errno::Errno::result(rc).map(drop)
    }
}

/// `option tcpka` and relatives: the kernel's own intervals.
///
/// # Errors
/// What the kernel says.
pub fn set_keepalive(socket: &impl std::os::fd::AsFd) -> io::Result<()> {
    socket2::SockRef::from(socket).set_tcp_keepalive(&TcpKeepalive::new())
}

/// Takes over a duplicate of an inherited descriptor (`fd@N`).
///
/// # Errors
/// The descriptor is not open.
pub fn inherited(fd: i32) -> io::Result<Socket> {
    if fd < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the descriptor is only borrowed for the duplication; a closed one makes it fail.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    Ok(Socket::from(borrowed.try_clone_to_owned()?))
}
