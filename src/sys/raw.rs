//! Raw IP sockets for one protocol on one interface, and packet sockets for frames of our own making.

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn6, SockaddrStorage};
use nix::sys::socket::{recvmsg, sendmsg};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, SockAddrStorage, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::fd::{receive_buffer, set_int};

/// Traffic class of the queueing disciplines for control traffic (`TC_PRIO_CONTROL`).
const PRIORITY_CONTROL: u32 = 7;
/// Bytes of packets that may wait; the kernel counts about a thousand for the smallest.
const RECEIVE_BUFFER: u32 = 1 << 20;

/// What a raw socket listens to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RawKey {
    /// IP protocol number.
    pub protocol: u8,
    /// Interface name and index; `None`: any (unicast without an interface).
    pub interface: Option<(String, u32)>,
    /// Bound to this address (unicast); `None`: multicast.
    pub bound: Option<IpAddr>,
    /// Group to join.
    pub group: Option<IpAddr>,
    /// IPv6.
    pub v6: bool,
}

/// A packet as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// Bytes in the buffer: the whole IP packet for IPv4, the payload for IPv6.
    pub len: usize,
    /// IPv6: where from.
    pub source: Option<Ipv6Addr>,
    /// IPv6: where to.
    pub destination: Option<Ipv6Addr>,
    /// IPv6: hop limit.
    pub hop_limit: Option<u8>,
}

/// A raw socket that both sends and receives.
#[derive(Debug)]
pub struct RawSocket {
    socket: Socket,
    v6: bool,
    scope: u32,
}

impl RawSocket {
    /// Opens, binds and joins as `key` says. IPv4 packets are sent with their header.
    ///
    /// # Errors
    /// Whatever the kernel says; `PermissionDenied` without CAP_NET_RAW.
    pub fn open(key: &RawKey) -> io::Result<Self> {
        let domain = if key.v6 { Domain::IPV6 } else { Domain::IPV4 };
        let socket = Socket::new(
            domain,
            Type::RAW.nonblocking().cloexec(),
            Some(Protocol::from(i32::from(key.protocol))),
        )?;
        if let Some((name, _)) = &key.interface {
            socket.bind_device(Some(name.as_bytes()))?;
        }
        let index = key.interface.as_ref().map_or(0, |i| i.1);
        set_priority(&socket)?;
        if key.v6 {
            socket.set_multicast_loop_v6(false)?;
            socket.set_multicast_hops_v6(255)?;
            socket.set_multicast_if_v6(index)?;
            socket.set_recv_hoplimit_v6(true)?;
            set_int(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
        } else {
            socket.set_header_included_v4(true)?;
            socket.set_multicast_loop_v4(false)?;
        }
        match key.group {
            Some(IpAddr::V4(group)) => {
                socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
            }
            Some(IpAddr::V6(group)) => socket.join_multicast_v6(&group, index)?,
            None => {}
        }
        if let Some(address) = key.bound {
            let address: SocketAddr = match address {
                IpAddr::V4(a) => SocketAddrV4::new(a, 0).into(),
                IpAddr::V6(a) => SocketAddrV6::new(a, 0, 0, if link_local(a) { index } else { 0 }).into(),
            };
            socket.bind(&address.into())?;
        }
        Ok(Self { socket, v6: key.v6, scope: index })
    }

    /// Registers it with the runtime of the calling thread.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn watch(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: the descriptor is owned, valid, and neither replaced nor closed while `self` lives.
        Ok(unsafe { AsyncFd::register(self) }?)
    }

