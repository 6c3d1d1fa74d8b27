//! Sessions: listed, looked at, ended; and the last messages that were none.

use std::fmt::Write as _;
use std::time::Duration;

use super::super::Control;
use super::super::registry::{Call, Command, command};
use super::super::reply::Reply;
use super::anon::Anon;
use super::session::duration_ms;
use crate::ir::ProxyIdx;
use crate::ir::global::Level;
use crate::live::board::{Ask, Broken, Look, Side};
use crate::stats::age;
use crate::sys::clock;

pub(super) const COMMANDS: &[Command] = &[
    command(
        &["show", "errors"],
        Level::Operator,
        "show errors [<px>] [request|response]",
        "report last request and/or response errors for each proxy",
        show_errors,
    ),
    command(
        &["show", "sess"],
        Level::Operator,
        "show sess [help|<id>|all|susp|older...]*",
        "report the list of current streams or dump this exact stream",
        show_sess,
    ),
    command(
        &["shutdown", "session"],
        Level::Admin,
        "shutdown session [id]",
        "kill a specific session",
        shutdown_session,
    ),
];

/// Longest wait for the threads; they answer within microseconds unless the machine stands still.
const PATIENCE: Duration = Duration::from_secs(5);

/// `0x1f`.
fn number(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).ok()
}

/// Which sessions are wanted, and how.
#[derive(Clone, Default)]
struct Wanted {
    id: Option<u64>,
    older: Duration,
    /// Only those that are suspect: asked for and never woken again for long.
    suspect: bool,
    /// All details.
    details: bool,
    frontend: Option<ProxyIdx>,
    backend: Option<ProxyIdx>,
    /// By its id, of that backend.
    server: Option<u32>,
    anon: Anon,
}

const SESS_HELP: &str = "Usage: show sess [<id> | all | help] [<options>*]\n\
     Dumps active streams (formats are subject to change). Options:\n   \
     <id>         dump only this stream, with its details\n   \
     all          dump all streams with their details\n   \
     help         show this message\n   \
     susp         those that wait for more than a minute without being woken\n   \
     older <age>  those older than this (seconds unless there is a unit)\n   \
     server <b/s>, backend <b>, frontend <f>  those of this server, backend, frontend\n";

fn show_sess(call: &mut Call<'_>) -> Reply {
    let mut wanted = Wanted { anon: call.session.anon, ..Wanted::default() };
    let live = &call.control.live;
    let mut words = call.args.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "all" => wanted.details = true,
            "help" => return Reply::info(SESS_HELP),
            "susp" => wanted.suspect = true,
            "show-uri" => {}
            "older" => {
                let age = words.next().unwrap_or_default();
                let bare = !age.is_empty() && age.bytes().all(|c| c.is_ascii_digit());
                let text = if bare { format!("{age}s") } else { age.to_owned() };
                match duration_ms(&text).filter(|_| !age.is_empty()) {
                    Some(age) => wanted.older = age,
                    None => return Reply::error("Expects a minimum age (in seconds by default).\n"),
                }
            }
            "frontend" => {
                let name = words.next().unwrap_or_default();
                let Some(proxy) = live.frontend_named(name) else {
                    return Reply::error("No such frontend.\n");
                };
                wanted.frontend = Some(proxy.idx);
            }
            "backend" => match live.backend_named(words.next().unwrap_or_default()) {
                Some(proxy) => wanted.backend = Some(proxy.idx),
                None => return Reply::error("No such backend.\n"),
            },
            "server" => {
                let Some((backend, server)) = words.next().unwrap_or_default().split_once('/') else {
                    return Reply::error("Require 'backend/server'.\n");
                };
                let Some(proxy) = live.backend_named(backend) else {
                    return Reply::error("No such backend.\n");
                };
                let Some(server) = proxy.backend.as_ref().and_then(|b| b.server_named(server)) else {
                    return Reply::error("No such server.\n");
                };
                (wanted.backend, wanted.server) = (Some(proxy.idx), Some(server.ir.id));
            }
            id => match number(id) {
                Some(id) => (wanted.id, wanted.details) = (Some(id), true),
                None => {
                    return Reply::error(format!("Unsupported option '{id}', try 'help' for more info.\n"));
                }
            },
        }
    }
    let asked = live.board.ask(Ask::List, clock::now());
    Reply::wait(
        clock::now() + PATIENCE,
        Some(Box::new(move |control| {
            control.live.board.fetch(asked).map(|looks| list(control, looks, &wanted))
        })),
    )
}

