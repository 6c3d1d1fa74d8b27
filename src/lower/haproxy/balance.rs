//! How a server is chosen: `balance`, `hash-type`, `cookie`, `http-reuse`, `retry-on`.

use tandem_parser::Word;
use tandem_parser::diagnostic::{Diagnostic, Reason};
use tandem_parser::haproxy::Statement;
use tandem_parser::suggest::nearest;
use tandem_parser::value::strtol;

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

/// `name(argument…` or `name`. What stands behind the parenthesis that closes is not looked at.
fn call(word: &str) -> (&str, Option<&str>) {
    word.split_once('(').map_or((word, None), |(name, rest)| (name, Some(rest)))
}

/// What stands in parentheses that close and are not empty.
fn inside(argument: &str) -> Option<&str> {
    argument.split_once(')').map(|(inside, _)| inside).filter(|inside| !inside.is_empty())
}

/// `random(DRAWS)`.
fn draws(argument: &str) -> Result<Balance, String> {
    if argument.starts_with(')') {
        return Ok(Balance::Random(2));
    }
    let (draws, rest) = strtol(argument).unwrap_or((0, argument));
    match rest.chars().next() {
        Some(')') if draws < 1 => Err("balance random : number of draws must be at least 1.".into()),
        Some(')') => Ok(Balance::Random(draws.min(u32::MAX.into()) as u32)),
        Some(other) => Err(format!("balance random : unexpected character '{other}' after argument.")),
        None => Err("balance random : missing closing parenthesis.".into()),
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
            // `check_post` and the number behind it say nothing any more: bodies are looked at without it.
            unused = &[];
            if let Some(modifier) = after.first().filter(|modifier| *modifier != "check_post") {
                let message =
                    format!("balance url_param only accepts 'check_post' modifier (got '{modifier}').");
                context.alert(Reason::UnknownKeyword, modifier.span, message);
                return None;
            }
            Balance::UrlParam(parameter.text().to_owned())
        }
        ("hdr", Some(header)) => {
            let Some(header) = inside(header) else {
                let message = "balance hdr requires an http header field name.";
                context.alert(Reason::MissingArgument, word.span, message);
                return None;
            };
            if let Some(modifier) = rest.first().filter(|modifier| *modifier != "use_domain_only") {
                let message =
                    format!("balance {word} only accepts 'use_domain_only' modifier (got '{modifier}').");
                context.alert(Reason::UnknownKeyword, modifier.span, message);
                return None;
            }
            unused = rest.get(1..).unwrap_or_default();
            Balance::Hdr { name: header.to_owned(), domain_only: !rest.is_empty() }
        }
        ("random", Some(argument)) => match draws(argument) {
            Ok(balance) => balance,
            Err(message) => {
                context.alert(Reason::OutOfRange, word.span, message);
                return None;
            }
        },
        // HAProxy looks at the beginning of the word.
        (name, _) if name.starts_with("random") => Balance::Random(2),
        (name, argument) if name.starts_with("rdp-cookie") => {
            let cookie = match argument {
                _ if name != "rdp-cookie" => None,
                Some(argument) => inside(argument),
                None => Some("mstshash"),
            };
            let Some(cookie) = cookie else {
                let message = "balance rdp-cookie : missing cookie name.";
                context.alert(Reason::MissingArgument, word.span, message);
                return None;
            };
            Balance::RdpCookie(cookie.to_owned())
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
        // Of `mode log`, where [`log_balance`] says what they mean; elsewhere they are round robin, with a warning
        // once the mode is known.
        ("sticky", None) => Balance::RoundRobin,
        ("log-hash", None) => {
            let Some((_, after)) = rest.split_first() else {
                let message = "balance log-hash requires a converter list.";
                context.alert(Reason::MissingArgument, word.span, message);
                return None;
            };
            unused = after;
            Balance::RoundRobin
        }
        _ => {
            unknown(context, word, name);
            return None;
        }
    };
    if let Some(extra) = unused.first() {
        // HAProxy does not look there.
        let message = format!("'balance {name}' cannot handle unexpected argument '{extra}'.");
        context.warn(Reason::TooManyArguments, extra.span, message);
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
                let value = rest.next();
                let number = value.and_then(|value| value.parse::<usize>().ok());
                let Some(number) = number.filter(|number| *number > 0) else {
                    let got = value.map_or("", |value| value.text());
                    let message = format!("balance uri : '{name}' expects a positive integer (got '{got}').");
                    context.alert(Reason::InvalidValue, value.unwrap_or(word).span, message);
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
