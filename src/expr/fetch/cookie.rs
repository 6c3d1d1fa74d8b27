//! Cookies, read as leniently as HAProxy reads them: blanks around `=`, quoted values, several headers.

use std::ops::ControlFlow;

use crate::http::cookie::{Crumb, crumb};
use crate::ir::expr::{Dir, Fetch};

use super::super::ctx::{Ctx, Head};
use super::super::sample::{Bytes, Sample, message_int};
use super::{ABSENT, Fetched, Missing, head};

/// Values of the cookie `name` (of all cookies without one) in the order of the message. Names are
/// case-sensitive. In Set-Cookie only the first pair of each header is a cookie; as in HAProxy the attributes behind it that
/// have a value count too where they have that name, or no name is asked for.
pub(super) fn values<'a>(
    head: &'a dyn Head,
    dir: Dir,
    name: Option<&'a [u8]>,
) -> impl Iterator<Item = &'a [u8]> {
    let is_it = move |(n, _): &(&[u8], &[u8])| name.is_none_or(|name| name == *n);
    // Where a line ends with the name and `=`, HAProxy looks no further.
    lines(head, dir, name.map_or(0, <[u8]>::len) + 1)
        .flat_map(move |pairs| {
            let ends = pairs.is_response;
            pairs.map_while(move |pair| (is_it(&pair) || !ends).then_some(pair)).filter(is_it)
        })
        .map(|(_, value)| value)
}

/// Every cookie with its value.
fn cookies(head: &dyn Head, dir: Dir) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines(head, dir, 0).flat_map(|pairs| {
        let most = if pairs.is_response { 1 } else { usize::MAX };
        pairs.take(most)
    })
}

/// What each header of cookies holds, as long as more than `least` bytes of it follow.
fn lines(head: &dyn Head, dir: Dir, least: usize) -> impl Iterator<Item = Pairs<'_>> {
    let (header, is_response): (&[u8], bool) = match dir {
        Dir::Req => (b"cookie", false),
        Dir::Res => (b"set-cookie", true),
    };
    super::header_values(head, Some(header), is_response).map(move |line| Pairs {
        rest: Some(line),
        least,
        is_response,
    })
}

/// Names with their values: cookies of a request, separated by semicolons or (old) commas, or a cookie and its attributes.
struct Pairs<'a> {
    rest: Option<&'a [u8]>,
    least: usize,
    is_response: bool,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(rest) = self.rest.take().filter(|rest| rest.len() > self.least) {
            let Crumb { name, value, end } = crumb(rest, 0, self.is_response);
            self.rest = rest.get(end + 1..);
            // `$Version` and its like are attributes of RFC 2109.
            if let Some(value) = value
                && rest.get(name.start) != Some(&b'$')
            {
                return Some((&rest[name], &rest[value]));
            }
        }
        None
    }
}

pub(super) fn one<'a>(fetch: &'a Fetch, ctx: &Ctx<'a>) -> Fetched<'a> {
    if let Fetch::CookNames(dir, delim) = fetch {
        let mut out = smallvec::SmallVec::new();
        for (name, _) in cookies(head(*dir, ctx)?, *dir) {
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
        Fetch::CookInt(..) => Sample::Int(message_int(value)),
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
        let sample = if as_int { Sample::Int(message_int(value)) } else { Sample::text(value) };
        if f(sample).is_break() {
            break;
        }
    }
    if found { Ok(()) } else { Err(ABSENT) }
}
