//! Traces: what sessions, streams and checks do, as it happens, into a sink of the operator's choice.
//!
//! A source that is not traced costs one look at a number that nobody writes.

use std::io::Write;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;

pub use super::about::{About, Lock};
use super::framing::iso_time;
use super::ring::Ring;
use super::sink::{Sink, untold};
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

/// Index of `proto`.
const PROTO: u8 = 2;

/// Index of `state`.
const STATE: u8 = 3;

/// Where traces can go; the first is nowhere.
pub const SINKS: [(&str, &str); 4] = [
    ("none", "no sink"),
    ("stdout", "standard output (fd#1)"),
    ("stderr", "standard output (fd#2)"),
    ("buf0", "in-memory ring buffer"),
];

/// How much is told of an event.
pub const VERBOSITIES: [(&str, &str); 3] = [
    ("quiet", "only report basic information with no decoding"),
    ("clean", "one line of what there is to know"),
    ("complete", "add header fields when available"),
];

/// Index of `clean`, the verbosity of the start.
const CLEAN: usize = 1;

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

/// Whether a source tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It does not.
    #[default]
    Stopped,
    /// It will from one of the events on that start it.
    Waiting,
    /// It does.
    Running,
}

/// What an event does besides being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is told.
    Report,
    /// A trace that waits starts.
    Start,
    /// A trace that runs waits again.
    Pause,
    /// A trace that runs stops.
    Stop,
}

/// How a source is set.
#[derive(Clone, Copy, Debug)]
struct Settings {
    state: State,
    /// Bits of events, by [`Turn`].
    turns: [u32; 4],
    level: u8,
    sink: usize,
    verbosity: usize,
    lock: Lock,
    /// What it is locked on; 0: nothing yet.
    locked: u64,
    /// The source whose lock it follows.
    follow: Option<usize>,
}

impl Settings {
    const START: Self = Self {
        state: State::Stopped,
        turns: [u32::MAX, 0, 0, 0],
        level: USER,
        sink: 0,
        verbosity: CLEAN,
        lock: Lock::Nothing,
        locked: 0,
        follow: None,
    };

    fn has(&self, turn: Turn, event: usize) -> bool {
        self.turns[turn as usize] >> event & 1 == 1
    }
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
    /// What it can be locked on.
    pub locks: &'static [Lock],
    /// Its place in [`SOURCES`].
    index: usize,
    /// Bits of the events that anything comes of now: 0 while it is stopped.
    now: AtomicU32,
    lost: AtomicU64,
}

const fn source(
    index: usize,
    name: &'static str,
    what: &'static str,
    events: &'static [Event],
    locks: &'static [Lock],
) -> Source {
    Source { name, what, events, locks, index, now: AtomicU32::new(0), lost: AtomicU64::new(0) }
}

const OF_STREAMS: &[Lock] = &[
    Lock::Backend,
    Lock::Connection,
    Lock::Frontend,
    Lock::Listener,
    Lock::Nothing,
    Lock::Server,
    Lock::Session,
    Lock::Thread,
];

/// HTTP/1 messages.
pub static H1: Source = source(
    0,
    "h1",
    "HTTP/1 multiplexer",
    &[
        event("rx_headers", USER, "receipt of H1 headers"),
        event("tx_headers", USER, "transmission of all headers"),
        event("h1s_new", PROTO, "new H1 stream"),
        event("h1s_end", PROTO, "H1 stream terminated"),
    ],
    OF_STREAMS,
);

/// Requests, or connections in TCP mode.
pub static STREAM: Source = source(
    1,
    "stream",
    "Applicative stream",
    &[
        event("strm_accept", STATE, "begins"),
        event("strm_request", USER, "the request is there"),
        event("strm_connect", STATE, "a server was connected to"),
        event("strm_response", USER, "the response is there"),
        event("strm_end", USER, "is over"),
    ],
    OF_STREAMS,
);

/// Health and agent checks.
pub static CHECK: Source = source(
    2,
    "check",
    "Health-check",
    &[event("chk_start", STATE, "a check starts"), event("chk_end", USER, "a check came to a verdict")],
    &[Lock::Check, Lock::Nothing, Lock::Thread],
);

/// Connections of clients.
pub static SESSION: Source = source(
    3,
    "session",
    "client sessions/connections",
    &[event("sess_new", USER, "new session"), event("sess_end", USER, "session terminated")],
    &[Lock::Connection, Lock::Frontend, Lock::Listener, Lock::Nothing, Lock::Session, Lock::Thread],
);

/// All of them.
pub static SOURCES: [&Source; 4] = [&H1, &STREAM, &CHECK, &SESSION];

static SETTINGS: Mutex<[Settings; SOURCES.len()]> = Mutex::new([Settings::START; SOURCES.len()]);

