//! What leads a request to a backend and to a server there: rules, cookies.

use std::time::Duration;

use super::expr::{Cond, LogFormat};
use super::{Place, ProxyIdx};

/// How a persistence cookie is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieMode {
    /// Only looked at; the server sets it.
    Passive,
    /// `insert`.
    Insert,
    /// `rewrite`.
    Rewrite,
    /// `prefix`.
    Prefix,
}

/// `cookie` of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Name.
    pub name: String,
    /// Mode.
    pub mode: CookieMode,
    /// `indirect`.
    pub indirect: bool,
    /// `nocache`.
    pub nocache: bool,
    /// `postonly`.
    pub postonly: bool,
    /// `preserve`.
    pub preserve: bool,
    /// `httponly`.
    pub httponly: bool,
    /// `secure`.
    pub secure: bool,
    /// `domain`, in order.
    pub domains: Vec<String>,
    /// `maxidle`.
    pub maxidle: Option<Duration>,
    /// `maxlife`.
    pub maxlife: Option<Duration>,
    /// `attr`, in order.
    pub attrs: Vec<String>,
    /// `dynamic`: servers without a value get one that is computed from their addresses.
    pub dynamic: bool,
}

/// What a rule says of a client's bond to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersistRule {
    /// `force-persist`: it holds although the server is down.
    Force,
    /// `ignore-persist`: it counts for nothing.
    Ignore,
}

/// `use_backend`.
#[derive(Clone, Debug)]
pub struct UseBackend {
    /// Where to.
    pub target: UseBackendTarget,
    /// `if`/`unless`.
    pub cond: Option<Cond>,
    /// Where it was written.
    pub place: Place,
}

/// Target of `use_backend`.
#[derive(Clone, Debug)]
pub enum UseBackendTarget {
    /// A backend known at load.
    Static(ProxyIdx),
    /// A name computed per request.
    Dynamic(LogFormat),
}

/// `use-server`.
#[derive(Clone, Debug)]
pub struct UseServer {
    /// Server name; empty if it is computed.
    pub server: String,
    /// What computes the name per request.
    pub computed: Option<LogFormat>,
    /// Condition.
    pub cond: Option<Cond>,
}
