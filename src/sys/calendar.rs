//! Dates as the C library writes them: also those of years that no other calendar has.

use std::ffi::CString;

/// The longest text: what HAProxy has room for.
const LONGEST: usize = 16 * 1024;

/// strftime(3) for the moment so many seconds after the beginning of 1970, at a place whose clocks are `ahead` seconds ahead and
/// say that it is `zone` there. `None`: nothing can hold the year, or the text; or there is a NUL in the format or in the zone.
#[must_use]
pub fn strftime(format: &str, seconds: i64, ahead: i64, zone: &str) -> Option<Vec<u8>> {
    // The library says 0 of a text without bytes and of one that is too long: now there is a byte always.
    let format = CString::new(format!("{format}\n")).ok()?;
    let zone = CString::new(zone).ok()?;
    let local = seconds.checked_add(ahead)?;
    let mut text = vec![0_u8; LONGEST];
    // SAFETY: a `tm` is numbers and a pointer that may be null. The functions get pointers to what lives until they return,
    // the size of the buffer, and texts that end with NUL; they keep none of it.
    let length = unsafe {
        let mut time: libc::tm = std::mem::zeroed();
        if libc::gmtime_r(&raw const local, &raw mut time).is_null() {
            return None;
        }
        time.tm_gmtoff = ahead;
        time.tm_zone = zone.as_ptr();
        libc::strftime(text.as_mut_ptr().cast(), text.len(), format.as_ptr(), &raw const time)
    };
    text.truncate(length.checked_sub(1)?);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_places_and_of_years_far_away() {
        let at = |format: &str, seconds, ahead, zone: &str| {
            strftime(format, seconds, ahead, zone).map(|text| String::from_utf8(text).unwrap())
        };
        let format = "%F %T %Z %z %V %q%";
        assert_eq!(at(format, 0, 0, "GMT").unwrap(), "1970-01-01 00:00:00 GMT +0000 01 %q%");
        assert_eq!(at(format, 3599, 3600, "CET").unwrap(), "1970-01-01 01:59:59 CET +0100 01 %q%");
        assert_eq!(at("%F", 0x7f_ffff_ffff_ffff, 0, "").unwrap(), "1141709097-06-13");
        assert_eq!(at("", 0, 0, "").unwrap(), "");
        assert_eq!(at("%F", i64::MAX / 2, 0, ""), None);
        assert_eq!(at("%F", i64::MAX, 1, ""), None);
        assert_eq!(at("%20000d", 0, 0, ""), None);
    }
}
