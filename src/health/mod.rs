//! Health checks: the rise/fall machine and check scripts (pure), and their runner.
//!
//! Every kind of check is a [`script::Script`]: connect, send, expect. A [`dialogue::Dialogue`] walks it without
//! sockets, bytes in and actions out, to a [`Verdict`]; [`fsm::Machine`] counts verdicts and says when the next
//! check is due and when the server changes state. `runner` owns the sockets and timers of all checks.

pub mod dialogue;
pub mod fsm;
mod judge;
pub mod proto;
pub mod runner;
pub mod scene;
pub mod script;
mod status;

#[cfg(test)]
mod tests;

pub use status::{Outcome, Status, Verdict};
