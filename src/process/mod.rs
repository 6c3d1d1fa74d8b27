//! The process: daemon, signals, pid files, privileges, supervision.

pub mod daemon;
pub mod limits;
pub mod master;
mod schedule;
mod scripts;
pub mod supervisor;
pub mod vrrp;
