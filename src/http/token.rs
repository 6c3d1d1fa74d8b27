//! Character classes of RFC 9110 and the comparisons heads need.

use std::ops::Range;

/// `token` characters (RFC 9110 section 5.6.2).
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut i = 0;
    while i < 256 {
        let c = i as u8;
        table[i] = c.is_ascii_alphanumeric()
            || matches!(
                c,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        i += 1;
    }
    table
};

/// The lower-case form of each `token` character; 0 for the others.
pub(super) const LOWER: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        if TOKEN[i] {
            table[i] = (i as u8).to_ascii_lowercase();
        }
        i += 1;
    }
    table
};

/// Is `c` allowed in a method or a header name?
#[must_use]
#[inline]
pub fn is_token(c: u8) -> bool {
    TOKEN[c as usize]
}

/// Is `c` allowed in a request target? Visible ASCII but `#`, as HAProxy without `accept-unsafe-violations`.
#[must_use]
#[inline]
pub fn is_uri(c: u8) -> bool {
    c > b' ' && c < 0x7f && c != b'#'
}

/// May `c` be part of a protocol's name and version?
#[must_use]
#[inline]
pub fn is_version(c: u8) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, b'.' | b'/')
}

/// Space or tab.
#[must_use]
#[inline]
pub fn is_blank(c: u8) -> bool {
    c == b' ' || c == b'\t'
}

/// `s` without blanks at both ends.
#[must_use]
pub fn trim(mut s: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = s {
        if !is_blank(*first) {
            break;
        }
        s = rest;
    }
    while let [rest @ .., last] = s {
        if !is_blank(*last) {
            break;
        }
        s = rest;
    }
    s
}

/// Elements of a comma-separated list, trimmed; commas inside quoted strings do not count. Empty elements are kept.
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    raw_list(value).map(|range| trim(&value[range]))
}

/// The first of `delimiters` outside quoted strings (RFC 9110 section 5.6.4), or the end.
#[must_use]
pub fn unquoted(value: &[u8], delimiters: &[u8]) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (i, b) in value.iter().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b if !quoted && delimiters.contains(b) => return i,
            _ => {}
        }
    }
    value.len()
}

/// Where the elements of a comma-separated list lie, with the blanks around them.
pub fn raw_list(value: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let start = next?;
        let end = start + unquoted(&value[start..], b",");
        next = (end < value.len()).then_some(end + 1);
        Some(start..end)
    })
}

/// Does the comma-separated `value` contain `word`, whatever the case?
#[must_use]
pub fn list_has(value: &[u8], word: &[u8]) -> bool {
    list(value).any(|item| item.eq_ignore_ascii_case(word))
}

/// The comma-separated `value` without the elements that are `unwanted`; `None` if it has none of them.
pub fn list_without(value: &[u8], unwanted: impl Fn(&[u8]) -> bool, separator: &[u8]) -> Option<Vec<u8>> {
    let rest = || list(value).filter(|item| !unwanted(item)).collect::<Vec<_>>().join(separator);
    list(value).any(&unwanted).then(rest)
}

/// Decimal number that fits, nothing else around it; zeroes in front do not count.
#[must_use]
pub fn decimal(s: &[u8]) -> Option<u64> {
    if s.is_empty() {
        return None;
    }
    s.iter().try_fold(0u64, |n, &c| {
        if c.is_ascii_digit() { n.checked_mul(10)?.checked_add(u64::from(c - b'0')) } else { None }
    })
}
