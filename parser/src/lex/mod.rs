//! From bytes to lines of words.

mod line;
mod word;

pub use line::{Line, LineError, Variables, split};
pub use word::{Word, span_of};

#[cfg(test)]
mod tests;
