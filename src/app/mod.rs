//! Wiring: from the resolved configuration to running tasks.

pub mod demo;
pub mod run;
mod signals;
pub mod tell;
