//! The process: environment, backends, messages of the start.

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::global::Level;

pub(super) const COMMANDS: &[Command] = &[
    command(&["show", "backend"], Level::User, "show backend", "names of the backends", |call| {
        let mut out = String::from("# name\n");
        let backends = call.control.live.proxies().into_iter().filter(|p| p.backend.is_some());
        backends.for_each(|p| out.push_str(&format!("{}\n", p.ir.name)));
        Reply::list(out)
    }),
    command(
        &["show", "env"],
        Level::Operator,
        "show env [var]",
        "environment variables of the process",
        show_env,
    ),
    command(
        &["show", "startup-logs"],
        Level::Operator,
        "show startup-logs",
        "what was said at the start",
        |call| Reply::list(format!("{}\n", call.control.startup_logs)),
    ),
];

fn show_env(call: &mut Call<'_>) -> Reply {
    let name = call.arg(0);
    if !name.is_empty() {
        return match std::env::var_os(name) {
            Some(value) => Reply::list(format!("{name}={}\n", value.to_string_lossy())),
            None => Reply::error("Variable not found\n"),
        };
    }
    let line = |(k, v): (std::ffi::OsString, std::ffi::OsString)| {
        format!("{}={}\n", k.to_string_lossy(), v.to_string_lossy())
    };
    Reply::list(std::env::vars_os().map(line).collect::<String>())
}
