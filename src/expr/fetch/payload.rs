//! Layer 6: the first bytes of a connection in TCP mode.
//!
//! In HTTP mode the bytes are a message, not a payload, and these fetches have no value.

use crate::ir::expr::{Dir, Fetch, HelloList};

use super::super::ctx::{Buffered, Ctx, Head};
use super::super::sample::{Bytes, Sample};
use super::{ABSENT, Fetched, Missing};

pub(super) fn one<'a>(fetch: &'a Fetch, ctx: &Ctx<'a>) -> Fetched<'a> {
    if let Fetch::WaitEnd = fetch {
        return if ctx.is_final { Ok(Sample::Bool(true)) } else { Err(Missing::NotYet) };
    }
    match fetch {
        Fetch::BufferLen(dir) => {
            let len = if ctx.frontend.http {
                let (head, body) = match dir {
                    Dir::Req => (ctx.request, ctx.request_data),
                    Dir::Res => (ctx.response, ctx.response_data),
                };
                head.map_or(0, |head| message_len(head, &body))
            } else {
                buffered(*dir, ctx)?.data.len()
            };
            Ok(Sample::Int(i64::try_from(len).unwrap_or(i64::MAX)))
        }
        Fetch::Payload(dir, offset, len) => {
            let data = input(*dir, ctx)?;
            let bytes = match len {
                0 => data.rest().get(*offset..).ok_or_else(|| data.too_short())?,
                len => data.part(*offset, *len)?,
            };
            Ok(Sample::Bin(Bytes::Ref(bytes)))
        }
        Fetch::PayloadLv { dir, offset, size, data: start } => {
            let data = input(*dir, ctx)?;
            let length = data.part(*offset, *size)?.iter().fold(0usize, |n, b| (n << 8) | usize::from(*b));
            if length == 0 {
                return Err(ABSENT);
            }
            let after = offset + size;
            let start = match start {
                Ok(absolute) => *absolute,
                Err(relative) => usize::try_from(*relative)
                    .ok()
                    .map_or_else(
                        || after.checked_sub(usize::try_from(relative.unsigned_abs()).unwrap_or(usize::MAX)),
                        |forward| after.checked_add(forward),
                    )
                    .ok_or(ABSENT)?,
            };
            Ok(Sample::Bin(Bytes::Ref(data.part(start, length)?)))
        }
        Fetch::Distcc { dir, token, occurrence, body } => {
            distcc(&input(*dir, ctx)?, *token, *occurrence, *body)
        }
        Fetch::TlsHelloType(dir) => handshake_type(&input(*dir, ctx)?),
        Fetch::TlsHelloVersion => hello_version(&input(Dir::Req, ctx)?),
        Fetch::TlsHelloSni => {
            let list = extension(&input(Dir::Req, ctx)?, 0)?.ok_or(ABSENT)?;
            let mut list = Cursor(list);
            let mut names = Cursor(list.vec16()?);
            let kind = names.take(1)?[0];
            let name = names.vec16()?;
            if kind == 0 { Ok(Sample::text(name)) } else { Err(ABSENT) }
        }
        Fetch::TlsHelloAlpn => {
            let list = extension(&input(Dir::Req, ctx)?, 16)?.ok_or(ABSENT)?;
            let mut names = Cursor(Cursor(list).vec16()?);
            let mut out = smallvec::SmallVec::new();
            while !names.0.is_empty() {
                if !out.is_empty() {
                    out.push(b',');
                }
                let len = usize::from(names.take(1)?[0]);
                out.extend_from_slice(names.take(len)?);
            }
            Ok(Sample::Str(Bytes::Own(out)))
        }
        Fetch::TlsHelloEcExt => {
            extension(&input(Dir::Req, ctx)?, 10)?.map(|_| Sample::Bool(true)).ok_or(ABSENT)
        }
        Fetch::TlsHelloTicket => {
            let ticket = extension(&input(Dir::Req, ctx)?, 35)?;
            Ok(Sample::Int(ticket.map_or(0, |ticket| if ticket.is_empty() { 1 } else { 2 })))
        }
        Fetch::TlsHelloList(list) => hello_list(&input(Dir::Req, ctx)?, *list).map(Sample::Bin),
        Fetch::RdpCookie(name) => rdp_cookie(&input(Dir::Req, ctx)?, name.as_deref()).map(Sample::text),
        Fetch::RdpCookieCount(_) if ctx.frontend.http => Ok(Sample::Int(0)),
        Fetch::RdpCookieCount(name) => match rdp_cookie(&input(Dir::Req, ctx)?, name.as_deref()) {
            Ok(_) => Ok(Sample::Int(1)),
            Err(Missing::Absent) => Ok(Sample::Int(0)),
            Err(Missing::NotYet) => Err(Missing::NotYet),
        },
        _ => Err(ABSENT),
    }
}

