//! One line into words: quotes, escapes, comments, variables.
//!
//! The rules are those of HAProxy's manual, chapter 2.2 and 2.3: `"` is weak, `'` strong; a backslash escapes
//! space, `\`, `#`, quotes, `n`, `r`, `t`, `xHH`, and `$` inside weak quotes, and stands for itself before
//! anything else; variables are replaced only inside weak quotes.

use std::ops::Range;

use super::Word;
use crate::span::{FileId, Span};

/// The environment as the text sees it.
pub trait Variables {
    /// Value of a variable.
    fn get(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Variables for F {
    fn get(&self, name: &str) -> Option<String> {
        self(name)
    }
}

/// The words of one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Words in order.
    pub words: Vec<Word>,
    /// Variables that were not set, where they are named.
    pub unknown_variables: Vec<(Box<str>, Span)>,
    /// Bytes that variables brought in.
    pub brought: usize,
}

/// Why a line has no words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineError {
    /// A quote is not closed.
    UnmatchedQuote(Span),
    /// `${` is not closed.
    UnmatchedBrace(Span),
    /// A `$` not followed by a name.
    VariableName(Span),
    /// `\x` not followed by two hexadecimal digits.
    Hex(Span),
    /// `[` in a variable not followed by `*]`.
    Expansion(Span),
    /// Variables bring in more than a configuration line can need.
    TooLong(Span),
}

/// Splits one line (without its line end) that starts at `offset` of `file`.
///
/// # Errors
/// If quotes, braces or escapes are malformed; nothing of the line is returned then.
pub fn split(file: FileId, offset: usize, line: &[u8], vars: &dyn Variables) -> Result<Line, LineError> {
    let mut splitter =
        Splitter { file, offset, line, at: 0, word: None, weak: None, brought: 0, out: Line::default() };
    splitter.run(vars)?;
    Ok(Line { brought: splitter.brought, ..splitter.out })
}

/// A word under construction. While `verbatim` holds, `bytes` is empty and the source itself is the text.
struct Open {
    start: usize,
    verbatim: bool,
    bytes: Vec<u8>,
    /// Something makes it a word. An opened quote alone does not, a closed one does.
    counts: bool,
}

/// An open weak quote.
struct Weak {
    at: usize,
    /// Holds a `[*]` expansion: closing it makes no word by itself.
    expanded: bool,
}

struct Splitter<'a> {
    file: FileId,
    offset: usize,
    line: &'a [u8],
    at: usize,
    word: Option<Open>,
    weak: Option<Weak>,
    /// Bytes that variables brought in.
    brought: usize,
    out: Line,
}

/// Words of most lines.
const USUAL_WORDS: usize = 16;

/// Words after which nobody looks: twice what a line may have.
const MOST_WORDS: usize = 128;

/// Bytes that the variables of one line may bring in.
const MOST_BROUGHT: usize = 1 << 20;

/// Bytes that never mean anything but themselves; runs of them are taken at once.
fn is_plain(b: u8) -> bool {
    !matches!(b, b' ' | b'\t' | 0x0b | 0x0c | b'\r' | b'\n' | b'#' | b'"' | b'\'' | b'\\' | b'$')
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | 0x0b | 0x0c | b'\r' | b'\n')
}

