//! The sections of a configuration.

/// A set of sections, one bit each.
pub type Sections = u32;

/// `global`
pub const GLOBAL: Sections = 1;
/// `defaults`
pub const DEFAULTS: Sections = 1 << 1;
/// `frontend`
pub const FRONTEND: Sections = 1 << 2;
/// `listen`
pub const LISTEN: Sections = 1 << 3;
/// `backend`
pub const BACKEND: Sections = 1 << 4;
/// `resolvers`
pub const RESOLVERS: Sections = 1 << 5;
/// `userlist`
pub const USERLIST: Sections = 1 << 6;
/// `peers`
pub const PEERS: Sections = 1 << 7;
/// `mailers`
pub const MAILERS: Sections = 1 << 8;
/// `cache`
pub const CACHE: Sections = 1 << 9;
/// `http-errors`
pub const HTTP_ERRORS: Sections = 1 << 10;
/// `ring`
pub const RING: Sections = 1 << 11;
/// `namespace_list`
pub const NAMESPACES: Sections = 1 << 12;
/// `log-forward`
pub const LOG_FORWARD: Sections = 1 << 13;
/// `log-profile`
pub const LOG_PROFILE: Sections = 1 << 14;
/// `fcgi-app`
pub const FCGI_APP: Sections = 1 << 15;
/// `program`
pub const PROGRAM: Sections = 1 << 16;
/// `crt-store`
pub const CRT_STORE: Sections = 1 << 17;
/// `acme`
pub const ACME: Sections = 1 << 18;
/// `traces`
pub const TRACES: Sections = 1 << 19;
/// `healthcheck`
pub const HEALTHCHECK: Sections = 1 << 20;

/// `defaults`, `frontend`, `listen` and `backend`.
pub const PROXIES: Sections = DEFAULTS | FRONTEND | LISTEN | BACKEND;
/// Where a client side is configured.
pub const CLIENT_SIDE: Sections = DEFAULTS | FRONTEND | LISTEN;
/// Where a server side is configured.
pub const SERVER_SIDE: Sections = DEFAULTS | LISTEN | BACKEND;

/// One kind of section.
#[derive(Clone, Copy, Debug)]
pub struct SectionKind {
    /// Its keyword.
    pub name: &'static str,
    /// Its bit.
    pub bit: Sections,
    /// Whether it has a name of its own.
    pub named: Naming,
    /// What is missed because it has no effect yet; empty: nothing.
    pub inert: &'static str,
}

/// Whether a section is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// No name.
    Never,
    /// A name or none.
    Maybe,
    /// Always a name.
    Always,
}

const fn kind(name: &'static str, bit: Sections, named: Naming, inert: &'static str) -> SectionKind {
    SectionKind { name, bit, named, inert }
}

/// Every section that HAProxy knows or knew.
pub const KINDS: &[SectionKind] = &[
    kind("global", GLOBAL, Naming::Never, ""),
    kind("defaults", DEFAULTS, Naming::Maybe, ""),
    kind("frontend", FRONTEND, Naming::Always, ""),
    kind("backend", BACKEND, Naming::Always, ""),
    kind("listen", LISTEN, Naming::Always, ""),
    kind("resolvers", RESOLVERS, Naming::Always, ""),
    kind("userlist", USERLIST, Naming::Always, ""),
    kind("peers", PEERS, Naming::Always, "stick tables are not shared with other nodes"),
    kind("mailers", MAILERS, Naming::Always, "no mail is sent when servers change state"),
    kind("cache", CACHE, Naming::Always, "responses are not cached"),
    kind("http-errors", HTTP_ERRORS, Naming::Always, ""),
    kind("ring", RING, Naming::Always, ""),
    kind("program", PROGRAM, Naming::Always, "the program is not started"),
    kind("log-forward", LOG_FORWARD, Naming::Always, ""),
    kind("log-profile", LOG_PROFILE, Naming::Always, ""),
    kind("fcgi-app", FCGI_APP, Naming::Always, "FastCGI applications cannot be reached"),
    kind("crt-store", CRT_STORE, Naming::Maybe, "certificates are not loaded"),
    kind("acme", ACME, Naming::Always, "certificates are not ordered"),
    kind("traces", TRACES, Naming::Never, "nothing is traced"),
    kind("healthcheck", HEALTHCHECK, Naming::Always, ""),
    kind("namespace_list", NAMESPACES, Naming::Never, ""),
];

/// The section of that name.
#[must_use]
pub fn kind_of(name: &str) -> Option<&'static SectionKind> {
    KINDS.iter().find(|kind| kind.name == name)
}

impl SectionKind {
    /// A `frontend`, `listen`, `backend` or `defaults`.
    #[must_use]
    pub fn is_proxy(&self) -> bool {
        self.bit & PROXIES != 0
    }
}
