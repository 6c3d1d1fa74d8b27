//! `option smtpchk`: greeting and `HELO` (RFC 5321 section 4.1.1.1), both answered with a code of class 2.

use super::Found;
use crate::health::Status;
use crate::health::script::{Custom, Say, Step, Test, Want};

/// Connect, expect a greeting, say `hello`, expect agreement, take leave.
#[must_use]
pub fn steps(hello: &str) -> Vec<Step> {
    let want = |custom, error, on_error, on_ok, code_in_front| {
        Step::expect(Want {
            test: Test::Custom(custom),
            min_bytes: Some(4),
            error: Some(error),
            on_error,
            on_ok,
            code_in_front,
            ..Want::default()
        })
    };
    vec![
        Step::lingering_connect(),
        want(Custom::SmtpReply, Status::L7Rsp, Say::FirstLine, Say::Default, false),
        want(Custom::SmtpGreetingOk, Status::L7Sts, Say::AfterCode, Say::Default, true),
        Step::send(format!("{hello}\r\n")),
        want(Custom::SmtpHelloOk, Status::L7Sts, Say::AfterCode, Say::AfterCode, true),
        // Servers log clients that leave without a word.
        Step::send("QUIT\r\n"),
        want(Custom::SmtpHelloOk, Status::L7Sts, Say::AfterCode, Say::AfterCode, true),
    ]
}

/// Three digits and one of `after`.
pub(super) fn is_reply(input: &[u8], after: &[u8]) -> bool {
    input.len() >= 4 && input[..3].iter().all(u8::is_ascii_digit) && after.contains(&input[3])
}

/// A reply of any number of lines, all of class 2 (RFC 5321 section 4.2.1).
pub(super) fn hello(input: &[u8], complete: bool) -> Found {
    let mut rest = input;
    loop {
        if rest.first().is_some_and(|first| *first != b'2') {
            return Found::NoMatch;
        }
        let Some(end) = memchr::memchr(b'\n', rest) else {
            return if complete { is_reply(rest, b" \r").into() } else { Found::NeedMore };
        };
        let (line, after) = rest.split_at(end + 1);
        if is_reply(line, b" \r") {
            return Found::Match;
        }
        if !is_reply(line, b"-") {
            return Found::NoMatch;
        }
        rest = after;
    }
}
