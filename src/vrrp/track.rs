//! What an instance watches besides its peers: scripts and interfaces, and what their state does to the
//! priority. Pure; who runs the scripts and hears of interfaces is the runner's business.

use std::fmt;

use crate::ir::vrrp::Script;

/// How one run of a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exit status.
    Exited(i32),
    /// Killed by this signal, and not by us.
    Signalled(i32),
    /// Ran longer than its timeout and was killed.
    TimedOut,
    /// Could not be started.
    NotStarted,
}

impl Outcome {
    /// Did it succeed?
    #[must_use]
    pub fn good(self) -> bool {
        self == Self::Exited(0)
    }
}

/// What tracking has to say; `Display` is the whole log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackEvent {
    /// The exit status is another than last time.
    Returning {
        /// Script.
        script: String,
        /// Status.
        status: i32,
    },
    /// It became good.
    Succeeded {
        /// Script.
        script: String,
    },
    /// It became bad.
    Failed {
        /// Script.
        script: String,
        /// The run that decided.
        outcome: Outcome,
    },
    /// An interface went up or down.
    Link {
        /// Name.
        interface: String,
        /// Up now?
        up: bool,
    },
    /// Members of a sync group follow.
    Syncing {
        /// Group.
        group: String,
        /// To this state.
        state: super::fsm::State,
    },
    /// A tracked process gained or lost its quorum.
    Quorum {
        /// Name of the `vrrp_track_process`.
        process: String,
        /// Gained?
        gained: bool,
    },
    /// What a `track_proxy` asks for fails, or does again what it should.
    Proxy {
        /// Name of the `track_proxy`.
        proxy: String,
        /// What is wrong; `None`: nothing any more.
        failing: Option<String>,
    },
    /// A tracked file put an instance into FAULT, or let it go.
    FileFault {
        /// Instance.
        instance: String,
        /// Name of the `track_file`.
        file: String,
        /// Into it?
        fault: bool,
    },
    /// Why an instance starts in FAULT.
    StartFault {
        /// Instance.
        instance: String,
        /// Reason, as keepalived words it.
        reason: String,
    },
}

impl fmt::Display for TrackEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returning { script, status } => write!(f, "Script `{script}` now returning {status}"),
            Self::Succeeded { script } => write!(f, "VRRP_Script({script}) succeeded"),
            Self::Failed { script, outcome } => {
                write!(f, "VRRP_Script({script}) ")?;
                match outcome {
                    Outcome::Exited(status) => write!(f, "failed (exited with status {status})"),
                    Outcome::Signalled(signal) => write!(f, "failed (due to signal {signal})"),
                    Outcome::TimedOut => f.write_str("timed_out"),
                    Outcome::NotStarted => f.write_str("failed (could not be started)"),
                }
            }
            Self::Link { interface, up } => {
                write!(f, "Netlink reports {interface} {}", if *up { "up" } else { "down" })
            }
            Self::Syncing { group, state } => {
                write!(f, "VRRP_Group({group}) Syncing instances to {state} state")
            }
            Self::Quorum { process, gained } => {
                write!(f, "Quorum {} for tracked process {process}", if *gained { "gained" } else { "lost" })
            }
            Self::Proxy { proxy, failing: Some(why) } => write!(f, "Tracked proxy {proxy} failed: {why}"),
            Self::Proxy { proxy, failing: None } => write!(f, "Tracked proxy {proxy} succeeded"),
            Self::FileFault { instance, file, fault } => {
                let how = if *fault { "now" } else { "leaving" };
                write!(f, "({instance}): tracked file {file} {how} FAULT state")
            }
            Self::StartFault { instance, reason } => {
                write!(f, "({instance}): entering FAULT state ({reason})")
            }
        }
    }
}

/// What is known of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// No run has ended yet; counts as neither.
    Unknown,
    /// Good.
    Good,
    /// Bad.
    Bad,
}

/// The rise/fall counter of one script.
#[derive(Clone, Debug)]
pub struct ScriptState {
    /// 0..rise+fall-1; at `rise` and above it is good.
    result: u32,
    rise: u32,
    fall: u32,
    /// The first run decides at once, without `rise` and `fall`.
    first: bool,
    known: bool,
    last_status: Option<i32>,
}

