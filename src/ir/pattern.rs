//! Compiled ACL patterns: what a sample is held against, in the index that answers fastest.
//!
//! Data only. `lower` parses the spelling, [`crate::expr::pattern`] builds and searches.

use std::collections::HashSet;
use std::sync::Arc;

use super::reference::Newer;
use super::regex::Regex;
use super::table::OrderedTable;
use aho_corasick::AhoCorasick;
use regex::bytes::RegexSet;

/// `-m`, or the method that the criterion's name or type implies (manual, 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchMethod {
    /// `found`: the sample exists.
    Found,
    /// `bool`: the sample, as an integer, is not zero.
    Bool,
    /// `int`: within one of the ranges.
    Int,
    /// `ip`: within one of the networks.
    Ip,
    /// `bin`: equal bytes, written in hexadecimal.
    Bin,
    /// `len`: the length is within one of the ranges.
    Len,
    /// `str`: equal.
    Str,
    /// `sub`: contains.
    Sub,
    /// `reg`: a regular expression matches.
    Reg,
    /// `beg`: prefix.
    Beg,
    /// `end`: suffix.
    End,
    /// `dir`: equals a run of path components.
    Dir,
    /// `dom`: equals a run of domain labels.
    Dom,
}

/// Inclusive integer ranges, sorted and merged.
pub type IntRanges = Vec<(i64, i64)>;

/// Networks as inclusive ranges, sorted and merged, so that a lookup is one binary search per family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpRanges {
    /// IPv4, host byte order.
    pub v4: Vec<(u32, u32)>,
    /// IPv6.
    pub v6: Vec<(u128, u128)>,
    /// IPv4 (address, mask) whose mask has holes.
    pub v4_holes: Vec<(u32, u32)>,
}

/// How the patterns are searched. Byte strings of a case-insensitive set are kept in lower case.
#[derive(Clone, Debug)]
pub enum PatternIndex {
    /// The existence of the sample is enough.
    Found,
    /// `bool`.
    Bool,
    /// `int` and `len`.
    Int(IntRanges),
    /// `ip`.
    Ip(IpRanges),
    /// `str`, `bin`: few entries, compared in turn.
    ExactFew(Vec<Box<[u8]>>),
    /// `str`, `bin`: many entries.
    ExactMany(HashSet<Box<[u8]>>),
    /// `beg`: sorted, and no entry is a prefix of another, so only the predecessor of the sample can match.
    Prefix(Vec<Box<[u8]>>),
    /// `end`: the same over reversed bytes.
    Suffix(Vec<Box<[u8]>>),
    /// `sub`: several, or one whose letters may be of either case.
    Substring(AhoCorasick),
    /// `sub`: one.
    Contains(Box<[u8]>),
    /// `reg`: one.
    Regex(Regex),
    /// `reg`: some, matched in one pass, and after them those that backtrack, one by one: with their numbers, in order.
    Regexes(RegexSet, Box<[(u32, Regex)]>),
    /// `dir`: few patterns, without outer delimiters.
    Dir(Vec<Box<[u8]>>),
    /// `dom`: few patterns, without outer delimiters.
    Dom(Vec<Box<[u8]>>),
    /// `reg`, `dir`, `dom`: many.
    Ordered(Box<OrderedTable>),
    /// No pattern was given: nothing matches.
    Never,
}

/// Patterns of one ACL line.
#[derive(Clone, Debug)]
pub struct PatternSet {
    /// Method.
    pub method: MatchMethod,
    /// `-i`.
    pub ignore_case: bool,
    /// The index. Shared, because several conditions may hold the same large file.
    pub index: Arc<PatternIndex>,
    /// Patterns as written, in order (files included), for `show acl` and messages.
    pub written: Arc<[Box<str>]>,
    /// What took its place while running; `None`: nothing can.
    pub newer: Option<Arc<Newer<PatternSet>>>,
    /// The few patterns that were removed while running, since the index was made: what they match, it does not.
    pub gone: Option<Arc<PatternSet>>,
    /// `sub`, `reg`, `dir`, `dom`: the numbers of those that were; each matches by itself.
    pub dropped: Option<Arc<HashSet<u32>>>,
    /// The few patterns that were added since, and those that match some of what removed ones do.
    pub added: Option<Arc<PatternSet>>,
}
