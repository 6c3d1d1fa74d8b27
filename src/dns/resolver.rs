//! The state of one `resolvers` section: who is asked what, what an answer is worth, when to ask again
//! (manual section 5.3.2).
//!
//! A name is asked for every `timeout resolve`. A question goes to all nameservers at once and the first valid answer
//! ends it. An error counts once every nameserver has answered or the time for a try is over; then the other
//! address family is asked for, then the next try begins. A nameserver that let a whole try pass in
//! silence is still asked, but errors of the others no longer wait for it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use hickory_proto::rr::Name;

use super::wire::{self, Answer};
use super::{Ask, Failure, Family, Service};
use crate::ir::Resolvers;
use crate::ir::resolvers::Families;

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A deadline passed.
    Timer,
    /// A datagram (or a TCP message) came from this nameserver.
    Message {
        /// Number of the nameserver in the section.
        nameserver: usize,
        /// The message.
        bytes: &'a [u8],
    },
    /// What [`Effect::Send`] asked for could not be sent.
    SendFailed {
        /// Number of the nameserver.
        nameserver: usize,
        /// The id of the message.
        id: u16,
    },
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send to a nameserver.
    Send {
        /// Number of the nameserver.
        nameserver: usize,
        /// The id of the message.
        id: u16,
        /// The message.
        bytes: Vec<u8>,
    },
    /// A name has a valid answer: look at [`Resolver::addresses`].
    Resolved {
        /// Number of the name.
        name: usize,
        /// Who answered.
        nameserver: usize,
    },
    /// A name could not be resolved this time.
    Failed {
        /// Number of the name.
        name: usize,
        /// Why, by the last error.
        failure: Failure,
    },
    /// Count an event of a nameserver (`show resolvers`).
    Count {
        /// Number of the nameserver.
        nameserver: usize,
        /// What to count.
        what: Count,
    },
}

/// Counters of a nameserver that the state machine knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Valid answers.
    Valid,
    /// Answers with an alias to nowhere.
    CnameError,
    /// Answers without a record.
    AnyError,
    /// Unknown names.
    Nx,
    /// Questions without an answer.
    Timeout,
    /// Refused questions.
    Refused,
    /// Other errors.
    Other,
    /// Not an answer to the question.
    Invalid,
    /// Larger than announced.
    TooBig,
    /// Cut off.
    Truncated,
    /// Answers to questions that are settled, or were never asked.
    Outdated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reply {
    /// Not asked, or it could not be sent.
    None,
    Pending,
    Came,
}

/// A question under way.
#[derive(Clone, Debug)]
struct Asking {
    id: u16,
    ask: Ask,
    /// Tries left after this one.
    tries: u32,
    replies: Vec<Reply>,
    failure: Option<Failure>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    addr: IpAddr,
    last_seen: Instant,
}

#[derive(Debug)]
struct Lookup {
    host: String,
    name: Name,
    /// What is asked first.
    ask: Ask,
    /// Somebody wants to know.
    followed: bool,
    asking: Option<Asking>,
    /// Deadlines with another number are void.
    armed: u64,
    last_valid: Instant,
    records: Vec<Record>,
    services: Vec<(Service, Instant)>,
}

impl Lookup {
    fn has_answer(&self) -> bool {
        !self.records.is_empty() || !self.services.is_empty()
    }
}

/// One section.
#[derive(Debug)]
pub struct Resolver {
    settings: Resolvers,
    families: Families,
    names: Vec<Lookup>,
    ids: HashMap<u16, usize>,
    deadlines: BinaryHeap<Reverse<(Instant, usize, u64)>>,
    /// Nameservers that let the last try pass in silence.
    silent: Vec<bool>,
    /// There is a way to IPv6, as far as is known.
    reaches_ipv6: bool,
    armed: u64,
}

impl Resolver {
    /// A section without names, which asks for addresses of these families.
    #[must_use]
    pub fn new(settings: &Resolvers, families: Families) -> Self {
        Self {
            silent: vec![false; settings.nameservers.len()],
            settings: settings.clone(),
            families,
            names: Vec::new(),
            ids: HashMap::new(),
            deadlines: BinaryHeap::new(),
            reaches_ipv6: true,
            armed: 0,
        }
    }

