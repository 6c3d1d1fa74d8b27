//! How a transaction went: the bytes that it moved, for the counters, and the times of its steps.

use std::time::{Duration, Instant};

use super::Txn;
use crate::expr::ctx::Timers;
use crate::sys::clock;

impl Txn {
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
        if let Some(be) = self.be.backend.as_ref().filter(|_| self.entered) {
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
        if let Some(be) = &self.be.backend {
            be.counters.spliced_in.add(down);
            be.counters.spliced_out.add(up);
        }
    }

    /// The timers of the log line.
    pub(in crate::proxy) fn timers(&self) -> Timers {
        self.timers_at(self.ended.unwrap_or_else(clock::now))
    }

    pub(super) fn timers_at(&self, now: Instant) -> Timers {
        let close = self.ended.unwrap_or(now);
        // Where nothing is waited for, one moment is that of several steps.
        let mut last = (None, -1);
        let mut ms = |at: Option<Instant>| {
            if at != last.0 {
                let since = |at: Instant| at.saturating_duration_since(self.started).as_millis() as i64;
                last = (at, at.map_or(-1, since));
            }
            last.1
        };
        Timers {
            handshake: 0,
            idle: ms(self.first_byte),
            request: ms(self.times.request),
            queue: ms(self.times.queue),
            connect: ms(self.times.connect),
            data: ms(self.times.data),
            close: ms(Some(close)),
        }
    }

    /// From the server's connection to its response, and from the request's first byte to the end, as far as it came.
    pub(in crate::proxy) fn spans(&self) -> (Option<Duration>, Option<Duration>) {
        let since =
            |end: Option<Instant>, start: Option<Instant>| Some(end?.saturating_duration_since(start?));
        let start = self.first_byte.unwrap_or(self.started);
        (since(self.times.data, self.times.connect), since(self.ended, Some(start)))
    }
}
