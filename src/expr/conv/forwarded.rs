//! `rfc7239_*`: the `Forwarded` header (RFC 7239), as strictly as HAProxy reads it: one element, each parameter once.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::ir::expr::{ForwardedKind, SampleType};

use super::super::sample::{Bytes, Sample, push_display};

/// A node: name, and port if one is given.
struct Node<'a> {
    name: Name<'a>,
    port: Option<Port<'a>>,
}

enum Name<'a> {
    Unknown,
    Obscured(&'a [u8]),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

enum Port<'a> {
    Number(u16),
    Obscured(&'a [u8]),
}

/// How a text may stand for a node's name or port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// As it is.
    Valid,
    /// An address of version 6, which is written in brackets.
    V6(Ipv6Addr),
    /// With an underscore before it, as an obscured name.
    NeedsUnderscore,
    /// Not at all.
    Invalid,
}

/// How to write `text` as the name of a node.
pub(crate) fn node_name(text: &[u8]) -> Spelling {
    let mut rest = text;
    match name(&mut rest, true) {
        Some(Name::V6(ip)) if rest.is_empty() => Spelling::V6(ip),
        Some(_) if rest.is_empty() => Spelling::Valid,
        _ => raw(text),
    }
}

/// How to write `text` as the port of a node.
pub(crate) fn node_port(text: &[u8]) -> Spelling {
    let mut rest = text;
    let read = match text.first() {
        Some(b'_') => obscured(&mut rest).is_some(),
        Some(b'0'..=b'9') => port(&mut rest).is_some(),
        _ => false,
    };
    if read && rest.is_empty() { Spelling::Valid } else { raw(text) }
}

fn raw(text: &[u8]) -> Spelling {
    let mut rest = text;
    take(&mut rest, is_obscured);
    if text.is_empty() || !rest.is_empty() { Spelling::Invalid } else { Spelling::NeedsUnderscore }
}

/// Is `text` the host of a `Forwarded` element, written in quotes?
pub(crate) fn is_host(text: &[u8]) -> bool {
    let mut rest = text;
    host(&mut rest, true).is_some() && rest.is_empty()
}

/// Is `text` a valid element?
pub(crate) fn is_valid(text: &[u8]) -> bool {
    header(text).is_some()
}

/// What a valid header holds.
#[derive(Default)]
struct Header<'a> {
    proto: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    nfor: Option<&'a [u8]>,
    by: Option<&'a [u8]>,
}

pub(super) fn apply<'a>(kind: ForwardedKind, text: &[u8]) -> Option<Sample<'a>> {
    let node = || {
        let mut rest = text;
        node(&mut rest, true)
    };
    match kind {
        ForwardedKind::IsValid => Some(Sample::Bool(header(text).is_some())),
        ForwardedKind::Proto => header(text)?.proto.map(copy),
        ForwardedKind::Host => header(text)?.host.map(copy),
        ForwardedKind::For => header(text)?.nfor.map(copy),
        ForwardedKind::By => header(text)?.by.map(copy),
        ForwardedKind::NodeName => Some(match node()?.name {
            Name::Unknown => Sample::text(b"unknown"),
            Name::Obscured(text) => copy(text),
            Name::V4(ip) => Sample::Ipv4(ip),
            Name::V6(ip) => Sample::Ipv6(ip),
        }),
        ForwardedKind::NodePort => Some(match node()?.port? {
            Port::Number(port) => Sample::Int(port.into()),
            Port::Obscured(text) => copy(text),
        }),
        // These take other samples than texts.
        ForwardedKind::MakeName | ForwardedKind::MakePort => None,
    }
}

/// `rfc7239_nn`.
pub(super) fn make_name<'a>(sample: Sample<'_>) -> Option<Sample<'a>> {
    let mut out = Bytes::Own(smallvec::SmallVec::new());
    match sample {
        Sample::Ipv4(ip) => push_display(out.to_mut(), format_args!("{ip}")),
        Sample::Ipv6(ip) => push_display(out.to_mut(), format_args!("[{ip}]")),
        other => {
            let text = other.cast(SampleType::Str)?.into_text();
            if text.is_empty() {
                out.to_mut().extend_from_slice(b"unknown");
            } else {
                obscure(&text, out.to_mut())?;
            }
        }
    }
    Some(Sample::Str(out))
}

/// `rfc7239_np`.
pub(super) fn make_port<'a>(sample: Sample<'_>) -> Option<Sample<'a>> {
    let mut out = Bytes::Own(smallvec::SmallVec::new());
    match sample {
        // As HAProxy, without a look at what a port can be.
        Sample::Int(port) => push_display(out.to_mut(), format_args!("{}", port as u32)),
        other => {
            let text = other.cast(SampleType::Str)?.into_text();
            if text.is_empty() {
                return None;
            }
            obscure(&text, out.to_mut())?;
        }
    }
    Some(Sample::Str(out))
}

