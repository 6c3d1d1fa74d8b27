//! Where a connection to a server comes from and where it goes, for this client.

use std::hash::{Hash as _, Hasher as _};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::txn::Txn;
use crate::expr::Session as _;
use crate::handshake::proxy_protocol::{self, Says};
use crate::ir::server::{ProxyTlv, SourceFrom, UseSrc};
use crate::live::{Address, Server};
use crate::sys;

/// What else `source` says, of the server or of its backend.
pub(super) fn source_from<'t>(txn: &'t Txn, server: &'t Server) -> Option<&'t SourceFrom> {
    match (server.ir.link.source, txn.be().ir.backend.as_ref()) {
        (None, Some(half)) => half.source_from.as_deref(),
        _ => server.ir.link.source_from.as_deref(),
    }
}

/// Where connections to `server` come from; `None`: from where a header says that is not there.
pub(super) fn source<'t>(txn: &'t Txn, server: &'t Server) -> Option<sys::tcp::Source<'t>> {
    let from = source_from(txn, server);
    // Of nobody's address not even the port counts, unless there is a choice of ports.
    let counts = |addr: &SocketAddr| !addr.ip().is_unspecified() || from.is_some_and(|f| f.ports.is_some());
    let addr = server.ir.link.source.or_else(|| txn.be().ir.backend.as_ref()?.source).filter(counts);
    // An IPv4 client of an IPv6 socket is an IPv4 client to an IPv4 server.
    let client = || txn.src.map(|a| SocketAddr::new(a.ip().to_canonical(), a.port()));
    let used = match from.and_then(|from| from.usesrc.as_ref()) {
        None => None,
        Some(UseSrc::Client) => client(),
        Some(UseSrc::ClientIp) => client().map(|a| SocketAddr::new(a.ip(), 0)),
        Some(UseSrc::Addr(addr)) => Some(*addr),
        Some(UseSrc::Header(name, nth)) => {
            let value = header_value(&txn.req, name.as_bytes(), *nth)?;
            let ip = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok());
            ip.map(|ip: IpAddr| SocketAddr::new(ip, 0))
        }
    };
    let interface = from.and_then(|from| from.interface.as_deref());
    Some(sys::tcp::Source { addr: used.or(addr), foreign: used.is_some(), interface })
}

/// The `nth` value of a header, from 1, which 0 is too; negative numbers count from the end.
fn header_value<'h>(head: &'h crate::http::Head, name: &'h [u8], nth: i32) -> Option<&'h [u8]> {
    let mut values = head.values(name).flat_map(|v| v.split(|c| *c == b','));
    let at = usize::try_from(nth.unsigned_abs()).ok()?.saturating_sub(1);
    if nth >= 0 { values.nth(at) } else { values.collect::<Vec<_>>().into_iter().rev().nth(at) }
}

/// What a connection to `server` depends on beside the server: the addresses in its PROXY header, where the client
/// wanted to go, marks. Only connections with the same number can carry this client's requests. 0: on nothing.
pub(super) fn bond(txn: &Txn, server: &Server) -> u64 {
    let follows = server.follows_client();
    let tagged = txn.tags.server != (None, None);
    let source = source(txn, server).unwrap_or_default();
    let elsewhere = server.ir.link.namespace.as_deref() == Some("*");
    if !server.ir.link.send_proxy.is_on() && !follows && !tagged && !source.foreign && !elsewhere {
        return 0;
    }
    let mut hasher = std::hash::DefaultHasher::new();
    if elsewhere {
        txn.client_namespace().hash(&mut hasher);
    }
    txn.tags.server.hash(&mut hasher);
    if source.foreign {
        source.addr.hash(&mut hasher);
    }
    if follows {
        txn.dst.hash(&mut hasher);
    }
    if server.ir.link.send_proxy.is_on() {
        proxy_header(txn, server).hash(&mut hasher);
    }
    hasher.finish() | 1
}

/// Where `server` is for this client.
pub(super) fn target(txn: &Txn, server: &Server) -> Option<Target> {
    match server.address() {
        Address::Unknown => None,
        Address::Unix(path) => Some(Target::Unix(path)),
        Address::SockPair(fd) => Some(Target::SockPair(fd)),
        Address::Ip(mut addr) => {
            // `*` and `option transparent`: where the client wanted to go.
            if let Some(dst) = txn.dst.filter(|_| addr.ip().is_unspecified()) {
                addr.set_ip(dst.ip().to_canonical());
            }
            if server.ports_follow() || addr.port() == 0 {
                addr.set_port(txn.dst.map_or(0, |d| d.port()).wrapping_add(addr.port()));
            }
            Some(Target::Tcp(addr))
        }
    }
}

/// The header that a connection to `server` begins with (`send-proxy*`).
pub(super) fn proxy_header(txn: &Txn, server: &Server) -> Vec<u8> {
    let link = &server.ir.link;
    let own = |tlv: &ProxyTlv| {
        let value = tlv.format.as_ref().map(|format| crate::expr::logformat::to_vec(format, &txn.ctx()));
        (tlv.kind, value.unwrap_or_default().into())
    };
    let namespace = txn.client_namespace();
    let authority = txn.tlvs().iter().find(|(kind, _)| *kind == proxy_protocol::TLV_AUTHORITY);
    let says = Says {
        addresses: txn.src.zip(txn.dst),
        own: link.proxy_tlvs.iter().map(own).collect(),
        authority: authority.map(|(_, name)| &name[..]),
        unique_id: Some(txn.unique_id.as_deref().unwrap_or_default()),
        namespace: namespace.as_deref(),
    };
    proxy_protocol::header(link.send_proxy, &says)
}

/// Where a server is.
pub(super) enum Target {
    Tcp(SocketAddr),
    Unix(std::path::PathBuf),
    SockPair(i32),
}

/// So many ports of a range are tried for one connection.
const PORT_TRIES: usize = 10;

/// Begin with the next port of a range, and go on with those behind it while they are taken.
pub(super) fn on_some_port<T>(
    (first, last): (u16, u16),
    mut begin: impl FnMut(u16) -> io::Result<T>,
) -> io::Result<T> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(last - first) + 1;
    let mut result = Err(io::ErrorKind::AddrInUse.into());
    for _ in 0..PORT_TRIES.min(count as usize) {
        let port = first + (NEXT.fetch_add(1, Relaxed) % count) as u16;
        result = begin(port);
        match &result {
            Err(e) if matches!(e.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable) => {}
            _ => break,
        }
    }
    result
}
