//! `vrrp_instance` and `vrrp_sync_group`.

use std::net::IpAddr;
use std::time::Duration;

use super::super::Place;
use super::address::{Route, Rule, Vip};
use super::hmac::AuthHmac;
use super::track::{
    NotifyScript, TrackBfd, TrackInterface, TrackedFile, TrackedProcess, TrackedProxy, TrackedScript,
};
use super::{InstanceIdx, SyncGroupIdx};

/// Protocol version on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// RFC 3768: whole seconds, optional authentication, IPv4.
    #[default]
    V2,
    /// RFC 5798 / 9568: centiseconds, IPv4 and IPv6.
    V3,
}

/// State an instance tries to start in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InitialState {
    /// Waits for adverts first.
    #[default]
    Backup,
    /// Becomes master without waiting for the master-down timer.
    Master,
}

/// Eight password bytes, zero padded: what goes on the wire.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct AuthPass(pub [u8; 8]);

impl std::fmt::Debug for AuthPass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthPass(********)")
    }
}

/// `authentication { auth_type ..., auth_pass ... }` (VRRPv2 only).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// None.
    #[default]
    None,
    /// `PASS`: the password travels in clear.
    Pass(AuthPass),
    /// `AH`: IPsec authentication header, HMAC-MD5-96 keyed with the password.
    Ah(AuthPass),
}

/// `old_unicast_checksum`: unicast v3 checksum of keepalived up to 1.3.6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnicastChecksum {
    /// Accept both; send the one the master sent.
    #[default]
    Auto,
    /// `old_unicast_checksum never`.
    Never,
    /// `old_unicast_checksum`: send the old form.
    Old,
}

/// `unicast_peer` and what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unicast {
    /// Peers; never empty, unless `fault_without_peers`.
    pub peers: Vec<IpAddr>,
    /// `ADDR min_ttl A max_ttl B` per peer, default 0 and 255 (0: not checked).
    pub peer_ttls: Vec<(u8, u8)>,
    /// `unicast_fault_no_peer` with an empty peer list: the instance stays in FAULT.
    pub fault_without_peers: bool,
    /// `check_unicast_src` (instance or global): adverts from others than peers are dropped.
    pub check_src: bool,
    /// `old_unicast_checksum`.
    pub checksum: UnicastChecksum,
}

/// A six byte hardware address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MacAddr(pub [u8; 6]);

/// `use_vmac [NAME] [MAC]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vmac {
    /// Interface name; `None`: `vrrp.VRID` (`vrrp6.VRID`).
    pub name: Option<String>,
    /// Hardware address; `None`: 00:00:5e:00:01:VRID (02 for IPv6).
    pub mac: Option<MacAddr>,
    /// `vmac_xmit_base`: adverts leave through the underlying interface.
    pub xmit_base: bool,
    /// `use_vmac_addr`: a VMAC for every virtual address on another interface too.
    pub per_address: bool,
}

/// `use_ipvlan` type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpvlanMode {
    /// `bridge`, the default.
    #[default]
    Bridge,
    /// `private`.
    Private,
    /// `vepa`.
    Vepa,
}

/// `use_ipvlan [NAME] [ADDR] [bridge|private|vepa]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ipvlan {
    /// Interface name.
    pub name: Option<String>,
    /// Address and prefix length of the interface.
    pub addr: Option<(IpAddr, u8)>,
    /// Type.
    pub mode: IpvlanMode,
}

/// An interface that is made for an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualLink {
    /// Its name.
    pub name: String,
    /// The interface it is made on.
    pub base: String,
    /// IPv6 is spoken on it.
    pub ipv6: bool,
    /// What it is.
    pub kind: VirtualLinkKind,
}

/// Kinds of [`VirtualLink`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VirtualLinkKind {
    /// A macvlan with this hardware address.
    Vmac(MacAddr),
    /// An ipvlan, which shares the hardware address of its base.
    Ipvlan {
        /// Type.
        mode: IpvlanMode,
        /// Its own address and prefix length.
        address: Option<(IpAddr, u8)>,
    },
}

