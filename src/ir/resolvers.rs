//! `resolvers` sections.

use std::net::SocketAddr;
use std::time::Duration;

/// One `resolvers` section. Defaults are HAProxy's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolvers {
    /// Section name.
    pub name: String,
    /// It is there without being written (`default`).
    pub implied: bool,
    /// `nameserver NAME ADDR`, in order (`parse-resolv-conf` is expanded).
    pub nameservers: Vec<Nameserver>,
    /// `resolve_retries`, default 3.
    pub resolve_retries: u32,
    /// `timeout resolve`, default 1 s: time between two resolutions.
    pub timeout_resolve: Duration,
    /// `timeout retry`, default 1 s: time between two tries.
    pub timeout_retry: Duration,
    /// `hold valid`, default 10 s.
    pub hold_valid: Duration,
    /// `hold obsolete`, default 0.
    pub hold_obsolete: Duration,
    /// `hold nx`, default 30 s.
    pub hold_nx: Duration,
    /// `hold refused`, default 30 s.
    pub hold_refused: Duration,
    /// `hold timeout`, default 30 s.
    pub hold_timeout: Duration,
    /// `hold other`, default 30 s.
    pub hold_other: Duration,
    /// `accepted_payload_size`, default 512.
    pub accepted_payload_size: u16,
}

/// The families of addresses that are asked for and taken (`dns-accept-family`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Families {
    /// IPv4 and IPv6.
    #[default]
    Both,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
    /// IPv4, and IPv6 while the system has a way there (`auto`).
    Reachable,
}

/// One nameserver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nameserver {
    /// Its name in statistics.
    pub name: String,
    /// Its address.
    pub addr: SocketAddr,
    /// Ask over TCP (`tcp@`).
    pub tcp: bool,
}

impl Resolvers {
    /// A section with HAProxy's defaults.
    #[must_use]
    pub fn new(name: String) -> Self {
        let s = Duration::from_secs;
        Self {
            name,
            implied: false,
            nameservers: Vec::new(),
            resolve_retries: 3,
            timeout_resolve: s(1),
            timeout_retry: s(1),
            hold_valid: s(10),
            hold_obsolete: s(0),
            hold_nx: s(30),
            hold_refused: s(30),
            hold_timeout: s(30),
            hold_other: s(30),
            accepted_payload_size: 512,
        }
    }
}
