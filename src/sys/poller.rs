//! A poller of its own inside the runtime's: descriptors that are waited for without a task each.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Descriptors under keys of the caller's.
#[derive(Debug)]
pub struct Poller(Epoll);

impl Poller {
    /// So much is told at a time.
    pub const AT_A_TIME: usize = 128;

    /// An empty one.
    ///
    /// # Errors
    /// No descriptors or memory are left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Wait for bytes or the end. What is there already counts.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn add(&self, fd: impl AsFd, key: usize) -> io::Result<()> {
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP;
        Ok(self.0.add(fd, EpollEvent::new(interest, key as u64))?)
    }

    /// Tell every time that something new can be done with a socket: bytes have come, the end, an error, and, if `room`
    /// matters, that there is some.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn add_edges(&self, fd: impl AsFd, key: usize, room: bool) -> io::Result<()> {
        Ok(self.0.add(fd, EpollEvent::new(edges(room), key as u64))?)
    }

    /// From now on room matters, see [`Self::add_edges`].
    ///
    /// # Errors
    /// What the kernel says.
    pub fn add_room(&self, fd: impl AsFd, key: usize) -> io::Result<()> {
        Ok(self.0.modify(fd, &mut EpollEvent::new(edges(true), key as u64))?)
    }

    /// What is new, each key at most once, [so many](Self::AT_A_TIME). Whether there may be more. Does not wait.
    pub fn edges(&self, edges: &mut Vec<Edge>) -> bool {
        let mut events = [EpollEvent::empty(); Self::AT_A_TIME];
        let n = self.0.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
        let broken = EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP;
        let over = EpollFlags::EPOLLRDHUP | broken;
        edges.extend(events[..n].iter().map(|event| Edge {
            key: event.data() as usize,
            readable: event.events().intersects(EpollFlags::EPOLLIN | over),
            room: event.events().intersects(EpollFlags::EPOLLOUT | broken),
            over: event.events().intersects(over),
            broken: event.events().intersects(broken),
        }));
        n == events.len()
    }

    /// Wait for it no more.
    pub fn remove(&self, fd: impl AsFd) {
        // Fails only for what is not in there.
        let _ = self.0.delete(fd);
    }

    /// Keys of what is ready now, up to a limit. Does not wait.
    pub fn ready(&self, keys: &mut Vec<usize>) {
        let mut events = [EpollEvent::empty(); Self::AT_A_TIME];
        let n = self.0.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
        keys.extend(events[..n].iter().map(|event| event.data() as usize));
    }

    /// Lets the runtime of this thread wait for the poller.
    ///
    /// # Errors
    /// No descriptors or memory are left.
    pub fn watch(&self) -> io::Result<Watch> {
        let fd = self.0.0.try_clone()?;
        // SAFETY: the descriptor is owned, valid, and neither replaced nor closed while the `AsyncFd` lives.
        let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
        Ok(Watch(fd.map_err(|e| e.into_parts().1)?))
    }
}

fn edges(room: bool) -> EpollFlags {
    let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
    if room { interest | EpollFlags::EPOLLOUT } else { interest }
}

/// What is new about a socket.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// Its key.
    pub key: usize,
    /// Bytes have come, or the end.
    pub readable: bool,
    /// More can be sent, or it fails at once. Told only where it matters.
    pub room: bool,
    /// Nothing more will come.
    pub over: bool,
    /// Neither direction works any more, maybe because of an error.
    pub broken: bool,
}

/// See [`Poller::watch`].
#[derive(Debug)]
pub struct Watch(AsyncFd<OwnedFd>);

impl Watch {
    /// Wait until something in the poller becomes ready. All that is ready is to be looked at before the next call.
    ///
    /// # Errors
    /// The runtime ends.
    pub async fn changed(&self) -> io::Result<()> {
        // Cleared at once: what comes from here on makes it ready again.
        poll_fn(|cx| self.poll_changed(cx)).await
    }

    /// What has been told so far does not count: the poller is looked at now.
    pub fn forget(&self) {
        let _ = self.0.try_io(Interest::READABLE, |_| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }

    /// [`Self::changed`].
    ///
    /// # Errors
    /// The runtime ends.
    pub fn poll_changed(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_read_ready(cx))?.clear_ready();
        Poll::Ready(Ok(()))
    }
}
