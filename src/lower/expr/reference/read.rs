//! Patterns of a list's keys that were read for a look at all of them, and are kept for the next.

use std::cmp::Reverse;

use super::{Kind, MOST_CHANGED};
use crate::expr::Sample;
use crate::expr::pattern::{Pattern, single};
use crate::ir::entries::{Entries, Entry, Meant};
use crate::ir::pattern::MatchMethod;

/// Patterns by the number of their entry, in that order. What key an entry has never changes.
#[derive(Default)]
pub(super) struct ReadKeys(Vec<(u64, Pattern)>);

impl ReadKeys {
    /// Every entry may be another one.
    pub(super) fn forget(&mut self) {
        self.0 = Vec::new();
    }

    /// Those of these entries, and some of entries that are gone.
    fn of(&mut self, kind: &Kind, entries: &[Entry]) -> &[(u64, Pattern)] {
        if self.0.len() > entries.len() + MOST_CHANGED {
            self.forget();
        }
        let last = self.0.last().map_or(0, |(id, _)| *id);
        let new = &entries[entries.partition_point(|entry| entry.id <= last)..];
        self.0.reserve_exact(new.len());
        self.0.extend(new.iter().filter_map(|entry| Some((entry.id, kind.pattern(&entry.key).ok()?))));
        &self.0
    }

    /// The entry that counts among those that match.
    pub(super) fn find(&mut self, kind: &Kind, entries: &mut Entries, sample: &Sample<'_>) -> Option<usize> {
        let fits = |one: &&(u64, Pattern)| single::fits(kind.method, kind.ignore_case, &one.1, sample);
        let matching = self.of(kind, entries).iter().filter(fits);
        let there = matching.filter_map(|(id, pattern)| {
            let at = entries.positions(Meant::Id(*id)).first().copied()?;
            Some((at, kind.rank(pattern, sample)))
        });
        // The first of equals.
        there.min_by_key(|(_, rank)| Reverse(*rank)).map(|(at, _)| at)
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
