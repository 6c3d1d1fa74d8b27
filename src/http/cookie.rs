//! Cookies as persistence needs them: find, cut out and replace in `Cookie`, build and rewrite `Set-Cookie`.

use super::head::Head;
use super::token::trim;

/// Pairs of one `Cookie` value: (name, value, byte range of the pair).
pub fn pairs(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8], std::ops::Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at > value.len() || (at == value.len() && at > 0) || value.is_empty() {
            return None;
        }
        let rest = &value[at..];
        let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let range = at..at + end;
        at += end + 1;
        let pair = &value[range.clone()];
        let (name, val) = match memchr::memchr(b'=', pair) {
            Some(eq) => (&pair[..eq], &pair[eq + 1..]),
            None => (pair, &b""[..]),
        };
        Some((trim(name), trim(val), range))
    })
}

/// Value of the request cookie `name`, quotes kept.
#[must_use]
pub fn find<'a>(head: &'a Head, name: &[u8]) -> Option<&'a [u8]> {
    head.values(b"cookie").flat_map(pairs).find(|(n, ..)| *n == name).map(|(_, v, _)| v)
}

/// Take the request cookie `name` out; a `Cookie` header left empty goes.
pub fn remove(head: &mut Head, name: &[u8]) {
    rewrite(head, name, |_| None);
}

/// Give the request cookie `name` another value.
pub fn replace(head: &mut Head, name: &[u8], value: &[u8]) {
    rewrite(head, name, |_| Some(value.to_vec()));
}

fn rewrite(head: &mut Head, name: &[u8], mut new: impl FnMut(&[u8]) -> Option<Vec<u8>>) {
    head.edit(b"cookie", true, |old| {
        if !pairs(old).any(|(n, ..)| n == name) {
            return None;
        }
        let mut out = Vec::with_capacity(old.len());
        for (n, v, range) in pairs(old) {
            let text = if n == name {
                let Some(v) = new(v) else { continue };
                [n, b"=", &v].concat()
            } else {
                trim(&old[range]).to_vec()
            };
            if !out.is_empty() {
                out.extend_from_slice(b"; ");
            }
            out.extend_from_slice(&text);
        }
        Some(out)
    });
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

/// Name and value of a `Set-Cookie` header, and where the value stands.
#[must_use]
pub fn set_cookie_pair(header: &[u8]) -> Option<(&[u8], &[u8], std::ops::Range<usize>)> {
    let end = memchr::memchr(b';', header).unwrap_or(header.len());
    let eq = memchr::memchr(b'=', &header[..end])?;
    let value = trim(&header[eq + 1..end]);
    let start = eq + 1 + header[eq + 1..end].iter().position(|c| !super::token::is_blank(*c)).unwrap_or(0);
    Some((trim(&header[..eq]), value, start..start + value.len()))
}

/// Apply `edit` to the value of every `Set-Cookie` of cookie `name`; `None` removes the header. Returns
/// whether the server set the cookie.
pub fn edit_set_cookie(head: &mut Head, name: &[u8], mut edit: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> bool {
    let mut seen = false;
    head.edit(b"set-cookie", true, |old| {
        let (n, v, range) = set_cookie_pair(old)?;
        if n != name {
            return None;
        }
        seen = true;
        Some(match edit(v) {
            Some(new) => [&old[..range.start], &new, &old[range.end..]].concat(),
            None => Vec::new(),
        })
    });
    seen
}
