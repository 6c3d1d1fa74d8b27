//! Cookies, read as leniently as HAProxy reads them: blanks around `=`, quoted values, several headers.

use std::ops::ControlFlow;

use crate::ir::expr::{Dir, Fetch};

use super::super::ctx::{Ctx, Head};
use super::super::sample::{Bytes, Sample, leading_int};
use super::{ABSENT, Fetched, Missing, head};

/// Values of the cookie `name` (of all cookies without one) in the order of the message. Names are
/// case-sensitive. In Set-Cookie only the first pair of each header is a cookie.
pub(super) fn values<'a>(
    head: &'a dyn Head,
    dir: Dir,
    name: Option<&'a [u8]>,
) -> impl Iterator<Item = &'a [u8]> {
    pairs(head, dir).filter(move |(n, _)| name.is_none_or(|name| name == *n)).map(|(_, value)| value)
}

/// Every cookie with its value.
fn pairs(head: &dyn Head, dir: Dir) -> impl Iterator<Item = (&[u8], &[u8])> {
    let header: &[u8] = match dir {
        Dir::Req => b"cookie",
        Dir::Res => b"set-cookie",
    };
    // A request may hold several pairs, separated by semicolons or (old) commas; a response line holds one.
    super::header_values(head, Some(header), dir == Dir::Res)
        .flat_map(move |line| Pairs { rest: Some(line), list: dir == Dir::Req })
}

struct Pairs<'a> {
    rest: Option<&'a [u8]>,
    list: bool,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(rest) = self.rest.take() {
            let rest = rest.trim_ascii_start();
            let name_end = rest
                .iter()
                .position(|b| matches!(b, b'=' | b';') || (self.list && *b == b','))
                .unwrap_or(rest.len());
            let name = rest[..name_end].trim_ascii();
            if rest.get(name_end) != Some(&b'=') {
                // No value: not a cookie.
                self.rest = rest.get(name_end + 1..).filter(|_| self.list);
                continue;
            }
            let after = &rest[name_end + 1..];
            let end = value_end(after);
            self.rest = after.get(end + 1..).filter(|_| self.list);
            // `$Version` and its like are attributes of RFC 2109.
            if name.first() != Some(&b'$') {
                return Some((name, after[..end].trim_ascii()));
            }
        }
        None
    }
}

/// The end of a cookie's value: `;` or `,` outside quotes.
fn value_end(value: &[u8]) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (i, b) in value.iter().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' | b',' if !quoted => return i,
            _ => {}
        }
    }
    value.len()
}

pub(super) fn one<'a>(fetch: &'a Fetch, ctx: &Ctx<'a>) -> Fetched<'a> {
    if let Fetch::CookNames(dir, delim) = fetch {
        let mut out = smallvec::SmallVec::new();
        for (name, _) in pairs(head(*dir, ctx)?, *dir) {
            if !out.is_empty() {
                out.push(*delim);
            }
            out.extend_from_slice(name);
        }
        return Ok(Sample::Str(Bytes::Own(out)));
    }
    let (Fetch::Cook(dir, name) | Fetch::CookCount(dir, name) | Fetch::CookInt(dir, name)) = fetch else {
        return Err(ABSENT);
    };
    let mut found = values(head(*dir, ctx)?, *dir, name.as_deref());
    if let Fetch::CookCount(..) = fetch {
        return Ok(Sample::Int(i64::try_from(found.count()).unwrap_or(i64::MAX)));
    }
    // The last of a name; the first of any.
    let value = if name.is_some() { found.last() } else { found.next() };
    let value = value.ok_or(ABSENT)?;
    Ok(match fetch {
        Fetch::CookInt(..) => Sample::Int(leading_int(value)),
        _ => Sample::text(value),
    })
}

pub(super) fn each<'a>(
    dir: Dir,
    name: Option<&'a [u8]>,
    as_int: bool,
    ctx: &Ctx<'a>,
    f: &mut dyn FnMut(Sample<'a>) -> ControlFlow<()>,
) -> Result<(), Missing> {
    let mut found = false;
    for value in values(head(dir, ctx)?, dir, name) {
        found = true;
        let sample = if as_int { Sample::Int(leading_int(value)) } else { Sample::text(value) };
        if f(sample).is_break() {
            break;
        }
    }
    if found { Ok(()) } else { Err(ABSENT) }
}
