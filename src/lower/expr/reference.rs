//! Lists of patterns that commands may change: how the expressions that use them make their indexes anew.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tandem_parser::lex::Word;
use tandem_parser::span::Span;

use super::pattern::{METHODS, Operator, Spelling, method};
use super::{Language, World};
use crate::expr::Sample;
use crate::expr::conv::map_numbers;
use crate::expr::pattern as index;
use crate::expr::pattern::ordered::ordered_numbers;
use crate::expr::sample::leading_int;
use crate::ir::entries::Entry;
use crate::ir::expr::{Map, MapKeys};
use crate::ir::pattern::{MatchMethod, PatternIndex, PatternSet};
use crate::ir::reference::{Index, Newer, Origin, Reference, User};
use crate::ir::regex::Regex;
use crate::ir::table::Search;
use crate::ir::{Place, ProxyIdx, Userlist};

/// The world of patterns that come while running: they name nothing.
pub(super) struct Nowhere;

impl World for Nowhere {
    fn read(&self, _: &str, _: Span) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn var(&self, _: &str) -> Option<String> {
        None
    }
    fn hostname(&self) -> String {
        String::new()
    }
    fn resolve(&self, _: &str) -> Option<IpAddr> {
        None
    }
    fn offline(&self) -> bool {
        false
    }
    fn frontend(&self, _: &str) -> Option<ProxyIdx> {
        None
    }
    fn backend(&self, _: &str) -> Option<ProxyIdx> {
        None
    }
    fn server(&self, _: ProxyIdx, _: &str) -> Option<u32> {
        None
    }
    fn userlist(&self, _: &str) -> Option<Arc<Userlist>> {
        None
    }
    fn place(&self, _: Span) -> Place {
        Place::default()
    }
}

/// How the keys of a list are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) method: MatchMethod,
    pub(super) ignore_case: bool,
    pub(super) dotted: bool,
}

impl Kind {
    /// The pattern of a key that was read before.
    fn pattern(&self, key: &str) -> Result<index::Pattern, String> {
        let spelling = Spelling { method: self.method, dotted: self.dotted, no_dns: true, world: &Nowhere };
        spelling.read(key, Operator::Eq)
    }

    fn read(&self, key: &str) -> Result<index::Pattern, String> {
        let pattern = self.pattern(key)?;
        if self.method == MatchMethod::Reg {
            index::regex(key, self.ignore_case)?;
        }
        Ok(pattern)
    }

    fn name(&self) -> &'static str {
        METHODS.iter().find(|name| method(name) == Some(self.method)).copied().unwrap_or("str")
    }

    /// The entry that `text` finds: among those that match the longest of addresses, and prefixes, else the
    /// first.
    fn find(&self, entries: &[Entry], text: &str) -> Option<usize> {
        let sample = match self.method {
            MatchMethod::Int => Sample::Int(leading_int(text.as_bytes())),
            MatchMethod::Ip => Sample::ip(text.parse().ok()?),
            _ => Sample::text(text.as_bytes()),
        };
        let fits = |entry: &Entry| {
            let pattern = self.read(&entry.key).ok()?;
            let set =
                index::build(self.method, self.ignore_case, std::slice::from_ref(&pattern), Arc::from([]));
            index::matches(&set.ok()?, &sample).then_some(pattern)
        };
        let matching = entries.iter().enumerate().filter_map(|(at, entry)| Some((at, fits(entry)?)));
        let size = |(at, pattern): &(usize, index::Pattern)| match self.method {
            MatchMethod::Ip => network_rank(pattern, &sample),
            // Letter case is disregarded entry by entry, in their order.
            MatchMethod::Beg if !self.ignore_case => entries[*at].key.len(),
            _ => 0,
        };
        // The first of equals.
        matching.min_by_key(|one| std::cmp::Reverse(size(one))).map(|(at, _)| at)
    }
}

/// Networks of the address's own family come first, then those of the other, then masks with holes; the longest of each.
fn network_rank(pattern: &index::Pattern, sample: &Sample<'_>) -> usize {
    let is_v4 = matches!(sample, Sample::Ipv4(_));
    let class = match pattern {
        index::Pattern::Net4(_, mask) if mask.leading_ones() + mask.trailing_zeros() < 32 => 0,
        index::Pattern::Net4(..) => 1 + usize::from(is_v4),
        _ => 1 + usize::from(!is_v4),
    };
    class * 256 + super::map::specificity(pattern) as usize
}

/// The patterns of an ACL line: those of its files, then those of the line itself.
struct Line {
    kind: Kind,
    newer: Arc<Newer<PatternSet>>,
    lists: Vec<Weak<Reference>>,
    now: Mutex<Now>,
}

/// The index of a line, and what was added since it was made.
struct Now {
    index: Arc<PatternIndex>,
    added: Vec<index::Pattern>,
}

