//! Building pattern sets and matching samples against them (manual, 7.1).

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use fancy_regex::{BytesMode, CompileError};
use memchr::{memchr2, memmem};
use regex::bytes::RegexSetBuilder;

use crate::ir::pattern::{IntRanges, IpRanges, MatchMethod, PatternIndex, PatternSet};
use crate::ir::regex::{Regex, linear};
use crate::ir::table::{OrderedTable, Search};
use crate::ir::text::text_of;

use super::sample::{Bytes, Sample};

mod grams;
pub mod numbers;
pub mod ordered;
mod pcre;
pub mod regexes;
pub mod single;
pub mod table;

use pcre::Translated;

/// Sets of up to this many strings are compared one by one; that beats hashing the sample.
const FEW: usize = 4;

/// A pattern after its spelling was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// `int`, `len`: an inclusive range.
    Range(i64, i64),
    /// `ip`: address and mask.
    Net4(u32, u32),
    /// `ip`: address and prefix length.
    Net6(u128, u8),
    /// Every kind of string, and regular expressions.
    Text(Box<[u8]>),
}

/// Puts patterns into the index that suits them.
///
/// # Errors
/// A regular expression that does not compile, or one that is too large.
pub fn build(
    method: MatchMethod,
    ignore_case: bool,
    patterns: &[Pattern],
    written: Arc<[Box<str>]>,
) -> Result<PatternSet, String> {
    let index = match method {
        MatchMethod::Found => PatternIndex::Found,
        MatchMethod::Bool => PatternIndex::Bool,
        _ if patterns.is_empty() => PatternIndex::Never,
        MatchMethod::Int | MatchMethod::Len => PatternIndex::Int(int_ranges(patterns)),
        MatchMethod::Ip => PatternIndex::Ip(ip_ranges(patterns)),
        MatchMethod::Str => exact(texts(patterns, ignore_case)),
        MatchMethod::Bin => exact(texts(patterns, false)),
        MatchMethod::Beg => PatternIndex::Prefix(prefix_free(texts(patterns, ignore_case))),
        MatchMethod::End => PatternIndex::Suffix(prefix_free(
            texts(patterns, ignore_case).into_iter().map(|t| t.iter().rev().copied().collect()).collect(),
        )),
        MatchMethod::Sub if patterns.len() == 1 && !ignore_case => {
            PatternIndex::Contains(texts(patterns, false).into_iter().collect::<Vec<_>>().concat().into())
        }
        MatchMethod::Sub => PatternIndex::Substring(
            AhoCorasick::builder()
                .ascii_case_insensitive(ignore_case)
                .build(texts(patterns, false))
                .map_err(|e| e.to_string())?,
        ),
        MatchMethod::Reg => regexes(&texts(patterns, false), ignore_case)?,
        MatchMethod::Dir if patterns.len() <= FEW => {
            PatternIndex::Dir(trimmed(texts(patterns, ignore_case), is_dir_delimiter))
        }
        MatchMethod::Dom if patterns.len() <= FEW => {
            PatternIndex::Dom(trimmed(texts(patterns, ignore_case), is_dom_delimiter))
        }
        MatchMethod::Dir | MatchMethod::Dom => {
            PatternIndex::Ordered(Box::new(numbers::tried(method, false, &texts(patterns, ignore_case))?))
        }
    };
    Ok(PatternSet {
        method,
        ignore_case,
        index: Arc::new(index),
        written,
        newer: None,
        gone: None,
        dropped: None,
        added: None,
    })
}

/// A regular expression over bytes, as `replace-*` rules and converters use it: PCRE's spelling, parentheses capture.
///
/// # Errors
/// What is wrong with it, in HAProxy's words; or what only PCRE can do, see [`is_missing`].
pub fn regex(text: &str, ignore_case: bool) -> Result<Regex, String> {
    compiled(text, &translated(text, true)?, ignore_case)
}

/// Steps back that a search may take; beyond them nothing matches. A few milliseconds.
const MOST_BACKTRACKED: usize = 200_000;

