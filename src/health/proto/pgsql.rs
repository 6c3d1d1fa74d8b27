//! `option pgsql-check`: a start-up packet, to which a healthy server answers with an authentication request
//! (PostgreSQL, Frontend/Backend Protocol, Message Formats).

use crate::health::Status;
use crate::health::script::{Custom, Say, Step, Test, Want};

/// Connect, start up as `user`, expect no error, then a known authentication request.
#[must_use]
pub fn steps(user: &str) -> Vec<Step> {
    let mut packet = Vec::with_capacity(15 + user.len());
    packet.extend_from_slice(&(15 + user.len() as u32).to_be_bytes());
    packet.extend_from_slice(&0x0003_0000_u32.to_be_bytes());
    packet.extend_from_slice(b"user\0");
    packet.extend_from_slice(user.as_bytes());
    packet.extend_from_slice(b"\0\0");
    vec![
        Step::lingering_connect(),
        Step::send(packet),
        Step::expect(Want {
            test: Test::Custom(Custom::PgsqlNoError),
            negate: true,
            min_bytes: Some(5),
            on_error: Say::From(6),
            ..Want::default()
        }),
        Step::expect(Want {
            test: Test::Custom(Custom::PgsqlAuth),
            min_bytes: Some(9),
            error: Some(Status::L7Sts),
            on_ok: Say::Text("PostgreSQL server is ok"),
            on_error: Say::Text("PostgreSQL unknown error"),
            ..Want::default()
        }),
    ]
}

/// Whether the answer is an `ErrorResponse`.
pub(super) fn is_error(input: &[u8]) -> bool {
    input.first() == Some(&b'E')
}

/// Whether the answer is `Authentication*` of a kind that begins a login.
pub(super) fn is_authentication(input: &[u8]) -> bool {
    let Some(([b'R', length @ ..], kind)) = input.split_at_checked(5).and_then(|(head, rest)| {
        let head: &[u8; 5] = head.try_into().ok()?;
        Some((head, rest.first_chunk::<4>()?))
    }) else {
        return false;
    };
    let (length, kind) = (u32::from_be_bytes(*length), u32::from_be_bytes(*kind));
    // 0 OK, 2 Kerberos, 3 password, 5 MD5, 7 GSSAPI, 9 SSPI, 10 SASL, whose list of mechanisms varies in length.
    length < 256 && matches!(kind, 0 | 2..=7 | 9 | 10)
}
