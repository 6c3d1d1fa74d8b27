//! `show info`: the process.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::field::{
    Field,
    Nature::{self, *},
    Origin::{self, *},
    Scope::{self, *},
    Tags, Value,
};
use super::{json, typed};
use crate::live::{FrontendState, Live};
use crate::proxy::Pipes;
use crate::sys::clock;

/// What does not change while the process runs.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// `Name`: tools look for `HAProxy`.
    pub name: String,
    /// `Version`, also the answer to `show version`.
    pub version: String,
    /// `Release_date`, `2026/01/31`.
    pub release_date: String,
    /// `Build info`.
    pub build: String,
    /// `node`: configured, or the host's name.
    pub node: String,
    /// Worker threads.
    pub threads: u32,
    /// Process id.
    pub pid: u32,
    /// Configuration files, as they were named.
    pub files: Vec<String>,
    /// Limit of open files.
    pub ulimit_n: u32,
    /// Connection limit at the start.
    pub hard_maxconn: u32,
    /// Warnings at the start.
    pub warnings: u32,
    /// Milliseconds from the program's start until it served.
    pub boot_ms: u32,
}

/// What has to be measured at the moment of asking.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// `Idle_pct`.
    pub idle_percent: u32,
    /// `Tasks`.
    pub tasks: u32,
    /// `CurrStreams`.
    pub streams: u64,
}

/// One line. Its number is its place in [`items`].
#[derive(Clone, Debug)]
pub struct Item {
    /// Name.
    pub name: &'static str,
    /// Value and tags.
    pub field: Field,
    /// What it means.
    pub doc: &'static str,
}

fn item(name: &'static str, tags: (Origin, Nature, Scope), value: Value, doc: &'static str) -> Option<Item> {
    Some(Item { name, field: Field { tags: Tags::new(tags.0, tags.1, tags.2), value }, doc })
}

/// `1d 2h03m04s`.
fn uptime_text(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86400, seconds % 86400 / 3600, seconds % 3600 / 60);
    format!("{days}d {hours}h{minutes:02}m{:02}s", seconds % 60)
}