/// Writes down which events each source has to look at.
fn publish(all: &[Settings; SOURCES.len()]) {
    for (source, own) in SOURCES.iter().zip(all) {
        let told = (0..)
            .zip(source.events)
            .filter(|(_, e)| e.level <= own.level)
            .fold(0, |bits, (n, _)| bits | 1 << n);
        let told = if own.sink == 0 { 0 } else { told & own.turns[Turn::Report as usize] };
        let follows = own.follow.is_some_and(|other| all[other].locked != 0);
        let turn = |turn: Turn| own.turns[turn as usize];
        let own = match own.state {
            State::Stopped => 0,
            State::Waiting => turn(Turn::Start),
            // What is locked has to see the first event, whether or not it is told.
            State::Running if own.lock != Lock::Nothing => u32::MAX,
            State::Running => told | turn(Turn::Pause) | turn(Turn::Stop),
        };
        source.now.store(own | if follows { told } else { 0 }, Relaxed);
    }
}

/// Where an event is told, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    /// Index in [`OPEN`].
    sink: usize,
    verbosity: usize,
}

/// What becomes of an event, given with its level, of the source with this index.
fn decide(all: &mut [Settings], index: usize, (event, level): (usize, u8), about: &About) -> Option<Told> {
    let own = &mut all[index];
    if own.state == State::Waiting && own.has(Turn::Start, event) {
        own.state = State::Running;
    }
    let mut meant = own.state == State::Running;
    if meant && own.lock != Lock::Nothing {
        let number = about.number(own.lock);
        if own.locked == 0 {
            own.locked = number;
        }
        meant = number != 0 && own.locked == number;
    }
    let told = level <= own.level && own.has(Turn::Report, event);
    let Settings { sink, verbosity, follow, .. } = *own;
    // What is about something else than the lock ends nothing.
    if meant && own.has(Turn::Stop, event) {
        (own.state, own.locked) = (State::Stopped, 0);
    } else if meant && own.has(Turn::Pause, event) {
        (own.state, own.locked) = (State::Waiting, 0);
    }
    let other = follow.map(|other| &all[other]);
    let followed = other.is_some_and(|o| o.locked != 0 && about.number(o.lock) == o.locked);
    let sink = sink.checked_sub(1).filter(|_| told && (meant || followed))?;
    Some(Told { sink, verbosity })
}

impl Source {
    /// Does anybody follow any of its events?
    #[inline]
    pub fn is_followed(&self) -> bool {
        self.now.load(Relaxed) != 0
    }

    /// Tells of an event, by its number, if somebody wants to know. `text` is told whether header fields are wanted, too.
    #[inline]
    pub fn tell(&self, event: usize, about: impl FnOnce() -> About, text: impl FnOnce(bool) -> String) {
        if self.now.load(Relaxed) >> event & 1 == 1 {
            self.look(event, &about(), text);
        }
    }

    #[cold]
    fn look(&self, event: usize, about: &About, text: impl FnOnce(bool) -> String) {
        let mut all = SETTINGS.lock();
        let before = (all[self.index].state, all[self.index].locked);
        let told = decide(&mut *all, self.index, (event, self.events[event].level), about);
        if before != (all[self.index].state, all[self.index].locked) {
            publish(&all);
        }
        drop(all);
        if let Some(Told { sink, verbosity }) = told {
            let text = if verbosity == 0 { String::new() } else { text(verbosity > CLEAN) };
            self.write(sink, event, &text);
        }
    }

    fn write(&self, sink: usize, event: usize, text: &str) {
        let mut line = b"<0>".to_vec();
        iso_time(&mut line, clock::wall());
        // Writing to memory cannot fail.
        let _ = write!(line, " [{}|{}]", self.name, self.events[event].name);
        if !text.is_empty() {
            line.push(b' ');
        }
        let message = line.len();
        // What clients send does not break lines.
        line.extend(text.bytes().map(|c| if c.is_ascii_control() { b'.' } else { c }));
        line.push(b'\n');
        if !OPEN[sink].send(&line, message, untold) {
            self.lost.fetch_add(1, Relaxed);
        }
    }

    fn change<R>(&self, change: impl FnOnce(&mut Settings) -> R) -> R {
        let mut all = SETTINGS.lock();
        let result = change(&mut all[self.index]);
        publish(&all);
        result
    }

    fn see<R>(&self, see: impl FnOnce(&Settings) -> R) -> R {
        see(&SETTINGS.lock()[self.index])
    }

    /// Starts, stops or pauses it at once, and no event does that any more.
    pub fn set_state(&self, state: State) {
        self.change(|own| {
            let turn = match state {
                State::Running => Turn::Start,
                State::Waiting => Turn::Pause,
                State::Stopped => Turn::Stop,
            };
            own.turns[turn as usize] = 0;
            own.state = state;
            if state != State::Running {
                own.locked = 0;
            }
        });
    }

    /// Whether it runs.
    #[must_use]
    pub fn state(&self) -> State {
        self.see(|own| own.state)
    }

