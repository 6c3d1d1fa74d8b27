//! Lists of an ACL's patterns.

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tandem_parser::lex::Word;
use tandem_parser::span::Span;

use super::super::Language;
use super::super::pattern::Operator;
use super::read::ReadKeys;
use super::{Kind, MOST_CHANGED, keys, pairs, words_of_line};
use crate::expr::Sample;
use crate::expr::pattern::numbers::{are_known, numbers};
use crate::expr::pattern::{self as index, Pattern};
use crate::ir::entries::{Entries, Entry, Meant};
use crate::ir::pattern::{MatchMethod, PatternSet};
use crate::ir::reference::{Index, Newer, Origin, Reference, User};

/// How a line begins.
pub(in super::super) struct Written<'w> {
    /// The criterion.
    pub(in super::super) keyword: &'w str,
    pub(in super::super) at: Span,
    /// `-u`.
    pub(in super::super) id: Option<u32>,
}

/// The patterns of an ACL line: those of its files, then those of the line itself.
pub(super) struct Line {
    kind: Kind,
    newer: Arc<Newer<PatternSet>>,
    lists: Vec<Weak<Reference>>,
    turn: Mutex<()>,
    now: Mutex<Now>,
    /// Of each list.
    read: Box<[Mutex<ReadKeys>]>,
}

/// The index of a line, and what was removed and added since it was made, see [`PatternSet`].
#[derive(Default)]
struct Now {
    /// The index, without what changed since.
    made: Option<PatternSet>,
    gone: Vec<Pattern>,
    dropped: HashSet<u32>,
    added: Vec<Added>,
    /// The index of these.
    added_set: Option<Arc<PatternSet>>,
}

/// A pattern that came later than the index.
#[derive(PartialEq)]
struct Added {
    key: Box<str>,
    pattern: Pattern,
}

impl Now {
    fn new(made: PatternSet) -> Self {
        Self { made: Some(made), ..Self::default() }
    }
}

impl Line {
    /// A line of these lists, whose index is that of this set.
    pub(super) fn new(
        kind: Kind,
        newer: Arc<Newer<PatternSet>>,
        lists: &[Arc<Reference>],
        made: PatternSet,
    ) -> Self {
        Self {
            kind,
            newer,
            lists: lists.iter().map(Arc::downgrade).collect(),
            turn: Mutex::default(),
            // It is what stands in the place of another, and follows nothing.
            now: Mutex::new(Now::new(PatternSet { newer: None, ..made })),
            read: lists.iter().map(|_| Mutex::default()).collect(),
        }
    }

    /// What has changed since the index was made holds from now on. False: it is too much.
    fn tell(&self, now: &mut Now) -> bool {
        if now.gone.len() + now.dropped.len() + now.added.len() > MOST_CHANGED {
            return false;
        }
        let few = |patterns: &[Pattern]| match patterns {
            [] => Ok(None),
            _ => index::build(self.kind.method, self.kind.ignore_case, patterns, Arc::from([]))
                .map(|set| Some(Arc::new(set))),
        };
        let added: Vec<Pattern> = now.added.iter().map(|added| added.pattern.clone()).collect();
        let (Some(made), Ok(gone), Ok(added)) = (&now.made, few(&now.gone), few(&added)) else {
            return false;
        };
        let dropped = (!now.dropped.is_empty()).then(|| Arc::new(now.dropped.clone()));
        self.newer.set(PatternSet { gone, dropped, added: added.clone(), ..made.clone() });
        now.added_set = added;
        true
    }

    fn lists(&self) -> impl Iterator<Item = (Arc<Reference>, &Mutex<ReadKeys>)> {
        self.lists.iter().zip(&self.read).filter_map(|(list, read)| Some((list.upgrade()?, read)))
    }

    /// A key of which no list has another: each pattern matches by itself.
    fn drop_key(&self, key: &str) -> bool {
        let Ok(pattern) = self.kind.pattern(key) else { return false };
        if self.lists().any(|(list, _)| list.contents().entries.first(Meant::Key(key)).is_some()) {
            return true;
        }
        let mut now = self.now.lock();
        let Some(made) = &now.made else { return false };
        let same: Vec<u32> =
            (0..).zip(made.written.iter()).filter(|(_, other)| ***other == *key).map(|(n, _)| n).collect();
        now.dropped.extend(same);
        now.added.retain(|added| added.pattern != pattern);
        self.tell(&mut now)
    }

    /// A key whose pattern covers some of what those of others match: they go on matching it.
    fn uncover(&self, key: &str) -> bool {
        let Ok(pattern) = self.kind.pattern(key) else { return false };
        let mut others = Vec::new();
        for (list, read) in self.lists() {
            let contents = list.contents();
            if !read.lock().meeting(&self.kind, &contents.entries, &pattern, &mut others) {
                return false;
            }
        }
        let mut others: Vec<Added> =
            others.into_iter().map(|(key, pattern)| Added { key, pattern }).collect();
        let mut now = self.now.lock();
        now.added.retain(|added| added.pattern != pattern && !others.contains(added));
        now.added.append(&mut others);
        now.gone.push(pattern);
        self.tell(&mut now)
    }

