//! Lists that are changed find what lists made anew find.

use parking_lot::Mutex;
use proptest::prelude::*;

use super::super::map::{self, Output, make};
use super::acl::{Line, Part};
use super::map::{Current, Lookup};
use super::*;
use crate::expr::conv::map_lookup;
use crate::expr::pattern as index;
use crate::ir::entries::Meant;
use crate::ir::expr::{Map, Value};
use crate::ir::pattern::PatternSet;
use crate::ir::reference::{Deed, Newer, Origin, Reference, References, User};

/// A list with these entries, and the map that follows it.
fn followed(method: MatchMethod, substitute: bool, text: &str) -> (Arc<Reference>, Map, map::Kind) {
    let kind = map::Kind { file: "map".into(), method, output: Output::Text, substitute, default: None };
    let entries: Vec<(&str, &str)> = pairs(text).collect();
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
                let is_read = match method {
                    MatchMethod::Int => text.parse::<i64>().is_ok(),
                    MatchMethod::Ip => text.parse::<IpAddr>().is_ok(),
                    _ => true,
                };
                if !is_read {
                    continue;
                }
                let users = list.users.lock();
                let at = users[0].index.find(&mut list.contents().entries, text);
                let of_entry = at.map(|at| Value::Str(entries[at].1.as_bytes().into()));
                prop_assert_eq!(of_entry.as_ref(), want, "the entry of {} after {:?}", text, entries);
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

/// Lists of a line, the first of a file.
fn line<const N: usize>(
    method: MatchMethod,
    ignore_case: bool,
    texts: [&str; N],
) -> ([Arc<Reference>; N], Arc<Newer<PatternSet>>) {
    let all = References::default();
    let place = Place::default();
    let mut number = 0;
    let lists = texts.map(|text| {
        number += 1;
        match number {
            1 => all.file("list", text, keys),
            _ => all.add(Origin::Line { keyword: "src".into(), place: place.clone() }, None, text, keys),
        }
    });
    let newer = line_of(method, ignore_case, &lists);
    (lists, newer)
}

/// A line of these lists.
fn line_of(method: MatchMethod, ignore_case: bool, lists: &[Arc<Reference>]) -> Arc<Newer<PatternSet>> {
    let newer: Arc<Newer<PatternSet>> = Arc::default();
    let kind = Kind { method, ignore_case, dotted: false };
    let made = index::build(method, ignore_case, &[], Arc::from([])).unwrap();
    let line = Arc::new(Line::new(kind, newer.clone(), lists, made));
    for (at, list) in lists.iter().enumerate() {
        list.users.lock().push(User {
            is_map: false,
            place: Place::default(),
            has_values: false,
            method: "any",
            ignore_case,
            output: "",
            index: Box::new(Part { line: line.clone(), place: at }),
        });
    }
    // The index is that of what stands in the lists.
    lists[0].change(|_| {}).unwrap();
    newer
}

#[test]
fn a_file_that_a_line_names_twice_is_empty_when_it_was_cleared() {
    for method in [MatchMethod::Str, MatchMethod::Sub] {
        let list = References::default().file("list", "a\nb\nc\n", keys);
        let newer = line_of(method, false, &[list.clone(), list.clone()]);
        let is_matched = |text: &[u8]| {
            let now = newer.get().unwrap();
            index::matches(now.as_ref().unwrap(), &Sample::text(text))
        };
        assert!(is_matched(b"a") && is_matched(b"b"), "{method:?}");
        list.apply("a", Deed::Delete).unwrap();
        assert!(!is_matched(b"a") && is_matched(b"b"), "{method:?}");
        list.clear().unwrap();
        assert!(!is_matched(b"b"), "{method:?}");
    }
}

/// While one list of a line forgets a word, and has seen that a second one has it not, that one gets it.
#[test]
fn what_one_list_gets_while_another_forgets_it_is_found() {
    for method in [MatchMethod::Str, MatchMethod::Sub] {
        let ([one, two, three], newer) = line(method, false, ["a\n", "", ""]);
        let known = Arc::strong_count(&three);
        let held = three.contents();
        std::thread::scope(|scope| {
            let forgets = scope.spawn(|| one.apply("a", Deed::Delete).unwrap());
            // It looks at the lists in their order, and waits for the last.
            while Arc::strong_count(&three) == known && !forgets.is_finished() {
                std::thread::yield_now();
            }
            let gets = scope.spawn(|| two.apply("a", Deed::Add).unwrap());
            // Unless it has to wait until the other has finished.
            let waits = || three.users.lock()[0].index.turn().is_some_and(Mutex::is_locked);
            while !waits() && !gets.is_finished() {
                std::thread::yield_now();
            }
            drop(held);
        });
        let now = newer.get().unwrap();
        assert!(index::matches(now.as_ref().unwrap(), &Sample::text(b"a")), "{method:?}");
    }
}

proptest! {
    #[test]
    fn a_line_that_was_changed_matches_what_one_made_anew_does(
        (method, words) in prop::sample::select(vec![
            (MatchMethod::Str, ["a", "ab", "AB", "b", "ba", "c"]),
            (MatchMethod::Beg, ["a", "ab", "aBc", "b", "ba", "c"]),
            (MatchMethod::End, ["a", "ba", "cbA", "b", "ab", "c"]),
            (MatchMethod::Sub, ["a", "ab", "aBc", "b", "ba", "c"]),
            (MatchMethod::Dir, ["a", "AB", "b/a", "b", "/ba/", "c"]),
            (MatchMethod::Dom, ["a", "AB", "b.a", "b", ".ba", "c"]),
            (MatchMethod::Reg, ["a", "^AB", "abc$", "(?=b).", "ba", "c|d"]),
            (MatchMethod::Int, ["1", "1:5", "3:9", "7", "2:2", "8:"]),
            (MatchMethod::Ip, ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "::ffff:10.0.0.0/104", "2001:db8::/32", "10.0.2.0/255.0.255.0"]),
        ]),
        ignore_case in any::<bool>(),
        start in prop::collection::vec((0usize..6, 0usize..2), 0..8),
        deeds in prop::collection::vec((0usize..6, 0usize..2, 0u32..4), 1..12),
    ) {
        let text = |which: usize| -> String {
            start.iter().filter(|(_, list)| *list == which).map(|(word, _)| format!("{}\n", words[*word])).collect()
        };
        let (lists, newer) = line(method, ignore_case, [&text(0), &text(1)]);
        let kind = Kind { method, ignore_case, dotted: false };
        for (word, list, deed) in deeds {
            let (word, list) = (words[word], &lists[list]);
            match deed {
                0 => list.apply(word, Deed::Add).unwrap(),
                1 => list.change_key(word, |contents| contents.entries.push(Entry::new(word, ""))).unwrap(),
                _ => list.apply(word, Deed::Delete).unwrap(),
            }
            let patterns: Vec<Pattern> = lists
                .iter()
                .flat_map(|list| list.contents().entries.iter().map(|e| kind.read(&e.key).unwrap()).collect::<Vec<_>>())
                .collect();
            let anew = index::build(method, ignore_case, &patterns, Arc::from([])).unwrap();
            let now = newer.get().unwrap();
            for text in ["a/b.a", "c.b/a/ba", "a", "ab", "AB", "abc", "cba", "b", "c", "x", "1", "2", "4", "8", "10.1.2.3", "10.9.2.1", "2001:db8::1"] {
                let Some(sample) = kind.sample(text) else { continue };
                let found = index::matches(now.as_ref().unwrap(), &sample);
                prop_assert_eq!(found, index::matches(&anew, &sample), "{} of {:?}", text, patterns);
                let at = lists[0].users.lock()[0].index.find(&mut lists[0].contents().entries, text);
                prop_assert_eq!(at, kind.search(&lists[0].contents().entries, text), "the entry of {}", text);
            }
        }
    }
}
