//! Building and searching the keys of maps ([`crate::ir::table`]).

use std::hash::BuildHasher;
use std::net::IpAddr;

use hashbrown::HashTable;

use super::{Pattern, embedded_v4};
use crate::expr::sample::{Bytes, Sample};
use crate::ir::table::{ExactTable, NO_KEY, NetTable, PrefixTable, Strings};

fn strings<'k>(keys: impl Iterator<Item = &'k [u8]>) -> Strings {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for key in keys {
        bytes.extend_from_slice(key);
        ends.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    }
    Strings { bytes: bytes.into(), ends: ends.into() }
}

/// A table of keys to equal. The first of equal keys counts.
#[must_use]
pub fn exact(entries: &[(&[u8], u32)]) -> ExactTable {
    let keys = strings(entries.iter().map(|(key, _)| *key));
    let yields = entries.iter().map(|(_, result)| *result).collect();
    let state = std::hash::RandomState::new();
    let mut slots = HashTable::with_capacity(entries.len());
    for (number, (key, _)) in (0u32..).zip(entries) {
        let hash = state.hash_one(*key);
        if slots.find(hash, |other| keys.get(*other as usize) == *key).is_none() {
            slots.insert_unique(hash, number, |other| state.hash_one(keys.get(*other as usize)));
        }
    }
    ExactTable { keys, yields, slots, state }
}

/// What the key that equals `text` yields.
#[must_use]
pub fn equal(table: &ExactTable, text: &[u8]) -> Option<u32> {
    let hash = table.state.hash_one(text);
    let number = table.slots.find(hash, |number| table.keys.get(*number as usize) == text)?;
    table.yields.get(*number as usize).copied()
}

/// Which of several keys that fit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefer {
    /// The longest: `beg`.
    Longest,
    /// The one that stands first: `end`.
    First,
}

/// A table of prefixes. The first of equal keys counts.
#[must_use]
pub fn prefixes(entries: &[(&[u8], u32)], prefer: Prefer) -> PrefixTable {
    let mut order: Vec<u32> = (0u32..).take(entries.len()).collect();
    let key = |at: u32| entries[at as usize].0;
    order.sort_by(|a, b| key(*a).cmp(key(*b)).then(a.cmp(b)));
    order.dedup_by(|next, kept| key(*next) == key(*kept));
    let mut parents: Vec<u32> = Vec::with_capacity(order.len());
    // Entry that counts when the key of the same number is the longest that fits.
    let mut counts: Vec<u32> = Vec::with_capacity(order.len());
    for (number, entry) in (0u32..).zip(&order) {
        // The longest prefix of a key is the key before it, or one of that key's own.
        let mut parent = number.checked_sub(1).unwrap_or(NO_KEY);
        while parent != NO_KEY && !key(*entry).starts_with(key(order[parent as usize])) {
            parent = parents[parent as usize];
        }
        let inherited = match prefer {
            Prefer::Longest => NO_KEY,
            Prefer::First => counts.get(parent as usize).copied().unwrap_or(NO_KEY),
        };
        counts.push(inherited.min(*entry));
        parents.push(parent);
    }
    PrefixTable {
        keys: strings(order.iter().map(|entry| key(*entry))),
        parents: parents.into(),
        yields: counts.iter().map(|entry| entries[*entry as usize].1).collect(),
    }
}

/// The same for suffixes.
#[must_use]
pub fn suffixes(entries: &[(&[u8], u32)], prefer: Prefer) -> PrefixTable {
    let turned: Vec<(Vec<u8>, u32)> =
        entries.iter().map(|(key, result)| (key.iter().rev().copied().collect(), *result)).collect();
    let turned: Vec<(&[u8], u32)> = turned.iter().map(|(key, result)| (&key[..], *result)).collect();
    prefixes(&turned, prefer)
}

