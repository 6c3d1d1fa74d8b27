//! A client's connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use super::deadline::Deadline;
use super::door::Door;
use super::pool::Counted;
use super::stream::{Stream, Unread, receive_into};
use super::turn::PIECE;
use super::worker::with;
use crate::buf::{Buf, Pool};
use crate::expr::Vars;
use crate::handshake::proxy_protocol;
use crate::ir;
use crate::live::Server;
use crate::sys::executor;

/// A connection of a client, from accept to close.
pub(super) struct Conn {
    pub(super) door: Arc<Door>,
    pub(super) io: Stream,
    /// Bytes received and not yet used; a buffer is held only while there are some.
    pub(super) input: Option<Buf>,
    pub(super) deadline: Deadline,
    /// The client, as its PROXY line or its socket says; `None`: a unix socket.
    pub(super) src: Option<SocketAddr>,
    /// Where it connected to, likewise.
    pub(super) dst: Option<SocketAddr>,
    pub(super) accepted: Instant,
    /// End of the last exchange.
    pub(super) last_end: Instant,
    /// Requests so far.
    pub(super) requests: u32,
    pub(super) received_proxy: bool,
    /// What few connections have.
    pub(super) extra: Option<Box<Extra>>,
}

/// What few connections have, and what lives longer than one exchange.
#[derive(Debug, Default)]
pub(super) struct Extra {
    /// Variables of scope `sess`.
    pub(super) vars: Vars,
    /// Client and destination as `tcp-request connection` rules left them (`fc_src`, `fc_dst`).
    pub(super) fc: Option<(Option<SocketAddr>, Option<SocketAddr>)>,
    /// Extensions of its PROXY header.
    pub(super) tlvs: Arc<[proxy_protocol::Tlv]>,
    /// Connections to servers that no other client may use, at most `max-session-srv-conns`.
    pub(super) own: Vec<Own>,
    /// A server authenticated one of its connections (NTLM, Negotiate): its requests belong there.
    pub(super) bound: bool,
    /// It came to a proxy of `mode tcp` and has become HTTP.
    pub(super) is_http: bool,
    /// Its socket was told to say nothing more.
    pub(super) vanished: bool,
    /// What it said of the head of a request before it fell silent.
    halfway: Option<Halfway>,
}

/// The beginning of a request, while its client is silent.
#[derive(Debug)]
pub(super) struct Halfway {
    received: Box<[u8]>,
    /// When the first byte came.
    pub(super) first_byte: Option<Instant>,
    /// When its time is up.
    pub(super) until: Option<Instant>,
}

/// A server connection of one client's.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) backend: ir::ProxyIdx,
    pub(super) server: Counted,
    pub(super) io: Stream,
    pub(super) requests: u32,
    pub(super) generation: u64,
    /// [`super::outbound::bond`]
    pub(super) bond: u64,
}

impl Conn {
    /// The rarely used part, made when it is first asked for.
    pub(super) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// The client's own connection to `server`, if it has one that is still good.
    pub(super) fn take_own(
        &mut self,
        backend: ir::ProxyIdx,
        server: &Arc<Server>,
        bond: u64,
    ) -> Option<(Stream, u32)> {
        let list = self.good_own()?;
        let at = list.iter().position(|own| {
            own.backend == backend && Arc::ptr_eq(&own.server.server, server) && own.bond == bond
        })?;
        let own = list.remove(at);
        Some((own.io, own.requests))
    }

    /// A server of `backend` to which the client has a connection of its own (`option prefer-last-server`).
    pub(super) fn owned_server(&mut self, backend: ir::ProxyIdx) -> Option<Arc<Server>> {
        let mut servers =
            self.good_own()?.iter().filter(|own| own.backend == backend).map(|own| &own.server.server);
        servers.find(|server| server.is_usable()).cloned()
    }

    /// The client's own connections, those that are still good.
    fn good_own(&mut self) -> Option<&mut Vec<Own>> {
        let list = &mut self.extra.as_mut()?.own;
        list.retain(|own| {
            own.generation == own.server.server.generation() && super::pool::is_silent(&own.io)
        });
        Some(list)
    }

    /// Leave without a word, or with a reset of so many hops (`silent-drop [rst-ttl N]`).
    pub(super) fn vanish(&mut self, hops: Option<u8>) {
        // On TCP what came would be sent again, and be answered with a reset; a unix socket would say so.
        self.take_in();
        self.io.vanish_on_close(hops);
        self.extra().vanished = true;
    }

    /// `option nolinger`: closing leaves nothing of the connection in the kernel. Who has not ended is told the end first.
    pub(super) fn leave(&mut self) {
        if !self.door.fe.ir.nolinger || self.extra.as_ref().is_some_and(|extra| extra.vanished) {
            return;
        }
        if self.io.unread() != Unread::End {
            self.io.shutdown();
        }
        self.io.reset_on_close();
    }

    /// Keep a connection for this client.
    pub(super) fn keep_own(&mut self, own: Own) {
        let most = self.door.fe.ir.max_session_conns as usize;
        let list = &mut self.extra().own;
        if list.len() < most {
            list.push(own);
        }
    }

    /// Its frontend.
    pub(super) fn frontend(&self) -> &crate::live::Frontend {
        self.door.fe.frontend.as_ref().expect("connections come through frontends")
    }

