//! The parent of the VRRP process: keeps its pid files, passes signals on, starts it again, and cleans up
//! after it when it dies with addresses in its hands.
//!
//! The parent has one thread and no runtime. It sleeps in `poll` on a signal descriptor, so that whatever
//! goes wrong in the engine, the part that takes the addresses down is not running the same code.

use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::ir::vrrp::Config;
use crate::process::daemon::{PidFile, notify_systemd};
use crate::process::schedule::{self, Schedule};
use crate::process::scripts;
use crate::sys::clock;
use crate::sys::fork::{self, Ended, Signals};
use crate::sys::shared::Slots;
use crate::vrrp::runner::{self, Journal, places, release_orphans};

/// keepalived's exit codes.
pub mod exit {
    /// Fine.
    pub const OK: u8 = 0;
    /// Something the system refused.
    pub const FATAL: u8 = 1;
    /// The configuration cannot be run.
    pub const CONFIG: u8 = 2;
    /// A permission is missing.
    pub const PERMISSION: u8 = 4;
    /// No configuration.
    pub const NO_CONFIG: u8 = 6;
}

/// Signals the parent reads from its descriptor.
fn signals_read() -> [i32; 8] {
    [
        libc::SIGHUP,
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGCHLD,
        fork::json_signal(),
        fork::stats_clear_signal(),
    ]
}

/// A child that lives at least this long was fine when it started.
const HEALTHY_AFTER: Duration = Duration::from_secs(5);
/// Longest pause before a child that keeps dying is started again.
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// What the supervisor needs to know.
#[derive(Debug)]
pub struct Plan {
    /// Pid file of the parent.
    pub pid_file: PathBuf,
    /// Pid file of the child.
    pub vrrp_pid_file: PathBuf,
    /// `-R`: end instead of starting the child again.
    pub dont_respawn: bool,
    /// How long the child may take to stop.
    pub child_wait: Duration,
    /// The page shared with the child.
    pub shared: Arc<Slots>,
}

/// Reads the configuration again, for the parent's own use after a reload, in the place of this one. `None`: it cannot be.
pub type Reload<'a> = &'a dyn Fn(&Config) -> Option<Config>;

struct Child {
    pid: Pid,
    started: Instant,
    /// Removed with this value.
    _pid_file: Option<ChildPidFile>,
}

/// The child's pid file, which the parent writes and removes.
struct ChildPidFile(PathBuf);

