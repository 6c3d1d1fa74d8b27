//! Heads out of bytes, resumable at every byte.

use super::head::{Head, Version};
use super::token::{LOWER, is_blank, is_token, is_uri, is_version};

/// Why a head is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Bad method, target or version, or none.
    StartLine,
    /// A header name that is empty or holds a forbidden character, or no colon.
    FieldName,
    /// A bare CR, or NUL, in a value.
    FieldValue,
    /// More headers than `tune.http.maxhdr` allows.
    TooManyFields,
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ParseError::StartLine => "malformed start line",
            ParseError::FieldName => "malformed header name",
            ParseError::FieldValue => "bare CR or NUL in a header",
            ParseError::TooManyFields => "too many headers",
        })
    }
}

impl std::error::Error for ParseError {}

/// Outcome of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The head ended after so many bytes of the input.
    Complete(usize),
    /// More bytes are needed.
    Incomplete,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Start,
    Fields,
}

/// Position inside a head that arrives in pieces. Each call gets all bytes since the message began; lines
/// already taken are not looked at again.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    stage: Stage,
    pos: usize,
    /// `accept-unsafe-violations-in-http-request` and `-response`.
    relaxed: bool,
}

/// A start line that was taken; where it ended.
enum StartLine {
    /// Headers follow.
    Headed(usize),
    /// It is the whole message (HTTP/0.9).
    Alone(usize),
}

/// The longest name of a header, bytes. HAProxy takes none that is longer.
pub(super) const MAX_NAME: usize = 255;

/// End of input inside a line: come back with more.
struct Short;

enum Fail {
    Short,
    Bad(ParseError),
}

impl From<Short> for Fail {
    fn from(_: Short) -> Self {
        Fail::Short
    }
}

impl From<ParseError> for Fail {
    fn from(e: ParseError) -> Self {
        Fail::Bad(e)
    }
}

impl Parser {
    /// At the start of a message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, taking a few malformed messages as they are meant: `#` and bytes above 127 in a request target, NUL in
    /// values, versions of any form and requests without one, statuses of more than three digits, odd characters in names,
    /// whose lines are left out.
    #[must_use]
    pub fn relaxed(relaxed: bool) -> Self {
        Self { relaxed, ..Self::default() }
    }

    /// Parse a request head. `max_fields` is `tune.http.maxhdr`: one more than the headers allowed. Lines that may go when
    /// the message is prepared are counted by whoever prepares it.
    ///
    /// # Errors
    /// The message can never become valid.
    pub fn request(
        &mut self,
        input: &[u8],
        head: &mut Head,
        max_fields: usize,
    ) -> Result<Progress, ParseError> {
        let line = if self.relaxed { relaxed_request_line } else { strict_request_line };
        finish(self.run(input, head, max_fields, line))
    }

    /// Parse a response head.
    ///
    /// # Errors
    /// The message can never become valid.
    pub fn response(
        &mut self,
        input: &[u8],
        head: &mut Head,
        max_fields: usize,
    ) -> Result<Progress, ParseError> {
        let line = if self.relaxed { relaxed_status_line } else { strict_status_line };
        finish(self.run(input, head, max_fields, line))
    }

    fn run(
        &mut self,
        input: &[u8],
        head: &mut Head,
        max_fields: usize,
        start_line: fn(&[u8], usize, &mut Head) -> Result<StartLine, Fail>,
    ) -> Result<usize, Fail> {
        if self.stage == Stage::Start {
            // Empty lines before a message are skipped (RFC 9112 section 2.2).
            loop {
                match input.get(self.pos) {
                    Some(b'\r') => match input.get(self.pos + 1) {
                        Some(b'\n') => self.pos += 2,
                        Some(_) => return Err(ParseError::StartLine.into()),
                        None => return Err(Short.into()),
                    },
                    Some(b'\n') => self.pos += 1,
                    Some(_) => break,
                    None => return Err(Short.into()),
                }
            }
            head.clear();
            match start_line(input, self.pos, head)? {
                StartLine::Headed(next) => self.pos = next,
                StartLine::Alone(end) => return Ok(end),
            }
            self.stage = Stage::Fields;
        }
        loop {
            match input.get(self.pos) {
                Some(b'\r') => {
                    return match input.get(self.pos + 1) {
                        Some(b'\n') => Ok(self.pos + 2),
                        Some(_) => Err(ParseError::FieldName.into()),
                        None => Err(Short.into()),
                    };
                }
                Some(b'\n') => return Ok(self.pos + 1),
                Some(_) => {}
                None => return Err(Short.into()),
            }
            let before = head.fields.len();
            self.pos = match field(input, self.pos, head, self.relaxed) {
                // A name with odd characters: nobody is to see the line.
                Err(Fail::Bad(ParseError::FieldName)) if self.relaxed => {
                    let name = skip(input, self.pos, |c| !matches!(c, b':' | b'\n'))?;
                    if name == self.pos
                        || input[name] == b'\n'
                        || input[self.pos..name].iter().all(|c| is_token(*c))
                    {
                        return Err(ParseError::FieldName.into());
                    }
                    let end = odd_field(input, self.pos, name, head, true)?;
                    head.fields.truncate(before);
                    end
                }
                other => other?,
            };
            let all = head.fields.len();
            if all >= max_fields && (all >= 2 * max_fields || head.lasting() >= max_fields) {
                return Err(ParseError::TooManyFields.into());
            }
        }
    }
}

