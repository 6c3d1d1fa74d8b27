//! `roundrobin`: the smooth weighted rotation.
//!
//! Time is a position that advances by one per pick. A round lasts as many positions as the weights sum up to, and
//! a server of weight *w* is due every *sum / w* positions, the remainder carried over; so its turns are spread
//! evenly over the round, and the order is the same in every round. Heavier servers go first where two are due
//! together. Servers due after the end of the round wait in a second queue, which becomes the start of the next
//! round; a weight that changes in the middle of a round moves the server's next turn at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::roster::{Change, Group, Roster, Slot};
use super::{View, WEIGHT_MAX, WEIGHT_SCALE};

/// Which queue a server waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Queue {
    /// None: not usable, or just taken out.
    Out,
    /// Not yet placed in the current round; by weight.
    Init,
    /// Due in the current round; by position.
    Current,
    /// Due in the next round; by weight.
    Next,
}

/// Sort key, then order of arrival, then server.
type Entry = (i64, u64, usize);

#[derive(Clone, Copy, Debug)]
struct Turn {
    queue: Queue,
    entry: Entry,
    /// Position of the last turn.
    last: i64,
    /// Position of the next turn.
    next: i64,
    /// What is left of the division of a round by the weight.
    rest: i64,
}

impl Turn {
    /// That of a server that never was in the rotation.
    const BLANK: Self = Self { queue: Queue::Out, entry: (0, 0, 0), last: 0, next: 0, rest: 0 };
}

/// Servers that wait, the smallest entry first. Mostly that one is taken out; any other only when servers change.
type Waiting = BinaryHeap<Reverse<Entry>>;

#[derive(Debug, Default)]
struct Round {
    init: Waiting,
    current: Waiting,
    next: Waiting,
    position: i64,
    /// Length of this round.
    length: i64,
}

impl Round {
    fn waiting(&mut self, queue: Queue) -> Option<&mut Waiting> {
        match queue {
            Queue::Out => None,
            Queue::Init => Some(&mut self.init),
            Queue::Current => Some(&mut self.current),
            Queue::Next => Some(&mut self.next),
        }
    }
}

/// State of the rotation, one round per group.
#[derive(Debug)]
pub(super) struct RoundRobin {
    turns: Vec<Turn>,
    rounds: [Round; 2],
    arrivals: u64,
    /// Servers taken out during one pick; kept for its allocation.
    set_aside: Vec<usize>,
}

impl RoundRobin {
    pub(super) fn new(roster: &Roster) -> Self {
        let mut rr = Self {
            turns: vec![Turn::BLANK; roster.slots().len()],
            rounds: [Round::default(), Round::default()],
            arrivals: 0,
            set_aside: Vec::new(),
        };
        for group in 0..2 {
            let sum = i64::from(roster.weight_of(group));
            (rr.rounds[group].position, rr.rounds[group].length) = (sum, sum);
            for (server, slot) in roster.members(group == 1) {
                rr.enqueue_by_weight(group, server, slot, Queue::Init);
            }
        }
        rr
    }

    /// Room for `size` servers; `server` is new.
    pub(super) fn join(&mut self, server: usize, size: usize) {
        self.turns.resize(size, Turn::BLANK);
        self.turns[server] = Turn::BLANK;
    }

    fn insert(&mut self, group: usize, server: usize, queue: Queue, key: i64) {
        self.arrivals += 1;
        let entry = (key, self.arrivals, server);
        self.turns[server].entry = entry;
        self.turns[server].queue = queue;
        if let Some(waiting) = self.rounds[group].waiting(queue) {
            waiting.push(Reverse(entry));
        }
    }

    /// Takes a server out of the queue it is in; its `queue` still says which one that was.
    fn dequeue(&mut self, group: usize, server: usize) {
        let Turn { queue, entry, .. } = self.turns[server];
        let Some(waiting) = self.rounds[group].waiting(queue) else { return };
        if waiting.peek() == Some(&Reverse(entry)) {
            waiting.pop();
        } else {
            waiting.retain(|waits| waits.0 != entry);
        }
    }

    fn enqueue_by_weight(&mut self, group: usize, server: usize, slot: &Slot, queue: Queue) {
        self.insert(group, server, queue, i64::from(WEIGHT_MAX) - i64::from(slot.weight));
    }

    /// Puts a server where its next turn belongs.
    fn enqueue(&mut self, group: usize, server: usize, slot: &Slot, sum: i64) {
        let length = self.rounds[group].length;
        let turn = &mut self.turns[server];
        if !slot.in_use() {
            turn.queue = Queue::Out;
        } else if turn.next >= 2 * length || turn.next >= length + sum {
            turn.next -= length;
            self.enqueue_by_weight(group, server, slot, Queue::Next);
        } else {
            // Among those due together the one with the larger weight, then with the smaller remainder, goes first.
            let tie = (i64::from(WEIGHT_MAX) + turn.rest - i64::from(slot.weight)) / i64::from(WEIGHT_SCALE);
            let key = 256 * turn.next + tie;
            self.insert(group, server, Queue::Current, key);
        }
    }

