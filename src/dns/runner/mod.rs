//! The sockets and timers of all `resolvers` sections, and what their answers do to servers.
//!
//! One task per section, one socket per nameserver; nothing ever waits for a nameserver.

mod follow;
mod init;
mod link;
mod once;
#[cfg(test)]
mod service_tests;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::Failure;
use super::resolver::{Count, Effect, Input, Resolver};
use crate::ir;
use crate::ir::resolvers::Families;
use crate::ir::rules::{HttpAction, TcpAction};
use crate::live::{Address, Live, Order, Server};
use crate::sys::profile::{Work, measured};
use crate::sys::{self, home::Home};
use follow::{Follower, Following};
use link::{Incoming, Links};

pub use init::{Message, Outcome, Saved, init_addresses};

/// Messages that may wait to be looked at.
const BACKLOG: usize = 256;

/// One section at work.
struct Section {
    live: Arc<Live>,
    number: usize,
    resolver: Resolver,
    /// By number of the name.
    names: Vec<Following>,
    links: Links,
    reach: Reach,
    /// Names that rules ask for.
    asked: once::Asked,
    orders: Option<mpsc::UnboundedReceiver<Order>>,
}

/// Follows all names until the process ends. Nothing is started if no server follows one.
///
/// # Errors
/// No thread or no runtime.
pub fn spawn(live: &Arc<Live>, home: Home) -> io::Result<()> {
    let sections = sections(live);
    if sections.is_empty() {
        return Ok(());
    }
    home.run("resolvers", || {
        let tasks: Vec<_> = sections.into_iter().map(|s| tokio::spawn(s.run())).collect();
        Ok(async {
            for task in tasks {
                // A section ends only by a panic, which has been reported already.
                let _ = task.await;
            }
        })
    })
}

fn sections(live: &Arc<Live>) -> Vec<Section> {
    let now = sys::clock::now();
    let mut sections = Vec::new();
    for (number, ir) in live.config.resolvers.iter().enumerate() {
        let mut section = Section {
            live: live.clone(),
            number,
            resolver: Resolver::new(ir, live.config.global.dns_families),
            names: Vec::new(),
            links: Links::default(),
            reach: Reach::default(),
            asked: once::Asked::default(),
            orders: None,
        };
        let mut wanted = live.proxies().iter().any(|proxy| asks(&proxy.ir, &ir.name));
        for proxy in live.proxies().iter().filter(|p| !p.ir.disabled) {
            for server in proxy.backend.iter().flat_map(|b| b.servers()) {
                if server.ir.lookup.resolvers.as_ref() != Some(&ir.name) {
                    continue;
                }
                // One with an address may be given a name by command.
                wanted = true;
                let ir::ServerAddr::Name { host, port } = &server.ir.addr else { continue };
                if server.follows_service() {
                    section.offer(proxy, &server, host, now);
                } else if let Some(host) = server.fqdn() {
                    section.join(Follower::new(proxy, &server, *port), &host, now);
                }
            }
        }
        if wanted {
            section.orders = live.resolvers[number].listen();
            sections.push(section);
        }
    }
    sections
}

/// Does a rule of this proxy look names up here (`do-resolve`)?
fn asks(proxy: &ir::Proxy, section: &str) -> bool {
    let here = |resolve: &ir::rules::Resolve| *resolve.resolvers == *section;
    proxy.http_request.iter().any(|rule| matches!(&rule.action, HttpAction::Resolve(r) if here(r)))
        || proxy
            .tcp_request_content
            .iter()
            .any(|rule| matches!(&rule.action, TcpAction::Resolve(r) if here(r)))
}

/// Where the events of a section's nameservers are counted.
struct Tally {
    live: Arc<Live>,
    number: usize,
}

impl Tally {
    fn sent(&self, nameserver: usize, sent: bool) {
        let counters = &self.live.resolvers[self.number].nameservers[nameserver].counters;
        if sent { counters.sent.inc() } else { counters.snd_error.inc() }
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
}

/// Whether the system has a way to IPv6, for those who want to know (`dns-accept-family auto`).
#[derive(Clone, Copy, Debug, Default)]
struct Reach {
    asked: Option<Instant>,
    ipv6: bool,
}

/// So long an answer holds, as HAProxy's.
const REACH_HOLDS: Duration = Duration::from_secs(30);

impl Reach {
    fn tell(&mut self, resolver: &mut Resolver, families: Families) {
        if families != Families::Reachable {
            return;
        }
        let now = sys::clock::now();
        if self.asked.is_none_or(|at| now >= at + REACH_HOLDS) {
            *self = Self { asked: Some(now), ipv6: sys::datagrams::reaches_ipv6() };
        }
        resolver.reaches_ipv6(self.ipv6);
    }
}

fn ip_of(server: &Server) -> Option<IpAddr> {
    match server.address() {
        Address::Ip(addr) => Some(addr.ip()),
        Address::Unknown | Address::Unix(_) | Address::SockPair(_) => None,
    }
}

impl Section {
    async fn run(mut self) {
        let (sender, mut incoming) = mpsc::channel::<Incoming>(BACKLOG);
        self.links.start(&self.live.config.resolvers[self.number].nameservers, sender);
        loop {
            let deadline = self.resolver.deadline();
            let orders = self.orders.as_mut();
            let order = async {
                match orders {
                    Some(orders) => orders.recv().await,
                    None => std::future::pending().await,
                }
            };
            let timer = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some((nameserver, bytes)) = incoming.recv() => {
                    measured(Work::Names, || self.step(Input::Message { nameserver, bytes: &bytes }));
                }
                Some(order) = order => match order {
                    Order::Rename(order) => self.rename(&order),
                    Order::Doubt(backend, server) => self.doubt(backend, server),
                    Order::Ask(question) => {
                        let settings = &self.live.config.resolvers[self.number];
                        self.asked.answer(question, settings, self.tally());
                    }
                },
                () = timer => self.step(Input::Timer),
            }
        }
    }

    fn step(&mut self, input: Input<'_>) {
        self.reach.tell(&mut self.resolver, self.live.config.global.dns_families);
        let tally = self.tally();
        let mut effects = self.resolver.step(input, sys::clock::now(), &mut rand::random);
        // Questions that cannot be sent are told to the state machine, which may have more to send.
        while !effects.is_empty() {
            let mut unsent = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Send { nameserver, id, bytes } => {
                        let sent = self.links.send(nameserver, &bytes);
                        tally.sent(nameserver, sent);
                        if !sent {
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
                    Effect::Count { nameserver, what } => tally.count(nameserver, what),
                }
            }
            effects = Vec::new();
            for (nameserver, id) in unsent {
                let input = Input::SendFailed { nameserver, id };
                effects.extend(self.resolver.step(input, sys::clock::now(), &mut rand::random));
            }
        }
    }

    fn tally(&self) -> Tally {
        Tally { live: self.live.clone(), number: self.number }
    }
}
