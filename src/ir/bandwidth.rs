//! `filter bwlim-in` and `filter bwlim-out`: limits that `set-bandwidth-limit` puts on a stream.

use std::time::Duration;

use super::expr::Dir;

/// A limit per stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BandwidthLimit {
    /// Name, which rules use.
    pub name: String,
    /// `Req`: data from clients (`bwlim-in`); `Res`: data from servers.
    pub dir: Dir,
    /// `default-limit`: bytes in a period.
    pub limit: u64,
    /// `default-period`.
    pub period: Duration,
    /// `min-size`: bytes that are waited for before any are sent; 0: none.
    pub min_size: u64,
}