impl VirtualLink {
    /// Has a hardware address of its own.
    #[must_use]
    pub fn is_vmac(&self) -> bool {
        matches!(self.kind, VirtualLinkKind::Vmac(_))
    }
}

/// Gratuitous ARP / unsolicited neighbour advertisement of one instance, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GarpSettings {
    /// `garp_master_delay`: second burst this long after becoming master; default 5 s, 0 = none.
    pub master_delay: Duration,
    /// `garp_master_repeat`: packets per address and burst, default 5.
    pub master_repeat: u32,
    /// `garp_master_refresh`: repeat while master; 0 = never (default).
    pub master_refresh: Duration,
    /// `garp_master_refresh_repeat`: packets per address then, default 1.
    pub master_refresh_repeat: u32,
    /// `garp_lower_prio_delay`: second burst after a lower priority advert; default as `master_delay`.
    pub lower_prio_delay: Duration,
    /// `garp_lower_prio_repeat`: packets per address then; default as `master_repeat`, 0 = none.
    pub lower_prio_repeat: u32,
    /// `garp_extra_if` (`vmac_garp_intvl`): repeat where addresses are on interfaces no advert leaves by.
    pub extra_if: Option<Duration>,
    /// `garp_extra_if all`.
    pub extra_if_all: bool,
}

impl Default for GarpSettings {
    fn default() -> Self {
        Self {
            master_delay: Duration::from_secs(5),
            master_repeat: 5,
            master_refresh: Duration::ZERO,
            master_refresh_repeat: 1,
            lower_prio_delay: Duration::from_secs(5),
            lower_prio_repeat: 5,
            extra_if: None,
            extra_if_all: false,
        }
    }
}

/// Scripts run on transitions. `generic` gets four further arguments: `INSTANCE` or `GROUP`, name, state, priority.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// `notify_master`.
    pub master: Option<NotifyScript>,
    /// `notify_backup`.
    pub backup: Option<NotifyScript>,
    /// `notify_fault`.
    pub fault: Option<NotifyScript>,
    /// `notify_stop`.
    pub stop: Option<NotifyScript>,
    /// `notify_deleted [SCRIPT]`: run when a reload removes the instance (instances only).
    pub deleted: Option<NotifyScript>,
    /// `notify_deleted` was written: an instance that a reload removes is announced as DELETED rather than FAULT.
    pub announce_deleted: bool,
    /// `notify_master_rx_lower_pri`: a master heard a lower priority (instances only).
    pub master_rx_lower_pri: Option<NotifyScript>,
    /// `notify`.
    pub generic: Option<NotifyScript>,
    /// `notify_priority_changes` (resolved against the global one).
    pub priority_changes: bool,
}

