//! Runs scripts: checks on their interval, notifications on events.
//!
//! Every script gets its own process group, so that its timeout ends what it started too.

use std::cell::{OnceCell, RefCell};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::rc::{Rc, Weak};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use crate::ir::vrrp::{Config, ExecMode, NameMatch, NotifyScript, Script, ScriptIdx, WatchedProcess};
use crate::sys::clock;
use crate::sys::process::{self, Process, ProcessFd};
use crate::vrrp::track::Outcome;

use super::Core;
use super::journal::Journal;

/// Time between asking a script to end and forcing it.
const TERM_TIME: Duration = Duration::from_secs(2);

/// Starts processes on a thread of its own, one after the other in the order they were asked for.
///
/// Whoever starts a process waits until its program is loaded. On a busy machine that takes as long as the new process,
/// which has no priority, has to wait for a processor: longer than an interval between two adverts may be.
#[derive(Clone, Debug, Default)]
pub(super) struct Spawner(Rc<OnceCell<std::sync::mpsc::Sender<Job>>>);

type Job = (std::process::Command, oneshot::Sender<io::Result<Group>>);

impl Spawner {
    /// Asks for a process; the answer is its beginning.
    fn order(&self, script: &NotifyScript, extra: &[&str]) -> oneshot::Receiver<io::Result<Group>> {
        let (answer, started) = oneshot::channel();
        // If the thread has ended, `started` tells.
        let _ = self.0.get_or_init(Self::thread).send((command(script, extra), answer));
        started
    }

    fn thread() -> std::sync::mpsc::Sender<Job> {
        let (jobs, queue) = std::sync::mpsc::channel::<Job>();
        let runtime = Handle::current();
        let work = move || {
            let _inside = runtime.enter();
            while let Ok((command, answer)) = queue.recv() {
                // If nobody waits any more, dropping the group ends it.
                let _ = answer.send(Group::spawn(command));
            }
        };
        // Without a thread the queue is gone, and nothing can be started: every script says so.
        let _ = std::thread::Builder::new().name("scripts".into()).spawn(work);
        jobs
    }
}

/// What `order` gave, once the process runs.
async fn started(answer: oneshot::Receiver<io::Result<Group>>) -> io::Result<Group> {
    answer.await.unwrap_or_else(|_| Err(io::Error::other("no thread to start it")))
}

