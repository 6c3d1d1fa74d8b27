//! The counters of each kind of object. Field names are the columns of `show stat` where one exists.

use super::{Counter, Gauge, Histogram, Maximum, PeakGauge, RateCounter, SlidingAverage};

/// Responses by status class.
#[derive(Debug, Default)]
pub struct HttpClasses {
    classes: [Counter; 6],
}

impl HttpClasses {
    /// Counts a response; anything outside 100..=599 is "other".
    pub fn count(&self, status: u16) {
        let class = status / 100;
        let slot = if (1..=5).contains(&class) { class as usize - 1 } else { 5 };
        self.classes[slot].inc();
    }

    /// 1xx, 2xx, 3xx, 4xx, 5xx, other.
    #[must_use]
    pub fn get(&self) -> [u64; 6] {
        std::array::from_fn(|i| self.classes[i].get())
    }

    fn clear(&self) {
        self.classes.iter().for_each(|c| c.set(0));
    }
}

/// Average and worst times in milliseconds of the last requests.
#[derive(Debug, Default)]
pub struct TimeAverages {
    /// Queue.
    pub qtime: SlidingAverage,
    /// Connect.
    pub ctime: SlidingAverage,
    /// Response.
    pub rtime: SlidingAverage,
    /// Total.
    pub ttime: SlidingAverage,
    /// Worst queue time.
    pub qtime_max: Maximum,
    /// Worst connect time.
    pub ctime_max: Maximum,
    /// Worst response time.
    pub rtime_max: Maximum,
    /// Worst total time.
    pub ttime_max: Maximum,
    /// Response times of all requests since the start.
    pub response: Histogram,
    /// Total times of all requests since the start.
    pub total: Histogram,
}

impl TimeAverages {
    /// Takes the times of one finished request in, milliseconds; `events` is how many requests there were in all.
    pub fn add(&self, queue_ms: u64, connect_ms: u64, response_ms: u64, total_ms: u64, events: u64) {
        self.qtime.add(queue_ms, events);
        self.ctime.add(connect_ms, events);
        self.rtime.add(response_ms, events);
        self.ttime.add(total_ms, events);
        self.qtime_max.note(queue_ms);
        self.ctime_max.note(connect_ms);
        self.rtime_max.note(response_ms);
        self.ttime_max.note(total_ms);
    }
}

/// Declares a set of counters with the operation that clears what `clear counters all` clears.
macro_rules! counters {
    ($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)* }

        impl $name {
            /// `clear counters all`: everything but what describes the present.
            pub fn clear(&self) { $(Clear::clear(&self.$field);)* }

            /// `clear counters`: only the maxima.
            pub fn clear_maxima(&self) { $(Clear::clear_maximum(&self.$field);)* }

            /// Takes over what a column of `show stat` had in an earlier process.
            pub fn preload(&self, column: &str, value: u64, now_ms: u64) {
                $(Preload::preload(&self.$field, column, stringify!($field), value, now_ms);)*
            }
        }
    };
}

/// What clearing means for each kind of number.
trait Clear {
    fn clear(&self);
    fn clear_maximum(&self) {}
}

impl Clear for Counter {
    fn clear(&self) {
        self.set(0);
    }
}

impl Clear for Gauge {
    fn clear(&self) {}
}

impl Clear for PeakGauge {
    fn clear(&self) {
        self.reset_peak();
    }
    fn clear_maximum(&self) {
        self.reset_peak();
    }
}

impl Clear for RateCounter {
    fn clear(&self) {
        self.reset_max();
    }
    fn clear_maximum(&self) {
        self.reset_max();
    }
}

impl Clear for HttpClasses {
    fn clear(&self) {
        Self::clear(self);
    }
}

impl Clear for TimeAverages {
    fn clear(&self) {
        for average in [&self.qtime, &self.ctime, &self.rtime, &self.ttime] {
            average.reset();
        }
        self.response.reset();
        self.total.reset();
        Clear::clear_maximum(self);
    }
    fn clear_maximum(&self) {
        for worst in [&self.qtime_max, &self.ctime_max, &self.rtime_max, &self.ttime_max] {
            worst.reset();
        }
    }
}

/// Takes a value over if the column is that of the field.
trait Preload {
    fn preload(&self, _column: &str, _field: &str, _value: u64, _now_ms: u64) {}
}

impl Preload for Counter {
    fn preload(&self, column: &str, field: &str, value: u64, now_ms: u64) {
        match (column, field) {
            // An age, kept as the second of the event.
            ("lastsess", "last_session") => self.set((now_ms / 1000).saturating_sub(value) + 1),
            _ if column == field => self.set(value),
            _ => {}
        }
    }
}

