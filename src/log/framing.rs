//! Headers of the transports (`format` of a `log` line).

use std::cell::RefCell;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;

use crate::ir::log::{LogFraming, LogTarget, Severity};

/// Who speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender<'a> {
    /// `log-send-hostname`.
    pub(super) hostname: Option<&'a str>,
    /// `log-tag`.
    pub(super) tag: &'a str,
    /// Process id.
    pub(super) pid: u32,
    /// Structured data (RFC 5424 section 6.3); empty: none.
    pub(super) data: &'a [u8],
}

/// Writes the header of one line.
pub(super) fn header(
    line: &mut Vec<u8>,
    target: &LogTarget,
    severity: Severity,
    sender: &Sender<'_>,
    now: SystemTime,
) {
    let priority = u16::from(target.facility.0) * 8 + u16::from(severity.0);
    let Sender { hostname, tag, pid, data } = *sender;
    // Writing to a vector cannot fail.
    let _ = match target.framing {
        LogFraming::Raw | LogFraming::AsReceived => Ok(()),
        LogFraming::Priority => write!(line, "<{priority}>"),
        LogFraming::Short => write!(line, "<{}>", severity.0),
        LogFraming::Iso => {
            iso_time(line, now);
            write!(line, " ")
        }
        LogFraming::Timed => {
            let _ = write!(line, "<{}>", severity.0);
            iso_time(line, now);
            write!(line, " ")
        }
        LogFraming::Unsaid | LogFraming::Local | LogFraming::Rfc3164 => {
            let _ = write!(line, "<{priority}>");
            bsd_time(line, now);
            let named = match target.framing {
                LogFraming::Rfc3164 => Some(hostname.unwrap_or("localhost")),
                LogFraming::Unsaid => hostname,
                _ => None,
            };
            if let Some(host) = named {
                let _ = write!(line, " {host}");
            }
            write!(line, " {tag}[{pid}]: ")
        }
        LogFraming::Rfc5424 => {
            let _ = write!(line, "<{priority}>1 ");
            iso_time(line, now);
            let _ = write!(line, " {} {tag} {pid} - ", hostname.unwrap_or("-"));
            line.extend_from_slice(if data.is_empty() { b"-" } else { data });
            line.push(b' ');
            Ok(())
        }
    };
}

/// The part of a time stamp that changes once a second, kept per thread.
struct Second {
    unix: u64,
    bsd: String,
    iso: String,
    offset: String,
}

fn with_second(now: SystemTime, f: impl FnOnce(&Second, u32)) {
    thread_local! {
        static SECOND: RefCell<Second> =
            const { RefCell::new(Second { unix: u64::MAX, bsd: String::new(), iso: String::new(), offset: String::new() }) };
    }
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    SECOND.with_borrow_mut(|second| {
        if second.unix != since.as_secs() {
            let stamp = jiff::Timestamp::from_second(since.as_secs().cast_signed()).unwrap_or_default();
            let local = stamp.to_zoned(TimeZone::system());
            *second = Second {
                unix: since.as_secs(),
                bsd: local.strftime("%b %e %H:%M:%S").to_string(),
                iso: local.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
                offset: local.strftime("%:z").to_string(),
            };
        }
        f(second, since.subsec_micros());
    });
}

/// `Nov 21 09:04:28`, local time (RFC 3164, 4.1.2).
pub(super) fn bsd_time(line: &mut Vec<u8>, now: SystemTime) {
    with_second(now, |s, _| line.extend_from_slice(s.bsd.as_bytes()));
}

/// `2026-11-21T09:04:32.625859+00:00`, local time with its offset (RFC 5424, 6.2.3).
pub(super) fn iso_time(line: &mut Vec<u8>, now: SystemTime) {
    with_second(now, |s, micros| {
        let _ = write!(line, "{}.{micros:06}{}", s.iso, s.offset);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::log::{Facility, LogDest};
    use std::time::Duration;

    /// What HAProxy 2.6.12 sends for each format, at local0 and severity info.
    #[test]
    fn every_framing_has_haproxys_header() {
        let now = UNIX_EPOCH + Duration::from_micros(1_795_251_872_625_859);
        let stamp = jiff::Timestamp::from_microsecond(1_795_251_872_625_859).unwrap();
        let local = stamp.to_zoned(TimeZone::system());
        let (bsd, iso) = (
            local.strftime("%b %e %H:%M:%S").to_string(),
            local.strftime("%Y-%m-%dT%H:%M:%S.%6f%:z").to_string(),
        );
        let anonymous = Sender { hostname: None, tag: "haproxy", pid: 77, data: b"" };
        let detailed = Sender { data: b"[a@1 b=\"c\"]", ..anonymous };
        let named = Sender { hostname: Some("lb1"), ..anonymous };
        for (framing, sender, expected) in [
            (LogFraming::Local, &anonymous, format!("<134>{bsd} haproxy[77]: ")),
            (LogFraming::Local, &named, format!("<134>{bsd} haproxy[77]: ")),
            (LogFraming::Unsaid, &anonymous, format!("<134>{bsd} haproxy[77]: ")),
            (LogFraming::Unsaid, &named, format!("<134>{bsd} lb1 haproxy[77]: ")),
            (LogFraming::Rfc3164, &anonymous, format!("<134>{bsd} localhost haproxy[77]: ")),
            (LogFraming::Rfc5424, &anonymous, format!("<134>1 {iso} - haproxy 77 - - ")),
            (LogFraming::Rfc5424, &named, format!("<134>1 {iso} lb1 haproxy 77 - - ")),
            (LogFraming::Rfc5424, &detailed, format!("<134>1 {iso} - haproxy 77 - [a@1 b=\"c\"] ")),
            (LogFraming::Priority, &anonymous, "<134>".to_owned()),
            (LogFraming::Short, &anonymous, "<6>".to_owned()),
            (LogFraming::Timed, &anonymous, format!("<6>{iso} ")),
            (LogFraming::Iso, &anonymous, format!("{iso} ")),
            (LogFraming::Raw, &anonymous, String::new()),
        ] {
            let target = LogTarget::new(LogDest::Stdout, framing, Facility(16));
            let mut line = Vec::new();
            header(&mut line, &target, Severity(6), sender, now);
            assert_eq!(String::from_utf8(line).unwrap(), expected, "{framing:?}");
        }
    }
}
