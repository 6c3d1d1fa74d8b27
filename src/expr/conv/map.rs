//! `map`: a key looked up in a file's entries.

use std::collections::HashMap;

use crate::ir::expr::{Changed, Map, MapKeys, SampleType, Value};
use crate::ir::pattern::MatchMethod;
use crate::ir::reference::Newer;
use crate::ir::regex::Regex;
use crate::ir::table::Search;

use super::super::pattern::ordered::{ordered_at, ordered_numbers};
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
        _ if matches!(map.keys, MapKeys::Nets(_) | MapKeys::Ordered(_)) => b"",
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
        MapKeys::Ordered(keys) => {
            ordered_at(keys, sample, |_| true).map(|number| keys.yields[number as usize])
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
    let (whose, (_, number, position)) =
        counting(map, &changed.numbers, changed.later.as_deref(), text, sample)?;
    match changed.numbers.get(&number).filter(|_| std::ptr::eq(whose, map)) {
        Some(now) => now.as_ref(),
        None => whose.values.get(position as usize),
    }
}

/// What a look-up finds, as far as the index knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'m> {
    /// The entry with this key.
    Key(&'m [u8]),
    /// The network of the sample's address with a prefix of so many bits.
    Network(u8),
    /// The index does not know.
    Unknown,
}

/// What `sample` finds in a map.
#[must_use]
pub fn found<'m>(map: &'m Map, sample: &Sample<'_>) -> Option<Found<'m>> {
    if !matches!(map.keys, MapKeys::Nets(_) | MapKeys::Ordered(_)) {
        return Some(Found::Unknown);
    }
    let unchanged = HashMap::new();
    let (numbers, later) = match &map.changed {
        Some(changed) => (&changed.numbers, changed.later.as_deref()),
        None => (&unchanged, None),
    };
    let (whose, (fit, number, _)) = counting(map, numbers, later, b"", sample)?;
    Some(match &whose.keys {
        MapKeys::Ordered(keys) => Found::Key(keys.keys.get(number as usize)),
        MapKeys::Nets(_) if fit.0 == usize::from(table::OWN_FAMILY) => Found::Network(fit.1),
        _ => Found::Unknown,
    })
}

/// An entry of an index: how well it fits, its number, and what it yields.
type Best = ((usize, u8), u32, u32);

/// The entry that counts of an index and of what came later.
fn counting<'m>(
    map: &'m Map,
    changed: &HashMap<u32, Option<Value>>,
    later: Option<&'m Map>,
    text: &[u8],
    sample: &Sample<'_>,
) -> Option<(&'m Map, Best)> {
    let before = best(map, changed, text, sample).map(|best| (map, best));
    let later = later.and_then(|later| Some((later, best(later, &HashMap::new(), text, sample)?)));
    match (before, later) {
        // Of equals, the one that stands first.
        (Some((_, (fit, ..))), Some((_, (other, ..)))) if other > fit => later,
        _ => before.or(later),
    }
}

/// The entry of an index that counts, of those that are not gone.
fn best(map: &Map, changed: &HashMap<u32, Option<Value>>, text: &[u8], sample: &Sample<'_>) -> Option<Best> {
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
        MapKeys::Ordered(keys) => {
            let number = ordered_at(keys, sample, usable)?;
            Some(((0, 0), number, keys.yields[number as usize]))
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
        MapKeys::Ordered(keys) => return ordered_numbers(keys, key.as_bytes()),
    };
    one.into_iter().collect()
}

/// The regular expressions of a map, with what they yield.
fn regexes(map: &Map) -> impl Iterator<Item = (&Regex, &Value)> {
    let changed = map.changed.as_deref();
    let later = changed.and_then(|changed| changed.later.as_deref());
    regexes_of(map, changed).chain(later.into_iter().flat_map(|later| regexes_of(later, None)))
}

fn regexes_of<'m>(
    map: &'m Map,
    changed: Option<&'m Changed>,
) -> impl Iterator<Item = (&'m Regex, &'m Value)> {
    let (regexes, yields): (&[Regex], &[u32]) = match &map.keys {
        MapKeys::Ordered(keys) if let Search::Regexes(regexes) = &keys.search => (regexes, &keys.yields),
        _ => (&[], &[]),
    };
    (0..).zip(regexes.iter().zip(yields)).filter_map(move |(number, (regex, position))| {
        let now = changed.and_then(|changed| changed.numbers.get(&number));
        let value = now.map_or_else(|| map.values.get(*position as usize), Option::as_ref)?;
        Some((regex, value))
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
        for (regex, value) in regexes(map) {
            if let Value::Str(result) = value
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
