//! Sessions: listeners, TCP and HTTP/1 exchanges, connections to servers, tunnels.
//!
//! One OS thread per `nbthread`, each with a current-thread runtime; a session never leaves its thread, so all sessions
//! of a thread are one task of that runtime, which steps through them ([`crate::sys::executor`]) and knows what their
//! sockets are ready for ([`crate::sys::reactor`]) without a locked instruction. What the sessions of a thread share
//! (buffers, idle server connections) is in [`worker`] behind no lock at all; what threads share is in [`crate::live`]. How a session ends is one type, [`failure::Failure`], from which
//! termination codes, counters and answers are derived.

mod admission;
mod board;
mod conn;
mod connect;
mod deadline;
mod door;
mod engine;
mod failure;
mod guard;
mod hold;
mod http;
mod lines;
mod listener;
mod lot;
mod lull;
mod numbers;
mod outbound;
mod pool;
mod pump;
mod refused;
mod route;
mod rules;
pub mod service;
mod shape;
mod splice;
mod stream;
mod tcp;
mod tunnel;
mod turn;
mod txn;
mod waiting;
mod worker;

#[cfg(test)]
mod tests;

pub use engine::{Engine, runtime};
pub use listener::{BindError, Bound, Socket, bind_all, missing_namespaces};
pub use service::{NoService, Service};
pub use splice::Pipes;
