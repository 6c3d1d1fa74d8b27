//! What a command answers.

use std::fmt;
use std::time::{Duration, Instant};

use super::Control;

/// An answer. The session adds the empty line that ends it.
#[derive(Debug, Default)]
pub struct Reply {
    /// Text, with its own newlines.
    pub text: String,
    /// Severity as syslog numbers it, of messages; listings have none.
    pub severity: Option<u8>,
    /// Close the connection afterwards.
    pub close: bool,
    /// `json` was asked of a command that knows no such form.
    pub as_json: bool,
    /// The answer comes later, and the commands behind it wait.
    pub waiting: Option<Waiting>,
}

/// Looks whether what is waited for has come; `None`: not yet.
type Condition = Box<dyn Fn(&Control) -> Option<Reply> + Send + Sync>;

/// An answer that comes later (`wait`).
pub struct Waiting {
    until: Instant,
    condition: Option<Condition>,
    pub(super) as_json: bool,
}

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Waiting {
    /// The answer, or what still waits and when to look again.
    pub(super) fn look(self, control: &Control, now: Instant) -> Result<Reply, (Self, Instant)> {
        if let Some(mut reply) = self.condition.as_ref().and_then(|look| look(control)) {
            reply.as_json |= self.as_json;
            return Ok(reply);
        }
        if now >= self.until {
            let waited_for_nothing = self.condition.is_none();
            return Ok(if waited_for_nothing {
                Reply::done()
            } else {
                Reply::error("Wait delay expired.\n")
            });
        }
        let next = if self.condition.is_some() { self.until.min(now + LOOK_EVERY) } else { self.until };
        Err((self, next))
    }
}

/// Names of the severities, by number.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

impl Reply {
    /// Done, nothing to say.
    #[must_use]
    pub fn done() -> Self {
        Self::default()
    }

    /// A listing.
    #[must_use]
    pub fn list(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Something to tell.
    #[must_use]
    pub fn info(text: impl Into<String>) -> Self {
        Self { text: text.into(), severity: Some(6), ..Self::default() }
    }

    /// Something to warn about.
    #[must_use]
    pub fn warning(text: impl Into<String>) -> Self {
        Self { text: text.into(), severity: Some(4), ..Self::default() }
    }

    /// A refusal.
    #[must_use]
    pub fn error(text: impl Into<String>) -> Self {
        Self { text: text.into(), severity: Some(3), ..Self::default() }
    }

    /// Disconnect.
    #[must_use]
    pub fn close() -> Self {
        Self { close: true, ..Self::default() }
    }

    /// Answers at `until`, or before that with what `condition` finds.
    #[must_use]
    pub fn wait(until: Instant, condition: Option<Condition>) -> Self {
        Self { waiting: Some(Waiting { until, condition, as_json: false }), ..Self::default() }
    }

    /// The text as `set severity-output` wants it.
    #[must_use]
    pub fn rendered(self, output: SeverityOutput) -> String {
        if self.as_json && self.severity != Some(3) {
            return super::json::of(&self.text);
        }
        match (self.severity, output) {
            (None, _) | (_, SeverityOutput::None) => self.text,
            (Some(n), SeverityOutput::Number) => format!("[{n}]: {}", self.text),
            (Some(n), SeverityOutput::Name) => format!("[{}]: {}", SEVERITIES[usize::from(n & 7)], self.text),
        }
    }
}

/// `set severity-output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SeverityOutput {
    /// Messages have nothing in front.
    #[default]
    None,
    /// `[3]: `.
    Number,
    /// `[err]: `.
    Name,
}
