//! A page shared between the engine and the parent that survives it.
//!
//! The engine writes after every change of state and every authenticated packet; when it dies, the parent
//! reads which instances were master and with which sequence number their stop has to be announced.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How many instances fit; the ones beyond are only not cleaned up by the parent.
const SLOTS: usize = 1024;

/// One instance.
#[derive(Debug, Default)]
#[repr(C)]
struct Slot {
    /// Hash of the instance's name; 0: free.
    key: AtomicU64,
    /// 1 while master.
    master: AtomicU32,
    /// Last sequence number of the authentication header.
    sequence: AtomicU32,
}

/// The page. Children made by `fork` see the same one.
#[derive(Debug)]
pub struct Slots {
    base: NonNull<Slot>,
}

// SAFETY: all access goes through atomics.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

impl Slots {
    /// A fresh page.
    ///
    /// # Errors
    /// When the kernel has no memory for it.
    pub fn new() -> io::Result<Self> {
        // SAFETY: an anonymous mapping of our own; no address is given and no existing memory touched.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                SLOTS * size_of::<Slot>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(base.cast()).map(|base| Self { base }).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    fn slots(&self) -> &[Slot] {
        // SAFETY: the mapping has this length, lives as long as `self`, starts zeroed, which is a valid
        // `Slot`, and is only ever accessed as atomics.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), SLOTS) }
    }

    fn find(&self, name: &str, claim: bool) -> Option<&Slot> {
        let key = hash(name);
        let start = key as usize % SLOTS;
        let (before, after) = self.slots().split_at(start);
        for slot in after.iter().chain(before) {
            let seen = slot.key.load(Ordering::Relaxed);
            if seen == key {
                return Some(slot);
            }
            if seen == 0 {
                if claim {
                    slot.key.store(key, Ordering::Relaxed);
                    return Some(slot);
                }
                return None;
            }
        }
        None
    }

    /// Notes whether the instance is master.
    pub fn set_master(&self, name: &str, master: bool) {
        if let Some(slot) = self.find(name, true) {
            slot.master.store(u32::from(master), Ordering::Release);
        }
    }

    /// Notes the sequence number last sent.
    pub fn set_sequence(&self, name: &str, sequence: u32) {
        if let Some(slot) = self.find(name, true) {
            slot.sequence.store(sequence, Ordering::Release);
        }
    }

    /// Was the instance master, and what was its last sequence number?
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(bool, u32)> {
        let slot = self.find(name, false)?;
        Some((slot.master.load(Ordering::Acquire) == 1, slot.sequence.load(Ordering::Acquire)))
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this length and nobody can hold a reference into it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), SLOTS * size_of::<Slot>()) };
    }
}

/// FNV-1a; never 0.
fn hash(name: &str) -> u64 {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    hash.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_by_name() {
        let slots = Slots::new().unwrap();
        assert_eq!(slots.get("VI_1"), None);
        slots.set_master("VI_1", true);
        slots.set_sequence("VI_1", 7);
        slots.set_master("VI_2", false);
        assert_eq!(slots.get("VI_1"), Some((true, 7)));
        assert_eq!(slots.get("VI_2"), Some((false, 0)));
        for i in 0..2000 {
            slots.set_master(&format!("other {i}"), true);
        }
        assert_eq!(slots.get("VI_1"), Some((true, 7)), "a full table keeps what it has");
    }
}
