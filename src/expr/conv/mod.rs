//! Converters: what is done to a sample (manual, 7.3.1). One file per kind.

mod encode;
mod json;
mod map;
mod number;
mod text;
mod time;

use crate::ir::expr::{Conv, Operand, SampleType, Text, VarName};

use super::ctx::Ctx;
use super::fetch;
use super::sample::{Bytes, Sample};

pub use map::lookup as map_lookup;
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
        Conv::Hex | Conv::Base64 | Conv::UrlBase64 | Conv::Be2Dec(..) | Conv::Be2Hex(..) => (T::Bin, T::Str),
        Conv::Base64Dec | Conv::UrlBase64Dec => (T::Str, T::Bin),
        Conv::Bytes(..) | Conv::Digest(_) | Conv::Hmac(..) => (T::Bin, T::Bin),
        Conv::Hash(..) => (T::Bin, T::Int),
        Conv::SecureCompare(_) => (T::Bin, T::Bool),
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

/// Applies one converter. `None`: the sample has no value any more.
#[must_use]
pub fn apply<'a>(conv: &'a Conv, sample: Sample<'a>, ctx: &Ctx<'a>) -> Option<Sample<'a>> {
    let sample = sample.cast(types(conv).0)?;
    match conv {
        Conv::Map(m) => map::apply(m, sample),
        Conv::Json(input) => json::encode(*input, &sample.into_text()).map(Sample::Str),
        Conv::JsonQuery { path, as_int } => json::query(path, *as_int, &sample.into_text()),
        Conv::LocalTime(format, offset, unit) => {
            time::local(sample.as_int()?, format, *offset, *unit, ctx.clock.zone)
        }
        Conv::UtcTime(format, offset, unit) => {
            time::local(sample.as_int()?, format, *offset, *unit, &jiff::tz::TimeZone::UTC)
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
#[must_use]
pub fn chain<'a>(convs: &'a [Conv], sample: Sample<'a>, ctx: &Ctx<'a>) -> Option<Sample<'a>> {
    convs.iter().try_fold(sample, |sample, conv| apply(conv, sample, ctx))
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
