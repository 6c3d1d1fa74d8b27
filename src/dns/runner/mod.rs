//! The sockets and timers of all `resolvers` sections, and what their answers do to servers.
//!
//! One task per section, one socket per nameserver; nothing ever waits for a nameserver.

mod init;
mod link;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::assign::{self, Choice, Member};
use super::resolver::{Count, Effect, Input, Resolver};
use super::{Failure, Family};
use crate::ir;
use crate::live::{Address, Live, Proxy, Server};
use crate::server::{Admin, Level};
use crate::sys;
use link::{Incoming, Links};

pub use init::{Message, Outcome, init_addresses};

/// Messages that may wait to be looked at.
const BACKLOG: usize = 256;

/// A server that follows a name.
struct Follower {
    proxy: Arc<Proxy>,
    server: Arc<Server>,
    /// Port of its address, whatever that is.
    port: u16,
}

/// The servers that follow one name; `members` runs parallel to `followers`.
#[derive(Default)]
struct Following {
    followers: Vec<Follower>,
    members: Vec<Member>,
}

/// One section at work.
struct Section {
    live: Arc<Live>,
    number: usize,
    resolver: Resolver,
    /// By number of the name.
    names: Vec<Following>,
    links: Links,
}

/// Starts a thread that follows all names until the process ends. Nothing is started if no server follows one.
///
/// # Errors
/// No thread or no runtime.
pub fn spawn(live: &Arc<Live>) -> io::Result<Option<std::thread::JoinHandle<()>>> {
    let sections = sections(live);
    if sections.is_empty() {
        return Ok(None);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("resolvers".into()).spawn(move || {
        runtime.block_on(async {
            let tasks: Vec<_> = sections.into_iter().map(|s| tokio::spawn(s.run())).collect();
            for task in tasks {
                // A section ends only by a panic, which has been reported already.
                let _ = task.await;
            }
        });
    })?;
    Ok(Some(thread))
}

/// Follows all names on the runtime of the caller, which has to keep the handles.
#[must_use]
pub fn start(live: &Arc<Live>) -> Vec<tokio::task::JoinHandle<()>> {
    sections(live).into_iter().map(|s| tokio::spawn(s.run())).collect()
}

fn sections(live: &Arc<Live>) -> Vec<Section> {
    let now = sys::clock::now();
    let mut sections = Vec::new();
    for (number, ir) in live.config.resolvers.iter().enumerate() {
        let mut resolver = Resolver::new(ir);
        let mut names: Vec<Following> = Vec::new();
        for proxy in live.proxies.iter().filter(|p| !p.ir.disabled) {
            for server in proxy.backend.iter().flat_map(|b| b.servers()) {
                let ir::ServerAddr::Name { host, port } = &server.ir.addr else { continue };
                if server.ir.resolvers.as_ref() != Some(&ir.name) {
                    continue;
                }
                let prefer = if server.ir.resolve_prefer_ipv4 { Family::V4 } else { Family::V6 };
                // What is no name was refused when the configuration was read.
                let Ok(name) = resolver.follow(host, prefer, now) else { continue };
                if names.len() <= name {
                    names.resize_with(name + 1, Following::default);
                }
                names[name].followers.push(Follower {
                    proxy: proxy.clone(),
                    server: server.clone(),
                    port: *port,
                });
                names[name].members.push(Member {
                    backend: proxy.idx.0 as usize,
                    prefer,
                    prevent_dup: server.ir.prevent_dup_ip,
                    current: ip_of(&server),
                    given: None,
                });
            }
        }
        if !names.is_empty() {
            sections.push(Section { live: live.clone(), number, resolver, names, links: Links::default() });
        }
    }
    sections
}

fn ip_of(server: &Server) -> Option<IpAddr> {
    match server.address() {
        Address::Ip(addr) => Some(addr.ip()),
        Address::Unknown | Address::Unix(_) => None,
    }
}

impl Section {
    async fn run(mut self) {
        let (sender, mut incoming) = mpsc::channel::<Incoming>(BACKLOG);
        self.links.start(&self.live.config.resolvers[self.number].nameservers, sender);
        loop {
            let deadline = self.resolver.deadline();
            let timer = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some((nameserver, bytes)) = incoming.recv() => {
                    self.step(Input::Message { nameserver, bytes: &bytes });
                }
                () = timer => self.step(Input::Timer),
            }
        }
    }

    fn step(&mut self, input: Input<'_>) {
        let mut effects = self.resolver.step(input, sys::clock::now(), &mut rand::random);
        // Questions that cannot be sent are told to the state machine, which may have more to send.
        while !effects.is_empty() {
            let mut unsent = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Send { nameserver, id, bytes } => {
                        let counters = &self.live.resolvers[self.number].nameservers[nameserver].counters;
                        if self.links.send(nameserver, &bytes) {
                            counters.sent.inc();
                        } else {
                            counters.snd_error.inc();
                            unsent.push((nameserver, id));
                        }
                    }
                    Effect::Resolved { name, nameserver } => self.resolved(name, nameserver),
                    Effect::Failed { name, failure } => {
                        if failure == Failure::Timeout {
                            self.links.renew();
                        }
                        self.failed(name, failure);
                    }
                    Effect::Count { nameserver, what } => self.count(nameserver, what),
                }
            }
            effects = Vec::new();
            for (nameserver, id) in unsent {
                let input = Input::SendFailed { nameserver, id };
                effects.extend(self.resolver.step(input, sys::clock::now(), &mut rand::random));
            }
        }
    }

    fn count(&self, nameserver: usize, what: Count) {
        let c = &self.live.resolvers[self.number].nameservers[nameserver].counters;
        let counter = match what {
            Count::Valid => &c.valid,
            Count::CnameError => &c.cname_error,
            Count::AnyError => &c.any_err,
            Count::Nx => &c.nx,
            Count::Timeout => &c.timeout,
            Count::Refused => &c.refused,
            Count::Other => &c.other,
            Count::Invalid => &c.invalid,
            Count::TooBig => &c.too_big,
            Count::Truncated => &c.truncated,
            Count::Outdated => &c.outdated,
        };
        counter.inc();
    }

    fn resolved(&mut self, name: usize, nameserver: usize) {
        let addresses = self.resolver.addresses(name);
        let section = &self.live.resolvers[self.number];
        let answerer = &section.nameservers[nameserver];
        let Following { followers, members } = &mut self.names[name];
        for (i, follower) in followers.iter().enumerate() {
            // A command may have moved it meanwhile.
            members[i].current = ip_of(&follower.server);
            let choice = assign::choose(&addresses, members, i);
            let mut by = "DNS cache".to_owned();
            if i == 0 {
                // The first to ask is told who answered; for the others the answer is in the cache.
                by = format!("{}/{}", section.name, answerer.name);
            }
            match choice {
                Choice::Keep => {}
                Choice::Move(addr) => {
                    if i == 0 {
                        answerer.counters.update.inc();
                    }
                    follower.move_to(addr, members[i].current, &by);
                    members[i].current = Some(addr);
                }
                Choice::Nothing => {
                    if follower.lose("No IP for server ") {
                        members[i].current = None;
                    }
                    continue;
                }
            }
            *follower.server.resolved_at.lock() = Some(sys::clock::wall());
            follower.regain();
        }
    }

    fn failed(&mut self, name: usize, failure: Failure) {
        self.live.process.failed_resolutions.inc();
        if !self.resolver.is_lasting(name, failure, sys::clock::now()) {
            return;
        }
        let Following { followers, members } = &mut self.names[name];
        for (follower, member) in followers.iter().zip(members) {
            if follower.lose(failure.words()) {
                (member.current, member.given) = (None, None);
            }
        }
    }
}

