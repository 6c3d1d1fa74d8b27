//! Sections that other lines name: each once, and there.
//!
//! These are the sections of what this build has not yet: the text is judged all the same.

use std::collections::HashMap;

use tandem_parser::diagnostic::{Diagnostic, Head, Reason};
use tandem_parser::haproxy::section::{
    BACKEND, CACHE, FCGI_APP, FRONTEND, HTTP_ERRORS, LISTEN, LOG_FORWARD, MAILERS, PEERS,
};
use tandem_parser::haproxy::{Section, Sections, Statement, Tree};
use tandem_parser::lex::Word;
use tandem_parser::span::Span;
use tandem_parser::suggest::nearest;
use tandem_parser::value::{Address, Port};

use super::context::Context;

/// Reports sections of one name, and names without a section.
pub(super) fn check(context: &mut Context<'_>, tree: &Tree) {
    let mut named: HashMap<(Sections, &str), Span> = HashMap::new();
    let single = CACHE | MAILERS | PEERS | HTTP_ERRORS | FCGI_APP | LOG_FORWARD;
    for section in tree.sections.iter().filter(|section| section.kind.bit & single != 0) {
        let Some(name) = &section.name else { continue };
        let Some(first) = named.insert((section.kind.bit, name.text()), section.span) else { continue };
        let message = match section.kind.bit {
            CACHE => format!("Duplicate cache name '{name}'."),
            HTTP_ERRORS => {
                format!("http-errors section '{name}' already exists (declared at {}).", context.spot(first))
            }
            _ => {
                let (kind, spot) = (section.kind.name, context.spot(first));
                format!(
                    "{kind} section '{name}' has the same name as another {kind} section declared at {spot}."
                )
            }
        };
        context.alert(Reason::Duplicate, name.span, message);
    }
    for forward in tree.sections.iter().filter(|section| section.kind.bit == LOG_FORWARD) {
        let same = |other: &&Section| {
            other.kind.bit & (FRONTEND | BACKEND | LISTEN) != 0
                && other.name.as_deref() == forward.name.as_deref()
        };
        if let (Some(name), Some(proxy)) = (&forward.name, tree.sections.iter().find(same)) {
            let (kind, spot) = (proxy.kind.name, context.spot(proxy.span));
            let message = format!(
                "log forward section '{name}' has the same name as {kind} '{name}' declared at {spot}."
            );
            context.alert(Reason::Duplicate, name.span, message);
        }
    }
    for section in &tree.sections {
        ports(context, section);
        for line in section.statements.iter().filter(|line| line.name() == "table") {
            table(context, line, "table", line.settings(1));
        }
        section.statements.iter().for_each(|line| compression(context, line));
        let Some(proxy) =
            section.name.as_ref().filter(|_| section.kind.bit & (FRONTEND | BACKEND | LISTEN) != 0)
        else {
            continue;
        };
        for line in &section.statements {
            match line.name() {
                "stick-table" => table(context, line, "stick-table", line.settings(0)),
                "filter spoe" if !line.settings(0).iter().any(|setting| setting.name() == "config") => {
                    let message = "'filter' : 'spoe' : missing config file";
                    context.alert(Reason::MissingArgument, line.span, message);
                }
                _ => {}
            }
            let Some((what, bit, name, span)) = reference(line, proxy) else { continue };
            let other = |name: &str| section.statements.iter().any(|line| line.name() == name);
            if bit == Some(MAILERS) && !(other("email-alert from") && other("email-alert to")) {
                continue;
            }
            let there = match bit {
                Some(bit) => named.contains_key(&(bit, name)),
                None => context.tables.contains(name),
            };
            if !there {
                let message = match bit {
                    Some(CACHE) => format!(
                        "config: {} '{proxy}': unable to find the cache '{name}' referenced by the filter 'cache'.",
                        section.kind.name
                    ),
                    _ => format!("Proxy '{proxy}': unable to find {what} '{name}'."),
                };
                context.say(Diagnostic::alert(Reason::UnknownReference, span, message).head(Head::Plain));
            }
        }
    }
}