    /// Makes `next` relative to the current round, whichever queue the server was in.
    fn rebase(&mut self, group: usize, server: usize) {
        let round = &self.rounds[group];
        let turn = &mut self.turns[server];
        match turn.queue {
            Queue::Init => (turn.next, turn.rest) = (0, 0),
            Queue::Next => turn.next += round.length,
            Queue::Out => turn.next = round.position,
            Queue::Current => {}
        }
    }

    pub(super) fn update(&mut self, roster: &Roster, change: &Change) {
        let &Change { server, was, now } = change;
        let group = usize::from(now.backup);
        let sum = i64::from(roster.weight_of(group));
        match (was.in_use(), now.in_use()) {
            (false, false) => {}
            (true, false) => {
                self.dequeue(group, server);
                self.turns[server].queue = Queue::Out;
            }
            (false, true) => {
                self.rebase(group, server);
                let round = &self.rounds[group];
                self.turns[server].next =
                    round.position + (sum + round.length - round.position) / i64::from(now.weight);
                self.enqueue(group, server, &now, sum);
            }
            (true, true) => self.change_weight(group, server, &now, sum),
        }
    }

    fn change_weight(&mut self, group: usize, server: usize, now: &Slot, sum: i64) {
        self.dequeue(group, server);
        if self.turns[server].queue == Queue::Init {
            self.enqueue_by_weight(group, server, now, Queue::Init);
            return;
        }
        self.rebase(group, server);
        let position = self.rounds[group].position;
        let step = sum / i64::from(now.weight);
        let turn = &mut self.turns[server];
        // Never later than it was promised, and never in the past.
        turn.next = (turn.last + step).min(turn.next);
        turn.rest = 0;
        if turn.next < position + 2 {
            turn.next = position + step;
        }
        self.enqueue(group, server, now, sum);
    }

    /// The server whose turn it is in this round: one that is due, else one not yet placed, else the next one.
    fn due(&mut self, group: usize) -> Option<usize> {
        let round = &self.rounds[group];
        let current = round.current.peek().map(|waits| waits.0.2);
        if let Some(server) = current.filter(|s| self.turns[*s].next <= round.position) {
            return Some(server);
        }
        if let Some(&Reverse((_, _, server))) = round.init.peek() {
            (self.turns[server].next, self.turns[server].rest) = (0, 0);
            return Some(server);
        }
        current
    }

    fn advance(&mut self, group: usize, server: usize, weight: u32, sum: i64) {
        let position = self.rounds[group].position;
        let turn = &mut self.turns[server];
        let weight = i64::from(weight);
        if turn.next == 0 {
            turn.next = position;
        }
        turn.last = turn.next;
        turn.next += sum / weight;
        turn.rest += sum % weight;
        if turn.rest >= weight {
            turn.rest -= weight;
            turn.next += 1;
        }
    }

    pub(super) fn pick(
        &mut self,
        roster: &Roster,
        group: Group,
        servers: &impl View,
        avoid: Option<usize>,
    ) -> Option<usize> {
        let group = group.index();
        let sum = i64::from(roster.weight_of(group));
        let mut switched = false;
        let mut avoided = None;
        self.set_aside.clear();
        let taken = loop {
            let round = &mut self.rounds[group];
            if round.length == 0 {
                (round.position, round.length) = (sum, sum);
            }
            let Some(server) = self.due(group) else {
                if switched {
                    break avoided;
                }
                switched = true;
                self.start_round(group, sum);
                continue;
            };
            self.advance(group, server, roster.slots()[server].weight, sum);
            self.dequeue(group, server);
            self.rounds[group].position += 1;
            if servers.has_room(server) {
                if Some(server) != avoid || avoided.is_some() {
                    break Some(server);
                }
                avoided = Some(server);
            }
            self.set_aside.push(server);
        };
        if let Some(server) = taken {
            self.enqueue(group, server, &roster.slots()[server], sum);
        }
        // Those passed over keep their place, unless the round ended meanwhile: then only their weight counts.
        while let Some(server) = self.set_aside.pop() {
            if Some(server) == taken {
                continue;
            }
            let slot = roster.slots()[server];
            if switched {
                self.enqueue_by_weight(group, server, &slot, Queue::Init);
            } else {
                self.enqueue(group, server, &slot, sum);
            }
        }
        taken
    }

    fn start_round(&mut self, group: usize, sum: i64) {
        let round = &mut self.rounds[group];
        std::mem::swap(&mut round.init, &mut round.next);
        (round.position, round.length) = (sum, sum);
        for (queue, waiting) in [(Queue::Init, &round.init), (Queue::Next, &round.next)] {
            for Reverse((_, _, server)) in waiting {
                self.turns[*server].queue = queue;
            }
        }
    }
}
