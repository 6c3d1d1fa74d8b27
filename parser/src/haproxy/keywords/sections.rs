//! `log-forward`, `log-profile`, and sections that are reported as a whole: `fcgi-app`, `program`, `crt-store`, `acme`, `traces`.
//!
//! What stands in a section that is reported does nothing on its own, so none of it is reported again.

use super::bind::{BIND, VERSION};
use super::common::*;

const REST: &[Arg] = &[Arg::Rest];
const WORD: &[Arg] = &[Arg::Word("value")];
const FLAG: &[Arg] = &[];
const REPORTED: &str = "the section is reported";

const fn of(name: &'static str, section: Sections, args: &'static [Arg], doc: &'static str) -> Keyword {
    moot(name, section, args, REPORTED, doc)
}

/// `load` of `crt-store`.
const LOAD: &[Keyword] = &[
    of("crt", NONE, &[FILE], "certificate"),
    of("key", NONE, &[FILE], "key"),
    of("alias", NONE, &[NAME], "name to refer to it by"),
    of("ocsp", NONE, &[FILE], "OCSP response"),
    of("issuer", NONE, &[FILE], "issuer of the OCSP response"),
    of("sctl", NONE, &[FILE], "timestamps"),
    of("ocsp-update", NONE, &[Arg::Choice(&["on", "off"])], "keep the OCSP response up to date"),
    of("acme", NONE, &[NAME], "section that orders it"),
    of("domains", NONE, WORD, "names to order it for"),
    of("generate-dummy", NONE, &[Arg::Choice(&["on", "off"])], "start with a certificate of its own making"),
    of("jwt", NONE, &[Arg::Choice(&["on", "off"])], "use for tokens"),
    of("keytype", NONE, &[Arg::Choice(&["RSA", "ECDSA"])], "kind of key"),
    of("bits", NONE, &[Arg::Int("bits", 0, i32::MAX as i64)], "length of an RSA key"),
    of("curves", NONE, WORD, "curve of an ECDSA key"),
    of("ktls", NONE, WORD, "TLS in the kernel"),
];

/// `ssl-f-use`: what a line of a certificate list says, and what `load` does.
pub(super) const CERTIFICATE: &[Keyword] = &{
    let mut rows = [LISTED[0]; LISTED.len() + LOAD.len()];
    let mut at = 0;
    while at < rows.len() {
        rows[at] = if at < LOAD.len() { LOAD[at] } else { LISTED[at - LOAD.len()] };
        at += 1;
    }
    rows
};

/// What a line of a certificate list says of its certificate.
const LISTED: &[Keyword] = &[
    of("allow-0rtt", NONE, FLAG, "take early data"),
    of("alpn", NONE, WORD, "protocols"),
    of("ca-file", NONE, &[FILE], "who signs clients' certificates"),
    of("ca-verify-file", NONE, &[FILE], "who signs them, unnamed to clients"),
    of("ciphers", NONE, WORD, "ciphers"),
    of("ciphersuites", NONE, WORD, "TLS 1.3 ciphers"),
    of("client-sigalgs", NONE, WORD, "signatures of clients"),
    of("crl-file", NONE, &[FILE], "revoked certificates"),
    of("ecdhe", NONE, WORD, "curve"),
    of("no-alpn", NONE, FLAG, "no protocols"),
    of("no-ca-names", NONE, FLAG, "do not name them to clients"),
    of("npn", NONE, WORD, "protocols"),
    of("sigalgs", NONE, WORD, "signatures"),
    of("ssl-min-ver", NONE, VERSION, "oldest version"),
    of("ssl-max-ver", NONE, VERSION, "newest version"),
    of(
        "verify",
        NONE,
        &[Arg::Choice(&["none", "optional", "required"])],
        "whether clients need a certificate",
    ),
];

/// `on` of `log-profile`.
const STEP: &[Keyword] = &[
    full("drop", NONE, FLAG, "write nothing"),
    full("format", NONE, &[Arg::Word("format")], "what the line contains"),
    full("sd", NONE, &[Arg::Word("format")], "structured data of the line"),
];

const STEPS: &[&str] = &[
    "accept",
    "request",
    "connect",
    "response",
    "close",
    "error",
    "any",
    "http-req",
    "http-res",
    "http-after-res",
    "quic-init",
    "tcp-req-conn",
    "tcp-req-sess",
    "tcp-req-cont",
    "tcp-res-cont",
];

