//! The rise/fall machine of one check: counts verdicts, decides, and says when the next check is due.
//!
//! Health counts from 0 (surely down) to `rise + fall - 1` (surely up); the server is up from `rise`. A server starts
//! at `rise`, up but one failure from down, so that a dead server is found by its first check.

use std::time::Duration;

use super::{Outcome, Status, Verdict};
use crate::ir::server::{AGENT_FALL, AGENT_RISE, InitState, OnError, ServerCheck};

/// Checks at least this far apart are spread over the shortest such interval at start.
const SPREAD_THRESHOLD: Duration = Duration::from_secs(1);

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The timer fired.
    Due,
    /// The check that was started came to this, after this time.
    Ended(Verdict, Duration),
    /// The server entered maintenance.
    Pause,
    /// The server left maintenance.
    Resume,
    /// A command set the health: up or down.
    Force(bool),
    /// A command suspended the check or took it up again; the health stays.
    Enable(bool),
    /// Traffic saw `errors` bad results in a row, the last one described by the text (`observe`).
    Observed {
        /// What to do about it.
        action: OnError,
        /// How many.
        errors: u32,
        /// The last one in words.
        last: String,
    },
}

/// What the rest of the server says while the machine decides.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// The server's operational state is down.
    pub is_stopped: bool,
    /// The other check of the server (the agent, if this is not the agent) agrees that it is up, or there is none; and
    /// neither is a tracked server down. To an agent a server that wants no new sessions is not up either: that is for
    /// the health check to say.
    pub others_up: bool,
    /// 32 random bits for spreading.
    pub random: u32,
}

/// What to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start a check.
    Start,
    /// Give up a running check.
    Abort,
    /// Fire [`Input::Due`] after this time, and not before.
    Arm(Duration),
    /// Fire [`Input::Due`] after this time unless it is due sooner anyway.
    Hurry(Duration),
    /// Write the line of `option log-health-checks`, with [`Machine::verdict`].
    LogCheck,
    /// The server is down.
    Down,
    /// The server is up.
    Up,
    /// The server wants no new sessions.
    Stopping,
    /// Count one failed check (`chkfail`).
    CountFailure,
}

/// One check of one server, or its agent.
#[derive(Clone, Debug)]
pub struct Machine {
    inter: Duration,
    fastinter: Duration,
    downinter: Duration,
    /// `fastinter`, if configured: errors in traffic bring the next check forward.
    hurry: Option<Duration>,
    rise: u32,
    fall: u32,
    /// Percent by which intervals are spread, either way.
    spread: u32,
    log_all: bool,
    agent: bool,
    health: u32,
    init: InitState,
    paused: bool,
    enabled: bool,
    running: bool,
    verdict: Verdict,
    duration: Option<Duration>,
}

impl Machine {
    /// A check at start; `spread` is `spread-checks` in percent, `log_all` is `option log-health-checks`.
    #[must_use]
    pub fn new(check: &ServerCheck, spread: u8, log_all: bool, paused: bool) -> Self {
        Self {
            inter: check.inter,
            fastinter: check.fastinter.unwrap_or(check.inter),
            downinter: check.downinter.unwrap_or(check.inter),
            hurry: check.fastinter,
            rise: check.rise,
            fall: check.fall,
            spread: u32::from(spread),
            log_all,
            agent: false,
            health: if paused { 0 } else { check.rise },
            init: InitState::None,
            paused,
            enabled: true,
            running: false,
            verdict: Verdict { status: Status::Initial, code: 0, info: String::new() },
            duration: None,
        }
    }

    /// An agent check: its connection failures mean nothing, only its words do, and one is enough.
    #[must_use]
    pub fn agent(inter: Duration, spread: u8, log_all: bool) -> Self {
        let check = ServerCheck { inter, rise: AGENT_RISE, fall: AGENT_FALL, ..ServerCheck::default() };
        Self { agent: true, ..Self::new(&check, spread, log_all, false) }
    }

    /// Taken to be as good as `init` says when the server leaves maintenance, and when a command enables the check.
    #[must_use]
    pub fn returning(self, init: InitState) -> Self {
        Self { init, ..self }
    }

    /// With the level of health, and suspended or not, that the server starts with.
    #[must_use]
    pub fn starting_at(mut self, health: u32, enabled: bool) -> Self {
        if !self.paused {
            self.health = health.min(self.rise + self.fall - 1);
        }
        self.enabled = enabled;
        self
    }

    /// Whether it may change anything: a command has not suspended it.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Health, 0..=rise + fall - 1.
    #[must_use]
    pub fn health(&self) -> u32 {
        self.health
    }

    /// `rise`.
    #[must_use]
    pub fn rise(&self) -> u32 {
        self.rise
    }

    /// `fall`.
    #[must_use]
    pub fn fall(&self) -> u32 {
        self.fall
    }

