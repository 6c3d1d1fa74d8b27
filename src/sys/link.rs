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
    send(RouteNetlinkMessage::NewLink(ipvlan(name, base, mode)), NEW)
}

fn ipvlan(name: &str, base: u32, mode: IpvlanMode) -> LinkMessage {
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
    link
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

#[cfg(test)]
mod tests {
    use netlink_packet_core::Emitable;

    use super::*;

    /// An attribute as `linux/netlink.h` has it: length and type, the value, up to four bytes of nothing.
    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn an_ipvlan_is_asked_for_in_the_kernels_numbers() {
        // linux/if_link.h
        const IFLA_IFNAME: u16 = 3;
        const IFLA_LINK: u16 = 5;
        const IFLA_LINKINFO: u16 = 18;
        const IFLA_INFO_KIND: u16 = 1;
        const IFLA_INFO_DATA: u16 = 2;
        const IFLA_IPVLAN_MODE: u16 = 1;
        const IFLA_IPVLAN_FLAGS: u16 = 2;
        const IPVLAN_MODE_L2: u16 = 0;
        let expected = |flags: u16| {
            let mode = attribute(IFLA_IPVLAN_MODE, &IPVLAN_MODE_L2.to_ne_bytes());
            let data = [mode, attribute(IFLA_IPVLAN_FLAGS, &flags.to_ne_bytes())].concat();
            let info = [attribute(IFLA_INFO_KIND, b"ipvlan\0"), attribute(IFLA_INFO_DATA, &data)].concat();
            // struct ifinfomsg: nothing of it is set.
            let parts = [
                vec![0; 16],
                attribute(IFLA_IFNAME, b"ipvl51\0"),
                attribute(IFLA_LINK, &7u32.to_ne_bytes()),
                attribute(IFLA_LINKINFO, &info),
            ];
            parts.concat()
        };
        // IPVLAN_F_PRIVATE, IPVLAN_F_VEPA
        for (mode, flags) in [(IpvlanMode::Bridge, 0), (IpvlanMode::Private, 1), (IpvlanMode::Vepa, 2)] {
            let message = ipvlan("ipvl51", 7, mode);
            let mut bytes = vec![0; message.buffer_len()];
            message.emit(&mut bytes);
            // Whether the kernel is told that an attribute has others in it is up to the sender.
            for at in 0..bytes.len() - 1 {
                if at % 4 == 2 && bytes[at..at + 2] == (0x8000u16 | 18).to_ne_bytes() {
                    bytes[at..at + 2].copy_from_slice(&18u16.to_ne_bytes());
                }
            }
            assert_eq!(bytes, expected(flags), "{mode:?}");
        }
    }
}
