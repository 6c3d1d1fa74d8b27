//! Bytes in both directions until both ends are done: TCP sessions and what is left of HTTP after 101 or CONNECT.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::deadline::{Deadline, earlier};
use super::failure::{Failure, Phase, Who};
use super::stream::{Side, Stream};
use super::worker::{fill_large, with};
use crate::buf::Buf;
use crate::live::Server;
use crate::sys::clock;

/// One direction.
#[derive(Debug, Default)]
struct Half {
    buf: Option<Buf>,
    /// The sender ended.
    ended: bool,
    /// The receiver was told.
    told: bool,
    bytes: u64,
    moved: bool,
    hungry: bool,
}

/// Which side broke.
struct Broken(Side);

impl Half {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
        side: Side,
    ) -> Poll<Result<(), Broken>> {
        let other = if side == Side::Client { Side::Server } else { Side::Client };
        loop {
            if let Some(buf) = &mut self.buf
                && !buf.is_empty()
            {
                // A read that filled the buffer has more behind it: take it along, up to a limit.
                if self.hungry && !self.ended {
                    self.hungry = false;
                    if (!buf.is_full() || with(|w| w.bufs.enlarge(buf)))
                        && let Poll::Ready(Ok(n)) = fill_large(from, &mut self.buf, cx)
                    {
                        self.took(n);
                        continue;
                    }
                }
                let Some(buf) = &mut self.buf else { continue };
                let n = match to.poll_write(cx, buf.filled()) {
                    Poll::Ready(Ok(n)) => n,
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken(other))),
                    Poll::Pending => {
                        with(|w| w.bufs.shrink(buf));
                        return Poll::Pending;
                    }
                };
                buf.consume(n);
                self.bytes += n as u64;
                self.moved = true;
                continue;
            }
            if let Some(buf) = self.buf.take() {
                with(|w| w.bufs.give(buf));
            }
            if self.ended {
                if !self.told {
                    self.told = true;
                    to.shutdown();
                }
                return Poll::Ready(Ok(()));
            }
            match fill_large(from, &mut self.buf, cx) {
                Poll::Ready(Ok(n)) => self.took(n),
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken(side))),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn took(&mut self, n: usize) {
        self.moved = true;
        if n == 0 {
            self.ended = true;
        } else {
            self.hungry = self.buf.as_ref().is_some_and(Buf::is_full);
        }
    }
}

/// Timeouts of a tunnel.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TunnelLimits {
    pub(super) client: Option<Duration>,
    pub(super) server: Option<Duration>,
    /// After the client ended.
    pub(super) client_fin: Option<Duration>,
    /// After the server ended.
    pub(super) server_fin: Option<Duration>,
}

/// What went through.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Transferred {
    /// From the client.
    pub(super) up: u64,
    /// From the server.
    pub(super) down: u64,
}

/// Move bytes until both directions ended, one side broke, or time is up. `input` and `early` are bytes of
/// the client and of the server that were read already.
pub(super) async fn run(
    client: &mut Stream,
    server: &mut Stream,
    input: &mut Option<Buf>,
    early: &mut Option<Buf>,
    deadline: &mut Deadline,
    limits: TunnelLimits,
    on: &Arc<Server>,
) -> (Transferred, Failure) {
    let mut up = Half { buf: input.take(), ..Half::default() };
    let mut down = Half { buf: early.take(), ..Half::default() };
    let start = clock::now();
    let (mut client_at, mut server_at) = (start, start);
    let mut killed = on.killed();
    let mut kill = pin!(killed.changed());
    let mut polled_kill = 0u32;
    let failure = poll_fn(|cx| {
        let a = up.poll(cx, client, server, Side::Client);
        let b = down.poll(cx, server, client, Side::Server);
        if let Poll::Ready(Err(Broken(side))) = a {
            return Poll::Ready(broken(side));
        }
        if let Poll::Ready(Err(Broken(side))) = b {
            return Poll::Ready(broken(side));
        }
        if a.is_ready() && b.is_ready() {
            return Poll::Ready(Failure::default());
        }
        if up.moved || down.moved {
            // A byte in or out of a side is activity of that side; every byte passes both.
            let now = clock::now();
            up.moved = false;
            down.moved = false;
            client_at = now;
            server_at = now;
            polled_kill = polled_kill.saturating_add(1);
        } else {
            polled_kill = 0;
        }
        // Once registered it wakes this task by itself: no need to ask after every byte.
        if polled_kill <= 1
            && let Poll::Ready(Ok(())) = kill.as_mut().poll(cx)
        {
            return Poll::Ready(Failure { who: Who::Down, phase: Phase::Data, ..Failure::default() });
        }
        let client_limit = if up.ended { limits.client_fin.or(limits.client) } else { limits.client };
        let server_limit = if down.ended { limits.server_fin.or(limits.server) } else { limits.server };
        let c = client_limit.map(|d| client_at + d);
        let s = server_limit.map(|d| server_at + d);
        deadline.set(earlier(c, s));
        deadline.poll(cx).map(|()| timed_out(c, s))
    })
    .await;
    let transferred = Transferred { up: up.bytes, down: down.bytes };
    for buf in [up.buf, down.buf].into_iter().flatten() {
        with(|w| w.bufs.give(buf));
    }
    (transferred, failure)
}

fn broken(side: Side) -> Failure {
    let who = if side == Side::Client { Who::Client } else { Who::Server };
    Failure { who, phase: Phase::Data, ..Failure::default() }
}

fn timed_out(client: Option<Instant>, server: Option<Instant>) -> Failure {
    let server_first = match (client, server) {
        (Some(c), Some(s)) => s < c,
        (None, _) => true,
        _ => false,
    };
    let who = if server_first { Who::ServerTimeout } else { Who::ClientTimeout };
    Failure { who, phase: Phase::Data, ..Failure::default() }
}
