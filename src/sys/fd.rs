//! Bare descriptors.

use std::os::fd::BorrowedFd;

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
