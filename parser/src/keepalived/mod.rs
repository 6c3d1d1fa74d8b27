//! `keepalived.conf`: text to syntax tree.
//!
//! The language, from the outside in:
//!
//! - [`reader`]: physical lines become logical lines. Comments (`#`, `!`) go, `@id` conditions and `$NAME`
//!   definitions are applied, `~SEQ`/`~LST` repeat, `include` is asked from the caller, and every brace
//!   outside double quotes ends up at the start of a line of its own.
//! - [`word`]: a logical line becomes words, in the plain way (double quotes only) or, for scripts, with
//!   quotes of both kinds and escapes.
//! - [`keywords`]: one row per keyword. The language is keyword driven: whether a word opens a block, and of
//!   what kind, is known from its row alone.
//! - [`tree`]: statements. What the real program says about the text (unknown words, braces) is said here,
//!   with its wording; what a statement means is the business of `lower`.
//!
//! An unknown word does not open a block: its `{` is reported and ignored, the lines after it are read as part of
//! the block around it, and its `}` closes that block. That is how keepalived reads it, so a file means here what
//! it means there.

pub mod keywords;
pub mod reader;
pub mod report;
pub mod tree;
pub mod word;

mod defs;
mod include;
mod print;
mod seq;
#[cfg(test)]
mod tests;

pub use include::{IncludeKind, IncludeMatch, IncludedFile, Includes, MOST_EXPANDED, NoIncludes};
pub use keywords::{Effect, Keyword, Section, Shape};
pub use print::print;
pub use report::{Class, Report, Voice};
pub use tree::{Body, Statement, parse};
pub use word::Word;

/// What the text may refer to besides files.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--config-id`: which `@id` lines are kept. keepalived's default is the host name.
    pub config_id: Option<String>,
    /// Seed of `${_RANDOM}`.
    pub seed: u64,
    /// What every include must satisfy, until an `include_check` says otherwise.
    pub include_check: IncludeKind,
}
