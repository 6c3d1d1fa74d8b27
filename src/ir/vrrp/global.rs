//! `global_defs`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::instance::Version;
use super::track::NotifyScript;

/// Process-wide settings. Defaults are keepalived 2.2.7's.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalDefs {
    /// `router_id`; `None`: the host name.
    pub router_id: Option<String>,
    /// `notification_email { ADDR ... }`: who gets mails. Empty: no mail is sent.
    pub notification_email: Vec<String>,
    /// `notification_email_from`; `None`: `keepalived@HOST`.
    pub notification_email_from: Option<String>,
    /// `smtp_server HOST [PORT]`, default port 25. `None`: no mail is sent.
    pub smtp_server: Option<SmtpServer>,
    /// `smtp_helo_name`; `None`: the host name.
    pub smtp_helo_name: Option<String>,
    /// `smtp_connect_timeout`, whole seconds, default 30 s.
    pub smtp_connect_timeout: Duration,
    /// `smtp_alert`: the default of every object; `None`: not said.
    pub smtp_alert: Option<bool>,
    /// `smtp_alert_vrrp`: overrides `smtp_alert` for instances and groups.
    pub smtp_alert_vrrp: Option<bool>,
    /// `no_email_faults`: no mail for transitions to FAULT.
    pub no_email_faults: bool,
    /// `enable_script_security` and `script_user`.
    pub script_security: ScriptSecurity,
    /// `vrrp_version`, default 2 (instances carry the resolved value).
    pub vrrp_version: Version,
    /// `vrrp_strict` (instances carry the resolved value).
    pub vrrp_strict: bool,
    /// `vip_lifetime` (not keepalived's): how long the kernel keeps virtual addresses that nobody renews.
    pub vip_lifetime: VipLifetime,
    /// `vrrp_garp_*` (instances carry the resolved values).
    pub garp: GarpDefaults,
    /// `vrrp_garp_interval`: pause between two gratuitous ARPs on an interface; default none.
    pub garp_interval: Option<Duration>,
    /// `vrrp_gna_interval`: the same for unsolicited neighbour advertisements.
    pub gna_interval: Option<Duration>,
    /// `vrrp_mcast_group4`, default 224.0.0.18.
    pub mcast_group4: Ipv4Addr,
    /// `vrrp_mcast_group6`, default ff02::12.
    pub mcast_group6: Ipv6Addr,
    /// `vrrp_down_timer_adverts`: missed adverts before a backup takes over, 1..100, default 3.
    pub down_timer_adverts: u32,
    /// `vrrp_startup_delay`: instances start this long after the daemon; default 0.
    pub startup_delay: Duration,
    /// `vrrp_delay_after_boot` (2.3): instances start no sooner than this after the machine booted; default 0.
    pub delay_after_boot: Duration,
    /// `vrrp_check_unicast_src`: unicast adverts from addresses that are no peer are dropped.
    pub check_unicast_src: bool,
    /// `vrrp_skip_check_adv_addr`: the address list is compared only when the sender changes.
    pub skip_check_adv_addr: bool,
    /// `vrrp_lower_prio_no_advert`: a lower priority advert is not answered at once.
    pub lower_prio_no_advert: bool,
    /// `vrrp_higher_prio_send_advert`: one advert is sent before giving way to a higher priority.
    pub higher_prio_send_advert: bool,
    /// `vrrp_owner_ignore_adverts` (2.3): a priority 255 master does not look at adverts.
    pub owner_ignore_adverts: bool,
    /// `vrrp_min_garp`: one gratuitous ARP per address when becoming master.
    pub min_garp: bool,
    /// `vrrp_garp_extra_if` (also `vrrp_vmac_garp_intvl`): repeat on the other interfaces of a VMAC; default none.
    pub garp_extra_if: Option<Duration>,
    /// `vrrp_notify_priority_changes`: notify scripts and FIFOs hear of priority changes; `None`: not said.
    pub notify_priority_changes: Option<bool>,
    /// `v3_checksum_as_v2` (2.3): the v3 IPv4 checksum leaves the pseudo header out.
    pub v3_checksum_as_v2: bool,
    /// `default_interface`: interface of static addresses; `None`: `eth0`.
    pub default_interface: Option<String>,
    /// `dynamic_interfaces`: interfaces may be missing at start and appear later.
    pub dynamic_interfaces: bool,
    /// `dynamic_interfaces allow_if_changes`.
    pub allow_if_changes: bool,
    /// `vrrp_garp_extra_if all`: not only on virtual MAC interfaces.
    pub garp_extra_if_all: bool,
    /// `disable_local_igmp`.
    pub disable_local_igmp: bool,
    /// `reload_file`: exists while a reload reads the configuration; `Some(None)`: in its usual place.
    pub reload_file: Option<Option<PathBuf>>,
    /// `reload_time_file`: holds the time of the next reload.
    pub reload_time_file: Option<PathBuf>,
    /// `reload_repeat`: a time without a date counts every day.
    pub reload_repeat: bool,
    /// `config_save_dir`: the state before and after each reload is written there.
    pub config_save_dir: Option<PathBuf>,
    /// `log_unknown_vrids`: adverts with a VRID nobody here uses are logged.
    pub log_unknown_vrids: bool,
    /// `notify_fifo`, `notify_fifo_script`.
    pub notify_fifo: Option<NotifyFifo>,
    /// `vrrp_notify_fifo`, `vrrp_notify_fifo_script`.
    pub vrrp_notify_fifo: Option<NotifyFifo>,
    /// `lvs_notify_fifo`, `lvs_notify_fifo_script`.
    pub lvs_notify_fifo: Option<NotifyFifo>,
    /// `fifo_write_vrrp_states_on_reload`.
    pub fifo_write_vrrp_states_on_reload: bool,
    /// `process_names`, `vrrp_process_name`, ...
    pub process_names: ProcessNames,
    /// `use_symlink_paths`: script paths are not resolved through symbolic links.
    pub use_symlink_paths: bool,
    /// `startup_script`.
    pub startup_script: Option<NotifyScript>,
    /// `startup_script_timeout`, 1..1000 s; 10 s where a script is configured without it.
    pub startup_script_timeout: Option<Duration>,
    /// `shutdown_script`.
    pub shutdown_script: Option<NotifyScript>,
    /// `shutdown_script_timeout`, 1..1000 s; 10 s where a script is configured without it.
    pub shutdown_script_timeout: Option<Duration>,
    /// `vrrp_iptables`, `vrrp_ipsets`, `nftables`: where `no_accept` rules go.
    pub firewall: Firewall,
    /// `lvs_sync_daemon`.
    pub lvs_sync_daemon: Option<LvsSyncDaemon>,
    /// `enable_snmp_*`, `snmp_socket`, `enable_traps`; read, no agent yet.
    pub snmp: Snmp,
    /// `enable_dbus`; read, no bus yet.
    pub dbus: bool,
    /// `vrrp_priority`, `vrrp_no_swap`, `vrrp_rt_priority`, ...
    pub vrrp_tuning: ChildTuning,
    /// `vrrp_rx_bufs_policy`, `vrrp_rx_bufs_multiplier`.
    pub rx_bufs: RxBufs,
    /// `vrrp_netlink_cmd_rcv_bufs`.
    pub netlink_cmd: ReceiveBuffer,
    /// `vrrp_netlink_monitor_rcv_bufs`.
    pub netlink_monitor: ReceiveBuffer,
    /// `process_monitor_rcv_bufs`.
    pub process_monitor: ReceiveBuffer,
    /// `vmac_prefix`: interface name prefix of VMACs; `None`: `vrrp`.
    pub vmac_prefix: Option<String>,
    /// `vmac_addr_prefix`: the same for address VMACs; `None`: `vrrp_prefix`.
    pub vmac_addr_prefix: Option<String>,
    /// `json_version`, 1 (default) or 2.
    pub json_version: u8,
    /// `data_use_instance`: dump file names carry the instance and namespace.
    pub data_use_instance: bool,
    /// `state_dump_file`; `None`: `/tmp/keepalived.data`.
    pub state_dump_file: Option<PathBuf>,
    /// `stats_dump_file`; `None`: `/tmp/keepalived.stats`.
    pub stats_dump_file: Option<PathBuf>,
    /// `json_dump_file`; `None`: `/tmp/keepalived.json`.
    pub json_dump_file: Option<PathBuf>,
    /// `umask`, permission bits; `None`: 0177.
    pub umask: Option<u32>,
    /// `random_seed`.
    pub random_seed: Option<u64>,
    /// `reload_check_config [LOG]`: a reload first checks the new files; the text is the log file (may be empty).
    pub reload_check_config: Option<String>,
}

