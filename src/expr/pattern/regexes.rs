//! Thousands of regular expressions: each in little memory, and a text is held against those alone whose parts it has.
//!
//! Of nearly every expression one can tell bytes that a text must have to match: `/section17/` of `^/section17/.*[.]html$`.
//! Of these each is looked for by what it shares with the fewest others, in the index of `sub`.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use regex_automata::nfa::thompson::{NFA, WhichCaptures};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassBytes, Hir, HirKind, Look};
use smallvec::SmallVec;

use super::ordered::MANY;
use super::{compiled, grams, lowered, table, translated};
use crate::ir::regex::{Compact, Regex};
use crate::ir::table::Regexes;

/// States of one expression take so many bytes at most.
const LARGEST: usize = 10 << 20;

/// A part that more expressions have than this tells little.
const MOST_SHARED: u32 = 64;

/// A regular expression of a list. `captures`: its groups matter.
///
/// # Errors
/// As of [`super::regex`].
pub fn listed(text: &str, ignore_case: bool, captures: bool) -> Result<Regex, String> {
    let translated = translated(text, captures)?;
    let compact = if translated.backtracks { None } else { compact(&translated.text, ignore_case, captures) };
    match compact {
        Some(compact) => Ok(Regex::Compact(Arc::new(compact))),
        None => compiled(text, &translated, ignore_case),
    }
}

/// `None`: another engine is better at it, or says what is wrong.
fn compact(text: &str, ignore_case: bool, captures: bool) -> Option<Compact> {
    let mut parser = ParserBuilder::new();
    let hir = parser.utf8(false).unicode(false).case_insensitive(ignore_case).build().parse(text).ok()?;
    let required = Required::of(&hir);
    let is_anchored = hir.properties().look_set_prefix().contains(Look::Start);
    if required.is_empty() && !is_anchored {
        return None;
    }
    let which = if captures { WhichCaptures::All } else { WhichCaptures::None };
    let config = NFA::config().utf8(false).nfa_size_limit(Some(LARGEST)).which_captures(which);
    let nfa = NFA::compiler().configure(config).build_from_hir(&hir).ok()?;
    Compact::new(nfa, required, text, ignore_case)
}

/// The parts that every text that matches has, in lower case.
#[derive(Default)]
struct Required {
    parts: Vec<Box<[u8]>>,
    /// The part that goes on where the next begins.
    open: Vec<u8>,
}

impl Required {
    fn of(hir: &Hir) -> Box<[Box<[u8]>]> {
        let mut required = Self::default();
        required.read(hir);
        required.close();
        required.parts.into()
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.parts.push(std::mem::take(&mut self.open).into());
        }
    }

    fn read(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.open.extend(literal.0.iter().map(u8::to_ascii_lowercase)),
            HirKind::Class(Class::Bytes(class)) => match letter(class) {
                Some(letter) => self.open.push(letter),
                None => self.close(),
            },
            HirKind::Capture(group) => self.read(&group.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.read(part)),
            HirKind::Repetition(repeated) if repeated.min > 0 => {
                self.read(&repeated.sub);
                self.close();
            }
            HirKind::Class(Class::Unicode(_)) | HirKind::Repetition(_) | HirKind::Alternation(_) => {
                self.close()
            }
        }
    }
}

/// A letter of either case.
fn letter(class: &ClassBytes) -> Option<u8> {
    let [upper, lower] = class.ranges() else { return None };
    let is_one = upper.start() == upper.end() && lower.start() == lower.end();
    let is_pair = upper.start().is_ascii_uppercase() && upper.start().to_ascii_lowercase() == lower.start();
    (is_one && is_pair).then(|| lower.start())
}

/// Those of which something is known, with their numbers.
fn compact_of(all: &[Regex]) -> impl Iterator<Item = (u32, &Compact)> {
    (0..).zip(all).filter_map(|(number, regex)| match regex {
        Regex::Compact(regex) => Some((number, &**regex)),
        Regex::Linear(_) | Regex::Backtracking(_) => None,
    })
}

/// What finds the first of these that matches.
pub(super) fn index(all: Vec<Regex>) -> Regexes {
    // Few are tried one by one.
    let compact: Vec<(u32, &Compact)> =
        if all.len() < MANY { Vec::new() } else { compact_of(&all).collect() };
    let mut shared: HashMap<&[u8], u32> = HashMap::new();
    for part in compact.iter().flat_map(|(_, regex)| &regex.required) {
        *shared.entry(part).or_default() += 1;
    }
    let (mut parts, mut owners) = (Vec::new(), Vec::new());
    for (number, regex) in &compact {
        let rare = regex.required.iter().min_by_key(|part| (shared[&***part], Reverse(part.len())));
        if let Some(part) = rare.filter(|part| shared[&***part] <= MOST_SHARED) {
            parts.push(&**part);
            owners.push(*number);
        }
    }
    let mut found = owners.iter().peekable();
    let in_turn = (0..all.len() as u32).filter(|number| found.next_if_eq(&number).is_none()).collect();
    Regexes {
        parts: table::strings(parts.iter().copied()),
        grams: (!parts.is_empty()).then(|| grams::index(&parts)),
        owners: owners.into(),
        in_turn,
        all: all.into(),
    }
}

