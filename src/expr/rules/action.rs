//! Actions that every rule set shares.

use std::time::Duration;

use crate::ir::expr::{Dir, Expr, LogFormat, SampleType, Scope, Value, VarCond, VarName};
use crate::ir::reference::Deed;
use crate::ir::rules::{CommonAction, IntSource, Resolve};
use crate::ir::text::text_of;

use super::super::ctx::Ctx;
use super::super::{Sample, eval, fetch, logformat, vars};
use super::{Effect, Session};

pub(super) fn common(action: &CommonAction, session: &mut dyn Session, scratch: &mut Vec<u8>) {
    match action {
        CommonAction::SetVar(name, expr, conds) => {
            let value = eval(expr, &session.ctx()).ok().map(|sample| sample.to_value());
            if let Some(value) = value {
                set_if(name, value, conds, session);
            }
        }
        CommonAction::SetVarFmt(name, format, conds) => {
            scratch.clear();
            logformat::render(format, &session.ctx(), scratch);
            set_if(name, Value::Str(scratch.as_slice().into()), conds, session);
        }
        CommonAction::UnsetVar(name) => set(name, None, session),
        CommonAction::SetLogLevel(level) => session.effect(Effect::LogLevel(*level)),
        CommonAction::SetNice(nice) => session.effect(Effect::Nice(*nice)),
        CommonAction::SetTos(source) => tag(source, session, |tos| Effect::Tos(tos as u8)),
        CommonAction::SetMark(source) => tag(source, session, |mark| Effect::Mark(mark as u32)),
        CommonAction::SetServerTos(source) => tag(source, session, |tos| Effect::ServerTos(tos as u8)),
        CommonAction::SetServerMark(source) => tag(source, session, |mark| Effect::ServerMark(mark as u32)),
        CommonAction::SetRetries(source) => {
            // More than a hundred is never reached in the time a client waits.
            if let Some(n) = narrow(number(source, session)).filter(|n| *n <= 100) {
                session.effect(Effect::Retries(n));
            }
        }
        CommonAction::SetSrc(expr) => {
            if let Some(ip) = cast(expr, SampleType::Addr, &session.ctx()).and_then(|s| s.as_ip()) {
                session.effect(Effect::Src(ip));
            }
        }
        CommonAction::SetDst(expr) => {
            if let Some(ip) = cast(expr, SampleType::Addr, &session.ctx()).and_then(|s| s.as_ip()) {
                session.effect(Effect::Dst(ip));
            }
        }
        CommonAction::SetSrcPort(expr) => {
            if let Some(port) = narrow(int(expr, session)) {
                session.effect(Effect::SrcPort(port));
            }
        }
        CommonAction::SetDstPort(expr) => {
            if let Some(port) = narrow(int(expr, session)) {
                session.effect(Effect::DstPort(port));
            }
        }
        CommonAction::SetPriorityClass(expr) => {
            if let Some(n) = int(expr, session) {
                session.effect(Effect::PriorityClass(clamped(n, 2047)));
            }
        }
        CommonAction::BandwidthLimit { filter, limit, period } => {
            let limit = limit.as_ref().and_then(|limit| narrow(number(limit, session)));
            let period = period.as_ref().and_then(|period| millis(period, session));
            let effect = Effect::BandwidthLimit(
                filter,
                limit.filter(|limit| *limit > 0).unwrap_or(filter.limit),
                period.unwrap_or(filter.period),
            );
            session.effect(effect);
        }
        CommonAction::DoLog(profile) => session.effect(Effect::Log(profile.as_deref())),
        CommonAction::SetPriorityOffset(expr) => {
            if let Some(n) = int(expr, session) {
                session.effect(Effect::PriorityOffset(clamped(n, 524_287)));
            }
        }
        CommonAction::AddPattern(list, key) => {
            let key = text(key, session);
            session.effect(Effect::Patterns(list, &key, Deed::Add));
        }
        CommonAction::DeletePattern(list, key) => {
            let key = text(key, session);
            session.effect(Effect::Patterns(list, &key, Deed::Delete));
        }
        CommonAction::SetPattern(list, key, value) => {
            let (key, value) = (text(key, session), text(value, session));
            session.effect(Effect::Patterns(list, &key, Deed::Set(&value)));
        }
    }
}

fn text(format: &LogFormat, session: &dyn Session) -> String {
    let mut out = Vec::new();
    logformat::render(format, &session.ctx(), &mut out);
    text_of(&out)
}

fn clamped(value: i64, limit: i64) -> i32 {
    i32::try_from(value.clamp(-limit, limit)).unwrap_or(0)
}

pub(super) fn cast<'a>(expr: &'a Expr, to: SampleType, ctx: &Ctx<'a>) -> Option<Sample<'a>> {
    eval(expr, ctx).ok()?.cast(to)
}

/// Milliseconds that were written or are computed now; nothing if there are none.
pub(super) fn millis(source: &IntSource, session: &dyn Session) -> Option<Duration> {
    narrow(number(source, session)).filter(|ms| *ms > 0).map(Duration::from_millis)
}

/// The host that a `do-resolve` is about.
pub(super) fn host(resolve: &Resolve, session: &dyn Session) -> Option<String> {
    let name = cast(&resolve.host, SampleType::Str, &session.ctx())?.into_text();
    String::from_utf8(name.to_vec()).ok()
}

/// A number that was written or is computed now.
pub(super) fn number(source: &IntSource, session: &dyn Session) -> Option<i64> {
    match source {
        IntSource::Const(n) => Some(*n),
        IntSource::Expr(expr) => int(expr, session),
    }
}

/// Types of service and marks, of which the low bits count, as in HAProxy.
fn tag(source: &IntSource, session: &mut dyn Session, effect: impl FnOnce(i64) -> Effect<'static>) {
    if let Some(number) = number(source, session) {
        session.effect(effect(number));
    }
}

/// A value that does not fit is none.
fn narrow<T: TryFrom<i64>>(value: Option<i64>) -> Option<T> {
    T::try_from(value?).ok()
}

fn int(expr: &Expr, session: &dyn Session) -> Option<i64> {
    cast(expr, SampleType::Int, &session.ctx())?.as_int()
}

fn set_if(name: &VarName, value: Value, conds: &[VarCond], session: &mut dyn Session) {
    let allowed = conds.is_empty() || {
        let ctx = session.ctx();
        vars::allows(conds, name, &value, fetch::variable(name, &ctx).as_ref())
    };
    if allowed {
        set(name, Some(value), session);
    }
}

fn set(name: &VarName, value: Option<Value>, session: &mut dyn Session) {
    if name.scope == Scope::Proc {
        return session.effect(Effect::ProcVar(name, value));
    }
    match value {
        Some(value) => session.vars().set(name, value),
        None => session.vars().unset(name),
    }
}

/// Keeps the first `len` bytes of an expression in a capture slot.
pub(super) fn capture(expr: &Expr, dir: Dir, slot: usize, len: usize, session: &mut dyn Session) {
    let kept = cast(expr, SampleType::Str, &session.ctx()).map(|sample| {
        let text = sample.into_text();
        Box::<[u8]>::from(&text[..text.len().min(len)])
    });
    let Some(kept) = kept else { return };
    let captures = session.captures();
    let slots = match dir {
        Dir::Req => &mut captures.request,
        Dir::Res => &mut captures.response,
    };
    if slots.len() <= slot {
        slots.resize(slot + 1, None);
    }
    slots[slot] = Some(kept);
}
