//! Keywords of VRRP.

use super::{Keyword, Section, block, line, values};

const NOBFD: &str = "BFD is not done yet";

pub(super) const ROOT: &[Keyword] = &[
    block("track_group", Section::TrackGroup, "Instances that need the interfaces of static items."),
    values("static_ipaddress", "Addresses set for the life of the daemon."),
    values("static_routes", "Routes set for the life of the daemon."),
    values("static_rules", "Routing rules set for the life of the daemon."),
    block("vrrp_sync_group", Section::SyncGroup, "Instances that change state together."),
    block("garp_group", Section::GarpGroup, "Pace of gratuitous ARP on interfaces."),
    values("linkbeat_interfaces", "Interfaces whose link state is polled."),
    block("vrrp_instance", Section::Instance, "A virtual router."),
    block("vrrp_script", Section::Script, "A script whose result changes priorities."),
    block("vrrp_track_process", Section::TrackProcess, "A process whose presence changes priorities."),
    block(
        "track_proxy",
        Section::TrackProxy,
        "Tandem's own: listeners and servers of the proxy on this machine that change priorities.",
    ),
    block("track_file", Section::TrackFile, "A file whose number changes priorities."),
    block("vrrp_track_file", Section::TrackFile, "A file whose number changes priorities.")
        .instead("track_file"),
    values("interface_up_down_delays", "How long link changes must last."),
    block("bfd_instance", Section::Bfd, "A BFD session.").inert(NOBFD),
];

pub(super) const TRACK_GROUP: &[Keyword] = &[values("group", "Names of instances.")];

pub(super) const SYNC_GROUP: &[Keyword] = &[
    values("group", "Names of instances."),
    values("track_interface", "Interfaces that must be up."),
    values("track_script", "Scripts that must be good."),
    values("track_file", "Files to follow."),
    values("track_process", "Processes that must run."),
    values("track_proxy", "Tandem's own: what of the proxy must be well."),
    values("track_bfd", "BFD sessions that must be up.").inert(NOBFD),
    line("notify_backup", "Script for BACKUP."),
    line("notify_master", "Script for MASTER."),
    line("notify_fault", "Script for FAULT."),
    line("notify_stop", "Script for the end of the daemon."),
    line("notify", "Script for every change."),
    line("smtp_alert", "Mail about changes."),
    line("global_tracking", "Members may track with weights.")
        .instead("track_interface, track_script and track_file on the group"),
    line("sync_group_tracking_weight", "Members may track with weights."),
    line("notify_priority_changes", "Tell scripts and pipes about priority changes."),
];

pub(super) const GARP_GROUP: &[Keyword] = &[
    line("garp_interval", "Seconds between gratuitous ARP packets."),
    line("gna_interval", "Seconds between neighbour advertisements."),
    line("interface", "An interface with a pace of its own."),
    values("interfaces", "Interfaces that share one pace."),
];

pub(super) const INSTANCE: &[Keyword] = &[
    line("use_vmac", "Use a virtual MAC interface."),
    line("use_vmac_addr", "A virtual MAC interface for addresses elsewhere too."),
    line("vmac_xmit_base", "Send adverts through the base interface."),
    line("use_ipvlan", "Use an ipvlan interface."),
    values("unicast_peer", "Addresses of the other routers."),
    line("unicast_fault_no_peer", "FAULT rather than multicast when there is no peer."),
    line("check_unicast_src", "Drop adverts from others than peers."),
    line("old_unicast_checksum", "Checksum of keepalived before 1.3.7."),
    line("native_ipv6", "The instance is IPv6."),
    line("state", "Initial state: MASTER or BACKUP."),
    line("interface", "Interface adverts go through."),
    line("vrf", "VRF of an instance without interface."),
    line("dont_track_primary", "A link failure of the interface is no FAULT."),
    line("linkbeat_use_polling", "Poll the link state."),
    values("track_interface", "Interfaces that must be up."),
    values("track_script", "Scripts that must be good."),
    values("track_file", "Files to follow."),
    values("track_process", "Processes that must run."),
    values("track_proxy", "Tandem's own: what of the proxy must be well."),
    values("track_bfd", "BFD sessions that must be up.").inert(NOBFD),
    line("mcast_src_ip", "Source address of adverts."),
    line("unicast_src_ip", "Source address of adverts."),
    line("mcast_dst_ip", "Multicast group of this instance."),
    line("track_src_ip", "FAULT while the source address is missing."),
    line("virtual_router_id", "VRID, 1 to 255."),
    line("unicast_ttl", "TTL of unicast adverts."),
    line("version", "VRRP version 2 or 3."),
    line("priority", "1 to 255; default 100."),
    line("advert_int", "Seconds between adverts; default 1."),
    values("virtual_ipaddress", "Addresses that move."),
    values("virtual_ipaddress_excluded", "Addresses that move and are not in adverts."),
    line("no_virtual_ipaddress", "The instance has no address on purpose.").since("2.3"),
    line("promote_secondaries", "Keep secondary addresses when the primary goes."),
    values("virtual_routes", "Routes that move."),
    values("virtual_rules", "Routing rules that move."),
    line("accept", "Accept packets to the virtual addresses; the default."),
    line("no_accept", "Drop packets to the virtual addresses."),
    line("skip_check_adv_addr", "Compare the address list only when the sender changes."),
    line("strict_mode", "Follow the RFC to the letter."),
    line("preempt", "Take over from a lower priority; the default."),
    line("nopreempt", "Do not take over from a lower priority."),
    line("preempt_delay", "Seconds to wait before taking over."),
    line("debug", "Debug level 0 to 4.").inert("keepalived has no use for it either"),
    line("notify_backup", "Script for BACKUP."),
    line("notify_master", "Script for MASTER."),
    line("notify_fault", "Script for FAULT."),
    line("notify_stop", "Script for the end of the daemon."),
    line("notify_deleted", "Script for an instance that a reload removed."),
    line("notify", "Script for every change."),
    line("notify_master_rx_lower_pri", "Script for a master that hears a lower priority."),
    line("smtp_alert", "Mail about changes."),
    line("notify_priority_changes", "Tell scripts and pipes about priority changes."),
    line("lvs_sync_daemon_interface", "Interface of IPVS synchronisation.")
        .inert("virtual servers (LVS) are not done yet")
        .instead("lvs_sync_daemon in global_defs"),
    line("garp_master_delay", "Seconds until the second gratuitous ARP burst."),
    line("garp_master_refresh", "Seconds between repeats while master."),
    line("garp_master_repeat", "Packets per address and burst."),
    line("garp_master_refresh_repeat", "Packets per address at a refresh."),
    line("garp_lower_prio_delay", "Seconds until the second burst after a lower priority advert."),
    line("garp_lower_prio_repeat", "Packets per address then."),
    line("down_timer_adverts", "Missed adverts until a backup takes over, 1 to 100."),
    line("garp_extra_if", "Seconds between gratuitous ARPs on other interfaces of addresses."),
    line("vmac_garp_intvl", "Seconds between gratuitous ARPs on other interfaces of addresses.")
        .instead("garp_extra_if"),
    line("lower_prio_no_advert", "Do not answer a lower priority advert at once."),
    line("higher_prio_send_advert", "Send one advert before giving way."),
    line("kernel_rx_buf_size", "Receive buffer, bytes."),
    block("authentication", Section::Authentication, "VRRPv2 authentication."),
    block("auth_hmac", Section::AuthHmac, "Adverts signed with HMAC-SHA256 and protected from replay.")
        .since("2.4"),
    line("owner_ignore_adverts", "A priority 255 master ignores adverts.").since("2.3"),
    line("v3_checksum_as_v2", "VRRPv3 checksum without pseudo header.").since("2.3"),
    line("timer_expired_backup", "Highest priority of others: how soon a late master has lost the election.")
        .since("2.3"),
    line("thread_timer_expired", "Highest priority of others: how soon a late master has lost the election.")
        .since("2.3")
        .instead("timer_expired_backup"),
];

