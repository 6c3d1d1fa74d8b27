//! What a check can come to, with the names and words of `show stat` and the log.

use crate::ir::check::StatusName;

/// Longest description that is kept, bytes.
const DESCRIPTION_LEN: usize = 127;

/// Status of the last check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not known.
    Unknown,
    /// No check has ended yet.
    Initial,
    /// An agent said nothing about health.
    Checked,
    /// The last of too many errors seen in traffic (`observe`).
    Observed,
    /// Not even a socket, or an error on an established connection.
    SockErr,
    /// Connected.
    L4Ok,
    /// No connection in time.
    L4Tout,
    /// Connection refused, no route...
    L4Con,
    /// A TLS handshake, or a hello, went well.
    L6Ok,
    /// No handshake in time.
    L6Tout,
    /// Not a handshake.
    L6Rsp,
    /// No answer in time.
    L7Tout,
    /// Not an answer of the protocol, or not the expected one.
    L7Rsp,
    /// The expected answer.
    L7Ok,
    /// `disable-on-404`: fine, but no new sessions.
    L7Okc,
    /// An answer with a status that means no.
    L7Sts,
    /// External check: ended with an error.
    ProcErr,
    /// External check: did not end in time.
    ProcTout,
    /// External check passed.
    ProcOk,
}

/// What a status means to the rise/fall machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    None,
    /// Failed.
    Failed,
    /// Passed, but the server wants no new sessions.
    Conditional,
    /// Passed.
    Passed,
}

impl Status {
    /// `check_status` of the statistics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNK",
            Self::Initial => "INI",
            Self::Checked => "CHECKED",
            Self::Observed => "HANA",
            Self::SockErr => "SOCKERR",
            Self::L4Ok => "L4OK",
            Self::L4Tout => "L4TOUT",
            Self::L4Con => "L4CON",
            Self::L6Ok => "L6OK",
            Self::L6Tout => "L6TOUT",
            Self::L6Rsp => "L6RSP",
            Self::L7Tout => "L7TOUT",
            Self::L7Rsp => "L7RSP",
            Self::L7Ok => "L7OK",
            Self::L7Okc => "L7OKC",
            Self::L7Sts => "L7STS",
            Self::ProcErr => "PROCERR",
            Self::ProcTout => "PROCTOUT",
            Self::ProcOk => "PROCOK",
        }
    }

    /// The words for it: `check_desc` of the statistics and `reason` of log lines.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Initial => "Initializing",
            Self::Checked => "No status change",
            Self::Observed => "Health analyze",
            Self::SockErr => "Socket error",
            Self::L4Ok => "Layer4 check passed",
            Self::L4Tout => "Layer4 timeout",
            Self::L4Con => "Layer4 connection problem",
            Self::L6Ok => "Layer6 check passed",
            Self::L6Tout => "Layer6 timeout",
            Self::L6Rsp => "Layer6 invalid response",
            Self::L7Tout => "Layer7 timeout",
            Self::L7Rsp => "Layer7 invalid response",
            Self::L7Ok => "Layer7 check passed",
            Self::L7Okc => "Layer7 check conditionally passed",
            Self::L7Sts => "Layer7 wrong status",
            Self::ProcErr => "External check error",
            Self::ProcTout => "External check timeout",
            Self::ProcOk => "External check passed",
        }
    }

    /// The status of a check that came to something, by its number in the state file.
    #[must_use]
    pub fn numbered(number: u8) -> Option<Self> {
        Some(match number {
            3 => Self::Checked,
            4 => Self::Observed,
            5 => Self::SockErr,
            6 => Self::L4Ok,
            7 => Self::L4Tout,
            8 => Self::L4Con,
            9 => Self::L6Ok,
            10 => Self::L6Tout,
            11 => Self::L6Rsp,
            12 => Self::L7Tout,
            13 => Self::L7Rsp,
            15 => Self::L7Ok,
            16 => Self::L7Okc,
            17 => Self::L7Sts,
            18 => Self::ProcErr,
            19 => Self::ProcTout,
            20 => Self::ProcOk,
            _ => return None,
        })
    }

    /// What it means.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Unknown | Self::Initial | Self::Checked => Outcome::None,
            Self::L4Ok | Self::L6Ok | Self::L7Ok | Self::ProcOk => Outcome::Passed,
            Self::L7Okc => Outcome::Conditional,
            Self::Observed
            | Self::SockErr
            | Self::L4Tout
            | Self::L4Con
            | Self::L6Tout
            | Self::L6Rsp
            | Self::L7Tout
            | Self::L7Rsp
            | Self::L7Sts
            | Self::ProcErr
            | Self::ProcTout => Outcome::Failed,
        }
    }

    /// Whether a code of the reply goes with it (0 if the protocol has none).
    #[must_use]
    pub fn has_code(self) -> bool {
        matches!(self, Self::L7Ok | Self::L7Okc | Self::L7Sts | Self::ProcErr | Self::ProcTout | Self::ProcOk)
    }
}

impl From<StatusName> for Status {
    fn from(name: StatusName) -> Self {
        match name {
            StatusName::L4Ok => Self::L4Ok,
            StatusName::L4Con => Self::L4Con,
            StatusName::L4Tout => Self::L4Tout,
            StatusName::L6Ok => Self::L6Ok,
            StatusName::L6Rsp => Self::L6Rsp,
            StatusName::L6Tout => Self::L6Tout,
            StatusName::L7Ok => Self::L7Ok,
            StatusName::L7Okc => Self::L7Okc,
            StatusName::L7Rsp => Self::L7Rsp,
            StatusName::L7Sts => Self::L7Sts,
            StatusName::L7Tout => Self::L7Tout,
        }
    }
}

/// Result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Status.
    pub status: Status,
    /// Code of the reply: an HTTP status, an SMTP or MySQL code, an exit status; 0 without one, -1 if it was killed.
    pub code: i32,
    /// Detail in words (`last_chk`); empty: none.
    pub info: String,
}

impl Verdict {
    /// A verdict; `info` ends at a NUL or after 127 bytes.
    #[must_use]
    pub fn new(status: Status, code: impl Into<i32>, info: &[u8]) -> Self {
        let end = memchr::memchr(0, info).unwrap_or(info.len()).min(DESCRIPTION_LEN);
        Self { status, code: code.into(), info: String::from_utf8_lossy(&info[..end]).into_owned() }
    }

    /// [`Self::code`] where the status has one.
    #[must_use]
    pub fn shown_code(&self) -> Option<i32> {
        self.status.has_code().then_some(self.code)
    }
}
