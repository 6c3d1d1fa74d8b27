//! How a transaction went: the bytes that it moved, for the counters, and the times of its steps.

use std::time::Instant;

use super::Txn;
use crate::expr::ctx::Timers;
use crate::sys::clock;

impl Txn {
    /// The session ends for its server: before its place there goes to another one, so that no more than have a place are
    /// ever counted.
    pub(in crate::proxy) fn leave_server(&mut self) {
        if let Some(server) = self.server.as_ref().filter(|_| !self.left_server) {
            self.left_server = true;
            server.counters.sessions.dec();
        }
    }

    /// Add what came through since the last time to the counters of everything this session passes.
    pub(in crate::proxy) fn count_bytes(&mut self) {
        let up = self.bytes_in.saturating_sub(self.counted.0);
        let down = self.bytes_out.saturating_sub(self.counted.1);
        self.counted = (self.counted.0 + up, self.counted.1 + down);
        if up == 0 && down == 0 {
            return;
        }
        if let Some(fe) = &self.door.fe.frontend {
            fe.counters.bin.add(up);
            fe.counters.bout.add(down);
        }
        if self.door.fe.ir.frontend.as_ref().is_some_and(|half| half.socket_stats) {
            self.door.listener.counters.bin.add(up);
            self.door.listener.counters.bout.add(down);
        }
        let process = &self.door.live().process;
        process.bytes_out.add(down);
        // In units of 32 bytes, as HAProxy counts them: a second of any link fits.
        process.bytes_out_rate.add(u32::try_from((down + 16) / 32).unwrap_or(u32::MAX), clock::now_ms());
        if let Some(be) = self.be().backend.as_ref().filter(|_| self.entered) {
            be.counters.bin.add(up);
            be.counters.bout.add(down);
        }
        if let Some(server) = &self.server {
            server.counters.bin.add(up);
            server.counters.bout.add(down);
        }
    }

    /// Add what went through pipes, in HTTP mode.
    pub(in crate::proxy) fn count_spliced(&self) {
        let (up, down) = self.spliced;
        if (up, down) == (0, 0) {
            return;
        }
        if let Some(fe) = &self.door.fe.frontend {
            fe.counters.spliced_in.add(up);
            fe.counters.spliced_out.add(down);
        }
        if let Some(be) = &self.be().backend {
            be.counters.spliced_in.add(down);
            be.counters.spliced_out.add(up);
        }
    }

    /// The timers of the log line.
    pub(super) fn timers_at(&self, now: Instant) -> Timers {
        self.marks(now).timers()
    }

    /// When the steps of the transaction were; it goes on until `now` if it has not ended.
    pub(in crate::proxy) fn marks(&self, now: Instant) -> Marks {
        // Where nothing is waited for, one moment is that of several steps.
        let mut last = (None, -1);
        let mut us = |at: Option<Instant>| {
            if at != last.0 {
                let since = |at: Instant| at.saturating_duration_since(self.started);
                last = (at, at.map_or(-1, |at| i64::try_from(since(at).as_micros()).unwrap_or(i64::MAX)));
            }
            last.1
        };
        Marks {
            idle_us: us(self.first_byte),
            request_us: us(self.times.request),
            queue_us: us(self.times.queue),
            connect_us: us(self.times.connect),
            data_us: us(self.times.data),
            close_us: us(Some(self.ended.unwrap_or(now))),
        }
    }
}

/// Moments of a transaction, microseconds from its beginning; -1 for what it did not come to.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct Marks {
    idle_us: i64,
    request_us: i64,
    queue_us: i64,
    connect_us: i64,
    data_us: i64,
    close_us: i64,
}

impl Marks {
    /// The timers of the log line.
    pub(in crate::proxy) fn timers(&self) -> Timers {
        let ms = |us: i64| if us < 0 { -1 } else { us / 1000 };
        Timers {
            handshake: 0,
            idle: ms(self.idle_us),
            request: ms(self.request_us),
            queue: ms(self.queue_us),
            connect: ms(self.connect_us),
            data: ms(self.data_us),
            close: ms(self.close_us),
        }
    }

    /// Microseconds from the server's connection to its response, if it came.
    pub(in crate::proxy) fn response_us(&self) -> Option<u64> {
        (self.data_us >= 0 && self.connect_us >= 0).then(|| (self.data_us - self.connect_us).max(0) as u64)
    }

    /// Microseconds from the first byte of the request to the end.
    pub(in crate::proxy) fn total_us(&self) -> u64 {
        (self.close_us - self.idle_us.max(0)).max(0) as u64
    }
}
