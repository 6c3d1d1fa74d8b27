//! `%{+json}` and `%{+cbor}` (RFC 8259, RFC 8949): values with their types instead of text.

use crate::ir::expr::{LfAlias, LfEncoding, LfItem, LfNode, LfOptions, LogFormat, SampleType};

use super::super::ctx::Ctx;
use super::super::sample::Sample;
use super::{Writer, alias, eval};

/// A format that is encoded as a whole: a map of its named items; texts and items without a name are left out.
pub(super) fn map(format: &LogFormat, encoding: LfEncoding, ctx: &Ctx<'_>, out: &mut Vec<u8>) {
    let mut coder = Coder { encoding, bin: format.bin, out };
    coder.raw(b"{", 0xbf);
    let mut first = true;
    for node in &format.nodes {
        let Some(name) = &node.name else { continue };
        if !first {
            coder.json(b", ");
        }
        first = false;
        if encoding == LfEncoding::Json {
            coder.json(b"\"");
            coder.json(name.as_bytes());
            coder.json(b"\": ");
        } else {
            coder.text(name.as_bytes());
        }
        coder.value(node, ctx);
    }
    coder.raw(b"}", 0xff);
}

/// One item that is encoded alone.
pub(super) fn item(node: &LfNode, encoding: LfEncoding, bin: bool, ctx: &Ctx<'_>, out: &mut Vec<u8>) {
    Coder { encoding, bin, out }.value(node, ctx);
}

struct Coder<'o> {
    encoding: LfEncoding,
    /// CBOR as bytes instead of hexadecimal digits.
    bin: bool,
    out: &'o mut Vec<u8>,
}

