//! Lines that come in over the network: taken apart, and put together again in the format of a target.
//!
//! What is no message of RFC 3164 or RFC 5424 passes as a text, as in HAProxy.

use std::io::Write as _;
use std::net::IpAddr;
use std::time::SystemTime;

use super::framing::{bsd_time, iso_time};
use crate::ir::log::{Facility, HostField, LogFraming};

/// Length of `Nov 21 09:04:28`.
const BSD_LEN: usize = 15;
/// Least length of a time stamp of RFC 5424: `2026-11-21T09:04:28Z`.
const ISO_LEN: usize = 20;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A line taken apart. Empty fields were not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Received<'a> {
    /// `<134>`, as it was written.
    priority: &'a [u8],
    /// Facility and severity; without a priority the severity is the gravest.
    code: u16,
    time: &'a [u8],
    host: &'a [u8],
    tag: &'a [u8],
    pid: &'a [u8],
    id: &'a [u8],
    data: &'a [u8],
    message: &'a [u8],
}

/// Takes a line apart.
pub(super) fn parse(line: &[u8]) -> Received<'_> {
    let mut found = Received { message: line, ..Received::default() };
    let Some((priority, code, rest)) = priority(line) else { return found };
    (found.priority, found.code, found.message) = (priority, code, rest);
    modern(rest, &found).or_else(|| traditional(rest, &found)).unwrap_or(found)
}

/// A line as it is, for those that are not to be looked into.
pub(super) fn whole(line: &[u8]) -> Received<'_> {
    Received { message: line, ..Received::default() }
}

fn priority(line: &[u8]) -> Option<(&[u8], u16, &[u8])> {
    let digits = line.strip_prefix(b"<")?;
    let end = digits.iter().take(4).position(|c| *c == b'>')?;
    let code = std::str::from_utf8(&digits[..end]).ok()?.parse().ok()?;
    Some((&line[..end + 2], code, &digits[end + 1..]))
}

/// RFC 5424 section 6.
fn modern<'a>(rest: &'a [u8], found: &Received<'a>) -> Option<Received<'a>> {
    let mut rest = rest.strip_prefix(b"1 ")?;
    let mut field = || {
        let (field, after) = word(rest)?;
        rest = after;
        Some(field)
    };
    let (time, host, tag, pid, id) = (field()?, field()?, field()?, field()?, field()?);
    if time != b"-" && (time.len() < ISO_LEN || time[4] != b'-' || time[10] != b'T') {
        return None;
    }
    let some = |field: &'a [u8]| if field == b"-" { &[][..] } else { field };
    let (data, message) = data(rest)?;
    let [host, tag, pid, id] = [host, tag, pid, id].map(some);
    Some(Received { time, host, tag, pid, id, data, message, ..found.clone() })
}

/// Structured data and what follows.
fn data(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(message) = rest.strip_prefix(b"-") {
        return Some((&[], message.strip_prefix(b" ").unwrap_or(message)));
    }
    let mut at = 0;
    while rest.get(at) == Some(&b'[') {
        let mut escaped = false;
        let end = rest[at..].iter().position(|c| {
            let closes = *c == b']' && !escaped;
            escaped = *c == b'\\' && !escaped;
            closes
        })?;
        at += end + 1;
    }
    let message = &rest[at..];
    (at > 0).then(|| (&rest[..at], message.strip_prefix(b" ").unwrap_or(message)))
}

/// RFC 3164 section 4.1.
fn traditional<'a>(rest: &'a [u8], found: &Received<'a>) -> Option<Received<'a>> {
    let (time, after) = rest.split_at_checked(BSD_LEN)?;
    let after = after.strip_prefix(b" ")?;
    let is_time = MONTHS.iter().any(|month| time.starts_with(month.as_bytes()))
        && time[3] == b' '
        && time[6] == b' '
        && time[9] == b':'
        && time[12] == b':';
    if !is_time {
        return None;
    }
    let (host, message) = word(after)?;
    let whole = Received { time, host, message, ..found.clone() };
    // `tag:` or `tag[pid]:`; what else comes first is the message.
    let Some(end) = message.iter().position(|c| matches!(c, b' ' | b'[' | b':')) else { return Some(whole) };
    let (tag, behind) = message.split_at(end);
    let (pid, behind): (&[u8], &[u8]) = match behind[0] {
        b':' => (&[], behind),
        b'[' => match behind.iter().position(|c| *c == b']') {
            Some(close) => (&behind[1..close], &behind[close + 1..]),
            None => return Some(whole),
        },
        _ => return Some(whole),
    };
    let Some(message) = behind.strip_prefix(b":") else { return Some(whole) };
    Some(Received { tag, pid, message: message.strip_prefix(b" ").unwrap_or(message), ..whole })
}

/// A word that a blank follows, and what stands behind it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b' ', text).filter(|end| *end > 0)?;
    Some((&text[..end], &text[end + 1..]))
}

