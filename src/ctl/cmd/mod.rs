//! The commands, one file per family.

pub(super) mod anon;
mod backends;
mod config;
mod cookies;
mod counters;
mod debug;
mod dynamic;
mod fds;
mod frontends;
mod httpclient;
mod inside;
mod latency;
mod later;
mod limits;
mod maps;
mod misc;
mod probes;
mod process;
mod profiling;
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

/// Commands that nobody is told of before `expert-mode on`.
pub(super) fn is_for_experts(command: &Command) -> bool {
    let hidden = matches!(command.words, ["debug", "dev", ..] | ["httpclient"]);
    hidden && command.words != ["debug", "dev", "hash"]
}

/// All families.
pub(super) static FAMILIES: &[&[Command]] = &[
    backends::COMMANDS,
    anon::COMMANDS,
    config::COMMANDS,
    cookies::COMMANDS,
    counters::COMMANDS,
    debug::COMMANDS,
    dynamic::COMMANDS,
    fds::COMMANDS,
    frontends::COMMANDS,
    httpclient::COMMANDS,
    inside::COMMANDS,
    later::COMMANDS,
    latency::COMMANDS,
    limits::COMMANDS,
    maps::COMMANDS,
    misc::COMMANDS,
    probes::COMMANDS,
    process::COMMANDS,
    profiling::COMMANDS,
    servers::COMMANDS,
    session::COMMANDS,
    sessions::COMMANDS,
    stat::COMMANDS,
    trace::COMMANDS,
];
