//! Wiring: from the resolved configuration to running tasks.

pub mod demo;
pub mod run;
pub mod tell;
