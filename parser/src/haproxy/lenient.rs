//! Where HAProxy reads a line less strictly than it is meant.
//!
//! Many of its keywords take a number as `atol` does: what is no number is zero, and what follows the digits is not
//! looked at. Others never look at the words behind their argument. Such lines are valid there, so they are here, with a
//! warning that says what is read.

use std::time::Duration;

use super::grammar::Keyword;
use super::section::GLOBAL;

/// How a number is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loose {
    /// A word that is no number is zero.
    word: bool,
    /// What follows the digits is not looked at.
    tail: bool,
    /// What is below the least value is not refused.
    below: bool,
    /// Nor is what is above the greatest.
    above: bool,
    /// The argument may be missing.
    missing: bool,
}

const fn loose(word: bool, below: bool, above: bool, missing: bool) -> Loose {
    Loose { word, tail: true, below, above, missing }
}

/// A number and nothing else, within other limits than those that are meant.
const fn number(below: bool, above: bool) -> Loose {
    Loose { word: false, tail: false, below, above, missing: false }
}

/// A number and nothing else, or nothing at all.
const OPTIONAL: Loose = Loose { word: false, tail: false, below: false, above: false, missing: true };

/// Line (empty: the keyword begins it), keyword, how its number is read.
const NUMBERS: &[(&str, &str, Loose)] = &[
    ("", "tune.http.cookielen", loose(true, true, true, false)),
    ("", "tune.http.logurilen", loose(true, true, true, false)),
    ("", "tune.runqueue-depth", loose(true, true, true, false)),
    ("", "tune.buffers.limit", loose(true, false, true, true)),
    ("", "tune.buffers.reserve", loose(true, false, true, true)),
    ("", "tune.h1.be.glitches-threshold", loose(true, false, true, true)),
    ("", "tune.h1.fe.glitches-threshold", loose(true, false, true, true)),
    ("", "tune.h2.be.glitches-threshold", loose(true, false, true, true)),
    ("", "tune.h2.be.initial-window-size", loose(true, false, true, true)),
    ("", "tune.h2.be.max-concurrent-streams", loose(true, false, true, true)),
    ("", "tune.h2.fe.glitches-threshold", loose(true, false, true, true)),
    ("", "tune.h2.fe.initial-window-size", loose(true, false, true, true)),
    ("", "tune.h2.fe.max-concurrent-streams", loose(true, false, true, true)),
    ("", "tune.h2.fe.max-total-streams", loose(true, false, true, true)),
    ("", "tune.h2.initial-window-size", loose(true, false, true, true)),
    ("", "tune.h2.max-concurrent-streams", loose(true, false, true, true)),
    ("", "tune.max-rules-at-once", loose(true, false, true, false)),
    ("", "tune.pattern.cache-size", loose(true, false, true, false)),
    ("", "tune.ssl.cachesize", loose(true, false, true, false)),
    ("", "tune.ssl.hard-maxrecord", loose(true, false, true, false)),
    ("", "tune.ssl.keyupdate-rate-limit", loose(true, false, true, false)),
    ("", "tune.ssl.maxrecord", loose(true, false, true, false)),
    ("", "tune.ssl.ssl-ctx-cache-size", loose(true, false, true, false)),
    ("", "tune.ssl.ocsp-update.mindelay", loose(true, false, true, false)),
    ("", "tune.ssl.ocsp-update.maxdelay", loose(true, false, true, false)),
    ("", "tune.h2.be.max-frames-at-once", loose(true, true, true, true)),
    ("", "tune.h2.fe.max-frames-at-once", loose(true, true, true, true)),
    ("", "tune.h2.fe.max-rst-at-once", loose(true, true, true, true)),
    ("", "tune.max-checks-per-thread", loose(true, true, true, true)),
    ("", "tune.quic.be.cc.cubic-min-losses", loose(false, false, true, false)),
    ("", "tune.quic.be.cc.max-frame-loss", loose(false, false, true, false)),
    ("", "tune.quic.be.cc.reorder-ratio", loose(false, false, true, false)),
    ("", "tune.quic.be.sec.glitches-threshold", loose(false, false, true, false)),
    ("", "tune.quic.be.stream.max-concurrent", loose(false, false, true, false)),
    ("", "tune.quic.fe.cc.cubic-min-losses", loose(false, false, true, false)),
    ("", "tune.quic.fe.cc.max-frame-loss", loose(false, false, true, false)),
    ("", "tune.quic.fe.cc.reorder-ratio", loose(false, false, true, false)),
    ("", "tune.quic.fe.sec.glitches-threshold", loose(false, false, true, false)),
    ("", "tune.quic.fe.sec.retry-threshold", loose(false, false, true, false)),
    ("", "tune.quic.fe.stream.max-concurrent", loose(false, false, true, false)),
    ("", "tune.quic.fe.stream.max-total", loose(false, false, true, false)),
    ("", "tune.memory.hot-size", loose(false, false, true, false)),
    ("", "tune.peers.max-updates-at-once", loose(false, false, true, false)),
    ("", "tune.glitches.kill.cpu-usage", loose(true, false, false, false)),
    ("", "tune.pool-high-fd-ratio", loose(true, false, false, false)),
    ("", "tune.pool-low-fd-ratio", loose(true, false, false, false)),
    ("", "tune.maxpollevents", loose(true, false, false, false)),
    ("", "tune.fail-alloc", loose(true, false, false, true)),
    ("", "tune.ring.queues", loose(true, false, false, true)),
    ("", "tune.events.max-events-at-once", loose(false, false, false, false)),
    ("", "tune.quic.be.stream.data-ratio", loose(false, false, false, false)),
    ("", "tune.quic.fe.stream.data-ratio", loose(false, false, false, false)),
    ("", "tune.comp.maxlevel", loose(false, false, false, false)),
    ("", "tune.http.maxhdr", loose(false, false, false, false)),
    ("", "tune.lua.maxmem", number(true, true)),
    ("", "tune.vars.check-max-size", OPTIONAL),
    ("", "tune.vars.global-max-size", OPTIONAL),
    ("", "tune.vars.proc-max-size", OPTIONAL),
    ("", "tune.vars.reqres-max-size", OPTIONAL),
    ("", "tune.vars.sess-max-size", OPTIONAL),
    ("", "tune.vars.txn-max-size", OPTIONAL),
    ("", "tune.lua.forced-yield", OPTIONAL),
    ("", "tune.renice.runtime", OPTIONAL),
    ("", "tune.renice.startup", OPTIONAL),
    ("", "tune.stick-counters", OPTIONAL),
    ("", "tune.streams-elasticity", number(false, true)),
    ("", "httpclient.retries", loose(true, true, true, false)),
    ("", "anonkey", loose(true, false, false, false)),
    ("", "ocsp-update.mindelay", loose(true, false, true, false)),
    ("", "ocsp-update.maxdelay", loose(true, false, true, false)),
    ("", "shm-stats-file-max-objects", loose(true, true, true, false)),
    ("", "max-age", loose(true, true, true, true)),
    ("", "maxconn", loose(true, true, true, false)),
    ("", "mworker-max-reloads", loose(true, true, true, true)),
    ("", "backlog", loose(true, true, true, false)),
    ("", "fd-hard-limit", loose(true, true, true, false)),
    ("", "fullconn", loose(true, true, true, false)),
    ("", "max-session-srv-conns", loose(true, true, true, false)),
    ("", "maxcomprate", loose(true, true, true, false)),
    ("", "maxconnrate", loose(true, true, true, false)),
    ("", "maxpipes", loose(true, true, true, false)),
    ("", "maxsessrate", loose(true, true, true, false)),
    ("", "maxsslrate", loose(true, true, true, false)),
    ("", "maxzlibmem", loose(true, true, true, false)),
    ("", "resolve_retries", loose(true, true, true, false)),
    ("", "retries", loose(true, true, true, false)),
    ("", "ulimit-n", loose(true, true, true, false)),
    ("", "maxsslconn", loose(true, false, true, false)),
    ("", "hash-balance-factor", loose(true, false, true, false)),
    ("", "capture cookie", loose(true, true, true, false)),
    ("", "capture request header", loose(true, true, true, false)),
    ("", "capture response header", loose(true, true, true, false)),
    ("", "accepted_payload_size", loose(false, true, false, false)),
    ("", "gid", loose(true, true, true, false)),
    ("", "uid", loose(true, true, true, false)),
    ("", "option redispatch", loose(true, true, true, false)),
    ("", "maxcompcpuusage", loose(true, false, false, false)),
    ("", "spread-checks", loose(true, false, false, false)),
    ("", "tune.maxaccept", loose(true, false, false, false)),
    ("", "max-secondary-entries", number(true, true)),
    ("", "clitcpka-cnt", number(true, true)),
    ("", "srvtcpka-cnt", number(true, true)),
    ("", "rate-limit sessions", number(true, true)),
    ("", "maxlen", loose(false, false, true, false)),
    ("", "max-keep-alive-queue", number(false, true)),
    ("", "stats maxconn", loose(false, false, true, false)),
    ("", "id", loose(false, false, true, false)),
    ("bind", "mss", loose(false, false, false, false)),
    ("bind", "backlog", loose(true, false, true, false)),
    ("bind", "gid", loose(true, true, true, false)),
    ("bind", "maxconn", loose(true, false, true, false)),
    ("bind", "nice", loose(true, false, false, false)),
    ("bind", "uid", loose(true, true, true, false)),
    ("bind", "id", number(false, true)),
    ("bind", "accept-netscaler-cip", loose(false, false, true, false)),
    ("server", "log-bufsize", loose(false, false, true, false)),
    ("server", "shard", loose(true, true, true, true)),
    ("server", "agent-port", loose(true, true, true, false)),
    ("server", "max-reuse", loose(true, false, true, false)),
    ("server", "maxconn", loose(true, true, true, true)),
    ("server", "maxqueue", loose(true, true, true, true)),
    ("server", "minconn", loose(true, true, true, true)),
    ("server", "pool-low-conn", loose(true, true, true, false)),
    ("server", "pool-max-conn", loose(true, false, true, false)),
    ("server", "port", loose(true, true, true, false)),
    ("server", "weight", loose(true, false, false, true)),
    ("server", "error-limit", loose(false, false, true, false)),
    ("server", "fall", loose(false, false, true, false)),
    ("server", "id", loose(false, false, true, false)),
    ("server", "rise", loose(false, false, true, false)),
];