impl Default for GlobalDefs {
    fn default() -> Self {
        Self {
            router_id: None,
            notification_email: Vec::new(),
            notification_email_from: None,
            smtp_server: None,
            smtp_helo_name: None,
            smtp_connect_timeout: Duration::from_secs(30),
            smtp_alert: None,
            smtp_alert_vrrp: None,
            no_email_faults: false,
            script_security: ScriptSecurity::default(),
            vrrp_version: Version::V2,
            vrrp_strict: false,
            vip_lifetime: VipLifetime::Auto,
            garp: GarpDefaults::default(),
            garp_interval: None,
            gna_interval: None,
            mcast_group4: Ipv4Addr::new(224, 0, 0, 18),
            mcast_group6: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12),
            down_timer_adverts: 3,
            startup_delay: Duration::ZERO,
            delay_after_boot: Duration::ZERO,
            check_unicast_src: false,
            skip_check_adv_addr: false,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            owner_ignore_adverts: false,
            min_garp: false,
            garp_extra_if: None,
            notify_priority_changes: None,
            v3_checksum_as_v2: false,
            default_interface: None,
            dynamic_interfaces: false,
            allow_if_changes: false,
            garp_extra_if_all: false,
            disable_local_igmp: false,
            reload_file: None,
            reload_time_file: None,
            reload_repeat: false,
            config_save_dir: None,
            log_unknown_vrids: false,
            notify_fifo: None,
            vrrp_notify_fifo: None,
            lvs_notify_fifo: None,
            fifo_write_vrrp_states_on_reload: false,
            process_names: ProcessNames::default(),
            use_symlink_paths: false,
            startup_script: None,
            startup_script_timeout: None,
            shutdown_script: None,
            shutdown_script_timeout: None,
            firewall: Firewall::default(),
            lvs_sync_daemon: None,
            snmp: Snmp::default(),
            dbus: false,
            vrrp_tuning: ChildTuning::default(),
            rx_bufs: RxBufs::default(),
            netlink_cmd: ReceiveBuffer::default(),
            netlink_monitor: ReceiveBuffer::default(),
            process_monitor: ReceiveBuffer::default(),
            vmac_prefix: None,
            vmac_addr_prefix: None,
            json_version: 1,
            data_use_instance: false,
            state_dump_file: None,
            stats_dump_file: None,
            json_dump_file: None,
            umask: None,
            random_seed: None,
            reload_check_config: None,
        }
    }
}

