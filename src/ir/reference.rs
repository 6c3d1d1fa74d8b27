//! Lists of patterns (`-f`, `map`, and those written in ACL lines): what commands of the stats socket may change while
//! running.
//!
//! The expressions that use a list hold an index of their own, made for their kind of match. A [`User`] knows how to
//! make it anew.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwapOption, Guard};
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};

use super::Place;
use super::entries::{Entries, Entry, Meant};

/// What a list holds, with the versions that are being prepared.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The version in use.
    pub current: u32,
    /// The newest version that was prepared.
    pub next: u32,
    /// Entries of the version in use, in order.
    pub entries: Entries,
    /// Entries of versions that are being prepared.
    pub prepared: Vec<(u32, Entry)>,
}

/// Takes the keys and values out of a text.
pub type Parse = for<'t> fn(&'t str) -> Box<dyn Iterator<Item = (&'t str, &'t str)> + 't>;

/// What a list holds. Most are never asked for: until then only the text is kept.
#[derive(Debug)]
struct Held {
    unread: Option<(Arc<str>, Parse)>,
    contents: Contents,
}

/// What an expression does with the entries of a list.
pub trait Index: Send + Sync {
    /// Held while a list of this index changes, if it is made of several: it is told of one change at a time, and when it
    /// looks at the other lists, no change of theirs is half done.
    fn turn(&self) -> Option<&Mutex<()>> {
        None
    }
    /// Makes the index of the expression anew.
    ///
    /// # Errors
    /// Which pattern is wrong; nothing is changed then.
    fn rebuild(&self, entries: &[Entry]) -> Result<(), String>;
    /// Whether it can be told of single keys. `several`: there is, or was, more than one entry with that key.
    fn is_amendable(&self, several: bool) -> bool {
        let _ = several;
        false
    }
    /// From now on this key yields this value; `None`: nothing. False: make the index anew.
    fn amend(&self, key: &str, value: Option<&str>) -> bool {
        let _ = (key, value);
        false
    }
    /// Whether it can be told of keys that are new.
    fn is_extendable(&self) -> bool {
        false
    }
    /// From now on there is this key, too. False: make the index anew.
    fn extend(&self, key: &str) -> bool {
        let _ = key;
        false
    }
    /// Whether the expression could use this entry.
    ///
    /// # Errors
    /// Why not.
    fn check(&self, key: &str, value: &str) -> Result<(), String>;
    /// Whether it can be told that a key is gone.
    fn is_forgetful(&self) -> bool {
        false
    }
    /// From now on there is this key no more: the lists that it is made of have been changed, and none is locked. False: make
    /// the index anew.
    fn forget(&self, key: &str) -> bool {
        let _ = key;
        false
    }
    /// The entry that a value finds.
    fn find(&self, entries: &mut Entries, text: &str) -> Option<usize>;
}

/// An expression that uses a list.
pub struct User {
    /// A converter `map`; otherwise an ACL.
    pub is_map: bool,
    /// Where.
    pub place: Place,
    /// The file has keys and values (`map`, `-M`).
    pub has_values: bool,
    /// Name of the match method, as `-m` or the map's name has it.
    pub method: &'static str,
    /// `-i`.
    pub ignore_case: bool,
    /// Type of the values: `str`, `sint`, `ip`; empty in ACLs.
    pub output: &'static str,
    /// Its index.
    pub index: Box<dyn Index>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("place", &self.place)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// Waits until none of the indexes is told of another list. All in one order: no two changes wait for each other.
fn turns_of(users: &[User]) -> Vec<MutexGuard<'_, ()>> {
    let address = |turn: &&Mutex<()>| std::ptr::from_ref(*turn).addr();
    let mut turns: Vec<&Mutex<()>> = users.iter().filter_map(|user| user.index.turn()).collect();
    turns.sort_unstable_by_key(address);
    turns.dedup_by_key(|turn| address(turn));
    turns.into_iter().map(Mutex::lock).collect()
}

