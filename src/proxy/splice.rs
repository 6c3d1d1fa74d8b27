//! Long transfers between plain sockets: bytes go through a pipe and are not copied.
//!
//! Copying is most of what a large body costs. It pays only for many bytes at once: a pipe takes two descriptors, and
//! each move two system calls where a read and a write might have done for more. So a transfer begins with buffers,
//! and comes here when it is known to be long.

use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use super::stream::Stream;
use super::turn::{PIECE, Turns};
use crate::sys::pipe::Pipe;

/// Transfers with fewer bytes left stay with buffers.
pub(super) const WORTH_IT: u64 = 128 * 1024;

/// Where the end is not known: who sends so many bytes at once has more, and it goes through a pipe.
pub(super) const BULK: usize = 48 * 1024;

/// What comes through a pipe in pieces of this size is worth going on with.
pub(super) const STILL_BULK: usize = 16 * 1024;

/// Bytes that one pipe holds.
const SIZE: usize = 1024 * 1024;

/// So many pipes the process has at most, unless `maxpipes` says otherwise. Transfers beyond are copied.
static MOST: AtomicUsize = AtomicUsize::new(256);

/// So many of a thread's pipes are kept unused.
const KEPT: usize = 16;

static PIPES: AtomicUsize = AtomicUsize::new(0);
static UNUSED: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// What is told about splicing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pipes {
    /// So many may exist.
    pub most: usize,
    /// In use.
    pub used: usize,
    /// Kept for use.
    pub unused: usize,
    /// Bytes that were spliced to a receiver since the process began.
    pub bytes: u64,
}

impl Pipes {
    /// Of this process, now.
    #[must_use]
    pub fn now() -> Self {
        let unused = UNUSED.load(Relaxed);
        let used = PIPES.load(Relaxed).saturating_sub(unused);
        Self { most: MOST.load(Relaxed), used, unused, bytes: BYTES.load(Relaxed) }
    }
}

/// So many pipes may exist from now on: `nosplice`, `maxpipes`.
pub(super) fn limit(global: &crate::ir::global::Global) {
    if global.nosplice {
        MOST.store(0, Relaxed);
    } else if let Some(most) = global.maxpipes {
        MOST.store(most as usize, Relaxed);
    }
}

thread_local! {
    static FREE: RefCell<Vec<Counted>> = const { RefCell::new(Vec::new()) };
}

/// A pipe that counts among the process's.
#[derive(Debug)]
struct Counted(Pipe);

impl Drop for Counted {
    fn drop(&mut self) {
        PIPES.fetch_sub(1, Relaxed);
    }
}

fn take() -> Option<Counted> {
    if let Some(free) = FREE.with(|free| free.borrow_mut().pop()) {
        UNUSED.fetch_sub(1, Relaxed);
        return Some(free);
    }
    if PIPES.fetch_add(1, Relaxed) >= MOST.load(Relaxed) {
        PIPES.fetch_sub(1, Relaxed);
        return None;
    }
    match Pipe::new(SIZE) {
        Ok(pipe) => Some(Counted(pipe)),
        Err(_) => {
            PIPES.fetch_sub(1, Relaxed);
            None
        }
    }
}

/// One direction of a transfer, on its way through a pipe.
#[derive(Debug)]
pub(super) struct Splice {
    /// Present until the end.
    pipe: Option<Counted>,
    held: usize,
}

/// Which end of the transfer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The sender's.
    Read,
    /// The receiver's.
    Write,
}

impl Splice {
    /// A transfer, if there is a pipe for it.
    pub(super) fn begin() -> Option<Self> {
        Some(Self { pipe: Some(take()?), held: 0 })
    }

    /// Bytes that were read and not yet written.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Take up to `max` bytes from `from`, when all earlier ones have been written; 0 is the end.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        max: u64,
    ) -> Poll<Result<usize, Fault>> {
        let Some(pipe) = &self.pipe else { return Poll::Ready(Err(Fault::Read)) };
        let max = usize::try_from(max).unwrap_or(usize::MAX).min(SIZE);
        let n = ready!(from.poll_read_with(cx, |fd| pipe.0.fill(fd, max))).map_err(|_| Fault::Read)?;
        self.held += n;
        Poll::Ready(Ok(n))
    }

    /// Write what was taken, a piece at a time. The end of the connection follows the last of it where `ends` says so.
    pub(super) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut Stream,
        turns: &mut Turns,
        ends: bool,
    ) -> Poll<Result<usize, Fault>> {
        let Some(pipe) = &self.pipe else { return Poll::Ready(Err(Fault::Write)) };
        ready!(turns.poll(cx));
        let piece = self.held.min(PIECE);
        let is_last = ends && piece == self.held;
        let n = match ready!(to.poll_write_with(cx, |fd| pipe.0.drain(fd, piece, is_last))) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            other => other,
        };
        let n = n.map_err(|_: io::Error| Fault::Write)?;
        self.held -= n;
        turns.sent(n);
        BYTES.fetch_add(n as u64, Relaxed);
        Poll::Ready(Ok(n))
    }
}

impl Drop for Splice {
    fn drop(&mut self) {
        let Some(pipe) = self.pipe.take() else { return };
        // A pipe with bytes in it is of no use to others; without its thread it is closed, too.
        if self.held == 0 {
            let _ = FREE.try_with(|free| {
                let mut free = free.borrow_mut();
                if free.len() < KEPT {
                    UNUSED.fetch_add(1, Relaxed);
                    free.push(pipe);
                }
            });
        }
    }
}
