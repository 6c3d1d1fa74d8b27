//! Processes of others: who is called what, and when they end.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use tokio::io::unix::AsyncFd;

/// Bytes of a process name the kernel keeps.
const COMM_LEN: usize = 15;

/// Ids of the living processes of this name; what has ended but is not yet reaped does not count.
///
/// Reads `/proc`, which takes milliseconds on a busy machine.
#[must_use]
pub fn find_by_name(name: &str) -> Vec<i32> {
    let wanted = &name.as_bytes()[..name.len().min(COMM_LEN)];
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let Ok(stat) = std::fs::read(format!("/proc/{pid}/stat")) else { return false };
            // `PID (NAME) STATE ...`, and the name may contain anything.
            let (Some(open), Some(close)) =
                (stat.iter().position(|b| *b == b'('), stat.iter().rposition(|b| *b == b')'))
            else {
                return false;
            };
            let state = stat.get(close + 2).copied().unwrap_or(b'Z');
            stat.get(open + 1..close) == Some(wanted) && !matches!(state, b'Z' | b'X')
        })
        .collect()
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
        assert!(find_by_name("sleep").contains(&pid));
        assert!(!find_by_name("slee").contains(&pid));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let ended = ProcessFd::open(pid).unwrap().ended();
            child.kill().unwrap();
            ended.await.unwrap();
        });
        assert!(!find_by_name("sleep").contains(&pid), "a process nobody has reaped counts as living");
        child.wait().unwrap();
    }
}
