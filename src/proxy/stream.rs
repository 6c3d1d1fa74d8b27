//! A byte stream to a client or a server.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use socket2::SockRef;

use crate::buf::Buf;
use crate::sys;
use crate::sys::reactor::{Known, Socket, Way};

/// TCP or unix. Encrypted streams will be further variants.
#[derive(Debug)]
pub(super) enum Stream {
    /// TCP that the poller does not know yet: many connections are over before anybody has to wait for them.
    Fresh(Fresh),
    /// TCP.
    Tcp(Socket),
    /// A unix stream socket.
    Unix(Socket),
}

/// See [`Stream::Fresh`].
#[derive(Debug)]
pub(super) struct Fresh {
    /// Gone if the poller had no room for it, or others have it.
    io: Option<std::net::TcpStream>,
    /// What could have come has been read: trying to read before waiting would be for nothing.
    quiet: bool,
    /// It is there, and takes what is written.
    connected: bool,
}

impl Fresh {
    fn get(&self) -> io::Result<&std::net::TcpStream> {
        self.io.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Stream {
    /// A connection that was just accepted; non-blocking.
    pub(super) fn fresh(io: std::net::TcpStream) -> Self {
        Stream::Fresh(Fresh { io: Some(io), quiet: false, connected: true })
    }

    /// A connection that is being made; non-blocking.
    pub(super) fn connecting(io: std::net::TcpStream) -> Self {
        Stream::Fresh(Fresh { io: Some(io), quiet: true, connected: false })
    }

    /// No connection: it has passed into other hands.
    pub(super) fn gone() -> Self {
        Stream::Fresh(Fresh { io: None, quiet: true, connected: false })
    }

    /// See [`Self::gone`].
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Stream::Fresh(Fresh { io: None, .. }))
    }

    /// Known to the poller from now on.
    fn settle(&mut self) -> io::Result<()> {
        if let Stream::Fresh(fresh) = self {
            let io = fresh.io.take().ok_or(io::ErrorKind::NotConnected)?;
            let known = Known { readable: !fresh.quiet, writable: fresh.connected };
            *self = Stream::Tcp(Socket::new(io.into(), known)?);
        }
        Ok(())
    }

    /// A unix socket that is connected; non-blocking.
    ///
    /// # Errors
    /// See [`Socket::new`].
    pub(super) fn unix(io: impl Into<OwnedFd>) -> io::Result<Self> {
        Ok(Stream::Unix(Socket::new(io.into(), Known { readable: true, writable: true })?))
    }

    /// Is it TCP?
    pub(super) fn is_tcp(&self) -> bool {
        !matches!(self, Stream::Unix(_))
    }

