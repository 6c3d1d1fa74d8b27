//! Converters from seconds since 1970 to text.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::sample::{Bytes, Sample};
use crate::ir::expr::TimeUnit;
use crate::sys::calendar::strftime;

/// Seconds that are counted: HAProxy's, and the others are taken for large ones.
const COUNTED: i64 = (1 << 55) - 1;

/// 400 years, after which dates repeat themselves, and when the clocks change. A zone knows but ten thousand years.
const CYCLE: i64 = 146_097 * 86_400;

fn split(value: i64, unit: TimeUnit) -> (i64, i64) {
    let per_second = match unit {
        TimeUnit::Seconds => 1,
        TimeUnit::Milliseconds => 1000,
        TimeUnit::Microseconds => 1_000_000,
    };
    (value / per_second, value % per_second)
}

/// `ltime`, and without a zone `utime`: a strftime(3) format.
pub(super) fn in_format(
    value: i64,
    format: &str,
    offset: i64,
    unit: TimeUnit,
    zone: Option<&TimeZone>,
) -> Option<Sample<'static>> {
    let (seconds, fraction) = split(value, unit);
    let seconds = if unit == TimeUnit::Seconds { seconds & COUNTED } else { seconds };
    let seconds = seconds.checked_add(offset)?;
    let cycled = || Timestamp::from_second(seconds.rem_euclid(CYCLE));
    let known = Timestamp::from_second(seconds).or_else(|_| cycled()).ok()?;
    let there = zone.map(|zone| zone.to_offset_info(known));
    let (ahead, name) =
        there.as_ref().map_or((0, "GMT"), |zone| (zone.offset().seconds().into(), zone.abbreviation()));
    // `%N` is HAProxy's own: the fraction in the unit of the input.
    let format = match unit {
        TimeUnit::Milliseconds => Cow::from(format.replace("%N", &format!("{fraction:03}"))),
        TimeUnit::Microseconds => Cow::from(format.replace("%N", &format!("{fraction:06}"))),
        TimeUnit::Seconds => Cow::from(format),
    };
    strftime(&format, seconds, ahead, name).map(|text| Sample::Str(Bytes::copy(&text)))
}

/// `http_date`: IMF-fixdate (RFC 9110 section 5.6.7), with a fraction if the unit has one.
pub(super) fn http_date(value: i64, offset: i64, unit: TimeUnit) -> Option<Sample<'static>> {
    let (seconds, fraction) = split(value.wrapping_add(offset), unit);
    let fraction = if unit == TimeUnit::Seconds { String::new() } else { format!(".{fraction}") };
    let format = format!("%a, %d %b %Y %H:%M:%S{fraction} %Z");
    strftime(&format, seconds & COUNTED, 0, "GMT").map(|text| Sample::Str(Bytes::copy(&text)))
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
