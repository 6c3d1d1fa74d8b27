//! `http-check` and `tcp-check`.

use super::common::*;

const REST: &[Arg] = &[Arg::Rest];
const FLAG: &[Arg] = &[];
const WORD: &[Arg] = &[Arg::Word("value")];
const SENT: &[Arg] = &[Arg::Some("data")];

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
    inert("via-socks4", NONE, FLAG, "SOCKS is not used", "use SOCKS"),
    inert("ssl", NONE, FLAG, "the check is made in clear", "use TLS"),
    inert("sni", NONE, WORD, "the check is made in clear", "name in TLS"),
    inert("alpn", NONE, WORD, "the check is made in clear", "protocol in TLS"),
    inert("proto", NONE, WORD, "the usual protocol is used", "protocol"),
    full("linger", NONE, FLAG, "close with FIN, not RST"),
    full("comment", NONE, WORD, "note"),
];

pub(super) const KEYWORDS: &[Keyword] = &[
    full("http-check expect", SERVER_SIDE, &[Arg::Some("matcher")], "what a good answer is"),
    full("http-check send", SERVER_SIDE, &[Arg::Settings(SEND)], "what to ask"),
    full("http-check disable-on-404", SERVER_SIDE, FLAG, "a 404 drains the server"),
    full("http-check send-state", SERVER_SIDE, FLAG, "tell the server its state"),
    full("http-check connect", SERVER_SIDE, &[Arg::Settings(CONNECT)], "where to ask"),
    full("http-check comment", SERVER_SIDE, WORD, "note"),
    full("http-check set-var", SERVER_SIDE, REST, "set a variable"),
    full("http-check set-var-fmt", SERVER_SIDE, REST, "set a variable"),
    full("http-check unset-var", SERVER_SIDE, REST, "remove a variable"),
    full("tcp-check connect", SERVER_SIDE, &[Arg::Settings(CONNECT)], "connect"),
    full("tcp-check send", SERVER_SIDE, SENT, "send text"),
    full("tcp-check send-binary", SERVER_SIDE, SENT, "send bytes"),
    full("tcp-check send-lf", SERVER_SIDE, SENT, "send a log-format"),
    full("tcp-check send-binary-lf", SERVER_SIDE, SENT, "send a log-format as bytes"),
    full("tcp-check expect", SERVER_SIDE, &[Arg::Some("matcher")], "what a good answer is"),
    full("tcp-check comment", SERVER_SIDE, WORD, "note"),
    full("tcp-check set-var", SERVER_SIDE, REST, "set a variable"),
    full("tcp-check set-var-fmt", SERVER_SIDE, REST, "set a variable"),
    full("tcp-check unset-var", SERVER_SIDE, REST, "remove a variable"),
];
