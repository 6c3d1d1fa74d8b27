//! Addresses: `*:80`, `:::80`, `10.0.0.1:8000-8010`, `name:80`, `/path`, `unix@`, `abns@`, `fd@`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::ValueError;

/// What carries the data. `None` of a written address: whatever is usual at that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `tcp@`, `stream+`, `uxst@`
    Stream,
    /// `udp@`, `dgram+`, `uxdg@`
    Datagram,
    /// `mptcp@`
    Mptcp,
    /// `quic4@`, `quic+`
    Quic,
}

/// `ipv4@` and `ipv6@`: what a name may resolve to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// Host part of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// Nothing or `*`: every address.
    Any,
    /// A literal.
    Ip(IpAddr),
    /// A name to resolve.
    Name(String),
}

/// Port part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Not given.
    None,
    /// One port.
    One(u16),
    /// `first-last`, both included.
    Range(u16, u16),
    /// `+N`, `-N`: counted from another port.
    Offset(i32),
}

/// A written address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address or a name.
    Inet {
        /// Transport, where a prefix names it.
        transport: Option<Transport>,
        /// Family, where a prefix names it.
        family: Option<Family>,
        /// Host.
        host: Host,
        /// Port.
        port: Port,
    },
    /// A unix socket in the file system.
    Unix {
        /// Transport, where a prefix names it.
        transport: Option<Transport>,
        /// Path.
        path: String,
    },
    /// An abstract unix socket.
    Abstract(String),
    /// An inherited descriptor.
    Fd(i32),
    /// An inherited descriptor of one half of a socket pair.
    SockPair(i32),
    /// `rhttp@NAME`: a server reached over connections that it opened itself.
    ReverseHttp(String),
}

/// Prefixes, longest spelling first where one begins another.
const PREFIXES: &[(&str, Option<Transport>, Option<Family>)] = &[
    ("ipv4@", None, Some(Family::V4)),
    ("ipv6@", None, Some(Family::V6)),
    ("ip@", None, None),
    ("tcp4@", Some(Transport::Stream), Some(Family::V4)),
    ("tcp6@", Some(Transport::Stream), Some(Family::V6)),
    ("tcp@", Some(Transport::Stream), None),
    ("udp4@", Some(Transport::Datagram), Some(Family::V4)),
    ("udp6@", Some(Transport::Datagram), Some(Family::V6)),
    ("udp@", Some(Transport::Datagram), None),
    ("mptcp4@", Some(Transport::Mptcp), Some(Family::V4)),
    ("mptcp6@", Some(Transport::Mptcp), Some(Family::V6)),
    ("mptcp@", Some(Transport::Mptcp), None),
    ("quic4@", Some(Transport::Quic), Some(Family::V4)),
    ("quic6@", Some(Transport::Quic), Some(Family::V6)),
];

const KINDS: &[(&str, Transport)] =
    &[("stream+", Transport::Stream), ("dgram+", Transport::Datagram), ("quic+", Transport::Quic)];

/// Reads an address. Which forms a place accepts is for the caller to say.
///
/// # Errors
/// With the cause in words, as HAProxy's address parser gives it.
pub fn address(text: &str) -> Result<Address, ValueError> {
    let kind = KINDS.iter().find_map(|(prefix, kind)| text.strip_prefix(prefix).map(|rest| (*kind, rest)));
    let (kind, rest) = kind.map_or((None, text), |(kind, rest)| (Some(kind), rest));
    for (prefix, transport, family) in PREFIXES {
        if let Some(rest) = rest.strip_prefix(prefix) {
            return inet(rest, transport.or(kind), *family, text);
        }
    }
    let descriptor = |digits: &str| {
        digits.parse::<i32>().ok().filter(|fd| *fd >= 0).ok_or_else(|| {
            ValueError::Other(format!("file descriptor '{digits}' is not a valid integer in '{text}'"))
        })
    };
    let unix = |path: &str, transport| match path.len() {
        // 108 bytes of sun_path, less what the name of a socket under construction adds.
        98.. => Err(ValueError::Other(format!("socket path '{text}' too long (max 97)"))),
        _ => Ok(Address::Unix { transport, path: path.to_owned() }),
    };
    match rest.split_once('@') {
        Some(("unix", path)) => unix(path, kind),
        Some(("uxst", path)) => unix(path, Some(Transport::Stream)),
        Some(("uxdg", path)) => unix(path, Some(Transport::Datagram)),
        // The name of an `abns` address fills `sun_path`; that of `abnsz` is as long as it is.
        Some(("abns", name)) => Ok(Address::Abstract(format!("{name:\0<107}"))),
        Some(("abnsz", name)) => Ok(Address::Abstract(name.to_owned())),
        Some(("fd", digits)) => descriptor(digits).map(Address::Fd),
        Some(("sockpair", digits)) => descriptor(digits).map(Address::SockPair),
        Some(("rhttp", name)) => Ok(Address::ReverseHttp(name.to_owned())),
        _ if rest.starts_with('/') => unix(rest, kind),
        _ => inet(rest, kind, None, text),
    }
}

