//! Log-format strings: text, `%alias`, `%{+Q}alias`, `%(name)alias`, `%[expression]`.

use std::fmt;
use std::ops::Range;

use super::sample::{Sample, sample_prefix};
use super::{Fault, ShapeError};

/// One `+X` or `-X` of a `%{...}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modifier {
    /// `+`.
    pub on: bool,
    /// Its name.
    pub name: String,
    /// Where it stands, sign included.
    pub at: Range<usize>,
}

/// A piece of a log-format string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Literal text, `%%` already made one.
    Text(String),
    /// `%alias`.
    Alias {
        /// Alias.
        alias: String,
        /// `%(name)`, with its type if one is given.
        name: Option<String>,
        /// Modifiers.
        modifiers: Vec<Modifier>,
        /// Where the alias stands.
        at: Range<usize>,
    },
    /// `%[expression]`.
    Expr {
        /// The expression; positions are of the whole string.
        sample: Sample,
        /// The expression as written.
        text: String,
        /// `%(name)`.
        name: Option<String>,
        /// Modifiers.
        modifiers: Vec<Modifier>,
        /// Where the expression stands.
        at: Range<usize>,
    },
}

/// A log-format string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFormat {
    /// Pieces in order.
    pub items: Vec<Item>,
}

/// Pieces that a string may have: what it makes fills any buffer long before.
const MOST_ITEMS: usize = 65_536;

/// Reads a log-format string.
///
/// # Errors
/// If a `%` starts nothing, an item is cut off, or there are too many.
pub fn log_format(text: &str) -> Result<LogFormat, ShapeError> {
    let mut reader = Reader { text, pos: 0, items: Vec::new(), literal: String::new() };
    while let Some(c) = reader.peek() {
        if reader.items.len() > MOST_ITEMS {
            return Err(ShapeError::new(Fault::TooManyItems(MOST_ITEMS), reader.pos..text.len()));
        }
        if c == '%' {
            reader.item()?;
        } else {
            reader.literal.push(c);
            reader.pos += c.len_utf8();
        }
    }
    reader.flush();
    Ok(LogFormat { items: reader.items })
}

