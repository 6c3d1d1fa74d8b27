//! Lists of a map's keys and values.

use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tandem_parser::lex::{bytes_of, text_of};
use tandem_parser::span::Span;

use super::super::Language;
use super::{Kind, MOST_CHANGED, pairs};
use crate::expr::Sample;
use crate::expr::conv::{Found, map_found, map_lookup, map_numbers};
use crate::expr::pattern::ordered::ordered_numbers;
use crate::ir::entries::{Entries, Entry, Meant};
use crate::ir::expr::{Map, MapKeys};
use crate::ir::pattern::MatchMethod;
use crate::ir::reference::{Index, Newer, User};
use crate::ir::regex::Regex;
use crate::ir::table::Search;

/// Makes a map from its entries.
pub(in super::super) type Make =
    Box<dyn Fn(&[(&str, &str)], &dyn Fn(&str) -> Option<Regex>) -> Result<Map, String> + Send + Sync>;

pub(super) struct Lookup {
    pub(super) kind: Kind,
    pub(super) newer: Arc<Newer<Map>>,
    pub(super) is_value: fn(&str) -> bool,
    pub(super) make: Make,
    pub(super) now: Mutex<Current>,
}

/// The map in use, sharing all of its parts, and the entries that came later than its index.
pub(super) struct Current {
    pub(super) map: Map,
    pub(super) later: Vec<(Box<str>, Box<str>)>,
}

impl Lookup {
    /// The map of these entries, with the regular expressions that one of these maps has.
    fn make(&self, entries: &[(&str, &str)], known: &[&Map]) -> Result<Map, String> {
        let known_regex = |key: &str| {
            let numbers = |map: &&Map| match &map.keys {
                MapKeys::Ordered(keys) => match &keys.search {
                    Search::Regexes(regexes) => {
                        Some(regexes.all[*ordered_numbers(keys, &bytes_of(key)).first()? as usize].clone())
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
            changed.keys.insert(bytes_of(key).into(), yields);
        } else {
            let mut standing = map_numbers(&now.map.keys, &bytes_of(key), &pattern);
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
        self.make(&[(key, value)], &[]).map(drop)
    }

    fn find(&self, entries: &mut Entries, text: &str) -> Option<usize> {
        let sample = self.kind.sample(text)?;
        let now = self.now.lock();
        match map_found(&now.map, &sample)? {
            Found::Key(key) => entries.positions(Meant::Key(&text_of(key))).first().copied(),
            Found::Network(bits) => self.network(&now.map, entries, &sample, bits),
            Found::Unknown => None,
        }
        .or_else(|| self.kind.find(entries, text))
    }
}

impl Lookup {
    /// The entry of this network of an address, if it is written as is usual and there is no other of the same network that
    /// counts before it.
    fn network(&self, map: &Map, entries: &mut Entries, sample: &Sample<'_>, bits: u8) -> Option<usize> {
        let address = sample.as_ip()?;
        let (network, is_whole) = match address {
            IpAddr::V4(ip) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                (IpAddr::V4((u32::from(ip) & mask).into()), bits == 32)
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                (IpAddr::V6((u128::from(ip) & mask).into()), bits == 128)
            }
        };
        let mut first = |key: &str| entries.positions(Meant::Key(key)).first().copied();
        let at = first(&format!("{network}/{bits}"));
        let at = at.or_else(|| if is_whole { first(&network.to_string()) } else { None })?;
        let entry = &entries[at];
        let alone = self.make(&[(&entry.key, &entry.value)], &[]).ok()?;
        (map_lookup(&alone, sample)? == map_lookup(map, sample)?).then_some(at)
    }
}

impl Language<'_> {
    /// Lets a map follow its file.
    pub(in super::super) fn follow_map(
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
            method: if map.substitute { "regm" } else { kind.name() },
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
