//! Sessions in HTTP mode: one connection, one request after the other.
//!
//! Between requests a connection holds no buffer. When the next one lets wait for itself, the task goes too (`lot`), and
//! with it the room for a request's future, which is a part of the task: no request allocates one.

mod answer;
mod body;
mod exchange;
mod forward;
mod forwarded;
mod instead;
mod judged;
mod local;
mod persist;
mod request;
mod respond;
mod room;
mod wait;

pub(super) use persist::Dates as CookieDates;

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::deadline::earlier;
use super::lot;
use super::lull::Lull;
use super::stream::Unread;
use super::worker::{Conn, with};
use crate::sys::clock;

/// What becomes of the client's connection after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next request may come.
    KeepAlive,
    /// Close.
    Close,
    /// There was no exchange yet: the client stopped within the head of its request, and has been silent for long.
    Halfway,
}

/// How the wait for a request ended.
enum Wake {
    /// Bytes are there.
    Bytes,
    /// Close without a word.
    Silent,
    /// Nothing came for a long time.
    Idle,
    /// No first request came: by whose doing is told to the client and the log.
    Never(exchange::Absent),
}

/// How serving a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is over.
    Closed,
    /// It waits for a request or for the rest of its head, and has been for long.
    Idle,
}

/// Serve a client connection until it closes or has nothing to say for a while.
pub(super) async fn session(conn: &mut Conn) -> Ended {
    let ended = exchanges(conn).await;
    if ended == Ended::Closed {
        conn.leave();
    }
    ended
}

/// One exchange after the other.
async fn exchanges(conn: &mut Conn) -> Ended {
    loop {
        match idle(conn).await {
            Wake::Bytes => {}
            Wake::Silent => return Ended::Closed,
            Wake::Idle => return Ended::Idle,
            Wake::Never(why) => {
                Box::pin(exchange::never_came(conn, why)).await;
                return Ended::Closed;
            }
        }
        match exchange::run(conn).await {
            Next::KeepAlive => conn.requests = conn.requests.saturating_add(1),
            Next::Close => return Ended::Closed,
            Next::Halfway => return Ended::Idle,
        }
    }
}

/// Wait for the first bytes of a request.
async fn idle(conn: &mut Conn) -> Wake {
    // What is left of the last exchange may be nothing: an empty buffer is no beginning of a request.
    conn.rest();
    if conn.input.is_some() || conn.is_halfway() {
        return Wake::Bytes;
    }
    let t = &conn.door.fe.ir.timeouts;
    let first = conn.requests == 0;
    let limit = if first { t.http_request } else { t.http_keep_alive.or(t.http_request) }.or(t.client);
    let since = if first { conn.accepted } else { conn.last_end };
    conn.deadline.set(limit.map(|d| since + d));
    let mut lull = Lull::default();
    let mut leaves = false;
    poll_fn(|cx| match conn.poll_fill(cx) {
        Poll::Ready(Ok(0) | Err(_)) if !first => Poll::Ready(Wake::Silent),
        Poll::Ready(Ok(0)) => Poll::Ready(Wake::Never(exchange::Absent::Closed)),
        Poll::Ready(Err(_)) => Poll::Ready(Wake::Never(exchange::Absent::Broken)),
        Poll::Ready(Ok(_)) => Poll::Ready(Wake::Bytes),
        Poll::Pending => {
            let waits = conn.door.fe.ir.idle_close_on_response;
            if !first && !waits && !leaves && with(|w| w.live().is_stopping()) {
                leaves = true;
                match with(|w| w.live().stop.idle_limit()) {
                    Some(Duration::ZERO) => return Poll::Ready(Wake::Silent),
                    Some(limit) => {
                        let at = Some(clock::now() + limit);
                        conn.deadline.set(earlier(conn.deadline.at(), at));
                    }
                    None => {}
                }
            }
            if conn.deadline.poll(cx).is_ready() {
                return Poll::Ready(if first {
                    Wake::Never(exchange::Absent::TimedOut)
                } else {
                    Wake::Silent
                });
            }
            if lull.is_long() && lot::takes(conn) {
                return Poll::Ready(Wake::Idle);
            }
            Poll::Pending
        }
    })
    .await
}

/// How long a client that was answered before it had sent everything may go on sending.
const PATIENCE: Duration = Duration::from_secs(2);

/// So much of it is taken, bytes.
const ENOUGH: usize = 64 * 1024 * 1024;

/// Close the sending side and take what the client still sends, so that closing does not reset the connection
/// under an answer that is still on its way. `is_sending`: more of its request is to be expected.
async fn linger(conn: &mut Conn, is_sending: bool) {
    if conn.extra.as_ref().is_some_and(|extra| extra.vanished) {
        return;
    }
    let waits = is_sending && !with(|w| w.live().is_stopping());
    let takes = waits || conn.io.unread() == Unread::Bytes;
    if takes || !conn.door.fe.ir.nolinger {
        // The last bytes of the answer may have waited for this.
        conn.io.shutdown();
    }
    if !takes {
        // Nobody listens, or closing says the same.
        return;
    }
    conn.deadline.set(Some(clock::now() + PATIENCE));
    let mut taken = 0;
    poll_fn(|cx| {
        loop {
            if let Some(buf) = conn.input.take() {
                with(|w| w.bufs.give(buf));
            }
            match conn.poll_fill(cx) {
                Poll::Ready(Ok(n @ 1..)) if taken < ENOUGH => taken += n,
                Poll::Pending if waits => return conn.deadline.poll(cx),
                _ => return Poll::Ready(()),
            }
        }
    })
    .await;
}

/// Remember when the last exchange ended: the next one's timers count from there.
fn ended(conn: &mut Conn) {
    conn.last_end = clock::now();
}