    /// The first entry among those whose patterns match, by the index.
    fn first(&self, entries: &mut Entries, sample: &Sample<'_>) -> Option<usize> {
        let now = self.now.lock();
        let made = now.made.as_ref()?;
        let indexed = numbers(made, sample).into_iter();
        let keys = indexed.filter_map(|number| made.written.get(number as usize)).map(|key| &**key);
        let later = now.added_set.iter().flat_map(|set| numbers(set, sample));
        let keys = keys.chain(later.filter_map(|number| now.added.get(number as usize)).map(|one| &*one.key));
        // Where a key is gone, it has no entry.
        keys.filter_map(|key| entries.positions(Meant::Key(key)).first().copied()).min()
    }
}

/// One of the lists of a [`Line`].
pub(super) struct Part {
    pub(super) line: Arc<Line>,
    pub(super) place: usize,
}

impl Index for Part {
    fn turn(&self) -> Option<&Mutex<()>> {
        Some(&self.line.turn)
    }

    fn rebuild(&self, mine: &[Entry]) -> Result<(), String> {
        let Line { kind, newer, lists, now, read, .. } = &*self.line;
        let (mut patterns, mut written) = (Vec::new(), Vec::new());
        let mut take = |entries: &[Entry]| {
            entries.iter().try_for_each(|entry| {
                patterns.push(kind.pattern(&entry.key)?);
                written.push(Box::from(&*entry.key));
                Ok::<(), String>(())
            })
        };
        let own = &lists[self.place];
        for list in lists {
            // A line may name a file twice.
            if list.ptr_eq(own) {
                take(mine)?;
            } else if let Some(list) = list.upgrade() {
                take(&list.contents().entries)?;
            }
        }
        let set = index::build(kind.method, kind.ignore_case, &patterns, written.into())?;
        *now.lock() = Now::new(set.clone());
        // The new entries may have numbers that are not above those of the old ones.
        read[self.place].lock().forget();
        newer.set(set);
        Ok(())
    }

    fn is_extendable(&self) -> bool {
        true
    }

    fn extend(&self, key: &str) -> bool {
        let Ok(pattern) = self.line.kind.read(key) else { return false };
        let mut now = self.line.now.lock();
        now.added.push(Added { key: key.into(), pattern });
        let told = self.line.tell(&mut now);
        if !told {
            now.added.pop();
        }
        told
    }

    fn is_forgetful(&self) -> bool {
        true
    }

    fn forget(&self, key: &str) -> bool {
        if are_known(self.line.kind.method) { self.line.drop_key(key) } else { self.line.uncover(key) }
    }

    fn check(&self, key: &str, _: &str) -> Result<(), String> {
        self.line.kind.read(key).map(drop)
    }

    fn find(&self, entries: &mut Entries, text: &str) -> Option<usize> {
        let Line { kind, read, .. } = &*self.line;
        match kind.method {
            MatchMethod::Int | MatchMethod::Len | MatchMethod::Ip => {
                read[self.place].lock().find(kind, entries, &kind.sample(text)?)
            }
            method if are_known(method) => self.line.first(entries, &kind.sample(text)?),
            _ => kind.find(entries, text),
        }
    }
}

/// A pattern of a line as one word, whatever operator stood before it.
pub(in super::super) fn as_one_word(pattern: &Pattern, text: &str, operator: Operator) -> Box<str> {
    match (pattern, operator) {
        (Pattern::Range(low, _), Operator::Ge | Operator::Gt) => format!("{low}:").into(),
        (Pattern::Range(_, high), Operator::Le | Operator::Lt) => format!(":{high}").into(),
        _ => text.into(),
    }
}

impl Language<'_> {
    /// Lets an ACL's patterns follow its files and the words of its line.
    pub(in super::super) fn follow_line(
        &mut self,
        set: &mut PatternSet,
        kind: Kind,
        written: Written<'_>,
        files: Vec<(&Word, String)>,
        as_map: bool,
        words: &[Box<str>],
    ) {
        let Some(all) = self.world.references() else { return };
        let place = self.world.place(written.at);
        let parse = if as_map { pairs } else { keys };
        let mut lists: Vec<Arc<Reference>> =
            files.iter().map(|(name, text)| all.file(name, text, parse)).collect();
        let own: String = words.iter().flat_map(|word| [&**word, "\0"]).collect();
        let origin = Origin::Line { keyword: written.keyword.into(), place: place.clone() };
        lists.push(all.add(origin, written.id, &own, words_of_line));
        let newer: Arc<Newer<PatternSet>> = Arc::default();
        set.newer = Some(newer.clone());
        let line = Arc::new(Line::new(kind, newer, &lists, set.clone()));
        for (at, list) in lists.iter().enumerate() {
            let mut users = list.users.lock();
            if users.is_empty() {
                // Of the words of a line there is no other.
                users.reserve_exact(1);
            }
            users.push(User {
                is_map: false,
                has_values: as_map && !list.file().is_empty(),
                place: place.clone(),
                method: kind.name(),
                ignore_case: kind.ignore_case,
                output: "",
                index: Box::new(Part { line: line.clone(), place: at }),
            });
        }
    }
}
