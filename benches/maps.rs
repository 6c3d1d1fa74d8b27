//! Maps of 100,000 entries; every look-up is for another key, so that memory is as cold as it is in life.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::Criterion;
use tandem::expr::Sample;
use tandem::expr::pattern::Pattern;
use tandem::expr::pattern::table::{self, Prefer};

const ENTRIES: u32 = 100_000;

/// Goes through all entries in an order that no cache guesses.
fn numbers() -> impl FnMut() -> u32 {
    let mut at = 0;
    move || {
        at = (at + 61_803) % ENTRIES;
        at
    }
}

fn keys(write: impl Fn(u32) -> String) -> Vec<Vec<u8>> {
    (0..ENTRIES).map(|i| write(i).into_bytes()).collect()
}

fn entries(keys: &[Vec<u8>]) -> Vec<(&[u8], u32)> {
    keys.iter().map(Vec::as_slice).zip(0..).collect()
}

fn maps(c: &mut Criterion) {
    let mut group = c.benchmark_group("map of 100,000");
    let mut next = numbers();
    let hosts = keys(|i| format!("host{i}.example{}.com", i % 977));
    let exact = table::exact(&entries(&hosts));
    group.bench_function("str", |b| b.iter(|| table::equal(&exact, black_box(&hosts[next() as usize]))));
    let paths = keys(|i| format!("/app{}/section{i}/", i % 997));
    let beg = table::prefixes(&entries(&paths), Prefer::Longest);
    let below: Vec<Vec<u8>> = paths.iter().map(|p| [p, &b"index.html?x=1"[..]].concat()).collect();
    group.bench_function("beg", |b| b.iter(|| table::prefix_of(&beg, black_box(&below[next() as usize]))));
    let domains = keys(|i| format!(".host{i}.example{}.com", i % 977));
    let end = table::suffixes(&entries(&domains), Prefer::First);
    let under: Vec<Vec<u8>> = domains.iter().map(|d| [&b"www"[..], d].concat()).collect();
    group.bench_function("end", |b| b.iter(|| table::suffix_of(&end, black_box(&under[next() as usize]))));
    let nets: Vec<(Pattern, u32)> =
        (0..ENTRIES).map(|i| (Pattern::Net4(0x0a00_0000 + (i << 8), 0xffff_ff00), i)).collect();
    let ip = table::networks(&nets);
    group.bench_function("ip", |b| {
        b.iter(|| {
            let addr = Ipv4Addr::from(0x0a00_0007 + (next() << 8));
            table::network_of(&ip, &Sample::ip(IpAddr::V4(black_box(addr))))
        });
    });
    group.finish();
}

criterion::criterion_group!(benches, maps);
