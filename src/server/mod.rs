//! Server state: what the administrator wants, what the checks say, and the weight that follows. Pure.
//!
//! [`ServerState`] is told of events and answers with [`Effect`]s in the order in which they are to be done. The
//! owner performs them: tells the balancer, moves queued requests, and renders the log lines, which count servers and
//! requests *after* that.

mod report;
pub mod saved;
mod state;
mod status;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use report::{Counts, Level, Report, backend_down, escape_info};
pub use state::{ServerState, Settings, dynamic_limit, parse_maxconn};
pub use status::{Standing, status_word};

/// Operational state; the numbers are `srv_op_state` of `show servers state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Op {
    /// Down.
    Stopped = 0,
    /// Up, within its slow start.
    Starting = 1,
    /// Up.
    Running = 2,
    /// Up for those who are there already: it asked for no new sessions (`disable-on-404`, agent).
    Stopping = 3,
}

impl Op {
    /// The state with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        [Self::Stopped, Self::Starting, Self::Running, Self::Stopping].get(usize::from(number)).copied()
    }

    /// Up in the sense of the statistics.
    #[must_use]
    pub fn is_up(self) -> bool {
        matches!(self, Self::Starting | Self::Running)
    }
}

/// Administrative flags; the bits are `srv_admin_state` of `show servers state`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Admin(pub u8);

impl Admin {
    /// Put into maintenance by command or configuration.
    pub const FORCED_MAINT: Self = Self(0x01);
    /// Maintenance inherited from a tracked server.
    pub const INHERITED_MAINT: Self = Self(0x02);
    /// Maintenance because of `disabled` in the configuration (set beside [`Self::FORCED_MAINT`]).
    pub const CONFIG_MAINT: Self = Self(0x04);
    /// Drained by command.
    pub const FORCED_DRAIN: Self = Self(0x08);
    /// Drain inherited from a tracked server.
    pub const INHERITED_DRAIN: Self = Self(0x10);
    /// No address: its name does not resolve.
    pub const RESOLUTION_MAINT: Self = Self(0x20);
    /// Its name was set by command, or told by an SRV record.
    pub const NAME_BY_COMMAND: Self = Self(0x40);
    /// Any reason for maintenance.
    pub const MAINT: Self = Self(0x23);
    /// Any reason for drain.
    pub const DRAIN: Self = Self(0x18);

    /// Whether any of `flags` is set.
    #[must_use]
    pub fn any(self, flags: Self) -> bool {
        self.0 & flags.0 != 0
    }

    /// With `flags` added.
    #[must_use]
    pub fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// With `flags` taken out.
    #[must_use]
    pub fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }
}

/// `set server ... state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminRequest {
    /// Leave maintenance and drain.
    Ready,
    /// No new sessions, checks go on.
    Drain,
    /// Out of service, checks stop.
    Maint,
}

/// Outcome of a check, for its own log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckSaid {
    /// Failed.
    Failed,
    /// Passed.
    Passed,
    /// Passed, but the server wants no new sessions.
    Conditional,
}

/// Why an operational state changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// The tracked server changed, or nothing worth a word.
    #[default]
    Tracking,
    /// A check's result.
    Check {
        /// Long description of the check status: `Layer4 connection problem`.
        reason: &'static str,
        /// Status code of the reply, of layer 7 results only.
        code: Option<i32>,
        /// More detail; empty: none.
        info: String,
        /// How long the check took; `None`: not measured.
        duration: Option<Duration>,
    },
    /// In words: `changed from CLI`.
    Words(String),
}

/// What the owner of a server has to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Count one transition to down (`chkdown`).
    CountDown,
    /// Tell the balancer the new [`ServerState::weight`] and [`ServerState::is_usable`].
    Rebalance,
    /// End all sessions on this server.
    ShutdownSessions,
    /// End all sessions on the backup servers.
    ShutdownBackupSessions,
    /// Close idle connections to this server.
    DropIdle,
    /// Give the requests in this server's queue to others; their number is [`Counts::requeued`].
    RedistributeQueue,
    /// Let this server take requests from the backend's queue; their number is [`Counts::requeued`].
    GrabQueue,
    /// Stop checking, health is 0; also of a server that is not checked, whose health only commands change.
    PauseChecks,
    /// Check again at once, beginning just good enough to be up.
    ResumeChecks,
    /// Call [`ServerState::warm_up`] after this time.
    WarmUpIn(Duration),
    /// Write a line; the backend's own line ([`backend_down`]) follows if the last server just left.
    Log(Report),
    /// Let the servers that track this one follow, with [`ServerState::follow`].
    Propagate(Follow),
}

/// What a tracking server does after the tracked one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Change operational state.
    Op(Op),
    /// Take over a flag ([`Admin::INHERITED_MAINT`] or [`Admin::INHERITED_DRAIN`]).
    Set(Admin),
    /// Drop it again.
    Clear(Admin),
}
