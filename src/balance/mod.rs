//! Load balancing algorithms, one file each. Pure.
//!
//! A [`Balancer`] holds what an algorithm remembers between two picks (positions, trees, maps) and is told
//! of every change: [`Balancer::update`] for weight and usability, [`Balancer::on_conn_change`] for the number of
//! connections. What changes with every request and is only looked at comes through [`View`]. Pick orders are
//! HAProxy's, down to ties (`tests.rs` replays sequences recorded from the real program), so that two nodes,
//! one of each, send the same key to the same server.
//!
//! Weights here are *effective* weights: the user's weight (0..=256) times [`WEIGHT_SCALE`], less while a server
//! warms up (see [`crate::server`]).

mod chash;
mod first;
pub mod hash;
pub mod key;
mod leastconn;
mod map;
mod roster;
mod roundrobin;

#[cfg(test)]
mod tests;

use crate::ir;
use crate::ir::proxy::{Balance, HashMethod};

pub use key::KeySource;
use roster::{Group, Roster};

/// Steps of effective weight per unit of user weight: slow start moves in sixteenths.
pub const WEIGHT_SCALE: u32 = 16;

/// Largest effective weight: 256 times [`WEIGHT_SCALE`].
pub const WEIGHT_MAX: u32 = 256 * WEIGHT_SCALE;

/// What the algorithms look at and others own. Servers are numbered as in `ir::Backend::servers`.
pub trait View {
    /// Requests the server is working on (TCP mode: connections).
    fn served(&self, server: usize) -> u32;
    /// Requests waiting in the server's own queue.
    fn queued(&self, server: usize) -> u32;
    /// How many requests it may work on now (`maxconn`, as `minconn`, `fullconn` and slow start leave it); 0: any number.
    fn limit(&self, server: usize) -> u32;
    /// `maxqueue`; 0: not set.
    fn maxqueue(&self, server: usize) -> u32;
    /// Requests all servers of the backend work on.
    fn total_served(&self) -> u32;
    /// 32 random bits (`random` only).
    fn random(&self) -> u32;

    /// Whether a request could start on this server at once.
    fn has_room(&self, server: usize) -> bool {
        let limit = self.limit(server);
        limit == 0 || (self.queued(server) == 0 && self.served(server) < limit)
    }
}

/// The balancing state of one backend.
#[derive(Debug)]
pub struct Balancer {
    roster: Roster,
    algo: Algo,
}

#[derive(Debug)]
enum Algo {
    RoundRobin(roundrobin::RoundRobin),
    LeastConn(leastconn::LeastConn),
    First(first::First),
    /// `static-rr`, and hashes with `hash-type map-based`.
    Map {
        map: map::Map,
        hashed: bool,
    },
    /// Hashes with `hash-type consistent`.
    Ring {
        ring: chash::Ring,
    },
    Random {
        ring: chash::Ring,
        draws: u32,
    },
}

impl Balancer {
    /// All servers of the backend, usable unless `disabled` or of weight 0.
    #[must_use]
    pub fn new(backend: &ir::Backend) -> Self {
        let roster = Roster::new(backend);
        let ring = |factor| chash::Ring::new(&roster, factor, backend.hash_affinity);
        let algo = match &backend.balance {
            Balance::RoundRobin => Algo::RoundRobin(roundrobin::RoundRobin::new(&roster)),
            Balance::StaticRr => Algo::Map { map: map::Map::new(&roster), hashed: false },
            Balance::LeastConn => Algo::LeastConn(leastconn::LeastConn::new(&roster)),
            Balance::First => Algo::First(first::First::new(&roster)),
            Balance::Random(draws) => Algo::Random { ring: ring(backend.hash_balance_factor), draws: *draws },
            Balance::Source
            | Balance::Uri { .. }
            | Balance::UrlParam(_)
            | Balance::Hdr { .. }
            | Balance::RdpCookie(_)
            | Balance::Hash => match backend.hash_type.method {
                HashMethod::MapBased => Algo::Map { map: map::Map::new(&roster), hashed: true },
                HashMethod::Consistent => Algo::Ring { ring: ring(backend.hash_balance_factor) },
            },
        };
        Self { roster, algo }
    }

