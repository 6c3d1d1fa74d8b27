//! Dates of log lines.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::Writer;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn zoned(us: i64, zone: &TimeZone) -> Zoned {
    Timestamp::from_microsecond(us).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
}

fn write(w: &mut Writer<'_>, t: &Zoned) {
    let month = usize::try_from(t.month() - 1).ok().and_then(|m| MONTHS.get(m)).copied().unwrap_or("???");
    let part = |w: &mut Writer<'_>, value: i16, width, end: &[u8]| {
        w.padded(u32::try_from(value).unwrap_or(0), width);
        w.raw(end);
    };
    part(w, t.day().into(), 2, b"/");
    w.raw(month.as_bytes());
    w.raw(b"/");
    part(w, t.year(), 4, b":");
    part(w, t.hour().into(), 2, b":");
    part(w, t.minute().into(), 2, b":");
    part(w, t.second().into(), 2, b"");
}

/// `26/Apr/2024:09:39:58.774`
pub(super) fn with_millis(w: &mut Writer<'_>, us: i64, zone: &TimeZone) {
    write(w, &zoned(us, zone));
    w.raw(b".");
    w.padded(u32::try_from(us.div_euclid(1000).rem_euclid(1000)).unwrap_or(0), 3);
}

/// `26/Apr/2024:09:39:58 +0200`
pub(super) fn with_zone(w: &mut Writer<'_>, us: i64, zone: &TimeZone) {
    let t = zoned(us, zone);
    write(w, &t);
    let minutes = t.offset().seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    w.display(format_args!(" {sign}{:02}{:02}", minutes.abs() / 60, minutes.abs() % 60));
}
