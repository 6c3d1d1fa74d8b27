//! Reads `haproxy.cfg` and `keepalived.conf` into syntax trees with spans and diagnostics.
//!
//! Pure: no I/O, no clock, no environment; what the text refers to (variables, included files) is asked
//! from the caller. Nothing here knows what a keyword does, only how it is written.

#![forbid(unsafe_code)]

#[cfg(test)]
mod at_hand;
pub mod diagnostic;
pub mod expr;
pub mod haproxy;
pub mod keepalived;
pub mod lex;
pub mod render;
pub mod span;
pub mod suggest;
pub mod value;

pub use diagnostic::{Diagnostic, Edit, Head, Reason, Severity};
pub use lex::Word;
pub use span::{FileId, Sources, Span};
