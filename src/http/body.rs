//! Where a body ends (RFC 9112 section 6) and the chunked coding.

use std::sync::Arc;

use super::parse::MAX_NAME;
use super::token::{is_blank, is_token, trim};
use crate::ir::Spellings;

/// How a body is delimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    #[default]
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// A response that ends with its connection.
    UntilClose,
    /// Not HTTP any more: 101, or a successful CONNECT.
    Tunnel,
}

impl Body {
    /// Is there nothing to forward after the head?
    #[must_use]
    pub fn is_empty(self) -> bool {
        matches!(self, Body::None | Body::Length(0))
    }
}

/// A chunked body that breaks the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkError;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    SizeDigits,
    AfterSize,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    /// A whole line is there, unless the next one begins with a blank.
    TrailerEnd,
    EndLf,
    Done,
}

/// Decodes a chunked body and re-encodes it: chunks that came together become one, extensions are dropped, trailer names
/// become lower case, so that no two parsers down the line can disagree about what HAProxy's grammar let through.
#[derive(Clone, Debug, Default)]
pub struct ChunkDecoder {
    state: State,
    left: u64,
    /// The size of the chunk stands before its data already.
    announced: bool,
    digits: u8,
    /// Inside a quoted part of a chunk's extension, and behind a backslash in it.
    quoted: bool,
    escaped: bool,
    /// Trailer line under construction.
    line: Vec<u8>,
    trailer_bytes: usize,
    trailer_lines: usize,
    /// The last chunk and its trailers, which go out when they are complete.
    tail: Vec<u8>,
    /// Trailers end here.
    drops_trailers: bool,
    /// Spellings of their names.
    spellings: Option<Arc<Spellings>>,
}

/// All trailers of one message may take so many bytes: as many as a head.
const MAX_TRAILERS: usize = 15360;

/// So many trailers may a message have: as many as a head has headers.
const MAX_TRAILER_LINES: usize = 100;

/// So many hexadecimal digits may a size have: 2^52 bytes, which languages whose numbers are floats can still count.
const MAX_DIGITS: u8 = 13;

/// Sizes of fewer digits are read at once.
const SHORT: usize = 8;

impl ChunkDecoder {
    /// At the start of a body.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Pass no trailers on (`option http-drop-request-trailers` and `-response-`).
    pub fn drop_trailers(&mut self) {
        self.drops_trailers = true;
    }

    /// Names of trailers get these spellings (`h1-case-adjust`).
    pub fn respell_trailers(&mut self, spellings: Arc<Spellings>) {
        self.spellings = Some(spellings);
    }

    /// Was the last chunk with its trailers seen?
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Append the data of `input` to `data`, without framing. Returns bytes consumed; stops at the end of the body.
    ///
    /// # Errors
    /// The grammar is broken; what came before is in `data`.
    pub fn extract(&mut self, input: &[u8], data: &mut Vec<u8>) -> Result<usize, ChunkError> {
        let mut framing = Vec::new();
        let mut i = 0;
        while i < input.len() && self.state != State::Done {
            if self.state == State::Data {
                let n = (input.len() - i).min(usize::try_from(self.left).unwrap_or(usize::MAX));
                data.extend_from_slice(&input[i..i + n]);
                i += n;
                self.passed(n as u64, &mut framing);
            } else {
                i += self.framing(&input[i..])?;
            }
        }
        Ok(i)
    }

