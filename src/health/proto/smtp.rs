//! `option smtpchk`: greeting and `HELO` (RFC 5321 section 4.1.1.1), both answered with a code of class 2.

use crate::health::Status;
use crate::health::script::{Custom, Say, Step, Test, Want};

/// Connect, expect a greeting, say `hello`, expect agreement.
#[must_use]
pub fn steps(hello: &str) -> Vec<Step> {
    let want = |custom, error, on_error, on_ok, code_in_front| {
        Step::Expect(Want {
            test: Test::Custom(custom),
            min_bytes: Some(4),
            error,
            on_error,
            on_ok,
            code_in_front,
            ..Want::default()
        })
    };
    vec![
        Step::Connect { port: None, explicit: true, linger: true },
        want(Custom::SmtpReply, Status::L7Rsp, Say::FirstLine, Say::Default, false),
        want(Custom::SmtpGreetingOk, Status::L7Sts, Say::AfterCode, Say::Default, true),
        Step::Send(format!("{hello}\r\n").into_bytes()),
        want(Custom::SmtpHelloOk, Status::L7Sts, Say::AfterCode, Say::AfterCode, true),
    ]
}

/// Three digits and one of `after`.
pub(super) fn is_reply(input: &[u8], after: &[u8]) -> bool {
    input.len() >= 4 && input[..3].iter().all(u8::is_ascii_digit) && after.contains(&input[3])
}
