//! The commands, one file per family.

mod counters;
mod frontends;
mod later;
mod limits;
mod process;
mod servers;
pub(super) mod session;
mod stat;

use super::registry::Command;

/// All families.
pub(super) static FAMILIES: &[&[Command]] = &[
    counters::COMMANDS,
    frontends::COMMANDS,
    later::COMMANDS,
    limits::COMMANDS,
    process::COMMANDS,
    servers::COMMANDS,
    session::COMMANDS,
    stat::COMMANDS,
];
