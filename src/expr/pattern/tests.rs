//! Every index answers as a plain look at each pattern would.

use proptest::prelude::*;

use super::*;

fn set(method: MatchMethod, ignore_case: bool, patterns: &[Pattern]) -> PatternSet {
    build(method, ignore_case, patterns, Arc::from([])).expect("builds")
}

fn plain(method: MatchMethod, ignore_case: bool, pattern: &str, text: &str) -> bool {
    let fold = |s: &str| if ignore_case { s.to_ascii_lowercase() } else { s.to_owned() };
    let (pattern, text) = (fold(pattern), fold(text));
    let runs = |delimiters: &[char]| {
        // A run of parts of the text equals the pattern's parts with the delimiters between them.
        let inner = pattern.trim_matches(delimiters);
        let edge = |i: usize| i == 0 || text[..i].ends_with(delimiters);
        let end = |i: usize| i == text.len() || text[i..].starts_with(delimiters);
        !inner.is_empty() && text.match_indices(inner).any(|(i, _)| edge(i) && end(i + inner.len()))
            || !inner.is_empty()
                && (0..text.len()).any(|i| text[i..].starts_with(inner) && edge(i) && end(i + inner.len()))
    };
    match method {
        MatchMethod::Str => text == pattern,
        MatchMethod::Beg => text.starts_with(&pattern),
        MatchMethod::End => text.ends_with(&pattern),
        MatchMethod::Sub => text.contains(&pattern),
        MatchMethod::Dir => runs(&['/', '?']),
        MatchMethod::Dom => runs(&['/', '?', '.', ':']),
        other => panic!("{other:?} is not text"),
    }
}

proptest! {
    #[test]
    fn strings(
        method in prop::sample::select(vec![
            MatchMethod::Str, MatchMethod::Beg, MatchMethod::End, MatchMethod::Sub, MatchMethod::Dir,
            MatchMethod::Dom,
        ]),
        ignore_case: bool,
        patterns in prop::collection::vec("[aAb/.]{1,4}", 1..9),
        text in "[aAb/.?]{0,10}",
    ) {
        let read: Vec<Pattern> = patterns.iter().map(|p| Pattern::Text(p.as_bytes().into())).collect();
        let indexed = matches(&set(method, ignore_case, &read), &Sample::text(text.as_bytes()));
        let want = patterns.iter().any(|p| plain(method, ignore_case, p, &text));
        prop_assert_eq!(indexed, want, "{:?} {:?} {}", method, patterns, text);
    }

    #[test]
    fn ranges(
        ranges in prop::collection::vec((-20i64..20, 0i64..6), 1..6),
        value in -30i64..30,
    ) {
        let read: Vec<Pattern> = ranges.iter().map(|(low, len)| Pattern::Range(*low, low + len)).collect();
        let want = ranges.iter().any(|(low, len)| (*low..=low + len).contains(&value));
        prop_assert_eq!(matches(&set(MatchMethod::Int, false, &read), &Sample::Int(value)), want);
    }

    #[test]
    fn networks(
        nets in prop::collection::vec((any::<u32>(), 0u32..=32), 1..8),
        near: prop::sample::Index,
        flip in 0u32..32,
    ) {
        let mask = |len: u32| u32::MAX.checked_shl(32 - len).unwrap_or(0);
        let read: Vec<Pattern> = nets.iter().map(|(addr, len)| Pattern::Net4(*addr, mask(*len))).collect();
        // An address that differs from one of the networks in one bit.
        let ip = nets[near.index(nets.len())].0 ^ (1 << flip);
        let want = nets.iter().any(|(addr, len)| (addr ^ ip) & mask(*len) == 0);
        let set = set(MatchMethod::Ip, false, &read);
        prop_assert_eq!(matches(&set, &Sample::Ipv4(ip.into())), want);
        let mapped = std::net::Ipv4Addr::from(ip).to_ipv6_mapped();
        prop_assert_eq!(matches(&set, &Sample::Ipv6(mapped)), want);
    }
}

#[test]
fn masks_with_holes_and_embedded_addresses_match() {
    let set = set(MatchMethod::Ip, false, &[Pattern::Net4(0x0a00_0001, 0xff00_00ff)]);
    let matched = |ip: &str| matches(&set, &Sample::ip(ip.parse().expect("an address")));
    assert!(matched("10.1.2.1") && matched("::ffff:10.9.9.1") && matched("2002:0a05:0501::"));
    assert!(!matched("10.1.2.2") && !matched("2001:0a05:0501::"));
}
