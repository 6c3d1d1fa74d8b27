//! Where it is counted that a rule refused a message.

use super::txn::Txn;
use super::worker::Conn;

/// A request; or a session that is dropped in silence, even if it is a response that this is done for.
pub(super) fn request(conn: &Conn, txn: &Txn) {
    rejected(conn, txn);
    if let Some(be) = txn.be().backend.as_ref().filter(|_| txn.entered) {
        be.counters.dreq.inc();
    }
}

/// A request by `tcp-request content reject`: backends do not count these.
pub(super) fn rejected(conn: &Conn, txn: &Txn) {
    if let Some(fe) = &txn.door.fe.frontend {
        fe.counters.dreq.inc();
    }
    conn.door.listener.counters.dreq.inc();
}

/// A response.
pub(super) fn response(conn: &Conn, txn: &Txn) {
    if let Some(fe) = &txn.door.fe.frontend {
        fe.counters.dresp.inc();
    }
    conn.door.listener.counters.dresp.inc();
    if let Some(be) = &txn.be().backend {
        be.counters.dresp.inc();
    }
    if let Some(server) = &txn.server {
        server.counters.dresp.inc();
    }
}
