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
    w.display(format_args!(
        "{:02}/{month}/{:04}:{:02}:{:02}:{:02}",
        t.day(),
        t.year(),
        t.hour(),
        t.minute(),
        t.second()
    ));
}

/// `26/Apr/2024:09:39:58.774`
pub(super) fn with_millis(w: &mut Writer<'_>, us: i64, zone: &TimeZone) {
    write(w, &zoned(us, zone));
    w.display(format_args!(".{:03}", us.div_euclid(1000).rem_euclid(1000)));
}

/// `26/Apr/2024:09:39:58 +0200`
pub(super) fn with_zone(w: &mut Writer<'_>, us: i64, zone: &TimeZone) {
    let t = zoned(us, zone);
    write(w, &t);
    let minutes = t.offset().seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    w.display(format_args!(" {sign}{:02}{:02}", minutes.abs() / 60, minutes.abs() % 60));
}