impl ScriptState {
    /// Before the first run.
    #[must_use]
    pub fn new(script: &Script) -> Self {
        let (rise, fall) = (script.rise.max(1), script.fall.max(1));
        Self {
            result: if script.init_fail { 0 } else { rise - 1 },
            rise,
            fall,
            first: !script.init_fail,
            known: script.init_fail,
            last_status: None,
        }
    }

    /// Keeps what is known over a reload when only numbers changed.
    #[must_use]
    pub fn carried(&self, script: &Script) -> Self {
        let mut new = Self::new(script);
        if self.known {
            new.known = true;
            new.first = false;
            new.result = if self.result >= self.rise { new.rise + new.fall - 1 } else { 0 };
            new.last_status = self.last_status;
        }
        new
    }

    /// Good, bad, or not known yet.
    #[must_use]
    pub fn health(&self) -> Health {
        if !self.known {
            Health::Unknown
        } else if self.result >= self.rise {
            Health::Good
        } else {
            Health::Bad
        }
    }

    /// Raw counter, as keepalived's data dump shows it.
    #[must_use]
    pub fn result(&self) -> u32 {
        self.result
    }

    /// A run ended. True if the health changed.
    pub fn finished(&mut self, name: &str, outcome: Outcome, log: &mut Vec<TrackEvent>) -> bool {
        if let Outcome::Exited(status) = outcome {
            // A first success is not news.
            if self.last_status.unwrap_or(0) != status {
                log.push(TrackEvent::Returning { script: name.to_owned(), status });
            }
            self.last_status = Some(status);
        }
        let top = self.rise + self.fall - 1;
        let first = std::mem::take(&mut self.first);
        let before = self.health();
        if outcome.good() {
            if self.result + 1 < self.rise {
                self.result += 1;
            } else {
                if self.result < self.rise || !self.known {
                    log.push(TrackEvent::Succeeded { script: name.to_owned() });
                }
                self.known = true;
                self.result = top;
            }
        } else if self.result > self.rise {
            self.result -= 1;
        } else {
            if self.result == self.rise || first {
                log.push(TrackEvent::Failed { script: name.to_owned(), outcome });
            }
            self.known = true;
            self.result = 0;
        }
        before != self.health()
    }
}

/// What one tracked thing does to an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Influence {
    /// Added to the priority.
    pub weight: i32,
    /// Keeps the instance in FAULT.
    pub fault: bool,
    /// Keeps the instance from starting: not known yet.
    pub unknown: bool,
}

/// Weight 0 means FAULT while bad; a positive weight is added while good, a negative one while bad;
/// `reverse` turns the sign, and for weight 0 the meaning.
#[must_use]
pub fn influence(weight: i32, reverse: bool, health: Health) -> Influence {
    let sign = if reverse { -1 } else { 1 };
    match (weight, health) {
        (0, Health::Unknown) => Influence { unknown: true, ..Influence::default() },
        (0, health) => Influence { fault: (health == Health::Bad) != reverse, ..Influence::default() },
        (w, Health::Good) if w > 0 => Influence { weight: w * sign, ..Influence::default() },
        (w, Health::Bad) if w < 0 => Influence { weight: w * sign, ..Influence::default() },
        _ => Influence::default(),
    }
}

