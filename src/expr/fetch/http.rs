//! Layer 7: first lines, headers, parameters, bodies, captures.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;

use smallvec::SmallVec;

use crate::http::token::unquoted;
use crate::ir::expr::{Dir, Fetch, HdrArg};

use super::super::ctx::{Buffered, Ctx, Head, Peer};
use super::super::sample::{Bytes, Sample, leading_int, leading_ipv4, message_int, push_display};
use super::super::uri;
use super::{ABSENT, Fetched, Missing, head, line};

/// HAProxy looks back over so many values for a negative occurrence.
const MAX_HISTORY: usize = 10;

pub(super) fn one<'a>(fetch: &'a Fetch, ctx: &Ctx<'a>) -> Fetched<'a> {
    match fetch {
        Fetch::Hdr(dir, arg) => occurrence(head(*dir, ctx)?, arg, false).map(Sample::text).ok_or(ABSENT),
        Fetch::FullHdr(dir, arg) => occurrence(head(*dir, ctx)?, arg, true).map(Sample::text).ok_or(ABSENT),
        Fetch::HdrIp(dir, arg) => {
            occurrence(head(*dir, ctx)?, arg, false).and_then(header_ip).map(Sample::ip).ok_or(ABSENT)
        }
        Fetch::HdrInt(dir, arg) => {
            occurrence(head(*dir, ctx)?, arg, false).map(|v| Sample::Int(message_int(v))).ok_or(ABSENT)
        }
        Fetch::HdrCount(dir, name) => count(head(*dir, ctx)?, name.as_deref(), false),
        Fetch::FullHdrCount(dir, name) => count(head(*dir, ctx)?, name.as_deref(), true),
        Fetch::HdrNames(dir, delim) => Ok(names(head(*dir, ctx)?, *delim)),
        Fetch::HdrsBin(dir) => Ok(binary_lines(head(*dir, ctx)?)),
        Fetch::Hdrs(dir) => Ok(lines(head(*dir, ctx)?)),
        Fetch::Method => Ok(Sample::Meth(Bytes::Ref(line(Dir::Req, ctx)?.method()))),
        Fetch::Url => Ok(Sample::text(head(Dir::Req, ctx)?.uri())),
        Fetch::Path => uri::path(head(Dir::Req, ctx)?.uri()).map(Sample::text).ok_or(ABSENT),
        Fetch::PathQ => uri::path_and_query(head(Dir::Req, ctx)?.uri()).map(Sample::text).ok_or(ABSENT),
        Fetch::Query => uri::query(head(Dir::Req, ctx)?.uri()).map(Sample::text).ok_or(ABSENT),
        Fetch::Base => base(head(Dir::Req, ctx)?, false),
        Fetch::BaseQ => base(head(Dir::Req, ctx)?, true),
        Fetch::Base32 => Ok(Sample::Int(base32(head(Dir::Req, ctx)?))),
        Fetch::Url32 => Ok(Sample::Int(url32(head(Dir::Req, ctx)?))),
        Fetch::Base32Src => with_source(base32(head(Dir::Req, ctx)?), ctx),
        Fetch::Url32Src => with_source(url32(head(Dir::Req, ctx)?), ctx),
        Fetch::UrlIp => url_host(head(Dir::Req, ctx)?.uri()).map(|(ip, _)| Sample::Ipv4(ip)).ok_or(ABSENT),
        Fetch::UrlPort => {
            url_host(head(Dir::Req, ctx)?.uri()).map(|(_, port)| Sample::Int(port.into())).ok_or(ABSENT)
        }
        Fetch::UrlParam { .. } | Fetch::UrlParamInt { .. } | Fetch::BodyParam(..) => {
            let mut found = Err(ABSENT);
            each_param(fetch, ctx, &mut |sample| {
                found = Ok(sample);
                ControlFlow::Break(())
            })?;
            found
        }
        Fetch::Version(dir) => version(line(*dir, ctx)?),
        Fetch::Status => Ok(Sample::Int(head(Dir::Res, ctx)?.status().into())),
        // Once there is a response the request has left.
        Fetch::ProtoHttp if ctx.response.is_some() => Err(ABSENT),
        Fetch::ProtoHttp => head(Dir::Req, ctx).map(|_| Sample::Bool(true)),
        Fetch::FirstRequest => Ok(Sample::Bool(ctx.client.first_request)),
        Fetch::Body(dir) => {
            head(*dir, ctx)?;
            Ok(Sample::Bin(Bytes::Ref(buffered(*dir, ctx).data)))
        }
        Fetch::BodyLen(dir) => {
            head(*dir, ctx)?;
            Ok(int(buffered(*dir, ctx).data.len()))
        }
        Fetch::BodySize(dir) => {
            head(*dir, ctx)?;
            let body = buffered(*dir, ctx);
            let size = body.announced.unwrap_or(body.data.len() as u64 + body.coming);
            Ok(Sample::Int(i64::try_from(size).unwrap_or(i64::MAX)))
        }
        Fetch::Capture(dir, slot) => {
            let slots = match dir {
                Dir::Req => &ctx.captures.request,
                Dir::Res => &ctx.captures.response,
            };
            slots.get(*slot).and_then(|v| v.as_deref()).map(Sample::text).ok_or(ABSENT)
        }
        Fetch::CaptureMethod => {
            let line = ctx.progress.request_line.ok_or(ABSENT)?;
            Ok(Sample::text(uri::until(line, b' ')))
        }
        Fetch::CaptureUri => {
            let target = ctx.progress.request_line.ok_or(ABSENT)?.split(|b| *b == b' ').nth(1);
            uri::path_and_query(target.ok_or(ABSENT)?).map(Sample::text).ok_or(ABSENT)
        }
        Fetch::CaptureVersion(dir) => {
            let head = line(*dir, ctx)?;
            // Only these two are told apart.
            let version = if head.version() >= (1, 1) { "HTTP/1.1" } else { "HTTP/1.0" };
            Ok(Sample::text(version.as_bytes()))
        }
        _ => Err(ABSENT),
    }
}