/// Where the patterns of a list come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file, by its name as written.
    File(Box<str>),
    /// The words of an ACL line.
    Line {
        /// The criterion.
        keyword: Box<str>,
        /// Where.
        place: Place,
    },
}

/// A list of patterns.
#[derive(Debug)]
pub struct Reference {
    /// The number that its line gives it (`-u`), see [`References::all`].
    id: Option<u32>,
    /// Where it comes from.
    pub origin: Origin,
    held: Mutex<Held>,
    changed: AtomicBool,
    /// Held while it changes: changes take turns.
    turn: Mutex<()>,
    /// Who uses it.
    pub users: Mutex<Vec<User>>,
}

impl Reference {
    /// What it holds now.
    pub fn contents(&self) -> MappedMutexGuard<'_, Contents> {
        MutexGuard::map(self.held.lock(), |held| {
            if let Some((text, parse)) = held.unread.take() {
                held.contents.entries = Entries::of_text(&text, parse(&text));
            }
            &mut held.contents
        })
    }

    /// Whether some map uses it, or some ACL.
    #[must_use]
    pub fn serves(&self, maps: bool) -> bool {
        self.users.lock().iter().any(|user| user.is_map == maps)
    }

    /// Whether its lines have values behind their keys.
    #[must_use]
    pub fn has_values(&self) -> bool {
        self.users.lock().first().is_some_and(|user| user.has_values)
    }

    /// The file; empty if it has none.
    #[must_use]
    pub fn file(&self) -> &str {
        match &self.origin {
            Origin::File(name) => name,
            Origin::Line { .. } => "",
        }
    }

    /// Whether every expression could use this entry.
    ///
    /// # Errors
    /// Why one cannot.
    pub fn check(&self, key: &str, value: &str) -> Result<(), String> {
        self.users.lock().iter().try_for_each(|user| user.index.check(key, value))
    }

    /// Whether commands changed what is in use.
    #[must_use]
    pub fn was_changed(&self) -> bool {
        self.changed.load(Ordering::Acquire)
    }

    /// Changes what is in use: every expression makes its index anew, or nothing is changed.
    ///
    /// # Errors
    /// Why an expression cannot use what it would have to.
    pub fn change(&self, act: impl FnOnce(&mut Contents)) -> Result<(), String> {
        let turn = self.turn.lock();
        self.change_all(&turn, act)
    }

    /// Changes what no expression uses: versions that are being prepared, and their numbers.
    pub fn change_prepared<R>(&self, act: impl FnOnce(&mut Contents) -> R) -> R {
        let _turn = self.turn.lock();
        act(&mut self.contents())
    }

    /// Empties what is in use.
    ///
    /// # Errors
    /// As [`Self::change`]; no expression has trouble with nothing.
    pub fn clear(&self) -> Result<(), String> {
        let _turn = self.turn.lock();
        let users = self.users.lock();
        let _turns = turns_of(&users);
        users.iter().try_for_each(|user| user.index.rebuild(&[]))?;
        drop(std::mem::take(&mut self.contents().entries));
        self.changed.store(true, Ordering::Release);
        Ok(())
    }

    fn change_all(&self, _turn: &MutexGuard<'_, ()>, act: impl FnOnce(&mut Contents)) -> Result<(), String> {
        let mut after = self.contents().clone();
        act(&mut after);
        let users = self.users.lock();
        let _turns = turns_of(&users);
        for (at, user) in users.iter().enumerate() {
            if let Err(why) = user.index.rebuild(&after.entries) {
                let before = self.contents().clone();
                for user in &users[..at] {
                    // These patterns were good a moment ago.
                    let _ = user.index.rebuild(&before.entries);
                }
                return Err(why);
            }
        }
        *self.contents() = after;
        self.changed.store(true, Ordering::Release);
        Ok(())
    }
}

