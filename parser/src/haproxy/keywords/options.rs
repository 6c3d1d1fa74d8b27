//! `option`.

use super::common::*;

const FLAG: &[Arg] = &[];
const CLF: &[Arg] = &[Arg::Maybe(&Arg::Choice(&["clf"]))];
const REST: &[Arg] = &[Arg::Rest];
const BOTH: Sections = PROXIES;
const SMALL_BUFFER: Arg = Arg::Choice(&["queue", "l7-retries", "check"]);
const SMALL_BUFFERS: &[Arg] =
    &[Arg::Maybe(&SMALL_BUFFER), Arg::Maybe(&SMALL_BUFFER), Arg::Maybe(&SMALL_BUFFER)];
const OF_LOG_FORWARD: &str = "'log-forward' sections take log lines, where it has its effect";
const SPLICE: &str = "the engine decides by itself when to splice";

const FORWARDFOR: &[Keyword] = &[
    full("except", NONE, &[Arg::Word("network")], "clients for which nothing is added"),
    full("header", NONE, &[NAME], "header to add"),
    full("if-none", NONE, FLAG, "only where there is none yet"),
];

const ORIGINALTO: &[Keyword] = &[
    full("except", NONE, &[Arg::Word("network")], "addresses for which nothing is added"),
    full("header", NONE, &[NAME], "header to add"),
];

pub(super) const CHECK_USER: &[Keyword] = &[
    full("user", NONE, &[NAME], "user to log in as"),
    full("post-41", NONE, FLAG, "speak protocol 4.1"),
    full("post-80", NONE, FLAG, "speak the protocol of version 8"),
    full("pre-41", NONE, FLAG, "speak the protocol before 4.1"),
];

