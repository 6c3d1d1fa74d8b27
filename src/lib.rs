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
//! | L2 | pure cores: [`http`], [`handshake`], [`expr`], [`balance`], [`server`], [`health`], [`dns`], [`vrrp`] |
//! | L3 | [`lower`] syntax tree to `ir`, [`log`] log targets, [`live`] running objects |
//! | L4 | [`proxy`] sessions; the `runner.rs` shells of `health`, `dns` and `vrrp` |
//! | L5 | [`stats`] renderings, [`ctl`] the stats socket |
//! | L6 | [`app`] wiring, [`process`] the process, [`cli`] the command lines |
//!
//! # Adding a keyword
//!
//! One row, one field, one test. `timeout tarpit` as the example:
//!
//! 1. **The row**, in the file of its family below `parser/src/haproxy/keywords`:
//!    `full("timeout tarpit", PROXIES, &[MS], "how long a tarpitted client is kept waiting")`. It says where the keyword may
//!    stand, what its arguments are and what it does here; until it does that, `inert`, `moot` or `refused` with the reason
//!    instead of `full`. From the row come the parser's types and messages, did-you-mean, `-dK`, `tandem keywords` and the
//!    README's table (`TANDEM_BLESS=1 cargo test --lib cli::keywords` counts anew), and lines with its arguments, which
//!    `tests/compat/registry.rs` has HAProxy judge.
//! 2. **The field**, in [`ir`]: `Timeouts::tarpit`, with its meaning and its default. The family's file below
//!    `src/lower/haproxy` puts the typed argument there: one arm, `"timeout tarpit" => &mut timeouts.tarpit`.
//!    What the engine does reads the field and knows no spelling.
//! 3. **The test**, where the effect is: what a configuration with the keyword does that one without it does not. That the
//!    row promises nothing lowering does not take, that every name HAProxy registers has a row, and that HAProxy itself
//!    judges a file with it the same is tested for all rows at once.
//!
//! A fetch or converter has its row in `src/lower/expr`, an action in `src/lower/rules`, a word of `keepalived.conf` in
//! `parser/src/keepalived/keywords`, a command of the socket in `src/ctl/cmd`; the rest is the same.
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
pub mod handshake;
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
