//! Interfaces and addresses through rtnetlink.
//!
//! Requests are synchronous: the kernel answers an rtnetlink request before `send` returns, so waiting for
//! the acknowledgement costs one more system call and no time. Changes made by others arrive on a second
//! socket, the [`Monitor`].

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope, CacheInfo,
};
use netlink_packet_route::link::{InfoData, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::rule::{RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::sys::socket::{
    AddressFamily as Family, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send,
    socket,
};
use tokio::io::unix::AsyncFd;

const RTMGRP_LINK: u32 = 0x1;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV6_IFADDR: u32 = 0x100;
const RTMGRP_IPV4_ROUTE: u32 = 0x40;
const RTMGRP_IPV6_ROUTE: u32 = 0x400;
const RTMGRP_IPV4_RULE: u32 = 0x80;
const RTMGRP_IPV6_RULE: u32 = 0x4_0000;
/// Who set a route or rule (`/etc/iproute2/rt_protos`).
pub(super) const RTPROT_KEEPALIVED: u8 = 18;
/// What the monitor hears.
const GROUPS: u32 = RTMGRP_LINK
    | RTMGRP_IPV4_IFADDR
    | RTMGRP_IPV6_IFADDR
    | RTMGRP_IPV4_ROUTE
    | RTMGRP_IPV6_ROUTE
    | RTMGRP_IPV4_RULE
    | RTMGRP_IPV6_RULE;

/// An interface as the kernel describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Kernel index.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Administratively up and with a carrier.
    pub up: bool,
    /// `IFF_*`.
    pub flags: u32,
    /// `ARPHRD_*`.
    pub hardware: u16,
    /// Hardware address, six bytes for Ethernet.
    pub mac: Vec<u8>,
    /// ARP works on it.
    pub arp: bool,
    /// Largest packet.
    pub mtu: u32,
    /// What the kernel calls its driver (`macvlan`, `vrf`, ...); empty for hardware.
    pub kind: String,
    /// Index of the interface below.
    pub parent: Option<u32>,
}

/// An address on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Interface index.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Prefix length.
    pub prefix_len: u8,
    /// rtnetlink scope.
    pub scope: u8,
    /// Not a primary address of its network (IPv4).
    pub secondary: bool,
    /// Not usable yet (IPv6 duplicate detection).
    pub tentative: bool,
}

/// An address to install or remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressSpec {
    /// Interface index.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Prefix length.
    pub prefix_len: u8,
    /// rtnetlink scope.
    pub scope: u8,
    /// Label (IPv4).
    pub label: Option<String>,
    /// Broadcast address (IPv4).
    pub broadcast: Option<Ipv4Addr>,
    /// Other end of a point-to-point address.
    pub peer: Option<IpAddr>,
    /// `IFA_F_*`.
    pub flags: u32,
    /// Seconds; `u32::MAX`: forever.
    pub preferred_lft: u32,
    /// Seconds after which the kernel removes it by itself; `u32::MAX`: never.
    pub valid_lft: u32,
}

/// `IFA_F_NODAD`.
pub const FLAG_NODAD: u32 = 0x02;
/// `IFA_F_HOMEADDRESS`.
pub const FLAG_HOME: u32 = 0x10;
/// `IFA_F_MANAGETEMPADDR`.
pub const FLAG_MANAGE_TEMP: u32 = 0x100;
/// `IFA_F_NOPREFIXROUTE`.
pub const FLAG_NO_PREFIX_ROUTE: u32 = 0x200;
/// `IFA_F_MCAUTOJOIN`.
pub const FLAG_AUTOJOIN: u32 = 0x400;

/// A change somebody made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// New or changed interface.
    Link(Link),
    /// Interface gone.
    LinkGone(Link),
    /// Address added or changed.
    Address(Address),
    /// Address gone.
    AddressGone(Address),
    /// A route of a program of this kind is gone.
    RouteGone,
    /// A policy rule of a program of this kind is gone.
    RuleGone,
    /// The kernel had more to say than the socket could hold: read everything anew.
    Lost,
}

fn open(groups: u32) -> io::Result<OwnedFd> {
    let fd = socket(
        Family::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC | if groups == 0 { SockFlag::empty() } else { SockFlag::SOCK_NONBLOCK },
        SockProtocol::NetlinkRoute,
    )?;
    bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    Ok(fd)
}

/// The request socket.
#[derive(Debug)]
pub struct Rtnl {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Rtnl {
    /// Opens it.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn open() -> io::Result<Self> {
        Ok(Self { fd: open(0)?, sequence: 0, buffer: vec![0; 64 * 1024] })
    }