impl ChildPidFile {
    fn write(path: &std::path::Path, pid: Pid) -> io::Result<Self> {
        std::fs::write(path, format!("{pid}\n"))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for ChildPidFile {
    fn drop(&mut self) {
        // Gone already is what is wanted.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs `child` under supervision until told to stop; the exit status of the whole program.
///
/// # Errors
/// What the system refused before the child was started; nothing is left behind then.
pub fn supervise(
    plan: &Plan,
    journal: &Journal,
    mut config: Config,
    reload: Reload<'_>,
    child: &dyn Fn(&Config) -> u8,
) -> io::Result<u8> {
    journal.name_process(config.global.process_names.parent.as_deref());
    let pid_file = PidFile::write(&plan.pid_file, std::process::id())?;
    let signals = Signals::open(&signals_read())?;
    let start = |config: &Config| start_child(plan, journal, &signals, config, child);
    let mut running = None;
    if scripts::startup(&config, journal, &signals)? {
        running = Some(start(&config)?);
    }
    let mut stopped = running.is_none();
    notify_systemd("READY=1");
    let mut pause = Duration::ZERO;
    let mut restart_at: Option<Instant> = None;
    let mut stop_by: Option<Instant> = None;
    let mut schedule = Schedule::default();
    schedule.set(&config);
    let status = loop {
        if stopped {
            break exit::OK;
        }
        let glance = schedule.active().then(|| clock::now() + schedule::GLANCE);
        wait(&signals, [restart_at, stop_by, glance].into_iter().flatten().min())?;
        let timed = schedule.due(clock::wall(), journal).then_some(libc::SIGHUP);
        for signal in std::iter::from_fn(|| signals.next()).chain(timed) {
            match signal {
                libc::SIGTERM | libc::SIGINT => {
                    journal.info("Stopping");
                    notify_systemd("STOPPING=1");
                    restart_at = None;
                    stop_by.get_or_insert_with(|| clock::now() + plan.child_wait);
                    pass_on(running.as_ref(), libc::SIGTERM);
                }
                libc::SIGHUP => {
                    journal.info("Reloading ...");
                    match reload(&config) {
                        Some(new) => {
                            let name = &new.global.process_names.parent;
                            if *name != config.global.process_names.parent {
                                journal.name_process(name.as_deref());
                            }
                            config = new;
                            schedule.set(&config);
                        }
                        None => {
                            journal
                                .warn("Reload refused: the configuration does not load, nothing is changed");
                            continue;
                        }
                    }
                    pass_on(running.as_ref(), signal);
                }
                libc::SIGCHLD => {}
                libc::SIGUSR1 => {
                    let path = places::parent_data_file(&config);
                    if let Err(e) = std::fs::write(&path, runner::parent_text(&config)) {
                        journal.warn(format!("Can't open dump file {} ({e})", path.display()));
                    }
                    pass_on(running.as_ref(), signal);
                }
                other => pass_on(running.as_ref(), other),
            }
        }
        let now = clock::now();
        if let Some(ended) = running.as_ref().and_then(|c| fork::ended(c.pid)) {
            let healthy = running.take().is_some_and(|c| now.duration_since(c.started) >= HEALTHY_AFTER);
            let clean = ended == Ended::Exited(0);
            if !clean {
                describe(journal, ended);
                release_orphans(&config, &plan.shared, journal);
            }
            if stop_by.is_some() {
                break exit::OK;
            }
            if let Ended::Exited(code) = ended
                && let Ok(code @ (exit::OK | exit::CONFIG | exit::PERMISSION | exit::NO_CONFIG)) =
                    u8::try_from(code)
            {
                break code;
            }
            if plan.dont_respawn {
                break exit::FATAL;
            }
            pause =
                if healthy { Duration::ZERO } else { (pause * 2).clamp(Duration::from_secs(1), MAX_PAUSE) };
            restart_at = Some(now + pause);
        }
        if stop_by.is_some_and(|at| at <= now) {
            pass_on(running.as_ref(), libc::SIGKILL);
            stopped = running.is_none();
            stop_by = Some(now + plan.child_wait);
        }
        if restart_at.is_some_and(|at| at <= now) && running.is_none() {
            restart_at = None;
            running = Some(start(&config)?);
        }
    };
    scripts::shutdown(&config, journal, &signals)?;
    drop(pid_file);
    Ok(status)
}

fn start_child(
    plan: &Plan,
    journal: &Journal,
    signals: &Signals,
    config: &Config,
    child: &dyn Fn(&Config) -> u8,
) -> io::Result<Child> {
    let pid = fork::run_in_child(Signal::SIGTERM, || {
        if signals.unblock().is_err() {
            return exit::FATAL;
        }
        child(config)
    })?;
    journal.info(format!("Starting VRRP child process, pid={pid}"));
    let pid_file = match ChildPidFile::write(&plan.vrrp_pid_file, pid) {
        Ok(file) => Some(file),
        Err(e) => {
            journal.warn(format!("cannot write {}: {e}", plan.vrrp_pid_file.display()));
            None
        }
    };
    Ok(Child { pid, started: clock::now(), _pid_file: pid_file })
}

fn pass_on(child: Option<&Child>, signal: i32) {
    if let Some(child) = child {
        fork::send(child.pid, signal);
    }
}

fn describe(journal: &Journal, ended: Ended) {
    match ended {
        Ended::Exited(code) => journal.warn(format!("VRRP child process exited with status {code}")),
        Ended::Killed(signal) => journal.warn(format!("VRRP child process died: {}", signal.as_str())),
    }
}

/// Sleeps until a signal or the deadline.
pub(super) fn wait(signals: &Signals, until: Option<Instant>) -> io::Result<()> {
    let timeout = match until {
        None => PollTimeout::NONE,
        Some(at) => {
            let left = at.saturating_duration_since(clock::now()) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        }
    };
    let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    match poll(&mut fds, timeout) {
        Ok(_) | Err(nix::Error::EINTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}