impl Reference {
    /// The same where all that changes is about one key, and every entry passes [`Self::check`]: in a long list it costs
    /// little to tell the indexes of it.
    ///
    /// # Errors
    /// Why an expression cannot use what it would have to.
    pub fn change_key(&self, key: &str, act: impl FnOnce(&mut Contents)) -> Result<(), String> {
        let turn = self.turn.lock();
        let count = self.contents().entries.positions(Meant::Key(key)).len();
        let follows = |user: &User| {
            let index = &user.index;
            index.is_amendable(count > 1) || index.is_extendable() && (count == 0 || index.is_forgetful())
        };
        if !self.users.lock().iter().all(follows) {
            return self.change_all(&turn, act);
        }
        let users = self.users.lock();
        let _turns = turns_of(&users);
        let mut contents = self.contents();
        act(&mut contents);
        let now = contents.entries.first(Meant::Key(key)).map(|entry| entry.value.clone());
        let now = now.as_deref();
        let told = |user: &&User| match (user.index.is_amendable(count > 1), now) {
            (true, _) => user.index.amend(key, now),
            (false, Some(_)) => user.index.extend(key),
            (false, None) => count == 0,
        };
        let mut behind: Vec<&User> = users.iter().filter(|user| !told(user)).collect();
        let is_gone = now.is_none();
        // An index of several lists looks at all of them: this one is let go meanwhile.
        drop(contents);
        behind.retain(|user| !(is_gone && user.index.forget(key)));
        if !behind.is_empty() {
            let entries = self.contents().entries.clone();
            behind.iter().try_for_each(|user| user.index.rebuild(&entries))?;
        }
        self.changed.store(true, Ordering::Release);
        Ok(())
    }
}

/// What a rule does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed<'a> {
    /// `add-acl`: unless it is there.
    Add,
    /// `set-map`: a new value, or a new entry.
    Set(&'a str),
    /// `del-acl`, `del-map`.
    Delete,
}

impl Reference {
    /// Does what a rule asks for.
    ///
    /// # Errors
    /// Why an expression could not use it.
    pub fn apply(&self, key: &str, deed: Deed<'_>) -> Result<(), String> {
        let meant = Meant::Key(key);
        let known = self.contents().entries.first(meant).map(|entry| entry.value.clone());
        let value = match (deed, &known) {
            (Deed::Add, Some(_)) | (Deed::Delete, None) => return Ok(()),
            (Deed::Set(value), Some(now)) if **now == *value => return Ok(()),
            (Deed::Delete, Some(_)) => {
                return self.change_key(key, |contents| contents.entries.remove(meant));
            }
            (Deed::Add, None) => "",
            (Deed::Set(value), _) => value,
        };
        self.check(key, value)?;
        self.change_key(key, |contents| match contents.entries.first(meant) {
            Some(_) => contents.entries.set(meant, value),
            None => contents.entries.push(Entry::new(key, value)),
        })
    }
}

/// A list by its file, whichever line speaks of it first.
#[derive(Clone, Debug)]
pub struct Named {
    all: References,
    file: Box<str>,
    found: Arc<OnceLock<Arc<Reference>>>,
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

impl Eq for Named {}

impl Named {
    /// The list of this file in `all`.
    #[must_use]
    pub fn new(all: References, file: &str) -> Self {
        Self { all, file: file.into(), found: Arc::default() }
    }

    /// The list; an empty one if nothing reads the file.
    #[must_use]
    pub fn get(&self) -> &Arc<Reference> {
        self.found.get_or_init(|| self.all.file(&self.file, "", |_| Box::new(std::iter::empty())))
    }
}

/// All lists of patterns of a configuration.
#[derive(Clone, Debug, Default)]
pub struct References(Arc<Mutex<Vec<Arc<Reference>>>>);

impl References {
    /// The file with this name; at first, with what is in this text.
    pub fn file(&self, name: &str, text: &str, parse: Parse) -> Arc<Reference> {
        let known =
            self.0.lock().iter().find(|one| matches!(&one.origin, Origin::File(n) if **n == *name)).cloned();
        known.unwrap_or_else(|| self.add(Origin::File(name.into()), None, text, parse))
    }