impl Splitter<'_> {
    fn run(&mut self, vars: &dyn Variables) -> Result<(), LineError> {
        while let Some(b) = self.peek(0) {
            if self.out.words.len() > MOST_WORDS {
                return Ok(());
            }
            if is_plain(b) {
                let rest = &self.line[self.at..];
                let run = rest.iter().position(|b| !is_plain(*b)).unwrap_or(rest.len());
                self.take_source(run);
                continue;
            }
            match b {
                b'#' if self.weak.is_none() => break,
                b'"' => self.weak_quote(),
                b'\'' if self.weak.is_none() => self.strong()?,
                b'\\' => self.escape()?,
                b'$' if self.weak.is_some() => self.variable(vars)?,
                b if is_space(b) && self.weak.is_none() => {
                    self.close();
                    self.at += 1;
                }
                _ => self.take_source(1),
            }
        }
        if let Some(quote) = &self.weak {
            return Err(LineError::UnmatchedQuote(self.span(quote.at..quote.at + 1)));
        }
        self.close();
        Ok(())
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.line.get(self.at + ahead).copied()
    }

    fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.file, self.offset + range.start..self.offset + range.end)
    }

    fn open(&mut self) -> &mut Open {
        let start = self.at;
        self.word.get_or_insert_with(|| Open { start, verbatim: true, bytes: Vec::new(), counts: false })
    }

    /// Opens the word and gives up showing the source as it is.
    fn rewrite(&mut self) -> &mut Open {
        let (at, line) = (self.at, self.line);
        let word = self.open();
        if word.verbatim {
            word.verbatim = false;
            word.bytes.extend_from_slice(&line[word.start..at]);
        }
        word
    }

    /// Adds bytes that the source shows differently.
    fn push(&mut self, bytes: &[u8]) {
        let word = self.rewrite();
        word.counts = true;
        word.bytes.extend_from_slice(bytes);
    }

    /// Takes the next `n` bytes as they are.
    fn take_source(&mut self, n: usize) {
        let bytes = &self.line[self.at..self.at + n];
        let word = self.open();
        word.counts = true;
        if !word.verbatim {
            word.bytes.extend_from_slice(bytes);
        }
        self.at += n;
    }

    fn close(&mut self) {
        let Some(word) = self.word.take().filter(|word| word.counts) else { return };
        let span = self.span(word.start..self.at);
        let bytes = if word.verbatim { &self.line[word.start..self.at] } else { &word.bytes };
        if self.out.words.is_empty() {
            self.out.words.reserve(USUAL_WORDS);
        }
        self.out.words.push(Word::resolved(bytes, span, word.verbatim));
    }

    fn weak_quote(&mut self) {
        let closed = self.weak.take();
        let counts = closed.as_ref().is_some_and(|quote| !quote.expanded);
        if closed.is_none() {
            self.weak = Some(Weak { at: self.at, expanded: false });
        }
        self.rewrite().counts |= counts;
        self.at += 1;
    }

    fn strong(&mut self) -> Result<(), LineError> {
        let inside = &self.line[self.at + 1..];
        let Some(len) = inside.iter().position(|b| *b == b'\'') else {
            return Err(LineError::UnmatchedQuote(self.span(self.at..self.at + 1)));
        };
        self.push(&inside[..len]);
        self.at += len + 2;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), LineError> {
        let (byte, len) = match self.peek(1) {
            Some(b @ (b' ' | b'\\' | b'#' | b'\'' | b'"')) => (b, 2),
            Some(b'$') if self.weak.is_some() => (b'$', 2),
            Some(b't') => (b'\t', 2),
            Some(b'n') => (b'\n', 2),
            Some(b'r') => (b'\r', 2),
            Some(b'x') => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
                let (Some(high), Some(low)) = (digit(self.peek(2)), digit(self.peek(3))) else {
                    return Err(LineError::Hex(self.span(self.at..(self.at + 4).min(self.line.len()))));
                };
                (u8::try_from(high * 16 + low).unwrap_or(0), 4)
            }
            _ => {
                self.take_source(1);
                return Ok(());
            }
        };
        self.push(&[byte]);
        self.at += len;
        Ok(())
    }

    /// `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME[*]}`.
    fn variable(&mut self, vars: &dyn Variables) -> Result<(), LineError> {
        let dollar = self.at;
        let braced = self.peek(1) == Some(b'{');
        let name_at = dollar + 1 + usize::from(braced);
        let is_start = |b: &u8| b.is_ascii_alphabetic() || matches!(b, b'_' | b'.');
        if !self.line.get(name_at).is_some_and(is_start) {
            let end = (name_at + 1).min(self.line.len());
            return Err(LineError::VariableName(self.span(dollar..end)));
        }
        let is_name = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let len = 1 + self.line[name_at + 1..].iter().take_while(|b| is_name(b)).count();
        let name = String::from_utf8_lossy(&self.line[name_at..name_at + len]).into_owned();
        let mut value = vars.get(&name).map(String::into_bytes);
        let mut end = name_at + len;
        let mut expand = false;
        if braced {
            if self.line.get(end) == Some(&b'[') {
                if !self.line[end..].starts_with(b"[*]") {
                    return Err(LineError::Expansion(self.span(end..(end + 3).min(self.line.len()))));
                }
                expand = true;
                end += 3;
            }
            let brace = self.span(dollar..dollar + 2);
            let close = match self.line.get(end) {
                Some(b'}') => end,
                Some(b'-') => {
                    let default = &self.line[end + 1..];
                    let len = default.iter().position(|b| *b == b'}');
                    let len = len.ok_or(LineError::UnmatchedBrace(brace))?;
                    value = value.or_else(|| Some(default[..len].to_vec()));
                    end + 1 + len
                }
                _ => return Err(LineError::UnmatchedBrace(brace)),
            };
            end = close + 1;
        }
        if value.is_none() {
            self.out.unknown_variables.push((name.into(), self.span(name_at..name_at + len)));
        }
        let value = value.unwrap_or_default();
        self.brought += value.len();
        if self.brought > MOST_BROUGHT {
            return Err(LineError::TooLong(self.span(dollar..end)));
        }
        if expand {
            self.expand(&value, end);
        } else {
            self.push(&value);
            self.at = end;
        }
        Ok(())
    }

    /// `[*]`: the value's spaces separate words, and an empty value makes no word.
    fn expand(&mut self, value: &[u8], end: usize) {
        if let Some(quote) = &mut self.weak {
            quote.expanded = true;
        }
        let dollar = self.at;
        for (nth, part) in value.split(|b| is_space(*b)).enumerate() {
            if self.out.words.len() > MOST_WORDS {
                break;
            }
            if nth > 0 {
                self.at = end;
                self.close();
                self.at = dollar;
            }
            if !part.is_empty() {
                self.push(part);
            }
        }
        self.at = end;
    }
}
