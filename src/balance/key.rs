//! What a hashing algorithm hashes: from a part of the request to the key of [`super::Balancer::pick`].
//!
//! Every function returns `None` where HAProxy falls back to taking turns.

use std::net::IpAddr;

use super::hash::{avalanche, hash};
use crate::ir::proxy::{Balance, HashType};

/// What the engine has to supply for a backend's algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource<'a> {
    /// Nothing: not a hashing algorithm.
    None,
    /// The client's address: [`source`].
    Source,
    /// The request target (or its path only): [`uri`].
    Uri {
        /// Give the path and query only, without scheme and authority.
        path_only: bool,
    },
    /// The request target, then (for `POST`) the body: [`url_param`], [`body_param`].
    UrlParam(&'a str),
    /// The first value of a header: [`header`].
    Header(&'a str),
    /// The RDP cookie of that name: [`bytes`].
    RdpCookie(&'a str),
    /// The value of the backend's expression: [`bytes`], of its text where the function is `none`.
    Expr,
}

/// What `balance` hashes.
#[must_use]
pub fn key_source(balance: &Balance) -> KeySource<'_> {
    match balance {
        Balance::Source => KeySource::Source,
        Balance::Uri { path_only, .. } => KeySource::Uri { path_only: *path_only },
        Balance::UrlParam(name) => KeySource::UrlParam(name),
        Balance::Hdr { name, .. } => KeySource::Header(name),
        Balance::RdpCookie(name) => KeySource::RdpCookie(name),
        Balance::Hash => KeySource::Expr,
        Balance::RoundRobin
        | Balance::StaticRr
        | Balance::LeastConn
        | Balance::First
        | Balance::Random(_) => KeySource::None,
    }
}

/// Key of a client address: its 32-bit words in network order, xored. `hash-type`'s function has no say here, its
/// avalanche has.
#[must_use]
pub fn source(kind: HashType, addr: IpAddr) -> u32 {
    let folded = match addr {
        IpAddr::V4(v4) => u32::from(v4),
        IpAddr::V6(v6) => {
            let bits = u128::from(v6);
            (0..4).fold(0, |acc, i| acc ^ (bits >> (32 * i)) as u32)
        }
    };
    if kind.avalanche { avalanche(folded) } else { folded }
}

/// Key of any bytes (an RDP cookie, an expression's value); `None` if there are none.
#[must_use]
pub fn bytes(kind: HashType, value: &[u8]) -> Option<u32> {
    (!value.is_empty()).then(|| hash(kind, value))
}

/// Key of a request target: up to `?` (unless `whole`), at most `len` bytes and `depth` directories.
#[must_use]
pub fn uri(kind: HashType, balance: &Balance, target: &[u8]) -> Option<u32> {
    let Balance::Uri { len, depth, whole, .. } = *balance else { return None };
    let target = if len > 0 { &target[..target.len().min(len)] } else { target };
    let mut slashes = 0;
    let end = target.iter().position(|c| match c {
        b'/' => {
            slashes += 1;
            depth > 0 && slashes == depth + 1
        }
        b'?' => !whole,
        _ => false,
    });
    Some(hash(kind, &target[..end.unwrap_or(target.len())]))
}

/// Key of the query parameter `name` of a request target.
#[must_use]
pub fn url_param(kind: HashType, name: &str, target: &[u8]) -> Option<u32> {
    let query = memchr::memchr(b'?', target)?;
    body_param(kind, name, &target[query + 1..])
}

/// Key of the parameter `name` of an urlencoded form.
#[must_use]
pub fn body_param(kind: HashType, name: &str, form: &[u8]) -> Option<u32> {
    form.split(|c| *c == b'&')
        .find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .map(|value| hash(kind, value))
}

/// Key of a header value; with `domain_only` of the label before the top level alone (`example` of
/// `www.example.com`; all of a name without dots).
#[must_use]
pub fn header(kind: HashType, balance: &Balance, value: &[u8]) -> Option<u32> {
    let Balance::Hdr { domain_only, .. } = balance else { return None };
    if value.is_empty() {
        return None;
    }
    Some(hash(kind, if *domain_only { domain(value) } else { value }))
}

fn domain(host: &[u8]) -> &[u8] {
    // A dot in front ends no label.
    let Some(end) = memchr::memrchr(b'.', host).filter(|dot| *dot > 0) else { return host };
    let start = memchr::memrchr(b'.', &host[..end]).map_or(0, |dot| dot + 1);
    &host[start..end]
}
