//! Columns under the exporter's names, and how each becomes a number.

use crate::stats::columns::Col::{self, *};

/// How a column's value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// As it is; NaN if there is none.
    Plain,
    /// The same, for proxies of mode http only.
    Http,
    /// Responses of a class, which is a label; mode http only.
    Class(&'static str),
    /// Milliseconds as seconds.
    Seconds,
    /// 1 for the state it is in and 0 for the others.
    Status,
    /// The number of servers in each state.
    ServerStates,
    /// The number of checked servers with each result.
    CheckResults,
    /// 1 for the last result and 0 for the others; only if it is checked.
    Result,
    /// The last check's code, 0 if it had none; only if it is checked.
    Code,
    /// Of a module, which is a label: only if asked for.
    Extra(&'static str),
    /// Milliseconds as seconds; only if there was a check.
    CheckSeconds,
}

/// A metric: column, name behind `haproxy_KIND_`, kinds of rows that have it (of `F`, `L`, `B`, `S`), how.
pub(super) type Metric = (Col, &'static str, &'static str, How);

use How::{CheckResults, CheckSeconds, Class, Code, Extra, Http, Plain, Result, Seconds, ServerStates};

/// All, in the order of the columns.
pub(super) const METRICS: [Metric; 95] = [
    (Qcur, "current_queue", "BS", Plain),
    (Qmax, "max_queue", "BS", Plain),
    (Scur, "current_sessions", "FLBS", Plain),
    (Smax, "max_sessions", "FLBS", Plain),
    (Slim, "limit_sessions", "FLBS", Plain),
    (Stot, "sessions_total", "FLBS", Plain),
    (Bin, "bytes_in_total", "FLBS", Plain),
    (Bout, "bytes_out_total", "FLBS", Plain),
    (Dreq, "requests_denied_total", "FLB", Plain),
    (Dresp, "responses_denied_total", "FLBS", Plain),
    (Ereq, "request_errors_total", "FL", Plain),
    (Econ, "connection_errors_total", "BS", Plain),
    (Eresp, "response_errors_total", "BS", Plain),
    (Wretr, "retry_warnings_total", "BS", Plain),
    (Wredis, "redispatch_warnings_total", "BS", Plain),
    (Status, "status", "FLBS", How::Status),
    (Weight, "weight", "BS", Plain),
    (Act, "active_servers", "B", Plain),
    (Act, "active", "S", Plain),
    (Bck, "backup_servers", "B", Plain),
    (Bck, "backup", "S", Plain),
    (ChkFail, "check_failures_total", "S", Plain),
    (ChkDown, "check_up_down_total", "BS", Plain),
    (LastChg, "check_last_change_seconds", "BS", Plain),
    (Downtime, "downtime_seconds_total", "BS", Plain),
    (Qlimit, "queue_limit", "S", Plain),
    (Throttle, "current_throttle", "S", Plain),
    (LbTot, "loadbalanced_total", "BS", Plain),
    (Rate, "current_session_rate", "FBS", Plain),
    (RateLim, "limit_session_rate", "F", Plain),
    (RateMax, "max_session_rate", "FBS", Plain),
    (CheckStatus, "check_status", "S", Result),
    (CheckCode, "check_code", "S", Code),
    (CheckDuration, "check_duration_seconds", "S", CheckSeconds),
    (Hrsp1xx, "http_responses_total", "FBS", Class("1xx")),
    (Hrsp2xx, "http_responses_total", "FBS", Class("2xx")),
    (Hrsp3xx, "http_responses_total", "FBS", Class("3xx")),
    (Hrsp4xx, "http_responses_total", "FBS", Class("4xx")),
    (Hrsp5xx, "http_responses_total", "FBS", Class("5xx")),
    (HrspOther, "http_responses_total", "FBS", Class("other")),
    (ReqRateMax, "http_requests_rate_max", "F", Http),
    (ReqTot, "http_requests_total", "FBS", Http),
    (CliAbrt, "client_aborts_total", "BS", Plain),
    (SrvAbrt, "server_aborts_total", "BS", Plain),
    (CompIn, "http_comp_bytes_in_total", "FB", Http),
    (CompOut, "http_comp_bytes_out_total", "FB", Http),
    (CompByp, "http_comp_bytes_bypassed_total", "FB", Http),
    (CompRsp, "http_comp_responses_total", "FB", Http),
    (LastSess, "last_session_seconds", "BS", Plain),
    (Qtime, "queue_time_average_seconds", "BS", Seconds),
    (Ctime, "connect_time_average_seconds", "BS", Seconds),
    (Rtime, "response_time_average_seconds", "BS", Seconds),
    (Ttime, "total_time_average_seconds", "BS", Seconds),
    (AgentStatus, "agent_status", "S", Result),
    (AgentCode, "agent_code", "S", Code),
    (AgentDuration, "agent_duration_seconds", "S", CheckSeconds),
    (ConnRateMax, "connections_rate_max", "F", Plain),
    (ConnTot, "connections_total", "FL", Plain),
    (Intercepted, "intercepted_requests_total", "F", Http),
    (Dcon, "denied_connections_total", "FL", Plain),
    (Dses, "denied_sessions_total", "FL", Plain),
    (Wrew, "failed_header_rewriting_total", "FLBS", Plain),
    (Connect, "connection_attempts_total", "BS", Plain),
    (Reuse, "connection_reuses_total", "BS", Plain),
    (CacheLookups, "http_cache_lookups_total", "FB", Http),
    (CacheHits, "http_cache_hits_total", "FB", Http),
    (SrvIcur, "idle_connections_current", "S", Plain),
    (SrcIlim, "idle_connections_limit", "S", Plain),
    (QtimeMax, "max_queue_time_seconds", "BS", Seconds),
    (CtimeMax, "max_connect_time_seconds", "BS", Seconds),
    (RtimeMax, "max_response_time_seconds", "BS", Seconds),
    (TtimeMax, "max_total_time_seconds", "BS", Seconds),
    (Eint, "internal_errors_total", "FLBS", Plain),
    (IdleConnCur, "unsafe_idle_connections_current", "S", Plain),
    (SafeConnCur, "safe_idle_connections_current", "S", Plain),
    (UsedConnCur, "used_connections_current", "S", Plain),
    (NeedConnEst, "need_connections_current", "S", Plain),
    (Uweight, "uweight", "BS", Plain),
    (AggServerStatus, "agg_server_status", "B", ServerStates),
    (AggServerCheckStatus, "agg_server_check_status", "B", ServerStates),
    (AggCheckStatus, "agg_check_status", "B", CheckResults),
    (PrivIdleCur, "private_idle_connections_current", "S", Plain),
    (ReqBin, "req_bytes_in_total", "FLBS", Plain),
    (ReqBout, "req_bytes_out_total", "FLBS", Plain),
    (ResBin, "res_bytes_in_total", "FLBS", Plain),
    (ResBout, "res_bytes_out_total", "FLBS", Plain),
    (CacheHintHits, "http_cache_hint_hits_total", "FB", Http),
    (H1OpenConnections, "h1_open_connections", "FB", Extra("h1")),
    (H1OpenStreams, "h1_open_streams", "FB", Extra("h1")),
    (H1TotalConnections, "h1_total_connections", "FB", Extra("h1")),
    (H1TotalStreams, "h1_total_streams", "FB", Extra("h1")),
    (H1BytesIn, "h1_bytes_in", "FB", Extra("h1")),
    (H1BytesOut, "h1_bytes_out", "FB", Extra("h1")),
    (H1SplicedIn, "h1_spliced_bytes_in", "FB", Extra("h1")),
    (H1SplicedOut, "h1_spliced_bytes_out", "FB", Extra("h1")),
];
