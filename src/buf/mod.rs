//! Buffers and their pool.
//!
//! A connection owns a buffer only while bytes are in it. Buffers start at `tune.bufsize`, grow while a body
//! streams, and only buffers of the starting size go back to the pool.

use std::cell::RefCell;
use std::sync::Arc;

/// Bytes between a read and a write: filled at the end, emptied at the start.
#[derive(Debug, Default)]
pub struct Buf {
    data: Vec<u8>,
    start: usize,
    end: usize,
    /// Counts the large buffers of a pool, wherever they are dropped.
    counted: Option<Arc<()>>,
}

impl Buf {
    /// A buffer of `size` bytes.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self { data: vec![0; size], ..Self::default() }
    }

    /// Bytes waiting.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        &self.data[self.start..self.end]
    }

    /// Number of bytes waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Is nothing waiting?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Bytes it can hold in all.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.data.len()
    }

    /// Free space behind the bytes, after moving them to the front if that is where the space is.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.end == self.data.len() && self.start > 0 {
            self.data.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.data[self.end..]
    }

    /// Is there no space left?
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() == self.data.len()
    }

    /// `n` bytes of [`Self::space`] were filled.
    pub fn commit(&mut self, n: usize) {
        debug_assert!(self.end + n <= self.data.len());
        self.end += n;
    }

    /// `n` bytes of [`Self::filled`] are done with.
    pub fn consume(&mut self, n: usize) {
        debug_assert!(n <= self.len());
        self.start += n;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Copy bytes in, growing as needed.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.space().len() < bytes.len() {
            let want = (self.end + bytes.len()).next_power_of_two();
            self.data.resize(want, 0);
        }
        let end = self.end + bytes.len();
        self.data[self.end..end].copy_from_slice(bytes);
        self.end = end;
    }

    /// Put bytes in front of the others: in the space that was consumed if they fit there, else by moving.
    pub fn unshift(&mut self, bytes: &[u8]) {
        let n = bytes.len();
        if self.start < n {
            let len = self.len();
            if len + n > self.data.len() {
                self.data.resize((len + n).next_power_of_two(), 0);
            }
            let to = (self.data.len() - len).min(n);
            self.data.copy_within(self.start..self.end, to);
            self.start = to;
            self.end = to + len;
        }
        self.start -= n;
        self.data[self.start..self.start + n].copy_from_slice(bytes);
    }

    /// Do the bytes reach the end of the memory? Then the last read may have left some behind.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.end == self.data.len()
    }

    /// Forget the bytes.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }
}

/// Size of the buffers that streaming bodies get when they fill an ordinary one.
pub const LARGE: usize = 256 * 1024;

/// So many large buffers exist at most for one thread; streams beyond make do with ordinary ones, so that
/// slow readers cannot take all memory.
const LARGE_MAX: usize = 64;

/// So many large ones are kept unused.
const LARGE_KEPT: usize = 16;

/// Buffers kept for the next taker: of the ordinary size, and large ones. One per thread.
#[derive(Debug)]
pub struct Pool {
    free: RefCell<Vec<Buf>>,
    large: RefCell<Vec<Buf>>,
    larges: Arc<()>,
    size: usize,
    keep: usize,
}

impl Pool {
    /// Buffers of `size` bytes, of which at most `keep` lie unused.
    #[must_use]
    pub fn new(size: usize, keep: usize) -> Self {
        Self { free: RefCell::default(), large: RefCell::default(), larges: Arc::default(), size, keep }
    }

    /// An empty buffer.
    #[must_use]
    pub fn take(&self) -> Buf {
        self.free.borrow_mut().pop().unwrap_or_else(|| Buf::new(self.size))
    }

    /// Give one back; its bytes are forgotten.
    pub fn give(&self, mut buf: Buf) {
        if buf.counted.is_some() {
            let mut large = self.large.borrow_mut();
            if large.len() < LARGE_KEPT {
                buf.clear();
                large.push(buf);
            }
            return;
        }
        let mut free = self.free.borrow_mut();
        if buf.capacity() == self.size && free.len() < self.keep {
            buf.clear();
            free.push(buf);
        }
    }

    /// An empty large buffer, or an ordinary one when no more large ones may exist. For reads that may bring a lot:
    /// memory nobody wrote to costs nothing, and a second read would.
    #[must_use]
    pub fn take_large(&self) -> Buf {
        self.large().unwrap_or_else(|| self.take())
    }

    fn large(&self) -> Option<Buf> {
        if let Some(large) = self.large.borrow_mut().pop() {
            return Some(large);
        }
        (Arc::strong_count(&self.larges) <= LARGE_MAX)
            .then(|| Buf { counted: Some(self.larges.clone()), ..Buf::new(LARGE) })
    }

    /// Move the bytes of `buf` to a large buffer. False: it is one, or no more may exist.
    pub fn enlarge(&self, buf: &mut Buf) -> bool {
        if buf.capacity() >= LARGE {
            return false;
        }
        let Some(mut large) = self.large() else { return false };
        large.push(buf.filled());
        self.give(std::mem::replace(buf, large));
        true
    }

    /// Move the bytes of a large buffer to an ordinary one if they fit: they will lie there for a while.
    pub fn shrink(&self, buf: &mut Buf) {
        if buf.counted.is_some() && buf.len() <= self.size {
            let mut small = self.take();
            small.push(buf.filled());
            self.give(std::mem::replace(buf, small));
        }
    }

    /// Size of its buffers.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(b: &mut Buf, bytes: &[u8]) -> usize {
        let n = bytes.len().min(b.space().len());
        b.space()[..n].copy_from_slice(&bytes[..n]);
        b.commit(n);
        n
    }

    #[test]
    fn bytes_come_out_in_order_and_space_is_found_again() {
        let mut b = Buf::new(8);
        assert_eq!(fill(&mut b, b"abcdefgh"), 8);
        assert!(b.is_full());
        b.consume(5);
        assert_eq!(fill(&mut b, b"ijklmnop"), 5);
        assert_eq!(b.filled(), b"fghijklm");
        b.push(b"nopqrstu");
        assert_eq!(b.filled(), b"fghijklmnopqrstu");
        b.consume(3);
        b.unshift(b"FGH");
        b.unshift(b"0123456789012345678901234567890");
        assert_eq!(b.filled(), b"0123456789012345678901234567890FGHijklmnopqrstu");
    }

    #[test]
    fn only_buffers_of_its_size_return_to_a_pool() {
        let pool = Pool::new(4, 1);
        let mut grown = pool.take();
        fill(&mut grown, b"abc");
        assert!(pool.enlarge(&mut grown) && !pool.enlarge(&mut grown));
        assert_eq!((grown.filled(), grown.capacity()), (&b"abc"[..], LARGE));
        pool.give(grown);
        assert_eq!((pool.large.borrow().len(), Arc::strong_count(&pool.larges)), (1, 2));
        let mut odd = pool.take();
        odd.push(b"more than four");
        pool.give(odd);
        assert_eq!(pool.take().capacity(), 4);
        pool.give(Buf::new(4));
        pool.give(Buf::new(4));
        assert_eq!(pool.free.borrow().len(), 1);
    }
}
