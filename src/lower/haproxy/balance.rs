//! How a server is chosen: `balance`, `hash-type`, `cookie`, `http-reuse`, `retry-on`.

use tandem_parser::Word;
use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::haproxy::Statement;
use tandem_parser::suggest::nearest;

use super::context::{Context, span_at};
use crate::ir::proxy::{
    Backend, Balance, Cookie, CookieMode, HashAffinity, HashFunction, HashMethod, HashType, HttpReuse,
    LogBalance, RetryOn,
};

const ALGORITHMS: &[&str] = &[
    "roundrobin",
    "static-rr",
    "leastconn",
    "first",
    "source",
    "uri",
    "url_param",
    "hdr",
    "random",
    "rdp-cookie",
    "hash",
];

/// Applies one line.
pub(super) fn apply(context: &mut Context<'_>, line: &Statement, backend: &mut Backend) -> bool {
    match line.name() {
        "balance" => {
            backend.log_balance = log_balance(line);
            if let Some(balance) = balance(context, line) {
                backend.balance = balance;
            }
        }
        "hash-type" => backend.hash_type = hash_type(line),
        "hash-balance-factor" => {
            backend.hash_balance_factor = line.number(0).unwrap_or(0);
            if (1..=100).contains(&backend.hash_balance_factor) {
                let message = "'hash-balance-factor' must be 0 or greater than 100.";
                context.alert(Reason::OutOfRange, span_at(line, 0), message);
            }
        }
        "hash-preserve-affinity" => {
            backend.hash_affinity = match line.text(0) {
                Some("maxconn") => HashAffinity::Maxconn,
                Some("maxqueue") => HashAffinity::Maxqueue,
                _ => HashAffinity::Always,
            };
        }
        "cookie" => backend.cookie = cookie(context, line),
        "http-reuse" => {
            backend.http_reuse = match line.text(0) {
                Some("never") => HttpReuse::Never,
                Some("aggressive") => HttpReuse::Aggressive,
                Some("always") => HttpReuse::Always,
                _ => HttpReuse::Safe,
            }
        }
        "retry-on" => backend.retry_on = retry_on(context, line),
        _ => return false,
    }
    true
}

/// The same line for a backend that takes log lines.
fn log_balance(line: &Statement) -> LogBalance {
    match line.text(0) {
        Some("sticky") => LogBalance::Sticky,
        Some("log-hash") => LogBalance::Hash,
        Some("random") => LogBalance::Random,
        _ => LogBalance::RoundRobin,
    }
}

/// `name(argument)` or `name`.
fn call(word: &str) -> (&str, Option<&str>) {
    match word.split_once('(') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(')').unwrap_or(rest))),
        None => (word, None),
    }
}

