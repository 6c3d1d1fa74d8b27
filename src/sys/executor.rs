//! The sessions of a thread, as tasks that never leave it.
//!
//! One task of the runtime steps through all of them: those that are woken stand in a queue, and a waker is a number, not
//! a reference that is counted. Waking a neighbour costs a few instructions, none of them locked. Timers and whatever else
//! the runtime offers wake sessions like any other task.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use parking_lot::{Mutex, RwLock};
use slab::Slab;

use super::mailbox::Mailbox;
use super::poller::Watch;
use super::reactor;

type Session = Pin<Box<dyn Future<Output = ()>>>;

struct Task {
    /// Away while it takes a step.
    session: Option<Session>,
    /// Wakers of a task that had the same place before are not this one's.
    generation: u32,
    queued: bool,
}

/// The tasks of one thread.
struct Executor {
    thread: u32,
    shared: Arc<Shared>,
    tasks: Slab<Task>,
    /// Tasks so far, as many as can be told apart.
    generation: u32,
    /// Who is to take a step, in the order of being woken.
    queue: VecDeque<Name>,
    /// The task of the runtime that steps through them.
    driver: Option<Waker>,
    /// It has nothing to do, and is to be woken for whoever comes into the queue.
    rests: bool,
}

/// What other threads reach.
#[derive(Default)]
struct Shared {
    /// Whom they woke.
    woken: Mailbox<Name>,
    driver: Mutex<Option<Waker>>,
}

static THREADS: RwLock<Vec<Arc<Shared>>> = RwLock::new(Vec::new());

thread_local! {
    static EXECUTOR: RefCell<Option<Executor>> = const { RefCell::new(None) };
    /// How much the task that takes a step may yet do in it.
    static LEFT: Cell<u32> = const { Cell::new(u32::MAX) };
}

/// So many calls on sockets a task makes in one step before it lets others have a turn, as with the runtime's own.
const CALLS: u32 = 128;

/// A task, as its wakers know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    thread: u32,
    place: u32,
    generation: u32,
}

impl Name {
    const THREAD_BITS: u32 = 14;
    const PLACE_BITS: u32 = 26;
    const GENERATIONS: u32 = 1 << 24;

    fn pack(self) -> *const () {
        let number = (self.generation as usize) << (Self::THREAD_BITS + Self::PLACE_BITS)
            | (self.place as usize) << Self::THREAD_BITS
            | self.thread as usize;
        std::ptr::without_provenance(number)
    }

    fn unpack(data: *const ()) -> Self {
        let number = data.addr();
        let low = |bits: u32, of: usize| (of & ((1 << bits) - 1)) as u32;
        Self {
            thread: low(Self::THREAD_BITS, number),
            place: low(Self::PLACE_BITS, number >> Self::THREAD_BITS),
            generation: (number >> (Self::THREAD_BITS + Self::PLACE_BITS)) as u32,
        }
    }

    fn waker(self) -> Waker {
        // SAFETY: what the functions of the table are given is a number. They use it as one, on any thread, as long as they like.
        unsafe { Waker::from_raw(RawWaker::new(self.pack(), &TABLE)) }
    }
}

const _: () = assert!(usize::BITS == 64, "a name is 64 bits");

static TABLE: RawWakerVTable = RawWakerVTable::new(|data| RawWaker::new(data, &TABLE), wake, wake, |_| ());

fn wake(data: *const ()) {
    let name = Name::unpack(data);
    // At the end of its thread a task need not be woken.
    let here = EXECUTOR.try_with(|executor| {
        let mut executor = executor.borrow_mut();
        let executor = executor.as_mut().filter(|executor| executor.thread == name.thread)?;
        executor.enqueue(name);
        Some(())
    });
    if !matches!(here, Ok(Some(()))) {
        wake_elsewhere(name);
    }
}

fn wake_elsewhere(name: Name) {
    let Some(shared) = THREADS.read().get(name.thread as usize).cloned() else { return };
    shared.woken.put(name);
    let driver = shared.driver.lock().clone();
    driver.into_iter().for_each(Waker::wake);
}

impl Executor {
    fn new() -> Self {
        let shared = Arc::<Shared>::default();
        let mut threads = THREADS.write();
        assert!(threads.len() < 1 << Name::THREAD_BITS, "more threads than a waker can tell apart");
        threads.push(shared.clone());
        Self {
            thread: threads.len() as u32 - 1,
            shared,
            tasks: Slab::new(),
            generation: 0,
            queue: VecDeque::new(),
            driver: None,
            rests: false,
        }
    }

    fn task(&mut self, name: Name) -> Option<&mut Task> {
        self.tasks.get_mut(name.place as usize).filter(|task| task.generation == name.generation)
    }

