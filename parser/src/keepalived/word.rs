//! Words of a logical line.

use nom::branch::alt;
use nom::bytes::complete::{take_till, take_till1, take_while};
use nom::character::complete::char;
use nom::combinator::recognize;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use crate::span::Span;

/// A word and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Its text without quotes.
    pub text: String,
    /// Its place; the whole line where the line was written by a definition.
    pub span: Span,
}

impl std::ops::Deref for Word {
    type Target = str;
    fn deref(&self) -> &str {
        &self.text
    }
}

/// White space between words.
#[must_use]
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}' | '\n' | '\r' | '\u{b}')
}

fn quoted(input: &str) -> IResult<&str, &str> {
    delimited(char('"'), take_till(|c| c == '"'), char('"')).parse(input)
}

fn bare(input: &str) -> IResult<&str, &str> {
    take_till1(|c| is_space(c) || c == '"')(input)
}

/// Words and their offsets in the line.
pub(crate) type Placed<'a> = Vec<(&'a str, usize)>;

/// Plain words: separated by white space; `"..."` is one word and ends the word before it. `Err` carries the words so
/// far: a quote is not closed.
pub(crate) fn plain(line: &str) -> Result<Placed<'_>, Placed<'_>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = match take_while::<_, _, nom::error::Error<&str>>(is_space).parse(rest) {
            Ok((rest, _)) => rest,
            Err(_) => rest,
        };
        if rest.is_empty() {
            return Ok(words);
        }
        let Ok((next, word)) = alt((quoted, bare)).parse(rest) else { return Err(words) };
        words.push((word, offset(line, word)));
        rest = next;
    }
}

fn offset(line: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(line.as_ptr() as usize)
}

/// Why a line could not be split with quotes and escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuoteError {
    /// The quote is not closed.
    Unterminated(char),
    /// A backslash ends the line.
    TrailingBackslash,
}

fn hex_escape(input: &str) -> IResult<&str, char> {
    let (rest, digits) = preceded(char('x'), take_while(|c: char| c.is_ascii_hexdigit())).parse(input)?;
    if digits.is_empty() {
        return Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::HexDigit)));
    }
    // As a C `char` shifted left for every digit: the last two digits stay.
    let byte = digits
        .bytes()
        .fold(0u8, |value, digit| (value << 4) | char::from(digit).to_digit(16).unwrap_or(0) as u8);
    Ok((rest, char::from(byte)))
}

fn octal_escape(input: &str) -> IResult<&str, char> {
    let len = input.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
    if len == 0 {
        return Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::OctDigit)));
    }
    let byte = input.bytes().take(len).fold(0u8, |value, digit| (value << 3).wrapping_add(digit - b'0'));
    Ok((&input[len..], char::from(byte)))
}

fn control_escape(input: &str) -> IResult<&str, char> {
    let (rest, c) = preceded(char('c'), nom::character::complete::anychar).parse(input)?;
    Ok((rest, char::from(c as u8 & 0x1f)))
}

fn simple_escape(input: &str) -> IResult<&str, char> {
    let (rest, c) = nom::character::complete::anychar(input)?;
    let c = match c {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'E' => '\u{1b}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        other => other,
    };
    Ok((rest, c))
}

/// One escape after its backslash: `\xHH`, `\cX`, `\NNN`, the C letters, or the character itself.
fn escape(input: &str) -> IResult<&str, char> {
    alt((hex_escape, control_escape, octal_escape, simple_escape)).parse(input)
}

/// Words with quotes of both kinds and escapes, as commands are written.
///
/// # Errors
/// An open quote or a backslash at the end.
pub fn escaped(line: &str) -> Result<Vec<String>, QuoteError> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches(is_space);
        if rest.is_empty() {
            return Ok(words);
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(c) = rest.chars().next() {
            match (c, quote) {
                ('\\', _) => {
                    let Ok((next, c)) = escape(&rest[1..]) else { return Err(QuoteError::TrailingBackslash) };
                    word.push(c);
                    rest = next;
                    continue;
                }
                (c, Some(open)) if c == open => quote = None,
                (c, Some(_)) => word.push(c),
                ('"' | '\'', None) => quote = Some(c),
                (c, None) if is_space(c) => break,
                (c, None) => word.push(c),
            }
            rest = &rest[c.len_utf8()..];
        }
        if let Some(open) = quote {
            return Err(QuoteError::Unterminated(open));
        }
        words.push(word);
    }
}

/// `NAME` of a definition: a letter or `_`, then letters, digits and `_`.
pub(crate) fn definition_name(input: &str) -> IResult<&str, &str> {
    recognize((
        nom::character::complete::satisfy(|c| c.is_ascii_alphabetic() || c == '_'),
        take_while(|c: char| c.is_ascii_alphanumeric() || c == '_'),
    ))
    .parse(input)
}

/// Removes comments, the escapes of `#` and `!`, and white space at both ends; a trailing `\` stays.
///
/// Returns the text and whether a double quote was left open.
pub(crate) fn decomment(line: &str) -> (String, bool) {
    let line = line.trim_start_matches([' ', '\t']);
    let mut out = String::with_capacity(line.len());
    let mut quote = false;
    let mut skip = false;
    let mut continued = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if !skip => quote = !quote,
            '\\' => {
                let Some(&next) = chars.peek() else {
                    continued = true;
                    break;
                };
                chars.next();
                if !skip {
                    if quote || !matches!(next, '#' | '!') {
                        out.push('\\');
                    }
                    out.push(next);
                }
                continue;
            }
            '#' | '!' if !quote && !skip => skip = true,
            _ => {}
        }
        if !skip {
            out.push(c);
        }
    }
    out.truncate(out.trim_end_matches([' ', '\t']).len());
    if continued {
        out.push('\\');
    }
    (out, quote)
}
