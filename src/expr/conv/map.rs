//! `map`: a key looked up in a file's entries.

use std::collections::HashMap;

use crate::ir::expr::{Changed, Map, MapKeys, SampleType, Value};
use crate::ir::pattern::MatchMethod;
use crate::ir::reference::Newer;
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
    standing(map, text, sample).map(|(.., value)| value)
}

/// The entry that counts, in the index or in what came later, and its value.
fn standing<'m>(map: &'m Map, text: &[u8], sample: &Sample<'_>) -> Option<(&'m Map, Best, &'m Value)> {
    let changed = map.changed.as_deref();
    let unchanged = HashMap::new();
    let numbers = changed.map_or(&unchanged, |changed| &changed.numbers);
    let later = changed.and_then(|changed| changed.later.as_deref());
    let (whose, best) = counting(map, numbers, later, text, sample)?;
    let now = changed.and_then(|changed| changed.numbers.get(&best.1)).filter(|_| std::ptr::eq(whose, map));
    let value = now.map_or_else(|| whose.values.get(best.2 as usize), Option::as_ref)?;
    Some((whose, best, value))
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
    let (whose, (fit, number, _), _) = standing(map, b"", sample)?;
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
pub fn numbers(keys: &MapKeys, key: &[u8], pattern: &pattern::Pattern) -> Vec<u32> {
    let text: &[u8] = if let pattern::Pattern::Text(text) = pattern { text } else { &[] };
    let one = match keys {
        MapKeys::Exact(_) => None,
        MapKeys::Prefix(table) => table::prefix_number(table, text),
        MapKeys::Suffix(table) => table::suffix_number(table, text),
        MapKeys::Nets(nets) => table::network_number(nets, pattern),
        MapKeys::Ordered(keys) => return ordered_numbers(keys, key),
    };
    one.into_iter().collect()
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
        return substitute(map, &sample.into_text()).or_else(|| map.default.as_ref().map(Sample::of));
    }
    lookup(map, &sample).or(map.default.as_ref()).map(Sample::of)
}

/// `map_regm`: the value of the expression that matches, with what its groups matched.
fn substitute<'a>(map: &Map, text: &[u8]) -> Option<Sample<'a>> {
    let (whose, (_, number, _), value) = standing(map, b"", &Sample::text(text))?;
    let (MapKeys::Ordered(keys), Value::Str(value)) = (&whose.keys, value) else { return None };
    let Search::Regexes(regexes) = &keys.search else { return None };
    let groups = regexes.all[number as usize].captures(text)?;
    let mut out = smallvec::SmallVec::new();
    super::text::expand(&groups, value, &mut out);
    Some(Sample::Str(Bytes::Own(out)))
}
