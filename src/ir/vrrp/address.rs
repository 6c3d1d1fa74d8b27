//! Addresses, routes and rules that come and go with an instance, or stay for the daemon's life.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;

/// A virtual address with its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vip {
    /// The address.
    pub addr: IpAddr,
    /// Prefix length; 32 or 128 when not written.
    pub prefix_len: u8,
    /// `dev`; `None`: the instance's interface (or its VMAC).
    pub dev: Option<String>,
    /// `label`, at most 15 bytes (IPv4 only).
    pub label: Option<String>,
    /// `scope`: rtnetlink scope, 0 global, 253 link, 254 host (IPv4 only).
    pub scope: u8,
    /// `brd` / `broadcast` (IPv4 only); `+` and `-` are computed.
    pub broadcast: Option<Ipv4Addr>,
    /// `peer ADDR[/LEN]`; its prefix length replaces the address's.
    pub peer: Option<IpAddr>,
    /// `home` (IPv6).
    pub home: bool,
    /// `-nodad`: duplicate address detection is left on (keepalived sets `nodad` on IPv6 addresses otherwise).
    pub dad: bool,
    /// `mngtmpaddr`.
    pub manage_temp_addr: bool,
    /// `noprefixroute`.
    pub no_prefix_route: bool,
    /// `autojoin`.
    pub autojoin: bool,
    /// `no_track`: losing this address does not make the instance leave MASTER.
    pub no_track: bool,
    /// `preferred_lft`, seconds; `None`: forever. IPv6 default: 0 for /128, else forever.
    pub preferred_lft: Option<u32>,
    /// `use_vmac`: put it on the VMAC interface.
    pub use_vmac: bool,
    /// The interface of [`super::Instance::links`] it goes to; `None`: to `dev` or the instance's.
    pub link: Option<String>,
}

impl Vip {
    /// A plain address as `A/len` writes it.
    #[must_use]
    pub fn plain(addr: IpAddr, prefix_len: u8) -> Self {
        Self {
            addr,
            prefix_len,
            dev: None,
            label: None,
            scope: 0,
            broadcast: None,
            peer: None,
            home: false,
            dad: false,
            manage_temp_addr: false,
            no_prefix_route: false,
            autojoin: false,
            no_track: false,
            preferred_lft: if addr.is_ipv6() && prefix_len == 128 { Some(0) } else { None },
            use_vmac: false,
            link: None,
        }
    }
}

/// A line of `static_ipaddress`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticAddress {
    /// The address; `dev` is always set.
    pub address: Vip,
    /// `track_group NAME`.
    pub track_group: Option<String>,
}

/// Type of a route (`blackhole`, `unreachable`, ...).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouteKind {
    /// `unicast`, the default.
    #[default]
    Unicast,
    /// `local`.
    Local,
    /// `broadcast`.
    Broadcast,
    /// `anycast`.
    Anycast,
    /// `multicast`.
    Multicast,
    /// `blackhole`.
    Blackhole,
    /// `unreachable`.
    Unreachable,
    /// `prohibit`.
    Prohibit,
    /// `throw`.
    Throw,
    /// `nat`.
    Nat,
}

/// One way a route may take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NextHop {
    /// `via` / `gw`.
    pub via: Option<IpAddr>,
    /// `dev`.
    pub dev: Option<String>,
    /// `weight`, 1..256.
    pub weight: Option<u16>,
    /// `onlink`.
    pub onlink: bool,
    /// `realms`.
    pub realms: Option<u32>,
    /// `encap ...`.
    pub encap: Option<Encap>,
}

/// Light-weight tunnel of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encap {
    /// `encap ip`.
    Ip(TunnelEnds<Ipv4Addr>),
    /// `encap ip6`.
    Ip6(TunnelEnds<Ipv6Addr>),
    /// `encap mpls LABEL[/LABEL...]`, outermost first.
    Mpls(Vec<u32>),
    /// `encap ila LOCATOR`, in network order.
    Ila([u8; 8]),
}

/// What a tunnel puts around packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TunnelEnds<A> {
    /// `id`.
    pub id: Option<u64>,
    /// `dst`.
    pub dst: Option<A>,
    /// `src`.
    pub src: Option<A>,
    /// `tos` (`tc` for IPv6).
    pub tos: Option<u8>,
    /// `ttl` (`hoplimit` for IPv6).
    pub ttl: Option<u8>,
    /// `flags`.
    pub flags: Option<u16>,
}

/// What happens when a route with the same key is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouteOrder {
    /// `prepend`, the default: the new one comes before it.
    #[default]
    Prepend,
    /// `append`: the new one comes after it.
    Append,
    /// `add`: the new one is not set.
    Exclusive,
}

