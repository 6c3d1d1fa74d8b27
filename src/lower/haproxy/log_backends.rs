//! What backends in `mode log` cannot be: as HAProxy judges it, when all of their lines are known.

use crate::ir::Server;
use crate::ir::proxy::{Backend, Balance, HashMethod, LogBalance};

/// What is wrong, and where.
pub(super) enum Fault<'c> {
    /// In the line with this name, or in that of the defaults.
    Line(&'static str, String),
    Server(&'c Server, String),
}

/// What is wrong with a backend that takes log lines.
pub(super) fn faults<'c>(name: &str, backend: &'c Backend) -> Vec<Fault<'c>> {
    let mut faults = Vec::new();
    let mixed = backend.servers.windows(2).find(|pair| pair[0].datagrams != pair[1].datagrams);
    if let Some(pair) = mixed {
        let message = format!(
            "log backend '{name}': failed to initialize: cannot mix server types within a log backend, '{}' srv's network \
             type differs from previous server.",
            pair[1].name
        );
        faults.push(Fault::Server(&pair[1], message));
    }
    let is_hashed = backend.log_balance == LogBalance::Hash;
    let is_known = match backend.balance {
        // `sticky` is round robin but for lines. What looks at requests has been told to fall back to it.
        Balance::RoundRobin | Balance::Random(_) | Balance::Uri { .. } | Balance::UrlParam(_) => true,
        Balance::Hdr { .. } => true,
        Balance::StaticRr | Balance::LeastConn | Balance::First | Balance::Source => false,
        Balance::RdpCookie(_) => false,
        Balance::Hash => is_hashed,
    };
    if !is_known {
        let message = format!(
            "log backend '{name}': its 'balance' must be 'roundrobin', 'random', 'sticky' or 'log-hash'."
        );
        faults.push(Fault::Line("balance", message));
    }
    if is_hashed && backend.hash_type.method == HashMethod::Consistent {
        let message = format!("log backend '{name}': 'balance log-hash' needs 'hash-type map-based'.");
        faults.push(Fault::Line("hash-type", message));
    }
    faults
}
