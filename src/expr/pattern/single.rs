//! One pattern by itself, without an index.

use std::net::{IpAddr, Ipv6Addr};

use memchr::memmem;

use super::regexes::listed;
use super::{Pattern, embedded_v4, has_word, is_dir_delimiter, is_dom_delimiter, trimmed_one, with_text};
use crate::expr::sample::Sample;
use crate::ir::pattern::MatchMethod;
use crate::ir::text::text_of;

/// Does the sample match this pattern, as it would in a [set](super::build) of it alone?
#[must_use]
pub fn fits(method: MatchMethod, ignore_case: bool, pattern: &Pattern, sample: &Sample<'_>) -> bool {
    match pattern {
        Pattern::Range(low, high) if method == MatchMethod::Len => {
            with_text(sample, |text| i64::try_from(text.len()).is_ok_and(|len| (*low..=*high).contains(&len)))
        }
        Pattern::Range(low, high) => sample.as_int().is_some_and(|value| (*low..=*high).contains(&value)),
        Pattern::Net4(addr, mask) => {
            let v4 = match sample.as_ip() {
                Some(IpAddr::V4(ip)) => Some(ip.into()),
                Some(IpAddr::V6(ip)) => embedded_v4(ip),
                None => None,
            };
            v4.is_some_and(|ip: u32| (ip ^ addr) & mask == 0)
        }
        Pattern::Net6(net, len) => {
            let v6 = match sample.as_ip() {
                Some(IpAddr::V4(ip)) => Some(ip.to_ipv6_mapped()),
                Some(IpAddr::V6(ip)) => Some(ip),
                None => None,
            };
            v6.is_some_and(|ip| share_bits(ip.into(), *net, (*len).into()))
        }
        Pattern::Text(key) => with_text(sample, |text| text_fits(method, ignore_case, key, text)),
    }
}

/// How two texts are compared.
fn same(ignore_case: bool) -> fn(&[u8], &[u8]) -> bool {
    if ignore_case { <[u8]>::eq_ignore_ascii_case } else { |a, b| a == b }
}

/// The same of texts.
#[must_use]
pub fn text_fits(method: MatchMethod, ignore_case: bool, key: &[u8], text: &[u8]) -> bool {
    let same = same(ignore_case);
    let word = |delimiter| has_word(text, trimmed_one(key, delimiter), ignore_case, delimiter);
    match method {
        MatchMethod::Str => same(text, key),
        MatchMethod::Bin => text == key,
        MatchMethod::Beg => text.get(..key.len()).is_some_and(|start| same(start, key)),
        MatchMethod::End => text.len() >= key.len() && same(&text[text.len() - key.len()..], key),
        MatchMethod::Sub if ignore_case => {
            key.is_empty() || text.windows(key.len()).any(|part| same(part, key))
        }
        MatchMethod::Sub => memmem::find(text, key).is_some(),
        MatchMethod::Dir => word(is_dir_delimiter),
        MatchMethod::Dom => word(is_dom_delimiter),
        MatchMethod::Reg => listed(&text_of(key), ignore_case, false).is_ok_and(|regex| regex.is_match(text)),
        MatchMethod::Found | MatchMethod::Bool | MatchMethod::Int | MatchMethod::Len | MatchMethod::Ip => {
            false
        }
    }
}

