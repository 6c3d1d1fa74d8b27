//! The commands, one file per family.

mod counters;
mod dynamic;
mod frontends;
mod latency;
mod later;
mod limits;
mod misc;
mod probes;
mod process;
mod servers;
pub(super) mod session;
mod stat;

use super::registry::Command;

/// All families.
pub(super) static FAMILIES: &[&[Command]] = &[
    counters::COMMANDS,
    dynamic::COMMANDS,
    frontends::COMMANDS,
    later::COMMANDS,
    latency::COMMANDS,
    limits::COMMANDS,
    misc::COMMANDS,
    probes::COMMANDS,
    process::COMMANDS,
    servers::COMMANDS,
    session::COMMANDS,
    stat::COMMANDS,
];
