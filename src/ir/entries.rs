//! The entries of a list of patterns: in order, and found by key or by number without a look at the others.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Deref;
use std::sync::Arc;

use hashbrown::HashTable;

use super::reference::{fresh_id, fresh_ids};

/// A part of a text: that of the file it was read from, so that a hundred thousand of them take no memory each.
#[derive(Clone)]
pub struct Text {
    whole: Arc<str>,
    at: u32,
    len: u32,
}

impl Text {
    /// This part of a text; a copy if it is none, or lies too far behind.
    #[must_use]
    pub fn part(whole: &Arc<str>, part: &str) -> Self {
        let at = if part.is_empty() { 0 } else { part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr()) };
        let range = at..at.wrapping_add(part.len());
        let is_there =
            |here: Option<&str>| part.is_empty() || here.is_some_and(|here| std::ptr::eq(here, part));
        match (u32::try_from(at), u32::try_from(part.len())) {
            (Ok(at), Ok(len)) if is_there(whole.get(range)) => Self { whole: whole.clone(), at, len },
            _ => Self::from(part),
        }
    }

    /// Whether this is it: most that are not have another length.
    fn is(&self, text: &str) -> bool {
        self.len as usize == text.len() && **self == *text
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        // What comes by a command or in a rule is far from four gigabytes.
        Self { whole: text.into(), at: 0, len: u32::try_from(text.len()).unwrap_or(u32::MAX) }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        let at = self.at as usize;
        self.whole.get(at..at + self.len as usize).unwrap_or_default()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text {}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

/// A pattern, and in maps its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What `#<ref>` names; no other entry of the process has it.
    pub id: u64,
    /// Pattern as written.
    pub key: Text,
    /// Value as written; empty in lists of ACLs.
    pub value: Text,
}

impl Entry {
    /// A new one.
    #[must_use]
    pub fn new(key: &str, value: &str) -> Self {
        Self { id: fresh_id(), key: key.into(), value: value.into() }
    }
}

/// Which entries a command means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant<'a> {
    /// All with this key.
    Key(&'a str),
    /// The one with this number.
    Id(u64),
}

/// Entries in their order, which is that of their numbers.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    all: Vec<Entry>,
    /// Made when keys are asked for often: most lists never change, and others are asked now and then.
    by_key: Option<ByKey>,
    /// How often keys were looked for without it.
    scans: Scans,
}

/// How often all of something was looked at, for want of an index that takes about as long to make as a few such looks.
#[derive(Clone, Debug, Default)]
pub struct Scans(u8);

impl Scans {
    const FEW: u8 = 4;

    /// Counts one more, unless an index is due.
    pub fn are_too_many(&mut self) -> bool {
        let due = self.0 == Self::FEW;
        self.0 += u8::from(!due);
        due
    }
}

/// Hash of the key and number of each entry.
#[derive(Clone, Debug)]
struct ByKey {
    state: RandomState,
    ids: HashTable<(u64, u64)>,
}

impl ByKey {
    fn of(entries: &[Entry]) -> Self {
        let mut by_key = Self { state: RandomState::new(), ids: HashTable::with_capacity(entries.len()) };
        entries.iter().for_each(|entry| by_key.note(entry));
        by_key
    }

    fn note(&mut self, entry: &Entry) {
        let hash = self.state.hash_one(&*entry.key);
        self.ids.insert_unique(hash, (hash, entry.id), |(hash, _)| *hash);
    }

    fn forget(&mut self, entry: &Entry) {
        let hash = self.state.hash_one(&*entry.key);
        if let Ok(found) = self.ids.find_entry(hash, |(_, id)| *id == entry.id) {
            found.remove();
        }
    }
}

impl Deref for Entries {
    type Target = [Entry];

    fn deref(&self) -> &[Entry] {
        &self.all
    }
}

impl FromIterator<Entry> for Entries {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut list = Self::default();
        entries.into_iter().for_each(|entry| list.push(entry));
        list
    }
}

fn position(entries: &[Entry], id: u64) -> Option<usize> {
    entries.binary_search_by_key(&id, |entry| entry.id).ok()
}

