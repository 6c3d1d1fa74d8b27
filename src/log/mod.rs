//! Log targets and their framings: how a finished message leaves the process.
//!
//! What a message says is rendered elsewhere (`expr::logformat` for sessions, `server` for state changes); this room
//! puts the header of the transport in front and sends it, from some threads several at a time ([`hold`]). Sending
//! never blocks: what a full pipe or socket does not take at once is dropped and counted, as HAProxy does.

mod about;
mod balancers;
pub mod console;
pub mod forward;
mod framing;
mod held;
mod received;
mod ring;
mod sink;
pub mod trace;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use parking_lot::Mutex;

use crate::ir::log::{HostField, LogDest, LogTarget, RingConf, Severity};
use crate::sys::{self, home::Home};
use sink::Sink;

pub use balancers::Balancer;
pub use held::{Holding, hold, release};
pub use ring::Ring;

/// `LOG_EMERG` to `LOG_DEBUG` as HAProxy uses them.
pub mod level {
    use crate::ir::log::Severity;

    /// Somebody has to act: no server left.
    pub const EMERG: Severity = Severity(0);
    /// A server went down.
    pub const ALERT: Severity = Severity(1);
    /// Configuration and start-up problems.
    pub const WARNING: Severity = Severity(4);
    /// State changes for the better.
    pub const NOTICE: Severity = Severity(5);
    /// Traffic.
    pub const INFO: Severity = Severity(6);
}

/// Opens targets once and counts what is lost.
pub struct Logger {
    sinks: Mutex<Vec<(LogDest, Arc<Sink>)>>,
    rings: Mutex<Vec<Arc<Ring>>>,
    balancers: Arc<balancers::Balancers>,
    identity: Identity,
    /// Process id as of now: it changes when the process goes to the background.
    pid: AtomicU32,
    dropped: Arc<AtomicU64>,
}

/// What stands in the headers.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `log-send-hostname`; `None`: the transport's placeholder.
    pub hostname: Option<String>,
    /// `log-tag`.
    pub tag: String,
    /// Process id at the start.
    pub pid: u32,
}

/// The opened targets of a proxy or of the process.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    targets: Vec<Target>,
}

#[derive(Clone, Debug)]
struct Target {
    conf: LogTarget,
    sink: Arc<Sink>,
    /// Lines that passed the severity, for `sample`.
    seen: Arc<AtomicU32>,
}

impl Target {
    fn new(conf: &LogTarget, sink: &Arc<Sink>) -> Self {
        Self { conf: conf.clone(), sink: sink.clone(), seen: Arc::default() }
    }

    /// Is the next line one of those that `sample` lets through?
    fn takes(&self) -> bool {
        let Some(sample) = &self.conf.sample else { return true };
        let at = self.seen.fetch_add(1, Relaxed) % sample.size + 1;
        sample.ranges.iter().any(|(first, last)| (*first..=*last).contains(&at))
    }
}

impl Targets {
    /// Nothing is logged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// The profile of a target.
    #[must_use]
    pub fn profile(&self, index: usize) -> Option<&str> {
        self.targets.get(index)?.conf.profile.as_deref()
    }

