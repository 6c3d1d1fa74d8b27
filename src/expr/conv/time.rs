//! Converters from seconds since 1970 to text.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use smallvec::SmallVec;

use crate::ir::expr::TimeUnit;

use super::super::sample::{Bytes, Sample, push_display};

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn split(value: i64, unit: TimeUnit) -> (i64, i64) {
    let per_second = match unit {
        TimeUnit::Seconds => 1,
        TimeUnit::Milliseconds => 1000,
        TimeUnit::Microseconds => 1_000_000,
    };
    (value.div_euclid(per_second), value.rem_euclid(per_second))
}

/// `ltime` and `utime`: a strftime(3) format.
pub(super) fn local(
    value: i64,
    format: &str,
    offset: i64,
    unit: TimeUnit,
    zone: &TimeZone,
) -> Option<Sample<'static>> {
    let (seconds, fraction) = split(value, unit);
    let stamp = Timestamp::from_second(seconds.checked_add(offset)?).ok()?;
    // `%N` is HAProxy's own: the fraction in the unit of the input.
    let text = match unit {
        TimeUnit::Milliseconds => format.replace("%N", &format!("{fraction:03}")),
        TimeUnit::Microseconds => format.replace("%N", &format!("{fraction:06}")),
        TimeUnit::Seconds => format.to_owned(),
    };
    let out = jiff::fmt::strtime::format(text.as_bytes(), &stamp.to_zoned(zone.clone())).ok()?;
    Some(Sample::Str(Bytes::copy(out.as_bytes())))
}

/// `http_date`: IMF-fixdate (RFC 9110 section 5.6.7), with a fraction if the unit has one.
pub(super) fn http_date(value: i64, offset: i64, unit: TimeUnit) -> Option<Sample<'static>> {
    let (seconds, fraction) = split(value.checked_add(offset)?, unit);
    let t = Timestamp::from_second(seconds).ok()?.to_zoned(TimeZone::UTC);
    let mut out = SmallVec::new();
    let weekday = WEEKDAYS[usize::try_from(t.weekday().to_monday_zero_offset()).ok()?];
    let month = MONTHS[usize::try_from(t.month() - 1).ok()?];
    push_display(
        &mut out,
        format_args!(
            "{weekday}, {:02} {month} {:04} {:02}:{:02}:{:02}",
            t.day(),
            t.year(),
            t.hour(),
            t.minute(),
            t.second()
        ),
    );
    if unit != TimeUnit::Seconds {
        push_display(&mut out, format_args!(".{fraction}"));
    }
    out.extend_from_slice(b" GMT");
    Some(Sample::Str(Bytes::Own(out)))
}

/// Seconds since 1970 of a date in one of HTTP's three forms (RFC 9110 section 5.6.7).
pub(super) fn from_http_date(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let parsed = |format: &str| {
        let parsed = jiff::fmt::strtime::parse(format, text).ok()?;
        parsed.to_datetime().ok()?.to_zoned(TimeZone::UTC).ok()
    };
    let zoned = parsed("%a, %d %b %Y %H:%M:%S GMT")
        .or_else(|| parsed("%A, %d-%b-%y %H:%M:%S GMT"))
        .or_else(|| parsed("%a %b %e %H:%M:%S %Y"))?;
    Some(zoned.timestamp().as_second())
}
