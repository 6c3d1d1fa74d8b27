//! Wiring: from the resolved configuration to running tasks.

pub mod demo;
mod page;
pub mod run;
