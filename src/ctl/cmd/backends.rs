//! Backends: whether rules of other sections may lead to them, and backends that come and go.

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::Mode;
use crate::ir::global::Level;
use crate::live::{BackendKept, NotAddable};

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["publish", "backend"],
        Level::Admin,
        "publish backend <backend>",
        "let 'use_backend' and 'default_backend' lead to a backend",
        |call| publish(call, true),
    ),
    command(
        &["unpublish", "backend"],
        Level::Admin,
        "unpublish backend <backend>",
        "let no rule lead to a backend but for 'force-be-switch'",
        |call| publish(call, false),
    ),
    command(
        &["add", "backend"],
        Level::Admin,
        "add backend <backend> from <defproxy> [mode <mode>] [guid <guid>]",
        "make a new backend, not published",
        |call| add(call).unwrap_or_else(Reply::error),
    ),
    command(&["del", "backend"], Level::Admin, "del backend <backend>", "take a backend out for good", del),
    command(
        &["show", "defaults"],
        Level::User,
        "show defaults",
        "'defaults' sections that new backends may start from",
        |call| {
            let bases = &call.control.live.config.bases;
            Reply::list(bases.iter().map(|base| format!("{}\n", base.name)).collect::<String>())
        },
    ),
    command(
        &["show", "default-server"],
        Level::User,
        "show default-server [<backend>]",
        "'default-server' settings that new servers may start from",
        default_servers,
    ),
];

const ADD_USAGE: &str = "Usage: add backend <name> from <defproxy> [mode <px_mode>] [guid <val>].\n";

/// A character that names cannot have.
fn odd_char(name: &str) -> Option<char> {
    name.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | ':' | '_' | '-'))
}

fn add(call: &mut Call<'_>) -> Result<Reply, String> {
    let name = call.arg(0);
    if name.is_empty() {
        return Err("Require backend name.\n".into());
    }
    if let Some(c) = odd_char(name) {
        return Err(format!("Invalid character '{c}' in backend name.\n"));
    }
    let base = call.arg(2);
    if call.arg(1) != "from" || base.is_empty() {
        return Err("Usage: add backend <name> from <defproxy>.\n".into());
    }
    let (mut mode, mut guid) = (None, None);
    for pair in call.args[3..].chunks(2) {
        match pair {
            [word, value] if word == "mode" && mode.is_none() => {
                mode = Some(match value.as_str() {
                    "tcp" => Mode::Tcp,
                    "http" => Mode::Http,
                    "log" | "health" | "spop" | "haterm" => {
                        return Err("Dynamic backends are compatible with only TCP or HTTP mode.\n".into());
                    }
                    _ => return Err("Unknown proxy mode.\n".into()),
                });
            }
            [word, value] if word == "guid" && guid.is_none() => guid = Some(value.clone()),
            _ => return Err(ADD_USAGE.into()),
        }
    }
    let live = &call.control.live;
    // Of several with one name the last one counts.
    let Some(base) = live.config.bases.iter().rfind(|one| one.name == base) else {
        return Err(format!("Cannot find default proxy '{base}'.\n"));
    };
    if !base.has_mode && mode.is_none() {
        return Err(format!(
            "Mode is required as '{}' default proxy does not explicitly defines it.\n",
            base.name
        ));
    }
    let mut ir = match &base.backend {
        Ok(backend) => crate::ir::Proxy::clone(backend),
        Err(why) => return Err(format!("{why}\n")),
    };
    if let Some(guid) = &guid {
        let why = match odd_char(guid) {
            _ if guid.is_empty() || guid.len() > 127 => Some("invalid length".to_owned()),
            Some(c) => Some(format!("invalid character '{c}'")),
            None => None,
        };
        if let Some(why) = why {
            return Err(format!("Error during backend creation : GUID insertion : {why}.\n"));
        }
    }
    name.clone_into(&mut ir.name);
    ir.added_from = Some(base.name.clone());
    ir.guid = guid;
    ir.mode = mode.unwrap_or(ir.mode);
    ir.place = crate::ir::Place { file: "CLI".into(), line: 0 };
    let _turn = call.control.turn.lock();
    match live.add_backend(ir) {
        Ok(proxy) if proxy.backend.as_ref().is_some_and(|half| half.is_dynamic()) => {
            Ok(Reply::info("New backend registered.\n"))
        }
        Ok(proxy) => Ok(Reply::info(format!(
            "New backend registered (no support for dynamic servers: backend '{}' uses a non dynamic load balancing \
             method).\n",
            proxy.ir.name
        ))),
        Err(why) => {
            let why = match why {
                NotAddable::NameTaken(kind) => {
                    format!("name is already used by other proxy '{kind} {name}'")
                }
                NotAddable::GuidTaken(owner) => format!("GUID insertion : duplicate entry with {owner}"),
            };
            Err(format!("Error during backend creation : {why}.\n"))
        }
    }
}

/// What stands in the way of deleting a backend.
pub(super) fn obstacle(why: BackendKept) -> &'static str {
    match why {
        BackendKept::Listen => "Cannot delete a listen section.\n",
        BackendKept::Referenced => {
            "This proxy cannot be removed at runtime due to other configuration elements pointing to it.\n"
        }
        BackendKept::TakesLogs => "Only TCP or HTTP proxies can be removed at runtime.\n",
        BackendKept::Published => "Backend must be unpublished prior to its deletion.\n",
        BackendKept::HasServers => "Only a backend without server can be deleted.\n",
        BackendKept::Busy => "Backend still has attached streams on it.\n",
    }
}

fn del(call: &mut Call<'_>) -> Reply {
    if !call.arg(1).is_empty() {
        return Reply::error("Usage: del backend <name>.\n");
    }
    let live = &call.control.live;
    let _turn = call.control.turn.lock();
    let Some(proxy) = live.backend_named(call.arg(0)) else { return Reply::error("No such backend.\n") };
    match live.remove_backend(&proxy) {
        Ok(()) => Reply::info("Backend deleted.\n"),
        Err(why) => Reply::error(obstacle(why)),
    }
}

fn default_servers(call: &mut Call<'_>) -> Reply {
    let live = &call.control.live;
    let wanted = match call.arg(0) {
        "" => live.proxies().into_iter().collect::<Vec<_>>(),
        name => match live.backend_named(name) {
            Some(proxy) => vec![proxy],
            None => return Reply::error("Can't find backend.\n"),
        },
    };
    let mut out = String::new();
    for proxy in wanted {
        let Some(half) = &proxy.ir.backend else { continue };
        let own = half.default_server.iter().map(|_| proxy.ir.name.clone());
        let named = half.default_servers.keys().map(|name| format!("{}/{name}", proxy.ir.name));
        for (at, line) in own.chain(named).enumerate() {
            out.push_str(if at == 0 { "* " } else { "  " });
            out.push_str(&line);
            out.push('\n');
        }
    }
    Reply::list(out)
}

fn publish(call: &mut Call<'_>, published: bool) -> Reply {
    let name = call.arg(0);
    let Some(proxy) = call.control.live.backend_named(name) else {
        return Reply::error("No such backend.\n");
    };
    if proxy.ir.disabled {
        return Reply::error("No effect on a disabled backend.\n");
    }
    if let Some(backend) = &proxy.backend {
        backend.publish(published);
    }
    Reply::info(if published { "Backend published.\n" } else { "Backend unpublished.\n" })
}