fn compiled(text: &str, translated: &Translated, ignore_case: bool) -> Result<Regex, String> {
    if !translated.backtracks {
        let built = linear(&translated.text, ignore_case);
        return built.map(Regex::Linear).map_err(|error| regex_error(text, &error.to_string()));
    }
    let mut builder = fancy_regex::RegexBuilder::new(&translated.text);
    builder.case_insensitive(ignore_case).bytes_mode(BytesMode::Ascii).backtrack_limit(MOST_BACKTRACKED);
    match builder.build() {
        Ok(regex) => Ok(Regex::Backtracking(Arc::new(regex))),
        Err(fancy_regex::Error::CompileError(error))
            if matches!(
                *error,
                CompileError::LookBehindNotConst | CompileError::VariableLookBehindRequiresFeature
            ) =>
        {
            let at = text.find("(?<=").into_iter().chain(text.find("(?<!")).min();
            Err(invalid(text, "lookbehind assertion is not fixed length", at.unwrap_or(0)))
        }
        Err(error) => Err(regex_error(text, &error.to_string())),
    }
}

fn invalid(text: &str, what: &str, at: usize) -> String {
    format!("regex '{text}' is invalid (error={what}, erroffset={at})")
}

const MISSING: &str = "(HAProxy's PCRE has it)";

/// Whether an error about a regular expression tells of something that HAProxy's PCRE can do.
#[must_use]
pub fn is_missing(error: &str) -> bool {
    error.contains(MISSING)
}

fn translated(text: &str, captures: bool) -> Result<Translated, String> {
    pcre::translate(text, captures).map_err(|fault| match fault {
        pcre::Fault::Wrong(what, at) => invalid(text, what, at),
        pcre::Fault::Missing(what) => format!("regex '{text}' needs {what} {MISSING}"),
    })
}

/// What the library finds although PCRE would not.
fn regex_error(text: &str, said: &str) -> String {
    let reason = said.rsplit_once("error: ").map_or(said, |(_, reason)| reason.trim());
    format!("regex '{text}' cannot be used : {} {MISSING}", reason.trim_end_matches('.'))
}

fn regexes(patterns: &[Box<[u8]>], ignore_case: bool) -> Result<PatternIndex, String> {
    let texts: Vec<String> = patterns.iter().map(|text| text_of(text)).collect();
    if let [text] = &texts[..] {
        return compiled(text, &translated(text, false)?, ignore_case).map(PatternIndex::Regex);
    }
    if texts.len() < ordered::MANY {
        return in_one_pass(&texts, ignore_case);
    }
    let table = numbers::tried(MatchMethod::Reg, ignore_case, patterns)?;
    match &table.search {
        // Of most of them nothing can be told before they are tried.
        Search::Regexes(all) if all.in_turn.len() >= ordered::MANY => {
            in_one_pass(&texts, ignore_case).or_else(|_| Ok(PatternIndex::Ordered(Box::new(table))))
        }
        _ => Ok(PatternIndex::Ordered(Box::new(table))),
    }
}

fn in_one_pass(texts: &[String], ignore_case: bool) -> Result<PatternIndex, String> {
    // One by one first: the set's message would not say which.
    let (mut linear, mut rest) = (Vec::with_capacity(texts.len()), Vec::new());
    for (number, text) in (0..).zip(texts) {
        let translated = translated(text, false)?;
        match compiled(text, &translated, ignore_case)? {
            Regex::Backtracking(regex) => rest.push((number, Regex::Backtracking(regex))),
            Regex::Linear(_) | Regex::Compact(_) => linear.push(translated.text),
        }
    }
    RegexSetBuilder::new(linear)
        .case_insensitive(ignore_case)
        .unicode(false)
        .build()
        .map(|set| PatternIndex::Regexes(set, rest.into()))
        .map_err(|error| regex_error(&texts.join("', '"), &error.to_string()))
}

fn texts(patterns: &[Pattern], lower: bool) -> Vec<Box<[u8]>> {
    patterns
        .iter()
        .filter_map(|p| match p {
            Pattern::Text(text) if lower => Some(text.to_ascii_lowercase().into()),
            Pattern::Text(text) => Some(text.clone()),
            _ => None,
        })
        .collect()
}

fn exact(texts: Vec<Box<[u8]>>) -> PatternIndex {
    if texts.len() <= FEW {
        return PatternIndex::ExactFew(texts);
    }
    PatternIndex::ExactMany(texts.into_iter().collect::<HashSet<_>>())
}

fn prefix_free(mut texts: Vec<Box<[u8]>>) -> Vec<Box<[u8]>> {
    texts.sort();
    // After sorting, what extends an entry follows it.
    texts.dedup_by(|next, kept| next.starts_with(kept));
    texts
}

fn trimmed(texts: Vec<Box<[u8]>>, delimiter: fn(u8) -> bool) -> Vec<Box<[u8]>> {
    texts.into_iter().map(|text| trimmed_one(&text, delimiter).into()).collect()
}

