//! SOCKS4, the client's side: a relay is asked to connect (the protocol's memo of 1992 by Ying-Da Lee, `CONNECT`).

use std::net::{IpAddr, SocketAddr};

/// Length of a request with HAProxy's user id.
pub const REQUEST: usize = 16;

/// Length of a reply.
pub const REPLY: usize = 8;

/// What relays are told of who asks, as HAProxy tells them.
const USER_ID: &[u8; 8] = b"HAProxy\0";

/// Code of a reply: the connection stands.
const GRANTED: u8 = 90;

/// Why a relay is of no use. The words are HAProxy's, as checks show them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The request could not be sent.
    Send,
    /// It closed, or the connection broke, before there was a reply.
    Receive,
    /// It said no.
    Denied,
}

impl Trouble {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Send => "SOCKS4 Proxy write error during handshake",
            Self::Receive => "SOCKS4 Proxy read error during handshake",
            Self::Denied => "SOCKS4 Proxy deny the request",
        }
    }
}

/// Asks a relay to connect to `addr`. `None`: the protocol has no room for addresses of IPv6.
#[must_use]
pub fn request(addr: SocketAddr) -> Option<[u8; REQUEST]> {
    let IpAddr::V4(ip) = addr.ip().to_canonical() else { return None };
    let mut out = [0; REQUEST];
    (out[0], out[1]) = (4, 1);
    out[2..4].copy_from_slice(&addr.port().to_be_bytes());
    out[4..8].copy_from_slice(&ip.octets());
    out[8..].copy_from_slice(USER_ID);
    Some(out)
}

/// What a reply says.
///
/// # Errors
/// The relay did not connect.
pub fn judge(reply: [u8; REPLY]) -> Result<(), Trouble> {
    if reply[1] == GRANTED { Ok(()) } else { Err(Trouble::Denied) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_holds_port_address_and_name() {
        let bytes = b"\x04\x01\x1f\x90\x0a\x00\x00\x07HAProxy\0";
        assert_eq!(request("10.0.0.7:8080".parse().unwrap()).as_ref(), Some(bytes));
        assert_eq!(request("[::ffff:10.0.0.7]:8080".parse().unwrap()).as_ref(), Some(bytes));
        assert_eq!(request("[2001:db8::7]:8080".parse().unwrap()), None);
    }

    #[test]
    fn only_one_code_is_a_yes() {
        assert_eq!(judge([0, 90, 1, 2, 3, 4, 5, 6]), Ok(()));
        for code in [0, 89, 91, 92, 93, 255] {
            assert_eq!(judge([0, code, 0, 0, 0, 0, 0, 0]), Err(Trouble::Denied));
        }
    }
}
