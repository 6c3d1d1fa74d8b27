//! A poller of its own inside the runtime's: descriptors that are waited for without a task each.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Descriptors under keys of the caller's.
#[derive(Debug)]
pub struct Poller(Epoll);

impl Poller {
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

    /// Wait until a connection that is being made stands or has failed, and tell once.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn add_connecting(&self, fd: impl AsFd, key: usize) -> io::Result<()> {
        let interest = EpollFlags::EPOLLOUT | EpollFlags::EPOLLONESHOT;
        Ok(self.0.add(fd, EpollEvent::new(interest, key as u64))?)
    }

    /// Keys of those that are ready now, all of them, and whether more was told than that one can write: an error, or the
    /// end. Does not wait.
    pub fn connected(&self, keys: &mut Vec<(usize, bool)>) {
        let mut events = [EpollEvent::empty(); 128];
        loop {
            let n = self.0.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
            let found = |event: &EpollEvent| (event.data() as usize, event.events() != EpollFlags::EPOLLOUT);
            keys.extend(events[..n].iter().map(found));
            if n < events.len() {
                return;
            }
        }
    }

    /// Wait for it no more.
    pub fn remove(&self, fd: impl AsFd) {
        // Fails only for what is not in there.
        let _ = self.0.delete(fd);
    }

    /// Keys of what is ready now, up to a limit. Does not wait.
    pub fn ready(&self, keys: &mut Vec<usize>) {
        let mut events = [EpollEvent::empty(); 128];
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
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}
