//! Log-format strings into bytes (manual, 8.2.6), byte for byte as HAProxy writes them.

mod alias;
mod date;
mod defaults;
mod encode;

use crate::ir::expr::{LfItem, LfOptions, LogFormat, SampleType};

use super::ctx::{Ctx, Peer};
use super::eval;

pub use defaults::{of_kind, write_connect, write_refusal};

/// Appends the text of `format`.
pub fn render(format: &LogFormat, ctx: &Ctx<'_>, out: &mut Vec<u8>) {
    if let Some(encoding) = format.encoding {
        return encode::map(format, encoding, ctx, out);
    }
    let mut writer = Writer { out, after_blank: true };
    for node in &format.nodes {
        if let Some(encoding) = node.opts.encoding {
            encode::item(node, encoding, format.bin, ctx, writer.out);
            writer.after_blank = false;
            continue;
        }
        match &node.item {
            LfItem::Text(text) => {
                writer.raw(text);
                writer.after_blank = false;
            }
            LfItem::Separator => {
                if !writer.after_blank {
                    writer.raw(b" ");
                    writer.after_blank = true;
                }
            }
            LfItem::Alias(alias) => {
                let start = writer.out.len();
                alias::write(*alias, node.opts, ctx, &mut writer);
                // What wrote nothing leaves the blank before it the last thing written.
                writer.after_blank &= writer.out.len() == start;
            }
            LfItem::Expr(expr) => {
                let value = eval(expr, ctx).ok();
                let as_is = format.bin && matches!(value, Some(super::Sample::Bin(_)));
                let wanted = if as_is && node.cast.is_none() { SampleType::Bin } else { SampleType::Str };
                let value = value.and_then(|sample| sample.cast(wanted));
                let text = value.map(super::Sample::into_text);
                match text.as_deref() {
                    Some(text) if node.opts.http => writer.encoded(text, b'%', is_http_special, node.opts),
                    None if node.opts.http => {}
                    text => writer.text(text.unwrap_or_default(), node.opts),
                }
                writer.after_blank = false;
            }
        }
    }
}

/// The text of `format`, where a fresh buffer is wanted.
#[must_use]
pub fn to_vec(format: &LogFormat, ctx: &Ctx<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(format.text.len() + 64);
    render(format, ctx, &mut out);
    out
}

/// Writes items with their options.
struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// Nothing but blanks since the start, or since the last separator.
    after_blank: bool,
}

impl Writer<'_> {
    fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn display(&mut self, value: impl std::fmt::Display) {
        use std::io::Write as _;
        // Writing to memory cannot fail.
        let _ = write!(self.out, "{value}");
    }

    fn number(&mut self, value: impl itoa::Integer) {
        self.raw(itoa::Buffer::new().format(value).as_bytes());
    }

    /// At least `width` digits.
    fn padded(&mut self, value: u32, width: usize) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(value).as_bytes();
        self.out.extend(std::iter::repeat_n(b'0', width.saturating_sub(digits.len())));
        self.raw(digits);
    }

    /// A word: quoted, escaped, `-` if empty, as the options say.
    fn text(&mut self, text: &[u8], opts: LfOptions) {
        if opts.quote {
            self.raw(b"\"");
        }
        if text.is_empty() && opts.mandatory && !opts.quote {
            self.raw(b"-");
        }
        self.escaped(text, opts);
        if opts.quote {
            self.raw(b"\"");
        }
    }

    fn escaped(&mut self, text: &[u8], opts: LfOptions) {
        if !opts.escape {
            return self.raw(text);
        }
        for b in text {
            if matches!(b, b'"' | b'\\' | b']') {
                self.out.push(b'\\');
            }
            self.out.push(*b);
        }
    }

    /// A word from the wire: what could be mistaken for the line's own syntax, and what no terminal should
    /// see, becomes `mark` and two digits.
    fn encoded(&mut self, text: &[u8], mark: u8, special: fn(u8) -> bool, opts: LfOptions) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let is_marked = |b: &u8| special(*b) || opts.escape && matches!(b, b'"' | b'\\' | b']');
        let mut rest = text;
        while let Some(at) = rest.iter().position(is_marked) {
            let (plain, b) = (&rest[..at], rest[at]);
            self.raw(plain);
            if special(b) {
                self.out.extend([mark, DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]);
            } else {
                self.out.extend([b'\\', b]);
            }
            rest = &rest[at + 1..];
        }
        self.raw(rest);
    }

    /// The same between quotes if asked.
    fn quoted_encoded(&mut self, text: &[u8], special: fn(u8) -> bool, opts: LfOptions) {
        if opts.quote {
            self.raw(b"\"");
        }
        self.encoded(text, b'#', special, opts);
        if opts.quote {
            self.raw(b"\"");
        }
    }

    fn peer_ip(&mut self, peer: Option<Peer>, opts: LfOptions) {
        match peer {
            None | Some(Peer::Pair) => self.text(b"", opts),
            Some(Peer::Unix) => self.text(b"unix", opts),
            Some(Peer::Ip(addr)) if opts.hex => {
                let digits: &dyn Fn(&mut Self, &[u8]) =
                    &|w, octets| octets.iter().for_each(|b| w.display(format_args!("{b:02X}")));
                match addr.ip() {
                    std::net::IpAddr::V4(a) => digits(self, &a.octets()),
                    std::net::IpAddr::V6(a) => digits(self, &a.octets()),
                }
            }
            Some(Peer::Ip(addr)) => self.text(&super::sample::ip_text(addr.ip()), opts),
        }
    }

    fn peer_port(&mut self, peer: Option<Peer>, unix: u32, opts: LfOptions) {
        match peer {
            None => self.text(b"", opts),
            Some(Peer::Unix | Peer::Pair) => self.number(unix),
            Some(Peer::Ip(addr)) if opts.hex => self.display(format_args!("{:04X}", addr.port())),
            Some(Peer::Ip(addr)) => self.number(addr.port()),
        }
    }

    /// An integer; hexadecimal only for the few items where HAProxy knows `+X`.
    fn hex_or(&mut self, value: u64, width: usize, opts: LfOptions) {
        if opts.hex { self.display(format_args!("{value:0width$X}")) } else { self.number(value) }
    }
}

/// Not a visible character, an octet above ASCII, a blank or a tab (RFC 9110 section 5.5).
fn is_http_special(b: u8) -> bool {
    matches!(b, 0..=8 | 0x0a..=0x1f | 0x7f)
}

/// What captured headers must not hold in a log line.
fn is_header_special(b: u8) -> bool {
    matches!(b, 0..=31 | 127..=255 | b'"' | b'#' | b'{' | b'|' | b'}')
}

/// What a request line must not hold in a log line.
fn is_url_special(b: u8) -> bool {
    matches!(b, 0..=31 | 127..=255 | b'"' | b'#')
}
