//! Bytes in both directions until both ends are done: TCP sessions and what is left of HTTP after 101 or CONNECT.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use super::board;
use super::deadline::earlier;
use super::failure::{Failure, Phase, Who};
use super::refused;
use super::rules;
use super::splice::{BULK, Fault, STILL_BULK, Splice};
use super::stream::{Side, Stream, receive_into};
use super::turn::{PIECE, Turn, Turns};
use super::txn::Txn;
use super::worker::{Conn, fill, fill_watched, poll_watched, with};
use crate::buf::Buf;
use crate::expr::Verdict;
use crate::ir::expr::Dir;
use crate::live::Server;
use crate::sys::clock;

/// One direction.
#[derive(Debug, Default)]
struct Half {
    buf: Option<Buf>,
    /// The sender ended.
    ended: bool,
    /// The sender's connection broke.
    broken: bool,
    /// The receiver was told.
    told: bool,
    /// It is not told, but closed.
    closes: bool,
    /// Closing it does not wait until what was written has arrived (`option nolinger`).
    nolinger: bool,
    bytes: u64,
    moved: bool,
    /// It is not known yet whether more came right behind.
    hungry: bool,
    /// The poller will tell of more.
    asked: bool,
    /// Much came at once: what follows goes through a pipe.
    bulk: bool,
    splice: Option<Splice>,
    turns: Turns,
    /// Bytes that may be moved now; `None`: any number.
    budget: Option<u64>,
    /// There is more to move than that.
    starved: bool,
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
        // Mostly it is the other side that has something to say, or something short that goes through as it came.
        if self.asked
            && self.buf.is_none()
            && !self.ended
            && (!from.is_readable() || self.relays(cx, from, to))
        {
            return Poll::Pending;
        }
        // The poller tells of the next bytes.
        let mut dry = false;
        loop {
            if let Some(buf) = &mut self.buf
                && !buf.is_empty()
            {
                // A read that filled the buffer has more behind it: take it along, up to a limit, unless that may go through a
                // pipe. Behind any other there is nothing but the end, if the poller knows of it; if not, this costs no
                // system call.
                if self.hungry && !self.ended && !self.bulk {
                    self.hungry = false;
                    if !buf.is_full() || with(|w| w.bufs.enlarge(buf)) {
                        let more = match poll_watched(from, cx, &mut self.asked) {
                            Poll::Ready(_) => fill_watched(from, &mut self.buf, cx, &mut self.asked),
                            Poll::Pending => Poll::Pending,
                        };
                        match more {
                            Poll::Ready(Ok(n)) => {
                                self.took(n);
                                continue;
                            }
                            // What came before is sent, and nobody would say it again.
                            Poll::Ready(Err(_)) => self.broken = true,
                            Poll::Pending => dry = true,
                        }
                    }
                }
                let Some(buf) = &mut self.buf else { continue };
                if self.budget == Some(0) {
                    self.starved = true;
                    return Poll::Pending;
                }
                ready!(self.turns.poll(cx));
                let most = self.budget.map_or(PIECE, |n| usize::try_from(n).unwrap_or(PIECE).min(PIECE));
                let is_last = self.ended && !(self.closes && self.nolinger) && buf.len() <= most;
                let n = match to.poll_send(cx, &buf.filled()[..buf.len().min(most)], is_last) {
                    Poll::Ready(Ok(n)) => n,
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken(other))),
                    Poll::Pending => {
                        with(|w| w.bufs.shrink(buf));
                        return Poll::Pending;
                    }
                };
                buf.consume(n);
                self.turns.sent(n);
                self.budget = self.budget.map(|left| left - n as u64);
                self.bytes += n as u64;
                self.moved = true;
                continue;
            }
            if let Some(buf) = self.buf.take() {
                with(|w| w.bufs.give(buf));
            }
            if self.broken {
                return Poll::Ready(Err(Broken(side)));
            }
            if self.ended {
                if !self.told && !self.closes {
                    self.told = true;
                    to.shutdown();
                }
                return Poll::Ready(Ok(()));
            }
            if dry {
                return Poll::Pending;
            }
            if self.bulk && self.splice.is_none() && self.budget.is_none() {
                self.asked = false;
                self.splice = Splice::begin();
                self.bulk = self.splice.is_some();
            }
            if self.splice.is_some() {
                ready!(self.move_spliced(cx, from, to))
                    .map_err(|fault| Broken(if fault == Fault::Read { side } else { other }))?;
                continue;
            }
            match fill_watched(from, &mut self.buf, cx, &mut self.asked) {
                Poll::Ready(Ok(n)) => self.took(n),
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken(side))),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The usual: one read takes all that has come, one write sends it, and the poller will tell of more. False: it was
    /// something else, or not all of it was done, and [`Self::poll`] goes on from there.
    fn relays(&mut self, cx: &mut Context<'_>, from: &mut Stream, to: &mut Stream) -> bool {
        if self.splice.is_some() || self.budget.is_some() || self.turns.are_due() {
            return false;
        }
        // What the poller has told of it tells again only if it is asked again.
        self.asked = false;
        let mut buf = with(|w| w.bufs.take_large());
        let read = from.try_read(|fd| receive_into(fd, &mut buf, PIECE));
        let is_all = match read {
            Some(Ok(n @ 1..)) => {
                self.took(n);
                !self.bulk && !buf.is_full() && poll_watched(from, cx, &mut self.asked).is_pending()
            }
            Some(Ok(_)) => {
                self.took(0);
                false
            }
            Some(Err(_)) => {
                self.broken = true;
                false
            }
            None => false,
        };
        if is_all {
            self.hungry = false;
            if let Some(Ok(n)) = to.try_send(buf.filled()) {
                buf.consume(n);
                self.bytes += n as u64;
            }
        }
        if buf.is_empty() {
            with(|w| w.bufs.give(buf));
            return is_all;
        }
        self.buf = Some(buf);
        false
    }

    fn move_spliced(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
    ) -> Poll<Result<(), Fault>> {
        let Some(splice) = &mut self.splice else { return Poll::Ready(Ok(())) };
        if splice.held() == 0 {
            let Poll::Ready(taken) = splice.poll_fill(cx, from, u64::MAX) else {
                // Others may use the pipe while nothing comes.
                self.splice = None;
                return Poll::Pending;
            };
            let n = taken?;
            self.moved = true;
            self.ended = n == 0;
            self.bulk = n >= STILL_BULK;
            if self.ended {
                self.splice = None;
                return Poll::Ready(Ok(()));
            }
        }
        self.bytes += ready!(splice.poll_drain(cx, to, &mut self.turns, false))? as u64;
        self.moved = true;
        if splice.held() == 0 && !self.bulk {
            self.splice = None;
        }
        Poll::Ready(Ok(()))
    }

    /// Is there something for the receiver?
    fn holds(&self) -> bool {
        self.buf.is_some() || self.splice.as_ref().is_some_and(|splice| splice.held() > 0)
    }

    /// Does it wait for the sender alone?
    fn is_calm(&self) -> bool {
        !self.ended && !self.holds()
    }

    fn took(&mut self, n: usize) {
        self.moved = true;
        if n == 0 {
            self.ended = true;
        } else {
            self.hungry = true;
            self.bulk = n >= BULK;
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

/// Long sessions are counted while they run, this often.
pub(super) const COUNT_EVERY: Duration = Duration::from_secs(2);

/// `tcp-response content` rules that have not decided yet.
struct Gate {
    from: usize,
    until: Option<Instant>,
}

impl Gate {
    fn new(txn: &Txn) -> Option<Self> {
        let ir = &txn.be().ir;
        // In HTTP mode they have seen the response's head.
        let pending = !ir.tcp_response_content.is_empty() && txn.times.data.is_none();
        pending.then(|| Self { from: 0, until: ir.tcp_response_inspect_delay.map(|d| clock::now() + d) })
    }

    /// Have the rules decided? They see what has come; a verdict ends the session.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        txn: &mut Txn,
        server: &mut Stream,
        down: &mut Half,
    ) -> Poll<Result<Option<Verdict>, Broken>> {
        loop {
            let full = down.buf.as_ref().is_some_and(Buf::is_full);
            let late = self.until.is_none_or(|at| clock::now() >= at);
            txn.is_final = full || down.ended || late;
            txn.resp_complete = down.ended;
            txn.resp_payload = down.buf.take();
            let outcome = rules::tcp_response(txn, self.from);
            down.buf = txn.resp_payload.take();
            match outcome {
                Verdict::Wait { rule } if !txn.is_final => self.from = rule,
                Verdict::Continue | Verdict::Wait { .. } => {
                    txn.is_final = false;
                    return Poll::Ready(Ok(None));
                }
                verdict => return Poll::Ready(Ok(Some(verdict))),
            }
            match ready!(fill(server, &mut down.buf, cx)) {
                Ok(n) => down.took(n),
                Err(_) => return Poll::Ready(Err(Broken(Side::Server))),
            }
        }
    }
}

/// Move bytes until both directions ended, one side broke, or time is up. The client's input and `early` are bytes
/// of the client and of the server that were read already. What goes through is added to the transaction's.
pub(super) async fn run(
    conn: &mut Conn,
    txn: &mut Txn,
    server: &mut Stream,
    early: &mut Option<Buf>,
    limits: TunnelLimits,
    on: &Arc<Server>,
) -> Failure {
    let Conn { io: client, input, deadline, .. } = conn;
    // With `option nolinger` a server is not told that the client has ended and may yet say something: it is closed.
    let nolinger = txn.be().ir.nolinger;
    let mut up = Half { buf: input.take(), closes: nolinger, nolinger, ..Half::default() };
    let mut down = Half { buf: early.take(), nolinger: txn.door.fe.ir.nolinger, ..Half::default() };
    // What was HTTP ends with the server; in TCP the client may have more to say to one that has ended.
    let ends_with_server = txn.times.data.is_some();
    let mut gate = Gate::new(txn);
    let mut silent = None;
    let start = clock::now();
    let mut count_at = start + COUNT_EVERY;
    let mut was_calm = false;
    let mut active_at = start;
    let kills = on.kills();
    let mut late: Option<Failure> = None;
    let mut shape = txn.shape.take();
    let mut turn = Turn::of(txn.nice);
    let failure = poll_fn(|cx| {
        if turn.steps_back(cx) {
            return Poll::Pending;
        }
        if let Some(shape) = shape.as_deref() {
            for (half, dir) in [(&mut up, Dir::Req), (&mut down, Dir::Res)] {
                half.starved = false;
                half.budget = shape.allowance(dir, clock::now());
            }
        }
        let allowed = (up.budget, down.budget);
        let a = up.poll(cx, client, server, Side::Client);
        let mut b = Poll::Pending;
        if let Some(waiting) = &mut gate {
            match waiting.poll(cx, txn, server, &mut down) {
                Poll::Ready(Ok(None)) => gate = None,
                Poll::Ready(Ok(Some(Verdict::Close))) => return Poll::Ready(Failure::default()),
                Poll::Ready(Ok(Some(verdict))) => {
                    let phase = if let Verdict::SilentDrop(hops) = verdict {
                        silent = Some(hops);
                        Phase::Request
                    } else {
                        Phase::Data
                    };
                    return Poll::Ready(Failure { who: Who::Proxy, phase, ..Failure::default() });
                }
                Poll::Ready(Err(broken)) => b = Poll::Ready(Err(broken)),
                Poll::Pending => {}
            }
        }
        if gate.is_none() {
            // Who has ended is not told the other end.
            down.closes = ends_with_server || up.ended && txn.door.fe.ir.nolinger;
            b = down.poll(cx, server, client, Side::Server);
        }
        if shape.is_none() && txn.shape.is_some() {
            // A rule on the server's first bytes has just set it.
            shape = txn.shape.take();
        }
        let mut opens = None;
        if let Some(shape) = shape.as_deref_mut() {
            for (half, dir, allowed) in [(&up, Dir::Req, allowed.0), (&down, Dir::Res, allowed.1)] {
                let (Some(allowed), Some(left)) = (allowed, half.budget) else { continue };
                shape.spend(dir, allowed - left, clock::now());
                if half.starved {
                    opens = earlier(opens, shape.opens(dir, clock::now()));
                }
            }
        }
        if let Poll::Ready(Err(Broken(side))) = b {
            return Poll::Ready(broken(side));
        }
        if ends_with_server && b.is_ready() {
            return Poll::Ready(late.unwrap_or_default());
        }
        if let Poll::Ready(Err(Broken(side))) = a {
            return Poll::Ready(broken(side));
        }
        if a.is_ready() && (b.is_ready() || up.closes) {
            return Poll::Ready(late.unwrap_or_default());
        }
        let moved = up.moved || down.moved;
        if moved {
            // A byte in or out of a side is activity of that side; every byte passes both.
            let now = clock::now();
            up.moved = false;
            down.moved = false;
            active_at = now;
            if now >= count_at {
                count_at = now + COUNT_EVERY;
                txn.bytes_in += std::mem::take(&mut up.bytes);
                txn.bytes_out += std::mem::take(&mut down.bytes);
                txn.count_bytes();
            }
        }
        if on.kills() != kills {
            return Poll::Ready(Failure {
                who: Who::by(on.kill_cause()),
                phase: Phase::Data,
                ..Failure::default()
            });
        }
        // Nothing waits, as after the step before: only the deadline has become later, and its timer will find out.
        let is_calm = gate.is_none() && shape.is_none() && up.is_calm() && down.is_calm();
        if moved && is_calm && was_calm && deadline.stands() {
            return Poll::Pending;
        }
        was_calm = is_calm;
        // Who has been told the end has less time to say its own; who has said it, or has to wait for the other side to
        // take something, is waited for only to take something itself.
        let client_limit = if down.told { limits.client_fin.or(limits.client) } else { limits.client };
        let server_limit = if up.told { limits.server_fin.or(limits.server) } else { limits.server };
        let c = client_limit.filter(|_| up.is_calm() || down.holds()).map(|d| active_at + d);
        let s = server_limit.filter(|_| down.is_calm() || up.holds()).map(|d| active_at + d);
        let until = gate.as_ref().and_then(|g| g.until);
        let ends = earlier(earlier(c, s), until);
        if deadline.set_or_open(ends, opens) {
            return deadline.poll_again(cx);
        }
        if deadline.poll(cx).is_pending() {
            return Poll::Pending;
        }
        if until.is_some_and(|at| clock::now() >= at) {
            // The rules decide on what there is.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let failed = |who| Failure { who, phase: Phase::Data, ..Failure::default() };
        if board::is_ending() {
            return Poll::Ready(failed(Who::Killed));
        }
        let first = timed_out(c, s);
        let is_late = |at: Option<Instant>| at.is_some_and(|at| clock::now() >= at);
        let (client_late, server_late) = (is_late(c), is_late(s));
        if (client_late && down.holds()) || (server_late && up.holds()) {
            // Who does not take what is there is given up.
            return Poll::Ready(late.unwrap_or(first));
        }
        // Who says nothing has ended: the other side is told, and may go on.
        late = late.or(Some(first));
        up.ended |= client_late;
        down.ended |= server_late;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    txn.bytes_in += up.bytes;
    txn.bytes_out += down.bytes;
    for buf in [up.buf, down.buf].into_iter().flatten() {
        with(|w| w.bufs.give(buf));
    }
    if let Some(hops) = silent {
        refused::request(conn, txn);
        conn.vanish(hops);
    } else if failure.who == Who::Proxy {
        refused::response(conn, txn);
    }
    // Closing before the server does would keep the port from use for a minute.
    if txn.be().ir.nolinger || failure.who.ends_early() {
        server.reset_on_close();
    }
    failure
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
