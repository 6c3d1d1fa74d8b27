//! `map`: a key looked up in a file's entries.

use crate::ir::expr::{Map, MapKeys, SampleType, Value};
use crate::ir::pattern::MatchMethod;

use super::super::pattern::{self, table};
use super::super::sample::{Bytes, Sample};

/// What a map wants and yields.
pub(super) fn types(map: &Map) -> (SampleType, SampleType) {
    let input = match &map.keys {
        MapKeys::Exact(_) | MapKeys::Prefix(_) | MapKeys::Suffix(_) => SampleType::Str,
        MapKeys::Nets(_) | MapKeys::Ordered(MatchMethod::Ip, _) => SampleType::Addr,
        MapKeys::Ordered(MatchMethod::Int, _) => SampleType::Int,
        MapKeys::Ordered(..) => SampleType::Str,
    };
    let output =
        map.values.first().or(map.default.as_ref()).map_or(SampleType::Str, |v| Sample::of(v).kind());
    (input, output)
}

/// The value of the entry that counts.
#[must_use]
pub fn lookup<'m>(map: &'m Map, sample: &Sample<'_>) -> Option<&'m Value> {
    let text = |find: &dyn Fn(&[u8]) -> Option<u32>| match sample {
        Sample::Str(text) => find(text),
        other => find(&other.clone().into_text()),
    };
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
