//! What HAProxy does not have: how response times are spread, and the VRRP instances of this machine.

use std::fmt::Write;
use std::time::SystemTime;

use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use crate::ir::global::Level;
use crate::metrics::Histogram;
use crate::stats::watch::ask_vrrp;
use crate::sys::clock;

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["show", "latency"],
        Level::User,
        "show latency [json]",
        "response times of backends and servers, counted in buckets",
        show_latency,
    ),
    command(&["show", "vrrp"], Level::User, "show vrrp [json]", "VRRP instances of this machine", show_vrrp),
];

/// A line per backend and server: how many responses came within each of the times in the first line.
fn show_latency(call: &mut Call<'_>) -> Reply {
    let mut lines = Vec::new();
    let proxies = call.control.live.proxies();
    for proxy in proxies.iter().filter(|p| !p.ir.disabled) {
        let Some(half) = &proxy.backend else { continue };
        for server in half.servers().iter() {
            lines.push((&proxy.ir.name, server.name().to_owned(), server.counters.times.response.counts()));
        }
        lines.push((&proxy.ir.name, "BACKEND".to_owned(), half.counters.times.response.counts()));
    }
    if call.has("json") {
        let one = |(proxy, server, counts): &(&String, String, _)| serde_json::json!({ "proxy": proxy, "server": server, "counts": counts });
        let all = lines.iter().map(one).collect::<Vec<_>>();
        let bounds = Histogram::BOUNDS_US;
        return Reply::list(format!("{}\n", serde_json::json!({ "bounds_us": bounds, "rows": all })));
    }
    let bounds = Histogram::LABELS.map(|label| format!("{label}s")).join(" ");
    let mut out = format!("# pxname svname {bounds} more\n");
    for (proxy, server, counts) in lines {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{proxy} {server} {}", counts.map(|count| count.to_string()).join(" "));
    }
    Reply::list(out)
}

fn show_vrrp(call: &mut Call<'_>) -> Reply {
    let found = ask_vrrp();
    if call.has("json") {
        let json = serde_json::to_string(&found).unwrap_or_else(|_| "[]".to_owned());
        return Reply::list(json + "\n");
    }
    if found.is_empty() {
        return Reply::list("No VRRP engine answers on this machine.\n");
    }
    let now = clock::wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut out = String::new();
    for one in found {
        let since = if one.since > 0.0 { (now - one.since).max(0.0) as u64 } else { 0 };
        let _ = writeln!(
            out,
            "{}: {} for {since}s on {} vrid {}, priority {} (configured {}), last master heard {}, became master {}x, \
             adverts {} sent {} received",
            one.name,
            one.state,
            one.interface,
            one.vrid,
            one.priority,
            one.base_priority,
            one.master_priority,
            one.counter("become_master"),
            one.counter("advert_sent"),
            one.counter("advert_rcvd"),
        );
        // The first line is said above, with the counters in it.
        let rest = one.to_string();
        out.push_str(rest.split_once('\n').map_or("", |(_, rest)| rest));
    }
    Reply::list(out)
}
