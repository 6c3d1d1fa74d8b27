//! A message body on its way from one side to the other.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::splice::{self, Splice};
use super::stream::Stream;
use super::turn::{PIECE, Turns};
use super::worker::{fill_large, fill_little, with};
use crate::buf::{Buf, LARGE};
use crate::http::{Body, ChunkDecoder};
use crate::ir::Spellings;

/// Re-encoded chunks are gathered up to this many bytes: what a receiver that takes nothing costs besides its buffer.
const GATHERED: usize = 16 * 1024;

/// Why a body stopped.
#[derive(Debug)]
pub(super) enum PumpError {
    /// The sender closed too early.
    Truncated,
    /// The sender's connection broke.
    Read,
    /// The receiver's connection broke.
    Write,
    /// Chunk grammar.
    Malformed,
}

#[derive(Debug)]
enum Left {
    Nothing,
    Length(u64),
    Chunked(Box<ChunkDecoder>),
    UntilClose,
}

/// Moves a body. What stands in front of the body (the head) is given to [`Pump::new`] and goes out with it.
#[derive(Debug)]
pub(super) struct Pump {
    left: Left,
    /// Bytes at the front of the sender's input buffer that are the head, ready to go.
    prefix: usize,
    /// Head and re-encoded chunks; empty for other bodies.
    out: Vec<u8>,
    sent: usize,
    /// Bytes written to the receiver, head included.
    pub(super) written: u64,
    /// Body bytes moved, without framing.
    pub(super) data: u64,
    /// Of these, through a pipe.
    pub(super) spliced: u64,
    /// A full read, or one of a body that ends with its connection: more is likely waiting, or the end.
    hungry: bool,
    /// The sender has ended, or its connection broke, behind what is still to be written.
    ended: bool,
    broken: bool,
    /// Much came at once: what follows goes through a pipe, where the end is not known.
    bulk: bool,
    /// Something moved since this was last cleared.
    pub(super) progress: bool,
    /// A long body goes through a pipe.
    splice: Option<Splice>,
    turns: Turns,
    /// There is no pipe for it.
    copies: bool,
    /// A long chunk went through a pipe, and the next one may be as long: of what announces it little is read.
    after_long: bool,
    /// Bytes of the body that may be moved now; `None`: any number.
    pub(super) budget: Option<u64>,
    /// There is more to move than the budget let through.
    starved: bool,
    /// Return once when the sender has nothing to add to the message, before its end is written.
    pub(super) pauses: bool,
    /// The receiver's connection is shut down behind the message: its last bytes go with that packet.
    pub(super) closes: bool,
}

impl Pump {
    /// A pump for `body`, which starts with `head`, a vector of the thread's that returns to it.
    pub(super) fn new(body: Body, head: Vec<u8>, input: &mut Option<Buf>) -> Self {
        let left = match body {
            Body::None | Body::Length(0) => Left::Nothing,
            Body::Length(n) => Left::Length(n),
            Body::Chunked => Left::Chunked(Box::default()),
            Body::UntilClose | Body::Tunnel => Left::UntilClose,
        };
        let mut pump = Self {
            left,
            prefix: 0,
            out: Vec::new(),
            sent: 0,
            written: 0,
            data: 0,
            spliced: 0,
            hungry: false,
            ended: false,
            broken: false,
            bulk: false,
            progress: false,
            splice: None,
            turns: Turns::default(),
            copies: false,
            after_long: false,
            budget: None,
            starved: false,
            pauses: false,
            closes: false,
        };
        match (&pump.left, input) {
            // Head and body go out in one piece from where the body already is.
            (Left::Length(_) | Left::UntilClose, Some(buf)) => {
                pump.hungry = buf.is_at_end() || matches!(pump.left, Left::UntilClose);
                buf.unshift(&head);
                pump.prefix = head.len();
                with(|w| w.give_scratch(head));
            }
            _ => pump.out = head,
        }
        pump
    }

    /// Trailers end here.
    pub(super) fn drop_trailers(&mut self) {
        if let Left::Chunked(decoder) = &mut self.left {
            decoder.drop_trailers();
        }
    }