/// `vrrp_instance NAME`.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// `state`; not written: MASTER exactly for priority 255. Cleared to BACKUP where keepalived clears it (AH, ...).
    pub initial_state: InitialState,
    /// `interface`; `None` only for unicast with `unicast_src_ip`.
    pub interface: Option<String>,
    /// `vrf`.
    pub vrf: Option<String>,
    /// `virtual_router_id`, 1..255.
    pub vrid: u8,
    /// `priority`, 1..255, default 100 (255 for `state MASTER` without a priority).
    pub priority: u8,
    /// `advert_int`, default 1 s. Whole seconds in v2, centiseconds up to 40.95 s in v3.
    pub advert_interval: Duration,
    /// `version`, resolved against `vrrp_version` and the family.
    pub version: Version,
    /// The instance is IPv6 (family of its first virtual address, or `native_ipv6`).
    pub ipv6: bool,
    /// `authentication`.
    pub auth: Auth,
    /// `auth_hmac`; never together with `auth`.
    pub auth_hmac: Option<AuthHmac>,
    /// `virtual_ipaddress`: in adverts.
    pub vips: Vec<Vip>,
    /// `virtual_ipaddress_excluded`: set with the others, not in adverts; may be of the other family.
    pub excluded_vips: Vec<Vip>,
    /// `virtual_routes`.
    pub routes: Vec<Route>,
    /// `virtual_rules`.
    pub rules: Vec<Rule>,
    /// `mcast_src_ip` / `unicast_src_ip`: source of adverts; `None`: the interface's first address.
    pub src_ip: Option<IpAddr>,
    /// `track_src_ip`: FAULT while that address is missing.
    pub track_src_ip: bool,
    /// `mcast_dst_ip` or the global group; `None` when unicast.
    pub mcast_group: Option<IpAddr>,
    /// `unicast_peer`; `None`: multicast.
    pub unicast: Option<Unicast>,
    /// `unicast_ttl` / 255: TTL or hop limit adverts are sent with; `None`: the kernel's (IPv6 unicast).
    pub ttl: Option<u8>,
    /// `preempt` / `nopreempt`.
    pub preempt: bool,
    /// `preempt_delay`: how long to wait before taking over from a lower priority; microseconds, default 0.
    pub preempt_delay: Duration,
    /// `down_timer_adverts`, 1..100, default 3.
    pub down_timer_adverts: u32,
    /// `accept` / `no_accept`: as master, accept packets to the virtual addresses.
    pub accept: bool,
    /// `strict_mode`, resolved against `vrrp_strict`.
    pub strict: bool,
    /// `skip_check_adv_addr`, resolved.
    pub skip_check_adv_addr: bool,
    /// `lower_prio_no_advert`, resolved.
    pub lower_prio_no_advert: bool,
    /// `higher_prio_send_advert`, resolved.
    pub higher_prio_send_advert: bool,
    /// `owner_ignore_adverts`, resolved (2.3).
    pub owner_ignore_adverts: bool,
    /// `v3_checksum_as_v2`, resolved (2.3).
    pub v3_checksum_as_v2: bool,
    /// `timer_expired_backup` (2.3): highest priority any other router may have, which says how soon it can have taken
    /// over from a master that was late; 1..254, default 254.
    pub timer_expired_backup: u8,
    /// Gratuitous ARP.
    pub garp: GarpSettings,
    /// `track_interface`.
    pub track_interfaces: Vec<TrackInterface>,
    /// Interfaces of static addresses, routes and rules that name a `track_group` it belongs to.
    pub static_interfaces: Vec<String>,
    /// `track_script`.
    pub track_scripts: Vec<TrackedScript>,
    /// `track_file`.
    pub track_files: Vec<TrackedFile>,
    /// `track_process`.
    pub track_processes: Vec<TrackedProcess>,
    /// `track_proxy`.
    pub track_proxies: Vec<TrackedProxy>,
    /// `track_bfd`; known, not run yet.
    pub track_bfd: Vec<TrackBfd>,
    /// `dont_track_primary`: the instance's own interface going down is not FAULT.
    pub dont_track_primary: bool,
    /// `linkbeat_use_polling`.
    pub linkbeat_use_polling: bool,
    /// Notify scripts.
    pub notify: Notify,
    /// `smtp_alert`, resolved (never without `notification_email`).
    pub smtp_alert: bool,
    /// `use_vmac`.
    pub vmac: Option<Vmac>,
    /// `use_ipvlan`.
    pub ipvlan: Option<Ipvlan>,
    /// Interfaces made for it; the first one is the instance's, further ones are for addresses on other interfaces.
    pub links: Vec<VirtualLink>,
    /// `promote_secondaries`: set that sysctl on the interface.
    pub promote_secondaries: bool,
    /// `kernel_rx_buf_size`, bytes.
    pub kernel_rx_buf_size: Option<u32>,
    /// `debug`, 0..4.
    pub debug: u8,
    /// Sync group it belongs to.
    pub sync_group: Option<SyncGroupIdx>,
    /// Configuration faults (no multicast, no peers, ...): the instance is kept in FAULT for this reason.
    pub config_faults: Vec<String>,
}

