//! `http-check` and `tcp-check`.

use super::common::*;

const REST: &[Arg] = &[Arg::Rest];
const FLAG: &[Arg] = &[];
const WORD: &[Arg] = &[Arg::Word("value")];

/// `http-check send`.
const SEND: &[Keyword] = &[
    full("meth", NONE, &[Arg::Word("method")], "method"),
    full("uri", NONE, &[Arg::Word("uri")], "URI"),
    inert("uri-lf", NONE, WORD, "the text is sent as it is", "URI from a log-format"),
    full("ver", NONE, &[Arg::Word("version")], "version"),
    full("hdr", NONE, &[NAME, Arg::Word("value")], "one header"),
    full("body", NONE, &[Arg::Word("body")], "body"),
    inert("body-lf", NONE, WORD, "the text is sent as it is", "body from a log-format"),
    full("comment", NONE, WORD, "note"),
];

/// `tcp-check connect`, `http-check connect`.
const CONNECT: &[Keyword] = &[
    moot("default", NONE, FLAG, "it is the default", "the server's own parameters"),
    full("port", NONE, &[Arg::Int("port", 1, 65535)], "other port"),
    inert("addr", NONE, &[Arg::Addr], "the server's address is used", "other address"),
    inert("send-proxy", NONE, FLAG, "no PROXY header is sent", "send a PROXY header"),
    inert("via-socks4", NONE, FLAG, "SOCKS is not used", "use SOCKS"),
    inert("ssl", NONE, FLAG, "the check is made in clear", "use TLS"),
    inert("sni", NONE, WORD, "the check is made in clear", "name in TLS"),
    inert("alpn", NONE, WORD, "the check is made in clear", "protocol in TLS"),
    inert("proto", NONE, WORD, "the usual protocol is used", "protocol"),
    moot("linger", NONE, FLAG, "closing is always clean", "close cleanly"),
    full("comment", NONE, WORD, "note"),
];

pub(super) const KEYWORDS: &[Keyword] = &[
    full("http-check expect", SERVER_SIDE, &[Arg::Some("matcher")], "what a good answer is"),
    full("http-check send", SERVER_SIDE, &[Arg::Settings(SEND)], "what to ask"),
    full("http-check disable-on-404", SERVER_SIDE, FLAG, "a 404 drains the server"),
    full("http-check send-state", SERVER_SIDE, FLAG, "tell the server its state"),
    inert(
        "http-check connect",
        SERVER_SIDE,
        &[Arg::Settings(CONNECT)],
        "the server's own port is used",
        "where to ask",
    ),
    moot("http-check comment", SERVER_SIDE, WORD, "it is a note", "note"),
    inert("http-check set-var", SERVER_SIDE, REST, "the variable is not set", "set a variable"),
    inert("http-check set-var-fmt", SERVER_SIDE, REST, "the variable is not set", "set a variable"),
    inert("http-check unset-var", SERVER_SIDE, REST, "the variable is not set", "remove a variable"),
    full("tcp-check connect", SERVER_SIDE, &[Arg::Settings(CONNECT)], "connect"),
    full(
        "tcp-check send",
        SERVER_SIDE,
        &[Arg::Word("text"), Arg::Maybe(&Arg::Choice(&["comment"])), Arg::Maybe(&Arg::Word("note"))],
        "send text",
    ),
    full(
        "tcp-check send-binary",
        SERVER_SIDE,
        &[Arg::Word("hex"), Arg::Maybe(&Arg::Choice(&["comment"])), Arg::Maybe(&Arg::Word("note"))],
        "send bytes",
    ),
    inert("tcp-check send-lf", SERVER_SIDE, REST, "nothing is sent", "send a log-format"),
    inert("tcp-check send-binary-lf", SERVER_SIDE, REST, "nothing is sent", "send a log-format as bytes"),
    full("tcp-check expect", SERVER_SIDE, &[Arg::Some("matcher")], "what a good answer is"),
    moot("tcp-check comment", SERVER_SIDE, WORD, "it is a note", "note"),
    inert("tcp-check set-var", SERVER_SIDE, REST, "the variable is not set", "set a variable"),
    inert("tcp-check set-var-fmt", SERVER_SIDE, REST, "the variable is not set", "set a variable"),
    inert("tcp-check unset-var", SERVER_SIDE, REST, "the variable is not set", "remove a variable"),
];
