//! Going to the background, process id files, giving up privileges, old processes.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid};

/// A process id file that is removed with this value.
#[derive(Debug)]
pub struct PidFile(PathBuf);

impl PidFile {
    /// Writes the process id.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(path: &Path, pid: u32) -> std::io::Result<Self> {
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
        writeln!(file, "{pid}")?;
        Ok(Self(path.to_owned()))
    }

    /// The file of this process, written by its parent.
    #[must_use]
    pub fn adopt(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Leaves the file to the process it names.
    pub fn leave(self) {
        std::mem::forget(self);
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Another process may have taken the file over.
        let ours = std::fs::read_to_string(&self.0).is_ok_and(|t| t.trim() == std::process::id().to_string());
        if ours {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

/// `chroot`, `group` and `user`, in the order that lets each still work.
///
/// # Errors
/// What could not be given up, in words.
pub fn drop_privileges(chroot: Option<&Path>, gid: Option<u32>, uid: Option<u32>) -> Result<(), String> {
    if let Some(dir) = chroot {
        nix::unistd::chroot(dir)
            .and_then(|()| nix::unistd::chdir("/"))
            .map_err(|e| format!("[haproxy.main()] Cannot chroot({}): {}.", dir.display(), e.desc()))?;
    }
    if let Some(gid) = gid {
        if Uid::effective().is_root() {
            nix::unistd::setgroups(&[])
                .map_err(|e| format!("[haproxy.main()] Cannot drop supplementary groups: {}.", e.desc()))?;
        }
        nix::unistd::setgid(Gid::from_raw(gid))
            .map_err(|e| format!("[haproxy.main()] Cannot set gid {gid}: {}.", e.desc()))?;
    }
    if let Some(uid) = uid {
        nix::unistd::setuid(Uid::from_raw(uid))
            .map_err(|e| format!("[haproxy.main()] Cannot set uid {uid}: {}.", e.desc()))?;
    }
    Ok(())
}

/// Tells old processes that this one has taken over.
pub fn relieve(finish: &[i32], terminate: &[i32]) {
    for (pids, signal) in [(finish, Signal::SIGUSR1), (terminate, Signal::SIGTERM)] {
        for &pid in pids.iter().filter(|pid| **pid > 0) {
            // A process that is gone already needs no telling.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }
}

/// Tells systemd that the service is ready (`-Ws`), if it asked.
pub fn notify_systemd(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let Ok(socket) = std::os::unix::net::UnixDatagram::unbound() else { return };
    let text = path.to_string_lossy().into_owned();
    let sent = match text.strip_prefix('@') {
        Some(name) => {
            use std::os::linux::net::SocketAddrExt as _;
            std::os::unix::net::SocketAddr::from_abstract_name(name)
                .and_then(|addr| socket.send_to_addr(state.as_bytes(), &addr))
        }
        None => socket.send_to(state.as_bytes(), &path),
    };
    if let Err(error) = sent {
        tracing::warn!(%error, "systemd could not be told");
    }
}
