//! `map`: a key looked up in a file's entries.

use crate::ir::expr::{Map, MapKeys, SampleType, Value};
use crate::ir::pattern::MatchMethod;

use super::super::pattern;
use super::super::sample::{Bytes, Sample};

/// What a map wants and yields.
pub(super) fn types(map: &Map) -> (SampleType, SampleType) {
    let input = match &map.keys {
        MapKeys::Exact(_) => SampleType::Str,
        MapKeys::Ordered(sets) => match sets.first().map(|s| s.method) {
            Some(MatchMethod::Int) => SampleType::Int,
            Some(MatchMethod::Ip) => SampleType::Addr,
            _ => SampleType::Str,
        },
    };
    let output =
        map.values.first().or(map.default.as_ref()).map_or(SampleType::Str, |v| Sample::of(v).kind());
    (input, output)
}

/// The value of the first entry whose key matches.
#[must_use]
pub fn lookup<'m>(map: &'m Map, sample: &Sample<'_>) -> Option<&'m Value> {
    let position = match &map.keys {
        MapKeys::Exact(index) => match sample {
            Sample::Str(text) => index.get(&**text).copied()? as usize,
            other => index.get(&*other.clone().into_text()).copied()? as usize,
        },
        MapKeys::Ordered(sets) => sets.iter().position(|set| pattern::matches(set, sample))?,
    };
    map.values.get(position)
}

pub(super) fn apply<'a>(map: &'a Map, sample: Sample<'a>) -> Option<Sample<'a>> {
    if map.substitute
        && let MapKeys::Ordered(sets) = &map.keys
    {
        let text = sample.into_text();
        for (set, value) in sets.iter().zip(map.values.iter()) {
            if let (crate::ir::pattern::PatternIndex::Regex(regex), Value::Str(result)) = (&*set.index, value)
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
