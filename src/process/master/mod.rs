//! The master of master-worker mode (`-W`, `-Ws`): keeps one worker serving, starts the next one on a reload, lets it
//! take the listening sockets over, and then lets the one before finish its sessions. It serves the master's command
//! line (`-S`) and never carries traffic itself.
//!
//! A worker is this program started anew with the same files, so that a reload reads everything again, the program
//! itself included. A worker that cannot start changes nothing: the one before goes on.

mod cli;
mod link;

use std::ffi::OsString;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::ctl::runner::Bound;
use crate::ir::global::Level;
use crate::log::console::{self, Kind};
use crate::process::daemon::notify_systemd;
use crate::sys::clock;
use crate::sys::rights;

pub use link::Link;
use link::{CHANNEL, PREDECESSOR, Said, letter_of, read_said};

/// What the master works with.
#[derive(Debug)]
pub struct Plan {
    /// The program to start as worker.
    pub program: PathBuf,
    /// The name it is called by.
    pub name: OsString,
    /// Arguments of every worker.
    pub args: Vec<OsString>,
    /// Further arguments of the first one: the processes it takes over from.
    pub first_args: Vec<OsString>,
    /// Tell systemd about every change (`-Ws`).
    pub notify_systemd: bool,
    /// A worker that dies takes everything down, for whoever supervises the master to start it again. Otherwise the
    /// master starts another one.
    pub exit_on_failure: bool,
    /// Workers that outlive this many reloads are ended (`mworker-max-reloads`).
    pub max_reloads: Option<u32>,
    /// `stats timeout`.
    pub timeout: Duration,
}

/// A worker.
#[derive(Debug)]
struct Worker {
    pid: Pid,
    link: UnixStream,
    started: Instant,
    /// Reloads it has seen.
    reloads: u32,
    /// It was told to end.
    leaving: bool,
}

/// How a reload went: whether the new worker serves, and what it wrote while starting.
#[derive(Clone, Debug, Default)]
struct Outcome {
    success: bool,
    logs: String,
}

/// What sessions of the command line ask for.
#[derive(Debug)]
enum Request {
    /// `show proc`.
    Processes(oneshot::Sender<String>),
    /// `reload`, `hard-reload`.
    Reload { hard: bool, outcome: oneshot::Sender<Outcome> },
    /// `show startup-logs`, and whether the last reload failed.
    LastStart(oneshot::Sender<Outcome>),
    /// A session with a worker.
    Connect { target: Target, level: Level, stream: oneshot::Sender<Option<UnixStream>> },
}

/// A worker as the command line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// `@1`: the worker that serves now.
    Relative(u32),
    /// `@!1234`.
    Process(i32),
}

/// What happens to the master.
#[derive(Debug)]
enum Event {
    Said(Pid, Said),
    Ended(Pid, io::Result<ExitStatus>),
    Request(Request),
}

/// A start that has not come to an end.
#[derive(Debug)]
struct Starting {
    worker: Worker,
    logs: String,
    /// How the worker before is ended when this one serves.
    relieve_by: Signal,
    waiting: Vec<oneshot::Sender<Outcome>>,
}

struct Master {
    plan: Plan,
    events: mpsc::UnboundedSender<Event>,
    /// The last one serves unless it is leaving.
    workers: Vec<Worker>,
    starting: Option<Starting>,
    /// Reloads asked for while one was under way.
    next: Vec<(bool, Option<oneshot::Sender<Outcome>>)>,
    started: Instant,
    reloads: u32,
    failed: u32,
    last: Outcome,
    /// The whole is ending, with this exit code.
    ending: Option<u8>,
}