fn trimmed_one(text: &[u8], delimiter: fn(u8) -> bool) -> &[u8] {
    let start = text.iter().position(|b| !delimiter(*b)).unwrap_or(text.len());
    let end = text.iter().rposition(|b| !delimiter(*b)).map_or(start, |i| i + 1);
    &text[start..end]
}

fn int_ranges(patterns: &[Pattern]) -> IntRanges {
    let mut ranges: IntRanges = patterns
        .iter()
        .filter_map(|p| match p {
            Pattern::Range(low, high) => Some((*low, *high)),
            _ => None,
        })
        .collect();
    ranges.sort_unstable();
    merge(&mut ranges, |end, start| start <= end.saturating_add(1));
    ranges
}

fn ip_ranges(patterns: &[Pattern]) -> IpRanges {
    let mut out = IpRanges::default();
    for pattern in patterns {
        match *pattern {
            Pattern::Net4(addr, mask) if mask.leading_ones() + mask.trailing_zeros() >= 32 => {
                out.v4.push((addr & mask, addr | !mask));
            }
            Pattern::Net4(addr, mask) => out.v4_holes.push((addr & mask, mask)),
            Pattern::Net6(addr, prefix) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
                out.v6.push((addr & mask, addr | !mask));
            }
            _ => {}
        }
    }
    out.v4.sort_unstable();
    merge(&mut out.v4, |end, start| start <= end.saturating_add(1));
    out.v6.sort_unstable();
    merge(&mut out.v6, |end, start| start <= end.saturating_add(1));
    out
}

fn merge<T: Copy + Ord>(ranges: &mut Vec<(T, T)>, joins: impl Fn(T, T) -> bool) {
    ranges.dedup_by(|next, kept| {
        let joined = joins(kept.1, next.0);
        if joined {
            kept.1 = kept.1.max(next.1);
        }
        joined
    });
}

fn in_ranges<T: Copy + Ord>(ranges: &[(T, T)], value: T) -> bool {
    let after = ranges.partition_point(|(low, _)| *low <= value);
    after > 0 && value <= ranges[after - 1].1
}

/// Does the sample match one of the patterns?
#[must_use]
pub fn matches(set: &PatternSet, sample: &Sample<'_>) -> bool {
    let also = |other: &Option<Arc<PatternSet>>| other.as_deref().is_some_and(|set| indexed(set, sample));
    let is_dropped =
        |dropped: &HashSet<u32>| numbers::numbers(set, sample).iter().all(|number| dropped.contains(number));
    indexed(set, sample) && !also(&set.gone) && !set.dropped.as_deref().is_some_and(is_dropped)
        || also(&set.added)
}

fn indexed(set: &PatternSet, sample: &Sample<'_>) -> bool {
    match &*set.index {
        PatternIndex::Found => true,
        PatternIndex::Never => false,
        PatternIndex::Bool => sample.as_bool().unwrap_or(false),
        PatternIndex::Int(ranges) if set.method == MatchMethod::Len => {
            with_text(sample, |text| in_ranges(ranges, i64::try_from(text.len()).unwrap_or(i64::MAX)))
        }
        PatternIndex::Int(ranges) => sample.as_int().is_some_and(|i| in_ranges(ranges, i)),
        PatternIndex::Ip(ranges) => sample.as_ip().is_some_and(|ip| ip_matches(ranges, ip)),
        index => with_text(sample, |text| text_matches(index, set.ignore_case, text)),
    }
}

fn with_text<R>(sample: &Sample<'_>, f: impl FnOnce(&[u8]) -> R) -> R {
    match sample {
        // Borrow where the bytes exist; only numbers and addresses have to be written out.
        Sample::Str(s) | Sample::Bin(s) | Sample::Meth(s) => f(s),
        other => f(&other.clone().into_text()),
    }
}

