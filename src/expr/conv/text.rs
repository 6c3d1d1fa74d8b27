//! Converters on text.

use smallvec::SmallVec;

use crate::ir::expr::{Conv, ProxyNumber};
use crate::ir::regex::{Captures, Regex};

use super::super::ctx::Ctx;
use super::super::sample::{Bytes, Sample};
use super::text_of;

pub(super) fn apply<'a>(conv: &'a Conv, sample: Sample<'a>, ctx: &Ctx<'a>) -> Option<Sample<'a>> {
    if let Conv::Iif(yes, no) = conv {
        return Some(Sample::text(if sample.as_bool()? { yes } else { no }));
    }
    if let Conv::SecureCompare(name) = conv {
        // As bytes: a digest may hold a NUL.
        let other = super::fetch::variable(name, ctx)?.cast(crate::ir::expr::SampleType::Bin)?.into_bin();
        return Some(Sample::Bool(super::super::constant_time_eq(&sample.into_bin(), &other)));
    }
    let text = sample.into_text();
    Some(Sample::Str(match conv {
        Conv::Lower => folded(text, u8::is_ascii_uppercase, <[u8]>::make_ascii_lowercase),
        Conv::Upper => folded(text, u8::is_ascii_lowercase, <[u8]>::make_ascii_uppercase),
        Conv::Length => return Some(Sample::Int(i64::try_from(text.len()).unwrap_or(i64::MAX))),
        Conv::Field { index, delims, count } => {
            let range = field(&text, *index, delims, *count)?;
            text.slice(range)
        }
        Conv::Word { index, delims, count } => {
            let range = word(&text, *index, delims, *count)?;
            text.slice(range)
        }
        Conv::RegSub { regex, replacement, global } => {
            Bytes::Own(substitute(regex, &text, replacement, *global))
        }
        Conv::Concat { start, var, end } => {
            let mut text = text;
            let out = text.to_mut();
            out.extend_from_slice(start);
            if let Some(value) = var.as_ref().and_then(|name| text_of(name, ctx)) {
                out.extend_from_slice(&value);
            }
            out.extend_from_slice(end);
            text
        }
        Conv::AddItem { delim, var, suffix } => {
            let value = var.as_ref().and_then(|name| text_of(name, ctx));
            let adds = !suffix.is_empty() || value.as_ref().is_some_and(|v| !v.is_empty());
            let mut text = text;
            if adds {
                let out = text.to_mut();
                if !out.is_empty() {
                    out.extend_from_slice(delim);
                }
                out.extend_from_slice(value.as_deref().unwrap_or_default());
                out.extend_from_slice(suffix);
            }
            text
        }
        Conv::Strcmp(name) => {
            let other = text_of(name, ctx)?;
            return Some(Sample::Int(strcmp(&text, &other)));
        }
        Conv::HostOnly => {
            let end = host_len(&text);
            folded(text.slice(0..end), u8::is_ascii_uppercase, <[u8]>::make_ascii_lowercase)
        }
        Conv::PortOnly => {
            // Every byte counts as a digit, and 32 bits are kept.
            let digit = |byte: u8| u32::from(byte).wrapping_sub(u32::from(b'0'));
            let port = text.get(host_len(&text) + 1..).unwrap_or_default().iter();
            let port = port.fold(0_u32, |port, byte| port.wrapping_mul(10).wrapping_add(digit(*byte)));
            return Some(Sample::Int(port.into()));
        }
        Conv::LTrim(chars) => {
            let start = text.iter().position(|b| !chars.contains(b)).unwrap_or(text.len());
            let end = text.len();
            text.slice(start..end)
        }
        Conv::RTrim(chars) => {
            let end = text.iter().rposition(|b| !chars.contains(b)).map_or(0, |i| i + 1);
            text.slice(0..end)
        }
        Conv::CutCrlf => {
            let end = text.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(text.len());
            text.slice(0..end)
        }
        Conv::Param(name, delim) => {
            let range = param(&text, name, *delim)?;
            text.slice(range)
        }
        Conv::Reverse => {
            let mut text = text;
            text.to_mut().reverse();
            text
        }
        Conv::ReverseDom => {
            let name = text.strip_suffix(b".").unwrap_or(&text);
            if name.split(|b| *b == b'.').any(<[u8]>::is_empty) {
                return None;
            }
            let mut out: SmallVec<[u8; 64]> = SmallVec::with_capacity(name.len());
            for label in name.rsplit(|b| *b == b'.') {
                if !out.is_empty() {
                    out.push(b'.');
                }
                out.extend_from_slice(label);
            }
            Bytes::Own(out)
        }
        Conv::Language(list, default) => {
            return preferred(&text, list).or(default.as_deref()).filter(|l| !l.is_empty()).map(Sample::text);
        }
        Conv::NbSrv => {
            let proxy = ctx.live.proxy_by_name(&text)?;
            return Some(Sample::Int(ctx.live.proxy(proxy, ProxyNumber::UsableServers)));
        }
        _ => return None,
    }))
}

