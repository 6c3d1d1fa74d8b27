//! Counters of a router, and the brake on log lines about bad packets.

use std::time::{Duration, Instant};

use super::super::reject::RejectCounter;

/// Counters, by keepalived's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Valid adverts received.
    pub advert_rcvd: u64,
    /// Adverts sent.
    pub advert_sent: u64,
    /// Times this router became master.
    pub become_master: u64,
    /// Times it stopped being master.
    pub release_master: u64,
    /// Wrong length.
    pub packet_len_err: u64,
    /// Wrong TTL or hop limit.
    pub ip_ttl_err: u64,
    /// Not an advertisement.
    pub invalid_type_rcvd: u64,
    /// Another interval.
    pub advert_interval_err: u64,
    /// Other addresses.
    pub addr_list_err: u64,
    /// Unknown authentication.
    pub invalid_authtype: u64,
    /// Other authentication.
    pub authtype_mismatch: u64,
    /// Failed authentication, replays included.
    pub auth_failure: u64,
    /// Priority 0 received.
    pub pri_zero_rcvd: u64,
    /// Priority 0 sent.
    pub pri_zero_sent: u64,
    /// Wrong version.
    pub version_err: u64,
    /// Wrong checksum.
    pub chk_err: u64,
    /// From our own address.
    pub own_addr_err: u64,
    /// Without a signature.
    pub auth_ext_missing: u64,
    /// With an unknown kind of signature.
    pub auth_ext_malformed: u64,
    /// Signed with an unknown key.
    pub auth_ext_unknown_key: u64,
    /// With a wrong signature.
    pub auth_ext_invalid_hmac: u64,
    /// Signed at another time.
    pub auth_ext_stale: u64,
    /// Signed, and heard before.
    pub auth_ext_replay: u64,
}

impl Stats {
    /// Counts rejected packets.
    pub(in crate::vrrp) fn count(&mut self, what: RejectCounter, times: u64) {
        let counter = match what {
            RejectCounter::Length => &mut self.packet_len_err,
            RejectCounter::Ttl => &mut self.ip_ttl_err,
            RejectCounter::Version => &mut self.version_err,
            RejectCounter::Type => &mut self.invalid_type_rcvd,
            RejectCounter::Interval => &mut self.advert_interval_err,
            RejectCounter::AddressList => &mut self.addr_list_err,
            RejectCounter::AuthType => &mut self.invalid_authtype,
            RejectCounter::AuthMismatch => &mut self.authtype_mismatch,
            RejectCounter::AuthFailure => &mut self.auth_failure,
            RejectCounter::Checksum => &mut self.chk_err,
            RejectCounter::Own => &mut self.own_addr_err,
            RejectCounter::TrailerMissing => &mut self.auth_ext_missing,
            RejectCounter::TrailerMalformed => &mut self.auth_ext_malformed,
            RejectCounter::TrailerKey => &mut self.auth_ext_unknown_key,
            RejectCounter::TrailerDigest => &mut self.auth_ext_invalid_hmac,
            RejectCounter::TrailerStale => &mut self.auth_ext_stale,
            RejectCounter::TrailerReplay => &mut self.auth_ext_replay,
        };
        *counter += times;
    }
}

/// How often the same kind of rejected packet is logged again.
const REJECT_LOG_PAUSE: Duration = Duration::from_secs(60);

/// Which kinds were logged, so that a flood of bad packets is one line a minute.
#[derive(Debug, Default)]
pub(super) struct RejectLog {
    /// Last line and unlogged repeats, per counter.
    seen: Vec<(RejectCounter, Instant, u64)>,
}

impl RejectLog {
    /// `Some(repeats)` if a line is due.
    pub(super) fn due(&mut self, kind: RejectCounter, now: Instant) -> Option<u64> {
        let Some(entry) = self.seen.iter_mut().find(|e| e.0 == kind) else {
            self.seen.push((kind, now, 0));
            return Some(0);
        };
        if now.saturating_duration_since(entry.1) < REJECT_LOG_PAUSE {
            entry.2 += 1;
            return None;
        }
        entry.1 = now;
        Some(std::mem::take(&mut entry.2))
    }
}
