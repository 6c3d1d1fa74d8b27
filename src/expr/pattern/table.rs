//! Building and searching the keys of maps ([`crate::ir::table`]).

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::net::IpAddr;

use hashbrown::HashTable;

use super::{Pattern, embedded_v4};
use crate::expr::sample::{Bytes, Sample};
use crate::ir::table::{ExactTable, NO_KEY, Net, NetTable, PrefixTable, Strings};

pub(super) fn strings<'k>(keys: impl Iterator<Item = &'k [u8]>) -> Strings {
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
    for (number, entry) in (0u32..).zip(&order) {
        // The longest prefix of a key is the key before it, or one of that key's own.
        let mut parent = number.checked_sub(1).unwrap_or(NO_KEY);
        while parent != NO_KEY && !key(*entry).starts_with(key(order[parent as usize])) {
            parent = parents[parent as usize];
        }
        parents.push(parent);
    }
    PrefixTable {
        keys: strings(order.iter().map(|entry| key(*entry))),
        parents: parents.into(),
        yields: order.iter().map(|entry| entries[*entry as usize].1).collect(),
        order: if prefer == Prefer::First { order.into() } else { Box::default() },
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

/// How many of the sorted keys are not above `text`.
fn not_above(keys: &Strings, text: &[u8]) -> usize {
    let (mut low, mut high) = (0, keys.len());
    while low < high {
        let middle = low.midpoint(high);
        if keys.get(middle) <= text {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Number of the prefix of `text` that counts, among those that are `usable`.
#[must_use]
pub fn prefix_at(table: &PrefixTable, text: &[u8], usable: impl Fn(u32) -> bool) -> Option<u32> {
    // Every prefix of the text is the greatest key not above it, or a prefix of that.
    let mut number = not_above(&table.keys, text).checked_sub(1)? as u32;
    let mut first = None;
    while number != NO_KEY {
        if text.starts_with(table.keys.get(number as usize)) && usable(number) {
            let Some(order) = table.order.get(number as usize) else { return Some(number) };
            first = first.filter(|(least, _)| *least < *order).or(Some((*order, number)));
        }
        number = table.parents[number as usize];
    }
    first.map(|(_, number)| number)
}

/// The same of suffixes.
#[must_use]
pub fn suffix_at(table: &PrefixTable, text: &[u8], usable: impl Fn(u32) -> bool) -> Option<u32> {
    let mut turned = Bytes::copy(text);
    turned.to_mut().reverse();
    prefix_at(table, &turned, usable)
}

/// Number of a key.
#[must_use]
pub fn prefix_number(table: &PrefixTable, key: &[u8]) -> Option<u32> {
    let number = not_above(&table.keys, key).checked_sub(1)?;
    (table.keys.get(number) == key).then_some(number as u32)
}

/// The same of a suffix.
#[must_use]
pub fn suffix_number(table: &PrefixTable, key: &[u8]) -> Option<u32> {
    prefix_number(table, &key.iter().rev().copied().collect::<Vec<_>>())
}

/// What the prefix of `text` that counts yields.
#[must_use]
pub fn prefix_of(table: &PrefixTable, text: &[u8]) -> Option<u32> {
    table.yields.get(prefix_at(table, text, |_| true)? as usize).copied()
}

/// What the suffix of `text` that counts yields.
#[must_use]
pub fn suffix_of(table: &PrefixTable, text: &[u8]) -> Option<u32> {
    table.yields.get(suffix_at(table, text, |_| true)? as usize).copied()
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
    // As in the ranges: of equal ones the first.
    let mut seen = HashSet::new();
    holes.retain(|(net, mask, _)| seen.insert((*net, *mask)));
    let mut nets = Vec::with_capacity(v4.len() + v6.len());
    let bits = |first: u32, last: u32| (first ^ last).leading_zeros() as u8;
    let (v4, v4_nets) = flatten(v4, &mut nets, bits, |end| end.checked_add(1));
    let bits = |first: u128, last: u128| (first ^ last).leading_zeros() as u8;
    let (v6, v6_nets) = flatten(v6, &mut nets, bits, |end| end.checked_add(1));
    NetTable { v4, v4_nets, v6, v6_nets, nets: nets.into(), v4_holes: holes.into() }
}

/// Networks (first, last address, result) contain each other or are apart: cut them where a smaller one begins and ends.
fn flatten<T: Copy + Ord>(
    mut ranges: Vec<(T, T, u32)>,
    nets: &mut Vec<Net>,
    bits: impl Fn(T, T) -> u8,
    after: impl Fn(T) -> Option<T>,
) -> (Box<[T]>, Box<[u32]>) {
    // Large ones before those inside them; the sort keeps the order of equal ones.
    ranges.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
    ranges.dedup_by(|next, kept| (next.0, next.1) == (kept.0, kept.1));
    let mut cuts: Vec<(T, u32)> = Vec::with_capacity(ranges.len() * 2);
    let mut open: Vec<(T, u32)> = Vec::new();
    let mut cut = |at: T, net: u32| match cuts.last_mut() {
        Some(last) if last.0 == at => last.1 = net,
        _ => cuts.push((at, net)),
    };
    let innermost = |open: &[(T, u32)]| open.last().map_or(NO_KEY, |outer| outer.1);
    let close = |open: &mut Vec<(T, u32)>, cut: &mut dyn FnMut(T, u32)| {
        if let Some((end, _)) = open.pop()
            && let Some(next) = after(end)
        {
            cut(next, innermost(open));
        }
    };
    for (start, end, yields) in ranges {
        while open.last().is_some_and(|inner| inner.0 < start) {
            close(&mut open, &mut cut);
        }
        let number = nets.len() as u32;
        nets.push(Net { parent: innermost(&open), yields, bits: bits(start, end) });
        cut(start, number);
        open.push((end, number));
    }
    while !open.is_empty() {
        close(&mut open, &mut cut);
    }
    cuts.dedup_by(|next, kept| next.1 == kept.1);
    let (starts, numbers): (Vec<T>, Vec<u32>) = cuts.into_iter().unzip();
    (starts.into(), numbers.into())
}

/// The networks of an address, the smallest first.
fn networks_at<'t, T: Copy + Ord>(
    table: &'t NetTable,
    starts: &[T],
    numbers: &[u32],
    addr: T,
) -> impl Iterator<Item = (u32, &'t Net)> {
    let at = starts.partition_point(|start| *start <= addr).checked_sub(1);
    let mut number = at.and_then(|at| numbers.get(at)).copied().unwrap_or(NO_KEY);
    std::iter::from_fn(move || {
        let net = table.nets.get(number as usize)?;
        Some((std::mem::replace(&mut number, net.parent), net))
    })
}

fn networks_of_v4(table: &NetTable, addr: u32) -> impl Iterator<Item = (u32, &Net)> {
    networks_at(table, &table.v4, &table.v4_nets, addr)
}

fn networks_of_v6(table: &NetTable, addr: u128) -> impl Iterator<Item = (u32, &Net)> {
    networks_at(table, &table.v6, &table.v6_nets, addr)
}

/// How well a network fits: its family's before others and masks with holes last, then by length.
pub type Fit = (u8, u8);

/// The first part of [`Fit`] for networks of the address's own family.
pub const OWN_FAMILY: u8 = 2;

/// The network of a sample's address that counts, among those that are `usable`: how well it fits, and its number. An
/// IPv4 address is also looked for as `::ffff:a.b.c.d`, and one that is inside an IPv6 address by itself.
#[must_use]
pub fn network_at(table: &NetTable, sample: &Sample<'_>, usable: impl Fn(u32) -> bool) -> Option<(Fit, u32)> {
    let v4 = |addr: u32, class: u8| {
        let found = networks_of_v4(table, addr).find(|(number, _)| usable(*number));
        found.map(|(number, net)| ((class, net.bits), number))
    };
    let v6 = |addr: u128, class: u8| {
        let found = networks_of_v6(table, addr).find(|(number, _)| usable(*number));
        found.map(|(number, net)| ((class, net.bits), number))
    };
    let hole = |addr: u32| {
        let mut holes = (table.nets.len() as u32..).zip(&table.v4_holes);
        let fits =
            |&(number, (net, mask, _)): &(u32, &(u32, u32, u32))| addr & mask == *net && usable(number);
        holes.find(fits).map(|(number, _)| ((0, 0), number))
    };
    match sample.as_ip()? {
        IpAddr::V4(a) => {
            v4(a.into(), OWN_FAMILY).or_else(|| v6(a.to_ipv6_mapped().into(), 1)).or_else(|| hole(a.into()))
        }
        IpAddr::V6(a) => {
            let inside = embedded_v4(a);
            v6(a.into(), OWN_FAMILY).or_else(|| v4(inside?, 1)).or_else(|| hole(inside?))
        }
    }
}

/// What a network yields.
#[must_use]
pub fn network_yields(table: &NetTable, number: u32) -> Option<u32> {
    match table.nets.get(number as usize) {
        Some(net) => Some(net.yields),
        None => table.v4_holes.get(number as usize - table.nets.len()).map(|(.., yields)| *yields),
    }
}

/// Number of a network.
#[must_use]
pub fn network_number(table: &NetTable, pattern: &Pattern) -> Option<u32> {
    match *pattern {
        Pattern::Net4(addr, mask) if mask.leading_ones() + mask.trailing_zeros() >= 32 => {
            let bits = mask.count_ones() as u8;
            networks_of_v4(table, addr & mask).find(|(_, net)| net.bits == bits).map(|(number, _)| number)
        }
        Pattern::Net4(addr, mask) => {
            let at =
                table.v4_holes.iter().position(|(net, other, _)| (*net, *other) == (addr & mask, mask))?;
            Some((table.nets.len() + at) as u32)
        }
        Pattern::Net6(addr, bits) => {
            networks_of_v6(table, addr).find(|(_, net)| net.bits == bits.min(128)).map(|(number, _)| number)
        }
        _ => None,
    }
}

/// What the network of a sample's address yields. The smallest network counts.
#[must_use]
pub fn network_of(table: &NetTable, sample: &Sample<'_>) -> Option<u32> {
    network_yields(table, network_at(table, sample, |_| true)?.1)
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
