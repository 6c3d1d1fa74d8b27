//! What RFC 9568 (VRRP version 3, which obsoletes RFC 5798) demands, and the tests that hold it.
//!
//! One row for each sentence with MUST or MUST NOT, in the order of the document, in our words. A test is named by its
//! file and its function; `tests/vrrp_requirements.rs` looks whether they are there.
//!
//! | section | demand | held by |
//! |---|---|---|
//! | 5.1.1.2, 5.1.2.2 | datagrams to the groups are not forwarded | the kernel's: both groups are link-local, and no packet read here is sent on |
//! | 5.1.1.3 | IPv4: sent with TTL 255 | `src/vrrp/packet/tests.rs` `writes_the_bytes_keepalived_writes` |
//! | 5.1.1.3, 7.1 | IPv4: any other TTL is discarded | `src/vrrp/packet/tests.rs` `every_fault_has_its_own_reason_and_counter`, `tests/vrrp_process.rs` `garbage_on_the_segment_changes_nothing` |
//! | 5.1.2.3 | IPv6: sent with hop limit 255 | `tests/vrrp_interop.rs` `version_3_over_ipv6` (the other program discards anything else) |
//! | 5.1.2.3, 7.1 | IPv6: any other hop limit is discarded | `src/vrrp/packet/tests.rs` `ipv6_round_trip_and_faults` |
//! | 5.2.2, 7.1 | packets of another type are discarded | `src/vrrp/packet/tests.rs` `every_fault_has_its_own_reason_and_counter` |
//! | 5.2.4 | the owner of the addresses has priority 255 | `src/vrrp/fsm/tests.rs` `owner_is_master_at_once_and_ignores_tracking` |
//! | 5.2.4 | backups have 1 to 254, whatever is tracked | `src/vrrp/fsm/tests.rs` `priorities_stay_between_1_and_254` |
//! | 5.2.5 | an advertisement without addresses is ignored | `src/vrrp/packet/tests.rs` `version_3_without_interval_or_addresses_is_ignored` |
//! | 5.2.6 | the reserved bits are sent as zero and ignored | `src/vrrp/packet/tests.rs` `version_3_reserved_bits_count_for_nothing_and_are_sent_as_zero` |
//! | 5.2.8 | IPv4: the checksum is over the message alone | `src/vrrp/packet/tests.rs` `version_3_checksum_variants`; see below |
//! | 5.2.8 | IPv6: the checksum covers a pseudo header | `src/vrrp/packet/tests.rs` `ipv6_round_trip_and_faults` |
//! | 5.2.9 | IPv6: the first address is link-local | `src/lower/keepalived/tests/values.rs` `the_first_ipv6_address_is_link_local`; see below |
//! | 5.2.9 | all addresses are of the packet's family | `src/lower/keepalived/tests/values.rs` `addresses_are_of_one_family` |
//! | 6.1, 6.4.3 | with Accept_Mode off, neighbour discovery goes on | `tests/vrrp_interfaces.rs` `packets_to_the_addresses_are_dropped_where_they_are_not_accepted` |
//! | 6.4.1 | an owner starts as Active: advertisement, gratuitous ARP or neighbour advertisements, timer | `src/vrrp/fsm/tests.rs` `owner_is_master_at_once_and_ignores_tracking` |
//! | 6.4.1 | others start as Backup and wait Active_Down_Interval | `src/vrrp/fsm/tests.rs` `starts_as_backup_and_waits_the_master_down_time` |
//! | 6.4.2 | a Backup answers neither ARP nor neighbour solicitations for the addresses, and accepts nothing sent to them | `tests/vrrp_interop.rs` `version_3_over_ipv4`, `version_3_over_ipv6` (a Backup does not have the addresses) |
//! | 6.4.2, 6.4.3 | frames to the virtual MAC are discarded by a Backup, forwarded by the Active | see below: a Backup's virtual interface has no address |
//! | 6.4.2 | Backup, shutdown: the timer is cancelled | `src/vrrp/fsm/tests.rs` `stop_releases_and_is_final` |
//! | 6.4.2 | Backup, Active_Down_Timer: advertisement first, then announcements, timer, Active | `src/vrrp/fsm/tests.rs` `silence_makes_it_master` |
//! | 6.4.2 | Backup, priority 0: waits Skew_Time | `src/vrrp/fsm/tests.rs` `what_a_backup_does_with_an_advert` |
//! | 6.4.2 | Backup, priority not lower (or no Preempt_Mode): learns the interval, waits anew | `src/vrrp/fsm/tests.rs` `what_a_backup_does_with_an_advert`, `version_3_lives_by_the_interval_of_its_master` |
//! | 6.4.2 | Backup, lower priority: discarded | `src/vrrp/fsm/tests.rs` `lower_priority_is_discarded_with_the_known_words` |
//! | 6.4.3 | the Active answers ARP and neighbour solicitations and is in the solicited-node groups | `tests/vrrp_process.rs` `the_owner_answers_for_the_address` (the kernel does, for addresses it has) |
//! | 6.4.3 | the Active accepts packets to the addresses if it owns them or Accept_Mode is on, and no others | `tests/vrrp_process.rs` `the_owner_answers_for_the_address`, `tests/vrrp_interfaces.rs` `packets_to_the_addresses_are_dropped_where_they_are_not_accepted` |
//! | 6.4.3 | Active, shutdown: timer cancelled, priority 0 sent | `src/vrrp/fsm/tests.rs` `stop_releases_and_is_final` |
//! | 6.4.3 | Active, Adver_Timer: advertisement, timer | `src/vrrp/fsm/tests.rs` `silence_makes_it_master` |
//! | 6.4.3 | Active, priority 0: answers, timer | `src/vrrp/fsm/tests.rs` `what_a_master_does_with_an_advert` |
//! | 6.4.3 | Active, higher priority or equal from a higher address: becomes Backup with the sender's interval | `src/vrrp/fsm/tests.rs` `what_a_master_does_with_an_advert`, `version_3_lives_by_the_interval_of_its_master`, `giving_way_removes_addresses_before_anybody_is_told` |
//! | 6.4.3 | Active, lower: discarded, and answered at once | `src/vrrp/fsm/tests.rs` `a_lower_master_is_answered_and_caches_are_corrected_twice` |
//! | 7.1 | version 3 | `src/vrrp/packet/tests.rs` `every_fault_has_its_own_reason_and_counter` |
//! | 7.1 | the packet is complete | `src/vrrp/packet/tests.rs` `every_fault_has_its_own_reason_and_counter`, `no_bytes_make_it_panic` |
//! | 7.1 | the checksum is right | `src/vrrp/packet/tests.rs` `every_fault_has_its_own_reason_and_counter`, `a_changed_bit_never_passes_as_another_priority` |
//! | 7.1 | the virtual router is configured on that interface | `tests/vrrp_process.rs` `garbage_on_the_segment_changes_nothing` |
//! | 7.1 | the interval is not zero | `src/vrrp/packet/tests.rs` `version_3_without_interval_or_addresses_is_ignored` |
//! | 7.1 | what fails is discarded | `tests/vrrp_hostile.rs` `fifty_thousand_bad_packets_at_full_speed_change_nothing` |
//! | 7.2 | fields from the configuration, checksum, source address, protocol, group | `src/vrrp/packet/tests.rs` `writes_the_bytes_keepalived_writes`, `src/lower/keepalived/tests/replay.rs` `packets_are_the_same_to_the_byte` |
//! | 7.2, 8.1.2, 8.2.2 | source MAC, ARP replies and neighbour advertisements carry the virtual MAC | `tests/vrrp_interfaces.rs` `a_router_has_the_hardware_address_of_the_protocol_whoever_runs_it` (with a virtual interface; see below) |
//! | 8.1.2, 8.2.2 | an address is announced when it is there, not before | `src/vrrp/fsm/tests.rs` `silence_makes_it_master` |
//!
//! # Where this follows keepalived and not the document
//!
//! * The virtual MAC: addresses are on the interface with its own MAC and moved by gratuitous ARP, unless `use_vmac` says
//!   otherwise, as in keepalived.
//! * Accept_Mode is on unless `no_accept` or `vrrp_strict` say otherwise.
//! * The IPv4 checksum is sent with the pseudo header of RFC 5798, which keepalived 2.2.7 demands, unless
//!   `v3_checksum_as_v2` says otherwise. Both forms are understood.
//! * A first IPv6 address that is not link-local is a warning, and an error with `vrrp_strict`.
//! * Router advertisements (6.4.3) are another daemon's (radvd), as with keepalived.
//! * With `unicast_peer` the TTL says nothing, and is looked at only where the file gives a range.
//! * A Backup that sees its Active fall below itself takes over after Skew_Time rather than Active_Down_Interval, and a
//!   changed priority is advertised at once: both stay within what 6.4 allows of a router with other timers.