    /// The server for the next request, or `None` if there is none or all are full ([`Self::total_weight`] tells
    /// which).
    ///
    /// `key` is the hash of what the algorithm hashes (see [`key`]); without one (the header is missing...) hashing
    /// algorithms take turns. `avoid` is the server that just failed: another is taken if there is one, except
    /// by map-based hashes, which know no second choice.
    pub fn pick(&mut self, servers: &impl View, key: Option<u32>, avoid: Option<usize>) -> Option<usize> {
        let group = match self.roster.group() {
            Group::Nobody => return None,
            // A single backup server takes everything, room or not.
            Group::Only(server) if !matches!(self.algo, Algo::Map { .. }) => return Some(server),
            group => group,
        };
        let roster = &self.roster;
        // With one server left there is nothing to hash.
        let key = if roster.used() == 1 { key.map(|_| 0) } else { key };
        match &mut self.algo {
            Algo::RoundRobin(rr) => rr.pick(roster, group, servers, avoid),
            Algo::LeastConn(lc) => lc.pick(group, servers, avoid),
            Algo::First(first) => first.pick(group, servers, avoid),
            Algo::Map { map, hashed } => match key.filter(|_| *hashed) {
                Some(key) => map.at(key),
                None => map.next(servers, avoid),
            },
            Algo::Ring { ring } => match key {
                Some(key) => ring.nearest(roster, group, servers, key, avoid),
                None => ring.next(group, servers, avoid),
            },
            Algo::Random { ring, draws } => ring.draw(roster, group, servers, *draws, avoid),
        }
    }

    /// Adds a server, not usable yet, under a number that nobody has. Only where [`Self::is_dynamic`].
    pub fn join(&mut self, server: usize, id: u32, backup: bool) {
        self.roster.join(server, id, backup);
        let size = self.roster.slots().len();
        match &mut self.algo {
            Algo::RoundRobin(rr) => rr.join(server, size),
            Algo::LeastConn(lc) => lc.join(server, size),
            // These hold the usable ones only.
            Algo::First(_) | Algo::Map { .. } | Algo::Ring { .. } | Algo::Random { .. } => {}
        }
    }

    /// Tells a server's effective weight and whether its state lets it take requests.
    pub fn update(&mut self, server: usize, weight: u32, usable: bool) {
        let Some(change) = self.roster.update(server, weight, usable) else { return };
        let roster = &self.roster;
        match &mut self.algo {
            Algo::RoundRobin(rr) => rr.update(roster, &change),
            Algo::LeastConn(lc) => lc.update(roster, &change),
            Algo::First(first) => first.update(roster, &change),
            Algo::Map { map, .. } => map.rebuild(roster),
            Algo::Ring { ring } | Algo::Random { ring, .. } => ring.update(roster, &change),
        }
    }

    /// Tells how many requests a server works on or has queued, whenever that number changes. Only `leastconn`
    /// listens; see [`Self::wants_conn_changes`].
    pub fn on_conn_change(&mut self, server: usize, conns: u32) {
        if let Algo::LeastConn(lc) = &mut self.algo {
            lc.reposition(&self.roster, server, conns);
        }
    }

    /// Whether [`Self::on_conn_change`] has to be called.
    #[must_use]
    pub fn wants_conn_changes(&self) -> bool {
        matches!(self.algo, Algo::LeastConn(_))
    }

    /// Sum of the effective weights of the servers in use; 0: nobody can take a request.
    #[must_use]
    pub fn total_weight(&self) -> u32 {
        self.roster.total_weight()
    }

    /// Usable servers as (active, backup): `act` and `bck` of the statistics.
    #[must_use]
    pub fn usable(&self) -> (u32, u32) {
        (self.roster.active(), self.roster.backups())
    }

    /// Whether a server that has room may have who waits for any: it is usable, of positive weight, and a backup only
    /// while it stands in.
    #[must_use]
    pub fn takes_any(&self, server: usize) -> bool {
        let slot = self.roster.slot(server).filter(|slot| slot.in_use());
        slot.is_some_and(|slot| match self.roster.group() {
            Group::Nobody => false,
            Group::Only(only) => only == server,
            Group::Active => !slot.backup,
            Group::Backup => slot.backup,
        })
    }

    /// Whether a non-empty backend queue proves that every server is full, so that a new request joins the queue
    /// without a look at the servers.
    #[must_use]
    pub fn queue_means_full(&self) -> bool {
        matches!(self.algo, Algo::RoundRobin(_) | Algo::First(_) | Algo::Map { hashed: false, .. })
    }

    /// Whether weights may change while running (`static-rr` and map-based hashes only know 0 and all).
    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        !matches!(self.algo, Algo::Map { .. })
    }
}

/// Walks `nodes` for the first server with room, falling back to the one to avoid if only that one has.
fn first_with_room(
    nodes: impl Iterator<Item = usize>,
    avoid: Option<usize>,
    has_room: impl Fn(usize) -> bool,
) -> Option<usize> {
    let mut avoided = None;
    for server in nodes {
        if has_room(server) {
            if Some(server) != avoid {
                return Some(server);
            }
            avoided = Some(server);
        }
    }
    avoided
}