/// One of the lists of a [`Line`].
struct Part {
    line: Arc<Line>,
    place: usize,
}

impl Index for Part {
    fn rebuild(&self, mine: &[Entry]) -> Result<(), String> {
        let Line { kind, newer, lists, now } = &*self.line;
        let (mut patterns, mut written) = (Vec::new(), Vec::new());
        let mut take = |entries: &[Entry]| {
            entries.iter().try_for_each(|entry| {
                patterns.push(kind.read(&entry.key)?);
                written.push(entry.key.clone());
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
        *now.lock() = Now { index: set.index.clone(), added: Vec::new() };
        newer.set(set);
        Ok(())
    }

    fn is_extendable(&self) -> bool {
        true
    }

    fn extend(&self, key: &str) -> bool {
        let Line { kind, newer, now, .. } = &*self.line;
        let Ok(pattern) = kind.read(key) else { return false };
        let mut now = now.lock();
        if now.added.len() >= MOST_CHANGED {
            return false;
        }
        now.added.push(pattern);
        let build = |patterns| index::build(kind.method, kind.ignore_case, patterns, Arc::from([]));
        let (Ok(mut set), Ok(added)) = (build(&[]), build(&now.added)) else {
            now.added.pop();
            return false;
        };
        set.index = now.index.clone();
        set.added = Some(Arc::new(added));
        newer.set(set);
        true
    }

    fn check(&self, key: &str, _: &str) -> Result<(), String> {
        self.line.kind.read(key).map(drop)
    }

    fn find(&self, entries: &[Entry], text: &str) -> Option<usize> {
        self.line.kind.find(entries, text)
    }
}

/// A pattern of a line as one word, whatever operator stood before it.
pub(super) fn as_one_word(pattern: &index::Pattern, text: &str, operator: Operator) -> Box<str> {
    match (pattern, operator) {
        (index::Pattern::Range(low, _), Operator::Ge | Operator::Gt) => format!("{low}:").into(),
        (index::Pattern::Range(_, high), Operator::Le | Operator::Lt) => format!(":{high}").into(),
        _ => text.into(),
    }
}

/// Makes a map from its entries.
pub(super) type Make =
    Box<dyn Fn(&[(&str, &str)], &dyn Fn(&str) -> Option<Regex>) -> Result<Map, String> + Send + Sync>;

struct Lookup {
    kind: Kind,
    newer: Arc<Newer<Map>>,
    is_value: fn(&str) -> bool,
    make: Make,
    now: Mutex<Current>,
}

/// The map in use, sharing all of its parts, and the entries that came later than its index.
struct Current {
    map: Map,
    later: Vec<(Box<str>, Box<str>)>,
}

/// So many keys may differ from an index before that is made anew.
const MOST_CHANGED: usize = 512;

impl Lookup {
    /// The map of these entries, with the regular expressions that one of these maps has.
    fn make(&self, entries: &[(&str, &str)], known: &[&Map]) -> Result<Map, String> {
        let known_regex = |key: &str| {
            let numbers = |map: &&Map| match &map.keys {
                MapKeys::Ordered(keys) => match &keys.search {
                    Search::Regexes(regexes) => {
                        Some(regexes[*ordered_numbers(keys, key.as_bytes()).first()? as usize].clone())
                    }
                    _ => None,
                },
                _ => None,
            };
            known.iter().find_map(numbers)
        };
        (self.make)(entries, &known_regex)
    }

    /// The index of the entries that came later, when this one of them is another, or gone; `made` is that entry alone.
    fn later(
        &self,
        now: &mut Current,
        before: Option<&Map>,
        (key, value): (&str, Option<&str>),
        made: Option<&Map>,
    ) -> Result<Map, String> {
        let at = now.later.iter().position(|(known, _)| **known == *key);
        match (at, value) {
            (Some(at), Some(value)) => now.later[at].1 = value.into(),
            (Some(at), None) => drop(now.later.remove(at)),
            (None, Some(value)) => now.later.push((key.into(), value.into())),
            (None, None) => {}
        }
        let entries: Vec<_> = now.later.iter().map(|(key, value)| (&**key, &**value)).collect();
        let known: Vec<&Map> = before.into_iter().chain(made).collect();
        self.make(&entries, &known)
    }
}

impl Index for Lookup {
    fn rebuild(&self, entries: &[Entry]) -> Result<(), String> {
        let entries: Vec<(&str, &str)> = entries.iter().map(|e| (&*e.key, &*e.value)).collect();
        let mut now = self.now.lock();
        let later = now.map.changed.as_deref().and_then(|changed| changed.later.as_deref());
        let known: Vec<&Map> = std::iter::once(&now.map).chain(later).collect();
        let made = self.make(&entries, &known)?;
        *now = Current { map: made.clone(), later: Vec::new() };
        self.newer.set(made);
        Ok(())
    }

    fn is_amendable(&self, several: bool) -> bool {
        // Where the first entry counts, it matters which of several is gone.
        !several || matches!(self.kind.method, MatchMethod::Str | MatchMethod::Beg | MatchMethod::Ip)
    }

    fn amend(&self, key: &str, value: Option<&str>) -> bool {
        let mut now = self.now.lock();
        let mut changed = now.map.changed.as_deref().cloned().unwrap_or_default();
        let (Ok(pattern), Ok(made)) =
            (self.kind.pattern(key), value.map(|value| self.make(&[(key, value)], &[])).transpose())
        else {
            return false;
        };
        let yields = made.as_ref().and_then(|made| made.values.first().cloned());
        if let MapKeys::Exact(_) = now.map.keys {
            changed.keys.insert(key.as_bytes().into(), yields);
        } else {
            let mut standing = map_numbers(&now.map.keys, key, &pattern);
            standing.retain(|number| !matches!(changed.numbers.get(number), Some(None)));
            if standing.is_empty() {
                let before = changed.later.take();
                match self.later(&mut now, before.as_deref(), (key, value), made.as_ref()) {
                    Ok(later) => changed.later = Some(Arc::new(later)),
                    Err(_) => return false,
                }
            }
            // The first of equals counts, but all of them go.
            let touched = if yields.is_some() { standing.len().min(1) } else { standing.len() };
            changed.numbers.extend(standing[..touched].iter().map(|number| (*number, yields.clone())));
        }
        if changed.keys.len() + changed.numbers.len() + now.later.len() > MOST_CHANGED {
            return false;
        }
        now.map.changed = Some(Arc::new(changed));
        self.newer.set(now.map.clone());
        true
    }

    fn check(&self, key: &str, value: &str) -> Result<(), String> {
        if !(self.is_value)(value) {
            return Err(format!("unable to parse '{value}'"));
        }
        self.kind.read(key).map(drop)
    }

    fn find(&self, entries: &[Entry], text: &str) -> Option<usize> {
        self.kind.find(entries, text)
    }
}

fn pairs(text: &str) -> Vec<(Box<str>, Box<str>)> {
    super::pattern::entries(text).map(|(key, value)| (key.into(), value.into())).collect()
}

fn keys(text: &str) -> Vec<(Box<str>, Box<str>)> {
    super::pattern::lines(text).map(|key| (key.into(), Box::default())).collect()
}

/// The words of an ACL line, each with a zero byte behind it, which no word has.
fn words_of_line(text: &str) -> Vec<(Box<str>, Box<str>)> {
    text.split_terminator('\0').map(|word| (word.into(), Box::default())).collect()
}

impl Language<'_> {
    /// Lets an ACL's patterns follow its files and the words of its line.
    pub(super) fn follow_line(
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
        let now = Mutex::new(Now { index: set.index.clone(), added: Vec::new() });
        let line = Arc::new(Line { kind, newer, lists: lists.iter().map(Arc::downgrade).collect(), now });
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

    /// Lets a map follow its file.
    pub(super) fn follow_map(
        &mut self,
        map: &mut Map,
        at: Span,
        output: &'static str,
        text: &str,
        is_value: fn(&str) -> bool,
        make: Make,
    ) {
        let Some(all) = self.world.references() else { return };
        let file = all.file(&map.file, text, pairs);
        let newer: Arc<Newer<Map>> = Arc::default();
        let now = map.clone();
        map.newer = Some(newer.clone());
        let kind = Kind { method: map.method, ignore_case: false, dotted: false };
        file.users.lock().push(User {
            is_map: true,
            has_values: true,
            place: self.world.place(at),
            method: kind.name(),
            ignore_case: false,
            output,
            index: Box::new(Lookup {
                kind,
                newer,
                is_value,
                make,
                now: Mutex::new(Current { map: now, later: Vec::new() }),
            }),
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::map::{self, Output, make};
    use super::*;
    use crate::expr::conv::map_lookup;
    use crate::ir::entries::Meant;
    use crate::ir::expr::Value;
    use crate::ir::reference::{Deed, References};

    /// A list with these entries, and the map that follows it.
    fn followed(method: MatchMethod, substitute: bool, text: &str) -> (Arc<Reference>, Map, map::Kind) {
        let kind = map::Kind { file: "map".into(), method, output: Output::Text, substitute, default: None };
        let entries = pairs(text);
        let entries: Vec<(&str, &str)> = entries.iter().map(|(key, value)| (&**key, &**value)).collect();
        let made = make(&kind, &entries, &|_| None).unwrap();
        let newer: Arc<Newer<Map>> = Arc::default();
        let again = kind.clone();
        let index = Lookup {
            kind: Kind { method, ignore_case: false, dotted: false },
            newer: newer.clone(),
            is_value: |_| true,
            make: Box::new(move |entries, known| make(&again, entries, known)),
            now: Mutex::new(Current { map: made.clone(), later: Vec::new() }),
        };
        let list = References::default().file("map", text, pairs);
        list.users.lock().push(User {
            is_map: true,
            place: Place::default(),
            has_values: true,
            method: "any",
            ignore_case: false,
            output: "str",
            index: Box::new(index),
        });
        (list, Map { newer: Some(newer), ..made }, kind)
    }

    fn now(map: &Map) -> Map {
        match map.newer.as_ref().and_then(|newer| newer.get()).as_deref() {
            Some(Some(newer)) => (**newer).clone(),
            _ => map.clone(),
        }
    }

    proptest! {
        #[test]
        fn a_map_that_was_changed_finds_what_one_made_anew_finds(
            (method, keys) in prop::sample::select(vec![
                (MatchMethod::Str, ["a", "ab", "abc", "b", "ba", "c"]),
                (MatchMethod::Beg, ["a", "ab", "abc", "b", "ba", "c"]),
                (MatchMethod::End, ["a", "ba", "cba", "b", "ab", "c"]),
                (MatchMethod::Sub, ["a", "ab", "abc", "b", "ba", "c"]),
                (MatchMethod::Dir, ["a", "ab", "b/a", "b", "/ba/", "c"]),
                (MatchMethod::Dom, ["a", "ab", "b.a", "b", ".ba", "c"]),
                (MatchMethod::Reg, ["a", "^ab", "abc$", "b.", "ba", "c|d"]),
                (MatchMethod::Int, ["1", "1:5", "3:9", "7", "2:2", "8:"]),
                (MatchMethod::Ip, ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "0.0.0.0/0", "::/0", "10.0.2.0/255.0.255.0"]),
            ]),
            start in prop::collection::vec((0usize..6, 0u32..3), 0..6),
            deeds in prop::collection::vec((0usize..6, 0u32..3, 0u32..4), 1..12),
        ) {
            let text: String = start.iter().map(|(key, value)| format!("{} v{value}\n", keys[*key])).collect();
            let (list, map, kind) = followed(method, false, &text);
            for (key, value, deed) in deeds {
                let (key, value) = (keys[key], format!("w{value}"));
                match deed {
                    0 => list.apply(key, Deed::Delete).unwrap(),
                    1 => list.change_key(key, |contents| {
                        contents.entries.push(Entry::new(key, &value));
                    }).unwrap(),
                    // One of several with the same key.
                    2 => {
                        let id = list.contents().entries.iter().rfind(|e| *e.key == *key).map(|e| e.id);
                        if let Some(id) = id {
                            list.change_key(key, |contents| contents.entries.remove(Meant::Id(id))).unwrap();
                        }
                    }
                    _ => list.apply(key, Deed::Set(&value)).unwrap(),
                }
                let entries = list.contents().entries.clone();
                let entries: Vec<(&str, &str)> = entries.iter().map(|e| (&*e.key, &*e.value)).collect();
                let (anew, changed) = (make(&kind, &entries, &|_| None).unwrap(), now(&map));
                for text in ["a/b.a", "c.b/a/ba", "a", "ab", "abc", "cba", "ba", "bb", "c", "x", "1", "2", "4", "8", "10.1.2.3", "10.9.2.1", "::1"] {
                    let sample = match method {
                        MatchMethod::Int => Sample::Int(text.parse().unwrap_or(0)),
                        MatchMethod::Ip => Sample::ip(text.parse().unwrap_or(IpAddr::from([10, 1, 7, 7]))),
                        _ => Sample::text(text.as_bytes()),
                    };
                    let (found, want) = (map_lookup(&changed, &sample), map_lookup(&anew, &sample));
                    prop_assert_eq!(found, want, "{} after {:?}", text, entries);
                }
            }
        }
    }

    #[test]
    fn an_index_is_made_anew_when_too_much_of_it_has_changed() {
        let text: String = (0..2000).map(|n| format!("/k{n}/ v\n")).collect();
        let (list, map, _) = followed(MatchMethod::Beg, false, &text);
        for n in 0..2000 {
            list.apply(&format!("/k{n}/"), Deed::Set(&format!("w{n}"))).unwrap();
            let found = now(&map);
            let changed = found.changed.as_ref().map_or(0, |changed| changed.numbers.len());
            assert!(changed <= MOST_CHANGED);
            let sample = format!("/k{n}/x");
            let want = Value::Str(format!("w{n}").into_bytes().into());
            assert_eq!(map_lookup(&found, &Sample::text(sample.as_bytes())), Some(&want));
        }
        list.clear().unwrap();
        assert_eq!(map_lookup(&now(&map), &Sample::text(b"/k1/")), None);
    }
}