    /// Chooses a sink, by its index in [`SINKS`].
    pub fn set_sink(&self, index: usize) {
        self.change(|own| own.sink = index);
    }

    /// Index of its sink in [`SINKS`].
    #[must_use]
    pub fn sink(&self) -> usize {
        self.see(|own| own.sink)
    }

    /// Chooses a level, by its index in [`LEVELS`].
    pub fn set_level(&self, index: usize) {
        self.change(|own| own.level = index as u8);
    }

    /// Index of its level in [`LEVELS`].
    #[must_use]
    pub fn level(&self) -> usize {
        self.see(|own| own.level.into())
    }

    /// Chooses a verbosity, by its index in [`VERBOSITIES`].
    pub fn set_verbosity(&self, index: usize) {
        self.change(|own| own.verbosity = index);
    }

    /// Index of its verbosity in [`VERBOSITIES`].
    #[must_use]
    pub fn verbosity(&self) -> usize {
        self.see(|own| own.verbosity)
    }

    /// Locks it on what the next event is about, in this respect.
    pub fn set_lock(&self, lock: Lock) {
        self.change(|own| (own.lock, own.locked) = (lock, 0));
    }

    /// What it is locked on.
    #[must_use]
    pub fn lock(&self) -> Lock {
        self.see(|own| own.lock)
    }

    /// Tells what is about the same as another source is locked on, too.
    pub fn set_follow(&self, other: Option<&Self>) {
        self.change(|own| own.follow = other.map(|other| other.index));
    }

    /// The source it follows.
    #[must_use]
    pub fn follows(&self) -> Option<&'static Self> {
        self.see(|own| own.follow).map(|index| SOURCES[index])
    }

    /// What an event does, or does no more; `None`: all events.
    pub fn set_turn(&self, turn: Turn, event: Option<usize>, on: bool) {
        let bits = event.map_or(u32::MAX, |number| 1 << number);
        self.change(|own| {
            let mask = &mut own.turns[turn as usize];
            *mask = if on { *mask | bits } else { *mask & !bits };
            // Whoever names what starts it waits for that.
            if turn == Turn::Start && *mask != 0 && own.state == State::Stopped {
                own.state = State::Waiting;
            }
        });
    }

    /// Whether an event does this.
    #[must_use]
    pub fn turns(&self, turn: Turn, event: usize) -> bool {
        self.see(|own| own.has(turn, event))
    }

    /// Lines that no sink took.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three events of a source: new, data, end; and of another one that follows it.
    fn pair() -> [Settings; 2] {
        let own = Settings { sink: 1, turns: [u32::MAX, 0b001, 0b100, 0], ..Settings::START };
        let own = Settings { state: State::Waiting, lock: Lock::Session, ..own };
        [own, Settings { sink: 1, follow: Some(0), ..Settings::START }]
    }

    fn about(session: u64) -> About {
        About { session, ..About::default() }
    }

    #[test]
    fn a_locked_trace_tells_of_one_session_at_a_time_from_its_begin_to_its_end() {
        let mut all = pair();
        let mut told = |event, session| decide(&mut all, 0, (event, USER), &about(session)).is_some();
        // It waits for a begin; then the second session is none of its business, not even its end.
        assert_eq!(
            [(1, 1), (0, 1), (0, 2), (1, 2), (2, 2), (1, 1), (2, 1)].map(|(e, s)| told(e, s)),
            [false, true, false, false, false, true, true]
        );
        assert_eq!([(1, 1), (1, 2), (0, 3), (1, 3)].map(|(e, s)| told(e, s)), [false, false, true, true]);
        // What is about no session at all is not it.
        assert!(!told(1, 0));
    }

    #[test]
    fn who_follows_tells_without_running() {
        let mut all = pair();
        assert_eq!(decide(&mut all, 1, (1, USER), &about(1)), None);
        assert!(decide(&mut all, 0, (0, USER), &about(1)).is_some());
        assert!(decide(&mut all, 1, (1, USER), &about(1)).is_some());
        assert_eq!(decide(&mut all, 1, (1, USER), &about(2)), None);
        // More than its level, and what it is not to report.
        assert_eq!(decide(&mut all, 1, (1, STATE), &about(1)), None);
        all[1].turns[0] = 0b101;
        assert_eq!(decide(&mut all, 1, (1, USER), &about(1)), None);
        decide(&mut all, 0, (2, USER), &about(1));
        assert_eq!((all[0].state, decide(&mut all, 1, (0, USER), &about(1))), (State::Waiting, None));
    }

    #[test]
    fn a_stop_is_for_good() {
        let mut all = pair();
        all[0].turns[Turn::Stop as usize] = 0b010;
        decide(&mut all, 0, (0, USER), &about(1));
        assert_eq!(decide(&mut all, 0, (1, USER), &about(1)), Some(Told { sink: 0, verbosity: CLEAN }));
        assert_eq!((all[0].state, decide(&mut all, 0, (0, USER), &about(1))), (State::Stopped, None));
    }
}