/// A tracked file's number times the weight is added to the priority, from -253 to 253; less is FAULT. Weight 0 means
/// FAULT while the number is not 0, or with `reverse` while it is.
#[must_use]
pub fn file_influence(weight: i32, reverse: bool, value: i64) -> Influence {
    if weight == 0 {
        return Influence { fault: (value != 0) != reverse, ..Influence::default() };
    }
    let sum = value.saturating_mul(i64::from(weight) * if reverse { -1 } else { 1 });
    if sum < -253 {
        return Influence { fault: true, ..Influence::default() };
    }
    Influence { weight: i32::try_from(sum.min(253)).unwrap_or(253), ..Influence::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(rise: u32, fall: u32, init_fail: bool) -> Script {
        Script {
            name: "check".into(),
            command: crate::ir::vrrp::NotifyScript::default(),
            interval: std::time::Duration::from_secs(1),
            timeout: None,
            weight: 0,
            reverse: false,
            rise,
            fall,
            init_fail,
            watches_process: None,
            place: crate::ir::Place::default(),
        }
    }

    /// Feeds `runs` (`+` good, `-` bad) and returns the health after each: `?`, `G` or `B`.
    fn history(rise: u32, fall: u32, init_fail: bool, runs: &str) -> String {
        let mut state = ScriptState::new(&script(rise, fall, init_fail));
        let shown = |s: &ScriptState| match s.health() {
            Health::Unknown => '?',
            Health::Good => 'G',
            Health::Bad => 'B',
        };
        let mut seen = vec![shown(&state)];
        for run in runs.chars() {
            let outcome = if run == '+' { Outcome::Exited(0) } else { Outcome::Exited(1) };
            let before = state.health();
            let changed = state.finished("check", outcome, &mut Vec::new());
            assert_eq!(changed, before != state.health());
            seen.push(shown(&state));
        }
        seen.into_iter().collect()
    }

    #[test]
    fn rise_and_fall() {
        let table = [
            (1, 1, false, "+-+", "?GBG"),
            (1, 1, false, "-+-", "?BGB"),
            // The first run decides alone, later ones need rise and fall.
            (3, 2, false, "+-+--+++", "?GGGGBBBG"),
            (3, 2, false, "-+++", "?BBBG"),
            (2, 3, false, "+--+---", "?GGGGGGB"),
            // init_fail: bad until rise good runs in a row.
            (2, 1, true, "++-", "BBGB"),
            (1, 1, true, "-+", "BBG"),
        ];
        for (rise, fall, init_fail, runs, expected) in table {
            assert_eq!(history(rise, fall, init_fail, runs), expected, "rise {rise} fall {fall} {runs}");
        }
    }

    #[test]
    fn log_lines() {
        let mut state = ScriptState::new(&script(1, 2, false));
        let mut log = Vec::new();
        for outcome in [
            Outcome::Exited(0),
            Outcome::Exited(1),
            Outcome::Exited(1),
            Outcome::Exited(0),
            Outcome::Signalled(9),
            Outcome::TimedOut,
        ] {
            state.finished("check", outcome, &mut log);
        }
        let lines: Vec<String> = log.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "VRRP_Script(check) succeeded",
                "Script `check` now returning 1",
                "VRRP_Script(check) failed (exited with status 1)",
                "Script `check` now returning 0",
                "VRRP_Script(check) succeeded",
                "VRRP_Script(check) timed_out",
            ]
        );
    }

    #[test]
    fn weights() {
        let weight = |w, reverse, health| influence(w, reverse, health).weight;
        use Health::{Bad, Good, Unknown};
        assert_eq!([Unknown, Good, Bad].map(|h| weight(2, false, h)), [0, 2, 0]);
        assert_eq!([Unknown, Good, Bad].map(|h| weight(-20, false, h)), [0, 0, -20]);
        assert_eq!([Unknown, Good, Bad].map(|h| weight(2, true, h)), [0, -2, 0]);
        assert_eq!([Unknown, Good, Bad].map(|h| weight(-20, true, h)), [0, 0, 20]);
        let fault = |reverse, health| influence(0, reverse, health).fault;
        assert_eq!([Good, Bad].map(|h| fault(false, h)), [false, true]);
        assert_eq!([Good, Bad].map(|h| fault(true, h)), [true, false]);
        assert!(influence(0, false, Unknown).unknown);
        assert!(!influence(5, false, Unknown).unknown);
    }

    #[test]
    fn files() {
        let result = |weight, reverse, value| {
            let influence = file_influence(weight, reverse, value);
            (influence.weight, influence.fault)
        };
        assert_eq!([0, 1, -1].map(|v| result(0, false, v).1), [false, true, true]);
        assert_eq!([0, 1].map(|v| result(0, true, v).1), [true, false]);
        assert_eq!(result(2, false, -10), (-20, false));
        assert_eq!(result(2, true, -10), (20, false));
        assert_eq!(result(1, false, i64::MAX), (253, false));
        assert_eq!(result(254, false, -1), (0, true));
        assert_eq!(result(1, false, -253), (-253, false));
    }
}