    /// Follows a name from now on; its number. The same name with the same question is followed once.
    ///
    /// # Errors
    /// It is not a name.
    pub fn follow(&mut self, host: &str, ask: Ask, now: Instant) -> Result<usize, hickory_proto::ProtoError> {
        let name = wire::name(host)?;
        if let Some(at) = self.names.iter().position(|n| n.name == name && n.ask == ask) {
            if !std::mem::replace(&mut self.names[at].followed, true) {
                self.names[at].last_valid = now;
                self.arm(at, now);
            }
            return Ok(at);
        }
        self.names.push(Lookup {
            host: host.to_owned(),
            name,
            ask,
            followed: true,
            asking: None,
            armed: 0,
            last_valid: now,
            records: Vec::new(),
            services: Vec::new(),
        });
        let at = self.names.len() - 1;
        self.arm(at, now);
        Ok(at)
    }

    /// Asks for a name at once, unless it is being asked for or its last valid answer is younger than `hold valid`.
    pub fn hurry(&mut self, name: usize, now: Instant) {
        let lookup = &self.names[name];
        let fresh = lookup.has_answer() && now < lookup.last_valid + self.settings.hold_valid;
        if lookup.followed && lookup.asking.is_none() && !fresh {
            self.arm(name, now);
        }
    }

    /// Whether the system has a way to IPv6, which matters to [`Families::Reachable`].
    pub fn reaches_ipv6(&mut self, reaches: bool) {
        self.reaches_ipv6 = reaches;
    }

    fn accepts(&self, family: Family) -> bool {
        match self.families {
            Families::Both => true,
            Families::V4 => family == Family::V4,
            Families::V6 => family == Family::V6,
            Families::Reachable => family == Family::V4 || self.reaches_ipv6,
        }
    }

    /// What is asked about a name first: of the family it prefers, unless only the other one is accepted.
    fn first(&self, name: usize) -> Ask {
        match self.names[name].ask {
            Ask::Addresses(family) if !self.accepts(family) => Ask::Addresses(family.other()),
            ask => ask,
        }
    }

    /// What is asked if the first question has no valid answer.
    fn second(&self, name: usize, first: Ask) -> Option<Ask> {
        match first {
            Ask::Addresses(family) if first == self.names[name].ask && self.accepts(family.other()) => {
                Some(Ask::Addresses(family.other()))
            }
            _ => None,
        }
    }

