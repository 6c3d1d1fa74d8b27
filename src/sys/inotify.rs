//! Changes to files in directories, as they happen.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::io::unix::AsyncFd;

/// Hears of files that were written, moved or removed. Not blocking; poll its descriptor.
#[derive(Debug)]
pub struct FileEvents(Inotify);

/// A watched directory.
pub type Directory = WatchDescriptor;

impl FileEvents {
    /// Opens it.
    ///
    /// # Errors
    /// When the user has too many of them.
    pub fn open() -> io::Result<Self> {
        Ok(Self(Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?))
    }

    /// Watches the files of a directory.
    ///
    /// # Errors
    /// When there is no such directory, or it may not be read.
    pub fn add(&self, directory: &Path) -> io::Result<Directory> {
        let what = AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVE;
        Ok(self.0.add_watch(directory, what)?)
    }

    /// Registers it with the runtime of the calling thread.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn watch(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: the descriptor is owned, valid, and neither replaced nor closed while `self` lives.
        Ok(unsafe { AsyncFd::register(self) }?)
    }

    /// Files that changed; an empty name when events were lost.
    ///
    /// # Errors
    /// `WouldBlock` when there are none, else whatever the kernel says.
    pub fn receive(&self) -> io::Result<Vec<(Directory, OsString)>> {
        let events = self.0.read_events()?;
        Ok(events.into_iter().map(|event| (event.wd, event.name.unwrap_or_default())).collect())
    }
}

impl AsRawFd for FileEvents {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}
