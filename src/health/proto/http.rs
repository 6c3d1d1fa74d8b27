//! `option httpchk`: one request and its answer.

use std::borrow::Cow;

use crate::expr::Head;
use crate::ir::check::{HttpRequest, Text};
use crate::ir::expr::LogFormat;

/// Most header lines of an answer.
const MAX_HEADERS: usize = 101;

/// Renders a format.
pub type Render<'r> = dyn Fn(&LogFormat) -> Vec<u8> + 'r;

/// The request as it goes out: header names in lower case, a length if there is a body, `connection: close` from
/// HTTP/1.1 on.
#[must_use]
pub fn request(request: &HttpRequest, state: Option<&str>, render: &Render<'_>) -> Vec<u8> {
    let text = |text: &Text| match text {
        Text::Plain(bytes) => bytes.clone(),
        Text::Format(format) => render(format),
    };
    let mut out = format!("{} ", request.method).into_bytes();
    out.extend(text(&request.uri));
    out.extend_from_slice(format!(" {}\r\n", request.version).as_bytes());
    let mut line = |name: &str, value: &[u8]| {
        out.extend_from_slice(name.to_ascii_lowercase().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    };
    let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
    let mut connection = None;
    for (name, format) in &request.headers {
        let value = render(format);
        if is(name, "connection") {
            connection = Some(value);
        } else if !value.is_empty() && !is(name, "content-length") && !is(name, "transfer-encoding") {
            line(name, &value);
        }
    }
    if let Some(state) = state {
        line("x-haproxy-server-state", state.as_bytes());
    }
    let body = text(&request.body);
    if !body.is_empty() {
        line("content-length", body.len().to_string().as_bytes());
    }
    let persistent = request.version.as_str() > "HTTP/1.0";
    if let Some(value) = connection.or_else(|| persistent.then(|| b"close".to_vec())) {
        line("connection", &value);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&body);
    out
}

/// An answer, as far as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'i> {
    /// Status code.
    pub status: u16,
    /// Reason phrase.
    pub reason: &'i str,
    /// Version.
    pub version: (u8, u8),
    /// Header lines.
    pub headers: Vec<(&'i str, &'i [u8])>,
    /// Body so far, chunks joined.
    pub body: Cow<'i, [u8]>,
    /// The whole body is there.
    pub complete: bool,
}

impl Head for Answer<'_> {
    fn method(&self) -> &[u8] {
        b""
    }

    fn uri(&self) -> &[u8] {
        b""
    }

    fn version(&self) -> (u8, u8) {
        self.version
    }

    fn status(&self) -> u16 {
        self.status
    }

    fn header_count(&self) -> usize {
        self.headers.len()
    }

    fn header(&self, index: usize) -> (&[u8], &[u8]) {
        self.headers.get(index).map_or((b"", b""), |(name, value)| (name.as_bytes(), value))
    }
}

/// What the bytes so far are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed<'i> {
    /// An answer, whose body may go on.
    Answer(Answer<'i>),
    /// Part of a head.
    Partial,
    /// Not HTTP.
    Invalid,
}

/// Parses an answer; `closed` tells that nothing follows, `bodiless` that the request was a `HEAD`.
#[must_use]
pub fn parse(input: &[u8], closed: bool, bodiless: bool) -> Parsed<'_> {
    let mut input = input;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        match response.parse(input) {
            // Interim answers announce the real one.
            Ok(httparse::Status::Complete(head)) if matches!(response.code, Some(100 | 102..=199)) => {
                input = &input[head..];
            }
            Ok(httparse::Status::Complete(head)) => {
                return final_answer(&response, &input[head..], closed, bodiless);
            }
            Ok(httparse::Status::Partial) => return Parsed::Partial,
            Err(_) => return Parsed::Invalid,
        }
    }
}

fn final_answer<'i>(
    response: &httparse::Response<'_, 'i>,
    rest: &'i [u8],
    closed: bool,
    bodiless: bool,
) -> Parsed<'i> {
    let status = response.code.unwrap_or(0);
    let value =
        |name: &str| response.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value);
    let chunked = value("transfer-encoding").is_some_and(|v| v.to_ascii_lowercase().ends_with(b"chunked"));
    let length = value("content-length")
        .and_then(|v| std::str::from_utf8(v).ok())
        .and_then(|v| v.trim().parse::<usize>().ok());
    let (body, complete) = if bodiless || matches!(status, 101 | 204 | 304) {
        (Cow::Borrowed(&[][..]), true)
    } else if chunked {
        match dechunk(rest) {
            Some((body, complete)) => (Cow::Owned(body), complete),
            None => return Parsed::Invalid,
        }
    } else {
        let end = length.unwrap_or(usize::MAX).min(rest.len());
        (Cow::Borrowed(&rest[..end]), length.is_some_and(|l| rest.len() >= l) || closed)
    };
    let reason = response.reason.unwrap_or_default();
    let headers = response.headers.iter();
    let headers = headers.map(|h| (h.name, h.value.trim_ascii())).collect();
    let version = (1, response.version.unwrap_or(0));
    Parsed::Answer(Answer { status, reason, version, headers, body, complete })
}

/// Joins chunks (RFC 9112 section 7.1): the bytes so far and whether the last chunk was seen.
fn dechunk(mut input: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut body = Vec::new();
    loop {
        match httparse::parse_chunk_size(input) {
            Ok(httparse::Status::Complete((_, 0))) => return Some((body, true)),
            Ok(httparse::Status::Complete((line, size))) => {
                let data = &input[line..];
                let size = usize::try_from(size).ok()?;
                let here = size.min(data.len());
                body.extend_from_slice(&data[..here]);
                match data.get(here..).and_then(|d| d.strip_prefix(b"\r\n")) {
                    Some(next) if here == size => input = next,
                    _ => return Some((body, false)),
                }
            }
            Ok(httparse::Status::Partial) => return Some((body, false)),
            Err(_) => return None,
        }
    }
}
