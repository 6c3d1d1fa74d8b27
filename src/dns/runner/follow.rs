//! Servers that follow names: who follows what, and what answers do to them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::{Section, ip_of};
use crate::dns::assign::{self, Choice, Member};
use crate::dns::services::{self, Change, Slot};
use crate::dns::{Ask, Failure, Family, Service};
use crate::ir::ProxyIdx;
use crate::ir::log::Severity;
use crate::live::{Address, Proxy, Rename, Server};
use crate::server::{Admin, Level};
use crate::sys;

/// Why a server loses its place.
const GONE: &str = "entry removed from SRV record";

/// A server that follows a name.
pub(super) struct Follower {
    proxy: Arc<Proxy>,
    server: Arc<Server>,
    /// Port of its address, whatever that is.
    port: u16,
}

/// Servers of one backend that stand for the places of one service.
struct Group {
    proxy: Arc<Proxy>,
    servers: Vec<Arc<Server>>,
    /// What each stands for.
    slots: Vec<Slot>,
}

/// The servers that follow one name; `members` runs parallel to `followers`.
#[derive(Default)]
pub(super) struct Following {
    followers: Vec<Follower>,
    members: Vec<Member>,
    groups: Vec<Group>,
}

fn ip_and_port(server: &Server) -> Option<SocketAddr> {
    match server.address() {
        Address::Ip(addr) => Some(addr),
        Address::Unknown | Address::Unix(_) | Address::SockPair(_) => None,
    }
}

impl Section {
    /// Lets a server follow the addresses of a name.
    pub(super) fn join(&mut self, follower: Follower, host: &str, now: Instant) {
        // What is no name was refused when the configuration was read, or does not resolve.
        let Ok(name) = self.resolver.follow(host, Ask::Addresses(follower.prefer()), now) else { return };
        self.grow(name);
        self.names[name].members.push(follower.member());
        self.names[name].followers.push(follower);
        if !self.resolver.addresses(name).is_empty() {
            self.give_addresses(name, None);
        }
    }

    /// Lets a server stand for a place of a service.
    pub(super) fn offer(&mut self, proxy: &Arc<Proxy>, server: &Arc<Server>, service: &str, now: Instant) {
        let Ok(name) = self.resolver.follow(service, Ask::Services, now) else { return };
        self.grow(name);
        let groups = &mut self.names[name].groups;
        let at = groups.iter().position(|group| Arc::ptr_eq(&group.proxy, proxy)).unwrap_or_else(|| {
            groups.push(Group { proxy: proxy.clone(), servers: Vec::new(), slots: Vec::new() });
            groups.len() - 1
        });
        groups[at].servers.push(server.clone());
        // It may stand for a place already: the state file has it from an earlier process.
        let place = server.fqdn().zip(ip_and_port(server).map(|addr| addr.port()));
        groups[at].slots.push(place.clone());
        if let Some((target, port)) = place {
            self.join(Follower::new(proxy, server, port), &target, now);
        }
    }

    fn grow(&mut self, name: usize) {
        if self.names.len() <= name {
            self.names.resize_with(name + 1, Following::default);
        }
    }

    /// Takes a server away from the name it follows; a name without followers is not asked for.
    fn part(&mut self, server: &Arc<Server>) -> Option<Follower> {
        for (name, following) in self.names.iter_mut().enumerate() {
            let Some(at) = following.followers.iter().position(|f| Arc::ptr_eq(&f.server, server)) else {
                continue;
            };
            following.members.remove(at);
            let follower = following.followers.remove(at);
            if following.followers.is_empty() {
                self.resolver.leave(name);
            }
            return Some(follower);
        }
        None
    }

    fn follows(&self, server: &Arc<Server>) -> bool {
        let of = |following: &Following| following.followers.iter().any(|f| Arc::ptr_eq(&f.server, server));
        self.names.iter().any(of)
    }

    /// `set server ... fqdn`.
    pub(super) fn rename(&mut self, order: &Rename) {
        let Some(proxy) = self.live.proxy(order.backend) else { return };
        let Some(server) = proxy.backend.as_ref().and_then(|b| b.server(order.server)) else { return };
        let port = match server.address() {
            Address::Ip(addr) => addr.port(),
            Address::Unknown | Address::Unix(_) | Address::SockPair(_) => 0,
        };
        // One with an address of its own follows its first name from now on.
        let follower = self.part(&server).unwrap_or_else(|| Follower::new(&proxy, &server, port));
        self.join(follower, &order.fqdn, sys::clock::now());
    }

    /// Asks for the name of a server that could not be reached.
    pub(super) fn doubt(&mut self, backend: ProxyIdx, server: usize) {
        let is_it = |proxy: &Proxy, other: &Server| proxy.idx == backend && other.index == server;
        let now = sys::clock::now();
        for (name, following) in self.names.iter().enumerate() {
            let follows = following.followers.iter().any(|f| is_it(&f.proxy, &f.server));
            let mut groups = following.groups.iter();
            if follows || groups.any(|g| g.servers.iter().any(|server| is_it(&g.proxy, server))) {
                self.resolver.hurry(name, now);
            }
        }
    }

