//! The one integration test binary: a lab of network namespaces with the real peers in it.
//!
//! The programs under test are chosen by environment, so that every test can be shown to be right by running
//! it against the programs Tandem replaces:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `TANDEM_TEST_HAPROXY` | the proxy under test | this build, called as `haproxy` |
//! | `TANDEM_TEST_KEEPALIVED` | the VRRP daemon under test | this build, called as `keepalived` |
//! | `TANDEM_REFERENCE_HAPROXY` | the HAProxy that the same bytes are sent to | the installed one |
//! | `TANDEM_WIRE` | `all`: every case of that comparison, not a sample; else: those whose name contains it | a sample |
//! | `TANDEM_REQUIRE_LAB` | `1`: a missing part fails a test | a missing part skips it, saying so |
//! | `TANDEM_DEMOS` | where the real configuration files lie | `../shared/demos` |
//! | `TANDEM_TEST_FIXTURES` | `1`: our own files, `compat-fixtures/systems` | the real ones where they are there |
//! | `TANDEM_SCREENSHOTS` | a directory for pictures of the statistics page | none are taken |
//! | `TANDEM_LAB_TRACE` | `1`: print every child's log lines as they come | the last ones, when a test fails |

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests live in real time, print what they measured, and fail by panicking"
)]

mod backends;
mod bombs;
mod check;
mod check_services;
mod check_side_by_side;
mod check_times;
mod check_ways;
mod cli;
mod compat;
mod deaf_readers;
mod full_stack;
mod fuzz_replay;
mod lab;
mod lab_itself;
mod laravel;
mod log_backends;
mod map_bytes;
mod maps;
mod metrics;
mod names;
mod namespaces;
mod observed;
mod one_thread;
mod page;
mod page_options;
mod payment_gateway;
mod pgbouncer;
mod refusal;
mod reload;
mod segments;
mod server_commands;
mod server_state;
mod side_by_side;
mod slow_peers;
mod socket;
mod socket_experts;
mod socket_options;
mod soft_stop;
mod stateless;
mod stats_side_by_side;
mod stats_sockets;
mod tidy;
mod told;
mod top;
mod vagrant_pair;
mod vrrp_addresses;
mod vrrp_buffers;
mod vrrp_dead_node;
mod vrrp_dumps;
mod vrrp_frr;
mod vrrp_globals;
mod vrrp_groups;
mod vrrp_hostile;
mod vrrp_input;
mod vrrp_interfaces;
mod vrrp_interop;
mod vrrp_keywords;
mod vrrp_looking_in;
mod vrrp_notices;
mod vrrp_process;
mod vrrp_reload;
mod vrrp_requirements;
mod vrrp_scripts;
mod vrrp_settings;
mod vrrp_signed;
mod vrrp_status;
mod vrrp_track_proxy;
mod vrrp_tracking;
mod vrrp_upkeep;
