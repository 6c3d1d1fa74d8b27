//! Sample fetches: where values come from.
//!
//! [`one`] yields the value that an expression uses; [`each`] yields every value that an ACL tries, because
//! `hdr(host)` in a condition speaks of any of the header's values. One file per layer.

mod auth;
mod conn;
mod cookie;
mod dump;
mod events;
mod http;
mod htx;
mod payload;

use std::ops::ControlFlow;

use crate::ir::ProxyIdx;
use crate::ir::expr::{Dir, ErrorForm, Fetch, HtxPart, LastRule, ProxyRef, SampleType, TimeUnit};

use super::ctx::{Ctx, Head};
use super::sample::{Bytes, Sample, push_display};

pub(crate) use http::header_values;

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// There is none.
    Absent,
    /// More data may bring one.
    NotYet,
}

/// A value, or why not.
pub type Fetched<'a> = Result<Sample<'a>, Missing>;

const ABSENT: Missing = Missing::Absent;

/// The value of a fetch.
///
/// # Errors
/// If it has none (yet).
pub fn one<'a>(fetch: &'a Fetch, ctx: &Ctx<'a>) -> Fetched<'a> {
    match fetch {
        Fetch::Const(value) => Ok(Sample::of(value)),
        Fetch::Absent => Err(ABSENT),
        _ if !ctx.progress.has_stream() && needs_stream(fetch) => Err(ABSENT),
        // Of a scope that there is not at the moment no variable is missing.
        Fetch::Var(name, default) => {
            let default = default.as_ref().filter(|_| has_scope(name, ctx));
            variable(name, ctx).or_else(|| default.map(Sample::of)).ok_or(ABSENT)
        }
        Fetch::DumpVars { scope, prefix, delimiter } => Ok(dump::variables(ctx, *scope, prefix, delimiter)),
        Fetch::Never => Err(ABSENT),
        Fetch::StreamId(side) => events::stream_id(*side, ctx),
        Fetch::DebugStr(side, layers) => events::debug(*side, *layers, ctx),
        Fetch::TermEvents => events::all(ctx),
        Fetch::IsHtx => Ok(Sample::Bool(ctx.frontend.http)),
        Fetch::Htx(dir, number) => htx::number(*dir, *number, ctx),
        Fetch::HtxEom(dir) => htx::is_whole(*dir, ctx),
        Fetch::HtxBlock(dir, part, block) => htx::block(*dir, *part, *block, ctx),
        Fetch::Cost(number) => Ok(Sample::Int(ctx.live.cost(*number))),
        Fetch::Date(offset, unit) => Ok(Sample::Int(date(ctx.clock.now_us, *unit, *offset))),
        Fetch::DateMicros => Ok(Sample::Int(ctx.clock.now_us.rem_euclid(1_000_000))),
        Fetch::AcceptDate(unit) => Ok(Sample::Int(date(ctx.client.accept_us, *unit, 0))),
        Fetch::RequestDate(unit) => Ok(Sample::Int(date(request_date_us(ctx), *unit, 0))),
        Fetch::Rand(range) => Ok(Sample::Int(random(ctx.live.random(), *range))),
        Fetch::Uuid => Ok(uuid(ctx, None)),
        Fetch::Uuid7 => Ok(uuid(ctx, u64::try_from(ctx.clock.now_us / 1000).ok())),
        Fetch::Thread => Ok(Sample::Int(ctx.process.thread.into())),
        Fetch::Pid => Ok(Sample::Int(ctx.process.pid.into())),
        Fetch::Process(number) => Ok(numeric(fetch, ctx.live.process(*number))),
        Fetch::Proxy(proxy, number) => Ok(Sample::Int(ctx.live.proxy(resolve(*proxy, ctx), *number))),
        Fetch::Server(server, number) => {
            let proxy = resolve(server.proxy, ctx);
            Ok(numeric(fetch, ctx.live.server(proxy, server.index, *number)))
        }
        Fetch::Addr(_)
        | Fetch::Port(_)
        | Fetch::IsLocal(_)
        | Fetch::ListenerConnections
        | Fetch::FrontendName
        | Fetch::FrontendId
        | Fetch::FrontendDefaultBackend
        | Fetch::BackendName
        | Fetch::BackendId
        | Fetch::ServerName
        | Fetch::ServerId
        | Fetch::ListenerName
        | Fetch::ListenerId
        | Fetch::ReceivedProxy
        | Fetch::ProxyTlv(_)
        | Fetch::ServerReused
        | Fetch::MaxRetries(_)
        | Fetch::Tcp { .. }
        | Fetch::SavedSyn
        | Fetch::QueuedBefore(_)
        | Fetch::FrontHttpMajor
        | Fetch::BackHttpMajor
        | Fetch::Timeout(_)
        | Fetch::IsTls(_)
        | Fetch::Retries
        | Fetch::Redispatched
        | Fetch::Bytes(_)
        | Fetch::TermState
        | Fetch::Timer(_)
        | Fetch::LastRule(_)
        | Fetch::ServerStatus
        | Fetch::TransactionStatus
        | Fetch::ClientError(_)
        | Fetch::ServerError(_)
        | Fetch::TransactionId
        | Fetch::PriorityClass
        | Fetch::PriorityOffset
        | Fetch::UniqueId => conn::one(fetch, ctx),
        Fetch::WaitEnd
        | Fetch::BufferLen(_)
        | Fetch::Payload(..)
        | Fetch::PayloadLv { .. }
        | Fetch::Distcc { .. }
        | Fetch::TlsHelloType(_)
        | Fetch::TlsHelloSni
        | Fetch::TlsHelloVersion
        | Fetch::TlsHelloAlpn
        | Fetch::TlsHelloEcExt
        | Fetch::TlsHelloList(_)
        | Fetch::TlsHelloTicket
        | Fetch::RdpCookie(_)
        | Fetch::RdpCookieCount(_) => payload::one(fetch, ctx),
        Fetch::HttpAuth(_)
        | Fetch::HttpAuthGroup(_)
        | Fetch::HttpAuthUser
        | Fetch::HttpAuthPass
        | Fetch::HttpAuthType
        | Fetch::HttpAuthBearer(_) => auth::one(fetch, ctx),
        Fetch::Cook(..) | Fetch::CookCount(..) | Fetch::CookInt(..) | Fetch::CookNames(..) => {
            cookie::one(fetch, ctx)
        }
        Fetch::Acls(terms) => acls(terms, ctx),
        _ => http::one(fetch, ctx),
    }
}

