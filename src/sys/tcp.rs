//! TCP socket options the standard library does not set.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::task::{Poll, ready};

use super::fd::{get_int, set_int};
use crate::ir::bind::TcpSettings;
use crate::ir::proxy::Keepalive;
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Makes closing a connection say nothing to the other side: the socket is put into repair mode, in which it ends without
/// a packet. Without the right to (`CAP_NET_ADMIN`), or with `hops`, a reset is sent that lives for so many hops, one if
/// it is not said.
pub fn vanish_on_close(stream: &impl std::os::fd::AsFd, hops: Option<u8>) {
    let socket = socket2::SockRef::from(stream);
    // What came is acknowledged, lest the other side send it again and be answered with a reset.
    let _ = socket.set_tcp_quickack(true);
    if hops.is_none()
        && nix::sys::socket::setsockopt(stream, nix::sys::socket::sockopt::TcpRepair, &1).is_ok()
    {
        return;
    }
    let hops = u32::from(hops.unwrap_or(1));
    // One of them is its family's.
    let _ = socket.set_ttl_v4(hops);
    let _ = socket.set_unicast_hops_v6(hops);
    let _ = socket.set_linger(Some(std::time::Duration::ZERO));
}

/// A listening socket in the runtime's poller. What it accepts is in no poller yet, and sends without delay (no Nagle).
#[derive(Debug)]
pub struct Listener(AsyncFd<TcpListener>);

impl Listener {
    /// Takes a non-blocking listening socket.
    ///
    /// # Errors
    /// No memory or descriptors are left.
    pub fn new(socket: TcpListener) -> io::Result<Self> {
        // What it accepts inherits this.
        socket2::SockRef::from(&socket).set_tcp_nodelay(true)?;
        // SAFETY: the descriptor is owned, valid, and neither replaced nor closed while the `AsyncFd` lives.
        let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
        Ok(Self(registered.map_err(|e| e.into_parts().1)?))
    }

    /// The next connection, non-blocking, and where it comes from.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| {
            loop {
                let mut guard = ready!(self.0.poll_read_ready(cx))?;
                if let Ok(result) = guard.try_io(|listener| accept(listener.get_ref())) {
                    return Poll::Ready(result);
                }
            }
        })
        .await
    }

    /// A connection that is there already, whether or not the poller has told of it.
    ///
    /// # Errors
    /// What the kernel says; that nobody waits is [`io::ErrorKind::WouldBlock`].
    pub fn accept_waiting(&self) -> io::Result<(TcpStream, SocketAddr)> {
        accept(self.0.get_ref())
    }
}

fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let mut fd = -1;
    // SAFETY: the kernel fills in the storage and its length, both as large as it is told.
    let accepted = unsafe {
        SockAddr::try_init(|storage, len| {
            let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
            fd = libc::accept4(listener.as_raw_fd(), storage.cast(), len, flags);
            if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
        })
    };
    let ((), addr) = accepted?;
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    let stream = unsafe { TcpStream::from_raw_fd(fd) };
    Ok((stream, addr.as_socket().ok_or(io::ErrorKind::InvalidData)?))
}

/// Resets the connection of a socket, which can be connected again afterwards; its options stay.
///
/// # Errors
/// What the kernel says.
pub fn disconnect(socket: std::os::fd::BorrowedFd<'_>) -> io::Result<()> {
    let nowhere = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    // SAFETY: the descriptor is borrowed for the call, which reads as many bytes of the address as it is told.
    let rc = unsafe {
        libc::connect(socket.as_raw_fd(), &raw const nowhere, size_of::<libc::sockaddr>() as libc::socklen_t)
    };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What the kernel counts for a connection (`TCP_INFO`); times in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Info {
    /// Mean round trip time.
    pub rtt: u32,
    /// Its variance.
    pub rttvar: u32,
    /// Segments that were not acknowledged yet.
    pub unacked: u32,
    /// Segments that were acknowledged out of order.
    pub sacked: u32,
    /// Segments taken for lost.
    pub lost: u32,
    /// Segments sent again and not acknowledged yet.
    pub retrans: u32,
    /// Segments between the last acknowledged in order and the last acknowledged at all.
    pub fackets: u32,
    /// Segments that may come out of order before they are taken for lost.
    pub reordering: u32,
}

/// What the kernel counts for a connection; `None` if it is none of TCP.
#[must_use]
pub fn info(socket: std::os::fd::RawFd) -> Option<Info> {
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut len = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: `info` has room for `len` bytes, the kernel writes no more than that, and any bytes are a valid `tcp_info`:
    // it is made of integers. A descriptor that is none is answered with an error.
    let info = unsafe {
        let got = libc::getsockopt(
            socket,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        );
        (got == 0).then(|| info.assume_init())?
    };
    Some(Info {
        rtt: info.tcpi_rtt,
        rttvar: info.tcpi_rttvar,
        unacked: info.tcpi_unacked,
        sacked: info.tcpi_sacked,
        lost: info.tcpi_lost,
        retrans: info.tcpi_retrans,
        fackets: info.tcpi_fackets,
        reordering: info.tcpi_reordering,
    })
}

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
    /// What the kernel does with its connections.
    pub tcp: TcpSettings,
}