    /// Take from `input`, append re-encoded bytes to `out`: the data of all its chunks as one. Returns bytes consumed;
    /// stops at the end of the body. `data` counts body bytes without framing.
    ///
    /// # Errors
    /// The grammar is broken; what came before is in `out`.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>, data: &mut u64) -> Result<usize, ChunkError> {
        let mut chunk = None;
        let result = self.gather(input, out, data, &mut chunk);
        if let Some(chunk) = chunk {
            chunk.end(out);
        }
        if self.is_done() {
            out.append(&mut self.tail);
        }
        result
    }

    fn gather(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        data: &mut u64,
        chunk: &mut Option<Gathered>,
    ) -> Result<usize, ChunkError> {
        let mut i = 0;
        while i < input.len() && self.state != State::Done {
            if self.state != State::Data {
                i += self.framing(&input[i..])?;
                continue;
            }
            let rest = &input[i..];
            let n = rest.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            if !self.announced && chunk.is_none() {
                *chunk = Some(Gathered::begin(rest.len(), out));
            }
            out.extend_from_slice(&rest[..n]);
            *data += n as u64;
            i += n;
            self.passed(n as u64, out);
        }
        Ok(i)
    }

    /// Bytes of the current chunk that have not come yet.
    #[must_use]
    pub fn chunk_left(&self) -> u64 {
        if self.state == State::Data { self.left } else { 0 }
    }

    /// What is left of the chunk will be passed on by other means than [`ChunkDecoder::decode`]: append its size to
    /// `out`. Tell [`ChunkDecoder::passed`] of every byte.
    pub fn announce(&mut self, out: &mut Vec<u8>) {
        if !self.announced && self.chunk_left() > 0 {
            write_size(self.left, out);
            self.announced = true;
        }
    }

    /// Is the size of the current chunk out?
    #[must_use]
    pub fn is_announced(&self) -> bool {
        self.announced
    }

    /// So many bytes of the chunk's data were passed on. Appends what follows the last one.
    pub fn passed(&mut self, n: u64, out: &mut Vec<u8>) {
        self.left -= n;
        if self.left == 0 {
            self.state = State::DataCr;
            if std::mem::take(&mut self.announced) {
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Some of what is no data; returns the bytes it took. Between most chunks there is nothing but a size.
    fn framing(&mut self, rest: &[u8]) -> Result<usize, ChunkError> {
        let line = match self.state {
            State::Size => rest,
            State::DataCr => rest.strip_prefix(b"\r\n").unwrap_or_default(),
            _ => &[],
        };
        let mut size = 0;
        for (nth, &c) in line.iter().enumerate().take(SHORT) {
            if let Some(digit) = (c as char).to_digit(16) {
                size = size << 4 | u64::from(digit);
            } else if size > 0 && line[nth..].starts_with(b"\r\n") {
                (self.left, self.digits, self.state) = (size, 0, State::Data);
                return Ok(rest.len() - line.len() + nth + 2);
            } else {
                break;
            }
        }
        self.state = self.step(rest[0])?;
        Ok(1)
    }

    fn step(&mut self, c: u8) -> Result<State, ChunkError> {
        Ok(match self.state {
            State::Size | State::SizeDigits => match (c as char).to_digit(16) {
                Some(d) => {
                    // Leading zeroes do not count.
                    if self.left != 0 || d != 0 {
                        self.digits += 1;
                    }
                    if self.digits > MAX_DIGITS {
                        return Err(ChunkError);
                    }
                    self.left = self.left << 4 | u64::from(d);
                    State::SizeDigits
                }
                None if self.state == State::Size => return Err(ChunkError),
                None => self.after_size(c)?,
            },
            State::AfterSize => self.after_size(c)?,
            State::Extension => self.extension(c)?,
            State::SizeLf if c == b'\n' => self.size_end(),
            State::DataCr if c == b'\r' => State::DataLf,
            State::DataLf if c == b'\n' => {
                self.digits = 0;
                State::Size
            }
            State::TrailerStart => match c {
                b'\r' => State::EndLf,
                b'\n' => self.end(),
                _ => {
                    self.line.clear();
                    self.trailer(c, State::TrailerName)?
                }
            },
            State::TrailerName if c == b':' && self.line.is_empty() => return Err(ChunkError),
            State::TrailerName if c == b':' => self.trailer(c, State::TrailerValue)?,
            State::TrailerName => self.trailer(c, State::TrailerName)?,
            State::TrailerValue => match c {
                b'\r' => State::TrailerLf,
                b'\n' => State::TrailerEnd,
                0 => return Err(ChunkError),
                _ => self.trailer(c, State::TrailerValue)?,
            },
            State::TrailerLf if c == b'\n' => State::TrailerEnd,
            // The value goes on: the end of its line becomes blanks (RFC 9112 section 5.2).
            State::TrailerEnd if is_blank(c) => {
                self.trailer(b' ', State::TrailerValue)?;
                self.trailer(b' ', State::TrailerValue)?;
                self.trailer(b' ', State::TrailerValue)?
            }
            State::TrailerEnd => {
                self.state = self.trailer_end()?;
                self.step(c)?
            }
            State::EndLf if c == b'\n' => self.end(),
            _ => return Err(ChunkError),
        })
    }

    fn after_size(&mut self, c: u8) -> Result<State, ChunkError> {
        match c {
            b';' => Ok(State::Extension),
            b'\r' => Ok(State::SizeLf),
            _ if is_blank(c) => Ok(State::AfterSize),
            _ => Err(ChunkError),
        }
    }

    /// A byte of an extension, which ends at CR LF and nowhere else: somebody may take a line's end in quotes for data, a
    /// lone line feed for an end, and a backslash for whatever he likes.
    fn extension(&mut self, c: u8) -> Result<State, ChunkError> {
        match c {
            b'\r' if !self.quoted => return Ok(State::SizeLf),
            b'\t' => self.escaped = false,
            ..=0x1f | 0x7f => return Err(ChunkError),
            _ if self.escaped => self.escaped = false,
            b'\\' if self.quoted => self.escaped = true,
            b'\\' => return Err(ChunkError),
            b'"' => self.quoted = !self.quoted,
            _ => {}
        }
        Ok(State::Extension)
    }

    fn size_end(&mut self) -> State {
        if self.left > 0 {
            return State::Data;
        }
        self.tail.extend_from_slice(b"0\r\n");
        State::TrailerStart
    }

    fn end(&mut self) -> State {
        self.tail.extend_from_slice(b"\r\n");
        State::Done
    }

    /// One more byte of a trailer line. HAProxy lets any byte but CR and LF stand in a trailer's name; here it
    /// must be a token, because the receiver may take `content-length : 5` for something else.
    fn trailer(&mut self, c: u8, next: State) -> Result<State, ChunkError> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > MAX_TRAILERS {
            return Err(ChunkError);
        }
        if next == State::TrailerName {
            if !is_token(c) {
                return Err(ChunkError);
            }
            self.line.push(c.to_ascii_lowercase());
        } else {
            self.line.push(c);
        }
        Ok(next)
    }

    fn trailer_end(&mut self) -> Result<State, ChunkError> {
        self.trailer_lines += 1;
        if self.trailer_lines > MAX_TRAILER_LINES {
            return Err(ChunkError);
        }
        if self.drops_trailers {
            return Ok(State::TrailerStart);
        }
        let colon = self.line.iter().position(|&c| c == b':').unwrap_or(self.line.len());
        let (name, value) = self.line.split_at(colon);
        if name.len() > MAX_NAME {
            return Err(ChunkError);
        }
        let spelling = self.spellings.as_ref().and_then(|all| all.get(name));
        self.tail.extend_from_slice(spelling.map_or(name, |spelling| spelling));
        self.tail.extend_from_slice(b": ");
        self.tail.extend_from_slice(trim(value.get(1..).unwrap_or(b"")));
        self.tail.extend_from_slice(b"\r\n");
        Ok(State::TrailerStart)
    }
}

/// A chunk that is being made of others. Its size is known when they are all there, and stands before them.
#[derive(Debug)]
struct Gathered {
    /// Where the line of its size begins, and how long the line may be.
    at: usize,
    room: usize,
}

impl Gathered {
    /// A chunk at the end of `out`, of at most so many bytes.
    fn begin(most: usize, out: &mut Vec<u8>) -> Self {
        let (at, room) = (out.len(), size_len(most as u64));
        out.resize(at + room, 0);
        Self { at, room }
    }

    /// What stands behind its size is all of it.
    fn end(self, out: &mut Vec<u8>) {
        let size = (out.len() - self.at - self.room) as u64;
        let len = size_len(size);
        // Seldom: most of the bytes are data, and the rest takes no further digit.
        if len < self.room {
            out.drain(self.at..self.at + self.room - len);
        }
        fill_size(size, &mut out[self.at..self.at + len]);
        out.extend_from_slice(b"\r\n");
    }
}

/// Append `n` in hexadecimal and CRLF.
pub fn write_size(n: u64, out: &mut Vec<u8>) {
    let at = out.len();
    out.resize(at + size_len(n), 0);
    fill_size(n, &mut out[at..]);
}

/// Bytes of the line that says a size.
fn size_len(n: u64) -> usize {
    (64 - n.leading_zeros()).div_ceil(4).max(1) as usize + 2
}

fn fill_size(n: u64, line: &mut [u8]) {
    let (digits, end) = line.split_at_mut(line.len() - 2);
    for (nth, digit) in digits.iter_mut().rev().enumerate() {
        *digit = b"0123456789ABCDEF"[(n >> (4 * nth)) as usize & 15];
    }
    end.copy_from_slice(b"\r\n");
}
