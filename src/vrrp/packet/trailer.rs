//! The authentication trailer of keepalived 2.4 (`auth_hmac`): 28 bytes behind an advertisement, with a keyed digest and
//! a sequence number that is the time.
//!
//! | bytes | field |
//! |---|---|
//! | 0 | scheme, 1: HMAC-SHA256 cut to 128 bits |
//! | 1 | number of the key |
//! | 2..4 | zero |
//! | 4..12 | sequence: seconds since 1970, 1/65536 of a second, counter |
//! | 12..28 | digest |
//!
//! The digest covers a header of its own (family, version, virtual router, source address), the advertisement with
//! its checksum taken as zero, the trailer's first 12 bytes and 16 zero bytes. The checksum of the advertisement does
//! not cover the trailer over IPv4, and does over IPv6, where the kernel computes it.

use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Version;
use crate::ir::vrrp::{AuthHmac, HmacKey};
use crate::vrrp::reject::Reject;

/// Bytes of a trailer.
pub(super) const TRAILER: usize = 28;
const SHA256_CUT: u8 = 1;
const PREFIX: usize = 12;
const DIGEST: usize = TRAILER - PREFIX;
/// Where the checksum of an advertisement is.
const CHECKSUM: std::ops::Range<usize> = 6..8;
/// Senders whose last sequence is remembered on a multicast segment; routers of one virtual router that speak at the
/// same time are few.
const SENDERS: usize = 4;

/// What the digest binds an advertisement to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    pub(super) version: Version,
    pub(super) vrid: u8,
    pub(super) source: IpAddr,
}

impl Binding {
    fn header(self) -> [u8; 20] {
        let mut header = [0; 20];
        header[1] = self.version.number();
        header[2] = self.vrid;
        match self.source {
            IpAddr::V4(a) => {
                header[0] = 4;
                header[4..8].copy_from_slice(&a.octets());
            }
            IpAddr::V6(a) => {
                header[0] = 6;
                header[4..].copy_from_slice(&a.octets());
            }
        }
        header
    }
}

fn digest(key: &HmacKey, binding: Binding, advert: &[u8], prefix: &[u8]) -> [u8; DIGEST] {
    let mut digest = [0; DIGEST];
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key.secret) else { return digest };
    mac.update(&binding.header());
    mac.update(&advert[..CHECKSUM.start]);
    mac.update(&[0; 2]);
    mac.update(&advert[CHECKSUM.end..]);
    mac.update(prefix);
    mac.update(&[0; DIGEST]);
    digest.copy_from_slice(&mac.finalize().into_bytes()[..DIGEST]);
    digest
}

/// Appends the trailer to the advertisement that begins at `at`.
pub(super) fn sign(rule: &AuthHmac, binding: Binding, stamp: u64, at: usize, out: &mut Vec<u8>) {
    let Some(key) = rule.key(rule.active) else { return };
    let mut prefix = [0; PREFIX];
    prefix[..2].copy_from_slice(&[SHA256_CUT, rule.active]);
    prefix[4..].copy_from_slice(&stamp.to_be_bytes());
    let digest = digest(key, binding, &out[at..], &prefix);
    out.extend_from_slice(&prefix);
    out.extend_from_slice(&digest);
}

/// Checks a trailer; its sequence.
pub(super) fn verify(
    rule: &AuthHmac,
    binding: Binding,
    advert: &[u8],
    trailer: &[u8],
) -> Result<u64, Reject> {
    if trailer[0] != SHA256_CUT || trailer[2..4] != [0, 0] {
        return Err(Reject::TrailerMalformed);
    }
    let key = rule.key(trailer[1]).ok_or(Reject::TrailerKey(trailer[1]))?;
    let expected = digest(key, binding, advert, &trailer[..PREFIX]);
    // Constant time: the difference is accumulated, not returned at the first byte.
    let differs = trailer[PREFIX..].iter().zip(expected).fold(0, |acc, (a, b)| acc | (a ^ b));
    if differs != 0 {
        return Err(Reject::TrailerDigest);
    }
    Ok(trailer[4..PREFIX].iter().fold(0, |acc, byte| acc << 8 | u64::from(*byte)))
}

/// The sequence that is this time since 1970.
fn clock(wall: Duration) -> u64 {
    let fraction = (u64::from(wall.subsec_nanos()) << 16) / 1_000_000_000;
    (wall.as_secs() & 0xffff_ffff) << 32 | fraction << 16
}

/// Is `a` after `b`, on a circle (RFC 1982)?
fn after(a: u64, b: u64) -> bool {
    a != b && a.wrapping_sub(b) < 1 << 63
}

/// Seconds from the sequence's time to `wall`.
fn age(wall: Duration, stamp: u64) -> i64 {
    let now = wall.as_secs() & 0xffff_ffff;
    // Both are 32 bits wide: the difference is one on a circle, too.
    let difference = now.wrapping_sub(stamp >> 32) & 0xffff_ffff;
    let wide = i64::try_from(difference).unwrap_or(0);
    if wide >= 1 << 31 { wide - (1 << 32) } else { wide }
}

