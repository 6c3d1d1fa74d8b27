//! Patterns of a list's keys that were read for a look at all of them, and are kept for the next.

use std::cell::Cell;
use std::cmp::Reverse;

use super::{Kind, MOST_CHANGED};
use crate::expr::Sample;
use crate::expr::pattern::{Pattern, single, table};
use crate::ir::entries::{Entries, Entry, Meant, Scans};
use crate::ir::pattern::MatchMethod;
use crate::ir::table::NetTable;

/// Patterns by the number of their entry, in that order. What key an entry has never changes.
#[derive(Default)]
pub(super) struct ReadKeys {
    keys: Vec<(u64, Pattern)>,
    /// `ip`: the first of the keys as an index; it yields their places.
    networks: Option<Networks>,
    /// How often all were looked at.
    scans: Scans,
}

struct Networks {
    table: NetTable,
    /// So many keys it is of.
    count: usize,
}

impl Networks {
    fn of(keys: &[(u64, Pattern)]) -> Self {
        let numbered: Vec<(Pattern, u32)> = keys.iter().map(|(_, key)| key.clone()).zip(0..).collect();
        Self { table: table::networks(&numbered), count: keys.len() }
    }

    /// The place of the key that counts. `Err`: one that may have hidden others is gone, so that all must be looked at.
    fn find(
        &self,
        keys: &[(u64, Pattern)],
        entries: &Entries,
        sample: &Sample<'_>,
    ) -> Result<Option<usize>, ()> {
        let place = |number| table::network_yields(&self.table, number).map(|place| place as usize);
        let hides = Cell::new(false);
        let is_there = |number| {
            let is_there = place(number).is_some_and(|place| entries.by_id(keys[place].0).is_some());
            hides.set(hides.get() || !is_there);
            is_there
        };
        let found = table::network_at(&self.table, sample, is_there);
        if hides.get() { Err(()) } else { Ok(found.and_then(|(_, number)| place(number))) }
    }
}

impl ReadKeys {
    /// Every entry may be another one.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Those of these entries, and some of entries that are gone.
    fn of(&mut self, kind: &Kind, entries: &[Entry]) -> &[(u64, Pattern)] {
        if self.keys.len() > entries.len() + MOST_CHANGED {
            self.forget();
        }
        let last = self.keys.last().map_or(0, |(id, _)| *id);
        let new = &entries[entries.partition_point(|entry| entry.id <= last)..];
        self.keys.reserve_exact(new.len());
        self.keys.extend(new.iter().filter_map(|entry| Some((entry.id, kind.pattern(&entry.key).ok()?))));
        &self.keys
    }

    /// The entry that counts among those that match.
    pub(super) fn find(&mut self, kind: &Kind, entries: &mut Entries, sample: &Sample<'_>) -> Option<usize> {
        let count = self.of(kind, entries).len();
        if kind.method == MatchMethod::Ip
            && self.networks.as_ref().map_or(0, |n| n.count) + MOST_CHANGED < count
            && self.scans.are_too_many()
        {
            self.index();
        }
        let keys = &self.keys;
        let indexed = self
            .networks
            .as_ref()
            .and_then(|networks| Some((networks.find(keys, entries, sample).ok()?, networks.count)));
        let (found, rest) = indexed.unwrap_or((None, 0));
        let fits = |one: &&(u64, Pattern)| single::fits(kind.method, kind.ignore_case, &one.1, sample);
        let matching = found.map(|place| &keys[place]).into_iter().chain(keys[rest..].iter().filter(fits));
        let there = matching.filter_map(|(id, pattern)| {
            let at = entries.positions(Meant::Id(*id)).first().copied()?;
            Some((at, kind.rank(pattern, sample)))
        });
        // The first of equals.
        there.min_by_key(|(_, rank)| Reverse(*rank)).map(|(at, _)| at)
    }

    fn index(&mut self) {
        self.networks = Some(Networks::of(&self.keys));
        self.scans = Scans::default();
    }

    /// Adds the keys of entries that match some of what a pattern does. False: they are too many, or that cannot be told.
    pub(super) fn meeting(
        &mut self,
        kind: &Kind,
        entries: &Entries,
        pattern: &Pattern,
        others: &mut Vec<(Box<str>, Pattern)>,
    ) -> bool {
        let mut take = |key: &str, other: Pattern| {
            others.push((key.into(), other));
            others.len() <= MOST_CHANGED
        };
        if !matches!(kind.method, MatchMethod::Int | MatchMethod::Len | MatchMethod::Ip) {
            return entries.iter().all(|entry| match kind.meeting(pattern, &entry.key) {
                Some(Some(other)) => take(&entry.key, other),
                Some(None) => true,
                None => false,
            });
        }
        self.of(kind, entries).iter().all(|(id, other)| {
            match single::meet(kind.method, kind.ignore_case, pattern, other) {
                Some(false) => true,
                Some(true) => match entries.by_id(*id) {
                    Some(entry) => take(&entry.key, other.clone()),
                    None => true,
                },
                None => false,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn networks_are_found_by_their_index_as_one_by_one(
            keys in prop::collection::vec((0u8..4, 0u8..4, 0usize..6), 1..40),
            (indexed, gone) in (0usize..40, prop::collection::vec(any::<bool>(), 40)),
            (low, high, is_v6) in (0u8..4, 0u8..4, any::<bool>()),
        ) {
            let kind = Kind { method: MatchMethod::Ip, ignore_case: false, dotted: false };
            let mut entries = Entries::default();
            let mut read = ReadKeys::default();
            let sample = if is_v6 { format!("::ffff:10.{high}.0.{low}") } else { format!("10.{high}.0.{low}") };
            let sample = kind.sample(&sample).unwrap();
            for (at, (high, low, form)) in keys.iter().enumerate() {
                let forms = ["/8", "/16", "/30", "", "/255.0.255.0", "/255.0.0.3"];
                let (six, address) = (at % 5 == 0, format!("10.{high}.0.{low}"));
                let key = if six { format!("::ffff:{address}/{}", 104 + form * 4) } else { address + forms[*form] };
                entries.push(Entry::new(&key, ""));
                if at == indexed {
                    read.of(&kind, &entries);
                    read.index();
                }
            }
            let ids: Vec<u64> = entries.iter().map(|entry| entry.id).collect();
            for (id, _) in ids.iter().zip(&gone).filter(|(_, gone)| **gone) {
                entries.remove(Meant::Id(*id));
            }
            let want = ReadKeys::default().find(&kind, &mut entries, &sample);
            prop_assert_eq!(read.find(&kind, &mut entries, &sample), want);
        }
    }
}
