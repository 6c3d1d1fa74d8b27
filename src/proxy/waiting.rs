//! Accept loops that found the house full, in the order in which they look again: with one listener always first, those
//! who come to another one might never be let in.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// What keeps a listener from taking connections. Whose reason stands first looks first: as by HAProxy, where the listener
/// of who left opens at once, and the line for the process moves before that of the frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    /// Its own.
    Listener,
    /// One of the process.
    Process,
    /// One of its frontend.
    Frontend,
}

/// Nobody may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full {
    pub(super) limit: Limit,
    /// For so long, if nobody leaves: limits of rates only.
    pub(super) until: Option<Duration>,
}

/// Where the accept loops of all threads wait.
#[derive(Debug, Default)]
pub(super) struct Room {
    line: Mutex<BTreeSet<Place>>,
    /// How many have stood in the line so far.
    so_far: AtomicU64,
    waiting: AtomicU32,
    freed: Notify,
}

/// Whoever has waited longer for the same stands before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place(Limit, u64);

/// After so long who waits looks anew in any case: limits can also be raised.
const MOMENT: Duration = Duration::from_millis(100);

impl Room {
    /// Somebody left.
    pub(super) fn left(&self) {
        if self.waiting.load(Relaxed) > 0 {
            self.freed.notify_waiters();
        }
    }

    /// For one accept loop.
    pub(super) fn waiter(&self) -> Waiter<'_> {
        Waiter { room: self, place: None }
    }
}

/// One accept loop, which stands in the line or does not.
#[derive(Debug)]
pub(super) struct Waiter<'a> {
    room: &'a Room,
    place: Option<Place>,
}

impl Waiter<'_> {
    /// Waits as long as `full` says so, and then for those who stand before this one to have looked.
    pub(super) async fn wait(&mut self, found: Full, full: impl Fn() -> Option<Full>) {
        self.line_up(found.limit);
        self.room.waiting.fetch_add(1, Relaxed);
        let most = found.until.unwrap_or(MOMENT).min(MOMENT);
        let timed_out = tokio::time::timeout(most, self.room.freed.notified()).await.is_err();
        self.room.waiting.fetch_sub(1, Relaxed);
        if full().is_some() {
            return;
        }
        if timed_out {
            // It is time for the others as well.
            self.room.freed.notify_waiters();
        }
        for _ in 0..self.before() {
            tokio::task::yield_now().await;
            if self.before() == 0 {
                return;
            }
        }
    }

    /// Is not in the line any more.
    pub(super) fn step_out(&mut self) {
        if let Some(place) = self.place.take() {
            self.room.line.lock().remove(&place);
        }
    }

    fn line_up(&mut self, limit: Limit) {
        if self.place.is_some_and(|place| place.0 == limit) {
            return;
        }
        self.step_out();
        let place = Place(limit, self.room.so_far.fetch_add(1, Relaxed));
        self.room.line.lock().insert(place);
        self.place = Some(place);
    }

    /// How many stand before this one.
    fn before(&self) -> usize {
        self.place.map_or(0, |place| self.room.line.lock().range(..place).count())
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.step_out();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use super::*;

    /// A house of one place, and who came in.
    #[derive(Default)]
    struct House {
        room: Room,
        is_taken: Cell<bool>,
        came: RefCell<Vec<char>>,
    }

    /// Somebody always waits before this door.
    async fn door(house: Rc<House>, name: char, limit: Limit) {
        let full = || house.is_taken.get().then_some(Full { limit, until: None });
        let mut waiter = house.room.waiter();
        loop {
            if let Some(found) = full() {
                waiter.wait(found, full).await;
                continue;
            }
            waiter.step_out();
            house.is_taken.set(true);
            house.came.borrow_mut().push(name);
        }
    }

    async fn came(doors: &[(char, Limit)], so_many: usize) -> String {
        let house = Rc::<House>::default();
        house.is_taken.set(true);
        let local = tokio::task::LocalSet::new();
        for (name, limit) in doors {
            local.spawn_local(door(house.clone(), *name, *limit));
        }
        let watch = async {
            while house.room.line.lock().len() < doors.len() {
                tokio::task::yield_now().await;
            }
            for nth in 1..=so_many {
                house.is_taken.set(false);
                house.room.left();
                while house.came.borrow().len() < nth || house.room.line.lock().len() < doors.len() {
                    tokio::task::yield_now().await;
                }
            }
        };
        local.run_until(watch).await;
        house.came.borrow().iter().collect()
    }

    #[tokio::test]
    async fn doors_take_turns() {
        let doors = ['a', 'b', 'c'].map(|name| (name, Limit::Process));
        assert_eq!(came(&doors, 7).await, "abcabca");
    }

    #[tokio::test]
    async fn a_listener_that_was_full_itself_comes_first_and_the_process_before_a_frontend() {
        let doors = [('f', Limit::Frontend), ('p', Limit::Process), ('l', Limit::Listener)];
        assert_eq!(came(&doors, 1).await, "l");
        assert_eq!(came(&doors[..2], 1).await, "p");
    }

    #[tokio::test]
    async fn who_has_left_the_line_holds_nobody_up() {
        let room = Room::default();
        let (mut first, mut second) = (room.waiter(), room.waiter());
        first.line_up(Limit::Process);
        second.line_up(Limit::Process);
        assert_eq!((first.before(), second.before()), (0, 1));
        // For another reason it stands behind those who had it before.
        first.line_up(Limit::Frontend);
        assert_eq!((first.before(), second.before()), (1, 0));
        drop(second);
        assert_eq!(first.before(), 0);
    }
}