const BITS: &[Arg] = &[Arg::Int("bits", 0, i32::MAX as i64)];

pub(super) const KEYWORDS: &[Keyword] = &[
    // log-forward; `log` has its row with the proxies.
    full("bind", LOG_FORWARD, &[Arg::Addrs, Arg::Settings(BIND)], "where to listen for TCP"),
    full("dgram-bind", LOG_FORWARD, &[Arg::Addrs, Arg::Settings(BIND)], "where to listen for UDP"),
    full("backlog", LOG_FORWARD, &[COUNT], "connections waiting to be accepted"),
    full("maxconn", LOG_FORWARD, &[COUNT], "connections at a time"),
    full("timeout client", LOG_FORWARD, &[MS], "how long to wait for lines"),
    full("option assume-rfc6587-ntf", LOG_FORWARD, FLAG, "lines end where they end"),
    full("option dont-parse-log", LOG_FORWARD, FLAG, "pass lines as they are"),
    full(
        "option host",
        LOG_FORWARD,
        &[Arg::Choice(&["replace", "fill", "keep", "append"])],
        "the host field",
    ),
    // log-profile
    full("log-tag", LOG_PROFILE, WORD, "name of the program"),
    full("on", LOG_PROFILE, &[Arg::Choice(STEPS), Arg::Settings(STEP)], "line of a step"),
    // fcgi-app
    of("acl", FCGI_APP, &[NAME, Arg::Rest], "name a condition"),
    of("docroot", FCGI_APP, &[Arg::Word("directory")], "where scripts are"),
    of("index", FCGI_APP, &[Arg::Word("script")], "script of a directory"),
    of("log-stderr", FCGI_APP, &[Arg::Some("target")], "where errors are logged"),
    of("pass-header", FCGI_APP, &[NAME, Arg::Cond], "header to pass"),
    of("path-info", FCGI_APP, &[Arg::Word("regex")], "how paths are cut"),
    of("set-param", FCGI_APP, &[NAME, Arg::Word("format"), Arg::Cond], "a parameter"),
    of("option get-values", FCGI_APP, FLAG, "ask what the application can do"),
    of("option keep-conn", FCGI_APP, FLAG, "keep connections"),
    of("option max-reqs", FCGI_APP, &[Arg::Int("requests", 1, i32::MAX as i64)], "requests at a time"),
    of("option mpxs-conns", FCGI_APP, FLAG, "several requests on a connection"),
    // program
    of("command", PROGRAM, &[Arg::Some("command")], "what to run"),
    of("user", PROGRAM, &[NAME], "as whom"),
    of("group", PROGRAM, &[NAME], "as whom"),
    of("option start-on-reload", PROGRAM, FLAG, "start it anew on a reload"),
    // crt-store
    of("crt-base", CRT_STORE, &[Arg::Word("directory")], "directory of certificates"),
    of("key-base", CRT_STORE, &[Arg::Word("directory")], "directory of keys"),
    of("load", CRT_STORE, &[Arg::Settings(LOAD)], "a certificate"),
    // acme
    of("account-key", ACME, &[FILE], "key of the account"),
    of("acme-vars", ACME, WORD, "variables for the program that solves challenges"),
    of("bits", ACME, BITS, "length of an RSA key"),
    of("challenge", ACME, WORD, "kind of challenge"),
    of("challenge-ready", ACME, WORD, "what must be ready"),
    of("contact", ACME, WORD, "mail address of the account"),
    of("curves", ACME, WORD, "curve of an ECDSA key"),
    of("directory", ACME, WORD, "URL of the authority"),
    of("dns-delay", ACME, &[SEC], "time until names are published"),
    of("dns-timeout", ACME, &[SEC], "longest time until names are published"),
    of("eab-key-id", ACME, WORD, "external account"),
    of("eab-mac-alg", ACME, WORD, "external account"),
    of("eab-mac-key", ACME, WORD, "external account"),
    of("keytype", ACME, &[Arg::Choice(&["RSA", "ECDSA"])], "kind of key"),
    of("map", ACME, WORD, "map that answers challenges"),
    of("profile", ACME, WORD, "profile of the authority"),
    of("provider-name", ACME, WORD, "name of the DNS provider"),
    of("reuse-key", ACME, &[Arg::Choice(&["on", "off"])], "keep the key"),
    // traces
    of("trace", TRACES, REST, "what to trace"),
];
