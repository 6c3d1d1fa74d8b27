//! Sessions on real sockets, without a configuration file.
#![allow(clippy::disallowed_methods, reason = "tests wait for real sockets")]

mod harness;
mod http;
mod idle;
mod lines;
mod messages;
mod pool;
mod rules;
mod tcp;
mod ways;