/// How long the kernel keeps a virtual address when the engine stops renewing it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VipLifetime {
    /// As long as a backup waits for adverts, at least 3 s.
    #[default]
    Auto,
    /// Forever, as keepalived installs them.
    Off,
    /// This many seconds.
    Seconds(u32),
}

/// Where alert mails are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpServer {
    /// As written.
    pub name: String,
    /// Resolved when the configuration was read; `None` where the name did not resolve (offline check).
    pub addr: Option<SocketAddr>,
    /// Port, default 25.
    pub port: u16,
}

/// `vrrp_garp_*` of `global_defs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GarpDefaults {
    /// `vrrp_garp_master_delay`: second burst this long after becoming master; default 5 s, 0 = none.
    pub master_delay: Duration,
    /// `vrrp_garp_master_repeat`: packets per address and burst, default 5.
    pub master_repeat: u32,
    /// `vrrp_garp_master_refresh`: repeat while master; default 0 = never.
    pub master_refresh: Duration,
    /// `vrrp_garp_master_refresh_repeat`: packets per address then, default 1.
    pub master_refresh_repeat: u32,
    /// `vrrp_garp_lower_prio_delay`: as `master_delay`, after a lower priority advert; `None`: as `master_delay`.
    pub lower_prio_delay: Option<Duration>,
    /// `vrrp_garp_lower_prio_repeat`; `None`: as `master_repeat`.
    pub lower_prio_repeat: Option<u32>,
}

impl Default for GarpDefaults {
    fn default() -> Self {
        Self {
            master_delay: Duration::from_secs(5),
            master_repeat: 5,
            master_refresh: Duration::ZERO,
            master_refresh_repeat: 1,
            lower_prio_delay: None,
            lower_prio_repeat: None,
        }
    }
}

