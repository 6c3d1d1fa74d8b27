//! `bind` and its settings, shared with `stats socket`.

use super::common::*;

const FLAG: &[Arg] = &[];
const WORD: &[Arg] = &[Arg::Word("value")];
pub(super) const VERSION: &[Arg] = &[Arg::Choice(&["SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"])];
const CLEAR: &str = "clients would be spoken to in clear";
const TLS_DETAIL: &str = "'ssl' itself is refused; without it this has no meaning";

const fn tls(name: &'static str, args: &'static [Arg]) -> Keyword {
    moot(name, NONE, args, TLS_DETAIL, "TLS setting")
}

/// Settings of a listener.
pub const BIND: &[Keyword] = &[
    full("name", NONE, &[NAME], "name in statistics"),
    full("id", NONE, &[Arg::Int("id", 1, i32::MAX as i64)], "number in statistics"),
    full("maxconn", NONE, &[COUNT], "connections at a time"),
    full("backlog", NONE, &[COUNT], "connections waiting to be accepted"),
    full("transparent", NONE, FLAG, "listen on foreign addresses"),
    full("interface", NONE, &[NAME], "listen on one interface"),
    full("accept-proxy", NONE, FLAG, "expect a PROXY header"),
    full("v4v6", NONE, FLAG, "both families on one socket"),
    full("v6only", NONE, FLAG, "IPv6 only"),
    full("defer-accept", NONE, FLAG, "accept once data is there"),
    full("mode", NONE, &[Arg::Word("octal mode")], "permissions of a unix socket"),
    full("user", NONE, &[NAME], "owner of a unix socket"),
    full("uid", NONE, &[COUNT], "owner of a unix socket"),
    full("group", NONE, &[NAME], "group of a unix socket"),
    full("gid", NONE, &[COUNT], "group of a unix socket"),
    full("level", NONE, &[Arg::Choice(&["user", "operator", "admin"])], "what commands may do"),
    full("expose-fd", NONE, &[Arg::Choice(&["listeners"])], "hand listening sockets over"),
    full(
        "accept-netscaler-cip",
        NONE,
        &[Arg::Int("magic number", 1, u32::MAX as i64)],
        "expect a NetScaler header",
    ),
    moot(
        "severity-output",
        NONE,
        &[Arg::Choice(&["none", "number", "string"])],
        "messages carry no severity",
        "severity of messages",
    ),
    full("nice", NONE, &[Arg::Int("nice", -1024, 1024)], "let others go first, or not"),
    moot("process", NONE, WORD, "every thread serves every listener", "processes that listen"),
    moot("thread", NONE, WORD, "every thread serves every listener", "threads that listen"),
    moot("shards", NONE, WORD, "sockets are shared as it measures best", "sockets per listener"),
    full("tfo", NONE, FLAG, "TCP fast open"),
    full("mss", NONE, &[Arg::Int("mss", -65535, 65535)], "largest segment"),
    full("tcp-ut", NONE, &[MS], "TCP user timeout"),
    full("tcp-ss", NONE, WORD, "keep the packet that opens a connection"),
    full("tcp-md5sig", NONE, WORD, "password that segments are signed with"),
    full("cc", NONE, WORD, "congestion control"),
    inert("label", NONE, WORD, "it is not shown", "label"),
    inert("idle-ping", NONE, &[MS], "idle connections are not probed", "probe idle connections"),
    full("namespace", NONE, &[NAME], "network namespace to listen in"),
    full("proto", NONE, WORD, "protocol"),
    moot("nbconn", NONE, &[COUNT], "reverse HTTP is not spoken", "reverse connections"),
    full("guid-prefix", NONE, WORD, "what the unique names of listeners begin with"),
    moot("quic-cc-algo", NONE, WORD, "QUIC is not spoken", "QUIC congestion control"),
    moot("quic-force-retry", NONE, FLAG, "QUIC is not spoken", "QUIC retry"),
    moot(
        "quic-socket",
        NONE,
        &[Arg::Choice(&["connection", "listener"])],
        "QUIC is not spoken",
        "QUIC sockets",
    ),
    refused("ssl", NONE, FLAG, CLEAR, "speak TLS"),
    tls("crt", WORD),
    tls("crt-list", WORD),
    tls("default-crt", WORD),
    tls("ca-file", WORD),
    tls("ca-verify-file", WORD),
    tls("ca-ignore-err", WORD),
    tls("ca-sign-file", WORD),
    tls("ca-sign-pass", WORD),
    tls("crl-file", WORD),
    tls("crt-ignore-err", WORD),
    tls("verify", &[Arg::Choice(&["none", "optional", "required"])]),
    tls("alpn", WORD),
    tls("npn", WORD),
    tls("no-alpn", FLAG),
    tls("ciphers", WORD),
    tls("ciphersuites", WORD),
    tls("curves", WORD),
    tls("ecdhe", WORD),
    tls("sigalgs", WORD),
    tls("client-sigalgs", WORD),
    tls("ssl-min-ver", VERSION),
    tls("ssl-max-ver", VERSION),
    tls("strict-sni", FLAG),
    tls("no-strict-sni", FLAG),
    tls("generate-certificates", FLAG),
    tls("prefer-client-ciphers", FLAG),
    tls("allow-0rtt", FLAG),
    tls("tls-ticket-keys", WORD),
    tls("tls-tickets", FLAG),
    tls("no-tls-tickets", FLAG),
    tls("no-ca-names", FLAG),
    tls("ktls", &[Arg::Choice(&["on", "off"])]),
    tls("ech", WORD),
    tls("force-sslv3", FLAG),
    tls("force-tlsv10", FLAG),
    tls("force-tlsv11", FLAG),
    tls("force-tlsv12", FLAG),
    tls("force-tlsv13", FLAG),
    tls("no-sslv3", FLAG),
    tls("no-tlsv10", FLAG),
    tls("no-tlsv11", FLAG),
    tls("no-tlsv12", FLAG),
    tls("no-tlsv13", FLAG),
];

pub(super) const KEYWORDS: &[Keyword] =
    &[full("bind", FRONTEND | LISTEN, &[Arg::Addrs, Arg::Settings(BIND)], "where to listen")];