struct Reader<'a> {
    text: &'a str,
    pos: usize,
    items: Vec<Item>,
    literal: String,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.pos..].chars().next()
    }

    fn flush(&mut self) {
        if !self.literal.is_empty() {
            self.items.push(Item::Text(std::mem::take(&mut self.literal)));
        }
    }

    fn truncated(&self, start: usize) -> ShapeError {
        ShapeError::new(Fault::Truncated(self.text[start..].to_owned()), start..self.text.len())
    }

    /// What follows a `%`.
    fn item(&mut self) -> Result<(), ShapeError> {
        let start = self.pos;
        self.pos += 1;
        let name = self.name(start)?;
        let modifiers = self.modifiers(start)?;
        let (named, modified) = (name.is_some(), modifiers.is_some());
        match self.peek() {
            Some('[') => {
                self.flush();
                self.expression(name, modifiers.unwrap_or_default())
            }
            Some(c) if c.is_ascii_alphabetic() || (modified && c.is_ascii_digit()) => {
                self.flush();
                let rest = &self.text[self.pos..];
                let len = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
                let at = self.pos..self.pos + len;
                self.pos = at.end;
                let alias = self.text[at.clone()].to_owned();
                self.items.push(Item::Alias { alias, name, modifiers: modifiers.unwrap_or_default(), at });
                Ok(())
            }
            _ if modified => {
                let inside = self.text[start..self.pos].trim_start_matches(|c| c != '{');
                let inside = inside.trim_matches(['{', '}']).to_owned();
                Err(ShapeError::new(Fault::ModifierWithoutItem(inside), start..self.pos))
            }
            None => Err(self.truncated(start)),
            Some('%') if !named => {
                self.literal.push('%');
                self.pos += 1;
                Ok(())
            }
            Some(c) if c.is_ascii_digit() || c == ' ' || c == '\t' => {
                Err(ShapeError::new(Fault::StrayPercent(c), start..self.pos + 1))
            }
            // HAProxy drops a percent sign before any other character.
            Some(_) => Ok(()),
        }
    }

    fn name(&mut self, start: usize) -> Result<Option<String>, ShapeError> {
        if self.peek() != Some('(') {
            return Ok(None);
        }
        let inside = self.pos + 1;
        for (offset, c) in self.text[inside..].char_indices() {
            match c {
                ')' => {
                    self.pos = inside + offset + 1;
                    return Ok(Some(self.text[inside..inside + offset].to_owned()));
                }
                c if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':') => {}
                c => {
                    let at = inside + offset;
                    return Err(ShapeError::new(Fault::BadItemName(c), at..at + c.len_utf8()));
                }
            }
        }
        Err(self.truncated(start))
    }

    fn modifiers(&mut self, start: usize) -> Result<Option<Vec<Modifier>>, ShapeError> {
        if self.peek() != Some('{') {
            return Ok(None);
        }
        let inside = self.pos + 1;
        let Some(len) = self.text[inside..].find('}') else {
            return Err(ShapeError::new(
                Fault::Truncated(self.text[inside..].to_owned()),
                start..self.text.len(),
            ));
        };
        self.pos = inside + len + 1;
        let mut out = Vec::new();
        let mut at = inside;
        for part in self.text[inside..inside + len].split(',') {
            let (on, name) = match part.split_at_checked(1) {
                Some(("+", name)) => (true, name),
                Some(("-", name)) => (false, name),
                // Without a sign HAProxy does nothing with it.
                _ => (true, ""),
            };
            if !name.is_empty() {
                out.push(Modifier { on, name: name.to_owned(), at: at..at + part.len() });
            }
            at += part.len() + 1;
        }
        Ok(Some(out))
    }

    fn expression(&mut self, name: Option<String>, modifiers: Vec<Modifier>) -> Result<(), ShapeError> {
        let start = self.pos + 1;
        let shift = |range: Range<usize>| range.start + start..range.end + start;
        let (mut sample, len) =
            sample_prefix(&self.text[start..]).map_err(|e| ShapeError { at: shift(e.at), ..e })?;
        for call in std::iter::once(&mut sample.fetch).chain(&mut sample.convs) {
            call.at = shift(call.at.clone());
            for arg in &mut call.args {
                arg.at = shift(arg.at.clone());
            }
        }
        let at = start..start + len;
        match self.text[at.end..].chars().next() {
            Some(']') => {
                self.pos = at.end + 1;
                let text = self.text[at.clone()].to_owned();
                self.items.push(Item::Expr { sample, text, name, modifiers, at });
                Ok(())
            }
            other => {
                let end = (at.end + 1).min(self.text.len());
                let text = self.text[at.clone()].to_owned();
                Err(ShapeError::new(Fault::UnclosedExpression(text, other), at.end..end))
            }
        }
    }
}

fn write_head(f: &mut fmt::Formatter<'_>, name: Option<&String>, modifiers: &[Modifier]) -> fmt::Result {
    f.write_str("%")?;
    if let Some(name) = name {
        write!(f, "({name})")?;
    }
    if modifiers.is_empty() {
        return Ok(());
    }
    f.write_str("{")?;
    for (i, m) in modifiers.iter().enumerate() {
        write!(f, "{}{}{}", if i > 0 { "," } else { "" }, if m.on { '+' } else { '-' }, m.name)?;
    }
    f.write_str("}")
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Text(text) => f.write_str(&text.replace('%', "%%")),
            Item::Alias { alias, name, modifiers, .. } => {
                write_head(f, name.as_ref(), modifiers)?;
                f.write_str(alias)
            }
            Item::Expr { sample, name, modifiers, .. } => {
                write_head(f, name.as_ref(), modifiers)?;
                write!(f, "[{sample}]")
            }
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items.iter().try_for_each(|item| write!(f, "{item}"))
    }
}
