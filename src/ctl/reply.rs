//! What a command answers.

/// An answer. The session adds the empty line that ends it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Text, with its own newlines.
    pub text: String,
    /// Severity as syslog numbers it, of messages; listings have none.
    pub severity: Option<u8>,
    /// Close the connection afterwards.
    pub close: bool,
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
        Self { text: text.into(), severity: Some(6), close: false }
    }

    /// Something to warn about.
    #[must_use]
    pub fn warning(text: impl Into<String>) -> Self {
        Self { text: text.into(), severity: Some(4), close: false }
    }

    /// A refusal.
    #[must_use]
    pub fn error(text: impl Into<String>) -> Self {
        Self { text: text.into(), severity: Some(3), close: false }
    }

    /// Disconnect.
    #[must_use]
    pub fn close() -> Self {
        Self { close: true, ..Self::default() }
    }

    /// The text as `set severity-output` wants it.
    #[must_use]
    pub fn rendered(self, output: SeverityOutput) -> String {
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
