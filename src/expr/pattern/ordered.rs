//! Keys of maps that are tried in order ([`crate::ir::table::OrderedTable`]): the first that fits counts, and what the kind
//! of match allows is not tried one by one.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;
use memchr::memmem;

use super::{Pattern, grams, is_dir_delimiter, is_dom_delimiter, regexes, table, with_text};
use crate::expr::sample::Sample;
use crate::ir::pattern::MatchMethod;
use crate::ir::regex::Regex;
use crate::ir::table::{NO_KEY, OrderedTable, Search};

/// A key: as it is written, its pattern, and what it yields.
pub type Row<K> = (K, Pattern, u32);

/// A table of keys that are tried in order. `compile` makes the regular expression of a key.
///
/// # Errors
/// What `compile` says of one.
pub fn ordered<K: AsRef<[u8]> + Copy>(
    method: MatchMethod,
    rows: &[Row<K>],
    mut compile: impl FnMut(K) -> Result<Regex, String>,
) -> Result<OrderedTable, String> {
    let search = match method {
        MatchMethod::Int | MatchMethod::Len => ranges(rows),
        MatchMethod::Reg => {
            let all: Result<_, _> = rows.iter().map(|(key, ..)| compile(*key)).collect();
            Search::Regexes(regexes::index(all?))
        }
        MatchMethod::Dir => words(rows, is_dir_delimiter),
        MatchMethod::Dom => words(rows, is_dom_delimiter),
        _ => Search::Anywhere((rows.len() >= MANY).then(|| {
            let keys: Vec<&[u8]> = rows.iter().map(|(key, ..)| key.as_ref()).collect();
            grams::index(&keys)
        })),
    };
    let keys = table::strings(rows.iter().map(|(key, ..)| key.as_ref()));
    let yields = rows.iter().map(|(.., at)| *at).collect();
    let slots = HashTable::with_capacity(rows.len());
    let mut table = OrderedTable { keys, yields, search, slots, state: RandomState::new() };
    let mut slots = std::mem::take(&mut table.slots);
    let hash = |number: u32| table.state.hash_one(table.word(table.keys.get(number as usize)));
    for number in 0..rows.len() as u32 {
        slots.insert_unique(hash(number), number, |other| hash(*other));
    }
    table.slots = slots;
    Ok(table)
}

fn ranges<K>(rows: &[Row<K>]) -> Search {
    let ranges: Box<[(i64, i64)]> = rows
        .iter()
        .map(|(_, pattern, _)| if let Pattern::Range(low, high) = pattern { (*low, *high) } else { (1, 0) })
        .collect();
    // Where each begins to count, and where it does no more.
    let mut turns: Vec<(i64, bool, u32)> = Vec::with_capacity(ranges.len() * 2);
    for (number, (low, high)) in (0u32..).zip(&ranges).filter(|(_, (low, high))| low <= high) {
        turns.push((*low, true, number));
        turns.extend(high.checked_add(1).map(|after| (after, false, number)));
    }
    turns.sort_unstable();
    let (mut starts, mut firsts, mut open) = (Vec::new(), Vec::new(), BTreeSet::new());
    for same in turns.chunk_by(|a, b| a.0 == b.0) {
        for (_, begins, number) in same {
            if *begins {
                open.insert(*number);
            } else {
                open.remove(number);
            }
        }
        let first = open.first().copied().unwrap_or(NO_KEY);
        if firsts.last() != Some(&first) {
            starts.push(same[0].0);
            firsts.push(first);
        }
    }
    Search::Ranges { ranges, starts: starts.into(), firsts: firsts.into() }
}

fn words<K: AsRef<[u8]>>(rows: &[Row<K>], is_delimiter: fn(u8) -> bool) -> Search {
    let count = |(key, ..): &Row<K>| key.as_ref().iter().filter(|b| is_delimiter(**b)).count() + 1;
    Search::Words { is_delimiter, most: rows.iter().map(count).max().unwrap_or(0) }
}

/// Number of the first key that fits the sample, among those that are `usable`.
#[must_use]
pub fn ordered_at(table: &OrderedTable, sample: &Sample<'_>, usable: impl Fn(u32) -> bool) -> Option<u32> {
    match &table.search {
        Search::Ranges { ranges, starts, firsts } => {
            let value = sample.as_int()?;
            let piece = starts.partition_point(|start| *start <= value).checked_sub(1)?;
            let first = *firsts.get(piece)?;
            // None that stands before it fits.
            let behind = (first..).zip(ranges.get(first as usize..)?);
            let fits = |(number, (low, high)): &(u32, &(i64, i64))| {
                (*low..=*high).contains(&value) && usable(*number)
            };
            behind.into_iter().find(fits).map(|(number, _)| number)
        }
        Search::Anywhere(None) => with_text(sample, |text| {
            let fits = |number: &u32| {
                memmem::find(text, table.keys.get(*number as usize)).is_some() && usable(*number)
            };
            (0..table.keys.len() as u32).find(fits)
        }),
        Search::Anywhere(Some(index)) => {
            with_text(sample, |text| grams::first_in(index, &table.keys, text, usable))
        }
        Search::Words { is_delimiter, most } => {
            with_text(sample, |text| word_of(table, text, *is_delimiter, *most, usable))
        }
        Search::Regexes(all) => with_text(sample, |text| regexes::first_of(all, text, usable)),
    }
}

