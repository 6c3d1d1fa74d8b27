//! The process: environment, backends, messages of the start.

use super::super::Control;
use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use super::session::sockets_variable;
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
    let own = own_variables(call.control);
    let set = std::env::vars_os()
        .map(|(k, v)| (k.to_string_lossy().into_owned(), v.to_string_lossy().into_owned()));
    let set = set.filter(|(name, _)| own.iter().all(|(own, _)| own != name));
    let all: Vec<(String, String)> =
        set.chain(own.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))).collect();
    let line = |(name, value): &(String, String)| format!("{name}={value}\n");
    let wanted = call.arg(0);
    if wanted.is_empty() {
        return Reply::list(all.iter().map(line).collect::<String>());
    }
    match all.iter().find(|(name, _)| name == wanted) {
        Some(found) => Reply::list(line(found)),
        None => Reply::error("Variable not found\n"),
    }
}

/// What the program adds to its environment (manual, 2.4).
fn own_variables(control: &Control) -> Vec<(&'static str, String)> {
    let global = &control.live.config.global;
    vec![
        ("HAPROXY_BRANCH", crate::HAPROXY_VERSION.split('.').take(2).collect::<Vec<_>>().join(".")),
        ("HAPROXY_STARTUP_VERSION", crate::HAPROXY_VERSION.to_owned()),
        ("HAPROXY_LOCALPEER", global.localpeer.clone().unwrap_or_else(|| control.program.node.clone())),
        ("HAPROXY_CFGFILES", control.program.files.join(";")),
        ("HAPROXY_CLI", sockets_variable(&control.live)),
    ]
}