fn text_matches(index: &PatternIndex, ignore_case: bool, text: &[u8]) -> bool {
    match index {
        PatternIndex::ExactFew(few) if ignore_case => few.iter().any(|p| p.eq_ignore_ascii_case(text)),
        PatternIndex::ExactFew(few) => few.iter().any(|p| **p == *text),
        PatternIndex::ExactMany(many) => lowered(text, ignore_case, |text| many.contains(text)),
        PatternIndex::Prefix(sorted) => predecessor(sorted, text.iter().copied(), ignore_case),
        PatternIndex::Suffix(sorted) => predecessor(sorted, text.iter().rev().copied(), ignore_case),
        PatternIndex::Substring(ac) => ac.is_match(text),
        PatternIndex::Contains(part) => memmem::find(text, part).is_some(),
        PatternIndex::Regex(regex) => regex.is_match(text),
        PatternIndex::Regexes(set, rest) => {
            set.is_match(text) || rest.iter().any(|(_, regex)| regex.is_match(text))
        }
        PatternIndex::Ordered(table) => in_case_of(table, text, ignore_case, |text| {
            ordered::ordered_at(table, &Sample::text(text), |_| true).is_some()
        }),
        PatternIndex::Dir(words) => words.iter().any(|w| has_word(text, w, ignore_case, is_dir_delimiter)),
        PatternIndex::Dom(words) => words.iter().any(|w| has_word(text, w, ignore_case, is_dom_delimiter)),
        PatternIndex::Found
        | PatternIndex::Never
        | PatternIndex::Bool
        | PatternIndex::Int(_)
        | PatternIndex::Ip(_) => false,
    }
}

/// Gives `f` the text as the keys of a table are looked for: expressions know themselves what disregards case.
fn in_case_of<R>(table: &OrderedTable, text: &[u8], ignore_case: bool, f: impl FnOnce(&[u8]) -> R) -> R {
    lowered(text, ignore_case && !matches!(table.search, Search::Regexes(_)), f)
}

/// Gives `f` the text, in lower case if need be, copying only if it holds a capital.
pub(super) fn lowered<R>(text: &[u8], ignore_case: bool, f: impl FnOnce(&[u8]) -> R) -> R {
    if !ignore_case || !text.iter().any(u8::is_ascii_uppercase) {
        return f(text);
    }
    let mut copy = Bytes::copy(text);
    copy.to_mut().make_ascii_lowercase();
    f(&copy)
}

/// Is one of the sorted, prefix-free entries a prefix of `text`? If any is, it is the greatest one not above it.
fn predecessor(sorted: &[Box<[u8]>], text: impl Iterator<Item = u8> + Clone, ignore_case: bool) -> bool {
    let fold = |b: u8| if ignore_case { b.to_ascii_lowercase() } else { b };
    let after = sorted.partition_point(|p| p.iter().copied().le(text.clone().map(fold)));
    after > 0 && {
        let entry = &sorted[after - 1];
        let mut rest = text.map(fold);
        entry.iter().all(|b| rest.next() == Some(*b))
    }
}

fn is_dir_delimiter(b: u8) -> bool {
    matches!(b, b'/' | b'?')
}

fn is_dom_delimiter(b: u8) -> bool {
    matches!(b, b'/' | b'?' | b'.' | b':')
}

/// Is `word` in `text` with a delimiter or an end on both sides?
fn has_word(text: &[u8], word: &[u8], ignore_case: bool, delimiter: fn(u8) -> bool) -> bool {
    let Some(first) = word.first() else { return false };
    let (lower, upper) =
        if ignore_case { (first.to_ascii_lowercase(), first.to_ascii_uppercase()) } else { (*first, *first) };
    let mut from = 0;
    while let Some(found) = memchr2(lower, upper, &text[from..]) {
        let at = from + found;
        let Some(here) = text.get(at..at + word.len()) else { return false };
        let equal = if ignore_case { here.eq_ignore_ascii_case(word) } else { here == word };
        let before = at == 0 || delimiter(text[at - 1]);
        let after = text.get(at + word.len()).is_none_or(|b| delimiter(*b));
        if equal && before && after {
            return true;
        }
        from = at + 1;
    }
    false
}

fn ip_matches(ranges: &IpRanges, ip: IpAddr) -> bool {
    let v4 =
        |n: u32| in_ranges(&ranges.v4, n) || ranges.v4_holes.iter().any(|(addr, mask)| n & mask == *addr);
    match ip {
        IpAddr::V4(a) => v4(a.into()) || in_ranges(&ranges.v6, a.to_ipv6_mapped().into()),
        IpAddr::V6(a) => in_ranges(&ranges.v6, a.into()) || embedded_v4(a).is_some_and(v4),
    }
}

/// The IPv4 address inside a mapped (`::ffff:a.b.c.d`), compatible (`::a.b.c.d`) or 6to4 (`2002::/16`) one.
fn embedded_v4(addr: Ipv6Addr) -> Option<u32> {
    let bits = u128::from(addr);
    let low = u32::try_from(bits & 0xffff_ffff).unwrap_or(0);
    match bits >> 32 {
        0 | 0xffff => Some(low),
        _ if bits >> 112 == 0x2002 => u32::try_from((bits >> 80) & 0xffff_ffff).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
