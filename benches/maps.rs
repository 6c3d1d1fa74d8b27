//! Maps of 100,000 entries; every look-up is for another key, so that memory is as cold as it is in life. Then the same after
//! commands changed a hundred of the keys, which are found beside the index.

use std::collections::HashMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use tandem::expr::Sample;
use tandem::expr::conv::map_lookup;
use tandem::expr::pattern::Pattern;
use tandem::expr::pattern::ordered::ordered;
use tandem::expr::pattern::regexes::listed;
use tandem::expr::pattern::table::{self, Prefer};
use tandem::ir::expr::{Changed, Map, MapKeys, SampleType, Value};
use tandem::ir::pattern::MatchMethod;

const ENTRIES: u32 = 100_000;
/// Of regular expressions nobody has so many.
const EXPRESSIONS: u32 = 10_000;
const CHANGED: u32 = 100;

/// Goes through all entries in an order that no cache guesses.
fn numbers(count: u32) -> impl FnMut() -> u32 {
    let mut at = 0;
    move || {
        at = (at + 61_803) % count;
        at
    }
}

fn keys(count: u32, write: impl Fn(u32) -> String) -> Vec<String> {
    (0..count).map(write).collect()
}

fn entries(keys: &[String]) -> Vec<(&[u8], u32)> {
    keys.iter().map(String::as_bytes).zip(0..).collect()
}

/// A map of these keys, which yield their numbers.
fn map(method: MatchMethod, keys: MapKeys, count: u32) -> Map {
    Map {
        file: "map".into(),
        keys,
        values: (0..count).map(|at| Value::Int(at.into())).collect(),
        default: None,
        substitute: false,
        method,
        out: SampleType::Int,
        changed: None,
        newer: None,
    }
}

fn tried_in_order(method: MatchMethod, keys: &[String], pattern: impl Fn(&str) -> Pattern) -> MapKeys {
    let rows: Vec<_> = keys.iter().zip(0..).map(|(key, at)| (key.as_str(), pattern(key), at)).collect();
    MapKeys::Ordered(Arc::new(ordered(method, &rows, |key| listed(key, false, false)).expect("a table")))
}

/// Looks samples up in the map, then in one that was changed.
fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut map: Map, samples: &[Sample<'_>]) {
    let count = samples.len() as u32;
    let mut next = numbers(count);
    let mut found = |map: &Map| map_lookup(map, black_box(&samples[next() as usize])).is_some();
    assert!(found(&map), "{name}");
    group.bench_function(name, |b| b.iter(|| found(&map)));
    let mut other = numbers(count);
    let numbers: HashMap<_, _> = (0..CHANGED).map(|_| (other(), Some(Value::Int(-1)))).collect();
    map.changed = Some(Arc::new(Changed { keys: HashMap::new(), numbers, later: None }));
    group.bench_function(format!("{name}, changed"), |b| b.iter(|| found(&map)));
}

fn maps(c: &mut Criterion) {
    let mut group = c.benchmark_group("map of 100,000");
    let texts = |keys: &[String], before: &str, after: &str| -> Vec<String> {
        keys.iter().map(|key| format!("{before}{key}{after}")).collect()
    };
    fn samples(texts: &[String]) -> Vec<Sample<'_>> {
        texts.iter().map(|text| Sample::text(text.as_bytes())).collect()
    }
    let text = |key: &str| Pattern::Text(key.as_bytes().into());

    let hosts = keys(ENTRIES, |i| format!("host{i}.example{}.com", i % 977));
    let exact = MapKeys::Exact(Arc::new(table::exact(&entries(&hosts))));
    measure(&mut group, "str", map(MatchMethod::Str, exact, ENTRIES), &samples(&hosts));

    let paths = keys(ENTRIES, |i| format!("/app{}/section{i}/", i % 997));
    let beg = MapKeys::Prefix(Arc::new(table::prefixes(&entries(&paths), Prefer::Longest)));
    let below = texts(&paths, "", "index.html?x=1");
    measure(&mut group, "beg", map(MatchMethod::Beg, beg, ENTRIES), &samples(&below));

    let domains = keys(ENTRIES, |i| format!(".host{i}.example{}.com", i % 977));
    let end = MapKeys::Suffix(Arc::new(table::suffixes(&entries(&domains), Prefer::First)));
    let under = texts(&domains, "www", "");
    measure(&mut group, "end", map(MatchMethod::End, end, ENTRIES), &samples(&under));

    let nets: Vec<(Pattern, u32)> =
        (0..ENTRIES).map(|i| (Pattern::Net4(0x0a00_0000 + (i << 8), 0xffff_ff00), i)).collect();
    let ip = MapKeys::Nets(Arc::new(table::networks(&nets)));
    let addresses: Vec<Sample<'_>> =
        (0..ENTRIES).map(|i| Sample::ip(IpAddr::V4(Ipv4Addr::from(0x0a00_0007 + (i << 8))))).collect();
    measure(&mut group, "ip", map(MatchMethod::Ip, ip, ENTRIES), &addresses);

    let values = keys(ENTRIES, |i| (i * 7).to_string());
    let range = |key: &str| key.parse().map_or(Pattern::Range(1, 0), |at| Pattern::Range(at, at));
    let int = tried_in_order(MatchMethod::Int, &values, range);
    let asked: Vec<Sample<'_>> = (0..ENTRIES).map(|i| Sample::Int((i * 7).into())).collect();
    measure(&mut group, "int", map(MatchMethod::Int, int, ENTRIES), &asked);

    let dom = tried_in_order(MatchMethod::Dom, &hosts, text);
    let around = texts(&hosts, "www.", ":8080");
    measure(&mut group, "dom", map(MatchMethod::Dom, dom, ENTRIES), &samples(&around));

    let sections = keys(ENTRIES, |i| format!("section{i}"));
    let dir = tried_in_order(MatchMethod::Dir, &sections, text);
    let inside = texts(&sections, "/app/", "/index.html");
    measure(&mut group, "dir", map(MatchMethod::Dir, dir, ENTRIES), &samples(&inside));

    // With both slashes: no key is part of another, and those at the end are found as often as those at the beginning.
    let between = keys(ENTRIES, |i| format!("/section{i}/"));
    let sub = tried_in_order(MatchMethod::Sub, &between, text);
    measure(&mut group, "sub", map(MatchMethod::Sub, sub, ENTRIES), &samples(&inside));

    let expressions = keys(EXPRESSIONS, |i| format!("^/section{i}/.*[.]html$"));
    let reg = tried_in_order(MatchMethod::Reg, &expressions, text);
    let pages: Vec<String> = (0..EXPRESSIONS).map(|i| format!("/section{i}/index.html")).collect();
    measure(&mut group, "reg of 10,000", map(MatchMethod::Reg, reg, EXPRESSIONS), &samples(&pages));
    group.finish();
}

criterion::criterion_group!(benches, maps);
