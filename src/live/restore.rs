//! Servers continue where the state file left them (`server-state-file`, `load-server-state-from-file`).

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Address, Live, Proxy, Server};
use crate::health::Status;
use crate::ir;
use crate::ir::proxy::StateFile;
use crate::log::console::Kind;
use crate::server::saved::{Saved, State, Unreadable, parse};
use crate::server::{Admin, AdminRequest, Cause, Effect, Op};
use crate::sys;

/// Where servers with a name were when the file was written, address and port, by backend and server: the address is
/// what `init-addr last` means, the port goes with whatever address there is.
pub type LastPlaces = HashMap<(String, String), (Option<IpAddr>, Option<u16>)>;

/// What came of it.
#[derive(Debug, Default)]
pub struct Restored {
    /// What to say.
    pub messages: Vec<(Kind, String)>,
    /// Where servers were.
    pub places: LastPlaces,
}

/// Why the words for a file differ.
enum Whose<'a> {
    Global,
    Backend(&'a str),
}

impl Whose<'_> {
    fn unreadable(&self, path: &Path, error: &io::Error) -> (Kind, String) {
        let kind = if error.kind() == io::ErrorKind::NotFound { Kind::Notice } else { Kind::Warning };
        let why = crate::sys::words(error);
        let text = match self {
            Self::Global => {
                format!("config: Can't open global server state file '{}': {why}", path.display())
            }
            Self::Backend(name) => {
                format!("Proxy '{name}': Can't open server state file '{}': {why}.", path.display())
            }
        };
        (kind, text)
    }

    fn useless(&self, path: &Path, why: Unreadable) -> (Kind, String) {
        let path = path.display();
        let (prefix, global) = match self {
            Self::Global => ("config".to_owned(), "global "),
            Self::Backend(name) => (format!("Proxy '{name}'"), ""),
        };
        match why {
            Unreadable::Empty => {
                (Kind::Notice, format!("{prefix}: Empty {global}server state file '{path}'."))
            }
            Unreadable::Version => {
                let the = if global.is_empty() { "" } else { "the " };
                let text = format!("{prefix}: Can't get version of {the}{global}server state file '{path}'.");
                (Kind::Warning, text)
            }
            Unreadable::Corrupt(line) => {
                let text = format!("{prefix}: corrupted {global}server state file '{path}' at line {line}.");
                (Kind::Warning, text)
            }
        }
    }
}

/// Reads the files with `read` and puts the servers of `live`, which does not work yet, into the states they tell.
pub fn restore(live: &Live, read: &dyn Fn(&Path) -> io::Result<Vec<u8>>) -> Restored {
    let mut done = Restored::default();
    let global = &live.config.global;
    let load = |path: &Path, whose: &Whose<'_>, done: &mut Restored| match read(path).map(|text| parse(&text))
    {
        Err(error) => {
            done.messages.push(whose.unreadable(path, &error));
            None
        }
        Ok(Err(why)) => {
            done.messages.push(whose.useless(path, why));
            None
        }
        Ok(Ok(saved)) => Some(saved),
    };
    let under_base = |name: &Path| match &global.server_state_base {
        Some(base) => base.join(name),
        None => name.to_owned(),
    };
    let common = global
        .server_state_file
        .as_ref()
        .and_then(|name| load(&under_base(name), &Whose::Global, &mut done))
        .unwrap_or_default();
    for proxy in live.proxies().iter().filter(|p| !p.ir.disabled) {
        let Some(half) = &proxy.ir.backend else { continue };
        match &half.state_file {
            StateFile::None => {}
            StateFile::Global => {
                let mine = common.iter().filter(|s| s.backend == proxy.ir.name);
                let mine: HashMap<_, _> = mine.map(|s| (s.server.as_str(), s)).collect();
                each(proxy, |server| mine.get(server.ir.name.as_str()).copied(), &mut done);
            }
            StateFile::Local(name) => {
                let path = under_base(&PathBuf::from(name.as_ref().unwrap_or(&proxy.ir.name)));
                let Some(saved) = load(&path, &Whose::Backend(&proxy.ir.name), &mut done) else { continue };
                local(proxy, &saved, &mut done);
            }
        }
    }
    done
}

