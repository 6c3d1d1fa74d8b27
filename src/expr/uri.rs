//! Parts of a request target (RFC 9112 section 3.2), borrowed.

/// The part of a target from its path on: of `/a?b` all of it, of `http://h/a?b` what follows the authority.
/// Nothing for `*`, for `host:port` (CONNECT) and where the authority is the end.
#[must_use]
pub fn path_and_query(uri: &[u8]) -> Option<&[u8]> {
    path_offset(uri).map(|at| &uri[at..])
}

/// Where the path of a target starts.
#[must_use]
pub fn path_offset(uri: &[u8]) -> Option<usize> {
    match uri.first()? {
        b'/' => Some(0),
        b'*' => None,
        _ => {
            let authority = authority_offset(uri)?;
            let len = uri[authority..].iter().position(|b| matches!(b, b'/' | b'?' | b'#'))?;
            Some(authority + len)
        }
    }
}

/// Where the authority of an absolute target starts: after `scheme://`.
fn authority_offset(uri: &[u8]) -> Option<usize> {
    let first = uri.first()?;
    let scheme = uri
        .iter()
        .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')))
        .filter(|len| *len > 0 && first.is_ascii_alphabetic())?;
    uri[scheme..].starts_with(b"://").then_some(scheme + 3)
}

/// Host and port of an absolute or authority target, without user information.
#[must_use]
pub fn authority(uri: &[u8]) -> Option<&[u8]> {
    if matches!(uri.first()?, b'/' | b'*') {
        return None;
    }
    let rest = &uri[authority_offset(uri).unwrap_or(0)..];
    let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let all = &rest[..end];
    Some(all.iter().rposition(|b| *b == b'@').map_or(all, |at| &all[at + 1..]))
}

/// The path without the query string.
#[must_use]
pub fn path(uri: &[u8]) -> Option<&[u8]> {
    path_and_query(uri).map(|rest| until(rest, b'?'))
}

/// What follows the first `?`.
#[must_use]
pub fn query(uri: &[u8]) -> Option<&[u8]> {
    memchr::memchr(b'?', uri).map(|at| &uri[at + 1..])
}

/// `text` up to the first `byte`.
#[must_use]
pub fn until(text: &[u8], byte: u8) -> &[u8] {
    &text[..memchr::memchr(byte, text).unwrap_or(text.len())]
}

/// Parameters of a query string: name and value; a piece without `=` has no value and is skipped, as HAProxy does.
pub fn params<'a>(list: &'a [u8], separators: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    list.split(|b| separators.contains(b)).filter_map(|pair| {
        let equal = memchr::memchr(b'=', pair)?;
        Some((&pair[..equal], &pair[equal + 1..]))
    })
}
