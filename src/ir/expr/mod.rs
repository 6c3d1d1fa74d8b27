//! Sample expressions, conditions and log-format strings, resolved and typed.
//!
//! A sample expression is one fetch and any number of converters (manual, chapter 7). Every name is an
//! enum variant and every argument has its type, so evaluation never looks at text.

mod cond;
mod conv;
mod fetch;
mod logformat;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

pub use cond::{Acl, AclTest, Cond, Expr, Term};
pub use conv::*;
pub use fetch::*;
pub use logformat::{LfAlias, LfEncoding, LfItem, LfNode, LfOptions, LogFormat};

/// Type of a sample (manual, 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SampleType {
    /// Known only when it is evaluated (`var`).
    Any,
    /// Boolean.
    Bool,
    /// 64-bit signed integer.
    Int,
    /// IPv4 or IPv6.
    Addr,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// Text.
    Str,
    /// Bytes.
    Bin,
    /// HTTP method.
    Meth,
}

/// An owned sample: constants and variables.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// Boolean.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// IPv4.
    Ipv4(Ipv4Addr),
    /// IPv6.
    Ipv6(Ipv6Addr),
    /// Text.
    Str(Box<[u8]>),
    /// Bytes.
    Bin(Box<[u8]>),
    /// HTTP method.
    Meth(Box<[u8]>),
}

/// Scope of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The process.
    Proc,
    /// The client connection.
    Sess,
    /// The HTTP transaction.
    Txn,
    /// Request processing.
    Req,
    /// Response processing.
    Res,
    /// A health check.
    Check,
    /// Whatever the stream has that this one was made for (`psess`, `ptxn`, `preq`, `pres`). None is made for another.
    Parent,
}

/// A variable. Two with the same scope and name have the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VarName {
    /// Scope.
    pub scope: Scope,
    /// Hash of the name; see `expr::vars::id`.
    pub id: u64,
    /// Name without scope.
    pub name: Arc<str>,
}

/// Which message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dir {
    /// The request.
    Req,
    /// The response.
    Res,
}

/// Unit of `date` and the time converters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    /// `s`.
    #[default]
    Seconds,
    /// `ms`.
    Milliseconds,
    /// `us`.
    Microseconds,
}

impl From<IpAddr> for Value {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(a) => Self::Ipv4(a),
            IpAddr::V6(a) => Self::Ipv6(a),
        }
    }
}
