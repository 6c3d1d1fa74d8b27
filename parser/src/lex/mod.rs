//! From bytes to lines of words.

mod line;
mod word;

pub use line::{Line, LineError, Variables, split};
pub use word::{Word, bytes_of, span_of, text_of};

#[cfg(test)]
mod tests;
