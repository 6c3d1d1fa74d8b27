//! Frontends: pause, resume, stop.

use std::sync::Arc;

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::Caps;
use crate::ir::global::Level;
use crate::live::{Frontend, FrontendState, Proxy};
use crate::server;

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["disable", "frontend"],
        Level::Admin,
        "disable frontend <frontend>",
        "stop taking connections, until enabled again",
        |call| with_frontend(call, disable),
    ),
    command(
        &["enable", "frontend"],
        Level::Admin,
        "enable frontend <frontend>",
        "take connections again",
        |call| with_frontend(call, enable),
    ),
    command(
        &["shutdown", "frontend"],
        Level::Admin,
        "shutdown frontend <frontend>",
        "stop a frontend for good",
        |call| {
            let reply = with_frontend(call, shutdown);
            if let Some(proxy) = call.control.live.frontend_named(call.arg(0)) {
                call.control.withdraw(proxy.idx);
            }
            reply
        },
    ),
];

fn with_frontend(call: &mut Call<'_>, act: fn(&Arc<Proxy>, &Frontend) -> Reply) -> Reply {
    if call.arg(0).is_empty() {
        return Reply::error("A frontend name is expected.\n");
    }
    let Some(proxy) = call.control.live.frontend_named(call.arg(0)) else {
        return Reply::error("No such frontend.\n");
    };
    let Some(half) = &proxy.frontend else { return Reply::error("No such frontend.\n") };
    act(&proxy, half)
}

/// How log lines name it: a `listen` section is a proxy.
fn kind(proxy: &Proxy) -> &'static str {
    if proxy.ir.caps == Caps::Listen { "proxy" } else { "frontend" }
}

fn announce(proxy: &Arc<Proxy>, text: &str) {
    proxy.announce(server::Level::Notice, text, text);
}

fn disable(proxy: &Arc<Proxy>, half: &Frontend) -> Reply {
    match half.state() {
        FrontendState::Stopped => Reply::error("Frontend was previously shut down, cannot disable.\n"),
        FrontendState::Paused => Reply::info("All sockets are already disabled.\n"),
        FrontendState::Open => {
            half.set_state(FrontendState::Paused);
            announce(proxy, &format!("Paused {} {}.", kind(proxy), proxy.ir.name));
            Reply::done()
        }
    }
}

fn enable(proxy: &Arc<Proxy>, half: &Frontend) -> Reply {
    match half.state() {
        FrontendState::Stopped => Reply::error("Frontend was previously shut down, cannot enable.\n"),
        FrontendState::Open => Reply::info("All sockets are already enabled.\n"),
        FrontendState::Paused => {
            half.set_state(FrontendState::Open);
            announce(proxy, &format!("Resumed {} {}.", kind(proxy), proxy.ir.name));
            Reply::done()
        }
    }
}

fn shutdown(proxy: &Arc<Proxy>, half: &Frontend) -> Reply {
    if half.state() == FrontendState::Stopped {
        return Reply::error("Frontend was already shut down.\n");
    }
    half.set_state(FrontendState::Stopped);
    let backend = proxy.backend.as_ref().map_or(0, |b| b.counters.stot.get());
    announce(
        proxy,
        &format!(
            "Proxy {} stopped (cumulated conns: FE: {}, BE: {backend}).",
            proxy.ir.name,
            half.counters.conn_tot.get()
        ),
    );
    Reply::done()
}
