//! The syntax tree: what was written, typed, with places.

use std::time::Duration;

use super::environment::Changed;
use super::grammar::Keyword;
use super::section::SectionKind;
use crate::lex::Word;
use crate::span::Span;
use crate::value::Address;

/// All sections of all files, in order.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Sections.
    pub sections: Vec<Section>,
    /// What became of the environment in the end.
    pub environment: Changed,
}

/// One section.
#[derive(Clone, Debug)]
pub struct Section {
    /// Which kind.
    pub kind: &'static SectionKind,
    /// Its name.
    pub name: Option<Word>,
    /// `from NAME`: the `defaults` section it starts from.
    pub from: Option<Box<Word>>,
    /// Addresses on the section's own line, an old dialect's `bind`.
    pub addresses: Option<Box<Value>>,
    /// The section's first line.
    pub span: Span,
    /// Lines.
    pub statements: Vec<Statement>,
}

/// `no` or `default` before a keyword.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Modifier {
    /// Neither.
    #[default]
    None,
    /// `no`
    No,
    /// `default`
    Default,
}

/// One line, or one setting of a line.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The keyword; its modern name where an old one was written.
    pub keyword: &'static Keyword,
    /// `no` or `default`.
    pub modifier: Modifier,
    /// One value per argument of the grammar.
    pub args: Box<[Value]>,
    /// The retired name that was written instead, if one was.
    pub old: Option<&'static str>,
    /// From the first to the last word.
    pub span: Span,
}

/// An argument.
#[derive(Clone, Debug)]
pub enum Value {
    /// An optional argument that is not there.
    Absent,
    /// A word.
    Word(Word),
    /// An integer.
    Int(i64, Span),
    /// A time.
    Time(Duration, Span),
    /// A size in bytes.
    Size(u64, Span),
    /// Addresses; the word as it was written.
    Addrs(Box<(Box<[Address]>, Word)>),
    /// One of the words that the grammar offers.
    Choice(&'static str, Span),
    /// Words to the end of the line.
    Words(Vec<Word>),
    /// A condition.
    Cond(Box<Condition>),
    /// Settings in the order written.
    Settings(Vec<Statement>),
}

impl Value {
    /// As settings.
    #[must_use]
    pub fn settings(&self) -> &[Statement] {
        match self {
            Self::Settings(settings) => settings,
            _ => &[],
        }
    }
}

/// `if` or `unless` and the words after it.
#[derive(Clone, Debug)]
pub struct Condition {
    /// `unless`.
    pub unless: bool,
    /// Span of `if` or `unless`.
    pub span: Span,
    /// The terms.
    pub words: Vec<Word>,
}

impl Statement {
    /// Name of the keyword.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.keyword.name
    }

    /// Argument `nth` as a word.
    #[must_use]
    pub fn word(&self, nth: usize) -> Option<&Word> {
        match self.args.get(nth)? {
            Value::Word(word) => Some(word),
            Value::Addrs(read) => Some(&read.1),
            _ => None,
        }
    }

    /// Argument `nth` as text.
    #[must_use]
    pub fn text(&self, nth: usize) -> Option<&str> {
        match self.args.get(nth)? {
            Value::Word(word) => Some(word.text()),
            Value::Addrs(read) => Some(read.1.text()),
            Value::Choice(text, _) => Some(text),
            _ => None,
        }
    }

    /// Argument `nth` as an integer.
    #[must_use]
    pub fn int(&self, nth: usize) -> Option<i64> {
        match self.args.get(nth)? {
            Value::Int(number, _) => Some(*number),
            _ => None,
        }
    }

    /// Argument `nth` as an integer of a smaller type; the grammar's limits make it fit.
    #[must_use]
    pub fn number<T: TryFrom<i64>>(&self, nth: usize) -> Option<T> {
        T::try_from(self.int(nth)?).ok()
    }

    /// Argument `nth` as a time.
    #[must_use]
    pub fn time(&self, nth: usize) -> Option<Duration> {
        match self.args.get(nth)? {
            Value::Time(time, _) => Some(*time),
            _ => None,
        }
    }

    /// Argument `nth` as a size.
    #[must_use]
    pub fn size(&self, nth: usize) -> Option<u64> {
        match self.args.get(nth)? {
            Value::Size(size, _) => Some(*size),
            _ => None,
        }
    }

    /// Argument `nth` as addresses.
    #[must_use]
    pub fn addresses(&self, nth: usize) -> &[Address] {
        match self.args.get(nth) {
            Some(Value::Addrs(read)) => &read.0,
            _ => &[],
        }
    }

    /// Argument `nth` as the words that follow.
    #[must_use]
    pub fn words(&self, nth: usize) -> &[Word] {
        match self.args.get(nth) {
            Some(Value::Words(words)) => words,
            _ => &[],
        }
    }

    /// Argument `nth` as settings.
    #[must_use]
    pub fn settings(&self, nth: usize) -> &[Statement] {
        self.args.get(nth).map_or(&[], Value::settings)
    }

    /// The condition, wherever it stands.
    #[must_use]
    pub fn condition(&self) -> Option<&Condition> {
        self.args.iter().find_map(|arg| match arg {
            Value::Cond(condition) => Some(&**condition),
            _ => None,
        })
    }
}
