//! Converters: what is done to a sample (manual, 7.3.1). One file per kind.

mod aes;
mod encode;
mod fix;
pub(crate) mod forwarded;
mod json;
mod jwt;
mod map;
mod mqtt;
mod number;
mod packet;
mod protobuf;
mod text;
mod time;

use crate::ir::ProxyIdx;
use crate::ir::expr::{
    Conv, Dir, ForwardedKind, JwtAlgorithm, Operand, PacketField, SampleType, Scope, ServerNumber, Text,
    Value, VarName, When,
};

use super::ctx::Ctx;
use super::fetch::{self, Missing};
use super::sample::{Bytes, Sample};

pub use fix::tag_of as fix_tag;
pub use jwt::public_key;
pub use map::{Found, found as map_found, lookup as map_lookup, numbers as map_numbers};
pub use mqtt::field_of as mqtt_field;
pub(crate) use text::expand;

/// What a converter wants and yields. `Any` output means: as its input, or known only when evaluated.
#[must_use]
pub fn types(conv: &Conv) -> (SampleType, SampleType) {
    use SampleType as T;
    match conv {
        Conv::Lower
        | Conv::Upper
        | Conv::UrlDec { .. }
        | Conv::UrlEnc
        | Conv::Field { .. }
        | Conv::Word { .. }
        | Conv::RegSub { .. }
        | Conv::Concat { .. }
        | Conv::AddItem { .. }
        | Conv::HostOnly
        | Conv::LTrim(_)
        | Conv::RTrim(_)
        | Conv::CutCrlf
        | Conv::Param(..)
        | Conv::Reverse
        | Conv::ReverseDom
        | Conv::Language(..)
        | Conv::Json(_) => (T::Str, T::Str),
        Conv::Length | Conv::HexToInt | Conv::PortOnly | Conv::NbSrv | Conv::Strcmp(_) => (T::Str, T::Int),
        Conv::Hex
        | Conv::Base64
        | Conv::UrlBase64
        | Conv::Base2
        | Conv::Be2Dec(..)
        | Conv::Le2Dec(..)
        | Conv::Be2Hex(..)
        | Conv::MqttField(..) => (T::Bin, T::Str),
        Conv::Base64Dec | Conv::UrlBase64Dec => (T::Str, T::Bin),
        Conv::Bytes(..) | Conv::Digest(_) | Conv::Hmac(..) => (T::Bin, T::Bin),
        Conv::FixTag(_) | Conv::Aes(_) | Conv::Protobuf { .. } => (T::Bin, T::Bin),
        Conv::Hash(..) | Conv::Xxh(..) | Conv::JwtVerify(..) => (T::Bin, T::Int),
        Conv::SecureCompare(_) | Conv::HasCtl(_) | Conv::FixIsValid | Conv::MqttIsValid => (T::Bin, T::Bool),
        Conv::JwtQuery { .. } => (T::Bin, T::Any),
        Conv::FromHttpDate | Conv::ServerQueue => (T::Str, T::Int),
        Conv::FrontendExists | Conv::ServerIsUp => (T::Str, T::Bool),
        Conv::Capture(..) => (T::Str, T::Str),
        Conv::Forwarded(kind) => match kind {
            ForwardedKind::IsValid => (T::Str, T::Bool),
            ForwardedKind::NodeName | ForwardedKind::NodePort => (T::Str, T::Any),
            ForwardedKind::MakeName | ForwardedKind::MakePort => (T::Any, T::Str),
            _ => (T::Str, T::Str),
        },
        // The sample passes as it is.
        Conv::When { .. } | Conv::SetVar(..) | Conv::UnsetVar(_) | Conv::Debug => (T::Any, T::Any),
        Conv::Packet(field) => match field {
            PacketField::EthData
            | PacketField::EthDst
            | PacketField::EthHdr
            | PacketField::EthSrc
            | PacketField::IpData
            | PacketField::IpFingerprint(_)
            | PacketField::IpHdr
            | PacketField::TcpOptions => (T::Bin, T::Bin),
            PacketField::IpSrc | PacketField::IpDst => (T::Bin, T::Addr),
            _ => (T::Bin, T::Int),
        },
        Conv::IpMask { .. } => (T::Addr, T::Addr),
        Conv::Arith(..) | Conv::Complement | Conv::Negate => (T::Int, T::Int),
        Conv::Not | Conv::Bool | Conv::Odd | Conv::Even => (T::Int, T::Bool),
        Conv::Iif(..) => (T::Bool, T::Str),
        Conv::LocalTime(..) | Conv::UtcTime(..) | Conv::HttpDate(..) => (T::Int, T::Str),
        Conv::Htonl => (T::Int, T::Bin),
        Conv::JsonQuery { .. } => (T::Str, T::Any),
        Conv::Map(map) => map::types(map),
    }
}

