//! Picks among 10 and among 1,000 servers.

use std::cell::Cell;
use std::hint::black_box;

use criterion::Criterion;
use tandem::balance::{Balancer, View};
use tandem::ir::proxy::{Balance, HashMethod, HashType};
use tandem::ir::{Backend, Server, ServerAddr};

/// Nobody is busy.
struct Calm(Cell<u32>);

impl View for Calm {
    fn served(&self, _: usize) -> u32 {
        0
    }
    fn queued(&self, _: usize) -> u32 {
        0
    }
    fn limit(&self, _: usize) -> u32 {
        0
    }
    fn maxqueue(&self, _: usize) -> u32 {
        0
    }
    fn total_served(&self) -> u32 {
        0
    }
    fn random(&self) -> u32 {
        self.0.set(self.0.get().wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        self.0.get()
    }
}

fn backend(balance: &Balance, method: HashMethod, servers: u32) -> Backend {
    let server = |i: u32| {
        let addr = ServerAddr::Ip(([127, 0, 0, 1], 80).into());
        Server { id: i + 1, weight: 1 + (i % 3) as u16, ..Server::new(&format!("s{i}"), addr) }
    };
    let hash_type = HashType { method, ..HashType::default() };
    Backend {
        servers: (0..servers).map(server).collect(),
        balance: balance.clone(),
        hash_type,
        ..Backend::default()
    }
}

fn picks(c: &mut Criterion) {
    let map = HashMethod::MapBased;
    let cases = [
        ("roundrobin", Balance::RoundRobin, map),
        ("static-rr", Balance::StaticRr, map),
        ("leastconn", Balance::LeastConn, map),
        ("first", Balance::First, map),
        ("random(2)", Balance::Random(2), map),
        ("source", Balance::Source, map),
        ("source, consistent", Balance::Source, HashMethod::Consistent),
    ];
    for servers in [10, 1000] {
        let mut group = c.benchmark_group(format!("pick of {servers}"));
        for (name, balance, method) in &cases {
            let mut balancer = Balancer::new(&backend(balance, *method, servers));
            let (view, mut key) = (Calm(Cell::new(1)), 0u32);
            group.bench_function(*name, |b| {
                b.iter(|| {
                    key = key.wrapping_add(2_654_435_761);
                    let picked = balancer.pick(&view, Some(black_box(key)), None);
                    if balancer.wants_conn_changes()
                        && let Some(server) = picked
                    {
                        balancer.on_conn_change(server, 1);
                        balancer.on_conn_change(server, 0);
                    }
                    picked
                });
            });
        }
        group.finish();
    }
}

criterion::criterion_group!(benches, picks);
