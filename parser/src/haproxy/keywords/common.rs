//! Argument lists that several families share.

pub(super) use crate::haproxy::grammar::{Arg, Effect, Keyword, full, inert, moot, refused};
pub(super) use crate::haproxy::section::*;
pub(super) use crate::value::Unit;

/// A count without an upper limit of its own.
pub(super) const COUNT: Arg = Arg::Int("number", 0, i32::MAX as i64);
/// A milliseconds timer.
pub(super) const MS: Arg = Arg::Time(Unit::Ms);
/// A seconds timer.
pub(super) const SEC: Arg = Arg::Time(Unit::S);
/// Settings are in no section.
pub(super) const NONE: Sections = 0;
/// One file.
pub(super) const FILE: Arg = Arg::Word("file");
/// One name.
pub(super) const NAME: Arg = Arg::Word("name");