/// What the prefix of `text` that counts yields.
#[must_use]
pub fn prefix_of(table: &PrefixTable, text: &[u8]) -> Option<u32> {
    let (mut low, mut high) = (0, table.keys.len());
    while low < high {
        let middle = low.midpoint(high);
        if table.keys.get(middle) <= text {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    // Every prefix of the text is the greatest key not above it, or a prefix of that.
    let mut number = low.checked_sub(1)?;
    while !text.starts_with(table.keys.get(number)) {
        number = match table.parents[number] {
            NO_KEY => return None,
            parent => parent as usize,
        };
    }
    table.yields.get(number).copied()
}

/// What the suffix of `text` that counts yields.
#[must_use]
pub fn suffix_of(table: &PrefixTable, text: &[u8]) -> Option<u32> {
    let mut turned = Bytes::copy(text);
    turned.to_mut().reverse();
    prefix_of(table, &turned)
}

/// A table of networks. The smallest network counts; of equal ones the first.
#[must_use]
pub fn networks(entries: &[(Pattern, u32)]) -> NetTable {
    let (mut v4, mut v6, mut holes) = (Vec::new(), Vec::new(), Vec::new());
    for (pattern, result) in entries {
        match *pattern {
            Pattern::Net4(addr, mask) if mask.leading_ones() + mask.trailing_zeros() >= 32 => {
                v4.push((addr & mask, addr | !mask, *result));
            }
            Pattern::Net4(addr, mask) => holes.push((addr & mask, mask, *result)),
            Pattern::Net6(addr, prefix) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
                v6.push((addr & mask, addr | !mask, *result));
            }
            _ => {}
        }
    }
    let (v4, v4_yields) = flatten(v4, |end| end.checked_add(1));
    let (v6, v6_yields) = flatten(v6, |end| end.checked_add(1));
    NetTable { v4, v4_yields, v6, v6_yields, v4_holes: holes.into() }
}

/// Networks (first, last address, result) contain each other or are apart: cut them where a smaller one begins and ends.
fn flatten<T: Copy + Ord>(
    mut nets: Vec<(T, T, u32)>,
    after: impl Fn(T) -> Option<T>,
) -> (Box<[T]>, Box<[u32]>) {
    // Large ones before those inside them; the sort keeps the order of equal ones.
    nets.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    nets.dedup_by(|next, kept| (next.0, next.1) == (kept.0, kept.1));
    let mut cuts: Vec<(T, u32)> = Vec::with_capacity(nets.len() * 2);
    let mut open: Vec<(T, u32)> = Vec::new();
    let mut cut = |at: T, result: u32| match cuts.last_mut() {
        Some(last) if last.0 == at => last.1 = result,
        _ => cuts.push((at, result)),
    };
    let close = |open: &mut Vec<(T, u32)>, cut: &mut dyn FnMut(T, u32)| {
        if let Some((end, _)) = open.pop()
            && let Some(next) = after(end)
        {
            cut(next, open.last().map_or(NO_KEY, |outer| outer.1));
        }
    };
    for (start, end, result) in nets {
        while open.last().is_some_and(|inner| inner.0 < start) {
            close(&mut open, &mut cut);
        }
        cut(start, result);
        open.push((end, result));
    }
    while !open.is_empty() {
        close(&mut open, &mut cut);
    }
    cuts.dedup_by(|next, kept| next.1 == kept.1);
    let (starts, yields): (Vec<T>, Vec<u32>) = cuts.into_iter().unzip();
    (starts.into(), yields.into())
}

/// What the network of a sample's address yields. An IPv4 address is also looked for as `::ffff:a.b.c.d`, and one that
/// is inside an IPv6 address by itself.
#[must_use]
pub fn network_of(table: &NetTable, sample: &Sample<'_>) -> Option<u32> {
    fn find<T: Copy + Ord>(starts: &[T], yields: &[u32], addr: T) -> Option<u32> {
        let at = starts.partition_point(|start| *start <= addr).checked_sub(1)?;
        yields.get(at).copied().filter(|result| *result != NO_KEY)
    }
    let v4 = |addr: u32| find(&table.v4, &table.v4_yields, addr);
    let v6 = |addr: u128| find(&table.v6, &table.v6_yields, addr);
    let hole = |addr: u32| {
        table.v4_holes.iter().find(|(net, mask, _)| addr & mask == *net).map(|(.., result)| *result)
    };
    match sample.as_ip()? {
        IpAddr::V4(a) => v4(a.into()).or_else(|| v6(a.to_ipv6_mapped().into())).or_else(|| hole(a.into())),
        IpAddr::V6(a) => {
            let inside = embedded_v4(a);
            v6(a.into()).or_else(|| v4(inside?)).or_else(|| hole(inside?))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbered<T: Clone>(keys: &[T]) -> Vec<(T, u32)> {
        keys.iter().cloned().zip(0..).collect()
    }

    /// Few letters, so that keys often begin with each other.
    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(b'a'..=b'c', 0..6)
    }

    proptest! {
        #[test]
        fn strings_are_found_as_by_looking_at_each(keys in prop::collection::vec(key(), 0..40), text in key()) {
            let entries: Vec<(&[u8], u32)> = numbered(&keys).iter().map(|(k, n)| (&keys[*n as usize][..k.len()], *n)).collect();
            let all = || keys.iter().zip(0u32..);
            prop_assert_eq!(equal(&exact(&entries), &text), all().find(|(k, _)| **k == text).map(|(_, n)| n));
            let longest = all().filter(|(k, _)| text.starts_with(k)).min_by_key(|(k, n)| (usize::MAX - k.len(), *n));
            prop_assert_eq!(prefix_of(&prefixes(&entries, Prefer::Longest), &text), longest.map(|(_, n)| n));
            let first = all().find(|(k, _)| text.ends_with(k)).map(|(_, n)| n);
            prop_assert_eq!(suffix_of(&suffixes(&entries, Prefer::First), &text), first);
        }

        #[test]
        fn networks_are_found_as_by_looking_at_each(
            nets in prop::collection::vec((0u32..16, 24u32..=32, any::<bool>()), 0..20),
            addr in 0u32..20,
        ) {
            let at = |low: u32| u32::MAX - 15 + low.min(15);
            let patterns: Vec<Pattern> = nets.iter().map(|(low, len, wide)| match wide {
                true => Pattern::Net6((0xffff << 32) | u128::from(at(*low)), (len + 96) as u8),
                false => Pattern::Net4(at(*low), u32::MAX << (32 - len)),
            }).collect();
            let table = networks(&numbered(&patterns));
            let best = |six: bool| nets.iter().zip(0u32..)
                .filter(|((low, len, wide), _)| *wide == six && (at(*low) ^ at(addr)) >> (32 - len) == 0)
                .min_by_key(|((_, len, _), n)| (u32::MAX - len, *n))
                .map(|(_, n)| n);
            let sample = Sample::ip(std::net::Ipv4Addr::from(at(addr)).into());
            prop_assert_eq!(network_of(&table, &sample), best(false).or(best(true)));
        }
    }

    #[test]
    fn masks_with_holes_are_asked_last() {
        let net = |addr: [u8; 4], mask: u32| Pattern::Net4(u32::from_be_bytes(addr), mask);
        let table = networks(&numbered(&[net([10, 0, 7, 0], 0xff00_ff00), net([10, 1, 0, 0], 0xffff_0000)]));
        let find = |ip: &str| network_of(&table, &Sample::ip(ip.parse().unwrap()));
        assert_eq!(find("10.1.7.1"), Some(1));
        assert_eq!(find("10.9.7.1"), Some(0));
        assert_eq!(find("::ffff:10.9.7.1"), Some(0));
        assert_eq!(find("10.9.8.1"), None);
    }
}