fn command(script: &NotifyScript, extra: &[&str]) -> std::process::Command {
    let mut words = script.argv.iter().map(String::as_str);
    let mut command = match script.mode {
        ExecMode::Direct => {
            let mut command = std::process::Command::new(words.next().unwrap_or_default());
            command.args(words).args(extra);
            if let Some(name) = &script.called {
                command.arg0(name);
            }
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
    command
}

/// A running child that takes its whole group with it when dropped.
#[derive(Debug)]
struct Group {
    child: Child,
    pid: Option<Pid>,
}

impl Group {
    fn spawn(command: std::process::Command) -> io::Result<Self> {
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

/// Processes that end all the time must not make us look for others all the time.
const EVENT_PAUSE: Duration = Duration::from_millis(100);

/// Watches the processes a `killall -0 NAME` check asks for, so that the answer is known when one ends rather than up
/// to an interval later, and without starting anything on a machine that may be too busy for it.
#[derive(Debug, Default)]
struct Watch {
    wanted: Option<WatchedProcess>,
    ends: JoinSet<()>,
    /// The last one was seen to end, and none was found since. A process that has ended but is not reaped still
    /// answers `kill -0`: until there is another the check's success means nothing.
    dead: bool,
}

impl Watch {
    fn new(script: &Script) -> Self {
        Self { wanted: script.watches_process.clone(), ..Self::default() }
    }

    /// Looks for the processes anew unless all that were found still live. True: there are some.
    ///
    /// Reads `/proc` on this thread: on a machine so busy that another one would have to wait, this one has priority.
    fn renew(&mut self) -> bool {
        let Some(wanted) = self.wanted.as_ref().filter(|_| self.ends.is_empty()) else {
            return !self.ends.is_empty();
        };
        for process in process::all().filter(|process| matches(wanted, process)) {
            let Ok(fd) = ProcessFd::open(process.pid) else { continue };
            self.ends.spawn_local(async move {
                // An error ends the watch like an end does: the check will tell.
                let _ = fd.ended().await;
            });
        }
        self.dead &= self.ends.is_empty();
        !self.ends.is_empty()
    }

    /// One of them ended. Never returns while there is none to watch.
    async fn ended(&mut self) {
        if self.ends.is_empty() {
            std::future::pending::<()>().await;
        }
        self.ends.join_next().await;
        // Nothing may wait from here on: the caller waits for other things too, and would lose this one.
        self.ends = JoinSet::new();
    }
}

fn matches(wanted: &WatchedProcess, process: &Process) -> bool {
    let name = wanted.name.as_bytes();
    let short = &name[..name.len().min(process::COMM_LEN)];
    match wanted.by {
        NameMatch::Exact => process.comm == short,
        NameMatch::Part => process.comm.windows(short.len()).any(|part| part == short),
        NameMatch::Program => {
            let line = process.command_line();
            let program = line.split(|b| *b == 0).next().unwrap_or_default();
            process.comm == short || program.rsplit(|b| *b == b'/').next() == Some(name)
        }
    }
}

/// What a check loop woke up for.
enum Woke {
    /// The interval is over.
    Due,
    /// A run ended.
    Done(Outcome),
    /// A watched process ended.
    Ended,
}

/// Starts the check loop of the script at `at`.
pub(super) fn check(
    core: Weak<RefCell<Core>>,
    at: usize,
    script: Script,
    spawner: Spawner,
) -> JoinHandle<()> {
    tokio::task::spawn_local(async move {
        let mut watch = Watch::new(&script);
        let mut next = Instant::from_std(clock::now());
        let mut under_way: Option<Pin<Box<dyn Future<Output = Outcome> + '_>>> = None;
        loop {
            let idle = under_way.is_none();
            let run_ends = async {
                match &mut under_way {
                    Some(under_way) => under_way.await,
                    None => std::future::pending().await,
                }
            };
            // A run that takes its time does not delay what is known already.
            let woke = tokio::select! {
                biased;
                () = watch.ended() => Woke::Ended,
                outcome = run_ends => Woke::Done(outcome),
                () = sleep_until(next), if idle => Woke::Due,
            };
            let now = clock::now();
            let outcome = match woke {
                Woke::Due => {
                    under_way = Some(Box::pin(run(&script, &spawner)));
                    next += script.interval;
                    continue;
                }
                // Another one of that name may have taken over, as when a proxy reloads.
                Woke::Ended if watch.renew() => {
                    tokio::time::sleep(EVENT_PAUSE).await;
                    continue;
                }
                Woke::Ended => {
                    watch.dead = true;
                    Outcome::Exited(1)
                }
                Woke::Done(outcome) => {
                    under_way = None;
                    if next < Instant::from_std(now) {
                        let name = &script.name;
                        let Some(core) = core.upgrade() else { return };
                        core.borrow().journal().info(format!(
                            "Track script {name} is already running, expect idle - skipping run"
                        ));
                        next = Instant::from_std(now);
                    }
                    let gone = outcome.good() && !watch.renew() && watch.dead;
                    if gone { Outcome::Exited(1) } else { outcome }
                }
            };
            let Some(core) = core.upgrade() else { return };
            core.borrow_mut().script_finished(at, outcome, now);
        }
    })
}

/// One run of a check.
async fn run(script: &Script, spawner: &Spawner) -> Outcome {
    let Ok(mut group) = started(spawner.order(&script.command, &[])).await else {
        return Outcome::NotStarted;
    };
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
    spawner: Spawner,
}

impl Running {
    /// What starts them, for others.
    pub(super) fn spawner(&self) -> Spawner {
        self.spawner.clone()
    }

    /// Starts one; the four words of `notify` go behind its own.
    pub(super) fn start(&mut self, script: &NotifyScript, extra: &[&str], journal: &Rc<Journal>) {
        while self.set.try_join_next().is_some() {}
        // Asked for here and now, so that scripts begin in order.
        let answer = self.spawner.order(script, extra);
        let (line, journal) = (script.line.clone(), Rc::clone(journal));
        self.set.spawn_local(async move {
            match started(answer).await {
                // A notification runs as long as it likes, while we do.
                Ok(mut group) => drop(group.wait().await),
                Err(e) => journal.warn(format!("cannot run {line}: {e}")),
            }
        });
    }

    /// All have ended.
    pub(super) async fn finished(mut self) {
        while self.set.join_next().await.is_some() {}
    }
}

/// The scripts that somebody follows, with their positions.
pub(super) fn tracked_scripts(config: &Config) -> impl Iterator<Item = (usize, &Script)> {
    let tracked = |at: usize| u32::try_from(at).is_ok_and(|at| config.is_tracked(ScriptIdx(at)));
    config.scripts.iter().enumerate().filter(move |(at, _)| tracked(*at))
}

/// Keeps the check tasks of a configuration; dropping it ends them.
#[derive(Debug, Default)]
pub(super) struct Checks {
    tasks: Vec<JoinHandle<()>>,
}

impl Checks {
    /// Starts the loops of all scripts that somebody follows.
    pub(super) fn start(&mut self, core: &Weak<RefCell<Core>>, config: &Config, spawner: &Spawner) {
        self.stop();
        let tracked = tracked_scripts(config).map(|(at, script)| (at, script.clone()));
        self.tasks =
            tracked.map(|(at, script)| check(Weak::clone(core), at, script, spawner.clone())).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_the_programs_do() {
        let process = |comm: &str| Process { pid: 0, comm: comm.into() };
        let wants = |name: &str, by| WatchedProcess { name: name.into(), by };
        let long = "a-name-of-more-than-15-bytes";
        for (name, by, comm, expected) in [
            ("haproxy", NameMatch::Exact, "haproxy", true),
            ("haproxy", NameMatch::Exact, "haproxy-export", false),
            ("haproxy", NameMatch::Part, "haproxy-export", true),
            ("haproxy", NameMatch::Part, "hapro", false),
            (long, NameMatch::Exact, "a-name-of-more-", true),
            (long, NameMatch::Part, "a-name-of-more-", true),
            ("nginx", NameMatch::Program, "nginx", true),
        ] {
            assert_eq!(matches(&wants(name, by), &process(comm)), expected, "{name} {by:?} {comm}");
        }
    }
}
