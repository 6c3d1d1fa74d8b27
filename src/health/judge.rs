//! Judging answers: what an expectation makes of the bytes so far.

use std::borrow::Cow;

use super::Status;
use super::dialogue::{Dialogue, Judgement, MAX_INPUT};
use super::proto::{self, agent, http};
use super::scene::Scene;
use super::script::{Flavour, Test, Want};
use crate::ir::check::{HeaderMatcher, Method, Pattern, Text};
use crate::ir::regex::Regex;

/// What is said of a format that says nothing.
const NO_PATTERN: &[u8] = b"log-format string evaluated to an empty string";

/// What is said of a format that does not say hexadecimal digits.
const NO_DIGITS: &[u8] = b"Failed to parse hexastring resulting of eval of a log-format string";

impl<S: Scene> Dialogue<S> {
    pub(super) fn judge(&mut self, want: &Want) -> Judgement {
        let usual = want.error.unwrap_or(Status::L7Rsp);
        if self.input.is_empty() {
            if !self.closed {
                return Judgement::NeedMore;
            }
            if self.script.flavour == Flavour::Http {
                return Judgement::Fail(Status::L7Rsp, 0, self.say(&want.on_error).unwrap_or_default());
            }
            let info = match &want.on_error {
                super::script::Say::Format(format) => self.render(format),
                _ => {
                    let number = self.script.step_number(self.step);
                    format!("TCPCHK got an empty response at step {number}").into_bytes()
                }
            };
            return Judgement::Fail(usual, 0, Cow::Owned(info));
        }
        let complete = self.closed || self.input.len() >= MAX_INPUT;
        if self.script.flavour == Flavour::Http {
            return self.judge_http(want, complete);
        }
        if !complete && want.min_bytes.is_some_and(|min| self.input.len() < min) {
            return Judgement::NeedMore;
        }
        let matched = match &want.test {
            Test::Text(text) | Test::Binary(text) => {
                if !complete && self.input.len() < text.len() {
                    return Judgement::NeedMore;
                }
                memchr::memmem::find(&self.input, text).is_some()
            }
            Test::TextFormat(format) => {
                let text = self.render(format);
                if text.is_empty() {
                    return Judgement::Fail(Status::L7Rsp, 0, Cow::Borrowed(NO_PATTERN));
                }
                memchr::memmem::find(&self.input, &text).is_some()
            }
            Test::BinaryFormat(format) => {
                let digits = self.render(format);
                if digits.is_empty() {
                    return Judgement::Fail(Status::L7Rsp, 0, Cow::Borrowed(NO_PATTERN));
                }
                let Some(bytes) = proto::unhex(&digits) else {
                    return Judgement::Fail(Status::L7Rsp, 0, Cow::Borrowed(NO_DIGITS));
                };
                memchr::memmem::find(&self.input, &bytes).is_some()
            }
            Test::Regex(regex) => regex.is_match(&self.input),
            Test::BinaryRegex(regex) => regex.is_match(proto::hex(&self.input).as_bytes()),
            Test::Custom(custom) => match proto::custom(*custom, &self.input, complete) {
                proto::Found::Match => true,
                proto::Found::NoMatch => false,
                proto::Found::NeedMore => return Judgement::NeedMore,
                proto::Found::Agent(line) => {
                    self.agent = Some(agent::Reply::parse(&line));
                    return Judgement::Final(0, Vec::new());
                }
                proto::Found::Ok(code, info) => return Judgement::Final(code, info),
                proto::Found::Error(status, code, info) => {
                    return Judgement::Fail(status, code, Cow::Owned(info));
                }
            },
            // Refused outside of `http-check` when the configuration was read.
            Test::HttpStatus(_) | Test::HttpStatusRegex(_) | Test::HttpHeader(_) => false,
        };
        // A mismatch is not final while more may come, unless a minimum says what is enough.
        if !matched && !complete && want.min_bytes.is_none() {
            return Judgement::NeedMore;
        }
        if matched != want.negate {
            return Judgement::Pass;
        }
        let code = if want.code_in_front { self.leading_code() } else { 0 };
        let info = self.say(&want.on_error).unwrap_or_else(|| Cow::Owned(self.mismatch(want, matched)));
        Judgement::Fail(usual, code, info)
    }

    /// What rules say about a failed expectation.
    fn mismatch(&self, want: &Want, matched: bool) -> Vec<u8> {
        if self.script.flavour == Flavour::Protocol {
            return Vec::new();
        }
        let mut out: Vec<u8> = if matched {
            b"TCPCHK matched unwanted content".to_vec()
        } else {
            b"TCPCHK did not match content".to_vec()
        };
        let what: &[u8] = match &want.test {
            Test::Text(text) => {
                out.extend_from_slice(b" '");
                out.extend_from_slice(text);
                b"'"
            }
            Test::Binary(_) => b" (binary)",
            Test::Regex(_) | Test::HttpStatusRegex(_) => b" (regex)",
            Test::BinaryRegex(_) => b" (binary regex)",
            Test::TextFormat(_) => b" (log-format string)",
            Test::BinaryFormat(_) => b" (log-format binary)",
            Test::Custom(_) => b" (custom function)",
            Test::HttpHeader(_) => b" (header pattern)",
            Test::HttpStatus(_) => b"(status codes)",
        };
        out.extend_from_slice(what);
        out.extend_from_slice(format!(" at step {}", self.script.step_number(self.step)).as_bytes());
        out
    }