/// Runs until everything has ended; the exit code.
///
/// # Errors
/// No runtime, or no signals.
pub fn run(plan: Plan, sockets: Vec<Bound>) -> io::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (events, mut happened) = mpsc::unbounded_channel();
        let timeout = plan.timeout;
        let mut master = Master {
            plan,
            events: events.clone(),
            workers: Vec::new(),
            starting: None,
            next: Vec::new(),
            started: clock::now(),
            reloads: 0,
            failed: 0,
            last: Outcome::default(),
            ending: None,
        };
        let mut term = signal(SignalKind::terminate())?;
        let mut int = signal(SignalKind::interrupt())?;
        let mut finish = signal(SignalKind::user_defined1())?;
        let mut reload = signal(SignalKind::user_defined2())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut pause = signal(SignalKind::from_raw(Signal::SIGTTOU as i32))?;
        let mut resume = signal(SignalKind::from_raw(Signal::SIGTTIN as i32))?;
        cli::serve(sockets, &events, timeout)?;
        master.start(Signal::SIGUSR1, Vec::new());
        while !master.is_over() {
            tokio::select! {
                Some(event) = happened.recv() => master.handle(event),
                _ = term.recv() => master.end(Signal::SIGTERM, 128 + Signal::SIGTERM as u8),
                _ = int.recv() => master.end(Signal::SIGINT, 128 + Signal::SIGINT as u8),
                _ = finish.recv() => master.end(Signal::SIGUSR1, 0),
                _ = reload.recv() => master.reload(false, None),
                _ = hangup.recv() => master.reload(false, None),
                _ = pause.recv() => master.tell_all(Signal::SIGTTOU),
                _ = resume.recv() => master.tell_all(Signal::SIGTTIN),
            }
        }
        Ok(master.ending.unwrap_or(0))
    })
}

fn send(pid: Pid, signal: Signal) {
    // A process that has just ended needs no signal.
    let _ = kill(pid, signal);
}

impl Master {
    fn is_over(&self) -> bool {
        self.ending.is_some() && self.workers.is_empty() && self.starting.is_none()
    }

    fn tell_systemd(&self, state: &str) {
        if self.plan.notify_systemd {
            notify_systemd(state);
        }
    }

    fn tell_all(&self, signal: Signal) {
        let starting = self.starting.iter().map(|s| s.worker.pid);
        self.workers.iter().map(|w| w.pid).chain(starting).for_each(|pid| send(pid, signal));
    }

    /// Ends everything; a second, harder signal overrides the first.
    fn end(&mut self, by: Signal, code: u8) {
        self.tell_systemd("STOPPING=1\n");
        if by != Signal::SIGUSR1 {
            console::say(Kind::Warning, &format!("Exiting Master process by {by}..."));
        }
        self.ending = Some(code);
        self.workers.iter_mut().for_each(|w| w.leaving = true);
        self.tell_all(by);
    }

    fn reload(&mut self, hard: bool, outcome: Option<oneshot::Sender<Outcome>>) {
        if self.ending.is_some() {
            return;
        }
        if self.starting.is_some() {
            self.next.push((hard, outcome));
            return;
        }
        console::say(Kind::Notice, "Reloading HAProxy");
        let usec = clock::monotonic_us();
        self.tell_systemd(&format!("RELOADING=1\nSTATUS=Reloading Configuration.\nMONOTONIC_USEC={usec}\n"));
        self.reloads += 1;
        self.workers.iter_mut().for_each(|w| w.reloads += 1);
        let signal = if hard { Signal::SIGTERM } else { Signal::SIGUSR1 };
        self.start(signal, outcome.into_iter().collect());
    }

    /// Starts a worker.
    fn start(&mut self, relieve_by: Signal, waiting: Vec<oneshot::Sender<Outcome>>) {
        match self.spawn() {
            Ok(worker) => {
                console::say(Kind::Notice, &format!("New worker ({}) forked", worker.pid));
                self.starting = Some(Starting { worker, logs: String::new(), relieve_by, waiting });
            }
            Err(error) => {
                let logs = format!("{}Cannot start a worker: {error}.\n", console::prefix(Kind::Alert));
                console::raw(&logs);
                self.start_failed(logs, waiting, 1);
            }
        }
    }