/// Gives every value of a fetch to `f` until it breaks.
///
/// # Errors
/// If there was no value (yet).
pub fn each<'a>(
    fetch: &'a Fetch,
    ctx: &Ctx<'a>,
    f: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>,
) -> Result<(), Missing> {
    match fetch {
        Fetch::Hdr(_, arg) | Fetch::FullHdr(_, arg) | Fetch::HdrIp(_, arg) | Fetch::HdrInt(_, arg)
            if arg.occurrence == 0 =>
        {
            http::each_header(fetch, ctx, f)
        }
        Fetch::Cook(dir, name) | Fetch::CookInt(dir, name) => {
            cookie::each(*dir, name.as_deref(), matches!(fetch, Fetch::CookInt(..)), ctx, f)
        }
        Fetch::UrlParam { .. } | Fetch::UrlParamInt { .. } | Fetch::BodyParam(..) => {
            http::each_param(fetch, ctx, f)
        }
        Fetch::HttpAuthGroup(list) => auth::each_group(list, ctx, f),
        fetch => {
            let _ = f(one(fetch, ctx)?);
            Ok(())
        }
    }
}

/// May the value still change as more data comes?
#[must_use]
pub fn may_change(fetch: &Fetch, ctx: &Ctx<'_>) -> bool {
    let buffered = match fetch {
        Fetch::BufferLen(Dir::Req) | Fetch::Payload(Dir::Req, _, 0) => &ctx.request_data,
        Fetch::BufferLen(Dir::Res) | Fetch::Payload(Dir::Res, _, 0) => &ctx.response_data,
        _ => return false,
    };
    !ctx.is_final && !buffered.complete
}

/// A number, or a boolean where the fetch is of that type.
fn numeric(fetch: &Fetch, number: i64) -> Sample<'static> {
    if type_of(fetch) == SampleType::Bool { Sample::Bool(number != 0) } else { Sample::Int(number) }
}