/// Opens a non-blocking datagram socket that shares its port with another process, as a successor needs.
///
/// # Errors
/// What the kernel says.
pub fn datagrams(addr: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&SockAddr::from(addr))?;
    Ok(socket.into())
}

/// Opens a non-blocking listening socket.
///
/// # Errors
/// What the kernel says.
pub fn listen(options: &ListenOptions) -> io::Result<Socket> {
    let socket = bound(options)?;
    prepare(&socket, options.backlog, &options.tcp)?;
    socket.listen(options.backlog)?;
    if options.tcp.delays_acks {
        // Beginning to listen resets it. Without it there are more packets, and nothing else.
        let _ = quick_acks(&socket, false);
    }
    Ok(socket)
}

/// Opens a socket that has its address and does not listen yet: nobody can reach it.
///
/// # Errors
/// What the kernel says; where somebody listens there and does not share, that the address is in use.
pub fn bound(options: &ListenOptions) -> io::Result<Socket> {
    let domain = Domain::for_address(options.addr);
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if options.reuse_port {
        socket.set_reuse_port(true)?;
    }
    if let (Some(v6only), true) = (options.v6only, options.addr.is_ipv6()) {
        socket.set_only_v6(v6only)?;
    }
    if let Some(interface) = &options.interface
        && let Err(error) = socket.bind_device(Some(interface.as_bytes()))
    {
        // As HAProxy: it listens on all of them then, and says so.
        tracing::warn!(listener = %options.addr, interface, %error, "cannot bind a listener to a device");
    }
    if options.transparent && foreign(&socket, options.addr).is_err() {
        // Without the right to take foreign connections the address at least need not be there yet.
        if options.addr.is_ipv4() { socket.set_freebind_v4(true)? } else { socket.set_freebind_v6(true)? }
    }
    socket.set_tcp_user_timeout(options.tcp.user_timeout)?;
    socket.bind(&SockAddr::from(options.addr))?;
    Ok(socket)
}

/// What connections inherit from a TCP socket that listens already, and nothing of what was asked for it before.
///
/// # Errors
/// Segments cannot be signed.
pub fn settle(socket: &Socket, backlog: i32, tcp: &TcpSettings) -> io::Result<()> {
    let _ = quick_acks(socket, !tcp.delays_acks);
    // Where the kernel has no such option there is nothing to take back.
    let _ = socket.set_tcp_user_timeout(tcp.user_timeout);
    let fast = get_int(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN).is_ok_and(|queue| queue != 0);
    for (option, stays) in [
        (libc::TCP_DEFER_ACCEPT, tcp.defer_accept),
        (libc::TCP_SAVE_SYN, tcp.save_syn > 0),
        (libc::TCP_MAXSEG, tcp.max_segment.is_some_and(|bytes| bytes > 0)),
        (libc::TCP_FASTOPEN, tcp.fast_open || !fast),
    ] {
        if !stays {
            let _ = set_int(socket, libc::IPPROTO_TCP, option, 0);
        }
    }
    prepare(socket, backlog, tcp)
}

