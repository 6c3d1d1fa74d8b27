//! What a connection has to pass before its session begins: rules, and a PROXY header where one is expected.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::txn::Txn;
use super::worker::{Conn, unmap};
use super::{lines, rules};
use crate::buf::Buf;
use crate::expr::Verdict;
use crate::handshake::proxy_protocol;

/// Why there was no PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Closed,
    Truncated,
    Foreign,
    Invalid,
    TimedOut,
}

impl Broken {
    /// As HAProxy words it.
    fn text(self) -> &'static str {
        match self {
            Broken::Closed => "Connection closed while waiting for PROXY protocol header",
            Broken::Truncated => "Truncated PROXY protocol header received",
            Broken::Foreign => "Received something which does not look like a PROXY protocol header",
            Broken::Invalid => "Received an invalid PROXY protocol header",
            Broken::TimedOut => "Timeout while waiting for PROXY protocol header",
        }
    }
}

/// What was received is not the beginning of a header, or of one that makes no sense.
fn wrong(received: &[u8]) -> Broken {
    if received.starts_with(b"PROXY ") || received.starts_with(&proxy_protocol::V2_SIGNATURE) {
        Broken::Invalid
    } else {
        Broken::Foreign
    }
}

/// `accept-proxy`.
async fn read_proxy_line(conn: &mut Conn) -> Result<(), Broken> {
    let t = &conn.proxy.ir.timeouts;
    let limit = t.http_request.or(t.client).unwrap_or(Duration::from_secs(15));
    conn.deadline.set(Some(conn.accepted + limit));
    poll_fn(|cx| {
        loop {
            if let Some(buf) = &mut conn.input {
                match proxy_protocol::parse(buf.filled()) {
                    Err(_) => return Poll::Ready(Err(wrong(buf.filled()))),
                    Ok(None) if buf.is_full() => return Poll::Ready(Err(wrong(buf.filled()))),
                    Ok(None) => {}
                    Ok(Some(header)) => {
                        buf.consume(header.len);
                        if let Some((src, dst)) = header.addresses {
                            // `fc_src` and `fc_dst` stay what they were.
                            let own = (conn.src, conn.dst);
                            conn.extra().fc.get_or_insert(own);
                            conn.src = Some(unmap(src));
                            conn.dst = Some(unmap(dst));
                        }
                        conn.received_proxy = true;
                        if !header.tlvs.is_empty() {
                            conn.extra().tlvs = header.tlvs.into();
                        }
                        conn.rest();
                        return Poll::Ready(Ok(()));
                    }
                }
            }
            match conn.poll_fill(cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => {
                    let began = conn.input.as_ref().is_some_and(|buf: &Buf| !buf.is_empty());
                    return Poll::Ready(Err(if began { Broken::Truncated } else { Broken::Closed }));
                }
                Poll::Pending => return conn.deadline.poll(cx).map(|()| Err(Broken::TimedOut)),
            }
        }
    })
    .await
}

/// `tcp-request connection` rules, the PROXY header, `tcp-request session` rules. False: they turned it away.
pub(super) async fn is_admitted(conn: &mut Conn) -> bool {
    let ir = conn.proxy.ir.clone();
    let mut expects_proxy = conn.listener.ir.accept_proxy;
    if !ir.tcp_request_connection.is_empty() && !judged(conn, rules::connection, &mut expects_proxy) {
        return false;
    }
    if expects_proxy && let Err(why) = Box::pin(read_proxy_line(conn)).await {
        // Who said nothing may have been a probe.
        let silent = matches!(why, Broken::Closed | Broken::TimedOut);
        if !(silent && ir.dontlognull) {
            lines::turned_away(&Txn::new(conn, conn.accepted), why.text());
        }
        return false;
    }
    ir.tcp_request_session.is_empty() || judged(conn, rules::session, &mut expects_proxy)
}

/// What one of these lists says of the connection.
fn judged(conn: &mut Conn, list: fn(&mut Txn) -> Verdict, expects_proxy: &mut bool) -> bool {
    let mut txn = Txn::new(conn, conn.accepted);
    let outcome = list(&mut txn);
    if (txn.src, txn.dst) != (conn.src, conn.dst) {
        conn.extra().fc = Some(txn.connection_addresses());
        conn.src = txn.src;
        conn.dst = txn.dst;
    }
    *expects_proxy |= txn.expects_proxy;
    txn.apply_tags(conn);
    txn.give_back(conn);
    if matches!(outcome, Verdict::Continue) {
        return true;
    }
    if let Verdict::SilentDrop(hops) = outcome {
        conn.vanish(hops);
    }
    conn.frontend().counters.dcon.inc();
    conn.listener.counters.dcon.inc();
    false
}
