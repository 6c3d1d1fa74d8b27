//! Log lines about servers, worded as HAProxy words them: people's alerts match on them.

use super::{Cause, Op};

/// Severity, as syslog numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// 0: a backend has no server left.
    Emergency,
    /// 1: a server went down.
    Alert,
    /// 5: everything else.
    Notice,
}

/// The numbers at the end of a line, taken when it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Usable active servers of the backend.
    pub active: u32,
    /// Usable backup servers.
    pub backup: u32,
    /// Sessions on this server.
    pub sessions: u64,
    /// Requests moved by the effect before the line.
    pub requeued: u32,
    /// Requests left in the server's queue.
    pub queued: u32,
}

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    None,
    /// `... servers left.` after a server went away.
    Left,
    /// `... servers online.`
    Online,
}

/// A line before its numbers are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Severity.
    pub level: Level,
    text: String,
    tail: Tail,
}

/// How lines name a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) backend: String,
    pub(super) server: String,
    pub(super) backup: bool,
    /// Configured name, of servers that follow the DNS.
    pub(super) hostname: Option<String>,
    /// The tracked server.
    pub(super) track: Option<(String, String)>,
}

impl Label {
    /// `Server B/s` or `Backup Server B/s`.
    pub(super) fn subject(&self) -> String {
        let backup = if self.backup { "Backup " } else { "" };
        format!("{backup}Server {}/{}", self.backend, self.server)
    }

    /// ` via B/s` if another server is tracked.
    pub(super) fn via(&self) -> String {
        self.track.as_ref().map_or_else(String::new, |(backend, server)| format!(" via {backend}/{server}"))
    }
}

impl Report {
    /// A line without numbers.
    pub(super) fn plain(level: Level, text: String) -> Self {
        Self { level, text, tail: Tail::None }
    }

    /// A line with the cause of the change and, at the end, numbers that fit the new state.
    pub(super) fn counted(level: Level, mut text: String, cause: &Cause, via: &str, op: Op) -> Self {
        push_cause(&mut text, cause, via);
        Self { level, text, tail: if op == Op::Stopped { Tail::Left } else { Tail::Online } }
    }

    /// A line with its cause but without numbers.
    pub(super) fn uncounted(level: Level, mut text: String, cause: &Cause, via: &str) -> Self {
        push_cause(&mut text, cause, via);
        Self { level, text, tail: Tail::None }
    }

    /// A line with its cause and, at the end, where a check stands.
    pub(super) fn with_status(mut text: String, cause: &Cause, via: &str, status: &str) -> Self {
        push_cause(&mut text, cause, via);
        text.push_str(", status: ");
        text.push_str(status);
        Self::plain(Level::Notice, text)
    }

    /// The line, full stop included.
    #[must_use]
    pub fn render(&self, n: &Counts) -> String {
        let on_backup = if n.backup > 0 && n.active == 0 { " Running on backup." } else { "" };
        let (text, active, backup, requeued, queued) = (&self.text, n.active, n.backup, n.requeued, n.queued);
        match self.tail {
            Tail::None => format!("{text}."),
            Tail::Left => format!(
                "{text}. {active} active and {backup} backup servers left.{on_backup} {} sessions active, \
                 {requeued} requeued, {queued} remaining in queue.",
                n.sessions
            ),
            Tail::Online => format!(
                "{text}. {active} active and {backup} backup servers online.{on_backup} {requeued} sessions \
                 requeued, {queued} total in queue."
            ),
        }
    }
}

fn push_cause(text: &mut String, cause: &Cause, via: &str) {
    match cause {
        Cause::Tracking => text.push_str(via),
        Cause::Words(words) => {
            text.push_str(", ");
            text.push_str(words);
        }
        Cause::Check { reason, code, info, duration } => {
            text.push_str(", reason: ");
            text.push_str(reason);
            if let Some(code) = code {
                text.push_str(&format!(", code: {code}"));
            }
            if !info.is_empty() {
                text.push_str(&format!(", info: \"{}\"", escape_info(info)));
            }
            if let Some(duration) = duration {
                text.push_str(&format!(", check duration: {}ms", duration.as_millis()));
            }
        }
    }
}

/// Text of a check as it stands between quotes in a line: bytes outside printable ASCII and the quote as `<XX>` in
/// hexadecimal.
#[must_use]
pub fn escape_info(info: &str) -> String {
    let mut out = String::with_capacity(info.len());
    for byte in info.bytes() {
        if byte.is_ascii_graphic() && byte != b'"' || byte == b' ' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("<{byte:02X}>"));
        }
    }
    out
}

/// The line for a backend whose last usable server left. `kind` is `backend` or, for a `listen` section, `proxy`.
#[must_use]
pub fn backend_down(kind: &str, name: &str) -> (Level, String) {
    (Level::Emergency, format!("{kind} {name} has no server available!"))
}
