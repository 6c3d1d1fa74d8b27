//! What is said while a file is read, and how bad it is to keepalived.

use crate::diagnostic::{Diagnostic, Edit, Head, Reason, Severity};
use crate::span::{Sources, Span};

/// Weight of a message for the exit code of `--config-test`. The order is keepalived's: the heaviest message decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Only logged.
    #[default]
    Ok,
    /// A configuration file is missing.
    FileNotFound,
    /// An interface is missing.
    BadInterface,
    /// Cannot run.
    Fatal,
    /// Anything else that is wrong; keepalived runs nevertheless.
    General,
    /// Scripts run without `enable_script_security`.
    Security,
}

/// How the first line names the place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Voice {
    /// `(Line N)`, with the file name only if several files are read: what the parent process says.
    Parent,
    /// `(FILE: Line N)`: what the VRRP and checker processes say.
    #[default]
    Child,
    /// No place: said after the files were read.
    Plain,
}

/// When keepalived prints a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// While the files are read, at this line, if one file is all there is. (Its parent process reads first: what it says
    /// is about blocks that files begin with.)
    Line(u32),
    /// When they have been read.
    Behind,
    /// Never with `--config-test`: it is only logged, or Tandem's own.
    Own,
}

/// Collects messages. (keepalived's processes each read the files and repeat some of them; here each is said once.)
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order they were said.
    pub diagnostics: Vec<Diagnostic>,
    /// Of each of them; and how often it was said again at once, of a line that a sequence repeats.
    turns: Vec<(Turn, usize)>,
    /// The heaviest class so far.
    pub worst: Class,
    /// A parameter was missing: keepalived ends with exit code 2 at that line.
    pub missing_parameter: bool,
    /// More than one file is read.
    pub several_files: bool,
    /// An included file that had to exist could not be read: keepalived ends with exit code 6.
    pub file_error: bool,
}

/// Messages kept per load; a file that earns more has said enough.
const MOST: usize = 1_000;
/// Alerts kept beyond that.
const MORE_ALERTS: usize = 100;

impl Report {
    /// The first line of a message, with its place.
    #[must_use]
    pub fn first_line(&self, sources: &Sources, voice: Voice, span: Span, text: &str) -> String {
        let line = sources.line(span);
        match voice {
            Voice::Plain => text.to_owned(),
            Voice::Parent if !self.several_files => format!("(Line {line}) {text}"),
            Voice::Parent | Voice::Child => format!("({}: Line {line}) {text}", sources.name(span.file)),
        }
    }

    /// Adds a message; what is returned can be given help.
    pub fn say(
        &mut self,
        sources: &Sources,
        voice: Voice,
        class: Class,
        reason: Reason,
        span: Span,
        text: impl AsRef<str>,
    ) -> Said<'_> {
        self.worst = self.worst.max(class);
        let severity = match class {
            Class::Ok => Severity::Notice,
            Class::FileNotFound | Class::BadInterface | Class::Fatal => Severity::Alert,
            Class::General | Class::Security => Severity::Warning,
        };
        let message = self.first_line(sources, voice, span, text.as_ref());
        let mut diagnostic = Diagnostic::new(severity, reason, span, message).head(Head::Plain);
        if voice == Voice::Plain && span == Span::default() {
            diagnostic.span = None;
        }
        let turn = match (class, voice) {
            (Class::Ok, _) => Turn::Own,
            (_, Voice::Plain) => Turn::Behind,
            _ => Turn::Line(sources.line(span)),
        };
        self.keep(diagnostic, turn)
    }

    /// All messages, in the order in which keepalived prints them.
    #[must_use]
    pub fn in_order(self) -> Vec<Diagnostic> {
        let mut all: Vec<_> = self.turns.into_iter().zip(self.diagnostics).collect();
        all.sort_by_key(|((turn, _), _)| match turn {
            Turn::Line(_) if self.several_files => Turn::Line(0),
            turn => *turn,
        });
        let told = all.into_iter().map(|((_, again), diagnostic)| match again {
            0 => diagnostic,
            1 => diagnostic.help("the same once more when the line is repeated"),
            more => diagnostic.help(format!("the same {more} more times when the line is repeated")),
        });
        told.collect()
    }

    /// Further warnings would not be kept.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.diagnostics.len() >= MOST
    }

    /// Adds a message of Tandem's own.
    pub fn push(&mut self, diagnostic: Diagnostic) -> Said<'_> {
        self.keep(diagnostic, Turn::Own)
    }

    fn keep(&mut self, diagnostic: Diagnostic, turn: Turn) -> Said<'_> {
        if let (Some(last), Some((_, again))) = (self.diagnostics.last(), self.turns.last_mut())
            && (last.span, &last.message) == (diagnostic.span, &diagnostic.message)
        {
            *again += 1;
            return Said(None);
        }
        let room = if diagnostic.severity == Severity::Alert { MOST + MORE_ALERTS } else { MOST };
        if self.diagnostics.len() >= room {
            return Said(None);
        }
        self.diagnostics.push(diagnostic);
        self.turns.push((turn, 0));
        Said(self.diagnostics.last_mut())
    }
}

/// The message just said, unless it was the one before, or there were too many to keep.
pub struct Said<'a>(Option<&'a mut Diagnostic>);

impl Said<'_> {
    /// Whether advice would be kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// A line of advice.
    pub fn help(self, text: impl Into<String>) -> Self {
        self.with(|diagnostic| diagnostic.help.push(text.into()))
    }

    /// A few words under the caret.
    pub fn label(self, text: impl Into<String>) -> Self {
        self.with(|diagnostic| diagnostic.label = Some(text.into()))
    }

    /// A replacement that fixes it.
    pub fn edit(self, span: Span, text: impl Into<String>) -> Self {
        self.with(|diagnostic| diagnostic.edit = Some(Edit { span, text: text.into() }))
    }

    /// Nothing more to add.
    pub fn done(self) {}

    /// Makes it keep the configuration from loading.
    pub fn alert(self) -> Self {
        self.with(|diagnostic| diagnostic.severity = Severity::Alert)
    }

    fn with(mut self, change: impl FnOnce(&mut Diagnostic)) -> Self {
        if let Some(diagnostic) = self.0.as_deref_mut() {
            change(diagnostic);
        }
        self
    }
}
