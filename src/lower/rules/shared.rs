//! Actions that every list knows.

use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::value::strtol;

use super::super::expr::{Language, LfUse, Read, var_cond};
use super::cursor::{Cursor, time};
use super::later::named;
use crate::ir::expr::VarName;
use crate::ir::log::Severity;
use crate::ir::reference::Named;
use crate::ir::rules::{CommonAction as C, IntSource, Resolve};

/// Reads a shared action; outer `None`: `name` is none of them.
pub(super) fn read(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Option<Read<C>> {
    let (name, inside) = cursor.action_parts();
    Some(match name {
        "set-var" | "set-var-fmt" | "unset-var" => variable(language, cursor, name, inside),
        "set-log-level" => level(language, cursor).map(C::SetLogLevel),
        "set-nice" => nice(language, cursor).map(C::SetNice),
        "set-tos" | "set-fc-tos" => tos(language, cursor).map(C::SetTos),
        "set-mark" | "set-fc-mark" => mark(language, cursor).map(C::SetMark),
        "set-bc-tos" => tos(language, cursor).map(C::SetServerTos),
        "set-bc-mark" => mark(language, cursor).map(C::SetServerMark),
        "set-retries" if language.owner.frontend && !language.owner.backend => {
            let message = "'set-retries' only available in backend or listen section.";
            language.alert(Reason::NotAllowedHere, cursor.action().span, message)
        }
        "set-retries" => number(language, cursor, "a number of retries (0..100)", 100).map(C::SetRetries),
        "set-src" => cursor.expr(language).map(C::SetSrc),
        "set-src-port" => cursor.expr(language).map(C::SetSrcPort),
        "set-dst" => cursor.expr(language).map(C::SetDst),
        "set-dst-port" => cursor.expr(language).map(C::SetDstPort),
        "set-bandwidth-limit" => bandwidth_limit(language, cursor),
        "do-log" => do_log(language, cursor),
        "set-priority-class" => cursor.expr(language).map(C::SetPriorityClass),
        "set-priority-offset" => cursor.expr(language).map(C::SetPriorityOffset),
        "add-acl" | "del-acl" | "del-map" | "set-map" => patterns(language, cursor, name, inside),
        _ => return None,
    })
}

/// `set-nice N`.
fn nice(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<i32> {
    if cursor.peek().is_some_and(|word| word.parse::<i64>().is_err()) {
        // HAProxy reads what is no number as zero.
        return cursor.take().map(|_| 0);
    }
    let nice = ranged(language, cursor, "a value between -1024 and 1024", -1024, 1024)?;
    if nice < 0 {
        let message = "'set-nice' with a negative value has no effect: no session goes before others.";
        language.say(Diagnostic::warning(Reason::NoEffect, cursor.line, message));
    }
    i32::try_from(nice).ok()
}

/// `set-bandwidth-limit FILTER [limit BYTES|EXPR] [period TIME|EXPR]`.
fn bandwidth_limit(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<C> {
    let name = cursor.next(language, "the name of a bandwidth limitation filter")?;
    let (mut limit, mut period) = (None, None);
    loop {
        if cursor.eat("limit") {
            limit = Some(size(language, cursor)?);
        } else if cursor.eat("period") {
            period = Some(duration(language, cursor)?);
        } else {
            break;
        }
    }
    let filter = language.owner.idx.and_then(|proxy| language.world.bandwidth_limit(proxy, name));
    match filter {
        Some(filter) => Some(C::BandwidthLimit { filter, limit, period }),
        None => {
            let message =
                format!("unable to find bwlim filter '{name}' referenced by set-bandwidth-limit rule");
            language.alert(Reason::UnknownReference, name.span, message)
        }
    }
}

/// A size that is written, or an expression that yields bytes.
fn size(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<IntSource> {
    let Some(word) = cursor.peek().filter(|word| word.starts_with(|c: char| c.is_ascii_digit())) else {
        return cursor.expr(language).map(IntSource::Expr);
    };
    let Some(size) = tandem_parser::value::size(word).ok().and_then(|size| i64::try_from(size).ok()) else {
        let message = format!("'{}' expects a size or an expression, got '{word}'.", cursor.action());
        return language.alert(Reason::InvalidValue, word.span, message);
    };
    cursor.take();
    Some(IntSource::Const(size))
}

/// A time that is written, or an expression that yields milliseconds.
pub(super) fn duration(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<IntSource> {
    match cursor.peek().and_then(|word| time(word)) {
        Some(time) => {
            cursor.take();
            Some(IntSource::Const(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
        }
        None => cursor.expr(language).map(IntSource::Expr),
    }
}

/// `do-resolve(VAR,RESOLVERS[,ipv4|ipv6]) EXPR`.
pub(super) fn resolve(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<Resolve> {
    let (name, inside) = cursor.action_parts();
    let inside = named(language, cursor, name, inside, "<var>,<resolvers>[,ipv4|ipv6]")?;
    let parts: Vec<&str> = inside.split(',').map(str::trim).collect();
    let span = cursor.action().span;
    let (variable, resolvers, family) = match parts.as_slice() {
        [variable, resolvers, family @ ..] if !resolvers.is_empty() && family.len() < 2 => {
            (variable, *resolvers, family.first())
        }
        _ => {
            let message = "'do-resolve' expects '(<var>,<resolvers>[,ipv4|ipv6])' and an expression.";
            return language.alert(Reason::MissingArgument, span, message);
        }
    };
    let var = language.var_name(variable, span)?;
    let ipv6 = match family.copied() {
        None | Some("ipv6") => true,
        Some("ipv4") => false,
        Some(other) => {
            let message = format!("'do-resolve' supports 'ipv4' and 'ipv6' (got '{other}').");
            return language.alert(Reason::InvalidValue, span, message);
        }
    };
    let host = cursor.expr(language)?;
    if !language.world.resolvers(resolvers) {
        let message = format!("Can't find resolvers section '{resolvers}' for do-resolve action");
        return language.alert(Reason::UnknownReference, span, message);
    }
    Some(Resolve { var, resolvers: resolvers.into(), ipv6, host })
}

fn do_log(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<C> {
    if !cursor.eat("profile") {
        return Some(C::DoLog(None));
    }
    let word = cursor.next(language, "the name of a log profile")?;
    if !language.world.log_profile(word) {
        let message = format!("'do-log' : uses unknown log-profile '{word}'.");
        return language.alert(Reason::UnknownReference, word.span, message);
    }
    Some(C::DoLog(Some(word.text().into())))
}

/// `set-tos N|EXPR`: of the number the low bits count, as the kernel takes them; whether the rest of it fits is not asked.
fn tos(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<IntSource> {
    let long = |value: i128| value.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    written_in_c(language, cursor, long, ("a TOS value", u8::MAX.into()))
}

/// `set-mark N|EXPR`, likewise. The number is read without a sign.
fn mark(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<IntSource> {
    let unsigned = |value: i128| if value.unsigned_abs() <= u64::MAX.into() { value as i64 } else { -1 };
    written_in_c(language, cursor, unsigned, ("a mark", u32::MAX.into()))
}

/// A number in the spelling of C, or what [`number`] takes.
fn written_in_c(
    language: &mut Language<'_>,
    cursor: &mut Cursor<'_>,
    cut: impl Fn(i128) -> i64,
    (what, high): (&str, i64),
) -> Read<IntSource> {
    match cursor.peek().and_then(|word| strtol(word.text())) {
        Some((value, "")) => cursor.take().map(|_| IntSource::Const(cut(value))),
        _ => number(language, cursor, what, high),
    }
}

/// A number that is written, up to `high`, or an expression that yields one.
fn number(language: &mut Language<'_>, cursor: &mut Cursor<'_>, what: &str, high: i64) -> Read<IntSource> {
    if cursor.peek().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit() || c == '-')) {
        return ranged(language, cursor, what, 0, high).map(IntSource::Const);
    }
    cursor.expr(language).map(IntSource::Expr)
}

/// `add-acl(FILE) KEY`, `del-acl`, `del-map`, `set-map(FILE) KEY VALUE`.
fn patterns(
    language: &mut Language<'_>,
    cursor: &mut Cursor<'_>,
    name: &str,
    inside: Option<&str>,
) -> Read<C> {
    let file = named(language, cursor, name, inside, "<file-name>")?;
    let list = Named::new(language.world.references().cloned().unwrap_or_default(), file);
    let key = cursor.format(language, LfUse::Plain)?;
    Some(match name {
        "add-acl" => C::AddPattern(list, key),
        "set-map" => C::SetPattern(list, key, cursor.format(language, LfUse::Plain)?),
        _ => C::DeletePattern(list, key),
    })
}

fn ranged(
    language: &mut Language<'_>,
    cursor: &mut Cursor<'_>,
    what: &str,
    low: i64,
    high: i64,
) -> Read<i64> {
    let word = cursor.peek();
    let value = cursor.int(language, what)?;
    if (low..=high).contains(&value) {
        return Some(value);
    }
    let span = word.map_or(cursor.line, |w| w.span);
    let message = format!("'{}' expects {what}, got '{value}'.", cursor.action());
    language.alert(Reason::OutOfRange, span, message)
}

const EXPECTS: &str = "Expects 'set-var(<var-name>)', 'set-var-fmt(<var-name>)' or 'unset-var(<var-name>)'.";

fn variable(
    language: &mut Language<'_>,
    cursor: &mut Cursor<'_>,
    name: &str,
    inside: Option<&str>,
) -> Read<C> {
    let word = cursor.action();
    let Some(inside) = inside else {
        let message = format!("invalid or incomplete action '{name}'. {EXPECTS}");
        return language.alert(Reason::MissingArgument, word.span, message);
    };
    if !word.ends_with(')') {
        let message = format!("incomplete argument after action '{word}'. {EXPECTS}");
        return language.alert(Reason::Syntax, word.span, message);
    }
    let mut parts = inside.split(',');
    let var: VarName = language.var_name(parts.next().unwrap_or_default(), word.span)?;
    let mut conds = Vec::new();
    // A comma at the end says nothing.
    for condition in parts.filter(|condition| !condition.is_empty()) {
        match var_cond(condition.trim()).filter(|_| name != "unset-var") {
            Some(cond) => conds.push(cond),
            None => {
                let message = format!("unknown condition \"{condition}\".");
                let d = Diagnostic::alert(Reason::InvalidValue, word.span, message);
                let known = "ifexists, ifnotexists, ifempty, ifnotempty, ifset, ifnotset, ifgt, iflt";
                language.say(d.help(format!("there are: {known}")));
                return None;
            }
        }
    }
    match name {
        "set-var" => Some(C::SetVar(var, cursor.expr(language)?, conds)),
        "set-var-fmt" => Some(C::SetVarFmt(var, cursor.format(language, LfUse::Plain)?, conds)),
        _ => Some(C::UnsetVar(var)),
    }
}

fn level(language: &mut Language<'_>, cursor: &mut Cursor<'_>) -> Read<Option<Severity>> {
    const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
    let word = cursor.next(language, "a log level or 'silent'")?;
    if word.text() == "silent" {
        return Some(None);
    }
    match LEVELS.iter().position(|level| *level == word.text()).and_then(|n| u8::try_from(n).ok()) {
        Some(level) => Some(Some(Severity(level))),
        None => {
            let message = format!("'{word}' is no log level.");
            let d = Diagnostic::alert(Reason::InvalidValue, word.span, message);
            language.say(d.help(format!("there are: silent, {}", LEVELS.join(", "))));
            None
        }
    }
}

/// `capture EXPR len N` and `capture EXPR id I`: the slot and its length.
pub(super) fn capture(
    language: &mut Language<'_>,
    cursor: &mut Cursor<'_>,
    response: bool,
) -> Read<(crate::ir::expr::Expr, usize, usize)> {
    let expr = cursor.expr(language)?;
    let word = cursor.next(language, "'len' or 'id'")?;
    let slots = |l: &Language<'_>| if response { l.captures.1.clone() } else { l.captures.0.clone() };
    match word.text() {
        "len" if response => {
            let message = "'capture' of a response expects 'id', the number of a declared slot.";
            language.alert(Reason::NotAllowedHere, word.span, message)
        }
        "len" if !language.owner.frontend => {
            let message = format!("proxy '{}' has no frontend capability.", language.owner.name);
            language.alert(Reason::NotAllowedHere, word.span, message)
        }
        "len" => {
            let len = ranged(language, cursor, "a length", 1, i32::MAX.into())?;
            let len = usize::try_from(len).ok()?;
            language.captures.0.push(len);
            Some((expr, language.captures.0.len() - 1, len))
        }
        "id" => {
            let id = ranged(language, cursor, "the number of a slot", 0, i32::MAX.into())?;
            let id = usize::try_from(id).ok()?;
            let total = if response { language.capture_totals.1 } else { language.capture_totals.0 };
            match slots(language).get(id) {
                Some(len) => Some((expr, id, *len)),
                // Slots belong to the frontend; a backend does not know which one it will serve.
                None if !language.owner.frontend => Some((expr, id, usize::MAX)),
                // A slot of a line further down.
                None if id < total => Some((expr, id, usize::MAX)),
                None => {
                    let message =
                        format!("'capture' : unable to find capture id '{id}' referenced by this rule.");
                    language.alert(Reason::UnknownReference, word.span, message)
                }
            }
        }
        other => {
            let message = format!("'capture' expects 'len' or 'id', got '{other}'.");
            language.alert(Reason::InvalidValue, word.span, message)
        }
    }
}
