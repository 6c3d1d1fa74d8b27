//! `haproxy_process_*`: the lines of `show info` under the exporter's names.

use super::Scrape;
use super::text::{Type, label};
use crate::stats::field::Value;
use crate::stats::info;

use Type::{Counter, Gauge};

/// Name in `show info`, name here, type: in the order of `show info`.
const METRICS: [(&str, &str, Type); 66] = [
    ("Nbthread", "nbthread", Gauge),
    ("Nbproc", "nbproc", Gauge),
    ("Process_num", "relative_process_id", Gauge),
    ("Uptime_sec", "uptime_seconds", Gauge),
    ("PoolFailed", "pool_failures_total", Counter),
    ("Ulimit-n", "max_fds", Gauge),
    ("Maxsock", "max_sockets", Gauge),
    ("Maxconn", "max_connections", Gauge),
    ("Hard_maxconn", "hard_max_connections", Gauge),
    ("CurrConns", "current_connections", Gauge),
    ("CumConns", "connections_total", Counter),
    ("CumReq", "requests_total", Counter),
    ("MaxSslConns", "max_ssl_connections", Gauge),
    ("CurrSslConns", "current_ssl_connections", Gauge),
    ("CumSslConns", "ssl_connections_total", Counter),
    ("Maxpipes", "max_pipes", Gauge),
    ("PipesUsed", "pipes_used_total", Counter),
    ("PipesFree", "pipes_free_total", Counter),
    ("ConnRate", "current_connection_rate", Gauge),
    ("ConnRateLimit", "limit_connection_rate", Gauge),
    ("MaxConnRate", "max_connection_rate", Gauge),
    ("SessRate", "current_session_rate", Gauge),
    ("SessRateLimit", "limit_session_rate", Gauge),
    ("MaxSessRate", "max_session_rate", Gauge),
    ("SslRate", "current_ssl_rate", Gauge),
    ("SslRateLimit", "limit_ssl_rate", Gauge),
    ("MaxSslRate", "max_ssl_rate", Gauge),
    ("SslFrontendKeyRate", "current_frontend_ssl_key_rate", Gauge),
    ("SslFrontendMaxKeyRate", "max_frontend_ssl_key_rate", Gauge),
    ("SslFrontendSessionReuse_pct", "frontend_ssl_reuse", Gauge),
    ("SslBackendKeyRate", "current_backend_ssl_key_rate", Gauge),
    ("SslBackendMaxKeyRate", "max_backend_ssl_key_rate", Gauge),
    ("SslCacheLookups", "ssl_cache_lookups_total", Counter),
    ("SslCacheMisses", "ssl_cache_misses_total", Counter),
    ("CompressBpsIn", "http_comp_bytes_in_total", Counter),
    ("CompressBpsOut", "http_comp_bytes_out_total", Counter),
    ("CompressBpsRateLim", "limit_http_comp", Gauge),
    // No zlib here, as in a HAProxy that was built with another compressor: NaN.
    ("ZlibMemUsage", "current_zlib_memory", Gauge),
    ("MaxZlibMemUsage", "max_zlib_memory", Gauge),
    ("Tasks", "current_tasks", Gauge),
    ("Run_queue", "current_run_queue", Gauge),
    ("Idle_pct", "idle_time_percent", Gauge),
    ("node", "node", Gauge),
    ("description", "description", Gauge),
    ("Stopping", "stopping", Gauge),
    ("Jobs", "jobs", Gauge),
    ("Unstoppable Jobs", "unstoppable_jobs", Gauge),
    ("Listeners", "listeners", Gauge),
    ("ActivePeers", "active_peers", Gauge),
    ("ConnectedPeers", "connected_peers", Gauge),
    ("DroppedLogs", "dropped_logs_total", Counter),
    ("BusyPolling", "busy_polling_enabled", Gauge),
    ("FailedResolutions", "failed_resolutions", Counter),
    ("TotalBytesOut", "bytes_out_total", Counter),
    ("TotalSplicedBytesOut", "spliced_bytes_out_total", Counter),
    ("BytesOutRate", "bytes_out_rate", Gauge),
    ("CumRecvLogs", "recv_logs_total", Counter),
    ("Build info", "build_info", Gauge),
    ("Memmax_bytes", "max_memory_bytes", Gauge),
    ("PoolAlloc_bytes", "pool_allocated_bytes", Gauge),
    ("PoolUsed_bytes", "pool_used_bytes", Gauge),
    ("Start_time_sec", "start_time_seconds", Gauge),
    ("TotalWarnings", "total_warnings", Counter),
    ("PatternsAdded", "patterns_added_total", Gauge),
    ("PatternsFreed", "patterns_freed_total", Gauge),
    ("NbThreadGroups", "nb_thread_groups", Gauge),
];

/// Writes them.
pub(super) fn write(scrape: &mut Scrape<'_>) {
    let items = info::items(scrape.live, scrape.program, scrape.usage, false);
    let description = scrape.live.config.global.description.as_deref();
    for (key, suffix, kind) in METRICS {
        let name = format!("haproxy_process_{suffix}");
        if !scrape.query.wants_metric(&name) {
            continue;
        }
        let item = items.iter().flatten().find(|item| item.name == key);
        let mut labels = String::new();
        let value = match key {
            "node" => {
                label(&mut labels, "node", &scrape.program.node);
                "1".to_owned()
            }
            "Build info" => {
                label(&mut labels, "version", &scrape.program.version);
                "1".to_owned()
            }
            "description" if description.is_none() => continue,
            "description" => "1".to_owned(),
            _ => item
                .map(|item| &item.field.value)
                .filter(|v| !matches!(v, Value::Text(_)))
                .map_or_else(|| "NaN".to_owned(), ToString::to_string),
        };
        if let Some(text) = description.filter(|_| key == "description" || scrape.query.desc_labels) {
            label(&mut labels, "desc", text);
        }
        let help = item.map_or("Memory of the zlib compressor", |item| item.doc);
        scrape.text.head(&name, help, kind);
        scrape.text.value(&name, &labels, None, value);
    }
}