impl Follower {
    fn name(&self) -> String {
        format!("{}/{}", self.proxy.ir.name, self.server.ir.name)
    }

    fn move_to(&self, addr: IpAddr, from: Option<IpAddr>, by: &str) {
        let from = from.map_or_else(|| "(none)".to_owned(), |ip| ip.to_string());
        let line = format!("{} changed its IP from {from} to {addr} by {by}.", self.name());
        let port = match self.server.address() {
            Address::Ip(old) => old.port(),
            Address::Unknown | Address::Unix(_) => self.port,
        };
        self.server.set_address(Address::Ip(SocketAddr::new(addr, port)));
        self.proxy.announce(Level::Notice, &line, &line);
    }

    /// Takes it out of service for want of an address; whether that is new.
    fn lose(&self, why: &str) -> bool {
        if self.server.with_state(|s| s.admin().any(Admin::RESOLUTION_MAINT)) {
            return false;
        }
        self.proxy.change_server(&self.server, |s, now| s.set_flag(Admin::RESOLUTION_MAINT, why, now));
        self.server.set_address(Address::Unknown);
        true
    }

    /// Puts it back in service if it was out for want of an address.
    fn regain(&self) {
        if !self.server.with_state(|s| s.admin().any(Admin::RESOLUTION_MAINT)) {
            return;
        }
        self.proxy.change_server(&self.server, |s, now| s.clear_flag(Admin::RESOLUTION_MAINT, None, now));
        let line = format!("Server {} administratively READY thanks to valid DNS answer.", self.name());
        self.proxy.announce(Level::Notice, &line, &line);
    }
}
