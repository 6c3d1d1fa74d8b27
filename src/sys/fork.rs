//! Processes made by `fork`, for the short time before any thread exists.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

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

/// The signal of `--signum=JSON`. (The C library keeps the first real-time signals to itself.)
#[must_use]
pub fn json_signal() -> i32 {
    libc::SIGRTMIN() + 2
}

/// The signal of `--signum=STATS_CLEAR`.
#[must_use]
pub fn stats_clear_signal() -> i32 {
    libc::SIGRTMAX() - 1
}

/// Signals that are blocked in this process and read from a descriptor instead.
#[derive(Debug)]
pub struct Signals {
    fd: OwnedFd,
    before: SigSet,
}

impl Signals {
    /// Blocks `signals`; what was blocked before is remembered for children.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn open(signals: &[i32]) -> io::Result<Self> {
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_SETMASK, None, Some(&mut before))?;
        // SAFETY: all-zero is a valid `sigset_t`, which `sigemptyset` then makes empty by the book.
        let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: `set` is a live set of our own for every one of these calls.
        let fd = unsafe {
            libc::sigemptyset(&raw mut set);
            for signal in signals {
                libc::sigaddset(&raw mut set, *signal);
            }
            if libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
            libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC)
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just gave this descriptor to us and nobody else knows it.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) }, before })
    }

    /// The next signal, if one came.
    #[must_use]
    pub fn next(&self) -> Option<i32> {
        let mut info = [0; size_of::<libc::signalfd_siginfo>()];
        let size = nix::unistd::read(&self.fd, &mut info).ok()?;
        // The number is the first field.
        (size == info.len()).then(|| i32::from_ne_bytes([info[0], info[1], info[2], info[3]]))
    }

    /// Unblocks them again: what a child does first.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn unblock(&self) -> io::Result<()> {
        Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None)?)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Sends a signal, real-time ones included. A process that is gone needs none.
pub fn send(to: Pid, signal: i32) {
    // SAFETY: no memory is passed.
    unsafe { libc::kill(to.as_raw(), signal) };
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