/// The type that a fetch yields; `Any` where it depends on the request.
#[must_use]
pub fn type_of(fetch: &Fetch) -> SampleType {
    match fetch {
        Fetch::Const(value) => Sample::of(value).kind(),
        Fetch::Var(..) => SampleType::Any,
        Fetch::Addr(_) | Fetch::HdrIp(..) => SampleType::Addr,
        Fetch::UrlIp => SampleType::Ipv4,
        Fetch::IsLocal(_)
        | Fetch::ReceivedProxy
        | Fetch::IsTls(_)
        | Fetch::WaitEnd
        | Fetch::ProtoHttp
        | Fetch::TlsHelloEcExt
        | Fetch::HttpAuth(_)
        | Fetch::FirstRequest
        | Fetch::Acls(_)
        | Fetch::ServerReused
        | Fetch::IsHtx
        | Fetch::HtxEom(_)
        | Fetch::Redispatched => SampleType::Bool,
        Fetch::Process(crate::ir::expr::ProcessNumber::Stopping)
        | Fetch::Server(_, crate::ir::expr::ServerNumber::IsUp) => SampleType::Bool,
        Fetch::Payload(..)
        | Fetch::PayloadLv { .. }
        | Fetch::Distcc { body: true, .. }
        | Fetch::Body(_)
        | Fetch::BodyParam(..)
        | Fetch::TlsHelloList(_)
        | Fetch::Base32Src
        | Fetch::Url32Src
        | Fetch::HdrsBin(_)
        | Fetch::Hdrs(_)
        | Fetch::HtxBlock(_, HtxPart::Data, _) => SampleType::Bin,
        Fetch::HtxBlock(_, HtxPart::Size, _) => SampleType::Int,
        Fetch::Method => SampleType::Meth,
        Fetch::Uuid
        | Fetch::FrontendName
        | Fetch::FrontendDefaultBackend
        | Fetch::BackendName
        | Fetch::ServerName
        | Fetch::ListenerName
        | Fetch::ProxyTlv(_)
        | Fetch::TlsHelloSni
        | Fetch::TlsHelloAlpn
        | Fetch::RdpCookie(_)
        | Fetch::Version(_)
        | Fetch::Url
        | Fetch::Path
        | Fetch::PathQ
        | Fetch::Query
        | Fetch::Base
        | Fetch::BaseQ
        | Fetch::UrlParam { .. }
        | Fetch::Hdr(..)
        | Fetch::FullHdr(..)
        | Fetch::HdrNames(..)
        | Fetch::Cook(..)
        | Fetch::CookNames(..)
        | Fetch::Uuid7
        | Fetch::DumpVars { .. }
        | Fetch::LastRule(LastRule::File | LastRule::Both | LastRule::Waiting)
        | Fetch::ClientError(ErrorForm::Name | ErrorForm::Text)
        | Fetch::ServerError(ErrorForm::Name | ErrorForm::Text)
        | Fetch::HttpAuthGroup(_)
        | Fetch::HttpAuthUser
        | Fetch::HttpAuthPass
        | Fetch::HttpAuthType
        | Fetch::HttpAuthBearer(_)
        | Fetch::Capture(..)
        | Fetch::CaptureMethod
        | Fetch::CaptureUri
        | Fetch::CaptureVersion(_)
        | Fetch::UniqueId
        | Fetch::DebugStr(..)
        | Fetch::TermEvents
        | Fetch::HtxBlock(..)
        | Fetch::TermState
        | Fetch::Absent => SampleType::Str,
        _ => SampleType::Int,
    }
}

/// Whether there are variables of this scope at the moment.
pub(crate) fn has_scope(name: &crate::ir::expr::VarName, ctx: &Ctx<'_>) -> bool {
    use crate::ir::expr::Scope;
    let of_stream = matches!(name.scope, Scope::Txn | Scope::Req | Scope::Res);
    ctx.vars.has(name.scope) && (ctx.progress.has_stream() || !of_stream)
}

/// Whether it tells of a stream, which there is none of where no request came.
fn needs_stream(fetch: &Fetch) -> bool {
    use crate::ir::expr::TimeoutName;
    match fetch {
        Fetch::Timeout(name) => !matches!(name, TimeoutName::FeClient | TimeoutName::FeTarpit),
        Fetch::BackendName
        | Fetch::BackendId
        | Fetch::PriorityClass
        | Fetch::PriorityOffset
        | Fetch::FirstRequest
        | Fetch::Version(_)
        | Fetch::CaptureVersion(_)
        | Fetch::Retries
        | Fetch::Redispatched
        | Fetch::ServerStatus
        | Fetch::TransactionStatus => true,
        _ => false,
    }
}

/// A variable of any scope, as a sample.
pub(crate) fn variable<'a>(name: &crate::ir::expr::VarName, ctx: &Ctx<'a>) -> Option<Sample<'a>> {
    if let Some(value) = ctx.vars.just_set(name) {
        return value.map(|value| owned(&value));
    }
    if name.scope == crate::ir::expr::Scope::Proc {
        return ctx.live.proc_var(name).map(|value| owned(&value));
    }
    ctx.vars.get(name).map(Sample::of)
}

