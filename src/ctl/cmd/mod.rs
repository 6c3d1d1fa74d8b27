//! The commands, one file per family.

pub(super) mod anon;
mod backends;
mod config;
mod cookies;
mod counters;
mod dynamic;
mod frontends;
mod inside;
mod latency;
mod later;
mod limits;
mod maps;
mod misc;
mod probes;
mod process;
mod schema;
mod servers;
pub(super) mod session;
mod sessions;
mod stat;
mod trace;

use super::registry::Command;

/// Commands that know `json` themselves; of every other `show` the text is translated.
pub(super) fn has_own_json(command: &Command) -> bool {
    matches!(command.words, ["show", "stat" | "info" | "schema" | "latency" | "vrrp", ..])
}

/// All families.
pub(super) static FAMILIES: &[&[Command]] = &[
    backends::COMMANDS,
    anon::COMMANDS,
    config::COMMANDS,
    cookies::COMMANDS,
    counters::COMMANDS,
    dynamic::COMMANDS,
    frontends::COMMANDS,
    inside::COMMANDS,
    later::COMMANDS,
    latency::COMMANDS,
    limits::COMMANDS,
    maps::COMMANDS,
    misc::COMMANDS,
    probes::COMMANDS,
    process::COMMANDS,
    schema::COMMANDS,
    servers::COMMANDS,
    session::COMMANDS,
    sessions::COMMANDS,
    stat::COMMANDS,
    trace::COMMANDS,
];
