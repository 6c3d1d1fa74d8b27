//! What each alias writes.

use jiff::tz::TimeZone;

use crate::ir::expr::{LfAlias, LfOptions, ProcessNumber, ProxyNumber, ServerNumber, Timer};

use super::super::ctx::Ctx;
use super::super::fetch::request_date_us;
use super::super::uri;
use super::{Writer, date, is_header_special, is_url_special};

pub(super) fn write(alias: LfAlias, opts: LfOptions, ctx: &Ctx<'_>, w: &mut Writer<'_>) {
    let progress = &ctx.progress;
    let client = &ctx.client;
    let slots = if has_captures(ctx) { ctx.frontend.captures } else { (0, 0) };
    match alias {
        LfAlias::ClientIp => w.peer_ip(client.src, opts),
        LfAlias::ClientPort => w.peer_port(client.src, client.listener_id, opts),
        LfAlias::FrontendIp => w.peer_ip(client.dst, opts),
        LfAlias::FrontendPort => w.peer_port(client.dst, client.listener_id, opts),
        LfAlias::BackendIp => w.peer_ip(ctx.server.and_then(|s| s.bc_src), opts),
        LfAlias::BackendPort => w.peer_port(ctx.server.and_then(|s| s.bc_src), 0, opts),
        LfAlias::ServerIp => w.peer_ip(ctx.server.and_then(|s| s.bc_dst), opts),
        LfAlias::ServerPort => w.peer_port(ctx.server.and_then(|s| s.bc_dst), 0, opts),
        LfAlias::AcceptDate => date::with_millis(w, client.accept_us, ctx.clock.zone),
        LfAlias::RequestDate => date::with_millis(w, request_date_us(ctx), ctx.clock.zone),
        LfAlias::AcceptDateUtc => date::with_zone(w, client.accept_us, &TimeZone::UTC),
        LfAlias::RequestDateUtc => date::with_zone(w, request_date_us(ctx), &TimeZone::UTC),
        LfAlias::AcceptDateLocal => date::with_zone(w, client.accept_us, ctx.clock.zone),
        LfAlias::RequestDateLocal => date::with_zone(w, request_date_us(ctx), ctx.clock.zone),
        LfAlias::AcceptTimestamp => {
            w.hex_or(u64::try_from(client.accept_us.div_euclid(1_000_000)).unwrap_or(0), 4, opts);
        }
        LfAlias::AcceptMillis => {
            let ms = client.accept_us.div_euclid(1000).rem_euclid(1000);
            if opts.hex { w.display(format_args!("{ms:02X}")) } else { w.display(format_args!("{ms:03}")) }
        }
        LfAlias::Frontend => w.text(ctx.frontend.name.as_bytes(), opts),
        LfAlias::FrontendTransport => {
            quoted(w, opts, |w| {
                w.escaped(ctx.frontend.name.as_bytes(), opts);
                if client.tls {
                    w.raw(b"~");
                }
            });
        }
        LfAlias::Backend => w.text(ctx.backend.name.as_bytes(), opts),
        LfAlias::Server => w.text(ctx.server.map_or(ctx.no_server, |s| s.name).as_bytes(), opts),
        LfAlias::Timer(timer) => {
            early_mark(ctx, matches!(timer, Timer::Active | Timer::Total | Timer::User), w);
            w.number(progress.timers.get(timer, ctx.backend.http));
        }
        LfAlias::Status => w.number(progress.status),
        LfAlias::BytesRead => {
            early_mark(ctx, true, w);
            w.number(progress.bytes_out);
        }
        LfAlias::BytesUploaded => w.number(progress.bytes_in),
        LfAlias::RequestCookie => w.text(progress.request_cookie.unwrap_or_default(), opts),
        LfAlias::ResponseCookie => w.text(progress.response_cookie.unwrap_or_default(), opts),
        LfAlias::TermState => w.raw(&progress.term[..2]),
        LfAlias::TermStateCookie => w.raw(&progress.term),
        LfAlias::ActiveConnections => w.number(ctx.live.process(ProcessNumber::Connections)),
        LfAlias::FrontendConnections => {
            w.number(ctx.live.proxy(ctx.frontend.idx, ProxyNumber::FrontendConnections));
        }
        LfAlias::BackendConnections => {
            w.number(ctx.live.proxy(ctx.backend.idx, ProxyNumber::BackendConnections));
        }
        LfAlias::ServerConnections => {
            w.number(ctx.server.map_or(0, |server| {
                ctx.live.server(ctx.backend.idx, server.index, ServerNumber::Connections)
            }))
        }
        LfAlias::Retries => {
            if progress.redispatched {
                w.raw(b"+");
            }
            w.number(progress.retries);
        }
        LfAlias::ServerQueue => w.number(progress.server_queue),
        LfAlias::BackendQueue => w.number(progress.backend_queue),
        LfAlias::RequestHeaders => headers(w, opts, slots.0, &ctx.captures.request),
        LfAlias::ResponseHeaders => headers(w, opts, slots.1, &ctx.captures.response),
        LfAlias::RequestHeaderList => header_list(w, opts, slots.0, &ctx.captures.request),
        LfAlias::ResponseHeaderList => header_list(w, opts, slots.1, &ctx.captures.response),
        LfAlias::RequestLine => {
            w.quoted_encoded(progress.request_line.unwrap_or(BAD_REQUEST), is_url_special, opts);
        }
        LfAlias::HttpMethod
        | LfAlias::HttpPath
        | LfAlias::HttpPathOnly
        | LfAlias::HttpQuery
        | LfAlias::HttpUri
        | LfAlias::HttpVersion => {
            let part = progress.request_line.and_then(|line| part(alias, line)).unwrap_or(BAD_REQUEST);
            w.quoted_encoded(part, is_url_special, opts);
        }
        LfAlias::RequestCounter => w.hex_or(progress.request_counter, 4, opts),
        LfAlias::LogCounter => w.hex_or(progress.log_counter, 4, opts),
        LfAlias::Hostname => w.text(ctx.process.hostname.as_bytes(), opts),
        LfAlias::Pid => w.hex_or(ctx.process.pid.into(), 4, opts),
        LfAlias::UniqueId => w.text(progress.unique_id.unwrap_or_default(), opts),
        // Every connection is clear so far.
        LfAlias::TlsCipher | LfAlias::TlsVersion => w.text(b"", opts),
        LfAlias::Origin => w.text(progress.origin.as_bytes(), opts),
        LfAlias::Nothing => {}
    }
}

