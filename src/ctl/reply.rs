//! What a command answers.

use std::fmt;
use std::time::{Duration, Instant};

use super::Control;
use crate::sys::clock;

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
    /// What follows the text, a piece at a time.
    pub rest: Option<Rest>,
}

/// The further pieces of a long answer; `None`: that was all. The next one is made once those before were taken.
pub struct Rest(Box<dyn FnMut() -> Option<String> + Send + Sync>);

impl Rest {
    pub(super) fn next(&mut self) -> Option<String> {
        (self.0)()
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest").finish_non_exhaustive()
    }
}

/// What has come since the last look.
type News = Box<dyn FnMut() -> String + Send + Sync>;

/// Looks whether what is waited for has come; `None`: not yet.
type Condition = Box<dyn Fn(&Control) -> Option<Reply> + Send + Sync>;

/// An answer that comes later (`wait`).
pub struct Waiting {
    until: Instant,
    condition: Option<Condition>,
    /// Told as it comes, until the client says something.
    news: Option<News>,
    pub(super) as_json: bool,
}

/// How often a condition is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(20);

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Waiting {
    /// One that has ended.
    pub(super) fn over() -> Self {
        Self {
            until: clock::now(),
            condition: Some(Box::new(|_| Some(Reply::done()))),
            news: None,
            as_json: false,
        }
    }

    /// What is told meanwhile; `None`: this waits for an end, not for news.
    pub(super) fn news(&mut self) -> Option<String> {
        self.news.as_mut().map(|look| look())
    }

    /// The answer, or what still waits and when to look again.
    pub(super) fn look(self, control: &Control, now: Instant) -> Result<Reply, (Self, Instant)> {
        if let Some(mut reply) = self.condition.as_ref().and_then(|look| look(control)) {
            reply.as_json |= self.as_json;
            return Ok(reply);
        }
        if self.news.is_some() {
            return Err((self, now + LOOK_EVERY));
        }
        if now >= self.until {
            let waited_for_nothing = self.condition.is_none();
            return Ok(if waited_for_nothing {
                Reply::info("Done.\n")
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

    /// A listing that may be long: its beginning, and what gives the rest.
    #[must_use]
    pub fn pieces(
        beginning: impl Into<String>,
        rest: impl FnMut() -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self { text: beginning.into(), rest: Some(Rest(Box::new(rest))), ..Self::default() }
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
        Self { waiting: Some(Waiting { until, condition, news: None, as_json: false }), ..Self::default() }
    }

    /// Goes on telling what comes.
    #[must_use]
    pub fn follow(news: impl FnMut() -> String + Send + Sync + 'static) -> Self {
        let waiting =
            Waiting { until: clock::now(), condition: None, news: Some(Box::new(news)), as_json: false };
        Self { waiting: Some(waiting), ..Self::default() }
    }

    /// The text as `set severity-output` wants it.
    #[must_use]
    pub fn rendered(self, output: SeverityOutput) -> String {
        if self.as_json && self.severity != Some(3) {
            return super::json::of(&self.text);
        }
        let Some(severity) = self.severity else { return self.text };
        // Messages end their line, whether or not who wrote them did.
        let text = self.text.trim_end_matches('\n');
        match output {
            SeverityOutput::None => format!("{text}\n"),
            SeverityOutput::Number => format!("[{severity}]: {text}\n"),
            SeverityOutput::Name => format!("[{}]: {text}\n", SEVERITIES[usize::from(severity & 7)]),
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
