//! Addresses at start (`init-addr`), before anything is served: blocking.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::ir;
use crate::ir::server::InitAddr;
use crate::live::{Address, Live, Server};
use crate::log::console::Kind;
use crate::server::ServerState;

/// What `init-addr` is if it is not configured.
const DEFAULT: &[InitAddr] = &[InitAddr::Last, InitAddr::Libc];

/// The same of servers that follow their name: it may resolve later.
const DEFAULT_FOLLOWED: &[InitAddr] = &[InitAddr::Last, InitAddr::Libc, InitAddr::None];

/// One message for standard error, as HAProxy words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Importance.
    pub kind: Kind,
    /// The message.
    pub text: String,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What to say.
    pub messages: Vec<Message>,
    /// Some server has no address and may not start without one: the process must not start.
    pub failed: bool,
}

/// How one server got on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Address(IpAddr),
    /// It starts without.
    Without,
    Nothing,
}

/// Address and port that the state file has of a server, by backend and name.
pub type Saved<'s> = dyn Fn(&str, &str) -> (Option<IpAddr>, Option<u16>) + 's;

/// Gives every server with a name its first address, method by method; `last` is that of `saved`.
pub fn init_addresses(live: &Live, saved: &Saved<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    for proxy in live.proxies() {
        for server in proxy.backend.iter().flat_map(|b| b.servers()) {
            let ir::ServerAddr::Name { host, port } = &server.ir.addr else { continue };
            let fqdn = server.fqdn();
            // Where its service is, only the resolvers can tell, unless the state file did.
            if server.follows_service() && fqdn.is_none() {
                continue;
            }
            let host = &fqdn.unwrap_or_else(|| host.clone());
            let (last, last_port) = saved(&proxy.ir.name, &server.ir.name);
            let port = &last_port.unwrap_or(*port);
            let last = || last;
            let methods = match server.ir.lookup.init_addr.as_slice() {
                [] if server.ir.lookup.resolvers.is_some() => DEFAULT_FOLLOWED,
                [] => DEFAULT,
                methods => methods,
            };
            let (found, tried) = find(host, methods, &last);
            let mut say = |kind, what: &str| {
                let place = &server.ir.place;
                let text = format!(
                    "config : [{}:{}] : 'server {}/{}' : could not resolve address '{host}'{what}.",
                    place.file, place.line, proxy.ir.name, server.ir.name
                );
                outcome.messages.push(Message { kind, text });
            };
            match found {
                Found::Address(ip) => {
                    if tried {
                        say(Kind::Warning, ", falling back to configured address");
                    }
                    give(&proxy, &server, SocketAddr::new(ip, *port));
                }
                Found::Without if tried => say(Kind::Warning, ", disabling server"),
                Found::Without => {}
                Found::Nothing => {
                    say(Kind::Alert, "");
                    outcome.failed = true;
                }
            }
        }
    }
    outcome
}

fn give(proxy: &Arc<crate::live::Proxy>, server: &Arc<Server>, addr: SocketAddr) {
    server.set_address(Address::Ip(addr));
    proxy.change_server(server, ServerState::resolved_at_start);
}

/// Tries the methods in turn; the flag tells that the system's resolver failed on the way.
fn find(host: &str, methods: &[InitAddr], last: &dyn Fn() -> Option<IpAddr>) -> (Found, bool) {
    let mut tried = false;
    for method in methods {
        let found = match method {
            InitAddr::Last => last(),
            InitAddr::Libc => {
                let addr = (host, 0).to_socket_addrs().ok().and_then(|mut addrs| addrs.next());
                tried |= addr.is_none();
                addr.map(|a| a.ip())
            }
            InitAddr::None => return (Found::Without, tried),
            InitAddr::Ip(ip) => Some(*ip),
        };
        if let Some(ip) = found {
            return (Found::Address(ip), tried);
        }
    }
    (Found::Nothing, tried)
}