    /// The socket for its options, if it is TCP.
    pub(super) fn tcp(&self) -> Option<SockRef<'_>> {
        match self {
            Stream::Fresh(fresh) => fresh.io.as_ref().map(SockRef::from),
            Stream::Tcp(s) => Some(SockRef::from(s)),
            Stream::Unix(_) => None,
        }
    }

    /// Out of the runtime's hands.
    pub(super) fn into_fd(self) -> io::Result<OwnedFd> {
        Ok(match self {
            Stream::Fresh(Fresh { io, .. }) => io.ok_or(io::ErrorKind::NotConnected)?.into(),
            Stream::Tcp(s) | Stream::Unix(s) => s.into_fd(),
        })
    }

    /// Its descriptor.
    pub(super) fn raw_fd(&self) -> RawFd {
        match self {
            Stream::Fresh(fresh) => fresh.io.as_ref().map_or(-1, AsRawFd::as_raw_fd),
            Stream::Tcp(s) | Stream::Unix(s) => s.as_raw_fd(),
        }
    }

    /// `mss` below zero, of the listener that accepted it.
    pub(super) fn shrink_segments(&self, less: i32) {
        match self {
            Stream::Fresh(fresh) => {
                if let Some(io) = &fresh.io {
                    sys::tcp::shrink_segments(io, less);
                }
            }
            Stream::Tcp(s) => sys::tcp::shrink_segments(s, less),
            Stream::Unix(_) => {}
        }
    }

    /// Back into them: a non-blocking stream socket of one kind or the other.
    pub(super) fn from_fd(fd: OwnedFd, is_tcp: bool, known: Known) -> io::Result<Self> {
        let socket = Socket::new(fd, known)?;
        Ok(if is_tcp { Stream::Tcp(socket) } else { Stream::Unix(socket) })
    }

    /// Ready when a connection that is being made is there.
    pub(super) fn poll_connected(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.settle()?;
        let Stream::Tcp(s) = self else { return Poll::Ready(Ok(())) };
        ready!(s.poll_ready(cx, Way::Write));
        Poll::Ready(SockRef::from(&*s).take_error()?.map_or(Ok(()), Err))
    }

    /// Reads by `call`, which says how much came and how much could have come, if there is something to read as far as the
    /// poller knows; 0 is the end. `None`: there is nothing, wait. A read of less than could have come also tells the poller
    /// that the socket is drained, so the next wait costs no system call.
    pub(super) fn try_read(
        &mut self,
        call: impl FnOnce(BorrowedFd<'_>) -> rustix::io::Result<(usize, usize)>,
    ) -> Option<io::Result<usize>> {
        match self {
            Stream::Fresh(fresh) => {
                // Once: who goes on sending is waited for.
                let tries = !std::mem::replace(&mut fresh.quiet, true);
                let read = fresh.get().map(|s| tries.then(|| call(s.as_fd())));
                match read {
                    Ok(None | Some(Err(Errno::AGAIN))) => self.settle().err().map(Err),
                    Ok(Some(result)) => Some(result.map(|(n, _)| n).map_err(io::Error::from)),
                    Err(e) => Some(Err(e)),
                }
            }
            Stream::Tcp(s) | Stream::Unix(s) => once(s, Way::Read, call),
        }
    }

    /// Read into `buf`; 0 is the end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_readable(cx));
            if let Some(result) = self.try_read(|fd| receive(fd, &mut *buf)) {
                return Poll::Ready(result);
            }
        }
    }

    /// Write what fits.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, buf, false)
    }

    /// The same. `is_last`: [`shutdown`](Self::shutdown) follows, and its packet takes along what is written. On its own that
    /// would wait for up to 200 ms; closing sends it too.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
        is_last: bool,
    ) -> Poll<io::Result<usize>> {
        let flags = if is_last { SendFlags::NOSIGNAL | SendFlags::MORE } else { SendFlags::NOSIGNAL };
        if let Stream::Fresh(fresh) = self {
            match send(fresh.get()?, buf, flags) {
                Err(Errno::AGAIN) => self.settle()?,
                other => return Poll::Ready(Ok(other?)),
            }
        }
        let (Stream::Tcp(s) | Stream::Unix(s)) = self else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        loop {
            ready!(s.poll_ready(cx, Way::Write));
            if let Some(result) = send_once(s, buf, flags) {
                return Poll::Ready(result);
            }
        }
    }

    /// Write what fits, if there is room as far as the poller knows. `None`: it is not known to have any.
    pub(super) fn try_send(&mut self, buf: &[u8]) -> Option<io::Result<usize>> {
        match self {
            Stream::Fresh(_) => None,
            Stream::Tcp(s) | Stream::Unix(s) => send_once(s, buf, SendFlags::NOSIGNAL),
        }
    }

    /// Read by another system call than `read`, given the socket.
    pub(super) fn poll_read_with(
        &mut self,
        cx: &mut Context<'_>,
        read: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.poll_with(cx, Way::Read, read)
    }

    /// Write by another system call than `write`.
    pub(super) fn poll_write_with(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.poll_with(cx, Way::Write, write)
    }

    fn poll_with(
        &mut self,
        cx: &mut Context<'_>,
        way: Way,
        mut call: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.settle()?;
        let (Stream::Tcp(s) | Stream::Unix(s)) = self else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        loop {
            ready!(s.poll_ready(cx, way));
            match call(s.as_fd()) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => s.drained(way),
                other => return Poll::Ready(other),
            }
        }
    }

    /// Wait for bytes or the end without holding a buffer. One that the poller does not know is worth a try.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Stream::Fresh(_) => Poll::Ready(()),
            Stream::Tcp(s) | Stream::Unix(s) => s.poll_ready(cx, Way::Read),
        }
    }

    /// Does the poller know of bytes or the end? One that it does not know is worth a try.
    pub(super) fn is_readable(&self) -> bool {
        match self {
            Stream::Fresh(_) => true,
            Stream::Tcp(s) | Stream::Unix(s) => s.is_ready(Way::Read),
        }
    }

    /// Look at the next byte: 0 is the end.
    pub(super) fn poll_peek(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.poll_read_with(cx, |fd| Ok(peek(fd)?.0))
    }

    /// What came and was not read. Does not wait, and costs a system call only where the poller cannot tell.
    pub(super) fn unread(&self) -> Unread {
        let looked = match self {
            Stream::Fresh(fresh) => match fresh.get().map(|s| peek(s.as_fd())) {
                Ok(Err(Errno::AGAIN)) => None,
                looked => Some(looked.and_then(|looked| Ok(looked?.0))),
            },
            // The poller's word, without asking to be woken; whoever took just what he wanted has not told it that
            // there is no more.
            Stream::Tcp(s) | Stream::Unix(s) => once(s, Way::Read, peek),
        };
        match looked {
            None => Unread::Nothing,
            Some(Ok(1..)) => Unread::Bytes,
            Some(_) => Unread::End,
        }
    }

    /// Ends both directions. What has come can still be read.
    pub(super) fn cut(&self) {
        // One that is closed already has none.
        self.end(Shutdown::Both);
    }

    /// Send the end of our side.
    pub(super) fn shutdown(&self) {
        // A failure means that the peer is gone already.
        self.end(Shutdown::Write);
    }

    fn end(&self, how: Shutdown) {
        let _ = match self {
            Stream::Fresh(fresh) => fresh.get().and_then(|s| s.shutdown(how)),
            Stream::Tcp(s) | Stream::Unix(s) => SockRef::from(s).shutdown(how),
        };
    }

    /// Make closing reset the connection (`option nolinger` and relatives).
    pub(super) fn reset_on_close(&self) {
        if let Some(s) = self.tcp() {
            let _ = s.set_linger(Some(Duration::ZERO));
        }
    }

    /// Make closing say so, and what was written arrive before.
    pub(super) fn end_on_close(&self) {
        if let Some(s) = self.tcp() {
            let _ = s.set_linger(None);
        }
    }

    /// Make closing hide the end of the connection from the other side (`silent-drop`).
    pub(super) fn vanish_on_close(&self, hops: Option<u8>) {
        if let Some(s) = self.tcp() {
            crate::sys::tcp::vanish_on_close(&*s, hops);
        }
    }

    /// Set type of service and mark of the packets sent from now on. Without the right to mark, none are marked.
    pub(super) fn tag(&self, (tos, mark): (Option<u8>, Option<u32>)) {
        if let Some(s) = self.tcp() {
            crate::sys::tcp::tag(&*s, tos, mark);
        }
    }

    /// What was received is acknowledged without waiting for an answer (`option tcp-smart-accept` holds that back).
    pub(super) fn acknowledge_at_once(&self) {
        if let Some(s) = self.tcp() {
            let _ = sys::tcp::quick_acks(&*s, true);
        }
    }

    /// The other end's address; `None` for a unix socket.
    #[must_use]
    pub(super) fn peer_addr(&self) -> Option<SocketAddr> {
        self.tcp()?.peer_addr().ok()?.as_socket()
    }

    /// Our address; `None` for a unix socket.
    #[must_use]
    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        self.tcp()?.local_addr().ok()?.as_socket()
    }
}

