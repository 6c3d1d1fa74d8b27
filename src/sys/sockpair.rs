//! Connections made without a listening socket (`sockpair@N`): whoever connects makes a pair of sockets and sends one of
//! them through a connected unix socket, and whoever reads there takes it for an accepted one.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, socketpair};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::rights;

/// What goes along with the socket: a message needs bytes.
const TOKEN: [u8; 2] = [0; 2];

/// The end that sockets arrive at, in the runtime's poller.
#[derive(Debug)]
pub struct Arrivals(AsyncFd<OwnedFd>);

impl Arrivals {
    /// Takes a connected unix socket.
    ///
    /// # Errors
    /// No memory or descriptors are left.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        // SAFETY: the descriptor is owned, valid, and neither replaced nor closed while the `AsyncFd` lives.
        let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
        Ok(Self(registered.map_err(|e| e.into_parts().1)?))
    }

    /// The next connection, non-blocking. Once the other end is closed nobody comes any more, and this never returns.
    ///
    /// # Errors
    /// What the kernel says.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let mut guard = self.0.readable().await?;
            match guard.try_io(|socket| arrived(socket.get_ref())) {
                Ok(Ok(Arrived::Nobody)) => std::future::pending().await,
                Ok(Ok(Arrived::Socket(stream))) => return Ok(stream),
                Ok(Err(e)) => return Err(e),
                Ok(Ok(Arrived::Bytes)) | Err(_) => {}
            }
        }
    }

    /// A connection that is there already.
    ///
    /// # Errors
    /// What the kernel says; that nobody waits is [`io::ErrorKind::WouldBlock`].
    pub fn accept_waiting(&self) -> io::Result<UnixStream> {
        loop {
            match arrived(self.0.get_ref())? {
                Arrived::Socket(stream) => return Ok(stream),
                Arrived::Bytes => {}
                Arrived::Nobody => return Err(io::ErrorKind::WouldBlock.into()),
            }
        }
    }
}

enum Arrived {
    Socket(UnixStream),
    /// A message with no socket in it.
    Bytes,
    /// The other end is closed.
    Nobody,
}

fn arrived(socket: &OwnedFd) -> io::Result<Arrived> {
    let mut bytes = TOKEN;
    let (length, fds) = rights::receive(socket, &mut bytes)?;
    // There is one in a message; any more are closed.
    Ok(match fds.into_iter().next() {
        Some(fd) => {
            let stream = UnixStream::from(fd);
            stream.set_nonblocking(true)?;
            Arrived::Socket(stream)
        }
        None if length == 0 => Arrived::Nobody,
        None => Arrived::Bytes,
    })
}

/// A non-blocking connection to whoever reads at the other end of the inherited descriptor `through`.
///
/// # Errors
/// What the kernel says; nobody reads, or not fast enough.
pub fn connect(through: i32) -> io::Result<UnixStream> {
    if through < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = SockFlag::SOCK_CLOEXEC;
    let (theirs, ours) = socketpair(AddressFamily::Unix, SockType::Stream, None, flags)?;
    let ours = UnixStream::from(ours);
    ours.set_nonblocking(true)?;
    // SAFETY: the descriptor is not owned here and only used for this call; a closed one makes it fail.
    let through = unsafe { BorrowedFd::borrow_raw(through) };
    rights::send_with(&through, &TOKEN, &[theirs.as_fd()], MsgFlags::MSG_DONTWAIT)?;
    Ok(ours)
}

/// Whether this process has such a descriptor, and it is a socket.
///
/// # Errors
/// What the kernel says to who asks for its address.
pub fn inherited(fd: i32) -> io::Result<()> {
    if fd < 0 {
        return Err(Errno::EBADF.into());
    }
    // SAFETY: the descriptor is not owned here and only asked; a closed one makes the question fail.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    nix::sys::socket::getsockname::<nix::sys::socket::SockaddrStorage>(socket.as_raw_fd())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn who_connects_arrives_at_the_other_end() {
        let (here, there) = UnixStream::pair().unwrap();
        there.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let arrivals = Arrivals::new(there.into()).unwrap();
            assert_eq!(arrivals.accept_waiting().unwrap_err().kind(), io::ErrorKind::WouldBlock);
            // Bytes alone are nobody.
            (&here).write_all(b"..").unwrap();
            let mut client = connect(here.as_raw_fd()).unwrap();
            let mut server = arrivals.accept().await.unwrap();
            client.write_all(b"hello").unwrap();
            let mut got = [0; 5];
            server.read_exact(&mut got).unwrap();
            assert_eq!(&got, b"hello");
            let _second = connect(here.as_raw_fd()).unwrap();
            arrivals.accept_waiting().unwrap();
            // As many as fit; nobody waits for the rest to be taken.
            let most = (0..100_000).find_map(|_| connect(here.as_raw_fd()).err()).unwrap();
            assert_eq!(most.kind(), io::ErrorKind::WouldBlock);
            while arrivals.accept_waiting().is_ok() {}
            drop(here);
            let nobody = tokio::time::timeout(std::time::Duration::from_millis(20), arrivals.accept());
            assert!(nobody.await.is_err());
        });
    }

    #[test]
    fn what_is_no_socket_is_none() {
        let (here, _there) = UnixStream::pair().unwrap();
        inherited(here.as_raw_fd()).unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(inherited(file.as_raw_fd()).unwrap_err().raw_os_error(), Some(libc::ENOTSOCK));
        assert_eq!(inherited(-1).unwrap_err().raw_os_error(), Some(libc::EBADF));
        assert!(connect(-1).is_err());
    }
}
