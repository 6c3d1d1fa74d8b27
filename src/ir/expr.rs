//! Sample expressions, conditions and log-format strings, resolved and typed.

/// `if`/`unless` over ACLs.
#[derive(Clone, Debug)]
pub struct Cond {}

/// A log-format string.
#[derive(Clone, Debug)]
pub struct LogFormat {}
