//! Pipes that bytes go through from socket to socket without being copied: splice(2).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};

/// A pipe. What is in it is known to its user.
#[derive(Debug)]
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pipe {
    /// An empty pipe for `size` bytes.
    ///
    /// # Errors
    /// No descriptors are left, or this user's pipes have all the memory they may have.
    pub fn new(size: usize) -> io::Result<Self> {
        let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        let size = i32::try_from(size).map_err(|_| Errno::EINVAL)?;
        fcntl(&write, FcntlArg::F_SETPIPE_SZ(size))?;
        Ok(Self { read, write })
    }

    /// Move at most `max` bytes from a non-blocking socket into it; 0 is the socket's end. A full pipe looks like a
    /// socket without bytes.
    ///
    /// # Errors
    /// `WouldBlock`, or what the socket says.
    pub fn fill(&self, from: impl AsFd, max: usize) -> io::Result<usize> {
        Ok(splice(from, None, &self.write, None, max, flags())?)
    }

    /// Move at most `max` bytes out of it to a non-blocking socket. Where something follows at once, the last of them wait
    /// for it.
    ///
    /// # Errors
    /// `WouldBlock`, or what the socket says.
    pub fn drain(&self, to: impl AsFd, max: usize, follows: bool) -> io::Result<usize> {
        let more = if follows { SpliceFFlags::SPLICE_F_MORE } else { SpliceFFlags::empty() };
        Ok(splice(&self.read, None, to, None, max, flags() | more)?)
    }
}

fn flags() -> SpliceFFlags {
    SpliceFFlags::SPLICE_F_MOVE | SpliceFFlags::SPLICE_F_NONBLOCK
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn bytes_pass_from_socket_to_socket() {
        let pair = || UnixStream::pair().unwrap();
        let ((mut a, b), (c, mut d)) = (pair(), pair());
        b.set_nonblocking(true).unwrap();
        c.set_nonblocking(true).unwrap();
        let pipe = Pipe::new(65536).unwrap();
        assert_eq!(pipe.fill(&b, 100).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        a.write_all(b"some bytes").unwrap();
        assert_eq!(pipe.fill(&b, 4).unwrap(), 4);
        assert_eq!(pipe.fill(&b, 100).unwrap(), 6);
        assert_eq!(pipe.drain(&c, 100, false).unwrap(), 10);
        let mut got = [0; 10];
        d.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"some bytes");
        // Not dropped: a child that another test is making may hold a copy for a moment.
        a.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(pipe.fill(&b, 100).unwrap(), 0);
    }
}
