//! Cookies as HAProxy reads them, leniently: blanks around `=`, quoted values, commas between those of a request.
//! What persistence does with them, in `Cookie` and `Set-Cookie`.

use std::ops::Range;

use super::head::Head;
use super::token::{is_blank, trim, unquoted};

/// A cookie where it stands in a header's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crumb {
    /// Its name.
    pub name: Range<usize>,
    /// Its value with its quotes; `None`: there is no `=`.
    pub value: Option<Range<usize>>,
    /// The delimiter behind it, or the end.
    pub end: usize,
}

/// The cookie that begins at `at`, or the blanks in front of it. In a response a comma separates no names.
#[must_use]
pub fn crumb(line: &[u8], at: usize, is_response: bool) -> Crumb {
    let behind_blanks = |from: usize| from + line[from..].iter().take_while(|c| is_blank(**c)).count();
    let start = behind_blanks(at.min(line.len()));
    let delimits = |c: &u8| matches!(c, b'=' | b';') || (*c == b',' && !is_response);
    let equal = line[start..].iter().position(delimits).map_or(line.len(), |n| start + n);
    let name = start..start + trim(&line[start..equal]).len();
    if line.get(equal) != Some(&b'=') {
        return Crumb { name, value: None, end: equal };
    }
    let begin = behind_blanks(equal + 1);
    let end = begin + unquoted(&line[begin..], b";,");
    let value = begin..begin + trim(&line[begin..end]).len();
    Crumb { name, value: Some(value), end }
}

/// What becomes of one cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays.
    Stays,
    /// It goes.
    Goes,
    /// It gets this value.
    Becomes(Vec<u8>),
}

/// Let `judge` see name and value of each cookie of a request and do what it says. Blanks around `=` go; a header that is
/// left without cookies goes. Attributes of old (`$Version`) share the fate of what is in front of them.
pub fn each(head: &mut Head, mut judge: impl FnMut(&[u8], &[u8]) -> Fate) {
    head.edit(b"cookie", true, |old| {
        let mut line = old.to_vec();
        sift(&mut line, &mut judge);
        (line != old).then_some(line)
    });
}

/// The same for the cookie of each `Set-Cookie`; its attributes go with it.
pub fn each_set(head: &mut Head, mut judge: impl FnMut(&[u8], &[u8]) -> Fate) {
    head.edit(b"set-cookie", true, |old| {
        let mut line = old.to_vec();
        let mut found = crumb(&line, 0, true);
        let value = tighten(&mut line, &mut found)?;
        match judge(&line[found.name], &line[value.clone()]) {
            Fate::Stays => (line != old).then_some(line),
            Fate::Goes => Some(Vec::new()),
            Fate::Becomes(new) => {
                line.splice(value, new);
                Some(line)
            }
        }
    });
}

fn sift(line: &mut Vec<u8>, judge: &mut impl FnMut(&[u8], &[u8]) -> Fate) {
    // Where the cookies begin that are to go, and whether others stay.
    let mut going: Option<usize> = None;
    let mut stays = false;
    // The delimiter in front, or the beginning.
    let mut at = 0;
    let mut is_first = true;
    while at < line.len() {
        let mut found = crumb(line, if is_first { 0 } else { at + 1 }, false);
        is_first = false;
        if line.get(found.name.start) == Some(&b'$') {
            at = found.end;
            continue;
        }
        let value = tighten(line, &mut found);
        let fate = value.as_ref().map(|value| judge(&line[found.name.clone()], &line[value.clone()]));
        match fate {
            Some(Fate::Goes) => going = going.or(Some(at)),
            None | Some(Fate::Stays) => {
                stays = true;
                if let Some(from) = going.take() {
                    found.end -= cut(line, from, at);
                }
            }
            Some(Fate::Becomes(new)) => {
                stays = true;
                let old = value.unwrap_or_default();
                found.end = found.end - old.len() + new.len();
                line.splice(old, new);
            }
        }
        at = found.end;
    }
    if let Some(from) = going {
        line.truncate(if stays { from } else { 0 });
    }
}

/// Takes the blanks around the `=` out; where the value is then.
fn tighten(line: &mut Vec<u8>, found: &mut Crumb) -> Option<Range<usize>> {
    let value = found.value.as_mut()?;
    let gap = found.name.end..value.start;
    if gap.len() > 1 {
        let less = gap.len() - 1;
        line.splice(gap, [b'=']);
        *value = value.start - less..value.end - less;
        found.end -= less;
    }
    Some(value.clone())
}

/// Takes what stands between the delimiters at `from` and `to` out; so many bytes are gone. One delimiter and one blank
/// are left, nothing at the beginning.
fn cut(line: &mut Vec<u8>, from: usize, to: usize) -> usize {
    let before = line.len();
    let blanks = |at: usize| line[at..].iter().take_while(|c| is_blank(**c)).count();
    if from == 0 {
        let to = (to + 1).min(line.len());
        line.drain(..to + blanks(to));
        return before - line.len();
    }
    let from = from - line[..from].iter().rev().take_while(|c| is_blank(**c)).count();
    if let Some(delimiter) = line.get(to).copied() {
        let end = to + 1 + blanks(to + 1);
        let blank: &[u8] = if from + 2 < to + 1 { b" " } else { b"" };
        line.splice(from..end, [&[delimiter], blank].concat());
    } else {
        line.truncate(from);
    }
    before - line.len()
}

/// Attributes of a persistence cookie.
#[derive(Clone, Debug, Default)]
pub struct Attributes<'a> {
    /// `domain`, each becomes one attribute.
    pub domains: &'a [String],
    /// `httponly`.
    pub httponly: bool,
    /// `secure`.
    pub secure: bool,
    /// `attr`.
    pub extra: &'a [String],
}

/// Value of a `Set-Cookie` header that binds a client to `value`; `None` tells it to forget the cookie.
#[must_use]
pub fn set_cookie(name: &str, value: Option<&[u8]>, attributes: &Attributes<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    match value {
        Some(v) => out.extend_from_slice(v),
        None => out.extend_from_slice(b"; Expires=Thu, 01-Jan-1970 00:00:01 GMT"),
    }
    out.extend_from_slice(b"; path=/");
    for domain in attributes.domains {
        out.extend_from_slice(b"; domain=");
        out.extend_from_slice(domain.as_bytes());
    }
    if attributes.httponly {
        out.extend_from_slice(b"; HttpOnly");
    }
    if attributes.secure {
        out.extend_from_slice(b"; Secure");
    }
    for extra in attributes.extra {
        out.extend_from_slice(b"; ");
        out.extend_from_slice(extra.as_bytes());
    }
    out
}