/// Whether somebody else opened a socket as [`ListenOptions`] with these settings would: what cannot be changed behind
/// `bind`.
#[must_use]
pub fn is_alike(socket: &impl std::os::fd::AsFd, v6only: Option<bool>, transparent: bool) -> bool {
    let on = |level, option| get_int(socket, level, option).is_ok_and(|value| value != 0);
    let own = socket2::SockRef::from(socket);
    let is_v6 = own.domain().is_ok_and(|domain| domain == Domain::IPV6);
    let takes_foreign = on(libc::IPPROTO_IP, libc::IP_FREEBIND)
        || if is_v6 {
            on(libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT)
        } else {
            on(libc::IPPROTO_IP, libc::IP_TRANSPARENT)
        };
    let wanted = || v6only.unwrap_or_else(v6only_unasked);
    own.r#type().is_ok_and(|kind| kind == Type::STREAM)
        && takes_foreign == transparent
        && (!is_v6 || own.only_v6().is_ok_and(|only| only == wanted()))
}

/// Whether IPv6 sockets are for IPv6 only where nobody says so (`net.ipv6.bindv6only`).
fn v6only_unasked() -> bool {
    let fresh = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP));
    fresh.and_then(|socket| socket.only_v6()).unwrap_or(false)
}

/// Without most of it connections work all the same, so what the kernel refuses (a congestion control whose module is not
/// loaded) is said and goes without.
fn prepare(socket: &Socket, backlog: i32, tcp: &TcpSettings) -> io::Result<()> {
    let addr = socket.local_addr()?.as_socket();
    if let Some(password) = &tcp.password {
        super::signed::with_everybody(socket, addr.is_some_and(|addr| addr.is_ipv6()), password.as_bytes())?;
    }
    let said = |what: &str, done: io::Result<()>| {
        if let Err(error) = done {
            tracing::warn!(listener = ?addr, %error, "cannot set {what}");
        }
    };
    let number = |option, value| set_int(socket, libc::IPPROTO_TCP, option, value);
    if tcp.defer_accept {
        // Seconds the kernel waits for the first byte.
        said("defer-accept", number(libc::TCP_DEFER_ACCEPT, 1));
    }
    if tcp.fast_open {
        said("tfo", number(libc::TCP_FASTOPEN, backlog));
    }
    if let Some(bytes) = tcp.max_segment.filter(|bytes| *bytes > 0) {
        said("mss", number(libc::TCP_MAXSEG, bytes));
    }
    if tcp.save_syn > 0 {
        said("tcp-ss", number(libc::TCP_SAVE_SYN, tcp.save_syn.into()));
    }
    if let Some(name) = &tcp.congestion {
        said("cc", set_congestion(socket, name));
    }
    Ok(())
}

/// `cc`: the congestion control of a socket.
///
/// # Errors
/// The kernel does not have it, or this process may not use it.
pub fn set_congestion(socket: &impl std::os::fd::AsFd, name: &str) -> io::Result<()> {
    let option = nix::sys::socket::sockopt::TcpCongestion;
    nix::sys::socket::setsockopt(socket, option, &name.into()).map_err(io::Error::from)
}

/// Are the first segments of a connection acknowledged as soon as they come, which is the kernel's way and lets others send
/// on, or with what is said in answer to them? What a listener accepts inherits it.
///
/// # Errors
/// What the kernel says.
pub fn quick_acks(socket: &impl std::os::fd::AsFd, on: bool) -> io::Result<()> {
    set_int(socket, libc::IPPROTO_TCP, libc::TCP_QUICKACK, on.into())
}

/// `tfo` of a server: the first data that is written opens the connection, if the server has given a cookie before.
///
/// # Errors
/// What the kernel says.
pub fn fast_open(socket: &impl std::os::fd::AsFd) -> io::Result<()> {
    set_int(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 1)
}

/// `mss` below zero: makes the segments of an accepted connection `less` bytes smaller than the kernel would.
pub fn shrink_segments(stream: &impl std::os::fd::AsFd, less: i32) {
    use nix::sys::socket::{getsockopt, sockopt::TcpMaxSeg};
    if let Ok(bytes) = getsockopt(stream, TcpMaxSeg) {
        let _ = set_int(stream, libc::IPPROTO_TCP, libc::TCP_MAXSEG, (bytes as i32).saturating_sub(less));
    }
}

