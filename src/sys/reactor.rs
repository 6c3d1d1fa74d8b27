//! The sockets of a thread's sessions, and who waits for which of them.
//!
//! The runtime's own poller serves any thread, so each of its events, readings and wake-ups is paid for with locked
//! instructions: a third of what moving a few bytes costs outside the kernel. Sessions never leave their thread. Their
//! sockets are in a poller of their own, inside of the runtime's, and what is known of them is memory of the thread's.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::RwLock;
use slab::Slab;

use super::executor;
use super::mailbox::Mailbox;
use super::poller::{Edge, Poller};

/// What is known of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// A reading call would not wait.
    pub readable: bool,
    /// Neither would a writing one.
    pub writable: bool,
}

/// What one waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Bytes, the end, an error.
    Read,
    /// Room for more, an error.
    Write,
}

/// One direction of a socket.
#[derive(Default)]
struct Half {
    ready: bool,
    /// It stays so: the end has come, or an error.
    over: bool,
    waits: Option<Waker>,
}

struct Entry {
    /// What is told of a socket that had the same place before is not about this one.
    generation: u32,
    read: Half,
    write: Half,
}

impl Entry {
    fn half(&mut self, way: Way) -> &mut Half {
        match way {
            Way::Read => &mut self.read,
            Way::Write => &mut self.write,
        }
    }
}

/// What other threads reach.
struct Shared {
    poller: Poller,
    /// Sockets that other threads closed or took away.
    left: Mailbox<Key>,
}

/// The sockets of one thread.
struct Reactor {
    /// Its number among the threads that have some.
    thread: u32,
    shared: Arc<Shared>,
    entries: Slab<Entry>,
    /// Sockets so far.
    generation: u32,
    /// Room for what is told at a time.
    edges: Vec<Edge>,
}

static THREADS: RwLock<Vec<Arc<Shared>>> = RwLock::new(Vec::new());

thread_local! {
    static REACTOR: RefCell<Option<Reactor>> = const { RefCell::new(None) };
}

/// Where a socket is among those of its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    place: u32,
    generation: u32,
}

impl Key {
    fn token(self) -> usize {
        (self.generation as usize) << 32 | self.place as usize
    }

    fn of(token: usize) -> Self {
        Self { place: token as u32, generation: (token >> 32) as u32 }
    }
}

const _: () = assert!(usize::BITS == 64, "a key is 64 bits");

impl Reactor {
    fn new() -> io::Result<Self> {
        let shared = Arc::new(Shared { poller: Poller::new()?, left: Mailbox::default() });
        let mut threads = THREADS.write();
        threads.push(shared.clone());
        Ok(Self {
            thread: threads.len() as u32 - 1,
            shared,
            entries: Slab::new(),
            generation: 0,
            edges: Vec::new(),
        })
    }

    fn take_place(&mut self, known: Known) -> Key {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let half = |ready| Half { ready, ..Half::default() };
        let entry = Entry { generation, read: half(known.readable), write: half(known.writable) };
        Key { place: self.entries.insert(entry) as u32, generation }
    }

    fn leave(&mut self, key: Key) {
        if self.entry(key).is_some() {
            self.entries.remove(key.place as usize);
        }
    }

    fn entry(&mut self, key: Key) -> Option<&mut Entry> {
        self.entries.get_mut(key.place as usize).filter(|entry| entry.generation == key.generation)
    }

    /// Places that other threads gave back are free.
    fn sweep(&mut self) {
        self.shared.left.take().into_iter().for_each(|key| self.leave(key));
    }
}

/// Works with what is known of a socket. `None`: it is another thread's.
fn with<R>(socket: &Socket, work: impl FnOnce(&mut Entry) -> R) -> Option<R> {
    let Registered { thread, key } = &socket.at;
    REACTOR.with_borrow_mut(|reactor| {
        let reactor = reactor.as_mut().filter(|reactor| reactor.thread == *thread)?;
        reactor.entry(*key).map(work)
    })
}