    /// Whether the lines of this file have values behind their keys; `None`: nothing reads it yet.
    #[must_use]
    pub fn has_values(&self, file: &str) -> Option<bool> {
        let all = self.0.lock();
        let list = all.iter().find(|one| matches!(&one.origin, Origin::File(name) if **name == *file))?;
        list.users.lock().first().map(|user| user.has_values)
    }

    /// Whether a list was given this number.
    #[must_use]
    pub fn is_taken(&self, id: u32) -> bool {
        self.0.lock().iter().any(|one| one.id == Some(id))
    }

    /// A list of its own, of this number if its line gives one.
    pub fn add(&self, origin: Origin, id: Option<u32>, text: &str, parse: Parse) -> Arc<Reference> {
        let mut all = self.0.lock();
        let reference = Arc::new(Reference {
            id,
            origin,
            held: Mutex::new(Held { unread: Some((text.into(), parse)), contents: Contents::default() }),
            changed: AtomicBool::new(false),
            turn: Mutex::new(()),
            users: Mutex::default(),
        });
        all.push(reference.clone());
        reference
    }

    /// All of them with their numbers on the stats socket, by these: who was given none has the first that is free.
    #[must_use]
    pub fn all(&self) -> Vec<(u32, Arc<Reference>)> {
        let all = self.0.lock();
        let given: BTreeSet<u32> = all.iter().filter_map(|one| one.id).collect();
        let mut free = (0..u32::MAX).filter(|number| !given.contains(number));
        let mut number = |one: &Reference| one.id.or_else(|| free.next()).unwrap_or(u32::MAX);
        let mut all: Vec<_> = all.iter().map(|one| (number(one), one.clone())).collect();
        all.sort_by_key(|(number, _)| *number);
        all
    }
}

/// A number that no entry of this process had.
#[must_use]
pub fn fresh_id() -> u64 {
    fresh_ids(1).next().unwrap_or_default()
}

/// So many of them, one above the other.
pub fn fresh_ids(count: usize) -> impl Iterator<Item = u64> {
    use std::sync::atomic::AtomicU64;
    // They look like the addresses that HAProxy shows there.
    const STEP: u64 = 0x10;
    static NEXT: AtomicU64 = AtomicU64::new(0x5500_0000_1000);
    let first = NEXT.fetch_add(STEP * count as u64, Ordering::Relaxed);
    (0..count as u64).map(move |nth| first + nth * STEP)
}

/// What took the place of something that the configuration made. Costs one look at a flag until then.
#[derive(Debug)]
pub struct Newer<T> {
    changed: AtomicBool,
    now: ArcSwapOption<T>,
    followers: Mutex<Vec<Arc<AtomicBool>>>,
}

impl<T> Default for Newer<T> {
    fn default() -> Self {
        Self { changed: AtomicBool::new(false), now: ArcSwapOption::empty(), followers: Mutex::default() }
    }
}

impl<T> Newer<T> {
    /// What is to be used in place of the original; `None`: that itself.
    #[must_use]
    pub fn get(&self) -> Option<Guard<Option<Arc<T>>>> {
        self.changed.load(Ordering::Acquire).then(|| self.now.load())
    }

    /// Takes the place of what was used so far.
    pub fn set(&self, now: T) {
        self.now.store(Some(Arc::new(now)));
        self.changed.store(true, Ordering::Release);
        self.followers.lock().iter().for_each(|flag| flag.store(true, Ordering::Release));
    }

    /// Raises this flag when the original is used no more.
    pub fn tell(&self, flag: Arc<AtomicBool>) {
        flag.fetch_or(self.changed.load(Ordering::Acquire), Ordering::AcqRel);
        self.followers.lock().push(flag);
    }
}
