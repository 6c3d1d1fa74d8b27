//! What older versions knew. The old meaning is kept wherever there is one.

use super::common::*;

const REST: &[Arg] = &[Arg::Rest];

/// Where rules could stand: no version took them in `defaults`.
const RULES: Sections = FRONTEND | LISTEN | BACKEND;

const fn renamed(name: &'static str, sections: Sections, to: &'static str, since: &'static str) -> Keyword {
    Keyword { name, sections, args: REST, effect: Effect::Renamed { to, since }, doc: "older name" }
}

const fn obsolete(
    name: &'static str,
    sections: Sections,
    since: &'static str,
    instead: &'static str,
) -> Keyword {
    Keyword {
        name,
        sections,
        args: REST,
        effect: Effect::Obsolete { since, instead },
        doc: "of older versions",
    }
}

const fn header_rule(name: &'static str, to: &'static str) -> Keyword {
    let effect = Effect::Translated { to, since: "2.1" };
    Keyword {
        name,
        sections: RULES,
        args: REST,
        effect,
        doc: "rule on lines of messages by regular expression",
    }
}

pub(super) const KEYWORDS: &[Keyword] = &[
    renamed("clitimeout", CLIENT_SIDE, "timeout client", "2.1"),
    renamed("srvtimeout", SERVER_SIDE, "timeout server", "2.1"),
    renamed("contimeout", SERVER_SIDE, "timeout connect", "2.1"),
    renamed("redispatch", SERVER_SIDE, "option redispatch", "2.1"),
    renamed("redisp", SERVER_SIDE, "option redispatch", "2.1"),
    renamed("transparent", SERVER_SIDE, "option transparent", "2.1"),
    renamed("option forceclose", PROXIES, "option httpclose", "2.0"),
    renamed(
        "option accept-invalid-http-request",
        CLIENT_SIDE,
        "option accept-unsafe-violations-in-http-request",
        "3.1",
    ),
    renamed(
        "option accept-invalid-http-response",
        SERVER_SIDE,
        "option accept-unsafe-violations-in-http-response",
        "3.1",
    ),
    renamed("block", RULES, "http-request deny", "2.1"),
    renamed("reqadd", RULES, "http-request add-header", "2.1"),
    renamed("rspadd", RULES, "http-response add-header", "2.1"),
    obsolete("debug", GLOBAL, "2.3", "remove it; '-d' is the option for it"),
    obsolete("nbproc", GLOBAL, "2.5", "remove it; 'nbthread' sets the number of threads"),
    obsolete("bind-process", PROXIES, "2.5", "remove it; every thread serves every proxy"),
    obsolete("grace", PROXIES, "2.1", "remove it"),
    obsolete("option http-tunnel", PROXIES, "2.1", "remove it"),
    obsolete("option http_proxy", PROXIES, "2.5", "remove it"),
    obsolete("option http-use-htx", PROXIES, "2.1", "remove it"),
    obsolete("option tcpsplice", PROXIES, "1.5", "remove it"),
    renamed("monitor-net", FRONTEND | LISTEN, "http-request return", "2.3"),
    obsolete(
        "monitor-net",
        DEFAULTS,
        "2.3",
        "use 'http-request return' with a 'src' condition; such clients are treated as any other",
    ),
    obsolete(
        "appsession",
        SERVER_SIDE,
        "1.6",
        "use 'cookie' or a stick table; sessions are not followed any more",
    ),
    header_rule("cliexp", "http-request replace-header"),
    header_rule("srvexp", "http-response replace-header"),
    header_rule("reqallow", "http-request allow"),
    header_rule("reqdel", "http-request del-header"),
    header_rule("reqdeny", "http-request deny"),
    header_rule("reqiallow", "http-request allow"),
    header_rule("reqidel", "http-request del-header"),
    header_rule("reqideny", "http-request deny"),
    header_rule("reqipass", "http-request"),
    header_rule("reqirep", "http-request replace-header"),
    header_rule("reqitarpit", "http-request tarpit"),
    header_rule("reqpass", "http-request"),
    header_rule("reqrep", "http-request replace-header"),
    header_rule("reqtarpit", "http-request tarpit"),
    header_rule("rspdel", "http-response del-header"),
    header_rule("rspdeny", "http-response deny"),
    header_rule("rspidel", "http-response del-header"),
    header_rule("rspideny", "http-response deny"),
    header_rule("rspirep", "http-response replace-header"),
    header_rule("rsprep", "http-response replace-header"),
];