/// Receive into `buf`, for [`Stream::try_read`].
fn receive(socket: BorrowedFd<'_>, buf: &mut [u8]) -> rustix::io::Result<(usize, usize)> {
    let all = buf.len();
    Ok((recv(socket, buf, RecvFlags::empty())?.0, all))
}

/// The same behind what is in `buf`, and at most so many bytes.
pub(super) fn receive_into(
    socket: BorrowedFd<'_>,
    buf: &mut Buf,
    most: usize,
) -> rustix::io::Result<(usize, usize)> {
    let space = buf.space();
    let most = most.min(space.len());
    let received = receive(socket, &mut space[..most])?;
    buf.commit(received.0);
    Ok(received)
}

/// Looks at the next byte. It is all that could have come, so that nothing is said of what follows it.
fn peek(socket: BorrowedFd<'_>) -> rustix::io::Result<(usize, usize)> {
    Ok((recv(socket, &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT)?.0, 1))
}

/// One call on a socket if the poller holds it for ready. `None`: it is not, wait. A call that moved less than it could
/// has found the end of what there is: the poller is told at once, which spares a call for nothing.
fn once(
    socket: &Socket,
    way: Way,
    call: impl FnOnce(BorrowedFd<'_>) -> rustix::io::Result<(usize, usize)>,
) -> Option<io::Result<usize>> {
    if !socket.is_ready(way) {
        return None;
    }
    let called = call(socket.as_fd());
    if matches!(called, Err(Errno::AGAIN)) {
        socket.drained(way);
        return None;
    }
    if matches!(called, Ok((n, all)) if (1..all).contains(&n)) {
        socket.drained(way);
    }
    Some(called.map(|(n, _)| n).map_err(io::Error::from))
}

/// Writes what fits, if the poller holds the socket for ready, see [`once`].
fn send_once(socket: &Socket, buf: &[u8], flags: SendFlags) -> Option<io::Result<usize>> {
    once(socket, Way::Write, |fd| Ok((send(fd, buf, flags)?, buf.len())))
}

/// See [`Stream::unread`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is silent.
    Nothing,
    /// It sent something.
    Bytes,
    /// It closed, or the connection broke.
    End,
}

/// Client and server side of a session, for what is told about one or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Towards the client.
    Client,
    /// Towards the server.
    Server,
}