fn balance(context: &mut Context<'_>, line: &Statement) -> Option<Balance> {
    let Some(word) = line.word(0) else {
        context.warn(
            Reason::MissingArgument,
            line.span,
            "'balance' expects an algorithm; without one it is roundrobin.",
        );
        return Some(Balance::RoundRobin);
    };
    let rest = line.words(1);
    let (name, argument) = call(word);
    let mut unused = rest;
    let balance = match (name, argument) {
        ("roundrobin", None) => Balance::RoundRobin,
        ("static-rr", None) => Balance::StaticRr,
        ("leastconn", None) => Balance::LeastConn,
        ("first", None) => Balance::First,
        ("source", None) => Balance::Source,
        ("uri", None) => {
            unused = &[];
            uri(context, rest)?
        }
        ("url_param", None) => {
            let Some((parameter, after)) = rest.split_first() else {
                let message = "balance url_param requires an URL parameter name.";
                context.alert(Reason::MissingArgument, word.span, message);
                return None;
            };
            unused = after;
            if after.first().is_some_and(|word| word == "check_post") {
                let message = "'check_post' of 'balance' is accepted but has no effect in Tandem yet.";
                context.warn(Reason::NoEffect, after[0].span, message);
                unused = &[];
            }
            Balance::UrlParam(parameter.text().to_owned())
        }
        ("hdr", Some(header)) if !header.is_empty() => {
            let domain_only = rest.first().is_some_and(|word| word == "use_domain_only");
            unused = &rest[usize::from(domain_only)..];
            Balance::Hdr { name: header.to_owned(), domain_only }
        }
        ("random", None) => Balance::Random(2),
        ("random", Some(draws)) => match draws.parse::<u32>() {
            Ok(draws @ 1..) => Balance::Random(draws),
            _ => {
                let message = "balance random draws must be strictly positive.";
                context.alert(Reason::OutOfRange, word.span, message);
                return None;
            }
        },
        ("rdp-cookie", name) => {
            let name = name.filter(|name| !name.is_empty()).unwrap_or("msts");
            Balance::RdpCookie(name.to_owned())
        }
        ("hash", None) => {
            if rest.is_empty() {
                context.alert(
                    Reason::MissingArgument,
                    word.span,
                    "balance hash requires a sample expression.",
                );
                return None;
            }
            // The expression is read when every name is known.
            unused = &[];
            Balance::Hash
        }
        // Of `mode log` alone; what `sticky` means is said by [`log_balance`].
        ("sticky", None) if context.log_mode => return Some(Balance::RoundRobin),
        ("log-hash", None) if context.log_mode => {
            if rest.is_empty() {
                let message = "balance log-hash requires converters.";
                context.alert(Reason::MissingArgument, word.span, message);
            }
            return Some(Balance::Hash);
        }
        ("sticky" | "log-hash", _) => {
            let message = format!("'balance {name}' needs 'mode log'.");
            context.alert(Reason::NotAllowedHere, word.span, message);
            return None;
        }
        _ => {
            unknown(context, word, name);
            return None;
        }
    };
    if let Some(extra) = unused.first() {
        let message = format!("'balance {name}' cannot handle unexpected argument '{extra}'.");
        if matches!(name, "uri" | "url_param" | "hdr") {
            context.alert(Reason::TooManyArguments, extra.span, message);
        } else {
            // HAProxy does not look there.
            context.warn(Reason::TooManyArguments, extra.span, message);
        }
    }
    Some(balance)
}

fn unknown(context: &mut Context<'_>, word: &Word, name: &str) {
    let message = "balance only supports 'roundrobin', 'static-rr', 'leastconn', 'source', 'uri', 'url_param', \
                   'hdr(name)' and 'rdp-cookie(name)' options.";
    let mut diagnostic = Diagnostic::alert(Reason::InvalidValue, word.span, message);
    if let Some(near) = nearest(name, ALGORITHMS.iter().copied()) {
        diagnostic = diagnostic.help(format!("did you mean '{near}'?")).edit(word.span, near);
    }
    context.say(diagnostic);
}

fn uri(context: &mut Context<'_>, words: &[Word]) -> Option<Balance> {
    let (mut path_only, mut len, mut depth, mut whole) = (false, 0, 0, false);
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.text() {
            "path-only" => path_only = true,
            "whole" => whole = true,
            name @ ("len" | "depth") => {
                let Some(number) = rest.next().and_then(|word| word.parse::<usize>().ok()) else {
                    let message =
                        format!("balance uri : '{name}' expects a positive integer (got '{word}').");
                    context.alert(Reason::InvalidValue, word.span, message);
                    return None;
                };
                *(if name == "len" { &mut len } else { &mut depth }) = number;
            }
            _ => {
                let message = "balance uri only accepts parameters 'len', 'depth', 'path-only', and 'whole'";
                let message = format!("{message} (got '{word}').");
                context.alert(Reason::UnknownKeyword, word.span, message);
                return None;
            }
        }
    }
    Some(Balance::Uri { path_only, len, depth, whole })
}

