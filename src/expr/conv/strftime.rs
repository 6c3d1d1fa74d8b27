//! strftime(3) as the C library of GNU has it in the locale "C": also of what it does not know, and of years that no calendar
//! has.

use std::fmt::Write as _;

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAY: i64 = 86_400;

/// A time of some place.
#[derive(Clone, Debug)]
pub(super) struct Civil<'z> {
    pub(super) year: i64,
    /// From 0.
    pub(super) month: usize,
    /// From 1.
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    /// From Sunday, which is 0.
    pub(super) weekday: usize,
    /// From 0.
    yearday: i64,
    seconds: i64,
    /// Seconds ahead of UTC.
    offset: i64,
    zone: &'z str,
}

impl<'z> Civil<'z> {
    /// The time so many seconds after the beginning of 1970, at a place that is `offset` seconds ahead. `None`: nothing can
    /// hold the year.
    pub(super) fn new(seconds: i64, offset: i64, zone: &'z str) -> Option<Self> {
        let local = seconds.checked_add(offset)?;
        let (days, rest) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        // Years that begin with March have their odd day at their end; 400 of them are always as long.
        let shifted = days + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 2 } else { from_march - 10 } as usize;
        let year = era * 400 + year_of_era + i64::from(month < 2);
        i32::try_from(year - 1900).ok()?;
        let leap = i64::from(is_leap(year));
        let yearday = if month < 2 { of_year - 306 } else { of_year + 59 + leap };
        Some(Self {
            year,
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7) as usize,
            yearday,
            seconds,
            offset,
            zone,
        })
    }

    /// Year and week of ISO 8601.
    fn iso(&self) -> (i64, i64) {
        let from_monday = (self.weekday as i64 + 6) % 7;
        let week = (self.yearday - from_monday + 10) / 7;
        let has_53 = |year: i64| {
            // The weekday of its last day, or of that of the year before.
            let end = |year: i64| {
                (year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400)).rem_euclid(7)
            };
            end(year) == 4 || end(year - 1) == 3
        };
        let last = |year| if has_53(year) { 53 } else { 52 };
        match week {
            0 => (self.year - 1, last(self.year - 1)),
            53 if last(self.year) == 52 => (self.year + 1, 1),
            _ => (self.year, week),
        }
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// What stands between the percent sign and the letter.
#[derive(Clone, Copy, Default)]
struct Style {
    pad: Option<char>,
    upper: bool,
    swapped: bool,
    width: usize,
}

impl Style {
    fn number(self, out: &mut String, value: i64, pad: char, digits: usize) {
        let pad = self.pad.unwrap_or(pad);
        let width = if pad == '-' { 0 } else { digits.max(self.width) };
        let sign = if value < 0 { "-" } else { "" };
        let digits = value.unsigned_abs().to_string();
        let missing = width.saturating_sub(digits.len() + sign.len());
        let fill = if pad == '_' { ' ' } else { '0' };
        let filling = std::iter::repeat_n(fill, missing);
        // Zeros stand behind the sign, blanks before it.
        if fill == '0' {
            out.push_str(sign);
            out.extend(filling);
        } else {
            out.extend(filling);
            out.push_str(sign);
        }
        out.push_str(&digits);
    }

    fn text(self, out: &mut String, text: &str) {
        if self.pad != Some('-') {
            let fill = if self.pad == Some('0') { '0' } else { ' ' };
            out.extend(std::iter::repeat_n(fill, self.width.saturating_sub(text.len())));
        }
        if self.upper { out.push_str(&text.to_ascii_uppercase()) } else { out.push_str(text) }
    }

    /// `#`, where it means capitals.
    fn loud(self) -> Self {
        Self { upper: self.upper || self.swapped, ..self }
    }
}

/// The time in this format.
pub(super) fn strftime(format: &str, time: &Civil<'_>) -> String {
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = directive(&mut out, rest, time);
        rest = &rest[length..];
    }
    out + rest
}

