//! Backends in `mode log`: each line goes to one of their servers.

use std::sync::{Arc, Weak};

use super::{Address, Live, Proxy, Server, vars};
use crate::balance::hash;
use crate::expr::{Sample, conv};
use crate::ir;
use crate::ir::expr::SampleType;
use crate::ir::log::{Facility, LogDest, LogFraming, LogTarget, RingAddr, RingConf, RingServer};
use crate::ir::proxy::{HashFunction, LogBalance};
use crate::log::{Balancer, Logger, Targets};

/// The servers of one backend.
struct Servers {
    proxy: Weak<Proxy>,
    /// The way to each, by its number.
    ways: Vec<Option<Targets>>,
}

/// Makes the backends that take log lines known to the logger.
pub(super) fn attach(live: &Live) {
    for proxy in live.proxies() {
        let Some(backend) = proxy.backend.as_ref() else { continue };
        if !proxy.ir.backend.as_ref().is_some_and(|half| half.takes_logs) {
            continue;
        }
        let ways =
            backend.servers().iter().map(|server| way(&proxy.logger, &proxy.ir.name, server)).collect();
        let servers = Servers { proxy: Arc::downgrade(&proxy), ways };
        proxy.logger.attach(&proxy.ir.name, Arc::new(servers));
    }
}

/// Datagrams, or a ring of its own and a connection.
fn way(logger: &Logger, backend: &str, server: &Server) -> Option<Targets> {
    let dest = match server.address() {
        Address::Ip(addr) if server.ir.datagrams => LogDest::Udp(addr),
        Address::Unknown => return None,
        address => {
            let name = format!("{backend}/{}", server.ir.name);
            let addr = match address {
                Address::Ip(addr) => RingAddr::Tcp(addr),
                Address::Unix(path) => RingAddr::Unix(path),
                // Refused when the file was read.
                Address::Unknown | Address::SockPair(_) => return None,
            };
            let to = RingServer { name: server.ir.name.clone(), addr, octet_count: false };
            logger.define(&[RingConf { servers: vec![to], ..RingConf::new(&name) }]);
            LogDest::Ring(name)
        }
    };
    let target = LogTarget::new(dest, LogFraming::Raw, Facility(0));
    Some(logger.open(&[LogTarget { max_len: usize::MAX, ..target }]))
}

impl Balancer for Servers {
    fn send(&self, line: &[u8], message: usize) -> bool {
        let Some(proxy) = self.proxy.upgrade() else { return false };
        let Some(server) = self.choose(&proxy, &line[message.min(line.len())..]) else { return false };
        let Some(Some(way)) = self.ways.get(server) else { return false };
        proxy.logger.pass(way, line)
    }
}

impl Servers {
    fn choose(&self, proxy: &Proxy, message: &[u8]) -> Option<usize> {
        let half = proxy.ir.backend.as_ref()?;
        match half.log_balance {
            LogBalance::RoundRobin | LogBalance::Random => proxy.turn_to(None),
            LogBalance::Sticky => sticky(proxy, half.allbackups),
            LogBalance::Hash => proxy.turn_to(Some(hashed(half, message)?)),
        }
    }
}

/// The server that has been up for longest, a backup if there is no other.
fn sticky(proxy: &Proxy, allbackups: bool) -> Option<usize> {
    let servers = proxy.backend.as_ref()?.servers();
    let longest = |backup: bool| {
        let usable = servers.iter().filter(|server| server.ir.backup == backup && server.turn() > 0);
        if backup && !allbackups {
            usable.min_by_key(|server| server.index)
        } else {
            usable.min_by_key(|server| server.turn())
        }
    };
    longest(false).or_else(|| longest(true)).map(|server| server.index)
}

/// What the converters make of a message, hashed.
fn hashed(half: &ir::Backend, message: &[u8]) -> Option<u32> {
    let converters = half.hash_expr.as_ref().map_or(&[][..], |expr| &expr.convs);
    let wanted =
        if half.hash_type.function == HashFunction::None { SampleType::Str } else { SampleType::Bin };
    let text = message.strip_suffix(b"\n").unwrap_or(message);
    vars::without_session(|ctx| {
        let made = conv::chain(converters, Sample::text(text), ctx).ok()?;
        // Of nothing, too.
        Some(hash::hash(half.hash_type, &made.cast(wanted)?.into_text()))
    })
}
