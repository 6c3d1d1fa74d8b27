//! Proxies: identity, limits, balancing, cookies, errors.

use super::common::*;

const REST: &[Arg] = &[Arg::Rest];
const VALUE: &[Arg] = &[Arg::Some("value")];
const FLAG: &[Arg] = &[];
const COUNTS: &[Arg] = &[COUNT];
/// HAProxy takes these lines without their word, too.
const MAIL_WORD: &[Arg] = &[Arg::Maybe(&Arg::Word("value"))];
const WORD: &[Arg] = &[Arg::Word("value")];

/// `cookie`.
const COOKIE: &[Keyword] = &[
    full("rewrite", NONE, FLAG, "rewrite the server's cookie"),
    full("insert", NONE, FLAG, "set one"),
    full("prefix", NONE, FLAG, "put the server before the value"),
    full("indirect", NONE, FLAG, "keep it from servers"),
    full("nocache", NONE, FLAG, "forbid caching of the response that sets it"),
    full("postonly", NONE, FLAG, "set it after a POST only"),
    full("preserve", NONE, FLAG, "leave it to the server if it sets one"),
    full("httponly", NONE, FLAG, "attribute HttpOnly"),
    full("secure", NONE, FLAG, "attribute Secure"),
    full("domain", NONE, &[Arg::Word("domain")], "attribute Domain"),
    full("maxidle", NONE, &[SEC], "longest time between uses"),
    full("maxlife", NONE, &[SEC], "longest life"),
    full("attr", NONE, &[Arg::Word("attribute")], "any other attribute"),
    full("dynamic", NONE, FLAG, "derive values from addresses"),
];

const HASH_METHODS: &[&str] = &["map-based", "consistent"];
const HASH_FUNCTIONS: &[&str] = &["sdbm", "djb2", "wt6", "crc32", "none"];

/// `source`.
pub(super) const SOURCE: &[Keyword] = &[
    full("usesrc", NONE, WORD, "another source address"),
    full("interface", NONE, WORD, "outgoing interface"),
];

