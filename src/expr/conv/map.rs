//! `map`: a key looked up in a file's entries.

use crate::ir::expr::{Map, MapKeys, SampleType, Value};
use crate::ir::pattern::MatchMethod;
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
    let text = |find: &dyn Fn(&[u8]) -> Option<u32>| match sample {
        Sample::Str(text) => find(text),
        other => find(&other.clone().into_text()),
    };
    if let Some(changed) = &map.changed {
        let now = match sample {
            Sample::Str(text) => changed.get(&**text),
            other => changed.get(&*other.clone().into_text()),
        };
        if let Some(now) = now {
            return now.as_ref();
        }
    }
    let position = match &map.keys {
        MapKeys::Exact(keys) => text(&|text| table::equal(keys, text)),
        MapKeys::Prefix(keys) => text(&|text| table::prefix_of(keys, text)),
        MapKeys::Suffix(keys) => text(&|text| table::suffix_of(keys, text)),
        MapKeys::Nets(nets) => table::network_of(nets, sample),
        MapKeys::Ordered(_, sets) => {
            sets.iter().find(|(set, _)| pattern::matches(set, sample)).map(|(_, position)| *position)
        }
    };
    map.values.get(position? as usize)
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
    if map.substitute
        && let MapKeys::Ordered(_, sets) = &map.keys
    {
        let text = sample.into_text();
        for (set, position) in sets.iter() {
            if let crate::ir::pattern::PatternIndex::Regex(regex) = &*set.index
                && let Some(Value::Str(result)) = map.values.get(*position as usize)
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
