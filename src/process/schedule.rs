//! Reloads at a time that a file says (`reload_time_file`).

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::ir::vrrp::Config;
use crate::vrrp::runner::Journal;

/// How often the file is looked at.
pub(super) const GLANCE: Duration = Duration::from_secs(1);

/// The file and what it said.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    file: Option<PathBuf>,
    repeat: bool,
    /// When it was written; `None`: it is not there.
    seen: Option<SystemTime>,
    /// When to reload, and whether the file named the day.
    due: Option<(Timestamp, bool)>,
}

/// Why a line is no time to reload at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Invalid,
    Past,
}

impl Schedule {
    /// Takes what a configuration says.
    pub(super) fn set(&mut self, config: &Config) {
        let global = &config.global;
        if self.file != global.reload_time_file {
            *self = Self { file: global.reload_time_file.clone(), ..Self::default() };
        }
        self.repeat = global.reload_repeat;
    }

    /// Is there a file to look at?
    pub(super) fn active(&self) -> bool {
        self.file.is_some()
    }

    /// Looks at the file and the clock: is it time?
    pub(super) fn due(&mut self, now: SystemTime, journal: &Journal) -> bool {
        let Some(file) = self.file.clone() else { return false };
        let Ok(now) = Timestamp::try_from(now) else { return false };
        let now = now.to_zoned(TimeZone::system());
        let written = std::fs::metadata(&file).and_then(|data| data.modified()).ok();
        if written != self.seen {
            self.seen = written;
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            self.read(text.lines().next(), &now, journal);
        }
        let Some((_, dated)) = self.due.filter(|(at, _)| *at <= now.timestamp()) else { return false };
        self.due = None;
        if self.repeat && !dated {
            // The same time tomorrow.
            self.seen = None;
        } else if let Err(e) = std::fs::remove_file(&file) {
            journal.info(format!("cannot remove {}: {e}", file.display()));
        }
        true
    }

    fn read(&mut self, line: Option<&str>, now: &Zoned, journal: &Journal) {
        let shown =
            |at: Timestamp| at.to_zoned(now.time_zone().clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let before = self.due.take();
        match line.map(|line| (line, parse(line, now))) {
            Some((_, Ok((at, dated)))) => {
                self.due = Some((at, dated));
                match before {
                    Some((old, _)) if old == at => {}
                    Some((old, _)) => {
                        journal.info(format!("Reload time updated from {} to {}", shown(old), shown(at)));
                    }
                    None => journal.info(format!("Scheduling reload for {}", shown(at))),
                }
                return;
            }
            Some((line, Err(Fault::Invalid))) => {
                journal.info(format!("Invalid reload time '{line}' specified - ignoring"));
            }
            Some((_, Err(Fault::Past))) => journal.info("Reload date/time is in the past - ignoring"),
            None => {}
        }
        if let Some((old, _)) = before {
            journal.info(format!("Cancelling reload scheduled for {}", shown(old)));
        }
    }
}

/// `[[YY]YY-MM-DD ]HH:MM:SS[Z]`: when, and whether the day is given.
fn parse(line: &str, now: &Zoned) -> Result<(Timestamp, bool), Fault> {
    let (text, zone) = match line.strip_suffix('Z') {
        Some(text) => (text, TimeZone::UTC),
        None => (line, now.time_zone().clone()),
    };
    let now = now.with_time_zone(zone.clone());
    let invalid = |_| Fault::Invalid;
    // Nothing may be shorter or longer than it is written here.
    let is = |shape: &str| {
        text.len() == shape.len()
            && text
                .bytes()
                .zip(shape.bytes())
                .all(|(c, s)| if s == b'0' { c.is_ascii_digit() } else { c == s })
    };
    let (date, time) = if is("00:00:00") {
        (None, text)
    } else if is("00-00-00 00:00:00") {
        (Some(Date::strptime("%y-%m-%d", &text[..8]).map_err(invalid)?), &text[9..])
    } else if is("0000-00-00 00:00:00") {
        (Some(Date::strptime("%Y-%m-%d", &text[..10]).map_err(invalid)?), &text[11..])
    } else {
        return Err(Fault::Invalid);
    };
    let time = Time::strptime("%H:%M:%S", time).map_err(invalid)?;
    let on = |date: Date| Ok(date.to_datetime(time).to_zoned(zone.clone()).map_err(invalid)?.timestamp());
    let at = on(date.unwrap_or_else(|| now.date()))?;
    match date {
        _ if at > now.timestamp() => Ok((at, date.is_some())),
        Some(_) => Err(Fault::Past),
        None => Ok((on(now.date().checked_add(1.day()).map_err(invalid)?)?, false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_today_or_tomorrow_and_dates_are_not_in_the_past() {
        let now: Zoned = "2026-11-21T18:00:00+01:00[Europe/Berlin]".parse().unwrap();
        let at = |line: &str| parse(line, &now).map(|(at, dated)| (at.to_string(), dated));
        let ok = |at: &str, dated| Ok((at.to_owned(), dated));
        assert_eq!(at("18:30:00"), ok("2026-11-21T17:30:00Z", false));
        assert_eq!(at("17:30:00"), ok("2026-11-22T16:30:00Z", false));
        assert_eq!(at("17:30:00Z"), ok("2026-11-21T17:30:00Z", false));
        assert_eq!(at("16:30:00Z"), ok("2026-11-22T16:30:00Z", false));
        assert_eq!(at("26-12-01 01:02:03"), ok("2026-12-01T00:02:03Z", true));
        assert_eq!(at("2026-12-01 01:02:03Z"), ok("2026-12-01T01:02:03Z", true));
        assert_eq!(at("2026-11-21 17:59:59"), Err(Fault::Past));
        for wrong in
            ["", "18:30", "25:00:00", " 18:30:00", "2026-02-30 01:02:03", "2026-12-01  1:02:03", "é8:30:00"]
        {
            assert_eq!(at(wrong), Err(Fault::Invalid), "{wrong}");
        }
    }
}