fn finish(result: Result<usize, Fail>) -> Result<Progress, ParseError> {
    match result {
        Ok(n) => Ok(Progress::Complete(n)),
        Err(Fail::Short) => Ok(Progress::Incomplete),
        Err(Fail::Bad(e)) => Err(e),
    }
}

/// Index of the first byte from `at` on that is not in the class.
fn skip(input: &[u8], at: usize, class: impl Fn(u8) -> bool) -> Result<usize, Short> {
    match input[at..].iter().position(|&c| !class(c)) {
        Some(n) => Ok(at + n),
        None => Err(Short),
    }
}

/// Blanks, at least one.
fn blanks(input: &[u8], at: usize) -> Result<usize, Fail> {
    let end = skip(input, at, is_blank)?;
    if end == at { Err(ParseError::StartLine.into()) } else { Ok(end) }
}

/// A version at `at`: `HTTP/d.d`, or any word of its letters if `relaxed`. Where it ended.
fn version(input: &[u8], at: usize, relaxed: bool, head: &mut Head) -> Result<usize, Fail> {
    // What nearly everybody speaks. Relaxed, more letters may follow.
    if !relaxed && input[at..].starts_with(b"HTTP/1.1") {
        head.version = Version::Http11;
        return Ok(at + 8);
    }
    const SHAPE: &[u8; 8] = b"HTTP/d.d";
    let end = if relaxed { skip(input, at, is_version)? } else { at + SHAPE.len() };
    let fits = |(want, c): (&u8, &u8)| if *want == b'd' { c.is_ascii_digit() } else { c == want };
    let word = &input[at..end.min(input.len())];
    let regular = SHAPE.iter().zip(word).all(fits);
    if !relaxed && !regular || word.is_empty() && end <= input.len() {
        return Err(ParseError::StartLine.into());
    }
    if end > input.len() {
        return Err(Short.into());
    }
    head.version = match word {
        [_, _, _, _, _, b'2'..=b'9', _, _] | [_, _, _, _, _, b'1', _, b'1'..=b'9'] if regular => {
            Version::Http11
        }
        _ => Version::Http10,
    };
    if word != head.version.as_bytes() {
        head.spelled = head.keep(word);
    }
    Ok(end)
}

/// CRLF or LF at `at`.
fn end_of_line(input: &[u8], at: usize) -> Result<usize, Fail> {
    match input.get(at) {
        Some(b'\n') => Ok(at + 1),
        Some(b'\r') => match input.get(at + 1) {
            Some(b'\n') => Ok(at + 2),
            Some(_) => Err(ParseError::StartLine.into()),
            None => Err(Short.into()),
        },
        Some(_) => Err(ParseError::StartLine.into()),
        None => Err(Short.into()),
    }
}

fn strict_request_line(input: &[u8], at: usize, head: &mut Head) -> Result<StartLine, Fail> {
    request_line(input, at, head, false)
}

fn relaxed_request_line(input: &[u8], at: usize, head: &mut Head) -> Result<StartLine, Fail> {
    request_line(input, at, head, true)
}

#[inline]
fn request_line(input: &[u8], at: usize, head: &mut Head, relaxed: bool) -> Result<StartLine, Fail> {
    let method_end = skip(input, at, is_token)?;
    if method_end == at {
        return Err(ParseError::StartLine.into());
    }
    let uri = blanks(input, method_end)?;
    let uri_end = skip(input, uri, |c| is_uri(c) || relaxed && (c == b'#' || c >= 0x80))?;
    if uri_end == uri {
        return Err(ParseError::StartLine.into());
    }
    let after = skip(input, uri_end, is_blank)?;
    let bare = relaxed && matches!(input[after], b'\r' | b'\n');
    if after == uri_end && !bare {
        return Err(ParseError::StartLine.into());
    }
    let line = if bare {
        // Only this method had no version yet (RFC 1945 section 5).
        if input[at..method_end] != *b"GET" {
            return Err(ParseError::StartLine.into());
        }
        head.version = Version::Http10;
        StartLine::Alone(end_of_line(input, after)?)
    } else {
        let end = version(input, after, relaxed, head)?;
        StartLine::Headed(end_of_line(input, end)?)
    };
    head.word = head.keep(&input[at..method_end]);
    head.target = head.keep(&input[uri..uri_end]);
    Ok(line)
}