/// Sizes of which any text is taken for one.
const SIZES: &[&str] = &["tune.maxrewrite"];

/// Times that have limits of their own: line (empty: the keyword begins it), keyword, least and greatest.
const TIMES: &[(&str, &str, Duration, Duration)] = &[
    ("server", "inter", Duration::from_millis(1), Duration::MAX),
    ("server", "fastinter", Duration::from_millis(1), Duration::MAX),
    ("server", "downinter", Duration::from_millis(1), Duration::MAX),
    ("server", "agent-inter", Duration::from_millis(1), Duration::MAX),
    ("", "tune.idletimer", Duration::ZERO, Duration::from_millis(65_535)),
    ("", "warn-blocked-traffic-after", Duration::from_millis(1), Duration::from_secs(1)),
];

/// Keywords that never look behind their arguments.
const HEEDLESS: &[&str] = &[
    "clitcpka-cnt",
    "clitcpka-idle",
    "clitcpka-intvl",
    "close-spread-time",
    "dynamic-cookie-key",
    "expose-experimental-directives",
    "grace",
    "hard-stop-after",
    "hold",
    "load-server-state-from-file",
    "max-keep-alive-queue",
    "max-session-srv-conns",
    "maxlen",
    "mworker-max-reloads",
    "nameserver",
    "numa-cpu-mapping",
    "option httpslog",
    "option redispatch",
    "parse-resolv-conf",
    "rate-limit sessions",
    "resolve_retries",
    "srvtcpka-cnt",
    "srvtcpka-idle",
    "srvtcpka-intvl",
    "stats auth",
    "stats enable",
    "stats hide-version",
    "stats maxconn",
    "stats refresh",
    "stats show-legends",
    "stats show-modules",
    "stats timeout",
    "tcp-request inspect-delay",
    "tcp-response inspect-delay",
    "timeout mail",
    "timeout resolve",
    "timeout retry",
    "be-unpublished",
    "compression minsize-req",
    "compression minsize-res",
    "compression offload",
    "http-check comment",
    "option redispatch",
    "stats show-node",
    "tcp-check comment",
    "http-send-name-header",
    "hash-balance-factor",
    "hash-type",
    "log-tag",
    "guid",
    "unique-id-header",
    "warn-blocked-traffic-after",
    "anonkey",
    "log-send-hostname",
    "ocsp-update.mindelay",
    "server-state-base",
    "server-state-file",
    "shm-stats-file",
    "shm-stats-file-max-objects",
    "ssl-security-level",
    "stats-file",
    "tune.lua.burst-timeout",
    "tune.lua.forced-yield",
    "tune.lua.maxmem",
    "tune.lua.service-timeout",
    "tune.lua.session-timeout",
    "tune.lua.task-timeout",
    "tune.pattern.cache-size",
    "tune.ssl.ocsp-update.mindelay",
    "tune.stick-counters",
    "tune.vars.check-max-size",
    "tune.vars.global-max-size",
    "tune.vars.proc-max-size",
    "tune.vars.reqres-max-size",
    "tune.vars.sess-max-size",
    "tune.vars.txn-max-size",
    "errorloc",
    "errorfile",
    "email-alert to",
    "email-alert from",
    "email-alert level",
    "email-alert mailers",
    "email-alert myhostname",
    "stats uri",
    "stats scope",
    "capture cookie",
    "declare capture",
    "mailer",
];

