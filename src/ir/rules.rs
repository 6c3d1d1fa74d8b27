//! Rules as data.

use super::expr::Cond;

/// One `http-request`, `http-response` or `http-after-response` rule.
#[derive(Clone, Debug)]
pub struct HttpRule {
    /// Condition.
    pub cond: Option<Cond>,
}

/// One `tcp-request` or `tcp-response` rule.
#[derive(Clone, Debug)]
pub struct TcpRule {
    /// Condition.
    pub cond: Option<Cond>,
}
