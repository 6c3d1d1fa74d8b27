//! Making interfaces: bridges, pairs of virtual cables, addresses on them. What `tandem demo` builds its network from.

use std::io;
use std::net::Ipv4Addr;

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoIpVlan, InfoKind, InfoMacVlan, InfoVeth,
    IpVlanFlags, IpVlanMode, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
};

use super::netlink::Rtnl;
use crate::ir::vrrp::IpvlanMode;

const NEW: u16 = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;

fn index(name: &str) -> io::Result<u32> {
    nix::net::if_::if_nametoindex(name).map_err(io::Error::from)
}

fn send(message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
    Rtnl::open()?.request(message, flags, |_| {})
}

/// Hardware address of a bridge: locally administered. Without one of its own a bridge takes over that of a port and changes
/// it as ports come, and its neighbours go on sending to the old one.
const BRIDGE_MAC: [u8; 6] = [0x02, 0x54, 0x4e, 0x44, 0x4d, 0x01];

/// Makes a bridge.
///
/// # Errors
/// What the kernel says.
pub fn create_bridge(name: &str) -> io::Result<()> {
    let mut link = LinkMessage::default();
    link.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Address(BRIDGE_MAC.to_vec()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
    ];
    send(RouteNetlinkMessage::NewLink(link), NEW)
}

/// Makes a virtual cable with one end here and the other, named `far`, in the network namespace of process `pid`.
///
/// # Errors
/// What the kernel says.
pub fn create_veth(near: &str, far: &str, pid: u32) -> io::Result<()> {
    let mut peer = LinkMessage::default();
    peer.attributes = vec![LinkAttribute::IfName(far.to_owned()), LinkAttribute::NetNsPid(pid)];
    let mut link = LinkMessage::default();
    link.attributes = vec![
        LinkAttribute::IfName(near.to_owned()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ];
    send(RouteNetlinkMessage::NewLink(link), NEW)
}

/// Makes a macvlan in private mode on the interface with index `base`: it hears frames for `mac` and sends from there.
///
/// # Errors
/// What the kernel says.
pub fn create_macvlan(name: &str, base: u32, mac: [u8; 6]) -> io::Result<()> {
    let mut link = LinkMessage::default();
    link.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Link(base),
        LinkAttribute::Address(mac.to_vec()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::MacVlan),
            LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Private)])),
        ]),
    ];
    send(RouteNetlinkMessage::NewLink(link), NEW)
}

/// Makes an ipvlan for frames (L2) on the interface with index `base`.
///
/// # Errors
/// What the kernel says.
pub fn create_ipvlan(name: &str, base: u32, mode: IpvlanMode) -> io::Result<()> {
    let flags = match mode {
        IpvlanMode::Bridge => IpVlanFlags::empty(),
        IpvlanMode::Private => IpVlanFlags::Private,
        IpvlanMode::Vepa => IpVlanFlags::Vepa,
    };
    let mut link = LinkMessage::default();
    link.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Link(base),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::IpVlan),
            LinkInfo::Data(InfoData::IpVlan(vec![
                InfoIpVlan::Mode(IpVlanMode::L2),
                InfoIpVlan::Flags(flags),
            ])),
        ]),
    ];
    send(RouteNetlinkMessage::NewLink(link), NEW)
}

/// Removes an interface.
///
/// # Errors
/// What the kernel says.
pub fn delete(index: u32) -> io::Result<()> {
    let mut link = LinkMessage::default();
    link.header.index = index;
    send(RouteNetlinkMessage::DelLink(link), NLM_F_ACK)
}

/// The interface gets no link-local address made from its hardware address (RFC 5798, 7.4).
///
/// # Errors
/// What the kernel says.
pub fn no_generated_address(name: &str) -> io::Result<()> {
    let mut link = LinkMessage::default();
    link.header.index = index(name)?;
    let none = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
    link.attributes = vec![LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![none])])];
    send(RouteNetlinkMessage::SetLink(link), NLM_F_ACK)
}

/// Takes an interface up.
///
/// # Errors
/// What the kernel says.
pub fn up(name: &str) -> io::Result<()> {
    let mut link = LinkMessage::default();
    link.header.index = index(name)?;
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    send(RouteNetlinkMessage::SetLink(link), NLM_F_ACK)
}

/// Plugs an interface into a bridge.
///
/// # Errors
/// What the kernel says.
pub fn set_master(name: &str, bridge: &str) -> io::Result<()> {
    let mut link = LinkMessage::default();
    link.header.index = index(name)?;
    link.attributes = vec![LinkAttribute::Controller(index(bridge)?)];
    send(RouteNetlinkMessage::SetLink(link), NLM_F_ACK)
}

/// Gives an interface an IPv4 address, written `ADDRESS/PREFIX`.
///
/// # Errors
/// What the kernel says, or that this is no such address.
pub fn add_address(name: &str, address: &str) -> io::Result<()> {
    let network: ipnet::Ipv4Net = address.parse().map_err(io::Error::other)?;
    let ip: Ipv4Addr = network.addr();
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = network.prefix_len();
    message.header.index = index(name)?;
    message.attributes = vec![
        AddressAttribute::Local(ip.into()),
        AddressAttribute::Address(ip.into()),
        AddressAttribute::Broadcast(network.broadcast()),
    ];
    send(RouteNetlinkMessage::NewAddress(message), NEW)
}
