//! A whole `keepalived.conf` (with everything it includes), resolved.
//!
//! `lower::keepalived` fills it; `vrrp` and the command line read it. Names are resolved to indices, defaults
//! are keepalived 2.2.7's and already filled in: the engine never has to know which of global, sync group or
//! instance a value came from. Times are `Duration`s, interface names stay names because an interface
//! may appear later.

mod address;
mod global;
mod hmac;
mod instance;
mod track;

pub use address::{
    Encap, NextHop, Route, RouteKind, RouteOrder, Rule, StaticAddress, StaticRoute, StaticRule, TunnelEnds,
    Vip,
};
pub use global::{
    ChildTuning, Firewall, GarpDefaults, GlobalDefs, LvsSyncDaemon, NotifyFifo, ProcessNames, ReceiveBuffer,
    RxBufs, ScriptSecurity, SmtpServer, Snmp, VipLifetime,
};
pub use hmac::{AuthHmac, HmacKey, HmacMode};
pub use instance::{
    Auth, AuthPass, GarpSettings, InitialState, Instance, Ipvlan, IpvlanMode, MacAddr, Notify, SyncGroup,
    Unicast, UnicastChecksum, Version, VirtualLink, VirtualLinkKind, Vmac,
};
pub use track::{
    BfdInstance, ExecMode, NameMatch, NotifyScript, ParamMatch, RunAs, Script, ScriptIdx, TrackBfd,
    TrackFile, TrackFileIdx, TrackInterface, TrackProcess, TrackProcessIdx, TrackProxy, TrackProxyIdx,
    TrackedBackend, TrackedFile, TrackedProcess, TrackedProxy, TrackedScript, WatchedProcess,
};

use std::time::Duration;

use super::Place;

/// Index of an instance in [`Config::instances`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceIdx(pub u32);

/// Index of a sync group in [`Config::sync_groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SyncGroupIdx(pub u32);

/// A whole configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `global_defs`.
    pub global: GlobalDefs,
    /// `vrrp_script` blocks in file order (unusable ones are removed, as keepalived does).
    pub scripts: Vec<Script>,
    /// `track_file` / `vrrp_track_file` blocks.
    pub track_files: Vec<TrackFile>,
    /// `vrrp_track_process` blocks.
    pub track_processes: Vec<TrackProcess>,
    /// `track_proxy` blocks (not keepalived's).
    pub track_proxies: Vec<TrackProxy>,
    /// `bfd_instance` blocks; parsed, not run yet.
    pub bfd: Vec<BfdInstance>,
    /// `vrrp_instance` blocks in file order.
    pub instances: Vec<Instance>,
    /// `vrrp_sync_group` blocks.
    pub sync_groups: Vec<SyncGroup>,
    /// `static_ipaddress`: set at start, removed at stop, owned by no instance.
    pub static_addresses: Vec<StaticAddress>,
    /// `static_routes`.
    pub static_routes: Vec<StaticRoute>,
    /// `static_rules`.
    pub static_rules: Vec<StaticRule>,
    /// Root `track_group` blocks.
    pub static_track_groups: Vec<StaticTrackGroup>,
    /// `garp_group` blocks: pacing of gratuitous ARP per interface.
    pub garp_groups: Vec<GarpGroup>,
    /// `interface_up_down_delays`: debounce of link changes.
    pub interface_delays: Vec<InterfaceDelay>,
    /// `linkbeat_interfaces`: interfaces whose link state is polled.
    pub linkbeat_interfaces: Vec<String>,
    /// `linkbeat_use_polling` at the top level: of all interfaces.
    pub linkbeat_all: bool,
    /// `virtual_server` blocks: known, not served yet (no LVS).
    pub virtual_servers: Vec<VirtualServer>,
    /// `net_namespace`: run in this named network namespace.
    pub net_namespace: Option<String>,
    /// `instance NAME`: suffix of pid and dump file names.
    pub instance_name: Option<String>,
    /// `use_pid_dir`: pid files go to `/run/keepalived/`.
    pub use_pid_dir: bool,
    /// `child_wait_time`: how long the parent waits for its children to stop; default 5 s.
    pub child_wait_time: Option<Duration>,
}

impl Config {
    /// The instance at `idx`.
    #[must_use]
    pub fn instance(&self, idx: InstanceIdx) -> &Instance {
        &self.instances[idx.0 as usize]
    }

    /// Does anybody follow the script at `idx`? keepalived does not run the others.
    #[must_use]
    pub fn is_tracked(&self, idx: ScriptIdx) -> bool {
        let instances = self.instances.iter().flat_map(|i| &i.track_scripts);
        let groups = self.sync_groups.iter().flat_map(|g| &g.track_scripts);
        instances.chain(groups).any(|tracked| tracked.script == idx)
    }

    /// The script at `idx`.
    #[must_use]
    pub fn script(&self, idx: ScriptIdx) -> &Script {
        &self.scripts[idx.0 as usize]
    }
}

/// Root `track_group NAME { group { INSTANCE ... } }`: without the interfaces of the static items that name it, its
/// members cannot do their work ([`Instance::static_interfaces`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticTrackGroup {
    /// Name.
    pub name: String,
    /// Members.
    pub instances: Vec<InstanceIdx>,
}

/// `garp_group`: delay between gratuitous ARP (and unsolicited neighbour advertisement) packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GarpGroup {
    /// `garp_interval`, microsecond resolution.
    pub garp_interval: Option<Duration>,
    /// `gna_interval`, microsecond resolution.
    pub gna_interval: Option<Duration>,
    /// Interfaces the delay is applied to.
    pub interfaces: Vec<String>,
    /// `interfaces`: one delay shared by all of them; `interface`: one each.
    pub aggregated: bool,
}

/// One line of `interface_up_down_delays`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceDelay {
    /// Interface.
    pub interface: String,
    /// A link that goes down counts as down after this.
    pub down: Duration,
    /// A link that comes up counts as up after this.
    pub up: Duration,
}

/// A `virtual_server`, kept so that messages and dumps can name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualServer {
    /// `IP PORT`, `fwmark N` or `group NAME`, as written.
    pub name: String,
    /// Addresses of its real servers, as written.
    pub real_servers: Vec<String>,
    /// Where it stands.
    pub place: Place,
}
