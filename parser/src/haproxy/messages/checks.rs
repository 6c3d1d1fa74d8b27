//! HAProxy's words about lines that make health checks.

use super::Fault;

/// As [`super::MESSAGES`].
pub(super) const CHECKS: &[(&str, Fault, &str)] = &[
    ("http-check disable-on-404", Fault::Extra, "'http-check' cannot handle unexpected argument '{}'."),
    ("http-check send-state", Fault::Extra, "'http-check' cannot handle unexpected argument '{}'."),
    ("http-check comment", Fault::Missing, "'http-check comment' : expects a string as argument."),
    (
        "http-check expect",
        Fault::Missing,
        "'http-check expect' : expects at least a matching pattern as arguments.",
    ),
    ("tcp-check comment", Fault::Missing, "'tcp-check comment' : expects a string as argument."),
    (
        "tcp-check expect",
        Fault::Missing,
        "'tcp-check expect' : expects at least a matching pattern as arguments.",
    ),
    ("http-check send/meth", Fault::Missing, "'http-check send' : 'meth' expects a string as argument.."),
    (
        "http-check send/hdr",
        Fault::Missing,
        "'http-check send' : 'hdr' expects <name> and <value> as arguments.",
    ),
    ("tcp-check send", Fault::Missing, "'tcp-check send' : 'string' expects a send as argument."),
    (
        "tcp-check send-binary",
        Fault::Missing,
        "'tcp-check send-binary' : 'binary string' expects a send-binary as argument.",
    ),
    ("tcp-check send-lf", Fault::Missing, "'tcp-check send-lf' : 'string' expects a send-lf as argument."),
    (
        "tcp-check send-binary-lf",
        Fault::Missing,
        "'tcp-check send-binary-lf' : 'string' expects a send-binary-lf as argument.",
    ),
    (
        "http-check set-var",
        Fault::Missing,
        "'http-check set-var' : 'set-var' : invalid or incomplete action 'set-var'. Expects 'set-var(<var-name>)', 'set-var-fmt(<var-name>)' or 'unset-var(<var-name>)'.",
    ),
    (
        "http-check set-var-fmt",
        Fault::Missing,
        "'http-check set-var-fmt' : 'set-var-fmt' : invalid or incomplete action 'set-var-fmt'. Expects 'set-var(<var-name>)', 'set-var-fmt(<var-name>)' or 'unset-var(<var-name>)'.",
    ),
    (
        "http-check unset-var",
        Fault::Missing,
        "'http-check unset-var' : 'unset-var' : invalid or incomplete action 'unset-var'. Expects 'set-var(<var-name>)', 'set-var-fmt(<var-name>)' or 'unset-var(<var-name>)'.",
    ),
    (
        "tcp-check set-var",
        Fault::Missing,
        "'tcp-check set-var' : 'set-var' : invalid or incomplete action 'set-var'. Expects 'set-var(<var-name>)', 'set-var-fmt(<var-name>)' or 'unset-var(<var-name>)'.",
    ),
    (
        "tcp-check set-var-fmt",
        Fault::Missing,
        "'tcp-check set-var-fmt' : 'set-var-fmt' : invalid or incomplete action 'set-var-fmt'. Expects 'set-var(<var-name>)', 'set-var-fmt(<var-name>)' or 'unset-var(<var-name>)'.",
    ),
    (
        "tcp-check unset-var",
        Fault::Missing,
        "'tcp-check unset-var' : 'unset-var' : invalid or incomplete action 'unset-var'. Expects 'set-var(<var-name>)', 'set-var-fmt(<var-name>)' or 'unset-var(<var-name>)'.",
    ),
    ("http-check send/uri", Fault::Missing, "'http-check send' : 'uri' expects a string as argument.."),
    (
        "http-check send",
        Fault::Wrong,
        "'http-check send' : expects 'comment', 'meth', 'uri', 'uri-lf', 'ver', 'hdr', 'body' or 'body-lf' but got '{}' as argument..",
    ),
    (
        "http-check connect",
        Fault::Wrong,
        "'http-check connect' : expects 'comment', 'port', 'addr', 'send-proxy', 'ssl', 'sni', 'alpn' or 'via-socks4', 'linger', 'default' but got '{}' as argument..",
    ),
    (
        "tcp-check connect",
        Fault::Wrong,
        "'tcp-check connect' : expects 'comment', 'port', 'addr', 'send-proxy', 'ssl', 'sni', 'alpn' or 'via-socks4', 'linger', 'default' but got '{}' as argument..",
    ),
];