/// Who scripts run as and how suspicious we are of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptSecurity {
    /// `enable_script_security`: a script that runs as root must not be writable by others, on any part of its path.
    pub enabled: bool,
    /// `script_user USER [GROUP]`. `None`: user `keepalived_script` if it exists, else root.
    pub default_user: Option<super::RunAs>,
    /// A script is configured, is not provably safe, and `enabled` is off: keepalived then warns once.
    pub insecure_scripts: bool,
}

/// A named pipe that hears every state change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotifyFifo {
    /// Path of the pipe; made when missing.
    pub path: Option<PathBuf>,
    /// `NAME USER [GROUP]`: owner of the pipe.
    pub owner: Option<super::RunAs>,
    /// Script started to read it (its last argument is the path).
    pub script: Option<NotifyScript>,
}

/// Names the processes show in `ps`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessNames {
    /// `process_names`: every child gets a name of its own.
    pub distinct: bool,
    /// `process_name`: the parent.
    pub parent: Option<String>,
    /// `vrrp_process_name`.
    pub vrrp: Option<String>,
    /// `checker_process_name` (`lvs_process_name`).
    pub checker: Option<String>,
    /// `bfd_process_name`.
    pub bfd: Option<String>,
}

/// Where `no_accept` and VMAC rules are put.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firewall {
    /// `nftables [TABLE]`, default name `keepalived`.
    pub nftables: Option<String>,
    /// `nftables_priority`, default -1.
    pub nftables_priority: Option<i32>,
    /// `nftables_counters`.
    pub nftables_counters: bool,
    /// `nftables_ifindex`.
    pub nftables_ifindex: bool,
    /// `vrrp_iptables [IN [OUT]]`: chains.
    pub iptables: Option<(String, Option<String>)>,
}

/// `lvs_sync_daemon`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LvsSyncDaemon {
    /// Interface.
    pub interface: String,
    /// Instance whose state decides between master and backup daemon.
    pub instance: Option<String>,
    /// `id N`, 0..255; `None`: the VRID.
    pub sync_id: Option<u8>,
}

/// SNMP switches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snmp {
    /// `snmp_socket`.
    pub socket: Option<String>,
    /// `enable_traps`.
    pub traps: bool,
    /// Any of `enable_snmp_vrrp`, `enable_snmp_rfc*`, `enable_snmp_keepalived`.
    pub vrrp: bool,
    /// `enable_snmp_checker`.
    pub checker: bool,
}

/// Scheduling of the VRRP process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChildTuning {
    /// `vrrp_priority`, nice value -20..19.
    pub nice: Option<i8>,
    /// `vrrp_no_swap`: lock memory.
    pub no_swap: bool,
    /// `vrrp_rt_priority`, SCHED_RR 1..99.
    pub rt_priority: Option<u8>,
    /// `vrrp_cpu_affinity`: processors.
    pub cpus: Vec<u32>,
    /// `vrrp_rlimit_rttime`, microseconds.
    pub rlimit_rttime: Option<u64>,
    /// `max_auto_priority [-1..99]`: how far late timers may raise the real-time priority; default 0 = never.
    pub max_auto_priority: i32,
    /// `min_auto_priority_delay`, default 1 s.
    pub min_auto_priority_delay: Option<Duration>,
}

/// A pair of lines `..._rcv_bufs` and `..._rcv_bufs_force`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveBuffer {
    /// Bytes; 0: what the system gives.
    pub size: u32,
    /// Beyond the limit of the system (`SO_RCVBUFFORCE`).
    pub force: bool,
}

/// `vrrp_rx_bufs_*`: receive buffer of the VRRP sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RxBufs {
    /// `MTU`: so many of the largest packets of the interface.
    pub mtu: bool,
    /// `ADVERT`: so many adverts of the instance.
    pub advert: bool,
    /// `N`: so many bytes for each instance; the two above do not count then.
    pub size: Option<u32>,
    /// `vrrp_rx_bufs_multiplier`, default 3.
    pub multiplier: u32,
}

impl Default for RxBufs {
    fn default() -> Self {
        Self { mtu: false, advert: false, size: None, multiplier: 3 }
    }
}