fn strict_status_line(input: &[u8], at: usize, head: &mut Head) -> Result<StartLine, Fail> {
    status_line(input, at, head, false)
}

fn relaxed_status_line(input: &[u8], at: usize, head: &mut Head) -> Result<StartLine, Fail> {
    status_line(input, at, head, true)
}

#[inline]
fn status_line(input: &[u8], at: usize, head: &mut Head, relaxed: bool) -> Result<StartLine, Fail> {
    let end = version(input, at, relaxed, head)?;
    let digits = blanks(input, end)?;
    let digits_end = skip(input, digits, |c| c.is_ascii_digit())?;
    let code = &input[digits..digits_end];
    if code.is_empty() || code.len() > 3 && !relaxed {
        return Err(ParseError::StartLine.into());
    }
    let add = |n: u16, c: &u8| n.checked_mul(10)?.checked_add(u16::from(c - b'0'));
    let status = code.iter().try_fold(0, add).ok_or(ParseError::StartLine)?;
    let reason = skip(input, digits_end, is_blank)?;
    if reason == digits_end && !matches!(input[reason], b'\r' | b'\n') {
        return Err(ParseError::StartLine.into());
    }
    let Some(n) = memchr::memchr2(b'\r', b'\n', &input[reason..]) else { return Err(Short.into()) };
    let next = end_of_line(input, reason + n)?;
    head.response = true;
    head.status = status;
    head.target = head.keep(code);
    head.word = head.keep(&input[reason..reason + n]);
    Ok(StartLine::Headed(next))
}

/// One header line with its continuation lines.
fn field(input: &[u8], at: usize, head: &mut Head, relaxed: bool) -> Result<usize, Fail> {
    let line = &input[at..];
    let colon = name_len(line)?;
    if line[colon] != b':' || colon == 0 || colon > MAX_NAME {
        return Err(ParseError::FieldName.into());
    }
    // The usual line: one blank, a value that neither starts nor ends with one, CRLF, and no continuation. It is
    // kept as it stands.
    if let [b' ', value @ ..] = &line[colon + 1..]
        && let Some(len) = memchr::memchr3(b'\r', b'\n', 0, value)
        && len > 0
        && !is_blank(value[0])
        && !is_blank(value[len - 1])
        && let [b'\r', b'\n', next, ..] = &value[len..]
        && !is_blank(*next)
    {
        let whole = colon + 2 + len + 2;
        head.keep_line(&line[..whole], colon, len);
        return Ok(at + whole);
    }
    odd_field(input, at, at + colon, head, relaxed)
}

/// Length of the name at the beginning of `line`.
#[inline]
fn name_len(line: &[u8]) -> Result<usize, Short> {
    line.iter().position(|c| LOWER[*c as usize] == 0).ok_or(Short)
}

/// Any other line.
fn odd_field(input: &[u8], at: usize, colon: usize, head: &mut Head, relaxed: bool) -> Result<usize, Fail> {
    let mut start = skip(input, colon + 1, is_blank)?;
    let mut from = start;
    let mut folded = false;
    let (mut end, next) = loop {
        let Some(n) = memchr::memchr2(b'\r', b'\n', &input[from..]) else { return Err(Short.into()) };
        let eol = from + n;
        let next = if input[eol] == b'\n' {
            eol + 1
        } else {
            match input.get(eol + 1) {
                Some(b'\n') => eol + 2,
                Some(_) => return Err(ParseError::FieldValue.into()),
                None => return Err(Short.into()),
            }
        };
        match input.get(next) {
            None => return Err(Short.into()),
            Some(b' ' | b'\t') => {
                folded = true;
                from = next;
            }
            Some(_) => break (eol, next),
        }
    };
    let is_space = |c: u8| matches!(c, b' ' | b'\t' | b'\r' | b'\n');
    while start < end && is_space(input[start]) {
        start += 1;
    }
    while end > start && is_space(input[end - 1]) {
        end -= 1;
    }
    if !relaxed && memchr::memchr(0, &input[start..end]).is_some() {
        return Err(ParseError::FieldValue.into());
    }
    let field = head.keep_field(&input[at..colon], &input[start..end]);
    if folded {
        // Line ends inside a value become blanks (RFC 9112 section 5.2).
        let value = field.value.at as usize..(field.value.at + field.value.len) as usize;
        for c in &mut head.buf[value] {
            if matches!(*c, b'\r' | b'\n') {
                *c = b' ';
            }
        }
    }
    head.fields.push(field);
    Ok(next)
}