    /// When [`Input::Timer`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines.peek().map(|Reverse((at, _, _))| *at)
    }

    /// The name as it was written.
    #[must_use]
    pub fn host(&self, name: usize) -> &str {
        &self.names[name].host
    }

    /// Addresses of a name: of the last answer, and of older ones within `hold obsolete`.
    #[must_use]
    pub fn addresses(&self, name: usize) -> Vec<IpAddr> {
        self.names[name].records.iter().map(|r| r.addr).collect()
    }

    /// Nobody follows a name any longer: it is not asked for until somebody does.
    pub fn leave(&mut self, name: usize) {
        self.forget(name);
        let lookup = &mut self.names[name];
        lookup.followed = false;
        lookup.armed = 0;
        lookup.records.clear();
        lookup.services.clear();
    }

    /// Where a name offers its service: by the last answer, and by older ones within `hold obsolete`.
    #[must_use]
    pub fn services(&self, name: usize) -> Vec<Service> {
        self.names[name].services.iter().map(|(service, _)| service.clone()).collect()
    }

    /// What is asked about a name first.
    #[must_use]
    pub fn asks(&self, name: usize) -> Ask {
        self.names[name].ask
    }

    /// Whether a failure has lasted long enough to take the servers' address away.
    #[must_use]
    pub fn is_lasting(&self, name: usize, failure: Failure, now: Instant) -> bool {
        now >= self.names[name].last_valid + self.hold_for(failure)
    }

    /// How long a failure is put up with since the last valid answer.
    #[must_use]
    pub fn hold_for(&self, failure: Failure) -> Duration {
        match failure {
            Failure::Nx => self.settings.hold_nx,
            Failure::Refused => self.settings.hold_refused,
            Failure::Timeout => self.settings.hold_timeout,
            Failure::Other => self.settings.hold_other,
        }
    }

    /// One step. `random` gives ids that a stranger cannot guess.
    pub fn step(&mut self, input: Input<'_>, now: Instant, random: &mut dyn FnMut() -> u16) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Timer => {
                while let Some(Reverse((at, name, number))) = self.deadlines.peek().copied() {
                    if at > now {
                        break;
                    }
                    self.deadlines.pop();
                    if self.names[name].armed == number {
                        self.expire(name, now, random, &mut effects);
                    }
                }
            }
            Input::Message { nameserver, bytes } => {
                if nameserver < self.silent.len() {
                    self.message(nameserver, bytes, now, random, &mut effects);
                }
            }
            Input::SendFailed { nameserver, id } => {
                let Some(&name) = self.ids.get(&id) else { return effects };
                if let Some(reply) =
                    self.names[name].asking.as_mut().and_then(|a| a.replies.get_mut(nameserver))
                {
                    *reply = Reply::None;
                }
                self.conclude(name, now, random, &mut effects);
            }
        }
        effects
    }

    fn arm(&mut self, name: usize, at: Instant) {
        self.armed += 1;
        self.names[name].armed = self.armed;
        self.deadlines.push(Reverse((at, name, self.armed)));
    }

    fn ask(
        &mut self,
        name: usize,
        ask: Ask,
        tries: u32,
        now: Instant,
        random: &mut dyn FnMut() -> u16,
        effects: &mut Vec<Effect>,
    ) {
        self.forget(name);
        let mut id = random();
        // Free ids are plenty: a section has fewer names than that.
        while self.ids.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        self.ids.insert(id, name);
        let count = self.settings.nameservers.len();
        let question = wire::question(id, &self.names[name].name, ask, self.settings.accepted_payload_size);
        let mut replies = vec![Reply::None; count];
        if let Ok(bytes) = question {
            replies = vec![Reply::Pending; count];
            effects.extend((0..count).map(|nameserver| Effect::Send {
                nameserver,
                id,
                bytes: bytes.clone(),
            }));
        }
        self.names[name].asking = Some(Asking { id, ask, tries, replies, failure: None });
        self.arm(name, now + self.settings.timeout_retry);
    }

    /// Drops the question under way: answers to it are outdated.
    fn forget(&mut self, name: usize) -> Option<Asking> {
        let asking = self.names[name].asking.take()?;
        self.ids.remove(&asking.id);
        Some(asking)
    }

    fn expire(
        &mut self,
        name: usize,
        now: Instant,
        random: &mut dyn FnMut() -> u16,
        effects: &mut Vec<Effect>,
    ) {
        if !self.names[name].followed {
            return;
        }
        let first = self.first(name);
        let Some(asking) = self.forget(name) else {
            let tries = self.settings.resolve_retries.saturating_sub(1);
            self.ask(name, first, tries, now, random, effects);
            return;
        };
        for (nameserver, reply) in asking.replies.iter().enumerate() {
            if *reply == Reply::Pending {
                self.silent[nameserver] = true;
                effects.push(Effect::Count { nameserver, what: Count::Timeout });
            }
        }
        match (asking.failure, self.second(name, asking.ask)) {
            // Somebody said no while others kept silent: the other family comes first.
            (Some(_), Some(other)) => self.ask(name, other, asking.tries, now, random, effects),
            (failure, _) if asking.tries == 0 => {
                self.fail(name, failure.unwrap_or(Failure::Timeout), now, effects);
            }
            _ => self.ask(name, first, asking.tries - 1, now, random, effects),
        }
    }

    fn fail(&mut self, name: usize, failure: Failure, now: Instant, effects: &mut Vec<Effect>) {
        self.forget(name);
        if self.is_lasting(name, failure, now) {
            self.names[name].records.clear();
            self.names[name].services.clear();
        }
        effects.push(Effect::Failed { name, failure });
        self.arm(name, now + self.settings.timeout_resolve);
    }

    fn message(
        &mut self,
        nameserver: usize,
        bytes: &[u8],
        now: Instant,
        random: &mut dyn FnMut() -> u16,
        effects: &mut Vec<Effect>,
    ) {
        let mut count = |what| effects.push(Effect::Count { nameserver, what });
        if bytes.len() > usize::from(self.settings.accepted_payload_size) {
            return count(Count::TooBig);
        }
        let Some(id) = wire::id(bytes) else { return count(Count::Invalid) };
        let Some(&name) = self.ids.get(&id) else { return count(Count::Outdated) };
        let lookup = &mut self.names[name];
        let Some(asking) = &mut lookup.asking else { return count(Count::Outdated) };
        if asking.replies[nameserver] != Reply::Pending {
            return count(Count::Outdated);
        }
        // Nothing that is not an answer to our question may change anything, not even who has answered.
        let Some(answer) = wire::answer(bytes, &lookup.name, asking.ask) else {
            return count(Count::Invalid);
        };
        let (what, failure) = match &answer {
            Answer::Addresses(_) | Answer::Services(_) => (Count::Valid, None),
            Answer::Nx => (Count::Nx, Some(Failure::Nx)),
            Answer::Refused => (Count::Refused, Some(Failure::Refused)),
            Answer::Empty => (Count::AnyError, Some(Failure::Other)),
            Answer::DanglingAlias => (Count::CnameError, Some(Failure::Other)),
            Answer::Truncated => (Count::Truncated, Some(Failure::Other)),
            Answer::Error => (Count::Other, Some(Failure::Other)),
        };
        count(what);
        self.silent[nameserver] = false;
        asking.replies[nameserver] = Reply::Came;
        asking.failure = failure.or(asking.failure);
        match answer {
            Answer::Addresses(mut addrs) => {
                addrs.retain(|addr| self.accepts(Family::of(*addr)));
                self.remember(name, &addrs, now);
                self.resolved(name, nameserver, now, effects);
            }
            Answer::Services(mut services) => {
                for service in &mut services {
                    service.addr = service.addr.filter(|addr| self.accepts(Family::of(*addr)));
                }
                self.remember_services(name, services, now);
                self.resolved(name, nameserver, now, effects);
            }
            _ => self.conclude(name, now, random, effects),
        }
    }

    fn remember(&mut self, name: usize, addrs: &[IpAddr], now: Instant) {
        let obsolete = self.settings.hold_obsolete;
        let lookup = &mut self.names[name];
        for addr in addrs {
            match lookup.records.iter_mut().find(|r| r.addr == *addr) {
                Some(record) => record.last_seen = now,
                None => lookup.records.push(Record { addr: *addr, last_seen: now }),
            }
        }
        lookup.records.retain(|r| r.last_seen + obsolete >= now);
    }

    fn remember_services(&mut self, name: usize, services: Vec<Service>, now: Instant) {
        let obsolete = self.settings.hold_obsolete;
        let lookup = &mut self.names[name];
        for service in services {
            let same =
                |(old, _): &&mut (Service, Instant)| old.target == service.target && old.port == service.port;
            match lookup.services.iter_mut().find(same) {
                Some(old) => *old = (service, now),
                None => lookup.services.push((service, now)),
            }
        }
        lookup.services.retain(|(_, last_seen)| *last_seen + obsolete >= now);
    }

    fn resolved(&mut self, name: usize, nameserver: usize, now: Instant, effects: &mut Vec<Effect>) {
        self.forget(name);
        self.names[name].last_valid = now;
        effects.push(Effect::Resolved { name, nameserver });
        self.arm(name, now + self.settings.timeout_resolve);
    }

    /// Acts on errors once nobody is left to be waited for.
    fn conclude(
        &mut self,
        name: usize,
        now: Instant,
        random: &mut dyn FnMut() -> u16,
        effects: &mut Vec<Effect>,
    ) {
        let lookup = &self.names[name];
        let Some(asking) = &lookup.asking else { return };
        let awaited = |(reply, silent): (&Reply, &bool)| *reply == Reply::Pending && !silent;
        let Some(failure) = asking.failure else { return };
        if asking.replies.iter().zip(&self.silent).any(awaited) {
            return;
        }
        let (other, tries) = (self.second(name, asking.ask), asking.tries);
        if let Some(other) = other {
            self.ask(name, other, tries, now, random, effects);
        } else if tries == 0 {
            self.fail(name, failure, now, effects);
        }
        // Otherwise the next try begins when the time for this one is over.
    }
}