    /// Bytes of packets that may wait. `None`: room for a burst while we are busy; without the right to it the system's
    /// default has to do.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn set_buffer(&self, bytes: Option<u32>) -> io::Result<()> {
        match bytes {
            Some(bytes) => receive_buffer(self.socket.as_fd(), bytes, false),
            None => {
                let _ = receive_buffer(self.socket.as_fd(), RECEIVE_BUFFER, true);
                Ok(())
            }
        }
    }

    /// Sends an IPv4 packet, header included.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn send_v4(&self, packet: &[u8], to: Ipv4Addr) -> io::Result<()> {
        self.socket.send_to(packet, &SocketAddrV4::new(to, 0).into()).map(drop)
    }

    /// Sends an IPv6 payload from `source` with the given hop limit.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn send_v6(
        &self,
        payload: &[u8],
        source: Ipv6Addr,
        to: Ipv6Addr,
        hop_limit: Option<u8>,
    ) -> io::Result<()> {
        let info = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr { s6_addr: source.octets() },
            ipi6_ifindex: self.scope as _,
        };
        let hops = hop_limit.map(i32::from);
        let mut control = vec![ControlMessage::Ipv6PacketInfo(&info)];
        if let Some(hops) = &hops {
            control.push(ControlMessage::Ipv6HopLimit(hops));
        }
        let to = SockaddrIn6::from(SocketAddrV6::new(to, 0, 0, if link_local(to) { self.scope } else { 0 }));
        let slices = [io::IoSlice::new(payload)];
        sendmsg(self.socket.as_raw_fd(), &slices, &control, MsgFlags::empty(), Some(&to))?;
        Ok(())
    }

    /// Receives one packet.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        if !self.v6 {
            let len = nix::sys::socket::recv(self.socket.as_raw_fd(), buffer, MsgFlags::empty())?;
            return Ok(Received { len, source: None, destination: None, hop_limit: None });
        }
        let mut control = nix::cmsg_space!(libc::in6_pktinfo, libc::c_int);
        let mut slices = [io::IoSliceMut::new(buffer)];
        let message = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut slices,
            Some(&mut control),
            MsgFlags::empty(),
        )?;
        let source = message.address.and_then(|a| a.as_sockaddr_in6().map(|s| s.ip()));
        let mut received = Received { len: message.bytes, source, destination: None, hop_limit: None };
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    received.destination = Some(info.ipi6_addr.s6_addr.into());
                }
                ControlMessageOwned::Ipv6HopLimit(hops) => received.hop_limit = u8::try_from(hops).ok(),
                _ => {}
            }
        }
        Ok(received)
    }
}

impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for RawSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Membership of an interface in a multicast group, for as long as this lives: the kernel reports it to switches.
#[derive(Debug)]
pub struct Membership(#[allow(dead_code, reason = "what it holds is the membership")] Socket);

impl Membership {
    /// Joins.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn join(group: IpAddr, index: u32) -> io::Result<Self> {
        let domain = if group.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 };
        let socket = Socket::new(domain, Type::DGRAM.cloexec(), None)?;
        match group {
            IpAddr::V4(group) => {
                socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
            }
            IpAddr::V6(group) => socket.join_multicast_v6(&group, index)?,
        }
        Ok(Self(socket))
    }
}

/// Sends finished Ethernet frames.
#[derive(Debug)]
pub struct FrameSocket {
    socket: Socket,
}

impl FrameSocket {
    /// Opens it. Protocol 0: it never receives.
    ///
    /// # Errors
    /// Whatever the kernel says; `PermissionDenied` without CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), Some(Protocol::from(0)))?;
        Ok(Self { socket })
    }

    /// Sends `frame` out of the interface with this index.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn send(&self, frame: &[u8], index: u32) -> io::Result<()> {
        let mut storage = SockAddrStorage::zeroed();
        // SAFETY: `sockaddr_ll` is one of the address types the storage is made for, and all-zero is valid for it.
        let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
        address.sll_family = libc::AF_PACKET as _;
        address.sll_ifindex = index as _;
        address.sll_protocol = frame.get(12..14).map_or(0, |p| u16::from_ne_bytes([p[0], p[1]]));
        address.sll_halen = 6;
        address.sll_addr[..6].copy_from_slice(frame.get(..6).unwrap_or(&[0xff; 6]));
        // SAFETY: the storage holds an initialised `sockaddr_ll` of that length.
        let address = unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as _) };
        self.socket.send_to(frame, &address).map(drop)
    }
}

/// `fe80::/10` and link-local groups need an interface to mean anything.
fn link_local(address: Ipv6Addr) -> bool {
    let first = address.segments()[0];
    first & 0xffc0 == 0xfe80 || first & 0xff0f == 0xff02
}

fn set_priority(socket: &Socket) -> io::Result<()> {
    set_int(socket, libc::SOL_SOCKET, libc::SO_PRIORITY, PRIORITY_CONTROL as _)
}
