//! `option ldap-check`: an anonymous bind, version 3 (RFC 4511 sections 4.2 and 4.1.9).

use super::Found;
use crate::health::Status;
use crate::health::script::{Custom, Say, Step, Test, Want};

const NOT_LDAP: &str = "Not LDAPv3 protocol";

/// Bind, expect success.
#[must_use]
pub fn steps() -> Vec<Step> {
    let bind = [0x30, 0x0c, 0x02, 0x01, 0x01, 0x60, 0x07, 0x02, 0x01, 0x03, 0x04, 0x00, 0x80, 0x00];
    vec![
        Step::send(bind),
        Step::expect(Want {
            test: Test::Custom(Custom::LdapSequence),
            min_bytes: Some(14),
            on_error: Say::Text(NOT_LDAP),
            ..Want::default()
        }),
        Step::expect(Want { test: Test::Custom(Custom::LdapBind), ..Want::default() }),
    ]
}

/// Splits a BER length off: the length and what follows it. Lengths of more than four bytes do not occur here.
fn length(input: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = input.split_first()?;
    if first & 0x80 == 0 {
        return Some((usize::from(first), rest));
    }
    let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    (bytes.len() <= 4).then(|| (bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b)), rest))
}

/// The bind response of message 1.
pub(super) fn bind_response(input: &[u8], complete: bool) -> Found {
    let short = || {
        if complete { Found::Error(Status::L7Rsp, 0, Vec::new()) } else { Found::NeedMore }
    };
    let Some((size, message)) = input.get(1..).and_then(length) else { return short() };
    if message.len() < size {
        return short();
    }
    let result = message
        .strip_prefix(&[0x02, 0x01, 0x01, 0x61])
        .and_then(length)
        .and_then(|(_, result)| result.strip_prefix(&[0x0a, 0x01]));
    match result {
        Some([0, ..]) => Found::Ok(0, b"Success".to_vec()),
        Some([code, ..]) => {
            let info = "See RFC: http://tools.ietf.org/html/rfc4511#section-4.1.9";
            Found::Error(Status::L7Sts, u16::from(*code), info.into())
        }
        _ => Found::Error(Status::L7Rsp, 0, NOT_LDAP.into()),
    }
}
