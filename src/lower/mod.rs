//! From syntax trees to the resolved configuration; the only module that imports the parser.

mod env;
pub mod expr;
pub mod haproxy;
pub mod keepalived;
pub mod rules;
pub mod together;

pub use env::{Env, System};
pub use haproxy::{Loaded, Source, condition, load};
