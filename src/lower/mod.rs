//! From syntax trees to the resolved configuration; the only module that imports the parser.

mod env;
pub mod haproxy;
pub mod keepalived;

pub use env::{Env, System};
pub use haproxy::{Loaded, Source, load};