fn int(n: usize) -> Sample<'static> {
    Sample::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn buffered<'a>(dir: Dir, ctx: &Ctx<'a>) -> Buffered<'a> {
    match dir {
        Dir::Req => ctx.request_data,
        Dir::Res => ctx.response_data,
    }
}

fn version(head: &dyn Head) -> Fetched<'static> {
    let (major, minor) = head.version();
    if (major, minor) == (0, 0) {
        return Err(ABSENT);
    }
    let mut out = Bytes::Own(SmallVec::new());
    push_display(out.to_mut(), format_args!("{major}.{minor}"));
    Ok(Sample::Str(out))
}

/// Every value of the headers called `name` (all headers without one): whole lines, or split at commas that
/// are not inside quotes.
pub(crate) fn header_values<'a>(
    head: &'a dyn Head,
    name: Option<&'a [u8]>,
    full: bool,
) -> impl Iterator<Item = &'a [u8]> {
    let mut next = 0;
    let lines = std::iter::from_fn(move || {
        let index = match name {
            Some(name) => head.find(name, next)?,
            None if next < head.header_count() => next,
            None => return None,
        };
        next = index + 1;
        Some(head.header(index).1)
    });
    lines.flat_map(move |line| ListValues { rest: Some(line), full })
}

struct ListValues<'a> {
    rest: Option<&'a [u8]>,
    full: bool,
}

impl<'a> Iterator for ListValues<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        if self.full {
            return Some(rest.trim_ascii());
        }
        let end = unquoted(rest, b",");
        // A comma at the very end is followed by one more, empty value.
        self.rest = rest.get(end + 1..);
        Some(rest[..end].trim_ascii())
    }
}

fn occurrence<'a>(head: &'a dyn Head, arg: &'a HdrArg, full: bool) -> Option<&'a [u8]> {
    let mut values = header_values(head, Some(arg.name.as_deref()?), full);
    match arg.occurrence {
        0 => values.last(),
        n if n > 0 => values.nth(usize::try_from(n).ok()? - 1),
        n => {
            let back = usize::try_from(n.unsigned_abs()).ok()?;
            if back > MAX_HISTORY {
                return None;
            }
            let mut history: SmallVec<[&[u8]; MAX_HISTORY]> = SmallVec::new();
            for value in values {
                if history.len() == back {
                    history.remove(0);
                }
                history.push(value);
            }
            (history.len() == back).then(|| history[0])
        }
    }
}