    fn judge_http(&mut self, want: &Want, complete: bool) -> Judgement {
        let answer = match http::parse(&self.input, self.closed, self.bodiless) {
            http::Parsed::Answer(answer) => answer,
            http::Parsed::Partial if !complete => return Judgement::NeedMore,
            http::Parsed::Partial | http::Parsed::Invalid => {
                return Judgement::Fail(Status::L7Rsp, 0, self.say(&want.on_error).unwrap_or_default());
            }
        };
        self.code = answer.status;
        if self.script.disable_on_404 && self.subject.is_up && answer.status == 404 {
            self.not_found = true;
            return Judgement::Pass;
        }
        let done = complete || answer.complete;
        // A format that says nothing leaves nothing to look for.
        let matched = match &want.test {
            Test::HttpStatus(ranges) => {
                let matched = ranges.iter().any(|(low, high)| (*low..=*high).contains(&answer.status));
                return self.by_status(want, &answer, matched);
            }
            Test::HttpStatusRegex(regex) => {
                let matched = regex.is_match(answer.status.to_string().as_bytes());
                return self.by_status(want, &answer, matched);
            }
            Test::HttpHeader(header) => {
                let Some(matched) = self.has_header(header, &answer) else {
                    return Judgement::Fail(Status::L7Rsp, answer.status, Cow::Borrowed(NO_PATTERN));
                };
                return self.by_status(want, &answer, matched);
            }
            _ if answer.body.is_empty() => {
                if !done {
                    return Judgement::NeedMore;
                }
                let info = b"HTTP content check could not find a response body";
                return self.by_body(want, answer.status, info);
            }
            _ if !done && want.min_bytes.is_some_and(|min| answer.body.len() < min) => {
                return Judgement::NeedMore;
            }
            Test::Text(text) if !done && answer.body.len() < text.len() => return Judgement::NeedMore,
            Test::Text(text) => memchr::memmem::find(&answer.body, text).is_some(),
            Test::TextFormat(format) => {
                let text = self.render(format);
                if text.is_empty() {
                    return Judgement::Fail(Status::L7Rsp, answer.status, Cow::Borrowed(NO_PATTERN));
                }
                memchr::memmem::find(&answer.body, &text).is_some()
            }
            Test::Regex(regex) => regex.is_match(&answer.body),
            Test::Binary(_) | Test::BinaryFormat(_) | Test::BinaryRegex(_) | Test::Custom(_) => false,
        };
        if !matched && !done && want.min_bytes.is_none() {
            return Judgement::NeedMore;
        }
        if matched != want.negate {
            return Judgement::Pass;
        }
        let info: &[u8] = if want.negate {
            b"HTTP check matched unwanted content"
        } else {
            b"HTTP content check did not match"
        };
        self.by_body(want, answer.status, info)
    }

    fn by_status(&self, want: &Want, answer: &http::Answer<'_>, matched: bool) -> Judgement {
        if matched != want.negate {
            return Judgement::Pass;
        }
        let usual = || Cow::Owned(answer.reason.as_bytes().to_vec());
        let info = self.say(&want.on_error).unwrap_or_else(usual);
        Judgement::Fail(want.error.unwrap_or(Status::L7Sts), answer.status, info)
    }

    fn by_body(&self, want: &Want, code: u16, info: &'static [u8]) -> Judgement {
        let info = self.say(&want.on_error).unwrap_or(Cow::Borrowed(info));
        Judgement::Fail(want.error.unwrap_or(Status::L7Rsp), code, info)
    }

    /// Whether a header is there. `None`: a pattern said nothing.
    fn has_header(&self, header: &HeaderMatcher, answer: &http::Answer<'_>) -> Option<bool> {
        let name = self.pattern(&header.name)?;
        let value = match &header.value {
            Some(value) => Some(self.pattern(value)?),
            None => None,
        };
        Some(answer.headers.iter().any(|(found, line)| {
            // Names come in lower case, and are looked for so.
            name.matches(found.to_ascii_lowercase().as_bytes(), true)
                && value.as_ref().is_none_or(|value| {
                    if header.full {
                        return value.matches(line, false);
                    }
                    line.split(|b| *b == b',').any(|part| value.matches(part.trim_ascii(), false))
                })
        }))
    }

    fn pattern<'p>(&self, pattern: &'p Pattern) -> Option<Sought<'p>> {
        Some(match pattern {
            Pattern::Regex(regex) => Sought::Regex(regex),
            Pattern::Text(method, Text::Plain(text)) => Sought::Text(*method, Cow::Borrowed(text)),
            Pattern::Text(method, Text::Format(format)) => {
                let text = self.render(format);
                if text.is_empty() {
                    return None;
                }
                Sought::Text(*method, Cow::Owned(text))
            }
        })
    }
}

/// A pattern, its format rendered.
enum Sought<'p> {
    Regex(&'p Regex),
    Text(Method, Cow<'p, [u8]>),
}

impl Sought<'_> {
    fn matches(&self, text: &[u8], any_case: bool) -> bool {
        let (method, sought) = match self {
            Self::Regex(regex) => return regex.is_match(text),
            Self::Text(method, sought) => (method, sought),
        };
        let folded =
            if any_case { Cow::Owned(sought.to_ascii_lowercase()) } else { Cow::Borrowed(&**sought) };
        match method {
            Method::Exact => text == &*folded,
            Method::Beginning => text.starts_with(&folded),
            Method::End => text.ends_with(&folded),
            Method::Part => memchr::memmem::find(text, &folded).is_some(),
        }
    }
}
