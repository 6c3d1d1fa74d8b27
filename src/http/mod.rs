//! HTTP/1 messages: model, codec, framing, cookies, default answers.
//!
//! Pure code: bytes in, bytes out. A head is parsed out of the receive buffer into a [`Head`] (one buffer, an
//! index of slices, edits appended behind), checked and normalised by [`request::prepare`] or
//! [`response::prepare`], edited by rules, and written by [`Head::write_to`]. Header names are kept in lower
//! case, which is how HAProxy forwards them (its `h1-case-adjust` would undo that on output).
//!
//! What is accepted and refused equals HAProxy 2.6 as observed on the wire; where Tandem is stricter the
//! function says so. The field's parser crate (httparse) refuses what HAProxy accepts (folded request
//! headers, control bytes in values, tabs between the words of the request line), therefore the heads are parsed here.

pub mod body;
pub mod cacheable;
pub mod case;
pub mod cookie;
pub mod error_page;
mod head;
pub mod mend;
mod parse;
pub mod request;
pub mod response;
mod target;
pub mod token;

pub use body::{Body, ChunkDecoder};
pub use head::{Head, Version};
pub use parse::{ParseError, Parser, Progress};

#[cfg(test)]
mod tests;