pub(super) fn each_header<'a>(
    fetch: &'a Fetch,
    ctx: &Ctx<'a>,
    f: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>,
) -> Result<(), Missing> {
    let (dir, arg, full) = match fetch {
        Fetch::Hdr(dir, arg) | Fetch::HdrIp(dir, arg) | Fetch::HdrInt(dir, arg) => (dir, arg, false),
        Fetch::FullHdr(dir, arg) => (dir, arg, true),
        _ => return Err(ABSENT),
    };
    // Only counts may do without a name.
    let name = arg.name.as_deref().ok_or(ABSENT)?;
    let mut found = false;
    for value in header_values(head(*dir, ctx)?, Some(name), full) {
        let sample = match fetch {
            Fetch::HdrIp(..) => match header_ip(value) {
                Some(ip) => Sample::ip(ip),
                None => continue,
            },
            Fetch::HdrInt(..) => Sample::Int(message_int(value)),
            _ => Sample::text(value),
        };
        found = true;
        if f(sample).is_break() {
            break;
        }
    }
    if found { Ok(()) } else { Err(ABSENT) }
}

fn count<'a>(head: &'a dyn Head, name: Option<&'a [u8]>, full: bool) -> Fetched<'a> {
    Ok(int(header_values(head, name, full).count()))
}

/// An address as `X-Forwarded-For` has it: IPv4 with or without a port, IPv6 (brackets as RFC 7239 has them).
fn header_ip(value: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(value).ok()?;
    if let Some((ip, len)) = leading_ipv4(value) {
        let port = text[len..].strip_prefix(':').map(str::parse::<u16>);
        return (len == text.len() || matches!(port, Some(Ok(_)))).then_some(IpAddr::V4(ip));
    }
    let inner = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    inner.unwrap_or(text).parse().ok().map(IpAddr::V6)
}

fn names(head: &dyn Head, delim: u8) -> Sample<'static> {
    let mut out = SmallVec::new();
    for i in 0..head.header_count() {
        if i > 0 {
            out.push(delim);
        }
        // As the message model of HAProxy keeps them.
        out.extend(head.header(i).0.iter().map(u8::to_ascii_lowercase));
    }
    Sample::Str(Bytes::Own(out))
}

fn lines(head: &dyn Head) -> Sample<'static> {
    let mut out = SmallVec::new();
    for i in 0..head.header_count() {
        let (name, value) = head.header(i);
        out.extend(name.iter().map(u8::to_ascii_lowercase));
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Sample::Str(Bytes::Own(out))
}

/// Names and values, each behind its length; an empty pair ends them.
fn binary_lines(head: &dyn Head) -> Sample<'static> {
    let mut out: SmallVec<[u8; 64]> = SmallVec::new();
    let mut push = |text: &[u8], lower: bool| {
        push_length(&mut out, text.len());
        out.extend(text.iter().map(|b| if lower { b.to_ascii_lowercase() } else { *b }));
    };
    for i in 0..head.header_count() {
        let (name, value) = head.header(i);
        push(name, true);
        push(value, false);
    }
    push(b"", false);
    push(b"", false);
    Sample::Bin(Bytes::Own(out))
}

/// HAProxy's variable integer: below 240 one byte; else its low four bits under ones, and seven bits a byte.
fn push_length(out: &mut SmallVec<[u8; 64]>, len: usize) {
    #[allow(clippy::cast_possible_truncation, reason = "the low bits are meant")]
    let byte = |n: usize| n as u8;
    if len < 240 {
        return out.push(byte(len));
    }
    out.push(byte(len) | 240);
    let mut rest = (len - 240) >> 4;
    while rest >= 128 {
        out.push(byte(rest) | 128);
        rest = (rest - 128) >> 7;
    }
    out.push(byte(rest));
}

fn first_host(head: &dyn Head) -> Option<&[u8]> {
    let index = head.find(b"host", 0)?;
    let value = head.header(index).1;
    let host = value[..unquoted(value, b",")].trim_ascii();
    (!host.is_empty()).then_some(host)
}

