//! `fix_*`: messages of the Financial Information eXchange protocol (FIX 4.0 to 5.0, tag=value encoding).

use super::super::fetch::Missing;

const DELIMITER: u8 = 1;
const BEGIN_STRING: u32 = 8;
const BODY_LENGTH: u32 = 9;
const CHECK_SUM: u32 = 10;
const MSG_TYPE: u32 = 35;
/// The shortest message that can be one.
const MIN: usize = 27;

/// A field in a message: tag, value, bytes of both with the delimiters.
struct Field<'a> {
    tag: u32,
    value: &'a [u8],
    whole: &'a [u8],
}

/// The next field. `Err(NotYet)`: it is not complete.
fn field(rest: &[u8]) -> Result<Field<'_>, Missing> {
    let equal = memchr::memchr(b'=', rest).ok_or(Missing::NotYet)?;
    let end = equal + memchr::memchr(DELIMITER, &rest[equal..]).ok_or(Missing::NotYet)?;
    let value = &rest[equal + 1..end];
    let tag = tag(&rest[..equal]).filter(|_| !value.is_empty()).ok_or(Missing::Absent)?;
    Ok(Field { tag, value, whole: &rest[..=end] })
}

/// A positive number without leading zero.
pub(crate) fn tag(digits: &[u8]) -> Option<u32> {
    if digits.first()? == &b'0' || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Is this a message whose version, length and checksum are right?
pub(super) fn is_valid(message: &[u8]) -> Result<bool, Missing> {
    match check(message) {
        Ok(()) => Ok(true),
        Err(Missing::Absent) => Ok(false),
        Err(Missing::NotYet) => Err(Missing::NotYet),
    }
}

fn check(message: &[u8]) -> Result<(), Missing> {
    if message.len() < MIN {
        return Err(Missing::NotYet);
    }
    let mut at = 0;
    let mut checksum = 0u8;
    let mut body = (0, 0);
    for number in 1.. {
        if at >= message.len() {
            return Err(Missing::NotYet);
        }
        let field = field(&message[at..])?;
        let right = match number {
            1 => field.tag == BEGIN_STRING && is_version(field.value),
            2 => {
                let length = tag(field.value).and_then(|n| usize::try_from(n).ok());
                body = (at + field.whole.len(), length.unwrap_or(0));
                field.tag == BODY_LENGTH && body.1 > 0
            }
            3 => field.tag == MSG_TYPE,
            _ if field.tag == CHECK_SUM => {
                let digits = std::str::from_utf8(field.value).ok().filter(|v| v.len() == 3);
                let right = digits.and_then(|v| v.parse::<u32>().ok()) == Some(checksum.into());
                return if right && at - body.0 == body.1 { Ok(()) } else { Err(Missing::Absent) };
            }
            _ => true,
        };
        if !right {
            return Err(Missing::Absent);
        }
        checksum = field.whole.iter().fold(checksum, |sum, b| sum.wrapping_add(*b));
        at += field.whole.len();
    }
    Err(Missing::Absent)
}

fn is_version(value: &[u8]) -> bool {
    matches!(value, b"FIX.4.0" | b"FIX.4.1" | b"FIX.4.2" | b"FIX.4.3" | b"FIX.4.4" | b"FIXT.1.1")
}

/// The value of a tag.
pub(super) fn value(message: &[u8], wanted: u32) -> Result<&[u8], Missing> {
    let mut rest = message;
    while !rest.is_empty() {
        let field = field(rest)?;
        if field.tag == wanted {
            return Ok(field.value);
        }
        if field.tag == CHECK_SUM {
            return Err(Missing::Absent);
        }
        rest = &rest[field.whole.len()..];
    }
    Err(Missing::NotYet)
}

/// Number of a tag that may be written by name.
#[must_use]
pub fn tag_of(name: &str) -> Option<u32> {
    const NAMES: &[(&str, u32)] = &[
        ("BeginString", BEGIN_STRING),
        ("BodyLength", BODY_LENGTH),
        ("MsgType", MSG_TYPE),
        ("SenderCompID", 49),
        ("TargetCompID", 56),
        ("CheckSum", CHECK_SUM),
    ];
    NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, n)| *n)
        .or_else(|| tag(name.as_bytes()))
}
