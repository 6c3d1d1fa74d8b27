//! How a session ended: who, when, and whether trying again is safe.
//!
//! Termination codes of log lines, counters and the status of the answer are derived from this one type.

use crate::live::Shutdown;

/// Who ended the session, the first character of the termination code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Who {
    /// Nobody: it ended well.
    #[default]
    Nobody,
    /// The client closed or reset.
    Client,
    /// `timeout client` and relatives.
    ClientTimeout,
    /// The server closed, refused or reset.
    Server,
    /// `timeout server` and relatives.
    ServerTimeout,
    /// The proxy: a rule, or a message it does not accept.
    Proxy,
    /// The proxy answered by itself (redirect, statistics, `return`).
    Local,
    /// A resource ran out.
    Resource,
    /// What is asked for cannot be done with this configuration.
    Internal,
    /// The server went down and its sessions were shut.
    Down,
    /// A server that is preferred came up (`on-marked-up shutdown-backup-sessions`).
    Up,
    /// Somebody ended it with a command.
    Killed,
}

impl Who {
    /// Is it over while the server could go on?
    #[must_use]
    pub(super) fn ends_early(self) -> bool {
        use Who::{Client, ClientTimeout, Down, Killed, ServerTimeout, Up};
        matches!(self, Client | ClientTimeout | ServerTimeout | Down | Up | Killed)
    }

    /// Who ends the sessions of a server.
    #[must_use]
    pub(super) fn by(cause: Shutdown) -> Self {
        match cause {
            Shutdown::Command => Who::Killed,
            Shutdown::Down => Who::Down,
            Shutdown::Up => Who::Up,
        }
    }
}

/// What the session was doing, the second character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing any more.
    #[default]
    Done,
    /// Waiting for a complete request.
    Request,
    /// Waiting in a queue.
    Queue,
    /// Connecting to the server.
    Connect,
    /// Waiting for the head of the response.
    Headers,
    /// Passing data on.
    Data,
    /// Held in a tarpit.
    Tarpit,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    /// Who.
    pub(super) who: Who,
    /// When.
    pub(super) phase: Phase,
    /// Status of the answer, 0: none.
    pub(super) status: u16,
}

impl Failure {
    /// A kept connection to a server had been closed meanwhile, and the request is not one to be sent twice. The client's
    /// connection ends as if there had been no request.
    pub(super) const STALE: Self = Self { who: Who::Server, phase: Phase::Headers, status: 0 };

    /// A failure that answers with what its who and phase call for.
    #[must_use]
    pub(super) fn new(who: Who, phase: Phase) -> Self {
        let status = match (phase, who) {
            (Phase::Request, Who::ClientTimeout) => 408,
            (Phase::Request, Who::Client | Who::Proxy) => 400,
            (Phase::Queue | Phase::Connect, Who::Client | Who::ClientTimeout) => 0,
            (Phase::Queue | Phase::Connect, _) => 503,
            (Phase::Headers, Who::ServerTimeout) => 504,
            (Phase::Headers, Who::Client) => 400,
            (Phase::Headers, Who::ClientTimeout) => 408,
            (Phase::Headers, _) => 502,
            (Phase::Tarpit, _) => 500,
            _ => 0,
        };
        Self { who, phase, status }
    }

    /// The same with another status.
    #[must_use]
    pub(super) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// First two characters of the termination code (manual, 8.5).
    #[must_use]
    pub(super) fn code(&self) -> [u8; 2] {
        let who = match self.who {
            Who::Nobody => b'-',
            Who::Client => b'C',
            Who::ClientTimeout => b'c',
            Who::Server => b'S',
            Who::ServerTimeout => b's',
            Who::Proxy => b'P',
            Who::Local => b'L',
            Who::Resource => b'R',
            Who::Internal => b'I',
            Who::Down => b'D',
            Who::Up => b'U',
            Who::Killed => b'K',
        };
        let phase = match self.phase {
            Phase::Done => b'-',
            Phase::Request => b'R',
            Phase::Queue => b'Q',
            Phase::Connect => b'C',
            Phase::Headers => b'H',
            Phase::Data => b'D',
            Phase::Tarpit => b'T',
        };
        [who, phase]
    }
}
