//! What counts a connection.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::conn::Conn;
use super::engine::Shared;
use crate::ir;
use crate::live::{Listener, Proxy};
use crate::log::trace::{About, SESSION};
use crate::sys::clock;

/// Counts a connection for as long as it lives.
pub(super) struct Guard {
    pub(super) shared: Arc<Shared>,
    pub(super) proxy: Arc<Proxy>,
    pub(super) listener: Arc<Listener>,
    /// What traces know the connection by.
    number: u64,
}

impl Guard {
    fn about(&self) -> About {
        About {
            frontend: About::proxy(self.proxy.idx),
            listener: Arc::as_ptr(&self.listener) as u64,
            session: self.number,
            ..About::default()
        }
    }

    pub(super) fn enter(shared: Arc<Shared>, conn: &Conn) -> Self {
        let now = clock::now_ms();
        let live = &shared.live;
        shared.sessions.fetch_add(1, Relaxed);
        live.process.connections.inc();
        live.process.cum_conns.inc();
        live.process.conn_rate.add(1, now);
        live.process.sess_rate.add(1, now);
        let c = &conn.frontend().counters;
        c.conn_tot.inc();
        c.conn_rate.add(1, now);
        c.sessions.inc();
        c.stot.inc();
        c.rate.add(1, now);
        if conn.proxy.ir.mode == ir::proxy::Mode::Http {
            c.h1_open_connections.inc();
            c.h1_total_connections.inc();
        }
        conn.listener.counters.sessions.inc();
        conn.listener.counters.stot.inc();
        let number = About::client(conn.src, Arc::as_ptr(&conn.listener) as u64);
        let guard = Self { proxy: conn.proxy.clone(), listener: conn.listener.clone(), shared, number };
        SESSION.tell(
            0,
            || guard.about(),
            |_| {
                let src = conn.src.map_or_else(|| "unix".to_owned(), |src| src.to_string());
                format!("fe={} src={src}", conn.proxy.ir.name)
            },
        );
        guard
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        SESSION.tell(1, || self.about(), |_| format!("fe={}", self.proxy.ir.name));
        if let Some(frontend) = &self.proxy.frontend {
            frontend.counters.sessions.dec();
            if self.proxy.ir.mode == ir::proxy::Mode::Http {
                frontend.counters.h1_open_connections.dec();
            }
        }
        self.listener.counters.sessions.dec();
        self.shared.live.process.connections.dec();
        self.shared.sessions.fetch_sub(1, Relaxed);
        self.shared.room.left();
    }
}
