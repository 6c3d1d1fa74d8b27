//! Servers that come and go: `add server`, `del server`.

use std::sync::Arc;

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::global::Level;
use crate::ir::server::{InitState, ServerSettings};
use crate::live::{Live, NotRemovable, Proxy, Server};
use crate::lower::haproxy::{Origin, server_line};
use crate::lower::{self, System};

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["add", "server"],
        Level::Admin,
        "add server <bk>/<srv> <addr> [from <origin>] [<setting>]*",
        "make a new server, in maintenance",
        add,
    ),
    command(
        &["add", "server", "help"],
        Level::Admin,
        "add server help",
        "settings that such a server may have",
        |_| {
            Reply::list(format!(
                "List of keywords supported for dynamic server:\n{}",
                lower::haproxy::dynamic_server_words().map(|word| format!("{word}\n")).collect::<String>()
            ))
        },
    ),
    command(&["del", "server"], Level::Admin, "del server <bk>/<srv>", "take a server out for good", del),
];

/// The backend of `BACKEND/SERVER` and the server's name.
fn named<'c>(call: &'c Call<'_>) -> Result<(Arc<Proxy>, &'c str), Reply> {
    let both = |(backend, server): &(&str, &str)| !backend.is_empty() && !server.is_empty();
    let Some((backend, server)) = call.arg(0).split_once('/').filter(both) else {
        return Err(Reply::error("Require 'backend/server'.\n"));
    };
    let proxy = call.control.live.backend_named(backend);
    proxy.map(|proxy| (proxy, server)).ok_or_else(|| Reply::error("No such backend.\n"))
}

fn add(call: &mut Call<'_>) -> Reply {
    let (proxy, name) = match named(call) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let Some(backend) = &proxy.backend else { return Reply::error("No such backend.\n") };
    let takes_logs = proxy.ir.backend.as_ref().is_some_and(|half| half.takes_logs);
    let unfit = match backend.is_dynamic() {
        _ if takes_logs => "mode log",
        false => "a non dynamic load balancing method",
        true => "",
    };
    if !unfit.is_empty() {
        return Reply::error(format!(
            "Backend does not support dynamic servers : backend '{}' uses {unfit}.\n",
            proxy.ir.name
        ));
    }
    let _turn = call.control.turn.lock();
    if backend.server_named(name).is_some() {
        return Reply::error("Already exists a server with the same name in backend.\n");
    }
    let mut words = vec![name.to_owned()];
    words.extend_from_slice(&call.args[1..]);
    let origin = match origin(&call.control.live, &proxy, &mut words) {
        Ok(origin) => origin,
        Err(why) => return Reply::error(format!("{why}\n")),
    };
    let env = System { offline: false };
    let ir = match server_line(&proxy.ir.name, proxy.ir.mode, &words, origin, &env) {
        Ok(ir) => ir,
        Err(why) => return Reply::error(format!("{why}\n")),
    };
    if let Err(why) = trackable(&call.control.live, &ir) {
        return Reply::error(why);
    }
    if let Some(other) = backend.servers().iter().find(|s| s.ir.id == ir.id) {
        let text = format!("'id' : custom id {} already used by server '{}'.\n", ir.id, other.ir.name);
        return Reply::error(text);
    }
    match call.control.live.add_server(&proxy, ir, call.args[1..].join(" ")) {
        Some(_) => Reply::info("New server registered.\n"),
        None => Reply::error("No such backend.\n"),
    }
}

/// Takes `from ORIGIN` out of the words of a line, where it may stand behind name and address; what it leads to.
fn origin(
    live: &Live,
    own: &Arc<Proxy>,
    words: &mut Vec<String>,
) -> Result<Option<Arc<ServerSettings>>, String> {
    if words.get(2).is_none_or(|word| word != "from") {
        return Ok(None);
    }
    let Some(word) = words.get(3).cloned() else { return Err("from: missing value.".into()) };
    words.drain(2..4);
    if words.get(2).is_some_and(|word| word == "from") {
        return Err("'from' keyword can only be specified once.".into());
    }
    let origin = Origin::read(&word)?;
    let proxy = origin.backend().map_or_else(|| Some(own.clone()), |name| live.backend_named(name));
    let half = proxy.as_ref().and_then(|proxy| proxy.ir.backend.as_deref());
    let standing = |name: &str| {
        let server = proxy.as_ref()?.backend.as_ref()?.server_named(name)?;
        Some(ServerSettings::of(&server.ir))
    };
    origin.settings(&own.ir.name, half, standing)
}

/// What `track` names has a check and is no server that was added, which could be deleted again.
fn trackable(live: &Live, ir: &crate::ir::Server) -> Result<(), String> {
    let Some((backend, name)) = &ir.track else { return Ok(()) };
    let Some(proxy) = live.backend_named(backend) else {
        return Err(format!("unable to find required proxy '{backend}' for tracking.\n"));
    };
    let found = proxy.backend.as_ref().and_then(|b| b.server_named(name));
    let Some(tracked): Option<Arc<Server>> = found else {
        return Err(format!("unable to find required server '{name}' for tracking.\n"));
    };
    if ir.check.is_some() {
        return Err("unable to enable checks and tracking at the same time!\n".into());
    }
    if ir.init_state != InitState::None {
        return Err("unable to set init-state and tracking at the same time!\n".into());
    }
    let what = format!("unable to use {backend}/{name} for tracking as it");
    if tracked.added.is_some() {
        return Err(format!("{what} is a dynamic server.\n"));
    }
    if tracked.ir.check.is_none() && tracked.ir.agent.is_none() && tracked.ir.track.is_none() {
        return Err(format!("{what} does not have any check nor agent enabled.\n"));
    }
    Ok(())
}

/// What stands in the way of deleting a server.
pub(super) fn obstacle(why: NotRemovable) -> &'static str {
    match why {
        NotRemovable::Referenced => {
            "This server cannot be removed at runtime due to other configuration elements pointing to it.\n"
        }
        NotRemovable::NotInMaintenance => "Only servers in maintenance mode can be deleted.\n",
        NotRemovable::Busy => "Server still has connections attached to it, cannot remove it.\n",
    }
}

fn del(call: &mut Call<'_>) -> Reply {
    let (proxy, name) = match named(call) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let _turn = call.control.turn.lock();
    let Some(server) = proxy.backend.as_ref().and_then(|b| b.server_named(name)) else {
        return Reply::error("No such server.\n");
    };
    match call.control.live.remove_server(&proxy, &server) {
        Ok(()) => Reply::info("Server deleted.\n"),
        Err(why) => Reply::error(obstacle(why)),
    }
}
