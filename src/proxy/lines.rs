//! Log lines of sessions: when they are written, and which.

use std::sync::Arc;

use super::failure::{Failure, Phase, Who};
use super::rules::{logs_connect, render_log};
use super::txn::Txn;
use super::worker::with;
use crate::expr::ctx::{ConnectError, Progress};
use crate::expr::{Ctx, Session as _, logformat};
use crate::ir;
use crate::ir::log::{LogProfile, LogStep, Severity};
use crate::log::trace::{About, H1, STREAM};

/// A step of a session: its line, if `log-steps` asks for one or the proxy writes its line here.
#[inline]
pub(super) fn at(txn: &mut Txn, step: LogStep) {
    trace(txn, step);
    if !txn.door.fe.logs.is_empty() {
        write_at(txn, step);
    }
}

fn write_at(txn: &mut Txn, step: LogStep) {
    let ir = &txn.door.fe.ir;
    if !ir.log_steps.is_empty() {
        if ir.log_steps.contains(&step) {
            log(txn, step);
        }
        return;
    }
    let short = logs_connect(ir);
    if short && step == LogStep::Accept {
        // Nobody knows yet how it ends: `dontlog-normal` is nothing to this line.
        if let Some(level) = txn.log_level {
            write(txn, step, level, None);
        }
    }
    // `option logasap`: as soon as the head of the response, or in TCP mode the server's connection, is there. So too where
    // the line has nothing to wait for.
    let (soon, known) = match (ir.mode, ir.log_at) {
        (ir::proxy::Mode::Http, known) => (LogStep::Response, known),
        (_, LogStep::Close) => (LogStep::Connect, LogStep::Close),
        _ => (LogStep::Connect, LogStep::Connect),
    };
    let complete = step == known && known != LogStep::Close;
    if !short && (complete || ir.logasap && step == soon) {
        let before = (txn.status, txn.bytes_out);
        if let Some(head) = &txn.resp {
            (txn.status, txn.bytes_out) = (head.status(), head.size() as u64);
        }
        txn.ended = txn.times.data.or(txn.times.connect);
        log(txn, step);
        txn.ended = None;
        (txn.status, txn.bytes_out) = before;
        // There is one line.
        txn.log_level = None;
    }
}

/// The step for whoever traces streams.
#[inline]
fn trace(txn: &Txn, step: LogStep) {
    if STREAM.is_followed() || H1.is_followed() {
        trace_step(txn, step);
    }
}