fn folded<'a>(text: Bytes<'a>, changes: fn(&u8) -> bool, change: fn(&mut [u8])) -> Bytes<'a> {
    let mut text = text;
    if text.iter().any(changes) {
        change(text.to_mut());
    }
    text
}

/// The range of field `index` (from 1, from the end if negative), `count` fields long (0: to the end).
fn field(text: &[u8], index: i64, delims: &[u8], count: i64) -> Option<std::ops::Range<usize>> {
    let number = usize::try_from(index.unsigned_abs()).ok()?.checked_sub(1)?;
    let count = usize::try_from(count).ok()?;
    // Field n starts after the n-th delimiter.
    let cuts: SmallVec<[usize; 16]> =
        if index > 0 { delimiters(text, delims).collect() } else { delimiters(text, delims).rev().collect() };
    if number > cuts.len() {
        return None;
    }
    let near = number.checked_sub(1).map(|before| cuts[before]);
    let far = if count == 0 { None } else { cuts.get(number + count - 1).copied() };
    Some(if index > 0 {
        near.map_or(0, |cut| cut + 1)..far.unwrap_or(text.len())
    } else {
        far.map_or(0, |cut| cut + 1)..near.unwrap_or(text.len())
    })
}

fn delimiters<'t>(text: &'t [u8], delims: &'t [u8]) -> impl DoubleEndedIterator<Item = usize> + 't {
    text.iter().enumerate().filter(|(_, b)| delims.contains(b)).map(|(i, _)| i)
}

/// The range of word `index`: like a field, but runs of delimiters separate.
fn word(text: &[u8], index: i64, delims: &[u8], count: i64) -> Option<std::ops::Range<usize>> {
    let number = usize::try_from(index.unsigned_abs()).ok()?.checked_sub(1)?;
    let count = usize::try_from(count).ok()?;
    let mut words: SmallVec<[(usize, usize); 16]> = SmallVec::new();
    let mut start = None;
    for (i, b) in text.iter().enumerate() {
        match (delims.contains(b), start) {
            (false, None) => start = Some(i),
            (true, Some(s)) => {
                words.push((s, i));
                start = None;
            }
            _ => {}
        }
    }
    words.extend(start.map(|s| (s, text.len())));
    if number >= words.len() {
        return None;
    }
    Some(if index > 0 {
        let first = words[number].0;
        match if count == 0 { None } else { words.get(number + count - 1) } {
            Some((_, end)) => first..*end,
            // Open ended: trailing delimiters belong to it.
            None => first..text.len(),
        }
    } else {
        let last = words.len() - 1 - number;
        let end = words[last].1;
        match if count == 0 { None } else { (last + 1).checked_sub(count) } {
            Some(first) => words[first].0..end,
            None => 0..end,
        }
    })
}

/// The range of a parameter's value; one without `=` has an empty one.
fn param(text: &[u8], name: &[u8], delim: u8) -> Option<std::ops::Range<usize>> {
    let mut at = 0;
    for pair in text.split(|b| *b == delim) {
        let end = at + pair.len();
        match pair.strip_prefix(name) {
            Some([]) => return Some(end..end),
            Some([b'=', ..]) => return Some(at + name.len() + 1..end),
            _ => at = end + 1,
        }
    }
    None
}

/// strcmp(3): the difference of the first bytes that differ; the shorter of two that do not is the smaller.
fn strcmp(a: &[u8], b: &[u8]) -> i64 {
    let differ = a.iter().zip(b).find(|(x, y)| x != y);
    differ.map_or(a.len().cmp(&b.len()) as i64, |(x, y)| i64::from(*x) - i64::from(*y))
}