/// What was no request had nothing to capture from.
pub(super) fn has_captures(ctx: &Ctx<'_>) -> bool {
    // One that is refused before its line is looked at is a request.
    !ctx.frontend.http || ctx.progress.request_line.is_some() || ctx.progress.links.stream
}

const BAD_REQUEST: &[u8] = b"<BADREQ>";

fn early_mark(ctx: &Ctx<'_>, applies: bool, w: &mut Writer<'_>) {
    if ctx.progress.early && applies {
        w.raw(b"+");
    }
}

fn quoted(w: &mut Writer<'_>, opts: LfOptions, inside: impl FnOnce(&mut Writer<'_>)) {
    if opts.quote {
        w.raw(b"\"");
    }
    inside(w);
    if opts.quote {
        w.raw(b"\"");
    }
}

/// `{a|b|c}`; nothing where the frontend captures nothing.
fn headers(w: &mut Writer<'_>, opts: LfOptions, declared: usize, captures: &[Option<Box<[u8]>>]) {
    if declared == 0 {
        return;
    }
    quoted(w, opts, |w| {
        w.raw(b"{");
        for slot in 0..declared {
            if slot > 0 {
                w.raw(b"|");
            }
            if let Some(Some(value)) = captures.get(slot) {
                w.encoded(value, b'#', is_header_special, opts);
            }
        }
        w.raw(b"}");
    });
}

/// `a b c`, each in quotes if asked, `-` for what was not captured.
fn header_list(w: &mut Writer<'_>, opts: LfOptions, declared: usize, captures: &[Option<Box<[u8]>>]) {
    for slot in 0..declared {
        if slot > 0 {
            w.raw(b" ");
        }
        match captures.get(slot) {
            Some(Some(value)) => w.quoted_encoded(value, is_header_special, opts),
            _ if opts.quote => w.raw(b"\"\""),
            _ => w.raw(b"-"),
        }
    }
}

/// A part of a request line. The line is as received, so it may have any number of blanks between its words.
fn part(alias: LfAlias, line: &[u8]) -> Option<&[u8]> {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let word_end = |text: &[u8]| text.iter().position(blank).unwrap_or(text.len());
    let skip = |text: &'_ [u8]| text.iter().position(|b| !blank(b)).unwrap_or(text.len());
    let method_end = word_end(line);
    if alias == LfAlias::HttpQuery {
        let start = memchr::memchr(b'?', line).unwrap_or(line.len());
        return Some(&line[start..start + word_end(&line[start..])]);
    }
    if method_end == line.len() {
        return None;
    }
    let rest = &line[method_end..];
    let rest = &rest[skip(rest)..];
    let target = &rest[..word_end(rest)];
    match alias {
        LfAlias::HttpMethod => Some(&line[..method_end]),
        LfAlias::HttpUri => Some(target),
        LfAlias::HttpPath => Some(uri::until(target, b'?')),
        LfAlias::HttpPathOnly => Some(uri::path(target).unwrap_or_default()),
        LfAlias::HttpVersion => {
            let version = &rest[target.len()..];
            let version = &version[skip(version)..];
            Some(if version.is_empty() { b"HTTP/0.9" } else { version })
        }
        _ => None,
    }
}
