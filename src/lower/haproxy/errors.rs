//! `errorfile`, `errorloc`, `errorfiles`.

use std::sync::Arc;

use tandem_parser::diagnostic::Reason;
use tandem_parser::haproxy::Statement;

use super::context::{Context, span_at};
use super::http_errors::Pages;
use crate::ir::Proxy;

/// Statuses that have an error page.
const CODES: &[u16] = &[
    200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 414, 421, 422, 425, 429, 431, 500, 501, 502, 503, 504,
];

/// A later error page takes the place of an earlier `http-error` of the same status.
pub(super) fn forget_replies(line: &Statement, rules: &mut Vec<&Statement>) {
    let codes: Vec<&str> = match line.name() {
        "errorfile" | "errorloc" | "errorloc302" | "errorloc303" => line.text(0).into_iter().collect(),
        "errorfiles" => line.words(1).iter().map(|word| word.text()).collect(),
        _ => return,
    };
    let replaced = |rule: &Statement| {
        let words = rule.words(0);
        let status = words.iter().position(|word| word == "status").and_then(|at| words.get(at + 1));
        status.is_some_and(|status| codes.contains(&status.text()))
    };
    rules.retain(|rule| rule.name() != "http-error" || !replaced(rule));
}

/// Applies one line.
pub(super) fn apply(context: &mut Context<'_>, line: &Statement, pages: &Pages, proxy: &mut Proxy) -> bool {
    match line.name() {
        "errorfile" => {
            if let Some((code, page)) = file(context, line) {
                set_page(proxy, code, page);
            }
        }
        "errorfiles" => from_section(context, line, pages, proxy),
        "errorloc" | "errorloc302" => location(context, line, proxy, 302),
        "errorloc303" => location(context, line, proxy, 303),
        _ => return false,
    }
    true
}

/// Reads one `errorfile` line.
pub(super) fn file(context: &mut Context<'_>, line: &Statement) -> Option<(u16, Arc<[u8]>)> {
    let code = code(context, line)?;
    let path = line.text(1)?;
    let page = context.read("errorfile", path, span_at(line, 1))?;
    Some((code, page.into()))
}

fn code(context: &mut Context<'_>, line: &Statement) -> Option<u16> {
    let code: u16 = line.number(0)?;
    if !CODES.contains(&code) {
        let message = format!("{} : status code '{code}' not handled.", line.name());
        context.alert(Reason::InvalidValue, span_at(line, 0), message);
        return None;
    }
    Some(code)
}

fn set_page(proxy: &mut Proxy, code: u16, page: Arc<[u8]>) {
    proxy.errorlocs.retain(|(other, ..)| *other != code);
    proxy.errorfiles.retain(|(other, _)| *other != code);
    proxy.errorfiles.push((code, page));
}

fn location(context: &mut Context<'_>, line: &Statement, proxy: &mut Proxy, redirect: u16) {
    let (Some(code), Some(url)) = (code(context, line), line.text(1)) else { return };
    proxy.errorfiles.retain(|(other, _)| *other != code);
    proxy.errorlocs.retain(|(other, ..)| *other != code);
    proxy.errorlocs.push((code, redirect, url.to_owned()));
}

fn from_section(context: &mut Context<'_>, line: &Statement, pages: &Pages, proxy: &mut Proxy) {
    let Some(name) = line.text(0) else { return };
    let Some(section) = pages.get(name) else {
        let message = format!("errorfiles : unable to find http-errors section '{name}'.");
        return context.alert(Reason::UnknownReference, span_at(line, 0), message);
    };
    let mut wanted = Vec::new();
    for word in line.words(1) {
        match word.parse::<u16>() {
            Ok(code) if CODES.contains(&code) => wanted.push(code),
            _ => {
                let message = format!("errorfiles : status code '{word}' not handled.");
                context.alert(Reason::InvalidValue, word.span, message);
            }
        }
    }
    for (code, page) in section {
        if line.words(1).is_empty() || wanted.contains(code) {
            set_page(proxy, *code, page.clone());
        }
    }
}
