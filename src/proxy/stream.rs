//! A byte stream to a client or a server.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// TCP or unix. Encrypted streams will be further variants.
#[derive(Debug)]
pub(super) enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A unix stream socket.
    Unix(UnixStream),
}

impl Stream {
    /// Out of the runtime's hands.
    pub(super) fn into_fd(self) -> io::Result<OwnedFd> {
        Ok(match self {
            Stream::Tcp(s) => s.into_std()?.into(),
            Stream::Unix(s) => s.into_std()?.into(),
        })
    }

    /// Its descriptor.
    pub(super) fn raw_fd(&self) -> RawFd {
        match self {
            Stream::Tcp(s) => s.as_raw_fd(),
            Stream::Unix(s) => s.as_raw_fd(),
        }
    }

    /// Back into them: a non-blocking stream socket of one kind or the other.
    pub(super) fn from_fd(fd: OwnedFd, is_tcp: bool) -> io::Result<Self> {
        Ok(if is_tcp {
            Stream::Tcp(TcpStream::from_std(fd.into())?)
        } else {
            Stream::Unix(UnixStream::from_std(fd.into())?)
        })
    }

    /// Read into `buf`; 0 is the end. A read that does not fill `buf` also tells the poller that the socket is
    /// drained, so the next wait costs no system call.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(buf);
        ready!(match self {
            Stream::Tcp(s) => Pin::new(s).poll_read(cx, &mut read),
            Stream::Unix(s) => Pin::new(s).poll_read(cx, &mut read),
        })?;
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Write what fits.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Stream::Tcp(s) => Pin::new(s).poll_write(cx, buf),
            Stream::Unix(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    /// Read by another system call than `read`, given the socket.
    pub(super) fn poll_read_with(
        &mut self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_readable(cx))?;
            let result = match self {
                Stream::Tcp(s) => s.try_io(Interest::READABLE, || read(s.as_fd())),
                Stream::Unix(s) => s.try_io(Interest::READABLE, || read(s.as_fd())),
            };
            match result {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                other => return Poll::Ready(other),
            }
        }
    }

    /// Write by another system call than `write`.
    pub(super) fn poll_write_with(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let result = match self {
                Stream::Tcp(s) => {
                    ready!(s.poll_write_ready(cx))?;
                    s.try_io(Interest::WRITABLE, || write(s.as_fd()))
                }
                Stream::Unix(s) => {
                    ready!(s.poll_write_ready(cx))?;
                    s.try_io(Interest::WRITABLE, || write(s.as_fd()))
                }
            };
            match result {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                other => return Poll::Ready(other),
            }
        }
    }

    /// Wait for bytes or the end without holding a buffer.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(s) => s.poll_read_ready(cx),
            Stream::Unix(s) => s.poll_read_ready(cx),
        }
    }

    /// Look at the next byte: 0 is the end.
    pub(super) fn poll_peek(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut byte = [0];
        match self {
            Stream::Tcp(s) => s.poll_peek(cx, &mut ReadBuf::new(&mut byte)),
            // Nothing to look at without reading on a unix socket: say that there is something.
            Stream::Unix(s) => s.poll_read_ready(cx).map_ok(|()| 1),
        }
    }

    /// Send the end of our side.
    pub(super) fn shutdown(&mut self) {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        // Shutting down a plain socket never waits; a failure means that the peer is gone already.
        let _ = match self {
            Stream::Tcp(s) => Pin::new(s).poll_shutdown(&mut cx),
            Stream::Unix(s) => Pin::new(s).poll_shutdown(&mut cx),
        };
    }

    /// Make closing reset the connection (`option nolinger`, `silent-drop` and relatives).
    pub(super) fn reset_on_close(&self) {
        if let Stream::Tcp(s) = self {
            let _ = s.set_zero_linger();
        }
    }

    /// Set type of service and mark of the packets sent from now on. Without the right to mark, none are marked.
    pub(super) fn tag(&self, (tos, mark): (Option<u8>, Option<u32>)) {
        if let Stream::Tcp(s) = self {
            crate::sys::tcp::tag(s, tos, mark);
        }
    }

    /// The other end's address; `None` for a unix socket.
    #[must_use]
    pub(super) fn peer_addr(&self) -> Option<SocketAddr> {
        match self {
            Stream::Tcp(s) => s.peer_addr().ok(),
            Stream::Unix(_) => None,
        }
    }

    /// Our address; `None` for a unix socket.
    #[must_use]
    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Stream::Tcp(s) => s.local_addr().ok(),
            Stream::Unix(_) => None,
        }
    }
}

/// Client and server side of a session, for what is told about one or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Towards the client.
    Client,
    /// Towards the server.
    Server,
}