/// A file of one backend: what it says of others, or of servers that are gone, is told.
fn local(proxy: &Arc<Proxy>, saved: &[Saved], done: &mut Restored) {
    let (name, id) = (&proxy.ir.name, proxy.ir.id);
    let mut mine = HashMap::new();
    for line in saved {
        let (same_id, same_name) = (line.backend_id == id, line.backend == *name);
        let mismatch = match (same_id, same_name) {
            (true, true) => None,
            (false, false) => continue,
            (false, true) => Some(format!(
                "backend ID mismatch: from server state file: '{}', from running config '{id}'",
                line.backend_id
            )),
            (true, false) => Some(format!(
                "backend name mismatch: from server state file: '{}', from running config '{name}'",
                line.backend
            )),
        };
        if let Some(text) = mismatch {
            done.messages.push((Kind::Warning, format!("Proxy '{name}': {text}")));
        }
        if same_name || line.backend_id_configured {
            mine.entry(line.server.as_str()).or_insert(line);
        }
    }
    each(proxy, |server| mine.remove(server.ir.name.as_str()), done);
    let mut gone: Vec<_> = mine.into_keys().collect();
    gone.sort_unstable();
    for server in gone {
        let text = format!("Proxy '{name}': can't find server '{server}' in backend '{name}'");
        done.messages.push((Kind::Warning, text));
    }
}

fn each<'s>(proxy: &Arc<Proxy>, mut find: impl FnMut(&Server) -> Option<&'s Saved>, done: &mut Restored) {
    for server in proxy.backend.iter().flat_map(|b| b.servers()) {
        let Some(saved) = find(&server) else { continue };
        match &saved.state {
            Ok(state) => {
                apply(proxy, &server, state);
                let key = (proxy.ir.name.clone(), server.ir.name.clone());
                match name(proxy, &server, state) {
                    Ok(()) => drop(done.places.insert(key, (state.addr, state.port))),
                    Err(why) => {
                        let text =
                            format!("server-state partially applied for server '{}/{}'{why}", key.0, key.1);
                        done.messages.push((Kind::Warning, text));
                    }
                }
            }
            Err(wrong) => {
                let name = format!("{}/{}", proxy.ir.name, server.ir.name);
                let text = format!("server-state application failed for server '{name}'{wrong}");
                done.messages.push((Kind::Warning, text));
            }
        }
    }
}

