//! `normalize-uri` (RFC 3986 section 6.2.2).

use crate::ir::rules::NormalizeUri;

use super::super::ctx::EditHead;
use super::super::uri;
use super::target;

/// Normalises the target. False: a percent sequence is invalid and `strict` says to refuse it.
pub(super) fn apply(kind: NormalizeUri, head: &mut dyn EditHead) -> bool {
    let Some(all) = uri::path_and_query(head.uri()) else { return true };
    let path = uri::until(all, b'?');
    let (new, with_query) = match kind {
        NormalizeUri::PathMergeSlashes => (merge_slashes(path), false),
        NormalizeUri::PathStripDot => (strip_dot(path), false),
        NormalizeUri::PathStripDotDot { full } => (strip_dotdot(path, full), false),
        NormalizeUri::PercentToUppercase { strict } => match percent(all, strict, false) {
            Some(new) => (new, true),
            None => return false,
        },
        NormalizeUri::PercentDecodeUnreserved { strict } => match percent(all, strict, true) {
            Some(new) => (new, true),
            None => return false,
        },
        NormalizeUri::QuerySortByName => (sort_query(all), true),
        NormalizeUri::FragmentStrip => (uri::until(all, b'#').to_vec(), true),
        NormalizeUri::FragmentEncode => {
            let mut out = Vec::with_capacity(all.len());
            for b in all {
                if *b == b'#' { out.extend_from_slice(b"%23") } else { out.push(*b) }
            }
            (out, true)
        }
    };
    let old = if with_query { all } else { path };
    if new != old {
        target::set_path(head, &new, with_query);
    }
    true
}

fn merge_slashes(path: &[u8]) -> Vec<u8> {
    let mut out = path.to_vec();
    out.dedup_by(|b, a| *a == b'/' && *b == b'/');
    out
}

/// `/./` is `/`; a dot at the end leaves its slash.
fn strip_dot(path: &[u8]) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = path.split(|b| *b == b'/').collect();
    let ends_in_dot = segments.last() == Some(&&b"."[..]);
    segments.retain(|s| *s != b".");
    if ends_in_dot {
        segments.push(b"");
    }
    segments.join(&b'/')
}

/// `/a/../` is `/`; what would climb above the root stays, unless `full`.
fn strip_dotdot(path: &[u8], full: bool) -> Vec<u8> {
    let mut out: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|b| *b == b'/').peekable();
    while let Some(segment) = segments.next() {
        if segment != b".." {
            out.push(segment);
            continue;
        }
        // The first segment is the empty one before the leading slash.
        let removable = out.len() > 1 && out.last() != Some(&&b".."[..]);
        if removable {
            out.pop();
        } else if !full {
            out.push(segment);
        }
        if segments.peek().is_none() {
            out.push(b"");
        }
    }
    out.join(&b'/')
}

/// Writes percent sequences with capital digits, or as the character where it is unreserved.
fn percent(text: &[u8], strict: bool, decode: bool) -> Option<Vec<u8>> {
    let digit = |i: usize| text.get(i).and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(b) = text.get(at) {
        match (b, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                let byte = u8::try_from(high * 16 + low).unwrap_or(0);
                if decode && (byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')) {
                    out.push(byte);
                } else if decode {
                    out.extend_from_slice(&text[at..at + 3]);
                } else {
                    out.extend(text[at..at + 3].iter().map(u8::to_ascii_uppercase));
                }
                at += 3;
            }
            (b'%', ..) if strict => return None,
            (b, ..) => {
                out.push(*b);
                at += 1;
            }
        }
    }
    Some(out)
}

/// Sorts parameters by name, keeping the order of those of one name.
fn sort_query(all: &[u8]) -> Vec<u8> {
    let path = uri::until(all, b'?');
    let Some(query) = all.get(path.len() + 1..) else { return all.to_vec() };
    let mut params: Vec<&[u8]> = query.split(|b| *b == b'&').collect();
    // Nothing follows the last separator.
    if params.last().is_some_and(|param| param.is_empty()) {
        params.pop();
    }
    params.sort_by_key(|p| uri::until(p, b'='));
    [path, b"?", &params.join(&b'&')].concat()
}
