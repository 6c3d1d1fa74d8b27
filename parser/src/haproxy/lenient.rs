//! Where HAProxy reads a line less strictly than it is meant.
//!
//! Many of its keywords take a number as `atol` does: what is no number is zero, and what follows the digits is not
//! looked at. Others never look at the words behind their argument. Such lines are valid there, so they are here, with a
//! warning that says what is read.

use std::time::Duration;

use super::grammar::Keyword;

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

/// Line (empty: the keyword begins it), keyword, how its number is read.
const NUMBERS: &[(&str, &str, Loose)] = &[
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
    ("bind", "backlog", loose(true, false, true, false)),
    ("bind", "gid", loose(true, true, true, false)),
    ("bind", "maxconn", loose(true, false, true, false)),
    ("bind", "nice", loose(true, false, false, false)),
    ("bind", "uid", loose(true, true, true, false)),
    ("bind", "id", number(false, true)),
    ("bind", "accept-netscaler-cip", loose(false, true, true, false)),
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

/// Times that have limits of their own: line (empty: the keyword begins it), keyword, least and greatest.
const TIMES: &[(&str, &str, Duration, Duration)] = &[
    ("server", "inter", Duration::from_millis(1), Duration::MAX),
    ("server", "fastinter", Duration::from_millis(1), Duration::MAX),
    ("server", "downinter", Duration::from_millis(1), Duration::MAX),
    ("server", "agent-inter", Duration::from_millis(1), Duration::MAX),
    ("", "warn-blocked-traffic-after", Duration::from_millis(1), Duration::from_secs(1)),
];

/// Keywords of one argument, or of none, that never look behind it.
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
    "compression offload",
    "http-send-name-header",
    "hash-balance-factor",
    "log-tag",
    "guid",
    "unique-id-header",
    "warn-blocked-traffic-after",
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
    keyword.sections != 0 && HEEDLESS.contains(&keyword.name)
}

/// How a keyword reads its number, if loosely. `line` is the first word of the line.
pub(super) fn loosely(keyword: &Keyword, line: &str) -> Option<Loose> {
    let line = kind_of_line(keyword, line)?;
    NUMBERS.iter().find(|(at, name, _)| *at == line && *name == keyword.name).map(|(.., loose)| *loose)
}

/// The kind of line that a setting is of; empty for a keyword that begins its line.
fn kind_of_line(keyword: &Keyword, line: &str) -> Option<&'static str> {
    match keyword.sections {
        0 if line.starts_with("bind") || line.starts_with("stats socket") => Some("bind"),
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
