//! What counts a connection.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::admission::{self, Judged};
use super::conn::Conn;
use super::door::Door;
use super::txn::Expects;
use crate::ir;
use crate::log::trace::{About, SESSION};
use crate::sys::clock;

/// Counts a connection for as long as it lives.
pub(super) struct Guard {
    pub(super) door: Arc<Door>,
    /// What traces know the connection by.
    number: u64,
    stage: Stage,
}

/// How far a connection is.
#[derive(Clone, Copy)]
enum Stage {
    /// Nothing was asked yet.
    Taken,
    /// These headers come first.
    Awaited(Expects),
    /// It became a session.
    Session,
}

impl Guard {
    fn about(&self) -> About {
        About {
            frontend: About::proxy(self.door.fe.idx),
            listener: Arc::as_ptr(&self.door.listener) as u64,
            session: self.number,
            ..About::default()
        }
    }

    pub(super) fn enter(conn: &Conn) -> Self {
        let now = clock::now_ms();
        let (shared, live) = (&conn.door.shared, &conn.door.live());
        shared.sessions.fetch_add(1, Relaxed);
        if live.process.connections.inc() + 1 >= live.maxconn() {
            live.process.maxconn_reached.inc();
        }
        live.process.cum_conns.inc();
        live.process.conn_rate.add(1, now);
        let c = &conn.frontend().counters;
        c.conn_tot.inc();
        c.conn_rate.add(1, now);
        c.sessions.inc();
        conn.door.listener.counters.conn_tot.inc();
        conn.door.listener.counters.sessions.inc();
        let number = About::client(conn.src, Arc::as_ptr(&conn.door.listener) as u64);
        let mut guard = Self { door: conn.door.clone(), number, stage: Stage::Taken };
        // At once, where nothing can be against it: limits of rates are judged when the next one comes.
        if !admission::is_guarded(conn) {
            live.process.sess_rate.add(1, now);
            guard.begin_session(now);
        }
        SESSION.tell(
            0,
            || guard.about(),
            |_| {
                let src = conn.src.map_or_else(|| "unix".to_owned(), |src| src.to_string());
                format!("fe={} src={src}", conn.door.fe.ir.name)
            },
        );
        guard
    }
}

impl Guard {
    /// Is there nothing left to pass?
    pub(super) fn is_session(&self) -> bool {
        matches!(self.stage, Stage::Session)
    }

    /// What can be said of a connection before it sends anything. False: it is turned away.
    pub(super) fn judge(&mut self, conn: &mut Conn) -> bool {
        let judged = admission::judge(conn);
        let now = clock::now_ms();
        match judged {
            Judged::Refused => return false,
            Judged::Awaited(expects) => self.stage = Stage::Awaited(expects),
            Judged::Admitted => self.begin_session(now),
        }
        // For the process it is a session already while it is greeted, for the frontend only then.
        self.door.live().process.sess_rate.add(1, now);
        true
    }

    /// Has a connection send what is awaited first.
    pub(super) async fn admits(&mut self, conn: &mut Conn) -> bool {
        let Stage::Awaited(expects) = self.stage else { return true };
        if !Box::pin(admission::is_greeted(conn, expects)).await {
            return false;
        }
        self.begin_session(clock::now_ms());
        true
    }

    fn begin_session(&mut self, now: u64) {
        self.stage = Stage::Session;
        self.door.listener.counters.stot.inc();
        if let Some(frontend) = &self.door.fe.frontend {
            frontend.counters.stot.inc();
            frontend.counters.rate.add(1, now);
            if self.door.fe.ir.mode == ir::proxy::Mode::Http {
                frontend.counters.h1_open_connections.inc();
                frontend.counters.h1_total_connections.inc();
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        SESSION.tell(1, || self.about(), |_| format!("fe={}", self.door.fe.ir.name));
        if let Some(frontend) = &self.door.fe.frontend {
            frontend.counters.sessions.dec();
            if self.is_session() && self.door.fe.ir.mode == ir::proxy::Mode::Http {
                frontend.counters.h1_open_connections.dec();
            }
        }
        self.door.listener.counters.sessions.dec();
        self.door.shared.live.process.connections.dec();
        self.door.shared.sessions.fetch_sub(1, Relaxed);
        self.door.shared.room.left();
    }
}