fn hash_type(line: &Statement) -> HashType {
    HashType {
        method: match line.text(0) {
            Some("consistent") => HashMethod::Consistent,
            _ => HashMethod::MapBased,
        },
        function: match line.text(1) {
            Some("djb2") => HashFunction::Djb2,
            Some("wt6") => HashFunction::Wt6,
            Some("crc32") => HashFunction::Crc32,
            Some("none") => HashFunction::None,
            _ => HashFunction::Sdbm,
        },
        // Without a function named, the consistent hash has always been avalanched.
        avalanche: line.text(2).is_some() || (line.text(0) == Some("consistent") && line.text(1).is_none()),
    }
}

fn cookie(context: &mut Context<'_>, line: &Statement) -> Option<Cookie> {
    let mut cookie = Cookie {
        name: line.text(0)?.to_owned(),
        mode: CookieMode::Passive,
        indirect: false,
        nocache: false,
        postonly: false,
        preserve: false,
        httponly: false,
        secure: false,
        domains: Vec::new(),
        maxidle: None,
        maxlife: None,
        attrs: Vec::new(),
        dynamic: false,
    };
    let mut modes = 0;
    for setting in line.settings(1) {
        let mut mode = |mode| {
            cookie.mode = mode;
            modes += 1;
        };
        match setting.name() {
            "rewrite" => mode(CookieMode::Rewrite),
            "insert" => mode(CookieMode::Insert),
            "prefix" => mode(CookieMode::Prefix),
            "indirect" => cookie.indirect = true,
            "nocache" => cookie.nocache = true,
            "postonly" => cookie.postonly = true,
            "preserve" => cookie.preserve = true,
            "httponly" => cookie.httponly = true,
            "secure" => cookie.secure = true,
            "domain" => cookie.domains.extend(setting.text(0).map(str::to_owned)),
            "maxidle" => cookie.maxidle = setting.time(0),
            "maxlife" => cookie.maxlife = setting.time(0),
            "dynamic" => cookie.dynamic = true,
            "attr" => cookie.attrs.extend(setting.text(0).map(str::to_owned)),
            _ => {}
        }
    }
    if modes > 1 {
        let message = "cookie 'rewrite', 'insert' and 'prefix' modes are incompatible.";
        context.alert(Reason::Conflict, line.span, message);
    }
    if cookie.mode == CookieMode::Rewrite && cookie.indirect {
        let message = "cookie 'rewrite' and 'indirect' modes are incompatible.";
        context.alert(Reason::Conflict, line.span, message);
    }
    if cookie.preserve && cookie.mode != CookieMode::Insert && !cookie.indirect {
        let message = "cookie 'preserve' requires at least 'insert' or 'indirect'.";
        context.alert(Reason::Conflict, line.span, message);
    }
    Some(cookie)
}

fn retry_on(context: &mut Context<'_>, line: &Statement) -> RetryOn {
    let mut out = RetryOn { conn_failure: false, ..RetryOn::default() };
    for word in line.words(0) {
        match word.text() {
            "none" => {}
            "conn-failure" => out.conn_failure = true,
            "empty-response" => out.empty_response = true,
            "junk-response" => out.junk_response = true,
            "response-timeout" => out.response_timeout = true,
            // Early data needs TLS.
            "0rtt-rejected" => {}
            "all-retryable-errors" => {
                out.conn_failure = true;
                out.empty_response = true;
                out.junk_response = true;
                out.response_timeout = true;
                out.statuses.extend([500, 502, 503, 504]);
            }
            text => match text.parse() {
                Ok(code @ (401 | 403 | 404 | 408 | 421 | 425 | 429 | 500 | 501 | 502 | 503 | 504)) => {
                    out.statuses.push(code);
                }
                _ => {
                    let message = format!("'retry-on': unknown keyword '{word}'.");
                    context.alert(Reason::UnknownKeyword, word.span, message);
                }
            },
        }
    }
    out
}