pub(super) const KEYWORDS: &[Keyword] = &[
    // Identity.
    full("mode", PROXIES, &[Arg::Choice(&["tcp", "http", "health", "log", "spop", "haterm"])], "protocol"),
    full("id", FRONTEND | LISTEN | BACKEND, &[Arg::Int("id", 1, i32::MAX as i64)], "number of the proxy"),
    full("description", FRONTEND | LISTEN | BACKEND, &[Arg::Some("text")], "what it is"),
    full("disabled", PROXIES, FLAG, "do not start it"),
    full("enabled", PROXIES, FLAG, "start it after all"),
    full("guid", FRONTEND | LISTEN | BACKEND, WORD, "unique name: counters are kept by it"),
    // Limits.
    full("maxconn", CLIENT_SIDE, COUNTS, "connections at a time"),
    full("fullconn", SERVER_SIDE, COUNTS, "connections at which servers reach their maxconn"),
    full("backlog", CLIENT_SIDE, COUNTS, "connections waiting to be accepted"),
    full("rate-limit sessions", CLIENT_SIDE, COUNTS, "sessions per second"),
    full("retries", SERVER_SIDE, COUNTS, "tries after the first"),
    full("retry-on", SERVER_SIDE, &[Arg::Some("event")], "what is worth another try"),
    full(
        "max-keep-alive-queue",
        SERVER_SIDE,
        &[Arg::Int("number", -1, i32::MAX as i64)],
        "queue that breaks persistence",
    ),
    full("max-session-srv-conns", CLIENT_SIDE, COUNTS, "idle server connections per client"),
    // Where to.
    full("default_backend", CLIENT_SIDE, &[Arg::Word("backend")], "backend where no rule matches"),
    full("dispatch", LISTEN | BACKEND, &[Arg::Addr], "one address instead of servers"),
    full("source", SERVER_SIDE, &[Arg::AddrBefore(SOURCE), Arg::Settings(SOURCE)], "address to connect from"),
    // Balancing.
    full("balance", SERVER_SIDE, &[Arg::Maybe(&Arg::Word("algorithm")), Arg::Rest], "how to choose a server"),
    full(
        "hash-type",
        SERVER_SIDE,
        &[
            Arg::Choice(HASH_METHODS),
            Arg::OrEnd(&Arg::Choice(HASH_FUNCTIONS)),
            Arg::OrEnd(&Arg::Choice(&["avalanche"])),
        ],
        "how keys become servers",
    ),
    full(
        "hash-balance-factor",
        SERVER_SIDE,
        &[Arg::Int("percent", 0, 65535)],
        "load a hashed server may have",
    ),
    full(
        "hash-preserve-affinity",
        SERVER_SIDE,
        &[Arg::Choice(&["always", "maxconn", "maxqueue"])],
        "when a key leaves its server",
    ),
    full(
        "http-reuse",
        SERVER_SIDE,
        &[Arg::Choice(&["never", "safe", "aggressive", "always"])],
        "who shares server connections",
    ),
    full("cookie", SERVER_SIDE, &[NAME, Arg::Settings(COOKIE)], "stay on a server by a cookie"),
    full("dynamic-cookie-key", SERVER_SIDE, WORD, "key of dynamic cookies"),
    full("persist rdp-cookie", SERVER_SIDE, REST, "stay on a server by an RDP cookie"),
    full("http-send-name-header", SERVER_SIDE, &[NAME], "tell the server its name"),
    full(
        "load-server-state-from-file",
        SERVER_SIDE,
        &[Arg::Choice(&["global", "local", "none"])],
        "which state file to use",
    ),
    full("server-state-file-name", SERVER_SIDE, &[Arg::Maybe(&FILE)], "name of the state file"),
    full("force-be-switch", FRONTEND | LISTEN, &[Arg::MustCond], "use unpublished backends"),
    // Errors.
    full("errorfile", PROXIES, &[Arg::Int("code", 200, 599), FILE], "what to answer, head included"),
    full("errorloc", PROXIES, &[Arg::Int("code", 200, 599), Arg::Word("url")], "where to redirect"),
    full("errorloc302", PROXIES, &[Arg::Int("code", 200, 599), Arg::Word("url")], "where to redirect"),
    full(
        "errorloc303",
        PROXIES,
        &[Arg::Int("code", 200, 599), Arg::Word("url")],
        "where to redirect, always with GET",
    ),
    full("errorfiles", PROXIES, &[NAME, Arg::Rest], "answers of an http-errors section"),
    full("http-error", PROXIES, &[Arg::Some("answer")], "what to answer"),
    // Compression.
    inert("compression algo", PROXIES, VALUE, "nothing is compressed", "algorithms"),
    inert("compression algo-req", PROXIES, VALUE, "nothing is compressed", "algorithms of requests"),
    inert("compression algo-res", PROXIES, VALUE, "nothing is compressed", "algorithms of responses"),
    moot("compression type", PROXIES, VALUE, "'compression algo' is reported", "types to compress"),
    moot("compression type-req", PROXIES, VALUE, "'compression algo' is reported", "types to compress"),
    moot("compression type-res", PROXIES, VALUE, "'compression algo' is reported", "types to compress"),
    moot(
        "compression minsize-req",
        PROXIES,
        &[Arg::Size],
        "'compression algo' is reported",
        "smallest request",
    ),
    moot(
        "compression minsize-res",
        PROXIES,
        &[Arg::Size],
        "'compression algo' is reported",
        "smallest response",
    ),
    moot(
        "compression direction",
        PROXIES,
        &[Arg::Choice(&["request", "response", "both"])],
        "'compression algo' is reported",
        "what is compressed",
    ),
    inert("compression offload", PROXIES, FLAG, "servers may compress", "keep servers from compressing"),
    // TCP and mail.
    full("clitcpka-cnt", CLIENT_SIDE, COUNTS, "keep-alive probes"),
    full("clitcpka-idle", CLIENT_SIDE, &[SEC], "time before probes"),
    full("clitcpka-intvl", CLIENT_SIDE, &[SEC], "time between probes"),
    full("srvtcpka-cnt", SERVER_SIDE, COUNTS, "keep-alive probes"),
    full("srvtcpka-idle", SERVER_SIDE, &[SEC], "time before probes"),
    full("srvtcpka-intvl", SERVER_SIDE, &[SEC], "time between probes"),
    inert("email-alert mailers", PROXIES, MAIL_WORD, "no mail is sent", "who sends mail"),
    moot("email-alert from", PROXIES, MAIL_WORD, "'email-alert mailers' is reported", "sender"),
    moot("email-alert to", PROXIES, MAIL_WORD, "'email-alert mailers' is reported", "receiver"),
    moot(
        "email-alert level",
        PROXIES,
        &[Arg::Choice(super::log::LEVELS)],
        "'email-alert mailers' is reported",
        "least severity",
    ),
    moot("email-alert myhostname", PROXIES, MAIL_WORD, "'email-alert mailers' is reported", "own name"),
    full("external-check command", SERVER_SIDE, WORD, "program that checks"),
    full("external-check path", SERVER_SIDE, WORD, "its PATH"),
    refused(
        "ssl-f-use",
        FRONTEND | LISTEN,
        &[Arg::Settings(super::sections::CERTIFICATE)],
        "clients would be spoken to in clear",
        "certificates",
    ),
];