fn within(window: Duration, age: i64) -> bool {
    age.unsigned_abs() <= window.as_secs()
}

/// What a router remembers: the sequence it sent last and those it heard.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    sent: u64,
    /// Source and last sequence, most recently heard first.
    heard: Vec<(IpAddr, u64)>,
}

impl Memory {
    /// The sequence of the next advertisement: the time, or one more than the last where the clock stands still or went
    /// back. A clock that was set back by more than the window would have everything refused: then it counts anew.
    pub fn next(&mut self, rule: &AuthHmac, wall: Duration) -> u64 {
        let now = clock(wall);
        let ahead = -age(wall, self.sent);
        let stranded = rule.window.is_some_and(|window| ahead > 0 && !within(window, ahead));
        self.sent = if after(now, self.sent) || stranded { now } else { self.sent.wrapping_add(1) };
        self.sent
    }

    /// Takes the sequence of a packet whose digest was right.
    ///
    /// # Errors
    /// [`Reject::TrailerStale`] outside the window, [`Reject::TrailerReplay`] if it does not grow.
    pub fn accept(
        &mut self,
        rule: &AuthHmac,
        source: IpAddr,
        stamp: u64,
        wall: Duration,
    ) -> Result<(), Reject> {
        if let Some(window) = rule.window {
            let skew = age(wall, stamp);
            if !within(window, skew) {
                return Err(Reject::TrailerStale { skew, window: window.as_secs() });
            }
            // What the window refuses anyway needs no remembering, and would keep out a sender whose clock was set back.
            self.heard.retain(|(_, last)| within(window, age(wall, *last)));
        }
        let known = self.heard.iter().position(|(from, _)| *from == source);
        if known.is_some_and(|at| !after(stamp, self.heard[at].1)) {
            return Err(Reject::TrailerReplay);
        }
        if let Some(at) = known {
            self.heard.remove(at);
        }
        self.heard.truncate(SENDERS - 1);
        self.heard.insert(0, (source, stamp));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::vrrp::HmacMode;

    fn rule(window: Option<u64>) -> AuthHmac {
        AuthHmac {
            keys: vec![HmacKey { id: 1, secret: vec![7; 32] }],
            active: 1,
            mode: HmacMode::Enforce,
            window: window.map(Duration::from_secs),
        }
    }

    const NOW: Duration = Duration::from_millis(1_800_000_000_250);

    #[test]
    fn sequences_are_the_time_and_always_grow() {
        let mut memory = Memory::default();
        let timed = rule(Some(5));
        let first = memory.next(&timed, NOW);
        assert_eq!(first, 1_800_000_000 << 32 | 0x4000 << 16);
        assert_eq!(memory.next(&timed, NOW), first + 1, "the clock stood still");
        assert_eq!(memory.next(&timed, NOW - Duration::from_secs(3)), first + 2, "a little back");
        let back = NOW - Duration::from_secs(60);
        assert_eq!(memory.next(&timed, back), clock(back), "set back beyond the window");
        let mut memory = Memory::default();
        let growing = rule(None);
        let first = memory.next(&growing, NOW);
        assert_eq!(memory.next(&growing, back), first + 1, "without a window it only ever grows");
    }

    #[test]
    fn each_sequence_counts_once_and_not_for_long() {
        let from = |last: u8| IpAddr::from([10, 0, 0, last]);
        let (timed, growing) = (rule(Some(5)), rule(None));
        let at = |seconds: u64| clock(NOW + Duration::from_secs(seconds));
        let mut memory = Memory::default();
        assert_eq!(memory.accept(&timed, from(1), at(0), NOW), Ok(()));
        assert_eq!(memory.accept(&timed, from(1), at(0), NOW), Err(Reject::TrailerReplay));
        assert_eq!(memory.accept(&timed, from(2), at(0), NOW), Ok(()), "of another sender");
        let late = NOW + Duration::from_secs(6);
        assert_eq!(
            memory.accept(&timed, from(1), at(0), late),
            Err(Reject::TrailerStale { skew: 6, window: 5 })
        );
        assert_eq!(memory.accept(&timed, from(1), at(11), late), Ok(()), "a fast clock");
        assert_eq!(
            memory.accept(&timed, from(1), at(12), late),
            Err(Reject::TrailerStale { skew: -6, window: 5 })
        );
        assert_eq!(memory.accept(&growing, from(3), 5, NOW), Ok(()));
        assert_eq!(memory.accept(&growing, from(3), 4, NOW), Err(Reject::TrailerReplay));
        assert_eq!(memory.accept(&growing, from(3), 6, NOW), Ok(()));
        assert_eq!(memory.accept(&growing, from(4), u64::MAX, NOW), Ok(()));
        assert_eq!(memory.accept(&growing, from(4), 0, NOW), Ok(()), "around the circle");
    }
}