/// Makes the reactor of this thread, if there is none yet.
fn made<R>(work: impl FnOnce(&mut Reactor) -> R) -> io::Result<R> {
    REACTOR.with_borrow_mut(|reactor| {
        if reactor.is_none() {
            *reactor = Some(Reactor::new()?);
        }
        reactor.as_mut().map(work).ok_or_else(|| io::ErrorKind::Other.into())
    })
}

/// Lets the runtime wait for the sockets of this thread, see [`Poller::watch`].
///
/// # Errors
/// No descriptors or memory are left.
pub(super) fn watch() -> io::Result<super::poller::Watch> {
    made(|reactor| reactor.shared.poller.watch())?
}

/// Looks at what is new about the sockets of this thread, without waiting, and wakes who waits for it. True: there may be more.
pub(super) fn look() -> bool {
    REACTOR.with_borrow_mut(|reactor| {
        let Some(reactor) = reactor else { return false };
        reactor.sweep();
        let mut edges = std::mem::take(&mut reactor.edges);
        let more = reactor.shared.poller.edges(&mut edges);
        for Edge { key, readable, room, over, broken } in edges.drain(..) {
            let Some(entry) = reactor.entry(Key::of(key)) else { continue };
            for (half, ready, over) in [(&mut entry.read, readable, over), (&mut entry.write, room, broken)] {
                half.over |= over;
                if ready
                    && !std::mem::replace(&mut half.ready, true)
                    && let Some(waker) = half.waits.take()
                {
                    // A place in the queue of a thread: nobody comes back here.
                    waker.wake();
                }
            }
        }
        reactor.edges = edges;
        more
    })
}

/// See [`executor::trim`].
pub(super) fn trim() {
    REACTOR.with_borrow_mut(|reactor| {
        if let Some(reactor) = reactor {
            reactor.entries.shrink_to_fit();
        }
    });
}

/// A non-blocking socket among those of a thread.
#[derive(Debug)]
pub struct Socket {
    /// Closed before its place is given back: that takes it out of the poller. What a duplicate in a child that is just starting
    /// another program keeps there is of an earlier generation.
    fd: OwnedFd,
    at: Registered,
}

/// The place of a socket, until this is dropped.
#[derive(Debug)]
struct Registered {
    thread: u32,
    key: Key,
}

impl Socket {
    /// Among those of this thread from now on. `known` is what need not be asked.
    ///
    /// # Errors
    /// No memory or descriptors are left.
    pub fn new(fd: OwnedFd, known: Known) -> io::Result<Self> {
        let at = made(|reactor| {
            let key = reactor.take_place(known);
            match reactor.shared.poller.add_edges(&fd, key.token(), true) {
                Ok(()) => Ok(Registered { thread: reactor.thread, key }),
                Err(e) => {
                    reactor.leave(key);
                    Err(e)
                }
            }
        })??;
        Ok(Self { fd, at })
    }

    /// Would a call not wait, as far as is known? Of a socket of another thread's nothing is known, so it is worth a try.
    #[must_use]
    pub fn is_ready(&self, way: Way) -> bool {
        with(self, |entry| entry.half(way).ready).unwrap_or(true)
    }

    /// A call has found that there is no more: from now on this has to be told.
    pub fn drained(&self, way: Way) {
        with(self, |entry| {
            let half = entry.half(way);
            half.ready = half.over;
        });
    }

