//! Processes made by `fork`, for the short time before any thread exists.

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, getppid, setsid};

/// Runs `child` in a new process and returns its id; `child`'s result is its exit status.
///
/// The child dies with `death_signal` when this process does.
///
/// # Errors
/// When there are threads already, or whatever the kernel says.
pub fn run_in_child(death_signal: Signal, child: impl FnOnce() -> u8) -> io::Result<Pid> {
    single_threaded()?;
    let parent = nix::unistd::getpid();
    // SAFETY: this process has one thread, so the child finds every lock free and may go on as it likes.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let orphan = nix::sys::prctl::set_pdeathsig(death_signal).is_err() || getppid() != parent;
            let status = if orphan { 1 } else { child() };
            std::process::exit(i32::from(status))
        }
    }
}

/// Goes to the background: the caller's process ends, a new one without a terminal goes on.
///
/// # Errors
/// When there are threads already, or whatever the kernel says.
pub fn daemonise() -> io::Result<()> {
    single_threaded()?;
    for session in [true, false] {
        // SAFETY: as above, there is one thread only.
        if let ForkResult::Parent { .. } = unsafe { fork() }? {
            std::process::exit(0);
        }
        if session {
            setsid()?;
        }
    }
    nix::unistd::chdir("/")?;
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(())
}

fn single_threaded() -> io::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads == 1 { Ok(()) } else { Err(io::Error::other("fork with threads running")) }
}

/// Blocks `signals` in this process, for a descriptor to read them; what was set before comes back.
///
/// # Errors
/// Whatever the kernel says.
pub fn block(signals: &[Signal]) -> io::Result<SigSet> {
    let mut set = SigSet::empty();
    signals.iter().for_each(|s| set.add(*s));
    let mut old = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut old))?;
    Ok(old)
}

/// Sets the signal mask back.
///
/// # Errors
/// Whatever the kernel says.
pub fn restore_mask(mask: &SigSet) -> io::Result<()> {
    Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(mask), None)?)
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this exit status.
    Exited(i32),
    /// By this signal.
    Killed(Signal),
}

/// Looks whether `child` has ended, without waiting.
#[must_use]
pub fn ended(child: Pid) -> Option<Ended> {
    match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::Exited(_, status)) => Some(Ended::Exited(status)),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(Ended::Killed(signal)),
        Ok(_) => None,
        // Nobody to wait for: whoever it was, it is gone.
        Err(_) => Some(Ended::Exited(1)),
    }
}
