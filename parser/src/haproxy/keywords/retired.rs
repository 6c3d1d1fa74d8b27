//! What older versions knew. The old meaning is kept wherever there is one.

use super::common::*;

const REST: &[Arg] = &[Arg::Rest];

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

const fn header_rule(name: &'static str, modern: &'static str) -> Keyword {
    refused(name, PROXIES, REST, modern, "edit headers by regular expression")
}

const REQUEST_RULE: &str = "the request would pass as it is; write an 'http-request' rule instead";
const RESPONSE_RULE: &str = "the response would pass as it is; write an 'http-response' rule instead";

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
    renamed("block", PROXIES, "http-request deny", "2.1"),
    renamed("reqadd", PROXIES, "http-request add-header", "2.1"),
    renamed("rspadd", PROXIES, "http-response add-header", "2.1"),
    obsolete("nbproc", GLOBAL, "2.5", "remove it; 'nbthread' sets the number of threads"),
    obsolete("bind-process", PROXIES, "2.5", "remove it; every thread serves every proxy"),
    obsolete("grace", PROXIES, "2.1", "remove it"),
    obsolete("option http-tunnel", PROXIES, "2.1", "remove it"),
    obsolete("option http_proxy", PROXIES, "2.5", "remove it"),
    obsolete("option tcpsplice", PROXIES, "1.5", "remove it"),
    obsolete(
        "monitor-net",
        CLIENT_SIDE,
        "3.3",
        "use 'http-request return' with a 'src' condition; such clients are treated as any other",
    ),
    obsolete(
        "appsession",
        SERVER_SIDE,
        "1.6",
        "use 'cookie' or a stick table; sessions are not followed any more",
    ),
    obsolete("cliexp", PROXIES, "2.1", "use 'http-request replace-header'"),
    obsolete("srvexp", PROXIES, "2.1", "use 'http-response replace-header'"),
    header_rule("reqallow", REQUEST_RULE),
    header_rule("reqdel", REQUEST_RULE),
    header_rule("reqdeny", REQUEST_RULE),
    header_rule("reqiallow", REQUEST_RULE),
    header_rule("reqidel", REQUEST_RULE),
    header_rule("reqideny", REQUEST_RULE),
    header_rule("reqipass", REQUEST_RULE),
    header_rule("reqirep", REQUEST_RULE),
    header_rule("reqitarpit", REQUEST_RULE),
    header_rule("reqpass", REQUEST_RULE),
    header_rule("reqrep", REQUEST_RULE),
    header_rule("reqtarpit", REQUEST_RULE),
    header_rule("rspdel", RESPONSE_RULE),
    header_rule("rspdeny", RESPONSE_RULE),
    header_rule("rspidel", RESPONSE_RULE),
    header_rule("rspideny", RESPONSE_RULE),
    header_rule("rspirep", RESPONSE_RULE),
    header_rule("rsprep", RESPONSE_RULE),
];
