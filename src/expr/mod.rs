//! Sample fetches, converters, ACLs, log-format, rules as data. Pure.
//!
//! The engine lends a view of the session ([`Ctx`]) and gets back booleans ([`eval_cond`]), values ([`eval`]),
//! bytes ([`logformat::render`]) and verdicts ([`rules`]). Nothing here allocates on the way of an ordinary
//! request: samples borrow from the message, and what a converter has to build fits inline
//! ([`sample::Bytes`]).

pub mod chain;
pub mod cond;
pub mod connect_error;
pub mod conv;
mod crypt;
pub mod ctx;
pub mod fetch;
mod http_head;
pub mod logformat;
pub mod pattern;
pub mod rules;
pub mod sample;
pub mod uri;
pub mod vars;

pub use cond::{Decision, eval_cond};
pub use ctx::{Ctx, EditHead, Head, Live};
pub use fetch::Missing;
pub use rules::{Answer, AnswerBody, Effect, Session, Verdict};
pub(crate) use sample::ip_text;
pub use sample::{Bytes, Sample};
pub use vars::Vars;

use crate::ir::expr::Expr;

/// The value of an expression.
///
/// # Errors
/// If it has none (yet).
pub fn eval<'a>(expr: &'a Expr, ctx: &Ctx<'a>) -> Result<Sample<'a>, Missing> {
    let value = |ctx: &Ctx<'a>| conv::chain(&expr.convs, fetch::one(&expr.fetch, ctx)?, ctx);
    match value(ctx) {
        // A value that is asked for is made of what is there; only conditions wait.
        Err(Missing::NotYet) if !ctx.is_final => value(&Ctx { is_final: true, ..*ctx }),
        result => result,
    }
}

/// Compares without telling by its duration where the difference is.
pub(crate) fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}