/// The lines by number; some numbers have none. `float`: times and rates with fractions.
#[must_use]
pub fn items(live: &Live, program: &Program, usage: Usage, float: bool) -> Vec<Option<Item>> {
    let now_ms = clock::now_ms();
    let p = &live.process;
    let pipes = Pipes::now();
    let up = clock::now().saturating_duration_since(live.started);
    let start = live.started_wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let listeners = live
        .proxies()
        .iter()
        .filter_map(|p| p.frontend.as_ref())
        .filter(|f| f.state() == FrontendState::Open)
        .map(|f| f.listeners.len() as u32)
        .sum::<u32>()
        + live.config.global.stats_sockets.len() as u32;
    let description = live.config.global.description.clone();
    let seconds = |d: Duration| {
        if float { Value::Float(d.as_secs_f64()) } else { Value::U32(d.as_secs() as u32) }
    };
    let rate = |r: u32| if float { Value::Float(r.into()) } else { Value::U32(r) };
    vec![
        item("Name", (Product, Output, Service), Value::Text(program.name.clone()), "Name of the program"),
        item(
            "Version",
            (Product, Output, Service),
            Value::Text(program.version.clone()),
            "Version of HAProxy whose behaviour is offered, and our mark",
        ),
        item(
            "Release_date",
            (Product, Output, Service),
            Value::Text(program.release_date.clone()),
            "Date of that version",
        ),
        item("Nbthread", (Config, Gauge, Service), Value::U32(program.threads), "Worker threads (nbthread)"),
        item("Nbproc", (Config, Gauge, Service), Value::U32(1), "Worker processes, always 1"),
        item("Process_num", (Key, Gauge, Process), Value::U32(1), "Number of this process, always 1"),
        item("Pid", (Status, Gauge, Process), Value::U32(program.pid), "Process id"),
        item(
            "Uptime",
            (Metric, Duration, Process),
            Value::Text(uptime_text(up.as_secs())),
            "Time since the start, for people",
        ),
        item("Uptime_sec", (Metric, Duration, Process), seconds(up), "Time since the start, seconds"),
        item("Memmax_MB", (Config, Limit, Process), Value::U32(0), "Memory limit, MB; 0: none"),
        item("PoolAlloc_MB", (Metric, Gauge, Process), Value::U32(0), "Memory held by buffer pools, MB"),
        item("PoolUsed_MB", (Metric, Gauge, Process), Value::U32(0), "Memory of those in use, MB"),
        item("PoolFailed", (Metric, Counter, Process), Value::U32(0), "Allocations that failed"),
        item("Ulimit-n", (Config, Limit, Process), Value::U32(program.ulimit_n), "Limit of open files"),
        item("Maxsock", (Config, Limit, Process), Value::U32(program.ulimit_n), "Limit of sockets"),
        item("Maxconn", (Config, Limit, Process), Value::U32(live.maxconn()), "Limit of connections"),
        item(
            "Hard_maxconn",
            (Config, Limit, Process),
            Value::U32(program.hard_maxconn),
            "Limit of connections at the start, the most that can be set",
        ),
        item("CurrConns", (Metric, Gauge, Process), Value::U32(p.connections.get()), "Connections now"),
        item(
            "CumConns",
            (Metric, Counter, Process),
            Value::U32(p.cum_conns.get() as u32),
            "Connections since the start",
        ),
        item(
            "CumReq",
            (Metric, Counter, Process),
            Value::U32(p.cum_req.get() as u32),
            "Requests since the start",
        ),
        item("MaxSslConns", (Metric, Max, Process), Value::U32(0), "Limit of TLS connections; 0: none"),
        item("CurrSslConns", (Metric, Gauge, Process), Value::U32(0), "TLS connections now"),
        item("CumSslConns", (Metric, Counter, Process), Value::U32(0), "TLS connections since the start"),
        item(
            "Maxpipes",
            (Config, Limit, Process),
            Value::U32(pipes.most as u32),
            "Limit of splicing pipes; 0: none",
        ),
        item("PipesUsed", (Metric, Gauge, Process), Value::U32(pipes.used as u32), "Splicing pipes in use"),
        item(
            "PipesFree",
            (Metric, Gauge, Process),
            Value::U32(pipes.unused as u32),
            "Splicing pipes kept for use",
        ),
        item(
            "ConnRate",
            (Metric, Rate, Process),
            rate(p.conn_rate.rate(now_ms)),
            "Connections in the last second",
        ),
        item(
            "ConnRateLimit",
            (Config, Limit, Process),
            Value::U32(live.rate_limits.connections.load(Relaxed)),
            "Limit of those (maxconnrate); 0: none",
        ),
        item(
            "MaxConnRate",
            (Metric, Max, Process),
            Value::U32(p.conn_rate.max()),
            "Most connections there ever were in a second",
        ),
        item(
            "SessRate",
            (Metric, Rate, Process),
            rate(p.sess_rate.rate(now_ms)),
            "Sessions in the last second",
        ),
        item(
            "SessRateLimit",
            (Config, Limit, Process),
            Value::U32(live.rate_limits.sessions.load(Relaxed)),
            "Limit of those (maxsessrate); 0: none",
        ),
        item(
            "MaxSessRate",
            (Metric, Rate, Process),
            Value::U32(p.sess_rate.max()),
            "Most sessions there ever were in a second",
        ),
        item("SslRate", (Metric, Rate, Process), rate(0), "TLS handshakes in the last second"),
        item("SslRateLimit", (Config, Limit, Process), Value::U32(0), "Limit of those (maxsslrate); 0: none"),
        item(
            "MaxSslRate",
            (Metric, Max, Process),
            Value::U32(0),
            "Most TLS handshakes there ever were in a second",
        ),
        item(
            "SslFrontendKeyRate",
            (Metric, Gauge, Process),
            Value::U32(0),
            "TLS keys computed for clients in the last second",
        ),
        item(
            "SslFrontendMaxKeyRate",
            (Metric, Max, Process),
            Value::U32(0),
            "Most of them there ever were in a second",
        ),
        item(
            "SslFrontendSessionReuse_pct",
            (Metric, Gauge, Process),
            Value::U32(0),
            "Percentage of TLS sessions of clients that were resumed",
        ),
        item(
            "SslBackendKeyRate",
            (Metric, Rate, Process),
            Value::U32(0),
            "TLS keys computed for servers in the last second",
        ),
        item(
            "SslBackendMaxKeyRate",
            (Metric, Max, Process),
            Value::U32(0),
            "Most of them there ever were in a second",
        ),
        item(
            "SslCacheLookups",
            (Metric, Counter, Process),
            Value::U32(0),
            "Look-ups in the cache of TLS sessions",
        ),
        item("SslCacheMisses", (Metric, Counter, Process), Value::U32(0), "Those that found nothing"),
        item(
            "CompressBpsIn",
            (Metric, Rate, Process),
            Value::U32(0),
            "Bytes given to the compressor in the last second",
        ),
        item(
            "CompressBpsOut",
            (Metric, Rate, Process),
            Value::U32(0),
            "Bytes the compressor made in the last second",
        ),
        item(
            "CompressBpsRateLim",
            (Config, Limit, Process),
            Value::U32(0),
            "Limit of those (maxcomprate); 0: none",
        ),
        None,
        None,
        item(
            "Tasks",
            (Metric, Gauge, Process),
            Value::U32(usage.tasks + listeners),
            "Tasks, running and sleeping",
        ),
        item("Run_queue", (Metric, Gauge, Process), Value::U32(0), "Tasks ready to run"),
        item(
            "Idle_pct",
            (Metric, Avg, Process),
            Value::U32(usage.idle_percent),
            "Percentage of the time since the last question that the workers had nothing to do",
        ),
        item(
            "node",
            (Config, Output, Service),
            Value::Text(program.node.clone()),
            "Name of the machine (node)",
        ),
        description
            .map(|description| {
                item(
                    "description",
                    (Config, Output, Service),
                    Value::Text(description),
                    "Description of the machine (description)",
                )
            })
            .unwrap_or_default(),
        item(
            "Stopping",
            (Metric, Gauge, Process),
            Value::U32(u32::from(live.stop.is_announced())),
            "1 while a soft stop is under way",
        ),
        item(
            "Jobs",
            (Metric, Gauge, Process),
            Value::U32(p.connections.get() + listeners),
            "Listeners and connections that keep the process alive",
        ),
        item(
            "Unstoppable Jobs",
            (Metric, Gauge, Process),
            Value::U32(0),
            "Those of them a soft stop does not wait for",
        ),
        item("Listeners", (Metric, Gauge, Process), Value::U32(listeners), "Listeners that take connections"),
        item("ActivePeers", (Metric, Gauge, Process), Value::U32(0), "Peers that answer"),
        item("ConnectedPeers", (Metric, Gauge, Process), Value::U32(0), "Peers that are connected"),
        item(
            "DroppedLogs",
            (Metric, Gauge, Process),
            Value::U32(p.dropped_logs.get() as u32),
            "Log lines no target took",
        ),
        item("BusyPolling", (Metric, Gauge, Process), Value::U32(0), "1 with busy-polling"),
        item(
            "FailedResolutions",
            (Metric, Gauge, Process),
            Value::U32(p.failed_resolutions.get() as u32),
            "Name resolutions that failed",
        ),
        item(
            "TotalBytesOut",
            (Metric, Gauge, Process),
            Value::U64(p.bytes_out.get()),
            "Bytes sent to either side",
        ),
        item(
            "TotalSplicedBytesOut",
            (Metric, Gauge, Process),
            Value::U64(pipes.bytes),
            "Those of them that were spliced",
        ),
        item(
            "BytesOutRate",
            (Metric, Rate, Process),
            Value::U64(u64::from(p.bytes_out_rate.rate(now_ms)) * 32),
            "Bytes sent in the last second",
        ),
        item("DebugCommandsIssued", (Metric, Gauge, Process), Value::U32(0), "Debug commands used so far"),
        item("CumRecvLogs", (Metric, Counter, Process), Value::U32(0), "Log lines received to be forwarded"),
        item(
            "Build info",
            (Product, Output, Service),
            Value::Text(program.build.clone()),
            "What this really is",
        ),
        item("Memmax_bytes", (Config, Limit, Process), Value::U32(0), "Memory limit, bytes; 0: none"),
        item(
            "PoolAlloc_bytes",
            (Metric, Gauge, Process),
            Value::U64(0),
            "Memory held by buffer pools, bytes",
        ),
        item("PoolUsed_bytes", (Metric, Gauge, Process), Value::U64(0), "Memory of those in use, bytes"),
        item(
            "Start_time_sec",
            (Metric, Duration, Process),
            seconds(start),
            "Time of the start, seconds since 1970",
        ),
        item(
            "Tainted",
            (Status, Gauge, Process),
            Value::Text("0".to_owned()),
            "Experimental features in use, as bits",
        ),
        item(
            "TotalWarnings",
            (Metric, Counter, Process),
            Value::U32(program.warnings),
            "Warnings at the start",
        ),
        item(
            "MaxconnReached",
            (Metric, Counter, Process),
            Value::U32(p.maxconn_reached.get() as u32),
            "Connections that left no room for more than one other below the limit of the process",
        ),
        item(
            "BootTime_ms",
            (Metric, Duration, Process),
            Value::U32(program.boot_ms),
            "Milliseconds from the start of the program until it served",
        ),
        item(
            "Niced_tasks",
            (Metric, Gauge, Process),
            Value::U32(0),
            "Tasks ready to run with lowered priority",
        ),
        item("CurrStreams", (Metric, Gauge, Process), Value::U64(usage.streams), "Requests being worked on"),
        item("CumStreams", (Metric, Gauge, Process), Value::U64(p.cum_req.get()), "Requests since the start"),
        item(
            "BlockedTrafficWarnings",
            (Metric, Gauge, Process),
            Value::U32(0),
            "Warnings about tasks that ran too long",
        ),
        item("PatternsAdded", (Metric, Gauge, Process), Value::U64(0), "Patterns of ACLs and maps added"),
        item("PatternsFreed", (Metric, Gauge, Process), Value::U64(0), "Patterns of ACLs and maps taken out"),
        item("NbThreadGroups", (Config, Gauge, Service), Value::U32(1), "Thread groups"),
    ]
}

/// How `show info` is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// `Name: value`.
    #[default]
    Plain,
    /// With numbers, tags and types.
    Typed,
    /// JSON.
    Json,
}

/// `show info`.
#[must_use]
pub fn render(items: &[Option<Item>], form: Form, desc: bool) -> String {
    let numbered = items.iter().enumerate().filter_map(|(number, item)| Some((number, item.as_ref()?)));
    let mut out = String::new();
    match form {
        Form::Plain => {
            for (_, item) in numbered {
                // Writing into a String cannot fail.
                let _ = write!(out, "{}: {}", item.name, item.field.value);
                if desc {
                    let _ = write!(out, ":\"{}\"", item.doc);
                }
                out.push('\n');
            }
        }
        Form::Typed => {
            for (number, item) in numbered {
                let _ = write!(out, "{number}.{}.1", item.name);
                typed::push_tail(&mut out, &item.field, desc.then_some(item.doc));
            }
        }
        Form::Json => {
            #[derive(Serialize)]
            struct Fields<'a>(Vec<json::AnyField<'a>>);
            let fields = numbered.map(|(n, item)| json::AnyField::new(n, item.name, &item.field)).collect();
            out.push_str(&json::text(&Fields(fields)));
            out.push('\n');
        }
    }
    out
}
