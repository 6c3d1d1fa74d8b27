//! Traces: what sessions, streams and checks do, as it happens, into a sink of the operator's choice.
//!
//! A source that is not traced costs one look at a number that nobody writes.

use std::io::Write;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};

use super::framing::iso_time;
use super::ring::Ring;
use super::sink::Sink;
use crate::ir::log::{LogDest, RingConf};
use crate::sys::clock;

/// How much of what happens is told; each level tells what those before it do, too.
pub const LEVELS: [(&str, &str); 6] = [
    ("error", "report errors"),
    ("user", "also information useful to the end user"),
    ("proto", "also protocol-level updates"),
    ("state", "also report internal state changes"),
    ("data", "also report data transfers"),
    ("developer", "also report information useful only to the developer"),
];

/// Index of `user`, the level of the start.
const USER: u8 = 1;

/// Index of `state`.
const STATE: u8 = 3;

/// Where traces can go; the first is nowhere.
pub const SINKS: [(&str, &str); 4] = [
    ("none", "no sink"),
    ("stdout", "standard output (fd#1)"),
    ("stderr", "standard output (fd#2)"),
    ("buf0", "in-memory ring buffer"),
];

/// Bytes that `buf0` holds.
const BUFFER_SIZE: usize = 1024 * 1024;

/// The ring behind `buf0`.
pub static BUFFER: LazyLock<Arc<Ring>> = LazyLock::new(|| {
    Ring::new(RingConf {
        description: Some(SINKS[3].1.to_owned()),
        size: BUFFER_SIZE,
        ..RingConf::new(SINKS[3].0)
    })
});

static OPEN: LazyLock<[Sink; 3]> =
    LazyLock::new(|| [Sink::new(&LogDest::Stdout), Sink::new(&LogDest::Stderr), Sink::ring(Some(&BUFFER))]);

/// Something that a source tells of.
#[derive(Debug)]
pub struct Event {
    /// Its name in commands.
    pub name: &'static str,
    /// In words.
    pub what: &'static str,
    /// Index of the level that tells it.
    level: u8,
}

const fn event(name: &'static str, level: u8, what: &'static str) -> Event {
    Event { name, what, level }
}

/// What can be traced.
#[derive(Debug)]
pub struct Source {
    /// Its name in commands.
    pub name: &'static str,
    /// In words.
    pub what: &'static str,
    /// What it tells of.
    pub events: &'static [Event],
    /// Bits of the events that are told now: 0 while it is stopped.
    now: AtomicU32,
    running: AtomicU8,
    enabled: AtomicU32,
    level: AtomicU8,
    sink: AtomicU8,
    lost: AtomicU64,
}

const fn source(name: &'static str, what: &'static str, events: &'static [Event]) -> Source {
    Source {
        name,
        what,
        events,
        now: AtomicU32::new(0),
        running: AtomicU8::new(0),
        enabled: AtomicU32::new(u32::MAX),
        level: AtomicU8::new(USER),
        sink: AtomicU8::new(0),
        lost: AtomicU64::new(0),
    }
}

/// Connections of clients.
pub static SESSION: Source = source(
    "session",
    "client sessions/connections",
    &[event("sess_new", USER, "new session"), event("sess_end", USER, "session terminated")],
);

/// Requests, or connections in TCP mode.
pub static STREAM: Source = source(
    "stream",
    "Applicative stream",
    &[
        event("strm_accept", STATE, "begins"),
        event("strm_request", USER, "the request is there"),
        event("strm_connect", STATE, "a server was connected to"),
        event("strm_response", USER, "the response is there"),
        event("strm_end", USER, "is over"),
    ],
);

/// Health and agent checks.
pub static CHECK: Source = source(
    "check",
    "Health-check",
    &[event("chk_start", STATE, "a check starts"), event("chk_end", USER, "a check came to a verdict")],
);

/// All of them.
#[must_use]
pub fn sources() -> [&'static Source; 3] {
    [&STREAM, &CHECK, &SESSION]
}

impl Source {
    /// Tells of an event, by its number, if somebody wants to know.
    #[inline]
    pub fn tell(&self, event: usize, text: impl FnOnce() -> String) {
        if self.now.load(Relaxed) >> event & 1 == 1 {
            self.write(event, &text());
        }
    }

    #[cold]
    fn write(&self, event: usize, text: &str) {
        let Some(sink) = usize::from(self.sink.load(Relaxed)).checked_sub(1) else { return };
        let mut line = b"<0>".to_vec();
        iso_time(&mut line, clock::wall());
        // Writing to memory cannot fail.
        let _ = write!(line, " [{}|{}] ", self.name, self.events[event].name);
        let message = line.len();
        // What clients send does not break lines.
        line.extend(text.bytes().map(|c| if c.is_ascii_control() { b'.' } else { c }));
        line.push(b'\n');
        if !OPEN[sink].send(&line, message) {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    fn update(&self) {
        let level = self.level.load(Relaxed);
        let told =
            (0..).zip(self.events).filter(|(_, e)| e.level <= level).fold(0, |bits, (n, _)| bits | 1 << n);
        let running = self.running.load(Relaxed) != 0 && self.sink.load(Relaxed) != 0;
        self.now.store(if running { told & self.enabled.load(Relaxed) } else { 0 }, Relaxed);
    }

    /// Starts or stops it.
    pub fn run(&self, on: bool) {
        self.running.store(on.into(), Relaxed);
        self.update();
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.load(Relaxed) != 0
    }

    /// Chooses a sink, by its index in [`SINKS`].
    pub fn set_sink(&self, index: usize) {
        self.sink.store(index as u8, Relaxed);
        self.update();
    }

    /// Index of its sink in [`SINKS`].
    #[must_use]
    pub fn sink(&self) -> usize {
        self.sink.load(Relaxed).into()
    }

    /// Chooses a level, by its index in [`LEVELS`].
    pub fn set_level(&self, index: usize) {
        self.level.store(index as u8, Relaxed);
        self.update();
    }

    /// Index of its level in [`LEVELS`].
    #[must_use]
    pub fn level(&self) -> usize {
        self.level.load(Relaxed).into()
    }

    /// Tells of an event, or not; `None`: of all.
    pub fn enable(&self, event: Option<usize>, on: bool) {
        let bits = event.map_or(u32::MAX, |number| 1 << number);
        if on {
            self.enabled.fetch_or(bits, Relaxed);
        } else {
            self.enabled.fetch_and(!bits, Relaxed);
        }
        self.update();
    }

    /// Whether an event is told of.
    #[must_use]
    pub fn is_enabled(&self, event: usize) -> bool {
        self.enabled.load(Relaxed) >> event & 1 == 1
    }

    /// Lines that no sink took.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}