/// The first Host value and the path (and query).
fn base(head: &dyn Head, with_query: bool) -> Fetched<'_> {
    let path = if with_query { uri::path_and_query(head.uri()) } else { uri::path(head.uri()) };
    let Some(host) = first_host(head) else { return path.map(Sample::text).ok_or(ABSENT) };
    let path = path.filter(|p| p.first() == Some(&b'/')).unwrap_or(b"");
    let mut out = SmallVec::with_capacity(host.len() + path.len());
    out.extend_from_slice(host);
    out.extend_from_slice(path);
    Ok(Sample::Str(Bytes::Own(out)))
}

fn sdbm(hash: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(hash, |h, b| h.wrapping_mul(65599).wrapping_add(u32::from(*b)))
}

fn base32(head: &dyn Head) -> i64 {
    let mut hash = head.find(b"host", 0).map_or(0, |i| {
        let value = head.header(i).1;
        sdbm(0, value[..unquoted(value, b",")].trim_ascii())
    });
    if let Some(path) = uri::path(head.uri()).filter(|p| p.first() == Some(&b'/')) {
        hash = sdbm(hash, path);
    }
    crate::balance::hash::avalanche(hash).into()
}

/// A hash in network order and the client's address: the key under which stick tables keep one client's use of one target.
fn with_source<'a>(hash: i64, ctx: &Ctx<'_>) -> Fetched<'a> {
    let source = ctx.client.src.and_then(Peer::ip).ok_or(ABSENT)?;
    let mut out = SmallVec::new();
    out.extend_from_slice(&(hash as u32).to_be_bytes());
    match source.ip() {
        IpAddr::V4(addr) => out.extend_from_slice(&addr.octets()),
        IpAddr::V6(addr) => out.extend_from_slice(&addr.octets()),
    }
    Ok(Sample::Bin(Bytes::Own(out)))
}

fn url32(head: &dyn Head) -> i64 {
    let hash = first_host(head).map_or(0, |host| sdbm(0, host));
    let path = uri::path_and_query(head.uri()).unwrap_or(b"");
    crate::balance::hash::avalanche(sdbm(hash, path)).into()
}

/// IPv4 address and port of an absolute target; port 80 (443 for https) where it has none. `None`: it names no such host.
fn url_host(target: &[u8]) -> Option<(Ipv4Addr, u16)> {
    let authority = uri::authority(target)?;
    let default = if target.starts_with(b"https://") { 443 } else { 80 };
    let host = uri::until(authority, b':');
    let port =
        authority.get(host.len() + 1..).map_or(default, |p| u16::try_from(leading_int(p)).unwrap_or(0));
    Some((std::str::from_utf8(host).ok()?.parse().ok()?, port))
}

pub(super) fn each_param<'a>(
    fetch: &'a Fetch,
    ctx: &Ctx<'a>,
    f: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>,
) -> Result<(), Missing> {
    let (list, name, delim, ignore_case): (&'a [u8], _, _, _) = match fetch {
        Fetch::UrlParam { name, delim, ignore_case } | Fetch::UrlParamInt { name, delim, ignore_case } => {
            let target = head(Dir::Req, ctx)?.uri();
            let start = memchr::memchr(*delim, target).ok_or(ABSENT)? + 1;
            (&target[start..], name, *delim, *ignore_case)
        }
        Fetch::BodyParam(name, ignore_case) => {
            head(Dir::Req, ctx)?;
            (ctx.request_data.data, name, b'&', *ignore_case)
        }
        _ => return Err(ABSENT),
    };
    let separators = [b'&', b';', delim];
    let mut found = false;
    let mut rest = Some(list);
    while let Some(here) = rest {
        let end = here.iter().position(|b| separators.contains(b)).unwrap_or(here.len());
        rest = here.get(end + 1..);
        let pair = &here[..end];
        let Some(equal) = memchr::memchr(b'=', pair) else { continue };
        let same = |name: &[u8]| match ignore_case {
            true => name.eq_ignore_ascii_case(&pair[..equal]),
            false => *name == pair[..equal],
        };
        if !name.as_deref().is_none_or(same) {
            continue;
        }
        found = true;
        let value = &pair[equal + 1..];
        let sample = match fetch {
            Fetch::UrlParamInt { .. } => Sample::Int(message_int(value)),
            Fetch::BodyParam(..) => Sample::Bin(Bytes::Ref(value)),
            _ => Sample::text(value),
        };
        if f(sample).is_break() {
            break;
        }
    }
    if found { Ok(()) } else { Err(ABSENT) }
}
