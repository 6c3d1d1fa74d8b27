//! Servers: state, weight, address, health.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use super::probes;
use crate::ir::global::Level;
use crate::live::{Address, Proxy, Server};
use crate::server::{Admin, AdminRequest, Op};
use crate::stats::servers;
use crate::stats::steer::force_health;

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["disable", "server"],
        Level::Admin,
        "disable server (DEPRECATED)",
        "put a server into maintenance (use 'set server' instead)",
        |call| with_server(call, |proxy, server, _| request(proxy, server, AdminRequest::Maint)),
    ),
    command(
        &["disable", "health"],
        Level::Admin,
        "disable health",
        "suspend the checks of a server",
        |call| {
            with_server(call, |proxy, server, _| {
                proxy.enable_check(server, false);
                Reply::done()
            })
        },
    ),
    command(
        &["enable", "health"],
        Level::Admin,
        "enable health",
        "take the checks of a server up again",
        |call| {
            with_server(call, |proxy, server, _| {
                if server.ir.check.is_none() {
                    return Reply::error("Health check was not configured on this server, cannot enable.\n");
                }
                proxy.enable_check(server, true);
                Reply::done()
            })
        },
    ),
    command(
        &["enable", "server"],
        Level::Admin,
        "enable server  (DEPRECATED)",
        "take a server out of maintenance (use 'set server' instead)",
        |call| with_server(call, |proxy, server, _| request(proxy, server, AdminRequest::Ready)),
    ),
    command(&["get", "weight"], Level::User, "get weight <bk>/<srv>", "weight of a server", |call| {
        with_server(call, |_, server, _| {
            let (now, initial) = server.with_state(|s| (s.user_weight(), s.initial_weight()));
            Reply::list(format!("{now} (initial {initial})\n"))
        })
    }),
    command(
        &["set", "server"],
        Level::Admin,
        "set server <bk>/<srv> [opts]",
        "change a server's state, weight, address or health",
        |call| match call.arg(1) {
            "fqdn" => fqdn(call),
            "name" => rename(call),
            _ => with_server(call, set_server),
        },
    ),
    command(
        &["set", "weight"],
        Level::Admin,
        "set weight <bk>/<srv>  (DEPRECATED)",
        "change a server's weight (use 'set server' instead)",
        |call| with_server(call, |proxy, server, args| set_weight(proxy, server, arg(args, 0))),
    ),
    command(
        &["show", "servers", "conn"],
        Level::User,
        "show servers conn [<backend>]",
        "connections of servers (of all backends or one)",
        |call| {
            let anon = call.session.anon;
            with_backends(call, |backends| servers::conn(backends.iter(), &anon))
        },
    ),
    command(
        &["show", "servers", "state"],
        Level::User,
        "show servers state [<backend>]",
        "states of servers (of all backends or one)",
        |call| {
            let anon = call.session.anon;
            with_backends(call, |backends| servers::state(backends.iter(), &anon))
        },
    ),
    command(
        &["shutdown", "sessions", "server"],
        Level::Admin,
        "shutdown sessions server <bk>/<srv>",
        "end all sessions on a server",
        |call| {
            with_server(call, |_, server, _| {
                server.shutdown_sessions(crate::live::Shutdown::Command);
                Reply::done()
            })
        },
    ),
];

pub(super) fn arg(args: &[String], n: usize) -> &str {
    args.get(n).map_or("", String::as_str)
}

/// The server that the first argument names as `BACKEND/SERVER`, or why there is none.
pub(super) fn find(call: &Call<'_>) -> Result<(Arc<Proxy>, Arc<Server>), Reply> {
    let Some((backend, server)) = call.arg(0).split_once('/').filter(|(_, server)| !server.is_empty()) else {
        return Err(Reply::error("Require 'backend/server'.\n"));
    };
    let Some(proxy) = call.control.live.backend_named(backend) else {
        return Err(Reply::error("No such backend.\n"));
    };
    let found = proxy.backend.as_ref().and_then(|b| b.server_named(server));
    found.map(|s| (proxy.clone(), s.clone())).ok_or_else(|| Reply::error("No such server.\n"))
}