    /// Names of trailers get these spellings.
    pub(super) fn respell_trailers(&mut self, spellings: &Arc<Spellings>) {
        if let Left::Chunked(decoder) = &mut self.left {
            decoder.respell_trailers(spellings.clone());
        }
    }

    /// Everything was read and written.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.left, Left::Nothing) && self.sent == self.out.len() && self.prefix == 0
    }

    /// The whole body has been read from the sender.
    pub(super) fn is_read(&self) -> bool {
        matches!(self.left, Left::Nothing)
    }

    /// The message and nothing else has been read from the sender; writing it may be left.
    fn has_all(&self, input: Option<&Buf>) -> bool {
        match self.left {
            Left::Nothing => input.is_none(),
            Left::Length(left) => {
                let here = match (input, &self.splice) {
                    (Some(buf), _) => buf.len() - self.prefix,
                    (None, splice) => splice.as_ref().map_or(0, Splice::held),
                };
                here as u64 == left
            }
            Left::Chunked(_) | Left::UntilClose => false,
        }
    }

    /// Give up: what is left of the head and of a body of known length goes out of the input, so that only what
    /// follows the message is there.
    pub(super) fn abandon(&mut self, input: &mut Option<Buf>) {
        let Some(buf) = input else { return };
        let body = match self.left {
            Left::Length(n) => usize::try_from(n).unwrap_or(usize::MAX),
            _ => 0,
        };
        buf.consume(self.prefix.saturating_add(body).min(buf.len()));
        self.prefix = 0;
        self.left = Left::Nothing;
        if buf.is_empty()
            && let Some(buf) = input.take()
        {
            with(|w| w.bufs.give(buf));
        }
    }

    /// Did the budget stop it?
    pub(super) fn is_starved(&self) -> bool {
        self.starved
    }

    /// Is it waiting for the receiver rather than for the sender?
    pub(super) fn is_blocked(&self, input: Option<&Buf>) -> bool {
        self.sent < self.out.len()
            || input.is_some_and(|b| !b.is_empty())
            || self.splice.as_ref().is_some_and(|s| s.held() > 0)
    }

    /// Move what can be moved. Ready when all is done, or once before if it [pauses](Self::pauses).
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        input: &mut Option<Buf>,
        to: &mut Stream,
    ) -> Poll<Result<(), PumpError>> {
        self.starved = false;
        loop {
            if let Left::Chunked(decoder) = &mut self.left
                && let Some(buf) = input
                && self.out.len() < GATHERED
                && self.budget != Some(0)
            {
                let most = self.budget.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
                let received = &buf.filled()[..buf.len().min(most).min(GATHERED)];
                let result = decoder.decode(received, &mut self.out, &mut self.data);
                let Ok(n) = result else { return Poll::Ready(Err(PumpError::Malformed)) };
                buf.consume(n);
                self.budget = self.budget.map(|left| left - n as u64);
                if decoder.is_done() {
                    self.left = Left::Nothing;
                }
                // What follows of a long chunk goes through a pipe.
                if buf.is_empty()
                    && let Some(buf) = input.take()
                {
                    with(|w| w.bufs.give(buf));
                }
            }
            if self.pauses && self.has_all(input.as_ref()) {
                self.pauses = false;
                return Poll::Ready(Ok(()));
            }
            if self.sent < self.out.len() && !(self.hungry && self.more_is_waiting(cx, from, input)) {
                let is_last = self.closes && self.is_read();
                let written = ready!(to.poll_send(cx, &self.out[self.sent..], is_last));
                let n = written.map_err(|_| PumpError::Write)?;
                self.moved(n);
                self.sent += n;
                if self.sent < self.out.len() {
                    continue;
                }
                self.out.clear();
                self.sent = 0;
            }
            if self.budget == Some(0) && self.prefix == 0 && !matches!(self.left, Left::Nothing) {
                if self.sent < self.out.len() {
                    continue;
                }
                self.starved = true;
                return Poll::Pending;
            }
            if matches!(self.left, Left::Chunked(_)) && input.is_some() {
                // The rest of it did not fit.
                continue;
            }
            if let (Left::Length(_) | Left::UntilClose, Some(buf)) = (&self.left, input.as_mut())
                && !buf.is_empty()
            {
                if !(self.hungry && self.refill(cx, from, input)) {
                    ready!(self.send_direct(cx, input, to))?;
                }
                continue;
            }
            if matches!(self.left, Left::Nothing) && self.sent == self.out.len() {
                with(|w| w.give_scratch(std::mem::take(&mut self.out)));
                return Poll::Ready(Ok(()));
            }
            if self.sent < self.out.len() {
                continue;
            }
            if input.is_none() && self.can_splice() {
                if let Left::Chunked(decoder) = &mut self.left
                    && !decoder.is_announced()
                {
                    decoder.announce(&mut self.out);
                    continue;
                }
                ready!(self.move_spliced(cx, from, to))?;
                continue;
            }
            ready!(self.read(cx, from, input))?;
        }
    }

    /// As far as is known, is there a pipe for what is long?
    fn may_splice(&self) -> bool {
        !self.copies && self.budget.is_none()
    }

    /// Is there a pipe for the rest of the body?
    fn can_splice(&mut self) -> bool {
        if self.splice.is_some() {
            return true;
        }
        let long = match &self.left {
            Left::Nothing => false,
            Left::Length(left) => *left >= splice::WORTH_IT,
            Left::Chunked(decoder) => decoder.chunk_left() >= splice::WORTH_IT,
            Left::UntilClose => self.bulk,
        };
        if !long || !self.may_splice() {
            return false;
        }
        self.splice = Splice::begin();
        self.copies = self.splice.is_none();
        !self.copies
    }

    fn move_spliced(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        to: &mut Stream,
    ) -> Poll<Result<(), PumpError>> {
        let Some(splice) = &mut self.splice else { return Poll::Ready(Ok(())) };
        let left = match &self.left {
            Left::Nothing => 0,
            Left::Length(left) => *left,
            Left::Chunked(decoder) => decoder.chunk_left(),
            Left::UntilClose => u64::MAX,
        };
        if splice.held() == 0 {
            match splice.poll_fill(cx, from, left) {
                Poll::Ready(Ok(n @ 1..)) => {
                    self.progress = true;
                    self.bulk = n >= splice::STILL_BULK;
                    if self.pauses {
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Ready(Ok(_)) if matches!(self.left, Left::UntilClose) => {
                    self.left = Left::Nothing;
                    self.splice = None;
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(_)) => return Poll::Ready(Err(PumpError::Truncated)),
                Poll::Ready(Err(_)) => return Poll::Ready(Err(PumpError::Read)),
                Poll::Pending => {
                    // Others may use the pipe while nothing comes.
                    self.splice = None;
                    return Poll::Pending;
                }
            }
        }
        let ends = self.closes && matches!(self.left, Left::Length(left) if left == splice.held() as u64);
        let n =
            ready!(splice.poll_drain(cx, to, &mut self.turns, ends)).map_err(|_| PumpError::Write)? as u64;
        self.data += n;
        self.written += n;
        self.spliced += n;
        self.progress = true;
        let held = splice.held();
        let over = match &mut self.left {
            Left::Nothing => true,
            Left::Length(left) => {
                *left -= n;
                *left == 0
            }
            Left::Chunked(decoder) => {
                decoder.passed(n, &mut self.out);
                self.after_long = decoder.chunk_left() == 0;
                self.after_long
            }
            Left::UntilClose => held == 0 && !self.bulk,
        };
        if over {
            self.splice = None;
            if matches!(self.left, Left::Length(_)) {
                self.left = Left::Nothing;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn moved(&mut self, n: usize) {
        self.written += n as u64;
        self.progress = true;
    }

    /// Read on before writing if the last read filled the buffer: fewer and larger writes. True: something came.
    fn refill(&mut self, cx: &mut Context<'_>, from: &mut Stream, input: &mut Option<Buf>) -> bool {
        self.hungry = false;
        let Some(buf) = input else { return false };
        let here = (buf.len() - self.prefix) as u64;
        let (ends_here, is_long) = match self.left {
            Left::Length(left) => (here >= left, left.saturating_sub(here) > LARGE as u64),
            _ => (false, self.bulk),
        };
        // What is longer than a buffer goes through a pipe, behind what is here.
        if ends_here || is_long && self.may_splice() {
            return false;
        }
        if buf.is_full() && !with(|w| w.bufs.enlarge(buf)) {
            return false;
        }
        matches!(self.read(cx, from, input), Poll::Ready(Ok(())))
    }

    fn more_is_waiting(&mut self, cx: &mut Context<'_>, from: &mut Stream, input: &mut Option<Buf>) -> bool {
        self.hungry = false;
        input.is_none()
            && matches!(&self.left, Left::Chunked(decoder) if self.copies || decoder.chunk_left() < splice::WORTH_IT)
            && self.out.len() < GATHERED
            && matches!(self.read(cx, from, input), Poll::Ready(Ok(())))
    }

    fn read(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut Stream,
        input: &mut Option<Buf>,
    ) -> Poll<Result<(), PumpError>> {
        if self.broken {
            return Poll::Ready(Err(PumpError::Read));
        }
        let filled = if self.after_long && input.is_none() {
            fill_little(from, input, cx)
        } else {
            // Most of a long chunk is left for a pipe.
            let most = if matches!(self.left, Left::Chunked(_)) { PIECE } else { usize::MAX };
            fill_large(from, input, cx, most)
        };
        let filled = ready!(filled);
        self.after_long = false;
        let Ok(n) = filled else {
            // Nobody would say it again.
            self.broken = true;
            return Poll::Ready(Err(PumpError::Read));
        };
        if n == 0 {
            if !matches!(self.left, Left::UntilClose) {
                return Poll::Ready(Err(PumpError::Truncated));
            }
            if input.as_ref().is_none_or(Buf::is_empty) {
                self.left = Left::Nothing;
                return Poll::Ready(Ok(()));
            }
            // Bytes are left to write.
            self.ended = true;
            return Poll::Ready(Err(PumpError::Truncated));
        }
        self.progress = true;
        let is_full = input.as_ref().is_some_and(Buf::is_full);
        self.hungry = is_full || matches!(self.left, Left::UntilClose);
        self.bulk = is_full || n >= splice::BULK;
        Poll::Ready(Ok(()))
    }

    fn send_direct(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut Option<Buf>,
        to: &mut Stream,
    ) -> Poll<Result<(), PumpError>> {
        let Some(buf) = input.as_mut() else { return Poll::Ready(Ok(())) };
        ready!(self.turns.poll(cx));
        let mut limit = buf.len().min(PIECE);
        if let Left::Length(n) = self.left {
            limit = limit.min(self.prefix.saturating_add(usize::try_from(n).unwrap_or(usize::MAX)));
        }
        if let Some(n) = self.budget {
            limit = limit.min(self.prefix.saturating_add(usize::try_from(n).unwrap_or(usize::MAX)));
        }
        let ends = match self.left {
            Left::Length(n) => (limit - self.prefix.min(limit)) as u64 == n,
            _ => self.ended && limit == buf.len(),
        };
        let Poll::Ready(written) = to.poll_send(cx, &buf.filled()[..limit], self.closes && ends) else {
            with(|w| w.bufs.shrink(buf));
            return Poll::Pending;
        };
        let n = written.map_err(|_| PumpError::Write)?;
        buf.consume(n);
        self.moved(n);
        self.turns.sent(n);
        let head = n.min(self.prefix);
        self.prefix -= head;
        let body = (n - head) as u64;
        self.data += body;
        self.budget = self.budget.map(|left| left - body);
        if let Left::Length(left) = &mut self.left {
            *left -= body;
            if *left == 0 {
                self.left = Left::Nothing;
            }
        }
        if self.ended && buf.is_empty() {
            self.left = Left::Nothing;
        }
        if buf.is_empty()
            && let Some(buf) = input.take()
        {
            with(|w| w.bufs.give(buf));
        }
        Poll::Ready(Ok(()))
    }
}
