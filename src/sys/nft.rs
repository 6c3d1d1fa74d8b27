//! Packet filter rules through nf_tables netlink: what virtual addresses may not receive or send.
//!
//! A table of our own per family is replaced as a whole in one transaction: either all of it counts or none, and
//! nothing of other tables is touched. The encoding is that of `linux/netfilter/nf_tables.h`: attributes in network
//! order, except the values packets are compared with.

use std::cell::OnceCell;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
};

/// The way to nf_tables, opened when it is first needed.
///
/// It stays open: closing it waits until the kernel has freed what was replaced, which takes hundreds of milliseconds
/// on a busy machine.
#[derive(Debug, Default)]
pub struct Channel(OnceCell<OwnedFd>);

impl Channel {
    fn socket(&self) -> io::Result<&OwnedFd> {
        if let Some(fd) = self.0.get() {
            return Ok(fd);
        }
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkNetFilter,
        )?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(self.0.get_or_init(|| fd))
    }
}

/// What is filtered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Name of the tables.
    pub table: String,
    /// Priority of the chains; the usual filters are at 0.
    pub priority: i32,
    /// Count what is dropped.
    pub counters: bool,
    /// Nothing may come in for these addresses or go out from them.
    pub v4: Vec<Ipv4Addr>,
    /// The same; neighbour discovery is excepted.
    pub v6: Vec<Ipv6Addr>,
    /// Link-local addresses with the index of their interface.
    pub link_local: Vec<(Ipv6Addr, u32)>,
    /// Indices of interfaces with a virtual hardware address: no group membership reports and router solicitations
    /// from them, which would tell switches that the address is here.
    pub quiet: Vec<u32>,
}

impl Filter {
    fn filters_v4(&self) -> bool {
        !self.v4.is_empty() || !self.quiet.is_empty()
    }

    fn filters_v6(&self) -> bool {
        !self.v6.is_empty() || !self.link_local.is_empty() || !self.quiet.is_empty()
    }
}

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
pub(super) const NEW_TABLE: u16 = 0;
pub(super) const DELETE_TABLE: u16 = 2;
pub(super) const NEW_CHAIN: u16 = 3;
pub(super) const NEW_RULE: u16 = 6;
pub(super) const NEW_SET: u16 = 9;
const NEW_ELEMENTS: u16 = 12;

const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
pub(super) const CREATE: u16 = 0x400;
pub(super) const APPEND: u16 = 0x800;
const NESTED: u16 = 0x8000;

/// Families of tables (`NFPROTO_*`).
const IPV4: u8 = 2;
const IPV6: u8 = 10;

/// Hooks (`NF_INET_*`).
const INPUT: u32 = 1;
const OUTPUT: u32 = 3;

const VERDICT_REGISTER: u32 = 0;
/// First of the four-byte registers.
pub(super) const REGISTER: u32 = 8;
pub(super) const DROP: u32 = 0;
pub(super) const ACCEPT: u32 = 1;

/// Keys of `meta`.
const META_IIF: u32 = 4;
const META_OIF: u32 = 5;
pub(super) const META_PROTOCOL: u32 = 16;

/// Bases of `payload`.
pub(super) const NETWORK: u32 = 1;
pub(super) const TRANSPORT: u32 = 2;

/// Data types as nft(8) numbers them: for its listing only.
pub(super) const TYPE_IPV4: u32 = 7;
pub(super) const TYPE_IPV6: u32 = 8;
const TYPE_INTERFACE: u32 = 20;

const IGMP: u8 = 2;
pub(super) const ICMPV6: u8 = 58;
/// Neighbour solicitation and advertisement.
const DISCOVERY: [u8; 2] = [135, 136];
/// Listener reports of both versions, listener done, router solicitation.
const REPORTS: [u8; 4] = [131, 132, 133, 143];

/// Makes the kernel filter exactly this; an empty filter removes the tables.
///
/// # Errors
/// What the kernel says: `PermissionDenied` without CAP_NET_ADMIN, others when it has no nf_tables.
pub fn apply(channel: &Channel, filter: &Filter) -> io::Result<()> {
    let mut batch = Batch::new();
    for (family, wanted) in [(IPV4, filter.filters_v4()), (IPV6, filter.filters_v6())] {
        // Deleting what may not be there is an error, so it is made first.
        batch.table(family, NEW_TABLE, &filter.table);
        batch.table(family, DELETE_TABLE, &filter.table);
        if wanted {
            batch.table(family, NEW_TABLE, &filter.table);
            batch.rules(family, filter);
        }
    }
    batch.commit(channel)
}

/// Attributes, one after the other.
#[derive(Default)]
pub(super) struct Attributes(pub(super) Vec<u8>);

