//! Resolved configuration: typed, immutable, no spelling left in it.
//!
//! `lower` fills it, everything else reads it. Names are resolved to ids, `defaults` are merged, units are
//! types (`Duration`, bytes as `u64`). What was not configured is `None` or HAProxy's documented default;
//! every field's documentation says which keyword it comes from.

pub mod balance;
pub mod bandwidth;
pub mod bind;
pub mod chain;
pub mod check;
pub mod cpus;
pub mod entries;
pub mod expr;
pub mod forwarded;
pub mod global;
pub mod log;
pub mod pattern;
pub mod proxy;
pub mod reference;
pub mod regex;
pub mod resolvers;
pub mod routing;
pub mod rules;
pub mod server;
pub mod stats_page;
pub mod table;
pub mod text;
pub mod timeouts;
pub mod userlist;
pub mod vrrp;

pub use bind::{Bind, BindAddr};
pub use check::{Check, CheckKind};
pub use global::{Global, Spellings, StatsSocket};
pub use log::{LogFormatKind, LogTarget};
pub use proxy::{Backend, Caps, Frontend, Mode, Proxy, StatsPage, Timeouts};
pub use resolvers::Resolvers;
pub use server::{Server, ServerAddr};
pub use userlist::Userlist;

use std::collections::BTreeMap;
use std::sync::Arc;

/// Index of a proxy in [`Config::proxies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProxyIdx(pub u32);

/// Where a thing was written, for messages at run time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// File name as given on the command line.
    pub file: Arc<str>,
    /// 1-based line.
    pub line: u32,
}

/// A whole `haproxy.cfg` (or several), resolved.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The `global` section.
    pub global: Global,
    /// Every `frontend`, `backend` and `listen`, in file order.
    pub proxies: Vec<Arc<Proxy>>,
    /// `resolvers` sections, in file order.
    pub resolvers: Vec<Resolvers>,
    /// `ring` sections, and those behind log targets that are streams.
    pub rings: Vec<log::RingConf>,
    /// `log-profile` sections.
    pub log_profiles: Vec<log::LogProfile>,
    /// `log-forward` sections.
    pub log_forwards: Vec<log::LogForward>,
    /// `userlist` sections.
    pub userlists: Vec<Userlist>,
    /// An expression looks at the request line as it was received.
    pub reads_request_line: bool,
    /// An expression looks at what `unique-id-format` makes.
    pub reads_unique_id: bool,
    /// `set-var` and `set-var-fmt` of the global section, in order.
    pub set_vars: Vec<global::GlobalVar>,
    /// Lists of patterns, which commands may change.
    pub references: reference::References,
    /// Proxies and servers that expressions name.
    pub named: server::Named,
    /// Named `defaults` sections, as `add backend` starts from them.
    pub bases: Vec<proxy::Base>,
    /// `namespace_list`: network namespaces that a PROXY header may name.
    pub namespaces: Vec<String>,
    /// `healthcheck` sections, by name.
    pub healthchecks: BTreeMap<String, check::Check>,
}

impl Config {
    /// The proxy at `idx`.
    #[must_use]
    pub fn proxy(&self, idx: ProxyIdx) -> &Proxy {
        &self.proxies[idx.0 as usize]
    }
}
