//! The shapes of HAProxy's expression language: sample expressions, ACLs, conditions, log-format strings.
//!
//! Only how they are written. Which fetches exist, what their arguments mean and where they may stand is
//! decided by whoever reads the shape. Positions are byte ranges of the text that was given, so that the
//! caller can map them to the source (`Word::part`).

mod acl;
mod logformat;
mod sample;

use std::fmt;
use std::ops::Range;

pub use acl::{AclFlags, AclShape, Condition, Criterion, Term, acl, condition};
pub use logformat::{Item, LogFormat, Modifier, log_format};
pub use sample::{Arg, Call, Sample, is_id_char, sample, sample_prefix};

/// What is wrong with a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An expression without a name at its start.
    MissingFetch,
    /// A parenthesis that is not closed.
    UnclosedParenthesis,
    /// A quote inside an argument that is not closed.
    UnclosedQuote,
    /// A backslash at the very end of an argument.
    DanglingEscape,
    /// Something other than a comma after the fetch or converter of this name.
    MissingComma(String),
    /// `{` without `}`.
    UnclosedBrace,
    /// `{ }`.
    EmptyBraces,
    /// An ACL without a criterion.
    MissingCriterion,
    /// A flag that needs an argument and has none.
    MissingFlagArgument(&'static str),
    /// A flag that does not exist.
    UnknownFlag(String),
    /// `%` followed by something that starts no item.
    StrayPercent(char),
    /// `%{...}` that is followed by no item.
    ModifierWithoutItem(String),
    /// An item that is cut off by the end of the text.
    Truncated(String),
    /// A `%[` with this expression, which is followed by that instead of `]`.
    UnclosedExpression(String, Option<char>),
    /// A character that may not stand in the name of `%(name)`.
    BadItemName(char),
    /// More pieces than a line can need.
    TooManyItems(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingFetch => f.write_str("missing fetch method"),
            Self::UnclosedParenthesis => f.write_str("expected ')'"),
            Self::UnclosedQuote => f.write_str("a quote inside the argument is not closed"),
            Self::DanglingEscape => f.write_str("a backslash ends the argument"),
            Self::MissingComma(name) => write!(f, "missing comma after '{name}'"),
            Self::UnclosedBrace => f.write_str("missing closing '}' in condition"),
            Self::EmptyBraces => f.write_str("nothing between the braces of the condition"),
            Self::MissingCriterion => f.write_str("missing fetch method in ACL expression"),
            Self::MissingFlagArgument("-f") => f.write_str("failed to open pattern file <>"),
            Self::MissingFlagArgument("-m") => {
                f.write_str("unknown matching method '' when parsing ACL expression")
            }
            Self::MissingFlagArgument(flag) => write!(f, "'{flag}' needs an argument"),
            Self::UnknownFlag(flag) => write!(
                f,
                "'{flag}' is not a valid ACL option. Please use '--' before any pattern beginning with a '-'"
            ),
            Self::StrayPercent(c) => write!(
                f,
                "unexpected alias name near '{c}'. Maybe you want to write a single '%', use the syntax '%%'"
            ),
            Self::ModifierWithoutItem(text) => {
                write!(f, "parse argument modifier without alias name near '%{{{text}}}'")
            }
            Self::Truncated(text) => write!(f, "truncated line after '{text}'"),
            Self::UnclosedExpression(text, Some(c)) => {
                write!(f, "expected ']' after '{text}', but found '{c}'")
            }
            Self::UnclosedExpression(text, None) => write!(f, "missing ']' after '{text}'"),
            Self::TooManyItems(most) => write!(f, "more than {most} items"),
            Self::BadItemName(c) => write!(f, "invalid character in custom name near '{c}'"),
        }
    }
}

/// A fault and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// What.
    pub fault: Fault,
    /// Which of the words, where the shape was made of words; else 0.
    pub word: usize,
    /// Bytes of that text.
    pub at: Range<usize>,
}

impl ShapeError {
    fn new(fault: Fault, at: Range<usize>) -> Self {
        Self { fault, word: 0, at }
    }

    fn in_word(fault: Fault, word: usize, len: usize) -> Self {
        Self { fault, word, at: 0..len }
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for ShapeError {}

#[cfg(test)]
mod tests;