/// Fewer keys are looked for in a text one by one.
pub(super) const MANY: usize = 64;

/// The first key among the words of the text and what several of them in a row make.
fn word_of(
    table: &OrderedTable,
    text: &[u8],
    is_delimiter: fn(u8) -> bool,
    most: usize,
    usable: impl Fn(u32) -> bool,
) -> Option<u32> {
    let is_inside = |at: usize| text.get(at).is_some_and(|b| !is_delimiter(*b));
    let is_start = |at: &usize| is_inside(*at) && (*at == 0 || !is_inside(*at - 1));
    let mut first: Option<u32> = None;
    for start in (0..text.len()).filter(is_start) {
        let ends = (start + 1..=text.len()).filter(|end| !is_inside(*end));
        for end in ends.take(most).filter(|end| is_inside(*end - 1)) {
            let word = &text[start..end];
            let same = table.slots.iter_hash(table.state.hash_one(word)).copied();
            let fits = |number: &u32| table.word(table.keys.get(*number as usize)) == word && usable(*number);
            first = same.filter(fits).chain(first).min();
        }
    }
    first
}

/// Numbers of the entries with this key, in order.
#[must_use]
pub fn ordered_numbers(table: &OrderedTable, key: &[u8]) -> Vec<u32> {
    let same = table.slots.iter_hash(table.state.hash_one(table.word(key))).copied();
    let mut numbers: Vec<u32> = same.filter(|number| table.keys.get(*number as usize) == key).collect();
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::{build, matches};
    use super::*;

    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[ab./]{0,8}", "[ab]{6,20}"]
    }

    proptest! {
        #[test]
        fn the_first_that_fits_is_found(
            method in prop::sample::select(vec![MatchMethod::Sub, MatchMethod::Dir, MatchMethod::Dom]),
            keys in prop::collection::vec(prop_oneof!["[ab./]{1,5}", "[ab]{7,11}"], 0..100),
            gone in prop::collection::vec(any::<bool>(), 100),
            text in text(),
        ) {
            let pattern = |key: &String| Pattern::Text(key.as_bytes().into());
            let rows: Vec<Row<&str>> = keys.iter().zip(0..).map(|(key, at)| (key.as_str(), pattern(key), at)).collect();
            let table = ordered(method, &rows, |_| Err(String::new())).unwrap();
            let sample = Sample::text(text.as_bytes());
            let fits = |key: &String| matches(&build(method, false, &[pattern(key)], Arc::from([])).unwrap(), &sample);
            let want = keys.iter().zip(&gone).position(|(key, gone)| !gone && fits(key));
            let found = ordered_at(&table, &sample, |number| !gone[number as usize]);
            prop_assert_eq!(found.map(|number| number as usize), want);
            for (number, key) in keys.iter().enumerate() {
                let same = ordered_numbers(&table, key.as_bytes());
                prop_assert!(same.is_sorted() && same.contains(&(number as u32)));
                prop_assert!(same.iter().all(|same| keys[*same as usize] == *key));
            }
        }

        #[test]
        fn the_first_range_is_found(
            ranges in prop::collection::vec((-3i64..12, -3i64..12), 0..40),
            gone in prop::collection::vec(any::<bool>(), 40),
            value in prop_oneof![-5i64..14, Just(i64::MIN), Just(i64::MAX)],
            open in any::<bool>(),
        ) {
            let bound = |high: i64| if open && high > 10 { i64::MAX } else { high };
            let ranges: Vec<(i64, i64)> = ranges.iter().map(|(low, high)| (*low, bound(*high))).collect();
            let rows: Vec<Row<&str>> =
                ranges.iter().zip(0..).map(|((low, high), at)| ("", Pattern::Range(*low, *high), at)).collect();
            let table = ordered(MatchMethod::Int, &rows, |_| Err(String::new())).unwrap();
            let fits = |(low, high): &(i64, i64)| (*low..=*high).contains(&value);
            let want = ranges.iter().zip(&gone).position(|(range, gone)| !gone && fits(range));
            let found = ordered_at(&table, &Sample::Int(value), |number| !gone[number as usize]);
            prop_assert_eq!(found.map(|number| number as usize), want);
        }
    }
}
