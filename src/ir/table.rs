//! Keys of maps: many entries in little memory, found in less than a microsecond.
//!
//! Data only. [`crate::expr::pattern::table`] builds and searches. What a search yields is the number that the builder
//! gave with the key.

use std::hash::RandomState;

use hashbrown::HashTable;

use super::regex::Regex;

/// Byte strings one behind the other, by number.
#[derive(Clone, Debug, Default)]
pub struct Strings {
    /// All of them.
    pub bytes: Box<[u8]>,
    /// Where each ends; the next begins there.
    pub ends: Box<[u32]>,
}

impl Strings {
    /// The string of that number.
    #[must_use]
    pub fn get(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.bytes[start..self.ends[number] as usize]
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

/// Keys that equal the sample: `str`.
#[derive(Clone, Debug)]
pub struct ExactTable {
    /// The keys.
    pub keys: Strings,
    /// What each yields.
    pub yields: Box<[u32]>,
    /// Numbers of keys by their hash.
    pub slots: HashTable<u32>,
    /// What hashes: seeded for each process.
    pub state: RandomState,
}

/// Keys that the sample begins with (`beg`), or ends with (`end`: reversed).
#[derive(Clone, Debug, Default)]
pub struct PrefixTable {
    /// The keys, sorted.
    pub keys: Strings,
    /// For each key the longest other one that it begins with; [`NO_KEY`]: there is none.
    pub parents: Box<[u32]>,
    /// What each yields.
    pub yields: Box<[u32]>,
    /// Where each stood, if the first of those that fit counts; empty: the longest does.
    pub order: Box<[u32]>,
}

/// No key.
pub const NO_KEY: u32 = u32::MAX;

/// A network of a [`NetTable`].
#[derive(Clone, Copy, Debug)]
pub struct Net {
    /// The smallest other one that it is part of, or [`NO_KEY`].
    pub parent: u32,
    /// What it yields.
    pub yields: u32,
    /// Length of its prefix.
    pub bits: u8,
}

/// Networks (`ip`), as ranges that do not overlap: the smallest network of an address is found by one search.
#[derive(Clone, Debug, Default)]
pub struct NetTable {
    /// First address of each range, in host byte order; it ends before the next.
    pub v4: Box<[u32]>,
    /// Number of the smallest network of each range, or [`NO_KEY`].
    pub v4_nets: Box<[u32]>,
    /// IPv6 likewise.
    pub v6: Box<[u128]>,
    /// See there.
    pub v6_nets: Box<[u32]>,
    /// The networks by number, those of IPv4 first.
    pub nets: Box<[Net]>,
    /// IPv4 (address, mask, what it yields) whose mask has holes, in the order of the file; asked last. Their numbers
    /// follow those of the networks.
    pub v4_holes: Box<[(u32, u32, u32)]>,
}

/// Keys of every other kind: the first that fits counts.
#[derive(Clone, Debug)]
pub struct OrderedTable {
    /// The keys as they are written, in their order.
    pub keys: Strings,
    /// What each yields.
    pub yields: Box<[u32]>,
    /// How they are looked for.
    pub search: Search,
    /// Numbers of keys by the hash of [`OrderedTable::word`].
    pub slots: HashTable<u32>,
    /// What hashes: seeded for each process.
    pub state: RandomState,
}

/// How the keys of an [`OrderedTable`] are looked for.
#[derive(Clone, Debug)]
pub enum Search {
    /// `int`: each key's inclusive range; where ranges begin, and the first key of each piece up to the next, or [`NO_KEY`].
    Ranges {
        /// By number.
        ranges: Box<[(i64, i64)]>,
        /// Beginnings of the pieces.
        starts: Box<[i64]>,
        /// By piece.
        firsts: Box<[u32]>,
    },
    /// `sub`: anywhere in the text; few keys are tried one by one.
    Anywhere(Option<Grams>),
    /// `dir`, `dom`: between delimiters.
    Words {
        /// What separates words.
        is_delimiter: fn(u8) -> bool,
        /// So many words has the key with the most.
        most: usize,
    },
    /// `reg`.
    Regexes(Regexes),
}

/// Regular expressions, of which a text is held against those that it may match.
#[derive(Clone, Debug)]
pub struct Regexes {
    /// By number.
    pub all: Box<[Regex]>,
    /// What some of them must find, which few others must, in lower case.
    pub parts: Strings,
    /// Whose each of these is, in order.
    pub owners: Box<[u32]>,
    /// How they are looked for.
    pub grams: Option<Grams>,
    /// Numbers of the others, in order.
    pub in_turn: Box<[u32]>,
}

/// Keys by a few bytes of each, for texts that hold them anywhere.
#[derive(Clone, Debug)]
pub struct Grams {
    /// Bit N: there are keys that are looked for by N of their bytes.
    pub lengths: u16,
    /// Where in each key these bytes begin.
    pub places: Box<[u16]>,
    /// Numbers of keys by the hash of these bytes.
    pub slots: HashTable<u32>,
    /// What hashes: seeded for each process.
    pub seed: (u64, u64),
}

impl OrderedTable {
    /// Of a key, what is looked for: without delimiters at its ends.
    #[must_use]
    pub fn word<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        let Search::Words { is_delimiter, .. } = self.search else { return key };
        let start = key.iter().position(|b| !is_delimiter(*b)).unwrap_or(key.len());
        let end = key.iter().rposition(|b| !is_delimiter(*b)).map_or(start, |last| last + 1);
        &key[start..end]
    }
}
