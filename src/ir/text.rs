//! Bytes as text: patterns and their values are kept as they are written, and what is written need not be UTF-8.
//!
//! How it is told in a text is one thing with how words of a file are, so it comes from the parser.

pub use tandem_parser::lex::{bytes_of, text_of};
