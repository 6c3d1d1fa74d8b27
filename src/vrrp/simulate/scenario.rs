//! What everybody wants to know of a pair: who takes over, and how long nobody does, when a part dies.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{Event, Given, World};

/// Time in which nodes with usual intervals have settled, multiplied for slower ones.
const SETTLE: u32 = 12;

/// A question about the node that has the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Its proxy dies.
    ProxyDies,
    /// It is stopped properly.
    Stops,
    /// The process that speaks VRRP dies.
    EngineDies,
    /// Everything on it dies.
    AllDies,
    /// Its cable is cut.
    LinkCut,
    /// The cable of something behind its switch is cut: it does not notice.
    CutOff,
    /// It comes back after it died.
    Returns,
}

impl Question {
    /// In the order in which one asks.
    pub const ALL: [Self; 7] = [
        Self::ProxyDies,
        Self::Stops,
        Self::EngineDies,
        Self::AllDies,
        Self::LinkCut,
        Self::CutOff,
        Self::Returns,
    ];
}

/// What happens to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What happened, in words.
    pub event: String,
    /// The address.
    pub address: IpAddr,
    /// Nodes that had it before.
    pub before: Vec<usize>,
    /// Nodes that have it at the end.
    pub after: Vec<usize>,
    /// From the event until who has it at the end had it; `None`: nothing changed.
    pub moved: Option<Duration>,
    /// Longest time nobody had it.
    pub nobody: Duration,
    /// Longest time two that hear each other had it, or one that is cut off still had it.
    pub two: Duration,
}

/// Longest advert interval of all instances, at least a second.
fn slowest(given: &[Given]) -> Duration {
    let intervals =
        given.iter().flat_map(|g| g.config.instances.iter()).map(|i| i.advert_interval + i.preempt_delay);
    intervals.max().unwrap_or_default().max(Duration::from_secs(1))
}

/// Plays a question from the start of all nodes. Empty: nobody had an address to begin with.
#[must_use]
pub fn ask(given: &[Given], question: Question, seed: u64, origin: Instant) -> Vec<Answer> {
    let mut world = World::new(given, seed, origin);
    for node in 0..world.len() {
        world.happen(&Event::Start(node));
    }
    let step = slowest(given) * SETTLE;
    world.run(step, |_| {});
    let Some(node) = world.owners().values().find_map(|owners| owners.first().copied()) else {
        return Vec::new();
    };
    let event = match question {
        Question::ProxyDies => Event::Proxy { node, runs: false },
        Question::Stops => Event::Stop(node),
        Question::EngineDies => Event::EngineDies(node),
        Question::AllDies => Event::AllDies(node),
        Question::LinkCut => Event::Link { node, interface: None, up: false },
        Question::CutOff => Event::Cut(node),
        Question::Returns => {
            world.happen(&Event::AllDies(node));
            world.run(step * 2, |_| {});
            Event::Start(node)
        }
    };
    let begin = world.time();
    let before = world.owners();
    world.happen(&event);
    let said = world.describe(&event);
    let mut changes = vec![(begin, world.owners())];
    world.run(begin + step, |world| {
        let owners = world.owners();
        if changes.last().is_none_or(|(_, last)| *last != owners) {
            changes.push((world.time(), owners));
        }
    });
    let end = world.time();
    let after = world.owners();
    let answer = |(address, before): (&IpAddr, &Vec<usize>)| {
        let at = |change: usize| changes[change].1.get(address).cloned().unwrap_or_default();
        let until = |change: usize| changes.get(change + 1).map_or(end, |next| next.0);
        let longest = |wanted: &dyn Fn(usize) -> bool| {
            let (mut longest, mut run) = (Duration::ZERO, Duration::ZERO);
            for (change, now) in changes.iter().enumerate() {
                run = if wanted(at(change).len()) { run + (until(change) - now.0) } else { Duration::ZERO };
                longest = longest.max(run);
            }
            longest
        };
        let after = after.get(address).cloned().unwrap_or_default();
        let first = (0..changes.len()).find(|change| after.iter().all(|n| at(*change).contains(n)));
        Answer {
            event: said.clone(),
            address: *address,
            before: before.clone(),
            moved: (after != *before).then(|| first.map_or(end, |change| changes[change].0) - begin),
            nobody: longest(&|owners| owners == 0),
            two: longest(&|owners| owners > 1),
            after,
        }
    };
    before.iter().map(answer).collect()
}