impl Preload for RateCounter {
    fn preload(&self, column: &str, field: &str, value: u64, now_ms: u64) {
        if column == field {
            self.preload(u32::try_from(value).unwrap_or(u32::MAX), now_ms);
        }
    }
}

impl Preload for HttpClasses {
    fn preload(&self, column: &str, _: &str, value: u64, _: u64) {
        let columns = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"];
        if let Some(class) = columns.iter().position(|name| *name == column) {
            self.classes[class].set(value);
        }
    }
}

impl Preload for Gauge {}

impl Preload for PeakGauge {}

impl Preload for TimeAverages {}

counters! {
    /// Counters of a frontend.
    FrontendCounters {
        /// Sessions now (`scur`, `smax`).
        sessions: PeakGauge,
        /// Sessions ever (`stot`).
        stot: Counter,
        /// Connections ever (`conn_tot`), before `tcp-request connection` rules.
        conn_tot: Counter,
        /// Connections per second (`conn_rate`).
        conn_rate: RateCounter,
        /// Sessions per second (`rate`).
        rate: RateCounter,
        /// Requests per second (`req_rate`).
        req_rate: RateCounter,
        /// Requests ever (`req_tot`).
        req_tot: Counter,
        /// Bytes from clients (`bin`).
        bin: Counter,
        /// Bytes to clients (`bout`).
        bout: Counter,
        /// Requests denied by rules (`dreq`).
        dreq: Counter,
        /// Responses denied by rules (`dresp`).
        dresp: Counter,
        /// Request errors (`ereq`).
        ereq: Counter,
        /// Connections denied (`dcon`).
        dcon: Counter,
        /// Sessions denied (`dses`).
        dses: Counter,
        /// Header rewrites that failed (`wrew`).
        wrew: Counter,
        /// Internal errors (`eint`).
        eint: Counter,
        /// Requests answered by a service: the page, redirects, errors by rule (`intercepted`).
        intercepted: Counter,
        /// Responses by class (`hrsp_*`).
        hrsp: HttpClasses,
        /// HTTP/1 connections open now (`h1_open_connections`).
        h1_open_connections: Gauge,
        /// HTTP/1 streams open now.
        h1_open_streams: Gauge,
        /// HTTP/1 connections ever.
        h1_total_connections: Counter,
        /// HTTP/1 streams ever.
        h1_total_streams: Counter,
        /// Log lines (`%lc`).
        lines: Counter,
        /// Bytes of clients that went through a pipe.
        spliced_in: Counter,
        /// Bytes to clients that came through a pipe.
        spliced_out: Counter,
    }
}

counters! {
    /// Counters of one listener (`option socket-stats`).
    ListenerCounters {
        /// Sessions now.
        sessions: PeakGauge,
        /// Sessions ever.
        stot: Counter,
        /// Connections ever, before `tcp-request connection` rules.
        conn_tot: Counter,
        /// Bytes from clients.
        bin: Counter,
        /// Bytes to clients.
        bout: Counter,
        /// Request errors.
        ereq: Counter,
        /// Requests denied.
        dreq: Counter,
        /// Responses denied.
        dresp: Counter,
        /// Connections denied.
        dcon: Counter,
        /// Sessions denied.
        dses: Counter,
    }
}

counters! {
    /// Counters of a backend.
    BackendCounters {
        /// Sessions now (`scur`, `smax`).
        sessions: PeakGauge,
        /// Sessions ever (`stot`).
        stot: Counter,
        /// Sessions per second (`rate`).
        rate: RateCounter,
        /// Requests waiting in the backend's and all its servers' queues (`qcur`, `qmax`).
        queued: PeakGauge,
        /// Bytes from clients (`bin`).
        bin: Counter,
        /// Bytes to clients (`bout`).
        bout: Counter,
        /// Requests denied (`dreq`).
        dreq: Counter,
        /// Responses denied (`dresp`).
        dresp: Counter,
        /// Failed connections (`econ`).
        econ: Counter,
        /// Failed responses (`eresp`).
        eresp: Counter,
        /// Retries (`wretr`).
        wretr: Counter,
        /// Redispatches (`wredis`).
        wredis: Counter,
        /// Times a server was picked (`lbtot`).
        lbtot: Counter,
        /// Aborted by the client (`cli_abrt`).
        cli_abrt: Counter,
        /// Aborted by the server (`srv_abrt`).
        srv_abrt: Counter,
        /// Header rewrites that failed (`wrew`).
        wrew: Counter,
        /// Internal errors (`eint`).
        eint: Counter,
        /// Requests (`req_tot`).
        req_tot: Counter,
        /// Requests answered without a server.
        intercepted: Counter,
        /// Connections opened (`connect`).
        connect: Counter,
        /// Connections reused (`reuse`).
        reuse: Counter,
        /// Bytes of servers that went through a pipe.
        spliced_in: Counter,
        /// Bytes to servers that came through a pipe.
        spliced_out: Counter,
        /// Responses by class.
        hrsp: HttpClasses,
        /// Times.
        times: TimeAverages,
        /// Second (of `now_ms / 1000`) of the last session, plus one; 0: none yet.
        last_session: Counter,
        /// Times the whole backend went down (`chkdown`).
        chkdown: Counter,
    }
}

