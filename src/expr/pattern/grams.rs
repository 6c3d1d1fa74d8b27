//! Many keys looked for anywhere in a text: each by eight of its bytes (all of them, if it has fewer), which few other keys
//! have. What the text costs is a probe for each of its bytes, however many keys there are.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;

use crate::ir::table::{Grams, Strings};

/// So many bytes of a key are looked for at most.
const LENGTH: usize = 8;

/// Counters of how many keys have some bytes; those that share one are counted together.
const COUNTERS: usize = 1 << 18;

fn word(bytes: &[u8], at: usize, length: usize) -> u64 {
    let mut word = [0; LENGTH];
    word[..length].copy_from_slice(&bytes[at..at + length]);
    u64::from_le_bytes(word)
}

fn hash(seed: (u64, u64), word: u64) -> u64 {
    let product = u128::from(word ^ seed.0) * u128::from(seed.1);
    (product >> 64) as u64 ^ product as u64
}

/// Where in a key the bytes may begin by which it is looked for, and how many they are.
fn places(key: &[u8]) -> (impl Iterator<Item = u16> + use<>, usize) {
    let length = key.len().min(LENGTH);
    (0..=u16::try_from(key.len() - length).unwrap_or(u16::MAX), length)
}

/// An index of these keys.
pub(super) fn index(keys: &[&[u8]]) -> Grams {
    let state = RandomState::new();
    let seed = (state.hash_one(0), state.hash_one(1) | 1);
    let hash_at = |key: &[u8], at: u16, length| hash(seed, word(key, at.into(), length));
    let mut counters = vec![0u32; COUNTERS];
    for key in keys {
        let (places, length) = places(key);
        places.for_each(|at| counters[hash_at(key, at, length) as usize % COUNTERS] += 1);
    }
    let mut grams =
        Grams { lengths: 0, places: Box::default(), slots: HashTable::with_capacity(keys.len()), seed };
    let mut chosen = Vec::with_capacity(keys.len());
    for (key, number) in keys.iter().zip(0u32..) {
        let (places, length) = places(key);
        let rare = |at: &u16| counters[hash_at(key, *at, length) as usize % COUNTERS];
        let place = places.min_by_key(rare).unwrap_or(0);
        grams.lengths |= 1 << length;
        chosen.push(place);
        grams.slots.insert_unique(hash_at(key, place, length), number, |other| {
            let key = keys[*other as usize];
            hash_at(key, chosen[*other as usize], key.len().min(LENGTH))
        });
    }
    grams.places = chosen.into();
    grams
}

/// Calls `visit` with the number of each key whose bytes the text has, and where these begin there.
pub(super) fn each_in(grams: &Grams, text: &[u8], mut visit: impl FnMut(u32, usize)) {
    for length in (0..=LENGTH).filter(|length| grams.lengths & 1 << length != 0) {
        let Some(last) = text.len().checked_sub(length) else { break };
        // The empty key is in every text, at its beginning.
        for at in 0..=(if length == 0 { 0 } else { last }) {
            for number in grams.slots.iter_hash(hash(grams.seed, word(text, at, length))) {
                visit(*number, at);
            }
        }
    }
}

/// Whether the whole key is there.
pub(super) fn is_there(grams: &Grams, keys: &Strings, number: u32, text: &[u8], at: usize) -> bool {
    let key = keys.get(number as usize);
    let start = at.checked_sub(grams.places[number as usize].into());
    start.is_some_and(|start| text.get(start..start + key.len()) == Some(key))
}

/// Number of the first key that the text holds, among those that are `usable`.
pub(super) fn first_in(
    grams: &Grams,
    keys: &Strings,
    text: &[u8],
    usable: impl Fn(u32) -> bool,
) -> Option<u32> {
    let mut first: Option<u32> = None;
    each_in(grams, text, |number, at| {
        let is_before = first.is_none_or(|first| number < first);
        if is_before && is_there(grams, keys, number, text, at) && usable(number) {
            first = Some(number);
        }
    });
    first
}