impl Attributes {
    pub(super) fn raw(mut self, kind: u16, value: &[u8]) -> Self {
        let len = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.0.extend(len.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub(super) fn text(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.raw(kind, &bytes)
    }

    pub(super) fn number(self, kind: u16, value: u32) -> Self {
        self.raw(kind, &value.to_be_bytes())
    }

    pub(super) fn nest(self, kind: u16, inner: Self) -> Self {
        self.raw(kind | NESTED, &inner.0)
    }

    /// A member of a list.
    pub(super) fn item(self, inner: Self) -> Self {
        self.nest(1, inner)
    }

    /// An expression of a rule.
    pub(super) fn expression(self, name: &str, data: Self) -> Self {
        self.item(Self::default().text(1, name).nest(2, data))
    }

    /// Loads part of the packet into a register.
    pub(super) fn load(self, base: u32, offset: u32, len: u32) -> Self {
        let data = Self::default().number(1, REGISTER).number(2, base).number(3, offset).number(4, len);
        self.expression("payload", data)
    }

    /// Loads something known of the packet into the register that is `after` bytes behind the first.
    pub(super) fn meta(self, key: u32, after: u32) -> Self {
        self.expression("meta", Self::default().number(1, REGISTER + after / 4).number(2, key))
    }

    /// Goes on only if the register has this value.
    pub(super) fn equal(self, value: &[u8]) -> Self {
        let data = Self::default().number(1, REGISTER).number(2, 0).nest(3, Self::default().raw(1, value));
        self.expression("cmp", data)
    }

    /// Goes on only if the register is in the set.
    pub(super) fn within(self, set: &str) -> Self {
        self.expression("lookup", Self::default().text(1, set).number(2, REGISTER))
    }

    pub(super) fn verdict(self, code: u32, counters: bool) -> Self {
        let counted = if counters { self.expression("counter", Self::default()) } else { self };
        let verdict = Self::default().nest(2, Self::default().number(1, code));
        counted.expression("immediate", Self::default().number(1, VERDICT_REGISTER).nest(2, verdict))
    }
}

/// A transaction.
pub(super) struct Batch {
    bytes: Vec<u8>,
    sequence: u32,
    sets: u32,
}

impl Batch {
    pub(super) fn new() -> Self {
        let mut batch = Self { bytes: Vec::new(), sequence: 0, sets: 0 };
        batch.message(BATCH_BEGIN, REQUEST, 0, SUBSYSTEM, &Attributes::default());
        batch
    }

    fn message(&mut self, kind: u16, flags: u16, family: u8, resource: u16, attributes: &Attributes) {
        let len = u32::try_from(20 + attributes.0.len()).unwrap_or(u32::MAX);
        self.bytes.extend(len.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(self.sequence.to_ne_bytes());
        self.bytes.extend(0_u32.to_ne_bytes());
        self.bytes.extend([family, 0]);
        self.bytes.extend(resource.to_be_bytes());
        self.bytes.extend(&attributes.0);
        self.sequence += 1;
    }

    pub(super) fn add(&mut self, kind: u16, flags: u16, family: u8, attributes: &Attributes) {
        self.message(SUBSYSTEM << 8 | kind, REQUEST | ACK | flags, family, 0, attributes);
    }

    pub(super) fn table(&mut self, family: u8, kind: u16, table: &str) {
        let flags = if kind == NEW_TABLE { CREATE } else { 0 };
        self.add(kind, flags, family, &Attributes::default().text(1, table));
    }

    fn chain(&mut self, family: u8, filter: &Filter, name: &str, hook: u32) {
        let priority = u32::from_ne_bytes(filter.priority.to_ne_bytes());
        let at = Attributes::default().number(1, hook).number(2, priority);
        let chain = Attributes::default().text(1, &filter.table).text(3, name).nest(4, at);
        self.add(NEW_CHAIN, CREATE, family, &chain.number(5, ACCEPT).text(7, "filter"));
    }

    fn set(&mut self, family: u8, filter: &Filter, name: &str, kind: u32, keys: &[Vec<u8>]) {
        let len = keys.first().map_or(0, |k| u32::try_from(k.len()).unwrap_or(0));
        self.sets += 1;
        let set = Attributes::default().text(1, &filter.table).text(2, name).number(3, 0);
        let mut set = set.number(4, kind).number(5, len).number(10, self.sets);
        if kind == TYPE_INTERFACE {
            // For nft(8), which must know that the keys are in the order of the machine: type, length, value.
            set = set.raw(13, &[0, 4, 1, 0, 0, 0]);
        }
        self.add(NEW_SET, CREATE, family, &set);
        let element = |list: Attributes, key: &Vec<u8>| {
            list.item(Attributes::default().nest(1, Attributes::default().raw(1, key)))
        };
        // A few hundred at a time: the length of a list is 16 bits.
        for keys in keys.chunks(512) {
            let elements = keys.iter().fold(Attributes::default(), element);
            let list = Attributes::default().text(1, &filter.table).text(2, name).nest(3, elements);
            self.add(NEW_ELEMENTS, CREATE, family, &list);
        }
    }

    fn rule(&mut self, family: u8, filter: &Filter, chain: &str, expressions: Attributes) {
        let rule = Attributes::default().text(1, &filter.table).text(2, chain).nest(4, expressions);
        self.add(NEW_RULE, CREATE | APPEND, family, &rule);
    }

    fn rules(&mut self, family: u8, filter: &Filter) {
        self.chain(family, filter, "in", INPUT);
        self.chain(family, filter, "out", OUTPUT);
        if !filter.quiet.is_empty() {
            let keys: Vec<_> = filter.quiet.iter().map(|index| index.to_ne_bytes().to_vec()).collect();
            self.set(family, filter, "vmac_set", TYPE_INTERFACE, &keys);
            let from_them =
                || Attributes::default().meta(META_OIF, 0).within("vmac_set").meta(META_PROTOCOL, 0);
            if family == IPV4 {
                let rule = from_them().equal(&[IGMP]).verdict(DROP, filter.counters);
                self.rule(family, filter, "out", rule);
            } else {
                for kind in REPORTS {
                    let rule = from_them().equal(&[ICMPV6]).load(TRANSPORT, 0, 1).equal(&[kind]);
                    self.rule(family, filter, "out", rule.verdict(DROP, filter.counters));
                }
            }
        }
        // Where the addresses stand in the header.
        let (source, destination, len) = if family == IPV4 { (12, 16, 4) } else { (8, 24, 16) };
        let sides = [("in", destination, META_IIF), ("out", source, META_OIF)];
        if family == IPV6 && !(filter.v6.is_empty() && filter.link_local.is_empty()) {
            for (chain, kind) in sides.iter().flat_map(|s| DISCOVERY.map(|kind| (s.0, kind))) {
                let icmp = Attributes::default().meta(META_PROTOCOL, 0).equal(&[ICMPV6]);
                let rule = icmp.load(TRANSPORT, 0, 1).equal(&[kind]).verdict(ACCEPT, false);
                self.rule(family, filter, chain, rule);
            }
        }
        let addresses: Vec<Vec<u8>> = if family == IPV4 {
            filter.v4.iter().map(|a| a.octets().to_vec()).collect()
        } else {
            filter.v6.iter().map(|a| a.octets().to_vec()).collect()
        };
        if !addresses.is_empty() {
            self.set(family, filter, "vips", if family == IPV4 { TYPE_IPV4 } else { TYPE_IPV6 }, &addresses);
            for (chain, offset, _) in sides {
                let rule = Attributes::default().load(NETWORK, offset, len).within("vips");
                self.rule(family, filter, chain, rule.verdict(DROP, filter.counters));
            }
        }
        if family == IPV6 && !filter.link_local.is_empty() {
            let key = |(a, index): &(Ipv6Addr, u32)| [&a.octets()[..], &index.to_ne_bytes()].concat();
            let keys: Vec<_> = filter.link_local.iter().map(key).collect();
            // A concatenation of two types, six bits each.
            self.set(family, filter, "vips_link_local", TYPE_IPV6 << 6 | TYPE_INTERFACE, &keys);
            for (chain, offset, interface) in sides {
                let rule = Attributes::default().load(NETWORK, offset, len).meta(interface, len);
                let rule = rule.within("vips_link_local").verdict(DROP, filter.counters);
                self.rule(family, filter, chain, rule);
            }
        }
    }

    /// Sends it and hears whether all of it was taken.
    pub(super) fn commit(mut self, channel: &Channel) -> io::Result<()> {
        self.message(BATCH_END, REQUEST, 0, SUBSYSTEM, &Attributes::default());
        let fd = channel.socket()?.as_raw_fd();
        send(fd, &self.bytes, MsgFlags::empty())?;
        // The answers are there when `send` returns; all are read, so that none is taken for one to the next batch.
        let mut buffer = vec![0; 64 * 1024];
        let mut result = Ok(());
        loop {
            match recv(fd, &mut buffer, MsgFlags::empty()) {
                Ok(size) => result = result.and(answers(&buffer[..size])),
                Err(nix::Error::EAGAIN) => return result,
                Err(e) => return Err(e.into()),
            }
        }
    }
}

/// The first refusal among acknowledgements.
fn answers(mut bytes: &[u8]) -> io::Result<()> {
    const ERROR: u16 = 2;
    while let Some(head) = bytes.get(..20) {
        let len = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let code = i32::from_ne_bytes([head[16], head[17], head[18], head[19]]);
        if u16::from_ne_bytes([head[4], head[5]]) == ERROR && code != 0 {
            return Err(io::Error::from_raw_os_error(-code));
        }
        bytes = bytes.get(len.max(16).next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_aligned_and_nested() {
        let inner = Attributes::default().raw(1, &[7]);
        assert_eq!(inner.0, [5, 0, 1, 0, 7, 0, 0, 0]);
        let outer = Attributes::default().nest(2, inner);
        assert_eq!(outer.0[..4], [12, 0, 2, 0x80]);
    }

    #[test]
    fn refusals_are_found_among_acknowledgements() {
        let mut bytes = vec![0; 40];
        for (at, code) in [(0, 0_i32), (20, -13)] {
            bytes[at] = 20;
            bytes[at + 4] = 2;
            bytes[at + 16..at + 20].copy_from_slice(&code.to_ne_bytes());
        }
        assert!(answers(&bytes[..20]).is_ok());
        assert_eq!(answers(&bytes).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(answers(&[1, 2, 3]).is_ok());
    }
}
