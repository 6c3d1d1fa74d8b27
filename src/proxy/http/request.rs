//! Reading a request and preparing it for its server.

use std::future::poll_fn;
use std::task::Poll;

use crate::http::{Parser, Progress};
use crate::live::board::{Broken, Side};
use crate::proxy::failure::{Failure, Phase, Who};
use crate::proxy::lot;
use crate::proxy::lull::Lull;
use crate::proxy::txn::Txn;
use crate::proxy::worker::Conn;
use crate::sys::clock;

/// How far the head of a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// All of it is here.
    Done,
    /// Not to its end, and the client has been silent for long.
    Halfway,
}

/// Read and parse the head of a request into `txn.req`. What follows it stays in the connection's input.
pub(super) async fn read_head(conn: &mut Conn, txn: &mut Txn) -> Result<Reading, Failure> {
    let t = &conn.door.fe.ir.timeouts;
    let since = if conn.requests == 0 { conn.accepted } else { txn.first_byte.unwrap_or(txn.started) };
    conn.deadline.set(t.http_request.or(t.client).map(|d| since + d));
    // `timeout client` alone is for every piece anew.
    let idle = t.client.filter(|_| t.http_request.is_none());
    if let Some(halfway) = conn.take_up() {
        txn.first_byte = halfway.first_byte;
        conn.deadline.set(halfway.until);
    }
    let mut lull = Lull::default();
    let (limit, max_fields) = (txn.head_room(), txn.most_headers());
    let mut parser = Parser::relaxed(conn.door.fe.ir.accept_unsafe_request);
    poll_fn(|cx| {
        loop {
            if let Some(buf) = &mut conn.input {
                match parser.request(buf.filled(), &mut txn.req, max_fields) {
                    Ok(Progress::Complete(n)) if n <= limit => {
                        buf.consume(n);
                        txn.bytes_in = n as u64;
                        txn.head_len = n as u64;
                        conn.rest();
                        return Poll::Ready(Ok(Reading::Done));
                    }
                    Ok(Progress::Incomplete) if buf.len() < limit => {}
                    _ => {
                        txn.bytes_in = buf.len() as u64;
                        keep_broken(txn, buf.filled());
                        return Poll::Ready(Err(Failure::new(Who::Proxy, Phase::Request)));
                    }
                }
            }
            match conn.poll_fill(cx) {
                Poll::Ready(Ok(1..)) => {
                    lull.ends();
                    if let Some(idle) = idle {
                        conn.deadline.set(Some(clock::now() + idle));
                    }
                }
                Poll::Ready(_) => return Poll::Ready(Err(Failure::new(Who::Client, Phase::Request))),
                Poll::Pending => {
                    if conn.deadline.poll(cx).is_ready() {
                        return Poll::Ready(Err(Failure::new(Who::ClientTimeout, Phase::Request)));
                    }
                    if lull.is_long() && lot::takes(conn) {
                        conn.set_aside(txn.first_byte);
                        return Poll::Ready(Ok(Reading::Halfway));
                    }
                    return Poll::Pending;
                }
            }
        }
    })
    .await
}

/// Has the header name letters, digits and `-` only (`option http-restrict-req-hdr-names`)?
pub(super) fn is_plain_name(name: &[u8]) -> bool {
    name.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'-')
}

/// For `show errors`.
fn keep_broken(txn: &Txn, bytes: &[u8]) {
    let odd = |b: &u8| (*b < 0x20 && !matches!(*b, b'\r' | b'\n' | b'\t')) || *b >= 0x7f;
    let message = Broken {
        number: 0,
        at: clock::wall(),
        frontend: txn.door.fe.idx,
        backend: None,
        server: None,
        src: txn.src,
        bytes: bytes.into(),
        position: bytes.iter().position(odd).unwrap_or(bytes.len()),
    };
    txn.door.live().board.keep_broken(Side::Request, message);
}

/// The request line as received, for the log.
pub(super) fn note_line(txn: &mut Txn) {
    if crate::proxy::lines::logs_requests(&txn.door.fe.ir) || txn.door.live().config.reads_request_line {
        let req = &txn.req;
        let mut line = [req.method(), b" ", req.uri(), b" ", req.version_text()].concat();
        line.truncate(txn.door.live().config.global.log_uri_len - 1);
        txn.request_line = Some(line);
    }
}

/// What `capture request header` took is not there: the request went no further than the rules on its bytes.
pub(super) fn forget_captures(txn: &mut Txn) {
    let Some(half) = &txn.door.fe.ir.frontend else { return };
    // Slots of rules have no name.
    for ((name, _), slot) in half.capture_request.iter().zip(&mut txn.captures.request) {
        if !name.is_empty() {
            *slot = None;
        }
    }
}

/// `capture request header`.
pub(super) fn capture(txn: &mut Txn) {
    let Some(half) = &txn.door.fe.ir.frontend else { return };
    txn.captures.request = half
        .capture_request
        .iter()
        .map(|(name, len)| {
            let value = txn.req.values(name.to_ascii_lowercase().as_bytes()).next_back()?.to_vec();
            Some(value[..value.len().min(*len)].into())
        })
        .collect();
}