/// Reads one directive from its percent sign on and says how long it is.
fn directive(out: &mut String, text: &str, time: &Civil<'_>) -> usize {
    let mut style = Style::default();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((_, flag)) = chars.next_if(|(_, c)| matches!(c, '_' | '-' | '0' | '+' | '^' | '#')) {
        match flag {
            '^' => style.upper = true,
            '#' => style.swapped = true,
            '+' => style.pad = Some('0'),
            pad => style.pad = Some(pad),
        }
    }
    while let Some((_, digit)) = chars.next_if(|(_, c)| c.is_ascii_digit()) {
        style.width = (style.width * 10 + digit as usize - '0' as usize).min(MOST_WIDE);
    }
    let alternative = chars.next_if(|(_, c)| matches!(c, 'E' | 'O')).map(|(_, c)| c);
    let end = chars.next().map_or(text.len(), |(at, c)| at + c.len_utf8());
    let letter = text[1..end].chars().next_back().filter(|_| end > 1);
    // What asks for the signs of another alphabet has those of this one, where there might be others.
    let fits = |letter: char| match alternative {
        None => true,
        Some('E') => "cCxXyY".contains(letter),
        Some(_) => "deHIkKlmMSuUVwWy".contains(letter),
    };
    if !letter.is_some_and(|letter| fits(letter) && convert(out, letter, style, time)) {
        out.push_str(&text[..end]);
    }
    end
}

/// No field is wider: a format is not to fill the memory.
const MOST_WIDE: usize = 4096;