    /// Puts a task into the queue, unless it stands there already or is over.
    fn enqueue(&mut self, name: Name) {
        let Some(task) = self.task(name).filter(|task| !task.queued) else { return };
        task.queued = true;
        self.queue.push_back(name);
        if std::mem::take(&mut self.rests)
            && let Some(driver) = &self.driver
        {
            driver.wake_by_ref();
        }
    }

    fn add(&mut self, session: Session) {
        self.generation = (self.generation + 1) % Name::GENERATIONS;
        let generation = self.generation;
        let place = self.tasks.insert(Task { session: Some(session), generation, queued: false }) as u32;
        self.enqueue(Name { thread: self.thread, place, generation });
    }

    /// The next task in the queue.
    fn next(&mut self) -> Option<(Name, Session)> {
        loop {
            let name = self.queue.pop_front()?;
            if let Some(task) = self.task(name) {
                task.queued = false;
                if let Some(session) = task.session.take() {
                    return Some((name, session));
                }
            }
        }
    }

    /// A task has taken a step; `None`: its last.
    fn put(&mut self, name: Name, session: Option<Session>) {
        if session.is_none() {
            self.tasks.try_remove(name.place as usize);
        } else if let Some(task) = self.task(name) {
            task.session = session;
        }
    }

    /// Its driver runs.
    fn begin(&mut self, driver: &Waker) {
        self.rests = false;
        if !self.driver.as_ref().is_some_and(|known| known.will_wake(driver)) {
            self.driver = Some(driver.clone());
            *self.shared.driver.lock() = self.driver.clone();
        }
    }

    /// Its driver is gone, and these are left.
    fn end(&mut self) -> Vec<Session> {
        self.driver = None;
        *self.shared.driver.lock() = None;
        self.queue.clear();
        self.tasks.drain().filter_map(|task| task.session).collect()
    }

    /// Those whom other threads woke stand in the queue.
    fn gather(&mut self) {
        self.shared.woken.take().into_iter().for_each(|name| self.enqueue(name));
    }
}

fn with<R>(work: impl FnOnce(&mut Executor) -> R) -> R {
    EXECUTOR.with_borrow_mut(|executor| work(executor.get_or_insert_with(Executor::new)))
}

/// A task of this thread, which has a [`Driver`] or will have one.
pub fn spawn(session: impl Future<Output = ()> + 'static) {
    let session = Box::pin(session);
    with(|executor| executor.add(session));
}

/// Gives memory back that more tasks and sockets took than there are now.
pub fn trim() {
    with(|executor| {
        executor.tasks.shrink_to_fit();
        executor.queue.shrink_to_fit();
    });
    reactor::trim();
}

