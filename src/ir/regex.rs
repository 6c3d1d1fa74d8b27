//! Regular expressions over bytes, each on the engine that can run it.
//!
//! Most run in time linear in the input. Those that look around or refer back, which PCRE has and configurations use,
//! run by backtracking up to a limit; beyond it nothing matches, as with PCRE's own limit.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use regex::bytes;
use regex_automata::Input;
use regex_automata::nfa::thompson::NFA;
use regex_automata::nfa::thompson::backtrack::{BoundedBacktracker, Cache};
use regex_automata::util::primitives::NonMaxUsize;

/// A compiled regular expression.
#[derive(Clone)]
pub enum Regex {
    /// Linear in the input, whatever that is.
    Linear(bytes::Regex),
    /// Linear as well: one of thousands of a list.
    Compact(Arc<Compact>),
    /// Look-around, backreferences, atomic groups.
    Backtracking(Arc<fancy_regex::Regex>),
}

/// What the groups of an expression matched.
#[derive(Debug)]
pub enum Captures<'t> {
    /// Of [`Regex::Linear`].
    Linear(bytes::Captures<'t>),
    /// Of [`Regex::Compact`].
    Compact(Box<[Option<NonMaxUsize>]>, &'t [u8]),
    /// Of [`Regex::Backtracking`].
    Backtracking(fancy_regex::Captures<'t, [u8]>),
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear(regex) => regex.fmt(f),
            Self::Compact(regex) => regex.fmt(f),
            Self::Backtracking(regex) => regex.fmt(f),
        }
    }
}

/// An expression in a tenth of the memory of a [`bytes::Regex`], which keeps automata and caches of its own for the sake
/// of long texts: the states alone, and what a text must hold to match. What a search needs belongs to the thread.
#[derive(Debug)]
pub struct Compact {
    engine: BoundedBacktracker,
    /// Parts that every text that matches has, in lower case, whatever their case in the text.
    pub required: Box<[Box<[u8]>]>,
    text: Box<str>,
    ignore_case: bool,
    long: OnceLock<Option<Box<bytes::Regex>>>,
}

/// Longer texts are searched by a [`bytes::Regex`], which goes through them in one pass.
const LONG: usize = 512;

thread_local! {
    /// What searches of one thread work with, one after the other.
    static WORK: RefCell<Option<Cache>> = const { RefCell::new(None) };
}

impl Compact {
    /// The expression of this text, whose automaton this is; if there can be one.
    #[must_use]
    pub fn new(nfa: NFA, required: Box<[Box<[u8]>]>, text: &str, ignore_case: bool) -> Option<Self> {
        let engine = BoundedBacktracker::new_from_nfa(nfa).ok()?;
        // Of more states it would give up on shorter texts.
        let is_small = engine.max_haystack_len() >= LONG;
        is_small.then(|| Self { engine, required, text: text.into(), ignore_case, long: OnceLock::new() })
    }

    fn for_long(&self) -> Option<&bytes::Regex> {
        self.long.get_or_init(|| linear(&self.text, self.ignore_case).ok().map(Box::new)).as_deref()
    }

    fn is_match(&self, text: &[u8]) -> bool {
        if text.len() > LONG {
            return self.for_long().is_some_and(|regex| regex.is_match(text));
        }
        self.search(&Input::new(text).earliest(true), &mut [])
    }

    fn captures_at<'t>(&self, text: &'t [u8], start: usize) -> Option<Captures<'t>> {
        if text.len() > LONG {
            return self.for_long()?.captures_at(text, start).map(Captures::Linear);
        }
        let mut groups = vec![None; self.engine.get_nfa().group_info().slot_len()];
        let found = self.search(&Input::new(text).range(start..), &mut groups);
        found.then(|| Captures::Compact(groups.into(), text))
    }

    fn search(&self, input: &Input<'_>, slots: &mut [Option<NonMaxUsize>]) -> bool {
        WORK.with_borrow_mut(|work| {
            let work = work.get_or_insert_with(|| self.engine.create_cache());
            work.reset(&self.engine);
            self.engine.try_search_slots(work, input, slots).is_ok_and(|found| found.is_some())
        })
    }
}

/// An expression in the spelling of the `regex` crate.
///
/// # Errors
/// What the crate says.
pub fn linear(text: &str, ignore_case: bool) -> Result<bytes::Regex, regex::Error> {
    bytes::RegexBuilder::new(text).case_insensitive(ignore_case).unicode(false).build()
}

impl Regex {
    /// Does it match anywhere?
    #[must_use]
    pub fn is_match(&self, text: &[u8]) -> bool {
        match self {
            Self::Linear(regex) => regex.is_match(text),
            Self::Compact(regex) => regex.is_match(text),
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
            Self::Compact(regex) => regex.captures_at(text, start),
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
            Self::Compact(places, _) => range(places, 0),
            Self::Backtracking(groups) => groups.get(0).map(|group| group.range()),
        }
    }

    /// What group `nth` matched, if it did.
    #[must_use]
    pub fn get(&self, nth: usize) -> Option<&'t [u8]> {
        match self {
            Self::Linear(groups) => groups.get(nth).map(|group| group.as_bytes()),
            Self::Compact(places, text) => text.get(range(places, nth)?),
            Self::Backtracking(groups) => groups.get(nth).map(|group| group.as_bytes()),
        }
    }
}

/// Where a group matched, by the places where each begins and ends.
fn range(places: &[Option<NonMaxUsize>], nth: usize) -> Option<Range<usize>> {
    let place = |at: usize| places.get(at).copied().flatten().map(NonMaxUsize::get);
    Some(place(nth * 2)?..place(nth * 2 + 1)?)
}
