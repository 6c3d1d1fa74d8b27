//! Small commands: text, time, modes, and looks at the process as the system sees it.

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use super::backends;
use super::dynamic::obstacle;
use super::session::duration_ms;
use crate::ir::global::Level;
use crate::live::{BackendKept, NotRemovable};
use crate::sys::clock;

pub(super) const COMMANDS: &[Command] = &[
    command(&["echo"], Level::User, "echo <text>", "print text", |call| {
        Reply::info(format!("{}\n", call.args.join(" ")))
    }),
    command(
        &["wait"],
        Level::Admin,
        "wait {-h|<delay_ms>} cond [args...]",
        "wait for a time or a condition",
        wait,
    ),
    command(&["expert-mode"], Level::Admin, "expert-mode [on|off]", "commands for experts", |call| {
        switch(call, "expert-mode")
    }),
    command(
        &["experimental-mode"],
        Level::Admin,
        "experimental-mode [on|off]",
        "commands that may change",
        |call| switch(call, "experimental-mode"),
    ),
    command(
        &["set", "rate-limit"],
        Level::Admin,
        "set rate-limit <setting> <value>",
        "limits per second of the process",
        set_rate_limit,
    ),
    command(
        &["show", "libs"],
        Level::Operator,
        "show libs",
        "files mapped as programs and libraries",
        |_| Reply::list(libraries()),
    ),
];

fn switch(call: &mut Call<'_>, name: &str) -> Reply {
    let session = &mut *call.session;
    let flag = if name == "expert-mode" { &mut session.expert } else { &mut session.experimental };
    let arg = call.args.first().map(String::as_str);
    match arg {
        None | Some("") => Reply::info(format!("{name} is {}\n", if *flag { "ON" } else { "OFF" })),
        other => {
            *flag = other == Some("on");
            Reply::done()
        }
    }
}

const WAIT_HELP: &str = "Usage: wait {-h|<duration>} [condition [args...]]\n\
     \x20 -h                       : this help\n\
     \x20 <duration>               : longest time to wait; milliseconds, or with a unit of us, ms, s, m, h, d\n\
     \x20 be-removable <px>        : until 'del backend' can delete this backend\n\
     \x20 srv-removable <px>/<sv>  : until 'del server' can delete this server\n";

fn wait(call: &mut Call<'_>) -> Reply {
    if call.arg(0).is_empty() {
        return Reply::error("Expects a duration in milliseconds.\n");
    }
    if call.has("-h") {
        return Reply::info(WAIT_HELP);
    }
    let Some(delay) = duration_ms(call.arg(0)) else { return Reply::error("Invalid duration.\n") };
    let until = clock::now() + delay;
    match call.arg(1) {
        "" => Reply::wait(until, None),
        "srv-removable" => wait_removable(call, until),
        "be-removable" => wait_backend_removable(call, until),
        _ => Reply::error(WAIT_HELP),
    }
}

fn wait_removable(call: &mut Call<'_>, until: std::time::Instant) -> Reply {
    if call.arg(2).is_empty() {
        return Reply::error("Missing server name (<backend>/<server>).\n");
    }
    let Some((backend, server)) = call.arg(2).split_once('/') else {
        return Reply::error("Require 'backend/server'.\n");
    };
    let (backend, server) = (backend.to_owned(), server.to_owned());
    Reply::wait(
        until,
        Some(Box::new(move |control| {
            let Some(proxy) = control.live.backend_named(&backend) else {
                return Some(Reply::error("Failed. No such backend.\n"));
            };
            let Some(server) = proxy.backend.as_ref().and_then(|b| b.server_named(&server)) else {
                return Some(Reply::error("Failed. No such server.\n"));
            };
            match control.live.check_removable(&proxy, &server) {
                Ok(()) => Some(Reply::info("Done.\n")),
                Err(NotRemovable::Busy) => None,
                Err(why) => Some(Reply::error(format!("Failed. {}", obstacle(why)))),
            }
        })),
    )
}

fn wait_backend_removable(call: &mut Call<'_>, until: std::time::Instant) -> Reply {
    let name = call.arg(2).to_owned();
    if name.is_empty() {
        return Reply::error("Missing backend name.\n");
    }
    Reply::wait(
        until,
        Some(Box::new(move |control| {
            let Some(proxy) = control.live.backend_named(&name) else {
                return Some(Reply::error("Failed. No such backend.\n"));
            };
            match control.live.check_backend_removable(&proxy) {
                Ok(()) => Some(Reply::info("Done.\n")),
                Err(BackendKept::Busy) => None,
                Err(why) => Some(Reply::error(format!("Failed. {}", backends::obstacle(why)))),
            }
        })),
    )
}

fn set_rate_limit(call: &mut Call<'_>) -> Reply {
    let limits = &call.control.live.rate_limits;
    let limit = match (call.arg(0), call.arg(1)) {
        ("connections", "global") => &limits.connections,
        ("sessions", "global") => &limits.sessions,
        (what @ ("ssl-sessions" | "http-compression"), "global") => {
            return Reply::error(format!(
                "'set rate-limit {what}' is not done yet: this program has neither TLS nor compression.\n"
            ));
        }
        _ => {
            return Reply::error(
                "'set rate-limit' only supports :\n   \
                 - 'connections global' to set the per-process maximum connection rate\n   \
                 - 'sessions global' to set the per-process maximum session rate\n",
            );
        }
    };
    match call.arg(2) {
        "" => Reply::error("Expects an integer value.\n"),
        text => match text.parse::<u32>() {
            Ok(value) => {
                limit.store(value, std::sync::atomic::Ordering::Relaxed);
                Reply::done()
            }
            Err(_) => Reply::error("Value out of range.\n"),
        },
    }
}

/// Where each file is mapped as code, from its first byte to its last.
fn libraries() -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut found: Vec<(&str, u64, u64, bool)> = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(range), Some(rights), Some(path)) = (words.next(), words.next(), words.nth(3)) else {
            continue;
        };
        let Some((from, to)) = range.split_once('-') else { continue };
        let (Ok(from), Ok(to)) = (u64::from_str_radix(from, 16), u64::from_str_radix(to, 16)) else {
            continue;
        };
        if !path.starts_with('/') {
            continue;
        }
        let is_code = rights.contains('x');
        match found.last_mut().filter(|(last, ..)| *last == path) {
            Some((_, _, end, code)) => (*end, *code) = (to, *code || is_code),
            None => found.push((path, from, to, is_code)),
        }
    }
    let mapped = found.into_iter().filter(|(.., is_code)| *is_code);
    mapped
        .map(|(path, from, to, _)| format!("0x{from:012x}-0x{to:012x} (0x{:07x}) {path}\n", to - from))
        .collect()
}