pub(super) const KEYWORDS: &[Keyword] = &[
    // Logging.
    full("option httplog", BOTH, CLF, "log requests"),
    full("option tcplog", BOTH, CLF, "log connections"),
    full("option httpslog", BOTH, FLAG, "log requests with what TLS negotiated"),
    full("option dontlognull", CLIENT_SIDE, FLAG, "do not log connections without data"),
    full("option dontlog-normal", CLIENT_SIDE, FLAG, "log failures only"),
    full("option logasap", CLIENT_SIDE, FLAG, "log before the end"),
    full("option log-separate-errors", CLIENT_SIDE, FLAG, "raise the level of failures"),
    full("option log-health-checks", SERVER_SIDE, FLAG, "log every change of a check"),
    // HTTP.
    full("option forwardfor", BOTH, &[Arg::Settings(FORWARDFOR)], "add the client's address"),
    full("option originalto", BOTH, &[Arg::Settings(ORIGINALTO)], "add the address the client connected to"),
    full("option forwarded", SERVER_SIDE, REST, "add a Forwarded header"),
    full("option http-server-close", BOTH, FLAG, "close towards servers, keep clients"),
    full("option http-keep-alive", BOTH, FLAG, "keep both sides"),
    full("option httpclose", BOTH, FLAG, "close both sides"),
    full("option http-pretend-keepalive", BOTH, FLAG, "do not tell servers that we close"),
    full("option http-ignore-probes", CLIENT_SIDE, FLAG, "say nothing to clients that said nothing"),
    moot(
        "option http-no-delay",
        BOTH,
        FLAG,
        "every segment is sent at once anyway",
        "send every segment at once",
    ),
    full("option abortonclose", BOTH, FLAG, "drop queued requests whose client left"),
    full(
        "option accept-unsafe-violations-in-http-request",
        CLIENT_SIDE,
        FLAG,
        "accept some malformed requests",
    ),
    full(
        "option accept-unsafe-violations-in-http-response",
        SERVER_SIDE,
        FLAG,
        "accept some malformed responses",
    ),
    full("option http-buffer-request", BOTH, FLAG, "wait for the body"),
    full("option checkcache", SERVER_SIDE, FLAG, "block cacheable cookies"),
    full(
        "option http-use-proxy-header",
        CLIENT_SIDE,
        FLAG,
        "authenticate as a proxy does what is asked of one",
    ),
    full(
        "option http-restrict-req-hdr-names",
        BOTH,
        &[Arg::Choice(&["preserve", "delete", "reject"])],
        "limit header names",
    ),
    full("option http-drop-request-trailers", SERVER_SIDE, FLAG, "drop trailers"),
    full("option http-drop-response-trailers", CLIENT_SIDE, FLAG, "drop trailers"),
    full("option h1-case-adjust-bogus-client", CLIENT_SIDE, FLAG, "adjust case"),
    full("option h1-case-adjust-bogus-server", SERVER_SIDE, FLAG, "adjust case"),
    moot("option disable-h2-upgrade", CLIENT_SIDE, FLAG, "HTTP/2 is not spoken", "no upgrade to HTTP/2"),
    full("option idle-close-on-response", CLIENT_SIDE, FLAG, "close after the response"),
    // Connections.
    full(
        "option redispatch",
        SERVER_SIDE,
        &[Arg::Maybe(&Arg::Int("interval", i32::MIN as i64, i32::MAX as i64))],
        "try another server",
    ),
    full("option tcpka", BOTH, FLAG, "TCP keep-alive on both sides"),
    full("option clitcpka", CLIENT_SIDE, FLAG, "TCP keep-alive towards clients"),
    full("option srvtcpka", SERVER_SIDE, FLAG, "TCP keep-alive towards servers"),
    full("option nolinger", BOTH, FLAG, "reset on close"),
    full("option allbackups", SERVER_SIDE, FLAG, "use all backup servers at once"),
    full("option persist", SERVER_SIDE, FLAG, "stay on a server that is down"),
    full("option prefer-last-server", SERVER_SIDE, FLAG, "stay on the last server if possible"),
    full("option transparent", SERVER_SIDE, FLAG, "connect to the original destination"),
    full("option socket-stats", CLIENT_SIDE, FLAG, "counters per listener"),
    moot("option contstats", CLIENT_SIDE, FLAG, "counters are always current", "count while data passes"),
    moot("option splice-auto", BOTH, FLAG, SPLICE, "splice where it pays"),
    moot("option splice-request", BOTH, FLAG, SPLICE, "splice requests"),
    moot("option splice-response", BOTH, FLAG, SPLICE, "splice responses"),
    full("option tcp-smart-accept", CLIENT_SIDE, FLAG, "acknowledge a request with its answer"),
    full("option tcp-smart-connect", SERVER_SIDE, FLAG, "complete a connection with its first data"),
    moot(
        "option independent-streams",
        BOTH,
        FLAG,
        "only reads re-arm timers where it matters",
        "timers per direction",
    ),
    moot(
        "option use-small-buffers",
        SERVER_SIDE,
        SMALL_BUFFERS,
        "buffers grow as needed",
        "where small buffers are used",
    ),
    moot("option dont-parse-log", FRONTEND | LISTEN, FLAG, OF_LOG_FORWARD, "pass log lines as they are"),
    moot(
        "option assume-rfc6587-ntf",
        FRONTEND | LISTEN,
        FLAG,
        OF_LOG_FORWARD,
        "log lines end where they end",
    ),
    // Checks.
    full(
        "option httpchk",
        SERVER_SIDE,
        &[Arg::Maybe(&Arg::Word("method or uri")), Arg::Maybe(&Arg::Word("uri")), Arg::Rest],
        "check with a request",
    ),
    full("option tcp-check", SERVER_SIDE, FLAG, "check with rules"),
    full("option pgsql-check", SERVER_SIDE, &[Arg::Settings(CHECK_USER)], "check PostgreSQL"),
    full("option mysql-check", SERVER_SIDE, &[Arg::Settings(CHECK_USER)], "check MySQL"),
    full("option redis-check", SERVER_SIDE, FLAG, "check Redis"),
    full(
        "option smtpchk",
        SERVER_SIDE,
        &[Arg::Maybe(&Arg::Word("HELO or EHLO")), Arg::Maybe(&Arg::Word("domain"))],
        "check SMTP",
    ),
    full("option ldap-check", SERVER_SIDE, FLAG, "check LDAP"),
    full("option ssl-hello-chk", SERVER_SIDE, FLAG, "check with a TLS greeting"),
    full("option spop-check", SERVER_SIDE, FLAG, "check SPOP agents"),
    full("option external-check", SERVER_SIDE, FLAG, "check with a program"),
];