/// Algorithms that responses may be compressed with.
fn compression(context: &mut Context<'_>, line: &Statement) {
    if !matches!(line.name(), "compression algo" | "compression algo-req" | "compression algo-res") {
        return;
    }
    for word in line.words(0) {
        if !matches!(word.text(), "identity" | "gzip" | "deflate" | "raw-deflate") {
            let message = format!("'compression' : '{word}' is not a supported algorithm.");
            let diagnostic = Diagnostic::alert(Reason::InvalidValue, word.span, message);
            let near = nearest(word, ["identity", "gzip", "deflate", "raw-deflate"]);
            context.say(
                near.into_iter().fold(diagnostic, |d, near| {
                    d.help(format!("did you mean '{near}'?")).edit(word.span, near)
                }),
            );
        }
    }
}

/// Addresses that lines of sections without effect need a port in.
fn ports(context: &mut Context<'_>, section: &Section) {
    for line in &section.statements {
        let nth = match (section.kind.bit, line.name()) {
            (MAILERS, "mailer") => 1,
            (LOG_FORWARD, "dgram-bind") => 0,
            _ => continue,
        };
        for address in line.addresses(nth) {
            if let Address::Inet { port: Port::None, .. } = address {
                let written = line.text(nth).unwrap_or_default();
                let message = format!("'{}' : missing port specification in '{written}'", line.name());
                context.alert(Reason::InvalidValue, line.span, message);
            }
        }
    }
}

/// Types of keys.
const KEY_TYPES: &[&str] = &["ip", "ipv4", "ipv6", "integer", "string", "binary"];

/// What an entry may hold: nothing in parentheses, a period, or a number of them.
const STORED: &[(&str, Stored)] = &[
    ("server_id", Stored::Plain),
    ("server_key", Stored::Plain),
    ("gpt0", Stored::Plain),
    ("gpc0", Stored::Plain),
    ("gpc1", Stored::Plain),
    ("conn_cnt", Stored::Plain),
    ("conn_cur", Stored::Plain),
    ("sess_cnt", Stored::Plain),
    ("http_req_cnt", Stored::Plain),
    ("http_err_cnt", Stored::Plain),
    ("http_fail_cnt", Stored::Plain),
    ("bytes_in_cnt", Stored::Plain),
    ("bytes_out_cnt", Stored::Plain),
    ("glitch_cnt", Stored::Plain),
    ("gpc0_rate", Stored::Rate),
    ("gpc1_rate", Stored::Rate),
    ("conn_rate", Stored::Rate),
    ("sess_rate", Stored::Rate),
    ("http_req_rate", Stored::Rate),
    ("http_err_rate", Stored::Rate),
    ("http_fail_rate", Stored::Rate),
    ("bytes_in_rate", Stored::Rate),
    ("bytes_out_rate", Stored::Rate),
    ("glitch_rate", Stored::Rate),
    ("gpt", Stored::Array),
    ("gpc", Stored::Array),
    ("gpc_rate", Stored::RateArray),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Plain,
    Rate,
    Array,
    RateArray,
}

/// One of the types of `store`.
fn stored(context: &mut Context<'_>, keyword: &str, item: &str, word: &Word) {
    let (name, inside) = match item.split_once('(') {
        Some((name, rest)) => (name, Some(rest.trim_end_matches(')'))),
        None => (item, None),
    };
    let mut alert = |message| context.alert(Reason::InvalidValue, word.span, message);
    let Some((_, kind)) = STORED.iter().find(|(known, _)| *known == name) else {
        // A comma inside parentheses: the second half of an array's arguments.
        if item.ends_with(')') && !item.contains('(') {
            return;
        }
        return alert(format!("{keyword}: unknown store option '{name}'."));
    };
    let time = |text: &str| tandem_parser::value::time(text, tandem_parser::value::Unit::Ms).is_ok();
    match (kind, inside) {
        (Stored::Plain, Some(_)) => {
            alert(format!("{keyword}: unexpected argument to store option '{name}'."));
        }
        (Stored::Rate | Stored::Array | Stored::RateArray, None) => {
            alert(format!("{keyword}: missing argument to store option '{name}'."));
        }
        (Stored::Rate, Some(period)) if !time(period) => {
            alert(format!("{keyword}: error when processing store option '{name}'."));
        }
        _ => {}
    }
}

