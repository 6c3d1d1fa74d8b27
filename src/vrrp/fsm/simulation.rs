//! Two and three routers on a segment that loses, delays and partitions, in virtual time and by seed:
//! a failure is reproduced by its seed alone.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::vrrp::packet::Advert;

struct Node {
    router: Router,
    owns: bool,
    /// Deadlines of running timers.
    timers: Vec<(Timer, Instant)>,
    /// Which side of a partition it is on.
    side: u8,
}

struct Segment {
    nodes: Vec<Node>,
    /// Packets under way: when, to whom, what.
    wire: Vec<(Instant, usize, Advert)>,
    now: Instant,
    rng: StdRng,
    loss_percent: u32,
    max_delay_ms: u64,
    moves: usize,
}

impl Segment {
    fn new(priorities: &[u8], seed: u64) -> Self {
        #[allow(clippy::disallowed_methods, reason = "any instant will do as the origin of virtual time")]
        let now = Instant::now();
        let nodes = priorities.iter().zip(1..).map(|(&priority, last)| Node {
            router: Router::new(Settings::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), priority)),
            owns: false,
            timers: Vec::new(),
            side: 0,
        });
        Self {
            nodes: nodes.collect(),
            wire: Vec::new(),
            now,
            rng: StdRng::seed_from_u64(seed),
            loss_percent: 0,
            max_delay_ms: 5,
            moves: 0,
        }
    }

    fn step(&mut self, at: usize, input: Input) {
        let mut out = Vec::new();
        self.nodes[at].router.step(input, self.now, &mut out);
        for effect in out {
            match effect {
                Effect::Arm(timer, after) => {
                    self.nodes[at].timers.retain(|t| t.0 != timer);
                    self.nodes[at].timers.push((timer, self.now + after));
                }
                Effect::Disarm(timer) => self.nodes[at].timers.retain(|t| t.0 != timer),
                Effect::SendAdvert { priority } => self.send(at, priority),
                Effect::AddAddresses => {
                    self.nodes[at].owns = true;
                    self.moves += 1;
                }
                Effect::RemoveAddresses => self.nodes[at].owns = false,
                _ => {}
            }
        }
        let node = &self.nodes[at];
        assert_eq!(node.owns, node.router.state() == State::Master, "addresses follow the state");
        let waiting = node.timers.iter().any(|t| t.0 == Timer::MasterDown);
        assert_eq!(waiting, node.router.state() == State::Backup, "a backup always has its timer");
        let speaking = node.timers.iter().any(|t| t.0 == Timer::Advert);
        assert_eq!(speaking, node.router.state() == State::Master, "a master always has its timer");
    }

    fn send(&mut self, from: usize, priority: u8) {
        let settings = self.nodes[from].router.settings();
        let advert = Advert {
            source: settings.address,
            priority,
            interval: settings.interval,
            sequence: None,
            old_checksum: false,
            stamp: None,
        };
        for to in 0..self.nodes.len() {
            let lost = self.rng.random_range(0..100) < self.loss_percent;
            if to != from && !lost && self.nodes[to].side == self.nodes[from].side {
                let delay = Duration::from_millis(self.rng.random_range(0..=self.max_delay_ms));
                self.wire.push((self.now + delay, to, advert));
            }
        }
    }

    /// Runs until `until`, calling `watch` after every event.
    fn run(&mut self, until: Duration, mut watch: impl FnMut(&Self)) {
        let end = self.now + until;
        loop {
            let packet = self.wire.iter().map(|p| p.0).min();
            let timer = self.nodes.iter().flat_map(|n| n.timers.iter().map(|t| t.1)).min();
            let Some(next) = packet.into_iter().chain(timer).min().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = next;
            if let Some(i) = self.wire.iter().position(|p| p.0 == next) {
                let (_, to, advert) = self.wire.swap_remove(i);
                self.step(to, Input::Advert(advert));
            } else if let Some(at) = self.nodes.iter().position(|n| n.timers.iter().any(|t| t.1 == next)) {
                let i = self.nodes[at].timers.iter().position(|t| t.1 == next).unwrap();
                let (timer, _) = self.nodes[at].timers.swap_remove(i);
                self.step(at, Input::Timer(timer));
            }
            watch(self);
        }
    }

    fn owners(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|i| self.nodes[*i].owns).collect()
    }

    fn start(&mut self) {
        for at in 0..self.nodes.len() {
            self.step(at, Input::Start { fault: false });
        }
    }
}

