//! Processes of others: who is called what, and when they end. And the memory of this one.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use tokio::io::unix::AsyncFd;

/// Bytes of a process name the kernel keeps.
pub const COMM_LEN: usize = 15;

/// A process as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its name, at most [`COMM_LEN`] bytes.
    pub comm: Vec<u8>,
}

impl Process {
    /// The living process with this id; what has ended but is not yet reaped does not count.
    #[must_use]
    pub fn read(pid: i32) -> Option<Self> {
        let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        // `PID (NAME) STATE ...`, and the name may contain anything.
        let (open, close) = (stat.iter().position(|b| *b == b'(')?, stat.iter().rposition(|b| *b == b')')?);
        let state = stat.get(close + 2).copied().unwrap_or(b'Z');
        let comm = stat.get(open + 1..close)?.to_vec();
        (!matches!(state, b'Z' | b'X')).then_some(Self { pid, comm })
    }

    /// Its words, each ended by a NUL byte; empty for what the kernel runs itself.
    #[must_use]
    pub fn command_line(&self) -> Vec<u8> {
        std::fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default()
    }
}

/// Every living process.
///
/// Reads all of `/proc`: about ten microseconds for each.
pub fn all() -> impl Iterator<Item = Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Process::read(entry.file_name().to_str()?.parse().ok()?))
}

/// Give memory that nobody uses back to the kernel. Takes up to some milliseconds.
pub fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: may be called at any time from any thread; it looks at the allocator's own data under its locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Becomes readable when its process ends.
#[derive(Debug)]
pub struct ProcessFd(OwnedFd);

impl ProcessFd {
    /// A descriptor for a living process.
    ///
    /// # Errors
    /// `ESRCH` if it is gone, `ENOSYS` before Linux 5.3.
    pub fn open(pid: i32) -> io::Result<Self> {
        // SAFETY: no memory is passed; the result is checked before it is taken as a descriptor.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let fd = RawFd::try_from(fd).map_err(|_| io::ErrorKind::InvalidData)?;
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just gave this descriptor to us and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub async fn ended(self) -> io::Result<()> {
        // SAFETY: the descriptor is owned, valid, and neither replaced nor closed while the `AsyncFd` lives.
        let fd = unsafe { AsyncFd::register(self) }?;
        fd.readable().await?.retain_ready();
        Ok(())
    }
}

impl AsRawFd for ProcessFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_found_by_name_and_its_end_is_seen() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let found = all().find(|process| process.pid == pid).unwrap();
        assert_eq!(found.comm, b"sleep");
        // It has its name a moment before its words.
        let words = std::iter::repeat_with(|| found.command_line()).find(|words| !words.is_empty());
        assert_eq!(words.unwrap(), b"sleep\x00600\x00");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let ended = ProcessFd::open(pid).unwrap().ended();
            child.kill().unwrap();
            ended.await.unwrap();
        });
        assert_eq!(Process::read(pid), None, "a process nobody has reaped counts as living");
        child.wait().unwrap();
    }
}