    fn spawn(&mut self) -> io::Result<Worker> {
        let (theirs, link) = rights::pair_for_child()?;
        let mut command = tokio::process::Command::new(&self.plan.program);
        command.arg0(&self.plan.name).args(&self.plan.args);
        // What the first one takes over from is gone for the next ones.
        command.args(std::mem::take(&mut self.plan.first_args));
        command.env(CHANNEL, theirs.as_raw_fd().to_string()).env("HAPROXY_MWORKER", "1");
        command.env_remove("NOTIFY_SOCKET").env_remove(PREDECESSOR);
        // Held until the child has its copy.
        let mut predecessor = None;
        if let Some(serving) = self.workers.last().filter(|w| !w.leaving) {
            let (asking, answering) = rights::pair_for_child()?;
            pass(serving, &answering, Level::Admin)?;
            command.env(PREDECESSOR, asking.as_raw_fd().to_string());
            predecessor = Some(asking);
        }
        let mut child = command.spawn()?;
        drop((theirs, predecessor));
        let pid = Pid::from_raw(child.id().map_or(0, |id| id as i32));
        let events = self.events.clone();
        let (listening, closing) = (link.try_clone()?, link.try_clone()?);
        let (listener, heard) = oneshot::channel::<()>();
        std::thread::Builder::new().name("worker-link".into()).spawn({
            let events = events.clone();
            move || {
                let _until_here = listener;
                while let Some(said) = read_said(&listening) {
                    if events.send(Event::Said(pid, said)).is_err() {
                        return;
                    }
                }
            }
        })?;
        tokio::spawn(async move {
            let status = child.wait().await;
            // Its last words tell why: they come before its end. Nothing follows them, whoever else holds the other side.
            let _ = closing.shutdown(Shutdown::Read);
            let _ = heard.await;
            // Nobody listens when the master itself ends.
            let _ = events.send(Event::Ended(pid, status));
        });
        Ok(Worker { pid, link, started: clock::now(), reloads: 0, leaving: false })
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Said(pid, said) => self.said(pid, said),
            Event::Ended(pid, status) => self.ended(pid, &status),
            Event::Request(request) => self.answer(request),
        }
    }

    fn said(&mut self, pid: Pid, said: Said) {
        let Some(mut starting) = self.starting.take_if(|s| s.worker.pid == pid) else { return };
        match said {
            Said::Logs(text) => {
                starting.logs.push_str(&text);
                self.starting = Some(starting);
            }
            Said::Ready => {
                let success = format!("{}Loading success.\n", console::prefix(Kind::Notice));
                console::raw(&success);
                self.last = Outcome { success: true, logs: starting.logs + &success };
                self.failed = 0;
                let most = self.plan.max_reloads;
                for worker in &mut self.workers {
                    let outlived = most.is_some_and(|most| worker.reloads > most);
                    if !worker.leaving || outlived {
                        send(worker.pid, if outlived { Signal::SIGTERM } else { starting.relieve_by });
                    }
                    worker.leaving = true;
                }
                self.workers.push(starting.worker);
                if self.ending.is_none() {
                    self.tell_systemd("READY=1\nSTATUS=Ready.\n");
                }
                self.tell_waiting(starting.waiting);
            }
        }
    }

    fn tell_waiting(&mut self, waiting: Vec<oneshot::Sender<Outcome>>) {
        for waiter in waiting {
            // A client that went away needs no answer.
            let _ = waiter.send(self.last.clone());
        }
        if !self.next.is_empty() && self.starting.is_none() {
            let next = std::mem::take(&mut self.next);
            let hard = next.iter().any(|(hard, _)| *hard);
            self.reload(hard, None);
            if let Some(starting) = &mut self.starting {
                starting.waiting.extend(next.into_iter().filter_map(|(_, waiter)| waiter));
            }
        }
    }

    fn start_failed(&mut self, logs: String, waiting: Vec<oneshot::Sender<Outcome>>, code: u8) {
        let failure = format!("{}Loading failure!\n", console::prefix(Kind::Warning));
        console::raw(&failure);
        self.failed += 1;
        self.last = Outcome { success: false, logs: logs + &failure };
        if self.workers.iter().all(|w| w.leaving) {
            self.ending = self.ending.or(Some(code.max(1)));
        } else {
            self.tell_systemd("READY=1\nSTATUS=Reload failed!\n");
        }
        self.tell_waiting(waiting);
    }

    fn ended(&mut self, pid: Pid, status: &io::Result<ExitStatus>) {
        let (code, how) = describe(status);
        if let Some(mut starting) = self.starting.take_if(|s| s.worker.pid == pid) {
            if starting.logs.is_empty() {
                // It had no time to say why.
                let text = format!("New worker ({pid}) exited with code {code} ({how})");
                starting.logs = format!("{}{text}\n", console::prefix(Kind::Alert));
                console::raw(&starting.logs);
            }
            return self.start_failed(starting.logs, starting.waiting, code);
        }
        let Some(at) = self.workers.iter().position(|w| w.pid == pid) else { return };
        let worker = self.workers.remove(at);
        if worker.leaving {
            let kind = if code == 0 || code > 128 { Kind::Notice } else { Kind::Warning };
            console::say(kind, &format!("Former worker ({pid}) exited with code {code} ({how})"));
            return;
        }
        console::say(Kind::Alert, &format!("Current worker ({pid}) exited with code {code} ({how})"));
        if self.plan.exit_on_failure {
            console::say(Kind::Alert, "exit-on-failure: killing every processes with SIGTERM");
            self.end(Signal::SIGTERM, code.max(1));
        } else if self.starting.is_none() && self.ending.is_none() {
            self.start(Signal::SIGUSR1, Vec::new());
        }
    }

    fn answer(&mut self, request: Request) {
        // Clients that went away need no answer.
        match request {
            Request::Processes(reply) => {
                let _ = reply.send(self.processes());
            }
            Request::Reload { hard, outcome } => self.reload(hard, Some(outcome)),
            Request::LastStart(reply) => {
                let _ = reply.send(self.last.clone());
            }
            Request::Connect { target, level, stream } => {
                let _ = stream.send(self.connect(target, level));
            }
        }
    }

    fn connect(&self, target: Target, level: Level) -> Option<UnixStream> {
        let worker = match target {
            Target::Relative(1) => self.workers.last().filter(|w| !w.leaving),
            Target::Relative(_) => None,
            Target::Process(pid) => self.workers.iter().find(|w| w.pid.as_raw() == pid),
        }?;
        let (ours, theirs) = UnixStream::pair().ok()?;
        pass(worker, &theirs, level).ok()?;
        Some(ours)
    }

    /// `show proc`.
    fn processes(&self) -> String {
        let now = clock::now();
        let line = |pid: i32, kind: &str, reloads: &str, since: Instant| {
            let up = now.saturating_duration_since(since).as_secs();
            let uptime =
                format!("{}d{:02}h{:02}m{:02}s", up / 86400, up % 86400 / 3600, up % 3600 / 60, up % 60);
            format!("{pid:<15} {kind:<15} {reloads:<15} {uptime:<15} {:<15}\n", crate::HAPROXY_VERSION)
        };
        let worker = |w: &Worker| line(w.pid.as_raw(), "worker", &w.reloads.to_string(), w.started);
        let reloads = format!("{} [failed: {}]", self.reloads, self.failed);
        let mut out = format!(
            "#{:<14} {:<15} {:<15} {:<15} {:<15}\n",
            "<PID>", "<type>", "<reloads>", "<uptime>", "<version>"
        );
        out.push_str(&line(std::process::id() as i32, "master", &reloads, self.started));
        out.push_str("# workers\n");
        out.extend(self.workers.iter().filter(|w| !w.leaving).map(worker));
        if self.workers.iter().any(|w| w.leaving) {
            out.push_str("# old workers\n");
            out.extend(self.workers.iter().filter(|w| w.leaving).map(worker));
        }
        out.push_str("# programs\n\n");
        out
    }
}

/// Passes a connection to a worker.
fn pass(worker: &Worker, stream: &impl std::os::fd::AsFd, level: Level) -> io::Result<()> {
    rights::send(&worker.link, &[letter_of(level)], &[stream.as_fd()])
}

/// Exit code as a shell counts them, and in words.
fn describe(status: &io::Result<ExitStatus>) -> (u8, String) {
    use std::os::unix::process::ExitStatusExt as _;
    let Ok(status) = status else { return (1, "Exit".into()) };
    match (status.code(), status.signal()) {
        (Some(code), _) => (code as u8, "Exit".into()),
        (None, Some(number)) => {
            let name = Signal::try_from(number).map_or("unknown signal", Signal::as_str);
            (128 + number as u8, name.to_owned())
        }
        (None, None) => (1, "Exit".into()),
    }
}