impl Received<'_> {
    /// Severity, 0 to 7.
    pub(super) fn severity(&self) -> u8 {
        (self.code & 7) as u8
    }

    /// Length of the message.
    pub(super) fn message_len(&self) -> usize {
        self.message.len()
    }

    /// The format that says as much as the line did.
    fn format(&self) -> LogFraming {
        if !self.host.is_empty() {
            let modern = self.time == b"-" || self.time.len() >= ISO_LEN;
            return if modern { LogFraming::Rfc5424 } else { LogFraming::Rfc3164 };
        }
        if self.priority.is_empty() { LogFraming::Raw } else { LogFraming::Priority }
    }

    /// Writes the line in a format. `facility`: of a line without a priority.
    pub(super) fn write(
        &self,
        line: &mut Vec<u8>,
        framing: LogFraming,
        facility: Facility,
        (policy, sender): (HostField, Option<IpAddr>),
        now: SystemTime,
    ) {
        let framing = if framing == LogFraming::AsReceived { self.format() } else { framing };
        let level = self.severity();
        // Writing to a vector cannot fail.
        match framing {
            LogFraming::Raw | LogFraming::AsReceived => {}
            LogFraming::Priority => self.priority(line, facility),
            LogFraming::Short => {
                let _ = write!(line, "<{level}>");
            }
            LogFraming::Iso => {
                self.iso(line, now);
                line.push(b' ');
            }
            LogFraming::Timed => {
                let _ = write!(line, "<{level}>");
                self.iso(line, now);
                line.push(b' ');
            }
            LogFraming::Unsaid | LogFraming::Local | LogFraming::Rfc3164 => {
                self.priority(line, facility);
                self.bsd(line, now);
                line.push(b' ');
                if framing == LogFraming::Rfc3164 {
                    self.host(line, policy, sender, "localhost");
                    line.push(b' ');
                }
                if !self.tag.is_empty() {
                    line.extend_from_slice(self.tag);
                    if !self.pid.is_empty() {
                        line.push(b'[');
                        line.extend_from_slice(self.pid);
                        line.push(b']');
                    }
                    line.extend_from_slice(b": ");
                }
            }
            LogFraming::Rfc5424 => {
                self.priority(line, facility);
                line.extend_from_slice(b"1 ");
                self.iso(line, now);
                line.push(b' ');
                self.host(line, policy, sender, "-");
                for field in [self.tag, self.pid, self.id, self.data] {
                    line.push(b' ');
                    line.extend_from_slice(if field.is_empty() { b"-" } else { field });
                }
                line.push(b' ');
            }
        }
        line.extend_from_slice(self.message);
    }

    fn priority(&self, line: &mut Vec<u8>, facility: Facility) {
        if self.priority.is_empty() {
            let _ = write!(line, "<{}>", u16::from(facility.0) * 8);
        } else {
            line.extend_from_slice(self.priority);
        }
    }

    fn host(&self, line: &mut Vec<u8>, policy: HostField, sender: Option<IpAddr>, nobody: &str) {
        let written = (!self.host.is_empty()).then_some(self.host);
        let _ = match (policy, written, sender) {
            (HostField::Append, Some(host), Some(ip)) => {
                line.extend_from_slice(host);
                write!(line, ",{ip}")
            }
            (HostField::Replace, _, Some(ip)) | (HostField::Fill | HostField::Append, None, Some(ip)) => {
                write!(line, "{ip}")
            }
            (_, Some(host), _) => line.write_all(host),
            (_, None, _) => write!(line, "{nobody}"),
        };
    }

    fn bsd(&self, line: &mut Vec<u8>, now: SystemTime) {
        if self.time.len() == BSD_LEN {
            return line.extend_from_slice(self.time);
        }
        let text = std::str::from_utf8(self.time).unwrap_or_default();
        let date = || {
            let month = MONTHS.get(text.get(5..7)?.parse::<usize>().ok()?.checked_sub(1)?)?;
            Some((month, text.get(8..10)?.parse::<u8>().ok()?, text.get(11..19)?))
        };
        match date() {
            Some((month, day, time)) => {
                let _ = write!(line, "{month} {day:>2} {time}");
            }
            None => bsd_time(line, now),
        }
    }

    fn iso(&self, line: &mut Vec<u8>, now: SystemTime) {
        if self.time.len() != BSD_LEN {
            return if self.time.is_empty() {
                iso_time(line, now)
            } else {
                line.extend_from_slice(self.time)
            };
        }
        let text = std::str::from_utf8(self.time).unwrap_or_default();
        let date = || {
            let month = MONTHS.iter().position(|month| text.starts_with(month))? + 1;
            Some((month, text.get(4..6)?.trim().parse::<u8>().ok()?, text.get(7..)?))
        };
        match date() {
            Some((month, day, time)) => {
                // The year is not said: it is this one.
                let stamp = jiff::Timestamp::try_from(now).unwrap_or_default();
                let year = stamp.to_zoned(jiff::tz::TimeZone::system()).year();
                let _ = write!(line, "{year:04}-{month:02}-{day:02}T{time}-00:00");
            }
            None => iso_time(line, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn written(line: &str, framing: LogFraming) -> String {
        let mut out = Vec::new();
        let now = UNIX_EPOCH + Duration::from_secs(1_795_251_872);
        let host = (HostField::Keep, Some([192, 0, 2, 1].into()));
        parse(line.as_bytes()).write(&mut out, framing, Facility(19), host, now);
        String::from_utf8(out).unwrap()
    }

    /// What HAProxy 2.6.12 sends for each of these lines in each of these formats, at facility local3.
    #[test]
    fn lines_are_put_together_as_haproxy_does() {
        use LogFraming::{AsReceived, Local, Raw, Rfc3164, Rfc5424, Short};
        let bsd = "<133>Nov 21 10:11:12 myhost app[77]: hello world";
        let iso = "<134>1 2026-11-21T10:11:12.123456+00:00 myhost app 77 ID47 [a@1 b=\"c\\]\"] hello world";
        for (line, framing, expected) in [
            (bsd, AsReceived, bsd),
            (bsd, Rfc3164, bsd),
            (bsd, Rfc5424, "<133>1 2026-11-21T10:11:12-00:00 myhost app 77 - - hello world"),
            (bsd, Raw, "hello world"),
            (bsd, Local, "<133>Nov 21 10:11:12 app[77]: hello world"),
            (bsd, Short, "<5>hello world"),
            (iso, AsReceived, iso),
            (iso, Rfc5424, iso),
            (iso, Rfc3164, "<134>Nov 21 10:11:12 myhost app[77]: hello world"),
            (iso, Local, "<134>Nov 21 10:11:12 app[77]: hello world"),
            (iso, Raw, "hello world"),
            // Without a host the tag stands in its place.
            ("<134>Nov 21 10:11:12 haproxy[77]: a b", Rfc3164, "<134>Nov 21 10:11:12 haproxy[77]: a b"),
            ("<134>Nov 21 10:11:12 haproxy[77]: a b", Local, "<134>Nov 21 10:11:12 a b"),
            (
                "<134>Nov 21 10:11:12 haproxy[77]: a b",
                Rfc5424,
                "<134>1 2026-11-21T10:11:12-00:00 haproxy[77]: - - - - a b",
            ),
            ("<13>Nov  1 10:11:12 h app: a: b", Rfc5424, "<13>1 2026-11-01T10:11:12-00:00 h app - - - a: b"),
            ("<13>Nov  1 10:11:12 h app: a: b", Local, "<13>Nov  1 10:11:12 app: a: b"),
            ("<134>1 - - - - - - nothing", AsReceived, "<134>nothing"),
            ("<134>1 - - - - - - nothing", Rfc5424, "<134>1 - - - - - - nothing"),
            ("<134>plain text", AsReceived, "<134>plain text"),
            ("<134>plain text", Short, "<6>plain text"),
            ("no prio", AsReceived, "no prio"),
            ("no prio", Short, "<0>no prio"),
            ("no prio", LogFraming::Priority, "<152>no prio"),
            ("<999>bad", AsReceived, "<999>bad"),
            ("<999>bad", Short, "<7>bad"),
            ("<134>Nov 21 10:11:12 onlyhost", AsReceived, "<134>Nov 21 10:11:12 onlyhost"),
            ("<134>Nov 21 10:11:12 onlyhost", Raw, "Nov 21 10:11:12 onlyhost"),
            ("", AsReceived, ""),
            (
                "<131>1 2026-11-21T10:11:12Z h app - - - \u{feff}text\nmore",
                Rfc3164,
                "<131>Nov 21 10:11:12 h app: \u{feff}text\nmore",
            ),
        ] {
            assert_eq!(written(line, framing), expected, "{line} as {framing:?}");
        }
    }

    #[test]
    fn the_host_is_named_as_asked() {
        let named = "<13>Nov  1 10:11:12 h app: a";
        let ip: Option<IpAddr> = Some([192, 0, 2, 1].into());
        for (line, policy, sender, host) in [
            (named, HostField::Keep, ip, "h"),
            (named, HostField::Fill, ip, "h"),
            (named, HostField::Replace, ip, "192.0.2.1"),
            (named, HostField::Append, ip, "h,192.0.2.1"),
            (named, HostField::Append, None, "h"),
            ("text", HostField::Keep, ip, "-"),
            ("text", HostField::Fill, ip, "192.0.2.1"),
            ("text", HostField::Append, ip, "192.0.2.1"),
            ("text", HostField::Replace, None, "-"),
        ] {
            let mut out = Vec::new();
            parse(line.as_bytes()).write(
                &mut out,
                LogFraming::Rfc5424,
                Facility(1),
                (policy, sender),
                UNIX_EPOCH,
            );
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.split(' ').nth(2), Some(host), "{line} {policy:?} {sender:?}: {text}");
        }
    }

    #[test]
    fn anything_is_taken() {
        for line in [
            "<",
            "<>",
            "<1",
            "<12345>x",
            "<1>1",
            "<1>1 ",
            "<1>1 - - - - -",
            "<1>Nov 21 10:11:12",
            "<1>1 x y z a b [c",
        ] {
            for framing in [LogFraming::AsReceived, LogFraming::Rfc5424, LogFraming::Rfc3164] {
                let text = written(line, framing);
                assert!(!text.is_empty(), "{line}");
            }
        }
    }
}