pub(super) fn with_server(
    call: &mut Call<'_>,
    act: fn(&Arc<Proxy>, &Arc<Server>, &[String]) -> Reply,
) -> Reply {
    match find(call) {
        Ok((proxy, server)) => act(&proxy, &server, &call.args[1..]),
        Err(refusal) => refusal,
    }
}

fn with_backends(call: &mut Call<'_>, list: impl Fn(&[Arc<Proxy>]) -> String) -> Reply {
    let name = call.arg(0);
    let wanted = |p: &&Arc<Proxy>| p.backend.is_some() && (name.is_empty() || p.is_called(name));
    let backends = call.control.live.proxies().iter().filter(wanted).cloned().collect::<Vec<_>>();
    if backends.is_empty() && !name.is_empty() {
        return Reply::error("Can't find backend.\n");
    }
    Reply::list(list(&backends))
}

fn request(proxy: &Arc<Proxy>, server: &Arc<Server>, request: AdminRequest) -> Reply {
    proxy.change_server(server, |state, now| state.request(request, now));
    Reply::done()
}

fn set_weight(proxy: &Arc<Proxy>, server: &Arc<Server>, text: &str) -> Reply {
    match server.with_state(|state| state.parse_weight(text)) {
        Ok(weight) => {
            proxy.change_server(server, |state, now| state.set_weight(weight, now));
            Reply::done()
        }
        Err(why) => Reply::error(why),
    }
}

const SET_SERVER_USAGE: &str = "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | \
     agent-send | check-addr | check-port | fqdn | health | name | ssl | state | weight\n";

fn set_server(proxy: &Arc<Proxy>, server: &Arc<Server>, args: &[String]) -> Reply {
    let value = arg(args, 1);
    match arg(args, 0) {
        "weight" => set_weight(proxy, server, value),
        "state" => match value {
            "ready" => request(proxy, server, AdminRequest::Ready),
            "drain" => request(proxy, server, AdminRequest::Drain),
            "maint" => request(proxy, server, AdminRequest::Maint),
            _ => Reply::error("'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n"),
        },
        "health" => health(proxy, server, value),
        "addr" => address(proxy, server, &args[1..]),
        "agent" => probes::agent(proxy, server, value),
        "agent-addr" => probes::agent_addr(server, &args[1..]),
        "agent-port" => probes::agent_port(server, value),
        "agent-send" => probes::agent_send(server, value),
        "check-addr" => probes::check_addr(server, &args[1..]),
        "check-port" => probes::check_port(server, value),
        "ssl" => Reply::error("server ssl setting not supported.\n"),
        _ => Reply::error(SET_SERVER_USAGE),
    }
}

/// `set server BACKEND/SERVER name NAME`
fn rename(call: &mut Call<'_>) -> Reply {
    let (proxy, server) = match find(call) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let wanted = call.arg(2);
    if wanted.is_empty() {
        return Reply::error("set server <b>/<s> name requires a new name.\n");
    }
    let _turn = call.control.turn.lock();
    match call.control.live.call_server(&proxy, &server, wanted) {
        Ok(()) => Reply::info("Server name updated.\n"),
        Err(why) => Reply::error(why),
    }
}

/// `set server BACKEND/SERVER fqdn NAME`
fn fqdn(call: &mut Call<'_>) -> Reply {
    let (proxy, server) = match find(call) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let wanted = call.arg(2);
    if wanted.is_empty() {
        return Reply::error("set server <b>/<s> fqdn requires a FQDN.\n");
    }
    if server.ir.lookup.resolvers.is_none() {
        return Reply::error("set server <b>/<s> fqdn failed because no resolution is configured.\n");
    }
    if server.follows_service() {
        return Reply::error("set server <b>/<s> fqdn failed because SRV resolution is configured.\n");
    }
    let before = server.fqdn();
    if before.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(wanted)) {
        return Reply::warning("no need to change the FDQN by 'stats socket command'\n");
    }
    let before = before.unwrap_or_else(|| "(null)".to_owned());
    let name = format!("{}/{}", proxy.ir.name, server.name());
    let is_name = crate::dns::wire::name(wanted).is_ok();
    if !is_name || call.control.live.rename_server(&proxy, &server, wanted).is_none() {
        return Reply::warning(format!("could not update {name} FQDN by 'stats socket command'\n"));
    }
    Reply::warning(format!("{name} changed its FQDN from {before} to {wanted} by 'stats socket command'\n"))
}