impl Instance {
    /// Name of the interface adverts go through: its own virtual one, unless `vmac_xmit_base`. Without any, its VRF.
    #[must_use]
    pub fn speaks_on(&self) -> Option<&str> {
        let link = self.links.first().filter(|l| Some(&l.base) == self.interface.as_ref());
        let link = link.filter(|_| !self.vmac.as_ref().is_some_and(|v| v.xmit_base));
        link.map(|l| l.name.as_str()).or(self.interface.as_deref()).or(self.vrf.as_deref())
    }

    /// Interfaces besides its own, and those made for it, that its addresses, routes and rules are on, and the static
    /// ones of its `track_group`: without them it cannot do its work as master. `no_track` leaves one out.
    #[must_use]
    pub fn interfaces_in_use(&self) -> Vec<&str> {
        let vips = self.vips.iter().chain(&self.excluded_vips).filter(|vip| !vip.no_track);
        let routes = self.routes.iter().filter(|route| !route.no_track);
        let rules = self.rules.iter().filter(|rule| !rule.no_track);
        let names = vips
            .filter_map(|vip| vip.dev.as_deref())
            .chain(routes.filter_map(|route| route.dev.as_deref()))
            .chain(rules.flat_map(|rule| rule.iif.as_deref().into_iter().chain(rule.oif.as_deref())))
            .chain(self.static_interfaces.iter().map(String::as_str));
        let mut all: Vec<&str> = Vec::new();
        for name in names {
            let own =
                self.interface.as_deref() == Some(name) || self.links.iter().any(|link| link.name == name);
            if !own && !all.contains(&name) {
                all.push(name);
            }
        }
        all
    }

    /// An instance with every default; the caller sets interface, VRID and addresses.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            place: Place::default(),
            initial_state: InitialState::Backup,
            interface: None,
            vrf: None,
            vrid: 0,
            priority: 100,
            advert_interval: Duration::from_secs(1),
            version: Version::V2,
            ipv6: false,
            auth: Auth::None,
            auth_hmac: None,
            vips: Vec::new(),
            excluded_vips: Vec::new(),
            routes: Vec::new(),
            rules: Vec::new(),
            src_ip: None,
            track_src_ip: false,
            mcast_group: None,
            unicast: None,
            ttl: Some(255),
            preempt: true,
            preempt_delay: Duration::ZERO,
            down_timer_adverts: 3,
            accept: true,
            strict: false,
            skip_check_adv_addr: false,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            owner_ignore_adverts: false,
            v3_checksum_as_v2: false,
            timer_expired_backup: 254,
            garp: GarpSettings::default(),
            track_interfaces: Vec::new(),
            static_interfaces: Vec::new(),
            track_scripts: Vec::new(),
            track_files: Vec::new(),
            track_processes: Vec::new(),
            track_proxies: Vec::new(),
            track_bfd: Vec::new(),
            dont_track_primary: false,
            linkbeat_use_polling: false,
            notify: Notify::default(),
            smtp_alert: false,
            vmac: None,
            ipvlan: None,
            links: Vec::new(),
            promote_secondaries: false,
            kernel_rx_buf_size: None,
            debug: 0,
            sync_group: None,
            config_faults: Vec::new(),
        }
    }
}

/// `vrrp_sync_group NAME`: instances that change state together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SyncGroup {
    /// Name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// `group { ... }` in order.
    pub instances: Vec<InstanceIdx>,
    /// `track_interface`.
    pub track_interfaces: Vec<TrackInterface>,
    /// `track_script`.
    pub track_scripts: Vec<TrackedScript>,
    /// `track_file`.
    pub track_files: Vec<TrackedFile>,
    /// `track_process`.
    pub track_processes: Vec<TrackedProcess>,
    /// `track_proxy`.
    pub track_proxies: Vec<TrackedProxy>,
    /// `track_bfd`.
    pub track_bfd: Vec<TrackBfd>,
    /// `sync_group_tracking_weight` (`global_tracking`): members may track with weights.
    pub tracking_weight: bool,
    /// Notify scripts.
    pub notify: Notify,
    /// `smtp_alert`, resolved.
    pub smtp_alert: bool,
}
