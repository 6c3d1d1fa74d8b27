//! Runs scripts: checks on their interval, notifications on events.
//!
//! Every script gets its own process group, so that its timeout ends what it started too.

use std::cell::RefCell;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{ExitStatus, Stdio};
use std::rc::{Rc, Weak};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use crate::ir::vrrp::{ExecMode, NotifyScript, Script};
use crate::sys::clock;
use crate::sys::process::{self, ProcessFd};
use crate::vrrp::track::Outcome;

use super::Core;

/// Time between asking a script to end and forcing it.
const TERM_TIME: Duration = Duration::from_secs(2);

/// A running child that takes its whole group with it when dropped.
struct Group {
    child: Child,
    pid: Option<Pid>,
}

impl Group {
    fn spawn(script: &NotifyScript, extra: &[&str]) -> io::Result<Self> {
        let mut words = script.argv.iter().map(String::as_str);
        let mut command = match script.mode {
            ExecMode::Direct => {
                let mut command = std::process::Command::new(words.next().unwrap_or_default());
                command.args(words).args(extra);
                command
            }
            ExecMode::Shell => {
                let mut command = std::process::Command::new("/bin/sh");
                let line = extra.iter().fold(script.line.clone(), |line, word| line + " " + word);
                command.args(["-c", &line]);
                command
            }
        };
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let (user, group) = (script.user.uid, script.user.gid);
        if (user, group) != (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw()) {
            command.uid(user).gid(group);
        }
        let child = Command::from(command).spawn()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        Ok(Self { child, pid })
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // Gone already is as good as killed.
            let _ = killpg(pid, signal);
        }
    }

    /// Waits for the child; its group is not ours to kill any more once it has ended by itself.
    async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.pid = None;
        Ok(status)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// Pauses between runs after a watched process ended: until its parent has reaped it, `kill -0` still
/// finds it.
const REAP_PAUSES_MS: [u64; 7] = [5, 10, 20, 40, 80, 160, 320];

/// Processes that end all the time must not make the check run all the time.
const EVENT_PAUSE: Duration = Duration::from_millis(100);

/// Watches the processes a `killall -0 NAME` check asks for, so that the check runs when one ends rather
/// than up to an interval later. The check still decides, and still runs on its interval.
#[derive(Debug, Default)]
struct Watch {
    name: Option<String>,
    ends: JoinSet<()>,
}

impl Watch {
    fn new(script: &Script) -> Self {
        Self { name: script.watches_process.clone(), ends: JoinSet::new() }
    }

    /// Looks for the processes anew unless all that were found still live. True: there are some.
    async fn renew(&mut self) -> bool {
        let Some(name) = self.name.clone().filter(|_| self.ends.is_empty()) else {
            return !self.ends.is_empty();
        };
        let found = tokio::task::spawn_blocking(move || process::find_by_name(&name)).await;
        for fd in found.unwrap_or_default().into_iter().filter_map(|pid| ProcessFd::open(pid).ok()) {
            self.ends.spawn_local(async move {
                // An error ends the watch like an end does: the check will tell.
                let _ = fd.ended().await;
            });
        }
        !self.ends.is_empty()
    }

    /// One of them ended. Never returns while there is none to watch.
    async fn ended(&mut self) {
        if self.ends.is_empty() {
            std::future::pending::<()>().await;
        }
        self.ends.join_next().await;
        self.ends.abort_all();
        while self.ends.join_next().await.is_some() {}
    }
}

/// Starts the check loop of the script at `at`.
pub(super) fn check(core: Weak<RefCell<Core>>, at: usize, script: Script) -> JoinHandle<()> {
    tokio::task::spawn_local(async move {
        let mut watch = Watch::new(&script);
        let mut next = Instant::from_std(clock::now());
        loop {
            let due = tokio::select! {
                () = sleep_until(next) => true,
                () = watch.ended() => false,
            };
            let mut outcome = run(&script).await;
            if !due && !watch.renew().await {
                for pause in REAP_PAUSES_MS.into_iter().map(Duration::from_millis) {
                    if !outcome.good() {
                        break;
                    }
                    tokio::time::sleep(pause).await;
                    outcome = run(&script).await;
                }
            }
            let now = clock::now();
            let Some(core) = core.upgrade() else { return };
            core.borrow_mut().script_finished(at, outcome, now);
            if !due {
                tokio::time::sleep(EVENT_PAUSE).await;
            }
            if outcome.good() {
                watch.renew().await;
            }
            if !due {
                continue;
            }
            next += script.interval;
            if next < Instant::from_std(now) {
                let name = &script.name;
                core.borrow()
                    .journal()
                    .info(format!("Track script {name} is already running, expect idle - skipping run"));
                next = Instant::from_std(now);
            }
        }
    })
}

/// One run of a check.
async fn run(script: &Script) -> Outcome {
    let Ok(mut group) = Group::spawn(&script.command, &[]) else { return Outcome::NotStarted };
    let limit = script.timeout.unwrap_or(script.interval);
    if let Ok(ended) = timeout(limit, group.wait()).await {
        return ended.map_or(Outcome::NotStarted, outcome);
    }
    group.signal(Signal::SIGTERM);
    if timeout(TERM_TIME, group.child.wait()).await.is_err() {
        group.signal(Signal::SIGKILL);
        // A process that survives SIGKILL hangs in the kernel; it is reaped whenever it lets go.
        let _ = timeout(TERM_TIME, group.child.wait()).await;
    }
    Outcome::TimedOut
}

fn outcome(status: ExitStatus) -> Outcome {
    match (status.code(), status.signal()) {
        (Some(code), _) => Outcome::Exited(code),
        (None, Some(signal)) => Outcome::Signalled(signal),
        (None, None) => Outcome::NotStarted,
    }
}

/// Notification scripts under way.
#[derive(Debug, Default)]
pub(super) struct Running {
    set: JoinSet<()>,
}

impl Running {
    /// Starts one; the four words of `notify` go behind its own.
    pub(super) fn start(&mut self, script: &NotifyScript, extra: &[&str]) -> io::Result<()> {
        let mut group = Group::spawn(script, extra)?;
        while self.set.try_join_next().is_some() {}
        self.set.spawn_local(async move {
            // A notification runs as long as it likes, while we do.
            let _ = group.wait().await;
        });
        Ok(())
    }

    /// All have ended.
    pub(super) async fn finished(mut self) {
        while self.set.join_next().await.is_some() {}
    }
}

/// Keeps the check tasks of a configuration; dropping it ends them.
#[derive(Debug, Default)]
pub(super) struct Checks {
    tasks: Vec<JoinHandle<()>>,
}

impl Checks {
    /// Starts the loops of all scripts.
    pub(super) fn start(&mut self, core: &Weak<RefCell<Core>>, scripts: &[Script]) {
        self.stop();
        self.tasks =
            scripts.iter().enumerate().map(|(at, s)| check(Weak::clone(core), at, s.clone())).collect();
    }

    /// Ends them.
    pub(super) fn stop(&mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
        }
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The core, for tasks that must not keep it alive.
pub(super) type Shared = Rc<RefCell<Core>>;