fn health(proxy: &Arc<Proxy>, server: &Arc<Server>, value: &str) -> Reply {
    let op = match value {
        "up" => Op::Running,
        "stopping" => Op::Stopping,
        "down" => Op::Stopped,
        _ if server.ir.track.is_some() => Op::Stopped,
        _ => return Reply::error("'set server <srv> health' expects 'up', 'stopping', or 'down'.\n"),
    };
    if force_health(proxy, server, op, "CLI") {
        Reply::done()
    } else {
        Reply::error("cannot change health on a tracking server.\n")
    }
}

const PORTLESS_CHECK: &str = ", can't change <port> to port map because it is incompatible with current health check \
     port configuration (use 'port' statement from the 'server' directive).";

/// Its check goes to the server's own port.
fn lacks_check_port(server: &Server) -> bool {
    server.is_checked() && server.probing.read().check_port.is_none()
}

/// `addr ADDRESS [port PORT]`; a port with a sign is added to that of the client's connection.
fn address(proxy: &Arc<Proxy>, server: &Arc<Server>, args: &[String]) -> Reply {
    const BY: &str = " by 'stats socket command'\n";
    if arg(args, 0).is_empty() {
        return Reply::error("set server <b>/<s> addr requires an address and optionally a port.\n");
    }
    let Ok(wanted) = arg(args, 0).parse::<IpAddr>() else {
        return Reply::error(format!("Invalid addr '{}'\n", arg(args, 0)));
    };
    let before = match server.address() {
        Address::Ip(addr) => Some(addr),
        Address::Unix(_) | Address::SockPair(_) | Address::Unknown => None,
    };
    let mut port = before.map_or(0, |b| b.port());
    let followed = server.ports_follow();
    let mut follow = followed;
    let port_asked = arg(args, 1) == "port";
    let mut kept = None;
    if port_asked {
        let text = arg(args, 2);
        let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
        let whole = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit());
        match digits.parse::<u16>() {
            _ if !whole => return Reply::error(format!("problem converting port '{text}' to an int\n")),
            Err(_) => return Reply::error(format!("Invalid port '{text}'{BY}")),
            Ok(_) if !sign.is_empty() && !followed && lacks_check_port(server) => kept = Some(PORTLESS_CHECK),
            Ok(number) => {
                port = if sign == "-" { number.wrapping_neg() } else { number };
                follow = !sign.is_empty();
            }
        }
    }
    let mut message = match before {
        Some(b) if b.ip() == wanted => "no need to change the addr".to_owned(),
        Some(b) => format!("IP changed from '{}' to '{wanted}'", b.ip()),
        None => format!("IP changed from '(none)' to '{wanted}'"),
    };
    let after = SocketAddr::new(wanted, port);
    let shown = |port: u16, follow: bool| format!("{}{port}", if follow { "+" } else { "" });
    let was = before.map_or(0, |b| b.port());
    match kept {
        Some(why) => message.push_str(why),
        None if !port_asked => {}
        None if (was, followed) == (port, follow) => message.push_str(", no need to change the port"),
        None => {
            let change =
                format!(", port changed from '{}' to '{}'", shown(was, followed), shown(port, follow));
            message.push_str(&change);
        }
    }
    if before != Some(after) || follow != followed {
        server.set_ports_follow(follow);
        server.set_address(Address::Ip(after));
        if server.with_state(|s| s.admin().any(Admin::RESOLUTION_MAINT)) {
            proxy.change_server(server, |s, now| s.clear_flag(Admin::RESOLUTION_MAINT, None, now));
        }
    }
    Reply::info(message + BY)
}