/// The headers of the packet that opened a connection, if its listener keeps them (`tcp-ss`). The kernel gives them away
/// once.
#[must_use]
pub fn saved_syn(socket: std::os::fd::RawFd) -> Option<Vec<u8>> {
    // Ethernet, IP and TCP with all their options are less.
    let mut packet = vec![0_u8; 256];
    let mut len = packet.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` bytes into `packet`, which has as many. A descriptor that is none is answered
    // with an error.
    let got = unsafe {
        libc::getsockopt(
            socket,
            libc::IPPROTO_TCP,
            libc::TCP_SAVED_SYN,
            packet.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    packet.truncate(len as usize);
    (got == 0 && len > 0).then_some(packet)
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source<'a> {
    /// Address, and port unless that is 0.
    pub addr: Option<SocketAddr>,
    /// The address need not be ours (IP_TRANSPARENT): the answers are routed back to us by whoever set that up.
    pub foreign: bool,
    /// Interface that packets leave by.
    pub interface: Option<&'a str>,
}

/// A non-blocking socket for a connection to `to`.
///
/// # Errors
/// What the kernel says.
pub fn outgoing(to: SocketAddr, source: Source<'_>, keepalive: Option<&Keepalive>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if let Some(keepalive) = keepalive {
        set_keepalive(&socket, keepalive)?;
    }
    if let Some(interface) = source.interface
        && let Err(error) = socket.bind_device(Some(interface.as_bytes()))
    {
        // Connections are made all the same. Said once: there may be thousands a second.
        static SAID: std::sync::Once = std::sync::Once::new();
        SAID.call_once(|| tracing::warn!(interface, %error, "cannot bind a connection to a device"));
    }
    if let Some(addr) = source.addr {
        if addr.is_ipv4() != to.is_ipv4() {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        if source.foreign {
            foreign(&socket, to)?;
        }
        let source = addr;
        socket.set_reuse_address(true)?;
        if source.port() == 0 {
            // Lets the kernel choose the port at connect, when it knows the whole 4-tuple: many more ports.
            set_int(&socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)?;
        }
        socket.bind(&SockAddr::from(source))?;
    }
    Ok(socket)
}

/// Lets a socket be bound to an address that is not ours.
fn foreign(socket: &Socket, addr: SocketAddr) -> io::Result<()> {
    if addr.is_ipv4() {
        return socket.set_ip_transparent_v4(true);
    }
    set_int(socket, libc::IPPROTO_IPV6, libc::IPV6_TRANSPARENT, 1)
}

/// Type of service and mark of what a socket sends. The kernel may refuse either; nothing depends on them here.
pub fn tag(socket: &impl std::os::fd::AsFd, tos: Option<u8>, mark: Option<u32>) {
    let socket = socket2::SockRef::from(socket);
    if let Some(tos) = tos {
        // One of them is for the other family.
        let _ = socket.set_tos_v4(tos.into());
        let _ = socket.set_tclass_v6(tos.into());
    }
    if let Some(mark) = mark
        && let Err(e) = socket.set_mark(mark)
    {
        tracing::debug!("packets cannot be marked: {e}");
    }
}

/// `option tcpka` and relatives; the kernel's own values where there are none.
///
/// # Errors
/// What the kernel says.
pub fn set_keepalive(socket: &impl std::os::fd::AsFd, values: &Keepalive) -> io::Result<()> {
    let mut params = TcpKeepalive::new();
    if let Some(idle) = values.idle {
        params = params.with_time(idle);
    }
    if let Some(interval) = values.interval {
        params = params.with_interval(interval);
    }
    if let Some(count) = values.count {
        params = params.with_retries(count);
    }
    socket2::SockRef::from(socket).set_tcp_keepalive(&params)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_sends_without_delay() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let socket = TcpListener::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            let addr = socket.local_addr().unwrap();
            let listener = Listener::new(socket).unwrap();
            let _client = TcpStream::connect(addr).unwrap();
            let (accepted, _) = listener.accept().await.unwrap();
            assert!(accepted.nodelay().unwrap());
        });
    }
}
