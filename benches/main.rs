//! What runs for every request, piece by piece: heads, expressions, maps, balancing.

mod balance;
mod expressions;
mod heads;
mod maps;

criterion::criterion_main!(heads::benches, expressions::benches, maps::benches, balance::benches);