/// The last `:` not inside brackets separates the port, so `:::80` is `::` with port 80.
fn inet(
    rest: &str,
    transport: Option<Transport>,
    family: Option<Family>,
    whole: &str,
) -> Result<Address, ValueError> {
    // The prefix alone names every address of the family.
    if rest.is_empty() && family.is_none() {
        return Err(ValueError::Other(format!("invalid address: '' in '{whole}'")));
    }
    let (host, port) = match rest.rfind([':', ']']) {
        Some(at) if rest.as_bytes()[at] == b':' => (&rest[..at], port(&rest[at + 1..], whole)?),
        _ => (rest, Port::None),
    };
    Ok(Address::Inet { transport, family, host: self::host(host, family, whole)?, port })
}

fn host(text: &str, family: Option<Family>, whole: &str) -> Result<Host, ValueError> {
    let invalid = || ValueError::Other(format!("invalid address: '{text}' in '{whole}'"));
    match text {
        "" | "*" if family == Some(Family::V6) => return Ok(Host::Ip(Ipv6Addr::UNSPECIFIED.into())),
        "" | "*" => return Ok(Host::Any),
        _ => {}
    }
    if let Some(inner) = text.strip_prefix('[').filter(|_| family != Some(Family::V4)) {
        let inner = inner.strip_suffix(']').ok_or_else(invalid)?;
        return inner.parse::<Ipv6Addr>().map(|ip| Host::Ip(ip.into())).map_err(|_| invalid());
    }
    match (text.parse::<IpAddr>(), family) {
        (Ok(IpAddr::V6(_)), Some(Family::V4)) | (Ok(IpAddr::V4(_)), Some(Family::V6)) => Err(invalid()),
        (Ok(ip), _) => Ok(Host::Ip(ip)),
        // Anything that may be a name is for the resolver to judge.
        (Err(_), _) if is_name(text) => Ok(Host::Name(text.to_owned())),
        (Err(_), _) => Err(invalid()),
    }
}

/// What no resolver could find an address for is none: with a colon, or numbers that are no address in the old forms
/// either, where the last one fills what the others leave (`127.1`).
fn is_name(text: &str) -> bool {
    if text.split_once('%').is_some_and(|(ip, _)| ip.parse::<Ipv6Addr>().is_ok()) {
        return true;
    }
    if text.contains([':', '/']) {
        return false;
    }
    if text.bytes().any(|b| !b.is_ascii_digit() && b != b'.') {
        return true;
    }
    let parts: Vec<&str> = text.split('.').collect();
    let [first @ .., last] = parts.as_slice() else { return false };
    let fills = |part: &str, bytes: usize| part.parse::<u64>().is_ok_and(|number| number < 1 << (8 * bytes));
    first.len() < 4 && first.iter().all(|part| fills(part, 1)) && fills(last, 4 - first.len())
}

fn port(text: &str, whole: &str) -> Result<Port, ValueError> {
    let number = |digits: &str| -> Result<i64, ValueError> {
        if let Some(c) = digits.chars().find(|c| !c.is_ascii_digit()) {
            let cause = format!("invalid character '{c}' in port number '{digits}' in '{whole}'");
            return Err(ValueError::Other(cause));
        }
        Ok(digits.parse().unwrap_or(if digits.is_empty() { 0 } else { i64::MAX }))
    };
    let plain = |digits: &str| {
        u16::try_from(number(digits)?).map_err(|_| ValueError::Other(format!("invalid port '{digits}'")))
    };
    let offset = |digits: &str, sign: i64| {
        i32::try_from(number(digits)? * sign)
            .map_err(|_| ValueError::Other(format!("invalid port '{digits}'")))
    };
    match text.as_bytes().first() {
        None => Ok(Port::None),
        Some(b'+') => Ok(Port::Offset(offset(&text[1..], 1)?)),
        Some(b'-') => Ok(Port::Offset(offset(&text[1..], -1)?)),
        Some(b'0'..=b'9') => match text.split_once('-') {
            None => Ok(Port::One(plain(text)?)),
            Some((first, last)) => match (plain(first)?, plain(last)?) {
                (first, last) if first > last => {
                    Err(ValueError::Other(format!("invalid port range '{first}-{last}'")))
                }
                (first, last) => Ok(Port::Range(first, last)),
            },
        },
        Some(_) => {
            let c = text.chars().next().unwrap_or_default();
            Err(ValueError::Other(format!("invalid character '{c}' in port number '{text}' in '{whole}'")))
        }
    }
}

impl Host {
    /// As an IP address; `Any` is 0.0.0.0, a name is nothing.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Any => Some(Ipv4Addr::UNSPECIFIED.into()),
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }
}

impl Address {
    /// As one socket address; `default_port` where none is written. Names, ranges and unix sockets are nothing.
    #[must_use]
    pub fn socket(&self, default_port: u16) -> Option<SocketAddr> {
        let Self::Inet { host, port, .. } = self else { return None };
        let port = match port {
            Port::None => default_port,
            Port::One(port) => *port,
            Port::Range(..) | Port::Offset(_) => return None,
        };
        Some(SocketAddr::new(host.ip()?, port))
    }
}
