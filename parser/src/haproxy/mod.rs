//! `haproxy.cfg`: sections, lines, keywords.
//!
//! [`parse`] reads text into a [`Tree`] whose arguments are typed as the keyword tables say, and reports
//! everything it sees in one pass. What keywords mean, and whether names exist, is not known here.

mod arguments;
mod condition;
mod environment;
mod grammar;
mod header_rules;
pub mod keywords;
mod lenient;
mod messages;
mod parse;
mod preprocess;
mod print;
pub mod section;
mod subject;
mod tree;

pub use condition::{Facts, evaluate};
pub use environment::Changed;
pub use grammar::{Arg, Effect, Keyword};
pub use keywords::{FACILITIES, LEVELS};
pub use parse::parse;
pub use print::print;
pub use section::{SectionKind, Sections};
pub use tree::{Condition, Modifier, Section, Statement, Tree, Value};

#[cfg(test)]
mod tests;
