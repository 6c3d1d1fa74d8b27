//! Bare descriptors.

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout};

/// Writes `bytes` whole if the descriptor takes bytes right now, and never waits. `false`: nothing was written.
#[must_use]
pub fn write_if_ready(fd: i32, bytes: &[u8]) -> bool {
    if fd < 0 {
        return false;
    }
    // SAFETY: the descriptor is not owned here and only used for the two calls below; a closed one makes them fail.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let mut poll = [PollFd::new(fd, PollFlags::POLLOUT)];
    if nix::poll::poll(&mut poll, PollTimeout::ZERO) != Ok(1) {
        return false;
    }
    nix::unistd::write(fd, bytes) == Ok(bytes.len())
}

/// A descriptor of one's own for one that this process inherited (`fd@N`).
///
/// # Errors
/// No such descriptor is open.
pub fn duplicate(fd: i32) -> std::io::Result<std::os::fd::OwnedFd> {
    if fd < 0 {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the descriptor is only used for the call that duplicates it, which fails if it is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    borrowed.try_clone_to_owned()
}

/// What a descriptor that is a socket says of itself.
#[derive(Debug)]
pub struct SocketFacts {
    /// It takes connections.
    pub listens: bool,
    /// Its own address.
    pub local: Option<socket2::SockAddr>,
    /// The address of the other end; `None`: it is not connected.
    pub peer: Option<socket2::SockAddr>,
}

/// Asks a descriptor of this process, whoever owns it. `None`: it is no socket, or closed meanwhile.
#[must_use]
pub fn socket_facts(fd: i32) -> Option<SocketFacts> {
    if fd < 0 {
        return None;
    }
    // SAFETY: the descriptor is not owned here and only asked; a closed one makes the questions fail.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let socket = socket2::SockRef::from(&fd);
    socket.r#type().ok()?;
    let listens = nix::sys::socket::getsockopt(&fd, nix::sys::socket::sockopt::AcceptConn).unwrap_or(false);
    Some(SocketFacts { listens, local: socket.local_addr().ok(), peer: socket.peer_addr().ok() })
}

/// Sets a socket option whose value is a number.
///
/// # Errors
/// What the kernel says.
pub(super) fn set_int(socket: &impl AsFd, level: i32, option: i32, value: i32) -> std::io::Result<()> {
    // SAFETY: the descriptor is borrowed for the call, and the option's value is one int.
    let rc = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    nix::errno::Errno::result(rc).map(drop).map_err(std::io::Error::from)
}

/// A socket option whose value is a number.
///
/// # Errors
/// What the kernel says.
pub(super) fn get_int(socket: &impl AsFd, level: i32, option: i32) -> std::io::Result<i32> {
    let (mut value, mut length) = (0i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: the descriptor is borrowed for the call, and the kernel writes no more than there is room for.
    let rc = unsafe {
        libc::getsockopt(socket.as_fd().as_raw_fd(), level, option, (&raw mut value).cast(), &raw mut length)
    };
    nix::errno::Errno::result(rc).map(|_| value).map_err(std::io::Error::from)
}

/// Bytes that may wait to be read from a socket (`SO_RCVBUF`; the kernel counts twice as many, for what it keeps of each).
/// `force`: beyond the limit of the system, which takes CAP_NET_ADMIN.
///
/// # Errors
/// Whatever the kernel says.
pub fn receive_buffer(socket: BorrowedFd<'_>, bytes: u32, force: bool) -> std::io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};
    // The kernel takes an int; no limit of a system is beyond it.
    let bytes = usize::try_from(bytes.min(i32::MAX as u32)).unwrap_or(usize::MAX);
    if force {
        setsockopt(&socket, sockopt::RcvBufForce, &bytes)?;
    } else {
        setsockopt(&socket, sockopt::RcvBuf, &bytes)?;
    }
    Ok(())
}
