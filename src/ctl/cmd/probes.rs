//! Agents, and where checks and agents go.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::registry::{Command, command};
use super::super::reply::Reply;
use super::servers::{arg, with_server};
use crate::ir::global::Level;
use crate::live::{Proxy, Server};
use crate::stats::steer::force_agent;

const NO_AGENT: &str = "agent checks are not enabled on this server";

pub(super) const COMMANDS: &[Command] = &[
    command(&["disable", "agent"], Level::Admin, "disable agent", "suspend agent checks", |call| {
        with_server(call, |proxy, server, _| {
            proxy.enable_agent(server, false);
            Reply::done()
        })
    }),
    command(&["enable", "agent"], Level::Admin, "enable agent", "take up agent checks", |call| {
        with_server(call, |proxy, server, _| {
            if server.ir.agent.is_none() {
                return Reply::error("Agent was not configured on this server, cannot enable.\n");
            }
            proxy.enable_agent(server, true);
            Reply::done()
        })
    }),
];

/// `set server B/S agent up|down`.
pub(super) fn agent(proxy: &Arc<Proxy>, server: &Arc<Server>, value: &str) -> Reply {
    if !server.has_agent() {
        return Reply::error(format!("{NO_AGENT}.\n"));
    }
    let up = match value {
        "up" => true,
        "down" => false,
        _ => return Reply::error("'set server <srv> agent' expects 'up' or 'down'.\n"),
    };
    if force_agent(proxy, server, up, "CLI") { Reply::done() } else { Reply::error(format!("{NO_AGENT}.\n")) }
}

fn port(text: &str) -> Result<u16, Reply> {
    match text.parse::<i64>() {
        Err(_) => Err(Reply::warning("provided port is not an integer")),
        Ok(number) => u16::try_from(number).map_err(|_| Reply::warning("provided port is invalid")),
    }
}

/// `ADDRESS [port PORT]`.
fn target(args: &[String]) -> Result<(IpAddr, Option<u16>), Reply> {
    let text = arg(args, 0);
    let addr = text.parse().map_err(|_| Reply::warning(format!("invalid addr '{text}'")))?;
    let port = if arg(args, 1) == "port" { Some(port(arg(args, 2))?) } else { None };
    Ok((addr, port))
}

/// `set server B/S agent-addr ADDRESS [port PORT]`.
pub(super) fn agent_addr(server: &Server, args: &[String]) -> Reply {
    if arg(args, 0).is_empty() {
        return Reply::error("set server <b>/<s> agent-addr requires an address and optionally a port.\n");
    }
    if !server.has_agent() {
        return Reply::warning(NO_AGENT);
    }
    match target(args) {
        Ok((addr, port)) => {
            let mut probing = server.probing.write();
            probing.agent_addr = Some(addr);
            probing.agent_port = port.unwrap_or(probing.agent_port);
            Reply::done()
        }
        Err(refusal) => refusal,
    }
}

/// `set server B/S agent-port PORT`.
pub(super) fn agent_port(server: &Server, value: &str) -> Reply {
    if value.is_empty() {
        return Reply::error("set server <b>/<s> agent-port requires a port.\n");
    }
    if !server.has_agent() {
        return Reply::warning(NO_AGENT);
    }
    match port(value) {
        Ok(port) => {
            server.probing.write().agent_port = port;
            Reply::done()
        }
        Err(refusal) => refusal,
    }
}

/// `set server B/S agent-send TEXT`.
pub(super) fn agent_send(server: &Server, value: &str) -> Reply {
    if !server.has_agent() {
        return Reply::error(format!("{NO_AGENT}.\n"));
    }
    server.probing.write().agent_send = value.as_bytes().to_vec();
    Reply::done()
}

const NO_CHECK: &str = "health checks are not enabled on this server";

/// `set server B/S check-addr ADDRESS [port PORT]`.
pub(super) fn check_addr(server: &Server, args: &[String]) -> Reply {
    if arg(args, 0).is_empty() {
        return Reply::error("set server <b>/<s> check-addr requires an address and optionally a port.\n");
    }
    if !server.is_checked() {
        return Reply::warning(NO_CHECK);
    }
    match target(args) {
        Ok((addr, port)) => {
            let mut probing = server.probing.write();
            probing.check_addr = Some(addr);
            probing.check_port = port.map_or(probing.check_port, some_port);
            Reply::done()
        }
        Err(refusal) => refusal,
    }
}

/// `set server B/S check-port PORT`.
pub(super) fn check_port(server: &Server, value: &str) -> Reply {
    if value.is_empty() {
        return Reply::error("set server <b>/<s> check-port requires a port.\n");
    }
    if !server.is_checked() {
        return Reply::warning(NO_CHECK);
    }
    match port(value) {
        Ok(port) => {
            server.probing.write().check_port = some_port(port);
            Reply::done()
        }
        Err(refusal) => refusal,
    }
}

/// Port 0 stands for the server's own.
fn some_port(port: u16) -> Option<u16> {
    (port != 0).then_some(port)
}
