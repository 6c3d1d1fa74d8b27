//! `option ssl-hello-chk`: an SSLv3 client hello (RFC 6101 section 5.6.1.2), answered by a hello or at least an
//! alert.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::health::Status;
use crate::health::script::{Custom, Step, Test, Want};

/// Say hello, expect a record of type handshake or alert.
#[must_use]
pub fn steps() -> Vec<Step> {
    vec![
        Step::SendHello,
        Step::expect(Want {
            test: Test::Custom(Custom::SslHello),
            min_bytes: Some(5),
            ok: Status::L6Ok,
            error: Some(Status::L6Rsp),
            timeout: Status::L6Tout,
            ..Want::default()
        }),
    ]
}

/// The client hello at a time of day: the 39 RSA, DH and anonymous suites of its age.
#[must_use]
pub fn hello(now: Option<SystemTime>) -> Vec<u8> {
    let seconds = now.and_then(|t| t.duration_since(UNIX_EPOCH).ok()).map_or(0, |d| d.as_secs() as u32);
    let mut body = vec![0x03, 0x00];
    body.extend_from_slice(&seconds.to_be_bytes());
    body.extend_from_slice(b"HAPROXYSSLCHK\nHAPROXYSSLCHK\n");
    body.push(0);
    let suites: Vec<u16> = (0x01..=0x1b).chain(0x2f..=0x3a).collect();
    body.extend_from_slice(&(2 * suites.len() as u16).to_be_bytes());
    body.extend(suites.iter().flat_map(|s| s.to_be_bytes()));
    body.extend_from_slice(&[1, 0]);
    let mut handshake = vec![0x01, 0x00];
    handshake.extend_from_slice(&(body.len() as u16).to_be_bytes());
    handshake.append(&mut body);
    let mut record = vec![0x16, 0x03, 0x00];
    record.extend_from_slice(&(handshake.len() as u16).to_be_bytes());
    record.append(&mut handshake);
    record
}
