//! `set maxconn`.

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use super::servers;
use crate::ir::global::Level;
use crate::server::parse_maxconn;

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["set", "maxconn", "frontend"],
        Level::Admin,
        "set maxconn frontend <frontend> <value>",
        "limit of connections of a frontend",
        frontend,
    ),
    command(
        &["set", "maxconn", "global"],
        Level::Admin,
        "set maxconn global <value>",
        "limit of connections of the process",
        global,
    ),
    command(
        &["set", "maxconn", "server"],
        Level::Admin,
        "set maxconn server <bk>/<srv> <value>",
        "limit of requests of a server",
        server,
    ),
];

/// A number of connections; anything that is none changes nothing, so it is an answer of its own.
fn limit(text: &str) -> Result<u32, Reply> {
    match text.parse::<i64>() {
        Ok(n) => u32::try_from(n).map_err(|_| Reply::error("Value out of range.\n")),
        Err(_) => Err(Reply::error("Integer value expected.\n")),
    }
}

fn frontend(call: &mut Call<'_>) -> Reply {
    if call.arg(0).is_empty() {
        return Reply::error("A frontend name is expected.\n");
    }
    let proxy = call.control.live.frontend_named(call.arg(0));
    let Some(half) = proxy.as_ref().and_then(|p| p.frontend.as_ref()) else {
        return Reply::error("No such frontend.\n");
    };
    match limit(call.arg(1)) {
        Ok(maxconn) => {
            half.set_maxconn(maxconn);
            Reply::done()
        }
        Err(refusal) => refusal,
    }
}

fn global(call: &mut Call<'_>) -> Reply {
    if call.arg(0).is_empty() {
        return Reply::error("Expects an integer value.\n");
    }
    let hard = call.control.program.hard_maxconn;
    match limit(call.arg(0)) {
        Ok(maxconn) if maxconn > hard => Reply::error("Value out of range.\n"),
        Ok(maxconn) => {
            // 0 stands for the limit at the start.
            call.control.live.set_maxconn(if maxconn == 0 { hard } else { maxconn });
            Reply::done()
        }
        Err(refusal) => refusal,
    }
}

fn server(call: &mut Call<'_>) -> Reply {
    let (proxy, server) = match servers::find(call) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    match parse_maxconn(call.arg(1)) {
        Ok(maxconn) => {
            server.set_maxconn(maxconn);
            proxy.serve_queue();
            Reply::done()
        }
        Err(why) => Reply::error(why),
    }
}