const SEEDS: u64 = 300;
/// Master-down time at any priority, and one round to correct a wrong guess.
const SETTLED: Duration = Duration::from_secs(6);

#[test]
fn exactly_one_master_and_it_is_the_best() {
    for seed in 0..SEEDS {
        for priorities in [&[100, 90][..], &[90, 100, 110], &[100, 100], &[100, 100, 100], &[1, 254]] {
            let mut segment = Segment::new(priorities, seed);
            segment.start();
            segment.run(SETTLED, |_| {});
            // Between equals the first to speak stays: the address alone preempts nobody (RFC 5798 6.4.2).
            let owner = segment.owners();
            assert_eq!(owner.len(), 1, "seed {seed}, priorities {priorities:?}");
            assert_eq!(Some(&priorities[owner[0]]), priorities.iter().max(), "seed {seed}, {priorities:?}");
            segment.run(Duration::from_secs(20), |s| assert_eq!(s.owners(), owner, "seed {seed}"));
        }
    }
}

#[test]
fn a_partition_heals_within_one_interval() {
    for seed in 0..SEEDS {
        let mut segment = Segment::new(&[110, 100, 90], seed);
        segment.start();
        segment.run(SETTLED, |_| {});
        let cut = usize::try_from(seed % 3).unwrap();
        segment.nodes[cut].side = 1;
        segment.run(SETTLED, |_| {});
        assert_eq!(segment.owners().len(), 2, "each side has its own, seed {seed}");
        segment.nodes[cut].side = 0;
        let (healed, slack) = (segment.now, Duration::from_millis(20));
        segment.run(SETTLED, |s| {
            let age = s.now - healed;
            assert!(
                s.owners().len() < 2 || age <= Duration::from_secs(1) + slack,
                "two owners {age:?} after the heal, seed {seed}"
            );
        });
        assert_eq!(segment.owners(), [0], "seed {seed}");
    }
}

#[test]
fn loss_never_leaves_the_address_without_or_with_two_owners_for_long() {
    for seed in 0..SEEDS {
        let mut segment = Segment::new(&[120, 100, 80], seed);
        segment.loss_percent = 20;
        segment.max_delay_ms = 300;
        segment.start();
        segment.run(SETTLED, |_| {});
        let (mut none_since, mut two_since) = (None, None);
        segment.run(Duration::from_secs(120), |s| {
            let owners = s.owners().len();
            none_since = if owners == 0 { none_since.or(Some(s.now)) } else { None };
            two_since = if owners > 1 { two_since.or(Some(s.now)) } else { None };
            let none = none_since.map_or(Duration::ZERO, |since| s.now - since);
            assert!(none <= Duration::from_secs(4), "no owner for {none:?}, seed {seed}");
            // Five adverts in a row lost is the far end of what 300 seeds of 20 % show.
            let two = two_since.map_or(Duration::ZERO, |since| s.now - since);
            assert!(two <= Duration::from_secs(6), "two owners for {two:?}, seed {seed}");
        });
        segment.loss_percent = 0;
        segment.run(SETTLED, |_| {});
        assert_eq!(segment.owners(), [0], "seed {seed}");
    }
}

#[test]
fn a_fall_of_the_master_moves_the_address_in_the_skew_time() {
    for seed in 0..SEEDS {
        let mut segment = Segment::new(&[100, 90], seed);
        segment.start();
        segment.run(SETTLED, |_| {});
        let jitter = segment.rng.random_range(0..1000);
        segment.run(Duration::from_millis(jitter), |_| {});
        assert_eq!(segment.owners(), [0]);
        segment.step(0, Input::Priority(80));
        segment.run(Duration::from_millis(680), |_| {});
        assert_eq!(segment.owners(), [1], "seed {seed}");
        let moves = segment.moves;
        segment.run(Duration::from_secs(30), |s| assert_eq!(s.owners(), [1], "no flapping, seed {seed}"));
        assert_eq!(segment.moves, moves);
        segment.step(0, Input::Priority(100));
        segment.run(SETTLED, |_| {});
        assert_eq!(segment.owners(), [0], "and back, seed {seed}");
    }
}

#[test]
fn a_clean_stop_hands_over_in_the_skew_time_of_the_best_backup() {
    for seed in 0..SEEDS {
        let mut segment = Segment::new(&[110, 100, 90], seed);
        segment.start();
        segment.run(SETTLED, |_| {});
        segment.step(0, Input::Stop);
        segment.run(Duration::from_millis(630), |_| {});
        assert_eq!(segment.owners(), [1], "seed {seed}");
    }
}
