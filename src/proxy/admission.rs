//! What a connection has to pass before its session begins: rules, and the headers that are expected of it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use rustix::net::{RecvFlags, recv};

use super::stream::Stream;
use super::txn::{Expects, Txn};
use super::worker::{Conn, with};
use super::{lines, refused, rules};
use crate::buf::Buf;
use crate::expr::Verdict;
use crate::expr::ctx::{ConnectError, Prologue};
use crate::handshake::{Fault, netscaler, proxy_protocol};

impl From<Fault> for Prologue {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Truncated => Self::Truncated,
            Fault::Foreign => Self::Foreign,
            Fault::Invalid => Self::Invalid,
            Fault::Protocol => Self::Protocol,
            Fault::Aborted => Self::Aborted,
        }
    }
}

/// Reads what has come. On a unix socket it stays there until it is known what it is: one that is closed with something
/// unread tells its client so, as by HAProxy, which looks first in any case. What ends TCP can be said when it is closed.
fn poll_look(conn: &mut Conn, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    if conn.io.is_tcp() {
        return conn.poll_fill(cx);
    }
    let input = &mut conn.input;
    let looked = conn.io.poll_read_with(cx, |socket| {
        let buf = input.get_or_insert_with(|| with(|w| w.bufs.take()));
        let (n, _) = recv(socket, buf.space(), RecvFlags::PEEK)?;
        buf.commit(n);
        Ok(n)
    });
    conn.rest();
    looked
}

/// Waits for the first bytes.
async fn first_bytes(conn: &mut Conn) -> Result<(), Prologue> {
    if conn.input.is_some() {
        return Ok(());
    }
    poll_fn(|cx| match poll_look(conn, cx) {
        Poll::Ready(Ok(0)) => Poll::Ready(Err(Prologue::Closed)),
        Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
        Poll::Ready(Err(_)) => Poll::Ready(Err(Prologue::Aborted)),
        Poll::Pending => conn.deadline.poll(cx).map(|()| Err(Prologue::TimedOut)),
    })
    .await
}

/// From now on the connection is between these two; `fc_src` and `fc_dst` stay what they were.
fn stands_for(conn: &mut Conn, (src, dst): (SocketAddr, SocketAddr)) {
    let own = (conn.src, conn.dst);
    conn.extra().fc.get_or_insert(own);
    (conn.src, conn.dst) = (Some(src), Some(dst));
}

/// Takes a header off what [`first_bytes`] found.
fn consume(conn: &mut Conn, len: usize) -> Result<(), Prologue> {
    let Some(buf) = &mut conn.input else { return Ok(()) };
    if let Stream::Unix(socket) = &conn.io {
        buf.clear();
        // All of it was there.
        let taken = recv(socket, &mut buf.space()[..len], RecvFlags::empty());
        taken.ok().filter(|(n, _)| *n == len).ok_or(Prologue::Aborted)?;
    } else {
        buf.consume(len);
    }
    conn.rest();
    Ok(())
}

/// `accept-netscaler-cip`.
async fn netscaler(conn: &mut Conn) -> Result<(), Prologue> {
    first_bytes(conn).await?;
    // Without a number on the line HAProxy expects zero.
    let magic = conn.door.listener.ir.netscaler.unwrap_or_default();
    let header = netscaler::parse(conn.input.as_ref().map_or(&[], Buf::filled), magic)?;
    stands_for(conn, header.addresses);
    consume(conn, header.len)
}

/// `accept-proxy`.
async fn proxy(conn: &mut Conn) -> Result<(), Prologue> {
    first_bytes(conn).await?;
    let parsed = proxy_protocol::parse(conn.input.as_ref().map_or(&[], Buf::filled));
    let said = parsed.as_ref().map_or_else(|refused| refused.addresses, |header| header.addresses);
    if let Some(addresses) = said {
        stands_for(conn, addresses);
    }
    let header = parsed.map_err(|refused| refused.why)?;
    consume(conn, header.len)?;
    conn.received_proxy = true;
    if !header.tlvs.is_empty() {
        conn.extra().tlvs = header.tlvs.into();
    }
    Ok(())
}