/// Replaces the first match, or with `global` every match, an empty one at the very end included; `\0` to `\9`
/// in the replacement are groups, other escaped characters stand for themselves, `\xHH` for a byte.
fn substitute(regex: &Regex, text: &[u8], replacement: &[u8], global: bool) -> SmallVec<[u8; 64]> {
    let mut out = SmallVec::with_capacity(text.len());
    let mut start = 0;
    let mut go_on = true;
    while go_on && let Some(groups) = regex.captures_at(text, start) {
        let Some(whole) = groups.whole() else { break };
        out.extend_from_slice(&text[start..whole.start]);
        expand(&groups, replacement, &mut out);
        go_on = global && start < text.len();
        // An empty match stands before a character, which is passed over.
        let passed = text.get(start).filter(|_| whole.end == start);
        out.extend(passed.copied());
        start = whole.end + usize::from(passed.is_some());
    }
    out.extend_from_slice(&text[start..]);
    out
}

/// Writes a replacement with its group references resolved.
pub(crate) fn expand(groups: &Captures<'_>, replacement: &[u8], out: &mut SmallVec<[u8; 64]>) {
    let mut bytes = replacement.iter().copied().enumerate();
    while let Some((at, b)) = bytes.next() {
        if b != b'\\' {
            out.push(b);
            continue;
        }
        let hex = |i: usize| replacement.get(i).and_then(|b| char::from(*b).to_digit(16));
        match bytes.next() {
            None => out.push(b'\\'),
            Some((_, digit @ b'0'..=b'9')) => {
                if let Some(group) = groups.get(usize::from(digit - b'0')) {
                    out.extend_from_slice(group);
                }
            }
            Some((_, b'x')) => {
                if let (Some(high), Some(low)) = (hex(at + 2), hex(at + 3)) {
                    out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                    bytes.nth(1);
                } else {
                    out.push(b'x');
                }
            }
            Some((_, other)) => out.push(other),
        }
    }
}

/// Length of the host in `host[:port]`, where the host may be an IPv6 address in brackets.
fn host_len(text: &[u8]) -> usize {
    match memchr::memrchr2(b':', b']', text) {
        Some(at) if text[at] == b':' => at,
        _ => text.len(),
    }
}

/// The language of `list` that an Accept-Language value likes best (RFC 9110 section 12.5.4); the first of equals.
fn preferred<'l>(accept: &[u8], list: &'l [Box<[u8]>]) -> Option<&'l [u8]> {
    let mut best: Option<(u32, &'l [u8])> = None;
    for item in accept.split(|b| *b == b',') {
        let mut parts = item.split(|b| *b == b';');
        let range = parts.next().unwrap_or_default().trim_ascii();
        // Two words are no range.
        if range.is_empty() || range.iter().any(u8::is_ascii_whitespace) {
            continue;
        }
        let Some(language) = list.iter().find(|l| language_matches(range, l)) else { continue };
        let quality = parts
            .find_map(|p| p.trim_ascii().strip_prefix(b"q"))
            .and_then(|p| p.trim_ascii().strip_prefix(b"="))
            .map_or(1000, |q| quality(q.trim_ascii()));
        if best.is_none_or(|(q, _)| quality > q) && quality > 0 {
            best = Some((quality, language));
        }
    }
    best.map(|(_, language)| language)
}

/// A language range matches a tag that it equals or is a prefix of at a hyphen (RFC 4647 section 3.3.1).
fn language_matches(range: &[u8], tag: &[u8]) -> bool {
    range == b"*"
        || tag.get(..range.len()).is_some_and(|head| {
            head.eq_ignore_ascii_case(range) && matches!(tag.get(range.len()), None | Some(b'-'))
        })
}

/// A quality in thousandths.
fn quality(text: &[u8]) -> u32 {
    match text {
        [b'1', ..] => 1000,
        [b'0', b'.', digits @ ..] => {
            let digits = digits.iter().take(3).take_while(|b| b.is_ascii_digit());
            let (value, len) = digits.fold((0, 0), |(v, n), b| (v * 10 + u32::from(b - b'0'), n + 1));
            value * 10u32.pow(3 - len)
        }
        _ => 0,
    }
}
