//! A running program: its log, its signals, its end.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::kill;
use nix::unistd::Pid;

pub(crate) use nix::sys::signal::Signal;

use super::wait::wait_for;

/// How long a program may take to end when asked.
const FAREWELL: Duration = Duration::from_secs(5);
/// How many log lines a failing test shows of each program.
const LAST_WORDS: usize = 20;

type Log = Arc<Mutex<Vec<(Instant, String)>>>;

/// A program with its output captured. It is killed when dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: Log,
}

impl Process {
    /// Starts `command` by `spawn`, which puts it where it belongs.
    pub(crate) fn start(
        name: String,
        mut command: Command,
        spawn: impl FnOnce(&mut Command) -> std::io::Result<Child>,
    ) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(&mut command).unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let log = Log::default();
        follow(&name, child.stdout.take(), &log);
        follow(&name, child.stderr.take(), &log);
        Self { name, child, log }
    }

    /// The process id as this machine sees it.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    /// Every line printed so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    /// How many lines contain `text`.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.log().iter().filter(|line| line.contains(text)).count()
    }

    /// Waits for a line that contains `text` and returns it.
    pub(crate) fn wait_log(&self, text: &str, within: Duration) -> String {
        self.wait_log_times(text, 1, within)
    }

    /// Waits for the `nth` line (from 1) that contains `text`.
    pub(crate) fn wait_log_times(&self, text: &str, nth: usize, within: Duration) -> String {
        wait_for(&format!("{} to say {text:?} ({nth})", self.name), within, || {
            self.log().into_iter().filter(|line| line.contains(text)).nth(nth - 1)
        })
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill(self.pid(), signal);
    }

    /// Whether it still runs.
    pub(crate) fn running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self, within: Duration) -> ExitStatus {
        let what = format!("{} to end", self.name);
        wait_for(&what, within, || self.child.try_wait().ok().flatten())
    }

    /// Asks it to end (SIGTERM) and waits for that.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.ended(FAREWELL)
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let from = log.len().saturating_sub(LAST_WORDS);
            println!("--- {} (last of {} lines)\n{}", self.name, log.len(), log[from..].join("\n"));
        }
        self.kill();
    }
}

fn follow(name: &str, stream: Option<impl Read + Send + 'static>, log: &Log) {
    let Some(stream) = stream else { return };
    let log = Arc::clone(log);
    let trace = std::env::var_os("TANDEM_LAB_TRACE").map(|_| name.to_owned());
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if let Some(name) = &trace {
                println!("{name}: {text}");
            }
            log.lock().unwrap().push((Instant::now(), text));
            line.clear();
        }
    });
}