/// Whether what stands behind the keyword's arguments is not looked at.
pub(super) fn heedless(keyword: &Keyword) -> bool {
    // A tag of the process stands alone, one of a proxy need not.
    let is_process_tag = keyword.name == "log-tag" && keyword.sections == GLOBAL;
    keyword.sections != 0 && HEEDLESS.contains(&keyword.name) && !is_process_tag
}

/// Whether a keyword looks for all of its arguments before it looks at the first.
pub(super) fn counts_first(keyword: &Keyword) -> bool {
    matches!(keyword.name, "errorfile" | "errorloc" | "errorloc302" | "errorloc303")
}

/// Whether a keyword takes any text for a size.
pub(super) fn takes_any_size(keyword: &Keyword) -> bool {
    SIZES.contains(&keyword.name)
}

/// How a keyword reads its number, if loosely. `line` is the first word of the line.
pub(super) fn loosely(keyword: &Keyword, line: &str) -> Option<Loose> {
    let line = kind_of_line(keyword, line)?;
    NUMBERS.iter().find(|(at, name, _)| *at == line && *name == keyword.name).map(|(.., loose)| *loose)
}

/// The kind of line that a setting is of; empty for a keyword that begins its line.
fn kind_of_line(keyword: &Keyword, line: &str) -> Option<&'static str> {
    match keyword.sections {
        0 if ["bind", "unix-bind", "stats socket"].iter().any(|own| line.starts_with(own)) => Some("bind"),
        0 if line.starts_with("server") || line.starts_with("default-server") => Some("server"),
        0 => None,
        _ => Some(""),
    }
}

