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