/// Is the result of these converters final even if the input may still grow? They say themselves when they need
/// more.
#[must_use]
pub fn settles(convs: &[Conv]) -> bool {
    convs.iter().any(|conv| {
        matches!(conv, Conv::FixIsValid | Conv::FixTag(_) | Conv::MqttIsValid | Conv::MqttField(..))
    })
}

/// Applies one converter.
///
/// # Errors
/// If the sample has no value any more, or needs more data for one.
pub fn apply<'a>(conv: &'a Conv, sample: Sample<'a>, ctx: &Ctx<'a>) -> Result<Sample<'a>, Missing> {
    let absent = Missing::Absent;
    match conv {
        Conv::Bytes(offset, length) => {
            // Text stays text, and may be read as a number later.
            let is_text = matches!(sample, Sample::Str(_) | Sample::Meth(_));
            let bytes = sample.cast(SampleType::Bin).ok_or(absent)?.into_bin();
            let part = part(bytes, offset, length.as_ref(), ctx)?;
            return Ok(if is_text { Sample::Str(part) } else { Sample::Bin(part) });
        }
        Conv::FixIsValid | Conv::FixTag(_) | Conv::MqttIsValid | Conv::MqttField(..) => {
            let bytes = sample.cast(SampleType::Bin).ok_or(absent)?.into_bin();
            let result = match conv {
                Conv::FixIsValid => fix::is_valid(&bytes).map(Sample::Bool),
                Conv::FixTag(tag) => fix::value(&bytes, *tag).map(|v| Sample::Bin(Bytes::copy(v))),
                Conv::MqttField(packet, field) => mqtt::value(&bytes, *packet, *field).map(Sample::Str),
                _ => mqtt::is_valid(&bytes).map(Sample::Bool),
            };
            return match result {
                Err(Missing::NotYet) if ctx.is_final => Err(absent),
                result => result,
            };
        }
        _ => {}
    }
    value(conv, sample, ctx).ok_or(absent)
}

/// `bytes`: what is not there yet may come.
fn part<'a>(
    bytes: Bytes<'a>,
    offset: &Operand,
    length: Option<&Operand>,
    ctx: &Ctx<'a>,
) -> Result<Bytes<'a>, Missing> {
    let number = |op| operand(op, ctx).and_then(|n| usize::try_from(n).ok()).ok_or(Missing::Absent);
    let start = number(offset)?;
    if start >= bytes.len() {
        let end = bytes.len();
        return if ctx.is_final { Ok(bytes.slice(end..end)) } else { Err(Missing::NotYet) };
    }
    let rest = bytes.len() - start;
    let length = match length.map(number).transpose()? {
        None => rest,
        Some(length) if length > rest && !ctx.is_final => return Err(Missing::NotYet),
        Some(length) => length.min(rest),
    };
    Ok(bytes.slice(start..start + length))
}

/// Does the condition of `when` hold?
fn holds(cond: &When, ctx: &Ctx<'_>) -> bool {
    let here = !matches!(ctx.no_server, "<NOSRV>") || ctx.progress.term[0] == b'L';
    match cond {
        When::Error => {
            let who = ctx.progress.term[0];
            ctx.progress.redispatched
                || !matches!(who, b'-' | b'L')
                || (who == b'-' && ctx.progress.retries > 0)
                || (ctx.frontend.http && ctx.progress.status >= 500)
        }
        When::Forwarded => ctx.server.is_some(),
        When::ToApplet => here,
        When::Processed => here || ctx.server.is_some(),
        When::Stopping => ctx.live.process(crate::ir::expr::ProcessNumber::Stopping) != 0,
        When::Acl(acl) => super::cond::acl(acl, ctx) == super::cond::Decision::True,
    }
}

