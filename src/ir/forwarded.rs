//! `option forwarded` and `option originalto`.

use super::expr::Expr;

/// `option originalto`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginalTo {
    /// `header`, default `X-Original-To`.
    pub header: String,
    /// `except`: destinations for which nothing is added.
    pub except: Vec<ipnet::IpNet>,
}

/// `option forwarded` (RFC 7239).
#[derive(Clone, Debug, Default)]
pub struct Forwarded {
    /// `proto`.
    pub proto: bool,
    /// `host`, `host-expr`.
    pub host: Option<ForwardedValue>,
    /// `by` and its port.
    pub by: ForwardedNode,
    /// `for` and its port.
    pub forr: ForwardedNode,
}

/// A node of `option forwarded`.
#[derive(Clone, Debug, Default)]
pub struct ForwardedNode {
    /// Its name; `None`: the parameter is not written.
    pub name: Option<ForwardedValue>,
    /// Its port.
    pub port: Option<ForwardedValue>,
}

/// Where a value of `option forwarded` comes from.
#[derive(Clone, Debug)]
pub enum ForwardedValue {
    /// The connection, or the request's Host.
    Own,
    /// An expression.
    Expr(Expr),
}