/// Bytes of a message that is here as far as `body` says. HAProxy counts what it keeps of one: twenty bytes for the first
/// line beside its words, names and values of headers without what is between them, and one byte for each end.
fn message_len(head: &dyn Head, body: &Buffered<'_>) -> usize {
    let first = if head.method().is_empty() {
        3 + head.reason().len()
    } else {
        head.method().len() + head.uri().len()
    };
    let headers =
        (0..head.header_count()).map(|i| head.header(i)).map(|(name, value)| name.len() + value.len());
    let ends = 1 + usize::from(body.complete && body.announced.is_none() && !body.data.is_empty());
    20 + first + "HTTP/1.1".len() + headers.sum::<usize>() + body.data.len() + ends
}

fn buffered<'a>(dir: Dir, ctx: &Ctx<'a>) -> Result<Buffered<'a>, Missing> {
    if ctx.frontend.http {
        return Err(ABSENT);
    }
    Ok(match dir {
        Dir::Req => ctx.request_data,
        Dir::Res => ctx.response_data,
    })
}

/// Bytes that may be followed by more.
struct Input<'a> {
    data: &'a [u8],
    ended: bool,
}

fn input<'a>(dir: Dir, ctx: &Ctx<'a>) -> Result<Input<'a>, Missing> {
    let buffered = buffered(dir, ctx)?;
    Ok(Input { data: buffered.data, ended: buffered.complete || ctx.is_final })
}

impl<'a> Input<'a> {
    fn too_short(&self) -> Missing {
        if self.ended { Missing::Absent } else { Missing::NotYet }
    }

    fn rest(&self) -> &'a [u8] {
        self.data
    }

    fn part(&self, start: usize, len: usize) -> Result<&'a [u8], Missing> {
        let end = start.checked_add(len).ok_or(ABSENT)?;
        self.data.get(start..end).ok_or_else(|| self.too_short())
    }
}

/// A complete structure: what is missing in it is an error, not a reason to wait.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Missing> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(ABSENT)?;
        self.0 = tail;
        Ok(head)
    }

    fn u16(&mut self) -> Result<u16, Missing> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn vec8(&mut self) -> Result<&'a [u8], Missing> {
        let len = self.take(1)?[0];
        self.take(len.into())
    }

    fn vec16(&mut self) -> Result<&'a [u8], Missing> {
        let len = self.u16()?;
        self.take(len.into())
    }
}

fn be(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |n, b| (n << 8) | usize::from(*b))
}

/// Tokens of distcc whose number is no length.
const WITHOUT_BODY: &[&[u8; 4]] = &[b"ARGC", b"DIST", b"NFIL", b"STAT", b"DONE"];

/// A token of distcc's protocol: four characters, a number of eight hexadecimal digits, and for most as many bytes.
fn distcc<'a>(data: &Input<'a>, token: [u8; 4], occurrence: u32, body: bool) -> Fetched<'a> {
    let (mut at, mut seen) = (0, 0);
    loop {
        let head = data.part(at, 12)?;
        let digits = std::str::from_utf8(&head[4..]).map_err(|_| ABSENT)?;
        let number = u32::from_str_radix(digits, 16).map_err(|_| ABSENT)?;
        at += 12;
        let has_body = !WITHOUT_BODY.iter().any(|known| known[..] == head[..4]);
        let len = if has_body { number as usize } else { 0 };
        let here = &data.rest()[at..];
        if head[..4] == token {
            seen += 1;
            if occurrence == 0 || occurrence == seen {
                return match body {
                    false => Ok(Sample::Int(number.into())),
                    true if len <= here.len() => Ok(Sample::Bin(Bytes::Ref(&here[..len]))),
                    // As much of it as there will be.
                    true if data.ended => Ok(Sample::Bin(Bytes::Ref(here))),
                    true => Err(Missing::NotYet),
                };
            }
        }
        // What lies behind a body that is not all there is not waited for.
        if len > here.len() {
            return Err(ABSENT);
        }
        at += len;
    }
}

/// Type of the first handshake message (RFC 8446 section 4) once all of it is there.
fn handshake_type<'a>(data: &Input<'a>) -> Fetched<'a> {
    let first = data.part(0, 1)?[0];
    if !matches!(first, 0x14..=0x17 | 0xff) {
        return Err(ABSENT);
    }
    let head = data.part(0, 9)?;
    if head[1] < 3 || be(&head[3..5]) < 4 {
        return Err(ABSENT);
    }
    data.part(9, be(&head[6..9]))?;
    Ok(Sample::Int(head[5].into()))
}

/// The client's version: major in the high 16 bits, minor in the low ones.
fn hello_version<'a>(data: &Input<'a>) -> Fetched<'a> {
    let first = data.part(0, 1)?[0];
    if !matches!(first, 0x14..=0x17 | 0xff) {
        return Err(ABSENT);
    }
    let head = data.part(0, 11)?;
    let length = be(&head[3..5]);
    if head[1] < 3 || !(6..=(1 << 14) + 2048).contains(&length) {
        return Err(ABSENT);
    }
    data.part(5, length)?;
    Ok(Sample::Int((i64::from(head[9]) << 16) + i64::from(head[10])))
}

