//! Tandem: one program in the place of HAProxy and keepalived.
//!
//! # Map
//!
//! A folder is a layer or a subsystem. A file imports only from lower layers or from its own folder;
//! `tests/tidy.rs` holds the table and checks it.
//!
//! | layer | rooms |
//! |---|---|
//! | L0 | [`ir`] resolved configuration, [`buf`] buffer pools (and the `tandem-parser` crate) |
//! | L1 | [`sys`] the kernel and the only unsafe code, [`metrics`] counters |
//! | L2 | pure cores: [`http`], [`expr`], [`balance`], [`server`], [`health`], [`dns`], [`vrrp`] |
//! | L3 | [`lower`] syntax tree to `ir`, [`log`] log targets, [`live`] running objects |
//! | L4 | [`proxy`] sessions; the `runner.rs` shells of `health`, `dns` and `vrrp` |
//! | L5 | [`stats`] renderings, [`ctl`] the stats socket |
//! | L6 | [`app`] wiring, [`process`] the process, [`cli`] the command lines |
//!
//! Three rules keep it liveable. Only `lower` sees both spelling and meaning. L2 is pure: no tokio, no
//! `sys`, no clock; `now` and randomness are arguments, and a machine returns effects. Shells publish
//! state, `stats` and `ctl` pull it.

/// The version of HAProxy whose behaviour and formats this program follows. Tools parse it out of the first line of
/// `-v`, out of `show info` and out of the page.
pub const HAPROXY_VERSION: &str = "3.4.0-tandem";

/// Date beside [`HAPROXY_VERSION`], in HAProxy's form.
pub const RELEASE_DATE: &str = "2026/11/21";

/// Version of keepalived whose behaviour this program follows.
pub const KEEPALIVED_VERSION: &str = "2.4.0-tandem";

pub mod app;
pub mod balance;
pub mod buf;
pub mod cli;
pub mod ctl;
pub mod dns;
pub mod expr;
pub mod health;
pub mod http;
pub mod ir;
pub mod live;
pub mod log;
pub mod lower;
pub mod metrics;
pub mod process;
pub mod proxy;
pub mod server;
pub mod stats;
pub mod sys;
pub mod vrrp;