fn list(control: &Control, mut looks: Vec<Look>, wanted: &Wanted) -> Reply {
    looks.sort_by_key(|look| look.id);
    looks.retain(|look| {
        let suspect = look.exchange.is_some_and(|since| since > Duration::from_secs(60));
        // Between two exchanges there is a connection and no stream.
        (look.exchange.is_some() || wanted.id.is_some())
            && wanted.id.is_none_or(|id| id == look.id)
            && look.age >= wanted.older
            && (suspect || !wanted.suspect)
            && wanted.frontend.is_none_or(|frontend| frontend == look.frontend)
            && (wanted.backend.is_none() || wanted.backend == look.backend)
            && (wanted.server.is_none() || wanted.server == look.server)
    });
    if wanted.id.is_some() && looks.is_empty() {
        return Reply::error("Session not found.\n");
    }
    let mut out = String::new();
    for look in &looks {
        // Writing into a String cannot fail.
        let _ = match wanted.details {
            true => details(control, look, wanted.anon, &mut out),
            false => line(control, look, wanted.anon, &mut out),
        };
    }
    Reply::list(out)
}

fn names(control: &Control, look: &Look, anon: Anon) -> (String, String, String) {
    let live = &control.live;
    let backend = look.backend.and_then(|idx| live.proxy(idx));
    let server = backend.as_ref().zip(look.server).and_then(|(proxy, id)| {
        let servers = proxy.backend.as_ref()?.servers();
        servers.iter().find(|server| server.ir.id == id).map(|server| anon.name(server.name()))
    });
    (
        live.proxy(look.frontend).map_or_else(String::new, |proxy| anon.name(&proxy.ir.name)),
        backend.map_or_else(|| "<NONE>".to_owned(), |proxy| anon.name(&proxy.ir.name)),
        server.unwrap_or_else(|| "<none>".to_owned()),
    )
}

fn protocol(look: &Look, anon: Anon) -> (&'static str, String) {
    match look.src {
        Some(src) => {
            let proto = if src.is_ipv4() { "tcpv4" } else { "tcpv6" };
            (proto, format!("{}:{}", anon.address(&src.ip().to_string()), src.port()))
        }
        None if look.is_tcp => ("tcpv4", "unknown".to_owned()),
        None => ("unix_stream", "unix:1".to_owned()),
    }
}

/// As HAProxy has it. What only its own inside has (flags, analysers, tasks) is 0, or empty where it has a time.
fn line(control: &Control, look: &Look, anon: Anon, out: &mut String) -> std::fmt::Result {
    let (fe, be, srv) = names(control, look, anon);
    let (proto, src) = protocol(look, anon);
    // Its numbers: 8 is established, 0 is not there.
    let server_side = if look.server.is_some() { 8 } else { 0 };
    writeln!(
        out,
        "{:#x}: proto={proto} src={src} fe={fe} be={be} srv={srv} ts=00 epoch=0 age={} calls={} rate=0 cpu=0 lat=0 \
         rq[f=000000h,i=0,an=00h,ax=] rp[f=000000h,i=0,an=00h,ax=] scf=[8,0h,fd=1/{},rex=,wex=] \
         scb=[{server_side},0h,fd=1/-1,rex=,wex=] exp= rc=0 c_exp=",
        look.id,
        age(look.exchange.unwrap_or(look.age).as_secs()),
        look.calls,
        look.fd,
    )
}

fn details(control: &Control, look: &Look, anon: Anon, out: &mut String) -> std::fmt::Result {
    let (fe, be, srv) = names(control, look, anon);
    let (proto, src) = protocol(look, anon);
    let live = &control.live;
    let mode = |idx: ProxyIdx| match live.proxy(idx) {
        Some(proxy) if proxy.ir.mode == crate::ir::Mode::Http => "http",
        _ => "tcp",
    };
    let id = |idx: Option<ProxyIdx>| {
        idx.and_then(|idx| live.proxy(idx)).map_or(-1, |proxy| i64::from(proxy.ir.id))
    };
    let began = jiff::Timestamp::try_from(clock::wall() - look.age).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    writeln!(
        out,
        "{:#x}: [{}] id={} proto={proto} source={src}\n  frontend={fe} (id={} mode={}), listener=? (id=0)\n  \
         backend={be} (id={} mode={})\n  server={srv} (id={})\n  task=(calls={} exp=<NEVER> tid={} age={})\n  \
         exchange={}\n  co0=(fd={})\n",
        look.id,
        began.to_zoned(jiff::tz::TimeZone::system()).strftime("%d/%b/%Y:%H:%M:%S%.6f"),
        look.id,
        id(Some(look.frontend)),
        mode(look.frontend),
        id(look.backend),
        look.backend.map_or("-", mode),
        look.server.map_or(-1, i64::from),
        look.calls,
        look.thread + 1,
        age(look.age.as_secs()),
        look.exchange.map_or_else(|| "none".to_owned(), |e| format!("{}ms", e.as_millis())),
        look.fd,
    )
}