    /// Bytes of answers that may wait; `force`: beyond the limit of the system.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn set_buffer(&self, bytes: u32, force: bool) -> io::Result<()> {
        super::fd::receive_buffer(self.fd.as_fd(), bytes, force)
    }

    /// Sends a request and hands every answer to `each` until the acknowledgement or the end of the dump.
    pub(super) fn request(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        mut each: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = NetlinkMessage::from(message);
        packet.header.flags = NLM_F_REQUEST | flags;
        packet.header.sequence_number = self.sequence;
        packet.finalize();
        let mut out = vec![0; packet.buffer_len()];
        packet.serialize(&mut out);
        send(self.fd.as_raw_fd(), &out, MsgFlags::empty())?;
        loop {
            let size = recv(self.fd.as_raw_fd(), &mut self.buffer, MsgFlags::empty())?;
            for message in (Messages { rest: &self.buffer[..size] }) {
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::Done(_) => return Ok(()),
                    NetlinkPayload::Error(e) if e.code.is_none() => return Ok(()),
                    NetlinkPayload::Error(e) => return Err(e.to_io()),
                    NetlinkPayload::InnerMessage(inner) => each(inner),
                    _ => {}
                }
            }
        }
    }

    /// Sends a request that answers with an acknowledgement only.
    pub(super) fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.request(message, flags, |_| {})
    }

    /// Every interface.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn links(&mut self) -> io::Result<Vec<Link>> {
        let mut links = Vec::new();
        self.request(RouteNetlinkMessage::GetLink(LinkMessage::default()), NLM_F_DUMP, |message| {
            if let RouteNetlinkMessage::NewLink(link) = message {
                links.push(to_link(&link));
            }
        })?;
        Ok(links)
    }

    /// The interface with this name.
    ///
    /// # Errors
    /// `NotFound`, or whatever the kernel says.
    pub fn link(&mut self, name: &str) -> io::Result<Link> {
        let found = self.links()?.into_iter().find(|l| l.name == name);
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no interface {name}")))
    }

    /// What `pick` finds in the kind-specific data of the interface with this name.
    pub(super) fn links_of_kind<T>(
        &mut self,
        name: &str,
        pick: impl Fn(&InfoData) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let mut found = None;
        self.request(RouteNetlinkMessage::GetLink(LinkMessage::default()), NLM_F_DUMP, |message| {
            let RouteNetlinkMessage::NewLink(link) = message else { return };
            let named = |a: &LinkAttribute| matches!(a, LinkAttribute::IfName(n) if n == name);
            if !link.attributes.iter().any(named) {
                return;
            }
            for attribute in &link.attributes {
                let LinkAttribute::LinkInfo(infos) = attribute else { continue };
                for info in infos {
                    if let LinkInfo::Data(data) = info {
                        found = pick(data);
                    }
                }
            }
        })?;
        Ok(found)
    }

    /// Every address of every interface.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn addresses(&mut self) -> io::Result<Vec<Address>> {
        let mut addresses = Vec::new();
        let get = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        self.request(get, NLM_F_DUMP, |message| {
            if let RouteNetlinkMessage::NewAddress(address) = message {
                addresses.extend(to_address(&address));
            }
        })?;
        Ok(addresses)
    }

    /// Installs an address, or renews its lifetimes.
    ///
    /// # Errors
    /// Whatever the kernel says; an address that is there already is no error.
    pub fn add_address(&mut self, spec: &AddressSpec) -> io::Result<()> {
        let message = RouteNetlinkMessage::NewAddress(to_message(spec));
        match self.request(message, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, |_| {}) {
            Err(e) if e.raw_os_error() == Some(libc::EEXIST) => Ok(()),
            other => other,
        }
    }

    /// Removes an address. `Ok(false)`: it was not there.
    ///
    /// # Errors
    /// Whatever else the kernel says.
    pub fn delete_address(&mut self, spec: &AddressSpec) -> io::Result<bool> {
        let message = RouteNetlinkMessage::DelAddress(to_message(spec));
        match self.request(message, NLM_F_ACK, |_| {}) {
            Ok(()) => Ok(true),
            Err(e) if matches!(e.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::ENODEV)) => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// Hears of changes to interfaces and addresses. Not blocking; poll its descriptor.
#[derive(Debug)]
pub struct Monitor {
    fd: OwnedFd,
}

impl Monitor {
    /// Opens it; every change after this call is heard.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn open() -> io::Result<Self> {
        Ok(Self { fd: open(GROUPS)? })
    }

    /// Bytes of changes that may wait; `force`: beyond the limit of the system.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn set_buffer(&self, bytes: u32, force: bool) -> io::Result<()> {
        super::fd::receive_buffer(self.fd.as_fd(), bytes, force)
    }

    /// Registers it with the runtime of the calling thread.
    ///
    /// # Errors
    /// Whatever the kernel says.
    pub fn watch(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: the descriptor is owned, valid, and neither replaced nor closed while `self` lives.
        Ok(unsafe { AsyncFd::register(self) }?)
    }

    /// Reads one batch of changes.
    ///
    /// # Errors
    /// `WouldBlock` when there is none, else whatever the kernel says.
    pub fn receive(&self, changes: &mut Vec<Change>) -> io::Result<()> {
        let mut buffer = [0; 32 * 1024];
        let size = match recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(size) => size,
            Err(nix::Error::ENOBUFS) => {
                changes.push(Change::Lost);
                return Ok(());
            }
            Err(e) => return Err(e.into()),
        };
        for message in (Messages { rest: &buffer[..size] }) {
            let NetlinkPayload::InnerMessage(inner) = message.payload else { continue };
            match inner {
                RouteNetlinkMessage::NewLink(link) => changes.push(Change::Link(to_link(&link))),
                RouteNetlinkMessage::DelLink(link) => changes.push(Change::LinkGone(to_link(&link))),
                RouteNetlinkMessage::NewAddress(a) => changes.extend(to_address(&a).map(Change::Address)),
                RouteNetlinkMessage::DelRoute(route)
                    if u8::from(route.header.protocol) == RTPROT_KEEPALIVED =>
                {
                    changes.push(Change::RouteGone);
                }
                RouteNetlinkMessage::DelRule(rule) if of_keepalived(&rule) => changes.push(Change::RuleGone),
                RouteNetlinkMessage::DelAddress(a) => changes.extend(to_address(&a).map(Change::AddressGone)),
                _ => {}
            }
        }
        Ok(())
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// The messages in one datagram; one that cannot be read is passed over.
struct Messages<'a> {
    rest: &'a [u8],
}

