//! Edits of the request target.

use crate::ir::regex::Regex;

use super::super::conv::expand;
use super::super::ctx::EditHead;
use super::super::uri;

/// What a `replace-*` rule looks at.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Path,
    PathQ,
    Uri,
}

/// Puts `new` in the place of the whole target. Host follows an authority (RFC 9112 section 3.2.2).
pub(super) fn set_uri(head: &mut dyn EditHead, new: &[u8]) {
    head.set_uri(new);
    let authority = match head.method() {
        // A path is no authority, wherever it stands.
        b"CONNECT" => Some(new).filter(|new| !new.starts_with(b"/")),
        _ => uri::authority(new),
    };
    let Some(authority) = authority.filter(|authority| !authority.is_empty()) else { return };
    let mut from = 0;
    while let Some(at) = head.find(b"host", from) {
        head.set_header_value(at, authority);
        from = at + 1;
    }
}

/// The authority of the target follows a `Host` that a rule wrote; what has none is left as it is.
pub(super) fn follow_host(head: &mut dyn EditHead, host: &[u8]) {
    let old = head.uri();
    let Some(authority) = uri::authority(old).filter(|authority| !authority.is_empty() && *authority != host)
    else {
        return;
    };
    let start = authority.as_ptr() as usize - old.as_ptr() as usize;
    let new = [&old[..start], host, &old[start + authority.len()..]].concat();
    head.set_uri(&new);
}

/// Puts `new` in the place of the path (with or without the query); scheme and authority stay.
pub(super) fn set_path(head: &mut dyn EditHead, new: &[u8], with_query: bool) {
    let old = head.uri();
    let start = uri::path_offset(old).unwrap_or(0);
    let end = if with_query { old.len() } else { start + uri::until(&old[start..], b'?').len() };
    let mut out = Vec::with_capacity(old.len() + new.len());
    out.extend_from_slice(&old[..start]);
    out.extend_from_slice(new);
    out.extend_from_slice(&old[end..]);
    head.set_uri(&out);
}

/// Puts `new` behind the `?`; empty removes the query but not a `?` that is there, as HAProxy does.
pub(super) fn set_query(head: &mut dyn EditHead, new: &[u8]) {
    let old = head.uri();
    let base = uri::until(old, b'?');
    let mut out = Vec::with_capacity(base.len() + 1 + new.len());
    out.extend_from_slice(base);
    if base.len() < old.len() || !new.is_empty() {
        out.push(b'?');
    }
    out.extend_from_slice(new);
    head.set_uri(&out);
}

/// If the part matches, the replacement takes its whole place.
pub(super) fn replace(head: &mut dyn EditHead, part: Part, regex: &Regex, with: &[u8]) {
    let old = head.uri();
    let text = match part {
        Part::Path => uri::path(old),
        Part::PathQ => uri::path_and_query(old),
        Part::Uri => Some(old),
    };
    let Some(groups) = text.filter(|t| !t.is_empty()).and_then(|t| regex.captures(t)) else { return };
    let mut out = smallvec::SmallVec::new();
    expand(&groups, with, &mut out);
    match part {
        Part::Path => set_path(head, &out, false),
        Part::PathQ => set_path(head, &out, true),
        Part::Uri => set_uri(head, &out),
    }
}