/// Is there a sample that both of these match? `None`: that cannot be told of this kind of match.
#[must_use]
pub fn meet(method: MatchMethod, ignore_case: bool, one: &Pattern, other: &Pattern) -> Option<bool> {
    Some(match (one, other) {
        (Pattern::Range(low, high), Pattern::Range(other_low, other_high)) => {
            low <= other_high && other_low <= high
        }
        (Pattern::Net4(a, mask), Pattern::Net4(b, other_mask)) => (a ^ b) & mask & other_mask == 0,
        (Pattern::Net6(a, len), Pattern::Net6(b, other_len)) => {
            share_bits(*a, *b, (*len).min(*other_len).into())
        }
        // IPv4 addresses are also looked for inside those of IPv6.
        (Pattern::Net4(..), Pattern::Net6(net, len)) | (Pattern::Net6(net, len), Pattern::Net4(..)) => {
            let (mapped, six_to_four) =
                (0xffff_u128 << 32, u128::from(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0)));
            [(0, 96), (mapped, 96), (six_to_four, 16)]
                .into_iter()
                .any(|(inside, bits)| share_bits(*net, inside, bits.min((*len).into())))
        }
        (Pattern::Text(a), Pattern::Text(b)) => return texts_meet(method, ignore_case, a, b),
        _ => return None,
    })
}

/// The same of texts.
#[must_use]
pub fn texts_meet(method: MatchMethod, ignore_case: bool, a: &[u8], b: &[u8]) -> Option<bool> {
    let same = same(ignore_case);
    let least = a.len().min(b.len());
    match method {
        MatchMethod::Str => Some(same(a, b)),
        MatchMethod::Bin => Some(a == b),
        MatchMethod::Beg => Some(same(&a[..least], &b[..least])),
        MatchMethod::End => Some(same(&a[a.len() - least..], &b[b.len() - least..])),
        _ => None,
    }
}

fn share_bits(a: u128, b: u128, bits: u32) -> bool {
    bits == 0 || (a ^ b) >> (128 - bits.min(128)) == 0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::{build, matches};
    use super::*;

    fn pattern(method: MatchMethod, text: &str, number: i64, bits: u8) -> Pattern {
        match method {
            MatchMethod::Int | MatchMethod::Len => Pattern::Range(number, number + i64::from(bits % 4)),
            MatchMethod::Ip if number % 2 == 0 => {
                Pattern::Net4(0x0a00_0000 + number as u32, u32::MAX << (bits % 32))
            }
            MatchMethod::Ip => {
                Pattern::Net6((0xffff_u128 << 32) + 0x0a00_0000 + number as u128, 96 + bits % 33)
            }
            _ => Pattern::Text(text.as_bytes().into()),
        }
    }

    fn methods() -> impl Strategy<Value = MatchMethod> {
        prop::sample::select(vec![
            MatchMethod::Str,
            MatchMethod::Bin,
            MatchMethod::Beg,
            MatchMethod::End,
            MatchMethod::Sub,
            MatchMethod::Dir,
            MatchMethod::Dom,
            MatchMethod::Reg,
            MatchMethod::Int,
            MatchMethod::Len,
            MatchMethod::Ip,
        ])
    }

    proptest! {
        #[test]
        fn one_fits_where_a_set_of_it_does_and_those_that_fit_both_meet(
            method in methods(),
            ignore_case in any::<bool>(),
            keys in prop::collection::vec(("[abA/.]{1,4}", 0i64..8, any::<u8>()), 2),
            text in "[abA/.]{0,6}",
            number in 0i64..8,
        ) {
            let ignore_case = ignore_case && method != MatchMethod::Bin;
            let sample = match method {
                MatchMethod::Int => Sample::Int(number),
                MatchMethod::Ip => Sample::ip(std::net::Ipv4Addr::from(0x0a00_0000 + number as u32).into()),
                _ => Sample::text(text.as_bytes()),
            };
            let patterns: Vec<Pattern> =
                keys.iter().map(|(text, number, bits)| pattern(method, text, *number, *bits)).collect();
            let mut all = true;
            for one in &patterns {
                let set = build(method, ignore_case, std::slice::from_ref(one), Arc::from([])).unwrap();
                let fit = fits(method, ignore_case, one, &sample);
                prop_assert_eq!(fit, matches(&set, &sample), "{:?}", one);
                all &= fit;
            }
            if let Some(meet) = meet(method, ignore_case, &patterns[0], &patterns[1]) {
                prop_assert!(meet || !all, "{:?}", patterns);
            }
        }
    }
}
