//! What keepalived's VRRP does, and the tests that hold it here, most of them beside the real program.
//!
//! A test is named by its file and its function; `tests/vrrp_requirements.rs` looks whether they are there. The sentences
//! of the RFC are in [`rfc9568`](super::rfc9568).
//!
//! | what | held by |
//! |---|---|
//! | version 2: election, skew, priority 0, PASS, AH with its counter, both roles beside keepalived and FRR | `tests/vrrp_interop.rs` `version_2_without_authentication`, `version_2_with_password`, `version_2_with_authentication_header`, `version_2_unicast`, `version_2_unicast_with_authentication_header`, `tests/vrrp_frr.rs` `version_2_with_frr` |
//! | version 3 of both families: centiseconds, the master's interval is learned | `tests/vrrp_interop.rs` `version_3_over_ipv4`, `version_3_over_ipv6`, `version_3_unicast_over_ipv6`, `src/vrrp/fsm/tests.rs` `version_3_lives_by_the_interval_of_its_master`, `tests/vrrp_frr.rs` `version_3_of_both_families_with_frr` |
//! | recordings of keepalived: states, log lines, announcements, packets to the byte | `src/lower/keepalived/tests/replay.rs` `states_change_as_they_did`, `log_lines_are_the_same_and_in_the_same_order`, `addresses_are_announced_as_often`, `adverts_are_sent_when_they_were`, `packets_are_the_same_to_the_byte` |
//! | checksums: `old_unicast_checksum`, `v3_checksum_as_v2` | `tests/vrrp_interop.rs` `version_3_unicast_with_both_checksums`, `src/vrrp/packet/tests.rs` `version_3_checksum_variants` |
//! | priority 255, `owner_ignore_adverts` | `src/vrrp/fsm/tests.rs` `owner_is_master_at_once_and_ignores_tracking`, `an_owner_that_ignores_adverts_answers_none`, `tests/vrrp_process.rs` `the_owner_answers_for_the_address` |
//! | `nopreempt`, `preempt_delay` | `tests/vrrp_keywords.rs` `a_higher_one_waits_or_leaves_it_where_it_is_told_to`, `src/vrrp/fsm/tests.rs` `preempt_delay_accepts_a_lower_master_until_it_is_over` |
//! | `no_accept`, `accept`, `nftables`; `vrrp_strict`, `strict_mode` | `tests/vrrp_interfaces.rs` `packets_to_the_addresses_are_dropped_where_they_are_not_accepted`, `tests/vrrp_keywords.rs` `strict_follows_the_letter`, `src/lower/keepalived/tests/values.rs` `strict_mode_resets_what_the_rfc_forbids` |
//! | `unicast_peer`, `unicast_ttl`, `vrrp_mcast_group4`, `mcast_dst_ip`, `mcast_src_ip` | `tests/vrrp_keywords.rs` `groups_sources_and_hop_limits_are_those_of_the_file`, `src/vrrp/packet/tests.rs` `unicast_takes_any_ttl_unless_the_source_is_checked` |
//! | `check_unicast_src` | `tests/vrrp_keywords.rs` `adverts_of_strangers_count_only_where_their_source_is_not_checked` |
//! | `skip_check_adv_addr` | `tests/vrrp_keywords.rs` `a_changed_list_of_addresses_is_overlooked_where_it_is_not_checked`, `src/vrrp/packet/tests.rs` `address_list_is_not_compared_for_a_known_master_when_told_so` |
//! | `down_timer_adverts` | `src/vrrp/fsm/tests.rs` `a_backup_waits_for_as_many_adverts_as_configured` |
//! | `lower_prio_no_advert`, `higher_prio_send_advert` | `src/vrrp/fsm/tests.rs` `what_a_master_does_with_an_advert`, `higher_prio_send_advert_sends_one_more` |
//! | `auth_hmac` | `tests/vrrp_signed.rs` `a_recording_of_signed_adverts_and_adverts_without_a_signature_are_refused`, `signatures_come_in_without_a_moment_of_two_owners`, `src/vrrp/packet/tests.rs` `signatures_are_keepalived_s` |
//! | addresses, excluded and static ones, routes and rules with their options, as the kernel has them | `tests/vrrp_addresses.rs` `the_kernel_is_told_what_keepalived_tells_it`, `tests/vrrp_process.rs` `routes_rules_and_static_items_come_and_go` |
//! | what others remove is restored within 50 ms, with a line in the log | `tests/vrrp_upkeep.rs` `what_others_remove_is_back_within_50_ms_on_a_machine_with_time`, `tests/vrrp_addresses.rs` `what_somebody_removes_comes_back` |
//! | `promote_secondaries` | `tests/vrrp_keywords.rs` `the_switch_for_secondary_addresses_is_turned_and_turned_back` |
//! | `use_vmac`, `vmac_xmit_base`, `use_vmac_addr` | `tests/vrrp_interfaces.rs` `a_router_has_the_hardware_address_of_the_protocol_whoever_runs_it`, `adverts_leave_through_the_interface_below_where_that_is_asked_for`, `tests/vrrp_keywords.rs` `addresses_on_other_interfaces_get_virtual_ones_too` |
//! | `use_ipvlan` | `tests/vrrp_keywords.rs` `an_ipvlan_carries_adverts_and_addresses_where_the_kernel_has_it` |
//! | `vrf` | `tests/vrrp_settings.rs` `an_instance_without_an_interface_speaks_on_its_vrf` |
//! | gratuitous ARP and neighbour advertisements: bursts, delays, refresh, `vrrp_min_garp` | `tests/vrrp_keywords.rs` `bursts_of_announcements_come_when_and_as_often_as_configured`, `src/vrrp/fsm/tests.rs` `a_lower_master_is_answered_and_caches_are_corrected_twice`, `a_master_announces_again_and_again_where_that_is_configured`, `src/vrrp/announce.rs` `arp_is_what_keepalived_sends` |
//! | `garp_group`, `garp_extra_if` | `tests/vrrp_keywords.rs` `announcements_keep_the_pace_of_their_group`, `tests/vrrp_upkeep.rs` `further_interfaces_are_announced_on_and_links_are_polled` |
//! | sync groups: state together, tracking; `sync_group_tracking_weight` | `tests/vrrp_keywords.rs` `groups_follow_what_they_track`, `tests/vrrp_groups.rs` `members_may_track_with_weights_where_their_group_says_so`, `src/vrrp/engine/tests.rs` `a_group_becomes_master_only_together`, `a_fault_of_one_member_is_a_fault_of_all` |
//! | `track_interface`, `dont_track_primary`, `dynamic_interfaces`, `interface_up_down_delays` | `tests/vrrp_keywords.rs` `a_link_that_is_not_tracked_may_fail`, `tests/vrrp_tracking.rs` `an_interface_may_come_late_go_and_come_back`, `a_link_that_goes_down_and_up_counts_after_its_delays`, `an_interface_that_an_address_is_on_is_watched` |
//! | root `track_group`: interfaces of static addresses, routes and rules | `tests/vrrp_groups.rs` `members_need_the_interfaces_of_the_static_items_of_their_group` |
//! | `vrrp_rx_bufs_policy`, `vrrp_rx_bufs_multiplier`, `kernel_rx_buf_size`, `vrrp_netlink_*_rcv_bufs` | `tests/vrrp_buffers.rs` `sockets_hold_as_much_as_the_file_says`, `the_kernel_s_news_wait_as_the_file_says` |
//! | `linkbeat_use_polling`, `linkbeat_interfaces` | `tests/vrrp_settings.rs` `every_link_is_polled_where_the_file_says_so` |
//! | `track_script`: weight, fault, rise, fall, `init_fail`, timeout, user, `enable_script_security` | `tests/vrrp_process.rs` `a_script_decides_by_weight_and_by_fault`, `src/vrrp/track.rs` `rise_and_fall`, `weights`, `tests/vrrp_keywords.rs` `a_script_that_hangs_has_failed`, `tests/vrrp_settings.rs` `the_engine_is_in_memory_and_before_others_and_its_scripts_are_not`, `src/lower/keepalived/tests/values.rs` `script_security_follows_keepalived` |
//! | scripts that look for a process are answered when it ends | `tests/vrrp_process.rs` `the_end_of_a_watched_process_moves_the_address_without_waiting_for_the_interval`, `a_watched_process_that_ended_without_being_reaped_is_gone` |
//! | `track_file`, `track_process` | `tests/vrrp_tracking.rs` `the_number_in_a_file_moves_the_priority_and_decides_over_fault`, `processes_count_for_the_quorum_as_they_come_and_go`, `src/vrrp/quorum.rs` `changes_have_to_last` |
//! | `track_proxy` | `tests/vrrp_track_proxy.rs` `the_address_goes_where_servers_and_listeners_are`, `a_reload_of_the_proxy_is_no_failure_and_a_frozen_proxy_is_one`, `somebody_else_with_the_name_of_a_proxy_is_not_believed` |
//! | `vrrp_startup_delay`, `track_src_ip` | `tests/vrrp_tracking.rs` `what_waits_after_the_start_waits_that_long_and_reloads_say_how_things_are`, `a_tracked_source_address_that_is_missing_is_waited_for` |
//! | notify scripts and pipes: arguments and order, `notify_deleted`, `notify_master_rx_lower_pri`, priority changes | `tests/vrrp_notices.rs` `scripts_and_pipes_hear_what_the_real_one_tells_them`, `start_and_stop_scripts_run_around_everything_else` |
//! | mails; `keepalived.data`, `.stats`, `.json`; signals, `--signum`; exit codes | `tests/vrrp_dumps.rs` `files_and_mails_are_those_of_the_real_one`, `settings_routes_and_rules_are_dumped_as_by_the_real_one`, `signal_numbers_and_exit_codes_are_those_of_the_real_one`, `tests/vrrp_process.rs` `signals_write_the_files_exporters_read` |
//! | `-a`, `-d`, `-X` | `tests/vrrp_settings.rs` `options_of_the_command_line_do_what_those_of_the_real_one_do` |
//! | pid files, `instance`, `net_namespace`, `--namespace` | `tests/vrrp_keywords.rs` `a_named_instance_lives_in_the_namespace_it_names`, `tests/vrrp_process.rs` `it_is_called_keepalived_and_cleans_up` |
//! | `--config-id` | `tests/vrrp_keywords.rs` `lines_for_other_nodes_are_left_out` |
//! | `--dont-release-vrrp` | `tests/vrrp_keywords.rs` `addresses_stay_where_the_end_is_not_to_release_them` |
//! | reload: nothing sent, nothing dropped; a file that does not load changes nothing | `tests/vrrp_process.rs` `a_reload_of_an_unchanged_file_sends_nothing_and_drops_nothing`, `a_reload_applies_what_changed_and_refuses_what_does_not_load` |
//! | nodes that are killed or frozen lose their addresses | `tests/vrrp_dead_node.rs` `a_killed_node_loses_its_addresses`, `a_frozen_node_loses_its_addresses_and_gives_way_when_it_thaws`, `a_killed_node_stops_answering_before_its_addresses_end`, `tests/vrrp_process.rs` `a_killed_engine_hands_over_at_once_and_comes_back` |
//! | two capabilities are enough | `tests/vrrp_status.rs` `two_capabilities_are_enough_and_a_missing_one_is_named` |
//! | forged and malformed packets | `tests/vrrp_hostile.rs` `fifty_thousand_bad_packets_at_full_speed_change_nothing`, `tests/vrrp_input.rs` `malformed_advertisements_are_counted_and_never_acted_on` |
