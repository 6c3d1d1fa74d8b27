//! `map`: a key looked up in a file's entries.

use std::collections::HashMap;

use crate::ir::expr::{Changed, Map, MapKeys, SampleType, Value};
use crate::ir::pattern::{MatchMethod, PatternIndex, PatternSet};
use crate::ir::reference::Newer;

use super::super::pattern::{self, table};
use super::super::sample::{Bytes, Sample};

/// What a map wants and yields.
pub(super) fn types(map: &Map) -> (SampleType, SampleType) {
    let input = match map.method {
        MatchMethod::Int => SampleType::Int,
        MatchMethod::Ip => SampleType::Addr,
        _ => SampleType::Str,
    };
    (input, map.out)
}

/// The value of the entry that counts.
#[must_use]
pub fn lookup<'m>(map: &'m Map, sample: &Sample<'_>) -> Option<&'m Value> {
    let copy;
    let text = match sample {
        Sample::Str(text) => &**text,
        _ if matches!(map.keys, MapKeys::Nets(_) | MapKeys::Ordered(..)) => b"",
        other => {
            copy = other.clone().into_text();
            &*copy
        }
    };
    if let Some(changed) = &map.changed {
        return changed_lookup(map, changed, text, sample);
    }
    let position = match &map.keys {
        MapKeys::Exact(keys) => table::equal(keys, text),
        MapKeys::Prefix(keys) => table::prefix_of(keys, text),
        MapKeys::Suffix(keys) => table::suffix_of(keys, text),
        MapKeys::Nets(nets) => table::network_of(nets, sample),
        MapKeys::Ordered(_, sets) => {
            sets.iter().find(|(set, _)| pattern::matches(set, sample)).map(|(_, position)| *position)
        }
    };
    map.values.get(position? as usize)
}

/// The same where the index is not all.
fn changed_lookup<'m>(
    map: &'m Map,
    changed: &'m Changed,
    text: &[u8],
    sample: &Sample<'_>,
) -> Option<&'m Value> {
    if let MapKeys::Exact(keys) = &map.keys {
        return match changed.keys.get(text) {
            Some(now) => now.as_ref(),
            None => map.values.get(table::equal(keys, text)? as usize),
        };
    }
    let before = best(map, &changed.numbers, text, sample);
    let later = changed.later.as_ref().and_then(|later| {
        let (fit, _, position) = best(later, &HashMap::new(), text, sample)?;
        // Of equals, the one that stands first.
        before.is_none_or(|(other, ..)| fit > other).then(|| later.values.get(position as usize))?
    });
    later.or_else(|| {
        let (_, number, position) = before?;
        match changed.numbers.get(&number) {
            Some(now) => now.as_ref(),
            None => map.values.get(position as usize),
        }
    })
}

/// The entry of an index that counts, of those that are not gone: how well it fits, its number, and what it yields.
fn best(
    map: &Map,
    changed: &HashMap<u32, Option<Value>>,
    text: &[u8],
    sample: &Sample<'_>,
) -> Option<((usize, u8), u32, u32)> {
    let usable = |number: u32| !matches!(changed.get(&number), Some(None));
    match &map.keys {
        MapKeys::Exact(_) => None,
        MapKeys::Prefix(keys) => {
            let number = table::prefix_at(keys, text, usable)?;
            Some(((keys.keys.get(number as usize).len(), 0), number, keys.yields[number as usize]))
        }
        MapKeys::Suffix(keys) => {
            let number = table::suffix_at(keys, text, usable)?;
            Some(((0, 0), number, keys.yields[number as usize]))
        }
        MapKeys::Nets(nets) => {
            let ((class, bits), number) = table::network_at(nets, sample, usable)?;
            Some(((class.into(), bits), number, table::network_yields(nets, number)?))
        }
        MapKeys::Ordered(_, sets) => {
            let fits = |(number, (set, _)): &(u32, &(PatternSet, u32))| {
                usable(*number) && pattern::matches(set, sample)
            };
            let (number, (_, position)) = (0..).zip(&**sets).find(fits)?;
            Some(((0, 0), number, *position))
        }
    }
}

/// Numbers of the entries of an index with this key.
#[must_use]
pub fn numbers(keys: &MapKeys, key: &str, pattern: &pattern::Pattern) -> Vec<u32> {
    let text: &[u8] = if let pattern::Pattern::Text(text) = pattern { text } else { &[] };
    let one = match keys {
        MapKeys::Exact(_) => None,
        MapKeys::Prefix(table) => table::prefix_number(table, text),
        MapKeys::Suffix(table) => table::suffix_number(table, text),
        MapKeys::Nets(nets) => table::network_number(nets, pattern),
        MapKeys::Ordered(_, sets) => {
            let is_it =
                |(_, (set, _)): &(u32, &(PatternSet, u32))| set.written.iter().any(|word| **word == *key);
            return (0..).zip(&**sets).filter(is_it).map(|(number, _)| number).collect();
        }
    };
    one.into_iter().collect()
}

/// The entries that are tried in order, with what they yield.
fn in_order(map: &Map) -> impl Iterator<Item = (&PatternSet, &Value)> {
    let changed = map.changed.as_deref();
    entries(map, changed)
        .chain(changed.and_then(|c| c.later.as_deref()).into_iter().flat_map(|l| entries(l, None)))
}

fn entries<'m>(
    map: &'m Map,
    changed: Option<&'m Changed>,
) -> impl Iterator<Item = (&'m PatternSet, &'m Value)> {
    let sets: &[(PatternSet, u32)] = if let MapKeys::Ordered(_, sets) = &map.keys { sets } else { &[] };
    (0..).zip(sets).filter_map(move |(number, (set, position))| {
        let now = changed.and_then(|changed| changed.numbers.get(&number));
        let value = now.map_or_else(|| map.values.get(*position as usize), Option::as_ref)?;
        Some((set, value))
    })
}

pub(super) fn apply<'a>(map: &'a Map, sample: Sample<'a>) -> Option<Sample<'a>> {
    match map.newer.as_deref().and_then(Newer::get).as_deref() {
        // What was found there may be gone before it is used.
        Some(Some(newer)) => search(newer, sample).map(owned),
        _ => search(map, sample),
    }
}

fn owned<'a>(sample: Sample<'_>) -> Sample<'a> {
    match sample {
        Sample::Bool(b) => Sample::Bool(b),
        Sample::Int(i) => Sample::Int(i),
        Sample::Ipv4(a) => Sample::Ipv4(a),
        Sample::Ipv6(a) => Sample::Ipv6(a),
        Sample::Str(s) => Sample::Str(Bytes::Own(s[..].into())),
        Sample::Bin(s) => Sample::Bin(Bytes::Own(s[..].into())),
        Sample::Meth(s) => Sample::Meth(Bytes::Own(s[..].into())),
    }
}

fn search<'a>(map: &'a Map, sample: Sample<'a>) -> Option<Sample<'a>> {
    if map.substitute {
        let text = sample.into_text();
        for (set, value) in in_order(map) {
            if let PatternIndex::Regex(regex) = &*set.index
                && let Value::Str(result) = value
                && let Some(groups) = regex.captures(&text)
            {
                let mut out = smallvec::SmallVec::new();
                super::text::expand(&groups, result, &mut out);
                return Some(Sample::Str(Bytes::Own(out)));
            }
        }
        return map.default.as_ref().map(Sample::of);
    }
    lookup(map, &sample).or(map.default.as_ref()).map(Sample::of)
}
