//! `option httpchk`: one request and its answer.

use crate::health::script::{Step, Test, Want};
use crate::ir::check::{Expect, HttpCheck, Matcher};

/// Most header lines of an answer.
const MAX_HEADERS: usize = 101;

/// Send the request, expect what the rules say; without rules any 2xx or 3xx.
#[must_use]
pub fn steps(check: &HttpCheck, expects: &[Expect]) -> Vec<Step> {
    let mut steps = vec![Step::SendHttp(check.clone())];
    if expects.is_empty() {
        steps.push(Step::Expect(Want { test: Test::HttpStatus(vec![(200, 399)]), ..Want::default() }));
    }
    steps.extend(expects.iter().map(|expect| {
        let test = match &expect.matcher {
            Matcher::Status(ranges) => Test::HttpStatus(ranges.clone()),
            Matcher::StatusRegex(regex) => Test::HttpStatusRegex(regex.clone()),
            Matcher::Text(text) | Matcher::Binary(text) => Test::HttpBody(text.clone()),
            Matcher::Regex(regex) => Test::HttpBodyRegex(regex.clone()),
        };
        Step::Expect(Want { test, negate: expect.negate, ..Want::default() })
    }));
    steps
}

/// The request as it goes out: header names in lower case, a length if there is a body, `connection: close` from
/// HTTP/1.1 on.
#[must_use]
pub fn request(check: &HttpCheck, state: Option<&str>) -> Vec<u8> {
    let mut out = format!("{} {} {}\r\n", check.method, check.uri, check.version).into_bytes();
    let mut line = |name: &str, value: &str| {
        out.extend_from_slice(format!("{}: {value}\r\n", name.to_ascii_lowercase()).as_bytes());
    };
    let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
    let mut connection = None;
    for (name, value) in &check.headers {
        if is(name, "connection") {
            connection = Some(value.as_str());
        } else if !is(name, "content-length") && !is(name, "transfer-encoding") {
            line(name, value);
        }
    }
    if let Some(state) = state {
        line("x-haproxy-server-state", state);
    }
    if !check.body.is_empty() {
        line("content-length", &check.body.len().to_string());
    }
    let persistent = check.version.as_str() > "HTTP/1.0";
    if let Some(value) = connection.or_else(|| persistent.then_some("close")) {
        line("connection", value);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&check.body);
    out
}

/// An answer, as far as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Reason phrase.
    pub reason: String,
    /// Body so far, chunks joined.
    pub body: Vec<u8>,
    /// The whole body is there.
    pub complete: bool,
}

/// What the bytes so far are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// An answer, whose body may go on.
    Answer(Answer),
    /// Part of a head.
    Partial,
    /// Not HTTP.
    Invalid,
}

/// Parses an answer; `closed` tells that nothing follows, `bodiless` that the request was a `HEAD`.
#[must_use]
pub fn parse(input: &[u8], closed: bool, bodiless: bool) -> Parsed {
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

fn final_answer(response: &httparse::Response<'_, '_>, rest: &[u8], closed: bool, bodiless: bool) -> Parsed {
    let status = response.code.unwrap_or(0);
    let value =
        |name: &str| response.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value);
    let chunked = value("transfer-encoding").is_some_and(|v| v.to_ascii_lowercase().ends_with(b"chunked"));
    let length = value("content-length")
        .and_then(|v| std::str::from_utf8(v).ok())
        .and_then(|v| v.trim().parse::<usize>().ok());
    let (body, complete) = if bodiless || matches!(status, 101 | 204 | 304) {
        (Vec::new(), true)
    } else if chunked {
        match dechunk(rest) {
            Some(body) => body,
            None => return Parsed::Invalid,
        }
    } else {
        let end = length.unwrap_or(usize::MAX).min(rest.len());
        (rest[..end].to_vec(), length.is_some_and(|l| rest.len() >= l) || closed)
    };
    let reason = response.reason.unwrap_or_default().to_owned();
    Parsed::Answer(Answer { status, reason, body, complete })
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
