//! `stats`: the socket in `global`, the page in proxies.

use super::bind::BIND;
use super::common::*;

pub(super) const KEYWORDS: &[Keyword] = &[
    full("stats socket", GLOBAL, &[Arg::Addr, Arg::Settings(BIND)], "socket for commands"),
    full("stats timeout", GLOBAL, &[MS], "how long a command socket may be silent"),
    full("stats maxconn", GLOBAL, &[Arg::Int("number", 1, i32::MAX as i64)], "command connections at a time"),
    moot(
        "stats bind-process",
        GLOBAL,
        &[Arg::Rest],
        "there is one process",
        "processes that serve the socket",
    ),
    moot(
        "stats calculate-max-counters",
        GLOBAL,
        &[Arg::Choice(&["on", "off"])],
        "maxima are always kept",
        "whether maxima are kept",
    ),
    full("stats enable", PROXIES, &[], "turn the page on"),
    full("stats uri", PROXIES, &[Arg::Word("prefix")], "where the page is"),
    full("stats realm", PROXIES, &[Arg::Some("realm")], "what a browser shows when it asks for a password"),
    full("stats auth", PROXIES, &[Arg::Word("user:password")], "who may see the page"),
    full("stats scope", PROXIES, &[NAME], "proxies shown; '.' is this one"),
    full("stats refresh", PROXIES, &[SEC], "reload interval"),
    full("stats hide-version", PROXIES, &[], "do not show the version"),
    full("stats show-version", PROXIES, &[], "show the version"),
    full("stats show-node", PROXIES, &[Arg::Maybe(&Arg::Word("name"))], "show the node's name"),
    full("stats show-desc", PROXIES, &[Arg::Rest], "show a description"),
    full("stats show-legends", PROXIES, &[], "show details on hover"),
    moot("stats show-modules", PROXIES, &[], "there are no extra counters", "show extra counters"),
    full("stats admin", FRONTEND | LISTEN | BACKEND, &[Arg::MustCond], "when servers may be changed"),
    full("stats http-request", FRONTEND | LISTEN | BACKEND, &[Arg::Some("rule")], "who may see the page"),
];