/// One more call of the task that takes a step. Pending: it has made many, and is woken to go on behind the others.
pub fn proceed(cx: &Context<'_>) -> Poll<()> {
    match LEFT.get().checked_sub(1) {
        Some(left) => {
            LEFT.set(left);
            Poll::Ready(())
        }
        None => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
}

/// May it make another?
#[must_use]
pub fn may_proceed() -> bool {
    LEFT.get() > 0
}

/// Takes the step of a task. What it panics with has been reported by then; it is over.
fn step(name: Name, session: &mut Session) -> Result<Poll<()>, Box<dyn Any + Send>> {
    /// Whoever is no task may do as much as he likes.
    struct Unlimited;
    impl Drop for Unlimited {
        fn drop(&mut self) {
            LEFT.set(u32::MAX);
        }
    }
    let _after = Unlimited;
    LEFT.set(CALLS);
    let waker = name.waker();
    catch_unwind(AssertUnwindSafe(|| session.as_mut().poll(&mut Context::from_waker(&waker))))
}

/// Steps through the tasks of the thread that made it, as a task of its runtime, for as long as that lasts.
pub struct Driver {
    watch: Watch,
    /// Steps between two looks at the sockets.
    in_a_row: u32,
}

impl Driver {
    /// Takes so many steps between two looks at the network if there is so much to do.
    ///
    /// # Errors
    /// No descriptors or memory are left.
    pub fn new(in_a_row: u32) -> io::Result<Self> {
        Ok(Self { watch: reactor::watch()?, in_a_row: in_a_row.max(1) })
    }

    /// A step of each of those who are ready now; how many there were.
    fn steps(&self) -> u32 {
        let ready = with(|executor| executor.queue.len()) as u32;
        let most = ready.min(self.in_a_row);
        for _ in 0..most {
            let Some((name, mut session)) = with(Executor::next) else { break };
            let goes_on = matches!(step(name, &mut session), Ok(Poll::Pending));
            if goes_on {
                with(|executor| executor.put(name, Some(session)));
            } else {
                // What it leaves behind may wake others.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(session)));
                with(|executor| executor.put(name, None));
            }
        }
        most
    }
}

/// So many steps in a row take long enough for more to have come meanwhile: looking for it here is cheaper than by way of
/// the runtime.
const LONG: u32 = 8;

/// After so many steps the runtime has a look at the rest of the network and at its timers.
const MANY: u32 = 64;

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        with(|executor| executor.begin(cx.waker()));
        // What has been told is looked at now, and what comes after is told again.
        self.watch.forget();
        let mut steps = 0;
        while steps < MANY {
            with(Executor::gather);
            let more = reactor::look();
            let taken = self.steps();
            steps += taken;
            if more || taken >= LONG || with(|executor| !executor.queue.is_empty()) {
                continue;
            }
            match self.watch.poll_changed(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {
                    with(|executor| executor.rests = true);
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    /// The tasks end with it.
    fn drop(&mut self) {
        loop {
            let left = with(Executor::end);
            if left.is_empty() {
                return;
            }
            drop(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::rc::Rc;
    use std::time::Duration;

    use tokio::sync::{Notify, oneshot};

    use super::*;

    /// Runs `test` beside a driver that takes one step at a time.
    fn driven<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::spawn(Driver::new(1).unwrap());
            let patience = Duration::from_secs(20);
            tokio::time::timeout(patience, test()).await.expect("everybody is woken");
        });
    }

    #[test]
    fn a_name_is_what_was_packed() {
        for name in [
            Name { thread: 0, place: 0, generation: 0 },
            Name { thread: 16_383, place: 67_108_863, generation: Name::GENERATIONS - 1 },
            Name { thread: 1, place: 2, generation: 3 },
        ] {
            assert_eq!(Name::unpack(name.pack()), name);
        }
    }

    #[test]
    fn tasks_wake_each_other_and_are_woken_by_timers_and_other_threads() {
        driven(|| async {
            let (first, second) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
            let (done, over) = oneshot::channel();
            let (from_outside, outside) = oneshot::channel();
            spawn({
                let (first, second) = (first.clone(), second.clone());
                async move {
                    first.notified().await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    second.notify_one();
                }
            });
            spawn(async move {
                first.notify_one();
                second.notified().await;
                done.send(outside.await.unwrap()).unwrap();
            });
            std::thread::spawn(move || from_outside.send(7).unwrap());
            assert_eq!(over.await, Ok(7));
        });
    }

    #[test]
    fn wakers_of_a_task_that_is_over_wake_nobody() {
        driven(|| async {
            let (sender, waker) = oneshot::channel();
            let mut sender = Some(sender);
            spawn(poll_fn(move |cx| {
                sender.take().unwrap().send(cx.waker().clone()).unwrap();
                Poll::Ready(())
            }));
            let waker = waker.await.unwrap();
            // It takes the place of the other.
            let steps = Rc::new(Cell::new(0));
            let counted = steps.clone();
            spawn(poll_fn(move |_| {
                counted.set(counted.get() + 1);
                Poll::Pending
            }));
            for _ in 0..3 {
                waker.wake_by_ref();
                tokio::task::yield_now().await;
            }
            assert_eq!(steps.get(), 1);
        });
    }

    #[test]
    fn who_does_much_lets_others_go_on() {
        driven(|| async {
            let other = Rc::new(Cell::new(false));
            let (done, over) = oneshot::channel();
            let (seen, mut done) = (other.clone(), Some(done));
            spawn(poll_fn(move |cx| {
                let mut calls = 0;
                while proceed(cx).is_ready() {
                    calls += 1;
                    if seen.get() {
                        done.take().unwrap().send(calls).unwrap();
                        return Poll::Ready(());
                    }
                }
                assert_eq!(calls, CALLS);
                assert!(!may_proceed());
                Poll::Pending
            }));
            spawn(async move { other.set(true) });
            assert_eq!(over.await, Ok(1));
            assert!(may_proceed());
        });
    }

    #[test]
    fn one_that_panics_ends_alone_and_all_end_with_their_driver() {
        struct Last(Rc<Cell<u32>>);
        impl Drop for Last {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        let ended = Rc::new(Cell::new(0));
        let (first, second) = (Last(ended.clone()), Last(ended.clone()));
        driven(|| async {
            let (done, over) = oneshot::channel();
            spawn(async move {
                let _first = first;
                std::panic::resume_unwind(Box::new(()));
            });
            spawn(async move {
                let _second = second;
                done.send(()).unwrap();
                std::future::pending().await
            });
            over.await.unwrap();
            assert_eq!(ended.get(), 1);
        });
        assert_eq!(ended.get(), 2);
    }
}