fn shutdown_session(call: &mut Call<'_>) -> Reply {
    let Some(id) = number(call.arg(0)).filter(|id| *id != 0) else {
        return Reply::error("Session pointer expected (use 'show sess').\n");
    };
    let asked = call.control.live.board.ask(Ask::End(id), clock::now());
    Reply::wait(
        clock::now() + PATIENCE,
        Some(Box::new(move |control| {
            let found = control.live.board.fetch(asked)?;
            Some(if found.is_empty() {
                Reply::error("No such session (use 'show sess').\n")
            } else {
                Reply::done()
            })
        })),
    )
}

/// As log lines have it.
fn clf_local(at: std::time::SystemTime) -> String {
    let at = jiff::Timestamp::try_from(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%d/%b/%Y:%H:%M:%S%.3f").to_string()
}

fn show_errors(call: &mut Call<'_>) -> Reply {
    let live = &call.control.live;
    let name = call.arg(0);
    let by_number = name.parse::<i64>().ok();
    let wanted = |proxy: &&std::sync::Arc<crate::live::Proxy>| match by_number {
        _ if name.is_empty() => true,
        Some(-1) => true,
        Some(id) => i64::from(proxy.ir.id) == id,
        None => proxy.is_called(name),
    };
    let proxies: Vec<_> = live.proxies().into_iter().filter(|proxy| wanted(&proxy)).collect();
    if proxies.is_empty() && !name.is_empty() {
        return Reply::error("No such proxy.\n");
    }
    let sides: &[Side] = match call.arg(1) {
        "" => &[Side::Request, Side::Response],
        "request" => &[Side::Request],
        "response" => &[Side::Response],
        _ => return Reply::error("Expects either 'request' or 'response'.\n"),
    };
    let mut found = Vec::new();
    let mut total = 0;
    for proxy in proxies {
        for side in sides {
            let (count, last) = live.board.broken(proxy.idx, *side);
            total = count;
            found.extend(last.map(|broken| (*side, broken)));
        }
    }
    let mut out = format!("Total events captured on [{}] : {total}\n", clf_local(clock::wall()));
    for (side, broken) in &found {
        // Writing into a String cannot fail.
        let _ = describe(call.control, *side, broken, &mut out);
    }
    Reply::list(out)
}

fn describe(control: &Control, side: Side, broken: &Broken, out: &mut String) -> std::fmt::Result {
    let named = |idx: Option<ProxyIdx>| match idx.and_then(|idx| control.live.proxy(idx)) {
        Some(proxy) => format!("{} (#{})", proxy.ir.name, proxy.ir.id),
        None => "<NONE> (#-1)".to_owned(),
    };
    let at = clf_local(broken.at);
    let server = broken.server.map_or_else(|| "<NONE> (#-1)".to_owned(), |id| format!("#{id}"));
    match side {
        Side::Request => {
            writeln!(out, " \n[{at}] frontend {}: invalid request", named(Some(broken.frontend)))?;
            write!(out, "  backend {}", named(broken.backend))?;
        }
        Side::Response => {
            writeln!(out, " \n[{at}] backend {}: invalid response", named(broken.backend))?;
            write!(out, "  frontend {}", named(Some(broken.frontend)))?;
        }
    }
    let src = broken.src.map_or_else(|| "unix:1".to_owned(), |src| src.to_string());
    writeln!(out, ", server {server}, event #{}, src {src}", broken.number)?;
    writeln!(out, "  len {}, error at position {}\n  ", broken.bytes.len(), broken.position)?;
    let mut start = 0;
    for part in broken.bytes.split_inclusive(|b| *b == b'\n') {
        for (at, piece) in part.chunks(70).enumerate() {
            let mark = if at == 0 { ' ' } else { '+' };
            writeln!(out, "  {:05}{mark} {}", start + at * 70, visible(piece))?;
        }
        start += part.len();
    }
    Ok(())
}

/// Bytes that would do something to a terminal are written out.
fn visible(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for b in bytes {
        match b {
            b'\r' => out.push_str("\\r"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\\' => out.push_str("\\\\"),
            0x20..0x7f => out.push(char::from(*b)),
            _ => out.push_str(&format!("\\x{b:02X}")),
        }
    }
    out
}