    /// Whether a line of this severity goes anywhere.
    #[must_use]
    pub fn wants(&self, severity: Severity) -> bool {
        self.targets.iter().any(|target| severity <= target.conf.max_level)
    }
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logger").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Logger {
    /// A logger for this process.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        let pid = AtomicU32::new(identity.pid);
        Self {
            sinks: Mutex::new(Vec::new()),
            rings: Mutex::new(Vec::new()),
            balancers: Arc::default(),
            identity,
            pid,
            dropped: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Makes the rings that targets may name. Those that are there already stay as they are.
    pub fn define(&self, rings: &[RingConf]) {
        let mut known = self.rings.lock();
        for conf in rings {
            if !known.iter().any(|ring| ring.conf().name == conf.name) {
                known.push(Ring::new(conf.clone()));
            }
        }
    }

    /// Lines for the backend of this name go to `balancer` from now on.
    pub fn attach(&self, name: &str, balancer: Arc<dyn Balancer>) {
        self.balancers.add(name, balancer);
    }

    /// Sends a whole line to all `targets` as it is. `false`: some of them lost it.
    #[must_use]
    pub fn pass(&self, targets: &Targets, line: &[u8]) -> bool {
        targets.targets.iter().filter(|target| !target.sink.send(line, 0, sink::untold)).count() == 0
    }

    /// Connects all rings to their servers.
    ///
    /// # Errors
    /// There can be no more of them.
    pub fn start_rings(&self, home: Home) -> std::io::Result<()> {
        self.rings.lock().iter().try_for_each(|ring| ring.start(home))
    }

    /// All rings.
    #[must_use]
    pub fn rings(&self) -> Vec<Arc<Ring>> {
        self.rings.lock().clone()
    }

    /// The process has another id now.
    pub fn set_pid(&self, pid: u32) {
        self.pid.store(pid, Relaxed);
    }

    /// Opens `targets`; the same destination is opened once.
    #[must_use]
    pub fn open(&self, targets: &[LogTarget]) -> Targets {
        let mut sinks = self.sinks.lock();
        let targets = targets
            .iter()
            .map(|target| {
                if let Some((_, sink)) = sinks.iter().find(|(dest, _)| *dest == target.dest) {
                    return Target::new(target, sink);
                }
                let sink = Arc::new(match &target.dest {
                    LogDest::Ring(name) => {
                        Sink::ring(self.rings.lock().iter().find(|r| r.conf().name == *name))
                    }
                    LogDest::Backend(name) => Sink::backend(name, &self.balancers),
                    dest => Sink::new(dest),
                });
                sinks.push((target.dest.clone(), sink.clone()));
                Target::new(target, &sink)
            })
            .collect();
        Targets { targets }
    }

    /// Sends one message (without line end) to all `targets` that want its severity. `tag`: the proxy's own `log-tag`.
    pub fn send(&self, targets: &Targets, severity: Severity, tag: Option<&str>, message: &[u8]) {
        self.send_with(targets, severity, tag, b"", message);
    }

    /// The same with structured data for the targets that carry it.
    pub fn send_with(
        &self,
        targets: &Targets,
        severity: Severity,
        tag: Option<&str>,
        data: &[u8],
        message: &[u8],
    ) {
        for target in &targets.targets {
            self.send_one(target, severity, tag, data, message);
        }
    }

    /// The same to one of the targets.
    pub fn send_to(
        &self,
        targets: &Targets,
        index: usize,
        severity: Severity,
        tag: Option<&str>,
        data: &[u8],
        message: &[u8],
    ) {
        if let Some(target) = targets.targets.get(index) {
            self.send_one(target, severity, tag, data, message);
        }
    }

    fn send_one(&self, target: &Target, severity: Severity, tag: Option<&str>, data: &[u8], message: &[u8]) {
        thread_local! {
            static LINE: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
        }
        if severity > target.conf.max_level || !target.takes() {
            return;
        }
        let now = sys::clock::wall();
        let (target, sink) = (&target.conf, &target.sink);
        let sender = self.sender(tag, data);
        LINE.with_borrow_mut(|line| {
            line.clear();
            framing::header(line, target, severity.max(target.min_level), &sender, now);
            let begins = line.len();
            line.extend_from_slice(message);
            line.truncate(target.max_len.saturating_sub(1));
            line.push(b'\n');
            let tell = |lost| lost_lines(target, &sender, now, lost);
            if !held::keep(sink, line, &self.dropped) && !sink.send(line, begins, tell) {
                self.dropped.fetch_add(1, Relaxed);
            }
        });
    }

    /// What stands in the headers of a line.
    fn sender<'a>(&'a self, tag: Option<&'a str>, data: &'a [u8]) -> framing::Sender<'a> {
        framing::Sender {
            hostname: self.identity.hostname.as_deref(),
            tag: tag.unwrap_or(&self.identity.tag),
            pid: self.pid.load(Relaxed),
            data,
        }
    }

    /// Passes a line from elsewhere on to all `targets` that want its severity.
    fn forward(
        &self,
        targets: &Targets,
        received: &received::Received<'_>,
        host: (HostField, Option<IpAddr>),
    ) {
        let (severity, now) = (Severity(received.severity()), sys::clock::wall());
        let mut line = Vec::new();
        for target in &targets.targets {
            if severity > target.conf.max_level || !target.takes() {
                continue;
            }
            line.clear();
            received.write(&mut line, target.conf.framing, target.conf.facility, host, now);
            line.truncate(target.conf.max_len.saturating_sub(1));
            line.push(b'\n');
            let begins = line.len().saturating_sub(received.message_len() + 1);
            let tell = |lost| lost_lines(&target.conf, &self.sender(None, b""), now, lost);
            if !target.sink.send(&line, begins, tell) {
                self.dropped.fetch_add(1, Relaxed);
            }
        }
    }

    /// Lines that could not be sent (`DroppedLogs`).
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

/// The line that tells how many lines a ring had no room for.
fn lost_lines(target: &LogTarget, sender: &framing::Sender<'_>, now: SystemTime, lost: u64) -> Vec<u8> {
    let mut line = Vec::new();
    framing::header(&mut line, target, level::NOTICE, sender, now);
    line.extend_from_slice(ring::lost_lines(lost).as_bytes());
    line
}