    /// Ready when a call would not wait. Who has done much in this step is told to come again instead.
    pub fn poll_ready(&self, cx: &mut Context<'_>, way: Way) -> Poll<()> {
        if executor::proceed(cx).is_pending() {
            return Poll::Pending;
        }
        let ready = with(self, |entry| {
            let half = entry.half(way);
            if !half.ready {
                match &mut half.waits {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => half.waits = Some(cx.waker().clone()),
                }
            }
            half.ready
        });
        match ready {
            Some(false) => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    /// Out of the poller.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        let Self { fd, at } = self;
        if let Some(shared) = THREADS.read().get(at.thread as usize) {
            shared.poller.remove(&fd);
        }
        fd
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let here = REACTOR.try_with(|reactor| {
            let mut reactor = reactor.try_borrow_mut().ok()?;
            let reactor = reactor.as_mut().filter(|reactor| reactor.thread == self.thread)?;
            reactor.leave(self.key);
            Some(())
        });
        if !matches!(here, Ok(Some(())))
            && let Some(shared) = THREADS.read().get(self.thread as usize)
        {
            shared.left.put(self.key);
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    const NOTHING: Known = Known { readable: false, writable: false };

    fn pair() -> (Socket, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Socket::new(ours.into(), NOTHING).unwrap(), theirs)
    }

    fn is_waiting(socket: &Socket, way: Way, woken: &Arc<Woken>) -> bool {
        socket.poll_ready(&mut Context::from_waker(&woken.clone().into()), way).is_pending()
    }

    fn received(socket: &Socket) -> usize {
        let mut bytes = [0; 8];
        let fd = socket.as_fd().try_clone_to_owned().unwrap();
        UnixStream::from(fd).read(&mut bytes).unwrap()
    }

    #[test]
    fn who_waits_is_woken_once_for_what_he_waits_for() {
        let (ours, mut theirs) = pair();
        let woken = Arc::<Woken>::default();
        assert!(is_waiting(&ours, Way::Read, &woken));
        // There is room, and nobody asked for it.
        assert!(!look(), "that was all");
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        assert!(!is_waiting(&ours, Way::Write, &woken));
        theirs.write_all(b"x").unwrap();
        look();
        look();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert!(ours.is_ready(Way::Read));
        ours.drained(Way::Read);
        assert!(is_waiting(&ours, Way::Read, &woken));
    }

    #[test]
    fn whoever_looks_learns_that_there_may_be_more() {
        let pairs: Vec<_> = (0..=Poller::AT_A_TIME).map(|_| pair()).collect();
        assert!(look() && !look());
        assert!(pairs.iter().all(|(ours, _)| ours.is_ready(Way::Write)));
    }

    #[test]
    fn an_end_that_has_been_told_stays_told() {
        let (ours, mut theirs) = pair();
        theirs.write_all(b"last").unwrap();
        drop(theirs);
        look();
        // One event told of both.
        assert_eq!(received(&ours), 4);
        ours.drained(Way::Read);
        assert!(ours.is_ready(Way::Read));
        assert_eq!(received(&ours), 0);
    }

    #[test]
    fn a_place_is_free_when_its_socket_is_gone_wherever_it_goes() {
        let place = |socket: &Socket| socket.at.key;
        let (first, _theirs) = pair();
        let before = place(&first);
        drop(first);
        let (second, mut theirs) = pair();
        assert_eq!(place(&second).place, before.place);
        assert_ne!(place(&second), before);
        // A copy of its descriptor, as a child has that starts a program, keeps it in the poller.
        let copy = second.as_fd().try_clone_to_owned().unwrap();
        drop(second);
        let (third, _others) = pair();
        look();
        theirs.write_all(b"for the one before").unwrap();
        look();
        assert!(third.is_ready(Way::Write) && !third.is_ready(Way::Read));
        drop(copy);
        let key = place(&third);
        std::thread::spawn(move || {
            // Nothing is known of it here.
            assert!(third.is_ready(Way::Read));
            drop(third);
        })
        .join()
        .unwrap();
        look();
        let (fourth, _theirs) = pair();
        assert_eq!(
            (place(&fourth).place, place(&fourth).generation),
            (key.place, key.generation.wrapping_add(1))
        );
        let fd = fourth.into_fd();
        assert!(Socket::new(fd, NOTHING).is_ok(), "the poller has let go of it");
    }
}