/// `len` stands behind the type of the key, if that is text.
fn key_length(context: &mut Context<'_>, keyword: &str, settings: &[Statement]) -> bool {
    for (nth, setting) in settings.iter().enumerate().filter(|(_, setting)| setting.name() == "len") {
        let before = nth.checked_sub(1).map(|before| &settings[before]);
        let of_text = before.is_some_and(|before| {
            before.name() == "type" && matches!(before.text(0), Some("string" | "binary"))
        });
        let message = match setting.number(0) {
            _ if !of_text => format!("{keyword}: unknown argument 'len'."),
            Some(0_i64) => "'len' expects a positive integer argument.".to_owned(),
            _ => continue,
        };
        context.alert(Reason::InvalidValue, setting.span, message);
        return false;
    }
    true
}

/// A stick table has a type and a size.
fn table(context: &mut Context<'_>, line: &Statement, keyword: &str, settings: &[Statement]) {
    for setting in settings {
        let (Some(text), Some(word)) = (setting.text(0), setting.word(0)) else { continue };
        match setting.name() {
            "type" if !KEY_TYPES.contains(&text) => {
                return context.alert(
                    Reason::InvalidValue,
                    word.span,
                    format!("{keyword}: unknown type '{text}'."),
                );
            }
            "store" => text
                .split_inclusive(',')
                .for_each(|item| stored(context, keyword, item.trim_end_matches(','), word)),
            _ => {}
        }
    }
    if !key_length(context, keyword, settings) {
        return;
    }
    for wanted in ["size", "type"] {
        let written = |setting: &&Statement| setting.name() == wanted && setting.size(0) != Some(0);
        if !settings.iter().any(|setting| written(&setting)) {
            let message = format!("{keyword}: missing {wanted}.");
            return context.alert(Reason::MissingArgument, line.span, message);
        }
    }
}

/// What a line names: what it is, its kind of section (none: a stick table), its name and where that stands.
fn reference<'t>(
    line: &'t Statement,
    proxy: &'t Word,
) -> Option<(&'static str, Option<Sections>, &'t str, Span)> {
    let at = |word: &'t Word| (word.text(), word.span);
    match line.name() {
        "use-fcgi-app" | "filter fcgi-app" => {
            let (name, span) = at(line.word(0)?);
            Some(("fcgi-app", Some(FCGI_APP), name, span))
        }
        "email-alert mailers" => {
            let (name, span) = at(line.word(0)?);
            Some(("mailers", Some(MAILERS), name, span))
        }
        "stick-table" => {
            let peers = line.settings(0).iter().find(|setting| setting.name() == "peers")?;
            let (name, span) = at(peers.word(0)?);
            Some(("sync peers", Some(PEERS), name, span))
        }
        "stick on" | "stick match" | "stick store-request" | "stick store-response" => {
            let words = line.words(0);
            let named = words.iter().position(|word| word == "table").and_then(|at| words.get(at + 1));
            // Where none is named: at the end of the line, behind what may be wrong with its expression.
            let end = words.last().map_or(line.span, |last| last.span);
            let (name, span) = named.map_or((proxy.text(), end), at);
            Some(("stick-table", None, name, span))
        }
        "http-request" | "http-response" | "filter cache" => {
            let name = match (line.name(), line.words(0)) {
                ("filter cache", [name, ..]) => name,
                (_, [action, name, ..]) if action == "cache-use" || action == "cache-store" => name,
                _ => return None,
            };
            Some(("cache", Some(CACHE), name.text(), name.span))
        }
        _ => None,
    }
}