pub(super) const AUTHENTICATION: &[Keyword] =
    &[line("auth_type", "PASS or AH."), line("auth_pass", "Password; the first 8 bytes count.")];

pub(super) const AUTH_HMAC: &[Keyword] = &[
    line("key", "Number and secret of 32 to 64 bytes: text, hex:DIGITS or file:PATH.").since("2.4"),
    line("active_key", "Number of the key to send with.").since("2.4"),
    line("time_window", "Seconds clocks may differ.").since("2.4"),
    line("anti_replay", "Refuse repeated packets.").since("2.4"),
    line("mode", "How strict unsigned packets are treated.").since("2.4"),
];

pub(super) const SCRIPT: &[Keyword] = &[
    line("script", "The command."),
    line("interval", "Seconds between runs; default 1."),
    line("timeout", "Seconds a run may take; default the interval."),
    line("weight", "-253 to 253; 0 means FAULT on failure."),
    line("rise", "Good runs until it counts as good; default 1."),
    line("fall", "Bad runs until it counts as bad; default 1."),
    line("user", "User and group it runs as."),
    line("init_fail", "Bad until its first runs say otherwise."),
];

pub(super) const TRACK_PROCESS: &[Keyword] = &[
    line("process", "Program and arguments."),
    line("param_match", "How arguments are compared: initial or partial."),
    line("weight", "-254 to 254; 0 means FAULT when it is gone."),
    line("quorum", "At least this many; default 1."),
    line("quorum_max", "At most this many."),
    line("delay", "Seconds a change must last."),
    line("terminate_delay", "Seconds an end must last."),
    line("fork_delay", "Seconds a start must last."),
    line("full_command", "Compare the whole command line."),
];

pub(super) const TRACK_PROXY: &[Keyword] = &[
    line("frontend", "Frontends that must take connections."),
    line("backend", "A backend that must have a usable server, or min_servers of them."),
    line("weight", "-253 to 253; 0 means FAULT while something of it fails."),
];

pub(super) const TRACK_FILE: &[Keyword] = &[
    line("file", "Path of the file."),
    line("weight", "-254 to 254; default 1."),
    line("init_file", "Make the file at start."),
];

pub(super) const BFD: &[Keyword] = &[
    line("source_ip", "Own address."),
    line("neighbor_ip", "Address of the neighbour."),
    line("neighbour_ip", "Address of the neighbour."),
    line("min_rx", "Receive interval, milliseconds."),
    line("min_tx", "Send interval, milliseconds."),
    line("idle_tx", "Send interval while down, milliseconds."),
    line("multiplier", "Missed packets until down."),
    line("passive", "Wait for the neighbour."),
    line("ttl", "TTL of packets."),
    line("hoplimit", "Hop limit of packets."),
    line("max_hops", "Most hops a packet may have taken."),
    line("multihop", "The neighbour is not on the link.").since("2.3"),
    line("weight", "-253 to 253."),
    line("vrrp", "Only VRRP follows it."),
    line("checker", "Only checkers follow it."),
];
