//! Names followed while running: resolver state (pure) and its runner.
//!
//! One [`resolver::Resolver`] per `resolvers` section asks all its nameservers for every name that servers follow;
//! the first valid answer wins. [`assign`] gives the addresses of an answer to the servers, without moving a
//! server whose address is still among them. What an error means for a server depends on how long it
//! lasts ([`resolver::Resolver::hold_for`]).

pub mod assign;
pub mod resolver;
pub mod runner;
pub mod services;
pub mod wire;

#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// A records.
    V4,
    /// AAAA records.
    V6,
}

impl Family {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }

    /// The family of an address.
    #[must_use]
    pub fn of(addr: std::net::IpAddr) -> Self {
        if addr.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// What is asked about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Its addresses.
    Addresses(Family),
    /// Where its service is offered: SRV records (RFC 2782).
    Services,
}

/// A place where a service is offered: an SRV record, with the address of its target if that came along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Host name, in lower case, without the last dot.
    pub target: String,
    /// Port.
    pub port: u16,
    /// Weight, 0 to 65535.
    pub weight: u16,
    /// Address of the target, from the additional records.
    pub addr: Option<IpAddr>,
}

/// Why a name has no valid answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The name does not exist.
    Nx,
    /// The nameserver refuses to tell.
    Refused,
    /// Nobody answered.
    Timeout,
    /// Anything else: an answer without addresses, a failing or confused nameserver.
    Other,
}

impl Failure {
    /// What the log says about a server that loses its address for it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Nx => "DNS NX status",
            Self::Refused => "DNS refused status",
            Self::Timeout => "DNS timeout status",
            Self::Other => "unspecified DNS error",
        }
    }
}
