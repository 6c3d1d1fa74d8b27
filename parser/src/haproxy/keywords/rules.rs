//! Rules: ACLs, switching, `http-request` and relatives, stick tables. Their words are read by `expr`.

use super::common::*;

const RULE: &[Arg] = &[Arg::Some("action")];
const REST: &[Arg] = &[Arg::Rest];

/// `stick-table`, and `table` of `peers`.
pub(super) const TABLE: &[Keyword] = &[
    full("type", NONE, &[Arg::Word("type")], "type of the key"),
    full("len", NONE, &[Arg::Int("length", i32::MIN as i64, i32::MAX as i64)], "longest key"),
    full("size", NONE, &[Arg::Size], "most entries"),
    full("expire", NONE, &[MS], "life of an unused entry"),
    full("nopurge", NONE, &[], "refuse new entries when full"),
    full("peers", NONE, &[NAME], "peers to share with"),
    full("srvkey", NONE, &[Arg::Choice(&["name", "addr"])], "how servers are remembered"),
    full("store", NONE, &[Arg::Word("types")], "what an entry holds"),
    full("write-to", NONE, &[NAME], "table to copy to"),
    full("brates-factor", NONE, &[Arg::Int("factor", 1, 1024)], "scale of byte rates"),
    full("recv-only", NONE, &[], "never send updates"),
];

/// `do-log` of `quic-initial`.
const LOGGED: &[Keyword] = &[full("profile", NONE, &[NAME], "the log profile to use")];

/// `filter trace`.
const TRACE: &[Keyword] = &[
    full("name", NONE, &[NAME], "what its lines begin with"),
    full("quiet", NONE, &[], "say less"),
    full("random-parsing", NONE, &[], "parse a random part"),
    full("random-forwarding", NONE, &[], "forward a random part"),
    full("hexdump", NONE, &[], "dump what is forwarded"),
    full("max-fwd", NONE, &[Arg::Word("bytes")], "bytes forwarded at a time"),
];

/// `filter spoe`.
const SPOE: &[Keyword] = &[
    full("config", NONE, &[FILE], "file that describes the agents"),
    full("engine", NONE, &[NAME], "which of its scopes is meant"),
];

const STICK: &str = "requests are balanced without regard to where earlier ones went";