    pub(super) fn resolved(&mut self, name: usize, nameserver: usize) {
        match self.resolver.asks(name) {
            Ask::Addresses(_) => self.give_addresses(name, Some(nameserver)),
            Ask::Services => self.share(name),
        }
    }

    /// Shares out what is known of a name; `nameserver` has just told it.
    fn give_addresses(&mut self, name: usize, nameserver: Option<usize>) {
        let addresses = self.resolver.addresses(name);
        let section = &self.live.resolvers[self.number];
        let Following { followers, members, .. } = &mut self.names[name];
        for (i, follower) in followers.iter().enumerate() {
            // A command may have moved it meanwhile.
            members[i].current = ip_of(&follower.server);
            let choice = assign::choose(&addresses, members, i);
            // The first to ask is told who answered; for the others the answer is in the cache.
            let answerer = nameserver.filter(|_| i == 0).map(|n| &section.nameservers[n]);
            let by = answerer.map_or_else(
                || "DNS cache".to_owned(),
                |answerer| format!("{}/{}", section.name, answerer.name),
            );
            match choice {
                Choice::Keep => {}
                Choice::Move(addr) => {
                    if let Some(answerer) = answerer {
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

    /// Shares out the places of a service.
    fn share(&mut self, name: usize) {
        let services = self.resolver.services(name);
        let mut groups = std::mem::take(&mut self.names[name].groups);
        for group in &mut groups {
            for change in services::share(&services, &mut group.slots) {
                match change {
                    Change::Leave(at) => self.vacate(&group.proxy, &group.servers[at]),
                    Change::Take(at, service) => {
                        let (proxy, server) = (&group.proxy, &group.servers[at]);
                        let name = format!("{}/{}", proxy.ir.name, server.name());
                        let target = &services[service].target;
                        let line = format!("{name} changed its FQDN from (null) to {target} by 'SRV record'");
                        proxy.log(Severity(5), line.as_bytes());
                        server.set_fqdn(Some(target.clone()));
                        proxy.change_server(server, |state, _| state.named_by_command());
                        self.place(proxy, server, &services[service]);
                    }
                    Change::Keep(at, service) => {
                        self.place(&group.proxy, &group.servers[at], &services[service]);
                    }
                }
            }
        }
        self.names[name].groups = groups;
    }

    /// Puts a server where a service is.
    fn place(&mut self, proxy: &Arc<Proxy>, server: &Arc<Server>, service: &Service) {
        let follower = Follower::new(proxy, server, service.port);
        if let Some(addr) = service.addr {
            self.part(server);
            let current = ip_of(server);
            if current != Some(addr) {
                follower.move_to(addr, current, "DNS additional record");
            }
            *server.resolved_at.lock() = Some(sys::clock::wall());
            follower.regain();
        } else if !self.follows(server) {
            self.join(follower, &service.target, sys::clock::now());
        }
        let weight = services::weight(service.weight);
        if !server.ir.lookup.ignore_dns_weight && server.with_state(|state| state.user_weight()) != weight {
            proxy.change_server(server, |state, now| state.set_weight(weight, now));
        }
    }

    /// Takes the place of a server away.
    fn vacate(&mut self, proxy: &Arc<Proxy>, server: &Arc<Server>) {
        self.part(server);
        Follower::new(proxy, server, 0).lose(GONE);
        server.set_fqdn(None);
    }

    pub(super) fn failed(&mut self, name: usize, failure: Failure) {
        self.live.process.failed_resolutions.inc();
        if !self.resolver.is_lasting(name, failure, sys::clock::now()) {
            return;
        }
        if self.resolver.asks(name) == Ask::Services {
            // Nothing is offered any longer.
            return self.share(name);
        }
        let Following { followers, members, .. } = &mut self.names[name];
        for (follower, member) in followers.iter().zip(members) {
            if follower.lose(failure.words()) {
                (member.current, member.given) = (None, None);
            }
        }
    }
}

impl Follower {
    pub(super) fn new(proxy: &Arc<Proxy>, server: &Arc<Server>, port: u16) -> Self {
        Self { proxy: proxy.clone(), server: server.clone(), port }
    }

    fn member(&self) -> Member {
        let ir = &self.server.ir;
        Member {
            backend: self.proxy.idx.0 as usize,
            prefer: self.prefer(),
            networks: ir.lookup.resolve_net.clone(),
            prevent_dup: ir.lookup.prevent_dup_ip,
            current: ip_of(&self.server),
            given: None,
        }
    }

    fn prefer(&self) -> Family {
        if self.server.ir.lookup.resolve_prefer_ipv4 { Family::V4 } else { Family::V6 }
    }

    fn name(&self) -> String {
        format!("{}/{}", self.proxy.ir.name, self.server.name())
    }

    fn move_to(&self, addr: IpAddr, from: Option<IpAddr>, by: &str) {
        let from = from.map_or_else(|| "(none)".to_owned(), |ip| ip.to_string());
        let line = format!("{} changed its IP from {from} to {addr} by {by}.", self.name());
        let port = match self.server.address() {
            Address::Ip(old) => old.port(),
            Address::Unknown | Address::Unix(_) | Address::SockPair(_) => self.port,
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
