//! Sample fetches, converters, ACLs, log-format, rules as data. Pure.
//!
//! The engine lends a view of the session ([`Ctx`]) and gets back booleans, bytes and verdicts ([`rules`]).
//! Nothing here allocates on the way of an ordinary request: samples borrow from the message, and what a
//! converter has to build fits inline ([`sample::Bytes`]).

pub mod ctx;
pub mod rules;
pub mod sample;
pub mod vars;

pub use ctx::{Ctx, EditHead, Head, Live};
pub use rules::{Answer, AnswerBody, Effect, Session, Verdict};
pub use sample::{Bytes, Sample};
pub use vars::Vars;
