//! `add-headers-bin`, `set-headers-bin` and `del-headers-bin`: many headers at once, in the form of `req.hdrs_bin`.
//!
//! That form is a length and so many bytes for each name and value in turn, an empty name and value at the end; of the
//! names alone, an empty name at the end. A length is HAProxy's variable integer.

use crate::ir::expr::{Dir, Expr, SampleType};
use crate::ir::rules::MakeMatch;

use super::http::{line_len, message, name_matches, no_room, remove};
use super::{Session, Verdict, action};

/// Headers that say where a message ends or what its connection is for: no list of headers changes them.
const IMMUTABLE: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn is_immutable(name: &[u8]) -> bool {
    IMMUTABLE.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// Adds every header of the list whose name begins with `prefix`; `replace`: in the place of those there are.
pub(super) fn push(
    list: &Expr,
    prefix: &[u8],
    replace: bool,
    dir: Dir,
    session: &mut dyn Session,
) -> Option<Verdict> {
    let list = bytes(list, session)?;
    let mut rest = list.as_slice();
    loop {
        let Some(name) = take(&mut rest) else { return no_room(session, dir) };
        let Some(value) = take(&mut rest).filter(|value| !name.is_empty() || value.is_empty()) else {
            return no_room(session, dir);
        };
        if name.is_empty() {
            return None;
        }
        // Cased as it is written, as HAProxy does.
        if !name.starts_with(prefix) || is_immutable(name) {
            continue;
        }
        if replace {
            remove(message(session, dir)?, |other| other.eq_ignore_ascii_case(name));
        }
        // A line end in a name or value would begin another header, or the body.
        let harmless = |text: &[u8]| !text.iter().any(|b| matches!(b, b'\r' | b'\n' | 0));
        if !harmless(name) || !harmless(value) || !session.has_room(dir, line_len(name, value)) {
            return no_room(session, dir);
        }
        message(session, dir)?.push_header(name, value);
    }
}

/// Removes the headers whose names are in the list, or match one of it.
pub(super) fn delete(list: &Expr, method: MakeMatch, dir: Dir, session: &mut dyn Session) -> Option<Verdict> {
    let list = bytes(list, session)?;
    let mut rest = list.as_slice();
    loop {
        let Some(name) = take(&mut rest) else { return no_room(session, dir) };
        if name.is_empty() {
            return None;
        }
        if !is_immutable(name) {
            let wanted = method(name.to_ascii_lowercase().into());
            remove(message(session, dir)?, |other| name_matches(&wanted, other));
        }
    }
}

/// A copy: the headers that are about to change may be what the list is made of.
fn bytes(list: &Expr, session: &mut dyn Session) -> Option<Vec<u8>> {
    let ctx = session.ctx();
    Some(action::cast(list, SampleType::Bin, &ctx)?.into_bin().to_vec())
}

/// A length and as many bytes.
fn take<'l>(rest: &mut &'l [u8]) -> Option<&'l [u8]> {
    let (first, mut after) = rest.split_first()?;
    let mut len = usize::from(*first);
    if len >= 240 {
        let mut shift = 4;
        loop {
            let (byte, more) = after.split_first()?;
            after = more;
            len = len.checked_add(usize::from(*byte).checked_shl(shift)?)?;
            shift += 7;
            if *byte < 128 {
                break;
            }
        }
    }
    let (text, after) = after.split_at_checked(len)?;
    *rest = after;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_haproxys() {
        for (coded, len) in
            [(&[5u8][..], 5), (&[239], 239), (&[240, 0], 240), (&[0xf8, 0x0a], 0xf8 + (10 << 4))]
        {
            let mut list = coded.to_vec();
            list.resize(coded.len() + len, b'x');
            let mut rest = list.as_slice();
            assert_eq!(take(&mut rest).map(<[u8]>::len), Some(len), "{coded:?}");
            assert!(rest.is_empty());
            assert_eq!(take(&mut &list[..list.len() - 1]), None, "{coded:?} cut off");
        }
        assert_eq!(take(&mut &[0xff; 64][..]), None);
    }
}
