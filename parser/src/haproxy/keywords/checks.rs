//! `http-check` and `tcp-check`.

use super::common::*;
use super::options::CHECK_USER;

const FLAG: &[Arg] = &[];
const WORD: &[Arg] = &[Arg::Word("value")];
const SENT: &[Arg] = &[Arg::Some("data")];
const EXPRESSION: &[Arg] = &[Arg::Some("variable")];

/// Where the rules of checks stand.
const RULES: Sections = SERVER_SIDE | HEALTHCHECK;

/// `http-check send`.
const SEND: &[Keyword] = &[
    full("meth", NONE, &[Arg::Word("method")], "method"),
    full("uri", NONE, &[Arg::Word("uri")], "URI"),
    full("uri-lf", NONE, WORD, "URI from a log-format"),
    full("ver", NONE, &[Arg::Word("version")], "version"),
    full("hdr", NONE, &[NAME, Arg::Word("value")], "one header"),
    full("body", NONE, &[Arg::Word("body")], "body"),
    full("body-lf", NONE, WORD, "body from a log-format"),
    full("comment", NONE, WORD, "note"),
];

/// `tcp-check connect`, `http-check connect`.
const CONNECT: &[Keyword] = &[
    full("default", NONE, FLAG, "the server's own parameters"),
    full("port", NONE, &[Arg::Word("port or expression")], "other port"),
    full("addr", NONE, &[Arg::Addr], "other address"),
    full("send-proxy", NONE, FLAG, "send a PROXY header"),
    full("via-socks4", NONE, FLAG, "through the relay of the server"),
    inert("ssl", NONE, FLAG, "the check is made in clear", "use TLS"),
    inert("sni", NONE, WORD, "the check is made in clear", "name in TLS"),
    inert("alpn", NONE, WORD, "the check is made in clear", "protocol in TLS"),
    inert("proto", NONE, WORD, "the usual protocol is used", "protocol"),
    full("linger", NONE, FLAG, "close with FIN, not RST"),
    full("comment", NONE, WORD, "note"),
];

pub(super) const KEYWORDS: &[Keyword] = &[
    full("http-check expect", RULES, &[Arg::Some("matcher")], "what a good answer is"),
    full("http-check send", RULES, &[Arg::Settings(SEND)], "what to ask"),
    full("http-check disable-on-404", RULES, FLAG, "a 404 drains the server"),
    full("http-check send-state", RULES, FLAG, "tell the server its state"),
    full("http-check connect", RULES, &[Arg::Settings(CONNECT)], "where to ask"),
    full("http-check comment", RULES, WORD, "note"),
    full("http-check set-var", RULES, EXPRESSION, "set a variable"),
    full("http-check set-var-fmt", RULES, EXPRESSION, "set a variable"),
    full("http-check unset-var", RULES, EXPRESSION, "remove a variable"),
    full("tcp-check connect", RULES, &[Arg::Settings(CONNECT)], "connect"),
    full("tcp-check send", RULES, SENT, "send text"),
    full("tcp-check send-binary", RULES, SENT, "send bytes"),
    full("tcp-check send-lf", RULES, SENT, "send a log-format"),
    full("tcp-check send-binary-lf", RULES, SENT, "send a log-format as bytes"),
    full("tcp-check expect", RULES, &[Arg::Some("matcher")], "what a good answer is"),
    full("tcp-check comment", RULES, WORD, "note"),
    full("tcp-check set-var", RULES, EXPRESSION, "set a variable"),
    full("tcp-check set-var-fmt", RULES, EXPRESSION, "set a variable"),
    full("tcp-check unset-var", RULES, EXPRESSION, "remove a variable"),
    full(
        "type httpchk",
        HEALTHCHECK,
        &[Arg::Maybe(&Arg::Word("method or uri")), Arg::Maybe(&Arg::Word("uri")), Arg::Rest],
        "check with a request",
    ),
    full("type tcp-check", HEALTHCHECK, FLAG, "check with rules"),
    full("type pgsql-check", HEALTHCHECK, &[Arg::Settings(CHECK_USER)], "check PostgreSQL"),
    full("type mysql-check", HEALTHCHECK, &[Arg::Settings(CHECK_USER)], "check MySQL"),
    full("type redis-check", HEALTHCHECK, FLAG, "check Redis"),
    full(
        "type smtpchk",
        HEALTHCHECK,
        &[Arg::Maybe(&Arg::Word("HELO or EHLO")), Arg::Maybe(&Arg::Word("domain"))],
        "check SMTP",
    ),
    full("type ldap-check", HEALTHCHECK, FLAG, "check LDAP"),
    full("type ssl-hello-chk", HEALTHCHECK, FLAG, "check with a TLS greeting"),
    full("type spop-check", HEALTHCHECK, FLAG, "check SPOP agents"),
];