    /// Read more into the input buffer. Returns bytes read; 0 is the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        fill(&mut self.io, &mut self.input, cx)
    }

    /// Read what has come, if anything: closing would make a reset of it.
    pub(super) fn take_in(&mut self) {
        let _ = self.poll_fill(&mut Context::from_waker(Waker::noop()));
    }

    /// The client fell silent within a head: what it said of that takes no more memory than it needs until it goes on.
    pub(super) fn set_aside(&mut self, first_byte: Option<Instant>) {
        let received = pack(&mut self.input);
        let until = self.deadline.at();
        self.extra().halfway = Some(Halfway { received, first_byte, until });
    }

    /// Did the client fall silent within a head?
    pub(super) fn is_halfway(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.halfway.is_some())
    }

    /// Goes on with what was [set aside](Self::set_aside).
    pub(super) fn take_up(&mut self) -> Option<Halfway> {
        let halfway = self.extra.as_mut()?.halfway.take()?;
        unpack(&mut self.input, &halfway.received);
        Some(halfway)
    }

    /// Drop the input buffer if it is empty.
    pub(super) fn rest(&mut self) {
        if self.input.as_ref().is_some_and(Buf::is_empty)
            && let Some(buf) = self.input.take()
        {
            with(|w| w.bufs.give(buf));
        }
    }
}

/// Takes the bytes out of a buffer, which goes back to the pool: nothing will be added to them for a while.
pub(super) fn pack(input: &mut Option<Buf>) -> Box<[u8]> {
    let Some(buf) = input.take() else { return Box::default() };
    let received = buf.filled().into();
    with(|w| {
        w.bufs.give(buf);
        w.lot.gave_back();
    });
    received
}

/// The opposite of [`pack`].
pub(super) fn unpack(input: &mut Option<Buf>, received: &[u8]) {
    if !received.is_empty() {
        input.get_or_insert_with(|| with(|w| w.bufs.take())).push(received);
    }
}

/// Read into a buffer that is taken from the pool when there is something to read. Must have space.
pub(super) fn fill(
    io: &mut Stream,
    input: &mut Option<Buf>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    fill_with(io, input, cx, Pool::take, usize::MAX, &mut false)
}

/// The same with a large buffer: for what servers send. Where a pipe may take the rest of something long, a [`PIECE`] is the
/// `most` that is worth being copied.
pub(super) fn fill_large(
    io: &mut Stream,
    input: &mut Option<Buf>,
    cx: &mut Context<'_>,
    most: usize,
) -> Poll<io::Result<usize>> {
    fill_with(io, input, cx, Pool::take_large, most, &mut false)
}

/// The same for one task that reads again and again, whatever woke it. `asked`: the poller will wake it when there is
/// something to read, as this found out; the task need not tell it again. Who brings a whole [`PIECE`] has more than is
/// worth being copied.
pub(super) fn fill_watched(
    io: &mut Stream,
    input: &mut Option<Buf>,
    cx: &mut Context<'_>,
    asked: &mut bool,
) -> Poll<io::Result<usize>> {
    fill_with(io, input, cx, Pool::take_large, PIECE, asked)
}

/// As long as the line that announces a chunk is, where it has no extensions; and a little of the chunk.
const LITTLE: usize = 64;

/// The same where no more than the beginning of a chunk is wanted in a buffer.
pub(super) fn fill_little(
    io: &mut Stream,
    input: &mut Option<Buf>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    fill_with(io, input, cx, Pool::take, LITTLE, &mut false)
}

fn fill_with(
    io: &mut Stream,
    input: &mut Option<Buf>,
    cx: &mut Context<'_>,
    take: impl Fn(&Pool) -> Buf,
    most: usize,
    asked: &mut bool,
) -> Poll<io::Result<usize>> {
    loop {
        // Who reads has mostly been woken for it: the poller is asked only if there is nothing.
        ready!(executor::proceed(cx));
        let mut tried = false;
        let read = io.try_read(|fd| {
            tried = true;
            receive_into(fd, input.get_or_insert_with(|| with(|w| take(&w.bufs))), most)
        });
        // An event that was told of wakes nobody again.
        *asked &= !tried;
        if let Some(buf) = input.take_if(|buf| buf.is_empty()) {
            with(|w| w.bufs.give(buf));
        }
        if let Some(result) = read {
            return Poll::Ready(result);
        }
        if *asked {
            return Poll::Pending;
        }
        ready!(poll_watched(io, cx, asked));
    }
}

/// Waits for bytes or the end. `asked`: the poller was asked to tell.
pub(super) fn poll_watched(io: &Stream, cx: &mut Context<'_>, asked: &mut bool) -> Poll<()> {
    // Of a task that has done much in this step the poller takes no order: the task is woken to come again.
    let listens = executor::may_proceed();
    let readable = io.poll_readable(cx);
    *asked = listens && readable.is_pending();
    readable
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::sys::executor::Driver;

    #[test]
    fn the_poller_was_not_asked_by_who_has_done_much() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = UnixStream::pair().unwrap();
            ours.set_nonblocking(true).unwrap();
            let mut ours = Stream::unix(ours).unwrap();
            // Taken for ready until it was tried.
            assert!(ours.is_readable());
            let nothing = ours.try_read(|_| Err(rustix::io::Errno::AGAIN));
            assert!(nothing.is_none() && !ours.is_readable());
            let (mut asked, mut steps) = (false, 0);
            let (done, over) = tokio::sync::oneshot::channel();
            executor::spawn(async move {
                poll_fn(move |cx| {
                    steps += 1;
                    while steps == 1 && executor::proceed(cx).is_ready() {}
                    let readable = poll_watched(&ours, cx, &mut asked);
                    assert_eq!(
                        (readable.is_pending(), asked),
                        [(true, false), (true, true), (false, false)][steps - 1]
                    );
                    readable
                })
                .await;
                done.send(()).unwrap();
            });
            tokio::spawn(Driver::new(1).unwrap());
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            theirs.write_all(b"x").unwrap();
            over.await.unwrap();
        });
    }
}