impl Iterator for Messages<'_> {
    type Item = NetlinkMessage<RouteNetlinkMessage>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let head = self.rest.get(..4)?;
            let len = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]) as usize;
            if len < 16 || len > self.rest.len() {
                return None;
            }
            let (this, rest) = self.rest.split_at(len);
            // Messages are aligned to four bytes.
            self.rest = rest.get(len.next_multiple_of(4) - len..).unwrap_or_default();
            if let Ok(message) = NetlinkMessage::deserialize(this) {
                return Some(message);
            }
        }
    }
}

fn of_keepalived(rule: &RuleMessage) -> bool {
    let protocol =
        |a: &RuleAttribute| matches!(a, RuleAttribute::Protocol(p) if u8::from(*p) == RTPROT_KEEPALIVED);
    rule.attributes.iter().any(protocol)
}

fn to_link(message: &LinkMessage) -> Link {
    let flags = message.header.flags;
    let mut link = Link {
        index: message.header.index,
        up: flags.contains(LinkFlags::Up) && flags.contains(LinkFlags::Running),
        flags: flags.bits(),
        hardware: message.header.link_layer_type.into(),
        arp: !flags.contains(LinkFlags::Noarp),
        ..Link::default()
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Address(mac) => link.mac.clone_from(mac),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Link(parent) => link.parent = Some(*parent),
            LinkAttribute::LinkInfo(infos) => {
                let kind = |i: &LinkInfo| match i {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                };
                link.kind = infos.iter().find_map(kind).unwrap_or_default();
            }
            _ => {}
        }
    }
    link
}

fn to_address(message: &AddressMessage) -> Option<Address> {
    let mut address = None;
    let mut local = None;
    let mut flags = u32::from(message.header.flags.bits());
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Address(a) => address = Some(*a),
            AddressAttribute::Local(a) => local = Some(*a),
            AddressAttribute::Flags(f) => flags = f.bits(),
            _ => {}
        }
    }
    let flags = AddressFlags::from_bits_retain(flags);
    Some(Address {
        index: message.header.index,
        address: local.or(address)?,
        prefix_len: message.header.prefix_len,
        scope: message.header.scope.into(),
        secondary: flags.contains(AddressFlags::Secondary),
        tentative: flags.contains(AddressFlags::Tentative),
    })
}

fn to_message(spec: &AddressSpec) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = if spec.address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.prefix_len = spec.prefix_len;
    message.header.scope = AddressScope::from(spec.scope);
    message.header.index = spec.index;
    message.header.flags = AddressHeaderFlags::from_bits_retain((spec.flags & 0xff) as u8);
    let attributes = &mut message.attributes;
    attributes.push(AddressAttribute::Local(spec.address));
    attributes.push(AddressAttribute::Address(spec.peer.unwrap_or(spec.address)));
    attributes.extend(spec.label.clone().map(AddressAttribute::Label));
    attributes.extend(spec.broadcast.map(AddressAttribute::Broadcast));
    if spec.flags > 0xff {
        attributes.push(AddressAttribute::Flags(AddressFlags::from_bits_retain(spec.flags)));
    }
    if (spec.preferred_lft, spec.valid_lft) != (u32::MAX, u32::MAX) {
        let mut cache = CacheInfo::default();
        cache.ifa_preferred = spec.preferred_lft;
        cache.ifa_valid = spec.valid_lft;
        attributes.push(AddressAttribute::CacheInfo(cache));
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_the_loopback_interface_and_its_address() {
        let mut rtnl = Rtnl::open().unwrap();
        let links = rtnl.links().unwrap();
        let lo = links.iter().find(|l| l.name == "lo").expect("every machine has one");
        if lo.up {
            let addresses = rtnl.addresses().unwrap();
            assert!(addresses.iter().any(|a| a.index == lo.index && a.address.is_loopback()));
        }
    }

    #[test]
    fn broken_datagrams_end_the_iteration() {
        for bytes in [&[][..], &[1, 2], &[4, 0, 0, 0], &[255, 255, 0, 0, 1, 1], &[17, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(Messages { rest: bytes }.count(), 0);
        }
    }
}