    /// Whether the check says up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.health >= self.rise
    }

    /// The last verdict.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// How long the last check took; `None`: none has ended, or it was not a check.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// Whether a check is under way.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Whether checks are suspended by maintenance.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether `option log-health-checks` is on: state lines then leave the reason to the check's own line.
    #[must_use]
    pub fn logs_all(&self) -> bool {
        self.log_all
    }

    /// Time to the next check as things stand, without spreading.
    #[must_use]
    pub fn interval(&self, is_stopped: bool) -> Duration {
        if self.health + 1 >= self.rise + self.fall {
            self.inter
        } else if is_stopped && self.health == 0 {
            self.downinter
        } else {
            self.fastinter
        }
    }

    /// One step.
    pub fn step(&mut self, input: Input, around: Surroundings) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Due if self.paused || !self.enabled || self.running => {
                effects.push(Effect::Arm(self.inter))
            }
            Input::Due => {
                self.running = true;
                // What is told of the last check while the next one runs is its status alone.
                self.verdict.info.clear();
                effects.push(Effect::Start);
            }
            Input::Ended(verdict, duration) => {
                self.running = false;
                // What ends after maintenance began is history.
                if !self.paused && self.enabled {
                    self.judge(verdict, Some(duration), around, &mut effects);
                }
                effects.push(Effect::Arm(self.spread_interval(around)));
            }
            Input::Pause => {
                self.paused = true;
                self.health = 0;
                if std::mem::take(&mut self.running) {
                    effects.push(Effect::Abort);
                    effects.push(Effect::Arm(self.inter));
                }
            }
            Input::Resume => {
                self.paused = false;
                self.health = self.init.health(self.rise, self.fall).unwrap_or(self.rise);
                effects.push(Effect::Arm(Duration::ZERO));
            }
            Input::Force(up) => {
                self.health = if up { self.rise + self.fall - 1 } else { 0 };
            }
            Input::Enable(enabled) => {
                self.enabled = enabled;
                if let Some(health) =
                    self.init.health(self.rise, self.fall).filter(|_| enabled && !self.paused)
                {
                    self.health = health;
                }
                if !enabled && std::mem::take(&mut self.running) {
                    effects.push(Effect::Abort);
                }
                effects.push(Effect::Arm(if enabled { Duration::ZERO } else { self.inter }));
            }
            Input::Observed { .. } if !self.enabled => {}
            Input::Observed { action, errors, last } => {
                self.observe(action, errors, &last, around, &mut effects);
            }
        }
        effects
    }

    fn observe(
        &mut self,
        action: OnError,
        errors: u32,
        last: &str,
        around: Surroundings,
        effects: &mut Vec<Effect>,
    ) {
        let worst = match action {
            OnError::FastInter => None,
            OnError::FailCheck => Some(self.health),
            // One more failure and it is down.
            OnError::SuddenDeath => Some(self.health.min(self.rise + 1)),
            OnError::MarkDown => Some(self.rise),
        };
        if let Some(health) = worst.filter(|_| !self.paused) {
            self.health = health;
            let info = format!("Detected {errors} consecutive errors, last one was: {last}");
            let verdict = Verdict::new(Status::Observed, 0, info.as_bytes());
            self.judge(verdict, None, around, effects);
        }
        if let Some(fast) = self.hurry.filter(|_| !self.running) {
            effects.push(Effect::Hurry(fast));
        }
    }

    fn judge(
        &mut self,
        verdict: Verdict,
        duration: Option<Duration>,
        around: Surroundings,
        effects: &mut Vec<Effect>,
    ) {
        let outcome = verdict.status.outcome();
        let full = self.rise + self.fall - 1;
        let mut moved = false;
        match outcome {
            Outcome::None => {}
            Outcome::Failed => {
                // An agent that cannot be reached says nothing about the server.
                let counts = !self.agent || verdict.status.has_code();
                if counts && self.health > 0 {
                    moved = true;
                    effects.push(Effect::CountFailure);
                    self.health -= 1;
                    if self.health < self.rise {
                        self.health = 0;
                    }
                }
            }
            Outcome::Passed | Outcome::Conditional => {
                if self.health < full {
                    moved = true;
                    self.health += 1;
                    if self.health >= self.rise {
                        self.health = full;
                    }
                }
            }
        }
        let mut verdict = verdict;
        if verdict.status == Status::Unknown {
            // Words without a result: what was known stays.
            verdict.status = self.verdict.status;
        }
        let news = moved || verdict.status != self.verdict.status;
        (self.verdict, self.duration) = (verdict, duration);
        if self.log_all && news && outcome != Outcome::None {
            effects.push(Effect::LogCheck);
        }
        let agreed = self.is_up() && around.others_up;
        match outcome {
            Outcome::Failed if self.health == 0 && (!self.agent || self.verdict.status == Status::L7Sts) => {
                effects.push(Effect::Down);
            }
            Outcome::Conditional if agreed && !self.agent => effects.push(Effect::Stopping),
            Outcome::Passed if agreed => effects.push(Effect::Up),
            Outcome::Failed | Outcome::Conditional | Outcome::Passed | Outcome::None => {}
        }
    }

    fn spread_interval(&self, around: Surroundings) -> Duration {
        // The verdict may just have decided the state.
        let stopped = around.is_stopped || self.health == 0;
        let interval = self.interval(stopped);
        let spread = u64::from(self.spread);
        let width = interval.as_millis() as u64 * spread / 100;
        let offset = u128::from(2 * width) * u128::from(around.random) / u128::from(u32::MAX);
        interval + Duration::from_millis(width) - Duration::from_millis(offset as u64)
    }
}

/// When each of many checks starts, given their intervals: evenly over the shortest interval of at least a second,
/// each over its own if that is longer, over `max_spread` at most.
#[must_use]
pub fn start_offsets(intervals: &[Duration], max_spread: Option<Duration>) -> Vec<Duration> {
    let count = intervals.len() as u32;
    let shortest = intervals.iter().copied().filter(|i| *i >= SPREAD_THRESHOLD).min().unwrap_or_default();
    let offset = |(i, interval): (usize, &Duration)| {
        let window = shortest.max(*interval);
        let window = max_spread.map_or(window, |max| window.min(max));
        window * (i as u32) / count
    };
    intervals.iter().enumerate().map(offset).collect()
}
