//! Which patterns of a set match, by their numbers: the set's patterns in the order they were given.

use std::cell::RefCell;

use super::ordered::{Row, ordered, ordered_at};
use super::regexes::listed;
use super::{Pattern, has_word, in_case_of, is_dir_delimiter, is_dom_delimiter, with_text};
use crate::expr::sample::Sample;
use crate::ir::pattern::{MatchMethod, PatternIndex, PatternSet};
use crate::ir::table::OrderedTable;
use crate::ir::text::text_of;

/// The index of many patterns of `reg`, `dir` and `dom`.
pub(super) fn tried(
    method: MatchMethod,
    ignore_case: bool,
    texts: &[Box<[u8]>],
) -> Result<OrderedTable, String> {
    let row = |(text, number): (_, u32)| -> Row<&[u8]> { (text, Pattern::Text(Box::default()), number) };
    let rows: Vec<Row<&[u8]>> = texts.iter().map(|text| &**text).zip(0..).map(row).collect();
    let compile = |text: &[u8]| listed(&text_of(text), ignore_case, false);
    ordered(method, &rows, compile)
}

/// Whether [`numbers`] knows the patterns of sets of this kind.
#[must_use]
pub fn are_known(method: MatchMethod) -> bool {
    matches!(method, MatchMethod::Sub | MatchMethod::Reg | MatchMethod::Dir | MatchMethod::Dom)
}

/// Numbers of the patterns in the set's index that match, in no order; some may be there more than once. Those that were
/// removed or added since are not minded.
#[must_use]
pub fn numbers(set: &PatternSet, sample: &Sample<'_>) -> Vec<u32> {
    with_text(sample, |text| numbers_of_text(&set.index, set.ignore_case, text))
}

fn numbers_of_text(index: &PatternIndex, ignore_case: bool, text: &[u8]) -> Vec<u32> {
    let that_have = |words: &[Box<[u8]>], is_delimiter: fn(u8) -> bool| {
        let has = |word: &[u8]| has_word(text, word, ignore_case, is_delimiter);
        (0..).zip(words).filter(|(_, word)| has(word)).map(|(number, _)| number).collect()
    };
    match index {
        PatternIndex::Contains(_) | PatternIndex::Regex(_) => {
            super::text_matches(index, ignore_case, text).then_some(0).into_iter().collect()
        }
        PatternIndex::Substring(parts) => {
            parts.find_overlapping_iter(text).map(|found| found.pattern().as_u32()).collect()
        }
        PatternIndex::Regexes(set, rest) => {
            // The set's own numbers leave out the rest.
            let number = |nth: usize| {
                rest.iter().fold(nth as u32, |number, (other, _)| number + u32::from(*other <= number))
            };
            let found = set.matches(text).into_iter().map(number);
            found.chain(rest.iter().filter(|(_, regex)| regex.is_match(text)).map(|one| one.0)).collect()
        }
        PatternIndex::Dir(words) => that_have(words, is_dir_delimiter),
        PatternIndex::Dom(words) => that_have(words, is_dom_delimiter),
        PatternIndex::Ordered(table) => in_case_of(table, text, ignore_case, |text| {
            let found = RefCell::new(Vec::new());
            let note = |number| {
                found.borrow_mut().push(number);
                false
            };
            // It goes on looking, as none is the right one.
            let _ = ordered_at(table, &Sample::text(text), note);
            found.into_inner()
        }),
        _ => Vec::new(),
    }
}