fn value<'a>(conv: &'a Conv, sample: Sample<'a>, ctx: &Ctx<'a>) -> Option<Sample<'a>> {
    let sample = sample.cast(types(conv).0)?;
    match conv {
        Conv::Forwarded(ForwardedKind::MakeName) => forwarded::make_name(sample),
        Conv::Forwarded(ForwardedKind::MakePort) => forwarded::make_port(sample),
        Conv::FrontendExists => Some(Sample::Bool(ctx.live.has_frontend(&sample.into_text()))),
        Conv::ServerIsUp => {
            let (backend, server) = server(&sample.into_text(), ctx)?;
            Some(Sample::Bool(ctx.live.server(backend, server, ServerNumber::IsUp) != 0))
        }
        Conv::ServerQueue => {
            let (backend, server) = server(&sample.into_text(), ctx)?;
            Some(Sample::Int(ctx.live.server(backend, server, ServerNumber::Queue)))
        }
        Conv::Capture(dir, slot) => {
            let (request, response) = ctx.frontend.captures;
            if *slot >= if *dir == Dir::Req { request } else { response } || !ctx.progress.has_stream() {
                return None;
            }
            let text = sample.into_text();
            ctx.captures.defer(*dir, *slot, &text);
            Some(Sample::Str(text))
        }
        Conv::Forwarded(kind) => forwarded::apply(*kind, &sample.into_text()),
        Conv::Protobuf { grpc, path, kind } => protobuf::query(&sample.into_bin(), *grpc, path, *kind),
        Conv::Aes(aes) => aes::apply(aes, &sample.into_bin(), ctx),
        Conv::Packet(field) => packet::apply(*field, &sample.into_bin()),
        Conv::FromHttpDate => time::from_http_date(&sample.into_text()).map(Sample::Int),
        Conv::JwtQuery { payload, path, as_int } => {
            jwt::query(&sample.into_bin(), *payload, path.as_deref(), *as_int)
        }
        Conv::JwtVerify(JwtAlgorithm::Text(algorithm), key) => {
            let algorithm = literal(algorithm, ctx)?;
            jwt::verify(&sample.into_bin(), &algorithm, key, ctx).map(Sample::Int)
        }
        Conv::When { negated, cond } => (holds(cond, ctx) != *negated).then_some(sample),
        Conv::SetVar(name, conds) => {
            let value = sample.to_value();
            let old = fetch::variable(name, ctx);
            let allowed =
                fetch::has_scope(name, ctx) && super::vars::allows(conds, name, &value, old.as_ref());
            if allowed {
                set_var(name, Some(value), ctx);
            }
            allowed.then_some(sample)
        }
        Conv::UnsetVar(name) => {
            let is_there = fetch::has_scope(name, ctx);
            if is_there {
                set_var(name, None, ctx);
            }
            is_there.then_some(sample)
        }
        Conv::Debug => Some(sample),
        Conv::Map(m) => map::apply(m, sample),
        Conv::Json(input) => json::encode(*input, &sample.into_text()).map(Sample::Str),
        Conv::JsonQuery { path, as_int } => json::query(path, *as_int, &sample.into_text()),
        Conv::LocalTime(format, offset, unit) => {
            time::in_format(sample.as_int()?, format, *offset, *unit, Some(ctx.clock.zone))
        }
        Conv::UtcTime(format, offset, unit) => {
            time::in_format(sample.as_int()?, format, *offset, *unit, None)
        }
        Conv::HttpDate(offset, unit) => time::http_date(sample.as_int()?, *offset, *unit),
        Conv::Hex
        | Conv::HexToInt
        | Conv::Base64
        | Conv::Base64Dec
        | Conv::UrlBase64
        | Conv::UrlBase64Dec
        | Conv::UrlDec { .. }
        | Conv::UrlEnc
        | Conv::Hash(..)
        | Conv::Digest(_)
        | Conv::Hmac(..)
        | Conv::Be2Dec(..)
        | Conv::Be2Hex(..)
        | Conv::Le2Dec(..)
        | Conv::Base2
        | Conv::HasCtl(_)
        | Conv::Xxh(..)
        | Conv::Htonl => encode::apply(conv, sample, ctx),
        Conv::Arith(..)
        | Conv::Complement
        | Conv::Negate
        | Conv::Not
        | Conv::Bool
        | Conv::Odd
        | Conv::Even
        | Conv::IpMask { .. } => number::apply(conv, sample, ctx),
        conv => text::apply(conv, sample, ctx),
    }
}

/// Applies converters in order.
///
/// # Errors
/// If the sample loses its value on the way, or needs more data for one.
pub fn chain<'a>(convs: &'a [Conv], sample: Sample<'a>, ctx: &Ctx<'a>) -> Result<Sample<'a>, Missing> {
    convs.iter().try_fold(sample, |sample, conv| apply(conv, sample, ctx))
}

/// The server that is called `NAME` or `BACKEND/NAME`.
fn server(name: &[u8], ctx: &Ctx<'_>) -> Option<(ProxyIdx, u32)> {
    match memchr::memchr(b'/', name) {
        Some(slash) => ctx.live.server_by_name(Some(&name[..slash]), &name[slash + 1..]),
        None => ctx.live.server_by_name(None, name),
    }
}

fn operand(operand: &Operand, ctx: &Ctx<'_>) -> Option<i64> {
    match operand {
        Operand::Int(i) => Some(*i),
        Operand::Var(name) => fetch::variable(name, ctx)?.as_int(),
    }
}

fn text_of<'a>(name: &VarName, ctx: &Ctx<'a>) -> Option<Bytes<'a>> {
    Some(fetch::variable(name, ctx)?.cast(SampleType::Str)?.into_text())
}

fn literal<'a>(text: &'a Text, ctx: &Ctx<'a>) -> Option<Bytes<'a>> {
    match text {
        Text::Literal(bytes) => Some(Bytes::Ref(bytes)),
        Text::Var(name) => text_of(name, ctx),
    }
}

/// Sets or forgets a variable in the middle of an evaluation.
fn set_var(name: &VarName, value: Option<Value>, ctx: &Ctx<'_>) {
    if name.scope == Scope::Proc { ctx.live.set_proc_var(name, value) } else { ctx.vars.defer(name, value) }
}
