//! `fetch(args),converter(args),...`

use std::fmt;
use std::ops::Range;

use nom::bytes::complete::take_while1;
use nom::{IResult, Parser as _};

use super::{Fault, ShapeError};

/// One argument, after its own quotes and escapes were resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arg {
    /// Its text.
    pub text: String,
    /// Where it stands, quotes included.
    pub at: Range<usize>,
}

/// A fetch or a converter with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Name.
    pub name: String,
    /// Arguments; `()` and nothing at all are both empty.
    pub args: Vec<Arg>,
    /// Parentheses were written.
    pub parenthesised: bool,
    /// Where the name stands.
    pub at: Range<usize>,
}

/// A sample expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The fetch.
    pub fetch: Call,
    /// The converters, in order.
    pub convs: Vec<Call>,
}

/// May `c` stand in the name of a fetch or converter?
#[must_use]
pub fn is_id_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+')
}

/// Reads all of `text` as an expression.
///
/// # Errors
/// If it has no name, an argument list is not closed, or something else follows.
pub fn sample(text: &str) -> Result<Sample, ShapeError> {
    let (sample, end) = sample_prefix(text)?;
    if end == text.len() {
        return Ok(sample);
    }
    let last = sample.convs.last().unwrap_or(&sample.fetch);
    Err(ShapeError::new(Fault::MissingComma(last.name.clone()), end..text.len()))
}

/// Reads an expression from the start of `text`, up to the first character that cannot belong to it, and
/// says where that is. Stray commas are skipped, as HAProxy does.
///
/// # Errors
/// As [`sample`], but for what follows.
pub fn sample_prefix(text: &str) -> Result<(Sample, usize), ShapeError> {
    let mut pos = 0;
    let Some(fetch) = call(text, &mut pos)? else {
        return Err(ShapeError::new(Fault::MissingFetch, 0..text.len().min(1)));
    };
    let mut convs = Vec::new();
    while text[pos..].starts_with(',') {
        pos += text[pos..].len() - text[pos..].trim_start_matches(',').len();
        match call(text, &mut pos)? {
            Some(conv) => convs.push(conv),
            None => break,
        }
    }
    Ok((Sample { fetch, convs }, pos))
}

fn identifier(input: &str) -> IResult<&str, &str> {
    take_while1(is_id_char).parse(input)
}

fn call(text: &str, pos: &mut usize) -> Result<Option<Call>, ShapeError> {
    let Ok((rest, name)) = identifier(&text[*pos..]) else { return Ok(None) };
    let start = *pos;
    *pos = text.len() - rest.len();
    let mut call = Call { name: name.to_owned(), args: Vec::new(), parenthesised: false, at: start..*pos };
    if !rest.starts_with('(') {
        return Ok(Some(call));
    }
    let open = *pos;
    call.parenthesised = true;
    *pos += 1;
    loop {
        let arg = argument(text, pos)?;
        call.args.push(arg);
        match text.as_bytes().get(*pos) {
            Some(b',') => *pos += 1,
            Some(b')') => {
                *pos += 1;
                break;
            }
            _ => return Err(ShapeError::new(Fault::UnclosedParenthesis, open..text.len())),
        }
    }
    if matches!(call.args.as_slice(), [only] if only.at.is_empty()) {
        call.args.clear();
    }
    Ok(Some(call))
}

/// One argument up to its comma or parenthesis. Quotes protect both; a backslash protects itself, a blank and
/// quotes, makes `\r`, `\n` and `\t`, and stays as it is before anything else (regular expressions need it).
fn argument(text: &str, pos: &mut usize) -> Result<Arg, ShapeError> {
    let start = *pos;
    let mut out = String::new();
    let mut quote = None;
    let mut chars = text[start..].char_indices().peekable();
    while let Some((offset, c)) = chars.next() {
        let at = start + offset;
        match (c, quote) {
            ('"' | '\'', Some((open, _))) if open == c => quote = None,
            ('"' | '\'', None) => quote = Some((c, at)),
            ('\\', None | Some(('"', _))) => match chars.peek().map(|(_, next)| *next) {
                None => return Err(ShapeError::new(Fault::DanglingEscape, at..at + 1)),
                Some(next) => {
                    let escaped = match next {
                        '\\' | ' ' | '"' | '\'' => Some(next),
                        'r' => Some('\r'),
                        'n' => Some('\n'),
                        't' => Some('\t'),
                        _ => None,
                    };
                    out.push(escaped.unwrap_or('\\'));
                    if escaped.is_some() {
                        chars.next();
                    }
                }
            },
            (',' | ')', None) => {
                *pos = at;
                return Ok(Arg { text: out, at: start..at });
            }
            _ => out.push(c),
        }
    }
    *pos = text.len();
    match quote {
        Some((_, at)) => Err(ShapeError::new(Fault::UnclosedQuote, at..text.len())),
        None => Ok(Arg { text: out, at: start..text.len() }),
    }
}

impl fmt::Display for Arg {
    /// Writes it so that it reads back the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = !self.text.contains([',', ')', '"', '\'', '\\', '\r', '\n', '\t']);
        if plain {
            return f.write_str(&self.text);
        }
        // Double quotes allow every escape; single ones none, and so cannot hold themselves.
        f.write_str("\"")?;
        for c in self.text.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\r' => f.write_str("\\r")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.parenthesised {
            return Ok(());
        }
        f.write_str("(")?;
        for (i, arg) in self.args.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{arg}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fetch)?;
        self.convs.iter().try_for_each(|conv| write!(f, ",{conv}"))
    }
}
