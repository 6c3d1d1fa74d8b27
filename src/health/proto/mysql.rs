//! `option mysql-check`: the server's greeting and, with a user, its answer to a login without password
//! (MySQL Client/Server Protocol, Connection Phase).

use super::Found;
use crate::health::Status;
use crate::health::script::{Custom, Step, Test, Want};
use crate::ir::check::MysqlLogin;

/// Connect, log in if there is a user, expect the greeting and no error.
#[must_use]
pub fn steps(user: Option<&str>, login: MysqlLogin) -> Vec<Step> {
    let mut steps = vec![Step::lingering_connect()];
    let want = |custom| Step::expect(Want { test: Test::Custom(custom), ..Want::default() });
    steps.extend(user.map(|user| Step::send(login_packet(user, login))));
    steps.push(want(Custom::MysqlGreeting));
    if user.is_some() {
        steps.push(want(Custom::MysqlLogin));
    }
    steps
}

/// A handshake response and `COM_QUIT`.
fn login_packet(user: &str, login: MysqlLogin) -> Vec<u8> {
    let mut body = Vec::new();
    if login == MysqlLogin::Pre41 {
        body.extend_from_slice(&[0x00, 0x80, 0x00, 0x00, 0x01]);
    } else {
        // Protocol 4.1 and secure authentication, from 8.0 on by a plugin; up to 16 MB packets, UTF-8.
        let plugin = if login == MysqlLogin::Post80 { 0x08 } else { 0x00 };
        body.extend_from_slice(&[0x00, 0x82, plugin, 0x00, 0x00, 0x80, 0x00, 0x01, 0x21]);
        body.extend_from_slice(&[0; 23]);
    }
    body.extend_from_slice(user.as_bytes());
    body.extend_from_slice(&[0, 0]);
    if login == MysqlLogin::Post80 {
        body.extend_from_slice(b"mysql_native_password\0");
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_all_ages_log_in() {
        let quit = [1, 0, 0, 0, 1];
        let old = login_packet("ab", MysqlLogin::Pre41);
        assert_eq!(old[..11], *b"\x09\0\0\x01\0\x80\0\0\x01ab");
        let today = login_packet("ab", MysqlLogin::Post41);
        assert_eq!(today[..13], *b"\x24\0\0\x01\0\x82\0\0\0\x80\0\x01\x21");
        let newest = login_packet("ab", MysqlLogin::Post80);
        assert_eq!(newest[..13], *b"\x3a\0\0\x01\0\x82\x08\0\0\x80\0\x01\x21");
        assert_eq!(newest[36..newest.len() - 5], *b"ab\0\0mysql_native_password\0");
        assert!([&old, &today, &newest].iter().all(|packet| packet.ends_with(&quit)));
    }
}
