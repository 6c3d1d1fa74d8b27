//! `log` and what log lines contain.

use super::common::*;

/// Facilities in the order of their codes.
pub const FACILITIES: &[&str] = &[
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2", "ftp", "ntp",
    "audit", "alert", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

/// Severities in the order of their codes.
pub const LEVELS: &[&str] = &["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

pub(super) const FORMATS: &[&str] =
    &["local", "rfc3164", "rfc5424", "priority", "short", "timed", "iso", "raw"];

const SETTINGS: &[Keyword] = &[
    full("len", NONE, &[Arg::Int("length", 80, 65535)], "longest line in bytes"),
    full("format", NONE, &[Arg::Choice(FORMATS)], "framing of a line"),
    full("sample", NONE, &[Arg::Word("ranges:size")], "send some of the lines"),
    full("profile", NONE, &[NAME], "use a log profile"),
];

/// Address, settings, facility, levels. With `global` only the first is there.
const TARGET: &[Arg] = &[
    Arg::Word("address"),
    Arg::Settings(SETTINGS),
    Arg::Maybe(&Arg::Choice(FACILITIES)),
    Arg::Maybe(&Arg::Choice(LEVELS)),
    Arg::Maybe(&Arg::Choice(LEVELS)),
];

const FORMAT: &[Arg] = &[Arg::Word("format")];

pub(super) const KEYWORDS: &[Keyword] = &[
    full("log", GLOBAL | PROXIES | PEERS | LOG_FORWARD, TARGET, "where log lines go"),
    full("log-tag", GLOBAL, &[Arg::Word("tag")], "name of the program in log lines"),
    full("log-tag", PROXIES, &[Arg::Word("tag")], "name of the program in the proxy's log lines"),
    full(
        "log-send-hostname",
        GLOBAL,
        &[Arg::Maybe(&Arg::Word("name"))],
        "put a host name into syslog headers",
    ),
    full("log-format", CLIENT_SIDE, FORMAT, "what a log line contains"),
    full("error-log-format", CLIENT_SIDE, FORMAT, "what the log line of a failed connection contains"),
    full("log-format-sd", CLIENT_SIDE, FORMAT, "structured data of RFC 5424 lines"),
    full("log-steps", CLIENT_SIDE, &[Arg::Maybe(&Arg::Word("steps"))], "when log lines are written"),
    full("unique-id-format", PROXIES, FORMAT, "what a request's unique id is made of"),
    full("unique-id-header", PROXIES, &[NAME], "header that carries the unique id"),
];
