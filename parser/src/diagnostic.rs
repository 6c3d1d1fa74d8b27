//! What is said about a configuration: severity, a typed reason, a place, a cause and a fix.

use crate::span::Span;

/// How bad it is. An alert keeps the configuration from loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// `[ALERT]`
    Alert,
    /// `[WARNING]`
    Warning,
    /// `[NOTICE]`
    Notice,
}

/// Why something was said. Tests and tools match on this, never on the wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A word outside every section.
    OutOfSection,
    /// A keyword or option that does not exist.
    UnknownKeyword,
    /// A keyword that exists, in a section or mode where it may not stand.
    NotAllowedHere,
    /// Fewer arguments than needed.
    MissingArgument,
    /// More arguments than understood.
    TooManyArguments,
    /// An argument of the wrong form.
    InvalidValue,
    /// An argument outside its range.
    OutOfRange,
    /// A second definition of a name.
    Duplicate,
    /// A reference to something that is not defined.
    UnknownReference,
    /// Two settings that exclude each other, or a setting that another makes useless.
    Conflict,
    /// Something is missing that a working configuration needs.
    Incomplete,
    /// An older spelling whose meaning is kept.
    Retired,
    /// Known, accepted, without effect.
    NoEffect,
    /// Known, but ignoring it would be unsafe, so it is refused.
    Refused,
    /// Quotes, escapes, braces, or too many words.
    Syntax,
    /// The file does not end in a newline.
    MissingFinalNewline,
    /// `.if` and its relatives.
    Conditional,
    /// The configuration's own `.alert`, `.warning`, `.notice`.
    UserMessage,
    /// A file that cannot be read.
    Io,
    /// Something that depends on this machine: users, interfaces, certificates, names.
    Environment,
    /// Files that belong together contradict each other.
    Disagreement,
}

/// How the first line names the place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Head {
    /// `config : parsing [FILE:LINE] : MESSAGE`
    #[default]
    Parsing,
    /// `config : parsing [FILE:LINE]: MESSAGE`
    Close,
    /// `config : [FILE:LINE] : MESSAGE`
    At,
    /// `config : Parsing [FILE:LINE]: MESSAGE`
    Format,
    /// `config : MESSAGE`
    Plain,
}

/// A replacement that would fix it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What to replace.
    pub span: Span,
    /// By what.
    pub text: String,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// Why.
    pub reason: Reason,
    /// Form of the first line.
    pub head: Head,
    /// Where; `None`: about the whole configuration.
    pub span: Option<Span>,
    /// First line after the place. Further lines are printed as they are.
    pub message: String,
    /// A few words under the caret: the cause seen at that spot.
    pub label: Option<String>,
    /// What to do about it.
    pub help: Vec<String>,
    /// The same as text to put in place.
    pub edit: Option<Edit>,
}

/// Bytes of a message: a word of megabytes is not repeated.
const LONGEST: usize = 4096;

fn cut(mut message: String) -> String {
    if message.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
        message.push_str("...");
    }
    message
}

impl Diagnostic {
    /// A message at a place.
    #[must_use]
    pub fn new(severity: Severity, reason: Reason, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity,
            reason,
            head: Head::Parsing,
            span: Some(span),
            message: cut(message.into()),
            label: None,
            help: Vec::new(),
            edit: None,
        }
    }

    /// An alert at a place.
    #[must_use]
    pub fn alert(reason: Reason, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Alert, reason, span, message)
    }

    /// A warning at a place.
    #[must_use]
    pub fn warning(reason: Reason, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, reason, span, message)
    }

    /// A notice at a place.
    #[must_use]
    pub fn notice(reason: Reason, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Notice, reason, span, message)
    }

    /// The first line in another form.
    #[must_use]
    pub fn head(mut self, head: Head) -> Self {
        self.head = head;
        self
    }

    /// A few words under the caret.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = Some(text.into());
        self
    }

    /// A line of advice.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// A replacement.
    #[must_use]
    pub fn edit(mut self, span: Span, text: impl Into<String>) -> Self {
        self.edit = Some(Edit { span, text: text.into() });
        self
    }
}

/// Sorts by place, keeping the order of what was said at the same place; placeless messages come last.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by_key(|d| d.span.map_or((1, u32::MAX, u32::MAX), |s| (0, s.file.0, s.start)));
}

/// How many of each severity: alerts, warnings, notices.
#[must_use]
pub fn counts(diagnostics: &[Diagnostic]) -> (usize, usize, usize) {
    let of = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    (of(Severity::Alert), of(Severity::Warning), of(Severity::Notice))
}
