//! A word of a configuration line after quotes, escapes and variables were resolved.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, Range};

use compact_str::CompactString;

use crate::span::Span;

/// One word. It dereferences to its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Most words are short, and kept without memory of their own.
    text: CompactString,
    /// `text` has characters that stand for bytes (`\xHH` can make any byte).
    stands_for_bytes: bool,
    /// Where it stands in the source, quotes included.
    pub span: Span,
    /// The source shows exactly `text`: no quote, escape or variable was involved.
    pub verbatim: bool,
}

impl Word {
    /// A word that stands in the source exactly as `text`.
    #[must_use]
    pub fn verbatim(text: &str, span: Span) -> Self {
        Self { text: text.into(), stands_for_bytes: false, span, verbatim: true }
    }

    /// A word of any bytes that was written differently.
    #[must_use]
    pub fn resolved(bytes: &[u8], span: Span, verbatim: bool) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { text: text.into(), stands_for_bytes: false, span, verbatim },
            Err(_) => Self { text: text_of(bytes).into(), stands_for_bytes: true, span, verbatim: false },
        }
    }

    /// The text. Bytes that are not UTF-8 have characters of their own in it: [`bytes_of`] has them back.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The exact bytes.
    #[must_use]
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        if self.stands_for_bytes { bytes_of(&self.text) } else { Cow::Borrowed(self.text.as_bytes()) }
    }

    /// The span of a part of the text, if the source shows the text as it is; else the whole word.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Span {
        if self.verbatim { self.span.part(range) } else { self.span }
    }
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text
            .chars()
            .try_for_each(|c| write!(f, "{}", stood_for(c).map_or(c, |_| char::REPLACEMENT_CHARACTER)))
    }
}

impl PartialEq<str> for Word {
    fn eq(&self, other: &str) -> bool {
        &*self.text == other
    }
}

impl PartialEq<&str> for Word {
    fn eq(&self, other: &&str) -> bool {
        &*self.text == *other
    }
}

/// The first of the characters that stand for bytes that are no text, in a plane for private use.
const FIRST: u32 = 0x10_ff00;

/// Bytes as text. Those that are not UTF-8 have characters of their own.
#[must_use]
pub fn text_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|byte| char::from_u32(FIRST + u32::from(*byte))));
    }
    text
}

/// The bytes that a text was made from by [`text_of`].
#[must_use]
pub fn bytes_of(text: &str) -> Cow<'_, [u8]> {
    // Characters of that plane begin with this byte.
    if !text.as_bytes().contains(&0xf4) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match stood_for(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// The byte that a character stands for.
fn stood_for(c: char) -> Option<u8> {
    u32::from(c).checked_sub(FIRST).and_then(|byte| u8::try_from(byte).ok())
}

/// The span from the first to the last word; `fallback` if there is none.
#[must_use]
pub fn span_of(words: &[Word], fallback: Span) -> Span {
    match words {
        [] => fallback,
        [first, .., last] => first.span.to(last.span),
        [only] => only.span,
    }
}