impl Entries {
    /// The entries of a text, by their keys and values there.
    pub fn of_text<'t>(whole: &'t Arc<str>, pairs: impl Iterator<Item = (&'t str, &'t str)>) -> Self {
        let part = |part: &str| Text::part(whole, part);
        let mut all = Vec::with_capacity(memchr::memchr_iter(b'\n', whole.as_bytes()).count() + 1);
        all.extend(pairs.map(|(key, value)| Entry { id: 0, key: part(key), value: part(value) }));
        let ids = fresh_ids(all.len());
        all.iter_mut().zip(ids).for_each(|(entry, id)| entry.id = id);
        Self { all, by_key: None, scans: Scans::default() }
    }

    /// The table of keys, once it pays.
    fn by_key(&mut self) -> Option<&ByKey> {
        if self.by_key.is_none() && !self.scans.are_too_many() {
            return None;
        }
        Some(self.by_key.get_or_insert_with(|| ByKey::of(&self.all)))
    }

    /// Whether keys are found without a look at all of the entries. Who has several to look for asks first: to be told no
    /// counts as such a look.
    pub fn is_quick(&mut self) -> bool {
        self.by_key().is_some()
    }

    /// Behind the others. Its number changes where it would be lower than theirs.
    pub fn push(&mut self, mut entry: Entry) {
        if self.all.last().is_some_and(|last| last.id >= entry.id) {
            entry.id = fresh_id();
        }
        if let Some(by_key) = &mut self.by_key {
            by_key.note(&entry);
        }
        self.all.push(entry);
    }

    /// Where the entries stand that are meant.
    pub fn positions(&mut self, meant: Meant<'_>) -> Vec<usize> {
        let key = match meant {
            Meant::Id(id) => return position(&self.all, id).into_iter().collect(),
            Meant::Key(key) => key,
        };
        let Some(by_key) = self.by_key() else {
            let same = self.all.iter().enumerate().filter(|(_, entry)| entry.key.is(key));
            return same.map(|(at, _)| at).collect();
        };
        let hash = by_key.state.hash_one(key);
        let same = by_key.ids.iter_hash(hash).filter(|(other, _)| *other == hash);
        let ids: Vec<u64> = same.map(|(_, id)| *id).collect();
        let mut found: Vec<usize> = ids.into_iter().filter_map(|id| position(&self.all, id)).collect();
        found.retain(|at| self.all[*at].key.is(key));
        found.sort_unstable();
        found
    }

    /// The one with this number.
    #[must_use]
    pub fn by_id(&self, id: u64) -> Option<&Entry> {
        self.all.get(position(&self.all, id)?)
    }

    /// The first of those that are meant.
    pub fn first(&mut self, meant: Meant<'_>) -> Option<&Entry> {
        let at = *self.positions(meant).first()?;
        self.all.get(at)
    }

    /// Gives those that are meant another value.
    pub fn set(&mut self, meant: Meant<'_>, value: &str) {
        for at in self.positions(meant) {
            self.all[at].value = value.into();
        }
    }

    /// Removes those that are meant.
    pub fn remove(&mut self, meant: Meant<'_>) {
        let gone = self.positions(meant);
        if let Some(by_key) = &mut self.by_key {
            gone.iter().for_each(|at| by_key.forget(&self.all[*at]));
        }
        if let [only] = gone[..] {
            self.all.remove(only);
            return;
        }
        let mut gone = gone.into_iter().peekable();
        let mut at = 0;
        self.all.retain(|_| {
            at += 1;
            gone.next_if_eq(&(at - 1)).is_none()
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push(String),
        Set(String, bool),
        Remove(String, bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = "[ab]{1,2}";
        prop_oneof![
            key.prop_map(Step::Push),
            (key, any::<bool>()).prop_map(|(key, one)| Step::Set(key, one)),
            (key, any::<bool>()).prop_map(|(key, one)| Step::Remove(key, one)),
        ]
    }

    proptest! {
        #[test]
        fn they_are_what_a_plain_list_would_be(steps in prop::collection::vec(step(), 0..80)) {
            let mut entries = Entries::default();
            let mut plain: Vec<(String, String)> = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                let value = number.to_string();
                match step {
                    Step::Push(key) => {
                        entries.push(Entry::new(&key, &value));
                        plain.push((key, value));
                    }
                    Step::Set(key, one) => {
                        let meant = if one { entries.first(Meant::Key(&key)).map(|entry| entry.id) } else { None };
                        entries.set(meant.map_or(Meant::Key(&key), Meant::Id), &value);
                        let most = if one { 1 } else { usize::MAX };
                        let same = plain.iter_mut().filter(|(other, _)| *other == key);
                        same.take(most).for_each(|entry| entry.1.clone_from(&value));
                    }
                    Step::Remove(key, true) => {
                        if let Some(id) = entries.first(Meant::Key(&key)).map(|entry| entry.id) {
                            entries.remove(Meant::Id(id));
                            let at = plain.iter().position(|(other, _)| *other == key).unwrap();
                            plain.remove(at);
                        }
                    }
                    Step::Remove(key, false) => {
                        entries.remove(Meant::Key(&key));
                        plain.retain(|(other, _)| *other != key);
                    }
                }
                let now: Vec<_> =
                    entries.iter().map(|entry| (entry.key.to_string(), entry.value.to_string())).collect();
                prop_assert_eq!(&now, &plain);
                prop_assert!(entries.is_sorted_by_key(|entry| entry.id));
            }
        }
    }
}