/// A list of a ClientHello without its length.
fn hello_list<'a>(data: &Input<'a>, list: HelloList) -> Result<Bytes<'a>, Missing> {
    let number = match list {
        HelloList::Ciphers => return Ok(Bytes::Ref(hello(data)?.0)),
        HelloList::Groups => 10,
        HelloList::SignatureAlgorithms => 13,
        HelloList::KeyShares => 51,
    };
    let body = Cursor(extension(data, number)?.ok_or(ABSENT)?).vec16()?;
    if body.len() < 2 {
        return Err(ABSENT);
    }
    if list != HelloList::KeyShares {
        return Ok(Bytes::Ref(body));
    }
    let (mut shares, mut groups) = (Cursor(body), smallvec::SmallVec::new());
    while let Ok(group) = shares.take(2) {
        groups.extend_from_slice(group);
        shares.vec16()?;
    }
    Ok(Bytes::Own(groups))
}

/// The data of an extension of a ClientHello; `None` if the hello is complete and has none of that type.
fn extension<'a>(data: &Input<'a>, wanted: u16) -> Result<Option<&'a [u8]>, Missing> {
    let mut extensions = hello(data)?.1;
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let body = extensions.vec16()?;
        if kind == wanted {
            return Ok(Some(body));
        }
    }
    Ok(None)
}

/// Ciphers and extensions of a ClientHello (RFC 8446 section 4.1.2).
fn hello<'a>(data: &Input<'a>) -> Result<(&'a [u8], Cursor<'a>), Missing> {
    if data.part(0, 1)?[0] != 0x16 || data.part(0, 3)?[1] < 3 {
        return Err(ABSENT);
    }
    let head = data.part(0, 5)?;
    if be(&head[3..5]) < 48 || data.part(5, 1)?[0] != 1 {
        return Err(ABSENT);
    }
    let length = be(&data.part(6, 3)?[..3]);
    let mut hello = Cursor(data.part(9, length)?);
    let version = hello.take(2)?;
    if version[0] < 3 || version[1] < 1 {
        return Err(ABSENT);
    }
    hello.take(32)?;
    hello.vec8()?;
    let ciphers = hello.vec16()?;
    hello.vec8()?;
    Ok((ciphers, Cursor(hello.vec16()?)))
}

/// The routing cookie of an RDP connection request: `Cookie: NAME=VALUE\r\n` after an 11-byte header.
fn rdp_cookie<'a>(data: &Input<'a>, name: Option<&[u8]>) -> Result<&'a [u8], Missing> {
    if !data.part(0, 19)?[11..18].eq_ignore_ascii_case(b"cookie:") {
        return Err(ABSENT);
    }
    let rest = data.rest()[18..].trim_ascii_start();
    let line_end = memchr::memchr(b'\r', rest);
    let line = &rest[..line_end.unwrap_or(rest.len())];
    let Some(equal) = memchr::memchr(b'=', line) else {
        return Err(if line_end.is_some() { ABSENT } else { data.too_short() });
    };
    if name.is_some_and(|name| !name.eq_ignore_ascii_case(&line[..equal])) {
        return Err(ABSENT);
    }
    let end = line_end.ok_or_else(|| data.too_short())?;
    match rest.get(end + 1) {
        Some(b'\n') => Ok(&line[equal + 1..]),
        Some(_) => Err(ABSENT),
        None => Err(data.too_short()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distcc_tokens_are_found_by_number_and_place() {
        let text = b"DIST00000002ARGC00000002ARGV00000002ccARGV00000002-cDOTI00000010int ma";
        let read = |ended, token: &[u8; 4], occurrence, body| {
            distcc(&Input { data: text, ended }, *token, occurrence, body).map(|sample| sample.to_value())
        };
        let number = |n| Ok(crate::ir::expr::Value::Int(n));
        let bytes = |text: &[u8]| Ok(crate::ir::expr::Value::Bin(text.into()));
        assert_eq!(read(false, b"ARGC", 0, false), number(2));
        assert_eq!(read(false, b"ARGV", 0, true), bytes(b"cc"));
        assert_eq!(read(false, b"ARGV", 2, true), bytes(b"-c"));
        assert_eq!(read(false, b"DOTI", 0, false), number(16));
        assert_eq!(read(false, b"DOTI", 0, true), Err(Missing::NotYet));
        assert_eq!(read(true, b"DOTI", 0, true), bytes(b"int ma"));
        assert_eq!(read(false, b"ARGV", 3, false), Err(ABSENT));
        let junk = Input { data: b"GET / HTTP/1.1", ended: false };
        assert!(matches!(distcc(&junk, *b"DIST", 0, false), Err(Missing::Absent)));
    }
}
