//! Regular expressions over bytes, each on the engine that can run it.
//!
//! Most run in time linear in the input. Those that look around or refer back, which PCRE has and configurations use,
//! run by backtracking up to a limit; beyond it nothing matches, as with PCRE's own limit.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use regex::bytes;

/// A compiled regular expression.
#[derive(Clone)]
pub enum Regex {
    /// Linear in the input, whatever that is.
    Linear(bytes::Regex),
    /// Look-around, backreferences, atomic groups.
    Backtracking(Arc<fancy_regex::Regex>),
}

/// What the groups of an expression matched.
#[derive(Debug)]
pub enum Captures<'t> {
    /// Of [`Regex::Linear`].
    Linear(bytes::Captures<'t>),
    /// Of [`Regex::Backtracking`].
    Backtracking(fancy_regex::Captures<'t, [u8]>),
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear(regex) => regex.fmt(f),
            Self::Backtracking(regex) => regex.fmt(f),
        }
    }
}

impl Regex {
    /// Does it match anywhere?
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        match self {
            Self::Linear(regex) => regex.is_match(text),
            Self::Backtracking(regex) => regex.is_match(text).unwrap_or(false),
        }
    }

    /// The groups of the first match.
    #[must_use]
    pub fn captures<'t>(&self, text: &'t [u8]) -> Option<Captures<'t>> {
        self.captures_at(text, 0)
    }

    /// The groups of the first match that begins at `start` or later.
    #[must_use]
    pub fn captures_at<'t>(&self, text: &'t [u8], start: usize) -> Option<Captures<'t>> {
        match self {
            Self::Linear(regex) => regex.captures_at(text, start).map(Captures::Linear),
            Self::Backtracking(regex) => {
                regex.captures_from_pos(text, start).ok().flatten().map(Captures::Backtracking)
            }
        }
    }
}

impl<'t> Captures<'t> {
    /// Where the whole match lies.
    #[must_use]
    pub fn whole(&self) -> Option<Range<usize>> {
        match self {
            Self::Linear(groups) => groups.get(0).map(|group| group.range()),
            Self::Backtracking(groups) => groups.get(0).map(|group| group.range()),
        }
    }

    /// What group `nth` matched, if it did.
    #[must_use]
    pub fn get(&self, nth: usize) -> Option<&'t [u8]> {
        match self {
            Self::Linear(groups) => groups.get(nth).map(|group| group.as_bytes()),
            Self::Backtracking(groups) => groups.get(nth).map(|group| group.as_bytes()),
        }
    }
}