impl Coder<'_> {
    fn value(&mut self, node: &LfNode, ctx: &Ctx<'_>) {
        match &node.item {
            LfItem::Text(_) | LfItem::Separator => {}
            LfItem::Expr(expr) => {
                let sample = eval(expr, ctx).ok();
                let wanted = node.cast.unwrap_or(match &sample {
                    Some(Sample::Int(_)) => SampleType::Int,
                    Some(Sample::Bool(_)) => SampleType::Bool,
                    Some(Sample::Bin(_)) if self.encoding == LfEncoding::Cbor => SampleType::Bin,
                    _ => SampleType::Str,
                });
                match sample.and_then(|sample| sample.cast(wanted)) {
                    Some(Sample::Int(n)) => self.int(n, None),
                    Some(Sample::Bool(b)) if wanted == SampleType::Int => self.int(b.into(), None),
                    Some(Sample::Bool(b)) => self.bool(b),
                    Some(Sample::Bin(bytes)) if wanted == SampleType::Bin => self.bytes(&bytes),
                    Some(sample) => self.text_or_null(&sample.into_text()),
                    None => self.text_or_null(b""),
                }
            }
            LfItem::Alias(alias) => self.alias(*alias, node, ctx),
        }
    }

    fn alias(&mut self, name: LfAlias, node: &LfNode, ctx: &Ctx<'_>) {
        let opts = LfOptions { hex: node.opts.hex, ..LfOptions::default() };
        let write =
            |name, out: &mut Vec<u8>| alias::write(name, opts, ctx, &mut Writer { out, after_blank: true });
        let mut plain = Vec::new();
        match name {
            LfAlias::RequestHeaderList | LfAlias::ResponseHeaderList => {
                let slots = if name == LfAlias::RequestHeaderList {
                    ctx.frontend.captures.0
                } else {
                    ctx.frontend.captures.1
                };
                let captures = if name == LfAlias::RequestHeaderList {
                    &ctx.captures.request
                } else {
                    &ctx.captures.response
                };
                if slots == 0 || !alias::has_captures(ctx) {
                    return self.null();
                }
                self.raw(b"[", 0x9f);
                for slot in 0..slots {
                    if slot > 0 {
                        self.json(b", ");
                    }
                    plain.clear();
                    match captures.get(slot) {
                        Some(Some(value)) => {
                            let mut writer = Writer { out: &mut plain, after_blank: true };
                            writer.encoded(value, b'#', super::is_header_special, opts);
                        }
                        _ if node.opts.quote => {}
                        _ => plain.push(b'-'),
                    }
                    self.pieces(&plain, false);
                }
                self.raw(b"]", 0xff);
            }
            LfAlias::RequestHeaders | LfAlias::ResponseHeaders => {
                write(name, &mut plain);
                if plain.is_empty() { self.null() } else { self.pieces(&plain, true) }
            }
            LfAlias::RequestLine
            | LfAlias::HttpMethod
            | LfAlias::HttpPath
            | LfAlias::HttpPathOnly
            | LfAlias::HttpQuery
            | LfAlias::HttpUri
            | LfAlias::HttpVersion => {
                write(name, &mut plain);
                self.pieces(&plain, false);
            }
            _ => {
                write(name, &mut plain);
                // A sign before an unfinished count is no part of it.
                let digits = plain.strip_prefix(b"+").unwrap_or(&plain);
                let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
                match number.filter(|_| is_number(name) && !opts.hex) {
                    Some(number) => self.int(number, node.cast),
                    None => self.text_or_null(&plain),
                }
            }
        }
    }

    /// Punctuation: these characters, or this byte.
    fn raw(&mut self, json: &[u8], cbor: u8) {
        match self.encoding {
            LfEncoding::Json => self.json(json),
            LfEncoding::Cbor => self.octet(cbor),
        }
    }

    fn json(&mut self, text: &[u8]) {
        if self.encoding == LfEncoding::Json {
            self.out.extend_from_slice(text);
        }
    }

    fn octet(&mut self, octet: u8) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        if self.bin {
            self.out.push(octet);
        } else {
            self.out.extend([DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]]);
        }
    }

    /// The head of a CBOR item: its major type, and a number in as few bytes as it takes (RFC 8949 section 3).
    fn head(&mut self, major: u8, n: u64) {
        let major = major << 5;
        let octets = n.to_be_bytes();
        let (info, from) = match n {
            0..24 => return self.octet(major | octets[7]),
            24..=0xff => (24, 7),
            0x100..=0xffff => (25, 6),
            0x1_0000..=0xffff_ffff => (26, 4),
            _ => (27, 0),
        };
        self.octet(major | info);
        octets[from..].iter().for_each(|octet| self.octet(*octet));
    }

    fn null(&mut self) {
        self.raw(b"null", 0xf6);
    }

    fn bool(&mut self, value: bool) {
        self.raw(if value { b"true" } else { b"false" }, if value { 0xf5 } else { 0xf4 });
    }

    fn int(&mut self, value: i64, cast: Option<SampleType>) {
        use std::io::Write as _;
        match (self.encoding, cast) {
            (_, Some(SampleType::Bool)) => self.bool(value != 0),
            // Writing to memory cannot fail.
            (LfEncoding::Json, Some(SampleType::Str)) => drop(write!(self.out, "\"{value}\"")),
            (LfEncoding::Json, _) => drop(write!(self.out, "{value}")),
            (LfEncoding::Cbor, _) if value < 0 => self.head(1, !value.cast_unsigned()),
            (LfEncoding::Cbor, _) => self.head(0, value.cast_unsigned()),
        }
    }

    /// What is empty is the empty string in JSON and nothing in CBOR, as HAProxy has it.
    fn text_or_null(&mut self, text: &[u8]) {
        if text.is_empty() && self.encoding == LfEncoding::Cbor { self.null() } else { self.text(text) }
    }

    fn text(&mut self, text: &[u8]) {
        match self.encoding {
            LfEncoding::Json => {
                self.out.push(b'"');
                for b in text {
                    if matches!(b, b'"' | b'\\') {
                        self.out.push(b'\\');
                    }
                    self.out.push(*b);
                }
                self.out.push(b'"');
            }
            LfEncoding::Cbor => {
                self.head(3, text.len() as u64);
                text.iter().for_each(|octet| self.octet(*octet));
            }
        }
    }

    /// A word from the wire. In CBOR it is a text of unknown length: what was escaped, and the marks between captures,
    /// are pieces of their own. None of these characters is left in what was not escaped.
    fn pieces(&mut self, text: &[u8], marks: bool) {
        if self.encoding == LfEncoding::Json {
            return self.text(text);
        }
        self.octet(0x7f);
        let mut rest = text;
        while !rest.is_empty() {
            let length = match rest[0] {
                b'#' => rest.len().min(3),
                b'{' | b'|' | b'}' if marks => 1,
                _ => {
                    let apart = |b: &u8| *b == b'#' || marks && matches!(b, b'{' | b'|' | b'}');
                    rest.iter().position(apart).unwrap_or(rest.len())
                }
            };
            let (piece, behind) = rest.split_at(length);
            self.text(piece);
            rest = behind;
        }
        self.octet(0xff);
    }

    /// In one piece of a byte string whose length is not announced, as HAProxy writes them.
    fn bytes(&mut self, bytes: &[u8]) {
        self.octet(0x5f);
        if !bytes.is_empty() {
            self.head(2, bytes.len() as u64);
            bytes.iter().for_each(|octet| self.octet(*octet));
        }
        self.octet(0xff);
    }
}

/// Aliases whose value is a number.
fn is_number(alias: LfAlias) -> bool {
    matches!(
        alias,
        LfAlias::ClientPort
            | LfAlias::FrontendPort
            | LfAlias::BackendPort
            | LfAlias::ServerPort
            | LfAlias::AcceptTimestamp
            | LfAlias::AcceptMillis
            | LfAlias::Timer(_)
            | LfAlias::Status
            | LfAlias::BytesRead
            | LfAlias::BytesUploaded
            | LfAlias::ActiveConnections
            | LfAlias::FrontendConnections
            | LfAlias::BackendConnections
            | LfAlias::ServerConnections
            | LfAlias::Retries
            | LfAlias::ServerQueue
            | LfAlias::BackendQueue
            | LfAlias::RequestCounter
            | LfAlias::LogCounter
            | LfAlias::Pid
    )
}
