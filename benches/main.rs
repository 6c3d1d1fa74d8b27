//! What runs for every request, piece by piece: heads, expressions, maps, balancing; and what runs before the first one.

mod balance;
mod config;
mod expressions;
mod heads;
mod maps;

criterion::criterion_main!(
    heads::benches,
    expressions::benches,
    maps::benches,
    balance::benches,
    config::benches
);