pub(super) const KEYWORDS: &[Keyword] = &[
    full("acl", PROXIES, &[NAME, Arg::Rest], "name a condition"),
    full("use_backend", FRONTEND | LISTEN, &[NAME, Arg::Cond], "choose a backend"),
    full("use-server", LISTEN | BACKEND, &[NAME, Arg::MustCond], "choose a server"),
    full("redirect", FRONTEND | LISTEN | BACKEND, RULE, "answer with a redirection"),
    full("http-request", PROXIES, RULE, "what to do with requests"),
    full("http-response", PROXIES, RULE, "what to do with responses"),
    full("http-after-response", PROXIES, RULE, "what to do with responses, own ones included"),
    full("tcp-request connection", CLIENT_SIDE, RULE, "what to do with connections"),
    full("tcp-request session", CLIENT_SIDE, RULE, "what to do with sessions"),
    full("tcp-request content", PROXIES, RULE, "what to do with first bytes"),
    full("tcp-request inspect-delay", PROXIES, &[MS], "how long to wait for first bytes"),
    full("tcp-response content", SERVER_SIDE, RULE, "what to do with a server's first bytes"),
    full("tcp-response inspect-delay", SERVER_SIDE, &[MS], "how long to wait for a server's first bytes"),
    moot(
        "quic-initial",
        CLIENT_SIDE,
        &[
            Arg::Choice(&["accept", "dgram-drop", "do-log", "reject", "send-retry"]),
            Arg::Settings(LOGGED),
            Arg::Cond,
        ],
        "QUIC is not spoken",
        "what to do with QUIC packets",
    ),
    inert(
        "stick-table",
        FRONTEND | LISTEN | BACKEND,
        &[Arg::Settings(TABLE)],
        "nothing is counted or remembered",
        "a table of keys",
    ),
    inert("stick on", LISTEN | BACKEND, &[Arg::Some("expression")], STICK, "stay on a server by a key"),
    inert("stick match", LISTEN | BACKEND, &[Arg::Some("expression")], STICK, "look for a server by a key"),
    inert(
        "stick store-request",
        LISTEN | BACKEND,
        &[Arg::Some("expression")],
        STICK,
        "remember a server by a key",
    ),
    inert(
        "stick store-response",
        LISTEN | BACKEND,
        &[Arg::Some("expression")],
        STICK,
        "remember a server by a key",
    ),
    full("force-persist", LISTEN | BACKEND, &[Arg::MustCond], "stay on a server that is down"),
    full("ignore-persist", LISTEN | BACKEND, &[Arg::MustCond], "forget the server"),
    full("monitor fail", FRONTEND | LISTEN, &[Arg::MustCond], "when the monitor fails"),
    full("monitor-uri", CLIENT_SIDE, &[Arg::Word("uri")], "URI that answers by itself"),
    full(
        "capture request header",
        FRONTEND | LISTEN,
        &[NAME, Arg::Choice(&["len"]), Arg::Int("length", 1, i32::MAX as i64)],
        "log a request header",
    ),
    full(
        "capture response header",
        FRONTEND | LISTEN,
        &[NAME, Arg::Choice(&["len"]), Arg::Int("length", 1, i32::MAX as i64)],
        "log a response header",
    ),
    full(
        "capture cookie",
        FRONTEND | LISTEN,
        &[NAME, Arg::Word("len"), Arg::Int("length", 1, i32::MAX as i64)],
        "log a cookie",
    ),
    full(
        "declare capture",
        FRONTEND | LISTEN,
        &[
            Arg::Choice(&["request", "response"]),
            Arg::Choice(&["len"]),
            Arg::Int("length", 1, i32::MAX as i64),
        ],
        "a capture slot that rules fill",
    ),
    inert("filter compression", FRONTEND | LISTEN | BACKEND, &[], "nothing is compressed", "compress"),
    inert("filter comp-req", FRONTEND | LISTEN | BACKEND, &[], "nothing is compressed", "compress requests"),
    inert("filter comp-res", FRONTEND | LISTEN | BACKEND, &[], "nothing is compressed", "compress responses"),
    inert("filter cache", FRONTEND | LISTEN | BACKEND, &[Arg::Some("name")], "nothing is cached", "cache"),
    inert("filter trace", FRONTEND | LISTEN | BACKEND, &[Arg::Settings(TRACE)], "nothing is traced", "trace"),
    full("filter bwlim-in", FRONTEND | LISTEN | BACKEND, REST, "a limit for uploads, set by rules"),
    full("filter bwlim-out", FRONTEND | LISTEN | BACKEND, REST, "a limit for downloads, set by rules"),
    refused(
        "filter spoe",
        FRONTEND | LISTEN | BACKEND,
        &[Arg::Settings(SPOE)],
        "agents would not be asked, and they may deny",
        "ask agents about requests",
    ),
    refused(
        "filter fcgi-app",
        FRONTEND | LISTEN | BACKEND,
        &[NAME],
        "applications would not be reached",
        "the filter of 'use-fcgi-app'",
    ),
    refused(
        "filter opentracing",
        FRONTEND | LISTEN | BACKEND,
        &[Arg::Some("configuration")],
        "what it should trace would pass unseen",
        "send traces to a collector",
    ),
    full("be-unpublished", LISTEN | BACKEND, &[], "keep it from 'use_backend'"),
    inert(
        "filter-sequence",
        FRONTEND | LISTEN | BACKEND,
        &[Arg::Choice(&["request", "response"]), Arg::Word("filters")],
        "data passes unfiltered",
        "order of filters",
    ),
    refused(
        "use-fcgi-app",
        LISTEN | BACKEND,
        &[NAME],
        "servers would be spoken to in a protocol they do not know",
        "speak FastCGI",
    ),
];