fn apply(proxy: &Arc<Proxy>, server: &Arc<Server>, saved: &State) {
    let now = sys::clock::now();
    operate(proxy, server, saved);
    // What changed in the file by hand counts more than what was done by command.
    let (was, is) = (saved.admin.any(Admin::CONFIG_MAINT), server.ir.disabled);
    let maint = saved.admin.any(Admin::FORCED_MAINT);
    let request = |request| {
        // It is no news that it goes on as it was.
        let news = |effect: &Effect| !matches!(effect, Effect::Log(_));
        proxy.change_server(server, |state, now| {
            state.request(request, now).into_iter().filter(news).collect()
        });
        // Nobody runs the checks yet who could be told.
        match request {
            AdminRequest::Maint => server.check.write().health = 0,
            AdminRequest::Ready => {
                let (rise, fall) = server.rise_and_fall();
                server.check.write().health = server.ir.init_state.health(rise, fall).unwrap_or(rise);
            }
            AdminRequest::Drain => {}
        }
    };
    match (was == is, is) {
        (false, true) => request(AdminRequest::Maint),
        (false, false) => request(AdminRequest::Ready),
        (true, false) if maint => request(AdminRequest::Maint),
        (true, true) if !maint => request(AdminRequest::Ready),
        (true, _) => {}
    }
    // A drain that came from a weight of 0 in the old file ends with it.
    let drained =
        saved.admin.any(Admin::FORCED_DRAIN) && !server.with_state(|s| s.admin().any(Admin::FORCED_MAINT));
    if drained && (saved.initial_weight > 0 || server.ir.weight == 0) {
        request(AdminRequest::Drain);
    }
    proxy.change_server(server, |state, now| {
        let mut effects = Vec::new();
        if saved.initial_weight == state.initial_weight() {
            effects = state.set_weight(saved.user_weight, now);
        }
        effects
    });
    let since = now.checked_sub(Duration::from_secs(saved.since)).unwrap_or(now);
    proxy.change_server(server, |state, _| state.restore_last_change(since));
    if server.ir.check.is_some() && saved.check_suspended {
        server.set_check_suspended(true);
    }
    if server.ir.agent.is_some() && saved.agent_suspended {
        server.set_agent_suspended(true);
    }
    if let (Address::Ip(addr), Some(port)) = (server.address(), saved.port) {
        server.set_address(Address::Ip((addr.ip(), port).into()));
    }
    let mut probing = server.probing.write();
    if server.ir.check.is_some() {
        probing.check_addr = saved.check_addr.or(probing.check_addr);
        probing.check_port = saved.check_port.or(probing.check_port);
    }
    if server.ir.agent.is_some() {
        probing.agent_addr = saved.agent_addr.or(probing.agent_addr);
        probing.agent_port = saved.agent_port.unwrap_or(probing.agent_port);
    }
}

/// The name that it had, as far as that was not configured: set by command, or told by an SRV record.
fn name(proxy: &Arc<Proxy>, server: &Arc<Server>, saved: &State) -> Result<(), String> {
    let Some(fqdn) = &saved.fqdn else { return Ok(()) };
    let ir::ServerAddr::Name { host, .. } = &server.ir.addr else { return Ok(()) };
    if !server.follows_service() {
        if host != fqdn && saved.admin.any(Admin::NAME_BY_COMMAND) {
            server.set_fqdn(Some(fqdn.clone()));
            proxy.change_server(server, |state, _| state.named_by_command());
        }
        return Ok(());
    }
    match &saved.srv_record {
        Some(record) if record == host => server.set_fqdn(Some(fqdn.clone())),
        Some(record) => {
            return Err(format!(
                ", SRV record mismatch between configuration ('{host}') and state file ('{record}) for server '{}'. \
                 Previous state not applied",
                server.ir.name
            ));
        }
        None => {}
    }
    Ok(())
}

/// Operational state and health.
fn operate(proxy: &Arc<Proxy>, server: &Arc<Server>, saved: &State) {
    let (rise, fall) = server.rise_and_fall();
    let full = rise + fall - 1;
    let (op, health) = match saved.op {
        Op::Stopped => (Some(Op::Stopped), 0),
        Op::Starting if rise == 1 => (Some(Op::Running), full),
        Op::Starting => {
            (None, if (1..rise).contains(&saved.check_health) { saved.check_health } else { rise - 1 })
        }
        Op::Stopping if fall == 1 => (Some(Op::Stopped), 0),
        Op::Stopping if (rise..full).contains(&saved.check_health) => {
            (Some(Op::Stopping), saved.check_health)
        }
        Op::Stopping => (Some(Op::Stopping), rise),
        Op::Running => (Some(Op::Running), full),
    };
    {
        let mut report = server.check.write();
        report.health = health;
        if server.ir.check.is_some()
            && let Some(status) = Status::numbered(saved.check_status)
        {
            (report.status, report.description) = (status.name(), status.text());
        }
    }
    if let Some(op) = op {
        let cause = match op {
            Op::Running | Op::Starting => Cause::Tracking,
            Op::Stopped | Op::Stopping => Cause::Words("changed from server-state after a reload".to_owned()),
        };
        proxy.change_server(server, |state, now| state.set_op(op, &cause, now));
    }
}