counters! {
    /// Counters of a server.
    ServerCounters {
        /// Sessions now (`scur`, `smax`).
        sessions: PeakGauge,
        /// Sessions ever (`stot`).
        stot: Counter,
        /// Sessions per second (`rate`).
        rate: RateCounter,
        /// Requests waiting for this server (`qcur`, `qmax`).
        queued: PeakGauge,
        /// Bytes to the server (`bin`).
        bin: Counter,
        /// Bytes from the server (`bout`).
        bout: Counter,
        /// Responses denied (`dresp`).
        dresp: Counter,
        /// Failed connections (`econ`).
        econ: Counter,
        /// Failed responses (`eresp`).
        eresp: Counter,
        /// Retries (`wretr`).
        wretr: Counter,
        /// Redispatches (`wredis`).
        wredis: Counter,
        /// Times picked (`lbtot`).
        lbtot: Counter,
        /// Failed checks while up (`chkfail`).
        chkfail: Counter,
        /// Times it went down (`chkdown`).
        chkdown: Counter,
        /// Failures of observed traffic (`hanafail`).
        hanafail: Counter,
        /// Aborted by the client.
        cli_abrt: Counter,
        /// Aborted by the server.
        srv_abrt: Counter,
        /// Header rewrites that failed.
        wrew: Counter,
        /// Internal errors.
        eint: Counter,
        /// Requests (`req_tot`).
        req_tot: Counter,
        /// Connections opened (`connect`).
        connect: Counter,
        /// Connections reused (`reuse`).
        reuse: Counter,
        /// Responses by class.
        hrsp: HttpClasses,
        /// Times.
        times: TimeAverages,
        /// Second of the last session, plus one; 0: none yet.
        last_session: Counter,
        /// Idle connections kept (`srv_icur`, `idle_conn_cur`).
        idle: Gauge,
        /// Connections in use (`used_conn_cur`).
        used: PeakGauge,
        /// Idle connections that belong to one client each (`priv_idle_cur`).
        private: Gauge,
    }
}

counters! {
    /// Counters of the process (`show info`).
    ProcessCounters {
        /// Connections now (`CurrConns`).
        connections: PeakGauge,
        /// Connections ever (`CumConns`), those of stats sockets too.
        cum_conns: Counter,
        /// Requests, sessions of TCP and those of stats sockets ever (`CumReq`).
        cum_req: Counter,
        /// Connections that left no room for more than one other (`MaxconnReached`).
        maxconn_reached: Counter,
        /// Connections per second.
        conn_rate: RateCounter,
        /// Sessions per second.
        sess_rate: RateCounter,
        /// Bytes sent by any side (`TotalBytesOut`).
        bytes_out: Counter,
        /// Bytes sent per second, in units of 32 bytes.
        bytes_out_rate: RateCounter,
        /// Log lines that no target took (`DroppedLogs`).
        dropped_logs: Counter,
        /// Names that could not be resolved (`FailedResolutions`).
        failed_resolutions: Counter,
    }
}

counters! {
    /// Counters of a nameserver (`show resolvers`).
    NameserverCounters {
        /// Questions sent.
        sent: Counter,
        /// Questions that could not be sent.
        snd_error: Counter,
        /// Valid answers.
        valid: Counter,
        /// Answers that moved a server.
        update: Counter,
        /// Answers with an alias only.
        cname: Counter,
        /// Answers with an alias that leads nowhere.
        cname_error: Counter,
        /// Answers without a record.
        any_err: Counter,
        /// Unknown names.
        nx: Counter,
        /// Questions without an answer.
        timeout: Counter,
        /// Refused questions.
        refused: Counter,
        /// Other errors.
        other: Counter,
        /// Not an answer to the question, or not a message at all.
        invalid: Counter,
        /// Answers larger than announced.
        too_big: Counter,
        /// Answers that were cut off.
        truncated: Counter,
        /// Answers that came too late.
        outdated: Counter,
    }
}
