//! `option mysql-check`: the server's greeting and, with a user, its answer to a login without password
//! (MySQL Client/Server Protocol, Connection Phase).

use super::Found;
use crate::health::Status;
use crate::health::script::{Custom, Step, Test, Want};

/// Connect, log in if there is a user, expect the greeting and no error.
#[must_use]
pub fn steps(user: Option<&str>, post_41: bool) -> Vec<Step> {
    let mut steps = vec![Step::lingering_connect()];
    let want = |custom| Step::expect(Want { test: Test::Custom(custom), ..Want::default() });
    steps.extend(user.map(|user| Step::send(login_packet(user, post_41))));
    steps.push(want(Custom::MysqlGreeting));
    if user.is_some() {
        steps.push(want(Custom::MysqlLogin));
    }
    steps
}

/// A handshake response and `COM_QUIT`.
fn login_packet(user: &str, post_41: bool) -> Vec<u8> {
    let mut body = Vec::new();
    if post_41 {
        // Protocol 4.1 and secure authentication, up to 16 MB packets, UTF-8.
        body.extend_from_slice(&[0x00, 0x82, 0x00, 0x00, 0x00, 0x80, 0x00, 0x01, 0x21]);
        body.extend_from_slice(&[0; 23]);
    } else {
        body.extend_from_slice(&[0x00, 0x80, 0x00, 0x00, 0x01]);
    }
    body.extend_from_slice(user.as_bytes());
    body.extend_from_slice(&[0, 0]);
    let length = (body.len() as u32).to_le_bytes();
    let mut packet = vec![length[0], length[1], length[2], 1];
    packet.append(&mut body);
    packet.extend_from_slice(&[1, 0, 0, 0, 1]);
    packet
}

/// Length of the packet at `start` without its header, if the whole packet is there.
fn packet(input: &[u8], start: usize) -> Option<&[u8]> {
    let header = input.get(start..start + 4)?;
    let length = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
    input.get(start + 4..start + 4 + length)
}

/// The server's version from the greeting.
fn version(input: &[u8]) -> Vec<u8> {
    let text = input.get(5..).unwrap_or_default();
    text[..memchr::memchr(0, text).unwrap_or(text.len())].to_vec()
}

fn judge(input: &[u8], start: usize, complete: bool) -> Found {
    match packet(input, start) {
        None if complete => Found::Error(Status::L7Rsp, 0, Vec::new()),
        None => Found::NeedMore,
        Some([0xff, low, high, text @ ..]) => {
            Found::Error(Status::L7Sts, u16::from_le_bytes([*low, *high]), text.to_vec())
        }
        Some(_) => Found::Ok(0, version(input)),
    }
}

/// The greeting.
pub(super) fn greeting(input: &[u8], complete: bool) -> Found {
    judge(input, 0, complete)
}

/// The answer to the login, behind the greeting.
pub(super) fn login(input: &[u8], complete: bool) -> Found {
    packet(input, 0).map_or(Found::NeedMore, |greeting| judge(input, 4 + greeting.len(), complete))
}
