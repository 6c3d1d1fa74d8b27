//! A word of a configuration line after quotes, escapes and variables were resolved.

use std::fmt;
use std::ops::{Deref, Range};

use crate::span::Span;

/// One word. It dereferences to its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    text: Box<str>,
    /// The bytes, where they are not UTF-8 (`\xHH` can make any byte).
    bytes: Option<Box<[u8]>>,
    /// Where it stands in the source, quotes included.
    pub span: Span,
    /// The source shows exactly `text`: no quote, escape or variable was involved.
    pub verbatim: bool,
}

impl Word {
    /// A word that stands in the source exactly as `text`.
    #[must_use]
    pub fn verbatim(text: &str, span: Span) -> Self {
        Self { text: text.into(), bytes: None, span, verbatim: true }
    }

    /// A word of any bytes that was written differently.
    #[must_use]
    pub fn resolved(bytes: &[u8], span: Span, verbatim: bool) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { text: text.into(), bytes: None, span, verbatim },
            Err(_) => Self {
                text: String::from_utf8_lossy(bytes).into(),
                bytes: Some(bytes.into()),
                span,
                verbatim: false,
            },
        }
    }

    /// The text. Bytes that are not UTF-8 show as U+FFFD; see [`Word::bytes`].
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The exact bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or(self.text.as_bytes())
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
        f.write_str(&self.text)
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

/// The span from the first to the last word; `fallback` if there is none.
#[must_use]
pub fn span_of(words: &[Word], fallback: Span) -> Span {
    match words {
        [] => fallback,
        [first, .., last] => first.span.to(last.span),
        [only] => only.span,
    }
}