/// A route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Destination; `None`: `default`.
    pub dst: Option<IpNet>,
    /// `from`: source-specific destination (IPv6).
    pub from: Option<IpNet>,
    /// The family was fixed by `inet6` or an IPv6 address.
    pub ipv6: bool,
    /// Type.
    pub kind: RouteKind,
    /// `src`: preferred source address.
    pub src: Option<IpAddr>,
    /// `via` / `gw`.
    pub via: Option<IpAddr>,
    /// `dev` / `oif`.
    pub dev: Option<String>,
    /// `nexthop` blocks (`or` in older files).
    pub nexthops: Vec<NextHop>,
    /// `table` number; `None`: main.
    pub table: Option<u32>,
    /// `metric` / `priority` / `preference`.
    pub metric: Option<u32>,
    /// `scope`.
    pub scope: Option<u8>,
    /// `protocol`; keepalived's own is 18.
    pub protocol: Option<u8>,
    /// `tos` / `dsfield`.
    pub tos: Option<u8>,
    /// `onlink`.
    pub onlink: bool,
    /// `mtu [lock]`.
    pub mtu: Option<(u32, bool)>,
    /// `advmss [lock]`.
    pub advmss: Option<(u32, bool)>,
    /// `hoplimit`.
    pub hoplimit: Option<u8>,
    /// `window`.
    pub window: Option<u32>,
    /// `cwnd [lock]`.
    pub cwnd: Option<(u32, bool)>,
    /// `initcwnd`.
    pub initcwnd: Option<u32>,
    /// `initrwnd`.
    pub initrwnd: Option<u32>,
    /// `rtt`.
    pub rtt: Option<Duration>,
    /// `rttvar`.
    pub rttvar: Option<Duration>,
    /// `rto_min`.
    pub rto_min: Option<Duration>,
    /// `ssthresh`.
    pub ssthresh: Option<u32>,
    /// `reordering`.
    pub reordering: Option<u32>,
    /// `realms [FROM/]TO`.
    pub realms: Option<u32>,
    /// `features ecn`.
    pub ecn: bool,
    /// `quickack`.
    pub quickack: Option<bool>,
    /// `congctl [lock] NAME`.
    pub congctl: Option<String>,
    /// Further metrics marked `lock`: bits by their number in the kernel (`RTAX_*`).
    pub locks: u32,
    /// `fastopen_no_cookie`.
    pub fastopen_no_cookie: Option<bool>,
    /// `pref`: router preference (IPv6); 0 medium, 1 high, 3 low.
    pub pref: Option<u8>,
    /// `expires`, seconds (IPv6).
    pub expires: Option<u32>,
    /// `ttl-propagate`.
    pub ttl_propagate: Option<bool>,
    /// `add`, `append`, `prepend`.
    pub order: RouteOrder,
    /// `vrf`: that VRF's table instead of one by number.
    pub vrf: Option<String>,
    /// `encap ...`.
    pub encap: Option<Encap>,
    /// `no_track`: losing this route does not make the instance leave MASTER.
    pub no_track: bool,
}

/// A line of `static_routes`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StaticRoute {
    /// The route.
    pub route: Route,
    /// `track_group NAME`.
    pub track_group: Option<String>,
}

/// A policy routing rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// `from`.
    pub from: Option<IpNet>,
    /// `to`.
    pub to: Option<IpNet>,
    /// The family was fixed by `inet6` or an IPv6 address.
    pub ipv6: bool,
    /// `not`.
    pub invert: bool,
    /// `iif` / `dev`.
    pub iif: Option<String>,
    /// `oif`.
    pub oif: Option<String>,
    /// `table` / `lookup`.
    pub table: Option<u32>,
    /// `priority` / `preference` / `order`.
    pub priority: Option<u32>,
    /// `fwmark VALUE[/MASK]`.
    pub fwmark: Option<(u32, Option<u32>)>,
    /// `tos` / `dsfield`.
    pub tos: Option<u8>,
    /// `goto`.
    pub goto: Option<u32>,
    /// `type`: an action other than table lookup.
    pub kind: Option<RouteKind>,
    /// `nop`.
    pub nop: bool,
    /// `suppress_prefixlength`.
    pub suppress_prefix_len: Option<u32>,
    /// `suppress_ifgroup`.
    pub suppress_ifgroup: Option<u32>,
    /// `uidrange A-B`.
    pub uid_range: Option<(u32, u32)>,
    /// `ipproto`.
    pub ip_proto: Option<u8>,
    /// `sport A[-B]`.
    pub sport: Option<(u16, u16)>,
    /// `dport A[-B]`.
    pub dport: Option<(u16, u16)>,
    /// `l3mdev`.
    pub l3mdev: bool,
    /// `realms [FROM/]TO`.
    pub realms: Option<u32>,
    /// `tunnel-id`.
    pub tunnel_id: Option<u64>,
    /// `protocol`.
    pub protocol: Option<u8>,
    /// `no_track`.
    pub no_track: bool,
}

/// A line of `static_rules`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StaticRule {
    /// The rule.
    pub rule: Rule,
    /// `track_group NAME`.
    pub track_group: Option<String>,
}