#[cold]
fn trace_step(txn: &Txn, step: LogStep) {
    let event = match step {
        LogStep::Accept => 0,
        LogStep::Request => 1,
        LogStep::Connect => 2,
        LogStep::Response => 3,
        LogStep::Close => 4,
        _ => return,
    };
    let about = || About {
        backend: About::proxy(txn.be().idx),
        frontend: About::proxy(txn.door.fe.idx),
        listener: Arc::as_ptr(&txn.door.listener) as u64,
        server: txn.server.as_ref().map_or(0, |server| About::server_of(txn.be().idx, server.index)),
        session: About::client(txn.connection_addresses().0, Arc::as_ptr(&txn.door.listener) as u64),
        check: 0,
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    STREAM.tell(event, about, |_| {
        let src = txn.src.map_or_else(|| "unix".to_owned(), |src| src.to_string());
        let server = txn.server.as_ref().or(txn.awaited.as_ref());
        let server = server.map_or(txn.no_server, |server| server.name());
        format!(
            "src={src} fe={} be={} srv={server} method={} target={} status={} bytes={}/{} term={}",
            txn.door.fe.ir.name,
            txn.be().ir.name,
            text(txn.req.method()),
            text(txn.req.uri()),
            txn.resp.as_ref().map_or(txn.status, |resp| resp.status()),
            txn.bytes_in,
            txn.bytes_out,
            text(&txn.failure.code()),
        )
    });
    if txn.door.fe.ir.mode != ir::proxy::Mode::Http {
        return;
    }
    let (event, head) = match step {
        LogStep::Accept => (2, None),
        LogStep::Request => (0, Some(&txn.req)),
        LogStep::Connect => (1, Some(&txn.req)),
        LogStep::Response => (1, txn.resp.as_ref()),
        _ => (3, None),
    };
    H1.tell(event, about, |with_headers| {
        let Some(head) = head else { return format!("fe={}", txn.door.fe.ir.name) };
        let whose = match (step, event) {
            (LogStep::Response, _) => "H1 response to client",
            (_, 0) => "H1 request of client",
            _ => "H1 request to server",
        };
        let (major, minor) = crate::expr::Head::version(head);
        let mut out = if head.is_response() {
            format!("{whose} HTTP/{major}.{minor} {}", head.status())
        } else {
            format!("{whose} {} {} HTTP/{major}.{minor}", text(head.method()), text(head.uri()))
        };
        for (name, value) in head.headers().filter(|_| with_headers) {
            out.push_str(&format!(" | {}: {}", text(name), text(value)));
        }
        out
    });
}

/// The line at the end of a session.
pub(super) fn at_end(txn: &Txn) {
    trace(txn, LogStep::Close);
    let ir = &txn.door.fe.ir;
    let wanted = match txn.end_step {
        LogStep::Close if ir.log_steps.is_empty() => !logs_connect(ir),
        LogStep::Close => ir.log_steps.contains(&LogStep::Close),
        _ => true,
    };
    if wanted {
        log(txn, txn.end_step);
    }
}

/// `do-log`: the line of the rules that are evaluated now.
pub(super) fn by_rule(txn: &Txn, profile: Option<&str>) {
    if let Some(level) = txn.log_level {
        write(txn, txn.rules_step, level, profile);
    }
}

/// A connection that never became a session.
pub(super) fn turned_away(txn: &mut Txn, why: ConnectError) {
    txn.client_connection = Some(why);
    txn.failure = Failure::new(Who::Proxy, Phase::Request);
    let (_, _, why) = why.described();
    let level = Severity(if txn.door.fe.ir.log_separate_errors { 3 } else { 6 });
    write_with(txn, LogStep::Error, level, None, Some(&|ctx, line| logformat::write_refusal(ctx, why, line)));
}

fn log(txn: &Txn, step: LogStep) {
    let proxy = &txn.door.fe;
    let Some(level) = txn.log_level else { return };
    let failed =
        txn.failure.code()[0] != b'-' && txn.failure.code()[0] != b'L' || txn.retries > 0 && txn.redispatched;
    if proxy.ir.dontlog_normal && !failed && txn.status < 500 {
        return;
    }
    let level =
        if proxy.ir.log_separate_errors && (failed || txn.status >= 500) { Severity(3) } else { level };
    write(txn, step, level, None);
}

fn write(txn: &Txn, step: LogStep, level: Severity, profile: Option<&str>) {
    let ir = &txn.door.fe.ir;
    let usual = |ctx: &Ctx<'_>, line: &mut Vec<u8>| render_log(ir, ctx, line);
    // What never was a request has no line where there is only one that tells of the connection.
    let tells = step != LogStep::Error || !logs_connect(ir);
    write_with(txn, step, level, profile, tells.then_some(&usual));
}

/// What writes a line.
type Writes<'w> = &'w dyn Fn(&Ctx<'_>, &mut Vec<u8>);

/// Writes a line that is `usual` where nothing says otherwise. One without a character is not sent.
fn write_with(txn: &Txn, step: LogStep, level: Severity, profile: Option<&str>, usual: Option<Writes<'_>>) {
    let (proxy, logger) = (&txn.door.fe, &txn.door.live().logger);
    if proxy.logs.is_empty() {
        return;
    }
    let ctx = txn.ctx();
    let mut timers = ctx.progress.timers;
    if step == LogStep::HttpRequest {
        // The rules are part of what it takes to receive a request.
        timers.request = -1;
    }
    let ctx = Ctx { progress: Progress { origin: step.origin(), timers, ..ctx.progress }, ..ctx };
    let mut line = with(super::worker::Worker::take_scratch);
    match proxy.ir.error_log_format.as_ref().filter(|_| step == LogStep::Error) {
        Some(format) => logformat::render(format, &ctx, &mut line),
        None => usual.into_iter().for_each(|write| write(&ctx, &mut line)),
    }
    let mut sent = false;
    let data = proxy.ir.log_format_sd.as_ref().map(|format| logformat::to_vec(format, &ctx));
    let (tag, data) = (proxy.ir.log_tag.as_deref(), data.unwrap_or_default());
    let profiles = &txn.door.live().config.log_profiles;
    if profiles.is_empty() {
        sent = !line.is_empty();
        if sent {
            logger.send_with(&proxy.logs, level, tag, &data, &line);
        }
    } else {
        for index in 0..proxy.logs.len() {
            let named = |name: &str| profiles.iter().find(|profile| profile.name == name);
            let used = profile.or_else(|| proxy.logs.profile(index)).and_then(named);
            let said = used.and_then(|profile| profile.line(step));
            if said.is_some_and(|said| said.drop) {
                continue;
            }
            let own =
                said.and_then(|said| said.format.as_ref()).map(|format| logformat::to_vec(format, &ctx));
            let own_data =
                said.and_then(|said| said.data.as_ref()).map(|format| logformat::to_vec(format, &ctx));
            let tag = used.and_then(|LogProfile { tag, .. }| tag.as_deref()).or(tag);
            let (line, data) = (own.as_ref().unwrap_or(&line), own_data.as_ref().unwrap_or(&data));
            if !line.is_empty() {
                sent = true;
                logger.send_to(&proxy.logs, index, level, tag, data, line);
            }
        }
    }
    with(|w| w.give_scratch(line));
    if let Some(frontend) = proxy.frontend.as_ref().filter(|_| sent) {
        frontend.counters.lines.inc();
    }
}

/// Whether a captured request line is needed for the log.
pub(super) fn logs_requests(proxy: &ir::Proxy) -> bool {
    !proxy.logs.is_empty()
}
