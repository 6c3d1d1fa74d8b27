//! Segments with a signature of RFC 2385 (`tcp-md5sig`): both ends know a password, and drop what is not signed with it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd as _};

use socket2::SockAddr;

/// `TCP_MD5SIG_MAXKEYLEN`.
pub const LONGEST: usize = 80;
/// `TCP_MD5SIG_FLAG_PREFIX`.
const PREFIX: u8 = 1;

/// `struct tcp_md5sig`.
#[repr(C)]
struct Key {
    peer: libc::sockaddr_storage,
    flags: u8,
    prefix: u8,
    length: u16,
    interface: u32,
    key: [u8; LONGEST],
}

/// Signs the connection that is about to be made to `peer`, and takes nothing else from it.
///
/// # Errors
/// The kernel does not sign, or the password is longer than [`LONGEST`].
pub fn with_peer(socket: &impl AsFd, peer: SocketAddr, password: &[u8]) -> io::Result<()> {
    set(socket, libc::TCP_MD5SIG, peer, 0, password)
}

/// Takes signed connections only from the socket that is about to listen, whoever makes them. `ipv6`: its family; it may
/// have clients of both.
///
/// # Errors
/// As [`with_peer`].
pub fn with_everybody(socket: &impl AsFd, ipv6: bool, password: &[u8]) -> io::Result<()> {
    let anybody = |ip: std::net::IpAddr| set(socket, libc::TCP_MD5SIG_EXT, (ip, 0).into(), PREFIX, password);
    if ipv6 {
        anybody(Ipv6Addr::UNSPECIFIED.into())?;
        anybody(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().into())
    } else {
        anybody(Ipv4Addr::UNSPECIFIED.into())
    }
}

/// Whether the kernel signs.
#[must_use]
pub fn works() -> bool {
    use socket2::{Domain, Protocol, Socket, Type};
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))
        .and_then(|socket| with_everybody(&socket, false, b"password"))
        .is_ok()
}

fn set(socket: &impl AsFd, option: i32, peer: SocketAddr, flags: u8, password: &[u8]) -> io::Result<()> {
    let mut storage = SockAddr::from(peer).as_storage();
    let mut key = Key {
        // SAFETY: the storage of an address is one, by another name.
        peer: *unsafe { storage.view_as() },
        flags,
        prefix: 0,
        length: password.len() as u16,
        interface: 0,
        key: [0; LONGEST],
    };
    key.key.get_mut(..password.len()).ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(password);
    // SAFETY: the kernel reads as many bytes of `key` as it is told, which is its size.
    let rc = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            option,
            (&raw const key).cast(),
            size_of::<Key>() as libc::socklen_t,
        )
    };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use socket2::{Domain, Socket, Type};

    use super::*;

    /// Whether a connection to `to` with this password comes to be.
    fn connects(to: SocketAddr, password: Option<&[u8]>) -> Option<TcpStream> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
        if let Some(password) = password {
            with_peer(&socket, to, password).unwrap();
        }
        // Segments with a wrong signature get no answer.
        socket.connect_timeout(&to.into(), Duration::from_millis(50)).ok().map(|()| socket.into())
    }

    #[test]
    fn only_who_knows_the_password_gets_through() {
        if !works() {
            return;
        }
        for addr in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let addr: SocketAddr = addr.parse().unwrap();
            let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).unwrap();
            socket.bind(&addr.into()).unwrap();
            with_everybody(&socket, addr.is_ipv6(), b"secret").unwrap();
            socket.listen(8).unwrap();
            let listener = TcpListener::from(socket);
            let mut to = listener.local_addr().unwrap();
            if to.ip().is_unspecified() {
                to.set_ip(Ipv4Addr::LOCALHOST.into());
            }
            assert!(connects(to, None).is_none(), "{addr}");
            assert!(connects(to, Some(b"guess")).is_none(), "{addr}");
            let mut client = connects(to, Some(b"secret")).unwrap();
            client.write_all(b"hello").unwrap();
            let mut got = [0; 5];
            listener.accept().unwrap().0.read_exact(&mut got).unwrap();
            assert_eq!(&got, b"hello");
        }
    }

    #[test]
    fn a_password_has_so_many_bytes() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        assert!(with_everybody(&socket, false, &[b'x'; LONGEST + 1]).is_err());
    }
}
