//! Lists of an ACL's patterns.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tandem_parser::lex::Word;
use tandem_parser::span::Span;

use super::super::Language;
use super::super::pattern::Operator;
use super::{Kind, MOST_CHANGED, keys, pairs, words_of_line};
use crate::expr::pattern::{self as index, Pattern};
use crate::ir::entries::{Entries, Entry};
use crate::ir::pattern::{MatchMethod, PatternIndex, PatternSet};
use crate::ir::reference::{Index, Newer, Origin, Reference, User};

/// The patterns of an ACL line: those of its files, then those of the line itself.
pub(super) struct Line {
    pub(super) kind: Kind,
    pub(super) newer: Arc<Newer<PatternSet>>,
    pub(super) lists: Vec<Weak<Reference>>,
    pub(super) turn: Mutex<()>,
    pub(super) now: Mutex<Now>,
}

/// The index of a line, and what was removed and added since it was made, see [`PatternSet`].
pub(super) struct Now {
    pub(super) index: Arc<PatternIndex>,
    pub(super) gone: Vec<Pattern>,
    pub(super) added: Vec<Pattern>,
}

impl Line {
    /// What has changed since the index was made holds from now on. False: it is too much.
    fn tell(&self, now: &Now) -> bool {
        if now.gone.len() + now.added.len() > MOST_CHANGED {
            return false;
        }
        let build = |patterns: &[Pattern]| {
            index::build(self.kind.method, self.kind.ignore_case, patterns, Arc::from([]))
        };
        let few = |patterns: &[Pattern]| match patterns {
            [] => Ok(None),
            _ => build(patterns).map(|set| Some(Arc::new(set))),
        };
        let (Ok(mut set), Ok(gone), Ok(added)) = (build(&[]), few(&now.gone), few(&now.added)) else {
            return false;
        };
        set.index = now.index.clone();
        (set.gone, set.added) = (gone, added);
        self.newer.set(set);
        true
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
        let Line { kind, newer, lists, now, .. } = &*self.line;
        let (mut patterns, mut written) = (Vec::new(), Vec::new());
        let mut take = |entries: &[Entry]| {
            entries.iter().try_for_each(|entry| {
                patterns.push(kind.read(&entry.key)?);
                written.push(Box::from(&*entry.key));
                Ok::<(), String>(())
            })
        };
        for (at, list) in lists.iter().enumerate() {
            match list.upgrade() {
                Some(list) if at != self.place => take(&list.contents().entries)?,
                _ => take(mine)?,
            }
        }
        let set = index::build(kind.method, kind.ignore_case, &patterns, written.into())?;
        *now.lock() = Now { index: set.index.clone(), gone: Vec::new(), added: Vec::new() };
        newer.set(set);
        Ok(())
    }

    fn is_extendable(&self) -> bool {
        true
    }

    fn extend(&self, key: &str) -> bool {
        let Ok(pattern) = self.line.kind.read(key) else { return false };
        let mut now = self.line.now.lock();
        now.added.push(pattern);
        let told = self.line.tell(&now);
        if !told {
            now.added.pop();
        }
        told
    }

    fn is_forgetful(&self) -> bool {
        use MatchMethod::{Beg, Bin, End, Int, Ip, Len, Str};
        // Of the others any two may match the same.
        matches!(self.line.kind.method, Str | Bin | Beg | End | Int | Len | Ip)
    }

    fn forget(&self, key: &str) -> bool {
        let Line { kind, lists, now, .. } = &*self.line;
        let Ok(pattern) = kind.pattern(key) else { return false };
        // What others match of what this one does they go on matching.
        let mut others = Vec::new();
        for list in lists.iter().filter_map(Weak::upgrade) {
            for entry in list.contents().entries.iter() {
                match kind.meeting(&pattern, &entry.key) {
                    Some(Some(other)) if others.len() < MOST_CHANGED => others.push(other),
                    Some(None) => {}
                    _ => return false,
                }
            }
        }
        let mut now = now.lock();
        now.added.retain(|added| *added != pattern && !others.contains(added));
        now.added.append(&mut others);
        now.gone.push(pattern);
        self.line.tell(&now)
    }

    fn check(&self, key: &str, _: &str) -> Result<(), String> {
        self.line.kind.read(key).map(drop)
    }

    fn find(&self, entries: &mut Entries, text: &str) -> Option<usize> {
        self.line.kind.find(entries, text)
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
        criterion: (&str, Span),
        files: Vec<(&Word, String)>,
        as_map: bool,
        words: &[Box<str>],
    ) {
        let Some(all) = self.world.references() else { return };
        let place = self.world.place(criterion.1);
        let parse = if as_map { pairs } else { keys };
        let mut lists: Vec<Arc<Reference>> =
            files.iter().map(|(name, text)| all.file(name, text, parse)).collect();
        let origin = Origin::Line { keyword: criterion.0.into(), place: place.clone() };
        lists.push(all.add(origin, words.iter().flat_map(|word| [&**word, "\0"]).collect(), words_of_line));
        let newer: Arc<Newer<PatternSet>> = Arc::default();
        set.newer = Some(newer.clone());
        let now = Mutex::new(Now { index: set.index.clone(), gone: Vec::new(), added: Vec::new() });
        let whole = lists.iter().map(Arc::downgrade).collect();
        let line = Arc::new(Line { kind, newer, lists: whole, turn: Mutex::default(), now });
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