/// An obfuscated identifier (RFC 7239 section 6.3).
fn obscure(text: &[u8], out: &mut smallvec::SmallVec<[u8; 64]>) -> Option<()> {
    if !text.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-')) {
        return None;
    }
    out.push(b'_');
    out.extend_from_slice(text);
    Some(())
}

fn copy<'a>(text: &[u8]) -> Sample<'a> {
    Sample::Str(Bytes::copy(text))
}

/// The parameters of a header; nothing if any of it is wrong.
fn header(text: &[u8]) -> Option<Header<'_>> {
    let mut found = Header::default();
    let mut rest = text;
    let mut first = true;
    while !rest.is_empty() {
        if !first {
            rest = rest.strip_prefix(b";")?;
        }
        first = false;
        if let Some(after) = rest.strip_prefix(b"for=").filter(|r| !r.is_empty() && found.nfor.is_none()) {
            found.nfor = Some(quoted(after, &mut rest, |rest, quoted| node(rest, quoted).map(|_| ()))?);
        } else if let Some(after) = rest.strip_prefix(b"by=").filter(|r| !r.is_empty() && found.by.is_none())
        {
            found.by = Some(quoted(after, &mut rest, |rest, quoted| node(rest, quoted).map(|_| ()))?);
        } else if let Some(after) =
            rest.strip_prefix(b"host=").filter(|r| !r.is_empty() && found.host.is_none())
        {
            found.host = Some(quoted(after, &mut rest, host)?);
        } else {
            let after = rest.strip_prefix(b"proto=").filter(|_| found.proto.is_none())?;
            let name = if after.starts_with(b"https") {
                &after[..5]
            } else {
                after.strip_suffix(b"").filter(|a| a.starts_with(b"http"))?.get(..4)?
            };
            found.proto = Some(name);
            rest = &after[name.len()..];
        }
    }
    (!first).then_some(found)
}

/// Reads a value that may stand in quotes; what it was made of, and the rest after it.
fn quoted<'a>(
    text: &'a [u8],
    rest: &mut &'a [u8],
    read: impl Fn(&mut &'a [u8], bool) -> Option<()>,
) -> Option<&'a [u8]> {
    let (inside, is_quoted) = match text.strip_prefix(b"\"") {
        Some(inside) => (inside, true),
        None => (text, false),
    };
    let mut after = inside;
    read(&mut after, is_quoted)?;
    let value = &inside[..inside.len() - after.len()];
    *rest = if is_quoted { after.strip_prefix(b"\"")? } else { after };
    Some(value)
}

/// Takes the longest start of which every byte fits.
fn take<'a>(rest: &mut &'a [u8], fits: impl Fn(u8) -> bool) -> &'a [u8] {
    let end = rest.iter().position(|b| !fits(*b)).unwrap_or(rest.len());
    let (head, tail) = rest.split_at(end);
    *rest = tail;
    head
}

fn name<'a>(rest: &mut &'a [u8], quoted: bool) -> Option<Name<'a>> {
    Some(match rest.first()? {
        b'_' => Name::Obscured(obscured(rest)?),
        b'u' => {
            *rest = rest.strip_prefix(b"unknown")?;
            Name::Unknown
        }
        b'[' if quoted => Name::V6(v6(rest)?),
        _ => {
            let text = take(rest, |b| b.is_ascii_digit() || b == b'.');
            Name::V4(std::str::from_utf8(text).ok()?.parse().ok()?)
        }
    })
}

fn node<'a>(rest: &mut &'a [u8], quoted: bool) -> Option<Node<'a>> {
    let name = name(rest, quoted)?;
    let Some(after) = rest.strip_prefix(b":") else { return Some(Node { name, port: None }) };
    if !quoted {
        return None;
    }
    *rest = after;
    let port = match rest.first()? {
        b'_' => Port::Obscured(obscured(rest)?),
        _ => Port::Number(port(rest)?),
    };
    Some(Node { name, port: Some(port) })
}

/// `_` and what follows it, with the underscore.
fn obscured<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let whole = *rest;
    *rest = &rest[1..];
    let name = take(rest, is_obscured);
    (!name.is_empty()).then(|| &whole[..=name.len()])
}

fn is_obscured(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')
}

fn v6(rest: &mut &[u8]) -> Option<Ipv6Addr> {
    *rest = &rest[1..];
    let text = take(rest, |b| b.is_ascii_alphanumeric() || b == b':');
    *rest = rest.strip_prefix(b"]")?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn port(rest: &mut &[u8]) -> Option<u16> {
    let text = take(rest, |b| b.is_ascii_digit());
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn host(rest: &mut &[u8], quoted: bool) -> Option<()> {
    rest.first()?;
    if quoted && rest.first()? == &b'[' {
        v6(rest)?;
    } else {
        take(rest, |b| b.is_ascii_alphanumeric() || b == b'.');
    }
    if let Some(after) = rest.strip_prefix(b":") {
        if !quoted {
            return None;
        }
        *rest = after;
        port(rest)?;
    }
    Some(())
}