/// A sample that borrows nothing.
fn owned(value: &crate::ir::expr::Value) -> Sample<'static> {
    match Sample::of(value) {
        Sample::Str(s) => Sample::Str(Bytes::copy(&s)),
        Sample::Bin(s) => Sample::Bin(Bytes::copy(&s)),
        Sample::Meth(s) => Sample::Meth(Bytes::copy(&s)),
        Sample::Bool(b) => Sample::Bool(b),
        Sample::Int(i) => Sample::Int(i),
        Sample::Ipv4(a) => Sample::Ipv4(a),
        Sample::Ipv6(a) => Sample::Ipv6(a),
    }
}

/// The proxy meant.
pub(crate) fn resolve(proxy: ProxyRef, ctx: &Ctx<'_>) -> ProxyIdx {
    match proxy {
        ProxyRef::CurrentFrontend => ctx.frontend.idx,
        ProxyRef::CurrentBackend => ctx.backend.idx,
        ProxyRef::Named(idx) => idx,
    }
}

/// The head of a message. Of a request that is gone HAProxy keeps nothing but what [`line`] is asked for.
///
/// # Errors
/// `NotYet` while it may still come.
pub(crate) fn head<'a>(dir: Dir, ctx: &Ctx<'a>) -> Result<&'a dyn Head, Missing> {
    if dir == Dir::Req && ctx.progress.links.request_gone {
        return Err(ABSENT);
    }
    line(dir, ctx)
}

/// The head for its method and its version, which are never gone.
fn line<'a>(dir: Dir, ctx: &Ctx<'a>) -> Result<&'a dyn Head, Missing> {
    let head = match dir {
        Dir::Req => ctx.request,
        Dir::Res => ctx.response,
    };
    let never = ctx.is_final || dir == Dir::Req && ctx.not_http;
    head.ok_or(if never { Missing::Absent } else { Missing::NotYet })
}

/// When the request started: the connection's date plus handshake and idle time.
pub(crate) fn request_date_us(ctx: &Ctx<'_>) -> i64 {
    let timers = &ctx.progress.timers;
    let before = if timers.idle >= 0 { timers.idle + timers.handshake } else { 0 };
    ctx.client.accept_us + before * 1000
}

fn date(us: i64, unit: TimeUnit, offset: i64) -> i64 {
    let value = match unit {
        TimeUnit::Seconds => us.div_euclid(1_000_000),
        TimeUnit::Milliseconds => us.div_euclid(1000),
        TimeUnit::Microseconds => us,
    };
    value.saturating_add(offset)
}

fn random(bits: u64, range: Option<u32>) -> i64 {
    let low = bits & 0xffff_ffff;
    let value = match range {
        // The high half of the product is uniform over 0..range.
        Some(range) => (low * u64::from(range)) >> 32,
        None => low,
    };
    i64::try_from(value).unwrap_or(0)
}

/// Do all of the ACLs hold?
fn acls<'a>(terms: &[crate::ir::expr::Term], ctx: &Ctx<'a>) -> Fetched<'a> {
    use super::cond::Decision;
    for term in terms {
        match super::cond::acl(&term.acl, ctx) {
            Decision::NotYet if !ctx.is_final => return Err(Missing::NotYet),
            decision if (decision == Decision::True) == term.negated => return Ok(Sample::Bool(false)),
            _ => {}
        }
    }
    Ok(Sample::Bool(true))
}

/// RFC 9562: version 4, or version 7 with a time in milliseconds.
fn uuid(ctx: &Ctx<'_>, time: Option<u64>) -> Sample<'static> {
    let bits = (u128::from(ctx.live.random()) << 64) | u128::from(ctx.live.random());
    let (bits, version) = match time {
        Some(ms) => ((u128::from(ms) << 80) | (bits & (u128::MAX >> 48)), 0x7),
        None => (bits, 0x4),
    };
    let bits = bits & !(0xf << 76) | (version << 76);
    let bits = bits & !(0x3 << 62) | (0x2 << 62);
    let mut out = Bytes::Own(smallvec::SmallVec::new());
    let part = |shift: u32, mask: u128| (bits >> shift) & mask;
    push_display(
        out.to_mut(),
        format_args!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            part(96, 0xffff_ffff),
            part(80, 0xffff),
            part(64, 0xffff),
            part(48, 0xffff),
            part(0, 0xffff_ffff_ffff),
        ),
    );
    Sample::Str(out)
}
