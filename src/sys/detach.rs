//! Going to the background.

use std::io;

use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid};

/// Goes on in a child without a terminal. The parent calls `farewell` with the child's process id and ends: with success
/// if that succeeded, so that whoever started the program finds everything in place.
///
/// # Errors
/// When there are threads already, or whatever the kernel says.
pub fn detach(farewell: impl FnOnce(Pid) -> io::Result<()>) -> io::Result<()> {
    if std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count) != 1 {
        return Err(io::Error::other("fork with threads running"));
    }
    // SAFETY: this process has one thread, so the child finds every lock free and may go on as it likes.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => match farewell(child) {
            Ok(()) => std::process::exit(0),
            Err(error) => {
                // The child must not run on without what the parent was to leave for it.
                let _ = nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL);
                Err(error)
            }
        },
        ForkResult::Child => {
            setsid()?;
            let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
            dup2_stdin(&null)?;
            dup2_stdout(&null)?;
            dup2_stderr(&null)?;
            Ok(())
        }
    }
}