/// Number of the first expression that the text matches, among those that are `usable`.
pub(super) fn first_of(regexes: &Regexes, text: &[u8], usable: impl Fn(u32) -> bool) -> Option<u32> {
    let mut likely: SmallVec<[u32; 32]> = SmallVec::new();
    if let Some(grams) = &regexes.grams {
        lowered(text, true, |text| {
            grams::each_in(grams, text, |part, at| {
                if grams::is_there(grams, &regexes.parts, part, text, at) {
                    likely.push(regexes.owners[part as usize]);
                }
            });
        });
        likely.sort_unstable();
        likely.dedup();
    }
    let fits = |number: &&u32| regexes.all[**number as usize].is_match(text) && usable(**number);
    let found = likely.iter().find(fits).copied();
    let mut before = regexes.in_turn.iter().take_while(|number| found.is_none_or(|found| **number < found));
    before.find(fits).copied().or(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(text: &str, ignore_case: bool) -> Option<Vec<String>> {
        let parts = compact(text, ignore_case, false)?.required;
        Some(parts.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect())
    }

    #[test]
    fn what_a_text_must_have_is_read_from_the_expression() {
        let cases: &[(&str, &[&str])] = &[
            ("^/section17/.*[.]html$", &["/section17/", ".html"]),
            ("(ab(cd))e+f", &["abcde", "f"]),
            ("a(?:bc)*d", &["a", "d"]),
            ("(?i)ABC[0-9]x", &["abc", "x"]),
            ("foo|bar", &[]),
            ("(a|bc)d", &["d"]),
            (r"^\bfoo$", &["foo"]),
            ("^[a-z]+$", &[]),
            ("(abc){2}x", &["abc", "x"]),
            ("[aA][bB]", &["ab"]),
            ("[ab]c", &["c"]),
        ];
        for (text, want) in cases {
            assert_eq!(parts(&format!("^(?:{text})"), false).unwrap(), *want, "{text}");
        }
        assert_eq!(parts("Ab-C", true).unwrap(), ["ab-c"]);
        assert_eq!(parts("[0-9]+", false), None);
    }

    #[test]
    fn what_has_thousands_of_states_matches_as_well() {
        let text = "x".repeat(500);
        for times in [500, 2_000, 20_000] {
            let one = format!("^x(?:[a-z]{{0,{times}}}y|x{{400,{times}}}$)");
            let listed = listed(&one, false, false).unwrap();
            assert!(listed.is_match(text.as_bytes()), "{listed:?}");
        }
    }

    fn expression() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[abA]{1,3}",
            Just("[ab]".to_owned()),
            Just("a*".to_owned()),
            Just("(ab)+".to_owned()),
            Just("(a|bA)".to_owned()),
            Just(".".to_owned()),
            Just("(?i)a".to_owned()),
            Just(r"\b".to_owned()),
        ];
        (
            prop::sample::select(vec!["", "^", "(?=b)", "(?i)"]),
            prop::collection::vec(piece, 1..4),
            prop::sample::select(vec!["", "$"]),
        )
            .prop_map(|(start, pieces, end)| format!("{start}{}{end}", pieces.concat()))
    }

    proptest! {
        #[test]
        fn the_first_that_matches_is_found(
            texts in prop::collection::vec(expression(), 0..2 * MANY),
            gone in prop::collection::vec(any::<bool>(), 2 * MANY),
            ignore_case: bool,
            text in prop_oneof!["[abA]{0,8}", "[abA\u{80}]{600,700}"],
        ) {
            let plain: Vec<Regex> = texts.iter().map(|text| super::super::regex(text, ignore_case).unwrap()).collect();
            let all: Vec<Regex> = texts.iter().map(|text| listed(text, ignore_case, true).unwrap()).collect();
            for (one, other) in plain.iter().zip(&all) {
                let groups = |regex: &Regex| -> Option<Vec<_>> {
                    let groups = regex.captures(text.as_bytes())?;
                    Some((0..4).map(|nth| groups.get(nth).map(<[u8]>::to_vec)).collect())
                };
                prop_assert_eq!(groups(one), groups(other), "{:?}", one);
            }
            let fits = |(regex, gone): (&Regex, &bool)| !gone && regex.is_match(text.as_bytes());
            let want = plain.iter().zip(&gone).position(fits);
            let found = first_of(&index(all), text.as_bytes(), |number| !gone[number as usize]);
            prop_assert_eq!(found.map(|number| number as usize), want);
        }
    }
}