/// Whether a keyword refuses a time that others would take. `line` is the first word of the line.
pub(super) fn time_is_out_of_range(keyword: &Keyword, line: &str, time: Duration) -> bool {
    let Some(line) = kind_of_line(keyword, line) else { return false };
    let limits = TIMES.iter().find(|(at, name, ..)| *at == line && *name == keyword.name);
    limits.is_some_and(|(_, _, low, high)| time < *low || time > *high)
}

impl Loose {
    /// The number that a word comes to, within the limits; `None`: it is refused.
    pub(super) fn read(self, word: &str, low: i64, high: i64) -> Option<i64> {
        let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        if end == 0 && !self.word || end < digits.len() && !self.tail {
            return None;
        }
        let size = digits[..end].parse::<i64>().unwrap_or(if end == 0 { 0 } else { i64::MAX });
        let number = if word.starts_with('-') { -size } else { size };
        let fits = (number >= low || self.below || end == 0) && (number <= high || self.above);
        fits.then(|| number.clamp(low, high))
    }

    /// The number of a missing argument.
    pub(super) fn absent(self, low: i64, high: i64) -> Option<i64> {
        self.missing.then(|| 0.clamp(low, high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy::keywords;

    #[test]
    fn numbers_are_read_as_far_as_they_go() {
        let all = loose(true, true, true, true);
        let strict = loose(false, false, false, false);
        for (how, word, expected) in [
            (all, "abc", Some(0)),
            (all, "10k", Some(10)),
            (all, "-5", Some(0)),
            (all, "99999999999999999999", Some(100)),
            (strict, "5x", Some(5)),
            (number(true, true), "5x", None),
            (number(true, true), "-5", Some(0)),
            (strict, "abc", None),
            (strict, "-5", None),
            (strict, "101", None),
        ] {
            assert_eq!(how.read(word, 0, 100), expected, "{word}");
        }
        assert_eq!(all.absent(1, 5), Some(1));
        assert_eq!(strict.absent(1, 5), None);
    }

    #[test]
    fn every_name_is_a_keywords() {
        let known = |table: &[Keyword], name: &str| table.iter().any(|row| row.name == name);
        let times = TIMES.iter().map(|(line, name, ..)| (line, name));
        for (line, name) in NUMBERS.iter().map(|(line, name, _)| (line, name)).chain(times) {
            let found = match *line {
                "bind" => known(keywords::BIND, name),
                "server" => known(keywords::SERVER, name),
                _ => keywords::all().any(|row| row.name == *name),
            };
            assert!(found, "{line} {name}");
        }
        for name in HEEDLESS {
            assert!(keywords::all().any(|row| row.name == *name), "{name}");
        }
    }
}