/// Writes what one letter means. False: it means nothing.
fn convert(out: &mut String, letter: char, style: Style, time: &Civil<'_>) -> bool {
    let half = (time.hour + 11) % 12 + 1;
    let two = |out: &mut String, value: i64| style.number(out, value, '0', 2);
    let within = |out: &mut String, format: &str| style.text(out, &strftime(format, time));
    let week = |first: i64| (time.yearday + 7 - (time.weekday as i64 + 7 - first) % 7) / 7;
    let (day, month) = (WEEKDAYS[time.weekday], MONTHS[time.month]);
    match letter {
        'a' => style.loud().text(out, &day[..3]),
        'A' => style.loud().text(out, day),
        'b' | 'h' => style.loud().text(out, &month[..3]),
        'B' => style.loud().text(out, month),
        'c' => within(out, "%a %b %e %H:%M:%S %Y"),
        'C' => two(out, time.year.div_euclid(100)),
        'd' => two(out, time.day),
        'D' | 'x' => within(out, "%m/%d/%y"),
        'e' => style.number(out, time.day, '_', 2),
        'F' => within(out, "%Y-%m-%d"),
        'g' => two(out, time.iso().0.rem_euclid(100)),
        'G' => style.number(out, time.iso().0, '0', 1),
        'H' => two(out, time.hour),
        'I' => two(out, half),
        'j' => style.number(out, time.yearday + 1, '0', 3),
        'k' => style.number(out, time.hour, '_', 2),
        'l' => style.number(out, half, '_', 2),
        'm' => two(out, time.month as i64 + 1),
        'M' => two(out, time.minute),
        'n' => style.text(out, "\n"),
        'p' if style.swapped => style.text(out, if time.hour < 12 { "am" } else { "pm" }),
        'p' => style.text(out, if time.hour < 12 { "AM" } else { "PM" }),
        'P' => style.text(out, if time.hour < 12 { "am" } else { "pm" }),
        'r' => within(out, "%I:%M:%S %p"),
        'R' => within(out, "%H:%M"),
        's' => style.number(out, time.seconds, '0', 1),
        'S' => two(out, time.second),
        't' => style.text(out, "\t"),
        'T' | 'X' => within(out, "%H:%M:%S"),
        'u' => style.number(out, (time.weekday as i64 + 6) % 7 + 1, '0', 1),
        'U' => two(out, week(0)),
        'V' => two(out, time.iso().1),
        'w' => style.number(out, time.weekday as i64, '0', 1),
        'W' => two(out, week(1)),
        'y' => two(out, time.year.rem_euclid(100)),
        'Y' => style.number(out, time.year, '0', 1),
        'z' => {
            let minutes = time.offset.abs() / 60;
            let sign = if time.offset < 0 { '-' } else { '+' };
            let mut digits = String::new();
            // Writing into a String cannot fail.
            let _ = write!(digits, "{sign}{:02}{:02}", minutes / 60, minutes % 60);
            style.text(out, &digits);
        }
        'Z' if style.swapped => style.text(out, &time.zone.to_ascii_lowercase()),
        'Z' => style.text(out, time.zone),
        '%' => style.text(out, "%"),
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64, format: &str) -> String {
        strftime(format, &Civil::new(seconds, 0, "GMT").unwrap())
    }

    #[test]
    fn as_the_c_library_has_it() {
        let all = "%C|%y|%G|%g|%V|%U|%W|%u|%w|%j|%e|%D|%F|%T|%R|%r|%c|%x|%X|%p|%P|%h|%b|%B|%a|%A|%Z|%z|%%|%k|%l|%I|%q|%E|%O|%Ey|\
                   %Od|%5Y|%_d|%-d|%^a|%#a|%+|%N";
        let recorded = [
            (
                0,
                "19|70|1970|70|01|00|00|4|4|001| 1|01/01/70|1970-01-01|00:00:00|00:00|12:00:00 AM|Thu Jan  1 00:00:00 \
                 1970|01/01/70|00:00:00|AM|am|Jan|Jan|January|Thu|Thursday|GMT|+0000|%| 0|12|12|%q|%E|%O|70|01|01970| \
                 1|1|THU|THU|%+|%N",
            ),
            (
                2_147_483_648,
                "20|38|2038|38|03|03|03|2|2|019|19|01/19/38|2038-01-19|03:14:08|03:14|03:14:08 AM|Tue Jan 19 03:14:08 \
                 2038|01/19/38|03:14:08|AM|am|Jan|Jan|January|Tue|Tuesday|GMT|+0000|%| 3| 3|03|%q|%E|%O|38|19|02038|19|\
                 19|TUE|TUE|%+|%N",
            ),
            (
                0x7f_ffff_ffff_ffff,
                "11417090|97|1141709097|97|23|24|23|7|0|164|13|06/13/97|1141709097-06-13|06:26:07|06:26|06:26:07 AM|Sun \
                 Jun 13 06:26:07 1141709097|06/13/97|06:26:07|AM|am|Jun|Jun|June|Sun|Sunday|GMT|+0000|%| 6| 6|06|%q|%E|\
                 %O|97|13|1141709097|13|13|SUN|SUN|%+|%N",
            ),
        ];
        for (seconds, expected) in recorded {
            assert_eq!(at(seconds, all), expected);
        }
        let odd = [
            ("%", "%"),
            ("%10", "%10"),
            ("a%é", "a%é"),
            ("%Ez", "%Ez"),
            ("%Oy", "70"),
            ("%010d", "0000000001"),
        ];
        for (format, expected) in odd {
            assert_eq!(at(0, format), expected, "{format}");
        }
        assert!(Civil::new(i64::MAX, 0, "").is_none());
    }

    proptest! {
        #[test]
        fn dates_are_those_of_the_calendar(seconds in -300_000_000_000i64..250_000_000_000, offset in -86_399i64..86_400) {
            let zone = jiff::tz::TimeZone::fixed(jiff::tz::Offset::from_seconds(offset as i32).unwrap());
            let there = jiff::Timestamp::from_second(seconds).unwrap().to_zoned(zone);
            let iso = there.date().iso_week_date();
            let time = Civil::new(seconds, offset, "").unwrap();
            let day = [i64::from(there.year()), there.month().into(), there.day().into(), there.day_of_year().into()];
            prop_assert_eq!([time.year, time.month as i64 + 1, time.day, time.yearday + 1], day);
            prop_assert_eq!(time.iso(), (iso.year().into(), iso.week().into()));
            let clock = (there.hour().into(), there.minute().into(), there.second().into());
            prop_assert_eq!((time.hour, time.minute, time.second), clock);
            prop_assert_eq!(time.weekday as i8, there.weekday().to_sunday_zero_offset());
        }
    }
}