/// The headers that come before anything else.
async fn prologue(conn: &mut Conn, expects: Expects) -> Result<(), ConnectError> {
    let t = &conn.door.fe.ir.timeouts;
    conn.deadline.set(t.client_hs.or(t.client).map(|limit| conn.accepted + limit));
    if expects.netscaler {
        netscaler(conn).await.map_err(ConnectError::NetScaler)?;
    }
    if expects.proxy {
        proxy(conn).await.map_err(ConnectError::Proxy)?;
    }
    Ok(())
}

/// Is there anything to pass?
pub(super) fn is_guarded(conn: &Conn) -> bool {
    let (listener, ir) = (&conn.door.listener.ir, &conn.door.fe.ir);
    let expects = listener.accept_proxy || listener.netscaler.is_some();
    expects || !ir.tcp_request_connection.is_empty() || !ir.tcp_request_session.is_empty()
}

/// What became of a connection that was taken.
pub(super) enum Judged {
    /// It begins its session.
    Admitted,
    /// It was turned away.
    Refused,
    /// It is to send these first.
    Awaited(Expects),
}

/// `tcp-request connection` rules and, where no header is awaited, `tcp-request session` rules: at once, so that whoever
/// comes next finds this one counted.
pub(super) fn judge(conn: &mut Conn) -> Judged {
    let ir = conn.door.fe.ir.clone();
    let listener = &conn.door.listener.ir;
    let mut expects = Expects { netscaler: listener.netscaler.is_some(), proxy: listener.accept_proxy };
    if !ir.tcp_request_connection.is_empty()
        && let Err(silent) = judged(conn, rules::connection, &mut expects)
    {
        if !silent {
            conn.frontend().counters.dcon.inc();
            conn.door.listener.counters.dcon.inc();
        }
        conn.io.reset_on_close();
        return Judged::Refused;
    }
    if expects.netscaler || expects.proxy {
        return Judged::Awaited(expects);
    }
    if passes_session_rules(conn, &mut expects) { Judged::Admitted } else { Judged::Refused }
}

/// The headers, and `tcp-request session` rules. False: it is turned away.
pub(super) async fn is_greeted(conn: &mut Conn, mut expects: Expects) -> bool {
    if let Err(why) = prologue(conn, expects).await {
        refuse(conn, why);
        return false;
    }
    let passes = passes_session_rules(conn, &mut expects);
    if !passes {
        // As by HAProxy: a line where there was a handshake, which succeeded.
        refuse(conn, ConnectError::None);
    }
    passes
}

fn passes_session_rules(conn: &mut Conn, expects: &mut Expects) -> bool {
    if conn.door.fe.ir.tcp_request_session.is_empty() {
        return true;
    }
    let verdict = judged(conn, rules::session, expects);
    if verdict == Err(false) {
        conn.frontend().counters.dses.inc();
        conn.door.listener.counters.dses.inc();
    }
    verdict.is_ok()
}

/// The end of a connection that began with a header, or was to.
fn refuse(conn: &mut Conn, why: ConnectError) {
    if conn.input.is_some() && !conn.extra.as_ref().is_some_and(|extra| extra.vanished) {
        // What it sent is not read: HAProxy only looked at it, and closing says so.
        conn.io.reset_on_close();
    }
    if !(why.is_silence() && conn.door.fe.ir.dontlognull) {
        lines::turned_away(&mut Txn::new(conn, conn.accepted), why);
    }
}

/// What one of these lists says of the connection. `Err`: it is to go; `true`, in silence, which counts as a request that
/// was refused.
fn judged(conn: &mut Conn, list: fn(&mut Txn) -> Verdict, expects: &mut Expects) -> Result<(), bool> {
    let mut txn = Txn::new(conn, conn.accepted);
    let outcome = list(&mut txn);
    if (txn.src, txn.dst) != (conn.src, conn.dst) {
        conn.extra().fc = Some(txn.connection_addresses());
        conn.src = txn.src;
        conn.dst = txn.dst;
    }
    expects.netscaler |= txn.expects.netscaler;
    expects.proxy |= txn.expects.proxy;
    txn.apply_tags(conn);
    txn.give_back(conn);
    match outcome {
        Verdict::Continue => Ok(()),
        Verdict::SilentDrop(hops) => {
            refused::request(conn, &txn);
            conn.vanish(hops);
            Err(true)
        }
        _ => Err(false),
    }
}
